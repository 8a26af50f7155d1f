//! Any sequence of requests of four classic and four KIP-848 consumers for one group, with a few more groups that
//! only hold offsets.
//!
//! Two bytes are an operation and its argument. Consumers keep to the protocol, but answers to them get lost, they
//! fall silent, come back as somebody new, take each other's seats, and whoever was a member at some time may speak
//! again. What each was told is what the coordinator is held to; what may never happen is asserted after every
//! operation. The property test and the fuzz target are two sources of bytes.

#![expect(clippy::panic, reason = "a broken invariant is told by a panic")]

mod classic;
pub(super) mod consumer;
mod offsets;

use super::commit::{Committer, ToCommit};
use super::consumer::Topics;
use super::{Group, GroupCoordinator, GroupSettings};
use crate::Time;
use milena_codec::ErrorCode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A longer run finds no more, and takes longer.
const OPERATIONS_MAX: usize = 300;
const SECOND: Duration = Duration::from_secs(1);
/// The group with members; the others hold offsets only.
const GROUP: &str = "g";
const GROUPS: [&str; 4] = [GROUP, "h0", "h1", "h2"];
const MEMBERS_MAX: usize = 3;
const METADATA_BYTES_MAX: usize = 4;
/// As often as that may something fall due before it would be a timer that never rests.
const DEADLINES_MAX: usize = 2_000;

const TICKS_MAX: usize = 8;

struct World {
    groups: GroupCoordinator,
    topics: Catalog,
    now: Time,
    /// How many members and offsets have been named.
    names: u32,
    host: Arc<str>,
    /// Time jumps, so that much falls due at once; or else it goes from one deadline to the next.
    jumps: bool,
    classic: classic::Model,
    consumer: consumer::Model,
    offsets: offsets::Model,
}

/// Topics `t` and `u`: how many partitions, and how often they have been made anew.
struct Catalog(BTreeMap<&'static str, (i32, u128)>);

impl Topics for Catalog {
    fn find(&self, name: &str) -> Option<(Uuid, i32)> {
        let (partitions, made) = self.0.get(name)?;
        let first = name.bytes().next().unwrap_or_default();
        Some((Uuid::from_u128(u128::from(first) + made * 256), *partitions))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().copied()
    }
}

/// Whose requests are in the run.
#[derive(Clone, Copy)]
enum Protocol {
    Classic,
    Consumer,
}

/// Runs the operations in `data`, then lets everything settle. Panics if an invariant is broken.
pub(crate) fn run(data: &[u8]) {
    let Some((&[mode, settings], operations)) = data.split_first_chunk() else {
        return;
    };
    let mut world = World::new(settings);
    for &[operation, argument] in operations.as_chunks().0.iter().take(OPERATIONS_MAX) {
        let protocol = match mode % 3 {
            0 => Protocol::Classic,
            1 => Protocol::Consumer,
            _ if operation < 128 => Protocol::Classic,
            _ => Protocol::Consumer,
        };
        world.apply(protocol, operation % 16, argument);
        world.check();
    }
    world.settle();
}

impl World {
    fn new(settings: u8) -> Self {
        let is_set = |bit: u8| settings & bit != 0;
        let settings = GroupSettings {
            initial_rebalance_delay: if is_set(1) {
                3 * SECOND
            } else {
                Duration::ZERO
            },
            session_timeout_min: SECOND,
            session_timeout_max: 10 * SECOND,
            new_member_timeout: 60 * SECOND,
            members_max: MEMBERS_MAX,
            groups_max: 3,
            consumer_heartbeat_interval: 5 * SECOND,
            consumer_session_timeout: consumer::SESSION,
            consumer_assignment_interval: if is_set(2) { SECOND } else { Duration::ZERO },
            metadata_bytes_max: METADATA_BYTES_MAX,
        };
        Self {
            groups: GroupCoordinator::new(settings),
            topics: Catalog(BTreeMap::from([("t", (3, 0)), ("u", (2, 0))])),
            now: Time::from_unix_millis(1_000_000),
            names: 0,
            host: Arc::from("/memory"),
            jumps: is_set(4),
            classic: classic::Model::new(),
            consumer: consumer::Model::new(),
            offsets: offsets::Model::new(is_set(8)),
        }
    }

    fn kind(&self) -> Option<&'static str> {
        self.groups.group(GROUP).map(Group::kind_name)
    }

    /// A group that was empty has become one of the other kind, if it is not of this `kind` any more: that one
    /// begins anew.
    fn note_kind(&mut self, kind: Option<&'static str>) {
        if self.kind() != kind {
            self.classic.forget_group();
            self.consumer.forget_group();
        }
    }

    fn apply(&mut self, protocol: Protocol, operation: u8, argument: u8) {
        let slot = usize::from(argument % 4);
        let how = argument / 4;
        match (operation, protocol) {
            (0..=9, Protocol::Classic) => self.apply_classic(operation, slot, how),
            (0..=9, Protocol::Consumer) => self.apply_consumer(operation, slot, how),
            (10, _) => self.commit_in_transaction(protocol, slot, how),
            (11, _) => self.end_transaction(how),
            (12, _) => self.pass(Duration::from_millis(u64::from(argument) * 4)),
            (13, _) => self.pass(Duration::from_secs(u64::from(argument % 16))),
            (14, _) => self.change_topics(how),
            _ => self.administrate(slot, how),
        }
        self.take_answers();
    }

    fn fresh(&mut self, prefix: &str) -> Arc<str> {
        self.names += 1;
        Arc::from(format!("{prefix}{}", self.names))
    }

    /// Whether the group has members of this protocol, or could have.
    fn is_open_to(&self, protocol: Protocol) -> bool {
        match (self.groups.group(GROUP), protocol) {
            (Some(Group::Classic(group)), Protocol::Consumer) => group.is_empty(),
            (Some(Group::Consumer(group)), Protocol::Classic) => group.is_empty(),
            _ => true,
        }
    }

    fn change_topics(&mut self, how: u8) {
        let name = if how.is_multiple_of(2) { "t" } else { "u" };
        let Some((partitions, made)) = self.topics.0.get(name).copied() else {
            return;
        };
        match how / 2 % 4 {
            0 | 1 => {
                let more = (partitions + 1).min(5);
                self.topics.0.insert(name, (more, made));
            }
            2 => {
                self.topics.0.insert(name, (2, made + 1));
                self.groups.offsets.delete_topic(name);
                self.offsets.delete_topic(name);
            }
            _ => {
                self.groups
                    .offsets
                    .expire_producers(self.now, Duration::from_secs(10));
            }
        }
    }

    /// What is asked of groups by those who are no members, and what happens to their brokers.
    fn administrate(&mut self, slot: usize, how: u8) {
        let group_id = GROUPS[slot];
        match how % 4 {
            0 => {
                let is_empty = self.groups.group(group_id).map(Group::is_empty);
                let expected = match is_empty {
                    None => Err(ErrorCode::GroupIdNotFound),
                    Some(false) => Err(ErrorCode::NonEmptyGroup),
                    Some(true) => Ok(()),
                };
                assert_eq!(self.groups.delete(group_id), expected);
                if expected.is_ok() {
                    self.offsets.delete_group(group_id);
                    if group_id == GROUP {
                        self.classic.forget_group();
                        self.consumer.forget_group();
                    }
                }
            }
            1 => {
                let key = offsets::key(how / 4);
                if !self.groups.is_subscribed(group_id, &key.topic) {
                    self.groups.offsets.delete(group_id, &key);
                    self.offsets.delete(group_id, &key);
                }
            }
            2 => {
                self.groups.unload(|name| name == group_id, self.now);
                if group_id == GROUP {
                    self.classic.renewed(self.now);
                    self.consumer.renewed(self.now);
                }
            }
            _ => self.commit_as_nobody(group_id, how / 4),
        }
    }

    /// Offsets of a group without members.
    fn commit_as_nobody(&mut self, group_id: &'static str, how: u8) {
        let committer = Committer {
            group_id,
            member_id: "",
            instance_id: None,
            generation: -1,
        };
        let had_members = self
            .groups
            .group(group_id)
            .is_some_and(|group| !group.is_empty());
        if self.commit(&committer, how).is_some() {
            assert!(
                !had_members,
                "G-61: nobody commits for a group with members"
            );
        }
    }

    /// OffsetCommit for one partition, in a version that consumer groups understand; `None` if it was refused.
    fn commit(&mut self, committer: &Committer<'_>, how: u8) -> Option<super::offsets::OffsetKey> {
        let (to_commit, key) = self.next_commit(how);
        let is_too_long = to_commit.metadata.len() > METADATA_BYTES_MAX;
        let offset = to_commit.offset;
        let codes = self
            .groups
            .commit(committer, vec![to_commit], 9, self.now)
            .ok()?;
        if is_too_long {
            assert_eq!(codes, [ErrorCode::OffsetMetadataTooLarge]);
            self.classic.hears(committer.member_id, self.now);
            return None;
        }
        assert_eq!(codes, [ErrorCode::None]);
        self.offsets.committed(committer.group_id, &key, offset);
        Some(key)
    }

    fn next_commit(&mut self, how: u8) -> (ToCommit, super::offsets::OffsetKey) {
        self.names += 1;
        let key = offsets::key(how);
        let (topic_id, _) = self.topics.find(&key.topic).unwrap_or_default();
        let commit = ToCommit {
            key: key.clone(),
            topic_id,
            offset: i64::from(self.names),
            leader_epoch: -1,
            metadata: if how % 16 == 15 { "too long" } else { "m" }.to_owned(),
        };
        (commit, key)
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        if !self.jumps {
            self.pass_deadlines(until);
        }
        self.now = until;
        self.tick();
        self.check_sessions();
    }

    fn pass_deadlines(&mut self, until: Time) {
        for _ in 0..DEADLINES_MAX {
            match self.groups.next_deadline() {
                Some(deadline) if deadline <= until => {
                    self.now = self.now.max(deadline);
                    self.tick();
                }
                Some(_) | None => return,
            }
        }
        panic!("too much falls due");
    }

    /// Does what is due. One thing may make another due at once, but not for ever: the broker's timer would never
    /// rest, and let nobody else run.
    fn tick(&mut self) {
        for _ in 0..TICKS_MAX {
            self.groups.tick(self.now);
            self.take_answers();
            let next = self.groups.next_deadline();
            if next.is_none_or(|next| next > self.now) {
                return;
            }
        }
        panic!("something is done at {:?} and is due still", self.now);
    }

    /// A member that is not heard from is gone after its session, unless it waits for an answer; and nobody waits
    /// for ever.
    fn check_sessions(&self) {
        self.check_classic_sessions();
        self.check_consumer_sessions();
    }

    fn check(&self) {
        let groups = self.groups.iter().count();
        assert!(groups <= self.groups.settings.groups_max);
        if let Some(Group::Consumer(group)) = self.groups.group(GROUP) {
            assert!(group.members().count() <= MEMBERS_MAX);
        }
        self.check_ownership();
        self.check_offsets();
    }

    /// Everybody keeps to the protocol, and the group gets there; then they fall silent, and it is empty.
    fn settle(&mut self) {
        for group_id in GROUPS {
            if group_id != GROUP && self.groups.delete(group_id).is_ok() {
                self.offsets.delete_group(group_id);
            }
        }
        if self.is_open_to(Protocol::Classic) {
            self.settle_classic();
        } else {
            self.settle_consumer();
        }
        self.check();
        self.pass_deadlines(self.now + 120 * SECOND);
        self.take_answers();
        assert_eq!(self.groups.next_deadline(), None, "something never ends");
        let is_empty = self.groups.group(GROUP).is_none_or(Group::is_empty);
        assert!(is_empty, "a silent member stays for ever");
        self.classic.check_nobody_waits();
        self.end_transaction(0);
        self.end_transaction(1);
        self.check();
    }
}
