//! The keys of a producer.

use std::marker::PhantomData;

use milena_codec::Compression;

use super::super::client::ClientSettings;
use super::super::producer::{Idempotent, Level, ProducerBuilder, ProducerSettings, Transactional};
use super::super::rules;
use super::super::values::{Acks, Partitioner};
use super::{ConfigError, FromProperties, Known, Property, apply_all, client};

impl ProducerBuilder<Idempotent> {
    /// A builder from `(key, value)` pairs with the key names of the Java client or librdkafka.
    ///
    /// Keys that mean nothing here are listed in the answer, not refused.
    ///
    /// # Errors
    /// A value that cannot be read, that asks for what is not to be had here, or that conflicts
    /// with another one given, by its key. `transactional.id` is refused: it makes another type,
    /// `ProducerBuilder::<Transactional>::from_properties`.
    pub fn from_properties<K, V>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<FromProperties<Self>, ConfigError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let read = read(properties)?;
        let id = &read.builder.settings.transactional_id;
        if id.value().is_some() {
            return Err(id.refuse(
                "it asks for a transactional producer, and this makes one without transactions",
                "use ProducerBuilder::<Transactional>::from_properties, or leave it unset",
            ));
        }
        Ok(read)
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
        let read = read(properties)?;
        if read.builder.settings.transactional_id.value().is_none() {
            return Err(ConfigError::new(
                "transactional.id",
                "(not set)",
                "a transactional producer needs a name that lasts over restarts",
                "set it, or use ProducerBuilder::<Idempotent>::from_properties",
            ));
        }
        Ok(read)
    }
}

fn read<K, V, Mode>(
    properties: impl IntoIterator<Item = (K, V)>,
) -> Result<FromProperties<ProducerBuilder<Mode>>, ConfigError>
where
    K: AsRef<str>,
    V: AsRef<str>,
{
    let mut common = ClientSettings::default();
    let mut settings = ProducerSettings::default();
    let unknown = apply_all(properties, |property| {
        match apply(&mut settings, property)? {
            Known::Yes => Ok(Known::Yes),
            Known::No => client::apply(&mut common, property),
        }
    })?;
    common.check()?;
    // On a copy: defaults that give way do so in `build()`, after whatever the caller adds.
    rules::resolve(*common.request_timeout.value(), &mut settings.clone())?;
    Ok(FromProperties {
        builder: ProducerBuilder {
            client: common,
            settings,
            on: super::super::client::Standalone,
            mode: PhantomData,
        },
        unknown,
    })
}

fn apply(settings: &mut ProducerSettings, property: Property<'_>) -> Result<Known, ConfigError> {
    let Property { key, value } = property;
    match key {
        "acks" | "request.required.acks" => settings.acks.set_as(key, acks(property)?)?,
        "enable.idempotence" => settings
            .enable_idempotence
            .set_as(key, property.boolean()?)?,
        "retries" | "message.send.max.retries" => {
            settings.retries.set_as(key, property.number()?)?;
        }
        "max.in.flight.requests.per.connection" | "max.in.flight" => {
            settings.max_in_flight.set_as(key, property.number()?)?;
        }
        "linger.ms" | "queue.buffering.max.ms" => {
            settings.linger.set_as(key, property.millis()?)?
        }
        "batch.size" => settings.batch_bytes.set_as(key, property.number()?)?,
        "buffer.memory" => settings.buffer_memory.set_as(key, property.number()?)?,
        "queue.buffering.max.kbytes" => {
            settings.buffer_memory.set_as(key, property.kibibytes()?)?;
        }
        "delivery.timeout.ms" | "message.timeout.ms" => {
            settings
                .delivery_timeout
                .set_as(key, delivery_timeout(property)?)?;
        }
        "max.block.ms" => settings.max_block.set_as(key, property.millis()?)?,
        "compression.type" | "compression.codec" => {
            settings.compression.set_as(key, compression(property)?)?;
        }
        "max.request.size" | "message.max.bytes" => {
            settings.request_bytes_max.set_as(key, property.number()?)?;
        }
        "compression.level" => level(settings, property, None)?,
        "compression.gzip.level" => level(settings, property, Some(Compression::Gzip))?,
        "compression.lz4.level" => level(settings, property, Some(Compression::Lz4))?,
        "compression.zstd.level" => level(settings, property, Some(Compression::Zstd))?,
        "partitioner.ignore.keys" => settings.partitioner.set_as(key, ignore_keys(property)?)?,
        "transactional.id" => {
            settings
                .transactional_id
                .set_as(key, Some(value.to_owned()))?;
        }
        "transaction.timeout.ms" => {
            settings
                .transaction_timeout
                .set_as(key, property.millis()?)?;
        }
        #[cfg(feature = "two-phase-commit")]
        "transaction.two.phase.commit.enable" => {
            settings.two_phase_commit.set_as(key, property.boolean()?)?;
        }
        _ => return out_of_reach(property),
    }
    Ok(Known::Yes)
}

fn acks(property: Property<'_>) -> Result<Acks, ConfigError> {
    match property.value {
        "all" | "-1" => Ok(Acks::All),
        "1" => Ok(Acks::Leader),
        "0" => Ok(Acks::NoneMayLose),
        _ => Err(property.refuse("Kafka knows 0, 1 and all (-1)", "write one of them")),
    }
}

fn compression(property: Property<'_>) -> Result<Compression, ConfigError> {
    match property.value {
        "none" => Ok(Compression::None),
        "gzip" => Ok(Compression::Gzip),
        "snappy" => Ok(Compression::Snappy),
        "lz4" => Ok(Compression::Lz4),
        "zstd" => Ok(Compression::Zstd),
        _ => Err(property.refuse(
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
    // Both name the default so; to zstd it is a level of its own.
    if level != -1 || codec == Some(Compression::Zstd) {
        let name = property.key.to_owned();
        settings
            .compression_levels
            .push(Level { codec, level, name });
    }
    Ok(())
}

fn delivery_timeout(property: Property<'_>) -> Result<std::time::Duration, ConfigError> {
    if property.key == "message.timeout.ms" && property.value == "0" {
        return Err(property.refuse(
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

/// Keys of a producer that ask for what is not to be had here.
fn out_of_reach(property: Property<'_>) -> Result<Known, ConfigError> {
    match property.key {
        "key.serializer" | "value.serializer" => property.only(
            &[
                "org.apache.kafka.common.serialization.ByteArraySerializer",
                "org.apache.kafka.common.serialization.ByteBufferSerializer",
                "org.apache.kafka.common.serialization.BytesSerializer",
                "org.apache.kafka.common.serialization.StringSerializer",
            ],
            "keys and values are bytes here",
            "leave it unset and serialize before sending",
        ),
        "partitioner.class" => property.only(
            &["", "null"],
            "classes of other languages cannot run here",
            "leave it unset, and name the partition in the record where it matters",
        ),
        "partitioner" => property.only(
            &["murmur2_random"],
            "keys would go to other partitions than it asks for: here they go where Java puts them",
            "write murmur2_random, or name the partition in the record",
        ),
        "partitioner.adaptive.partitioning.enable" => property.only(
            &["true"],
            "records without a key always avoid slow brokers here",
            "leave it unset",
        ),
        "partitioner.availability.timeout.ms" => property.only(
            &["0"],
            "partitions are not set aside by age of their queue here",
            "leave it unset",
        ),
        "transaction.two.phase.commit.enable" => property.only(
            &["false"],
            "two-phase commit (KIP-939) is experimental, and this build is without it",
            "leave it unset, or build milena with the feature two-phase-commit",
        ),
        "enable.gapless.guarantee" => property.only(
            &["false"],
            "an expired record does not stop the producer here",
            "leave it unset, and stop at the first failed delivery yourself",
        ),
        _ => Ok(Known::No),
    }
}
