//! One broker: its process, and how it is ended and started again.

use super::config::NodePlan;
use crate::process::Process;
use crate::proxy::{Route, Slots};
use crate::{Failure, java, scratch};
use nix::sys::signal::Signal;
use std::path::PathBuf;
use std::time::Duration;

/// Every cluster is another machine's worth of files and ports, so one id does for all.
const CLUSTER_ID: &str = "bWlsZW5hLXByb3RvY28tdA";

/// What a broker says when it takes requests.
const UP: &str = "Kafka Server started";

/// How long a broker may take to start. On two busy cores with three brokers starting it is some 15 s.
const START_LIMIT: Duration = Duration::from_secs(90);

/// How long a broker may take to shut down in good order.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How long the kernel may take to end a killed process.
const KILL_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Node {
    plan: NodePlan,
    arguments: Vec<String>,
    log: PathBuf,
    process: Option<Process>,
}

impl Node {
    pub(super) fn start(plan: NodePlan, class_path: &str) -> Result<Self, Failure> {
        let mut arguments: Vec<String> = java::FLAGS.iter().map(ToString::to_string).collect();
        arguments.push(format!("-Xmx{}m", plan.heap_mib));
        arguments.extend(["-cp", class_path, "Broker"].map(str::to_owned));
        arguments.push(plan.settings.display().to_string());
        arguments.push(CLUSTER_ID.to_owned());
        if let Some(level) = plan.flavour.transaction_version() {
            arguments.push(format!("transaction.version={level}"));
        }
        let log = scratch::log_dir()?.join(format!(
            "{}-{}-{}.log",
            plan.flavour.name(),
            plan.listeners.direct,
            plan.id
        ));
        let mut node = Self {
            plan,
            arguments,
            log,
            process: None,
        };
        node.restart()?;
        Ok(node)
    }

    pub(super) fn id(&self) -> i32 {
        self.plan.id
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.plan.listeners.direct)
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.plan.data.clone()
    }

    pub(super) fn tail(&self, lines: usize) -> String {
        self.process
            .as_ref()
            .map_or_else(|| "never started".to_owned(), |process| process.tail(lines))
    }

    pub(super) fn wait_until_up(&self) -> Result<(), Failure> {
        match &self.process {
            Some(process) => process.wait_for_line(UP, START_LIMIT),
            None => Ok(()),
        }
    }

    pub(super) fn restart(&mut self) -> Result<(), Failure> {
        if let Some(process) = self.process.take() {
            process.end(true);
        }
        self.process = Some(Process::start(
            "java",
            &self.arguments,
            &self.plan.folder,
            &self.log,
        )?);
        Ok(())
    }

    pub(super) fn kill(&self) -> Result<(), Failure> {
        self.signal(Signal::SIGKILL);
        self.wait_for_end(KILL_LIMIT)
    }

    pub(super) fn stop(&self) -> Result<(), Failure> {
        self.signal(Signal::SIGTERM);
        self.wait_for_end(STOP_LIMIT)
    }

    pub(super) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub(super) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    fn wait_for_end(&self, limit: Duration) -> Result<(), Failure> {
        match &self.process {
            Some(process) => process.wait_for_end(limit),
            None => Ok(()),
        }
    }
}

/// The proxied listeners of all brokers, the first of each broker together, the second, and so on.
pub(super) fn slots(nodes: &[Node]) -> Slots {
    let slots = nodes
        .iter()
        .map(|node| node.plan.listeners.proxied.len())
        .min();
    let route = |node: &Node, slot: usize| {
        let proxied = node.plan.listeners.proxied.get(slot)?;
        Some(Route {
            broker_id: node.id(),
            broker: proxied.broker,
            proxy: proxied.proxy,
        })
    };
    Slots::new(
        (0..slots.unwrap_or(0))
            .map(|slot| nodes.iter().filter_map(|node| route(node, slot)).collect())
            .collect(),
    )
}

pub(super) fn index_of(nodes: &[Node], id: i32) -> Result<usize, Failure> {
    nodes
        .iter()
        .position(|node| node.id() == id)
        .ok_or_else(|| Failure::Missing {
            what: format!("broker {id}"),
            remedy: format!("the ids are 1 to {}", nodes.len()),
        })
}

pub(super) fn by_id(nodes: &[Node], id: i32) -> Result<&Node, Failure> {
    index_of(nodes, id).map(|index| &nodes[index])
}
