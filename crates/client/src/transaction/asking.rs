//! What to ask the coordinators next (§2.3, §2.4).
//!
//! There is one slot to each coordinator and at most one request on a slot, so the transaction
//! coordinator never has two of one id (T-30). TxnOffsetCommit goes to the other coordinator and may
//! run beside AddPartitionsToTxn and Produce (T-31); EndTxn waits for all of them (T-34).

use std::sync::Arc;
use std::time::Instant;

use milena_codec::ProducerIdentity;

use super::machine::TransactionMachine;
use super::open::{Supersession, Waiting};
use super::request::{Api, Call, CoordinatorKind, Output, Request, SenderStatus};
use super::slot::RequestSlot;
use super::state::{Direction, Phase, Step};
use super::version::{self, TransactionVersion};
use crate::error::Error;

impl TransactionMachine {
    /// The next thing to do at `now`. To be called after every input, and again after every
    /// [`Output::Send`]; `sender` as it is after those inputs.
    pub(crate) fn poll(&mut self, now: Instant, sender: SenderStatus) -> Output {
        self.give_up_overdue(now);
        self.settle(sender);
        let first = self.poll_transaction_coordinator(now);
        if matches!(first, Output::Send(_)) {
            return first;
        }
        let second = self.poll_group_coordinator(now);
        match (first, second) {
            (Output::WaitUntil(one), Output::WaitUntil(other)) => Output::WaitUntil(one.min(other)),
            (Output::WaitUntil(at), Output::Idle) => Output::WaitUntil(at),
            (Output::Idle | Output::Send(_) | Output::WaitUntil(_), second) => second,
        }
    }

    /// When the transaction is left to be aborted unless what waits to be registered has made progress by then.
    pub(crate) fn registration_deadline(&self) -> Option<Instant> {
        let (since, _) = self.transaction.waiting_since()?;
        let is_bounded = self.may_register();
        is_bounded.then(|| since + self.config.registration_timeout)
    }

    /// What cannot be registered for [`registration_timeout`](super::TransactionConfig::registration_timeout) leaves
    /// the transaction to be aborted, with the last failure as its cause. Otherwise a coordinator that never
    /// accepts it would keep the commit waiting for ever, and the coordinator's own time-out would go unnoticed.
    fn give_up_overdue(&mut self, now: Instant) {
        if !self.may_register() {
            return;
        }
        self.transaction.note_waiting(now);
        let Some((since, what)) = self.transaction.waiting_since() else {
            return;
        };
        if since + self.config.registration_timeout > now {
            return;
        }
        let is_at_group = what == Waiting::Offsets && !self.must_add_offsets();
        let slot = if is_at_group {
            &mut self.group_coordinator
        } else {
            &mut self.coordinator
        };
        slot.retry.reset();
        let cause = slot.failure().map(|(_, failure)| Arc::new(failure.clone()));
        let overdue = Error::Timeout {
            operation: Arc::from(match what {
                Waiting::Offsets => "adding offsets to the transaction",
                Waiting::Partitions => "adding partitions to the transaction",
            }),
            elapsed: now.saturating_duration_since(since),
            cause,
        };
        // What may have been registered all the same is noted in the transaction, and raises the epoch.
        self.spoil(overdue, false);
    }

    /// Goes on from [`Step::Settling`] once everything of the transaction has a definite result.
    fn settle(&mut self, sender: SenderStatus) {
        let is_preparing = matches!(self.phase, Phase::Preparing);
        if !is_preparing && !matches!(self.phase, Phase::Ending(_, Step::Settling)) {
            return;
        }
        let is_settled = sender.is_settled()
            && self.transaction.is_registration_settled()
            && !self.coordinator.is_waiting_for(Api::AddPartitionsToTxn)
            && !self.coordinator.is_waiting_for(Api::AddOffsetsToTxn)
            && !self.group_coordinator.is_waiting_for(Api::TxnOffsetCommit);
        if !is_settled {
            return;
        }
        let Phase::Ending(direction, _) = self.phase else {
            return self.prepared_now();
        };
        match self.transaction.supersession {
            Supersession::Suspected => {}
            Supersession::TimedOut(identity) => {
                // Nothing left to end there; the coordinator has raised the epoch by itself.
                self.adopt(identity);
                self.transaction.raise_epoch = false;
                self.transaction.registration_in_doubt = false;
                self.transaction.end_in_doubt = false;
                self.transaction.batch_in_doubt = false;
                self.after_end(direction);
            }
            Supersession::None if self.transaction.needs_end(self.version) => {
                self.phase = Phase::Ending(direction, Step::Asking);
            }
            Supersession::None => self.after_end(direction), // T-52, T-53, T-85
        }
    }

    fn poll_transaction_coordinator(&mut self, now: Instant) -> Output {
        let Some(api) = self.wanted() else {
            return Output::Idle;
        };
        if !self.coordinator.is_free() {
            return Output::Idle;
        }
        if let Some(at) = self.coordinator.retry.wait_until(now) {
            return Output::WaitUntil(at);
        }
        let Some(broker) = self.coordinator.broker else {
            let key = Arc::clone(&self.config.transactional_id);
            return find(
                &mut self.coordinator,
                CoordinatorKind::Transaction,
                key,
                now,
            );
        };
        let (versions, request) = match api {
            Api::AddPartitionsToTxn => {
                self.registering(now);
                let partitions = self.transaction.take_to_add();
                let request = Request::AddPartitionsToTxn {
                    producer: self.identity,
                    partitions,
                };
                (version::ADD_PARTITIONS_TO_TXN, request)
            }
            Api::AddOffsetsToTxn => {
                self.registering(now);
                let Some(job) = &self.transaction.offsets else {
                    return Output::Idle;
                };
                let group_id = Arc::clone(&job.group.group_id);
                self.transaction.adding_group = Some(Arc::clone(&group_id));
                let request = Request::AddOffsetsToTxn {
                    producer: self.identity,
                    group_id,
                };
                (version::ADD_OFFSETS_TO_TXN, request)
            }
            Api::EndTxn => {
                let Phase::Ending(direction, _) = self.phase else {
                    return Output::Idle;
                };
                let request = Request::EndTxn {
                    producer: self.identity,
                    direction,
                };
                (self.version.end_txn(), request)
            }
            Api::DescribeTransactions => (
                version::DESCRIBE_TRANSACTIONS,
                Request::DescribeTransactions,
            ),
            Api::InitProducerId => {
                // T-44: (-1, -1) takes the id over, so only the very first one may say so.
                let is_first = matches!(self.phase, Phase::Initializing);
                let producer = if is_first {
                    ProducerIdentity::NONE
                } else {
                    self.identity
                };
                let two_phase = self.config.two_phase;
                let two_phase = if is_first {
                    two_phase
                } else {
                    two_phase.continued()
                };
                let request = Request::InitProducerId {
                    producer,
                    transaction_timeout: self.config.transaction_timeout,
                    two_phase,
                };
                let versions = version::init_producer_id(producer.is_some(), two_phase);
                (versions, request)
            }
            Api::FindCoordinator | Api::TxnOffsetCommit => return Output::Idle,
        };
        self.coordinator.sent(api, now);
        Output::Send(Call {
            broker: Some(broker),
            versions,
            request,
        })
    }

    fn registering(&mut self, now: Instant) {
        self.epoch_used = true;
        self.transaction.registered_at.get_or_insert(now);
    }

    /// What the transaction coordinator is to be asked, whenever it may be.
    fn wanted(&self) -> Option<Api> {
        let is_suspected = self.transaction.supersession == Supersession::Suspected;
        match self.phase {
            Phase::Initializing | Phase::Ending(_, Step::RaisingEpoch) => Some(Api::InitProducerId),
            Phase::Abortable(_) | Phase::Ending(_, Step::Settling) if is_suspected => {
                Some(Api::InitProducerId)
            }
            Phase::InTransaction
            | Phase::Preparing
            | Phase::Ending(Direction::Commit, Step::Settling) => {
                if !self.transaction.to_add.is_empty() {
                    Some(Api::AddPartitionsToTxn)
                } else if self.must_add_offsets() {
                    Some(Api::AddOffsetsToTxn)
                } else {
                    None
                }
            }
            Phase::Ending(_, Step::Asking) => Some(Api::EndTxn),
            Phase::Ending(_, Step::FindingOut) => Some(Api::DescribeTransactions),
            Phase::Ending(Direction::Abort, Step::Settling)
            | Phase::Uninitialized
            | Phase::Ready
            | Phase::Prepared
            | Phase::Abortable(_)
            | Phase::Fenced(_)
            | Phase::Fatal(_)
            | Phase::Closed => None,
        }
    }

    /// T-33: under the first protocol the group's offsets partition is registered first.
    fn must_add_offsets(&self) -> bool {
        self.version == TransactionVersion::One
            && self
                .transaction
                .offsets
                .as_ref()
                .is_some_and(|job| !self.transaction.groups_added.contains(&job.group.group_id))
    }

    fn poll_group_coordinator(&mut self, now: Instant) -> Output {
        let is_wanted = self.may_register() && !self.must_add_offsets();
        if !is_wanted || !self.group_coordinator.is_free() {
            return Output::Idle;
        }
        let pause = self.pause_until(now);
        let Some(job) = &self.transaction.offsets else {
            return Output::Idle;
        };
        let slot = &mut self.group_coordinator;
        if self.group_id.as_ref() != Some(&job.group.group_id) {
            self.group_id = Some(Arc::clone(&job.group.group_id));
            *slot = RequestSlot::default();
        }
        if let Some(at) = slot.retry.wait_until(now).max(pause) {
            return Output::WaitUntil(at);
        }
        let Some(broker) = slot.broker else {
            return find(
                slot,
                CoordinatorKind::Group,
                Arc::clone(&job.group.group_id),
                now,
            );
        };
        slot.sent(Api::TxnOffsetCommit, now);
        self.transaction.attempted = true;
        Output::Send(Call {
            broker: Some(broker),
            versions: self.version.txn_offset_commit(job.group.member.is_some()),
            request: Request::TxnOffsetCommit {
                producer: self.identity,
                group: job.group.clone(),
                offsets: job.remaining.clone(),
            },
        })
    }
}

fn find(slot: &mut RequestSlot, kind: CoordinatorKind, key: Arc<str>, now: Instant) -> Output {
    slot.sent(Api::FindCoordinator, now);
    Output::Send(Call {
        broker: None,
        versions: version::FIND_COORDINATOR,
        request: Request::FindCoordinator { kind, key },
    })
}
