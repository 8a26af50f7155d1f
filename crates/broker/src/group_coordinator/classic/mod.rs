//! A classic group: its members agree among themselves, the coordinator keeps time and passes on.
//!
//! ```text
//!            a member joins               all have joined, or time is up
//!   Empty --------------> PreparingRebalance ------------> CompletingRebalance
//!     ^                     ^         ^                      |
//!     | all are gone        |         | somebody joins,      | the leader's assignment
//!     +---------------------+         | leaves or is gone    v
//!                                     +------------------- Stable
//! ```

mod join;
mod sync;
mod timers;

#[cfg(test)]
mod tests;

use super::commit::Committer;
use super::{Desk, Ticket};
use crate::Time;
use bytes::Bytes;
use indexmap::IndexMap;
pub(crate) use join::{JoinAnswer, JoinGroup, JoinedMember};
use milena_codec::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
pub(crate) use sync::{Leaver, SyncAnswer, SyncGroup};
use timers::JoinDeadline;

/// Where a classic group stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ClassicState {
    #[default]
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl ClassicState {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

type MemberId = Arc<str>;

/// A member of a classic group.
#[derive(Clone, Debug)]
pub(crate) struct ClassicMember {
    pub(crate) instance_id: Option<Arc<str>>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    rebalance_timeout: Duration,
    session_timeout: Duration,
    /// Assignors by name, with what the member says to each; the first is its favourite.
    protocols: Vec<(Arc<str>, Bytes)>,
    pub(crate) assignment: Bytes,
    joining: Option<Ticket>,
    syncing: Option<Ticket>,
    /// It has not been told of any generation yet.
    is_new: bool,
    /// When it is given up, unless it is heard from.
    expires: Option<Time>,
}

impl ClassicMember {
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let said = self.protocols.iter().find(|(name, _)| **name == *protocol);
        said.map(|(_, metadata)| metadata.clone())
            .unwrap_or_default()
    }

    fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| **name == *protocol)
    }

    fn heard_from(&mut self, now: Time) {
        self.expires = Some(now + self.session_timeout);
    }
}

/// A classic group.
#[derive(Debug, Default)]
pub(crate) struct ClassicGroup {
    state: ClassicState,
    /// The state before; a group that was empty waits a little for more members.
    previous_state: ClassicState,
    generation: i32,
    protocol_type: Option<Arc<str>>,
    protocol: Option<Arc<str>>,
    leader: Option<MemberId>,
    members: IndexMap<MemberId, ClassicMember>,
    instances: BTreeMap<Arc<str>, MemberId>,
    /// Ids that were given out and have not come back, until when they may.
    pending_members: BTreeMap<MemberId, Time>,
    /// Members that have not asked for their assignment in this generation.
    pending_syncs: BTreeSet<MemberId>,
    join_deadline: Option<JoinDeadline>,
    sync_deadline: Option<Time>,
    new_member_added: bool,
}

impl ClassicGroup {
    pub(crate) fn state(&self) -> ClassicState {
        self.state
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn protocol_type(&self) -> Option<&str> {
        self.protocol_type.as_deref()
    }

    pub(crate) fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&Arc<str>, &ClassicMember)> {
        self.members.iter()
    }

    fn enter(&mut self, state: ClassicState) {
        self.previous_state = self.state;
        self.state = state;
    }

    fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// Whether this is a member (G-1), and the one that the seat of its instance belongs to.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownMemberId`], [`ErrorCode::FencedInstanceId`] (G-30).
    fn check_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.instances.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(holder) if **holder != *member_id => {
                    return Err(ErrorCode::FencedInstanceId);
                }
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) {
            Ok(())
        } else {
            Err(ErrorCode::UnknownMemberId)
        }
    }

    /// Whether offsets may be committed so.
    ///
    /// # Errors
    /// The tables of groups.md 4.5 and 4.7.
    pub(crate) fn check_commit(
        &self,
        committer: &Committer<'_>,
        in_transaction: bool,
    ) -> Result<(), ErrorCode> {
        if committer.generation < 0 && self.state == ClassicState::Empty {
            return Ok(());
        }
        let named = committer.generation >= 0
            || !committer.member_id.is_empty()
            || committer.instance_id.is_some();
        if named {
            self.check_member(committer.member_id, committer.instance_id)?;
            if committer.generation != self.generation {
                return Err(ErrorCode::IllegalGeneration);
            }
        } else if !in_transaction {
            return Err(ErrorCode::UnknownMemberId);
        }
        if !in_transaction && self.state == ClassicState::CompletingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    /// A commit keeps a session alive while there is no assignment to wait for.
    pub(crate) fn heard_from(&mut self, member_id: &str, now: Time) {
        let lasting = matches!(
            self.state,
            ClassicState::Stable | ClassicState::PreparingRebalance
        );
        if let Some(member) = self.members.get_mut(member_id).filter(|_| lasting) {
            member.heard_from(now);
        }
    }

    /// Answers Heartbeat.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownMemberId`], [`ErrorCode::FencedInstanceId`], [`ErrorCode::IllegalGeneration`],
    /// [`ErrorCode::RebalanceInProgress`].
    pub(crate) fn heartbeat(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: Time,
    ) -> Result<(), ErrorCode> {
        self.check_member(member_id, instance_id)?;
        if generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        if self.state == ClassicState::Empty {
            return Err(ErrorCode::UnknownMemberId);
        }
        if let Some(member) = self.members.get_mut(member_id) {
            member.heard_from(now);
        }
        if self.state == ClassicState::PreparingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    /// Takes a member out; who waited for an answer is not told.
    fn remove(&mut self, member_id: &str) -> Option<ClassicMember> {
        let removed = self.members.shift_remove(member_id);
        if let Some(instance_id) = removed
            .as_ref()
            .and_then(|member| member.instance_id.as_ref())
        {
            self.instances.remove(instance_id);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_members.remove(member_id);
        self.pending_syncs.remove(member_id);
        removed
    }

    fn longest_rebalance_timeout(&self) -> Duration {
        let timeouts = self.members.values().map(|member| member.rebalance_timeout);
        timeouts.max().unwrap_or_default()
    }

    fn all_have_joined(&self) -> bool {
        self.pending_members.is_empty()
            && self.members.values().all(|member| member.joining.is_some())
    }

    /// The protocol of the next generation: of those that all support, the one that most like best.
    fn elected_protocol(&self) -> Option<Arc<str>> {
        let first = self.members.values().next()?;
        let common = |name: &Arc<str>| self.members.values().all(|member| member.supports(name));
        let mut votes: IndexMap<Arc<str>, usize> = IndexMap::new();
        for (name, _) in first.protocols.iter().filter(|(name, _)| common(name)) {
            votes.insert(name.clone(), 0);
        }
        for member in self.members.values() {
            let favourite = member
                .protocols
                .iter()
                .find(|(name, _)| votes.contains_key(name));
            if let Some(count) = favourite.and_then(|(name, _)| votes.get_mut(name)) {
                *count += 1;
            }
        }
        let most = votes.values().max().copied()?;
        let elected = votes.into_iter().find(|(_, count)| *count == most);
        elected.map(|(name, _)| name)
    }

    /// The members as the leader has to know them.
    fn members_for_leader(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        self.members
            .iter()
            .map(|(id, member)| JoinedMember {
                member_id: id.clone(),
                instance_id: member.instance_id.clone(),
                metadata: member.metadata(protocol),
            })
            .collect()
    }

    fn answer_join(&mut self, desk: &mut Desk, member_id: &str, answer: JoinAnswer) {
        let member = self.members.get_mut(member_id);
        if let Some(ticket) = member.and_then(|member| member.joining.take()) {
            desk.answer_join(ticket, answer);
        }
    }

    fn answer_sync(&mut self, desk: &mut Desk, member_id: &str, answer: SyncAnswer) {
        let member = self.members.get_mut(member_id);
        if let Some(ticket) = member.and_then(|member| member.syncing.take()) {
            desk.answer_sync(ticket, answer);
        }
    }
}
