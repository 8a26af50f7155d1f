//! The sockets of `milena trace`: a listener for every broker, a task for every connection.
//!
//! It decides nothing: what frames say is in `facts`, and what is changed in them in `endpoints`.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use milena_codec::header::{response_correlation_id, take_request_header, take_response_header};
use milena_codec::{DecodeError, FrameDecoder, FrameError, Limits, schema};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::endpoints::{self, RewriteError};
use super::exchange::Exchange;
use super::facts::{self, Facts, Topics};
use crate::failure::chain;
use crate::pending::Pending;

/// Brokers, and connections of one listener, at a time.
const BROKERS_MAX: usize = 1_000;
const CONNECTIONS_MAX: usize = 1_000;
/// How long to wait after a failed accept, which is a sign of too few descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A broker's host and port.
pub(crate) type Address = (String, u16);

/// Listeners and connections; all end when it is closed or dropped.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    listen: IpAddr,
    started: Instant,
    limits: Limits,
    /// The ports here, by the broker behind each.
    ports: tokio::sync::Mutex<HashMap<Address, u16>>,
    broker_ids: Mutex<HashMap<Address, i32>>,
    topics: Mutex<Topics>,
    exchanges: mpsc::Sender<Exchange>,
    connections: AtomicU64,
    listeners: Mutex<JoinSet<()>>,
}

/// A request on its way.
#[derive(Debug)]
struct Asked {
    exchange: Exchange,
    since: Instant,
}

/// Why a connection ended from here.
#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error("the bytes are no frames")]
    Frame(#[from] FrameError),
    #[error("the frame has no header")]
    Header(#[from] DecodeError),
    #[error("the connection failed")]
    Io(#[from] io::Error),
}

impl Proxy {
    /// Nothing is listened on before [`open`](Self::open). Exchanges wait for whoever takes them.
    pub(crate) fn new(listen: IpAddr, exchanges: mpsc::Sender<Exchange>) -> Self {
        Self {
            shared: Arc::new(Shared {
                listen,
                started: Instant::now(),
                limits: Limits::default(),
                ports: tokio::sync::Mutex::default(),
                broker_ids: Mutex::default(),
                topics: Mutex::default(),
                exchanges,
                connections: AtomicU64::new(1),
                listeners: Mutex::default(),
            }),
        }
    }

    /// Listens on this port (0: any) for clients of this broker; gives the port.
    pub(crate) async fn open(&self, broker: Address, port: u16) -> io::Result<u16> {
        let mut ports = self.shared.ports.lock().await;
        if let Some(port) = ports.get(&broker) {
            return Ok(*port);
        }
        if ports.len() >= BROKERS_MAX {
            return Err(io::Error::other("too many brokers"));
        }
        let listener = TcpListener::bind(SocketAddr::new(self.shared.listen, port)).await?;
        let port = listener.local_addr()?.port();
        ports.insert(broker.clone(), port);
        let serving = self.clone().accept(listener, broker);
        locked(&self.shared.listeners).spawn(serving);
        Ok(port)
    }

    /// The same on any port. Boxed, since what serves a listener opens others.
    fn open_any(
        &self,
        broker: Address,
    ) -> Pin<Box<dyn Future<Output = io::Result<u16>> + Send + '_>> {
        Box::pin(self.open(broker, 0))
    }

    /// Ends everything.
    pub(crate) async fn close(self) {
        let mut listeners = std::mem::take(&mut *locked(&self.shared.listeners));
        listeners.shutdown().await;
    }

    async fn accept(self, listener: TcpListener, broker: Address) {
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let client = match listener.accept().await {
                Ok((client, _)) => client,
                Err(error) => {
                    tracing::warn!("no connection can be accepted: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            if connections.len() >= CONNECTIONS_MAX {
                tracing::warn!("refused: {CONNECTIONS_MAX} connections are open");
                continue;
            }
            let connection = Connection {
                proxy: self.clone(),
                number: self.shared.connections.fetch_add(1, Ordering::Relaxed),
                broker: broker.clone(),
                pending: Arc::new(Mutex::new(Pending::new())),
            };
            connections.spawn(connection.serve(client));
        }
    }

    /// The answer's body with our ports in place of the brokers'.
    async fn rewritten(
        &self,
        api_key: i16,
        version: i16,
        body: &Bytes,
    ) -> Result<Option<Vec<u8>>, RewriteError> {
        let limits = &self.shared.limits;
        let named = endpoints::named(api_key, version, body, limits)?;
        let mut ours = HashMap::new();
        for endpoint in named {
            let Ok(port) = u16::try_from(endpoint.port) else {
                continue;
            };
            let address = (endpoint.host, port);
            match self.open_any(address.clone()).await {
                Ok(port) => {
                    locked(&self.shared.broker_ids).insert(address.clone(), endpoint.broker_id);
                    ours.insert(address, port);
                }
                Err(error) => {
                    tracing::warn!(host = address.0, port, "cannot listen for it: {error}")
                }
            }
        }
        if ours.is_empty() {
            return Ok(None);
        }
        let host = self.shared.listen.to_string();
        endpoints::rewrite(api_key, version, body, limits, &mut |endpoint| {
            let port = u16::try_from(endpoint.port).ok()?;
            let port = ours.get(&(endpoint.host.clone(), port))?;
            Some((host.clone(), *port))
        })
    }

    fn facts(
        &self,
        message: Option<&'static schema::Message>,
        version: i16,
        body: &Bytes,
    ) -> Facts {
        facts::of(message, version, body, &mut locked(&self.shared.topics))
    }
}

struct Connection {
    proxy: Proxy,
    number: u64,
    broker: Address,
    pending: Arc<Mutex<Pending<Asked>>>,
}

impl Connection {
    async fn serve(self, client: TcpStream) {
        let (host, port) = &self.broker;
        let broker = match TcpStream::connect((host.as_str(), *port)).await {
            Ok(broker) => broker,
            Err(error) => {
                tracing::warn!(host, port, "the broker cannot be reached: {error}");
                return;
            }
        };
        // Frames are written whole; if it cannot be set, they are slower.
        let _ = client.set_nodelay(true);
        let _ = broker.set_nodelay(true);
        let (from_client, to_client) = client.into_split();
        let (from_broker, to_broker) = broker.into_split();
        let up = self.requests(from_client, to_broker);
        let down = self.answers(from_broker, to_client);
        tokio::pin!(up, down);
        let ended = tokio::select! {
            // A client that has said all may still wait for answers.
            sent = &mut up => match sent {
                Ok(()) => down.await,
                Err(error) => Err(error),
            },
            ended = &mut down => ended,
        };
        if let Err(error) = ended {
            tracing::info!(connection = self.number, "closed: {}", chain(&error));
        }
        let unanswered = std::mem::replace(&mut *locked(&self.pending), Pending::new());
        for asked in unanswered.into_unanswered() {
            self.tell(asked.exchange).await;
        }
    }

    async fn requests(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
    ) -> Result<(), ConnectionError> {
        let mut decoder = FrameDecoder::new(self.proxy.shared.limits.frame_bytes);
        loop {
            while let Some(frame) = decoder.next_frame()? {
                let forgotten = self.note_request(&frame)?;
                write(&mut to, &[], frame).await?;
                if let Some(asked) = forgotten {
                    self.tell(asked.exchange).await;
                }
            }
            if from.read_buf(decoder.buffer_mut()).await? == 0 {
                to.shutdown().await?;
                return Ok(());
            }
        }
    }

    fn note_request(&self, frame: &Bytes) -> Result<Option<Asked>, ConnectionError> {
        let shared = &self.proxy.shared;
        let mut body = frame.clone();
        let header = take_request_header(&mut body, &shared.limits)?;
        let (api_key, api_version) = (header.api_key, header.api_version);
        let message = schema::request(api_key);
        let exchange = Exchange {
            at: shared.started.elapsed(),
            took: None,
            connection: self.number,
            client_id: header.client_id.unwrap_or_else(|| "-".to_owned()),
            broker: self.broker_name(),
            api_key,
            api_version,
            asked: self.proxy.facts(message, api_version, &body),
            answered: None,
        };
        let since = Instant::now();
        let asked = Asked { exchange, since };
        Ok(locked(&self.pending).ask(header.correlation_id, asked))
    }

    async fn answers(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
    ) -> Result<(), ConnectionError> {
        let mut decoder = FrameDecoder::new(self.proxy.shared.limits.frame_bytes);
        loop {
            while let Some(frame) = decoder.next_frame()? {
                let id = response_correlation_id(&frame);
                let asked = id.and_then(|id| locked(&self.pending).answered(id));
                let Some(asked) = asked else {
                    write(&mut to, &[], frame).await?;
                    continue;
                };
                self.answer(asked, frame, &mut to).await?;
            }
            if from.read_buf(decoder.buffer_mut()).await? == 0 {
                to.shutdown().await?;
                return Ok(());
            }
        }
    }

    async fn answer(
        &self,
        asked: Asked,
        frame: Bytes,
        to: &mut OwnedWriteHalf,
    ) -> Result<(), ConnectionError> {
        let took = asked.since.elapsed();
        let mut exchange = asked.exchange;
        let (api_key, version) = (exchange.api_key, exchange.api_version);
        let mut body = frame.clone();
        take_response_header(&mut body, api_key, version, &self.proxy.shared.limits)?;
        match self.proxy.rewritten(api_key, version, &body).await {
            Ok(Some(new)) => {
                let header = frame.get(..frame.len().saturating_sub(body.len()));
                write(to, header.unwrap_or_default(), new.into()).await?;
            }
            Ok(None) => write(to, &[], frame).await?,
            Err(error) => {
                let api = exchange.api();
                tracing::warn!(api, version, "passed on as it is: {}", chain(&error));
                write(to, &[], frame).await?;
            }
        }
        exchange.took = Some(took);
        exchange.answered = Some(self.proxy.facts(schema::response(api_key), version, &body));
        self.tell(exchange).await;
        Ok(())
    }

    async fn tell(&self, exchange: Exchange) {
        // Nobody listens any more once the command ends.
        let _ = self.proxy.shared.exchanges.send(exchange).await;
    }

    fn broker_name(&self) -> String {
        match locked(&self.proxy.shared.broker_ids).get(&self.broker) {
            // A bootstrap address may be answered for without a number.
            Some(id) if *id >= 0 => format!("broker {id}"),
            Some(_) | None => format!("{}:{}", self.broker.0, self.broker.1),
        }
    }
}

/// Writes a frame: its length, this and that.
async fn write(to: &mut OwnedWriteHalf, head: &[u8], rest: Bytes) -> io::Result<()> {
    let length = head.len().saturating_add(rest.len());
    let length = u32::try_from(length)
        .map_err(io::Error::other)?
        .to_be_bytes();
    let mut frame = Buf::chain(&length[..], head).chain(rest);
    to.write_all_buf(&mut frame).await
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
