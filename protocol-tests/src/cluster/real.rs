//! The processes of a real cluster, with their ports and data.

use super::KafkaConfig;
use super::node::{self, Node};
use crate::Failure;
use crate::jars::Jars;
use crate::java::Programs;
use crate::port::Port;
use crate::scratch::DataDir;

#[derive(Debug)]
pub(super) struct RealCluster {
    pub(super) nodes: Vec<Node>,
    // After the nodes, which have to be dead before their folder goes.
    _data: DataDir,
    _ports: Vec<Port>,
}

impl RealCluster {
    pub(super) fn start(config: &KafkaConfig) -> Result<Self, Failure> {
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
            nodes,
            _data: data,
            _ports: plan.ports,
        })
    }

    pub(super) fn node(&self, id: i32) -> Result<&Node, Failure> {
        node::by_id(&self.nodes, id)
    }

    pub(super) fn node_mut(&mut self, id: i32) -> Result<&mut Node, Failure> {
        let index = node::index_of(&self.nodes, id)?;
        Ok(&mut self.nodes[index])
    }
}
