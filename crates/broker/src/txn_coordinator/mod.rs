//! The transaction coordinator: who owns a transactional id, what its transaction touches, how it ends.
//!
//! ```text
//!            AddPartitions           EndTxn               markers written
//!   Empty ----------------> Ongoing --------> Prepare* -------------------> Complete*
//!     ^                        ^  \                                             |
//!     | InitProducerId         |   timeout, or a new instance: PrepareAbort     |
//!     +------------------------+------------------------------------------------+
//! ```
//!
//! A transaction in `Prepare*` is decided, and nothing of it can be seen yet: its markers take time. Until
//! then the id answers CONCURRENT_TRANSACTIONS. Under version 2 every end bumps the epoch, so that nothing
//! sent late can be taken for part of the next transaction (KIP-890).
//!
//! A transaction that takes part in a two-phase commit (KIP-939) has no timeout, and a new instance may keep
//! it: see `keep`.
//!
//! Time is an argument. What is to be written to logs is handed out by [`TxnCoordinator::markers_due`].

mod end;
mod init;
mod keep;
mod markers;
#[cfg(any(test, feature = "_fuzzing"))]
pub(crate) mod operations;

#[cfg(test)]
mod tests;

use crate::Time;
use milena_codec::{ErrorCode, ProducerEpoch, ProducerId, ProducerIdentity};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use end::EndTxn;
pub(crate) use init::{InitProducerId, Initialized};
pub(crate) use markers::MarkersDue;

/// A partition that a transaction writes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TxnPartition {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
}

/// Where a transactional id stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransactionState {
    /// Nothing has been written since the last InitProducerId.
    Empty,
    /// A partition or a group has been added.
    Ongoing,
    /// Committed; the markers are being written.
    PrepareCommit,
    /// Aborted; the markers are being written.
    PrepareAbort,
    /// Committed, and visible.
    CompleteCommit,
    /// Aborted, and known to be.
    CompleteAbort,
}

impl TransactionState {
    /// The state's name in DescribeTransactions and ListTransactions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
        }
    }
}

/// One transactional id.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    producer_id: ProducerId,
    /// The producer id before the last change of anything here; tells a retried EndTxn whose answer, with
    /// a new producer id in it, was lost.
    previous_producer_id: ProducerId,
    /// Who goes on from the end of this transaction on, if not its own producer id: its epochs are used up, or
    /// the transaction was kept.
    next: Option<ProducerIdentity>,
    /// Whom the client is to be while a transaction goes on that a new instance kept (KIP-939). The producer id
    /// and epoch above remain those of the transaction, under which its records and markers are.
    staged: Option<ProducerIdentity>,
    epoch: ProducerEpoch,
    last_epoch: ProducerEpoch,
    timeout: Duration,
    state: TransactionState,
    partitions: BTreeSet<TxnPartition>,
    started: Option<Time>,
    updated: Time,
    /// The transaction ends with an epoch bump: version 2.
    bumps_epoch: bool,
    /// While in `Prepare*`: when the markers are written, or tried again.
    markers_due: Option<Time>,
}

impl Transaction {
    fn new(producer_id: ProducerId, timeout: Duration, now: Time) -> Self {
        Self {
            producer_id,
            previous_producer_id: ProducerId::NONE,
            next: None,
            staged: None,
            epoch: ProducerEpoch::NONE,
            last_epoch: ProducerEpoch::NONE,
            timeout,
            state: TransactionState::Empty,
            partitions: BTreeSet::new(),
            started: None,
            updated: now,
            bumps_epoch: false,
            markers_due: None,
        }
    }

    /// Under whom the records and markers of the last transaction are.
    pub(crate) fn producer(&self) -> ProducerIdentity {
        ProducerIdentity::new(self.producer_id, self.epoch)
    }

    pub(crate) fn state(&self) -> TransactionState {
        self.state
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn started(&self) -> Option<Time> {
        self.started
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = &TxnPartition> {
        self.partitions.iter()
    }

    fn is_preparing(&self) -> bool {
        use TransactionState::{
            CompleteAbort, CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit,
        };
        match self.state {
            PrepareCommit | PrepareAbort => true,
            Empty | Ongoing | CompleteCommit | CompleteAbort => false,
        }
    }

    fn enter(&mut self, state: TransactionState, now: Time) {
        self.previous_producer_id = self.producer_id;
        self.state = state;
        self.updated = now;
    }
}

/// What the coordinator is configured with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TxnSettings {
    /// `transaction.max.timeout.ms`.
    pub(crate) timeout_max: Duration,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    pub(crate) timeout_scan: Duration,
    /// `transactional.id.expiration.ms`.
    pub(crate) id_expiration: Duration,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub(crate) id_expiration_scan: Duration,
    /// From the decision to the markers.
    pub(crate) marker_delay: Duration,
    /// `transaction.two.phase.commit.enable`, and that a prepared transaction can be kept (KIP-939).
    pub(crate) two_phase_commit: bool,
}

/// Every transactional id of the cluster.
#[derive(Debug)]
pub(crate) struct TxnCoordinator {
    settings: TxnSettings,
    transactions: BTreeMap<Arc<str>, Transaction>,
    next_producer_id: i64,
    /// The cluster's `transaction.version`: 0, 1 or 2.
    transaction_version: i16,
    due: BTreeSet<(Time, Arc<str>)>,
    next_timeout_scan: Time,
    next_expiration_scan: Time,
}

impl TxnCoordinator {
    pub(crate) fn new(settings: TxnSettings, transaction_version: i16, now: Time) -> Self {
        Self {
            settings,
            transactions: BTreeMap::new(),
            next_producer_id: 0,
            transaction_version,
            due: BTreeSet::new(),
            next_timeout_scan: now + settings.timeout_scan,
            next_expiration_scan: now + settings.id_expiration_scan,
        }
    }

    /// Changes `transaction.version`; transactions that are open end as the client that began them says.
    pub(crate) fn set_transaction_version(&mut self, version: i16) {
        self.transaction_version = version;
    }

    pub(crate) fn set_marker_delay(&mut self, delay: Duration) {
        self.settings.marker_delay = delay;
    }

    pub(crate) fn transaction(&self, transactional_id: &str) -> Option<&Transaction> {
        self.transactions.get(transactional_id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Transaction)> {
        self.transactions.iter()
    }

    /// Sets the epoch that the client of an id has, so that a test need not use up 32,766 of them; says whether it is known.
    pub(crate) fn set_epoch(&mut self, transactional_id: &str, epoch: ProducerEpoch) -> bool {
        let Some(transaction) = self.transactions.get_mut(transactional_id) else {
            return false;
        };
        match &mut transaction.staged {
            Some(staged) => staged.producer_epoch = epoch,
            None => transaction.epoch = epoch,
        }
        transaction.last_epoch = ProducerEpoch::NONE;
        true
    }

    /// Forgets an id that has nothing open, as its expiration does (T-73); says whether it did.
    pub(crate) fn forget(&mut self, transactional_id: &str) -> bool {
        match self.transactions.get(transactional_id) {
            Some(transaction) if transaction.may_expire() => {
                self.transactions.remove(transactional_id);
                true
            }
            Some(_) | None => false,
        }
    }

    fn fresh_producer_id(&mut self) -> ProducerId {
        let fresh = ProducerId(self.next_producer_id);
        self.next_producer_id = self.next_producer_id.saturating_add(1);
        fresh
    }

    /// Adds partitions to the transaction, which begins it if need be: AddPartitionsToTxn, and under
    /// version 2 the first Produce to a partition (T-50, P-94).
    ///
    /// # Errors
    /// [`ErrorCode::InvalidProducerIdMapping`], [`ErrorCode::ProducerFenced`],
    /// [`ErrorCode::ConcurrentTransactions`]; [`ErrorCode::InvalidTxnState`] if the transaction was kept, as it can
    /// only be ended (T-45).
    pub(crate) fn add_partitions(
        &mut self,
        transactional_id: &str,
        producer: ProducerIdentity,
        partitions: impl IntoIterator<Item = TxnPartition>,
        now: Time,
    ) -> Result<(), ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let Some(transaction) = self.transactions.get_mut(transactional_id) else {
            return Err(ErrorCode::InvalidProducerIdMapping);
        };
        transaction.check_owner(producer)?;
        if transaction.state != TransactionState::Ongoing {
            transaction.started = Some(now);
            transaction.partitions.clear();
            transaction.enter(TransactionState::Ongoing, now);
            transaction.partitions.extend(partitions);
            return Ok(());
        }
        let before = transaction.partitions.len();
        transaction.partitions.extend(partitions);
        if transaction.partitions.len() > before {
            transaction.enter(TransactionState::Ongoing, now);
        }
        Ok(())
    }

    /// Which of the partitions are part of the transaction, as a broker asks before it appends to one for a
    /// client of versions 0 and 1 (P-92).
    ///
    /// # Errors
    /// As [`TxnCoordinator::add_partitions`].
    pub(crate) fn verify_partitions<'a>(
        &self,
        transactional_id: &str,
        producer: ProducerIdentity,
        partitions: impl IntoIterator<Item = &'a TxnPartition>,
    ) -> Result<Vec<bool>, ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let Some(transaction) = self.transactions.get(transactional_id) else {
            return Err(ErrorCode::InvalidProducerIdMapping);
        };
        transaction.check_owner(producer)?;
        let member = |partition| transaction.partitions.contains(partition);
        Ok(partitions.into_iter().map(member).collect())
    }
}

impl Transaction {
    /// Kafka 4.3.1 looks at this before producer id and epoch, which the end under way may change; only EndTxn 4 and
    /// earlier, whose ends change nothing, looks at those first.
    ///
    /// # Errors
    /// [`ErrorCode::ConcurrentTransactions`] while the markers of the last end are not all written.
    fn check_settled(&self) -> Result<(), ErrorCode> {
        if self.is_preparing() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        Ok(())
    }

    fn check_owner(&self, producer: ProducerIdentity) -> Result<(), ErrorCode> {
        self.check_settled()?;
        let client = self.client();
        if client.producer_id != producer.producer_id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if client.producer_epoch != producer.producer_epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        if self.staged.is_some() {
            return Err(ErrorCode::InvalidTxnState);
        }
        Ok(())
    }
}
