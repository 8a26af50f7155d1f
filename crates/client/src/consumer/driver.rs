//! The consumer's one task: it waits for brokers, time and the application, and decides nothing.
//!
//! Each turn the machine says what to do; each request is a future of its own that brings its answer
//! back to the machine. Records are walked, filtered and checked here, outside the machine's lock;
//! they are decompressed and decoded in the application's poll.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt, join_all};
use futures_util::stream::FuturesUnordered;
use kafka_protocol::messages::{FetchRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest};
use milena_codec::ApiKey;
use milena_codec::message::{Request, decode_response, encode_request};
use milena_connection::{
    BrokerAddress, CallError, CallOptions, CallSite, Cluster, Connection, ConnectionKind,
    LeaderHint, MetadataSnapshot, NotSentCause, RawRequest, Target, TopicsWanted,
};
use tokio::sync::{Notify, oneshot};

use super::fetch::lookup::{ResetPlan, ValidationPlan};
use super::fetch::machine::{Machine, MetadataView, PartitionView};
use super::fetch::wire;
use super::health::{BrokerHealth, Peer};
use super::position::Leader;
use crate::config::ConsumerConfig;
use crate::error::Error;
use crate::runtime::now;
use crate::sync::lock;
use crate::types::TopicPartition;

/// How long the sessions at the brokers get to be closed.
const SESSION_CLOSE_MAX: Duration = Duration::from_secs(1);

/// What the application's handle and the task have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    machine: Mutex<Machine>,
    health: Mutex<BrokerHealth>,
    /// The application changed something, or made room.
    work: Notify,
    /// Something happened that a poll may wait for. There is one waiter at most, so a permit is kept
    /// for it.
    news: Notify,
    pub(crate) cluster: Cluster,
    pub(crate) config: ConsumerConfig,
}

impl Shared {
    pub(crate) fn new(machine: Machine, cluster: Cluster, config: ConsumerConfig) -> Self {
        let health = BrokerHealth::new(
            config.client.request_timeout,
            config.client.fail_unreachable_at_once,
        );
        Self {
            machine: Mutex::new(machine),
            health: Mutex::new(health),
            work: Notify::new(),
            news: Notify::new(),
            cluster,
            config,
        }
    }

    /// The machine. Never held across an await, nor while records are decoded.
    pub(crate) fn machine(&self) -> MutexGuard<'_, Machine> {
        lock(&self.machine)
    }

    pub(crate) fn health(&self) -> MutexGuard<'_, BrokerHealth> {
        lock(&self.health)
    }

    /// Tells the task that there may be something to do.
    pub(crate) fn nudge(&self) {
        self.work.notify_one();
    }

    /// Waits for something to happen.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    fn failed(&self, peer: Peer, error: CallError) {
        tracing::debug!(%error, cause = ?std::error::Error::source(&error), "a request has no answer");
        self.health().failed(now(), peer, error.into());
    }

    /// The error of an outage that lasts, if there is one.
    pub(crate) fn lasting_outage(&self) -> Option<Error> {
        let needed = self.machine().needed();
        self.health().lasting(now(), |peer| needed.contains(&peer))
    }

    /// What keeps a partition from getting a position: an outage, or what a broker said of it.
    pub(crate) fn unsettled_cause(&self) -> Option<Error> {
        let outage = self.health().outage();
        outage.or_else(|| self.machine().unsettled_cause())
    }

    /// Takes over what metadata says of the assigned partitions.
    pub(crate) fn learn(&self, snapshot: &MetadataSnapshot) {
        let mut machine = self.machine();
        let view = view(snapshot, machine.assignment());
        machine.on_metadata(now(), &view);
        let needed = machine.needed();
        drop(machine);
        let mut health = self.health();
        health.succeeded(Peer::Cluster);
        health.keep(|peer| needed.contains(&peer));
    }
}

/// Runs until `stop` resolves or its sender is gone, then closes the sessions at the brokers (R-90, L-20) and
/// the connections.
pub(crate) async fn run(shared: Arc<Shared>, stop: oneshot::Receiver<()>) {
    read(&shared, stop).await;
    close_sessions(&shared).await;
    shared.cluster.close().await;
}

async fn read(shared: &Arc<Shared>, mut stop: oneshot::Receiver<()>) {
    let mut metadata = shared.cluster.metadata_changed();
    let mut requests: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
    loop {
        let work = shared.machine().poll(now());
        if let Some(topics) = work.refresh_metadata {
            requests.push(refresh(Arc::clone(shared), topics).boxed());
        }
        for plan in work.resets {
            requests.push(look_up(Arc::clone(shared), plan).boxed());
        }
        for plan in work.validations {
            requests.push(validate(Arc::clone(shared), plan).boxed());
        }
        for broker in work.fetches {
            requests.push(fetch(Arc::clone(shared), broker).boxed());
        }
        tokio::select! {
            // In a fixed order, so that a run can be repeated; what comes often is last, so nothing starves.
            biased;
            _ = &mut stop => return,
            Ok(()) = metadata.changed() => {
                metadata.mark_unchanged();
                shared.learn(&shared.cluster.snapshot());
            }
            Some(()) = requests.next() => {}
            () = shared.work.notified() => {}
            () = sleep_until(work.wake_at) => {}
        }
        // Also an error of a partition, or a position that is known now, is news.
        shared.news.notify_one();
    }
}

async fn refresh(shared: Arc<Shared>, topics: Vec<Arc<str>>) {
    match shared.cluster.refresh(TopicsWanted::Named(topics)).await {
        Ok(snapshot) => shared.learn(&snapshot),
        Err(error) => shared.failed(Peer::Cluster, error),
    }
    shared.machine().on_metadata_refreshed(now());
}

async fn look_up(shared: Arc<Shared>, plan: ResetPlan) {
    let questions = plan.partitions.iter().map(|question| {
        (
            &question.name,
            question.target,
            question.current_leader_epoch,
        )
    });
    let timeout = shared.config.client.request_timeout;
    let request = wire::list_offsets_request(questions, shared.config.isolation_level, timeout);
    let versions = wire::LIST_OFFSETS_VERSIONS;
    match call::<ListOffsetsRequest>(&shared, plan.broker, request, versions).await {
        Ok(response) => {
            let answers = wire::read_list_offsets(response);
            shared.machine().handle_resets(now(), &plan, &answers);
        }
        Err(error) => {
            shared.machine().on_resets_failed(now(), &plan);
            shared.failed(Peer::Broker(plan.broker), error);
        }
    }
}

async fn validate(shared: Arc<Shared>, plan: ValidationPlan) {
    let request = wire::epoch_end_request(&plan.partitions);
    let versions = wire::EPOCH_END_VERSIONS;
    match call::<OffsetForLeaderEpochRequest>(&shared, plan.broker, request, versions).await {
        Ok(response) => {
            let answers = wire::read_epoch_ends(response);
            shared.machine().handle_validations(now(), &plan, &answers);
        }
        Err(CallError::NotSent {
            cause: NotSentCause::NoCommonVersion { .. },
            ..
        }) => {
            shared.machine().on_validation_unsupported(&plan);
        }
        Err(error) => {
            shared.machine().on_validations_failed(now(), &plan);
            shared.failed(Peer::Broker(plan.broker), error);
        }
    }
}

/// Asks one broker something that it answers at once.
async fn call<R: Request>(
    shared: &Shared,
    broker: i32,
    request: R,
    versions: std::ops::RangeInclusive<i16>,
) -> Result<R::Response, CallError> {
    let options = CallOptions {
        kind: ConnectionKind::Lookup,
        version_min: Some(*versions.start()),
        version_max: Some(*versions.end()),
        ..CallOptions::default()
    };
    let answer = shared
        .cluster
        .call(Target::Broker(broker), request, options)
        .await?;
    shared.health().succeeded(Peer::Broker(broker));
    Ok(answer.response)
}

async fn fetch(shared: Arc<Shared>, broker: i32) {
    if let Err(error) = fetch_once(&shared, broker).await {
        shared.machine().on_fetch_failed(now(), broker);
        shared.failed(Peer::Broker(broker), error);
    }
}

async fn fetch_once(shared: &Shared, broker: i32) -> Result<(), CallError> {
    let started = now();
    let connection = shared
        .cluster
        .connection(broker, ConnectionKind::Fetch)
        .await?;
    let site = || site(&connection, started);
    let not_sent = |cause| CallError::NotSent {
        site: site(),
        cause,
    };
    let ours = wire::FETCH_VERSIONS;
    let versions = connection.versions();
    let version_max = versions
        .highest(FetchRequest::KEY, ours.clone())
        .ok_or_else(|| {
            let theirs = versions.range(FetchRequest::KEY);
            not_sent(NotSentCause::NoCommonVersion {
                ours: ours.into(),
                theirs,
            })
        })?;
    let support = wire::fetch_support(version_max);
    let Some(plan) = shared.machine().begin_fetch(now(), broker, support) else {
        return Ok(());
    };
    let config = &shared.config;
    let (request, version) = wire::fetch_request(&plan, config, version_max);
    let mut body = Vec::new();
    encode_request(&mut body, &request, version).map_err(|error| {
        not_sent(NotSentCause::Encode {
            source: Arc::new(error),
        })
    })?;
    let request = RawRequest {
        api_key: FetchRequest::KEY,
        api_version: version,
        body: vec![body.into()],
        timeout: config.client.request_timeout,
        expects_response: true,
    };
    let answer = connection
        .submit(request)
        .map_err(|error| not_sent(error.into()))?
        .await?;
    shared.health().succeeded(Peer::Broker(broker));
    let response = decode_response::<FetchRequest>(answer, version, &config.client.limits)
        .map_err(|error| CallError::Malformed {
            site: site(),
            source: Arc::new(error),
        })?;
    let (answer, hints) = wire::read_fetch(
        response,
        &plan.asked,
        config.isolation_level,
        config.check_crcs,
    );
    for hint in hints {
        apply(&shared.cluster, hint);
    }
    shared.machine().handle_fetch(now(), broker, answer);
    Ok(())
}

fn apply(cluster: &Cluster, hint: wire::LeaderHint) {
    let endpoint = hint
        .endpoint
        .map(|(host, port)| BrokerAddress::new(host, port));
    cluster.apply_leader_hint(&LeaderHint {
        topic: Arc::clone(hint.name.topic_shared()),
        partition: hint.name.partition(),
        leader_id: hint.broker,
        leader_epoch: hint.leader_epoch,
        endpoint,
    });
}

/// Over other connections than the fetches, which brokers hold back.
async fn close_sessions(shared: &Shared) {
    let sessions = shared.machine().sessions_to_close();
    let closing = sessions.into_iter().map(|(broker, session_id)| {
        let request = wire::close_session_request(session_id);
        call::<FetchRequest>(shared, broker, request, wire::FETCH_VERSIONS)
    });
    if tokio::time::timeout(SESSION_CLOSE_MAX, join_all(closing))
        .await
        .is_err()
    {
        tracing::debug!("sessions at brokers were left to time out");
    }
}

/// What the snapshot says of these partitions.
fn view<'a>(
    snapshot: &MetadataSnapshot,
    assignment: impl Iterator<Item = &'a TopicPartition>,
) -> MetadataView {
    let brokers: BTreeSet<_> = snapshot.brokers().map(|broker| broker.broker_id).collect();
    let partitions: HashMap<_, _> = assignment
        .filter_map(|name| {
            let topic = snapshot.topic(name.topic())?;
            if let Some(code) = topic.error {
                return Some((name.clone(), PartitionView::Refused(code)));
            }
            let partition = topic.partition(name.partition())?;
            let leader = Leader {
                broker: partition.leader,
                epoch: partition.leader_epoch,
            };
            let replicas = partition.replicas.to_vec();
            let topic_id = topic.topic_id;
            Some((
                name.clone(),
                PartitionView::Known {
                    topic_id,
                    leader,
                    replicas,
                },
            ))
        })
        .collect();
    MetadataView {
        brokers,
        partitions,
    }
}

fn site(connection: &Connection, started: Instant) -> CallSite {
    CallSite {
        api: Some(ApiKey::Fetch),
        broker_id: connection.broker_id(),
        address: Some(Arc::clone(connection.address())),
        elapsed: now().saturating_duration_since(started),
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
