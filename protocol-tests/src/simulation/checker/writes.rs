//! Every record by what its writer was told, and every transaction as a whole.

use super::super::journal::{End, Fate, Seen, Write};
use super::{Kind, Truth, Violation};
use std::collections::BTreeMap;

pub(super) fn check(seen: &Seen, truth: &Truth<'_>, found: &mut Vec<Violation>) {
    let mut by_transaction: BTreeMap<u64, Vec<&Write>> = BTreeMap::new();
    for write in &seen.writes {
        check_place(write, truth, found);
        match write.transaction {
            Some(number) => by_transaction.entry(number).or_default().push(write),
            None => check_fate(write, truth, found),
        }
    }
    for (number, transaction) in seen.transactions.iter().enumerate() {
        let number = number as u64;
        let writes = by_transaction.remove(&number).unwrap_or_default();
        check_transaction(number, &transaction.end, &writes, truth, found);
    }
    check_order(seen, truth, found);
}

/// An acknowledged record is where it was said to be, aborted or not.
fn check_place(write: &Write, truth: &Truth<'_>, found: &mut Vec<Violation>) {
    let Fate::Done(Some(offset)) = write.fate else {
        return;
    };
    match truth.place(write.value) {
        Some((partition, entry)) if *partition == write.partition && entry.offset == offset => {}
        Some((partition, entry)) => found.push(Violation::new(
            Kind::WrongAcknowledgement,
            format!(
                "record {} was acknowledged at {}@{offset} and is at {partition}@{}",
                write.value, write.partition, entry.offset
            ),
        )),
        None => found.push(Violation::new(
            Kind::Loss,
            format!(
                "record {} was acknowledged at {}@{offset} and is nowhere",
                write.value, write.partition
            ),
        )),
    }
}

/// A record outside transactions: acknowledged is there, refused is not, unknown is either.
fn check_fate(write: &Write, truth: &Truth<'_>, found: &mut Vec<Violation>) {
    let place = truth.place(write.value);
    match (&write.fate, place) {
        (Fate::Done(_), None) => found.push(Violation::new(
            Kind::Loss,
            format!("record {} was acknowledged and is nowhere", write.value),
        )),
        (Fate::Refused(why), Some((partition, entry))) => found.push(Violation::new(
            Kind::AbortedRead,
            format!(
                "record {} was refused ({why}) and is at {partition}@{}",
                write.value, entry.offset
            ),
        )),
        (Fate::Done(_), Some(_)) | (Fate::Refused(_), None) | (Fate::Unknown(_), _) => {}
    }
}

/// All of a committed transaction is visible, nothing of an aborted one, all or nothing of the others.
fn check_transaction(
    number: u64,
    end: &Fate<End>,
    writes: &[&Write],
    truth: &Truth<'_>,
    found: &mut Vec<Violation>,
) {
    let (visible, hidden): (Vec<&Write>, Vec<&Write>) = writes
        .iter()
        .partition(|write| truth.is_visible(write.value));
    let values = |writes: &[&Write]| -> Vec<u64> { writes.iter().map(|w| w.value).collect() };
    match end {
        Fate::Done(End::Committed) => {
            for write in hidden {
                let told = match &write.fate {
                    Fate::Done(_) => "acknowledged",
                    Fate::Refused(_) => "refused",
                    Fate::Unknown(_) => "of unknown fate",
                };
                found.push(Violation::new(
                    Kind::Loss,
                    format!(
                        "record {} was {told} in transaction {number}, which was committed, and is not visible",
                        write.value
                    ),
                ));
            }
        }
        Fate::Done(End::Aborted) | Fate::Refused(_) => {
            if !visible.is_empty() {
                found.push(Violation::new(
                    Kind::AbortedRead,
                    format!(
                        "transaction {number} was aborted, and records {:?} of it are visible",
                        values(&visible)
                    ),
                ));
            }
        }
        Fate::Unknown(_) => {
            // What was never taken is no part of it.
            let hidden: Vec<_> = hidden
                .into_iter()
                .filter(|write| !matches!(write.fate, Fate::Refused(_)))
                .collect();
            if !visible.is_empty() && !hidden.is_empty() {
                found.push(Violation::new(
                    Kind::Torn,
                    format!(
                        "of transaction {number} records {:?} are visible and {:?} are not",
                        values(&visible),
                        values(&hidden)
                    ),
                ));
            }
        }
    }
}

/// Records of one life in one partition are in the order of their sends.
fn check_order(seen: &Seen, truth: &Truth<'_>, found: &mut Vec<Violation>) {
    for (partition, log) in truth.logs {
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        for entry in &log.entries {
            let write = usize::try_from(entry.value)
                .ok()
                .and_then(|value| seen.writes.get(value));
            let Some(write) = write.filter(|write| write.partition == *partition) else {
                found.push(Violation::new(
                    Kind::Protocol,
                    format!(
                        "record {} at {partition}@{} was never sent there",
                        entry.value, entry.offset
                    ),
                ));
                continue;
            };
            // Values count up in the order of the sends.
            if let Some(before) = last.insert(write.life, write.value)
                && before > write.value
            {
                found.push(Violation::new(
                    Kind::Reorder,
                    format!(
                        "records {before} and {} of one sender are in this order in {partition}",
                        write.value
                    ),
                ));
            }
        }
    }
}
