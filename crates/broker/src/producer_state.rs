//! What a partition's log knows of the producers that write to it: epochs, the last five batches of each,
//! and the transactions that are open.

use crate::Time;
use milena_codec::{ErrorCode, ProducerEpoch, ProducerId, ProducerIdentity, Sequence};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How many of a producer's batches are remembered, to recognise repetitions (P-23).
const BATCHES_REMEMBERED: usize = 5;
/// The term of a coordinator before any marker was seen.
const NO_COORDINATOR_EPOCH: i32 = -1;

/// What a batch's header says of its place among its producer's batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) producer: ProducerIdentity,
    pub(crate) base_sequence: Sequence,
    pub(crate) last_sequence: Sequence,
    pub(crate) transactional: bool,
    pub(crate) max_timestamp: i64,
}

/// A batch that was appended, as far as a repetition of it has to be recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AppendedBatch {
    pub(crate) base_sequence: Sequence,
    pub(crate) last_sequence: Sequence,
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) timestamp: i64,
}

/// One producer, as one partition knows it.
#[derive(Clone, Debug)]
pub(crate) struct ProducerState {
    epoch: ProducerEpoch,
    coordinator_epoch: i32,
    batches: VecDeque<AppendedBatch>,
    /// Where its open transaction begins in this log.
    open_since: Option<i64>,
    last_timestamp: i64,
}

impl ProducerState {
    fn new(epoch: ProducerEpoch) -> Self {
        Self {
            epoch,
            coordinator_epoch: NO_COORDINATOR_EPOCH,
            batches: VecDeque::new(),
            open_since: None,
            last_timestamp: -1,
        }
    }

    pub(crate) fn epoch(&self) -> ProducerEpoch {
        self.epoch
    }

    pub(crate) fn coordinator_epoch(&self) -> i32 {
        self.coordinator_epoch
    }

    pub(crate) fn open_since(&self) -> Option<i64> {
        self.open_since
    }

    pub(crate) fn last_timestamp(&self) -> i64 {
        self.last_timestamp
    }

    /// The last sequence of the current epoch; [`Sequence::NONE`] before its first batch.
    pub(crate) fn last_sequence(&self) -> Sequence {
        self.batches
            .back()
            .map_or(Sequence::NONE, |batch| batch.last_sequence)
    }

    fn enter_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.batches.clear();
            self.epoch = epoch;
        }
    }
}

/// A transactional append that has been asked about at the coordinator and did not come through yet.
#[derive(Clone, Copy, Debug)]
struct Verification {
    since: Time,
    epoch: ProducerEpoch,
    /// The lowest sequence that was turned away. A higher one may not overtake it, or it could never
    /// be appended any more.
    lowest_sequence: Sequence,
    /// The append came with Produce v12 or later: every transaction is an epoch of its own.
    bumps_epoch: bool,
}

/// How a transaction's marker is to be checked against the producer's epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MarkerRule {
    /// Versions 0 and 1: the epoch of the transaction's records, or a later one.
    NotOlder,
    /// Version 2: every end of a transaction bumps the epoch, so the marker's is above the records'. An
    /// equal one is the repetition of a marker that was already written.
    Newer,
}

/// The producers that a partition knows, by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProducerStates {
    states: BTreeMap<ProducerId, ProducerState>,
    verifications: BTreeMap<ProducerId, Verification>,
}

impl ProducerStates {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ProducerId, &ProducerState)> {
        self.states.iter().map(|(id, state)| (*id, state))
    }

    /// The batch that `candidate` repeats, if it is one of the last five of the current epoch: sequences
    /// must match at both ends (P-21, P-23).
    pub(crate) fn repeated(&self, candidate: &Candidate) -> Option<AppendedBatch> {
        let state = self.states.get(&candidate.producer.producer_id)?;
        if state.epoch != candidate.producer.producer_epoch {
            return None;
        }
        let same = |batch: &&AppendedBatch| {
            batch.base_sequence == candidate.base_sequence
                && batch.last_sequence == candidate.last_sequence
        };
        state.batches.iter().find(same).copied()
    }

    /// Whether the producer has a transaction open here, in just this epoch.
    pub(crate) fn has_open_transaction(&self, producer: ProducerIdentity) -> bool {
        self.states.get(&producer.producer_id).is_some_and(|state| {
            state.open_since.is_some() && state.epoch == producer.producer_epoch
        })
    }

    /// Notes that a transactional batch wants to be appended, and says whether the coordinator must be
    /// asked first: it must, unless the transaction already has records here.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidProducerEpoch`] for an epoch that is known to be over.
    pub(crate) fn start_verification(
        &mut self,
        producer: ProducerIdentity,
        base_sequence: Sequence,
        bumps_epoch: bool,
        now: Time,
    ) -> Result<bool, ErrorCode> {
        let ProducerIdentity {
            producer_id,
            producer_epoch: epoch,
        } = producer;
        if self
            .states
            .get(&producer_id)
            .is_some_and(|state| epoch < state.epoch)
        {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        if self.has_open_transaction(producer) {
            return Ok(false);
        }
        let verification = self
            .verifications
            .entry(producer_id)
            .or_insert(Verification {
                since: now,
                epoch,
                lowest_sequence: base_sequence,
                bumps_epoch,
            });
        if epoch > verification.epoch {
            verification.epoch = epoch;
            verification.lowest_sequence = base_sequence;
        } else if epoch == verification.epoch && base_sequence.0 < verification.lowest_sequence.0 {
            verification.lowest_sequence = base_sequence;
        }
        Ok(true)
    }

    /// Whether the batch may be appended (P-24). A repetition has been answered before this is asked.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidProducerEpoch`], [`ErrorCode::OutOfOrderSequenceNumber`], or
    /// [`ErrorCode::InvalidTxnState`] for a batch outside of the producer's open transaction (P-93).
    pub(crate) fn check(&self, candidate: &Candidate) -> Result<(), ErrorCode> {
        let state = self.states.get(&candidate.producer.producer_id);
        let epoch = candidate.producer.producer_epoch;
        if state.is_some_and(|state| epoch < state.epoch) {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        self.check_sequence(candidate, state)?;
        if state.is_some_and(|state| state.open_since.is_some()) && !candidate.transactional {
            return Err(ErrorCode::InvalidTxnState);
        }
        Ok(())
    }

    fn check_sequence(
        &self,
        candidate: &Candidate,
        state: Option<&ProducerState>,
    ) -> Result<(), ErrorCode> {
        let base = candidate.base_sequence;
        let refused = Err(ErrorCode::OutOfOrderSequenceNumber);
        if let Some(verification) = self.verifications.get(&candidate.producer.producer_id) {
            // P-24: without any state, a transaction in an epoch of its own begins at zero.
            let unknown = state.is_none_or(|state| state.batches.is_empty());
            if verification.bumps_epoch && unknown && base != Sequence::ZERO {
                return refused;
            }
            if base.0 > verification.lowest_sequence.0 {
                return refused;
            }
        }
        let Some(state) = state else {
            // P-59e: the producer may be older than our memory of it, so any number will do.
            return Ok(());
        };
        let expected = if state.epoch == candidate.producer.producer_epoch {
            match state.last_sequence() {
                Sequence::NONE => Sequence::ZERO,
                last => last.advance(1),
            }
        } else {
            Sequence::ZERO
        };
        if base == expected { Ok(()) } else { refused }
    }

    /// Remembers a batch that was appended; says whether it began a transaction.
    pub(crate) fn appended(
        &mut self,
        candidate: &Candidate,
        base_offset: i64,
        last_offset: i64,
    ) -> bool {
        let ProducerIdentity {
            producer_id,
            producer_epoch,
        } = candidate.producer;
        let state = self
            .states
            .entry(producer_id)
            .or_insert_with(|| ProducerState::new(producer_epoch));
        state.enter_epoch(producer_epoch);
        if state.batches.len() == BATCHES_REMEMBERED {
            state.batches.pop_front();
        }
        state.batches.push_back(AppendedBatch {
            base_sequence: candidate.base_sequence,
            last_sequence: candidate.last_sequence,
            base_offset,
            last_offset,
            timestamp: candidate.max_timestamp,
        });
        state.last_timestamp = candidate.max_timestamp;
        if !candidate.transactional {
            return false;
        }
        self.verifications.remove(&producer_id);
        let begins = state.open_since.is_none();
        if begins {
            state.open_since = Some(base_offset);
        }
        begins
    }

    /// Notes that a coordinator has appended something for a transaction: there are no sequences then, only
    /// epochs.
    pub(crate) fn joined(&mut self, producer: ProducerIdentity) {
        let ProducerIdentity {
            producer_id,
            producer_epoch,
        } = producer;
        self.verifications.remove(&producer_id);
        let state = self
            .states
            .entry(producer_id)
            .or_insert_with(|| ProducerState::new(producer_epoch));
        state.enter_epoch(producer_epoch);
        state.open_since.get_or_insert(0);
    }

    /// Whether a marker may be appended.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidProducerEpoch`] for a late marker, [`ErrorCode::TransactionCoordinatorFenced`]
    /// for one from a coordinator whose term is over.
    pub(crate) fn check_marker(
        &self,
        producer: ProducerIdentity,
        coordinator_epoch: i32,
        rule: MarkerRule,
    ) -> Result<(), ErrorCode> {
        let Some(state) = self.states.get(&producer.producer_id) else {
            return Ok(());
        };
        let epoch = producer.producer_epoch;
        let late = match rule {
            MarkerRule::NotOlder => epoch < state.epoch,
            MarkerRule::Newer => {
                let repeated = epoch == state.epoch
                    && (state.open_since.is_none() || epoch == ProducerEpoch::LAST);
                epoch <= state.epoch && !repeated
            }
        };
        if late {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        if coordinator_epoch < state.coordinator_epoch {
            return Err(ErrorCode::TransactionCoordinatorFenced);
        }
        Ok(())
    }

    /// Ends the producer's transaction as its marker was appended; gives the offset where it began.
    pub(crate) fn ended(
        &mut self,
        producer: ProducerIdentity,
        coordinator_epoch: i32,
        timestamp: i64,
    ) -> Option<i64> {
        let ProducerIdentity {
            producer_id,
            producer_epoch,
        } = producer;
        // The next transaction may already be waiting for this marker: its verification stays.
        let next_waits =
            |waiting: &Verification| waiting.bumps_epoch && waiting.epoch == producer_epoch;
        if !self.verifications.get(&producer_id).is_some_and(next_waits) {
            self.verifications.remove(&producer_id);
        }
        let state = self
            .states
            .entry(producer_id)
            .or_insert_with(|| ProducerState::new(producer_epoch));
        state.enter_epoch(producer_epoch);
        state.coordinator_epoch = coordinator_epoch;
        state.last_timestamp = timestamp;
        state.open_since.take()
    }

    /// Forgets producers without an open transaction that have been idle for `expiration` (P-59e, T-74).
    pub(crate) fn expire(&mut self, now: Time, expiration: Duration) {
        let idle = |since: i64| now.since(Time::from_unix_millis(since)) >= expiration;
        self.states
            .retain(|_, state| state.open_since.is_some() || !idle(state.last_timestamp));
        self.verifications
            .retain(|_, verification| now.since(verification.since) < expiration);
    }

    /// Forgets a producer; says whether it did, which it does not while a transaction is open: its marker would
    /// end nothing, and committed readers would wait for ever.
    pub(crate) fn forget(&mut self, producer_id: ProducerId) -> bool {
        let state = self.states.get(&producer_id);
        if state.is_none_or(|state| state.open_since.is_some()) {
            return false;
        }
        self.verifications.remove(&producer_id);
        self.states.remove(&producer_id).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producer(epoch: i16) -> ProducerIdentity {
        ProducerIdentity::new(ProducerId(55), ProducerEpoch(epoch))
    }

    fn batch(epoch: i16, base: i32, count: u32) -> Candidate {
        Candidate {
            producer: producer(epoch),
            base_sequence: Sequence(base),
            last_sequence: Sequence(base).advance(count - 1),
            transactional: false,
            max_timestamp: 0,
        }
    }

    fn transactional(epoch: i16, base: i32) -> Candidate {
        Candidate {
            transactional: true,
            ..batch(epoch, base, 1)
        }
    }

    /// Appends as a log does: repetition first, then the check.
    fn append(states: &mut ProducerStates, batch: Candidate, at: i64) -> Result<i64, ErrorCode> {
        if let Some(repeated) = states.repeated(&batch) {
            return Ok(repeated.base_offset);
        }
        states.check(&batch)?;
        let count = i64::from(batch.base_sequence.distance(batch.last_sequence));
        states.appended(&batch, at, at + count);
        Ok(at)
    }

    const OUT_OF_ORDER: Result<i64, ErrorCode> = Err(ErrorCode::OutOfOrderSequenceNumber);

    /// As measured on Kafka (P-21, P-23, P-24).
    #[test]
    fn the_last_five_batches_are_recognised_and_gaps_refused() {
        let states = &mut ProducerStates::default();
        for sequence in [0, 2, 4, 6, 8, 10, 12] {
            let at = i64::from(sequence);
            assert_eq!(append(states, batch(0, sequence, 2), at), Ok(at));
        }
        assert_eq!(append(states, batch(0, 12, 2), 14), Ok(12), "the last one");
        assert_eq!(append(states, batch(0, 4, 2), 14), Ok(4), "the fifth back");
        assert_eq!(
            append(states, batch(0, 2, 2), 14),
            OUT_OF_ORDER,
            "the sixth back"
        );
        assert_eq!(
            append(states, batch(0, 12, 1), 14),
            OUT_OF_ORDER,
            "other length"
        );
        assert_eq!(append(states, batch(0, 20, 1), 14), OUT_OF_ORDER, "a gap");
        assert_eq!(
            append(states, batch(1, 5, 1), 14),
            OUT_OF_ORDER,
            "new epoch, not 0"
        );
        assert_eq!(append(states, batch(1, 0, 1), 14), Ok(14), "new epoch at 0");
        let old_epoch = append(states, batch(0, 14, 1), 15);
        assert_eq!(old_epoch, Err(ErrorCode::InvalidProducerEpoch));
    }

    #[test]
    fn an_unknown_producer_may_begin_anywhere_and_wraps_at_the_end() {
        let states = &mut ProducerStates::default();
        assert_eq!(append(states, batch(0, i32::MAX - 1, 3), 15), Ok(15));
        assert_eq!(append(states, batch(0, 5, 1), 18), OUT_OF_ORDER);
        assert_eq!(append(states, batch(0, 1, 1), 18), Ok(18));
        assert_eq!(append(states, batch(0, i32::MAX - 1, 3), 19), Ok(15));
    }

    /// P-24, as measured on Kafka: under version 2 a transaction's first append here begins at zero.
    #[test]
    fn a_transaction_in_an_epoch_of_its_own_begins_at_zero() {
        let states = &mut ProducerStates::default();
        for (bumps_epoch, sequence, expected) in
            [(true, 5, OUT_OF_ORDER), (true, 0, Ok(7)), (false, 5, Ok(7))]
        {
            *states = ProducerStates::default();
            let verify =
                states.start_verification(producer(3), Sequence(sequence), bumps_epoch, Time::ZERO);
            assert_eq!(verify, Ok(true));
            assert_eq!(append(states, transactional(3, sequence), 7), expected);
        }
        let again = states.start_verification(producer(3), Sequence(6), true, Time::ZERO);
        assert_eq!(again, Ok(false), "the transaction is known here by now");
    }

    #[test]
    fn a_higher_sequence_does_not_overtake_one_that_was_turned_away() {
        let states = &mut ProducerStates::default();
        for sequence in [3, 0] {
            let verify =
                states.start_verification(producer(0), Sequence(sequence), false, Time::ZERO);
            assert_eq!(verify, Ok(true));
        }
        assert_eq!(append(states, transactional(0, 3), 0), OUT_OF_ORDER);
        assert_eq!(append(states, transactional(0, 0), 0), Ok(0));
    }

    /// P-93.
    #[test]
    fn a_plain_batch_is_refused_while_the_producer_has_a_transaction_open() {
        let states = &mut ProducerStates::default();
        assert_eq!(append(states, transactional(3, 0), 1), Ok(1));
        let plain = append(states, batch(3, 1, 1), 2);
        assert_eq!(plain, Err(ErrorCode::InvalidTxnState));
        assert_eq!(states.ended(producer(4), 0, 0), Some(1));
        assert_eq!(append(states, batch(4, 0, 1), 3), Ok(3));
    }

    /// D-45, P-26: a marker of version 2 carries a later epoch than the records; its repetition is let through.
    #[test]
    fn a_marker_of_version_2_is_newer_than_the_records_or_a_repetition() {
        let states = &mut ProducerStates::default();
        append(states, transactional(1, 0), 0).unwrap();
        let late = Err(ErrorCode::InvalidProducerEpoch);
        assert_eq!(states.check_marker(producer(1), 0, MarkerRule::Newer), late);
        assert_eq!(
            states.check_marker(producer(1), 0, MarkerRule::NotOlder),
            Ok(())
        );
        assert_eq!(
            states.check_marker(producer(0), 0, MarkerRule::NotOlder),
            late
        );
        assert_eq!(
            states.check_marker(producer(2), 5, MarkerRule::Newer),
            Ok(())
        );
        assert_eq!(states.ended(producer(2), 5, 0), Some(0));
        assert_eq!(
            states.check_marker(producer(2), 5, MarkerRule::Newer),
            Ok(())
        );
        assert_eq!(states.ended(producer(2), 5, 0), None);
        let fenced = Err(ErrorCode::TransactionCoordinatorFenced);
        assert_eq!(
            states.check_marker(producer(3), 4, MarkerRule::Newer),
            fenced
        );
    }

    #[test]
    fn an_idle_producer_expires_unless_its_transaction_is_open() {
        let states = &mut ProducerStates::default();
        append(states, batch(0, 0, 1), 0).unwrap();
        states.expire(Time::from_unix_millis(999), Duration::from_secs(1));
        assert_eq!(append(states, batch(0, 7, 1), 1), OUT_OF_ORDER);
        states.expire(Time::from_unix_millis(1_000), Duration::from_secs(1));
        assert_eq!(append(states, batch(0, 7, 1), 1), Ok(1));

        *states = ProducerStates::default();
        append(states, transactional(0, 0), 0).unwrap();
        states.expire(Time::from_unix_millis(5_000), Duration::from_secs(1));
        assert!(!states.forget(producer(0).producer_id));
        assert!(states.has_open_transaction(producer(0)));
    }
}
