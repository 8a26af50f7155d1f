//! The consumer's settings and their builder.

use std::time::Duration;

use super::client::{
    ClientConfig, ClientSettings, Standalone, client_setters, countable, in_range,
};
use super::setting::{Setting, Shown};
use super::{ConfigError, DeliveryGuarantee};
use crate::consumer::{IsolationLevel, OffsetReset};

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
    /// Bytes that a broker waits for before it answers.
    pub fetch_bytes_min: i32,
    /// Bytes in one answer, all partitions together.
    pub fetch_bytes_max: i32,
    /// How long a broker waits for `fetch_bytes_min`.
    pub fetch_wait_max: Duration,
    /// Bytes of one partition in one answer.
    pub partition_fetch_bytes_max: i32,
    /// No fetch is sent while this many bytes wait to be taken.
    pub prefetch_bytes_max: usize,
    /// Records that one poll gives.
    pub poll_records_max: usize,
    /// Whether the checksum of every batch is checked.
    pub check_crcs: bool,
    /// Where this consumer stands; empty if it does not matter.
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

/// What an answer has besides records, at least.
const ANSWER_OVERHEAD: usize = 512;

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

impl ConsumerSettings {
    /// Defaults give way to what was asked for; what was asked for and cannot work is refused.
    pub(super) fn check(&self, client: &ClientSettings) -> Result<(), ConfigError> {
        self.check_guarantee()?;
        in_range(&self.fetch_bytes_min, 1, i32::MAX)?;
        in_range(&self.fetch_bytes_max, 1, i32::MAX)?;
        in_range(&self.partition_fetch_bytes_max, 1, i32::MAX)?;
        let frame_bytes = client.limits.frame_bytes;
        if self.fetch_bytes_max.is_explicit()
            && bytes(*self.fetch_bytes_max.value()).saturating_add(ANSWER_OVERHEAD) > frame_bytes
        {
            return Err(self.fetch_bytes_max.refuse(
                format!("an answer of that size is no frame: limits.frame_bytes is {frame_bytes}"),
                "lower it, or raise limits.frame_bytes (receive.message.max.bytes)",
            ));
        }
        in_range(&self.poll_records_max, 1, 10_000_000)?;
        countable(&self.fetch_wait_max)?;
        if self.fetch_wait_max.value() >= client.request_timeout.value() {
            let request = &client.request_timeout;
            return Err(self.fetch_wait_max.refuse(
                format!(
                    "an answer that takes {} = {:?} counts as none",
                    request.name(),
                    request.value()
                ),
                format!("lower it, or raise {}", request.name()),
            ));
        }
        if *self.prefetch_bytes_max.value() == 0 {
            return Err(self
                .prefetch_bytes_max
                .refuse("nothing could ever be fetched", "raise it"));
        }
        if self.rack.value().len() > i16::MAX as usize {
            let length = format!("({} bytes)", self.rack.value().len());
            let reason = "the protocol has room for 32767 bytes";
            return Err(ConfigError::new(
                self.rack.name(),
                length,
                reason,
                "shorten it",
            ));
        }
        Ok(())
    }

    /// What was asked for; the default gives way to a smaller bound on frames. An answer that is refused
    /// as a frame is asked for again, and would be for ever.
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
            return Err(self.isolation_level.refuse(
                "delivery guarantee exactly_once: it shows records of aborted transactions (D-85)",
                "leave it unset, or set it to read_committed",
            ));
        }
        Ok(())
    }
}

/// Collects a consumer's settings; `build()` checks them and names the first that cannot work.
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
#[derive(Clone, Debug)]
#[must_use]
pub struct ConsumerBuilder<On = Standalone> {
    pub(super) client: ClientSettings,
    pub(super) settings: ConsumerSettings,
    pub(super) on: On,
}

impl ConsumerBuilder {
    /// A builder with every default. `bootstrap` names brokers to ask first as `host:port`; one
    /// that answers is enough, the others are learnt from it.
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
    /// The first setting that cannot work, with its value, the reason and what to do.
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

    /// Which records of transactions are seen. Default [`IsolationLevel::ReadCommitted`], unlike
    /// the Java client: what was aborted should not be seen by accident.
    pub fn isolation_level(mut self, level: IsolationLevel) -> Self {
        self.settings.isolation_level.set(level);
        self
    }

    /// Where to go on when a position is unknown or the log no longer holds it. Default
    /// [`OffsetReset::Error`].
    pub fn offset_reset(mut self, reset: OffsetReset) -> Self {
        self.settings.offset_reset.set(reset);
        self
    }

    /// Bytes that a broker waits for before it answers, at most
    /// [`fetch_wait_max`](Self::fetch_wait_max). From 1, the default: records are given as soon as
    /// there are any.
    pub fn fetch_bytes_min(mut self, bytes: i32) -> Self {
        self.settings.fetch_bytes_min.set(bytes);
        self
    }

    /// Bytes in one answer, all partitions together; a single batch that is larger comes all the
    /// same. From 1, default 50 MiB, or what fits into `limits.frame_bytes` if that is less.
    pub fn fetch_bytes_max(mut self, bytes: i32) -> Self {
        self.settings.fetch_bytes_max.set(bytes);
        self
    }

    /// How long a broker waits for [`fetch_bytes_min`](Self::fetch_bytes_min). Less than
    /// `request_timeout`. Default 500 ms.
    pub fn fetch_wait_max(mut self, wait: Duration) -> Self {
        self.settings.fetch_wait_max.set(wait);
        self
    }

    /// Bytes of one partition in one answer; a single batch that is larger comes all the same.
    /// From 1, default 1 MiB: a partition with much to read does not push the others out.
    pub fn partition_fetch_bytes_max(mut self, bytes: i32) -> Self {
        self.settings.partition_fetch_bytes_max.set(bytes);
        self
    }

    /// No fetch is sent while this many bytes wait to be taken; what was asked for before can come
    /// on top. From 1, default 32 MiB.
    pub fn prefetch_bytes_max(mut self, bytes: usize) -> Self {
        self.settings.prefetch_bytes_max.set(bytes);
        self
    }

    /// Records that one poll gives at most. 1..=10,000,000, default 10,000.
    pub fn poll_records_max(mut self, records: usize) -> Self {
        self.settings.poll_records_max.set(records);
        self
    }

    /// Whether the checksum of every batch is checked. Default true: it costs some 20 ns per KB, and
    /// without it damaged records can be taken for good ones.
    pub fn check_crcs(mut self, check: bool) -> Self {
        self.settings.check_crcs.set(check);
        self
    }

    /// Where this consumer stands, by the name of `broker.rack`: brokers may then name a replica
    /// nearby to read from (KIP-392). Default: empty, the leader is read from.
    pub fn rack(mut self, rack: impl Into<String>) -> Self {
        self.settings.rack.set(rack.into());
        self
    }

    /// The promise to keep; a setting that breaks it is refused by name. `ExactlyOnce` needs
    /// [`IsolationLevel::ReadCommitted`]; the others ask nothing of a consumer that assigns its
    /// partitions itself. Default: no preset.
    pub fn delivery_guarantee(mut self, guarantee: DeliveryGuarantee) -> Self {
        self.settings.delivery_guarantee.set(Some(guarantee));
        self
    }

    /// The checked settings, and what the handle is made on.
    pub(crate) fn finish(self) -> Result<(ConsumerConfig, On), ConfigError> {
        let client = self.client.build()?;
        let settings = self.settings;
        settings.check(&self.client)?;
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
