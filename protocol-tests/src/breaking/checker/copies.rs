//! Each visible record of the input once in the output, in order, and the committed offset behind the last.

use super::{Evidence, Kind, Reading, Violation};
use std::collections::BTreeMap;

pub(super) fn check(
    evidence: &Evidence,
    input: &Reading,
    offsets: &BTreeMap<i32, i64>,
    found: &mut Vec<Violation>,
) {
    for partition in input.ends.keys() {
        let expected: Vec<u64> = values_in(input, *partition).collect();
        let copied: Vec<u64> = values_in(&evidence.reading, *partition)
            .filter_map(|value| evidence.history.writes.get(&value)?.copy_of)
            .collect();
        compare(*partition, &expected, &copied, found);
        let committed = offsets.get(partition).copied().unwrap_or(0);
        let last = input
            .committed
            .iter()
            .rev()
            .find(|(number, ..)| number == partition);
        let least = last.map_or(0, |(_, offset, _)| offset + 1);
        let most = input.ends.get(partition).copied().unwrap_or(0);
        if !(least..=most).contains(&committed) {
            found.push(Violation::new(
                Kind::WrongCommittedOffset,
                format!(
                    "partition {partition}: {committed} is committed, and the copies end between {least} and {most}"
                ),
            ));
        }
    }
}

fn values_in(reading: &Reading, partition: i32) -> impl Iterator<Item = u64> {
    let of_partition = reading
        .committed
        .iter()
        .filter(move |(number, ..)| *number == partition);
    of_partition.filter_map(|(_, _, value)| *value)
}

fn compare(partition: i32, expected: &[u64], copied: &[u64], found: &mut Vec<Violation>) {
    let mut times: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    for value in expected {
        times.entry(*value).or_default().0 += 1;
    }
    for value in copied {
        times.entry(*value).or_default().1 += 1;
    }
    let before = found.len();
    for (value, (wanted, there)) in times {
        let kind = match (wanted, there) {
            (_, 0) => Kind::Loss,
            (0, _) => Kind::AbortedVisible,
            (_, 1) => continue,
            (..) => Kind::Duplicate,
        };
        found.push(Violation::new(
            kind,
            format!(
                "partition {partition}: {value} is {wanted} times in the input and {there} times in the output"
            ),
        ));
    }
    if found.len() == before && expected != copied {
        found.push(Violation::new(
            Kind::Reorder,
            format!("partition {partition}: the copies are in another order"),
        ));
    }
}
