//! Chooses the steps of a sequence: from a seed, and from what the answers so far have taught.

use super::step::{Answer, At, Id, Learnt, Partition, Produce, Step, Who};
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet};

const IDS: usize = 2;

/// Which protocol the clients of a sequence speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// AddPartitionsToTxn before Produce, and epochs that stay.
    Version1,
    /// The same, without even the requests that brokers send each other.
    OnlyVersion1,
    /// Produce adds, and each end bumps.
    Version2,
    /// Both by turns, which no client may do and no broker forbids (T-6).
    Mixed,
}

type Choose = fn(&mut Generator) -> Step;

#[derive(Debug)]
pub(super) struct Generator {
    rng: Rng,
    style: Style,
    /// Who has each transactional id.
    holders: BTreeMap<Id, Who>,
    /// Producers without one.
    plain: Vec<Who>,
    /// All that were met, the older ones too.
    met: Vec<Who>,
    /// Base sequence and length of the batches that are there, the newest last.
    written: BTreeMap<(Who, Partition), Vec<(i32, i32)>>,
    added: BTreeSet<(Id, Partition)>,
    ends: BTreeMap<Partition, i64>,
}

impl Generator {
    /// For brokers with this `transaction.version`.
    pub(super) fn new(seed: u64, transaction_version: u8) -> Self {
        let mut rng = Rng::with_seed(seed);
        let style = match rng.u8(0..10) {
            // Kafka answers UNSUPPORTED_VERSION to what version 2 asks for: docs/BROKER.md lists it.
            _ if transaction_version == 0 => Style::OnlyVersion1,
            0..4 => Style::Version1,
            4..8 => Style::Version2,
            _ => Style::Mixed,
        };
        Self {
            rng,
            style,
            holders: BTreeMap::new(),
            plain: Vec::new(),
            met: Vec::new(),
            written: BTreeMap::new(),
            added: BTreeSet::new(),
            ends: BTreeMap::new(),
        }
    }

    /// What to ask when all is over: everything that can be seen.
    pub(super) fn last_look() -> Vec<Step> {
        let mut steps = Vec::new();
        for partition in (0..Partition::COUNT).map(Partition) {
            for committed in [false, true] {
                steps.push(Step::Fetch {
                    version: 12,
                    partition,
                    offset: 0,
                    committed,
                });
                steps.push(Step::ListOffsets {
                    version: 7,
                    partition,
                    committed,
                    at: At::Latest,
                });
            }
            steps.push(Step::DescribeProducers(partition));
        }
        for stable in [false, true] {
            steps.push(Step::OffsetFetch { version: 8, stable });
        }
        steps.extend((0..IDS).map(|id| Step::DescribeTransactions(Id(id))));
        steps
    }

    pub(super) fn next(&mut self) -> Step {
        if self.holders.is_empty() {
            return self.init(Some(Id(0)));
        }
        let adds = if self.style == Style::Version2 { 3 } else { 20 };
        let weights: [(u32, Choose); 13] = [
            (8, |own| {
                let id = own.rng.bool().then_some(Id(0)).or_else(|| own.maybe_id());
                own.init(id)
            }),
            (40, Self::produce),
            (adds, Self::add_partitions),
            (adds / 3, |own| {
                let (id, who) = own.writer();
                Step::AddOffsets {
                    version: own.rng.i16(0..=4),
                    id,
                    who,
                }
            }),
            (7, Self::txn_offset_commit),
            (3, |own| Step::OffsetCommit {
                version: own.rng.i16(2..=9),
                partition: own.partition(),
                offset: own.rng.i64(0..100),
            }),
            (16, Self::end),
            (8, Self::fetch),
            (5, Self::list_offsets),
            (3, |own| Step::OffsetFetch {
                version: own.rng.i16(7..=9),
                stable: own.rng.bool(),
            }),
            (2, |own| Step::DescribeProducers(own.partition())),
            (3, |own| {
                Step::DescribeTransactions(Id(own.rng.usize(0..IDS)))
            }),
            (1, |own| own.init(None)),
        ];
        let mut at = self
            .rng
            .u32(0..weights.iter().map(|(weight, _)| weight).sum());
        for (weight, choose) in weights {
            if at < weight {
                return choose(self);
            }
            at -= weight;
        }
        unreachable!("the weights add up");
    }

    /// Takes in what a step has changed.
    pub(super) fn learn(&mut self, step: &Step, answer: &Answer) {
        match (step, &answer.learnt) {
            (_, Learnt::Nothing) => {}
            (Step::Init { id, .. }, Learnt::Identity(who)) => {
                match id {
                    Some(id) => drop(self.holders.insert(*id, *who)),
                    None => self.plain.push(*who),
                }
                self.met.push(*who);
                self.added.retain(|(added, _)| Some(*added) != *id);
            }
            (Step::EndTxn { id, .. }, Learnt::Identity(who)) => {
                self.holders.insert(*id, *who);
                self.met.push(*who);
                self.added.retain(|(added, _)| added != id);
            }
            (Step::EndTxn { id, .. }, Learnt::Ended) => {
                self.added.retain(|(added, _)| added != id);
            }
            (Step::Produce(produce), Learnt::Appended(offset)) => {
                if let Some(who) = produce.who {
                    let written = self.written.entry((who, produce.partition)).or_default();
                    let batch = (produce.sequence, produce.records);
                    if !written.contains(&batch) {
                        written.push(batch);
                    }
                }
                let end = self.ends.entry(produce.partition).or_default();
                *end = (*end).max(offset + i64::from(produce.records));
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(0..100) < percent
    }

    fn speaks_version_2(&mut self) -> bool {
        match self.style {
            Style::Version1 | Style::OnlyVersion1 => false,
            Style::Version2 => true,
            Style::Mixed => self.rng.bool(),
        }
    }

    fn maybe_id(&mut self) -> Option<Id> {
        self.chance(80).then(|| Id(self.rng.usize(0..IDS)))
    }

    fn partition(&mut self) -> Partition {
        match self.chance(3) {
            true => Partition::MISSING,
            false => Partition(self.rng.usize(0..Partition::COUNT)),
        }
    }

    /// A transactional id, and mostly who has it; sometimes somebody older, newer or other.
    fn writer(&mut self) -> (Id, Who) {
        let ids: Vec<Id> = self.holders.keys().copied().collect();
        let id = match self.chance(2) {
            true => Id(IDS),
            false => self.rng.choice(ids).unwrap_or(Id(0)),
        };
        let holder = self.holders.get(&id).copied();
        let who = holder.unwrap_or(Who {
            producer: None,
            epoch: 0,
        });
        (id, self.sometimes_other(who))
    }

    fn sometimes_other(&mut self, who: Who) -> Who {
        match self.rng.u8(0..100) {
            0..7 => self.rng.choice(&self.met).copied().unwrap_or(who),
            7..10 => Who {
                epoch: who.epoch + 1,
                ..who
            },
            10..13 => Who {
                epoch: (who.epoch - 1).max(0),
                ..who
            },
            13 => Who {
                producer: None,
                ..who
            },
            _ => who,
        }
    }

    /// Beside a transaction nobody checks an epoch. One ahead of the coordinator's would have the partition
    /// refuse the transaction's marker, and the transaction would never end: a test of the embedded broker
    /// has that case.
    fn not_ahead(&self, who: Who) -> Who {
        let holders = self.holders.values();
        let same = holders.filter(|holder| holder.producer == who.producer);
        let newest = same.map(|holder| holder.epoch).max();
        Who {
            epoch: newest.map_or(who.epoch, |newest| who.epoch.min(newest)),
            ..who
        }
    }

    fn init(&mut self, id: Option<Id>) -> Step {
        let version = self.rng.i16(0..=5);
        let holder = id.and_then(|id| self.holders.get(&id).copied());
        let who = match holder {
            Some(who) if version >= 3 && self.chance(60) => Some(self.sometimes_other(who)),
            _ => None,
        };
        let timeout_ms = match self.rng.u8(0..30) {
            0 => 0,
            1 => -1,
            2 => 900_001,
            _ => 60_000,
        };
        Step::Init {
            version,
            id,
            who,
            timeout_ms,
        }
    }

    fn produce(&mut self) -> Step {
        let (version, (id, who)) = match self.speaks_version_2() {
            true => (12, self.writer()),
            false => (self.rng.i16(3..=11), self.writer()),
        };
        let partition = self.partition();
        let mut produce = Produce {
            version,
            id: Some(id),
            who: Some(who),
            transactional: true,
            partition,
            sequence: 0,
            records: self.rng.i32(1..=3),
            time: self.rng.i64(0..1_000) * 100,
            acks: if self.chance(90) { -1 } else { 1 },
        };
        match self.rng.u8(0..100) {
            // Nobody in particular.
            0..4 => {
                produce.who = None;
                produce.id = None;
                produce.transactional = false;
                produce.sequence = -1;
                return Step::Produce(produce);
            }
            // A producer that only numbers its records.
            4..14 if !self.plain.is_empty() => {
                let who = self.rng.choice(&self.plain).copied();
                produce.who = who.map(|who| self.sometimes_other(who));
                produce.id = None;
                produce.transactional = false;
            }
            // One with a transactional id that writes beside its transaction.
            14..17 => {
                produce.transactional = false;
                produce.id = self.rng.bool().then_some(id);
            }
            17 => produce.id = None,
            18 => produce.time = 10 * 24 * 3_600_000,
            _ => {}
        }
        if !produce.transactional {
            produce.who = produce.who.map(|who| self.not_ahead(who));
        }
        let written = produce
            .who
            .and_then(|who| self.written.get(&(who, partition)));
        let written = written.cloned().unwrap_or_default();
        self.number(&mut produce, &written);
        self.mostly_add_first(&produce)
            .unwrap_or(Step::Produce(produce))
    }

    /// Under version 1 a partition has to be added before; mostly it is.
    fn mostly_add_first(&mut self, produce: &Produce) -> Option<Step> {
        let (id, who) = (produce.id?, produce.who?);
        let version_1 = produce.version < 12 && produce.transactional;
        let missing = !self.added.contains(&(id, produce.partition));
        if !version_1 || !missing || !self.chance(75) {
            return None;
        }
        self.added.insert((id, produce.partition));
        Some(Step::AddPartitions {
            version: self.rng.i16(0..=3),
            id,
            who,
            partitions: vec![produce.partition],
            verify_only: false,
        })
    }

    /// Mostly the sequence that comes next; sometimes an old one, a gap or the first.
    fn number(&mut self, produce: &mut Produce, written: &[(i32, i32)]) {
        let next = written
            .last()
            .map_or(0, |(base, records)| after(*base, *records));
        produce.sequence = match self.rng.u8(0..100) {
            0..9 => {
                let newest = written.len().saturating_sub(7)..written.len();
                match self.rng.choice(newest) {
                    Some(old) => {
                        let (base, records) = written[old];
                        if self.chance(85) {
                            produce.records = records;
                        }
                        base
                    }
                    None => next,
                }
            }
            9..13 => after(next, self.rng.i32(1..5)),
            13..16 => 0,
            16..18 => i32::MAX - self.rng.i32(0..3),
            _ => next,
        };
    }

    fn add_partitions(&mut self) -> Step {
        let (id, who) = self.writer();
        let count = self.rng.usize(1..=2);
        let partitions: BTreeSet<_> = (0..count).map(|_| self.partition()).collect();
        self.added.extend(partitions.iter().map(|p| (id, *p)));
        let version = match self.chance(90) || self.style == Style::OnlyVersion1 {
            true => self.rng.i16(0..=3),
            false => self.rng.i16(4..=5),
        };
        Step::AddPartitions {
            version,
            id,
            who,
            partitions: partitions.into_iter().collect(),
            verify_only: version >= 4 && self.rng.bool(),
        }
    }

    fn txn_offset_commit(&mut self) -> Step {
        let version = match self.speaks_version_2() {
            true => 5,
            false => self.rng.i16(0..=4),
        };
        let (id, who) = self.writer();
        Step::TxnOffsetCommit {
            version,
            id,
            who,
            partition: self.partition(),
            offset: self.rng.i64(0..100),
        }
    }

    fn end(&mut self) -> Step {
        let version = match self.speaks_version_2() {
            true => 5,
            false => self.rng.i16(0..=4),
        };
        let (id, mut who) = self.writer();
        // The retry of one that was answered.
        if version == 5 && self.chance(12) {
            who.epoch = (who.epoch - 1).max(0);
        }
        Step::EndTxn {
            version,
            id,
            who,
            commit: self.rng.bool(),
        }
    }

    fn fetch(&mut self) -> Step {
        let partition = self.partition();
        let end = self.ends.get(&partition).copied().unwrap_or(0);
        Step::Fetch {
            version: self.rng.i16(4..=12),
            partition,
            offset: match self.chance(50) {
                true => 0,
                false => self.rng.i64(0..=end + 4),
            },
            committed: self.chance(70),
        }
    }

    fn list_offsets(&mut self) -> Step {
        let partition = self.partition();
        let at = match self.rng.u8(0..4) {
            0 => At::Latest,
            1 => At::Earliest,
            // Where only markers are, two may bear the same time or not.
            2 if self.ends.contains_key(&partition) => At::LargestTime,
            _ => At::Time(self.rng.i64(0..1_000) * 100),
        };
        let oldest = match at {
            At::LargestTime => 7,
            At::Latest | At::Earliest | At::Time(_) => 2,
        };
        Step::ListOffsets {
            version: self.rng.i16(oldest..=9),
            partition,
            committed: self.rng.bool(),
            at,
        }
    }
}

/// The sequence behind so many records: after the largest comes 0.
fn after(sequence: i32, records: i32) -> i32 {
    sequence.wrapping_add(records) & i32::MAX
}
