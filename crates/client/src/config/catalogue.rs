//! Every setting with its keys, method, default and range: the table behind `from_properties` and docs/SETTINGS.md.

use super::ConfigError;
use super::properties::{Property, without_setting};

/// Which clients have a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingOf {
    /// Every client.
    Client,
    /// Producers, transactional or not.
    Producer,
    /// Transactional producers.
    TransactionalProducer,
    /// Consumers.
    Consumer,
}

/// One setting, for documentation and for programs that list what can be set.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SettingDescription {
    /// Which clients have it.
    pub of: SettingOf,
    /// Its keys: the Java client's, then librdkafka's; one that begins with `milena.` where neither has one.
    pub keys: &'static [&'static str],
    /// The builder's method; `new` for the bootstrap list.
    pub method: &'static str,
    /// The default, as an error would print it.
    pub default: String,
    /// What may be set.
    pub range: &'static str,
    /// In what it differs from the Java client; empty if in nothing.
    pub difference: &'static str,
}

/// One or more keys of the Java client or librdkafka that set nothing here.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct KeyWithoutSetting {
    /// The keys; `*` stands for any characters.
    pub keys: &'static [&'static str],
    /// What happens to them: `no effect`, `lost` or `rejected`.
    pub class: &'static str,
    /// Values that are accepted although the key is rejected otherwise, because they ask for what happens anyway.
    pub accepted: &'static [&'static str],
    /// Why, and what to use.
    pub advice: &'static str,
}

/// A setting of the settings `S`, and how a property sets it.
pub(super) struct Row<S: 'static> {
    pub(super) of: SettingOf,
    pub(super) keys: &'static [&'static str],
    pub(super) method: &'static str,
    pub(super) default: fn(&S) -> String,
    pub(super) range: &'static str,
    pub(super) difference: &'static str,
    pub(super) set: fn(&mut S, Property<'_>) -> Result<(), ConfigError>,
}

impl<S: Default> Row<S> {
    fn described(&self) -> SettingDescription {
        SettingDescription {
            of: self.of,
            keys: self.keys,
            method: self.method,
            default: (self.default)(&S::default()),
            range: self.range,
            difference: self.difference,
        }
    }
}

/// Every setting there is: those of all clients, of producers, of consumers.
#[must_use]
pub fn settings() -> Vec<SettingDescription> {
    use super::properties::{CLIENT, CONSUMER, PRODUCER};
    let client = CLIENT.iter().map(Row::described);
    let producer = PRODUCER.iter().map(Row::described);
    let consumer = CONSUMER.iter().map(Row::described);
    client.chain(producer).chain(consumer).collect()
}

/// The keys of the Java client and librdkafka that set nothing here, each with what happens to it.
#[must_use]
pub fn keys_without_setting() -> Vec<KeyWithoutSetting> {
    without_setting::described().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: [(&[SettingOf], &str); 3] = [
        (&[SettingOf::Client], include_str!("client.rs")),
        (
            &[SettingOf::Producer, SettingOf::TransactionalProducer],
            include_str!("producer.rs"),
        ),
        (&[SettingOf::Consumer], include_str!("consumer.rs")),
    ];

    /// The documentation and attributes in front of a method.
    fn heading<'a>(source: &'a str, method: &str) -> &'a str {
        let declared = format!("    pub fn {method}(");
        let end = source
            .find(&declared)
            .unwrap_or_else(|| panic!("no method {method}"));
        let start = source[..end].rfind("\n\n").unwrap_or(0);
        &source[start..end]
    }

    #[test]
    fn every_method_names_its_keys_and_has_them_as_aliases() {
        for setting in settings() {
            let (_, source) = SOURCES
                .iter()
                .find(|(of, _)| of.contains(&setting.of))
                .unwrap();
            let heading = heading(source, setting.method);
            for key in setting.keys {
                assert!(heading.contains(&format!("`{key}`")), "{key}: {heading}");
                // rustdoc finds the method by its own name anyway.
                let alias = format!("#[doc(alias = \"{key}\")]");
                assert!(*key == setting.method || heading.contains(&alias), "{key}");
            }
            let ours = setting.keys.iter().any(|key| key.starts_with("milena."));
            assert!(!ours || heading.contains("Kafka has no such"));
        }
    }

    #[test]
    fn every_method_of_a_builder_is_in_the_catalogue() {
        let known: Vec<&str> = settings().iter().map(|setting| setting.method).collect();
        let not_settings = ["build", "config", "code"];
        for (_, source) in SOURCES {
            for line in source.lines() {
                let Some(rest) = line.trim().strip_prefix("pub fn ") else {
                    continue;
                };
                let method = rest.split('(').next().unwrap();
                assert!(
                    known.contains(&method) || not_settings.contains(&method),
                    "{method} is missing"
                );
            }
        }
    }

    #[test]
    fn no_key_sets_two_settings_of_one_client() {
        let mut seen = std::collections::BTreeSet::new();
        let of_both = "milena.delivery.guarantee";
        for setting in settings() {
            for key in setting.keys {
                assert!(*key == of_both || seen.insert(*key), "{key} is in two rows");
                assert!(
                    !without_setting::known(key),
                    "{key} is said to set something and nothing"
                );
            }
        }
    }
}
