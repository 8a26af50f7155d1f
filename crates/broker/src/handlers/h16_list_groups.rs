//! ListGroups: the groups that this broker coordinates.

use super::{Api, Context, Reply, text};
use crate::cluster::nodes::CoordinatorKind;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{GroupId, ListGroupsRequest, ListGroupsResponse};
use kafka_protocol::protocol::StrBytes;
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct ListGroups;

impl Api for ListGroups {
    type Request = ListGroupsRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=5;

    async fn answer(context: &Context, request: ListGroupsRequest) -> Reply<ListGroupsResponse> {
        let wanted = |filter: &[StrBytes], name: &str| {
            filter.is_empty()
                || filter
                    .iter()
                    .any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        let groups = context.shared.with(|cluster, now| {
            let ours = |id: &str| {
                let seat = cluster.seat(CoordinatorKind::Group, id);
                seat.check(context.broker_id, now).is_ok()
            };
            let groups = cluster.groups.iter().filter(|(id, group)| {
                ours(id)
                    && wanted(&request.states_filter, group.state_name())
                    && wanted(&request.types_filter, group.kind_name())
            });
            let listed = groups.map(|(id, group)| {
                ListedGroup::default()
                    .with_group_id(GroupId(text(id)))
                    .with_protocol_type(text(group.protocol_type()))
                    .with_group_state(text(group.state_name()))
                    .with_group_type(text(group.kind_name()))
            });
            listed.collect()
        });
        Reply::Answer(ListGroupsResponse::default().with_groups(groups))
    }

    fn refuse(_: &ListGroupsRequest, _: i16, code: ErrorCode) -> ListGroupsResponse {
        ListGroupsResponse::default().with_error_code(code.code())
    }
}
