//! The records of one batch, as views.

use super::attributes::Compression;
use super::compression::decompress;
use super::error::BatchError;
use super::varint::{Taken, take_length, take_varint, take_varlong};
use crate::{Limits, Sequence};
use bytes::Bytes;

/// The smallest record: its length, then attributes, two differences, no key, no value, no headers.
const RECORD_BYTES_MIN: usize = 7;
/// The smallest header: an empty key and no value.
const HEADER_BYTES_MIN: usize = 2;

/// The uncompressed records of one batch; clones share them.
#[derive(Clone, Debug)]
pub struct Records {
    bytes: Bytes,
    count: u32,
    context: RecordContext,
    headers_max: usize,
}

/// What a record's own numbers are relative to.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordContext {
    pub(super) base_offset: i64,
    pub(super) base_timestamp: i64,
    /// If set, every record's timestamp.
    pub(super) log_append_time: Option<i64>,
    pub(super) base_sequence: Sequence,
}

/// A record in a batch: a view into its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its place in the partition.
    pub offset: i64,
    /// Milliseconds since the epoch: the producer's, or the time of append if the topic says so.
    pub timestamp: i64,
    /// Its number for its producer; [`Sequence::NONE`] without idempotence.
    pub sequence: Sequence,
    /// What the record is about.
    pub key: Option<&'a [u8]>,
    /// What it says.
    pub value: Option<&'a [u8]>,
    /// Already walked once: [`Headers`] cannot fail.
    headers: Headers<'a>,
}

/// A record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name: UTF-8 if its writer kept to the protocol.
    pub key: &'a [u8],
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// The headers of a record, in order, duplicates included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    left: &'a [u8],
    count: usize,
}

/// Goes through the records of a batch. After an error nothing more comes.
#[derive(Clone, Debug)]
pub struct RecordIter<'a> {
    left: &'a [u8],
    index: u32,
    count: u32,
    context: RecordContext,
    headers_max: usize,
}

impl Records {
    pub(super) fn open(
        body: Bytes,
        compression: Compression,
        declared: i32,
        context: RecordContext,
        limits: &Limits,
        buffer: Vec<u8>,
    ) -> Result<Self, BatchError> {
        let base_offset = context.base_offset;
        let mismatch = BatchError::Count {
            base_offset,
            declared,
        };
        let Ok(count) = u32::try_from(declared) else {
            return Err(mismatch);
        };
        let records_max = limits.records_per_batch;
        if usize::try_from(count).unwrap_or(usize::MAX) > records_max {
            return Err(BatchError::Limit {
                base_offset,
                limit: records_max,
                unit: "records",
            });
        }
        let bytes = match compression {
            Compression::None => body,
            // An emptied batch may keep the codec of the records it had.
            _ if body.is_empty() && count == 0 => body,
            codec @ (Compression::Gzip
            | Compression::Snappy
            | Compression::Lz4
            | Compression::Zstd) => {
                // Fewer bytes than the records need are known before most codecs inflate anything.
                let least = usize::try_from(count)
                    .unwrap_or(usize::MAX)
                    .saturating_mul(RECORD_BYTES_MIN);
                Bytes::from(decompress(
                    codec,
                    &body,
                    buffer,
                    limits,
                    base_offset,
                    least,
                )?)
            }
        };
        if !holds_exactly(&bytes, count) {
            return Err(mismatch);
        }
        Ok(Self {
            bytes,
            count,
            context,
            headers_max: limits.headers_per_record,
        })
    }

    /// Of records that this crate wrote itself, without headers.
    pub(super) fn rewritten(bytes: Bytes, count: u32, context: RecordContext) -> Self {
        Self {
            bytes,
            count,
            context,
            headers_max: 0,
        }
    }

    /// How many records there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Offset of the first record that the batch was written with; compaction may have removed it, but not from a
    /// message set of magic 0 or 1, where it is the first there is.
    #[must_use]
    pub fn base_offset(&self) -> i64 {
        self.context.base_offset
    }

    /// Whether there are none: compaction leaves empty batches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The bytes that the records are views into.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The records in order.
    #[must_use]
    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter {
            left: &self.bytes,
            index: 0,
            count: self.count,
            context: self.context,
            headers_max: self.headers_max,
        }
    }

    /// The records that `iter`, which comes from [`Records::iter`] of these, has not handed out yet. They
    /// share the bytes: a reader that stops in the middle of a batch can go on later without walking its
    /// beginning again.
    #[must_use]
    pub fn rest(&self, iter: &RecordIter<'_>) -> Self {
        let start = self.bytes.len().saturating_sub(iter.left.len());
        Self {
            bytes: self.bytes.slice(start..),
            count: iter.count.saturating_sub(iter.index),
            ..self.clone()
        }
    }

    /// The buffer that the records are in, to be used for another batch; `None` while something else
    /// holds on to it, as the response does to records that were not compressed.
    #[must_use]
    pub fn into_buffer(self) -> Option<Vec<u8>> {
        let mut buffer = Vec::from(self.bytes.try_into_mut().ok()?);
        buffer.clear();
        Some(buffer)
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = Result<Record<'a>, BatchError>;
    type IntoIter = RecordIter<'a>;

    fn into_iter(self) -> RecordIter<'a> {
        self.iter()
    }
}

/// Whether `bytes` are `count` records by their lengths, with nothing left.
fn holds_exactly(mut bytes: &[u8], count: u32) -> bool {
    if usize::try_from(count).unwrap_or(usize::MAX) > bytes.len() / RECORD_BYTES_MIN {
        return false;
    }
    for _ in 0..count {
        match take_record(bytes) {
            Some((_, rest)) => bytes = rest,
            None => return false,
        }
    }
    bytes.is_empty()
}

#[inline]
fn take_record(bytes: &[u8]) -> Taken<'_, &[u8]> {
    let (length, rest) = take_length(bytes)?;
    rest.split_at_checked(length?)
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, BatchError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.count {
            return None;
        }
        let parse = |(bytes, rest)| Some((parse(bytes, self.context, self.headers_max)?, rest));
        let Some((record, rest)) = take_record(self.left).and_then(parse) else {
            let malformed = find_malformed(self.left, self.headers_max);
            let error = malformed.into_error(self.context.base_offset, self.index);
            self.index = self.count;
            return Some(Err(error));
        };
        self.left = rest;
        self.index += 1;
        Some(Ok(record))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.count - self.index).unwrap_or(usize::MAX);
        (0, Some(left))
    }
}

impl std::iter::FusedIterator for RecordIter<'_> {}

// The functions below take what they need by value: an iterator whose address goes nowhere lives in
// registers, which saves a tenth of the time that a small record takes.

/// Reads a record without its length; `None` if it is malformed. Which field it is that cannot be read is
/// looked for only then: keeping track would cost every good record.
#[inline]
fn parse(record: &[u8], context: RecordContext, headers_max: usize) -> Option<Record<'_>> {
    // The record's own attributes: no bit of them means anything.
    let (_, rest) = record.split_first()?;
    let (timestamp_delta, rest) = take_varlong(rest)?;
    let (offset_delta, rest) = take_varint(rest)?;
    let (key, rest) = take_nullable(rest)?;
    let (value, rest) = take_nullable(rest)?;
    let (header_count, rest) = take_length(rest)?;
    let headers = Headers {
        left: rest,
        count: header_count?,
    };
    if !rest.is_empty() || headers.count != 0 {
        check_headers(headers, headers_max).ok()?;
    }
    Some(Record {
        offset: context.base_offset.wrapping_add(offset_delta.into()),
        timestamp: match context.log_append_time {
            Some(appended) => appended,
            None => context.base_timestamp.wrapping_add(timestamp_delta),
        },
        sequence: context.base_sequence.advance(offset_delta.cast_unsigned()),
        key,
        value,
        headers,
    })
}

/// Walks the headers once, so that a record with a broken one is rejected as a whole.
fn check_headers(headers: Headers<'_>, headers_max: usize) -> Result<(), Malformed> {
    if headers.count > headers_max {
        return Err(Malformed::TooManyHeaders { limit: headers_max });
    }
    if headers.count > headers.left.len() / HEADER_BYTES_MIN {
        return Err(Malformed::Field("header count"));
    }
    let mut left = headers.left;
    for _ in 0..headers.count {
        (_, left) = take_header(left).ok_or(Malformed::Field("header"))?;
    }
    if left.is_empty() {
        Ok(())
    } else {
        Err(Malformed::Field("length"))
    }
}

/// What is wrong with a record.
enum Malformed {
    Field(&'static str),
    TooManyHeaders { limit: usize },
}

/// Reads the next record as [`parse`] does, to name what is wrong with it.
#[cold]
fn find_malformed(bytes: &[u8], headers_max: usize) -> Malformed {
    let check = || {
        let (record, _) = take_record(bytes).ok_or("length")?;
        let (_, rest) = record.split_first().ok_or("attributes")?;
        let (_, rest) = take_varlong(rest).ok_or("timestamp delta")?;
        let (_, rest) = take_varint(rest).ok_or("offset delta")?;
        let (_, rest) = take_nullable(rest).ok_or("key")?;
        let (_, rest) = take_nullable(rest).ok_or("value")?;
        let (count, rest) = take_length(rest).ok_or("header count")?;
        Ok(Headers {
            left: rest,
            count: count.ok_or("header count")?,
        })
    };
    match check().map(|headers| check_headers(headers, headers_max)) {
        Err(field) => Malformed::Field(field),
        Ok(Err(malformed)) => malformed,
        // Cannot be: this is the same reading as the one that failed.
        Ok(Ok(())) => Malformed::Field("record"),
    }
}

impl Malformed {
    fn into_error(self, base_offset: i64, index: u32) -> BatchError {
        match self {
            Self::Field(field) => BatchError::Record {
                base_offset,
                index,
                field,
            },
            Self::TooManyHeaders { limit } => BatchError::Limit {
                base_offset,
                limit,
                unit: "headers on a record",
            },
        }
    }
}

impl<'a> Record<'a> {
    /// The record's headers.
    #[must_use]
    pub fn headers(&self) -> Headers<'a> {
        self.headers
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    #[inline]
    fn next(&mut self) -> Option<Header<'a>> {
        self.count = self.count.checked_sub(1)?;
        let (header, rest) = take_header(self.left)?;
        self.left = rest;
        Some(header)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for Headers<'_> {}
impl std::iter::FusedIterator for Headers<'_> {}

#[inline]
fn take_header(bytes: &[u8]) -> Taken<'_, Header<'_>> {
    let (key, rest) = take_nullable(bytes)?;
    let (value, rest) = take_nullable(rest)?;
    Some((Header { key: key?, value }, rest))
}

/// Bytes behind their length, -1 for null. Java takes any negative length for a null; no writer makes one below -1.
#[inline]
fn take_nullable(bytes: &[u8]) -> Taken<'_, Option<&[u8]>> {
    let (length, rest) = take_length(bytes)?;
    let Some(length) = length else {
        return Some((None, rest));
    };
    let (taken, rest) = rest.split_at_checked(length)?;
    Some((Some(taken), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BATCH_HEADER_BYTES, set_log_append_time, set_log_position};
    use crate::{Batch, BatchBuilder, BatchStamp, Batches, HeaderToWrite, RecordToWrite};

    const HEADERS: [HeaderToWrite<'_>; 3] = [
        HeaderToWrite {
            key: "same",
            value: Some(b"1"),
        },
        HeaderToWrite {
            key: "same",
            value: None,
        },
        HeaderToWrite {
            key: "",
            value: Some(b""),
        },
    ];
    const FIRST: RecordToWrite<'_> = RecordToWrite {
        timestamp: 5_000,
        key: None,
        value: None,
        headers: &HEADERS,
    };
    const SECOND: RecordToWrite<'_> = RecordToWrite {
        timestamp: -1,
        key: Some(b""),
        value: Some(b"value"),
        headers: &[],
    };

    fn wire() -> Vec<u8> {
        let mut builder = BatchBuilder::default();
        assert_eq!(builder.append(&FIRST).unwrap(), 0);
        let size = builder.size_with(&SECOND);
        assert_eq!(builder.append(&SECOND).unwrap(), 1);
        assert_eq!(builder.size(), size);
        builder
            .close(Compression::None)
            .unwrap()
            .to_vec(&BatchStamp::NONE)
    }

    fn batch(wire: Vec<u8>) -> Batch {
        Batches::new(wire.into()).next().unwrap().unwrap()
    }

    fn limits() -> Limits {
        Limits::default()
    }

    #[test]
    fn records_are_read_as_written() {
        let mut wire = wire();
        set_log_position(&mut wire, 100, 7).unwrap();
        let batch = batch(wire);
        batch.check_crc().unwrap();
        assert_eq!((batch.base_offset(), batch.next_offset()), (100, 102));
        assert_eq!(batch.partition_leader_epoch(), 7);
        let records = batch.records(&limits()).unwrap();
        let read: Vec<_> = records.iter().map(Result::unwrap).collect();
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].offset, read[0].timestamp), (100, 5_000));
        assert_eq!((read[0].key, read[0].value), (None, None));
        let headers: Vec<_> = read[0].headers().map(|h| (h.key, h.value)).collect();
        let expected: [(&[u8], Option<&[u8]>); 3] =
            [(b"same", Some(b"1")), (b"same", None), (b"", Some(b""))];
        assert_eq!(headers, expected);
        assert_eq!((read[1].offset, read[1].timestamp), (101, -1));
        assert_eq!(
            (read[1].key, read[1].value),
            (Some(&b""[..]), Some(&b"value"[..]))
        );
        assert_eq!(read[1].sequence, Sequence::NONE);
    }

    #[test]
    fn log_append_time_overrides_the_producers_timestamps() {
        let mut wire = wire();
        set_log_append_time(&mut wire, 777).unwrap();
        let batch = batch(wire);
        batch.check_crc().unwrap();
        let records = batch.records(&limits()).unwrap();
        assert!(
            records
                .iter()
                .all(|record| record.unwrap().timestamp == 777)
        );
    }

    #[test]
    fn a_count_that_lies_is_rejected_before_a_record_is_handed_out() {
        for declared in [-1_i32, 0, 1, 3, i32::MAX] {
            let mut wire = wire();
            wire[57..61].copy_from_slice(&declared.to_be_bytes());
            let error = batch(wire).records(&limits()).unwrap_err();
            let count = BatchError::Count {
                base_offset: 0,
                declared,
            };
            let limit = BatchError::Limit {
                base_offset: 0,
                limit: 10_000_000,
                unit: "records",
            };
            assert_eq!(error, if declared == i32::MAX { limit } else { count });
        }
    }

    #[test]
    fn any_flipped_bit_fails_the_crc_or_a_length() {
        let wire = wire();
        for at in 17..wire.len() {
            for bit in 0..8 {
                let mut flipped = wire.clone();
                flipped[at] ^= 1 << bit;
                let batch = batch(flipped);
                batch.check_crc().unwrap_err();
                // Whatever it says now, reading it does not panic.
                if let Ok(records) = batch.records(&limits()) {
                    records.iter().for_each(|record| {
                        if let Ok(record) = record {
                            record.headers().for_each(drop);
                        }
                    });
                }
            }
        }
    }

    #[test]
    fn the_rest_goes_on_where_the_iterator_stopped() {
        let batch = batch(wire());
        let records = batch.records(&limits()).unwrap();
        let all: Vec<_> = records.iter().collect();
        let mut iter = records.iter();
        for taken in 0..=all.len() {
            let rest = records.rest(&iter);
            assert_eq!(rest.iter().collect::<Vec<_>>(), all[taken..]);
            assert_eq!(usize::try_from(rest.count()).unwrap(), all.len() - taken);
            iter.next();
        }
    }

    #[test]
    fn a_record_with_a_lie_inside_is_an_error_and_the_last_item() {
        let mut wire = wire();
        // The second record ends in: value's length, "value", header count.
        let value_length = wire.len() - 7;
        assert_eq!(wire[value_length], 5 * 2);
        wire[value_length] = 7 * 2;
        let batch = batch(wire);
        let records = batch.records(&limits()).unwrap();
        let items: Vec<_> = records.iter().collect();
        assert!(items[0].is_ok() && items[1].is_err());
        assert_eq!(items.len(), 2);
    }

    #[test]
    fn a_length_below_minus_one_is_rejected() {
        let mut wire = wire();
        let value_length = wire.len() - 7;
        // Zigzag: 9 is -5.
        wire[value_length] = 9;
        let batch = batch(wire);
        let records = batch.records(&limits()).unwrap();
        let items: Vec<_> = records.iter().collect();
        let expected = Err(BatchError::Record {
            base_offset: batch.base_offset(),
            index: 1,
            field: "value",
        });
        assert_eq!(items[1], expected);
    }

    #[test]
    fn more_headers_than_the_limit_are_rejected() {
        let limits = Limits {
            headers_per_record: 2,
            ..limits()
        };
        let batch = batch(wire());
        let records = batch.records(&limits).unwrap();
        let error = records.iter().next().unwrap().unwrap_err();
        assert!(matches!(error, BatchError::Limit { limit: 2, .. }));
    }

    #[test]
    fn a_header_count_beyond_the_bytes_is_rejected() {
        let record: &[u8] = &[0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f];
        let mut wire = wire();
        wire.truncate(BATCH_HEADER_BYTES);
        wire.push(u8::try_from(record.len() * 2).unwrap());
        wire.extend_from_slice(record);
        let length = i32::try_from(wire.len() - 12).unwrap();
        wire[8..12].copy_from_slice(&length.to_be_bytes());
        wire[57..61].copy_from_slice(&1_i32.to_be_bytes());
        let limits = Limits {
            headers_per_record: usize::MAX,
            ..limits()
        };
        let batch = batch(wire);
        let records = batch.records(&limits).unwrap();
        let error = records.iter().next().unwrap().unwrap_err();
        assert!(
            matches!(
                error,
                BatchError::Record {
                    field: "header count",
                    ..
                }
            ),
            "{error}"
        );
    }
}
