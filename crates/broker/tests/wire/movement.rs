//! Leaders, coordinators and brokers that come and go.

use crate::raw::{Produce, Raw, anonymous, text};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    ApiVersionsRequest, DescribeClusterRequest, FindCoordinatorRequest, MetadataRequest,
    OffsetForLeaderEpochRequest, ProduceRequest, TopicName,
};
use milena_broker::{Broker, CoordinatorKind, ErrorCode};
use std::time::Duration;

async fn three() -> Broker {
    let builder = Broker::builder().brokers(3).in_memory();
    let no_configs: [(&str, &str); 0] = [];
    let builder = builder.topic_with("t", 3, Some(3), no_configs);
    let configs = [("min.insync.replicas", "2")];
    builder
        .topic_with("safe", 1, Some(2), configs)
        .start()
        .await
        .unwrap()
}

/// P-42, KIP-951.
#[tokio::test]
async fn a_moved_leader_is_named_by_the_old_one() {
    let broker = &three().await;
    assert_eq!(broker.leader("t", 0), Some((1, 0)));
    broker.move_leader("t", 0, 3).unwrap();
    assert_eq!(broker.leader("t", 0), Some((3, 1)));
    let mut old = Raw::connect_to(broker, 1);
    let answer = old.call(12, &Produce::default().request()).await;
    let partition = &answer.responses[0].partition_responses[0];
    assert_eq!(partition.error_code, ErrorCode::NotLeaderOrFollower.code());
    assert_eq!(
        (
            partition.current_leader.leader_id.0,
            partition.current_leader.leader_epoch
        ),
        (3, 1)
    );
    assert_eq!(answer.node_endpoints[0].host.as_str(), "broker-3");
    let mut new = Raw::connect_to(broker, 3);
    assert_eq!(new.produce(&Produce::default()).await.base_offset, 0);
    broker.move_leader("t", 9, 3).unwrap_err();
    broker.move_leader("t", 0, 9).unwrap_err();
}

#[tokio::test]
async fn a_stopped_broker_leaves_everything_to_the_others_and_comes_back() {
    let broker = &three().await;
    let mut raw = Raw::connect_to(broker, 1);
    let before = raw
        .call(12, &MetadataRequest::default().with_topics(None))
        .await;
    assert_eq!(before.brokers.len(), 3);
    broker.stop_broker(1).await.unwrap();
    assert_eq!(raw.receive().await, None);
    let refused = Raw::try_connect(broker, 1).err().map(|error| error.kind());
    assert_eq!(refused, Some(std::io::ErrorKind::ConnectionRefused));
    assert_eq!(broker.leader("t", 0), Some((2, 1)));
    let mut other = Raw::connect_to(broker, 2);
    let metadata = other
        .call(12, &MetadataRequest::default().with_topics(None))
        .await;
    assert_eq!(metadata.brokers.len(), 2);
    let topic = metadata
        .topics
        .iter()
        .find(|topic| topic.name.as_deref().is_some_and(|name| **name == *"t"));
    assert_eq!(topic.unwrap().partitions[0].isr_nodes.len(), 2);
    for key in 0..20 {
        let key = format!("tx-{key}");
        assert_ne!(
            broker.coordinator(CoordinatorKind::Transaction, &key),
            Some(1)
        );
    }
    broker.restart_broker(1).await.unwrap();
    Raw::connect_to(broker, 1)
        .call(0, &ApiVersionsRequest::default())
        .await;
}

/// D-9.
#[tokio::test]
async fn too_few_replicas_refuse_acks_all_and_nothing_else() {
    let broker = &three().await;
    let produce = Produce {
        topic: "safe",
        ..Produce::default()
    };
    let (leader, _) = broker.leader("safe", 0).unwrap();
    let mut raw = Raw::connect_to(broker, leader);
    assert_eq!(raw.produce(&produce).await.error_code, 0);
    let follower = leader % 3 + 1;
    broker.stop_broker(follower).await.unwrap();
    let refused = raw.produce(&produce).await;
    assert_eq!(refused.error_code, ErrorCode::NotEnoughReplicas.code());
    let by_leader = Produce { acks: 1, ..produce };
    assert_eq!(raw.produce(&by_leader).await.error_code, 0);
}

#[tokio::test]
async fn a_broker_on_a_real_port_can_be_stopped_and_found_there_again() {
    let broker = Broker::builder().start().await.unwrap();
    let address = broker.addresses().remove(0);
    tokio::net::TcpStream::connect(&address).await.unwrap();
    broker.stop_broker(1).await.unwrap();
    tokio::net::TcpStream::connect(&address).await.unwrap_err();
    broker.restart_broker(1).await.unwrap();
    tokio::net::TcpStream::connect(&address).await.unwrap();
    drop(broker);
    // The listener's task ends as soon as the runtime gets to it.
    while tokio::net::TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_paused_broker_does_what_it_was_asked_when_it_goes_on() {
    let broker = &three().await;
    let mut raw = Raw::connect_to(broker, 1);
    broker.pause_broker(1).unwrap();
    let sent = raw.send(12, &Produce::default().request()).await;
    let silence = tokio::time::timeout(Duration::from_millis(50), raw.receive()).await;
    assert!(silence.is_err());
    broker.resume_broker(1).unwrap();
    let answer = raw.answer::<ProduceRequest>(12, sent).await.unwrap();
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
}

/// T-21.
#[tokio::test]
async fn a_moved_coordinator_is_found_and_may_be_loading() {
    let broker = Broker::builder()
        .brokers(3)
        .coordinator_load_time(Duration::from_secs(60));
    let broker = &broker.in_memory().start().await.unwrap();
    let first = broker
        .coordinator(CoordinatorKind::Transaction, "tx")
        .unwrap();
    let producer = Raw::connect_to(broker, first).init("tx").await.unwrap();
    let next = first % 3 + 1;
    broker
        .move_coordinator(CoordinatorKind::Transaction, "tx", next)
        .unwrap();
    let old = Raw::connect_to(broker, first).init("tx").await;
    assert_eq!(old, Err(ErrorCode::NotCoordinator));
    let request = FindCoordinatorRequest::default()
        .with_key_type(1)
        .with_coordinator_keys(vec![text("tx")]);
    let found = Raw::connect(broker).call(4, &request).await;
    assert_eq!(found.coordinators[0].node_id.0, next);
    let mut new = Raw::connect_to(broker, next);
    assert_eq!(
        new.init("tx").await,
        Err(ErrorCode::CoordinatorLoadInProgress)
    );
    broker.clock().advance(Duration::from_secs(60));
    let again = new.init("tx").await.unwrap();
    assert_eq!(
        again.producer_id, producer.producer_id,
        "nothing was forgotten"
    );
    assert_eq!(again.producer_epoch.0, producer.producer_epoch.0 + 1);
    // Without a transactional id any broker will do (P-10).
    let anywhere = anonymous();
    assert_eq!(
        Raw::connect_to(broker, first)
            .call(5, &anywhere)
            .await
            .error_code,
        0
    );
}

///
#[tokio::test]
async fn what_was_lost_shows_in_the_leader_epochs() {
    let broker = &three().await;
    let mut raw = Raw::connect_to(broker, 1);
    for _ in 0..4 {
        raw.produce(&Produce::default()).await;
    }
    broker.truncate("t", 0, 2).unwrap();
    assert_eq!(broker.leader("t", 0), Some((1, 1)));
    assert_eq!(raw.produce(&Produce::default()).await.base_offset, 2);
    let partition = OffsetForLeaderPartition::default()
        .with_partition(0)
        .with_current_leader_epoch(1)
        .with_leader_epoch(0);
    let topic = OffsetForLeaderTopic::default()
        .with_topic(TopicName(text("t")))
        .with_partitions(vec![partition]);
    let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
    let answer = raw.call(4, &request).await;
    let found = &answer.topics[0].partitions[0];
    assert_eq!((found.leader_epoch, found.end_offset), (0, 2));
}

/// Whoever comes by a proxy's port is told the proxies' addresses wherever one is told, also after a restart.
#[tokio::test]
async fn clients_of_a_port_behind_a_proxy_stay_behind_it() {
    let proxies = [("proxy-a", 7001), ("proxy-b", 7002)];
    let told_in = |host: &str, port: i32| format!("{host}:{port}");
    let expected = proxies.map(|(host, port)| told_in(host, port.into()));
    let builder = Broker::builder().brokers(2).topic("t", 2).behind(proxies);
    let broker = &builder.start().await.unwrap();
    let [first, second] = *broker.ports_behind(0) else {
        panic!("one port for each broker");
    };
    assert!(broker.ports_behind(1).is_empty());
    broker.stop_broker(2).await.unwrap();
    broker.restart_broker(2).await.unwrap();

    let mut raw = Raw::connect_to_port(second).await;
    let cluster = raw.call(0, &DescribeClusterRequest::default()).await;
    let metadata = raw.call(12, &MetadataRequest::default()).await;
    let described = cluster.brokers.iter().map(|b| told_in(&b.host, b.port));
    assert_eq!(described.collect::<Vec<_>>(), expected);
    let told = metadata.brokers.iter().map(|b| told_in(&b.host, b.port));
    assert_eq!(told.collect::<Vec<_>>(), expected);

    let leader = broker.leader("t", 0).unwrap().0;
    let not_leader = if leader == 1 { second } else { first };
    let produced = Raw::connect_to_port(not_leader)
        .await
        .call(12, &Produce::default().request())
        .await;
    let endpoint = &produced.node_endpoints[0];
    let nth = usize::try_from(leader - 1).unwrap();
    assert_eq!(told_in(&endpoint.host, endpoint.port), expected[nth]);

    // Its own port goes on telling its own address.
    let metadata = Raw::connect(broker)
        .call(12, &MetadataRequest::default())
        .await;
    let own: Vec<_> = metadata
        .brokers
        .iter()
        .map(|b| told_in(&b.host, b.port))
        .collect();
    assert_eq!(own, broker.addresses());
    let uneven = Broker::builder().brokers(2).behind([("alone", 1)]);
    uneven.start().await.unwrap_err();
}
