//! IncrementalAlterConfigs: of topics.

use super::h32_describe_configs::TOPIC;
use super::{Api, Context, Reply, text};
use crate::cluster::Cluster;
use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;
use std::sync::Arc;

pub(super) struct IncrementalAlterConfigs;

/// What can be done to a configuration, by its number.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

impl Api for IncrementalAlterConfigs {
    type Request = IncrementalAlterConfigsRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=1;

    async fn answer(
        context: &Context,
        request: IncrementalAlterConfigsRequest,
    ) -> Reply<IncrementalAlterConfigsResponse> {
        let responses = context.shared.with(|cluster, _| {
            let resources = request.resources.iter();
            let responses = resources.map(|resource| {
                let altered = alter(cluster, resource, request.validate_only);
                let none = (ErrorCode::None, None);
                let (code, message) = altered.err().unwrap_or(none);
                response(resource, code, message)
            });
            responses.collect()
        });
        Reply::Answer(IncrementalAlterConfigsResponse::default().with_responses(responses))
    }

    fn refuse(
        request: &IncrementalAlterConfigsRequest,
        _: i16,
        code: ErrorCode,
    ) -> IncrementalAlterConfigsResponse {
        let resources = request.resources.iter();
        let responses = resources.map(|resource| response(resource, code, None));
        IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
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
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), (ErrorCode, Option<String>)> {
    if resource.resource_type != TOPIC {
        let message = "only topics have configurations that can be altered here";
        return Err((ErrorCode::InvalidRequest, Some(message.to_owned())));
    }
    let Some(topic) = cluster.topic_mut(&resource.resource_name) else {
        return Err((ErrorCode::UnknownTopicOrPartition, None));
    };
    let mut config = (*topic.config).clone();
    for change in &resource.configs {
        let name = change.name.as_str();
        let value = change.value.as_ref().map(|value| value.as_str());
        let current = config.overridden(name).unwrap_or_default().to_owned();
        let value = match change.config_operation {
            SET => Some(value.unwrap_or_default().to_owned()),
            DELETE => None,
            APPEND => Some(listed(&current, value.unwrap_or_default(), true)),
            SUBTRACT => Some(listed(&current, value.unwrap_or_default(), false)),
            _ => return Err((ErrorCode::InvalidRequest, None)),
        };
        config
            .set(name, value.as_deref())
            .map_err(|error| (ErrorCode::InvalidConfig, Some(error.to_string())))?;
    }
    if !validate_only {
        topic.config = Arc::new(config);
    }
    Ok(())
}

/// A list with other elements added, or taken out.
fn listed(current: &str, changed: &str, add: bool) -> String {
    let elements = |list: &str| -> Vec<String> {
        let elements = list.split(',').map(str::trim);
        elements
            .filter(|element| !element.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let mut list = elements(current);
    let changed = elements(changed);
    list.retain(|element| !changed.contains(element));
    if add {
        list.extend(changed);
    }
    list.join(",")
}
