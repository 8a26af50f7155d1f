//! One connection per broker and lane: dialled once for all who want it, with back-off, and thrown
//! away when it ends.

use super::Lane;
use super::dial::Dial;
use super::inner::Inner;
use crate::error::CallError;
use crate::link::Connection;
use crate::metadata::MetadataSnapshot;
use crate::{BrokerAddress, clock, lock};
use futures_util::future::{FutureExt, Shared};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum SlotKey {
    /// Address of this place in the bootstrap list.
    Bootstrap(usize),
    Broker(i32, Lane),
}

/// What a dial gives to all who wait for it, in their order. An error means that its task was aborted.
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
    dial: Dial,
    line: Line,
}

/// The slots of all brokers. Bounded: brokers in the metadata times lanes, and the bootstrap list.
#[derive(Debug, Default)]
pub(super) struct Pool {
    slots: BTreeMap<SlotKey, Slot>,
    closed: bool,
}

impl Inner {
    /// The open connection of a slot.
    pub(super) fn try_slot(&self, key: SlotKey) -> Option<Connection> {
        match &lock(&self.pool).slots.get(&key)?.line {
            Line::Up(connection) if !connection.is_closed() => Some(connection.clone()),
            Line::Up(_) | Line::Down | Line::Dialling(..) => None,
        }
    }

    /// Before when a slot is not to be dialled.
    pub(super) fn not_before(&self, key: SlotKey) -> Option<std::time::Instant> {
        lock(&self.pool).slots.get(&key)?.dial.not_before()
    }

    /// The connection of a slot, dialled to `address` if there is none, after the back-off that is due.
    ///
    /// # Cancel safety
    /// The dial goes on without this future, for whoever asks next.
    pub(super) async fn slot(
        self: &Arc<Self>,
        key: SlotKey,
        address: Arc<BrokerAddress>,
    ) -> Result<Connection, CallError> {
        let dialled = match self.connection_or_dial(key, address)? {
            Ok(connection) => return Ok(connection),
            Err(dialled) => dialled,
        };
        // The dial task can only vanish without a result when it is aborted by `close_pool`.
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
            // Whoever waited may have gone.
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
        let result = Connection::open(connector, address, broker_id, &self.config).await;
        let mut pool = lock(&self.pool);
        if pool.closed {
            return Err(CallError::cluster_closed());
        }
        let slot = pool.slots.entry(key).or_default();
        match &result {
            Ok(connection) => {
                slot.dial.on_up(clock::now());
                slot.line = Line::Up(connection.clone());
                drop(pool);
                self.note_versions(broker_id, connection.versions());
            }
            Err(error) => {
                tracing::debug!(%error, "dial failed");
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
