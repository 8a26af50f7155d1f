//! What the sender of batches tells and asks.

use std::time::Instant;

use milena_codec::ErrorCode;

use super::errors::{self, BatchVerdict};
use super::machine::TransactionMachine;
use super::request::{BatchOutcome, MaySend};
use super::state::{Direction, Phase, Step};
use super::version::TransactionVersion;
use crate::error::Error;
use crate::types::TopicPartition;

impl TransactionMachine {
    /// A batch of the transaction failed for good, for `cause` (P-54). To be told before the batch stops
    /// being counted in [`super::request::SenderStatus`].
    pub(crate) fn batch_failed(&mut self, cause: Error, outcome: BatchOutcome) {
        if !self.is_before_end() {
            // Of an earlier transaction: what it left open is settled (P-45).
            return;
        }
        if outcome == BatchOutcome::Unknown {
            self.transaction.batch_in_doubt = true;
        }
        let is_unspoken = matches!(cause, Error::UnsupportedVersion { .. });
        let code = is_unspoken
            .then_some(ErrorCode::UnsupportedVersion)
            .or(cause.code());
        match code.map_or(BatchVerdict::Abortable, errors::produce) {
            BatchVerdict::Fenced => self.fence(cause),
            BatchVerdict::Forgotten => self.forgotten(cause),
            BatchVerdict::Fatal => self.end_life(Phase::Fatal(cause.into_fatal())),
            BatchVerdict::Abortable => self.spoil(cause, true),
        }
    }

    /// A batch of `partition` is handed to a connection. From here on the broker may have registered the
    /// partition, whatever becomes of the batch (T-52, P-94).
    pub(crate) fn produce_attempted(&mut self, partition: &TopicPartition, now: Instant) {
        if self.is_before_end() && self.version == TransactionVersion::Two {
            self.transaction.attempted = true;
            self.pause.attempted(partition, now);
        }
    }

    /// A batch of `partition` was answered; `concurrent` if with CONCURRENT_TRANSACTIONS. The length of
    /// the pause between transactions is learnt from it (L-23).
    pub(crate) fn produce_answered(
        &mut self,
        partition: &TopicPartition,
        concurrent: bool,
        now: Instant,
    ) {
        self.pause.answered(partition, concurrent, now);
    }

    /// Whether a batch of `partition` may be sent.
    pub(crate) fn may_send(&self, partition: &TopicPartition, now: Instant) -> MaySend {
        let added = match self.version {
            TransactionVersion::One => self.transaction.added.contains(partition),
            TransactionVersion::Two => true,
        };
        match &self.phase {
            Phase::InTransaction
            | Phase::Preparing
            | Phase::Ending(Direction::Commit, Step::Settling) => match self.pause_until(now) {
                _ if !added => MaySend::WhenAdded,
                Some(at) => MaySend::NotBefore(at),
                None => MaySend::Now,
            },
            Phase::Abortable(_) | Phase::Ending(Direction::Abort, Step::Settling) if added => {
                MaySend::RepetitionsOnly
            }
            Phase::Uninitialized
            | Phase::Initializing
            | Phase::Ready
            | Phase::Prepared
            | Phase::Abortable(_)
            | Phase::Ending(..)
            | Phase::Fenced(_)
            | Phase::Fatal(_)
            | Phase::Closed => MaySend::No,
        }
    }

    /// Whether a transaction is open whose end has not been asked for yet.
    pub(super) fn is_before_end(&self) -> bool {
        matches!(
            self.phase,
            Phase::InTransaction
                | Phase::Preparing
                | Phase::Abortable(_)
                | Phase::Ending(_, Step::Settling)
        )
    }

    /// The moment until which nothing of the open transaction should be sent (L-23).
    pub(crate) fn pause_until(&self, now: Instant) -> Option<Instant> {
        let applies = self.version == TransactionVersion::Two && !self.transaction.attempted;
        self.pause.not_before().filter(|at| applies && *at > now)
    }
}
