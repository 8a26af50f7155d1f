//! The fault proxy before real brokers, with Kafka's own producer as the one who suffers.

use kafka_protocol::messages::ApiKey;
use milena_protocol_tests::proxy::{Fault, Rule};
use milena_protocol_tests::{Isolation, Kafka, ReadRecord, WriteRecord, conformance};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

fn numbered(count: usize) -> Vec<WriteRecord> {
    (0..count)
        .map(|number| WriteRecord::value(number.to_string()))
        .collect()
}

fn read(kafka: &Kafka, topic: &str) -> Vec<String> {
    kafka
        .java_consume(topic, Isolation::ReadCommitted)
        .iter()
        .map(ReadRecord::text)
        .collect()
}

async fn every_kind_of_cut_leaves_an_idempotent_producer_with_each_record_once(kafka: &Kafka) {
    let topic = kafka.topic(1);
    let proxy = kafka.proxy();
    let faults = [
        Fault::LoseAnswer,
        Fault::LoseRequest,
        Fault::CutRequest { after: 40 },
        Fault::CutAnswer { after: 9 },
        Fault::DelayAnswer(Duration::from_millis(20)),
        Fault::Replay {
            after: Duration::ZERO,
        },
    ];
    for (place, fault) in (1..).zip(faults) {
        proxy.add(Rule::on(ApiKey::Produce).skip(place * 3), fault);
    }
    let bootstrap = proxy.bootstrap().join(",");
    let records = numbered(200);
    kafka.java_produce(
        &topic,
        &records,
        &[
            ("bootstrap.servers", &bootstrap),
            // Small batches make many requests.
            ("batch.size", "200"),
            // One at a time, or a cut takes the next request's fault with it.
            ("max.in.flight.requests.per.connection", "1"),
        ],
    );
    let seen = proxy.seen();
    for fault in faults {
        assert_eq!(seen.faults(fault), 1, "{fault:?} of {seen:?}");
    }
    let expected: Vec<_> = (0..200).map(|number| number.to_string()).collect();
    assert_eq!(read(kafka, &topic), expected);
}

async fn a_held_commit_reaches_the_broker_late(kafka: &Kafka) {
    let topic = kafka.topic(1);
    let proxy = kafka.proxy();
    proxy.add(Rule::on(ApiKey::EndTxn), Fault::Hold);
    let producer = kafka.java_producer(&[
        ("bootstrap.servers", &proxy.bootstrap().join(",")),
        ("transactional.id", &topic),
    ]);
    producer.begin().unwrap();
    producer.send(&topic, &numbered(1)).unwrap();
    // The producer asks again on a new connection, and that request is not held.
    producer.commit().unwrap();
    assert_eq!(read(kafka, &topic), ["0"]);
    let held = proxy.held(SOON);
    let correlation_id = held.request().correlation_id;
    let answer = held.release().unwrap();
    assert_eq!(answer[..4], correlation_id.to_be_bytes());
}

conformance!(
    with Java: "Kafka's own producer is the one who suffers";
    every_kind_of_cut_leaves_an_idempotent_producer_with_each_record_once,
    a_held_commit_reaches_the_broker_late,
);
