//! The Produce request and its response, between the sender's terms and the wire's.
//!
//! The request is written by hand, versions 3 to 13, as segments for one vectored write, because every record
//! passes it: headers in between, then each batch's 61 bytes and its shared body. Nothing of a batch is copied.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest as ProduceMessage};
use milena_codec::record::{BatchStamp, ClosedBatch};
use milena_codec::{
    ApiKey, DecodeError, ErrorCode, Limits, ProducerEpoch, ProducerId, ProducerIdentity, message,
};
use milena_connection::{
    ApiVersionRange, BrokerAddress, CallError, CallOptions, Cluster, Connection, LeaderHint,
    MetadataSnapshot, NotSentCause, RawRequest, ResponseFuture, Target,
};
use uuid::Uuid;

use super::batch::SealedBatch;
use super::queue::PartitionQueue;
use super::sender::failure::RecordError;
use super::sender::identity::InitOutcome;
use super::sender::{PartitionId, PartitionResponse, ProduceOutcome, ProduceRequest};
use crate::config::{Acks, ProducerConfig};
use crate::error::Error;

const PRODUCE: i16 = 0;

/// A partition of a request, as its response will name it (P-46).
#[derive(Debug)]
struct ExpectedPartition {
    id: PartitionId,
    topic: Arc<str>,
    topic_id: Uuid,
    partition: i32,
}

/// What is needed to read the response to a request.
#[derive(Debug)]
pub(crate) struct Expected {
    api_version: i16,
    partitions: Vec<ExpectedPartition>,
}

/// The request's body, and how to read its response.
///
/// `topic_id` gives the id of a topic, nil where it is not known; then versions that need one can't be used.
pub(crate) fn encode(
    request: &ProduceRequest<SealedBatch>,
    queues: &[Arc<PartitionQueue>],
    topic_id: impl Fn(&str) -> Uuid,
    head: &ProduceHead<'_>,
) -> (Vec<Bytes>, Expected) {
    let mut entries: Vec<(ExpectedPartition, PartitionBatch<'_>)> = Vec::new();
    for outgoing in &request.batches {
        let Some(queue) = queues.get(outgoing.partition.0 as usize) else {
            continue;
        };
        let expected = ExpectedPartition {
            id: outgoing.partition,
            topic: Arc::clone(&queue.topic),
            topic_id: topic_id(&queue.topic),
            partition: queue.partition,
        };
        let batch = PartitionBatch {
            topic: &queue.topic,
            topic_id: expected.topic_id,
            partition: queue.partition,
            batch: outgoing.batch.closed(),
            stamp: outgoing.stamp,
        };
        entries.push((expected, batch));
    }
    entries.sort_by(|(a, _), (b, _)| a.topic.cmp(&b.topic));
    let (partitions, batches): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
    let body = produce_body(head, &batches);
    (
        body,
        Expected {
            api_version: head.api_version,
            partitions,
        },
    )
}

/// Reads a response: the outcome of each partition, and where leaders moved to (KIP-951).
pub(crate) fn decode(
    body: Bytes,
    expected: &Expected,
    limits: &Limits,
) -> Result<(ProduceOutcome, Vec<LeaderHint>), DecodeError> {
    let response = message::decode_response::<ProduceMessage>(body, expected.api_version, limits)?;
    let mut partitions = Vec::with_capacity(expected.partitions.len());
    let mut hints = Vec::new();
    for topic in &response.responses {
        for from_leader in &topic.partition_responses {
            let named = expected.partitions.iter().find(|e| {
                let same_topic = if expected.api_version >= TOPIC_IDS {
                    e.topic_id == topic.topic_id
                } else {
                    *e.topic == *topic.name.0
                };
                same_topic && e.partition == from_leader.index
            });
            // A response about something that was not asked proves nothing.
            let Some(named) = named else { continue };
            let known = |value: i64| (value >= 0).then_some(value);
            // P-42
            let leader = &from_leader.current_leader;
            if leader.leader_id.0 >= 0 {
                let endpoint = response
                    .node_endpoints
                    .iter()
                    .find(|e| e.node_id == leader.leader_id);
                hints.push(LeaderHint {
                    topic: Arc::clone(&named.topic),
                    partition: named.partition,
                    leader_id: leader.leader_id.0,
                    leader_epoch: leader.leader_epoch,
                    endpoint: endpoint.and_then(|e| {
                        let port = u16::try_from(e.port).ok()?;
                        Some(BrokerAddress::new(e.host.as_str(), port))
                    }),
                });
            }
            partitions.push((
                named.id,
                PartitionResponse {
                    code: ErrorCode::from(from_leader.error_code),
                    message: from_leader.error_message.as_ref().map(ToString::to_string),
                    base_offset: known(from_leader.base_offset),
                    log_append_time: known(from_leader.log_append_time_ms),
                    log_start_offset: known(from_leader.log_start_offset),
                    record_errors: record_errors(from_leader),
                },
            ));
        }
    }
    let throttle = u64::try_from(response.throttle_time_ms).unwrap_or(0);
    Ok((
        ProduceOutcome::Responded {
            partitions,
            throttle: Duration::from_millis(throttle),
        },
        hints,
    ))
}

/// The records that the leader names as the reason of its rejection, from version 8 on (KIP-467).
fn record_errors(response: &PartitionProduceResponse) -> Vec<RecordError> {
    let named = response.record_errors.iter().filter_map(|record| {
        Some(RecordError {
            index: u32::try_from(record.batch_index).ok()?,
            message: record
                .batch_index_error_message
                .as_ref()
                .map(|message| Arc::from(message.as_str())),
        })
    });
    named.collect()
}

/// The Produce versions of a producer without transactions (P-90).
pub(crate) const ANY_VERSION: RangeInclusive<i16> = PRODUCE_VERSION_MIN..=PRODUCE_VERSION_MAX;

/// What it takes to send a request.
pub(crate) struct Sending<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) snapshot: &'a MetadataSnapshot,
    pub(crate) queues: &'a [Arc<PartitionQueue>],
    pub(crate) config: &'a ProducerConfig,
    pub(crate) transactional_id: Option<&'a str>,
    pub(crate) versions: RangeInclusive<i16>,
}

impl Sending<'_> {
    /// Hands the request to the connection. Requests of one connection leave in the order of these calls.
    pub(crate) fn submit(
        &self,
        request: &ProduceRequest<SealedBatch>,
    ) -> Result<(ResponseFuture, Expected), NotSentCause> {
        let topic_id = |name: &str| {
            let topic = self.snapshot.topic(name);
            topic
                .and_then(|topic| topic.topic_id)
                .unwrap_or(Uuid::nil())
        };
        let named = request
            .batches
            .iter()
            .filter_map(|b| self.queues.get(b.partition.0 as usize));
        let has_ids = named
            .into_iter()
            .all(|queue| !topic_id(&queue.topic).is_nil());
        let newest = if has_ids {
            *self.versions.end()
        } else {
            TOPIC_IDS - 1
        };
        let ours = *self.versions.start()..=newest.min(*self.versions.end());
        let api_version = self.connection.versions().highest(PRODUCE, ours.clone());
        let api_version = api_version.ok_or_else(|| NotSentCause::NoCommonVersion {
            ours: ApiVersionRange {
                min: *ours.start(),
                max: *ours.end(),
            },
            theirs: self.connection.versions().range(PRODUCE),
        })?;
        let timeout = self.config.client.request_timeout;
        let head = ProduceHead {
            api_version,
            transactional_id: self.transactional_id,
            acks: self.config.acks.code(),
            timeout_ms: i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
        };
        let (body, expected) = encode(request, self.queues, topic_id, &head);
        let response = self.connection.submit(RawRequest {
            api_key: PRODUCE,
            api_version,
            body,
            timeout,
            expects_response: self.config.acks != Acks::NoneMayLose,
        })?;
        Ok((response, expected))
    }
}

/// Asks any broker for a producer id (P-10).
pub(crate) async fn init_producer_id(
    cluster: &Cluster,
) -> Result<(ErrorCode, ProducerIdentity), CallError> {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(i32::MAX)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1);
    let response = cluster
        .call(Target::Any, request, CallOptions::default())
        .await?
        .response;
    let identity = ProducerIdentity::new(
        ProducerId(response.producer_id.0),
        ProducerEpoch(response.producer_epoch),
    );
    Ok((ErrorCode::from(response.error_code), identity))
}

/// How InitProducerId ended, in the terms of [`super::identity`].
pub(crate) struct InitResponse {
    pub(crate) outcome: InitOutcome,
    pub(crate) identity: ProducerIdentity,
    /// Why there is no identity.
    pub(crate) error: Option<Error>,
}

/// Why a broker that cannot give producer ids is of no use to this producer, and what to do.
#[derive(Debug, thiserror::Error)]
#[error(
    "idempotence needs a producer id, which brokers give from Kafka 0.11 on: use a newer broker, or switch \
     idempotence off with `enable_idempotence(false)` (enable.idempotence=false)"
)]
struct NoProducerIds {
    #[source]
    source: NotSentCause,
}

/// Reads the response to InitProducerId, or what happened instead.
pub(crate) fn read_init_response(
    result: Result<(ErrorCode, ProducerIdentity), CallError>,
) -> InitResponse {
    let without_identity = |outcome, error| InitResponse {
        outcome,
        identity: ProducerIdentity::NONE,
        error: Some(error),
    };
    match result {
        Ok((ErrorCode::None, identity)) if identity.is_some() => InitResponse {
            outcome: InitOutcome::Code(ErrorCode::None),
            identity,
            error: None,
        },
        // A producer id that is none can't be worked with; another broker may do better.
        Ok((ErrorCode::None, _)) => {
            let cause = std::io::Error::other("it grants no producer id and reports no error");
            let error = Error::Malformed {
                request: ApiKey::InitProducerId,
                broker: None,
                cause: Arc::new(cause),
            };
            without_identity(InitOutcome::NoResponse, error)
        }
        Ok((code, _)) => {
            let error = Error::broker(code, ApiKey::InitProducerId, None);
            without_identity(InitOutcome::Code(code), error)
        }
        Err(CallError::NotSent {
            site,
            cause: source @ NotSentCause::NoCommonVersion { .. },
        }) => {
            let error = Error::UnsupportedVersion {
                request: ApiKey::InitProducerId,
                broker: site.broker_id,
                cause: Arc::new(NoProducerIds { source }),
            };
            without_identity(InitOutcome::Unsupported, error)
        }
        Err(cause) => {
            tracing::debug!(%cause, "no producer id yet");
            without_identity(InitOutcome::NoResponse, cause.into())
        }
    }
}

/// The first flexible version: compact lengths and tagged fields.
const FLEXIBLE: i16 = 9;
/// The first version that names topics by id (KIP-516, P-46).
pub(crate) const TOPIC_IDS: i16 = 13;

/// The lowest version this writes.
pub(crate) const PRODUCE_VERSION_MIN: i16 = 3;
/// The highest version this writes.
pub(crate) const PRODUCE_VERSION_MAX: i16 = 13;

/// One partition's batch in a request.
#[derive(Debug)]
pub(crate) struct PartitionBatch<'a> {
    pub(crate) topic: &'a str,
    pub(crate) topic_id: Uuid,
    pub(crate) partition: i32,
    pub(crate) batch: &'a ClosedBatch,
    pub(crate) stamp: BatchStamp,
}

/// What a request carries beside its batches.
#[derive(Debug)]
pub(crate) struct ProduceHead<'a> {
    pub(crate) api_version: i16,
    pub(crate) transactional_id: Option<&'a str>,
    pub(crate) acks: i16,
    pub(crate) timeout_ms: i32,
}

/// Encodes the body. `batches` must be sorted so that those of one topic are neighbours.
pub(crate) fn produce_body(head: &ProduceHead<'_>, batches: &[PartitionBatch<'_>]) -> Vec<Bytes> {
    let flexible = head.api_version >= FLEXIBLE;
    let mut writer = Segments {
        flexible,
        open: Vec::with_capacity(256),
        closed: Vec::new(),
    };
    writer.put_nullable_string(head.transactional_id);
    writer.open.extend_from_slice(&head.acks.to_be_bytes());
    writer
        .open
        .extend_from_slice(&head.timeout_ms.to_be_bytes());
    let topics = batches.chunk_by(|a, b| a.topic == b.topic && a.topic_id == b.topic_id);
    writer.put_array_length(topics.clone().count());
    for topic in topics {
        writer.put_topic(head.api_version, topic);
    }
    writer.put_no_tags();
    writer.finish()
}

struct Segments {
    flexible: bool,
    open: Vec<u8>,
    closed: Vec<Bytes>,
}

impl Segments {
    fn put_topic(&mut self, api_version: i16, partitions: &[PartitionBatch<'_>]) {
        let Some(first) = partitions.first() else {
            return;
        };
        if api_version >= TOPIC_IDS {
            self.open.extend_from_slice(first.topic_id.as_bytes());
        } else {
            self.put_string(first.topic);
        }
        self.put_array_length(partitions.len());
        for partition in partitions {
            self.open
                .extend_from_slice(&partition.partition.to_be_bytes());
            self.put_bytes_length(partition.batch.wire_size());
            self.open
                .extend_from_slice(&partition.batch.header(&partition.stamp));
            self.closed
                .push(Bytes::from(std::mem::take(&mut self.open)));
            self.closed.push(partition.batch.body().clone());
            self.put_no_tags();
        }
        self.put_no_tags();
    }

    fn finish(mut self) -> Vec<Bytes> {
        if !self.open.is_empty() {
            self.closed.push(Bytes::from(self.open));
        }
        self.closed
    }

    fn put_string(&mut self, value: &str) {
        if self.flexible {
            self.put_unsigned_varint(value.len() + 1);
        } else {
            let length = i16::try_from(value.len()).unwrap_or(i16::MAX);
            self.open.extend_from_slice(&length.to_be_bytes());
        }
        self.open.extend_from_slice(value.as_bytes());
    }

    fn put_nullable_string(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.put_string(value),
            None if self.flexible => self.open.push(0),
            None => self.open.extend_from_slice(&(-1_i16).to_be_bytes()),
        }
    }

    fn put_array_length(&mut self, length: usize) {
        if self.flexible {
            self.put_unsigned_varint(length + 1);
        } else {
            self.put_i32(length);
        }
    }

    fn put_bytes_length(&mut self, length: usize) {
        if self.flexible {
            self.put_unsigned_varint(length + 1);
        } else {
            self.put_i32(length);
        }
    }

    fn put_i32(&mut self, value: usize) {
        // Batches are bounded by the request limit, far below 2 GiB.
        self.open
            .extend_from_slice(&i32::try_from(value).unwrap_or(i32::MAX).to_be_bytes());
    }

    fn put_unsigned_varint(&mut self, value: usize) {
        let mut rest = u32::try_from(value).unwrap_or(u32::MAX);
        while rest >= 0x80 {
            self.open
                .push(u8::try_from(rest & 0x7f).unwrap_or(0) | 0x80);
            rest >>= 7;
        }
        self.open.push(u8::try_from(rest).unwrap_or(0));
    }

    fn put_no_tags(&mut self) {
        if self.flexible {
            self.open.push(0);
        }
    }
}

#[cfg(test)]
mod tests;
