//! Kafka on loopback in the care of one test process: Apache Kafka's KRaft brokers, or the embedded one.

mod config;
mod embedded;
mod node;
mod real;

pub use config::KafkaConfig;

use crate::failure::OrFail as _;
use crate::java::{Isolation, Java, ReadRecord};
use crate::observer::{self, Observer, Offsets, Raw, TopicDescription, TransactionDescription};
use crate::proxy::Slots;
use crate::{Failure, Flavour};
use embedded::EmbeddedCluster;
use milena_broker::Broker;
use node::Node;
use real::RealCluster;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A running cluster. Dropping it ends its brokers and removes their data.
#[derive(Debug)]
pub struct Kafka {
    flavour: Flavour,
    brokers: Brokers,
    slots: Slots,
    next_topic: AtomicU32,
}

#[derive(Debug)]
enum Brokers {
    Real(RealCluster),
    Embedded(EmbeddedCluster),
}

impl Kafka {
    /// Starts a cluster and waits until each broker says that it is up.
    ///
    /// # Errors
    ///
    /// [`Failure::Missing`] where Java or Maven are not installed and needed, and whatever else went wrong.
    pub fn try_start(config: &KafkaConfig) -> Result<Self, Failure> {
        let (brokers, slots) = if config.flavour().is_embedded() {
            let (cluster, slots) = EmbeddedCluster::start(config)?;
            (Brokers::Embedded(cluster), slots)
        } else {
            let cluster = RealCluster::start(config)?;
            let slots = node::slots(&cluster.nodes);
            (Brokers::Real(cluster), slots)
        };
        Ok(Self {
            flavour: config.flavour(),
            brokers,
            slots,
            next_topic: AtomicU32::new(0),
        })
    }

    /// Starts a cluster for one test, or ends the test.
    #[must_use]
    pub fn start(config: &KafkaConfig) -> Self {
        Self::try_start(config).or_fail()
    }

    /// Which Kafka this is.
    #[must_use]
    pub fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// The addresses of all brokers, each `host:port`.
    #[must_use]
    pub fn bootstrap(&self) -> Vec<String> {
        match &self.brokers {
            Brokers::Real(cluster) => cluster.nodes.iter().map(Node::address).collect(),
            Brokers::Embedded(cluster) => cluster.broker.addresses(),
        }
    }

    /// The ids of the brokers: 1, 2, and so on.
    pub fn broker_ids(&self) -> impl Iterator<Item = i32> + '_ {
        let ids: Vec<i32> = match &self.brokers {
            Brokers::Real(cluster) => cluster.nodes.iter().map(Node::id).collect(),
            Brokers::Embedded(cluster) => cluster.broker.broker_ids(),
        };
        ids.into_iter()
    }

    /// The embedded broker, for claims about its faults, its clock or its history; none in front of a
    /// real one.
    #[must_use]
    pub fn embedded(&self) -> Option<&Broker> {
        match &self.brokers {
            Brokers::Real(_) => None,
            Brokers::Embedded(cluster) => Some(&cluster.broker),
        }
    }

    /// Who says what stands in this cluster.
    #[must_use]
    pub fn observer(&self) -> &'static dyn Observer {
        let java = match &self.brokers {
            Brokers::Real(_) => Ok(true),
            Brokers::Embedded(_) => observer::java_is_at_hand(),
        };
        match java {
            Ok(true) => &Java,
            Ok(false) => &Raw,
            Err(failure) => failure.fail(),
        }
    }

    /// A name for a topic that no other test uses.
    #[must_use]
    pub fn topic_name(&self) -> String {
        let number = self.next_topic.fetch_add(1, Ordering::Relaxed);
        format!("topic-{number}")
    }

    /// The folder in which broker `id` keeps its partitions; ends the test if it is embedded and has none.
    #[must_use]
    pub fn log_dir(&self, id: i32) -> PathBuf {
        match &self.brokers {
            Brokers::Real(cluster) => cluster.node(id).or_fail().data_dir(),
            Brokers::Embedded(_) => Failure::Missing {
                what: "the folder of an embedded broker".to_owned(),
                remedy: "say `real brokers only` in the test's declaration".to_owned(),
            }
            .fail(),
        }
    }

    /// The newest lines of every broker's log, for the report of a failed test.
    #[must_use]
    pub fn tail(&self, lines: usize) -> String {
        match &self.brokers {
            Brokers::Real(cluster) => cluster
                .nodes
                .iter()
                .map(|node| format!("--- broker {}\n{}\n", node.id(), node.tail(lines)))
                .collect(),
            Brokers::Embedded(cluster) => {
                format!("--- embedded broker\n{}\n", cluster.tail(lines))
            }
        }
    }

    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }
}

/// What stands in it, as its [`observer`](Kafka::observer) says.
impl Kafka {
    /// Every record of `topic` that a reader may see now, by partition and offset.
    #[must_use]
    pub fn read(&self, topic: &str, isolation: Isolation) -> Vec<ReadRecord> {
        let observer = self.observer();
        observer.read(&self.bootstrap(), topic, isolation).or_fail()
    }

    /// The end of each partition for a reader: the high watermark, or the last stable offset.
    #[must_use]
    pub fn end_offsets(&self, topic: &str, isolation: Isolation) -> Offsets {
        let observer = self.observer();
        let ends = observer.end_offsets(&self.bootstrap(), topic, isolation);
        ends.or_fail()
    }

    /// The offsets a group has committed for a topic; partitions without one are absent.
    #[must_use]
    pub fn committed_offsets(&self, group: &str, topic: &str) -> Offsets {
        let observer = self.observer();
        let offsets = observer.committed_offsets(&self.bootstrap(), group, topic);
        offsets.or_fail()
    }

    /// Who leads what.
    #[must_use]
    pub fn describe_topic(&self, name: &str) -> TopicDescription {
        let observer = self.observer();
        observer.describe_topic(&self.bootstrap(), name).or_fail()
    }

    /// What the coordinator knows of a transactional id.
    ///
    /// # Errors
    ///
    /// [`Failure::Java`] with Java's exception, or [`Failure::Answer`].
    pub fn describe_transaction(
        &self,
        transactional_id: &str,
    ) -> Result<TransactionDescription, Failure> {
        let observer = self.observer();
        observer.describe_transaction(&self.bootstrap(), transactional_id)
    }
}

/// What is arranged in it.
impl Kafka {
    /// Creates a topic that no other test uses, and gives its name.
    #[must_use]
    pub fn topic(&self, partitions: i32) -> String {
        self.topic_with(partitions, &[])
    }

    /// As [`topic`](Self::topic), with settings for it.
    #[must_use]
    pub fn topic_with(&self, partitions: i32, configs: &[(&str, &str)]) -> String {
        let name = self.topic_name();
        self.create_topic(&name, partitions, configs);
        name
    }

    /// Creates a topic by name; its leaders are known when this returns.
    pub fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let observer = self.observer();
        let created = observer.create_topic(&self.bootstrap(), name, partitions, configs);
        created.or_fail();
    }

    /// Deletes a topic.
    pub fn delete_topic(&self, name: &str) {
        let observer = self.observer();
        observer.delete_topic(&self.bootstrap(), name).or_fail();
    }

    /// Moves the start of partitions up to the given offsets.
    pub fn delete_records(&self, topic: &str, before: &Offsets) {
        let observer = self.observer();
        let deleted = observer.delete_records(&self.bootstrap(), topic, before);
        deleted.or_fail();
    }

    /// Moves the cluster's transaction.version, for which it has to be the test's own.
    pub fn set_transaction_version(&mut self, level: u8, downgrade: bool) {
        match &self.brokers {
            Brokers::Real(_) => {
                let bootstrap = self.bootstrap();
                Java::set_transaction_version(&bootstrap, level, downgrade).or_fail();
            }
            Brokers::Embedded(cluster) => cluster.broker.set_transaction_version(level.into()),
        }
    }
}

/// Trouble. It needs the cluster to be the test's own, hence `&mut`.
impl Kafka {
    /// Kills broker `id` with SIGKILL and waits until it is dead.
    pub fn kill(&mut self, id: i32) {
        match &mut self.brokers {
            Brokers::Real(cluster) => cluster.node_mut(id).and_then(|node| node.kill()),
            Brokers::Embedded(cluster) => cluster.stop(id),
        }
        .or_fail();
    }

    /// Asks broker `id` to shut down in good order and waits until it has.
    pub fn stop(&mut self, id: i32) {
        match &mut self.brokers {
            Brokers::Real(cluster) => cluster.node_mut(id).and_then(|node| node.stop()),
            Brokers::Embedded(cluster) => cluster.stop(id),
        }
        .or_fail();
    }

    /// Stops broker `id` in its tracks, with its connections open, until [`thaw`](Self::thaw).
    pub fn freeze(&mut self, id: i32) {
        match &mut self.brokers {
            Brokers::Real(cluster) => cluster.node_mut(id).map(|node| node.freeze()),
            Brokers::Embedded(cluster) => cluster.pause(id),
        }
        .or_fail();
    }

    /// Lets a frozen broker go on.
    pub fn thaw(&mut self, id: i32) {
        match &mut self.brokers {
            Brokers::Real(cluster) => cluster.node_mut(id).map(|node| node.thaw()),
            Brokers::Embedded(cluster) => cluster.resume(id),
        }
        .or_fail();
    }

    /// Starts broker `id` again on the data and ports it had, killing it before if it still runs, and
    /// waits until it says that it is up.
    pub fn restart(&mut self, id: i32) {
        self.restart_without_waiting(id);
        if let Brokers::Real(cluster) = &self.brokers {
            cluster.node(id).or_fail().wait_until_up().or_fail();
        }
    }

    /// As [`restart`](Self::restart), without the wait: where several brokers have to be there before
    /// any can be up.
    pub fn restart_without_waiting(&mut self, id: i32) {
        match &mut self.brokers {
            Brokers::Real(cluster) => cluster.node_mut(id).and_then(Node::restart),
            Brokers::Embedded(cluster) => cluster.restart(id),
        }
        .or_fail();
    }

    /// Waits until every broker says that it is up.
    pub fn wait_until_up(&self) {
        if let Brokers::Real(cluster) = &self.brokers {
            for node in &cluster.nodes {
                node.wait_until_up().or_fail();
            }
        }
    }
}
