//! The transactional half of a producer's driver: it carries words between the application, the
//! [transaction machine](crate::transaction) and the [sender](crate::producer::machine).

use std::sync::Arc;
use std::time::{Duration, Instant};

use milena_connection::Cluster;
use tokio::sync::oneshot;

use super::TransactionOutcome;
use super::calls;
#[cfg(feature = "two-phase-commit")]
use super::prepared::PreparedTransaction;
use super::{
    BatchOutcome, Call, Close, ClusterFacts, Event, Operation, Output, Response, SenderStatus,
    State, TransactionConfig, TransactionMachine,
};
use crate::error::Error;
use crate::producer::accumulator::Shared;
use crate::producer::queue::PartitionQueue;
use crate::producer::sender::failure::Failure;
use crate::producer::sender::{PartitionId, Permits, SendPermit};
use crate::types::{GroupMetadata, OffsetToCommit, TopicPartition};

/// Where an answer goes.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// What a transactional producer asks.
#[derive(Debug)]
pub(crate) enum Request {
    Abort(Answer<()>),
    Begin(Answer<()>),
    Commit(Answer<()>),
    Init(Answer<()>),
    Outcome(Answer<Option<TransactionOutcome>>),
    #[cfg(feature = "two-phase-commit")]
    Prepare(Answer<PreparedTransaction>),
    /// Which transaction is prepared.
    #[cfg(feature = "two-phase-commit")]
    Prepared(Answer<Option<PreparedTransaction>>),
    SendOffsets {
        offsets: Vec<OffsetToCommit>,
        group: GroupMetadata,
        done: Answer<()>,
    },
}

/// What the sender's side must do for the transaction.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Batches drained from now on carry this.
    Identity(milena_codec::ProducerIdentity),
    /// Nothing lingers any more.
    Flush,
    /// What has no sequence yet fails with this.
    FailUndrained(Error),
    /// Everything fails with this, for ever.
    End(Error),
}

/// The commit or abort that is waited for, and how the last one ended.
#[derive(Debug, Default)]
struct Ending {
    waiter: Option<Answer<()>>,
    /// Why the transaction could not be committed, while its abort is under way.
    commit_error: Option<Error>,
    /// The one who asked for the outcome later.
    late: Option<Answer<Option<TransactionOutcome>>>,
    /// Kept until the next transaction is asked for, whoever was told: a waiter can be gone before it looks at the
    /// answer that was sent to it.
    last: Option<(Operation, Result<(), Error>)>,
}

/// A transactional id, its machine, and those who wait for it.
#[derive(Debug)]
pub(crate) struct Transacting {
    machine: TransactionMachine,
    transactional_id: Arc<str>,
    coordinator_timeout: Duration,
    transaction_timeout: Duration,
    /// By [`PartitionId`].
    partitions: Vec<TopicPartition>,
    init: Option<Answer<()>>,
    begin: Option<Answer<()>>,
    offsets: Option<Answer<()>>,
    #[cfg(feature = "two-phase-commit")]
    prepare: Option<Answer<PreparedTransaction>>,
    ending: Ending,
    stopped: Option<Answer<()>>,
}

impl Transacting {
    pub(crate) fn new(config: TransactionConfig, coordinator_timeout: Duration) -> Self {
        Self {
            transactional_id: Arc::clone(&config.transactional_id),
            transaction_timeout: config.transaction_timeout,
            machine: TransactionMachine::new(config),
            coordinator_timeout,
            partitions: Vec::new(),
            init: None,
            begin: None,
            offsets: None,
            #[cfg(feature = "two-phase-commit")]
            prepare: None,
            ending: Ending::default(),
            stopped: None,
        }
    }

    /// Over a machine that has come some way.
    #[cfg(test)]
    pub(crate) fn over(machine: TransactionMachine) -> Self {
        let config = TransactionConfig {
            transactional_id: "payments".into(),
            transaction_timeout: Duration::from_secs(60),
            registration_timeout: Duration::from_secs(60),
            two_phase: crate::transaction::TwoPhase::Off,
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            seed: 1,
        };
        Self {
            machine,
            ..Self::new(config, Duration::from_secs(30))
        }
    }

    pub(crate) fn learn(&mut self, queues: &[Arc<PartitionQueue>]) {
        for queue in queues.iter().skip(self.partitions.len()) {
            self.partitions.push(TopicPartition::new(
                Arc::clone(&queue.topic),
                queue.partition,
            ));
        }
    }

    /// The Produce versions of the open transaction (P-90).
    pub(crate) fn produce_versions(&self) -> std::ops::RangeInclusive<i16> {
        self.machine.version().produce()
    }

    /// The moment before which the open transaction should send nothing, if it is still to come (L-23).
    pub(crate) fn pause_until(&self, now: Instant) -> Option<Instant> {
        self.machine.pause_until(now)
    }

    /// How long it is of use to try to end a transaction that nobody holds any more: after that its coordinator does.
    pub(crate) fn patience(&self) -> Duration {
        self.transaction_timeout
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(
            self.machine.state(),
            State::Closed | State::Fatal | State::Fenced
        )
    }

    pub(crate) fn obey(&mut self, request: Request, facts: ClusterFacts) {
        self.machine.observe(facts);
        match request {
            Request::Init(done) => {
                let started = self.machine.init().map(|_| ());
                wait(&mut self.init, done, started);
            }
            Request::Begin(done) => {
                self.ending.last = None;
                if matches!(
                    self.machine.state(),
                    State::InTransaction | State::AbortableError
                ) {
                    // Only its handle could end it, and whoever has that can't ask for another: it was lost with the
                    // future that was to return it.
                    self.abort_unasked();
                }
                self.begin = Some(done);
            }
            Request::Commit(done) => {
                let started = self.machine.commit().map(|_| ());
                self.ending.waiter = Some(done);
                if let Err(error) = started {
                    self.commit_failed(error);
                }
            }
            Request::Abort(done) => {
                let started = self.machine.abort().map(|_| ());
                wait(&mut self.ending.waiter, done, started);
            }
            Request::Outcome(done) => self.ask_outcome(done),
            #[cfg(feature = "two-phase-commit")]
            Request::Prepare(done) => self.prepare(done),
            #[cfg(feature = "two-phase-commit")]
            Request::Prepared(done) => self.ask_prepared(done),
            Request::SendOffsets {
                offsets,
                group,
                done,
            } => {
                let started = self.machine.send_offsets(group, offsets);
                wait(&mut self.offsets, done, started);
            }
        }
    }

    /// The application let go of the transaction: its abort needs nobody to wait for it.
    pub(crate) fn abort_unasked(&mut self) {
        if self.machine.abort().is_ok() {
            self.machine.disown_abort();
        }
    }

    pub(crate) fn spoil(&mut self, cause: Error) {
        self.machine.send_failed(cause);
    }

    /// Ends the life of the machine; `done` hears when that is through.
    pub(crate) fn close(&mut self, done: Option<Answer<()>>, how: Close) {
        self.stopped = done;
        self.machine.close(how);
        if self.is_over() {
            answer(&mut self.stopped, Ok(()));
        }
    }

    pub(crate) fn touch(&mut self, partition: PartitionId) {
        if let Some(partition) = self.partitions.get(partition.0 as usize)
            && let Err(error) = self.machine.partition_touched(partition)
        {
            // The transaction it belongs to is over; its batch fails with what ended it.
            tracing::debug!(%partition, %error, "a record came too late for its transaction");
        }
    }

    pub(crate) fn attempted(&mut self, partition: PartitionId, now: Instant) {
        if let Some(partition) = self.partitions.get(partition.0 as usize) {
            self.machine.produce_attempted(partition, now);
        }
    }

    pub(crate) fn answered(&mut self, partition: PartitionId, concurrent: bool, now: Instant) {
        if let Some(partition) = self.partitions.get(partition.0 as usize) {
            self.machine.produce_answered(partition, concurrent, now);
        }
    }

    /// Lets callers see where the machine stands, before any of them is told (L-8): a transaction that can only be
    /// aborted takes no more records (T-11), nor does a producer at its end.
    pub(crate) fn show(&self, shared: &Shared) {
        let Some(error) = self.machine.stored_error() else {
            return;
        };
        if self.machine.state() == State::AbortableError {
            shared.standing.block(&error);
        } else {
            shared.end(error);
        }
    }

    pub(crate) fn batch_failed(&mut self, cause: Error, failure: &Failure) {
        let outcome = if failure.is_unknown() {
            BatchOutcome::Unknown
        } else {
            BatchOutcome::NotAppended
        };
        self.machine.batch_failed(cause, outcome);
    }

    /// A coordinator responded, or did not. Gives the last failure if no later request has succeeded: the cause of
    /// the time-outs of those who wait (L-30).
    pub(crate) fn deliver(
        &mut self,
        response: Response,
        facts: ClusterFacts,
        now: Instant,
    ) -> Option<Error> {
        self.machine.observe(facts);
        self.machine.handle_response(response, now);
        let failure = self.machine.last_failure().cloned();
        if let Some(wrong @ Error::WrongListener { .. }) = &failure {
            // No broker listens there, so `start` need not wait out its time.
            answer(&mut self.init, Err(wrong.clone()));
        }
        failure
    }

    /// What to ask the coordinators now, and when there will be more without anything happening.
    pub(crate) fn poll(
        &mut self,
        now: Instant,
        sender: SenderStatus,
    ) -> (Vec<Call>, Option<Instant>) {
        let mut calls = Vec::new();
        loop {
            match self.machine.poll(now, sender) {
                Output::Send(call) => calls.push(call),
                Output::WaitUntil(at) => {
                    let deadline = self.machine.registration_deadline();
                    return (
                        calls,
                        Some(deadline.map_or(at, |deadline| deadline.min(at))),
                    );
                }
                Output::Idle => return (calls, self.machine.registration_deadline()),
            }
        }
    }

    /// Whether there is something for [`effects`](Self::effects).
    pub(crate) fn has_effects(&self) -> bool {
        self.machine.has_events()
    }

    /// What the machine tells: some of it is for those who wait, the rest is the sender's to do.
    pub(crate) fn effects(&mut self, shared: &Shared) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(event) = self.machine.poll_event() {
            match event {
                Event::IdentityChanged(identity) => effects.push(Effect::Identity(identity)),
                Event::PartitionsAdded(_) | Event::TransactionEnded(_) => {}
                Event::Flush => effects.push(Effect::Flush),
                Event::FailUndrained(error) => effects.push(Effect::FailUndrained(error)),
                Event::Abortable(cause) => {
                    tracing::debug!(%cause, "the transaction can only be aborted");
                    // Nothing that has no sequence yet will be sent: whoever waits for it hears so now (T-37).
                    effects.push(Effect::FailUndrained(cause.into_abortable()));
                }
                Event::OperationEnded(operation) => self.operation_ended(operation),
                Event::Fatal(error) => effects.push(Effect::End(error)),
                Event::Closed => {
                    effects.push(Effect::End(crate::producer::standing::closed()));
                    answer(&mut self.stopped, Ok(()));
                }
            }
        }
        self.begin_if_ready(shared);
        effects
    }

    /// Begins the transaction that is waited for, unless the abort of the last one is still under way.
    fn begin_if_ready(&mut self, shared: &Shared) {
        let aborting = self.machine.state() == State::Aborting && self.ending.waiter.is_none();
        let Some(waiter) = self.begin.take_if(|_| !aborting) else {
            return;
        };
        let begun = self.machine.begin();
        let is_open = begun.is_ok();
        if is_open {
            shared.standing.unblock();
        }
        if waiter.send(begun).is_err() && is_open {
            self.abort_unasked();
        }
    }

    fn operation_ended(&mut self, operation: Operation) {
        let Some(outcome) = self.machine.take_outcome(operation) else {
            return;
        };
        match operation {
            Operation::Init => answer(&mut self.init, outcome),
            Operation::SendOffsets => answer(&mut self.offsets, outcome),
            Operation::Commit | Operation::Abort => self.transaction_ended(operation, outcome),
            Operation::Prepare => {
                #[cfg(feature = "two-phase-commit")]
                self.prepare_ended(outcome);
            }
        }
    }

    /// A transaction that can't be committed is aborted before its commit returns: what the caller hears is the
    /// end of it, and the coordinator's answer tells whether the producer was fenced (T-70).
    fn commit_failed(&mut self, error: Error) {
        if self.machine.state() == State::Prepared {
            // Not ours to abort (T-45).
            return answer(&mut self.ending.waiter, Err(error));
        }
        match self.machine.abort() {
            Ok(_) => self.ending.commit_error = Some(error),
            Err(_) => answer(&mut self.ending.waiter, Err(error)),
        }
    }

    fn transaction_ended(&mut self, operation: Operation, outcome: Result<(), Error>) {
        if operation == Operation::Commit && self.machine.state() == State::AbortableError {
            return match outcome {
                Err(error) => self.commit_failed(error),
                Ok(()) => answer(&mut self.ending.waiter, Ok(())),
            };
        }
        let told = match (self.ending.commit_error.take(), &outcome) {
            (Some(error), Ok(())) => Err(error),
            (Some(_) | None, _) => outcome.clone(),
        };
        answer(&mut self.ending.waiter, told);
        if let Some(late) = self.ending.late.take() {
            drop(late.send(outcome_of(operation, outcome.clone())));
        }
        self.ending.last = Some((operation, outcome));
    }

    #[cfg(feature = "two-phase-commit")]
    fn prepare(&mut self, done: Answer<PreparedTransaction>) {
        match self.machine.prepare() {
            Ok(_) => self.prepare = Some(done),
            Err(error) => drop(done.send(Err(error))),
        }
    }

    #[cfg(feature = "two-phase-commit")]
    fn prepare_ended(&mut self, outcome: Result<(), Error>) {
        let prepared = self.machine.prepared().map(PreparedTransaction);
        let told = match outcome {
            Ok(()) => prepared.ok_or(Error::TransactionAborted),
            Err(error) => Err(error),
        };
        let heard = self
            .prepare
            .take()
            .is_some_and(|waiter| waiter.send(told).is_ok());
        if !heard {
            // Nobody knows its name, so nobody can count on it.
            self.abort_unasked();
        }
    }

    #[cfg(feature = "two-phase-commit")]
    fn ask_prepared(&mut self, done: Answer<Option<PreparedTransaction>>) {
        let told = if let Some(error) = self.machine.stored_error() {
            Err(error)
        } else if self.machine.pending_operation().is_some() {
            Err(outcome_not_asked())
        } else {
            Ok(self.machine.prepared().map(PreparedTransaction))
        };
        drop(done.send(told));
    }

    fn ask_outcome(&mut self, done: Answer<Option<TransactionOutcome>>) {
        match &self.ending.last {
            Some((operation, outcome)) => {
                drop(done.send(outcome_of(*operation, outcome.clone())));
            }
            // Of an abort that nobody waits for nothing is in doubt.
            None if self.machine.pending_operation().is_some() => self.ending.late = Some(done),
            None => drop(done.send(self.machine.stored_error().map_or(Ok(None), Err))),
        }
    }
}

impl Permits for Transacting {
    fn permit(&self, partition: PartitionId, now: Instant) -> SendPermit {
        let Some(partition) = self.partitions.get(partition.0 as usize) else {
            return SendPermit::No;
        };
        self.machine.may_send(partition, now)
    }
}

/// Sends `call`; the answer comes back through [`Transacting::deliver`].
pub(crate) fn perform(
    transacting: &Transacting,
    cluster: &Cluster,
    call: Call,
) -> impl Future<Output = Response> + Send + use<> {
    let id = Arc::clone(&transacting.transactional_id);
    calls::perform(cluster.clone(), id, call, transacting.coordinator_timeout)
}

/// What is known of the cluster and decides the protocol (T-1, P-91).
pub(crate) fn facts(cluster: &Cluster) -> ClusterFacts {
    let max = |api_key| cluster.lowest_common(api_key).map(|range| range.max);
    ClusterFacts {
        transaction_version: Some(cluster.features().transaction_version()),
        produce_max: max(0),
        txn_offset_commit_max: max(28),
        end_txn_max: max(26),
        init_producer_id_max: max(22),
    }
}

fn outcome_of(
    operation: Operation,
    outcome: Result<(), Error>,
) -> Result<Option<TransactionOutcome>, Error> {
    outcome.map(|()| match operation {
        Operation::Commit => Some(TransactionOutcome::Committed),
        Operation::Abort => Some(TransactionOutcome::Aborted),
        Operation::Init | Operation::Prepare | Operation::SendOffsets => None,
    })
}

pub(super) fn outcome_not_asked() -> Error {
    Error::misuse("the outcome of the last transaction was not asked for; call outcome() first")
}

/// Keeps `done` for later, or tells it at once that nothing was started.
fn wait(slot: &mut Option<Answer<()>>, done: Answer<()>, started: Result<(), Error>) {
    if started.is_ok() {
        *slot = Some(done);
    } else {
        drop(done.send(started));
    }
}

/// Tells the one who waits, if anyone does; whoever has gone needs no answer.
fn answer(slot: &mut Option<Answer<()>>, outcome: Result<(), Error>) {
    if let Some(waiter) = slot.take() {
        drop(waiter.send(outcome));
    }
}

#[cfg(test)]
mod tests;
