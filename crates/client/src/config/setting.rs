//! One setting: its value, its name as the caller wrote it, and whether the caller wrote it at all.

use std::borrow::Cow;
use std::fmt;

use super::ConfigError;

/// A setting between the builder and `build()`.
///
/// Whether a value was asked for decides what happens in a conflict: what was asked for is refused
/// by name, what is only a default gives way (P-1, P-4).
#[derive(Clone, Debug)]
pub(super) struct Setting<T> {
    name: Cow<'static, str>,
    value: T,
    explicit: bool,
}

impl<T> Setting<T> {
    /// A setting that nobody has asked for yet; `name` is that of the builder's method.
    pub(super) fn new(name: &'static str, default: T) -> Self {
        Self {
            name: Cow::Borrowed(name),
            value: default,
            explicit: false,
        }
    }

    /// The caller asks for `value`.
    pub(super) fn set(&mut self, value: T) {
        self.value = value;
        self.explicit = true;
    }

    /// The caller asks for `value` under the name `key`.
    pub(super) fn set_as(&mut self, key: &str, value: T) -> Result<(), ConfigError>
    where
        T: PartialEq,
    {
        if self.explicit && self.value != value {
            return Err(ConfigError::new(
                key,
                "(a second value)",
                format!("{} already sets the same thing to another value", self.name),
                "keep one of the two",
            ));
        }
        self.name = Cow::Owned(key.to_owned());
        self.set(value);
        Ok(())
    }

    /// Another default, for as long as the caller asks for nothing.
    pub(super) fn imply(&mut self, value: T) {
        if !self.explicit {
            self.value = value;
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn value(&self) -> &T {
        &self.value
    }

    pub(super) fn into_value(self) -> T {
        self.value
    }

    /// Whether the caller asked for this value.
    pub(super) fn is_explicit(&self) -> bool {
        self.explicit
    }

    /// The refusal of this setting as it is.
    pub(super) fn refuse(&self, reason: impl Into<String>, remedy: impl Into<String>) -> ConfigError
    where
        T: Shown,
    {
        ConfigError::new(self.name(), self.value.shown(), reason, remedy)
    }
}

/// How a value is shown in a refusal.
pub(crate) trait Shown {
    fn shown(&self) -> String;
}

impl Shown for std::time::Duration {
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

macro_rules! shown_as_displayed {
    ($($kind:ty),+) => {
        $(impl Shown for $kind {
            fn shown(&self) -> String {
                self.to_string()
            }
        })+
    };
}

shown_as_displayed!(bool, i32, u32, usize, String);

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> String {
        self.as_ref()
            .map_or_else(|| "(not set)".to_owned(), Shown::shown)
    }
}

impl<T: fmt::Display> Shown for Vec<T> {
    fn shown(&self) -> String {
        let parts: Vec<String> = self.iter().map(ToString::to_string).collect();
        if parts.is_empty() {
            "(empty)".to_owned()
        } else {
            parts.join(",")
        }
    }
}
