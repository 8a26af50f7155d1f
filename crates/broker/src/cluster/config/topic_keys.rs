//! The configurations that a topic can have, as Kafka 4.3.1 has them.

use super::Kind;
use super::value::Range;

/// One configuration of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TopicConfigKey {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: &'static str,
    /// The broker's setting that topics without a value of their own follow.
    pub(crate) broker_name: Option<&'static str>,
    pub(super) range: Range,
}

const fn key(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    broker_name: Option<&'static str>,
    range: Range,
) -> TopicConfigKey {
    TopicConfigKey {
        name,
        kind,
        default,
        broker_name,
        range,
    }
}

/// All of them, by name. The broker honours those that [`TopicConfig`](super::TopicConfig) has accessors for; the
/// others are kept and returned.
pub(crate) const TOPIC_CONFIGS: &[TopicConfigKey] = &[
    key(
        "cleanup.policy",
        Kind::List,
        "delete",
        Some("log.cleanup.policy"),
        Range::OneOf(&["compact", "delete"]),
    ),
    key(
        "compression.gzip.level",
        Kind::Int,
        "-1",
        Some("compression.gzip.level"),
        Range::Level,
    ),
    key(
        "compression.lz4.level",
        Kind::Int,
        "9",
        Some("compression.lz4.level"),
        Range::Between(1, 17),
    ),
    key(
        "compression.type",
        Kind::String,
        "producer",
        Some("compression.type"),
        Range::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
    ),
    key(
        "compression.zstd.level",
        Kind::Int,
        "3",
        Some("compression.zstd.level"),
        Range::Between(-131_072, 22),
    ),
    key(
        "delete.retention.ms",
        Kind::Long,
        "86400000",
        Some("log.cleaner.delete.retention.ms"),
        Range::AtLeast(0),
    ),
    key(
        "file.delete.delay.ms",
        Kind::Long,
        "60000",
        Some("log.segment.delete.delay.ms"),
        Range::AtLeast(0),
    ),
    key(
        "flush.messages",
        Kind::Long,
        "9223372036854775807",
        Some("log.flush.interval.messages"),
        Range::AtLeast(1),
    ),
    key(
        "flush.ms",
        Kind::Long,
        "9223372036854775807",
        Some("log.flush.interval.ms"),
        Range::AtLeast(0),
    ),
    key(
        "follower.replication.throttled.replicas",
        Kind::List,
        "",
        None,
        Range::Any,
    ),
    key(
        "index.interval.bytes",
        Kind::Int,
        "4096",
        Some("log.index.interval.bytes"),
        Range::AtLeast(0),
    ),
    key(
        "leader.replication.throttled.replicas",
        Kind::List,
        "",
        None,
        Range::Any,
    ),
    key(
        "local.retention.bytes",
        Kind::Long,
        "-2",
        Some("log.local.retention.bytes"),
        Range::AtLeast(-2),
    ),
    key(
        "local.retention.ms",
        Kind::Long,
        "-2",
        Some("log.local.retention.ms"),
        Range::AtLeast(-2),
    ),
    key(
        "max.compaction.lag.ms",
        Kind::Long,
        "9223372036854775807",
        Some("log.cleaner.max.compaction.lag.ms"),
        Range::AtLeast(1),
    ),
    key(
        "max.message.bytes",
        Kind::Int,
        "1048588",
        Some("message.max.bytes"),
        Range::AtLeast(0),
    ),
    key(
        "message.timestamp.after.max.ms",
        Kind::Long,
        "3600000",
        Some("log.message.timestamp.after.max.ms"),
        Range::AtLeast(0),
    ),
    key(
        "message.timestamp.before.max.ms",
        Kind::Long,
        "9223372036854775807",
        Some("log.message.timestamp.before.max.ms"),
        Range::AtLeast(0),
    ),
    key(
        "message.timestamp.type",
        Kind::String,
        "CreateTime",
        Some("log.message.timestamp.type"),
        Range::OneOf(&["CreateTime", "LogAppendTime"]),
    ),
    key(
        "min.cleanable.dirty.ratio",
        Kind::Double,
        "0.5",
        Some("log.cleaner.min.cleanable.ratio"),
        Range::Between(0, 1),
    ),
    key(
        "min.compaction.lag.ms",
        Kind::Long,
        "0",
        Some("log.cleaner.min.compaction.lag.ms"),
        Range::AtLeast(0),
    ),
    key(
        "min.insync.replicas",
        Kind::Int,
        "1",
        Some("min.insync.replicas"),
        Range::AtLeast(1),
    ),
    key(
        "preallocate",
        Kind::Boolean,
        "false",
        Some("log.preallocate"),
        Range::Any,
    ),
    key(
        "remote.log.copy.disable",
        Kind::Boolean,
        "false",
        None,
        Range::Any,
    ),
    key(
        "remote.log.delete.on.disable",
        Kind::Boolean,
        "false",
        None,
        Range::Any,
    ),
    key(
        "remote.storage.enable",
        Kind::Boolean,
        "false",
        None,
        Range::Any,
    ),
    key(
        "retention.bytes",
        Kind::Long,
        "-1",
        Some("log.retention.bytes"),
        Range::Any,
    ),
    key(
        "retention.ms",
        Kind::Long,
        "604800000",
        Some("log.retention.ms"),
        Range::AtLeast(-1),
    ),
    key(
        "segment.bytes",
        Kind::Int,
        "1073741824",
        Some("log.segment.bytes"),
        Range::AtLeast(1_048_576),
    ),
    key(
        "segment.index.bytes",
        Kind::Int,
        "10485760",
        Some("log.index.size.max.bytes"),
        Range::AtLeast(4),
    ),
    key(
        "segment.jitter.ms",
        Kind::Long,
        "0",
        Some("log.roll.jitter.ms"),
        Range::AtLeast(0),
    ),
    key(
        "segment.ms",
        Kind::Long,
        "604800000",
        Some("log.roll.ms"),
        Range::AtLeast(1),
    ),
    key(
        "unclean.leader.election.enable",
        Kind::Boolean,
        "false",
        Some("unclean.leader.election.enable"),
        Range::Any,
    ),
];
