//! What the answers of the transaction coordinator do, EndTxn excepted.

use std::sync::Arc;
use std::time::Instant;

use milena_codec::{ErrorCode, ProducerIdentity};

use super::causes::{malformed, outcome_unknown, said, version_unsupported};
use super::errors::{self, Verdict};
use super::machine::TransactionMachine;
use super::open::Supersession;
use super::request::{Api, Body, CoordinatorKind, Event, Initialized, NotSent, Reply, Response};
use super::slot::RequestSlot;
use super::state::TwoPhase;
use super::state::{Direction, Operation, Phase, Step};
use super::two_phase::Missing;
use super::version::TransactionVersion;
use crate::error::Error;
use crate::types::TopicPartition;

impl TransactionMachine {
    /// What became of a request.
    pub(crate) fn handle_response(&mut self, response: Response, now: Instant) {
        let Response { body, failure } = response;
        let (api, coordinator) = body.api();
        let slot = match coordinator {
            CoordinatorKind::Group => &mut self.group_coordinator,
            CoordinatorKind::Transaction => &mut self.coordinator,
        };
        let failure = failure.or_else(|| body.partition_failure(api, slot.broker));
        slot.note(api, failure.as_ref(), now);
        match body {
            Body::AddOffsetsToTxn(reply) => self.handle_add_offsets(reply, now),
            Body::AddPartitionsToTxn(reply) => self.handle_add_partitions(reply, now),
            Body::DescribeTransactions(reply) => self.handle_describe_transactions(reply, now),
            Body::EndTxn(reply) => self.handle_end_txn(reply, now),
            Body::FindCoordinator(kind, reply) => self.handle_find_coordinator(kind, reply, now),
            Body::InitProducerId(reply) => self.handle_init_producer_id(reply, now),
            Body::TxnOffsetCommit(reply) => self.handle_txn_offset_commit(reply, now),
        }
    }

    /// Why the last request did not succeed, if none to the same coordinator has succeeded since.
    pub(crate) fn last_failure(&self) -> Option<&Error> {
        let failures = [&self.coordinator, &self.group_coordinator].map(RequestSlot::failure);
        let newest = failures.into_iter().flatten().max_by_key(|(at, _)| *at);
        newest.map(|(_, failure)| failure)
    }

    /// FindCoordinator: the broker id of the coordinator of this kind (T-20 to T-23).
    pub(crate) fn handle_find_coordinator(
        &mut self,
        kind: CoordinatorKind,
        reply: Reply<i32>,
        now: Instant,
    ) {
        let slot = match kind {
            CoordinatorKind::Group => &mut self.group_coordinator,
            CoordinatorKind::Transaction => &mut self.coordinator,
        };
        if slot.responded(Api::FindCoordinator).is_none() || self.phase.is_terminal() {
            return;
        }
        let (verdict, cause) = match reply {
            Reply::Answered(broker) => {
                slot.broker = Some(broker);
                if matches!(self.phase, Phase::Initializing)
                    && let Some(lacking) = self.is_known_to_lack_two_phase()
                {
                    self.end_life(Phase::Fatal(lacking.into_fatal()));
                }
                return;
            }
            Reply::Refused(code) => {
                let cause = Error::broker(code, Api::FindCoordinator.key(), None);
                (errors::find_coordinator(code, kind), cause)
            }
            Reply::NotSent(NotSent::VersionUnsupported) => (
                Verdict::Fatal,
                version_unsupported(Api::FindCoordinator, None),
            ),
            Reply::NotSent(NotSent::Unreachable) | Reply::Ambiguous => {
                slot.retry.later(now, &mut self.pace);
                return;
            }
        };
        match verdict {
            Verdict::Done
            | Verdict::Retry
            | Verdict::RetryConcurrent
            | Verdict::FindCoordinator => {
                slot.retry.later(now, &mut self.pace);
            }
            Verdict::Abortable if kind == CoordinatorKind::Group => self.spoil(cause, true),
            Verdict::Abortable => self.spoil_or_end(cause, now),
            Verdict::Refused
            | Verdict::Fenced
            | Verdict::Forgotten
            | Verdict::FindOut
            | Verdict::Fatal => {
                self.end_life(Phase::Fatal(cause.into_fatal()));
            }
        }
    }

    /// InitProducerId: the new identity (T-40 to T-44).
    pub(crate) fn handle_init_producer_id(&mut self, reply: Reply<Initialized>, now: Instant) {
        if self.coordinator.responded(Api::InitProducerId).is_none() || self.phase.is_terminal() {
            return;
        }
        let is_first = matches!(self.phase, Phase::Initializing);
        match reply {
            Reply::Answered(initialized) => {
                let identity = initialized.producer;
                self.coordinator.retry.reset();
                // P-26: an epoch that was not raised must not start its sequences again.
                if !identity.is_some() || !is_first && identity == self.identity {
                    let cause = malformed(Api::InitProducerId, self.coordinator.broker);
                    return self.end_life(Phase::Fatal(cause.into_fatal()));
                }
                self.identified(initialized);
            }
            Reply::Refused(code) => self.init_refused(code, is_first, now),
            Reply::NotSent(NotSent::Unreachable) => {
                self.coordinator.lose_broker(now, &mut self.pace);
            }
            Reply::NotSent(NotSent::VersionUnsupported) => {
                let cause = if self.config.two_phase.is_on() {
                    self.no_two_phase(Missing::InitProducerId)
                } else {
                    version_unsupported(Api::InitProducerId, self.coordinator.broker)
                };
                self.end_life(Phase::Fatal(cause.into_fatal()));
            }
            Reply::Ambiguous => {
                self.init_in_doubt = true;
                self.raise_in_doubt |= !is_first;
                self.coordinator.lose_broker(now, &mut self.pace);
            }
        }
    }

    fn init_refused(&mut self, code: ErrorCode, is_first: bool, now: Instant) {
        let cause = self.refused(Api::InitProducerId, code);
        match errors::init_producer_id(code) {
            Verdict::Done | Verdict::Retry => self.coordinator.retry.later(now, &mut self.pace),
            // T-40: what an earlier instance left open is being ended.
            Verdict::RetryConcurrent => self.coordinator.retry.concurrent(now, &mut self.pace),
            Verdict::FindCoordinator => self.coordinator.lose_broker(now, &mut self.pace),
            Verdict::Fenced => self.fence(self.superseded(code, now)),
            Verdict::Refused if is_first => self.refuse_init(cause),
            Verdict::Refused
            | Verdict::Abortable
            | Verdict::Forgotten
            | Verdict::FindOut
            | Verdict::Fatal => {
                self.end_life(Phase::Fatal(cause.into_fatal()));
            }
        }
    }

    fn refuse_init(&mut self, cause: Error) {
        self.phase = Phase::Uninitialized;
        self.end_operation(Operation::Init, Err(cause));
    }

    fn identified(&mut self, initialized: Initialized) {
        let identity = initialized.producer;
        match self.phase {
            Phase::Initializing => {
                if let Some(lacking) = self.lacks_two_phase() {
                    return self.end_life(Phase::Fatal(lacking.into_fatal()));
                }
                self.adopt(identity);
                self.version = self.facts.transaction_version();
                self.phase = Phase::Ready;
                let keeps = self.config.two_phase == TwoPhase::Keeping;
                if let Some(ongoing) = initialized.ongoing.filter(|_| keeps) {
                    self.recovered(ongoing);
                }
                self.end_operation(Operation::Init, Ok(()));
            }
            Phase::Ending(direction, Step::RaisingEpoch) => {
                let kept = initialized.ongoing;
                if let Some(ongoing) = kept.filter(|_| self.config.two_phase.is_on()) {
                    return self.raise_found(direction, ongoing, identity);
                }
                self.adopt(identity);
                self.next_version = self.facts.transaction_version();
                // A copy of an earlier attempt may still come. As long as its epoch is the last but one
                // the coordinator would take it for a repetition, and if a transaction is open then,
                // abort that. One more epoch, and the copy is refused.
                if !std::mem::take(&mut self.raise_in_doubt) {
                    self.complete(direction);
                }
            }
            Phase::Abortable(_) | Phase::Ending(_, Step::Settling)
                if self.transaction.supersession == Supersession::Suspected =>
            {
                self.timed_out_at_coordinator(identity);
            }
            Phase::Uninitialized
            | Phase::Ready
            | Phase::InTransaction
            | Phase::Preparing
            | Phase::Prepared
            | Phase::Abortable(_)
            | Phase::Ending(..)
            | Phase::Fenced(_)
            | Phase::Fatal(_)
            | Phase::Closed => {}
        }
    }

    /// The epoch was refused because the coordinator aborted the transaction at its time-out (T-71): no
    /// newer producer has the id, or this one would have been refused again.
    fn timed_out_at_coordinator(&mut self, identity: ProducerIdentity) {
        self.transaction.supersession = Supersession::TimedOut(identity);
        if !matches!(self.phase, Phase::Ending(Direction::Commit, _)) {
            return;
        }
        let cause = self.timed_out();
        // What was aborted is this transaction - unless its commit was applied before, and a late copy of
        // a registration then opened another one for the coordinator to abort, or the transactional id was
        // forgotten since and nobody knows any more.
        let is_forgotten = identity.producer_id != self.identity.producer_id;
        if self.transaction.end_in_doubt && (self.transaction.registration_in_doubt || is_forgotten)
        {
            self.transaction.outcome_unknown = true;
            self.phase = Phase::Ending(Direction::Abort, Step::Settling);
            self.end_operation(Operation::Commit, Err(outcome_unknown(cause)));
        } else {
            self.spoil(cause, false);
        }
    }

    /// InitProducerId refused the epoch for good. Brokers of `transaction.version` 0 and 1 do so after their
    /// time-out as well (T-71); that is the end of this producer too, but not the same news.
    fn superseded(&self, code: ErrorCode, now: Instant) -> Error {
        let timeout = self.config.transaction_timeout;
        let open = self.transaction.age(now);
        if open < timeout {
            return self.refused(Api::InitProducerId, code);
        }
        let message = format!(
            "the transaction was open for {open:.1?} and its timeout is {timeout:?}, so perhaps the \
             coordinator aborted it and there is no other producer"
        );
        said(code, Api::InitProducerId, self.coordinator.broker, message)
    }

    /// The coordinator does not accept the epoch any more: a newer producer, or its own time-out. Under
    /// the first protocol one answer stands for both, so it is asked again in a way that tells (T-71,
    /// KIP-588; Java: fenced). Under the second it only means the former.
    pub(super) fn suspect(&mut self, cause: Error) {
        let can_ask = self.version == TransactionVersion::One && self.facts.can_raise_epoch();
        if !can_ask || self.transaction.supersession != Supersession::None {
            return self.fence(cause);
        }
        self.coordinator.retry.reset();
        self.transaction.supersession = Supersession::Suspected;
        match self.phase {
            // The outcome waits for the answer: fenced or aborted.
            Phase::Ending(direction, _) => {
                self.drop_unsent(&cause.into_abortable());
                self.phase = Phase::Ending(direction, Step::Settling);
            }
            Phase::Uninitialized
            | Phase::Initializing
            | Phase::Ready
            | Phase::InTransaction
            | Phase::Preparing
            | Phase::Prepared
            | Phase::Abortable(_)
            | Phase::Fenced(_)
            | Phase::Fatal(_)
            | Phase::Closed => self.spoil(cause, false),
        }
    }

    /// AddPartitionsToTxn: each partition's code (§2.6). A request that was refused as a whole counts as
    /// refused for each partition.
    pub(crate) fn handle_add_partitions(
        &mut self,
        reply: Reply<Vec<(TopicPartition, ErrorCode)>>,
        now: Instant,
    ) {
        if self
            .coordinator
            .responded(Api::AddPartitionsToTxn)
            .is_none()
            || self.phase.is_terminal()
        {
            return;
        }
        match reply {
            Reply::Answered(results) => self.partitions_answered(&results, now),
            Reply::Refused(code) => {
                let asked = std::mem::take(&mut self.transaction.adding);
                let results: Vec<_> = asked.iter().map(|asked| (asked.clone(), code)).collect();
                self.transaction.adding = asked;
                self.partitions_answered(&results, now);
            }
            Reply::NotSent(NotSent::Unreachable) => {
                self.coordinator.lose_broker(now, &mut self.pace);
            }
            Reply::NotSent(NotSent::VersionUnsupported) => {
                let cause = version_unsupported(Api::AddPartitionsToTxn, self.coordinator.broker);
                self.end_life(Phase::Fatal(cause.into_fatal()));
            }
            Reply::Ambiguous => {
                self.transaction.registration_in_doubt = true;
                self.coordinator.lose_broker(now, &mut self.pace);
            }
        }
        self.transaction.put_back_adding();
        if !self.may_register() {
            // Not asked for again, so nothing has to wait for the next attempt either (T-36).
            self.transaction.to_add.clear();
            if self.coordinator.broker.is_some() {
                self.coordinator.retry.reset();
            }
        }
    }

    fn partitions_answered(&mut self, results: &[(TopicPartition, ErrorCode)], now: Instant) {
        // The first addition of a transaction meets the markers of the one before, any other does not.
        let is_first = !self.transaction.is_registered();
        let mut added = Vec::new();
        for partition in &self.transaction.adding {
            let code = results.iter().find(|(answered, _)| answered == partition);
            if code.is_some_and(|(_, code)| code.is_none()) {
                added.push(partition.clone());
            }
        }
        let is_complete = added.len() == self.transaction.adding.len();
        self.transaction.added.extend(added.iter().cloned());
        if !added.is_empty() {
            self.transaction.partitions_waiting_since = None;
        }
        if !added.is_empty() && self.may_register() {
            self.push(Event::PartitionsAdded(added));
        }
        let Some((partition, code)) = first_error(results) else {
            if is_complete {
                self.coordinator.retry.reset();
            } else {
                self.coordinator.retry.later(now, &mut self.pace);
            }
            return;
        };
        self.transaction.registration_in_doubt |= errors::may_be_applied(*code);
        let cause = self.partition_refused(partition, *code, results);
        self.registration_refused(errors::add_partitions(*code), cause, is_first, now);
    }

    /// AddOffsetsToTxn (§2.7).
    pub(crate) fn handle_add_offsets(&mut self, reply: Reply<()>, now: Instant) {
        if self.coordinator.responded(Api::AddOffsetsToTxn).is_none() || self.phase.is_terminal() {
            return;
        }
        match reply {
            Reply::Answered(()) => {
                self.coordinator.retry.reset();
                // Also if the offsets were given up meanwhile: EndTxn is due all the same (T-51).
                self.transaction
                    .groups_added
                    .extend(self.transaction.adding_group.take());
            }
            Reply::Refused(code) => {
                self.transaction.registration_in_doubt |= errors::may_be_applied(code);
                let is_first = !self.transaction.is_registered();
                let cause = self.refused(Api::AddOffsetsToTxn, code);
                self.registration_refused(errors::add_offsets(code), cause, is_first, now);
            }
            Reply::NotSent(NotSent::Unreachable) => {
                self.coordinator.lose_broker(now, &mut self.pace);
            }
            Reply::NotSent(NotSent::VersionUnsupported) => {
                let cause = version_unsupported(Api::AddOffsetsToTxn, self.coordinator.broker);
                self.end_life(Phase::Fatal(cause.into_fatal()));
            }
            Reply::Ambiguous => {
                self.transaction.registration_in_doubt = true;
                self.coordinator.lose_broker(now, &mut self.pace);
            }
        }
    }

    fn registration_refused(&mut self, verdict: Verdict, cause: Error, first: bool, now: Instant) {
        match verdict {
            Verdict::RetryConcurrent if first => {
                self.coordinator.retry.concurrent(now, &mut self.pace);
            }
            Verdict::Done | Verdict::Retry | Verdict::RetryConcurrent => {
                self.coordinator.retry.later(now, &mut self.pace);
            }
            Verdict::FindCoordinator => self.coordinator.lose_broker(now, &mut self.pace),
            Verdict::Fenced => self.suspect(cause),
            Verdict::Abortable | Verdict::Refused => {
                self.coordinator.retry.reset();
                self.spoil(cause, true);
            }
            Verdict::Forgotten => {
                self.coordinator.retry.reset();
                self.forgotten(cause);
            }
            Verdict::FindOut | Verdict::Fatal => {
                self.end_life(Phase::Fatal(cause.into_fatal()));
            }
        }
    }

    /// The coordinator cannot even be looked for, for a reason that an abort should mend.
    fn spoil_or_end(&mut self, cause: Error, now: Instant) {
        match self.phase {
            Phase::Initializing => self.refuse_init(cause),
            Phase::InTransaction
            | Phase::Preparing
            | Phase::Abortable(_)
            | Phase::Ending(Direction::Commit, Step::Settling) => {
                self.coordinator.retry.later(now, &mut self.pace);
                self.spoil(cause, true);
            }
            Phase::Ending(Direction::Commit, Step::Asking | Step::FindingOut)
                if self.transaction.end_in_doubt =>
            {
                // T-64: no abort while the commit may have been applied.
                self.coordinator.retry.later(now, &mut self.pace);
            }
            Phase::Ending(Direction::Commit, Step::Asking | Step::FindingOut) => {
                self.commit_failed(cause, true);
            }
            // Abortable again would abort for ever.
            Phase::Ending(..) => self.end_life(Phase::Fatal(cause.into_fatal())),
            Phase::Uninitialized
            | Phase::Ready
            | Phase::Prepared
            | Phase::Fenced(_)
            | Phase::Fatal(_)
            | Phase::Closed => {}
        }
    }

    /// Whether partitions and offsets may still become part of a transaction that is to commit.
    pub(super) fn may_register(&self) -> bool {
        matches!(
            self.phase,
            Phase::InTransaction
                | Phase::Preparing
                | Phase::Ending(Direction::Commit, Step::Settling)
        )
    }

    /// T-50: one partition is to blame, the others only came along. Names all topics that were denied.
    fn partition_refused(
        &self,
        partition: &TopicPartition,
        code: ErrorCode,
        results: &[(TopicPartition, ErrorCode)],
    ) -> Error {
        let mut denied: Vec<&str> = results
            .iter()
            .filter(|(_, code)| *code == ErrorCode::TopicAuthorizationFailed)
            .map(|(partition, _)| partition.topic())
            .collect();
        denied.sort_unstable();
        denied.dedup();
        let message = (denied.len() > 1)
            .then(|| format!("no right to write to the topics {}", denied.join(", ")).into());
        Error::Broker {
            code,
            request: Api::AddPartitionsToTxn.key(),
            broker: self.coordinator.broker,
            topic: Some(Arc::clone(partition.topic_shared())),
            partition: Some(partition.partition()),
            message,
        }
    }

    pub(super) fn refused(&self, api: Api, code: ErrorCode) -> Error {
        Error::broker(code, api.key(), self.coordinator.broker)
    }

    pub(super) fn timed_out(&self) -> Error {
        said(
            ErrorCode::ProducerFenced,
            Api::EndTxn,
            self.coordinator.broker,
            "the coordinator aborted the transaction at its timeout",
        )
    }
}

impl Body {
    /// The rejection of a partition in a response that has none as a whole.
    fn partition_failure(&self, api: Api, broker: Option<i32>) -> Option<Error> {
        let (Self::AddPartitionsToTxn(Reply::Answered(results))
        | Self::TxnOffsetCommit(Reply::Answered(results))) = self
        else {
            return None;
        };
        let (partition, code) = first_error(results)?;
        let topic = Arc::clone(partition.topic_shared());
        let number = partition.partition();
        Some(Error::partition(*code, api.key(), broker, topic, number))
    }
}

/// The code to act on: the first one that is not merely "left out because of another" (T-50).
fn first_error(results: &[(TopicPartition, ErrorCode)]) -> Option<&(TopicPartition, ErrorCode)> {
    let refused = || results.iter().filter(|(_, code)| !code.is_none());
    refused()
        .find(|(_, code)| *code != ErrorCode::OperationNotAttempted)
        .or_else(|| refused().next())
}
