//! Versions that Kafka 4.4 added with fields that the structs of kafka-protocol lack: such a struct, and the new fields
//! beside it.
//!
//! The other messages of these versions are as before: DeleteGroups requests 3 are those of 2, and ApiVersions responses 5
//! those of 4.

use super::newer::Put;
use super::take::{Take, whole};
use crate::guard::{self, Direction, Fault};
use crate::{DecodeError, EncodeError, Limits};
use bytes::Bytes;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    ApiVersionsRequest, DeleteGroupsResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

/// An ApiVersions request 5, which names the broker that the client means to reach (KIP-1242).
#[derive(Clone, Debug, PartialEq)]
pub struct ApiVersionsRequest5 {
    /// What versions 3 and 4 have.
    pub request: ApiVersionsRequest,
    /// The cluster's id, if the client knows it.
    pub cluster_id: Option<StrBytes>,
    /// The broker's id; -1 if the client does not know it.
    pub node_id: i32,
}

/// A DeleteGroups response 3, which says in words why a group was not deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct DeleteGroupsResponse3 {
    /// What version 2 has.
    pub response: DeleteGroupsResponse,
    /// One for each of its results, in their order; missing ones are null.
    pub error_messages: Vec<Option<StrBytes>>,
}

/// A TxnOffsetCommit request 6, which names topics by their ids.
#[derive(Clone, Debug, PartialEq)]
pub struct TxnOffsetCommitRequest6 {
    /// What version 5 has; the names of its topics are not on the wire.
    pub request: TxnOffsetCommitRequest,
    /// One for each of its topics, in their order; missing ones are nil.
    pub topic_ids: Vec<Uuid>,
}

/// A TxnOffsetCommit response 6, which names topics by their ids.
#[derive(Clone, Debug, PartialEq)]
pub struct TxnOffsetCommitResponse6 {
    /// What version 5 has; the names of its topics are not on the wire.
    pub response: TxnOffsetCommitResponse,
    /// One for each of its topics, in their order; missing ones are nil.
    pub topic_ids: Vec<Uuid>,
}

impl ApiVersionsRequest5 {
    /// Appends the body.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`].
    pub fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut put = Put(out);
        put.string(Some(&self.request.client_software_name))?;
        put.string(Some(&self.request.client_software_version))?;
        put.string(self.cluster_id.as_deref())?;
        put.bytes(&self.node_id.to_be_bytes());
        put.tags(&self.request.unknown_tagged_fields)
    }

    /// Reads a body, the guard first.
    ///
    /// # Errors
    /// As [`decode_request`](super::decode_request).
    pub fn take(body: Bytes, limits: &Limits) -> Result<Self, DecodeError> {
        let body = guard::admit(18, Direction::Request, 5, body, limits)?;
        whole::<Self, _>(body, 5, |take| {
            let request = ApiVersionsRequest::default()
                .with_client_software_name(take.string()?)
                .with_client_software_version(take.string()?);
            Ok(Self {
                cluster_id: take.nullable_string()?,
                node_id: i32::from_be_bytes(take.array()?),
                request: request.with_unknown_tagged_fields(take.tags()?),
            })
        })
    }
}

impl DeleteGroupsResponse3 {
    /// Appends the body.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`].
    pub fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut messages = self.error_messages.iter();
        let mut put = Put(out);
        put.bytes(&self.response.throttle_time_ms.to_be_bytes());
        put.array(Some(&self.response.results), |put, result| {
            put.string(Some(&result.group_id))?;
            put.bytes(&result.error_code.to_be_bytes());
            put.string(messages.next().and_then(Option::as_deref))?;
            put.tags(&result.unknown_tagged_fields)
        })?;
        put.tags(&self.response.unknown_tagged_fields)
    }

    /// Reads a body, the guard first.
    ///
    /// # Errors
    /// As [`decode_response`](super::decode_response).
    pub fn take(body: Bytes, limits: &Limits) -> Result<Self, DecodeError> {
        let body = guard::admit(42, Direction::Response, 3, body, limits)?;
        whole::<Self, _>(body, 3, |take| {
            let throttle_time_ms = i32::from_be_bytes(take.array()?);
            let results = take.list(|take| {
                let result = DeletableGroupResult::default()
                    .with_group_id(take.string()?.into())
                    .with_error_code(i16::from_be_bytes(take.array()?));
                let error_message = take.nullable_string()?;
                let result = result.with_unknown_tagged_fields(take.tags()?);
                Ok((result, error_message))
            })?;
            let (results, error_messages) = unzip(results);
            let response = DeleteGroupsResponse::default()
                .with_throttle_time_ms(throttle_time_ms)
                .with_results(results)
                .with_unknown_tagged_fields(take.tags()?);
            Ok(Self {
                response,
                error_messages,
            })
        })
    }
}

impl TxnOffsetCommitRequest6 {
    /// Appends the body.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`].
    pub fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let request = &self.request;
        let mut topic_ids = self.topic_ids.iter();
        let mut put = Put(out);
        put.string(Some(&request.transactional_id))?;
        put.string(Some(&request.group_id))?;
        put.bytes(&request.producer_id.to_be_bytes());
        put.bytes(&request.producer_epoch.to_be_bytes());
        put.bytes(&request.generation_id.to_be_bytes());
        put.string(Some(&request.member_id))?;
        put.string(request.group_instance_id.as_deref())?;
        put.array(Some(&request.topics), |put, topic| {
            put.bytes(topic_ids.next().unwrap_or(&Uuid::nil()).as_bytes());
            put.array(Some(&topic.partitions), |put, partition| {
                put.bytes(&partition.partition_index.to_be_bytes());
                put.bytes(&partition.committed_offset.to_be_bytes());
                put.bytes(&partition.committed_leader_epoch.to_be_bytes());
                put.string(partition.committed_metadata.as_deref())?;
                put.tags(&partition.unknown_tagged_fields)
            })?;
            put.tags(&topic.unknown_tagged_fields)
        })?;
        put.tags(&request.unknown_tagged_fields)
    }

    /// Reads a body, the guard first.
    ///
    /// # Errors
    /// As [`decode_request`](super::decode_request).
    pub fn take(body: Bytes, limits: &Limits) -> Result<Self, DecodeError> {
        let body = guard::admit(28, Direction::Request, 6, body, limits)?;
        whole::<Self, _>(body, 6, |take| {
            let request = TxnOffsetCommitRequest::default()
                .with_transactional_id(take.string()?.into())
                .with_group_id(take.string()?.into())
                .with_producer_id(i64::from_be_bytes(take.array()?).into())
                .with_producer_epoch(i16::from_be_bytes(take.array()?))
                .with_generation_id(i32::from_be_bytes(take.array()?))
                .with_member_id(take.string()?)
                .with_group_instance_id(take.nullable_string()?);
            let topics = take.list(|take| {
                let topic_id = take.uuid()?;
                let partitions = take.list(request_partition)?;
                let topic = TxnOffsetCommitRequestTopic::default()
                    .with_partitions(partitions)
                    .with_unknown_tagged_fields(take.tags()?);
                Ok((topic, topic_id))
            })?;
            let (topics, topic_ids) = unzip(topics);
            let request = request
                .with_topics(topics)
                .with_unknown_tagged_fields(take.tags()?);
            Ok(Self { request, topic_ids })
        })
    }
}

/// As the iterators' own, but with no room for more.
fn unzip<A, B>(pairs: Vec<(A, B)>) -> (Vec<A>, Vec<B>) {
    let mut firsts = Vec::with_capacity(pairs.len());
    let mut seconds = Vec::with_capacity(pairs.len());
    for (first, second) in pairs {
        firsts.push(first);
        seconds.push(second);
    }
    (firsts, seconds)
}

fn request_partition(take: &mut Take) -> Result<TxnOffsetCommitRequestPartition, Fault> {
    Ok(TxnOffsetCommitRequestPartition::default()
        .with_partition_index(i32::from_be_bytes(take.array()?))
        .with_committed_offset(i64::from_be_bytes(take.array()?))
        .with_committed_leader_epoch(i32::from_be_bytes(take.array()?))
        .with_committed_metadata(take.nullable_string()?)
        .with_unknown_tagged_fields(take.tags()?))
}

impl TxnOffsetCommitResponse6 {
    /// Appends the body.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`].
    pub fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut topic_ids = self.topic_ids.iter();
        let mut put = Put(out);
        put.bytes(&self.response.throttle_time_ms.to_be_bytes());
        put.array(Some(&self.response.topics), |put, topic| {
            put.bytes(topic_ids.next().unwrap_or(&Uuid::nil()).as_bytes());
            put.array(Some(&topic.partitions), |put, partition| {
                put.bytes(&partition.partition_index.to_be_bytes());
                put.bytes(&partition.error_code.to_be_bytes());
                put.tags(&partition.unknown_tagged_fields)
            })?;
            put.tags(&topic.unknown_tagged_fields)
        })?;
        put.tags(&self.response.unknown_tagged_fields)
    }

    /// Reads a body, the guard first.
    ///
    /// # Errors
    /// As [`decode_response`](super::decode_response).
    pub fn take(body: Bytes, limits: &Limits) -> Result<Self, DecodeError> {
        let body = guard::admit(28, Direction::Response, 6, body, limits)?;
        whole::<Self, _>(body, 6, |take| {
            let throttle_time_ms = i32::from_be_bytes(take.array()?);
            let topics = take.list(|take| {
                let topic_id = take.uuid()?;
                let partitions = take.list(|take| {
                    Ok(TxnOffsetCommitResponsePartition::default()
                        .with_partition_index(i32::from_be_bytes(take.array()?))
                        .with_error_code(i16::from_be_bytes(take.array()?))
                        .with_unknown_tagged_fields(take.tags()?))
                })?;
                let topic = TxnOffsetCommitResponseTopic::default()
                    .with_partitions(partitions)
                    .with_unknown_tagged_fields(take.tags()?);
                Ok((topic, topic_id))
            })?;
            let (topics, topic_ids) = unzip(topics);
            let response = TxnOffsetCommitResponse::default()
                .with_throttle_time_ms(throttle_time_ms)
                .with_topics(topics)
                .with_unknown_tagged_fields(take.tags()?);
            Ok(Self {
                response,
                topic_ids,
            })
        })
    }
}
