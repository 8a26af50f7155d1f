//! gzip by zlib-rs, zlib in Rust.

use super::output::{All, Failure, Output};
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{self, Read, Write};

/// zlib's default, and Kafka's.
const LEVEL: u32 = 6;
const MAGIC: &[u8; 2] = b"\x1f\x8b";
/// What is inflated only to be counted.
const SCRATCH_BYTES: usize = 16 << 10;

pub(super) fn compress(plain: &[u8], out: &mut Vec<u8>, level: Option<i32>) -> Result<(), String> {
    let level = level
        .and_then(|level| u32::try_from(level).ok())
        .unwrap_or(LEVEL);
    let mut encoder = GzEncoder::new(out, Compression::new(level));
    let result = encoder.write_all(plain).and_then(|()| encoder.finish());
    result.map(drop).map_err(|cause| cause.to_string())
}

/// The members of a gzip stream, one after the other. What is behind a member and begins no other is ignored, as by
/// Java's `GZIPInputStream`.
struct Members<'a> {
    /// Empty once it is at its end.
    current: Option<GzDecoder<&'a [u8]>>,
}

impl<'a> Members<'a> {
    fn new(compressed: &'a [u8]) -> Self {
        Self {
            current: Some(GzDecoder::new(compressed)),
        }
    }
}

impl Read for Members<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = self.current.as_mut() {
            let length = member.read(space)?;
            if length > 0 || space.is_empty() {
                return Ok(length);
            }
            let next = self
                .current
                .take()
                .map(|member| GzDecoder::new(member.into_inner()));
            self.current = next.filter(|member| member.header().is_some());
        }
        Ok(0)
    }
}

/// How much comes out of it by its own word: what its last four bytes say. It is right if there is one member and
/// nothing behind it, as Kafka's clients write it, and if it is true.
pub(super) fn claim(compressed: &[u8]) -> usize {
    match compressed.last_chunk() {
        Some(size) if compressed.starts_with(MAGIC) => {
            usize::try_from(u32::from_le_bytes(*size)).unwrap_or(usize::MAX)
        }
        _ => 0,
    }
}

/// How much comes out of it, by inflating all and keeping nothing.
pub(super) fn content_size(compressed: &[u8], limit: usize) -> Result<usize, Failure> {
    count(&mut Members::new(compressed), 0, limit)
}

/// Inflates into `out` what claims to be as much as `out` may take. Where that turns out to be too little, the
/// rest is counted, and all inflated once more into as much as it is.
pub(super) fn decompress(compressed: &[u8], out: &mut Output, limit: usize) -> Result<(), Failure> {
    let mut reader = Members::new(compressed);
    match out.append_all(&mut reader)? {
        All::Fits => Ok(()),
        All::More(bytes) => {
            let size = count(&mut reader, out.written() + bytes, limit)?;
            drop(reader);
            out.restart(size);
            match out.append_all(&mut Members::new(compressed))? {
                All::Fits => Ok(()),
                All::More(_) => Err(Failure::Limit),
            }
        }
    }
}

/// `so_far` and the number of bytes that `reader` still has.
fn count(reader: &mut impl Read, so_far: usize, limit: usize) -> Result<usize, Failure> {
    let mut scratch = [0; SCRATCH_BYTES];
    let mut size = so_far;
    while size <= limit {
        match reader.read(&mut scratch) {
            Ok(0) => return Ok(size),
            Ok(length) => size += length,
            Err(cause) => return Err(Failure::malformed(cause)),
        }
    }
    Err(Failure::Limit)
}
