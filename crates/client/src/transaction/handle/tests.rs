//! What the handles tell when nobody answers.

use std::error::Error as _;
use std::io;

use milena_connection::test_support::Network;

use super::*;
use crate::config::ProducerBuilder;
use crate::producer::driver::Driver;
use crate::transaction::TransactionVersion;
use crate::transaction::tests::Txn;
use crate::types::TopicPartition;

/// A producer with an open transaction, and its other end; no broker is to be had.
fn producer() -> (TransactionalProducer, Driver) {
    let config = ProducerBuilder::new(["localhost:1"]).build().unwrap();
    let cluster = crate::client::Client::new(config.client.clone())
        .unwrap()
        .handle();
    let open = Transacting::over(Txn::written(TransactionVersion::Two).machine);
    let transactional = Some((Arc::from("payments"), open));
    let (core, driver) = start(config, transactional, cluster, 1);
    let producer = TransactionalProducer {
        core: Arc::new(core),
        transaction: 1,
        last: Arc::default(),
    };
    (producer, driver)
}

fn open(producer: &mut TransactionalProducer) -> Transaction<'_> {
    let (core, last) = (Arc::clone(&producer.core), Arc::clone(&producer.last));
    Transaction {
        owned: OwnedTransaction::new(core, last, producer.transaction),
        producer: PhantomData,
    }
}

fn offsets() -> Vec<OffsetToCommit> {
    vec![OffsetToCommit {
        partition: TopicPartition::new("orders", 0),
        offset: 5,
        leader_epoch: None,
        metadata: None,
    }]
}

/// T-66: they may have been committed, and they still are under way.
#[tokio::test(start_paused = true)]
async fn offsets_that_nobody_answered_in_time_have_an_unknown_outcome() {
    let (mut producer, driver) = producer();
    tokio::spawn(driver.run());
    let transaction = open(&mut producer);
    let group = GroupMetadata::unmanaged("billing");
    let late = transaction.send_offsets(offsets(), group.clone()).await;
    let late = late.unwrap_err();
    assert!(late.is_outcome_unknown(), "{late:?}");
    assert!(late.source().is_some(), "L-30: {late:?}");
    let again = transaction.send_offsets(offsets(), group).await;
    assert!(matches!(again, Err(Error::Misuse { .. })), "{again:?}");
}

/// Nothing was changed: the producer's task never heard of them.
#[tokio::test(start_paused = true)]
async fn offsets_that_could_not_be_handed_over_in_time_may_be_sent_again() {
    let (mut producer, driver) = producer();
    fill_commands(&producer);
    let transaction = open(&mut producer);
    let group = GroupMetadata::unmanaged("billing");
    let late = transaction.send_offsets(offsets(), group).await;
    let late = late.unwrap_err();
    assert!(late.is_retriable(), "{late:?}");
    drop(driver);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_nobody_answered_in_time_is_unknown_and_tells_why() {
    let (mut producer, driver) = producer();
    tokio::spawn(driver.run());
    let transaction = open(&mut producer);
    let late = transaction.commit().await.unwrap_err();
    assert!(late.is_outcome_unknown(), "{late:?}");
    assert!(late.source().is_some(), "L-30: {late:?}");
    assert!(producer.last.is_in_doubt());
}

/// Its transaction was dropped, and is aborted like any that is.
#[tokio::test(start_paused = true)]
async fn a_commit_that_could_not_be_handed_over_in_time_did_not_happen() {
    let (mut producer, driver) = producer();
    fill_commands(&producer);
    let transaction = open(&mut producer);
    let late = transaction.commit().await.unwrap_err();
    assert!(matches!(late, Error::Timeout { .. }), "{late:?}");
    assert!(!producer.last.is_in_doubt());
    assert!(producer.core.shared.standing.take_abort_request());
    drop(driver);
}

/// No more commands fit until the driver takes some.
fn fill_commands(producer: &TransactionalProducer) {
    let commands = &producer.core.commands;
    while commands.capacity() > 0 {
        let (done, _) = tokio::sync::oneshot::channel();
        let outcome = Command::Transaction(Request::Outcome(done));
        commands.try_send(outcome).unwrap();
    }
}

fn config() -> TransactionalProducerConfig {
    let builder = ProducerBuilder::new(["boot:9092"]).transactional_id("payments");
    builder.max_block(Duration::from_secs(5)).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_start_that_reaches_nobody_in_time_tells_why() {
    let network = Network::new();
    network.refuse("boot:9092", io::ErrorKind::ConnectionRefused);
    let started = TransactionalProducer::start_with_connector(config(), network.connector()).await;
    let error = started.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(one) = cause {
        causes.push(one.to_string());
        cause = one.source();
    }
    let told = causes.iter().any(|cause| cause.contains("boot:9092"));
    assert!(told, "L-30: {causes:?}");
}

/// L-30: the cause, at once.
#[tokio::test(start_paused = true)]
async fn a_start_on_a_port_that_speaks_tls_fails_at_once_and_says_so() {
    let network = Network::new();
    let asked = tokio::time::Instant::now();
    let start = TransactionalProducer::start_with_connector(config(), network.connector());
    let tls = async {
        loop {
            let mut peer = network.accept("boot:9092").await;
            peer.send(&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46]).await;
        }
    };
    let error = tokio::select! {
        started = start => started.unwrap_err(),
        () = tls => unreachable!(),
    };
    assert!(matches!(error, Error::WrongListener { .. }), "{error:?}");
    assert!(asked.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_owned_transaction_keeps_the_next_from_beginning_until_it_is_dropped() {
    let (mut producer, driver) = producer();
    let (core, last) = (Arc::clone(&producer.core), Arc::clone(&producer.last));
    let owned = OwnedTransaction::new(core, last, 1);
    let error = producer.begin_owned().await.unwrap_err();
    assert!(matches!(error, Error::Misuse { .. }), "{error:?}");
    let error = producer.begin().await.unwrap_err();
    assert!(matches!(error, Error::Misuse { .. }), "{error:?}");
    drop(owned);
    assert!(producer.core.shared.standing.take_abort_request());
    assert!(!producer.last.is_open.load(Ordering::Acquire));
    drop(driver);
}
