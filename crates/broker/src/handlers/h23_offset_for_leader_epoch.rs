//! OffsetForLeaderEpoch: where a leader's term ended, to find out what was lost.

use super::{Api, Context, Reply, Subject};
use crate::cluster::{Cluster, Reader};
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct OffsetForLeaderEpoch;

const NO_EPOCH: i32 = -1;

impl Api for OffsetForLeaderEpoch {
    type Request = OffsetForLeaderEpochRequest;

    const VERSIONS: RangeInclusive<i16> = 2..=4;
    const PER_PARTITION: bool = true;

    async fn answer(
        context: &Context,
        request: OffsetForLeaderEpochRequest,
    ) -> Reply<OffsetForLeaderEpochResponse> {
        let topics = context.shared.with(|cluster, _| {
            each(&request, |topic, wanted| {
                let injected = context.injected.for_partition(topic, wanted.partition);
                let found = match injected {
                    Some(code) => Err(code),
                    None => find(cluster, context.broker_id, topic, wanted),
                };
                let answer = EpochEndOffset::default().with_partition(wanted.partition);
                match found {
                    Ok((epoch, end_offset)) => {
                        answer.with_leader_epoch(epoch).with_end_offset(end_offset)
                    }
                    Err(code) => failed(wanted.partition, code),
                }
            })
        });
        Reply::Answer(OffsetForLeaderEpochResponse::default().with_topics(topics))
    }

    fn refuse(
        request: &OffsetForLeaderEpochRequest,
        _: i16,
        code: ErrorCode,
    ) -> OffsetForLeaderEpochResponse {
        let topics = each(request, |_, wanted| failed(wanted.partition, code));
        OffsetForLeaderEpochResponse::default().with_topics(topics)
    }

    fn subject(request: &OffsetForLeaderEpochRequest) -> Subject {
        let mut subject = Subject::default();
        for topic in &request.topics {
            let indexes = topic.partitions.iter().map(|wanted| wanted.partition);
            subject.add(&topic.topic, uuid::Uuid::nil(), indexes);
        }
        subject
    }
}

fn each(
    request: &OffsetForLeaderEpochRequest,
    answer: impl Fn(&str, &OffsetForLeaderPartition) -> EpochEndOffset,
) -> Vec<OffsetForLeaderTopicResult> {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter();
        OffsetForLeaderTopicResult::default()
            .with_topic(topic.topic.clone())
            .with_partitions(
                partitions
                    .map(|wanted| answer(&topic.topic, wanted))
                    .collect(),
            )
    });
    topics.collect()
}

fn failed(partition: i32, code: ErrorCode) -> EpochEndOffset {
    EpochEndOffset::default()
        .with_partition(partition)
        .with_error_code(code.code())
        .with_leader_epoch(NO_EPOCH)
        .with_end_offset(-1)
}

fn find(
    cluster: &Cluster,
    broker_id: i32,
    topic: &str,
    wanted: &OffsetForLeaderPartition,
) -> Result<(i32, i64), ErrorCode> {
    let reader = Reader {
        broker_id,
        current_leader_epoch: Some(wanted.current_leader_epoch).filter(|epoch| *epoch != NO_EPOCH),
        followers_too: false,
    };
    let partition = cluster.readable_partition(topic, wanted.partition, &reader)?;
    let log = &partition.log;
    // A term that has begun and written nothing ends where the log does.
    if wanted.leader_epoch == partition.leader_epoch {
        return Ok((wanted.leader_epoch, log.log_end_offset()));
    }
    Ok(log
        .leader_epochs()
        .end_of(wanted.leader_epoch, log.log_end_offset()))
}
