//! Topics: list, describe, create, delete.

use std::collections::HashMap;

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use milena_codec::ApiKey;
use milena_connection::Target;
use uuid::Uuid;

use super::call::{Answered, Attempts, refused};
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
        let answer = self.ask(Target::Any, request, &mut self.attempts()).await?;
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
        let named =
            |topic: &N| MetadataRequestTopic::default().with_name(Some(topic_name(topic.as_ref())));
        let request = MetadataRequest::default()
            .with_topics(Some(topics.iter().map(named).collect()))
            .with_allow_auto_topic_creation(false);
        let Answered { response, broker } =
            self.ask(Target::Any, request, &mut self.attempts()).await?;
        let found = response.topics.into_iter().map(|topic| {
            let name = text(topic.name.as_ref());
            let result = refused(topic.error_code, ApiKey::Metadata, broker, &name, None);
            (name, result.map(|()| description(topic)))
        });
        Ok(in_order(topics, found, ApiKey::Metadata, broker))
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
        let request = CreateTopicsRequest::default()
            .with_topics(topics.iter().map(creatable).collect())
            .with_timeout_ms(millis(self.config.request_timeout));
        let mut attempts = self.attempts();
        let Answered { response, broker } = loop {
            let answer = self
                .ask(Target::Controller, request.clone(), &mut attempts)
                .await?;
            let codes = answer.response.topics.iter().map(|topic| topic.error_code);
            match nowhere(codes, ApiKey::CreateTopics, answer.broker) {
                None => break answer,
                Some(error) => self.find_controller_after(error, &mut attempts).await?,
            }
        };
        let created = response.topics.into_iter().map(|topic| {
            let name = topic.name.to_string();
            let message = topic.error_message.as_deref();
            let result = refused(
                topic.error_code,
                ApiKey::CreateTopics,
                broker,
                &name,
                message,
            );
            let created = CreatedTopic {
                topic_id: topic.topic_id,
                partitions: topic.num_partitions,
                replication_factor: topic.replication_factor,
            };
            (name, result.map(|()| created))
        });
        let names: Vec<_> = topics.iter().map(|topic| &*topic.name).collect();
        Ok(in_order(&names, created, ApiKey::CreateTopics, broker))
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
        // Version 6 only adds deletion by id; up to 5 names are enough for every broker.
        let request = DeleteTopicsRequest::default()
            .with_topic_names(
                topics
                    .iter()
                    .map(|topic| topic_name(topic.as_ref()))
                    .collect(),
            )
            .with_timeout_ms(millis(self.config.request_timeout));
        let mut attempts = self.attempts();
        let Answered { response, broker } = loop {
            let target = Target::Controller;
            let answer = self
                .ask_up_to(5, target, request.clone(), &mut attempts)
                .await?;
            let codes = answer
                .response
                .responses
                .iter()
                .map(|topic| topic.error_code);
            match nowhere(codes, ApiKey::DeleteTopics, answer.broker) {
                None => break answer,
                Some(error) => self.find_controller_after(error, &mut attempts).await?,
            }
        };
        let deleted = response.responses.into_iter().map(|topic| {
            let name = text(topic.name.as_ref());
            let message = topic.error_message.as_deref();
            let result = refused(
                topic.error_code,
                ApiKey::DeleteTopics,
                broker,
                &name,
                message,
            );
            (name, result)
        });
        Ok(in_order(topics, deleted, ApiKey::DeleteTopics, broker))
    }

    async fn find_controller_after(
        &self,
        error: Error,
        attempts: &mut Attempts,
    ) -> Result<(), Error> {
        attempts.again_after(error).await?;
        self.cluster
            .refresh(milena_connection::TopicsWanted::None)
            .await?;
        Ok(())
    }
}

/// The error with which the broker turned away the request as a whole, which it repeats per topic.
fn nowhere(
    mut codes: impl Iterator<Item = i16>,
    request: ApiKey,
    broker: Option<i32>,
) -> Option<Error> {
    let not_controller = milena_codec::ErrorCode::NotController;
    let found = codes.any(|code| code == not_controller.code());
    found.then(|| Error::broker(not_controller, request, broker))
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

/// The results in the order asked for; what the broker left out is an error, not a silence.
fn in_order<N: AsRef<str>, T>(
    asked: &[N],
    found: impl Iterator<Item = (String, Result<T, Error>)>,
    request: ApiKey,
    broker: Option<i32>,
) -> Vec<(String, Result<T, Error>)> {
    let mut found: HashMap<String, Result<T, Error>> = found.collect();
    let missing = || Error::Malformed {
        request,
        broker,
        cause: std::sync::Arc::new(std::io::Error::other("the answer leaves the topic out")),
    };
    let each = asked.iter().map(|name| {
        let name = name.as_ref().to_owned();
        let result = found.remove(&name).unwrap_or_else(|| Err(missing()));
        (name, result)
    });
    each.collect()
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
