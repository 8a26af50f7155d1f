//! What the handles and tasks of one cluster share.

use super::kind::{HandleId, Purpose};
use super::pool::{Pool, SlotKey};
use crate::config::{ClusterConfig, ConnectionConfig};
use crate::coordinator::{CoordinatorShared, machine as coordinator};
use crate::error::{CallError, CallSite, NotSentCause};
use crate::link::Connection;
use crate::link::handshake::Fallback;
use crate::metadata::{MetadataShared, MetadataSnapshot, TopicsWanted, machine as metadata};
use crate::transport::Connector;
use crate::versions::{ApiVersions, FinalizedFeatures};
use crate::{BrokerAddress, clock, lock};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long one broker may take to connect before the next one is tried beside it.
const STAGGER: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) config: ConnectionConfig,
    bootstrap: Vec<Arc<BrokerAddress>>,
    pub(super) connector: Arc<dyn Connector>,
    pub(super) metadata: MetadataShared,
    pub(super) coordinators: CoordinatorShared,
    pub(super) pool: Mutex<Pool>,
    /// Brokers that did not respond to our newest ApiVersions. Bounded: those in the metadata and the
    /// bootstrap list.
    pub(super) fallbacks: Mutex<HashMap<Arc<BrokerAddress>, Fallback>>,
    /// What each broker said last, by its id.
    versions: Mutex<HashMap<i32, Arc<ApiVersions>>>,
    features: Mutex<FinalizedFeatures>,
    /// When a broker last told its features, by any connection.
    features_told: Mutex<Option<Instant>>,
    /// Connections over which a call was given up, and nothing was answered since: lookups go
    /// elsewhere while they can.
    silent: Mutex<HashSet<u64>>,
    pub(super) random: Mutex<fastrand::Rng>,
    pub(super) closed: watch::Sender<bool>,
    pub(super) tasks: Mutex<Tasks>,
    handles: Mutex<Handles>,
}

/// How many handles there are, and the number of the newest.
#[derive(Debug, Default)]
struct Handles {
    newest: u64,
    open: usize,
}

/// The two tasks of a cluster handle, which start with its first use.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    pub(super) started: bool,
    pub(super) handles: Vec<JoinHandle<()>>,
}

impl Inner {
    pub(super) fn new(config: ClusterConfig, connector: Arc<dyn Connector>) -> Self {
        let ClusterConfig {
            bootstrap,
            connection: config,
        } = config;
        let mut random = match config.seed {
            Some(seed) => fastrand::Rng::with_seed(seed),
            None => fastrand::Rng::new(),
        };
        Self {
            metadata: MetadataShared::new(metadata::Settings {
                backoff: config.refresh_backoff,
                max_age: config.metadata_max_age,
                topics_max: config.topics_max,
                topic_auto_creation: config.topic_auto_creation,
                seed: random.u64(..),
            }),
            coordinators: CoordinatorShared::new(coordinator::Settings {
                backoff: config.refresh_backoff,
                coordinators_max: config.coordinators_max,
                seed: random.u64(..),
            }),
            bootstrap: bootstrap.into_iter().map(Arc::new).collect(),
            connector,
            pool: Mutex::default(),
            fallbacks: Mutex::default(),
            versions: Mutex::default(),
            features: Mutex::default(),
            features_told: Mutex::default(),
            silent: Mutex::default(),
            random: Mutex::new(random),
            closed: watch::Sender::new(false),
            tasks: Mutex::default(),
            handles: Mutex::default(),
            config,
        }
    }

    /// Counts one more handle, and numbers it.
    pub(super) fn add_handle(&self) -> HandleId {
        let mut handles = lock(&self.handles);
        handles.newest += 1;
        handles.open += 1;
        HandleId(handles.newest)
    }

    /// Counts one handle less. Returns whether it was the last.
    pub(super) fn remove_handle(&self) -> bool {
        let mut handles = lock(&self.handles);
        handles.open = handles.open.saturating_sub(1);
        handles.open == 0
    }

    /// Remembers what a broker speaks, and the features that it knows of (T-1).
    pub(super) fn note_versions(&self, broker_id: Option<i32>, versions: &ApiVersions) {
        lock(&self.features).update(versions.features());
        *lock(&self.features_told) = Some(clock::now());
        if let Some(broker_id) = broker_id {
            lock(&self.versions).insert(broker_id, Arc::new(versions.clone()));
        }
    }

    pub(super) fn features(&self) -> FinalizedFeatures {
        lock(&self.features).clone()
    }

    /// Whether the features are as old as metadata may get. Connections can last for ever, and brokers
    /// tell their features only when asked, so a live upgrade would go unnoticed (L-13).
    pub(super) fn features_are_old(&self) -> bool {
        let max_age = self.config.metadata_max_age;
        let told = *lock(&self.features_told);
        told.is_some_and(|told| clock::now().saturating_duration_since(told) >= max_age)
    }

    /// What each broker of the cluster said last, as far as there was a connection to it.
    pub(super) fn versions(&self) -> Vec<Arc<ApiVersions>> {
        lock(&self.versions).values().map(Arc::clone).collect()
    }

    pub(super) fn on_metadata(&self, snapshot: &MetadataSnapshot) {
        self.retarget_pool(snapshot);
        if snapshot.brokers().len() > 0 {
            lock(&self.versions).retain(|broker_id, _| snapshot.broker(*broker_id).is_some());
            lock(&self.fallbacks).retain(|address, _| {
                let known = snapshot.brokers().any(|broker| broker.address == *address);
                known || self.bootstrap.contains(address)
            });
        }
    }

    /// The address of a broker, after a look at fresh metadata if it is unknown.
    pub(super) async fn address(&self, broker_id: i32) -> Result<Arc<BrokerAddress>, CallError> {
        if let Some(broker) = self.metadata.snapshot().broker(broker_id) {
            return Ok(Arc::clone(&broker.address));
        }
        let snapshot = self
            .metadata
            .refresh(HandleId::SHARED, TopicsWanted::None)
            .await?;
        match snapshot.broker(broker_id) {
            Some(broker) => Ok(Arc::clone(&broker.address)),
            None => {
                let site = CallSite {
                    api: None,
                    broker_id: Some(broker_id),
                    address: None,
                    elapsed: Duration::ZERO,
                };
                let cause = NotSentCause::BrokerUnknown { broker_id };
                Err(CallError::NotSent { site, cause })
            }
        }
    }

    /// A connection to a broker.
    pub(super) async fn connection(
        self: &Arc<Self>,
        broker_id: i32,
        purpose: Purpose,
    ) -> Result<Connection, CallError> {
        let key = SlotKey::Broker(broker_id, purpose);
        if let Some(connection) = self.try_slot(key) {
            return Ok(connection);
        }
        let address = self.address(broker_id).await?;
        let result = self.slot(key, address).await;
        if result.is_err() {
            // The broker may have moved, or its partitions may have.
            self.metadata.mark_all_stale();
        }
        result
    }

    /// A connection to any broker: an open one that answers, or else the first that can be opened by
    /// `deadline`, or else an open one that was silent last time.
    pub(super) async fn any_connection(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> Result<Connection, CallError> {
        let started = clock::now();
        let mut open = self.open_connections();
        // Lookups stay off the connections where a broker may hold a response back.
        open.retain(|(key, _)| {
            matches!(
                key,
                SlotKey::Bootstrap(_) | SlotKey::Broker(_, Purpose::LOOKUP)
            )
        });
        let (silent, answering): (Vec<_>, Vec<_>) = {
            let silent = lock(&self.silent);
            open.into_iter()
                .partition(|(_, open)| silent.contains(&open.connection_id()))
        };
        if let Some((_, connection)) = lock(&self.random).choice(answering) {
            return Ok(connection);
        }
        let mut candidates = self.candidates();
        candidates.retain(|(key, _)| silent.iter().all(|(silent, _)| silent != key));
        let failures = match self.first_of(candidates, deadline).await {
            Ok(connection) => return Ok(connection),
            Err(failures) => failures,
        };
        if let Some((_, connection)) = lock(&self.random).choice(silent) {
            return Ok(connection);
        }
        if let Some(closed) = failures.iter().find(|error| error.is_cluster_closed()) {
            return Err(closed.clone());
        }
        let elapsed = clock::now().saturating_duration_since(started);
        let site = CallSite {
            api: None,
            broker_id: None,
            address: None,
            elapsed,
        };
        let cause = NotSentCause::NoBrokerReachable {
            failures: failures.into(),
        };
        Err(CallError::NotSent { site, cause })
    }

    /// The first connection that can be opened. The candidates are dialled one after the other, but
    /// none waits longer than `STAGGER` for the one before it.
    async fn first_of(
        self: &Arc<Self>,
        candidates: Vec<(SlotKey, Arc<BrokerAddress>)>,
        deadline: Instant,
    ) -> Result<Connection, Vec<CallError>> {
        let started = clock::now();
        let mut failures = Vec::new();
        let mut candidates = candidates.into_iter().peekable();
        let mut unfinished = Vec::new();
        let mut dials = FuturesUnordered::new();
        loop {
            match candidates.next() {
                Some((key, address)) => {
                    unfinished.push((key, Arc::clone(&address)));
                    dials
                        .push(async move { (Arc::clone(&address), self.slot(key, address).await) });
                }
                None if dials.is_empty() => return Err(failures),
                None => {}
            }
            tokio::select! {
                biased;
                Some((address, result)) = dials.next() => match result {
                    Ok(connection) => return Ok(connection),
                    Err(error) => {
                        unfinished.retain(|(_, dialled)| *dialled != address);
                        failures.push(error);
                    }
                },
                () = tokio::time::sleep(STAGGER), if candidates.peek().is_some() => {}
                () = clock::sleep_until(Some(deadline)) => break,
            }
        }
        // The dials go on for whoever asks next; this caller is told how far they got.
        let timeout = clock::now().saturating_duration_since(started);
        failures.extend(unfinished.into_iter().map(|(key, address)| {
            // A wait for the back-off says less than the failure that it follows.
            if let Some(failure) = self.slot_failure(key) {
                return failure;
            }
            let address = Some(address);
            let site = CallSite {
                api: None,
                broker_id: None,
                address,
                elapsed: timeout,
            };
            CallError::NotSent {
                site,
                cause: NotSentCause::ConnectTimedOut { timeout },
            }
        }));
        Err(failures)
    }

    /// A call over this connection was given up before the connection was.
    pub(super) fn note_silence(&self, connection: &Connection) {
        let open = self.open_connections();
        let mut silent = lock(&self.silent);
        silent.retain(|id| open.iter().any(|(_, open)| open.connection_id() == *id));
        silent.insert(connection.connection_id());
    }

    /// A call over this connection was answered.
    pub(super) fn note_answer(&self, connection: &Connection) {
        lock(&self.silent).remove(&connection.connection_id());
    }

    /// Whom to dial, best first: the brokers known, then the bootstrap list, each in random order, and
    /// those that failed last behind the others.
    fn candidates(&self) -> Vec<(SlotKey, Arc<BrokerAddress>)> {
        let snapshot = self.metadata.snapshot();
        let mut brokers: Vec<_> = snapshot
            .brokers()
            .map(|broker| {
                let key = SlotKey::Broker(broker.broker_id, Purpose::LOOKUP);
                (key, Arc::clone(&broker.address))
            })
            .collect();
        let mut bootstrap: Vec<_> = self
            .bootstrap
            .iter()
            .enumerate()
            .filter(|(_, address)| brokers.iter().all(|(_, known)| known != *address))
            .map(|(index, address)| (SlotKey::Bootstrap(index), Arc::clone(address)))
            .collect();
        {
            let mut random = lock(&self.random);
            random.shuffle(&mut brokers);
            random.shuffle(&mut bootstrap);
        }
        brokers.extend(bootstrap);
        brokers.sort_by_key(|(key, _)| self.not_before(*key));
        brokers
    }
}
