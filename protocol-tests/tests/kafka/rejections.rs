//! What a producer makes of a leader that rejects records or batches.

use std::time::{Duration, SystemTime};

use kafka_protocol::messages::ApiKey;
use milena::config::ProducerBuilder;
use milena::{Error, Producer, Record, TransactionalProducer};
use milena_codec::ErrorCode;
use milena_protocol_tests::proxy::{Fault, Proxy, Rule};
use milena_protocol_tests::{Isolation, Kafka, ReadRecord, conformance};

use crate::support;

/// Retries at once: a test has many.
const BACKOFF: Duration = Duration::from_millis(2);

fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_millis()).unwrap()
}

/// KIP-467: one record of a batch is at fault, and the batch is appended as a whole or not at all.
async fn a_rejected_record_has_its_own_error_and_the_others_of_its_batch_may_be_sent_again(
    kafka: &Kafka,
) {
    let latest = ("message.timestamp.after.max.ms", "60000");
    let compact = ("cleanup.policy", "compact");
    for (setting, code) in [
        (latest, ErrorCode::InvalidTimestamp),
        (compact, ErrorCode::InvalidRecord),
    ] {
        let topic = kafka.topic_with(1, &[setting]);
        let config = ProducerBuilder::new(kafka.bootstrap()).linger(Duration::from_millis(200));
        let producer = Producer::new(config.build().unwrap()).unwrap();
        let mut deliveries = Vec::new();
        for number in 0..5 {
            let record = Record::to(&topic).value(b"v");
            let record = match (number, code) {
                (2, ErrorCode::InvalidTimestamp) => {
                    record.key(b"k").timestamp(now_millis() + 3_600_000)
                }
                (2, _) => record,
                _ => record.key(b"k"),
            };
            deliveries.push(producer.send(record).await.unwrap());
        }
        for (number, delivery) in deliveries.into_iter().enumerate() {
            let error = delivery.await.unwrap_err();
            assert_eq!(error.code(), Some(code), "{number}: {error:?}");
            if number == 2 {
                assert!(
                    matches!(
                        &error,
                        Error::Broker {
                            message: Some(_),
                            ..
                        }
                    ),
                    "its own message: {error:?}"
                );
            } else {
                let is_neighbour = matches!(error, Error::RejectedWithBatch { .. });
                assert!(is_neighbour && error.is_retriable(), "{number}: {error:?}");
            }
        }
        let again = Record::to(&topic).key(b"k").value(b"v");
        let delivery = producer.send(again).await.unwrap();
        assert_eq!(
            delivery.await.unwrap().offset,
            Some(0),
            "nothing was written"
        );
    }
}

fn builder(proxy: &Proxy) -> ProducerBuilder {
    ProducerBuilder::new(proxy.bootstrap())
        .linger(Duration::from_millis(1))
        .retry_backoff(BACKOFF, BACKOFF * 10)
        .reconnect_backoff(BACKOFF, BACKOFF * 10)
}

fn texts(records: &[ReadRecord]) -> Vec<String> {
    records.iter().map(ReadRecord::text).collect()
}

/// A value that is told from all others, long enough that a batch has some hundred.
fn value(number: u32) -> String {
    format!("{number:0>200}")
}

/// P-65, P-67: half of the responses that say that a batch is too large are lost.
async fn a_topic_with_a_smaller_limit_than_the_producers_loses_and_repeats_nothing_when_responses_are_lost(
    kafka: &Kafka,
) {
    const RECORDS: u32 = 3_000;
    let topic = kafka.topic_with(1, &[("max.message.bytes", "3000")]);
    let proxy = kafka.proxy();
    proxy.add(
        Rule::on(ApiKey::Produce).every(2).times(60),
        Fault::LoseAnswer,
    );
    let producer = Producer::new(builder(&proxy).build().unwrap()).unwrap();
    let mut deliveries = Vec::new();
    for number in 0..RECORDS {
        let value = value(number);
        let record = Record::to(&topic).value(value.as_bytes());
        deliveries.push(producer.send(record).await.unwrap());
    }
    for (number, delivery) in deliveries.into_iter().enumerate() {
        let offset = delivery.await.unwrap().offset;
        let expected = i64::try_from(number).unwrap();
        assert!(offset.is_none_or(|offset| offset == expected), "{number}");
    }
    let lost = proxy.seen().faults(Fault::LoseAnswer);
    assert!(lost >= 10, "{lost} responses were lost");
    let read = texts(&kafka.read(&topic, Isolation::ReadCommitted));
    assert!(
        read.iter()
            .eq((0..RECORDS).map(value).collect::<Vec<_>>().iter())
    );
}

/// The same in transactions: each is committed, none has to be aborted for it.
async fn a_transaction_on_a_topic_with_a_smaller_limit_than_the_producers_is_whole_when_responses_are_lost(
    kafka: &Kafka,
) {
    let topic = kafka.topic_with(1, &[("max.message.bytes", "3000")]);
    let proxy = kafka.proxy();
    proxy.add(
        Rule::on(ApiKey::Produce).every(2).times(20),
        Fault::LoseAnswer,
    );
    let config = builder(&proxy).transactional_id(topic.as_str());
    let mut producer = TransactionalProducer::start(config.build().unwrap())
        .await
        .unwrap();
    let mut number = 0;
    for _ in 0..4 {
        let transaction = producer.begin().await.unwrap();
        for _ in 0..300 {
            let value = value(number);
            let record = Record::to(&topic).value(value.as_bytes());
            transaction.send(record).await.unwrap();
            number += 1;
        }
        transaction.commit().await.unwrap();
    }
    support::await_stable(kafka, &topic).await;
    let read = texts(&kafka.read(&topic, Isolation::ReadCommitted));
    assert!(
        read.iter()
            .eq((0..number).map(value).collect::<Vec<_>>().iter())
    );
}

conformance! {
    a_rejected_record_has_its_own_error_and_the_others_of_its_batch_may_be_sent_again,
    a_topic_with_a_smaller_limit_than_the_producers_loses_and_repeats_nothing_when_responses_are_lost,
    a_transaction_on_a_topic_with_a_smaller_limit_than_the_producers_is_whole_when_responses_are_lost,
}
