//! The typed messages of kafka-protocol by name.

use bytes::Bytes;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, Message, VersionRange};
use milena_codec::schema;

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

/// The typed form of a message, if it knows the version.
pub(crate) fn typed(message: &schema::Message, version: i16) -> Option<&'static Typed> {
    TYPED
        .iter()
        .find(|typed| typed.name == message.name())
        .filter(|typed| (typed.versions.min..=typed.versions.max).contains(&version))
}
