//! Settings by the keys of the Java client and of librdkafka.
//!
//! A key falls into one of five classes. It sets something; or it asks for something that is not built,
//! and then any value but "off" is rejected, because a program that asks for encryption must not run without; or it has
//! no effect and none is missed; or what it asks for is done in another way, or not at all; or it is unknown. The last three
//! are listed for the caller to look at.

mod client;
mod consumer;
mod file;
mod producer;
mod suggest;
mod syntax;
#[cfg(test)]
mod tests;
mod value;
pub(super) mod without_setting;

pub(super) use client::CLIENT;
pub(super) use consumer::CONSUMER;
pub use file::Properties;
pub(super) use producer::PRODUCER;

use std::fmt;

use super::ConfigError;
use super::catalogue::Row;
use super::client::ClientSettings;
use super::error::Rejections;
use without_setting::Reader;

/// A builder made from properties, and the keys that did not set anything in it.
///
/// Print the lists: a misspelt key means that a setting has its default.
#[derive(Clone, Debug)]
#[must_use]
#[non_exhaustive]
pub struct FromProperties<B> {
    /// With everything that was understood.
    pub builder: B,
    /// Keys that neither Kafka's clients nor librdkafka have, or that this crate does not know, in the order given;
    /// with the key that was probably meant.
    pub unknown: Vec<PropertyNote>,
    /// Keys that have no effect here, where none is missed: leave them or remove them.
    pub without_effect: Vec<PropertyNote>,
    /// Keys whose purpose is served in another way here, or not at all: each says by what.
    pub lost: Vec<PropertyNote>,
}

impl<B> FromProperties<B> {
    /// All notes: unknown keys first, then those whose purpose is lost, then those without effect.
    pub fn notes(&self) -> impl Iterator<Item = &PropertyNote> {
        self.unknown
            .iter()
            .chain(&self.lost)
            .chain(&self.without_effect)
    }

    fn map<C>(self, change: impl FnOnce(B) -> C) -> FromProperties<C> {
        FromProperties {
            builder: change(self.builder),
            unknown: self.unknown,
            without_effect: self.without_effect,
            lost: self.lost,
        }
    }
}

/// What there is to say about a key that set nothing. Displayed as `KEY: ADVICE`; values are never shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PropertyNote {
    /// The key as it was written.
    pub key: String,
    /// Why it set nothing, and what to do.
    pub advice: String,
    /// The key to use instead: the one that was probably meant, or the one that serves the purpose here.
    pub instead: Option<&'static str>,
}

impl fmt::Display for PropertyNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.advice)
    }
}

/// A key and its value, without the white space around them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Property<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a str,
}

/// What reading has found so far.
struct Reading {
    reader: Reader,
    rejections: Rejections,
    notes: FromProperties<()>,
}

impl Reading {
    fn new(reader: Reader) -> Self {
        Self {
            reader,
            rejections: Rejections::default(),
            notes: FromProperties {
                builder: (),
                unknown: Vec::new(),
                without_effect: Vec::new(),
                lost: Vec::new(),
            },
        }
    }

    /// Sets one property: by the reader's own rows, or by those of all clients.
    fn property<S>(
        &mut self,
        property: Property<'_>,
        rows: &[Row<S>],
        settings: &mut S,
        common: &mut ClientSettings,
    ) {
        let set = if let Some(row) = row(rows, property.key) {
            (row.set)(settings, property)
        } else if let Some(row) = row(CLIENT, property.key) {
            (row.set)(common, property)
        } else {
            self.note(property)
        };
        self.rejections.keep(set);
    }

    /// A property that sets nothing.
    fn note(&mut self, property: Property<'_>) -> Result<(), ConfigError> {
        use without_setting::Class;
        let (list, advice, instead) = match without_setting::class(self.reader, property)? {
            Class::Accepted => return Ok(()),
            Class::WithoutEffect(why) => (&mut self.notes.without_effect, why.to_owned(), None),
            Class::Lost { advice, instead } => (&mut self.notes.lost, advice.to_owned(), instead),
            Class::Unknown => {
                let meant = suggest::key(self.reader, property.key);
                let advice = match meant {
                    Some(meant) => {
                        format!("no such setting, so it has no effect; did you mean {meant}?")
                    }
                    None => "no such setting, so it has no effect".to_owned(),
                };
                (&mut self.notes.unknown, advice, meant)
            }
        };
        list.push(PropertyNote {
            key: property.key.to_owned(),
            advice,
            instead,
        });
        Ok(())
    }

    /// What was read, unless something was rejected.
    fn finish<B>(self, builder: B) -> Result<FromProperties<B>, ConfigError> {
        self.rejections.into_result()?;
        Ok(self.notes.map(|()| builder))
    }
}

fn row<'r, S>(rows: &'r [Row<S>], key: &str) -> Option<&'r Row<S>> {
    rows.iter().find(|row| row.keys.contains(&key))
}

/// Reads every property in turn.
fn read<K, V, S>(
    reader: Reader,
    properties: impl IntoIterator<Item = (K, V)>,
    rows: &[Row<S>],
    settings: &mut S,
    common: &mut ClientSettings,
) -> Reading
where
    K: AsRef<str>,
    V: AsRef<str>,
{
    let mut reading = Reading::new(reader);
    for (key, value) in properties {
        let property = Property {
            key: key.as_ref().trim(),
            value: value.as_ref().trim(),
        };
        reading.property(property, rows, settings, common);
    }
    reading
}
