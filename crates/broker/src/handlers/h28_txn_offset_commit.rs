//! TxnOffsetCommit: offsets that count from the transaction's marker on.

use super::h08_offset_commit::{find, metadata};
use super::{Api, Context, Reply, Subject};
use crate::Time;
use crate::cluster::Cluster;
use crate::cluster::nodes::{CoordinatorKind, GROUP_TOPIC};
use crate::cluster::verification::{Verification, Verified};
use crate::group_coordinator::GroupCoordinator;
use crate::group_coordinator::commit::{Committer, ToCommit};
use crate::txn_coordinator::TxnPartition;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use milena_codec::{ErrorCode, ProducerEpoch, ProducerId, ProducerIdentity};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

pub(super) struct TxnOffsetCommit;

/// From this version on the request adds its group to the transaction itself (version 2).
const ADDS_GROUP_SINCE: i16 = 5;
/// From this version on a group that is not part of the transaction is told as TRANSACTION_ABORTABLE.
const TELLS_ABORTABLE_SINCE: i16 = 4;
/// From this version on the request tells the member (KIP-447).
const TELLS_MEMBER_SINCE: i16 = 3;
/// Before this version, COORDINATOR_LOAD_IN_PROGRESS was not understood.
const UNDERSTANDS_LOADING_SINCE: i16 = 2;

impl Api for TxnOffsetCommit {
    type Request = TxnOffsetCommitRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=5;
    const PER_PARTITION: bool = true;

    async fn answer(
        context: &Context,
        request: TxnOffsetCommitRequest,
    ) -> Reply<TxnOffsetCommitResponse> {
        let codes = context
            .shared
            .with(|cluster, now| commit(cluster, context, &request, now));
        Reply::Answer(respond(
            &request,
            context.api_version,
            |topic, partition| codes.get(&(topic.to_owned(), partition)).copied(),
        ))
    }

    fn refuse(
        request: &TxnOffsetCommitRequest,
        api_version: i16,
        code: ErrorCode,
    ) -> TxnOffsetCommitResponse {
        respond(request, api_version, |_, _| Some(code))
    }

    fn subject(request: &TxnOffsetCommitRequest) -> Subject {
        let mut subject = Subject {
            transactional_id: Some(request.transactional_id.to_string()),
            group_id: Some(request.group_id.to_string()),
            ..Subject::default()
        };
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

fn respond(
    request: &TxnOffsetCommitRequest,
    api_version: i16,
    code: impl Fn(&str, i32) -> Option<ErrorCode>,
) -> TxnOffsetCommitResponse {
    let translate = |code| {
        let loading = code == ErrorCode::CoordinatorLoadInProgress;
        if loading && api_version < UNDERSTANDS_LOADING_SINCE {
            ErrorCode::CoordinatorNotAvailable
        } else {
            code
        }
    };
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            let code = code(&topic.name, index).unwrap_or(ErrorCode::UnknownServerError);
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(translate(code).code())
        });
        TxnOffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}

fn commit(
    cluster: &mut Cluster,
    context: &Context,
    request: &TxnOffsetCommitRequest,
    now: Time,
) -> BTreeMap<(String, i32), ErrorCode> {
    let mut codes = BTreeMap::new();
    let mut offsets = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let index = partition.partition_index;
            match find(cluster, context, &topic.name, index) {
                Err(code) => {
                    codes.insert((topic.name.to_string(), index), code);
                }
                Ok((key, topic_id)) => offsets.push(ToCommit {
                    key,
                    topic_id,
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch,
                    metadata: metadata(partition.committed_metadata.as_deref()),
                }),
            }
        }
    }
    if offsets.is_empty() {
        return codes;
    }
    let keys: Vec<_> = offsets.iter().map(|commit| commit.key.clone()).collect();
    let results = commit_verified(cluster, context, request, offsets, now);
    let results = results.unwrap_or_else(|code| vec![code; keys.len()]);
    for (key, code) in keys.into_iter().zip(results) {
        codes.insert((key.topic.to_string(), key.partition), code);
    }
    codes
}

fn commit_verified(
    cluster: &mut Cluster,
    context: &Context,
    request: &TxnOffsetCommitRequest,
    offsets: Vec<ToCommit>,
    now: Time,
) -> Result<Vec<ErrorCode>, ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let seat = cluster.seat(CoordinatorKind::Group, &request.group_id);
    seat.check(context.broker_id, now)?;
    let producer = ProducerIdentity::new(
        ProducerId(request.producer_id.0),
        ProducerEpoch(request.producer_epoch),
    );
    // The transaction's coordinator is asked before the group is (P-94): what it agrees to is part of the
    // transaction even if the group then refuses.
    verify(cluster, context.api_version, request, producer, now)?;
    let tells_member = context.api_version >= TELLS_MEMBER_SINCE;
    let committer = Committer {
        group_id: &request.group_id,
        member_id: if tells_member { &request.member_id } else { "" },
        instance_id: request
            .group_instance_id
            .as_ref()
            .filter(|_| tells_member)
            .map(|id| id.as_str()),
        generation: if tells_member {
            request.generation_id
        } else {
            -1
        },
    };
    cluster
        .groups
        .commit_in_transaction(&committer, producer, offsets)
}

fn verify(
    cluster: &mut Cluster,
    api_version: i16,
    request: &TxnOffsetCommitRequest,
    producer: ProducerIdentity,
    now: Time,
) -> Result<(), ErrorCode> {
    let adds = api_version >= ADDS_GROUP_SINCE;
    let needed =
        cluster
            .groups
            .offsets
            .start_verification(&request.group_id, producer, adds, now)?;
    if !needed {
        return Ok(());
    }
    let verification = Verification {
        transactional_id: &request.transactional_id,
        producer,
        partitions: vec![TxnPartition {
            topic: Arc::from(GROUP_TOPIC),
            partition: GroupCoordinator::offsets_partition(&request.group_id),
        }],
        adds,
        tells_abortable: api_version >= TELLS_ABORTABLE_SINCE,
    };
    let Verified(codes) = cluster.verify(verification, now);
    match codes.first() {
        None | Some(ErrorCode::None) => Ok(()),
        // T-59.
        Some(ErrorCode::NetworkException) => Err(ErrorCode::CoordinatorLoadInProgress),
        Some(code) => Err(*code),
    }
}
