//! A setting that cannot work.

use std::fmt;
use std::sync::Arc;

/// A setting that cannot work: its name, its value, why, and what to do about it.
///
/// `build()` returns the first one it finds. Displayed as one line with all four parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Arc<Parts>);

#[derive(Debug, PartialEq, Eq)]
struct Parts {
    setting: String,
    value: String,
    reason: String,
    remedy: String,
}

impl ConfigError {
    pub(crate) fn new(
        setting: impl Into<String>,
        value: impl fmt::Display,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let value = value.to_string();
        Self(Arc::new(Parts {
            setting: setting.into(),
            value: if value.is_empty() {
                "(empty)".to_owned()
            } else {
                value
            },
            reason: reason.into(),
            remedy: remedy.into(),
        }))
    }

    /// The name of the setting, as the caller wrote it: a builder method or a property key.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.0.setting
    }

    /// The value that was refused.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.0.value
    }

    /// Why it cannot work.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// What to do instead.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.0.remedy
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts {
            setting,
            value,
            reason,
            remedy,
        } = &*self.0;
        write!(f, "{setting} = {value} cannot work: {reason}; {remedy}")
    }
}

impl std::error::Error for ConfigError {}
