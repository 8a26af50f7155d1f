//! InitProducerId: a producer id for whoever asks, and the fencing of whoever had the transactional id before.

use super::{Transaction, TransactionState, TxnCoordinator};
use crate::Time;
use milena_codec::{ErrorCode, ProducerEpoch, ProducerId, ProducerIdentity};
use std::sync::Arc;
use std::time::Duration;

/// What InitProducerId asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InitProducerId<'a> {
    /// `None`: an idempotent producer without transactions.
    pub(crate) transactional_id: Option<&'a str>,
    pub(crate) timeout_ms: i32,
    /// Whom the client believes to be: an instance that goes on, not a new one (KIP-360).
    pub(crate) expected: Option<ProducerIdentity>,
}

impl TxnCoordinator {
    /// Answers InitProducerId as the table of transactions.md 2.5 says.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidRequest`], [`ErrorCode::InvalidTransactionTimeout`],
    /// [`ErrorCode::ProducerFenced`], [`ErrorCode::ConcurrentTransactions`].
    pub(crate) fn init_producer_id(
        &mut self,
        request: &InitProducerId<'_>,
        now: Time,
    ) -> Result<ProducerIdentity, ErrorCode> {
        let Some(id) = request.transactional_id else {
            // P-10.
            let fresh = self.fresh_producer_id();
            return Ok(ProducerIdentity::new(fresh, ProducerEpoch::ZERO));
        };
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let timeout = u64::try_from(request.timeout_ms).map(Duration::from_millis);
        let timeout = match timeout {
            Ok(timeout) if !timeout.is_zero() && timeout <= self.settings.timeout_max => timeout,
            Ok(_) | Err(_) => return Err(ErrorCode::InvalidTransactionTimeout),
        };
        if !self.transactions.contains_key(id) {
            let fresh = self.fresh_producer_id();
            let transaction = Transaction::new(fresh, timeout, now);
            self.transactions.insert(Arc::from(id), transaction);
        }
        let Some(transaction) = self.transactions.get(id) else {
            return Err(ErrorCode::UnknownServerError);
        };
        if let Some(expected) = request.expected
            && !transaction.may_be(expected)
        {
            return Err(ErrorCode::ProducerFenced);
        }
        match transaction.state {
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                Err(ErrorCode::ConcurrentTransactions)
            }
            TransactionState::Ongoing => {
                // T-40: the epoch is bumped twice. The first one fences and aborts, and nobody is told of it;
                // the second goes to the caller, who asks again once the abort is done.
                self.abort_and_fence(id, now)?;
                Err(ErrorCode::ConcurrentTransactions)
            }
            TransactionState::Empty
            | TransactionState::CompleteCommit
            | TransactionState::CompleteAbort => {
                self.next_epoch(id, request.expected, timeout, now)
            }
        }
    }

    fn next_epoch(
        &mut self,
        id: &str,
        expected: Option<ProducerIdentity>,
        timeout: Duration,
        now: Time,
    ) -> Result<ProducerIdentity, ErrorCode> {
        let expected = expected.map(|expected| expected.producer_epoch);
        let exhausted = self
            .transactions
            .get(id)
            .filter(|transaction| transaction.is_exhausted())
            .map(|transaction| transaction.epoch);
        let rotated = match exhausted {
            // P-63: the id goes on under a new producer id.
            Some(epoch) if expected.is_none_or(|expected| expected == epoch) => {
                Some(self.fresh_producer_id())
            }
            Some(_) => return Err(ErrorCode::UnknownServerError),
            None => None,
        };
        let Some(transaction) = self.transactions.get_mut(id) else {
            return Err(ErrorCode::UnknownServerError);
        };
        let (epoch, last_epoch) = match (rotated, expected) {
            (Some(_), Some(_)) => (ProducerEpoch::ZERO, transaction.epoch),
            (Some(_), None) => (ProducerEpoch::ZERO, ProducerEpoch::NONE),
            (None, expected) => transaction.bumped(expected)?,
        };
        transaction.enter(TransactionState::Empty, now);
        transaction.producer_id = rotated.unwrap_or(transaction.producer_id);
        transaction.epoch = epoch;
        transaction.last_epoch = last_epoch;
        transaction.timeout = timeout;
        transaction.partitions.clear();
        transaction.started = None;
        Ok(transaction.producer())
    }
}

impl Transaction {
    /// Whether the caller can be the instance that it says it is. The epoch is compared later, except
    /// after a rotation whose answer was lost.
    fn may_be(&self, expected: ProducerIdentity) -> bool {
        let before_rotation = expected.producer_id == self.previous_producer_id
            && expected.producer_epoch >= ProducerEpoch::EXHAUSTED;
        self.epoch == ProducerEpoch::NONE
            || expected.producer_id == self.producer_id
            || before_rotation
    }

    /// The epoch to give to the caller, and the one to recognise its retry by.
    fn bumped(
        &self,
        expected: Option<ProducerEpoch>,
    ) -> Result<(ProducerEpoch, ProducerEpoch), ErrorCode> {
        let next = ProducerEpoch(self.epoch.0.saturating_add(1));
        match expected {
            // A new instance: nobody who was here before may go on (T-44).
            None => Ok((next, ProducerEpoch::NONE)),
            Some(expected) if self.epoch == ProducerEpoch::NONE || expected == self.epoch => {
                Ok((next, self.epoch))
            }
            // The retry of a bump that was made (T-42).
            Some(expected) if expected == self.last_epoch => Ok((self.epoch, self.last_epoch)),
            Some(_) => Err(ErrorCode::ProducerFenced),
        }
    }

    /// Whether no epoch is left that a client may use: the last one is for fencing.
    pub(super) fn is_exhausted(&self) -> bool {
        self.epoch >= ProducerEpoch::EXHAUSTED
    }

    pub(super) fn has_rotation(&self) -> bool {
        self.next_producer_id != ProducerId::NONE
    }
}
