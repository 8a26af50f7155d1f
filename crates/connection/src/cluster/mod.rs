//! A handle of a cluster: whom to ask, and the connections to ask over.

mod call;
mod dial;
mod inner;
mod kind;
mod pool;

use crate::config::{ClusterConfig, ConfigError};
use crate::coordinator::{CoordinatorKind, machine::read_response};
use crate::error::{CallError, CallSite, NotSentCause};
use crate::judgement::{Class, judge};
use crate::link::Connection;
use crate::link::handshake::Handshake;
use crate::metadata::{
    LeaderHint, MetadataSnapshot, TopicMetadata, TopicsWanted, machine::VERSION_MIN,
};
use crate::transport::{Connector, PauseFuture};
use crate::versions::{ApiVersionRange, ApiVersions, FinalizedFeatures};
use crate::{BrokerAddress, clock, coordinator, lock};
use inner::Inner;
use kafka_protocol::messages::MetadataResponse;
use kind::Purpose;
use milena_codec::message::Request;
use milena_codec::{ApiKey, ErrorCode};
use pool::SlotKey;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

pub use kind::ConnectionKind;
pub(crate) use kind::HandleId;

/// Whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Any broker.
    Any,
    /// The broker of this id.
    Broker(i32),
    /// The controller, or the broker that forwards to it.
    Controller,
    /// The coordinator of a group or transactional id.
    Coordinator(CoordinatorKind, Arc<str>),
    /// The leader of a partition.
    Leader {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
    },
}

/// How to ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    /// How long the call may take, lookups and dialling included; `request_timeout` by default. With
    /// less the caller gives up early, but not the connection: that is given up when a request went
    /// unanswered for `request_timeout`, or for this if it is longer.
    pub timeout: Option<Duration>,
    /// Over which connection.
    pub kind: ConnectionKind,
    /// The oldest version that will do; that of the message by default.
    pub version_min: Option<i16>,
    /// The newest version that will do; that of the message by default, but for versions that Kafka
    /// calls unstable.
    pub version_max: Option<i16>,
}

/// An answer, and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<R> {
    /// The answer.
    pub response: R,
    /// The version in which it was asked and answered.
    pub version: i16,
    /// Who answered; `None` from a bootstrap address.
    pub broker_id: Option<i32>,
    /// Over which connection.
    pub connection_id: u64,
}

/// A handle of a cluster: metadata, coordinators, and connections by [`ConnectionKind`].
///
/// A clone is the same handle. [`Cluster::handle`] makes another handle of the same cluster: it shares
/// metadata, coordinators and the connections of shared kinds, and has its own of the others. When the
/// last clone of a handle is dropped, its own connections end and its topics are no longer kept
/// fresh; with the last handle everything of the cluster ends.
///
/// It opens connections when they are needed, and again when they are lost, with back-off. It repeats
/// lookups, which have no effect, but never a request of the caller's.
#[derive(Clone, Debug)]
pub struct Cluster {
    inner: Arc<Inner>,
    handle: Arc<Handle>,
}

/// One handle of a cluster, shared by its clones. The cluster's tasks have the [`Inner`], not this.
#[derive(Debug)]
struct Handle {
    inner: Arc<Inner>,
    id: HandleId,
    closed: AtomicBool,
}

impl Handle {
    fn new(inner: &Arc<Inner>) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::clone(inner),
            id: inner.add_handle(),
            closed: AtomicBool::new(false),
        })
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Ends the handle, once. Returns the connections that go with it: its own, or all of them if it is
    /// the last handle.
    fn end(&self) -> Vec<Connection> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Vec::new();
        }
        self.inner.metadata.release(self.id);
        let mut connections = self.inner.release_connections(self.id);
        if self.inner.remove_handle() {
            connections.extend(self.inner.shut_down());
        }
        connections
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Connections end when they are dropped, after what is under way on them.
        drop(self.end());
    }
}

impl Inner {
    /// Stops everything, without waiting. Returns the connections that were open: they end when they
    /// are dropped, after what is under way on them.
    fn shut_down(&self) -> Vec<Connection> {
        self.closed.send_replace(true);
        self.metadata.close();
        self.coordinators.close();
        self.close_pool()
    }
}

impl Cluster {
    /// A handle of the cluster behind the bootstrap addresses. Nothing is connected yet.
    ///
    /// # Errors
    /// [`ConfigError`] names the first setting that cannot work.
    pub fn new(config: ClusterConfig, connector: Arc<dyn Connector>) -> Result<Self, ConfigError> {
        config.connection.check()?;
        if config.bootstrap.is_empty() {
            return Err(ConfigError::NoBootstrap);
        }
        let inner = Arc::new(Inner::new(config, connector));
        let handle = Handle::new(&inner);
        Ok(Self { inner, handle })
    }

    /// Another handle of the same cluster, with connections of its own for the kinds that are not
    /// shared.
    #[must_use]
    pub fn handle(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            handle: Handle::new(&self.inner),
        }
    }

    /// Waits for so long, on the clock that this cluster's network lives by; see [`Connector::pause`].
    pub fn pause(&self, length: Duration) -> PauseFuture {
        self.inner.connector.pause(length)
    }

    /// What is known about the cluster now; version 0 if nothing is. Never waits.
    #[must_use]
    pub fn snapshot(&self) -> Arc<MetadataSnapshot> {
        self.inner.metadata.snapshot()
    }

    /// Hears of every change of the snapshot, as its [`MetadataSnapshot::version`].
    #[must_use]
    pub fn metadata_changed(&self) -> watch::Receiver<u64> {
        self.inner.metadata.changed()
    }

    /// Asks for metadata now, and returns what was answered. Calls that wait together share one
    /// question; a question that was sent before the call does not count, its answer may be old.
    ///
    /// # Errors
    /// If no broker can be reached, at once; or if brokers failed to answer three times in a row.
    ///
    /// # Cancel safety
    /// The refresh goes on without this future.
    pub async fn refresh(&self, topics: TopicsWanted) -> Result<Arc<MetadataSnapshot>, CallError> {
        self.start()?;
        self.inner.metadata.refresh(self.handle.id, topics).await
    }

    /// The metadata of a topic, waiting until the cluster knows it or `deadline` has passed. The topic
    /// is tracked from then on.
    ///
    /// # Errors
    /// [`CallError::Broker`] with the code if the topic is refused (TOPIC_AUTHORIZATION_FAILED,
    /// INVALID_TOPIC_EXCEPTION) by a broker during this call; [`NotSentCause::TopicUnknown`] if it did not
    /// show up in time; at the deadline what [`Cluster::refresh`] returned last. With
    /// `fail_unreachable_at_once` that is returned at once while no broker was ever reached.
    ///
    /// # Cancel safety
    /// Can be dropped and called again at any time.
    pub async fn topic(
        &self,
        name: &str,
        deadline: Instant,
    ) -> Result<Arc<TopicMetadata>, CallError> {
        let started = clock::now();
        // What was known before the call serves only if it is good: a rejection may have passed.
        if let Some(topic) = usable(&self.snapshot(), name) {
            return Ok(topic);
        }
        let mut code = None;
        let mut trouble = None;
        loop {
            let refresh = self.refresh(TopicsWanted::named([name]));
            match tokio::time::timeout_at(deadline.into(), refresh).await {
                Ok(Ok(snapshot)) => {
                    if let Some(topic) = usable(&snapshot, name) {
                        return Ok(topic);
                    }
                    trouble = None;
                    code = snapshot.topic(name).and_then(|topic| topic.error);
                    if let Some(code) =
                        code.filter(|code| judge(*code).class == Class::FixConfiguration)
                    {
                        return Err(CallError::Broker {
                            site: lookup_site(started),
                            code,
                            message: None,
                        });
                    }
                }
                Ok(Err(error)) if self.ends_the_call(&error) => return Err(error),
                Ok(Err(error)) => trouble = Some(error),
                Err(_elapsed) => {
                    let trouble = trouble.or_else(|| {
                        let unheard = code.is_none();
                        unheard.then(|| self.inner.metadata.trouble()).flatten()
                    });
                    let cause = NotSentCause::TopicUnknown {
                        topic: name.to_owned(),
                        code,
                    };
                    let site = lookup_site(started);
                    return Err(trouble.unwrap_or(CallError::NotSent { site, cause }));
                }
            }
        }
    }

    pub(crate) fn refresh_backoff(&self) -> crate::Backoff {
        self.inner.config.refresh_backoff
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        self.inner.config.request_timeout
    }

    /// A seed of its own for something that draws random numbers.
    pub(crate) fn draw_seed(&self) -> u64 {
        lock(&self.inner.random).u64(..)
    }

    /// Whether a call is over with this error, however much of its time is left.
    pub(crate) fn ends_the_call(&self, error: &CallError) -> bool {
        let never_reached = self.snapshot().version() == 0;
        let at_once = self.inner.config.fail_unreachable_at_once && never_reached;
        at_once || error.is_unrecoverable()
    }

    /// Takes over a newer leader that an answer named (KIP-951). Returns whether it was news: hints
    /// that are not newer than what is known are ignored.
    pub fn apply_leader_hint(&self, hint: &LeaderHint) -> bool {
        self.inner.metadata.apply_hint(hint)
    }

    /// What is known about this topic turned out wrong: asks for a refresh in the background.
    pub fn mark_stale(&self, topic: &str) {
        self.inner.metadata.mark_stale(self.handle.id, topic);
    }

    /// A connection to a broker: the open one of this kind, or a new one after the back-off that is
    /// due.
    ///
    /// # Errors
    /// [`CallError::NotSent`].
    ///
    /// # Cancel safety
    /// The dial goes on without this future, for whoever asks next.
    pub async fn connection(
        &self,
        broker_id: i32,
        kind: ConnectionKind,
    ) -> Result<Connection, CallError> {
        self.start()?;
        let purpose = Purpose::new(kind, self.handle.id);
        self.inner.connection(broker_id, purpose).await
    }

    /// The open connection to a broker, if there is one. Never waits and never dials.
    #[must_use]
    pub fn try_connection(&self, broker_id: i32, kind: ConnectionKind) -> Option<Connection> {
        let purpose = Purpose::new(kind, self.handle.id);
        self.inner.try_slot(SlotKey::Broker(broker_id, purpose))
    }

    /// Sends one request to one broker, once, in the newest version that both speak.
    ///
    /// # Errors
    /// [`CallError`] says whether the request may have had an effect. Error codes inside the response
    /// are the caller's to look at.
    ///
    /// # Cancel safety
    /// Dropping the future does not take back a request that was sent.
    pub async fn call<R: Request>(
        &self,
        target: Target,
        request: R,
        options: CallOptions,
    ) -> Result<Answer<R::Response>, CallError> {
        self.call_with(target, options, |_version| request).await
    }

    /// As [`Cluster::call`], with a request that depends on the version.
    ///
    /// # Errors
    /// As [`Cluster::call`].
    ///
    /// # Cancel safety
    /// As [`Cluster::call`].
    pub async fn call_with<R: Request>(
        &self,
        target: Target,
        options: CallOptions,
        build: impl FnOnce(i16) -> R,
    ) -> Result<Answer<R::Response>, CallError> {
        self.start()?;
        let handle = self.handle.id;
        self.inner.call(handle, target, options, build).await
    }

    /// The broker that coordinates a group or transactional id: the known one, or the one found until
    /// `deadline`. Codes that pass (COORDINATOR_NOT_AVAILABLE, …) are waited out (T-22).
    ///
    /// # Errors
    /// [`CallError::Broker`] with the code that FindCoordinator gave; [`CallError::NotSent`] if no broker
    /// can be reached, or none answered in time.
    ///
    /// # Cancel safety
    /// The lookup goes on without this future.
    pub async fn coordinator(
        &self,
        kind: CoordinatorKind,
        key: &str,
        deadline: Instant,
    ) -> Result<i32, CallError> {
        self.start()?;
        self.inner.coordinator(kind, key, deadline).await
    }

    /// Forgets a coordinator: it answered NOT_COORDINATOR or COORDINATOR_NOT_AVAILABLE, or its
    /// connection ended (T-21).
    pub fn forget_coordinator(&self, kind: CoordinatorKind, key: &str) {
        self.inner.coordinators.forget(kind, key, None);
    }

    /// The newest features that any broker told of (T-1).
    #[must_use]
    pub fn features(&self) -> FinalizedFeatures {
        self.inner.features()
    }

    /// Asks a broker for its features now. Without this they are as old as the newest connection, or
    /// `metadata_max_age`.
    ///
    /// # Errors
    /// As [`Cluster::call`].
    ///
    /// # Cancel safety
    /// Can be dropped and called again at any time.
    pub async fn refresh_features(&self) -> Result<FinalizedFeatures, CallError> {
        self.start()?;
        self.inner.refresh_features().await
    }

    /// The versions of an API that all brokers speak, as far as there was a connection to them (P-91);
    /// `None` if there is no such version, or no broker was connected yet.
    #[must_use]
    pub fn lowest_common(&self, api_key: i16) -> Option<ApiVersionRange> {
        let brokers = self.inner.versions();
        let mut ranges = brokers.iter().map(|versions| versions.range(api_key));
        let first = ranges.next()??;
        ranges.try_fold(first, |common, range| common.intersect(range?))
    }

    /// Ends this handle for all its clones, and waits for that: its own connections, and if no other
    /// handle is left all connections and tasks of the cluster. Requests under way on them become
    /// ambiguous; every later call fails with [`NotSentCause::ClusterClosed`].
    ///
    /// # Cancel safety
    /// The end is under way even if the future is dropped.
    pub async fn close(&self) {
        let connections = self.handle.end();
        for connection in &connections {
            connection.close();
        }
        if *self.inner.closed.borrow() {
            let tasks = std::mem::take(&mut lock(&self.inner.tasks).handles);
            for task in tasks {
                // An error means that the task is gone, which is what we want.
                let _ = task.await;
            }
        }
        for connection in connections {
            connection.closed().await;
        }
    }

    /// Starts the tasks with the first use, which is within a runtime; `new` need not be.
    fn start(&self) -> Result<(), CallError> {
        if self.handle.is_closed() {
            return Err(CallError::cluster_closed());
        }
        let mut tasks = lock(&self.inner.tasks);
        if tasks.started || *self.inner.closed.borrow() {
            return Ok(());
        }
        tasks.started = true;
        let inner = Arc::clone(&self.inner);
        tasks
            .handles
            .push(tokio::spawn(async move { inner.run_metadata().await }));
        let inner = Arc::clone(&self.inner);
        tasks
            .handles
            .push(tokio::spawn(async move { inner.run_coordinators().await }));
        Ok(())
    }
}

impl Inner {
    async fn run_metadata(self: &Arc<Self>) {
        let ask = |query: crate::metadata::machine::Query| async move {
            let options = CallOptions {
                version_min: Some(VERSION_MIN),
                ..self.lookup_options()
            };
            let build = |version| query.request(version);
            let answer = self
                .call(HandleId::SHARED, Target::Any, options, build)
                .await?;
            self.check_metadata(&answer)?;
            if self.features_are_old()
                && let Err(error) = self.refresh_features().await
            {
                tracing::debug!(%error, "features were not refreshed");
            }
            Ok((answer.response, answer.version))
        };
        let on_change = |snapshot: &MetadataSnapshot| self.on_metadata(snapshot);
        self.metadata
            .run(ask, on_change, self.closed.subscribe())
            .await;
    }

    async fn run_coordinators(self: &Arc<Self>) {
        let ask = |query: coordinator::machine::Query| async move {
            let version_min = Some(coordinator::machine::version_min(query.kind));
            let options = CallOptions {
                version_min,
                ..self.lookup_options()
            };
            let build = |version| query.request(version).0;
            let answer = self
                .call(HandleId::SHARED, Target::Any, options, build)
                .await?;
            Ok(read_response(&answer.response, &query, answer.version))
        };
        let on_found = |found: &coordinator::machine::Found| {
            if let Ok(port) = u16::try_from(found.port) {
                let address = BrokerAddress::new(found.host.as_str(), port);
                self.metadata.learn_broker(found.broker_id, &address);
            }
        };
        let on_trouble = || self.metadata.mark_all_stale();
        let reached = || self.metadata.snapshot().version() > 0;
        let closed = self.closed.subscribe();
        self.coordinators
            .run(ask, on_found, on_trouble, reached, closed)
            .await;
    }

    /// Whether an answer tells anything. From version 13 on a broker can refuse the question as a whole,
    /// and one that is just starting may not know any broker, not even itself.
    fn check_metadata(&self, answer: &Answer<MetadataResponse>) -> Result<(), CallError> {
        let site = CallSite {
            broker_id: answer.broker_id,
            ..lookup_site(clock::now())
        };
        let Err(code) = ErrorCode::from(answer.response.error_code).into_result() else {
            if answer.response.brokers.is_empty() {
                let code = ErrorCode::BrokerNotAvailable;
                let message = Some("the answer names no broker".to_owned());
                return Err(CallError::Broker {
                    site,
                    code,
                    message,
                });
            }
            return Ok(());
        };
        if code == ErrorCode::RebootstrapRequired {
            self.metadata.forget_brokers();
            self.release_brokers();
        }
        Err(CallError::Broker {
            site,
            code,
            message: None,
        })
    }

    async fn refresh_features(self: &Arc<Self>) -> Result<FinalizedFeatures, CallError> {
        let request = Handshake::request();
        let options = self.lookup_options();
        let answer = self
            .call(HandleId::SHARED, Target::Any, options, |_version| request)
            .await?;
        let versions = ApiVersions::from_response(&answer.response);
        self.note_versions(answer.broker_id, &versions);
        Ok(self.features())
    }

    fn lookup_options(&self) -> CallOptions {
        CallOptions {
            timeout: Some(self.config.lookup_timeout),
            ..CallOptions::default()
        }
    }
}

/// A topic that can be written to and read.
fn usable(snapshot: &MetadataSnapshot, name: &str) -> Option<Arc<TopicMetadata>> {
    let topic = snapshot.topic(name)?;
    let usable = topic.error.is_none() && !topic.partitions.is_empty();
    usable.then(|| Arc::clone(topic))
}

fn lookup_site(started: Instant) -> CallSite {
    let elapsed = clock::now().saturating_duration_since(started);
    CallSite {
        api: Some(ApiKey::Metadata),
        broker_id: None,
        address: None,
        elapsed,
    }
}
