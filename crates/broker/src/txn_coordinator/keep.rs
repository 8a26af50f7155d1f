//! Transactions that take part in a two-phase commit, and outlive the instance that prepared them (KIP-939).
//!
//! No request prepares a transaction: it is the client that sends nothing more. The coordinator's part is to
//! leave such a transaction open, however long, and to give it to the next instance that asks for it. That one
//! gets a producer id and epoch of its own, so that every older instance is fenced, while the transaction goes
//! on under its own, by which the application recognises it. The client's pair ends the transaction; its end
//! is the beginning of the client's next epoch.

use super::{Initialized, Transaction, TxnCoordinator};
use crate::Time;
use milena_codec::{ErrorCode, ProducerEpoch, ProducerIdentity};
use std::time::Duration;

/// The timeout of a transaction that has none: what Kafka keeps for it, `i32::MAX` milliseconds.
pub(super) const FOR_EVER: Duration = Duration::from_millis(i32::MAX.unsigned_abs() as u64);

impl TxnCoordinator {
    /// Hands an open transaction over to a new instance (T-45).
    pub(super) fn keep(
        &mut self,
        id: &str,
        timeout: Duration,
        now: Time,
    ) -> Result<Initialized, ErrorCode> {
        let Some(client) = self.transactions.get(id).map(Transaction::client) else {
            return Err(ErrorCode::UnknownServerError);
        };
        let staged = match client.producer_epoch.next() {
            Some(producer_epoch) => ProducerIdentity {
                producer_epoch,
                ..client
            },
            // P-63: the epochs of the client's producer id are used up.
            None => ProducerIdentity::new(self.fresh_producer_id(), ProducerEpoch::ZERO),
        };
        let Some(transaction) = self.transactions.get_mut(id) else {
            return Err(ErrorCode::UnknownServerError);
        };
        transaction.staged = Some(staged);
        transaction.updated = now;
        // What was promised to outlive any timeout does so whatever the new instance asks for.
        transaction.timeout = transaction.timeout.max(timeout);
        Ok(Initialized {
            producer: staged,
            ongoing: Some(transaction.producer()),
        })
    }
}

impl Transaction {
    /// Whom the client is to be: not the transaction's own producer id and epoch while it is kept.
    pub(super) fn client(&self) -> ProducerIdentity {
        self.staged.unwrap_or(self.producer())
    }

    /// Whether no timeout ends it.
    pub(super) fn is_two_phase(&self) -> bool {
        self.timeout == FOR_EVER
    }
}
