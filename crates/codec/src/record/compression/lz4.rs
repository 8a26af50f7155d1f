//! LZ4 frames, as Kafka writes them: independent blocks of 64 KiB, no checksums.
//!
//! Frames of other shapes are read too (larger blocks, blocks that refer to earlier ones, checksums).
//! The checksums are passed over, whether or not the consumer checks CRCs: the batch has a CRC around all of it, and some
//! old clients got the header's wrong. What is behind a frame is ignored, as by Kafka's reader. Blocks are inflated straight into the output, which a general frame reader cannot do.

use super::output::{Failure, Output};
use lz4_flex::block::{
    CompressTable, compress_into_with_table, decompress_into, decompress_into_with_dict,
    get_maximum_output_size,
};

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
/// Magic; version 1, independent blocks; blocks of up to 64 KiB; and the header's checksum.
const HEADER: [u8; 7] = [MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], 0x60, 0x40, 0x82];
const END_MARK: [u8; 4] = [0; 4];
const BLOCK_BYTES: usize = 64 << 10;
/// How far back a block may refer.
const WINDOW_BYTES: usize = 64 << 10;
/// Highest bit of a block's length: the block is not compressed.
const STORED: u32 = 1 << 31;
/// No LZ4 sequence makes more than this of one of its bytes.
const EXPANSION_MAX: usize = 255;
const CHECKSUM_BYTES: usize = 4;
/// No sequence but a block's last copies less.
const COPY_BYTES_MIN: usize = 4;

pub(super) fn compress(plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    out.extend_from_slice(&HEADER);
    let mut table = CompressTable::default();
    for block in plain.chunks(BLOCK_BYTES) {
        let length_at = out.len();
        out.resize(length_at + 4 + get_maximum_output_size(block.len()), 0);
        let (length_bytes, space) = out
            .get_mut(length_at..)
            .and_then(<[u8]>::split_first_chunk_mut::<4>)
            .ok_or("no space for a block")?;
        let mut length = compress_into_with_table(block, space, &mut table)
            .map_err(|cause| cause.to_string())?;
        let mut flags = 0;
        if length >= block.len() {
            length = block.len();
            flags = STORED;
            space
                .get_mut(..length)
                .ok_or("no space for a block")?
                .copy_from_slice(block);
        }
        let written = u32::try_from(length).map_err(|cause| cause.to_string())?;
        *length_bytes = (written | flags).to_le_bytes();
        out.truncate(length_at + 4 + length);
    }
    out.extend_from_slice(&END_MARK);
    Ok(())
}

/// The most that can come out of it, by the lengths of its blocks.
pub(super) fn most(compressed: &[u8]) -> Result<usize, Failure> {
    let mut most = 0_usize;
    each_block(compressed, |frame, block| {
        most = most.saturating_add(match block {
            Block::Stored(bytes) => bytes.len(),
            Block::Compressed(bytes) => frame.most_of(bytes),
        });
        Ok(())
    })?;
    Ok(most)
}

/// How much comes out of it, by going through every block without making its content.
pub(super) fn content_size(compressed: &[u8]) -> Result<usize, Failure> {
    let mut size = 0_usize;
    each_block(compressed, |frame, block| {
        size = size.saturating_add(match block {
            Block::Stored(bytes) => bytes.len(),
            Block::Compressed(bytes) => {
                let before = if frame.independent_blocks {
                    0
                } else {
                    size.min(WINDOW_BYTES)
                };
                let inflated = block_size(bytes, before)?;
                if inflated > frame.block_bytes_max {
                    return Err(Failure::malformed(
                        "a block that makes more than the frame allows",
                    ));
                }
                inflated
            }
        });
        Ok(())
    })?;
    Ok(size)
}

pub(super) fn decompress(compressed: &[u8], out: &mut Output) -> Result<(), Failure> {
    each_block(compressed, |frame, block| match block {
        Block::Stored(bytes) => out.append(bytes),
        Block::Compressed(bytes) => frame.decompress_block(bytes, out),
    })
}

enum Block<'a> {
    Compressed(&'a [u8]),
    Stored(&'a [u8]),
}

fn each_block(
    compressed: &[u8],
    mut each: impl FnMut(&FrameHeader, Block<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut left = compressed;
    let frame = FrameHeader::take(&mut left)?;
    while let Some(block) = frame.take_block(&mut left)? {
        each(&frame, block)?;
    }
    // What is behind the frame is ignored, as by Kafka's reader: another frame as well.
    Ok(())
}

/// The size of a block's content by its sequences: literals, and copies of what came before them, which may
/// reach back by `before` beyond the block.
fn block_size(block: &[u8], before: usize) -> Result<usize, Failure> {
    let mut left = block;
    let mut size = 0_usize;
    loop {
        let (&token, rest) = left.split_first().ok_or_else(block_cut)?;
        let (literals, rest) = long_length(token >> 4, rest)?;
        size = size.saturating_add(literals);
        let rest = rest.get(literals..).ok_or_else(block_cut)?;
        // The last sequence copies nothing.
        if rest.is_empty() {
            return Ok(size);
        }
        let (&offset, rest) = rest.split_first_chunk().ok_or_else(block_cut)?;
        let offset = usize::from(u16::from_le_bytes(offset));
        if offset == 0 || offset > before.saturating_add(size) {
            return Err(Failure::malformed("a copy from before the start"));
        }
        let (copied, rest) = long_length(token & 0xf, rest)?;
        size = size.saturating_add(copied + COPY_BYTES_MIN);
        left = rest;
    }
}

/// A length of four bits, which goes on in further bytes where it is 15.
#[inline]
fn long_length(short: u8, bytes: &[u8]) -> Result<(usize, &[u8]), Failure> {
    let mut length = usize::from(short);
    let mut left = bytes;
    if short == 0xf {
        loop {
            let (&more, rest) = left.split_first().ok_or_else(block_cut)?;
            left = rest;
            length += usize::from(more);
            if more != u8::MAX {
                break;
            }
        }
    }
    Ok((length, left))
}

#[cold]
fn block_cut() -> Failure {
    Failure::malformed("the input ends inside a block")
}

struct FrameHeader {
    block_bytes_max: usize,
    independent_blocks: bool,
    block_checksums: bool,
    content_checksum: bool,
}

impl FrameHeader {
    fn take(left: &mut &[u8]) -> Result<Self, Failure> {
        if take(left, MAGIC.len())? != MAGIC {
            return Err(Failure::malformed("not an lz4 frame"));
        }
        let &[flags, block] = take(left, 2)? else {
            return Err(cut());
        };
        if flags >> 6 != 1 {
            return Err(Failure::malformed("an unknown version of the frame format"));
        }
        let block_bytes_max = match (block >> 4) & 7 {
            4 => 64 << 10,
            5 => 256 << 10,
            6 => 1 << 20,
            7 => 4 << 20,
            _ => return Err(Failure::malformed("a block size that is not defined")),
        };
        let dictionary = flags & 1 != 0;
        if dictionary {
            return Err(Failure::malformed("the frame needs a dictionary"));
        }
        let content_size = flags & (1 << 3) != 0;
        take(left, if content_size { 8 } else { 0 })?;
        take(left, 1)?; // The header's checksum.
        Ok(Self {
            block_bytes_max,
            independent_blocks: flags & (1 << 5) != 0,
            block_checksums: flags & (1 << 4) != 0,
            content_checksum: flags & (1 << 2) != 0,
        })
    }

    /// The next block, `None` at the end of the frame.
    fn take_block<'a>(&self, left: &mut &'a [u8]) -> Result<Option<Block<'a>>, Failure> {
        let Some(&length) = take(left, 4)?.first_chunk() else {
            return Err(cut());
        };
        let length = u32::from_le_bytes(length);
        let checksum = |there: bool| if there { CHECKSUM_BYTES } else { 0 };
        if length == 0 {
            take(left, checksum(self.content_checksum))?;
            return Ok(None);
        }
        let stored = length & STORED != 0;
        let length = usize::try_from(length & !STORED).unwrap_or(usize::MAX);
        let block = take(left, length)?;
        if block.len() > self.block_bytes_max {
            return Err(Failure::malformed("a block longer than the frame allows"));
        }
        take(left, checksum(self.block_checksums))?;
        Ok(Some(if stored {
            Block::Stored(block)
        } else {
            Block::Compressed(block)
        }))
    }

    /// The most that a block of these bytes can hold.
    fn most_of(&self, block: &[u8]) -> usize {
        self.block_bytes_max
            .min(block.len().saturating_mul(EXPANSION_MAX))
    }

    fn decompress_block(&self, block: &[u8], out: &mut Output) -> Result<(), Failure> {
        let wanted = self.most_of(block);
        let (written, space) = out.space(wanted);
        let at_limit = space.len() < wanted;
        let result = if self.independent_blocks {
            decompress_into(block, space)
        } else {
            let window = written.len().saturating_sub(WINDOW_BYTES);
            decompress_into_with_dict(block, space, written.get(window..).unwrap_or_default())
        };
        match result {
            Ok(length) => {
                out.advance(length);
                Ok(())
            }
            Err(lz4_flex::block::DecompressError::OutputTooSmall { .. }) if at_limit => {
                Err(Failure::Limit)
            }
            Err(cause) => Err(Failure::malformed(cause)),
        }
    }
}

fn take<'a>(left: &mut &'a [u8], length: usize) -> Result<&'a [u8], Failure> {
    let (taken, rest) = left.split_at_checked(length).ok_or_else(cut)?;
    *left = rest;
    Ok(taken)
}

fn cut() -> Failure {
    Failure::malformed("the input ends inside a frame")
}

#[cfg(test)]
mod tests {
    use super::*;
    use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
    use std::io::{Read, Write};

    fn plain() -> Vec<u8> {
        (0..60_000)
            .flat_map(|i: u32| format!("{i},").into_bytes())
            .collect()
    }

    #[test]
    fn frames_of_every_shape_are_read() {
        let plain = plain();
        for size in [
            BlockSize::Max64KB,
            BlockSize::Max256KB,
            BlockSize::Max1MB,
            BlockSize::Max4MB,
        ] {
            for mode in [BlockMode::Independent, BlockMode::Linked] {
                for checksums in [false, true] {
                    let info = FrameInfo::new()
                        .block_size(size)
                        .block_mode(mode)
                        .block_checksums(checksums)
                        .content_checksum(checksums)
                        .content_size(checksums.then_some(plain.len().try_into().unwrap()));
                    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
                    encoder.write_all(&plain).unwrap();
                    let frame = encoder.finish().unwrap();
                    let mut out = Output::new(Vec::new(), plain.len());
                    decompress(&frame, &mut out).unwrap();
                    assert_eq!(out.into_bytes(), plain);
                }
            }
        }
    }

    #[test]
    fn a_general_reader_reads_our_frames_and_finds_their_checksums_right() {
        for plain in [plain(), vec![], b"incompressible".to_vec()] {
            let mut frame = Vec::new();
            compress(&plain, &mut frame).unwrap();
            let mut read = Vec::new();
            FrameDecoder::new(&frame[..])
                .read_to_end(&mut read)
                .unwrap();
            assert_eq!(read, plain);
        }
    }
}
