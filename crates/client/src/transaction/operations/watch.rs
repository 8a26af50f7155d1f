//! What was seen of the machine, and what may never be.

use std::collections::BTreeSet;
use std::sync::Arc;

use milena_codec::ProducerIdentity;

use super::super::state::Attachment;
use super::super::{
    DescribedState, Direction, Event, Operation, Request, SenderStatus, State, TransactionVersion,
};
use super::World;
use crate::error::Error;

#[derive(Default)]
pub(super) struct Seen {
    /// Operations that were started, and whose outcome was not taken.
    pending: BTreeSet<&'static str>,
    /// Of those, the ones that have ended.
    ended: BTreeSet<&'static str>,
    /// An EndTxn under this identity may have been applied, this way.
    doubt: Option<(ProducerIdentity, Direction)>,
    /// The coordinator said that the open transaction was committed, or that it was not.
    proof: Option<Direction>,
    /// Something of the open transaction may have reached a coordinator.
    has_reached: bool,
    was_asked_to_end: bool,
    groups: BTreeSet<Arc<str>>,
    identities: BTreeSet<(i64, i16)>,
    was_initialized: bool,
    /// The open transaction is or was prepared: it ends as its owner says, or not here (T-45).
    is_prepared: bool,
    /// The owner said so.
    was_told_to_abort: bool,
    /// The transaction that was kept for this instance, until it has ended.
    pub(super) kept: Option<ProducerIdentity>,
    /// Of prepared transactions.
    names: BTreeSet<(i64, i16)>,
    state: Option<State>,
    /// A terminal state.
    pub(super) is_over: bool,
}

fn name(operation: Operation) -> &'static str {
    match operation {
        Operation::Init => "init",
        Operation::Commit => "commit",
        Operation::Abort => "abort",
        Operation::Prepare => "prepare",
        Operation::SendOffsets => "send offsets",
    }
}

fn numbers(identity: ProducerIdentity) -> (i64, i16) {
    (identity.producer_id.0, identity.producer_epoch.0)
}

fn is_terminal(state: State) -> bool {
    matches!(state, State::Fenced | State::Fatal | State::Closed)
}

impl Seen {
    pub(super) fn called(&mut self, operation: Operation, attachment: Attachment, before: State) {
        if operation == Operation::Abort {
            self.was_told_to_abort = true;
            // It takes the place of a preparation.
            self.pending.remove(name(Operation::Prepare));
            self.ended.remove(name(Operation::Prepare));
        }
        match attachment {
            Attachment::Started => {
                assert!(!is_terminal(before), "{operation:?} after the end");
                self.started(operation);
            }
            Attachment::Resumed => {
                self.pending.insert(name(operation));
            }
        }
    }

    pub(super) fn started(&mut self, operation: Operation) {
        let is_repeatable = operation == Operation::SendOffsets;
        let is_first = self.pending.insert(name(operation));
        assert!(
            is_first || is_repeatable,
            "T-12: {operation:?} started twice"
        );
        if is_repeatable {
            self.ended.remove(name(operation));
        }
    }

    /// Nobody will ask how the abort went.
    pub(super) fn disowned(&mut self) {
        self.pending.remove(name(Operation::Abort));
        self.ended.remove(name(Operation::Abort));
    }

    /// A transaction that is kept for this instance has reached its coordinator before.
    pub(super) fn kept(&mut self, ongoing: Option<ProducerIdentity>) {
        self.kept = ongoing;
        self.has_reached = true;
    }

    pub(super) fn begun(&mut self, identity: ProducerIdentity) {
        assert!(
            !self.names.contains(&numbers(identity)),
            "T-45: {identity} named a prepared transaction before"
        );
        self.is_prepared = false;
        self.was_told_to_abort = false;
        self.kept = None;
        assert!(!self.pending.contains("commit"), "T-13");
        // Whoever has not asked by now does not ask any more.
        assert_eq!(
            self.pending.remove(name(Operation::SendOffsets)),
            self.ended.remove(name(Operation::SendOffsets))
        );
        self.proof = None;
        self.doubt = None;
        self.has_reached = false;
        self.was_asked_to_end = false;
        self.groups.clear();
    }

    pub(super) fn attempted(&mut self) {
        self.has_reached = true;
    }

    pub(super) fn group_added(&mut self, group: &Arc<str>) {
        self.groups.insert(Arc::clone(group));
    }

    pub(super) fn end_answered(&mut self, direction: Direction) {
        self.proof = Some(direction);
    }

    pub(super) fn end_in_doubt(&mut self, producer: ProducerIdentity, direction: Direction) {
        self.doubt = Some((producer, direction));
    }

    /// InitProducerId took the epoch that EndTxn had refused, so nobody else has the id: the coordinator aborted the
    /// transaction at its timeout, whatever was in doubt (T-71).
    pub(super) fn confirmed(&mut self) {
        self.doubt = None;
    }

    /// Whatever it says, the coordinator has been asked.
    pub(super) fn described(&mut self, state: DescribedState) {
        match state {
            DescribedState::CompleteCommit => self.proof = Some(Direction::Commit),
            DescribedState::CompleteAbort | DescribedState::Empty => {
                self.proof = Some(Direction::Abort);
            }
            DescribedState::Ongoing
            | DescribedState::Other
            | DescribedState::PrepareAbort
            | DescribedState::PrepareCommit => {}
        }
        if self.proof.is_some() {
            self.doubt = None;
        }
    }

    pub(super) fn taken(&mut self, operation: Operation, outcome: &Result<(), Error>) {
        let operation_name = name(operation);
        assert!(
            self.pending.remove(operation_name),
            "nobody asked: {operation:?}"
        );
        assert!(
            self.ended.remove(operation_name),
            "it was not said to have ended"
        );
        if operation != Operation::Commit {
            return;
        }
        assert!(
            !self.is_prepared || !outcome.as_ref().is_err_and(Error::is_abortable),
            "T-45: a prepared transaction has no abort to be mended by"
        );
        // An abort in doubt, as of a producer that is being closed, says nothing against a failed commit.
        let is_commit_in_doubt = matches!(self.doubt, Some((_, Direction::Commit)));
        match outcome {
            Ok(()) if self.was_asked_to_end => {
                assert_eq!(
                    self.proof,
                    Some(Direction::Commit),
                    "committed without proof"
                );
            }
            Ok(()) => assert!(!self.has_reached, "T-52: committed without EndTxn"),
            Err(error) => assert!(
                !is_commit_in_doubt || error.is_outcome_unknown(),
                "L-2: {error:?} although the commit may have been applied"
            ),
        }
    }

    pub(super) fn assert_all_ended(&self) {
        assert!(
            self.pending.is_empty(),
            "without an outcome: {:?}",
            self.pending
        );
    }

    fn event(&mut self, event: &Event, state: State, sender: SenderStatus) {
        match event {
            Event::OperationEnded(operation) => {
                let is_new = self.ended.insert(name(*operation));
                let is_repeatable = *operation == Operation::SendOffsets;
                assert!(is_new || is_repeatable, "T-12: {operation:?} ended twice");
            }
            Event::IdentityChanged(identity) => {
                assert_ne!(state, State::InTransaction, "P-64");
                assert_eq!(sender, SenderStatus::default(), "P-64");
                let is_new = self.identities.insert(numbers(*identity));
                assert!(is_new, "P-26: {identity} again");
                self.was_initialized = true;
                self.doubt = None;
            }
            Event::Fatal(_) => assert!(is_terminal(state), "L-8"),
            Event::Closed => assert!(is_terminal(state), "T-76: {state:?}"),
            Event::Abortable(_)
            | Event::FailUndrained(_)
            | Event::Flush
            | Event::PartitionsAdded(_)
            | Event::TransactionEnded(_) => {}
        }
    }

    fn at(&mut self, state: State) {
        if self.is_over {
            let is_same = self.state == Some(state) || state == State::Closed;
            assert!(is_same, "T-75: {:?} became {state:?}", self.state);
        }
        if self.is_prepared && state == State::Aborting {
            assert!(self.was_told_to_abort, "T-45: aborted on its own account");
        }
        assert!(!self.is_prepared || state != State::AbortableError, "T-45");
        if state == State::Prepared {
            self.is_prepared = true;
        }
        self.is_over |= is_terminal(state);
        self.state = Some(state);
    }
}

impl World {
    /// What must hold of a request when it is sent.
    pub(super) fn look_at(&mut self, request: &Request, before: State) {
        let sender = self.status();
        let version = self.machine.version();
        match request {
            Request::InitProducerId { producer, .. } => {
                assert_eq!(producer.is_some(), self.seen.was_initialized, "T-44");
            }
            Request::AddPartitionsToTxn { partitions, .. } => {
                assert_eq!(
                    version,
                    TransactionVersion::One,
                    "only the first protocol registers"
                );
                let sorted = partitions.is_sorted_by(|one, other| one < other);
                assert!(sorted && !partitions.is_empty(), "{partitions:?}");
                self.seen.has_reached = true;
            }
            Request::AddOffsetsToTxn { .. } => {
                assert_eq!(
                    version,
                    TransactionVersion::One,
                    "only the first protocol registers"
                );
                self.seen.has_reached = true;
            }
            Request::TxnOffsetCommit { group, offsets, .. } => {
                assert!(!offsets.is_empty(), "T-58");
                let is_added = self.seen.groups.contains(&group.group_id);
                assert!(version == TransactionVersion::Two || is_added, "T-33");
                self.seen.has_reached = true;
            }
            Request::EndTxn {
                producer,
                direction,
            } => {
                assert_eq!(sender, SenderStatus::default(), "T-34");
                let is_committing = |r: &Request| matches!(r, Request::TxnOffsetCommit { .. });
                assert!(
                    !self.group_asked.as_ref().is_some_and(is_committing),
                    "T-34"
                );
                assert!(self.seen.has_reached, "T-53: nothing to end");
                if let Some((in_doubt, way)) = self.seen.doubt
                    && in_doubt == *producer
                {
                    assert_eq!(*direction, way, "T-64: the other way after a doubt");
                }
                let expected = match direction {
                    Direction::Commit => State::Committing,
                    Direction::Abort => State::Aborting,
                };
                assert_eq!(self.machine.state(), expected, "from {before:?}");
                assert!(
                    !self.seen.is_prepared
                        || *direction == Direction::Commit
                        || self.seen.was_told_to_abort,
                    "T-45"
                );
                self.seen.was_asked_to_end = true;
            }
            Request::DescribeTransactions | Request::FindCoordinator { .. } => {}
        }
    }

    /// Takes the events, as the driver does.
    pub(super) fn listen(&mut self) {
        while let Some(event) = self.machine.poll_event() {
            if matches!(
                event,
                Event::FailUndrained(_) | Event::Fatal(_) | Event::Closed
            ) {
                self.queued.clear();
            }
            let (state, sender) = (self.machine.state(), self.status());
            self.seen.event(&event, state, sender);
        }
        self.seen.at(self.machine.state());
        if let Some(prepared) = self.machine.prepared() {
            self.seen.names.insert(numbers(prepared));
        }
    }
}
