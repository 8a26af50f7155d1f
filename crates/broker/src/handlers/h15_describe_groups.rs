//! DescribeGroups: the members of classic groups.

use super::{Api, Context, Reply, Subject, text};
use crate::Time;
use crate::cluster::Cluster;
use crate::cluster::nodes::CoordinatorKind;
use crate::group_coordinator::Group;
use crate::group_coordinator::classic::{ClassicGroup, ClassicState};
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct DescribeGroups;

/// From this version on a group that is not there is told as an error, not as dead.
const TELLS_NOT_FOUND_SINCE: i16 = 6;

impl Api for DescribeGroups {
    type Request = DescribeGroupsRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=6;

    async fn answer(
        context: &Context,
        request: DescribeGroupsRequest,
    ) -> Reply<DescribeGroupsResponse> {
        let groups = context.shared.with(|cluster, now| {
            let ids = request.groups.iter();
            ids.map(|id| {
                describe(cluster, context.broker_id, id, now)
                    .unwrap_or_else(|code| missing(id, context.api_version, code))
            })
            .collect()
        });
        Reply::Answer(DescribeGroupsResponse::default().with_groups(groups))
    }

    fn refuse(request: &DescribeGroupsRequest, _: i16, code: ErrorCode) -> DescribeGroupsResponse {
        let ids = request.groups.iter();
        let groups = ids.map(|id| failed(id, code)).collect();
        DescribeGroupsResponse::default().with_groups(groups)
    }

    fn subject(request: &DescribeGroupsRequest) -> Subject {
        Subject {
            group_id: request.groups.first().map(|id| id.to_string()),
            ..Subject::default()
        }
    }
}

fn failed(id: &GroupId, code: ErrorCode) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_id(id.clone())
        .with_error_code(code.code())
}

fn missing(id: &GroupId, api_version: i16, code: ErrorCode) -> DescribedGroup {
    if code != ErrorCode::GroupIdNotFound {
        return failed(id, code);
    }
    let dead = DescribedGroup::default()
        .with_group_id(id.clone())
        .with_group_state(text("Dead"));
    if api_version < TELLS_NOT_FOUND_SINCE {
        return dead;
    }
    let message = format!("Group {} not found.", id.as_str());
    dead.with_error_code(code.code())
        .with_error_message(Some(text(&message)))
}

fn describe(
    cluster: &Cluster,
    broker_id: i32,
    id: &GroupId,
    now: Time,
) -> Result<DescribedGroup, ErrorCode> {
    let seat = cluster.seat(CoordinatorKind::Group, id);
    seat.check(broker_id, now)?;
    let Some(Group::Classic(group)) = cluster.groups.group(id) else {
        return Err(ErrorCode::GroupIdNotFound);
    };
    let protocol = match group.state() {
        ClassicState::Stable => group.protocol().unwrap_or_default(),
        ClassicState::Empty
        | ClassicState::PreparingRebalance
        | ClassicState::CompletingRebalance => "",
    };
    Ok(DescribedGroup::default()
        .with_group_id(id.clone())
        .with_group_state(text(group.state().name()))
        .with_protocol_type(text(group.protocol_type().unwrap_or_default()))
        .with_protocol_data(text(protocol))
        .with_members(members(group, protocol)))
}

fn members(group: &ClassicGroup, protocol: &str) -> Vec<DescribedGroupMember> {
    let members = group.members().map(|(id, member)| {
        DescribedGroupMember::default()
            .with_member_id(text(id))
            .with_group_instance_id(member.instance_id.as_deref().map(text))
            .with_client_id(text(&member.client_id))
            .with_client_host(text(&member.client_host))
            .with_member_metadata(member.metadata(protocol))
            .with_member_assignment(member.assignment.clone())
    });
    members.collect()
}
