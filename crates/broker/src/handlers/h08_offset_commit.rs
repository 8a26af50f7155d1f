//! OffsetCommit: see [`crate::group_coordinator::commit`].

use super::{Api, Context, Reply, Subject, text};
use crate::cluster::Cluster;
use crate::cluster::nodes::CoordinatorKind;
use crate::group_coordinator::commit::{Committer, ToCommit};
use crate::group_coordinator::offsets::OffsetKey;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, TopicName};
use milena_codec::ErrorCode;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

pub(super) struct OffsetCommit;

/// From this version on topics are named by their ids (G-60, KIP-848); OffsetFetch has the same.
pub(super) const BY_ID_SINCE: i16 = 10;

impl Api for OffsetCommit {
    type Request = OffsetCommitRequest;

    const VERSIONS: RangeInclusive<i16> = 2..=10;
    const PER_PARTITION: bool = true;

    async fn answer(
        context: &Context,
        mut request: OffsetCommitRequest,
    ) -> Reply<OffsetCommitResponse> {
        let codes = context.shared.with(|cluster, now| {
            for topic in &mut request.topics {
                if context.api_version >= BY_ID_SINCE {
                    topic.name = name_of(cluster, topic.topic_id);
                }
            }
            commit(cluster, context, &request, now)
        });
        Reply::Answer(respond(&request, |topic, partition| {
            codes.get(&(topic.to_owned(), partition)).copied()
        }))
    }

    fn refuse(request: &OffsetCommitRequest, _: i16, code: ErrorCode) -> OffsetCommitResponse {
        respond(request, |_, _| Some(code))
    }

    fn subject(request: &OffsetCommitRequest) -> Subject {
        let mut subject = Subject {
            group_id: Some(request.group_id.to_string()),
            ..Subject::default()
        };
        for topic in &request.topics {
            let indexes = topic
                .partitions
                .iter()
                .map(|partition| partition.partition_index);
            subject.add(&topic.name, topic.topic_id, indexes);
        }
        subject
    }
}

fn respond(
    request: &OffsetCommitRequest,
    code: impl Fn(&str, i32) -> Option<ErrorCode>,
) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            let code = code(&topic.name, index).unwrap_or(ErrorCode::UnknownServerError);
            OffsetCommitResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(code.code())
        });
        OffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_topic_id(topic.topic_id)
            .with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

type Codes = BTreeMap<(String, i32), ErrorCode>;

fn commit(
    cluster: &mut Cluster,
    context: &Context,
    request: &OffsetCommitRequest,
    now: crate::Time,
) -> Codes {
    let mut codes = Codes::new();
    let mut offsets = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let index = partition.partition_index;
            let found = if topic.name.is_empty() && context.api_version >= BY_ID_SINCE {
                Err(ErrorCode::UnknownTopicId)
            } else {
                find(cluster, context, &topic.name, index)
            };
            match found {
                Err(code) => {
                    codes.insert((topic.name.to_string(), index), code);
                }
                Ok((key, topic_id)) => offsets.push(ToCommit {
                    key,
                    topic_id,
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch,
                    metadata: metadata(partition.committed_metadata.as_deref()),
                }),
            }
        }
    }
    if offsets.is_empty() {
        return codes;
    }
    let keys: Vec<_> = offsets.iter().map(|commit| commit.key.clone()).collect();
    let committer = Committer {
        group_id: &request.group_id,
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_ref().map(|id| id.as_str()),
        generation: request.generation_id_or_member_epoch,
    };
    let seat = cluster.seat(CoordinatorKind::Group, &request.group_id);
    let results = seat.check(context.broker_id, now).and_then(|()| {
        cluster
            .groups
            .commit(&committer, offsets, context.api_version, now)
    });
    let results = results.unwrap_or_else(|code| vec![code; keys.len()]);
    for (key, code) in keys.into_iter().zip(results) {
        codes.insert((key.topic.to_string(), key.partition), code);
    }
    codes
}

/// The name of a topic, empty if no topic has the id. No topic has an empty name.
pub(super) fn name_of(cluster: &Cluster, topic_id: uuid::Uuid) -> TopicName {
    TopicName(text(cluster.topic_name(topic_id).map_or("", |name| name)))
}

/// The partition that an offset is for, if it exists and the script has nothing against it.
pub(super) fn find(
    cluster: &Cluster,
    context: &Context,
    topic: &str,
    partition: i32,
) -> Result<(OffsetKey, uuid::Uuid), ErrorCode> {
    if let Some(code) = context.injected.for_partition(topic, partition) {
        return Err(code);
    }
    let (name, topic) = cluster
        .topic(topic)
        .filter(|(_, topic)| topic.partition(partition).is_some())
        .ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let key = OffsetKey {
        topic: Arc::clone(name),
        partition,
    };
    Ok((key, topic.id))
}

/// What a client says beside an offset; nothing is the same as an empty text.
pub(super) fn metadata(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}
