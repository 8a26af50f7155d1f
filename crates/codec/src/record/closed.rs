//! A batch whose records are final and whose place in the producer's sequence is not.

use super::attributes::{Attributes, Compression};
use super::builder::{BatchBuilder, HeaderToWrite, RecordToWrite};
use super::compression::Compressor;
use super::error::BatchError;
use super::layout::{BATCH_HEADER_BYTES, HeaderFields, LOG_OVERHEAD};
use super::records::{RecordContext, Records};
use crate::{EncodeError, Limits, ProducerIdentity, Sequence};
use bytes::Bytes;

/// Who writes a batch, and from which sequence on; fixed when it is drained (P-20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchStamp {
    /// The producer; [`ProducerIdentity::NONE`] without idempotence.
    pub producer: ProducerIdentity,
    /// The first record's sequence; [`Sequence::NONE`] without idempotence.
    pub base_sequence: Sequence,
    /// Whether the batch belongs to a transaction.
    pub transactional: bool,
}

impl BatchStamp {
    /// The stamp of a producer without idempotence (P-3).
    pub const NONE: Self = Self {
        producer: ProducerIdentity::NONE,
        base_sequence: Sequence::NONE,
        transactional: false,
    };
}

/// A closed batch: its records, compressed, and what its header needs to know of them. Clones share the
/// records.
#[derive(Clone, Debug)]
pub struct ClosedBatch {
    pub(super) body: Bytes,
    pub(super) compressor: Compressor,
    pub(super) record_count: u32,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
}

impl ClosedBatch {
    /// Records in the batch.
    #[must_use]
    pub fn record_count(&self) -> u32 {
        self.record_count
    }

    /// Bytes of the batch on the wire, its 61 bytes of header included.
    #[must_use]
    pub fn wire_size(&self) -> usize {
        BATCH_HEADER_BYTES + self.body.len()
    }

    /// The highest timestamp of its records, in milliseconds since the epoch; -1 without records.
    #[must_use]
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// How the records are compressed.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.compressor.compression()
    }

    /// The records as they travel, behind the header.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The 61 bytes in front of the records: base offset 0, no leader epoch, this producer, and the CRC
    /// over all of it, which reads the whole body.
    #[must_use]
    pub fn header(&self, stamp: &BatchStamp) -> [u8; BATCH_HEADER_BYTES] {
        // The builder bounds both by what an i32 can say.
        let length = i32::try_from(self.wire_size() - LOG_OVERHEAD).unwrap_or(i32::MAX);
        let count = i32::try_from(self.record_count).unwrap_or(i32::MAX);
        let fields = HeaderFields {
            base_offset: 0,
            batch_length: length,
            partition_leader_epoch: -1,
            // Clients write no control batches.
            attributes: Attributes::new(self.compression(), stamp.transactional, false),
            last_offset_delta: count.saturating_sub(1).max(0),
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: stamp.producer.producer_id.0,
            producer_epoch: stamp.producer.producer_epoch.0,
            base_sequence: stamp.base_sequence.0,
            record_count: count,
        };
        fields.to_bytes(&self.body)
    }

    /// Header and records in one piece: a copy, for a caller that cannot write two pieces.
    #[must_use]
    pub fn to_vec(&self, stamp: &BatchStamp) -> Vec<u8> {
        let mut batch = Vec::with_capacity(self.wire_size());
        batch.extend_from_slice(&self.header(stamp));
        batch.extend_from_slice(&self.body);
        batch
    }

    /// The buffer of the records, to be written over by another batch; `None` while something else still holds
    /// on to it (P-44).
    #[must_use]
    pub fn into_buffer(self) -> Option<Vec<u8>> {
        Some(Vec::from(self.body.try_into_mut().ok()?))
    }

    /// Splits the batch by records into batches of at most `batch_bytes_max` bytes before compression,
    /// order kept (P-65). A record that alone is larger gets a batch of its own. Each part is compressed
    /// as this batch is.
    ///
    /// # Errors
    /// [`SplitError`]: the batch's own bytes cannot be read back, or the parts cannot be compressed.
    pub fn split(&self, batch_bytes_max: usize) -> Result<Vec<Self>, SplitError> {
        let mut parts = Vec::new();
        let mut open = BatchBuilder::new(Vec::new());
        let mut headers = Vec::new();
        for record in self.records()?.iter() {
            let record = record?;
            headers.clear();
            for header in record.headers() {
                let key = std::str::from_utf8(header.key).map_err(|_| SplitError::HeaderKey)?;
                headers.push(HeaderToWrite {
                    key,
                    value: header.value,
                });
            }
            let record = RecordToWrite {
                timestamp: record.timestamp,
                key: record.key,
                value: record.value,
                headers: &headers,
            };
            if open.try_append(&record, batch_bytes_max)?.is_none() {
                let full = std::mem::take(&mut open);
                parts.push(full.close(self.compressor)?);
                open.append(&record)?;
            }
        }
        if !open.is_empty() {
            parts.push(open.close(self.compressor)?);
        }
        Ok(parts)
    }

    fn records(&self) -> Result<Records, BatchError> {
        // These are our own bytes: what was built may be read back, whatever its size.
        let limits = Limits {
            decompressed_bytes: usize::MAX,
            decompression_ratio: usize::MAX,
            believed_ratio: usize::MAX,
            records_per_batch: usize::MAX,
            headers_per_record: usize::MAX,
            ..Limits::default()
        };
        let context = RecordContext {
            base_offset: 0,
            base_timestamp: self.base_timestamp,
            log_append_time: None,
            base_sequence: Sequence::NONE,
        };
        let count = i32::try_from(self.record_count).unwrap_or(i32::MAX);
        Records::open(
            self.body.clone(),
            self.compression(),
            count,
            context,
            &limits,
            Vec::new(),
        )
    }
}

/// A batch could not be split.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The batch cannot be read.
    #[error("the batch to split cannot be read")]
    Batch {
        /// Why.
        #[from]
        source: BatchError,
    },
    /// A part cannot be written.
    #[error("a part of the batch cannot be written")]
    Encode {
        /// Why.
        #[from]
        source: EncodeError,
    },
    /// A header key that is not UTF-8, which no batch of ours has.
    #[error("a header key is not UTF-8")]
    HeaderKey,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batches, ProducerEpoch, ProducerId};

    fn batch_of(records: usize) -> ClosedBatch {
        let mut builder = BatchBuilder::default();
        for index in 0..records {
            let value = vec![b'v'; index * 10];
            let record = RecordToWrite {
                timestamp: 1_000 - i64::try_from(index).unwrap(),
                key: None,
                value: Some(&value),
                headers: &[HeaderToWrite {
                    key: "h",
                    value: None,
                }],
            };
            builder.append(&record).unwrap();
        }
        builder.close(Compression::None).unwrap()
    }

    fn read(batch: Vec<u8>) -> crate::Batch {
        let batch = Batches::new(batch.into()).next().unwrap().unwrap();
        batch.check_crc().unwrap();
        batch
    }

    /// R-24 among others: no stamp makes a control batch.
    #[test]
    fn a_stamp_is_in_the_header_and_nowhere_else() {
        let closed = batch_of(3);
        let stamp = BatchStamp {
            producer: ProducerIdentity::new(ProducerId(70), ProducerEpoch(4)),
            base_sequence: Sequence(i32::MAX),
            transactional: true,
        };
        let batch = read(closed.to_vec(&stamp));
        assert_eq!(batch.producer(), stamp.producer);
        assert_eq!(batch.base_sequence(), stamp.base_sequence);
        assert_eq!(batch.last_sequence(), Sequence(1));
        assert!(batch.is_transactional() && !batch.is_control());
        assert_eq!(batch.max_timestamp(), 1_000);
        assert_eq!(batch.base_timestamp(), 1_000);
        assert_eq!(batch.last_offset(), 2);
        assert_eq!(batch.wire_size(), closed.wire_size());

        let plain = read(closed.to_vec(&BatchStamp::NONE));
        assert_eq!(plain.producer(), ProducerIdentity::NONE);
        assert_eq!(plain.last_sequence(), Sequence::NONE);
        assert!(!plain.is_transactional());
        assert_eq!(
            plain.bytes()[BATCH_HEADER_BYTES..],
            batch.bytes()[BATCH_HEADER_BYTES..]
        );
    }

    #[test]
    fn a_split_batch_keeps_its_records_their_order_and_the_bound() {
        let whole = batch_of(20);
        let parts = whole.split(400).unwrap();
        assert!(parts.len() > 3);
        let mut values = Vec::new();
        for part in &parts {
            assert!(part.wire_size() <= 400);
            let batch = read(part.to_vec(&BatchStamp::NONE));
            let records = batch.records(&Limits::default()).unwrap();
            for record in &records {
                let record = record.unwrap();
                assert_eq!(record.headers().len(), 1);
                values.push((record.timestamp, record.value.unwrap().len()));
            }
        }
        let expected: Vec<_> = (0..20)
            .map(|i| (1_000 - i, usize::try_from(i).unwrap() * 10))
            .collect();
        assert_eq!(values, expected);
    }

    #[test]
    fn a_record_larger_than_the_bound_gets_a_batch_of_its_own() {
        let parts = batch_of(3).split(1).unwrap();
        assert_eq!(
            parts
                .iter()
                .map(ClosedBatch::record_count)
                .collect::<Vec<_>>(),
            [1, 1, 1]
        );
    }

    /// P-44.
    #[test]
    fn a_buffer_comes_back_only_when_nothing_shares_it() {
        let closed = batch_of(3);
        let shared = closed.clone();
        assert!(closed.into_buffer().is_none());
        let buffer = shared.into_buffer().unwrap();
        assert!(buffer.capacity() > 0);
    }
}
