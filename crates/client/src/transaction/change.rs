//! Changes of state that several inputs lead to.

use std::sync::Arc;

use milena_codec::ProducerIdentity;

use super::causes::{in_words, outcome_unknown};
use super::machine::TransactionMachine;
use super::request::{Api, Event};
use super::state::{Direction, Operation, Phase, Step};
use super::version::TransactionVersion;
use crate::error::Error;

impl TransactionMachine {
    /// The transaction can only be aborted from here on (T-38, L-6), or is being aborted already.
    ///
    /// `raise`: the epoch is raised afterwards, so that nothing of the spoilt transaction can reach a
    /// later one (T-80). Under the second protocol its end does that.
    pub(super) fn spoil(&mut self, cause: Error, raise: bool) {
        match &self.phase {
            Phase::InTransaction
            | Phase::Preparing
            | Phase::Abortable(_)
            | Phase::Ending(Direction::Commit, Step::Settling) => {}
            // An abort mends whatever it is; what is in doubt is noted in the transaction.
            Phase::Ending(..)
            | Phase::Uninitialized
            | Phase::Initializing
            | Phase::Ready
            | Phase::Prepared
            | Phase::Fenced(_)
            | Phase::Fatal(_)
            | Phase::Closed => return,
        }
        let must_raise = self.version == TransactionVersion::One && raise;
        if must_raise && self.facts.can_raise_epoch() {
            self.transaction.raise_epoch = true;
        } else if must_raise && self.transaction.batch_in_doubt {
            return self.end_life(Phase::Fatal(cause.into_fatal())); // T-83
        }
        let error = cause.into_abortable();
        let was_abortable = matches!(self.phase, Phase::Abortable(_));
        self.phase = Phase::Abortable(error.clone());
        self.drop_unsent(&error);
        if !was_abortable {
            self.push(Event::Abortable(error.clone()));
            self.push(Event::FailUndrained(error.clone()));
        }
        self.end_operation(Operation::Prepare, Err(error.clone()));
        self.end_operation(Operation::Commit, Err(error));
        if self.closing {
            self.begin_abort();
        }
    }

    /// The coordinator has forgotten the transactional id, or knows it under another producer id (T-73). Either way
    /// nothing of the open transaction is to be ended there. After the abort an InitProducerId with the old
    /// identity takes the id again, or is rejected because a newer producer has it: it does not steal it (T-44).
    pub(super) fn forgotten(&mut self, cause: Error) {
        let cause = in_words(cause);
        if self.facts.can_raise_epoch() {
            self.transaction.raise_epoch = true;
            self.spoil(cause, true);
        } else {
            self.end_life(Phase::Fatal(cause.into_fatal()));
        }
    }

    /// A newer producer has the id.
    ///
    /// Or its own late InitProducerId has, which nothing tells apart: the old identity is rejected after it, and to
    /// ask without an identity would take the id from a newer producer if there is one (T-44). The cause says so.
    pub(super) fn fence(&mut self, mut cause: Error) {
        if let (true, Error::Broker { message, .. }) = (self.init_in_doubt, &mut cause) {
            let own = "a request of this producer itself, an InitProducerId that had no response, may have been applied \
                       late; if there is no other producer with the transactional id, start again";
            let text = match message.as_deref() {
                Some(before) => format!("{before}; or {own}"),
                None => own.to_owned(),
            };
            *message = Some(text.into());
        }
        self.end_life(Phase::Fenced(Error::Fenced {
            transactional_id: Arc::clone(&self.config.transactional_id),
            cause: Some(Arc::new(cause)),
        }));
    }

    /// Enters a terminal state, before anyone is told (L-8).
    pub(super) fn end_life(&mut self, terminal: Phase) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        let was = std::mem::replace(&mut self.phase, terminal);
        let Some(error) = self.stored_error() else {
            return;
        };
        self.drop_unsent(&error);
        let in_doubt =
            self.transaction.end_in_doubt || self.coordinator.is_waiting_for(Api::EndTxn);
        let outcome = match was {
            // It had ended; what failed came after.
            Phase::Ending(_, Step::RaisingEpoch) => Ok(()),
            Phase::Ending(Direction::Commit, _) if in_doubt => Err(outcome_unknown(error.clone())),
            Phase::Uninitialized
            | Phase::Initializing
            | Phase::Ready
            | Phase::InTransaction
            | Phase::Preparing
            | Phase::Prepared
            | Phase::Abortable(_)
            | Phase::Ending(..)
            | Phase::Fenced(_)
            | Phase::Fatal(_)
            | Phase::Closed => Err(error.clone()),
        };
        if let Some(operation) = self.pending.as_ref().map(|pending| pending.operation) {
            self.end_operation(operation, outcome);
        }
        let is_closed = matches!(self.phase, Phase::Closed);
        if !is_closed {
            self.push(Event::Fatal(error));
        }
        if is_closed || self.closing {
            self.push(Event::Closed);
        }
    }

    /// Goes on under `identity`; its sequences start at 0 (T-43, T-61, P-64).
    pub(super) fn adopt(&mut self, identity: ProducerIdentity) {
        self.identity = identity;
        self.epoch_used = false;
        self.push(Event::IdentityChanged(identity));
    }

    /// The outcome of `operation` is known. Told once; the first outcome stands.
    pub(super) fn end_operation(&mut self, operation: Operation, outcome: Result<(), Error>) {
        let Some(pending) = &mut self.pending else {
            return;
        };
        if pending.operation != operation || pending.outcome.is_some() {
            return;
        }
        if pending.owned {
            pending.outcome = Some(outcome);
            self.push(Event::OperationEnded(operation));
        } else {
            self.pending = None;
        }
    }

    pub(super) fn end_offsets(&mut self, outcome: Result<(), Error>) {
        self.transaction.offsets = None;
        self.offsets_outcome = Some(outcome);
        self.push(Event::OperationEnded(Operation::SendOffsets));
    }

    /// Forgets the requests of the transaction that have not been sent (T-36).
    pub(super) fn drop_unsent(&mut self, error: &Error) {
        if self.transaction.offsets.is_some() {
            self.end_offsets(Err(error.clone()));
        }
        self.transaction.to_add.clear();
    }

    pub(super) fn push(&mut self, event: Event) {
        self.events.push_back(event);
    }
}
