//! What came of a run.

use super::checker::Violation;
use super::journal::{End, Fate, History};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What came of a run: the numbers, and every promise that was broken.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The seed of its faults.
    pub seed: u64,
    /// How long the faults lasted.
    pub length: Duration,
    /// By topic: what became of its records and transactions.
    pub topics: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// How often each kind of trouble was done.
    pub troubles: BTreeMap<&'static str, u64>,
    /// By client: how long after the end of the faults something new had succeeded.
    pub recoveries: BTreeMap<&'static str, Duration>,
    /// What was found wrong.
    pub violations: Vec<Violation>,
}

impl Report {
    /// Counts what became of the records and transactions of a topic.
    pub(super) fn count(&mut self, topic: &str, history: &History) {
        let counts = self.topics.entry(topic.to_owned()).or_default();
        for write in history.writes.values() {
            let fate = match write.fate {
                Fate::Acknowledged(_) => "records acknowledged",
                Fate::Refused(_) => "records refused",
                Fate::Open | Fate::Unknown(_) => "records unknown",
            };
            *counts.entry(fate).or_default() += 1;
        }
        for transaction in history.transactions.values() {
            let end = match transaction.end {
                End::Committed => "transactions committed",
                End::Aborted => "transactions aborted",
                End::Refused(_) => "transactions refused",
                End::Open | End::Unknown(_) => "transactions unknown",
            };
            *counts.entry(end).or_default() += 1;
        }
    }
}

/// Most runs that break a promise break it often: a few of each say enough.
const VIOLATIONS_SHOWN: usize = 20;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {:?} of faults", self.seed, self.length)?;
        for (topic, counts) in &self.topics {
            writeln!(f, "{topic}: {}", Listed(counts))?;
        }
        writeln!(f, "troubles: {}", Listed(&self.troubles))?;
        for (client, time) in &self.recoveries {
            writeln!(f, "{client} went on {time:.1?} after the last of them")?;
        }
        for violation in self.violations.iter().take(VIOLATIONS_SHOWN) {
            writeln!(f, "VIOLATION {violation}")?;
        }
        write!(f, "{} violations", self.violations.len())
    }
}

/// `3 a, 4 b`.
struct Listed<'a>(&'a BTreeMap<&'static str, u64>);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self
            .0
            .iter()
            .map(|(what, n)| format!("{n} {what}"))
            .collect();
        f.write_str(&words.join(", "))
    }
}
