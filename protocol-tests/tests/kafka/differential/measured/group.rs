//! A group with one member: its offsets, and how the member joins.

use super::{T, hold, init, player};
use crate::differential::answers::name;
use crate::differential::player::Player;
use crate::differential::step::{Step, Who};
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId, JoinGroupRequest,
    JoinGroupResponse, OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest,
    TxnOffsetCommitRequest,
};
use milena_codec::ErrorCode;
use milena_protocol_tests::Kafka;
use milena_protocol_tests::raw::text;
use std::time::Duration;

/// So many groups are begun until the coordinator knows the topic, which is some milliseconds old: for 20 seconds.
const GROUPS_MAX: usize = 1_000;
const GROUP_PAUSE: Duration = Duration::from_millis(20);
/// Of the consumer protocol: version 0, no topics, and no more.
const NOTHING: &[u8] = &[0, 1, 0, 0, 0, 0, 255, 255, 255, 255];

/// As whom a request says to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    pub(super) id: &'a str,
    /// Its generation, or its epoch.
    pub(super) epoch: i32,
    pub(super) instance: Option<&'a str>,
}

pub(super) const fn member(id: &str, epoch: i32) -> Member<'_> {
    Member {
        id,
        epoch,
        instance: None,
    }
}

/// Of a request that names nothing but the group.
pub(super) const NOBODY: Member<'_> = member("", -1);

/// A group of its own, with a producer whose transactional id is its player's first.
pub(super) struct Group {
    pub(super) player: Player,
    name: String,
    /// What a member of the consumer protocol was assigned.
    pub(super) assigned: Vec<TopicPartitions>,
}

impl Group {
    pub(super) fn new(kafka: &Kafka) -> Self {
        let mut player = player(kafka);
        hold(&mut player, vec![(init(Some(T), None), "NONE p0 e0")]);
        let name = format!("{}-group", player.place.name);
        Self {
            player,
            name,
            assigned: Vec::new(),
        }
    }

    pub(super) fn play(&mut self, step: Step, expected: &str) {
        hold(&mut self.player, vec![(step, expected)]);
    }

    /// TxnOffsetCommit of the first partition.
    pub(super) fn commit_in_transaction(
        &mut self,
        version: i16,
        producer: Who,
        member: Member<'_>,
        offset: i64,
    ) -> String {
        let (producer_id, epoch) = self.player.identity(Some(producer));
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(offset);
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(self.player.place.topic())
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(self.player.place.id(T))
            .with_group_id(GroupId(text(&self.name)))
            .with_producer_id(producer_id)
            .with_producer_epoch(epoch)
            .with_member_id(text(member.id))
            .with_generation_id(member.epoch)
            .with_group_instance_id(member.instance.map(text))
            .with_topics(vec![topic]);
        let code = self.player.spelled_right(version < 4, |player| {
            let answer = player.settled(version, &request, |answer| {
                answer.topics[0].partitions[0].error_code
            })?;
            let code = answer.topics[0].partitions[0].error_code;
            Ok((code, code))
        });
        name(code.unwrap())
    }

    /// OffsetCommit of the first partition.
    pub(super) fn commit(&mut self, version: i16, member: Member<'_>, offset: i64) -> String {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(self.player.place.topic())
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(&self.name)))
            .with_member_id(text(member.id))
            .with_generation_id_or_member_epoch(member.epoch)
            .with_topics(vec![topic]);
        let answer = self.player.settled(version, &request, |answer| {
            answer.topics[0].partitions[0].error_code
        });
        name(answer.unwrap().topics[0].partitions[0].error_code)
    }

    /// OffsetFetch of the first partition.
    pub(super) fn committed(&mut self, member: Option<Member<'_>>, stable: bool) -> String {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(self.player.place.topic())
            .with_partition_indexes(vec![0]);
        let mut asked = OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(text(&self.name)))
            .with_member_epoch(-1)
            .with_topics(Some(vec![topic]));
        if let Some(member) = member {
            asked.member_id = Some(text(member.id));
            asked.member_epoch = member.epoch;
        }
        let request = OffsetFetchRequest::default()
            .with_require_stable(stable)
            .with_groups(vec![asked]);
        let answer = self
            .player
            .settled(9, &request, |answer| answer.groups[0].error_code);
        let group = answer.unwrap().groups.remove(0);
        if group.error_code != 0 {
            return format!("group: {}", name(group.error_code));
        }
        let partition = &group.topics[0].partitions[0];
        format!(
            "{} {}",
            name(partition.error_code),
            partition.committed_offset
        )
    }

    /// JoinGroup, as a member without an id yet and then with the one it is given (G-2), and SyncGroup.
    pub(super) fn join_classic(&mut self) -> (String, i32) {
        let given = self.join("");
        assert_eq!(
            ErrorCode::from(given.error_code),
            ErrorCode::MemberIdRequired
        );
        let joined = self.join(&given.member_id);
        assert_eq!(joined.error_code, 0, "{joined:?}");
        let assignment = SyncGroupRequestAssignment::default()
            .with_member_id(joined.member_id.clone())
            .with_assignment(NOTHING.into());
        let request = SyncGroupRequest::default()
            .with_group_id(GroupId(text(&self.name)))
            .with_generation_id(joined.generation_id)
            .with_member_id(joined.member_id.clone())
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")))
            .with_assignments(vec![assignment]);
        let synced = self.player.settled(5, &request, |answer| answer.error_code);
        assert_eq!(synced.unwrap().error_code, 0);
        (joined.member_id.to_string(), joined.generation_id)
    }

    fn join(&mut self, member: &str) -> JoinGroupResponse {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata([NOTHING, &[0; 4]].concat().into());
        let request = JoinGroupRequest::default()
            .with_group_id(GroupId(text(&self.name)))
            .with_member_id(text(member))
            .with_protocol_type(text("consumer"))
            .with_session_timeout_ms(20_000)
            .with_rebalance_timeout_ms(20_000)
            .with_protocols(vec![protocol]);
        let answer = self.player.settled(9, &request, |answer| answer.error_code);
        answer.unwrap()
    }

    /// Heartbeats as a new member until it is told what it has, each time in a new group: a group that began
    /// before its coordinator knew the topic has had an epoch more.
    pub(super) fn join_consumer(&mut self, id: &str) -> ConsumerGroupHeartbeatResponse {
        let begin = self.name.clone();
        for number in 0..GROUPS_MAX {
            self.name = format!("{begin}-{number}");
            let topic = self.player.place.topic();
            let answer = self.heartbeat(id, 0, |request| {
                request
                    .with_rebalance_timeout_ms(30_000)
                    .with_subscribed_topic_names(Some(vec![topic]))
                    .with_topic_partitions(Some(Vec::new()))
            });
            assert_eq!(answer.error_code, 0, "{answer:?}");
            let assigned = answer.assignment.iter().flat_map(|a| &a.topic_partitions);
            self.assigned = assigned
                .map(|of| {
                    TopicPartitions::default()
                        .with_topic_id(of.topic_id)
                        .with_partitions(of.partitions.clone())
                })
                .collect();
            if !self.assigned.is_empty() {
                return answer;
            }
            std::thread::sleep(GROUP_PAUSE);
        }
        panic!("the coordinator never heard of the topic");
    }

    /// ConsumerGroupHeartbeat.
    pub(super) fn heartbeat(
        &mut self,
        id: &str,
        epoch: i32,
        more: impl FnOnce(ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatRequest,
    ) -> ConsumerGroupHeartbeatResponse {
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(text(&self.name)))
            .with_member_id(text(id))
            .with_member_epoch(epoch)
            .with_rebalance_timeout_ms(-1)
            .with_topic_partitions(None);
        let request = more(request);
        let answer = self.player.settled(1, &request, |answer| answer.error_code);
        answer.unwrap()
    }
}
