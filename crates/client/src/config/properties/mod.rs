//! Settings by the key names of the Java client and of librdkafka.
//!
//! A key falls into one of three classes. It sets something here; or it asks for something that is
//! not to be had here, and then any value but "off" is refused, because a program that asked for
//! encryption must not run without; or it is not known, and is listed for the caller to look at.

mod client;
mod consumer;
mod producer;
#[cfg(test)]
mod tests;
mod value;

use super::ConfigError;

/// A builder made from properties, and what it could make nothing of.
#[derive(Clone, Debug)]
#[must_use]
pub struct FromProperties<B> {
    /// With everything that was understood.
    pub builder: B,
    /// Keys that mean nothing here, in the order given. Print them: one may be a misspelt setting.
    pub unknown: Vec<String>,
}

/// What became of one property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Yes,
    No,
}

/// A key and its value, without the white space around them.
#[derive(Clone, Copy, Debug)]
struct Property<'a> {
    key: &'a str,
    value: &'a str,
}

/// Takes every property in turn and lists the keys that `apply` does not know.
fn apply_all<K, V>(
    properties: impl IntoIterator<Item = (K, V)>,
    mut apply: impl FnMut(Property<'_>) -> Result<Known, ConfigError>,
) -> Result<Vec<String>, ConfigError>
where
    K: AsRef<str>,
    V: AsRef<str>,
{
    let mut unknown = Vec::new();
    for (key, value) in properties {
        let key = key.as_ref().trim();
        if apply(Property {
            key,
            value: value.as_ref().trim(),
        })? == Known::No
        {
            unknown.push(key.to_owned());
        }
    }
    Ok(unknown)
}
