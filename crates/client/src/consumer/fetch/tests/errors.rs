use super::*;

#[test]
fn a_moved_leader_is_learned_and_asked_at_once() {
    // records without an epoch need no validation.
    for code in [
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::FencedLeaderEpoch,
        ErrorCode::KafkaStorageError,
        ErrorCode::ReplicaNotAvailable,
        ErrorCode::OffsetNotAvailable,
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::UnknownTopicId,
        ErrorCode::InconsistentTopicId,
    ] {
        let mut fixture = answered(one(), refused(code));
        fixture.advance(Duration::from_millis(130));
        assert!(fixture.poll().refresh_metadata.is_some(), "{code}");
        fixture.metadata(0, known(2, 6));
        assert_eq!(fixture.fetches(), [2], "{code}");
    }
}

#[test]
fn an_epoch_that_the_broker_does_not_know_yet_is_retried_there() {
    // §3.6: 75 and -1
    for code in [ErrorCode::UnknownLeaderEpoch, ErrorCode::UnknownServerError] {
        let mut fixture = answered(one(), refused(code));
        fixture.advance(SECOND);
        let work = fixture.poll();
        assert_eq!(
            (work.fetches, work.refresh_metadata),
            (vec![1], None),
            "{code}"
        );
    }
}

#[test]
fn a_session_error_starts_over_and_a_topic_id_error_refreshes_too() {
    //
    for (error, refreshes) in [
        (ErrorCode::FetchSessionIdNotFound, false),
        (ErrorCode::InvalidFetchSessionEpoch, false),
        (ErrorCode::FetchSessionTopicIdError, true),
    ] {
        let mut fixture = answered(one(), data(batch(0, 1), 0));
        let plan = fixture.begin(1);
        let answer = FetchAnswer {
            error,
            session_id: 0,
            throttle: Duration::ZERO,
            partitions: Vec::new(),
            names_strangers: false,
        };
        fixture
            .machine
            .handle_fetch(fixture.now, plan.broker, answer);
        fixture.advance(SECOND);
        let work = fixture.poll();
        assert_eq!(
            (work.fetches, work.refresh_metadata.is_some()),
            (vec![1], refreshes)
        );
        let plan = fixture
            .machine
            .begin_fetch(fixture.now, 1, support())
            .unwrap();
        assert_eq!(plan.session.session_epoch, 0);
        assert_eq!(plan.session.send.len(), 1);
    }
}

#[test]
fn an_offset_out_of_range_is_reset_by_policy() {
    //
    let mut fixture = answered(one(), refused(ErrorCode::OffsetOutOfRange));
    let mut work = fixture.poll();
    let plan = work.resets.remove(0);
    assert_eq!(
        (plan.broker, plan.partitions[0].target),
        (1, ResetTarget::Earliest)
    );
    fixture.reset(&plan, &[(0, offset(40))]);
    assert_eq!(fixture.offset(0), Some(40));
}

#[test]
fn an_offset_out_of_range_is_told_until_the_user_seeks_if_that_is_the_policy() {
    //
    let mut fixture = Fixture::at_zero(told(settings()), 1);
    let plan = fixture.begin(1);
    let seen = Watermarks {
        high_watermark: Some(90),
        last_stable_offset: Some(80),
        log_start_offset: Some(50),
    };
    fixture.answer(
        &plan,
        vec![(
            0,
            PartitionAnswer {
                watermarks: seen,
                ..nothing()
            },
        )],
    );
    fixture.advance(SECOND);
    let plan = fixture.begin(1);
    fixture.answer(&plan, vec![(0, refused(ErrorCode::OffsetOutOfRange))]);
    let expected = Fault::OutOfRange {
        offset: 0,
        log_start_offset: Some(50),
        high_watermark: Some(90),
    };
    for _ in 0..2 {
        assert_eq!(fixture.taken(), (vec![], Some(expected.clone())));
        fixture.advance(SECOND);
        assert!(fixture.fetches().is_empty());
    }
    fixture.machine.seek(&tp(0), Position::Offset(50)).unwrap();
    assert_eq!(fixture.fetches(), [1]);
}

#[test]
fn what_was_read_before_an_offset_out_of_range_is_not_lost() {
    // the answer counts only once everything before it was taken.
    let mut fixture = answered(one(), data(batch(0, 3), 0));
    let plan = fixture.begin(1);
    fixture.answer(&plan, vec![(0, refused(ErrorCode::OffsetOutOfRange))]);
    assert!(fixture.poll().resets.is_empty());
    assert_eq!(fixture.taken().0, [0]);
    fixture.advance(SECOND);
    let plan = fixture.begin(1);
    fixture.answer(&plan, vec![(0, refused(ErrorCode::OffsetOutOfRange))]);
    assert_eq!(fixture.poll().resets.len(), 1);
}

#[test]
fn a_broker_that_does_not_answer_is_asked_ever_more_slowly() {
    // R-86, and no faster than the back-off says
    let mut fixture = one();
    let start = fixture.now;
    let mut requests = 0;
    while fixture.now < start + Duration::from_secs(10) {
        let due = fixture.fetches();
        for broker in due {
            let plan = fixture
                .machine
                .begin_fetch(fixture.now, broker, support())
                .unwrap();
            assert!(plan.session.session_epoch <= 0);
            fixture.machine.on_fetch_failed(fixture.now, broker);
            requests += 1;
        }
        fixture.advance(Duration::from_millis(1));
    }
    assert!((8..=16).contains(&requests), "{requests}");
}

#[test]
fn a_partition_that_was_known_gets_longer_than_one_that_never_was() {
    let known_before = one();
    let never_known = {
        let mut fixture = one();
        fixture.machine.assign(&[]);
        fixture.machine.assign(&[tp(0)]);
        fixture.machine.seek(&tp(0), Position::Offset(0)).unwrap();
        fixture
    };
    let settings = settings();
    for (mut fixture, timeout) in [
        (known_before, settings.stall_timeout),
        (never_known, settings.unknown_partition_timeout),
    ] {
        fixture.view.partitions.clear();
        fixture.machine.on_metadata(fixture.now, &fixture.view);
        fixture.advance(timeout - Duration::from_millis(1));
        fixture.machine.on_metadata(fixture.now, &fixture.view);
        assert_eq!(fixture.taken().1, None);
        fixture.advance(Duration::from_millis(1));
        fixture.machine.on_metadata(fixture.now, &fixture.view);
        let code = ErrorCode::UnknownTopicOrPartition;
        assert_eq!(fixture.taken().1, Some(Fault::Unknown { code }));
        assert_eq!(fixture.taken().1, None);
    }
}

#[test]
fn a_topic_that_may_not_be_read_is_told_at_once() {
    let mut fixture = one();
    let code = ErrorCode::TopicAuthorizationFailed;
    fixture.metadata(0, PartitionView::Refused(code));
    let request = Request::Metadata;
    assert_eq!(fixture.taken().1, Some(Fault::Refused { request, code }));
}
