//! One [`Client`] under all handles: the connections, metadata and limits that they share.
//!
//! A handle (producer, consumer, admin) has a [`Cluster`] handle of its own. It shares with the others
//! of its client the metadata task, the coordinators, and the connections whose requests a broker
//! responds to at once; for requests that a broker may hold back it has its own connections. Nothing
//! ends before its last user: dropping the client leaves the handles working, and dropping the last
//! handle ends the tasks and connections.

mod builders;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};

use milena_connection::{
    Backoff, Cluster, ClusterConfig, ConnectionConfig, Connector, TcpConnector, TopicsWanted,
};

use crate::admin::Admin;
use crate::config::{ClientConfig, ConsumerBuilder, Idempotent, ProducerBuilder, Transactional};
use crate::error::{Error, Recovery};
use crate::runtime::{self, after, now};
use crate::sync::lock;

/// Connects to a cluster, and makes producers, consumers and admin handles that share its connections.
///
/// Cheap to clone. What belongs to the client (bootstrap, client id, timeouts, back-offs, limits) is set
/// once, in its [`ClientConfig`]; the builders of handles made by it have no methods for these.
///
/// All handles share one metadata task, and per broker one connection for lookups and one for
/// administration. Requests that a broker may hold back never delay another handle's: each producer has
/// its own connection to each broker that it writes to, each transactional producer one more to each of
/// its coordinators, and each consumer its own to each broker that it reads from.
///
/// Dropping the client never waits and leaves its handles working. Dropping the last handle closes
/// the connections and ends the tasks.
///
/// ```no_run
/// # async fn run() -> Result<(), milena::Error> {
/// use milena::{Client, ClientBuilder, Record};
///
/// let client = Client::connect(ClientBuilder::new(["localhost:9092"]).config()?).await?;
/// let producer = client.producer().start()?;
/// let mut transfers = client.transactional("transfers-1").start().await?;
/// let mut consumer = client.consumer().start()?;
/// let topics = client.admin().list_topics().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "KafkaClient")]
pub struct Client {
    cluster: Cluster,
    config: Arc<ClientConfig>,
    /// Gives each handle the seed of its chance.
    seeds: Arc<Mutex<fastrand::Rng>>,
}

impl Client {
    /// Connects over TCP and waits until a broker has described the cluster, so that a wrong address is
    /// an error here and not with the first record.
    ///
    /// A broker that is not up yet is tried again, with `reconnect_backoff`, until `connect_timeout` has
    /// passed. Use [`new`](Self::new) to start without a broker.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the settings can't work, [`Error::Misuse`] outside a tokio runtime. At
    /// once what waiting does not help: [`Error::WrongListener`] where something other than a Kafka
    /// listener without TLS responds, [`Error::UnsupportedVersion`]. After `connect_timeout`
    /// [`Error::Timeout`] with the last cause, which names the addresses.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped early, the connections that were opened are closed.
    #[doc(alias = "bootstrap.servers")]
    pub async fn connect(config: ClientConfig) -> Result<Self, Error> {
        Self::connect_with_connector(config, Arc::new(TcpConnector::new())).await
    }

    /// As [`connect`](Self::connect), on a transport of the caller's.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_with_connector(
        config: ClientConfig,
        connector: Arc<dyn Connector>,
    ) -> Result<Self, Error> {
        let client = Self::with_connector(config, connector)?;
        client.reach().await?;
        Ok(client)
    }

    /// A client that speaks TCP and connects when one of its handles first needs a broker.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the settings can't work, [`Error::Misuse`] outside a tokio runtime.
    pub fn new(config: ClientConfig) -> Result<Self, Error> {
        Self::with_connector(config, Arc::new(TcpConnector::new()))
    }

    /// As [`new`](Self::new), on a transport of the caller's.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_connector(
        config: ClientConfig,
        connector: Arc<dyn Connector>,
    ) -> Result<Self, Error> {
        runtime::runtime()?;
        let mut seeds = fastrand::Rng::with_seed(fastrand::u64(..));
        let cluster = cluster_config(&config, seeds.u64(..));
        Ok(Self {
            cluster: Cluster::new(cluster, connector)?,
            config: Arc::new(config),
            seeds: Arc::new(Mutex::new(seeds)),
        })
    }

    /// The settings that all handles of this client have in common.
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// A builder for an idempotent [`Producer`](crate::Producer) of this client.
    pub fn producer(&self) -> ProducerBuilder<Idempotent, Self> {
        ProducerBuilder::on_client(&self.config, self.clone())
    }

    /// A builder for a [`TransactionalProducer`](crate::TransactionalProducer) of this client; see
    /// [`ProducerBuilder::transactional_id`] for the id.
    #[doc(alias = "transactional.id")]
    pub fn transactional(
        &self,
        transactional_id: impl Into<String>,
    ) -> ProducerBuilder<Transactional, Self> {
        self.producer().transactional_id(transactional_id)
    }

    /// A builder for a [`Consumer`](crate::Consumer) of this client.
    pub fn consumer(&self) -> ConsumerBuilder<Self> {
        ConsumerBuilder::on_client(&self.config, self.clone())
    }

    /// An admin handle of this client.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::on(self)
    }

    /// A cluster handle for a new handle of this client.
    pub(crate) fn handle(&self) -> Cluster {
        self.cluster.handle()
    }

    pub(crate) fn shared_config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// A seed for a new handle of this client.
    pub(crate) fn seed(&self) -> u64 {
        lock(&self.seeds).u64(..)
    }

    /// Waits until a broker has described the cluster.
    async fn reach(&self) -> Result<(), Error> {
        let started = now();
        let deadline = after(started, self.config.connect_timeout);
        let mut last = None;
        let reaching = async {
            loop {
                let error = match self.cluster.refresh(TopicsWanted::None).await {
                    Ok(_) => return Ok(()),
                    Err(error) => Error::from(error),
                };
                if !may_pass(&error) {
                    return Err(error);
                }
                last = Some(error);
            }
        };
        match tokio::time::timeout_at(deadline.into(), reaching).await {
            Ok(reached) => reached,
            Err(_) => Err(Error::Timeout {
                operation: "connecting to the cluster".into(),
                elapsed: now().saturating_duration_since(started),
                cause: last.map(Arc::new),
            }),
        }
    }
}

/// Whether a broker that starts later would end this error.
fn may_pass(error: &Error) -> bool {
    matches!(
        error.recovery(),
        Recovery::Retry | Recovery::RefreshAndRetry
    )
}

fn cluster_config(config: &ClientConfig, seed: u64) -> ClusterConfig {
    let connection = ConnectionConfig {
        client_id: config.client_id.clone(),
        request_timeout: config.request_timeout,
        connect_timeout: config.connect_timeout,
        in_flight_requests_max: config.in_flight_requests_max,
        metadata_max_age: config.metadata_max_age,
        limits: config.limits,
        fail_unreachable_at_once: config.fail_unreachable_at_once,
        max_versions: config.max_versions.clone(),
        reconnect_backoff: Backoff {
            initial: config.reconnect_backoff,
            max: config.reconnect_backoff_max,
            ..Backoff::default()
        },
        refresh_backoff: Backoff {
            initial: config.retry_backoff,
            max: config.retry_backoff_max,
            ..Backoff::default()
        },
        seed: Some(seed),
        ..ConnectionConfig::default()
    };
    ClusterConfig {
        bootstrap: config.bootstrap.clone(),
        connection,
    }
}
