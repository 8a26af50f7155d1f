//! CreatePartitions: more of them for a topic.

use super::{Api, Context, Reply, Subject, text};
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
                result(topic, created.err().unwrap_or(ErrorCode::None))
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
        let results = topics.map(|topic| result(topic, code)).collect();
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

fn result(topic: &CreatePartitionsTopic, code: ErrorCode) -> CreatePartitionsTopicResult {
    let message = (!code.is_none()).then(|| text(&code.to_string()));
    CreatePartitionsTopicResult::default()
        .with_name(topic.name.clone())
        .with_error_code(code.code())
        .with_error_message(message)
}

fn create(
    cluster: &mut Cluster,
    topic: &CreatePartitionsTopic,
    validate_only: bool,
) -> Result<(), ErrorCode> {
    let assignments = topic.assignments.as_ref().map(|assignments| {
        let replicas = assignments
            .iter()
            .map(|assignment| assignment.broker_ids.iter().map(|id| id.0).collect());
        replicas.collect()
    });
    cluster.add_partitions(&topic.name, topic.count, assignments, validate_only)
}
