use super::*;
use crate::error::Error;

/// How many fetches a broker gets in ten seconds, if it responds to each after `takes` with whatever
/// `answer` does, and the application polls.
fn requests(takes: Duration, mut answer: impl FnMut(&mut Fixture, &FetchPlan)) -> usize {
    let mut fixture = one();
    let start = fixture.now;
    let mut requests = 0;
    while fixture.now < start + Duration::from_secs(10) {
        if let Some(plan) = fixture.begin_any() {
            fixture.advance(takes);
            answer(&mut fixture, &plan);
            let _error = fixture.taken();
            requests += 1;
        } else {
            fixture.advance(Duration::from_millis(1));
        }
    }
    requests
}

fn whole(plan: &FetchPlan, error: ErrorCode, strangers: bool) -> FetchAnswer {
    FetchAnswer {
        error,
        session_id: plan.session.session_id,
        throttle: Duration::ZERO,
        partitions: Vec::new(),
        names_strangers: strangers,
    }
}

#[test]
fn a_broker_that_answers_at_once_without_progress_is_asked_ever_more_slowly() {
    // L-26: empty answers, session errors, partitions that were not asked for, errors of the
    // partition, data below the position.
    let now = Duration::from_micros(50);
    let empty = requests(now, |fixture, plan| fixture.answer(plan, vec![]));
    let session = requests(now, |fixture, plan| {
        let answer = whole(plan, ErrorCode::FetchSessionIdNotFound, false);
        fixture
            .machine
            .handle_fetch(fixture.now, plan.broker, answer);
    });
    let strangers = requests(now, |fixture, plan| {
        let answer = whole(plan, ErrorCode::None, true);
        fixture
            .machine
            .handle_fetch(fixture.now, plan.broker, answer);
    });
    let refusing = requests(now, |fixture, plan| {
        fixture.answer(plan, vec![(0, refused(ErrorCode::UnknownServerError))]);
    });
    let stale = requests(now, |fixture, plan| {
        fixture.machine.seek(&tp(0), Position::Offset(50)).unwrap();
        fixture.answer(plan, vec![(0, data(batch(0, 1), 0))]);
    });
    let useless = requests(now, |fixture, plan| {
        fixture.machine.seek(&tp(0), Position::Offset(50)).unwrap();
        fixture.answer(plan, vec![(0, data(batch(0, 1), 50))]);
    });
    for (name, requests) in [
        ("empty", empty),
        ("session", session),
        ("strangers", strangers),
        ("refusing", refusing),
        ("stale", stale),
        ("useless", useless),
    ] {
        assert!((8..=16).contains(&requests), "{name}: {requests}");
    }
}

/// How long the application polls until it has an error, if a broker responds to each fetch of offset 50
/// at once with whatever `answer` does; gives up after `at_most`.
fn time_to_error(
    at_most: Duration,
    mut answer: impl FnMut(&mut Fixture, &FetchPlan),
) -> Option<(Duration, Fault)> {
    let mut fixture = one();
    fixture.machine.seek(&tp(0), Position::Offset(50)).unwrap();
    let start = fixture.now;
    while fixture.now < start + at_most {
        if let Some(plan) = fixture.begin_any() {
            answer(&mut fixture, &plan);
        }
        if let (_, Some(fault)) = fixture.taken() {
            return Some((fixture.now - start, fault));
        }
        fixture.advance(Duration::from_millis(10));
    }
    None
}

/// A response without records, of a log that ends at `end`.
fn empty_before(end: i64) -> PartitionAnswer {
    let watermarks = Watermarks {
        high_watermark: Some(end),
        last_stable_offset: Some(end),
        log_start_offset: Some(0),
    };
    PartitionAnswer {
        watermarks,
        ..nothing()
    }
}

/// a broker that never gets anywhere is an error that names it and the partition, not a silence.
#[test]
fn responses_without_progress_become_an_error_where_there_is_something_to_read() {
    let timeout = settings().stall_timeout;
    let late = 2 * timeout;
    let behind = time_to_error(late, |fixture, plan| {
        fixture.answer(plan, vec![(0, data(batch(0, 1), 50))]);
    });
    let empty = time_to_error(late, |fixture, plan| {
        fixture.answer(plan, vec![(0, empty_before(60))]);
    });
    let session = time_to_error(late, |fixture, plan| {
        let answer = whole(plan, ErrorCode::FetchSessionIdNotFound, false);
        fixture
            .machine
            .handle_fetch(fixture.now, plan.broker, answer);
    });
    for (name, found) in [("behind", behind), ("empty", empty), ("session", session)] {
        let (after, fault) = found.expect(name);
        assert!(after >= timeout, "{name}: {after:?}");
        assert!(matches!(fault, Fault::NoProgress { .. }), "{name}: {fault}");
        let text = fault.to_string();
        assert!(text.contains("broker 1") && text.contains("t-0"), "{text}");
        let error = fault.into_error(&tp(0));
        assert!(matches!(
            error,
            Error::Malformed {
                broker: Some(1),
                ..
            }
        ));
    }
    let idle = time_to_error(late, |fixture, plan| {
        fixture.answer(plan, vec![(0, empty_before(50))]);
    });
    assert!(idle.is_none(), "nothing to read is no stall: {idle:?}");
}

#[test]
fn a_response_for_what_was_not_requested_is_an_error_at_once() {
    let (after, fault) = time_to_error(Duration::from_secs(1), |fixture, plan| {
        let answer = whole(plan, ErrorCode::None, true);
        fixture
            .machine
            .handle_fetch(fixture.now, plan.broker, answer);
    })
    .unwrap();
    assert_eq!(after, Duration::ZERO);
    let text = fault.to_string();
    assert!(text.contains("broker 1") && text.contains("t-0"), "{text}");
}

/// While others have records, a partition may have found no room in the response.
#[test]
fn a_partition_behind_one_with_records_is_not_stalled() {
    let mut fixture = Fixture::at_zero(settings(), 2);
    let start = fixture.now;
    let mut offset = 0;
    while fixture.now < start + 2 * settings().stall_timeout {
        if let Some(plan) = fixture.begin_any() {
            let records = data(batch(offset, 1), offset);
            fixture.answer(&plan, vec![(0, records), (1, empty_before(60))]);
            offset += 1;
        }
        assert_eq!(fixture.taken().1, None);
        fixture.advance(Duration::from_millis(100));
    }
    assert!(offset > 100);
}

#[test]
fn redirection_round_and_round_is_no_progress_for_ever() {
    // L-26: a leader that names a replica which sends us back.
    let mut fixture = one();
    let start = fixture.now;
    let mut requests = 0;
    while fixture.now < start + Duration::from_secs(10) {
        if let Some(plan) = fixture.begin_any() {
            let answer = if plan.broker == 1 {
                redirected(2)
            } else {
                refused(ErrorCode::OffsetOutOfRange)
            };
            fixture.answer(&plan, vec![(0, answer)]);
            requests += 1;
        } else {
            fixture.advance(Duration::from_millis(1));
        }
    }
    assert!(requests <= 40, "{requests}");
}

#[test]
fn redirection_to_where_nobody_can_go_is_no_progress() {
    // L-26: to a replica that metadata does not know, and between two brokers.
    let now = Duration::from_micros(50);
    let nowhere = requests(now, |fixture, plan| {
        fixture.answer(plan, vec![(0, redirected(9))]);
    });
    let to_and_fro = requests(now, |fixture, plan| {
        let other = if plan.broker == 1 { 2 } else { 1 };
        fixture.answer(plan, vec![(0, redirected(other))]);
    });
    assert!(nowhere <= 16, "{nowhere}");
    assert!(to_and_fro <= 40, "{to_and_fro}");
}

#[test]
fn a_broker_that_waits_as_told_is_asked_again_at_once() {
    let idle = requests(WAIT, |fixture, plan| fixture.answer(plan, vec![]));
    assert_eq!(idle, 20);
}

#[test]
fn a_broker_with_data_is_asked_again_at_once() {
    let busy = requests(Duration::from_millis(1), |fixture, plan| {
        let from = plan.asked[&tp(0)].fetch_offset;
        fixture.answer(plan, vec![(0, data(batch(from, from + 1), from))]);
        fixture.take();
    });
    assert_eq!(busy, 10_000);
}

#[test]
fn a_quota_is_waited_for() {
    // R-87, KIP-219
    let mut fixture = one();
    let plan = fixture.begin(1);
    let throttle = Duration::from_millis(700);
    let answer = FetchAnswer {
        throttle,
        session_id: 0,
        ..whole(&plan, ErrorCode::None, false)
    };
    fixture.machine.handle_fetch(fixture.now, 1, answer);
    fixture.advance(Duration::from_millis(699));
    assert!(fixture.fetches().is_empty());
    fixture.advance(Duration::from_millis(1));
    assert_eq!(fixture.begin(1).session.session_epoch, 0);
}

#[test]
fn an_absurd_quota_is_waited_for_within_reason() {
    let mut fixture = one();
    let plan = fixture.begin(1);
    let throttle = Duration::from_secs(1 << 30);
    let answer = FetchAnswer {
        throttle,
        session_id: 0,
        ..whole(&plan, ErrorCode::None, false)
    };
    fixture.machine.handle_fetch(fixture.now, 1, answer);
    fixture.advance(settings().throttle_max);
    assert_eq!(fixture.fetches(), [1]);
}
