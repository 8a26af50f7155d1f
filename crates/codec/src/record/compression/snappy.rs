//! Snappy blocks, bare or in the framing of snappy-java ("xerial"), in which Kafka writes them.
//!
//! The framing: 8 bytes of magic, a version and the oldest version that can read it (both 1), then blocks,
//! each behind its compressed length. All numbers are 4 bytes, big-endian.

use super::output::{Failure, Output};
use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

const MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const HEADER: &[u8; 16] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// What Kafka puts into one block.
const BLOCK_BYTES: usize = 32 << 10;
/// No snappy element makes more of its bytes than a copy: 64 out of 3.
const EXPANSION_MAX: usize = 22;

pub(super) fn compress(plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    out.extend_from_slice(HEADER);
    let mut encoder = Encoder::new();
    for block in plain.chunks(BLOCK_BYTES) {
        let length_at = out.len();
        out.resize(length_at + 4 + max_compress_len(block.len()), 0);
        let (length_bytes, space) = out
            .get_mut(length_at..)
            .and_then(<[u8]>::split_first_chunk_mut::<4>)
            .ok_or("no space for a block")?;
        let length = encoder
            .compress(block, space)
            .map_err(|cause| cause.to_string())?;
        *length_bytes = u32::try_from(length)
            .map_err(|cause| cause.to_string())?
            .to_be_bytes();
        out.truncate(length_at + 4 + length);
    }
    Ok(())
}

/// How much comes out of it, by what its blocks claim.
pub(super) fn claim(compressed: &[u8]) -> Result<usize, Failure> {
    let mut size = 0_usize;
    each_block(compressed, |block| {
        size = size.saturating_add(claimed(block)?);
        Ok(())
    })?;
    Ok(size)
}

/// The same, after going through every block without making its content.
pub(super) fn content_size(compressed: &[u8]) -> Result<usize, Failure> {
    let mut size = 0_usize;
    each_block(compressed, |block| {
        let claimed = claimed(block)?;
        if block_size(block)? != claimed {
            return Err(Failure::malformed(
                "a block that makes more or less than it claims",
            ));
        }
        size = size.saturating_add(claimed);
        Ok(())
    })?;
    Ok(size)
}

/// The size of a block's content by its elements: literals, and copies of what came before them.
fn block_size(block: &[u8]) -> Result<usize, Failure> {
    let preamble = block.iter().position(|byte| *byte < 0x80).ok_or_else(cut)?;
    let mut left = block.get(preamble + 1..).ok_or_else(cut)?;
    let mut size = 0_usize;
    while let Some((&tag, rest)) = left.split_first() {
        let high = usize::from(tag >> 2);
        let (length, more) = match tag & 3 {
            0 => literal(high, rest)?,
            1 => (4 + (high & 7), 1),
            2 => (high + 1, 2),
            _ => (high + 1, 4),
        };
        let (bytes, rest) = rest.split_at_checked(more).ok_or_else(cut)?;
        if tag & 3 != 0 {
            let low = little_endian(bytes);
            let offset = if tag & 3 == 1 {
                (high >> 3) << 8 | low
            } else {
                low
            };
            if offset == 0 || offset > size {
                return Err(Failure::malformed("a copy from before the start"));
            }
        }
        size = size.saturating_add(length);
        left = rest;
    }
    Ok(size)
}

/// The length of a literal, and how many bytes it takes behind its tag, those of its length included.
fn literal(short: usize, bytes: &[u8]) -> Result<(usize, usize), Failure> {
    let Some(length_bytes) = short.checked_sub(59).filter(|bytes| *bytes > 0) else {
        return Ok((short + 1, short + 1));
    };
    let length = bytes.get(..length_bytes).ok_or_else(cut)?;
    let length = little_endian(length) + 1;
    Ok((length, length_bytes.saturating_add(length)))
}

/// Of at most four bytes.
fn little_endian(bytes: &[u8]) -> usize {
    let digits = bytes.iter().rev();
    digits.fold(0, |number, byte| number << 8 | usize::from(*byte))
}

pub(super) fn decompress(compressed: &[u8], out: &mut Output) -> Result<(), Failure> {
    each_block(compressed, |block| decompress_block(block, out))
}

fn each_block(
    compressed: &[u8],
    mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if !compressed.starts_with(MAGIC) {
        return each(compressed);
    }
    let mut left = compressed;
    while !left.is_empty() {
        // Also between blocks: streams that were written one after the other.
        if left.starts_with(MAGIC) {
            left = left.get(HEADER.len()..).ok_or_else(cut)?;
            continue;
        }
        let (length, rest) = left.split_first_chunk().ok_or_else(cut)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (block, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        each(block)?;
        left = rest;
    }
    Ok(())
}

/// The length that a block claims for its content.
fn claimed(block: &[u8]) -> Result<usize, Failure> {
    let length = decompress_len(block).map_err(Failure::malformed)?;
    if length > block.len().saturating_mul(EXPANSION_MAX) {
        return Err(Failure::malformed(
            "a block claims more than its bytes can hold",
        ));
    }
    Ok(length)
}

fn decompress_block(block: &[u8], out: &mut Output) -> Result<(), Failure> {
    let length = claimed(block)?;
    if length > out.left() {
        return Err(Failure::Limit);
    }
    let (_, space) = out.space(length);
    let written = Decoder::new()
        .decompress(block, space)
        .map_err(Failure::malformed)?;
    out.advance(written);
    Ok(())
}

fn cut() -> Failure {
    Failure::malformed("the input ends inside a block")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflated(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut out = Output::new(Vec::new(), 1 << 20);
        decompress(bytes, &mut out).map(|()| out.into_bytes())
    }

    #[test]
    fn bare_and_framed_blocks_are_read() {
        let plain = b"to be or not to be".repeat(9_000);
        assert_eq!(
            inflated(&Encoder::new().compress_vec(&plain).unwrap()).unwrap(),
            plain
        );
        let mut framed = Vec::new();
        compress(&plain, &mut framed).unwrap();
        assert_eq!(inflated(&framed).unwrap(), plain);
        let twice = [&framed[..], &framed].concat();
        assert_eq!(inflated(&twice).unwrap(), plain.repeat(2));
    }

    #[test]
    fn a_claimed_length_reserves_nothing() {
        // A block that claims 4 GiB - 1, bare and framed.
        let block = b"\xff\xff\xff\xff\x0f\0a";
        let framed = [HEADER, &[0, 0, 0, 7][..], block].concat();
        for bytes in [&block[..], &framed] {
            let mut out = Output::new(Vec::new(), usize::MAX);
            assert!(matches!(
                decompress(bytes, &mut out),
                Err(Failure::Malformed(_))
            ));
            assert_eq!(out.into_bytes().capacity(), 0);
        }
    }
}
