use super::mutation::Verdict;
use super::*;
use crate::Limits;
use crate::dissect::{self, DissectError, Format};
use crate::guard;

/// No limit that a message of a few kilobytes could meet.
fn no_limits() -> Limits {
    Limits {
        memory_factor: 1 << 20,
        ..Limits::default()
    }
}

fn each_pair(mut check: impl FnMut(&'static Message, i16)) {
    for message in schema::messages() {
        for version in message.versions().iter() {
            check(message, version);
        }
    }
}

/// What the guard says, after asking the dissector, whose walk shares no program with the guard's.
fn verdict(message: &'static Message, version: i16, bytes: &[u8]) -> Result<(), guard::GuardError> {
    let guarded = guard::check_message(message, version, bytes, &no_limits()).map(drop);
    let mut json = String::new();
    let dissected = dissect::message(
        &mut json,
        Format::Json,
        message,
        version,
        bytes,
        &no_limits(),
    );
    let context = || format!("{} v{version} {bytes:02x?}", message.name());
    let dissected = dissected.map_err(|error| match error {
        DissectError::Malformed { source } => place(&source),
        DissectError::Output { source } => panic!("{source} {}", context()),
    });
    assert_eq!(
        guarded.as_ref().map_err(place),
        dissected.as_ref().map_err(Clone::clone),
        "{}",
        context()
    );
    serde_json::from_str::<serde_json::Value>(&json)
        .unwrap_or_else(|e| panic!("{e} {}", context()));
    let mut tree = String::new();
    let _ = dissect::message(
        &mut tree,
        Format::Tree,
        message,
        version,
        bytes,
        &no_limits(),
    );
    guarded
}

/// Path and offset: of a run of fixed fields the guard says only how many bytes are missing in all.
fn place(error: &guard::GuardError) -> (String, usize) {
    let guard::GuardError::Rejected { path, offset, .. } = error else {
        panic!("{error}")
    };
    (path.clone(), *offset)
}

#[test]
fn every_generated_message_passes_guard_and_dissector() {
    let shapes = [
        Shape::default(),
        Shape {
            array_elements_max: 1,
            nulls: false,
            records: RecordsShape::Noise,
            ..Shape::default()
        },
        Shape {
            bytes_max: 200,
            unknown_tags: false,
            ..Shape::default()
        },
    ];
    each_pair(|message, version| {
        for seed in 0..30 {
            for shape in &shapes {
                let generated = body(message, version, seed, shape).unwrap();
                let verdict = verdict(message, version, generated.bytes());
                assert_eq!(verdict, Ok(()), "{} v{version} seed {seed}", message.name());
            }
        }
    });
}

#[test]
fn every_mutation_gets_its_verdict_and_happens() {
    let mut happened = std::collections::HashMap::new();
    each_pair(|message, version| {
        for seed in 0..10 {
            let generated = body(message, version, seed, &Shape::default()).unwrap();
            for mutation in Mutation::ALL {
                let Some(bytes) = generated.mutate(mutation, seed) else {
                    continue;
                };
                *happened.entry(mutation).or_insert(0) += 1;
                let verdict = verdict(message, version, &bytes);
                let context = || {
                    format!(
                        "{mutation} of {} v{version} seed {seed}: {verdict:?}",
                        message.name()
                    )
                };
                match mutation.verdict() {
                    Verdict::Either => {}
                    Verdict::Malformed => assert!(verdict.is_err(), "{}", context()),
                    Verdict::Valid => assert!(verdict.is_ok(), "{}", context()),
                }
            }
        }
    });
    for mutation in Mutation::ALL {
        let times = happened.get(&mutation).copied().unwrap_or(0);
        assert!(times >= 50, "{mutation} happened {times} times");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let fetch = schema::response(1).unwrap();
    let of = |seed| {
        body(fetch, 16, seed, &Shape::default())
            .unwrap()
            .into_bytes()
    };
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
}

#[test]
fn frames_have_the_header_of_their_version() {
    for key in schema::api_keys() {
        for version in schema::api_versions(key).unwrap().iter() {
            let limits = no_limits();
            let frame = request_frame(key, version, 3, &Shape::default()).unwrap();
            let mut bytes = bytes::Bytes::from(frame.into_bytes());
            let header = crate::header::take_request_header(&mut bytes, &limits).unwrap();
            assert_eq!((header.api_key, header.api_version), (key, version));
            guard::check(key, guard::Direction::Request, version, &bytes, &limits).unwrap();

            let frame = response_frame(key, version, 3, &Shape::default()).unwrap();
            let mut bytes = bytes::Bytes::from(frame.into_bytes());
            crate::header::take_response_header(&mut bytes, key, version, &limits).unwrap();
            guard::check(key, guard::Direction::Response, version, &bytes, &limits).unwrap();
        }
    }
    assert!(request_frame(0, 99, 0, &Shape::default()).is_none());
    assert!(response_frame(999, 0, 0, &Shape::default()).is_none());
}

#[test]
fn mutated_frames_keep_their_header() {
    let frame = request_frame(3, 12, 5, &Shape::default()).unwrap();
    let mutated = frame.mutate(Mutation::BytesAtEnd, 1).unwrap();
    assert_eq!(mutated[..4], [0, 3, 0, 12]);
    let mut out = String::new();
    dissect::request(&mut out, Format::Json, &mutated, &no_limits()).unwrap_err();
    out.clear();
    dissect::request(&mut out, Format::Json, frame.bytes(), &no_limits()).unwrap();
}
