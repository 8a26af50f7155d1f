//! The sender: which batch goes to which leader now, and what a response means for it. Pure.
//!
//! ```text
//!            take (stamp P-20)            response: appended
//!  source ───────────────────▶ on the wire ─────────────────▶ done
//!                                │     ▲
//!             retriable, unknown │     │ due, and lowest of its partition (P-31)
//!                                ▼     │
//!                              waiting ───────▶ failed (rejected, or unknown at its deadline P-70)
//! ```
//!
//! Invariants, asserted by the tests beside this file:
//! * a batch keeps its producer id, epoch, base sequence and record count through every attempt (P-21),
//!   unless it is proved not to be in the log (P-61);
//! * at most five batches of a partition have an unknown fate (P-23, L-9);
//! * no sequence is used twice under one epoch (P-26), unless its batch is proved not to be in the log (P-50);
//! * one batch per partition and request (P-5).
//!
//! Deviation from P-50 in transactions, on purpose: a rejected batch does not renumber its followers, they fail
//! too. The transaction can then only be aborted, which mostly ends in a new epoch. It does not if no batch of the
//! transaction reached a broker: then the partition counts on from the rejected batch, as P-50 says.

pub(crate) mod failure;
pub(crate) mod identity;
#[cfg(any(test, feature = "_fuzzing"))]
pub(crate) mod operations;
pub(crate) mod partition;
mod responses;
mod types;
mod verdict;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use milena_codec::ProducerIdentity;
use milena_codec::record::BatchStamp;

use self::failure::{Failure, Obstacle, Outcome};
use self::partition::{Flight, PartitionState, Partitions, Tracked};
use crate::error::Error;

pub(crate) use types::{
    Appended, BatchSource, Event, Leader, NoTransaction, Outgoing, PartitionId, PartitionResponse,
    Permits, ProduceOutcome, ProduceRequest, RequestId, SendPermit, Sendable, SenderConfig, Take,
    Work,
};

#[derive(Debug, Default)]
struct BrokerState {
    connection: Option<u64>,
    in_flight: usize,
    throttled_until: Option<Instant>,
    /// Why there is no connection.
    trouble: Option<Arc<Error>>,
}

#[derive(Debug)]
struct InFlightRequest {
    broker: i32,
    connection: u64,
    sent_at: Instant,
    partitions: Vec<PartitionId>,
}

/// The sender's state machine.
#[derive(Debug)]
pub(crate) struct Sender<B> {
    config: SenderConfig,
    identity: ProducerIdentity,
    /// A fresh identity is wanted; the caller requests it and hands it to `set_identity`.
    identity_wanted: bool,
    /// Why there is no identity yet.
    identity_trouble: Option<Arc<Error>>,
    /// Why the last refresh of the metadata did not succeed.
    metadata_trouble: Option<Arc<Error>>,
    partitions: Partitions<B>,
    listed: VecDeque<PartitionId>,
    brokers: HashMap<i32, BrokerState>,
    requests: HashMap<RequestId, InFlightRequest>,
    next_request: u64,
    events: VecDeque<Event<B>>,
    fatal: Option<Failure>,
    jitter: u64,
    unresolved_batches: usize,
}

impl<B: Sendable> Sender<B> {
    pub(crate) fn new(config: SenderConfig) -> Self {
        let jitter = config.seed;
        Self {
            identity_wanted: config.idempotent && !config.transactional,
            config,
            identity: ProducerIdentity::NONE,
            identity_trouble: None,
            metadata_trouble: None,
            partitions: Partitions::new(),
            listed: VecDeque::new(),
            brokers: HashMap::new(),
            requests: HashMap::new(),
            next_request: 0,
            events: VecDeque::new(),
            fatal: None,
            jitter,
            unresolved_batches: 0,
        }
    }

    /// Adds a partition; ids are given out in order from 0.
    pub(crate) fn add_partition(&mut self) -> PartitionId {
        self.partitions.add()
    }

    /// Batches that have a sequence and no outcome yet (T-34).
    pub(crate) fn unresolved_batches(&self) -> usize {
        self.unresolved_batches
    }

    /// A new (producer id, epoch): partitions move to it as they drain (P-14, P-64).
    pub(crate) fn set_identity(&mut self, identity: ProducerIdentity) {
        self.identity = identity;
        self.identity_wanted = false;
        self.identity_trouble = None;
    }

    /// No producer id yet, for this reason.
    pub(crate) fn on_producer_id_failed(&mut self, trouble: Arc<Error>) {
        self.identity_trouble = Some(trouble);
    }

    /// The metadata was refreshed, or was not for this reason.
    pub(crate) fn on_metadata_refreshed(&mut self, trouble: Option<Arc<Error>>) {
        self.metadata_trouble = trouble;
    }

    /// Metadata names no leader of this partition, for this reason.
    pub(crate) fn on_leader_missing(&mut self, partition: PartitionId, trouble: Arc<Error>) {
        if let Some(state) = self.partitions.find_mut(partition) {
            state.leader = None;
            state.leader_stale = false;
            state.leader_trouble = Some(trouble);
        }
    }

    /// Records wait in this partition's queue.
    pub(crate) fn on_records(&mut self, partition: PartitionId) {
        if let Some(state) = self.partitions.find_mut(partition)
            && !state.listed
        {
            state.listed = true;
            self.listed.push_back(partition);
        }
    }

    /// Metadata or a response (P-42) names this leader, or none. A newer epoch ends the back-off of waiting batches (P-41).
    pub(crate) fn set_leader(
        &mut self,
        now: Instant,
        partition: PartitionId,
        leader: Option<Leader>,
    ) {
        let Some(state) = self.partitions.find_mut(partition) else {
            return;
        };
        if let (Some(old), Some(new)) = (state.leader, leader)
            && new.leader_epoch > old.leader_epoch
        {
            for tracked in &mut state.in_flight {
                if let Flight::Waiting(retry_at) = &mut tracked.flight {
                    *retry_at = now.min(*retry_at);
                }
            }
        }
        state.leader = leader;
        state.leader_stale = false;
        state.leader_trouble = None;
    }

    /// A connection to `broker` can be written to; each has an id of its own.
    pub(crate) fn on_connected(&mut self, broker: i32, connection: u64) {
        let state = self.brokers.entry(broker).or_default();
        state.connection = Some(connection);
        state.trouble = None;
    }

    /// There is no connection to `broker`, for this reason.
    pub(crate) fn on_connect_failed(&mut self, broker: i32, trouble: Arc<Error>) {
        self.brokers.entry(broker).or_default().trouble = Some(trouble);
    }

    /// There is no connection to `broker` any more. The outcome of each of its requests is reported on its own.
    pub(crate) fn on_disconnected(&mut self, broker: i32) {
        if let Some(state) = self.brokers.get_mut(&broker) {
            state.connection = None;
        }
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event<B>> {
        self.events.pop_front()
    }

    /// What keeps the partition's batches from being sent or acknowledged: those without a sequence, or the one at
    /// `index`.
    fn obstacle(
        &self,
        now: Instant,
        partition: PartitionId,
        index: Option<usize>,
    ) -> Option<Obstacle> {
        let state = self.partitions.find(partition)?;
        let ahead = state.in_flight.get(index.unwrap_or(0));
        let last = || ahead?.last.clone();
        if let Some(Flight::OnWire(id)) = ahead.map(|tracked| tracked.flight) {
            return last().or_else(|| self.unanswered(now, id));
        }
        if let Some(trouble) = &self.identity_trouble {
            return Some(Obstacle::Failed(Arc::clone(trouble)));
        }
        let Some(leader) = state.leader.filter(|_| !state.leader_stale) else {
            let trouble = self.metadata_trouble.as_ref();
            let trouble = trouble.or(state.leader_trouble.as_ref());
            return trouble.cloned().map(Obstacle::Failed).or_else(last);
        };
        let broker = self.brokers.get(&leader.broker);
        let unconnected = broker.filter(|broker| broker.connection.is_none());
        if let Some(trouble) = unconnected.and_then(|broker| broker.trouble.clone()) {
            return Some(Obstacle::Failed(trouble));
        }
        if broker.is_some_and(|b| b.throttled_until.is_some_and(|until| until > now)) {
            return Some(Obstacle::Throttled {
                broker: leader.broker,
            });
        }
        let before = || {
            let requests = self.requests.iter();
            let same = requests.filter(|(_, request)| request.broker == leader.broker);
            same.map(|(id, _)| *id).min()
        };
        last().or_else(|| self.unanswered(now, before()?))
    }

    /// The response to this request has not come yet.
    fn unanswered(&self, now: Instant, id: RequestId) -> Option<Obstacle> {
        let request = self.requests.get(&id)?;
        Some(Obstacle::Unanswered {
            broker: request.broker,
            waited: now.saturating_duration_since(request.sent_at),
        })
    }

    /// Ends everything: every batch fails with `failure`, unknown where it was on the wire (P-76).
    pub(crate) fn fail_all(&mut self, now: Instant, failure: &Failure) {
        if self.fatal.is_none() {
            self.fatal = Some(failure.clone());
        }
        for partition in self.partitions.ids() {
            let state = &mut self.partitions[partition];
            self.unresolved_batches -= state.in_flight.len();
            for tracked in std::mem::take(&mut state.in_flight) {
                if !tracked.resolved {
                    let on_wire = match tracked.flight {
                        Flight::OnWire(id) => self.unanswered(now, id),
                        Flight::Waiting(_) => None,
                    };
                    let unknown = tracked.is_in_doubt() || tracked.is_on_wire();
                    let outcome = if unknown {
                        Outcome::Unknown
                    } else {
                        Outcome::NotAppended
                    };
                    let failure = failure.clone().after(tracked.last.or(on_wire));
                    self.events.push_back(Event::Completed {
                        partition,
                        batch: tracked.batch,
                        result: Err(failure.with_outcome(outcome)),
                    });
                }
            }
        }
    }

    /// Everything that can be sent at `now`, at most one request per broker: call until it is empty.
    pub(crate) fn drain(
        &mut self,
        now: Instant,
        source: &mut impl BatchSource<B>,
        permits: &impl Permits,
    ) -> Work<B> {
        let mut work = Work {
            requests: Vec::new(),
            batches: 0,
            connect: Vec::new(),
            refresh_metadata: false,
            init_producer_id: false,
            wait_until: None,
        };
        let mut served = VecDeque::new();
        for _ in 0..self.listed.len() {
            let Some(partition) = self.listed.pop_front() else {
                break;
            };
            if self.config.transactional {
                // Only gaps from before this turn: their transaction permits nothing more until it ends.
                self.partitions[partition].count_on_from_gap();
            }
            self.expire(now, partition, source, &mut work);
            self.settle(partition);
            let sent = work.batches;
            self.drain_partition(now, partition, source, permits, &mut work);
            let idle = self.partitions[partition].in_flight.is_empty()
                && source.oldest(partition).is_none();
            if idle {
                self.partitions[partition].listed = false;
            } else if work.batches > sent {
                served.push_back(partition);
            } else {
                self.listed.push_back(partition);
            }
        }
        // Partitions that did not fit go first next time, so that busy partitions cannot starve the others.
        self.listed.append(&mut served);
        work.init_producer_id =
            self.identity_wanted && self.fatal.is_none() && !self.listed.is_empty();
        work
    }

    fn drain_partition(
        &mut self,
        now: Instant,
        partition: PartitionId,
        source: &mut impl BatchSource<B>,
        permits: &impl Permits,
        work: &mut Work<B>,
    ) {
        let state = &mut self.partitions[partition];
        if self.fatal.is_some() {
            return;
        }
        let Some(leader) = state.leader.filter(|_| !state.leader_stale) else {
            work.refresh_metadata = true;
            return;
        };
        let broker = self.brokers.entry(leader.broker).or_default();
        let Some(connection) = broker.connection else {
            if !work.connect.contains(&leader.broker) {
                work.connect.push(leader.broker);
            }
            return;
        };
        if let Some(until) = broker.throttled_until.filter(|until| *until > now) {
            work.wait_at_most(until);
            return;
        }
        let mut requests = work.requests.iter();
        let open = requests.find(|request| request.broker == leader.broker);
        let has_room = match open {
            None => broker.in_flight < self.config.in_flight_max,
            Some(open) => open.bytes + self.config.batch_bytes_max <= self.config.request_bytes_max,
        };
        let open = open.map(|open| open.id);
        if !has_room {
            return;
        }
        let chosen = match choose_waiting(state, now, &self.config, work) {
            Choice::Resend(index) => index,
            Choice::Hold => return,
            Choice::Fresh => {
                if !may_take(state, self.identity, connection, &self.config) {
                    return;
                }
                match permits.permit(partition, now) {
                    SendPermit::Now => {}
                    SendPermit::NotBefore(at) => return work.wait_at_most(at),
                    SendPermit::WhenAdded | SendPermit::RepetitionsOnly | SendPermit::No => return,
                }
                match source.take(partition, now) {
                    Take::Empty => return,
                    Take::NotBefore(at) => return work.wait_at_most(at),
                    Take::Batch(batch) => {
                        self.unresolved_batches += 1;
                        stamp(state, self.identity, self.config.idempotent, now, batch)
                    }
                }
            }
        };
        let Some(tracked) = state.in_flight.get_mut(chosen) else {
            return;
        };
        let id = open.unwrap_or_else(|| {
            let id = RequestId(self.next_request);
            self.next_request += 1;
            broker.in_flight += 1;
            self.requests.insert(
                id,
                InFlightRequest {
                    broker: leader.broker,
                    connection,
                    sent_at: now,
                    partitions: Vec::new(),
                },
            );
            work.requests.push(ProduceRequest {
                id,
                broker: leader.broker,
                batches: Vec::new(),
                bytes: 0,
            });
            id
        });
        tracked.flight = Flight::OnWire(id);
        if let Some(in_flight) = self.requests.get_mut(&id) {
            in_flight.partitions.push(partition);
        }
        let mut requests = work.requests.iter_mut();
        if let Some(request) = requests.find(|request| request.id == id) {
            request.bytes += tracked.batch.wire_size();
            request.batches.push(Outgoing {
                partition,
                batch: tracked.batch.clone(),
                stamp: BatchStamp {
                    producer: state.identity,
                    base_sequence: tracked.base_sequence,
                    transactional: self.config.transactional,
                },
            });
            work.batches += 1;
        }
    }

    /// Closes a hole in a partition's sequences once everything before it is resolved.
    fn settle(&mut self, partition: PartitionId) {
        let state = &mut self.partitions[partition];
        if state.in_flight.is_empty() {
            state.note_gap_in_doubt(); // P-74: no later batch proved that it was appended.
        }
        if state.gap.is_none() {
            return;
        }
        if self.config.transactional && !state.restart {
            return self.refuse_behind_gap(partition);
        }
        if !state.is_ready_to_renumber() {
            return;
        }
        self.give_up_ambiguous(partition);
        let state = &mut self.partitions[partition];
        if state.restart {
            state.restart = false;
            let identity = state.identity;
            return state.renumber(identity);
        }
        if state.identity == self.identity {
            match self.identity.producer_epoch.next() {
                Some(producer_epoch) => self.identity.producer_epoch = producer_epoch,
                // P-62: the epoch is used up; a new producer id is asked for, the partition waits.
                None => {
                    self.identity_wanted = true;
                    return;
                }
            }
        }
        state.renumber(self.identity);
    }

    /// Gives up the batches that must not be renumbered: a copy of an attempt without a response may still
    /// reach the leader, and be appended there before the new epoch shuts it out (P-61).
    fn give_up_ambiguous(&mut self, partition: PartitionId) {
        loop {
            let state = &self.partitions[partition];
            let Some(index) = state.in_flight.iter().position(Tracked::is_in_doubt) else {
                return;
            };
            self.give_up(partition, index, Failure::sequence_lost());
        }
    }

    /// In a transaction nothing behind a gap can be appended, and the abort that must follow waits for a
    /// definite result of every batch (T-34): that result is here.
    fn refuse_behind_gap(&mut self, partition: PartitionId) {
        loop {
            let state = &mut self.partitions[partition];
            let behind = state.in_flight.iter().position(|t| {
                !t.is_on_wire() && state.gap.is_some_and(|gap| !t.base_sequence.is_before(gap))
            });
            let Some(index) = behind else { return };
            self.give_up(partition, index, Failure::earlier_batch_failed());
        }
    }

    /// Fails the batches whose deadline has passed (P-70 to P-75, L-28).
    fn expire(
        &mut self,
        now: Instant,
        partition: PartitionId,
        source: &mut impl BatchSource<B>,
        work: &mut Work<B>,
    ) {
        let timeout = self.config.delivery_timeout;
        let mut index = 0;
        loop {
            let state = &mut self.partitions[partition];
            let Some(tracked) = state.in_flight.get_mut(index) else {
                break;
            };
            let deadline = tracked.batch.created() + timeout;
            if tracked.resolved {
                index += 1;
            } else if deadline > now {
                work.wait_at_most(deadline);
                index += 1;
            } else if tracked.is_on_wire() {
                tracked.resolved = true;
                tracked.ambiguous = true;
                let end = tracked.end_sequence();
                let batch = tracked.batch.clone();
                if self.config.idempotent {
                    state.note_unresolved(end);
                }
                let obstacle = self.obstacle(now, partition, Some(index));
                let failure = Failure::delivery_timeout().after(obstacle);
                let result = Err(failure.with_outcome(Outcome::Unknown));
                self.events.push_back(Event::Completed {
                    partition,
                    batch,
                    result,
                });
                index += 1;
            } else {
                let obstacle = self.obstacle(now, partition, Some(index));
                let failure = Failure::delivery_timeout().after(obstacle);
                self.give_up(partition, index, failure);
            }
        }
        match source.oldest(partition).map(|created| created + timeout) {
            Some(deadline) if deadline <= now => {
                let created_until = now.checked_sub(timeout).unwrap_or(now);
                let obstacle = self.obstacle(now, partition, None);
                source.expire(partition, created_until, obstacle);
            }
            Some(deadline) => work.wait_at_most(deadline),
            None => {}
        }
    }
}

impl<B> Work<B> {
    fn wait_at_most(&mut self, until: Instant) {
        self.wait_until = Some(self.wait_until.map_or(until, |at| at.min(until)));
    }
}

enum Choice {
    Resend(usize),
    Fresh,
    Hold,
}

/// A batch that waits goes before a fresh one; of an idempotent partition only the lowest (P-30, P-31).
fn choose_waiting<B: Sendable>(
    state: &PartitionState<B>,
    now: Instant,
    config: &SenderConfig,
    work: &mut Work<B>,
) -> Choice {
    let waiting = state
        .in_flight
        .iter()
        .enumerate()
        .find_map(|(index, tracked)| match tracked.flight {
            Flight::Waiting(retry_at) => Some((index, retry_at, tracked.base_sequence)),
            Flight::OnWire(_) => None,
        });
    let Some((index, retry_at, base_sequence)) = waiting else {
        return Choice::Fresh;
    };
    let lowest = index == 0 || !config.idempotent;
    if !lowest || state.is_behind_gap(base_sequence) {
        return Choice::Hold;
    }
    if retry_at > now {
        work.wait_at_most(retry_at);
        return Choice::Hold;
    }
    if !config.idempotent && state.on_wire_count() >= config.in_flight_max {
        return Choice::Hold;
    }
    Choice::Resend(index)
}

/// Whether a fresh batch may get a sequence now.
fn may_take<B: Sendable>(
    state: &mut PartitionState<B>,
    identity: ProducerIdentity,
    connection: u64,
    config: &SenderConfig,
) -> bool {
    if !config.idempotent {
        return state.on_wire_count() < config.in_flight_max;
    }
    if !identity.is_some() {
        return false; // P-11
    }
    if state.identity != identity {
        if !state.in_flight.is_empty() {
            return false; // P-14
        }
        state.adopt(identity);
    }
    if state.gap.is_some() || state.unresolved.is_some() {
        return false; // P-73
    }
    let pipelined = state.confirmed_connection == Some(connection);
    state.in_flight.len() < if pipelined { config.in_flight_max } else { 1 } // P-23, P-34, P-35
}

fn stamp<B: Sendable>(
    state: &mut PartitionState<B>,
    identity: ProducerIdentity,
    idempotent: bool,
    now: Instant,
    batch: B,
) -> usize {
    let base_sequence = if idempotent {
        debug_assert_eq!(state.identity, identity);
        let base = state.next_sequence;
        state.next_sequence = base.advance(batch.record_count());
        base
    } else {
        milena_codec::Sequence::NONE
    };
    state.in_flight.push_back(Tracked {
        batch,
        base_sequence,
        flight: Flight::Waiting(now),
        attempts: 0,
        ambiguous: false,
        doubtful_parent: None,
        last: None,
        resolved: false,
    });
    state.in_flight.len() - 1
}

#[cfg(test)]
mod tests;
