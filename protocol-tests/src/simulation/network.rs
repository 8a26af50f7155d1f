//! The simulated network: pipes to the embedded broker whose bytes take their time, wait, or never come.
//!
//! Every connection is two queues of byte chunks with a time of delivery each. Within one direction of
//! one connection order is kept, as TCP keeps it; between connections it is not, since every chunk's
//! delay is drawn anew. What is on its way when a client closes or crashes may still arrive.

use super::random::Random;
use bytes::{Bytes, BytesMut};
use milena_broker::Broker;
use milena_connection::{BoxTransport, BrokerAddress, ConnectFuture, Connector, PauseFuture};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Bytes between the client and its end of the network.
const PIPE_BYTES: usize = 64 << 10;
/// Chunks on their way in one direction of a connection; beyond, the sender waits.
const CHUNKS_MAX: usize = 64;
/// Bytes of a chunk.
const CHUNK_BYTES: usize = 4 << 10;

/// One client process, as the network sees it. A restarted client is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HostId(pub(super) u32);

/// Which connections a network fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Between {
    /// `None`: all clients.
    pub(super) host: Option<HostId>,
    /// `None`: all brokers.
    pub(super) broker_id: Option<i32>,
}

impl Between {
    fn means(self, host: HostId, broker_id: i32) -> bool {
        self.host.is_none_or(|wanted| wanted == host)
            && self.broker_id.is_none_or(|wanted| wanted == broker_id)
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ToBroker,
    ToClient,
}

/// The network between all clients and the brokers. Clones share it.
#[derive(Clone)]
pub(super) struct Network {
    inner: Arc<Inner>,
}

struct Inner {
    broker: Arc<Broker>,
    state: Mutex<State>,
    /// Something about the weather changed.
    changed: Notify,
}

struct State {
    random: Random,
    latency: (Duration, Duration),
    frozen: Vec<(Between, Option<Way>, Instant)>,
    slow: Vec<(i32, Duration, Instant)>,
    dead: Vec<HostId>,
    open: Vec<(HostId, i32, Arc<Notify>)>,
}

impl Network {
    /// A network in front of `broker` with a one-way delay between these two.
    pub(super) fn new(broker: Arc<Broker>, latency: (Duration, Duration), random: Random) -> Self {
        let state = State {
            random,
            latency,
            frozen: Vec::new(),
            slow: Vec::new(),
            dead: Vec::new(),
            open: Vec::new(),
        };
        Self {
            inner: Arc::new(Inner {
                broker,
                state: Mutex::new(state),
                changed: Notify::new(),
            }),
        }
    }

    /// What a client of this host dials with.
    pub(super) fn connector(&self, host: HostId) -> Arc<dyn Connector> {
        Arc::new(Dialler {
            network: self.clone(),
            host,
        })
    }

    /// Cuts connections: part of what is on its way arrives, possibly half a frame, then they are closed.
    pub(super) fn cut(&self, between: Between) {
        for (host, broker_id, cut) in &self.lock().open {
            if between.means(*host, *broker_id) {
                cut.notify_waiters();
            }
        }
    }

    /// Holds all bytes back, one way or both; they arrive afterwards.
    pub(super) fn freeze(&self, between: Between, way: Option<Way>, lasting: Duration) {
        self.lock()
            .frozen
            .push((between, way, Instant::now() + lasting));
        self.inner.changed.notify_waiters();
    }

    /// Makes the way to and from a broker longer.
    pub(super) fn slow(&self, broker_id: i32, by: Duration, lasting: Duration) {
        self.lock()
            .slow
            .push((broker_id, by, Instant::now() + lasting));
    }

    /// A client process is gone, with all of its connections, and without a word.
    pub(super) fn kill(&self, host: HostId) {
        self.lock().dead.push(host);
        let broker_id = None;
        self.cut(Between {
            host: Some(host),
            broker_id,
        });
    }

    /// The weather is fine from now on.
    pub(super) fn heal(&self) {
        let mut state = self.lock();
        state.frozen.clear();
        state.slow.clear();
        drop(state);
        self.inner.changed.notify_waiters();
    }

    /// How long a chunk that is sent now takes.
    fn delay(&self, broker_id: i32) -> Duration {
        let mut state = self.lock();
        let now = Instant::now();
        let slow: Duration = state
            .slow
            .iter()
            .filter(|(slow, _, until)| *slow == broker_id && now < *until)
            .map(|(_, by, _)| *by)
            .sum();
        let (from, to) = state.latency;
        state.random.duration(from, to) + slow
    }

    /// Until when bytes of a connection are held back.
    fn frozen_until(&self, host: HostId, broker_id: i32, way: Way) -> Option<Instant> {
        let now = Instant::now();
        let state = self.lock();
        let holds = state.frozen.iter().filter(|(between, only, until)| {
            between.means(host, broker_id) && only.is_none_or(|only| only == way) && now < *until
        });
        holds.map(|(_, _, until)| *until).max()
    }

    fn is_dead(&self, host: HostId) -> bool {
        self.lock().dead.contains(&host)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        super::lock(&self.inner.state)
    }

    async fn connect(&self, host: HostId, address: &BrokerAddress) -> io::Result<BoxTransport> {
        let broker_id = broker_id_of(&address.host)?;
        for way in [Way::ToBroker, Way::ToClient] {
            sleep_until(Instant::now() + self.delay(broker_id)).await;
            self.thaw(host, broker_id, way).await;
        }
        if self.is_dead(host) {
            // Nothing of a dead process comes back; what is left of it here waits for ever.
            std::future::pending::<()>().await;
        }
        let theirs = self.inner.broker.connect(&address.host, address.port)?;
        let (ours, client) = duplex(PIPE_BYTES);
        let cut = Arc::new(Notify::new());
        let mut state = self.lock();
        state.open.retain(|(_, _, cut)| Arc::strong_count(cut) > 1);
        state.open.push((host, broker_id, Arc::clone(&cut)));
        drop(state);
        let (from_client, to_client) = split(ours);
        let (from_broker, to_broker) = split(theirs);
        let lane = |way| Lane {
            network: self.clone(),
            host,
            broker_id,
            way,
            cut: Arc::clone(&cut),
        };
        tokio::spawn(lane(Way::ToBroker).carry(from_client, to_broker));
        tokio::spawn(lane(Way::ToClient).carry(from_broker, to_client));
        Ok(Box::new(client))
    }

    async fn thaw(&self, host: HostId, broker_id: i32, way: Way) {
        loop {
            let changed = self.inner.changed.notified();
            let Some(until) = self.frozen_until(host, broker_id, way) else {
                return;
            };
            tokio::select! {
                biased;
                () = changed => {}
                () = sleep_until(until) => {}
            }
        }
    }
}

/// The embedded broker's addresses are `broker-1:9092` and so on.
fn broker_id_of(host: &str) -> io::Result<i32> {
    host.rsplit('-')
        .next()
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Dials for one host.
struct Dialler {
    network: Network,
    host: HostId,
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dialler({})", self.host.0)
    }
}

impl Connector for Dialler {
    fn connect<'a>(&'a self, address: &'a BrokerAddress) -> ConnectFuture<'a> {
        Box::pin(self.network.connect(self.host, address))
    }

    /// No thread may take part: when it ends is nothing that the seed decides.
    fn pause(&self, length: Duration) -> PauseFuture {
        Box::pin(tokio::time::sleep(length))
    }
}

/// One direction of a connection.
struct Lane {
    network: Network,
    host: HostId,
    broker_id: i32,
    way: Way,
    cut: Arc<Notify>,
}

impl Lane {
    async fn carry(self, mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>) {
        let mut chunks: VecDeque<(Instant, Bytes)> = VecDeque::new();
        let mut open = true;
        let cut = self.cut.notified();
        tokio::pin!(cut);
        loop {
            if !open && chunks.is_empty() {
                break;
            }
            if self.network.is_dead(self.host) {
                self.cut_off(&chunks, &mut to).await;
                break;
            }
            let mut buffer = BytesMut::with_capacity(CHUNK_BYTES);
            tokio::select! {
                biased;
                () = &mut cut => {
                    self.cut_off(&chunks, &mut to).await;
                    break;
                }
                () = self.due(chunks.front()) => {
                    if let Some((_, bytes)) = chunks.pop_front()
                        && (to.write_all(&bytes).await.is_err())
                    {
                        break;
                    }
                }
                read = from.read_buf(&mut buffer), if open && chunks.len() < CHUNKS_MAX => {
                    open = matches!(read, Ok(1..));
                    if open {
                        let soonest = Instant::now() + self.network.delay(self.broker_id);
                        let after = chunks.back().map_or(soonest, |(at, _)| soonest.max(*at));
                        chunks.push_back((after, buffer.freeze()));
                    }
                }
            }
        }
        // The other side may have gone first.
        let _ = to.shutdown().await;
    }

    /// Waits until the next chunk may arrive.
    async fn due(&self, next: Option<&(Instant, Bytes)>) {
        let Some((at, _)) = next else {
            return std::future::pending().await;
        };
        sleep_until(*at).await;
        self.network.thaw(self.host, self.broker_id, self.way).await;
    }

    /// Delivers a part of what was on its way. A dead client hears nothing of it.
    async fn cut_off(&self, chunks: &VecDeque<(Instant, Bytes)>, to: &mut WriteHalf<DuplexStream>) {
        if self.way == Way::ToClient && self.network.is_dead(self.host) {
            return;
        }
        let bytes: Vec<u8> = chunks.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let arrive = self.network.lock().random.up_to(bytes.len());
        if let Some(part) = bytes.get(..arrive) {
            // The other side may have gone first.
            let _ = to.write_all(part).await;
        }
    }
}
