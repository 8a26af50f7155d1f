//! Every reading against what was to be seen: in order, nothing missing, nothing else.

use super::super::journal::Reading;
use super::{Evidence, Kind, Truth, Violation};
use std::collections::BTreeMap;

pub(super) fn check(evidence: &Evidence, truth: &Truth<'_>, found: &mut Vec<Violation>) {
    let seen = &evidence.seen;
    let last_life = seen.readings.iter().map(|reading| reading.life).max();
    for reading in &seen.readings {
        let Some(log) = truth.logs.get(&reading.partition) else {
            continue;
        };
        let standing: BTreeMap<i64, u64> = log.visible().collect();
        check_records(reading, &standing, found);
        // A reader may have stopped anywhere; the last one read to the end.
        let until = if evidence.complete && Some(reading.life) == last_life {
            i64::MAX
        } else {
            let last = reading.records.last();
            last.map_or(reading.from, |(offset, _)| offset + 1)
        };
        let mut read = reading.records.iter().map(|(offset, _)| *offset).peekable();
        for (offset, value) in standing.range(reading.from..until) {
            while read.next_if(|other| other < offset).is_some() {}
            if read.next_if_eq(offset).is_none() {
                found.push(Violation::new(
                    Kind::Loss,
                    format!(
                        "reader {} passed over record {value} at {}@{offset}",
                        reading.life, reading.partition
                    ),
                ));
            }
        }
    }
}

fn check_records(reading: &Reading, visible: &BTreeMap<i64, u64>, found: &mut Vec<Violation>) {
    let mut next = reading.from;
    for (offset, value) in &reading.records {
        let place = format!(
            "record {value} at {}@{offset} by reader {}",
            reading.partition, reading.life
        );
        if *offset < next {
            found.push(Violation::new(
                Kind::Reorder,
                format!("{place}, which was past that place"),
            ));
        }
        next = offset + 1;
        match visible.get(offset) {
            Some(there) if there == value => {}
            Some(there) => found.push(Violation::new(
                Kind::Protocol,
                format!("{place}, where {there} is"),
            )),
            None => found.push(Violation::new(
                Kind::AbortedRead,
                format!("{place}, and it is not committed"),
            )),
        }
    }
}
