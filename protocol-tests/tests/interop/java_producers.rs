//! Kafka's producers and its read_committed consumer.

use milena_broker::{Loss, Then, When};
use milena_protocol_tests::Isolation;
use serde_json::{Value, json};

use crate::embedded::{Embedded, JavaProducer, builder, java_on_embedded};

const PRODUCE: i16 = 0;
const END_TXN: i16 = 26;

/// Every compression, and a request that was done and not answered.
async fn an_idempotent_producer_writes_each_record_once() {
    let embedded = Embedded::with_topic("t", 3).await;
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let producer = JavaProducer::open(&embedded, json!({"compression.type": compression}));
        let lost = embedded
            .broker
            .faults()
            .once(When::api(PRODUCE), Then::LoseAnswer(Loss::Disconnect));
        for partition in 0..3 {
            producer
                .send_to("t", partition, &[compression, "again"])
                .unwrap();
        }
        assert_eq!(lost.count(), 1);
    }
    let each = ["none", "gzip", "snappy", "lz4", "zstd"].map(|c| [c, "again"]);
    let expected: Vec<_> = std::iter::repeat_n(each.concat(), 3).flatten().collect();
    assert_eq!(embedded.read("t", Isolation::ReadCommitted), expected);
}

/// Each `transaction.version`, with two brokers, so that leader and coordinator are apart.
async fn transactions_are_all_or_nothing_in_every_transaction_version() {
    for version in 0..=2 {
        let builder = builder().transaction_version(version).brokers(2);
        let embedded = Embedded::start(builder.topic("t", 2)).await;
        let producer = JavaProducer::transactional(&embedded, "tx");
        for (n, commit) in [(1, true), (2, false), (3, true)] {
            producer.begin().unwrap();
            for partition in 0..2 {
                producer
                    .send_to("t", partition, &[&format!("{n} in {partition}")])
                    .unwrap();
            }
            producer.send_offsets("g", "t", n).unwrap();
            let seen = embedded.read("t", Isolation::ReadCommitted).len();
            assert_eq!(seen, if n == 1 { 0 } else { 2 }, "nothing of it is visible");
            if commit {
                producer.commit().unwrap();
            } else {
                producer.abort().unwrap();
                assert_eq!(embedded.committed_offsets("g", "t"), [(0, 1)].into());
            }
        }
        // Reading the committed offsets waits for the markers.
        assert_eq!(embedded.committed_offsets("g", "t"), [(0, 3)].into());
        producer.begin().unwrap();
        producer.send_to("t", 0, &["4 in 0"]).unwrap();
        producer.send_to("t", 1, &["4 in 1"]).unwrap();
        assert_eq!(
            embedded.read("t", Isolation::ReadCommitted),
            ["1 in 0", "3 in 0", "1 in 1", "3 in 1"]
        );
        assert_eq!(embedded.read("t", Isolation::ReadUncommitted).len(), 8);
    }
}

async fn a_second_instance_fences_the_first_and_ends_its_transaction() {
    let embedded = Embedded::with_topic("t", 1).await;
    let first = JavaProducer::transactional(&embedded, "tx");
    first.begin().unwrap();
    first.send_to("t", 0, &["of the first"]).unwrap();
    let second = JavaProducer::transactional(&embedded, "tx");
    let refused = first.send_to("t", 0, &["late"]).unwrap_err().to_string();
    assert!(
        refused.contains("InvalidProducerEpoch") || refused.contains("ProducerFenced"),
        "{refused}"
    );
    first.commit().unwrap_err();
    second.begin().unwrap();
    second.send_to("t", 0, &["of the second"]).unwrap();
    second.commit().unwrap();
    assert_eq!(embedded.committed_offsets("none", "t"), [].into());
    assert_eq!(
        embedded.read("t", Isolation::ReadCommitted),
        ["of the second"]
    );
}

/// The commit was done and its answer lost: the client asks again and is told that it is done.
async fn a_commit_whose_answer_is_lost_is_repeated_and_done_once() {
    for version in 0..=2 {
        let builder = builder().transaction_version(version);
        let embedded = Embedded::start(builder.topic("t", 1)).await;
        let producer = JavaProducer::transactional(&embedded, "tx");
        for n in ["one", "two"] {
            producer.begin().unwrap();
            producer.send_to("t", 0, &[n]).unwrap();
            let lost = embedded
                .broker
                .faults()
                .once(When::api(END_TXN), Then::LoseAnswer(Loss::Disconnect));
            producer.commit().unwrap();
            assert_eq!(lost.count(), 1);
        }
        // Two records and two markers.
        assert_eq!(
            embedded.java::<Value>(
                "end_offsets",
                json!({"topic": "t", "isolation": "read_uncommitted"})
            ),
            json!({"0": 4})
        );
        assert_eq!(embedded.read("t", Isolation::ReadCommitted), ["one", "two"]);
    }
}

/// The finalized feature moves between two transactions of one producer.
async fn a_producer_goes_on_when_the_transaction_version_is_raised() {
    let embedded = Embedded::start(builder().transaction_version(0).topic("t", 1)).await;
    let producer = JavaProducer::transactional(&embedded, "tx");
    for (version, value) in [(0, "zero"), (1, "one"), (2, "two"), (2, "more")] {
        embedded.broker.set_transaction_version(version);
        producer.begin().unwrap();
        producer.send_to("t", 0, &[value]).unwrap();
        producer.commit().unwrap();
    }
    assert_eq!(embedded.committed_offsets("none", "t"), [].into());
    assert_eq!(
        embedded.read("t", Isolation::ReadCommitted),
        ["zero", "one", "two", "more"]
    );
}

java_on_embedded!(
    an_idempotent_producer_writes_each_record_once,
    transactions_are_all_or_nothing_in_every_transaction_version,
    a_second_instance_fences_the_first_and_ends_its_transaction,
    a_commit_whose_answer_is_lost_is_repeated_and_done_once,
    a_producer_goes_on_when_the_transaction_version_is_raised,
);
