use super::*;

/// Partition 0 is to be read from broker 2.
fn redirected_to_2() -> Fixture {
    let mut fixture = answered(one(), redirected(2));
    assert_eq!(fixture.fetches(), [2]);
    fixture
}

#[test]
fn the_preferred_replica_is_read_from_until_its_lease_ends() {
    //
    let mut fixture = redirected_to_2();
    let plan = fixture
        .machine
        .begin_fetch(fixture.now, 2, support())
        .unwrap();
    fixture.answer(&plan, vec![(0, data(batch(0, 2), 0))]);
    assert_eq!(fixture.fetches(), [2]);
    fixture
        .machine
        .begin_fetch(fixture.now, 2, support())
        .unwrap();
    fixture.advance(settings().preferred_replica_lease);
    assert_eq!(fixture.fetches(), [1]);
}

#[test]
fn a_follower_that_does_not_have_the_offset_sends_us_back_to_the_leader() {
    //
    let mut fixture = redirected_to_2();
    let plan = fixture
        .machine
        .begin_fetch(fixture.now, 2, support())
        .unwrap();
    fixture.answer(&plan, vec![(0, refused(ErrorCode::OffsetOutOfRange))]);
    assert_eq!(fixture.fetches(), [1]);
    assert_eq!(fixture.offset(0), Some(0));
    assert_eq!(fixture.taken().1, None);
}

#[test]
fn a_replica_that_metadata_does_not_know_is_not_waited_for() {
    //
    let mut fixture = answered(one(), redirected(9));
    fixture.advance(SECOND);
    let work = fixture.poll();
    assert_eq!(work.fetches, [1]);
    assert!(work.refresh_metadata.is_some());
}

#[test]
fn the_preference_ends_with_the_broker_the_leader_or_an_error() {
    //
    let endings: [fn(&mut Fixture); 4] = [
        |fixture| fixture.machine.on_fetch_failed(fixture.now, 2),
        |fixture| {
            let plan = fixture
                .machine
                .begin_fetch(fixture.now, 2, support())
                .unwrap();
            fixture.answer(&plan, vec![(0, refused(ErrorCode::ReplicaNotAvailable))]);
        },
        |fixture| fixture.metadata(0, known(1, 6)),
        |fixture| {
            fixture.view.brokers.remove(&2);
            fixture.machine.on_metadata(fixture.now, &fixture.view);
        },
    ];
    for end in endings {
        let mut fixture = redirected_to_2();
        end(&mut fixture);
        fixture.advance(SECOND);
        assert_eq!(fixture.fetches(), [1]);
    }
}
