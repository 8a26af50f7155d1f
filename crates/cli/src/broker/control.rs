//! The control port of `milena broker`: its faults, clock, moves, records and history over HTTP with JSON, for tests in other
//! languages. docs/BROKER.md describes the requests.

mod http;
mod requests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use milena_broker::{Broker, Fault};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Connections at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 100;

/// What all requests share.
pub(super) struct Control {
    broker: Broker,
    /// By their number, counted from 0.
    faults: Mutex<Vec<Fault>>,
}

impl Control {
    pub(super) fn new(broker: Broker) -> Arc<Self> {
        Arc::new(Self {
            broker,
            faults: Mutex::default(),
        })
    }

    fn add_fault(&self, fault: Fault) -> usize {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.push(fault);
        faults.len() - 1
    }

    fn fault(&self, number: usize) -> Option<Fault> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.get(number).cloned()
    }

    fn faults(&self) -> Vec<Fault> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.clone()
    }
}

/// Opens the port, on loopback only: a program that reaches it controls the broker.
pub(super) async fn open(port: u16) -> std::io::Result<(TcpListener, SocketAddr)> {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves requests, one a connection, until it is dropped.
pub(super) async fn serve(control: Arc<Control>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
            continue;
        }
        let Ok((stream, _)) = listener.accept().await else {
            // Too few descriptors: some are given back when connections end.
            connections.join_next().await;
            tokio::task::yield_now().await;
            continue;
        };
        let control = Arc::clone(&control);
        connections.spawn(async move {
            http::exchange(stream, |request| requests::respond(control, request)).await;
        });
    }
}
