//! How an embedded broker is set up.

use crate::broker::Broker;
use crate::cluster::config::{BrokerConfigs, Cleaning, ConfigError, ProducerExpiry};
use crate::cluster::nodes::{Address, Condition, Node};
use crate::cluster::{Cluster, MarkerWait, NewTopic, Placement, Settings};
use crate::group_coordinator::GroupSettings;
use crate::history::History;
use crate::network::{Listeners, Network};
use crate::shared::Shared;
use crate::txn_coordinator::TxnSettings;
use crate::versions::ServedVersions;
use crate::{Clock, ErrorCode, Time};
use milena_codec::Limits;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// What an embedded broker shall be like; see [`Broker::builder`].
///
/// The defaults are those of Apache Kafka 4.3.1 where it has any, so a test that needs no special
/// circumstances names none.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct BrokerBuilder {
    brokers: i32,
    racks: BTreeMap<i32, String>,
    topics: Vec<TopicToCreate>,
    transaction_version: i16,
    listeners: Listeners,
    host: String,
    behind: Vec<Vec<Address>>,
    restricted: Vec<(i32, i16, Option<RangeInclusive<i16>>)>,
    settings: Settings,
    rejected_setting: Option<ConfigError>,
    history_capacity: usize,
    history_bodies: bool,
    limits: Limits,
    clock_start: Option<Time>,
}

#[derive(Clone, Debug)]
struct TopicToCreate {
    name: String,
    partitions: i32,
    replication: Option<i16>,
    configs: Vec<(String, String)>,
}

/// An embedded broker could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A number of brokers that cannot be: 1 to 100 can.
    #[error("{brokers} brokers cannot be started: 1 to 100 can")]
    Brokers {
        /// The number.
        brokers: i32,
    },
    /// No listener could be opened.
    #[error("broker {broker_id} cannot listen on {address}")]
    Listen {
        /// The broker.
        broker_id: i32,
        /// Where it was to listen.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// [`BrokerBuilder::setting`] got a name that no setting has, or a value that it cannot have.
    #[error("a setting of the broker cannot be used: {reason}")]
    Setting {
        /// Which one, and why.
        reason: String,
    },
    /// [`BrokerBuilder::start_blocking`] could not start a runtime.
    #[error("no runtime could be started for the broker")]
    Runtime {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A topic could not be created.
    #[error("topic {topic} cannot be created: {reason}")]
    Topic {
        /// The topic's name.
        topic: String,
        /// Why.
        reason: String,
    },
    /// [`BrokerBuilder::behind`] got another number of addresses than there are brokers.
    #[error("{addresses} addresses for {brokers} brokers: each needs one")]
    Addresses {
        /// The addresses of one call.
        addresses: usize,
        /// The brokers.
        brokers: i32,
    },
    /// A `transaction.version` that does not exist: 0, 1 and 2 do.
    #[error("there is no transaction.version {version}: 0, 1 and 2 exist")]
    TransactionVersion {
        /// The version.
        version: i16,
    },
}

const BROKERS_MAX: i32 = 100;

impl Default for BrokerBuilder {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            brokers: 1,
            racks: BTreeMap::new(),
            topics: Vec::new(),
            transaction_version: 2,
            listeners: Listeners::Tcp {
                address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                first_port: 0,
            },
            host: "127.0.0.1".to_owned(),
            behind: Vec::new(),
            restricted: Vec::new(),
            settings: Settings {
                cluster_id: Arc::from("milena-embedded-broker"),
                transactions: TxnSettings {
                    timeout_max: Duration::from_secs(15 * 60),
                    timeout_scan: Duration::from_secs(10),
                    id_expiration: Duration::from_secs(7 * 24 * 3600),
                    id_expiration_scan: Duration::from_secs(3600),
                    marker_delay: Duration::from_micros(300),
                    two_phase_commit: false,
                },
                groups: GroupSettings {
                    initial_rebalance_delay: Duration::ZERO,
                    session_timeout_min: Duration::from_secs(6),
                    session_timeout_max: Duration::from_secs(30 * 60),
                    new_member_timeout: Duration::from_secs(5 * 60),
                    members_max: 1_000,
                    groups_max: 10_000,
                    consumer_heartbeat_interval: Duration::from_secs(5),
                    consumer_session_timeout: Duration::from_secs(45),
                    consumer_assignment_interval: Duration::from_secs(1),
                    metadata_bytes_max: 4096,
                },
                producer_expiry: ProducerExpiry {
                    after: Duration::from_secs(24 * 3600),
                    scan: Duration::from_secs(600),
                },
                log_bytes_max: 1 << 30,
                partitions_max: 10_000,
                auto_create_topics: true,
                default_partitions: 1,
                default_replication: 1,
                coordinator_load_time: Duration::ZERO,
                closest_replica: false,
                delete_topics: true,
                request_bytes_max: limits.frame_bytes,
                cleaning: Cleaning {
                    retention_interval: Duration::from_secs(5 * 60),
                    compaction_interval: Duration::from_secs(15),
                    compacts: true,
                },
                marker_wait: MarkerWait {
                    backoff: Duration::from_millis(20),
                    max: Duration::from_millis(100),
                },
                seed: RandomState::new().hash_one(0),
                configs: BrokerConfigs::default(),
            },
            rejected_setting: None,
            history_capacity: 1 << 16,
            history_bodies: false,
            limits,
            clock_start: None,
        }
    }
}

impl BrokerBuilder {
    /// Virtual brokers, with the ids from 1 on. Default 1, at most 100.
    ///
    /// They share one state: a partition's replicas are the same log, so nothing is lost when a leader
    /// stops, unless [`Broker::truncate`] says so.
    pub fn brokers(mut self, brokers: i32) -> Self {
        self.brokers = brokers;
        self
    }

    /// The rack of a broker, told in Metadata. Default none.
    pub fn rack(mut self, broker_id: i32, rack: impl Into<String>) -> Self {
        self.racks.insert(broker_id, rack.into());
        self
    }

    /// Sends clients that tell their rack to a replica in it, as `replica.selector.class` with Kafka's
    /// rack-aware selector does (KIP-392). Default false.
    pub fn closest_replica(mut self, closest: bool) -> Self {
        self.settings.closest_replica = closest;
        self
    }

    /// A topic to be there from the start, with the default replication.
    pub fn topic(self, name: impl Into<String>, partitions: i32) -> Self {
        self.topic_with(name, partitions, None, [] as [(&str, &str); 0])
    }

    /// A topic to be there from the start, with a replication factor and configurations such as
    /// `("min.insync.replicas", "2")`.
    pub fn topic_with<N: Into<String>, V: Into<String>>(
        mut self,
        name: impl Into<String>,
        partitions: i32,
        replication: Option<i16>,
        configs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let configs = configs.into_iter();
        self.topics.push(TopicToCreate {
            name: name.into(),
            partitions,
            replication,
            configs: configs
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        });
        self
    }

    /// A setting of all brokers by Kafka's name, as in `server.properties`: `("num.partitions", "4")`. Any setting of
    /// Kafka 4.3.1 is accepted and returned by DescribeConfigs; docs/BROKER.md lists those that take effect, among them
    /// every default of topics (`log.retention.ms`, `message.max.bytes`, …). The last value of a name holds, whether it
    /// was set by its name or by a method of this builder. A name that Kafka does not have, and a value out of its
    /// range, make [`start`](Self::start) fail.
    pub fn setting(mut self, name: &str, value: impl ToString) -> Self {
        if let Err(error) = self.settings.set(name, &value.to_string()) {
            self.rejected_setting.get_or_insert(error);
        }
        self
    }

    /// The cluster's finalized `transaction.version`: 0, 1 or 2. Default 2. See
    /// [`Broker::set_transaction_version`] for changing it later.
    pub fn transaction_version(mut self, version: i16) -> Self {
        self.transaction_version = version;
        self
    }

    /// Listens on this address, on ports from `first_port` on, one for each broker; 0 lets the system choose
    /// them. Default 127.0.0.1 and 0.
    pub fn listen(mut self, address: IpAddr, first_port: u16) -> Self {
        self.listeners = Listeners::Tcp {
            address,
            first_port,
        };
        self
    }

    /// The host that clients are told to connect to. Default `127.0.0.1`.
    pub fn advertised_host(mut self, host: impl Into<String>) -> Self {
        self.host = host.into();
        self
    }

    /// Opens a further port of each broker, chosen by the system, whose clients are told these addresses, in the
    /// order of the brokers' ids: those of a proxy or of a port mapping before them. Clients that begin at the
    /// proxy stay behind it. May be called several times; [`Broker::ports_behind`] tells the ports. Default none.
    pub fn behind<H: Into<String>>(
        mut self,
        addresses: impl IntoIterator<Item = (H, u16)>,
    ) -> Self {
        let addresses = addresses.into_iter().map(|(host, port)| Address {
            host: Arc::from(host.into()),
            port,
        });
        self.behind.push(addresses.collect());
        self
    }

    /// Opens no port at all: clients connect with [`Broker::connect`], to the addresses `broker-1:9092`,
    /// `broker-2:9092` and so on.
    pub fn in_memory(mut self) -> Self {
        self.listeners = Listeners::Memory;
        self
    }

    /// Lets a broker serve only these versions of an API, or with `None` not serve it, as brokers of another
    /// age do. Versions beyond what this broker has make no difference.
    pub fn serve_only(
        mut self,
        broker_id: i32,
        api_key: i16,
        versions: Option<RangeInclusive<i16>>,
    ) -> Self {
        self.restricted.push((broker_id, api_key, versions));
        self
    }

    /// How long a coordinator takes from the decision over a transaction to its markers. Until then nothing
    /// of it can be seen, and its transactional id answers CONCURRENT_TRANSACTIONS. Default 300 µs, about
    /// what a single Kafka broker needs.
    pub fn marker_delay(mut self, delay: Duration) -> Self {
        self.settings.transactions.marker_delay = delay;
        self
    }

    /// How long a broker keeps a Produce of `transaction.version` 2 that came while the markers of the
    /// transaction before were not written: it looks again every `backoff` and gives up after `max`.
    /// Default 20 ms and 100 ms, as Kafka's `add.partitions.to.txn.retry.backoff.ms` and `…max.ms`.
    pub fn marker_wait(mut self, backoff: Duration, max: Duration) -> Self {
        self.settings.marker_wait = MarkerWait { backoff, max };
        self
    }

    /// Whether clients may take part in a two-phase commit (KIP-939): InitProducerId 6 is served, a transaction
    /// whose instance enabled it is never ended by its timeout, and a new instance can keep it. Default false:
    /// as on Kafka 4.3.1 version 6 is not told, and somebody who sends it all the same
    /// ([`serve_only`](Self::serve_only) lets it through) gets TRANSACTIONAL_ID_AUTHORIZATION_FAILED for enabling
    /// it and UNSUPPORTED_VERSION for keeping a transaction.
    ///
    /// Experimental: no released Kafka broker does this, so there is none to compare with.
    #[cfg(feature = "two-phase-commit")]
    pub fn two_phase_commit(mut self, enable: bool) -> Self {
        self.settings.transactions.two_phase_commit = enable;
        self
    }

    /// How often the coordinator looks for transactions that are open too long. Default 10 s, as Kafka's
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    pub fn transaction_timeout_scan(mut self, interval: Duration) -> Self {
        self.settings.transactions.timeout_scan = interval;
        self
    }

    /// The longest transaction timeout that a client may ask for. Default 15 min, as Kafka's
    /// `transaction.max.timeout.ms`.
    pub fn transaction_timeout_max(mut self, timeout: Duration) -> Self {
        self.settings.transactions.timeout_max = timeout;
        self
    }

    /// After how much idle time a transactional id is forgotten, and how often that is looked at. Default 7
    /// days and 1 h, as Kafka's `transactional.id.expiration.ms`.
    pub fn transactional_id_expiration(mut self, after: Duration, scan: Duration) -> Self {
        self.settings.transactions.id_expiration = after;
        self.settings.transactions.id_expiration_scan = scan;
        self
    }

    /// After how much idle time a partition forgets a producer, and how often that is looked at. Default 1
    /// day and 10 min, as Kafka's `producer.id.expiration.ms`.
    pub fn producer_expiration(mut self, after: Duration, scan: Duration) -> Self {
        self.settings.producer_expiry = ProducerExpiry { after, scan };
        self
    }

    /// How long a coordinator that has been moved answers COORDINATOR_LOAD_IN_PROGRESS. Default 0.
    pub fn coordinator_load_time(mut self, load_time: Duration) -> Self {
        self.settings.coordinator_load_time = load_time;
        self
    }

    /// How long a classic group that was empty waits for more members than the first. Default 0, as in the
    /// configuration that Kafka ships; its `group.initial.rebalance.delay.ms` is 3 s without one.
    pub fn initial_rebalance_delay(mut self, delay: Duration) -> Self {
        self.settings.groups.initial_rebalance_delay = delay;
        self
    }

    /// The shortest and the longest session that a classic member may ask for. Default 6 s and 30 min, as
    /// Kafka's `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
    pub fn session_timeouts(mut self, min: Duration, max: Duration) -> Self {
        self.settings.groups.session_timeout_min = min;
        self.settings.groups.session_timeout_max = max;
        self
    }

    /// How often a member of a consumer group (KIP-848) shall send a heartbeat, and after how long without
    /// one it is given up. Default 5 s and 45 s, as Kafka's `group.consumer.heartbeat.interval.ms` and
    /// `group.consumer.session.timeout.ms`.
    pub fn consumer_group_timing(mut self, heartbeat: Duration, session: Duration) -> Self {
        self.settings.groups.consumer_heartbeat_interval = heartbeat;
        self.settings.groups.consumer_session_timeout = session;
        self
    }

    /// How long a consumer group keeps a target assignment at least. Default 1 s, as Kafka's
    /// `group.consumer.assignment.interval.ms`.
    pub fn consumer_group_assignment_interval(mut self, interval: Duration) -> Self {
        self.settings.groups.consumer_assignment_interval = interval;
        self
    }

    /// Members of one group, and groups of the cluster. Default 1,000 and 10,000; beyond, joining is answered
    /// with GROUP_MAX_SIZE_REACHED or COORDINATOR_NOT_AVAILABLE.
    pub fn groups_max(mut self, members: usize, groups: usize) -> Self {
        self.settings.groups.members_max = members;
        self.settings.groups.groups_max = groups;
        self
    }

    /// Whether a topic is created because somebody asks for its metadata. Default true.
    pub fn auto_create_topics(mut self, create: bool) -> Self {
        self.settings.auto_create_topics = create;
        self
    }

    /// Partitions and replicas of topics that are created without saying how many. Default 1 and 1.
    pub fn topic_defaults(mut self, partitions: i32, replication: i16) -> Self {
        self.settings.default_partitions = partitions;
        self.settings.default_replication = replication;
        self
    }

    /// Bytes of records that all topics together may hold. Default 1 GiB. When it is used up, Produce is
    /// answered with POLICY_VIOLATION and a message that says so.
    pub fn log_bytes_max(mut self, bytes: usize) -> Self {
        self.settings.log_bytes_max = bytes;
        self
    }

    /// Partitions that all topics together may have. Default 10,000; beyond it, creating is answered with
    /// POLICY_VIOLATION.
    pub fn partitions_max(mut self, partitions: usize) -> Self {
        self.settings.partitions_max = partitions;
        self
    }

    /// Bytes that a request may have, as Kafka's `socket.request.max.bytes`. Default 100 MiB.
    pub fn request_bytes_max(mut self, bytes: usize) -> Self {
        self.settings.request_bytes_max = bytes;
        self
    }

    /// Entries that the history keeps. Default 65,536.
    pub fn history_capacity(mut self, entries: usize) -> Self {
        self.history_capacity = entries;
        self
    }

    /// Whether the history keeps the bodies of requests and answers. Default false: they are large.
    pub fn history_bodies(mut self, keep: bool) -> Self {
        self.history_bodies = keep;
        self
    }

    /// What the ids of topics, members and sessions are made from, so that a run can be repeated. Default
    /// different every time.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// What the broker's clock shows at the start, so that a run can be repeated to the byte. Default the time
    /// of the day.
    pub fn clock_start(mut self, at: Time) -> Self {
        self.clock_start = Some(at);
        self
    }

    /// Starts it, on the tokio runtime of the caller.
    ///
    /// # Errors
    /// [`StartError`].
    ///
    /// # Cancel safety
    /// A start that is dropped halfway leaves nothing behind.
    pub async fn start(self) -> Result<Broker, StartError> {
        if !(1..=BROKERS_MAX).contains(&self.brokers) {
            let brokers = self.brokers;
            return Err(StartError::Brokers { brokers });
        }
        if !(0..=2).contains(&self.transaction_version) {
            let version = self.transaction_version;
            return Err(StartError::TransactionVersion { version });
        }
        let brokers = self.brokers;
        let uneven = |addresses: &usize| i32::try_from(*addresses) != Ok(brokers);
        if let Some(addresses) = self.behind.iter().map(Vec::len).find(uneven) {
            return Err(StartError::Addresses { addresses, brokers });
        }
        if let Some(source) = self.rejected_setting {
            let reason = source.to_string();
            return Err(StartError::Setting { reason });
        }
        let mut limits = self.limits;
        limits.frame_bytes = self.settings.request_bytes_max;
        let marker_wait = self.settings.marker_wait;
        let network = Network::open(&self.listeners, self.brokers, self.behind.len()).await?;
        let nodes = (0..).zip(1..=self.brokers).map(|(index, id): (usize, _)| {
            let behind = self.behind.iter();
            let node = Node {
                address: network.advertised(id, &self.host),
                behind: behind.filter_map(|all| all.get(index).cloned()).collect(),
                rack: self.racks.get(&id).map(|rack| Arc::from(rack.as_str())),
                condition: Condition::Running,
            };
            (id, node)
        });
        let two_phase_commit = self.settings.transactions.two_phase_commit;
        let clock = Arc::new(Clock::start(self.clock_start));
        let history = History::new(self.history_capacity, self.history_bodies);
        let mut cluster = Cluster::new(
            self.settings,
            nodes.collect(),
            self.transaction_version,
            history.clone(),
            clock.now(),
        );
        for topic in self.topics {
            topic.create(&mut cluster)?;
        }
        let mut versions = ServedVersions::new(two_phase_commit);
        for (broker_id, api_key, range) in self.restricted {
            versions.restrict(broker_id, api_key, range);
        }
        let shared = Shared::new(cluster, clock, history, versions, limits, marker_wait);
        Ok(Broker::run(Arc::new(shared), network))
    }
}

impl TopicToCreate {
    fn create(self, cluster: &mut Cluster) -> Result<(), StartError> {
        let failed = |reason: String| StartError::Topic {
            topic: self.name.clone(),
            reason,
        };
        let config = cluster
            .topic_config(self.configs)
            .map_err(|error: ConfigError| failed(error.to_string()))?;
        let new = NewTopic {
            name: self.name.clone(),
            placement: Placement::Spread {
                partitions: Some(self.partitions),
                replication: self.replication,
            },
            config,
        };
        let created = cluster.create_topic(new);
        created.map_err(|code: ErrorCode| failed(code.to_string()))?;
        Ok(())
    }
}
