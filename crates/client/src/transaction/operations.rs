//! Any sequence of operations on the transaction machine, with coordinators that answer whatever they like.
//!
//! Two bytes are an operation and its argument: a call of the application's, something of the sender's, or an
//! answer with any code at all, an answer that is lost, one that nobody waits for. What may never happen is
//! asserted after every operation; that what is visible is what was told needs coordinators that tell the truth,
//! and is tested with them (`tests/model`). The property test and the fuzz target are two sources of bytes.

#![expect(clippy::panic, reason = "a broken invariant is told by a panic")]

mod answers;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use milena_codec::{ApiKey, ErrorCode, ProducerEpoch, ProducerId, ProducerIdentity};

use self::watch::Seen;
use super::{
    BatchOutcome, Close, ClusterFacts, MaySend, Operation, Output, Request, SenderStatus, State,
    TransactionConfig, TransactionMachine, TwoPhase,
};
use crate::error::Error;
use crate::types::TopicPartition;
use crate::types::{GroupMember, GroupMetadata, OffsetToCommit};

/// A longer run finds no more, and takes longer.
const OPERATIONS_MAX: usize = 600;
const OPERATIONS: [Operation; 5] = [
    Operation::Init,
    Operation::Prepare,
    Operation::Commit,
    Operation::Abort,
    Operation::SendOffsets,
];

/// The machine, a sender of batches, and what has been seen of both.
struct World {
    now: Instant,
    machine: TransactionMachine,
    /// Partitions of batches that have no sequence yet, and of those that have.
    queued: Vec<TopicPartition>,
    sent: Vec<TopicPartition>,
    /// What each coordinator was asked and has not answered.
    asked: Option<Request>,
    group_asked: Option<Request>,
    next_producer: i64,
    two_phase: TwoPhase,
    seen: Seen,
}

/// Runs the operations in `data` from `start` on, then lets everything settle. Panics if an invariant is broken.
pub(crate) fn run(data: &[u8], start: Instant) {
    let Some((&[level, seed], operations)) = data.split_first_chunk() else {
        return;
    };
    let mut world = World::new(level, seed, start);
    for &[operation, argument] in operations.as_chunks().0.iter().take(OPERATIONS_MAX) {
        world.apply(operation, argument);
        world.listen();
    }
    world.settle();
}

/// What makes [`facts`] those of the second protocol.
const SECOND: u8 = 1;

/// A cluster of either protocol, now and then one that can't raise an epoch.
fn facts(argument: u8) -> ClusterFacts {
    let is_old = argument % 16 == 15;
    ClusterFacts {
        transaction_version: Some(i16::from(argument % 2) + 1),
        produce_max: Some(if is_old { 11 } else { 13 }),
        txn_offset_commit_max: Some(if is_old { 3 } else { 5 }),
        end_txn_max: Some(if is_old { 3 } else { 5 }),
        init_producer_id_max: Some(if is_old { 2 } else { 6 }),
    }
}

fn partition(argument: u8) -> TopicPartition {
    TopicPartition::new("orders", i32::from(argument % 3))
}

fn broker_error(code: ErrorCode) -> Error {
    Error::broker(code, ApiKey::Produce, Some(3))
}

impl World {
    fn new(level: u8, seed: u8, now: Instant) -> Self {
        // Half of the producers take part in two-phase commits, and half of those keep what is open.
        let two_phase = match seed & 0x60 {
            0x40 => TwoPhase::On,
            0x60 => TwoPhase::Keeping,
            _ => TwoPhase::Off,
        };
        let level = if two_phase.is_on() { SECOND } else { level };
        let mut machine = TransactionMachine::new(TransactionConfig {
            transactional_id: "payments".into(),
            transaction_timeout: Duration::from_secs(60),
            registration_timeout: Duration::from_secs(60),
            two_phase,
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            seed: u64::from(seed),
        });
        machine.observe(facts(level));
        let mut world = Self {
            now,
            machine,
            queued: Vec::new(),
            sent: Vec::new(),
            asked: None,
            group_asked: None,
            next_producer: 7,
            two_phase,
            seen: Seen::default(),
        };
        if seed & 0x80 == 0 {
            world.initialize();
        }
        world
    }

    fn initialize(&mut self) {
        self.call(Operation::Init);
        for _ in 0..2 {
            self.poll();
            self.answer(false, answers::GOOD_AND_KEPT);
        }
        self.take_outcomes();
    }

    fn apply(&mut self, operation: u8, argument: u8) {
        match operation % 32 {
            0 => self.call(Operation::Init),
            1 | 2 => self.begin(),
            3 | 4 => self.queue(argument),
            5 => self.send_offsets(argument),
            6 | 7 if argument >= 128 && self.two_phase.is_on() => self.call(Operation::Prepare),
            6 | 7 => self.call(Operation::Commit),
            8 => self.call(Operation::Abort),
            9 if argument > 240 => self.close(argument),
            9 => self.send_failed(),
            10 | 11 => self.take_outcomes(),
            12..=16 => self.poll(),
            17..=19 => self.answer(false, argument),
            20 => self.answer(true, argument),
            21 | 22 => self.refuse_as_usual(argument),
            23 => self.refuse(argument % 8 < 6, argument),
            24 => self.lose(argument),
            25 => self.answer_unasked(argument),
            26 | 27 => self.drain(),
            28 | 29 => self.batch_answered(argument),
            30 => self.pass(Duration::from_millis(u64::from(argument) * 10)),
            _ if argument < 128 => self.go_on(),
            _ if argument < 192 => self.machine.observe(facts(argument)),
            _ => {
                self.machine.disown_abort();
                self.seen.disowned();
            }
        }
    }

    fn status(&self) -> SenderStatus {
        SenderStatus {
            undrained_batches: self.queued.len(),
            unresolved_batches: self.sent.len(),
        }
    }

    fn call(&mut self, operation: Operation) {
        let before = self.machine.state();
        let attached = match operation {
            Operation::Init => self.machine.init(),
            Operation::Commit => self.machine.commit(),
            Operation::Abort => self.machine.abort(),
            Operation::Prepare => self.machine.prepare(),
            Operation::SendOffsets => return,
        };
        match attached {
            Ok(attachment) => self.seen.called(operation, attachment, before),
            Err(_) => assert_eq!(self.machine.state(), before, "T-10: {operation:?}"),
        }
    }

    fn begin(&mut self) {
        let before = self.machine.state();
        let begun = self.machine.begin();
        assert!(begun.is_err() || before == State::Ready, "{before:?}");
        if begun.is_ok() {
            assert_eq!(self.machine.state(), State::InTransaction);
            self.seen.begun(self.machine.identity());
        }
    }

    fn queue(&mut self, argument: u8) {
        let partition = partition(argument);
        if self.machine.partition_touched(&partition).is_ok() {
            assert_eq!(self.machine.state(), State::InTransaction);
            self.queued.push(partition);
        }
    }

    fn send_offsets(&mut self, argument: u8) {
        let member = GroupMember {
            member_id: "member-1".into(),
            generation_or_member_epoch: 5,
            group_instance_id: None,
        };
        let group = GroupMetadata {
            group_id: if argument & 1 == 0 { "g" } else { "h" }.into(),
            member: (argument & 2 == 0).then_some(member),
        };
        let offset = |number| OffsetToCommit {
            partition: partition(number),
            offset: i64::from(argument),
            leader_epoch: None,
            metadata: Some(Arc::from("m")),
        };
        let offsets = (0..argument / 4 % 3).map(offset).collect();
        if self.machine.send_offsets(group, offsets).is_ok() {
            self.seen.started(Operation::SendOffsets);
        }
    }

    /// A record was refused at the call: whatever was open can't be committed (T-15).
    fn send_failed(&mut self) {
        let was_open = self.machine.state() == State::InTransaction;
        self.machine.send_failed(Error::RecordTooLarge {
            bytes: 2_000_000,
            bytes_max: 1_048_576,
            setting: "record_bytes_max".into(),
        });
        let is_open = self.machine.state() == State::InTransaction;
        assert!(!was_open || !is_open, "T-15");
    }

    fn close(&mut self, argument: u8) {
        let how = if argument.is_multiple_of(2) {
            Close::Graceful
        } else {
            Close::Forced
        };
        self.machine.close(how);
        if how == Close::Forced {
            assert_eq!(self.machine.state(), State::Closed, "T-76");
        }
    }

    fn take_outcomes(&mut self) {
        self.listen();
        for operation in OPERATIONS {
            if let Some(outcome) = self.machine.take_outcome(operation) {
                self.seen.taken(operation, &outcome);
                assert!(
                    self.machine.take_outcome(operation).is_none(),
                    "told twice: {operation:?}"
                );
            }
        }
    }

    /// Everything that is to be sent now.
    fn poll(&mut self) {
        for _ in 0..10 {
            let before = self.machine.state();
            match self.machine.poll(self.now, self.status()) {
                Output::Send(call) => {
                    assert!(!self.seen.is_over, "T-75: {call:?} after the end");
                    self.look_at(&call.request, before);
                    let lane = if answers::goes_to_group(&call.request) {
                        &mut self.group_asked
                    } else {
                        &mut self.asked
                    };
                    assert!(lane.is_none(), "T-30: {call:?} beside {lane:?}");
                    *lane = Some(call.request);
                }
                Output::WaitUntil(at) => {
                    assert!(at > self.now, "a wait that is over");
                    return;
                }
                Output::Idle => return,
            }
            self.listen();
        }
        panic!("requests without an end");
    }

    /// The sender takes up the oldest batch that may go.
    fn drain(&mut self) {
        let Some(partition) = self.queued.first() else {
            return;
        };
        if self.machine.may_send(partition, self.now) == MaySend::Now {
            let state = self.machine.state();
            let may_send = [State::InTransaction, State::Preparing, State::Committing];
            assert!(may_send.contains(&state), "{state:?}");
            let partition = self.queued.remove(0);
            self.machine.produce_attempted(&partition, self.now);
            self.seen.attempted();
            self.sent.push(partition);
        }
    }

    /// All batches that may go, however many there are.
    fn drain_all(&mut self) {
        let mut before = usize::MAX;
        while self.queued.len() < before {
            before = self.queued.len();
            self.drain();
        }
    }

    /// A batch is appended, held up, refused with any code, or given up.
    fn batch_answered(&mut self, argument: u8) {
        if self.sent.is_empty() {
            return;
        }
        let at = usize::from(argument) % self.sent.len();
        let partition = self.sent[at].clone();
        let is_held_up = argument % 8 == 1;
        self.machine
            .produce_answered(&partition, is_held_up, self.now);
        match argument % 8 {
            1 => {}
            2 | 3 => {
                let outcome = if argument % 8 == 2 {
                    BatchOutcome::NotAppended
                } else {
                    BatchOutcome::Unknown
                };
                let code = ErrorCode::from(i16::from(argument / 2));
                let before = self.machine.state();
                self.machine.batch_failed(broker_error(code), outcome);
                let may_commit = |state| {
                    matches!(
                        state,
                        State::InTransaction | State::Preparing | State::Committing
                    )
                };
                let (can_commit, could_commit) =
                    (may_commit(self.machine.state()), may_commit(before));
                assert!(!could_commit || !can_commit, "T-38: {code}");
                self.sent.remove(at);
            }
            _ => {
                self.sent.remove(at);
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// An identity that nobody was given before; also one epoch more than the last.
    fn fresh(&mut self, is_next: bool) -> ProducerIdentity {
        let ProducerIdentity {
            producer_id,
            producer_epoch,
        } = self.machine.identity();
        match producer_epoch.next() {
            Some(next) if is_next && producer_id.is_some() => {
                ProducerIdentity::new(producer_id, next)
            }
            _ => {
                self.next_producer += 1;
                ProducerIdentity::new(ProducerId(self.next_producer), ProducerEpoch(0))
            }
        }
    }

    /// With good answers from here on, what is pending ends, and the next transaction goes through.
    fn settle(&mut self) {
        self.carry_on();
        self.take_outcomes();
        self.seen.assert_all_ended();
        if self.seen.is_over {
            return;
        }
        match self.machine.state() {
            State::Uninitialized => self.call(Operation::Init),
            State::Prepared => self.call(Operation::Commit),
            State::InTransaction | State::AbortableError => self.call(Operation::Abort),
            State::Initializing
            | State::Ready
            | State::Preparing
            | State::Committing
            | State::Aborting
            | State::Fenced
            | State::Fatal
            | State::Closed => {}
        }
        self.carry_on();
        self.take_outcomes();
        self.seen.assert_all_ended();
        if self.seen.is_over {
            return;
        }
        if self.two_phase.is_on() {
            self.machine.observe(facts(SECOND)); // Begin refuses any other.
        }
        self.begin();
        self.queue(0);
        self.call(Operation::Commit);
        self.carry_on();
        self.listen();
        let committed = self.machine.take_outcome(Operation::Commit);
        assert!(
            matches!(committed, Some(Ok(()))),
            "{committed:?} {:?}",
            self.machine
        );
    }

    fn carry_on(&mut self) {
        for _ in 0..60 {
            self.drain_all();
            self.go_on();
            self.answer(false, 0);
            self.answer(true, 0);
            self.listen();
        }
    }

    /// Whatever is to be sent is, and batches are acknowledged.
    fn go_on(&mut self) {
        self.pass(Duration::from_millis(700));
        self.drain();
        while !self.sent.is_empty() {
            self.batch_answered(0);
        }
        self.poll();
    }
}
