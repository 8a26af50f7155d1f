//! The handle on an embedded broker.

pub(crate) mod records;

use crate::background::Background;
use crate::builder::BrokerBuilder;
use crate::cluster::Cluster;
use crate::cluster::nodes::{Condition, CoordinatorKind};
use crate::group_coordinator::offsets::{Fetched, OffsetKey};
use crate::network::Network;
use crate::shared::Shared;
use crate::{Clock, Faults, History, MoveError};
use bytes::Bytes;
use milena_codec::{ProducerEpoch, ProducerId};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::DuplexStream;

/// A running embedded cluster of one or more virtual brokers. Dropping it ends all of its tasks, closes
/// its ports and frees its memory.
#[derive(Debug)]
pub struct Broker {
    shared: Arc<Shared>,
    network: Network,
    /// The runtime it runs on, if that is its own; ends last.
    background: Option<Background>,
}

impl Broker {
    /// What it shall be like.
    pub fn builder() -> BrokerBuilder {
        BrokerBuilder::default()
    }

    pub(crate) fn run(shared: Arc<Shared>, network: Network) -> Self {
        shared.spawn(Arc::clone(&shared).keep_time());
        let broker = Self {
            shared,
            network,
            background: None,
        };
        for broker_id in broker.broker_ids() {
            broker.network.serve(broker_id, &broker.shared);
        }
        broker
    }

    /// Where clients may begin: `host:port` of every broker, in the order of their ids; `[host]:port` if the
    /// host is an IPv6 address.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.shared.with(|cluster, _| {
            cluster
                .nodes()
                .map(|(_, node)| &node.address)
                .map(|address| match address.host.contains(':') {
                    true => format!("[{}]:{}", address.host, address.port),
                    false => format!("{}:{}", address.host, address.port),
                })
                .collect()
        })
    }

    pub(crate) fn keep(&mut self, background: Background) {
        self.background = Some(background);
    }

    /// Where clients may begin, as one string of `bootstrap.servers`: the [`addresses`](Self::addresses) of all brokers,
    /// separated by commas.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.addresses().join(",")
    }

    /// The ports that [`BrokerBuilder::behind`] opened at its `nth` call, counted from 0, in the order of the
    /// brokers' ids: where a proxy has to connect to. Empty if there was no such call.
    #[must_use]
    pub fn ports_behind(&self, nth: usize) -> Vec<u16> {
        self.network.ports_behind(nth)
    }

    /// The ids of the brokers, from 1 on.
    #[must_use]
    pub fn broker_ids(&self) -> Vec<i32> {
        self.shared
            .with(|cluster, _| cluster.nodes().map(|(id, _)| id).collect())
    }

    /// Opens an in-memory connection to the broker that is told to clients as this host and port. It works
    /// whether the broker listens on a port or not, and nothing of the operating system takes part.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if no broker is there, [`io::ErrorKind::ConnectionRefused`] if it is
    /// stopped.
    pub fn connect(&self, host: &str, port: u16) -> io::Result<DuplexStream> {
        let Some(broker_id) = self.network.broker_at(host, port) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let stopped = self.shared.with(|cluster, _| {
            let node = cluster.node(broker_id);
            node.is_none_or(|node| node.condition == Condition::Stopped)
        });
        if stopped {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        self.network.connect(broker_id, &self.shared)
    }

    /// The clock that everything in it runs by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// What shall go wrong.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// What has happened.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.shared.history
    }

    /// Makes a broker the leader of a partition, in a new term.
    ///
    /// # Errors
    /// [`MoveError`].
    pub fn move_leader(
        &self,
        topic: &str,
        partition: i32,
        broker_id: i32,
    ) -> Result<(), MoveError> {
        self.shared
            .with(|cluster, now| cluster.move_leader(topic, partition, broker_id, now))
    }

    /// The leader of a partition and its term; `None` if there is none, or no such partition.
    #[must_use]
    pub fn leader(&self, topic: &str, partition: i32) -> Option<(i32, i32)> {
        self.shared.with(|cluster, _| {
            let (_, topic) = cluster.topic(topic)?;
            let partition = topic.partition(partition)?;
            Some((partition.leader?, partition.leader_epoch))
        })
    }

    /// What a partition holds: its batches in order, each as its bytes, control batches and all, whatever any
    /// reader may see of them.
    ///
    /// # Errors
    /// [`MoveError::UnknownPartition`].
    pub fn log(&self, topic: &str, partition: i32) -> Result<Vec<Bytes>, MoveError> {
        self.with_partition(topic, partition, |cluster, topic, partition| {
            let (_, topic) = cluster.topic(topic)?;
            Some(topic.partition(partition)?.log.batches().collect())
        })
    }

    /// The last stable offset and the high watermark of a partition.
    ///
    /// # Errors
    /// [`MoveError::UnknownPartition`].
    pub fn watermarks(&self, topic: &str, partition: i32) -> Result<(i64, i64), MoveError> {
        self.with_partition(topic, partition, |cluster, topic, partition| {
            let (_, topic) = cluster.topic(topic)?;
            let log = &topic.partition(partition)?.log;
            Some((log.last_stable_offset(), log.high_watermark()))
        })
    }

    /// The offset that a group has committed for a partition, and whether a transaction that is still to be
    /// decided may replace it.
    #[must_use]
    pub fn committed(&self, group: &str, topic: &str, partition: i32) -> (Option<i64>, bool) {
        let key = OffsetKey {
            topic: Arc::from(topic),
            partition,
        };
        self.shared.with(|cluster, _| {
            let offsets = &cluster.groups.offsets;
            let offset = match offsets.fetch(group, &key, false) {
                Fetched::Committed(committed) => Some(committed.offset),
                Fetched::Nothing | Fetched::Unstable => None,
            };
            let pending = offsets.fetch(group, &key, true) == Fetched::Unstable;
            (offset, pending)
        })
    }

    /// Gives a group or a transactional id, and those that share its seat, to a broker.
    ///
    /// # Errors
    /// [`MoveError`].
    pub fn move_coordinator(
        &self,
        kind: CoordinatorKind,
        key: &str,
        broker_id: i32,
    ) -> Result<(), MoveError> {
        self.shared
            .with(|cluster, now| cluster.move_coordinator(kind, key, broker_id, now))
    }

    /// The broker that coordinates a group or a transactional id; `None` if none is running.
    #[must_use]
    pub fn coordinator(&self, kind: CoordinatorKind, key: &str) -> Option<i32> {
        self.shared
            .with(|cluster, _| cluster.seat(kind, key).broker_id)
    }

    /// Makes the coordinator of a key answer COORDINATOR_LOAD_IN_PROGRESS for a while.
    pub fn load_coordinator(&self, kind: CoordinatorKind, key: &str, load_time: Duration) {
        self.shared
            .with(|cluster, now| cluster.load_coordinator(kind, key, load_time, now));
    }

    /// Stops a broker as a kill does: its connections end, its port refuses, its leaderships and seats go to
    /// others. Its data stays, since the replicas share it.
    ///
    /// # Errors
    /// [`MoveError::UnknownBroker`].
    ///
    /// # Cancel safety
    /// When dropped halfway, the broker is stopped and some of its connections may end a little later.
    pub async fn stop_broker(&self, broker_id: i32) -> Result<(), MoveError> {
        self.set_condition(broker_id, Condition::Stopped)?;
        self.network.stop(broker_id).await;
        Ok(())
    }

    /// Starts a stopped broker again, on the same port.
    ///
    /// # Errors
    /// What the operating system has against the port; [`io::ErrorKind::NotFound`] for an unknown broker.
    ///
    /// # Cancel safety
    /// When dropped halfway, the broker is stopped or started.
    pub async fn restart_broker(&self, broker_id: i32) -> io::Result<()> {
        self.network.restart(broker_id, &self.shared).await?;
        self.set_condition(broker_id, Condition::Running)
            .map_err(|_| io::ErrorKind::NotFound.into())
    }

    /// Whether a broker was stopped and not started again; `None` for one that does not exist.
    #[must_use]
    pub fn is_stopped(&self, broker_id: i32) -> Option<bool> {
        self.shared.with(|cluster, _| {
            let node = cluster.node(broker_id)?;
            Some(node.condition == Condition::Stopped)
        })
    }

    /// Makes a broker do nothing, as SIGSTOP does: connections stay open, requests wait, and what waits is
    /// done when it goes on.
    ///
    /// # Errors
    /// [`MoveError::UnknownBroker`].
    pub fn pause_broker(&self, broker_id: i32) -> Result<(), MoveError> {
        self.set_condition(broker_id, Condition::Paused)
    }

    /// Lets a paused broker go on.
    ///
    /// # Errors
    /// [`MoveError::UnknownBroker`].
    pub fn resume_broker(&self, broker_id: i32) -> Result<(), MoveError> {
        self.set_condition(broker_id, Condition::Running)
    }

    fn set_condition(&self, broker_id: i32, condition: Condition) -> Result<(), MoveError> {
        self.shared
            .with(|cluster, now| cluster.set_condition(broker_id, condition, now))?;
        self.shared.conditions_changed();
        Ok(())
    }

    /// Changes the finalized `transaction.version` while clients run. Numbers beyond 0, 1 and 2 are taken for
    /// the nearest.
    pub fn set_transaction_version(&self, version: i16) {
        let version = version.clamp(0, 2);
        self.shared
            .with(|cluster, _| cluster.set_transaction_version(version));
    }

    /// Changes how long transactions stay decided but invisible; see
    /// [`BrokerBuilder::marker_delay`](crate::BrokerBuilder::marker_delay).
    pub fn set_marker_delay(&self, delay: Duration) {
        self.shared
            .with(|cluster, _| cluster.transactions.set_marker_delay(delay));
    }

    /// Keeps back the markers of a partition, or lets them go: until then its transactions are decided and
    /// cannot complete.
    ///
    /// # Errors
    /// [`MoveError::UnknownPartition`].
    pub fn hold_markers(&self, topic: &str, partition: i32, hold: bool) -> Result<(), MoveError> {
        self.with_partition(topic, partition, |cluster, topic, partition| {
            let partition = cluster.topic_mut(topic)?.partition_mut(partition)?;
            partition.markers_held = hold;
            cluster.wake_timer();
            Some(())
        })
    }

    /// Stops the high watermark of a partition where it is, as when its followers no longer fetch, or lets
    /// it catch up.
    ///
    /// # Errors
    /// [`MoveError::UnknownPartition`].
    pub fn hold_high_watermark(
        &self,
        topic: &str,
        partition: i32,
        hold: bool,
    ) -> Result<(), MoveError> {
        self.with_partition(topic, partition, |cluster, topic, partition| {
            let partition = cluster.topic_mut(topic)?.partition_mut(partition)?;
            partition.log.hold_high_watermark(hold);
            cluster.wake_log_readers();
            Some(())
        })
    }

    /// Loses the records of a partition from an offset on, with whole batches, in a new term of its leader:
    /// what an unclean election does.
    ///
    /// # Errors
    /// [`MoveError::UnknownPartition`].
    pub fn truncate(&self, topic: &str, partition: i32, offset: i64) -> Result<(), MoveError> {
        self.with_partition(topic, partition, |cluster, topic, partition| {
            let partition = cluster.topic_mut(topic)?.partition_mut(partition)?;
            let before = partition.log.bytes();
            partition.log.truncate_to(offset);
            partition.lead(partition.leader);
            let gone = before.saturating_sub(partition.log.bytes());
            cluster.release(gone);
            cluster.wake_log_readers();
            Some(())
        })
    }

    /// Deletes what `retention.ms` and `retention.bytes` do not keep, and compacts the topics whose `cleanup.policy` says so,
    /// now and as if all segments had just been closed. The broker does both by its clock as well, with closed segments
    /// only: every 5 min (`log.retention.check.interval.ms`) and 15 s (`log.cleaner.backoff.ms`).
    pub fn clean_logs(&self) {
        self.shared.with(|cluster, now| cluster.clean_logs(now));
    }

    /// Makes a partition forget a producer, as its expiration does; says whether it did, which it does not while
    /// a transaction of it is open there.
    ///
    /// # Errors
    /// [`MoveError::UnknownPartition`].
    pub fn expire_producer(
        &self,
        topic: &str,
        partition: i32,
        producer_id: ProducerId,
    ) -> Result<bool, MoveError> {
        self.with_partition(topic, partition, |cluster, topic, partition| {
            let partition = cluster.topic_mut(topic)?.partition_mut(partition)?;
            Some(partition.log.producers_mut().forget(producer_id))
        })
    }

    /// Makes the coordinator forget a transactional id, as its expiration does; says whether it did, which it
    /// does not while a transaction is open.
    pub fn expire_transactional_id(&self, transactional_id: &str) -> bool {
        self.shared
            .with(|cluster, _| cluster.transactions.forget(transactional_id))
    }

    /// Sets the epoch of a transactional id, so that a test need not use up 32,766 of them; says whether the
    /// id is known.
    pub fn set_producer_epoch(&self, transactional_id: &str, epoch: ProducerEpoch) -> bool {
        self.shared
            .with(|cluster, _| cluster.transactions.set_epoch(transactional_id, epoch))
    }

    /// Where a transactional id stands; `None` if it is not known.
    #[must_use]
    pub fn transaction_state(&self, transactional_id: &str) -> Option<crate::TransactionState> {
        self.shared.with(|cluster, _| {
            let transaction = cluster.transactions.transaction(transactional_id);
            transaction.map(|transaction| transaction.state())
        })
    }

    fn with_partition<T>(
        &self,
        topic: &str,
        partition: i32,
        act: impl FnOnce(&mut Cluster, &str, i32) -> Option<T>,
    ) -> Result<T, MoveError> {
        self.shared
            .with(|cluster, _| act(cluster, topic, partition))
            .ok_or_else(|| MoveError::UnknownPartition {
                topic: topic.to_owned(),
                partition,
            })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.network.abort();
        self.shared.end_background();
    }
}
