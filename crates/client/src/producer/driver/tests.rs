//! How a producer ends, with no broker to be had.

use std::time::Duration;

use super::super::handle::{Core, start};
use super::super::queue::Unsent;
use super::super::record::Record;
use super::super::sender::PartitionId;
use super::super::sender::failure::Failure;
use super::*;
use crate::config::ProducerBuilder;
use crate::error::Error;
use crate::transaction::TransactionVersion;
use crate::transaction::tests::Txn;

/// The two ends of a producer that knows a topic and reaches nobody.
fn producer(transacting: Option<Transacting>) -> (Core, Driver) {
    let config = ProducerBuilder::new(["localhost:1"]).build().unwrap();
    let cluster = crate::client::Client::new(config.client.clone())
        .unwrap()
        .handle();
    let transactional = transacting.map(|transacting| (Arc::from("payments"), transacting));
    let (core, driver) = start(config, transactional, cluster, 1);
    core.shared.register("orders", 1);
    (core, driver)
}

/// L-19: a runtime that is shut down drops its tasks wherever they are.
#[tokio::test]
async fn records_do_not_outlive_the_task_that_delivers_them() {
    let (core, driver) = producer(None);
    let sent = core.send(&Record::to("orders").value(b"1"), 0).await;
    let delivery = sent.unwrap();
    drop(driver);
    let result = delivery.try_result().expect("nobody else can tell");
    assert!(matches!(result, Err(Error::Closed { .. })), "{result:?}");
    let late = core.send(&Record::to("orders").value(b"2"), 0).await;
    assert!(matches!(late, Err(Error::Closed { .. })));
}

#[tokio::test(start_paused = true)]
async fn closing_a_producer_that_had_failed_tells_why() {
    let (core, driver) = producer(None);
    let reason = Error::broker(
        ErrorCode::ClusterAuthorizationFailed,
        milena_codec::ApiKey::InitProducerId,
        None,
    );
    core.shared.end(reason.into_fatal());
    tokio::spawn(driver.run());
    let closed = core.close(Duration::from_secs(1)).await;
    assert!(matches!(closed, Err(Error::Fatal { .. })), "{closed:?}");
}

/// T-76: by then the coordinator has aborted the transaction by itself.
#[tokio::test(start_paused = true)]
async fn a_transaction_that_nobody_holds_and_no_broker_ends_is_given_up_at_its_timeout() {
    let open = Txn::written(TransactionVersion::Two).machine;
    let (core, driver) = producer(Some(Transacting::over(open)));
    drop(core);
    let within = Duration::from_secs(120);
    let ended = tokio::time::timeout(within, driver.run()).await;
    ended.expect("its task ends");
}

/// T-15: its callers hear that it failed, and a commit must not go on without it.
#[tokio::test]
async fn a_batch_that_can_not_be_compressed_leaves_its_transaction_with_the_abort_only() {
    let open = Txn::written(TransactionVersion::Two).machine;
    let (core, mut driver) = producer(Some(Transacting::over(open)));
    driver.collect_wakeups(now());
    let sent = core.send(&Record::to("orders").value(b"1"), 1).await;
    let delivery = sent.unwrap();
    let pending = driver.queues[0].lock().clear().remove(0);
    let cause = milena_codec::EncodeError::Compression {
        codec: "lz4",
        reason: "no".to_owned(),
    };
    let error = super::super::accumulator::unencodable("orders", cause);
    let unsent = Unsent {
        partition: PartitionId(0),
        completion: pending.completion,
        created: pending.created,
        failure: Failure::unsendable(Arc::new(error)),
    };
    driver.complete_unsent(now(), vec![unsent]);
    assert!(matches!(
        delivery.try_result(),
        Some(Err(Error::Misuse { .. }))
    ));
    let late = core.send(&Record::to("orders").value(b"2"), 1).await;
    assert!(late.unwrap_err().is_abortable());
}
