//! The producer's one task: it waits for sockets, timers and callers, and decides nothing.
//!
//! Each turn it does what the [sender](super::sender) wants done, and sleeps until a response, a record, a
//! command, new metadata or the next deadline. It ends when it is stopped, or when every handle is gone and nothing is left to deliver.

mod brokers;
mod outcomes;
mod transaction;
mod wakeups;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use milena_codec::{ErrorCode, ProducerIdentity};
use milena_connection::{CallError, Cluster, Connection};
use tokio::sync::{mpsc, watch};

use self::wakeups::Wakeups;
use super::accumulator::Shared;
use super::batch::SealedBatch;
use super::memory::{Returns, Room};
use super::produce::Expected;
use super::queue::PartitionQueue;
use super::sender::identity::ProducerIdRequester;
use super::sender::{ProduceOutcome, RequestId, Sender, SenderConfig};
use crate::config::ProducerConfig;
use crate::error::Error;
use crate::runtime::now;
use crate::transaction::session::{self, Answer, Request, Transacting};
use crate::transaction::{Close, Response};

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
enum DriverEvent {
    Connected {
        broker: i32,
        result: Result<Connection, CallError>,
    },
    Coordinated(Response),
    MetadataRefreshed(Result<(), CallError>),
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
    Connecting,
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
    events: FuturesUnordered<BoxFuture<'static, DriverEvent>>,
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
            events: FuturesUnordered::new(),
            commands,
            metadata: cluster.metadata_changed(),
            refreshing: false,
            pausing_until: None,
            shared,
            config,
            cluster,
        }
    }

    /// Runs until it is stopped, or until no handle is left and nothing is left to do.
    pub(crate) async fn run(mut self) {
        let mut abandoned = false;
        let mut give_up_at = None;
        loop {
            self.give_up_if_due(give_up_at);
            let pumped = self.pump(now());
            if abandoned && self.is_done() {
                return;
            }
            let wait_until = [pumped, give_up_at].into_iter().flatten().min();
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
                    Some(command) => if self.handle_command(command) == Turn::End { return },
                    None => {
                        abandoned = true;
                        self.collect_wakeups(now());
                        if let Some(transacting) = &mut self.transacting {
                            transacting.close(None, Close::Graceful);
                            give_up_at = Some(now() + transacting.patience());
                        }
                    }
                },
                changed = self.metadata.changed() => {
                    if changed.is_err() {
                        return self.end(&super::standing::closed());
                    }
                    self.learn_leaders(now());
                }
                Some(event) = self.events.next(), if !self.events.is_empty() => {
                    self.handle(event);
                    // Responses that have arrived already cost no further turn.
                    while let Some(Some(event)) = self.events.next().now_or_never() {
                        self.handle(event);
                    }
                }
                () = self.shared.woken() => {}
                () = timer => {}
            }
        }
    }

    /// All handles are gone and no broker became reachable within the transaction timeout: stop trying.
    fn give_up_if_due(&mut self, at: Option<Instant>) {
        if let Some(transacting) = &mut self.transacting
            && at.is_some_and(|at| at <= now())
        {
            transacting.close(None, Close::Forced);
        }
    }

    fn is_done(&self) -> bool {
        let sent = self.sender.unresolved_batches() == 0 && self.shared.undrained() == 0;
        sent && self.transacting.as_ref().is_none_or(Transacting::is_over)
    }

    /// Does everything that can be done now; says when there will be more without anything event.
    fn pump(&mut self, now: Instant) -> Option<Instant> {
        loop {
            self.collect_wakeups(now);
            let effects = self.carry_out_effects(now);
            let work = self.drain(now);
            self.complete_batches(now);
            let sent = !work.requests.is_empty();
            let pending = self.start_pending(now, &work);
            for request in work.requests {
                self.submit(now, request);
            }
            let coordinated = self.coordinate(now);
            // A transaction can end by what the sender has just reported, without another response.
            let ended = self
                .transacting
                .as_ref()
                .is_some_and(Transacting::has_effects);
            if !sent && !effects && !ended {
                self.sit_out_pause(now);
                let waits = self.shared.memory.has_waiters();
                let returned = self.returns.poll(now, waits);
                return [pending, coordinated, returned].into_iter().flatten().min();
            }
        }
    }

    /// What callers left for the driver without waiting for it.
    fn collect_wakeups(&mut self, now: Instant) {
        let wakeups = Wakeups::collect(&*self.shared, self.queues.len());
        if let Some(queues) = wakeups.partitions {
            self.learn_partitions(queues, now);
        }
        for partition in wakeups.flagged {
            self.sender.on_records(partition);
        }
        let Some(transacting) = &mut self.transacting else {
            return;
        };
        for partition in wakeups.touched {
            transacting.touch(partition);
        }
        if let Some(cause) = self.shared.standing.take_abortable() {
            transacting.spoil(cause);
        }
        if self.shared.standing.take_abort_request() {
            transacting.abort_unasked();
        }
    }

    fn handle(&mut self, event: DriverEvent) {
        let now = now();
        match event {
            DriverEvent::Connected {
                broker,
                result: Ok(connection),
            } => {
                self.sender.on_connected(broker, connection.connection_id());
                self.links.insert(broker, Link::Up(connection));
            }
            DriverEvent::Connected {
                broker,
                result: Err(cause),
            } => {
                tracing::debug!(broker, %cause, "no connection");
                let trouble = Arc::new(Error::from(cause));
                self.note_trouble(&trouble);
                self.sender.on_connect_failed(broker, trouble);
                self.links.remove(&broker);
                // The leader may have moved because this broker is gone.
                self.refresh();
            }
            DriverEvent::Coordinated(response) => {
                let facts = session::facts(&self.cluster);
                if let Some(transacting) = &mut self.transacting {
                    let failure = transacting.deliver(response, facts, now);
                    self.shared.standing.note_trouble(failure);
                }
            }
            DriverEvent::PauseOver => {}
            DriverEvent::MetadataRefreshed(result) => {
                self.refreshing = false;
                let trouble = result.err().map(|cause| Arc::new(Error::from(cause)));
                if let Some(trouble) = &trouble {
                    self.note_trouble(trouble);
                }
                self.sender.on_metadata_refreshed(trouble);
                self.learn_leaders(now);
            }
            DriverEvent::Produced {
                id,
                broker,
                expected,
                result,
            } => {
                let outcome = self.read(broker, &expected, result);
                if let (Some(transacting), ProduceOutcome::Responded { partitions, .. }) =
                    (&mut self.transacting, &outcome)
                {
                    for (partition, response) in partitions {
                        let concurrent = response.code == ErrorCode::ConcurrentTransactions;
                        transacting.answered(*partition, concurrent, now);
                    }
                }
                self.sender.handle_response(now, id, outcome);
                self.complete_batches(now);
            }
            DriverEvent::ProducerId(result) => self.handle_producer_id(now, result),
        }
    }

    fn handle_command(&mut self, command: Command) -> Turn {
        self.collect_wakeups(now());
        match command {
            Command::Transaction(request) => {
                let facts = session::facts(&self.cluster);
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
                self.end(&super::standing::closed());
                self.complete_batches(now());
                // The caller may have gone; the producer has ended all the same.
                drop(done.send(Ok(())));
                Turn::End
            }
        }
    }
}

/// A runtime that shuts down drops its tasks wherever they are, and a panic would end this one: no caller may
/// go on waiting for a task that is gone (L-19).
impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(transacting) = &mut self.transacting {
            transacting.close(None, Close::Forced);
            // Completes the operations that callers wait for; the rest follows.
            drop(transacting.effects(&self.shared));
        }
        self.end(&super::standing::closed());
        self.complete_batches(now());
    }
}

#[cfg(test)]
mod tests;
