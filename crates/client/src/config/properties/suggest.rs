//! Which key was probably meant by one that is unknown.

use super::super::catalogue::Row;
use super::without_setting::{self, Reader};
use super::{CLIENT, CONSUMER, PRODUCER};

/// The known key that is nearest to `written`, if one is near enough to be meant.
pub(super) fn key(reader: Reader, written: &str) -> Option<&'static str> {
    let plain = plain(written);
    // A key of another framework's with Kafka's behind a prefix, such as `spring.kafka.producer.linger.ms`.
    let behind_a_prefix = |known: &str| plain.ends_with(&format!(".{known}"));
    // A long key may have more mistakes in it than a short one.
    let near_enough = (plain.chars().count() / 4).clamp(1, 4);
    known(reader)
        .filter_map(|known| {
            let distance = if behind_a_prefix(known) {
                0
            } else {
                distance(&plain, known)
            };
            (distance <= near_enough).then_some((distance, known))
        })
        .min_by_key(|(distance, known)| (*distance, std::cmp::Reverse(known.len())))
        .map(|(_, known)| known)
}

/// In the spelling of keys: builder methods and environment variables have underscores, and may have capitals.
fn plain(written: &str) -> String {
    written.to_ascii_lowercase().replace(['_', '-', ' '], ".")
}

fn known(reader: Reader) -> impl Iterator<Item = &'static str> {
    fn keys<S>(rows: &'static [Row<S>]) -> Vec<&'static str> {
        rows.iter().flat_map(|row| row.keys).copied().collect()
    }
    let own = match reader {
        Reader::Admin => Vec::new(),
        Reader::Consumer => keys(CONSUMER),
        Reader::Producer => keys(PRODUCER),
    };
    own.into_iter()
        .chain(keys(CLIENT))
        .chain(without_setting::keys(reader))
}

/// How many characters have to be added, removed, replaced or swapped with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    // The rows of the usual table, for the characters of `one` so far and each beginning of `other`.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let mut previous = None;
    for (row, character) in one.chars().enumerate() {
        let mut next = vec![row + 1];
        for (column, wanted) in other.iter().enumerate() {
            let at = |cells: &[usize], column: usize| {
                cells.get(column).copied().unwrap_or(usize::MAX - 1)
            };
            let replaced = at(&last, column) + usize::from(character != *wanted);
            let mut best = replaced
                .min(at(&last, column + 1) + 1)
                .min(at(&next, column) + 1);
            if let Some(left) = column.checked_sub(1)
                && previous == Some(*wanted)
                && other.get(left) == Some(&character)
            {
                best = best.min(at(&before, left) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut last, next);
        previous = Some(character);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_single_mistakes() {
        for (one, other, expected) in [
            ("linger.ms", "linger.ms", 0),
            ("lingr.ms", "linger.ms", 1),
            ("lniger.ms", "linger.ms", 1),
            ("linger", "linger.ms", 3),
            ("", "acks", 4),
            ("acks", "", 4),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn a_misspelt_key_is_recognised_and_a_foreign_one_is_not() {
        for (written, meant) in [
            ("lingr.ms", Some("linger.ms")),
            ("bootstrap.server", Some("bootstrap.servers")),
            ("LINGER_MS", Some("linger.ms")),
            ("compresion.type", Some("compression.type")),
            ("spring.kafka.producer.batch.size", Some("batch.size")),
            ("enable.idempotency", Some("enable.idempotence")),
            ("my.own.setting", None),
            ("x", None),
        ] {
            assert_eq!(key(Reader::Producer, written), meant, "{written}");
        }
        assert_eq!(key(Reader::Consumer, "grup.id"), Some("group.id"));
        assert_eq!(key(Reader::Admin, "lingr.ms"), None);
    }
}
