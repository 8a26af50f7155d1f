//! What the guard costs beside the typed decode that it protects.
//!
//! The target is at most 35 % on a Metadata response of 10,000 partitions.

#![expect(
    clippy::expect_used,
    reason = "the bodies are our own: a bench that cannot make them is broken"
)]

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, FetchResponse, MetadataResponse, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use milena_codec::Limits;
use milena_codec::guard::{self, Direction};
use std::hint::black_box;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What `benches/table` divides by.
const TEN_THOUSAND: &str = "10000 partitions";

fn metadata(topics: i32, partitions: i32) -> MetadataResponse {
    let brokers = (0..3).map(|id| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(id))
            .with_host(StrBytes::from_string(format!("broker-{id}.example.org")))
            .with_port(9092)
    });
    let topics = (0..topics).map(|topic| {
        let partitions = (0..partitions).map(|partition| {
            let replicas: Vec<_> = (0..3)
                .map(|offset| BrokerId((partition + offset) % 3))
                .collect();
            MetadataResponsePartition::default()
                .with_partition_index(partition)
                .with_leader_id(BrokerId(partition % 3))
                .with_leader_epoch(7)
                .with_replica_nodes(replicas.clone())
                .with_isr_nodes(replicas)
        });
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_string(format!(
                "topic-{topic:04}"
            )))))
            .with_topic_id(Uuid::from_u128(topic.unsigned_abs().into()))
            .with_partitions(partitions.collect())
    });
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_topics(topics.collect())
}

fn fetch(partitions: i32) -> FetchResponse {
    let partitions = (0..partitions).map(|partition| {
        PartitionData::default()
            .with_partition_index(partition)
            .with_high_watermark(1_000)
            .with_last_stable_offset(1_000)
            .with_records(Some(Bytes::from_static(&[7; 1024])))
    });
    let topic = FetchableTopicResponse::default()
        .with_topic_id(Uuid::from_u128(1))
        .with_partitions(partitions.collect());
    FetchResponse::default().with_responses(vec![topic])
}

fn guard_beside_decode(criterion: &mut Criterion) {
    let limits = Limits::default();
    let many_topics = metadata(100, 100);
    let one_topic = metadata(1, 10_000);
    shape(
        criterion,
        &limits,
        ("metadata_v12_100x100", TEN_THOUSAND),
        3,
        12,
        &many_topics,
    );
    shape(
        criterion,
        &limits,
        ("metadata_v12_1x10000", TEN_THOUSAND),
        3,
        12,
        &one_topic,
    );
    shape(
        criterion,
        &limits,
        ("metadata_v8_100x100", TEN_THOUSAND),
        3,
        8,
        &many_topics,
    );
    shape(
        criterion,
        &limits,
        ("fetch_v16", "1000 partitions"),
        1,
        16,
        &fetch(1_000),
    );
}

fn shape<M: Encodable + Decodable>(
    criterion: &mut Criterion,
    limits: &Limits,
    (name, partitions): (&str, &str),
    api_key: i16,
    version: i16,
    message: &M,
) {
    let mut body = Vec::new();
    message
        .encode(&mut body, version)
        .expect("a message of this version");
    let body = Bytes::from(body);
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_with_input(
        BenchmarkId::new(partitions, "guard"),
        &body,
        |bencher, body| {
            bencher.iter(|| {
                guard::check(
                    api_key,
                    Direction::Response,
                    version,
                    black_box(body),
                    limits,
                )
            });
        },
    );
    group.bench_with_input(
        BenchmarkId::new(partitions, "typed decode"),
        &body,
        |bencher, body| {
            bencher.iter_custom(|times| {
                let mut spent = Duration::ZERO;
                for _ in 0..times {
                    let mut body = body.clone();
                    let start = Instant::now();
                    let message = M::decode(&mut body, version).expect("a valid body");
                    spent += start.elapsed();
                    // Freeing the message is not part of decoding it.
                    drop(black_box(message));
                }
                spent
            });
        },
    );
    group.finish();
}

criterion_group!(benches, guard_beside_decode);
criterion_main!(benches);
