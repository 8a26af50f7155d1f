//! Why a batch was not acknowledged, and whether it may be in the log all the same.

use std::sync::Arc;
use std::time::Duration;

use milena_codec::ErrorCode;

use super::machine::PartitionAnswer;
use crate::error::Error;

/// Whether the records may be in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Proved not in the log.
    Refused,
    /// Neither proved in the log nor proved absent (P-75, T-12).
    Unknown,
}

/// The cause of a batch's failure.
#[derive(Debug, Clone)]
pub(crate) enum Cause {
    Broker {
        code: ErrorCode,
        message: Option<String>,
    },
    /// The delivery timeout passed (P-70).
    DeliveryTimeout,
    RetriesExhausted,
    /// In a transaction: a batch before this one of the same partition failed.
    EarlierBatchFailed,
    /// The producer has ended: closed (P-76), fenced or failed for good.
    Ended(Error),
    /// The codec refused the batch.
    Unencodable(Error),
}

/// A failed batch.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    pub(crate) outcome: Outcome,
    /// What a leader said before the time or the retries ran out.
    last: Option<ErrorCode>,
}

impl Failure {
    fn new(cause: Cause) -> Self {
        Self {
            cause,
            outcome: Outcome::Refused,
            last: None,
        }
    }

    pub(crate) fn broker(answer: &PartitionAnswer) -> Self {
        Self::new(Cause::Broker {
            code: answer.code,
            message: answer.message.clone(),
        })
    }

    pub(crate) fn delivery_timeout() -> Self {
        Self::new(Cause::DeliveryTimeout)
    }

    pub(crate) fn retries_exhausted() -> Self {
        Self::new(Cause::RetriesExhausted)
    }

    pub(crate) fn earlier_batch_failed() -> Self {
        Self::new(Cause::EarlierBatchFailed)
    }

    /// What must precede the batch is missing from the log, and an attempt of it may yet be appended (P-61).
    pub(crate) fn sequence_lost() -> Self {
        Self::broker(&PartitionAnswer::of(ErrorCode::OutOfOrderSequenceNumber))
    }

    pub(crate) fn ended(by: Error) -> Self {
        Self::new(Cause::Ended(by))
    }

    pub(crate) fn unencodable(error: Error) -> Self {
        Self::new(Cause::Unencodable(error))
    }

    pub(crate) fn is_unknown(&self) -> bool {
        self.outcome == Outcome::Unknown
    }

    /// With the code that the last attempt was answered with.
    pub(crate) fn after(mut self, last: Option<ErrorCode>) -> Self {
        self.last = last;
        self
    }

    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }
}

impl Failure {
    /// The error for the callers of a batch of `topic`-`partition` that is `age` old.
    pub(crate) fn into_delivery_error(
        self,
        topic: Arc<str>,
        partition: i32,
        age: Duration,
    ) -> Error {
        let unknown = self.outcome == Outcome::Unknown && !bug!(UnknownIsFailed);
        let error = match self.cause {
            Cause::Broker { code, message } => Error::Broker {
                code,
                request: "Produce",
                broker: None,
                topic: Some(Arc::clone(&topic)),
                partition: Some(partition),
                message: message.map(Arc::from),
            },
            Cause::DeliveryTimeout | Cause::RetriesExhausted => {
                let said = |code| {
                    let topic = Arc::clone(&topic);
                    Arc::new(Error::partition(code, "Produce", None, topic, partition))
                };
                return Error::DeliveryTimeout {
                    cause: self.last.map(said),
                    topic,
                    partition,
                    elapsed: age,
                    reached_the_wire: unknown,
                };
            }
            Cause::EarlierBatchFailed => Error::TransactionAborted,
            Cause::Ended(error) | Cause::Unencodable(error) => error,
        };
        if unknown {
            let operation = Arc::from(format!("the delivery to {topic}-{partition}"));
            return Error::OutcomeUnknown {
                operation,
                cause: Some(Arc::new(error)),
            };
        }
        error
    }
}
