//! The header of a zstd frame, as far as it claims memory.
//!
//! A frame declares how much of the output its decoder has to remember: its window, up to terabytes. No
//! more than the limit of the output can ever be needed, as longer output is rejected anyway. So the
//! declared window is lowered to the limit before the decoder sees it, and frames of any window can be
//! read within bounded memory.

use super::output::Failure;

const MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();
/// Frames with a magic from here on, sixteen in all, hold no data.
const SKIPPABLE: u32 = 0x184d_2a50;
/// The longest header: magic, descriptor, window, dictionary id, content size.
const HEADER_BYTES_MAX: usize = 18;
/// No block is longer, and none may be longer than its window.
pub(super) const BLOCK_BYTES_MAX: usize = 128 << 10;
/// Windows have at least this many bytes, as a power of two.
const WINDOW_LOG_MIN: u32 = 10;
/// A bit of a frame's descriptor: a checksum follows the blocks.
const CONTENT_CHECKSUM: u8 = 1 << 2;
const CHECKSUM_BYTES: usize = 4;
/// A bit of the descriptor: the window is the content, and its size stands in the window's place.
const SINGLE_SEGMENT: u8 = 1 << 5;
/// Bits of the descriptor: how many bytes the id of a dictionary has.
const DICTIONARY: u8 = 3;
/// Where the byte that says the size of the window is, if there is one.
const WINDOW_AT: usize = 5;

/// What begins at some place in the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// Data.
    Data {
        /// The frame's header, with a window within the limit.
        header: Header,
        /// What follows the header: blocks, then maybe a checksum, then maybe more frames.
        rest: &'a [u8],
    },
    /// Nothing to decode.
    Skippable {
        /// What follows the frame.
        rest: &'a [u8],
    },
}

/// A frame header of our own making.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    bytes: [u8; HEADER_BYTES_MAX],
    length: usize,
    window: usize,
    has_checksum: bool,
}

impl Header {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// How far back a sequence may copy from, besides what its own block makes.
    pub(super) fn window(&self) -> usize {
        self.window
    }

    /// A header for the same blocks without a size of their content, and with a window of no more than `content` needs.
    #[cfg(not(feature = "zstd-c"))]
    pub(super) fn narrowed(&self, content: usize) -> Self {
        let descriptor = self.bytes.get(4).copied().unwrap_or_default();
        let dictionary_bytes = dictionary_bytes(descriptor);
        let single_segment = descriptor & SINGLE_SEGMENT != 0;
        let mut bytes = [0; HEADER_BYTES_MAX];
        let dictionary_at = if single_segment { 5 } else { 6 };
        let dictionary = self.bytes.iter().skip(dictionary_at).take(dictionary_bytes);
        let window = smallest_window(self.window.min(content));
        let fields = MAGIC
            .iter()
            .copied()
            .chain([descriptor & (CONTENT_CHECKSUM | DICTIONARY), window])
            .chain(dictionary.copied());
        for (to, from) in bytes.iter_mut().zip(fields) {
            *to = from;
        }
        Self {
            bytes,
            length: MAGIC.len() + 2 + dictionary_bytes,
            window: window_size(window),
            has_checksum: self.has_checksum,
        }
    }

    /// Bytes between the last block and the next frame.
    pub(super) fn checksum_bytes(&self) -> usize {
        if self.has_checksum { CHECKSUM_BYTES } else { 0 }
    }
}

/// Reads the header of the frame that `input` begins with, and lowers its window to what `limit` bytes of
/// output need.
pub(super) fn open(input: &[u8], limit: usize) -> Result<Frame<'_>, Failure> {
    let (magic, rest) = input.split_first_chunk::<4>().ok_or_else(cut)?;
    if u32::from_le_bytes(*magic) & !0xf == SKIPPABLE {
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        return Ok(Frame::Skippable {
            rest: rest.get(length..).ok_or_else(cut)?,
        });
    }
    if *magic != MAGIC {
        return Err(Failure::malformed("not a zstd frame"));
    }
    let &descriptor = rest.first().ok_or_else(cut)?;
    let single_segment = descriptor & SINGLE_SEGMENT != 0;
    let window_bytes = usize::from(!single_segment);
    let dictionary_bytes = dictionary_bytes(descriptor);
    let content_size_bytes = match descriptor >> 6 {
        0 => usize::from(single_segment),
        flag => 1 << flag,
    };
    let length = 5 + window_bytes + dictionary_bytes + content_size_bytes;
    let (source, rest) = input.split_at_checked(length).ok_or_else(cut)?;
    let mut bytes = [0; HEADER_BYTES_MAX];
    for (to, from) in bytes.iter_mut().zip(source) {
        *to = *from;
    }
    let declared = content_size(source, content_size_bytes)
        .map_or(0, |size| usize::try_from(size).unwrap_or(usize::MAX));
    if declared > limit {
        return Err(Failure::Limit);
    }
    let window = if single_segment {
        declared
    } else {
        let byte = bytes.get_mut(WINDOW_AT).ok_or_else(cut)?;
        *byte = smallest_window(limit.max(BLOCK_BYTES_MAX)).min(*byte);
        window_size(*byte)
    };
    Ok(Frame::Data {
        header: Header {
            bytes,
            length,
            window,
            has_checksum: descriptor & CONTENT_CHECKSUM != 0,
        },
        rest,
    })
}

fn dictionary_bytes(descriptor: u8) -> usize {
    match descriptor & DICTIONARY {
        3 => 4,
        bytes => bytes.into(),
    }
}

/// The size that the frame declares for its output; it is the last field of its header.
fn content_size(header: &[u8], field_bytes: usize) -> Option<u64> {
    let (_, field) = header.split_at_checked(header.len().checked_sub(field_bytes)?)?;
    let declared = field
        .iter()
        .rev()
        .fold(0, |size, byte| size << 8 | u64::from(*byte));
    match field_bytes {
        0 => None,
        // Two bytes begin where one byte ends.
        2 => Some(declared + 256),
        _ => Some(declared),
    }
}

/// The descriptor of the smallest window that has at least `bytes`. Its upper five bits are an exponent,
/// the lower three eighths to add, so that descriptors are in the order of the windows.
fn smallest_window(bytes: usize) -> u8 {
    let mut descriptor = 0_u8;
    while window_size(descriptor) < bytes && descriptor < u8::MAX {
        descriptor += 1;
    }
    descriptor
}

fn window_size(descriptor: u8) -> usize {
    let log = WINDOW_LOG_MIN + u32::from(descriptor >> 3);
    let base = 1_usize.checked_shl(log).unwrap_or(usize::MAX);
    base.saturating_add((base / 8).saturating_mul(usize::from(descriptor & 7)))
}

fn cut() -> Failure {
    Failure::malformed("the input ends inside a frame header")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_in_the_order_of_their_descriptors() {
        assert_eq!(window_size(0), 1 << 10);
        assert_eq!(window_size(11 << 3), 2 << 20);
        for descriptor in 1..=u8::MAX {
            assert!(window_size(descriptor - 1) < window_size(descriptor) || descriptor > 250);
        }
        assert_eq!(smallest_window(0), 0);
        assert_eq!(smallest_window(1 << 10), 0);
        assert_eq!(smallest_window((1 << 10) + 1), 1);
        assert_eq!(smallest_window(2 << 20), 11 << 3);
    }

    #[test]
    fn a_window_of_terabytes_is_lowered_to_the_limit() {
        let input = [&MAGIC[..], &[0, 0xff], b"blocks"].concat();
        let Frame::Data { header, rest } = open(&input, 2 << 20).unwrap() else {
            panic!("not data");
        };
        assert_eq!(header.as_bytes(), [&MAGIC[..], &[0, 11 << 3]].concat());
        assert_eq!(rest, b"blocks");
    }

    #[cfg(not(feature = "zstd-c"))]
    #[test]
    fn a_narrowed_header_keeps_what_the_blocks_need() {
        // Single segment, content size of two bytes, checksum, dictionary id of two bytes.
        let input = [&MAGIC[..], &[0b0110_0110, 7, 9, 0, 1]].concat();
        let Frame::Data { header, rest } = open(&input, 1 << 20).unwrap() else {
            panic!("not data");
        };
        assert!(rest.is_empty());
        assert_eq!(header.window(), 512);
        let narrowed = header.narrowed(5);
        assert_eq!(
            narrowed.as_bytes(),
            [&MAGIC[..], &[0b0000_0110, 0, 7, 9]].concat()
        );
        assert_eq!(narrowed.checksum_bytes(), 4);
        let input = [&MAGIC[..], &[0, 11 << 3]].concat();
        let Ok(Frame::Data { header, .. }) = open(&input, 4 << 20) else {
            panic!("not data");
        };
        assert_eq!(header.narrowed(1 << 30).as_bytes(), input);
        assert!(header.narrowed(100_000).window() >= 100_000);
    }

    #[test]
    fn a_declared_size_beyond_the_limit_is_rejected_at_once() {
        for (descriptor, field, size) in [
            (0b0010_0000, &[200][..], 200),
            (0b0110_0000, &[0, 1], 512),
            (0b1010_0000, &[0, 0, 1, 0], 65_536),
            (0b1110_0000, &[0, 0, 0, 0, 1, 0, 0, 0], 1 << 32),
        ] {
            let input = [&MAGIC[..], &[descriptor], field].concat();
            assert!(matches!(open(&input, size), Ok(Frame::Data { .. })));
            assert!(matches!(open(&input, size - 1), Err(Failure::Limit)));
        }
    }

    #[test]
    fn a_skippable_frame_is_stepped_over() {
        let input = b"\x5e\x2a\x4d\x18\x03\0\0\0abcrest";
        assert_eq!(open(input, 9).unwrap(), Frame::Skippable { rest: b"rest" });
    }
}
