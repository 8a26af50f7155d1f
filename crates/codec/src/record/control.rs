//! Control records: how the coordinator marks the end of a transaction in each partition's log.

use super::attributes::{Attributes, Compression};
use super::builder::{BatchBuilder, RecordToWrite};
use super::error::BatchError;
use super::layout::{BATCH_HEADER_BYTES, HeaderFields, LOG_OVERHEAD};
use super::records::Record;
use crate::{EncodeError, ProducerIdentity};

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Marker {
    /// Its records are never to be shown to read_committed readers.
    Abort,
    /// Its records are part of the log.
    Commit,
}

impl Marker {
    const fn type_id(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
        }
    }
}

/// What a control batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlRecord {
    /// The producer's transaction was aborted.
    Abort {
        /// Term of the coordinator that wrote the marker.
        coordinator_epoch: i32,
    },
    /// The producer's transaction was committed.
    Commit {
        /// Term of the coordinator that wrote the marker.
        coordinator_epoch: i32,
    },
    /// One of the types that only KRaft's own log has, or one from the future; clients pass over it.
    Other {
        /// The type in the record's key.
        type_id: i16,
    },
}

impl ControlRecord {
    /// Reads key and value of a control record. Versions above those known are read as the highest known,
    /// since later ones only add.
    pub(super) fn read(record: &Record<'_>, base_offset: i64) -> Result<Self, BatchError> {
        let malformed = |field| BatchError::Control { base_offset, field };
        let key = record.key.unwrap_or_default();
        let (version, type_id) = key
            .split_first_chunk()
            .and_then(|(version, rest)| Some((version, rest.first_chunk()?)))
            .ok_or_else(|| malformed("key"))?;
        if i16::from_be_bytes(*version) < 0 {
            return Err(malformed("key version"));
        }
        let type_id = i16::from_be_bytes(*type_id);
        if type_id != Marker::Abort.type_id() && type_id != Marker::Commit.type_id() {
            return Ok(Self::Other { type_id });
        }
        let value = record.value.unwrap_or_default();
        let (version, epoch) = value
            .split_first_chunk()
            .and_then(|(version, rest)| Some((version, rest.first_chunk()?)))
            .ok_or_else(|| malformed("value"))?;
        if i16::from_be_bytes(*version) < 0 {
            return Err(malformed("value version"));
        }
        let coordinator_epoch = i32::from_be_bytes(*epoch);
        Ok(if type_id == Marker::Abort.type_id() {
            Self::Abort { coordinator_epoch }
        } else {
            Self::Commit { coordinator_epoch }
        })
    }
}

/// A control batch to be written, as a broker does when a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlBatchToWrite {
    /// How the transaction ended.
    pub marker: Marker,
    /// Whose transaction.
    pub producer: ProducerIdentity,
    /// Where in the log the marker goes.
    pub base_offset: i64,
    /// Term of the leader that appends it.
    pub partition_leader_epoch: i32,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// Term of the coordinator that ends the transaction.
    pub coordinator_epoch: i32,
}

/// Appends a control batch.
///
/// # Errors
/// None that these fields can lead to.
pub fn put_control_batch(
    out: &mut Vec<u8>,
    batch: &ControlBatchToWrite,
) -> Result<(), EncodeError> {
    let mut key = [0; 4];
    key[2..].copy_from_slice(&batch.marker.type_id().to_be_bytes());
    let mut value = [0; 6];
    value[2..].copy_from_slice(&batch.coordinator_epoch.to_be_bytes());
    let mut builder = BatchBuilder::default();
    builder.append(&RecordToWrite {
        timestamp: batch.timestamp,
        key: Some(&key),
        value: Some(&value),
        headers: &[],
    })?;
    let closed = builder.close(Compression::None)?;
    let fields = HeaderFields {
        base_offset: batch.base_offset,
        batch_length: i32::try_from(closed.wire_size() - LOG_OVERHEAD).unwrap_or(i32::MAX),
        partition_leader_epoch: batch.partition_leader_epoch,
        attributes: Attributes::new(Compression::None, true, true),
        last_offset_delta: 0,
        base_timestamp: batch.timestamp,
        max_timestamp: batch.timestamp,
        producer_id: batch.producer.producer_id.0,
        producer_epoch: batch.producer.producer_epoch.0,
        // Markers are outside of the producer's sequence.
        base_sequence: -1,
        record_count: 1,
    };
    out.reserve(BATCH_HEADER_BYTES + closed.body().len());
    out.extend_from_slice(&fields.to_bytes(closed.body()));
    out.extend_from_slice(closed.body());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Batches, Limits, ProducerEpoch, ProducerId};

    fn written(marker: Marker) -> Batch {
        let mut wire = Vec::new();
        let batch = ControlBatchToWrite {
            marker,
            producer: ProducerIdentity::new(ProducerId(9), ProducerEpoch(2)),
            base_offset: 44,
            partition_leader_epoch: 3,
            timestamp: 1_234,
            coordinator_epoch: 17,
        };
        put_control_batch(&mut wire, &batch).unwrap();
        Batches::new(wire.into()).next().unwrap().unwrap()
    }

    #[test]
    fn markers_are_read_as_written() {
        let abort = written(Marker::Abort);
        abort.check_crc().unwrap();
        assert!(abort.is_control() && abort.is_transactional());
        assert_eq!((abort.base_offset(), abort.next_offset()), (44, 45));
        let expected = ControlRecord::Abort {
            coordinator_epoch: 17,
        };
        assert_eq!(abort.control().unwrap(), Some(expected));
        let expected = ControlRecord::Commit {
            coordinator_epoch: 17,
        };
        assert_eq!(written(Marker::Commit).control().unwrap(), Some(expected));
    }

    fn read(key: &[u8], value: Option<&[u8]>) -> Result<ControlRecord, BatchError> {
        let mut builder = BatchBuilder::default();
        let record = RecordToWrite {
            timestamp: 0,
            key: Some(key),
            value,
            headers: &[],
        };
        builder.append(&record).unwrap();
        let closed = builder.close(Compression::None).unwrap();
        let mut wire = closed.to_vec(&crate::BatchStamp::NONE);
        wire[22] |= 1 << 5;
        let batch = Batches::new(wire.into()).next().unwrap().unwrap();
        batch.control().map(Option::unwrap)
    }

    ///
    #[test]
    fn newer_versions_are_read_as_the_known_one_and_other_types_passed_over() {
        assert_eq!(
            read(&[0, 9, 0, 1, 7, 7], Some(&[0, 9, 0, 0, 0, 5, 7])),
            Ok(ControlRecord::Commit {
                coordinator_epoch: 5
            })
        );
        assert_eq!(
            read(&[0, 0, 0, 4], None),
            Ok(ControlRecord::Other { type_id: 4 })
        );
    }

    #[test]
    fn short_or_negative_markers_are_corrupt() {
        for (key, value) in [
            (&[][..], None),
            (&[0, 0, 0], None),
            (&[0xff, 0xff, 0, 1], None),
            (&[0, 0, 0, 1], None),
            (&[0, 0, 0, 1], Some(&[0, 0, 0, 0, 5][..])),
            (&[0, 0, 0, 1], Some(&[0xff, 0xff, 0, 0, 0, 5])),
        ] {
            assert!(
                matches!(read(key, value), Err(BatchError::Control { .. })),
                "{key:?}"
            );
        }
    }

    #[test]
    fn an_empty_control_batch_marks_nothing() {
        let mut wire = written(Marker::Abort).bytes()[..BATCH_HEADER_BYTES].to_vec();
        wire[8..12].copy_from_slice(&49_i32.to_be_bytes());
        wire[57..61].copy_from_slice(&0_i32.to_be_bytes());
        let batch = Batches::new(wire.into()).next().unwrap().unwrap();
        assert_eq!(batch.control(), Ok(None));
        assert!(batch.records(&Limits::default()).unwrap().is_empty());
    }
}
