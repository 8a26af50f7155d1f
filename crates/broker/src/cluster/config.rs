//! Topic configurations: what may be set, and what the broker makes of it.

use crate::Time;
use milena_codec::TimestampType;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// One configuration that a topic can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TopicConfigKey {
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) kind: ConfigKind,
}

/// What values a configuration takes; the ids are those of DescribeConfigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConfigKind {
    Boolean,
    Double,
    Int,
    List,
    Long,
    String,
}

impl ConfigKind {
    pub(crate) const fn id(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
        }
    }

    fn accepts(self, value: &str) -> bool {
        match self {
            Self::Boolean => matches!(value, "true" | "false"),
            Self::Double => value.parse::<f64>().is_ok(),
            Self::Int => value.parse::<i32>().is_ok(),
            Self::Long => value.parse::<i64>().is_ok(),
            Self::List | Self::String => true,
        }
    }
}

const fn key(name: &'static str, default: &'static str, kind: ConfigKind) -> TopicConfigKey {
    TopicConfigKey {
        name,
        default,
        kind,
    }
}

/// The configurations that Kafka's topics have. The broker honours those that [`TopicConfig`] has accessors
/// for; the others are kept and told back.
pub(crate) const TOPIC_CONFIGS: &[TopicConfigKey] = &[
    key("cleanup.policy", "delete", ConfigKind::List),
    key("compression.type", "producer", ConfigKind::String),
    key("delete.retention.ms", "86400000", ConfigKind::Long),
    key("file.delete.delay.ms", "60000", ConfigKind::Long),
    key("flush.messages", "9223372036854775807", ConfigKind::Long),
    key("flush.ms", "9223372036854775807", ConfigKind::Long),
    key("index.interval.bytes", "4096", ConfigKind::Int),
    key(
        "max.compaction.lag.ms",
        "9223372036854775807",
        ConfigKind::Long,
    ),
    key("max.message.bytes", "1048588", ConfigKind::Int),
    key(
        "message.timestamp.after.max.ms",
        "3600000",
        ConfigKind::Long,
    ),
    key(
        "message.timestamp.before.max.ms",
        "9223372036854775807",
        ConfigKind::Long,
    ),
    key("message.timestamp.type", "CreateTime", ConfigKind::String),
    key("min.cleanable.dirty.ratio", "0.5", ConfigKind::Double),
    key("min.compaction.lag.ms", "0", ConfigKind::Long),
    key("min.insync.replicas", "1", ConfigKind::Int),
    key("preallocate", "false", ConfigKind::Boolean),
    key("retention.bytes", "-1", ConfigKind::Long),
    key("retention.ms", "604800000", ConfigKind::Long),
    key("segment.bytes", "1073741824", ConfigKind::Int),
    key("segment.index.bytes", "10485760", ConfigKind::Int),
    key("segment.jitter.ms", "0", ConfigKind::Long),
    key("segment.ms", "604800000", ConfigKind::Long),
    key(
        "unclean.leader.election.enable",
        "false",
        ConfigKind::Boolean,
    ),
];

/// A configuration that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("Unknown topic config name: {name}")]
    UnknownName { name: String },
    #[error("Invalid value {value} for configuration {name}")]
    InvalidValue { name: String, value: String },
}

/// A topic's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicConfig {
    overrides: BTreeMap<String, String>,
    max_message_bytes: usize,
    timestamp_type: TimestampType,
    timestamp_before_max: i64,
    timestamp_after_max: i64,
    min_insync_replicas: usize,
    retention_bytes: Option<usize>,
    compacted: bool,
}

impl Default for TopicConfig {
    fn default() -> Self {
        let mut config = Self {
            overrides: BTreeMap::new(),
            max_message_bytes: 0,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max: 0,
            timestamp_after_max: 0,
            min_insync_replicas: 1,
            retention_bytes: None,
            compacted: false,
        };
        config.apply();
        config
    }
}

impl TopicConfig {
    /// A configuration with these values set.
    ///
    /// # Errors
    /// [`ConfigError`] for the first one that cannot be.
    pub(crate) fn new(
        overrides: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for (name, value) in overrides {
            config.set(&name, Some(&value))?;
        }
        Ok(config)
    }

    /// Sets a value, or removes it so that the default holds.
    ///
    /// # Errors
    /// [`ConfigError`] if there is no such configuration or it cannot have that value.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), ConfigError> {
        let Some(key) = TOPIC_CONFIGS.iter().find(|key| key.name == name) else {
            return Err(ConfigError::UnknownName {
                name: name.to_owned(),
            });
        };
        match value {
            None => {
                self.overrides.remove(name);
            }
            Some(value) if acceptable(key, value) => {
                self.overrides.insert(name.to_owned(), value.to_owned());
            }
            Some(value) => {
                return Err(ConfigError::InvalidValue {
                    name: name.to_owned(),
                    value: value.to_owned(),
                });
            }
        }
        self.apply();
        Ok(())
    }

    /// What was set, where it differs from leaving it out.
    pub(crate) fn overridden(&self, name: &str) -> Option<&str> {
        self.overrides.get(name).map(String::as_str)
    }

    pub(crate) fn value(&self, key: &TopicConfigKey) -> &str {
        self.overridden(key.name).unwrap_or(key.default)
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

    pub(crate) fn retention_bytes(&self) -> Option<usize> {
        self.retention_bytes
    }

    /// Whether every record must have a key. Compaction itself does not take place here.
    pub(crate) fn needs_keys(&self) -> bool {
        self.compacted
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
        self.retention_bytes = usize::try_from(self.number("retention.bytes")).ok();
        self.compacted = self
            .text("cleanup.policy")
            .split(',')
            .any(|policy| policy.trim() == "compact");
    }

    fn text(&self, name: &str) -> &str {
        let key = TOPIC_CONFIGS.iter().find(|key| key.name == name);
        key.map_or("", |key| self.value(key))
    }

    fn number(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap_or(-1)
    }
}

fn acceptable(key: &TopicConfigKey, value: &str) -> bool {
    let in_range = match key.name {
        "message.timestamp.type" => matches!(value, "CreateTime" | "LogAppendTime"),
        "min.insync.replicas" => value.parse::<i32>().is_ok_and(|value| value >= 1),
        "max.message.bytes" => value.parse::<i32>().is_ok_and(|value| value >= 0),
        "cleanup.policy" => value
            .split(',')
            .all(|policy| matches!(policy.trim(), "compact" | "delete" | "")),
        "compression.type" => {
            matches!(
                value,
                "uncompressed" | "zstd" | "lz4" | "snappy" | "gzip" | "producer"
            )
        }
        _ => true,
    };
    in_range && key.kind.accepts(value)
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
            assert!(acceptable(key, key.default), "{}", key.name);
        }
    }

    #[test]
    fn what_is_set_holds_until_it_is_removed() {
        let mut config = TopicConfig::default();
        assert_eq!(config.max_message_bytes(), 1_048_588);
        assert_eq!(config.retention_bytes(), None);
        config.set("max.message.bytes", Some("1000")).unwrap();
        config.set("retention.bytes", Some("5")).unwrap();
        assert_eq!(config.max_message_bytes(), 1_000);
        assert_eq!(config.retention_bytes(), Some(5));
        config.set("max.message.bytes", None).unwrap();
        assert_eq!(config.max_message_bytes(), 1_048_588);
        config.set("no.such", Some("1")).unwrap_err();
        config.set("min.insync.replicas", Some("0")).unwrap_err();
        config.set("preallocate", Some("perhaps")).unwrap_err();
    }
}
