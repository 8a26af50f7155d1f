//! The consumer's settings and their builder.

use std::time::Duration;

use super::client::{
    ClientConfig, ClientSettings, Standalone, built, client_setters, countable, in_range,
    short_enough,
};
use super::error::Rejections;
use super::setting::{Named, Setting, SettingNames, Shown};
use super::{ConfigError, DeliveryGuarantee};
use crate::types::{IsolationLevel, OffsetReset};

/// Checked settings of a [`Consumer`](crate::consumer::Consumer).
///
/// Made by [`ConsumerBuilder`], whose methods document unit, range and default of each.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConsumerConfig {
    /// What all clients have in common.
    pub client: ClientConfig,
    /// Which records of transactions are seen.
    pub isolation_level: IsolationLevel,
    /// Where to go on when a position is unknown or out of range.
    pub offset_reset: OffsetReset,
    /// Bytes that a broker waits for before it responds.
    pub fetch_bytes_min: i32,
    /// Bytes in one response, all partitions together.
    pub fetch_bytes_max: i32,
    /// How long a broker waits for `fetch_bytes_min`.
    pub fetch_wait_max: Duration,
    /// Bytes of one partition in one response.
    pub partition_fetch_bytes_max: i32,
    /// No fetch is sent while this many bytes wait to be taken.
    pub prefetch_bytes_max: usize,
    /// Records that one poll gives.
    pub poll_records_max: usize,
    /// Whether the checksum of every batch is checked.
    pub check_crcs: bool,
    /// The rack of this consumer; empty if it does not matter.
    pub rack: String,
}

/// The same between the builder and `build()`.
#[derive(Clone, Debug)]
pub(super) struct ConsumerSettings {
    pub(super) isolation_level: Setting<IsolationLevel>,
    pub(super) offset_reset: Setting<OffsetReset>,
    pub(super) fetch_bytes_min: Setting<i32>,
    pub(super) fetch_bytes_max: Setting<i32>,
    pub(super) fetch_wait_max: Setting<Duration>,
    pub(super) partition_fetch_bytes_max: Setting<i32>,
    pub(super) prefetch_bytes_max: Setting<usize>,
    pub(super) poll_records_max: Setting<usize>,
    pub(super) check_crcs: Setting<bool>,
    pub(super) rack: Setting<String>,
    pub(super) delivery_guarantee: Setting<Option<DeliveryGuarantee>>,
}

impl Default for ConsumerSettings {
    fn default() -> Self {
        Self {
            isolation_level: Setting::new("isolation_level", IsolationLevel::default()),
            offset_reset: Setting::new("offset_reset", OffsetReset::default()),
            fetch_bytes_min: Setting::new("fetch_bytes_min", 1),
            fetch_bytes_max: Setting::new("fetch_bytes_max", 50 << 20),
            fetch_wait_max: Setting::new("fetch_wait_max", Duration::from_millis(500)),
            partition_fetch_bytes_max: Setting::new("partition_fetch_bytes_max", 1 << 20),
            prefetch_bytes_max: Setting::new("prefetch_bytes_max", 32 << 20),
            poll_records_max: Setting::new("poll_records_max", 10_000),
            check_crcs: Setting::new("check_crcs", true),
            rack: Setting::new("rack", String::new()),
            delivery_guarantee: Setting::new("delivery_guarantee", None),
        }
    }
}

/// What a response has besides records, at least.
const RESPONSE_OVERHEAD: usize = 512;

fn bytes(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

impl Shown for IsolationLevel {
    fn shown(&self) -> String {
        match self {
            Self::ReadCommitted => "read_committed".to_owned(),
            Self::ReadUncommitted => "read_uncommitted".to_owned(),
        }
    }
}

impl Shown for OffsetReset {
    fn shown(&self) -> String {
        match self {
            Self::Earliest => "earliest".to_owned(),
            Self::Error => "none".to_owned(),
            Self::Latest => "latest".to_owned(),
        }
    }
}

impl ConsumerSettings {
    /// Checks everything; what the caller set and cannot work is added to `rejections`.
    pub(super) fn check(&self, client: &ClientSettings, rejections: &mut Rejections) {
        rejections.keep(self.check_guarantee());
        for bytes in [
            &self.fetch_bytes_min,
            &self.fetch_bytes_max,
            &self.partition_fetch_bytes_max,
        ] {
            rejections.keep(in_range(bytes, 1, i32::MAX));
        }
        rejections.keep(self.fetches_fit_into_frames(&client.frame_bytes));
        rejections.keep(in_range(&self.poll_records_max, 1, 10_000_000));
        rejections.keep(countable(&self.fetch_wait_max));
        rejections.keep(self.waits_end_before(&client.request_timeout));
        rejections.keep(in_range(&self.prefetch_bytes_max, 1, usize::MAX));
        rejections.keep(short_enough(&self.rack));
    }

    fn fetches_fit_into_frames(&self, frame_bytes: &Setting<usize>) -> Result<(), ConfigError> {
        let fetch = &self.fetch_bytes_max;
        let needed = bytes(*fetch.value()).saturating_add(RESPONSE_OVERHEAD);
        if !fetch.is_explicit() || needed <= *frame_bytes.value() {
            return Ok(());
        }
        let (name, limit) = (frame_bytes.name(), frame_bytes.value());
        Err(fetch.reject(
            format!("a response of that size is larger than {name} = {limit} allows"),
            format!("lower it, or raise {name}"),
        ))
    }

    fn waits_end_before(&self, request_timeout: &Setting<Duration>) -> Result<(), ConfigError> {
        if self.fetch_wait_max.value() < request_timeout.value() {
            return Ok(());
        }
        let (name, timeout) = (request_timeout.name(), request_timeout.value());
        Err(self.fetch_wait_max.reject(
            format!("a response that takes {name} = {timeout:?} counts as none"),
            format!("lower it, or raise {name}"),
        ))
    }

    pub(super) fn names(&self) -> SettingNames {
        let settings: [&dyn Named; 11] = [
            &self.isolation_level,
            &self.offset_reset,
            &self.fetch_bytes_min,
            &self.fetch_bytes_max,
            &self.fetch_wait_max,
            &self.partition_fetch_bytes_max,
            &self.prefetch_bytes_max,
            &self.poll_records_max,
            &self.check_crcs,
            &self.rack,
            &self.delivery_guarantee,
        ];
        SettingNames::of(settings)
    }

    /// The default is overridden by a smaller bound on frames. A response that is rejected
    /// as a frame is requested again, and would be for ever.
    fn fetch_bytes_that_fit(&self, frame_bytes: usize) -> i32 {
        let wanted = *self.fetch_bytes_max.value();
        if self.fetch_bytes_max.is_explicit() {
            return wanted;
        }
        let fit = frame_bytes - frame_bytes / 8;
        i32::try_from(fit).map_or(wanted, |fit| fit.min(wanted))
    }

    fn check_guarantee(&self) -> Result<(), ConfigError> {
        let exactly_once = Some(DeliveryGuarantee::ExactlyOnce);
        let uncommitted = *self.isolation_level.value() == IsolationLevel::ReadUncommitted;
        if *self.delivery_guarantee.value() == exactly_once && uncommitted {
            return Err(self.isolation_level.reject(
                "delivery guarantee exactly_once: it shows records of aborted transactions",
                "leave it unset, or set it to read_committed",
            ));
        }
        Ok(())
    }
}

/// Collects a consumer's settings; `build()` checks them and names those that cannot work.
///
/// ```
/// use milena::consumer::{IsolationLevel, OffsetReset};
/// use milena::ConsumerBuilder;
///
/// let config = ConsumerBuilder::new(["localhost:9092"])
///     .offset_reset(OffsetReset::Earliest)
///     .build()?;
/// assert_eq!(config.isolation_level, IsolationLevel::ReadCommitted);
/// # Ok::<(), milena::ConfigError>(())
/// ```
#[doc(alias = "ClientConfig")]
#[doc(alias = "KafkaConsumer")]
#[derive(Clone, Debug)]
#[must_use]
pub struct ConsumerBuilder<On = Standalone> {
    pub(super) client: ClientSettings,
    pub(super) settings: ConsumerSettings,
    pub(super) on: On,
}

impl ConsumerBuilder {
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
            settings: ConsumerSettings::default(),
            on: Standalone,
        }
    }

    client_setters!();

    /// The checked settings.
    ///
    /// # Errors
    /// The settings that cannot work, all of them, each with its value, the reason and what to do.
    pub fn build(self) -> Result<ConsumerConfig, ConfigError> {
        self.finish().map(|(config, Standalone)| config)
    }
}

impl<On> ConsumerBuilder<On> {
    /// A builder for a handle of a client with these settings.
    pub(crate) fn on_client(config: &ClientConfig, on: On) -> Self {
        Self {
            client: config.into(),
            settings: ConsumerSettings::default(),
            on,
        }
    }

    /// Which records of transactions are returned. Default [`IsolationLevel::ReadCommitted`], unlike
    /// the Java client: aborted records should not be read by accident. Kafka: `isolation.level`.
    #[doc(alias = "isolation.level")]
    pub fn isolation_level(mut self, level: IsolationLevel) -> Self {
        self.settings.isolation_level.set(level);
        self
    }

    /// Where to go on when a position is unknown or the log no longer holds it. Default
    /// [`OffsetReset::Error`], unlike the Java client's `latest`: any other choice repeats or skips records. Kafka:
    /// `auto.offset.reset`.
    #[doc(alias = "auto.offset.reset")]
    pub fn offset_reset(mut self, reset: OffsetReset) -> Self {
        self.settings.offset_reset.set(reset);
        self
    }

    /// Bytes that a broker waits for before it responds, at most
    /// [`fetch_wait_max`](Self::fetch_wait_max). From 1, the default: records are returned as soon as
    /// there are any. Kafka: `fetch.min.bytes`.
    #[doc(alias = "fetch.min.bytes")]
    pub fn fetch_bytes_min(mut self, bytes: i32) -> Self {
        self.settings.fetch_bytes_min.set(bytes);
        self
    }

    /// Bytes in one response, all partitions together; a single batch that is larger is returned all the
    /// same. From 1, default 50 MiB, or what fits into `limits.frame_bytes` if that is less. Kafka:
    /// `fetch.max.bytes`.
    #[doc(alias = "fetch.max.bytes")]
    pub fn fetch_bytes_max(mut self, bytes: i32) -> Self {
        self.settings.fetch_bytes_max.set(bytes);
        self
    }

    /// How long a broker waits for [`fetch_bytes_min`](Self::fetch_bytes_min). Less than
    /// `request_timeout`. Default 500 ms. Kafka: `fetch.max.wait.ms`; librdkafka: `fetch.wait.max.ms`.
    #[doc(alias = "fetch.max.wait.ms")]
    #[doc(alias = "fetch.wait.max.ms")]
    pub fn fetch_wait_max(mut self, wait: Duration) -> Self {
        self.settings.fetch_wait_max.set(wait);
        self
    }

    /// Bytes of one partition in one response; a single batch that is larger is returned all the same.
    /// From 1, default 1 MiB: a partition with much to read does not push the others out. Kafka:
    /// `max.partition.fetch.bytes`; librdkafka: `fetch.message.max.bytes`.
    #[doc(alias = "max.partition.fetch.bytes")]
    #[doc(alias = "fetch.message.max.bytes")]
    pub fn partition_fetch_bytes_max(mut self, bytes: i32) -> Self {
        self.settings.partition_fetch_bytes_max.set(bytes);
        self
    }

    /// No fetch is sent while this many bytes wait to be polled; fetches that were sent before can come
    /// on top. From 1, default 32 MiB. librdkafka: `queued.max.messages.kbytes`.
    #[doc(alias = "queued.max.messages.kbytes")]
    pub fn prefetch_bytes_max(mut self, bytes: usize) -> Self {
        self.settings.prefetch_bytes_max.set(bytes);
        self
    }

    /// Records that one poll returns at most. 1..=10,000,000, default 10,000, not Kafka's 500: they are views into
    /// the response, so more of them cost nothing. Kafka: `max.poll.records`.
    #[doc(alias = "max.poll.records")]
    pub fn poll_records_max(mut self, records: usize) -> Self {
        self.settings.poll_records_max.set(records);
        self
    }

    /// Whether the checksum of every batch is checked. Default true: it costs some 20 ns per KB, and
    /// without it damaged records can be taken for good ones. Kafka: `check.crcs`.
    #[doc(alias = "check.crcs")]
    pub fn check_crcs(mut self, check: bool) -> Self {
        self.settings.check_crcs.set(check);
        self
    }

    /// The rack of this consumer, by the name of `broker.rack`: brokers may then name a replica
    /// nearby to read from (KIP-392). At most 32,767 bytes. Default: empty, records are read from the leader. Kafka:
    /// `client.rack`.
    #[doc(alias = "client.rack")]
    pub fn rack(mut self, rack: impl Into<String>) -> Self {
        self.settings.rack.set(rack.into());
        self
    }

    /// The promise to keep; a setting that breaks it is rejected with an error that names it. `ExactlyOnce` needs
    /// [`IsolationLevel::ReadCommitted`]; the others ask nothing of a consumer that assigns its
    /// partitions itself. Default: no preset. Kafka has no such key; in properties `milena.delivery.guarantee`.
    #[doc(alias = "milena.delivery.guarantee")]
    pub fn delivery_guarantee(mut self, guarantee: DeliveryGuarantee) -> Self {
        self.settings.delivery_guarantee.set(Some(guarantee));
        self
    }

    /// The checked settings, and what the handle is made on.
    pub(crate) fn finish(self) -> Result<(ConsumerConfig, On), ConfigError> {
        let mut rejections = Rejections::default();
        let client = self.client.build(&mut rejections);
        let settings = self.settings;
        settings.check(&self.client, &mut rejections);
        let mut client = built(rejections, client)?;
        client.names = client.names.and(&settings.names());
        let fetch_bytes_max = settings.fetch_bytes_that_fit(client.limits.frame_bytes);
        let config = ConsumerConfig {
            client,
            isolation_level: settings.isolation_level.into_value(),
            offset_reset: settings.offset_reset.into_value(),
            fetch_bytes_min: settings.fetch_bytes_min.into_value(),
            fetch_bytes_max,
            fetch_wait_max: settings.fetch_wait_max.into_value(),
            partition_fetch_bytes_max: settings.partition_fetch_bytes_max.into_value(),
            prefetch_bytes_max: settings.prefetch_bytes_max.into_value(),
            poll_records_max: settings.poll_records_max.into_value(),
            check_crcs: settings.check_crcs.into_value(),
            rack: settings.rack.into_value(),
        };
        Ok((config, self.on))
    }
}
