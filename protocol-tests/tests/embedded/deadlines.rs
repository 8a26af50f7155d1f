//! Deadlines hold, and what is not known is called unknown.

use std::time::Duration;

use milena::config::ProducerBuilder;
use milena::{Record, TransactionalProducer};
use milena_broker::{Broker, Loss, Then, When};
use tokio::time::Instant;

use super::support::{Embedded, PATIENCE, PRODUCE, values};

const DELIVERY_TIMEOUT: Duration = Duration::from_secs(2);
/// How late a deadline may be noticed (L-28).
const LATE: Duration = Duration::from_millis(100);

fn impatience(builder: ProducerBuilder) -> ProducerBuilder {
    builder
        .request_timeout(Duration::from_secs(1))
        .delivery_timeout(DELIVERY_TIMEOUT)
}

fn impatient(embedded: &Embedded) -> milena::Producer {
    embedded.producer(impatience(embedded.producer_builder()))
}

/// L-28, P-70, P-75: whether the leader is silent from the start or in mid-air.
#[tokio::test(start_paused = true)]
async fn a_record_is_told_at_its_deadline_and_what_was_on_the_wire_is_unknown() {
    let embedded = Embedded::start(Broker::builder().topic("t", 1)).await;
    let producer = impatient(&embedded);
    let first = producer.send(Record::to("t").value(b"0")).await.unwrap();
    first.await.unwrap();
    let faults = embedded.broker.faults();
    faults.every(When::api(PRODUCE), Then::LoseRequest(Loss::Silence));
    let begin = Instant::now();
    let delivery = producer.send(Record::to("t").value(b"1")).await.unwrap();
    let error = delivery.await.unwrap_err();
    let took = begin.elapsed();
    assert!(error.is_outcome_unknown(), "{error:?}");
    assert!(
        took >= DELIVERY_TIMEOUT && took <= DELIVERY_TIMEOUT + LATE,
        "{took:?}"
    );
}

/// L-28: a flush ends with its last record.
#[tokio::test(start_paused = true)]
async fn a_flush_ends_at_the_deadline_of_its_records() {
    let embedded = Embedded::start(Broker::builder().topic("t", 1)).await;
    let producer = impatient(&embedded);
    let first = producer.send(Record::to("t").value(b"0")).await.unwrap();
    first.await.unwrap();
    embedded.broker.pause_broker(1).unwrap();
    let begin = Instant::now();
    let delivery = producer.send(Record::to("t").value(b"1")).await.unwrap();
    producer.flush().await;
    let took = begin.elapsed();
    assert!(took <= DELIVERY_TIMEOUT + LATE, "{took:?}");
    assert!(delivery.await.unwrap_err().is_outcome_unknown());
}

/// L-19: nothing hangs when a producer is closed under its records.
#[tokio::test(start_paused = true)]
async fn records_buffered_while_close_runs_fail_with_a_clear_error() {
    let embedded = Embedded::start(Broker::builder().topic("t", 1)).await;
    let producer = impatient(&embedded);
    producer
        .send(Record::to("t").value(b"0"))
        .await
        .unwrap()
        .await
        .unwrap();
    embedded.broker.pause_broker(1).unwrap();
    let mut deliveries = Vec::new();
    for _ in 0..100 {
        deliveries.push(producer.send(Record::to("t").value(b"1")).await.unwrap());
    }
    let begin = Instant::now();
    let closed = producer.close(Duration::from_millis(500)).await;
    assert!(closed.is_err(), "not everything was delivered");
    assert!(
        begin.elapsed() <= Duration::from_millis(500) + LATE,
        "{:?}",
        begin.elapsed()
    );
    for delivery in deliveries {
        let told = tokio::time::timeout(LATE, delivery).await.unwrap();
        told.unwrap_err();
    }
}

async fn write(producer: &mut TransactionalProducer, value: &str) {
    let transaction = producer.begin().await.unwrap();
    let record = Record::to("t").value(value.as_bytes());
    transaction.send(record).await.unwrap();
    transaction.commit().await.unwrap();
}

/// P-50, T-52: a batch got a sequence, found its connection gone, and ran out of time. Its transaction left nothing to
/// end at the coordinator, so the epoch stays; the next one has to be written all the same.
#[tokio::test(start_paused = true)]
async fn a_transaction_can_be_committed_after_one_that_an_outage_outlasted() {
    for transaction_version in 0..=2 {
        let builder = Broker::builder().transaction_version(transaction_version);
        let embedded = Embedded::start(builder.topic("t", 1)).await;
        let mut producer = embedded.transactional_with("writer", impatience).await;
        write(&mut producer, "before").await;
        let outage = producer.begin().await.unwrap();
        embedded.broker.stop_broker(1).await.unwrap();
        let lost = outage.send(Record::to("t").value(b"lost")).await.unwrap();
        let error = lost.await.unwrap_err();
        assert!(!error.is_outcome_unknown(), "{error:?}");
        embedded.broker.restart_broker(1).await.unwrap();
        outage.abort().await.unwrap();
        write(&mut producer, "after").await;
        let mut reader = embedded.reader("t", |config| config);
        assert_eq!(values(&mut reader, 2).await, ["before", "after"]);
    }
}

/// L-21: an operation that is dropped goes on, and the next call takes its outcome up.
#[tokio::test(start_paused = true)]
async fn a_dropped_commit_goes_on_and_stalls_nobody() {
    let embedded = Embedded::start(Broker::builder().topic("t", 1)).await;
    let mut producer = embedded.transactional("writer").await;
    let transaction = producer.begin().await.unwrap();
    transaction.send(Record::to("t").value(b"1")).await.unwrap();
    let end_txn = When::api(26);
    let delay = Then::DelayRequest(Duration::from_secs(3));
    embedded.broker.faults().once(end_txn, delay);
    let given_up = tokio::time::timeout(Duration::from_secs(1), transaction.commit()).await;
    given_up.unwrap_err();
    let outcome = tokio::time::timeout(PATIENCE, producer.outcome())
        .await
        .unwrap();
    assert!(outcome.unwrap().is_some());
    let mut reader = embedded.reader("t", |config| config);
    assert_eq!(values(&mut reader, 1).await, ["1"]);
}
