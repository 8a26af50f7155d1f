//! What a call waits for, and for how long.

use std::time::Duration;

use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use milena_connection::test_support::Network;

use super::super::handle::start;
use super::super::record::Record;
use super::*;
use crate::config::ProducerBuilder;

/// The topic `t` with one partition.
fn metadata() -> MetadataResponse {
    let partition = MetadataResponsePartition::default()
        .with_partition_index(0)
        .with_leader_id(BrokerId(1))
        .with_leader_epoch(1);
    let topic = MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_static_str("t"))))
        .with_partitions(vec![partition]);
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(1))
        .with_host(StrBytes::from_static_str("k1"))
        .with_port(9092);
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_topics(vec![topic])
}

/// A partition that is not known yet is looked for once more; the broker does not answer that.
#[tokio::test(start_paused = true)]
async fn a_send_to_an_unknown_partition_waits_no_longer_than_max_block() {
    let network = Network::new();
    network.swallow("k1:9092");
    let max_block = Duration::from_secs(5);
    let config = ProducerBuilder::new(["boot:9092"])
        .max_block(max_block)
        .build()
        .unwrap();
    let client = crate::client::Client::with_connector(config.client.clone(), network.connector());
    let cluster = client.unwrap().handle();
    let (core, driver) = start(config, None, cluster, 1);
    let broker = network.accept("boot:9092");
    let answer_once = async {
        let mut broker = broker.await;
        broker.handshake().await;
        let asked = broker.expect::<MetadataRequest>().await;
        broker.answer(&asked, metadata()).await;
        std::future::pending::<()>().await;
    };
    let record = Record::to("t").partition(5);
    let started = tokio::time::Instant::now();
    let sent = tokio::select! {
        sent = core.send(&record, 0) => sent,
        () = answer_once => unreachable!(),
    };
    assert!(matches!(sent, Err(Error::Timeout { .. })), "{sent:?}");
    assert_eq!(started.elapsed().as_secs(), max_block.as_secs());
    drop(driver);
}
