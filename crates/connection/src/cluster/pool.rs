//! One connection per broker and purpose: opened once for all callers that want it, with back-off, and
//! dropped when it closes.

use super::dial::Dial;
use super::inner::Inner;
use super::kind::{HandleId, Purpose};
use crate::error::{CallError, CallSite, NotSentCause};
use crate::link::Connection;
use crate::metadata::MetadataSnapshot;
use crate::{BrokerAddress, clock, lock};
use futures_util::future::{FutureExt, Shared};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum SlotKey {
    /// Address of this place in the bootstrap list.
    Bootstrap(usize),
    Broker(i32, Purpose),
}

/// The result of one attempt to connect, for all callers that wait for it, in their order. An error means that its
/// task was aborted.
type Dialled = Shared<oneshot::Receiver<Result<Connection, CallError>>>;

#[derive(Debug, Default)]
enum Line {
    #[default]
    Down,
    Dialling(Dialled, AbortHandle),
    Up(Connection),
}

#[derive(Debug, Default)]
struct Slot {
    /// Why the last attempt failed, until one succeeds.
    failure: Option<CallError>,
    dial: Dial,
    line: Line,
}

/// The slots of all brokers. Bounded: the bootstrap list, and for each broker one slot per shared kind and
/// `connections_per_broker_max` in all.
#[derive(Debug, Default)]
pub(super) struct Pool {
    slots: BTreeMap<SlotKey, Slot>,
    closed: bool,
}

impl Pool {
    /// How many slots there are for a broker.
    fn to_broker(&self, broker_id: i32) -> usize {
        let of_broker = |key: &&SlotKey| matches!(key, SlotKey::Broker(id, _) if *id == broker_id);
        self.slots.keys().filter(of_broker).count()
    }
}

impl Inner {
    /// The open connection of a slot.
    pub(super) fn try_slot(&self, key: SlotKey) -> Option<Connection> {
        match &lock(&self.pool).slots.get(&key)?.line {
            Line::Up(connection) if !connection.is_closed() => Some(connection.clone()),
            Line::Up(_) | Line::Down | Line::Dialling(..) => None,
        }
    }

    /// Why the last attempt to connect failed, if none has succeeded since.
    pub(super) fn slot_failure(&self, key: SlotKey) -> Option<CallError> {
        lock(&self.pool).slots.get(&key)?.failure.clone()
    }

    /// The version in which a new connection to this address requests ApiVersions.
    fn handshake_version(&self, address: &Arc<BrokerAddress>, newest: i16) -> i16 {
        let fallbacks = lock(&self.fallbacks);
        let fallback = fallbacks.get(address).copied().unwrap_or_default();
        fallback.version(newest, clock::now())
    }

    fn note_handshake(
        &self,
        address: &Arc<BrokerAddress>,
        version: i16,
        newest: i16,
        result: &Result<Connection, CallError>,
    ) {
        let mut fallbacks = lock(&self.fallbacks);
        let mut fallback = fallbacks.get(address).copied().unwrap_or_default();
        match result {
            Ok(_) => fallback.on_response(version, newest, clock::now()),
            Err(error) if error.is_without_versions() => fallback.on_no_response(version),
            Err(_) => return,
        }
        if fallback.is_newest() {
            fallbacks.remove(address);
        } else {
            fallbacks.insert(Arc::clone(address), fallback);
        }
    }

    /// The end of a slot's back-off.
    pub(super) fn not_before(&self, key: SlotKey) -> Option<std::time::Instant> {
        lock(&self.pool).slots.get(&key)?.dial.not_before()
    }

    /// The connection of a slot, opened to `address` if there is none, after the back-off that is due.
    ///
    /// # Cancel safety
    /// The attempt goes on without this future, for the next caller.
    pub(super) async fn slot(
        self: &Arc<Self>,
        key: SlotKey,
        address: Arc<BrokerAddress>,
    ) -> Result<Connection, CallError> {
        let dialled = match self.connection_or_dial(key, address)? {
            Ok(connection) => return Ok(connection),
            Err(dialled) => dialled,
        };
        // The task can only vanish without a result when it is aborted, by `close_pool` or `release_connections`.
        dialled
            .await
            .unwrap_or_else(|_aborted| Err(CallError::cluster_closed()))
    }

    fn connection_or_dial(
        self: &Arc<Self>,
        key: SlotKey,
        address: Arc<BrokerAddress>,
    ) -> Result<Result<Connection, Dialled>, CallError> {
        let mut pool = lock(&self.pool);
        if pool.closed {
            return Err(CallError::cluster_closed());
        }
        self.check_room(&pool, key)?;
        let slot = pool.slots.entry(key).or_default();
        match &slot.line {
            Line::Up(connection) if !connection.is_closed() => return Ok(Ok(connection.clone())),
            Line::Dialling(dialled, _) => return Ok(Err(dialled.clone())),
            Line::Up(_) => {
                let mut random = lock(&self.random);
                slot.dial
                    .on_down(clock::now(), &self.config.reconnect_backoff, &mut random);
            }
            Line::Down => {}
        }
        let (sender, dialled) = oneshot::channel();
        let dialled = dialled.shared();
        let not_before = slot.dial.not_before();
        let inner = Arc::clone(self);
        let task = tokio::spawn(async move {
            if not_before.is_some() {
                clock::sleep_until(not_before).await;
            }
            let result = inner.dial(key, address).await;
            // All callers that waited may have gone.
            let _ = sender.send(result);
        });
        slot.line = Line::Dialling(dialled.clone(), task.abort_handle());
        Ok(Err(dialled))
    }

    async fn dial(
        &self,
        key: SlotKey,
        address: Arc<BrokerAddress>,
    ) -> Result<Connection, CallError> {
        let broker_id = match key {
            SlotKey::Bootstrap(_) => None,
            SlotKey::Broker(broker_id, _) => Some(broker_id),
        };
        let connector = self.connector.as_ref();
        let newest = Connection::handshake_version_max(&self.config);
        let version = self.handshake_version(&address, newest);
        let open = Connection::open_in(
            connector,
            Arc::clone(&address),
            broker_id,
            &self.config,
            version,
        );
        let result = open.await;
        self.note_handshake(&address, version, newest, &result);
        let mut pool = lock(&self.pool);
        // The slot of a handle that was closed meanwhile is gone.
        let Some(slot) = pool.slots.get_mut(&key) else {
            return Err(CallError::cluster_closed());
        };
        match &result {
            Ok(connection) => {
                slot.dial.on_up(clock::now());
                slot.line = Line::Up(connection.clone());
                slot.failure = None;
                drop(pool);
                tracing::info!(
                    broker_id,
                    address = %connection.address(),
                    connection_id = connection.connection_id(),
                    purpose = ?key,
                    "connected"
                );
                self.note_versions(broker_id, connection.versions());
            }
            Err(error) => {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::info!(broker_id, %address, %error, cause, "cannot connect");
                slot.failure = Some(error.clone());
                let mut random = lock(&self.random);
                slot.dial
                    .on_failed(clock::now(), &self.config.reconnect_backoff, &mut random);
                slot.line = Line::Down;
            }
        }
        result
    }

    /// The metadata changed: connections to addresses that are not a broker's any more are let go, and
    /// so are the bootstrap connections, whose work is done. Requests under way on them are finished.
    pub(super) fn retarget_pool(&self, snapshot: &MetadataSnapshot) {
        if snapshot.brokers().len() == 0 {
            return;
        }
        lock(&self.pool)
            .slots
            .retain(|key, slot| match (*key, &slot.line) {
                (SlotKey::Bootstrap(_), Line::Up(_)) => false,
                (SlotKey::Broker(broker_id, _), Line::Up(connection)) => {
                    let known = snapshot.broker(broker_id);
                    known.is_none_or(|broker| broker.address == *connection.address())
                        && !(known.is_none() && connection.is_closed())
                }
                (SlotKey::Broker(broker_id, _), Line::Down) => snapshot.broker(broker_id).is_some(),
                (SlotKey::Bootstrap(_), Line::Down | Line::Dialling(..))
                | (SlotKey::Broker(..), Line::Dialling(..)) => true,
            });
    }

    /// Lets go of the connections to all brokers. Requests under way on them are finished.
    pub(super) fn release_brokers(&self) {
        let broker_is_up = |key: &SlotKey, slot: &Slot| {
            matches!((key, &slot.line), (SlotKey::Broker(..), Line::Up(_)))
        };
        lock(&self.pool)
            .slots
            .retain(|key, slot| !broker_is_up(key, slot));
    }

    /// Whether one more connection to the key's broker may be opened.
    fn check_room(&self, pool: &Pool, key: SlotKey) -> Result<(), CallError> {
        let limit = self.config.connections_per_broker_max;
        let SlotKey::Broker(broker_id, _) = key else {
            return Ok(());
        };
        if pool.slots.contains_key(&key) || pool.to_broker(broker_id) < limit {
            return Ok(());
        }
        let site = CallSite {
            api: None,
            broker_id: Some(broker_id),
            address: None,
            elapsed: Duration::ZERO,
        };
        let cause = NotSentCause::ConnectionsExhausted { limit };
        Err(CallError::NotSent { site, cause })
    }

    /// Lets go of the connections that only this handle uses, and returns those that are open: they end
    /// when they are dropped, after what is under way on them.
    pub(super) fn release_connections(&self, handle: HandleId) -> Vec<Connection> {
        let mut released = Vec::new();
        lock(&self.pool).slots.retain(|key, slot| {
            let SlotKey::Broker(_, purpose) = key else {
                return true;
            };
            if !purpose.belongs_to(handle) {
                return true;
            }
            match std::mem::take(&mut slot.line) {
                Line::Up(connection) => released.push(connection),
                Line::Dialling(_, task) => task.abort(),
                Line::Down => {}
            }
            false
        });
        released
    }

    /// The open connections.
    pub(super) fn open_connections(&self) -> Vec<(SlotKey, Connection)> {
        let pool = lock(&self.pool);
        let open = pool
            .slots
            .iter()
            .filter_map(|(key, slot)| match &slot.line {
                Line::Up(connection) if !connection.is_closed() => Some((*key, connection.clone())),
                Line::Up(_) | Line::Down | Line::Dialling(..) => None,
            });
        open.collect()
    }

    /// Ends all dials, and hands over what is open. Nothing is dialled from here on.
    pub(super) fn close_pool(&self) -> Vec<Connection> {
        let mut pool = lock(&self.pool);
        pool.closed = true;
        let slots = std::mem::take(&mut pool.slots)
            .into_values()
            .filter_map(|slot| match slot.line {
                Line::Up(connection) => Some(connection),
                Line::Dialling(_, task) => {
                    task.abort();
                    None
                }
                Line::Down => None,
            });
        slots.collect()
    }
}
