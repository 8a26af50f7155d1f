//! Why a batch was not acknowledged, and whether it may be in the log all the same. Pure.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use milena_codec::{ApiKey, ErrorCode};

use super::{PartitionId, PartitionResponse};
use crate::error::Error;
use crate::producer::batch::BatchOutcome;

/// Whether the records may be in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Proved not in the log.
    NotAppended,
    /// Neither proved in the log nor proved absent (P-75, T-12).
    Unknown,
}

/// What a leader said of one record of a batch that it rejected (KIP-467).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordError {
    /// The record's place in the batch, from 0.
    pub(crate) index: u32,
    pub(crate) message: Option<Arc<str>>,
}

/// A leader's error response about a batch.
#[derive(Debug, Clone)]
pub(crate) struct Rejection {
    /// The broker that responded; `None` where the rejection is deduced.
    pub(crate) broker: Option<i32>,
    pub(crate) code: ErrorCode,
    pub(crate) message: Option<Arc<str>>,
    /// The records at fault; empty if the leader names none.
    pub(crate) records: Arc<[RecordError]>,
}

impl Rejection {
    pub(crate) fn of(broker: i32, response: &PartitionResponse) -> Self {
        Self {
            broker: Some(broker),
            code: response.code,
            message: response.message.as_deref().map(Arc::from),
            records: response.record_errors.iter().cloned().collect(),
        }
    }

    fn error(&self, topic: &Arc<str>, partition: i32, message: Option<&Arc<str>>) -> Error {
        Error::Broker {
            code: self.code,
            request: ApiKey::Produce,
            broker: self.broker,
            topic: Some(Arc::clone(topic)),
            partition: Some(partition),
            message: message.cloned(),
        }
    }

    fn into_error(self, topic: &Arc<str>, partition: i32) -> Error {
        let named = self
            .records
            .first()
            .and_then(|first| first.message.as_ref());
        self.error(topic, partition, named.or(self.message.as_ref()))
    }
}

/// What stood in the way of a batch last. A delivery timeout names it as its cause.
#[derive(Debug, Clone)]
pub(crate) enum Obstacle {
    /// Its leader rejected the last attempt, or an earlier batch of the partition.
    Rejected(Rejection),
    /// A request or a connection that it needed failed.
    Failed(Arc<Error>),
    /// It is written to its leader, which has not responded for so long.
    Unanswered { broker: i32, waited: Duration },
    /// Its leader's quota delays the next request.
    Throttled { broker: i32 },
}

/// Why a request is still without a response, or was not sent yet.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Pending {
    #[error("no response for {:.3} s, and the delivery timeout ended the wait", .0.as_secs_f64())]
    Response(Duration),
    #[error("the broker delays requests, because the client is over its quota")]
    Quota,
}

impl Obstacle {
    fn into_error(self, place: &Place<'_>) -> Arc<Error> {
        let pending = |broker, sent, cause: Pending| {
            Arc::new(Error::Transport {
                request: Some(ApiKey::Produce),
                address: (place.address_of)(broker),
                sent,
                cause: Arc::new(cause),
            })
        };
        match self {
            Self::Rejected(rejection) => {
                Arc::new(rejection.into_error(&place.topic, place.partition))
            }
            Self::Failed(error) => error,
            Self::Unanswered { broker, waited } => pending(broker, true, Pending::Response(waited)),
            Self::Throttled { broker } => pending(broker, false, Pending::Quota),
        }
    }
}

/// The cause of a batch's failure.
#[derive(Debug, Clone)]
pub(crate) enum Cause {
    /// Its leader rejected it.
    Rejected(Rejection),
    /// The leader's rejection of a batch of this partition ended the producer.
    RejectedElsewhere(PartitionId, Rejection),
    /// The delivery timeout passed (P-70).
    DeliveryTimeout,
    RetriesExhausted,
    /// In a transaction: a batch before this one of the same partition failed.
    EarlierBatchFailed,
    /// The producer has ended: closed (P-76), fenced or failed for good.
    Ended(Error),
    /// The client itself cannot send it: the codec or the connection rejects it.
    Unsendable(Arc<Error>),
}

/// A failed batch.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    pub(crate) outcome: Outcome,
    /// What stood in the way before the time or the retries ran out, or the producer ended.
    last: Option<Obstacle>,
}

impl Failure {
    fn new(cause: Cause) -> Self {
        Self {
            cause,
            outcome: Outcome::NotAppended,
            last: None,
        }
    }

    pub(crate) fn rejected(rejection: Rejection) -> Self {
        Self::new(Cause::Rejected(rejection))
    }

    pub(crate) fn rejected_elsewhere(partition: PartitionId, rejection: Rejection) -> Self {
        Self::new(Cause::RejectedElsewhere(partition, rejection))
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
        Self::rejected(Rejection {
            broker: None,
            code: ErrorCode::OutOfOrderSequenceNumber,
            message: None,
            records: Arc::default(),
        })
    }

    pub(crate) fn ended(by: Error) -> Self {
        Self::new(Cause::Ended(by))
    }

    pub(crate) fn unsendable(error: Arc<Error>) -> Self {
        Self::new(Cause::Unsendable(error))
    }

    pub(crate) fn is_unknown(&self) -> bool {
        self.outcome == Outcome::Unknown
    }

    /// With what stood in the way last, if that is known.
    pub(crate) fn after(mut self, last: Option<Obstacle>) -> Self {
        self.last = last.or(self.last);
        self
    }

    /// The same, unless it is known already.
    pub(crate) fn or_after(mut self, last: Option<Obstacle>) -> Self {
        self.last = self.last.or(last);
        self
    }

    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }
}

/// Where a batch was meant to go, and when it began.
pub(crate) struct Place<'a> {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    /// How old the batch is.
    pub(crate) age: Duration,
    /// Where a broker listens, `host:port`.
    pub(crate) address_of: &'a dyn Fn(i32) -> Option<Arc<str>>,
    /// What is known to be in the way where the sender knows nothing, such as a transaction's coordinator.
    pub(crate) trouble: Option<Arc<Error>>,
    /// The name of another partition.
    pub(crate) name_of: &'a dyn Fn(PartitionId) -> (Arc<str>, i32),
}

impl fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{} after {:?}", self.topic, self.partition, self.age)
    }
}

impl Failure {
    /// The error that the batch as a whole failed with.
    pub(crate) fn to_error(&self, place: &Place<'_>) -> Error {
        let last = || {
            let last = self.last.clone().map(|last| last.into_error(place));
            last.or_else(|| place.trouble.clone())
        };
        let is_unknown = self.is_unknown() && !bug!(UnknownIsFailed);
        let error = match &self.cause {
            Cause::Rejected(rejection) => {
                rejection.clone().into_error(&place.topic, place.partition)
            }
            Cause::RejectedElsewhere(partition, rejection) => {
                let (topic, partition) = (place.name_of)(*partition);
                rejection.clone().into_error(&topic, partition).into_fatal()
            }
            Cause::DeliveryTimeout | Cause::RetriesExhausted => {
                return Error::DeliveryTimeout {
                    cause: last(),
                    topic: Arc::clone(&place.topic),
                    partition: place.partition,
                    elapsed: place.age,
                    reached_the_wire: is_unknown,
                };
            }
            Cause::EarlierBatchFailed => Error::TransactionAborted,
            Cause::Ended(error) => error.clone(),
            Cause::Unsendable(error) => Error::clone(error),
        };
        if !is_unknown {
            return error;
        }
        let (topic, partition) = (&place.topic, place.partition);
        // A producer that was closed explains why nothing more is tried, not what stood in the way before.
        let (until, cause) = match (error, last()) {
            (Error::Closed { .. }, Some(last)) => (", ended by closing the producer,", last),
            (error, _) => ("", Arc::new(error)),
        };
        Error::OutcomeUnknown {
            operation: Arc::from(format!("the delivery to {topic}-{partition}{until}")),
            cause: Some(cause),
        }
    }

    /// What the callers of the batch's records get, given the error of the batch as a whole.
    pub(crate) fn to_outcome(&self, error: &Error, place: &Place<'_>) -> BatchOutcome {
        let Cause::Rejected(rejection) = &self.cause else {
            return BatchOutcome::Failed(error.clone());
        };
        if rejection.records.is_empty() || self.is_unknown() {
            return BatchOutcome::Failed(error.clone());
        }
        let (topic, partition) = (&place.topic, place.partition);
        let named = rejection.records.iter().map(|record| {
            let message = record.message.as_ref().or(rejection.message.as_ref());
            (record.index, rejection.error(topic, partition, message))
        });
        BatchOutcome::Rejected {
            named: named.collect(),
            others: Error::RejectedWithBatch {
                topic: Arc::clone(topic),
                partition,
                cause: Arc::new(error.clone()),
            },
        }
    }
}
