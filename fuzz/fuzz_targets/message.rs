//! Every request and response: the guard, the typed decoder behind it, and the dissector beside it.
//!
//! The first three bytes say which message in which version, and how the rest is to be taken: as the
//! body, or as the seed of a valid body with one mutation. The limit on one allocation that `fuzz/run`
//! sets is what no input may meet.

#![no_main]

use bytes::Bytes;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Decodable;
use libfuzzer_sys::fuzz_target;
use milena_codec::dissect::{self, DissectError, Format};
use milena_codec::generate::{self, Mutation, Shape, Verdict};
use milena_codec::guard::{self, Direction, GuardError};
use milena_codec::message::{self, Request};
use milena_codec::{DecodeError, Limits, schema};

#[path = "shared/requests.rs"]
mod shared;
use shared::requests;

/// The typed decoders of one API.
struct Typed {
    api_key: i16,
    request: fn(Bytes, i16) -> Result<(), DecodeError>,
    response: fn(Bytes, i16) -> Result<(), DecodeError>,
}

fn request<R: Request + Decodable>(body: Bytes, version: i16) -> Result<(), DecodeError> {
    message::decode_request::<R>(body, version, &Limits::default()).map(drop)
}

fn response<R: Request>(body: Bytes, version: i16) -> Result<(), DecodeError> {
    message::decode_response::<R>(body, version, &Limits::default()).map(drop)
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
    let typed = &TYPED[usize::from(which) % TYPED.len()];
    let direction = if mode & 1 == 0 {
        Direction::Request
    } else {
        Direction::Response
    };
    let version = i16::from(version % 20);
    let (body, verdict) = body(typed.api_key, direction, version, mode >> 1, rest);
    check(typed, direction, version, body, verdict);
});

/// The body to check, and what is known of it.
fn body(
    api_key: i16,
    direction: Direction,
    version: i16,
    mutation: u8,
    rest: &[u8],
) -> (Bytes, Verdict) {
    let raw = || (Bytes::copy_from_slice(rest), Verdict::Either);
    let Some(seed) = rest.first_chunk().map(|seed| u64::from_be_bytes(*seed)) else {
        return raw();
    };
    let Some(mutation) = Mutation::ALL.get(usize::from(mutation)) else {
        return raw();
    };
    let message = match direction {
        Direction::Request => schema::request(api_key),
        Direction::Response => schema::response(api_key),
    };
    let generated = message.and_then(|m| generate::body(m, version, seed, &Shape::default()));
    match generated.and_then(|valid| valid.mutate(*mutation, seed.rotate_left(32))) {
        Some(bytes) => (bytes.into(), mutation.verdict()),
        None => raw(),
    }
}

fn check(typed: &Typed, direction: Direction, version: i16, body: Bytes, verdict: Verdict) {
    let limits = Limits::default();
    let guarded = guard::check(typed.api_key, direction, version, &body, &limits);
    let decoded = match direction {
        Direction::Request => (typed.request)(body.clone(), version),
        Direction::Response => (typed.response)(body.clone(), version),
    };
    match (&guarded, &decoded) {
        (Ok(()), Ok(()) | Err(DecodeError::UnknownVersion { .. })) => {
            assert_ne!(verdict, Verdict::Malformed);
        }
        (Err(_), Err(DecodeError::Guard { .. })) => {}
        // The guard alone is strict; a decoder reads these as Kafka does.
        (Err(error), Ok(()) | Err(DecodeError::UnknownVersion { .. })) if is_lenient(error) => {}
        _ => panic!("{guarded:?} {decoded:?}"),
    }
    let message = match direction {
        Direction::Request => schema::request(typed.api_key),
        Direction::Response => schema::response(typed.api_key),
    };
    let message = message.expect("a message of the table");
    let mut json = String::new();
    let dissected = dissect::message(&mut json, Format::Json, message, version, &body, &limits);
    // The dissector builds nothing and knows no budget.
    if !over_budget(&guarded) {
        assert_eq!(
            guarded.is_ok(),
            dissected.is_ok(),
            "{guarded:?} {dissected:?}"
        );
    }
    assert!(!matches!(dissected, Err(DissectError::Output { .. })));
}

fn is_lenient(error: &GuardError) -> bool {
    matches!(
        error,
        GuardError::Rejected {
            fault: guard::Fault::NotUtf8 | guard::Fault::TrailingBytes(_),
            ..
        }
    )
}

fn over_budget(guarded: &Result<(), GuardError>) -> bool {
    matches!(
        guarded,
        Err(GuardError::Rejected {
            fault: guard::Fault::OverBudget { .. },
            ..
        })
    )
}
