//! DeleteTopics, by name or by id.

use super::{Api, Context, Reply, Subject, text, words};
use crate::cluster::Cluster;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use milena_codec::ErrorCode;
use std::collections::BTreeSet;
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
        let topics = wanted(&request, context.api_version);
        let times = |topic: &DeleteTopicState| {
            let same = |other: &&DeleteTopicState| other.name.is_some() && other.name == topic.name;
            topics.iter().filter(same).count()
        };
        let mut repeated = BTreeSet::new();
        let responses = context.shared.with(|cluster, _| {
            if !cluster.settings.delete_topics {
                let code = ErrorCode::TopicDeletionDisabled;
                return topics
                    .iter()
                    .map(|topic| failed(topic, code, None))
                    .collect();
            }
            let mut responses = Vec::new();
            for topic in &topics {
                if times(topic) > 1 {
                    if repeated.insert(topic.name.clone()) {
                        let code = ErrorCode::InvalidRequest;
                        responses.push(failed(topic, code, Some("Duplicate topic name.")));
                    }
                } else {
                    responses.push(delete(cluster, topic));
                }
            }
            responses
        });
        Reply::Answer(DeleteTopicsResponse::default().with_responses(responses))
    }

    fn refuse(
        request: &DeleteTopicsRequest,
        api_version: i16,
        code: ErrorCode,
    ) -> DeleteTopicsResponse {
        let topics = wanted(request, api_version);
        let refused = topics.iter().map(|topic| failed(topic, code, None));
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

fn failed(
    topic: &DeleteTopicState,
    code: ErrorCode,
    message: Option<&str>,
) -> DeletableTopicResult {
    let message = message.map_or_else(|| words::message(code), str::to_owned);
    DeletableTopicResult::default()
        .with_name(topic.name.clone())
        .with_topic_id(topic.topic_id)
        .with_error_code(code.code())
        .with_error_message(Some(text(&message)))
}

fn delete(cluster: &mut Cluster, topic: &DeleteTopicState) -> DeletableTopicResult {
    let invalid = |message| failed(topic, ErrorCode::InvalidRequest, Some(message));
    let found: Result<Arc<str>, ErrorCode> = match &topic.name {
        Some(_) if !topic.topic_id.is_nil() => {
            return invalid("You may not specify both topic name and topic id.");
        }
        None if topic.topic_id.is_nil() => {
            return invalid("Neither topic name nor id were specified.");
        }
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
        Err(code) => return failed(topic, code, None),
    };
    let id = cluster
        .topic(&name)
        .map_or(topic.topic_id, |(_, topic)| topic.id);
    cluster.delete_topic(&name);
    DeletableTopicResult::default()
        .with_error_message(None)
        .with_name(Some(TopicName(text(&name))))
        .with_topic_id(id)
}
