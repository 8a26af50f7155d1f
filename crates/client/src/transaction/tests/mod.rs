//! The machine, rule by rule, over all states, and against a model of the coordinator.

mod calls;
mod closing;
mod coordinators;
mod ending;
mod fencing;
mod hostile;
mod model;
mod offsets;
mod overdue;
mod raising;
mod registering;
mod table;
mod two_phase;
mod versions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use milena_codec::{ApiKey, ErrorCode, ProducerEpoch, ProducerId, ProducerIdentity};

use super::*;
use crate::error::Error;
use crate::types::{GroupMember, GroupMetadata, OffsetToCommit, TopicPartition};

/// The transaction coordinator, and the group's.
const COORDINATOR: i32 = 1;
const GROUP_COORDINATOR: i32 = 2;

const NO_WORK: SenderStatus = SenderStatus {
    undrained_batches: 0,
    unresolved_batches: 0,
};

fn facts(version: TransactionVersion) -> ClusterFacts {
    let level = match version {
        TransactionVersion::One => 1,
        TransactionVersion::Two => 2,
    };
    ClusterFacts {
        transaction_version: Some(level),
        produce_max: Some(13),
        txn_offset_commit_max: Some(5),
        end_txn_max: Some(5),
        init_producer_id_max: Some(5),
    }
}

fn identity(producer_id: i64, epoch: i16) -> ProducerIdentity {
    ProducerIdentity::new(ProducerId(producer_id), ProducerEpoch(epoch))
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new("orders", number)
}

fn broker_error(code: ErrorCode) -> Error {
    Error::broker(code, ApiKey::Produce, Some(3))
}

fn too_large() -> Error {
    Error::RecordTooLarge {
        bytes: 2_000_000,
        bytes_max: 1_048_576,
        setting: "max_request_bytes".into(),
    }
}

/// A group with a member, or only its id.
fn group(id: &str, member: bool) -> GroupMetadata {
    GroupMetadata {
        group_id: id.into(),
        member: member.then(|| GroupMember {
            member_id: "member-1".into(),
            generation_or_member_epoch: 5,
            group_instance_id: None,
        }),
    }
}

fn offset(number: i32, offset: i64) -> OffsetToCommit {
    OffsetToCommit {
        partition: partition(number),
        offset,
        leader_epoch: Some(4),
        metadata: Some(Arc::from("m")),
    }
}

/// A machine with a clock and a sender whose state the test sets.
pub(crate) struct Txn {
    pub(crate) machine: TransactionMachine,
    now: Instant,
    sender: SenderStatus,
}

impl Txn {
    fn uninitialized(version: TransactionVersion) -> Self {
        let mut machine = TransactionMachine::new(TransactionConfig {
            transactional_id: "payments".into(),
            transaction_timeout: Duration::from_secs(60),
            registration_timeout: Duration::from_secs(60),
            two_phase: TwoPhase::Off,
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            seed: 1,
        });
        machine.observe(facts(version));
        Self {
            machine,
            now: Instant::now(),
            sender: NO_WORK,
        }
    }

    /// Initialised as producer 7, epoch 0.
    pub(crate) fn ready(version: TransactionVersion) -> Self {
        let mut txn = Self::uninitialized(version);
        txn.machine.init().unwrap();
        assert_eq!(txn.ask().api(), Api::FindCoordinator);
        txn.found(CoordinatorKind::Transaction, COORDINATOR);
        assert_eq!(txn.ask().api(), Api::InitProducerId);
        txn.initialized(identity(7, 0));
        txn.outcome(Operation::Init).unwrap();
        txn.events();
        txn
    }

    fn one() -> Self {
        Self::ready(TransactionVersion::One)
    }

    fn two() -> Self {
        Self::ready(TransactionVersion::Two)
    }

    /// With a transaction open in which partition 0 was written to, under `version`.
    pub(crate) fn written(version: TransactionVersion) -> Self {
        let mut txn = Self::ready(version);
        txn.write();
        txn
    }

    /// Begins a transaction and writes to partition 0, to the last answer.
    fn write(&mut self) {
        self.machine.begin().unwrap();
        self.machine.partition_touched(&partition(0)).unwrap();
        if self.machine.version() == TransactionVersion::One {
            assert_eq!(self.ask().api(), Api::AddPartitionsToTxn);
            self.added(&[(0, ErrorCode::None)]);
        }
        self.machine.produce_attempted(&partition(0), self.now);
        self.machine
            .produce_answered(&partition(0), false, self.now);
        self.events();
    }

    /// The next thing to do, now.
    fn poll(&mut self) -> Output {
        self.machine.poll(self.now, self.sender)
    }

    /// Nothing is to be sent, now or later, until something happens.
    #[track_caller]
    fn idle(&mut self) {
        assert_eq!(self.poll(), Output::Idle);
    }

    /// The next request, however long it has to wait.
    #[track_caller]
    fn call(&mut self) -> Call {
        for _ in 0..3 {
            match self.poll() {
                Output::Send(call) => return call,
                Output::WaitUntil(at) => self.now = at,
                Output::Idle => break,
            }
        }
        panic!("nothing to send in {:?}", self.machine.state());
    }

    #[track_caller]
    fn ask(&mut self) -> Request {
        self.call().request
    }

    /// The next request must be this one.
    #[track_caller]
    fn asks(&mut self, api: Api) -> Request {
        let request = self.ask();
        assert_eq!(request.api(), api);
        request
    }

    fn found(&mut self, kind: CoordinatorKind, broker: i32) {
        self.machine
            .handle_find_coordinator(kind, Reply::Answered(broker), self.now);
    }

    fn initialized(&mut self, identity: ProducerIdentity) {
        self.machine
            .handle_init_producer_id(Reply::Answered(identity.into()), self.now);
    }

    fn init_refused(&mut self, code: ErrorCode) {
        self.machine
            .handle_init_producer_id(Reply::Refused(code), self.now);
    }

    fn added(&mut self, results: &[(i32, ErrorCode)]) {
        let results = results
            .iter()
            .map(|(number, code)| (partition(*number), *code))
            .collect();
        self.machine
            .handle_add_partitions(Reply::Answered(results), self.now);
    }

    /// What EndTxn is answered with when it succeeds.
    fn ended(&mut self) {
        let identity = match self.machine.version() {
            TransactionVersion::One => ProducerIdentity::NONE,
            TransactionVersion::Two => {
                let ProducerIdentity {
                    producer_id,
                    producer_epoch,
                } = self.machine.identity();
                ProducerIdentity::new(producer_id, producer_epoch.next().unwrap())
            }
        };
        self.machine
            .handle_end_txn(Reply::Answered(identity), self.now);
    }

    fn end_refused(&mut self, code: ErrorCode) {
        self.machine.handle_end_txn(Reply::Refused(code), self.now);
    }

    fn described(&mut self, state: DescribedState, producer: ProducerIdentity) {
        let described = DescribedTransaction { state, producer };
        self.machine
            .handle_describe_transactions(Reply::Answered(described), self.now);
    }

    /// Commits or aborts up to the EndTxn that is then on its way.
    #[track_caller]
    fn end(&mut self, direction: Direction) {
        match direction {
            Direction::Commit => self.machine.commit().unwrap(),
            Direction::Abort => self.machine.abort().unwrap(),
        };
        let request = self.ask();
        let producer = self.machine.identity();
        assert_eq!(
            request,
            Request::EndTxn {
                producer,
                direction
            }
        );
    }

    #[track_caller]
    fn outcome(&mut self, operation: Operation) -> Result<(), Error> {
        self.machine.take_outcome(operation).expect("an outcome")
    }

    #[track_caller]
    fn no_outcome(&mut self, operation: Operation) {
        assert!(self.machine.take_outcome(operation).is_none());
    }

    fn state(&self) -> State {
        self.machine.state()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.machine.poll_event()).collect()
    }

    /// The identities that were announced.
    fn identities(&mut self) -> Vec<ProducerIdentity> {
        let announced = |event| match event {
            Event::IdentityChanged(identity) => Some(identity),
            Event::Abortable(_)
            | Event::Closed
            | Event::FailUndrained(_)
            | Event::Fatal(_)
            | Event::Flush
            | Event::OperationEnded(_)
            | Event::PartitionsAdded(_)
            | Event::TransactionEnded(_) => None,
        };
        self.events().into_iter().filter_map(announced).collect()
    }
}

/// Both protocols.
const VERSIONS: [TransactionVersion; 2] = [TransactionVersion::One, TransactionVersion::Two];
