//! How every admin call is sent, judged and repeated.
//!
//! A request takes part by implementing [`AdminRequest`], which says where its response reports errors. Everything else
//! (what a code means, whether the request may be repeated, how long) is decided in one place for all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use milena_codec::{ApiKey, ErrorCode};
use milena_connection::policy::{Again, rejection};
use milena_connection::{
    Answer, CallOptions, ConnectionKind, Repetition, Request, Target, Verdict,
};

use super::{Admin, OPERATION_TIMEOUT};
use crate::error::Error;
use crate::runtime::{after, now};

/// A request of the admin client. One that does not say where its errors are does not compile.
pub(super) trait AdminRequest: Request + Clone {
    /// The newest version to use; newer ones say the same in a way that is not needed.
    const VERSION_USED_MAX: Option<i16> = None;

    /// Where the response reports errors.
    fn errors(response: &Self::Response) -> Errors<'_>;

    /// How long the broker wants no further request, in milliseconds.
    fn throttle_ms(response: &Self::Response) -> i32;
}

/// Where a response reports errors.
pub(super) enum Errors<'a> {
    /// For each item: judged by [`Admin::ask_each`].
    PerItem,
    /// For the request as a whole: judged by [`Admin::ask`].
    Whole { code: i16, message: Option<&'a str> },
}

/// A response, and the broker that sent it.
pub(super) struct Answered<T> {
    pub(super) response: T,
    pub(super) broker: Option<i32>,
}

/// What a response says about one of several names.
pub(super) struct Item<T> {
    pub(super) name: String,
    pub(super) code: i16,
    pub(super) message: Option<String>,
    pub(super) value: T,
}

/// What the names of a request are.
#[derive(Clone, Copy)]
pub(super) enum Naming {
    Partition(i32),
    Topic,
    TransactionalId,
}

/// Several results, in the order of the names that were requested.
pub(super) type Each<T> = Vec<(String, Result<T, Error>)>;

impl Admin {
    /// The repetitions of one method.
    pub(super) fn repetition(&self) -> Repetition {
        self.cluster.repetition(after(now(), OPERATION_TIMEOUT))
    }

    /// One request and its response, repeated while it is rejected as a whole for the moment, or did not reach its
    /// broker.
    pub(super) async fn ask<R: AdminRequest>(
        &self,
        repetition: &mut Repetition,
        target: &Target,
        request: &R,
    ) -> Result<Answered<R::Response>, Error> {
        let options = CallOptions {
            kind: ConnectionKind::Admin,
            version_max: R::VERSION_USED_MAX,
            ..CallOptions::default()
        };
        let judge = |answer: Answer<R::Response>| judge_whole::<R>(answer);
        self.cluster
            .repeat(repetition, target, options, request, judge)
            .await
    }

    /// A request that names several things. Those that were rejected for the moment are requested again, without the
    /// others, until the repetition is over; one that is missing in the response has an error.
    pub(super) async fn ask_each<R: AdminRequest, T>(
        &self,
        repetition: &mut Repetition,
        target: &Target,
        naming: Naming,
        names: &[String],
        build: impl Fn(&[String]) -> R,
        read: impl Fn(R::Response) -> Vec<Item<T>>,
    ) -> Result<Each<T>, Error> {
        let mut results: HashMap<String, Result<T, Error>> = HashMap::new();
        let mut left = names.to_vec();
        loop {
            let request = build(&left);
            let Answered { response, broker } = match self.ask(repetition, target, &request).await {
                Ok(answered) => answered,
                Err(error) if results.is_empty() => return Err(error),
                // The names that are left have the errors of the attempt before.
                Err(_error) => break,
            };
            let throttle = throttle(R::throttle_ms(&response));
            let mut requested: HashSet<String> = left.into_iter().collect();
            let (mut again, mut stale) = (Vec::new(), false);
            for item in read(response) {
                if !requested.remove(&item.name) {
                    continue;
                }
                let code = ErrorCode::from(item.code);
                if let Again::Yes { refresh } = naming.again(R::API, code) {
                    again.push(item.name.clone());
                    stale |= refresh;
                }
                let result = match code.into_result() {
                    Ok(()) => Ok(item.value),
                    Err(code) => {
                        let message = item.message.as_deref();
                        Err(naming.error(R::API, broker, &item.name, code, message))
                    }
                };
                results.insert(item.name, result);
            }
            for name in requested {
                results.insert(name, Err(left_out(R::API, broker)));
            }
            if again.is_empty() {
                break;
            }
            let Some(next) = repetition.after_failure(now(), throttle) else {
                break;
            };
            if stale {
                self.cluster.rediscover(target, repetition.deadline()).await;
            }
            tokio::time::sleep_until(next.into()).await;
            left = again;
        }
        let each = names.iter().map(|name| {
            let result = results.remove(name);
            let result = result.unwrap_or_else(|| Err(left_out(R::API, None)));
            (name.clone(), result)
        });
        Ok(each.collect())
    }
}

impl Naming {
    /// Whether something is requested again that was rejected with this code.
    fn again(self, api: ApiKey, code: ErrorCode) -> Again {
        let is_unknown = matches!(
            code,
            ErrorCode::UnknownTopicId | ErrorCode::UnknownTopicOrPartition
        );
        match self {
            _ if code.is_none() => Again::No,
            // That there is no such topic is the result of a call that names it.
            Self::Topic if is_unknown => Again::No,
            Self::Partition(_) | Self::Topic | Self::TransactionalId => rejection(api, code),
        }
    }

    fn error(
        self,
        request: ApiKey,
        broker: Option<i32>,
        name: &str,
        code: ErrorCode,
        message: Option<&str>,
    ) -> Error {
        let (topic, partition) = match self {
            Self::Partition(partition) => (Some(name), Some(partition)),
            Self::Topic => (Some(name), None),
            Self::TransactionalId => (None, None),
        };
        Error::Broker {
            code,
            request,
            broker,
            topic: topic.filter(|topic| !topic.is_empty()).map(Into::into),
            partition,
            message: message.filter(|text| !text.is_empty()).map(Into::into),
        }
    }
}

fn judge_whole<R: AdminRequest>(
    answer: Answer<R::Response>,
) -> Verdict<Answered<R::Response>, Error> {
    let error = match R::errors(&answer.response) {
        Errors::PerItem => None,
        Errors::Whole { code, message } => {
            let code = ErrorCode::from(code);
            let rejected = code.into_result().is_err();
            rejected.then(|| {
                let message = message.filter(|text| !text.is_empty()).map(Into::into);
                let error = Error::Broker {
                    code,
                    request: R::API,
                    broker: answer.broker_id,
                    topic: None,
                    partition: None,
                    message,
                };
                (code, error)
            })
        }
    };
    let Some((code, error)) = error else {
        return Verdict::Done(Answered {
            response: answer.response,
            broker: answer.broker_id,
        });
    };
    match rejection(R::API, code) {
        Again::Yes { refresh } => Verdict::Again {
            error,
            refresh,
            throttle: throttle(R::throttle_ms(&answer.response)),
        },
        Again::No => Verdict::Failed(error),
    }
}

fn throttle(millis: i32) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// The response does not mention something that was requested.
pub(super) fn left_out(request: ApiKey, broker: Option<i32>) -> Error {
    let cause = std::io::Error::other("it leaves out a name that was requested");
    Error::Malformed {
        request,
        broker,
        cause: Arc::new(cause),
    }
}

/// The result of a call with one name.
pub(super) fn only<T>(each: Each<T>, request: ApiKey) -> Result<T, Error> {
    let first = each.into_iter().next();
    first.map_or_else(|| Err(left_out(request, None)), |(_, result)| result)
}
