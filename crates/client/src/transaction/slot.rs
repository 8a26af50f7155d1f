//! The one request outstanding at a coordinator (T-30), and what became of the attempts at it.

use std::time::Instant;

use super::request::Api;
use super::retry::{Pace, Retry};
use crate::error::Error;

/// The requests to one coordinator: at most one is outstanding.
#[derive(Debug, Default)]
pub(super) struct RequestSlot {
    /// The coordinator's broker id; `None` until it is found, and again when it was lost.
    pub(super) broker: Option<i32>,
    outstanding: Option<(Api, Instant)>,
    pub(super) retry: Retry,
    /// Why the last attempt did not succeed, and when that was known; `None` once one succeeds.
    failure: Option<(Instant, Error)>,
}

impl RequestSlot {
    pub(super) fn is_free(&self) -> bool {
        self.outstanding.is_none()
    }

    pub(super) fn sent(&mut self, api: Api, now: Instant) {
        self.outstanding = Some((api, now));
    }

    #[cfg(test)]
    pub(super) fn outstanding(&self) -> Option<Api> {
        self.outstanding.map(|(api, _)| api)
    }

    pub(super) fn is_waiting_for(&self, api: Api) -> bool {
        self.outstanding.is_some_and(|(waiting, _)| waiting == api)
    }

    /// Frees the slot if `api` is the request that waits for a response, with the moment it was sent. A response
    /// to a request that is no longer waited for changes nothing.
    pub(super) fn responded(&mut self, api: Api) -> Option<Instant> {
        self.outstanding
            .take_if(|(waiting, _)| *waiting == api)
            .map(|(_, sent_at)| sent_at)
    }

    /// Keeps why the outstanding request did not succeed. That its coordinator was found is not yet a success of
    /// what is to be asked there, so the failure before is kept.
    pub(super) fn note(&mut self, api: Api, failure: Option<&Error>, now: Instant) {
        if !self.is_waiting_for(api) {
            return;
        }
        match failure {
            Some(failure) => self.failure = Some((now, failure.clone())),
            None if api == Api::FindCoordinator => {}
            None => self.failure = None,
        }
    }

    /// The last failure, if no attempt has succeeded since.
    pub(super) fn failure(&self) -> Option<&(Instant, Error)> {
        self.failure.as_ref()
    }

    /// The coordinator must be found anew before the next attempt (T-21).
    pub(super) fn lose_broker(&mut self, now: Instant, pace: &mut Pace) {
        self.broker = None;
        self.retry.later(now, pace);
    }

    /// Another request takes the place of the one that did not succeed.
    pub(super) fn forget_failure(&mut self) {
        self.failure = None;
    }
}
