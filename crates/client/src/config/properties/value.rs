//! What the text of a property means.

use std::collections::BTreeMap;
use std::time::Duration;

use milena_codec::ApiKey;

use super::super::{ConfigError, DeliveryGuarantee};
use super::Property;

impl Property<'_> {
    /// Whether the value must not appear in a message that ends in a log.
    fn is_secret(self) -> bool {
        let parts = [
            "password", "secret", "jaas", "token", "ssl.key", "keystore", ".pem",
        ];
        parts.iter().any(|part| self.key.contains(part))
    }

    pub(super) fn reject(
        self,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        let value = if self.is_secret() {
            "(hidden)"
        } else {
            self.value
        };
        ConfigError::new(self.key, value, reason, remedy)
    }

    /// `true` or `false` as in Java, and librdkafka's `t`, `1`, `f` and `0`.
    pub(super) fn boolean(self) -> Result<bool, ConfigError> {
        let is_one_of = |words: &[&str]| {
            words
                .iter()
                .any(|word| word.eq_ignore_ascii_case(self.value))
        };
        if is_one_of(&["true", "t", "1"]) {
            Ok(true)
        } else if is_one_of(&["false", "f", "0"]) {
            Ok(false)
        } else {
            Err(self.reject("it is neither true nor false", "write true or false"))
        }
    }

    pub(super) fn number<N: std::str::FromStr>(self) -> Result<N, ConfigError> {
        let rejected = || self.reject("it is not a whole number in range", "write decimal digits");
        self.value.parse().map_err(|_| rejected())
    }

    /// Whole milliseconds; librdkafka allows a fraction for some keys, so a fraction is read too.
    pub(super) fn millis(self) -> Result<Duration, ConfigError> {
        let rejected = || {
            self.reject(
                "it is not a number of milliseconds",
                "write it in decimal digits, such as 5",
            )
        };
        if let Ok(whole) = self.value.parse::<u64>() {
            return Ok(Duration::from_millis(whole));
        }
        let fraction: f64 = self.value.parse().map_err(|_| rejected())?;
        Duration::try_from_secs_f64(fraction / 1_000.0).map_err(|_| rejected())
    }

    /// Versions by the names of their APIs, such as `Fetch:12, ApiVersions:3`.
    pub(super) fn versions(self) -> Result<BTreeMap<ApiKey, i16>, ConfigError> {
        let rejected = |part: &str| {
            let reason = format!("`{part}` is not Kafka's name of an API and a version");
            self.reject(reason, "write API:VERSION, such as Fetch:12, ApiVersions:3")
        };
        let parts = self.value.split(',').map(str::trim);
        let caps = parts.filter(|part| !part.is_empty()).map(|part| {
            let (name, version) = part.split_once(':').ok_or_else(|| rejected(part))?;
            let api = name.trim().parse().map_err(|_| rejected(part))?;
            let version = version.trim().parse().map_err(|_| rejected(part))?;
            Ok((api, version))
        });
        caps.collect()
    }

    pub(super) fn guarantee(self) -> Result<DeliveryGuarantee, ConfigError> {
        use DeliveryGuarantee::{AtLeastOnce, AtMostOnce, ExactlyOnce, None};
        let mut all = [None, AtMostOnce, AtLeastOnce, ExactlyOnce].into_iter();
        all.find(|one| one.to_string() == self.value)
            .ok_or_else(|| {
                self.reject(
                    "it is none of none, at_most_once, at_least_once and exactly_once",
                    "write one of them",
                )
            })
    }

    pub(super) fn kibibytes(self) -> Result<usize, ConfigError> {
        let kibibytes: usize = self.number()?;
        let too_large = || self.reject("it is more than memory can be", "lower it");
        kibibytes.checked_mul(1_024).ok_or_else(too_large)
    }
}
