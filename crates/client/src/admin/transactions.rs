//! Transactions: list, describe.

use std::time::Duration;

use kafka_protocol::messages::describe_transactions_response::TransactionState;
use kafka_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ListTransactionsRequest,
    ListTransactionsResponse, MetadataRequest, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use milena_codec::ApiKey;
use milena_connection::{CoordinatorKind, Repetition, Target};

use super::Admin;
use super::call::{AdminRequest, Errors, Item, Naming, only};
use crate::error::Error;

/// A transactional id that a coordinator knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionListing {
    /// The id.
    pub transactional_id: String,
    /// The producer id that belongs to it now.
    pub producer_id: i64,
    /// The coordinator's word for its state: `Empty`, `Ongoing`, `PrepareCommit`, `PrepareAbort`,
    /// `CompleteCommit`, `CompleteAbort`, `Dead` or `PrepareEpochFence`.
    pub state: String,
    /// The broker that coordinates it.
    pub coordinator: i32,
}

/// What a coordinator knows of a transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionDescription {
    /// The coordinator's word for its state, as in [`TransactionListing::state`].
    pub state: String,
    /// The broker that coordinates it, where known.
    pub coordinator: Option<i32>,
    /// The producer id that belongs to it now.
    pub producer_id: i64,
    /// The producer epoch that is not fenced.
    pub producer_epoch: i16,
    /// How long a transaction may stay open before the coordinator aborts it.
    pub timeout: Duration,
    /// When the open transaction began, in milliseconds since 1970; `None` without one.
    pub started: Option<i64>,
    /// The partitions that the open transaction wrote to, as (topic, partition).
    pub partitions: Vec<(String, i32)>,
}

impl AdminRequest for ListTransactionsRequest {
    fn errors(response: &ListTransactionsResponse) -> Errors<'_> {
        Errors::Whole {
            code: response.error_code,
            message: None,
        }
    }

    fn throttle_ms(response: &ListTransactionsResponse) -> i32 {
        response.throttle_time_ms
    }
}

impl AdminRequest for DescribeTransactionsRequest {
    fn errors(_: &DescribeTransactionsResponse) -> Errors<'_> {
        Errors::PerItem
    }

    fn throttle_ms(response: &DescribeTransactionsResponse) -> i32 {
        response.throttle_time_ms
    }
}

impl Admin {
    /// The transactional ids of all coordinators, in no order; only those in one of `states` unless
    /// that is empty.
    ///
    /// # Errors
    /// Errors of any broker: a list with a coordinator missing would look complete.
    ///
    /// # Cancel safety
    /// Cancel safe: it only reads.
    #[doc(alias = "listTransactions")]
    pub async fn list_transactions<N: AsRef<str>>(
        &self,
        states: &[N],
    ) -> Result<Vec<TransactionListing>, Error> {
        let state = |state: &N| StrBytes::from_string(state.as_ref().to_owned());
        let request = ListTransactionsRequest::default()
            .with_state_filters(states.iter().map(state).collect())
            .with_duration_filter(-1);
        let mut repetition = self.repetition();
        let cluster = MetadataRequest::default().with_topics(Some(Vec::new()));
        let answered = self.ask(&mut repetition, &Target::Any, &cluster).await?;
        let mut listings = Vec::new();
        for broker in &answered.response.brokers {
            let coordinator = broker.node_id.0;
            repetition.on_progress();
            listings.extend(self.list_on(&mut repetition, coordinator, &request).await?);
        }
        Ok(listings)
    }

    async fn list_on(
        &self,
        repetition: &mut Repetition,
        coordinator: i32,
        request: &ListTransactionsRequest,
    ) -> Result<Vec<TransactionListing>, Error> {
        let target = Target::Broker(coordinator);
        let answered = self.ask(repetition, &target, request).await?;
        let response = answered.response;
        if let Some(unknown) = response.unknown_state_filters.first() {
            return Err(Error::misuse(format!(
                "no transaction state is called `{unknown}`"
            )));
        }
        let listing = response
            .transaction_states
            .into_iter()
            .map(|state| TransactionListing {
                transactional_id: state.transactional_id.to_string(),
                producer_id: state.producer_id.0,
                state: state.transaction_state.to_string(),
                coordinator,
            });
        Ok(listing.collect())
    }

    /// What its coordinator knows of each of these transactional ids.
    ///
    /// # Errors
    /// None for all of them; errors of one id, such as TRANSACTIONAL_ID_NOT_FOUND, are in its result.
    ///
    /// # Cancel safety
    /// Cancel safe: it only reads.
    #[doc(alias = "describeTransactions")]
    pub async fn describe_transactions<N: AsRef<str>>(
        &self,
        ids: &[N],
    ) -> Result<Vec<(String, Result<TransactionDescription, Error>)>, Error> {
        let mut described = Vec::with_capacity(ids.len());
        for id in ids {
            let id = id.as_ref();
            described.push((id.to_owned(), self.describe_transaction(id).await));
        }
        Ok(described)
    }

    async fn describe_transaction(&self, id: &str) -> Result<TransactionDescription, Error> {
        let build = |ids: &[String]| {
            let id = |id: &String| TransactionalId(StrBytes::from_string(id.clone()));
            DescribeTransactionsRequest::default()
                .with_transactional_ids(ids.iter().map(id).collect())
        };
        let read = |response: DescribeTransactionsResponse| {
            let item = |state: TransactionState| Item {
                name: state.transactional_id.to_string(),
                code: state.error_code,
                message: None,
                value: state,
            };
            response.transaction_states.into_iter().map(item).collect()
        };
        let target = Target::Coordinator(CoordinatorKind::Transaction, id.into());
        let (mut repetition, ids) = (self.repetition(), [id.to_owned()]);
        let naming = Naming::TransactionalId;
        let each = self
            .ask_each(&mut repetition, &target, naming, &ids, build, read)
            .await?;
        let state = only(each, ApiKey::DescribeTransactions)?;
        let coordinator = self
            .cluster
            .coordinator(CoordinatorKind::Transaction, id, repetition.deadline())
            .await;
        Ok(description(&state, coordinator.ok()))
    }
}

fn description(state: &TransactionState, coordinator: Option<i32>) -> TransactionDescription {
    let timeout = u64::try_from(state.transaction_timeout_ms).unwrap_or(0);
    let partitions = state.topics.iter().flat_map(|topic| {
        let name = topic.topic.to_string();
        topic
            .partitions
            .iter()
            .map(move |partition| (name.clone(), *partition))
    });
    let started = state.transaction_start_time_ms;
    TransactionDescription {
        state: state.transaction_state.to_string(),
        coordinator,
        producer_id: state.producer_id.0,
        producer_epoch: state.producer_epoch,
        timeout: Duration::from_millis(timeout),
        started: (started >= 0).then_some(started),
        partitions: partitions.collect(),
    }
}
