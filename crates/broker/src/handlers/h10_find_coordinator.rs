//! FindCoordinator: which broker has a group or a transactional id (T-20).

use super::{Api, Context, Reply, Subject, broker, text, words};
use crate::cluster::Cluster;
use crate::cluster::nodes::{CoordinatorKind, ListenerIndex};
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct FindCoordinator;

/// From this version on, one request asks for many keys.
const BATCHED_SINCE: i16 = 4;

impl Api for FindCoordinator {
    type Request = FindCoordinatorRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=6;

    async fn answer(
        context: &Context,
        request: FindCoordinatorRequest,
    ) -> Reply<FindCoordinatorResponse> {
        let response = context.shared.with(|cluster, _| {
            let mut found = |key: &StrBytes| find(cluster, request.key_type, key, context.listener);
            if context.api_version >= BATCHED_SINCE {
                let all = request.coordinator_keys.iter().map(found).collect();
                return FindCoordinatorResponse::default().with_coordinators(all);
            }
            let found = found(&request.key);
            let error_message = match found.error_code {
                0 => Some(text("NONE")),
                code if request.key_type == SHARE => Some(text(&words::message(code.into()))),
                _ => found.error_message,
            };
            FindCoordinatorResponse::default()
                .with_error_code(found.error_code)
                .with_error_message(error_message)
                .with_node_id(found.node_id)
                .with_host(found.host)
                .with_port(found.port)
        });
        Reply::Answer(response)
    }

    fn refuse(
        request: &FindCoordinatorRequest,
        api_version: i16,
        code: ErrorCode,
    ) -> FindCoordinatorResponse {
        if api_version >= BATCHED_SINCE {
            let keys = request.coordinator_keys.iter();
            let all = keys.map(|key| unknown(key, code)).collect();
            return FindCoordinatorResponse::default().with_coordinators(all);
        }
        FindCoordinatorResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(text(&words::message(code))))
            .with_node_id(broker(-1))
            .with_port(-1)
    }

    fn subject(request: &FindCoordinatorRequest) -> Subject {
        let first = request.coordinator_keys.first().unwrap_or(&request.key);
        let key = Some(first.to_string());
        match kind_of(request.key_type) {
            Some(CoordinatorKind::Group) => Subject {
                group_id: key,
                ..Subject::default()
            },
            Some(CoordinatorKind::Transaction) => Subject {
                transactional_id: key,
                ..Subject::default()
            },
            None => Subject::default(),
        }
    }
}

const SHARE: i8 = 2;

const fn kind_of(key_type: i8) -> Option<CoordinatorKind> {
    match key_type {
        0 => Some(CoordinatorKind::Group),
        1 => Some(CoordinatorKind::Transaction),
        _ => None,
    }
}

fn find(
    cluster: &mut Cluster,
    key_type: i8,
    key: &StrBytes,
    listener: ListenerIndex,
) -> Coordinator {
    let Some(kind) = kind_of(key_type) else {
        let code = ErrorCode::InvalidRequest;
        return match key_type {
            // Of share groups Kafka says no more, where it knows them.
            SHARE => unknown(key, code).with_error_message(Some(StrBytes::default())),
            _ => unknown(key, code),
        };
    };
    cluster.create_internal_topic(kind);
    let broker_id = cluster.seat(kind, key).broker_id;
    let node = broker_id.and_then(|id| Some((id, cluster.node(id)?)));
    let Some((broker_id, node)) = node else {
        return unknown(key, ErrorCode::CoordinatorNotAvailable);
    };
    let address = node.address_for(listener);
    Coordinator::default()
        .with_key(key.clone())
        .with_node_id(broker(broker_id))
        .with_host(text(&address.host))
        .with_port(address.port.into())
        .with_error_message(Some(StrBytes::default()))
}

fn unknown(key: &StrBytes, code: ErrorCode) -> Coordinator {
    Coordinator::default()
        .with_key(key.clone())
        .with_node_id(broker(-1))
        .with_port(-1)
        .with_error_code(code.code())
        .with_error_message(Some(text(&words::message(code))))
}
