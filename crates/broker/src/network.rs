//! Listeners and their tasks, one set for each virtual broker; and the transport that needs no listener.

use crate::builder::StartError;
use crate::cluster::nodes::{Address, ListenerIndex};
use crate::server;
use crate::shared::Shared;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
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
    /// Where the broker runs: a test that restarts one of its brokers may have another runtime, and end before.
    runtime: Handle,
}

/// What one broker listens with.
#[derive(Debug, Default)]
struct Port {
    /// Of its own listener, then of those behind something; none without ports.
    addresses: Vec<SocketAddr>,
    /// Open and not yet served.
    listeners: Vec<TcpListener>,
    /// The listeners' tasks and the connections'.
    tasks: JoinSet<()>,
}

impl Port {
    fn own_address(&self) -> Option<SocketAddr> {
        self.addresses.first().copied()
    }

    async fn open(&mut self, address: SocketAddr) -> io::Result<()> {
        let listener = TcpListener::bind(address).await?;
        self.addresses.push(listener.local_addr()?);
        self.listeners.push(listener);
        Ok(())
    }
}

impl Network {
    /// Opens the ports of all brokers, each with its own and so many more that are behind something.
    pub(crate) async fn open(
        listeners: &Listeners,
        brokers: i32,
        behind: usize,
    ) -> Result<Self, StartError> {
        let mut ports = BTreeMap::new();
        for broker_id in 1..=brokers {
            let mut port = Port::default();
            let own = match listeners {
                Listeners::Memory => None,
                Listeners::Tcp {
                    address,
                    first_port,
                } => {
                    let nth = u16::try_from(broker_id - 1).unwrap_or(0);
                    let number = match first_port {
                        0 => 0,
                        first => first.saturating_add(nth),
                    };
                    Some(SocketAddr::new(*address, number))
                }
            };
            if let Some(own) = own {
                let further = std::iter::repeat_n(SocketAddr::new(own.ip(), 0), behind);
                for address in std::iter::once(own).chain(further) {
                    let opened = port.open(address).await;
                    opened.map_err(|source| StartError::Listen {
                        broker_id,
                        address,
                        source,
                    })?;
                }
            }
            ports.insert(broker_id, Mutex::new(port));
        }
        Ok(Self {
            brokers: ports,
            runtime: Handle::current(),
        })
    }

    /// Where clients are told that a broker is.
    pub(crate) fn advertised(&self, broker_id: i32, host: &str) -> Address {
        match self.port(broker_id).and_then(|port| port.own_address()) {
            Some(address) => Address {
                host: Arc::from(host),
                port: address.port(),
            },
            None => Address {
                host: Arc::from(memory_host(broker_id)),
                port: MEMORY_PORT,
            },
        }
    }

    /// The ports of the listeners behind the `nth` proxy, counted from 0.
    pub(crate) fn ports_behind(&self, nth: usize) -> Vec<u16> {
        let ports = self.brokers.keys().filter_map(|id| {
            let port = self.port(*id)?;
            Some(port.addresses.get(nth.checked_add(1)?)?.port())
        });
        ports.collect()
    }

    /// Begins to serve a broker's listener, if it has one.
    pub(crate) fn serve(&self, broker_id: i32, shared: &Arc<Shared>) {
        let Some(mut port) = self.port(broker_id) else {
            return;
        };
        for (index, listener) in std::mem::take(&mut port.listeners).into_iter().enumerate() {
            let index = ListenerIndex(index);
            let accept = accept(Arc::clone(shared), broker_id, index, listener);
            port.tasks.spawn_on(accept, &self.runtime);
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
        let addresses = self.port(broker_id).map(|port| port.addresses.clone());
        let addresses = addresses.unwrap_or_default();
        let mut listeners = Vec::new();
        if !addresses.is_empty() {
            let bind = async move {
                let mut listeners = Vec::new();
                for address in addresses {
                    listeners.push(TcpListener::bind(address).await?);
                }
                Ok::<_, io::Error>(listeners)
            };
            // A listener belongs to the runtime in which it is bound.
            listeners = self.runtime.spawn(bind).await.map_err(io::Error::other)??;
        }
        if let Some(mut port) = self.port(broker_id) {
            port.listeners = listeners;
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
        let (shared, own) = (Arc::clone(shared), ListenerIndex::default());
        let serve = server::serve(shared, broker_id, own, host, ours);
        port.tasks.spawn_on(serve, &self.runtime);
        Ok(theirs)
    }

    /// The broker at an address as clients are told it.
    pub(crate) fn broker_at(&self, host: &str, port: u16) -> Option<i32> {
        let here = |broker_id: &i32| match self.port(*broker_id).and_then(|port| port.own_address())
        {
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
async fn accept(shared: Arc<Shared>, broker_id: i32, index: ListenerIndex, listener: TcpListener) {
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
        let shared = Arc::clone(&shared);
        connections.spawn(server::serve(shared, broker_id, index, host, stream));
    }
}
