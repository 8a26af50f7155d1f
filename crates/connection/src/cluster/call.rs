//! One request to one broker: whom to ask, in which version, over which connection.

use super::{Answer, CallOptions, Inner, Target};
use crate::coordinator::CoordinatorKind;
use crate::error::{AmbiguousCause, CallError, CallSite, NotSentCause};
use crate::link::{Connection, RawRequest};
use crate::metadata::TopicsWanted;
use crate::versions::ApiVersionRange;
use crate::{api_name, clock};
use milena_codec::message::{Request, decode_response, encode_request};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The smallest part of a request's time that its connection gets for the answer, however long the
/// lookups and the dial took: otherwise a slow dial would leave a connection that is given up as soon
/// as it is there.
const ANSWER_SHARE: u32 = 2;

impl Inner {
    pub(super) async fn call<R: Request>(
        self: &Arc<Self>,
        target: Target,
        options: CallOptions,
        build: impl FnOnce(i16) -> R,
    ) -> Result<Answer<R::Response>, CallError> {
        let started = clock::now();
        let timeout = options.timeout.unwrap_or(self.config.request_timeout);
        let deadline = self.deadline(Some(timeout));
        let site = || CallSite {
            api: api_name(R::KEY),
            broker_id: None,
            address: None,
            elapsed: clock::now().saturating_duration_since(started),
        };
        let not_sent = |cause| CallError::NotSent {
            site: site(),
            cause,
        };
        let route = self.route(target, options.lane, deadline);
        let connection = match tokio::time::timeout_at(deadline.into(), route).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                let mut at = site();
                at.broker_id = error.site().broker_id;
                at.address.clone_from(&error.site().address);
                return Err(error.before_sending(at));
            }
            Err(_elapsed) => return Err(not_sent(NotSentCause::DeadlinePassed)),
        };
        let site = || CallSite {
            broker_id: connection.broker_id(),
            address: Some(Arc::clone(connection.address())),
            ..site()
        };
        let not_sent = |cause| CallError::NotSent {
            site: site(),
            cause,
        };
        let version = negotiate::<R>(&connection, &options).map_err(not_sent)?;
        let mut body = Vec::new();
        encode_request(&mut body, &build(version), version).map_err(|error| {
            not_sent(NotSentCause::Encode {
                source: Arc::new(error),
            })
        })?;
        let remaining = deadline.saturating_duration_since(clock::now());
        let request = RawRequest {
            api_key: R::KEY,
            api_version: version,
            body: vec![body.into()],
            timeout: remaining.max(timeout / ANSWER_SHARE),
            expects_response: true,
        };
        let answer = submit(&connection, request, deadline)
            .await
            .map_err(not_sent)?;
        let body = if remaining < timeout / ANSWER_SHARE {
            match tokio::time::timeout_at(deadline.into(), answer).await {
                Ok(body) => body?,
                Err(_elapsed) => {
                    let cause = AmbiguousCause::TimedOut { timeout };
                    return Err(CallError::Ambiguous {
                        site: site(),
                        cause,
                    });
                }
            }
        } else {
            answer.await?
        };
        match decode_response::<R>(body, version, &self.config.limits) {
            Ok(response) => Ok(Answer {
                response,
                version,
                broker_id: connection.broker_id(),
                connection_id: connection.connection_id(),
            }),
            Err(error) => Err(CallError::Malformed {
                site: site(),
                source: Arc::new(error),
            }),
        }
    }

    async fn route(
        self: &Arc<Self>,
        target: Target,
        lane: super::Lane,
        deadline: Instant,
    ) -> Result<Connection, CallError> {
        let broker_id = match target {
            Target::Any => return self.any_connection().await,
            Target::Broker(broker_id) => broker_id,
            Target::Controller => self.controller().await?,
            Target::Coordinator(kind, key) => self.coordinator(kind, &key, deadline).await?,
            Target::Leader { topic, partition } => self.leader(&topic, partition)?,
        };
        self.connection(broker_id, lane).await
    }

    pub(super) async fn coordinator(
        self: &Arc<Self>,
        kind: CoordinatorKind,
        key: &str,
        deadline: Instant,
    ) -> Result<i32, CallError> {
        self.coordinators.find(kind, key, deadline).await
    }

    async fn controller(&self) -> Result<i32, CallError> {
        if let Some(controller_id) = self.metadata.snapshot().controller_id() {
            return Ok(controller_id);
        }
        let snapshot = self.metadata.refresh(TopicsWanted::None).await?;
        snapshot
            .controller_id()
            .ok_or_else(|| unrouted(NotSentCause::ControllerUnknown))
    }

    fn leader(&self, topic: &str, partition: i32) -> Result<i32, CallError> {
        let snapshot = self.metadata.snapshot();
        let known = snapshot.partition(topic, partition);
        known.and_then(|known| known.leader).ok_or_else(|| {
            self.metadata.mark_stale(topic);
            let code = known.and_then(|known| known.error);
            let code = code.or_else(|| snapshot.topic(topic).and_then(|topic| topic.error));
            let topic = topic.to_owned();
            unrouted(NotSentCause::LeaderUnknown {
                topic,
                partition,
                code,
            })
        })
    }
}

/// An error from before there was a broker.
fn unrouted(cause: NotSentCause) -> CallError {
    let site = CallSite {
        api: "Connect",
        broker_id: None,
        address: None,
        elapsed: Duration::ZERO,
    };
    CallError::NotSent { site, cause }
}

fn negotiate<R: Request>(
    connection: &Connection,
    options: &CallOptions,
) -> Result<i16, NotSentCause> {
    // The request's range: for some APIs that of the response is wider.
    let ours = ApiVersionRange {
        min: options
            .version_min
            .map_or(R::VERSIONS.min, |min| min.max(R::VERSIONS.min)),
        max: options
            .version_max
            .map_or(R::VERSIONS.max, |max| max.min(R::VERSIONS.max)),
    };
    let theirs = connection.versions().range(R::KEY);
    let common = theirs.and_then(|theirs| theirs.intersect(ours));
    common
        .map(|range| range.max)
        .ok_or(NotSentCause::NoCommonVersion { ours, theirs })
}

/// Hands over the request as soon as there is room for it on the connection.
async fn submit(
    connection: &Connection,
    request: RawRequest,
    deadline: Instant,
) -> Result<crate::link::ResponseFuture, NotSentCause> {
    loop {
        match connection.submit(request.clone()) {
            Ok(answer) => return Ok(answer),
            Err(crate::link::SubmitError::Full { .. }) => {
                let ready = tokio::time::timeout_at(deadline.into(), connection.ready());
                ready
                    .await
                    .map_err(|_elapsed| NotSentCause::DeadlinePassed)?;
            }
            Err(closed) => return Err(closed.into()),
        }
    }
}
