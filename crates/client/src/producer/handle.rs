//! [`Producer`], the public handle of a producer without transactions, and [`Core`], what every producer does on
//! the caller's side: placing records, waiting for room, flushing, closing.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use milena_codec::record::RecordToWrite;
use milena_connection::{Cluster, Connector, TcpConnector, TopicsWanted};
use tokio::sync::{mpsc, oneshot};

use super::accumulator::{Placed, Placing, SendLimits, Shared};
use super::batch::{BatchCompletion, Delivery};
use super::driver::{Command, Driver, Parts};
use super::memory::Room;
use super::record::Record;
use super::standing::closed;
use crate::client::Client;
use crate::config::{Partitioner, ProducerConfig};
use crate::error::Error;
use crate::runtime;
use crate::runtime::now;
use crate::transaction::Close;
use crate::transaction::session::Transacting;

/// Commands that may wait for the driver; callers beyond that wait to hand theirs over.
const COMMANDS_MAX: usize = 16;

/// Sends records; idempotent unless its configuration says otherwise.
///
/// Cloning is cheap and shares everything: use one producer for a whole program. A record is copied once, into
/// the open batch of its partition; the batch leaves when it is full, when its linger has passed, on
/// [`flush`](Self::flush) or on [`close`](Self::close). Records of one partition are appended in the order of
/// their `send` calls.
///
/// Dropping the last handle does not wait: what was sent before goes on being delivered in the background for as
/// long as the runtime lives, each batch within its delivery timeout. Use [`close`](Self::close) to wait for it.
///
/// ```no_run
/// # async fn run() -> Result<(), milena::Error> {
/// use milena::{Producer, ProducerBuilder, Record};
///
/// let producer = Producer::new(ProducerBuilder::new(["localhost:9092"]).build()?)?;
/// let delivery = producer.send(Record::to("orders").key(b"customer-7").value(b"3 apples")).await?;
/// let record = delivery.await?;
/// println!("{}-{} at {:?}", record.topic, record.partition, record.offset);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "KafkaProducer")]
#[doc(alias = "FutureProducer")]
#[doc(alias = "BaseProducer")]
pub struct Producer {
    core: Arc<Core>,
}

impl Producer {
    /// Starts a producer that speaks TCP. Nothing is sent before the first record.
    ///
    /// Must be called in a tokio runtime: the producer's task runs there.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the bootstrap list can't be used, [`Error::Misuse`] outside a runtime.
    pub fn new(config: ProducerConfig) -> Result<Self, Error> {
        Self::with_connector(config, Arc::new(TcpConnector::new()))
    }

    /// Starts a producer on a transport of the caller's.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_connector(
        config: ProducerConfig,
        connector: Arc<dyn Connector>,
    ) -> Result<Self, Error> {
        let client = Client::with_connector(config.client.clone(), connector)?;
        Self::start_on(&client, config)
    }

    /// Starts a producer of a client that has the client-level settings of `config`.
    pub(crate) fn start_on(client: &Client, config: ProducerConfig) -> Result<Self, Error> {
        let runtime = runtime::runtime()?;
        let (core, driver) = start(config, None, client.handle(), client.seed());
        runtime.spawn(driver.run());
        Ok(Self {
            core: Arc::new(core),
        })
    }

    /// Queues a record for its partition and returns a handle to its outcome (Java's `send`, librdkafka's `produce`).
    ///
    /// Waits only for the topic's partitions to be known and for room in `buffer_memory`, each at most
    /// `max_block`; not for the broker.
    ///
    /// # Errors
    ///
    /// [`Error::BufferFull`] and [`Error::Timeout`] after `max_block`; [`Error::RecordTooLarge`];
    /// [`Error::Misuse`] for a partition that does not exist or a negative timestamp; the reason of its end once
    /// the producer has failed for good or was closed. In all these cases nothing of the record is sent.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a call that is dropped before it ends has sent nothing.
    #[doc(alias = "produce")]
    #[doc(alias = "send_result")]
    #[must_use = "a record that was not written is only reported by its delivery"]
    pub async fn send(&self, record: Record<'_>) -> Result<Delivery, Error> {
        self.core.send(&record, 0).await
    }

    /// Waits until the outcome of every record sent before this call is known, without lingering.
    ///
    /// The records' [deliveries](Delivery) report failures, this call does not. Waits at most the delivery timeout.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the records stay on their way.
    pub async fn flush(&self) {
        self.core.flush().await;
    }

    /// Delivers what was sent before and ends the producer, for all its clones.
    ///
    /// Sends from now on are rejected. Records that are not delivered within `timeout` fail; those that were on
    /// the wire with an unknown outcome.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] if something was left; the reason if the producer had ended before.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, sends stay rejected and what is left is delivered in the background.
    pub async fn close(self, timeout: Duration) -> Result<(), Error> {
        self.core.close(timeout).await
    }
}

/// The two halves of a producer.
pub(crate) fn start(
    config: ProducerConfig,
    transactional: Option<(Arc<str>, Transacting)>,
    cluster: Cluster,
    seed: u64,
) -> (Core, Driver) {
    let limits = SendLimits {
        batch_bytes: config.batch_bytes,
        record_bytes_max: config.record_bytes_max,
        buffer_memory: config.buffer_memory,
    };
    let shared = Arc::new(Shared::new(limits, seed));
    let config = Arc::new(config);
    let (commands, received) = mpsc::channel(COMMANDS_MAX);
    let (transactional_id, transacting) = transactional.unzip();
    let driver = Driver::new(Parts {
        shared: Arc::clone(&shared),
        config: Arc::clone(&config),
        cluster: cluster.clone(),
        commands: received,
        transactional_id,
        transacting,
        seed,
    });
    (
        Core {
            shared,
            cluster,
            config,
            commands,
        },
        driver,
    )
}

/// The caller's end of a producer; the other end is the [driver](super::driver).
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cluster: Cluster,
    pub(crate) config: Arc<ProducerConfig>,
    pub(crate) commands: mpsc::Sender<Command>,
}

impl Core {
    /// Places the record, waiting at most `max_block` for its topic and for room.
    pub(crate) async fn send(
        &self,
        record: &Record<'_>,
        transaction: u64,
    ) -> Result<Delivery, Error> {
        let placing = self.placing(record, transaction)?;
        let mut room = None;
        let placed = self.shared.place(&placing, &mut room);
        match placed.map_err(|error| self.in_the_callers_words(error))? {
            Placed::Queued(delivery) => Ok(delivery),
            missing @ (Placed::NoRoom(_) | Placed::UnknownTopic) => {
                self.send_later(&placing, missing).await
            }
        }
    }

    fn placing<'a>(&self, record: &Record<'a>, transaction: u64) -> Result<Placing<'a>, Error> {
        let timestamp = match record.timestamp {
            None => now_millis(),
            Some(timestamp) if timestamp >= 0 => timestamp,
            Some(timestamp) => {
                let what = format!(
                    "timestamp {timestamp} of a record for {}: it counts milliseconds since 1970 and \
                     can't be negative; leave it out to take the time of the call",
                    record.topic
                );
                return Err(Error::misuse(what));
            }
        };
        if let Some(partition) = record.partition.filter(|partition| *partition < 0) {
            let what = format!(
                "partition {partition} of a record for {}: partitions are numbered from 0; leave it out to have one \
                 chosen",
                record.topic
            );
            return Err(Error::misuse(what));
        }
        Ok(Placing {
            topic: record.topic,
            partition: record.partition,
            ignore_key: self.config.partitioner == Partitioner::IgnoreKeys,
            record: RecordToWrite {
                timestamp,
                key: record.key,
                value: record.value,
                headers: record.headers,
            },
            transaction,
        })
    }

    /// The slow half of `send`: something is missing.
    async fn send_later(
        &self,
        placing: &Placing<'_>,
        mut missing: Placed,
    ) -> Result<Delivery, Error> {
        let started = now();
        let deadline = started + self.config.max_block;
        let mut room = None;
        loop {
            match missing {
                Placed::Queued(delivery) => return Ok(delivery),
                Placed::UnknownTopic => self.learn_topic(placing, deadline).await?,
                Placed::NoRoom(bytes) => {
                    room = Some(self.wait_for_room(bytes, started, deadline).await?)
                }
            }
            missing = self
                .shared
                .place(placing, &mut room)
                .map_err(|error| self.in_the_callers_words(error))?;
        }
    }

    /// Names the setting as the caller did, who may have set it by a property key.
    fn in_the_callers_words(&self, mut error: Error) -> Error {
        let names = &self.config.client.names;
        if let Error::RecordTooLarge { setting, .. } = &mut error {
            *setting = match &**setting {
                "record_bytes_max" => names.name("record_bytes_max"),
                _ => names.name("buffer_memory"),
            };
        }
        error
    }

    async fn wait_for_room(
        &self,
        bytes: usize,
        started: Instant,
        deadline: Instant,
    ) -> Result<Room, Error> {
        match tokio::time::timeout_at(deadline.into(), self.shared.memory.room(bytes)).await {
            Ok(Some(room)) => Ok(room),
            Ok(None) => Err(self.shared.ended().cloned().unwrap_or_else(closed)),
            Err(_) => Err(Error::BufferFull {
                bytes,
                buffer_memory: self.config.buffer_memory,
                waited: now().saturating_duration_since(started),
                setting: self.config.client.names.name("buffer_memory"),
                cause: self.shared.standing.delivery_trouble(),
            }),
        }
    }

    /// Learns the topic's partitions. Where the record names one that the topic does not have, metadata is asked again:
    /// the partition may have been added since, or be added before the deadline (A-6).
    async fn learn_topic(&self, placing: &Placing<'_>, deadline: Instant) -> Result<(), Error> {
        let topic = self.cluster.topic(placing.topic, deadline).await;
        let topic = topic.map_err(|cause| about_topic(cause.into(), placing.topic))?;
        let partitions = topic.partitions.len();
        self.shared.register(placing.topic, partitions);
        self.shared.wake();
        let Some(missing) = placing
            .partition
            .filter(|partition| usize::try_from(*partition).is_ok_and(|p| p >= partitions))
        else {
            return Ok(());
        };
        let wanted = TopicsWanted::named([placing.topic]);
        let refresh = self.cluster.refresh(wanted);
        match tokio::time::timeout_at(deadline.into(), refresh).await {
            Ok(refreshed) => refreshed.map(drop).map_err(Error::from),
            Err(_) => {
                let operation = format!("finding partition {missing} of {}", placing.topic);
                let count = || {
                    let what = format!("the topic has {partitions} partitions, numbered from 0");
                    Arc::new(Error::misuse(what))
                };
                let cause = self
                    .shared
                    .standing
                    .delivery_trouble()
                    .unwrap_or_else(count);
                Err(timeout(&operation, self.config.max_block, Some(cause)))
            }
        }
    }

    /// Waits until the outcome of every record that was sent before this call is known.
    pub(crate) async fn flush(&self) {
        resolved(&self.shared.seal_all()).await;
    }

    /// Hands a command to the driver and waits for its response.
    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Command,
    ) -> Result<T, Error> {
        let (respond, response) = oneshot::channel();
        let ended = || self.shared.ended().cloned().unwrap_or_else(closed);
        // Made when there is a place for it: what is made is handed over.
        let place = self.commands.reserve().await.map_err(|_| ended())?;
        place.send(command(respond));
        response.await.map_err(|_| ended())?
    }

    /// As [`ask`](Self::ask), for at most `max_block`.
    pub(crate) async fn ask_in_time<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Command,
    ) -> Result<Result<T, Error>, Late> {
        let within = self.config.max_block;
        let mut is_asked = false;
        let command = |respond| {
            is_asked = true;
            command(respond)
        };
        let response = tokio::time::timeout(within, self.ask(command)).await;
        response.map_err(|_| Late {
            elapsed: within,
            cause: self.trouble(),
            is_asked,
        })
    }

    /// What stands in the way, of the coordinator's requests first.
    fn trouble(&self) -> Option<Arc<Error>> {
        let standing = &self.shared.standing;
        standing.trouble().or_else(|| standing.delivery_trouble())
    }

    /// Delivers what was sent, for at most `within`, and ends the producer.
    pub(crate) async fn close(&self, within: Duration) -> Result<(), Error> {
        let before = self.shared.ended().cloned();
        self.shared.end(closed());
        let unresolved = self.shared.seal_all();
        let flushed = tokio::time::timeout(within, resolved(&unresolved)).await;
        let stop = |done| Command::Stop {
            how: Close::Forced,
            done,
        };
        // An error here means that the driver has ended already, which is what is wanted.
        drop(self.ask(stop).await);
        match before {
            Some(reason) => Err(reason),
            None => flushed.map_err(|_| {
                // Each record that was left has its own error by now.
                let cause = unresolved.iter().find_map(|batch| batch.error());
                let cause = cause.map(Arc::new).or_else(|| self.trouble());
                timeout("delivering the records sent before close", within, cause)
            }),
        }
    }

    /// Ends the producer after the commit or abort that is under way, waiting for at most `within`.
    pub(crate) async fn close_transactional(&self, within: Duration) -> Result<(), Error> {
        let stop = |done| Command::Stop {
            how: Close::Graceful,
            done,
        };
        if tokio::time::timeout(within, self.ask(stop)).await.is_ok() {
            return Ok(());
        }
        let stop = |done| Command::Stop {
            how: Close::Forced,
            done,
        };
        drop(self.ask(stop).await);
        let operation = "ending the transaction before close";
        Err(timeout(operation, within, self.trouble()))
    }
}

/// The driver did not respond within `max_block`.
#[derive(Debug)]
pub(crate) struct Late {
    elapsed: Duration,
    /// The coordinator's last error, or why it could not be reached (L-30).
    cause: Option<Arc<Error>>,
    /// The driver has what was asked and goes on with it.
    is_asked: bool,
}

impl Late {
    /// For what may be asked again.
    pub(crate) fn timeout(self, operation: &'static str) -> Error {
        timeout(operation, self.elapsed, self.cause)
    }

    /// For what was asked before.
    pub(crate) fn unknown(self, operation: &'static str) -> Error {
        Error::OutcomeUnknown {
            operation: Arc::from(operation),
            cause: self.cause,
        }
    }

    /// For what has an outcome once it is asked.
    pub(crate) fn unknown_if_asked(self, operation: &'static str) -> Error {
        if self.is_asked {
            self.unknown(operation)
        } else {
            self.timeout(operation)
        }
    }
}

fn timeout(operation: &str, elapsed: Duration, cause: Option<Arc<Error>>) -> Error {
    Error::Timeout {
        operation: Arc::from(operation),
        elapsed,
        cause,
    }
}

/// Waits until the outcome of every record of these batches is known.
async fn resolved(batches: &[Arc<BatchCompletion>]) {
    for batch in batches {
        Arc::clone(batch).wait().await;
    }
}

/// The same error, with the topic that a response to the request as a whole is about.
fn about_topic(mut error: Error, name: &str) -> Error {
    if let Error::Broker { topic, .. } = &mut error {
        topic.get_or_insert_with(|| Arc::from(name));
    }
    error
}

fn now_millis() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
