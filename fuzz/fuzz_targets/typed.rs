//! The typed messages against the dissector, and there and back: what both can read says the same, and still
//! says so once it was written again.
//!
//! The first two bytes say which message of the table in which version, the third how the rest is to be
//! taken: as the body, or as the seed of a valid body with or without a mutation.

#![no_main]

use bytes::Bytes;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable};
use libfuzzer_sys::fuzz_target;
use milena_codec::dissect::{self, DissectError, Format};
use milena_codec::generate::{self, Mutation, Shape};
use milena_codec::guard::{Fault, GuardError};
use milena_codec::message::{self, Request};
use milena_codec::schema::{self, Kind, Message};
use milena_codec::{DecodeError, Limits};
use serde_json::{Map, Value};

#[path = "shared/requests.rs"]
mod shared;
use shared::requests;

type Again = fn(Bytes, i16) -> Result<Vec<u8>, DecodeError>;

/// What becomes of the messages of an API when they are read and written.
struct Typed {
    api_key: i16,
    request: Again,
    response: Again,
}

fn request<R: Request + Decodable>(body: Bytes, version: i16) -> Result<Vec<u8>, DecodeError> {
    let request = message::decode_request::<R>(body, version, &Limits::default())?;
    let mut out = Vec::new();
    message::encode_request(&mut out, &request, version).expect("what was read can be written");
    Ok(out)
}

fn response<R: Request<Response: Encodable>>(
    body: Bytes,
    version: i16,
) -> Result<Vec<u8>, DecodeError> {
    let response = message::decode_response::<R>(body, version, &Limits::default())?;
    let mut out = Vec::new();
    message::encode_response::<R>(&mut out, &response, version)
        .expect("what was read can be written");
    Ok(out)
}

macro_rules! typed {
    ($($request:ident,)*) => {
        &[$(Typed {
            api_key: <$request as Request>::KEY,
            request: request::<$request>,
            response: response::<$request>,
        },)*]
    };
}

const TYPED: &[Typed] = requests!(typed);

fuzz_target!(|data: &[u8]| {
    let Some((&[which, version, mode], rest)) = data.split_first_chunk() else {
        return;
    };
    let message = &schema::messages()[usize::from(which) % schema::messages().len()];
    let version = i16::from(version % 20);
    let again: Again = match (message.kind(), typed(message)) {
        (Kind::Request, Some(typed)) => typed.request,
        (Kind::Response, Some(typed)) => typed.response,
        _ => return,
    };
    let body = body(message, version, mode, rest);
    let Ok(written) = again(body.clone(), version) else {
        return;
    };
    // The dissector shows what is on the wire: what readers ignore or replace is a fault to it.
    let Some(before) = dissected(message, version, &body) else {
        return;
    };
    let after = dissected(message, version, &written).expect("what was written is whole");
    assert_same(&before, &after, "");
    let twice = again(written.clone().into(), version).expect("what was written can be read");
    assert_eq!(written, twice);
});

fn typed(message: &Message) -> Option<&'static Typed> {
    TYPED
        .iter()
        .find(|typed| message.api_key() == Some(typed.api_key))
}

fn body(message: &'static Message, version: i16, mode: u8, rest: &[u8]) -> Bytes {
    let seed = rest.first_chunk().map(|seed| u64::from_be_bytes(*seed));
    let generated = match (mode, seed) {
        (0, _) | (_, None) => None,
        (_, Some(seed)) => {
            generate::body(message, version, seed, &Shape::default()).and_then(|valid| {
                match Mutation::ALL.get(usize::from(mode)) {
                    Some(mutation) => valid.mutate(*mutation, seed.rotate_left(32)),
                    None => Some(valid.into_bytes()),
                }
            })
        }
    };
    generated.map_or_else(|| Bytes::copy_from_slice(rest), Bytes::from)
}

/// The body as the dissector prints it; `None` for text that is not UTF-8 and bytes behind the last field.
fn dissected(message: &'static Message, version: i16, body: &[u8]) -> Option<Value> {
    let (mut json, limits) = (String::new(), Limits::default());
    match dissect::message(&mut json, Format::Json, message, version, body, &limits) {
        Ok(()) => {}
        Err(DissectError::Malformed {
            source:
                GuardError::Rejected {
                    fault: Fault::NotUtf8 | Fault::TrailingBytes(_),
                    ..
                },
        }) => return None,
        Err(error) => panic!("what has a typed form can be printed: {error}"),
    }
    let mut whole: Value = serde_json::from_str(&json).expect("JSON");
    Some(whole["body"].take())
}

/// A tagged field that holds its default may be there or not; Kafka's own encoder leaves it out.
fn assert_same(before: &Value, after: &Value, path: &str) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => assert_same_fields(before, after, path),
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (before, after) in before.iter().zip(after) {
                assert_same(before, after, path);
            }
        }
        _ => assert_eq!(before, after, "{path}"),
    }
}

fn assert_same_fields(before: &Map<String, Value>, after: &Map<String, Value>, path: &str) {
    for (key, value) in before {
        match after.get(key) {
            Some(after) => assert_same(value, after, &format!("{path}.{key}")),
            None => assert!(is_default(value), "{path}.{key} {value} is gone"),
        }
    }
    let more = after.keys().find(|key| !before.contains_key(*key));
    assert_eq!(more, None, "{path}");
}

/// The defaults of tagged fields: nothing, 0, -1, the highest number, or all of it in a struct.
fn is_default(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(value) => matches!(value.as_i64(), Some(0 | -1 | i64::MAX)),
        Value::String(value) => value.is_empty() || value == "AAAAAAAAAAAAAAAAAAAAAA",
        Value::Array(value) => value.is_empty(),
        Value::Object(fields) => fields.values().all(is_default),
    }
}
