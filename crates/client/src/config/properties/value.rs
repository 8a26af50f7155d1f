//! What the text of a property means.

use std::time::Duration;

use super::super::ConfigError;
use super::{Known, Property};

impl Property<'_> {
    /// Whether the value must not appear in a message that ends in a log.
    fn is_secret(self) -> bool {
        let parts = [
            "password", "secret", "jaas", "token", "ssl.key", "keystore", ".pem",
        ];
        parts.iter().any(|part| self.key.contains(part))
    }

    pub(super) fn refuse(
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

    pub(super) fn boolean(self) -> Result<bool, ConfigError> {
        if self.value.eq_ignore_ascii_case("true") {
            Ok(true)
        } else if self.value.eq_ignore_ascii_case("false") {
            Ok(false)
        } else {
            Err(self.refuse("it is neither true nor false", "write true or false"))
        }
    }

    pub(super) fn number<N: std::str::FromStr>(self) -> Result<N, ConfigError> {
        let refused = || self.refuse("it is not a whole number in range", "write decimal digits");
        self.value.parse().map_err(|_| refused())
    }

    /// Whole milliseconds; librdkafka allows a fraction for some keys, so a fraction is read too.
    pub(super) fn millis(self) -> Result<Duration, ConfigError> {
        let refused = || {
            self.refuse(
                "it is not a number of milliseconds",
                "write it in decimal digits, such as 5",
            )
        };
        if let Ok(whole) = self.value.parse::<u64>() {
            return Ok(Duration::from_millis(whole));
        }
        let fraction: f64 = self.value.parse().map_err(|_| refused())?;
        Duration::try_from_secs_f64(fraction / 1_000.0).map_err(|_| refused())
    }

    pub(super) fn kibibytes(self) -> Result<usize, ConfigError> {
        let kibibytes: usize = self.number()?;
        let too_large = || self.refuse("it is more than memory can be", "lower it");
        kibibytes.checked_mul(1_024).ok_or_else(too_large)
    }

    /// A key for something that is not to be had here: fine as long as it asks for one of
    /// `harmless`, which is what happens here anyway. Compared without regard to case.
    pub(super) fn only(
        self,
        harmless: &[&str],
        reason: &str,
        remedy: &str,
    ) -> Result<Known, ConfigError> {
        if harmless
            .iter()
            .any(|value| value.eq_ignore_ascii_case(self.value))
        {
            return Ok(Known::Yes);
        }
        Err(self.refuse(reason, remedy))
    }
}
