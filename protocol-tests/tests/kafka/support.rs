//! What the tests of milena's own clients share.

use std::time::Duration;

use milena::config::{ConsumerBuilder, ProducerBuilder};
use milena::consumer::{Consumer, IsolationLevel, OffsetReset, TopicPartition};
use milena::{Producer, TransactionalProducer};
use milena_protocol_tests::{Isolation, Kafka, ReadRecord};

/// How long a test waits for records that must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A producer with every default.
pub(crate) fn producer(kafka: &Kafka) -> Producer {
    let config = ProducerBuilder::new(kafka.bootstrap()).build().unwrap();
    Producer::new(config).unwrap()
}

/// A transactional producer with every default.
pub(crate) async fn transactional(kafka: &Kafka, id: &str) -> TransactionalProducer {
    let builder = ProducerBuilder::new(kafka.bootstrap()).transactional_id(id);
    TransactionalProducer::start(builder.build().unwrap())
        .await
        .unwrap()
}

/// A consumer of all `partitions` of `topic`, from the start.
pub(crate) fn consumer(
    kafka: &Kafka,
    topic: &str,
    partitions: i32,
    isolation: Isolation,
) -> Consumer {
    let level = match isolation {
        Isolation::ReadCommitted => IsolationLevel::ReadCommitted,
        Isolation::ReadUncommitted => IsolationLevel::ReadUncommitted,
    };
    let config = ConsumerBuilder::new(kafka.bootstrap())
        .isolation_level(level)
        .offset_reset(OffsetReset::Earliest)
        .build()
        .unwrap();
    let mut consumer = Consumer::new(config).unwrap();
    let partitions: Vec<_> = (0..partitions)
        .map(|p| TopicPartition::new(topic, p))
        .collect();
    consumer.assign(&partitions).unwrap();
    consumer
}

/// Reads until every partition's position is at its end, in the terms of Kafka's own consumer.
pub(crate) async fn read_all(
    kafka: &Kafka,
    topic: &str,
    partitions: i32,
    isolation: Isolation,
) -> Vec<ReadRecord> {
    let ends = kafka.end_offsets(topic, isolation);
    let mut consumer = consumer(kafka, topic, partitions, isolation);
    let mut records = Vec::new();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let at_end = ends.iter().all(|(partition, end)| {
            let partition = TopicPartition::new(topic, *partition);
            let position = consumer.position(&partition).unwrap();
            position.is_some_and(|position| position.offset >= *end)
        });
        if at_end {
            break;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{} records, then nothing",
            records.len()
        );
        for record in &consumer.poll(Duration::from_millis(500)).await.unwrap() {
            records.push(ReadRecord {
                partition: record.partition,
                offset: record.offset,
                leader_epoch: record.leader_epoch,
                timestamp: record.timestamp,
                timestamp_type: format!("{:?}", record.timestamp_type),
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: record
                    .headers()
                    .map(|header| {
                        let key = String::from_utf8_lossy(header.key).into_owned();
                        (key, header.value.map(<[u8]>::to_vec))
                    })
                    .collect(),
            });
        }
    }
    consumer.close().await;
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

/// Waits until no transaction holds back a reader: the markers of the last one are written (T-60).
pub(crate) async fn await_stable(kafka: &Kafka, topic: &str) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while kafka.end_offsets(topic, Isolation::ReadCommitted)
        != kafka.end_offsets(topic, Isolation::ReadUncommitted)
    {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{topic} did not become stable"
        );
    }
}
