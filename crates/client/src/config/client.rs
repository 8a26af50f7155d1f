//! What producers, consumers and the admin client have in common: brokers, time limits, bounds.

use std::time::Duration;

use milena_codec::Limits;
use milena_connection::BrokerAddress;

use super::ConfigError;
use super::setting::{Setting, Shown};

/// The builder methods for [`ClientSettings`], for a builder with a field `client`.
macro_rules! client_setters {
    () => {
        /// Names this client in every request, in the broker's logs, quotas and metrics. At most
        /// 32,767 bytes. Default `milena`.
        pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
            self.client.client_id.set(client_id.into());
            self
        }

        /// How long an answer may take before its connection is given up and every request on it
        /// counts as unanswered (P-43). Default 30 s: brokers hold some answers back for seconds,
        /// and a shorter wait turns a slow broker into unknown outcomes.
        pub fn request_timeout(mut self, wait: std::time::Duration) -> Self {
            self.client.request_timeout.set(wait);
            self
        }

        /// How long a dial may take. Default 10 s.
        pub fn connect_timeout(mut self, wait: std::time::Duration) -> Self {
            self.client.connect_timeout.set(wait);
            self
        }

        /// The pauses between attempts of one request: `first` before the second attempt, twice
        /// the last one before each further, `longest` at most, jittered. Default 100 ms and 1 s.
        pub fn retry_backoff(
            mut self,
            first: std::time::Duration,
            longest: std::time::Duration,
        ) -> Self {
            self.client.retry_backoff.set(first);
            self.client.retry_backoff_max.set(longest);
            self
        }

        /// The pauses between dials of one broker, in the same manner. Default 50 ms and 1 s.
        pub fn reconnect_backoff(
            mut self,
            first: std::time::Duration,
            longest: std::time::Duration,
        ) -> Self {
            self.client.reconnect_backoff.set(first);
            self.client.reconnect_backoff_max.set(longest);
            self
        }

        /// The age at which metadata is learnt anew even if nothing went wrong, so that new
        /// partitions are found. Default 5 min.
        pub fn metadata_max_age(mut self, age: std::time::Duration) -> Self {
            self.client.metadata_max_age.set(age);
            self
        }

        /// Requests without an answer on one connection, 1..=10,000; more wait. Default 64.
        pub fn in_flight_requests_max(mut self, requests: usize) -> Self {
            self.client.in_flight_requests_max.set(requests);
            self
        }

        /// Bounds on what a broker's bytes may make this client reserve. Default
        /// [`Limits::default`](milena_codec::Limits::default).
        pub fn limits(mut self, limits: milena_codec::Limits) -> Self {
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
    /// Brokers asked first, in this order; at least one.
    pub bootstrap: Vec<BrokerAddress>,
    /// Named in every request.
    pub client_id: String,
    /// How long an answer may take.
    pub request_timeout: Duration,
    /// How long a dial may take.
    pub connect_timeout: Duration,
    /// Pause before the second attempt of a request; doubles per attempt.
    pub retry_backoff: Duration,
    /// Longest pause between two attempts of a request.
    pub retry_backoff_max: Duration,
    /// Pause before the second dial of a broker; doubles per dial.
    pub reconnect_backoff: Duration,
    /// Longest pause between two dials of a broker.
    pub reconnect_backoff_max: Duration,
    /// Age at which metadata is learnt anew even if nothing went wrong.
    pub metadata_max_age: Duration,
    /// Requests without an answer on one connection.
    pub in_flight_requests_max: usize,
    /// Bounds on what a broker's bytes may make this client reserve.
    pub limits: Limits,
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
        settings.set_bootstrap(config.bootstrap.iter().map(ToString::to_string));
        settings.client_id.set(config.client_id.clone());
        settings.request_timeout.set(config.request_timeout);
        settings.connect_timeout.set(config.connect_timeout);
        settings.retry_backoff.set(config.retry_backoff);
        settings.retry_backoff_max.set(config.retry_backoff_max);
        settings.reconnect_backoff.set(config.reconnect_backoff);
        settings
            .reconnect_backoff_max
            .set(config.reconnect_backoff_max);
        settings.metadata_max_age.set(config.metadata_max_age);
        settings
            .in_flight_requests_max
            .set(config.in_flight_requests_max);
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

    /// The checked settings, or the first that cannot work.
    pub(super) fn build(&self) -> Result<ClientConfig, ConfigError> {
        let bootstrap = self.addresses()?;
        self.check()?;
        Ok(ClientConfig {
            bootstrap,
            client_id: self.client_id.value().clone(),
            request_timeout: *self.request_timeout.value(),
            connect_timeout: *self.connect_timeout.value(),
            retry_backoff: *self.retry_backoff.value(),
            retry_backoff_max: longest(&self.retry_backoff, &self.retry_backoff_max),
            reconnect_backoff: *self.reconnect_backoff.value(),
            reconnect_backoff_max: longest(&self.reconnect_backoff, &self.reconnect_backoff_max),
            metadata_max_age: *self.metadata_max_age.value(),
            in_flight_requests_max: *self.in_flight_requests_max.value(),
            limits: self.limits,
        })
    }

    /// Everything but the bootstrap list, which may still come.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.client_id.value().len() > i16::MAX as usize {
            return Err(ConfigError::new(
                self.client_id.name(),
                format!("({} bytes)", self.client_id.value().len()),
                "the protocol has room for 32767 bytes",
                "shorten it",
            ));
        }
        for wait in [
            &self.request_timeout,
            &self.connect_timeout,
            &self.metadata_max_age,
        ] {
            positive(wait)?;
        }
        pauses(&self.retry_backoff, &self.retry_backoff_max)?;
        pauses(&self.reconnect_backoff, &self.reconnect_backoff_max)?;
        in_range(&self.in_flight_requests_max, 1, 10_000)?;
        if self.limits.frame_bytes < 1_024 || self.limits.frame_bytes > i32::MAX as usize {
            return Err(ConfigError::new(
                "limits.frame_bytes",
                self.limits.frame_bytes,
                "an answer's length travels as a signed 32-bit number and answers take more than 1 KiB",
                "choose 1024..=2147483647",
            ));
        }
        Ok(())
    }

    fn addresses(&self) -> Result<Vec<BrokerAddress>, ConfigError> {
        let written = self.bootstrap.value().iter();
        let each = written.flat_map(|list| list.split(',')).map(str::trim);
        let addresses = each
            .filter(|address| !address.is_empty())
            .map(|address| self.address(address))
            .collect::<Result<Vec<_>, _>>()?;
        if addresses.is_empty() {
            return Err(self.bootstrap.refuse(
                "without a broker to ask first nothing can be found",
                "name at least one as host:port",
            ));
        }
        Ok(addresses)
    }

    fn address(&self, written: &str) -> Result<BrokerAddress, ConfigError> {
        written.parse::<BrokerAddress>().map_err(|error| {
            ConfigError::new(
                self.bootstrap.name(),
                written,
                error.to_string(),
                "write host:port, such as localhost:9092 or [::1]:9092",
            )
        })
    }
}

/// At least a millisecond and no longer than Kafka can count.
pub(super) fn positive(wait: &Setting<Duration>) -> Result<(), ConfigError> {
    if *wait.value() < Duration::from_millis(1) {
        return Err(wait.refuse(
            "nothing can be done in less than 1 ms",
            "choose 1 ms or more",
        ));
    }
    countable(wait)
}

/// No longer than Kafka can count.
pub(super) fn countable(wait: &Setting<Duration>) -> Result<(), ConfigError> {
    if *wait.value() > DURATION_MAX {
        return Err(wait.refuse(
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
        return Err(setting.refuse("it is out of range", format!("choose {low}..={high}")));
    }
    Ok(())
}

fn pauses(first: &Setting<Duration>, longest: &Setting<Duration>) -> Result<(), ConfigError> {
    positive(first)?;
    positive(longest)?;
    if first.value() > longest.value() && longest.is_explicit() {
        return Err(longest.refuse(
            format!("it is below {} = {:?}", first.name(), first.value()),
            format!("raise it, or lower {}", first.name()),
        ));
    }
    Ok(())
}

/// The longest pause: a default gives way to a longer first one that was asked for.
fn longest(first: &Setting<Duration>, longest: &Setting<Duration>) -> Duration {
    *longest.value().max(first.value())
}

/// Collects what all clients have in common; `build()` checks it and names the first setting that
/// cannot work.
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientBuilder {
    pub(super) client: ClientSettings,
}

impl ClientBuilder {
    /// A builder with every default. `bootstrap` names brokers to ask first as `host:port`; one
    /// that answers is enough, the others are learnt from it.
    pub fn new(bootstrap: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut client = ClientSettings::default();
        client.set_bootstrap(bootstrap);
        Self { client }
    }

    client_setters!();

    /// The checked settings.
    ///
    /// # Errors
    /// The first setting that cannot work, with its value, the reason and what to do.
    pub fn config(self) -> Result<ClientConfig, ConfigError> {
        self.client.build()
    }
}
