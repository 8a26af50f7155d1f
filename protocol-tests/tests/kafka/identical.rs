//! What one side wrote, the other reads back: keys, values, headers and timestamps, in every compression.

use milena::config::ProducerBuilder;
use milena::{HeaderToWrite, Producer, Record};
use milena_codec::Compression;
use milena_protocol_tests::{Isolation, Kafka, ReadRecord, WriteRecord, conformance};

use crate::support;

const COMPRESSIONS: [Compression; 5] = [
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

/// Every shape a record can have: null and empty keys and values, repeated headers, null header values,
/// text beyond ASCII, sizes from nothing to several batches.
fn shapes() -> Vec<WriteRecord> {
    let mut records = vec![
        WriteRecord::value("plain").timestamp(1_700_000_000_000),
        WriteRecord::value("").key("").timestamp(0),
        WriteRecord {
            key: Some(b"tombstone".to_vec()),
            ..WriteRecord::default()
        }
        .timestamp(1),
        WriteRecord::value("κλειδί")
            .key("Prag, Altstädter Ring")
            .timestamp(i64::from(i32::MAX)),
        WriteRecord::value([0, 255, 10, 13, 0])
            .key([0, 1, 2])
            .timestamp(5),
        WriteRecord::value("headers")
            .header("a", Some(b"1"))
            .header("a", Some(b"2"))
            .header("null", None)
            .header("empty", Some(b""))
            .timestamp(1_700_000_000_001),
        WriteRecord::value("x".repeat(100_000))
            .key("large")
            .timestamp(6),
    ];
    for number in 0..500_i64 {
        let text = format!("record {number}: the quick brown fox").repeat(3);
        records.push(
            WriteRecord::value(text)
                .key(format!("k{}", number % 7))
                .timestamp(1_000_000 - number),
        );
    }
    records
}

/// By partition, what was written in its order.
fn comparable(record: &ReadRecord) -> WriteRecord {
    WriteRecord {
        partition: Some(record.partition),
        timestamp: Some(record.timestamp),
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record.headers.clone(),
    }
}

async fn write(producer: &Producer, topic: &str, records: &[WriteRecord]) {
    let mut deliveries = Vec::new();
    for record in records {
        let headers: Vec<HeaderToWrite<'_>> = record
            .headers
            .iter()
            .map(|(key, value)| HeaderToWrite {
                key,
                value: value.as_deref(),
            })
            .collect();
        let record = Record {
            partition: record.partition,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &headers,
            timestamp: record.timestamp,
            ..Record::to(topic)
        };
        deliveries.push(producer.send(record).await.unwrap());
    }
    producer.flush().await;
    for delivery in deliveries {
        delivery.await.unwrap();
    }
}

async fn what_milena_wrote_is_read_back_identical_by_kafkas_console_consumer(kafka: &Kafka) {
    for compression in COMPRESSIONS {
        let topic = kafka.topic(1);
        let config = ProducerBuilder::new(kafka.bootstrap()).compression(compression);
        let producer = Producer::new(config.build().unwrap()).unwrap();
        let written: Vec<WriteRecord> = shapes()
            .into_iter()
            .map(|record| record.partition(0))
            .collect();
        write(&producer, &topic, &written).await;

        let read = kafka.console_consume(&topic, Isolation::ReadCommitted, written.len());
        let read: Vec<WriteRecord> = read.iter().map(comparable).collect();
        assert_eq!(read, written, "{compression:?}");
        let batches = kafka.dump_log(&topic, 0);
        let name = format!("{compression:?}").to_lowercase();
        assert!(
            batches
                .iter()
                .all(|batch| batch.is_valid && batch.compression == name)
        );
    }
}

async fn what_kafkas_producer_wrote_is_read_back_identical_by_milena(kafka: &Kafka) {
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = kafka.topic(1);
        let written: Vec<WriteRecord> = shapes()
            .into_iter()
            .map(|record| record.partition(0))
            .collect();
        kafka.java_produce(&topic, &written, &[("compression.type", compression)]);
        let read = support::read_all(kafka, &topic, 1, Isolation::ReadCommitted).await;
        let read: Vec<WriteRecord> = read.iter().map(comparable).collect();
        assert_eq!(read, written, "{compression}");
    }
}

async fn a_key_goes_where_kafkas_producer_puts_it(kafka: &Kafka) {
    let records: Vec<WriteRecord> = (0..200)
        .map(|n| WriteRecord::value("v").key(format!("key {n} {}", "x".repeat(n))))
        .collect();
    let (ours, theirs) = (kafka.topic(7), kafka.topic(7));
    write(&support::producer(kafka), &ours, &records).await;
    kafka.java_produce(&theirs, &records, &[]);
    let places = |topic: &str| {
        let read = kafka.java_consume(topic, Isolation::ReadCommitted);
        let mut places: Vec<_> = read.into_iter().map(|r| (r.key, r.partition)).collect();
        places.sort();
        places
    };
    assert_eq!(places(&ours), places(&theirs));
}

conformance!(
    with Java: "Kafka's own producer or consumer is the other side";
    a_key_goes_where_kafkas_producer_puts_it,
    what_kafkas_producer_wrote_is_read_back_identical_by_milena,
);
// The console consumer takes seconds a run: the newest, the oldest and the embedded broker will do.
conformance!(
    with Java: "Kafka's own consumer is the other side";
    on [embedded_tv2, kafka_4_4_0, kafka_4_3_1_tv2, kafka_3_9_2];
    what_milena_wrote_is_read_back_identical_by_kafkas_console_consumer
);
