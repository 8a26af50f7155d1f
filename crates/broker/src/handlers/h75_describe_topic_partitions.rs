//! DescribeTopicPartitions: topics a page at a time.

use super::{Api, Context, Reply, Subject, broker, text, words};
use crate::cluster::Cluster;
use crate::cluster::topics::is_legal_name;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName,
};
use milena_codec::ErrorCode;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

pub(super) struct DescribeTopicPartitions;

/// Partitions in one answer: Kafka's `max.request.partition.size.limit`.
const PARTITIONS_MAX: usize = 2_000;

impl Api for DescribeTopicPartitions {
    type Request = DescribeTopicPartitionsRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=0;

    async fn answer(
        context: &Context,
        request: DescribeTopicPartitionsRequest,
    ) -> Reply<DescribeTopicPartitionsResponse> {
        let (from, first) = match &request.cursor {
            None => (String::new(), 0),
            Some(cursor) => (cursor.topic_name.to_string(), cursor.partition_index),
        };
        let response = context.shared.with(|cluster, _| {
            let names: BTreeSet<String> = if request.topics.is_empty() {
                cluster.topics().map(|(name, _)| name.to_string()).collect()
            } else {
                let names = request.topics.iter();
                names.map(|topic| topic.name.to_string()).collect()
            };
            let limit = usize::try_from(request.response_partition_limit).unwrap_or(0);
            let limit = limit.clamp(1, PARTITIONS_MAX);
            page(cluster, names.range(from.clone()..), (&from, first), limit)
        });
        Reply::Answer(response)
    }

    fn refuse(
        request: &DescribeTopicPartitionsRequest,
        _: i16,
        code: ErrorCode,
    ) -> DescribeTopicPartitionsResponse {
        let topics = request.topics.iter().map(|topic| failed(&topic.name, code));
        DescribeTopicPartitionsResponse::default()
            .with_topics(topics.collect())
            .with_next_cursor(None)
    }

    fn subject(request: &DescribeTopicPartitionsRequest) -> Subject {
        let mut subject = Subject::default();
        for topic in &request.topics {
            subject.add(&topic.name, uuid::Uuid::nil(), [-1]);
        }
        subject
    }
}

fn failed(name: &str, code: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_topic_authorized_operations(words::TOPIC_OPERATIONS)
        .with_error_code(code.code())
        .with_name(Some(TopicName(text(name))))
}

/// Topics from a place on, until there are enough partitions.
fn page<'a>(
    cluster: &Cluster,
    names: impl Iterator<Item = &'a String>,
    (from, first): (&str, i32),
    mut limit: usize,
) -> DescribeTopicPartitionsResponse {
    let mut topics = Vec::new();
    let mut next_cursor = None;
    for name in names {
        let start = if name == from { first } else { 0 };
        if limit == 0 {
            let cursor = Cursor::default().with_topic_name(TopicName(text(name)));
            next_cursor = Some(cursor);
            break;
        }
        let Some((_, topic)) = cluster.topic(name) else {
            let code = if is_legal_name(name) {
                ErrorCode::UnknownTopicOrPartition
            } else {
                ErrorCode::InvalidTopicException
            };
            topics.push(failed(name, code));
            continue;
        };
        let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let end = start.saturating_add(i32::try_from(limit).unwrap_or(i32::MAX));
        let partitions: Vec<_> = (start..end.min(count))
            .filter_map(|index| describe(cluster, topic, index))
            .collect();
        limit = limit.saturating_sub(partitions.len());
        topics.push(
            DescribeTopicPartitionsResponseTopic::default()
                .with_name(Some(TopicName(text(name))))
                .with_topic_authorized_operations(words::TOPIC_OPERATIONS)
                .with_topic_id(topic.id)
                .with_partitions(partitions),
        );
        if end < count {
            let cursor = Cursor::default().with_topic_name(TopicName(text(name)));
            next_cursor = Some(cursor.with_partition_index(end));
            break;
        }
    }
    DescribeTopicPartitionsResponse::default()
        .with_topics(topics)
        .with_next_cursor(next_cursor)
}

fn describe(
    cluster: &Cluster,
    topic: &crate::cluster::topics::Topic,
    index: i32,
) -> Option<DescribeTopicPartitionsResponsePartition> {
    let partition = topic.partition(index)?;
    let running = cluster.running();
    let code = match partition.leader {
        Some(_) => ErrorCode::None,
        None => ErrorCode::LeaderNotAvailable,
    };
    let replicas = partition.replicas.iter().copied();
    let offline = replicas
        .clone()
        .filter(|replica| !running.contains(replica));
    Some(
        DescribeTopicPartitionsResponsePartition::default()
            .with_error_code(code.code())
            .with_partition_index(index)
            .with_leader_id(broker(partition.leader.unwrap_or(-1)))
            .with_leader_epoch(partition.leader_epoch)
            .with_replica_nodes(replicas.map(broker).collect())
            .with_isr_nodes(partition.in_sync(&running).map(broker).collect())
            .with_eligible_leader_replicas(Some(Vec::new()))
            .with_last_known_elr(Some(Vec::new()))
            .with_offline_replicas(offline.map(broker).collect()),
    )
}
