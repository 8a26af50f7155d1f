//! OffsetFetch: the offsets of one group, or since version 8 of many.

use super::h08_offset_commit::{BY_ID_SINCE, name_of};
use super::{Api, Context, Reply, Subject, text};
use crate::Time;
use crate::cluster::Cluster;
use crate::cluster::nodes::CoordinatorKind;
use crate::group_coordinator::offsets::{Fetched, OffsetKey};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, TopicName};
use milena_codec::ErrorCode;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

pub(super) struct OffsetFetch;

/// From this version on a request is about many groups.
const BATCHED_SINCE: i16 = 8;
/// From this version on an error of the group as a whole is told as such.
const TELLS_ERROR_SINCE: i16 = 2;
/// Before this version, all offsets could not be asked for.
const ALL_SINCE: i16 = 2;

impl Api for OffsetFetch {
    type Request = OffsetFetchRequest;

    const VERSIONS: RangeInclusive<i16> = 1..=10;
    const PER_PARTITION: bool = true;

    async fn answer(context: &Context, request: OffsetFetchRequest) -> Reply<OffsetFetchResponse> {
        let groups = groups(&request, context.api_version);
        let answers = context.shared.with(|cluster, now| {
            let stable = request.require_stable;
            let each = groups.iter();
            each.map(|group| {
                fetch(cluster, context, group, stable, now)
                    .unwrap_or_else(|code| failed(group, context.api_version, code))
            })
            .collect()
        });
        Reply::Answer(respond(answers, context.api_version))
    }

    fn refuse(
        request: &OffsetFetchRequest,
        api_version: i16,
        code: ErrorCode,
    ) -> OffsetFetchResponse {
        let groups = groups(request, api_version);
        let answers = groups.iter().map(|group| failed(group, api_version, code));
        respond(answers.collect(), api_version)
    }

    fn subject(request: &OffsetFetchRequest) -> Subject {
        let first = request.groups.first().map(|group| &group.group_id);
        let mut subject = Subject {
            group_id: Some(first.unwrap_or(&request.group_id).to_string()),
            ..Subject::default()
        };
        for topic in request.topics.iter().flatten() {
            let indexes = topic.partition_indexes.iter().copied();
            subject.add(&topic.name, uuid::Uuid::nil(), indexes);
        }
        let topics = request.groups.iter().flat_map(|group| &group.topics);
        for topic in topics.flatten() {
            let indexes = topic.partition_indexes.iter().copied();
            subject.add(&topic.name, topic.topic_id, indexes);
        }
        subject
    }
}

fn groups(request: &OffsetFetchRequest, api_version: i16) -> Vec<OffsetFetchRequestGroup> {
    if api_version >= BATCHED_SINCE {
        return request.groups.clone();
    }
    let topics = request.topics.as_ref().map(|topics| {
        let topics = topics.iter().map(|topic| {
            OffsetFetchRequestTopics::default()
                .with_name(topic.name.clone())
                .with_partition_indexes(topic.partition_indexes.clone())
        });
        topics.collect()
    });
    let topics = if api_version < ALL_SINCE {
        Some(topics.unwrap_or_default())
    } else {
        topics
    };
    vec![
        OffsetFetchRequestGroup::default()
            .with_group_id(request.group_id.clone())
            .with_member_id(None)
            .with_member_epoch(-1)
            .with_topics(topics),
    ]
}

fn respond(groups: Vec<OffsetFetchResponseGroup>, api_version: i16) -> OffsetFetchResponse {
    let response = OffsetFetchResponse::default();
    if api_version >= BATCHED_SINCE {
        return response.with_groups(groups);
    }
    let only = groups.into_iter().next().unwrap_or_default();
    let topics = only.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|partition| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_committed_offset(partition.committed_offset)
                .with_committed_leader_epoch(partition.committed_leader_epoch)
                .with_metadata(partition.metadata)
                .with_error_code(partition.error_code)
        });
        OffsetFetchResponseTopic::default()
            .with_name(topic.name)
            .with_partitions(partitions.collect())
    });
    response
        .with_topics(topics.collect())
        .with_error_code(only.error_code)
}

fn partition(index: i32, fetched: Fetched) -> OffsetFetchResponsePartitions {
    let answer = OffsetFetchResponsePartitions::default()
        .with_partition_index(index)
        .with_committed_offset(-1)
        .with_committed_leader_epoch(-1)
        .with_metadata(Some(text("")));
    match fetched {
        Fetched::Nothing => answer,
        Fetched::Unstable => answer.with_error_code(ErrorCode::UnstableOffsetCommit.code()),
        Fetched::Committed(committed) => answer
            .with_committed_offset(committed.offset)
            .with_committed_leader_epoch(committed.leader_epoch)
            .with_metadata(Some(text(&committed.metadata))),
    }
}

/// An error of a whole group; the oldest version has only its partitions to tell it.
fn failed(
    group: &OffsetFetchRequestGroup,
    api_version: i16,
    code: ErrorCode,
) -> OffsetFetchResponseGroup {
    let answer = OffsetFetchResponseGroup::default().with_group_id(group.group_id.clone());
    if api_version >= TELLS_ERROR_SINCE {
        return answer.with_error_code(code.code());
    }
    let topics = group.topics.iter().flatten().map(|topic| {
        let partitions = topic.partition_indexes.iter();
        let failed = partitions
            .map(|index| partition(*index, Fetched::Nothing).with_error_code(code.code()));
        OffsetFetchResponseTopics::default()
            .with_name(topic.name.clone())
            .with_partitions(failed.collect())
    });
    answer.with_topics(topics.collect())
}

fn fetch(
    cluster: &Cluster,
    context: &Context,
    group: &OffsetFetchRequestGroup,
    require_stable: bool,
    now: Time,
) -> Result<OffsetFetchResponseGroup, ErrorCode> {
    let group_id = group.group_id.as_str();
    let seat = cluster.seat(CoordinatorKind::Group, group_id);
    seat.check(context.broker_id, now)?;
    let member_id = group.member_id.as_ref().map(|id| id.as_str());
    cluster
        .groups
        .check_fetch(group_id, member_id, group.member_epoch)?;
    let mut wanted: BTreeMap<Arc<str>, Vec<i32>> = BTreeMap::new();
    let mut answers = Vec::new();
    match &group.topics {
        Some(topics) => {
            for topic in topics {
                let by_id = context.api_version >= BY_ID_SINCE;
                let name = if by_id {
                    name_of(cluster, topic.topic_id)
                } else {
                    topic.name.clone()
                };
                if by_id && name.is_empty() {
                    answers.push(unknown(topic));
                    continue;
                }
                let indexes = wanted.entry(Arc::from(name.as_str())).or_default();
                indexes.extend(&topic.partition_indexes);
            }
        }
        None => {
            for key in cluster.groups.offsets.keys(group_id) {
                let indexes = wanted.entry(key.topic.clone()).or_default();
                indexes.push(key.partition);
            }
        }
    }
    for (topic, indexes) in wanted {
        let topic_id = cluster.topic(&topic).map(|(_, topic)| topic.id);
        // Of a topic that is gone there is no id to name it by.
        if context.api_version >= BY_ID_SINCE && topic_id.is_none() {
            continue;
        }
        let partitions = indexes.into_iter().map(|index| {
            if let Some(code) = context.injected.for_partition(&topic, index) {
                return partition(index, Fetched::Nothing).with_error_code(code.code());
            }
            let key = OffsetKey {
                topic: topic.clone(),
                partition: index,
            };
            let fetched = cluster.groups.fetch_offset(group_id, &key, require_stable);
            partition(index, fetched)
        });
        answers.push(
            OffsetFetchResponseTopics::default()
                .with_name(TopicName(text(&topic)))
                .with_topic_id(topic_id.unwrap_or_default())
                .with_partitions(partitions.collect()),
        );
    }
    Ok(OffsetFetchResponseGroup::default()
        .with_group_id(group.group_id.clone())
        .with_topics(answers))
}

/// The answer for a topic whose id nobody knows.
fn unknown(topic: &OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
    let code = ErrorCode::UnknownTopicId.code();
    let partitions = topic.partition_indexes.iter();
    let unknown = partitions.map(|index| partition(*index, Fetched::Nothing).with_error_code(code));
    OffsetFetchResponseTopics::default()
        .with_topic_id(topic.topic_id)
        .with_partitions(unknown.collect())
}
