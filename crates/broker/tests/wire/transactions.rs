//! Transactions from Produce to visible, and what can get in between.

use crate::raw::{Produce, Raw, checked, start, text};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, GroupId, OffsetFetchRequest, ProducerId, TopicName, TransactionalId,
    TxnOffsetCommitRequest,
};
use milena_broker::{Broker, Entry, ErrorCode, Event, TransactionState};
use milena_codec::{ProducerEpoch, ProducerIdentity};
use std::time::Duration;

fn transactional(producer: ProducerIdentity, sequence: i32) -> Produce<'static> {
    Produce {
        transactional_id: Some("tx"),
        producer,
        sequence,
        ..Produce::default()
    }
}

fn is_marker(entry: &Entry) -> bool {
    matches!(entry.event, Event::MarkerWritten { .. })
}

/// T-60, D-50: decided is not visible.
#[tokio::test]
async fn a_commit_is_visible_only_when_its_marker_is_written() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let producer = raw.init("tx").await.unwrap();
    broker.hold_markers("t", 0, true).unwrap();
    assert_eq!(raw.produce(&transactional(producer, 0)).await.error_code, 0);
    let ended = raw.end("tx", producer, true).await;
    assert_eq!((ended.error_code, ended.producer_epoch), (0, 1));
    assert_eq!(
        broker.transaction_state("tx"),
        Some(TransactionState::PrepareCommit)
    );
    let fetched = raw.fetch("t", 0, true).await;
    assert_eq!((fetched.last_stable_offset, fetched.high_watermark), (0, 1));
    assert_eq!(raw.init("tx").await, Err(ErrorCode::ConcurrentTransactions));
    // The next transaction waits for the markers of the last one, and not for ever.
    let next = ProducerIdentity::new(producer.producer_id, ProducerEpoch(1));
    let waited = raw.produce(&transactional(next, 0)).await;
    assert_eq!(waited.error_code, ErrorCode::ConcurrentTransactions.code());

    broker.hold_markers("t", 0, false).unwrap();
    broker.history().wait_for(0, is_marker).await;
    let fetched = raw.fetch("t", 0, true).await;
    assert_eq!(fetched.last_stable_offset, 2);
    assert_eq!(raw.produce(&transactional(next, 0)).await.error_code, 0);
}

/// T-71, T-72, D-54, L-14: the coordinator's own abort.
#[tokio::test]
async fn a_transaction_that_takes_too_long_is_aborted_by_its_coordinator() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let producer = raw.init("tx").await.unwrap();
    raw.produce(&transactional(producer, 0)).await;
    broker.clock().advance(Duration::from_secs(55));
    assert_eq!(
        broker.transaction_state("tx"),
        Some(TransactionState::Ongoing)
    );
    broker.clock().advance(Duration::from_secs(20));
    broker.history().wait_for(0, is_marker).await;
    assert_eq!(
        broker.transaction_state("tx"),
        Some(TransactionState::CompleteAbort)
    );
    let late = raw.produce(&transactional(producer, 1)).await;
    assert_eq!(late.error_code, ErrorCode::InvalidProducerEpoch.code());
    let commit = raw.end("tx", producer, true).await;
    assert_eq!(commit.error_code, ErrorCode::InvalidTxnState.code());
    let abort = raw.end("tx", producer, false).await;
    assert_eq!(
        (abort.error_code, abort.producer_epoch),
        (0, 1),
        "it may go on"
    );
    let fetched = raw.fetch("t", 0, true).await;
    assert_eq!(fetched.aborted_transactions.unwrap().len(), 1);
}

/// D-44: what was decided is carried out by the next coordinator.
#[tokio::test]
async fn a_decided_transaction_survives_its_coordinator() {
    let builder = Broker::builder()
        .brokers(2)
        .topic("t", 1)
        .marker_delay(Duration::from_secs(10));
    let broker = &builder.in_memory().start().await.unwrap();
    let kind = milena_broker::CoordinatorKind::Transaction;
    broker.move_coordinator(kind, "tx", 2).unwrap();
    let mut raw = Raw::connect_to(broker, 2);
    let producer = raw.init("tx").await.unwrap();
    Raw::connect_to(broker, 1)
        .produce(&transactional(producer, 0))
        .await;
    assert_eq!(raw.end("tx", producer, true).await.error_code, 0);
    broker.stop_broker(2).await.unwrap();
    assert_eq!(broker.coordinator(kind, "tx"), Some(1));
    broker.clock().advance(Duration::from_secs(10));
    broker.history().wait_for(0, is_marker).await;
    assert_eq!(
        broker.transaction_state("tx"),
        Some(TransactionState::CompleteCommit)
    );
}

#[tokio::test]
async fn expired_ids_and_producers_can_be_had_at_once() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let producer = raw.init("tx").await.unwrap();
    raw.produce(&transactional(producer, 0)).await;
    assert!(!broker.expire_transactional_id("tx"), "it is open");
    raw.end("tx", producer, true).await;
    broker.history().wait_for(0, is_marker).await;
    assert_eq!(
        broker.expire_producer("t", 0, producer.producer_id),
        Ok(true)
    );
    assert!(broker.expire_transactional_id("tx"));
    let next = ProducerIdentity::new(producer.producer_id, ProducerEpoch(1));
    let unknown = raw.produce(&transactional(next, 0)).await;
    assert_eq!(
        unknown.error_code,
        ErrorCode::InvalidProducerIdMapping.code()
    );
}

/// P-63, D-59.
#[tokio::test]
async fn the_end_of_the_epochs_brings_a_new_producer_id() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let producer = raw.init("tx").await.unwrap();
    assert!(broker.set_producer_epoch("tx", ProducerEpoch(32_766)));
    let last = ProducerIdentity::new(producer.producer_id, ProducerEpoch(32_766));
    raw.produce(&transactional(last, 0)).await;
    let ended = raw.end("tx", last, true).await;
    assert_eq!(checked(ended.error_code), Ok(()));
    assert_ne!(ended.producer_id.0, producer.producer_id.0);
    assert_eq!(ended.producer_epoch, 0);
}

async fn commit_offset(raw: &mut Raw, producer: ProducerIdentity, offset: i64) -> i16 {
    let partition = TxnOffsetCommitRequestPartition::default()
        .with_partition_index(0)
        .with_committed_offset(offset);
    let topic = TxnOffsetCommitRequestTopic::default()
        .with_name(TopicName(text("t")))
        .with_partitions(vec![partition]);
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(TransactionalId(text("tx")))
        .with_group_id(GroupId(text("g")))
        .with_producer_id(ProducerId(producer.producer_id.0))
        .with_producer_epoch(producer.producer_epoch.0)
        .with_generation_id(-1)
        .with_topics(vec![topic]);
    let answer = raw.call(5, &request).await;
    answer.topics[0].partitions[0].error_code
}

async fn fetch_offset(raw: &mut Raw, stable: bool) -> (i16, i64) {
    let topic = OffsetFetchRequestTopics::default()
        .with_name(TopicName(text("t")))
        .with_partition_indexes(vec![0]);
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(text("g")))
        .with_member_id(None)
        .with_member_epoch(-1)
        .with_topics(Some(vec![topic]));
    let request = OffsetFetchRequest::default()
        .with_groups(vec![group])
        .with_require_stable(stable);
    let answer = raw.call(9, &request).await;
    let partition = &answer.groups[0].topics[0].partitions[0];
    (partition.error_code, partition.committed_offset)
}

/// G-71, G-72, D-83.
#[tokio::test]
async fn an_offset_in_a_transaction_is_unstable_until_its_marker() {
    let builder = Broker::builder()
        .topic("t", 1)
        .marker_delay(Duration::from_secs(10));
    let broker = &builder.in_memory().start().await.unwrap();
    let mut raw = Raw::connect(broker);
    let producer = raw.init("tx").await.unwrap();
    assert_eq!(commit_offset(&mut raw, producer, 12).await, 0);
    let unstable = (ErrorCode::UnstableOffsetCommit.code(), -1);
    assert_eq!(fetch_offset(&mut raw, true).await, unstable);
    assert_eq!(raw.end("tx", producer, true).await.error_code, 0);
    assert_eq!(
        fetch_offset(&mut raw, true).await,
        unstable,
        "decided, and not written"
    );
    assert_eq!(fetch_offset(&mut raw, false).await, (0, -1));
    broker.clock().advance(Duration::from_secs(10));
    broker.history().wait_for(0, is_marker).await;
    assert_eq!(fetch_offset(&mut raw, true).await, (0, 12));
    let old = commit_offset(&mut raw, producer, 13).await;
    assert_eq!(old, ErrorCode::InvalidProducerEpoch.code());
}

/// As Kafka does with a marker that its partition's log refuses: the coordinator gives up, and the id hangs.
#[tokio::test]
async fn a_transaction_whose_marker_is_refused_stays_decided_until_its_coordinator_moves() {
    let builder = Broker::builder().brokers(2).topic("t", 1).in_memory();
    let broker = &builder.start().await.unwrap();
    let kind = milena_broker::CoordinatorKind::Transaction;
    let coordinator = broker.coordinator(kind, "tx").unwrap();
    let mut raw = Raw::connect_to(broker, coordinator);
    let producer = raw.init("tx").await.unwrap();
    let topic = AddPartitionsToTxnTopic::default()
        .with_name(TopicName(text("t")))
        .with_partitions(vec![0]);
    let add = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(TransactionalId(text("tx")))
        .with_v3_and_below_producer_id(ProducerId(producer.producer_id.0))
        .with_v3_and_below_producer_epoch(producer.producer_epoch.0)
        .with_v3_and_below_topics(vec![topic]);
    let added = raw.call(3, &add).await;
    let added = &added.results_by_topic_v3_and_below[0].results_by_partition[0];
    assert_eq!(added.partition_error_code, 0);
    // Beside its transaction, and in an epoch that nobody gave it.
    let made_up = Produce {
        producer: ProducerIdentity::new(producer.producer_id, ProducerEpoch(5)),
        sequence: 0,
        ..Produce::default()
    };
    let leader = broker.leader("t", 0).unwrap().0;
    let mut at_leader = Raw::connect_to(broker, leader);
    assert_eq!(at_leader.produce(&made_up).await.error_code, 0);
    assert_eq!(raw.end("tx", producer, true).await.error_code, 0);
    broker.clock().advance(Duration::from_secs(60));
    assert_eq!(raw.init("tx").await, Err(ErrorCode::ConcurrentTransactions));
    assert_eq!(
        broker.transaction_state("tx"),
        Some(TransactionState::PrepareCommit)
    );

    assert_eq!(
        broker.expire_producer("t", 0, producer.producer_id),
        Ok(true)
    );
    broker.clock().advance(Duration::from_secs(60));
    assert_eq!(
        broker.transaction_state("tx"),
        Some(TransactionState::PrepareCommit),
        "nobody asks again"
    );
    let number = broker.history().next_number();
    broker
        .move_coordinator(kind, "tx", 3 - coordinator)
        .unwrap();
    broker.history().wait_for(number, is_marker).await;
    assert_eq!(
        broker.transaction_state("tx"),
        Some(TransactionState::CompleteCommit)
    );
}
