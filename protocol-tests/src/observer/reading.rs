//! What a reader sees, worked out from the log and the list of aborted transactions alone.

use crate::Failure;
use crate::java::{DumpedBatch, Isolation, Marker, ReadRecord};
use crate::raw::{Layout, RawConnection, checked, topic_name};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, ListOffsetsRequest};
use milena_codec::record::{Batch, Batches, ControlRecord};
use milena_codec::{BatchError, Limits};
use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

/// With topic names, which every broker still takes.
const FETCH: i16 = 12;
const LIST_OFFSETS: i16 = 7;

const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

/// Every record of a topic that a reader may see now, by partition and offset.
pub(super) fn read(
    layout: &Layout,
    topic: &str,
    isolation: Isolation,
) -> Result<Vec<ReadRecord>, Failure> {
    let mut records = Vec::new();
    for partition in layout.leaders.keys() {
        let mut leader = layout.connect_to_leader(*partition)?;
        let start = list_offset(&mut leader, topic, *partition, isolation, EARLIEST)?;
        let end = end_offset(&mut leader, topic, *partition, isolation)?;
        let visible = start..end;
        walk(
            &mut leader,
            topic,
            *partition,
            isolation,
            &visible,
            |batch, hidden| {
                if !hidden {
                    take_records(batch, *partition, &visible, &mut records)?;
                }
                Ok(())
            },
        )?;
    }
    Ok(records)
}

/// The batches of a partition as they stand in its log.
pub(crate) fn dump(
    layout: &Layout,
    topic: &str,
    partition: i32,
) -> Result<Vec<DumpedBatch>, Failure> {
    let mut leader = layout.connect_to_leader(partition)?;
    let isolation = Isolation::ReadUncommitted;
    let start = list_offset(&mut leader, topic, partition, isolation, EARLIEST)?;
    let end = end_offset(&mut leader, topic, partition, isolation)?;
    let mut batches = Vec::new();
    walk(
        &mut leader,
        topic,
        partition,
        isolation,
        &(start..end),
        |batch, _| {
            batches.push(dumped(batch)?);
            Ok(())
        },
    )?;
    Ok(batches)
}

/// The end of a partition for a reader: the high watermark, or the last stable offset.
pub(super) fn end_offset(
    leader: &mut RawConnection,
    topic: &str,
    partition: i32,
    isolation: Isolation,
) -> Result<i64, Failure> {
    list_offset(leader, topic, partition, isolation, LATEST)
}

fn list_offset(
    leader: &mut RawConnection,
    topic: &str,
    partition: i32,
    isolation: Isolation,
    timestamp: i64,
) -> Result<i64, Failure> {
    let wanted = ListOffsetsPartition::default()
        .with_partition_index(partition)
        .with_current_leader_epoch(-1)
        .with_timestamp(timestamp);
    let wanted = ListOffsetsTopic::default()
        .with_name(topic_name(topic))
        .with_partitions(vec![wanted]);
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(level(isolation))
        .with_topics(vec![wanted]);
    let answer = leader.call(LIST_OFFSETS, &request)?;
    let found = answer
        .topics
        .first()
        .and_then(|topic| topic.partitions.first());
    let found = found.cloned().unwrap_or_default();
    checked("ListOffsets", found.error_code)?;
    Ok(found.offset)
}

fn level(isolation: Isolation) -> i8 {
    match isolation {
        Isolation::ReadUncommitted => 0,
        Isolation::ReadCommitted => 1,
    }
}

/// Goes through the batches with these offsets, and says of each whether a reader at this isolation level skips it.
fn walk(
    leader: &mut RawConnection,
    topic: &str,
    partition: i32,
    isolation: Isolation,
    offsets: &Range<i64>,
    mut visit: impl FnMut(&Batch, bool) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut offset = offsets.start;
    while offset < offsets.end {
        let data = fetch(leader, topic, partition, isolation, offset)?;
        checked("Fetch", data.error_code)?;
        let mut aborted = Aborted::of(&data);
        let before = offset;
        for batch in Batches::new(data.records.unwrap_or_default()) {
            let batch = batch.map_err(unreadable)?;
            batch.check_crc().map_err(unreadable)?;
            let hidden = batch.is_control() | aborted.hides(&batch)?;
            if batch.last_offset() < offsets.end {
                visit(&batch, hidden)?;
            }
            offset = batch.next_offset();
        }
        if offset == before {
            return Err(Failure::Late {
                what: format!("a batch of {topic}-{partition} at {offset}, of {offsets:?}"),
                limit: std::time::Duration::ZERO,
                context: "the answer to a Fetch had none".to_owned(),
            });
        }
    }
    Ok(())
}

fn fetch(
    leader: &mut RawConnection,
    topic: &str,
    partition: i32,
    isolation: Isolation,
    offset: i64,
) -> Result<PartitionData, Failure> {
    let wanted = FetchPartition::default()
        .with_partition(partition)
        .with_current_leader_epoch(-1)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(16 << 20);
    let wanted = FetchTopic::default()
        .with_topic(topic_name(topic))
        .with_partitions(vec![wanted]);
    let request = FetchRequest::default()
        .with_max_wait_ms(1_000)
        .with_min_bytes(1)
        .with_max_bytes(16 << 20)
        .with_session_epoch(-1)
        .with_isolation_level(level(isolation))
        .with_topics(vec![wanted]);
    let answer = leader.call(FETCH, &request)?;
    checked("Fetch", answer.error_code)?;
    let data = answer.responses.into_iter().next();
    let data = data.and_then(|topic| topic.partitions.into_iter().next());
    Ok(data.unwrap_or_default())
}

/// The aborted transactions of one answer, and which of them the reader is in.
struct Aborted {
    /// First offset and producer id of those still ahead, by offset.
    ahead: VecDeque<(i64, i64)>,
    inside: BTreeSet<i64>,
}

impl Aborted {
    fn of(data: &PartitionData) -> Self {
        let listed = data.aborted_transactions.iter().flatten();
        let ahead: BTreeSet<_> = listed.map(|t| (t.first_offset, t.producer_id.0)).collect();
        Self {
            ahead: ahead.into_iter().collect(),
            inside: BTreeSet::new(),
        }
    }

    fn hides(&mut self, batch: &Batch) -> Result<bool, Failure> {
        while let Some((first, producer_id)) = self.ahead.front().copied()
            && first <= batch.last_offset()
        {
            self.ahead.pop_front();
            self.inside.insert(producer_id);
        }
        let producer_id = batch.producer().producer_id.0;
        if batch.is_control() {
            let control = batch.control().map_err(unreadable)?;
            if matches!(control, Some(ControlRecord::Abort { .. })) {
                self.inside.remove(&producer_id);
            }
        }
        Ok(batch.is_transactional() && self.inside.contains(&producer_id))
    }
}

fn take_records(
    batch: &Batch,
    partition: i32,
    visible: &Range<i64>,
    into: &mut Vec<ReadRecord>,
) -> Result<(), Failure> {
    let timestamp_type = format!("{:?}", batch.timestamp_type());
    let records = batch.records(&Limits::default()).map_err(unreadable)?;
    for record in records.iter() {
        let record = record.map_err(unreadable)?;
        if !visible.contains(&record.offset) {
            // Fetch gives whole batches, also where the log begins within one.
            continue;
        }
        into.push(ReadRecord {
            partition,
            offset: record.offset,
            leader_epoch: Some(batch.partition_leader_epoch()),
            timestamp: record.timestamp,
            timestamp_type: timestamp_type.clone(),
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record
                .headers()
                .map(|header| {
                    let key = String::from_utf8_lossy(header.key).into_owned();
                    (key, header.value.map(<[u8]>::to_vec))
                })
                .collect(),
        });
    }
    Ok(())
}

fn dumped(batch: &Batch) -> Result<DumpedBatch, Failure> {
    let marker = match batch.is_control() {
        true => batch.control().map_err(unreadable)?,
        false => None,
    };
    let compression = batch.compression().map_err(unreadable)?;
    Ok(DumpedBatch {
        base_offset: batch.base_offset(),
        last_offset: batch.last_offset(),
        count: batch.record_count(),
        base_sequence: batch.base_sequence().0,
        last_sequence: batch.last_sequence().0,
        producer_id: batch.producer().producer_id.0,
        producer_epoch: batch.producer().producer_epoch.0.into(),
        leader_epoch: batch.partition_leader_epoch(),
        is_transactional: batch.is_transactional(),
        is_control: batch.is_control(),
        compression: format!("{compression:?}").to_lowercase(),
        is_valid: batch.check_crc().is_ok(),
        marker: match marker {
            Some(ControlRecord::Abort { .. }) => Some(Marker::Abort),
            Some(ControlRecord::Commit { .. }) => Some(Marker::Commit),
            _ => None,
        },
    })
}

fn unreadable(error: BatchError) -> Failure {
    Failure::Program {
        program: "the raw reader".to_owned(),
        output: error.to_string(),
    }
}
