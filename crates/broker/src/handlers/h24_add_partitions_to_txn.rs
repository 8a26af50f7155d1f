//! AddPartitionsToTxn: clients of versions 0 and 1 before they produce; brokers for everybody else.

use super::{Api, Context, Reply, Subject};
use crate::Time;
use crate::cluster::Cluster;
use crate::cluster::nodes::CoordinatorKind;
use crate::txn_coordinator::TxnPartition;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};
use milena_codec::{ErrorCode, ProducerEpoch, ProducerId, ProducerIdentity};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

pub(super) struct AddPartitionsToTxn;

/// From this version on a request is about many transactions.
const BATCHED_SINCE: i16 = 4;
/// Before this version a fenced producer was told INVALID_PRODUCER_EPOCH.
const TELLS_FENCED_SINCE: i16 = 2;

impl Api for AddPartitionsToTxn {
    type Request = AddPartitionsToTxnRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=5;
    const PER_PARTITION: bool = true;

    async fn answer(
        context: &Context,
        request: AddPartitionsToTxnRequest,
    ) -> Reply<AddPartitionsToTxnResponse> {
        let transactions = transactions(&request, context.api_version);
        let results = context.shared.with(|cluster, now| {
            cluster.wake_timer();
            let each = transactions.iter();
            each.map(|transaction| add(cluster, context, transaction, now))
                .collect()
        });
        Reply::Answer(respond(results, context.api_version))
    }

    fn refuse(
        request: &AddPartitionsToTxnRequest,
        api_version: i16,
        code: ErrorCode,
    ) -> AddPartitionsToTxnResponse {
        let transactions = transactions(request, api_version);
        let results = transactions
            .iter()
            .map(|transaction| result(transaction, |_, _| code));
        respond(results.collect(), api_version)
    }

    fn subject(request: &AddPartitionsToTxnRequest) -> Subject {
        // Which of the two forms is used, nobody but the version knows; the other one is empty.
        let mut subject = Subject::default();
        let batched = request.transactions.iter();
        let ids = batched
            .clone()
            .map(|transaction| &transaction.transactional_id);
        let id = ids.chain([&request.v3_and_below_transactional_id]).next();
        subject.transactional_id = id.map(|id| id.to_string());
        let topics = batched.flat_map(|transaction| &transaction.topics);
        for topic in topics.chain(&request.v3_and_below_topics) {
            subject.add(
                &topic.name,
                uuid::Uuid::nil(),
                topic.partitions.iter().copied(),
            );
        }
        subject
    }
}

fn transactions(
    request: &AddPartitionsToTxnRequest,
    api_version: i16,
) -> Vec<AddPartitionsToTxnTransaction> {
    if api_version >= BATCHED_SINCE {
        return request.transactions.clone();
    }
    vec![
        AddPartitionsToTxnTransaction::default()
            .with_transactional_id(request.v3_and_below_transactional_id.clone())
            .with_producer_id(request.v3_and_below_producer_id)
            .with_producer_epoch(request.v3_and_below_producer_epoch)
            .with_topics(request.v3_and_below_topics.clone()),
    ]
}

fn respond(results: Vec<AddPartitionsToTxnResult>, api_version: i16) -> AddPartitionsToTxnResponse {
    let response = AddPartitionsToTxnResponse::default();
    if api_version >= BATCHED_SINCE {
        return response.with_results_by_transaction(results);
    }
    let only = results.into_iter().next().unwrap_or_default();
    response.with_results_by_topic_v3_and_below(only.topic_results)
}

/// An answer with a code for each partition.
fn result(
    transaction: &AddPartitionsToTxnTransaction,
    mut code: impl FnMut(&AddPartitionsToTxnTopic, i32) -> ErrorCode,
) -> AddPartitionsToTxnResult {
    let topics = transaction.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*partition)
                .with_partition_error_code(code(topic, *partition).code())
        });
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(partitions.collect())
    });
    AddPartitionsToTxnResult::default()
        .with_transactional_id(transaction.transactional_id.clone())
        .with_topic_results(topics.collect())
}

fn add(
    cluster: &mut Cluster,
    context: &Context,
    transaction: &AddPartitionsToTxnTransaction,
    now: Time,
) -> AddPartitionsToTxnResult {
    let known = |cluster: &Cluster, topic: &str, partition| {
        let found = cluster.topic(topic);
        found.is_some_and(|(_, topic)| topic.partition(partition).is_some())
    };
    let wrong = |cluster: &Cluster, topic: &str, partition| {
        let injected = context.injected.for_partition(topic, partition);
        let exists = known(cluster, topic, partition);
        injected.or_else(|| (!exists).then_some(ErrorCode::UnknownTopicOrPartition))
    };
    let mut partitions = Vec::new();
    let mut refused = false;
    for topic in &transaction.topics {
        let name: Arc<str> = Arc::from(topic.name.as_str());
        for partition in &topic.partitions {
            refused |= wrong(cluster, &topic.name, *partition).is_some();
            partitions.push(TxnPartition {
                topic: name.clone(),
                partition: *partition,
            });
        }
    }
    if refused {
        // T-50: all or nothing.
        return result(transaction, |topic, partition| {
            let code = wrong(cluster, &topic.name, partition);
            code.unwrap_or(ErrorCode::OperationNotAttempted)
        });
    }
    match ask(cluster, context.broker_id, transaction, &partitions, now) {
        Ok(codes) => {
            let mut codes = partitions
                .into_iter()
                .zip(codes)
                .collect::<BTreeMap<_, _>>();
            result(transaction, |topic, partition| {
                let key = TxnPartition {
                    topic: Arc::from(topic.name.as_str()),
                    partition,
                };
                codes.remove(&key).unwrap_or(ErrorCode::None)
            })
        }
        Err(ErrorCode::ProducerFenced) if context.api_version < TELLS_FENCED_SINCE => {
            result(transaction, |_, _| ErrorCode::InvalidProducerEpoch)
        }
        Err(code) => result(transaction, |_, _| code),
    }
}

fn ask(
    cluster: &mut Cluster,
    broker_id: i32,
    transaction: &AddPartitionsToTxnTransaction,
    partitions: &[TxnPartition],
    now: Time,
) -> Result<Vec<ErrorCode>, ErrorCode> {
    let id = transaction.transactional_id.as_str();
    let producer = ProducerIdentity::new(
        ProducerId(transaction.producer_id.0),
        ProducerEpoch(transaction.producer_epoch),
    );
    let seat = cluster.seat(CoordinatorKind::Transaction, id);
    seat.check(broker_id, now)?;
    let coordinator = &mut cluster.transactions;
    if !transaction.verify_only {
        coordinator.add_partitions(id, producer, partitions.iter().cloned(), now)?;
        return Ok(vec![ErrorCode::None; partitions.len()]);
    }
    let members = coordinator.verify_partitions(id, producer, partitions)?;
    let code = |member| {
        if member {
            ErrorCode::None
        } else {
            ErrorCode::TransactionAbortable
        }
    };
    Ok(members.into_iter().map(code).collect())
}
