//! A log as the list of its batches, and what its producers have written since they were last forgotten.

use super::super::MarkerToAppend;
use crate::producer_state::MarkerRule;
use milena_codec::record::Marker;
use milena_codec::{BatchStamp, ErrorCode, ProducerEpoch, ProducerId, Sequence};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// Of no producer.
    Plain,
    Produced {
        stamp: BatchStamp,
        last_sequence: Sequence,
    },
    Ended(MarkerToAppend),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) base_offset: i64,
    pub(super) last_offset: i64,
    pub(super) bytes: usize,
    pub(super) timestamp: i64,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) struct Producer {
    pub(super) epoch: ProducerEpoch,
    pub(super) open_since: Option<i64>,
    coordinator_epoch: i32,
    /// All batches of the epoch: sequences and offsets.
    batches: Vec<(Sequence, Sequence, i64, i64)>,
    last_timestamp: i64,
}

/// A transaction that has records in the log, or had.
#[derive(Clone, Copy, Debug)]
struct Transaction {
    producer_id: ProducerId,
    first_offset: i64,
    ended: Option<(i64, Marker)>,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    entries: Vec<Entry>,
    start: i64,
    end: i64,
    held: Option<i64>,
    producers: BTreeMap<ProducerId, Producer>,
    transactions: Vec<Transaction>,
}

/// The first of an append's offsets and its last if it repeats one; or why it is refused.
pub(super) type Expected = Result<Option<(i64, i64)>, ErrorCode>;

impl Model {
    pub(super) fn start(&self) -> i64 {
        self.start
    }

    pub(super) fn end(&self) -> i64 {
        self.end
    }

    pub(super) fn high_watermark(&self) -> i64 {
        self.held.unwrap_or(self.end)
    }

    /// where the oldest transaction begins whose end is not replicated yet.
    pub(super) fn last_stable(&self) -> i64 {
        let high_watermark = self.high_watermark();
        let is_decided = |t: &&Transaction| t.ended.is_some_and(|(at, _)| at < high_watermark);
        let undecided = self.transactions.iter().filter(|t| !is_decided(t));
        let first = undecided.map(|t| t.first_offset).min();
        first.map_or(high_watermark, |first| {
            first.max(self.start).min(high_watermark)
        })
    }

    pub(super) fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(super) fn producer(&self, id: ProducerId) -> Option<&Producer> {
        self.producers.get(&id)
    }

    pub(super) fn producers(&self) -> usize {
        self.producers.len()
    }

    /// Whether a batch is decided and not aborted: a committed reader has to be shown it.
    pub(super) fn is_visible(&self, entry: &Entry) -> bool {
        match entry.what {
            What::Plain => true,
            What::Ended(_) => false,
            What::Produced { stamp, .. } if !stamp.transactional => true,
            What::Produced { stamp, .. } => self.transactions.iter().any(|t| {
                let is_in = |(end, marker)| {
                    marker == Marker::Commit && (t.first_offset..end).contains(&entry.base_offset)
                };
                t.producer_id == stamp.producer.producer_id && t.ended.is_some_and(is_in)
            }),
        }
    }

    /// P-21, P-23, P-24, P-93, P-59e.
    pub(super) fn expect_append(&self, stamp: &BatchStamp, last_sequence: Sequence) -> Expected {
        let Some(known) = self.producers.get(&stamp.producer.producer_id) else {
            return Ok(None);
        };
        let epoch = stamp.producer.producer_epoch;
        if epoch < known.epoch {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        let mut expected = Sequence::ZERO;
        if epoch == known.epoch {
            let same = |b: &&(Sequence, Sequence, i64, i64)| {
                (b.0, b.1) == (stamp.base_sequence, last_sequence)
            };
            if let Some(first) = known.batches.iter().rev().take(5).rfind(same) {
                return Ok(Some((first.2, first.3)));
            }
            if let Some(last) = known.batches.last() {
                expected = last.1.advance(1);
            }
        }
        if stamp.base_sequence != expected {
            return Err(ErrorCode::OutOfOrderSequenceNumber);
        }
        if known.open_since.is_some() && !stamp.transactional {
            return Err(ErrorCode::InvalidTxnState);
        }
        Ok(None)
    }

    /// D-45, P-26.
    pub(super) fn expect_marker(&self, marker: &MarkerToAppend) -> Result<(), ErrorCode> {
        let Some(known) = self.producers.get(&marker.producer.producer_id) else {
            return Ok(());
        };
        let epoch = marker.producer.producer_epoch;
        let is_late = match marker.rule {
            MarkerRule::NotOlder => epoch < known.epoch,
            MarkerRule::Newer if epoch == known.epoch => known.open_since.is_some(),
            MarkerRule::Newer => epoch < known.epoch,
        };
        if is_late {
            Err(ErrorCode::InvalidProducerEpoch)
        } else if marker.coordinator_epoch < known.coordinator_epoch {
            Err(ErrorCode::TransactionCoordinatorFenced)
        } else {
            Ok(())
        }
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
        self.end = entry.last_offset + 1;
        let (producer, batch) = match entry.what {
            What::Plain => return,
            What::Ended(marker) => (marker.producer, None),
            What::Produced {
                stamp,
                last_sequence,
            } => (stamp.producer, Some((stamp, last_sequence))),
        };
        let fresh = Producer {
            epoch: producer.producer_epoch,
            open_since: None,
            coordinator_epoch: -1,
            batches: Vec::new(),
            last_timestamp: 0,
        };
        let known = self.producers.entry(producer.producer_id).or_insert(fresh);
        if known.epoch != producer.producer_epoch {
            known.epoch = producer.producer_epoch;
            known.batches.clear();
        }
        known.last_timestamp = entry.timestamp;
        if let Some((stamp, last_sequence)) = batch {
            let offsets = (entry.base_offset, entry.last_offset);
            let sequences = (stamp.base_sequence, last_sequence);
            known
                .batches
                .push((sequences.0, sequences.1, offsets.0, offsets.1));
            if stamp.transactional && known.open_since.is_none() {
                known.open_since = Some(entry.base_offset);
                self.transactions.push(Transaction {
                    producer_id: producer.producer_id,
                    first_offset: entry.base_offset,
                    ended: None,
                });
            }
        }
        if let What::Ended(marker) = entry.what {
            known.coordinator_epoch = marker.coordinator_epoch;
            known.open_since = None;
            let mut open = self.transactions.iter_mut();
            let open = open.find(|t| t.producer_id == producer.producer_id && t.ended.is_none());
            if let Some(open) = open {
                open.ended = Some((entry.base_offset, marker.marker));
            }
        }
    }

    pub(super) fn hold(&mut self, hold: bool) {
        self.held = hold.then(|| self.high_watermark());
    }

    pub(super) fn delete_before(&mut self, offset: i64) {
        self.start = self.start.max(offset);
        let start = self.start;
        self.entries.retain(|entry| entry.last_offset >= start);
    }

    pub(super) fn expire(&mut self, now: i64, after: Duration) {
        let after = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        self.producers
            .retain(|_, p| p.open_since.is_some() || now - p.last_timestamp < after);
    }

    /// What is left is all that was ever there.
    pub(super) fn truncate_to(&mut self, offset: i64) {
        let kept = std::mem::take(&mut self.entries);
        let start = self.start;
        *self = Self {
            start,
            end: start,
            ..Self::default()
        };
        for entry in kept
            .into_iter()
            .take_while(|entry| entry.last_offset < offset)
        {
            self.push(entry);
        }
    }
}
