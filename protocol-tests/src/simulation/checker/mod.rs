//! Compares what the applications saw with what the logs hold.
//!
//! It shares nothing with the client: what is visible follows here from the batches and the markers
//! themselves, not from the index of aborted transactions or from any reader.

mod copies;
mod decisions;
mod reads;
#[cfg(test)]
mod tests;
mod truth;
mod writes;

use super::journal::Seen;
use super::workload::Workload;
use milena::TopicPartition;
use std::collections::BTreeMap;
use std::fmt;

pub(super) use decisions::Decisions;
pub(super) use truth::{Log, Truth};

/// A promise that was broken, with the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Which.
    pub kind: Kind,
    /// What shows it.
    pub evidence: String,
}

/// The promises that a run can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// A record of an aborted transaction, or one that was refused, is visible (G1a).
    AbortedRead,
    /// Of the transactions that a database decides over, others are visible than it decided to commit.
    Disagreement,
    /// One record at two offsets.
    Duplicate,
    /// Something was acknowledged, or would have to be there, and is not.
    Loss,
    /// Not everything was done some time after the faults had ended.
    NoProgress,
    /// What was said to be impossible happened, or the log is not in order.
    Protocol,
    /// Records of one sender are in another order than it sent them, or a reader got them in another.
    Reorder,
    /// A transaction is visible in part.
    Torn,
    /// A record was acknowledged at an offset where it is not.
    WrongAcknowledgement,
    /// The committed offset is not where the copies end.
    WrongCommittedOffset,
}

impl Violation {
    pub(super) fn new(kind: Kind, evidence: impl Into<String>) -> Self {
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

/// What a run left behind.
pub(super) struct Evidence {
    pub(super) workload: Workload,
    pub(super) seen: Seen,
    /// Everybody was done and the last reader at the end.
    pub(super) complete: bool,
    pub(super) logs: BTreeMap<TopicPartition, Log>,
    /// What a database decided to commit.
    pub(super) decisions: Decisions,
    /// What the group has committed for the input.
    pub(super) committed: BTreeMap<TopicPartition, Option<i64>>,
}

/// Every promise that was broken.
pub(super) fn check(evidence: &Evidence) -> Vec<Violation> {
    let mut found = Vec::new();
    let truth = Truth::of(&evidence.logs, &mut found);
    for complaint in &evidence.seen.complaints {
        found.push(Violation::new(Kind::Protocol, complaint.clone()));
    }
    writes::check(&evidence.seen, &truth, &mut found);
    reads::check(evidence, &truth, &mut found);
    decisions::check(evidence, &truth, &mut found);
    if evidence.workload.commits_offsets() {
        copies::check(evidence, &truth, &mut found);
    }
    found
}
