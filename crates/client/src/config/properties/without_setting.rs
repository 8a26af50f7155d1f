//! The keys of the Java client and librdkafka that set nothing here, and what becomes of each.

use super::super::catalogue::{KeyWithoutSetting, Row};
use super::{CONSUMER, ConfigError, PRODUCER, Property};

/// Whose properties are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Reader {
    Admin,
    Consumer,
    Producer,
}

/// What becomes of a key that sets nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It asks for what happens anyway.
    Accepted,
    /// It has no effect, and none is missed.
    WithoutEffect(&'static str),
    /// What it asks for is done in another way, or not at all.
    Lost {
        advice: &'static str,
        instead: Option<&'static str>,
    },
    Unknown,
}

enum Meaning {
    WithoutEffect(&'static str),
    Lost(&'static str),
    Instead(&'static str, &'static str),
    /// Rejected with this reason and remedy, unless it asks for one of these values.
    Rejected(&'static [&'static str], &'static str, &'static str),
}

/// Keys (`*` stands for any characters), the clients that have them, and what they mean.
struct Entry(&'static [&'static str], &'static [Reader], Meaning);

const ALL: &[Reader] = &[Reader::Admin, Reader::Consumer, Reader::Producer];
const CONSUMERS: &[Reader] = &[Reader::Consumer];
const PRODUCERS: &[Reader] = &[Reader::Producer];

use Meaning::{Instead, Lost, Rejected, WithoutEffect};

/// The class of a key that no row sets.
pub(super) fn class(reader: Reader, property: Property<'_>) -> Result<Class, ConfigError> {
    let mut entries = ENTRIES.iter();
    let Some(Entry(_, readers, meaning)) = entries.find(|entry| entry.has(property.key)) else {
        return Ok(of_another_client(property.key).map_or(Class::Unknown, Class::WithoutEffect));
    };
    if !readers.contains(&reader) {
        return Ok(Class::WithoutEffect(OF_ANOTHER_CLIENT));
    }
    match *meaning {
        WithoutEffect(why) => Ok(Class::WithoutEffect(why)),
        Lost(advice) => Ok(Class::Lost {
            advice,
            instead: None,
        }),
        Instead(key, advice) => Ok(Class::Lost {
            advice,
            instead: Some(key),
        }),
        Rejected(accepted, reason, remedy) => {
            let asked = property.value;
            if accepted
                .iter()
                .any(|value| value.eq_ignore_ascii_case(asked))
            {
                return Ok(Class::Accepted);
            }
            Err(property.reject(reason, remedy))
        }
    }
}

const OF_ANOTHER_CLIENT: &str = "a setting of another kind of client";

fn of_another_client(key: &str) -> Option<&'static str> {
    fn has<S>(rows: &[Row<S>], key: &str) -> bool {
        rows.iter().any(|row| row.keys.contains(&key))
    }
    (has(PRODUCER, key) || has(CONSUMER, key)).then_some(OF_ANOTHER_CLIENT)
}

/// Whether a key has an entry.
#[cfg(test)]
pub(in super::super) fn known(key: &str) -> bool {
    ENTRIES.iter().any(|entry| entry.has(key))
}

/// The keys of a client's entries, without patterns: what a misspelt key may have meant.
pub(super) fn keys(reader: Reader) -> impl Iterator<Item = &'static str> {
    let entries = ENTRIES
        .iter()
        .filter(move |entry| entry.1.contains(&reader));
    let keys = entries.flat_map(|Entry(keys, ..)| keys.iter().copied());
    keys.filter(|key| !key.contains('*'))
}

/// For documentation.
pub(in super::super) fn described() -> impl Iterator<Item = KeyWithoutSetting> {
    ENTRIES.iter().map(|Entry(keys, _, meaning)| {
        let (class, accepted, advice) = match *meaning {
            WithoutEffect(why) => ("no effect", &[][..], why),
            Lost(advice) | Instead(_, advice) => ("lost", &[][..], advice),
            Rejected(accepted, reason, _) => ("rejected", accepted, reason),
        };
        KeyWithoutSetting {
            keys,
            class,
            accepted,
            advice,
        }
    })
}

impl Entry {
    fn has(&self, key: &str) -> bool {
        let Self(patterns, ..) = self;
        patterns
            .iter()
            .any(|pattern| match pattern.split_once('*') {
                None => *pattern == key,
                Some((start, end)) => {
                    let rest = key.strip_prefix(start);
                    rest.is_some_and(|rest| rest.ends_with(end))
                }
            })
    }
}

const LEAVE_IT: &str = "leave it unset";
const PLAIN: &str = "leave it unset where a plain connection is acceptable";
const CONNECTOR: &str = "not set here; a Connector of your own opens its sockets as it likes";
const NO_MEMBERSHIP: &str = "about membership in a consumer group, which is not built yet";
const RETRIED_AS: &str = "one back-off serves all retries: retry.backoff.ms";
const CALLS: &str = "there are no callbacks: calls return their results and errors";

/// In the order of docs/SETTINGS.md.
const ENTRIES: &[Entry] = &[
    // Security: never ignored.
    Entry(
        &["security.protocol"],
        ALL,
        Rejected(
            &["PLAINTEXT"],
            "TLS and SASL are not built yet, and going on without them would send records in the clear",
            PLAIN,
        ),
    ),
    Entry(
        &[
            "ssl.*",
            "ssl_*",
            "https.ca.*",
            "sasl.*",
            "security.providers",
            "enable.ssl.certificate.verification",
            "enable.sasl.oauthbearer.unsecure.jwt",
        ],
        ALL,
        Rejected(
            &[""],
            "TLS and SASL are not built yet, so it would have no effect",
            PLAIN,
        ),
    ),
    // Code and values from elsewhere.
    Entry(
        &[
            "interceptor.classes",
            "interceptors",
            "plugin.library.paths",
        ],
        ALL,
        Rejected(
            &[""],
            "classes and libraries of other languages cannot run here",
            LEAVE_IT,
        ),
    ),
    Entry(
        &["config.providers", "config.providers.*"],
        ALL,
        Rejected(
            &[""],
            "values are not looked up elsewhere, so ${...} would be taken literally",
            "write the values themselves, or look them up before they are set",
        ),
    ),
    Entry(
        &["bootstrap.controllers"],
        ALL,
        Rejected(
            &[""],
            "requests go to brokers, not to controllers",
            "set bootstrap.servers",
        ),
    ),
    Entry(
        &["allow.auto.create.topics"],
        ALL,
        Rejected(
            &["false"],
            "neither reading nor writing creates a topic here: a misspelt name should be an error",
            "leave it unset and create topics with the admin client",
        ),
    ),
    Entry(
        &["metadata.cluster.check.enable"],
        ALL,
        Rejected(
            &["false"],
            "the ids of clusters are not compared here",
            LEAVE_IT,
        ),
    ),
    // Producers.
    Entry(
        &["key.serializer", "value.serializer"],
        PRODUCERS,
        Rejected(
            &[
                "org.apache.kafka.common.serialization.ByteArraySerializer",
                "org.apache.kafka.common.serialization.ByteBufferSerializer",
                "org.apache.kafka.common.serialization.BytesSerializer",
                "org.apache.kafka.common.serialization.StringSerializer",
            ],
            "keys and values are bytes here",
            "leave it unset and serialize before sending",
        ),
    ),
    Entry(
        &["partitioner.class"],
        PRODUCERS,
        Rejected(
            &["", "null"],
            "classes of other languages cannot run here",
            "leave it unset, and name the partition in the record where it matters",
        ),
    ),
    Entry(
        &["partitioner"],
        PRODUCERS,
        Rejected(
            &["murmur2_random"],
            "keys would go to other partitions than it asks for: here they go where Java puts them",
            "write murmur2_random, or name the partition in the record",
        ),
    ),
    Entry(
        &["partitioner.adaptive.partitioning.enable"],
        PRODUCERS,
        Rejected(
            &["true"],
            "records without a key always avoid slow brokers here",
            LEAVE_IT,
        ),
    ),
    Entry(
        &["partitioner.availability.timeout.ms"],
        PRODUCERS,
        Rejected(
            &["0"],
            "partitions are not set aside by the age of their queue here",
            LEAVE_IT,
        ),
    ),
    Entry(
        &["partitioner.rack.aware"],
        PRODUCERS,
        Rejected(
            &["false"],
            "partitions are not chosen by the rack of their leader here",
            LEAVE_IT,
        ),
    ),
    Entry(
        &["enable.gapless.guarantee"],
        PRODUCERS,
        Rejected(
            &["false"],
            "an expired record does not stop the producer here",
            "leave it unset, and stop at the first failed delivery yourself",
        ),
    ),
    Entry(
        &["queuing.strategy"],
        PRODUCERS,
        Rejected(
            &["fifo"],
            "records of a partition are written in the order of their sends",
            LEAVE_IT,
        ),
    ),
    Entry(
        &["queue.buffering.max.messages"],
        PRODUCERS,
        Instead(
            "buffer.memory",
            "what waits is bounded in bytes, not in records: buffer.memory (queue.buffering.max.kbytes)",
        ),
    ),
    Entry(
        &["batch.num.messages"],
        PRODUCERS,
        Instead(
            "batch.size",
            "batches are bounded in bytes, not in records: batch.size",
        ),
    ),
    Entry(
        &["delivery.report.only.error"],
        PRODUCERS,
        Lost(
            "there are no reports: the Delivery that send returns resolves to each record's outcome",
        ),
    ),
    Entry(
        &[
            "sticky.partitioning.linger.ms",
            "queue.buffering.backpressure.threshold",
            "buffer.memory.allocation.strategy",
            "message.copy.max.bytes",
            "produce.offset.report",
            "metadata.max.idle.ms",
        ],
        PRODUCERS,
        WithoutEffect("about the inside of another client"),
    ),
    // Consumers.
    Entry(
        &["group.id", "group.instance.id"],
        CONSUMERS,
        Rejected(
            &[""],
            "subscribing as a member of a consumer group is not built yet",
            "leave it unset, assign partitions with Consumer::assign, and commit offsets for a group in a transaction \
             (GroupMetadata::unmanaged)",
        ),
    ),
    Entry(
        &["enable.auto.commit", "auto.commit.enable"],
        CONSUMERS,
        Rejected(
            &["false", "f", "0"],
            "nothing is committed in the background here: a record counts as processed when you say so",
            "set it to false, and commit what was processed",
        ),
    ),
    Entry(
        &["key.deserializer", "value.deserializer"],
        CONSUMERS,
        Rejected(
            &[
                "org.apache.kafka.common.serialization.ByteArrayDeserializer",
                "org.apache.kafka.common.serialization.ByteBufferDeserializer",
                "org.apache.kafka.common.serialization.BytesDeserializer",
                "org.apache.kafka.common.serialization.StringDeserializer",
            ],
            "keys and values are bytes here",
            "leave it unset and deserialize what was read",
        ),
    ),
    Entry(
        &["auto.commit.interval.ms", "enable.auto.offset.store"],
        CONSUMERS,
        WithoutEffect("nothing is committed in the background here"),
    ),
    Entry(
        &[
            "session.timeout.ms",
            "heartbeat.interval.ms",
            "max.poll.interval.ms",
            "partition.assignment.strategy",
            "group.protocol",
            "group.protocol.type",
            "group.remote.assignor",
            "coordinator.query.interval.ms",
            "exclude.internal.topics",
            "share.acknowledgement.mode",
            "share.acquire.mode",
        ],
        CONSUMERS,
        WithoutEffect(NO_MEMBERSHIP),
    ),
    Entry(
        &["queued.min.messages"],
        CONSUMERS,
        Instead(
            "queued.max.messages.kbytes",
            "what is fetched ahead is bounded in bytes: queued.max.messages.kbytes",
        ),
    ),
    Entry(
        &["fetch.error.backoff.ms"],
        CONSUMERS,
        Instead("retry.backoff.ms", RETRIED_AS),
    ),
    Entry(
        &["consume.callback.max.messages"],
        CONSUMERS,
        Instead(
            "max.poll.records",
            "a poll returns records: max.poll.records bounds them",
        ),
    ),
    Entry(
        &["enable.partition.eof"],
        CONSUMERS,
        Lost("a partition's end is no event: it is reached when Consumer::lag is 0"),
    ),
    Entry(
        &[
            "offset.store.method",
            "offset.store.path",
            "offset.store.sync.interval.ms",
        ],
        CONSUMERS,
        Lost("no offsets are stored: keep Records::next_offsets and seek to them after a restart"),
    ),
    Entry(
        &[
            "fetch.queue.backoff.ms",
            "internal.throw.on.fetch.stable.offset.unsupported",
        ],
        CONSUMERS,
        WithoutEffect("about the inside of another client"),
    ),
    // Times.
    Entry(
        &["socket.timeout.ms"],
        ALL,
        Instead(
            "request.timeout.ms",
            "one time limit serves both clients' meanings: request.timeout.ms",
        ),
    ),
    Entry(
        &["default.api.timeout.ms"],
        ALL,
        Lost("fixed here: calls of Admin and look-ups of Consumer end after 60 s"),
    ),
    Entry(
        &["socket.connection.setup.timeout.max.ms"],
        ALL,
        Instead(
            "socket.connection.setup.timeout.ms",
            "the time limit does not grow from attempt to attempt: socket.connection.setup.timeout.ms",
        ),
    ),
    Entry(
        &["topic.metadata.refresh.fast.interval.ms"],
        ALL,
        Instead("retry.backoff.ms", RETRIED_AS),
    ),
    Entry(
        &["topic.metadata.propagation.max.ms"],
        ALL,
        Instead(
            "max.block.ms",
            "a producer waits for a topic that is not known yet for max.block.ms",
        ),
    ),
    Entry(
        &["connections.max.idle.ms"],
        ALL,
        Lost("idle connections stay open until their broker closes them"),
    ),
    // Sockets and names.
    Entry(
        &[
            "send.buffer.bytes",
            "receive.buffer.bytes",
            "socket.send.buffer.bytes",
            "socket.receive.buffer.bytes",
            "socket.keepalive.enable",
            "broker.address.family",
            "broker.address.ttl",
            "client.dns.lookup",
            "bootstrap.resolve.timeout.ms",
        ],
        ALL,
        Lost(CONNECTOR),
    ),
    Entry(
        &["topic.blacklist"],
        ALL,
        Lost("topics are named, not matched: leave out those that you do not want"),
    ),
    Entry(
        &[
            "metadata.recovery.strategy",
            "metadata.recovery.rebootstrap.trigger.ms",
        ],
        ALL,
        WithoutEffect("the bootstrap list is always tried again when no known broker responds"),
    ),
    Entry(
        &[
            "socket.nagle.disable",
            "socket.max.fails",
            "socket.blocking.max.ms",
            "reconnect.backoff.jitter.ms",
            "topic.metadata.refresh.fast.cnt",
            "topic.metadata.refresh.sparse",
            "enable.random.seed",
            "builtin.features",
            "internal.*",
            "opaque",
            "default_topic_conf",
            "api.version.request",
            "api.version.request.timeout.ms",
            "api.version.fallback.ms",
            "broker.version.fallback",
        ],
        ALL,
        WithoutEffect(
            "about the inside of another client; versions are negotiated with each broker",
        ),
    ),
    // What is observed.
    Entry(
        &[
            "debug",
            "log_level",
            "log.queue",
            "log.thread.name",
            "log.connection.close",
        ],
        ALL,
        Lost(
            "logs go through the tracing crate: choose levels in its subscriber, such as RUST_LOG=milena=debug",
        ),
    ),
    Entry(
        &[
            "statistics.interval.ms",
            "enabled_events",
            "metric.reporters",
        ],
        ALL,
        Lost("no statistics are reported yet"),
    ),
    Entry(
        &[
            "metrics.num.samples",
            "metrics.recording.level",
            "metrics.sample.window.ms",
            "enable.metrics.push",
            "auto.include.jmx.reporter",
        ],
        ALL,
        WithoutEffect("no statistics are reported yet"),
    ),
    Entry(&["*_cb", "msg_order_cmp"], ALL, Lost(CALLS)),
];
