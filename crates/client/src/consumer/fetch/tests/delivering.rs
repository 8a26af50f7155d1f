use super::*;

#[test]
fn an_answer_to_an_older_position_is_dropped() {
    // a seek, an assignment that went and came back.
    for interference in [
        |machine: &mut Machine| machine.seek(&tp(0), Position::Offset(0)).unwrap(),
        |machine: &mut Machine| machine.seek(&tp(0), Position::Latest).unwrap(),
        |machine: &mut Machine| {
            machine.assign(&[]);
            machine.assign(&[tp(0)]);
        },
    ] {
        let mut fixture = one();
        let plan = fixture.begin(1);
        interference(&mut fixture.machine);
        fixture.answer(&plan, vec![(0, data(batch(0, 3), 0))]);
        assert!(fixture.take().is_empty());
    }
}

#[test]
fn a_paused_partition_keeps_its_data_for_later() {
    // what was buffered, and what comes while it is paused.
    let mut fixture = answered(one(), data(batch(0, 3), 0));
    let plan = fixture.begin(1);
    fixture.machine.pause(&tp(0)).unwrap();
    fixture.answer(&plan, vec![(0, data(batch(3, 5), 3))]);
    assert!(fixture.take().is_empty());
    assert!(fixture.fetches().is_empty());
    fixture.machine.resume(&tp(0)).unwrap();
    assert_eq!(fixture.taken().0, [0, 3]);
    assert_eq!(fixture.offset(0), Some(5));
}

#[test]
fn a_seek_while_paused_drops_the_kept_data() {
    // only if the position still matches.
    let mut fixture = answered(one(), data(batch(0, 3), 0));
    fixture.machine.pause(&tp(0)).unwrap();
    fixture.machine.seek(&tp(0), Position::Offset(1)).unwrap();
    fixture.machine.resume(&tp(0)).unwrap();
    assert!(fixture.take().is_empty());
}

#[test]
fn a_position_that_moved_without_records_is_news() {
    //
    let empty = RawBatch {
        last_offset_delta: 7,
        ..RawBatch::plain(0, &[])
    };
    let mut fixture = answered(one(), data(empty.encode(), 0));
    assert_eq!(fixture.offset(0), Some(8));
    let taken = fixture.take();
    assert!(taken.batches.is_empty());
    assert_eq!(
        taken.moved,
        [(
            tp(0),
            NextOffset {
                offset: 8,
                leader_epoch: Some(0)
            }
        )]
    );
    assert!(fixture.take().is_empty());
}

#[test]
fn data_comes_before_the_error_behind_it_and_the_error_before_nothing() {
    // R-50, R-39a
    let mut records = batch(0, 3);
    let mut damaged = batch(3, 5);
    *damaged.last_mut().unwrap() ^= 1;
    records.extend(damaged);
    let mut fixture = answered(one(), data(records, 0));
    assert_eq!(fixture.taken(), (vec![0], None));
    for _ in 0..3 {
        let (batches, fault) = fixture.taken();
        assert!(batches.is_empty());
        assert!(
            matches!(fault, Some(Fault::Corrupt { offset: 3, .. })),
            "{fault:?}"
        );
        assert_eq!(fixture.offset(0), Some(3));
        assert!(fixture.fetches().is_empty());
    }
    // Until the user seeks.
    fixture.machine.seek(&tp(0), Position::Offset(5)).unwrap();
    assert!(fixture.take().is_empty());
    assert_eq!(fixture.fetches(), [1]);
}

#[test]
fn the_error_of_one_partition_does_not_hold_up_another() {
    //
    let mut fixture = Fixture::at_zero(settings(), 2);
    let plan = fixture.begin(1);
    let mut damaged = batch(0, 3);
    *damaged.last_mut().unwrap() ^= 1;
    fixture.answer(
        &plan,
        vec![(0, data(damaged, 0)), (1, data(batch(0, 2), 0))],
    );
    let mut delivered = Vec::new();
    let mut faults = 0;
    for round in 0..6 {
        let (batches, fault) = fixture.taken();
        delivered.extend(batches);
        faults += usize::from(fault.is_some());
        if round % 2 == 1 {
            let plan = fixture.begin(1);
            let from = plan.asked[&tp(1)].fetch_offset;
            fixture.answer(&plan, vec![(1, data(batch(from, from + 2), from))]);
        }
    }
    assert!(delivered.len() >= 3, "{delivered:?}");
    assert!(faults >= 2);
}

#[test]
fn a_refusal_is_told_once_and_asked_again() {
    // §3.6: TOPIC_AUTHORIZATION_FAILED and whatever is unexpected.
    for code in [
        ErrorCode::TopicAuthorizationFailed,
        ErrorCode::OffsetMovedToTieredStorage,
    ] {
        let mut fixture = answered(one(), refused(code));
        let expected = Fault::Refused {
            request: Request::Fetch,
            code,
        };
        assert_eq!(fixture.taken(), (vec![], Some(expected)));
        assert_eq!(fixture.taken(), (vec![], None));
        assert!(fixture.fetches().is_empty());
        fixture.advance(SECOND);
        assert_eq!(fixture.fetches(), [1]);
    }
}

#[test]
fn polls_take_turns_between_partitions() {
    let mut fixture = Fixture::at_zero(settings(), 2);
    let plan = fixture.begin(1);
    let records: Vec<u8> = (0..4).flat_map(|from| batch(from, from + 1)).collect();
    fixture.answer(
        &plan,
        vec![(0, data(records.clone(), 0)), (1, data(records, 0))],
    );
    let mut order = Vec::new();
    for _ in 0..4 {
        let taken = fixture.machine.take(1);
        order.extend(taken.batches.iter().map(|batch| batch.name.partition()));
    }
    assert!(order == [0, 1, 0, 1] || order == [1, 0, 1, 0], "{order:?}");
}

#[test]
fn what_a_poll_had_no_use_for_comes_first_in_the_next() {
    let mut fixture = answered(one(), data([batch(0, 3), batch(3, 5)].concat(), 0));
    let mut taken = fixture.machine.take(1);
    let first = taken.batches.remove(0);
    let middle = NextOffset {
        offset: 1,
        leader_epoch: Some(0),
    };
    fixture
        .machine
        .put_back(&tp(0), first.generation, middle, first.buffered);
    assert_eq!(fixture.position(0), Some(middle));
    assert_eq!(fixture.taken().0, [0, 3]);
    assert_eq!(fixture.offset(0), Some(5));
}

#[test]
fn a_seek_wins_over_what_is_put_back() {
    let mut fixture = answered(one(), data(batch(0, 3), 0));
    let first = fixture.machine.take(1).batches.remove(0);
    fixture.machine.seek(&tp(0), Position::Offset(9)).unwrap();
    let before = first.before;
    fixture
        .machine
        .put_back(&tp(0), first.generation, before, first.buffered);
    assert_eq!(fixture.offset(0), Some(9));
    assert!(fixture.take().is_empty());
}

#[test]
fn a_batch_that_cannot_be_opened_leaves_the_position_in_front_of_it() {
    // R-39a
    let mut fixture = answered(one(), data([batch(0, 3), batch(3, 5)].concat(), 0));
    let taken = fixture.take();
    let second = &taken.batches[1];
    let fault = Fault::Disordered { offset: 3 };
    let (generation, before) = (second.generation, second.before);
    fixture
        .machine
        .fail(&tp(0), generation, before, fault.clone());
    assert_eq!(fixture.offset(0), Some(3));
    assert_eq!(fixture.taken(), (vec![], Some(fault.clone())));
    assert_eq!(fixture.taken(), (vec![], Some(fault)));
}

/// Batches `0..3` and `3..5` were fetched, a poll has taken them, and while it opens the second the
/// leader changes, so that the position has to be validated.
fn taken_while_the_leader_changes() -> (Fixture, TakenBatch) {
    let mut fixture = answered(one(), data([batch(0, 3), batch(3, 5)].concat(), 0));
    let second = fixture.take().batches.remove(1);
    fixture.metadata(0, known(2, 6));
    (fixture, second)
}

#[test]
fn a_new_leader_does_not_lose_what_a_poll_puts_back() {
    // the records from 4 on were not given out.
    let (mut fixture, second) = taken_while_the_leader_changes();
    let cut = NextOffset {
        offset: 4,
        leader_epoch: Some(0),
    };
    fixture
        .machine
        .put_back(&tp(0), second.generation, cut, second.buffered);
    assert_eq!(fixture.position(0), Some(cut));
    let question = fixture.poll().validations.remove(0);
    assert_eq!(question.partitions[0].position.offset, 4);
}

#[test]
fn a_new_leader_does_not_hide_a_batch_that_cannot_be_opened() {
    // R-39a
    let (mut fixture, second) = taken_while_the_leader_changes();
    let fault = Fault::Disordered { offset: 3 };
    fixture
        .machine
        .fail(&tp(0), second.generation, second.before, fault);
    assert_eq!(fixture.offset(0), Some(3));
}

#[test]
fn a_reset_does_not_lose_what_a_poll_puts_back() {
    // the poll is not done when the broker says that the log ends before the position.
    let mut fixture = answered(one(), data(batch(0, 3), 0));
    let plan = fixture.begin(1);
    let first = fixture.take().batches.remove(0);
    fixture.answer(&plan, vec![(0, refused(ErrorCode::OffsetOutOfRange))]);
    let cut = NextOffset {
        offset: 1,
        leader_epoch: Some(0),
    };
    fixture
        .machine
        .put_back(&tp(0), first.generation, cut, first.buffered);
    assert_eq!(fixture.position(0), Some(cut));
}

#[test]
fn a_log_that_was_cut_wins_over_what_is_put_back() {
    // what is put back is no longer in the log.
    let (mut fixture, second) = taken_while_the_leader_changes();
    let plan = fixture.poll().validations.remove(0);
    let end = EpochEnd {
        leader_epoch: Some(0),
        end_offset: Some(2),
    };
    let error = ErrorCode::None;
    fixture.validate(&plan, &[(0, EpochAnswer { error, end })]);
    let cut = NextOffset {
        offset: 4,
        leader_epoch: Some(0),
    };
    fixture
        .machine
        .put_back(&tp(0), second.generation, cut, second.buffered);
    assert_eq!(fixture.offset(0), Some(2));
    assert!(fixture.take().is_empty());
}

#[test]
fn hidden_data_behind_what_a_poll_puts_back_is_passed_with_it() {
    // the answer with the hidden data arrives while the poll opens the batch before it.
    let mut fixture = answered(one(), data(batch(0, 3), 0));
    let plan = fixture.begin(1);
    let first = fixture.take().batches.remove(0);
    let hidden = RawBatch {
        last_offset_delta: 6,
        ..RawBatch::plain(3, &[])
    };
    fixture.answer(&plan, vec![(0, data(hidden.encode(), 3))]);
    let cut = NextOffset {
        offset: 1,
        leader_epoch: Some(0),
    };
    fixture
        .machine
        .put_back(&tp(0), first.generation, cut, first.buffered);
    assert_eq!(fixture.offset(0), Some(1));
    assert_eq!(fixture.taken().0, [0]);
    assert_eq!(fixture.offset(0), Some(10));
}

#[test]
fn a_new_leader_does_not_put_an_error_before_the_records_in_front_of_it() {
    // R-39a, R-50: the records before the damaged batch are dropped and fetched anew, and only then
    // the error is told.
    let mut records = batch(0, 3);
    let mut damaged = batch(3, 5);
    *damaged.last_mut().unwrap() ^= 1;
    records.extend(damaged);
    let mut fixture = one();
    let from = Position::OffsetAndEpoch {
        offset: 0,
        leader_epoch: 0,
    };
    fixture.machine.seek(&tp(0), from).unwrap();
    let valid = |fixture: &mut Fixture| {
        let plan = fixture.poll().validations.remove(0);
        let end = EpochEnd {
            leader_epoch: Some(0),
            end_offset: Some(9),
        };
        let error = ErrorCode::None;
        fixture.validate(&plan, &[(0, EpochAnswer { error, end })]);
    };
    valid(&mut fixture);
    let plan = fixture.begin(1);
    fixture.answer(&plan, vec![(0, data(records.clone(), 0))]);
    fixture.metadata(0, known(2, 6));
    assert_eq!(fixture.taken(), (vec![], None));
    valid(&mut fixture);
    let plan = fixture.begin(2);
    fixture.answer(&plan, vec![(0, data(records, 0))]);
    assert_eq!(fixture.taken(), (vec![0], None));
    assert!(matches!(
        fixture.taken().1,
        Some(Fault::Corrupt { offset: 3, .. })
    ));
}
