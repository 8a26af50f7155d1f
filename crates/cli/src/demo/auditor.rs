//! Watches the committed records of the bank go by and says when they cannot be right.
//!
//! Pure: entries go in, violations come out. What makes a torn transfer certain while the bank is
//! still open: a teller's transactions follow one another, so in every partition its entries come in
//! the order of its transfers. If the credit of transfer 8 has come from partition 2, the credit of
//! transfer 7, which goes there too, comes no more.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use super::ledger::{Bank, Entry, Side};

/// What must not be, and was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// An entry of a transaction that its teller aborted.
    AbortedSeen { id: Id, side: Side },
    /// The balance in the entry does not follow from the entries before it.
    BalanceBroken {
        id: Id,
        account: u32,
        expected: i64,
        found: i64,
    },
    /// A committed transfer that never came.
    Lost { id: Id },
    /// The money in the bank is not what it was.
    TotalChanged { id: Id, expected: i64, found: i64 },
    /// One half of a transfer came, the other did not.
    Torn { id: Id, seen: Side },
    /// The same entry came again.
    Twice { id: Id, side: Side },
    /// Not an entry at all.
    Unreadable { place: String },
}

/// A transfer: its teller, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    pub(crate) teller: u32,
    pub(crate) transfer: u64,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transfer {} of teller {}", self.transfer, self.teller)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AbortedSeen { id, side } => {
                write!(f, "aborted, and seen: the {} of {id}", side.name())
            }
            Self::BalanceBroken {
                id,
                account,
                expected,
                found,
            } => write!(
                f,
                "broken balance: {id} leaves {found} in account {account}, where {expected} should be"
            ),
            Self::Lost { id } => write!(f, "lost: {id} was committed and never seen"),
            Self::TotalChanged {
                id,
                expected,
                found,
            } => {
                write!(f, "changed total: {found} instead of {expected} after {id}")
            }
            Self::Torn { id, seen } => {
                write!(f, "torn: only the {} of {id} was seen", seen.name())
            }
            Self::Twice { id, side } => write!(f, "seen twice: the {} of {id}", side.name()),
            Self::Unreadable { place } => write!(f, "unreadable: {place}"),
        }
    }
}

/// How a transaction ended for its teller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Committed,
    Aborted,
    /// Nobody can say; both are right, but not half of each.
    Unknown,
}

/// The reader's view of the bank.
#[derive(Debug)]
pub(crate) struct Auditor {
    /// By account, after the last entry seen.
    balances: Vec<i64>,
    /// The sum of all accounts over all transfers of which both halves were seen.
    total: i64,
    /// Transfers of which one half was seen.
    halves: HashMap<Id, Entry>,
    /// The transfers of a teller whose other half is due on a partition.
    due: BTreeMap<(u32, i32), BTreeSet<u64>>,
    /// Transfers of which both halves were seen, or that were reported as torn.
    settled: HashSet<Id>,
    violations: Vec<Violation>,
    entries: u64,
}

impl Auditor {
    pub(crate) fn new(bank: Bank) -> Self {
        Self {
            balances: vec![bank.opening_balance; bank.accounts as usize],
            total: bank.total(),
            halves: HashMap::new(),
            due: BTreeMap::new(),
            settled: HashSet::new(),
            violations: Vec::new(),
            entries: 0,
        }
    }

    /// A committed record went by.
    pub(crate) fn observe(&mut self, entry: Entry) {
        self.entries += 1;
        let id = Id {
            teller: entry.teller,
            transfer: entry.transfer,
        };
        let side = entry.side;
        if entry.to_be_aborted {
            return self.violations.push(Violation::AbortedSeen { id, side });
        }
        let repeated = self.halves.get(&id).is_some_and(|half| half.side == side);
        if repeated || self.settled.contains(&id) {
            return self.violations.push(Violation::Twice { id, side });
        }
        self.check_balance(id, &entry);
        self.check_torn(&entry);
        match self.halves.remove(&id) {
            Some(first) => self.settle(id, &first, &entry),
            None => {
                let due_on = entry.partitions.of(side.other());
                self.due
                    .entry((entry.teller, due_on))
                    .or_default()
                    .insert(entry.transfer);
                self.halves.insert(id, entry);
            }
        }
    }

    /// A committed record went by that is no entry.
    pub(crate) fn observe_unreadable(&mut self, place: String) {
        self.violations.push(Violation::Unreadable { place });
    }

    /// The bank is closed and everything was read: what has not come by now is lost or torn.
    pub(crate) fn close(&mut self, fates: &BTreeMap<Id, Fate>) {
        let mut torn: Vec<_> = self
            .halves
            .iter()
            .map(|(id, half)| (*id, half.side))
            .collect();
        torn.sort_by_key(|(id, _)| *id);
        for (id, seen) in torn {
            self.tear(id, seen);
        }
        for (id, fate) in fates {
            let seen = self.settled.contains(id);
            match fate {
                Fate::Committed if !seen => self.violations.push(Violation::Lost { id: *id }),
                // Meant to be committed, aborted because something failed.
                Fate::Aborted if seen => {
                    let side = Side::Debit;
                    self.violations
                        .push(Violation::AbortedSeen { id: *id, side });
                }
                Fate::Committed | Fate::Aborted | Fate::Unknown => {}
            }
        }
    }

    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Records seen, good or not.
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    /// Transfers of which both halves were seen.
    pub(crate) fn settled(&self) -> usize {
        self.settled.len()
    }

    /// Whether both halves of this one were seen.
    pub(crate) fn has_settled(&self, id: Id) -> bool {
        self.settled.contains(&id)
    }

    /// The money in the bank: what the last entry of every account says.
    pub(crate) fn total(&self) -> i64 {
        self.balances.iter().sum()
    }

    fn check_balance(&mut self, id: Id, entry: &Entry) {
        let Some(balance) = self.balances.get_mut(entry.account as usize) else {
            let place = format!("{id} names account {}, which is not there", entry.account);
            return self.violations.push(Violation::Unreadable { place });
        };
        let expected = match entry.side {
            Side::Debit => *balance - entry.amount,
            Side::Credit => *balance + entry.amount,
        };
        *balance = entry.balance;
        if expected != entry.balance {
            let (account, found) = (entry.account, entry.balance);
            self.violations.push(Violation::BalanceBroken {
                id,
                account,
                expected,
                found,
            });
        }
    }

    /// Whatever of this teller was due on this partition before this entry comes no more.
    fn check_torn(&mut self, entry: &Entry) {
        let here = (entry.teller, entry.partitions.of(entry.side));
        let Some(due) = self.due.get_mut(&here) else {
            return;
        };
        let missed: Vec<u64> = due.range(..entry.transfer).copied().collect();
        for transfer in missed {
            let id = Id {
                teller: entry.teller,
                transfer,
            };
            if let Some(half) = self.halves.get(&id) {
                self.tear(id, half.side);
            }
        }
    }

    fn tear(&mut self, id: Id, seen: Side) {
        self.violations.push(Violation::Torn { id, seen });
        if let Some(half) = self.halves.remove(&id) {
            self.forget_due(&half);
        }
        // A late other half is reported as torn once, not again as something else.
        self.settled.insert(id);
    }

    fn settle(&mut self, id: Id, first: &Entry, second: &Entry) {
        self.forget_due(first);
        self.settled.insert(id);
        let (debit, credit) = match first.side {
            Side::Debit => (first, second),
            Side::Credit => (second, first),
        };
        let expected = self.total;
        self.total += credit.amount - debit.amount;
        if self.total != expected {
            let found = self.total;
            self.violations.push(Violation::TotalChanged {
                id,
                expected,
                found,
            });
        }
    }

    fn forget_due(&mut self, half: &Entry) {
        let due_on = (half.teller, half.partitions.of(half.side.other()));
        if let Some(due) = self.due.get_mut(&due_on) {
            due.remove(&half.transfer);
        }
    }
}

#[cfg(test)]
#[path = "auditor_tests.rs"]
mod tests;
