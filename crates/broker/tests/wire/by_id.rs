//! What the versions that name topics by their ids add (KIP-848), and the newest question of ListOffsets.

use crate::raw::{Raw, start, text};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseTopics;
use kafka_protocol::messages::*;
use milena_broker::ErrorCode;
use uuid::Uuid;

const UNKNOWN: Uuid = Uuid::from_u128(0xdead);

async fn id_of(raw: &mut Raw, topic: &str) -> Uuid {
    let topic = MetadataRequestTopic::default().with_name(Some(TopicName(text(topic))));
    let request = MetadataRequest::default().with_topics(Some(vec![topic]));
    raw.call(12, &request).await.topics[0].topic_id
}

/// The topics that the group's offsets are answered for.
async fn offsets(raw: &mut Raw, topics: Option<&[Uuid]>) -> Vec<OffsetFetchResponseTopics> {
    let topic = |id: &Uuid| {
        OffsetFetchRequestTopics::default()
            .with_topic_id(*id)
            .with_partition_indexes(vec![1])
    };
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(text("g")))
        .with_topics(topics.map(|ids| ids.iter().map(topic).collect()));
    let request = OffsetFetchRequest::default().with_groups(vec![group]);
    let mut groups = raw.call(10, &request).await.groups;
    groups.remove(0).topics
}

#[tokio::test]
async fn offsets_are_committed_and_fetched_by_topic_id() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let id = id_of(&mut raw, "t").await;
    let topic = |id| {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(1)
            .with_committed_offset(7);
        OffsetCommitRequestTopic::default()
            .with_topic_id(id)
            .with_partitions(vec![partition])
    };
    let commit = OffsetCommitRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic(id), topic(UNKNOWN)]);
    let answer = raw.call(10, &commit).await;
    let answered = answer.topics.iter().map(|topic| {
        let code = ErrorCode::from(topic.partitions[0].error_code);
        (topic.topic_id, code)
    });
    let answered: Vec<_> = answered.collect();
    let unknown = ErrorCode::UnknownTopicId;
    assert_eq!(answered, [(id, ErrorCode::None), (UNKNOWN, unknown)]);

    for asked in [Some(&[id, UNKNOWN][..]), None] {
        let mut answered = offsets(&mut raw, asked).await;
        answered.sort_by_key(|topic| topic.topic_id != id);
        let partition = &answered[0].partitions[0];
        assert_eq!(answered[0].topic_id, id);
        assert_eq!(
            (partition.partition_index, partition.committed_offset),
            (1, 7)
        );
        assert_eq!(answered.len(), asked.map_or(1, <[_]>::len));
        if let Some(other) = answered.get(1) {
            assert_eq!(other.topic_id, UNKNOWN);
            assert_eq!(other.partitions[0].error_code, unknown.code());
            assert_eq!(other.partitions[0].committed_offset, -1);
        }
    }
}

#[tokio::test]
async fn the_offset_of_the_earliest_pending_upload_is_known_from_version_11_on() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let partition = ListOffsetsPartition::default()
        .with_current_leader_epoch(-1)
        .with_timestamp(-6);
    let topic = ListOffsetsTopic::default()
        .with_name(TopicName(text("t")))
        .with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(vec![topic]);
    for (version, code) in [(10, ErrorCode::UnsupportedVersion), (11, ErrorCode::None)] {
        let answer = raw.call(version, &request).await;
        let partition = &answer.topics[0].partitions[0];
        assert_eq!(ErrorCode::from(partition.error_code), code);
        assert_eq!(partition.offset, -1, "nothing is tiered here");
    }
}
