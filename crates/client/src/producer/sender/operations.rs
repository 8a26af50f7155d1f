//! Any sequence of operations on the sender, against a model of the cluster that is always right.
//!
//! Two bytes are an operation and its argument. Brokers answer truly, or with any error code at all; they lose
//! requests and answers, work on what a dead connection left behind, move leaders and forget producers. What may
//! never happen is asserted after every operation. The property test and the fuzz target are two sources of bytes.

#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a broken invariant is told by a panic"
)]

mod log;
mod network;
mod watch;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use milena_codec::{ProducerEpoch, ProducerId, ProducerIdentity, Sequence};

use self::log::Log;
use self::network::Wire;
use super::failure::{Failure, Obstacle, Outcome};
use super::types::{
    BatchSource, Event, Leader, PartitionId, PartitionResponse, Permits, ProduceOutcome,
    SendPermit, Sendable, SenderConfig, Take,
};
use super::{Outgoing, ProduceRequest, Sender};

/// A longer run finds no more, and takes longer.
const OPERATIONS_MAX: usize = 600;
const PARTITIONS: u32 = 3;
const BROKERS: i32 = 2;
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);

/// Records with the ids from `first` on.
#[derive(Debug, Clone)]
struct Batch {
    first: u64,
    records: u32,
    bytes: usize,
    created: Instant,
    lingers_until: Instant,
}

impl Batch {
    fn ids(&self) -> impl Iterator<Item = u64> + use<> {
        self.first..self.first + u64::from(self.records)
    }
}

impl Sendable for Batch {
    fn record_count(&self) -> u32 {
        self.records
    }

    fn wire_size(&self) -> usize {
        self.bytes
    }

    fn created(&self) -> Instant {
        self.created
    }

    fn plain_size(&self) -> usize {
        self.bytes
    }

    fn split(&self, _: usize) -> Option<Vec<Self>> {
        let half = self.records / 2;
        let part = |first, records| Self {
            first,
            records,
            bytes: self.bytes / 2,
            ..self.clone()
        };
        let second = self.first + u64::from(half);
        (half > 0).then(|| vec![part(self.first, half), part(second, self.records - half)])
    }
}

/// What waits without a sequence, and what of it was failed.
#[derive(Debug, Default)]
struct Queues {
    waiting: BTreeMap<PartitionId, VecDeque<Batch>>,
    expired: Vec<Batch>,
}

impl BatchSource<Batch> for Queues {
    fn take(&mut self, partition: PartitionId, now: Instant) -> Take<Batch> {
        let queue = self.waiting.entry(partition).or_default();
        match queue.front() {
            None => Take::Empty,
            Some(first) if first.lingers_until > now && queue.len() == 1 => {
                Take::NotBefore(first.lingers_until)
            }
            Some(_) => queue.pop_front().map_or(Take::Empty, Take::Batch),
        }
    }

    fn oldest(&mut self, partition: PartitionId) -> Option<Instant> {
        let first = self.waiting.get(&partition)?.front()?;
        Some(first.created)
    }

    fn expire(&mut self, partition: PartitionId, until: Instant, _: Option<Obstacle>) -> usize {
        let queue = self.waiting.entry(partition).or_default();
        let expired = queue.iter().take_while(|b| b.created <= until).count();
        self.expired.extend(queue.drain(..expired));
        expired
    }
}

/// Nothing new goes out in a transaction that can only be aborted (T-37).
#[derive(Debug, Default)]
struct Transaction {
    is_closed: bool,
}

impl Permits for Transaction {
    fn permit(&self, _: PartitionId, _: Instant) -> SendPermit {
        if self.is_closed {
            SendPermit::No
        } else {
            SendPermit::Now
        }
    }
}

/// The sender, the cluster, and what has been seen of both.
struct World {
    now: Instant,
    sender: Sender<Batch>,
    config: SenderConfig,
    queues: Queues,
    next_record: u64,
    next_producer: i64,
    identity: ProducerIdentity,
    logs: Vec<Log>,
    /// Who leads each partition.
    leaders: Vec<Leader>,
    wires: BTreeMap<i32, Wire>,
    /// What connections that are gone left to be worked on, oldest first.
    left_behind: VecDeque<VecDeque<Outgoing<Batch>>>,
    next_connection: u64,
    /// Sequences are about to begin again at 0 (P-22).
    wraps: bool,
    transaction: Transaction,
    /// Something of the transaction reached a broker.
    has_reached: bool,
    wants: watch::Wants,
    seen: watch::Seen,
}

/// Runs the operations in `data` from `start` on, then lets everything settle. Panics if an invariant is broken.
pub(crate) fn run(data: &[u8], start: Instant) {
    let Some((&[mode, limits], operations)) = data.split_first_chunk() else {
        return;
    };
    let mut world = World::new(mode, limits, start);
    for &[operation, argument] in operations.as_chunks().0.iter().take(OPERATIONS_MAX) {
        world.apply(operation, argument);
        world.listen();
        world.check();
    }
    world.settle();
}

fn index(partition: PartitionId) -> usize {
    partition.0 as usize
}

impl World {
    fn new(mode: u8, limits: u8, start: Instant) -> Self {
        let config = SenderConfig {
            idempotent: mode % 4 < 3,
            transactional: mode % 4 == 2,
            in_flight_max: usize::from(limits % 5) + 1,
            retries_max: if limits & 0x40 == 0 { u32::MAX } else { 2 },
            delivery_timeout: DELIVERY_TIMEOUT,
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            batch_bytes_max: 1_000,
            request_bytes_max: if limits & 0x80 == 0 { 10_000 } else { 1_500 },
            seed: u64::from(mode) << 8 | u64::from(limits),
        };
        let leader = |partition: u32| Leader {
            broker: i32::from(partition == 1) + 1,
            leader_epoch: 3,
        };
        let mut world = Self {
            now: start,
            sender: Sender::new(config.clone()),
            queues: Queues::default(),
            next_record: 0,
            next_producer: 7,
            identity: ProducerIdentity::NONE,
            logs: (0..PARTITIONS).map(|_| Log::default()).collect(),
            leaders: (0..PARTITIONS).map(leader).collect(),
            wires: BTreeMap::new(),
            left_behind: VecDeque::new(),
            next_connection: 0,
            wraps: mode & 0x80 != 0,
            transaction: Transaction::default(),
            has_reached: false,
            wants: watch::Wants::default(),
            seen: watch::Seen::new(PARTITIONS, &config),
            config,
        };
        for _ in 0..PARTITIONS {
            world.sender.add_partition();
        }
        world.learn_leaders(None);
        for broker in 1..=BROKERS {
            world.connect(broker);
        }
        if world.config.idempotent {
            let last = ProducerEpoch(i16::MAX - 1);
            let epoch = if mode & 0x40 == 0 {
                ProducerEpoch(0)
            } else {
                last
            };
            world.grant(epoch);
        }
        if world.config.idempotent && world.wraps {
            world.begin_near_the_wrap();
        }
        world
    }

    /// As if nearly all sequences had been used and acknowledged (P-22).
    fn begin_near_the_wrap(&mut self) {
        let next = Sequence(i32::MAX - 3);
        let (id, epoch) = (self.identity.producer_id.0, self.identity.producer_epoch.0);
        for (state, log) in self.sender.partitions.iter_mut().zip(&mut self.logs) {
            state.adopt(self.identity);
            state.next_sequence = next;
            state.acknowledged_end = next;
            log.begin_at(id, epoch, next);
        }
        self.seen.begin_at(self.identity, next);
    }

    fn apply(&mut self, operation: u8, argument: u8) {
        let broker = i32::from(argument % 2) + 1;
        match operation % 25 {
            0 | 1 => self.put(argument),
            2..=4 => self.drain(),
            5 | 6 => self.work(broker),
            7 | 8 => self.deliver(broker, Duration::ZERO),
            9 => {
                self.work(broker);
                self.deliver(broker, Duration::from_millis(u64::from(argument)));
            }
            10 | 11 => self.refuse(operation % 25 == 11, argument),
            12 => self.garble(broker),
            13 => self.cut(argument),
            14 => self.work_left_behind(argument),
            15 => self.pass(Duration::from_millis(u64::from(argument) * 10)),
            16 => self.pass(Duration::from_secs(u64::from(argument))),
            17 | 18 => self.connect_wanted(),
            19 => self.move_leader(argument),
            20 => self.learn_leaders(Some(argument)),
            21 => self.grant_wanted(argument % 2 == 1),
            22 => self.forget(argument),
            23 => self.limit(argument),
            _ => self.end_if(argument),
        }
    }

    fn put(&mut self, argument: u8) {
        if self.seen.has_ended {
            return; // The driver takes no more.
        }
        let partition = PartitionId(u32::from(argument) % PARTITIONS);
        let records = u32::from(argument / 3 % 4) + 1;
        let linger = Duration::from_millis(u64::from(argument / 64) * 5);
        let batch = Batch {
            first: self.next_record,
            records,
            bytes: 100 + usize::from(argument / 12 % 8) * 100,
            created: self.now,
            lingers_until: self.now + linger,
        };
        self.next_record += u64::from(records);
        self.queues
            .waiting
            .entry(partition)
            .or_default()
            .push_back(batch);
        self.sender.on_records(partition);
    }

    fn drain(&mut self) {
        for _ in 0..100 {
            let work = self
                .sender
                .drain(self.now, &mut self.queues, &self.transaction);
            self.listen(); // As the driver: before what is sent, and before the next drain.
            if let Some(at) = work.wait_until {
                assert!(at > self.now, "a wait that is over");
            }
            self.wants.connect.extend(&work.connect);
            self.wants.metadata |= work.refresh_metadata;
            self.wants.identity |= work.init_producer_id;
            if work.requests.is_empty() {
                return;
            }
            assert!(!self.seen.has_ended, "a request after the end");
            for request in work.requests {
                self.send(request);
            }
        }
        panic!("a drain that never ends");
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn move_leader(&mut self, argument: u8) {
        let partition = usize::from(argument) % self.leaders.len();
        let leader = &mut self.leaders[partition];
        leader.broker = BROKERS + 1 - leader.broker;
        leader.leader_epoch += 1;
    }

    /// Metadata arrives; of one partition it may name no leader.
    fn learn_leaders(&mut self, without: Option<u8>) {
        let without = without.filter(|argument| argument % 8 == 0).map(|a| a / 8);
        for (number, leader) in (0..PARTITIONS).zip(&self.leaders) {
            let is_known = without.map(u32::from) != Some(number);
            let leader = is_known.then_some(*leader);
            self.sender
                .set_leader(self.now, PartitionId(number), leader);
        }
        self.wants.metadata = false;
    }

    /// InitProducerId is answered; in a transaction an abort has ended, and the next epoch begins.
    /// It may keep its epoch only if no batch of it reached a broker.
    fn grant_wanted(&mut self, keeps: bool) {
        if self.config.transactional {
            if self.sender.unresolved_batches() > 0 || self.seen.has_ended {
                return;
            }
            self.fail_queued();
            self.listen();
            self.transaction.is_closed = false;
            if !std::mem::take(&mut self.has_reached) && keeps {
                return;
            }
            match self.identity.producer_epoch.next() {
                Some(epoch) => self.raise(epoch),
                None => self.grant(ProducerEpoch(0)),
            }
        } else if std::mem::take(&mut self.wants.identity) {
            self.grant(ProducerEpoch(0));
        }
    }

    /// A producer id that nobody used.
    fn grant(&mut self, producer_epoch: ProducerEpoch) {
        self.next_producer += 1;
        self.identity = ProducerIdentity::new(ProducerId(self.next_producer), producer_epoch);
        self.sender.set_identity(self.identity);
    }

    fn raise(&mut self, producer_epoch: ProducerEpoch) {
        self.identity.producer_epoch = producer_epoch;
        for log in &mut self.logs {
            log.raise(self.identity.producer_id.0, producer_epoch.0);
        }
        self.sender.set_identity(self.identity);
    }

    /// Nothing of the queue is sent any more.
    fn fail_queued(&mut self) {
        for queue in self.queues.waiting.values_mut() {
            self.queues.expired.extend(queue.drain(..));
        }
    }

    /// A leader of an old kind loses a producer that has not written for long. Not where sequences wrap: it would
    /// take the 0 in the middle of a pipeline for a beginning, and nobody could tell.
    fn forget(&mut self, argument: u8) {
        let partition = PartitionId(u32::from(argument) % PARTITIONS);
        let is_quiet = self.sender.partitions[partition].in_flight.is_empty()
            && self.left_behind.is_empty()
            && !self.wires.values().any(|wire| wire.mentions(partition));
        if is_quiet && !self.wraps {
            self.logs[index(partition)].forget();
            self.seen.forgot(partition, self.config.transactional);
        }
    }

    /// A topic's configuration changes: what was taken before may be too large now, and the other way round.
    fn limit(&mut self, argument: u8) {
        let count = self.logs.len().max(1);
        if let Some(log) = self.logs.get_mut(usize::from(argument) % count) {
            let bytes_max = usize::from(argument / 3 % 16) * 50;
            log.bytes_max = (bytes_max > 0).then_some(bytes_max);
        }
    }

    fn end_if(&mut self, argument: u8) {
        if argument < 250 || self.seen.has_ended {
            return;
        }
        self.seen.has_ended = true;
        self.fail_queued();
        let ended = crate::error::Error::TransactionAborted;
        self.sender.fail_all(self.now, &Failure::ended(ended));
    }

    /// Without another fault everything is told, and what is put then is acknowledged.
    fn settle(&mut self) {
        while !self.left_behind.is_empty() {
            self.work_left_behind(0);
        }
        for log in &mut self.logs {
            log.bytes_max = None;
        }
        self.carry_on(DELIVERY_TIMEOUT + Duration::from_secs(10));
        self.seen.assert_all_told(self.next_record);
        assert_eq!(self.sender.unresolved_batches(), 0);
        if self.seen.has_ended {
            return;
        }
        if self.config.transactional {
            self.grant_wanted(false);
        }
        let first = self.next_record;
        for partition in 0..u8::try_from(PARTITIONS).unwrap_or(u8::MAX) {
            self.put(partition);
        }
        self.carry_on(Duration::from_secs(30));
        for record in first..self.next_record {
            assert!(self.seen.is_acknowledged(record), "no progress: {record}");
        }
    }

    /// A cluster without faults, until nothing is left to tell or for so long.
    fn carry_on(&mut self, at_most: Duration) {
        let until = self.now + at_most;
        while self.now < until && !self.seen.are_all_told(self.next_record) {
            self.connect_wanted();
            self.learn_leaders(None);
            if !self.config.transactional {
                self.grant_wanted(false);
            }
            self.drain();
            for broker in 1..=BROKERS {
                self.work(broker);
                self.deliver(broker, Duration::ZERO);
            }
            self.listen();
            self.check();
            self.pass(Duration::from_millis(250));
        }
        while self.wires.values().any(|wire| !wire.is_quiet()) {
            for broker in 1..=BROKERS {
                self.work(broker);
                self.deliver(broker, Duration::ZERO);
            }
        }
        self.drain();
        self.listen();
        self.check();
    }
}
