//! The producer's one task: it waits for sockets, timers and callers, and decides nothing.
//!
//! Each turn it lets the [sender](super::machine) say what to do, does it, and sleeps until an answer, a
//! record, a command, new metadata or the next deadline. It ends when it is told to stop, or when every
//! handle is gone and nothing is left to deliver.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use milena_codec::{ErrorCode, ProducerIdentity};
use milena_connection::{CallError, Cluster, Connection, Lane};
use tokio::sync::{mpsc, watch};

use super::arrivals::Arrivals;
use super::delivery::BatchOutcome;
use super::exchange::{self, Expected};
use super::failure::Failure;
use super::identity::{InitVerdict, ProducerIdRequester};
use super::machine::{
    Event, Leader, Open, PartitionId, ProduceAnswer, ProduceRequest, RequestId, Sendable, Sender,
    SenderConfig, Work,
};
use super::queue::{PartitionQueue, Room, Shared};
use super::returns::Returns;
use super::sealed::{Queues, SealedBatch};
use super::transacting::{self, Answer, Effect, Request, Transacting};
use crate::config::{Acks, ProducerConfig};
use crate::error::Error;
use crate::runtime::now;
use crate::transaction::calls::Answered;
use crate::transaction::{Close, SenderStatus};

/// What a handle asks of the driver.
#[derive(Debug)]
pub(crate) enum Command {
    /// Fail what is left and end; a transactional producer ends its transaction first, if it may wait.
    Stop {
        how: Close,
        done: Answer<()>,
    },
    Transaction(Request),
}

/// What the driver waits for, beside records, commands and time.
enum Happening {
    Connected {
        broker: i32,
        result: Result<Connection, CallError>,
    },
    Coordinated(Answered),
    MetadataRefreshed,
    /// The first batch of a transaction may go.
    PauseOver,
    Produced {
        id: RequestId,
        broker: i32,
        expected: Expected,
        result: Result<Bytes, CallError>,
    },
    ProducerId(Result<(ErrorCode, ProducerIdentity), CallError>),
}

enum Link {
    Dialling,
    Up(Connection),
}

#[derive(PartialEq, Eq)]
enum Turn {
    End,
    GoOn,
}

/// What a driver is started with.
pub(crate) struct Parts {
    pub(crate) shared: Arc<Shared>,
    pub(crate) config: Arc<ProducerConfig>,
    pub(crate) cluster: Cluster,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) transactional_id: Option<Arc<str>>,
    pub(crate) transacting: Option<Transacting>,
    pub(crate) seed: u64,
}

/// The producer's task.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    config: Arc<ProducerConfig>,
    cluster: Cluster,
    sender: Sender<SealedBatch>,
    requester: ProducerIdRequester,
    transactional_id: Option<Arc<str>>,
    transacting: Option<Transacting>,
    queues: Vec<Arc<PartitionQueue>>,
    returns: Returns<Room>,
    links: HashMap<i32, Link>,
    happenings: FuturesUnordered<BoxFuture<'static, Happening>>,
    commands: mpsc::Receiver<Command>,
    metadata: watch::Receiver<u64>,
    refreshing: bool,
    /// The end of the pause between two transactions that is being waited for.
    pausing_until: Option<Instant>,
}

impl Driver {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            shared,
            config,
            cluster,
            commands,
            transactional_id,
            transacting,
            seed,
        } = parts;
        let client = &config.client;
        let sender = Sender::new(SenderConfig {
            idempotent: config.idempotent,
            transactional: transacting.is_some(),
            in_flight_max: config.max_in_flight,
            retries_max: config.retries,
            delivery_timeout: config.delivery_timeout,
            retry_backoff: client.retry_backoff,
            retry_backoff_max: client.retry_backoff_max,
            batch_bytes_max: config.batch_bytes,
            request_bytes_max: config.request_bytes_max,
            seed,
        });
        Self {
            sender,
            requester: ProducerIdRequester::new(client.retry_backoff, client.retry_backoff_max),
            transactional_id,
            transacting,
            queues: Vec::new(),
            returns: Returns::new(config.buffer_memory),
            links: HashMap::new(),
            happenings: FuturesUnordered::new(),
            commands,
            metadata: cluster.metadata_changed(),
            refreshing: false,
            pausing_until: None,
            shared,
            config,
            cluster,
        }
    }

    /// Runs until it is stopped, or until nobody holds a handle and nothing is left to do.
    pub(crate) async fn run(mut self) {
        let mut abandoned = false;
        loop {
            let wait_until = self.pump(now());
            if abandoned && self.is_done() {
                return;
            }
            let timer = async {
                match wait_until {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // In a fixed order, so that a run can be repeated. What comes often is last, and every turn takes
                // the records that are there and does what is due, so nothing starves.
                biased;
                command = self.commands.recv(), if !abandoned => match command {
                    Some(command) => if self.obey(command) == Turn::End { return },
                    None => {
                        abandoned = true;
                        self.look(now());
                        if let Some(transacting) = &mut self.transacting {
                            transacting.close(None, Close::Graceful);
                        }
                    }
                },
                changed = self.metadata.changed() => {
                    if changed.is_err() {
                        return self.end(&super::core::closed());
                    }
                    self.learn_leaders(now());
                }
                Some(happening) = self.happenings.next(), if !self.happenings.is_empty() => {
                    self.handle(happening);
                    // Answers that are here already cost no further turn.
                    while let Some(Some(happening)) = self.happenings.next().now_or_never() {
                        self.handle(happening);
                    }
                }
                () = self.shared.woken() => {}
                () = timer => {}
            }
        }
    }

    fn is_done(&self) -> bool {
        let sent = self.sender.unresolved_batches() == 0 && self.shared.undrained() == 0;
        sent && self.transacting.as_ref().is_none_or(Transacting::is_over)
    }

    /// Does everything that can be done now; says when there will be more without anything happening.
    fn pump(&mut self, now: Instant) -> Option<Instant> {
        loop {
            self.look(now);
            let effects = self.carry_out_effects(now);
            let work = self.drain(now);
            self.tell(now);
            let sent = !work.requests.is_empty();
            let arranged = self.arrange(now, &work);
            for request in work.requests {
                self.submit(now, request);
            }
            let coordinated = self.coordinate(now);
            // A transaction can end by what the sender has just told, without another answer.
            let ended = self
                .transacting
                .as_ref()
                .is_some_and(Transacting::has_effects);
            if !sent && !effects && !ended {
                self.sit_out_pause(now);
                let waits = self.shared.somebody_waits_for_room();
                let returned = self.returns.poll(now, waits);
                return [arranged, coordinated, returned]
                    .into_iter()
                    .flatten()
                    .min();
            }
        }
    }

    /// What callers left for the driver without waiting for it.
    fn look(&mut self, now: Instant) {
        let arrivals = Arrivals::collect(&*self.shared, self.queues.len());
        if let Some(queues) = arrivals.partitions {
            self.learn_partitions(queues, now);
        }
        for partition in arrivals.flagged {
            self.sender.on_records(partition);
        }
        let Some(transacting) = &mut self.transacting else {
            return;
        };
        for partition in arrivals.touched {
            transacting.touch(partition);
        }
        if let Some(cause) = self.shared.take_spoiled() {
            transacting.spoil(cause);
        }
        if self.shared.take_abort_request() {
            transacting.abort_unasked();
        }
    }

    fn drain(&mut self, now: Instant) -> Work<SealedBatch> {
        let mut queues = Queues {
            shared: &self.shared,
            queues: &self.queues,
            compressor: self.config.compression,
            linger: self.config.linger,
            unsent: Vec::new(),
        };
        let work = match &self.transacting {
            Some(transacting) => self.sender.drain(now, &mut queues, transacting),
            None => self.sender.drain(now, &mut queues, &Open),
        };
        for (partition, pending, failure) in queues.unsent {
            let error = self.fail(partition, failure, now - pending.created);
            pending.completion.complete(BatchOutcome::Failed(error));
        }
        work
    }

    /// Sees to what the sender lacks.
    fn arrange(&mut self, now: Instant, work: &Work<SealedBatch>) -> Option<Instant> {
        for broker in &work.connect {
            self.dial(*broker);
        }
        if work.refresh_metadata {
            self.refresh();
        }
        if !work.init_producer_id {
            return work.wait_until;
        }
        if self.requester.poll(now) {
            let cluster = self.cluster.clone();
            self.happenings.push(Box::pin(async move {
                Happening::ProducerId(exchange::init_producer_id(&cluster).await)
            }));
        }
        [work.wait_until, self.requester.wait_until()]
            .into_iter()
            .flatten()
            .min()
    }

    fn refresh(&mut self) {
        if self.refreshing {
            return;
        }
        self.refreshing = true;
        let cluster = self.cluster.clone();
        let topics = milena_connection::TopicsWanted::Named(self.shared.topic_names());
        self.happenings.push(Box::pin(async move {
            if let Err(cause) = cluster.refresh(topics).await {
                tracing::debug!(%cause, "metadata could not be refreshed");
            }
            Happening::MetadataRefreshed
        }));
    }

    fn dial(&mut self, broker: i32) {
        if self.links.contains_key(&broker) {
            return;
        }
        self.links.insert(broker, Link::Dialling);
        let cluster = self.cluster.clone();
        self.happenings.push(Box::pin(async move {
            Happening::Connected {
                broker,
                result: cluster.connection(broker, Lane::Data).await,
            }
        }));
    }

    /// Waits out the pause before a transaction's first batch (L-23). It lasts some 300 µs, and the runtime's timers
    /// tick in milliseconds: a thread that sleeps is five times as close. Should there be none to be had, the timer
    /// is set all the same.
    fn sit_out_pause(&mut self, now: Instant) {
        let transacting = self.transacting.as_ref();
        let until = transacting.and_then(|transacting| transacting.pause_until(now));
        let Some(until) = until.filter(|_| self.shared.undrained() > 0) else {
            return;
        };
        if self.pausing_until.replace(until) == Some(until) {
            return;
        }
        let pause = until.saturating_duration_since(now);
        let slept = tokio::task::spawn_blocking(move || std::thread::sleep(pause));
        self.happenings.push(Box::pin(async move {
            // It fails if the runtime is shutting down.
            drop(slept.await);
            Happening::PauseOver
        }));
    }

    /// Sends what the transaction machine asks.
    fn coordinate(&mut self, now: Instant) -> Option<Instant> {
        let sender = SenderStatus {
            undrained_batches: self.shared.undrained(),
            unresolved_batches: self.sender.unresolved_batches(),
        };
        let transacting = self.transacting.as_mut()?;
        let (calls, wait_until) = transacting.poll(now, sender);
        for call in calls {
            let answered = transacting::perform(transacting, &self.cluster, call);
            self.happenings.push(Box::pin(
                async move { Happening::Coordinated(answered.await) },
            ));
        }
        wait_until
    }

    fn submit(&mut self, now: Instant, request: ProduceRequest<SealedBatch>) {
        let (id, broker) = (request.id, request.broker);
        let Some(Link::Up(connection)) = self.links.get(&broker) else {
            return self.sender.handle_answer(now, id, ProduceAnswer::NotSent);
        };
        let versions = self.transacting.as_ref().map(Transacting::produce_versions);
        let sending = exchange::Sending {
            connection,
            snapshot: &self.cluster.snapshot(),
            queues: &self.queues,
            config: &self.config,
            transactional_id: self.transactional_id.as_deref(),
            versions: versions.unwrap_or(exchange::ANY_VERSION),
        };
        match sending.submit(&request) {
            Ok((answer, expected)) => {
                if let Some(transacting) = &mut self.transacting {
                    for outgoing in &request.batches {
                        transacting.attempted(outgoing.partition, now);
                    }
                }
                self.happenings.push(Box::pin(async move {
                    Happening::Produced {
                        id,
                        broker,
                        expected,
                        result: answer.await,
                    }
                }));
            }
            Err(cause) => {
                tracing::debug!(broker, %cause, "a Produce request could not be handed to its connection");
                self.drop_closed_link(broker);
                self.sender.handle_answer(now, id, ProduceAnswer::NotSent);
            }
        }
    }

    fn handle(&mut self, happening: Happening) {
        let now = now();
        match happening {
            Happening::Connected {
                broker,
                result: Ok(connection),
            } => {
                self.sender.on_connected(broker, connection.connection_id());
                self.links.insert(broker, Link::Up(connection));
            }
            Happening::Connected {
                broker,
                result: Err(cause),
            } => {
                tracing::debug!(broker, %cause, "no connection");
                self.links.remove(&broker);
                // The leader may have moved because this broker is gone.
                self.refresh();
            }
            Happening::Coordinated(answered) => {
                let facts = transacting::facts(&self.cluster);
                if let Some(transacting) = &mut self.transacting {
                    transacting.deliver(answered, facts, now);
                }
            }
            Happening::PauseOver => {}
            Happening::MetadataRefreshed => {
                self.refreshing = false;
                self.learn_leaders(now);
            }
            Happening::Produced {
                id,
                broker,
                expected,
                result,
            } => {
                let answer = self.read(broker, &expected, result);
                if let (Some(transacting), ProduceAnswer::Answered { partitions, .. }) =
                    (&mut self.transacting, &answer)
                {
                    for (partition, answer) in partitions {
                        let concurrent = answer.code == ErrorCode::ConcurrentTransactions;
                        transacting.answered(*partition, concurrent, now);
                    }
                }
                self.sender.handle_answer(now, id, answer);
                self.tell(now);
            }
            Happening::ProducerId(result) => self.handle_producer_id(now, result),
        }
    }

    /// What became of a Produce request, in the sender's terms.
    fn read(
        &mut self,
        broker: i32,
        expected: &Expected,
        result: Result<Bytes, CallError>,
    ) -> ProduceAnswer {
        let body = match result {
            Ok(_) if self.config.acks == Acks::NoneMayLose => return ProduceAnswer::Written,
            Ok(body) => body,
            Err(cause) => {
                tracing::debug!(broker, %cause, "a Produce request got no answer");
                self.drop_closed_link(broker);
                let unknown = cause.is_ambiguous();
                return if unknown {
                    ProduceAnswer::Unknown
                } else {
                    ProduceAnswer::NotSent
                };
            }
        };
        match exchange::decode(body, expected, &self.config.client.limits) {
            Ok((answer, hints)) => {
                for hint in &hints {
                    self.cluster.apply_leader_hint(hint);
                }
                answer
            }
            Err(cause) => {
                tracing::warn!(broker, %cause, "malformed Produce answer: its batches' fate is unknown");
                ProduceAnswer::Unknown
            }
        }
    }

    fn drop_closed_link(&mut self, broker: i32) {
        if matches!(self.links.get(&broker), Some(Link::Up(connection)) if connection.is_closed()) {
            self.links.remove(&broker);
            self.sender.on_disconnected(broker);
        }
    }

    fn handle_producer_id(
        &mut self,
        now: Instant,
        result: Result<(ErrorCode, ProducerIdentity), CallError>,
    ) {
        let (answer, identity) = exchange::init_answer(result);
        match self.requester.handle(now, answer) {
            InitVerdict::Granted => self.sender.set_identity(identity),
            InitVerdict::Retry => {}
            InitVerdict::Refused(code) => {
                self.fail_queued(&Error::broker(code, "InitProducerId", None));
            }
            InitVerdict::Fatal(code) => {
                self.end(&Error::broker(code, "InitProducerId", None).into_fatal());
            }
        }
    }

    /// Tells callers, and the transaction, what the sender found out.
    fn tell(&mut self, now: Instant) {
        while let Some(event) = self.sender.poll_event() {
            match event {
                Event::Completed {
                    partition,
                    batch,
                    result,
                } => {
                    let age = now.saturating_duration_since(batch.created());
                    batch.complete(result.map_err(|failure| self.fail(partition, failure, age)));
                    let (buffer, room) = batch.into_parts();
                    if let Some(buffer) = buffer {
                        self.shared.recycle(buffer);
                    }
                    if let Some(room) = room {
                        let bytes = room.bytes();
                        self.returns.put(now, room, bytes);
                    }
                }
                Event::Split { batch, children } => batch.hand_over(&children),
                Event::DataLossSuspected { partition } => {
                    let queue = self.queues.get(partition.0 as usize);
                    let (topic, partition) = queue.map_or(("", -1), |q| (&*q.topic, q.partition));
                    tracing::warn!(
                        topic,
                        partition,
                        "acknowledged records may be lost: the leader lacks what came before this batch"
                    );
                }
                Event::Fatal(failure) => {
                    let error =
                        failure
                            .clone()
                            .into_delivery_error(Arc::from(""), -1, Duration::ZERO);
                    // Its transaction may know better what it means: that it is fenced.
                    self.spoil_transaction(&error, &failure);
                    self.end(&error.into_fatal());
                }
            }
        }
    }

    /// The error of a failed batch; its transaction hears of it before its caller does (L-8).
    fn fail(&mut self, partition: PartitionId, failure: Failure, age: Duration) -> Error {
        let queue = self.queues.get(partition.0 as usize);
        let (topic, partition) = queue.map_or((Arc::from(""), -1), |queue| {
            (Arc::clone(&queue.topic), queue.partition)
        });
        let error = failure.clone().into_delivery_error(topic, partition, age);
        self.spoil_transaction(&error, &failure);
        error
    }

    fn spoil_transaction(&mut self, error: &Error, failure: &Failure) {
        if let Some(transacting) = &mut self.transacting {
            transacting.batch_failed(error.clone(), failure);
            transacting.show(&self.shared);
        }
    }

    /// Does what the transaction machine wants of the sender. True if there was anything.
    fn carry_out_effects(&mut self, now: Instant) -> bool {
        let Some(transacting) = &mut self.transacting else {
            return false;
        };
        transacting.show(&self.shared);
        let effects = transacting.effects(&self.shared);
        let any = !effects.is_empty();
        for effect in effects {
            match effect {
                Effect::Identity(identity) => self.sender.set_identity(identity),
                Effect::Flush => drop(self.shared.seal_all()),
                Effect::FailUndrained(error) => self.fail_queued(&error),
                Effect::End(error) => {
                    self.end(&error);
                    self.tell(now);
                }
            }
        }
        any
    }

    /// Fails what has no sequence yet.
    fn fail_queued(&mut self, error: &Error) {
        for queue in &self.queues {
            let pending = queue.lock().clear();
            self.shared.drained(pending.len());
            for batch in pending {
                batch
                    .completion
                    .complete(BatchOutcome::Failed(error.clone()));
            }
        }
    }

    /// Nothing is accepted or sent any more. The state is set before anyone is told (L-8).
    fn end(&mut self, error: &Error) {
        self.shared.end(error.clone());
        let reason = self.shared.ended().unwrap_or(error).clone();
        self.fail_queued(&reason);
        self.sender.fail_all(&Failure::ended(reason));
    }

    fn obey(&mut self, command: Command) -> Turn {
        self.look(now());
        match command {
            Command::Transaction(request) => {
                let facts = transacting::facts(&self.cluster);
                if let Some(transacting) = &mut self.transacting {
                    transacting.obey(request, facts);
                }
                Turn::GoOn
            }
            Command::Stop {
                how: Close::Graceful,
                done,
            } if self.transacting.is_some() => {
                if let Some(transacting) = &mut self.transacting {
                    transacting.close(Some(done), Close::Graceful);
                }
                Turn::GoOn
            }
            Command::Stop { done, .. } => {
                if let Some(transacting) = &mut self.transacting {
                    transacting.close(None, Close::Forced);
                }
                self.end(&super::core::closed());
                self.tell(now());
                // Whoever asked may have gone; the producer has ended all the same.
                drop(done.send(Ok(())));
                Turn::End
            }
        }
    }

    /// Takes note of topics and partitions that callers made known.
    fn learn_partitions(&mut self, queues: Vec<Arc<PartitionQueue>>, now: Instant) {
        for _ in self.queues.len()..queues.len() {
            self.sender.add_partition();
        }
        if let Some(transacting) = &mut self.transacting {
            transacting.learn(&queues);
        }
        self.queues = queues;
        self.learn_leaders(now);
    }

    /// Takes over leaders and new partitions from the newest metadata.
    fn learn_leaders(&mut self, now: Instant) {
        let snapshot = self.cluster.snapshot();
        for topic in self.shared.topic_names() {
            if let Some(metadata) = snapshot.topic(&topic) {
                self.shared.register(&topic, metadata.partitions.len());
            }
        }
        for queue in &self.queues {
            let leader = snapshot
                .partition(&queue.topic, queue.partition)
                .and_then(|partition| {
                    let leader_epoch = partition.leader_epoch.unwrap_or(-1);
                    Some(Leader {
                        broker: partition.leader?,
                        leader_epoch,
                    })
                });
            queue.set_has_leader(leader.is_some());
            self.sender.set_leader(now, queue.id, leader);
        }
    }
}
