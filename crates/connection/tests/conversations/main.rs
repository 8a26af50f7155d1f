//! The connection crate, played as conversations between a client and scripted brokers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cluster;
mod coordinator;
mod link;
mod metadata;

use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, InitProducerIdRequest, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use milena_codec::{ApiKey, ErrorCode};
use milena_connection::test_support::{Network, Peer, Received};
use milena_connection::{BrokerAddress, Cluster, ClusterConfig, ConnectionConfig, TopicsWanted};
use std::time::Duration;
use tokio::time::Instant;

pub(crate) const BOOTSTRAP: &str = "boot:9092";
pub(crate) const K1: &str = "k1:9092";
pub(crate) const K2: &str = "k2:9092";
pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn config() -> ClusterConfig {
    let connection = ConnectionConfig {
        seed: Some(1),
        ..ConnectionConfig::default()
    };
    ClusterConfig {
        bootstrap: vec![BOOTSTRAP.parse().unwrap()],
        connection,
    }
}

pub(crate) fn cluster(network: &Network) -> Cluster {
    Cluster::new(config(), network.connector()).unwrap()
}

pub(crate) fn after(time: Duration) -> std::time::Instant {
    (Instant::now() + time).into_std()
}

pub(crate) fn node(id: i32, address: &str) -> MetadataResponseBroker {
    let address: BrokerAddress = address.parse().unwrap();
    MetadataResponseBroker::default()
        .with_node_id(BrokerId(id))
        .with_host(StrBytes::from_string(address.host))
        .with_port(address.port.into())
}

/// Two brokers, and topics with one partition each, led by broker 1 in epoch 5.
pub(crate) fn metadata(topics: &[&str]) -> MetadataResponse {
    let partition = MetadataResponsePartition::default()
        .with_leader_id(BrokerId(1))
        .with_leader_epoch(5);
    let topics = topics.iter().map(|name| {
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_string((*name).to_owned()))))
            .with_topic_id(uuid::Uuid::from_u128(7))
            .with_partitions(vec![partition.clone()])
    });
    MetadataResponse::default()
        .with_brokers(vec![node(1, K1), node(2, K2)])
        .with_controller_id(BrokerId(2))
        .with_topics(topics.collect())
}

pub(crate) fn refused_topic(name: &'static str, code: ErrorCode) -> MetadataResponse {
    let topic = MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_static_str(name))))
        .with_error_code(code.code());
    MetadataResponse::default()
        .with_brokers(vec![node(1, K1)])
        .with_topics(vec![topic])
}

pub(crate) async fn greeted(network: &Network, address: &str) -> Peer {
    let mut broker = network.accept(address).await;
    broker.handshake().await;
    broker
}

/// A cluster that learnt its two brokers and the topic `t`, over a bootstrap connection that it let go.
pub(crate) async fn introduced(network: &Network) -> Cluster {
    let cluster = cluster(network);
    let script = async {
        let mut bootstrap = greeted(network, BOOTSTRAP).await;
        let asked = bootstrap.expect::<MetadataRequest>().await;
        bootstrap.answer(&asked, metadata(&["t"])).await;
        bootstrap.expect_end().await;
    };
    let (snapshot, ()) = tokio::join!(cluster.refresh(TopicsWanted::named(["t"])), script);
    snapshot.unwrap();
    cluster
}

/// The names in a Metadata request.
pub(crate) fn names(asked: &Received<MetadataRequest>) -> Vec<String> {
    let topics = asked.request.topics.iter().flatten();
    topics
        .map(|topic| topic.name.as_ref().unwrap().to_string())
        .collect()
}

pub(crate) fn init_producer_id() -> InitProducerIdRequest {
    InitProducerIdRequest::default()
}

/// The connection to whichever of the two brokers the client chose.
pub(crate) async fn either(network: &Network) -> Peer {
    tokio::select! {
        peer = network.accept(K1) => peer,
        peer = network.accept(K2) => peer,
    }
}
