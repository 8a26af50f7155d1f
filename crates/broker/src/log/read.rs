//! Reading a log from an offset on, as Fetch does.

use super::{AbortedTransaction, PartitionLog, StoredBatch};
use bytes::{Bytes, BytesMut};
use milena_codec::ErrorCode;

/// Up to where a reader may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadBound {
    /// Isolation read_uncommitted: what is replicated.
    HighWatermark,
    /// Isolation read_committed: what is decided as well.
    LastStable,
}

/// Where and how much to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadFrom {
    pub(crate) offset: i64,
    pub(crate) bytes_max: usize,
    pub(crate) bound: ReadBound,
    /// Give the first batch whole even if it is larger than `bytes_max`, so that no reader is stuck.
    pub(crate) at_least_one: bool,
}

/// Part of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Read {
    /// Batches; the last one may be cut off, as Kafka does where `bytes_max` falls.
    pub(crate) records: Bytes,
    /// The aborted transactions that touch what was read, for a read_committed reader.
    pub(crate) aborted: Vec<AbortedTransaction>,
}

impl PartitionLog {
    /// Reads from an offset on, whole batches from the one that holds it.
    ///
    /// # Errors
    /// [`ErrorCode::OffsetOutOfRange`] before the log's start or beyond its end.
    pub(crate) fn read(&self, from: &ReadFrom) -> Result<Read, ErrorCode> {
        if from.offset < self.log_start_offset || from.offset > self.log_end_offset {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        let bound = self.bound(from.bound);
        if from.offset >= bound {
            // The bound may be within a batch: DeleteRecords can go into the first one of an open transaction.
            return Ok(Read::default());
        }
        let first = self.batch_holding(from.offset);
        let readable = || {
            self.batches
                .range(first..)
                .take_while(|batch| batch.base_offset < bound)
        };
        let Some(first_size) = readable().next().map(|batch| batch.bytes.len()) else {
            return Ok(Read::default());
        };
        let bytes_max = if from.at_least_one {
            from.bytes_max.max(first_size)
        } else if from.bytes_max < first_size {
            return Ok(Read::default());
        } else {
            from.bytes_max
        };
        let (records, next_offset) = gather(readable(), bytes_max);
        let aborted = match from.bound {
            ReadBound::HighWatermark => Vec::new(),
            ReadBound::LastStable => self.aborted_between(from.offset, next_offset),
        };
        Ok(Read { records, aborted })
    }

    /// Bytes that a reader at `offset` could have, counted up to `enough`.
    pub(crate) fn readable_bytes(&self, offset: i64, bound: ReadBound, enough: usize) -> usize {
        let bound = self.bound(bound);
        if offset >= bound {
            return 0;
        }
        let mut bytes = 0_usize;
        for batch in self.batches.range(self.batch_holding(offset)..) {
            if batch.base_offset >= bound || bytes >= enough {
                break;
            }
            bytes = bytes.saturating_add(batch.bytes.len());
        }
        bytes
    }

    pub(crate) fn bound(&self, bound: ReadBound) -> i64 {
        match bound {
            ReadBound::HighWatermark => self.high_watermark(),
            ReadBound::LastStable => self.last_stable_offset(),
        }
    }

    /// The index of the batch that holds the offset or of the first one behind it.
    pub(super) fn batch_holding(&self, offset: i64) -> usize {
        self.batches
            .partition_point(|batch| batch.last_offset < offset)
    }

    /// The aborted transactions whose marker is at `from` or later and that begin in what was read, up to `end`
    /// or in what Kafka takes for it: it rounds up to the next place that its offset index knows, so
    /// that some are told that the reader does not meet.
    fn aborted_between(&self, from: i64, end: i64) -> Vec<AbortedTransaction> {
        let behind = self
            .batches
            .partition_point(|batch| batch.base_offset < end);
        let known = self.batches.range(behind..).find(|batch| batch.indexed);
        let end = known.map_or(self.log_end_offset, |batch| batch.last_offset);
        let touches = |aborted: &&AbortedTransaction| {
            aborted.last_offset >= from && aborted.first_offset < end
        };
        self.aborted.iter().filter(touches).copied().collect()
    }
}

/// Puts batches one behind the other up to so many bytes; gives also the offset after the last batch
/// that is there in part or whole.
fn gather<'a>(
    batches: impl Iterator<Item = &'a StoredBatch> + Clone,
    bytes_max: usize,
) -> (Bytes, i64) {
    let mut size = 0_usize;
    let mut next_offset = 0;
    let mut taken = 0_usize;
    for batch in batches.clone() {
        if size >= bytes_max {
            break;
        }
        size = size.saturating_add(batch.bytes.len());
        next_offset = batch.last_offset.saturating_add(1);
        taken += 1;
    }
    let size = size.min(bytes_max);
    let mut batches = batches.take(taken);
    if taken == 1 {
        let only = batches
            .next()
            .map(|batch| batch.bytes.slice(..size.min(batch.bytes.len())));
        return (only.unwrap_or_default(), next_offset);
    }
    let mut records = BytesMut::with_capacity(size);
    for batch in batches {
        let room = size - records.len();
        records.extend_from_slice(batch.bytes.get(..room).unwrap_or(&batch.bytes));
    }
    (records.freeze(), next_offset)
}
