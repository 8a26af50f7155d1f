//! Proptest strategies over generated messages. Failing cases shrink to fewer elements and shorter
//! strings.

use super::{Mutation, Shape, body};
use crate::schema::{self, Message};
use proptest::prelude::*;
use proptest::sample;

/// A generated message, and what it is.
#[derive(Clone, Debug)]
pub struct AnyBody {
    /// Which message.
    pub message: &'static Message,
    /// In which version.
    pub version: i16,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What is wrong with it.
    pub mutation: Option<Mutation>,
}

/// Valid bodies of one version; nothing for a version that Kafka 4.4.0 does not know.
pub fn bodies(message: &'static Message, version: i16) -> impl Strategy<Value = AnyBody> {
    (shapes(), any::<u64>()).prop_filter_map("a version without messages", move |(shape, seed)| {
        let bytes = body(message, version, seed, &shape)?.into_bytes();
        Some(AnyBody {
            message,
            version,
            bytes,
            mutation: None,
        })
    })
}

/// Valid bodies of every message in every version.
pub fn any_bodies() -> impl Strategy<Value = AnyBody> {
    sample::select(pairs()).prop_flat_map(|(message, version)| bodies(message, version))
}

/// Bodies of every message in every version with one thing wrong each.
pub fn mutated_bodies() -> impl Strategy<Value = AnyBody> {
    let mutations = sample::select(Mutation::ALL.as_slice());
    (sample::select(pairs()), shapes(), mutations, any::<u64>()).prop_filter_map(
        "no place for the mutation",
        |((message, version), shape, mutation, seed)| {
            let bytes = body(message, version, seed, &shape)?.mutate(mutation, seed)?;
            Some(AnyBody {
                message,
                version,
                bytes,
                mutation: Some(mutation),
            })
        },
    )
}

fn shapes() -> impl Strategy<Value = Shape> {
    let default = Shape::default();
    (0..=default.array_elements_max, 0..=default.bytes_max).prop_map(
        move |(array_elements_max, bytes_max)| Shape {
            array_elements_max,
            bytes_max,
            ..default
        },
    )
}

fn pairs() -> Vec<(&'static Message, i16)> {
    let versions = |message: &'static Message| {
        message
            .versions()
            .iter()
            .map(move |version| (message, version))
    };
    schema::messages().iter().flat_map(versions).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use crate::{Limits, guard};

    fn accepted(body: &AnyBody) -> bool {
        let limits = Limits {
            memory_factor: 1 << 20,
            ..Limits::default()
        };
        guard::check_message(body.message, body.version, &body.bytes, &limits).is_ok()
    }

    proptest! {
        #[test]
        fn a_valid_body_is_accepted(body in any_bodies()) {
            prop_assert!(accepted(&body));
        }

        #[test]
        fn a_mutated_body_gets_its_verdict(body in mutated_bodies()) {
            match body.mutation.map(Mutation::verdict) {
                Some(Verdict::Malformed) => prop_assert!(!accepted(&body)),
                Some(Verdict::Valid) => prop_assert!(accepted(&body)),
                Some(Verdict::Either) | None => {}
            }
        }
    }
}
