//! CreatePartitions: more of them for a topic.

use super::h19_create_topics::assignment_fault;
use super::{Api, Context, Reply, Subject, text, words};
use crate::cluster::Cluster;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct CreatePartitions;

impl Api for CreatePartitions {
    type Request = CreatePartitionsRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=3;

    async fn answer(
        context: &Context,
        request: CreatePartitionsRequest,
    ) -> Reply<CreatePartitionsResponse> {
        let results = context.shared.with(|cluster, _| {
            let topics = request.topics.iter();
            let results = topics.map(|topic| {
                let created = create(cluster, topic, request.validate_only);
                let (code, message) = created.err().unwrap_or((ErrorCode::None, None));
                result(topic, code, message)
            });
            results.collect()
        });
        Reply::Answer(CreatePartitionsResponse::default().with_results(results))
    }

    fn refuse(
        request: &CreatePartitionsRequest,
        _: i16,
        code: ErrorCode,
    ) -> CreatePartitionsResponse {
        let topics = request.topics.iter();
        let results = topics
            .map(|topic| result(topic, code, Some(words::message(code))))
            .collect();
        CreatePartitionsResponse::default().with_results(results)
    }

    fn subject(request: &CreatePartitionsRequest) -> Subject {
        let mut subject = Subject::default();
        for topic in &request.topics {
            subject.add(&topic.name, uuid::Uuid::nil(), [-1]);
        }
        subject
    }
}

fn result(
    topic: &CreatePartitionsTopic,
    code: ErrorCode,
    message: Option<String>,
) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult::default()
        .with_name(topic.name.clone())
        .with_error_code(code.code())
        .with_error_message(message.as_deref().map(text))
}

fn create(
    cluster: &mut Cluster,
    topic: &CreatePartitionsTopic,
    validate_only: bool,
) -> Result<(), (ErrorCode, Option<String>)> {
    let name = topic.name.as_str();
    let Some(existing) = cluster.topic(name).map(|(_, topic)| topic.partitions.len()) else {
        return Err((ErrorCode::UnknownTopicOrPartition, None));
    };
    let existing = i32::try_from(existing).unwrap_or(i32::MAX);
    if topic.count <= existing {
        let message = if topic.count == existing {
            format!("Topic already has {existing} partition(s).")
        } else {
            let count = topic.count;
            format!(
                "The topic {name} currently has {existing} partition(s); {count} would not be an increase."
            )
        };
        return Err((ErrorCode::InvalidPartitions, Some(message)));
    }
    let assignments: Option<Vec<Vec<i32>>> = topic.assignments.as_ref().map(|assignments| {
        let replicas = assignments
            .iter()
            .map(|assignment| assignment.broker_ids.iter().map(|id| id.0).collect());
        replicas.collect()
    });
    if let Some(assignments) = &assignments {
        let added = topic.count.saturating_sub(existing);
        let fault = if i32::try_from(assignments.len()) == Ok(added) {
            let mut faults = assignments.iter();
            faults.find_map(|replicas| assignment_fault(cluster, replicas))
        } else {
            Some(format!(
                "Attempted to add {added} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            ))
        };
        if let Some(fault) = fault {
            return Err((ErrorCode::InvalidReplicaAssignment, Some(fault)));
        }
    }
    cluster
        .add_partitions(name, topic.count, assignments, validate_only)
        .map_err(|code| (code, Some(words::message(code))))
}
