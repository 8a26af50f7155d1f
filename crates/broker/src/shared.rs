//! What all tasks of an embedded broker share: the cluster behind its lock, the clock, and who waits.

use crate::cluster::{Cluster, MarkerWait, Wake};
use crate::faults::Faults;
use crate::history::History;
use crate::versions::ServedVersions;
use crate::{Clock, Time};
use milena_codec::Limits;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::task::JoinSet;

/// Shared by every connection, the timer and the handle.
#[derive(Debug)]
pub(crate) struct Shared {
    cluster: Mutex<Cluster>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) history: History,
    pub(crate) faults: Faults,
    pub(crate) versions: ServedVersions,
    pub(crate) limits: Limits,
    /// How a Produce of version 2 waits for the markers of the transaction before.
    pub(crate) marker_wait: MarkerWait,
    logs: Notify,
    groups: Notify,
    timer: Notify,
    /// A broker is paused, resumed or stopped.
    conditions: Notify,
    next_connection: AtomicU64,
    /// Work that outlives its connection, and the timer.
    background: Mutex<JoinSet<()>>,
}

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Groups,
    Logs,
}

impl Shared {
    pub(crate) fn new(
        cluster: Cluster,
        clock: Arc<Clock>,
        history: History,
        versions: ServedVersions,
        limits: Limits,
        marker_wait: MarkerWait,
    ) -> Self {
        Self {
            cluster: Mutex::new(cluster),
            clock,
            history,
            faults: Faults::new(),
            versions,
            limits,
            marker_wait,
            logs: Notify::new(),
            groups: Notify::new(),
            timer: Notify::new(),
            conditions: Notify::new(),
            next_connection: AtomicU64::new(0),
            background: Mutex::default(),
        }
    }

    /// Does something with the cluster at this moment, then wakes whoever it concerns.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Cluster, Time) -> T) -> T {
        let (result, wake) = {
            let mut cluster = self.cluster.lock().unwrap_or_else(PoisonError::into_inner);
            let now = self.clock.now();
            (act(&mut cluster, now), cluster.take_wake())
        };
        let Wake {
            logs,
            timer,
            groups,
        } = wake;
        if logs {
            self.logs.notify_waiters();
        }
        if timer {
            self.timer.notify_one();
        }
        if groups {
            self.groups.notify_waiters();
        }
        result
    }

    /// Tries `attempt` now and after every change, until it gives something or the deadline has passed; then
    /// gives `None`.
    ///
    /// # Cancel safety
    /// As safe as `attempt`.
    pub(crate) async fn wait_until<T>(
        &self,
        change: Change,
        deadline: Time,
        mut attempt: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let source = match change {
            Change::Groups => &self.groups,
            Change::Logs => &self.logs,
        };
        loop {
            let mut changed = pin!(source.notified());
            // Registered before the attempt, so that no change falls between.
            changed.as_mut().enable();
            if let Some(result) = attempt() {
                return Some(result);
            }
            if self.clock.now() >= deadline {
                return None;
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = self.clock.sleep_until(deadline) => {}
            }
        }
    }

    /// Does what falls due, for as long as the broker is there.
    pub(crate) async fn keep_time(self: Arc<Self>) {
        loop {
            let next = self.with(|cluster, now| {
                cluster.tick(now);
                cluster.next_deadline()
            });
            tokio::select! {
                biased;
                () = self.clock.sleep_until(next) => {}
                () = self.timer.notified() => {}
            }
        }
    }

    /// Runs something that ends with the broker, if not before.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self
            .background
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }

    /// Ends everything that [`Shared::spawn`] runs.
    pub(crate) fn end_background(&self) {
        let mut tasks = self
            .background
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        tasks.abort_all();
    }

    pub(crate) fn next_connection_id(&self) -> u64 {
        self.next_connection.fetch_add(1, Ordering::Relaxed)
    }

    /// The next time that a broker is paused, resumed or stopped after this call.
    pub(crate) fn condition_change(&self) -> Notified<'_> {
        self.conditions.notified()
    }

    pub(crate) fn conditions_changed(&self) {
        self.conditions.notify_waiters();
    }
}
