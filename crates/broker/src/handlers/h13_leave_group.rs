//! LeaveGroup: one member, or since version 3 several.

use super::{Api, Context, Reply, Subject};
use crate::cluster::nodes::CoordinatorKind;
use crate::group_coordinator::classic::Leaver;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct LeaveGroup;

/// From this version on several members may leave at once.
const BATCHED_SINCE: i16 = 3;

impl Api for LeaveGroup {
    type Request = LeaveGroupRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=5;

    async fn answer(context: &Context, request: LeaveGroupRequest) -> Reply<LeaveGroupResponse> {
        let members = if context.api_version >= BATCHED_SINCE {
            request.members.clone()
        } else {
            vec![MemberIdentity::default().with_member_id(request.member_id.clone())]
        };
        let leavers: Vec<_> = members
            .iter()
            .map(|member| Leaver {
                member_id: &member.member_id,
                instance_id: member.group_instance_id.as_ref().map(|id| id.as_str()),
            })
            .collect();
        let left = context.shared.with(|cluster, now| {
            let seat = cluster.seat(CoordinatorKind::Group, &request.group_id);
            seat.check(context.broker_id, now)?;
            cluster.leave_group(&request.group_id, &leavers, now)
        });
        let codes = match left {
            Ok(codes) => codes,
            // An unknown group has nobody to leave it.
            Err(ErrorCode::UnknownMemberId) if context.api_version >= BATCHED_SINCE => {
                vec![ErrorCode::UnknownMemberId; members.len()]
            }
            Err(code) => return Reply::Answer(Self::refuse(&request, context.api_version, code)),
        };
        if context.api_version < BATCHED_SINCE {
            let code = codes.first().copied().unwrap_or(ErrorCode::None);
            return Reply::Answer(Self::refuse(&request, context.api_version, code));
        }
        let answers = members.into_iter().zip(codes).map(|(member, code)| {
            MemberResponse::default()
                .with_member_id(member.member_id)
                .with_group_instance_id(member.group_instance_id)
                .with_error_code(code.code())
        });
        Reply::Answer(LeaveGroupResponse::default().with_members(answers.collect()))
    }

    fn refuse(_: &LeaveGroupRequest, _: i16, code: ErrorCode) -> LeaveGroupResponse {
        LeaveGroupResponse::default().with_error_code(code.code())
    }

    fn subject(request: &LeaveGroupRequest) -> Subject {
        Subject {
            group_id: Some(request.group_id.to_string()),
            ..Subject::default()
        }
    }
}
