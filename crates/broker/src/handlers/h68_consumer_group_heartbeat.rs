//! ConsumerGroupHeartbeat: see [`crate::group_coordinator::consumer`].

use super::{Api, Context, Reply, Subject, text};
use crate::cluster::nodes::CoordinatorKind;
use crate::group_coordinator::consumer::{Heartbeat, HeartbeatAnswer, Partitions};
use kafka_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct ConsumerGroupHeartbeat;

/// From this version on members make their own ids (KIP-1082).
const MAKES_ID_SINCE: i16 = 1;

impl Api for ConsumerGroupHeartbeat {
    type Request = ConsumerGroupHeartbeatRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=1;

    async fn answer(
        context: &Context,
        request: ConsumerGroupHeartbeatRequest,
    ) -> Reply<ConsumerGroupHeartbeatResponse> {
        let heard = context.shared.with(|cluster, now| {
            let seat = cluster.seat(CoordinatorKind::Group, &request.group_id);
            seat.check(context.broker_id, now)?;
            let fresh_member_id = Arc::from(cluster.fresh_uuid().to_string());
            cluster.consumer_heartbeat(&read(context, &request, fresh_member_id), now)
        });
        let refuse = |code| Self::refuse(&request, context.api_version, code);
        Reply::Answer(heard.map_or_else(refuse, respond))
    }

    fn refuse(
        _: &ConsumerGroupHeartbeatRequest,
        _: i16,
        code: ErrorCode,
    ) -> ConsumerGroupHeartbeatResponse {
        ConsumerGroupHeartbeatResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(text(&code.to_string())))
    }

    fn subject(request: &ConsumerGroupHeartbeatRequest) -> Subject {
        Subject {
            group_id: Some(request.group_id.to_string()),
            ..Subject::default()
        }
    }
}

fn read<'a>(
    context: &'a Context,
    request: &'a ConsumerGroupHeartbeatRequest,
    fresh_member_id: Arc<str>,
) -> Heartbeat<'a> {
    let owned = request.topic_partitions.as_ref().map(|topics| {
        let topics = topics.iter();
        topics
            .map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect()))
            .collect::<Partitions>()
    });
    let subscribed = request.subscribed_topic_names.as_ref().map(|names| {
        let names = names.iter();
        names.map(|name| Arc::from(name.as_str())).collect()
    });
    Heartbeat {
        group_id: &request.group_id,
        member_id: &request.member_id,
        member_epoch: request.member_epoch,
        instance_id: request.instance_id.as_ref().map(|id| id.as_str()),
        rack_id: request.rack_id.as_ref().map(|id| id.as_str()),
        client_id: context.client_id.as_deref().unwrap_or_default(),
        client_host: &context.client_host,
        rebalance_timeout: u64::try_from(request.rebalance_timeout_ms)
            .ok()
            .map(Duration::from_millis),
        subscribed,
        regex: request
            .subscribed_topic_regex
            .as_ref()
            .map(|regex| regex.as_str()),
        assignor: request.server_assignor.as_ref().map(|name| name.as_str()),
        owned,
        makes_its_id: context.api_version >= MAKES_ID_SINCE,
        fresh_member_id,
    }
}

fn respond(answer: HeartbeatAnswer) -> ConsumerGroupHeartbeatResponse {
    let interval = i32::try_from(answer.interval.as_millis()).unwrap_or(i32::MAX);
    let assignment = answer.assignment.map(|partitions| {
        let topics = partitions.into_iter().map(|(topic_id, partitions)| {
            TopicPartitions::default()
                .with_topic_id(topic_id)
                .with_partitions(partitions.into_iter().collect())
        });
        Assignment::default().with_topic_partitions(topics.collect())
    });
    ConsumerGroupHeartbeatResponse::default()
        .with_member_id(Some(text(&answer.member_id)))
        .with_member_epoch(answer.member_epoch)
        .with_heartbeat_interval_ms(interval)
        .with_assignment(assignment)
}
