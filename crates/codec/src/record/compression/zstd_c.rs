//! zstd by the C library.

use super::output::{All, Failure, Output};
use super::zstd_frame::{Frame, open};
use std::io::Read;

/// The library's default, and Kafka's.
const LEVEL: i32 = 3;
/// Windows of the highest levels; the header is already within the limit of the output.
const WINDOW_LOG_MAX: u32 = 27;

pub(super) fn compress(plain: &[u8], out: &mut Vec<u8>, level: Option<i32>) -> Result<(), String> {
    let start = out.len();
    out.resize(start + zstd::zstd_safe::compress_bound(plain.len()), 0);
    let space = out.get_mut(start..).unwrap_or_default();
    let length = zstd::bulk::compress_to_buffer(plain, space, level.unwrap_or(LEVEL))
        .map_err(|cause| cause.to_string())?;
    out.truncate(start + length);
    Ok(())
}

/// Inflates into `out`; `limit` is that of all output.
pub(super) fn decompress(compressed: &[u8], out: &mut Output, limit: usize) -> Result<(), Failure> {
    let mut left = compressed;
    while !left.is_empty() {
        match open(left, limit)? {
            Frame::Skippable { rest } => left = rest,
            Frame::Data { header, rest } => {
                left = rest;
                let source = header.as_bytes().chain(&mut left);
                let mut decoder = zstd::stream::read::Decoder::with_buffer(source)
                    .map_err(Failure::malformed)?
                    .single_frame();
                decoder
                    .window_log_max(WINDOW_LOG_MAX)
                    .map_err(Failure::malformed)?;
                if out.append_all(&mut decoder)? != All::Fits {
                    return Err(Failure::Limit);
                }
            }
        }
    }
    Ok(())
}
