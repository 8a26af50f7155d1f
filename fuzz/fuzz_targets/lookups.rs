//! Answers of a hostile broker to what every client asks first: ApiVersions, Metadata, FindCoordinator.
//!
//! The first byte says which one and in which version, the rest is the body; several bodies, each behind
//! its length, follow one another.

#![no_main]

use bytes::Bytes;
use kafka_protocol::messages::{FindCoordinatorRequest, MetadataRequest};
use libfuzzer_sys::fuzz_target;
use milena_codec::Limits;
use milena_codec::message::decode_response;
use milena_connection::coordinator::machine::{self as coordinator, CoordinatorMachine, Query};
use milena_connection::link::handshake::{Handshake, Step};
use milena_connection::metadata::machine::{MetadataMachine, Settings};
use milena_connection::{Backoff, CoordinatorKind, MetadataSnapshot, TopicsWanted};
use std::time::{Duration, Instant};

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let now = Instant::now();
    let mut handshake = Handshake::new();
    let mut metadata = MetadataMachine::new(Settings {
        backoff: Backoff::default(),
        max_age: Duration::from_secs(1),
        topics_max: 4,
        topic_auto_creation: false,
        seed: 1,
    });
    metadata.want(TopicsWanted::named(["t", "a"]));
    let mut coordinators = CoordinatorMachine::new(coordinator::Settings {
        backoff: Backoff::default(),
        coordinators_max: 4,
        seed: 1,
    });
    let mut rest = data;
    while let Some((&[selector, length], bytes)) = rest.split_first_chunk() {
        let (body, behind) = bytes.split_at(usize::from(length).min(bytes.len()));
        rest = behind;
        let body = Bytes::copy_from_slice(body);
        match selector {
            0..64 => {
                let before = handshake.version();
                if let Ok(Step::Ask(version)) = handshake.handle_answer(body, &limits) {
                    assert!(version < before, "a handshake that never ends");
                }
            }
            64..160 => {
                let version = i16::from(selector - 64) % 13 + 1;
                if let Ok(answer) = decode_response::<MetadataRequest>(body, version, &limits) {
                    let before = metadata.snapshot().clone();
                    metadata.on_answer(now, &answer, version);
                    no_epoch_went_back(&before, metadata.snapshot());
                }
            }
            160.. => {
                let version = i16::from(selector - 160) % 7;
                let query = Query {
                    kind: CoordinatorKind::Group,
                    keys: vec!["g".into()],
                };
                coordinators.want(query.kind, &query.keys[0], now + Duration::from_secs(1));
                coordinators.poll(now, &mut Vec::new());
                if let Ok(answer) =
                    decode_response::<FindCoordinatorRequest>(body, version, &limits)
                {
                    let found = coordinator::read_response(&answer, &query, version);
                    let found = found
                        .into_iter()
                        .map(|(key, found)| (key, found.map(|found| found.broker_id)))
                        .collect();
                    coordinators.on_answer(now, query.kind, found, &mut Vec::new());
                }
            }
        }
    }
});

/// as long as a topic is the same one, its leader epochs do not go back.
fn no_epoch_went_back(before: &MetadataSnapshot, after: &MetadataSnapshot) {
    for old in before.topics() {
        let Some(new) = after
            .topic(&old.name)
            .filter(|new| new.topic_id == old.topic_id)
        else {
            continue;
        };
        for partition in &old.partitions {
            if let Some(now) = new.partition(partition.partition) {
                assert!(
                    now.leader_epoch >= partition.leader_epoch,
                    "{partition:?} {now:?}"
                );
            }
        }
    }
}
