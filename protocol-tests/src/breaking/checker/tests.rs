//! The checker is content with a run in which all went well or was said to be unknown, and finds each kind of
//! violation in the same run doctored.

use super::*;
use crate::breaking::journal::{End, Fate, Line};
use std::time::Duration;

/// Says one line of each kind that a record takes.
fn write(
    history: &mut History,
    life: u32,
    value: Value,
    transaction: Option<u32>,
    copy_of: Option<Value>,
    fate: Fate,
) {
    let send = Line::Send {
        value,
        partition: 0,
        transaction,
        copy_of,
    };
    history.take(life, send, Duration::ZERO);
    if fate != Fate::Open {
        history.take(life, Line::Sent { value, fate }, Duration::ZERO);
    }
}

fn transaction(history: &mut History, life: u32, number: u32, asked: Option<bool>, end: End) {
    let begin = Line::Begin {
        transaction: number,
    };
    history.take(life, begin, Duration::ZERO);
    if let Some(commit) = asked {
        let ending = Line::Ending {
            transaction: number,
            commit,
        };
        history.take(life, ending, Duration::ZERO);
    }
    let ended = Line::Ended {
        transaction: number,
        end,
    };
    history.take(life, ended, Duration::ZERO);
}

fn acknowledged(offset: i64) -> Fate {
    Fate::Acknowledged(Some(offset))
}

/// Offsets 0 to 2 are records, one of unknown fate; a fourth was refused.
fn produced() -> Evidence {
    let mut history = History::default();
    write(&mut history, 1, 10, None, None, acknowledged(0));
    write(&mut history, 1, 11, None, None, Fate::Unknown("?".into()));
    write(&mut history, 1, 12, None, None, acknowledged(2));
    write(&mut history, 1, 13, None, None, Fate::Refused("no".into()));
    write(&mut history, 1, 14, None, None, Fate::Unknown("?".into()));
    let log = vec![(0, 0, Some(10)), (0, 1, Some(11)), (0, 2, Some(12))];
    Evidence {
        topic: "produced".to_owned(),
        history,
        reading: Reading {
            committed: log.clone(),
            uncommitted: log,
            stable_ends: [(0, 3)].into(),
            ends: [(0, 3)].into(),
        },
        copied_from: None,
    }
}

/// Process 1 commits (0, 1), aborts (3), is killed while it commits (5, 6) and leaves one open (8); process 2
/// commits (10). The offsets between are markers.
fn transacted() -> Evidence {
    let mut history = History::default();
    transaction(&mut history, 1, 1, Some(true), End::Committed);
    transaction(&mut history, 1, 2, Some(false), End::Aborted);
    transaction(&mut history, 1, 3, Some(true), End::Open);
    transaction(&mut history, 1, 4, None, End::Open);
    transaction(&mut history, 2, 1, Some(true), End::Committed);
    write(&mut history, 1, 10, Some(1), None, acknowledged(0));
    write(&mut history, 1, 11, Some(1), None, acknowledged(1));
    write(&mut history, 1, 12, Some(2), None, acknowledged(3));
    write(&mut history, 1, 13, Some(3), None, Fate::Open);
    write(&mut history, 1, 14, Some(3), None, Fate::Open);
    write(&mut history, 1, 15, Some(4), None, Fate::Open);
    write(&mut history, 2, 20, Some(1), None, acknowledged(10));
    let place = |offset, value| (0, offset, Some(value));
    Evidence {
        topic: "transacted".to_owned(),
        history,
        reading: Reading {
            committed: vec![
                place(0, 10),
                place(1, 11),
                place(5, 13),
                place(6, 14),
                place(10, 20),
            ],
            uncommitted: vec![
                place(0, 10),
                place(1, 11),
                place(3, 12),
                place(5, 13),
                place(6, 14),
                place(8, 15),
                place(10, 20),
            ],
            stable_ends: [(0, 12)].into(),
            ends: [(0, 12)].into(),
        },
        copied_from: None,
    }
}

/// What is visible of [`transacted`], copied in one transaction.
fn copied() -> Evidence {
    let input = transacted().reading;
    let mut history = History::default();
    transaction(&mut history, 3, 1, Some(true), End::Committed);
    let mut log = Vec::new();
    for (offset, (_, _, copy_of)) in (0..).zip(&input.committed) {
        let value = 30 + u64::try_from(offset).unwrap();
        write(
            &mut history,
            3,
            value,
            Some(1),
            *copy_of,
            acknowledged(offset),
        );
        log.push((0, offset, Some(value)));
    }
    Evidence {
        topic: "copied".to_owned(),
        history,
        reading: Reading {
            committed: log.clone(),
            uncommitted: log,
            stable_ends: [(0, 6)].into(),
            ends: [(0, 6)].into(),
        },
        copied_from: Some((input, [(0, 12)].into())),
    }
}

/// Has the checker look at a doctored run, and says which kinds of violations it found, each once.
fn kinds(mut evidence: Evidence, doctor: impl FnOnce(&mut Evidence)) -> Vec<Kind> {
    doctor(&mut evidence);
    let mut kinds: Vec<Kind> = check(&evidence).iter().map(|it| it.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Removes a value from both readings.
fn remove(evidence: &mut Evidence, value: Value) {
    let reading = &mut evidence.reading;
    reading.committed.retain(|it| it.2 != Some(value));
    reading.uncommitted.retain(|it| it.2 != Some(value));
}

fn end(evidence: &mut Evidence, id: (u32, u32)) -> &mut End {
    &mut evidence.history.transactions.get_mut(&id).unwrap().end
}

#[test]
fn a_run_in_which_all_is_well_or_said_to_be_unknown_has_no_violation() {
    for evidence in [produced(), transacted(), copied()] {
        assert_eq!(check(&evidence), []);
    }
}

#[test]
fn a_transaction_of_unknown_end_may_also_be_wholly_absent() {
    let absent = kinds(transacted(), |evidence| {
        evidence
            .reading
            .committed
            .retain(|it| !matches!(it.2, Some(13 | 14)));
    });
    assert_eq!(absent, []);
}

#[test]
fn an_acknowledged_record_that_is_missing_is_a_loss() {
    assert_eq!(kinds(produced(), |it| remove(it, 10)), [Kind::Loss]);
}

#[test]
fn an_acknowledged_record_that_is_elsewhere_has_a_wrong_offset() {
    let doctor = |it: &mut Evidence| {
        it.history.writes.get_mut(&12).unwrap().fate = acknowledged(1);
    };
    assert_eq!(kinds(produced(), doctor), [Kind::WrongOffset]);
}

#[test]
fn an_acknowledged_record_of_an_aborted_transaction_must_have_its_offset_too() {
    let doctor = |it: &mut Evidence| {
        it.history.writes.get_mut(&12).unwrap().fate = acknowledged(4);
    };
    assert_eq!(kinds(transacted(), doctor), [Kind::WrongOffset]);
}

#[test]
fn a_record_at_two_offsets_is_a_duplicate() {
    let doctor = |it: &mut Evidence| {
        it.reading.committed.push((0, 3, Some(12)));
        it.reading.uncommitted.push((0, 3, Some(12)));
        it.history.writes.get_mut(&12).unwrap().fate = Fate::Acknowledged(None);
    };
    assert_eq!(kinds(produced(), doctor), [Kind::Duplicate]);
}

#[test]
fn records_of_one_sender_in_another_order_are_reordered() {
    let doctor = |it: &mut Evidence| {
        for log in [&mut it.reading.committed, &mut it.reading.uncommitted] {
            log[1].2 = Some(12);
            log[2].2 = Some(11);
        }
        it.history.writes.get_mut(&12).unwrap().fate = acknowledged(1);
    };
    assert_eq!(kinds(produced(), doctor), [Kind::Reorder]);
}

#[test]
fn a_refused_record_that_is_there_is_found() {
    let doctor = |it: &mut Evidence| {
        it.history.writes.get_mut(&11).unwrap().fate = Fate::Refused("no".into());
    };
    assert_eq!(kinds(produced(), doctor), [Kind::RefusedVisible]);
}

#[test]
fn a_record_that_nobody_sent_or_that_two_readers_see_differently_is_impossible() {
    let strange = |it: &mut Evidence| {
        it.reading.committed.push((0, 3, Some(99)));
        it.reading.uncommitted.push((0, 3, Some(99)));
    };
    assert_eq!(kinds(produced(), strange), [Kind::Impossible]);
    let unreadable = |it: &mut Evidence| it.reading.uncommitted.push((0, 3, None));
    assert_eq!(kinds(produced(), unreadable), [Kind::Impossible]);
    let other_partition = |it: &mut Evidence| {
        it.history.writes.get_mut(&10).unwrap().partition = 1;
    };
    assert_eq!(kinds(produced(), other_partition), [Kind::Impossible]);
    let hidden = |it: &mut Evidence| it.reading.committed.retain(|it| it.2 != Some(10));
    assert_eq!(kinds(produced(), hidden), [Kind::Impossible]);
    let only_committed = |it: &mut Evidence| it.reading.uncommitted.retain(|it| it.1 != 5);
    assert_eq!(kinds(transacted(), only_committed), [Kind::Impossible]);
    let late = |it: &mut Evidence| it.reading.uncommitted[1].1 = 0;
    assert!(kinds(produced(), late).contains(&Kind::Impossible));
}

#[test]
fn a_line_out_of_place_is_impossible() {
    let doctor = |it: &mut Evidence| {
        let again = Line::Sent {
            value: 10,
            fate: acknowledged(0),
        };
        it.history.take(1, again, Duration::ZERO);
    };
    assert_eq!(kinds(produced(), doctor), [Kind::Impossible]);
}

#[test]
fn a_committed_transaction_that_is_visible_in_part_is_a_loss() {
    let doctor = |it: &mut Evidence| it.reading.committed.retain(|it| it.2 != Some(11));
    assert_eq!(kinds(transacted(), doctor), [Kind::Loss]);
}

#[test]
fn a_transaction_of_unknown_end_that_is_visible_in_part_is_torn() {
    let doctor = |it: &mut Evidence| it.reading.committed.retain(|it| it.2 != Some(14));
    assert_eq!(kinds(transacted(), doctor), [Kind::Torn]);
    let said = |it: &mut Evidence| {
        *end(it, (1, 3)) = End::Unknown("?".into());
        it.reading.committed.retain(|it| it.2 != Some(13));
    };
    assert_eq!(kinds(transacted(), said), [Kind::Torn]);
}

#[test]
fn a_record_of_an_aborted_transaction_that_is_visible_is_found() {
    let doctor = |it: &mut Evidence| it.reading.committed.insert(2, (0, 3, Some(12)));
    assert_eq!(kinds(transacted(), doctor), [Kind::AbortedVisible]);
}

#[test]
fn a_refused_transaction_that_is_visible_is_found() {
    let doctor = |it: &mut Evidence| *end(it, (1, 3)) = End::Refused("no".into());
    assert_eq!(kinds(transacted(), doctor), [Kind::AbortedVisible]);
}

#[test]
fn a_transaction_whose_commit_nobody_asked_for_must_not_be_visible() {
    let doctor = |it: &mut Evidence| it.reading.committed.insert(4, (0, 8, Some(15)));
    assert_eq!(kinds(transacted(), doctor), [Kind::AbortedVisible]);
    let said = |it: &mut Evidence| *end(it, (1, 4)) = End::Committed;
    assert_eq!(kinds(transacted(), said), [Kind::Impossible]);
}

#[test]
fn an_older_process_that_is_visible_after_a_newer_one_is_a_zombie() {
    let doctor = |it: &mut Evidence| {
        transaction(&mut it.history, 1, 5, Some(true), End::Committed);
        write(&mut it.history, 1, 16, Some(5), None, acknowledged(12));
        it.reading.committed.push((0, 12, Some(16)));
        it.reading.uncommitted.push((0, 12, Some(16)));
    };
    assert_eq!(kinds(transacted(), doctor), [Kind::Zombie]);
}

#[test]
fn a_partition_that_does_not_become_stable_hangs() {
    let doctor = |it: &mut Evidence| {
        it.reading.stable_ends.insert(0, 10);
    };
    assert_eq!(kinds(transacted(), doctor), [Kind::Hanging]);
}

#[test]
fn a_record_that_was_not_copied_is_a_loss() {
    let doctor = |it: &mut Evidence| {
        it.history.writes.remove(&34);
        remove(it, 34);
    };
    assert_eq!(kinds(copied(), doctor), [Kind::Loss]);
}

#[test]
fn a_record_that_was_copied_twice_is_a_duplicate() {
    let doctor = |it: &mut Evidence| {
        transaction(&mut it.history, 3, 2, Some(true), End::Committed);
        write(&mut it.history, 3, 35, Some(2), Some(20), acknowledged(6));
        it.reading.committed.push((0, 6, Some(35)));
        it.reading.uncommitted.push((0, 6, Some(35)));
    };
    assert_eq!(kinds(copied(), doctor), [Kind::Duplicate]);
}

#[test]
fn a_copy_of_an_aborted_record_is_an_aborted_read() {
    let doctor = |it: &mut Evidence| it.history.writes.get_mut(&34).unwrap().copy_of = Some(12);
    assert_eq!(kinds(copied(), doctor), [Kind::AbortedVisible, Kind::Loss]);
}

#[test]
fn copies_in_another_order_are_reordered() {
    let doctor = |it: &mut Evidence| {
        it.history.writes.get_mut(&33).unwrap().copy_of = Some(20);
        it.history.writes.get_mut(&34).unwrap().copy_of = Some(14);
    };
    assert_eq!(kinds(copied(), doctor), [Kind::Reorder]);
}

#[test]
fn a_committed_offset_before_or_behind_the_copies_is_wrong() {
    for wrong in [10, 13] {
        let doctor = |it: &mut Evidence| {
            if let Some((_, offsets)) = &mut it.copied_from {
                offsets.insert(0, wrong);
            }
        };
        assert_eq!(kinds(copied(), doctor), [Kind::WrongCommittedOffset]);
    }
}
