//! A topic that is deleted and created again, with the same leader and term: on one broker they begin
//! anew with the same numbers.

use super::*;

/// Metadata names the topic with this id, led as ever.
fn topic(id: u128) -> PartitionView {
    match known(1, 5) {
        PartitionView::Known {
            leader, replicas, ..
        } => PartitionView::Known {
            topic_id: Some(Uuid::from_u128(id)),
            leader,
            replicas,
        },
        refused @ PartitionView::Refused(_) => refused,
    }
}

/// At 10, which was read.
fn at_ten(settings: Settings) -> Fixture {
    let mut fixture = answered(Fixture::at_zero(settings, 1), data(batch(0, 10), 0));
    fixture.take();
    fixture
}

fn target(fixture: &mut Fixture) -> ResetTarget {
    fixture.poll().resets[0].partitions[0].target
}

#[test]
fn the_beginning_of_a_topic_created_again_is_not_skipped() {
    //
    let mut fixture = at_ten(settings());
    let old = fixture.begin(1);
    fixture.metadata(0, topic(2));
    assert_eq!(target(&mut fixture), ResetTarget::Earliest);
    // What was asked of the old topic means nothing any more.
    fixture.answer(&old, vec![(0, data(batch(10, 12), 10))]);
    assert!(fixture.take().is_empty());
}

#[test]
fn a_topic_created_again_is_told_until_the_user_seeks_if_that_is_the_policy() {
    //
    let mut fixture = at_ten(told(settings()));
    fixture.metadata(0, topic(2));
    let expected = Fault::Truncated {
        offset: 10,
        divergent_offset: None,
    };
    for _ in 0..2 {
        assert_eq!(fixture.taken(), (vec![], Some(expected.clone())));
        assert!(fixture.fetches().is_empty());
    }
    fixture.machine.seek(&tp(0), Position::Offset(0)).unwrap();
    let session = fixture.begin(1).session;
    assert_eq!(session.send[0].1.topic_id, Some(Uuid::from_u128(2)));
}

#[test]
fn an_offset_that_was_sought_and_not_read_from_outlives_the_topic() {
    let mut fixture = at_ten(told(settings()));
    fixture.machine.seek(&tp(0), Position::Offset(4)).unwrap();
    fixture.metadata(0, topic(2));
    assert_eq!(fixture.taken().1, None);
    assert_eq!(fixture.begin(1).asked[&tp(0)].fetch_offset, 4);
}

#[test]
fn a_sought_epoch_is_validated_in_the_topic_created_again() {
    // the same leader and term, but not the same log.
    let mut fixture = one();
    let to = Position::OffsetAndEpoch {
        offset: 4,
        leader_epoch: 3,
    };
    fixture.machine.seek(&tp(0), to).unwrap();
    let plan = fixture.poll().validations.remove(0);
    let end = EpochEnd {
        leader_epoch: Some(3),
        end_offset: Some(4),
    };
    let error = ErrorCode::None;
    fixture.validate(&plan, &[(0, EpochAnswer { error, end })]);
    fixture.metadata(0, topic(2));
    let work = fixture.poll();
    assert_eq!((work.fetches.len(), work.validations.len()), (0, 1));
}

#[test]
fn a_place_found_in_the_old_topic_is_looked_up_in_the_new_one() {
    // not by policy, the application has chosen it.
    let mut fixture = one();
    fixture.machine.seek(&tp(0), Position::Latest).unwrap();
    let plan = fixture.poll().resets.remove(0);
    fixture.reset(&plan, &[(0, offset(12))]);
    assert_eq!(fixture.offset(0), Some(12));
    fixture.metadata(0, topic(2));
    assert_eq!(target(&mut fixture), ResetTarget::Latest);
}

#[test]
fn the_end_of_the_old_topic_is_not_where_a_search_by_time_ends() {
    //
    let mut fixture = one();
    fixture
        .machine
        .seek(&tp(0), Position::Timestamp(77))
        .unwrap();
    let plan = fixture.poll().resets.remove(0);
    fixture.reset(&plan, &[(0, offset(12))]);
    fixture.metadata(0, topic(2));
    assert_eq!(target(&mut fixture), ResetTarget::EndBeforeTime(77));
}

#[test]
fn a_broker_that_has_not_heard_of_the_new_topic_does_not_bring_the_old_one_back() {
    let mut fixture = at_ten(settings());
    fixture.metadata(0, topic(2));
    let plan = fixture.poll().resets.remove(0);
    fixture.reset(&plan, &[(0, offset(0))]);
    let mut fixture = answered(fixture, data(batch(0, 3), 0));
    fixture.take();
    fixture.metadata(0, known(1, 5));
    fixture.metadata(0, topic(2));
    assert_eq!(fixture.offset(0), Some(3));
    assert!(fixture.poll().resets.is_empty());
}

#[test]
fn records_of_the_old_topic_that_a_poll_puts_back_do_not_bring_its_offsets_back() {
    //
    let mut fixture = answered(one(), data(batch(0, 3), 0));
    let first = fixture.take().batches.remove(0);
    fixture.metadata(0, topic(2));
    let cut = NextOffset {
        offset: 1,
        leader_epoch: Some(0),
    };
    fixture
        .machine
        .put_back(&tp(0), first.generation, cut, first.buffered);
    assert_eq!(fixture.offset(0), None);
    assert_eq!(target(&mut fixture), ResetTarget::Earliest);
}
