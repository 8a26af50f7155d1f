//! Every situation of a partition with everything that an answer may say of it.

use std::fmt::Write as _;

use super::*;

/// A partition in one situation, and the fetch that is out for it.
type Situation = (&'static str, fn() -> (Fixture, FetchPlan));

const SITUATIONS: &[Situation] = &[
    ("fetching from the leader", || {
        let mut fixture = one();
        let plan = fixture.begin(1);
        (fixture, plan)
    }),
    ("with data that waits", || {
        let mut fixture = answered(one(), data(batch(0, 2), 0));
        let plan = fixture.begin(1);
        (fixture, plan)
    }),
    ("fetching from a follower", || {
        let mut fixture = answered(one(), redirected(2));
        let plan = fixture.begin(2);
        (fixture, plan)
    }),
    ("paused meanwhile", || {
        let mut fixture = one();
        let plan = fixture.begin(1);
        fixture.machine.pause(&tp(0)).unwrap();
        (fixture, plan)
    }),
    ("sought elsewhere meanwhile", || {
        let mut fixture = one();
        let plan = fixture.begin(1);
        fixture.machine.seek(&tp(0), Position::Offset(40)).unwrap();
        (fixture, plan)
    }),
    ("to be reset meanwhile", || {
        let mut fixture = one();
        let plan = fixture.begin(1);
        fixture.machine.seek(&tp(0), Position::Latest).unwrap();
        (fixture, plan)
    }),
    ("to be validated meanwhile", || {
        let mut fixture = answered(one(), data(batch(0, 2), 0));
        fixture.take();
        let plan = fixture.begin(1);
        fixture.metadata(0, known(2, 6));
        (fixture, plan)
    }),
];

/// What happened to a partition: where it stands, what a poll would get, what is asked at once and what
/// within a second.
fn outcome(mut fixture: Fixture) -> String {
    let mut text = match fixture.offset(0) {
        Some(offset) => format!("at {offset}"),
        None => "nowhere".to_owned(),
    };
    let mut asked = |fixture: &mut Fixture, when: &str| {
        let work = fixture.poll();
        for broker in work.fetches {
            write!(text, ", {when} fetch {broker}").unwrap();
        }
        for plan in work.resets {
            write!(text, ", {when} look up {:?}", plan.partitions[0].target).unwrap();
        }
        for _ in work.validations {
            write!(text, ", {when} validate").unwrap();
        }
        if work.refresh_metadata.is_some() {
            write!(text, ", {when} refresh").unwrap();
        }
    };
    asked(&mut fixture, "at once");
    fixture.advance(SECOND);
    asked(&mut fixture, "later");
    match fixture.taken() {
        (batches, None) if batches.is_empty() => {}
        (batches, None) => write!(text, "; gives {batches:?}").unwrap(),
        (_, Some(fault)) => write!(text, "; tells {fault:?}").unwrap(),
    }
    text
}

#[test]
fn every_situation_with_every_answer() {
    type Reply = (&'static str, fn(i64) -> PartitionAnswer);
    let replies: &[Reply] = &[
        ("data", |from| data(batch(from, from + 2), from)),
        ("nothing", |_| nothing()),
        ("damaged data", |from| {
            let mut bytes = batch(from, from + 2);
            *bytes.last_mut().unwrap() ^= 1;
            data(bytes, from)
        }),
        ("data cut short", |from| {
            data(batch(from, from + 2)[..30].to_vec(), from)
        }),
        ("read from 3", |_| redirected(3)),
        ("OFFSET_OUT_OF_RANGE", |_| {
            refused(ErrorCode::OffsetOutOfRange)
        }),
        ("NOT_LEADER_OR_FOLLOWER", |_| {
            refused(ErrorCode::NotLeaderOrFollower)
        }),
        ("UNKNOWN_TOPIC_ID", |_| refused(ErrorCode::UnknownTopicId)),
        ("UNKNOWN_LEADER_EPOCH", |_| {
            refused(ErrorCode::UnknownLeaderEpoch)
        }),
        ("TOPIC_AUTHORIZATION_FAILED", |_| {
            refused(ErrorCode::TopicAuthorizationFailed)
        }),
    ];
    let mut table = String::new();
    for (situation, build) in SITUATIONS {
        writeln!(table, "{situation}").unwrap();
        for (reply, answer) in replies {
            let (mut fixture, plan) = build();
            let from = plan.asked[&tp(0)].fetch_offset;
            fixture.advance(WAIT);
            fixture.answer(&plan, vec![(0, answer(from))]);
            writeln!(table, "  {reply:<26} {}", outcome(fixture)).unwrap();
        }
        let (mut fixture, plan) = build();
        fixture.machine.on_fetch_failed(fixture.now, plan.broker);
        writeln!(table, "  {:<26} {}", "no answer", outcome(fixture)).unwrap();
    }
    insta::assert_snapshot!(table);
}
