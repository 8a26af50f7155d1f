//! From the machine's plans to Kafka's messages, and from Kafka's answers to what they mean.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::fetch_response::{LeaderIdAndEpoch, NodeEndpoint, PartitionData};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    BrokerId, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use milena_codec::{ErrorCode, ProducerId};
use uuid::Uuid;

use super::super::position::EpochEnd;
use super::super::position::ResetTarget;
use super::super::visibility::{AbortedTransaction, Filter};
use super::answer::{FetchAnswer, PartitionAnswer};
use super::batches::{self, Reading};
use super::lookup::{EpochAnswer, OffsetAnswer, ValidationQuestion};
use super::machine::{Asked, FetchPlan, FetchSupport};
use super::partition::Watermarks;
use super::session::SESSIONLESS;
use crate::config::ConsumerConfig;
use crate::types::{IsolationLevel, TopicPartition};

/// The versions of Fetch spoken here: 4 is the first with transactions, 18 Kafka 4.3.1's last.
pub(crate) const FETCH_VERSIONS: std::ops::RangeInclusive<i16> = 4..=18;
/// The last version that names topics; from the next on they go by id (KIP-516).
const FETCH_BY_NAME_MAX: i16 = 12;
/// 2 is the first with an isolation level.
pub(crate) const LIST_OFFSETS_VERSIONS: std::ops::RangeInclusive<i16> = 2..=11;
/// 3 is the first for consumers.
pub(crate) const EPOCH_END_VERSIONS: std::ops::RangeInclusive<i16> = 3..=4;

/// A newer leader that a broker named in place of data (R-51, KIP-951).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeaderHint {
    pub(crate) name: TopicPartition,
    pub(crate) broker: i32,
    pub(crate) leader_epoch: i32,
    /// Host and port, where the answer has them.
    pub(crate) endpoint: Option<(String, u16)>,
}

/// What this version of Fetch can say.
pub(crate) fn fetch_support(version: i16) -> FetchSupport {
    FetchSupport {
        sessions: version >= 7,
        topic_ids: version > FETCH_BY_NAME_MAX,
    }
}

/// The request for a plan, and the version to send it in: at most `version_max`.
pub(crate) fn fetch_request(
    plan: &FetchPlan,
    config: &ConsumerConfig,
    version_max: i16,
) -> (FetchRequest, i16) {
    let by_topic_id = plan.session.by_topic_id;
    let version = if by_topic_id {
        version_max
    } else {
        version_max.min(FETCH_BY_NAME_MAX)
    };
    let mut topics: Vec<FetchTopic> = Vec::new();
    for (name, want) in &plan.session.send {
        let topic_id = want.topic_id.filter(|_| by_topic_id).unwrap_or_default();
        // last_fetched_epoch, log_start_offset and the like are for replicas and stay unset.
        let partition = FetchPartition::default()
            .with_partition(name.partition())
            .with_fetch_offset(want.fetch_offset)
            .with_current_leader_epoch(want.current_leader_epoch.unwrap_or(-1))
            .with_partition_max_bytes(want.bytes_max);
        // Neighbours share a topic entry. Order carries meaning, so they are not regrouped.
        match topics.last_mut() {
            Some(topic) if topic.topic_id == topic_id && *topic.topic == *name.topic() => {
                topic.partitions.push(partition);
            }
            _ => topics.push(
                FetchTopic::default()
                    .with_topic(topic_name(name))
                    .with_topic_id(topic_id)
                    .with_partitions(vec![partition]),
            ),
        }
    }
    let forgotten = plan.session.forget.iter().map(|(name, topic_id)| {
        ForgottenTopic::default()
            .with_topic(topic_name(name))
            .with_topic_id(topic_id.filter(|_| by_topic_id).unwrap_or_default())
            .with_partitions(vec![name.partition()])
    });
    let request = FetchRequest::default()
        .with_max_wait_ms(milliseconds(config.fetch_wait_max))
        .with_min_bytes(config.fetch_bytes_min)
        .with_max_bytes(config.fetch_bytes_max)
        .with_isolation_level(config.isolation_level.code())
        .with_session_id(plan.session.session_id)
        .with_session_epoch(plan.session.session_epoch)
        .with_topics(topics)
        .with_forgotten_topics_data(forgotten.collect())
        .with_rack_id(StrBytes::from_string(config.rack.clone()));
    (request, version)
}

/// The request that closes a session and asks for nothing.
pub(crate) fn close_session_request(session_id: i32) -> FetchRequest {
    FetchRequest::default()
        .with_session_id(session_id)
        .with_session_epoch(SESSIONLESS)
}

/// What a Fetch answer means. Here, outside of any lock, the records are walked, filtered and
/// checked.
pub(crate) fn read_fetch(
    response: FetchResponse,
    asked: &Asked,
    isolation_level: IsolationLevel,
    check_crcs: bool,
) -> (FetchAnswer, Vec<LeaderHint>) {
    let topics_by_id: HashMap<Uuid, &Arc<str>> = asked
        .iter()
        .filter_map(|(name, asked)| Some((asked.topic_id?, name.topic_shared())))
        .collect();
    let mut seen = HashSet::new();
    let mut partitions = Vec::new();
    let mut names_strangers = false;
    let mut hints = Vec::new();
    for topic in response.responses {
        let by_id = topics_by_id
            .get(&topic.topic_id)
            .map(|name| Arc::clone(name));
        let name = by_id.unwrap_or_else(|| Arc::from(topic.topic.as_str()));
        for data in topic.partitions {
            let name = TopicPartition::new(Arc::clone(&name), data.partition_index);
            let Some(asked) = asked.get(&name) else {
                names_strangers = true;
                continue;
            };
            //
            if !seen.insert(name.clone()) {
                continue;
            }
            hints.extend(leader_hint(
                &name,
                &data.current_leader,
                &response.node_endpoints,
            ));
            let answer = read_partition(data, asked.fetch_offset, isolation_level, check_crcs);
            partitions.push((name, answer));
        }
    }
    let answer = FetchAnswer {
        error: ErrorCode::from(response.error_code),
        session_id: response.session_id,
        throttle: Duration::from_millis(response.throttle_time_ms.max(0).cast_unsigned().into()),
        partitions,
        names_strangers,
    };
    (answer, hints)
}

fn read_partition(
    data: PartitionData,
    fetch_offset: i64,
    isolation_level: IsolationLevel,
    check_crcs: bool,
) -> PartitionAnswer {
    let error = ErrorCode::from(data.error_code);
    let has_records = data
        .records
        .as_ref()
        .is_some_and(|records| !records.is_empty());
    let reading = match data.records {
        Some(records) if error.is_none() => {
            let aborted = data.aborted_transactions.unwrap_or_default().into_iter();
            let aborted = aborted.map(|entry| AbortedTransaction {
                producer_id: ProducerId(entry.producer_id.0),
                first_offset: entry.first_offset,
            });
            let filter = Filter::new(isolation_level, aborted);
            batches::read(records, fetch_offset, filter, check_crcs)
        }
        Some(_) | None => Reading::default(),
    };
    PartitionAnswer {
        error,
        // Absent values travel as -1.
        watermarks: Watermarks {
            high_watermark: known(data.high_watermark),
            last_stable_offset: known(data.last_stable_offset),
            log_start_offset: known(data.log_start_offset),
        },
        preferred_replica: known(data.preferred_read_replica.0),
        has_records,
        reading,
    }
}

fn leader_hint(
    name: &TopicPartition,
    leader: &LeaderIdAndEpoch,
    endpoints: &[NodeEndpoint],
) -> Option<LeaderHint> {
    let broker = known(leader.leader_id.0)?;
    let leader_epoch = known(leader.leader_epoch)?;
    let endpoint = endpoints
        .iter()
        .find(|endpoint| endpoint.node_id.0 == broker);
    let endpoint = endpoint.and_then(|endpoint| {
        Some((
            endpoint.host.to_string(),
            u16::try_from(endpoint.port).ok()?,
        ))
    });
    Some(LeaderHint {
        name: name.clone(),
        broker,
        leader_epoch,
        endpoint,
    })
}

/// One question of a ListOffsets: the partition, what to look for, the leader's term.
pub(crate) type OffsetQuestion<'a> = (&'a TopicPartition, ResetTarget, Option<i32>);

/// A ListOffsets for these questions.
pub(crate) fn list_offsets_request<'a>(
    questions: impl IntoIterator<Item = OffsetQuestion<'a>>,
    isolation_level: IsolationLevel,
    timeout: Duration,
) -> ListOffsetsRequest {
    let mut topics: Vec<ListOffsetsTopic> = Vec::new();
    for (name, target, current_leader_epoch) in questions {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(name.partition())
            .with_current_leader_epoch(current_leader_epoch.unwrap_or(-1))
            .with_timestamp(target.timestamp());
        match topics.last_mut() {
            Some(topic) if *topic.name == *name.topic() => topic.partitions.push(partition),
            _ => topics.push(
                ListOffsetsTopic::default()
                    .with_name(topic_name(name))
                    .with_partitions(vec![partition]),
            ),
        }
    }
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(isolation_level.code())
        .with_timeout_ms(milliseconds(timeout))
        .with_topics(topics)
}

/// What a ListOffsets answer says of each partition; of one named twice, the first word counts.
pub(crate) fn read_list_offsets(
    response: ListOffsetsResponse,
) -> HashMap<TopicPartition, OffsetAnswer> {
    let mut answers = HashMap::new();
    for topic in response.topics {
        let name: Arc<str> = Arc::from(topic.name.as_str());
        for partition in topic.partitions {
            let name = TopicPartition::new(Arc::clone(&name), partition.partition_index);
            answers.entry(name).or_insert(OffsetAnswer {
                error: ErrorCode::from(partition.error_code),
                offset: known(partition.offset),
                timestamp: known(partition.timestamp),
                leader_epoch: known(partition.leader_epoch),
            });
        }
    }
    answers
}

/// An OffsetForLeaderEpoch for these questions.
pub(crate) fn epoch_end_request(questions: &[ValidationQuestion]) -> OffsetForLeaderEpochRequest {
    let mut topics: Vec<OffsetForLeaderTopic> = Vec::new();
    for ValidationQuestion { name, position, .. } in questions {
        let partition = OffsetForLeaderPartition::default()
            .with_partition(name.partition())
            .with_current_leader_epoch(position.leader.epoch.unwrap_or(-1))
            .with_leader_epoch(position.offset_epoch.unwrap_or(-1));
        match topics.last_mut() {
            Some(topic) if *topic.topic == *name.topic() => topic.partitions.push(partition),
            _ => topics.push(
                OffsetForLeaderTopic::default()
                    .with_topic(topic_name(name))
                    .with_partitions(vec![partition]),
            ),
        }
    }
    OffsetForLeaderEpochRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(topics)
}

/// What an OffsetForLeaderEpoch answer says of each partition.
pub(crate) fn read_epoch_ends(
    response: OffsetForLeaderEpochResponse,
) -> HashMap<TopicPartition, EpochAnswer> {
    let mut answers = HashMap::new();
    for topic in response.topics {
        let name: Arc<str> = Arc::from(topic.topic.as_str());
        for partition in topic.partitions {
            let name = TopicPartition::new(Arc::clone(&name), partition.partition);
            let end = EpochEnd {
                leader_epoch: known(partition.leader_epoch),
                end_offset: known(partition.end_offset),
            };
            let error = ErrorCode::from(partition.error_code);
            answers.entry(name).or_insert(EpochAnswer { error, end });
        }
    }
    answers
}

fn topic_name(name: &TopicPartition) -> TopicName {
    TopicName(StrBytes::from_string(name.topic().to_owned()))
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// A number that travels as -1 when it is unknown.
fn known<T: PartialOrd + From<i8>>(number: T) -> Option<T> {
    (number >= T::from(0)).then_some(number)
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
