//! Committed offsets, and those that wait for their transaction's marker.

use crate::Time;
use crate::cluster::nodes::partition_of;
use crate::producer_state::{MarkerRule, ProducerStates};
use milena_codec::record::Marker;
use milena_codec::{ErrorCode, ProducerId, ProducerIdentity, Sequence};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A partition as offsets are committed for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OffsetKey {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
}

/// An offset as it was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommittedOffset {
    /// Next to be read.
    pub(crate) offset: i64,
    /// Of the batch before it; -1 if it is not known.
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: Arc<str>,
}

/// An offset and its place among all commits: the later one wins, whenever its transaction ends (G-67).
#[derive(Clone, Debug)]
struct Placed {
    committed: CommittedOffset,
    place: u64,
}

type GroupId = Arc<str>;

/// The offsets of all groups.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    committed: BTreeMap<GroupId, BTreeMap<OffsetKey, Placed>>,
    /// By the partition of the offsets topic and the producer, whose marker decides about all of them.
    pending: BTreeMap<(i32, ProducerId), BTreeMap<(GroupId, OffsetKey), Placed>>,
    /// Whose transactions have something pending for a partition.
    open: BTreeMap<(GroupId, OffsetKey), BTreeSet<ProducerId>>,
    /// What each partition of the offsets topic knows of its transactional producers.
    producers: BTreeMap<i32, ProducerStates>,
    next_place: u64,
}

/// What OffsetFetch is told of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fetched {
    Committed(CommittedOffset),
    Nothing,
    /// A transaction that is not decided, or not known to be, has committed another one (G-71); a reader that does
    /// not ask for stable offsets gets the one before (G-72).
    Unstable,
}

impl Offsets {
    /// Commits an offset outside of any transaction.
    pub(crate) fn commit(&mut self, group: &GroupId, key: OffsetKey, committed: CommittedOffset) {
        let placed = self.place(committed);
        let offsets = self.committed.entry(group.clone()).or_default();
        offsets.insert(key, placed);
    }

    fn place(&mut self, committed: CommittedOffset) -> Placed {
        self.next_place += 1;
        let place = self.next_place;
        Placed { committed, place }
    }

    /// Notes that a transaction wants to commit offsets of a group, and says whether its coordinator must be
    /// asked first.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidProducerEpoch`] for an epoch that is known to be over (S-95).
    pub(crate) fn start_verification(
        &mut self,
        group: &str,
        producer: ProducerIdentity,
        bumps_epoch: bool,
        now: Time,
    ) -> Result<bool, ErrorCode> {
        let producers = self.producers.entry(partition_of(group)).or_default();
        producers.start_verification(producer, Sequence::NONE, bumps_epoch, now)
    }

    /// Commits an offset as part of a transaction: it counts from the transaction's marker on.
    pub(crate) fn commit_pending(
        &mut self,
        group: &GroupId,
        producer: ProducerIdentity,
        key: OffsetKey,
        committed: CommittedOffset,
    ) {
        let partition = partition_of(group);
        let producers = self.producers.entry(partition).or_default();
        producers.joined(producer);
        let placed = self.place(committed);
        let pending = self.pending.entry((partition, producer.producer_id));
        let key = (group.clone(), key);
        pending.or_default().insert(key.clone(), placed);
        let open = self.open.entry(key).or_default();
        open.insert(producer.producer_id);
    }

    /// Ends a transaction on one partition of the offsets topic.
    ///
    /// # Errors
    /// What [`ProducerStates::check_marker`] refuses.
    pub(crate) fn end_transaction(
        &mut self,
        partition: i32,
        producer: ProducerIdentity,
        marker: Marker,
        coordinator_epoch: i32,
        rule: MarkerRule,
        now: Time,
    ) -> Result<(), ErrorCode> {
        let producers = self.producers.entry(partition).or_default();
        producers.check_marker(producer, coordinator_epoch, rule)?;
        producers.ended(producer, coordinator_epoch, now.unix_millis());
        let ended = self.pending.remove(&(partition, producer.producer_id));
        for (key, placed) in ended.into_iter().flatten() {
            if let Some(open) = self.open.get_mut(&key) {
                open.remove(&producer.producer_id);
                if open.is_empty() {
                    self.open.remove(&key);
                }
            }
            if marker == Marker::Commit {
                let (group, key) = key;
                let offsets = self.committed.entry(group).or_default();
                let later = offsets
                    .get(&key)
                    .is_some_and(|existing| existing.place > placed.place);
                if !later {
                    offsets.insert(key, placed);
                }
            }
        }
        Ok(())
    }

    /// The offset of a partition.
    pub(crate) fn fetch(&self, group: &str, key: &OffsetKey, require_stable: bool) -> Fetched {
        let group: GroupId = Arc::from(group);
        if require_stable && self.open.contains_key(&(group.clone(), key.clone())) {
            return Fetched::Unstable;
        }
        let placed = self
            .committed
            .get(&group)
            .and_then(|offsets| offsets.get(key));
        placed.map_or(Fetched::Nothing, |placed| {
            Fetched::Committed(placed.committed.clone())
        })
    }

    /// The partitions that a group has offsets for.
    pub(crate) fn keys(&self, group: &str) -> impl Iterator<Item = &OffsetKey> {
        let offsets = self.committed.get(group);
        offsets.into_iter().flat_map(BTreeMap::keys)
    }

    /// Whether a group has anything here, or waiting to be.
    #[cfg(test)]
    fn knows(&self, group: &str) -> bool {
        self.committed.contains_key(group) || self.open.keys().any(|(name, _)| **name == *group)
    }

    /// Deletes an offset, and what is pending for it.
    pub(crate) fn delete(&mut self, group: &str, key: &OffsetKey) {
        if let Some(offsets) = self.committed.get_mut(group) {
            offsets.remove(key);
            if offsets.is_empty() {
                self.committed.remove(group);
            }
        }
        let key = (Arc::from(group), key.clone());
        for producer_id in self.open.remove(&key).into_iter().flatten() {
            let at = (partition_of(group), producer_id);
            if let Some(pending) = self.pending.get_mut(&at) {
                pending.remove(&key);
            }
        }
    }

    /// Deletes everything of a group.
    pub(crate) fn delete_group(&mut self, group: &str) {
        let pending = self.open.keys().filter(|(name, _)| **name == *group);
        let pending: Vec<_> = pending.map(|(_, key)| key.clone()).collect();
        let committed: Vec<_> = self.keys(group).cloned().collect();
        for key in committed.into_iter().chain(pending) {
            self.delete(group, &key);
        }
    }

    /// Deletes everything of a topic that is gone.
    pub(crate) fn delete_topic(&mut self, topic: &str) {
        let mut gone: BTreeSet<_> = self.open.keys().cloned().collect();
        for (group, offsets) in &self.committed {
            gone.extend(offsets.keys().map(|key| (group.clone(), key.clone())));
        }
        for (group, key) in gone {
            if *key.topic == *topic {
                self.delete(&group, &key);
            }
        }
    }

    /// Forgets producers that have been idle for too long.
    pub(crate) fn expire_producers(&mut self, now: Time, after: std::time::Duration) {
        for producers in self.producers.values_mut() {
            producers.expire(now, after);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use milena_codec::ProducerEpoch;

    fn key() -> OffsetKey {
        OffsetKey {
            topic: Arc::from("t"),
            partition: 0,
        }
    }

    fn at(offset: i64) -> CommittedOffset {
        CommittedOffset {
            offset,
            leader_epoch: -1,
            metadata: Arc::from("m"),
        }
    }

    fn who(epoch: i16) -> ProducerIdentity {
        ProducerIdentity::new(ProducerId(9), ProducerEpoch(epoch))
    }

    struct Lab {
        offsets: Offsets,
        group: GroupId,
    }

    impl Lab {
        fn new() -> Self {
            let (offsets, group) = (Offsets::default(), Arc::from("g"));
            Self { offsets, group }
        }

        fn commit(&mut self, offset: i64) {
            self.offsets.commit(&self.group, key(), at(offset));
        }

        fn pending(&mut self, offset: i64) {
            self.offsets
                .commit_pending(&self.group, who(0), key(), at(offset));
        }

        fn end(&mut self, marker: Marker) {
            let partition = partition_of("g");
            let ended = self.offsets.end_transaction(
                partition,
                who(1),
                marker,
                0,
                MarkerRule::Newer,
                Time::ZERO,
            );
            ended.unwrap();
        }

        fn fetch(&self, require_stable: bool) -> Option<i64> {
            match self.offsets.fetch("g", &key(), require_stable) {
                Fetched::Committed(committed) => Some(committed.offset),
                Fetched::Nothing => None,
                Fetched::Unstable => Some(-88),
            }
        }
    }

    /// G-71, G-72 as measured.
    #[test]
    fn a_pending_offset_shows_as_unstable_and_counts_from_its_commit_on() {
        let mut lab = Lab::new();
        lab.commit(5);
        lab.pending(7);
        assert_eq!((lab.fetch(true), lab.fetch(false)), (Some(-88), Some(5)));
        lab.end(Marker::Abort);
        assert_eq!(lab.fetch(true), Some(5));
        lab.pending(12);
        lab.end(Marker::Commit);
        assert_eq!(lab.fetch(true), Some(12));
    }

    /// G-67 as measured: plain 15 beats transactional 20 that was sent before and committed after it.
    #[test]
    fn the_later_commit_wins_whenever_its_transaction_ends() {
        let mut lab = Lab::new();
        lab.pending(20);
        lab.commit(15);
        lab.end(Marker::Commit);
        assert_eq!(lab.fetch(true), Some(15));
    }

    /// S-95.
    #[test]
    fn an_epoch_that_is_over_may_not_commit() {
        let mut lab = Lab::new();
        let start = |lab: &mut Lab, epoch| {
            lab.offsets
                .start_verification("g", who(epoch), true, Time::ZERO)
        };
        assert_eq!(start(&mut lab, 0), Ok(true));
        lab.pending(1);
        assert_eq!(start(&mut lab, 0), Ok(false), "known here by now");
        lab.end(Marker::Commit);
        assert_eq!(start(&mut lab, 0), Err(ErrorCode::InvalidProducerEpoch));
        assert_eq!(start(&mut lab, 1), Ok(true));
    }

    #[test]
    fn a_deleted_topic_takes_its_offsets_with_it() {
        let mut lab = Lab::new();
        lab.commit(5);
        lab.pending(7);
        lab.offsets.delete_topic("other");
        assert!(lab.offsets.knows("g"));
        lab.offsets.delete_topic("t");
        assert!(!lab.offsets.knows("g"));
        assert_eq!(lab.fetch(true), None);
        lab.end(Marker::Commit);
        assert_eq!(lab.fetch(true), None);
    }
}
