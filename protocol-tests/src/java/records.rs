//! Records as they travel between a test and Kafka's own clients.

use serde::{Deserialize, Serialize};

/// What a reader may see.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Isolation {
    /// Everything below the high watermark, aborted records too.
    ReadUncommitted,
    /// What is decided and not aborted, below the last stable offset.
    ReadCommitted,
}

impl Isolation {
    /// Kafka's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "read_uncommitted",
            Self::ReadCommitted => "read_committed",
        }
    }
}

/// A header's key, and its value if it has one.
pub type Header = (String, Option<Vec<u8>>);

/// A record for one of Kafka's producers.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct WriteRecord {
    /// Where to; the producer's partitioner decides if there is none.
    pub partition: Option<i32>,
    /// Milliseconds since 1970; the producer's clock if there is none.
    pub timestamp: Option<i64>,
    /// The key.
    #[serde(with = "hex::optional")]
    pub key: Option<Vec<u8>>,
    /// The value.
    #[serde(with = "hex::optional")]
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    #[serde(with = "hex::headers")]
    pub headers: Vec<Header>,
}

impl WriteRecord {
    /// A record without a key.
    #[must_use]
    pub fn value(value: impl AsRef<[u8]>) -> Self {
        Self {
            value: Some(value.as_ref().to_vec()),
            ..Self::default()
        }
    }

    /// The same with a key.
    #[must_use]
    pub fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.key = Some(key.as_ref().to_vec());
        self
    }

    /// The same for one partition.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// The same with a timestamp in milliseconds since 1970.
    #[must_use]
    pub fn timestamp(mut self, timestamp: i64) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, key: &str, value: Option<&[u8]>) -> Self {
        self.headers
            .push((key.to_owned(), value.map(<[u8]>::to_vec)));
        self
    }
}

/// Where a record was written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub struct Written {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The timestamp it has in the log, in milliseconds since 1970.
    pub timestamp: i64,
}

/// A record as one of Kafka's consumers saw it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct ReadRecord {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The leader epoch its batch was written in, if the reader says.
    pub leader_epoch: Option<i32>,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// `CreateTime` or `LogAppendTime`.
    pub timestamp_type: String,
    /// The key.
    #[serde(with = "hex::optional")]
    pub key: Option<Vec<u8>>,
    /// The value.
    #[serde(with = "hex::optional")]
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    #[serde(with = "hex::headers")]
    pub headers: Vec<Header>,
}

impl ReadRecord {
    /// The value as text, empty if there is none.
    #[must_use]
    pub fn text(&self) -> String {
        let value = self.value.as_deref().unwrap_or_default();
        String::from_utf8_lossy(value).into_owned()
    }
}

/// Bytes that are hexadecimal in JSON.
mod hex {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
    use std::fmt::Write as _;

    struct Hex<'a>(&'a [u8]);

    impl Serialize for Hex<'_> {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            let mut text = String::with_capacity(self.0.len() * 2);
            for byte in self.0 {
                // Writing to a string cannot fail.
                let _ = write!(text, "{byte:02x}");
            }
            to.serialize_str(&text)
        }
    }

    fn parse<E: de::Error>(text: &str) -> Result<Vec<u8>, E> {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        text.as_bytes()
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
                _ => None,
            })
            .collect::<Option<_>>()
            .ok_or_else(|| E::custom(format!("not hexadecimal: {text}")))
    }

    pub(super) mod optional {
        use super::*;

        pub(crate) fn serialize<S: Serializer>(
            bytes: &Option<Vec<u8>>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            bytes.as_deref().map(Hex).serialize(to)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<Vec<u8>>, D::Error> {
            let text = Option::<String>::deserialize(from)?;
            text.map(|text| parse(&text)).transpose()
        }
    }

    pub(super) mod headers {
        use super::super::Header;
        use super::*;

        pub(crate) fn serialize<S: Serializer>(
            headers: &[Header],
            to: S,
        ) -> Result<S::Ok, S::Error> {
            to.collect_seq(
                headers
                    .iter()
                    .map(|(key, value)| (key, value.as_deref().map(Hex))),
            )
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Vec<Header>, D::Error> {
            Vec::<(String, Option<String>)>::deserialize(from)?
                .into_iter()
                .map(|(key, value)| Ok((key, value.map(|text| parse(&text)).transpose()?)))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_travel_as_hexadecimal_and_absent_ones_as_null() {
        let record = WriteRecord::value([0, 255, 16]).header("h", None);
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!(json["value"], "00ff10");
        assert!(json["key"].is_null());
        assert_eq!(json["headers"], serde_json::json!([["h", null]]));
    }

    #[test]
    fn half_a_byte_is_refused() {
        let json = r#"{"partition":0,"offset":0,"leader_epoch":null,"timestamp":0,
            "timestamp_type":"CreateTime","key":"0","value":null,"headers":[]}"#;
        serde_json::from_str::<ReadRecord>(json).unwrap_err();
    }
}
