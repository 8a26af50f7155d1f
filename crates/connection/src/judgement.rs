//! What each of Kafka's error codes means, in one table.
//!
//! A code that is added to [`ErrorCode`] does not compile until it has a row in [`judge`]. A row says what the code means
//! to every kind of caller: any client, a producer, a transaction, a reader, a member of a group. What a caller
//! does about it is decided where it lives, by exhaustive matches on the column that concerns it.

use milena_codec::{ApiKey, ErrorCode};

/// What any client may do about a code, whatever it requested: the classes that Kafka 4.3.1 ships
/// (KIP-1050), and ours where Kafka has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Abort the transaction; the producer goes on.
    AbortTransaction,
    /// Change a setting, a right or a version first.
    FixConfiguration,
    /// Nothing: the request would be rejected again.
    GiveUp,
    /// It is not known whether the request was carried out.
    OutcomeUnknown,
    /// Make the producer or member anew.
    Recreate,
    /// Repeat the request, after what is known of leaders, coordinators or the controller was refreshed.
    RefreshAndRetry,
    /// Repeat the request after a pause.
    Retry,
}

/// What a code in a Produce response proves about the batch (rules P-50 to P-67).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProduceMeaning {
    /// The batch is in the log.
    Appended,
    /// The batch is in the log as a duplicate, its offset is not returned.
    Duplicate,
    /// The producer can do nothing more.
    Fatal,
    /// Not appended now, or appended without the replicas that were required.
    MaybeAppended,
    /// Not appended; the leader may be another broker.
    Moved,
    /// As [`Moved`](Self::Moved), and the batch may have been appended all the same.
    MovedMaybeAppended,
    /// Not appended now; the same bytes may be sent again.
    NotNow,
    /// Not appended; the epoch is not the newest.
    OldEpoch,
    /// The batch does not follow what the broker has of this producer.
    OutOfOrderSequence,
    /// Not appended, and never will be.
    Rejected,
    /// Not appended; parts of it may fit.
    TooLarge,
    /// A code of other requests, which proves nothing here.
    Unexpected,
    /// The broker has nothing of this producer.
    UnknownProducerId,
}

/// What a code means to a transactional producer, whatever it requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionMeaning {
    /// No right to use the cluster.
    ClusterDenied,
    /// 51.
    Concurrent,
    /// 15, 16: no coordinator, or not this broker.
    CoordinatorAway,
    /// 47: a newer epoch exists, on Produce for one of two reasons.
    EpochSuperseded,
    /// -1: the broker failed and cannot say where.
    Failed,
    /// 43.
    FormatUnsupported,
    /// No right to use the group.
    GroupDenied,
    /// 49: the id, or its producer id, is unknown; it expired (L-7).
    IdForgotten,
    /// 14: the coordinator reads its log.
    Loading,
    /// The consumer is no longer that member.
    MemberSuperseded,
    /// 48: not a transaction in a state to do that.
    NoSuchTransaction,
    /// 55: left out because of another part of the request.
    NotAttempted,
    /// 105: DescribeTransactions knows no such id.
    NotDescribed,
    /// Not yet, and nothing was done: a topic that is not known everywhere, a quota.
    NotYet,
    /// 12, 24, 28: the offsets, their metadata or the group id cannot be used.
    OffsetsInvalid,
    /// Something that passes, in the midst of being done: leaders, replicas, disks, time.
    Passing,
    /// 90.
    ProducerFenced,
    /// 59: the producer's state is gone.
    ProducerForgotten,
    /// No error.
    Success,
    /// No right to use the topic.
    TopicDenied,
    /// 120.
    TransactionAbortable,
    /// No right to use the transactional id.
    TransactionalIdDenied,
    /// A code of other requests, or one that Kafka does not define.
    Unrelated,
}

/// What a code means to a reader of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadMeaning {
    /// Passes by itself in lookups of offsets; not expected of a Fetch.
    LookupPassing,
    /// The log's format has no such offset.
    NoOffset,
    /// The offset is not in the log of the replica that responded.
    OutOfRange,
    /// Passes by itself.
    Passing,
    /// The replica that responded cannot serve: the leader may have moved.
    Replica,
    /// Nothing that passes: it is reported.
    Report,
    /// The broker does not know the topic or partition.
    Topic,
    /// The broker knows the topic by another id.
    TopicId,
}

/// What a code means to a member of a group, in JoinGroup, SyncGroup, Heartbeat, OffsetCommit and
/// ConsumerGroupHeartbeat responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberMeaning {
    /// Send the same again after a pause.
    Again,
    /// The member cannot go on: the code is reported.
    Failed,
    /// Another process has the member's `group.instance.id`.
    Fenced,
    /// Find the coordinator, then send the same again.
    FindCoordinator,
    /// Join again as a new member: the group does not know this one.
    RejoinAnew,
    /// Join again under the same member id, or the one that was just assigned.
    RejoinWithId,
    /// No error.
    Serving,
}

/// What a code means, to every kind of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Judgement {
    /// To any client.
    pub class: Class,
    /// Whether the broker may have carried out the request all the same.
    pub maybe_applied: bool,
    /// To a producer.
    pub produce: ProduceMeaning,
    /// To a transactional producer.
    pub transaction: TransactionMeaning,
    /// To a reader.
    pub read: ReadMeaning,
    /// To a member of a group.
    pub member: MemberMeaning,
}

impl Judgement {
    /// Whether the cause passes by itself: the request may be repeated, if a repetition is harmless.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self.class, Class::Retry | Class::RefreshAndRetry)
    }

    /// Whether the same request may be sent to `api` again because of this code.
    #[must_use]
    pub const fn may_repeat(&self, api: ApiKey) -> bool {
        if api.is_repeatable() {
            self.passes() || matches!(self.class, Class::OutcomeUnknown)
        } else {
            self.passes() && !self.maybe_applied
        }
    }

    /// Whether what is known of leaders, coordinators or the controller has to be refreshed first.
    #[must_use]
    pub const fn refreshes(&self) -> bool {
        matches!(self.class, Class::RefreshAndRetry)
    }

    const fn maybe_applied(mut self) -> Self {
        self.maybe_applied = true;
        self
    }

    const fn produce(mut self, meaning: ProduceMeaning) -> Self {
        self.produce = meaning;
        self
    }

    const fn transaction(mut self, meaning: TransactionMeaning) -> Self {
        self.transaction = meaning;
        self
    }

    const fn read(mut self, meaning: ReadMeaning) -> Self {
        self.read = meaning;
        self
    }

    const fn member(mut self, meaning: MemberMeaning) -> Self {
        self.member = meaning;
        self
    }
}

/// A code that says nothing special to anyone but what its class says.
const fn of(class: Class) -> Judgement {
    Judgement {
        class,
        maybe_applied: false,
        produce: ProduceMeaning::Unexpected,
        transaction: TransactionMeaning::Unrelated,
        read: ReadMeaning::Report,
        member: MemberMeaning::Failed,
    }
}

/// What a code means. No wildcard arm: a new code does not compile until it has a row.
///
/// ```
/// use milena_codec::{ApiKey, ErrorCode};
/// use milena_connection::judgement::judge;
///
/// let moved = judge(ErrorCode::NotLeaderOrFollower);
/// assert!(moved.may_repeat(ApiKey::ListOffsets) && moved.refreshes());
/// assert!(!moved.may_repeat(ApiKey::EndTxn));
/// ```
#[must_use]
#[expect(
    clippy::too_many_lines,
    reason = "one row per code is the point of the table"
)]
pub const fn judge(code: ErrorCode) -> Judgement {
    use Class as C;
    use ErrorCode as E;
    use MemberMeaning as M;
    use ProduceMeaning as P;
    use ReadMeaning as R;
    use TransactionMeaning as T;
    match code {
        E::UnknownServerError => of(C::OutcomeUnknown)
            .maybe_applied()
            .transaction(T::Failed)
            .read(R::Passing),
        E::None => of(C::GiveUp)
            .produce(P::Appended)
            .transaction(T::Success)
            .member(M::Serving),
        E::OffsetOutOfRange => of(C::GiveUp).read(R::OutOfRange),
        E::CorruptMessage => of(C::Retry).produce(P::NotNow).transaction(T::NotYet),
        E::UnknownTopicOrPartition => of(C::RefreshAndRetry)
            .produce(P::Moved)
            .transaction(T::NotYet)
            .read(R::Topic)
            .member(M::Again),
        E::InvalidFetchSize
        | E::StaleControllerEpoch
        | E::InconsistentGroupProtocol
        | E::TopicAlreadyExists
        | E::InvalidPartitions
        | E::InvalidReplicaAssignment
        | E::TransactionCoordinatorFenced
        | E::LogDirNotFound
        | E::ReassignmentInProgress
        | E::DelegationTokenAuthDisabled
        | E::DelegationTokenNotFound
        | E::DelegationTokenOwnerMismatch
        | E::DelegationTokenRequestNotAllowed
        | E::DelegationTokenExpired
        | E::InvalidPrincipalType
        | E::NonEmptyGroup
        | E::GroupIdNotFound
        | E::StaleBrokerEpoch
        | E::GroupMaxSizeReached
        | E::NoReassignmentInProgress
        | E::GroupSubscribedToTopic
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
        | E::IneligibleReplica
        | E::NewLeaderElected
        | E::OffsetMovedToTieredStorage
        | E::MismatchedEndpointType
        | E::UnsupportedEndpointType
        | E::UnknownControllerId
        | E::UnknownSubscriptionId
        | E::TelemetryTooLarge
        | E::InvalidRegistration
        | E::InvalidRecordState
        | E::FencedStateEpoch
        | E::InvalidVoterKey
        | E::DuplicateVoter
        | E::VoterNotFound
        | E::InvalidRegularExpression
        | E::StreamsInvalidTopology
        | E::StreamsInvalidTopologyEpoch
        | E::StreamsTopologyFenced
        | E::GroupDeletionFailed
        | E::StreamsTopologyDescriptionUpdateFailed
        | E::ControllerIdNotRegistered => of(C::GiveUp),
        E::LeaderNotAvailable => of(C::RefreshAndRetry)
            .produce(P::Moved)
            .transaction(T::Passing)
            .read(R::LookupPassing)
            .member(M::Again),
        E::NotLeaderOrFollower => of(C::RefreshAndRetry)
            .maybe_applied()
            .produce(P::MovedMaybeAppended)
            .transaction(T::Passing)
            .read(R::Replica),
        E::RequestTimedOut => of(C::Retry)
            .maybe_applied()
            .produce(P::MaybeAppended)
            .transaction(T::Passing)
            .read(R::LookupPassing)
            .member(M::Again),
        E::BrokerNotAvailable => of(C::RefreshAndRetry)
            .produce(P::Moved)
            .transaction(T::Passing)
            .member(M::Again),
        E::ReplicaNotAvailable | E::FencedLeaderEpoch => of(C::RefreshAndRetry)
            .produce(P::Moved)
            .transaction(T::Passing)
            .read(R::Replica),
        E::MessageTooLarge => of(C::GiveUp).produce(P::TooLarge),
        E::OffsetMetadataTooLarge | E::InvalidGroupId | E::InvalidCommitOffsetSize => {
            of(C::GiveUp).transaction(T::OffsetsInvalid)
        }
        E::NetworkException => of(C::RefreshAndRetry)
            .maybe_applied()
            .produce(P::MovedMaybeAppended)
            .transaction(T::Passing)
            .member(M::Again),
        E::CoordinatorLoadInProgress => of(C::Retry)
            .produce(P::NotNow)
            .transaction(T::Loading)
            .member(M::Again),
        E::CoordinatorNotAvailable | E::NotCoordinator => of(C::RefreshAndRetry)
            .produce(P::NotNow)
            .transaction(T::CoordinatorAway)
            .member(M::FindCoordinator),
        E::InvalidTopicException
        | E::RecordListTooLarge
        | E::InvalidRequiredAcks
        | E::UnsupportedCompressionType
        | E::InvalidRecord => of(C::FixConfiguration).produce(P::Rejected),
        E::NotEnoughReplicas => of(C::Retry)
            .produce(P::NotNow)
            .transaction(T::Passing)
            .member(M::Again),
        E::NotEnoughReplicasAfterAppend => of(C::Retry)
            .maybe_applied()
            .produce(P::MaybeAppended)
            .transaction(T::Passing)
            .member(M::Again),
        E::IllegalGeneration => of(C::Recreate)
            .transaction(T::MemberSuperseded)
            .member(M::RejoinWithId),
        E::UnknownMemberId => of(C::Recreate)
            .transaction(T::MemberSuperseded)
            .member(M::RejoinAnew),
        E::InvalidSessionTimeout
        | E::UnsupportedSaslMechanism
        | E::IllegalSaslState
        | E::InvalidReplicationFactor
        | E::InvalidConfig
        | E::InvalidTransactionTimeout
        | E::SecurityDisabled
        | E::SaslAuthenticationFailed
        | E::DelegationTokenAuthorizationFailed
        | E::TopicDeletionDisabled
        | E::UnsupportedAssignor => of(C::FixConfiguration),
        E::RebalanceInProgress | E::StaleMemberEpoch => of(C::GiveUp)
            .transaction(T::MemberSuperseded)
            .member(M::RejoinWithId),
        E::TopicAuthorizationFailed => of(C::FixConfiguration)
            .produce(P::Rejected)
            .transaction(T::TopicDenied),
        E::GroupAuthorizationFailed => of(C::FixConfiguration).transaction(T::GroupDenied),
        E::ClusterAuthorizationFailed => of(C::FixConfiguration)
            .produce(P::Fatal)
            .transaction(T::ClusterDenied),
        E::InvalidTimestamp | E::InvalidRequest | E::PolicyViolation => {
            of(C::GiveUp).produce(P::Rejected)
        }
        E::UnsupportedVersion => of(C::FixConfiguration).produce(P::Fatal),
        E::NotController | E::ElectionNotNeeded | E::RebootstrapRequired => of(C::RefreshAndRetry),
        E::UnsupportedForMessageFormat => of(C::FixConfiguration)
            .produce(P::Rejected)
            .transaction(T::FormatUnsupported)
            .read(R::NoOffset),
        E::OutOfOrderSequenceNumber => of(C::GiveUp).produce(P::OutOfOrderSequence),
        E::DuplicateSequenceNumber => of(C::GiveUp).produce(P::Duplicate),
        E::InvalidProducerEpoch => of(C::Recreate)
            .produce(P::OldEpoch)
            .transaction(T::EpochSuperseded),
        E::InvalidTxnState => of(C::GiveUp)
            .produce(P::Rejected)
            .transaction(T::NoSuchTransaction),
        // A transaction takes the transactional id again after its abort, so the producer goes on.
        E::InvalidProducerIdMapping => of(C::Recreate)
            .produce(P::Rejected)
            .transaction(T::IdForgotten),
        E::ConcurrentTransactions => of(C::Retry)
            .produce(P::NotNow)
            .transaction(T::Concurrent)
            .member(M::Again),
        E::TransactionalIdAuthorizationFailed => of(C::FixConfiguration)
            .produce(P::Fatal)
            .transaction(T::TransactionalIdDenied),
        E::OperationNotAttempted => of(C::GiveUp).transaction(T::NotAttempted),
        E::KafkaStorageError => of(C::RefreshAndRetry)
            .maybe_applied()
            .produce(P::MovedMaybeAppended)
            .transaction(T::Passing)
            .read(R::Replica)
            .member(M::Again),
        E::UnknownProducerId => of(C::GiveUp)
            .produce(P::UnknownProducerId)
            .transaction(T::ProducerForgotten),
        E::FetchSessionIdNotFound
        | E::InvalidFetchSessionEpoch
        | E::FetchSessionTopicIdError
        | E::ShareSessionNotFound
        | E::InvalidShareSessionEpoch
        | E::ShareSessionLimitReached => of(C::Retry),
        E::ListenerNotFound => of(C::RefreshAndRetry).transaction(T::NotYet),
        E::UnknownLeaderEpoch => of(C::Retry)
            .produce(P::Moved)
            .transaction(T::Passing)
            .read(R::Passing),
        E::OffsetNotAvailable => of(C::Retry).transaction(T::Passing).read(R::Replica),
        E::MemberIdRequired => of(C::GiveUp).member(M::RejoinWithId),
        E::PreferredLeaderNotAvailable | E::EligibleLeadersNotAvailable => {
            of(C::RefreshAndRetry).transaction(T::Passing)
        }
        E::FencedInstanceId => of(C::Recreate)
            .transaction(T::MemberSuperseded)
            .member(M::Fenced),
        E::UnstableOffsetCommit => of(C::Retry).transaction(T::NotYet).member(M::Again),
        E::ThrottlingQuotaExceeded => of(C::Retry)
            .produce(P::NotNow)
            .transaction(T::NotYet)
            .member(M::Again),
        E::ProducerFenced => of(C::Recreate)
            .produce(P::Fatal)
            .transaction(T::ProducerFenced),
        E::UnknownTopicId | E::InconsistentTopicId => of(C::RefreshAndRetry)
            .produce(P::Moved)
            .transaction(T::NotYet)
            .read(R::TopicId),
        E::TransactionalIdNotFound => of(C::GiveUp).transaction(T::NotDescribed),
        E::FencedMemberEpoch => of(C::GiveUp)
            .transaction(T::MemberSuperseded)
            .member(M::RejoinAnew),
        E::UnreleasedInstanceId => of(C::GiveUp).member(M::Again),
        E::TransactionAbortable => of(C::AbortTransaction)
            .produce(P::Rejected)
            .transaction(T::TransactionAbortable),
        E::Unknown(_) => of(C::OutcomeUnknown).maybe_applied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_not_repeated_where_the_first_may_have_been_carried_out() {
        let timed_out = judge(ErrorCode::RequestTimedOut);
        assert!(timed_out.passes() && timed_out.maybe_applied);
        assert!(!timed_out.may_repeat(ApiKey::CreateTopics));
        assert!(timed_out.may_repeat(ApiKey::Metadata));
        assert!(judge(ErrorCode::ThrottlingQuotaExceeded).may_repeat(ApiKey::CreateTopics));
    }

    #[test]
    fn a_code_outside_the_table_proves_nothing() {
        let unknown = judge(ErrorCode::from(4711));
        assert_eq!(unknown.class, Class::OutcomeUnknown);
        assert!(unknown.maybe_applied && !unknown.may_repeat(ApiKey::EndTxn));
    }

    #[test]
    fn only_what_a_member_lost_makes_it_rejoin() {
        let rejoining: Vec<_> = ErrorCode::ALL
            .iter()
            .filter(|code| {
                let member = judge(**code).member;
                matches!(
                    member,
                    MemberMeaning::RejoinAnew | MemberMeaning::RejoinWithId
                )
            })
            .map(|code| code.code())
            .collect();
        assert_eq!(rejoining, [22, 25, 27, 79, 110, 113]);
    }
}
