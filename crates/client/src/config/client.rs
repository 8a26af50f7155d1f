//! What producers, consumers and the admin client have in common: brokers, time limits, bounds.

use std::collections::BTreeMap;
use std::time::Duration;

use milena_codec::{ApiKey, Limits};
use milena_connection::BrokerAddress;

use super::ConfigError;
use super::error::Rejections;
use super::setting::{Named, Setting, SettingNames, Shown};

/// The builder methods for [`ClientSettings`], for a builder with a field `client`.
macro_rules! client_setters {
    () => {
        /// Names this client in every request, in the broker's logs, quotas and metrics. At most
        /// 32,767 bytes. Default `milena`. Kafka: `client.id`.
        #[doc(alias = "client.id")]
        pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
            self.client.client_id.set(client_id.into());
            self
        }

        /// How long a response may take before its connection is closed and every request on it
        /// counts as unanswered. From 1 ms, default 30 s: brokers hold some responses back for seconds,
        /// and a shorter wait turns a slow broker into unknown outcomes. Kafka: `request.timeout.ms`.
        #[doc(alias = "request.timeout.ms")]
        pub fn request_timeout(mut self, wait: std::time::Duration) -> Self {
            self.client.request_timeout.set(wait);
            self
        }

        /// How long opening a connection may take, name resolution included. From 1 ms, default 10 s.
        /// Kafka: `socket.connection.setup.timeout.ms`.
        #[doc(alias = "socket.connection.setup.timeout.ms")]
        pub fn connect_timeout(mut self, wait: std::time::Duration) -> Self {
            self.client.connect_timeout.set(wait);
            self
        }

        /// The pauses between attempts of one request: `first` before the second attempt, twice
        /// the last one before each further, `longest` at most, jittered. From 1 ms, default 100 ms
        /// and 1 s. Kafka: `retry.backoff.ms` and `retry.backoff.max.ms`.
        #[doc(alias = "retry.backoff.ms")]
        #[doc(alias = "retry.backoff.max.ms")]
        pub fn retry_backoff(
            mut self,
            first: std::time::Duration,
            longest: std::time::Duration,
        ) -> Self {
            self.client.retry_backoff.set(first);
            self.client.retry_backoff_max.set(longest);
            self
        }

        /// The pauses between attempts to connect to one broker, in the same manner. From 1 ms, default
        /// 50 ms and 1 s. Kafka: `reconnect.backoff.ms` and `reconnect.backoff.max.ms`.
        #[doc(alias = "reconnect.backoff.ms")]
        #[doc(alias = "reconnect.backoff.max.ms")]
        pub fn reconnect_backoff(
            mut self,
            first: std::time::Duration,
            longest: std::time::Duration,
        ) -> Self {
            self.client.reconnect_backoff.set(first);
            self.client.reconnect_backoff_max.set(longest);
            self
        }

        /// The age at which metadata is requested again even if nothing went wrong, so that new
        /// partitions are found. From 1 ms, default 5 min. Kafka: `metadata.max.age.ms`; librdkafka:
        /// `topic.metadata.refresh.interval.ms`.
        #[doc(alias = "metadata.max.age.ms")]
        #[doc(alias = "topic.metadata.refresh.interval.ms")]
        pub fn metadata_max_age(mut self, age: std::time::Duration) -> Self {
            self.client.metadata_max_age.set(age);
            self
        }

        /// Requests without a response on one connection, 1..=10,000; more wait. Default 64. Kafka has no such key
        /// (`max.in.flight.requests.per.connection` is about Produce requests only); in properties
        /// `milena.in.flight.requests.max`.
        #[doc(alias = "milena.in.flight.requests.max")]
        pub fn in_flight_requests_max(mut self, requests: usize) -> Self {
            self.client.in_flight_requests_max.set(requests);
            self
        }

        /// Whether calls fail at once while no broker was ever reached. Default `false`: they are repeated until their
        /// time is over, because a broker may start after its clients (KIP-909). Kafka has no such key; in properties
        /// `milena.fail.unreachable.at.once`.
        #[doc(alias = "milena.fail.unreachable.at.once")]
        pub fn fail_unreachable_at_once(mut self, fail: bool) -> Self {
            self.client.fail_unreachable_at_once.set(fail);
            self
        }

        /// The newest version of an API that may be used, for brokers and proxies that announce versions which they
        /// do not serve well. From 0; a cap below all versions that a broker speaks makes the API unusable there.
        /// Default: no caps. Kafka has no such key; in properties `milena.max.versions`, such as
        /// `Fetch:12, ApiVersions:3`.
        #[doc(alias = "milena.max.versions")]
        #[doc(alias = "broker.version.fallback")]
        pub fn max_versions(
            mut self,
            caps: impl IntoIterator<Item = (crate::ApiKey, i16)>,
        ) -> Self {
            self.client.max_versions.set(caps.into_iter().collect());
            self
        }

        /// Bounds on what a broker's bytes may make this client reserve. Default
        /// [`Limits::default`](crate::Limits::default). librdkafka has one of them:
        /// `receive.message.max.bytes` is [`Limits::frame_bytes`](crate::Limits::frame_bytes).
        #[doc(alias = "receive.message.max.bytes")]
        pub fn limits(mut self, limits: crate::Limits) -> Self {
            self.client.frame_bytes.set(limits.frame_bytes);
            self.client.limits = limits;
            self
        }
    };
}
pub(super) use client_setters;

/// Checked settings that every client has: [`Admin`](crate::Admin) needs no others.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Brokers to connect to first, in this order; at least one.
    pub bootstrap: Vec<BrokerAddress>,
    /// Named in every request.
    pub client_id: String,
    /// How long a response may take.
    pub request_timeout: Duration,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// Pause before the second attempt of a request; doubles per attempt.
    pub retry_backoff: Duration,
    /// Longest pause between two attempts of a request.
    pub retry_backoff_max: Duration,
    /// Pause before the second attempt to connect to a broker; doubles per attempt.
    pub reconnect_backoff: Duration,
    /// Longest pause between two attempts to connect to a broker.
    pub reconnect_backoff_max: Duration,
    /// Age at which metadata is requested again even if nothing went wrong.
    pub metadata_max_age: Duration,
    /// Requests without a response on one connection.
    pub in_flight_requests_max: usize,
    /// Whether calls fail at once while no broker was ever reached.
    pub fail_unreachable_at_once: bool,
    /// The newest version of an API that may be used, where there is a cap.
    pub max_versions: BTreeMap<ApiKey, i16>,
    /// Bounds on what a broker's bytes may make this client reserve.
    pub limits: Limits,
    /// What the caller calls the settings.
    pub(crate) names: SettingNames,
}

/// The same between the builder and `build()`.
#[derive(Clone, Debug)]
pub(super) struct ClientSettings {
    pub(super) bootstrap: Setting<Vec<String>>,
    pub(super) client_id: Setting<String>,
    pub(super) request_timeout: Setting<Duration>,
    pub(super) connect_timeout: Setting<Duration>,
    pub(super) retry_backoff: Setting<Duration>,
    pub(super) retry_backoff_max: Setting<Duration>,
    pub(super) reconnect_backoff: Setting<Duration>,
    pub(super) reconnect_backoff_max: Setting<Duration>,
    pub(super) metadata_max_age: Setting<Duration>,
    pub(super) in_flight_requests_max: Setting<usize>,
    pub(super) fail_unreachable_at_once: Setting<bool>,
    pub(super) max_versions: Setting<BTreeMap<ApiKey, i16>>,
    pub(super) frame_bytes: Setting<usize>,
    pub(super) limits: Limits,
}

impl Default for ClientSettings {
    fn default() -> Self {
        let millis = Duration::from_millis;
        Self {
            bootstrap: Setting::new("bootstrap", Vec::new()),
            client_id: Setting::new("client_id", "milena".to_owned()),
            request_timeout: Setting::new("request_timeout", millis(30_000)),
            connect_timeout: Setting::new("connect_timeout", millis(10_000)),
            retry_backoff: Setting::new("retry_backoff", millis(100)),
            retry_backoff_max: Setting::new("retry_backoff_max", millis(1_000)),
            reconnect_backoff: Setting::new("reconnect_backoff", millis(50)),
            reconnect_backoff_max: Setting::new("reconnect_backoff_max", millis(1_000)),
            metadata_max_age: Setting::new("metadata_max_age", millis(300_000)),
            in_flight_requests_max: Setting::new("in_flight_requests_max", 64),
            fail_unreachable_at_once: Setting::new("fail_unreachable_at_once", false),
            max_versions: Setting::new("max_versions", BTreeMap::new()),
            frame_bytes: Setting::new("limits.frame_bytes", Limits::default().frame_bytes),
            limits: Limits::default(),
        }
    }
}

/// Kafka counts durations in a signed 32-bit number of milliseconds.
pub(super) const DURATION_MAX: Duration = Duration::from_millis(i32::MAX as u64);

/// What a client is set to, for the builders of its handles.
impl From<&ClientConfig> for ClientSettings {
    fn from(config: &ClientConfig) -> Self {
        let mut settings = Self::default();
        let names = &config.names;
        let bootstrap = config.bootstrap.iter().map(ToString::to_string);
        settings.bootstrap.adopt(bootstrap.collect(), names);
        settings.client_id.adopt(config.client_id.clone(), names);
        for (setting, value) in [
            (&mut settings.request_timeout, config.request_timeout),
            (&mut settings.connect_timeout, config.connect_timeout),
            (&mut settings.retry_backoff, config.retry_backoff),
            (&mut settings.retry_backoff_max, config.retry_backoff_max),
            (&mut settings.reconnect_backoff, config.reconnect_backoff),
            (
                &mut settings.reconnect_backoff_max,
                config.reconnect_backoff_max,
            ),
            (&mut settings.metadata_max_age, config.metadata_max_age),
        ] {
            setting.adopt(value, names);
        }
        let in_flight = &mut settings.in_flight_requests_max;
        in_flight.adopt(config.in_flight_requests_max, names);
        let at_once = &mut settings.fail_unreachable_at_once;
        at_once.adopt(config.fail_unreachable_at_once, names);
        let caps = &mut settings.max_versions;
        caps.adopt(config.max_versions.clone(), names);
        settings.frame_bytes.adopt(config.limits.frame_bytes, names);
        settings.limits = config.limits;
        settings
    }
}

/// A builder of a handle with client-level settings of its own; [`Client`](crate::Client) in its place
/// makes a builder of a handle of that client, which has no methods for them.
#[derive(Clone, Copy, Debug)]
pub struct Standalone;

impl ClientSettings {
    pub(super) fn set_bootstrap(&mut self, addresses: impl IntoIterator<Item = impl Into<String>>) {
        self.bootstrap
            .set(addresses.into_iter().map(Into::into).collect());
    }

    /// The checked settings; what cannot work is added to `rejections`.
    pub(super) fn build(&self, rejections: &mut Rejections) -> Option<ClientConfig> {
        let bootstrap = rejections.keep(self.addresses());
        self.check(rejections);
        Some(ClientConfig {
            bootstrap: bootstrap?,
            client_id: self.client_id.value().clone(),
            request_timeout: *self.request_timeout.value(),
            connect_timeout: *self.connect_timeout.value(),
            retry_backoff: *self.retry_backoff.value(),
            retry_backoff_max: longest(&self.retry_backoff, &self.retry_backoff_max),
            reconnect_backoff: *self.reconnect_backoff.value(),
            reconnect_backoff_max: longest(&self.reconnect_backoff, &self.reconnect_backoff_max),
            metadata_max_age: *self.metadata_max_age.value(),
            in_flight_requests_max: *self.in_flight_requests_max.value(),
            fail_unreachable_at_once: *self.fail_unreachable_at_once.value(),
            max_versions: self.max_versions.value().clone(),
            limits: self.bounds(),
            names: self.names(),
        })
    }

    pub(super) fn bounds(&self) -> Limits {
        let mut limits = self.limits;
        limits.frame_bytes = *self.frame_bytes.value();
        limits
    }

    fn names(&self) -> SettingNames {
        let settings: [&dyn Named; 13] = [
            &self.bootstrap,
            &self.client_id,
            &self.request_timeout,
            &self.connect_timeout,
            &self.retry_backoff,
            &self.retry_backoff_max,
            &self.reconnect_backoff,
            &self.reconnect_backoff_max,
            &self.metadata_max_age,
            &self.in_flight_requests_max,
            &self.fail_unreachable_at_once,
            &self.max_versions,
            &self.frame_bytes,
        ];
        SettingNames::of(settings)
    }

    /// Checks what properties have set; a bootstrap list may still come.
    pub(super) fn check_so_far(&self, rejections: &mut Rejections) {
        if self.bootstrap.is_explicit() {
            rejections.keep(self.addresses());
        }
        self.check(rejections);
    }

    /// Checks everything but the bootstrap list.
    fn check(&self, rejections: &mut Rejections) {
        rejections.keep(short_enough(&self.client_id));
        for wait in [
            &self.request_timeout,
            &self.connect_timeout,
            &self.metadata_max_age,
        ] {
            rejections.keep(positive(wait));
        }
        for (first, longest) in [
            (&self.retry_backoff, &self.retry_backoff_max),
            (&self.reconnect_backoff, &self.reconnect_backoff_max),
        ] {
            rejections.keep(pauses(first, longest));
        }
        rejections.keep(in_range(&self.in_flight_requests_max, 1, 10_000));
        rejections.keep(in_range(&self.frame_bytes, 1_024, i32::MAX as usize));
        rejections.keep(self.versions_begin_with_0());
    }

    fn versions_begin_with_0(&self) -> Result<(), ConfigError> {
        let caps = &self.max_versions;
        if caps.value().values().all(|version| *version >= 0) {
            return Ok(());
        }
        Err(caps.reject(
            "versions begin with 0",
            "leave the API out if it needs no cap",
        ))
    }

    fn addresses(&self) -> Result<Vec<BrokerAddress>, ConfigError> {
        let written = self.bootstrap.value().iter();
        let each = written.flat_map(|list| list.split(',')).map(str::trim);
        let addresses = each
            .filter(|address| !address.is_empty())
            .map(|address| self.address(address))
            .collect::<Result<Vec<_>, _>>()?;
        if addresses.is_empty() {
            return Err(self.bootstrap.reject(
                "without a broker to connect to first nothing can be found",
                "name at least one as host:port",
            ));
        }
        Ok(addresses)
    }

    /// `host:port`, and as librdkafka allows it `PLAINTEXT://host:port`, both without a port too.
    fn address(&self, written: &str) -> Result<BrokerAddress, ConfigError> {
        let rejected = |reason: String, remedy: &str| {
            ConfigError::new(self.bootstrap.name(), written, reason, remedy)
        };
        let address = match written.split_once("://") {
            None => written,
            Some((scheme, address)) if scheme.eq_ignore_ascii_case("PLAINTEXT") => address,
            Some((scheme, _)) => {
                return Err(rejected(
                    format!("connections are plain TCP, and {scheme} is not built yet"),
                    "write host:port of a PLAINTEXT listener",
                ));
            }
        };
        let with_port = if has_no_port(address) {
            format!("{address}:{PORT}")
        } else {
            address.to_owned()
        };
        with_port.parse::<BrokerAddress>().map_err(|error| {
            rejected(
                error.to_string(),
                "write host:port, such as localhost:9092 or [::1]:9092",
            )
        })
    }
}

/// Kafka's port, where an address names none.
const PORT: u16 = 9092;

/// `localhost` and `[::1]`, unlike `::1`, of which the end may be a port.
fn has_no_port(address: &str) -> bool {
    !address.is_empty() && (!address.contains(':') || address.ends_with(']'))
}

/// No longer than a string of the protocol.
pub(super) fn short_enough(text: &Setting<String>) -> Result<(), ConfigError> {
    if text.value().len() <= i16::MAX as usize {
        return Ok(());
    }
    let length = format!("({} bytes)", text.value().len());
    let reason = "the protocol has room for 32767 bytes";
    Err(ConfigError::new(text.name(), length, reason, "shorten it"))
}

/// At least a millisecond, and no longer than the protocol can express.
pub(super) fn positive(wait: &Setting<Duration>) -> Result<(), ConfigError> {
    if *wait.value() < Duration::from_millis(1) {
        return Err(wait.reject(
            "nothing can be done in less than 1 ms",
            "choose 1 ms or more",
        ));
    }
    countable(wait)
}

/// No longer than the protocol can express.
pub(super) fn countable(wait: &Setting<Duration>) -> Result<(), ConfigError> {
    if *wait.value() > DURATION_MAX {
        return Err(wait.reject(
            "Kafka counts milliseconds in a signed 32-bit number",
            "choose at most 24 days",
        ));
    }
    Ok(())
}

/// `low..=high`.
pub(super) fn in_range<T>(setting: &Setting<T>, low: T, high: T) -> Result<(), ConfigError>
where
    T: Copy + PartialOrd + std::fmt::Display + Shown,
{
    if *setting.value() < low || *setting.value() > high {
        return Err(setting.reject("it is out of range", format!("choose {low}..={high}")));
    }
    Ok(())
}

fn pauses(first: &Setting<Duration>, longest: &Setting<Duration>) -> Result<(), ConfigError> {
    positive(first)?;
    positive(longest)?;
    if first.value() > longest.value() && longest.is_explicit() {
        return Err(longest.reject(
            format!("it is below {} = {:?}", first.name(), first.value()),
            format!("raise it, or lower {}", first.name()),
        ));
    }
    Ok(())
}

/// The longest pause: a default is overridden by a longer first one.
fn longest(first: &Setting<Duration>, longest: &Setting<Duration>) -> Duration {
    *longest.value().max(first.value())
}

/// Collects what all clients have in common; `build` checks it.
#[doc(alias = "AdminClientConfig")]
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientBuilder {
    pub(super) client: ClientSettings,
}

impl ClientBuilder {
    /// A builder with every default. `bootstrap` names brokers to connect to first as `host:port`, port 9092 if it is
    /// left out; one that responds is enough, it names the others. Kafka: `bootstrap.servers`; librdkafka:
    /// `metadata.broker.list`.
    #[doc(alias = "bootstrap.servers")]
    #[doc(alias = "metadata.broker.list")]
    pub fn new(bootstrap: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut client = ClientSettings::default();
        client.set_bootstrap(bootstrap);
        Self { client }
    }

    client_setters!();

    /// The checked settings.
    ///
    /// # Errors
    /// The settings that cannot work, all of them, each with its value, the reason and what to do.
    pub fn build(self) -> Result<ClientConfig, ConfigError> {
        let mut rejections = Rejections::default();
        let client = self.client.build(&mut rejections);
        built(rejections, client)
    }

    /// As [`build`](Self::build).
    ///
    /// # Errors
    /// The same.
    pub fn config(self) -> Result<ClientConfig, ConfigError> {
        self.build()
    }
}

/// What was built, unless something was rejected.
pub(super) fn built<T>(rejections: Rejections, built: Option<T>) -> Result<T, ConfigError> {
    rejections.into_result()?;
    // Without a rejection everything was built.
    built.ok_or_else(|| {
        ConfigError::without_value("settings", "they were not built", "report this as a bug")
    })
}
