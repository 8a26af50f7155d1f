//! How a transaction ends: EndTxn and its answers, and the epoch that may have to be raised after it.
//!
//! An EndTxn whose fate is unknown is repeated, the same way and under the same epoch, until it is known
//! (T-64, T-66, L-2). That a commit failed is said only when it is proved; once an attempt is in doubt,
//! a refusal of a later one proves nothing about it, and the coordinator is asked what became of the
//! transaction. What cannot be found out is reported as unknown.

use std::time::Instant;

use milena_codec::{ErrorCode, ProducerIdentity};

use super::causes::{in_words, said, version_unsupported};
use super::errors::{self, Verdict};
use super::machine::TransactionMachine;
use super::outcome::{self, Conclusion};
use super::request::{Api, DescribedTransaction, Event, NotSent, Reply};
use super::state::{Direction, Phase, Step};
use super::version::TransactionVersion;
use crate::error::Error;

impl TransactionMachine {
    /// EndTxn: the identity to go on with, [`ProducerIdentity::NONE`] below version 5 (T-61).
    pub(crate) fn handle_end_txn(&mut self, reply: Reply<ProducerIdentity>, now: Instant) {
        if self.coordinator.responded(Api::EndTxn).is_none() {
            return;
        }
        let Phase::Ending(direction, Step::Asking) = self.phase else {
            return;
        };
        match reply {
            Reply::Answered(identity) => {
                if self.version == TransactionVersion::Two {
                    self.pause.ended(now);
                }
                self.ended(direction, identity);
            }
            Reply::Refused(code) => self.end_refused(direction, code, now),
            Reply::NotSent(NotSent::Unreachable) => {
                self.coordinator.lose_broker(now, &mut self.pace);
            }
            Reply::NotSent(NotSent::VersionUnsupported) if self.transaction.end_in_doubt => {
                // Another broker understood it before, and may be the coordinator again.
                self.coordinator.lose_broker(now, &mut self.pace);
            }
            Reply::NotSent(NotSent::VersionUnsupported) => {
                let cause = version_unsupported(Api::EndTxn, self.coordinator.broker);
                self.end_life(Phase::Fatal(cause.into_fatal()));
            }
            Reply::Ambiguous => {
                self.transaction.end_in_doubt = true;
                self.coordinator.lose_broker(now, &mut self.pace);
            }
        }
    }

    fn end_refused(&mut self, direction: Direction, code: ErrorCode, now: Instant) {
        let was_in_doubt = self.transaction.end_in_doubt;
        self.transaction.end_in_doubt |= errors::may_be_applied(code);
        let cause = self.refused(Api::EndTxn, code);
        match errors::end_txn(code, direction) {
            Verdict::Done | Verdict::Retry => self.coordinator.retry.later(now, &mut self.pace),
            Verdict::RetryConcurrent => self.coordinator.retry.concurrent(now, &mut self.pace),
            Verdict::FindCoordinator => self.coordinator.lose_broker(now, &mut self.pace),
            Verdict::Fenced => self.suspect(cause),
            Verdict::FindOut => self.find_out(direction),
            Verdict::Abortable | Verdict::Refused => match direction {
                Direction::Commit if was_in_doubt => self.start_finding_out(direction),
                Direction::Commit => self.commit_failed(cause, true),
                // The coordinator knows the producer no more: nothing is left to abort (T-82).
                Direction::Abort => {
                    self.transaction.raise_epoch = true;
                    self.after_end(direction);
                }
            },
            // What was written was never committed; whether the commit in doubt was, only the coordinator could tell.
            Verdict::Forgotten => match direction {
                Direction::Commit if was_in_doubt => self.start_finding_out(direction),
                Direction::Commit => self.commit_failed(in_words(cause), true),
                Direction::Abort => {
                    self.transaction.raise_epoch = true;
                    self.after_end(direction);
                }
            },
            Verdict::Fatal => self.end_life(Phase::Fatal(cause.into_fatal())),
        }
    }

    /// INVALID_TXN_STATE: there is nothing to end, or it has ended (L-25).
    fn find_out(&mut self, direction: Direction) {
        let may_be_empty = self.version == TransactionVersion::One
            && direction == Direction::Abort
            && !self.transaction.is_registered();
        if may_be_empty {
            // EndTxn was sent only because a registration was in doubt, and it was not applied (T-52).
            // What the coordinator holds is the transaction before.
            self.after_end(direction);
        } else {
            // By the tables it was not applied. It has been seen after one that was (L-25).
            self.transaction.end_in_doubt = true;
            self.start_finding_out(direction);
        }
    }

    fn start_finding_out(&mut self, direction: Direction) {
        self.phase = Phase::Ending(direction, Step::FindingOut);
    }

    /// DescribeTransactions: what the coordinator holds for the transactional id. A transaction that
    /// is refused by itself counts as refused.
    pub(crate) fn handle_describe_transactions(
        &mut self,
        reply: Reply<DescribedTransaction>,
        now: Instant,
    ) {
        if self
            .coordinator
            .responded(Api::DescribeTransactions)
            .is_none()
        {
            return;
        }
        let Phase::Ending(direction, Step::FindingOut) = self.phase else {
            return;
        };
        match reply {
            Reply::Answered(described) => {
                let conclusion = outcome::conclude(
                    self.version,
                    self.identity,
                    self.transaction.prepared,
                    described,
                );
                self.concluded(direction, conclusion, now);
            }
            Reply::Refused(code) => match errors::describe_transactions(code) {
                Verdict::Done | Verdict::Retry => self.coordinator.retry.later(now, &mut self.pace),
                Verdict::RetryConcurrent => self.coordinator.retry.concurrent(now, &mut self.pace),
                Verdict::FindCoordinator => self.coordinator.lose_broker(now, &mut self.pace),
                Verdict::Abortable
                | Verdict::Refused
                | Verdict::Fenced
                | Verdict::Forgotten
                | Verdict::FindOut
                | Verdict::Fatal => self.cannot_find_out(),
            },
            Reply::NotSent(NotSent::VersionUnsupported) => self.cannot_find_out(),
            Reply::NotSent(NotSent::Unreachable) | Reply::Ambiguous => {
                self.coordinator.lose_broker(now, &mut self.pace);
            }
        }
    }

    fn concluded(&mut self, direction: Direction, conclusion: Conclusion, now: Instant) {
        let cause = self.refused(Api::EndTxn, ErrorCode::InvalidTxnState);
        match (conclusion, direction) {
            (Conclusion::Committed(identity), Direction::Commit) => {
                self.ended(direction, identity.unwrap_or(ProducerIdentity::NONE));
            }
            (Conclusion::Committed(_), Direction::Abort) => {
                let cause = self.ended_otherwise("the transaction to abort is committed");
                self.end_life(Phase::Fatal(cause.into_fatal()));
            }
            (Conclusion::Aborted, Direction::Commit) => {
                let cause = if self.transaction.prepared.is_some() {
                    self.ended_otherwise("the prepared transaction to commit is aborted")
                } else {
                    self.timed_out()
                };
                self.commit_failed(cause, true);
            }
            (Conclusion::NotStarted, Direction::Commit) => self.commit_failed(cause, true),
            (Conclusion::Aborted | Conclusion::NotStarted, Direction::Abort) => {
                // Whichever epoch that left, the next one is ours alone.
                self.transaction.raise_epoch = true;
                self.after_end(direction);
            }
            (Conclusion::Unsettled, direction) => {
                self.coordinator.retry.concurrent(now, &mut self.pace);
                self.phase = Phase::Ending(direction, Step::Asking);
            }
            (Conclusion::Superseded, _) => self.suspect(cause),
        }
    }

    fn ended_otherwise(&self, message: &'static str) -> Error {
        let broker = self.coordinator.broker;
        said(ErrorCode::InvalidTxnState, Api::EndTxn, broker, message)
    }

    /// The coordinator does not tell.
    fn cannot_find_out(&mut self) {
        let cause = self.refused(Api::EndTxn, ErrorCode::InvalidTxnState);
        self.end_life(Phase::Fatal(cause.into_fatal()));
    }

    /// It is proved that the commit was not applied: the transaction can only be aborted (T-38). Not by us if
    /// it was prepared, for another system may have committed its part: it stays as its coordinator has it, and
    /// whoever starts anew and keeps it decides again (T-45).
    pub(super) fn commit_failed(&mut self, cause: Error, raise: bool) {
        self.coordinator.retry.reset();
        if self.transaction.prepared.is_some() {
            self.transaction.end_in_doubt = false;
            return self.end_life(Phase::Fatal(cause.into_fatal()));
        }
        self.phase = Phase::Ending(Direction::Commit, Step::Settling);
        self.spoil(cause, raise);
    }

    /// EndTxn is durable (T-60).
    fn ended(&mut self, direction: Direction, identity: ProducerIdentity) {
        if identity.is_some() && identity != self.identity {
            self.adopt(identity);
        } else if self.version == TransactionVersion::Two {
            // Without a new epoch the next transaction could not start its sequences at 0 (P-26).
            self.transaction.raise_epoch = true;
        }
        self.after_end(direction);
    }

    /// The transaction has ended. The epoch is raised if it must be (§2.10), else this is all.
    pub(super) fn after_end(&mut self, direction: Direction) {
        self.coordinator.retry.reset();
        let known = (!self.transaction.outcome_unknown).then_some(direction);
        self.push(Event::TransactionEnded(known));
        let is_first_protocol = self.version == TransactionVersion::One;
        let is_in_doubt = is_first_protocol && self.transaction.is_in_doubt() && !bug!(KeepEpoch);
        let must_raise = is_in_doubt
            || self.transaction.raise_epoch
            || self.raise_in_doubt
            || is_first_protocol && self.epoch_used && self.next_version == TransactionVersion::Two; // T-3
        if self.closing || !must_raise {
            self.complete(direction);
        } else if self.facts.can_raise_epoch() || self.transaction.prepared.is_some() {
            // A name that was given must not be given again; if that fails after all, so does the producer (T-45).
            self.raise_in_doubt = false;
            self.phase = Phase::Ending(direction, Step::RaisingEpoch); // T-62, T-84, T-85
        } else {
            self.complete(direction);
            if is_in_doubt {
                // T-83: what is late of this transaction would be taken for one of the next.
                let cause = version_unsupported(Api::InitProducerId, self.coordinator.broker);
                self.end_life(Phase::Fatal(cause.into_fatal()));
            }
        }
    }

    /// The next transaction may begin.
    pub(super) fn complete(&mut self, direction: Direction) {
        if !self.epoch_used {
            self.version = self.next_version;
        }
        self.transaction = super::open::OpenTransaction::default();
        self.phase = Phase::Ready;
        self.end_operation(direction.operation(), Ok(()));
        if self.closing {
            self.end_life(Phase::Closed);
        }
    }
}
