//! JoinGroup, and the rebalance that it begins.

use super::super::{Desk, Group, GroupCoordinator, GroupSettings, Outcome, Ticket};
use super::sync::SyncAnswer;
use super::timers::JoinDeadline;
use super::{ClassicGroup, ClassicMember, ClassicState};
use crate::Time;
use bytes::Bytes;
use milena_codec::ErrorCode;
use std::sync::Arc;
use std::time::Duration;

/// While none of a group's static members has come, at least this long until it is looked at again: their rebalance
/// timeout may be zero, and the broker's timer would never rest.
const LOOKS_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What JoinGroup asks.
#[derive(Clone, Debug)]
pub(crate) struct JoinGroup<'a> {
    pub(crate) group_id: &'a str,
    pub(crate) member_id: &'a str,
    pub(crate) instance_id: Option<&'a str>,
    pub(crate) client_id: &'a str,
    pub(crate) client_host: &'a Arc<str>,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: &'a str,
    pub(crate) protocols: Vec<(Arc<str>, Bytes)>,
    /// A member without an id is given one and has to come again (v4).
    pub(crate) id_required: bool,
    /// The client knows that an assignment may be skipped (v9).
    pub(crate) may_skip_assignment: bool,
    /// What a new member would be called.
    pub(crate) fresh_member_id: Arc<str>,
}

/// A member as the group's leader is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JoinedMember {
    pub(crate) member_id: Arc<str>,
    pub(crate) instance_id: Option<Arc<str>>,
    pub(crate) metadata: Bytes,
}

/// What JoinGroup answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JoinAnswer {
    pub(crate) code: ErrorCode,
    pub(crate) member_id: Arc<str>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<Arc<str>>,
    pub(crate) protocol: Option<Arc<str>>,
    pub(crate) leader: Option<Arc<str>>,
    pub(crate) skip_assignment: bool,
    pub(crate) members: Vec<JoinedMember>,
}

impl JoinAnswer {
    pub(crate) fn refused(code: ErrorCode, member_id: impl Into<Arc<str>>) -> Self {
        Self {
            code,
            member_id: member_id.into(),
            generation: -1,
            protocol_type: None,
            protocol: None,
            leader: None,
            skip_assignment: false,
            members: Vec::new(),
        }
    }
}

impl GroupCoordinator {
    /// Answers JoinGroup, at once or when the rebalance that it begins is over.
    pub(crate) fn join(&mut self, request: JoinGroup<'_>, now: Time) -> Outcome<JoinAnswer> {
        let refused = |code| Outcome::Now(JoinAnswer::refused(code, request.member_id));
        if request.group_id.is_empty() {
            return refused(ErrorCode::InvalidGroupId);
        }
        let sessions = self.settings.session_timeout_min..=self.settings.session_timeout_max;
        if !sessions.contains(&request.session_timeout) {
            return refused(ErrorCode::InvalidSessionTimeout);
        }
        match self.groups.get(request.group_id) {
            None if !request.member_id.is_empty() => return refused(ErrorCode::UnknownMemberId),
            None => {
                if let Err(code) = self.check_room() {
                    return refused(code);
                }
            }
            Some(Group::Consumer(group)) if !group.is_empty() => {
                // Kafka lets classic members into such a group; see docs for the difference.
                return refused(ErrorCode::InconsistentGroupProtocol);
            }
            Some(Group::Consumer(_)) if !request.member_id.is_empty() => {
                return refused(ErrorCode::UnknownMemberId);
            }
            Some(Group::Consumer(_)) => {
                self.groups.remove(request.group_id);
            }
            Some(Group::Classic(_)) => {}
        }
        let name: Arc<str> = Arc::from(request.group_id);
        let group = self
            .groups
            .entry(name)
            .or_insert_with(|| Group::Classic(Box::default()));
        match group {
            Group::Classic(group) => group.join(request, &mut self.desk, &self.settings, now),
            Group::Consumer(_) => refused(ErrorCode::InconsistentGroupProtocol),
        }
    }
}

impl ClassicGroup {
    fn join(
        &mut self,
        request: JoinGroup<'_>,
        desk: &mut Desk,
        settings: &GroupSettings,
        now: Time,
    ) -> Outcome<JoinAnswer> {
        if !self.has_room_for(request.member_id, settings.members_max) {
            self.remove(request.member_id);
            let refused = JoinAnswer::refused(ErrorCode::GroupMaxSizeReached, "");
            return Outcome::Now(refused);
        }
        if !self.supports(&request) {
            let code = ErrorCode::InconsistentGroupProtocol;
            return Outcome::Now(JoinAnswer::refused(code, request.member_id));
        }
        if request.member_id.is_empty() {
            return self.join_new(request, desk, settings, now);
        }
        if self.pending_members.contains_key(request.member_id) {
            if request.instance_id.is_some() {
                // Static members are not given ids beforehand (G-2); the name may be another's.
                let code = ErrorCode::UnknownServerError;
                return Outcome::Now(JoinAnswer::refused(code, request.member_id));
            }
            self.pending_members.remove(request.member_id);
            let member_id = Arc::from(request.member_id);
            return self.add(member_id, request, desk, settings, now);
        }
        if let Err(code) = self.check_member(request.member_id, request.instance_id) {
            return Outcome::Now(JoinAnswer::refused(code, request.member_id));
        }
        self.join_again(request, desk, settings, now)
    }

    fn has_room_for(&self, member_id: &str, members_max: usize) -> bool {
        match self.state {
            ClassicState::Empty => true,
            ClassicState::PreparingRebalance => {
                let joining = |member: &ClassicMember| member.joining.is_some();
                let waits = self.members.get(member_id).is_some_and(joining);
                waits
                    || self
                        .members
                        .values()
                        .filter(|member| joining(member))
                        .count()
                        < members_max
            }
            ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.members.contains_key(member_id) || self.members.len() < members_max
            }
        }
    }

    /// Whether the member speaks what the group speaks.
    fn supports(&self, request: &JoinGroup<'_>) -> bool {
        if self.members.is_empty() {
            return !request.protocol_type.is_empty() && !request.protocols.is_empty();
        }
        let common = |name: &Arc<str>| self.members.values().all(|member| member.supports(name));
        self.protocol_type.as_deref() == Some(request.protocol_type)
            && request.protocols.iter().any(|(name, _)| common(name))
    }

    fn join_new(
        &mut self,
        request: JoinGroup<'_>,
        desk: &mut Desk,
        settings: &GroupSettings,
        now: Time,
    ) -> Outcome<JoinAnswer> {
        let fresh = request.fresh_member_id.clone();
        if let Some(instance_id) = request.instance_id {
            // G-30: the seat is taken over at once.
            if let Some(holder) = self.instances.get(instance_id).cloned() {
                return self.replace(&holder, request, desk, settings, now);
            }
            return self.add(fresh, request, desk, settings, now);
        }
        if request.id_required {
            // G-2.
            if self.pending_members.len() >= settings.members_max {
                let refused = JoinAnswer::refused(ErrorCode::GroupMaxSizeReached, "");
                return Outcome::Now(refused);
            }
            self.pending_members
                .insert(fresh.clone(), now + request.session_timeout);
            return Outcome::Now(JoinAnswer::refused(ErrorCode::MemberIdRequired, fresh));
        }
        self.add(fresh, request, desk, settings, now)
    }

    fn add(
        &mut self,
        member_id: Arc<str>,
        request: JoinGroup<'_>,
        desk: &mut Desk,
        settings: &GroupSettings,
        now: Time,
    ) -> Outcome<JoinAnswer> {
        if self.state == ClassicState::PreparingRebalance
            && self.previous_state == ClassicState::Empty
        {
            self.new_member_added = true;
        }
        let instance_id: Option<Arc<str>> = request.instance_id.map(Arc::from);
        if let Some(instance_id) = &instance_id {
            self.instances
                .insert(instance_id.clone(), member_id.clone());
        }
        if self.members.is_empty() {
            self.protocol_type = Some(Arc::from(request.protocol_type));
        }
        let ticket = desk.open_join();
        let member = ClassicMember {
            instance_id,
            client_id: Arc::from(request.client_id),
            client_host: request.client_host.clone(),
            rebalance_timeout: request.rebalance_timeout,
            session_timeout: request.session_timeout,
            protocols: request.protocols,
            assignment: Bytes::new(),
            joining: Some(ticket),
            syncing: None,
            is_new: true,
            // It cannot send heartbeats yet.
            expires: Some(now + settings.new_member_timeout),
        };
        self.leader.get_or_insert_with(|| member_id.clone());
        self.members.insert(member_id, member);
        self.rebalance_or_complete(desk, settings, now);
        Outcome::Later(ticket)
    }

    fn update(&mut self, request: JoinGroup<'_>, member_id: &str, desk: &mut Desk) -> Ticket {
        let ticket = desk.open_join();
        if let Some(member) = self.members.get_mut(member_id) {
            member.protocols = request.protocols;
            member.rebalance_timeout = request.rebalance_timeout;
            member.session_timeout = request.session_timeout;
            // Whoever asked before has lost its connection, or it could not ask again.
            if let Some(before) = member.joining.replace(ticket) {
                let code = ErrorCode::RebalanceInProgress;
                desk.answer_join(before, JoinAnswer::refused(code, member_id));
            }
        }
        ticket
    }

    fn join_again(
        &mut self,
        request: JoinGroup<'_>,
        desk: &mut Desk,
        settings: &GroupSettings,
        now: Time,
    ) -> Outcome<JoinAnswer> {
        let member_id: Arc<str> = Arc::from(request.member_id);
        let same = self
            .members
            .get(&member_id)
            .is_some_and(|member| member.protocols == request.protocols);
        let leads = self.is_leader(&member_id);
        let joins = match self.state {
            ClassicState::PreparingRebalance => true,
            // It has not heard of the current generation.
            ClassicState::CompletingRebalance => !same,
            // The leader may have seen what it has to assign change.
            ClassicState::Stable => leads || !same,
            ClassicState::Empty => {
                let refused = JoinAnswer::refused(ErrorCode::UnknownMemberId, member_id);
                return Outcome::Now(refused);
            }
        };
        if !joins {
            let tell = leads && self.state == ClassicState::CompletingRebalance;
            return Outcome::Now(self.current(&member_id, tell));
        }
        let ticket = self.update(request, &member_id, desk);
        self.rebalance_or_complete(desk, settings, now);
        Outcome::Later(ticket)
    }

    /// A static member comes back under a new id (G-30).
    fn replace(
        &mut self,
        holder: &str,
        request: JoinGroup<'_>,
        desk: &mut Desk,
        settings: &GroupSettings,
        now: Time,
    ) -> Outcome<JoinAnswer> {
        let fresh = request.fresh_member_id.clone();
        let skips = request.may_skip_assignment;
        let leader_before = self.leader.clone();
        let fenced = ErrorCode::FencedInstanceId;
        self.answer_join(desk, holder, JoinAnswer::refused(fenced, holder));
        self.answer_sync(desk, holder, SyncAnswer::refused(fenced));
        if let Some(mut member) = self.members.shift_remove(holder) {
            member.is_new = false;
            member.heard_from(now);
            self.members.insert(fresh.clone(), member);
        }
        if self.is_leader(holder) {
            self.leader = Some(fresh.clone());
        }
        if let Some(instance_id) = request.instance_id {
            self.instances.insert(Arc::from(instance_id), fresh.clone());
        }
        let ticket = self.update(request, &fresh, desk);
        let unchanged =
            self.state == ClassicState::Stable && self.elected_protocol() == self.protocol;
        if unchanged {
            if let Some(member) = self.members.get_mut(&fresh) {
                member.joining = None;
            }
            let leads = self.is_leader(&fresh);
            let mut answer = self.current(&fresh, leads && skips);
            answer.skip_assignment = leads && skips;
            if !skips {
                // An older client must not believe that it leads, or it would assign anew.
                answer.leader = leader_before;
            }
            desk.answer_join(ticket, answer);
        } else if self.state == ClassicState::CompletingRebalance {
            self.prepare_rebalance(desk, settings, now);
        } else {
            self.rebalance_or_complete(desk, settings, now);
        }
        Outcome::Later(ticket)
    }

    /// The current generation, as a member is told of it.
    fn current(&self, member_id: &Arc<str>, with_members: bool) -> JoinAnswer {
        JoinAnswer {
            code: ErrorCode::None,
            member_id: member_id.clone(),
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            skip_assignment: false,
            members: if with_members {
                self.members_for_leader()
            } else {
                Vec::new()
            },
        }
    }

    /// After members have come, gone or changed: begins a rebalance, or ends the one under way.
    pub(super) fn rebalance_or_complete(
        &mut self,
        desk: &mut Desk,
        settings: &GroupSettings,
        now: Time,
    ) {
        match self.state {
            ClassicState::PreparingRebalance => self.complete_if_all_joined(desk, now),
            ClassicState::Empty | ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.prepare_rebalance(desk, settings, now);
            }
        }
    }

    /// Ends the rebalance under way if nobody is missing, and the group was not empty before it.
    pub(super) fn complete_if_all_joined(&mut self, desk: &mut Desk, now: Time) {
        if self.state == ClassicState::PreparingRebalance
            && self.previous_state != ClassicState::Empty
            && self.all_have_joined()
        {
            self.complete_join(desk, now);
        }
    }

    pub(super) fn prepare_rebalance(
        &mut self,
        desk: &mut Desk,
        settings: &GroupSettings,
        now: Time,
    ) {
        if self.state == ClassicState::CompletingRebalance {
            for member_id in self.member_ids() {
                if let Some(member) = self.members.get_mut(&member_id) {
                    member.assignment = Bytes::new();
                    if member.syncing.is_some() {
                        // Its session may have ended while it waited, which it was excused for.
                        member.heard_from(now);
                    }
                }
                let answer = SyncAnswer::refused(ErrorCode::RebalanceInProgress);
                self.answer_sync(desk, &member_id, answer);
            }
        }
        self.sync_deadline = None;
        let initial = self.state == ClassicState::Empty;
        self.enter(ClassicState::PreparingRebalance);
        if initial {
            let delay = settings.initial_rebalance_delay;
            let left = self.longest_rebalance_timeout().saturating_sub(delay);
            self.join_deadline = Some(JoinDeadline::initial(now, delay, left));
        } else if self.all_have_joined() {
            self.complete_join(desk, now);
        } else {
            let timeout = self.longest_rebalance_timeout();
            self.join_deadline = Some(JoinDeadline::regular(now + timeout));
        }
    }

    /// Ends the rebalance with whoever has joined: the next generation begins.
    pub(super) fn complete_join(&mut self, desk: &mut Desk, now: Time) {
        self.join_deadline = None;
        let absent = |member: &ClassicMember| member.joining.is_none();
        for member_id in self.member_ids() {
            let gone = |member: &ClassicMember| absent(member) && member.instance_id.is_none();
            if self.members.get(&member_id).is_some_and(gone) {
                self.remove(&member_id);
            }
        }
        if !self.members.is_empty() && !self.elect_joined_leader() {
            // Only static members, and none has come: wait on until their sessions end.
            let timeout = self.longest_rebalance_timeout().max(LOOKS_AGAIN_AFTER);
            self.join_deadline = Some(JoinDeadline::regular(now + timeout));
            return;
        }
        self.generation = self.generation.saturating_add(1);
        self.pending_syncs.clear();
        self.protocol = self.elected_protocol();
        if self.members.is_empty() {
            self.enter(ClassicState::Empty);
            return;
        }
        self.enter(ClassicState::CompletingRebalance);
        for member_id in self.member_ids() {
            let answer = self.current(&member_id, self.is_leader(&member_id));
            self.answer_join(desk, &member_id, answer);
            if let Some(member) = self.members.get_mut(&member_id) {
                member.heard_from(now);
                member.is_new = false;
            }
            self.pending_syncs.insert(member_id);
        }
        self.sync_deadline = Some(now + self.longest_rebalance_timeout());
    }

    /// Makes sure that the leader is one of those who have joined; says whether anybody has.
    fn elect_joined_leader(&mut self) -> bool {
        let has_joined = |id: &Arc<str>| {
            let member = self.members.get(id);
            member.is_some_and(|member| member.joining.is_some())
        };
        if self.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        let joined = self.members.keys().find(|id| has_joined(id)).cloned();
        let found = joined.is_some();
        if found {
            self.leader = joined;
        }
        found
    }

    pub(super) fn member_ids(&self) -> Vec<Arc<str>> {
        self.members.keys().cloned().collect()
    }
}
