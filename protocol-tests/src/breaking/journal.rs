//! What clients say they did and were told, line by line, and what that adds up to.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a record holds: unique in its run, so a reader knows its writer. The upper half is the process that
/// wrote it, the lower half counts up.
pub type Value = u64;

/// A client process; another one in its place has a higher number.
pub type Life = u32;

/// What a client process does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Role {
    /// Copies records in transactions, with their offsets.
    Copy,
    /// Produces records outside transactions.
    Produce,
    /// Produces records in transactions.
    Transact,
}

/// One line of what a client process prints, as JSON. What is asked for is printed before it is done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Line {
    /// A record is handed over.
    Send {
        /// What it holds.
        value: Value,
        /// Where it has to go.
        partition: i32,
        /// The transaction it is part of.
        transaction: Option<u32>,
        /// The record it is a copy of.
        copy_of: Option<Value>,
    },
    /// What became of a record.
    Sent {
        /// Which.
        value: Value,
        /// What.
        fate: Fate,
    },
    /// A transaction begins.
    Begin {
        /// Its number in this process.
        transaction: u32,
    },
    /// Its commit or its abort is asked for.
    Ending {
        /// Which.
        transaction: u32,
        /// Whether it is the commit.
        commit: bool,
    },
    /// How it ended.
    Ended {
        /// Which.
        transaction: u32,
        /// How.
        end: End,
    },
    /// Something worth reading when a run is looked at.
    Note(String),
    /// The process ends because its client can't go on.
    GivesUp(String),
    /// The process did everything it had to do.
    Done,
}

/// What became of a record.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Fate {
    /// Nobody said; so it is after a kill too.
    Open,
    /// It was acknowledged, at this offset if one was told.
    Acknowledged(Option<i64>),
    /// It was said that it is not in the log, and why.
    Refused(String),
    /// It was said that it may be in the log, and why.
    Unknown(String),
}

/// How a transaction ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum End {
    /// Nobody said; so it is after a kill too.
    Open,
    /// It was committed.
    Committed,
    /// It was aborted.
    Aborted,
    /// It was said that it is not committed, and why.
    Refused(String),
    /// It was said that it may be committed, and why.
    Unknown(String),
}

/// A record that somebody handed over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Write {
    /// By whom.
    pub life: Life,
    /// Where to.
    pub partition: i32,
    /// In which transaction of that process.
    pub transaction: Option<u32>,
    /// Of what it is a copy.
    pub copy_of: Option<Value>,
    /// What became of it.
    pub fate: Fate,
    /// When, counted from the beginning of the run.
    pub at: Duration,
}

/// A transaction that somebody began.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transaction {
    /// Whether its commit was asked for (true), its abort (false), or neither.
    pub asked: Option<bool>,
    /// How it ended.
    pub end: End,
    /// When it began, counted from the beginning of the run.
    pub at: Duration,
}

/// What all processes that wrote to one topic said.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Every record, by what it holds.
    pub writes: BTreeMap<Value, Write>,
    /// Every transaction, by its process and its number there.
    pub transactions: BTreeMap<(Life, u32), Transaction>,
    /// Lines that make no sense.
    pub nonsense: Vec<String>,
}

impl History {
    /// Takes a line that the process printed at this time.
    pub fn take(&mut self, life: Life, line: Line, at: Duration) {
        let understood = match line {
            Line::Send {
                value,
                partition,
                transaction,
                copy_of,
            } => {
                let write = Write {
                    life,
                    partition,
                    transaction,
                    copy_of,
                    fate: Fate::Open,
                    at,
                };
                self.writes.insert(value, write).is_none()
            }
            Line::Sent { value, fate } => match self.writes.get_mut(&value) {
                Some(write) if write.fate == Fate::Open => {
                    write.fate = fate;
                    true
                }
                _ => false,
            },
            Line::Begin { transaction } => {
                let begun = Transaction {
                    asked: None,
                    end: End::Open,
                    at,
                };
                self.transactions
                    .insert((life, transaction), begun)
                    .is_none()
            }
            Line::Ending {
                transaction,
                commit,
            } => self.change(life, transaction, |it| it.asked = Some(commit)),
            Line::Ended { transaction, end } => self.change(life, transaction, |it| it.end = end),
            Line::Note(_) | Line::GivesUp(_) | Line::Done => true,
        };
        if !understood {
            self.nonsense
                .push(format!("process {life} said something out of place"));
        }
    }

    fn change(&mut self, life: Life, number: u32, change: impl FnOnce(&mut Transaction)) -> bool {
        match self.transactions.get_mut(&(life, number)) {
            Some(transaction) => {
                change(transaction);
                true
            }
            None => false,
        }
    }

    /// Whether something that was begun after this time has succeeded: a record outside transactions, or a
    /// transaction.
    #[must_use]
    pub fn has_progress_since(&self, when: Duration) -> bool {
        // The newest are at the end of each process; there are few processes and this is asked rarely.
        let acknowledged = |write: &Write| {
            write.at > when
                && write.transaction.is_none()
                && matches!(write.fate, Fate::Acknowledged(_))
        };
        self.writes.values().rev().any(acknowledged)
            || self
                .transactions
                .values()
                .rev()
                .any(|it| it.at > when && it.end == End::Committed)
    }
}
