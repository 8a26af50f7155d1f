//! Every record by what its writer was told.

use super::super::journal::{Fate, History, Write};
use super::{Kind, Places, Reading, Violation};
use std::collections::BTreeMap;

pub(super) fn check(history: &History, places: &Places, found: &mut Vec<Violation>) {
    for (value, place) in &places.uncommitted {
        match history.writes.get(value) {
            Some(write) if write.partition == place.0 => {}
            Some(write) => found.push(Violation::new(
                Kind::Impossible,
                format!(
                    "{value} was for partition {} and is at {place:?}",
                    write.partition
                ),
            )),
            None => found.push(Violation::new(
                Kind::Impossible,
                format!("nobody sent {value}, which is at {place:?}"),
            )),
        }
    }
    for (value, write) in &history.writes {
        check_acknowledgement(*value, write, places, found);
        if write.transaction.is_none() {
            check_fate(*value, write, places, found);
        }
    }
}

/// What was acknowledged is in the log, in an aborted transaction too, and at the offset that was told.
fn check_acknowledgement(value: u64, write: &Write, places: &Places, found: &mut Vec<Violation>) {
    let Fate::Acknowledged(told) = write.fate else {
        return;
    };
    let place = places.uncommitted.get(&value);
    match (place, told) {
        (None, _) => found.push(Violation::new(
            Kind::Loss,
            format!("{value} was acknowledged ({told:?}) and is nowhere"),
        )),
        (Some((_, offset)), Some(told)) if *offset != told => found.push(Violation::new(
            Kind::WrongOffset,
            format!("{value} was acknowledged at {told} and is at {offset}"),
        )),
        (Some(_), _) => {}
    }
}

/// Outside transactions the log says it all.
fn check_fate(value: u64, write: &Write, places: &Places, found: &mut Vec<Violation>) {
    let (logged, visible) = (
        places.uncommitted.contains_key(&value),
        places.is_visible(value),
    );
    if logged != visible {
        found.push(Violation::new(
            Kind::Impossible,
            format!("{value} is outside transactions, and readers differ over it"),
        ));
    }
    if let Fate::Refused(why) = &write.fate
        && logged
    {
        found.push(Violation::new(
            Kind::RefusedVisible,
            format!("{value} was refused ({why}) and is there"),
        ));
    }
}

/// Records of one process are in each partition in the order it sent them in.
pub(super) fn check_order(history: &History, reading: &Reading, found: &mut Vec<Violation>) {
    let mut last = BTreeMap::new();
    for (partition, offset, value) in &reading.uncommitted {
        let Some((value, write)) =
            value.and_then(|value| Some((value, history.writes.get(&value)?)))
        else {
            continue;
        };
        if let Some(before) = last.insert((partition, write.life), value)
            && before > value
        {
            found.push(Violation::new(
                Kind::Reorder,
                format!("{before} is before {value} at {offset} in partition {partition}"),
            ));
        }
    }
}
