//! The settings of consumers.

use super::super::catalogue::{Row, SettingOf};
use super::super::client::{ClientSettings, Standalone};
use super::super::consumer::{ConsumerBuilder, ConsumerSettings};
use super::super::setting::Shown;
use super::without_setting::Reader;
use super::{ConfigError, FromProperties, Property, read};
use crate::types::{IsolationLevel, OffsetReset};

impl ConsumerBuilder {
    /// A builder from `(key, value)` pairs with the keys of the Java client or librdkafka, such as those of
    /// [`Properties`](super::Properties).
    ///
    /// Keys that set nothing are listed in the result with advice, not rejected. Defaults are those of
    /// this crate, not of Java: `isolation.level` is `read_committed` and `auto.offset.reset` is
    /// `none` unless set.
    ///
    /// # Errors
    /// Every value that cannot be read, that asks for what is not built, or that conflicts with another one, each
    /// named by its key.
    pub fn from_properties<K, V>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<FromProperties<Self>, ConfigError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let mut client = ClientSettings::default();
        let mut settings = ConsumerSettings::default();
        let reader = Reader::Consumer;
        let mut reading = read(reader, properties, CONSUMER, &mut settings, &mut client);
        client.check_so_far(&mut reading.rejections);
        settings.check(&client, &mut reading.rejections);
        reading.finish(Self {
            client,
            settings,
            on: Standalone,
        })
    }
}

const OF: SettingOf = SettingOf::Consumer;
const BYTES: &str = "1..=2,147,483,647";

/// In the order of docs/SETTINGS.md.
pub(in super::super) const CONSUMER: &[Row<ConsumerSettings>] = &[
    Row {
        of: OF,
        keys: &["isolation.level"],
        method: "isolation_level",
        default: |consumer| consumer.isolation_level.value().shown(),
        range: "read_committed, read_uncommitted",
        difference: "Java: read_uncommitted",
        set: |consumer, property| {
            let level = isolation(property)?;
            consumer.isolation_level.set_as(property.key, level)
        },
    },
    Row {
        of: OF,
        keys: &["auto.offset.reset"],
        method: "offset_reset",
        default: |consumer| consumer.offset_reset.value().shown(),
        range: "earliest, latest, none",
        difference: "Java: latest; by_duration is not built yet",
        set: |consumer, property| {
            let reset = offset_reset(property)?;
            consumer.offset_reset.set_as(property.key, reset)
        },
    },
    Row {
        of: OF,
        keys: &["fetch.min.bytes"],
        method: "fetch_bytes_min",
        default: |consumer| consumer.fetch_bytes_min.value().shown(),
        range: BYTES,
        difference: "0 is read as 1",
        set: |consumer, property| {
            let bytes = at_least_one(property)?;
            consumer.fetch_bytes_min.set_as(property.key, bytes)
        },
    },
    Row {
        of: OF,
        keys: &["fetch.max.bytes"],
        method: "fetch_bytes_max",
        default: |consumer| consumer.fetch_bytes_max.value().shown(),
        range: BYTES,
        difference: "the default shrinks to what fits into limits.frame_bytes",
        set: |consumer, property| {
            let bytes = at_least_one(property)?;
            consumer.fetch_bytes_max.set_as(property.key, bytes)
        },
    },
    Row {
        of: OF,
        keys: &["fetch.max.wait.ms", "fetch.wait.max.ms"],
        method: "fetch_wait_max",
        default: |consumer| consumer.fetch_wait_max.value().shown(),
        range: "less than request.timeout.ms",
        difference: "",
        set: |consumer, property| {
            let wait = property.millis()?;
            consumer.fetch_wait_max.set_as(property.key, wait)
        },
    },
    Row {
        of: OF,
        keys: &["max.partition.fetch.bytes", "fetch.message.max.bytes"],
        method: "partition_fetch_bytes_max",
        default: |consumer| consumer.partition_fetch_bytes_max.value().shown(),
        range: BYTES,
        difference: "",
        set: |consumer, property| {
            let bytes = at_least_one(property)?;
            let setting = &mut consumer.partition_fetch_bytes_max;
            setting.set_as(property.key, bytes)
        },
    },
    Row {
        of: OF,
        keys: &["queued.max.messages.kbytes"],
        method: "prefetch_bytes_max",
        default: |consumer| consumer.prefetch_bytes_max.value().shown(),
        range: "from 1 byte",
        difference: "librdkafka's, in KiB; Java has no such setting",
        set: |consumer, property| {
            let bytes = property.kibibytes()?;
            consumer.prefetch_bytes_max.set_as(property.key, bytes)
        },
    },
    Row {
        of: OF,
        keys: &["max.poll.records"],
        method: "poll_records_max",
        default: |consumer| consumer.poll_records_max.value().shown(),
        range: "1..=10,000,000",
        difference: "Java: 500",
        set: |consumer, property| {
            let records = property.number()?;
            consumer.poll_records_max.set_as(property.key, records)
        },
    },
    Row {
        of: OF,
        keys: &["check.crcs"],
        method: "check_crcs",
        default: |consumer| consumer.check_crcs.value().shown(),
        range: "true, false",
        difference: "",
        set: |consumer, property| {
            let check = property.boolean()?;
            consumer.check_crcs.set_as(property.key, check)
        },
    },
    Row {
        of: OF,
        keys: &["client.rack"],
        method: "rack",
        default: |_| "(empty)".to_owned(),
        range: "up to 32,767 bytes",
        difference: "",
        set: |consumer, property| {
            let rack = property.value.to_owned();
            consumer.rack.set_as(property.key, rack)
        },
    },
    Row {
        of: OF,
        keys: &["milena.delivery.guarantee"],
        method: "delivery_guarantee",
        default: |_| "(not set)".to_owned(),
        range: "none, at_most_once, at_least_once, exactly_once",
        difference: "Kafka has no such setting; rejects settings that break the promise",
        set: |consumer, property| {
            let value = Some(property.guarantee()?);
            consumer.delivery_guarantee.set_as(property.key, value)
        },
    },
];

fn isolation(property: Property<'_>) -> Result<IsolationLevel, ConfigError> {
    match property.value {
        "read_committed" => Ok(IsolationLevel::ReadCommitted),
        "read_uncommitted" => Ok(IsolationLevel::ReadUncommitted),
        _ => Err(property.reject(
            "Kafka knows read_committed and read_uncommitted",
            "write one of them",
        )),
    }
}

fn offset_reset(property: Property<'_>) -> Result<OffsetReset, ConfigError> {
    match property.value {
        "earliest" | "smallest" | "beginning" => Ok(OffsetReset::Earliest),
        "latest" | "largest" | "end" => Ok(OffsetReset::Latest),
        "none" | "error" => Ok(OffsetReset::Error),
        value if value.starts_with("by_duration:") => Err(property.reject(
            "a reset by age is not built yet",
            "seek to a timestamp instead",
        )),
        _ => Err(property.reject("Kafka knows earliest, latest and none", "write one of them")),
    }
}

/// Java allows 0 and means the smallest there is.
fn at_least_one(property: Property<'_>) -> Result<i32, ConfigError> {
    Ok(property
        .number::<u32>()?
        .clamp(1, i32::MAX.unsigned_abs())
        .cast_signed())
}
