//! Any sequence of operations on the reading of partitions, against logs whose truth is known from how they were made.
//!
//! Two bytes are an operation and its argument: the logs grow, transactions end, leaders move; the application seeks,
//! pauses and polls, during which the consumer's task goes on; brokers answer truly, with any error code, or not at
//! all. What may never happen is asserted after every operation. The property test and the fuzz target are two sources
//! of bytes.

#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a broken invariant is told by a panic"
)]

mod brokers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use milena_codec::Limits;
use uuid::Uuid;

use super::super::opening::open;
use super::super::position::ResetTarget;
use super::super::position::{FetchState, Leader};
use super::super::test_log::{Log, Outcome};
use super::backoff::Backoff;
use super::fault::Fault;
use super::lookup::{ResetPlan, ValidationPlan};
use super::machine::{FetchPlan, FetchSupport, Machine, MetadataView, PartitionView, Settings};
use crate::types::{IsolationLevel, OffsetReset, Position, TopicPartition};

/// A longer run finds no more, and takes longer.
const OPERATIONS_MAX: usize = 400;
const PARTITIONS: usize = 2;
const BROKERS: i32 = 2;
pub(crate) const WAIT: Duration = Duration::from_millis(500);

/// What the application knows of one partition.
#[derive(Clone, Copy, Debug, Default)]
struct Reader {
    /// Everything below was delivered or is not to be seen; `None` until a position is found.
    at: Option<i64>,
    /// The position may be given up: by a seek, or because a broker said that it is out of range.
    may_reset: bool,
    /// What a lookup was answered with.
    reset_to: Option<i64>,
    paused: bool,
}

struct World {
    now: Instant,
    machine: Machine,
    isolation_level: IsolationLevel,
    prefetch_bytes_max: usize,
    logs: Vec<Log>,
    /// Who leads each partition, in truth.
    leaders: Vec<Leader>,
    readers: Vec<Reader>,
    connecting: BTreeSet<i32>,
    fetches: BTreeMap<i32, FetchPlan>,
    resets: Vec<ResetPlan>,
    validations: Vec<ValidationPlan>,
    metadata_asked: bool,
}

/// Runs the operations in `data` from `start` on, then lets everything settle. Panics if an invariant is broken.
pub(crate) fn run(data: &[u8], start: Instant) {
    let Some((&[mode, bound], operations)) = data.split_first_chunk() else {
        return;
    };
    let mut world = World::new(mode, bound, start);
    for &[operation, argument] in operations.as_chunks().0.iter().take(OPERATIONS_MAX) {
        world.apply(operation, argument);
        world.check();
    }
    world.settle();
}

/// The settings of every test of the machine, but for what the test is about.
pub(crate) fn settings() -> Settings {
    Settings {
        isolation_level: IsolationLevel::ReadCommitted,
        offset_reset: OffsetReset::Earliest,
        fetch_wait_max: WAIT,
        partition_fetch_bytes_max: 1 << 16,
        prefetch_bytes_max: 1 << 20,
        decompressed_bytes_max: 1 << 20,
        preferred_replica_lease: Duration::from_secs(300),
        unknown_partition_timeout: Duration::from_secs(1),
        stall_timeout: Duration::from_secs(30),
        throttle_max: Duration::from_secs(30),
        backoff: Backoff {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(1),
        },
        seed: 7,
    }
}

fn name(partition: usize) -> TopicPartition {
    TopicPartition::new("t", i32::try_from(partition).unwrap_or(i32::MAX))
}

fn number(name: &TopicPartition) -> usize {
    usize::try_from(name.partition()).unwrap_or(usize::MAX)
}

impl World {
    fn new(mode: u8, bound: u8, now: Instant) -> Self {
        let isolation_level = if mode.is_multiple_of(4) {
            IsolationLevel::ReadUncommitted
        } else {
            IsolationLevel::ReadCommitted
        };
        let prefetch_bytes_max = usize::from(bound) * 20 + 1;
        let offset_reset = if mode & 0x40 == 0 {
            OffsetReset::Earliest
        } else {
            OffsetReset::Latest
        };
        let mut machine = Machine::new(Settings {
            isolation_level,
            offset_reset,
            prefetch_bytes_max,
            seed: u64::from(mode),
            ..settings()
        });
        let names: Vec<_> = (0..PARTITIONS).map(name).collect();
        machine.assign(&names);
        let leader = |broker| Leader {
            broker: Some(broker),
            epoch: Some(0),
        };
        Self {
            now,
            machine,
            isolation_level,
            prefetch_bytes_max,
            logs: vec![Log::default(); PARTITIONS],
            leaders: (1..=BROKERS).map(leader).collect(),
            readers: vec![
                Reader {
                    may_reset: true,
                    ..Reader::default()
                };
                PARTITIONS
            ],
            connecting: BTreeSet::new(),
            fetches: BTreeMap::new(),
            resets: Vec::new(),
            validations: Vec::new(),
            metadata_asked: false,
        }
    }

    fn apply(&mut self, operation: u8, argument: u8) {
        let at = usize::from(argument) % PARTITIONS;
        let broker = i32::from(argument % 2) + 1;
        let producer_id = i64::from(argument / 2 % 3);
        let count = usize::from(argument / 8 % 4) + 1;
        match operation % 28 {
            0..=2 => self.logs[at].append(producer_id, count, true),
            3 => self.logs[at].append(producer_id, count, argument & 0x80 == 0),
            4 => self.logs[at].append(-1, count, false),
            5 => self.logs[at].end(producer_id, Outcome::Commit),
            6 => self.logs[at].end(producer_id, Outcome::Abort),
            7 => self.elect(at),
            8 => self.seek(at, argument),
            9 => self.pause(at, true),
            10 | 11 => self.pause(at, false),
            12..=14 => self.poll(),
            15 | 16 => self.begin(broker),
            17 | 18 => self.answer_fetch(broker, usize::from(argument) * 8 + 1),
            19 => self.refuse_fetch(broker, argument),
            20 => self.lose_fetch(broker),
            21 => self.answer_lookups(None),
            22 => self.answer_lookups(Some(argument)),
            23 => self.answer_metadata(argument),
            24..=26 => self.take(usize::from(argument % 8) + 1, argument / 8),
            _ => self.now += Duration::from_millis(u64::from(argument) * 10),
        }
    }

    fn elect(&mut self, at: usize) {
        self.logs[at].elect();
        let leader = &mut self.leaders[at];
        leader.broker = leader.broker.map(|broker| BROKERS + 1 - broker);
        leader.epoch = leader.epoch.map(|epoch| epoch + 1);
    }

    fn seek(&mut self, at: usize, argument: u8) {
        let to = match argument / 4 % 8 {
            0 => Position::Earliest,
            1 => Position::Latest,
            n => Position::Offset(self.logs[at].high_watermark() * i64::from(n - 2) / 5),
        };
        self.machine.seek(&name(at), to).expect("it is assigned");
        let reader = &mut self.readers[at];
        reader.reset_to = None;
        if let Position::Offset(offset) = to {
            reader.at = Some(offset);
        } else {
            reader.at = None;
            reader.may_reset = true;
        }
    }

    fn pause(&mut self, at: usize, paused: bool) {
        let changed = if paused {
            self.machine.pause(&name(at))
        } else {
            self.machine.resume(&name(at))
        };
        changed.expect("it is assigned");
        self.readers[at].paused = paused;
    }

    /// Everything that the machine wants done now is noted.
    fn poll(&mut self) {
        let work = self.machine.poll(self.now);
        if let Some(at) = work.wake_at {
            assert!(at > self.now, "a wait that is over");
        }
        self.metadata_asked |= work.refresh_metadata.is_some();
        if !work.fetches.is_empty() {
            let waiting = self.machine.partitions.values().filter(|p| !p.paused);
            let bytes: usize = waiting.map(|p| p.buffered_bytes).sum();
            assert!(bytes < self.prefetch_bytes_max, "{bytes} wait to be taken");
        }
        for broker in work.fetches {
            assert!(
                !self.fetches.contains_key(&broker),
                "R-80: two fetches of {broker}"
            );
            assert!(
                self.connecting.insert(broker),
                "R-80: two fetches of {broker}"
            );
        }
        self.resets.extend(work.resets);
        self.validations.extend(work.validations);
        for plan in &self.resets {
            assert!(!plan.partitions.is_empty());
        }
    }

    /// A connection is there: the request is written.
    fn begin(&mut self, broker: i32) {
        if !self.connecting.remove(&broker) {
            return;
        }
        self.check();
        let support = FetchSupport {
            sessions: true,
            topic_ids: true,
        };
        let Some(plan) = self.machine.begin_fetch(self.now, broker, support) else {
            return;
        };
        for (name, asked) in &*plan.asked {
            let at = number(name);
            let reader = &self.readers[at];
            assert!(!reader.paused, "R-37: {name:?} is paused");
            assert!(reader.at.is_some_and(|at| at <= asked.fetch_offset), "R-70");
            assert!(asked.fetch_offset <= self.logs[at].high_watermark());
        }
        self.fetches.insert(broker, plan);
    }

    /// What the consumer's task does while a poll opens what it took.
    fn meanwhile(&mut self, what: u8) {
        for broker in 1..=BROKERS {
            if what & 1 << (broker - 1) != 0 {
                self.answer_fetch(broker, 1_000);
            }
        }
        if what & 4 != 0 {
            self.answer_metadata(u8::MAX);
        }
        if what & 8 != 0 {
            self.poll();
        }
        if what & 16 != 0 {
            self.answer_lookups(None);
        }
    }

    /// A poll of the application's.
    fn take(&mut self, records_max: usize, meanwhile: u8) {
        self.check();
        let taken = self.machine.take(records_max);
        self.meanwhile(meanwhile);
        match &taken.fault {
            None | Some((_, Fault::Refused { .. } | Fault::Unknown { .. })) => {}
            Some((name, fault)) => panic!("{name:?}: {fault}"),
        }
        let opened = open(taken, records_max, &Limits::default());
        let (records, any_failed) = opened.settle(&mut self.machine);
        assert!(!any_failed, "batches are as they were written");
        assert!(records.len() <= records_max);
        for record in &records {
            let at = usize::try_from(record.partition).expect("not negative");
            assert!(!self.readers[at].paused, "R-37");
            self.deliver(at, record.offset);
        }
    }

    /// The next record that may be seen, and no other: none aborted, open, of the broker's own, or left out.
    fn deliver(&mut self, at: usize, offset: i64) {
        let from = self.readers[at].at.expect("a record without a position");
        let visible = self.logs[at].visible(self.isolation_level, from);
        assert_eq!(
            visible.first(),
            Some(&offset),
            "R-10, R-20, R-30, from {from}"
        );
        self.readers[at].at = Some(offset + 1);
    }

    /// Positions go on, unless they were moved.
    fn check(&mut self) {
        for at in 0..PARTITIONS {
            let partition = self.machine.partition(&name(at)).expect("it is assigned");
            let reader = &mut self.readers[at];
            match (partition.position.known(), partition.position.state()) {
                (Some(position), _) => {
                    if reader.at.is_none() {
                        assert_eq!(reader.reset_to, Some(position.offset), "R-41");
                        reader.may_reset = false;
                    }
                    let before = reader.at.unwrap_or(position.offset);
                    assert!(position.offset >= before, "{at} went back from {before}");
                    let skipped = self.logs[at].visible(self.isolation_level, before);
                    let is_skipped = skipped
                        .first()
                        .is_some_and(|first| *first < position.offset);
                    assert!(!is_skipped, "{at}: {skipped:?} skipped to {position:?}");
                    reader.at = Some(position.offset);
                }
                (None, FetchState::AwaitReset(_)) => {
                    assert!(reader.may_reset, "R-42: {at} lost its position");
                    reader.at = None;
                }
                (None, _) => assert!(reader.at.is_none(), "{at} lost its position"),
            }
            let buffered: usize = partition
                .buffer
                .iter()
                .map(super::batches::Buffered::bytes)
                .sum();
            assert_eq!(buffered, partition.buffered_bytes);
        }
    }

    /// With brokers that answer truly, everything that may be seen is delivered.
    fn settle(&mut self) {
        for at in 0..PARTITIONS {
            self.pause(at, false);
        }
        for _ in 0..400 {
            self.poll();
            self.answer_metadata(u8::MAX);
            self.answer_lookups(None);
            for broker in 1..=BROKERS {
                self.begin(broker);
                self.answer_fetch(broker, 1_000);
            }
            self.take(usize::MAX, 0);
            self.check();
            self.now += WAIT;
            if (0..PARTITIONS).all(|at| self.is_at_end(at)) {
                return;
            }
        }
        panic!("no progress: {:?} {:?}", self.readers, self.machine);
    }

    fn is_at_end(&self, at: usize) -> bool {
        let Some(position) = self.readers[at].at else {
            return false;
        };
        position == self.logs[at].end_of_reading(self.isolation_level, position)
    }
}
