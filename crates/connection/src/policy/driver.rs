//! Sends a request until it is done, has failed for good, or its time is over.

use super::{Again, Repetition, Verdict, call_error};
use crate::clock;
use crate::cluster::{Answer, CallOptions, Cluster, Target};
use crate::error::{AmbiguousCause, CallError, NotSentCause};
use crate::metadata::TopicsWanted;
use milena_codec::ApiKey;
use milena_codec::message::Request;
use std::time::{Duration, Instant};

impl Cluster {
    /// A repetition until `deadline`, with `refresh_backoff`.
    #[must_use]
    pub fn repetition(&self, deadline: Instant) -> Repetition {
        Repetition::new(deadline, self.refresh_backoff(), self.draw_seed())
    }

    /// Sends a request until `judge` says that a response is good, or that repeating it cannot help; or
    /// until the repetition is over. A request that may have been carried out is only repeated if that is
    /// harmless ([`ApiKey::is_repeatable`](milena_codec::ApiKey::is_repeatable)).
    ///
    /// An attempt takes `request_timeout` at most, or less if `options` or the deadline say so.
    ///
    /// # Errors
    /// The error of the last attempt that has something to say.
    ///
    /// # Cancel safety
    /// Dropping the future does not take back a request that was sent.
    pub async fn repeat<R, T, E>(
        &self,
        repetition: &mut Repetition,
        target: &Target,
        options: CallOptions,
        request: &R,
        mut judge: impl FnMut(Answer<R::Response>) -> Verdict<T, E>,
    ) -> Result<T, E>
    where
        R: Request + Clone,
        E: From<CallError>,
    {
        let mut last = None;
        loop {
            let limit = options.timeout.unwrap_or_else(|| self.request_timeout());
            let timeout = Some(limit.min(repetition.remaining(clock::now())));
            let options = CallOptions { timeout, ..options };
            let (error, refresh, throttle) =
                match self.call(target.clone(), request.clone(), options).await {
                    Ok(answer) => match judge(answer) {
                        Verdict::Done(value) => return Ok(value),
                        Verdict::Failed(error) => return Err(error),
                        Verdict::Again {
                            error,
                            refresh,
                            throttle,
                        } => (error, refresh, throttle),
                    },
                    // The attempt ran out of time: what went wrong before says more, once all time is over.
                    Err(error)
                        if last.is_some()
                            && repetition.remaining(clock::now()).is_zero()
                            && ran_out(R::API, &error) =>
                    {
                        return Err(last.unwrap_or_else(|| error.into()));
                    }
                    Err(error) => match call_error(R::API, &error) {
                        Again::Yes { refresh } if !self.ends_the_call(&error) => {
                            (error.into(), refresh, Duration::ZERO)
                        }
                        Again::Yes { .. } | Again::No => return Err(error.into()),
                    },
                };
            let Some(next) = repetition.after_failure(clock::now(), throttle) else {
                return Err(error);
            };
            tracing::debug!(api = %R::API, "sent again after a pause");
            if refresh {
                self.rediscover(target, repetition.deadline()).await;
            }
            last = Some(error);
            clock::sleep_until(Some(next)).await;
        }
    }

    /// Forgets what the next attempt must not rely on: the leader, the coordinator, the controller.
    pub async fn rediscover(&self, target: &Target, deadline: Instant) {
        match target {
            Target::Any | Target::Broker(_) => {}
            Target::Controller => {
                let refresh = self.refresh(TopicsWanted::None);
                // That it failed shows in the next attempt.
                let _ = tokio::time::timeout_at(deadline.into(), refresh).await;
            }
            Target::Coordinator(kind, key) => self.forget_coordinator(*kind, key),
            Target::Leader { topic, .. } => self.mark_stale(topic),
        }
    }
}

fn ran_out(api: ApiKey, error: &CallError) -> bool {
    match error {
        CallError::NotSent {
            cause: NotSentCause::DeadlinePassed { last: None },
            ..
        } => true,
        CallError::Ambiguous {
            cause: AmbiguousCause::TimedOut { .. },
            ..
        } => api.is_repeatable(),
        CallError::Ambiguous { .. }
        | CallError::Broker { .. }
        | CallError::Malformed { .. }
        | CallError::NotSent { .. } => false,
    }
}
