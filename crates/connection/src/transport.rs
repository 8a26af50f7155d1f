//! Where bytes go: the one seam between this crate and a network.

use crate::BrokerAddress;
use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A stream of bytes to a broker and back, such as a TCP connection.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// Any [`Transport`].
pub type BoxTransport = Box<dyn Transport>;

/// What a [`Connector`] returns: a transport, or why there is none.
pub type ConnectFuture<'a> = Pin<Box<dyn Future<Output = io::Result<BoxTransport>> + Send + 'a>>;

/// What [`Connector::pause`] returns.
pub type PauseFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Opens transports. TCP is one; TLS, an in-memory pipe to an embedded broker and a simulated
/// network are others, and nothing above knows which it has.
pub trait Connector: Debug + Send + Sync + 'static {
    /// Opens a transport to `address`. The caller gives up after its connect timeout by dropping the
    /// future, so an implementation needs no timeout of its own.
    fn connect<'a>(&'a self, address: &'a BrokerAddress) -> ConnectFuture<'a>;

    /// Waits for so long, which may be less than the runtime's timers can measure: they tick in milliseconds.
    ///
    /// The default lets a thread of the runtime's pool sleep, and needs a tokio runtime; it ends early when that shuts
    /// down. On a simulated network time is the simulation's: there it is the runtime's own timer that has to
    /// wait, since a thread takes part in no simulation, and would make runs of one seed differ.
    fn pause(&self, length: Duration) -> PauseFuture {
        let slept = tokio::task::spawn_blocking(move || std::thread::sleep(length));
        Box::pin(async move { drop(slept.await) })
    }
}

/// Connects over TCP, without Nagle's delay: the driver already writes whole requests at once, and an
/// answer should never wait for an acknowledgement.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TcpConnector {}

impl TcpConnector {
    /// A connector for plain TCP.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Connector for TcpConnector {
    fn connect<'a>(&'a self, address: &'a BrokerAddress) -> ConnectFuture<'a> {
        Box::pin(async move {
            let stream = connect_tcp(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxTransport)
        })
    }
}

/// How long one of several addresses of a host may take before the next one is tried beside it.
const STAGGER: Duration = Duration::from_millis(250);

/// Connects to the first address of the host that answers. A name such as `localhost` often has an
/// IPv6 and an IPv4 address of which only one leads anywhere, and one that swallows packets must not
/// cost the whole connect timeout: addresses start `STAGGER` apart, or at once after a refusal.
async fn connect_tcp(address: &BrokerAddress) -> io::Result<TcpStream> {
    use futures_util::stream::{FuturesUnordered, StreamExt};

    let mut candidates = tokio::net::lookup_host((address.host.as_str(), address.port))
        .await?
        .peekable();
    let mut attempts = FuturesUnordered::new();
    let mut failure = io::Error::new(
        io::ErrorKind::NotFound,
        "the host name has no network address",
    );
    loop {
        match candidates.next() {
            Some(candidate) => attempts.push(TcpStream::connect(candidate)),
            None if attempts.is_empty() => return Err(failure),
            None => {}
        }
        tokio::select! {
            biased;
            attempt = attempts.next() => match attempt {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => failure = error,
                None => {}
            },
            () = tokio::time::sleep(STAGGER), if candidates.peek().is_some() => {}
        }
    }
}
