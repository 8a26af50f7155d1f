//! Metadata and features: when they are asked for, and what is made of the answers.

use crate::*;
use milena_connection::test_support::api_versions;
use milena_connection::{
    CallError, ConfigError, ConnectionKind, CoordinatorKind, LeaderHint, ProtocolHint,
};
use std::io;

const GROUP: CoordinatorKind = CoordinatorKind::Group;

#[tokio::test(start_paused = true)]
async fn a_cluster_is_learnt_from_one_bootstrap_address() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let snapshot = cluster.snapshot();
    assert_eq!(snapshot.controller_id(), Some(2));
    assert_eq!(snapshot.brokers().len(), 2);
    assert_eq!(snapshot.partition("t", 0).unwrap().leader, Some(1));
    assert_eq!(network.dials(), [BOOTSTRAP]);
    assert_eq!(cluster.features().transaction_version(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_list_without_addresses_is_refused() {
    let network = Network::new();
    let empty = ClusterConfig {
        bootstrap: vec![],
        ..config()
    };
    let error = Cluster::new(empty, network.connector()).unwrap_err();
    assert_eq!(error, ConfigError::NoBootstrap);
}

#[tokio::test(start_paused = true)]
async fn wrong_addresses_end_in_one_clear_error_at_once_where_that_is_set() {
    let network = Network::new();
    let bootstrap = vec!["a:1".parse().unwrap(), "b:2".parse().unwrap()];
    let mut config = ClusterConfig {
        bootstrap,
        ..config()
    };
    config.connection.fail_unreachable_at_once = true;
    let cluster = Cluster::new(config, network.connector()).unwrap();
    network.refuse("a:1", io::ErrorKind::ConnectionRefused);
    network.refuse("b:2", io::ErrorKind::HostUnreachable);
    let started = Instant::now();
    for error in [
        cluster.refresh(TopicsWanted::None).await.unwrap_err(),
        cluster.topic("t", after(60 * SECOND)).await.unwrap_err(),
        cluster
            .coordinator(GROUP, "g", after(60 * SECOND))
            .await
            .unwrap_err(),
    ] {
        let CallError::NotSent { cause, .. } = &error else {
            panic!("{error:?}")
        };
        let text = cause.to_string();
        assert!(text.starts_with("no broker can be reached: "), "{text}");
        assert!(text.contains("a:1: connection refused"), "{text}");
        assert!(text.contains("b:2: host unreachable"), "{text}");
    }
    assert!(started.elapsed() < SECOND, "{:?}", started.elapsed());
}

/// the first contact waits for its caller's time.
#[tokio::test(start_paused = true)]
async fn a_broker_that_starts_after_the_client_is_waited_for() {
    let network = Network::new();
    let cluster = cluster(&network);
    network.refuse(BOOTSTRAP, io::ErrorKind::ConnectionRefused);
    let script = async {
        tokio::time::sleep(20 * SECOND).await;
        network.permit(BOOTSTRAP);
        let mut broker = greeted(&network, BOOTSTRAP).await;
        let asked = broker.expect::<MetadataRequest>().await;
        broker.answer(&asked, metadata(&["t"])).await;
    };
    let started = Instant::now();
    let (topic, ()) = tokio::join!(cluster.topic("t", after(60 * SECOND)), script);
    topic.unwrap();
    assert!(started.elapsed() < 23 * SECOND, "{:?}", started.elapsed());
}

/// not longer than its caller's time, and then with the cause.
#[tokio::test(start_paused = true)]
async fn a_first_contact_that_never_succeeds_ends_in_time_with_its_cause() {
    let network = Network::new();
    let cluster = cluster(&network);
    network.refuse(BOOTSTRAP, io::ErrorKind::ConnectionRefused);
    let started = Instant::now();
    let error = cluster.topic("t", after(5 * SECOND)).await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 5);
    let CallError::NotSent { cause, .. } = &error else {
        panic!("{error:?}")
    };
    let text = cause.to_string();
    assert!(text.contains("boot:9092: connection refused"), "{text}");
}

/// a rejection may have passed since it was heard.
#[tokio::test(start_paused = true)]
async fn a_topic_that_was_denied_is_asked_for_again_by_the_next_call() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let denied = ErrorCode::TopicAuthorizationFailed;
    let script = async {
        let mut broker = either(&network).await;
        broker.handshake().await;
        let asked = broker.expect::<MetadataRequest>().await;
        broker.answer(&asked, refused_topic("d", denied)).await;
        let asked = broker.expect::<MetadataRequest>().await;
        assert_eq!(names(&asked), ["d"]);
        broker.answer(&asked, metadata(&["d"])).await;
    };
    let calls = async {
        let first = cluster.topic("d", after(5 * SECOND)).await;
        assert_eq!(first.unwrap_err().code(), Some(denied));
        cluster.topic("d", after(5 * SECOND)).await.unwrap();
    };
    tokio::join!(calls, script);
}

#[tokio::test(start_paused = true)]
async fn a_port_that_speaks_tls_is_named_through_every_layer() {
    let network = Network::new();
    let cluster = cluster(&network);
    let script = async {
        let mut port = network.accept(BOOTSTRAP).await;
        port.expect_any("ApiVersions").await;
        port.send(&[21, 3, 3, 0, 2, 2, 40]).await;
    };
    let (error, ()) = tokio::join!(cluster.topic("t", after(60 * SECOND)), script);
    let error = error.unwrap_err();
    assert_eq!(error.protocol_hint(), Some(ProtocolHint::Tls));
    let text = format!("{error}: {}", std::error::Error::source(&error).unwrap());
    assert!(
        text.contains("boot:9092") && text.contains("speaks TLS"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_bootstrap_address_that_swallows_packets_does_not_hold_up_the_others() {
    let network = Network::new();
    let bootstrap = vec!["hole:1".parse().unwrap(), BOOTSTRAP.parse().unwrap()];
    network.swallow("hole:1");
    for seed in 0..4 {
        let connection = ConnectionConfig {
            seed: Some(seed),
            ..ConnectionConfig::default()
        };
        let config = ClusterConfig {
            bootstrap: bootstrap.clone(),
            connection,
        };
        let cluster = Cluster::new(config, network.connector()).unwrap();
        let started = Instant::now();
        let script = async {
            let mut broker = greeted(&network, BOOTSTRAP).await;
            let asked = broker.expect::<MetadataRequest>().await;
            broker.answer(&asked, metadata(&[])).await;
        };
        let (snapshot, ()) = tokio::join!(cluster.refresh(TopicsWanted::None), script);
        snapshot.unwrap();
        assert!(started.elapsed() < SECOND, "{:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn refreshes_that_wait_together_are_one_question() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let refreshes = (0..50).map(|_| cluster.refresh(TopicsWanted::Tracked));
    let script = async {
        let mut broker = either(&network).await;
        broker.handshake().await;
        let asked = broker.expect::<MetadataRequest>().await;
        assert_eq!(names(&asked), ["t"]);
        broker.answer(&asked, metadata(&["t"])).await;
        broker.expect_silence(10 * SECOND).await;
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(refreshes), script);
    assert!(answers.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_during_a_question_asks_again() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let mut first = std::pin::pin!(cluster.refresh(TopicsWanted::Tracked));
    let script = async {
        let mut broker = either(&network).await;
        broker.handshake().await;
        let asked = broker.expect::<MetadataRequest>().await;
        (broker, asked)
    };
    let (mut broker, asked) = tokio::select! {
        _ = &mut first => panic!("nobody answered"),
        script = script => script,
    };
    let second = cluster.refresh(TopicsWanted::Tracked);
    let script = async {
        broker.answer(&asked, metadata(&["t"])).await;
        let asked = broker.expect::<MetadataRequest>().await;
        broker.answer(&asked, metadata(&["t"])).await;
        broker.expect_silence(10 * SECOND).await;
    };
    let (first, second, ()) = tokio::join!(first, second, script);
    first.unwrap();
    second.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_late_is_waited_for() {
    let network = Network::new();
    let cluster = cluster(&network);
    let missing = || refused_topic("t", ErrorCode::UnknownTopicOrPartition);
    let script = async {
        let mut bootstrap = greeted(&network, BOOTSTRAP).await;
        let asked = bootstrap.expect::<MetadataRequest>().await;
        assert_eq!(names(&asked), ["t"]);
        bootstrap.answer(&asked, missing()).await;
        let mut broker = greeted(&network, K1).await;
        let asked = broker.expect::<MetadataRequest>().await;
        broker.answer(&asked, missing()).await;
        let asked = broker.expect::<MetadataRequest>().await;
        broker.answer(&asked, metadata(&["t"])).await;
    };
    let (topic, ()) = tokio::join!(cluster.topic("t", after(60 * SECOND)), script);
    assert_eq!(topic.unwrap().partitions.len(), 1);
    // Now it is known, and nobody is asked.
    cluster.topic("t", after(SECOND)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_missing_topic_is_asked_for_ever_more_slowly_until_the_deadline() {
    let network = Network::new();
    let cluster = cluster(&network);
    let started = Instant::now();
    let mut questions = 0;
    let script = async {
        let mut broker = greeted(&network, BOOTSTRAP).await;
        loop {
            let asked = broker.expect::<MetadataRequest>().await;
            let missing = refused_topic("t", ErrorCode::UnknownTopicOrPartition);
            broker.answer(&asked, missing).await;
            questions += 1;
            if questions == 1 {
                broker = greeted(&network, K1).await;
            }
        }
    };
    let error = tokio::select! {
        topic = cluster.topic("t", after(10 * SECOND)) => topic.unwrap_err(),
        () = script => unreachable!(),
    };
    assert_eq!(started.elapsed(), 10 * SECOND);
    let CallError::NotSent { cause, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        cause.to_string(),
        "topic t is not known: UNKNOWN_TOPIC_OR_PARTITION (3)"
    );
    assert!((10..20).contains(&questions), "{questions} questions");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_names_no_broker_is_no_answer() {
    let network = Network::new();
    let cluster = cluster(&network);
    let script = async {
        let mut broker = greeted(&network, BOOTSTRAP).await;
        let asked = broker.expect::<MetadataRequest>().await;
        broker.answer(&asked, MetadataResponse::default()).await;
        let asked = broker.expect::<MetadataRequest>().await;
        broker.answer(&asked, metadata(&[])).await;
    };
    let (snapshot, ()) = tokio::join!(cluster.refresh(TopicsWanted::None), script);
    assert_eq!(snapshot.unwrap().brokers().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn addresses_that_swallow_packets_are_named_when_the_time_for_a_lookup_is_over() {
    let network = Network::new();
    let bootstrap = vec!["a:1".parse().unwrap(), "b:2".parse().unwrap()];
    let config = ClusterConfig {
        bootstrap,
        ..config()
    };
    let cluster = Cluster::new(config, network.connector()).unwrap();
    network.swallow("a:1");
    network.swallow("b:2");
    let started = Instant::now();
    let error = cluster.refresh(TopicsWanted::None).await.unwrap_err();
    assert!(started.elapsed() <= 5 * SECOND, "{:?}", started.elapsed());
    let CallError::NotSent { cause, .. } = error else {
        panic!("{error:?}")
    };
    let text = cause.to_string();
    assert!(
        text.contains("a:1: no connection within") && text.contains("b:2: no"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_forbidden_topic_is_told_at_once() {
    let network = Network::new();
    let cluster = cluster(&network);
    let script = async {
        let mut broker = greeted(&network, BOOTSTRAP).await;
        let asked = broker.expect::<MetadataRequest>().await;
        broker
            .answer(
                &asked,
                refused_topic("t", ErrorCode::TopicAuthorizationFailed),
            )
            .await;
    };
    let (error, ()) = tokio::join!(cluster.topic("t", after(60 * SECOND)), script);
    assert_eq!(
        error.unwrap_err().code(),
        Some(ErrorCode::TopicAuthorizationFailed)
    );
}

#[tokio::test(start_paused = true)]
async fn a_hung_broker_costs_a_lookup_its_timeout_and_no_more() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let started = Instant::now();
    let script = async {
        let mut hung = either(&network).await;
        hung.handshake().await;
        hung.expect::<MetadataRequest>().await;
        let mut other = either(&network).await;
        other.handshake().await;
        let asked = other.expect::<MetadataRequest>().await;
        other.answer(&asked, metadata(&["t"])).await;
        (hung, other)
    };
    let (refreshed, (mut hung, mut other)) =
        tokio::join!(cluster.refresh(TopicsWanted::Tracked), script);
    refreshed.unwrap();
    assert!(started.elapsed() < 6 * SECOND, "{:?}", started.elapsed());
    // Lookups go to the broker that answers, until the connection to the other is given up.
    for _ in 0..5 {
        let script = async {
            let asked = other.expect::<MetadataRequest>().await;
            other.answer(&asked, metadata(&["t"])).await;
        };
        tokio::join!(cluster.refresh(TopicsWanted::Tracked), script)
            .0
            .unwrap();
    }
    hung.expect_end().await;
    assert_eq!(started.elapsed().as_secs(), 30, "request_timeout");
}

#[tokio::test(start_paused = true)]
async fn a_newer_leader_is_taken_over_at_once_and_watchers_hear_of_it() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let mut changed = cluster.metadata_changed();
    changed.mark_unchanged();
    let hint = |leader_id, leader_epoch| LeaderHint {
        topic: "t".into(),
        partition: 0,
        leader_id,
        leader_epoch,
        endpoint: Some(BrokerAddress::new("k3", 9092)),
    };
    assert!(!cluster.apply_leader_hint(&hint(3, 5)));
    assert!(!changed.has_changed().unwrap());
    assert!(cluster.apply_leader_hint(&hint(3, 6)));
    assert!(changed.has_changed().unwrap());
    let snapshot = cluster.snapshot();
    assert_eq!(snapshot.partition("t", 0).unwrap().leader, Some(3));
    assert_eq!(*changed.borrow_and_update(), snapshot.version());
    let (connection, _broker) = tokio::join!(
        cluster.connection(3, ConnectionKind::Produce),
        greeted(&network, "k3:9092")
    );
    assert_eq!(connection.unwrap().broker_id(), Some(3));
}

/// L-13, T-1.
#[tokio::test(start_paused = true)]
async fn features_follow_the_highest_epoch_and_are_asked_for_again() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let lag = async {
        let mut broker = network.accept(K1).await;
        broker.handshake_with(api_versions(0, 1)).await;
        broker
    };
    let (connection, mut broker) = tokio::join!(cluster.connection(1, ConnectionKind::Lookup), lag);
    connection.unwrap();
    assert_eq!(
        cluster.features().transaction_version(),
        2,
        "an older epoch says nothing"
    );
    let script = async { broker.handshake_with(api_versions(7, 1)).await };
    let (features, ()) = tokio::join!(cluster.refresh_features(), script);
    assert_eq!(features.unwrap().transaction_version(), 1, "a downgrade");
}

/// L-13.
#[tokio::test(start_paused = true)]
async fn old_metadata_and_features_are_refreshed_unasked() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    tokio::time::sleep(Duration::from_secs(250)).await;
    let mut broker = either(&network).await;
    broker.handshake_with(api_versions(1, 2)).await;
    let asked = broker.expect::<MetadataRequest>().await;
    broker.answer(&asked, metadata(&["t"])).await;
    // The next time the connection is already there, so the features are asked for as well.
    tokio::time::sleep(Duration::from_secs(250)).await;
    let asked = broker.expect::<MetadataRequest>().await;
    broker.answer(&asked, metadata(&["t"])).await;
    broker.handshake_with(api_versions(9, 1)).await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(cluster.features().transaction_version(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_broker_can_send_its_clients_back_to_the_bootstrap_list() {
    let network = Network::new();
    let cluster = introduced(&network).await;
    let script = async {
        let mut broker = either(&network).await;
        broker.handshake().await;
        let asked = broker.expect::<MetadataRequest>().await;
        let code = ErrorCode::RebootstrapRequired.code();
        broker
            .answer(&asked, MetadataResponse::default().with_error_code(code))
            .await;
        broker.expect_end().await;
        let mut bootstrap = greeted(&network, BOOTSTRAP).await;
        let asked = bootstrap.expect::<MetadataRequest>().await;
        assert_eq!(names(&asked), ["t"]);
        bootstrap.answer(&asked, metadata(&["t"])).await;
    };
    let (refreshed, ()) = tokio::join!(cluster.refresh(TopicsWanted::Tracked), script);
    assert_eq!(refreshed.unwrap().brokers().len(), 2);
}
