//! Finding offsets by time, as ListOffsets does.

use super::{PartitionLog, StoredBatch};
use milena_codec::{Batch, Batches, Limits};

/// A record that was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) offset: i64,
    /// Milliseconds since the epoch.
    pub(crate) timestamp: i64,
    /// Term of the leader that wrote it.
    pub(crate) leader_epoch: i32,
}

impl PartitionLog {
    /// The first record at `timestamp` or later.
    pub(crate) fn find_timestamp(&self, timestamp: i64, limits: &Limits) -> Option<Found> {
        let late_enough = |stored: &&StoredBatch| stored.max_timestamp >= timestamp;
        self.batches
            .iter()
            .filter(late_enough)
            .find_map(|stored| self.first_record(stored, timestamp, limits))
    }

    /// The first record that has the highest timestamp of the log.
    pub(crate) fn find_max_timestamp(&self, limits: &Limits) -> Option<Found> {
        let highest = self
            .batches
            .iter()
            .map(|stored| stored.max_timestamp)
            .max()?;
        self.find_timestamp(highest, limits)
    }

    fn first_record(&self, stored: &StoredBatch, timestamp: i64, limits: &Limits) -> Option<Found> {
        let batch: Batch = Batches::new(stored.bytes.clone()).next()?.ok()?;
        let records = batch.records(limits).ok()?;
        let record = records.iter().map_while(Result::ok).find(|record| {
            record.timestamp >= timestamp && record.offset >= self.log_start_offset
        })?;
        Some(Found {
            offset: record.offset,
            timestamp: record.timestamp,
            leader_epoch: batch.partition_leader_epoch(),
        })
    }
}
