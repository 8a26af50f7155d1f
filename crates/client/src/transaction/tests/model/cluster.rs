//! A coordinator and its partitions, as the tables of §2.5, §2.8 and §1.3 describe them.
//!
//! Written from the specification, not from the machine: it shares nothing with what it tests but the
//! names of requests.

use std::collections::{BTreeSet, VecDeque};

use super::*;

/// Where the group's offsets are written.
pub(super) const OFFSETS: usize = 2;
/// A transaction that is open longer is aborted by the coordinator.
pub(super) const TRANSACTION_TIMEOUT: u64 = 3_000_000;

const PRODUCER_ID: i64 = 7;

/// The coordinator's state of the one transactional id, and three partitions.
#[derive(Debug)]
pub(super) struct Cluster {
    stage: Stage,
    epoch: i16,
    /// The epoch before, while a repetition from it is still recognised.
    last_epoch: Option<i16>,
    registered: BTreeSet<usize>,
    opened_at: u64,
    pub(super) logs: [Log; 3],
    /// A time-out leaves a way back for the old epoch (4.3.1), or not (3.9.2) - T-71.
    pub(super) remembers_timed_out_epoch: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Unknown,
    Empty,
    Ongoing,
    Preparing(Direction),
    Complete(Direction),
}

#[derive(Debug, Default)]
pub(super) struct Log {
    epoch: i16,
    /// The last five sequences of this epoch (P-23).
    recent: VecDeque<i32>,
    has_state: bool,
    pub(super) entries: Vec<Entry>,
}

/// What a write left in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) write: Write,
    pub(super) fate: EntryFate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryFate {
    Open,
    Committed,
    Aborted,
}

impl Cluster {
    pub(super) fn new(remembers_timed_out_epoch: bool) -> Self {
        Self {
            stage: Stage::Unknown,
            epoch: -1,
            last_epoch: None,
            registered: BTreeSet::new(),
            opened_at: 0,
            logs: [Log::default(), Log::default(), Log::default()],
            remembers_timed_out_epoch,
        }
    }

    pub(super) fn identity(&self) -> ProducerIdentity {
        identity(PRODUCER_ID, self.epoch)
    }

    pub(super) fn is_preparing(&self) -> bool {
        matches!(self.stage, Stage::Preparing(_))
    }

    /// The markers of the transaction that is ending are written.
    pub(super) fn write_markers(&mut self) {
        let Stage::Preparing(direction) = self.stage else {
            return;
        };
        for partition in std::mem::take(&mut self.registered) {
            let log = &mut self.logs[partition];
            for entry in &mut log.entries {
                if entry.fate == EntryFate::Open {
                    entry.fate = match direction {
                        Direction::Commit => EntryFate::Committed,
                        Direction::Abort => EntryFate::Aborted,
                    };
                }
            }
            log.raise(self.epoch);
        }
        self.stage = Stage::Complete(direction);
    }

    /// T-72.
    pub(super) fn time_out(&mut self, now: u64) {
        if self.stage == Stage::Ongoing && now > self.opened_at + TRANSACTION_TIMEOUT {
            self.last_epoch = self.remembers_timed_out_epoch.then_some(self.epoch);
            self.epoch += 1;
            self.stage = Stage::Preparing(Direction::Abort);
        }
    }

    /// InitProducerId (§2.5).
    pub(super) fn init(
        &mut self,
        producer: ProducerIdentity,
    ) -> Result<ProducerIdentity, ErrorCode> {
        let epoch = producer.producer_epoch.0;
        let is_repetition = producer.is_some() && Some(epoch) == self.last_epoch;
        match self.stage {
            Stage::Preparing(_) => return Err(ErrorCode::ConcurrentTransactions),
            // Whatever the epoch: even a raise that comes late aborts what is open.
            Stage::Ongoing => {
                self.epoch += 1;
                self.last_epoch = None;
                self.stage = Stage::Preparing(Direction::Abort);
                return Err(ErrorCode::ConcurrentTransactions);
            }
            Stage::Unknown | Stage::Empty | Stage::Complete(_) => {}
        }
        if producer.is_some() && epoch != self.epoch && !is_repetition {
            return Err(ErrorCode::ProducerFenced);
        }
        if !is_repetition {
            self.last_epoch = producer.is_some().then_some(self.epoch);
            self.epoch += 1;
            self.stage = Stage::Empty;
        }
        Ok(self.identity())
    }

    /// AddPartitionsToTxn and AddOffsetsToTxn, and what Produce 12 and TxnOffsetCommit 5 do by themselves.
    pub(super) fn add(
        &mut self,
        producer: ProducerIdentity,
        partitions: &[usize],
        now: u64,
    ) -> Result<(), ErrorCode> {
        if producer.producer_epoch.0 != self.epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        match self.stage {
            Stage::Unknown => return Err(ErrorCode::InvalidProducerIdMapping),
            Stage::Preparing(_) => return Err(ErrorCode::ConcurrentTransactions),
            Stage::Empty | Stage::Complete(_) => {
                self.stage = Stage::Ongoing;
                self.opened_at = now;
            }
            Stage::Ongoing => {}
        }
        self.registered.extend(partitions);
        Ok(())
    }

    /// EndTxn (§2.8), both tables.
    pub(super) fn end(
        &mut self,
        version: TransactionVersion,
        producer: ProducerIdentity,
        direction: Direction,
    ) -> Result<ProducerIdentity, ErrorCode> {
        let epoch = producer.producer_epoch.0;
        match version {
            TransactionVersion::One if epoch != self.epoch => Err(ErrorCode::ProducerFenced),
            TransactionVersion::One => self.end_one(direction),
            TransactionVersion::Two => self.end_two(epoch, direction),
        }
    }

    fn end_one(&mut self, direction: Direction) -> Result<ProducerIdentity, ErrorCode> {
        match self.stage {
            Stage::Ongoing => {
                self.stage = Stage::Preparing(direction);
                Ok(ProducerIdentity::NONE)
            }
            Stage::Preparing(of) if of == direction => Err(ErrorCode::ConcurrentTransactions),
            Stage::Complete(of) if of == direction => Ok(ProducerIdentity::NONE),
            Stage::Unknown | Stage::Empty | Stage::Preparing(_) | Stage::Complete(_) => {
                Err(ErrorCode::InvalidTxnState)
            }
        }
    }

    fn end_two(&mut self, epoch: i16, direction: Direction) -> Result<ProducerIdentity, ErrorCode> {
        let is_current = epoch == self.epoch;
        let is_repetition = Some(epoch) == self.last_epoch && epoch == self.epoch - 1;
        match self.stage {
            Stage::Ongoing | Stage::Empty | Stage::Unknown if !is_current => {
                Err(ErrorCode::ProducerFenced)
            }
            Stage::Preparing(_) if !is_repetition => Err(ErrorCode::ProducerFenced),
            Stage::Complete(_) if !is_current && !is_repetition => Err(ErrorCode::ProducerFenced),
            Stage::Preparing(of) if of == direction => Err(ErrorCode::ConcurrentTransactions),
            Stage::Preparing(_) | Stage::Unknown => Err(ErrorCode::InvalidTxnState),
            Stage::Complete(of) if is_repetition && of == direction => Ok(self.identity()),
            Stage::Complete(_) if is_repetition => Err(ErrorCode::InvalidTxnState),
            Stage::Empty | Stage::Complete(_) if direction == Direction::Commit => {
                Err(ErrorCode::InvalidTxnState)
            }
            Stage::Ongoing | Stage::Empty | Stage::Complete(_) => {
                self.last_epoch = Some(self.epoch);
                self.epoch += 1;
                self.stage = Stage::Preparing(direction);
                Ok(self.identity())
            }
        }
    }

    /// Produce of one record (§1.3, §1.12), and without `sequence` a TxnOffsetCommit.
    pub(super) fn append(
        &mut self,
        version: TransactionVersion,
        producer: ProducerIdentity,
        partition: usize,
        sequence: Option<i32>,
        write: Write,
        now: u64,
    ) -> ErrorCode {
        let epoch = producer.producer_epoch.0;
        let log = &self.logs[partition];
        if epoch < log.epoch {
            return ErrorCode::InvalidProducerEpoch;
        }
        // Only the first append of a transaction is verified with the coordinator (KIP-890).
        let is_open = log
            .entries
            .iter()
            .any(|entry| entry.fate == EntryFate::Open);
        if !is_open || epoch > log.epoch {
            match version {
                TransactionVersion::One => {
                    let is_registered = self.stage == Stage::Ongoing
                        && epoch == self.epoch
                        && self.registered.contains(&partition);
                    if !is_registered {
                        return ErrorCode::TransactionAbortable;
                    }
                }
                TransactionVersion::Two => match self.add(producer, &[partition], now) {
                    Ok(()) => {}
                    Err(ErrorCode::ProducerFenced) => return ErrorCode::InvalidProducerEpoch,
                    Err(code) => return code,
                },
            }
        }
        self.logs[partition].append(version, epoch, sequence, write)
    }

    pub(super) fn describe(&self) -> DescribedTransaction {
        let state = match self.stage {
            Stage::Unknown => DescribedState::Other,
            Stage::Empty => DescribedState::Empty,
            Stage::Ongoing => DescribedState::Ongoing,
            Stage::Preparing(Direction::Commit) => DescribedState::PrepareCommit,
            Stage::Preparing(Direction::Abort) => DescribedState::PrepareAbort,
            Stage::Complete(Direction::Commit) => DescribedState::CompleteCommit,
            Stage::Complete(Direction::Abort) => DescribedState::CompleteAbort,
        };
        DescribedTransaction {
            state,
            producer: self.identity(),
        }
    }
}

impl Log {
    /// P-21, P-23, P-24.
    fn append(
        &mut self,
        version: TransactionVersion,
        epoch: i16,
        sequence: Option<i32>,
        write: Write,
    ) -> ErrorCode {
        if let Some(sequence) = sequence {
            let is_new = epoch > self.epoch || !self.has_state;
            let is_first = is_new || self.recent.is_empty();
            if !is_new && self.recent.contains(&sequence) {
                return ErrorCode::None;
            }
            let is_in_order = match self.recent.back() {
                Some(last) if !is_first => sequence == last + 1,
                _ => sequence == 0 || !self.has_state && version == TransactionVersion::One,
            };
            if !is_in_order {
                return ErrorCode::OutOfOrderSequenceNumber;
            }
            self.raise(epoch);
            self.recent.push_back(sequence);
            if self.recent.len() > 5 {
                self.recent.pop_front();
            }
        }
        self.raise(epoch);
        self.has_state = true;
        self.entries.push(Entry {
            write,
            fate: EntryFate::Open,
        });
        ErrorCode::None
    }

    fn raise(&mut self, epoch: i16) {
        if epoch > self.epoch {
            self.epoch = epoch;
            self.recent.clear();
        }
    }
}
