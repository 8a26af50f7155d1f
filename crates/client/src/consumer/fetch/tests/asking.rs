use super::*;

#[test]
fn nothing_is_asked_before_leader_and_position_are_known() {
    let mut machine = Machine::new(settings());
    machine.assign(&[tp(0)]);
    let now = Instant::now();
    let work = machine.poll(now);
    assert_eq!(work.refresh_metadata, Some(vec![Arc::from("t")]));
    assert!(work.fetches.is_empty() && work.resets.is_empty());
    // And not again while that refresh is out.
    assert_eq!(machine.poll(now).refresh_metadata, None);
}

#[test]
fn one_fetch_per_broker_is_out_at_a_time() {
    //
    let mut fixture = Fixture::at_zero(settings(), 2);
    fixture.metadata(1, known(2, 5));
    assert_eq!(fixture.fetches(), [1, 2]);
    let plan = fixture
        .machine
        .begin_fetch(fixture.now, 1, support())
        .unwrap();
    assert!(fixture.fetches().is_empty());
    fixture.answer(&plan, vec![(0, data(batch(0, 2), 0))]);
    assert_eq!(fixture.fetches(), [1]);
}

#[test]
fn the_next_fetch_goes_out_while_the_last_is_not_taken_yet() {
    // Prefetch: it asks from the end of what is buffered, and stays in the session.
    let mut fixture = answered(one(), data(batch(0, 3), 0));
    let plan = fixture.begin(1);
    assert_eq!(plan.asked[&tp(0)].fetch_offset, 3);
    assert_eq!(fixture.offset(0), Some(0));
}

#[test]
fn nothing_is_asked_while_too_much_waits_to_be_taken() {
    let bytes = batch(0, 3).len();
    let bound = Settings {
        prefetch_bytes_max: bytes,
        ..settings()
    };
    let mut fixture = answered(Fixture::at_zero(bound, 1), data(batch(0, 3), 0));
    assert!(fixture.fetches().is_empty());
    assert!(fixture.take().made_room);
    assert_eq!(fixture.fetches(), [1]);
}

#[test]
fn what_a_paused_partition_keeps_does_not_count() {
    // otherwise it would stop all the others.
    let bound = Settings {
        prefetch_bytes_max: 1,
        ..settings()
    };
    let mut fixture = answered(Fixture::at_zero(bound, 2), data(batch(0, 3), 0));
    assert!(fixture.fetches().is_empty());
    fixture.machine.pause(&tp(0)).unwrap();
    assert_eq!(fixture.fetches(), [1]);
    let plan = fixture
        .machine
        .begin_fetch(fixture.now, 1, support())
        .unwrap();
    assert_eq!(plan.asked.keys().collect::<Vec<_>>(), [&tp(1)]);
}

#[test]
fn the_partition_that_waited_longest_for_data_is_asked_for_first() {
    //
    let mut fixture = Fixture::at_zero(settings(), 3);
    let plan = fixture.begin(1);
    fixture.answer(&plan, vec![(0, data(batch(0, 1), 0))]);
    let plan = fixture.begin(1);
    fixture.answer(&plan, vec![(1, data(batch(0, 1), 0))]);
    fixture.machine.on_fetch_failed(fixture.now, 1);
    fixture.advance(SECOND);
    let plan = fixture.begin(1);
    let order: Vec<_> = plan
        .session
        .send
        .iter()
        .map(|(name, _)| name.partition())
        .collect();
    assert_eq!(order, [2, 0, 1]);
}

#[test]
fn a_partition_that_leaves_takes_its_data_along() {
    let mut fixture = answered(one(), data(batch(0, 3), 0));
    fixture.machine.assign(&[tp(7)]);
    assert!(fixture.take().is_empty());
    // It begins anew when it comes back.
    fixture.machine.assign(&[tp(0)]);
    assert_eq!(fixture.position(0), None);
}

#[test]
fn a_partition_that_stays_keeps_its_place() {
    let mut fixture = answered(one(), data(batch(0, 3), 0));
    fixture.machine.assign(&[tp(0), tp(1)]);
    assert_eq!(fixture.taken().0, [0]);
    assert_eq!(fixture.offset(0), Some(3));
}
