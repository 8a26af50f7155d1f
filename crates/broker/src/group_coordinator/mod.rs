//! The group coordinator: members, generations, assignments, and offsets.
//!
//! A group is *classic* (its members agree on an assignment among themselves: JoinGroup, SyncGroup) or
//! *consumer* (KIP-848: the coordinator assigns, ConsumerGroupHeartbeat). An empty group becomes what
//! the next member asks for.
//!
//! Time is an argument. Requests that wait for other members get a [`Ticket`]; once it is answered, whoever
//! holds it is told by [`GroupCoordinator::take_join`] or [`GroupCoordinator::take_sync`].

pub(crate) mod classic;
pub(crate) mod commit;
pub(crate) mod consumer;
pub(crate) mod offsets;
#[cfg(any(test, feature = "_fuzzing"))]
pub(crate) mod operations;

#[cfg(test)]
mod tests;

use crate::Time;
use classic::{ClassicGroup, JoinAnswer, SyncAnswer};
use consumer::ConsumerGroup;
use milena_codec::ErrorCode;
use offsets::Offsets;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What the coordinator is configured with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupSettings {
    /// `group.initial.rebalance.delay.ms`.
    pub(crate) initial_rebalance_delay: Duration,
    /// `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
    pub(crate) session_timeout_min: Duration,
    pub(crate) session_timeout_max: Duration,
    /// How long a member may take to come back with the id that it was given, or wait in its first join.
    pub(crate) new_member_timeout: Duration,
    /// Members of one group.
    pub(crate) members_max: usize,
    /// Groups of the cluster.
    pub(crate) groups_max: usize,
    /// `group.consumer.heartbeat.interval.ms` and `group.consumer.session.timeout.ms`.
    pub(crate) consumer_heartbeat_interval: Duration,
    pub(crate) consumer_session_timeout: Duration,
    /// `group.consumer.assignment.interval.ms`.
    pub(crate) consumer_assignment_interval: Duration,
    /// `offset.metadata.max.bytes`.
    pub(crate) metadata_bytes_max: usize,
}

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// An answer, or the promise of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome<T> {
    Now(T),
    Later(Ticket),
}

/// Requests that wait. A ticket that nobody holds any more is dropped by [`Waiting::forget`]; an answer to
/// it goes nowhere.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    answers: BTreeMap<Ticket, Option<T>>,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self {
            answers: BTreeMap::new(),
        }
    }
}

impl<T> Waiting<T> {
    fn open(&mut self, ticket: Ticket) {
        self.answers.insert(ticket, None);
    }

    fn answer(&mut self, ticket: Ticket, answer: T) {
        if let Some(slot) = self.answers.get_mut(&ticket) {
            *slot = Some(answer);
        }
    }

    fn take(&mut self, ticket: Ticket) -> Option<T> {
        let answered = self.answers.get(&ticket).is_some_and(Option::is_some);
        if !answered {
            return None;
        }
        self.answers.remove(&ticket).flatten()
    }

    fn forget(&mut self, ticket: Ticket) {
        self.answers.remove(&ticket);
    }
}

/// A group of either kind.
#[derive(Debug)]
pub(crate) enum Group {
    Classic(Box<ClassicGroup>),
    Consumer(Box<ConsumerGroup>),
}

impl Group {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Classic(group) => group.is_empty(),
            Self::Consumer(group) => group.is_empty(),
        }
    }

    /// The state's name, as ListGroups tells it.
    pub(crate) fn state_name(&self) -> &'static str {
        match self {
            Self::Classic(group) => group.state().name(),
            Self::Consumer(group) => group.state().name(),
        }
    }

    /// The kind's name, as ListGroups tells it.
    pub(crate) const fn kind_name(&self) -> &'static str {
        match self {
            Self::Classic(_) => "classic",
            Self::Consumer(_) => "consumer",
        }
    }

    pub(crate) fn protocol_type(&self) -> &str {
        match self {
            Self::Classic(group) => group.protocol_type().unwrap_or_default(),
            Self::Consumer(_) => "consumer",
        }
    }
}

/// What handing out answers takes: separate from the groups, so that a group can be changed meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    joins: Waiting<JoinAnswer>,
    syncs: Waiting<SyncAnswer>,
    next_ticket: u64,
    /// Somebody's answer is there.
    answered: bool,
}

impl Desk {
    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    fn open_join(&mut self) -> Ticket {
        let ticket = self.ticket();
        self.joins.open(ticket);
        ticket
    }

    fn open_sync(&mut self) -> Ticket {
        let ticket = self.ticket();
        self.syncs.open(ticket);
        ticket
    }

    fn answer_join(&mut self, ticket: Ticket, answer: JoinAnswer) {
        self.joins.answer(ticket, answer);
        self.answered = true;
    }

    fn answer_sync(&mut self, ticket: Ticket, answer: SyncAnswer) {
        self.syncs.answer(ticket, answer);
        self.answered = true;
    }
}

/// Every group of the cluster.
#[derive(Debug)]
pub(crate) struct GroupCoordinator {
    settings: GroupSettings,
    groups: BTreeMap<Arc<str>, Group>,
    pub(crate) offsets: Offsets,
    desk: Desk,
}

impl GroupCoordinator {
    pub(crate) fn new(settings: GroupSettings) -> Self {
        Self {
            settings,
            groups: BTreeMap::new(),
            offsets: Offsets::default(),
            desk: Desk::default(),
        }
    }

    pub(crate) fn set_settings(&mut self, settings: GroupSettings) {
        self.settings = settings;
    }

    pub(crate) fn group(&self, group_id: &str) -> Option<&Group> {
        self.groups.get(group_id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Group)> {
        self.groups.iter()
    }

    /// The answer to a join that had to wait, once it is there.
    pub(crate) fn take_join(&mut self, ticket: Ticket) -> Option<JoinAnswer> {
        self.desk.joins.take(ticket)
    }

    /// The answer to a sync that had to wait, once it is there.
    pub(crate) fn take_sync(&mut self, ticket: Ticket) -> Option<SyncAnswer> {
        self.desk.syncs.take(ticket)
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn forget(&mut self, ticket: Ticket) {
        self.desk.joins.forget(ticket);
        self.desk.syncs.forget(ticket);
    }

    /// Whether answers have been given since the last call.
    pub(crate) fn take_answered(&mut self) -> bool {
        std::mem::take(&mut self.desk.answered)
    }

    /// Does what has fallen due: sessions and rebalances that took too long.
    pub(crate) fn tick(&mut self, now: Time) {
        for group in self.groups.values_mut() {
            match group {
                Group::Classic(group) => group.tick(&mut self.desk, &self.settings, now),
                Group::Consumer(group) => group.tick(now),
            }
        }
    }

    /// When something falls due next.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let deadlines = self.groups.values().filter_map(|group| match group {
            Group::Classic(group) => group.next_deadline(),
            Group::Consumer(group) => group.next_deadline(),
        });
        deadlines.min()
    }

    /// The groups whose seat has gone to another broker: whoever waits is told to look for it (G-56). What
    /// was agreed on stays.
    pub(crate) fn unload(&mut self, moved: impl Fn(&str) -> bool, now: Time) {
        for (group_id, group) in &mut self.groups {
            if !moved(group_id) {
                continue;
            }
            match group {
                Group::Classic(group) => group.unload(&mut self.desk, now),
                Group::Consumer(group) => group.reload(&self.settings, now),
            }
        }
    }

    /// Deletes an empty group with its offsets (DeleteGroups).
    ///
    /// # Errors
    /// [`ErrorCode::GroupIdNotFound`], [`ErrorCode::NonEmptyGroup`].
    pub(crate) fn delete(&mut self, group_id: &str) -> Result<(), ErrorCode> {
        match self.groups.get(group_id) {
            None => return Err(ErrorCode::GroupIdNotFound),
            Some(group) if !group.is_empty() => return Err(ErrorCode::NonEmptyGroup),
            Some(_) => {}
        }
        self.offsets.delete_group(group_id);
        self.groups.remove(group_id);
        Ok(())
    }

    /// Whether a member of the group reads a topic: its offsets are not to be deleted then. Of a classic group
    /// with members only they themselves know what they read, so it is taken to be everything.
    pub(crate) fn is_subscribed(&self, group_id: &str, topic: &str) -> bool {
        match self.groups.get(group_id) {
            None => false,
            Some(Group::Classic(group)) => !group.is_empty(),
            Some(Group::Consumer(group)) => group
                .members()
                .any(|(_, member)| member.subscribed.contains(topic)),
        }
    }

    /// Makes room for one more group.
    ///
    /// # Errors
    /// [`ErrorCode::CoordinatorNotAvailable`] if there are too many.
    fn check_room(&self) -> Result<(), ErrorCode> {
        if self.groups.len() >= self.settings.groups_max {
            let bound = self.settings.groups_max;
            tracing::error!(bound, "no room for more groups in this embedded broker");
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        Ok(())
    }

    /// A group for offsets alone, if there is none of this name.
    fn ensure_simple_group(&mut self, group_id: &str) -> Result<Arc<str>, ErrorCode> {
        if let Some((name, _)) = self.groups.get_key_value(group_id) {
            return Ok(name.clone());
        }
        self.check_room()?;
        let name: Arc<str> = Arc::from(group_id);
        let group = Group::Classic(Box::default());
        self.groups.insert(name.clone(), group);
        Ok(name)
    }
}
