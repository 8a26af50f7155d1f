//! A history per broken promise, and one that keeps them all (J-35).

use super::super::database::Commit;
use super::super::journal::{End, Fate, Reading, TransactionSeen, Write};
use super::truth::{Entry, Standing};
use super::*;

/// Three records in a committed transaction, one in an aborted one, one outside; read once.
fn good() -> Evidence {
    let partition = records();
    let write = |value, transaction, offset| Write {
        value,
        life: 1,
        partition: records(),
        transaction,
        copy_of: None,
        fate: Fate::Done(Some(offset)),
    };
    let entry = |offset, value, standing| Entry {
        offset,
        value,
        standing,
    };
    let transaction = |end| TransactionSeen {
        end: Fate::Done(end),
        offsets: Vec::new(),
    };
    let log = Log {
        entries: vec![
            entry(0, 0, Standing::Visible),
            entry(1, 1, Standing::Visible),
            entry(3, 2, Standing::Aborted),
            entry(5, 3, Standing::Visible),
        ],
        malformed: Vec::new(),
    };
    let reading = Reading {
        life: 2,
        partition: records(),
        from: 0,
        records: vec![(0, 0), (1, 1), (5, 3)],
    };
    Evidence {
        workload: Workload::Transactions,
        seen: Seen {
            writes: vec![
                write(0, Some(0), 0),
                write(1, Some(0), 1),
                write(2, Some(1), 3),
                write(3, None, 5),
            ],
            transactions: vec![transaction(End::Committed), transaction(End::Aborted)],
            readings: vec![reading],
            ..Seen::default()
        },
        complete: true,
        logs: BTreeMap::from([(partition, log)]),
        decisions: Decisions::default(),
        committed: BTreeMap::new(),
    }
}

fn records() -> TopicPartition {
    TopicPartition::new("records", 0)
}

/// The kinds that are found after a change to the good history.
fn found(change: impl FnOnce(&mut Evidence)) -> Vec<Kind> {
    let mut evidence = good();
    change(&mut evidence);
    let mut kinds: Vec<_> = check(&evidence).into_iter().map(|v| v.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Changes the log.
fn found_in_log(change: impl FnOnce(&mut Vec<Entry>)) -> Vec<Kind> {
    found(|evidence| {
        if let Some(log) = evidence.logs.get_mut(&records()) {
            change(&mut log.entries);
        }
    })
}

#[test]
fn a_history_that_keeps_every_promise_is_clean() {
    // J-35; every other test here has one anomaly.
    assert_eq!(found(|_| {}), []);
}

#[test]
fn an_acknowledged_record_that_is_nowhere_is_a_loss() {
    let kinds = found_in_log(|log| log.retain(|entry| entry.value != 3));
    assert!(kinds.contains(&Kind::Loss), "{kinds:?}");
}

#[test]
fn a_record_at_two_offsets_is_a_duplicate() {
    let again = Entry {
        offset: 7,
        value: 3,
        standing: Standing::Visible,
    };
    let kinds = found_in_log(|log| log.push(again));
    assert!(kinds.contains(&Kind::Duplicate), "{kinds:?}");
}

#[test]
fn records_in_another_order_than_they_were_sent_are_reordered() {
    let kinds = found(|evidence| {
        // The applications were told no offsets, so nothing else can be wrong with them.
        for write in &mut evidence.seen.writes {
            write.fate = Fate::Done(None);
        }
        evidence.seen.readings.clear();
        for log in evidence.logs.values_mut() {
            log.entries.swap(0, 1);
        }
    });
    assert_eq!(kinds, [Kind::Reorder]);
}

#[test]
fn a_committed_transaction_that_is_hidden_in_part_is_a_loss() {
    let kinds = found_in_log(|log| log[1].standing = Standing::Aborted);
    assert!(kinds.contains(&Kind::Loss), "{kinds:?}");
}

#[test]
fn a_transaction_of_unknown_end_is_visible_as_a_whole_or_not_at_all() {
    let unknown = |standing: Standing| {
        move |evidence: &mut Evidence| {
            evidence.seen.transactions[0].end = Fate::Unknown(String::new());
            evidence.seen.readings.clear();
            evidence.complete = false;
            for log in evidence.logs.values_mut() {
                log.entries[0].standing = standing;
            }
        }
    };
    assert_eq!(found(unknown(Standing::Visible)), []);
    assert_eq!(found(unknown(Standing::Aborted)), [Kind::Torn]);
}

#[test]
fn a_record_of_an_aborted_transaction_must_not_be_visible() {
    let kinds = found_in_log(|log| log[2].standing = Standing::Visible);
    assert!(kinds.contains(&Kind::AbortedRead), "{kinds:?}");
}

#[test]
fn a_refused_record_must_not_be_in_the_log_and_one_of_unknown_fate_may_be() {
    let fate = |fate: Fate<Option<i64>>| {
        found(|evidence| {
            evidence.seen.writes[3].fate = fate;
        })
    };
    assert_eq!(fate(Fate::Refused(String::new())), [Kind::AbortedRead]);
    assert_eq!(fate(Fate::Unknown(String::new())), []);
}

#[test]
fn a_record_elsewhere_than_acknowledged_is_told() {
    let kinds = found(|evidence| evidence.seen.writes[3].fate = Fate::Done(Some(4)));
    assert_eq!(kinds, [Kind::WrongAcknowledgement]);
}

#[test]
fn a_reader_gets_what_is_visible_once_in_order_and_nothing_else() {
    let read = |records: &[(i64, u64)]| {
        let records = records.to_vec();
        found(|evidence| evidence.seen.readings[0].records = records)
    };
    assert_eq!(read(&[(0, 0), (5, 3)]), [Kind::Loss]);
    assert_eq!(read(&[(0, 0), (1, 1)]), [Kind::Loss]);
    let aborted = read(&[(0, 0), (1, 1), (3, 2), (5, 3)]);
    assert_eq!(aborted, [Kind::AbortedRead]);
    let twice = read(&[(0, 0), (1, 1), (1, 1), (5, 3)]);
    assert_eq!(twice, [Kind::Reorder]);
}

#[test]
fn a_transaction_without_its_marker_is_no_progress() {
    let kinds = found_in_log(|log| log[3].standing = Standing::Open);
    assert!(kinds.contains(&Kind::NoProgress), "{kinds:?}");
}

/// Two inputs, of which the first is copied and its offset committed.
fn copied(committed: i64, copies: &[(i64, u64)]) -> Vec<Kind> {
    let (input, output) = (
        TopicPartition::new("input", 0),
        TopicPartition::new("copies", 0),
    );
    let write = |value, partition: &TopicPartition, copy_of| Write {
        value,
        life: 1,
        partition: partition.clone(),
        transaction: None,
        copy_of,
        fate: Fate::Done(None),
    };
    let log = |entries: &[(i64, u64)]| Log {
        entries: entries
            .iter()
            .map(|(offset, value)| Entry {
                offset: *offset,
                value: *value,
                standing: Standing::Visible,
            })
            .collect(),
        malformed: Vec::new(),
    };
    let mut writes = vec![write(0, &input, None), write(1, &input, None)];
    let copy = |(value, (_, copy_of)): (_, &_)| write(value, &output, Some(*copy_of));
    writes.extend((2..).zip(copies).map(copy));
    let entries: Vec<_> = (2..)
        .zip(copies)
        .map(|(value, (at, _))| (*at, value))
        .collect();
    let evidence = Evidence {
        workload: Workload::Copy,
        seen: Seen {
            writes,
            ..Seen::default()
        },
        complete: true,
        logs: BTreeMap::from([
            (input.clone(), log(&[(0, 0), (1, 1)])),
            (output, log(&entries)),
        ]),
        decisions: Decisions::default(),
        committed: BTreeMap::from([(input, Some(committed))]),
    };
    check(&evidence).into_iter().map(|v| v.kind).collect()
}

#[test]
fn what_is_committed_was_copied_once_and_nothing_more() {
    // J-31, J-32
    assert_eq!(copied(1, &[(0, 0)]), []);
    assert_eq!(copied(2, &[(0, 0), (1, 1)]), []);
    assert_eq!(copied(2, &[(0, 0)]), [Kind::WrongCommittedOffset]);
    assert_eq!(copied(0, &[(0, 0)]), [Kind::WrongCommittedOffset]);
    assert_eq!(copied(1, &[(0, 0), (1, 0)]), [Kind::Duplicate]);
    assert_eq!(copied(2, &[(0, 1), (1, 0)]), [Kind::Reorder]);
}

/// The good history with a database that decided over both transactions.
fn decided(commits: &[(u64, &[u64])], change: impl FnOnce(&mut Evidence)) -> Vec<Kind> {
    found(|evidence| {
        let commit = |(number, values): &(u64, &[u64])| Commit {
            number: *number,
            name: number.to_string(),
            values: values.to_vec(),
        };
        evidence.decisions = Decisions {
            asked: [0, 1].into(),
            commits: commits.iter().map(commit).collect(),
        };
        change(evidence);
    })
}

#[test]
fn what_a_database_decided_to_commit_is_visible_and_nothing_else() {
    assert_eq!(decided(&[(0, &[0, 1])], |_| {}), []);
    let disagreement = [Kind::Disagreement];
    assert_eq!(decided(&[], |_| {}), disagreement, "more is visible");
    let fewer = decided(&[(0, &[0, 1]), (1, &[2])], |_| {});
    assert_eq!(fewer, disagreement, "fewer are visible");
    assert_eq!(decided(&[(0, &[0])], |_| {}), disagreement, "one is torn");
    assert_eq!(decided(&[(0, &[1, 0])], |_| {}), [Kind::Reorder]);
}

#[test]
fn transactions_that_no_database_decides_over_are_not_its_business() {
    let kinds = decided(&[], |evidence| evidence.decisions.asked = [1].into());
    assert_eq!(kinds, []);
}

#[test]
fn the_last_decision_may_be_under_way_when_a_run_is_cut_short_and_an_earlier_one_may_not() {
    let cut_short = |evidence: &mut Evidence| evidence.complete = false;
    let last = decided(&[(0, &[0, 1]), (1, &[2])], cut_short);
    assert_eq!(last, []);
    let earlier = decided(&[(1, &[2]), (0, &[0, 1])], cut_short);
    assert_eq!(earlier, [Kind::Disagreement]);
}
