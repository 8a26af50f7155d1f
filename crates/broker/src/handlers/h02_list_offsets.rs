//! ListOffsets: where a partition begins, ends, or has a certain time.

use super::{Api, Context, Reply, Subject};
use crate::cluster::{Cluster, Reader};
use crate::log::ReadBound;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use milena_codec::{ErrorCode, Limits};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

pub(super) struct ListOffsets;

/// The timestamps that mean something else, and the first version that knows each.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const MAX_TIMESTAMP_SINCE: i16 = 7;
const EARLIEST_LOCAL: i64 = -4;
const EARLIEST_LOCAL_SINCE: i16 = 8;
const LATEST_TIERED: i64 = -5;
const LATEST_TIERED_SINCE: i16 = 9;
const EARLIEST_PENDING_UPLOAD: i64 = -6;
const EARLIEST_PENDING_UPLOAD_SINCE: i16 = 11;

/// Not there: an offset, a timestamp, a leader epoch.
const NONE: i64 = -1;
const NO_EPOCH: i32 = -1;
/// Before this version OFFSET_NOT_AVAILABLE was told as LEADER_NOT_AVAILABLE.
const TELLS_NOT_AVAILABLE_SINCE: i16 = 5;
/// The first version that tells the leader epoch of what it found.
const TELLS_EPOCH_SINCE: i16 = 4;
const READ_COMMITTED: i8 = 1;
/// The replica id of a tool that may ask any replica.
const DEBUGGING_REPLICA: i32 = -2;

/// Where something is.
#[derive(Clone, Copy)]
struct Place {
    offset: i64,
    timestamp: i64,
    leader_epoch: i32,
}

const NOWHERE: Place = Place {
    offset: NONE,
    timestamp: NONE,
    leader_epoch: NO_EPOCH,
};

impl Api for ListOffsets {
    type Request = ListOffsetsRequest;

    const VERSIONS: RangeInclusive<i16> = 1..=11;
    const PER_PARTITION: bool = true;

    async fn answer(context: &Context, request: ListOffsetsRequest) -> Reply<ListOffsetsResponse> {
        let mut times = BTreeMap::new();
        for topic in &request.topics {
            for partition in &topic.partitions {
                let key = (topic.name.to_string(), partition.partition_index);
                *times.entry(key).or_insert(0_u32) += 1;
            }
        }
        let topics = context.shared.with(|cluster, _| {
            let topics = request.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|partition| {
                    let index = partition.partition_index;
                    let once = times.get(&(topic.name.to_string(), index)) == Some(&1);
                    let found = if !once {
                        Err(ErrorCode::InvalidRequest)
                    } else if let Some(code) = context.injected.for_partition(&topic.name, index) {
                        Err(code)
                    } else {
                        find(cluster, context, &request, &topic.name, partition)
                    };
                    respond(index, context.api_version, found)
                });
                ListOffsetsTopicResponse::default()
                    .with_name(topic.name.clone())
                    .with_partitions(partitions.collect())
            });
            topics.collect()
        });
        Reply::Answer(ListOffsetsResponse::default().with_topics(topics))
    }

    fn refuse(
        request: &ListOffsetsRequest,
        api_version: i16,
        code: ErrorCode,
    ) -> ListOffsetsResponse {
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter();
            let refused = partitions
                .map(|partition| respond(partition.partition_index, api_version, Err(code)));
            ListOffsetsTopicResponse::default()
                .with_name(topic.name.clone())
                .with_partitions(refused.collect())
        });
        ListOffsetsResponse::default().with_topics(topics.collect())
    }

    fn subject(request: &ListOffsetsRequest) -> Subject {
        let partitions = request.topics.iter().flat_map(|topic| {
            let indexes = topic
                .partitions
                .iter()
                .map(|partition| partition.partition_index);
            indexes.map(|index| (topic.name.to_string(), index))
        });
        Subject {
            partitions: partitions.collect(),
            ..Subject::default()
        }
    }
}

fn respond(
    index: i32,
    api_version: i16,
    found: Result<Place, ErrorCode>,
) -> ListOffsetsPartitionResponse {
    let (place, code) = match found {
        Ok(place) => (place, ErrorCode::None),
        Err(ErrorCode::OffsetNotAvailable) if api_version < TELLS_NOT_AVAILABLE_SINCE => {
            (NOWHERE, ErrorCode::LeaderNotAvailable)
        }
        Err(code) => (NOWHERE, code),
    };
    let leader_epoch = if api_version >= TELLS_EPOCH_SINCE {
        place.leader_epoch
    } else {
        NO_EPOCH
    };
    ListOffsetsPartitionResponse::default()
        .with_partition_index(index)
        .with_error_code(code.code())
        .with_timestamp(place.timestamp)
        .with_offset(place.offset)
        .with_leader_epoch(leader_epoch)
}

fn find(
    cluster: &Cluster,
    context: &Context,
    request: &ListOffsetsRequest,
    topic: &str,
    wanted: &ListOffsetsPartition,
) -> Result<Place, ErrorCode> {
    if !is_known(wanted.timestamp, context.api_version) {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let reader = Reader {
        broker_id: context.broker_id,
        current_leader_epoch: Some(wanted.current_leader_epoch).filter(|epoch| *epoch != NO_EPOCH),
        followers_too: request.replica_id.0 == DEBUGGING_REPLICA,
    };
    let partition = cluster.readable_partition(topic, wanted.partition_index, &reader)?;
    let log = &partition.log;
    let bound = log.bound(if request.isolation_level == READ_COMMITTED {
        ReadBound::LastStable
    } else {
        ReadBound::HighWatermark
    });
    // a new leader does not yet know how far its predecessor had come.
    let lagging = partition.leader_epoch_start > log.high_watermark();
    let limits = Limits::default();
    let found = match wanted.timestamp {
        LATEST if lagging => return Err(ErrorCode::OffsetNotAvailable),
        LATEST => {
            return Ok(Place {
                offset: bound,
                timestamp: NONE,
                leader_epoch: partition.leader_epoch,
            });
        }
        EARLIEST | EARLIEST_LOCAL => {
            let start = log.log_start_offset();
            let epoch = log.leader_epochs().of_offset(start);
            return Ok(Place {
                offset: start,
                timestamp: NONE,
                leader_epoch: epoch.unwrap_or(NO_EPOCH),
            });
        }
        // Nothing is tiered here.
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => return Ok(NOWHERE),
        MAX_TIMESTAMP => log.find_max_timestamp(&limits),
        timestamp => log.find_timestamp(timestamp, &limits),
    };
    // what is found beyond what may be read is as good as not there.
    match found.filter(|found| found.offset < bound) {
        Some(found) => Ok(Place {
            offset: found.offset,
            timestamp: found.timestamp,
            leader_epoch: found.leader_epoch,
        }),
        None if lagging => Err(ErrorCode::OffsetNotAvailable),
        None => Ok(NOWHERE),
    }
}

/// Whether a version knows what this timestamp means.
const fn is_known(timestamp: i64, api_version: i16) -> bool {
    match timestamp {
        MAX_TIMESTAMP => api_version >= MAX_TIMESTAMP_SINCE,
        EARLIEST_LOCAL => api_version >= EARLIEST_LOCAL_SINCE,
        LATEST_TIERED => api_version >= LATEST_TIERED_SINCE,
        EARLIEST_PENDING_UPLOAD => api_version >= EARLIEST_PENDING_UPLOAD_SINCE,
        timestamp => timestamp >= EARLIEST,
    }
}
