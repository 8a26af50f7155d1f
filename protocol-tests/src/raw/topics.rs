//! Topics by bare requests, and who leads their partitions.

use super::{RawConnection, text, topic_name};
use crate::Failure;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, DeleteTopicsRequest, ListOffsetsRequest, MetadataRequest,
};
use milena_codec::ErrorCode;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const CREATE_TOPICS: i16 = 7;
const DELETE_TOPICS: i16 = 6;
const METADATA: i16 = 12;
const LIST_OFFSETS: i16 = 5;
/// ListOffsets' timestamp for the end of a partition.
const LATEST: i64 = -1;

/// How long a new topic may be without leaders.
const LEADERS_LIMIT: Duration = Duration::from_secs(30);
/// How often to look for them: a broker needs some milliseconds.
const LEADERS_PAUSE: Duration = Duration::from_millis(5);

/// Who leads the partitions of a topic, and where that broker is.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The leader of each partition, -1 where there is none.
    pub leaders: BTreeMap<i32, i32>,
    /// Each broker's `host:port`.
    pub brokers: BTreeMap<i32, String>,
}

impl Layout {
    /// Asks one of these brokers, each `host:port`.
    ///
    /// # Errors
    ///
    /// [`Failure::Answer`] with the topic's error; those of [`RawConnection::call`].
    pub fn of(brokers: &[String], topic: &str) -> Result<Self, Failure> {
        let mut connection = connect_to_any(brokers)?;
        let wanted = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![wanted]))
            .with_allow_auto_topic_creation(false);
        let answer = connection.call(METADATA, &request)?;
        let described = answer.topics.first();
        let code = described.map_or(ErrorCode::UnknownTopicOrPartition.code(), |t| t.error_code);
        checked("Metadata", code)?;
        let partitions = described.iter().flat_map(|topic| &topic.partitions);
        Ok(Self {
            leaders: partitions
                .map(|partition| (partition.partition_index, partition.leader_id.0))
                .collect(),
            brokers: answer
                .brokers
                .iter()
                .map(|broker| {
                    (
                        broker.node_id.0,
                        format!("{}:{}", &*broker.host, broker.port),
                    )
                })
                .collect(),
        })
    }

    /// Whether each leader acts as one: a broker reports in metadata that it leads some time before it does.
    fn serve(&self, topic: &str) -> Result<bool, Failure> {
        for (id, address) in &self.brokers {
            let led = self.leaders.iter().filter(|(_, leader)| *leader == id);
            let partitions = led.map(|(partition, _)| {
                ListOffsetsPartition::default()
                    .with_partition_index(*partition)
                    .with_current_leader_epoch(-1)
                    .with_timestamp(LATEST)
            });
            let topic = ListOffsetsTopic::default()
                .with_name(topic_name(topic))
                .with_partitions(partitions.collect());
            let request = ListOffsetsRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_topics(vec![topic]);
            let answer = RawConnection::connect(address)?.call(LIST_OFFSETS, &request)?;
            let mut partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
            if partitions.any(|partition| partition.error_code != 0) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A connection to the leader of a partition.
    ///
    /// # Errors
    ///
    /// [`Failure::Answer`] if there is none; those of [`RawConnection::connect`].
    pub fn connect_to_leader(&self, partition: i32) -> Result<RawConnection, Failure> {
        let leader = self.leaders.get(&partition);
        let address = leader.and_then(|leader| self.brokers.get(leader));
        let address = address.ok_or(Failure::Answer {
            request: "Metadata",
            code: ErrorCode::LeaderNotAvailable,
        })?;
        RawConnection::connect(address)
    }
}

/// Creates a topic and waits until each partition has a leader.
///
/// # Errors
///
/// [`Failure::Answer`], [`Failure::Late`]; those of [`RawConnection::call`].
pub fn create_topic(
    brokers: &[String],
    name: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> Result<(), Failure> {
    let configs = configs.iter().map(|(key, value)| {
        CreatableTopicConfig::default()
            .with_name(text(key))
            .with_value(Some(text(value)))
    });
    let topic = CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(-1)
        .with_configs(configs.collect());
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(30_000);
    let answer = connect_to_any(brokers)?.call(CREATE_TOPICS, &request)?;
    let code = answer.topics.first().map_or(0, |topic| topic.error_code);
    checked("CreateTopics", code)?;
    wait_for_leaders(brokers, name, usize::try_from(partitions).unwrap_or(0))
}

fn wait_for_leaders(brokers: &[String], name: &str, partitions: usize) -> Result<(), Failure> {
    let deadline = Instant::now() + LEADERS_LIMIT;
    loop {
        let layout = Layout::of(brokers, name);
        if let Ok(layout) = &layout
            && layout.leaders.len() == partitions
            && layout.leaders.values().all(|leader| *leader >= 0)
            && layout.serve(name)?
        {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Failure::Late {
                what: format!("{name} with a leader for each partition"),
                limit: LEADERS_LIMIT,
                context: format!("{layout:?}"),
            });
        }
        std::thread::sleep(LEADERS_PAUSE);
    }
}

/// Deletes a topic.
///
/// # Errors
///
/// [`Failure::Answer`]; those of [`RawConnection::call`].
pub fn delete_topic(brokers: &[String], name: &str) -> Result<(), Failure> {
    let topic = DeleteTopicState::default().with_name(Some(topic_name(name)));
    let request = DeleteTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(30_000);
    let answer = connect_to_any(brokers)?.call(DELETE_TOPICS, &request)?;
    let code = answer.responses.first().map_or(0, |topic| topic.error_code);
    checked("DeleteTopics", code)
}

pub(crate) fn connect_to_any(brokers: &[String]) -> Result<RawConnection, Failure> {
    let mut refused = None;
    for address in brokers {
        match RawConnection::connect(address) {
            Ok(connection) => return Ok(connection),
            Err(failure) => refused = Some(failure),
        }
    }
    Err(refused.unwrap_or_else(|| Failure::Missing {
        what: "a broker to ask".to_owned(),
        remedy: "start one".to_owned(),
    }))
}

pub(crate) fn checked(request: &'static str, code: i16) -> Result<(), Failure> {
    let code = ErrorCode::from(code);
    if code.is_none() {
        Ok(())
    } else {
        Err(Failure::Answer { request, code })
    }
}
