//! The server's assignors: `uniform` and `range`.

use super::{ConsumerMember, MemberId, Partitions};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// The assignors by name; the first is the default.
pub(crate) const ASSIGNORS: [&str; 2] = ["uniform", "range"];

type Target = BTreeMap<MemberId, Partitions>;
type Members = BTreeMap<MemberId, ConsumerMember>;
/// Subscribed topics: id and number of partitions by name.
type TopicsByName = BTreeMap<Arc<str>, (Uuid, i32)>;

/// Who is to have what.
pub(super) fn assign(
    assignor: &str,
    members: &Members,
    topics: &TopicsByName,
    before: &Target,
) -> Target {
    if assignor == "range" {
        range(members, topics)
    } else {
        uniform(members, topics, before)
    }
}

/// Each topic's partitions in order, a range of them to each of its members in order: those with an instance
/// id by that, then the others by their ids.
fn range(members: &Members, topics: &TopicsByName) -> Target {
    let mut order: Vec<_> = members.iter().collect();
    order.sort_by_key(|(id, member)| {
        let instance_id = member.instance_id.as_ref();
        (instance_id.is_none(), instance_id.cloned(), (*id).clone())
    });
    let mut target: Target = members
        .keys()
        .map(|id| (id.clone(), Partitions::new()))
        .collect();
    for (name, (topic, partitions)) in topics {
        let subscribers: Vec<_> = order
            .iter()
            .filter(|(_, member)| member.subscribed.contains(name))
            .map(|(id, _)| (*id).clone())
            .collect();
        let Ok(count) = i32::try_from(subscribers.len()) else {
            continue;
        };
        let (Some(each), Some(extra)) =
            (partitions.checked_div(count), partitions.checked_rem(count))
        else {
            continue;
        };
        let mut start = 0;
        for (nth, subscriber) in (0..).zip(subscribers) {
            let end = start + each + i32::from(nth < extra);
            if start < end
                && let Some(assigned) = target.get_mut(&subscriber)
            {
                assigned.insert(*topic, (start..end).collect());
            }
            start = end;
        }
    }
    target
}

/// As even as subscriptions allow, and of that what moves least.
fn uniform(members: &Members, topics: &TopicsByName, before: &Target) -> Target {
    let mut balance = Balance::new(members, topics);
    let mut taken = BTreeSet::new();
    // What members have they keep, as long as they may have it.
    for id in members.keys() {
        for (topic, partitions) in before.get(id).into_iter().flatten() {
            for partition in partitions {
                let at = (*topic, *partition);
                if balance.may_have(id, at) && taken.insert(at) {
                    balance.give(id, at);
                }
            }
        }
    }
    for (topic, partitions) in topics.values() {
        for partition in 0..*partitions {
            let at = (*topic, partition);
            if !taken.contains(&at)
                && let Some(id) = balance.least_loaded(at)
            {
                balance.give(&id, at);
            }
        }
    }
    while balance.improve() {}
    balance.target
}

/// A partition of a topic.
type At = (Uuid, i32);

/// An assignment in the making.
struct Balance {
    target: Target,
    /// By topic: its partitions and its subscribers.
    topics: BTreeMap<Uuid, (i32, BTreeSet<MemberId>)>,
}

impl Balance {
    fn new(members: &Members, topics: &TopicsByName) -> Self {
        let subscribers = |name: &Arc<str>| {
            let wanting = members.iter().filter(|(_, m)| m.subscribed.contains(name));
            wanting.map(|(id, _)| id.clone()).collect()
        };
        let topics = topics
            .iter()
            .map(|(name, (topic, partitions))| (*topic, (*partitions, subscribers(name))));
        let ids = members.keys();
        Self {
            topics: topics.collect(),
            target: ids.map(|id| (id.clone(), Partitions::new())).collect(),
        }
    }

    fn load(&self, id: &str) -> usize {
        let assigned = self.target.get(id);
        assigned.map_or(0, |topics| topics.values().map(BTreeSet::len).sum())
    }

    fn may_have(&self, id: &str, (topic, partition): At) -> bool {
        let topic = self.topics.get(&topic);
        topic.is_some_and(|(partitions, subscribers)| {
            partition < *partitions && subscribers.contains(id)
        })
    }

    fn give(&mut self, id: &str, (topic, partition): At) {
        if let Some(assigned) = self.target.get_mut(id) {
            assigned.entry(topic).or_default().insert(partition);
        }
    }

    fn take(&mut self, id: &str, (topic, partition): At) {
        if let Some(assigned) = self.target.get_mut(id)
            && let Some(partitions) = assigned.get_mut(&topic)
        {
            partitions.remove(&partition);
            if partitions.is_empty() {
                assigned.remove(&topic);
            }
        }
    }

    /// Of those who may have it, the one with the least.
    fn least_loaded(&self, (topic, _): At) -> Option<MemberId> {
        let (_, subscribers) = self.topics.get(&topic)?;
        let least = subscribers.iter().min_by_key(|id| self.load(id));
        least.cloned()
    }

    /// Moves one partition from a member to one that has at least two less; says whether there was one to
    /// move. Each move makes the squares of the loads less, so it ends.
    fn improve(&mut self) -> bool {
        let mut loaded: Vec<_> = self.target.keys().cloned().collect();
        loaded.sort_by_key(|id| std::cmp::Reverse(self.load(id)));
        for from in loaded {
            let topics = self.target.get(&from).into_iter().flatten();
            // The last one first: the first ones have been there longest.
            let held = topics.flat_map(|(topic, partitions)| {
                partitions
                    .iter()
                    .rev()
                    .map(|partition| (*topic, *partition))
            });
            let held: Vec<_> = held.collect();
            for at in held {
                if let Some(to) = self.least_loaded(at)
                    && self.load(&to) + 2 <= self.load(&from)
                {
                    self.take(&from, at);
                    self.give(&to, at);
                    return true;
                }
            }
        }
        false
    }
}
