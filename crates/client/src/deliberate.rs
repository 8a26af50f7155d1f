//! Mistakes on purpose, so that the tests can show that the simulation finds them. Only there with the feature
//! `_deliberate-bugs`, which nothing but those tests switches on.

use std::cell::Cell;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bug {
    /// The index of aborted transactions is worked through from its wrong end.
    AbortedIndexOrder,
    /// EndTxn goes out while batches are unanswered (T-34).
    CommitBeforeLastAck,
    /// What is prepared is committed whether the stored name is its own or another's (T-45).
    CompleteUnnamed,
    /// One of several batches without an answer is not sent again, and nobody is told.
    ForgetInFlight,
    /// The epoch stays although a copy of EndTxn may yet arrive (T-65).
    KeepEpoch,
    /// The position behind a control batch is one too far.
    PositionAfterControl,
    /// A batch of unknown fate is cut in two for its next attempt (P-21).
    RebatchOnRetry,
    /// A delivery of unknown outcome is told as refused (P-75).
    UnknownIsFailed,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::AbortedIndexOrder,
        Self::CommitBeforeLastAck,
        Self::CompleteUnnamed,
        Self::ForgetInFlight,
        Self::KeepEpoch,
        Self::PositionAfterControl,
        Self::RebatchOnRetry,
        Self::UnknownIsFailed,
    ];
}

thread_local! {
    static COMMITTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Makes this mistake on this thread from now on; `None` makes none.
pub fn commit(bug: Option<Bug>) {
    COMMITTED.set(bug);
}

pub(crate) fn is_committed(bug: Bug) -> bool {
    COMMITTED.get() == Some(bug)
}
