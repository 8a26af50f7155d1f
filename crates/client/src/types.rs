//! The public types that the consumer, transactions and configuration share.
//!
//! They depend on nothing else of this crate, so that the modules which use them need not import each other.

use std::fmt;
use std::sync::Arc;

/// One partition of one topic.
///
/// Cheap to clone: the topic's name is shared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "TopicPartitionList")]
pub struct TopicPartition {
    topic: Arc<str>,
    partition: i32,
}

impl TopicPartition {
    /// The partition with this number, counted from 0, of the topic with this name.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition's number, counted from 0.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.partition
    }

    pub(crate) fn topic_shared(&self) -> &Arc<str> {
        &self.topic
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which records of transactions a reader sees.
///
/// The default is [`ReadCommitted`](Self::ReadCommitted), unlike the Java client's. On topics
/// without transactions both levels show the same records. On topics with transactions the price of
/// the wrong choice differs: a reader that should have seen everything waits visibly, at the last
/// stable offset and with a lag that says so; a reader that should have seen only committed records
/// works silently on data that was taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[doc(alias = "isolation.level")]
pub enum IsolationLevel {
    /// Records of open and of aborted transactions as well, in the order of the log.
    ReadUncommitted,
    /// Only records of committed transactions and records outside transactions, up to the last
    /// stable offset: the first offset of the oldest open transaction.
    #[default]
    ReadCommitted,
}

impl IsolationLevel {
    /// The level's number on the wire.
    pub(crate) const fn code(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}

/// Where to go on when a position is unknown or the log no longer holds it.
///
/// A topic that was deleted and created again has another log: what was read from, or looked up in, the
/// old one is no position in it, whatever its number. An offset that was sought and not yet read from
/// stays. Brokers before 2.8 do not tell that a topic was created again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[doc(alias = "OffsetResetStrategy")]
#[doc(alias = "auto.offset.reset")]
pub enum OffsetReset {
    /// At the first record that the log still has.
    Earliest,
    /// At the end: only records written from now on. Records written while nobody read are skipped.
    Latest,
    /// Nowhere: the error goes to the caller of poll, and reading of that partition goes on after a
    /// seek. The default, because either other choice repeats or skips records without being asked.
    #[default]
    Error,
}

/// A place in a log to read from next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Position {
    /// The record with this offset, or the next one if there is none with it.
    Offset(i64),
    /// The record with this offset, checked first against the log: `leader_epoch` is the epoch of
    /// the record before it, and if the leader's log was cut below that, the consumer notices
    /// instead of reading other records under the same offsets (KIP-320, R-76).
    OffsetAndEpoch {
        /// The offset of the next record.
        offset: i64,
        /// The leader epoch of the record before it.
        leader_epoch: i32,
    },
    /// The first record that the log still has.
    Earliest,
    /// The end of what this consumer may see: the last stable offset when it reads committed records
    /// only, the high watermark otherwise.
    Latest,
    /// The first record with this time or a later one, in milliseconds since the epoch; the end, as
    /// [`Latest`](Self::Latest), if there is none yet.
    Timestamp(i64),
}

/// Where reading of a partition goes on: what to commit, and what to seek to after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "OffsetAndMetadata")]
pub struct NextOffset {
    /// The offset of the next record. Not "the last one read": control records and records of
    /// aborted transactions take offsets too.
    pub offset: i64,
    /// The leader epoch of the batch before it, which makes it noticeable if the log was cut below;
    /// commit it beside the offset. `None` if nothing was read since the position was looked
    /// up.
    pub leader_epoch: Option<i32>,
}

impl From<NextOffset> for Position {
    fn from(next: NextOffset) -> Self {
        match next.leader_epoch {
            Some(leader_epoch) => Self::OffsetAndEpoch {
                offset: next.offset,
                leader_epoch,
            },
            None => Self::Offset(next.offset),
        }
    }
}

/// An offset found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct OffsetAndTimestamp {
    /// The record's offset.
    pub offset: i64,
    /// The record's timestamp, in milliseconds since the epoch, if the broker told it.
    pub timestamp: Option<i64>,
    /// The term of the leader that appended it, if the broker told it.
    pub leader_epoch: Option<i32>,
}

/// An offset to commit with the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "OffsetAndMetadata")]
pub struct OffsetToCommit {
    /// The partition that was consumed.
    pub partition: TopicPartition,
    /// The offset of the *next* record to process from 0.
    pub offset: i64,
    /// The leader epoch of the record before it, where known.
    pub leader_epoch: Option<i32>,
    /// Text of the application's, stored with the offset; at most 4,096 bytes by the broker's default.
    pub metadata: Option<Arc<str>>,
}

/// The consumer whose offsets are committed, as it is at the moment of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "ConsumerGroupMetadata")]
pub struct GroupMetadata {
    /// The group whose offsets are committed.
    pub group_id: Arc<str>,
    /// `None` commits without a check of membership: a member that the group has expelled is not shut out.
    pub member: Option<GroupMember>,
}

impl GroupMetadata {
    /// A group without members, for partitions that the application assigns itself.
    ///
    /// Only the transactional id then shuts out an older instance: give each set of partitions its own id.
    pub fn unmanaged(group_id: impl Into<Arc<str>>) -> Self {
        Self {
            group_id: group_id.into(),
            member: None,
        }
    }
}

/// A member of a group in one of its generations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// The member's id, as the coordinator gave it.
    pub member_id: Arc<str>,
    /// The classic generation or the KIP-848 member epoch.
    pub generation_or_member_epoch: i32,
    /// The name of a static member, which stays the same over its restarts.
    pub group_instance_id: Option<Arc<str>>,
}
