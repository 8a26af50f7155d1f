//! Decides whom to ask for what, and takes the answers into account.
//!
//! The machine knows neither sockets nor clocks: [`Machine::poll`] says what to do at a given time,
//! [`Machine::begin_fetch`] writes a request once the connection for it is there, `handle_*` take
//! answers and `on_*` whatever else happened. The application's side, [`Machine::take`], is in
//! `deliver`; looking up and checking positions is in `lookup`.
//!
//! **One fetch per broker is out at any time** (R-80), for all its partitions, also for those with
//! data that the application has not taken yet: those are asked from the end of what is buffered. So
//! no partition drops out of the session because of its data (the reason behind R-89), and the next
//! answer is on its way while the application works on the last. What bounds memory is that nothing is
//! asked while [`Settings::prefetch_bytes_max`] or more bytes wait to be taken.
//!
//! **Progress or back-off** (L-26): an answer that moved nothing and came sooner than an honest broker
//! would have sent it delays the next request to that broker, and the more so the more of them come.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use milena_codec::ErrorCode;
use uuid::Uuid;

use super::super::health::Peer;
use super::super::position::ResetTarget;
use super::super::position::{FetchState, Leader};
use super::backoff::Backoff;
use super::fault::Fault;
use super::lookup::{ResetPlan, ValidationPlan};
use super::partition::{Origin, Partition, Retry};
use super::session::{Plan, Session, Want};
use crate::error::Error;
use crate::types::{IsolationLevel, OffsetReset, Position, TopicPartition};

/// The settings that decide anything here.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) isolation_level: IsolationLevel,
    pub(crate) offset_reset: OffsetReset,
    /// How long a broker waits if there is nothing to read.
    pub(crate) fetch_wait_max: Duration,
    /// Bytes of one partition in one answer.
    pub(crate) partition_fetch_bytes_max: i32,
    /// No fetch is sent while this many bytes wait to be taken.
    pub(crate) prefetch_bytes_max: usize,
    /// Decompressed bytes of batches of which a poll took only the beginning; others are opened again.
    pub(crate) decompressed_bytes_max: usize,
    /// For how long a follower is read from before the leader is asked again.
    pub(crate) preferred_replica_lease: Duration,
    /// How long metadata may not know a partition, from its assignment on, before poll returns that as an
    /// error. One that was known before gets [`Settings::stall_timeout`]: brokers that restart may not
    /// know it for a while.
    pub(crate) unknown_partition_timeout: Duration,
    /// How long a broker may respond without progress, where there is something to read, before poll
    /// returns that as an error.
    pub(crate) stall_timeout: Duration,
    /// The longest pause that a broker's quota may ask for.
    pub(crate) throttle_max: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) seed: u64,
}

impl Settings {
    fn unknown_timeout(&self, partition: &Partition) -> Duration {
        if partition.position.leader() == Leader::default() {
            self.unknown_partition_timeout
        } else {
            self.stall_timeout
        }
    }
}

/// What to do now.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Topics whose leaders have to be learned.
    pub(crate) refresh_metadata: Option<Vec<Arc<str>>>,
    pub(crate) resets: Vec<ResetPlan>,
    pub(crate) validations: Vec<ValidationPlan>,
    /// Brokers to connect to; then [`Machine::begin_fetch`].
    pub(crate) fetches: Vec<i32>,
    /// When to poll again if nothing happens before.
    pub(crate) wake_at: Option<Instant>,
}

impl Work {
    pub(super) fn wake(&mut self, at: Option<Instant>) {
        self.wake_at = match (self.wake_at, at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

/// What a broker's version of Fetch allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FetchSupport {
    /// Version 7 (KIP-227).
    pub(crate) sessions: bool,
    /// Version 13 (KIP-516).
    pub(crate) topic_ids: bool,
}

/// A Fetch to be sent.
#[derive(Clone, Debug)]
pub(crate) struct FetchPlan {
    #[cfg_attr(
        not(any(test, feature = "_fuzzing")),
        expect(dead_code, reason = "the driver knows whom it asked")
    )]
    pub(crate) broker: i32,
    pub(crate) session: Plan,
    pub(crate) asked: Arc<Asked>,
}

/// What the broker holds to be asked, by its session.
pub(crate) type Asked = HashMap<TopicPartition, AskedPartition>;

/// One partition of an outstanding Fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AskedPartition {
    pub(crate) fetch_offset: i64,
    pub(crate) generation: u64,
    pub(crate) topic_id: Option<Uuid>,
}

/// What metadata says of the assigned partitions.
#[derive(Clone, Debug, Default)]
pub(crate) struct MetadataView {
    pub(crate) brokers: BTreeSet<i32>,
    pub(crate) partitions: HashMap<TopicPartition, PartitionView>,
}

/// What metadata says of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PartitionView {
    Known {
        topic_id: Option<Uuid>,
        leader: Leader,
        replicas: Vec<i32>,
    },
    Refused(ErrorCode),
}

#[derive(Debug)]
pub(super) enum Exchange {
    Idle,
    /// [`Work::fetches`] named the broker; the connection is being made.
    Connecting,
    Asking {
        asked: Arc<Asked>,
        sent_at: Instant,
    },
}

#[derive(Debug)]
pub(super) struct Broker {
    pub(super) session: Session,
    pub(super) exchange: Exchange,
    /// Answers without progress and failures in a row.
    pub(super) retry: Retry,
}

/// The reading of all assigned partitions.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(super) settings: Settings,
    pub(super) rng: fastrand::Rng,
    /// Ordered, so that one seed gives one run.
    pub(super) partitions: BTreeMap<TopicPartition, Partition>,
    pub(super) brokers: BTreeMap<i32, Broker>,
    /// Brokers that metadata knows.
    pub(super) alive: BTreeSet<i32>,
    /// Partitions with something to deliver, in the order in which they got it.
    pub(super) ready: VecDeque<TopicPartition>,
    pub(super) metadata: MetadataNeed,
    generation: u64,
    pub(super) turn: u64,
    /// The last poll found no room for another answer.
    pub(super) full: bool,
}

#[derive(Debug, Default)]
pub(super) struct MetadataNeed {
    pub(super) wanted: bool,
    pub(super) in_flight: bool,
    pub(super) retry: Retry,
}

/// The caller named a partition that is not assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAssigned;

impl Machine {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(settings.seed),
            settings,
            partitions: BTreeMap::new(),
            brokers: BTreeMap::new(),
            alive: BTreeSet::new(),
            ready: VecDeque::new(),
            metadata: MetadataNeed::default(),
            generation: 0,
            turn: 0,
            full: false,
        }
    }

    /// Replaces the assignment. Partitions that stay keep their position and what is buffered.
    pub(crate) fn assign(&mut self, assignment: &[TopicPartition]) {
        let wanted: BTreeSet<_> = assignment.iter().collect();
        self.partitions.retain(|name, _| wanted.contains(name));
        self.ready.retain(|name| wanted.contains(name));
        for name in wanted {
            if !self.partitions.contains_key(name) {
                let partition = Partition::new(name.clone(), self.next_generation());
                self.partitions.insert(name.clone(), partition);
                self.metadata.wanted = true;
                self.metadata.retry = Retry::default();
            }
        }
    }

    pub(crate) fn assignment(&self) -> impl Iterator<Item = &TopicPartition> {
        self.partitions.keys()
    }

    /// Whose answers the reading depends on now.
    pub(crate) fn needed(&self) -> BTreeSet<Peer> {
        let reading = self
            .partitions
            .values()
            .filter(|partition| !partition.paused);
        let sources = reading.flat_map(|partition| {
            let preferred = partition
                .preferred_replica
                .map(|preferred| preferred.broker);
            [partition.position.leader().broker, preferred]
        });
        let asking = self.metadata.wanted || self.metadata.in_flight;
        let cluster = asking.then_some(Peer::Cluster);
        sources.flatten().map(Peer::Broker).chain(cluster).collect()
    }

    pub(crate) fn partition(&self, name: &TopicPartition) -> Result<&Partition, NotAssigned> {
        self.partitions.get(name).ok_or(NotAssigned)
    }

    /// Goes to another place. Whatever was buffered or asked from the old one is dropped, and so is an
    /// error that ended the reading there.
    pub(crate) fn seek(&mut self, name: &TopicPartition, to: Position) -> Result<(), NotAssigned> {
        let generation = self.next_generation();
        let partition = self.partitions.get_mut(name).ok_or(NotAssigned)?;
        let position = &mut partition.position;
        match to {
            Position::Offset(offset) => position.seek(offset, None),
            Position::OffsetAndEpoch {
                offset,
                leader_epoch,
            } => {
                position.seek(offset, Some(leader_epoch));
            }
            Position::Earliest => position.await_reset(ResetTarget::Earliest),
            Position::Latest => position.await_reset(ResetTarget::Latest),
            Position::Timestamp(time) => position.await_reset(ResetTarget::EndBeforeTime(time)),
        }
        partition.restart(generation);
        partition.origin = Origin::Sought;
        partition.sought = generation;
        Ok(())
    }

    /// Stops asking for and delivering a partition. What is buffered stays.
    pub(crate) fn pause(&mut self, name: &TopicPartition) -> Result<(), NotAssigned> {
        self.partitions.get_mut(name).ok_or(NotAssigned)?.paused = true;
        Ok(())
    }

    /// Undoes [`Machine::pause`].
    pub(crate) fn resume(&mut self, name: &TopicPartition) -> Result<(), NotAssigned> {
        self.partitions.get_mut(name).ok_or(NotAssigned)?.paused = false;
        self.enqueue(name);
        Ok(())
    }

    /// Everything that has to be done at `now`. Whatever it names counts as begun: an answer or a
    /// failure has to be reported for each.
    pub(crate) fn poll(&mut self, now: Instant) -> Work {
        let mut work = Work::default();
        self.settle_initialising();
        self.poll_lookups(now, &mut work);
        self.poll_fetches(now, &mut work);
        self.poll_metadata(now, &mut work);
        work
    }

    fn poll_metadata(&mut self, now: Instant, work: &mut Work) {
        if !self.metadata.wanted || self.metadata.in_flight {
            return;
        }
        if !self.metadata.retry.is_due(now) {
            return work.wake(self.metadata.retry.at);
        }
        let topics: BTreeSet<_> = self
            .partitions
            .keys()
            .map(TopicPartition::topic_shared)
            .cloned()
            .collect();
        if topics.is_empty() {
            self.metadata.wanted = false;
            return;
        }
        self.metadata.in_flight = true;
        work.refresh_metadata = Some(topics.into_iter().collect());
    }

    fn poll_fetches(&mut self, now: Instant, work: &mut Work) {
        let buffered: usize = self
            .partitions
            .values()
            .filter(|partition| !partition.paused)
            .map(|partition| partition.buffered_bytes)
            .sum();
        self.full = buffered >= self.settings.prefetch_bytes_max;
        let mut sources = BTreeSet::new();
        let mut lost = false;
        for partition in self.partitions.values_mut() {
            if !partition.is_fetchable() {
                continue;
            }
            if !partition.retry.is_due(now) {
                work.wake(partition.retry.at);
                continue;
            }
            let (source, fell_back) = partition.source(now, &self.alive);
            lost |= fell_back || source.is_none();
            sources.extend(source);
        }
        if lost {
            self.metadata.wanted = true;
        }
        if self.full {
            return;
        }
        for id in sources {
            let broker = self.brokers.entry(id).or_insert_with(Broker::new);
            match broker.exchange {
                Exchange::Connecting | Exchange::Asking { .. } => {}
                Exchange::Idle if !broker.retry.is_due(now) => work.wake(broker.retry.at),
                Exchange::Idle => {
                    broker.exchange = Exchange::Connecting;
                    work.fetches.push(id);
                }
            }
        }
    }

    /// Writes the request, now that a connection is there; `None` if there is nothing to ask any more.
    pub(crate) fn begin_fetch(
        &mut self,
        now: Instant,
        id: i32,
        support: FetchSupport,
    ) -> Option<FetchPlan> {
        let mut wanted: Vec<_> = Vec::new();
        for partition in self.partitions.values_mut() {
            if partition.is_fetchable()
                && partition.retry.is_due(now)
                && partition.source(now, &self.alive).0 == Some(id)
            {
                wanted.push(&*partition);
            }
        }
        // The one that waited longest for data comes first.
        wanted.sort_by_key(|partition| partition.turn);
        let asked: Asked = wanted.iter().map(|partition| partition.asked()).collect();
        let wanted: Vec<(TopicPartition, Want)> = wanted
            .iter()
            .map(|partition| partition.want(self.settings.partition_fetch_bytes_max))
            .collect();
        let broker = self.brokers.entry(id).or_insert_with(Broker::new);
        if wanted.is_empty() {
            broker.exchange = Exchange::Idle;
            return None;
        }
        let session = broker
            .session
            .plan(wanted, support.topic_ids, support.sessions);
        let asked = Arc::new(asked);
        broker.exchange = Exchange::Asking {
            asked: Arc::clone(&asked),
            sent_at: now,
        };
        Some(FetchPlan {
            broker: id,
            session,
            asked,
        })
    }

    /// Metadata was learned anew, by a refresh of ours or otherwise.
    pub(crate) fn on_metadata(&mut self, now: Instant, view: &MetadataView) {
        self.alive.clone_from(&view.brokers);
        let alive = &self.alive;
        self.brokers
            .retain(|id, broker| alive.contains(id) || !broker.is_idle());
        let mut complete = true;
        let names: Vec<_> = self.partitions.keys().cloned().collect();
        for name in names {
            let generation = self.next_generation();
            let Some(partition) = self.partitions.get_mut(&name) else {
                continue;
            };
            match view.partitions.get(&name) {
                Some(PartitionView::Known {
                    topic_id,
                    leader,
                    replicas,
                }) => {
                    partition.unknown_since = None;
                    partition.replicas.clone_from(replicas);
                    complete &= leader.broker.is_some();
                    if leader.broker.is_none() {
                        let code = ErrorCode::LeaderNotAvailable;
                        partition.trouble = Some(Fault::Unknown { code });
                    }
                    let policy = ResetTarget::by(self.settings.offset_reset);
                    if partition.on_leader(*topic_id, *leader, generation, policy) {
                        self.enqueue(&name);
                    }
                }
                Some(PartitionView::Refused(code)) => {
                    complete = false;
                    let timeout = self.settings.unknown_timeout(partition);
                    if partition.is_unknown(now, *code, timeout) {
                        self.enqueue(&name);
                    }
                }
                None => {
                    complete = false;
                    let code = ErrorCode::UnknownTopicOrPartition;
                    let timeout = self.settings.unknown_timeout(partition);
                    if partition.is_unknown(now, code, timeout) {
                        self.enqueue(&name);
                    }
                }
            }
        }
        if complete {
            self.metadata.wanted = false;
            self.metadata.retry = Retry::default();
        } else {
            self.metadata.wanted = true;
        }
    }

    /// The refresh asked for by [`Work::refresh_metadata`] ended, well or not. If it was in vain the
    /// next one waits.
    pub(crate) fn on_metadata_refreshed(&mut self, now: Instant) {
        self.metadata.in_flight = false;
        let attempts = if self.metadata.wanted {
            self.metadata.retry.attempts
        } else {
            0
        };
        let delay = self.settings.backoff.delay(attempts, &mut self.rng);
        self.metadata.retry = Retry {
            attempts: attempts.saturating_add(1),
            at: Some(now + delay),
        };
    }

    /// Whether every partition has a position, or an error that keeps it from getting one.
    pub(crate) fn is_settled(&self) -> bool {
        let mut partitions = self.partitions.values();
        partitions.all(|partition| partition.is_reading() || partition.fault.is_some())
    }

    /// What keeps a partition from getting a position; `None` if nothing is known to.
    pub(crate) fn unsettled_cause(&self) -> Option<Error> {
        let mut waiting = self
            .partitions
            .values()
            .filter(|partition| !partition.is_reading() && partition.fault.is_none());
        waiting.find_map(|partition| {
            let trouble = partition.trouble.clone()?;
            Some(trouble.into_error(&partition.name))
        })
    }

    /// The pause before a repetition.
    pub(crate) fn delay(&mut self, attempts: u32) -> Duration {
        self.settings.backoff.delay(attempts, &mut self.rng)
    }

    /// Partitions in their first state get a place to start from.
    fn settle_initialising(&mut self) {
        let target = ResetTarget::by(self.settings.offset_reset);
        let mut faulted = Vec::new();
        for partition in self.partitions.values_mut() {
            if partition.position.state() != FetchState::Initialising {
                continue;
            }
            if let Some(target) = target {
                partition.position.await_reset(target);
            } else if partition.fault.is_none() {
                partition.fault = Some(Fault::NoPosition);
                faulted.push(partition.name.clone());
            }
        }
        for name in faulted {
            self.enqueue(&name);
        }
    }

    /// Puts a partition into the queue of those with something to deliver, if it has.
    pub(super) fn enqueue(&mut self, name: &TopicPartition) {
        if let Some(partition) = self.partitions.get_mut(name)
            && !partition.queued
            && partition.has_something()
        {
            partition.queued = true;
            self.ready.push_back(name.clone());
        }
    }

    pub(super) fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    /// Lets a partition wait before it is asked for again.
    pub(super) fn back_off(&mut self, now: Instant, name: &TopicPartition) {
        if let Some(partition) = self.partitions.get_mut(name) {
            let delay = self
                .settings
                .backoff
                .delay(partition.retry.attempts, &mut self.rng);
            partition.retry = Retry {
                attempts: partition.retry.attempts.saturating_add(1),
                at: Some(now + delay),
            };
        }
    }
}

impl Broker {
    fn new() -> Self {
        Self {
            session: Session::new(),
            exchange: Exchange::Idle,
            retry: Retry::default(),
        }
    }

    fn is_idle(&self) -> bool {
        matches!(self.exchange, Exchange::Idle)
    }
}
