//! Mistakes on purpose, so that the tests can show that the simulation finds them. Only there with the feature
//! `_deliberate-bugs`, which nothing but those tests switches on.

use std::cell::Cell;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bug {
    /// The markers of an aborted transaction are not written.
    DropAbortMarker,
    /// EndTxn of an older epoch is taken for one of the current.
    SkipFencing,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::DropAbortMarker, Self::SkipFencing];
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
