//! Transactions: list, describe.

use std::time::Duration;

use kafka_protocol::messages::describe_transactions_response::TransactionState;
use kafka_protocol::messages::{
    DescribeTransactionsRequest, ListTransactionsRequest, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use milena_codec::{ApiKey, ErrorCode};
use milena_connection::{CoordinatorKind, Target, TopicsWanted};

use super::Admin;
use super::call::{Answered, refused};
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
        let snapshot = self.cluster.refresh(TopicsWanted::None).await?;
        let mut listings = Vec::new();
        for broker in snapshot.brokers() {
            listings.extend(self.list_on(broker.broker_id, &request).await?);
        }
        Ok(listings)
    }

    async fn list_on(
        &self,
        coordinator: i32,
        request: &ListTransactionsRequest,
    ) -> Result<Vec<TransactionListing>, Error> {
        let mut attempts = self.attempts();
        let response = loop {
            let answer = self
                .ask(Target::Broker(coordinator), request.clone(), &mut attempts)
                .await?;
            let code = answer.response.error_code;
            match refused(code, ApiKey::ListTransactions, answer.broker, "", None) {
                Ok(()) => break answer.response,
                Err(error) => attempts.again_after(error).await?,
            }
        };
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
        let transactional_id = TransactionalId(StrBytes::from_string(id.to_owned()));
        let request =
            DescribeTransactionsRequest::default().with_transactional_ids(vec![transactional_id]);
        let mut attempts = self.attempts();
        loop {
            let target = Target::Coordinator(CoordinatorKind::Transaction, id.into());
            let Answered { response, broker } =
                self.ask(target, request.clone(), &mut attempts).await?;
            let Some(state) = response.transaction_states.into_iter().next() else {
                let cause = std::io::Error::other("the answer leaves the transactional id out");
                let cause = std::sync::Arc::new(cause);
                let request = ApiKey::DescribeTransactions;
                return Err(Error::Malformed {
                    request,
                    broker,
                    cause,
                });
            };
            let code = ErrorCode::from(state.error_code);
            if code.is_none() {
                return Ok(description(&state, broker));
            }
            // T-21: the next attempt looks for the coordinator anew.
            if matches!(
                code,
                ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable
            ) {
                self.cluster
                    .forget_coordinator(CoordinatorKind::Transaction, id);
            }
            let error = Error::broker(code, ApiKey::DescribeTransactions, broker);
            attempts.again_after(error).await?;
        }
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
