//! The settings of producers.

use std::marker::PhantomData;

use milena_codec::Compression;

use super::super::catalogue::{Row, SettingOf};
use super::super::client::{ClientSettings, Standalone};
use super::super::producer::{Idempotent, Level, ProducerBuilder, ProducerSettings, Transactional};
use super::super::rules;
use super::super::setting::Shown;
use super::super::values::{Acks, Partitioner};
use super::without_setting::Reader;
use super::{ConfigError, FromProperties, Property, PropertyNote, Reading, read};

impl ProducerBuilder<Idempotent> {
    /// A builder from `(key, value)` pairs with the keys of the Java client or librdkafka, such as those of
    /// [`Properties`](crate::config::Properties).
    ///
    /// Keys that set nothing are listed in the result with advice, not rejected.
    ///
    /// # Errors
    /// Every value that cannot be read, that asks for what is not built, or that conflicts with another one, each
    /// named by its key. `transactional.id` is rejected: it makes another type,
    /// `ProducerBuilder::<Transactional>::from_properties`.
    pub fn from_properties<K, V>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<FromProperties<Self>, ConfigError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        producer(properties, |settings| {
            let id = &settings.transactional_id;
            if id.value().is_none() {
                return Ok(());
            }
            Err(id.reject(
                "it asks for a transactional producer, and this makes one without transactions",
                "use ProducerBuilder::<Transactional>::from_properties, or leave it unset",
            ))
        })
    }
}

impl ProducerBuilder<Transactional> {
    /// As [`ProducerBuilder::<Idempotent>::from_properties`](ProducerBuilder::from_properties), for
    /// properties with a `transactional.id`.
    ///
    /// # Errors
    /// The same, and a missing `transactional.id`.
    pub fn from_properties<K, V>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<FromProperties<Self>, ConfigError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        producer(properties, |settings| {
            if settings.transactional_id.value().is_some() {
                return Ok(());
            }
            Err(ConfigError::new(
                "transactional.id",
                "(not set)",
                "a transactional producer needs a name that lasts over restarts",
                "set it, or use ProducerBuilder::<Idempotent>::from_properties",
            ))
        })
    }
}

fn producer<K, V, Mode>(
    properties: impl IntoIterator<Item = (K, V)>,
    check_id: impl FnOnce(&ProducerSettings) -> Result<(), ConfigError>,
) -> Result<FromProperties<ProducerBuilder<Mode>>, ConfigError>
where
    K: AsRef<str>,
    V: AsRef<str>,
{
    let mut client = ClientSettings::default();
    let mut settings = ProducerSettings::default();
    let reader = Reader::Producer;
    let mut reading = read(reader, properties, PRODUCER, &mut settings, &mut client);
    reading.rejections.keep(check_id(&settings));
    client.check_so_far(&mut reading.rejections);
    // On a copy: defaults are overridden in `build()`, after what the caller may add.
    rules::resolve(&client, &mut settings.clone(), &mut reading.rejections);
    note_levels_without_effect(&settings, &mut reading);
    reading.finish(ProducerBuilder {
        client,
        settings,
        on: Standalone,
        mode: PhantomData,
    })
}

fn note_levels_without_effect(settings: &ProducerSettings, reading: &mut Reading) {
    let codec = *settings.compression.value();
    for level in &settings.compression_levels {
        if let Some(reason) = rules::without_effect(level, codec) {
            reading.notes.without_effect.push(PropertyNote {
                key: level.name.clone(),
                advice: reason,
                instead: None,
            });
        }
    }
}

/// In the order of docs/SETTINGS.md.
pub(in super::super) const PRODUCER: &[Row<ProducerSettings>] = &[
    Row {
        of: SettingOf::Producer,
        keys: &["acks", "request.required.acks"],
        method: "acks",
        default: |producer| producer.acks.value().shown(),
        range: "all (-1), 1, 0",
        difference: "",
        set: |producer, property| {
            let value = acks(property)?;
            producer.acks.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::Producer,
        keys: &["enable.idempotence"],
        method: "enable_idempotence",
        default: |producer| producer.enable_idempotence.value().shown(),
        range: "true, false",
        difference: "librdkafka: false",
        set: |producer, property| {
            let value = property.boolean()?;
            producer.enable_idempotence.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::Producer,
        keys: &["retries", "message.send.max.retries"],
        method: "retries",
        default: |producer| producer.retries.value().shown(),
        range: "0..=4,294,967,295",
        difference: "0 disables idempotence",
        set: |producer, property| {
            let value = property.number()?;
            producer.retries.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::Producer,
        keys: &["max.in.flight.requests.per.connection", "max.in.flight"],
        method: "max_in_flight",
        default: |producer| producer.max_in_flight.value().shown(),
        range: "1..=5; without idempotence 1..=64",
        difference: "counts Produce requests only",
        set: |producer, property| {
            let value = property.number()?;
            producer.max_in_flight.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::Producer,
        keys: &["linger.ms", "queue.buffering.max.ms"],
        method: "linger",
        default: |producer| producer.linger.value().shown(),
        range: "0 ms..=2,147,483,647 ms",
        difference: "fractions of a millisecond are read, as in librdkafka",
        set: |producer, property| {
            let value = property.millis()?;
            producer.linger.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::Producer,
        keys: &["batch.size"],
        method: "batch_bytes",
        default: |producer| producer.batch_bytes.value().shown(),
        range: "0 to max.request.size",
        difference: "Java: 16384",
        set: |producer, property| {
            let value = property.number()?;
            producer.batch_bytes.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::Producer,
        keys: &["buffer.memory", "queue.buffering.max.kbytes"],
        method: "buffer_memory",
        default: |producer| producer.buffer_memory.value().shown(),
        range: "from 1,024; at least batch.size",
        difference: "",
        set: |producer, property| {
            let value = buffer_memory(property)?;
            producer.buffer_memory.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::Producer,
        keys: &["delivery.timeout.ms", "message.timeout.ms"],
        method: "delivery_timeout",
        default: |producer| producer.delivery_timeout.value().shown(),
        range: "at least linger.ms + request.timeout.ms",
        difference: "in transactions five sixths of transaction.timeout.ms, at most 120 s",
        set: |producer, property| {
            let value = delivery_timeout(property)?;
            producer.delivery_timeout.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::Producer,
        keys: &["max.block.ms"],
        method: "max_block",
        default: |producer| producer.max_block.value().shown(),
        range: "0 ms..=2,147,483,647 ms",
        difference: "",
        set: |producer, property| {
            let value = property.millis()?;
            producer.max_block.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::Producer,
        keys: &["compression.type", "compression.codec"],
        method: "compression",
        default: |producer| producer.compression.value().shown(),
        range: "none, gzip, snappy, lz4, zstd",
        difference: "",
        set: |producer, property| {
            let value = compression(property)?;
            producer.compression.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::Producer,
        keys: &["compression.gzip.level"],
        method: "compression_level",
        default: |_| "6".to_owned(),
        range: "1..=9",
        difference: "Java: -1, which is 6",
        set: |producer, property| level(producer, property, Some(Compression::Gzip)),
    },
    Row {
        of: SettingOf::Producer,
        keys: &["compression.lz4.level"],
        method: "compression_level",
        default: |_| "(one level)".to_owned(),
        range: "1..=17",
        difference: "no effect: lz4 has one level here",
        set: |producer, property| level(producer, property, Some(Compression::Lz4)),
    },
    Row {
        of: SettingOf::Producer,
        keys: &["compression.zstd.level"],
        method: "compression_level",
        default: |_| "3".to_owned(),
        range: "-131,072..=22",
        difference: "no effect without the feature zstd-c",
        set: |producer, property| level(producer, property, Some(Compression::Zstd)),
    },
    Row {
        of: SettingOf::Producer,
        keys: &["compression.level"],
        method: "compression_level",
        default: |_| "(of the codec)".to_owned(),
        range: "that of the codec; -1 is the default",
        difference: "librdkafka's",
        set: |producer, property| level(producer, property, None),
    },
    Row {
        of: SettingOf::Producer,
        keys: &["partitioner.ignore.keys"],
        method: "partitioner",
        default: |_| "false".to_owned(),
        range: "true, false",
        difference: "",
        set: |producer, property| {
            let value = ignore_keys(property)?;
            producer.partitioner.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::Producer,
        keys: &["max.request.size", "message.max.bytes"],
        method: "request_bytes_max",
        default: |producer| producer.request_bytes_max.value().shown(),
        range: "1,024..=104,857,600",
        difference: "",
        set: |producer, property| {
            let value = property.number()?;
            producer.request_bytes_max.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::Producer,
        keys: &["milena.record.bytes.max"],
        method: "record_bytes_max",
        default: |_| "max.request.size".to_owned(),
        range: "1 to max.request.size",
        difference: "Kafka has no such setting",
        set: |producer, property| {
            let value = property.number()?;
            producer.record_bytes_max.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::Producer,
        keys: &["milena.delivery.guarantee"],
        method: "delivery_guarantee",
        default: |_| "(not set)".to_owned(),
        range: "none, at_most_once, at_least_once, exactly_once",
        difference: "Kafka has no such setting; rejects settings that break the promise",
        set: |producer, property| {
            let value = Some(property.guarantee()?);
            producer.delivery_guarantee.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::TransactionalProducer,
        keys: &["transactional.id"],
        method: "transactional_id",
        default: |_| "(not set)".to_owned(),
        range: "1..=32,767 bytes",
        difference: "makes another type of producer",
        set: |producer, property| {
            let value = Some(property.value.to_owned());
            producer.transactional_id.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::TransactionalProducer,
        keys: &["transaction.timeout.ms"],
        method: "transaction_timeout",
        default: |producer| producer.transaction_timeout.value().shown(),
        range: "1 ms to the broker's transaction.max.timeout.ms",
        difference: "",
        set: |producer, property| {
            let value = property.millis()?;
            producer.transaction_timeout.set_as(property.key, value)
        },
    },
    Row {
        of: SettingOf::TransactionalProducer,
        keys: &["transaction.two.phase.commit.enable"],
        method: "two_phase_commit",
        default: |producer| producer.two_phase_commit.value().shown(),
        range: "true, false",
        difference: "needs the feature two-phase-commit",
        set: two_phase_commit,
    },
];

fn acks(property: Property<'_>) -> Result<Acks, ConfigError> {
    match property.value {
        "all" | "-1" => Ok(Acks::All),
        "1" => Ok(Acks::Leader),
        "0" => Ok(Acks::NoneMayLose),
        _ => Err(property.reject("Kafka knows 0, 1 and all (-1)", "write one of them")),
    }
}

fn compression(property: Property<'_>) -> Result<Compression, ConfigError> {
    match property.value {
        "none" => Ok(Compression::None),
        "gzip" => Ok(Compression::Gzip),
        "snappy" => Ok(Compression::Snappy),
        "lz4" => Ok(Compression::Lz4),
        "zstd" => Ok(Compression::Zstd),
        _ => Err(property.reject(
            "Kafka knows none, gzip, snappy, lz4 and zstd",
            "write one of them",
        )),
    }
}

fn level(
    settings: &mut ProducerSettings,
    property: Property<'_>,
    codec: Option<Compression>,
) -> Result<(), ConfigError> {
    let level = property.number()?;
    // Both clients name the default so; to zstd it is a level of its own.
    if level != -1 || codec == Some(Compression::Zstd) {
        let name = property.key.to_owned();
        settings
            .compression_levels
            .push(Level { codec, level, name });
    }
    Ok(())
}

fn buffer_memory(property: Property<'_>) -> Result<usize, ConfigError> {
    if property.key == "queue.buffering.max.kbytes" {
        property.kibibytes()
    } else {
        property.number()
    }
}

fn delivery_timeout(property: Property<'_>) -> Result<std::time::Duration, ConfigError> {
    if property.key == "message.timeout.ms" && property.value == "0" {
        return Err(property.reject(
            "to librdkafka it means no end, and here every wait has one",
            "write how long a record may take at most",
        ));
    }
    property.millis()
}

fn ignore_keys(property: Property<'_>) -> Result<Partitioner, ConfigError> {
    Ok(if property.boolean()? {
        Partitioner::IgnoreKeys
    } else {
        Partitioner::ByKey
    })
}

#[cfg(feature = "two-phase-commit")]
fn two_phase_commit(
    settings: &mut ProducerSettings,
    property: Property<'_>,
) -> Result<(), ConfigError> {
    let enable = property.boolean()?;
    settings.two_phase_commit.set_as(property.key, enable)
}

#[cfg(not(feature = "two-phase-commit"))]
fn two_phase_commit(_: &mut ProducerSettings, property: Property<'_>) -> Result<(), ConfigError> {
    if !property.boolean()? {
        return Ok(());
    }
    Err(property.reject(
        "two-phase commit (KIP-939) is experimental, and this build is without it",
        "leave it unset, or build milena with the feature two-phase-commit",
    ))
}
