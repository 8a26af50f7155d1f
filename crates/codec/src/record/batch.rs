//! One record batch: its header for nothing, its records on request.

use super::attributes::{Attributes, Compression, TimestampType};
use super::control::ControlRecord;
use super::crc::{crc32, crc32c};
use super::error::BatchError;
use super::layout::{
    ATTRIBUTES, BASE_OFFSET, BASE_SEQUENCE, BASE_TIMESTAMP, BATCH_HEADER_BYTES, CRC,
    LAST_OFFSET_DELTA, MAGIC_AT, MAX_TIMESTAMP, PARTITION_LEADER_EPOCH, PRODUCER_EPOCH,
    PRODUCER_ID, RECORD_COUNT, field,
};
use super::legacy;
use super::records::{RecordContext, Records};
use crate::{Limits, ProducerEpoch, ProducerId, ProducerIdentity, Sequence};
use bytes::Bytes;

/// A whole record batch; clones share its bytes.
///
/// The accessors read the header, which nothing has checked: call [`Batch::check_crc`] before believing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// At least a header.
    bytes: Bytes,
}

impl Batch {
    /// Only for bytes that [`Batches`](super::Batches) has measured.
    pub(super) fn from_whole(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// The batch as it travels.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Bytes of the batch, its header included.
    #[must_use]
    pub fn wire_size(&self) -> usize {
        self.bytes.len()
    }

    /// The format: 2, or 0 or 1 for a message set of before Kafka 0.11.
    ///
    /// Those are shown as batches without a producer and without a transaction: one for each message that stands
    /// alone, and one for each compressed set of messages, of which only the last offset is known before its
    /// [`records`](Self::records) are read. In magic 0 every timestamp is -1.
    #[must_use]
    pub fn magic(&self) -> i8 {
        i8::from_be_bytes(self.field(MAGIC_AT))
    }

    /// Offset of the first record that the batch was written with; compaction may have removed it. Of a compressed set
    /// of magic 0 or 1 it is that of the last.
    #[must_use]
    pub fn base_offset(&self) -> i64 {
        i64::from_be_bytes(self.field(BASE_OFFSET))
    }

    /// Offset of the last record that the batch was written with; compaction may have removed it.
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.base_offset()
            .saturating_add(self.last_offset_delta().into())
    }

    /// Offset from which to read on after this batch.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// How far the last offset is from the base offset.
    #[must_use]
    pub fn last_offset_delta(&self) -> i32 {
        if self.is_legacy() {
            return 0;
        }
        i32::from_be_bytes(self.field(LAST_OFFSET_DELTA))
    }

    /// Epoch of the leader that appended the batch; -1 in a batch from a producer, and in magic 0 and 1.
    #[must_use]
    pub fn partition_leader_epoch(&self) -> i32 {
        if self.is_legacy() {
            return -1;
        }
        i32::from_be_bytes(self.field(PARTITION_LEADER_EPOCH))
    }

    /// What the records' timestamps are differences from, in milliseconds since the epoch: the first
    /// record's timestamp, or the delete horizon if there is one.
    #[must_use]
    pub fn base_timestamp(&self) -> i64 {
        if self.is_legacy() {
            return legacy::timestamp(&self.bytes);
        }
        i64::from_be_bytes(self.field(BASE_TIMESTAMP))
    }

    /// The highest timestamp in the batch, or the time of its append, in milliseconds since the epoch.
    #[must_use]
    pub fn max_timestamp(&self) -> i64 {
        if self.is_legacy() {
            return legacy::timestamp(&self.bytes);
        }
        i64::from_be_bytes(self.field(MAX_TIMESTAMP))
    }

    /// Where the timestamps come from.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        self.attributes().timestamp_type()
    }

    /// When compaction may remove the batch's tombstones and markers, in milliseconds since the epoch;
    /// `None` before compaction has seen them.
    #[must_use]
    pub fn delete_horizon(&self) -> Option<i64> {
        self.attributes()
            .has_delete_horizon()
            .then(|| self.base_timestamp())
    }

    /// Who wrote the batch; [`ProducerIdentity::NONE`] without idempotence.
    #[must_use]
    pub fn producer(&self) -> ProducerIdentity {
        if self.is_legacy() {
            return ProducerIdentity::NONE;
        }
        ProducerIdentity {
            producer_id: ProducerId(i64::from_be_bytes(self.field(PRODUCER_ID))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(self.field(PRODUCER_EPOCH))),
        }
    }

    /// Sequence of the first record; [`Sequence::NONE`] without idempotence.
    #[must_use]
    pub fn base_sequence(&self) -> Sequence {
        if self.is_legacy() {
            return Sequence::NONE;
        }
        Sequence(i32::from_be_bytes(self.field(BASE_SEQUENCE)))
    }

    /// Sequence of the last record that the batch was written with, wrapping (P-22);
    /// [`Sequence::NONE`] without idempotence.
    #[must_use]
    pub fn last_sequence(&self) -> Sequence {
        self.base_sequence()
            .advance(self.last_offset_delta().cast_unsigned())
    }

    /// How many records the header says that there are. Nothing has checked it; [`Batch::records`] does. -1 for a
    /// compressed set of magic 0 or 1, which does not say.
    #[must_use]
    pub fn record_count(&self) -> i32 {
        if self.is_legacy() {
            let alone = self.attributes().compression_id() == 0;
            return if alone { 1 } else { -1 };
        }
        i32::from_be_bytes(self.field(RECORD_COUNT))
    }

    /// How the records are compressed.
    ///
    /// # Errors
    /// [`BatchError::Compression`] for a codec that Kafka does not define.
    pub fn compression(&self) -> Result<Compression, BatchError> {
        let id = self.attributes().compression_id();
        Compression::from_id(id).ok_or_else(|| BatchError::Compression {
            base_offset: self.base_offset(),
            id,
        })
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes().is_transactional()
    }

    /// Whether the batch holds a control record, which no reader is shown.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes().is_control()
    }

    /// The checksum in the header.
    #[must_use]
    pub fn crc(&self) -> u32 {
        let at = if self.is_legacy() { legacy::CRC } else { CRC };
        u32::from_be_bytes(self.field(at))
    }

    /// Compares the checksum in the header with that of the bytes, all of which it reads.
    ///
    /// # Errors
    /// [`BatchError::Crc`].
    pub fn check_crc(&self) -> Result<(), BatchError> {
        let computed = if self.is_legacy() {
            crc32(self.bytes.get(MAGIC_AT..).unwrap_or_default())
        } else {
            crc32c([self.bytes.get(ATTRIBUTES..).unwrap_or_default()])
        };
        let stored = self.crc();
        if stored != computed {
            let base_offset = self.base_offset();
            return Err(BatchError::Crc {
                base_offset,
                stored,
                computed,
            });
        }
        Ok(())
    }

    /// The records, decompressed if need be.
    ///
    /// No record is handed out unless the declared count fits the bytes exactly (L-27).
    ///
    /// # Errors
    /// [`BatchError::Count`], [`BatchError::Limit`], and for compressed batches
    /// [`BatchError::Compression`] and [`BatchError::Decompression`].
    pub fn records(&self, limits: &Limits) -> Result<Records, BatchError> {
        self.records_into(limits, Vec::new())
    }

    /// The records as from [`Batch::records`], decompressed into `buffer`, whose contents are cleared and
    /// whose capacity is used. [`Records::into_buffer`] gives it back.
    ///
    /// # Errors
    /// As [`Batch::records`].
    pub fn records_into(&self, limits: &Limits, buffer: Vec<u8>) -> Result<Records, BatchError> {
        if self.is_legacy() {
            return legacy::open(&self.bytes, self.compression()?, limits, buffer);
        }
        let log_append_time = match self.timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(self.max_timestamp()),
        };
        let context = RecordContext {
            base_offset: self.base_offset(),
            base_timestamp: self.base_timestamp(),
            log_append_time,
            base_sequence: self.base_sequence(),
        };
        let body = self.bytes.slice(BATCH_HEADER_BYTES.min(self.bytes.len())..);
        Records::open(
            body,
            self.compression()?,
            self.record_count(),
            context,
            limits,
            buffer,
        )
    }

    /// The control record of a control batch. `None` for a batch that is none, and for an empty one:
    /// compaction leaves those, and they mark nothing.
    ///
    /// # Errors
    /// As [`Batch::records`], and [`BatchError::Control`] for a key or value that cannot be read.
    pub fn control(&self) -> Result<Option<ControlRecord>, BatchError> {
        if !self.is_control() || self.record_count() == 0 {
            return Ok(None);
        }
        let records = self.records(&Limits::default())?;
        match records.iter().next() {
            None => Ok(None),
            Some(record) => ControlRecord::read(&record?, self.base_offset()).map(Some),
        }
    }

    fn attributes(&self) -> Attributes {
        if self.is_legacy() {
            return legacy::attributes(&self.bytes);
        }
        Attributes(i16::from_be_bytes(self.field(ATTRIBUTES)))
    }

    #[inline]
    fn is_legacy(&self) -> bool {
        legacy::is_legacy(self.magic())
    }

    #[inline]
    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        field(&self.bytes, at)
    }
}
