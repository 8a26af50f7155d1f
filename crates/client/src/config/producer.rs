//! The producer's settings, and the builder whose type says which producer comes out.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use milena_codec::Compression;
use milena_codec::record::Compressor;

use super::client::{ClientConfig, ClientSettings, Standalone, built, client_setters};
use super::error::Rejections;
use super::setting::{Named, Setting, SettingNames};
use super::values::{Acks, Partitioner};
use super::{ConfigError, DeliveryGuarantee, rules};

/// Checked settings of a [`Producer`](crate::Producer).
///
/// Made by [`ProducerBuilder`], whose methods document unit, range and default of each.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProducerConfig {
    /// What all clients have in common.
    pub client: ClientConfig,
    /// Which replicas must have a record before its write counts as done.
    pub acks: Acks,
    /// Whether batches carry a producer id and sequences.
    pub idempotent: bool,
    /// Attempts after the first that a batch may use up.
    pub retries: u32,
    /// Produce requests without a response per broker; with idempotence also batches per partition.
    pub max_in_flight: usize,
    /// How long a batch waits for more records.
    pub linger: Duration,
    /// Size from which a batch takes no more records, in bytes before compression.
    pub batch_bytes: usize,
    /// Bound on the records that wait or are in flight, in bytes.
    pub buffer_memory: usize,
    /// Longest time from a batch's first record to its outcome.
    pub delivery_timeout: Duration,
    /// Longest time that a call waits for memory and metadata.
    pub max_block: Duration,
    /// How batches are compressed.
    pub compression: Compressor,
    /// How a record that names no partition gets one.
    pub partitioner: Partitioner,
    /// Bound on a Produce request, in bytes.
    pub request_bytes_max: usize,
    /// Bound on a record alone in its batch, in bytes before compression.
    pub record_bytes_max: usize,
}

/// Checked settings of a [`TransactionalProducer`](crate::TransactionalProducer).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TransactionalProducerConfig {
    /// What it has in common with a producer without transactions; always idempotent.
    pub producer: ProducerConfig,
    /// The application's lasting name for this producer.
    pub transactional_id: Arc<str>,
    /// How long a transaction may stay open before its coordinator aborts it.
    pub transaction_timeout: Duration,
    /// Whether transactions take part in a two-phase commit (KIP-939); `transaction_timeout` is then
    /// the longest there is, and coordinators ignore it.
    #[cfg(feature = "two-phase-commit")]
    pub two_phase_commit: bool,
}

/// [`ProducerBuilder`] makes a producer without transactions, idempotent unless switched off.
#[derive(Clone, Copy, Debug)]
pub enum Idempotent {}

/// [`ProducerBuilder`] makes a transactional producer.
#[derive(Clone, Copy, Debug)]
pub enum Transactional {}

/// A compression level that the caller set.
#[derive(Clone, Debug)]
pub(super) struct Level {
    /// The only codec it is for; `None` if it is for whichever is used.
    pub(super) codec: Option<Compression>,
    pub(super) level: i32,
    pub(super) name: String,
}

/// The same between the builder and `build()`.
#[derive(Clone, Debug)]
pub(super) struct ProducerSettings {
    pub(super) acks: Setting<Acks>,
    pub(super) enable_idempotence: Setting<bool>,
    pub(super) retries: Setting<u32>,
    pub(super) max_in_flight: Setting<usize>,
    pub(super) linger: Setting<Duration>,
    pub(super) batch_bytes: Setting<usize>,
    pub(super) buffer_memory: Setting<usize>,
    pub(super) delivery_timeout: Setting<Duration>,
    pub(super) max_block: Setting<Duration>,
    pub(super) compression: Setting<Compression>,
    pub(super) compression_levels: Vec<Level>,
    pub(super) partitioner: Setting<Partitioner>,
    pub(super) request_bytes_max: Setting<usize>,
    pub(super) record_bytes_max: Setting<usize>,
    pub(super) transactional_id: Setting<Option<String>>,
    pub(super) transaction_timeout: Setting<Duration>,
    pub(super) two_phase_commit: Setting<bool>,
    pub(super) delivery_guarantee: Setting<Option<DeliveryGuarantee>>,
}

impl Default for ProducerSettings {
    fn default() -> Self {
        Self {
            acks: Setting::new("acks", Acks::All),
            enable_idempotence: Setting::new("enable_idempotence", true),
            retries: Setting::new("retries", u32::MAX),
            max_in_flight: Setting::new("max_in_flight", 5),
            linger: Setting::new("linger", Duration::from_millis(5)),
            batch_bytes: Setting::new("batch_bytes", 64 << 10),
            buffer_memory: Setting::new("buffer_memory", 32 << 20),
            delivery_timeout: Setting::new("delivery_timeout", Duration::from_secs(120)),
            max_block: Setting::new("max_block", Duration::from_secs(60)),
            compression: Setting::new("compression", Compression::None),
            compression_levels: Vec::new(),
            partitioner: Setting::new("partitioner", Partitioner::ByKey),
            request_bytes_max: Setting::new("request_bytes_max", 1 << 20),
            record_bytes_max: Setting::new("record_bytes_max", 1 << 20),
            transactional_id: Setting::new("transactional_id", None),
            transaction_timeout: Setting::new("transaction_timeout", Duration::from_secs(60)),
            two_phase_commit: Setting::new("two_phase_commit", false),
            delivery_guarantee: Setting::new("delivery_guarantee", None),
        }
    }
}

impl ProducerSettings {
    pub(super) fn names(&self) -> SettingNames {
        let settings: [&dyn Named; 17] = [
            &self.acks,
            &self.enable_idempotence,
            &self.retries,
            &self.max_in_flight,
            &self.linger,
            &self.batch_bytes,
            &self.buffer_memory,
            &self.delivery_timeout,
            &self.max_block,
            &self.compression,
            &self.partitioner,
            &self.request_bytes_max,
            &self.record_bytes_max,
            &self.transactional_id,
            &self.transaction_timeout,
            &self.two_phase_commit,
            &self.delivery_guarantee,
        ];
        SettingNames::of(settings)
    }
}

/// Collects a producer's settings; `build()` checks them and names those that cannot work.
///
/// Its type says which producer comes out: [`Idempotent`] until
/// [`transactional_id`](ProducerBuilder::transactional_id) is called, [`Transactional`] after that.
///
/// ```
/// use std::time::Duration;
/// use milena::ProducerBuilder;
///
/// let config = ProducerBuilder::new(["localhost:9092"])
///     .linger(Duration::from_millis(5))
///     .transactional_id("orders-1")
///     .transaction_timeout(Duration::from_secs(30))
///     .build()?;
/// assert_eq!(&*config.transactional_id, "orders-1");
/// # Ok::<(), milena::ConfigError>(())
/// ```
#[doc(alias = "ClientConfig")]
#[doc(alias = "KafkaProducer")]
#[derive(Clone, Debug)]
#[must_use]
pub struct ProducerBuilder<Mode = Idempotent, On = Standalone> {
    pub(super) client: ClientSettings,
    pub(super) settings: ProducerSettings,
    pub(super) on: On,
    pub(super) mode: PhantomData<Mode>,
}

impl ProducerBuilder<Idempotent> {
    /// A builder with every default. `bootstrap` names brokers to connect to first as `host:port`, port 9092 if it is
    /// left out; one that responds is enough, it names the others. Kafka: `bootstrap.servers`; librdkafka:
    /// `metadata.broker.list`.
    #[doc(alias = "bootstrap.servers")]
    #[doc(alias = "metadata.broker.list")]
    pub fn new(bootstrap: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut client = ClientSettings::default();
        client.set_bootstrap(bootstrap);
        Self {
            client,
            settings: ProducerSettings::default(),
            on: Standalone,
            mode: PhantomData,
        }
    }

    /// The checked settings.
    ///
    /// # Errors
    /// The settings that cannot work, all of them, each with its value, the reason and what to do.
    pub fn build(self) -> Result<ProducerConfig, ConfigError> {
        self.finish().map(|(config, Standalone)| config)
    }
}

impl<On> ProducerBuilder<Idempotent, On> {
    /// A builder for a handle of a client with these settings.
    pub(crate) fn on_client(config: &ClientConfig, on: On) -> Self {
        Self {
            client: config.into(),
            settings: ProducerSettings::default(),
            on,
            mode: PhantomData,
        }
    }

    /// The application's lasting name for this producer; with it the builder makes a
    /// transactional producer. Kafka: `transactional.id`.
    ///
    /// Every instance that runs at the same time needs an id of its own, and keeps it over
    /// restarts: a new producer with the id of another fences that one and ends its open
    /// transaction. 1..=32,767 bytes.
    #[doc(alias = "transactional.id")]
    pub fn transactional_id(mut self, id: impl Into<String>) -> ProducerBuilder<Transactional, On> {
        self.settings.transactional_id.set(Some(id.into()));
        ProducerBuilder {
            client: self.client,
            settings: self.settings,
            on: self.on,
            mode: PhantomData,
        }
    }

    /// The checked settings, and what the handle is made on.
    pub(crate) fn finish(self) -> Result<(ProducerConfig, On), ConfigError> {
        let mut rejections = Rejections::default();
        let client = self.client.build(&mut rejections);
        let config = rules::producer(&self.client, client, self.settings, &mut rejections);
        Ok((built(rejections, config)?, self.on))
    }
}

impl ProducerBuilder<Transactional> {
    /// The checked settings.
    ///
    /// # Errors
    /// The settings that cannot work, all of them, each with its value, the reason and what to do.
    pub fn build(self) -> Result<TransactionalProducerConfig, ConfigError> {
        self.finish().map(|(config, Standalone)| config)
    }
}

impl<On> ProducerBuilder<Transactional, On> {
    /// How long a transaction may stay open before its coordinator aborts it and readers go past it.
    /// From 1 ms to what the broker allows (`transaction.max.timeout.ms`, 15 min by default); a
    /// longer one is rejected when the producer starts. Default 60 s: as long as an open
    /// transaction lasts, readers of committed records wait behind it. Kafka: `transaction.timeout.ms`.
    ///
    /// The time starts with the first write to the first partition. If `delivery_timeout` is not
    /// set it becomes five sixths of this (at most 120 s), so that a batch that cannot be delivered
    /// fails here before the coordinator aborts the transaction.
    #[doc(alias = "transaction.timeout.ms")]
    pub fn transaction_timeout(mut self, timeout: Duration) -> Self {
        self.settings.transaction_timeout.set(timeout);
        self
    }

    /// Whether transactions may be [prepared](crate::Transaction::prepare), to be committed together
    /// with another system's (KIP-939). Default `false`. Kafka: `transaction.two.phase.commit.enable`.
    ///
    /// No timeout then ends a transaction: an open one, prepared or not, stays open until an instance
    /// with this transactional id ends it or starts again, and readers of committed records wait behind
    /// it. That is why [`transaction_timeout`](Self::transaction_timeout) is rejected beside it.
    ///
    /// Experimental, behind the feature `two-phase-commit`: no released Apache Kafka broker offers it,
    /// and starting on one that does not fails. Needs `transaction.version` 2.
    #[doc(alias = "transaction.two.phase.commit.enable")]
    #[cfg(feature = "two-phase-commit")]
    pub fn two_phase_commit(mut self, enable: bool) -> Self {
        self.settings.two_phase_commit.set(enable);
        self
    }

    /// The checked settings, and what the handle is made on.
    pub(crate) fn finish(self) -> Result<(TransactionalProducerConfig, On), ConfigError> {
        let mut rejections = Rejections::default();
        let client = self.client.build(&mut rejections);
        let config =
            rules::transactional_producer(&self.client, client, self.settings, &mut rejections);
        Ok((built(rejections, config)?, self.on))
    }
}

impl<Mode> ProducerBuilder<Mode> {
    client_setters!();
}

impl<Mode, On> ProducerBuilder<Mode, On> {
    /// Which replicas must have a record before its write counts as done. Default [`Acks::All`]. A lesser one
    /// disables idempotence, and is rejected together with `enable_idempotence(true)` or a transactional id. Kafka:
    /// `acks`; librdkafka: `request.required.acks`.
    #[doc(alias = "request.required.acks")]
    pub fn acks(mut self, acks: Acks) -> Self {
        self.settings.acks.set(acks);
        self
    }

    /// Whether batches carry a producer id and sequence numbers, by which the broker recognises a
    /// batch it already has and keeps the order over retries. Default `true`: it costs one request
    /// when the producer starts. Kafka: `enable.idempotence`.
    #[doc(alias = "enable.idempotence")]
    pub fn enable_idempotence(mut self, enable: bool) -> Self {
        self.settings.enable_idempotence.set(enable);
        self
    }

    /// Attempts after the first that a batch may use up. Default `u32::MAX`: time is the bound, by
    /// [`delivery_timeout`](Self::delivery_timeout). 0 disables idempotence. Kafka: `retries`; librdkafka:
    /// `message.send.max.retries`.
    #[doc(alias = "message.send.max.retries")]
    pub fn retries(mut self, retries: u32) -> Self {
        self.settings.retries.set(retries);
        self
    }

    /// Produce requests without a response per broker, and with idempotence also batches per
    /// partition. 1..=5 with idempotence, because brokers remember the last five batches of a
    /// producer; 1..=64 without, where more than 1 lets a retry overtake another batch. Default 5. Kafka:
    /// `max.in.flight.requests.per.connection`; librdkafka: `max.in.flight`.
    #[doc(alias = "max.in.flight.requests.per.connection")]
    #[doc(alias = "max.in.flight")]
    pub fn max_in_flight(mut self, requests: usize) -> Self {
        self.settings.max_in_flight.set(requests);
        self
    }

    /// How long a batch waits for more records before it is sent; a full one, a flush and a commit
    /// do not wait. Default 5 ms: under load batches fill before that, and without load 5 ms is
    /// little against what a request costs both sides. 0 sends at once. Kafka: `linger.ms`; librdkafka:
    /// `queue.buffering.max.ms`.
    #[doc(alias = "linger.ms")]
    #[doc(alias = "queue.buffering.max.ms")]
    pub fn linger(mut self, linger: Duration) -> Self {
        self.settings.linger.set(linger);
        self
    }

    /// Size from which a batch takes no more records, in bytes before compression. Default 64 KiB,
    /// not Kafka's 16 KiB: a quarter of the batches, checksums and sequence numbers for the same
    /// records, at 64 KiB of memory per partition that is written to. A larger record goes alone.
    /// 0 sends every record alone. At most `request_bytes_max`. Kafka: `batch.size`.
    #[doc(alias = "batch.size")]
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.settings.batch_bytes.set(bytes);
        self
    }

    /// Bound on the records that wait or are in flight, in bytes; when it is reached, `send` waits up to
    /// [`max_block`](Self::max_block). Default 32 MiB. At least 1 KiB, `batch_bytes` and
    /// `record_bytes_max`. Kafka: `buffer.memory`; librdkafka: `queue.buffering.max.kbytes`.
    #[doc(alias = "buffer.memory")]
    #[doc(alias = "queue.buffering.max.kbytes")]
    pub fn buffer_memory(mut self, bytes: usize) -> Self {
        self.settings.buffer_memory.set(bytes);
        self
    }

    /// Longest time from a batch's first record to its outcome, retries included. Default 120 s,
    /// which outlasts the change of a leader; with transactions see
    /// [`transaction_timeout`](ProducerBuilder::transaction_timeout). At least
    /// `linger + request_timeout`: a shorter one is rejected, and a default that is shorter is
    /// raised. Kafka: `delivery.timeout.ms`; librdkafka: `message.timeout.ms`.
    #[doc(alias = "delivery.timeout.ms")]
    #[doc(alias = "message.timeout.ms")]
    pub fn delivery_timeout(mut self, timeout: Duration) -> Self {
        self.settings.delivery_timeout.set(timeout);
        self
    }

    /// Longest time that a call waits: `send` for memory and for the topic's partitions, the calls of a transactional
    /// producer for their coordinator. Default 60 s. Kafka: `max.block.ms`.
    #[doc(alias = "max.block.ms")]
    pub fn max_block(mut self, wait: Duration) -> Self {
        self.settings.max_block.set(wait);
        self
    }

    /// How batches are compressed. Default [`Compression::None`]. Kafka: `compression.type`; librdkafka:
    /// `compression.codec`.
    #[doc(alias = "compression.type")]
    #[doc(alias = "compression.codec")]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.settings.compression.set(compression);
        self
    }

    /// The codec's level: gzip 1..=9 (default 6) and, with the feature `zstd-c`, zstd -131,072..=22 (default 3). More
    /// is smaller and slower. It is rejected where it would have no effect: snappy has no levels, and lz4, and zstd
    /// without that feature, have one level here. Kafka: `compression.gzip.level`, `compression.lz4.level` and
    /// `compression.zstd.level`; librdkafka: `compression.level`.
    #[doc(alias = "compression.gzip.level")]
    #[doc(alias = "compression.lz4.level")]
    #[doc(alias = "compression.zstd.level")]
    #[doc(alias = "compression.level")]
    pub fn compression_level(mut self, level: i32) -> Self {
        let name = COMPRESSION_LEVEL.to_owned();
        self.settings.compression_levels.push(Level {
            codec: None,
            level,
            name,
        });
        self
    }

    /// How a record that names no partition gets one. Default [`Partitioner::ByKey`]. Kafka:
    /// `partitioner.ignore.keys`.
    #[doc(alias = "partitioner.ignore.keys")]
    #[doc(alias = "partitioner.class")]
    pub fn partitioner(mut self, partitioner: Partitioner) -> Self {
        self.settings.partitioner.set(partitioner);
        self
    }

    /// Bound on a Produce request, in bytes. Default 1 MiB. 1 KiB..=100 MiB, which is what brokers
    /// accept (`socket.request.max.bytes`). Kafka: `max.request.size`; librdkafka: `message.max.bytes`.
    #[doc(alias = "max.request.size")]
    #[doc(alias = "message.max.bytes")]
    pub fn request_bytes_max(mut self, bytes: usize) -> Self {
        self.settings.request_bytes_max.set(bytes);
        self
    }

    /// Bound on a record alone in its batch, in bytes before compression; a larger one is rejected
    /// by `send`. Default: `request_bytes_max`, which is its greatest value too. Brokers and topics
    /// have a bound of their own on the compressed batch (`max.message.bytes`, 1 MiB by default). Kafka has no such
    /// key: `max.request.size` bounds both; in properties `milena.record.bytes.max`.
    #[doc(alias = "milena.record.bytes.max")]
    pub fn record_bytes_max(mut self, bytes: usize) -> Self {
        self.settings.record_bytes_max.set(bytes);
        self
    }

    /// The promise to keep: sets what is not set otherwise, and rejects, with an error that names it, what is set and
    /// breaks it. Default: no preset. Kafka has no such key; in properties `milena.delivery.guarantee`.
    #[doc(alias = "milena.delivery.guarantee")]
    pub fn delivery_guarantee(mut self, guarantee: DeliveryGuarantee) -> Self {
        self.settings.delivery_guarantee.set(Some(guarantee));
        self
    }
}

/// The name of the builder's method.
pub(super) const COMPRESSION_LEVEL: &str = "compression_level";
