//! [`PreparedTransaction`]: the name of a transaction of a two-phase commit (KIP-939).

use std::fmt;
use std::str::FromStr;

use milena_codec::{ProducerEpoch, ProducerId, ProducerIdentity};

/// The name of a prepared transaction, to be noted where the decision over it is: its producer id and epoch.
///
/// Its text is `producer id:epoch`, as Kafka's Java client writes it; at most 25 bytes. No two transactions of a
/// transactional id have the same.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use milena::PreparedTransaction;
///
/// let noted: PreparedTransaction = "4711:3".parse()?;
/// assert_eq!((noted.producer_id(), noted.epoch()), (4711, 3));
/// assert_eq!(noted.to_string(), "4711:3");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "PreparedTxnState")]
pub struct PreparedTransaction(pub(super) ProducerIdentity);

impl PreparedTransaction {
    /// The producer id, from 0.
    #[must_use]
    pub const fn producer_id(&self) -> i64 {
        self.0.producer_id.0
    }

    /// The epoch, from 0.
    #[must_use]
    pub const fn epoch(&self) -> i16 {
        self.0.producer_epoch.0
    }
}

impl fmt::Display for PreparedTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.producer_id(), self.epoch())
    }
}

impl FromStr for PreparedTransaction {
    type Err = ParsePreparedTransactionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (producer_id, epoch) = text.split_once(':')?;
            // Only what Display writes: no sign, no space.
            let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
            if !is_number(producer_id) || !is_number(epoch) {
                return None;
            }
            let producer_id = ProducerId(producer_id.parse().ok()?);
            let epoch = ProducerEpoch(epoch.parse().ok()?);
            Some(Self(ProducerIdentity::new(producer_id, epoch)))
        };
        read().ok_or_else(|| ParsePreparedTransactionError {
            text: text.chars().take(TEXT_SHOWN_MAX).collect(),
        })
    }
}

/// A text is not the name of a prepared transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no prepared transaction: that is a producer id and an epoch, such as 4711:3")]
pub struct ParsePreparedTransactionError {
    text: String,
}

/// Characters of a text that could not be read that its error shows.
const TEXT_SHOWN_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// T-45: Kafka's own form.
    #[test]
    fn a_prepared_transaction_is_written_and_read_as_kafka_writes_it() {
        for text in ["0:0", "4711:3", "9223372036854775807:32767"] {
            let prepared: PreparedTransaction = text.parse().unwrap();
            assert_eq!(prepared.to_string(), text);
        }
        for text in [
            "",
            ":",
            "1",
            "1:",
            ":1",
            "-1:-1",
            "1:-1",
            "+1:2",
            "1:+2",
            " 1:2",
            "1:2 ",
            "1:2:3",
            "1:32768",
            "9223372036854775808:1",
            "a:b",
        ] {
            let error = text.parse::<PreparedTransaction>().unwrap_err();
            assert!(error.to_string().contains("such as 4711:3"), "{text}");
        }
        let long = "9".repeat(10_000);
        let error = long.parse::<PreparedTransaction>().unwrap_err();
        assert!(error.to_string().len() < 200);
    }
}
