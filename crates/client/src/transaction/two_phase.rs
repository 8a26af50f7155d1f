//! Transactions that take part in a two-phase commit (KIP-939, T-45).
//!
//! The application prepares a transaction, notes its producer id and epoch where it notes its own decision,
//! and then ends it that way: now, or after a restart, by comparing what it noted with what the coordinator
//! kept. From the moment that a transaction is prepared nothing here ends it, neither a drop nor a close nor a
//! refused commit: another system may count on it.
//!
//! What makes the comparison right is that no two transactions of an id ever have the same pair:
//!
//! - the first protocol keeps the epoch from one transaction to the next, so it is refused;
//! - a transaction that nothing was written in ends without a request, and would leave its pair to the next
//!   one. If it was prepared, the epoch is raised.

use milena_codec::{ErrorCode, ProducerIdentity};

use super::causes::{said, version_unsupported_for};
use super::machine::TransactionMachine;
use super::request::Api;
#[cfg(any(test, feature = "_fuzzing", feature = "two-phase-commit"))]
use super::state::{Attachment, Operation};
use super::state::{Direction, Phase, Step};
use super::version::{ClusterFacts, INIT_PRODUCER_ID_TWO_PHASE, TransactionVersion};
use crate::error::Error;

#[cfg(any(test, feature = "_fuzzing", feature = "two-phase-commit"))]
impl TransactionMachine {
    /// Prepares the transaction: once everything of it has a definite result and nothing failed, it takes no
    /// more and can only be committed or aborted by name. Or joins the preparation that is pending (T-12).
    ///
    /// If anything fails, the transaction can only be aborted, as with a commit.
    pub(crate) fn prepare(&mut self) -> Result<Attachment, Error> {
        if let Some(resumed) = self.admit(Some(Operation::Prepare))? {
            return Ok(resumed);
        }
        self.require_open_transaction()?;
        if !self.config.two_phase.is_on() {
            return Err(Error::misuse(
                "two-phase commit is not enabled; build the configuration with two_phase_commit(true)",
            ));
        }
        self.phase = Phase::Preparing;
        self.push(super::request::Event::Flush);
        Ok(self.start(Operation::Prepare))
    }

    /// Under whom the prepared transaction was written, while it waits for its end.
    pub(crate) fn prepared(&self) -> Option<ProducerIdentity> {
        let is_prepared = matches!(self.phase, Phase::Prepared);
        self.transaction.prepared.filter(|_| is_prepared)
    }
}

impl TransactionMachine {
    /// Everything of the transaction has a definite result, and it is good.
    pub(super) fn prepared_now(&mut self) {
        self.transaction.prepared = Some(self.identity);
        if !self.transaction.needs_end(self.version) {
            // Nothing will end it at the coordinator, and so nothing would tell the next transaction from it.
            self.transaction.raise_epoch = true;
        }
        self.phase = Phase::Prepared;
        self.end_operation(super::state::Operation::Prepare, Ok(()));
    }

    /// The coordinator kept the transaction `ongoing` for this instance.
    pub(super) fn recovered(&mut self, ongoing: ProducerIdentity) {
        self.transaction = super::open::OpenTransaction::default();
        self.transaction.attempted = true;
        self.transaction.prepared = Some(ongoing);
        self.phase = Phase::Prepared;
    }

    /// A raise of the epoch found `ongoing` open, although this producer has ended its transaction; it is
    /// `identity` now.
    pub(super) fn raise_found(
        &mut self,
        direction: Direction,
        ongoing: ProducerIdentity,
        identity: ProducerIdentity,
    ) {
        if ongoing != self.identity || direction == Direction::Commit {
            // A newer instance's. It is fenced now, but nothing of it is lost: whoever starts next keeps it.
            let cause = said(
                ErrorCode::ProducerFenced,
                Api::InitProducerId,
                self.coordinator.broker,
                "a newer producer has a transaction open",
            );
            return self.fence(cause);
        }
        // A late batch of what was aborted has begun it again.
        self.adopt(identity);
        self.transaction.prepared = Some(ongoing);
        self.transaction.raise_epoch = false;
        self.phase = Phase::Ending(direction, Step::Asking);
    }

    /// What the cluster is known to lack for a two-phase commit, before it is asked anything (T-45). Brokers that were
    /// only bootstrapped from are not looked at: the coordinator speaks for itself.
    pub(super) fn is_known_to_lack_two_phase(&self) -> Option<Error> {
        let ClusterFacts {
            init_producer_id_max,
            transaction_version,
            ..
        } = self.facts;
        let is_below = |known: Option<i16>, least| known.is_some_and(|known| known < least);
        if !self.config.two_phase.is_on() {
            None
        } else if is_below(init_producer_id_max, INIT_PRODUCER_ID_TWO_PHASE) {
            Some(self.no_two_phase(Missing::InitProducerId))
        } else if is_below(transaction_version, 2) {
            Some(self.no_two_phase(Missing::TransactionVersion))
        } else {
            None
        }
    }

    /// The same once brokers of the cluster are known: what is not known to be there is missing.
    pub(super) fn lacks_two_phase(&self) -> Option<Error> {
        let is_second = self.facts.transaction_version() == TransactionVersion::Two;
        let known = self.is_known_to_lack_two_phase();
        if known.is_some() || is_second || !self.config.two_phase.is_on() {
            return known;
        }
        Some(self.no_two_phase(Missing::TransactionVersion))
    }

    pub(super) fn no_two_phase(&self, missing: Missing) -> Error {
        let cause = NoTwoPhaseCommit { missing };
        version_unsupported_for(Api::InitProducerId, self.coordinator.broker, cause)
    }
}

/// What two-phase commit needs of a cluster.
#[derive(Clone, Copy, Debug)]
pub(super) enum Missing {
    /// The version with the fields for it.
    InitProducerId,
    /// The second protocol, of all brokers: under the first, successive transactions have the same name.
    TransactionVersion,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "two_phase_commit needs InitProducerId 6 (KIP-939), which no released Apache Kafka has, and transaction.version 2; \
     {} is missing here, so leave it unset",
    match .missing {
        Missing::InitProducerId => "the former",
        Missing::TransactionVersion => "the latter",
    }
)]
struct NoTwoPhaseCommit {
    missing: Missing,
}
