//! DescribeLogDirs: how large partitions are.

use super::{Api, Context, Reply, text};
use crate::cluster::Cluster;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse, TopicName};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct DescribeLogDirs;

/// Where Kafka's own configuration keeps its logs.
const LOG_DIR: &str = "/tmp/kafka-logs";

impl Api for DescribeLogDirs {
    type Request = DescribeLogDirsRequest;

    const VERSIONS: RangeInclusive<i16> = 1..=4;

    async fn answer(
        context: &Context,
        request: DescribeLogDirsRequest,
    ) -> Reply<DescribeLogDirsResponse> {
        let result = context
            .shared
            .with(|cluster, _| describe(cluster, context.broker_id, &request));
        Reply::Answer(DescribeLogDirsResponse::default().with_results(vec![result]))
    }

    fn refuse(_: &DescribeLogDirsRequest, _: i16, code: ErrorCode) -> DescribeLogDirsResponse {
        DescribeLogDirsResponse::default().with_error_code(code.code())
    }
}

fn describe(
    cluster: &Cluster,
    broker_id: i32,
    request: &DescribeLogDirsRequest,
) -> DescribeLogDirsResult {
    let wanted = |name: &str, partition: i32| match &request.topics {
        None => true,
        Some(topics) => topics
            .iter()
            .any(|topic| **topic.topic == *name && topic.partitions.contains(&partition)),
    };
    let topics = cluster.topics().filter_map(|(name, topic)| {
        let here = topic.numbered().filter(|(index, partition)| {
            partition.replicas.contains(&broker_id) && wanted(name, *index)
        });
        let partitions: Vec<_> = here
            .map(|(index, partition)| {
                DescribeLogDirsPartition::default()
                    .with_partition_index(index)
                    .with_partition_size(i64::try_from(partition.log.bytes()).unwrap_or(i64::MAX))
            })
            .collect();
        let topic = DescribeLogDirsTopic::default().with_name(TopicName(text(name)));
        (!partitions.is_empty()).then(|| topic.with_partitions(partitions))
    });
    let total = i64::try_from(cluster.settings.log_bytes_max).unwrap_or(i64::MAX);
    let used = i64::try_from(cluster.log_bytes()).unwrap_or(i64::MAX);
    DescribeLogDirsResult::default()
        .with_log_dir(text(LOG_DIR))
        .with_topics(topics.collect())
        .with_total_bytes(total)
        .with_usable_bytes(total.saturating_sub(used))
}
