//! milena's producers behind a network that fails: what is acknowledged is there, once, and in order.

use std::time::Duration;

use kafka_protocol::messages::ApiKey;
use milena::config::ProducerBuilder;
use milena::{Producer, Record, TransactionalProducer};
use milena_protocol_tests::proxy::{Fault, Proxy, Rule};
use milena_protocol_tests::{Isolation, Kafka, ReadRecord, conformance};

use crate::support::{self, PATIENCE};

/// Retries at once: a test has hundreds.
const BACKOFF: Duration = Duration::from_millis(2);

fn builder(proxy: &Proxy) -> ProducerBuilder {
    ProducerBuilder::new(proxy.bootstrap())
        .linger(Duration::ZERO)
        .retry_backoff(BACKOFF, BACKOFF * 10)
        .reconnect_backoff(BACKOFF, BACKOFF * 10)
}

fn texts(records: &[ReadRecord], partition: i32) -> Vec<String> {
    records
        .iter()
        .filter(|r| r.partition == partition)
        .map(ReadRecord::text)
        .collect()
}

async fn two_hundred_lost_answers_leave_no_duplicate_and_no_gap(kafka: &Kafka) {
    const CUTS: u64 = 200;
    let topic = kafka.topic(2);
    let proxy = kafka.proxy();
    proxy.add(
        Rule::on(ApiKey::Produce).every(3).always(),
        Fault::LoseAnswer,
    );
    let producer = Producer::new(builder(&proxy).build().unwrap()).unwrap();

    let mut sent = [Vec::new(), Vec::new()];
    let mut deliveries = Vec::new();
    let mut number = 0_u32;
    while proxy.seen().faults(Fault::LoseAnswer) < CUTS {
        for _ in 0..20 {
            let partition = number % 2;
            let value = format!("{number}");
            let place = i32::try_from(partition).unwrap();
            let record = Record::to(&topic).partition(place).value(value.as_bytes());
            deliveries.push(producer.send(record).await.unwrap());
            sent[partition as usize].push(value);
            number += 1;
        }
        producer.flush().await;
    }
    proxy.clear();
    let mut offsets = [Vec::new(), Vec::new()];
    for delivery in deliveries {
        let record = delivery.await.unwrap();
        offsets[usize::try_from(record.partition).unwrap()].push(record.offset.unwrap());
    }

    let read = kafka.read(&topic, Isolation::ReadCommitted);
    for (partition, sent) in (0..).zip(&sent) {
        assert_eq!(
            &texts(&read, partition),
            sent,
            "each once, in order (P-21, D-7)"
        );
    }
    for offsets in offsets {
        let expected: Vec<i64> = (0..).take(offsets.len()).collect();
        assert_eq!(offsets, expected, "each acknowledged with its own offset");
    }
    eprintln!("{number} records through {CUTS} lost answers");
}

async fn every_cut_of_a_transaction_leaves_it_whole_or_absent(kafka: &Kafka) {
    const TRANSACTIONS: usize = 120;
    let topic = kafka.topic(3);
    let proxy = kafka.proxy();
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    for (place, api) in (0..).zip([
        ApiKey::Produce,
        ApiKey::EndTxn,
        ApiKey::AddPartitionsToTxn,
        ApiKey::InitProducerId,
        ApiKey::FindCoordinator,
    ]) {
        for (fault, chance) in [
            (Fault::LoseAnswer, 0.06),
            (Fault::LoseRequest, 0.06),
            (Fault::CutAnswer { after: 5 }, 0.03),
            (Fault::CutRequest { after: 30 }, 0.03),
        ] {
            proxy.add(Rule::on(api).with_chance(chance, seed + place), fault);
        }
    }
    let config = builder(&proxy)
        .transactional_id(topic.as_str())
        .build()
        .unwrap();
    let mut producer = TransactionalProducer::start(config).await.unwrap();
    let mut committed = Vec::new();
    for number in 0..TRANSACTIONS {
        let transaction = producer.begin().await.unwrap();
        let value = format!("{number}");
        for partition in 0..3 {
            let record = Record::to(&topic)
                .partition(partition)
                .value(value.as_bytes());
            transaction.send(record).await.unwrap();
        }
        if number % 4 == 3 {
            transaction.abort().await.unwrap();
        } else {
            transaction.commit().await.unwrap();
            committed.push(value);
        }
    }
    producer.close(PATIENCE).await.unwrap();
    proxy.clear();

    support::await_stable(kafka, &topic).await;
    let read = kafka.read(&topic, Isolation::ReadCommitted);
    for partition in 0..3 {
        assert_eq!(
            texts(&read, partition),
            committed,
            "partition {partition}, seed {seed}"
        );
    }
}

/// KAFKA-17754: the copy of an EndTxn that arrives late must not end the next transaction (T-65, D-36, D-37).
async fn a_commit_that_arrives_late_does_not_end_the_next_transaction(kafka: &Kafka) {
    let topic = kafka.topic(1);
    let proxy = kafka.proxy();
    proxy.add(Rule::on(ApiKey::EndTxn), Fault::Hold);
    let config = builder(&proxy)
        .transactional_id(topic.as_str())
        .build()
        .unwrap();
    let mut producer = TransactionalProducer::start(config).await.unwrap();
    let first = producer.begin().await.unwrap();
    first
        .send(Record::to(&topic).value(b"first"))
        .await
        .unwrap();
    first.commit().await.unwrap();

    let second = producer.begin().await.unwrap();
    second
        .send(Record::to(&topic).value(b"second"))
        .await
        .unwrap()
        .await
        .unwrap();
    // What the broker says to the late copy is its own affair.
    drop(proxy.held(PATIENCE).release());
    second
        .send(Record::to(&topic).value(b"after the late commit"))
        .await
        .unwrap()
        .await
        .unwrap();
    second.abort().await.unwrap();

    support::await_stable(kafka, &topic).await;
    let read = kafka.read(&topic, Isolation::ReadCommitted);
    assert_eq!(texts(&read, 0), ["first"]);
}

conformance!(
    a_commit_that_arrives_late_does_not_end_the_next_transaction,
    every_cut_of_a_transaction_leaves_it_whole_or_absent,
);
conformance!(
    on [embedded_tv2, embedded_tv0, kafka_4_4_0, kafka_4_3_1_tv2, kafka_3_9_2];
    two_hundred_lost_answers_leave_no_duplicate_and_no_gap
);
