//! The state of the whole cluster: brokers, topics, coordinators. One plain struct behind one lock; time is
//! an argument.

mod cleaning;
pub(crate) mod config;
mod groups;
mod markers;
pub(crate) mod movement;
pub(crate) mod nodes;
mod random;
pub(crate) mod topics;
pub(crate) mod verification;

use crate::Time;
use crate::fetch_sessions::FetchSessions;
use crate::group_coordinator::{GroupCoordinator, GroupSettings};
use crate::history::{Event, History};
use crate::log::Appended;
use crate::log::validate::Refusal;
use crate::txn_coordinator::{TxnCoordinator, TxnSettings};
pub(crate) use config::TopicConfig;
use config::{BrokerConfigs, Cleaning, ConfigError, EFFECTS, ProducerExpiry, TopicDefaults};
use milena_codec::{Batch, ErrorCode};
use nodes::{Condition, CoordinatorKind, GROUP_TOPIC, Node, Seat, Seats, TRANSACTION_TOPIC};
use random::Random;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use topics::{Partition, Topic, is_legal_name};
use uuid::Uuid;

/// What the cluster is configured with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) cluster_id: Arc<str>,
    pub(crate) transactions: TxnSettings,
    pub(crate) groups: GroupSettings,
    pub(crate) producer_expiry: ProducerExpiry,
    /// Bytes of records that all partitions together may hold.
    pub(crate) log_bytes_max: usize,
    /// Partitions of all topics together.
    pub(crate) partitions_max: usize,
    /// For topics that come up in a Metadata request.
    pub(crate) auto_create_topics: bool,
    /// Partitions of a topic that names no number.
    pub(crate) default_partitions: i32,
    /// Replicas of a partition of a topic that names no number.
    pub(crate) default_replication: i16,
    /// How long a coordinator that moved reads its state.
    pub(crate) coordinator_load_time: Duration,
    /// Clients that tell their rack are sent to a replica in it (KIP-392).
    pub(crate) closest_replica: bool,
    /// `delete.topic.enable`.
    pub(crate) delete_topics: bool,
    /// Bytes that a request may have.
    pub(crate) request_bytes_max: usize,
    pub(crate) cleaning: Cleaning,
    /// How a Produce of version 2 waits for the markers of the transaction before.
    pub(crate) marker_wait: MarkerWait,
    pub(crate) seed: u64,
    /// Everything else that a broker can be configured with.
    pub(crate) configs: BrokerConfigs,
}

/// `add.partitions.to.txn.retry.backoff.ms` and `…max.ms`: while the markers of the last transaction are not
/// written, a broker asks its coordinator again before it rejects the Produce of the next one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MarkerWait {
    pub(crate) backoff: Duration,
    pub(crate) max: Duration,
}

impl Settings {
    /// Sets a broker's setting by its name.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        self.configs.set_at_start(name, value)?;
        self.take_effect(name, value)
    }

    fn take_effect(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let effect = EFFECTS.iter().find(|effect| effect.name == name);
        let done = effect.is_none_or(|effect| (effect.write)(self, value).is_some());
        if done {
            return Ok(());
        }
        Err(ConfigError::OutOfRange {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// Who has to look again, after the cluster has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wake {
    /// Readers of logs, and whoever waits for a high watermark or a marker.
    pub(crate) logs: bool,
    /// The timer: something falls due earlier than it thinks.
    pub(crate) timer: bool,
    /// Members of groups that wait for their turn.
    pub(crate) groups: bool,
}

/// The finalized features of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Features {
    /// Goes up with every change (T-1).
    pub(crate) epoch: i64,
    pub(crate) transaction_version: i16,
}

/// The state of all brokers.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) settings: Settings,
    pub(crate) transactions: TxnCoordinator,
    pub(crate) groups: GroupCoordinator,
    pub(crate) features: Features,
    nodes: BTreeMap<i32, Node>,
    topics: BTreeMap<Arc<str>, Topic>,
    names: HashMap<Uuid, Arc<str>>,
    group_seats: Seats,
    transaction_seats: Seats,
    wake: Wake,
    /// By broker.
    fetch_sessions: BTreeMap<i32, FetchSessions>,
    random: Random,
    log_bytes: usize,
    /// Told once that the memory for logs is used up; set back when there is room again.
    full: bool,
    next_producer_scan: Time,
    next_retention: Time,
    next_compaction: Time,
    /// What topics without a value of their own follow.
    topic_defaults: Arc<TopicDefaults>,
    /// Coordinators of these kinds have been looked up, which is when Kafka creates their topics.
    has_group_topic: bool,
    has_transaction_topic: bool,
    history: History,
}

/// A topic to be created.
#[derive(Clone, Debug)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    pub(crate) placement: Placement,
    pub(crate) config: TopicConfig,
}

/// Where a topic's partitions go.
#[derive(Clone, Debug)]
pub(crate) enum Placement {
    /// The replicas of each partition, in order.
    Manual(Vec<Vec<i32>>),
    /// Spread over the brokers; `None` for the default.
    Spread {
        partitions: Option<i32>,
        replication: Option<i16>,
    },
}

impl Cluster {
    pub(crate) fn new(
        settings: Settings,
        nodes: BTreeMap<i32, Node>,
        transaction_version: i16,
        history: History,
        now: Time,
    ) -> Self {
        let ids: Vec<i32> = nodes.keys().copied().collect();
        Self {
            transactions: TxnCoordinator::new(settings.transactions, transaction_version, now),
            groups: GroupCoordinator::new(settings.groups),
            features: Features {
                epoch: 1,
                transaction_version,
            },
            nodes,
            topics: BTreeMap::new(),
            names: HashMap::new(),
            group_seats: Seats::over(&ids),
            transaction_seats: Seats::over(&ids),
            wake: Wake::default(),
            fetch_sessions: BTreeMap::new(),
            random: Random::new(settings.seed),
            log_bytes: 0,
            full: false,
            next_producer_scan: now + settings.producer_expiry.scan,
            next_retention: now + settings.cleaning.retention_interval,
            next_compaction: now + settings.cleaning.compaction_interval,
            has_group_topic: false,
            has_transaction_topic: false,
            topic_defaults: Arc::new(settings.configs.topic_defaults()),
            history,
            settings,
        }
    }

    /// Who is to be woken because of what has happened since the last call.
    pub(crate) fn take_wake(&mut self) -> Wake {
        std::mem::take(&mut self.wake)
    }

    pub(crate) fn wake_timer(&mut self) {
        self.wake.timer = true;
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = (i32, &Node)> {
        self.nodes.iter().map(|(id, node)| (*id, node))
    }

    pub(crate) fn node(&self, broker_id: i32) -> Option<&Node> {
        self.nodes.get(&broker_id)
    }

    /// Brokers that a client is told of: all that have not been stopped.
    pub(crate) fn running(&self) -> BTreeSet<i32> {
        let running = |(_, node): &(&i32, &Node)| node.condition != Condition::Stopped;
        self.nodes
            .iter()
            .filter(running)
            .map(|(id, _)| *id)
            .collect()
    }

    /// The broker that clients are told is the controller.
    pub(crate) fn controller(&self) -> i32 {
        self.running().first().copied().unwrap_or(-1)
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = (&Arc<str>, &Topic)> {
        self.topics.iter()
    }

    pub(crate) fn topic(&self, name: &str) -> Option<(&Arc<str>, &Topic)> {
        self.topics.get_key_value(name)
    }

    pub(crate) fn topic_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.topics.get_mut(name)
    }

    /// The name of the topic with this id.
    pub(crate) fn topic_name(&self, id: Uuid) -> Option<&Arc<str>> {
        self.names.get(&id)
    }

    /// A partition that this broker leads.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownTopicOrPartition`], [`ErrorCode::NotLeaderOrFollower`].
    pub(crate) fn led_partition(
        &mut self,
        topic: &str,
        partition: i32,
        broker_id: i32,
    ) -> Result<&mut Partition, ErrorCode> {
        let partition = self
            .topics
            .get_mut(topic)
            .and_then(|topic| topic.partition_mut(partition))
            .ok_or(ErrorCode::UnknownTopicOrPartition)?;
        if partition.leader != Some(broker_id) {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        Ok(partition)
    }

    /// A partition that this broker may read from.
    ///
    /// # Errors
    /// As [`Cluster::led_partition`], and [`ErrorCode::FencedLeaderEpoch`] or
    /// [`ErrorCode::UnknownLeaderEpoch`] if the reader knows another term than this broker.
    pub(crate) fn readable_partition(
        &self,
        topic: &str,
        partition: i32,
        reader: &Reader,
    ) -> Result<&Partition, ErrorCode> {
        let partition = self
            .topics
            .get(topic)
            .and_then(|topic| topic.partition(partition))
            .ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let replica = partition.replicas.contains(&reader.broker_id);
        if !replica {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        if let Some(epoch) = reader.current_leader_epoch {
            if epoch < partition.leader_epoch {
                return Err(ErrorCode::FencedLeaderEpoch);
            }
            if epoch > partition.leader_epoch {
                return Err(ErrorCode::UnknownLeaderEpoch);
            }
        }
        let leads = partition.leader == Some(reader.broker_id);
        if !leads && !reader.followers_too {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        Ok(partition)
    }

    pub(crate) fn seat(&self, kind: CoordinatorKind, key: &str) -> Seat {
        match kind {
            CoordinatorKind::Group => self.group_seats.of(key),
            CoordinatorKind::Transaction => self.transaction_seats.of(key),
        }
    }

    /// Notes that a coordinator of this kind was looked up.
    pub(crate) fn create_internal_topic(&mut self, kind: CoordinatorKind) {
        match kind {
            CoordinatorKind::Group => self.has_group_topic = true,
            CoordinatorKind::Transaction => self.has_transaction_topic = true,
        }
    }

    /// The coordinators' topics that there are, each with the broker and the leader epoch of each of its partitions.
    pub(crate) fn internal_topics(
        &self,
    ) -> impl Iterator<Item = (CoordinatorKind, impl Iterator<Item = &Seat>)> {
        let kinds = [
            (
                CoordinatorKind::Group,
                self.has_group_topic,
                &self.group_seats,
            ),
            (
                CoordinatorKind::Transaction,
                self.has_transaction_topic,
                &self.transaction_seats,
            ),
        ];
        let existing = kinds.into_iter().filter(|(_, exists, _)| *exists);
        existing.map(|(kind, _, seats)| (kind, seats.iter()))
    }

    /// The fetch sessions of one broker.
    pub(crate) fn fetch_sessions(&mut self, broker_id: i32) -> &mut FetchSessions {
        self.fetch_sessions.entry(broker_id).or_default()
    }

    /// An id for a new fetch session: positive, and hard to hit by accident.
    pub(crate) fn fresh_session_id(&mut self) -> i32 {
        let [a, b, c, d, ..] = self.random.next().to_be_bytes();
        (i32::from_be_bytes([a, b, c, d]) & i32::MAX).max(1)
    }

    /// A replica in this rack that a client should rather read from than from this broker, which leads.
    pub(crate) fn replica_in_rack(
        &self,
        topic: &str,
        partition: i32,
        broker_id: i32,
        rack: &str,
    ) -> Option<i32> {
        if !self.settings.closest_replica {
            return None;
        }
        let partition = self.topics.get(topic)?.partition(partition)?;
        let in_rack = |id: &i32| {
            self.nodes
                .get(id)
                .is_some_and(|node| node.rack.as_deref() == Some(rack))
        };
        if partition.leader != Some(broker_id) || in_rack(&broker_id) {
            return None;
        }
        let running = self.running();
        partition.in_sync(&running).find(in_rack)
    }

    /// An id that nobody else has.
    pub(crate) fn fresh_uuid(&mut self) -> Uuid {
        self.random.uuid()
    }

    /// What topics without a value of their own follow.
    pub(crate) fn topic_defaults(&self) -> Arc<TopicDefaults> {
        Arc::clone(&self.topic_defaults)
    }

    /// The configuration of a topic that sets these values.
    ///
    /// # Errors
    /// [`ConfigError`] for the first one that cannot be.
    pub(crate) fn topic_config(
        &self,
        overrides: impl IntoIterator<Item = (String, String)>,
    ) -> Result<TopicConfig, ConfigError> {
        TopicConfig::new(Arc::clone(&self.topic_defaults), overrides)
    }

    /// Alters settings of one broker or of all while they run, or removes what was altered; nothing is altered if one
    /// of them cannot be, nor if they are only to be validated.
    ///
    /// # Errors
    /// [`ConfigError`] for the first one that cannot be.
    pub(crate) fn alter_broker_configs(
        &mut self,
        broker_id: Option<i32>,
        changes: &[(String, Option<String>)],
        validate_only: bool,
    ) -> Result<(), ConfigError> {
        let mut settings = self.settings.clone();
        for (name, value) in changes {
            settings.configs.alter(broker_id, name, value.as_deref())?;
            let key = BrokerConfigs::key(name);
            let values = key.map(|key| settings.configs.values(None, key));
            let holds = values.and_then(|values| values.into_iter().next()?.0);
            settings.take_effect(name, &holds.unwrap_or_default())?;
        }
        if validate_only {
            return Ok(());
        }
        self.settings = settings;
        self.groups.set_settings(self.settings.groups);
        self.topic_defaults = Arc::new(self.settings.configs.topic_defaults());
        for topic in self.topics.values_mut() {
            let mut config = (*topic.config).clone();
            config.follow(Arc::clone(&self.topic_defaults));
            topic.config = Arc::new(config);
        }
        self.wake.timer = true;
        Ok(())
    }

    /// Creates a topic; gives its id.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidTopicException`], [`ErrorCode::TopicAlreadyExists`],
    /// [`ErrorCode::InvalidPartitions`], [`ErrorCode::InvalidReplicationFactor`],
    /// [`ErrorCode::InvalidReplicaAssignment`], [`ErrorCode::PolicyViolation`] beyond the bound on
    /// partitions.
    pub(crate) fn create_topic(&mut self, new: NewTopic) -> Result<Uuid, ErrorCode> {
        let assignments = self.check_new_topic(&new)?;
        let running = self.running();
        let id = self.fresh_uuid();
        let name: Arc<str> = Arc::from(new.name.as_str());
        let partitions = assignments
            .into_iter()
            .map(|replicas| Partition::new(replicas, &running))
            .collect();
        self.names.insert(id, name.clone());
        let topic = Topic {
            id,
            config: Arc::new(new.config),
            partitions,
        };
        self.topics.insert(name, topic);
        Ok(id)
    }

    /// Where the partitions of a topic would go that is to be created.
    ///
    /// # Errors
    /// As [`Cluster::create_topic`].
    pub(crate) fn check_new_topic(&self, new: &NewTopic) -> Result<Vec<Vec<i32>>, ErrorCode> {
        if !is_legal_name(&new.name) || [GROUP_TOPIC, TRANSACTION_TOPIC].contains(&&*new.name) {
            return Err(ErrorCode::InvalidTopicException);
        }
        if self.topics.contains_key(new.name.as_str()) {
            return Err(ErrorCode::TopicAlreadyExists);
        }
        let assignments = match &new.placement {
            Placement::Manual(assignments) => self.check_assignments(assignments)?,
            Placement::Spread {
                partitions,
                replication,
            } => self.spread(*partitions, *replication, 0)?,
        };
        self.check_room_for(assignments.len())?;
        Ok(assignments)
    }

    pub(crate) fn check_room_for(&self, partitions: usize) -> Result<(), ErrorCode> {
        let existing: usize = self
            .topics
            .values()
            .map(|topic| topic.partitions.len())
            .sum();
        if existing.saturating_add(partitions) > self.settings.partitions_max {
            tracing::error!(
                bound = self.settings.partitions_max,
                "no room for more partitions in this embedded broker"
            );
            return Err(ErrorCode::PolicyViolation);
        }
        Ok(())
    }

    fn check_assignments(&self, assignments: &[Vec<i32>]) -> Result<Vec<Vec<i32>>, ErrorCode> {
        let width = assignments.first().map_or(0, Vec::len);
        for replicas in assignments {
            let distinct: BTreeSet<_> = replicas.iter().collect();
            let known = replicas
                .iter()
                .all(|replica| self.nodes.contains_key(replica));
            if width == 0 || replicas.len() != width || distinct.len() != width || !known {
                return Err(ErrorCode::InvalidReplicaAssignment);
            }
        }
        Ok(assignments.to_vec())
    }

    /// Replicas for so many partitions, each beginning at the next broker; `first` is the number of the
    /// first one.
    pub(crate) fn spread(
        &self,
        partitions: Option<i32>,
        replication: Option<i16>,
        first: usize,
    ) -> Result<Vec<Vec<i32>>, ErrorCode> {
        let partitions = partitions.unwrap_or(self.settings.default_partitions);
        let Some(partitions) = usize::try_from(partitions).ok().filter(|n| *n > 0) else {
            return Err(ErrorCode::InvalidPartitions);
        };
        self.check_room_for(partitions)?;
        let brokers: Vec<i32> = self.nodes.keys().copied().collect();
        let replication = replication.unwrap_or(self.settings.default_replication);
        let width = usize::try_from(replication).unwrap_or(0);
        if width == 0 || width > brokers.len() {
            return Err(ErrorCode::InvalidReplicationFactor);
        }
        let from = |start: usize| brokers.iter().copied().cycle().skip(start % brokers.len());
        Ok((first..first.saturating_add(partitions))
            .map(|start| from(start).take(width).collect())
            .collect())
    }

    /// Adds partitions to a topic, up to so many.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownTopicOrPartition`], [`ErrorCode::InvalidPartitions`],
    /// [`ErrorCode::InvalidReplicaAssignment`], [`ErrorCode::PolicyViolation`].
    pub(crate) fn add_partitions(
        &mut self,
        name: &str,
        count: i32,
        assignments: Option<Vec<Vec<i32>>>,
        validate_only: bool,
    ) -> Result<(), ErrorCode> {
        let topic = self.topics.get(name);
        let topic = topic.ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let existing = topic.partitions.len();
        let width = topic
            .partitions
            .first()
            .map_or(1, |first| first.replicas.len());
        let added = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_sub(existing));
        let added = added
            .filter(|added| *added > 0)
            .ok_or(ErrorCode::InvalidPartitions)?;
        let assignments = match assignments {
            Some(assignments) if assignments.len() != added => {
                return Err(ErrorCode::InvalidReplicaAssignment);
            }
            Some(assignments) => self.check_assignments(&assignments)?,
            None => {
                let (added, width) = (i32::try_from(added).ok(), i16::try_from(width).ok());
                self.spread(added, width, existing)?
            }
        };
        self.check_room_for(added)?;
        let running = self.running();
        if let Some(topic) = self.topics.get_mut(name).filter(|_| !validate_only) {
            let partitions = assignments.into_iter();
            topic
                .partitions
                .extend(partitions.map(|replicas| Partition::new(replicas, &running)));
        }
        Ok(())
    }

    /// Deletes a topic with everything in it; says whether it was there.
    pub(crate) fn delete_topic(&mut self, name: &str) -> bool {
        let Some(topic) = self.topics.remove(name) else {
            return false;
        };
        self.names.remove(&topic.id);
        self.groups.offsets.delete_topic(name);
        let bytes: usize = topic
            .partitions
            .iter()
            .map(|partition| partition.log.bytes())
            .sum();
        self.release(bytes);
        self.wake.logs = true;
        true
    }

    /// Appends a producer's batch that has been checked.
    ///
    /// # Errors
    /// What the log refuses; [`ErrorCode::PolicyViolation`] if the memory for logs is used up.
    pub(crate) fn append(
        &mut self,
        topic: &str,
        partition: i32,
        broker_id: i32,
        batch: &Batch,
        now: Time,
    ) -> Result<(Appended, i64), Refusal> {
        let log_bytes = self.log_bytes;
        let log_bytes_max = self.settings.log_bytes_max;
        let (config, name) = match self.topics.get_key_value(topic) {
            Some((name, topic)) => (Arc::clone(&topic.config), Arc::clone(name)),
            None => return Err(Refusal::early(ErrorCode::UnknownTopicOrPartition)),
        };
        let partition_state = self
            .led_partition(topic, partition, broker_id)
            .map_err(Refusal::early)?;
        let before = partition_state.log.bytes();
        if log_bytes.saturating_add(batch.wire_size()) > log_bytes_max {
            return Err(self.refuse_for_memory());
        }
        let log = &mut partition_state.log;
        let epoch = partition_state.leader_epoch;
        log.roll_if_due(batch.wire_size(), config.retention(), now);
        let appended = log.append(batch, epoch, config.timestamp_type(), now)?;
        let (after, log_start) = (log.bytes(), log.log_start_offset());
        self.log_bytes = self.log_bytes.saturating_add(after);
        self.release(before);
        if !appended.repeated {
            self.wake.logs = true;
            let event = Event::Append {
                topic: name,
                partition,
                base_offset: appended.base_offset,
                last_offset: appended.last_offset,
                producer: batch.producer(),
                base_sequence: batch.base_sequence(),
                transactional: batch.is_transactional(),
            };
            self.history.record(now, event);
        }
        Ok((appended, log_start))
    }

    /// Bytes of records that all partitions hold.
    pub(crate) fn log_bytes(&self) -> usize {
        self.log_bytes
    }

    fn refuse_for_memory(&mut self) -> Refusal {
        let message = format!(
            "the embedded broker holds all the {} bytes of records that it may: delete records or topics, \
             set retention.bytes, or give it more log memory",
            self.settings.log_bytes_max
        );
        if !self.full {
            tracing::error!("{message}");
            self.full = true;
        }
        Refusal::by_log(ErrorCode::PolicyViolation).because(message)
    }

    /// Notes that so many bytes of records are gone.
    pub(crate) fn release(&mut self, bytes: usize) {
        self.log_bytes = self.log_bytes.saturating_sub(bytes);
        if bytes > 0 && self.log_bytes < self.settings.log_bytes_max {
            self.full = false;
        }
    }

    pub(crate) fn wake_log_readers(&mut self) {
        self.wake.logs = true;
    }

    /// Does everything that has fallen due.
    pub(crate) fn tick(&mut self, now: Time) {
        self.transactions.scan(now);
        self.write_markers(now);
        self.tick_groups(now);
        if now >= self.next_producer_scan {
            let expiry = self.settings.producer_expiry;
            self.next_producer_scan = now + expiry.scan;
            for partition in self
                .topics
                .values_mut()
                .flat_map(|topic| &mut topic.partitions)
            {
                partition.log.producers_mut().expire(now, expiry.after);
            }
            self.groups.offsets.expire_producers(now, expiry.after);
        }
        self.tick_cleaning(now);
    }

    /// When something falls due next.
    pub(crate) fn next_deadline(&self) -> Time {
        let transactions = self.transactions.next_deadline();
        let earlier = transactions.into_iter().chain(self.groups.next_deadline());
        let scan = self.next_producer_scan.min(self.next_cleaning());
        earlier.min().map_or(scan, |at| at.min(scan))
    }
}

/// Who wants to read a partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    /// Where it asked.
    pub(crate) broker_id: i32,
    /// The leader's term as it knows it (KIP-320).
    pub(crate) current_leader_epoch: Option<i32>,
    /// It may be served by a follower (KIP-392).
    pub(crate) followers_too: bool,
}
