//! Classic consumers: two dynamic ones, two that share the names of static ones.

use super::super::classic::{JoinAnswer, JoinGroup, JoinedMember, Leaver, SyncAnswer, SyncGroup};
use super::super::commit::Committer;
use super::super::offsets::OffsetKey;
use super::super::{Group, Outcome, Ticket};
use super::{GROUP, MEMBERS_MAX, Protocol, SECOND, World};
use crate::Time;
use bytes::Bytes;
use milena_codec::ErrorCode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const SESSIONS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(6)];
const SESSION_MAX: Duration = Duration::from_secs(6);
const REBALANCES: [Duration; 4] = [
    Duration::from_secs(4),
    Duration::from_secs(10),
    Duration::from_millis(500),
    Duration::ZERO,
];
/// The longest rebalance, and the wait for more members before the first.
const WAIT_MAX: Duration = Duration::from_secs(10 + 3);
/// A jump may leave what fell due on the way to the next.
const JUMP_MAX: Duration = Duration::from_secs(16);
const PAST_MAX: usize = 16;

type Instance = Option<&'static str>;

/// Somebody, as it names itself.
#[derive(Clone, Debug)]
struct Identity {
    member_id: Arc<str>,
    instance_id: Instance,
    generation: i32,
}

/// A consumer, as far as it knows.
struct Client {
    identity: Identity,
    /// It counts up whenever the consumer starts anew: answers to the one before are not its own.
    life: u32,
    /// As the leader it was told of these.
    leads: Option<Vec<JoinedMember>>,
    is_synced: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Join,
    Sync,
}

/// A request without an answer.
struct Waiter {
    ticket: Ticket,
    asked: Asked,
    since: Time,
    /// Whose answer it is; a zombie's is nobody's.
    whose: Option<(usize, u32)>,
    identity: Identity,
}

pub(super) struct Model {
    clients: [Client; 4],
    waiting: Vec<Waiter>,
    /// Who consumers were, for those that come back.
    past: Vec<Identity>,
    /// The newest generation that anybody was told of, its leader, and who was told.
    generation: i32,
    leader: Arc<str>,
    /// Who has its seat by now, under another id (G-30).
    successor: Option<Arc<str>>,
    members: BTreeMap<Arc<str>, Instance>,
    /// What its leader has said, by instance or else by member.
    assigned: Option<BTreeMap<Arc<str>, Bytes>>,
    /// When each was last heard from, and when all of them were last given time anew.
    heard: BTreeMap<Arc<str>, Time>,
    renewed: Time,
}

impl Model {
    pub(super) fn new() -> Self {
        let client = || Client {
            identity: Identity {
                member_id: Arc::from(""),
                instance_id: None,
                generation: -1,
            },
            life: 0,
            leads: None,
            is_synced: false,
        };
        Self {
            clients: std::array::from_fn(|_| client()),
            waiting: Vec::new(),
            past: Vec::new(),
            generation: 0,
            leader: Arc::from(""),
            successor: None,
            members: BTreeMap::new(),
            assigned: None,
            heard: BTreeMap::new(),
            renewed: Time::ZERO,
        }
    }

    /// The next group of the name begins at the first generation.
    pub(super) fn forget_group(&mut self) {
        self.generation = 0;
        self.members.clear();
        self.assigned = None;
    }

    pub(super) fn renewed(&mut self, now: Time) {
        self.renewed = now;
    }

    /// A commit keeps a session alive, whatever becomes of its offsets.
    pub(super) fn hears(&mut self, member_id: &str, now: Time) {
        self.heard.insert(Arc::from(member_id), now);
    }

    pub(super) fn check_nobody_waits(&self) {
        assert!(self.waiting.is_empty(), "a request is never answered");
    }

    /// One generation at a time: whoever is listened to was told of the newest (G-1).
    fn check_is_current(&self, who: &Identity, what: &str) {
        let is_member = self.members.contains_key(&who.member_id);
        assert!(
            who.generation == self.generation && is_member,
            "{what} of {who:?} in generation {}",
            self.generation
        );
    }

    fn begins_anew(&mut self, slot: usize) {
        let client = &mut self.clients[slot];
        client.identity.member_id = Arc::from("");
        client.identity.generation = -1;
        client.leads = None;
        client.is_synced = false;
        client.life += 1;
    }

    fn has_joined(&mut self, answer: &JoinAnswer, instance_id: Instance, now: Time) {
        assert!(
            answer.generation >= self.generation,
            "a generation goes back"
        );
        if answer.generation > self.generation {
            self.generation = answer.generation;
            self.members.clear();
            self.assigned = None;
            self.leader = answer.leader.clone().unwrap_or_default();
            self.successor = None;
            self.renewed = now;
        }
        if instance_id.is_some() {
            // G-30: who had the seat is fenced.
            let mut holders = self.members.iter().filter(|(_, i)| **i == instance_id);
            if holders.any(|(id, _)| *id == self.leader || self.successor.as_ref() == Some(id)) {
                self.successor = Some(answer.member_id.clone());
            }
            self.members.retain(|_, instance| *instance != instance_id);
        }
        self.members.insert(answer.member_id.clone(), instance_id);
        let leader = answer.leader.clone().unwrap_or_default();
        if leader != self.leader {
            let is_successor = self.successor.as_ref() == Some(&leader);
            assert!(
                instance_id.is_some() || is_successor,
                "two leaders: {leader} and {}",
                self.leader
            );
            self.leader = leader;
        }
        if !answer.members.is_empty() {
            assert_eq!(answer.leader.as_ref(), Some(&answer.member_id));
            let ids = answer.members.iter().map(|member| &member.member_id);
            assert!(ids.clone().any(|id| *id == answer.member_id));
            let instances = answer.members.iter().filter_map(|m| m.instance_id.as_ref());
            let mut instances: Vec<_> = instances.collect();
            let count = instances.len();
            instances.sort();
            instances.dedup();
            assert_eq!(instances.len(), count, "two members of one instance");
        }
    }
}

/// Whoever is told so begins anew (4.1).
fn is_nobody(code: ErrorCode) -> bool {
    [
        ErrorCode::UnknownMemberId,
        ErrorCode::FencedInstanceId,
        ErrorCode::GroupMaxSizeReached,
    ]
    .contains(&code)
}

impl World {
    pub(super) fn apply_classic(&mut self, operation: u8, slot: usize, how: u8) {
        match operation {
            0..=2 => self.join(slot, how),
            3 | 4 => self.sync(slot, how),
            5 => self.heartbeat(slot),
            6 => self.leave(slot, how),
            7 => self.zombie(how),
            8 => self.commit_as_member(slot, how),
            // Its connection breaks: it never sees the answer that it waits for.
            _ => self.classic.clients[slot].life += 1,
        }
    }

    /// Who a consumer says that it is, for a commit.
    pub(super) fn identity(
        &self,
        protocol: Protocol,
        slot: usize,
    ) -> (Arc<str>, Option<&'static str>, i32) {
        match protocol {
            Protocol::Classic => {
                let identity = self.classic.clients[slot].identity.clone();
                (
                    identity.member_id,
                    identity.instance_id,
                    identity.generation,
                )
            }
            Protocol::Consumer => self.consumer_identity(slot),
        }
    }

    fn join(&mut self, slot: usize, how: u8) {
        let host = self.host.clone();
        let fresh = self.fresh("m");
        if how & 16 != 0 {
            self.classic.begins_anew(slot);
        }
        let client = &mut self.classic.clients[slot];
        // The first is dynamic at first, but it may claim a name when it comes with the id that it was given.
        client.identity.instance_id = match slot {
            3 => Some("a"),
            2 if how & 32 == 0 => Some("b"),
            2 => Some("a"),
            0 if how & 32 != 0 && how & 16 == 0 => Some("b"),
            _ => None,
        };
        let (identity, life) = (client.identity.clone(), client.life);
        let names: &[&str] = match how & 2 {
            0 => &["range", "sticky"],
            _ => &["sticky"],
        };
        let request = JoinGroup {
            group_id: GROUP,
            member_id: &identity.member_id,
            instance_id: identity.instance_id,
            client_id: "c",
            client_host: &host,
            session_timeout: SESSIONS[usize::from(how / 4 % 2)],
            rebalance_timeout: REBALANCES[usize::from(how / 8 % 2) + usize::from(how & 3 == 3) * 2],
            protocol_type: "consumer",
            protocols: names
                .iter()
                .map(|name| (Arc::from(*name), Bytes::new()))
                .collect(),
            id_required: how & 1 == 0,
            may_skip_assignment: how & 4 == 0,
            fresh_member_id: fresh.clone(),
        };
        let kind = self.kind();
        let outcome = self.groups.join(request, self.now);
        self.note_kind(kind);
        let whose = Some((slot, life));
        match outcome {
            Outcome::Now(answer) => self.on_joined(whose, &identity, &answer),
            Outcome::Later(ticket) => {
                let mut identity = identity;
                if identity.member_id.is_empty() {
                    identity.member_id = fresh;
                }
                self.wait(ticket, Asked::Join, whose, identity);
            }
        }
    }

    fn wait(&mut self, ticket: Ticket, asked: Asked, whose: Option<(usize, u32)>, who: Identity) {
        self.classic.heard.insert(who.member_id.clone(), self.now);
        self.classic.waiting.push(Waiter {
            ticket,
            asked,
            since: self.now,
            whose,
            identity: who,
        });
    }

    fn on_joined(&mut self, whose: Option<(usize, u32)>, who: &Identity, answer: &JoinAnswer) {
        let (model, now) = (&mut self.classic, self.now);
        if answer.code == ErrorCode::None {
            model.has_joined(answer, who.instance_id, now);
            model.heard.insert(answer.member_id.clone(), now);
        }
        let Some((slot, life)) = whose else { return };
        if model.clients[slot].life != life {
            return;
        }
        let client = &mut model.clients[slot];
        if answer.code == ErrorCode::None {
            client.identity.member_id = answer.member_id.clone();
            client.identity.generation = answer.generation;
            let leads = answer.leader.as_ref() == Some(&answer.member_id);
            client.leads = leads.then(|| answer.members.clone());
            client.is_synced = false;
            let identity = client.identity.clone();
            model.past.push(identity);
            if model.past.len() > PAST_MAX {
                model.past.remove(0);
            }
        } else if answer.code == ErrorCode::MemberIdRequired {
            client.identity.member_id = answer.member_id.clone();
        } else if is_nobody(answer.code) || answer.code == ErrorCode::UnknownServerError {
            model.begins_anew(slot);
        }
    }

    fn sync(&mut self, slot: usize, how: u8) {
        let client = &self.classic.clients[slot];
        let mut assignments = BTreeMap::new();
        let leads = client.leads.clone().unwrap_or_default();
        for (nth, member) in leads.iter().enumerate() {
            if how >> nth & 1 == 0 {
                let name = self.fresh("assignment");
                let bytes = Bytes::copy_from_slice(name.as_bytes());
                assignments.insert(member.member_id.clone(), bytes);
            }
        }
        let client = &self.classic.clients[slot];
        let (identity, whose) = (client.identity.clone(), Some((slot, client.life)));
        self.sync_as(&identity, whose, assignments);
    }

    fn sync_as(
        &mut self,
        who: &Identity,
        whose: Option<(usize, u32)>,
        assignments: BTreeMap<Arc<str>, Bytes>,
    ) {
        let request = SyncGroup {
            group_id: GROUP,
            member_id: &who.member_id,
            instance_id: who.instance_id,
            generation: who.generation,
            protocol_type: Some("consumer"),
            protocol: None,
            assignments: assignments.clone(),
        };
        let outcome = self.groups.sync(request, self.now);
        match outcome {
            Outcome::Now(answer) => self.on_synced(whose, who, &answer),
            Outcome::Later(ticket) => {
                self.classic.check_is_current(who, "a sync");
                if self.classic.leader == who.member_id && self.classic.assigned.is_none() {
                    let by_seat = assignments.into_iter();
                    let by_seat = by_seat.map(|(id, bytes)| (self.seat(&id), bytes));
                    let by_seat = by_seat.collect();
                    self.classic.assigned = Some(by_seat);
                    self.classic.renewed = self.now;
                }
                self.wait(ticket, Asked::Sync, whose, who.clone());
            }
        }
    }

    /// Each is given what the leader of its generation has said, and nothing of another's.
    fn on_synced(&mut self, whose: Option<(usize, u32)>, who: &Identity, answer: &SyncAnswer) {
        let seat = self.seat(&who.member_id);
        let (model, now) = (&mut self.classic, self.now);
        if answer.code == ErrorCode::None {
            model.check_is_current(who, "an assignment");
            let Some(assigned) = &model.assigned else {
                panic!(
                    "an assignment of generation {} from nobody",
                    model.generation
                );
            };
            let expected = assigned.get(&seat).cloned().unwrap_or_default();
            assert_eq!(answer.assignment, expected, "{who:?}");
        }
        model.heard.insert(who.member_id.clone(), now);
        let Some((slot, life)) = whose else { return };
        if model.clients[slot].life != life {
            return;
        }
        if answer.code == ErrorCode::None {
            model.clients[slot].is_synced = true;
        } else if is_nobody(answer.code) {
            model.begins_anew(slot);
        } else {
            model.clients[slot].identity.generation = -1;
        }
    }

    /// A static member's place is its name's, whoever holds it (G-30); another's is its own.
    fn seat(&self, member_id: &Arc<str>) -> Arc<str> {
        let instance_id = match self.groups.group(GROUP) {
            Some(Group::Classic(group)) => {
                let member = group.members().find(|(id, _)| *id == member_id);
                member.and_then(|(_, member)| member.instance_id.clone())
            }
            _ => None,
        };
        instance_id.map_or_else(|| member_id.clone(), |name| Arc::from(format!("/{name}")))
    }

    fn heartbeat(&mut self, slot: usize) {
        let identity = self.classic.clients[slot].identity.clone();
        let code = self.heartbeat_as(&identity);
        match code {
            Ok(()) => {}
            Err(code) if is_nobody(code) => self.classic.begins_anew(slot),
            Err(_) => self.classic.clients[slot].identity.generation = -1,
        }
    }

    fn heartbeat_as(&mut self, who: &Identity) -> Result<(), ErrorCode> {
        let Identity {
            member_id,
            instance_id,
            generation,
        } = who;
        let beat = self
            .groups
            .heartbeat(GROUP, member_id, *instance_id, *generation, self.now);
        if matches!(beat, Ok(()) | Err(ErrorCode::RebalanceInProgress)) {
            self.classic.check_is_current(who, "a heartbeat");
            self.classic.heard.insert(member_id.clone(), self.now);
        }
        beat
    }

    fn leave(&mut self, slot: usize, how: u8) {
        let identity = self.classic.clients[slot].identity.clone();
        let by_instance = how & 1 != 0 && identity.instance_id.is_some();
        let leaver = Leaver {
            member_id: if by_instance { "" } else { &identity.member_id },
            instance_id: identity.instance_id,
        };
        let codes = self.groups.leave(GROUP, &[leaver, leaver], self.now);
        if let Ok(codes) = codes {
            let twice = codes == [ErrorCode::None, ErrorCode::None];
            let is_classic = matches!(self.groups.group(GROUP), Some(Group::Classic(_)));
            assert!(!(twice && is_classic), "somebody has left twice");
            if codes[0] == ErrorCode::None {
                let has_left = |id: &Arc<str>, instance: &Instance| {
                    *id == identity.member_id || by_instance && *instance == identity.instance_id
                };
                self.classic
                    .members
                    .retain(|id, instance| !has_left(id, instance));
            }
        }
        self.classic.begins_anew(slot);
    }

    /// Whoever was a member once speaks again.
    fn zombie(&mut self, how: u8) {
        let count = self.classic.past.len();
        let Some(back) = usize::from(how / 4).checked_rem(count) else {
            return;
        };
        let who = self.classic.past[count - 1 - back].clone();
        match how % 4 {
            0 => {
                let _ = self.heartbeat_as(&who);
            }
            1 => {
                let everybody: Vec<_> = self.classic.members.keys().cloned().collect();
                let claims = everybody
                    .into_iter()
                    .map(|id| (id, Bytes::from_static(b"mine")));
                self.sync_as(&who, None, claims.collect());
            }
            2 => self.commit_as(&who, how),
            _ => {
                // Without its name it is somebody else's id, or nobody's.
                let nameless = Identity {
                    instance_id: None,
                    ..who
                };
                let _ = self.heartbeat_as(&nameless);
            }
        }
    }

    fn commit_as_member(&mut self, slot: usize, how: u8) {
        let identity = self.classic.clients[slot].identity.clone();
        self.commit_as(&identity, how);
    }

    fn commit_as(&mut self, who: &Identity, how: u8) {
        let committer = Committer {
            group_id: GROUP,
            member_id: &who.member_id,
            instance_id: who.instance_id,
            generation: who.generation,
        };
        let had_members = self
            .groups
            .group(GROUP)
            .is_some_and(|group| !group.is_empty());
        if self.commit(&committer, how).is_some() {
            if who.generation >= 0 || had_members {
                self.classic.check_is_current(who, "a commit");
            }
            self.classic.heard.insert(who.member_id.clone(), self.now);
        }
    }

    /// A commit went through: was it by a member of the newest generation, or by nobody (4.7)?
    pub(super) fn check_may_commit(
        &self,
        protocol: Protocol,
        slot: usize,
        committer: &Committer<'_>,
        key: &OffsetKey,
    ) {
        if committer.generation < 0 {
            return;
        }
        match protocol {
            Protocol::Classic => {
                let identity = &self.classic.clients[slot].identity;
                self.classic.check_is_current(identity, "a commit");
            }
            Protocol::Consumer => self.check_may_commit_in_epoch(slot, committer.generation, key),
        }
    }

    /// Hands out the answers that are there.
    pub(super) fn take_answers(&mut self) {
        self.groups.take_answered();
        for waiter in std::mem::take(&mut self.classic.waiting) {
            let Waiter {
                ticket,
                asked,
                whose,
                ref identity,
                ..
            } = waiter;
            let answered = match asked {
                Asked::Join => self.groups.take_join(ticket).map(|answer| {
                    self.on_joined(whose, identity, &answer);
                }),
                Asked::Sync => self.groups.take_sync(ticket).map(|answer| {
                    self.on_synced(whose, identity, &answer);
                }),
            };
            if answered.is_none() {
                self.classic.waiting.push(waiter);
            }
        }
    }

    pub(super) fn check_classic_sessions(&self) {
        let model = &self.classic;
        for waiter in &model.waiting {
            let waited = self.now.since(waiter.since);
            let late = if self.jumps {
                JUMP_MAX * 2
            } else {
                Duration::ZERO
            };
            assert!(
                waited <= WAIT_MAX + late,
                "{:?} waits for ever",
                waiter.identity
            );
        }
        let Some(Group::Classic(group)) = self.groups.group(GROUP) else {
            return;
        };
        // Those of one generation and those that come for the next, and static ones that are waited for.
        assert!(group.members().count() <= 2 * MEMBERS_MAX + 2);
        for (id, _) in group.members() {
            let mut waiting = model.waiting.iter();
            if waiting.any(|waiter| waiter.identity.member_id == *id) {
                continue;
            }
            let heard = model.heard.get(id).copied().unwrap_or(Time::ZERO);
            let silent = self.now.since(heard.max(model.renewed));
            assert!(
                silent < SESSION_MAX,
                "{id} is silent for {silent:?} and still a member"
            );
        }
    }

    /// Three consumers join, and share an assignment.
    pub(super) fn settle_classic(&mut self) {
        for slot in 0..3 {
            self.classic.begins_anew(slot);
        }
        for _ in 0..60 {
            for slot in 0..3 {
                self.step(slot);
                self.take_answers();
            }
            self.check();
            self.pass(SECOND / 2);
        }
        let Some(Group::Classic(group)) = self.groups.group(GROUP) else {
            panic!("there is no group");
        };
        assert_eq!(group.state().name(), "Stable");
        assert_eq!(group.members().count(), 3);
        let generation = self.classic.generation;
        for client in &self.classic.clients[..3] {
            assert!(client.is_synced && client.identity.generation == generation);
        }
    }

    fn step(&mut self, slot: usize) {
        let client = &self.classic.clients[slot];
        let is_mine = |waiter: &Waiter| waiter.whose == Some((slot, client.life));
        if self.classic.waiting.iter().any(is_mine) {
            return;
        }
        if client.identity.generation < 0 {
            self.join(slot, 4);
        } else if client.is_synced {
            self.heartbeat(slot);
        } else {
            self.sync(slot, 0);
        }
    }
}
