//! zstd in Rust, by ruzstd: one level, and about a third of the speed of the C library (feature `zstd-c`).

use super::output::{All, Failure, Output};
use super::zstd_frame::{Frame, open};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, compress as encode};

#[expect(clippy::unnecessary_wraps, reason = "the signature of all codecs")]
pub(super) fn compress(plain: &[u8], out: &mut Vec<u8>, _: Option<i32>) -> Result<(), String> {
    encode(plain, out, CompressionLevel::Fastest);
    Ok(())
}

/// Inflates into `out`; `limit` is that of all output.
pub(super) fn decompress(compressed: &[u8], out: &mut Output, limit: usize) -> Result<(), Failure> {
    let mut left = compressed;
    // One for all frames: its tables are many times what the smallest frames are.
    let mut decoder = FrameDecoder::new();
    // Whatever a header says is within the limit by now.
    decoder.set_max_window_size(u64::MAX);
    loop {
        match open(left, limit)? {
            Frame::Skippable { rest } => left = rest,
            Frame::Data { header, rest } => {
                left = rest;
                // A decoder that was used reserves the window at once, and no frame can make more than is left.
                let header = header.narrowed(out.left());
                decompress_frame(&mut decoder, header.as_bytes(), &mut left, out)?;
            }
        }
        if left.is_empty() {
            return Ok(());
        }
    }
}

/// Decodes one block after the other, none of which is longer than 128 KiB, and takes out what is
/// beyond the window. The window being no smaller than the limit, that is nothing until the end.
fn decompress_frame(
    decoder: &mut FrameDecoder,
    header: &[u8],
    left: &mut &[u8],
    out: &mut Output,
) -> Result<(), Failure> {
    decoder.init(header).map_err(Failure::malformed)?;
    while !decoder.is_finished() {
        decoder
            .decode_blocks(&mut *left, BlockDecodingStrategy::UptoBlocks(1))
            .map_err(Failure::malformed)?;
        while decoder.can_collect() > 0 {
            out.reserve(decoder.can_collect());
            if out.append_all(decoder)? != All::Fits {
                return Err(Failure::Limit);
            }
        }
    }
    Ok(())
}
