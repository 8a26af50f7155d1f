//! milena on a real cluster that is being broken, and a checker that believes neither.
//!
//! Three brokers, a proxy before them for each workload, and every client a process of its own, so that it
//! can be stopped and killed as brokers are. What goes wrong when is drawn from a seed ([`schedule`]); what
//! each client was told is in a [`History`], line by line as it said so; what stands in the logs in the end
//! is read by Kafka's own consumer. [`check`] compares the two and shares nothing with milena.
//!
//! The same seed gives the same faults in the same order; what they meet with depends on the clocks of eight
//! processes, so a violation may need several runs to come back.

mod checker;
pub mod client;
mod journal;
mod report;
mod run;
pub mod schedule;
mod seat;

pub use checker::{Evidence, Kind, Reading, Violation, check};
pub use journal::{End, Fate, History, Life, Line, Role, Transaction, Value, Write};
pub use report::Report;
pub use run::{Plan, run};

/// What the clients of a run are busy with.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Workload {
    /// Records from transactions are copied to another topic, each copy in one transaction with the offset
    /// of what it copies.
    Copy,
    /// One transactional producer on one broker, a quarter of whose transactions is aborted. Nothing befalls it
    /// but that its requests come late: the connection is cut, and what was on it reaches the broker when the
    /// producer has long gone on (T-65, KAFKA-17754).
    Late,
    /// One idempotent producer.
    Produce,
    /// Several transactional producers under one transactional id, one taking over from the other, the
    /// older one frozen or not.
    Rivals,
    /// One transactional producer, a quarter of whose transactions is aborted.
    Transact,
}

impl Workload {
    /// Those that share a cluster on which everything breaks.
    pub const ALL: [Self; 4] = [Self::Copy, Self::Produce, Self::Rivals, Self::Transact];

    /// Every one that can be asked for by name.
    pub const NAMED: [Self; 5] = [
        Self::Copy,
        Self::Late,
        Self::Produce,
        Self::Rivals,
        Self::Transact,
    ];

    /// Its name, for topics and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Late => "late",
            Self::Produce => "produce",
            Self::Rivals => "rivals",
            Self::Transact => "transact",
        }
    }
}
