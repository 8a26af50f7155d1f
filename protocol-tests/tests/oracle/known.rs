//! Where somebody is known to differ from Apache Kafka, and why.
//!
//! docs/kafka-protocol-differences.md has them in full.

/// A difference that is there in each version named, and in no other.
pub(crate) struct Known {
    pub(crate) message: &'static str,
    pub(crate) versions: &'static [i16],
    pub(crate) reason: &'static str,
}

/// Typed messages of kafka-protocol 0.18 that encode to other bytes than they were decoded from.
pub(crate) const TYPED: &[Known] = &[
    Known {
        message: "LeaderChangeMessage",
        versions: &[0, 1],
        reason: "its field Version takes the place of the schema's version",
    },
    Known {
        message: "VotersRecord",
        versions: &[0],
        reason: "its field Version takes the place of the schema's version",
    },
];

/// The entry of a message and version.
pub(crate) fn known(message: &str, version: i16) -> Option<&'static Known> {
    TYPED
        .iter()
        .find(|known| known.message == message && known.versions.contains(&version))
}
