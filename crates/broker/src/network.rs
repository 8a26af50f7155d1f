//! Listeners and their tasks, one set for each virtual broker; and the transport that needs no listener.

use crate::builder::StartError;
use crate::server;
use crate::shared::Shared;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Connections that one broker serves at a time; further ones are closed at once.
const CONNECTIONS_MAX: usize = 10_000;
/// Bytes on their way in one direction of an in-memory connection.
const PIPE_BYTES: usize = 256 << 10;
/// The port that every broker claims where there are no ports.
const MEMORY_PORT: u16 = 9092;
/// How long to wait after a failed accept, which is a sign of too few descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How the brokers are reached.
#[derive(Clone, Debug)]
pub(crate) enum Listeners {
    Memory,
    Tcp { address: IpAddr, first_port: u16 },
}

/// The brokers' side of the network.
#[derive(Debug)]
pub(crate) struct Network {
    brokers: BTreeMap<i32, Mutex<Port>>,
}

/// What one broker listens with.
#[derive(Debug)]
struct Port {
    address: Option<SocketAddr>,
    /// Open and not yet served.
    listener: Option<TcpListener>,
    /// The listener's task and the connections'.
    tasks: JoinSet<()>,
}

impl Network {
    pub(crate) async fn open(listeners: &Listeners, brokers: i32) -> Result<Self, StartError> {
        let mut ports = BTreeMap::new();
        for broker_id in 1..=brokers {
            let listener = match listeners {
                Listeners::Memory => None,
                Listeners::Tcp {
                    address,
                    first_port,
                } => {
                    let nth = u16::try_from(broker_id - 1).unwrap_or(0);
                    let port = match first_port {
                        0 => 0,
                        first => first.saturating_add(nth),
                    };
                    let address = SocketAddr::new(*address, port);
                    let failed = |source| StartError::Listen {
                        broker_id,
                        address,
                        source,
                    };
                    let bound = TcpListener::bind(address).await.map_err(failed)?;
                    let address = bound.local_addr().map_err(failed)?;
                    Some((bound, address))
                }
            };
            let (listener, address) = listener.unzip();
            let port = Port {
                address,
                listener,
                tasks: JoinSet::new(),
            };
            ports.insert(broker_id, Mutex::new(port));
        }
        Ok(Self { brokers: ports })
    }

    /// Where clients are told that a broker is.
    pub(crate) fn advertised(&self, broker_id: i32, host: &str) -> (String, u16) {
        match self.port(broker_id).and_then(|port| port.address) {
            Some(address) => (host.to_owned(), address.port()),
            None => (memory_host(broker_id), MEMORY_PORT),
        }
    }

    /// Begins to serve a broker's listener, if it has one.
    pub(crate) fn serve(&self, broker_id: i32, shared: &Arc<Shared>) {
        let Some(mut port) = self.port(broker_id) else {
            return;
        };
        if let Some(listener) = port.listener.take() {
            port.tasks
                .spawn(accept(Arc::clone(shared), broker_id, listener));
        }
    }

    /// Ends everything of a broker and closes its port.
    pub(crate) async fn stop(&self, broker_id: i32) {
        let tasks = self
            .port(broker_id)
            .map(|mut port| std::mem::take(&mut port.tasks));
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
    }

    /// Listens again where the broker listened before.
    pub(crate) async fn restart(&self, broker_id: i32, shared: &Arc<Shared>) -> io::Result<()> {
        let address = self.port(broker_id).and_then(|port| port.address);
        if let Some(address) = address {
            let listener = TcpListener::bind(address).await?;
            if let Some(mut port) = self.port(broker_id) {
                port.listener = Some(listener);
            }
        }
        self.serve(broker_id, shared);
        Ok(())
    }

    /// Opens an in-memory connection to a broker.
    pub(crate) fn connect(&self, broker_id: i32, shared: &Arc<Shared>) -> io::Result<DuplexStream> {
        let Some(mut port) = self.port(broker_id) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        while port.tasks.try_join_next().is_some() {}
        if port.tasks.len() >= CONNECTIONS_MAX {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (ours, theirs) = duplex(PIPE_BYTES);
        let host: Arc<str> = Arc::from("/memory");
        port.tasks
            .spawn(server::serve(Arc::clone(shared), broker_id, host, ours));
        Ok(theirs)
    }

    /// The broker at an address as clients are told it.
    pub(crate) fn broker_at(&self, host: &str, port: u16) -> Option<i32> {
        let here = |broker_id: &i32| match self.port(*broker_id).and_then(|port| port.address) {
            Some(address) => address.port() == port,
            None => host == memory_host(*broker_id) && port == MEMORY_PORT,
        };
        self.brokers.keys().copied().find(here)
    }

    /// Ends everything, without waiting.
    pub(crate) fn abort(&self) {
        for broker_id in self.brokers.keys() {
            if let Some(mut port) = self.port(*broker_id) {
                port.tasks.abort_all();
            }
        }
    }

    fn port(&self, broker_id: i32) -> Option<MutexGuard<'_, Port>> {
        let port = self.brokers.get(&broker_id)?;
        Some(port.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn memory_host(broker_id: i32) -> String {
    format!("broker-{broker_id}")
}

/// Serves whoever connects. The connections end with this task.
async fn accept(shared: Arc<Shared>, broker_id: i32, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::error!(broker_id, "no connection can be accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if connections.len() >= CONNECTIONS_MAX {
            tracing::error!(broker_id, %peer, "refused: {CONNECTIONS_MAX} connections are open");
            continue;
        }
        // Answers are written whole, so there is nothing to wait for; if it cannot be set, they are slower.
        let _ = stream.set_nodelay(true);
        let host: Arc<str> = Arc::from(format!("/{}", peer.ip()));
        connections.spawn(server::serve(Arc::clone(&shared), broker_id, host, stream));
    }
}
