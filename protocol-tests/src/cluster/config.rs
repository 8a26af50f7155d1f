//! What a cluster is to be like, and the settings files that make it so.

use crate::port::Port;
use crate::{Failure, Flavour};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// How many listeners for proxies each broker of a shared cluster has: so many tests can have one at
/// the same time.
const PROXIED_LISTENERS: usize = 3;

/// Settings that make a broker small, quick and strict.
const PROPERTIES: &[(&str, &str)] = &[
    ("auto.create.topics.enable", "false"),
    ("group.initial.rebalance.delay.ms", "0"),
    // Records with timestamps of 1970 stay.
    ("log.retention.ms", "-1"),
    ("num.partitions", "4"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.num.partitions", "4"),
    // A transaction whose time is up is aborted within half a second, not ten.
    (
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        "500",
    ),
    // The defaults are for machines with many cores, and reserve 128 MB for the cleaner.
    ("background.threads", "2"),
    ("log.cleaner.dedupe.buffer.size", "4194304"),
    ("num.io.threads", "4"),
    ("num.network.threads", "2"),
    ("num.recovery.threads.per.data.dir", "1"),
];

/// What a cluster is to be like.
#[derive(Clone, Debug)]
pub struct KafkaConfig {
    flavour: Flavour,
    brokers: usize,
    heap_mib: u32,
    proxied_listeners: usize,
    properties: BTreeMap<String, String>,
}

impl KafkaConfig {
    /// One broker of this flavour with 512 MiB of heap.
    #[must_use]
    pub fn new(flavour: Flavour) -> Self {
        Self {
            flavour,
            brokers: 1,
            heap_mib: 512,
            proxied_listeners: PROXIED_LISTENERS,
            properties: BTreeMap::new(),
        }
    }

    /// How many brokers, each of them a controller too. With more than one, topics and internal topics
    /// get a replica on every broker (three at most), two of which must be in sync for acks=all.
    #[must_use]
    pub fn brokers(mut self, brokers: usize) -> Self {
        self.brokers = brokers.max(1);
        self
    }

    /// The heap of each broker in MiB.
    #[must_use]
    pub fn heap_mib(mut self, heap_mib: u32) -> Self {
        self.heap_mib = heap_mib;
        self
    }

    /// How many proxies may stand before the cluster at the same time; three unless told otherwise.
    #[must_use]
    pub fn proxies(mut self, proxies: usize) -> Self {
        self.proxied_listeners = proxies;
        self
    }

    /// A server property, which goes before those the harness chooses.
    #[must_use]
    pub fn property(mut self, key: &str, value: impl ToString) -> Self {
        self.properties.insert(key.to_owned(), value.to_string());
        self
    }

    /// Which Kafka.
    #[must_use]
    pub fn flavour(&self) -> Flavour {
        self.flavour
    }

    pub(super) fn broker_count(&self) -> usize {
        self.brokers
    }

    pub(super) fn proxied_listener_count(&self) -> usize {
        self.proxied_listeners
    }

    pub(super) fn properties(&self) -> &BTreeMap<String, String> {
        &self.properties
    }

    /// Chooses ports and writes the settings files into `root`.
    pub(super) fn plan(&self, root: &Path) -> Result<Plan, Failure> {
        let mut ports = Vec::new();
        let mut claim = || {
            let port = Port::claim()?;
            let number = port.number();
            ports.push(port);
            Ok::<_, Failure>(number)
        };
        let mut listeners = Vec::new();
        for _ in 0..self.brokers {
            listeners.push(Listeners {
                controller: claim()?,
                direct: claim()?,
                proxied: (0..self.proxied_listeners)
                    .map(|_| {
                        Ok(Proxied {
                            broker: claim()?,
                            proxy: claim()?,
                        })
                    })
                    .collect::<Result<_, Failure>>()?,
            });
        }
        let voters: Vec<String> = (1..)
            .zip(&listeners)
            .map(|(id, listeners): (i32, _)| format!("{id}@127.0.0.1:{}", listeners.controller))
            .collect();
        let nodes = (1..)
            .zip(listeners)
            .map(|(id, listeners)| self.plan_node(root, id, listeners, &voters.join(",")))
            .collect::<Result<_, _>>()?;
        Ok(Plan { nodes, ports })
    }

    fn plan_node(
        &self,
        root: &Path,
        id: i32,
        listeners: Listeners,
        voters: &str,
    ) -> Result<NodePlan, Failure> {
        let folder = root.join(format!("broker-{id}"));
        let data = folder.join("data");
        let mut properties: BTreeMap<String, String> = PROPERTIES
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let mut set = |key: &str, value: String| properties.insert(key.to_owned(), value);
        set("process.roles", "broker,controller".to_owned());
        set("node.id", id.to_string());
        set("controller.quorum.voters", voters.to_owned());
        set("controller.listener.names", "CONTROLLER".to_owned());
        set("inter.broker.listener.name", "DIRECT".to_owned());
        set("listeners", listeners.bound());
        set("advertised.listeners", listeners.advertised());
        set("listener.security.protocol.map", listeners.protocols());
        set("log.dirs", data.display().to_string());
        for (key, value) in self.replication() {
            set(key, value.to_string());
        }
        properties.extend(self.properties.clone());
        let mut text = String::new();
        for (key, value) in &properties {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{key}={value}");
        }
        let settings = folder.join("server.properties");
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&settings, text))
            .map_err(Failure::io(format!("writing {}", settings.display())))?;
        Ok(NodePlan {
            id,
            folder,
            data,
            settings,
            listeners,
            heap_mib: self.heap_mib,
            flavour: self.flavour,
        })
    }

    fn replication(&self) -> [(&'static str, usize); 7] {
        let replicas = self.brokers.min(3);
        let in_sync = replicas.min(2);
        [
            ("default.replication.factor", replicas),
            ("min.insync.replicas", in_sync),
            ("offsets.topic.replication.factor", replicas),
            ("transaction.state.log.replication.factor", replicas),
            ("transaction.state.log.min.isr", in_sync),
            ("share.coordinator.state.topic.replication.factor", replicas),
            ("share.coordinator.state.topic.min.isr", in_sync),
        ]
    }
}

/// A cluster whose files are written and whose ports are claimed.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) nodes: Vec<NodePlan>,
    pub(super) ports: Vec<Port>,
}

/// One broker of a [`Plan`].
#[derive(Debug)]
pub(super) struct NodePlan {
    pub(super) id: i32,
    /// Holds everything of this broker.
    pub(super) folder: PathBuf,
    /// Holds its partitions.
    pub(super) data: PathBuf,
    pub(super) settings: PathBuf,
    pub(super) listeners: Listeners,
    pub(super) heap_mib: u32,
    pub(super) flavour: Flavour,
}

/// The ports of one broker.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) controller: u16,
    pub(super) direct: u16,
    pub(super) proxied: Vec<Proxied>,
}

/// A listener whose clients are told to come through a proxy: Kafka gives out a different address for
/// each listener, so whoever bootstraps through the proxy stays behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proxied {
    /// Where the broker listens.
    pub(super) broker: u16,
    /// What it advertises.
    pub(super) proxy: u16,
}

impl Listeners {
    fn bound(&self) -> String {
        let mut text = format!(
            "CONTROLLER://127.0.0.1:{},DIRECT://127.0.0.1:{}",
            self.controller, self.direct
        );
        for (index, proxied) in self.proxied.iter().enumerate() {
            let _ = write!(text, ",PROXIED{index}://127.0.0.1:{}", proxied.broker);
        }
        text
    }

    fn advertised(&self) -> String {
        let mut text = format!("DIRECT://127.0.0.1:{}", self.direct);
        for (index, proxied) in self.proxied.iter().enumerate() {
            let _ = write!(text, ",PROXIED{index}://127.0.0.1:{}", proxied.proxy);
        }
        text
    }

    fn protocols(&self) -> String {
        let mut text = "CONTROLLER:PLAINTEXT,DIRECT:PLAINTEXT".to_owned();
        for index in 0..self.proxied.len() {
            let _ = write!(text, ",PROXIED{index}:PLAINTEXT");
        }
        text
    }
}
