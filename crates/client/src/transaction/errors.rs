//! What each error code means to a transactional producer, request by request (§2.3, §2.5 to §2.9).
//!
//! The codes are placed once, in [`Meaning::from`], without a wildcard; each request then decides over
//! the meanings, again without one. A code or a meaning that is added does not compile until someone
//! has decided.

use milena_codec::ErrorCode;

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
    /// As if there were nothing to end; ask how the transaction ended (L-25).
    FindOut,
    Fatal,
}

/// How a Produce answer leaves the transaction (§1.6, transactional column).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum BatchVerdict {
    Abortable,
    Fenced,
    Fatal,
}

/// InitProducerId (T-41, T-42).
pub(super) fn init_producer_id(code: ErrorCode) -> Verdict {
    use Meaning as M;
    match Meaning::from(code) {
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
    use Meaning as M;
    match Meaning::from(code) {
        M::Success => Verdict::Done,
        M::Loading | M::NotYet | M::Passing => Verdict::Retry,
        M::Concurrent => Verdict::RetryConcurrent,
        M::CoordinatorAway => Verdict::FindCoordinator,
        M::EpochSuperseded | M::ProducerFenced => Verdict::Fenced,
        M::TransactionalIdDenied | M::NoSuchTransaction | M::IdForgotten => Verdict::Fatal,
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
    use Meaning as M;
    match Meaning::from(code) {
        M::Success => Verdict::Done,
        M::Loading | M::NotYet | M::Passing => Verdict::Retry,
        M::Concurrent => Verdict::RetryConcurrent,
        M::CoordinatorAway => Verdict::FindCoordinator,
        M::EpochSuperseded | M::ProducerFenced => Verdict::Fenced,
        M::ProducerForgotten | M::GroupDenied | M::TransactionAbortable => Verdict::Abortable,
        M::TransactionalIdDenied
        | M::NoSuchTransaction
        | M::IdForgotten
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
    use Meaning as M;
    match Meaning::from(code) {
        M::Success => Verdict::Done,
        // A coordinator that does not answer in time may not be the coordinator any more.
        M::Passing if code == ErrorCode::RequestTimedOut => Verdict::FindCoordinator,
        M::Loading | M::NotYet | M::Passing => Verdict::Retry,
        M::Concurrent => Verdict::RetryConcurrent,
        M::CoordinatorAway => Verdict::FindCoordinator,
        M::TransactionalIdDenied | M::FormatUnsupported => Verdict::Fatal,
        M::EpochSuperseded
        | M::ProducerFenced
        | M::IdForgotten
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
    use Meaning as M;
    match (Meaning::from(code), direction) {
        (M::Success, _) => Verdict::Done,
        (M::Loading | M::NotYet | M::Passing | M::Failed, _) => Verdict::Retry,
        (M::Concurrent, _) => Verdict::RetryConcurrent,
        (M::CoordinatorAway, _) => Verdict::FindCoordinator,
        (M::EpochSuperseded | M::ProducerFenced, _) => Verdict::Fenced,
        (M::NoSuchTransaction, _) => Verdict::FindOut,
        (M::ProducerForgotten, _)
        | (M::TransactionAbortable | M::NotAttempted, Direction::Commit) => Verdict::Abortable,
        (M::NotAttempted, Direction::Abort) => Verdict::Retry,
        // Abortable again would abort for ever.
        (M::TransactionAbortable, Direction::Abort)
        | (
            M::IdForgotten
            | M::TransactionalIdDenied
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
    use Meaning as M;
    match (Meaning::from(code), kind) {
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
    use Meaning as M;
    match Meaning::from(code) {
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
    use Meaning as M;
    match Meaning::from(code) {
        // Kafka never sends it here; others might.
        M::ProducerFenced => BatchVerdict::Fenced,
        M::ClusterDenied | M::TransactionalIdDenied | M::IdForgotten => BatchVerdict::Fatal,
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
    use Meaning as M;
    match Meaning::from(code) {
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

/// What a code says to a transactional producer, whatever it asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Success,
    /// 14: the coordinator reads its log.
    Loading,
    /// 15, 16: no coordinator, or not this one.
    CoordinatorAway,
    /// 51.
    Concurrent,
    /// Not yet, and nothing was done: a topic that is not known everywhere, a quota.
    NotYet,
    /// Something that passes, in the midst of being done: leaders, replicas, disks, time.
    Passing,
    /// 47: a newer epoch exists, on Produce for one of two reasons.
    EpochSuperseded,
    /// 90.
    ProducerFenced,
    /// 49: the id, or its producer id, is unknown; it expired.
    IdForgotten,
    /// 59: the producer's state is gone.
    ProducerForgotten,
    /// 48: not a transaction in a state to do that.
    NoSuchTransaction,
    /// 55: left out because of another part of the request.
    NotAttempted,
    TransactionalIdDenied,
    ClusterDenied,
    GroupDenied,
    TopicDenied,
    /// 120.
    TransactionAbortable,
    /// 22, 25, 27, 82, 110, 113: the consumer is no longer that member.
    MemberSuperseded,
    /// 12, 24, 28: the offsets, their metadata or the group id will not do.
    OffsetsInvalid,
    /// 43.
    FormatUnsupported,
    /// 105: DescribeTransactions knows no such id.
    NotDescribed,
    /// -1: the broker failed and cannot say where.
    Failed,
    /// A code that has no business in these answers, or that Kafka 4.3.1 does not define.
    Unrelated,
}

impl From<ErrorCode> for Meaning {
    #[expect(
        clippy::too_many_lines,
        reason = "one line per code is the point of the table"
    )]
    fn from(code: ErrorCode) -> Self {
        use ErrorCode as E;
        match code {
            E::None => Self::Success,
            E::CoordinatorLoadInProgress => Self::Loading,
            E::CoordinatorNotAvailable | E::NotCoordinator => Self::CoordinatorAway,
            E::ConcurrentTransactions => Self::Concurrent,
            E::InvalidProducerEpoch => Self::EpochSuperseded,
            E::ProducerFenced => Self::ProducerFenced,
            E::InvalidProducerIdMapping => Self::IdForgotten,
            E::UnknownProducerId => Self::ProducerForgotten,
            E::InvalidTxnState => Self::NoSuchTransaction,
            E::OperationNotAttempted => Self::NotAttempted,
            E::TransactionalIdAuthorizationFailed => Self::TransactionalIdDenied,
            E::ClusterAuthorizationFailed => Self::ClusterDenied,
            E::GroupAuthorizationFailed => Self::GroupDenied,
            E::TopicAuthorizationFailed => Self::TopicDenied,
            E::TransactionAbortable => Self::TransactionAbortable,
            E::TransactionalIdNotFound => Self::NotDescribed,
            E::UnsupportedForMessageFormat => Self::FormatUnsupported,
            E::UnknownServerError => Self::Failed,

            E::FencedInstanceId
            | E::FencedMemberEpoch
            | E::IllegalGeneration
            | E::RebalanceInProgress
            | E::StaleMemberEpoch
            | E::UnknownMemberId => Self::MemberSuperseded,

            E::InvalidCommitOffsetSize | E::InvalidGroupId | E::OffsetMetadataTooLarge => {
                Self::OffsetsInvalid
            }

            E::CorruptMessage
            | E::InconsistentTopicId
            | E::ListenerNotFound
            | E::ThrottlingQuotaExceeded
            | E::UnknownTopicId
            | E::UnknownTopicOrPartition
            | E::UnstableOffsetCommit => Self::NotYet,

            E::BrokerNotAvailable
            | E::EligibleLeadersNotAvailable
            | E::FencedLeaderEpoch
            | E::KafkaStorageError
            | E::LeaderNotAvailable
            | E::NetworkException
            | E::NotEnoughReplicas
            | E::NotEnoughReplicasAfterAppend
            | E::NotLeaderOrFollower
            | E::OffsetNotAvailable
            | E::PreferredLeaderNotAvailable
            | E::ReplicaNotAvailable
            | E::RequestTimedOut
            | E::UnknownLeaderEpoch => Self::Passing,

            E::BrokerIdNotRegistered
            | E::ControllerIdNotRegistered
            | E::DelegationTokenAuthDisabled
            | E::DelegationTokenAuthorizationFailed
            | E::DelegationTokenExpired
            | E::DelegationTokenNotFound
            | E::DelegationTokenOwnerMismatch
            | E::DelegationTokenRequestNotAllowed
            | E::DuplicateBrokerRegistration
            | E::DuplicateResource
            | E::DuplicateSequenceNumber
            | E::DuplicateVoter
            | E::ElectionNotNeeded
            | E::FeatureUpdateFailed
            | E::FencedStateEpoch
            | E::FetchSessionIdNotFound
            | E::FetchSessionTopicIdError
            | E::GroupDeletionFailed
            | E::GroupIdNotFound
            | E::GroupMaxSizeReached
            | E::GroupSubscribedToTopic
            | E::IllegalSaslState
            | E::InconsistentClusterId
            | E::InconsistentGroupProtocol
            | E::InconsistentVoterSet
            | E::IneligibleReplica
            | E::InvalidConfig
            | E::InvalidFetchSessionEpoch
            | E::InvalidFetchSize
            | E::InvalidPartitions
            | E::InvalidPrincipalType
            | E::InvalidRecord
            | E::InvalidRecordState
            | E::InvalidRegistration
            | E::InvalidRegularExpression
            | E::InvalidReplicaAssignment
            | E::InvalidReplicationFactor
            | E::InvalidRequest
            | E::InvalidRequiredAcks
            | E::InvalidSessionTimeout
            | E::InvalidShareSessionEpoch
            | E::InvalidTimestamp
            | E::InvalidTopicException
            | E::InvalidTransactionTimeout
            | E::InvalidUpdateVersion
            | E::InvalidVoterKey
            | E::LogDirNotFound
            | E::MemberIdRequired
            | E::MessageTooLarge
            | E::MismatchedEndpointType
            | E::NewLeaderElected
            | E::NoReassignmentInProgress
            | E::NonEmptyGroup
            | E::NotController
            | E::OffsetMovedToTieredStorage
            | E::OffsetOutOfRange
            | E::OutOfOrderSequenceNumber
            | E::PolicyViolation
            | E::PositionOutOfRange
            | E::PrincipalDeserializationFailure
            | E::ReassignmentInProgress
            | E::RebootstrapRequired
            | E::RecordListTooLarge
            | E::ResourceNotFound
            | E::SaslAuthenticationFailed
            | E::SecurityDisabled
            | E::ShareSessionLimitReached
            | E::ShareSessionNotFound
            | E::SnapshotNotFound
            | E::StaleBrokerEpoch
            | E::StaleControllerEpoch
            | E::StreamsInvalidTopology
            | E::StreamsInvalidTopologyEpoch
            | E::StreamsTopologyDescriptionUpdateFailed
            | E::StreamsTopologyFenced
            | E::TelemetryTooLarge
            | E::TopicAlreadyExists
            | E::TopicDeletionDisabled
            | E::TransactionCoordinatorFenced
            | E::UnacceptableCredential
            | E::Unknown(_)
            | E::UnknownControllerId
            | E::UnknownSubscriptionId
            | E::UnreleasedInstanceId
            | E::UnsupportedAssignor
            | E::UnsupportedCompressionType
            | E::UnsupportedEndpointType
            | E::UnsupportedSaslMechanism
            | E::UnsupportedVersion
            | E::VoterNotFound => Self::Unrelated,
        }
    }
}

#[cfg(test)]
#[path = "tests/errors.rs"]
mod tests;
