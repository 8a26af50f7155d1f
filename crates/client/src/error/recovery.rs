//! What an error lets the caller do, and where each of Kafka's codes stands.

use milena_codec::{ApiKey, ErrorCode};
use milena_connection::{Class, judge};

/// What the caller may do about an error.
///
/// Every error has exactly one. The four classes [`is_retriable`](Self::is_retriable),
/// [`is_abortable`](Self::is_abortable), [`is_fatal`](Self::is_fatal) and
/// [`is_outcome_unknown`](Self::is_outcome_unknown) never overlap; an error in none of them
/// ([`FixConfiguration`](Self::FixConfiguration), [`GiveUp`](Self::GiveUp)) rejected that
/// one call, and the producer or consumer goes on.
///
/// milena has already repeated what it may repeat within the configured time limits, so an error
/// that says [`Retry`](Self::Retry) is one on which that time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Recovery {
    /// Nothing was changed and the cause passes: the same call may be made again, after a pause.
    Retry,
    /// As [`Retry`](Self::Retry), and what was known about leaders, coordinators or the
    /// controller is stale; milena looks it up again before the next attempt.
    RefreshAndRetry,
    /// The transaction can only be aborted. The producer survives and may begin the next one.
    AbortTransaction,
    /// The producer (or consumer) is unusable: close it. A new one may be made once the cause
    /// is removed - for [`Error::Fenced`](crate::Error::Fenced) only if this process is still the
    /// one meant to own the transactional id, because a new producer fences the other in turn.
    RecreateProducer,
    /// A setting, a right or a version stands in the way; the same call fails until it is
    /// changed.
    FixConfiguration,
    /// This call was rejected, and would be rejected again.
    GiveUp,
    /// The operation may or may not have been applied. Repeating a write can duplicate it;
    /// treating it as failed can lose it. A commit or abort goes on:
    /// [`TransactionalProducer::outcome`](crate::TransactionalProducer::outcome) returns how it ended.
    OutcomeUnknown,
}

impl Recovery {
    /// Whether the same call may be made again: [`Retry`](Self::Retry) or
    /// [`RefreshAndRetry`](Self::RefreshAndRetry).
    #[must_use]
    pub const fn is_retriable(self) -> bool {
        matches!(self, Self::Retry | Self::RefreshAndRetry)
    }

    /// Whether the transaction must be aborted and the producer goes on.
    #[must_use]
    pub const fn is_abortable(self) -> bool {
        matches!(self, Self::AbortTransaction)
    }

    /// Whether the producer or consumer is unusable.
    #[must_use]
    pub const fn is_fatal(self) -> bool {
        matches!(self, Self::RecreateProducer)
    }

    /// Whether the operation may or may not have been applied.
    #[must_use]
    pub const fn is_outcome_unknown(self) -> bool {
        matches!(self, Self::OutcomeUnknown)
    }
}

/// The class of a code by itself, without the request that it responds to.
///
/// These are the classes Apache Kafka 4.3.1 ships (KIP-1050), and where Kafka has none, ours. The
/// request can say more - `INVALID_PRODUCER_EPOCH` does not end a producer in response to a
/// Produce, and a write rejected with `REQUEST_TIMED_OUT` may have been applied - so prefer
/// [`Error::recovery`](crate::Error::recovery) where there is an error to ask.
///
/// `NONE` is no error; a response that was treated as one anyway gives up.
#[must_use]
pub const fn recovery_of(code: ErrorCode) -> Recovery {
    // The codes are placed in one table, which has no wildcard arm.
    match judge(code).class {
        Class::AbortTransaction => Recovery::AbortTransaction,
        Class::FixConfiguration => Recovery::FixConfiguration,
        Class::GiveUp => Recovery::GiveUp,
        Class::OutcomeUnknown => Recovery::OutcomeUnknown,
        Class::Recreate => Recovery::RecreateProducer,
        Class::RefreshAndRetry => Recovery::RefreshAndRetry,
        Class::Retry => Recovery::Retry,
    }
}

/// The class of a code in the response to `request`, which says more than the code alone.
pub(super) fn recovery_of_answer(request: ApiKey, code: ErrorCode) -> Recovery {
    let alone = recovery_of(code);
    match (request, code) {
        // The broker turns "fenced" into this code on Produce too, so it proves nothing but that
        // the batch was not appended (error table 1.6); the producer takes a new epoch itself.
        (ApiKey::Produce, ErrorCode::InvalidProducerEpoch) => Recovery::Retry,
        // One topic of several was left out because of another one: asking again is harmless.
        (_, ErrorCode::OperationNotAttempted) => Recovery::Retry,
        _ if may_have_been_applied(code) && !request.is_repeatable() => Recovery::OutcomeUnknown,
        // A failed look-up changed nothing, whatever the broker's trouble was.
        _ if alone.is_outcome_unknown() && request.is_repeatable() => Recovery::Retry,
        _ => alone,
    }
}

/// Whether the broker may have applied a request that it rejects with `code`: column A of the
/// Produce error table 1.6.
#[must_use]
pub(crate) const fn may_have_been_applied(code: ErrorCode) -> bool {
    judge(code).maybe_applied
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_code() -> impl Iterator<Item = ErrorCode> {
        (i16::MIN..=i16::MAX).map(ErrorCode::from)
    }

    #[test]
    fn the_four_classes_are_disjoint_for_every_code() {
        for code in every_code() {
            for recovery in [recovery_of(code), recovery_of_answer(ApiKey::Produce, code)] {
                let classes = [
                    recovery.is_retriable(),
                    recovery.is_abortable(),
                    recovery.is_fatal(),
                    recovery.is_outcome_unknown(),
                ];
                assert!(
                    classes.iter().filter(|held| **held).count() <= 1,
                    "{code}: {classes:?}"
                );
            }
        }
    }

    /// The classes of Kafka 4.3.1's own exceptions, read from `Errors.exception()`: direct
    /// subclasses of `RetriableException`, those below `RefreshRetriableException`, of
    /// `ApplicationRecoverableException`, of `InvalidConfigurationException` and everything below.
    const KAFKA_RETRIABLE: &[i16] = &[
        2, 7, 14, 19, 20, 41, 51, 70, 71, 75, 78, 88, 89, 106, 122, 123, 133,
    ];
    const KAFKA_REFRESH: &[i16] = &[3, 5, 6, 9, 13, 15, 16, 56, 72, 74, 80, 83, 84, 100, 103];
    const KAFKA_RECOVERABLE: &[i16] = &[22, 25, 47, 49, 82, 90];
    const KAFKA_CONFIGURATION: &[i16] = &[
        17, 18, 21, 29, 30, 31, 33, 34, 35, 38, 40, 43, 53, 58, 65, 87,
    ];
    /// Codes placed otherwise than Kafka's class says, or placed where Kafka has no class.
    const OURS: &[(i16, Recovery)] = &[
        (-1, Recovery::OutcomeUnknown),
        (8, Recovery::RefreshAndRetry),
        (26, Recovery::FixConfiguration),
        (41, Recovery::RefreshAndRetry),
        (50, Recovery::FixConfiguration),
        (54, Recovery::FixConfiguration),
        (73, Recovery::FixConfiguration),
        (76, Recovery::FixConfiguration),
        (112, Recovery::FixConfiguration),
        (129, Recovery::RefreshAndRetry),
    ];

    #[test]
    fn codes_stand_where_kafka_puts_them_except_those_named_here() {
        for code in ErrorCode::ALL {
            let number = code.code();
            let kafka = if KAFKA_RETRIABLE.contains(&number) {
                Recovery::Retry
            } else if KAFKA_REFRESH.contains(&number) {
                Recovery::RefreshAndRetry
            } else if KAFKA_RECOVERABLE.contains(&number) {
                Recovery::RecreateProducer
            } else if KAFKA_CONFIGURATION.contains(&number) {
                Recovery::FixConfiguration
            } else if number == 120 {
                Recovery::AbortTransaction
            } else {
                Recovery::GiveUp
            };
            let expected = OURS
                .iter()
                .find(|(ours, _)| *ours == number)
                .map_or(kafka, |(_, ours)| *ours);
            assert_eq!(recovery_of(*code), expected, "{code}");
        }
    }

    #[test]
    fn a_code_outside_the_table_leaves_the_outcome_unknown() {
        assert_eq!(recovery_of(ErrorCode::from(4711)), Recovery::OutcomeUnknown);
    }

    #[test]
    fn a_write_that_timed_out_on_the_broker_is_unknown_and_a_look_up_is_not() {
        let timed_out = ErrorCode::RequestTimedOut;
        for write in [
            ApiKey::Produce,
            ApiKey::EndTxn,
            ApiKey::CreateTopics,
            ApiKey::DeleteTopics,
            ApiKey::Unknown(4711),
        ] {
            assert_eq!(
                recovery_of_answer(write, timed_out),
                Recovery::OutcomeUnknown,
                "{write}"
            );
        }
        for read in [ApiKey::Metadata, ApiKey::Fetch, ApiKey::ListOffsets] {
            assert_eq!(
                recovery_of_answer(read, timed_out),
                Recovery::Retry,
                "{read}"
            );
            assert!(recovery_of_answer(read, ErrorCode::UnknownServerError).is_retriable());
        }
    }

    #[test]
    fn an_old_epoch_on_produce_does_not_end_the_producer() {
        let code = ErrorCode::InvalidProducerEpoch;
        assert_eq!(recovery_of_answer(ApiKey::Produce, code), Recovery::Retry);
        assert_eq!(
            recovery_of_answer(ApiKey::EndTxn, code),
            Recovery::RecreateProducer
        );
    }
}
