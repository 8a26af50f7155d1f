//! DeleteTopics, by name or by id.

use super::{Api, Context, Reply, Subject, text};
use crate::cluster::Cluster;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;
use std::sync::Arc;

pub(super) struct DeleteTopics;

/// From this version on topics may be named by their ids.
const TOPIC_IDS_SINCE: i16 = 6;

impl Api for DeleteTopics {
    type Request = DeleteTopicsRequest;

    const VERSIONS: RangeInclusive<i16> = 1..=6;

    async fn answer(
        context: &Context,
        request: DeleteTopicsRequest,
    ) -> Reply<DeleteTopicsResponse> {
        let responses = context.shared.with(|cluster, _| {
            let topics = wanted(&request, context.api_version);
            topics
                .into_iter()
                .map(|topic| delete(cluster, &topic))
                .collect()
        });
        Reply::Answer(DeleteTopicsResponse::default().with_responses(responses))
    }

    fn refuse(
        request: &DeleteTopicsRequest,
        api_version: i16,
        code: ErrorCode,
    ) -> DeleteTopicsResponse {
        let topics = wanted(request, api_version);
        let refused = topics.iter().map(|topic| failed(topic, code));
        DeleteTopicsResponse::default().with_responses(refused.collect())
    }

    fn subject(request: &DeleteTopicsRequest) -> Subject {
        let mut subject = Subject::default();
        for name in &request.topic_names {
            subject.add(name, uuid::Uuid::nil(), [-1]);
        }
        for topic in &request.topics {
            let name = topic.name.as_deref().map_or("", |name| name.as_str());
            subject.add(name, topic.topic_id, [-1]);
        }
        subject
    }
}

fn wanted(request: &DeleteTopicsRequest, api_version: i16) -> Vec<DeleteTopicState> {
    if api_version >= TOPIC_IDS_SINCE {
        return request.topics.clone();
    }
    let names = request.topic_names.iter().cloned();
    names
        .map(|name| DeleteTopicState::default().with_name(Some(name)))
        .collect()
}

fn failed(topic: &DeleteTopicState, code: ErrorCode) -> DeletableTopicResult {
    DeletableTopicResult::default()
        .with_name(topic.name.clone())
        .with_topic_id(topic.topic_id)
        .with_error_code(code.code())
        .with_error_message(Some(text(&code.to_string())))
}

fn delete(cluster: &mut Cluster, topic: &DeleteTopicState) -> DeletableTopicResult {
    let found: Result<Arc<str>, ErrorCode> = match &topic.name {
        Some(_) if !topic.topic_id.is_nil() => Err(ErrorCode::InvalidRequest),
        Some(name) => cluster
            .topic(name)
            .map(|(name, _)| Arc::clone(name))
            .ok_or(ErrorCode::UnknownTopicOrPartition),
        None => cluster
            .topic_name(topic.topic_id)
            .cloned()
            .ok_or(ErrorCode::UnknownTopicId),
    };
    let name = match found {
        Ok(name) => name,
        Err(code) => return failed(topic, code),
    };
    let id = cluster
        .topic(&name)
        .map_or(topic.topic_id, |(_, topic)| topic.id);
    cluster.delete_topic(&name);
    DeletableTopicResult::default()
        .with_name(Some(TopicName(text(&name))))
        .with_topic_id(id)
}
