//! ListConfigResources: what has configurations.

use super::h32_describe_configs::{BROKER, TOPIC};
use super::{Api, Context, Reply, text};
use kafka_protocol::messages::list_config_resources_response::ConfigResource;
use kafka_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct ListConfigResources;

/// Version 0 was ListClientMetricsResources.
const CLIENT_METRICS: i8 = 16;
const BROKER_LOGGER: i8 = 8;
const GROUP: i8 = 32;

impl Api for ListConfigResources {
    type Request = ListConfigResourcesRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=1;

    async fn answer(
        context: &Context,
        request: ListConfigResourcesRequest,
    ) -> Reply<ListConfigResourcesResponse> {
        let known = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];
        let types = match request.resource_types.as_slice() {
            _ if context.api_version == 0 => vec![CLIENT_METRICS],
            [] => known.to_vec(),
            types => types.to_vec(),
        };
        if types.iter().any(|wanted| !known.contains(wanted)) {
            let code = ErrorCode::UnsupportedVersion;
            return Reply::Answer(Self::refuse(&request, context.api_version, code));
        }
        let resource = |name: &str, resource_type| {
            ConfigResource::default()
                .with_resource_name(text(name))
                .with_resource_type(resource_type)
        };
        let resources = context.shared.with(|cluster, _| {
            let mut resources = Vec::new();
            // Of client metrics and groups none are kept here.
            for wanted in types {
                match wanted {
                    TOPIC => {
                        let topics = cluster.topics();
                        resources.extend(topics.map(|(name, _)| resource(name, wanted)));
                    }
                    BROKER | BROKER_LOGGER => {
                        let brokers = cluster.nodes();
                        resources.extend(brokers.map(|(id, _)| resource(&id.to_string(), wanted)));
                    }
                    _ => {}
                }
            }
            resources
        });
        Reply::Answer(ListConfigResourcesResponse::default().with_config_resources(resources))
    }

    fn refuse(
        _: &ListConfigResourcesRequest,
        _: i16,
        code: ErrorCode,
    ) -> ListConfigResourcesResponse {
        ListConfigResourcesResponse::default().with_error_code(code.code())
    }
}
