//! ConsumerGroupDescribe: the members of consumer groups, and where they are going.

use super::{Api, Context, Reply, Subject, text};
use crate::Time;
use crate::cluster::Cluster;
use crate::cluster::nodes::CoordinatorKind;
use crate::group_coordinator::Group;
use crate::group_coordinator::consumer::{ASSIGNORS, ConsumerGroup, Partitions};
use kafka_protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, GroupId, TopicName,
};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct ConsumerGroupDescribe;

/// A member that uses the protocol of these groups, not the classic one.
const CONSUMER_MEMBER: i8 = 1;

impl Api for ConsumerGroupDescribe {
    type Request = ConsumerGroupDescribeRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=1;

    async fn answer(
        context: &Context,
        request: ConsumerGroupDescribeRequest,
    ) -> Reply<ConsumerGroupDescribeResponse> {
        let groups = context.shared.with(|cluster, now| {
            let ids = request.group_ids.iter();
            ids.map(|id| {
                describe(cluster, context.broker_id, id, now)
                    .unwrap_or_else(|code| failed(id, code))
            })
            .collect()
        });
        Reply::Answer(ConsumerGroupDescribeResponse::default().with_groups(groups))
    }

    fn refuse(
        request: &ConsumerGroupDescribeRequest,
        _: i16,
        code: ErrorCode,
    ) -> ConsumerGroupDescribeResponse {
        let ids = request.group_ids.iter();
        let groups = ids.map(|id| failed(id, code)).collect();
        ConsumerGroupDescribeResponse::default().with_groups(groups)
    }

    fn subject(request: &ConsumerGroupDescribeRequest) -> Subject {
        Subject {
            group_id: request.group_ids.first().map(|id| id.to_string()),
            ..Subject::default()
        }
    }
}

fn failed(id: &GroupId, code: ErrorCode) -> DescribedGroup {
    let is_unknown = code == ErrorCode::GroupIdNotFound;
    let message = is_unknown.then(|| text(&format!("Group {} not found.", id.as_str())));
    DescribedGroup::default()
        .with_group_id(id.clone())
        .with_error_code(code.code())
        .with_error_message(message)
}

fn describe(
    cluster: &Cluster,
    broker_id: i32,
    id: &GroupId,
    now: Time,
) -> Result<DescribedGroup, ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let seat = cluster.seat(CoordinatorKind::Group, id);
    seat.check(broker_id, now)?;
    let Some(Group::Consumer(group)) = cluster.groups.group(id) else {
        return Err(ErrorCode::GroupIdNotFound);
    };
    let [assignor, ..] = ASSIGNORS;
    Ok(DescribedGroup::default()
        .with_group_id(id.clone())
        .with_group_state(text(group.state().name()))
        .with_group_epoch(group.epoch())
        .with_assignment_epoch(group.assignment_epoch())
        .with_assignor_name(text(assignor))
        .with_members(members(cluster, group)))
}

fn members(cluster: &Cluster, group: &ConsumerGroup) -> Vec<Member> {
    let members = group.members().map(|(id, member)| {
        let names = member.named.iter();
        Member::default()
            .with_member_id(text(id))
            .with_instance_id(member.instance_id.as_deref().map(text))
            .with_rack_id(member.rack_id.as_deref().map(text))
            .with_member_epoch(member.epoch())
            .with_client_id(text(&member.client_id))
            .with_client_host(text(&member.client_host))
            .with_subscribed_topic_names(names.map(|name| TopicName(text(name))).collect())
            .with_subscribed_topic_regex(member.pattern.as_ref().map(|p| text(p.source())))
            .with_assignment(assignment(cluster, member.assigned()))
            .with_target_assignment(assignment(cluster, group.target(id)))
            .with_member_type(CONSUMER_MEMBER)
    });
    members.collect()
}

fn assignment(cluster: &Cluster, partitions: Partitions) -> Assignment {
    let topics = partitions.into_iter().map(|(topic_id, partitions)| {
        let name = cluster.topic_name(topic_id).cloned().unwrap_or_default();
        TopicPartitions::default()
            .with_topic_id(topic_id)
            .with_topic_name(TopicName(text(&name)))
            .with_partitions(partitions.into_iter().collect())
    });
    Assignment::default().with_topic_partitions(topics.collect())
}
