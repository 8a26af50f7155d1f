//! Each input once in the output, in order, and the committed offset where that ends (J-31, J-32).

use super::{Evidence, Kind, Truth, Violation};
use milena::TopicPartition;
use std::collections::BTreeMap;

pub(super) fn check(evidence: &Evidence, truth: &Truth<'_>, found: &mut Vec<Violation>) {
    let seen = &evidence.seen;
    let copy_of: BTreeMap<u64, u64> = seen
        .writes
        .iter()
        .filter_map(|write| Some((write.value, write.copy_of?)))
        .collect();
    for (partition, committed) in &evidence.committed {
        let target = TopicPartition::new("copies", partition.partition());
        let (Some(input), Some(output)) = (truth.logs.get(partition), truth.logs.get(&target))
        else {
            continue;
        };
        let committed = committed.unwrap_or(0);
        let expected: Vec<u64> = input
            .visible()
            .filter(|(offset, _)| *offset < committed)
            .map(|(_, value)| value)
            .collect();
        let copied: Vec<u64> = output
            .visible()
            .filter_map(|(_, value)| copy_of.get(&value).copied())
            .collect();
        if copied != expected {
            found.push(difference(partition, committed, &copied, &expected));
        }
        if let Some(told) = seen.committed.get(partition)
            && told.unwrap_or(0) != committed
        {
            found.push(Violation::new(
                Kind::WrongCommittedOffset,
                format!("{partition}: {told:?} was told and {committed} is committed"),
            ));
        }
    }
}

/// Says what is wrong with the copies.
fn difference(
    partition: &TopicPartition,
    committed: i64,
    copied: &[u64],
    expected: &[u64],
) -> Violation {
    let mut times: BTreeMap<u64, i32> = BTreeMap::new();
    for value in copied {
        *times.entry(*value).or_default() += 1;
    }
    for value in expected {
        *times.entry(*value).or_default() -= 1;
    }
    let more: Vec<_> = times.iter().filter(|(_, times)| **times > 0).collect();
    let fewer: Vec<_> = times.iter().filter(|(_, times)| **times < 0).collect();
    let (kind, what) = match (more.first(), fewer.first()) {
        (None, None) => (Kind::Reorder, "copied in another order".to_owned()),
        (Some((value, _)), _) if expected.contains(value) => {
            (Kind::Duplicate, format!("record {value} was copied twice"))
        }
        (Some((value, _)), _) => (
            Kind::WrongCommittedOffset,
            format!("record {value} was copied, and its offset is not committed"),
        ),
        (None, Some((value, _))) => (
            Kind::WrongCommittedOffset,
            format!("the offset of record {value} is committed, and it was not copied"),
        ),
    };
    Violation::new(kind, format!("{partition} up to {committed}: {what}"))
}
