//! Getting a producer id without a transactional id: P-10 to P-12. Pure.

use std::time::{Duration, Instant};

use milena_codec::ErrorCode;

/// How an InitProducerId request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InitOutcome {
    Code(ErrorCode),
    /// No broker could be asked, or none responded: another request costs at most an unused producer id.
    NoResponse,
    /// No broker speaks a version of it that we do.
    Unsupported,
}

/// What a response means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InitVerdict {
    Granted,
    /// Ask again, any broker.
    Retry,
    /// What waits to be sent fails; a later send may succeed once the ACLs allow it.
    Rejected(ErrorCode),
    /// The producer is unusable.
    Fatal(ErrorCode),
}

/// When to ask for a producer id.
#[derive(Debug)]
pub(crate) struct ProducerIdRequester {
    asked: bool,
    not_before: Option<Instant>,
    failures: u32,
    backoff: Duration,
    backoff_max: Duration,
}

impl ProducerIdRequester {
    pub(crate) fn new(backoff: Duration, backoff_max: Duration) -> Self {
        Self {
            asked: false,
            not_before: None,
            failures: 0,
            backoff,
            backoff_max,
        }
    }

    /// Call when an identity is wanted: true when the request must go out now.
    pub(crate) fn poll(&mut self, now: Instant) -> bool {
        let due = !self.asked && self.not_before.is_none_or(|at| at <= now);
        self.asked |= due;
        due
    }

    /// When `poll` may next be true without a response.
    pub(crate) fn wait_until(&self) -> Option<Instant> {
        self.not_before.filter(|_| !self.asked)
    }

    pub(crate) fn handle(&mut self, now: Instant, response: InitOutcome) -> InitVerdict {
        self.asked = false;
        let verdict = verdict(response);
        if verdict == InitVerdict::Granted {
            self.failures = 0;
            self.not_before = None;
        } else {
            let delay = self.backoff.saturating_mul(1 << self.failures.min(16));
            self.failures = self.failures.saturating_add(1);
            self.not_before = Some(now + delay.min(self.backoff_max));
        }
        verdict
    }
}

/// P-12.
fn verdict(response: InitOutcome) -> InitVerdict {
    let code = match response {
        InitOutcome::Code(ErrorCode::None) => return InitVerdict::Granted,
        InitOutcome::NoResponse => return InitVerdict::Retry,
        InitOutcome::Unsupported => ErrorCode::UnsupportedVersion,
        InitOutcome::Code(code) => code,
    };
    if code == ErrorCode::ClusterAuthorizationFailed {
        InitVerdict::Rejected(code)
    } else if crate::error::recovery_of(code).is_retriable() {
        InitVerdict::Retry
    } else {
        InitVerdict::Fatal(code)
    }
}

#[cfg(test)]
mod tests;
