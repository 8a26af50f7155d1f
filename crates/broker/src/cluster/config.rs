//! Configurations of topics and brokers: what may be set, and what the broker makes of it.

mod broker;
mod effects;
mod topic_keys;
mod value;

use crate::Time;
pub(crate) use broker::{BrokerConfigKey, BrokerConfigs, Scope};
pub(crate) use effects::EFFECTS;
use milena_codec::TimestampType;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
pub(crate) use topic_keys::{TOPIC_CONFIGS, TopicConfigKey};
use value::Fault;
pub(crate) use value::{Kind, list};

/// A configuration that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("Cannot update these configs dynamically: [{name}]")]
    NotDynamic { name: String },
    #[error("no setting of a broker is named {name}")]
    UnknownBrokerName { name: String },
    #[error("Invalid value {value} for configuration {name}: it is out of range")]
    OutOfRange { name: String, value: String },
    #[error("Unknown topic config name: {name}")]
    UnknownName { name: String },
    #[error("Invalid value {value} for configuration {name}: {fault}")]
    InvalidValue {
        name: String,
        value: String,
        fault: Fault,
    },
}

/// What the broker's settings say of topics without a value of their own, by the topic's name for it.
pub(crate) type TopicDefaults = BTreeMap<&'static str, (String, Source)>;

/// Where a value comes from; the ids are those of DescribeConfigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Topic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
}

/// A topic's configuration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TopicConfig {
    defaults: Arc<TopicDefaults>,
    overrides: BTreeMap<String, String>,
    max_message_bytes: usize,
    timestamp_type: TimestampType,
    timestamp_before_max: i64,
    timestamp_after_max: i64,
    min_insync_replicas: usize,
    retention: Retention,
    compaction: Option<Compaction>,
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self::following(Arc::default())
    }
}

impl TopicConfig {
    /// A configuration in which nothing is set.
    pub(crate) fn following(defaults: Arc<TopicDefaults>) -> Self {
        let mut config = Self {
            defaults,
            overrides: BTreeMap::new(),
            max_message_bytes: 0,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max: 0,
            timestamp_after_max: 0,
            min_insync_replicas: 1,
            retention: Retention::default(),
            compaction: None,
        };
        config.apply();
        config
    }

    /// A configuration with these values set.
    ///
    /// # Errors
    /// [`ConfigError`] for the first one that cannot be.
    pub(crate) fn new(
        defaults: Arc<TopicDefaults>,
        overrides: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut config = Self::following(defaults);
        for (name, value) in overrides {
            config.set(&name, Some(&value))?;
        }
        Ok(config)
    }

    /// Follows other settings of the broker.
    pub(crate) fn follow(&mut self, defaults: Arc<TopicDefaults>) {
        self.defaults = defaults;
        self.apply();
    }

    /// Sets a value, or removes it so that the default holds.
    ///
    /// # Errors
    /// [`ConfigError`] if there is no such configuration or it cannot have that value.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), ConfigError> {
        let Some(key) = TOPIC_CONFIGS.iter().find(|key| key.name == name) else {
            // As Kafka, which finds nothing to remove.
            if value.is_none() {
                return Ok(());
            }
            return Err(ConfigError::UnknownName {
                name: name.to_owned(),
            });
        };
        match value {
            None => {
                self.overrides.remove(name);
            }
            Some(value) => {
                check(key, value)?;
                self.overrides.insert(name.to_owned(), value.to_owned());
            }
        }
        self.apply();
        Ok(())
    }

    /// What was set for this topic.
    pub(crate) fn overridden(&self, name: &str) -> Option<&str> {
        self.overrides.get(name).map(String::as_str)
    }

    /// The value that holds, and where it comes from.
    pub(crate) fn value(&self, key: &TopicConfigKey) -> (&str, Source) {
        match self.overridden(key.name) {
            Some(value) => (value, Source::Topic),
            None => self.inherited(key),
        }
    }

    /// The value that holds for topics that set none.
    pub(crate) fn inherited(&self, key: &TopicConfigKey) -> (&str, Source) {
        match self.defaults.get(key.name) {
            Some((value, source)) => (value, *source),
            None => (key.default, Source::Default),
        }
    }

    pub(crate) fn max_message_bytes(&self) -> usize {
        self.max_message_bytes
    }

    pub(crate) fn timestamp_type(&self) -> TimestampType {
        self.timestamp_type
    }

    pub(crate) fn min_insync_replicas(&self) -> usize {
        self.min_insync_replicas
    }

    /// When records are deleted; nothing is if the policy is only to compact.
    pub(crate) fn retention(&self) -> &Retention {
        &self.retention
    }

    /// How the topic is compacted, which also says that every record must have a key.
    pub(crate) fn compaction(&self) -> Option<&Compaction> {
        self.compaction.as_ref()
    }

    pub(crate) fn needs_keys(&self) -> bool {
        self.compaction.is_some()
    }

    /// The timestamps that a record may have now, in milliseconds since the epoch.
    pub(crate) fn timestamps_around(&self, now: Time) -> RangeInclusive<i64> {
        let now = now.unix_millis();
        let earliest = now.saturating_sub(self.timestamp_before_max);
        let latest = now.saturating_add(self.timestamp_after_max);
        earliest..=latest
    }

    fn apply(&mut self) {
        self.max_message_bytes = usize::try_from(self.number("max.message.bytes")).unwrap_or(0);
        self.timestamp_type = match self.text("message.timestamp.type") {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        };
        self.timestamp_before_max = self.number("message.timestamp.before.max.ms");
        self.timestamp_after_max = self.number("message.timestamp.after.max.ms");
        self.min_insync_replicas = usize::try_from(self.number("min.insync.replicas")).unwrap_or(1);
        let policy = self.text("cleanup.policy");
        let (mut deletes, mut compacts) = (false, false);
        for policy in list(policy) {
            deletes |= policy == "delete";
            compacts |= policy == "compact";
        }
        self.retention = Retention {
            bytes: usize::try_from(self.number("retention.bytes"))
                .ok()
                .filter(|_| deletes),
            time: self.millis("retention.ms").filter(|_| deletes),
            segment_bytes: usize::try_from(self.number("segment.bytes")).unwrap_or(usize::MAX),
            segment_time: self.millis("segment.ms").unwrap_or(Duration::MAX),
        };
        self.compaction = compacts.then(|| Compaction {
            delete_retention: self.millis("delete.retention.ms").unwrap_or_default(),
            lag_min: self.millis("min.compaction.lag.ms").unwrap_or_default(),
            dirty_ratio_min: self
                .text("min.cleanable.dirty.ratio")
                .trim()
                .parse()
                .unwrap_or(0.5),
        });
    }

    fn text(&self, name: &str) -> &str {
        let key = TOPIC_CONFIGS.iter().find(|key| key.name == name);
        key.map_or("", |key| self.value(key).0)
    }

    fn number(&self, name: &str) -> i64 {
        self.text(name).trim().parse().unwrap_or(-1)
    }

    /// `None` for -1, which is for ever.
    fn millis(&self, name: &str) -> Option<Duration> {
        let millis = u64::try_from(self.number(name)).ok()?;
        Some(Duration::from_millis(millis))
    }
}

fn check(key: &TopicConfigKey, value: &str) -> Result<(), ConfigError> {
    let fault = key.kind.fault(value);
    match fault.or_else(|| key.range.fault(key.kind, value)) {
        None => Ok(()),
        Some(fault) => Err(ConfigError::InvalidValue {
            name: key.name.to_owned(),
            value: value.to_owned(),
            fault,
        }),
    }
}

/// When the records of a topic are deleted, and where one of its segments ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retention {
    /// `retention.bytes`; none is without a bound.
    pub(crate) bytes: Option<usize>,
    /// `retention.ms`; none is for ever.
    pub(crate) time: Option<Duration>,
    /// `segment.bytes`.
    pub(crate) segment_bytes: usize,
    /// `segment.ms`.
    pub(crate) segment_time: Duration,
}

/// How a topic is compacted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Compaction {
    /// `delete.retention.ms`: how long a record without a value stays after its key was first cleaned.
    pub(crate) delete_retention: Duration,
    /// `min.compaction.lag.ms`.
    pub(crate) lag_min: Duration,
    /// `min.cleanable.dirty.ratio`.
    pub(crate) dirty_ratio_min: f64,
}

/// How often logs are looked at for what is to be deleted, and for what is to be compacted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cleaning {
    /// `log.retention.check.interval.ms`.
    pub(crate) retention_interval: Duration,
    /// `log.cleaner.backoff.ms`.
    pub(crate) compaction_interval: Duration,
    /// `log.cleaner.enable`.
    pub(crate) compacts: bool,
}

/// How long a producer may be idle before a partition forgets it, and how often that is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProducerExpiry {
    /// `producer.id.expiration.ms`.
    pub(crate) after: Duration,
    /// `producer.id.expiration.check.interval.ms`.
    pub(crate) scan: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_acceptable_and_the_names_are_sorted() {
        assert!(TOPIC_CONFIGS.is_sorted_by_key(|key| key.name));
        for key in TOPIC_CONFIGS {
            assert_eq!(check(key, key.default), Ok(()), "{}", key.name);
        }
    }

    #[test]
    fn a_topic_has_the_33_configurations_of_kafka_4_3_1() {
        assert_eq!(TOPIC_CONFIGS.len(), 33);
    }

    #[test]
    fn what_is_set_holds_until_it_is_removed() {
        let mut config = TopicConfig::default();
        assert_eq!(config.max_message_bytes(), 1_048_588);
        assert_eq!(config.retention().bytes, None);
        config.set("max.message.bytes", Some("1000")).unwrap();
        config.set("retention.bytes", Some("5")).unwrap();
        assert_eq!(config.max_message_bytes(), 1_000);
        assert_eq!(config.retention().bytes, Some(5));
        config.set("max.message.bytes", None).unwrap();
        assert_eq!(config.max_message_bytes(), 1_048_588);
        config.set("cleanup.policy", Some("compact")).unwrap();
        assert_eq!(config.retention().bytes, None, "only compacted");
        assert!(config.needs_keys());
    }

    #[test]
    fn a_value_that_cannot_be_is_rejected_in_kafkas_words() {
        for (name, value, expected) in [
            ("no.such", "1", "Unknown topic config name: no.such"),
            (
                "min.insync.replicas",
                "0",
                "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1",
            ),
            (
                "preallocate",
                "perhaps",
                "Invalid value perhaps for configuration preallocate: Expected value to be either true or false",
            ),
            (
                "segment.bytes",
                "x",
                "Invalid value x for configuration segment.bytes: Not a number of type INT",
            ),
            (
                "cleanup.policy",
                "x",
                "Invalid value x for configuration cleanup.policy: String must be one of: compact, delete",
            ),
            (
                "compression.gzip.level",
                "77",
                "Invalid value 77 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
            ),
        ] {
            let error = TopicConfig::default().set(name, Some(value)).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn topics_follow_the_brokers_settings_unless_they_have_their_own() {
        let defaults =
            TopicDefaults::from([("retention.ms", ("5".to_owned(), Source::StaticBroker))]);
        let mut config = TopicConfig::following(Arc::new(defaults));
        assert_eq!(config.retention().time, Some(Duration::from_millis(5)));
        config.set("retention.ms", Some("-1")).unwrap();
        assert_eq!(config.retention().time, None);
    }
}
