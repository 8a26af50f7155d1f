//! What a leader's response about a partition of a Produce request means for the batch: the table of P-50 to P-67.
//!
//! The table says what the broker proved about *this attempt*. What follows for the batch also depends
//! on its earlier attempts and on its neighbours; that is decided in [`super::machine`].

use milena_codec::ErrorCode;
use milena_connection::judge;
use milena_connection::judgement::ProduceMeaning;

/// What one partition error code proves about one attempt to append a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The batch is in the log (also for a duplicate that the broker recognised).
    Appended,
    /// The batch is in the log as a duplicate, its offset is not returned (P-53, code 46).
    AppendedOffsetUnknown,
    /// Not now: the same batch may be sent again, byte for byte.
    Retry {
        /// The leader may have moved: metadata must be refreshed first.
        refresh: bool,
        /// The attempt may have been appended all the same (column A of the table).
        ambiguous: bool,
    },
    /// More than one record may fit if the batch is split (P-65); a single record is rejected.
    TooLarge,
    /// Proved not appended and never will be.
    Rejected,
    /// The broker's last sequence of this producer does not precede this batch (§1.7).
    OutOfOrderSequence,
    /// The broker knows nothing of this producer (§1.8); brokers before 2.5 and other vendors.
    UnknownProducerId,
    /// Fails the batch and the producer's epoch must be raised before the partition goes on (P-60).
    RaiseEpoch {
        /// The attempt may have been appended all the same.
        ambiguous: bool,
    },
    /// The producer can do nothing more.
    Fatal,
}

/// What a code in a Produce response says of the attempt. The codes themselves are placed in [`judge`].
pub(crate) fn verdict(code: ErrorCode) -> Verdict {
    use ProduceMeaning as P;
    let retry = |refresh, ambiguous| Verdict::Retry { refresh, ambiguous };
    match judge(code).produce {
        P::Appended => Verdict::Appended,
        P::Duplicate => Verdict::AppendedOffsetUnknown,
        P::Fatal => Verdict::Fatal,
        P::MaybeAppended => retry(false, true),
        P::Moved => retry(true, false),
        P::MovedMaybeAppended => retry(true, true),
        P::NotNow => retry(false, false),
        P::OldEpoch => Verdict::RaiseEpoch { ambiguous: false },
        P::OutOfOrderSequence => Verdict::OutOfOrderSequence,
        P::Rejected => Verdict::Rejected,
        P::TooLarge => Verdict::TooLarge,
        P::Unexpected => Verdict::RaiseEpoch { ambiguous: true },
        P::UnknownProducerId => Verdict::UnknownProducerId,
    }
}
