//! The consumer, played as conversations with scripted brokers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod delivery;
mod offsets;
mod sessions;
mod trouble;

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, FetchRequest, FetchResponse, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use milena::ConsumerBuilder;
use milena::consumer::{Consumer, Position, Records, TopicPartition};
use milena_codec::message::{Request, decode_request};
use milena_codec::record::set_log_position;
use milena_codec::{BatchBuilder, BatchStamp, Compression, Limits, RecordToWrite, RequestHeader};
use milena_connection::BrokerAddress;
use milena_connection::test_support::{Network, Peer, Received};
use tokio::sync::mpsc;
use uuid::Uuid;

pub(crate) const BOOTSTRAP: &str = "boot:9092";
pub(crate) const K1: &str = "k1:9092";
pub(crate) const K2: &str = "k2:9092";
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const TOPIC_ID: Uuid = Uuid::from_u128(7);

pub(crate) fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

pub(crate) fn builder() -> ConsumerBuilder {
    ConsumerBuilder::new([BOOTSTRAP])
}

/// A consumer that reads these many partitions from offset 0.
pub(crate) fn reading(network: &Network, builder: ConsumerBuilder, partitions: i32) -> Consumer {
    let config = builder.build().unwrap();
    let mut consumer = Consumer::with_connector(config, network.connector()).unwrap();
    let names: Vec<_> = (0..partitions).map(tp).collect();
    consumer.assign(&names).unwrap();
    for name in &names {
        consumer.seek(name, Position::Offset(0)).unwrap();
    }
    consumer
}

/// The bootstrap broker, after it has told where the topic is.
pub(crate) async fn introduced(network: &Network, metadata: MetadataResponse) -> Peer {
    let mut bootstrap = network.accept(BOOTSTRAP).await;
    bootstrap.handshake().await;
    let asked = bootstrap.expect::<MetadataRequest>().await;
    bootstrap.answer(&asked, metadata).await;
    bootstrap
}

pub(crate) async fn greeted(network: &Network, address: &str) -> Peer {
    let mut peer = network.accept(address).await;
    peer.handshake().await;
    peer
}

/// A broker that answers every Metadata request on every connection with the same, and hands over
/// whatever else comes: for scripts in which it does not matter which connection asks.
pub(crate) struct Anyone {
    asked: mpsc::UnboundedReceiver<(Peer, RequestHeader, Bytes)>,
    back: mpsc::UnboundedSender<Peer>,
}

impl Anyone {
    pub(crate) fn at(
        network: &Network,
        address: &'static str,
        metadata: &MetadataResponse,
    ) -> Self {
        let (send, asked) = mpsc::unbounded_channel();
        let (back, mut returned) = mpsc::unbounded_channel();
        let (network, metadata) = (network.clone(), metadata.clone());
        tokio::spawn(async move {
            loop {
                let mut peer = tokio::select! {
                    peer = network.accept(address) => {
                        let mut peer: Peer = peer;
                        peer.handshake().await;
                        peer
                    }
                    Some(peer) = returned.recv() => peer,
                };
                let (send, metadata) = (send.clone(), metadata.clone());
                tokio::spawn(async move {
                    loop {
                        let (header, body) = peer.expect_any("any").await;
                        if header.api_key != MetadataRequest::KEY {
                            return send.send((peer, header, body));
                        }
                        let asked = header.correlation_id;
                        peer.answer_as::<MetadataRequest>(&header, asked, &metadata)
                            .await;
                    }
                });
            }
        });
        Self { asked, back }
    }

    /// The next request but Metadata, which must be of this kind; `answer` answers it.
    pub(crate) async fn answer<R>(&mut self, answer: impl FnOnce(Received<R>) -> R::Response)
    where
        R: Request<Response: Encodable> + Decodable,
    {
        let (mut peer, header, body) = self.asked.recv().await.unwrap();
        assert_eq!(header.api_key, R::KEY);
        let request = decode_request::<R>(body, header.api_version, &Limits::default()).unwrap();
        let asked = Received {
            header: header.clone(),
            request,
        };
        peer.answer_as::<R>(&header, header.correlation_id, &answer(asked))
            .await;
        self.back.send(peer).unwrap();
    }
}

/// The topic with these many partitions, all led by this broker in this epoch.
pub(crate) fn metadata(partitions: i32, leader: i32, epoch: i32) -> MetadataResponse {
    let partition = |index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(leader))
            .with_leader_epoch(epoch)
            .with_replica_nodes(vec![BrokerId(1), BrokerId(2)])
    };
    let topic = MetadataResponseTopic::default()
        .with_name(Some(topic_name()))
        .with_topic_id(TOPIC_ID)
        .with_partitions((0..partitions).map(partition).collect());
    MetadataResponse::default()
        .with_brokers(vec![node(1, K1), node(2, K2)])
        .with_controller_id(BrokerId(1))
        .with_topics(vec![topic])
}

fn node(id: i32, address: &str) -> MetadataResponseBroker {
    let address: BrokerAddress = address.parse().unwrap();
    MetadataResponseBroker::default()
        .with_node_id(BrokerId(id))
        .with_host(StrBytes::from_string(address.host))
        .with_port(address.port.into())
}

pub(crate) fn topic_name() -> TopicName {
    TopicName(StrBytes::from_static_str("t"))
}

/// A batch with these values from this offset on, appended in epoch 5.
pub(crate) fn batch(base_offset: i64, values: &[&str], compression: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new());
    for value in values {
        let record = RecordToWrite {
            timestamp: 1_000,
            key: None,
            value: Some(value.as_bytes()),
            headers: &[],
        };
        builder.append(&record).unwrap();
    }
    let mut batch = builder
        .close(compression)
        .unwrap()
        .to_vec(&BatchStamp::NONE);
    set_log_position(&mut batch, base_offset, 5).unwrap();
    batch
}

/// One partition's part of an answer.
pub(crate) fn data(partition: i32, end: i64, records: Vec<u8>) -> PartitionData {
    PartitionData::default()
        .with_partition_index(partition)
        .with_high_watermark(end)
        .with_last_stable_offset(end)
        .with_log_start_offset(0)
        .with_records(Some(Bytes::from(records)))
}

/// An answer in the session with this id.
pub(crate) fn answer(session_id: i32, partitions: Vec<PartitionData>) -> FetchResponse {
    let topic = FetchableTopicResponse::default()
        .with_topic(topic_name())
        .with_topic_id(TOPIC_ID)
        .with_partitions(partitions);
    FetchResponse::default()
        .with_session_id(session_id)
        .with_responses(vec![topic])
}

/// The partitions and offsets that a Fetch names.
pub(crate) fn named(asked: &Received<FetchRequest>) -> Vec<(i32, i64)> {
    let partitions = asked
        .request
        .topics
        .iter()
        .flat_map(|topic| &topic.partitions);
    partitions
        .map(|partition| (partition.partition, partition.fetch_offset))
        .collect()
}

pub(crate) fn values(records: &Records) -> Vec<String> {
    let value = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap()).into_owned();
    records.iter().map(|record| value(record.value)).collect()
}
