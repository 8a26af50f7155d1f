//! Compares what the clients of a topic were told with what Kafka's own consumer reads there.
//!
//! Pure, and nothing of milena is in it: values, offsets and what was said about them.

mod copies;
#[cfg(test)]
mod tests;
mod transactions;
mod writes;

use super::journal::{History, Value};
use std::collections::BTreeMap;
use std::fmt;

/// A promise that was broken, with what shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Which.
    pub kind: Kind,
    /// What shows it.
    pub evidence: String,
}

/// The promises a run can break.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Kind {
    /// A record of a transaction that was not committed is visible.
    AbortedVisible,
    /// A record is there twice, or was copied twice.
    Duplicate,
    /// A transaction is still open when everybody has gone.
    Hanging,
    /// Something that nobody did is in the log, or the log contradicts itself.
    Impossible,
    /// Something that was acknowledged or committed is not there, or was not copied.
    Loss,
    /// Nothing succeeded for too long after the faults had ended.
    NoProgress,
    /// A record that was said not to be in the log is there.
    RefusedVisible,
    /// Records of one sender, or copies, are in another order than they were sent in.
    Reorder,
    /// A transaction is visible in part.
    Torn,
    /// The committed offset is not where the copies end.
    WrongCommittedOffset,
    /// A record was acknowledged at an offset where it is not.
    WrongOffset,
    /// A process became visible again after a newer one with its transactional id had been.
    Zombie,
}

impl Violation {
    /// A broken promise.
    pub fn new(kind: Kind, evidence: impl Into<String>) -> Self {
        Self {
            kind,
            evidence: evidence.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.evidence)
    }
}

/// What Kafka's own consumer reads in a topic when everybody has gone: partition, offset and value, in order.
/// A record that holds something else than a value has none.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// What a reader of committed records sees.
    pub committed: Vec<(i32, i64, Option<Value>)>,
    /// What a reader of everything sees.
    pub uncommitted: Vec<(i32, i64, Option<Value>)>,
    /// The ends of the partitions for a reader of committed records.
    pub stable_ends: BTreeMap<i32, i64>,
    /// The ends of the partitions.
    pub ends: BTreeMap<i32, i64>,
}

/// All there is to know about a topic after a run.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Its name.
    pub topic: String,
    /// What its writers said.
    pub history: History,
    /// What is in it.
    pub reading: Reading,
    /// For copies: what is in the topic they are copied from, and which offsets of it are committed.
    pub copied_from: Option<(Reading, BTreeMap<i32, i64>)>,
}

/// Every promise that was broken.
#[must_use]
pub fn check(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    let places = Places::of(&evidence.reading, &mut found);
    for nonsense in &evidence.history.nonsense {
        found.push(Violation::new(Kind::Impossible, nonsense.clone()));
    }
    check_stability(&evidence.reading, &mut found);
    writes::check(&evidence.history, &places, &mut found);
    writes::check_order(&evidence.history, &evidence.reading, &mut found);
    transactions::check(&evidence.history, &places, &mut found);
    transactions::check_zombies(&evidence.history, &evidence.reading, &mut found);
    if let Some((input, offsets)) = &evidence.copied_from {
        copies::check(evidence, input, offsets, &mut found);
    }
    for violation in &mut found {
        violation.evidence = format!("{}: {}", evidence.topic, violation.evidence);
    }
    found
}

fn check_stability(reading: &Reading, found: &mut Vec<Violation>) {
    for (partition, end) in &reading.ends {
        let stable = reading.stable_ends.get(partition).copied().unwrap_or(0);
        if stable != *end {
            found.push(Violation::new(
                Kind::Hanging,
                format!("partition {partition} ends at {end} and is stable up to {stable} only"),
            ));
        }
    }
}

/// Where a value is: partition and offset.
type Place = (i32, i64);

/// Where each value is, for both kinds of readers.
#[derive(Debug, Default)]
struct Places {
    committed: BTreeMap<Value, Place>,
    uncommitted: BTreeMap<Value, Place>,
}

impl Places {
    fn of(reading: &Reading, found: &mut Vec<Violation>) -> Self {
        let uncommitted = index("everything", &reading.uncommitted, found);
        let committed = index("what is committed", &reading.committed, found);
        for (value, place) in &committed {
            if uncommitted.get(value) != Some(place) {
                found.push(Violation::new(
                    Kind::Impossible,
                    format!("{value} is committed at {place:?} and not in the log there"),
                ));
            }
        }
        Self {
            committed,
            uncommitted,
        }
    }

    fn is_visible(&self, value: Value) -> bool {
        self.committed.contains_key(&value)
    }
}

fn index(
    what: &str,
    records: &[(i32, i64, Option<Value>)],
    found: &mut Vec<Violation>,
) -> BTreeMap<Value, Place> {
    let mut places = BTreeMap::new();
    let mut last = BTreeMap::new();
    for (partition, offset, value) in records {
        let place = (*partition, *offset);
        if last
            .insert(partition, offset)
            .is_some_and(|last| last >= offset)
        {
            found.push(Violation::new(
                Kind::Impossible,
                format!("whoever read {what} got {place:?} late"),
            ));
        }
        let Some(value) = value else {
            found.push(Violation::new(
                Kind::Impossible,
                format!("nobody wrote what is at {place:?}"),
            ));
            continue;
        };
        if let Some(before) = places.insert(*value, place) {
            found.push(Violation::new(
                Kind::Duplicate,
                format!("{value} is at {before:?} and at {place:?} for readers of {what}"),
            ));
        }
    }
    places
}
