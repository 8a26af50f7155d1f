//! Versions of requests that kafka-protocol 0.18 lacks, in the typed messages that it has.
//!
//! Their structs know every field already, since the schemas of its generator had these versions marked
//! as unfinished; only the reading and the writing are missing. The responses are there.

#[cfg(feature = "broker")]
use super::decode;
use super::{encode, name};
use crate::EncodeError;
use crate::guard::put_varint;
use bytes::Bytes;
use kafka_protocol::messages::{
    InitProducerIdRequest, ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest,
};
use std::collections::BTreeMap;

#[cfg(feature = "broker")]
use super::take::{Take, whole};
#[cfg(feature = "broker")]
use crate::{DecodeError, guard::Fault};
#[cfg(feature = "broker")]
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
#[cfg(feature = "broker")]
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};

/// One version beyond those of the typed message.
#[derive(Debug)]
pub struct Newer<R> {
    /// The version, which follows the typed message's last.
    pub(super) api_version: i16,
    /// The version of the typed response that has the shape of the response.
    pub(super) response_as: i16,
    pub(super) put: fn(&R, &mut Vec<u8>) -> Result<(), EncodeError>,
    #[cfg(feature = "broker")]
    pub(super) take: fn(Bytes) -> Result<R, DecodeError>,
}

impl<R> Newer<R> {
    pub(super) const fn api_version(&self) -> i16 {
        self.api_version
    }
}

/// ListOffsets 11 has the shape of 10, and knows one more special timestamp (KIP-1023).
pub(super) const LIST_OFFSETS: Newer<ListOffsetsRequest> = Newer {
    api_version: 11,
    response_as: 10,
    put: |request, out| encode(out, request, 10),
    #[cfg(feature = "broker")]
    take: |body| decode(body, 10),
};

/// OffsetCommit 10 names topics by their ids (KIP-848).
pub(super) const OFFSET_COMMIT: Newer<OffsetCommitRequest> = Newer {
    api_version: 10,
    response_as: 10,
    put: |request, out| {
        let mut put = Put(out);
        put.string(Some(&request.group_id))?;
        put.bytes(&request.generation_id_or_member_epoch.to_be_bytes());
        put.string(Some(&request.member_id))?;
        put.string(request.group_instance_id.as_deref())?;
        put.array(Some(&request.topics), |put, topic| {
            put.bytes(topic.topic_id.as_bytes());
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
    },
    #[cfg(feature = "broker")]
    take: |body| {
        whole::<OffsetCommitRequest, _>(body, 10, |take| {
            Ok(OffsetCommitRequest::default()
                .with_group_id(take.string()?.into())
                .with_generation_id_or_member_epoch(i32::from_be_bytes(take.array()?))
                .with_member_id(take.string()?)
                .with_group_instance_id(take.nullable_string()?)
                .with_topics(take.list(commit_topic)?)
                .with_unknown_tagged_fields(take.tags()?))
        })
    },
};

#[cfg(feature = "broker")]
fn commit_topic(take: &mut Take) -> Result<OffsetCommitRequestTopic, Fault> {
    Ok(OffsetCommitRequestTopic::default()
        .with_topic_id(take.uuid()?)
        .with_partitions(take.list(|take| {
            Ok(OffsetCommitRequestPartition::default()
                .with_partition_index(i32::from_be_bytes(take.array()?))
                .with_committed_offset(i64::from_be_bytes(take.array()?))
                .with_committed_leader_epoch(i32::from_be_bytes(take.array()?))
                .with_committed_metadata(take.nullable_string()?)
                .with_unknown_tagged_fields(take.tags()?))
        })?)
        .with_unknown_tagged_fields(take.tags()?))
}

/// OffsetFetch 10 names topics by their ids (KIP-848).
pub(super) const OFFSET_FETCH: Newer<OffsetFetchRequest> = Newer {
    api_version: 10,
    response_as: 10,
    put: |request, out| {
        // Fields of versions before 8, which Kafka's own encoder rejects here too.
        if !request.group_id.is_empty() || request.topics.as_ref().is_none_or(|t| !t.is_empty()) {
            return Err(EncodeError::Message {
                message: name::<OffsetFetchRequest>(),
                api_version: 10,
                reason: "a group or topics outside of groups".to_owned(),
            });
        }
        let mut put = Put(out);
        put.array(Some(&request.groups), |put, group| {
            put.string(Some(&group.group_id))?;
            put.string(group.member_id.as_deref())?;
            put.bytes(&group.member_epoch.to_be_bytes());
            put.array(group.topics.as_deref(), |put, topic| {
                put.bytes(topic.topic_id.as_bytes());
                put.array(Some(&topic.partition_indexes), |put, index| {
                    put.bytes(&index.to_be_bytes());
                    Ok(())
                })?;
                put.tags(&topic.unknown_tagged_fields)
            })?;
            put.tags(&group.unknown_tagged_fields)
        })?;
        put.bytes(&[request.require_stable.into()]);
        put.tags(&request.unknown_tagged_fields)
    },
    #[cfg(feature = "broker")]
    take: |body| {
        whole::<OffsetFetchRequest, _>(body, 10, |take| {
            Ok(OffsetFetchRequest::default()
                .with_groups(take.list(fetch_group)?)
                .with_require_stable(take.bool()?)
                .with_unknown_tagged_fields(take.tags()?))
        })
    },
};

#[cfg(feature = "broker")]
fn fetch_group(take: &mut Take) -> Result<OffsetFetchRequestGroup, Fault> {
    Ok(OffsetFetchRequestGroup::default()
        .with_group_id(take.string()?.into())
        .with_member_id(take.nullable_string()?)
        .with_member_epoch(i32::from_be_bytes(take.array()?))
        .with_topics(take.nullable_list(|take| {
            Ok(OffsetFetchRequestTopics::default()
                .with_topic_id(take.uuid()?)
                .with_partition_indexes(take.list(|take| Ok(i32::from_be_bytes(take.array()?)))?)
                .with_unknown_tagged_fields(take.tags()?))
        })?)
        .with_unknown_tagged_fields(take.tags()?))
}

/// InitProducerId 6 knows two-phase commit (KIP-939). Kafka marks it as unstable.
pub(super) const INIT_PRODUCER_ID: Newer<InitProducerIdRequest> = Newer {
    api_version: 6,
    response_as: 6,
    put: |request, out| {
        let mut put = Put(out);
        put.string(request.transactional_id.as_ref().map(|id| id.as_str()))?;
        put.bytes(&request.transaction_timeout_ms.to_be_bytes());
        put.bytes(&request.producer_id.to_be_bytes());
        put.bytes(&request.producer_epoch.to_be_bytes());
        put.bytes(&[request.enable_2_pc.into(), request.keep_prepared_txn.into()]);
        put.tags(&request.unknown_tagged_fields)
    },
    #[cfg(feature = "broker")]
    take: |body| {
        whole::<InitProducerIdRequest, _>(body, 6, |take| {
            Ok(InitProducerIdRequest::default()
                .with_transactional_id(take.nullable_string()?.map(Into::into))
                .with_transaction_timeout_ms(i32::from_be_bytes(take.array()?))
                .with_producer_id(i64::from_be_bytes(take.array()?).into())
                .with_producer_epoch(i16::from_be_bytes(take.array()?))
                .with_enable_2_pc(take.bool()?)
                .with_keep_prepared_txn(take.bool()?)
                .with_unknown_tagged_fields(take.tags()?))
        })
    },
};

/// Writes the forms of flexible versions.
pub(super) struct Put<'o>(pub(super) &'o mut Vec<u8>);

impl Put<'_> {
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn varint(&mut self, value: u32) {
        put_varint(self.0, value);
    }

    /// A length or count, plus `more`.
    fn length(&mut self, field: &'static str, length: usize, more: u32) -> Result<(), EncodeError> {
        // As far as any reader believes one.
        const LIMIT: u32 = i32::MAX.unsigned_abs();
        match u32::try_from(length) {
            Ok(encoded) if encoded < LIMIT => {
                self.varint(encoded + more);
                Ok(())
            }
            _ => Err(EncodeError::TooLong {
                field,
                length,
                limit: usize::try_from(LIMIT).unwrap_or(usize::MAX),
            }),
        }
    }

    pub(super) fn string(&mut self, text: Option<&str>) -> Result<(), EncodeError> {
        let Some(text) = text else {
            self.varint(0);
            return Ok(());
        };
        self.length("string", text.len(), 1)?;
        self.bytes(text.as_bytes());
        Ok(())
    }

    pub(super) fn array<T>(
        &mut self,
        elements: Option<&[T]>,
        mut each: impl FnMut(&mut Self, &T) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let Some(elements) = elements else {
            self.varint(0);
            return Ok(());
        };
        self.length("array", elements.len(), 1)?;
        elements.iter().try_for_each(|element| each(self, element))
    }

    pub(super) fn tags(&mut self, tags: &BTreeMap<i32, Bytes>) -> Result<(), EncodeError> {
        self.length("tags", tags.len(), 0)?;
        for (tag, content) in tags {
            self.varint(tag.cast_unsigned());
            self.length("tagged field", content.len(), 0)?;
            self.bytes(content);
        }
        Ok(())
    }
}
