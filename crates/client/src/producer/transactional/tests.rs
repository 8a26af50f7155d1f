//! What the handles tell when nobody answers.

use milena_connection::TcpConnector;

use super::super::driver::Driver;
use super::*;
use crate::config::ProducerBuilder;
use crate::consumer::TopicPartition;
use crate::transaction::TransactionVersion;
use crate::transaction::tests::Txn;

/// A producer with an open transaction, and its other end; no broker is to be had.
fn producer() -> (TransactionalProducer, Driver) {
    let config = ProducerBuilder::new(["localhost:1"]).build().unwrap();
    let cluster = runtime::cluster(&config.client, Arc::new(TcpConnector::new())).unwrap();
    let open = Transacting::over(Txn::written(TransactionVersion::Two).machine);
    let transactional = Some((Arc::from("payments"), open));
    let (core, driver) = start(config, transactional, cluster, 1);
    let producer = TransactionalProducer {
        core: Arc::new(core),
        transaction: 1,
        is_in_doubt: false,
    };
    (producer, driver)
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
    let transaction = Transaction {
        producer: &mut producer,
        ended: false,
    };
    let group = GroupMetadata::unmanaged("billing");
    let late = transaction.send_offsets(offsets(), group.clone()).await;
    let late = late.unwrap_err();
    assert!(late.is_outcome_unknown(), "{late:?}");
    let again = transaction.send_offsets(offsets(), group).await;
    assert!(matches!(again, Err(Error::Misuse { .. })), "{again:?}");
}

/// Nothing was changed: the producer's task never heard of them.
#[tokio::test(start_paused = true)]
async fn offsets_that_could_not_be_handed_over_in_time_may_be_sent_again() {
    let (mut producer, driver) = producer();
    let core = Arc::clone(&producer.core);
    while core.commands.capacity() > 0 {
        let (done, _) = tokio::sync::oneshot::channel();
        let outcome = Command::Transaction(Request::Outcome(done));
        core.commands.try_send(outcome).unwrap();
    }
    let transaction = Transaction {
        producer: &mut producer,
        ended: false,
    };
    let group = GroupMetadata::unmanaged("billing");
    let late = transaction.send_offsets(offsets(), group).await;
    let late = late.unwrap_err();
    assert!(late.is_retriable(), "{late:?}");
    drop(driver);
}
