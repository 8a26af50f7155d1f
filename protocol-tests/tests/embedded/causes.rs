//! Every public call of a producer, failed in every way: the error's chain ends with what stood in the way.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use milena::config::{Acks, ProducerBuilder};
use milena::{Error, Producer, Record};
use milena_broker::{Broker, BrokerBuilder, Loss, Then, When};
use milena_codec::ErrorCode;
use milena_connection::{BrokerAddress, ConnectFuture, Connector};

use super::support::{Embedded, PRODUCE};

const METADATA: i16 = 3;
const INIT_PRODUCER_ID: i16 = 22;

/// Each error from the outermost to the last cause.
fn chain(error: &Error) -> Vec<String> {
    let mut chain = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        chain.push(error.to_string());
        cause = error.source();
    }
    chain
}

fn assert_names(error: &Error, expected: &str) {
    let chain = chain(error);
    assert!(chain.len() > 1, "without a cause: {chain:?}");
    let is_named = chain.iter().skip(1).any(|cause| cause.contains(expected));
    assert!(is_named, "{expected:?} is not in {chain:?}");
}

fn quick(builder: ProducerBuilder) -> ProducerBuilder {
    builder
        .request_timeout(Duration::from_secs(1))
        .delivery_timeout(Duration::from_secs(3))
        .max_block(Duration::from_secs(3))
}

async fn start(builder: BrokerBuilder) -> (Embedded, Producer) {
    let embedded = Embedded::start(builder).await;
    let producer = embedded.producer(quick(embedded.producer_builder()));
    (embedded, producer)
}

fn one_topic() -> BrokerBuilder {
    Broker::builder().topic("t", 1)
}

async fn deliver(producer: &Producer) -> Result<(), Error> {
    let delivery = producer.send(Record::to("t").value(b"v")).await?;
    delivery.await.map(drop)
}

/// Ways in which a broker keeps a record from being delivered, and what the cause must say.
fn ways() -> Vec<(When, Then, &'static str)> {
    let silent = || Then::LoseRequest(Loss::Silence);
    let cut = || Then::LoseRequest(Loss::Disconnect);
    let code = Then::Answer;
    vec![
        (When::api(PRODUCE), silent(), "Produce"),
        (When::api(PRODUCE), cut(), "Produce"),
        (
            When::api(PRODUCE),
            code(ErrorCode::NotEnoughReplicas),
            "NOT_ENOUGH_REPLICAS",
        ),
        (
            When::api(PRODUCE),
            code(ErrorCode::NotLeaderOrFollower),
            "NOT_LEADER_OR_FOLLOWER",
        ),
        (When::api(INIT_PRODUCER_ID), silent(), "InitProducerId"),
        (When::api(INIT_PRODUCER_ID), cut(), "InitProducerId"),
        (
            When::api(INIT_PRODUCER_ID),
            code(ErrorCode::CoordinatorLoadInProgress),
            "COORDINATOR_LOAD_IN_PROGRESS",
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_timed_out_names_what_stood_in_the_way() {
    for (when, then, expected) in ways() {
        let (embedded, producer) = start(one_topic()).await;
        embedded.broker.faults().every(when, then);
        let error = deliver(&producer).await.unwrap_err();
        assert!(matches!(error, Error::DeliveryTimeout { .. }), "{error:?}");
        assert_names(&error, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_timed_out_names_what_stood_in_the_way_and_so_does_each_record() {
    for (when, then, expected) in ways() {
        let (embedded, producer) = start(one_topic()).await;
        embedded.broker.faults().every(when, then);
        let delivery = producer.send(Record::to("t").value(b"v")).await.unwrap();
        let error = producer.close(Duration::from_secs(2)).await.unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
        let named = chain(&error).concat().contains(expected);
        let error = delivery.await.unwrap_err();
        if error.is_outcome_unknown() {
            assert!(named, "{expected:?} is not the cause of the close");
            assert_names(&error, expected);
        } else {
            assert!(matches!(error, Error::Closed { .. }), "{error:?}");
        }
    }
}

/// A buffer that stays full is not the cause of itself.
#[tokio::test(start_paused = true)]
async fn a_send_without_room_names_what_keeps_the_buffer_full() {
    let embedded = Embedded::start(one_topic()).await;
    let builder = embedded.producer_builder().buffer_memory(64 * 1024);
    let builder = quick(builder).delivery_timeout(Duration::from_secs(60));
    let producer = embedded.producer(builder);
    embedded
        .broker
        .faults()
        .every(When::api(PRODUCE), Then::LoseRequest(Loss::Disconnect));
    let value = vec![0; 60 * 1024];
    let record = Record::to("t").value(&value);
    let _delivery = producer.send(record).await.unwrap();
    let error = producer.send(record).await.unwrap_err();
    assert!(matches!(error, Error::BufferFull { .. }), "{error:?}");
    assert_names(&error, "Produce");
}

#[tokio::test(start_paused = true)]
async fn a_send_to_an_unknown_topic_names_it() {
    let (_embedded, producer) = start(one_topic()).await;
    let error = producer.send(Record::to("nowhere").value(b"v")).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::UnknownTopicOrPartition));
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_send_without_metadata_says_why_there_is_none() {
    for then in [
        Then::LoseRequest(Loss::Silence),
        Then::LoseRequest(Loss::Disconnect),
    ] {
        let (embedded, producer) = start(one_topic()).await;
        embedded.broker.faults().every(When::api(METADATA), then);
        let error = deliver(&producer).await.unwrap_err();
        let chain = chain(&error).join(" <- ");
        assert!(chain.contains("Metadata"), "{chain}");
    }
}

/// A connector to nowhere but the first address: what brokers advertise cannot be reached.
#[derive(Debug)]
struct OnlyBootstrap(Embedded);

impl Connector for OnlyBootstrap {
    fn connect<'a>(&'a self, address: &'a BrokerAddress) -> ConnectFuture<'a> {
        if address.host == "bootstrap" {
            let broker = self.0.broker.addresses()[0].clone();
            let (host, port) = broker.rsplit_once(':').unwrap();
            let transport = self.0.broker.connect(host, port.parse().unwrap());
            return Box::pin(async move { Ok(Box::new(transport?) as _) });
        }
        Box::pin(async { Err(std::io::Error::other("no route to host")) })
    }
}

#[tokio::test(start_paused = true)]
async fn brokers_that_are_advertised_under_a_dead_name_are_the_cause_of_a_delivery_timeout() {
    for acks in [Acks::All, Acks::Leader, Acks::NoneMayLose] {
        let embedded = Embedded::start(one_topic()).await;
        let connector = Arc::new(OnlyBootstrap(embedded));
        let builder = quick(ProducerBuilder::new(["bootstrap:9092"])).acks(acks);
        let producer = Producer::with_connector(builder.build().unwrap(), connector).unwrap();
        let error = deliver(&producer).await.unwrap_err();
        assert!(matches!(error, Error::DeliveryTimeout { .. }), "{error:?}");
        assert_names(&error, "no route to host");
    }
}

/// The rejection that ends a producer is about one partition; what else it had to send names that one too.
#[tokio::test(start_paused = true)]
async fn a_rejection_that_ends_the_producer_names_the_partition_it_was_about() {
    let embedded = Embedded::start(one_topic().topic("other", 1)).await;
    let producer = embedded.producer(quick(embedded.producer_builder()));
    let denied = Then::Answer(ErrorCode::ClusterAuthorizationFailed);
    deliver(&producer).await.unwrap();
    embedded.broker.faults().every(When::api(PRODUCE), denied);
    let error = deliver(&producer).await.unwrap_err();
    assert!(error.to_string().contains("t-0"), "{error}");
    let later = producer.send(Record::to("other").value(b"v")).await;
    let later = chain(&later.unwrap_err()).concat();
    assert!(later.contains("t-0") && !later.contains("--1"), "{later}");
}
