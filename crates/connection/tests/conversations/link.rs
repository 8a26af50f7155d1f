//! One connection, played as a conversation between a client and a scripted broker.

use bytes::Bytes;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, MetadataRequest, MetadataResponse,
};
use milena_codec::ApiKey;
use milena_codec::message::encode_request;
use milena_connection::test_support::{Network, Peer};
use milena_connection::{
    AmbiguousCause, BoxTransport, BrokerAddress, CallError, CloseReason, ConnectFuture, Connection,
    ConnectionConfig, Connector, NotSentCause, ProtocolHint, RawRequest, SubmitError,
};
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const BROKER: &str = "k1:9092";
const METADATA: i16 = 3;
const SECOND: Duration = Duration::from_secs(1);

/// Opens a connection, with the script of the broker's side of it.
async fn open<S, F>(
    network: &Network,
    config: &ConnectionConfig,
    script: S,
) -> (Result<Connection, CallError>, F::Output)
where
    S: FnOnce(Peer) -> F,
    F: Future,
{
    let address: BrokerAddress = BROKER.parse().unwrap();
    let connector = network.connector();
    let open = Connection::open(connector.as_ref(), Arc::new(address), Some(1), config);
    tokio::join!(open, async { script(network.accept(BROKER).await).await })
}

async fn greeted(mut broker: Peer) -> Peer {
    broker.handshake().await;
    broker
}

async fn connected(network: &Network, config: &ConnectionConfig) -> (Connection, Peer) {
    let (connection, broker) = open(network, config, greeted).await;
    (connection.unwrap(), broker)
}

fn metadata(timeout: Duration) -> RawRequest {
    let mut body = Vec::new();
    encode_request(&mut body, &MetadataRequest::default(), 12).unwrap();
    RawRequest {
        api_key: METADATA,
        api_version: 12,
        body: vec![body.into()],
        timeout,
        expects_response: true,
    }
}

/// A Produce whose body the broker of these tests never reads.
fn produce(body: Vec<Bytes>, expects_response: bool) -> RawRequest {
    RawRequest {
        api_key: 0,
        api_version: 9,
        body,
        timeout: SECOND,
        expects_response,
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[tokio::test(start_paused = true)]
async fn the_handshake_tells_versions_and_features() {
    let network = Network::new();
    let (connection, _broker) = connected(&network, &ConnectionConfig::default()).await;
    assert_eq!(connection.versions().highest(0, 3..=13), Some(13));
    assert_eq!(connection.versions().features().transaction_version(), 2);
    assert_eq!(connection.broker_id(), Some(1));
    assert!(!connection.is_closed());
}

#[tokio::test(start_paused = true)]
async fn requests_are_pipelined_and_each_gets_its_own_answer() {
    let network = Network::new();
    let (connection, mut broker) = connected(&network, &ConnectionConfig::default()).await;
    let answers = [(); 3].map(|()| connection.submit(metadata(SECOND)).unwrap());
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push(broker.expect::<MetadataRequest>().await);
    }
    for (throttle, asked) in asked.iter().enumerate() {
        let throttle = i32::try_from(throttle).unwrap();
        let response = MetadataResponse::default().with_throttle_time_ms(throttle);
        broker.answer(asked, response).await;
    }
    for (throttle, answer) in answers.into_iter().enumerate() {
        assert_eq!(
            answer.await.unwrap()[..4],
            u32::try_from(throttle).unwrap().to_be_bytes()
        );
    }
    assert_eq!(connection.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_header_carries_the_client_id_and_the_ids_count_up() {
    let network = Network::new();
    let config = ConnectionConfig {
        client_id: "till-7".to_owned(),
        ..Default::default()
    };
    let (connection, mut broker) = connected(&network, &config).await;
    let _answers = [(); 2].map(|()| connection.submit(metadata(SECOND)).unwrap());
    for correlation_id in [1, 2] {
        let asked = broker.expect::<MetadataRequest>().await;
        assert_eq!(asked.header.correlation_id, correlation_id);
        assert_eq!(asked.header.client_id.as_deref(), Some("till-7"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_in_parts_arrives_whole_through_the_narrowest_pipe() {
    let network = Network::with_pipe_bytes(7);
    let (connection, mut broker) = connected(&network, &ConnectionConfig::default()).await;
    let parts: Vec<Bytes> = (1..100_u8)
        .map(|n| vec![n; usize::from(n)].into())
        .collect();
    let whole = parts.concat();
    let answer = connection.submit(produce(parts, true)).unwrap();
    let (header, body) = broker.expect_any("Produce").await;
    assert_eq!(body, whole);
    broker
        .answer_body(&header, header.correlation_id, b"answer")
        .await;
    assert_eq!(answer.await.unwrap(), &b"answer"[..]);
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_request_ends_the_connection_and_all_on_it_is_ambiguous() {
    let network = Network::new();
    let (connection, mut broker) = connected(&network, &ConnectionConfig::default()).await;
    let late = connection.submit(metadata(SECOND)).unwrap();
    let other = connection.submit(metadata(60 * SECOND)).unwrap();
    let late = late.await.unwrap_err();
    assert!(
        matches!(
            &late,
            CallError::Ambiguous {
                cause: AmbiguousCause::TimedOut { .. },
                ..
            }
        ),
        "{late:?}"
    );
    assert_eq!(late.site().elapsed, SECOND);
    let other = other.await.unwrap_err();
    assert!(
        matches!(
            &other,
            CallError::Ambiguous {
                cause: AmbiguousCause::Closed {
                    reason: CloseReason::TimedOut {
                        api: ApiKey::Metadata
                    }
                },
                ..
            }
        ),
        "{other:?}"
    );
    let refused = connection.submit(metadata(SECOND));
    assert!(matches!(refused, Err(SubmitError::Closed { .. })));
    broker.expect::<MetadataRequest>().await;
    broker.expect::<MetadataRequest>().await;
    broker.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_stalled_connection_never_took_was_not_sent() {
    let network = Network::with_pipe_bytes(512);
    let (connection, _broker) = connected(&network, &ConnectionConfig::default()).await;
    let big = connection
        .submit(produce(vec![vec![0; 4096].into()], true))
        .unwrap();
    let behind = connection.submit(metadata(60 * SECOND)).unwrap();
    assert!(big.await.unwrap_err().is_ambiguous());
    let behind = behind.await.unwrap_err();
    assert!(
        matches!(
            &behind,
            CallError::NotSent {
                cause: NotSentCause::Closed { .. },
                ..
            }
        ),
        "{behind:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_nothing_or_out_of_order_ends_the_connection() {
    for wrong_by in [-1, 1, 1000] {
        let network = Network::new();
        let (connection, mut broker) = connected(&network, &ConnectionConfig::default()).await;
        let answers = [(); 2].map(|()| connection.submit(metadata(SECOND)).unwrap());
        let asked = broker.expect::<MetadataRequest>().await;
        let id = asked.header.correlation_id + wrong_by;
        let response = MetadataResponse::default();
        broker
            .answer_as::<MetadataRequest>(&asked.header, id, &response)
            .await;
        for answer in answers {
            assert!(answer.await.unwrap_err().is_ambiguous());
        }
        let reason = connection.closed().await;
        assert!(
            matches!(reason, CloseReason::Mismatch { answered, due: Some(1) } if answered == id)
        );
    }
    let network = Network::new();
    let (connection, mut broker) = connected(&network, &ConnectionConfig::default()).await;
    broker.send(&[0, 0, 0, 4, 0, 0, 0, 9]).await;
    let reason = connection.closed().await;
    assert!(
        matches!(
            reason,
            CloseReason::Mismatch {
                answered: 9,
                due: None
            }
        ),
        "{reason:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cut_connection_leaves_what_was_sent_ambiguous() {
    let network = Network::new();
    let (connection, mut broker) = connected(&network, &ConnectionConfig::default()).await;
    let answer = connection.submit(metadata(SECOND)).unwrap();
    broker.expect::<MetadataRequest>().await;
    drop(broker);
    let error = answer.await.unwrap_err();
    assert!(error.is_ambiguous());
    assert!(
        error
            .to_string()
            .starts_with("Metadata to broker 1 at k1:9092 after "),
        "{error}"
    );
    let Err(SubmitError::Closed { reason }) = connection.submit(metadata(SECOND)) else {
        panic!("the connection takes requests")
    };
    assert!(
        matches!(reason, CloseReason::EndOfStream { .. }),
        "{reason:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_done_when_it_is_written() {
    let network = Network::with_pipe_bytes(512);
    let (connection, mut broker) = connected(&network, &ConnectionConfig::default()).await;
    let body = vec![Bytes::from(vec![1; 2000])];
    let mut done = std::pin::pin!(connection.submit(produce(body, false)).unwrap());
    let stalled = tokio::time::timeout(SECOND / 2, &mut done).await;
    assert!(stalled.is_err(), "done before its last byte was written");
    let (done, asked) = tokio::join!(done, broker.expect_any("Produce"));
    assert_eq!(done.unwrap(), Bytes::new());
    assert_eq!(asked.1.len(), 2000);
    assert_eq!(connection.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_than_allowed_are_on_a_connection() {
    let network = Network::new();
    let config = ConnectionConfig {
        in_flight_requests_max: 2,
        ..Default::default()
    };
    let (connection, mut broker) = connected(&network, &config).await;
    let _unanswered = [(); 2].map(|()| connection.submit(metadata(SECOND)).unwrap());
    let full = connection.submit(metadata(SECOND));
    assert!(matches!(full, Err(SubmitError::Full { limit: 2 })));
    let mut ready = std::pin::pin!(connection.ready());
    assert!(tokio::time::timeout(SECOND / 2, &mut ready).await.is_err());
    let asked = broker.expect::<MetadataRequest>().await;
    broker.answer(&asked, MetadataResponse::default()).await;
    ready.await;
    assert!(connection.submit(metadata(SECOND)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn waiting_for_room_ends_with_the_connection() {
    let network = Network::new();
    let config = ConnectionConfig {
        in_flight_requests_max: 1,
        ..Default::default()
    };
    let (connection, broker) = connected(&network, &config).await;
    let _unanswered = connection.submit(metadata(60 * SECOND)).unwrap();
    let waiting = [(); 3].map(|()| connection.ready());
    drop(broker);
    futures_util::future::join_all(waiting).await;
    assert!(connection.is_closed());
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_takes_the_connection_with_it() {
    let network = Network::new();
    let (connection, mut broker) = connected(&network, &ConnectionConfig::default()).await;
    let clone = connection.clone();
    drop(connection);
    broker.expect_silence(SECOND).await;
    drop(clone);
    broker.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn an_awaited_answer_outlives_the_handles_and_nothing_else_does() {
    let network = Network::new();
    let (connection, mut broker) = connected(&network, &ConnectionConfig::default()).await;
    let awaited = connection.submit(metadata(60 * SECOND)).unwrap();
    let forgotten = connection.submit(metadata(60 * SECOND)).unwrap();
    drop(connection);
    let asked = broker.expect::<MetadataRequest>().await;
    broker.expect::<MetadataRequest>().await;
    broker.expect_silence(SECOND).await;
    broker.answer(&asked, MetadataResponse::default()).await;
    awaited.await.unwrap();
    broker.expect_silence(SECOND).await;
    drop(forgotten);
    broker.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn closing_ends_what_is_under_way() {
    let network = Network::new();
    let (connection, mut broker) = connected(&network, &ConnectionConfig::default()).await;
    let answer = connection.submit(metadata(SECOND)).unwrap();
    broker.expect::<MetadataRequest>().await;
    connection.close();
    assert!(answer.await.unwrap_err().is_ambiguous());
    assert!(matches!(connection.closed().await, CloseReason::Released));
    broker.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn a_malformed_header_is_told_apart_from_an_unknown_outcome() {
    let network = Network::new();
    let (connection, mut broker) = connected(&network, &ConnectionConfig::default()).await;
    let broken = connection.submit(metadata(SECOND)).unwrap();
    let behind = connection.submit(metadata(SECOND)).unwrap();
    // The header of Metadata 12 has tagged fields; here they end before they begin.
    broker.send(&[0, 0, 0, 4, 0, 0, 0, 1]).await;
    let broken = broken.await.unwrap_err();
    assert!(matches!(broken, CallError::Malformed { .. }), "{broken:?}");
    let behind = behind.await.unwrap_err();
    assert!(matches!(behind, CallError::Ambiguous { .. }), "{behind:?}");
}

#[tokio::test(start_paused = true)]
async fn an_older_broker_is_asked_in_the_version_that_it_names() {
    let network = Network::new();
    let (connection, ()) = open(
        &network,
        &ConnectionConfig::default(),
        async |mut broker| {
            let asked = broker.expect::<ApiVersionsRequest>().await;
            assert_eq!(asked.header.api_version, 4);
            assert_eq!(asked.request.client_software_name.as_str(), "milena");
            // UNSUPPORTED_VERSION, in version 0, with the range of ApiVersions itself.
            let refusal = [0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 3];
            broker
                .answer_body(&asked.header, asked.header.correlation_id, &refusal)
                .await;
            let asked = broker.expect::<ApiVersionsRequest>().await;
            assert_eq!(asked.header.api_version, 3);
            let produce = ApiVersion::default()
                .with_api_key(0)
                .with_min_version(3)
                .with_max_version(8);
            let versions = ApiVersionsResponse::default().with_api_keys(vec![produce]);
            broker.answer(&asked, versions).await;
        },
    )
    .await;
    assert_eq!(connection.unwrap().versions().highest(0, 0..=13), Some(8));
}

async fn refused_handshake(answer: Option<&[u8]>) -> CallError {
    let network = Network::new();
    let config = ConnectionConfig::default();
    let script = async |mut broker: Peer| {
        broker.expect::<ApiVersionsRequest>().await;
        if let Some(bytes) = answer {
            broker.send(bytes).await;
        }
    };
    let (connection, ()) = open(&network, &config, script).await;
    let error = connection.unwrap_err();
    assert!(!error.is_ambiguous());
    error
}

#[tokio::test(start_paused = true)]
async fn what_is_no_kafka_broker_is_named_at_once() {
    for (answer, hint, words) in [
        (
            Some(&[21, 3, 3, 0, 2, 2, 40][..]),
            ProtocolHint::Tls,
            "speaks TLS",
        ),
        (
            Some(b"HTTP/1.1 400 Bad Request\r\n"),
            ProtocolHint::Http,
            "speaks HTTP",
        ),
        (
            Some(b"SSH-2.0-OpenSSH_9.9\r\n"),
            ProtocolHint::NotKafka,
            "does not speak the Kafka",
        ),
        (
            None,
            ProtocolHint::ClosedAtOnce,
            "instead of answering ApiVersions",
        ),
    ] {
        let error = refused_handshake(answer).await;
        assert_eq!(error.protocol_hint(), Some(hint));
        let text = chain(&error);
        assert!(text.contains(words) && text.contains(BROKER), "{text}");
        assert!(error.site().elapsed < SECOND, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_wants_authentication_is_named_at_the_first_request() {
    let network = Network::new();
    let (connection, mut broker) = connected(&network, &ConnectionConfig::default()).await;
    let answer = connection.submit(metadata(SECOND)).unwrap();
    broker.expect::<MetadataRequest>().await;
    drop(broker);
    let error = answer.await.unwrap_err();
    assert_eq!(
        error.protocol_hint(),
        Some(ProtocolHint::AuthenticationExpected)
    );
}

#[tokio::test(start_paused = true)]
async fn a_frame_beyond_the_limit_ends_the_connection() {
    let network = Network::new();
    let (connection, mut broker) = connected(&network, &ConnectionConfig::default()).await;
    let answer = connection.submit(metadata(SECOND)).unwrap();
    broker.expect::<MetadataRequest>().await;
    broker.send(&[0x7f, 0xff, 0xff, 0xff]).await;
    assert!(answer.await.unwrap_err().is_ambiguous());
    let reason = connection.closed().await;
    assert!(matches!(reason, CloseReason::Frame { .. }), "{reason:?}");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_never_answers_the_handshake_is_given_up() {
    let network = Network::new();
    let config = ConnectionConfig {
        lookup_timeout: 2 * SECOND,
        ..Default::default()
    };
    let (connection, _broker) = open(&network, &config, async |mut broker| {
        broker.expect::<ApiVersionsRequest>().await;
        broker
    })
    .await;
    let error = connection.unwrap_err();
    assert!(matches!(
        error,
        CallError::NotSent {
            cause: NotSentCause::Handshake { .. },
            ..
        }
    ));
    assert_eq!(error.site().elapsed, 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_fails_or_hangs_says_so() {
    let network = Network::new();
    let address: Arc<BrokerAddress> = Arc::new(BROKER.parse().unwrap());
    let config = ConnectionConfig {
        connect_timeout: 2 * SECOND,
        ..Default::default()
    };
    let connector = network.connector();
    network.refuse(BROKER, io::ErrorKind::ConnectionRefused);
    let error = Connection::open(connector.as_ref(), Arc::clone(&address), None, &config).await;
    let text = chain(&error.unwrap_err());
    assert_eq!(
        text,
        "cannot connect to k1:9092 after 0.000 s: connection refused"
    );
    network.permit(BROKER);
    network.swallow(BROKER);
    let error = Connection::open(connector.as_ref(), address, None, &config).await;
    let text = chain(&error.unwrap_err());
    assert_eq!(
        text,
        "cannot connect to k1:9092 after 2.000 s: no connection within 2.000 s"
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_encoded_harms_no_other() {
    let network = Network::new();
    let (connection, mut broker) = connected(&network, &ConnectionConfig::default()).await;
    let unknown = RawRequest {
        api_key: 4000,
        ..metadata(SECOND)
    };
    let unknown = connection.submit(unknown).unwrap();
    let known = connection.submit(metadata(SECOND)).unwrap();
    let error = unknown.await.unwrap_err();
    assert!(matches!(
        error,
        CallError::NotSent {
            cause: NotSentCause::Encode { .. },
            ..
        }
    ));
    let asked = broker.expect::<MetadataRequest>().await;
    broker.answer(&asked, MetadataResponse::default()).await;
    known.await.unwrap();
}

/// Counts the writes of a client.
#[derive(Debug)]
struct Counting {
    network: Network,
    writes: Arc<AtomicUsize>,
}

struct Counted {
    pipe: BoxTransport,
    writes: Arc<AtomicUsize>,
}

impl Connector for Counting {
    fn connect<'a>(&'a self, address: &'a BrokerAddress) -> ConnectFuture<'a> {
        let connect = self.network.connect(address);
        let writes = Arc::clone(&self.writes);
        Box::pin(async move {
            let counted = Counted {
                pipe: connect.await?,
                writes,
            };
            Ok(Box::new(counted) as BoxTransport)
        })
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.pipe).poll_write_vectored(cx, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_queue_leave_in_one_write() {
    let network = Network::new();
    let writes = Arc::new(AtomicUsize::new(0));
    let connector = Counting {
        network: network.clone(),
        writes: Arc::clone(&writes),
    };
    let address: Arc<BrokerAddress> = Arc::new(BROKER.parse().unwrap());
    let config = ConnectionConfig::default();
    let open = Connection::open(&connector, address, None, &config);
    let script = async { greeted(network.accept(BROKER).await).await };
    let (connection, mut broker) = tokio::join!(open, script);
    let connection = connection.unwrap();
    assert_eq!(writes.swap(0, Ordering::Relaxed), 1, "ApiVersions");
    let parts = || vec![Bytes::from_static(b"head"), Bytes::from_static(b"batch")];
    let _answers = [(); 10].map(|()| connection.submit(produce(parts(), true)).unwrap());
    for _ in 0..10 {
        let (_, body) = broker.expect_any("Produce").await;
        assert_eq!(body, &b"headbatch"[..]);
    }
    assert_eq!(
        writes.load(Ordering::Relaxed),
        1,
        "ten requests of three parts each"
    );
}
