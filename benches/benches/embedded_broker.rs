//! The embedded broker beside a client of milena's, in one process and over loopback: how fast it starts, and
//! how many records of 1 KB go through it.
//!
//! The targets are a start in less than 50 ms and 100,000 records a second.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a bench that cannot do what it measures is broken"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use milena::config::{ConsumerBuilder, ProducerBuilder};
use milena::consumer::{OffsetReset, TopicPartition};
use milena::{Producer, Record};
use milena_broker::Broker;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const TOPIC: &str = "t";
const PARTITIONS: i32 = 4;
const RECORD_BYTES: usize = 1_000;
/// Records of one measurement.
const RECORDS: usize = 100_000;
/// The broker's memory is bounded, so old records go.
const RETENTION_BYTES: &str = "50000000";

async fn broker(brokers: i32) -> Broker {
    let retention = [("retention.bytes", RETENTION_BYTES)];
    Broker::builder()
        .brokers(brokers)
        .topic_with(TOPIC, PARTITIONS, None, retention)
        .start()
        .await
        .expect("it starts")
}

/// Waits for every record's acknowledgement.
async fn produce(producer: &Producer, value: &'static [u8], records: usize) {
    let mut last = Vec::new();
    for _ in 0..records {
        let delivery = producer.send(Record::to(TOPIC).value(value)).await;
        last.push(delivery.expect("there is room"));
    }
    for delivery in last {
        delivery.await.expect("it is acknowledged");
    }
}

async fn read(bootstrap: Vec<String>, records: usize) {
    let config = ConsumerBuilder::new(bootstrap)
        .offset_reset(OffsetReset::Earliest)
        .build()
        .unwrap();
    let mut consumer = milena::Consumer::new(config).unwrap();
    let partitions: Vec<_> = (0..PARTITIONS)
        .map(|partition| TopicPartition::new(TOPIC, partition))
        .collect();
    consumer.assign(&partitions).unwrap();
    let mut seen = 0;
    while seen < records {
        seen += consumer.poll(Duration::from_secs(10)).await.unwrap().len();
    }
    consumer.close().await;
}

fn start(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("start");
    for brokers in [1, 3] {
        group.bench_function(format!("{brokers} brokers"), |bencher| {
            bencher.iter(|| runtime.block_on(broker(brokers)));
        });
    }
}

fn records(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let value: &'static [u8] = &[b'x'; RECORD_BYTES];
    let mut group = criterion.benchmark_group("records of 1 KB");
    group.sample_size(10);
    group.measurement_time(Duration::from_secs(15));
    group.throughput(Throughput::Elements(RECORDS as u64));
    let broker = runtime.block_on(broker(1));
    let config = ProducerBuilder::new(broker.addresses()).build().unwrap();
    let producer = runtime.block_on(async { Producer::new(config) }).unwrap();
    group.bench_function("written", |bencher| {
        bencher.iter(|| runtime.block_on(produce(&producer, value, RECORDS)));
    });
    // As many as are certainly kept.
    let kept = RECORDS / 4;
    group.throughput(Throughput::Elements(kept as u64));
    group.bench_function("read", |bencher| {
        bencher.iter_custom(|times| {
            let began = Instant::now();
            for _ in 0..times {
                runtime.block_on(read(broker.addresses(), kept));
            }
            began.elapsed()
        });
    });
}

criterion_group!(benches, start, records);
criterion_main!(benches);
