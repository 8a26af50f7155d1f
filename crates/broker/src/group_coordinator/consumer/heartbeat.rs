//! ConsumerGroupHeartbeat: joining, going on, leaving, all in one request (G-40 to G-55).

use super::super::{Group, GroupCoordinator, GroupSettings};
use super::assign::{ASSIGNORS, assign};
use super::{
    AWAY, ConsumerGroup, ConsumerMember, MemberState, OwnedPartitions, Partitions, Topics,
};
use crate::Time;
use crate::pattern::Pattern;
use milena_codec::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What ConsumerGroupHeartbeat asks. Fields that are not sent have not changed.
#[derive(Clone, Debug)]
pub(crate) struct Heartbeat<'a> {
    pub(crate) group_id: &'a str,
    pub(crate) member_id: &'a str,
    pub(crate) member_epoch: i32,
    pub(crate) instance_id: Option<&'a str>,
    pub(crate) rack_id: Option<&'a str>,
    pub(crate) client_id: &'a str,
    pub(crate) client_host: &'a Arc<str>,
    pub(crate) rebalance_timeout: Option<Duration>,
    pub(crate) subscribed: Option<BTreeSet<Arc<str>>>,
    pub(crate) regex: Option<&'a str>,
    pub(crate) assignor: Option<&'a str>,
    pub(crate) owned: Option<Partitions>,
    /// Members make their own ids (v1, KIP-1082).
    pub(crate) makes_its_id: bool,
    /// What a member without an id would be called.
    pub(crate) fresh_member_id: Arc<str>,
}

/// What ConsumerGroupHeartbeat answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeartbeatAnswer {
    pub(crate) member_id: Arc<str>,
    pub(crate) member_epoch: i32,
    pub(crate) interval: Duration,
    /// All of it, if it has changed or was asked for (G-44).
    pub(crate) assignment: Option<Partitions>,
}

const JOINS: i32 = 0;
const LEAVES: i32 = -1;

impl Heartbeat<'_> {
    /// # Errors
    /// [`ErrorCode::InvalidRequest`], [`ErrorCode::UnsupportedAssignor`].
    fn check(&self) -> Result<(), ErrorCode> {
        let named = self.makes_its_id || self.member_epoch > JOINS || self.member_epoch == LEAVES;
        let empty = |text: Option<&str>| text.is_some_and(str::is_empty);
        let invalid = named && self.member_id.is_empty()
            || self.group_id.is_empty()
            || empty(self.instance_id)
            || empty(self.rack_id)
            || self.member_epoch < AWAY
            || self.member_epoch == AWAY && self.instance_id.is_none();
        // G-41.
        let joins_badly = self.member_epoch == JOINS
            && (self.rebalance_timeout.is_none()
                || !self.owned.as_ref().is_some_and(BTreeMap::is_empty)
                || self.subscribed.is_none() && self.regex.is_none());
        if invalid || joins_badly {
            return Err(ErrorCode::InvalidRequest);
        }
        if self.assignor.is_some_and(|name| !ASSIGNORS.contains(&name)) {
            return Err(ErrorCode::UnsupportedAssignor);
        }
        Ok(())
    }

    /// The expression for topics' names, if one is sent: the empty one takes back what was there.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidRegularExpression`].
    fn pattern(&self) -> Result<Option<Option<Pattern>>, ErrorCode> {
        match self.regex {
            None => Ok(None),
            Some("") => Ok(Some(None)),
            Some(source) => Ok(Some(Some(Pattern::new(source)?))),
        }
    }

    /// Everything is in it, as after a failure: the whole assignment is to be told.
    fn is_full(&self) -> bool {
        let subscribes = self.subscribed.is_some() || self.regex.is_some();
        self.rebalance_timeout.is_some() && subscribes && self.owned.is_some()
    }
}

impl GroupCoordinator {
    /// Answers ConsumerGroupHeartbeat.
    ///
    /// # Errors
    /// The codes of G-55, [`ErrorCode::UnknownMemberId`], [`ErrorCode::FencedMemberEpoch`],
    /// [`ErrorCode::GroupIdNotFound`].
    pub(crate) fn consumer_heartbeat(
        &mut self,
        request: &Heartbeat<'_>,
        topics: &impl Topics,
        now: Time,
    ) -> Result<HeartbeatAnswer, ErrorCode> {
        request.check()?;
        let settings = self.settings;
        if request.member_epoch < JOINS {
            return match self.groups.get_mut(request.group_id) {
                Some(Group::Consumer(group)) => group.leave(request),
                Some(Group::Classic(_)) | None => Err(ErrorCode::GroupIdNotFound),
            };
        }
        match self.groups.get(request.group_id) {
            Some(Group::Consumer(_)) => {}
            None | Some(Group::Classic(_)) if request.member_epoch != JOINS => {
                return Err(ErrorCode::GroupIdNotFound);
            }
            // Kafka would convert a classic group with members; see docs for the difference.
            Some(Group::Classic(group)) if !group.is_empty() => {
                return Err(ErrorCode::GroupIdNotFound);
            }
            Some(Group::Classic(_)) => {}
            None => self.check_room()?,
        }
        let group = self.groups.entry(Arc::from(request.group_id));
        let group = group.or_insert_with(|| Group::Consumer(Box::new(ConsumerGroup::new())));
        if matches!(group, Group::Classic(_)) {
            *group = Group::Consumer(Box::new(ConsumerGroup::new()));
        }
        match group {
            Group::Consumer(group) => group.heartbeat(request, topics, &settings, now),
            Group::Classic(_) => Err(ErrorCode::GroupIdNotFound),
        }
    }
}

impl ConsumerGroup {
    fn heartbeat(
        &mut self,
        request: &Heartbeat<'_>,
        topics: &impl Topics,
        settings: &GroupSettings,
        now: Time,
    ) -> Result<HeartbeatAnswer, ErrorCode> {
        let member_id: Arc<str> = if request.member_id.is_empty() {
            request.fresh_member_id.clone()
        } else {
            Arc::from(request.member_id)
        };
        let pattern = request.pattern()?;
        let known = self.members.contains_key(&member_id);
        if !known && self.members.len() >= settings.members_max {
            return Err(ErrorCode::GroupMaxSizeReached);
        }
        self.admit(&member_id, request, now)?;
        let before = self.members.get(&member_id).cloned();
        self.update(&member_id, request, settings, now);
        let resubscribed = self.subscribe(&member_id, request, pattern, topics);
        self.follow_topics(topics, resubscribed);
        self.reassign(settings, now);
        self.reconcile(&member_id, request.owned.as_ref(), resubscribed, now);
        let member = self.members.get(&member_id);
        let member = member.ok_or(ErrorCode::UnknownMemberId)?;
        let assigned_before = before.map(|member| member.assigned).unwrap_or_default();
        let tell = request.member_epoch == JOINS
            || request.is_full()
            || member.assigned != assigned_before;
        Ok(HeartbeatAnswer {
            member_id,
            member_epoch: member.epoch,
            interval: settings.consumer_heartbeat_interval,
            assignment: tell.then(|| member.assigned()),
        })
    }

    /// Makes sure that the member is one, and in an epoch that it may be in.
    fn admit(
        &mut self,
        member_id: &Arc<str>,
        request: &Heartbeat<'_>,
        now: Time,
    ) -> Result<(), ErrorCode> {
        let holder = request
            .instance_id
            .and_then(|instance_id| self.instances.get(instance_id))
            .cloned();
        if request.member_epoch == JOINS {
            match holder {
                Some(holder) if request.instance_id.is_some() => {
                    self.take_over(&holder, member_id, now)?;
                }
                Some(_) | None => {
                    self.members
                        .entry(member_id.clone())
                        .or_insert_with(|| new_member(request, now));
                }
            }
            if let Some(instance_id) = request.instance_id {
                // The seat of another name that it had is free, or it would be its for ever.
                self.instances.retain(|_, holder| holder != member_id);
                self.instances
                    .insert(Arc::from(instance_id), member_id.clone());
            }
            return Ok(());
        }
        if request.instance_id.is_some() {
            match holder {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(holder) if holder != *member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        let member = self.members.get(member_id);
        let member = member.ok_or(ErrorCode::UnknownMemberId)?;
        member.check_epoch(request.member_epoch, request.owned.as_ref())
    }

    /// A static member comes back, under a new id or its own: the seat must be free.
    fn take_over(
        &mut self,
        holder: &Arc<str>,
        member_id: &Arc<str>,
        now: Time,
    ) -> Result<(), ErrorCode> {
        let Some(member) = self.members.get(holder) else {
            return Ok(());
        };
        if member.epoch != AWAY {
            return Err(ErrorCode::UnreleasedInstanceId);
        }
        let mut member = member.clone();
        member.epoch = JOINS;
        member.previous_epoch = JOINS;
        member.session_until = now;
        self.members.remove(holder);
        self.members.insert(member_id.clone(), member);
        if let Some(target) = self.target.remove(holder) {
            self.target.insert(member_id.clone(), target);
        }
        Ok(())
    }

    /// Notes what the member says of itself.
    fn update(
        &mut self,
        member_id: &str,
        request: &Heartbeat<'_>,
        settings: &GroupSettings,
        now: Time,
    ) {
        let Some(member) = self.members.get_mut(member_id) else {
            return;
        };
        member.client_id = Arc::from(request.client_id);
        member.client_host = request.client_host.clone();
        member.session_until = now + settings.consumer_session_timeout;
        if let Some(instance_id) = request.instance_id {
            member.instance_id = Some(Arc::from(instance_id));
        }
        if let Some(rack_id) = request.rack_id {
            member.rack_id = Some(Arc::from(rack_id));
        }
        if let Some(timeout) = request.rebalance_timeout {
            member.rebalance_timeout = timeout;
        }
        if let Some(name) = request.assignor {
            member.assignor = ASSIGNORS.iter().copied().find(|known| *known == name);
        }
    }

    /// Takes over what the member wants to read, and looks up the topics that match its expression; says
    /// whether they are others than before. Each member's are looked up with its own heartbeats.
    fn subscribe(
        &mut self,
        member_id: &str,
        request: &Heartbeat<'_>,
        pattern: Option<Option<Pattern>>,
        topics: &impl Topics,
    ) -> bool {
        let Some(member) = self.members.get_mut(member_id) else {
            return false;
        };
        if let Some(named) = &request.subscribed {
            member.named.clone_from(named);
        }
        if let Some(pattern) = pattern {
            member.pattern = pattern;
        }
        let mut subscribed = member.named.clone();
        if let Some(pattern) = &member.pattern {
            let matching = topics.names().filter(|name| pattern.matches(name));
            subscribed.extend(matching.map(Arc::from));
        }
        let changed = member.subscribed != subscribed;
        member.subscribed = subscribed;
        changed
    }

    /// A new group epoch, if members want other topics or the topics have changed.
    fn follow_topics(&mut self, topics: &impl Topics, resubscribed: bool) {
        let names = self.members.values().flat_map(|member| &member.subscribed);
        let found = names.filter_map(|name| Some((name.clone(), topics.find(name)?)));
        let current: BTreeMap<_, _> = found.collect();
        if resubscribed || current != self.topics {
            self.topics = current;
            self.epoch = self.epoch.saturating_add(1);
        }
    }

    /// A new target, if the group epoch has gone up and the last target is old enough.
    fn reassign(&mut self, settings: &GroupSettings, now: Time) {
        let interval = settings.consumer_assignment_interval;
        let too_soon = self.assigned_at.is_some_and(|at| now.since(at) < interval);
        if self.assignment_epoch >= self.epoch || too_soon {
            return;
        }
        let mut votes: BTreeMap<&'static str, usize> = BTreeMap::new();
        for name in self.members.values().filter_map(|member| member.assignor) {
            *votes.entry(name).or_default() += 1;
        }
        let [default, ..] = ASSIGNORS;
        let preferred = votes.into_iter().max_by_key(|(_, count)| *count);
        let assignor = preferred.map_or(default, |(name, _)| name);
        self.target = assign(assignor, &self.members, &self.topics, &self.target);
        self.assignment_epoch = self.epoch;
        self.assigned_at = Some(now);
    }

    fn leave(&mut self, request: &Heartbeat<'_>) -> Result<HeartbeatAnswer, ErrorCode> {
        let answer = HeartbeatAnswer {
            member_id: Arc::from(request.member_id),
            member_epoch: request.member_epoch,
            interval: Duration::ZERO,
            assignment: None,
        };
        if let Some(instance_id) = request.instance_id {
            let holder = self.instances.get(instance_id);
            let holder = holder.ok_or(ErrorCode::UnknownMemberId)?;
            if **holder != *request.member_id {
                return Err(ErrorCode::FencedInstanceId);
            }
        }
        let Some((member_id, _)) = self.members.get_key_value(request.member_id) else {
            return Err(ErrorCode::UnknownMemberId);
        };
        let member_id = member_id.clone();
        if request.member_epoch != AWAY {
            self.fence(&[member_id]);
            return Ok(answer);
        }
        // G-53: what it has stays reserved until its session ends.
        if let Some(member) = self.members.get_mut(&member_id) {
            member.epoch = AWAY;
            member.revoking.clear();
            member.revoke_until = None;
            let epochs = member.assigned.values_mut().flat_map(BTreeMap::values_mut);
            epochs.for_each(|epoch| *epoch = 0);
        }
        Ok(answer)
    }
}

impl ConsumerMember {
    /// Whether the member may speak in this epoch (G-51).
    fn check_epoch(&self, epoch: i32, owned: Option<&Partitions>) -> Result<(), ErrorCode> {
        if epoch == self.epoch {
            return Ok(());
        }
        // The answer with the newer epoch may have been lost; what it owns tells.
        let lost = epoch < self.epoch
            && epoch == self.previous_epoch
            && owned.is_some_and(|owned| is_part_of(owned, &self.assigned));
        if lost {
            Ok(())
        } else {
            Err(ErrorCode::FencedMemberEpoch)
        }
    }
}

fn is_part_of(owned: &Partitions, assigned: &OwnedPartitions) -> bool {
    owned.iter().all(|(topic, partitions)| {
        let assigned = assigned.get(topic);
        assigned.is_some_and(|assigned| {
            partitions
                .iter()
                .all(|partition| assigned.contains_key(partition))
        })
    })
}

fn new_member(request: &Heartbeat<'_>, now: Time) -> ConsumerMember {
    ConsumerMember {
        instance_id: request.instance_id.map(Arc::from),
        rack_id: None,
        client_id: Arc::from(request.client_id),
        client_host: request.client_host.clone(),
        named: BTreeSet::new(),
        pattern: None,
        subscribed: BTreeSet::new(),
        assignor: None,
        rebalance_timeout: request.rebalance_timeout.unwrap_or_default(),
        epoch: JOINS,
        previous_epoch: LEAVES,
        state: MemberState::Stable,
        assigned: BTreeMap::new(),
        revoking: BTreeMap::new(),
        session_until: now,
        revoke_until: None,
    }
}
