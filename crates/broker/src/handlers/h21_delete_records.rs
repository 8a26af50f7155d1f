//! DeleteRecords: everything below an offset.

use super::{Api, Context, Reply, Subject};
use crate::cluster::Cluster;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct DeleteRecords;

/// As an offset: up to the high watermark.
const HIGH_WATERMARK: i64 = -1;

impl Api for DeleteRecords {
    type Request = DeleteRecordsRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const PER_PARTITION: bool = true;

    async fn answer(
        context: &Context,
        request: DeleteRecordsRequest,
    ) -> Reply<DeleteRecordsResponse> {
        let response = context.shared.with(|cluster, _| {
            each(&request, |topic, partition, offset| {
                let injected = context.injected.for_partition(topic, partition);
                match injected {
                    Some(code) => Err(code),
                    None => delete(cluster, context.broker_id, topic, partition, offset),
                }
            })
        });
        Reply::Answer(response)
    }

    fn refuse(request: &DeleteRecordsRequest, _: i16, code: ErrorCode) -> DeleteRecordsResponse {
        each(request, |_, _, _| Err(code))
    }

    fn subject(request: &DeleteRecordsRequest) -> Subject {
        let mut subject = Subject::default();
        for topic in &request.topics {
            let indexes = topic
                .partitions
                .iter()
                .map(|partition| partition.partition_index);
            subject.add(&topic.name, uuid::Uuid::nil(), indexes);
        }
        subject
    }
}

/// An answer from the new log start of each partition, or what is in the way.
fn each(
    request: &DeleteRecordsRequest,
    mut delete: impl FnMut(&str, i32, i64) -> Result<i64, ErrorCode>,
) -> DeleteRecordsResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            let (low_watermark, code) = match delete(&topic.name, index, partition.offset) {
                Ok(low_watermark) => (low_watermark, ErrorCode::None),
                Err(code) => (-1, code),
            };
            DeleteRecordsPartitionResult::default()
                .with_partition_index(index)
                .with_low_watermark(low_watermark)
                .with_error_code(code.code())
        });
        DeleteRecordsTopicResult::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}

fn delete(
    cluster: &mut Cluster,
    broker_id: i32,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<i64, ErrorCode> {
    let log = &mut cluster.led_partition(topic, partition, broker_id)?.log;
    let before = log.bytes();
    let offset = match offset {
        HIGH_WATERMARK => log.high_watermark(),
        offset => offset,
    };
    log.delete_before(offset)?;
    let (low_watermark, gone) = (log.log_start_offset(), before.saturating_sub(log.bytes()));
    cluster.release(gone);
    cluster.wake_log_readers();
    Ok(low_watermark)
}
