//! One request, repeated for as long as that is harmless and may help.

use std::sync::Arc;
use std::time::{Duration, Instant};

use milena_codec::{ApiKey, ErrorCode};
use milena_connection::{CallOptions, ConnectionKind, Request, Target};

use super::{Admin, OPERATION_TIMEOUT};
use crate::error::Error;
use crate::runtime::now;

/// An answer, and who gave it.
pub(super) struct Answered<T> {
    pub(super) response: T,
    pub(super) broker: Option<i32>,
}

/// What is left of a method's time, and how long to pause.
pub(super) struct Attempts {
    started: Instant,
    pause: Duration,
    pause_max: Duration,
}

impl Admin {
    pub(super) fn attempts(&self) -> Attempts {
        Attempts {
            started: now(),
            pause: self.config.retry_backoff,
            pause_max: self.config.retry_backoff_max,
        }
    }

    /// One request and its answer, repeated while it did not get anywhere.
    pub(super) async fn ask<R>(
        &self,
        target: Target,
        request: R,
        attempts: &mut Attempts,
    ) -> Result<Answered<R::Response>, Error>
    where
        R: Request + Clone,
    {
        self.ask_up_to(i16::MAX, target, request, attempts).await
    }

    /// As [`ask`](Self::ask), in no newer version than this.
    pub(super) async fn ask_up_to<R>(
        &self,
        version_max: i16,
        target: Target,
        request: R,
        attempts: &mut Attempts,
    ) -> Result<Answered<R::Response>, Error>
    where
        R: Request + Clone,
    {
        loop {
            let options = CallOptions {
                kind: ConnectionKind::Admin,
                version_max: Some(version_max),
                ..CallOptions::default()
            };
            let error = match self
                .cluster
                .call(target.clone(), request.clone(), options)
                .await
            {
                Ok(answer) => {
                    return Ok(Answered {
                        response: answer.response,
                        broker: answer.broker_id,
                    });
                }
                Err(error) => Error::from(error),
            };
            // No broker was ever reached: a wrong address, which waiting does not mend.
            let unreached = matches!(error, Error::Transport { sent: false, .. });
            if unreached && self.cluster.snapshot().version() == 0 {
                return Err(error);
            }
            attempts.again_after(error).await?;
        }
    }
}

impl Attempts {
    /// Pauses if another attempt is harmless, may help and has time; gives the error back if not.
    pub(super) async fn again_after(&mut self, error: Error) -> Result<(), Error> {
        if !error.is_retriable()
            || now().saturating_duration_since(self.started) + self.pause > OPERATION_TIMEOUT
        {
            return Err(error);
        }
        tracing::debug!(%error, pause = ?self.pause, "asking again");
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(self.pause_max);
        Ok(())
    }
}

/// A broker's refusal that concerns one topic.
pub(super) fn refused(
    code: i16,
    request: ApiKey,
    broker: Option<i32>,
    topic: &str,
    message: Option<&str>,
) -> Result<(), Error> {
    let code = ErrorCode::from(code);
    if code.is_none() {
        return Ok(());
    }
    let topic: Option<Arc<str>> = (!topic.is_empty()).then(|| topic.into());
    let message = message.filter(|text| !text.is_empty()).map(Into::into);
    Err(Error::Broker {
        code,
        request,
        broker,
        topic,
        partition: None,
        message,
    })
}
