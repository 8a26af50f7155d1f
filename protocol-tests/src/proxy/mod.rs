//! A network between a client and real brokers that fails on demand.
//!
//! A proxy stands before every broker of a cluster, on a listener whose advertised address is the
//! proxy's: clients that bootstrap through it stay behind it, and nothing in the traffic is rewritten.
//! It reads requests and answers frame by frame, pairs them by correlation id, and does to them what
//! its [`Rule`]s say.
//!
//! ```no_run
//! # use milena_protocol_tests::{Kafka, proxy::{Fault, Rule}};
//! # use kafka_protocol::messages::ApiKey;
//! # use std::time::Duration;
//! # fn example(kafka: &Kafka) {
//! let proxy = kafka.proxy();
//! // The third and the sixth Produce are written to the log, but nobody hears of it.
//! proxy.add(Rule::on(ApiKey::Produce).every(3).times(2), Fault::LoseAnswer);
//! // … have a client produce through proxy.bootstrap() …
//! proxy.wait_for(Duration::from_secs(10), |seen| seen.faults(Fault::LoseAnswer) == 2);
//! # }
//! ```

mod link;
mod rule;
mod seen;

pub use rule::{Fault, Rule};
pub use seen::{Held, Recorded, Seen};

use crate::failure::OrFail as _;
use crate::{Failure, Kafka};
use kafka_protocol::messages::ApiKey;
use rule::Script;
use seen::Shared;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a test waits for a proxy while others have them all.
const LEASE_LIMIT: Duration = Duration::from_secs(170);

/// One proxied listener of a broker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) broker_id: i32,
    /// The broker's port.
    pub(crate) broker: u16,
    /// The port the proxy has to listen on.
    pub(crate) proxy: u16,
}

/// The proxied listeners of a cluster, each with one route per broker, and which are free.
#[derive(Debug)]
pub(crate) struct Slots {
    free: Mutex<Vec<Vec<Route>>>,
    freed: Condvar,
}

impl Slots {
    pub(crate) fn new(slots: Vec<Vec<Route>>) -> Self {
        Self {
            free: Mutex::new(slots),
            freed: Condvar::new(),
        }
    }

    fn take(&self) -> Result<Vec<Route>, Failure> {
        let deadline = Instant::now() + LEASE_LIMIT;
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(slot) = free.pop() {
                return Ok(slot);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Failure::Late {
                    what: "a free proxied listener".to_owned(),
                    limit: LEASE_LIMIT,
                    context: "other tests have them all".to_owned(),
                });
            }
            free = self
                .freed
                .wait_timeout(free, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn give_back(&self, slot: Vec<Route>) {
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(slot);
        self.freed.notify_one();
    }
}

/// A proxy before each broker of a cluster. Dropping it cuts everything that goes through it.
#[derive(Debug)]
pub struct Proxy {
    routes: Vec<Route>,
    shared: Arc<Shared>,
    acceptors: Vec<JoinHandle<()>>,
}

/// A proxy that goes back to its cluster.
#[derive(Debug)]
pub struct LeasedProxy<'a> {
    /// None only while it is dropped.
    proxy: Option<Proxy>,
    slots: &'a Slots,
    routes: Vec<Route>,
}

impl Kafka {
    /// A proxy for this test alone; waits while others have all there are.
    #[must_use]
    pub fn proxy(&self) -> LeasedProxy<'_> {
        let slots = self.slots();
        let routes = slots.take().or_fail();
        LeasedProxy {
            proxy: Some(Proxy::start(routes.clone()).or_fail()),
            slots,
            routes,
        }
    }

    /// As [`proxy`](Self::proxy), for as long as the cluster lives: with this one a test can break brokers
    /// while it breaks the network.
    #[must_use]
    pub fn proxy_for_good(&self) -> Proxy {
        Proxy::start(self.slots().take().or_fail()).or_fail()
    }
}

impl Deref for LeasedProxy<'_> {
    type Target = Proxy;

    fn deref(&self) -> &Proxy {
        match &self.proxy {
            Some(proxy) => proxy,
            None => unreachable!("taken in drop only"),
        }
    }
}

impl Drop for LeasedProxy<'_> {
    fn drop(&mut self) {
        // The listeners first: the next test binds their ports.
        self.proxy = None;
        self.slots.give_back(std::mem::take(&mut self.routes));
    }
}

impl Proxy {
    fn start(routes: Vec<Route>) -> Result<Self, Failure> {
        let mut proxy = Self {
            routes,
            shared: Arc::new(Shared::default()),
            acceptors: Vec::new(),
        };
        for route in proxy.routes.clone() {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, route.proxy))
                .map_err(Failure::io(format!("listening on port {}", route.proxy)))?;
            let shared = Arc::clone(&proxy.shared);
            let acceptor = std::thread::spawn(move || accept(&listener, route, &shared));
            proxy.acceptors.push(acceptor);
        }
        Ok(proxy)
    }

    /// The addresses to bootstrap from, each `host:port`.
    #[must_use]
    pub fn bootstrap(&self) -> Vec<String> {
        self.routes
            .iter()
            .map(|route| format!("127.0.0.1:{}", route.proxy))
            .collect()
    }

    /// From now on, does `fault` to the requests that `rule` picks. Where several rules pick a request,
    /// the oldest has its way.
    pub fn add(&self, rule: Rule, fault: Fault) {
        self.shared.with_script(|script| script.add(rule, fault));
    }

    /// Forgets all rules.
    pub fn clear(&self) {
        self.shared
            .with_script(|script| *script = Script::default());
    }

    /// From now on, keeps a copy of each request of this kind, at most 100,000 of them.
    pub fn record(&self, api_key: ApiKey) {
        self.shared.with_script(|script| script.record(api_key));
    }

    /// The recorded requests so far, in the order they came in.
    #[must_use]
    pub fn recorded(&self) -> Vec<Recorded> {
        self.shared.recorded()
    }

    /// What has happened so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.shared.seen()
    }

    /// Waits until what has happened satisfies `done`; ends the test if it does not within `limit`.
    pub fn wait_for(&self, limit: Duration, done: impl Fn(&Seen) -> bool) {
        self.shared.wait_for(limit, done).or_fail();
    }

    /// The next request that [`Fault::Hold`] kept back; ends the test if there is none within `limit`.
    #[must_use]
    pub fn held(&self, limit: Duration) -> Held {
        self.shared.held(limit).or_fail()
    }

    /// Cuts every connection there is. New ones are welcome.
    pub fn cut_all(&self) {
        self.shared.cut_all();
    }

    /// While true, closes every new connection at once.
    pub fn turn_away(&self, turning_away: bool) {
        self.shared
            .with_gate(|gate| gate.turning_away = turning_away);
    }

    /// While true, nothing gets through in either direction, but connections stay open and nothing is
    /// lost: a network partition that heals.
    pub fn pause(&self, paused: bool) {
        self.shared.with_gate(|gate| gate.paused = paused);
    }

    /// Limits each direction of each connection to this many bytes per second; none lifts the limit.
    pub fn limit_rate(&self, bytes_per_second: Option<u32>) {
        self.shared
            .with_gate(|gate| gate.bytes_per_second = bytes_per_second);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.close();
        for route in &self.routes {
            // Wakes the acceptor, which then sees that it is over.
            let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, route.proxy));
        }
        for acceptor in self.acceptors.drain(..) {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, route: Route, shared: &Arc<Shared>) {
    let broker = SocketAddr::from((Ipv4Addr::LOCALHOST, route.broker));
    for client in listener.incoming().flatten() {
        if shared.is_closed() {
            return;
        }
        if shared.is_turning_away() {
            continue;
        }
        let shared = Arc::clone(shared);
        std::thread::spawn(move || link::serve(client, route.broker_id, broker, &shared));
    }
}

#[cfg(test)]
mod tests;
