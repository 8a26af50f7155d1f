//! [`Producer`]: the public handle of a producer without transactions.

use std::sync::Arc;
use std::time::Duration;

use milena_connection::{Cluster, Connector, TcpConnector};
use tokio::sync::mpsc;

use super::core::Core;
use super::delivery::Delivery;
use super::driver::{Driver, Parts};
use super::queue::{SendLimits, Shared};
use super::record::Record;
use crate::client::Client;
use crate::config::ProducerConfig;
use crate::error::Error;
use crate::runtime;
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

    /// Hands a record over and gives a handle to its fate.
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
    #[must_use = "a record that was refused is only reported by its delivery"]
    pub async fn send(&self, record: Record<'_>) -> Result<Delivery, Error> {
        self.core.send(&record, 0).await
    }

    /// Waits until the fate of every record sent before this call is known, without lingering.
    ///
    /// Failures are told by the records' [deliveries](Delivery), not here. Waits at most the delivery timeout.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the records stay on their way.
    pub async fn flush(&self) {
        self.core.flush().await;
    }

    /// Delivers what was sent before and ends the producer, for all its clones.
    ///
    /// Sends from now on are refused. Records that are not delivered within `timeout` fail; those that were on
    /// the wire with an unknown outcome.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] if something was left; the reason if the producer had ended before.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, sends stay refused and what is left is delivered in the background.
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
