//! One member's next step towards the target.

use super::{ConsumerGroup, ConsumerMember, MemberState, OwnedPartitions, Partitions};
use crate::Time;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What a member has, and what of the target is still missing.
#[derive(Debug, Default)]
struct Step {
    keeps: OwnedPartitions,
    gives_up: OwnedPartitions,
    /// What it can have now.
    gets: Partitions,
    /// Something that it is to have is another member's.
    waits: bool,
}

impl ConsumerGroup {
    /// Moves a member on, as far as what it owns now allows. `owned` is what it has told of.
    pub(super) fn reconcile(
        &mut self,
        member_id: &str,
        owned: Option<&Partitions>,
        resubscribed: bool,
        now: Time,
    ) {
        let Some(member) = self.members.get(member_id) else {
            return;
        };
        if !resubscribed && member.has_followed(self.assignment_epoch) {
            return;
        }
        let subscribed = self.subscribed_ids(member);
        let next = match member.state {
            MemberState::Stable if member.epoch == self.assignment_epoch => {
                without_unsubscribed(member, &subscribed, owned)
            }
            // Only when it says that it does not own any more what it was to give up.
            MemberState::Unrevoked if owns_some(owned, &member.revoking) => {
                if !resubscribed {
                    return;
                }
                without_unsubscribed(member, &subscribed, owned)
            }
            MemberState::Stable | MemberState::Unrevoked | MemberState::Unreleased => {
                self.next_step(member_id, member, &subscribed, owned)
            }
        };
        let mut next = next;
        let stays_unrevoked = member.state == MemberState::Unrevoked && member.epoch == next.epoch;
        next.revoke_until = match next.state {
            MemberState::Unrevoked if stays_unrevoked => member.revoke_until,
            MemberState::Unrevoked => Some(now + next.rebalance_timeout),
            MemberState::Stable | MemberState::Unreleased => None,
        };
        if let Some(member) = self.members.get_mut(member_id) {
            *member = next;
        }
    }

    fn subscribed_ids(&self, member: &ConsumerMember) -> BTreeSet<Uuid> {
        let names = member.subscribed.iter();
        let ids = names.filter_map(|name| self.topics.get(name));
        ids.map(|(id, _)| *id).collect()
    }

    fn next_step(
        &self,
        member_id: &str,
        member: &ConsumerMember,
        subscribed: &BTreeSet<Uuid>,
        owned: Option<&Partitions>,
    ) -> ConsumerMember {
        let mut target = self.target(member_id);
        target.retain(|topic, _| subscribed.contains(topic));
        let step = self.compare(member_id, member, &target);
        let mut next = member.clone();
        if owns_some(owned, &step.gives_up) {
            // It stays in its epoch until it has let go.
            next.previous_epoch = member.epoch;
            next.state = MemberState::Unrevoked;
            next.assigned = step.keeps;
            next.revoking = step.gives_up;
            return next;
        }
        next.assigned = step.keeps;
        for (topic, partitions) in step.gets {
            let assigned = next.assigned.entry(topic).or_default();
            assigned.extend(
                partitions
                    .into_iter()
                    .map(|partition| (partition, self.assignment_epoch)),
            );
        }
        next.previous_epoch = member.epoch;
        next.epoch = self.assignment_epoch;
        next.revoking = BTreeMap::new();
        next.state = if step.waits {
            MemberState::Unreleased
        } else {
            MemberState::Stable
        };
        next
    }

    fn compare(&self, member_id: &str, member: &ConsumerMember, target: &Partitions) -> Step {
        let mut step = Step::default();
        let wanted = |topic: &Uuid, partition: &i32| {
            let partitions = target.get(topic);
            partitions.is_some_and(|partitions| partitions.contains(partition))
        };
        for (topic, partitions) in &member.assigned {
            for (partition, since) in partitions {
                let side = if wanted(topic, partition) {
                    &mut step.keeps
                } else {
                    &mut step.gives_up
                };
                side.entry(*topic).or_default().insert(*partition, *since);
            }
        }
        for (topic, partitions) in target {
            let kept = member.assigned.get(topic);
            for partition in partitions {
                if kept.is_some_and(|kept| kept.contains_key(partition)) {
                    continue;
                }
                if self.is_anothers(member_id, *topic, *partition) {
                    step.waits = true;
                } else {
                    step.gets.entry(*topic).or_default().insert(*partition);
                }
            }
        }
        step
    }

    fn is_anothers(&self, member_id: &str, topic: Uuid, partition: i32) -> bool {
        self.members
            .iter()
            .any(|(id, member)| **id != *member_id && member.owns(topic, partition))
    }
}

/// Whether the member still owns some of these; it does unless it says otherwise.
fn owns_some(owned: Option<&Partitions>, partitions: &OwnedPartitions) -> bool {
    if partitions.values().all(BTreeMap::is_empty) {
        return false;
    }
    let Some(owned) = owned else {
        return true;
    };
    partitions.iter().any(|(topic, partitions)| {
        let owned = owned.get(topic);
        owned.is_some_and(|owned| partitions.keys().any(|partition| owned.contains(partition)))
    })
}

/// What a member that wants other topics now has to give up at once, before there is a new target.
fn without_unsubscribed(
    member: &ConsumerMember,
    subscribed: &BTreeSet<Uuid>,
    owned: Option<&Partitions>,
) -> ConsumerMember {
    let (keeps, unwanted): (OwnedPartitions, OwnedPartitions) = member
        .assigned
        .clone()
        .into_iter()
        .partition(|(topic, _)| subscribed.contains(topic));
    if unwanted.is_empty() {
        return member.clone();
    }
    let mut next = member.clone();
    next.previous_epoch = member.epoch;
    next.assigned = keeps;
    let mut revoking = member.revoking.clone();
    for (topic, partitions) in unwanted {
        revoking.entry(topic).or_default().extend(partitions);
    }
    if owns_some(owned, &revoking) {
        next.state = MemberState::Unrevoked;
        next.revoking = revoking;
    }
    next
}
