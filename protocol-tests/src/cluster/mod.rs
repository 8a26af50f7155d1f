//! Apache Kafka on loopback: one or more KRaft brokers in the care of one test process.

mod config;
mod node;

pub use config::KafkaConfig;

use crate::failure::OrFail as _;
use crate::jars::Jars;
use crate::java::Programs;
use crate::port::Port;
use crate::proxy::Slots;
use crate::scratch::DataDir;
use crate::{Failure, Flavour};
use node::Node;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A running cluster. Dropping it ends its brokers and removes their data.
#[derive(Debug)]
pub struct Kafka {
    flavour: Flavour,
    nodes: Vec<Node>,
    slots: Slots,
    next_topic: AtomicU32,
    // After the nodes, which have to be dead before their folder goes.
    _data: DataDir,
    _ports: Vec<Port>,
}

impl Kafka {
    /// Starts a cluster and waits until each broker says that it is up.
    ///
    /// # Errors
    ///
    /// [`Failure::Missing`] where Java or Maven are not installed, and whatever else went wrong.
    pub fn try_start(config: &KafkaConfig) -> Result<Self, Failure> {
        let programs = Programs::at_hand()?;
        let jars = Jars::fetch(config.flavour().version())?;
        let class_path = programs.class_path(&jars);
        let data = DataDir::new()?;
        let plan = config.plan(data.path())?;
        let nodes = plan
            .nodes
            .into_iter()
            .map(|node| Node::start(node, &class_path))
            .collect::<Result<Vec<_>, _>>()?;
        for node in &nodes {
            node.wait_until_up()?;
        }
        Ok(Self {
            flavour: config.flavour(),
            slots: node::slots(&nodes),
            nodes,
            next_topic: AtomicU32::new(0),
            _data: data,
            _ports: plan.ports,
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
        self.nodes.iter().map(Node::address).collect()
    }

    /// The ids of the brokers: 1, 2, and so on.
    pub fn broker_ids(&self) -> impl Iterator<Item = i32> + '_ {
        self.nodes.iter().map(Node::id)
    }

    /// A name for a topic that no other test uses.
    #[must_use]
    pub fn topic_name(&self) -> String {
        let number = self.next_topic.fetch_add(1, Ordering::Relaxed);
        format!("topic-{number}")
    }

    /// The folder in which broker `id` keeps its partitions.
    #[must_use]
    pub fn log_dir(&self, id: i32) -> PathBuf {
        self.node(id).data_dir()
    }

    /// The newest lines of every broker's log, for the report of a failed test.
    #[must_use]
    pub fn tail(&self, lines: usize) -> String {
        self.nodes
            .iter()
            .map(|node| format!("--- broker {}\n{}\n", node.id(), node.tail(lines)))
            .collect()
    }

    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }

    fn node(&self, id: i32) -> &Node {
        node::by_id(&self.nodes, id).or_fail()
    }

    fn node_mut(&mut self, id: i32) -> &mut Node {
        let index = node::index_of(&self.nodes, id).or_fail();
        &mut self.nodes[index]
    }
}

/// Trouble. It needs the cluster to be the test's own, hence `&mut`.
impl Kafka {
    /// Kills broker `id` with SIGKILL and waits until it is dead.
    pub fn kill(&mut self, id: i32) {
        self.node_mut(id).kill().or_fail();
    }

    /// Asks broker `id` to shut down in good order and waits until it has.
    pub fn stop(&mut self, id: i32) {
        self.node_mut(id).stop().or_fail();
    }

    /// Stops broker `id` in its tracks, with its connections open, until [`thaw`](Self::thaw).
    pub fn freeze(&mut self, id: i32) {
        self.node_mut(id).freeze();
    }

    /// Lets a frozen broker go on.
    pub fn thaw(&mut self, id: i32) {
        self.node_mut(id).thaw();
    }

    /// Starts broker `id` again on the data and ports it had, killing it before if it still runs, and
    /// waits until it says that it is up.
    pub fn restart(&mut self, id: i32) {
        self.restart_without_waiting(id);
        self.node(id).wait_until_up().or_fail();
    }

    /// As [`restart`](Self::restart), without the wait: where several brokers have to be there before
    /// any can be up.
    pub fn restart_without_waiting(&mut self, id: i32) {
        self.node_mut(id).restart().or_fail();
    }

    /// Waits until every broker says that it is up.
    pub fn wait_until_up(&self) {
        for node in &self.nodes {
            node.wait_until_up().or_fail();
        }
    }
}
