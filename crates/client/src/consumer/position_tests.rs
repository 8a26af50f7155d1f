use std::fmt::Write as _;

use super::*;

fn leader(broker: i32, epoch: i32) -> Leader {
    Leader {
        broker: Some(broker),
        epoch: Some(epoch),
    }
}

/// A position whose leader is broker 1 of epoch 5.
fn led() -> Position {
    let mut position = Position::new();
    position.on_leader(leader(1, 5), false);
    position
}

/// Fetching from 10, after a batch of epoch 4.
fn fetching() -> Position {
    let mut position = led();
    position.seek(9, None);
    position.advance(10, Some(4));
    position
}

fn awaiting_validation() -> Position {
    let mut position = fetching();
    position.on_leader(leader(2, 6), false);
    position
}

fn awaiting_reset() -> Position {
    let mut position = led();
    position.await_reset(ResetTarget::Earliest);
    position
}

fn shown(state: FetchState) -> String {
    let place = |position: FetchPosition| {
        let epoch = position
            .offset_epoch
            .map_or("-".to_owned(), |epoch| epoch.to_string());
        let leader = position
            .leader
            .epoch
            .map_or("-".to_owned(), |epoch| epoch.to_string());
        format!("{}, epoch {epoch}, leader epoch {leader}", position.offset)
    };
    match state {
        FetchState::Initialising => "Initialising".to_owned(),
        FetchState::AwaitReset(target) => format!("AwaitReset({target:?})"),
        FetchState::AwaitValidation(position) => format!("AwaitValidation({})", place(position)),
        FetchState::Fetching(position) => format!("Fetching({})", place(position)),
    }
}

fn end(leader_epoch: i32, end_offset: i64) -> EpochEnd {
    EpochEnd {
        leader_epoch: Some(leader_epoch),
        end_offset: Some(end_offset),
    }
}

const UNDEFINED: EpochEnd = EpochEnd {
    leader_epoch: None,
    end_offset: None,
};
const EARLIEST: Option<ResetTarget> = Some(ResetTarget::Earliest);

/// Every state with every input: R-70 as one readable table.
#[test]
fn every_state_with_every_input() {
    type Input = (&'static str, fn(&mut Position) -> String);
    let asked = |position: &Position| {
        position.known().unwrap_or(FetchPosition {
            offset: 10,
            offset_epoch: Some(4),
            leader: leader(2, 6),
        })
    };
    let inputs: &[Input] = &[
        ("seek 7", |p| {
            p.seek(7, None);
            String::new()
        }),
        ("seek 7 epoch 3", |p| {
            p.seek(7, Some(3));
            String::new()
        }),
        ("await reset Latest", |p| {
            p.await_reset(ResetTarget::Latest);
            String::new()
        }),
        ("reset Earliest -> 2", |p| {
            p.reset_to(ResetTarget::Earliest, 2).to_string()
        }),
        ("reset Latest -> 99", |p| {
            p.reset_to(ResetTarget::Latest, 99).to_string()
        }),
        ("advance 12 epoch 5", |p| {
            p.advance(12, Some(5));
            String::new()
        }),
        ("advance 3", |p| {
            p.advance(3, None);
            String::new()
        }),
        ("leader 3 epoch 7", |p| {
            p.on_leader(leader(3, 7), false).to_string()
        }),
        ("same leader", |p| {
            p.on_leader(p.leader(), false).to_string()
        }),
        ("older leader", |p| {
            p.on_leader(leader(9, 1), false).to_string()
        }),
        ("older leader, new topic", |p| {
            p.on_leader(leader(9, 1), true).to_string()
        }),
        ("no leader", |p| {
            p.on_leader(
                Leader {
                    broker: None,
                    epoch: Some(8),
                },
                false,
            )
            .to_string()
        }),
        ("validation unsupported", |p| {
            p.skip_validation();
            String::new()
        }),
    ];
    let mut table = String::new();
    for start in [
        Position::new(),
        awaiting_reset(),
        awaiting_validation(),
        fetching(),
    ] {
        writeln!(table, "{}", shown(start.state())).unwrap();
        for (name, input) in inputs {
            let mut position = start.clone();
            let result = input(&mut position);
            let state = if position.state() == start.state() {
                "unchanged".to_owned()
            } else {
                shown(position.state())
            };
            writeln!(table, "  {name:<24} {result:<5} {state}").unwrap();
        }
        for (name, answer) in [
            ("epoch ends 30", end(4, 30)),
            ("epoch ends 6", end(3, 6)),
            ("epoch undefined", UNDEFINED),
        ] {
            for (policy, target) in [("reset", EARLIEST), ("tell", None)] {
                let mut position = start.clone();
                let validation = position.validated(asked(&start), answer, target);
                let state = if position.state() == start.state() {
                    "unchanged".to_owned()
                } else {
                    shown(position.state())
                };
                writeln!(table, "  {name}, {policy:<8} {validation:?}: {state}").unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_position_with_an_epoch_is_validated_when_the_leader_changes() {
    //
    let mut position = fetching();
    assert!(position.on_leader(leader(2, 6), false));
    assert!(position.fetching().is_none());
    assert_eq!(position.known().map(|position| position.offset), Some(10));
}

#[test]
fn a_position_without_an_epoch_needs_no_validation() {
    //
    let mut position = led();
    position.await_reset(ResetTarget::Earliest);
    assert!(position.reset_to(ResetTarget::Earliest, 3));
    assert!(position.on_leader(leader(2, 6), false));
    assert_eq!(position.fetching().map(|position| position.offset), Some(3));
}

#[test]
fn a_seek_with_an_epoch_is_validated_once_the_leader_is_known() {
    //
    let mut position = Position::new();
    position.seek(7, Some(3));
    assert!(position.on_leader(leader(1, 5), false));
    assert!(matches!(position.state(), FetchState::AwaitValidation(_)));
}

#[test]
fn a_seek_wins_over_a_reset_that_is_out() {
    //
    let mut position = awaiting_reset();
    position.seek(7, None);
    assert!(!position.reset_to(ResetTarget::Earliest, 2));
    assert_eq!(position.fetching().map(|position| position.offset), Some(7));
}

#[test]
fn a_cut_log_moves_the_position_to_where_it_diverged() {
    //
    let mut position = awaiting_validation();
    let asked = position.known().unwrap();
    assert_eq!(
        position.validated(asked, end(3, 6), EARLIEST),
        Validation::MovedTo(6)
    );
    let now = position.fetching().unwrap();
    assert_eq!((now.offset, now.offset_epoch), (6, Some(3)));
}

#[test]
fn a_cut_log_is_told_with_the_divergent_offset_if_there_is_no_policy() {
    // R-72; and it stays so until the user decides.
    let mut position = awaiting_validation();
    let asked = position.known().unwrap();
    assert_eq!(
        position.validated(asked, end(3, 6), None),
        Validation::Truncated(Some(6))
    );
    assert_eq!(
        position.validated(asked, UNDEFINED, None),
        Validation::Truncated(None)
    );
    assert!(position.fetching().is_none());
}

#[test]
fn an_answer_to_an_older_question_is_ignored() {
    //
    let mut position = awaiting_validation();
    let asked = position.known().unwrap();
    position.on_leader(leader(3, 7), false);
    let state = position.state();
    assert_eq!(
        position.validated(asked, end(3, 6), EARLIEST),
        Validation::Stale
    );
    assert_eq!(position.state(), state);
}

#[test]
fn an_older_epoch_is_not_believed_unless_the_topic_is_new() {
    //
    let mut position = led();
    assert!(!position.on_leader(leader(9, 4), false));
    assert_eq!(position.leader(), leader(1, 5));
    assert!(position.on_leader(leader(9, 0), true));
    assert_eq!(position.leader(), leader(9, 0));
}

#[test]
fn the_epoch_of_the_last_batch_travels_with_the_position() {
    //
    let mut position = fetching();
    position.advance(20, Some(5));
    assert_eq!(position.fetching().unwrap().offset_epoch, Some(5));
    // A batch without one leaves the last known.
    position.advance(21, None);
    assert_eq!(position.fetching().unwrap().offset_epoch, Some(5));
}
