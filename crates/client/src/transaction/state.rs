//! Where a transactional id stands, in the words of the specification's table (§2.2).

use crate::error::Error;

/// Where the transactional producer stands; what a driver and its tests may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// No producer id yet; only init is legal.
    Uninitialized,
    /// InitProducerId is under way.
    Initializing,
    /// No transaction is open; begin is legal.
    Ready,
    /// A transaction is open and may be committed or aborted.
    InTransaction,
    /// The open transaction takes no more, and is prepared once all of it has a definite result (KIP-939).
    Preparing,
    /// The open transaction waits for its owner's decision, in this life or the next (KIP-939).
    Prepared,
    /// The open transaction can only be aborted.
    AbortableError,
    /// A commit is under way, until its outcome is known and the next transaction may begin.
    Committing,
    /// An abort is under way, until the next transaction may begin.
    Aborting,
    /// Terminal: a newer producer uses the transactional id.
    Fenced,
    /// Terminal: the producer can do nothing more.
    Fatal,
    /// Terminal: closed by its owner.
    Closed,
}

/// An operation whose outcome its caller waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Init,
    Commit,
    Abort,
    Prepare,
    SendOffsets,
}

/// Which way a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    Commit,
    Abort,
}

impl Direction {
    pub(super) const fn operation(self) -> Operation {
        match self {
            Self::Commit => Operation::Commit,
            Self::Abort => Operation::Abort,
        }
    }
}

/// Whether a call started an operation or joined the one that is pending (T-12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attachment {
    Started,
    Resumed,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransactionOutcome {
    /// Its records and offsets become visible to readers of committed records.
    Committed,
    /// Nothing of it does.
    Aborted,
}

/// Whether the transactions of a producer take part in a two-phase commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum TwoPhase {
    #[default]
    Off,
    /// They do; a transaction that an older instance left is aborted.
    #[cfg_attr(
        not(any(test, feature = "_fuzzing", feature = "two-phase-commit")),
        expect(dead_code, reason = "nobody can ask for it")
    )]
    On,
    /// They do; a transaction that an older instance left is kept, to be ended by this one.
    Keeping,
}

impl TwoPhase {
    pub(crate) const fn is_on(self) -> bool {
        !matches!(self, Self::Off)
    }

    /// The same for an InitProducerId after the first one. A coordinator that has a transaction open aborts it for
    /// such a request whatever its epoch, as Kafka does: also one that a newer instance has prepared and another
    /// system has decided to commit. So it is kept, and `raise_found` sees whose it is.
    pub(super) const fn continued(self) -> Self {
        match self {
            Self::Off => Self::Off,
            Self::On | Self::Keeping => Self::Keeping,
        }
    }
}

/// How to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    /// Finish a commit or abort that is under way, abort an open transaction, then end (T-76).
    Graceful,
    /// Send nothing more. What is open is left to the coordinator's time-out or to the next init.
    Forced,
}

/// [`State`] with what is known only in it.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    Uninitialized,
    Initializing,
    Ready,
    InTransaction,
    #[cfg_attr(
        not(any(test, feature = "_fuzzing", feature = "two-phase-commit")),
        expect(dead_code, reason = "only the feature prepares")
    )]
    Preparing,
    Prepared,
    Abortable(Error),
    Ending(Direction, Step),
    Fenced(Error),
    Fatal(Error),
    Closed,
}

/// How far the end of a transaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Until everything of the transaction has a definite result (T-34, L-29).
    Settling,
    /// EndTxn is sent, and repeated until its outcome is known (T-64).
    Asking,
    /// EndTxn was refused as if there were no such transaction; the coordinator is asked how the
    /// transaction ended (L-25).
    FindingOut,
    /// It has ended; a newer epoch shuts out whatever of it is still on its way (T-62, T-65).
    RaisingEpoch,
}

impl Phase {
    pub(super) const fn state(&self) -> State {
        match self {
            Self::Uninitialized => State::Uninitialized,
            Self::Initializing => State::Initializing,
            Self::Ready => State::Ready,
            Self::InTransaction => State::InTransaction,
            Self::Preparing => State::Preparing,
            Self::Prepared => State::Prepared,
            Self::Abortable(_) => State::AbortableError,
            Self::Ending(Direction::Commit, _) => State::Committing,
            Self::Ending(Direction::Abort, _) => State::Aborting,
            Self::Fenced(_) => State::Fenced,
            Self::Fatal(_) => State::Fatal,
            Self::Closed => State::Closed,
        }
    }

    pub(super) const fn is_terminal(&self) -> bool {
        matches!(self, Self::Fenced(_) | Self::Fatal(_) | Self::Closed)
    }
}
