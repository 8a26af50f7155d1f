//! Groups, with what they need of the rest of the cluster.

use super::Cluster;
use super::topics::Topic;
use crate::Time;
use crate::group_coordinator::Outcome;
use crate::group_coordinator::classic::{JoinAnswer, JoinGroup, Leaver, SyncAnswer, SyncGroup};
use crate::group_coordinator::consumer::{Heartbeat, HeartbeatAnswer, Topics};
use milena_codec::ErrorCode;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

impl Topics for BTreeMap<Arc<str>, Topic> {
    fn find(&self, name: &str) -> Option<(Uuid, i32)> {
        let topic = self.get(name)?;
        Some((topic.id, i32::try_from(topic.partitions.len()).ok()?))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.keys().map(AsRef::as_ref)
    }
}

impl Cluster {
    pub(crate) fn join_group(&mut self, request: JoinGroup<'_>, now: Time) -> Outcome<JoinAnswer> {
        let outcome = self.groups.join(request, now);
        self.wake_members();
        outcome
    }

    pub(crate) fn sync_group(&mut self, request: SyncGroup<'_>, now: Time) -> Outcome<SyncAnswer> {
        let outcome = self.groups.sync(request, now);
        self.wake_members();
        outcome
    }

    pub(crate) fn leave_group(
        &mut self,
        group_id: &str,
        leavers: &[Leaver<'_>],
        now: Time,
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        let left = self.groups.leave(group_id, leavers, now);
        self.wake_members();
        left
    }

    pub(crate) fn consumer_heartbeat(
        &mut self,
        request: &Heartbeat<'_>,
        now: Time,
    ) -> Result<HeartbeatAnswer, ErrorCode> {
        self.wake.timer = true;
        self.groups.consumer_heartbeat(request, &self.topics, now)
    }

    pub(super) fn tick_groups(&mut self, now: Time) {
        self.groups.tick(now);
        if self.groups.take_answered() {
            self.wake.groups = true;
        }
    }

    /// After something has happened in a group: who got an answer is to be woken, and deadlines may be nearer.
    fn wake_members(&mut self) {
        self.wake.timer = true;
        if self.groups.take_answered() {
            self.wake.groups = true;
        }
    }
}
