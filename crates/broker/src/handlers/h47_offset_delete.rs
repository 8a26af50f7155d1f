//! OffsetDelete: offsets of topics that nobody in the group reads.

use super::{Api, Context, Reply, Subject};
use crate::cluster::nodes::CoordinatorKind;
use crate::group_coordinator::offsets::OffsetKey;
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;
use std::sync::Arc;

pub(super) struct OffsetDelete;

impl Api for OffsetDelete {
    type Request = OffsetDeleteRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=0;

    async fn answer(
        context: &Context,
        request: OffsetDeleteRequest,
    ) -> Reply<OffsetDeleteResponse> {
        let deleted = context.shared.with(|cluster, now| {
            let seat = cluster.seat(CoordinatorKind::Group, &request.group_id);
            seat.check(context.broker_id, now)?;
            let groups = &mut cluster.groups;
            if groups.group(&request.group_id).is_none() {
                return Err(ErrorCode::GroupIdNotFound);
            }
            let topics = request.topics.iter().map(|topic| {
                let read = groups.is_subscribed(&request.group_id, &topic.name);
                let name: Arc<str> = Arc::from(topic.name.as_str());
                let partitions = topic.partitions.iter().map(|partition| {
                    let code = if read {
                        ErrorCode::GroupSubscribedToTopic
                    } else {
                        let key = OffsetKey {
                            topic: name.clone(),
                            partition: partition.partition_index,
                        };
                        groups.offsets.delete(&request.group_id, &key);
                        ErrorCode::None
                    };
                    OffsetDeleteResponsePartition::default()
                        .with_partition_index(partition.partition_index)
                        .with_error_code(code.code())
                });
                OffsetDeleteResponseTopic::default()
                    .with_name(topic.name.clone())
                    .with_partitions(partitions.collect())
            });
            Ok(OffsetDeleteResponse::default().with_topics(topics.collect()))
        });
        let refuse = |code| Self::refuse(&request, context.api_version, code);
        Reply::Answer(deleted.unwrap_or_else(refuse))
    }

    fn refuse(_: &OffsetDeleteRequest, _: i16, code: ErrorCode) -> OffsetDeleteResponse {
        OffsetDeleteResponse::default().with_error_code(code.code())
    }

    fn subject(request: &OffsetDeleteRequest) -> Subject {
        Subject {
            group_id: Some(request.group_id.to_string()),
            ..Subject::default()
        }
    }
}
