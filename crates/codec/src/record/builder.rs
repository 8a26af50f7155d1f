//! An open batch: records are encoded once, straight into its buffer.

use super::attributes::Compression;
use super::closed::ClosedBatch;
use super::compression::Compressor;
use super::encode::{Place, exact_size, least_size, put_record};
use super::layout::{BATCH_HEADER_BYTES, LOG_OVERHEAD};
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
    /// The records, then bytes that mean nothing: writing into a slice is faster than appending to a Vec,
    /// and a buffer that is used again need not be cleared again.
    buffer: Vec<u8>,
    /// Bytes of records at the front of the buffer.
    written: usize,
    record_count: u32,
    /// The first record's timestamp; the others are written as differences from it.
    base_timestamp: i64,
    /// -1 without records, as in an empty batch of Kafka's.
    max_timestamp: i64,
}

impl BatchBuilder {
    /// An empty batch that writes over `buffer`: the buffers of sent batches
    /// ([`ClosedBatch::into_buffer`]) can be used again.
    #[must_use]
    pub fn new(buffer: Vec<u8>) -> Self {
        Self {
            buffer,
            written: 0,
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
        BATCH_HEADER_BYTES + self.written
    }

    /// Bytes that the whole batch would have, before compression, with this record added.
    #[must_use]
    pub fn size_with(&self, record: &RecordToWrite<'_>) -> usize {
        self.size()
            .saturating_add(exact_size(record, self.place(record)))
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
        let least = least_size(record);
        if !self.is_empty() && self.size().saturating_add(least) > size_max {
            return Ok(None);
        }
        let place = self.place(record);
        let space = self.buffer.get_mut(self.written..).unwrap_or_default();
        let Some(size) = put_record(space, record, place, least) else {
            return self.grow_and_append(record, size_max);
        };
        // Only now is the size known. A record that is too much is not counted, so it was never there.
        if !self.is_empty() && self.size() + size > size_max {
            return Ok(None);
        }
        if self.size() + size > BATCH_BYTES_MAX {
            return Err(self.too_large(size));
        }
        self.written += size;

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
        self.buffer.truncate(self.written);
        compressor.compress(&self.buffer, &mut output)?;
        self.written = output.len();
        let plain = std::mem::replace(&mut self.buffer, output);
        Ok((self.into_closed(compressor), plain))
    }

    fn into_closed(mut self, compressor: Compressor) -> ClosedBatch {
        self.buffer.truncate(self.written);
        ClosedBatch {
            body: Bytes::from(self.buffer),
            compressor,
            record_count: self.record_count,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
        }
    }

    /// Makes room for the record and tries again.
    #[cold]
    fn grow_and_append(
        &mut self,
        record: &RecordToWrite<'_>,
        size_max: usize,
    ) -> Result<Option<u32>, EncodeError> {
        let size = exact_size(record, self.place(record));
        let grown = self.size().saturating_add(size);
        if !self.is_empty() && grown > size_max {
            return Ok(None);
        }
        if grown > BATCH_BYTES_MAX {
            return Err(self.too_large(size));
        }
        // As Vec grows, but into the whole capacity. One byte more than its size is free when a record's
        // length is moved into place.
        let needed = self.written + size + 1;
        self.buffer
            .reserve(needed.saturating_sub(self.buffer.len()));
        self.buffer.resize(self.buffer.capacity(), 0);
        self.try_append(record, size_max)
    }

    /// Where the next record goes relative to the first.
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
            offset_delta: self.record_count,
        }
    }

    #[cold]
    fn too_large(&self, record_bytes: usize) -> EncodeError {
        let limit = BATCH_BYTES_MAX - BATCH_HEADER_BYTES;
        if record_bytes > limit {
            return EncodeError::TooLong {
                field: "record",
                length: record_bytes,
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
