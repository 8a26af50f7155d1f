//! The settings that a broker can have, by Kafka's names: given at start, and altered while it runs.

use super::value::{Fault, Kind};
use super::{ConfigError, Source, TOPIC_CONFIGS, TopicDefaults};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// One setting of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BrokerConfigKey {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) scope: Scope,
    pub(crate) default: Option<&'static str>,
}

/// Who may set it, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// At any time, by its administrators.
    Dynamic,
    /// At start, and DescribeConfigs does not return it.
    Internal,
    /// At start only.
    Static,
}

/// The settings of Kafka 4.3.1, by name: name, type, scope and default, which is `\N` where there is none.
static KEYS: LazyLock<Vec<BrokerConfigKey>> = LazyLock::new(|| {
    include_str!("broker_keys.tsv")
        .lines()
        .filter_map(parse)
        .collect()
});

fn parse(line: &'static str) -> Option<BrokerConfigKey> {
    let mut columns = line.split('\t');
    let name = columns.next()?;
    let kind = match columns.next()? {
        "boolean" => Kind::Boolean,
        "class" => Kind::Class,
        "double" => Kind::Double,
        "int" => Kind::Int,
        "list" => Kind::List,
        "long" => Kind::Long,
        "password" => Kind::Password,
        "short" => Kind::Short,
        "string" => Kind::String,
        _ => return None,
    };
    let scope = match columns.next()? {
        "dynamic" => Scope::Dynamic,
        "internal" => Scope::Internal,
        "static" => Scope::Static,
        _ => return None,
    };
    let default = Some(columns.next()?).filter(|default| *default != "\\N");
    Some(BrokerConfigKey {
        name,
        kind,
        scope,
        default,
    })
}

/// The settings of all brokers. Those that topics follow, and those in `apply`, take effect; the others are kept and
/// returned.
#[derive(Clone, Debug)]
pub(crate) struct BrokerConfigs {
    at_start: BTreeMap<&'static str, String>,
    /// Altered while running, for all brokers.
    of_all: BTreeMap<&'static str, String>,
    /// Altered while running, for single brokers.
    of_one: BTreeMap<i32, BTreeMap<&'static str, String>>,
}

/// Kafka 4.1 and later write this one into the cluster's metadata when they format it, so that it is the same on all
/// brokers (KIP-966).
const OF_THE_CLUSTER: &str = "min.insync.replicas";

impl Default for BrokerConfigs {
    fn default() -> Self {
        Self {
            at_start: BTreeMap::new(),
            of_all: BTreeMap::from([(OF_THE_CLUSTER, "1".to_owned())]),
            of_one: BTreeMap::new(),
        }
    }
}

impl BrokerConfigs {
    pub(crate) fn keys() -> &'static [BrokerConfigKey] {
        &KEYS
    }

    pub(crate) fn key(name: &str) -> Option<&'static BrokerConfigKey> {
        let index = KEYS.binary_search_by(|key| key.name.cmp(name)).ok()?;
        KEYS.get(index)
    }

    /// Checks a value.
    ///
    /// # Errors
    /// [`ConfigError`] if there is no such setting or it cannot have that value.
    pub(crate) fn check(name: &str, value: &str) -> Result<&'static BrokerConfigKey, ConfigError> {
        let Some(key) = Self::key(name) else {
            return Err(ConfigError::UnknownBrokerName {
                name: name.to_owned(),
            });
        };
        let topic_key = TOPIC_CONFIGS
            .iter()
            .find(|topic_key| topic_key.broker_name == Some(name));
        let out_of_range = || topic_key.and_then(|topic| topic.range.fault(key.kind, value));
        match key.kind.fault(value).or_else(out_of_range) {
            None => Ok(key),
            Some(fault) => Err(invalid(name, value, fault)),
        }
    }

    /// Sets a value at start.
    ///
    /// # Errors
    /// As [`BrokerConfigs::check`].
    pub(crate) fn set_at_start(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let key = Self::check(name, value)?;
        self.at_start.insert(key.name, value.to_owned());
        if key.name == OF_THE_CLUSTER {
            self.of_all.insert(key.name, value.to_owned());
        }
        Ok(())
    }

    /// Sets a value while running, of one broker or of all, or removes it.
    ///
    /// # Errors
    /// As [`BrokerConfigs::check`], and [`ConfigError::NotDynamic`].
    pub(crate) fn alter(
        &mut self,
        broker_id: Option<i32>,
        name: &str,
        value: Option<&str>,
    ) -> Result<(), ConfigError> {
        let key = Self::check(name, value.unwrap_or_default()).or_else(|error| match value {
            // A removal has no value that could be wrong.
            None => Self::key(name).ok_or(error),
            Some(_) => Err(error),
        })?;
        if key.scope != Scope::Dynamic {
            return Err(ConfigError::NotDynamic {
                name: name.to_owned(),
            });
        }
        let altered = match broker_id {
            Some(broker_id) => self.of_one.entry(broker_id).or_default(),
            None => &mut self.of_all,
        };
        match value {
            Some(value) => altered.insert(key.name, value.to_owned()),
            None => altered.remove(key.name),
        };
        Ok(())
    }

    /// What was altered while running, of one broker or of all.
    pub(crate) fn altered(
        &self,
        broker_id: Option<i32>,
    ) -> impl Iterator<Item = (&'static str, &str)> {
        let altered = match broker_id {
            Some(broker_id) => self.of_one.get(&broker_id),
            None => Some(&self.of_all),
        };
        let pairs = altered.into_iter().flatten();
        pairs.map(|(name, value)| (*name, value.as_str()))
    }

    /// Every value that a setting of a broker has, the one that holds first.
    pub(crate) fn values(
        &self,
        broker_id: Option<i32>,
        key: &BrokerConfigKey,
    ) -> Vec<(Option<String>, Source)> {
        let one = broker_id.and_then(|broker_id| self.of_one.get(&broker_id)?.get(key.name));
        let set = [
            (one, Source::DynamicBroker),
            (self.of_all.get(key.name), Source::DynamicDefaultBroker),
            (self.at_start.get(key.name), Source::StaticBroker),
        ];
        let mut values: Vec<_> = set
            .into_iter()
            .filter_map(|(value, source)| Some((Some(value?.clone()), source)))
            .collect();
        if key.default.is_some() || values.is_empty() {
            values.push((key.default.map(str::to_owned), Source::Default));
        }
        values
    }

    /// What topics without a value of their own follow, by their names for it.
    pub(crate) fn topic_defaults(&self) -> TopicDefaults {
        let set = |name: &str| {
            let of_all = self
                .of_all
                .get(name)
                .zip(Some(Source::DynamicDefaultBroker));
            of_all.or_else(|| self.at_start.get(name).zip(Some(Source::StaticBroker)))
        };
        let mut defaults = TopicDefaults::new();
        for key in TOPIC_CONFIGS {
            if let Some((value, source)) = key.broker_name.and_then(set) {
                defaults.insert(key.name, (value.clone(), source));
            }
        }
        // The same in greater units, which give way to smaller ones.
        for (name, greater) in [
            (
                "retention.ms",
                &[("log.retention.minutes", 60), ("log.retention.hours", 3600)][..],
            ),
            ("segment.ms", &[("log.roll.hours", 3600)]),
            ("segment.jitter.ms", &[("log.roll.jitter.hours", 3600)]),
        ] {
            let scaled = greater.iter().find_map(|(greater, seconds)| {
                let (value, source) = set(greater)?;
                let number: i64 = value.trim().parse().ok()?;
                let millis = number.saturating_mul(*seconds).saturating_mul(1000);
                Some((if number < 0 { -1 } else { millis }, source))
            });
            if let Some((millis, source)) = scaled {
                let millis = (millis.to_string(), source);
                defaults.entry(name).or_insert(millis);
            }
        }
        defaults
    }
}

fn invalid(name: &str, value: &str, fault: Fault) -> ConfigError {
    ConfigError::InvalidValue {
        name: name.to_owned(),
        value: value.to_owned(),
        fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_setting_and_they_are_sorted() {
        let lines = include_str!("broker_keys.tsv").lines().count();
        assert_eq!(BrokerConfigs::keys().len(), lines);
        assert!(BrokerConfigs::keys().is_sorted_by_key(|key| key.name));
        for key in TOPIC_CONFIGS {
            let known = key
                .broker_name
                .is_none_or(|name| BrokerConfigs::key(name).is_some());
            assert!(known, "{}", key.name);
        }
    }

    #[test]
    fn topics_follow_the_smallest_unit_that_is_set() {
        let mut configs = BrokerConfigs::default();
        configs.set_at_start("log.retention.hours", "2").unwrap();
        assert_eq!(configs.topic_defaults()["retention.ms"].0, "7200000");
        configs.set_at_start("log.retention.minutes", "1").unwrap();
        assert_eq!(configs.topic_defaults()["retention.ms"].0, "60000");
        configs.set_at_start("log.retention.ms", "5").unwrap();
        assert_eq!(configs.topic_defaults()["retention.ms"].0, "5");
    }

    #[test]
    fn a_setting_that_is_not_dynamic_is_not_altered() {
        let mut configs = BrokerConfigs::default();
        configs.alter(None, "log.retention.ms", Some("7")).unwrap();
        assert_eq!(configs.topic_defaults()["retention.ms"].0, "7");
        configs.alter(None, "log.retention.ms", None).unwrap();
        assert_eq!(configs.topic_defaults().get("retention.ms"), None);
        let refused = configs.alter(Some(1), "num.partitions", Some("7"));
        assert!(matches!(refused, Err(ConfigError::NotDynamic { .. })));
    }
}
