//! The machine itself, and what the application does with it.
//!
//! What the sender of batches has to do with it is in `sender`, what it asks the coordinators in
//! `asking`, what their answers do in `answers` and `offsets`, and how a transaction ends in `ending`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use milena_codec::ProducerIdentity;

use super::open::{OffsetsJob, OpenTransaction};
use super::pause::Pause;
use super::request::Event;
use super::retry::Pace;
use super::slot::RequestSlot;
use super::state::TwoPhase;
use super::state::{Attachment, Close, Direction, Operation, Phase, State, Step};
use super::version::{ClusterFacts, TransactionVersion};
use crate::error::Error;
use crate::types::TopicPartition;
use crate::types::{GroupMetadata, OffsetToCommit};

/// What does not change in the life of the machine.
#[derive(Clone, Debug)]
pub(crate) struct TransactionConfig {
    pub(crate) transactional_id: Arc<str>,
    /// After this long without an end the coordinator aborts a transaction by itself (T-72).
    pub(crate) transaction_timeout: Duration,
    /// Partitions and offsets that could not be registered for this long leave the transaction to be aborted.
    pub(crate) registration_timeout: Duration,
    pub(crate) two_phase: TwoPhase,
    /// The first delay between two attempts at a request; it doubles up to `retry_backoff_max`.
    /// Jitter adds up to a fifth.
    pub(crate) retry_backoff: Duration,
    pub(crate) retry_backoff_max: Duration,
    /// Where the jitter starts.
    pub(crate) seed: u64,
}

/// The life of one transactional id. See the [module](super) for the states.
#[derive(Debug)]
pub(crate) struct TransactionMachine {
    pub(super) config: TransactionConfig,
    pub(super) pace: Pace,
    pub(super) facts: ClusterFacts,
    pub(super) phase: Phase,
    pub(super) identity: ProducerIdentity,
    /// The protocol of the open transaction, or of the next one.
    pub(super) version: TransactionVersion,
    /// What the protocol should be after this transaction, sampled when its end began (T-2).
    pub(super) next_version: TransactionVersion,
    /// A transaction of the first protocol has registered something under `identity`, so the broker
    /// may take one of the second for its continuation (T-3).
    pub(super) epoch_used: bool,
    /// An InitProducerId of this producer was sent and had no response. A copy that is applied late can fence this
    /// producer: the first one names no identity that could be rejected, and of a later one the coordinator compares
    /// no epoch while a transaction is open.
    pub(super) init_in_doubt: bool,
    /// An InitProducerId with our identity may yet be applied (see `ending`).
    pub(super) raise_in_doubt: bool,
    pub(super) transaction: OpenTransaction,
    pub(super) coordinator: RequestSlot,
    pub(super) group_coordinator: RequestSlot,
    /// The group that `group_coordinator` is about.
    pub(super) group_id: Option<Arc<str>>,
    pub(super) pause: Pause,
    pub(super) closing: bool,
    pub(super) pending: Option<Pending>,
    pub(super) offsets_outcome: Option<Result<(), Error>>,
    pub(super) events: VecDeque<Event>,
}

/// An operation whose outcome its caller has not taken (T-12): dropping the call does not end it (L-21).
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) operation: Operation,
    pub(super) outcome: Option<Result<(), Error>>,
    /// Someone will take the outcome.
    pub(super) owned: bool,
}

/// What the application does. A call that is illegal where the machine stands is refused and changes
/// nothing (T-10); a stored error is told first (T-11).
impl TransactionMachine {
    pub(crate) fn new(config: TransactionConfig) -> Self {
        let pace = Pace {
            first: config.retry_backoff,
            longest: config.retry_backoff_max,
            random: config.seed,
        };
        Self {
            config,
            pace,
            facts: ClusterFacts::default(),
            phase: Phase::Uninitialized,
            identity: ProducerIdentity::NONE,
            version: TransactionVersion::One,
            next_version: TransactionVersion::One,
            epoch_used: false,
            init_in_doubt: false,
            raise_in_doubt: false,
            transaction: OpenTransaction::default(),
            coordinator: RequestSlot::default(),
            group_coordinator: RequestSlot::default(),
            group_id: None,
            pause: Pause::new(),
            closing: false,
            pending: None,
            offsets_outcome: None,
            events: VecDeque::new(),
        }
    }

    /// Takes note of the cluster. Any time; it shows when an init succeeds, when a transaction's end
    /// begins (T-2), and at [`begin`](Self::begin) if nothing was registered under this epoch.
    pub(crate) fn observe(&mut self, facts: ClusterFacts) {
        self.facts = facts;
    }

    /// Takes the transactional id over (T-40).
    pub(crate) fn init(&mut self) -> Result<Attachment, Error> {
        if let Some(resumed) = self.admit(Some(Operation::Init))? {
            return Ok(resumed);
        }
        match &self.phase {
            Phase::Uninitialized => {
                self.phase = Phase::Initializing;
                Ok(self.start(Operation::Init))
            }
            Phase::Abortable(stored) => Err(stored.clone()),
            Phase::Initializing
            | Phase::Ready
            | Phase::InTransaction
            | Phase::Preparing
            | Phase::Prepared
            | Phase::Ending(..)
            | Phase::Fenced(_)
            | Phase::Fatal(_)
            | Phase::Closed => Err(Error::misuse(
                "init was called before; a producer is initialised once",
            )),
        }
    }

    /// Opens a transaction. Nothing is sent (T-16).
    pub(crate) fn begin(&mut self) -> Result<(), Error> {
        self.admit(None)?;
        match &self.phase {
            Phase::Ready => {}
            Phase::Abortable(stored) => return Err(stored.clone()),
            Phase::Uninitialized | Phase::Initializing => return Err(not_initialized()),
            Phase::InTransaction => {
                return Err(Error::misuse(
                    "a transaction is open; commit or abort it first",
                ));
            }
            Phase::Preparing | Phase::Prepared => return Err(is_prepared()),
            Phase::Ending(..) | Phase::Fenced(_) | Phase::Fatal(_) | Phase::Closed => {
                return Err(Error::misuse("the last transaction has not ended yet"));
            }
        }
        if let Some(lacking) = self.lacks_two_phase() {
            return Err(lacking);
        }
        // Later than T-2 asks for, and safe: no broker has seen anything under this epoch.
        if !self.epoch_used {
            self.version = self.facts.transaction_version();
        }
        self.transaction = OpenTransaction::default();
        self.offsets_outcome = None;
        self.coordinator.forget_failure();
        self.group_coordinator.forget_failure();
        self.phase = Phase::InTransaction;
        Ok(())
    }

    /// A batch for `partition` is about to be queued (T-14). Cheap, but meant to be called when a batch
    /// is opened, not for every record.
    pub(crate) fn partition_touched(&mut self, partition: &TopicPartition) -> Result<(), Error> {
        self.require_open_transaction()?;
        if self.version == TransactionVersion::One {
            self.transaction.touch(partition);
        }
        Ok(())
    }

    /// A send was refused on the spot: the record is too large, there was no room, no metadata came. A
    /// commit would silently omit it (T-15). Nothing was sent, so no epoch needs raising.
    pub(crate) fn send_failed(&mut self, cause: Error) {
        if matches!(
            self.phase,
            Phase::InTransaction | Phase::Preparing | Phase::Abortable(_)
        ) {
            self.spoil(cause, false);
        }
    }

    /// Commits `offsets` with the transaction, for the consumer that `group` describes. Its outcome is
    /// taken as that of [`Operation::SendOffsets`].
    pub(crate) fn send_offsets(
        &mut self,
        group: GroupMetadata,
        offsets: Vec<OffsetToCommit>,
    ) -> Result<(), Error> {
        self.require_open_transaction()?;
        if self.transaction.offsets.is_some() {
            return Err(Error::misuse(
                "the offsets sent before are still being committed",
            ));
        }
        self.offsets_outcome = None;
        if offsets.is_empty() {
            self.end_offsets(Ok(())); // T-58
        } else {
            self.transaction.offsets = Some(OffsetsJob {
                group,
                remaining: offsets,
            });
        }
        Ok(())
    }

    /// Commits the transaction, or joins the commit that is pending (T-12).
    pub(crate) fn commit(&mut self) -> Result<Attachment, Error> {
        if let Some(resumed) = self.admit(Some(Operation::Commit))? {
            return Ok(resumed);
        }
        if !matches!(self.phase, Phase::Prepared) {
            self.require_open_transaction()?;
        }
        self.next_version = self.facts.transaction_version();
        self.phase = Phase::Ending(Direction::Commit, Step::Settling);
        self.push(Event::Flush);
        Ok(self.start(Operation::Commit))
    }

    /// Aborts the transaction, or joins the abort that is pending (T-12). A preparation that is pending ends.
    pub(crate) fn abort(&mut self) -> Result<Attachment, Error> {
        if matches!(
            self.phase,
            Phase::Preparing | Phase::Prepared | Phase::Abortable(_)
        ) && !self.closing
        {
            self.pending
                .take_if(|pending| pending.operation == Operation::Prepare);
        }
        if let Some(resumed) = self.admit(Some(Operation::Abort))? {
            return Ok(resumed);
        }
        if !matches!(
            self.phase,
            Phase::Preparing | Phase::Prepared | Phase::Abortable(_)
        ) {
            self.require_open_transaction()?;
        }
        self.begin_abort();
        Ok(self.start(Operation::Abort))
    }

    /// Nobody will ask how the abort went: its outcome does not keep the next transaction waiting.
    pub(crate) fn disown_abort(&mut self) {
        if let Some(pending) = &mut self.pending
            && pending.operation == Operation::Abort
        {
            pending.owned = false;
        }
        self.pending
            .take_if(|pending| !pending.owned && pending.outcome.is_some());
    }

    /// The outcome of `operation`, once there is one. It is there to be taken once; until then no
    /// other operation may start (T-12, T-13).
    pub(crate) fn take_outcome(&mut self, operation: Operation) -> Option<Result<(), Error>> {
        if operation == Operation::SendOffsets {
            return self.offsets_outcome.take();
        }
        self.pending
            .take_if(|pending| pending.operation == operation && pending.outcome.is_some())?
            .outcome
    }

    /// Ends the life of the machine (T-76). A prepared transaction stays open (T-45). Done when [`Event::Closed`] comes.
    pub(crate) fn close(&mut self, how: Close) {
        match (&self.phase, how) {
            (Phase::Closed, _) => {}
            (Phase::InTransaction | Phase::Preparing | Phase::Abortable(_), Close::Graceful) => {
                self.closing = true;
                self.begin_abort();
            }
            (
                Phase::Ending(_, Step::Settling | Step::Asking | Step::FindingOut),
                Close::Graceful,
            ) => {
                self.closing = true;
            }
            (
                Phase::Uninitialized
                | Phase::Initializing
                | Phase::Ready
                | Phase::InTransaction
                | Phase::Preparing
                | Phase::Prepared
                | Phase::Abortable(_)
                | Phase::Ending(..)
                | Phase::Fenced(_)
                | Phase::Fatal(_),
                Close::Graceful | Close::Forced,
            ) => self.end_life(Phase::Closed),
        }
    }

    pub(super) fn begin_abort(&mut self) {
        self.next_version = self.facts.transaction_version();
        self.drop_unsent(&Error::TransactionAborted);
        if self.coordinator.broker.is_some() {
            self.coordinator.retry.reset();
        }
        self.phase = Phase::Ending(Direction::Abort, Step::Settling);
        self.push(Event::FailUndrained(Error::TransactionAborted));
    }
}

/// What there is to see from outside.
impl TransactionMachine {
    /// Who writes, from the next batch on that is drained.
    #[cfg(any(test, feature = "_fuzzing"))]
    pub(crate) fn identity(&self) -> ProducerIdentity {
        self.identity
    }

    /// The protocol of the open transaction. It decides the Produce versions (P-90).
    pub(crate) fn version(&self) -> TransactionVersion {
        self.version
    }

    pub(crate) fn state(&self) -> State {
        self.phase.state()
    }

    /// The error that every call gets here, if the state has one.
    pub(crate) fn stored_error(&self) -> Option<Error> {
        match &self.phase {
            Phase::Abortable(error) | Phase::Fenced(error) | Phase::Fatal(error) => {
                Some(error.clone())
            }
            Phase::Closed => Some(closed()),
            Phase::Uninitialized
            | Phase::Initializing
            | Phase::Ready
            | Phase::InTransaction
            | Phase::Preparing
            | Phase::Prepared
            | Phase::Ending(..) => None,
        }
    }

    /// The init, commit or abort whose outcome somebody is still to take (T-12).
    pub(crate) fn pending_operation(&self) -> Option<Operation> {
        let pending = self.pending.as_ref().filter(|pending| pending.owned)?;
        Some(pending.operation)
    }

    /// Whether there is something for [`poll_event`](Self::poll_event): polling can end an operation by
    /// itself, when the last thing that it waited for was the sender's.
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// What others need to know. To be drained after every input and every poll.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) fn start(&mut self, operation: Operation) -> Attachment {
        self.pending = Some(Pending {
            operation,
            outcome: None,
            owned: true,
        });
        Attachment::Started
    }

    /// Whether a call may go on to look at the state: `Some` if it joins the pending operation.
    pub(super) fn admit(
        &mut self,
        operation: Option<Operation>,
    ) -> Result<Option<Attachment>, Error> {
        if let Some(pending) = &mut self.pending
            && Some(pending.operation) == operation
        {
            pending.owned = true;
            return Ok(Some(Attachment::Resumed));
        }
        if self.phase.is_terminal()
            && let Some(stored) = self.stored_error()
        {
            return Err(stored);
        }
        if self.closing {
            return Err(closed());
        }
        match &self.pending {
            Some(pending) => Err(still_pending(pending.operation)),
            None => Ok(None),
        }
    }

    pub(super) fn require_open_transaction(&mut self) -> Result<(), Error> {
        self.admit(None)?;
        match &self.phase {
            Phase::InTransaction => Ok(()),
            Phase::Abortable(stored) => Err(stored.clone()),
            Phase::Uninitialized | Phase::Initializing => Err(not_initialized()),
            Phase::Preparing | Phase::Prepared => Err(is_prepared()),
            Phase::Ready
            | Phase::Ending(..)
            | Phase::Fenced(_)
            | Phase::Fatal(_)
            | Phase::Closed => Err(Error::misuse("no transaction is open; begin one first")),
        }
    }
}

fn closed() -> Error {
    Error::Closed {
        what: "the producer",
    }
}

fn not_initialized() -> Error {
    Error::misuse("the producer is not initialised; call init first")
}

fn is_prepared() -> Error {
    Error::misuse(
        "the transaction is prepared: it takes no more, and has to be committed or aborted",
    )
}

fn still_pending(operation: Operation) -> Error {
    Error::misuse(match operation {
        Operation::Init => "the init is still pending; call init again to learn its outcome",
        Operation::Commit => "the commit is still pending; call commit again to learn its outcome",
        Operation::Abort => "the abort is still pending; call abort again to learn its outcome",
        Operation::Prepare => "the transaction is still being prepared",
        Operation::SendOffsets => "the offsets sent before are still being committed",
    })
}
