//! What coordinators answer: what they should, or anything else.

use milena_codec::{ErrorCode, ProducerIdentity};

use super::super::{
    CoordinatorKind, DescribedState, DescribedTransaction, Initialized, NotSent, Reply, Request,
    State, TransactionVersion, TwoPhase,
};
use super::World;

/// A reply without its value.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Answered,
    Refused(ErrorCode),
    NotSent(NotSent),
    Ambiguous,
}

impl Fate {
    fn with<T>(self, value: T) -> Reply<T> {
        match self {
            Self::Answered => Reply::Answered(value),
            Self::Refused(code) => Reply::Refused(code),
            Self::NotSent(why) => Reply::NotSent(why),
            Self::Ambiguous => Reply::Ambiguous,
        }
    }
}

pub(super) fn goes_to_group(request: &Request) -> bool {
    match request {
        Request::FindCoordinator { kind, .. } => *kind == CoordinatorKind::Group,
        Request::TxnOffsetCommit { .. } => true,
        Request::AddOffsetsToTxn { .. }
        | Request::AddPartitionsToTxn { .. }
        | Request::DescribeTransactions
        | Request::EndTxn { .. }
        | Request::InitProducerId { .. } => false,
    }
}

/// From here on InitProducerId is answered with a transaction that was kept.
const KEPT_FROM: u8 = 192;
/// A good answer to anything; InitProducerId's has such a transaction.
pub(super) const GOOD_AND_KEPT: u8 = KEPT_FROM;

const STATES: [DescribedState; 7] = [
    DescribedState::Ongoing,
    DescribedState::CompleteAbort,
    DescribedState::CompleteCommit,
    DescribedState::Empty,
    DescribedState::PrepareAbort,
    DescribedState::PrepareCommit,
    DescribedState::Other,
];

const USUAL: [ErrorCode; 14] = [
    ErrorCode::CoordinatorLoadInProgress,
    ErrorCode::CoordinatorNotAvailable,
    ErrorCode::NotCoordinator,
    ErrorCode::InvalidProducerEpoch,
    ErrorCode::InvalidTxnState,
    ErrorCode::InvalidProducerIdMapping,
    ErrorCode::ConcurrentTransactions,
    ErrorCode::TransactionalIdAuthorizationFailed,
    ErrorCode::OperationNotAttempted,
    ErrorCode::UnknownProducerId,
    ErrorCode::ProducerFenced,
    ErrorCode::TransactionAbortable,
    ErrorCode::RequestTimedOut,
    ErrorCode::UnknownServerError,
];

impl World {
    fn waiting(&mut self, group: bool) -> Option<Request> {
        if group {
            self.group_asked.take()
        } else {
            self.asked.take()
        }
    }

    /// Success, of one kind or another.
    pub(super) fn answer(&mut self, group: bool, argument: u8) {
        if let Some(request) = self.waiting(group) {
            self.reply(&request, Fate::Answered, argument);
        }
    }

    /// A code that coordinators do answer.
    pub(super) fn refuse_as_usual(&mut self, argument: u8) {
        if let Some(request) = self.waiting(false) {
            let code = USUAL[usize::from(argument) % USUAL.len()];
            self.reply(&request, Fate::Refused(code), argument);
        }
    }

    /// Any code at all.
    pub(super) fn refuse(&mut self, group: bool, argument: u8) {
        let code = ErrorCode::from(i16::from(argument) - 1);
        if code.is_none() {
            return;
        }
        if let Some(request) = self.waiting(group) {
            self.reply(&request, Fate::Refused(code), argument);
        }
    }

    pub(super) fn lose(&mut self, argument: u8) {
        let fate = match argument / 2 % 8 {
            0 => Fate::NotSent(NotSent::VersionUnsupported),
            1 | 2 => Fate::NotSent(NotSent::Unreachable),
            _ => Fate::Ambiguous,
        };
        if let Some(request) = self.waiting(argument % 2 == 1) {
            self.reply(&request, fate, argument);
        }
    }

    /// An answer to what nobody asked: it changes nothing.
    pub(super) fn answer_unasked(&mut self, argument: u8) {
        self.listen();
        let (before, identity) = (self.machine.state(), self.machine.identity());
        let other = |asked: Option<&Request>, is: fn(&Request) -> bool| !asked.is_some_and(is);
        let asked = self.asked.as_ref();
        let now = self.now;
        let fresh = ProducerIdentity::new(milena_codec::ProducerId(99), identity.producer_epoch);
        match argument % 4 {
            0 if other(asked, |r| matches!(r, Request::EndTxn { .. })) => {
                self.machine.handle_end_txn(Reply::Answered(fresh), now);
            }
            1 if other(asked, |r| matches!(r, Request::InitProducerId { .. })) => {
                self.machine
                    .handle_init_producer_id(Reply::Answered(fresh.into()), now);
            }
            2 if other(asked, |r| matches!(r, Request::AddOffsetsToTxn { .. })) => {
                let refused = Reply::Refused(ErrorCode::ProducerFenced);
                self.machine.handle_add_offsets(refused, now);
            }
            3 if other(asked, |r| matches!(r, Request::AddPartitionsToTxn { .. })) => {
                let refused = Reply::Refused(ErrorCode::ProducerFenced);
                self.machine.handle_add_partitions(refused, now);
            }
            _ => return,
        }
        assert!(
            !self.machine.has_events(),
            "an answer that nobody asked for"
        );
        assert_eq!(
            (self.machine.state(), self.machine.identity()),
            (before, identity)
        );
    }

    fn identity_of(&mut self, version: TransactionVersion, argument: u8) -> ProducerIdentity {
        match argument % 8 {
            5 => ProducerIdentity::NONE,
            6 => self.machine.identity(),
            7 => self.fresh(false),
            _ if version == TransactionVersion::One => ProducerIdentity::NONE,
            _ => self.fresh(true),
        }
    }

    fn reply(&mut self, request: &Request, fate: Fate, argument: u8) {
        let now = self.now;
        // In a list of results one may fail.
        let code = match argument {
            0..128 => ErrorCode::None,
            128.. => ErrorCode::from(i16::from(argument) - 128),
        };
        match request {
            Request::FindCoordinator { kind, .. } => {
                let reply = fate.with(i32::from(argument % 3));
                self.machine.handle_find_coordinator(*kind, reply, now);
            }
            Request::InitProducerId { .. } => {
                let identity = match argument % 8 {
                    6 => self.machine.identity(),
                    7 => ProducerIdentity::NONE,
                    n => self.fresh(n < 5),
                };
                // Whether or not it was asked for.
                let ongoing = (argument >= KEPT_FROM).then(|| self.fresh(false));
                let initialized = Initialized {
                    producer: identity,
                    ongoing,
                };
                let is_ours = identity.producer_id == self.machine.identity().producer_id;
                if matches!(fate, Fate::Answered) && is_ours {
                    self.seen.confirmed();
                }
                self.machine
                    .handle_init_producer_id(fate.with(initialized), now);
                if self.machine.state() == State::Prepared {
                    assert_eq!(self.two_phase, TwoPhase::Keeping, "T-45");
                    assert_eq!(self.machine.prepared(), ongoing, "T-45");
                    self.seen.kept(ongoing);
                }
            }
            Request::AddOffsetsToTxn { group_id, .. } => {
                if matches!(fate, Fate::Answered) {
                    self.seen.group_added(group_id);
                }
                self.machine.handle_add_offsets(fate.with(()), now);
            }
            Request::AddPartitionsToTxn { partitions, .. } => {
                let mut all: Vec<_> = partitions
                    .iter()
                    .map(|partition| (partition.clone(), ErrorCode::None))
                    .collect();
                if let Some((_, first)) = all.first_mut() {
                    *first = code;
                }
                self.machine.handle_add_partitions(fate.with(all), now);
            }
            Request::TxnOffsetCommit { offsets, .. } => {
                let mut all: Vec<_> = offsets
                    .iter()
                    .map(|offset| (offset.partition.clone(), ErrorCode::None))
                    .collect();
                if let Some((_, first)) = all.first_mut() {
                    *first = code;
                }
                self.machine.handle_txn_offset_commit(fate.with(all), now);
            }
            Request::EndTxn {
                producer,
                direction,
            } => {
                match fate {
                    Fate::Answered => self.seen.end_answered(*direction),
                    Fate::Ambiguous => self.seen.end_in_doubt(*producer, *direction),
                    Fate::Refused(_) | Fate::NotSent(_) => {}
                }
                let identity = self.identity_of(self.machine.version(), argument);
                self.machine.handle_end_txn(fate.with(identity), now);
            }
            Request::DescribeTransactions => {
                let described = self.describe(argument);
                if matches!(fate, Fate::Answered) {
                    self.seen.described(described.state);
                }
                self.machine
                    .handle_describe_transactions(fate.with(described), now);
            }
        }
    }

    fn describe(&mut self, argument: u8) -> DescribedTransaction {
        let identity = self.machine.identity();
        let producer = match argument / 8 % 4 {
            0 => match identity.producer_epoch.next() {
                Some(next) if self.machine.version() == TransactionVersion::Two => {
                    ProducerIdentity::new(identity.producer_id, next)
                }
                _ => identity,
            },
            1 | 2 => identity,
            3 if self.seen.kept.is_some() => self.seen.kept.unwrap_or(identity),
            _ => self.fresh(false),
        };
        let state = if argument == 0 {
            DescribedState::CompleteCommit
        } else {
            STATES[usize::from(argument) % STATES.len()]
        };
        DescribedTransaction { state, producer }
    }
}
