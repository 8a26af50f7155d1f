//! Heartbeat of a classic group.

use super::{Api, Context, Reply, Subject};
use crate::cluster::nodes::CoordinatorKind;
use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct Heartbeat;

impl Api for Heartbeat {
    type Request = HeartbeatRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=4;

    async fn answer(context: &Context, request: HeartbeatRequest) -> Reply<HeartbeatResponse> {
        let heard = context.shared.with(|cluster, now| {
            let seat = cluster.seat(CoordinatorKind::Group, &request.group_id);
            // As Kafka does: a group that is being read is not a reason to rebalance.
            match seat.check(context.broker_id, now) {
                Err(ErrorCode::CoordinatorLoadInProgress) => return Ok(()),
                checked => checked?,
            }
            cluster.groups.heartbeat(
                &request.group_id,
                &request.member_id,
                request.group_instance_id.as_ref().map(|id| id.as_str()),
                request.generation_id,
                now,
            )
        });
        let code = heard.err().unwrap_or(ErrorCode::None);
        Reply::Answer(HeartbeatResponse::default().with_error_code(code.code()))
    }

    fn refuse(_: &HeartbeatRequest, _: i16, code: ErrorCode) -> HeartbeatResponse {
        HeartbeatResponse::default().with_error_code(code.code())
    }

    fn subject(request: &HeartbeatRequest) -> Subject {
        Subject {
            group_id: Some(request.group_id.to_string()),
            ..Subject::default()
        }
    }
}
