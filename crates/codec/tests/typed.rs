//! The schema table, the guard and the typed messages of kafka-protocol, held against each other:
//! generated frames of every message and version that kafka-protocol has.
#![cfg(feature = "broker")]

use bytes::Bytes;
use cap::Cap;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, Message, VersionRange};
use milena_codec::generate::{self, Mutation, Shape, Verdict};
use milena_codec::message::{
    self, ApiVersionsRequest5, DeleteGroupsResponse3, Request, TxnOffsetCommitRequest6,
    TxnOffsetCommitResponse6,
};
use milena_codec::{DecodeError, EncodeError, Limits, guard, schema};
use std::alloc::System;

#[path = "support/typed_messages.rs"]
mod support;
use support::typed_messages;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Frames of each version.
const SEEDS: u64 = 20;

/// Pairs whose typed form is wrong, and why. A pair that turns out right fails the test.
///
/// LeaderChangeMessage and VotersRecord have a field named `Version`, which the decoder takes for the
/// version of the schema.
const WRONG: [(&str, i16); 3] = [
    ("LeaderChangeMessage", 0),
    ("LeaderChangeMessage", 1),
    ("VotersRecord", 0),
];

/// Pairs of Kafka 4.4.0 that kafka-protocol 0.18 and `milena_codec::message` lack.
const ABSENT: [(&str, i16); 34] = [
    ("AbortedTxn", 0),
    ("AddRaftVoterRequest", 1),
    ("AddRaftVoterResponse", 1),
    ("ApiVersionsResponse", 5),
    ("BrokerHeartbeatRequest", 2),
    ("BrokerHeartbeatResponse", 2),
    ("ControlRecordTypeSchema", 0),
    ("DeleteGroupsRequest", 3),
    ("DescribeLogDirsRequest", 5),
    ("DescribeLogDirsResponse", 5),
    ("DescribeShareGroupOffsetsRequest", 1),
    ("DescribeShareGroupOffsetsResponse", 1),
    ("ReadShareGroupStateSummaryRequest", 1),
    ("ReadShareGroupStateSummaryResponse", 1),
    ("ShareAcknowledgeRequest", 2),
    ("ShareAcknowledgeResponse", 2),
    ("ShareFetchRequest", 2),
    ("ShareFetchResponse", 2),
    ("StreamsGroupDescribeRequest", 0),
    ("StreamsGroupDescribeRequest", 1),
    ("StreamsGroupDescribeResponse", 0),
    ("StreamsGroupDescribeResponse", 1),
    ("StreamsGroupHeartbeatRequest", 0),
    ("StreamsGroupHeartbeatRequest", 1),
    ("StreamsGroupHeartbeatResponse", 0),
    ("StreamsGroupHeartbeatResponse", 1),
    ("StreamsGroupTopologyDescriptionUpdateRequest", 0),
    ("StreamsGroupTopologyDescriptionUpdateResponse", 0),
    ("UnregisterControllerRequest", 0),
    ("UnregisterControllerResponse", 0),
    ("WriteShareGroupStateRequest", 1),
    ("WriteShareGroupStateResponse", 1),
    ("WriteTxnMarkersRequest", 2),
    ("WriteTxnMarkersResponse", 2),
];

/// The encoding of what was decoded, and the heap that it took.
type RoundTrip = Result<(Vec<u8>, usize), String>;

struct Typed {
    name: &'static str,
    versions: VersionRange,
    round_trip: fn(Bytes, i16) -> RoundTrip,
}

fn round_trip<M: Decodable + Encodable>(mut bytes: Bytes, version: i16) -> RoundTrip {
    // The first handle that is split off a buffer makes it shared: not the message's cost.
    let _shared = bytes.clone();
    let before = ALLOCATOR.allocated();
    let message = M::decode(&mut bytes, version).map_err(|error| error.to_string())?;
    let heap = ALLOCATOR.allocated().saturating_sub(before);
    if !bytes.is_empty() {
        return Err(format!("{} bytes are left", bytes.len()));
    }
    let mut out = Vec::new();
    message
        .encode(&mut out, version)
        .map_err(|error| error.to_string())?;
    Ok((out, heap))
}

macro_rules! typed {
    ($($message:ident,)*) => {
        [$(Typed {
            name: stringify!($message),
            versions: $message::VERSIONS,
            round_trip: round_trip::<$message>,
        },)*]
    };
}

const TYPED: &[Typed] = &typed_messages!(typed);

/// The versions that `milena_codec::message` adds.
const NEWER: &[Typed] = &[
    newer("ApiVersionsRequest", 5, |bytes, _| {
        again(bytes, ApiVersionsRequest5::take, ApiVersionsRequest5::put)
    }),
    newer("DeleteGroupsResponse", 3, |bytes, _| {
        again(
            bytes,
            DeleteGroupsResponse3::take,
            DeleteGroupsResponse3::put,
        )
    }),
    newer("TxnOffsetCommitRequest", 6, |bytes, _| {
        again(
            bytes,
            TxnOffsetCommitRequest6::take,
            TxnOffsetCommitRequest6::put,
        )
    }),
    newer("TxnOffsetCommitResponse", 6, |bytes, _| {
        again(
            bytes,
            TxnOffsetCommitResponse6::take,
            TxnOffsetCommitResponse6::put,
        )
    }),
    newer(
        "InitProducerIdRequest",
        6,
        newer_request::<InitProducerIdRequest>,
    ),
    newer(
        "ListOffsetsRequest",
        11,
        newer_request::<ListOffsetsRequest>,
    ),
    newer(
        "ListOffsetsResponse",
        11,
        newer_response::<ListOffsetsRequest>,
    ),
    newer(
        "OffsetCommitRequest",
        10,
        newer_request::<OffsetCommitRequest>,
    ),
    newer(
        "OffsetFetchRequest",
        10,
        newer_request::<OffsetFetchRequest>,
    ),
];

const fn newer(name: &'static str, version: i16, round_trip: fn(Bytes, i16) -> RoundTrip) -> Typed {
    Typed {
        name,
        versions: VersionRange {
            min: version,
            max: version,
        },
        round_trip,
    }
}

fn again<M>(
    bytes: Bytes,
    take: fn(Bytes, &Limits) -> Result<M, DecodeError>,
    put: fn(&M, &mut Vec<u8>) -> Result<(), EncodeError>,
) -> RoundTrip {
    let _shared = bytes.clone();
    let before = ALLOCATOR.allocated();
    let message = take(bytes, &limits()).map_err(|error| error.to_string())?;
    let heap = ALLOCATOR.allocated().saturating_sub(before);
    let mut out = Vec::new();
    put(&message, &mut out).map_err(|error| error.to_string())?;
    Ok((out, heap))
}

fn newer_request<R: Request + Decodable>(bytes: Bytes, version: i16) -> RoundTrip {
    let _shared = bytes.clone();
    let before = ALLOCATOR.allocated();
    let request = message::decode_request::<R>(bytes, version, &limits());
    let heap = ALLOCATOR.allocated().saturating_sub(before);
    let mut out = Vec::new();
    let request = request.map_err(|error| error.to_string())?;
    message::encode_request(&mut out, &request, version).map_err(|error| error.to_string())?;
    Ok((out, heap))
}

fn newer_response<R: Request<Response: Encodable>>(bytes: Bytes, version: i16) -> RoundTrip {
    let _shared = bytes.clone();
    let before = ALLOCATOR.allocated();
    let response = message::decode_response::<R>(bytes, version, &limits());
    let heap = ALLOCATOR.allocated().saturating_sub(before);
    let mut out = Vec::new();
    let response = response.map_err(|error| error.to_string())?;
    message::encode_response::<R>(&mut out, &response, version)
        .map_err(|error| error.to_string())?;
    Ok((out, heap))
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    // Strings of a byte or two are common here.
    limits.memory_factor = 64;
    limits
}

fn typed(message: &schema::Message, version: i16) -> Option<&'static Typed> {
    TYPED.iter().chain(NEWER).find(|typed| {
        typed.name == message.name() && (typed.versions.min..=typed.versions.max).contains(&version)
    })
}

fn pairs() -> impl Iterator<Item = (&'static schema::Message, i16)> {
    schema::messages().iter().flat_map(|message| {
        message
            .versions()
            .iter()
            .map(move |version| (message, version))
    })
}

/// Bytes of heap over all frames: what the guard predicted, and what the typed forms took.
#[derive(Default)]
struct Heap {
    predicted: usize,
    taken: usize,
}

impl Heap {
    /// What is wrong with one frame of a pair, if anything.
    fn trouble(
        &mut self,
        typed: &Typed,
        message: &'static schema::Message,
        version: i16,
        wire: &Bytes,
    ) -> Option<String> {
        let predicted = match guard::check_message(message, version, wire, &limits()) {
            Ok(predicted) => predicted,
            Err(error) => return Some(error.to_string()),
        };
        let (encoded, taken) = match (typed.round_trip)(wire.clone(), version) {
            Ok(outcome) => outcome,
            Err(error) => return Some(error),
        };
        self.predicted += predicted;
        self.taken += taken;
        if taken > predicted {
            return Some(format!(
                "takes {taken} bytes, the guard predicted {predicted}"
            ));
        }
        (encoded != *wire).then(|| format!("{wire:02x?} became {encoded:02x?}"))
    }
}

/// Mutated frames that pass the guard although they must not, or that the typed decoder then rejects.
fn mutated_troubles(typed: &Typed, message: &'static schema::Message, version: i16) -> Vec<String> {
    let mut troubles = Vec::new();
    for seed in 0..SEEDS {
        let generated = generate::body(message, version, seed, &Shape::default());
        for mutation in Mutation::ALL {
            let bytes = generated
                .as_ref()
                .and_then(|valid| valid.mutate(mutation, seed));
            let Some(bytes) = bytes else { continue };
            let Ok(predicted) = guard::check_message(message, version, &bytes, &limits()) else {
                continue;
            };
            let trouble = match (typed.round_trip)(bytes.into(), version) {
                _ if mutation.verdict() == Verdict::Malformed => "accepted".to_owned(),
                Err(error) => error,
                Ok((_, taken)) if taken > predicted => format!("{taken} bytes, not {predicted}"),
                Ok(_) => continue,
            };
            let name = message.name();
            troubles.push(format!(
                "{mutation} of {name} v{version} seed {seed}: {trouble}"
            ));
        }
    }
    troubles
}

// One test, since the allocator counts for the whole process.
#[test]
fn generated_frames_of_every_version_agree_with_the_typed_messages() {
    let (mut equal, mut absent, mut troubles) = (0, Vec::new(), Vec::new());
    let mut heap = Heap::default();
    for (message, version) in pairs() {
        let Some(typed) = typed(message, version) else {
            absent.push((message.name(), version));
            continue;
        };
        let trouble = (0..SEEDS).find_map(|seed| {
            let wire = generate::body(message, version, seed, &Shape::default())?.into_bytes();
            heap.trouble(typed, message, version, &wire.into())
        });
        let name = message.name();
        match (trouble, WRONG.contains(&(name, version))) {
            (None, false) => equal += 1,
            (Some(_), true) => continue,
            (None, true) => troubles.push(format!("{name} v{version} is right now")),
            (Some(trouble), false) => troubles.push(format!("{name} v{version}: {trouble}")),
        }
        troubles.extend(mutated_troubles(typed, message, version));
    }
    assert!(troubles.is_empty(), "{}: {troubles:#?}", troubles.len());
    println!(
        "{equal} pairs equal, {} known to be wrong, {} absent",
        WRONG.len(),
        absent.len()
    );
    assert_eq!(absent, ABSENT);
    println!(
        "{} bytes of heap predicted, {} taken",
        heap.predicted, heap.taken
    );
    assert!(
        heap.predicted < 2 * heap.taken,
        "the estimate is far too high"
    );
}
