//! The embedded broker in the place of a real cluster.

use super::KafkaConfig;
use crate::Failure;
use crate::port::Port;
use crate::proxy::{Route, Slots};
use milena_broker::Broker;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long what has to be done in the broker's runtime may take.
const LIMIT: Duration = Duration::from_secs(30);

const LOOPBACK: &str = "127.0.0.1";

#[derive(Debug)]
pub(super) struct EmbeddedCluster {
    pub(super) broker: Arc<Broker>,
    _ports: Vec<Port>,
}

impl EmbeddedCluster {
    /// Starts brokers with the settings that real ones have in tests.
    pub(super) fn start(config: &KafkaConfig) -> Result<(Self, Slots), Failure> {
        let brokers = i32::try_from(config.broker_count()).unwrap_or(i32::MAX);
        let replicas = i16::try_from(brokers.min(3)).unwrap_or(1);
        let version = config.flavour().transaction_version().unwrap_or(0);
        let mut builder = Broker::builder()
            .brokers(brokers)
            .transaction_version(version.into())
            .auto_create_topics(false)
            .topic_defaults(4, replicas)
            .setting("log.retention.ms", -1)
            .setting("min.insync.replicas", 1)
            .transaction_timeout_scan(Duration::from_millis(500));
        for (key, value) in config.properties() {
            builder = builder.setting(key, value);
        }
        let mut ports = Vec::new();
        let mut proxies = Vec::new();
        for _ in 0..config.proxied_listener_count() {
            let claimed: Vec<Port> = (0..brokers)
                .map(|_| Port::claim())
                .collect::<Result<_, _>>()?;
            let numbers: Vec<u16> = claimed.iter().map(Port::number).collect();
            builder = builder.behind(numbers.iter().map(|number| (LOOPBACK, *number)));
            proxies.push(numbers);
            ports.extend(claimed);
        }
        let broker = Arc::new(run(async { builder.start().await })?.map_err(refused)?);
        let slots = proxies.into_iter().enumerate().map(|(nth, proxies)| {
            let routes = (1..).zip(broker.ports_behind(nth)).zip(proxies);
            let route = |((broker_id, broker), proxy)| Route {
                broker_id,
                broker,
                proxy,
            };
            routes.map(route).collect()
        });
        let slots = Slots::new(slots.collect());
        let cluster = Self {
            broker,
            _ports: ports,
        };
        Ok((cluster, slots))
    }

    pub(super) fn stop(&self, id: i32) -> Result<(), Failure> {
        let broker = Arc::clone(&self.broker);
        run(async move { broker.stop_broker(id).await })?.map_err(refused)
    }

    pub(super) fn restart(&self, id: i32) -> Result<(), Failure> {
        self.stop(id)?;
        let broker = Arc::clone(&self.broker);
        run(async move { broker.restart_broker(id).await })?.map_err(refused)
    }

    pub(super) fn pause(&self, id: i32) -> Result<(), Failure> {
        self.broker.pause_broker(id).map_err(refused)
    }

    pub(super) fn resume(&self, id: i32) -> Result<(), Failure> {
        self.broker.resume_broker(id).map_err(refused)
    }

    /// The newest entries of its history.
    pub(super) fn tail(&self, lines: usize) -> String {
        let entries = self.broker.history().entries();
        let newest = entries.iter().skip(entries.len().saturating_sub(lines));
        newest.map(|entry| format!("{entry:?}\n")).collect()
    }
}

fn refused(error: impl std::error::Error) -> Failure {
    Failure::Program {
        program: "the embedded broker".to_owned(),
        output: error.to_string(),
    }
}

/// Does something in the runtime of all embedded brokers. Theirs is not the test's: a shared broker
/// outlives the test that needed it first.
fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, Failure> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("embedded-broker")
            .enable_all()
            .build()
    });
    let runtime = runtime.as_ref().map_err(|error| {
        Failure::io("starting a runtime for embedded brokers")(error.kind().into())
    })?;
    let (sender, receiver) = sync_channel(1);
    runtime.spawn(async move {
        // Whoever gave up waiting wants no result.
        let _ = sender.try_send(work.await);
    });
    receiver.recv_timeout(LIMIT).map_err(|error| Failure::Late {
        what: "what was asked of an embedded broker".to_owned(),
        limit: LIMIT,
        context: error.to_string(),
    })
}
