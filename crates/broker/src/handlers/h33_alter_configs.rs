//! AlterConfigs: what is not in the request is removed, which is why IncrementalAlterConfigs came after it.

use super::h44_incremental_alter_configs::Current;
use super::{Api, Context, Reply, text};
use crate::cluster::Cluster;
use kafka_protocol::messages::alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct AlterConfigs;

impl Api for AlterConfigs {
    type Request = AlterConfigsRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=2;

    async fn answer(
        context: &Context,
        request: AlterConfigsRequest,
    ) -> Reply<AlterConfigsResponse> {
        let responses = context.shared.with(|cluster, _| {
            let resources = request.resources.iter();
            let responses = resources.map(|resource| {
                let altered = alter(cluster, context.broker_id, resource, request.validate_only);
                let (code, message) = altered.err().unwrap_or((ErrorCode::None, None));
                response(resource, code, message)
            });
            responses.collect()
        });
        Reply::Answer(AlterConfigsResponse::default().with_responses(responses))
    }

    fn refuse(request: &AlterConfigsRequest, _: i16, code: ErrorCode) -> AlterConfigsResponse {
        let resources = request.resources.iter();
        let responses = resources.map(|resource| response(resource, code, None));
        AlterConfigsResponse::default().with_responses(responses.collect())
    }
}

fn response(
    resource: &AlterConfigsResource,
    code: ErrorCode,
    message: Option<String>,
) -> AlterConfigsResourceResponse {
    AlterConfigsResourceResponse::default()
        .with_error_code(code.code())
        .with_error_message(message.as_deref().map(text))
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone())
}

fn alter(
    cluster: &mut Cluster,
    broker_id: i32,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), (ErrorCode, Option<String>)> {
    let current = Current::of(
        cluster,
        broker_id,
        resource.resource_type,
        &resource.resource_name,
    )?;
    let mut changes: Vec<(String, Option<String>)> = current
        .set(cluster)
        .into_iter()
        .map(|name| (name, None))
        .collect();
    for config in &resource.configs {
        let name = config.name.to_string();
        let Some(value) = &config.value else {
            let message = format!("Null value not supported for : {name}");
            return Err((ErrorCode::InvalidRequest, Some(message)));
        };
        changes.retain(|(removed, _)| *removed != name);
        changes.push((name, Some(value.to_string())));
    }
    current.change(cluster, &changes, validate_only)
}
