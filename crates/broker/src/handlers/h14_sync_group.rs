//! SyncGroup: waits for the leader's assignment.

use super::{Api, Context, Reply, Subject, text, waiting};
use crate::cluster::nodes::CoordinatorKind;
use crate::group_coordinator::Outcome;
use crate::group_coordinator::classic::{SyncAnswer, SyncGroup as Sync};
use bytes::Bytes;
use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;
use std::sync::Arc;

pub(super) struct SyncGroup;

/// From this version on the protocol must be named.
const PROTOCOL_SINCE: i16 = 5;

impl Api for SyncGroup {
    type Request = SyncGroupRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=5;

    async fn answer(context: &Context, request: SyncGroupRequest) -> Reply<SyncGroupResponse> {
        let named = request.protocol_type.is_some() && request.protocol_name.is_some();
        if context.api_version >= PROTOCOL_SINCE && !named {
            let code = ErrorCode::InconsistentGroupProtocol;
            return Reply::Answer(Self::refuse(&request, context.api_version, code));
        }
        let assignments = request.assignments.iter().map(|assignment| {
            let bytes = Bytes::copy_from_slice(&assignment.assignment);
            (Arc::from(assignment.member_id.as_str()), bytes)
        });
        let sync = Sync {
            group_id: &request.group_id,
            member_id: &request.member_id,
            instance_id: request.group_instance_id.as_ref().map(|id| id.as_str()),
            generation: request.generation_id,
            protocol_type: request.protocol_type.as_ref().map(|name| name.as_str()),
            protocol: request.protocol_name.as_ref().map(|name| name.as_str()),
            assignments: assignments.collect(),
        };
        let outcome = context.shared.with(|cluster, now| {
            let seat = cluster.seat(CoordinatorKind::Group, &request.group_id);
            match seat.check(context.broker_id, now) {
                // As Kafka does: the generation is lost, and the member has to join again.
                Err(ErrorCode::CoordinatorLoadInProgress) => {
                    Outcome::Now(SyncAnswer::refused(ErrorCode::RebalanceInProgress))
                }
                Err(code) => Outcome::Now(SyncAnswer::refused(code)),
                Ok(()) => cluster.sync_group(sync, now),
            }
        });
        let answer = match outcome {
            Outcome::Now(answer) => Some(answer),
            Outcome::Later(ticket) => {
                waiting::wait(context, ticket, |groups| groups.take_sync(ticket)).await
            }
        };
        let gone = || SyncAnswer::refused(ErrorCode::NotCoordinator);
        Reply::Answer(respond(answer.unwrap_or_else(gone)))
    }

    fn refuse(_: &SyncGroupRequest, _: i16, code: ErrorCode) -> SyncGroupResponse {
        respond(SyncAnswer::refused(code))
    }

    fn subject(request: &SyncGroupRequest) -> Subject {
        Subject {
            group_id: Some(request.group_id.to_string()),
            ..Subject::default()
        }
    }
}

fn respond(answer: SyncAnswer) -> SyncGroupResponse {
    SyncGroupResponse::default()
        .with_error_code(answer.code.code())
        .with_protocol_type(answer.protocol_type.as_deref().map(text))
        .with_protocol_name(answer.protocol.as_deref().map(text))
        .with_assignment(answer.assignment)
}
