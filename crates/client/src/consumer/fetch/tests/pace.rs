use super::*;

/// How many fetches a broker gets in ten seconds, if it answers each after `takes` with whatever
/// `answer` does.
fn requests(takes: Duration, mut answer: impl FnMut(&mut Fixture, &FetchPlan)) -> usize {
    let mut fixture = one();
    let start = fixture.now;
    let mut requests = 0;
    while fixture.now < start + Duration::from_secs(10) {
        if let Some(plan) = fixture.begin_any() {
            fixture.advance(takes);
            answer(&mut fixture, &plan);
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
