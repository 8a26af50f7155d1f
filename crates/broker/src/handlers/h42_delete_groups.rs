//! DeleteGroups: empty ones, with their offsets.

use super::{Api, Context, Reply, Subject};
use crate::cluster::nodes::CoordinatorKind;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse, GroupId};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct DeleteGroups;

impl Api for DeleteGroups {
    type Request = DeleteGroupsRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=2;

    async fn answer(
        context: &Context,
        request: DeleteGroupsRequest,
    ) -> Reply<DeleteGroupsResponse> {
        let results = context.shared.with(|cluster, now| {
            let ids = request.groups_names.iter();
            let results = ids.map(|id| {
                let seat = cluster.seat(CoordinatorKind::Group, id);
                let deleted = seat.check(context.broker_id, now);
                let deleted = deleted.and_then(|()| cluster.groups.delete(id));
                result(id, deleted.err().unwrap_or(ErrorCode::None))
            });
            results.collect()
        });
        Reply::Answer(DeleteGroupsResponse::default().with_results(results))
    }

    fn refuse(request: &DeleteGroupsRequest, _: i16, code: ErrorCode) -> DeleteGroupsResponse {
        let ids = request.groups_names.iter();
        let results = ids.map(|id| result(id, code)).collect();
        DeleteGroupsResponse::default().with_results(results)
    }

    fn subject(request: &DeleteGroupsRequest) -> Subject {
        Subject {
            group_id: request.groups_names.first().map(|id| id.to_string()),
            ..Subject::default()
        }
    }
}

fn result(id: &GroupId, code: ErrorCode) -> DeletableGroupResult {
    DeletableGroupResult::default()
        .with_group_id(id.clone())
        .with_error_code(code.code())
}
