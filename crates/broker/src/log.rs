//! One partition's log: record batches as bytes, and what a reader of them has to know.
//!
//! ```text
//!  log start        last stable   high watermark   log end
//!     | b | b | b | b | b | b | b | b | b | b | b |
//!               ^ the oldest open transaction's first offset
//! ```
//!
//! A batch gets its offsets and leader epoch in place as it is appended, and is never touched again. Time is
//! an argument, and nothing here waits.

mod cleaning;
pub(crate) mod epochs;
mod lookup;
#[cfg(any(test, feature = "_fuzzing"))]
pub(crate) mod operations;
mod read;
pub(crate) mod validate;

#[cfg(test)]
mod tests;

use crate::Time;
use crate::producer_state::{AppendedBatch, Candidate, MarkerRule, ProducerStates};
use bytes::Bytes;
use cleaning::Segments;
use epochs::LeaderEpochs;
use milena_codec::record::{
    ControlBatchToWrite, Marker, put_control_batch, set_log_append_time, set_log_position,
};
use milena_codec::{Batch, Batches, ErrorCode, ProducerId, ProducerIdentity, TimestampType};
pub(crate) use read::{ReadBound, ReadFrom};
use std::collections::{BTreeMap, VecDeque};
use validate::Refusal;

/// A batch in the log.
#[derive(Clone, Debug)]
struct StoredBatch {
    base_offset: i64,
    last_offset: i64,
    max_timestamp: i64,
    /// Whether Kafka's offset index would point to it.
    indexed: bool,
    /// A new segment begins with it.
    begins_segment: bool,
    /// From when on compaction may drop what it holds only to say that something is gone.
    delete_horizon: Option<Time>,
    bytes: Bytes,
}

/// A transaction that was aborted here: what a read_committed reader must be told (R-10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AbortedTransaction {
    pub(crate) producer_id: ProducerId,
    pub(crate) first_offset: i64,
    /// The offset of its marker.
    pub(crate) last_offset: i64,
}

/// Where a batch of a producer went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    /// What the answer says of the time: that of the append if the topic says so, else -1. For a
    /// repetition, Kafka answers with the first copy's timestamp.
    pub(crate) log_append_time: i64,
    /// The batch was there already (P-21).
    pub(crate) repeated: bool,
}

/// A transaction's end, to be written to the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MarkerToAppend {
    pub(crate) marker: Marker,
    pub(crate) producer: ProducerIdentity,
    pub(crate) coordinator_epoch: i32,
    pub(crate) rule: MarkerRule,
}

/// One partition's log.
#[derive(Debug)]
pub(crate) struct PartitionLog {
    batches: VecDeque<StoredBatch>,
    log_start_offset: i64,
    log_end_offset: i64,
    /// `None` while it follows the log's end, as it does where every replica is the same memory.
    held_high_watermark: Option<i64>,
    leader_epochs: LeaderEpochs,
    producers: ProducerStates,
    /// Open transactions by their first offset.
    open: BTreeMap<i64, ProducerId>,
    /// Ended transactions whose marker the high watermark has not passed: first offset to marker offset.
    unreplicated: BTreeMap<i64, i64>,
    /// In the order of their markers.
    aborted: VecDeque<AbortedTransaction>,
    bytes: usize,
    /// Bytes from the last indexed batch on.
    bytes_since_indexed: usize,
    segments: Segments,
}

/// `log.index.interval.bytes`: the index points to a batch when more than so many bytes have come since the
/// last that it points to.
const INDEX_INTERVAL_BYTES: usize = 4096;

impl PartitionLog {
    pub(crate) fn new() -> Self {
        Self {
            batches: VecDeque::new(),
            log_start_offset: 0,
            log_end_offset: 0,
            held_high_watermark: None,
            leader_epochs: LeaderEpochs::default(),
            producers: ProducerStates::default(),
            open: BTreeMap::new(),
            unreplicated: BTreeMap::new(),
            aborted: VecDeque::new(),
            bytes: 0,
            bytes_since_indexed: 0,
            segments: Segments::default(),
        }
    }

    pub(crate) fn log_start_offset(&self) -> i64 {
        self.log_start_offset
    }

    pub(crate) fn log_end_offset(&self) -> i64 {
        self.log_end_offset
    }

    pub(crate) fn high_watermark(&self) -> i64 {
        self.held_high_watermark.unwrap_or(self.log_end_offset)
    }

    /// The first offset that a read_committed reader may not see yet (R-2), the owner of the transaction included (R-97).
    pub(crate) fn last_stable_offset(&self) -> i64 {
        let open = self.open.keys().next();
        let unreplicated = self.unreplicated.keys().next();
        let unstable = [open, unreplicated].into_iter().flatten().min();
        // DeleteRecords may have gone past the beginning of an open transaction.
        unstable.map_or(self.high_watermark(), |first| {
            self.high_watermark().min(self.log_start_offset.max(*first))
        })
    }

    pub(crate) fn leader_epochs(&self) -> &LeaderEpochs {
        &self.leader_epochs
    }

    /// Notes that a leader's term begins.
    pub(crate) fn begin_term(&mut self, epoch: i32) {
        self.leader_epochs.begin(epoch, self.log_end_offset);
    }

    pub(crate) fn producers(&self) -> &ProducerStates {
        &self.producers
    }

    pub(crate) fn producers_mut(&mut self) -> &mut ProducerStates {
        &mut self.producers
    }

    /// Bytes of its batches.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The bytes of each batch.
    pub(crate) fn batches(&self) -> impl Iterator<Item = Bytes> {
        self.batches.iter().map(|batch| batch.bytes.clone())
    }

    /// Appends a producer's batch that [`validate`] has let through.
    ///
    /// # Errors
    /// What [`ProducerStates::check`] refuses.
    pub(crate) fn append(
        &mut self,
        batch: &Batch,
        leader_epoch: i32,
        timestamp_type: TimestampType,
        now: Time,
    ) -> Result<Appended, Refusal> {
        let candidate = Candidate {
            producer: batch.producer(),
            base_sequence: batch.base_sequence(),
            last_sequence: batch.last_sequence(),
            transactional: batch.is_transactional(),
            max_timestamp: batch.max_timestamp(),
        };
        if candidate.producer.is_some() {
            if let Some(repeated) = self.producers.repeated(&candidate) {
                return Ok(answer_to_repetition(repeated));
            }
            self.producers
                .check(&candidate)
                .map_err(|code| Refusal::by_log(code).because(explain(code, &candidate)))?;
        }
        let base_offset = self.log_end_offset;
        let last_offset = base_offset.saturating_add(batch.last_offset_delta().into());
        let mut bytes = Vec::from(batch.bytes().as_ref());
        let malformed = |_| Refusal::early(ErrorCode::CorruptMessage);
        set_log_position(&mut bytes, base_offset, leader_epoch).map_err(malformed)?;
        let mut max_timestamp = batch.max_timestamp();
        let mut log_append_time = -1;
        if timestamp_type == TimestampType::LogAppendTime {
            log_append_time = now.unix_millis();
            max_timestamp = log_append_time;
            set_log_append_time(&mut bytes, log_append_time).map_err(malformed)?;
        }
        let stamped = Candidate {
            max_timestamp,
            ..candidate
        };
        if candidate.producer.is_some()
            && self.producers.appended(&stamped, base_offset, last_offset)
        {
            self.open
                .insert(base_offset, candidate.producer.producer_id);
        }
        self.push(leader_epoch, base_offset, last_offset, max_timestamp, bytes);
        Ok(Appended {
            base_offset,
            last_offset,
            log_append_time,
            repeated: false,
        })
    }

    /// Appends the marker that ends a transaction here; gives its offset.
    ///
    /// # Errors
    /// What [`ProducerStates::check_marker`] refuses.
    pub(crate) fn append_marker(
        &mut self,
        marker: &MarkerToAppend,
        leader_epoch: i32,
        now: Time,
    ) -> Result<i64, ErrorCode> {
        let MarkerToAppend {
            producer,
            coordinator_epoch,
            ..
        } = *marker;
        self.producers
            .check_marker(producer, coordinator_epoch, marker.rule)?;
        let offset = self.log_end_offset;
        let timestamp = now.unix_millis();
        let batch = ControlBatchToWrite {
            marker: marker.marker,
            producer,
            base_offset: offset,
            partition_leader_epoch: leader_epoch,
            timestamp,
            coordinator_epoch,
        };
        let mut bytes = Vec::new();
        put_control_batch(&mut bytes, &batch).map_err(|_| ErrorCode::UnknownServerError)?;
        if let Some(first_offset) = self.producers.ended(producer, coordinator_epoch, timestamp) {
            self.close_transaction(producer.producer_id, first_offset, offset, marker.marker);
        }
        self.push(leader_epoch, offset, offset, timestamp, bytes);
        Ok(offset)
    }

    fn close_transaction(&mut self, producer_id: ProducerId, first: i64, last: i64, how: Marker) {
        self.open.remove(&first);
        if self.held_high_watermark.is_some() {
            self.unreplicated.insert(first, last);
        }
        if how == Marker::Abort {
            self.aborted.push_back(AbortedTransaction {
                producer_id,
                first_offset: first,
                last_offset: last,
            });
        }
    }

    fn push(
        &mut self,
        epoch: i32,
        base_offset: i64,
        last_offset: i64,
        max_timestamp: i64,
        bytes: Vec<u8>,
    ) {
        self.leader_epochs.note(epoch, base_offset);
        self.bytes = self.bytes.saturating_add(bytes.len());
        let indexed = self.bytes_since_indexed > INDEX_INTERVAL_BYTES;
        if indexed {
            self.bytes_since_indexed = 0;
        }
        self.bytes_since_indexed = self.bytes_since_indexed.saturating_add(bytes.len());
        let begins_segment = self.begins_segment(bytes.len());
        self.batches.push_back(StoredBatch {
            begins_segment,
            delete_horizon: None,
            base_offset,
            last_offset,
            max_timestamp,
            indexed,
            bytes: Bytes::from(bytes),
        });
        self.log_end_offset = last_offset.saturating_add(1);
    }

    /// Deletes the records below `offset` (DeleteRecords); whole batches go, and reads start at the offset.
    ///
    /// # Errors
    /// [`ErrorCode::OffsetOutOfRange`] beyond the high watermark.
    pub(crate) fn delete_before(&mut self, offset: i64) -> Result<(), ErrorCode> {
        if offset < 0 || offset > self.high_watermark() {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        self.log_start_offset = self.log_start_offset.max(offset);
        while let Some(first) = self.batches.front()
            && first.last_offset < self.log_start_offset
        {
            self.bytes = self.bytes.saturating_sub(first.bytes.len());
            self.batches.pop_front();
        }
        while let Some(oldest) = self.aborted.front()
            && oldest.last_offset < self.log_start_offset
        {
            self.aborted.pop_front();
        }
        self.leader_epochs.forget_before(self.log_start_offset);
        Ok(())
    }

    /// Stops the high watermark where it is, as when followers no longer fetch, or lets it follow the log's
    /// end again.
    pub(crate) fn hold_high_watermark(&mut self, hold: bool) {
        if hold {
            self.held_high_watermark = Some(self.high_watermark());
        } else {
            self.held_high_watermark = None;
            self.unreplicated.clear();
        }
    }

    /// Cuts the log off at `offset`, or at the batch it falls into: what an unclean election loses.
    /// Producers and transactions are known afterwards as the remaining batches tell (P-80).
    pub(crate) fn truncate_to(&mut self, offset: i64) {
        let kept: Vec<_> = std::mem::take(&mut self.batches)
            .into_iter()
            .take_while(|batch| batch.last_offset < offset)
            .collect();
        let log_end_offset = kept.last().map_or(self.log_start_offset, |batch| {
            batch.last_offset.saturating_add(1)
        });
        *self = Self {
            log_start_offset: self.log_start_offset,
            log_end_offset: self.log_start_offset,
            leader_epochs: std::mem::take(&mut self.leader_epochs),
            ..Self::new()
        };
        self.leader_epochs.forget_from(log_end_offset);
        for batch in kept {
            self.replay(batch);
        }
    }

    fn replay(&mut self, stored: StoredBatch) {
        if let Some(Ok(batch)) = Batches::new(stored.bytes.clone()).next() {
            let producer = batch.producer();
            if batch.is_control() {
                self.replay_marker(&batch, &stored);
            } else if producer.is_some() {
                let candidate = Candidate {
                    producer,
                    base_sequence: batch.base_sequence(),
                    last_sequence: batch.last_sequence(),
                    transactional: batch.is_transactional(),
                    max_timestamp: stored.max_timestamp,
                };
                let (base, last) = (stored.base_offset, stored.last_offset);
                if self.producers.appended(&candidate, base, last) {
                    self.open.insert(base, producer.producer_id);
                }
            }
        }
        self.bytes = self.bytes.saturating_add(stored.bytes.len());
        self.log_end_offset = stored.last_offset.saturating_add(1);
        self.batches.push_back(stored);
    }

    fn replay_marker(&mut self, batch: &Batch, stored: &StoredBatch) {
        use milena_codec::ControlRecord::{Abort, Commit, Other};
        let (marker, coordinator_epoch) = match batch.control() {
            Ok(Some(Abort { coordinator_epoch })) => (Marker::Abort, coordinator_epoch),
            Ok(Some(Commit { coordinator_epoch })) => (Marker::Commit, coordinator_epoch),
            Ok(Some(Other { .. }) | None) | Err(_) => return,
        };
        let producer = batch.producer();
        let ended = self
            .producers
            .ended(producer, coordinator_epoch, stored.max_timestamp);
        if let Some(first) = ended {
            self.close_transaction(producer.producer_id, first, stored.base_offset, marker);
        }
    }
}

fn answer_to_repetition(first_copy: AppendedBatch) -> Appended {
    Appended {
        base_offset: first_copy.base_offset,
        last_offset: first_copy.last_offset,
        log_append_time: first_copy.timestamp,
        repeated: true,
    }
}

fn explain(code: ErrorCode, batch: &Candidate) -> String {
    format!(
        "{code}: batch of producer {} with base sequence {}",
        batch.producer, batch.base_sequence
    )
}
