//! Carrying out what the transaction coordinator has decided.

use super::Cluster;
use super::nodes::{Condition, CoordinatorKind, GROUP_TOPIC};
use crate::Time;
use crate::history::Event;
use crate::log::MarkerToAppend;
use crate::producer_state::MarkerRule;
use crate::txn_coordinator::{MarkersDue, TxnPartition};
use milena_codec::ErrorCode;

/// What became of a marker.
enum Fate {
    /// It is in the log, or never has to be.
    Settled,
    /// Its partition's leader could not take it.
    Later,
    /// The log has something newer of its producer: as Kafka does, the coordinator gives up, and the
    /// transaction stays decided and unfinished.
    Refused,
}

impl Cluster {
    /// Writes the markers that are due, as far as the leaders of their partitions can take them.
    pub(super) fn write_markers(&mut self, now: Time) {
        while let Some(due) = self.transactions.markers_due(now) {
            self.wake.timer = true;
            let seat = self.seat(CoordinatorKind::Transaction, &due.transactional_id);
            let active = |broker_id| self.is_active(broker_id);
            if seat
                .broker_id
                .is_none_or(|id| seat.check(id, now).is_err() || !active(id))
            {
                // No coordinator is at work: the markers wait for the next one (D-44).
                continue;
            }
            let id = &due.transactional_id;
            for partition in &due.partitions {
                match self.write_marker(&due, partition, seat.epoch, now) {
                    Fate::Settled => self.transactions.marker_written(id, partition, now),
                    Fate::Later => {}
                    Fate::Refused => self.transactions.give_up_markers(id),
                }
            }
        }
    }

    /// Writes one marker.
    fn write_marker(
        &mut self,
        due: &MarkersDue,
        at: &TxnPartition,
        coordinator_epoch: i32,
        now: Time,
    ) -> Fate {
        if &*at.topic == GROUP_TOPIC {
            return self.end_pending_offsets(due, at, coordinator_epoch, now);
        }
        let Some(partition) = self
            .topics
            .get(&at.topic)
            .and_then(|topic| topic.partition(at.partition))
        else {
            // D-51: nobody is left to be told.
            return Fate::Settled;
        };
        if partition.markers_held || !partition.leader.is_some_and(|id| self.is_active(id)) {
            return Fate::Later;
        }
        if bug!(DropAbortMarker) && due.marker == milena_codec::record::Marker::Abort {
            return Fate::Settled;
        }
        let marker = MarkerToAppend {
            marker: due.marker,
            producer: due.producer,
            coordinator_epoch,
            rule: rule(due),
        };
        let Some(partition) = self
            .topics
            .get_mut(&at.topic)
            .and_then(|topic| topic.partition_mut(at.partition))
        else {
            return Fate::Settled;
        };
        let before = partition.log.bytes();
        let written = partition
            .log
            .append_marker(&marker, partition.leader_epoch, now);
        // A marker is written even where no memory is left for records: it is small, and what it ends may
        // be what has to go.
        let grown = partition.log.bytes().saturating_sub(before);
        self.log_bytes = self.log_bytes.saturating_add(grown);
        self.wake.logs = true;
        self.note_marker(due, at, written, now)
    }

    fn note_marker(
        &self,
        due: &MarkersDue,
        at: &TxnPartition,
        written: Result<i64, ErrorCode>,
        now: Time,
    ) -> Fate {
        match written {
            Ok(offset) => {
                let event = Event::MarkerWritten {
                    topic: at.topic.clone(),
                    partition: at.partition,
                    offset,
                    transactional_id: due.transactional_id.clone(),
                    producer: due.producer,
                    marker: due.marker,
                };
                self.history.record(now, event);
                Fate::Settled
            }
            Err(code) => {
                tracing::warn!(
                    transactional_id = %due.transactional_id,
                    topic = %at.topic,
                    partition = at.partition,
                    "a marker was refused: {code}"
                );
                Fate::Refused
            }
        }
    }

    /// The marker of a transaction that commits offsets, at the coordinator of their groups.
    fn end_pending_offsets(
        &mut self,
        due: &MarkersDue,
        at: &TxnPartition,
        coordinator_epoch: i32,
        now: Time,
    ) -> Fate {
        let seat = self.group_seats.at(at.partition);
        if !seat
            .broker_id
            .is_some_and(|id| self.is_active(id) && seat.check(id, now).is_ok())
        {
            return Fate::Later;
        }
        let ended = self.groups.offsets.end_transaction(
            at.partition,
            due.producer,
            due.marker,
            coordinator_epoch,
            rule(due),
            now,
        );
        self.wake.groups = true;
        // It has no place in a log that anybody could read.
        self.note_marker(due, at, ended.map(|()| -1), now)
    }

    /// Whether a broker does its work: it runs and is not paused.
    pub(crate) fn is_active(&self, broker_id: i32) -> bool {
        self.node(broker_id)
            .is_some_and(|node| node.condition == Condition::Running)
    }
}

const fn rule(due: &MarkersDue) -> MarkerRule {
    if due.bumps_epoch {
        MarkerRule::Newer
    } else {
        MarkerRule::NotOlder
    }
}
