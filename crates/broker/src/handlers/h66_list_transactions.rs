//! ListTransactions: the transactional ids that this broker coordinates.

use super::{Api, Context, Reply, text};
use crate::cluster::nodes::CoordinatorKind;
use crate::pattern::Pattern;
use crate::txn_coordinator::TransactionState;
use kafka_protocol::messages::list_transactions_response::TransactionState as ListedState;
use kafka_protocol::messages::{
    ListTransactionsRequest, ListTransactionsResponse, ProducerId as WireProducerId,
    TransactionalId,
};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;
use std::time::Duration;

pub(super) struct ListTransactions;

const STATES: [TransactionState; 6] = [
    TransactionState::Empty,
    TransactionState::Ongoing,
    TransactionState::PrepareCommit,
    TransactionState::PrepareAbort,
    TransactionState::CompleteCommit,
    TransactionState::CompleteAbort,
];
/// Names that Kafka knows besides; no transaction is ever seen in such a state.
const PASSING_STATES: [&str; 2] = ["Dead", "PrepareEpochFence"];

impl Api for ListTransactions {
    type Request = ListTransactionsRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=2;

    async fn answer(
        context: &Context,
        request: ListTransactionsRequest,
    ) -> Reply<ListTransactionsResponse> {
        let names = request.state_filters.iter();
        let known = |name: &str| {
            STATES.iter().any(|state| state.name() == name) || PASSING_STATES.contains(&name)
        };
        let unknown = names.clone().filter(|name| !known(name)).cloned().collect();
        let wanted_state = |state: TransactionState| {
            request.state_filters.is_empty() || names.clone().any(|name| **name == *state.name())
        };
        let wanted_producer = |id: i64| {
            let filters = &request.producer_id_filters;
            filters.is_empty() || filters.iter().any(|filter| filter.0 == id)
        };
        // KIP-1152.
        let pattern = request.transactional_id_pattern.as_deref();
        let pattern = pattern.filter(|pattern| !pattern.is_empty());
        let pattern = match pattern.map(Pattern::new).transpose() {
            Ok(pattern) => pattern,
            Err(code) => return Reply::Answer(Self::refuse(&request, context.api_version, code)),
        };
        let wanted_id = |id: &str| pattern.as_ref().is_none_or(|pattern| pattern.matches(id));
        let open_for = u64::try_from(request.duration_filter).map(Duration::from_millis);
        let listed = context.shared.with(|cluster, now| {
            let ours = |id: &str| {
                let seat = cluster.seat(CoordinatorKind::Transaction, id);
                seat.check(context.broker_id, now).is_ok()
            };
            let transactions = cluster.transactions.iter().filter(|(id, transaction)| {
                let long_enough = match (open_for, transaction.started()) {
                    (Ok(wanted), Some(started)) => now.since(started) > wanted,
                    (Ok(_), None) | (Err(_), _) => true,
                };
                ours(id)
                    && wanted_id(id)
                    && wanted_state(transaction.state())
                    && wanted_producer(transaction.producer().producer_id.0)
                    && long_enough
            });
            let listed = transactions.map(|(id, transaction)| {
                ListedState::default()
                    .with_transactional_id(TransactionalId(text(id)))
                    .with_producer_id(WireProducerId(transaction.producer().producer_id.0))
                    .with_transaction_state(text(transaction.state().name()))
            });
            listed.collect()
        });
        Reply::Answer(
            ListTransactionsResponse::default()
                .with_unknown_state_filters(unknown)
                .with_transaction_states(listed),
        )
    }

    fn refuse(_: &ListTransactionsRequest, _: i16, code: ErrorCode) -> ListTransactionsResponse {
        ListTransactionsResponse::default().with_error_code(code.code())
    }
}
