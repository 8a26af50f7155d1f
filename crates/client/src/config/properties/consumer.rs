//! The keys of a consumer.

use super::super::client::ClientSettings;
use super::super::consumer::{ConsumerBuilder, ConsumerSettings};
use super::{ConfigError, FromProperties, Known, Property, apply_all, client};
use crate::consumer::{IsolationLevel, OffsetReset};

impl ConsumerBuilder {
    /// A builder from `(key, value)` pairs with the key names of the Java client or librdkafka.
    ///
    /// Keys that mean nothing here are listed in the answer, not refused. Defaults are those of
    /// this crate, not of Java: `isolation.level` is `read_committed` and `auto.offset.reset` is
    /// `none` unless set.
    ///
    /// # Errors
    /// A value that cannot be read, that asks for what is not to be had here, or that conflicts
    /// with another one given, by its key.
    pub fn from_properties<K, V>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<FromProperties<Self>, ConfigError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let mut common = ClientSettings::default();
        let mut settings = ConsumerSettings::default();
        let unknown = apply_all(properties, |property| {
            match apply(&mut settings, property)? {
                Known::Yes => Ok(Known::Yes),
                Known::No => client::apply(&mut common, property),
            }
        })?;
        common.check()?;
        settings.check(&common)?;
        Ok(FromProperties {
            builder: Self {
                client: common,
                settings,
                on: super::super::client::Standalone,
            },
            unknown,
        })
    }
}

fn apply(settings: &mut ConsumerSettings, property: Property<'_>) -> Result<Known, ConfigError> {
    let Property { key, value } = property;
    match key {
        "isolation.level" => settings.isolation_level.set_as(key, isolation(property)?)?,
        "auto.offset.reset" => settings.offset_reset.set_as(key, offset_reset(property)?)?,
        "fetch.min.bytes" => settings
            .fetch_bytes_min
            .set_as(key, at_least_one(property)?)?,
        "fetch.max.bytes" => settings
            .fetch_bytes_max
            .set_as(key, at_least_one(property)?)?,
        "fetch.max.wait.ms" | "fetch.wait.max.ms" => {
            settings.fetch_wait_max.set_as(key, property.millis()?)?;
        }
        "max.partition.fetch.bytes" | "fetch.message.max.bytes" => {
            settings
                .partition_fetch_bytes_max
                .set_as(key, at_least_one(property)?)?;
        }
        "queued.max.messages.kbytes" => {
            settings
                .prefetch_bytes_max
                .set_as(key, property.kibibytes()?)?;
        }
        "max.poll.records" => settings.poll_records_max.set_as(key, property.number()?)?,
        "check.crcs" => settings.check_crcs.set_as(key, property.boolean()?)?,
        "client.rack" => settings.rack.set_as(key, value.to_owned())?,
        _ => return out_of_reach(property),
    }
    Ok(Known::Yes)
}

fn isolation(property: Property<'_>) -> Result<IsolationLevel, ConfigError> {
    match property.value {
        "read_committed" => Ok(IsolationLevel::ReadCommitted),
        "read_uncommitted" => Ok(IsolationLevel::ReadUncommitted),
        _ => Err(property.refuse(
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
        value if value.starts_with("by_duration:") => Err(property.refuse(
            "a reset by age is not built yet",
            "seek to a timestamp instead",
        )),
        _ => Err(property.refuse("Kafka knows earliest, latest and none", "write one of them")),
    }
}

/// Java allows 0 and means the smallest there is.
fn at_least_one(property: Property<'_>) -> Result<i32, ConfigError> {
    Ok(property
        .number::<u32>()?
        .clamp(1, i32::MAX.unsigned_abs())
        .cast_signed())
}

/// Keys of a consumer that ask for what is not to be had here.
fn out_of_reach(property: Property<'_>) -> Result<Known, ConfigError> {
    let no_groups = "consumer groups are not built yet";
    match property.key {
        "group.id" | "group.instance.id" => property.only(
            &[""],
            no_groups,
            "leave it unset and assign partitions yourself",
        ),
        "enable.auto.commit" => property.only(
            &["false"],
            "nothing is committed behind the caller's back here (D-88)",
            "set it to false, and commit what was processed",
        ),
        "key.deserializer" | "value.deserializer" => property.only(
            &[
                "org.apache.kafka.common.serialization.ByteArrayDeserializer",
                "org.apache.kafka.common.serialization.ByteBufferDeserializer",
                "org.apache.kafka.common.serialization.BytesDeserializer",
                "org.apache.kafka.common.serialization.StringDeserializer",
            ],
            "keys and values are bytes here",
            "leave it unset and deserialize what was read",
        ),
        "allow.auto.create.topics" => property.only(
            &["false"],
            "reading never creates a topic here",
            "leave it unset and create topics with the admin client",
        ),
        _ => Ok(Known::No),
    }
}
