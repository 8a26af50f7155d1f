//! A consumer group (KIP-848): the coordinator assigns, members follow at their own pace.
//!
//! The *group epoch* goes up whenever what is to be assigned has changed; the *target assignment* is what
//! was made of it, in the *assignment epoch*. Each member moves towards the target by itself:
//!
//! ```text
//!            target changed, something to give up           it no longer owns it
//!   Stable ------------------------------> Unrevoked ----------------------------+
//!     ^  \                                                                       |
//!     |   \  nothing to give up, something is still another's                    v
//!     |    +-----------------------------> Unreleased <--------------------------+
//!     +----------------------------------------+   others have let go
//! ```
//!
//! A partition has a new owner only after the last one has said that it does not own it any more (G-46).

mod assign;
mod heartbeat;
mod reconcile;

#[cfg(test)]
mod tests;

use super::GroupSettings;
use super::classic::Leaver;
use crate::Time;
use crate::pattern::Pattern;
pub(crate) use assign::ASSIGNORS;
pub(crate) use heartbeat::{Heartbeat, HeartbeatAnswer};
use milena_codec::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Partitions by topic.
pub(crate) type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;
/// Partitions by topic, with the member's epoch when it got each.
type OwnedPartitions = BTreeMap<Uuid, BTreeMap<i32, i32>>;
type MemberId = Arc<str>;

/// A member that left for a moment has this epoch, until it comes back.
const AWAY: i32 = -2;

/// What a group has to know of the cluster's topics.
pub(crate) trait Topics {
    /// A topic's id and number of partitions.
    fn find(&self, name: &str) -> Option<(Uuid, i32)>;

    fn names(&self) -> impl Iterator<Item = &str>;
}

/// Where a consumer group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConsumerState {
    Empty,
    /// There is no target assignment for the latest group epoch yet.
    Assigning,
    /// Some members have yet to follow.
    Reconciling,
    Stable,
}

impl ConsumerState {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

/// Where a member stands on its way to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MemberState {
    Stable,
    /// It has to give something up first.
    Unrevoked,
    /// Others have to give something up for it.
    Unreleased,
}

/// A member of a consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerMember {
    pub(crate) instance_id: Option<Arc<str>>,
    pub(crate) rack_id: Option<Arc<str>>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    /// Topics that it subscribes to by their names.
    pub(crate) named: BTreeSet<Arc<str>>,
    /// Topics that it subscribes to by what they are called (KIP-848).
    pub(crate) pattern: Option<Pattern>,
    /// All of them, as they were at its last heartbeat.
    pub(crate) subscribed: BTreeSet<Arc<str>>,
    assignor: Option<&'static str>,
    rebalance_timeout: Duration,
    epoch: i32,
    previous_epoch: i32,
    state: MemberState,
    assigned: OwnedPartitions,
    revoking: OwnedPartitions,
    session_until: Time,
    /// In `Unrevoked`: until when it must have given up what it has to.
    revoke_until: Option<Time>,
}

impl ConsumerMember {
    pub(crate) fn epoch(&self) -> i32 {
        self.epoch
    }

    pub(crate) fn assigned(&self) -> Partitions {
        without_epochs(&self.assigned)
    }

    fn owns(&self, topic: Uuid, partition: i32) -> bool {
        let has = |owned: &OwnedPartitions| {
            let partitions = owned.get(&topic);
            partitions.is_some_and(|partitions| partitions.contains_key(&partition))
        };
        has(&self.assigned) || has(&self.revoking)
    }

    fn has_followed(&self, assignment_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == assignment_epoch
    }
}

fn without_epochs(owned: &OwnedPartitions) -> Partitions {
    let numbers = |partitions: &BTreeMap<i32, i32>| partitions.keys().copied().collect();
    owned
        .iter()
        .map(|(topic, partitions)| (*topic, numbers(partitions)))
        .collect()
}

/// A consumer group.
#[derive(Debug)]
pub(crate) struct ConsumerGroup {
    epoch: i32,
    assignment_epoch: i32,
    assigned_at: Option<Time>,
    target: BTreeMap<MemberId, Partitions>,
    members: BTreeMap<MemberId, ConsumerMember>,
    instances: BTreeMap<Arc<str>, MemberId>,
    /// The subscribed topics as they were when the group epoch last went up.
    topics: BTreeMap<Arc<str>, (Uuid, i32)>,
}

impl ConsumerGroup {
    pub(crate) fn new() -> Self {
        Self {
            // Kafka's groups begin at 1, so that the first member's epoch is 2.
            epoch: 1,
            assignment_epoch: 0,
            assigned_at: None,
            target: BTreeMap::new(),
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            topics: BTreeMap::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn epoch(&self) -> i32 {
        self.epoch
    }

    pub(crate) fn assignment_epoch(&self) -> i32 {
        self.assignment_epoch
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&Arc<str>, &ConsumerMember)> {
        self.members.iter()
    }

    pub(crate) fn target(&self, member_id: &str) -> Partitions {
        self.target.get(member_id).cloned().unwrap_or_default()
    }

    pub(crate) fn member_epoch(&self, member_id: &str) -> Option<i32> {
        self.members.get(member_id).map(|member| member.epoch)
    }

    /// The member's epoch when it got a partition that it still has, or is giving up (G-64).
    pub(crate) fn assigned_since(
        &self,
        member_id: &str,
        topic: Uuid,
        partition: i32,
    ) -> Option<i32> {
        let member = self.members.get(member_id)?;
        let since = |owned: &OwnedPartitions| owned.get(&topic)?.get(&partition).copied();
        since(&member.assigned).or_else(|| since(&member.revoking))
    }

    pub(crate) fn state(&self) -> ConsumerState {
        let followed = |member: &ConsumerMember| member.has_followed(self.assignment_epoch);
        if self.members.is_empty() {
            ConsumerState::Empty
        } else if self.epoch > self.assignment_epoch {
            ConsumerState::Assigning
        } else if self.members.values().all(followed) {
            ConsumerState::Stable
        } else {
            ConsumerState::Reconciling
        }
    }

    /// Gives up members that have not been heard from, or do not give up what they have to (G-50).
    pub(crate) fn tick(&mut self, now: Time) {
        let late = |member: &ConsumerMember| {
            member.session_until <= now || member.revoke_until.is_some_and(|until| until <= now)
        };
        let gone: Vec<_> = self
            .members
            .iter()
            .filter(|(_, member)| late(member))
            .map(|(id, _)| id.clone())
            .collect();
        self.fence(&gone);
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let sessions = self.members.values().map(|member| member.session_until);
        let revocations = self
            .members
            .values()
            .filter_map(|member| member.revoke_until);
        sessions.chain(revocations).min()
    }

    /// The seat has moved: the members' sessions begin anew (G-56).
    pub(crate) fn reload(&mut self, settings: &GroupSettings, now: Time) {
        for member in self.members.values_mut() {
            member.session_until = now + settings.consumer_session_timeout;
            if member.revoke_until.is_some() {
                member.revoke_until = Some(now + member.rebalance_timeout);
            }
        }
    }

    /// Takes members out; what they had is to be assigned anew.
    fn fence(&mut self, gone: &[MemberId]) {
        for member_id in gone {
            self.target.remove(member_id);
            if let Some(member) = self.members.remove(member_id)
                && let Some(instance_id) = member.instance_id
                && self.instances.get(&instance_id) == Some(member_id)
            {
                self.instances.remove(&instance_id);
            }
        }
        if !gone.is_empty() {
            self.epoch = self.epoch.saturating_add(1);
        }
    }

    /// LeaveGroup of an administrator: static members by their instances, others by their ids.
    pub(crate) fn remove_static(&mut self, leavers: &[Leaver<'_>], _now: Time) -> Vec<ErrorCode> {
        let mut gone = Vec::new();
        let codes = leavers
            .iter()
            .map(|leaver| match self.leaving(leaver) {
                Ok(member_id) => {
                    gone.push(member_id);
                    ErrorCode::None
                }
                Err(code) => code,
            })
            .collect();
        self.fence(&gone);
        codes
    }

    fn leaving(&self, leaver: &Leaver<'_>) -> Result<MemberId, ErrorCode> {
        let holder = leaver
            .instance_id
            .map(|instance_id| self.instances.get(instance_id));
        match holder {
            Some(None) => Err(ErrorCode::UnknownMemberId),
            Some(Some(holder)) if leaver.member_id.is_empty() || **holder == *leaver.member_id => {
                Ok(holder.clone())
            }
            Some(Some(_)) => Err(ErrorCode::FencedInstanceId),
            None => {
                let found = self.members.get_key_value(leaver.member_id);
                found
                    .map(|(id, _)| id.clone())
                    .ok_or(ErrorCode::UnknownMemberId)
            }
        }
    }
}
