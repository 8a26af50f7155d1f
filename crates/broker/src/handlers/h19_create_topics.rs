//! CreateTopics.

use super::{Api, Context, Reply, Subject, text, words};
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
        let error = (code, words::message(code));
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

type Failed = (ErrorCode, String);

fn create(
    cluster: &mut Cluster,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<CreatableTopicResult, Failed> {
    check_name(&topic.name)?;
    let mut configs = Vec::new();
    for config in &topic.configs {
        let name = config.name.to_string();
        let Some(value) = &config.value else {
            let message = format!("Null value not supported for topic configs: {name}");
            return Err((ErrorCode::InvalidConfig, message));
        };
        configs.push((name, value.to_string()));
    }
    let config = cluster
        .topic_config(configs)
        .map_err(|error| (ErrorCode::InvalidConfig, error.to_string()))?;
    let new = NewTopic {
        name: topic.name.to_string(),
        placement: placement(cluster, topic)?,
        config: config.clone(),
    };
    let explain = |code| (code, explanation(cluster, topic, code));
    let assignments = cluster.check_new_topic(&new).map_err(explain)?;
    let replication = assignments.first().map_or(0, Vec::len);
    let mut result = CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_error_message(None)
        .with_num_partitions(i32::try_from(assignments.len()).unwrap_or(-1))
        .with_replication_factor(i16::try_from(replication).unwrap_or(-1))
        .with_configs(Some(describe(&config)));
    if !validate_only {
        let created = cluster.create_topic(new);
        result.topic_id = created.map_err(|code| (code, words::message(code)))?;
    }
    Ok(result)
}

fn check_name(name: &str) -> Result<(), Failed> {
    /// The log of the controllers.
    const METADATA_TOPIC: &str = "__cluster_metadata";
    if name == METADATA_TOPIC {
        let message = format!("Creation of internal topic {name} is prohibited.");
        return Err((ErrorCode::InvalidRequest, message));
    }
    words::topic_name_fault(name).map_or(Ok(()), |fault| {
        Err((ErrorCode::InvalidTopicException, fault))
    })
}

/// Why a topic cannot be created.
fn explanation(cluster: &Cluster, topic: &CreatableTopic, code: ErrorCode) -> String {
    let replicas = topic.replication_factor;
    if code == ErrorCode::TopicAlreadyExists {
        return format!("Topic '{}' already exists.", topic.name.as_str());
    }
    if code == ErrorCode::InvalidPartitions {
        return "Number of partitions was set to an invalid non-positive value.".to_owned();
    }
    if code == ErrorCode::InvalidReplicationFactor && replicas <= 0 {
        let message = "Replication factor must be larger than 0, or -1 to use the default value.";
        return message.to_owned();
    }
    if code == ErrorCode::InvalidReplicationFactor {
        return format!(
            "Unable to replicate the partition {replicas} time(s): The target replication factor of {replicas} cannot \
             be reached because only {} broker(s) are registered or some brokers have all their log directories \
             cordoned.",
            cluster.nodes().count()
        );
    }
    if code == ErrorCode::PolicyViolation {
        return format!(
            "this embedded broker holds at most {} partitions (partitions_max)",
            cluster.settings.partitions_max
        );
    }
    words::message(code)
}

fn placement(cluster: &Cluster, topic: &CreatableTopic) -> Result<Placement, Failed> {
    const DEFAULT: i32 = -1;
    if topic.assignments.is_empty() {
        return Ok(Placement::Spread {
            partitions: Some(topic.num_partitions).filter(|number| *number != DEFAULT),
            replication: Some(topic.replication_factor)
                .filter(|number| i32::from(*number) != DEFAULT),
        });
    }
    let invalid = |message: String| Err((ErrorCode::InvalidReplicaAssignment, message));
    let both = |what: &str| {
        let message =
            format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Err((ErrorCode::InvalidRequest, message))
    };
    if i32::from(topic.replication_factor) != DEFAULT {
        return both("replication factor");
    }
    if topic.num_partitions != DEFAULT {
        return both("numPartitions");
    }
    let mut assignments = BTreeMap::new();
    for assignment in &topic.assignments {
        let replicas: Vec<i32> = assignment.broker_ids.iter().map(|id| id.0).collect();
        let index = assignment.partition_index;
        if assignments.contains_key(&index) {
            return invalid(format!(
                "Found multiple manual partition assignments for partition {index}"
            ));
        }
        if let Some(fault) = assignment_fault(cluster, &replicas) {
            return invalid(fault);
        }
        assignments.insert(index, replicas);
    }
    // Every partition exactly once, from 0.
    let numbers = (0..).take(topic.assignments.len());
    if !assignments.keys().copied().eq(numbers) {
        return invalid("partitions should be a consecutive 0-based integer sequence".to_owned());
    }
    Ok(Placement::Manual(assignments.into_values().collect()))
}

/// Why a partition cannot have these replicas; `None` if it can.
pub(super) fn assignment_fault(cluster: &Cluster, replicas: &[i32]) -> Option<String> {
    let fault = "The manual partition assignment includes";
    if replicas.is_empty() {
        return Some(format!("{fault} an empty replica list."));
    }
    let mut seen = BTreeSet::new();
    for id in replicas {
        if cluster.node(*id).is_none() {
            return Some(format!(
                "{fault} broker {id}, but no such broker is registered."
            ));
        }
        if !seen.insert(id) {
            return Some(format!("{fault} the broker {id} more than once."));
        }
    }
    None
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
