//! CreateTopics.

use super::{Api, Context, Reply, Subject, text};
use crate::cluster::config::TOPIC_CONFIGS;
use crate::cluster::{Cluster, NewTopic, Placement, TopicConfig};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use milena_codec::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

pub(super) struct CreateTopics;

impl Api for CreateTopics {
    type Request = CreateTopicsRequest;

    const VERSIONS: RangeInclusive<i16> = 2..=7;

    async fn answer(
        context: &Context,
        request: CreateTopicsRequest,
    ) -> Reply<CreateTopicsResponse> {
        let mut seen = BTreeMap::new();
        for topic in &request.topics {
            *seen.entry(topic.name.to_string()).or_insert(0_u32) += 1;
        }
        let mut answered = BTreeSet::new();
        let topics = context.shared.with(|cluster, _| {
            request
                .topics
                .iter()
                .filter(|topic| answered.insert(topic.name.to_string()))
                .map(|topic| {
                    if seen
                        .get(topic.name.as_str())
                        .is_some_and(|count| *count > 1)
                    {
                        let twice = (
                            ErrorCode::InvalidRequest,
                            "Duplicate topic name.".to_owned(),
                        );
                        return failed(topic, &twice);
                    }
                    match create(cluster, topic, request.validate_only) {
                        Ok(created) => created,
                        Err(error) => failed(topic, &error),
                    }
                })
                .collect()
        });
        Reply::Answer(CreateTopicsResponse::default().with_topics(topics))
    }

    fn refuse(
        request: &CreateTopicsRequest,
        _api_version: i16,
        code: ErrorCode,
    ) -> CreateTopicsResponse {
        let error = (code, code.to_string());
        let topics = request.topics.iter().map(|topic| failed(topic, &error));
        CreateTopicsResponse::default().with_topics(topics.collect())
    }

    fn subject(request: &CreateTopicsRequest) -> Subject {
        let topics = request.topics.iter();
        Subject {
            partitions: topics.map(|topic| (topic.name.to_string(), -1)).collect(),
            ..Subject::default()
        }
    }
}

fn failed(topic: &CreatableTopic, (code, message): &(ErrorCode, String)) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_error_code(code.code())
        .with_error_message(Some(text(message)))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
}

fn create(
    cluster: &mut Cluster,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<CreatableTopicResult, (ErrorCode, String)> {
    let with_name = |code: ErrorCode| (code, format!("{code}: topic '{}'", topic.name.as_str()));
    let configs = topic.configs.iter().map(|config| {
        let value = config.value.as_ref().map(ToString::to_string);
        (config.name.to_string(), value.unwrap_or_default())
    });
    let config = cluster
        .topic_config(configs)
        .map_err(|error| (ErrorCode::InvalidConfig, error.to_string()))?;
    let new = NewTopic {
        name: topic.name.to_string(),
        placement: placement(topic).map_err(with_name)?,
        config: config.clone(),
    };
    let assignments = cluster.check_new_topic(&new).map_err(with_name)?;
    let replication = assignments.first().map_or(0, Vec::len);
    let mut result = CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_num_partitions(i32::try_from(assignments.len()).unwrap_or(-1))
        .with_replication_factor(i16::try_from(replication).unwrap_or(-1))
        .with_configs(Some(describe(&config)));
    if !validate_only {
        result.topic_id = cluster.create_topic(new).map_err(with_name)?;
    }
    Ok(result)
}

fn placement(topic: &CreatableTopic) -> Result<Placement, ErrorCode> {
    const DEFAULT: i32 = -1;
    if topic.assignments.is_empty() {
        return Ok(Placement::Spread {
            partitions: Some(topic.num_partitions).filter(|number| *number != DEFAULT),
            replication: Some(topic.replication_factor)
                .filter(|number| i32::from(*number) != DEFAULT),
        });
    }
    if topic.num_partitions != DEFAULT || i32::from(topic.replication_factor) != DEFAULT {
        return Err(ErrorCode::InvalidRequest);
    }
    let mut assignments = BTreeMap::new();
    for assignment in &topic.assignments {
        let replicas = assignment.broker_ids.iter().map(|id| id.0).collect();
        assignments.insert(assignment.partition_index, replicas);
    }
    // Every partition exactly once, from 0.
    let numbers = (0..).take(topic.assignments.len());
    if !assignments.keys().copied().eq(numbers) {
        return Err(ErrorCode::InvalidReplicaAssignment);
    }
    Ok(Placement::Manual(assignments.into_values().collect()))
}

fn describe(config: &TopicConfig) -> Vec<CreatableTopicConfigs> {
    TOPIC_CONFIGS
        .iter()
        .map(|key| {
            let (value, source) = config.value(key);
            CreatableTopicConfigs::default()
                .with_name(text(key.name))
                .with_value(Some(text(value)))
                .with_config_source(source as i8)
        })
        .collect()
}
