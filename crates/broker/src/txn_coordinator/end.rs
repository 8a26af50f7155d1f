//! EndTxn, and the ends that the coordinator decides on itself.

use super::{Transaction, TransactionState, TxnCoordinator};
use crate::Time;
use milena_codec::record::Marker;
use milena_codec::{ErrorCode, ProducerEpoch, ProducerId, ProducerIdentity};

/// What EndTxn asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndTxn<'a> {
    pub(crate) transactional_id: &'a str,
    pub(crate) producer: ProducerIdentity,
    pub(crate) marker: Marker,
    /// The client is of version 2 (EndTxn v5): the end bumps its epoch.
    pub(crate) bumps_epoch: bool,
}

/// What is to be done about an EndTxn.
enum Verdict {
    /// The answer to a repetition: the end it asks for is there.
    Done,
    /// Decide it now.
    Prepare(TransactionState),
}

impl TxnCoordinator {
    /// Ends the open transaction (T-52, T-53, T-64); returns the identity to go on with, none for a client of
    /// versions 0 and 1. Success means that the end is decided, not that it can be seen (T-60).
    ///
    /// # Errors
    /// [`ErrorCode::InvalidRequest`], [`ErrorCode::InvalidProducerIdMapping`],
    /// [`ErrorCode::ProducerFenced`], [`ErrorCode::ConcurrentTransactions`], [`ErrorCode::InvalidTxnState`].
    pub(crate) fn end(
        &mut self,
        request: &EndTxn<'_>,
        now: Time,
    ) -> Result<ProducerIdentity, ErrorCode> {
        let id = request.transactional_id;
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let Some(transaction) = self.transactions.get(id) else {
            return Err(ErrorCode::InvalidProducerIdMapping);
        };
        if !request.bumps_epoch {
            if let Verdict::Prepare(state) = transaction.judge_v1(request)? {
                self.prepare(id, state, false, now);
            }
            return Ok(ProducerIdentity::NONE);
        }
        transaction.check_settled()?;
        match transaction.judge_v2(request)? {
            Verdict::Done => Ok(transaction.producer()),
            Verdict::Prepare(state) => {
                self.prepare(id, state, true, now);
                let transaction = self.transactions.get(id);
                Ok(transaction.map_or(ProducerIdentity::NONE, Transaction::producer_after))
            }
        }
    }

    /// Aborts an open transaction whose owner is gone, or had its time, and fences that owner.
    pub(super) fn abort_and_fence(&mut self, id: &str, now: Time) -> Result<(), ErrorCode> {
        let bumps_epoch = self.transaction_version >= 2;
        let Some(transaction) = self.transactions.get_mut(id) else {
            return Err(ErrorCode::UnknownServerError);
        };
        if !bumps_epoch {
            // The end of versions 0 and 1 bumps nothing, so the epoch is taken here.
            transaction.epoch = raised(transaction.epoch);
            transaction.last_epoch = ProducerEpoch::NONE;
            if let Some(staged) = &mut transaction.staged {
                staged.producer_epoch = raised(staged.producer_epoch);
            }
        }
        self.prepare(id, TransactionState::PrepareAbort, bumps_epoch, now);
        Ok(())
    }

    fn prepare(&mut self, id: &str, state: TransactionState, bumps_epoch: bool, now: Time) {
        let client = self.transactions.get(id).map(Transaction::client);
        let rotates =
            bumps_epoch && client.is_some_and(|c| c.producer_epoch >= ProducerEpoch::EXHAUSTED);
        let rotated = rotates.then(|| self.fresh_producer_id());
        let Some((name, transaction)) = self.transactions.get_key_value(id) else {
            return;
        };
        let (name, mut transaction) = (name.clone(), transaction.clone());
        if bumps_epoch {
            transaction.last_epoch = transaction.epoch;
            transaction.epoch = raised(transaction.epoch);
        }
        if transaction.state != TransactionState::Ongoing {
            // Version 2 may abort what never began.
            transaction.started = Some(now);
        }
        transaction.next = transaction.client_after(rotated, bumps_epoch);
        transaction.bumps_epoch = bumps_epoch;
        transaction.enter(state, now);
        if transaction.partitions.is_empty() {
            transaction.complete(now);
        } else {
            let due = now + self.settings.marker_delay;
            transaction.markers_due = Some(due);
            self.due.insert((due, name.clone()));
        }
        self.transactions.insert(name, transaction);
    }
}

impl Transaction {
    /// Versions 0 and 1: the epoch must be the current one, and stays. An end that has been decided is
    /// repeated by the same request, which nothing tells from one for the next transaction (T-65).
    fn judge_v1(&self, request: &EndTxn<'_>) -> Result<Verdict, ErrorCode> {
        let client = self.client();
        if client.producer_id != request.producer.producer_id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if client.producer_epoch != request.producer.producer_epoch && !bug!(SkipFencing) {
            return Err(ErrorCode::ProducerFenced);
        }
        match (self.state, request.marker) {
            (TransactionState::Ongoing, marker) => Ok(Verdict::Prepare(prepared(marker))),
            (TransactionState::CompleteCommit, Marker::Commit)
            | (TransactionState::CompleteAbort, Marker::Abort) => Ok(Verdict::Done),
            (TransactionState::PrepareCommit | TransactionState::PrepareAbort, _) => {
                Err(ErrorCode::ConcurrentTransactions)
            }
            (
                TransactionState::Empty
                | TransactionState::CompleteCommit
                | TransactionState::CompleteAbort,
                Marker::Commit | Marker::Abort,
            ) => Err(ErrorCode::InvalidTxnState),
        }
    }

    /// Version 2: the end bumps the epoch, so a request with the epoch before is a repetition and one with
    /// the current epoch is about the next transaction.
    fn judge_v2(&self, request: &EndTxn<'_>) -> Result<Verdict, ErrorCode> {
        let ProducerIdentity {
            producer_id,
            producer_epoch: epoch,
        } = request.producer;
        let after_rotation = producer_id == self.previous_producer_id
            && epoch == ProducerEpoch::EXHAUSTED
            && self.epoch == ProducerEpoch::ZERO;
        if self.client().producer_id != producer_id && !after_rotation {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        let (repeated, current) = match self.staged {
            // The transaction's own epoch says nothing about the client's.
            Some(staged) => (false, staged.producer_epoch == epoch),
            None => {
                let repeated = after_rotation || self.epoch.0.checked_sub(1) == Some(epoch.0);
                (repeated, self.epoch == epoch)
            }
        };
        let current = current || bug!(SkipFencing);
        let ends_here = Ok(Verdict::Prepare(prepared(request.marker)));
        match (self.state, request.marker) {
            (TransactionState::Ongoing, _) if current => ends_here,
            (TransactionState::Empty, Marker::Abort) if current => ends_here,
            (TransactionState::Empty, Marker::Commit) if current => Err(ErrorCode::InvalidTxnState),
            (TransactionState::PrepareCommit | TransactionState::PrepareAbort, _) => {
                Err(ErrorCode::ConcurrentTransactions)
            }
            (TransactionState::CompleteCommit, Marker::Commit)
            | (TransactionState::CompleteAbort, Marker::Abort)
                if repeated =>
            {
                Ok(Verdict::Done)
            }
            (TransactionState::CompleteCommit | TransactionState::CompleteAbort, marker)
                if repeated || current =>
            {
                match marker {
                    Marker::Abort if current => ends_here,
                    Marker::Abort | Marker::Commit => Err(ErrorCode::InvalidTxnState),
                }
            }
            (
                TransactionState::Empty
                | TransactionState::Ongoing
                | TransactionState::CompleteCommit
                | TransactionState::CompleteAbort,
                Marker::Commit | Marker::Abort,
            ) => Err(ErrorCode::ProducerFenced),
        }
    }

    /// The identity that the client goes on with once the transaction under way has ended.
    fn producer_after(&self) -> ProducerIdentity {
        self.next.unwrap_or(self.producer())
    }

    /// The same as it is when the end is decided, unless it is the transaction's own producer id and epoch.
    fn client_after(
        &self,
        rotated: Option<ProducerId>,
        bumps_epoch: bool,
    ) -> Option<ProducerIdentity> {
        if let Some(fresh) = rotated {
            return Some(ProducerIdentity::new(fresh, ProducerEpoch::ZERO)); // P-63
        }
        let staged = self.staged?;
        Some(ProducerIdentity {
            producer_epoch: if bumps_epoch {
                raised(staged.producer_epoch)
            } else {
                staged.producer_epoch
            },
            ..staged
        })
    }

    /// The markers are written.
    pub(super) fn complete(&mut self, now: Time) {
        let complete = match self.state {
            TransactionState::PrepareCommit => TransactionState::CompleteCommit,
            TransactionState::PrepareAbort => TransactionState::CompleteAbort,
            TransactionState::Empty
            | TransactionState::Ongoing
            | TransactionState::CompleteCommit
            | TransactionState::CompleteAbort => return,
        };
        let (client, producer) = (self.client(), self.producer_after());
        self.enter(complete, now);
        self.previous_producer_id = client.producer_id;
        self.producer_id = producer.producer_id;
        self.epoch = producer.producer_epoch;
        self.next = None;
        self.staged = None;
        self.partitions.clear();
        self.markers_due = None;
    }
}

const fn raised(epoch: ProducerEpoch) -> ProducerEpoch {
    ProducerEpoch(epoch.0.saturating_add(1))
}

const fn prepared(marker: Marker) -> TransactionState {
    match marker {
        Marker::Commit => TransactionState::PrepareCommit,
        Marker::Abort => TransactionState::PrepareAbort,
    }
}
