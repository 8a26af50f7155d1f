//! An open batch: records are encoded once, straight into its buffer.

use super::attributes::Compression;
use super::closed::ClosedBatch;
use super::compression::Compressor;
use super::layout::{BATCH_HEADER_BYTES, LOG_OVERHEAD};
use super::varint::{put_varint, put_varlong, varint_size, varlong_size};
use crate::EncodeError;
use bytes::Bytes;

/// A header of a record to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderToWrite<'a> {
    /// The header's name. Names may repeat.
    pub key: &'a str,
    /// Its value; a header can be without.
    pub value: Option<&'a [u8]>,
}

/// A record to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordToWrite<'a> {
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// What the record is about; decides its partition and what compaction keeps.
    pub key: Option<&'a [u8]>,
    /// What it says; `None` deletes the key in a compacted topic.
    pub value: Option<&'a [u8]>,
    /// Headers, in order.
    pub headers: &'a [HeaderToWrite<'a>],
}

/// A batch that records are added to.
///
/// The 61 bytes of batch header are not in the buffer: they are made by [`ClosedBatch::header`], as often
/// as the producer has to be stamped anew, and leave in front of the records in one vectored write.
#[derive(Debug)]
pub struct BatchBuilder {
    records: Vec<u8>,
    record_count: u32,
    /// The first record's timestamp; the others are written as differences from it.
    base_timestamp: i64,
    /// -1 without records, as in an empty batch of Kafka's.
    max_timestamp: i64,
}

impl BatchBuilder {
    /// An empty batch that writes into `buffer`, which is cleared. Its capacity is kept, so buffers of
    /// sent batches ([`ClosedBatch::into_buffer`]) can be used again.
    #[must_use]
    pub fn new(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self {
            records: buffer,
            record_count: 0,
            base_timestamp: 0,
            max_timestamp: -1,
        }
    }

    /// Records so far.
    #[must_use]
    pub fn record_count(&self) -> u32 {
        self.record_count
    }

    /// Whether there is no record yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    /// Bytes of the whole batch, its 61 bytes of header included, before compression.
    #[must_use]
    pub fn size(&self) -> usize {
        BATCH_HEADER_BYTES + self.records.len()
    }

    /// Bytes that the whole batch would have, before compression, with this record added.
    #[must_use]
    pub fn size_with(&self, record: &RecordToWrite<'_>) -> usize {
        let body = self.place(record).body_size(record);
        self.size().saturating_add(framed_size(body))
    }

    /// Adds a record and returns its place in the batch, from zero.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] if a length does not fit its field; [`EncodeError::BatchFull`] if the batch
    /// would become longer than 2 GiB. The batch is then as it was.
    #[inline]
    pub fn append(&mut self, record: &RecordToWrite<'_>) -> Result<u32, EncodeError> {
        match self.try_append(record, usize::MAX)? {
            Some(index) => Ok(index),
            None => Err(self.full()),
        }
    }

    /// Adds a record if the whole batch then has at most `size_max` bytes before compression; `None` if it
    /// would have more. An empty batch takes its first record whatever its size, so that no record is too
    /// large for every batch: a producer's limit for single records is to be checked before.
    ///
    /// # Errors
    /// As [`BatchBuilder::append`].
    #[inline]
    pub fn try_append(
        &mut self,
        record: &RecordToWrite<'_>,
        size_max: usize,
    ) -> Result<Option<u32>, EncodeError> {
        let place = self.place(record);
        let body = place.body_size(record);
        let framed = framed_size(body);
        let size = self.size().saturating_add(framed);
        if size > size_max && !self.is_empty() {
            return Ok(None);
        }
        if size > BATCH_BYTES_MAX || place.offset_delta == i32::MAX {
            return Err(self.refusal(body));
        }
        let Ok(body) = i32::try_from(body) else {
            return Err(self.refusal(body));
        };
        self.records.reserve(framed);
        place.put(&mut self.records, record, body);

        let index = self.record_count;
        if index == 0 {
            self.base_timestamp = record.timestamp;
            self.max_timestamp = record.timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.record_count += 1;
        Ok(Some(index))
    }

    /// Closes the batch: compresses its records, if asked to.
    ///
    /// # Errors
    /// [`EncodeError::Compression`].
    pub fn close(self, compressor: impl Into<Compressor>) -> Result<ClosedBatch, EncodeError> {
        let compressor = compressor.into();
        if compressor.compression() == Compression::None {
            return Ok(self.into_closed(compressor));
        }
        self.close_into(compressor, Vec::new())
            .map(|(closed, _)| closed)
    }

    /// Closes the batch as [`BatchBuilder::close`], compressing into `output`, and returns the buffer that
    /// is not needed any more: the one of the uncompressed records, or `output` if there is no compression.
    ///
    /// # Errors
    /// [`EncodeError::Compression`].
    pub fn close_into(
        mut self,
        compressor: impl Into<Compressor>,
        mut output: Vec<u8>,
    ) -> Result<(ClosedBatch, Vec<u8>), EncodeError> {
        let compressor = compressor.into();
        output.clear();
        if compressor.compression() == Compression::None {
            return Ok((self.into_closed(compressor), output));
        }
        compressor.compress(&self.records, &mut output)?;
        let plain = std::mem::replace(&mut self.records, output);
        Ok((self.into_closed(compressor), plain))
    }

    fn into_closed(self, compressor: Compressor) -> ClosedBatch {
        ClosedBatch {
            body: Bytes::from(self.records),
            compressor,
            record_count: self.record_count,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
        }
    }

    /// Where the next record goes relative to the batch's first.
    #[inline]
    fn place(&self, record: &RecordToWrite<'_>) -> Place {
        let base = if self.is_empty() {
            record.timestamp
        } else {
            self.base_timestamp
        };
        Place {
            // Wrapping, as readers add it back wrapping.
            timestamp_delta: record.timestamp.wrapping_sub(base),
            offset_delta: i32::try_from(self.record_count).unwrap_or(i32::MAX),
        }
    }

    #[cold]
    fn refusal(&self, body: usize) -> EncodeError {
        if body > BATCH_BYTES_MAX - BATCH_HEADER_BYTES {
            let limit = BATCH_BYTES_MAX - BATCH_HEADER_BYTES;
            return EncodeError::TooLong {
                field: "record",
                length: body,
                limit,
            };
        }
        self.full()
    }

    #[cold]
    fn full(&self) -> EncodeError {
        EncodeError::BatchFull {
            records: self.record_count,
            bytes: self.size(),
        }
    }
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

/// The length field is an `i32` and does not count itself and the base offset.
const BATCH_BYTES_MAX: usize = (i32::MAX.cast_unsigned() as usize) + LOG_OVERHEAD;

struct Place {
    timestamp_delta: i64,
    offset_delta: i32,
}

impl Place {
    /// Bytes of the record after its length. Too large to be true rather than wrong if a length does not
    /// fit an `i32`.
    #[inline]
    fn body_size(&self, record: &RecordToWrite<'_>) -> usize {
        let mut size = 1_usize // the record's own attributes, always 0
            + varlong_size(self.timestamp_delta)
            + varint_size(self.offset_delta);
        size = size.saturating_add(nullable_size(record.key));
        size = size.saturating_add(nullable_size(record.value));
        size = size.saturating_add(length_size(record.headers.len()));
        for header in record.headers {
            size = size.saturating_add(nullable_size(Some(header.key.as_bytes())));
            size = size.saturating_add(nullable_size(header.value));
        }
        size
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>, record: &RecordToWrite<'_>, body: i32) {
        put_varint(out, body);
        out.push(0);
        put_varlong(out, self.timestamp_delta);
        put_varint(out, self.offset_delta);
        put_nullable(out, record.key);
        put_nullable(out, record.value);
        put_length(out, record.headers.len());
        for header in record.headers {
            put_nullable(out, Some(header.key.as_bytes()));
            put_nullable(out, header.value);
        }
    }
}

#[inline]
fn framed_size(body: usize) -> usize {
    body.saturating_add(length_size(body))
}

#[inline]
fn length_size(length: usize) -> usize {
    i32::try_from(length).map_or(usize::MAX, varint_size)
}

#[inline]
fn nullable_size(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| {
        bytes.len().saturating_add(length_size(bytes.len()))
    })
}

/// Only for lengths that [`Place::body_size`] has seen, which are within an `i32`.
#[inline]
fn put_length(out: &mut Vec<u8>, length: usize) {
    put_varint(out, i32::try_from(length).unwrap_or(i32::MAX));
}

#[inline]
fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_length(out, bytes.len());
            out.extend_from_slice(bytes);
        }
    }
}
