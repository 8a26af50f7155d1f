//! InitProducerId: a producer id for whoever asks, and the fencing of whoever had the transactional id before.

use super::keep::FOR_EVER;
use super::{Transaction, TransactionState, TxnCoordinator};
use crate::Time;
use milena_codec::{ErrorCode, ProducerEpoch, ProducerIdentity};
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
    /// Transactions take part in a two-phase commit: no timeout ends them (KIP-939).
    pub(crate) enable_two_phase: bool,
    /// An open transaction is kept, not aborted (KIP-939).
    pub(crate) keep_prepared: bool,
}

/// Who the client is from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Initialized {
    pub(crate) producer: ProducerIdentity,
    /// Under whom the transaction is that was kept for it.
    pub(crate) ongoing: Option<ProducerIdentity>,
}

impl From<ProducerIdentity> for Initialized {
    fn from(producer: ProducerIdentity) -> Self {
        Self {
            producer,
            ongoing: None,
        }
    }
}

impl TxnCoordinator {
    /// Answers InitProducerId as the table of transactions.md 2.5 says.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidRequest`], [`ErrorCode::InvalidTransactionTimeout`],
    /// [`ErrorCode::ProducerFenced`], [`ErrorCode::ConcurrentTransactions`]; without two-phase commit
    /// [`ErrorCode::TransactionalIdAuthorizationFailed`] and [`ErrorCode::UnsupportedVersion`], as 4.3.1 (T-45).
    pub(crate) fn init_producer_id(
        &mut self,
        request: &InitProducerId<'_>,
        now: Time,
    ) -> Result<Initialized, ErrorCode> {
        let Some(id) = request.transactional_id else {
            // P-10.
            let fresh = self.fresh_producer_id();
            return Ok(ProducerIdentity::new(fresh, ProducerEpoch::ZERO).into());
        };
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let timeout = self.timeout(request)?;
        if !self.transactions.contains_key(id) {
            let fresh = self.fresh_producer_id();
            let transaction = Transaction::new(fresh, timeout, now);
            self.transactions.insert(Arc::from(id), transaction);
        }
        let Some(transaction) = self.transactions.get(id) else {
            return Err(ErrorCode::UnknownServerError);
        };
        transaction.check_settled()?;
        if let Some(expected) = request.expected
            && !transaction.may_be(expected)
        {
            return Err(ErrorCode::ProducerFenced);
        }
        match transaction.state {
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                Err(ErrorCode::ConcurrentTransactions)
            }
            TransactionState::Ongoing if request.keep_prepared => self.keep(id, timeout, now),
            TransactionState::Ongoing => {
                // T-40: the epoch is bumped twice. The first one fences and aborts, and nobody is told of it;
                // the second goes to the caller, who asks again once the abort is done.
                self.abort_and_fence(id, now)?;
                Err(ErrorCode::ConcurrentTransactions)
            }
            TransactionState::Empty
            | TransactionState::CompleteCommit
            | TransactionState::CompleteAbort => self
                .next_epoch(id, request.expected, timeout, now)
                .map(Initialized::from),
        }
    }

    /// How long a transaction may be open.
    fn timeout(&self, request: &InitProducerId<'_>) -> Result<Duration, ErrorCode> {
        let two_phase_commit = self.settings.two_phase_commit;
        if request.enable_two_phase && !two_phase_commit {
            return Err(ErrorCode::TransactionalIdAuthorizationFailed);
        }
        if request.keep_prepared && !two_phase_commit {
            return Err(ErrorCode::UnsupportedVersion);
        }
        if request.enable_two_phase {
            return Ok(FOR_EVER);
        }
        match u64::try_from(request.timeout_ms).map(Duration::from_millis) {
            Ok(timeout) if !timeout.is_zero() && timeout <= self.settings.timeout_max => {
                Ok(timeout)
            }
            Ok(_) | Err(_) => Err(ErrorCode::InvalidTransactionTimeout),
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
            || expected.producer_id == self.client().producer_id
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
}
