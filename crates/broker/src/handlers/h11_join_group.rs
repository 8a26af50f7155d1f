//! JoinGroup: waits until the rebalance is over.

use super::{Api, Context, Reply, Subject, text, waiting};
use crate::cluster::nodes::CoordinatorKind;
use crate::group_coordinator::Outcome;
use crate::group_coordinator::classic::{JoinAnswer, JoinGroup as Join};
use bytes::Bytes;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use kafka_protocol::protocol::StrBytes;
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct JoinGroup;

/// In version 0 a rebalance takes as long as a session may.
const REBALANCE_TIMEOUT_SINCE: i16 = 1;
/// From this version on a new member has to come again with the id that it is given (KIP-394).
const ID_REQUIRED_SINCE: i16 = 4;
/// From this version on the protocol's type and name may be missing in the answer.
const NULL_PROTOCOL_SINCE: i16 = 7;
/// From this version on a leader may be told that there is nothing to assign.
const SKIPS_ASSIGNMENT_SINCE: i16 = 9;

impl Api for JoinGroup {
    type Request = JoinGroupRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=9;

    async fn answer(context: &Context, request: JoinGroupRequest) -> Reply<JoinGroupResponse> {
        let outcome = context.shared.with(|cluster, now| {
            let seat = cluster.seat(CoordinatorKind::Group, &request.group_id);
            if let Err(code) = seat.check(context.broker_id, now) {
                return Outcome::Now(JoinAnswer::refused(code, &*request.member_id));
            }
            let fresh = cluster.fresh_uuid();
            let named = request.group_instance_id.as_ref().map(|id| id.as_str());
            let prefix = named.or(context.client_id.as_deref()).unwrap_or_default();
            let fresh_member_id = Arc::from(format!("{prefix}-{fresh}"));
            let join = read(context, &request, fresh_member_id);
            cluster.join_group(join, now)
        });
        let answer = match outcome {
            Outcome::Now(answer) => Some(answer),
            Outcome::Later(ticket) => {
                waiting::wait(context, ticket, |groups| groups.take_join(ticket)).await
            }
        };
        let gone = || JoinAnswer::refused(ErrorCode::NotCoordinator, &*request.member_id);
        Reply::Answer(respond(answer.unwrap_or_else(gone), context.api_version))
    }

    fn refuse(request: &JoinGroupRequest, api_version: i16, code: ErrorCode) -> JoinGroupResponse {
        respond(JoinAnswer::refused(code, &*request.member_id), api_version)
    }

    fn subject(request: &JoinGroupRequest) -> Subject {
        Subject {
            group_id: Some(request.group_id.to_string()),
            ..Subject::default()
        }
    }
}

fn read<'a>(
    context: &'a Context,
    request: &'a JoinGroupRequest,
    fresh_member_id: Arc<str>,
) -> Join<'a> {
    let millis = |number: i32| Duration::from_millis(u64::try_from(number).unwrap_or(0));
    let session_timeout = millis(request.session_timeout_ms);
    let protocols = request.protocols.iter().map(|protocol| {
        // Copied, so that it does not keep the whole request in memory.
        let metadata = Bytes::copy_from_slice(&protocol.metadata);
        (Arc::from(protocol.name.as_str()), metadata)
    });
    Join {
        group_id: &request.group_id,
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_ref().map(|id| id.as_str()),
        client_id: context.client_id.as_deref().unwrap_or_default(),
        client_host: &context.client_host,
        session_timeout,
        rebalance_timeout: if context.api_version >= REBALANCE_TIMEOUT_SINCE {
            millis(request.rebalance_timeout_ms)
        } else {
            session_timeout
        },
        protocol_type: &request.protocol_type,
        protocols: protocols.collect(),
        id_required: context.api_version >= ID_REQUIRED_SINCE,
        may_skip_assignment: context.api_version >= SKIPS_ASSIGNMENT_SINCE,
        fresh_member_id,
    }
}

fn respond(answer: JoinAnswer, api_version: i16) -> JoinGroupResponse {
    let members = answer.members.into_iter().map(|member| {
        JoinGroupResponseMember::default()
            .with_member_id(text(&member.member_id))
            .with_group_instance_id(member.instance_id.as_deref().map(text))
            .with_metadata(member.metadata)
    });
    let nullable = |name: Option<Arc<str>>| match name {
        Some(name) => Some(text(&name)),
        None if api_version >= NULL_PROTOCOL_SINCE => None,
        None => Some(StrBytes::default()),
    };
    JoinGroupResponse::default()
        .with_error_code(answer.code.code())
        .with_generation_id(answer.generation)
        .with_protocol_type(answer.protocol_type.as_deref().map(text))
        .with_protocol_name(nullable(answer.protocol))
        .with_leader(text(answer.leader.as_deref().unwrap_or_default()))
        .with_skip_assignment(answer.skip_assignment)
        .with_member_id(text(&answer.member_id))
        .with_members(members.collect())
}
