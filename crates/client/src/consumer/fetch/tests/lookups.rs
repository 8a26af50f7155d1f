use super::super::errors::{LookupAction, epoch_end_action};
use super::*;

fn reset_of(fixture: &mut Fixture) -> ResetPlan {
    fixture.poll().resets.remove(0)
}

#[test]
fn without_a_position_reading_starts_by_policy() {
    let mut fixture = Fixture::new(settings(), 2);
    let plan = reset_of(&mut fixture);
    assert_eq!(plan.partitions.len(), 2);
    assert_eq!(plan.partitions[0].current_leader_epoch, Some(5));
    // Once.
    assert!(fixture.poll().resets.is_empty());
    fixture.reset(&plan, &[(0, offset(3)), (1, offset(0))]);
    assert_eq!((fixture.offset(0), fixture.offset(1)), (Some(3), Some(0)));
    // without an epoch.
    assert_eq!(fixture.position(0).unwrap().leader_epoch, None);
}

#[test]
fn without_a_position_and_a_policy_the_user_is_told_to_seek() {
    let mut fixture = Fixture::new(told(settings()), 1);
    assert_eq!(fixture.taken().1, Some(Fault::NoPosition));
    fixture.machine.seek(&tp(0), Position::Offset(4)).unwrap();
    assert_eq!(fixture.taken().1, None);
    assert_eq!(fixture.fetches(), [1]);
}

#[test]
fn a_seek_in_between_wins_over_the_answer() {
    //
    let mut fixture = Fixture::new(settings(), 1);
    let plan = reset_of(&mut fixture);
    fixture.machine.seek(&tp(0), Position::Offset(7)).unwrap();
    fixture.reset(&plan, &[(0, offset(3))]);
    assert_eq!(fixture.offset(0), Some(7));
    // Also a seek to the same kind of place asks anew.
    fixture.machine.seek(&tp(0), Position::Latest).unwrap();
    let first = reset_of(&mut fixture);
    fixture.machine.seek(&tp(0), Position::Latest).unwrap();
    let second = reset_of(&mut fixture);
    fixture.reset(&first, &[(0, offset(10))]);
    assert_eq!(fixture.offset(0), None);
    fixture.reset(&second, &[(0, offset(11))]);
    assert_eq!(fixture.offset(0), Some(11));
}

#[test]
fn a_lookup_that_may_succeed_later_is_repeated_after_a_pause_and_a_refresh() {
    //
    let later = |error| OffsetAnswer {
        error,
        offset: None,
        timestamp: None,
        leader_epoch: None,
    };
    for code in [78, 5, 6, 9, 56, 74, 75, 3] {
        let mut fixture = Fixture::new(settings(), 1);
        let plan = reset_of(&mut fixture);
        fixture.reset(&plan, &[(0, later(ErrorCode::from(code)))]);
        assert!(fixture.poll().resets.is_empty(), "{code}");
        fixture.advance(SECOND);
        let work = fixture.poll();
        assert_eq!(work.resets.len(), 1, "{code}");
        assert!(work.refresh_metadata.is_some(), "{code}");
        assert_eq!(fixture.taken().1, None);
    }
}

#[test]
fn a_lookup_without_an_answer_is_repeated() {
    let mut fixture = Fixture::new(settings(), 1);
    let plan = reset_of(&mut fixture);
    fixture.machine.on_resets_failed(fixture.now, &plan);
    fixture.advance(SECOND);
    // An answer that leaves the partition out is none.
    let plan = reset_of(&mut fixture);
    fixture.reset(&plan, &[]);
    fixture.advance(SECOND);
    assert_eq!(fixture.poll().resets.len(), 1);
}

#[test]
fn a_lookup_that_is_not_allowed_is_told() {
    //
    let mut fixture = Fixture::new(settings(), 1);
    let plan = reset_of(&mut fixture);
    let code = ErrorCode::TopicAuthorizationFailed;
    let answer = OffsetAnswer {
        error: code,
        offset: None,
        timestamp: None,
        leader_epoch: None,
    };
    fixture.reset(&plan, &[(0, answer)]);
    let expected = Fault::Refused {
        request: Request::ListOffsets,
        code,
    };
    assert_eq!(fixture.taken().1, Some(expected));
}

#[test]
fn no_record_at_or_after_a_time_means_the_end() {
    // R-45 (43): -1 is never a position.
    for error in [ErrorCode::None, ErrorCode::UnsupportedForMessageFormat] {
        let mut fixture = Fixture::new(settings(), 1);
        fixture
            .machine
            .seek(&tp(0), Position::Timestamp(1_000))
            .unwrap();
        let plan = reset_of(&mut fixture);
        assert_eq!(plan.partitions[0].target.timestamp(), -1);
        fixture.reset(&plan, &[(0, offset(40))]);
        assert_eq!(fixture.offset(0), None);
        let plan = reset_of(&mut fixture);
        assert_eq!(plan.partitions[0].target.timestamp(), 1_000);
        let none = OffsetAnswer {
            error,
            offset: None,
            timestamp: None,
            leader_epoch: None,
        };
        fixture.reset(&plan, &[(0, none)]);
        assert_eq!(fixture.offset(0), Some(40));
    }
}

#[test]
fn a_record_written_during_the_search_for_a_time_is_not_skipped() {
    // nothing is asked after the search, whose answer may be old by then. The end that
    // counts is from before it, so a record that the search just missed lies behind it.
    let mut fixture = Fixture::new(settings(), 1);
    fixture
        .machine
        .seek(&tp(0), Position::Timestamp(1_000))
        .unwrap();
    let mut log_end = 40;
    let mut searched = None;
    while fixture.offset(0).is_none() {
        let plan = reset_of(&mut fixture);
        let question = &plan.partitions[0];
        let answer = if question.target.timestamp() == 1_000 {
            // Nobody has written such a record yet; the first comes with the answer on its way.
            searched = searched.or(Some(log_end));
            log_end += 1;
            OffsetAnswer {
                offset: None,
                ..offset(0)
            }
        } else {
            offset(log_end)
        };
        fixture.reset(&plan, &[(0, answer)]);
    }
    assert!(fixture.offset(0) <= searched, "{:?}", fixture.offset(0));
}

#[test]
fn a_record_with_the_time_is_where_reading_starts() {
    let mut fixture = Fixture::new(settings(), 1);
    fixture
        .machine
        .seek(&tp(0), Position::Timestamp(1_000))
        .unwrap();
    let plan = reset_of(&mut fixture);
    fixture.reset(&plan, &[(0, offset(40))]);
    let plan = reset_of(&mut fixture);
    fixture.reset(&plan, &[(0, offset(12))]);
    assert_eq!(fixture.offset(0), Some(12));
}

/// At 10 after a batch of epoch 0, with a new leader: has to be validated.
fn moved(settings: Settings) -> (Fixture, ValidationPlan) {
    let mut fixture = answered(Fixture::at_zero(settings, 1), data(batch(0, 10), 0));
    fixture.take();
    fixture.metadata(0, known(2, 6));
    let mut work = fixture.poll();
    assert!(work.fetches.is_empty());
    (fixture, work.validations.remove(0))
}

fn ends(leader_epoch: i32, end_offset: i64) -> EpochAnswer {
    let end = EpochEnd {
        leader_epoch: Some(leader_epoch),
        end_offset: Some(end_offset),
    };
    EpochAnswer {
        error: ErrorCode::None,
        end,
    }
}

#[test]
fn a_new_leader_is_asked_whether_it_has_the_position_before_it_is_fetched_from() {
    //
    let (mut fixture, plan) = moved(settings());
    assert_eq!(plan.broker, 2);
    let position = plan.partitions[0].position;
    assert_eq!((position.offset, position.offset_epoch), (10, Some(0)));
    fixture.validate(&plan, &[(0, ends(0, 10))]);
    assert_eq!(fixture.fetches(), [2]);
    assert_eq!(fixture.offset(0), Some(10));
}

#[test]
fn data_of_the_old_leader_is_not_delivered_under_the_new_one() {
    // only FETCHING delivers; what was buffered behind the position is read anew.
    let mut fixture = answered(one(), data([batch(0, 2), batch(2, 4)].concat(), 0));
    fixture.machine.take(1);
    fixture.metadata(0, known(2, 6));
    assert!(fixture.take().is_empty());
    let plan = fixture.poll().validations.remove(0);
    fixture.validate(&plan, &[(0, ends(0, 4))]);
    assert_eq!(fixture.begin(2).asked[&tp(0)].fetch_offset, 2);
}

#[test]
fn a_cut_log_is_followed_or_told() {
    //
    let (mut fixture, plan) = moved(settings());
    fixture.validate(&plan, &[(0, ends(0, 6))]);
    assert_eq!(fixture.offset(0), Some(6));
    assert_eq!(fixture.fetches(), [2]);
    let (mut fixture, plan) = moved(told(settings()));
    fixture.validate(&plan, &[(0, ends(0, 6))]);
    let expected = Fault::Truncated {
        offset: 10,
        divergent_offset: Some(6),
    };
    for _ in 0..2 {
        assert_eq!(fixture.taken().1, Some(expected.clone()));
        assert!(fixture.poll().validations.is_empty());
    }
    fixture.machine.seek(&tp(0), Position::Offset(6)).unwrap();
    assert_eq!(fixture.fetches(), [2]);
}

#[test]
fn a_cut_of_unknown_extent_is_reset_or_told() {
    //
    let undefined = EpochAnswer {
        error: ErrorCode::None,
        end: EpochEnd {
            leader_epoch: None,
            end_offset: None,
        },
    };
    let (mut fixture, plan) = moved(settings());
    fixture.validate(&plan, &[(0, undefined)]);
    assert_eq!(
        reset_of(&mut fixture).partitions[0].target,
        ResetTarget::Earliest
    );
    let (mut fixture, plan) = moved(told(settings()));
    fixture.validate(&plan, &[(0, undefined)]);
    let expected = Fault::Truncated {
        offset: 10,
        divergent_offset: None,
    };
    assert_eq!(fixture.taken().1, Some(expected));
}

#[test]
fn an_error_never_moves_a_position_that_is_being_validated() {
    // also those that look permanent.
    for &code in ErrorCode::ALL.iter().filter(|code| !code.is_none()) {
        let (mut fixture, plan) = moved(settings());
        let answer = EpochAnswer {
            error: code,
            ..ends(0, 3)
        };
        fixture.validate(&plan, &[(0, answer)]);
        assert_eq!(fixture.offset(0), Some(10), "{code}");
        let told = fixture.taken().1.is_some();
        // L-30: what does not pass by itself is told.
        let is_told = epoch_end_action(code) == LookupAction::Report;
        assert_eq!(told, is_told, "{code}");
        fixture.advance(SECOND);
        let work = fixture.poll();
        assert_eq!(
            (work.validations.len(), work.resets.len()),
            (1, 0),
            "{code}"
        );
    }
}

#[test]
fn a_validation_that_is_not_allowed_is_told_each_time_it_is_refused() {
    // R-74, L-30
    let (mut fixture, plan) = moved(settings());
    let code = ErrorCode::ClusterAuthorizationFailed;
    let answer = EpochAnswer {
        error: code,
        ..ends(0, 3)
    };
    let request = Request::OffsetForLeaderEpoch;
    fixture.validate(&plan, &[(0, answer)]);
    assert_eq!(fixture.taken().1, Some(Fault::Refused { request, code }));
    assert_eq!(fixture.taken().1, None);
    fixture.advance(SECOND);
    let plan = fixture.poll().validations.remove(0);
    fixture.validate(&plan, &[(0, ends(0, 10))]);
    assert_eq!(fixture.fetches(), [2]);
}

#[test]
fn an_answer_to_a_position_that_moved_is_ignored() {
    //
    let (mut fixture, plan) = moved(settings());
    fixture.machine.seek(&tp(0), Position::Offset(8)).unwrap();
    fixture.validate(&plan, &[(0, ends(0, 3))]);
    assert_eq!(fixture.offset(0), Some(8));
}

#[test]
fn a_broker_too_old_to_validate_is_believed() {
    //
    let (mut fixture, plan) = moved(settings());
    fixture.machine.on_validation_unsupported(&plan);
    assert_eq!(fixture.fetches(), [2]);
}

#[test]
fn a_seek_with_an_epoch_is_validated_first() {
    //
    let mut fixture = one();
    let to = Position::OffsetAndEpoch {
        offset: 5,
        leader_epoch: 3,
    };
    fixture.machine.seek(&tp(0), to).unwrap();
    let work = fixture.poll();
    assert!(work.fetches.is_empty());
    assert_eq!(
        work.validations[0].partitions[0].position.offset_epoch,
        Some(3)
    );
}
