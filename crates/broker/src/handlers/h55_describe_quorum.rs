//! DescribeQuorum: all brokers are voters of the metadata log, and none is behind.

use super::{Api, Context, Reply, broker, text};
use crate::Time;
use crate::cluster::Cluster;
use crate::cluster::nodes::ListenerIndex;
use kafka_protocol::messages::describe_quorum_response::{
    Listener, Node, PartitionData, ReplicaState, TopicData,
};
use kafka_protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse, TopicName};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;
use uuid::Uuid;

pub(super) struct DescribeQuorum;

const METADATA_TOPIC: &str = "__cluster_metadata";

impl Api for DescribeQuorum {
    type Request = DescribeQuorumRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=2;

    async fn answer(
        context: &Context,
        request: DescribeQuorumRequest,
    ) -> Reply<DescribeQuorumResponse> {
        let response = context
            .shared
            .with(|cluster, now| describe(cluster, &request, context, now));
        Reply::Answer(response)
    }

    fn refuse(_: &DescribeQuorumRequest, _: i16, code: ErrorCode) -> DescribeQuorumResponse {
        DescribeQuorumResponse::default().with_error_code(code.code())
    }
}

fn describe(
    cluster: &Cluster,
    request: &DescribeQuorumRequest,
    context: &Context,
    now: Time,
) -> DescribeQuorumResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let known = **topic.topic_name == *METADATA_TOPIC && partition.partition_index == 0;
            let data = PartitionData::default().with_partition_index(partition.partition_index);
            if known {
                metadata_log(cluster, data, context.api_version, now)
            } else {
                data.with_error_code(ErrorCode::UnknownTopicOrPartition.code())
            }
        });
        TopicData::default()
            .with_topic_name(TopicName(text(&topic.topic_name)))
            .with_partitions(partitions.collect())
    });
    let mut response = DescribeQuorumResponse::default().with_topics(topics.collect());
    if context.api_version >= 2 {
        response.nodes = nodes(cluster, context.listener);
    }
    response
}

fn metadata_log(
    cluster: &Cluster,
    data: PartitionData,
    api_version: i16,
    now: Time,
) -> PartitionData {
    let end = cluster.features.epoch;
    let time = if api_version >= 1 {
        now.unix_millis()
    } else {
        -1
    };
    let voters = cluster.nodes().map(|(id, _)| {
        ReplicaState::default()
            .with_replica_id(broker(id))
            .with_replica_directory_id(Uuid::nil())
            .with_log_end_offset(end)
            .with_last_fetch_timestamp(time)
            .with_last_caught_up_timestamp(time)
    });
    data.with_leader_id(broker(cluster.controller()))
        .with_leader_epoch(1)
        .with_high_watermark(end)
        .with_current_voters(voters.collect())
}

fn nodes(cluster: &Cluster, listener: ListenerIndex) -> Vec<Node> {
    let nodes = cluster.nodes().map(|(id, node)| {
        let address = node.address_for(listener);
        let listener = Listener::default()
            .with_name(text("CONTROLLER"))
            .with_host(text(&address.host))
            .with_port(address.port);
        Node::default()
            .with_node_id(broker(id))
            .with_listeners(vec![listener])
    });
    nodes.collect()
}
