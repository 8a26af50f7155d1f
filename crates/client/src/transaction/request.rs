//! What goes in and out of the machine: requests, answers, events.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use milena_codec::{ApiKey, ErrorCode, ProducerIdentity};

use super::state::TwoPhase;
use super::state::{Direction, Operation};
use crate::error::Error;
pub(crate) use crate::producer::sender::SendPermit as MaySend;
use crate::types::{GroupMetadata, OffsetToCommit, TopicPartition};

/// The requests of a transactional id, by name only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Api {
    AddOffsetsToTxn,
    AddPartitionsToTxn,
    DescribeTransactions,
    EndTxn,
    FindCoordinator,
    InitProducerId,
    TxnOffsetCommit,
}

impl Api {
    /// The same among all of Kafka's.
    pub(crate) const fn key(self) -> ApiKey {
        match self {
            Self::AddOffsetsToTxn => ApiKey::AddOffsetsToTxn,
            Self::AddPartitionsToTxn => ApiKey::AddPartitionsToTxn,
            Self::DescribeTransactions => ApiKey::DescribeTransactions,
            Self::EndTxn => ApiKey::EndTxn,
            Self::FindCoordinator => ApiKey::FindCoordinator,
            Self::InitProducerId => ApiKey::InitProducerId,
            Self::TxnOffsetCommit => ApiKey::TxnOffsetCommit,
        }
    }
}

/// Which of the two coordinators (T-20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CoordinatorKind {
    Group,
    Transaction,
}

/// One request to send, now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The broker with this id; `None` for any broker.
    pub(crate) broker: Option<i32>,
    /// The versions it may be sent in. If the broker speaks none of them it is not sent, and the
    /// reply is [`NotSent::VersionUnsupported`].
    pub(crate) versions: RangeInclusive<i16>,
    pub(crate) request: Request,
}

/// The transactional id goes into all of them but FindCoordinator for a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    AddOffsetsToTxn {
        producer: ProducerIdentity,
        group_id: Arc<str>,
    },
    AddPartitionsToTxn {
        producer: ProducerIdentity,
        /// In order, without duplicates.
        partitions: Vec<TopicPartition>,
    },
    DescribeTransactions,
    EndTxn {
        producer: ProducerIdentity,
        direction: Direction,
    },
    /// Must ask the cluster; what is remembered of earlier answers is known to be stale.
    FindCoordinator {
        kind: CoordinatorKind,
        key: Arc<str>,
    },
    InitProducerId {
        /// [`ProducerIdentity::NONE`] on the first init, which takes the id over (T-40).
        producer: ProducerIdentity,
        transaction_timeout: Duration,
        two_phase: TwoPhase,
    },
    TxnOffsetCommit {
        producer: ProducerIdentity,
        group: GroupMetadata,
        offsets: Vec<OffsetToCommit>,
    },
}

impl Request {
    /// Which request it is.
    pub(crate) const fn api(&self) -> Api {
        match self {
            Self::AddOffsetsToTxn { .. } => Api::AddOffsetsToTxn,
            Self::AddPartitionsToTxn { .. } => Api::AddPartitionsToTxn,
            Self::DescribeTransactions => Api::DescribeTransactions,
            Self::EndTxn { .. } => Api::EndTxn,
            Self::FindCoordinator { .. } => Api::FindCoordinator,
            Self::InitProducerId { .. } => Api::InitProducerId,
            Self::TxnOffsetCommit { .. } => Api::TxnOffsetCommit,
        }
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply<T> {
    /// The broker answered, without an error for the request as a whole.
    Answered(T),
    /// The broker answered with an error code for the request as a whole.
    Refused(ErrorCode),
    /// Not a byte of it reached the broker.
    NotSent(NotSent),
    /// It may have been processed, may be processed later, or not at all: the connection was lost or
    /// timed out after the write began, or the answer could not be read.
    Ambiguous,
}

/// A response, by request.
#[derive(Debug)]
pub(crate) enum Body {
    AddOffsetsToTxn(Reply<()>),
    AddPartitionsToTxn(Reply<Vec<(TopicPartition, ErrorCode)>>),
    DescribeTransactions(Reply<DescribedTransaction>),
    EndTxn(Reply<ProducerIdentity>),
    FindCoordinator(CoordinatorKind, Reply<i32>),
    InitProducerId(Reply<Initialized>),
    TxnOffsetCommit(Reply<Vec<(TopicPartition, ErrorCode)>>),
}

impl Body {
    /// The request it belongs to, and whose coordinator's slot that has.
    pub(super) const fn api(&self) -> (Api, CoordinatorKind) {
        use CoordinatorKind::{Group, Transaction};
        match self {
            Self::AddOffsetsToTxn(_) => (Api::AddOffsetsToTxn, Transaction),
            Self::AddPartitionsToTxn(_) => (Api::AddPartitionsToTxn, Transaction),
            Self::DescribeTransactions(_) => (Api::DescribeTransactions, Transaction),
            Self::EndTxn(_) => (Api::EndTxn, Transaction),
            Self::FindCoordinator(kind, _) => (Api::FindCoordinator, *kind),
            Self::InitProducerId(_) => (Api::InitProducerId, Transaction),
            Self::TxnOffsetCommit(_) => (Api::TxnOffsetCommit, Group),
        }
    }
}

/// What became of a request: what the machine decides by, and what callers are shown.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) body: Body,
    /// Why it did not succeed, as the cause of errors: a rejection with its broker, or the transport's error.
    pub(crate) failure: Option<Error>,
}

#[cfg(test)]
impl From<Body> for Response {
    fn from(body: Body) -> Self {
        Self {
            body,
            failure: None,
        }
    }
}

/// What InitProducerId gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Initialized {
    /// Who the client is from here on.
    pub(crate) producer: ProducerIdentity,
    /// Under whom the transaction is that was kept for it (KIP-939).
    pub(crate) ongoing: Option<ProducerIdentity>,
}

impl From<ProducerIdentity> for Initialized {
    fn from(producer: ProducerIdentity) -> Self {
        Self {
            producer,
            ongoing: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotSent {
    /// No connection to the broker.
    Unreachable,
    /// The broker speaks none of [`Call::versions`].
    VersionUnsupported,
}

/// What the transaction coordinator knows of the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DescribedTransaction {
    pub(crate) state: DescribedState,
    pub(crate) producer: ProducerIdentity,
}

/// The coordinator's state names, as DescribeTransactions spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum DescribedState {
    CompleteAbort,
    CompleteCommit,
    Empty,
    Ongoing,
    PrepareAbort,
    PrepareCommit,
    /// `PrepareEpochFence`, `Dead`, and whatever else there may come to be.
    Other,
}

impl From<&str> for DescribedState {
    fn from(name: &str) -> Self {
        match name {
            "CompleteAbort" => Self::CompleteAbort,
            "CompleteCommit" => Self::CompleteCommit,
            "Empty" => Self::Empty,
            "Ongoing" => Self::Ongoing,
            "PrepareAbort" => Self::PrepareAbort,
            "PrepareCommit" => Self::PrepareCommit,
            _ => Self::Other,
        }
    }
}

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Output {
    /// Send this and poll again at once: the other coordinator may have a request too.
    Send(Call),
    /// Nothing before this moment, or the next input.
    WaitUntil(Instant),
    /// Nothing until the next input.
    Idle,
}

/// What the sender of batches still has to do for the transaction.
///
/// A failed batch must be reported before it stops being counted here, or a commit could slip
/// through between the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SenderStatus {
    /// Batches that have no sequence yet.
    pub(crate) undrained_batches: usize,
    /// Batches that were sent, or are being sent, and whose outcome is not definite; those that
    /// wait for a repetition count too. A batch that timed out is reported as failed with an
    /// unknown outcome and counts no longer.
    pub(crate) unresolved_batches: usize,
}

impl SenderStatus {
    pub(super) fn is_settled(self) -> bool {
        self.undrained_batches == 0 && (self.unresolved_batches == 0 || bug!(CommitBeforeLastAck))
    }
}

/// Whether the log may hold a batch that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchOutcome {
    /// It is proved that no attempt was appended.
    NotAppended,
    /// Some attempt may have been appended, or may yet be.
    Unknown,
}

/// What others need to know.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Batches drained from now on carry this, with sequences from 0 (P-64). Never comes while a
    /// transaction is open.
    IdentityChanged(ProducerIdentity),
    /// These may be sent to now (T-31).
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the driver polls the gate instead")
    )]
    PartitionsAdded(Vec<TopicPartition>),
    /// Whatever is buffered is to be sent without lingering (T-35).
    Flush,
    /// Batches that have no sequence yet fail with this error (T-36, T-37). They are not to be
    /// reported as failed: the transaction knows. Those already sent are carried on.
    FailUndrained(Error),
    /// The transaction can only be aborted, for this reason.
    Abortable(Error),
    /// The transaction ended this way; `None` if the coordinator does not tell which. The next one may
    /// begin once the state is [`State::Ready`](super::State::Ready).
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the driver goes by the outcome of the operation")
    )]
    TransactionEnded(Option<Direction>),
    /// The outcome of the operation is there to be taken.
    OperationEnded(Operation),
    /// The producer has reached a terminal state: everything fails with this error.
    Fatal(Error),
    /// Closing is done; nothing more is sent.
    Closed,
}
