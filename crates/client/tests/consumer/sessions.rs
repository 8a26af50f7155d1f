//! What is asked, of whom and how.

use crate::*;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::messages::fetch_response::{LeaderIdAndEpoch, NodeEndpoint};
use milena::ErrorCode;
use milena::consumer::IsolationLevel;
use milena_connection::test_support::api_versions;

#[tokio::test(start_paused = true)]
async fn a_session_is_opened_gone_on_with_and_closed() {
    //
    let network = Network::new();
    let mut consumer = reading(&network, builder().rack("here"), 2);
    let _bootstrap = introduced(&network, metadata(2, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    let asked = broker.expect::<FetchRequest>().await;
    let request = &asked.request;
    assert_eq!((request.session_id, request.session_epoch), (0, 0));
    assert_eq!((request.isolation_level, &*request.rack_id), (1, "here"));
    assert_eq!(
        (request.max_wait_ms, request.min_bytes, request.max_bytes),
        (500, 1, 50 << 20)
    );
    assert_eq!(request.topics[0].topic_id, TOPIC_ID);
    let partition = &request.topics[0].partitions[0];
    assert_eq!(
        (partition.current_leader_epoch, partition.last_fetched_epoch),
        (5, -1)
    );
    assert_eq!(partition.partition_max_bytes, 1 << 20);
    assert_eq!(named(&asked), [(0, 0), (1, 0)]);
    let records = batch(0, &["a"], Compression::None);
    let partitions = vec![data(0, 1, records), data(1, 0, Vec::new())];
    broker.answer(&asked, answer(9, partitions)).await;
    // Only what moved is named from now on.
    let asked = broker.expect::<FetchRequest>().await;
    assert_eq!(
        (asked.request.session_id, asked.request.session_epoch),
        (9, 1)
    );
    assert_eq!(named(&asked), [(0, 1)]);
    consumer.poll(SECOND).await.unwrap();
    // The session is closed while that fetch is still held back.
    let close = tokio::spawn(consumer.close());
    let mut other = greeted(&network, K1).await;
    let asked = other.expect::<FetchRequest>().await;
    assert_eq!(
        (asked.request.session_id, asked.request.session_epoch),
        (9, -1)
    );
    assert!(asked.request.topics.is_empty());
    other.answer(&asked, FetchResponse::default()).await;
    close.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_broker_of_the_past_is_asked_by_name_and_without_a_session() {
    //
    for (version, session) in [(4, (0, -1)), (6, (0, -1)), (7, (0, 0)), (12, (0, 0))] {
        let network = Network::new();
        let mut consumer = reading(
            &network,
            builder().isolation_level(IsolationLevel::ReadUncommitted),
            1,
        );
        let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
        let mut broker = network.accept(K1).await;
        let mut versions = api_versions(1, 0);
        for api in &mut versions.api_keys {
            if api.api_key == ApiKey::Fetch as i16 {
                api.max_version = version;
            }
        }
        broker.handshake_with(versions).await;
        let asked = broker.expect::<FetchRequest>().await;
        assert_eq!(asked.header.api_version, version);
        assert_eq!(asked.request.topics[0].topic, topic_name());
        assert_eq!(asked.request.isolation_level, 0);
        if version >= 7 {
            assert_eq!(
                (asked.request.session_id, asked.request.session_epoch),
                session
            );
        }
        let records = batch(0, &["a"], Compression::None);
        broker
            .answer(&asked, answer(0, vec![data(0, 1, records)]))
            .await;
        assert_eq!(values(&consumer.poll(SECOND).await.unwrap()), ["a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_an_error_names_is_asked_without_a_word_from_metadata() {
    // R-51, KIP-951
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut old = greeted(&network, K1).await;
    let asked = old.expect::<FetchRequest>().await;
    let leader = LeaderIdAndEpoch::default()
        .with_leader_id(BrokerId(2))
        .with_leader_epoch(6);
    let moved = data(0, -1, Vec::new())
        .with_error_code(ErrorCode::NotLeaderOrFollower.code())
        .with_current_leader(leader);
    let endpoint = NodeEndpoint::default()
        .with_node_id(BrokerId(2))
        .with_host(StrBytes::from_static_str("k2"))
        .with_port(9092);
    let response = answer(9, vec![moved]).with_node_endpoints(vec![endpoint]);
    let started = tokio::time::Instant::now();
    old.answer(&asked, response).await;
    let mut new = greeted(&network, K2).await;
    let asked = new.expect::<FetchRequest>().await;
    assert!(started.elapsed() < Duration::from_millis(50));
    assert_eq!(
        asked.request.topics[0].partitions[0].current_leader_epoch,
        6
    );
    let records = batch(0, &["a"], Compression::None);
    new.answer(&asked, answer(3, vec![data(0, 1, records)]))
        .await;
    assert_eq!(values(&consumer.poll(SECOND).await.unwrap()), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_follower_nearby_is_read_from_when_the_leader_says_so() {
    // R-60, KIP-392
    let network = Network::new();
    let mut consumer = reading(&network, builder().rack("b"), 1);
    let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut leader = greeted(&network, K1).await;
    let asked = leader.expect::<FetchRequest>().await;
    let redirect = data(0, 4, Vec::new()).with_preferred_read_replica(BrokerId(2));
    leader.answer(&asked, answer(9, vec![redirect])).await;
    let mut follower = greeted(&network, K2).await;
    let asked = follower.expect::<FetchRequest>().await;
    assert_eq!((asked.request.session_id, named(&asked)), (0, vec![(0, 0)]));
    let records = batch(0, &["a"], Compression::None);
    follower
        .answer(&asked, answer(3, vec![data(0, 1, records)]))
        .await;
    assert_eq!(values(&consumer.poll(SECOND).await.unwrap()), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_paused_partition_leaves_the_session_and_comes_back() {
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 2);
    let _bootstrap = introduced(&network, metadata(2, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    let asked = broker.expect::<FetchRequest>().await;
    consumer.pause(&[tp(1)]).unwrap();
    let both = vec![
        data(0, 1, batch(0, &["a"], Compression::None)),
        data(1, 0, Vec::new()),
    ];
    broker.answer(&asked, answer(9, both)).await;
    let asked = broker.expect::<FetchRequest>().await;
    assert_eq!(named(&asked), [(0, 1)]);
    assert_eq!(asked.request.forgotten_topics_data[0].partitions, [1]);
    consumer.resume(&[tp(1)]).unwrap();
    broker
        .answer(
            &asked,
            answer(9, vec![data(0, 2, batch(1, &["b"], Compression::None))]),
        )
        .await;
    let asked = broker.expect::<FetchRequest>().await;
    let mut names = named(&asked);
    names.sort_unstable();
    assert_eq!(names, [(0, 2), (1, 0)]);
}
