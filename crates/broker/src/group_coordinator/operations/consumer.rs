//! KIP-848 consumers: two dynamic ones, two that share the names of static ones.

use super::super::Group;
use super::super::commit::Committer;
use super::super::consumer::{ASSIGNORS, Heartbeat, HeartbeatAnswer, Partitions, Topics};
use super::super::offsets::OffsetKey;
use super::{GROUP, MEMBERS_MAX, Protocol, SECOND, World};
use crate::Time;
use milena_codec::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub(super) const SESSION: Duration = Duration::from_secs(45);
const REBALANCES: [Duration; 2] = [Duration::from_secs(10), Duration::ZERO];

type At = (Uuid, i32);

/// A consumer, as far as it knows.
struct Client {
    member_id: Arc<str>,
    instance_id: Option<&'static str>,
    /// 0 outside of the group.
    epoch: i32,
    /// What it reads.
    owned: BTreeSet<At>,
    /// What it is to read.
    target: BTreeSet<At>,
    /// What it owns has changed since it last said so.
    is_unacked: bool,
    /// The last answer was lost: it has to say everything again (G-42).
    must_say_all: bool,
    subscribed: BTreeSet<Arc<str>>,
    rebalance_timeout: Duration,
}

/// Epochs that a member was told: the newest, and the one before it.
type Told = (i32, i32);

pub(super) struct Model {
    clients: [Client; 4],
    told: BTreeMap<Arc<str>, Told>,
    heard: BTreeMap<Arc<str>, Time>,
    renewed: Time,
}

impl Model {
    pub(super) fn new() -> Self {
        let client = || Client {
            member_id: Arc::from(""),
            instance_id: None,
            epoch: 0,
            owned: BTreeSet::new(),
            target: BTreeSet::new(),
            is_unacked: false,
            must_say_all: false,
            subscribed: BTreeSet::new(),
            rebalance_timeout: SECOND,
        };
        Self {
            clients: std::array::from_fn(|_| client()),
            told: BTreeMap::new(),
            heard: BTreeMap::new(),
            renewed: Time::ZERO,
        }
    }

    pub(super) fn forget_group(&mut self) {
        self.told.clear();
    }

    pub(super) fn renewed(&mut self, now: Time) {
        self.renewed = now;
    }
}

impl Client {
    fn is_out(&mut self) {
        self.epoch = 0;
        self.owned.clear();
        self.target.clear();
        self.is_unacked = false;
        self.must_say_all = false;
    }

    fn owned(&self) -> Partitions {
        let mut owned = Partitions::new();
        for (topic, partition) in &self.owned {
            owned.entry(*topic).or_default().insert(*partition);
        }
        owned
    }
}

/// Of a member that has nothing new to say.
pub(in super::super) fn heartbeat<'a>(
    host: &'a Arc<str>,
    member_id: &'a str,
    instance_id: Option<&'a str>,
    member_epoch: i32,
) -> Heartbeat<'a> {
    Heartbeat {
        group_id: GROUP,
        member_id,
        member_epoch,
        instance_id,
        rack_id: None,
        client_id: "c",
        client_host: host,
        rebalance_timeout: None,
        subscribed: None,
        regex: None,
        assignor: None,
        owned: None,
        makes_its_id: true,
        fresh_member_id: Arc::from(""),
    }
}

fn flat(partitions: &Partitions) -> BTreeSet<At> {
    let topics = partitions.iter();
    topics
        .flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
        .collect()
}

impl World {
    pub(super) fn apply_consumer(&mut self, operation: u8, slot: usize, how: u8) {
        match operation {
            0 | 1 => self.enter(slot, how),
            2..=4 => self.beat(slot, how),
            5 | 6 => self.follow(slot, how),
            7 => self.leave_group(slot, how),
            8 => self.beat_late(slot, how),
            _ => self.commit_in_epoch(slot, how),
        }
    }

    pub(super) fn consumer_identity(&self, slot: usize) -> (Arc<str>, Option<&'static str>, i32) {
        let client = &self.consumer.clients[slot];
        let epoch = if client.epoch == 0 { -1 } else { client.epoch };
        (client.member_id.clone(), client.instance_id, epoch)
    }

    fn subscription(how: u8) -> BTreeSet<Arc<str>> {
        let names: &[&str] = match how % 4 {
            0 => &["t"],
            1 => &["u"],
            2 => &["t", "u"],
            _ => &[],
        };
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    /// Joins, or joins again: it reads nothing any more (G-41).
    fn enter(&mut self, slot: usize, how: u8) {
        let fresh = self.fresh("c");
        let client = &mut self.consumer.clients[slot];
        client.is_out();
        if how & 16 != 0 || client.member_id.is_empty() {
            client.member_id = fresh;
        }
        client.instance_id = match slot {
            3 => Some("a"),
            2 if how & 32 == 0 => Some("b"),
            2 => Some("a"),
            _ => None,
        };
        client.subscribed = Self::subscription(how);
        client.rebalance_timeout = REBALANCES[usize::from(how & 12 == 12)];
        let assignor = ASSIGNORS.get(usize::from(how / 4 % 4)).copied();
        let is_lost = how & 32 != 0 && slot < 2;
        self.send(slot, None, assignor, is_lost);
    }

    /// A heartbeat that says what it has to, or all there is to say.
    fn beat(&mut self, slot: usize, how: u8) {
        let client = &mut self.consumer.clients[slot];
        if client.epoch == 0 {
            return;
        }
        let resubscribed = (how & 14 == 14).then(|| Self::subscription(how / 16));
        if let Some(subscribed) = &resubscribed {
            client.subscribed.clone_from(subscribed);
        }
        client.must_say_all |= how & 16 != 0;
        self.send(slot, resubscribed, None, how % 4 == 3);
    }

    fn send(
        &mut self,
        slot: usize,
        resubscribed: Option<BTreeSet<Arc<str>>>,
        assignor: Option<&'static str>,
        is_lost: bool,
    ) {
        let host = self.host.clone();
        let client = &self.consumer.clients[slot];
        let all = client.epoch == 0 || client.must_say_all;
        let member_id = client.member_id.clone();
        let request = Heartbeat {
            rebalance_timeout: all.then_some(client.rebalance_timeout),
            subscribed: resubscribed.or_else(|| all.then(|| client.subscribed.clone())),
            assignor,
            owned: (all || client.is_unacked).then(|| client.owned()),
            ..heartbeat(&host, &member_id, client.instance_id, client.epoch)
        };
        let said_owned = request.owned.is_some();
        let answer = self.hear(&request);
        let client = &mut self.consumer.clients[slot];
        let answer = match answer {
            _ if is_lost => {
                client.must_say_all = true;
                if said_owned {
                    // What it has said that it does not own may be another's by now: it must be told once more.
                    let owned = &client.owned;
                    client.target.retain(|at| owned.contains(at));
                }
                return;
            }
            Err(_) => return client.is_out(), // G-52, or it may not enter.
            Ok(answer) => answer,
        };
        assert!(!all || answer.assignment.is_some(), "G-44");
        client.epoch = answer.member_epoch;
        client.must_say_all = false;
        client.is_unacked = false;
        if let Some(assignment) = &answer.assignment {
            client.target = flat(assignment);
        }
    }

    /// The coordinator answers: was whoever spoke in an epoch that it was told of last (G-51)?
    fn hear(&mut self, request: &Heartbeat<'_>) -> Result<HeartbeatAnswer, ErrorCode> {
        let kind = self.kind();
        let answer = self
            .groups
            .consumer_heartbeat(request, &self.topics, self.now);
        self.note_kind(kind);
        let answer = answer?;
        let id: Arc<str> = Arc::from(request.member_id);
        assert_eq!(answer.member_id, id);
        if request.member_epoch < 0 {
            assert_eq!(answer.member_epoch, request.member_epoch);
            return Ok(answer);
        }
        self.consumer.heard.insert(id.clone(), self.now);
        let epoch = answer.member_epoch;
        assert!(epoch > 0, "a member without an epoch");
        if request.member_epoch == 0 {
            self.consumer.told.insert(id, (epoch, epoch));
            return Ok(answer);
        }
        let Some((newest, before)) = self.consumer.told.get_mut(&id) else {
            panic!("{id} was never told of an epoch");
        };
        let told_lost = request.member_epoch == *before && request.owned.is_some();
        assert!(
            request.member_epoch == *newest || told_lost,
            "G-51: {id} in epoch {} was told of {newest}, and of {before} before",
            request.member_epoch
        );
        assert!(epoch >= *newest, "an epoch goes back");
        if epoch > *newest {
            (*newest, *before) = (epoch, *newest);
        }
        Ok(answer)
    }

    /// Gives up what it is not to read any more, and then takes what it is to read (G-45).
    fn follow(&mut self, slot: usize, how: u8) {
        let client = &mut self.consumer.clients[slot];
        if client.epoch == 0 {
            return;
        }
        let before = client.owned.clone();
        let target = client.target.clone();
        client.owned.retain(|at| target.contains(at));
        if !how.is_multiple_of(4) {
            client.owned.extend(target);
        }
        client.is_unacked |= client.owned != before;
    }

    fn leave_group(&mut self, slot: usize, how: u8) {
        let host = self.host.clone();
        let client = &self.consumer.clients[slot];
        let is_for_now = client.instance_id.is_some() && how.is_multiple_of(2);
        let member_id = client.member_id.clone();
        let epoch = if is_for_now { -2 } else { -1 };
        let request = heartbeat(&host, &member_id, client.instance_id, epoch);
        let left = self.hear(&request);
        self.consumer.clients[slot].is_out();
        let is_member = match self.groups.group(GROUP) {
            Some(Group::Consumer(group)) => group.member_epoch(request.member_id).is_some(),
            _ => false,
        };
        assert!(left.is_err() || is_member == is_for_now, "G-53");
    }

    /// A heartbeat that was on the way for long, or is made up: nobody gets the answer.
    fn beat_late(&mut self, slot: usize, how: u8) {
        let host = self.host.clone();
        let client = &self.consumer.clients[slot];
        let id = client.member_id.clone();
        let told = self.consumer.told.get(&id).copied().unwrap_or_default();
        // In an epoch that is over it claims what it cannot own (G-51).
        let claims = (how >= 32 && told.1 < told.0).then(|| {
            let nobodys = Uuid::from_u128(1);
            Partitions::from([(nobodys, BTreeSet::from([0]))])
        });
        let epoch = match claims {
            Some(_) => told.1,
            None => client.epoch + i32::from(how % 8) - 4,
        };
        if epoch <= 0 {
            return;
        }
        let request = Heartbeat {
            owned: claims,
            ..heartbeat(&host, &id, client.instance_id, epoch)
        };
        let claimed = request.owned.is_some();
        if self.hear(&request).is_ok() {
            assert!(!claimed, "G-51: {id} claims what it does not own");
            self.consumer.clients[slot].must_say_all = true;
        }
    }

    /// In its epoch, or in one near to it.
    fn commit_in_epoch(&mut self, slot: usize, how: u8) {
        let (member_id, instance_id, epoch) = self.consumer_identity(slot);
        let committer = Committer {
            group_id: GROUP,
            member_id: &member_id,
            instance_id,
            generation: if how & 48 == 48 && epoch > 1 {
                epoch - 1
            } else {
                epoch
            },
        };
        let had_members = self
            .groups
            .group(GROUP)
            .is_some_and(|group| !group.is_empty());
        if let Some(key) = self.commit(&committer, how) {
            assert!(committer.generation >= 0 || !had_members);
            self.check_may_commit(Protocol::Consumer, slot, &committer, &key);
        }
    }

    /// G-64: in the epoch of the member, or in an older one if nobody else has the partition by now.
    pub(super) fn check_may_commit_in_epoch(&self, slot: usize, epoch: i32, key: &OffsetKey) {
        let client = &self.consumer.clients[slot];
        let Some((newest, _)) = self.consumer.told.get(&client.member_id) else {
            panic!("{} was never told of an epoch", client.member_id);
        };
        assert!(epoch <= *newest, "a commit of a later epoch");
        let topic = self.topics.find(&key.topic).map(|(topic, _)| topic);
        if let Some(topic) = topic.filter(|_| epoch < *newest) {
            let at = (topic, key.partition);
            let others = self
                .members()
                .filter(|other| other.member_id != client.member_id);
            let owners = others.filter(|other| other.owned.contains(&at)).count();
            assert_eq!(owners, 0, "a stale commit for another's {key:?}");
        }
    }

    /// The consumers that are in the group by both views.
    fn members(&self) -> impl Iterator<Item = &Client> {
        let is_member = |client: &Client| match self.groups.group(GROUP) {
            Some(Group::Consumer(group)) => {
                client.epoch > 0 && group.member_epoch(&client.member_id).is_some()
            }
            _ => false,
        };
        let clients = self.consumer.clients.iter();
        clients.filter(move |client| is_member(client))
    }

    /// No partition is read by two members, by what they know, nor given to two in the target (G-46).
    pub(super) fn check_ownership(&self) {
        let mut owners = BTreeMap::new();
        for client in self.members() {
            for at in &client.owned {
                let other = owners.insert(*at, client.member_id.clone());
                assert!(
                    other.is_none(),
                    "{at:?} of {other:?} and {}",
                    client.member_id
                );
            }
        }
        let Some(Group::Consumer(group)) = self.groups.group(GROUP) else {
            return;
        };
        let (mut targets, mut given) = (BTreeSet::new(), BTreeSet::new());
        for (id, member) in group.members() {
            for at in flat(&group.target(id)) {
                assert!(targets.insert(at), "{at:?} in two targets");
            }
            for at in flat(&member.assigned()) {
                assert!(given.insert(at), "{at:?} is given to two");
            }
        }
    }

    pub(super) fn check_consumer_sessions(&self) {
        let Some(Group::Consumer(group)) = self.groups.group(GROUP) else {
            return;
        };
        for (id, _) in group.members() {
            let heard = self.consumer.heard.get(id).copied().unwrap_or(Time::ZERO);
            let silent = self.now.since(heard.max(self.consumer.renewed));
            assert!(
                silent < SESSION,
                "{id} is silent for {silent:?} and still a member"
            );
        }
    }

    /// Three consumers are members in the end, and every partition that one wants is read by just one.
    pub(super) fn settle_consumer(&mut self) {
        for _ in 0..24 {
            for slot in 0..3 {
                if self.consumer.clients[slot].epoch == 0 {
                    self.enter(slot, 2);
                }
                self.beat(slot, 0);
                self.follow(slot, 1);
                self.beat(slot, 0);
            }
            self.check();
            self.pass(5 * SECOND);
        }
        let Some(Group::Consumer(group)) = self.groups.group(GROUP) else {
            panic!("there is no group");
        };
        assert_eq!(group.state().name(), "Stable");
        assert_eq!(
            self.members().count(),
            MEMBERS_MAX,
            "who could be is no member"
        );
        assert_eq!(group.members().count(), MEMBERS_MAX);
        let owned: BTreeSet<_> = self
            .members()
            .flat_map(|c| c.owned.iter().copied())
            .collect();
        for name in self.members().flat_map(|client| &client.subscribed) {
            let (topic, partitions) = self.topics.find(name).unwrap_or_default();
            for partition in 0..partitions {
                assert!(
                    owned.contains(&(topic, partition)),
                    "nobody reads {name}-{partition}"
                );
            }
        }
    }
}
