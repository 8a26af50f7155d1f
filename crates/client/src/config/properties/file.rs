//! Files of settings: reads them, and decides nothing.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{ConfigError, syntax};

/// A file of settings has no more; another file may have no end.
const BYTES_MAX: u64 = 1 << 20;

/// Settings from a file as Kafka's tools read them, or from text of that syntax.
///
/// A line is `key=value`, `key: value` or `key value`. Lines that begin with `#` or `!` are comments. A `\` at the end of a
/// line continues it, without the white space at the beginning of the next; elsewhere `\t`, `\n`, `\r`, `\f` and `\uXXXX` stand for
/// characters, and `\` before any other character for that character. Text is UTF-8.
///
/// ```
/// use milena::config::{Idempotent, Properties, ProducerBuilder};
///
/// let mut properties = Properties::parse("bootstrap.servers = kafka-1:9092, \\\n  kafka-2:9092\nlinger.ms: 20\n")?;
/// properties.set("client.id", "loader");
/// let read = ProducerBuilder::<Idempotent>::from_properties(&properties)?;
/// for note in read.notes() {
///     eprintln!("{note}");
/// }
/// assert_eq!(read.builder.build()?.client.bootstrap.len(), 2);
/// # Ok::<(), milena::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(Vec<(String, String)>);

impl Properties {
    /// The settings of a file.
    ///
    /// # Errors
    /// A file that cannot be read, is not UTF-8 or has more than 1 MiB, or a line that is not of the syntax, with its number.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let rejected = |reason: String| {
            ConfigError::without_value(&name, reason, "check the path and what is in it")
        };
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text))
            .map_err(|error| rejected(format!("cannot read it: {error}")))?;
        if text.len() as u64 > BYTES_MAX {
            let reason =
                format!("it is larger than {BYTES_MAX} bytes, so it is no file of settings");
            return Err(rejected(reason));
        }
        syntax::parse(&name, &text)
    }

    /// The settings of a text.
    ///
    /// # Errors
    /// A line that is not of the syntax, with its number.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        syntax::parse("properties", text)
    }

    /// Sets one more, in place of what was there under the same key: the last one counts, as in Java.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let (key, value) = (key.into(), value.into());
        self.0.retain(|(known, _)| *known != key);
        self.0.push((key, value));
    }

    /// The value of a key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str())
    }
}

impl<'a> IntoIterator for &'a Properties {
    type Item = (&'a str, &'a str);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        let pairs = self.0.iter().map(|(key, value)| (&**key, &**value));
        pairs.collect::<Vec<_>>().into_iter()
    }
}

impl IntoIterator for Properties {
    type Item = (String, String);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named_with_the_systems_reason() {
        let error = Properties::read("no/such/file.properties").unwrap_err();
        let said = error.to_string();
        assert!(
            said.starts_with("no/such/file.properties: cannot read it: "),
            "{said}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_without_an_end_is_rejected_and_not_read_for_ever() {
        let error = Properties::read("/dev/zero").unwrap_err();
        assert!(error.to_string().contains("1048576"), "{error}");
    }
}
