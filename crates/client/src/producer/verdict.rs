//! What a partition's answer to a Produce request means for the batch: the table of P-50 to P-67.
//!
//! The table says what the broker proved about *this attempt*. What follows for the batch also depends
//! on its earlier attempts and on its neighbours; that is decided in [`super::machine`].

use milena_codec::ErrorCode;

/// What one partition error code proves about one attempt to append a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The batch is in the log (also for a duplicate that the broker recognised).
    Appended,
    /// The batch is in the log as a duplicate, its offset is not told (P-53, code 46).
    AppendedOffsetUnknown,
    /// Not now: the same batch may be sent again, byte for byte.
    Retry {
        /// The leader may have moved: metadata must be refreshed first.
        refresh: bool,
        /// The attempt may have been appended all the same (column A of the table).
        ambiguous: bool,
    },
    /// More than one record may fit if the batch is cut in pieces (P-65); a single record is refused.
    TooLarge,
    /// Proved not appended and never will be.
    Refused,
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

/// Places every error code of the protocol.
///
/// No wildcard arm: a new code does not compile until someone decides.
pub(crate) fn verdict(code: ErrorCode) -> Verdict {
    use ErrorCode as E;
    const AGAIN: Verdict = Verdict::Retry {
        refresh: false,
        ambiguous: false,
    };
    const MOVED: Verdict = Verdict::Retry {
        refresh: true,
        ambiguous: false,
    };
    const MOVED_MAYBE_APPENDED: Verdict = Verdict::Retry {
        refresh: true,
        ambiguous: true,
    };
    const MAYBE_APPENDED: Verdict = Verdict::Retry {
        refresh: false,
        ambiguous: true,
    };
    match code {
        E::None => Verdict::Appended,
        E::DuplicateSequenceNumber => Verdict::AppendedOffsetUnknown,

        E::CorruptMessage
        | E::CoordinatorLoadInProgress
        | E::CoordinatorNotAvailable
        | E::NotCoordinator
        | E::NotEnoughReplicas
        | E::ConcurrentTransactions
        | E::ThrottlingQuotaExceeded => AGAIN,

        E::UnknownTopicOrPartition
        | E::LeaderNotAvailable
        | E::FencedLeaderEpoch
        | E::UnknownLeaderEpoch
        | E::UnknownTopicId
        | E::InconsistentTopicId
        | E::ReplicaNotAvailable
        | E::BrokerNotAvailable => MOVED,

        E::NotLeaderOrFollower | E::NetworkException | E::KafkaStorageError => MOVED_MAYBE_APPENDED,
        E::RequestTimedOut | E::NotEnoughReplicasAfterAppend => MAYBE_APPENDED,

        E::MessageTooLarge => Verdict::TooLarge,
        E::OutOfOrderSequenceNumber => Verdict::OutOfOrderSequence,
        E::UnknownProducerId => Verdict::UnknownProducerId,
        E::InvalidProducerEpoch => Verdict::RaiseEpoch { ambiguous: false },

        E::ClusterAuthorizationFailed
        | E::InvalidProducerIdMapping
        | E::ProducerFenced
        | E::TransactionalIdAuthorizationFailed
        | E::UnsupportedVersion => Verdict::Fatal,

        E::InvalidTopicException
        | E::RecordListTooLarge
        | E::InvalidRequiredAcks
        | E::TopicAuthorizationFailed
        | E::InvalidTimestamp
        | E::InvalidRecord
        | E::InvalidRequest
        | E::UnsupportedForMessageFormat
        | E::PolicyViolation
        | E::UnsupportedCompressionType
        | E::InvalidTxnState
        | E::TransactionAbortable => Verdict::Refused,

        // Codes that Kafka gives to other requests: nobody can say what they prove here.
        E::UnknownServerError
        | E::OffsetOutOfRange
        | E::InvalidFetchSize
        | E::StaleControllerEpoch
        | E::OffsetMetadataTooLarge
        | E::IllegalGeneration
        | E::InconsistentGroupProtocol
        | E::InvalidGroupId
        | E::UnknownMemberId
        | E::InvalidSessionTimeout
        | E::RebalanceInProgress
        | E::InvalidCommitOffsetSize
        | E::GroupAuthorizationFailed
        | E::UnsupportedSaslMechanism
        | E::IllegalSaslState
        | E::TopicAlreadyExists
        | E::InvalidPartitions
        | E::InvalidReplicationFactor
        | E::InvalidReplicaAssignment
        | E::InvalidConfig
        | E::NotController
        | E::InvalidTransactionTimeout
        | E::TransactionCoordinatorFenced
        | E::SecurityDisabled
        | E::OperationNotAttempted
        | E::LogDirNotFound
        | E::SaslAuthenticationFailed
        | E::ReassignmentInProgress
        | E::DelegationTokenAuthDisabled
        | E::DelegationTokenNotFound
        | E::DelegationTokenOwnerMismatch
        | E::DelegationTokenRequestNotAllowed
        | E::DelegationTokenAuthorizationFailed
        | E::DelegationTokenExpired
        | E::InvalidPrincipalType
        | E::NonEmptyGroup
        | E::GroupIdNotFound
        | E::FetchSessionIdNotFound
        | E::InvalidFetchSessionEpoch
        | E::ListenerNotFound
        | E::TopicDeletionDisabled
        | E::StaleBrokerEpoch
        | E::OffsetNotAvailable
        | E::MemberIdRequired
        | E::PreferredLeaderNotAvailable
        | E::GroupMaxSizeReached
        | E::FencedInstanceId
        | E::EligibleLeadersNotAvailable
        | E::ElectionNotNeeded
        | E::NoReassignmentInProgress
        | E::GroupSubscribedToTopic
        | E::UnstableOffsetCommit
        | E::ResourceNotFound
        | E::DuplicateResource
        | E::UnacceptableCredential
        | E::InconsistentVoterSet
        | E::InvalidUpdateVersion
        | E::FeatureUpdateFailed
        | E::PrincipalDeserializationFailure
        | E::SnapshotNotFound
        | E::PositionOutOfRange
        | E::DuplicateBrokerRegistration
        | E::BrokerIdNotRegistered
        | E::InconsistentClusterId
        | E::TransactionalIdNotFound
        | E::FetchSessionTopicIdError
        | E::IneligibleReplica
        | E::NewLeaderElected
        | E::OffsetMovedToTieredStorage
        | E::FencedMemberEpoch
        | E::UnreleasedInstanceId
        | E::UnsupportedAssignor
        | E::StaleMemberEpoch
        | E::MismatchedEndpointType
        | E::UnsupportedEndpointType
        | E::UnknownControllerId
        | E::UnknownSubscriptionId
        | E::TelemetryTooLarge
        | E::InvalidRegistration
        | E::InvalidRecordState
        | E::ShareSessionNotFound
        | E::InvalidShareSessionEpoch
        | E::FencedStateEpoch
        | E::InvalidVoterKey
        | E::DuplicateVoter
        | E::VoterNotFound
        | E::InvalidRegularExpression
        | E::RebootstrapRequired
        | E::StreamsInvalidTopology
        | E::StreamsInvalidTopologyEpoch
        | E::StreamsTopologyFenced
        | E::ShareSessionLimitReached
        | E::GroupDeletionFailed
        | E::StreamsTopologyDescriptionUpdateFailed
        | E::ControllerIdNotRegistered
        | E::Unknown(_) => Verdict::RaiseEpoch { ambiguous: true },
    }
}
