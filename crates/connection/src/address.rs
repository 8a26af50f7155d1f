//! Where a broker listens.

use std::fmt;
use std::str::FromStr;

/// Host and port of a broker, as `host:port`; an IPv6 host is written in brackets (`[::1]:9092`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrokerAddress {
    /// Host name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl BrokerAddress {
    /// The address of `host` and `port`.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A text is not a broker address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a broker address: {problem}")]
pub struct AddressError {
    text: String,
    problem: &'static str,
}

impl FromStr for BrokerAddress {
    type Err = AddressError;

    /// # Errors
    /// [`AddressError`] names what is missing.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let error = |problem| AddressError {
            text: text.to_owned(),
            problem,
        };
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest
                .split_once("]:")
                .ok_or_else(|| error("expected `[host]:port`"))?,
            None => text
                .rsplit_once(':')
                .ok_or_else(|| error("expected `host:port`"))?,
        };
        if host.is_empty() {
            return Err(error("the host is missing"));
        }
        if host.chars().any(|c| c.is_whitespace() || c == '/') {
            return Err(error("expected `host:port` without a scheme or spaces"));
        }
        if host.contains(':') && !text.starts_with('[') {
            return Err(error("an IPv6 host needs brackets, as in `[::1]:9092`"));
        }
        match port.parse() {
            Ok(0) | Err(_) => Err(error("the port must be a number from 1 to 65535")),
            Ok(port) => Ok(Self::new(host, port)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_prints_as_it_was_read() {
        for text in [
            "localhost:9092",
            "10.0.0.1:1",
            "[::1]:9092",
            "kafka-1.example.org:65535",
        ] {
            assert_eq!(text.parse::<BrokerAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, why) in [
            ("localhost", "expected `host:port`"),
            (":9092", "the host is missing"),
            ("localhost:0", "the port must be"),
            ("localhost:kafka", "the port must be"),
            ("localhost:70000", "the port must be"),
            ("::1:9092", "needs brackets"),
            ("[::1]9092", "expected `[host]:port`"),
            ("kafka://localhost:9092", "without a scheme"),
        ] {
            let error = text.parse::<BrokerAddress>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(text), "{error}");
        }
    }
}
