//! The instances of the transactional id that takes part in a two-phase commit, as seen from outside: which of them
//! is superseded, and what each name stands for.

use super::journal::Number;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::AddAssign;
use std::sync::{Mutex, MutexGuard};

/// A moment: later ones are greater, and no two are the same.
pub(super) type Moment = u64;

/// What happened in a run of the two-phase workload: shows that it was about something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Takeovers {
    /// Transactions that an instance left open and a newer one committed.
    pub committed: usize,
    /// And aborted.
    pub aborted: usize,
    /// Ends of prepared transactions that were asked for by an instance after a newer one had started.
    pub late_ends: usize,
    /// Times that the database refused a decision or to tell one, as a newer process had it.
    pub late_decisions: usize,
}

impl AddAssign for Takeovers {
    fn add_assign(&mut self, other: Self) {
        self.committed += other.committed;
        self.aborted += other.aborted;
        self.late_ends += other.late_ends;
        self.late_decisions += other.late_decisions;
    }
}

impl fmt::Display for Takeovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} transactions committed and {} aborted by a newer instance, {} ends and {} decisions too late",
            self.committed, self.aborted, self.late_ends, self.late_decisions
        )
    }
}

/// All instances together.
#[derive(Debug, Default)]
pub(super) struct Instances(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    clock: Moment,
    /// When the start began that began last, of those that are done.
    newest: Moment,
    transactions: BTreeSet<Number>,
    names: BTreeMap<String, Number>,
    takeovers: Takeovers,
}

impl Instances {
    /// An instance is about to start.
    pub(super) fn starts(&self) -> Moment {
        self.lock().tick()
    }

    /// It has started. Every instance that had before it began is fenced; of two starts at the same time either may
    /// have been first.
    pub(super) fn started(&self, began: Moment) -> Moment {
        let mut seen = self.lock();
        seen.newest = seen.newest.max(began);
        seen.tick()
    }

    /// Whether a newer one than that which had started then is there for certain.
    pub(super) fn is_superseded(&self, started: Moment) -> bool {
        self.lock().newest > started
    }

    /// A transaction was begun over which the database decides.
    pub(super) fn begun(&self, number: Number) {
        self.lock().transactions.insert(number);
    }

    /// A transaction was prepared under a name. Gives another one that had the same, which none may.
    pub(super) fn named(&self, name: String, number: Number) -> Option<Number> {
        self.lock().names.insert(name, number)
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Takeovers)) {
        count(&mut self.lock().takeovers);
    }

    pub(super) fn takeovers(&self) -> Takeovers {
        self.lock().takeovers
    }

    /// The transactions over which the database decides.
    pub(super) fn transactions(&self) -> BTreeSet<Number> {
        self.lock().transactions.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        super::lock(&self.0)
    }
}

impl Seen {
    fn tick(&mut self) -> Moment {
        self.clock += 1;
        self.clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_superseded_by_one_that_began_after_it_had_started_and_has_started() {
        let instances = Instances::default();
        let first = instances.started(instances.starts());
        let (second, third) = (instances.starts(), instances.starts());
        assert!(!instances.is_superseded(first));
        let third = instances.started(third);
        assert!(instances.is_superseded(first));
        // These two started at the same time: nobody knows which of them fenced the other.
        let second = instances.started(second);
        assert!(!instances.is_superseded(second));
        assert!(!instances.is_superseded(third));
    }

    #[test]
    fn a_name_that_is_used_again_is_told() {
        let instances = Instances::default();
        assert_eq!(instances.named("1:1".to_owned(), 4), None);
        assert_eq!(instances.named("1:2".to_owned(), 5), None);
        assert_eq!(instances.named("1:1".to_owned(), 6), Some(4));
    }
}
