//! DescribeTransactions: where transactional ids stand.

use super::{Api, Context, Reply, Subject, text};
use crate::Time;
use crate::cluster::Cluster;
use crate::cluster::nodes::CoordinatorKind;
use kafka_protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use kafka_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ProducerId as WireProducerId,
    TopicName, TransactionalId,
};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct DescribeTransactions;

impl Api for DescribeTransactions {
    type Request = DescribeTransactionsRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=0;

    async fn answer(
        context: &Context,
        request: DescribeTransactionsRequest,
    ) -> Reply<DescribeTransactionsResponse> {
        let states = context.shared.with(|cluster, now| {
            let ids = request.transactional_ids.iter();
            ids.map(|id| {
                describe(cluster, context.broker_id, id, now)
                    .unwrap_or_else(|code| failed(id, code))
            })
            .collect()
        });
        Reply::Answer(DescribeTransactionsResponse::default().with_transaction_states(states))
    }

    fn refuse(
        request: &DescribeTransactionsRequest,
        _: i16,
        code: ErrorCode,
    ) -> DescribeTransactionsResponse {
        let ids = request.transactional_ids.iter();
        let refused = ids.map(|id| failed(id, code)).collect();
        DescribeTransactionsResponse::default().with_transaction_states(refused)
    }

    fn subject(request: &DescribeTransactionsRequest) -> Subject {
        Subject {
            transactional_id: request.transactional_ids.first().map(|id| id.to_string()),
            ..Subject::default()
        }
    }
}

fn failed(id: &TransactionalId, code: ErrorCode) -> TransactionState {
    TransactionState::default()
        .with_transactional_id(id.clone())
        .with_error_code(code.code())
}

fn describe(
    cluster: &Cluster,
    broker_id: i32,
    id: &TransactionalId,
    now: Time,
) -> Result<TransactionState, ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let seat = cluster.seat(CoordinatorKind::Transaction, id);
    seat.check(broker_id, now)?;
    let Some(transaction) = cluster.transactions.transaction(id) else {
        return Err(ErrorCode::TransactionalIdNotFound);
    };
    let mut topics: Vec<TopicData> = Vec::new();
    for partition in transaction.partitions() {
        match topics.last_mut() {
            Some(last) if *last.topic.0 == *partition.topic => {
                last.partitions.push(partition.partition);
            }
            Some(_) | None => topics.push(
                TopicData::default()
                    .with_topic(TopicName(text(&partition.topic)))
                    .with_partitions(vec![partition.partition]),
            ),
        }
    }
    let producer = transaction.producer();
    let timeout_ms = i32::try_from(transaction.timeout().as_millis()).unwrap_or(i32::MAX);
    Ok(TransactionState::default()
        .with_transactional_id(id.clone())
        .with_transaction_state(text(transaction.state().name()))
        .with_transaction_timeout_ms(timeout_ms)
        .with_transaction_start_time_ms(transaction.started().map_or(-1, Time::unix_millis))
        .with_producer_id(WireProducerId(producer.producer_id.0))
        .with_producer_epoch(producer.producer_epoch.0)
        .with_topics(topics))
}
