//! Every transaction as a whole, and the processes under one transactional id.

use super::super::journal::{End, Fate, History, Life, Transaction, Value, Write};
use super::{Kind, Places, Reading, Violation};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(history: &History, places: &Places, found: &mut Vec<Violation>) {
    let mut records: BTreeMap<(Life, u32), Vec<(Value, &Write)>> = BTreeMap::new();
    for (value, write) in &history.writes {
        if let Some(number) = write.transaction {
            let records = records.entry((write.life, number)).or_default();
            records.push((*value, write));
        }
    }
    for (id, transaction) in &history.transactions {
        let records = records.remove(id).unwrap_or_default();
        check_one(*id, transaction, &records, places, found);
    }
    for (id, records) in records {
        found.push(Violation::new(
            Kind::Impossible,
            format!("{} records of {id:?}, which nobody began", records.len()),
        ));
    }
}

/// All of it, none of it, or one of these two.
fn check_one(
    id: (Life, u32),
    transaction: &Transaction,
    records: &[(Value, &Write)],
    places: &Places,
    found: &mut Vec<Violation>,
) {
    let (visible, hidden): (Vec<_>, Vec<_>) = records
        .iter()
        .partition(|(value, _)| places.is_visible(*value));
    let values = |records: &[&(Value, &Write)]| -> Vec<Value> {
        records.iter().map(|(value, _)| *value).collect()
    };
    let mut complain = |kind, what: String| {
        found.push(Violation::new(kind, format!("transaction {id:?} {what}")));
    };
    match (&transaction.end, transaction.asked) {
        (End::Committed, Some(true)) if !hidden.is_empty() => complain(
            Kind::Loss,
            format!("was committed, and {:?} are not visible", values(&hidden)),
        ),
        (End::Committed, Some(true)) => {}
        (End::Committed, asked) => complain(
            Kind::Impossible,
            format!("was committed, and what was asked for is {asked:?}"),
        ),
        // Unless its commit was asked for nothing of it may ever be seen, whatever became of its writer.
        (End::Aborted | End::Refused(_), _) | (End::Open | End::Unknown(_), None | Some(false)) => {
            if !visible.is_empty() {
                complain(
                    Kind::AbortedVisible,
                    format!(
                        "ended as {:?}, and {:?} are visible",
                        transaction.end,
                        values(&visible)
                    ),
                );
            }
        }
        (End::Open | End::Unknown(_), Some(true)) => {
            // What was never taken is no part of it.
            let taken = |record: &&&(Value, &Write)| !matches!(record.1.fate, Fate::Refused(_));
            let hidden: Vec<_> = hidden.iter().filter(taken).copied().collect();
            if !visible.is_empty() && !hidden.is_empty() {
                complain(
                    Kind::Torn,
                    format!(
                        "may be committed, and {:?} are visible and {:?} are not",
                        values(&visible),
                        values(&hidden)
                    ),
                );
            }
        }
    }
}

/// Once a process has become visible, older ones under its transactional id are so no more.
///
/// All transactional writers of a topic have one transactional id.
pub(super) fn check_zombies(history: &History, reading: &Reading, found: &mut Vec<Violation>) {
    let mut gone: BTreeMap<i32, BTreeSet<Life>> = BTreeMap::new();
    let mut current: BTreeMap<i32, Life> = BTreeMap::new();
    for (partition, offset, value) in &reading.committed {
        let write = value.and_then(|value| history.writes.get(&value));
        let Some(write) = write.filter(|write| write.transaction.is_some()) else {
            continue;
        };
        let gone = gone.entry(*partition).or_default();
        if let Some(before) = current.insert(*partition, write.life)
            && before != write.life
        {
            gone.insert(before);
            if gone.contains(&write.life) {
                found.push(Violation::new(
                    Kind::Zombie,
                    format!(
                        "process {} is visible again at {offset} of partition {partition}, after process {before}",
                        write.life
                    ),
                ));
            }
        }
    }
}
