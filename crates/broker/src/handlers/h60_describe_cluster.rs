//! DescribeCluster: the brokers.

use super::{Api, Context, Reply, broker, text, words};
use crate::cluster::nodes::Condition;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct DescribeCluster;

/// The endpoints that clients of brokers ask for; controllers have others.
const BROKERS: i8 = 1;

impl Api for DescribeCluster {
    type Request = DescribeClusterRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=2;

    async fn answer(
        context: &Context,
        request: DescribeClusterRequest,
    ) -> Reply<DescribeClusterResponse> {
        if context.api_version >= 1 && request.endpoint_type != BROKERS {
            let code = ErrorCode::MismatchedEndpointType;
            return Reply::Answer(Self::refuse(&request, context.api_version, code));
        }
        let response = context.shared.with(|cluster, _| {
            let running = cluster
                .nodes()
                .filter(|(_, node)| node.condition != Condition::Stopped);
            let brokers = running.map(|(id, node)| {
                let address = node.address_for(context.listener);
                DescribeClusterBroker::default()
                    .with_broker_id(broker(id))
                    .with_host(text(&address.host))
                    .with_port(address.port.into())
                    .with_rack(node.rack.as_deref().map(text))
            });
            DescribeClusterResponse::default()
                .with_endpoint_type(BROKERS)
                .with_cluster_authorized_operations(
                    if request.include_cluster_authorized_operations {
                        words::CLUSTER_OPERATIONS
                    } else {
                        i32::MIN
                    },
                )
                .with_cluster_id(text(&cluster.settings.cluster_id))
                .with_controller_id(broker(cluster.controller()))
                .with_brokers(brokers.collect())
        });
        Reply::Answer(response)
    }

    fn refuse(_: &DescribeClusterRequest, _: i16, code: ErrorCode) -> DescribeClusterResponse {
        DescribeClusterResponse::default()
            .with_error_code(code.code())
            .with_endpoint_type(BROKERS)
            .with_controller_id(broker(-1))
    }
}
