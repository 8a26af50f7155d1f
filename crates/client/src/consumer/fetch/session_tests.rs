use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[path = "session_table_tests.rs"]
mod table;

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn id(n: u128) -> Option<Uuid> {
    Some(Uuid::from_u128(n))
}

fn want(fetch_offset: i64) -> Want {
    Want {
        topic_id: id(1),
        fetch_offset,
        bytes_max: 100,
        current_leader_epoch: Some(0),
    }
}

fn wanted(offsets: &[i64]) -> Vec<(TopicPartition, Want)> {
    offsets
        .iter()
        .zip(0..)
        .map(|(offset, partition)| (tp(partition), want(*offset)))
        .collect()
}

fn plan(session: &mut Session, wanted: Vec<(TopicPartition, Want)>) -> Plan {
    session.plan(wanted, true, true)
}

fn answer(session: &mut Session, session_id: i32, partitions: &[i32]) -> Result<(), Refused> {
    let partitions = partitions.iter().map(|partition| tp(*partition)).collect();
    session.answered(&Answer {
        error: ErrorCode::None,
        session_id,
        throttled: false,
        partitions: &partitions,
        names_strangers: false,
    })
}

fn refuse(session: &mut Session, error: ErrorCode) -> Result<(), Refused> {
    let partitions = HashSet::new();
    session.answered(&Answer {
        error,
        session_id: 0,
        throttled: false,
        partitions: &partitions,
        names_strangers: false,
    })
}

/// A session `7` that holds two partitions at 0 and has been answered once.
fn established() -> Session {
    let mut session = Session::new();
    plan(&mut session, wanted(&[0, 0]));
    answer(&mut session, 7, &[0, 1]).unwrap();
    session
}

fn numbers(plan: &Plan) -> (i32, i32) {
    (plan.session_id, plan.session_epoch)
}

fn sent(plan: &Plan) -> Vec<i32> {
    plan.send
        .iter()
        .map(|(partition, _)| partition.partition())
        .collect()
}

#[test]
fn the_first_request_is_full_and_asks_for_a_session() {
    //
    let mut session = Session::new();
    let plan = plan(&mut session, wanted(&[5, 6]));
    assert_eq!(numbers(&plan), (0, 0));
    assert_eq!(sent(&plan), [0, 1]);
    assert!(plan.forget.is_empty());
}

#[test]
fn epochs_count_from_one_and_after_the_highest_from_one_again() {
    //
    let mut session = established();
    assert_eq!(numbers(&plan(&mut session, wanted(&[0, 0]))), (7, 1));
    answer(&mut session, 7, &[]).unwrap();
    assert_eq!(numbers(&plan(&mut session, wanted(&[0, 0]))), (7, 2));
    session.stage = Stage::Established {
        id: 7,
        next_epoch: i32::MAX,
    };
    assert_eq!(numbers(&plan(&mut session, wanted(&[0, 0]))), (7, i32::MAX));
    answer(&mut session, 7, &[]).unwrap();
    assert_eq!(numbers(&plan(&mut session, wanted(&[0, 0]))), (7, 1));
}

#[test]
fn a_broker_that_refuses_a_session_gets_full_requests() {
    //
    let mut session = Session::new();
    for _ in 0..2 {
        let plan = plan(&mut session, wanted(&[0, 0]));
        assert_eq!((numbers(&plan), sent(&plan).len()), ((0, 0), 2));
        answer(&mut session, 0, &[0, 1]).unwrap();
    }
    assert_eq!(session.id_to_close(), None);
}

#[test]
fn a_broker_without_sessions_gets_full_requests_outside_any() {
    // version 6 and lower
    let mut session = Session::new();
    assert_eq!(
        numbers(&session.plan(wanted(&[0]), false, false)),
        (0, SESSIONLESS)
    );
    answer(&mut session, 0, &[0]).unwrap();
    assert_eq!(
        numbers(&session.plan(wanted(&[0]), false, false)),
        (0, SESSIONLESS)
    );
}

#[test]
fn an_incremental_request_names_only_what_changed() {
    // 0 moved on, 1 is as before, 2 is new, and none is forgotten.
    let mut session = established();
    let request = plan(&mut session, wanted(&[3, 0, 9]));
    assert_eq!(sent(&request), [0, 2]);
    assert!(request.forget.is_empty());
    answer(&mut session, 7, &[0]).unwrap();
    // Bytes and leader epoch count as changes too.
    let mut next = wanted(&[3, 0, 9]);
    next[1].1.current_leader_epoch = Some(1);
    next[2].1.bytes_max = 50;
    assert_eq!(sent(&plan(&mut session, next)), [1, 2]);
}

#[test]
fn what_is_no_longer_wanted_is_forgotten() {
    //
    let mut session = established();
    let request = plan(&mut session, wanted(&[0]));
    assert_eq!(request.forget, [(tp(1), id(1))]);
    assert!(request.send.is_empty());
    assert!(!session.covers(&tp(1)));
}

#[test]
fn a_topic_created_anew_is_forgotten_and_added() {
    //
    let mut session = established();
    let mut next = wanted(&[0, 0]);
    next[0].1.topic_id = id(2);
    let request = plan(&mut session, next);
    assert_eq!(request.forget, [(tp(0), id(1))]);
    assert_eq!(sent(&request), [0]);
}

#[test]
fn a_partition_absent_from_an_incremental_answer_has_nothing_new() {
    //
    let mut session = established();
    plan(&mut session, wanted(&[0, 0]));
    assert_eq!(answer(&mut session, 7, &[]), Ok(()));
}

#[test]
fn a_full_answer_tells_of_every_partition() {
    // R-83; the session that came with the answer is closed.
    for partitions in [&[0][..], &[], &[0, 1, 2], &[0, 2]] {
        let mut session = Session::new();
        plan(&mut session, wanted(&[0, 0]));
        assert_eq!(
            answer(&mut session, 7, partitions),
            Err(Refused::Malformed),
            "{partitions:?}"
        );
        assert_eq!(numbers(&plan(&mut session, wanted(&[0, 0]))), (7, 0));
    }
}

#[test]
fn a_session_that_came_with_a_useless_answer_is_closed() {
    let mut session = Session::new();
    plan(&mut session, wanted(&[0]));
    let partitions = HashSet::from([tp(0)]);
    let strangers = Answer {
        error: ErrorCode::None,
        session_id: 7,
        throttled: false,
        partitions: &partitions,
        names_strangers: true,
    };
    assert_eq!(session.answered(&strangers), Err(Refused::Malformed));
    assert_eq!(session.id_to_close(), Some(7));
    assert_eq!(numbers(&plan(&mut session, wanted(&[0]))), (7, 0));
}

#[test]
fn a_partition_that_was_not_asked_for_spoils_the_answer() {
    let mut session = established();
    plan(&mut session, wanted(&[0, 0]));
    assert_eq!(answer(&mut session, 7, &[5]), Err(Refused::Malformed));
    assert_eq!(numbers(&plan(&mut session, wanted(&[0, 0]))), (7, 0));
}

#[test]
fn an_unknown_session_starts_over_with_no_id() {
    //
    let mut session = established();
    plan(&mut session, wanted(&[1, 1]));
    let error = ErrorCode::FetchSessionIdNotFound;
    assert_eq!(refuse(&mut session, error), Err(Refused::Code(error)));
    let request = plan(&mut session, wanted(&[1, 1]));
    assert_eq!((numbers(&request), sent(&request).len()), ((0, 0), 2));
}

#[test]
fn any_other_error_closes_the_session_and_asks_for_a_new_one() {
    //
    for (error, refused) in [
        (
            ErrorCode::InvalidFetchSessionEpoch,
            Refused::Code(ErrorCode::InvalidFetchSessionEpoch),
        ),
        (ErrorCode::FetchSessionTopicIdError, Refused::TopicIds),
        (
            ErrorCode::KafkaStorageError,
            Refused::Code(ErrorCode::KafkaStorageError),
        ),
    ] {
        let mut session = established();
        plan(&mut session, wanted(&[1, 1]));
        assert_eq!(refuse(&mut session, error), Err(refused));
        let request = plan(&mut session, wanted(&[1, 1]));
        assert_eq!((numbers(&request), sent(&request).len()), ((7, 0), 2));
        // And the answer to that opens the next session.
        answer(&mut session, 8, &[0, 1]).unwrap();
        assert_eq!(numbers(&plan(&mut session, wanted(&[1, 1]))), (8, 1));
    }
}

#[test]
fn a_request_without_an_answer_makes_the_next_one_full() {
    //
    let mut session = established();
    plan(&mut session, wanted(&[1, 1]));
    session.failed();
    let request = plan(&mut session, wanted(&[1, 1]));
    assert_eq!((numbers(&request), sent(&request).len()), ((7, 0), 2));
}

#[test]
fn an_empty_full_answer_is_legal_while_throttled() {
    //
    let mut session = Session::new();
    plan(&mut session, wanted(&[0, 0]));
    let partitions = HashSet::new();
    let throttled = Answer {
        error: ErrorCode::None,
        session_id: 0,
        throttled: true,
        partitions: &partitions,
        names_strangers: false,
    };
    assert_eq!(session.answered(&throttled), Err(Refused::Throttled));
    assert_eq!(numbers(&plan(&mut session, wanted(&[0, 0]))), (0, 0));
}

#[test]
fn topics_are_named_by_id_only_if_every_one_has_an_id() {
    //
    let mut session = Session::new();
    let mut mixed = wanted(&[0, 0]);
    mixed[1].1.topic_id = None;
    assert!(!plan(&mut session, mixed).by_topic_id);
    answer(&mut session, 7, &[0, 1]).unwrap();
    // The ids have come: the session by name is closed, one by id is asked for.
    let request = plan(&mut session, wanted(&[0, 0]));
    assert!(request.by_topic_id);
    assert_eq!((numbers(&request), sent(&request).len()), ((7, 0), 2));
}

#[test]
fn a_broker_that_ends_the_session_gets_a_full_request() {
    let mut session = established();
    plan(&mut session, wanted(&[0, 0]));
    answer(&mut session, 0, &[]).unwrap();
    assert_eq!(numbers(&plan(&mut session, wanted(&[0, 0]))), (0, 0));
}

/// The broker's side of a session, written from KIP-227 alone.
#[derive(Debug, Default)]
struct Broker {
    sessions: BTreeMap<i32, (i32, HashMap<TopicPartition, Want>)>,
    next_id: i32,
}

impl Broker {
    /// What the broker would answer for, or the error.
    fn serve(&mut self, plan: &Plan) -> Result<(i32, HashMap<TopicPartition, Want>), ErrorCode> {
        if plan.session_epoch <= 0 {
            self.sessions.remove(&plan.session_id);
            let held: HashMap<_, _> = plan.send.iter().cloned().collect();
            self.next_id += 1;
            self.sessions.insert(self.next_id, (1, held.clone()));
            return Ok((self.next_id, held));
        }
        let (epoch, held) = self
            .sessions
            .get_mut(&plan.session_id)
            .ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if *epoch != plan.session_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        *epoch += 1;
        for (partition, _) in &plan.forget {
            held.remove(partition);
        }
        held.extend(plan.send.iter().cloned());
        Ok((plan.session_id, held.clone()))
    }
}

/// What happens to one request.
#[derive(Clone, Debug)]
enum Fate {
    Answered,
    LostOnTheWay,
    AnswerLost,
    Evicted,
    Malformed,
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Answered),
        1 => Just(Fate::LostOnTheWay),
        1 => Just(Fate::AnswerLost),
        1 => Just(Fate::Evicted),
        1 => Just(Fate::Malformed),
    ]
}

fn wants() -> impl Strategy<Value = Vec<(TopicPartition, Want)>> {
    prop::collection::btree_map(0..5_i32, (0..4_i64, 1..3_u128), 1..5).prop_map(|wanted| {
        wanted
            .into_iter()
            .map(|(partition, (offset, topic_id))| {
                (
                    tp(partition),
                    Want {
                        topic_id: id(topic_id),
                        ..want(offset)
                    },
                )
            })
            .collect()
    })
}

proptest! {
    /// Whatever is lost, evicted or garbled: whenever the broker serves a request, what it serves is
    /// exactly what the client wants at that time, and after trouble a request or two later it does.
    #[test]
    fn the_broker_serves_exactly_what_is_wanted(
        rounds in prop::collection::vec((wants(), fates()), 1..40),
    ) {
        let mut session = Session::new();
        let mut broker = Broker::default();
        let mut refused_in_a_row = 0;
        for (wanted, fate) in rounds {
            let expected: HashMap<_, _> = wanted.iter().cloned().collect();
            let plan = session.plan(wanted, true, true);
            if matches!(fate, Fate::Evicted) {
                broker.sessions.clear();
            }
            if matches!(fate, Fate::LostOnTheWay) {
                session.failed();
                continue;
            }
            match broker.serve(&plan) {
                Ok((id, held)) => {
                    prop_assert_eq!(&held, &expected);
                    refused_in_a_row = 0;
                    let partitions = held.into_keys().collect();
                    let answer = Answer {
                        error: ErrorCode::None,
                        session_id: id,
                        throttled: false,
                        partitions: &partitions,
                        names_strangers: matches!(fate, Fate::Malformed),
                    };
                    match fate {
                        Fate::AnswerLost => session.failed(),
                        Fate::Malformed => {
                            prop_assert_eq!(session.answered(&answer), Err(Refused::Malformed));
                        }
                        Fate::Answered | Fate::Evicted | Fate::LostOnTheWay => {
                            prop_assert_eq!(session.answered(&answer), Ok(()));
                        }
                    }
                }
                Err(error) => {
                    prop_assert!(matches!(fate, Fate::Evicted), "{fate:?} {error}");
                    refused_in_a_row += 1;
                    prop_assert!(refused_in_a_row <= 1);
                    prop_assert_eq!(refuse(&mut session, error), Err(Refused::Code(error)));
                }
            }
        }
    }
}
