//! Topics: list, describe, create, delete.

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use milena_connection::{Repetition, Target};
use uuid::Uuid;

use super::call::{AdminRequest, Each, Errors, Item, Naming};
use super::{Admin, OPERATION_TIMEOUT};
use crate::error::Error;

/// A topic in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicListing {
    /// Its name.
    pub name: String,
    /// Its id, which another topic of the same name would not have; nil from brokers before 2.8.
    pub topic_id: Uuid,
    /// How many partitions it has.
    pub partitions: usize,
    /// Whether it is one of Kafka's own.
    pub is_internal: bool,
}

/// A topic and its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicDescription {
    /// Its id, which another topic of the same name would not have; nil from brokers before 2.8.
    pub topic_id: Uuid,
    /// Whether it is one of Kafka's own.
    pub is_internal: bool,
    /// Its partitions, by number.
    pub partitions: Vec<TopicPartitionDescription>,
}

/// A partition and where it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicPartitionDescription {
    /// Its number, from 0.
    pub partition: i32,
    /// The broker that leads it; `None` while none does.
    pub leader: Option<i32>,
    /// The leader's term; `None` where the broker does not tell.
    pub leader_epoch: Option<i32>,
    /// The brokers that hold it, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Those of them that have all of it.
    pub in_sync_replicas: Vec<i32>,
    /// Those of them that are away.
    pub offline_replicas: Vec<i32>,
}

/// A topic to create.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewTopic {
    /// Its name: letters, digits, `.`, `_` and `-`, up to 249.
    pub name: String,
    /// How many partitions; `None` for the broker's default.
    pub partitions: Option<i32>,
    /// How many replicas of each; `None` for the broker's default.
    pub replication_factor: Option<i16>,
    /// Its configuration, such as `("cleanup.policy", "compact")`, beyond the broker's defaults.
    pub configs: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic with the broker's defaults.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            partitions: None,
            replication_factor: None,
            configs: Vec::new(),
        }
    }

    /// Sets the number of partitions.
    #[must_use]
    pub fn partitions(mut self, partitions: i32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// Sets the number of replicas of each partition.
    #[must_use]
    pub fn replication_factor(mut self, replicas: i16) -> Self {
        self.replication_factor = Some(replicas);
        self
    }

    /// Adds a configuration.
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.push((key.into(), value.into()));
        self
    }
}

/// What was created.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedTopic {
    /// Its id; nil from brokers before 2.8.
    pub topic_id: Uuid,
    /// How many partitions it got; -1 where the broker does not tell (before 2.4).
    pub partitions: i32,
    /// How many replicas of each; -1 where the broker does not tell.
    pub replication_factor: i16,
}

impl AdminRequest for MetadataRequest {
    fn errors(response: &MetadataResponse) -> Errors<'_> {
        // Of the request as a whole from version 13 on, and 0 before; topics have their own.
        Errors::Whole {
            code: response.error_code,
            message: None,
        }
    }

    fn throttle_ms(response: &MetadataResponse) -> i32 {
        response.throttle_time_ms
    }
}

impl AdminRequest for CreateTopicsRequest {
    fn errors(_: &CreateTopicsResponse) -> Errors<'_> {
        Errors::PerItem
    }

    fn throttle_ms(response: &CreateTopicsResponse) -> i32 {
        response.throttle_time_ms
    }
}

impl AdminRequest for DeleteTopicsRequest {
    /// Version 6 only adds deletion by id; up to 5 names are enough for every broker.
    const VERSION_USED_MAX: Option<i16> = Some(5);

    fn errors(_: &DeleteTopicsResponse) -> Errors<'_> {
        Errors::PerItem
    }

    fn throttle_ms(response: &DeleteTopicsResponse) -> i32 {
        response.throttle_time_ms
    }
}

impl Admin {
    /// All topics, Kafka's own too, in no order.
    ///
    /// # Errors
    /// [`Error::Transport`] and other errors of the request as a whole.
    ///
    /// # Cancel safety
    /// Cancel safe: it only reads.
    #[doc(alias = "listTopics")]
    #[doc(alias = "fetch_metadata")]
    pub async fn list_topics(&self) -> Result<Vec<TopicListing>, Error> {
        let request = MetadataRequest::default().with_topics(None);
        let mut repetition = self.repetition();
        let answer = self.ask(&mut repetition, &Target::Any, &request).await?;
        let listing = |topic: MetadataResponseTopic| TopicListing {
            name: text(topic.name.as_ref()),
            topic_id: topic.topic_id,
            partitions: topic.partitions.len(),
            is_internal: topic.is_internal,
        };
        Ok(answer.response.topics.into_iter().map(listing).collect())
    }

    /// Each of these topics with its partitions.
    ///
    /// # Errors
    /// Of the request as a whole; errors of one topic, such as UNKNOWN_TOPIC_OR_PARTITION, are in
    /// its result.
    ///
    /// # Cancel safety
    /// Cancel safe: it only reads.
    #[doc(alias = "describeTopics")]
    pub async fn describe_topics<N: AsRef<str>>(
        &self,
        topics: &[N],
    ) -> Result<Vec<(String, Result<TopicDescription, Error>)>, Error> {
        let names = texts(topics);
        self.describe_each(&mut self.repetition(), &names).await
    }

    pub(super) async fn describe_each(
        &self,
        repetition: &mut Repetition,
        names: &[String],
    ) -> Result<Each<TopicDescription>, Error> {
        let build = |names: &[String]| {
            let named =
                |name: &String| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
            MetadataRequest::default()
                .with_topics(Some(names.iter().map(named).collect()))
                .with_allow_auto_topic_creation(false)
        };
        let read = |response: MetadataResponse| {
            let item = |topic: MetadataResponseTopic| Item {
                name: text(topic.name.as_ref()),
                code: topic.error_code,
                message: None,
                value: description(topic),
            };
            response.topics.into_iter().map(item).collect()
        };
        self.ask_each(repetition, &Target::Any, Naming::Topic, names, build, read)
            .await
    }

    /// Creates these topics.
    ///
    /// A topic appears on the brokers one after the other; a moment may pass before each knows it.
    ///
    /// # Errors
    /// Of the request as a whole; errors of one topic, such as TOPIC_ALREADY_EXISTS, are in its
    /// result. With an unknown outcome a topic may have been created.
    ///
    /// # Cancel safety
    /// Dropped early, the topics may or may not be created.
    #[doc(alias = "createTopics")]
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
    ) -> Result<Vec<(String, Result<CreatedTopic, Error>)>, Error> {
        let build = |names: &[String]| {
            let wanted = topics.iter().filter(|topic| names.contains(&topic.name));
            CreateTopicsRequest::default()
                .with_topics(wanted.map(creatable).collect())
                .with_timeout_ms(millis(self.config.request_timeout))
        };
        let read = |response: CreateTopicsResponse| {
            let item = |topic: CreatableTopicResult| Item {
                name: topic.name.to_string(),
                code: topic.error_code,
                message: topic.error_message.map(|text| text.to_string()),
                value: CreatedTopic {
                    topic_id: topic.topic_id,
                    partitions: topic.num_partitions,
                    replication_factor: topic.replication_factor,
                },
            };
            response.topics.into_iter().map(item).collect()
        };
        let names: Vec<_> = topics.iter().map(|topic| topic.name.clone()).collect();
        let (mut repetition, target) = (self.repetition(), Target::Controller);
        self.ask_each(&mut repetition, &target, Naming::Topic, &names, build, read)
            .await
    }

    /// Deletes these topics with all their records.
    ///
    /// # Errors
    /// Of the request as a whole; errors of one topic, such as UNKNOWN_TOPIC_OR_PARTITION, are in
    /// its result. With an unknown outcome a topic may have been deleted.
    ///
    /// # Cancel safety
    /// Dropped early, the topics may or may not be deleted.
    #[doc(alias = "deleteTopics")]
    pub async fn delete_topics<N: AsRef<str>>(
        &self,
        topics: &[N],
    ) -> Result<Vec<(String, Result<(), Error>)>, Error> {
        let build = |names: &[String]| {
            DeleteTopicsRequest::default()
                .with_topic_names(names.iter().map(|name| topic_name(name)).collect())
                .with_timeout_ms(millis(self.config.request_timeout))
        };
        let read = |response: DeleteTopicsResponse| {
            let item = |topic: DeletableTopicResult| Item {
                name: text(topic.name.as_ref()),
                code: topic.error_code,
                message: topic.error_message.map(|text| text.to_string()),
                value: (),
            };
            response.responses.into_iter().map(item).collect()
        };
        let (mut repetition, target) = (self.repetition(), Target::Controller);
        let names = texts(topics);
        self.ask_each(&mut repetition, &target, Naming::Topic, &names, build, read)
            .await
    }
}

fn description(topic: MetadataResponseTopic) -> TopicDescription {
    let mut partitions: Vec<_> = topic.partitions.iter().map(partition).collect();
    partitions.sort_by_key(|partition| partition.partition);
    TopicDescription {
        topic_id: topic.topic_id,
        is_internal: topic.is_internal,
        partitions,
    }
}

fn partition(partition: &MetadataResponsePartition) -> TopicPartitionDescription {
    let not_negative = |number: i32| (number >= 0).then_some(number);
    TopicPartitionDescription {
        partition: partition.partition_index,
        leader: not_negative(partition.leader_id.0),
        leader_epoch: not_negative(partition.leader_epoch),
        replicas: partition.replica_nodes.iter().map(|id| id.0).collect(),
        in_sync_replicas: partition.isr_nodes.iter().map(|id| id.0).collect(),
        offline_replicas: partition.offline_replicas.iter().map(|id| id.0).collect(),
    }
}

fn creatable(topic: &NewTopic) -> CreatableTopic {
    let config = |(key, value): &(String, String)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_string(key.clone()))
            .with_value(Some(StrBytes::from_string(value.clone())))
    };
    CreatableTopic::default()
        .with_name(topic_name(&topic.name))
        .with_num_partitions(topic.partitions.unwrap_or(-1))
        .with_replication_factor(topic.replication_factor.unwrap_or(-1))
        .with_configs(topic.configs.iter().map(config).collect())
}

fn texts<N: AsRef<str>>(names: &[N]) -> Vec<String> {
    names.iter().map(|name| name.as_ref().to_owned()).collect()
}

pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

fn text(name: Option<&TopicName>) -> String {
    name.map(|name| name.to_string()).unwrap_or_default()
}

pub(super) fn millis(wait: std::time::Duration) -> i32 {
    i32::try_from(wait.min(OPERATION_TIMEOUT).as_millis()).unwrap_or(i32::MAX)
}
