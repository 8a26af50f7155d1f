//! Any sequence of requests for one transactional id, with two partitions beside its coordinator.
//!
//! Two bytes are an operation and its argument. Whoever was given an identity at some time may come back with it, in
//! either protocol. What may never happen is asserted after every operation. The property test and the fuzz target
//! are two sources of bytes.

#![expect(clippy::panic, reason = "a broken invariant is told by a panic")]

use super::{EndTxn, InitProducerId, TransactionState, TxnCoordinator, TxnPartition, TxnSettings};
use crate::Time;
use crate::producer_state::{Candidate, MarkerRule, ProducerStates};
use milena_codec::record::Marker;
use milena_codec::{ErrorCode, ProducerEpoch, ProducerIdentity, Sequence};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A longer run finds no more, and takes longer.
const OPERATIONS_MAX: usize = 400;
const PARTITIONS: u8 = 2;
const ID: &str = "tx";
const TIMEOUT_MS: i32 = 60_000;
pub(super) const SETTINGS: TxnSettings = TxnSettings {
    timeout_max: Duration::from_secs(900),
    timeout_scan: Duration::from_secs(10),
    id_expiration: Duration::from_secs(7 * 24 * 3600),
    id_expiration_scan: Duration::from_secs(3600),
    marker_delay: Duration::from_millis(1),
    two_phase_commit: false,
};

/// A record of a transaction, by the number of the transaction.
struct Entry {
    transaction: usize,
    writer: ProducerIdentity,
    fate: Option<Marker>,
}

#[derive(Default)]
struct Log {
    producers: ProducerStates,
    entries: Vec<Entry>,
}

struct World {
    coordinator: TxnCoordinator,
    now: Time,
    logs: Vec<Log>,
    /// Everyone that anybody was told to be, the newest last.
    identities: Vec<ProducerIdentity>,
    /// What each writes next to a partition.
    sequences: BTreeMap<(i64, i16, usize), Sequence>,
    /// How each transaction was decided; the last one may be open.
    decisions: Vec<Option<Marker>>,
}

/// Runs the operations in `data`, then lets everything settle. Panics if an invariant is broken.
pub(crate) fn run(data: &[u8]) {
    let Some((&[mode, epoch], operations)) = data.split_first_chunk() else {
        return;
    };
    let mut world = World::new(mode, epoch);
    for &[operation, argument] in operations.as_chunks().0.iter().take(OPERATIONS_MAX) {
        world.apply(operation, argument);
        world.check();
    }
    world.settle();
}

fn partition(number: usize) -> TxnPartition {
    TxnPartition {
        topic: Arc::from("t"),
        partition: i32::try_from(number).unwrap_or(i32::MAX),
    }
}

impl World {
    fn new(mode: u8, epoch: u8) -> Self {
        let now = Time::from_unix_millis(1_000_000);
        let version = if mode.is_multiple_of(2) { 2 } else { 1 };
        let mut world = Self {
            coordinator: TxnCoordinator::new(SETTINGS, version, now),
            now,
            logs: (0..PARTITIONS).map(|_| Log::default()).collect(),
            identities: Vec::new(),
            sequences: BTreeMap::new(),
            decisions: Vec::new(),
        };
        if mode & 0x80 != 0 {
            world.init(None);
            let last = ProducerEpoch(i16::MAX - 1 - i16::from(epoch % 8));
            world.coordinator.set_epoch(ID, last);
            world.identities.clear();
        }
        world
    }

    fn apply(&mut self, operation: u8, argument: u8) {
        let at = usize::from(argument % PARTITIONS);
        let who = self.who(argument / 2 % 8);
        match operation % 16 {
            0 => self.init(None),
            1 => self.init(who),
            2 => drop(self.add(who, at)),
            3..=7 => self.produce(who, at, operation % 16 < 6, argument),
            8 => self.end(who, Marker::Commit, true),
            9 => self.end(who, Marker::Abort, true),
            10 => self.end(who, Marker::Commit, false),
            11 => self.end(who, Marker::Abort, false),
            12 | 13 => self.write_markers(usize::from(argument % 4)),
            14 => self.pass(Duration::from_millis(u64::from(argument))),
            _ => self.pass(Duration::from_secs(u64::from(argument))),
        }
    }

    /// Mostly the newest identity, or one of those before it.
    fn who(&self, back: u8) -> Option<ProducerIdentity> {
        let back = usize::from(back.saturating_sub(4));
        let newest = self.identities.len().checked_sub(1)?;
        self.identities.get(newest.saturating_sub(back)).copied()
    }

    fn state(&self) -> Option<TransactionState> {
        Some(self.coordinator.transaction(ID)?.state())
    }

    fn client(&self) -> Option<ProducerIdentity> {
        Some(self.coordinator.transaction(ID)?.client())
    }

    fn told(&mut self, identity: ProducerIdentity, is_new: bool) {
        let is_known = self.identities.contains(&identity);
        assert!(!is_new || !is_known, "T-44: {identity} was somebody else");
        if !is_known {
            self.identities.push(identity);
        }
    }

    fn init(&mut self, expected: Option<ProducerIdentity>) {
        let before = self.state();
        let request = InitProducerId {
            transactional_id: Some(ID),
            timeout_ms: TIMEOUT_MS,
            expected,
            enable_two_phase: false,
            keep_prepared: false,
        };
        let answer = self.coordinator.init_producer_id(&request, self.now);
        if let Ok(initialized) = answer {
            assert_eq!(self.client(), Some(initialized.producer));
            assert_eq!(self.state(), Some(TransactionState::Empty));
            self.told(initialized.producer, expected.is_none());
        } else if before == Some(TransactionState::Ongoing)
            && self.state() == Some(TransactionState::PrepareAbort)
        {
            self.decide(Marker::Abort); // T-40
        }
    }

    /// AddPartitionsToTxn, or the same by a Produce of version 2.
    fn add(&mut self, who: Option<ProducerIdentity>, at: usize) -> Result<(), ErrorCode> {
        let who = who.unwrap_or(ProducerIdentity::NONE);
        let (before, client) = (self.state(), self.client());
        let added = self
            .coordinator
            .add_partitions(ID, who, [partition(at)], self.now);
        if added.is_ok() {
            assert_eq!(client, Some(who), "a zombie has added a partition");
            assert_eq!(self.state(), Some(TransactionState::Ongoing));
            if before != Some(TransactionState::Ongoing) {
                self.decisions.push(None);
            }
        }
        added
    }

    fn produce(&mut self, who: Option<ProducerIdentity>, at: usize, is_v2: bool, argument: u8) {
        let Some(who) = who else { return };
        let place = (who.producer_id.0, who.producer_epoch.0, at);
        let mut base = *self.sequences.entry(place).or_insert(Sequence::ZERO);
        if argument > 200 && base != Sequence::ZERO {
            base = base.retreat(1); // Once more.
        }
        let verified = self.logs[at]
            .producers
            .start_verification(who, base, is_v2, self.now);
        let is_part = match verified {
            Err(_) => return,
            Ok(false) => true,
            Ok(true) if is_v2 => self.add(Some(who), at).is_ok(),
            Ok(true) => {
                let asked = partition(at);
                let members = self.coordinator.verify_partitions(ID, who, [&asked]);
                members.is_ok_and(|members| members == [true])
            }
        };
        if !is_part {
            return;
        }
        let candidate = Candidate {
            producer: who,
            base_sequence: base,
            last_sequence: base,
            transactional: true,
            max_timestamp: self.now.unix_millis(),
        };
        let log = &mut self.logs[at];
        if log.producers.repeated(&candidate).is_some() || log.producers.check(&candidate).is_err()
        {
            return;
        }
        let offset = i64::try_from(log.entries.len()).unwrap_or(i64::MAX);
        log.producers.appended(&candidate, offset, offset);
        log.entries.push(Entry {
            transaction: self.decisions.len(),
            writer: who,
            fate: None,
        });
        self.sequences.insert(place, base.advance(1));
    }

    fn end(&mut self, who: Option<ProducerIdentity>, marker: Marker, bumps_epoch: bool) {
        let who = who.unwrap_or(ProducerIdentity::NONE);
        let (before, client) = (self.state(), self.client());
        let request = EndTxn {
            transactional_id: ID,
            producer: who,
            marker,
            bumps_epoch,
        };
        let Ok(next) = self.coordinator.end(&request, self.now) else {
            return;
        };
        match before {
            Some(TransactionState::Ongoing) => {
                assert_eq!(client, Some(who), "a zombie has ended a transaction");
                self.decide(marker);
            }
            Some(TransactionState::CompleteCommit) if marker == Marker::Commit => {
                assert_eq!(self.decisions.last(), Some(&Some(marker)), "T-64");
            }
            _ => assert_eq!(marker, Marker::Abort, "a commit of nothing: {before:?}"),
        }
        if bumps_epoch {
            let is_new = before == Some(TransactionState::Ongoing);
            assert_ne!(next, who, "KIP-890: every end bumps the epoch");
            self.told(next, is_new);
        }
    }

    fn decide(&mut self, marker: Marker) {
        let decision = self.decisions.last_mut();
        let Some(decision) = decision else {
            panic!("nothing was open");
        };
        assert_eq!(*decision, None, "decided twice");
        *decision = Some(marker);
    }

    /// The markers that are due reach up to so many of their partitions.
    fn write_markers(&mut self, at_most: usize) {
        while let Some(due) = self.coordinator.markers_due(self.now) {
            assert_eq!(self.decisions.last(), Some(&Some(due.marker)), "L-2");
            let rule = if due.bumps_epoch {
                MarkerRule::Newer
            } else {
                MarkerRule::NotOlder
            };
            for at in &due.partitions {
                let index = usize::try_from(at.partition).unwrap_or(usize::MAX);
                if index >= at_most {
                    continue;
                }
                let log = &mut self.logs[index];
                let checked = log.producers.check_marker(due.producer, 0, rule);
                assert_eq!(checked, Ok(()), "a marker of its own coordinator: {due:?}");
                let timestamp = self.now.unix_millis();
                log.producers.ended(due.producer, 0, timestamp);
                for entry in &mut log.entries {
                    let is_open = entry.fate.is_none();
                    if is_open && entry.writer.producer_id == due.producer.producer_id {
                        entry.fate = Some(due.marker);
                    }
                }
                self.coordinator
                    .marker_written(&due.transactional_id, at, self.now);
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        let started = self.coordinator.transaction(ID).and_then(|t| t.started());
        if self.coordinator.scan(self.now) {
            let is_late = started.is_some_and(|at| self.now.since(at) > Duration::from_secs(60));
            assert!(is_late, "T-72: aborted before its time");
            self.decide(Marker::Abort);
        }
    }

    fn check(&self) {
        let is_over = !matches!(
            self.state(),
            Some(
                TransactionState::Ongoing
                    | TransactionState::PrepareCommit
                    | TransactionState::PrepareAbort
            )
        );
        for entry in self.logs.iter().flat_map(|log| &log.entries) {
            let number = entry.transaction;
            let decision = self.decisions[number - 1];
            match entry.fate {
                None => assert!(!is_over, "transaction {number} is left open"),
                fate => assert_eq!(fate, decision, "transaction {number} is torn"),
            }
        }
        if is_over {
            assert!(self.decisions.iter().all(Option::is_some));
        }
    }

    /// A new instance takes the id over, and commits.
    fn settle(&mut self) {
        for _ in 0..4 {
            self.pass(Duration::from_millis(200));
            self.write_markers(usize::MAX);
            self.check();
            self.init(None);
        }
        let who = self.client();
        assert_eq!(who, self.identities.last().copied(), "T-40");
        self.produce(who, 0, true, 0);
        self.end(who, Marker::Commit, true);
        self.pass(Duration::from_millis(200));
        self.write_markers(usize::MAX);
        self.check();
        assert_eq!(self.state(), Some(TransactionState::CompleteCommit));
        let last = self.logs.first().and_then(|log| log.entries.last());
        let committed =
            last.is_some_and(|e| Some(e.writer) == who && e.fate == Some(Marker::Commit));
        assert!(committed, "no progress");
    }
}
