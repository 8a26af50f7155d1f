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

use bytes::{Buf, Bytes, BytesMut};
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

/// Whose bytes.
#[derive(Clone, Copy, Debug)]
enum Peer {
    Broker,
    Client,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Broker => "the broker",
            Self::Client => "the client",
        }
    }
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
        let (from_client, mut to_client) = client.into_split();
        let (from_broker, to_broker) = broker.into_split();
        let up = self.requests(from_client, to_broker);
        let down = self.answers(from_broker, &mut to_client);
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
            tracing::info!(connection = self.number, "closed: {error}");
        }
        // Before the client learns that the connection ended, which is when to_client goes.
        let unanswered = std::mem::replace(&mut *locked(&self.pending), Pending::new());
        for asked in unanswered.into_unanswered() {
            self.tell(asked.exchange).await;
        }
    }

    async fn requests(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let mut decoder = FrameDecoder::new(self.proxy.shared.limits.frame_bytes);
        loop {
            loop {
                let frame = match decoder.next_frame() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(error) => {
                        self.cannot_follow(Peer::Client, decoder.buffer_mut(), &error);
                        pass_on(decoder.buffer_mut(), &mut from, &mut to).await?;
                        return to.shutdown().await;
                    }
                };
                let forgotten = self.note_request(&frame).unwrap_or_else(|error| {
                    self.cannot_read("request", &frame, &error);
                    None
                });
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

    /// Says that the rest of the connection is passed on without being looked at, and why.
    fn cannot_follow(&self, peer: Peer, bytes: &[u8], error: &FrameError) {
        let connection = self.number;
        if bytes.starts_with(&TLS_HANDSHAKE) {
            tracing::warn!(
                connection,
                "{} speaks TLS, which is passed on unread; trace a PLAINTEXT listener to see its requests",
                peer.name()
            );
        } else {
            tracing::warn!(
                connection,
                "what {} sends are no frames of Kafka's protocol, and is passed on unread from here: {error}",
                peer.name()
            );
        }
    }

    /// Says that one frame is passed on without being looked at, and why.
    fn cannot_read(&self, what: &str, frame: &Bytes, error: &DecodeError) {
        let api_key = frame.first_chunk().map(|key| i16::from_be_bytes(*key));
        tracing::warn!(
            connection = self.number,
            api_key,
            "a {what} of {} bytes is passed on unread: {}",
            frame.len(),
            chain(error)
        );
    }

    fn note_request(&self, frame: &Bytes) -> Result<Option<Asked>, DecodeError> {
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

    /// Until the broker has said all; `to` stays open.
    async fn answers(&self, mut from: OwnedReadHalf, to: &mut OwnedWriteHalf) -> io::Result<()> {
        let mut decoder = FrameDecoder::new(self.proxy.shared.limits.frame_bytes);
        loop {
            loop {
                let frame = match decoder.next_frame() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(error) => {
                        self.cannot_follow(Peer::Broker, decoder.buffer_mut(), &error);
                        return pass_on(decoder.buffer_mut(), &mut from, to).await;
                    }
                };
                let id = response_correlation_id(&frame);
                let asked = id.and_then(|id| locked(&self.pending).answered(id));
                let Some(asked) = asked else {
                    write(to, &[], frame).await?;
                    continue;
                };
                self.answer(asked, frame, to).await?;
            }
            if from.read_buf(decoder.buffer_mut()).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Tells the exchange and passes the answer on, in this order: what the client does next is told after it.
    async fn answer(&self, asked: Asked, frame: Bytes, to: &mut OwnedWriteHalf) -> io::Result<()> {
        let took = asked.since.elapsed();
        let mut exchange = asked.exchange;
        let (api_key, version) = (exchange.api_key, exchange.api_version);
        let mut body = frame.clone();
        let limits = &self.proxy.shared.limits;
        if let Err(error) = take_response_header(&mut body, api_key, version, limits) {
            self.cannot_read("response", &frame, &error);
            exchange.took = Some(took);
            self.tell(exchange).await;
            return write(to, &[], frame).await;
        }
        let new = match self.proxy.rewritten(api_key, version, &body).await {
            Ok(new) => new,
            Err(error) => {
                let api = exchange.api();
                tracing::warn!(api, version, "passed on as it is: {}", chain(&error));
                None
            }
        };
        exchange.took = Some(took);
        exchange.answered = Some(self.proxy.facts(schema::response(api_key), version, &body));
        self.tell(exchange).await;
        let header = frame.get(..frame.len().saturating_sub(body.len()));
        let body = new.map_or(body, Bytes::from);
        write(to, header.unwrap_or_default(), body).await
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

/// What a TLS connection begins with: a handshake record of any version 3.x.
const TLS_HANDSHAKE: [u8; 2] = [0x16, 0x03];

/// Passes on what was read already and then everything that comes, as it is.
async fn pass_on(
    read: &mut BytesMut,
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
) -> io::Result<()> {
    to.write_all_buf(read).await?;
    tokio::io::copy(from, to).await?;
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a frame and gives it back without its length.
    async fn frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
        let length = stream.read_u32().await.ok()?;
        let mut frame = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut frame).await.ok()?;
        Some(frame)
    }

    /// Answers each Heartbeat without an error; then closes at once when it hears a LeaveGroup.
    async fn broker(listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            while let Some(request) = frame(&mut stream).await {
                if request[..2] != [0, 12] {
                    break;
                }
                let length = [0, 0, 0, 6];
                let answer = [&length, &request[4..8], &[0, 0]].concat();
                stream.write_all(&answer).await.unwrap();
            }
        }
    }

    /// A request of this API in version 0: correlation id 7, client "c", group "g", generation 0, member "m".
    fn request(api_key: u8) -> Vec<u8> {
        let mut request = vec![0, 0, 0, 21, 0, api_key, 0, 0, 0, 0, 0, 7, 0, 1, b'c'];
        request.extend([0, 1, b'g', 0, 0, 0, 0, 0, 1, b'm']);
        request
    }

    /// A proxy in front of a broker that sends back every byte; the client's end, and the exchanges.
    async fn before_an_echo() -> (Proxy, TcpStream, mpsc::Receiver<Exchange>) {
        let behind = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = behind.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = behind.accept().await.unwrap();
            let (mut read, mut write) = stream.split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
            let _ = write.shutdown().await;
        });
        let (exchanges, told) = mpsc::channel(10);
        let proxy = Proxy::new(address.ip(), exchanges);
        let broker = (address.ip().to_string(), address.port());
        let port = proxy.open(broker, 0).await.unwrap();
        let client = TcpStream::connect((address.ip(), port)).await.unwrap();
        (proxy, client, told)
    }

    #[tokio::test]
    async fn what_the_trace_cannot_read_is_passed_on_as_it_is() {
        let unknown_api = [0, 0, 0, 8, 0x7f, 0xff, 0, 0, 0, 0, 0, 7];
        let no_text = [0, 0, 0, 11, 0, 12, 0, 0, 0, 0, 0, 7, 0, 1, 0xff];
        let client_hello = [0x16, 3, 1, 0, 2, 1, 0];
        let http = *b"GET / HTTP/1.1\r\n\r\n";
        let cases: [&[u8]; 4] = [&unknown_api, &no_text, &client_hello, &http];
        for bytes in cases {
            let (proxy, mut client, _told) = before_an_echo().await;
            client.write_all(bytes).await.unwrap();
            let mut back = vec![0; bytes.len()];
            client.read_exact(&mut back).await.unwrap();
            assert_eq!(back, bytes);
            client.shutdown().await.unwrap();
            assert_eq!(client.read(&mut back).await.unwrap(), 0);
            proxy.close().await;
        }
    }

    #[tokio::test]
    async fn an_exchange_is_told_before_the_client_can_go_on() {
        let behind = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = behind.local_addr().unwrap();
        let behind = tokio::spawn(broker(behind));
        // Room for one: whoever tells the second waits until the first is taken.
        let (exchanges, mut told) = mpsc::channel(1);
        let proxy = Proxy::new(address.ip(), exchanges);
        let broker = (address.ip().to_string(), address.port());
        let port = proxy.open(broker, 0).await.unwrap();
        let mut client = TcpStream::connect((address.ip(), port)).await.unwrap();
        let two = [request(12), request(12)].concat();
        client.write_all(&two).await.unwrap();
        let answer = Some(vec![0, 0, 0, 7, 0, 0]);
        assert_eq!(frame(&mut client).await, answer);
        let early = tokio::time::timeout(Duration::from_millis(100), client.peek(&mut [0])).await;
        assert!(early.is_err(), "answered before it was told");
        assert!(told.recv().await.unwrap().is_done());
        assert_eq!(frame(&mut client).await, answer);

        // The second is in its place; now to a connection's end.
        client.write_all(&request(13)).await.unwrap();
        let early = tokio::time::timeout(Duration::from_millis(100), client.peek(&mut [0])).await;
        assert!(early.is_err(), "ended before it was told");
        assert!(told.recv().await.unwrap().is_done());
        assert_eq!(frame(&mut client).await, None);
        assert_eq!(told.recv().await.unwrap().answer(), "no answer");
        proxy.close().await;
        behind.abort();
    }
}
