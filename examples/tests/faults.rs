//! Tests of an application's own code against a broker that fails on request.
//!
//! What is tested here is [`place_order`]; in your project it is in another file. Each test has a broker of its own, which starts in
//! milliseconds and ends with it, so tests run side by side.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use milena::consumer::Position;
use milena::{Client, ClientBuilder, Error, Record, TopicPartition, TransactionalProducer};
use milena_broker::{ApiKey, Broker, ErrorCode, Loss, Then, When};

/// What became of an order, as the application's customer has to hear it.
#[derive(Debug, PartialEq, Eq)]
enum Placed {
    Confirmed,
    Rejected,
    /// To be looked up before anything is done again.
    Unknown,
    /// Another instance serves this id now.
    Superseded,
}

/// The order and its invoice, both or neither.
async fn place_order(producer: &mut TransactionalProducer, order: &str) -> Result<Placed, Error> {
    let transaction = producer.begin().await?;
    for topic in ["orders", "invoices"] {
        let record = Record::to(topic).partition(0).value(order.as_bytes());
        let _delivery = transaction.send(record).await?;
    }
    match transaction.commit().await {
        Ok(()) => Ok(Placed::Confirmed),
        Err(error) if error.is_fenced() => Ok(Placed::Superseded),
        Err(error) if error.is_outcome_unknown() => Ok(Placed::Unknown),
        Err(_) => Ok(Placed::Rejected),
    }
}

async fn broker() -> Broker {
    let broker = Broker::builder().topic("orders", 1).topic("invoices", 1);
    broker.start().await.unwrap()
}

async fn producer(broker: &Broker) -> TransactionalProducer {
    impatient_producer(broker, Duration::from_secs(30)).await
}

/// A producer that waits for a response, and lets its caller wait, no longer than this.
async fn impatient_producer(broker: &Broker, longest: Duration) -> TransactionalProducer {
    let config = ClientBuilder::new(broker.addresses()).request_timeout(longest);
    let client = Client::connect(config.build().unwrap()).await.unwrap();
    let shop = client.transactional("shop-1").max_block(longest);
    shop.start().await.unwrap()
}

/// The orders that a reader of committed records sees.
async fn orders(broker: &Broker) -> Vec<String> {
    let config = ClientBuilder::new(broker.addresses()).build().unwrap();
    let client = Client::connect(config).await.unwrap();
    let mut consumer = client.consumer().start().unwrap();
    let partition = TopicPartition::new("orders", 0);
    consumer.assign(std::slice::from_ref(&partition)).unwrap();
    consumer.seek(&partition, Position::Earliest).unwrap();
    let mut orders = Vec::new();
    while consumer.lag(&partition).unwrap() != Some(0) {
        let records = consumer.poll(Duration::from_secs(1)).await.unwrap();
        let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap()).into_owned();
        orders.extend(records.iter().map(|record| text(record.value)));
    }
    orders
}

#[tokio::test]
async fn an_order_is_placed_once_when_responses_are_lost() {
    let broker = broker().await;
    let mut producer = producer(&broker).await;
    let lost = broker.faults().times(
        2,
        When::api(ApiKey::Produce),
        Then::LoseAnswer(Loss::Disconnect),
    );
    let placed = place_order(&mut producer, "3 apples").await.unwrap();
    assert_eq!(placed, Placed::Confirmed);
    assert_eq!(lost.count(), 2);
    assert_eq!(orders(&broker).await, ["3 apples"]);
}

#[tokio::test]
async fn an_order_waits_for_a_new_leader() {
    let broker = broker().await;
    let mut producer = producer(&broker).await;
    let no_leader = broker.faults().times(
        3,
        When::api(ApiKey::Produce).topic("orders"),
        Then::Answer(ErrorCode::NotLeaderOrFollower),
    );
    let placed = place_order(&mut producer, "3 apples").await.unwrap();
    assert_eq!(placed, Placed::Confirmed);
    assert_eq!(no_leader.count(), 3);
}

#[tokio::test]
async fn an_order_that_the_broker_rejects_leaves_no_invoice() {
    let broker = broker().await;
    let mut producer = producer(&broker).await;
    broker.faults().once(
        When::api(ApiKey::Produce).topic("orders"),
        Then::Answer(ErrorCode::TopicAuthorizationFailed),
    );
    let placed = place_order(&mut producer, "3 apples").await.unwrap();
    assert_eq!(placed, Placed::Rejected);
    assert_eq!(
        place_order(&mut producer, "2 pears").await.unwrap(),
        Placed::Confirmed
    );
}

#[tokio::test]
async fn an_order_whose_commit_is_not_answered_is_unknown_until_it_is_known() {
    let broker = broker().await;
    let mut producer = impatient_producer(&broker, Duration::from_millis(500)).await;
    let silent = broker
        .faults()
        .every(When::api(ApiKey::EndTxn), Then::LoseRequest(Loss::Silence));
    let placed = place_order(&mut producer, "3 apples").await.unwrap();
    assert_eq!(placed, Placed::Unknown);
    silent.remove();
    let outcome = loop {
        match producer.outcome().await {
            Ok(outcome) => break outcome,
            Err(error) => assert!(error.is_outcome_unknown(), "{}", error.report()),
        }
    };
    assert_eq!(outcome, Some(milena::TransactionOutcome::Committed));
}

#[tokio::test]
async fn an_old_instance_stops_when_a_new_one_has_taken_over() {
    let broker = broker().await;
    let mut old = producer(&broker).await;
    let mut new = producer(&broker).await;
    assert_eq!(
        place_order(&mut new, "3 apples").await.unwrap(),
        Placed::Confirmed
    );
    assert_eq!(
        place_order(&mut old, "3 apples").await.unwrap(),
        Placed::Superseded
    );
}
