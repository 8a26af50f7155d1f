//! A package with two dependencies, milena and tokio, as an application has them: its tests use every setting, and
//! name every type that a set-up needs, so that nothing of the public interface is reachable through another crate only.
//!
//! Its command writes docs/SETTINGS.md from the settings that milena lists:
//! `cargo run -p milena-public-face > docs/SETTINGS.md`.

use std::fmt::Write as _;

use milena::config::{KeyWithoutSetting, SettingDescription, SettingOf};

const INTRODUCTION: &str = "\
# Settings

Made from the code by `cargo run -p milena-public-face > docs/SETTINGS.md`; a test compares.

Builder methods set them (`ProducerBuilder`, `ConsumerBuilder`, `ClientBuilder`), or `from_properties` with the keys of the Java
client or librdkafka, from pairs or from a file (`config::Properties`). Both check everything and return all that is wrong at once.
A default that stands in the way of what you set is overridden; two settings of yours that contradict each other are
rejected. Differences are to Kafka's Java client unless another is named.
";

/// docs/SETTINGS.md.
#[must_use]
pub fn settings_document() -> String {
    let mut document = INTRODUCTION.to_owned();
    let settings = milena::config::settings();
    for (of, title) in [
        (SettingOf::Client, "All clients"),
        (SettingOf::Producer, "Producers"),
        (SettingOf::TransactionalProducer, "Transactional producers"),
        (SettingOf::Consumer, "Consumers"),
    ] {
        let rows = settings.iter().filter(|setting| setting.of == of);
        document.push_str(&table(title, rows.map(row)));
    }
    document.push_str(
        "\n## Keys that set nothing\n\n\
         `from_properties` returns them with advice, or rejects them where going on would break what they ask for. Any other\n\
         key is unknown, and returned with the key that was probably meant.\n\n\
         | keys | | why, and what to use |\n|---|---|---|\n",
    );
    for key in milena::config::keys_without_setting() {
        let _ = writeln!(document, "{}", row_without_setting(&key));
    }
    document
}

fn table(title: &str, rows: impl Iterator<Item = String>) -> String {
    let heads = "| key | method | default | range | difference |\n|---|---|---|---|---|";
    let rows: Vec<String> = rows.collect();
    format!("\n## {title}\n\n{heads}\n{}\n", rows.join("\n"))
}

fn row(setting: &SettingDescription) -> String {
    let keys = listed(setting.keys);
    let SettingDescription {
        method,
        default,
        range,
        difference,
        ..
    } = setting;
    format!("| {keys} | `{method}` | {default} | {range} | {difference} |")
}

fn row_without_setting(key: &KeyWithoutSetting) -> String {
    let class = match key.accepted {
        [] | [""] => key.class.to_owned(),
        accepted => {
            let values: Vec<&str> = accepted.iter().copied().filter(|v| !v.is_empty()).collect();
            format!("{} unless {}", key.class, listed(&values))
        }
    };
    format!("| {} | {class} | {} |", listed(key.keys), key.advice)
}

fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}
