//! The state of the producer and its open transaction, as callers and the driver share it. Pure.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use crate::error::Error;
use crate::sync::lock;

#[derive(Debug, Default)]
pub(crate) struct Standing {
    ended: OnceLock<Error>,
    /// Why the open transaction can't be committed: a send that could not be taken (T-15).
    abortable: Mutex<Option<Error>>,
    /// Why the open transaction takes no more records: it can only be aborted (T-11).
    blocked: Mutex<Option<Error>>,
    /// There is something in `blocked`.
    is_blocked: AtomicBool,
    /// A transaction was dropped; its abort is wanted.
    abort_requested: AtomicBool,
    /// Why the last request to a coordinator did not succeed (L-30).
    trouble: Mutex<Option<Arc<Error>>>,
    /// Why the last attempt to deliver records did not succeed.
    delivery_trouble: Mutex<Option<Arc<Error>>>,
}

impl Standing {
    /// The error that closes the producer to everything; set before any caller is woken with it (L-8). The first counts.
    pub(crate) fn end(&self, reason: Error) {
        let _ = self.ended.set(reason);
    }

    pub(crate) fn ended(&self) -> Option<&Error> {
        self.ended.get()
    }

    /// The open transaction can only be aborted (T-15). The first reason is kept.
    pub(crate) fn mark_abortable(&self, reason: &Error) {
        lock(&self.abortable).get_or_insert_with(|| reason.clone());
        self.block(&reason.clone().into_abortable());
    }

    /// The open transaction takes no more records, for this reason (T-11); set before any caller is woken with
    /// it (L-8). The newest counts.
    pub(crate) fn block(&self, reason: &Error) {
        *lock(&self.blocked) = Some(reason.clone());
        self.is_blocked.store(true, Ordering::Release);
    }

    /// A transaction begins.
    pub(crate) fn unblock(&self) {
        self.is_blocked.store(false, Ordering::Release);
        *lock(&self.blocked) = None;
    }

    pub(crate) fn blocked(&self) -> Option<Error> {
        let is_blocked = self.is_blocked.load(Ordering::Acquire);
        is_blocked.then(|| lock(&self.blocked).clone()).flatten()
    }

    pub(crate) fn take_abortable(&self) -> Option<Error> {
        lock(&self.abortable).take()
    }

    /// What became of the last request to a coordinator: `None` if it succeeded.
    pub(crate) fn note_trouble(&self, trouble: Option<Error>) {
        *lock(&self.trouble) = trouble.map(Arc::new);
    }

    /// What became of the last attempt to deliver records: `None` if it succeeded.
    pub(crate) fn note_delivery_trouble(&self, trouble: Option<Arc<Error>>) {
        *lock(&self.delivery_trouble) = trouble;
    }

    /// What stands in the way of the records that wait.
    pub(crate) fn delivery_trouble(&self) -> Option<Arc<Error>> {
        lock(&self.delivery_trouble).clone()
    }

    pub(crate) fn trouble(&self) -> Option<Arc<Error>> {
        lock(&self.trouble).clone()
    }

    /// Requests the abort of the open transaction; never waits.
    pub(crate) fn request_abort(&self) {
        self.abort_requested.store(true, Ordering::Release);
    }

    pub(crate) fn take_abort_request(&self) -> bool {
        self.abort_requested.swap(false, Ordering::AcqRel)
    }
}

/// The error of calls on a producer that was closed.
pub(crate) fn closed() -> Error {
    Error::Closed {
        what: "the producer",
    }
}
