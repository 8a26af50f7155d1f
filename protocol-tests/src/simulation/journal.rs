//! What the applications of a run saw: what they wrote, what they were told of it, and what they read.

use milena::{Error, TopicPartition};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard};

/// A record's value: unique in its run, so every reader knows its writer.
pub(super) type Value = u64;
/// A client process that wrote or read. A restarted one is another.
pub(super) type Life = u32;
/// A transaction's number.
pub(super) type Number = u64;

/// What became of something that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate<T> {
    /// It happened, in this way.
    Done(T),
    /// It did not and will not happen.
    Refused(String),
    /// Nobody knows; also while it is under way, so that a crash leaves this behind.
    Unknown(String),
}

impl<T> Fate<T> {
    pub(super) fn open() -> Self {
        Self::Unknown("under way".to_owned())
    }

    /// What an error says (J-4).
    pub(super) fn of(error: &Error) -> Self {
        if error.is_outcome_unknown() {
            Self::Unknown(error.to_string())
        } else {
            Self::Refused(error.to_string())
        }
    }
}

/// A record that was sent.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) value: Value,
    pub(super) life: Life,
    pub(super) partition: TopicPartition,
    pub(super) transaction: Option<Number>,
    /// For a copy, the value that it is a copy of.
    pub(super) copy_of: Option<Value>,
    /// Its offset, where one was told.
    pub(super) fate: Fate<Option<i64>>,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Aborted,
    Committed,
}

/// A transaction that was begun.
#[derive(Clone, Debug)]
pub(super) struct TransactionSeen {
    pub(super) end: Fate<End>,
    /// Offsets that are part of it.
    pub(super) offsets: Vec<(TopicPartition, i64)>,
}

/// Records that a reader got, in its order. A reader that goes to another place begins a new one.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) life: Life,
    pub(super) partition: TopicPartition,
    /// Where it began.
    pub(super) from: i64,
    pub(super) records: Vec<(i64, Value)>,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// In the order of their sends. A value is the place in here.
    pub(super) writes: Vec<Write>,
    pub(super) transactions: Vec<TransactionSeen>,
    pub(super) readings: Vec<Reading>,
    /// What milena said at the end that the group has committed.
    pub(super) committed: BTreeMap<TopicPartition, Option<i64>>,
    /// What somebody found wrong at once.
    pub(super) complaints: Vec<String>,
}

/// Collects what is seen while the run goes on.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Seen>);

impl Journal {
    pub(super) fn sent(
        &self,
        life: Life,
        partition: &TopicPartition,
        transaction: Option<Number>,
        copy_of: Option<Value>,
    ) -> Value {
        let mut seen = self.lock();
        let value = seen.writes.len() as Value;
        seen.writes.push(Write {
            value,
            life,
            partition: partition.clone(),
            transaction,
            copy_of,
            fate: Fate::open(),
        });
        value
    }

    pub(super) fn fate_of_write(&self, value: Value, fate: Fate<Option<i64>>) {
        if let Some(write) = at(&mut self.lock().writes, value) {
            write.fate = fate;
        }
    }

    pub(super) fn begun(&self) -> Number {
        let mut seen = self.lock();
        let number = seen.transactions.len() as Number;
        seen.transactions.push(TransactionSeen {
            end: Fate::open(),
            offsets: Vec::new(),
        });
        number
    }

    pub(super) fn offsets_of(&self, transaction: Number, offsets: Vec<(TopicPartition, i64)>) {
        if let Some(transaction) = at(&mut self.lock().transactions, transaction) {
            transaction.offsets = offsets;
        }
    }

    pub(super) fn end_of(&self, transaction: Number, end: Fate<End>) {
        let mut seen = self.lock();
        let Some(before) = at(&mut seen.transactions, transaction) else {
            return;
        };
        let before = std::mem::replace(&mut before.end, end.clone());
        if let (Fate::Done(before), Fate::Done(end)) = (before, end)
            && before != end
        {
            seen.complaints.push(format!(
                "transaction {transaction}: somebody was told {before:?}, and then somebody {end:?}"
            ));
        }
    }

    pub(super) fn reading(&self, life: Life, partition: &TopicPartition, from: i64) -> usize {
        let mut seen = self.lock();
        seen.readings.push(Reading {
            life,
            partition: partition.clone(),
            from,
            records: Vec::new(),
        });
        seen.readings.len() - 1
    }

    pub(super) fn read(&self, reading: usize, offset: i64, value: Value) {
        if let Some(reading) = self.lock().readings.get_mut(reading) {
            reading.records.push((offset, value));
        }
    }

    pub(super) fn committed(&self, offsets: BTreeMap<TopicPartition, Option<i64>>) {
        self.lock().committed = offsets;
    }

    pub(super) fn complain(&self, what: String) {
        self.lock().complaints.push(what);
    }

    /// Everything that was seen.
    pub(super) fn take(&self) -> Seen {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        super::lock(&self.0)
    }
}

impl Seen {
    /// As text, for comparing runs and for reading.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for write in &self.writes {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{write:?}");
        }
        for (number, transaction) in self.transactions.iter().enumerate() {
            let _ = writeln!(text, "{number} {transaction:?}");
        }
        for reading in &self.readings {
            let _ = writeln!(text, "{reading:?}");
        }
        let _ = writeln!(text, "{:?} {:?}", self.committed, self.complaints);
        text
    }
}

fn at<T>(items: &mut [T], number: u64) -> Option<&mut T> {
    items.get_mut(usize::try_from(number).ok()?)
}
