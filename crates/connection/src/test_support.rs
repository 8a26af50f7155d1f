//! An in-memory network with scripted brokers: a test plays the broker, request by request.
//!
//! ```text
//! let network = Network::new();
//! let cluster = …;                                          // on network.connector()
//! let mut broker = network.accept("k1:9092").await;          // the client connected
//! broker.handshake().await;                                  // ApiVersions, asked and answered
//! let asked = broker.expect::<MetadataRequest>().await;      // expect this request
//! broker.answer(&asked, MetadataResponse::default()).await;  // answer that one
//! broker.expect_end().await;                                 // the client hung up
//! ```
//! Whatever else happens fails the test with a word on what came instead. Nothing waits longer than
//! [`PATIENCE`]; under tokio's paused clock that takes no time.

#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a script that does not fit is a failed test, and panicking is how a test fails"
)]

use crate::transport::{BoxTransport, ConnectFuture, Connector};
use crate::{BrokerAddress, lock};
use bytes::Bytes;
use kafka_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use milena_codec::frame::FrameDecoder;
use milena_codec::header::{put_response_header, take_request_header};
use milena_codec::message::{Request, decode_request, encode_response};
use milena_codec::{Limits, RequestHeader};
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Notify;

/// How long a script waits for what it expects. Longer than the default request timeout, so that
/// scripts can wait for those.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A network without wires. Clones are the same network.
#[derive(Clone, Debug)]
pub struct Network {
    inner: Arc<Wires>,
}

#[derive(Debug)]
struct Wires {
    state: Mutex<State>,
    dialled: Notify,
    pipe_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Peer>,
    refused: HashMap<String, io::ErrorKind>,
    silent: Vec<String>,
    dials: Vec<String>,
}

impl Network {
    /// A network whose connections hold 64 KiB in each direction.
    #[must_use]
    pub fn new() -> Self {
        Self::with_pipe_bytes(64 << 10)
    }

    /// A network whose connections hold this much in each direction: little makes every write partial.
    #[must_use]
    pub fn with_pipe_bytes(pipe_bytes: usize) -> Self {
        let inner = Wires {
            state: Mutex::default(),
            dialled: Notify::new(),
            pipe_bytes,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// What the client connects with.
    #[must_use]
    pub fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(self.clone())
    }

    /// The next connection to this address.
    ///
    /// # Panics
    /// If there is none in time.
    pub async fn accept(&self, address: &str) -> Peer {
        let accepted = async {
            loop {
                let dialled = self.inner.dialled.notified();
                {
                    let mut state = lock(&self.inner.state);
                    let at = state
                        .waiting
                        .iter()
                        .position(|peer| peer.address == address);
                    if let Some(peer) = at.and_then(|at| state.waiting.remove(at)) {
                        return peer;
                    }
                }
                dialled.await;
            }
        };
        patiently(accepted, || format!("nobody connected to {address}")).await
    }

    /// From now on connecting to this address fails like that, at once.
    pub fn refuse(&self, address: &str, error: io::ErrorKind) {
        lock(&self.inner.state)
            .refused
            .insert(address.to_owned(), error);
    }

    /// From now on connecting to this address takes for ever.
    pub fn swallow(&self, address: &str) {
        lock(&self.inner.state).silent.push(address.to_owned());
    }

    /// From now on this address can be connected to (again).
    pub fn permit(&self, address: &str) {
        let mut state = lock(&self.inner.state);
        state.refused.remove(address);
        state.silent.retain(|silent| silent != address);
    }

    /// Every address that was dialled, in order.
    #[must_use]
    pub fn dials(&self) -> Vec<String> {
        lock(&self.inner.state).dials.clone()
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Connector for Network {
    fn connect<'a>(&'a self, address: &'a BrokerAddress) -> ConnectFuture<'a> {
        let name = address.to_string();
        let (silent, refused) = {
            let mut state = lock(&self.inner.state);
            state.dials.push(name.clone());
            (
                state.silent.contains(&name),
                state.refused.get(&name).copied(),
            )
        };
        Box::pin(async move {
            if silent {
                std::future::pending::<()>().await;
            }
            if let Some(kind) = refused {
                return Err(kind.into());
            }
            let (ours, theirs) = tokio::io::duplex(self.inner.pipe_bytes);
            let frames = FrameDecoder::new(Limits::default().frame_bytes);
            lock(&self.inner.state).waiting.push_back(Peer {
                address: name,
                stream: theirs,
                frames,
            });
            self.inner.dialled.notify_waiters();
            Ok(Box::new(ours) as BoxTransport)
        })
    }
}

/// The broker's end of a connection.
#[derive(Debug)]
pub struct Peer {
    address: String,
    stream: DuplexStream,
    frames: FrameDecoder,
}

/// A request that the broker received.
#[derive(Clone, Debug)]
pub struct Received<R> {
    /// Its header.
    pub header: RequestHeader,
    /// Its body.
    pub request: R,
}

impl Peer {
    /// Answers ApiVersions: every version that `kafka-protocol` has, transaction.version 2.
    ///
    /// # Panics
    /// If something else comes.
    pub async fn handshake(&mut self) {
        self.handshake_with(api_versions(1, 2)).await;
    }

    /// Answers ApiVersions with this.
    ///
    /// # Panics
    /// If something else comes.
    pub async fn handshake_with(&mut self, response: ApiVersionsResponse) {
        let asked = self.expect::<ApiVersionsRequest>().await;
        self.answer(&asked, response).await;
    }

    /// The next request, which must be of this kind.
    ///
    /// # Panics
    /// If it is another, or none comes in time.
    pub async fn expect<R: Request + Decodable>(&mut self) -> Received<R> {
        let (header, body) = self.expect_any(R::API.name()).await;
        assert_eq!(
            milena_codec::ApiKey::from_key(header.api_key).name(),
            R::API.name(),
            "another request than expected came to {}",
            self.address
        );
        let request = decode_request::<R>(body, header.api_version, &Limits::default());
        Received {
            header,
            request: request.expect("a request that can be read"),
        }
    }

    /// The next request, whatever it is, with its body; `expected` says what for in a failure.
    ///
    /// # Panics
    /// If none comes in time.
    pub async fn expect_any(&mut self, expected: &str) -> (RequestHeader, Bytes) {
        let address = self.address.clone();
        let frame = patiently(self.frame(), || {
            format!("{address} got no {expected} request")
        })
        .await;
        let mut frame =
            frame.unwrap_or_else(|| panic!("{address} got the end instead of {expected}"));
        let header = take_request_header(&mut frame, &Limits::default());
        (header.expect("a request header that can be read"), frame)
    }

    /// The header of the next request, however long it takes; `None` when the client hung up.
    ///
    /// # Panics
    /// If it cannot be read.
    pub async fn next_header(&mut self) -> Option<RequestHeader> {
        let mut frame = self.frame().await?;
        let header = take_request_header(&mut frame, &Limits::default());
        Some(header.expect("a request header that can be read"))
    }

    /// Answers a request.
    ///
    /// # Panics
    /// If the client hung up.
    pub async fn answer<R>(&mut self, asked: &Received<R>, response: R::Response)
    where
        R: Request<Response: Encodable>,
    {
        self.answer_as::<R>(&asked.header, asked.header.correlation_id, &response)
            .await;
    }

    /// Answers with any correlation id.
    ///
    /// # Panics
    /// If the client hung up.
    pub async fn answer_as<R>(
        &mut self,
        header: &RequestHeader,
        correlation_id: i32,
        response: &R::Response,
    ) where
        R: Request<Response: Encodable>,
    {
        let mut body = Vec::new();
        encode_response::<R>(&mut body, response, header.api_version)
            .expect("a response that can be written");
        self.answer_body(header, correlation_id, &body).await;
    }

    /// Answers with a body of any bytes.
    ///
    /// # Panics
    /// If the client hung up.
    pub async fn answer_body(&mut self, header: &RequestHeader, correlation_id: i32, body: &[u8]) {
        let mut frame = vec![0; 4];
        put_response_header(
            &mut frame,
            header.api_key,
            header.api_version,
            correlation_id,
        )
        .expect("a known API");
        frame.extend_from_slice(body);
        let length = i32::try_from(frame.len() - 4).expect("a short answer");
        frame.splice(..4, length.to_be_bytes());
        self.send(&frame).await;
    }

    /// Sends any bytes.
    ///
    /// # Panics
    /// If the client hung up.
    pub async fn send(&mut self, bytes: &[u8]) {
        let address = self.address.clone();
        let sent = self.stream.write_all(bytes);
        let sent = patiently(sent, || format!("{address} could not send its answer")).await;
        sent.expect("a client that is still there");
    }

    /// Waits for the client to hang up.
    ///
    /// # Panics
    /// If a request comes, or nothing happens in time.
    pub async fn expect_end(&mut self) {
        let address = self.address.clone();
        let frame = patiently(self.frame(), || format!("nobody hung up on {address}")).await;
        assert!(
            frame.is_none(),
            "{address} got a request instead of the end"
        );
    }

    /// Whether nothing came for this long.
    ///
    /// # Panics
    /// If something did.
    pub async fn expect_silence(&mut self, time: Duration) {
        let frame = tokio::time::timeout(time, self.frame()).await;
        assert!(
            frame.is_err(),
            "{} got something instead of silence: {frame:?}",
            self.address
        );
    }

    /// The next frame; `None` at the end of the stream.
    async fn frame(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.frames.next_frame().expect("a frame") {
                return Some(frame);
            }
            let read = self.stream.read_buf(self.frames.buffer_mut()).await;
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }
}

/// An ApiVersions answer with every version that `kafka-protocol` has.
#[must_use]
pub fn api_versions(features_epoch: i64, transaction_version: i16) -> ApiVersionsResponse {
    let apis = (0..=i16::from(u8::MAX))
        .filter_map(|key| ApiKey::try_from(key).ok())
        .map(|key| {
            let range = key.valid_versions();
            ApiVersion::default()
                .with_api_key(key as i16)
                .with_min_version(range.min)
                .with_max_version(range.max)
        });
    let feature = FinalizedFeatureKey::default()
        .with_name(StrBytes::from_static_str("transaction.version"))
        .with_min_version_level(transaction_version)
        .with_max_version_level(transaction_version);
    ApiVersionsResponse::default()
        .with_api_keys(apis.collect())
        .with_finalized_features_epoch(features_epoch)
        .with_finalized_features(vec![feature])
}

async fn patiently<F: Future>(future: F, failure: impl FnOnce() -> String) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_elapsed) => panic!("{}", failure()),
    }
}
