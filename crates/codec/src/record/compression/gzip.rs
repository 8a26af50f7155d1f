//! gzip by zlib-rs, zlib in Rust.

use super::output::{Failure, Output};
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::Write;

/// zlib's default, and Kafka's.
const LEVEL: u32 = 6;
const MAGIC: &[u8; 2] = b"\x1f\x8b";

pub(super) fn compress(plain: &[u8], out: &mut Vec<u8>, level: Option<i32>) -> Result<(), String> {
    let level = level
        .and_then(|level| u32::try_from(level).ok())
        .unwrap_or(LEVEL);
    let mut encoder = GzEncoder::new(out, Compression::new(level));
    let result = encoder.write_all(plain).and_then(|()| encoder.finish());
    result.map(drop).map_err(|cause| cause.to_string())
}

/// At least how much comes out of it, if it is valid: what its last member says of itself at its end.
pub(super) fn forecast(compressed: &[u8]) -> usize {
    match compressed.last_chunk() {
        Some(size) if compressed.starts_with(MAGIC) => {
            usize::try_from(u32::from_le_bytes(*size)).unwrap_or(usize::MAX)
        }
        _ => 0,
    }
}

pub(super) fn decompress(compressed: &[u8], out: &mut Output) -> Result<(), Failure> {
    out.append_all(&mut MultiGzDecoder::new(compressed))
}
