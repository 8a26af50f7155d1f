//! One policy for every request that is repeated: send, judge, refresh or rediscover, wait, send again, until the deadline
//! of what it serves; without any IO.
//!
//! ```text
//!            send            response or error      judge
//!  ready ───────────> sent ─────────────────────────────> done: the value
//!    ^                                                  ├─> failed: the error, at once
//!    │   the wait is over    after_failure: a time      │
//!    └───────────────────── waiting <───────────────────┴─> again, if that is before the deadline;
//!                                                           otherwise the last error
//! ```
//! [`Repetition`] knows how long to wait and when to stop. [`call_error`] judges a request without a
//! response; a response is the caller's to judge, by [`crate::judge`]. [`crate::Cluster::repeat`]
//! does the waiting. A machine with requests of its own (a transaction, a partition's sender) uses
//! [`Backoff`] and the judgements alone.

mod driver;

use crate::backoff::Backoff;
use crate::error::{CallError, NotSentCause};
use crate::judgement::{Class, judge};
use milena_codec::{ApiKey, ErrorCode};
use std::time::{Duration, Instant};

/// How often and until when one request is repeated. One value serves one call of the application, however many requests
/// that makes.
#[derive(Debug)]
pub struct Repetition {
    deadline: Instant,
    backoff: Backoff,
    attempts: u32,
    random: fastrand::Rng,
}

impl Repetition {
    /// Repeats until `deadline`, with these waits. The seed decides the jitter.
    #[must_use]
    pub fn new(deadline: Instant, backoff: Backoff, seed: u64) -> Self {
        Self {
            deadline,
            backoff,
            attempts: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// When it ends.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How much time is left at `now`.
    #[must_use]
    pub fn remaining(&self, now: Instant) -> Duration {
        self.deadline.saturating_duration_since(now)
    }

    /// An attempt failed at `now`, in a way that may pass. Returns when to send the next one, not before the broker's
    /// `throttle` time is over; `None` if too little time would be left for it, so that the failure is
    /// final: an attempt that cannot get its response would only make an outcome unknown.
    pub fn after_failure(&mut self, now: Instant, throttle: Duration) -> Option<Instant> {
        self.attempts = self.attempts.saturating_add(1);
        let wait = self.backoff.delay(self.attempts, &mut self.random);
        let next = now.checked_add(wait.max(throttle))?;
        let last = self.deadline.checked_sub(self.backoff.initial)?;
        (next <= last).then_some(next)
    }

    /// Something was achieved: the next failure waits as briefly as the first.
    pub fn on_progress(&mut self) {
        self.attempts = 0;
    }
}

/// What one attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<T, E> {
    /// Not now. The error is the caller's if time runs out.
    Again {
        /// Why not.
        error: E,
        /// Whether the target has to be rediscovered first.
        refresh: bool,
        /// How long the broker wants to be left alone.
        throttle: Duration,
    },
    /// This.
    Done(T),
    /// Not now and not later.
    Failed(E),
}

/// Whether a request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Again {
    /// No: it cannot help, or it may do harm.
    No,
    /// Yes.
    Yes {
        /// Whether the target has to be rediscovered first.
        refresh: bool,
    },
}

/// Whether a request of `api` may be sent again that a broker rejected with `code`.
#[must_use]
pub fn rejection(api: ApiKey, code: ErrorCode) -> Again {
    let judgement = judge(code);
    if judgement.may_repeat(api) {
        let refresh = judgement.refreshes();
        Again::Yes { refresh }
    } else {
        Again::No
    }
}

/// Whether a request of `api` may be sent again that has no good response.
#[must_use]
pub fn call_error(api: ApiKey, error: &CallError) -> Again {
    if error.is_unrecoverable() {
        return Again::No;
    }
    match error {
        CallError::Broker { code, .. } => rejection(api, *code),
        CallError::Ambiguous { .. } if api.is_repeatable() => Again::Yes { refresh: true },
        // It would be read the same way once more.
        CallError::Ambiguous { .. } | CallError::Malformed { .. } => Again::No,
        CallError::NotSent { cause, .. } => not_sent(cause),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else was in the way, nothing was sent and the next attempt looks anew"
)]
fn not_sent(cause: &NotSentCause) -> Again {
    let code = match cause {
        NotSentCause::Lookup { source } => source.code(),
        NotSentCause::LeaderUnknown { code, .. } | NotSentCause::TopicUnknown { code, .. } => *code,
        _ => None,
    };
    match code.map(|code| judge(code).class) {
        Some(Class::Retry | Class::RefreshAndRetry) | None => Again::Yes { refresh: true },
        Some(
            Class::AbortTransaction
            | Class::FixConfiguration
            | Class::GiveUp
            | Class::OutcomeUnknown
            | Class::Recreate,
        ) => Again::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{AmbiguousCause, CallSite};

    fn repetition(now: Instant) -> Repetition {
        let backoff = Backoff {
            initial: Duration::from_millis(100),
            jitter: 0.0,
            ..Backoff::default()
        };
        Repetition::new(now + Duration::from_secs(3), backoff, 1)
    }

    fn site() -> CallSite {
        CallSite {
            api: Some(ApiKey::EndTxn),
            broker_id: Some(1),
            address: None,
            elapsed: Duration::ZERO,
        }
    }

    #[test]
    fn attempts_wait_ever_longer_and_end_before_the_deadline() {
        let started = Instant::now();
        let (mut repetition, mut now) = (repetition(started), started);
        let mut waits = Vec::new();
        while let Some(next) = repetition.after_failure(now, Duration::ZERO) {
            waits.push((next - now).as_millis());
            now = next;
        }
        assert_eq!(waits, [100, 200, 400, 800, 1000]);
        assert!(now < started + Duration::from_secs(3));
    }

    #[test]
    fn a_throttled_request_waits_for_the_brokers_time_too() {
        let now = Instant::now();
        let mut repetition = repetition(now);
        let throttle = Duration::from_millis(1_500);
        assert_eq!(
            repetition.after_failure(now, throttle),
            Some(now + throttle)
        );
        // Longer than there is time for: the rejection is the result, at once.
        assert_eq!(repetition.after_failure(now, 2 * throttle), None);
    }

    #[test]
    fn progress_makes_the_next_wait_short_again() {
        let now = Instant::now();
        let mut repetition = repetition(now);
        for _ in 0..4 {
            repetition.after_failure(now, Duration::ZERO);
        }
        repetition.on_progress();
        let next = repetition.after_failure(now, Duration::ZERO).unwrap();
        assert_eq!(next - now, Duration::from_millis(100));
    }

    #[test]
    fn a_change_without_a_response_is_never_repeated_and_a_lookup_is() {
        let unanswered = CallError::Ambiguous {
            site: site(),
            cause: AmbiguousCause::TimedOut {
                timeout: Duration::from_secs(30),
            },
        };
        for api in ApiKey::ALL {
            let again = call_error(*api, &unanswered) != Again::No;
            assert_eq!(again, api.is_repeatable(), "{api}");
        }
    }

    #[test]
    fn what_was_never_sent_is_repeated_unless_a_lookup_was_rejected_for_good() {
        let not_sent = |cause| {
            let site = site();
            call_error(ApiKey::EndTxn, &CallError::NotSent { site, cause })
        };
        let lookup = |code| NotSentCause::Lookup {
            source: Box::new(CallError::Broker {
                site: site(),
                code,
                message: None,
            }),
        };
        let yes = Again::Yes { refresh: true };
        assert_eq!(not_sent(NotSentCause::DeadlinePassed { last: None }), yes);
        assert_eq!(not_sent(lookup(ErrorCode::CoordinatorNotAvailable)), yes);
        let denied = ErrorCode::TransactionalIdAuthorizationFailed;
        assert_eq!(not_sent(lookup(denied)), Again::No);
        assert_eq!(not_sent(NotSentCause::ClusterClosed), Again::No);
    }

    #[test]
    fn a_rejection_is_repeated_as_its_judgement_says_for_every_code_and_api() {
        for api in ApiKey::ALL {
            for code in ErrorCode::ALL {
                let again = rejection(*api, *code) != Again::No;
                assert_eq!(again, judge(*code).may_repeat(*api), "{api} {code}");
                if again && !api.is_repeatable() {
                    assert!(!judge(*code).maybe_applied, "{api} {code}");
                }
            }
        }
    }
}
