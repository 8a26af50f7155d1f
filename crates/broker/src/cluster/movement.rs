//! Leaders and coordinators that change their brokers, and brokers that come and go.

use super::nodes::{Condition, CoordinatorKind, Seat, partition_of};
use super::{Cluster, Features};
use crate::Time;
use crate::history::Event;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Something that was asked of the cluster does not exist, or cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// No broker has this id.
    #[error("there is no broker {broker_id}")]
    UnknownBroker {
        /// The id.
        broker_id: i32,
    },
    /// The broker has been stopped.
    #[error("broker {broker_id} is stopped")]
    StoppedBroker {
        /// The broker.
        broker_id: i32,
    },
    /// The topic has no such partition.
    #[error("there is no partition {partition} of topic {topic}")]
    UnknownPartition {
        /// The topic's name.
        topic: String,
        /// The partition's number.
        partition: i32,
    },
}

impl Cluster {
    fn check_running(&self, broker_id: i32) -> Result<(), MoveError> {
        match self.nodes.get(&broker_id) {
            None => Err(MoveError::UnknownBroker { broker_id }),
            Some(node) if node.condition == Condition::Stopped => {
                Err(MoveError::StoppedBroker { broker_id })
            }
            Some(_) => Ok(()),
        }
    }

    /// Makes a broker the leader of a partition, in a new term; it becomes a replica if it was none.
    pub(crate) fn move_leader(
        &mut self,
        topic: &str,
        partition: i32,
        broker_id: i32,
        now: Time,
    ) -> Result<(), MoveError> {
        self.check_running(broker_id)?;
        let unknown = || MoveError::UnknownPartition {
            topic: topic.to_owned(),
            partition,
        };
        let Some((name, _)) = self.topics.get_key_value(topic) else {
            return Err(unknown());
        };
        let name = Arc::clone(name);
        let moved = self
            .topics
            .get_mut(topic)
            .and_then(|topic| topic.partition_mut(partition))
            .ok_or_else(unknown)?;
        if !moved.replicas.contains(&broker_id) {
            moved.replicas.push(broker_id);
        }
        moved.lead(Some(broker_id));
        let event = Event::LeaderMoved {
            topic: name,
            partition,
            broker_id: Some(broker_id),
            leader_epoch: moved.leader_epoch,
        };
        self.history.record(now, event);
        self.wake.logs = true;
        Ok(())
    }

    /// Gives the seat that a key belongs to to a broker, in a new term. It answers COORDINATOR_LOAD_IN_PROGRESS
    /// for as long as the settings say.
    pub(crate) fn move_coordinator(
        &mut self,
        kind: CoordinatorKind,
        key: &str,
        broker_id: i32,
        now: Time,
    ) -> Result<(), MoveError> {
        self.check_running(broker_id)?;
        let load_time = self.settings.coordinator_load_time;
        let seats = match kind {
            CoordinatorKind::Group => &mut self.group_seats,
            CoordinatorKind::Transaction => &mut self.transaction_seats,
        };
        if let Some(seat) = seats.of_mut(key) {
            seat.give_to(Some(broker_id));
            seat.loading_until = Some(now + load_time);
        }
        let moved = partition_of(key);
        let is_moved = |key: &str| partition_of(key) == moved;
        match kind {
            CoordinatorKind::Group => self.groups.unload(is_moved, now),
            CoordinatorKind::Transaction => self.transactions.take_over(is_moved, now),
        }
        let event = Event::CoordinatorMoved {
            key: Arc::from(key),
            broker_id,
        };
        self.history.record(now, event);
        self.wake.groups = true;
        self.wake.timer = true;
        Ok(())
    }

    /// Makes the coordinator of a key read its state for a while.
    pub(crate) fn load_coordinator(
        &mut self,
        kind: CoordinatorKind,
        key: &str,
        load_time: Duration,
        now: Time,
    ) {
        let seats = match kind {
            CoordinatorKind::Group => &mut self.group_seats,
            CoordinatorKind::Transaction => &mut self.transaction_seats,
        };
        if let Some(seat) = seats.of_mut(key) {
            seat.loading_until = Some(now + load_time);
        }
        self.wake.timer = true;
    }

    /// Changes what a broker is doing. Leaderships and seats leave a broker that stops; partitions without a
    /// leader get one when it is back.
    pub(crate) fn set_condition(
        &mut self,
        broker_id: i32,
        condition: Condition,
        now: Time,
    ) -> Result<(), MoveError> {
        let node = self
            .nodes
            .get_mut(&broker_id)
            .ok_or(MoveError::UnknownBroker { broker_id })?;
        node.condition = condition;
        if condition == Condition::Stopped {
            self.fetch_sessions.remove(&broker_id);
        }
        let running = self.running();
        self.elect(&running, now);
        self.reseat(&running, now);
        self.wake = super::Wake {
            logs: true,
            timer: true,
            groups: true,
        };
        Ok(())
    }

    fn elect(&mut self, running: &BTreeSet<i32>, now: Time) {
        for (name, topic) in &mut self.topics {
            for (number, partition) in (0..).zip(&mut topic.partitions) {
                if partition.elect(running) {
                    let event = Event::LeaderMoved {
                        topic: name.clone(),
                        partition: number,
                        broker_id: partition.leader,
                        leader_epoch: partition.leader_epoch,
                    };
                    self.history.record(now, event);
                }
            }
        }
    }

    fn reseat(&mut self, running: &BTreeSet<i32>, now: Time) {
        let loading_until = now + self.settings.coordinator_load_time;
        let mut spread = running.iter().copied().cycle();
        let mut reseat = |seat: &mut Seat| {
            let empty = !seat.broker_id.is_some_and(|id| running.contains(&id));
            if empty {
                seat.give_to(spread.next());
                seat.loading_until = Some(loading_until);
            }
            empty
        };
        let mut moved = BTreeSet::new();
        for (partition, seat) in (0..).zip(self.transaction_seats.iter_mut()) {
            if reseat(seat) {
                moved.insert(partition);
            }
        }
        let is_moved = |id: &str| moved.contains(&partition_of(id));
        self.transactions.take_over(is_moved, now);
        moved.clear();
        for (partition, seat) in (0..).zip(self.group_seats.iter_mut()) {
            if reseat(seat) {
                moved.insert(partition);
            }
        }
        self.groups
            .unload(|group_id| moved.contains(&partition_of(group_id)), now);
    }

    /// Changes the cluster's `transaction.version` while it runs (T-3, T-4).
    pub(crate) fn set_transaction_version(&mut self, transaction_version: i16) {
        self.features = Features {
            epoch: self.features.epoch.saturating_add(1),
            transaction_version,
        };
        self.transactions
            .set_transaction_version(transaction_version);
    }
}
