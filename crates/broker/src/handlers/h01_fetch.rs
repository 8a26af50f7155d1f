//! Fetch: records from a position on, with incremental sessions and the long poll.

use super::{Api, Context, Reply, ResponseOf, Subject, broker, text};
use crate::cluster::{Cluster, Reader};
use crate::fetch_sessions::{
    FetchKey, FetchPlan, NO_SESSION, PlanKind, SessionRequest, Told, Wanted,
};
use crate::log::{ReadBound, ReadFrom};
use crate::shared::Change;
use bytes::Bytes;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use kafka_protocol::messages::{FetchRequest, FetchResponse, ProducerId, TopicName};
use milena_codec::ErrorCode;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Fetch;

/// From this version on a topic is named by its id.
const TOPIC_IDS_SINCE: i16 = 13;
/// From this version on there are sessions.
const SESSIONS_SINCE: i16 = 7;
/// From this version on a consumer may read from followers (KIP-392).
const FOLLOWERS_SINCE: i16 = 11;
/// From this version on the answer says who leads instead (KIP-951).
const TELLS_LEADER_SINCE: i16 = 16;
const READ_COMMITTED: i8 = 1;
const NO_EPOCH: i32 = -1;
/// `fetch.max.bytes` of the broker.
const RESPONSE_BYTES_MAX: i32 = 55 << 20;

impl Api for Fetch {
    type Request = FetchRequest;

    const VERSIONS: RangeInclusive<i16> = 4..=18;
    const PER_PARTITION: bool = true;

    async fn answer(context: &Context, request: FetchRequest) -> Reply<FetchResponse> {
        let by_ids = context.api_version >= TOPIC_IDS_SINCE;
        let planned = context.shared.with(|cluster, now| {
            let sessions = cluster.fetch_sessions(context.broker_id);
            sessions.plan(session_request(&request, context.api_version), now)
        });
        let plan = match planned {
            Ok(plan) => plan,
            Err(code) => return Reply::Answer(Self::refuse(&request, context.api_version, code)),
        };
        let poll = LongPoll::new(context, &request, &plan);
        let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        let deadline = context.shared.clock.now() + wait;
        context
            .shared
            .wait_until(Change::Logs, deadline, || poll.is_ready().then_some(()))
            .await;
        Reply::Answer(poll.respond(by_ids))
    }

    fn refuse(_: &FetchRequest, _: i16, code: ErrorCode) -> ResponseOf<Self> {
        FetchResponse::default().with_error_code(code.code())
    }

    fn subject(request: &FetchRequest) -> Subject {
        let mut subject = Subject {
            fetch_session: Some(request.session_id).filter(|id| *id != NO_SESSION),
            ..Subject::default()
        };
        for topic in &request.topics {
            let indexes = topic.partitions.iter().map(|partition| partition.partition);
            subject.add(&topic.topic, topic.topic_id, indexes);
        }
        subject
    }
}

fn session_request(request: &FetchRequest, api_version: i16) -> SessionRequest {
    let partitions = request.topics.iter().flat_map(|topic| {
        let name: Arc<str> = Arc::from(topic.topic.as_str());
        topic.partitions.iter().map(move |partition| {
            let key = FetchKey {
                topic: name.clone(),
                topic_id: topic.topic_id,
                partition: partition.partition,
            };
            let wanted = Wanted {
                offset: partition.fetch_offset,
                bytes_max: partition.partition_max_bytes,
                current_leader_epoch: partition.current_leader_epoch,
            };
            (key, wanted)
        })
    });
    let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
        let name: Arc<str> = Arc::from(topic.topic.as_str());
        topic.partitions.iter().map(move |partition| FetchKey {
            topic: name.clone(),
            topic_id: topic.topic_id,
            partition: *partition,
        })
    });
    let (session_id, session_epoch) = if api_version >= SESSIONS_SINCE {
        (request.session_id, request.session_epoch)
    } else {
        (NO_SESSION, -1)
    };
    SessionRequest {
        session_id,
        session_epoch,
        partitions: partitions.collect(),
        forgotten: forgotten.collect(),
        by_ids: api_version >= TOPIC_IDS_SINCE,
    }
}

/// A Fetch that may have to wait for enough to answer with.
struct LongPoll<'a> {
    context: &'a Context,
    request: &'a FetchRequest,
    plan: &'a FetchPlan,
    bound: ReadBound,
    bytes_min: usize,
    bytes_max: usize,
}

/// What is told of one partition.
struct Part {
    key: FetchKey,
    wanted: Wanted,
    data: PartitionData,
}

impl<'a> LongPoll<'a> {
    fn new(context: &'a Context, request: &'a FetchRequest, plan: &'a FetchPlan) -> Self {
        let bytes_max = request.max_bytes.min(RESPONSE_BYTES_MAX);
        let bytes_min = request.min_bytes.min(bytes_max);
        Self {
            context,
            request,
            plan,
            bound: if request.isolation_level == READ_COMMITTED {
                ReadBound::LastStable
            } else {
                ReadBound::HighWatermark
            },
            bytes_min: usize::try_from(bytes_min).unwrap_or(0),
            bytes_max: usize::try_from(bytes_max).unwrap_or(0),
        }
    }

    /// Whether there is enough to answer with, or something that must be told at once.
    fn is_ready(&self) -> bool {
        if self.plan.partitions.is_empty() {
            return true;
        }
        self.context.shared.with(|cluster, _| {
            let mut bytes = 0_usize;
            for (key, wanted) in &self.plan.partitions {
                let Ok((name, reader)) = self.find(cluster, key, wanted) else {
                    return true;
                };
                let found = cluster.readable_partition(&name, key.partition, &reader);
                let Ok(partition) = found else {
                    return true;
                };
                let log = &partition.log;
                let kept = log.log_start_offset()..=log.log_end_offset();
                if !kept.contains(&wanted.offset) || self.nearer(cluster, &name, key).is_some() {
                    return true;
                }
                let wanted_max = usize::try_from(wanted.bytes_max).unwrap_or(0);
                let enough = wanted_max.min(self.bytes_min.saturating_sub(bytes));
                let readable = log.readable_bytes(wanted.offset, self.bound, enough);
                bytes = bytes.saturating_add(readable);
                if bytes >= self.bytes_min {
                    return true;
                }
            }
            bytes >= self.bytes_min
        })
    }

    /// The topic's name, and who asks.
    fn find(
        &self,
        cluster: &Cluster,
        key: &FetchKey,
        wanted: &Wanted,
    ) -> Result<(Arc<str>, Reader), ErrorCode> {
        let name = if self.context.api_version >= TOPIC_IDS_SINCE {
            let name = cluster.topic_name(key.topic_id).cloned();
            name.ok_or(ErrorCode::UnknownTopicId)?
        } else {
            key.topic.clone()
        };
        if let Some(code) = self.context.injected.for_partition(&name, key.partition) {
            return Err(code);
        }
        let reader = Reader {
            broker_id: self.context.broker_id,
            current_leader_epoch: Some(wanted.current_leader_epoch)
                .filter(|epoch| *epoch != NO_EPOCH),
            followers_too: self.context.api_version >= FOLLOWERS_SINCE,
        };
        Ok((name, reader))
    }

    /// A replica nearer to the client that it should read from instead.
    fn nearer(&self, cluster: &Cluster, topic: &str, key: &FetchKey) -> Option<i32> {
        let rack = self.request.rack_id.as_str();
        if rack.is_empty() || self.context.api_version < FOLLOWERS_SINCE {
            return None;
        }
        cluster.replica_in_rack(topic, key.partition, self.context.broker_id, rack)
    }

    fn respond(&self, by_ids: bool) -> FetchResponse {
        self.context.shared.with(|cluster, now| {
            let mut endpoints = BTreeMap::new();
            let mut left = self.bytes_max;
            let mut anything = false;
            let mut parts = Vec::new();
            for (key, wanted) in &self.plan.partitions {
                let mut data = self.read(cluster, key, wanted, left, !anything);
                let size = data.records.as_ref().map_or(0, Bytes::len);
                anything |= size > 0;
                left = left.saturating_sub(size);
                if self.context.api_version >= TELLS_LEADER_SINCE {
                    self.tell_leader(cluster, key, &mut data, &mut endpoints);
                }
                let (key, wanted) = (key.clone(), *wanted);
                parts.push(Part { key, wanted, data });
            }
            let session_id = match self.plan.kind {
                PlanKind::Sessionless => NO_SESSION,
                PlanKind::Full => {
                    let told = parts
                        .iter()
                        .map(|part| (part.key.clone(), part.wanted, part.told()));
                    let told = told.collect();
                    let fresh = cluster.fresh_session_id();
                    let sessions = cluster.fetch_sessions(self.context.broker_id);
                    sessions.begin(fresh, told, by_ids, now)
                }
                PlanKind::Incremental { session_id } => {
                    let sessions = cluster.fetch_sessions(self.context.broker_id);
                    parts.retain(|part| {
                        let (records, error) = (part.has_records(), part.data.error_code != 0);
                        sessions.has_news(session_id, &part.key, part.told(), records, error)
                    });
                    session_id
                }
            };
            FetchResponse::default()
                .with_session_id(session_id)
                .with_responses(by_topic(parts))
                .with_node_endpoints(endpoints.into_values().collect())
        })
    }

    fn read(
        &self,
        cluster: &Cluster,
        key: &FetchKey,
        wanted: &Wanted,
        left: usize,
        at_least_one: bool,
    ) -> PartitionData {
        let found = self.find(cluster, key, wanted).and_then(|(name, reader)| {
            let partition = cluster.readable_partition(&name, key.partition, &reader)?;
            Ok((name, partition))
        });
        let (name, partition) = match found {
            Ok(found) => found,
            Err(code) => return failed(key.partition, code),
        };
        let log = &partition.log;
        let mut data = PartitionData::default()
            .with_partition_index(key.partition)
            .with_high_watermark(log.high_watermark())
            .with_last_stable_offset(log.last_stable_offset())
            .with_log_start_offset(log.log_start_offset())
            .with_preferred_read_replica(broker(-1))
            .with_aborted_transactions(None)
            .with_records(Some(Bytes::new()));
        if let Some(nearer) = self.nearer(cluster, &name, key) {
            return data.with_preferred_read_replica(broker(nearer));
        }
        let read = log.read(&ReadFrom {
            offset: wanted.offset,
            bytes_max: usize::try_from(wanted.bytes_max).unwrap_or(0).min(left),
            bound: self.bound,
            at_least_one,
        });
        match read {
            Err(code) => failed(key.partition, code),
            Ok(read) => {
                if self.bound == ReadBound::LastStable {
                    let aborted = read.aborted.iter().map(|aborted| {
                        AbortedTransaction::default()
                            .with_producer_id(ProducerId(aborted.producer_id.0))
                            .with_first_offset(aborted.first_offset)
                    });
                    data.aborted_transactions = Some(aborted.collect());
                }
                data.with_records(Some(read.records))
            }
        }
    }

    fn tell_leader(
        &self,
        cluster: &Cluster,
        key: &FetchKey,
        data: &mut PartitionData,
        endpoints: &mut BTreeMap<i32, NodeEndpoint>,
    ) {
        let code = ErrorCode::from(data.error_code);
        if code != ErrorCode::NotLeaderOrFollower && code != ErrorCode::FencedLeaderEpoch {
            return;
        }
        let name = cluster
            .topic_name(key.topic_id)
            .cloned()
            .unwrap_or_default();
        let Some(partition) = cluster
            .topic(&name)
            .and_then(|(_, topic)| topic.partition(key.partition))
        else {
            return;
        };
        data.current_leader = LeaderIdAndEpoch::default()
            .with_leader_id(broker(partition.leader.unwrap_or(-1)))
            .with_leader_epoch(partition.leader_epoch);
        if let Some((id, node)) = partition
            .leader
            .and_then(|id| Some((id, cluster.node(id)?)))
        {
            let address = node.address_for(self.context.listener);
            let endpoint = NodeEndpoint::default()
                .with_node_id(broker(id))
                .with_host(text(&address.host))
                .with_port(address.port.into())
                .with_rack(node.rack.as_deref().map(text));
            endpoints.insert(id, endpoint);
        }
    }
}

impl Part {
    fn has_records(&self) -> bool {
        self.data
            .records
            .as_ref()
            .is_some_and(|records| !records.is_empty())
    }

    fn told(&self) -> Told {
        Told {
            high_watermark: self.data.high_watermark,
            log_start_offset: self.data.log_start_offset,
        }
    }
}

fn failed(partition: i32, code: ErrorCode) -> PartitionData {
    // As Kafka has it: a partition nobody knows has an empty list, one that cannot be read has none.
    let unknown = matches!(
        code,
        ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId
    );
    PartitionData::default()
        .with_partition_index(partition)
        .with_error_code(code.code())
        .with_high_watermark(-1)
        .with_last_stable_offset(-1)
        .with_log_start_offset(-1)
        .with_preferred_read_replica(broker(-1))
        .with_aborted_transactions(unknown.then(Vec::new))
        .with_records(Some(Bytes::new()))
}

/// Puts neighbours of one topic together, in the order given.
fn by_topic(parts: Vec<Part>) -> Vec<FetchableTopicResponse> {
    let mut topics: Vec<FetchableTopicResponse> = Vec::new();
    for Part { key, data, .. } in parts {
        match topics.last_mut() {
            Some(last) if last.topic_id == key.topic_id && *last.topic.0 == *key.topic => {
                last.partitions.push(data);
            }
            Some(_) | None => topics.push(
                FetchableTopicResponse::default()
                    .with_topic(TopicName(text(&key.topic)))
                    .with_topic_id(key.topic_id)
                    .with_partitions(vec![data]),
            ),
        }
    }
    topics
}
