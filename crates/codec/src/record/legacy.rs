//! Message sets, magic 0 and 1: how Kafka stored records before 0.11. They are read, never written.
//!
//! ```text
//! 0        8       12    16     17          18               18 or 26
//! | offset | size  | CRC | mag- | attributes| timestamp      | key and value, each behind
//! |        |       |     | ic   |           | (magic 1 only) | its length in four bytes
//! ```
//!
//! The size counts from byte 12, the CRC-32 covers everything from byte 16. Each message stands alone, unless it is
//! compressed: then its value is a whole message set, and the message around it (the wrapper) has the offset of the last
//! message inside. Inside a wrapper of magic 1 offsets are relative, inside one of magic 0 they are absolute.
//!
//! Brokers up to 3.9 return old segments as they were written; mixed with batches of magic 2 where a topic was upgraded.
//! [`Batch`](super::Batch) shows each message, or each wrapper, as a batch without producer and transaction. Its records are
//! rewritten in the format of magic 2, which is never longer, in the place where they are: so [`Records`] has one format to
//! read, and takes no more memory than for any other batch.

use super::attributes::{Attributes, Compression, TimestampType};
use super::compression::decompress;
use super::error::BatchError;
use super::layout::{BASE_OFFSET, BATCH_LENGTH, LOG_OVERHEAD, MAGIC_AT, field};
use super::records::{RecordContext, Records};
use super::varint::{put_zigzag, zigzag, zigzag_size};
use crate::{Limits, Sequence};
use std::ops::Range;

pub(super) const CRC: usize = 12;
const ATTRIBUTES: usize = 17;
const TIMESTAMP: usize = 18;
/// The shortest message, of magic 0 without key and value, by its own size: CRC, magic, attributes and two lengths.
pub(super) const MESSAGE_BYTES_MIN: usize = 14;
/// Messages of magic 0 have no timestamp. Deltas are from here, so that theirs take one byte.
pub(super) const NO_TIMESTAMP: i64 = -1;

/// Whether a magic is one of the old ones.
pub(super) const fn is_legacy(magic: i8) -> bool {
    matches!(magic, 0 | 1)
}

/// What the attributes of a message say, in the terms of a batch: which codec, and whose timestamps.
pub(super) fn attributes(message: &[u8]) -> Attributes {
    let [attributes] = field(message, ATTRIBUTES);
    Attributes::legacy(attributes, has_timestamp(message))
}

/// The timestamp of a message, -1 in magic 0.
pub(super) fn timestamp(message: &[u8]) -> i64 {
    if has_timestamp(message) {
        i64::from_be_bytes(field(message, TIMESTAMP))
    } else {
        NO_TIMESTAMP
    }
}

fn has_timestamp(message: &[u8]) -> bool {
    field(message, MAGIC_AT) != [0]
}

/// The records of a whole message or wrapper. Inflates into `buffer`.
///
/// The CRC of a wrapper covers the messages inside as well, so theirs are not looked at.
pub(super) fn open(
    message: &[u8],
    compression: Compression,
    limits: &Limits,
    mut buffer: Vec<u8>,
) -> Result<Records, BatchError> {
    let offset = i64::from_be_bytes(field(message, BASE_OFFSET));
    let malformed = |index, field| BatchError::Record {
        base_offset: offset,
        index,
        field,
    };
    let wrapper = if compression == Compression::None {
        buffer.clear();
        buffer.extend_from_slice(message);
        Wrapper::NONE
    } else {
        let whole = Message::parse(message, 0).map_err(|field| malformed(0, field))?;
        let inside = whole.value.and_then(|value| message.get(value));
        let inside = inside.ok_or_else(|| malformed(0, "value"))?;
        if compression == Compression::Zstd {
            return Err(BatchError::Decompression {
                base_offset: offset,
                codec: compression.name(),
                reason: "message sets of magic 0 and 1 have no zstd".to_owned(),
            });
        }
        buffer = decompress(compression, inside, buffer, limits, offset, 0)?;
        Wrapper::of(message, &buffer)
    };
    let mut rewriter = Rewriter {
        buffer: &mut buffer,
        written: 0,
        base_offset: None,
    };
    let mut count = 0_u32;
    let mut at = 0;
    while let Some(whole) = whole_message(rewriter.buffer, at).map_err(|f| malformed(count, f))? {
        if usize::try_from(count).unwrap_or(usize::MAX) >= limits.records_per_batch {
            return Err(BatchError::Limit {
                base_offset: offset,
                limit: limits.records_per_batch,
                unit: "records",
            });
        }
        rewriter
            .rewrite(whole.clone(), &wrapper)
            .map_err(|field| malformed(count, field))?;
        count += 1;
        at = whole.end;
    }
    // A wrapper without a message inside stands for no offset; Kafka's reader rejects it too.
    let Some(base_offset) = rewriter.base_offset else {
        return Err(malformed(0, "value"));
    };
    let written = rewriter.written;
    buffer.truncate(written);
    let context = RecordContext {
        base_offset,
        base_timestamp: NO_TIMESTAMP,
        log_append_time: None,
        base_sequence: Sequence::NONE,
    };
    Ok(Records::rewritten(buffer.into(), count, context))
}

/// Where the next message of a set is; `None` at the end, and before one that is cut off, as in Kafka's reader.
fn whole_message(set: &[u8], at: usize) -> Result<Option<Range<usize>>, &'static str> {
    let left = set.get(at..).unwrap_or_default();
    if left.len() < LOG_OVERHEAD {
        return Ok(None);
    }
    let size = i32::from_be_bytes(field(left, BATCH_LENGTH));
    let size = usize::try_from(size)
        .ok()
        .filter(|s| *s >= MESSAGE_BYTES_MIN);
    let end = size.ok_or("size")?.saturating_add(LOG_OVERHEAD);
    Ok((end <= left.len()).then(|| at..at.saturating_add(end)))
}

/// What a wrapper says about the messages inside it.
struct Wrapper {
    /// Added to their offsets.
    first_offset: i64,
    /// In place of their timestamps, where they have one.
    append_time: Option<i64>,
}

impl Wrapper {
    const NONE: Self = Self {
        first_offset: 0,
        append_time: None,
    };

    fn of(message: &[u8], inside: &[u8]) -> Self {
        // Kafka's reader takes the append time for messages of magic 1 alone, whatever the wrapper is.
        let append_time = match attributes(message).timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(timestamp(message)),
        };
        let last_offset = i64::from_be_bytes(field(message, BASE_OFFSET));
        // Some versions of librdkafka left the offset of the wrapper at 0.
        let relative = has_timestamp(message) && last_offset != 0;
        let first_offset = if relative {
            last_offset.wrapping_sub(last_offset_inside(inside))
        } else {
            0
        };
        Self {
            first_offset,
            append_time,
        }
    }
}

fn last_offset_inside(set: &[u8]) -> i64 {
    let (mut at, mut last) = (0, 0);
    while let Ok(Some(whole)) = whole_message(set, at) {
        last = i64::from_be_bytes(field(set, whole.start));
        at = whole.end;
    }
    last
}

/// Where the parts of a message are.
struct Message {
    offset: i64,
    is_compressed: bool,
    timestamp: Option<i64>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
}

impl Message {
    /// Reads the message that `bytes`, `start` bytes into a set, are exactly.
    fn parse(bytes: &[u8], start: usize) -> Result<Self, &'static str> {
        let magic = i8::from_be_bytes(field(bytes, MAGIC_AT));
        let (timestamp, key_at) = match magic {
            0 => (None, TIMESTAMP),
            1 => (
                Some(i64::from_be_bytes(field(bytes, TIMESTAMP))),
                TIMESTAMP + 8,
            ),
            _ => return Err("magic"),
        };
        let (key, value_at) = nullable(bytes, key_at).ok_or("key")?;
        let (value, _) = nullable(bytes, value_at).ok_or("value")?;
        let within = |part: Range<usize>| start + part.start..start + part.end;
        Ok(Self {
            offset: i64::from_be_bytes(field(bytes, BASE_OFFSET)),
            is_compressed: attributes(bytes).compression_id() != 0,
            timestamp,
            key: key.map(within),
            value: value.map(within),
        })
    }
}

/// Bytes behind their length, and where the next field is.
fn nullable(bytes: &[u8], at: usize) -> Option<(Option<Range<usize>>, usize)> {
    let length = bytes.get(at..)?.first_chunk()?;
    let start = at + 4;
    match i32::from_be_bytes(*length) {
        -1 => Some((None, start)),
        length => {
            let end = start.checked_add(usize::try_from(length).ok()?)?;
            bytes.get(start..end)?;
            Some((Some(start..end), end))
        }
    }
}

/// Rewrites messages as records of magic 2, from the beginning of the buffer that they are in. A record is at least two
/// bytes shorter than its message, and each beginning of it than that of the message, so that nothing is overwritten
/// before it has been read.
struct Rewriter<'b> {
    buffer: &'b mut Vec<u8>,
    written: usize,
    base_offset: Option<i64>,
}

impl Rewriter<'_> {
    /// Rewrites the message at `at`; an error is the name of the field that cannot be read.
    fn rewrite(&mut self, at: Range<usize>, wrapper: &Wrapper) -> Result<(), &'static str> {
        let start = at.start;
        let message = Message::parse(self.buffer.get(at).unwrap_or_default(), start)?;
        if message.is_compressed {
            // Kafka's reader rejects a wrapper inside a wrapper too.
            return Err("attributes");
        }
        let offset = message.offset.wrapping_add(wrapper.first_offset);
        let base_offset = *self.base_offset.get_or_insert(offset);
        let offset_delta = offset.wrapping_sub(base_offset);
        if i32::try_from(offset_delta).is_err() {
            return Err("offset");
        }
        let timestamp = match message.timestamp {
            None => NO_TIMESTAMP,
            Some(created) => wrapper.append_time.unwrap_or(created),
        };
        let timestamp_delta = zigzag(timestamp.wrapping_sub(NO_TIMESTAMP));
        let offset_delta = zigzag(offset_delta);
        let attributes_and_headers = 2;
        let size = attributes_and_headers
            + zigzag_size(timestamp_delta)
            + zigzag_size(offset_delta)
            + part_size(message.key.as_ref())
            + part_size(message.value.as_ref());
        self.number(size as u64 * 2)
            .and_then(|()| self.put(&[0]))
            .and_then(|()| self.number(timestamp_delta))
            .and_then(|()| self.number(offset_delta))
            .and_then(|()| self.part(message.key))
            .and_then(|()| self.part(message.value))
            .and_then(|()| self.put(&[0]))
            .ok_or("size")
    }

    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.written + bytes.len();
        let space = self.buffer.get_mut(self.written..end)?;
        space.copy_from_slice(bytes);
        self.written = end;
        Some(())
    }

    fn number(&mut self, raw: u64) -> Option<()> {
        let mut bytes = [0; 10];
        put_zigzag(&mut bytes, raw)?;
        self.put(bytes.get(..zigzag_size(raw))?)
    }

    /// A key or a value behind its length, from where it is in the buffer.
    fn part(&mut self, part: Option<Range<usize>>) -> Option<()> {
        self.number(part_length(part.as_ref()))?;
        let Some(part) = part else {
            return Some(());
        };
        let end = self.written + part.len();
        // Both ends are looked at first: copy_within does not fail, it panics.
        self.buffer.get(part.clone())?;
        self.buffer.get(self.written..end)?;
        self.buffer.copy_within(part, self.written);
        self.written = end;
        Some(())
    }
}

/// The length of a key or a value as a record has it: -1 for null.
fn part_length(part: Option<&Range<usize>>) -> u64 {
    part.map_or(1, |part| part.len() as u64 * 2)
}

fn part_size(part: Option<&Range<usize>>) -> usize {
    zigzag_size(part_length(part)) + part.map_or(0, Range::len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Compressor;
    use crate::record::crc::crc32;
    use crate::{Batch, Batches};

    /// A message with these parts as they stand, its size and CRC right.
    fn message(offset: i64, magic: u8, attributes: u8, timestamp: i64, parts: &[u8]) -> Vec<u8> {
        let mut covered = vec![magic, attributes];
        if magic == 1 {
            covered.extend(timestamp.to_be_bytes());
        }
        covered.extend(parts);
        let mut wire = offset.to_be_bytes().to_vec();
        wire.extend(u32::try_from(covered.len() + 4).unwrap().to_be_bytes());
        wire.extend(crc32(&covered).to_be_bytes());
        wire.extend(covered);
        wire
    }

    /// A null key and this value.
    fn value(value: &[u8]) -> Vec<u8> {
        let mut parts = (-1_i32).to_be_bytes().to_vec();
        parts.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        parts.extend(value);
        parts
    }

    fn wrapper(offset: i64, magic: u8, attributes: u8, timestamp: i64, inside: &[u8]) -> Vec<u8> {
        let mut compressed = Vec::new();
        let gzip = Compressor::from(Compression::Gzip);
        gzip.compress(inside, &mut compressed).unwrap();
        let gzip = Compression::Gzip.id() | attributes;
        message(offset, magic, gzip, timestamp, &value(&compressed))
    }

    fn batch(wire: Vec<u8>) -> Batch {
        let batch = Batches::new(wire.into()).next().unwrap().unwrap();
        batch.check_crc().unwrap();
        batch
    }

    fn read(wire: Vec<u8>, limits: &Limits) -> Result<Vec<(i64, i64, Vec<u8>)>, BatchError> {
        let records = batch(wire).records(limits)?;
        let records = records.iter().map(|record| {
            let record = record.unwrap();
            (
                record.offset,
                record.timestamp,
                record.value.unwrap().to_vec(),
            )
        });
        Ok(records.collect())
    }

    fn field_of(error: BatchError) -> &'static str {
        let BatchError::Record { field, .. } = error else {
            panic!("{error}");
        };
        field
    }

    #[test]
    fn each_message_inside_is_read_by_its_own_magic_and_the_wrappers_offset() {
        let inside = [
            message(0, 1, 0, 7, &value(b"one")),
            message(1, 0, 0, 0, &value(b"two")),
            message(5, 1, 0, -9, &value(b"three")),
        ]
        .concat();
        let (created, old, late) = (7, -1, -9);
        for (magic, first) in [(0, 0), (1, 95)] {
            let read = read(wrapper(100, magic, 0, 50, &inside), &Limits::default()).unwrap();
            let expected = [
                (first, created, b"one".to_vec()),
                (first + 1, old, b"two".to_vec()),
                (first + 5, late, b"three".to_vec()),
            ];
            assert_eq!(read, expected, "magic {magic}");
        }
        let appended = read(wrapper(100, 1, 8, 50, &inside), &Limits::default()).unwrap();
        let times: Vec<_> = appended
            .iter()
            .map(|(_, timestamp, _)| *timestamp)
            .collect();
        assert_eq!(times, [50, -1, 50]);
    }

    #[test]
    fn the_widest_numbers_find_room_where_the_message_was() {
        for timestamp in [i64::MIN, i64::MAX] {
            let inside: Vec<u8> = [0, 0x7fff_ffff, 1]
                .iter()
                .flat_map(|offset| message(*offset, 1, 0, timestamp, &value(b"")))
                .collect();
            let read = read(wrapper(9, 1, 0, 0, &inside), &Limits::default()).unwrap();
            let expected = [8, 8 + 0x7fff_ffff, 9].map(|offset| (offset, timestamp, Vec::new()));
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_wrapper_inside_a_wrapper_is_rejected() {
        for magic in [0, 1] {
            let inner = wrapper(0, magic, 0, 0, &message(0, magic, 0, 0, &value(b"deep")));
            let error = read(wrapper(0, magic, 0, 0, &inner), &Limits::default()).unwrap_err();
            assert_eq!(field_of(error), "attributes");
        }
    }

    #[test]
    fn what_kafkas_reader_rejects_is_rejected() {
        let limits = Limits::default();
        let empty = read(wrapper(3, 1, 0, 0, b""), &limits).unwrap_err();
        assert_eq!(field_of(empty), "value");
        let newer = read(
            wrapper(3, 1, 0, 0, &message(0, 2, 0, 0, &value(b""))),
            &limits,
        );
        assert_eq!(field_of(newer.unwrap_err()), "magic");
        let zstd = message(3, 1, Compression::Zstd.id(), 0, &value(b"x"));
        assert!(matches!(
            read(zstd, &limits),
            Err(BatchError::Decompression { codec: "zstd", .. })
        ));
        let null = message(3, 1, Compression::Gzip.id(), 0, &[0xff; 8]);
        assert_eq!(field_of(read(null, &limits).unwrap_err()), "value");
        for (parts, field) in [
            (&[0xff, 0xff, 0xff, 0xfe][..], "key"),
            (&[0, 0, 0, 5, b'k'], "key"),
            (&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1], "value"),
            (&[0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0], "value"),
        ] {
            // Long enough for a message that has no timestamp.
            let wire = message(3, 0, 0, 0, &[parts, &[][..]].concat());
            if wire.len() >= LOG_OVERHEAD + MESSAGE_BYTES_MIN {
                assert_eq!(field_of(read(wire, &limits).unwrap_err()), field);
            }
        }
        let far = [0, 1 << 40].map(|offset| message(offset, 0, 0, 0, &value(b"")));
        assert_eq!(
            field_of(read(wrapper(3, 0, 0, 0, &far.concat()), &limits).unwrap_err()),
            "offset"
        );
    }

    #[test]
    fn a_message_that_is_cut_off_inside_a_wrapper_ends_the_set_as_in_kafkas_reader() {
        let whole = message(0, 1, 0, 1, &value(b"whole"));
        for cut in 0..whole.len() {
            let inside = [&whole[..], &whole[..cut]].concat();
            let read = read(wrapper(6, 1, 0, 0, &inside), &Limits::default()).unwrap();
            assert_eq!(read, [(6, 1, b"whole".to_vec())]);
        }
    }

    #[test]
    fn the_limits_hold_for_old_message_sets_too() {
        let inside = message(0, 1, 0, 0, &value(b"")).repeat(100);
        let wire = wrapper(99, 1, 0, 0, &inside);
        let limits = Limits {
            records_per_batch: 99,
            ..Limits::default()
        };
        let error = read(wire.clone(), &limits).unwrap_err();
        assert!(matches!(
            error,
            BatchError::Limit {
                limit: 99,
                unit: "records",
                ..
            }
        ));
        let limits = Limits {
            decompressed_bytes: inside.len() - 1,
            ..Limits::default()
        };
        let error = read(wire, &limits).unwrap_err();
        assert!(matches!(
            error,
            BatchError::Limit {
                unit: "decompressed bytes",
                ..
            }
        ));
    }

    #[test]
    fn a_flipped_bit_is_noticed_and_never_a_panic() {
        let inside = message(0, 1, 0, 5, &value(b"some")).repeat(3);
        for wire in [
            wrapper(2, 1, 0, 5, &inside),
            message(2, 0, 0, 0, &value(b"v")),
        ] {
            for bit in LOG_OVERHEAD * 8..wire.len() * 8 {
                let mut flipped = wire.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                // In another format by its magic the bytes may be too few for a batch.
                let Some(Ok(batch)) = Batches::new(flipped.into()).next() else {
                    continue;
                };
                batch.check_crc().unwrap_err();
                if let Ok(records) = batch.records(&Limits::default()) {
                    records.iter().for_each(drop);
                }
            }
        }
    }
}
