//! [`OwnedTransaction`]: the open transaction, in whichever hands it is.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{LastTransaction, ask, end};
use crate::error::Error;
use crate::producer::handle::Core;
use crate::producer::{Delivery, Record};
use crate::transaction::session::Request;
use crate::types::{GroupMetadata, OffsetToCommit};

/// An open transaction that does not borrow its producer, from
/// [`TransactionalProducer::begin_owned`](crate::TransactionalProducer::begin_owned). Dropping it queues its abort and
/// does not wait.
///
/// Keep the producer: only it begins the next transaction, and only its
/// [`outcome`](crate::TransactionalProducer::outcome) returns how a commit of unknown outcome ended. A producer that
/// is dropped while its transaction is open stays alive until that has ended.
#[derive(Debug)]
#[must_use = "a transaction that is dropped is aborted"]
pub struct OwnedTransaction {
    pub(super) core: Arc<Core>,
    last: Arc<LastTransaction>,
    number: u64,
    /// Its end was requested, so that dropping it requests no abort.
    pub(super) ended: bool,
}

impl OwnedTransaction {
    pub(super) fn new(core: Arc<Core>, last: Arc<LastTransaction>, number: u64) -> Self {
        last.is_open.store(true, Ordering::Release);
        Self {
            core,
            last,
            number,
            ended: false,
        }
    }

    /// Queues a record as part of this transaction.
    ///
    /// # Errors
    ///
    /// As [`Transaction::send`](crate::Transaction::send).
    ///
    /// # Cancel safety
    ///
    /// As [`Transaction::send`](crate::Transaction::send).
    pub async fn send(&self, record: Record<'_>) -> Result<Delivery, Error> {
        self.core
            .send(&record, self.number)
            .await
            .inspect_err(|error| self.core.shared.mark_abortable(error))
    }

    /// Makes consumed offsets part of this transaction: they count as committed exactly if it commits.
    ///
    /// # Errors
    ///
    /// As [`Transaction::send_offsets`](crate::Transaction::send_offsets).
    ///
    /// # Cancel safety
    ///
    /// As [`Transaction::send_offsets`](crate::Transaction::send_offsets).
    pub async fn send_offsets(
        &self,
        offsets: Vec<OffsetToCommit>,
        group: GroupMetadata,
    ) -> Result<(), Error> {
        let command = ask(|done| Request::SendOffsets {
            offsets,
            group,
            done,
        });
        let outcome = self.core.ask_in_time(command).await;
        outcome.map_err(|late| late.unknown_if_asked("adding offsets to the transaction"))?
    }

    /// Waits until the outcome of every record sent before is known, without ending the transaction.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn flush(&self) {
        self.core.flush().await;
    }

    /// Commits: waits until all of it was appended and its commit is durable at the coordinator, at most `max_block`.
    ///
    /// # Errors
    ///
    /// As [`Transaction::commit`](crate::Transaction::commit).
    ///
    /// # Cancel safety
    ///
    /// As [`Transaction::commit`](crate::Transaction::commit).
    pub async fn commit(mut self) -> Result<(), Error> {
        let Self {
            core, last, ended, ..
        } = &mut self;
        end(core, last, Request::Commit, "the commit", ended).await
    }

    /// Aborts: what was not sent yet is dropped, what is on the wire is awaited, nothing becomes visible.
    ///
    /// # Errors
    ///
    /// As [`Transaction::abort`](crate::Transaction::abort).
    ///
    /// # Cancel safety
    ///
    /// As [`Transaction::abort`](crate::Transaction::abort).
    pub async fn abort(mut self) -> Result<(), Error> {
        let Self {
            core, last, ended, ..
        } = &mut self;
        end(core, last, Request::Abort, "the abort", ended).await
    }
}

impl Drop for OwnedTransaction {
    fn drop(&mut self) {
        if !self.ended {
            self.core.shared.request_abort();
        }
        // After the request: the next transaction is begun behind it.
        self.last.is_open.store(false, Ordering::Release);
    }
}
