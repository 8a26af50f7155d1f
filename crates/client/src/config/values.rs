//! The values that settings take.

use std::fmt;

use milena_codec::Compression;

use super::setting::Shown;

/// Which replicas must have a record before its write counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Acks {
    /// None (`acks=0`): the record counts as sent when its bytes are handed to the socket. It is
    /// lost without an error if the connection breaks, if the leader changes, or if the broker
    /// rejects it; its offset is never known. Switches idempotence off.
    NoneMayLose,
    /// The leader alone (`acks=1`): an acknowledged record is lost if the leader dies before a
    /// follower has fetched it. Switches idempotence off.
    Leader,
    /// Every in-sync replica (`acks=all`). The default, and what idempotence and
    /// transactions need. How many replicas that are is the topic's `min.insync.replicas`.
    #[default]
    All,
}

impl Acks {
    /// The value on the wire: 0, 1 or -1.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::NoneMayLose => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

impl fmt::Display for Acks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoneMayLose => "0",
            Self::Leader => "1",
            Self::All => "all",
        })
    }
}

/// How a record that names no partition gets one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "partitioner.class")]
pub enum Partitioner {
    /// As the Java client: a key always leads to the same partition (murmur2), for as long as the
    /// topic keeps its number of partitions; records without a key fill one partition's batch after
    /// the other's, and slow brokers get fewer of them (KIP-794). The default.
    #[default]
    ByKey,
    /// As [`ByKey`](Self::ByKey) does with records without a key, for all records. Records of one
    /// key are then neither together nor in order. Java: `partitioner.ignore.keys=true`.
    IgnoreKeys,
}

impl fmt::Display for Partitioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByKey => "by key",
            Self::IgnoreKeys => "ignore keys",
        })
    }
}

macro_rules! shown_as_displayed {
    ($($kind:ty),+) => {
        $(impl Shown for $kind {
            fn shown(&self) -> String {
                self.to_string()
            }
        })+
    };
}

shown_as_displayed!(Acks, Partitioner);

impl Shown for Compression {
    fn shown(&self) -> String {
        self.name().to_owned()
    }
}
