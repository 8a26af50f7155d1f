//! Brokers that lack what a producer needs: it says so at once, and what to do.

use std::time::Duration;

use milena::config::ProducerBuilder;
use milena::{Error, Record};
use milena_broker::{Broker, BrokerBuilder};
use tokio::time::Instant;

use super::support::{Embedded, PRODUCE};

const METADATA: i16 = 3;
const INIT_PRODUCER_ID: i16 = 22;
/// Far less than any time-out.
const AT_ONCE: Duration = Duration::from_secs(2);

async fn failure(
    broker: BrokerBuilder,
    change: impl FnOnce(ProducerBuilder) -> ProducerBuilder,
) -> Error {
    let embedded = Embedded::start(broker.topic("t", 1)).await;
    let producer = embedded.producer(change(embedded.producer_builder()));
    let begin = Instant::now();
    let error = match producer.send(Record::to("t").value(b"v")).await {
        Ok(delivery) => delivery.await.unwrap_err(),
        Err(error) => error,
    };
    assert!(
        begin.elapsed() < AT_ONCE,
        "{:?}: {error:?}",
        begin.elapsed()
    );
    error
}

/// The error and its causes.
fn chain(error: &Error) -> String {
    let mut chain = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        chain = format!("{chain}: {error}");
        cause = error.source();
    }
    chain
}

#[tokio::test(start_paused = true)]
async fn a_broker_without_producer_ids_is_reported_with_what_to_switch_off() {
    let broker = Broker::builder().serve_only(1, INIT_PRODUCER_ID, None);
    let chain = chain(&failure(broker, |config| config).await);
    assert!(chain.contains("InitProducerId"), "{chain}");
    assert!(chain.contains("enable.idempotence=false"), "{chain}");
    assert!(chain.contains("speaks no version"), "{chain}");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_knows_old_produce_versions_only_is_reported_with_its_versions() {
    let broker = Broker::builder()
        .serve_only(1, INIT_PRODUCER_ID, None)
        .serve_only(1, PRODUCE, Some(0..=2));
    let error = failure(broker, |config| config.enable_idempotence(false)).await;
    let chain = chain(&error);
    assert!(chain.contains("Produce") && chain.contains("3"), "{chain}");
    assert!(!error.is_outcome_unknown(), "{chain}");
}

#[tokio::test(start_paused = true)]
async fn a_broker_of_kafka_0_10_is_reported_in_words() {
    let broker = Broker::builder()
        .serve_only(1, INIT_PRODUCER_ID, None)
        .serve_only(1, METADATA, Some(0..=2))
        .serve_only(1, PRODUCE, Some(0..=2));
    let chain = chain(&failure(broker, |config| config.enable_idempotence(false)).await);
    assert!(!chain.contains("A field is set"), "{chain}");
    eprintln!("{chain}");
}
