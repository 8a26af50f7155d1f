//! DescribeProducers: who writes to a partition, and which transactions are open in it.

use super::{Api, Context, Reply, Subject, text};
use crate::cluster::Cluster;
use kafka_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::{
    DescribeProducersRequest, DescribeProducersResponse, ProducerId as WireProducerId,
};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct DescribeProducers;

impl Api for DescribeProducers {
    type Request = DescribeProducersRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=0;
    const PER_PARTITION: bool = true;

    async fn answer(
        context: &Context,
        request: DescribeProducersRequest,
    ) -> Reply<DescribeProducersResponse> {
        let response = context.shared.with(|cluster, _| {
            each(&request, |topic, partition| {
                match context.injected.for_partition(topic, partition) {
                    Some(code) => Err(code),
                    None => describe(cluster, context.broker_id, topic, partition),
                }
            })
        });
        Reply::Answer(response)
    }

    fn refuse(
        request: &DescribeProducersRequest,
        _: i16,
        code: ErrorCode,
    ) -> DescribeProducersResponse {
        each(request, |_, _| Err(code))
    }

    fn subject(request: &DescribeProducersRequest) -> Subject {
        let mut subject = Subject::default();
        for topic in &request.topics {
            let indexes = topic.partition_indexes.iter().copied();
            subject.add(&topic.name, uuid::Uuid::nil(), indexes);
        }
        subject
    }
}

fn each(
    request: &DescribeProducersRequest,
    mut describe: impl FnMut(&str, i32) -> Result<Vec<ProducerState>, ErrorCode>,
) -> DescribeProducersResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|partition| {
            let response = PartitionResponse::default().with_partition_index(*partition);
            match describe(&topic.name, *partition) {
                Ok(producers) => response.with_active_producers(producers),
                Err(code) => response
                    .with_error_code(code.code())
                    .with_error_message(Some(text(&code.to_string()))),
            }
        });
        TopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}

fn describe(
    cluster: &mut Cluster,
    broker_id: i32,
    topic: &str,
    partition: i32,
) -> Result<Vec<ProducerState>, ErrorCode> {
    let partition = cluster.led_partition(topic, partition, broker_id)?;
    let producers = partition.log.producers().iter();
    let described = producers.map(|(id, state)| {
        ProducerState::default()
            .with_producer_id(WireProducerId(id.0))
            .with_producer_epoch(state.epoch().0.into())
            .with_last_sequence(state.last_sequence().0)
            .with_last_timestamp(state.last_timestamp())
            .with_coordinator_epoch(state.coordinator_epoch())
            .with_current_txn_start_offset(state.open_since().unwrap_or(-1))
    });
    Ok(described.collect())
}
