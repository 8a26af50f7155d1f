//! What is known about the cluster at one moment, and how an answer changes it.
//!
//! A snapshot never changes; a newer one takes its place, and shares with it the topics that stayed as
//! they were. Knowledge only moves forward: the leader epoch of a partition never goes back while its
//! topic is the same one, because a broker that lags behind must not send a producer or a
//! consumer back to a leader that was already replaced.

use crate::BrokerAddress;
use kafka_protocol::messages::metadata_response::{
    MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataResponse};
use milena_codec::ErrorCode;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// The first version of Metadata whose leader epochs can be trusted: older brokers could answer with
/// the epoch of before their restart.
const RELIABLE_EPOCH_VERSION: i16 = 9;

/// Which topics a refresh must cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicsWanted {
    /// All topics of the cluster, once; those not tracked are only in the snapshot that the refresh
    /// returns.
    All,
    /// These topics, which are tracked from now on.
    Named(Vec<Arc<str>>),
    /// Only the brokers and the controller.
    None,
    /// The topics that are tracked already.
    Tracked,
}

impl TopicsWanted {
    /// These topics, which are tracked from now on.
    pub fn named<N: Into<Arc<str>>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::Named(names.into_iter().map(Into::into).collect())
    }
}

/// A broker of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerNode {
    /// Its id.
    pub broker_id: i32,
    /// Where it listens for clients.
    pub address: Arc<BrokerAddress>,
    /// Where it stands, if it was configured to tell.
    pub rack: Option<Arc<str>>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMetadata {
    /// Its name.
    pub name: Arc<str>,
    /// Its id; `None` from brokers before 2.8. A topic that was deleted and created again has another.
    pub topic_id: Option<Uuid>,
    /// Whether it is the brokers' own, such as `__consumer_offsets`.
    pub is_internal: bool,
    /// What the broker said instead of describing the topic. The partitions are then those known from
    /// before, if any.
    pub error: Option<ErrorCode>,
    /// Its partitions, ascending.
    pub partitions: Vec<PartitionMetadata>,
}

impl TopicMetadata {
    /// The partition of this number.
    #[must_use]
    pub fn partition(&self, partition: i32) -> Option<&PartitionMetadata> {
        // Nearly always the partitions are 0, 1, 2, …
        let index = usize::try_from(partition).ok()?;
        match self.partitions.get(index) {
            Some(at) if at.partition == partition => Some(at),
            _ => {
                let found = self
                    .partitions
                    .binary_search_by_key(&partition, |p| p.partition);
                self.partitions.get(found.ok()?)
            }
        }
    }
}

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// Its number.
    pub partition: i32,
    /// The broker that leads it, if one does.
    pub leader: Option<i32>,
    /// The leader's term; `None` from brokers before 2.4.
    pub leader_epoch: Option<i32>,
    /// The brokers that hold it, the preferred leader first.
    pub replicas: Arc<[i32]>,
    /// Those of them that are in sync. Partitions with the same brokers share the list.
    pub in_sync_replicas: Arc<[i32]>,
    /// What the broker said is wrong with it.
    pub error: Option<ErrorCode>,
}

/// A newer leader, learnt from an answer other than Metadata (KIP-951: Produce 10, Fetch 16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderHint {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The leader.
    pub leader_id: i32,
    /// Its term. The hint only counts if it is newer than what is known.
    pub leader_epoch: i32,
    /// Where the leader listens, if the answer told.
    pub endpoint: Option<BrokerAddress>,
}

/// The cluster as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataSnapshot {
    version: u64,
    cluster_id: Option<Arc<str>>,
    controller_id: Option<i32>,
    brokers: BTreeMap<i32, BrokerNode>,
    topics: HashMap<Arc<str>, Arc<TopicMetadata>>,
    names_by_id: HashMap<Uuid, Arc<str>>,
}

impl MetadataSnapshot {
    /// Counts the changes; 0 before the first answer.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The cluster's id, which tells it from others.
    #[must_use]
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// The broker to which requests for the controller go.
    #[must_use]
    pub fn controller_id(&self) -> Option<i32> {
        self.controller_id
    }

    /// The brokers, by ascending id.
    pub fn brokers(&self) -> impl ExactSizeIterator<Item = &BrokerNode> {
        self.brokers.values()
    }

    /// The broker of this id.
    #[must_use]
    pub fn broker(&self, broker_id: i32) -> Option<&BrokerNode> {
        self.brokers.get(&broker_id)
    }

    /// The topics, in no order.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Arc<TopicMetadata>> {
        self.topics.values()
    }

    /// The topic of this name, with an error in it if there is one.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicMetadata>> {
        self.topics.get(name)
    }

    /// The topic of this id.
    #[must_use]
    pub fn topic_by_id(&self, topic_id: Uuid) -> Option<&Arc<TopicMetadata>> {
        self.topics.get(self.names_by_id.get(&topic_id)?)
    }

    /// A partition of a topic.
    #[must_use]
    pub fn partition(&self, topic: &str, partition: i32) -> Option<&PartitionMetadata> {
        self.topic(topic)?.partition(partition)
    }

    /// The snapshot after a Metadata answer of `api_version`; topics it does not mention stay.
    #[must_use]
    pub fn updated(&self, response: &MetadataResponse, api_version: i16) -> Self {
        let mut next = Self {
            version: self.version + 1,
            cluster_id: self.cluster_id.clone(),
            controller_id: (response.controller_id.0 >= 0).then_some(response.controller_id.0),
            brokers: BTreeMap::new(),
            topics: self.topics.clone(),
            names_by_id: self.names_by_id.clone(),
        };
        if let Some(cluster_id) = &response.cluster_id {
            next.cluster_id = Some(cluster_id.as_str().into());
        }
        for broker in &response.brokers {
            if let Ok(port) = u16::try_from(broker.port) {
                let address = BrokerAddress::new(broker.host.as_str(), port);
                next.put_broker(broker.node_id.0, address, broker.rack.as_deref());
            }
        }
        // Keep the Arcs of brokers that stayed, so that "same address" is cheap to see.
        for (broker_id, node) in &mut next.brokers {
            if let Some(known) = self.brokers.get(broker_id).filter(|known| *known == node) {
                node.clone_from(known);
            }
        }
        for topic in &response.topics {
            next.put_topic(topic, api_version);
        }
        next
    }

    /// The snapshot after a hint, or `None` if the hint is not newer than what is known, or about a
    /// partition that is not known.
    #[must_use]
    pub fn hinted(&self, hint: &LeaderHint) -> Option<Self> {
        let topic = self.topic(&hint.topic)?;
        let known = topic.partition(hint.partition)?;
        // An epoch below zero says nothing, and without one of our own nothing tells which is newer.
        if hint.leader_id < 0
            || known
                .leader_epoch
                .is_none_or(|epoch| hint.leader_epoch <= epoch)
        {
            return None;
        }
        if hint.endpoint.is_none() && !self.brokers.contains_key(&hint.leader_id) {
            return None;
        }
        let mut topic = TopicMetadata::clone(topic);
        let at = topic
            .partitions
            .iter_mut()
            .find(|at| at.partition == hint.partition)?;
        at.leader = Some(hint.leader_id);
        at.leader_epoch = Some(hint.leader_epoch);
        at.error = None;
        let mut next = Self {
            version: self.version + 1,
            ..self.clone()
        };
        next.topics.insert(Arc::clone(&topic.name), Arc::new(topic));
        if let Some(address) = &hint.endpoint {
            let known = self.brokers.get(&hint.leader_id);
            if known.is_none_or(|known| *known.address != *address) {
                let rack = known.and_then(|known| known.rack.clone());
                next.put_broker(hint.leader_id, address.clone(), rack.as_deref());
            }
        }
        Some(next)
    }

    /// The snapshot with a broker that another answer named, such as FindCoordinator's; `None` if it
    /// is known already.
    #[must_use]
    pub fn with_broker(&self, broker_id: i32, address: &BrokerAddress) -> Option<Self> {
        let known = self.brokers.get(&broker_id);
        if known.is_some_and(|known| *known.address == *address) {
            return None;
        }
        let mut next = Self {
            version: self.version + 1,
            ..self.clone()
        };
        let rack = known.and_then(|known| known.rack.clone());
        next.put_broker(broker_id, address.clone(), rack.as_deref());
        Some(next)
    }

    /// The snapshot without any broker, topics and their epochs kept.
    pub(super) fn without_brokers(&self) -> Self {
        let brokers = BTreeMap::new();
        Self {
            version: self.version + 1,
            controller_id: None,
            brokers,
            ..self.clone()
        }
    }

    /// Whether both say the same, whenever they said it.
    pub(super) fn says_the_same_as(&self, other: &Self) -> bool {
        self.cluster_id == other.cluster_id
            && self.controller_id == other.controller_id
            && self.brokers == other.brokers
            && self.topics == other.topics
    }

    /// Forgets the topics for which `keep` says no.
    pub(super) fn retain_topics(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.topics.retain(|name, _| keep(name));
        let topics = &self.topics;
        self.names_by_id.retain(|_, name| topics.contains_key(name));
    }

    fn put_broker(&mut self, broker_id: i32, address: BrokerAddress, rack: Option<&str>) {
        let rack = rack.map(Into::into);
        let node = BrokerNode {
            broker_id,
            address: Arc::new(address),
            rack,
        };
        self.brokers.insert(broker_id, node);
    }

    fn put_topic(&mut self, response: &MetadataResponseTopic, api_version: i16) {
        let Some(name) = &response.name else {
            return;
        };
        let known = self.topics.get(name.as_str());
        let topic = merged_topic(known.map(Arc::as_ref), name.as_str(), response, api_version);
        if known.is_some_and(|known| **known == topic) {
            return;
        }
        if let Some(old) = known.and_then(|known| known.topic_id)
            && topic.topic_id != Some(old)
        {
            self.names_by_id.remove(&old);
        }
        if let Some(id) = topic.topic_id {
            self.names_by_id.insert(id, Arc::clone(&topic.name));
        }
        self.topics.insert(Arc::clone(&topic.name), Arc::new(topic));
    }
}

fn merged_topic(
    known: Option<&TopicMetadata>,
    name: &str,
    response: &MetadataResponseTopic,
    api_version: i16,
) -> TopicMetadata {
    let name = known.map_or_else(|| name.into(), |known| Arc::clone(&known.name));
    let error = ErrorCode::from(response.error_code);
    let answered_id = Some(response.topic_id).filter(|id| !id.is_nil());
    if !error.is_none() {
        // What was known stays, and its epochs with it: a topic may be gone for a moment only (P-83, L-12).
        return TopicMetadata {
            name,
            topic_id: known.and_then(|known| known.topic_id).or(answered_id),
            is_internal: response.is_internal,
            error: Some(error),
            partitions: known
                .map(|known| known.partitions.clone())
                .unwrap_or_default(),
        };
    }
    // An answer without an id comes from an older broker and tells nothing about the id.
    let recreated = known.is_some_and(|known| {
        answered_id.is_some() && known.topic_id.is_some() && answered_id != known.topic_id
    });
    let before = known.filter(|_| !recreated);
    let mut lists = BrokerLists::default();
    let mut partitions: Vec<_> = response
        .partitions
        .iter()
        .map(|partition| {
            let known = before.and_then(|topic| topic.partition(partition.partition_index));
            merged_partition(known, partition, api_version, &mut lists)
        })
        .collect();
    partitions.sort_by_key(|partition| partition.partition);
    partitions.dedup_by_key(|partition| partition.partition);
    TopicMetadata {
        name,
        topic_id: answered_id.or_else(|| known.and_then(|known| known.topic_id)),
        is_internal: response.is_internal,
        error: None,
        partitions,
    }
}

/// Lists of brokers, each of them kept once: a topic of thousands of partitions has few different ones.
#[derive(Default)]
struct BrokerLists {
    known: HashSet<Arc<[i32]>>,
    /// Of the list at hand, so that finding it takes no memory.
    ids: Vec<i32>,
}

impl BrokerLists {
    fn list(&mut self, nodes: &[BrokerId]) -> Arc<[i32]> {
        self.ids.clear();
        self.ids.extend(nodes.iter().map(|id| id.0));
        if let Some(known) = self.known.get(self.ids.as_slice()) {
            return Arc::clone(known);
        }
        let list: Arc<[i32]> = self.ids.as_slice().into();
        self.known.insert(Arc::clone(&list));
        list
    }
}

fn merged_partition(
    known: Option<&PartitionMetadata>,
    response: &MetadataResponsePartition,
    api_version: i16,
    lists: &mut BrokerLists,
) -> PartitionMetadata {
    let reliable = api_version >= RELIABLE_EPOCH_VERSION && response.leader_epoch >= 0;
    let leader_epoch = reliable.then_some(response.leader_epoch);
    if let Some(known) = known
        && leader_epoch.is_some()
        && leader_epoch < known.leader_epoch
    {
        return known.clone();
    }
    let error = ErrorCode::from(response.error_code);
    PartitionMetadata {
        partition: response.partition_index,
        leader: (response.leader_id.0 >= 0).then_some(response.leader_id.0),
        // An answer without an epoch does not take the known one away: it must not go back later.
        leader_epoch: leader_epoch.or_else(|| known.and_then(|known| known.leader_epoch)),
        replicas: lists.list(&response.replica_nodes),
        in_sync_replicas: lists.list(&response.isr_nodes),
        error: (!error.is_none()).then_some(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::TopicName;
    use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
    use kafka_protocol::protocol::StrBytes;

    const NEW: i16 = 12;

    fn broker(id: i32, port: i32) -> MetadataResponseBroker {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(id))
            .with_host(StrBytes::from_static_str("k"))
            .with_port(port)
    }

    fn partition(index: i32, leader: i32, epoch: i32) -> MetadataResponsePartition {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(leader))
            .with_leader_epoch(epoch)
            .with_replica_nodes(vec![BrokerId(1), BrokerId(2)])
    }

    fn topic(id: u128, partitions: Vec<MetadataResponsePartition>) -> MetadataResponseTopic {
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_static_str("t"))))
            .with_topic_id(Uuid::from_u128(id))
            .with_partitions(partitions)
    }

    fn answer(topic: MetadataResponseTopic) -> MetadataResponse {
        MetadataResponse::default()
            .with_brokers(vec![broker(1, 9091), broker(2, 9092)])
            .with_controller_id(BrokerId(1))
            .with_topics(vec![topic])
    }

    fn leader(snapshot: &MetadataSnapshot) -> (Option<i32>, Option<i32>) {
        let partition = snapshot.partition("t", 0).unwrap();
        (partition.leader, partition.leader_epoch)
    }

    fn known(leader: i32, epoch: i32) -> MetadataSnapshot {
        let answer = answer(topic(7, vec![partition(0, leader, epoch)]));
        MetadataSnapshot::default().updated(&answer, NEW)
    }

    fn hint(leader_id: i32, leader_epoch: i32) -> LeaderHint {
        LeaderHint {
            topic: "t".into(),
            partition: 0,
            leader_id,
            leader_epoch,
            endpoint: None,
        }
    }

    #[test]
    fn an_answer_becomes_brokers_topics_and_partitions() {
        let snapshot = known(2, 5);
        assert_eq!(snapshot.version(), 1);
        assert_eq!(snapshot.controller_id(), Some(1));
        assert_eq!(snapshot.broker(2).unwrap().address.to_string(), "k:9092");
        assert_eq!(leader(&snapshot), (Some(2), Some(5)));
        let by_id = snapshot.topic_by_id(Uuid::from_u128(7)).unwrap();
        assert_eq!(&*by_id.name, "t");
        assert_eq!(by_id.partition(0).unwrap().replicas.as_ref(), [1, 2]);
        assert!(by_id.partition(1).is_none() && by_id.partition(-1).is_none());
    }

    #[test]
    fn a_leader_epoch_never_goes_back() {
        let old = answer(topic(7, vec![partition(0, 1, 4)]));
        assert_eq!(leader(&known(2, 5).updated(&old, NEW)), (Some(2), Some(5)));
        let same = answer(topic(7, vec![partition(0, -1, 5)]));
        assert_eq!(leader(&known(2, 5).updated(&same, NEW)), (None, Some(5)));
        let new = answer(topic(7, vec![partition(0, 1, 6)]));
        assert_eq!(leader(&known(2, 5).updated(&new, NEW)), (Some(1), Some(6)));
    }

    #[test]
    fn a_topic_created_again_starts_its_epochs_again() {
        let recreated = answer(topic(8, vec![partition(0, 1, 0)]));
        let snapshot = known(2, 5).updated(&recreated, NEW);
        assert_eq!(leader(&snapshot), (Some(1), Some(0)));
        assert!(snapshot.topic_by_id(Uuid::from_u128(7)).is_none());
        assert!(snapshot.topic_by_id(Uuid::from_u128(8)).is_some());
    }

    #[test]
    fn an_answer_without_a_topic_id_is_about_the_same_topic() {
        let old_broker = answer(topic(0, vec![partition(0, 1, 4)]));
        let snapshot = known(2, 5).updated(&old_broker, 9);
        assert_eq!(leader(&snapshot), (Some(2), Some(5)));
        assert!(snapshot.topic_by_id(Uuid::from_u128(7)).is_some());
    }

    #[test]
    fn epochs_of_old_brokers_are_not_trusted() {
        let answer = answer(topic(0, vec![partition(0, 1, 4)]));
        let snapshot = MetadataSnapshot::default().updated(&answer, 8);
        assert_eq!(leader(&snapshot), (Some(1), None));
    }

    #[test]
    fn a_topic_that_is_gone_keeps_what_was_known_beside_the_error() {
        let gone = answer(topic(0, vec![]).with_error_code(3));
        let snapshot = known(2, 5).updated(&gone, NEW);
        let topic = snapshot.topic("t").unwrap();
        assert_eq!(topic.error, Some(ErrorCode::UnknownTopicOrPartition));
        assert_eq!(leader(&snapshot), (Some(2), Some(5)));
        let back = answer(self::topic(7, vec![partition(0, 1, 4)]));
        let snapshot = snapshot.updated(&back, NEW);
        assert_eq!(snapshot.topic("t").unwrap().error, None);
        assert_eq!(
            leader(&snapshot),
            (Some(2), Some(5)),
            "the epoch survived the gap"
        );
    }

    #[test]
    fn partition_errors_are_kept() {
        let leaderless = partition(0, -1, 6).with_error_code(5);
        let snapshot = known(2, 5).updated(&answer(topic(7, vec![leaderless])), NEW);
        let partition = snapshot.partition("t", 0).unwrap();
        assert_eq!(partition.error, Some(ErrorCode::LeaderNotAvailable));
        assert_eq!(leader(&snapshot), (None, Some(6)));
    }

    #[test]
    fn only_a_newer_hint_counts() {
        let snapshot = known(2, 5);
        for stale in [hint(1, 5), hint(1, 4), hint(1, -1), hint(-1, 6)] {
            assert_eq!(snapshot.hinted(&stale), None, "{stale:?}");
        }
        let next = snapshot.hinted(&hint(1, 6)).unwrap();
        assert_eq!(leader(&next), (Some(1), Some(6)));
        assert_eq!(next.version(), snapshot.version() + 1);
        assert_eq!(
            leader(&snapshot),
            (Some(2), Some(5)),
            "a snapshot never changes"
        );
    }

    #[test]
    fn a_hint_brings_the_leaders_address() {
        let snapshot = known(2, 5);
        assert_eq!(
            snapshot.hinted(&hint(3, 6)),
            None,
            "nobody knows where broker 3 is"
        );
        let endpoint = Some(BrokerAddress::new("k3", 9093));
        let next = snapshot
            .hinted(&LeaderHint {
                endpoint,
                ..hint(3, 6)
            })
            .unwrap();
        assert_eq!(next.broker(3).unwrap().address.to_string(), "k3:9093");
        assert_eq!(leader(&next), (Some(3), Some(6)));
    }

    #[test]
    fn a_hint_about_an_unknown_partition_is_ignored() {
        let snapshot = known(2, 5);
        assert_eq!(
            snapshot.hinted(&LeaderHint {
                partition: 9,
                ..hint(1, 9)
            }),
            None
        );
        assert_eq!(
            snapshot.hinted(&LeaderHint {
                topic: "u".into(),
                ..hint(1, 9)
            }),
            None
        );
    }

    #[test]
    fn what_stays_the_same_is_shared() {
        let before = known(2, 5);
        let after = before.updated(&answer(topic(7, vec![partition(0, 2, 5)])), NEW);
        assert!(Arc::ptr_eq(
            before.topic("t").unwrap(),
            after.topic("t").unwrap()
        ));
        let address =
            |snapshot: &MetadataSnapshot| Arc::clone(&snapshot.broker(1).unwrap().address);
        assert!(Arc::ptr_eq(&address(&before), &address(&after)));
        assert!(before.says_the_same_as(&after));
    }

    #[test]
    fn partitions_are_found_whatever_their_order_and_gaps() {
        let partitions = [4, 0, 2].map(|index| partition(index, 1, 1)).to_vec();
        let snapshot = MetadataSnapshot::default().updated(&answer(topic(7, partitions)), NEW);
        for (index, found) in [(0, true), (1, false), (2, true), (3, false), (4, true)] {
            assert_eq!(snapshot.partition("t", index).is_some(), found, "{index}");
        }
    }

    #[test]
    fn partitions_on_the_same_brokers_share_one_list_of_them() {
        let partitions = (0..100).map(|index| partition(index, 1, 0)).collect();
        let response = MetadataResponse::default().with_topics(vec![
            MetadataResponseTopic::default()
                .with_name(Some(TopicName(StrBytes::from_static_str("t"))))
                .with_partitions(partitions),
        ]);
        let snapshot = MetadataSnapshot::default().updated(&response, NEW);
        let all = &snapshot.topic("t").unwrap().partitions;
        assert_eq!(all.len(), 100);
        for partition in all {
            assert!(Arc::ptr_eq(&partition.replicas, &all[0].replicas));
        }
    }
}
