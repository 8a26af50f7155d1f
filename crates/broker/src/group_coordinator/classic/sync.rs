//! SyncGroup and LeaveGroup.

use super::super::{Desk, Group, GroupCoordinator, GroupSettings, Outcome};
use super::join::JoinAnswer;
use super::{ClassicGroup, ClassicState};
use crate::Time;
use bytes::Bytes;
use milena_codec::ErrorCode;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What SyncGroup asks.
#[derive(Clone, Debug)]
pub(crate) struct SyncGroup<'a> {
    pub(crate) group_id: &'a str,
    pub(crate) member_id: &'a str,
    pub(crate) instance_id: Option<&'a str>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<&'a str>,
    pub(crate) protocol: Option<&'a str>,
    /// From the leader: everybody's, by member id.
    pub(crate) assignments: BTreeMap<Arc<str>, Bytes>,
}

/// What SyncGroup answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyncAnswer {
    pub(crate) code: ErrorCode,
    pub(crate) protocol_type: Option<Arc<str>>,
    pub(crate) protocol: Option<Arc<str>>,
    pub(crate) assignment: Bytes,
}

/// Somebody who leaves, or is to be made to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaver<'a> {
    /// Empty if only the instance is known.
    pub(crate) member_id: &'a str,
    pub(crate) instance_id: Option<&'a str>,
}

impl SyncAnswer {
    pub(crate) fn refused(code: ErrorCode) -> Self {
        Self {
            code,
            protocol_type: None,
            protocol: None,
            assignment: Bytes::new(),
        }
    }
}

impl GroupCoordinator {
    /// Answers SyncGroup, at once or when the leader's assignment is there.
    pub(crate) fn sync(&mut self, request: SyncGroup<'_>, now: Time) -> Outcome<SyncAnswer> {
        let refused = |code| Outcome::Now(SyncAnswer::refused(code));
        if request.group_id.is_empty() {
            return refused(ErrorCode::InvalidGroupId);
        }
        match self.groups.get_mut(request.group_id) {
            Some(Group::Classic(group)) => group.sync(request, &mut self.desk, now),
            Some(Group::Consumer(_)) | None => refused(ErrorCode::UnknownMemberId),
        }
    }

    /// Answers LeaveGroup: a code for each who leaves.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidGroupId`], [`ErrorCode::UnknownMemberId`] if there is no such group.
    pub(crate) fn leave(
        &mut self,
        group_id: &str,
        leavers: &[Leaver<'_>],
        now: Time,
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        if group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        match self.groups.get_mut(group_id) {
            Some(Group::Classic(group)) => {
                Ok(group.leave(leavers, &mut self.desk, &self.settings, now))
            }
            Some(Group::Consumer(group)) => Ok(group.remove_static(leavers, now)),
            None => Err(ErrorCode::UnknownMemberId),
        }
    }

    /// Answers Heartbeat.
    ///
    /// # Errors
    /// As [`ClassicGroup::heartbeat`], and [`ErrorCode::InvalidGroupId`].
    pub(crate) fn heartbeat(
        &mut self,
        group_id: &str,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: Time,
    ) -> Result<(), ErrorCode> {
        if group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        match self.groups.get_mut(group_id) {
            Some(Group::Classic(group)) => group.heartbeat(member_id, instance_id, generation, now),
            Some(Group::Consumer(_)) | None => Err(ErrorCode::UnknownMemberId),
        }
    }
}

impl ClassicGroup {
    fn sync(&mut self, request: SyncGroup<'_>, desk: &mut Desk, now: Time) -> Outcome<SyncAnswer> {
        if let Err(code) = self.check_sync(&request) {
            return Outcome::Now(SyncAnswer::refused(code));
        }
        let member_id: Arc<str> = Arc::from(request.member_id);
        match self.state {
            // A member of an empty group does not exist.
            ClassicState::Empty => Outcome::Now(SyncAnswer::refused(ErrorCode::UnknownMemberId)),
            ClassicState::PreparingRebalance => {
                Outcome::Now(SyncAnswer::refused(ErrorCode::RebalanceInProgress))
            }
            ClassicState::CompletingRebalance => {
                self.synced(&member_id);
                let ticket = desk.open_sync();
                if let Some(member) = self.members.get_mut(&member_id)
                    && let Some(before) = member.syncing.replace(ticket)
                {
                    let code = ErrorCode::RebalanceInProgress;
                    desk.answer_sync(before, SyncAnswer::refused(code));
                }
                if self.is_leader(&member_id) {
                    self.distribute(request.assignments, desk, now);
                }
                Outcome::Later(ticket)
            }
            ClassicState::Stable => {
                self.synced(&member_id);
                if let Some(member) = self.members.get_mut(&member_id) {
                    member.heard_from(now);
                }
                Outcome::Now(self.assigned(&member_id))
            }
        }
    }

    fn check_sync(&self, request: &SyncGroup<'_>) -> Result<(), ErrorCode> {
        self.check_member(request.member_id, request.instance_id)?;
        if request.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs = |said: Option<&str>, is: Option<&str>| said.is_some() && said != is;
        if differs(request.protocol_type, self.protocol_type())
            || differs(request.protocol, self.protocol())
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(())
    }

    /// The member has asked; after the last one nobody has to be waited for.
    fn synced(&mut self, member_id: &str) {
        self.pending_syncs.remove(member_id);
        if self.pending_syncs.is_empty() {
            self.sync_deadline = None;
        }
    }

    /// The leader has decided: everybody gets an assignment, those it forgot an empty one.
    fn distribute(
        &mut self,
        mut assignments: BTreeMap<Arc<str>, Bytes>,
        desk: &mut Desk,
        now: Time,
    ) {
        for member_id in self.member_ids() {
            if let Some(member) = self.members.get_mut(&member_id) {
                member.assignment = assignments.remove(&member_id).unwrap_or_default();
                member.heard_from(now);
            }
            let answer = self.assigned(&member_id);
            self.answer_sync(desk, &member_id, answer);
        }
        self.enter(ClassicState::Stable);
    }

    fn assigned(&self, member_id: &str) -> SyncAnswer {
        let member = self.members.get(member_id);
        SyncAnswer {
            code: ErrorCode::None,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: member
                .map(|member| member.assignment.clone())
                .unwrap_or_default(),
        }
    }

    fn leave(
        &mut self,
        leavers: &[Leaver<'_>],
        desk: &mut Desk,
        settings: &GroupSettings,
        now: Time,
    ) -> Vec<ErrorCode> {
        let codes: Vec<_> = leavers
            .iter()
            .map(|leaver| {
                self.leave_one(leaver, desk)
                    .err()
                    .unwrap_or(ErrorCode::None)
            })
            .collect();
        if codes.contains(&ErrorCode::None) {
            match self.state {
                ClassicState::Stable | ClassicState::CompletingRebalance => {
                    self.rebalance_or_complete(desk, settings, now);
                }
                ClassicState::PreparingRebalance => self.complete_if_all_joined(desk, now),
                ClassicState::Empty => {}
            }
        }
        codes
    }

    fn leave_one(&mut self, leaver: &Leaver<'_>, desk: &mut Desk) -> Result<(), ErrorCode> {
        let member_id: Arc<str> = if leaver.member_id.is_empty() {
            let instance = leaver.instance_id.unwrap_or_default();
            let holder = self.instances.get(instance).cloned();
            holder.ok_or(ErrorCode::UnknownMemberId)?
        } else if self.pending_members.remove(leaver.member_id).is_some() {
            return Ok(());
        } else {
            self.check_member(leaver.member_id, leaver.instance_id)?;
            Arc::from(leaver.member_id)
        };
        self.dismiss(&member_id, desk);
        Ok(())
    }

    /// Takes a member out, and tells it so if it waits for something.
    pub(super) fn dismiss(&mut self, member_id: &str, desk: &mut Desk) {
        let code = ErrorCode::UnknownMemberId;
        self.answer_join(desk, member_id, JoinAnswer::refused(code, ""));
        self.answer_sync(desk, member_id, SyncAnswer::refused(code));
        self.remove(member_id);
    }
}
