//! Offsets as the commits that made them, in order: the last one that counts is the offset (G-67).

use super::super::GroupCoordinator;
use super::super::commit::Committer;
use super::super::offsets::{Fetched, OffsetKey};
use super::{GROUP, GROUPS, Protocol, World};
use crate::producer_state::MarkerRule;
use milena_codec::record::Marker;
use milena_codec::{ErrorCode, ProducerEpoch, ProducerId, ProducerIdentity};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Counts,
    Pending(ProducerId),
}

struct Commit {
    offset: i64,
    fate: Fate,
}

pub(super) struct Model {
    /// Version 2: every transaction is an epoch of its own.
    bumps_epoch: bool,
    commits: BTreeMap<(&'static str, OffsetKey), Vec<Commit>>,
    epochs: [i16; 2],
    /// Partitions of the offsets topic where each producer's transaction is open.
    open: [BTreeSet<i32>; 2],
}

impl Model {
    pub(super) fn new(bumps_epoch: bool) -> Self {
        Self {
            bumps_epoch,
            commits: BTreeMap::new(),
            epochs: [0; 2],
            open: [BTreeSet::new(), BTreeSet::new()],
        }
    }

    pub(super) fn committed(&mut self, group_id: &str, key: &OffsetKey, offset: i64) {
        self.push(group_id, key, offset, Fate::Counts);
    }

    fn push(&mut self, group_id: &str, key: &OffsetKey, offset: i64, fate: Fate) {
        let commits = self.commits.entry((name_of(group_id), key.clone()));
        let commits = commits.or_default();
        // A transaction's later commit for the same partition takes the place of its earlier one.
        commits.retain(|commit| fate == Fate::Counts || commit.fate != fate);
        commits.push(Commit { offset, fate });
    }

    pub(super) fn delete(&mut self, group_id: &str, key: &OffsetKey) {
        self.commits.remove(&(name_of(group_id), key.clone()));
    }

    pub(super) fn delete_group(&mut self, group_id: &str) {
        self.commits.retain(|(group, _), _| *group != group_id);
    }

    pub(super) fn delete_topic(&mut self, topic: &str) {
        self.commits.retain(|(_, key), _| *key.topic != *topic);
    }

    fn ended(&mut self, partition: i32, producer_id: ProducerId, marker: Marker) {
        for ((group_id, _), commits) in &mut self.commits {
            if GroupCoordinator::offsets_partition(group_id) != partition {
                continue;
            }
            let ends = |commit: &Commit| commit.fate == Fate::Pending(producer_id);
            if marker == Marker::Abort {
                commits.retain(|commit| !ends(commit));
            }
            for commit in commits.iter_mut().filter(|commit| ends(commit)) {
                commit.fate = Fate::Counts;
            }
        }
    }

    fn expected(
        &self,
        group_id: &'static str,
        key: &OffsetKey,
        require_stable: bool,
    ) -> Option<i64> {
        let commits = self.commits.get(&(group_id, key.clone()))?;
        let is_open = commits.iter().any(|commit| commit.fate != Fate::Counts);
        if require_stable && is_open {
            return Some(UNSTABLE);
        }
        let last = commits.iter().rfind(|commit| commit.fate == Fate::Counts);
        last.map(|commit| commit.offset)
    }
}

const UNSTABLE: i64 = -88;

fn name_of(group_id: &str) -> &'static str {
    let name = GROUPS.into_iter().find(|name| *name == group_id);
    name.unwrap_or(GROUP)
}

/// One of a few partitions.
pub(super) fn key(how: u8) -> OffsetKey {
    OffsetKey {
        topic: Arc::from(if how & 4 == 0 { "t" } else { "u" }),
        partition: i32::from(how % 2),
    }
}

impl World {
    /// TxnOffsetCommit: by a member, or by nobody, which is not fenced (4.7).
    pub(super) fn commit_in_transaction(&mut self, protocol: Protocol, slot: usize, how: u8) {
        let index = usize::from(how & 8 != 0);
        let is_zombie = how & 32 != 0;
        let epoch = self.offsets.epochs[index] - i16::from(is_zombie);
        let producer_id = ProducerId(7 + i64::from(how & 8));
        let producer = ProducerIdentity::new(producer_id, ProducerEpoch(epoch));
        let partition = GroupCoordinator::offsets_partition(GROUP);
        let bumps_epoch = self.offsets.bumps_epoch;
        let verified =
            self.groups
                .offsets
                .start_verification(GROUP, producer, bumps_epoch, self.now);
        match verified {
            Err(code) => {
                assert_eq!(code, ErrorCode::InvalidProducerEpoch);
                assert!(is_zombie, "S-95: the newest epoch is refused");
                return;
            }
            Ok(false) => {
                let is_open = self.offsets.open[index].contains(&partition);
                assert!(is_open && !is_zombie, "{producer} is taken for verified");
            }
            // The transaction coordinator refuses it.
            Ok(true) if is_zombie => return,
            Ok(true) => {}
        }
        let (member_id, instance_id, generation) = match how & 16 {
            0 => self.identity(protocol, slot),
            _ => (Arc::from(""), None, -1),
        };
        let committer = Committer {
            group_id: GROUP,
            member_id: &member_id,
            instance_id,
            generation,
        };
        let (to_commit, key) = self.next_commit(how);
        let offset = to_commit.offset;
        let before = to_commit.metadata.clone();
        let codes = self
            .groups
            .commit_in_transaction(&committer, producer, vec![to_commit]);
        match codes.as_deref() {
            Ok([ErrorCode::None]) => {
                self.check_may_commit(protocol, slot, &committer, &key);
                self.offsets.open[index].insert(partition);
                self.offsets
                    .push(GROUP, &key, offset, Fate::Pending(producer_id));
            }
            Ok(codes) => assert_eq!(
                (codes, &*before),
                (&[ErrorCode::OffsetMetadataTooLarge][..], "too long")
            ),
            // A stale epoch is translated (4.7).
            Err(code) => assert_ne!(*code, ErrorCode::StaleMemberEpoch),
        }
    }

    /// The markers of a producer's transaction reach the offsets; then once more, and those of an older epoch.
    pub(super) fn end_transaction(&mut self, how: u8) {
        let index = usize::from(how % 2);
        let producer_id = ProducerId(if index == 0 { 7 } else { 15 });
        let marker = if how & 2 == 0 {
            Marker::Commit
        } else {
            Marker::Abort
        };
        let bumps_epoch = self.offsets.bumps_epoch;
        let open = std::mem::take(&mut self.offsets.open[index]);
        if open.is_empty() {
            return;
        }
        let epoch = self.offsets.epochs[index];
        if bumps_epoch {
            self.offsets.epochs[index] += 1;
        }
        for partition in open {
            let mut end = |epoch: i16, rule| {
                let producer = ProducerIdentity::new(producer_id, ProducerEpoch(epoch));
                self.groups
                    .offsets
                    .end_transaction(partition, producer, marker, 0, rule, self.now)
            };
            if bumps_epoch {
                let late = Err(ErrorCode::InvalidProducerEpoch);
                assert_eq!(end(epoch, MarkerRule::Newer), late, "D-45");
                assert_eq!(end(epoch + 1, MarkerRule::Newer), Ok(()));
                assert_eq!(end(epoch + 1, MarkerRule::Newer), Ok(()));
                assert_eq!(end(epoch, MarkerRule::Newer), late, "D-45");
            } else {
                assert_eq!(end(epoch, MarkerRule::NotOlder), Ok(()));
                assert_eq!(end(epoch, MarkerRule::NotOlder), Ok(()));
            }
            self.offsets.ended(partition, producer_id, marker);
        }
    }

    /// What is committed is what the commits say: nothing pending shows before its marker, nor after an abort
    /// (G-67, G-71, G-72).
    pub(super) fn check_offsets(&self) {
        for (group_id, key) in GROUPS.iter().flat_map(|g| (0..8).map(|n| (*g, key(n)))) {
            for require_stable in [false, true] {
                let fetched = match self.groups.fetch_offset(group_id, &key, require_stable) {
                    Fetched::Committed(committed) => Some(committed.offset),
                    Fetched::Nothing => None,
                    Fetched::Unstable => Some(UNSTABLE),
                };
                let expected = self.offsets.expected(group_id, &key, require_stable);
                assert_eq!(
                    fetched, expected,
                    "{group_id} {key:?} stable: {require_stable}"
                );
            }
        }
    }
}
