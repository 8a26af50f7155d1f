//! The handle of a connection.

use super::driver::{Command, Driver, Failure, Reply, Submit};
use super::handshake::{Handshake, Step};
use crate::config::ConnectionConfig;
use crate::error::{AmbiguousCause, CallError, CallSite, CloseReason, NotSentCause};
use crate::transport::Connector;
use crate::versions::ApiVersions;
use crate::{BrokerAddress, clock};
use bytes::Bytes;
use futures_util::FutureExt as _;
use kafka_protocol::messages::ApiVersionsRequest;
use milena_codec::ApiKey;
use milena_codec::message::{Request, encode_request};
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, oneshot, watch};

/// A request to send: key and version tell the header, the body is the caller's.
#[derive(Clone, Debug)]
pub struct RawRequest {
    /// Which API is asked.
    pub api_key: i16,
    /// In which version.
    pub api_version: i16,
    /// The body, in parts that are written one after the other without being copied together.
    pub body: Vec<Bytes>,
    /// How long the answer may take, counted from [`Connection::submit`]. After that the connection is
    /// given up.
    pub timeout: Duration,
    /// Whether there will be an answer. Only Produce with acks=0 has none: it is done when its bytes
    /// are handed to the transport (P-3).
    pub expects_response: bool,
}

/// A connection did not accept a request. Nothing of it was sent.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The connection is closed.
    #[error("the connection is closed")]
    Closed {
        /// What ended it.
        #[source]
        reason: CloseReason,
    },
    /// As many requests as allowed wait on the connection already. [`Connection::ready`] waits for
    /// room.
    #[error("{limit} requests wait on the connection already")]
    Full {
        /// `in_flight_requests_max`.
        limit: usize,
    },
}

impl From<SubmitError> for NotSentCause {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Closed { reason } => Self::Closed { reason },
            SubmitError::Full { limit } => Self::Full { limit },
        }
    }
}

/// What handles, answers and the driver of one connection share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) address: Arc<BrokerAddress>,
    pub(super) broker_id: Option<i32>,
    pub(super) connection_id: u64,
    in_flight_requests_max: usize,
    /// Requests submitted and not resolved.
    unresolved: AtomicUsize,
    /// Tasks in [`Connection::ready`], so that resolving a request costs nothing while there are none.
    waiting: AtomicUsize,
    room: Notify,
}

impl Shared {
    /// A request was resolved.
    pub(super) fn release(&self) {
        self.unresolved.fetch_sub(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.room.notify_waiters();
        }
    }

    fn try_reserve(&self) -> bool {
        let max = self.in_flight_requests_max;
        let more = |count| (count < max).then_some(count + 1);
        self.unresolved
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, more)
            .is_ok()
    }
}

/// One physical connection to a broker. Clones are handles of the same connection; when the last one
/// is dropped, requests under way are finished and the connection ends.
///
/// Requests are pipelined and leave in the order of the calls to [`Connection::submit`]. When one goes
/// unanswered, or an answer does not fit, the connection is given up and everything on it is
/// ambiguous (P-43); it is never used again, and this handle says so.
#[derive(Clone)]
pub struct Connection {
    channel: Channel,
    versions: Arc<ApiVersions>,
}

#[derive(Clone)]
struct Channel {
    commands: mpsc::UnboundedSender<Command>,
    shared: Arc<Shared>,
    closed: watch::Receiver<Option<CloseReason>>,
}

impl Connection {
    /// Connects, and asks the broker for its versions.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`CallError::NotSent`] with [`NotSentCause::ConnectFailed`], [`NotSentCause::ConnectTimedOut`] or
    /// [`NotSentCause::Handshake`].
    ///
    /// # Cancel safety
    /// Dropping the future closes whatever was opened.
    pub async fn open(
        connector: &dyn Connector,
        address: Arc<BrokerAddress>,
        broker_id: Option<i32>,
        config: &ConnectionConfig,
    ) -> Result<Self, CallError> {
        let version = Self::handshake_version_max(config);
        Self::open_in(connector, address, broker_id, config, version).await
    }

    /// The newest version of ApiVersions that the settings allow.
    pub(crate) fn handshake_version_max(config: &ConnectionConfig) -> i16 {
        let ours = ApiVersionsRequest::VERSION_MAX;
        let cap = config.max_versions.get(&ApiVersionsRequest::API);
        cap.map_or(ours, |cap| ours.min(*cap))
    }

    /// As [`open`](Self::open), with the first ApiVersions in this version.
    pub(crate) async fn open_in(
        connector: &dyn Connector,
        address: Arc<BrokerAddress>,
        broker_id: Option<i32>,
        config: &ConnectionConfig,
        handshake_version: i16,
    ) -> Result<Self, CallError> {
        let started = clock::now();
        let failed = |cause| {
            let site = CallSite {
                api: None,
                broker_id,
                address: Some(Arc::clone(&address)),
                elapsed: clock::now().saturating_duration_since(started),
            };
            CallError::NotSent { site, cause }
        };
        let timeout = config.connect_timeout;
        // The connector is not ours. That it panicked is one more way to fail: it must not take the task
        // along that others wait for.
        let connecting = AssertUnwindSafe(async { connector.connect(&address).await })
            .catch_unwind()
            .map(|caught| {
                caught.unwrap_or_else(|_panic| Err(io::Error::other("the connector panicked")))
            });
        let transport = match tokio::time::timeout(timeout, connecting).await {
            Ok(Ok(transport)) => transport,
            Ok(Err(error)) => {
                return Err(failed(NotSentCause::ConnectFailed {
                    source: Arc::new(error),
                }));
            }
            Err(_elapsed) => return Err(failed(NotSentCause::ConnectTimedOut { timeout })),
        };
        let shared = Arc::new(Shared {
            address: Arc::clone(&address),
            broker_id,
            connection_id: next_connection_id(),
            in_flight_requests_max: config.in_flight_requests_max,
            unresolved: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            room: Notify::new(),
        });
        let (commands, received) = mpsc::unbounded_channel();
        let (closing, closed) = watch::channel(None);
        let driver = Driver::new(transport, received, Arc::clone(&shared), config);
        tokio::spawn(driver.run(closing));
        let channel = Channel {
            commands,
            shared,
            closed,
        };
        match channel.handshake(config, handshake_version).await {
            Ok(versions) => Ok(Self {
                channel,
                versions: Arc::new(versions.capped(&config.max_versions)),
            }),
            Err(error) => Err(failed(NotSentCause::Handshake {
                source: Box::new(error),
            })),
        }
    }

    /// Hands a request to the connection. The order of calls is the order on the wire.
    ///
    /// The request is under way from here on, whether the future is awaited or dropped.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent then.
    pub fn submit(&self, request: RawRequest) -> Result<ResponseFuture, SubmitError> {
        self.channel.submit(request)
    }

    /// Waits until there is room for a request or the connection is closed. Another task may take the
    /// room first.
    ///
    /// # Cancel safety
    /// Nothing is reserved, so nothing is lost.
    pub async fn ready(&self) {
        let shared = &self.channel.shared;
        let _waiting = Waiting::new(&shared.waiting);
        loop {
            let mut notified = std::pin::pin!(shared.room.notified());
            notified.as_mut().enable();
            let full = shared.unresolved.load(Ordering::SeqCst) >= shared.in_flight_requests_max;
            if !full || self.is_closed() {
                return;
            }
            tokio::select! {
                biased;
                () = notified => {}
                _ = self.closed() => return,
            }
        }
    }

    /// What the broker speaks.
    #[must_use]
    pub fn versions(&self) -> &ApiVersions {
        &self.versions
    }

    /// The broker's id, if the connection was made to it by id; bootstrap connections have none.
    #[must_use]
    pub fn broker_id(&self) -> Option<i32> {
        self.channel.shared.broker_id
    }

    /// Where the broker listens.
    #[must_use]
    pub fn address(&self) -> &Arc<BrokerAddress> {
        &self.channel.shared.address
    }

    /// A number that no other connection of this process has or had.
    #[must_use]
    pub fn connection_id(&self) -> u64 {
        self.channel.shared.connection_id
    }

    /// Requests submitted and not resolved, at most `in_flight_requests_max`.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.channel.shared.unresolved.load(Ordering::SeqCst)
    }

    /// Whether the connection has ended: every further request is refused.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.channel.commands.is_closed()
    }

    /// Waits until the connection has ended, and says why.
    ///
    /// # Cancel safety
    /// Can be dropped and called again at any time.
    pub async fn closed(&self) -> CloseReason {
        self.channel.closed().await
    }

    /// Ends the connection now. What was handed to the transport and not answered is ambiguous.
    pub fn close(&self) {
        // An error means that it has ended already.
        let _ = self.channel.commands.send(Command::Release);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("connection_id", &self.connection_id())
            .field("broker_id", &self.broker_id())
            .field("address", &format_args!("{}", self.address()))
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl Channel {
    fn submit(&self, request: RawRequest) -> Result<ResponseFuture, SubmitError> {
        if !self.shared.try_reserve() {
            return Err(SubmitError::Full {
                limit: self.shared.in_flight_requests_max,
            });
        }
        let started = clock::now();
        let (reply, answer) = oneshot::channel();
        let site = RequestSite {
            shared: Arc::clone(&self.shared),
            api_key: request.api_key,
            started,
            timeout: request.timeout,
        };
        let submit = Submit {
            request,
            started,
            reply,
        };
        if self.commands.send(Command::Submit(submit)).is_err() {
            self.shared.release();
            return Err(SubmitError::Closed {
                reason: self.close_reason(),
            });
        }
        Ok(ResponseFuture { answer, site })
    }

    fn close_reason(&self) -> CloseReason {
        self.closed
            .borrow()
            .clone()
            .unwrap_or(CloseReason::Released)
    }

    async fn closed(&self) -> CloseReason {
        let mut closed = self.closed.clone();
        // The sender drops without a reason only if the runtime goes down with the driver.
        match closed.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(CloseReason::Released),
            Err(_dropped) => CloseReason::Released,
        }
    }

    async fn handshake(
        &self,
        config: &ConnectionConfig,
        version: i16,
    ) -> Result<ApiVersions, CallError> {
        let mut handshake = Handshake::starting_at(version);
        loop {
            let mut site = CallSite {
                api: Some(ApiVersionsRequest::API),
                broker_id: self.shared.broker_id,
                address: Some(Arc::clone(&self.shared.address)),
                elapsed: Duration::ZERO,
            };
            let mut body = Vec::new();
            let api_version = handshake.version();
            if let Err(error) = encode_request(&mut body, &Handshake::request(), api_version) {
                let cause = NotSentCause::Encode {
                    source: Arc::new(error),
                };
                return Err(CallError::NotSent { site, cause });
            }
            let request = RawRequest {
                api_key: ApiVersionsRequest::KEY,
                api_version,
                body: vec![body.into()],
                timeout: config.lookup_timeout,
                expects_response: true,
            };
            let started = clock::now();
            let answer = match self.submit(request) {
                Ok(answer) => answer.await?,
                Err(refused) => {
                    return Err(CallError::NotSent {
                        site,
                        cause: refused.into(),
                    });
                }
            };
            site.elapsed = clock::now().saturating_duration_since(started);
            match handshake.handle_answer(answer, &config.limits) {
                Ok(Step::Ask(_version)) => {}
                Ok(Step::Done(versions)) => return Ok(versions),
                Ok(Step::Refused(code)) => {
                    return Err(CallError::Broker {
                        site,
                        code,
                        message: None,
                    });
                }
                Err(error) => {
                    return Err(CallError::Malformed {
                        site,
                        source: Arc::new(error),
                    });
                }
            }
        }
    }
}

/// The answer to a request that was submitted: the body after the header, sharing the connection's
/// read buffer; empty for a request without an answer.
///
/// # Cancel safety
/// Dropping it does not take the request back; its answer is dropped when it comes.
#[must_use = "an answer that nobody awaits is lost, and so is the news that there is none"]
#[derive(Debug)]
pub struct ResponseFuture {
    answer: oneshot::Receiver<Reply>,
    site: RequestSite,
}

/// Enough to say what an error is about, without an allocation for the requests that end well.
#[derive(Debug)]
struct RequestSite {
    shared: Arc<Shared>,
    api_key: i16,
    started: Instant,
    timeout: Duration,
}

impl RequestSite {
    fn error(&self, failure: Failure) -> CallError {
        let site = CallSite {
            api: Some(ApiKey::from_key(self.api_key)),
            broker_id: self.shared.broker_id,
            address: Some(Arc::clone(&self.shared.address)),
            elapsed: clock::now().saturating_duration_since(self.started),
        };
        let timeout = self.timeout;
        match failure {
            Failure::Ambiguous {
                timed_out: true, ..
            } => CallError::Ambiguous {
                site,
                cause: AmbiguousCause::TimedOut { timeout },
            },
            Failure::Ambiguous { reason, .. } => CallError::Ambiguous {
                site,
                cause: AmbiguousCause::Closed { reason },
            },
            Failure::Encode { source } => CallError::NotSent {
                site,
                cause: NotSentCause::Encode { source },
            },
            Failure::Malformed { source } => CallError::Malformed { site, source },
            Failure::NotSent {
                timed_out: true, ..
            } => CallError::NotSent {
                site,
                cause: NotSentCause::DeadlinePassed { last: None },
            },
            Failure::NotSent { reason, .. } => CallError::NotSent {
                site,
                cause: NotSentCause::Closed { reason },
            },
        }
    }
}

impl Future for ResponseFuture {
    type Output = Result<Bytes, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = match ready!(Pin::new(&mut self.answer).poll(cx)) {
            Ok(reply) => reply,
            // The driver answers everything unless the runtime drops it in the middle of its work.
            Err(_dropped) => Err(Failure::Ambiguous {
                reason: CloseReason::Released,
                timed_out: false,
            }),
        };
        Poll::Ready(reply.map_err(|failure| self.site.error(failure)))
    }
}

/// Counts a task as waiting for as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn next_connection_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
