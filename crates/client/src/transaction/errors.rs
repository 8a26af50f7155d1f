//! What each error code means to a transactional producer, request by request (§2.3, §2.5 to §2.9).
//!
//! The codes are placed once, in [`judge`], without a wildcard; each request then decides over their
//! meanings to a transaction, again without one. A code or a meaning that is added does not compile
//! until it is decided.

use milena_codec::ErrorCode;
use milena_connection::judge;
use milena_connection::judgement::TransactionMeaning;

use super::request::CoordinatorKind;
use super::state::Direction;

/// What a request's answer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Verdict {
    Done,
    /// The same request again, after the usual back-off.
    Retry,
    /// The same request again as soon as the coordinator has done what it does for this id (T-68).
    RetryConcurrent,
    /// Find the coordinator anew, then the same request again (T-21).
    FindCoordinator,
    /// The transaction can only be aborted.
    Abortable,
    /// Init was refused and may be called again.
    Refused,
    /// The epoch is no longer the newest of its id.
    Fenced,
    /// The coordinator no longer knows the transactional id under this producer id: it expired, or another producer
    /// took it after that. Nothing is open there, so the id can be taken again; a fence shows then (T-73).
    Forgotten,
    /// As if there were nothing to end; ask how the transaction ended (L-25).
    FindOut,
    Fatal,
}

/// How a Produce answer leaves the transaction (§1.6, transactional column).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum BatchVerdict {
    Abortable,
    Fenced,
    Forgotten,
    Fatal,
}

/// InitProducerId (T-41, T-42).
pub(super) fn init_producer_id(code: ErrorCode) -> Verdict {
    use TransactionMeaning as M;
    match judge(code).transaction {
        M::Success => Verdict::Done,
        M::Loading | M::NotYet | M::Passing => Verdict::Retry,
        M::Concurrent => Verdict::RetryConcurrent,
        M::CoordinatorAway => Verdict::FindCoordinator,
        M::EpochSuperseded | M::ProducerFenced => Verdict::Fenced,
        M::TransactionalIdDenied | M::ClusterDenied | M::TransactionAbortable => Verdict::Refused,
        M::IdForgotten
        | M::ProducerForgotten
        | M::NoSuchTransaction
        | M::NotAttempted
        | M::GroupDenied
        | M::TopicDenied
        | M::MemberSuperseded
        | M::OffsetsInvalid
        | M::FormatUnsupported
        | M::NotDescribed
        | M::Failed
        | M::Unrelated => Verdict::Fatal,
    }
}

/// One partition of AddPartitionsToTxn (§2.6).
///
/// 47 and 90 are told apart from the coordinator's own time-out by asking it once more (T-71).
pub(super) fn add_partitions(code: ErrorCode) -> Verdict {
    use TransactionMeaning as M;
    match judge(code).transaction {
        M::Success => Verdict::Done,
        M::Loading | M::NotYet | M::Passing => Verdict::Retry,
        M::Concurrent => Verdict::RetryConcurrent,
        M::CoordinatorAway => Verdict::FindCoordinator,
        M::EpochSuperseded | M::ProducerFenced => Verdict::Fenced,
        M::IdForgotten => Verdict::Forgotten,
        M::TransactionalIdDenied | M::NoSuchTransaction => Verdict::Fatal,
        M::ProducerForgotten
        | M::TopicDenied
        | M::NotAttempted
        | M::TransactionAbortable
        | M::ClusterDenied
        | M::GroupDenied
        | M::MemberSuperseded
        | M::OffsetsInvalid
        | M::FormatUnsupported
        | M::NotDescribed
        | M::Failed
        | M::Unrelated => Verdict::Abortable,
    }
}

/// AddOffsetsToTxn (§2.7).
pub(super) fn add_offsets(code: ErrorCode) -> Verdict {
    use TransactionMeaning as M;
    match judge(code).transaction {
        M::Success => Verdict::Done,
        M::Loading | M::NotYet | M::Passing => Verdict::Retry,
        M::Concurrent => Verdict::RetryConcurrent,
        M::CoordinatorAway => Verdict::FindCoordinator,
        M::IdForgotten => Verdict::Forgotten,
        M::EpochSuperseded | M::ProducerFenced => Verdict::Fenced,
        M::ProducerForgotten | M::GroupDenied | M::TransactionAbortable => Verdict::Abortable,
        M::TransactionalIdDenied
        | M::NoSuchTransaction
        | M::ClusterDenied
        | M::TopicDenied
        | M::NotAttempted
        | M::MemberSuperseded
        | M::OffsetsInvalid
        | M::FormatUnsupported
        | M::NotDescribed
        | M::Failed
        | M::Unrelated => Verdict::Fatal,
    }
}

/// One partition of TxnOffsetCommit (§2.7).
///
/// Only what an abort cannot mend is fatal. 47 and 90 are abortable (Java: fatal): the group
/// coordinator's log may have seen a newer epoch because the transaction timed out, and the answer to
/// the abort tells (T-71).
pub(super) fn txn_offset_commit(code: ErrorCode) -> Verdict {
    use TransactionMeaning as M;
    match judge(code).transaction {
        M::Success => Verdict::Done,
        // A coordinator that does not answer in time may not be the coordinator any more.
        M::Passing if code == ErrorCode::RequestTimedOut => Verdict::FindCoordinator,
        M::Loading | M::NotYet | M::Passing => Verdict::Retry,
        M::Concurrent => Verdict::RetryConcurrent,
        M::CoordinatorAway => Verdict::FindCoordinator,
        M::IdForgotten => Verdict::Forgotten,
        M::TransactionalIdDenied | M::FormatUnsupported => Verdict::Fatal,
        M::EpochSuperseded
        | M::ProducerFenced
        | M::NoSuchTransaction
        | M::ProducerForgotten
        | M::MemberSuperseded
        | M::OffsetsInvalid
        | M::GroupDenied
        | M::TopicDenied
        | M::ClusterDenied
        | M::NotAttempted
        | M::TransactionAbortable
        | M::NotDescribed
        | M::Failed
        | M::Unrelated => Verdict::Abortable,
    }
}

/// EndTxn (T-63).
///
/// An internal error leaves the outcome open and the same request is repeated (T-67, Java: fatal). 55
/// proves that nothing was done: a commit can still be aborted, an abort is repeated (L-15).
pub(super) fn end_txn(code: ErrorCode, direction: Direction) -> Verdict {
    use TransactionMeaning as M;
    match (judge(code).transaction, direction) {
        (M::Success, _) => Verdict::Done,
        (M::Loading | M::NotYet | M::Passing | M::Failed, _) => Verdict::Retry,
        (M::Concurrent, _) => Verdict::RetryConcurrent,
        (M::CoordinatorAway, _) => Verdict::FindCoordinator,
        (M::EpochSuperseded | M::ProducerFenced, _) => Verdict::Fenced,
        (M::IdForgotten, _) => Verdict::Forgotten,
        (M::NoSuchTransaction, _) => Verdict::FindOut,
        (M::ProducerForgotten, _)
        | (M::TransactionAbortable | M::NotAttempted, Direction::Commit) => Verdict::Abortable,
        (M::NotAttempted, Direction::Abort) => Verdict::Retry,
        // Abortable again would abort for ever.
        (M::TransactionAbortable, Direction::Abort)
        | (
            M::TransactionalIdDenied
            | M::ClusterDenied
            | M::GroupDenied
            | M::TopicDenied
            | M::MemberSuperseded
            | M::OffsetsInvalid
            | M::FormatUnsupported
            | M::NotDescribed
            | M::Unrelated,
            _,
        ) => Verdict::Fatal,
    }
}

/// FindCoordinator (T-22). For a group only the transactional id's own rights are fatal: the
/// transaction can still be aborted (Java: all unknown codes are fatal).
pub(super) fn find_coordinator(code: ErrorCode, kind: CoordinatorKind) -> Verdict {
    use TransactionMeaning as M;
    match (judge(code).transaction, kind) {
        (M::Success, _) => Verdict::Done,
        (M::Loading | M::NotYet | M::Passing | M::CoordinatorAway | M::Concurrent, _) => {
            Verdict::Retry
        }
        (M::GroupDenied | M::TransactionAbortable, _) => Verdict::Abortable,
        (M::TransactionalIdDenied, _) => Verdict::Fatal,
        (
            M::EpochSuperseded
            | M::ProducerFenced
            | M::IdForgotten
            | M::ProducerForgotten
            | M::NoSuchTransaction
            | M::NotAttempted
            | M::ClusterDenied
            | M::TopicDenied
            | M::MemberSuperseded
            | M::OffsetsInvalid
            | M::FormatUnsupported
            | M::NotDescribed
            | M::Failed
            | M::Unrelated,
            kind,
        ) => match kind {
            CoordinatorKind::Group => Verdict::Abortable,
            CoordinatorKind::Transaction => Verdict::Fatal,
        },
    }
}

/// DescribeTransactions, which only reads: what does not pass cannot be found out this way.
pub(super) fn describe_transactions(code: ErrorCode) -> Verdict {
    use TransactionMeaning as M;
    match judge(code).transaction {
        M::Success => Verdict::Done,
        M::Loading | M::NotYet | M::Passing | M::Failed => Verdict::Retry,
        M::Concurrent => Verdict::RetryConcurrent,
        M::CoordinatorAway => Verdict::FindCoordinator,
        M::EpochSuperseded
        | M::ProducerFenced
        | M::IdForgotten
        | M::ProducerForgotten
        | M::NoSuchTransaction
        | M::NotAttempted
        | M::TransactionalIdDenied
        | M::ClusterDenied
        | M::GroupDenied
        | M::TopicDenied
        | M::TransactionAbortable
        | M::MemberSuperseded
        | M::OffsetsInvalid
        | M::FormatUnsupported
        | M::NotDescribed
        | M::Unrelated => Verdict::Fatal,
    }
}

/// A batch that failed for good with this code (§1.6). A code that would have been retried, but ran
/// out of time, leaves the transaction to be aborted like any other (P-54).
pub(super) fn produce(code: ErrorCode) -> BatchVerdict {
    use TransactionMeaning as M;
    match judge(code).transaction {
        // Kafka never sends it here; others might.
        M::ProducerFenced => BatchVerdict::Fenced,
        M::IdForgotten => BatchVerdict::Forgotten,
        M::ClusterDenied | M::TransactionalIdDenied => BatchVerdict::Fatal,
        M::Unrelated if code == ErrorCode::UnsupportedVersion => BatchVerdict::Fatal,
        // 47 as well: fenced or timed out, and the abort will tell (T-70).
        M::EpochSuperseded
        | M::Success
        | M::Loading
        | M::NotYet
        | M::Passing
        | M::Concurrent
        | M::CoordinatorAway
        | M::ProducerForgotten
        | M::NoSuchTransaction
        | M::NotAttempted
        | M::GroupDenied
        | M::TopicDenied
        | M::TransactionAbortable
        | M::MemberSuperseded
        | M::OffsetsInvalid
        | M::FormatUnsupported
        | M::NotDescribed
        | M::Failed
        | M::Unrelated => BatchVerdict::Abortable,
    }
}

/// Whether a coordinator that answers with `code` may have applied the request all the same.
///
/// A coordinator appends to its log before it answers. When that append does not come through in time,
/// or the coordinator loses its place meanwhile, it says "not available", "not coordinator" or "timed
/// out", and the record may be in the log (L-2).
pub(super) fn may_be_applied(code: ErrorCode) -> bool {
    use TransactionMeaning as M;
    match judge(code).transaction {
        M::CoordinatorAway | M::Passing | M::Failed => true,
        M::Unrelated => matches!(code, ErrorCode::Unknown(_)),
        M::Success
        | M::Loading
        | M::NotYet
        | M::Concurrent
        | M::EpochSuperseded
        | M::ProducerFenced
        | M::IdForgotten
        | M::ProducerForgotten
        | M::NoSuchTransaction
        | M::NotAttempted
        | M::TransactionalIdDenied
        | M::ClusterDenied
        | M::GroupDenied
        | M::TopicDenied
        | M::TransactionAbortable
        | M::MemberSuperseded
        | M::OffsetsInvalid
        | M::FormatUnsupported
        | M::NotDescribed => false,
    }
}

#[cfg(test)]
#[path = "tests/errors.rs"]
mod tests;
