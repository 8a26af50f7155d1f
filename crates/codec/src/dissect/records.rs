//! What a record batch says in its header.

use crate::record::{Batch, BatchError, Batches, Compression, ControlRecord, Tail, TimestampType};
use bytes::Bytes;
use std::fmt;

/// One batch, without its records.
pub(super) struct BatchSummary {
    numbers: [(&'static str, i64); 12],
    pub(super) compression: &'static str,
    pub(super) timestamp_type: &'static str,
    pub(super) transactional: bool,
    pub(super) control: bool,
    pub(super) crc_valid: bool,
    /// What a control batch says; `None` for one that is none or that cannot be read.
    pub(super) marker: Option<String>,
}

impl BatchSummary {
    fn new(batch: &Batch) -> Self {
        let producer = batch.producer();
        let size = i64::try_from(batch.wire_size()).unwrap_or(i64::MAX);
        Self {
            numbers: [
                ("sizeInBytes", size),
                ("baseOffset", batch.base_offset()),
                ("lastOffset", batch.last_offset()),
                ("recordCount", batch.record_count().into()),
                (
                    "partitionLeaderEpoch",
                    batch.partition_leader_epoch().into(),
                ),
                ("producerId", producer.producer_id.0),
                ("producerEpoch", producer.producer_epoch.0.into()),
                ("baseSequence", batch.base_sequence().0.into()),
                ("lastSequence", batch.last_sequence().0.into()),
                ("baseTimestamp", batch.base_timestamp()),
                ("maxTimestamp", batch.max_timestamp()),
                ("crc", batch.crc().into()),
            ],
            compression: batch.compression().map_or("unknown", |codec| codec.name()),
            timestamp_type: match batch.timestamp_type() {
                TimestampType::CreateTime => "CreateTime",
                TimestampType::LogAppendTime => "LogAppendTime",
            },
            transactional: batch.is_transactional(),
            control: batch.is_control(),
            crc_valid: batch.check_crc().is_ok(),
            marker: marker(batch),
        }
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = (&'static str, i64)> {
        self.numbers.iter().copied()
    }
}

fn marker(batch: &Batch) -> Option<String> {
    // No broker compresses a marker, and a dissector inflates nothing.
    if batch.compression() != Ok(Compression::None) {
        return None;
    }
    Some(match batch.control().ok()?? {
        ControlRecord::Abort { coordinator_epoch } => format!("ABORT ({coordinator_epoch})"),
        ControlRecord::Commit { coordinator_epoch } => format!("COMMIT ({coordinator_epoch})"),
        ControlRecord::Other { type_id } => format!("type {type_id}"),
    })
}

/// Hands out one summary a batch, and says how the records end.
pub(super) fn summaries(
    records: &[u8],
    mut each: impl FnMut(&BatchSummary) -> fmt::Result,
) -> Result<Result<Tail, BatchError>, fmt::Error> {
    let mut batches = Batches::new(Bytes::copy_from_slice(records));
    for batch in &mut batches {
        match batch {
            Ok(batch) => each(&BatchSummary::new(&batch))?,
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(batches.tail()))
}
