//! One partition as the sender sees it: its sequence counter and the batches that have one.
//!
//! The counter belongs to one (producer id, epoch) (P-13). It moves to a newer one only when nothing of
//! the old one is left unresolved (P-14), or, for the partition whose gap made the epoch rise, when it is
//! proved that nothing behind the gap can have been appended (P-60, P-61).

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};
use std::sync::Arc;
use std::time::Instant;

use milena_codec::{ProducerIdentity, Sequence};

use super::failure::Obstacle;
use super::{Leader, PartitionId, RequestId, Sendable};
use crate::error::Error;

/// The sequences of a batch: from `base` on, `end` is the first behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SequenceRange {
    pub(crate) base: Sequence,
    pub(crate) end: Sequence,
}

impl SequenceRange {
    fn contains(self, sequence: Sequence) -> bool {
        !sequence.is_before(self.base) && sequence.is_before(self.end)
    }
}

/// Where a batch that has a sequence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flight {
    /// Written, or handed to be written, in this request; no response yet.
    OnWire(RequestId),
    /// Waits to be sent again, not before this moment.
    Waiting(Instant),
}

/// A batch from the moment its sequence is stamped (P-20) until its fate is known.
#[derive(Debug)]
pub(crate) struct Tracked<B> {
    pub(crate) batch: B,
    pub(crate) base_sequence: Sequence,
    pub(crate) flight: Flight,
    /// Attempts that used up the caller's retries.
    pub(crate) attempts: u32,
    /// Some attempt of this batch may have been appended (P-52).
    pub(crate) ambiguous: bool,
    /// The batch that this one was split from, if an attempt of that one may have been appended: its records are
    /// this one's too (P-67).
    pub(crate) doubtful_parent: Option<SequenceRange>,
    /// Why the last attempt that got a response did not succeed.
    pub(crate) last: Option<Obstacle>,
    /// The caller has an outcome already (P-45); kept only until the request has one too.
    pub(crate) resolved: bool,
}

impl<B: Sendable> Tracked<B> {
    /// Its records may be in the log (P-52, P-67).
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.ambiguous || self.doubtful_parent.is_some()
    }

    pub(crate) fn range(&self) -> SequenceRange {
        SequenceRange {
            base: self.base_sequence,
            end: self.end_sequence(),
        }
    }

    /// The sequence that follows this batch.
    pub(crate) fn end_sequence(&self) -> Sequence {
        self.base_sequence.advance(self.batch.record_count())
    }

    pub(crate) fn is_on_wire(&self) -> bool {
        matches!(self.flight, Flight::OnWire(_))
    }
}

/// All partitions of a producer, by their ids.
#[derive(Debug)]
pub(crate) struct Partitions<B>(Vec<PartitionState<B>>);

impl<B: Sendable> Partitions<B> {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a partition; ids are given out in order from 0, and no partition is ever removed.
    pub(crate) fn add(&mut self) -> PartitionId {
        let id = PartitionId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.push(PartitionState::new());
        id
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = PartitionId> + use<B> {
        (0..u32::try_from(self.0.len()).unwrap_or(u32::MAX)).map(PartitionId)
    }

    /// For an id that comes from outside of the sender.
    pub(crate) fn find(&self, id: PartitionId) -> Option<&PartitionState<B>> {
        self.0.get(id.0 as usize)
    }

    /// For an id that comes from outside of the sender.
    pub(crate) fn find_mut(&mut self, id: PartitionId) -> Option<&mut PartitionState<B>> {
        self.0.get_mut(id.0 as usize)
    }

    #[cfg(any(test, feature = "_fuzzing"))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &PartitionState<B>> {
        self.0.iter()
    }

    #[cfg(any(test, feature = "_fuzzing"))]
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut PartitionState<B>> {
        self.0.iter_mut()
    }
}

impl<B> Index<PartitionId> for Partitions<B> {
    type Output = PartitionState<B>;

    #[expect(
        clippy::indexing_slicing,
        reason = "the ids in the sender's lists and requests came from `add` or passed `find_mut`, and none is removed"
    )]
    fn index(&self, id: PartitionId) -> &PartitionState<B> {
        &self.0[id.0 as usize]
    }
}

impl<B> IndexMut<PartitionId> for Partitions<B> {
    #[expect(
        clippy::indexing_slicing,
        reason = "the ids in the sender's lists and requests came from `add` or passed `find_mut`, and none is removed"
    )]
    fn index_mut(&mut self, id: PartitionId) -> &mut PartitionState<B> {
        &mut self.0[id.0 as usize]
    }
}

/// Sequence state and unresolved batches of one partition.
#[derive(Debug)]
pub(crate) struct PartitionState<B> {
    pub(crate) leader: Option<Leader>,
    /// The leader rejected a batch: fresh metadata must name it before the next request.
    pub(crate) leader_stale: bool,
    /// Why no leader is known.
    pub(crate) leader_trouble: Option<Arc<Error>>,
    /// What a batch may have before compression, learnt from MESSAGE_TOO_LARGE (P-65).
    pub(crate) batch_bytes_max: Option<usize>,
    /// Whose counter `next_sequence` is (P-13).
    pub(crate) identity: ProducerIdentity,
    pub(crate) next_sequence: Sequence,
    /// The sequence that follows the last acknowledged record of this identity.
    pub(crate) acknowledged_end: Sequence,
    /// The offset of the last acknowledged record of this identity (P-25).
    pub(crate) last_acknowledged_offset: Option<i64>,
    /// In order of `base_sequence`.
    pub(crate) in_flight: VecDeque<Tracked<B>>,
    /// The sequence that follows the last batch whose fate is unknown (P-72).
    pub(crate) unresolved: Option<Sequence>,
    /// The first sequence that is proved missing from the log: nothing from here on can be appended
    /// under `identity`, so once everything before it is resolved the epoch rises (P-60).
    pub(crate) gap: Option<Sequence>,
    /// Something before the gap, or behind it, may be in the log all the same.
    gap_in_doubt: bool,
    /// The gap is closed under the same epoch: the broker said that it has no state left (P-59c).
    pub(crate) restart: bool,
    /// The connection that acknowledged a batch under `identity`: more than one in flight only there (P-35).
    pub(crate) confirmed_connection: Option<u64>,
    /// In the sender's list of partitions with work.
    pub(crate) listed: bool,
}

impl<B: Sendable> PartitionState<B> {
    pub(crate) fn new() -> Self {
        Self {
            leader: None,
            leader_stale: false,
            leader_trouble: None,
            batch_bytes_max: None,
            identity: ProducerIdentity::NONE,
            next_sequence: Sequence::ZERO,
            acknowledged_end: Sequence::ZERO,
            last_acknowledged_offset: None,
            in_flight: VecDeque::new(),
            unresolved: None,
            gap: None,
            gap_in_doubt: false,
            restart: false,
            confirmed_connection: None,
            listed: false,
        }
    }

    /// Starts the counter of `identity` at 0 for what is sent next (P-14, P-64); other partitions go on (L-5).
    pub(crate) fn adopt(&mut self, identity: ProducerIdentity) {
        self.identity = identity;
        self.next_sequence = Sequence::ZERO;
        self.acknowledged_end = Sequence::ZERO;
        self.last_acknowledged_offset = None;
        self.unresolved = None;
        self.gap = None;
        self.gap_in_doubt = false;
        self.restart = false;
        self.confirmed_connection = None;
    }

    /// Moves the partition to `identity` and numbers what is left from 0, in order (P-60).
    ///
    /// Only for batches that are proved not appended, now and later: all behind the gap, none on the wire, and
    /// none of which an attempt went unanswered (P-61).
    pub(crate) fn renumber(&mut self, identity: ProducerIdentity) {
        self.adopt(identity);
        for tracked in &mut self.in_flight {
            tracked.base_sequence = self.next_sequence;
            self.next_sequence = self.next_sequence.advance(tracked.batch.record_count());
            debug_assert!(!tracked.is_in_doubt());
        }
    }

    /// True when the gap is all that is left: no batch on the wire and none before the gap.
    pub(crate) fn is_ready_to_renumber(&self) -> bool {
        let Some(gap) = self.gap else { return false };
        self.in_flight
            .iter()
            .all(|t| !t.is_on_wire() && !t.base_sequence.is_before(gap))
    }

    /// True when `base` lies behind a proved gap.
    pub(crate) fn is_behind_gap(&self, base: Sequence) -> bool {
        self.gap.is_some_and(|gap| !base.is_before(gap))
    }

    /// Notes a proved gap at `base`; the earliest one counts.
    pub(crate) fn note_gap(&mut self, base: Sequence) {
        self.gap = Some(match self.gap {
            Some(gap) if gap.is_before(base) => gap,
            _ => base,
        });
    }

    /// What is still in doubt when nothing is in flight any more leaves a gap that may be none (P-74).
    pub(crate) fn note_gap_in_doubt(&mut self) {
        if let Some(unresolved) = self.unresolved.take() {
            self.note_gap(unresolved);
            self.gap_in_doubt = true;
        }
    }

    /// Counts on from the gap under the same identity, once it is proved that no batch from there on is in the log,
    /// now or later (P-50): all are resolved, and none of them is in doubt.
    pub(crate) fn count_on_from_gap(&mut self) {
        let proved = self.in_flight.is_empty() && self.unresolved.is_none() && !self.gap_in_doubt;
        let gap = self
            .gap
            .filter(|gap| proved && !gap.is_before(self.acknowledged_end));
        if let Some(gap) = gap {
            self.next_sequence = gap;
            self.gap = None;
        }
    }

    /// Notes that the batch that ends at `end` may or may not be in the log (P-72).
    pub(crate) fn note_unresolved(&mut self, end: Sequence) {
        self.unresolved = Some(match self.unresolved {
            Some(unresolved) if end.is_before(unresolved) => unresolved,
            _ => end,
        });
    }

    /// Takes note of an acknowledgement (P-25) and drops a doubt that it settles (P-74).
    pub(crate) fn acknowledge(&mut self, end: Sequence, last_offset: Option<i64>) {
        if self.acknowledged_end.is_before(end) {
            self.acknowledged_end = end;
            self.last_acknowledged_offset = last_offset.or(self.last_acknowledged_offset);
        }
        if self
            .unresolved
            .is_some_and(|u| !self.acknowledged_end.is_before(u))
        {
            self.unresolved = None;
        }
    }

    /// A batch from `base` on was appended just now, in sequence: no batch of another extent that includes `base`
    /// was or will be appended under this identity, because `base` would have been used up (P-24, P-67).
    pub(crate) fn settle_parents(&mut self, base: Sequence) {
        for tracked in &mut self.in_flight {
            tracked
                .doubtful_parent
                .take_if(|parent| parent.contains(base));
        }
    }

    pub(crate) fn on_wire_count(&self) -> usize {
        self.in_flight.iter().filter(|t| t.is_on_wire()).count()
    }

    pub(crate) fn position_of(&self, request: RequestId) -> Option<usize> {
        self.in_flight
            .iter()
            .position(|t| t.flight == Flight::OnWire(request))
    }
}
