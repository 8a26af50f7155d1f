//! The typed messages by name: kafka-protocol's, and the versions that the codec adds.

use bytes::Bytes;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, Message, VersionRange};
use milena_codec::message::{
    self, ApiVersionsRequest5, DeleteGroupsResponse3, Request, TxnOffsetCommitRequest6,
    TxnOffsetCommitResponse6,
};
use milena_codec::{DecodeError, EncodeError, Limits, schema};

#[path = "../../../crates/codec/tests/support/typed_messages.rs"]
mod names;
use names::typed_messages;

/// A typed message.
pub(crate) struct Typed {
    name: &'static str,
    versions: VersionRange,
    /// Decodes all of the bytes and encodes what they were.
    pub(crate) round_trip: fn(Bytes, i16) -> Result<Vec<u8>, String>,
}

fn round_trip<M: Decodable + Encodable>(mut bytes: Bytes, version: i16) -> Result<Vec<u8>, String> {
    let message = M::decode(&mut bytes, version).map_err(|error| error.to_string())?;
    if !bytes.is_empty() {
        return Err(format!("{} bytes are left", bytes.len()));
    }
    let mut out = Vec::new();
    message
        .encode(&mut out, version)
        .map_err(|error| error.to_string())?;
    Ok(out)
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
    newer("ApiVersionsResponse", 5, |bytes, _| {
        newer_response::<ApiVersionsRequest>(bytes, 4)
    }),
    newer("DeleteGroupsRequest", 3, |bytes, _| {
        newer_request::<DeleteGroupsRequest>(bytes, 2)
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

const fn newer(
    name: &'static str,
    version: i16,
    round_trip: fn(Bytes, i16) -> Result<Vec<u8>, String>,
) -> Typed {
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
) -> Result<Vec<u8>, String> {
    let message = take(bytes, &Limits::default()).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    put(&message, &mut out).map_err(|error| error.to_string())?;
    Ok(out)
}

fn newer_request<R: Request + Decodable>(bytes: Bytes, version: i16) -> Result<Vec<u8>, String> {
    let request = message::decode_request::<R>(bytes, version, &Limits::default());
    let request = request.map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    message::encode_request(&mut out, &request, version).map_err(|error| error.to_string())?;
    Ok(out)
}

fn newer_response<R: Request<Response: Encodable>>(
    bytes: Bytes,
    version: i16,
) -> Result<Vec<u8>, String> {
    let response = message::decode_response::<R>(bytes, version, &Limits::default());
    let response = response.map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    message::encode_response::<R>(&mut out, &response, version)
        .map_err(|error| error.to_string())?;
    Ok(out)
}

/// The typed form of a message, if it knows the version.
pub(crate) fn typed(message: &schema::Message, version: i16) -> Option<&'static Typed> {
    TYPED.iter().chain(NEWER).find(|typed| {
        typed.name == message.name() && (typed.versions.min..=typed.versions.max).contains(&version)
    })
}
