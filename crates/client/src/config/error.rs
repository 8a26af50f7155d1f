//! Settings that cannot work.

use std::fmt;
use std::sync::Arc;

/// The settings that cannot work: each with its name, its value, the reason and what to do about it.
///
/// `build()` and `from_properties` check everything and return all of them at once, one per setting. Displayed
/// on one line; [`rejections`](Self::rejections) gives them one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Arc<All>);

#[derive(Debug, PartialEq, Eq)]
struct All {
    first: RejectedSetting,
    more: Vec<RejectedSetting>,
}

/// One setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedSetting {
    setting: String,
    value: Option<String>,
    reason: String,
    remedy: String,
}

impl RejectedSetting {
    /// The name of the setting as the caller wrote it: a builder method, a property key or a file.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// The rejected value; empty where the problem is not a value. Secrets are hidden.
    #[must_use]
    pub fn value(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }

    /// Why it cannot work.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What to do instead.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

impl fmt::Display for RejectedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            setting,
            value,
            reason,
            remedy,
        } = self;
        match value {
            Some(value) => write!(f, "{setting} = {value} cannot work: {reason}; {remedy}"),
            None => write!(f, "{setting}: {reason}; {remedy}"),
        }
    }
}

impl ConfigError {
    /// One setting with a value that cannot work.
    pub(crate) fn new(
        setting: impl Into<String>,
        value: impl fmt::Display,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let value = value.to_string();
        let shown = if value.is_empty() {
            "(empty)".to_owned()
        } else {
            value
        };
        Self::of(RejectedSetting {
            setting: setting.into(),
            value: Some(shown),
            reason: reason.into(),
            remedy: remedy.into(),
        })
    }

    /// A problem that is not one of a value, such as a file that cannot be read.
    pub(super) fn without_value(
        setting: impl Into<String>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::of(RejectedSetting {
            setting: setting.into(),
            value: None,
            reason: reason.into(),
            remedy: remedy.into(),
        })
    }

    fn of(first: RejectedSetting) -> Self {
        let more = Vec::new();
        Self(Arc::new(All { first, more }))
    }

    /// All settings that cannot work; at least one.
    pub fn rejections(&self) -> impl Iterator<Item = &RejectedSetting> {
        std::iter::once(&self.0.first).chain(&self.0.more)
    }

    /// The name of the first setting that cannot work, as the caller wrote it: a builder method or a property key.
    #[must_use]
    pub fn setting(&self) -> &str {
        self.0.first.setting()
    }

    /// The first rejected value.
    #[must_use]
    pub fn value(&self) -> &str {
        self.0.first.value()
    }

    /// Why the first one cannot work.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.0.first.reason()
    }

    /// What to do about the first one.
    #[must_use]
    pub fn remedy(&self) -> &str {
        self.0.first.remedy()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let All { first, more } = &*self.0;
        if more.is_empty() {
            return first.fmt(f);
        }
        write!(f, "{} settings cannot work", more.len() + 1)?;
        for (index, rejected) in self.rejections().enumerate() {
            write!(f, " ({}) {rejected}", index + 1)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Rejections while settings are checked: all of them, one per setting.
#[derive(Debug, Default)]
pub(super) struct Rejections(Vec<RejectedSetting>);

impl Rejections {
    /// The value of a check that passed; otherwise its rejections are kept. A setting that was rejected
    /// before is not rejected for a second reason, which often only follows from the first.
    pub(super) fn keep<T>(&mut self, checked: Result<T, ConfigError>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(error) => {
                for rejected in error.rejections() {
                    if self.0.iter().all(|known| known.setting != rejected.setting) {
                        self.0.push(rejected.clone());
                    }
                }
                None
            }
        }
    }

    /// `Ok` if nothing was rejected.
    pub(super) fn into_result(self) -> Result<(), ConfigError> {
        let mut rejected = self.0.into_iter();
        match rejected.next() {
            None => Ok(()),
            Some(first) => Err(ConfigError(Arc::new(All {
                first,
                more: rejected.collect(),
            }))),
        }
    }
}
