//! Routing, kinds of connections, connecting, and the end of a cluster handle.

use crate::*;
use kafka_protocol::messages::{ApiVersionsRequest, InitProducerIdResponse};
use milena_connection::test_support::api_versions;
use milena_connection::{
    CallError, CallOptions, ConnectFuture, ConnectionKind, Connector, CoordinatorKind,
    NotSentCause, Target,
};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const GROUP: CoordinatorKind = CoordinatorKind::Group;

#[tokio::test(start_paused = true)]
async fn calls_go_where_they_belong() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let leader = Target::Leader {
        topic: "t".into(),
        partition: 0,
    };
    for (target, address, id) in [
        (Target::Broker(2), K2, 2),
        (Target::Controller, K2, 2),
        (leader, K1, 1),
        (Target::Broker(1), K1, 1),
    ] {
        let fresh = cluster.try_connection(id, ConnectionKind::Lookup).is_none();
        let call = cluster.call(target, init_producer_id(), CallOptions::default());
        let script = async {
            if fresh {
                let mut broker = greeted(&network, address).await;
                let asked = broker.expect::<InitProducerIdRequest>().await;
                broker
                    .answer(&asked, InitProducerIdResponse::default())
                    .await;
                // It stays open for the next round, in the background.
                tokio::spawn(async move {
                    let asked = broker.expect::<InitProducerIdRequest>().await;
                    broker
                        .answer(&asked, InitProducerIdResponse::default())
                        .await;
                    broker.expect_end().await;
                });
            }
        };
        let (answer, ()) = tokio::join!(call, script);
        assert_eq!(answer.unwrap().broker_id, Some(id));
    }
}

#[tokio::test(start_paused = true)]
async fn versions_are_those_that_both_speak_and_the_caller_allows() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let capped = CallOptions {
        version_max: Some(3),
        ..CallOptions::default()
    };
    let script = async {
        let mut broker = greeted(&network, K1).await;
        let asked = broker.expect::<InitProducerIdRequest>().await;
        assert_eq!(asked.header.api_version, 3);
        broker
            .answer(&asked, InitProducerIdResponse::default())
            .await;
        broker
    };
    let call = cluster.call(Target::Broker(1), init_producer_id(), capped);
    let (answer, _broker) = tokio::join!(call, script);
    assert_eq!(answer.unwrap().version, 3);
    let impossible = CallOptions {
        version_min: Some(100),
        ..CallOptions::default()
    };
    let error = cluster
        .call(Target::Broker(1), init_producer_id(), impossible)
        .await
        .unwrap_err();
    let CallError::NotSent { cause, site } = error else {
        panic!("{error:?}")
    };
    assert!(
        matches!(cause, NotSentCause::NoCommonVersion { .. }),
        "{cause:?}"
    );
    assert_eq!(
        (site.api, site.broker_id),
        (Some(ApiKey::InitProducerId), Some(1))
    );
}

#[tokio::test(start_paused = true)]
async fn a_partition_without_a_leader_is_looked_up_once_per_call_and_not_asked() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let call = |partition| {
        let topic = "t".into();
        let target = Target::Leader { topic, partition };
        cluster.call(target, init_producer_id(), CallOptions::default())
    };
    let mut broker = None;
    for _ in 0..2 {
        let script = async {
            let mut peer = match broker.take() {
                Some(peer) => peer,
                None => {
                    let mut peer = either(&network).await;
                    peer.handshake().await;
                    peer
                }
            };
            let asked = peer.expect::<MetadataRequest>().await;
            assert_eq!(names(&asked), ["t"]);
            peer.answer(&asked, metadata(&["t"])).await;
            peer
        };
        let (error, peer) = tokio::join!(call(9), script);
        let CallError::NotSent { cause, .. } = error.unwrap_err() else {
            panic!()
        };
        assert_eq!(cause.to_string(), "t-9 has no known leader");
        broker = Some(peer);
    }
}

/// the time of a call ran out, and it says why.
#[tokio::test(start_paused = true)]
async fn a_call_that_ran_out_of_time_says_why_its_broker_cannot_be_reached() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    network.refuse(K1, io::ErrorKind::ConnectionRefused);
    let options = CallOptions {
        timeout: Some(SECOND / 100),
        ..CallOptions::default()
    };
    let call = || cluster.call(Target::Broker(1), init_producer_id(), options);
    // The first attempts fail at once, and the back-off grows beyond the time of a call.
    let mut late = None;
    for _ in 0..8 {
        let error = call().await.unwrap_err();
        let passed = matches!(
            error,
            CallError::NotSent {
                cause: NotSentCause::DeadlinePassed { .. },
                ..
            }
        );
        late = late.or(passed.then_some(error));
    }
    let error = late.expect("a call waits for the back-off until its time is over");
    let text = chain(&error);
    assert!(
        text.contains("k1:9092") && text.contains("connection refused"),
        "{text}"
    );
}

fn chain(error: &CallError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// B-2, twice: a broker that closes the connection, and one that stays silent.
#[tokio::test(start_paused = true)]
async fn a_broker_that_does_not_respond_to_api_versions_4_is_asked_in_3_then_in_0() {
    for closes in [true, false] {
        let network = Network::new();
        let cluster = cluster(&network);
        let serve = async {
            let mut asked = Vec::new();
            loop {
                let mut peer = network.accept(BOOTSTRAP).await;
                let (header, _) = peer.expect_any("ApiVersions").await;
                asked.push(header.api_version);
                if header.api_version == 0 {
                    let response = api_versions(1, 2);
                    let versions = response.api_keys.len();
                    let mut body = vec![0, 0];
                    body.extend(u32::try_from(versions).unwrap().to_be_bytes());
                    for api in response.api_keys {
                        for value in [api.api_key, api.min_version, api.max_version] {
                            body.extend(value.to_be_bytes());
                        }
                    }
                    peer.answer_body(&header, header.correlation_id, &body)
                        .await;
                    let received = peer.expect::<MetadataRequest>().await;
                    peer.answer(&received, metadata(&["t"])).await;
                    return asked;
                }
                if !closes {
                    peer.expect_end().await;
                }
            }
        };
        let (topic, asked) = tokio::join!(cluster.topic("t", after(60 * SECOND)), serve);
        topic.unwrap();
        assert_eq!(asked, [4, 3, 0], "closes: {closes}");
    }
}

#[tokio::test(start_paused = true)]
async fn max_versions_caps_what_is_negotiated_api_versions_too() {
    let network = Network::new();
    let mut capped = config();
    capped.connection.max_versions = [(ApiKey::ApiVersions, 3), (ApiKey::Metadata, 8)]
        .into_iter()
        .collect();
    let cluster = Cluster::new(capped, network.connector()).unwrap();
    let serve = async {
        let mut peer = network.accept(BOOTSTRAP).await;
        let asked = peer.expect::<ApiVersionsRequest>().await;
        assert_eq!(asked.header.api_version, 3);
        peer.answer(&asked, api_versions(1, 2)).await;
        let asked = peer.expect::<MetadataRequest>().await;
        assert_eq!(asked.header.api_version, 8);
        peer.answer(&asked, metadata(&["t"])).await;
    };
    let (topic, ()) = tokio::join!(cluster.topic("t", after(60 * SECOND)), serve);
    topic.unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_kind_has_a_connection_of_its_own_which_is_opened_once() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let before = network.dials().len();
    let wanted = [
        ConnectionKind::Produce,
        ConnectionKind::Fetch,
        ConnectionKind::Produce,
        ConnectionKind::Produce,
        ConnectionKind::Fetch,
    ];
    let connections = wanted.map(|kind| cluster.connection(1, kind));
    let script = async { (greeted(&network, K1).await, greeted(&network, K1).await) };
    let (connections, _brokers) = tokio::join!(futures_util::future::join_all(connections), script);
    let ids: Vec<u64> = connections
        .into_iter()
        .map(|connection| connection.unwrap().connection_id())
        .collect();
    assert_eq!(network.dials().len(), before + 2);
    assert_eq!(ids[0], ids[2]);
    assert_eq!(ids[1], ids[4]);
    assert_ne!(ids[0], ids[1]);
    let open = cluster.try_connection(1, ConnectionKind::Produce).unwrap();
    assert_eq!(open.connection_id(), ids[0]);
    assert!(cluster.try_connection(1, ConnectionKind::Lookup).is_none());
}

#[tokio::test(start_paused = true)]
async fn handles_share_lookups_and_have_their_own_connections_for_what_may_wait() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let (one, other) = (cluster.handle(), cluster.handle());
    let open = |handle: &Cluster, kind| {
        let handle = handle.clone();
        async move { handle.connection(1, kind).await.unwrap() }
    };
    let (lookup, _broker) = tokio::join!(open(&one, ConnectionKind::Lookup), greeted(&network, K1));
    let same = open(&other, ConnectionKind::Lookup).await;
    assert_eq!(lookup.connection_id(), same.connection_id());
    let (first, mut broker) =
        tokio::join!(open(&one, ConnectionKind::Fetch), greeted(&network, K1));
    let (second, mut other_broker) =
        tokio::join!(open(&other, ConnectionKind::Fetch), greeted(&network, K1));
    assert_ne!(first.connection_id(), second.connection_id());
    // What only a handle uses ends with it, the rest lives on.
    drop(first);
    drop(one);
    broker.expect_end().await;
    other_broker.expect_silence(SECOND).await;
    assert!(!lookup.is_closed());
    let closing = other.clone();
    drop((second, same));
    closing.close().await;
    other_broker.expect_end().await;
    let error = other.refresh(TopicsWanted::None).await.unwrap_err();
    assert!(error.is_cluster_closed());
    assert!(!lookup.is_closed());
    assert!(cluster.try_connection(1, ConnectionKind::Lookup).is_some());
}

#[tokio::test(start_paused = true)]
async fn connections_to_a_broker_are_bounded() {
    let network = Network::new();
    let mut config = config();
    config.connection.connections_per_broker_max = 1;
    let cluster = Cluster::new(config, network.connector()).unwrap();
    let script = async {
        let mut bootstrap = greeted(&network, BOOTSTRAP).await;
        let asked = bootstrap.expect::<MetadataRequest>().await;
        bootstrap.answer(&asked, metadata(&["t"])).await;
        bootstrap.expect_end().await;
    };
    let (snapshot, ()) = tokio::join!(cluster.refresh(TopicsWanted::named(["t"])), script);
    snapshot.unwrap();
    let (first, _broker) = tokio::join!(
        cluster.connection(1, ConnectionKind::Produce),
        greeted(&network, K1)
    );
    let first = first.unwrap();
    let other = cluster.handle();
    let error = other
        .connection(1, ConnectionKind::Fetch)
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        CallError::NotSent {
            cause: NotSentCause::ConnectionsExhausted { limit: 1 },
            ..
        }
    ));
    let again = cluster
        .connection(1, ConnectionKind::Produce)
        .await
        .unwrap();
    assert_eq!(again.connection_id(), first.connection_id());
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_dialled_again_and_a_broker_that_is_down_ever_more_slowly() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let (first, broker) = tokio::join!(
        cluster.connection(1, ConnectionKind::Produce),
        greeted(&network, K1)
    );
    let first = first.unwrap();
    tokio::time::sleep(10 * SECOND).await;
    drop(broker);
    first.closed().await;
    let (second, broker) = tokio::join!(
        cluster.connection(1, ConnectionKind::Produce),
        greeted(&network, K1)
    );
    assert_ne!(second.unwrap().connection_id(), first.connection_id());
    network.refuse(K1, io::ErrorKind::ConnectionRefused);
    network.refuse(K2, io::ErrorKind::ConnectionRefused);
    drop(broker);
    tokio::task::yield_now().await;
    let before = network.dials().iter().filter(|dial| *dial == K1).count();
    let started = Instant::now();
    while started.elapsed() < 10 * SECOND {
        cluster
            .connection(1, ConnectionKind::Produce)
            .await
            .unwrap_err();
    }
    let dials = network.dials().iter().filter(|dial| *dial == K1).count() - before;
    // This connection, and that of the lookups, over which metadata is looked for.
    assert!((12..35).contains(&dials), "{dials} dials in 10 s");
}

/// A connector of the user's that panics while it is told to.
#[derive(Debug)]
struct Panicking {
    network: Network,
    panics: AtomicBool,
}

impl Connector for Panicking {
    fn connect<'a>(&'a self, address: &'a BrokerAddress) -> ConnectFuture<'a> {
        assert!(!self.panics.load(Relaxed), "as the test wants it");
        self.network.connect(address)
    }
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_panicked_is_tried_again_after_a_pause() {
    let network = Network::new();
    let connector = Arc::new(Panicking {
        network: network.clone(),
        panics: AtomicBool::new(true),
    });
    let user: Arc<dyn Connector> = Arc::<Panicking>::clone(&connector);
    let cluster = Cluster::new(config(), user).unwrap();
    let wanted = || cluster.refresh(TopicsWanted::named(["t"]));
    for _ in 0..2 {
        let error = format!("{:?}", wanted().await.unwrap_err());
        assert!(error.contains("the connector panicked"), "{error}");
    }
    connector.panics.store(false, Relaxed);
    let started = Instant::now();
    let script = async {
        let mut broker = greeted(&network, BOOTSTRAP).await;
        let asked = broker.expect::<MetadataRequest>().await;
        broker.answer(&asked, metadata(&["t"])).await;
        broker
    };
    let (snapshot, _broker) = tokio::join!(wanted(), script);
    assert!(snapshot.unwrap().topic("t").is_some());
    assert!(started.elapsed() > Duration::ZERO, "no pause");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_broker_is_looked_for_once() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let script = async {
        let mut broker = either(&network).await;
        broker.handshake().await;
        let asked = broker.expect::<MetadataRequest>().await;
        assert_eq!(asked.request.topics, Some(vec![]), "brokers only");
        broker.answer(&asked, metadata(&[])).await;
        broker
    };
    let (error, _broker) = tokio::join!(cluster.connection(9, ConnectionKind::Produce), script);
    let CallError::NotSent { cause, .. } = error.unwrap_err() else {
        panic!()
    };
    assert!(
        matches!(cause, NotSentCause::BrokerUnknown { broker_id: 9 }),
        "{cause:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_moved_is_dialled_at_its_new_address() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let (old, mut broker) = tokio::join!(
        cluster.connection(1, ConnectionKind::Lookup),
        greeted(&network, K1)
    );
    let old = old.unwrap();
    let script = async {
        let asked = broker.expect::<MetadataRequest>().await;
        let moved = metadata(&["t"]).with_brokers(vec![node(1, "k9:9092"), node(2, K2)]);
        broker.answer(&asked, moved).await;
    };
    let (refreshed, ()) = tokio::join!(cluster.refresh(TopicsWanted::Tracked), script);
    refreshed.unwrap();
    let (new, _broker) = tokio::join!(
        cluster.connection(1, ConnectionKind::Lookup),
        greeted(&network, "k9:9092")
    );
    assert_eq!(new.unwrap().address().to_string(), "k9:9092");
    assert!(
        !old.is_closed(),
        "what is under way on the old one is not cut"
    );
    drop(old);
    broker.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_with_its_time_wherever_it_is_stuck() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let options = CallOptions {
        timeout: Some(2 * SECOND),
        ..CallOptions::default()
    };
    let call = async |broker_id| {
        let started = Instant::now();
        let error = cluster
            .call(Target::Broker(broker_id), init_producer_id(), options)
            .await;
        (error.unwrap_err(), started.elapsed())
    };
    network.swallow(K1);
    let (error, elapsed) = call(1).await;
    assert!(matches!(
        error,
        CallError::NotSent {
            cause: NotSentCause::DeadlinePassed { .. },
            ..
        }
    ));
    assert_eq!(elapsed, 2 * SECOND);
    let script = async {
        let mut broker = greeted(&network, K2).await;
        broker.expect::<InitProducerIdRequest>().await;
        broker.expect_end().await;
    };
    let ((error, elapsed), ()) = tokio::join!(call(2), script);
    assert!(error.is_ambiguous(), "{error:?}");
    assert_eq!(elapsed, 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_versions_of_all_brokers_are_what_is_common() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    assert_eq!(
        cluster.lowest_common(0),
        None,
        "no broker is known by its id yet"
    );
    let old = async {
        let mut versions = api_versions(1, 2);
        for api in versions.api_keys.iter_mut().filter(|api| api.api_key == 0) {
            api.max_version = 11;
        }
        let mut broker = network.accept(K2).await;
        broker.handshake_with(versions).await;
        broker
    };
    let (one, two, _new, _old) = tokio::join!(
        cluster.connection(1, ConnectionKind::Produce),
        cluster.connection(2, ConnectionKind::Produce),
        greeted(&network, K1),
        old
    );
    one.unwrap();
    two.unwrap();
    assert_eq!(cluster.lowest_common(0).unwrap().max, 11);
    assert_eq!(cluster.lowest_common(999), None);
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_takes_everything_with_it() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let (connection, mut broker) = tokio::join!(
        cluster.connection(1, ConnectionKind::Produce),
        greeted(&network, K1)
    );
    drop(connection);
    let clone = cluster.clone();
    drop(cluster);
    broker.expect_silence(SECOND).await;
    let tasks = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    assert!(tasks > 0);
    drop(clone);
    broker.expect_end().await;
    tokio::time::sleep(SECOND).await;
    let tasks = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    assert_eq!(tasks, 0, "a task outlived the handles");
}

#[tokio::test(start_paused = true)]
async fn a_closed_handle_refuses_and_hangs_nobody() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let (connection, mut broker) = tokio::join!(
        cluster.connection(1, ConnectionKind::Produce),
        greeted(&network, K1)
    );
    network.swallow(K2);
    let waiting = [Target::Broker(2), Target::Coordinator(GROUP, "g".into())].map(|target| {
        let cluster = cluster.clone();
        let call = async move {
            cluster
                .call(target, init_producer_id(), CallOptions::default())
                .await
        };
        tokio::spawn(call)
    });
    tokio::time::sleep(SECOND).await;
    cluster.close().await;
    assert!(connection.unwrap().is_closed());
    broker.expect_end().await;
    for call in waiting {
        assert!(call.await.unwrap().unwrap_err().is_cluster_closed());
    }
    assert!(
        cluster
            .refresh(TopicsWanted::None)
            .await
            .unwrap_err()
            .is_cluster_closed()
    );
    let late = cluster.coordinator(GROUP, "g", after(SECOND)).await;
    assert!(late.unwrap_err().is_cluster_closed());
    assert!(
        cluster
            .connection(1, ConnectionKind::Produce)
            .await
            .unwrap_err()
            .is_cluster_closed()
    );
    assert_eq!(
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks(),
        0
    );
}
