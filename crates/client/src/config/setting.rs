//! One setting: its value, its name as the caller wrote it, and whether the caller wrote it at all.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use milena_codec::ApiKey;

use super::ConfigError;

/// A setting between the builder and `build()`.
///
/// Whether the caller set it decides what happens in a conflict: a value that the caller set is rejected
/// with an error that names it, a default is overridden (P-1, P-4).
#[derive(Clone, Debug)]
pub(super) struct Setting<T> {
    method: &'static str,
    name: Cow<'static, str>,
    value: T,
    explicit: bool,
}

impl<T> Setting<T> {
    /// A setting with its default; `method` is the name of the builder's method.
    pub(super) fn new(method: &'static str, default: T) -> Self {
        Self {
            method,
            name: Cow::Borrowed(method),
            value: default,
            explicit: false,
        }
    }

    /// The caller sets it.
    pub(super) fn set(&mut self, value: T) {
        self.value = value;
        self.explicit = true;
    }

    /// The caller sets it under the name `key`.
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

    /// Set before, elsewhere, under one of these names.
    pub(super) fn adopt(&mut self, value: T, names: &SettingNames) {
        self.name = names.name(self.method);
        self.set(value);
    }

    /// Changes the default; without effect if the caller has set it.
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

    /// Whether the caller set it.
    pub(super) fn is_explicit(&self) -> bool {
        self.explicit
    }

    /// The rejection of this setting as it is.
    pub(super) fn reject(&self, reason: impl Into<String>, remedy: impl Into<String>) -> ConfigError
    where
        T: Shown,
    {
        ConfigError::new(self.name(), self.value.shown(), reason, remedy)
    }
}

/// How a value is shown in a rejection and in the table of settings.
pub(crate) trait Shown {
    fn shown(&self) -> String;
}

impl Shown for std::time::Duration {
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

/// What a setting is called, whatever its type.
pub(super) trait Named {
    /// The builder's method, and the name under which the caller set it if that is another.
    fn names(&self) -> (&'static str, Option<&str>);
}

impl<T> Named for Setting<T> {
    fn names(&self) -> (&'static str, Option<&str>) {
        let other = (*self.name != *self.method).then_some(&*self.name);
        (self.method, other)
    }
}

/// The names under which settings were set, where they are not those of the builder's methods: errors at
/// run time name a setting in the caller's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SettingNames(Arc<[(&'static str, Box<str>)]>);

impl SettingNames {
    pub(super) fn of<'a>(settings: impl IntoIterator<Item = &'a dyn Named>) -> Self {
        let renamed = settings.into_iter().filter_map(|setting| {
            let (method, name) = setting.names();
            Some((method, Box::from(name?)))
        });
        Self(renamed.collect())
    }

    pub(super) fn and(&self, more: &Self) -> Self {
        Self(self.0.iter().chain(&*more.0).cloned().collect())
    }

    /// As they are, and this name for the setting of that method.
    pub(super) fn with(&self, method: &'static str, name: &str) -> Self {
        let others = self.0.iter().filter(|(known, _)| *known != method).cloned();
        Self(others.chain([(method, name.into())]).collect())
    }

    /// The caller's name for the setting of this builder method, such as `max.request.size`.
    pub(crate) fn name(&self, method: &'static str) -> Cow<'static, str> {
        let mut renamed = self.0.iter();
        match renamed.find(|(known, _)| *known == method) {
            Some((_, name)) => Cow::Owned(name.to_string()),
            None => Cow::Borrowed(method),
        }
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

impl Shown for BTreeMap<ApiKey, i16> {
    fn shown(&self) -> String {
        let caps = self.iter().map(|(api, version)| format!("{api}:{version}"));
        caps.collect::<Vec<_>>().shown()
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
