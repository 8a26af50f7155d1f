//! One request to one broker: whom to ask, in which version, over which connection.

use super::kind::{HandleId, Purpose};
use super::pool::SlotKey;
use super::{Answer, CallOptions, ConnectionKind, Inner, Target};
use crate::clock;
use crate::coordinator::CoordinatorKind;
use crate::error::{AmbiguousCause, CallError, CallSite, NotSentCause};
use crate::link::{Connection, RawRequest, ResponseFuture, SubmitError};
use crate::metadata::{MetadataSnapshot, TopicsWanted};
use crate::versions::ApiVersionRange;
use bytes::Bytes;
use milena_codec::ApiKey;
use milena_codec::message::{Request, decode_response, encode_request, stable_version_max};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The part of a request's time that lookups and the dial may take before the request's answer is
/// timed apart from the call.
const SLACK: u32 = 10;

/// One call: what it is about, and how long it may take.
struct Call {
    api: ApiKey,
    started: Instant,
    timeout: Duration,
    deadline: Instant,
}

impl Call {
    fn new(api: ApiKey, timeout: Duration) -> Self {
        let started = clock::now();
        let deadline = clock::after(started, timeout);
        Self {
            api,
            started,
            timeout,
            deadline,
        }
    }

    fn site(&self, connection: Option<&Connection>) -> CallSite {
        CallSite {
            api: Some(self.api),
            broker_id: connection.and_then(Connection::broker_id),
            address: connection.map(|connection| Arc::clone(connection.address())),
            elapsed: clock::now().saturating_duration_since(self.started),
        }
    }

    fn not_sent(&self, connection: &Connection, cause: NotSentCause) -> CallError {
        CallError::NotSent {
            site: self.site(Some(connection)),
            cause,
        }
    }
}

impl Inner {
    pub(super) async fn call<R: Request>(
        self: &Arc<Self>,
        handle: HandleId,
        target: Target,
        options: CallOptions,
        build: impl FnOnce(i16) -> R,
    ) -> Result<Answer<R::Response>, CallError> {
        let call = Call::new(
            R::API,
            options.timeout.unwrap_or(self.config.request_timeout),
        );
        let connection = self.routed(handle, target, options.kind, &call).await?;
        let version = negotiate::<R>(&connection, &options)
            .map_err(|cause| call.not_sent(&connection, cause))?;
        let mut body = Vec::new();
        if let Err(error) = encode_request(&mut body, &build(version), version) {
            let cause = NotSentCause::Encode {
                source: Arc::new(error),
            };
            return Err(call.not_sent(&connection, cause));
        }
        let request = RawRequest {
            api_key: R::KEY,
            api_version: version,
            body: vec![body.into()],
            timeout: self.config.request_timeout.max(call.timeout),
            expects_response: true,
        };
        let body = self.exchange(&connection, request, &call).await?;
        match decode_response::<R>(body, version, &self.config.limits) {
            Ok(response) => Ok(Answer {
                response,
                version,
                broker_id: connection.broker_id(),
                connection_id: connection.connection_id(),
            }),
            Err(error) => {
                let site = call.site(Some(&connection));
                Err(CallError::Malformed {
                    site,
                    source: Arc::new(error),
                })
            }
        }
    }

    /// Sends a request over a connection and waits for the answer, for as long as the call may take.
    ///
    /// The caller's time is not the connection's: a call that was given up early, such as a lookup that
    /// can be made elsewhere, leaves the connection to the others until `request_timeout` has passed.
    async fn exchange(
        &self,
        connection: &Connection,
        mut request: RawRequest,
        call: &Call,
    ) -> Result<Bytes, CallError> {
        let remaining = call.deadline.saturating_duration_since(clock::now());
        // Where both times are about the same they are the same, so that whoever is told that the time
        // has passed finds the connection closed already, and not about to close.
        let together = remaining >= request.timeout - request.timeout / SLACK;
        if together {
            request.timeout = remaining;
        }
        let answer = submit(connection, request, call.deadline)
            .await
            .map_err(|cause| call.not_sent(connection, cause))?;
        let result = if together {
            answer.await
        } else {
            match tokio::time::timeout_at(call.deadline.into(), answer).await {
                Ok(result) => result,
                Err(_elapsed) => {
                    self.note_silence(connection);
                    let cause = AmbiguousCause::TimedOut {
                        timeout: call.timeout,
                    };
                    let site = call.site(Some(connection));
                    return Err(CallError::Ambiguous { site, cause });
                }
            }
        };
        if result.is_ok() {
            self.note_answer(connection);
        }
        result
    }

    /// The connection for a target, within the time of the call.
    async fn routed(
        self: &Arc<Self>,
        handle: HandleId,
        target: Target,
        kind: ConnectionKind,
        call: &Call,
    ) -> Result<Connection, CallError> {
        let route = self.route(handle, target.clone(), kind, call.deadline);
        match tokio::time::timeout_at(call.deadline.into(), route).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => {
                let mut site = call.site(None);
                site.broker_id = error.site().broker_id;
                site.address.clone_from(&error.site().address);
                Err(error.before_sending(site))
            }
            Err(_elapsed) => {
                let last = self.trouble_with(&target, Purpose::new(kind, handle));
                let mut site = call.site(None);
                if let Some(error) = &last {
                    site.broker_id = error.site().broker_id;
                    site.address.clone_from(&error.site().address);
                }
                let last = last.map(Box::new);
                let cause = NotSentCause::DeadlinePassed { last };
                Err(CallError::NotSent { site, cause })
            }
        }
    }

    async fn route(
        self: &Arc<Self>,
        handle: HandleId,
        target: Target,
        kind: ConnectionKind,
        deadline: Instant,
    ) -> Result<Connection, CallError> {
        let broker_id = match target {
            Target::Any => return self.any_connection(deadline).await,
            Target::Broker(broker_id) => broker_id,
            Target::Controller => self.controller().await?,
            Target::Coordinator(kind, key) => self.coordinator(kind, &key, deadline).await?,
            Target::Leader { topic, partition } => self.leader(handle, &topic, partition).await?,
        };
        self.connection(broker_id, Purpose::new(kind, handle)).await
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
        let snapshot = self
            .metadata
            .refresh(HandleId::SHARED, TopicsWanted::None)
            .await?;
        snapshot
            .controller_id()
            .ok_or_else(|| unrouted(NotSentCause::ControllerUnknown))
    }

    /// The leader of a partition. That none is known may be old news, so it is looked up again, once.
    async fn leader(
        &self,
        handle: HandleId,
        topic: &Arc<str>,
        partition: i32,
    ) -> Result<i32, CallError> {
        let leader = |snapshot: &MetadataSnapshot| {
            let known = snapshot.partition(topic, partition)?;
            known.leader
        };
        if let Some(leader) = leader(&self.metadata.snapshot()) {
            return Ok(leader);
        }
        let wanted = TopicsWanted::Named(vec![Arc::clone(topic)]);
        let snapshot = self.metadata.refresh(handle, wanted).await?;
        leader(&snapshot).ok_or_else(|| {
            let known = snapshot.partition(topic, partition);
            let code = known.and_then(|known| known.error);
            let code = code.or_else(|| snapshot.topic(topic).and_then(|topic| topic.error));
            unrouted(NotSentCause::LeaderUnknown {
                topic: topic.to_string(),
                partition,
                code,
            })
        })
    }

    /// What stands in the way of a request to this target, where something is known to.
    fn trouble_with(&self, target: &Target, purpose: Purpose) -> Option<CallError> {
        let snapshot = self.metadata.snapshot();
        let (broker_id, lookup) = match target {
            Target::Any => (None, None),
            Target::Broker(broker_id) => (Some(*broker_id), None),
            Target::Controller => (snapshot.controller_id(), None),
            Target::Coordinator(kind, key) => self.coordinators.trouble(*kind, key),
            Target::Leader { topic, partition } => {
                let known = snapshot.partition(topic, *partition);
                (known.and_then(|known| known.leader), None)
            }
        };
        let connecting = broker_id.and_then(|id| self.slot_failure(SlotKey::Broker(id, purpose)));
        connecting.or(lookup).or_else(|| self.metadata.trouble())
    }
}

/// An error from before there was a broker.
fn unrouted(cause: NotSentCause) -> CallError {
    let site = CallSite {
        api: None,
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
    // A version that may still change is for those who ask for it by its number.
    let ours = ApiVersionRange {
        min: options
            .version_min
            .map_or(R::VERSION_MIN, |min| min.max(R::VERSION_MIN)),
        max: options
            .version_max
            .map_or_else(stable_version_max::<R>, |max| max.min(R::VERSION_MAX)),
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
) -> Result<ResponseFuture, NotSentCause> {
    loop {
        match connection.submit(request.clone()) {
            Ok(answer) => return Ok(answer),
            Err(SubmitError::Full { .. }) => {
                let ready = tokio::time::timeout_at(deadline.into(), connection.ready());
                ready
                    .await
                    .map_err(|_elapsed| NotSentCause::DeadlinePassed { last: None })?;
            }
            Err(closed) => return Err(closed.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_may_take_for_ever_is_not_over_at_once() {
        let call = Call::new(ApiKey::Metadata, Duration::MAX);
        assert!(call.deadline > call.started + Duration::from_secs(3_600));
    }
}
