//! Settings of connections and of a cluster handle.

use crate::BrokerAddress;
use crate::backoff::Backoff;
use milena_codec::{ApiKey, Limits};
use std::collections::BTreeMap;
use std::time::Duration;

/// How to speak to brokers. Start from [`ConnectionConfig::default`] and change what needs it; fields
/// may be added in minor versions, so end a literal with `..ConnectionConfig::default()`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionConfig {
    /// The client's name for itself, which brokers show in logs, quotas and metrics. Default `milena`.
    pub client_id: String,
    /// How long a request may go unanswered. After that its connection is given up and everything on
    /// it has an unknown outcome (P-43). Default 30 s.
    pub request_timeout: Duration,
    /// How long the lookups that any broker can answer (ApiVersions, Metadata, FindCoordinator) may go
    /// unanswered before another broker is asked. Shorter than `request_timeout`, because a lookup
    /// repeated elsewhere harms nobody while a hung broker would hold up everything. Default 5 s.
    pub lookup_timeout: Duration,
    /// Requests on one connection that are queued or not answered yet, at most. Default 64.
    pub in_flight_requests_max: usize,
    /// Connections to one broker, of all kinds and handles, open or being opened; one more is rejected.
    /// Default 1,000.
    pub connections_per_broker_max: usize,
    /// How long opening a transport may take, name resolution included. Default 10 s.
    pub connect_timeout: Duration,
    /// Waits between dials of one broker. Default 50 ms to 1 s.
    pub reconnect_backoff: Backoff,
    /// Waits between metadata refreshes and between coordinator lookups. Default 100 ms to 1 s.
    pub refresh_backoff: Backoff,
    /// After how long metadata is refreshed although nothing seemed wrong, which finds new brokers and
    /// partitions, and feature levels that changed. Default 5 min.
    pub metadata_max_age: Duration,
    /// Topics whose metadata is kept, at most; beyond it the one wanted longest ago is forgotten.
    /// Default 10,000.
    pub topics_max: usize,
    /// Coordinators that are remembered, at most. Default 10,000. Those that callers wait for come on top: one
    /// entry for each key, and one for each call that waits.
    pub coordinators_max: usize,
    /// Whether asking for a topic may create it, if the broker allows that too. Default false: a
    /// misspelled name should be an error, not a new topic.
    pub topic_auto_creation: bool,
    /// Whether calls fail at once while no broker was ever reached. Default false: they are repeated, with back-off,
    /// until their own time is over, because a broker may start after its clients (KIP-909). Where
    /// something answers that is no Kafka broker, they fail at once either way.
    pub fail_unreachable_at_once: bool,
    /// The newest version of an API that may be used, for brokers and proxies that announce versions which they do not
    /// serve well. An API that is not named here has no such cap. A cap below all versions that a
    /// broker speaks makes the API unusable there. Default: none.
    pub max_versions: BTreeMap<ApiKey, i16>,
    /// How much a broker may make us read. See [`Limits`].
    pub limits: Limits,
    /// Seed of everything random here (jitter, the order in which brokers are tried). `None`, the
    /// default, takes a fresh one; tests and simulations set it.
    pub seed: Option<u64>,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            client_id: "milena".to_owned(),
            request_timeout: Duration::from_secs(30),
            lookup_timeout: Duration::from_secs(5),
            in_flight_requests_max: 64,
            connections_per_broker_max: 1_000,
            connect_timeout: Duration::from_secs(10),
            reconnect_backoff: Backoff::default(),
            refresh_backoff: Backoff {
                initial: Duration::from_millis(100),
                ..Backoff::default()
            },
            metadata_max_age: Duration::from_secs(300),
            topics_max: 10_000,
            coordinators_max: 10_000,
            topic_auto_creation: false,
            fail_unreachable_at_once: false,
            max_versions: BTreeMap::new(),
            limits: Limits::default(),
            seed: None,
        }
    }
}

impl ConnectionConfig {
    /// Checks the settings for values that cannot work.
    ///
    /// # Errors
    /// [`ConfigError::Value`] names the first such setting.
    pub fn check(&self) -> Result<(), ConfigError> {
        let not_zero = "must be more than zero";
        if self.client_id.len() > usize::from(i16::MAX.unsigned_abs()) {
            return Err(ConfigError::value(
                "client_id",
                "must be at most 32,767 bytes",
            ));
        }
        for (setting, duration) in [
            ("request_timeout", self.request_timeout),
            ("lookup_timeout", self.lookup_timeout),
            ("connect_timeout", self.connect_timeout),
            ("metadata_max_age", self.metadata_max_age),
        ] {
            if duration.is_zero() {
                return Err(ConfigError::value(setting, not_zero));
            }
        }
        for (setting, number) in [
            ("in_flight_requests_max", self.in_flight_requests_max),
            (
                "connections_per_broker_max",
                self.connections_per_broker_max,
            ),
            ("topics_max", self.topics_max),
            ("coordinators_max", self.coordinators_max),
        ] {
            if number == 0 {
                return Err(ConfigError::value(setting, not_zero));
            }
        }
        if self.max_versions.values().any(|version| *version < 0) {
            return Err(ConfigError::value("max_versions", "versions begin with 0"));
        }
        for (setting, backoff) in [
            ("reconnect_backoff", &self.reconnect_backoff),
            ("refresh_backoff", &self.refresh_backoff),
        ] {
            if backoff.initial.is_zero() || backoff.max < backoff.initial {
                return Err(ConfigError::value(
                    setting,
                    "must wait longer than zero, up to its max",
                ));
            }
        }
        Ok(())
    }
}

/// How to reach a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterConfig {
    /// Where to begin: brokers asked for the list of all brokers, at start and whenever none of those
    /// known answers. One is enough, some more survive the loss of one.
    pub bootstrap: Vec<BrokerAddress>,
    /// How to speak to brokers.
    pub connection: ConnectionConfig,
}

/// A setting cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no bootstrap address.
    #[error("bootstrap: at least one broker address is needed")]
    NoBootstrap,
    /// A value is out of its range.
    #[error("{setting}: {problem}")]
    Value {
        /// The setting's name.
        setting: &'static str,
        /// What it must be.
        problem: &'static str,
    },
}

impl ConfigError {
    fn value(setting: &'static str, problem: &'static str) -> Self {
        Self::Value { setting, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_work() {
        assert_eq!(ConnectionConfig::default().check(), Ok(()));
    }

    #[test]
    fn the_first_setting_that_cannot_work_is_named() {
        let config = ConnectionConfig {
            in_flight_requests_max: 0,
            lookup_timeout: Duration::ZERO,
            ..ConnectionConfig::default()
        };
        let error = config.check().unwrap_err();
        assert_eq!(error.to_string(), "lookup_timeout: must be more than zero");
    }
}
