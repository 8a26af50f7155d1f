//! What was seen, and what may never be.

use std::collections::{BTreeMap, BTreeSet};

use milena_codec::{ProducerIdentity, Sequence};

use super::super::types::Sendable;
use super::{Batch, Event, Outcome, Outgoing, PartitionId, SenderConfig, World, index};

/// What the sender has asked for.
#[derive(Default)]
pub(super) struct Wants {
    pub(super) connect: BTreeSet<i32>,
    pub(super) metadata: bool,
    pub(super) identity: bool,
}

/// A producer's sequences of one partition.
type Numbers = (i64, i16);

#[derive(Default)]
struct Partition {
    /// Which record each sequence was given to (P-26).
    given: BTreeMap<(Numbers, i32), u64>,
    /// The sequence that must follow under each identity: none is left out (P-20).
    next: BTreeMap<Numbers, Sequence>,
    /// Under which numbers each record was sent last.
    stamps: BTreeMap<u64, (Numbers, i32)>,
    /// Identities whose numbers begin again, because their leader forgot them (P-59c).
    restarts: BTreeSet<Numbers>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    Acknowledged,
    NotAppended,
    Unknown,
}

/// Everything that was seen of the sender.
pub(super) struct Seen {
    partitions: Vec<Partition>,
    idempotent: bool,
    transactional: bool,
    told: BTreeMap<u64, Told>,
    /// Records of which an attempt was not answered, or not clearly.
    doubts: BTreeSet<u64>,
    pub(super) has_ended: bool,
}

fn numbers(identity: ProducerIdentity) -> Numbers {
    (identity.producer_id.0, identity.producer_epoch.0)
}

impl Seen {
    pub(super) fn new(partitions: u32, config: &SenderConfig) -> Self {
        Self {
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
            idempotent: config.idempotent,
            transactional: config.transactional,
            told: BTreeMap::new(),
            doubts: BTreeSet::new(),
            has_ended: false,
        }
    }

    pub(super) fn begin_at(&mut self, identity: ProducerIdentity, next: Sequence) {
        for partition in &mut self.partitions {
            partition.next.insert(numbers(identity), next);
        }
    }

    pub(super) fn in_doubt(&mut self, batch: &Batch) {
        self.doubts.extend(batch.ids());
    }

    /// A leader forgot its producers: in a transaction the sequences begin again under the same epoch.
    pub(super) fn forgot(&mut self, partition: PartitionId, transactional: bool) {
        let partition = &mut self.partitions[index(partition)];
        if transactional {
            partition.restarts.extend(partition.next.keys());
        }
    }

    /// What must hold of whatever goes out.
    pub(super) fn look_at(&mut self, outgoing: &Outgoing<Batch>) {
        let batch = &outgoing.batch;
        for id in batch.ids() {
            assert!(
                !self.told.contains_key(&id),
                "{id} was told and is sent again"
            );
        }
        if !self.idempotent {
            assert_eq!(outgoing.stamp.base_sequence, Sequence::NONE, "P-3");
            return;
        }
        let partition = &mut self.partitions[index(outgoing.partition)];
        let base = outgoing.stamp.base_sequence;
        let identity = numbers(outgoing.stamp.producer);
        let stamp = (identity, base.0);
        let before = partition.stamps.insert(batch.first, stamp);
        if before.is_some_and(|before| before != stamp) {
            let is_in_doubt = batch.ids().any(|id| self.doubts.contains(&id));
            assert!(
                !is_in_doubt,
                "P-61: {batch:?} may be in the log as {before:?}"
            );
        }
        if partition.restarts.contains(&identity) {
            return;
        }
        // P-50: in a transaction, what is proved not to be in the log leaves its sequences to the next.
        let is_free =
            |owner: u64| self.transactional && self.told.get(&owner) == Some(&Told::NotAppended);
        let owner = partition.given.get(&stamp).copied();
        if owner.is_none_or(is_free) {
            let next = partition
                .next
                .get(&identity)
                .copied()
                .unwrap_or(Sequence::ZERO);
            assert!(
                base == next || owner.is_some(),
                "P-20: {outgoing:?} and not {next}"
            );
            partition
                .next
                .insert(identity, base.advance(batch.record_count()));
        }
        for (offset, id) in (0..).zip(batch.ids()) {
            let place = (identity, base.advance(offset).0);
            let owner = partition.given.insert(place, id).unwrap_or(id);
            assert!(
                owner == id || is_free(owner),
                "P-26: {place:?} was given to {owner} and {id}"
            );
        }
    }

    fn tell(&mut self, batch: &Batch, told: Told) {
        for id in batch.ids() {
            let before = self.told.insert(id, told);
            assert_eq!(before, None, "P-45: {id} was told twice");
        }
    }

    pub(super) fn is_acknowledged(&self, record: u64) -> bool {
        self.told.get(&record) == Some(&Told::Acknowledged)
    }

    /// Whether the fate of any of its records was told.
    pub(super) fn is_told(&self, batch: &Batch) -> bool {
        batch.ids().any(|id| self.told.contains_key(&id))
    }

    pub(super) fn are_all_told(&self, records: u64) -> bool {
        self.told.len() as u64 == records
    }

    pub(super) fn assert_all_told(&self, records: u64) {
        for id in 0..records {
            assert!(self.told.contains_key(&id), "{id} was never told its fate");
        }
    }
}

impl World {
    /// Takes what the sender tells, and what its queues failed.
    pub(super) fn listen(&mut self) {
        while let Some(event) = self.sender.poll_event() {
            match event {
                Event::Completed {
                    partition,
                    batch,
                    result: Ok(appended),
                } => {
                    self.seen.tell(&batch, Told::Acknowledged);
                    let records = &self.logs[index(partition)].records;
                    if let Some(offset) = appended.base_offset {
                        let at = usize::try_from(offset).unwrap_or(usize::MAX);
                        assert_eq!(records.get(at), Some(&batch.first), "a wrong offset");
                    }
                }
                Event::Completed {
                    batch,
                    result: Err(failure),
                    ..
                } => {
                    self.transaction.is_closed = self.config.transactional;
                    let told = match failure.outcome {
                        Outcome::NotAppended => Told::NotAppended,
                        Outcome::Unknown => Told::Unknown,
                    };
                    self.seen.tell(&batch, told);
                }
                Event::Split {
                    batch, children, ..
                } => {
                    let of_children: Vec<_> = children.iter().flat_map(Batch::ids).collect();
                    assert!(batch.ids().eq(of_children), "P-65");
                }
                Event::DataLossSuspected { .. } => {}
                Event::Fatal { .. } => {
                    self.seen.has_ended = true;
                    self.fail_queued();
                }
            }
        }
        for batch in std::mem::take(&mut self.queues.expired) {
            self.seen.tell(&batch, Told::NotAppended);
        }
    }

    /// What must hold at any time.
    pub(super) fn check(&self) {
        let tracked: usize = self
            .sender
            .partitions
            .iter()
            .map(|p| p.in_flight.len())
            .sum();
        assert_eq!(self.sender.unresolved_batches(), tracked, "T-34");
        for state in self.sender.partitions.iter() {
            assert!(state.on_wire_count() <= self.config.in_flight_max, "P-23");
        }
        for log in self.logs.iter().filter(|_| self.config.idempotent) {
            let sorted = log.records.is_sorted_by(|one, other| one < other);
            assert!(sorted, "each record once, and in order: {:?}", log.records);
        }
        let logged: BTreeSet<_> = self.logs.iter().flat_map(|log| &log.records).collect();
        for (id, told) in &self.seen.told {
            match told {
                Told::Acknowledged => assert!(logged.contains(id), "{id} is not in the log"),
                Told::NotAppended => assert!(!logged.contains(id), "P-52: {id} is in the log"),
                Told::Unknown => {}
            }
        }
    }
}
