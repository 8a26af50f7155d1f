//! Every stage of a fetch session × every next request and every answer to it, written out. A change of
//! behaviour shows as a change to the snapshot.

use std::fmt::Write as _;

use super::*;

/// A session at one stage.
type Situation = (&'static str, fn() -> Session);

const STAGES: [Situation; 6] = [
    ("new", Session::new),
    ("refused by a broker without room", || {
        let mut session = Session::new();
        plan(&mut session, wanted(&[0, 0]));
        answer(&mut session, 0, &[0, 1]).unwrap();
        session
    }),
    ("established", established),
    ("established, at the highest epoch", || {
        let mut session = established();
        session.stage = Stage::Established {
            id: 7,
            next_epoch: i32::MAX,
        };
        session
    }),
    ("established, topics by name", || {
        let mut session = Session::new();
        plan(&mut session, nameless(wanted(&[0, 0])));
        answer(&mut session, 7, &[0, 1]).unwrap();
        session
    }),
    ("to be closed", || {
        let mut session = established();
        session.failed();
        session
    }),
];

fn nameless(mut wanted: Vec<(TopicPartition, Want)>) -> Vec<(TopicPartition, Want)> {
    for (_, want) in &mut wanted {
        want.topic_id = None;
    }
    wanted
}

type Request = (&'static str, fn(&mut Session) -> Plan);

const REQUESTS: [Request; 9] = [
    ("the same", |session| plan(session, wanted(&[0, 0]))),
    ("the first moved on", |session| {
        plan(session, wanted(&[5, 0]))
    }),
    ("a third", |session| plan(session, wanted(&[0, 0, 0]))),
    ("without the second", |session| plan(session, wanted(&[0]))),
    ("the second first", |session| {
        let mut wanted = wanted(&[0, 0]);
        wanted.reverse();
        plan(session, wanted)
    }),
    ("the topic made anew", |session| {
        let mut wanted = wanted(&[0, 0]);
        for (_, want) in &mut wanted {
            want.topic_id = id(2);
        }
        plan(session, wanted)
    }),
    ("an id unknown", |session| {
        let mut wanted = wanted(&[0, 0]);
        wanted[1].1.topic_id = None;
        plan(session, wanted)
    }),
    ("no ids spoken", |session| {
        session.plan(wanted(&[0, 0]), false, true)
    }),
    ("no sessions spoken", |session| {
        session.plan(wanted(&[0, 0]), false, false)
    }),
];

#[derive(Clone, Copy)]
struct Reply {
    name: &'static str,
    error: ErrorCode,
    session_id: i32,
    partitions: &'static [i32],
    throttled: bool,
    names_strangers: bool,
}

const fn reply(name: &'static str, session_id: i32, partitions: &'static [i32]) -> Reply {
    Reply {
        name,
        error: ErrorCode::None,
        session_id,
        partitions,
        throttled: false,
        names_strangers: false,
    }
}

const fn refusal(name: &'static str, error: ErrorCode) -> Reply {
    Reply {
        error,
        ..reply(name, 0, &[])
    }
}

const REPLIES: [Reply; 16] = [
    reply("both, session 7", 7, &[0, 1]),
    reply("both, session 8", 8, &[0, 1]),
    reply("both, no session", 0, &[0, 1]),
    reply("one, session 7", 7, &[0]),
    reply("none, session 7", 7, &[]),
    reply("none, no session", 0, &[]),
    Reply {
        throttled: true,
        ..reply("none, throttled", 0, &[])
    },
    reply("another, session 7", 7, &[0, 5]),
    reply("both, session -1", -1, &[0, 1]),
    Reply {
        names_strangers: true,
        ..reply("strangers, session 7", 7, &[0, 1])
    },
    refusal("SESSION_ID_NOT_FOUND", ErrorCode::FetchSessionIdNotFound),
    refusal("INVALID_SESSION_EPOCH", ErrorCode::InvalidFetchSessionEpoch),
    refusal(
        "SESSION_TOPIC_ID_ERROR",
        ErrorCode::FetchSessionTopicIdError,
    ),
    refusal("INCONSISTENT_TOPIC_ID", ErrorCode::InconsistentTopicId),
    refusal("KAFKA_STORAGE_ERROR", ErrorCode::KafkaStorageError),
    refusal("an unknown code", ErrorCode::Unknown(9999)),
];

fn told(session: &Session) -> String {
    match session.stage {
        Stage::Initial => "initial".to_owned(),
        Stage::Established { id, next_epoch } => format!("established {id}, epoch {next_epoch}"),
        Stage::Closing { id } => format!("closing {id}"),
    }
}

fn written(plan: &Plan) -> String {
    let mut text = format!("({}, {})", plan.session_id, plan.session_epoch);
    let by = if plan.by_topic_id { "id" } else { "name" };
    write!(text, " by {by}, sends {:?}", sent(plan)).unwrap();
    if !plan.forget.is_empty() {
        let forgotten = plan
            .forget
            .iter()
            .map(|(partition, _)| partition.partition());
        write!(text, ", forgets {:?}", forgotten.collect::<Vec<_>>()).unwrap();
    }
    text
}

#[test]
fn every_stage_has_a_request_and_a_use_for_every_answer() {
    let mut table = String::new();
    for (stage, build) in STAGES {
        writeln!(table, "{stage}\n  [{}]", told(&build())).unwrap();
        for (name, request) in REQUESTS {
            let mut session = build();
            let plan = request(&mut session);
            writeln!(table, "  wants {name:22} {}", written(&plan)).unwrap();
        }
        for reply in REPLIES {
            let mut session = build();
            plan(&mut session, wanted(&[0, 0]));
            let partitions = reply.partitions.iter().map(|n| tp(*n)).collect();
            let result = session.answered(&Answer {
                error: reply.error,
                session_id: reply.session_id,
                throttled: reply.throttled,
                partitions: &partitions,
                names_strangers: reply.names_strangers,
            });
            let result = match result {
                Ok(()) => "used".to_owned(),
                Err(refused) => format!("{refused:?}"),
            };
            writeln!(
                table,
                "  gets {:23} {}; {result}",
                reply.name,
                told(&session)
            )
            .unwrap();
        }
        let mut session = build();
        plan(&mut session, wanted(&[0, 0]));
        session.failed();
        writeln!(table, "  gets {:23} {}\n", "no answer", told(&session)).unwrap();
    }
    insta::assert_snapshot!(table);
}
