//! How much comes out of zstd frames, found out without decoding them.
//!
//! What a compressed block makes is in its sequences: so many literals, then so many bytes copied from
//! before. Only their numbers are read here, not the literals themselves, in a few kilobytes of tables. So
//! a bomb is known before anything is reserved for it, and so are sequences that are none.

use super::output::Failure;
use super::zstd_frame::{BLOCK_BYTES_MAX, Frame, Header, open};
use super::zstd_fse::{Backward, LITERAL_LENGTHS, MATCH_LENGTHS, OFFSETS, Table};

/// The offsets that the first sequences may repeat.
const FIRST_OFFSETS: [usize; 3] = [1, 4, 8];
/// No symbol of a Huffman code has less than a bit.
const SYMBOLS_PER_BYTE: usize = 8;
/// What the decoder keeps of a sequence: three numbers.
const SEQUENCE_BYTES: usize = 12;
/// A sequence copies at least this much.
const COPY_BYTES_MIN: usize = 3;

/// The most that all frames can take, content or what is kept while it is made, by the headers of their blocks.
pub(super) fn most(input: &[u8], limit: usize) -> Result<usize, Failure> {
    let mut most = 0_usize;
    each_frame(input, limit, |_, left| {
        loop {
            let (block, is_last) = Block::take(left)?;
            most = most.saturating_add(match block {
                Block::Plain { size } => size,
                Block::Compressed(bytes) => BLOCK_BYTES_MAX.max(sequence_bytes(bytes)?),
            });
            if is_last {
                return Ok(());
            }
        }
    })?;
    Ok(most)
}

/// What a decoder keeps of a block's sequences.
fn sequence_bytes(block: &[u8]) -> Result<usize, Failure> {
    let literals = Literals::take(block)?;
    let (count, _) = take_sequence_count(block.get(literals.bytes..).ok_or_else(cut)?)?;
    Ok(count * SEQUENCE_BYTES)
}

/// The size of the content of all frames: exact, if the literals are what they should be.
pub(super) fn content_size(input: &[u8], limit: usize) -> Result<usize, Failure> {
    let mut total = 0_usize;
    // One for all frames: its tables are six kilobytes, and a frame may have nine bytes.
    let mut frame = Content::new();
    each_frame(input, limit, |header, left| {
        frame.begin(header.window());
        loop {
            let (block, is_last) = Block::take(left)?;
            frame.add(&block)?;
            if frame.size > limit - total {
                return Err(Failure::Limit);
            }
            if is_last {
                total += frame.size;
                return Ok(());
            }
        }
    })?;
    Ok(total)
}

/// Hands each frame that has content to `each`, which takes all its blocks off the front.
fn each_frame(
    input: &[u8],
    limit: usize,
    mut each: impl FnMut(&Header, &mut &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut left = input;
    loop {
        match open(left, limit)? {
            Frame::Skippable { rest } => left = rest,
            Frame::Data { header, rest } => {
                left = rest;
                each(&header, &mut left)?;
                left = left
                    .get(header.checksum_bytes()..)
                    .ok_or_else(|| Failure::malformed("the input ends inside a checksum"))?;
            }
        }
        if left.is_empty() {
            return Ok(());
        }
    }
}

enum Block<'a> {
    /// Bytes as they are, or one byte over and over.
    Plain {
        size: usize,
    },
    Compressed(&'a [u8]),
}

impl<'a> Block<'a> {
    /// The next block, and whether it is its frame's last.
    fn take(left: &mut &'a [u8]) -> Result<(Self, bool), Failure> {
        let (&[low, middle, high], rest) = left.split_first_chunk().ok_or_else(cut)?;
        let header = u32::from_le_bytes([low, middle, high, 0]);
        let size = usize::try_from(header >> 3).unwrap_or(usize::MAX);
        if size > BLOCK_BYTES_MAX {
            return Err(Failure::malformed("a block longer than 128 KiB"));
        }
        let kind = (header >> 1) & 3;
        let there = if kind == 1 { 1 } else { size };
        let (bytes, rest) = rest.split_at_checked(there).ok_or_else(cut)?;
        let block = match kind {
            0 | 1 => Self::Plain { size },
            2 => Self::Compressed(bytes),
            _ => return Err(Failure::malformed("a block of the reserved type")),
        };
        *left = rest;
        Ok((block, header & 1 != 0))
    }
}

/// What one block of a frame hands on to the next.
struct Content {
    window: usize,
    size: usize,
    literal_lengths: Table,
    offsets: Table,
    match_lengths: Table,
    recent: [usize; 3],
    has_tree: bool,
}

impl Content {
    fn new() -> Self {
        Self {
            window: 0,
            size: 0,
            literal_lengths: Table::default(),
            offsets: Table::default(),
            match_lengths: Table::default(),
            recent: FIRST_OFFSETS,
            has_tree: false,
        }
    }

    fn begin(&mut self, window: usize) {
        self.window = window;
        self.size = 0;
        self.literal_lengths.clear();
        self.offsets.clear();
        self.match_lengths.clear();
        self.recent = FIRST_OFFSETS;
        self.has_tree = false;
    }

    fn add(&mut self, block: &Block<'_>) -> Result<(), Failure> {
        let size = match block {
            Block::Plain { size } => *size,
            Block::Compressed(bytes) => self.compressed(bytes)?,
        };
        self.size = self.size.saturating_add(size);
        Ok(())
    }

    /// The size of a compressed block's content.
    fn compressed(&mut self, block: &[u8]) -> Result<usize, Failure> {
        let literals = Literals::take(block)?;
        match literals.kind {
            Kind::OwnTree => self.has_tree = true,
            Kind::TreeOfBefore if !self.has_tree => {
                return Err(Failure::malformed("literals without a Huffman tree"));
            }
            Kind::TreeOfBefore | Kind::Plain => {}
        }
        let rest = block.get(literals.bytes..).ok_or_else(cut)?;
        let (count, rest) = take_sequence_count(rest)?;
        if count == 0 {
            return if rest.is_empty() {
                Ok(literals.count)
            } else {
                Err(Failure::malformed("bytes after the sequences"))
            };
        }
        if count > BLOCK_BYTES_MAX / COPY_BYTES_MIN {
            return Err(too_long());
        }
        let bits = self.take_tables(rest)?;
        self.sequences(bits, count, literals.count)
    }

    /// The three tables, or what says that they are as before; gives what is behind them.
    fn take_tables<'a>(&mut self, block: &'a [u8]) -> Result<&'a [u8], Failure> {
        let (&modes, rest) = block.split_first().ok_or_else(cut)?;
        let rest = self
            .literal_lengths
            .take(&LITERAL_LENGTHS, modes >> 6, rest)?;
        let rest = self.offsets.take(&OFFSETS, modes >> 4, rest)?;
        self.match_lengths.take(&MATCH_LENGTHS, modes >> 2, rest)
    }

    fn sequences(&mut self, bits: &[u8], count: usize, literals: usize) -> Result<usize, Failure> {
        let mut bits = Backward::new(bits)?;
        let before = self.size.min(self.window);
        let (mut literals_left, mut size) = (literals, 0_usize);
        let mut literal_length = self.literal_lengths.start(&mut bits)?;
        let mut offset = self.offsets.start(&mut bits)?;
        let mut match_length = self.match_lengths.start(&mut bits)?;
        for index in 0..count {
            let distance = OFFSETS.value(offset.code, &mut bits)?;
            let copied = MATCH_LENGTHS.value(match_length.code, &mut bits)?;
            let own = LITERAL_LENGTHS.value(literal_length.code, &mut bits)?;
            literals_left = literals_left.checked_sub(own).ok_or_else(|| {
                Failure::malformed("a sequence with more literals than there are")
            })?;
            size += own;
            let distance = self.resolve(distance, own == 0);
            if distance == 0 || distance > before + size {
                return Err(Failure::malformed(
                    "a sequence that copies from before the start",
                ));
            }
            size += copied;
            if size + literals_left > BLOCK_BYTES_MAX {
                return Err(too_long());
            }
            if index + 1 < count {
                literal_length = self.literal_lengths.next(literal_length, &mut bits)?;
                match_length = self.match_lengths.next(match_length, &mut bits)?;
                offset = self.offsets.next(offset, &mut bits)?;
            }
        }
        if bits.is_empty() {
            Ok(size + literals_left)
        } else {
            Err(Failure::malformed("bits after the sequences"))
        }
    }

    /// How far back a sequence copies from. Small values stand for one of the last three distances.
    #[inline]
    fn resolve(&mut self, value: usize, no_literals: bool) -> usize {
        let [first, second, third] = self.recent;
        let (distance, recent) = match (value, no_literals) {
            (1, false) => return first,
            (2, false) | (1, true) => (second, [second, first, third]),
            (3, false) | (2, true) => (third, [third, first, second]),
            (3, true) => (
                first.saturating_sub(1),
                [first.saturating_sub(1), first, second],
            ),
            (far, _) => (
                far.saturating_sub(3),
                [far.saturating_sub(3), first, second],
            ),
        };
        self.recent = recent;
        distance
    }
}

enum Kind {
    Plain,
    OwnTree,
    TreeOfBefore,
}

/// The first part of a block.
struct Literals {
    kind: Kind,
    /// How many there are.
    count: usize,
    /// How many bytes they take, header included.
    bytes: usize,
}

impl Literals {
    fn take(block: &[u8]) -> Result<Self, Failure> {
        let &first = block.first().ok_or_else(cut)?;
        let byte = |at: usize| block.get(at).copied().unwrap_or_default();
        let header = u64::from_le_bytes([first, byte(1), byte(2), byte(3), byte(4), 0, 0, 0]);
        let field = |shift: u32, bits: u32| {
            usize::try_from((header >> shift) & ((1 << bits) - 1)).unwrap_or(usize::MAX)
        };
        // Bits 2 and 3 say how long the numbers are.
        let (kind, count, bytes) = match (first & 3, (first >> 2) & 3) {
            (kind @ (0 | 1), format) => {
                let (count, header_bytes) = match format {
                    0 | 2 => (field(3, 5), 1),
                    1 => (field(4, 12), 2),
                    _ => (field(4, 20), 3),
                };
                let there = if kind == 0 { count } else { 1 };
                (Kind::Plain, count, header_bytes + there)
            }
            (kind, format) => {
                let (count, there, header_bytes) = match format {
                    0 | 1 => (field(4, 10), field(14, 10), 3),
                    2 => (field(4, 14), field(18, 14), 4),
                    _ => (field(4, 18), field(22, 18), 5),
                };
                if count > there.saturating_mul(SYMBOLS_PER_BYTE) {
                    return Err(Failure::malformed("more literals than their bits can hold"));
                }
                let kind = if kind == 2 {
                    Kind::OwnTree
                } else {
                    Kind::TreeOfBefore
                };
                (kind, count, header_bytes + there)
            }
        };
        if count > BLOCK_BYTES_MAX {
            return Err(Failure::malformed(
                "a block with more literals than it can hold",
            ));
        }
        Ok(Self { kind, count, bytes })
    }
}

fn take_sequence_count(bytes: &[u8]) -> Result<(usize, &[u8]), Failure> {
    match *bytes {
        [low @ 0..0x80, ref rest @ ..] => Ok((low.into(), rest)),
        [high @ 0x80..=0xfe, low, ref rest @ ..] => {
            Ok((usize::from(high - 0x80) << 8 | usize::from(low), rest))
        }
        [0xff, low, high, ref rest @ ..] => {
            Ok((usize::from(u16::from_le_bytes([low, high])) + 0x7f00, rest))
        }
        _ => Err(cut()),
    }
}

fn too_long() -> Failure {
    Failure::malformed("a block that makes more than 128 KiB")
}

fn cut() -> Failure {
    Failure::malformed("the input ends inside a block")
}
