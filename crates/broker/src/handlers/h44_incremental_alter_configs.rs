//! IncrementalAlterConfigs: of topics and brokers.

use super::h32_describe_configs::{BROKER, TOPIC};
use super::{Api, Context, Reply, text};
use crate::cluster::Cluster;
use crate::cluster::config::{BrokerConfigs, ConfigError, Kind, TOPIC_CONFIGS, list as list_of};
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
                let altered = alter(cluster, context.broker_id, resource, request.validate_only);
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
    let mut changes = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for change in &resource.configs {
        let name = change.name.as_str();
        if !seen.insert(name) {
            let message = "Error due to duplicate config keys".to_owned();
            return Err((ErrorCode::InvalidRequest, Some(message)));
        }
        let value = change.value.as_ref().map(|value| value.as_str());
        let value = match (change.config_operation, value) {
            (DELETE, _) => None,
            (SET | APPEND | SUBTRACT, None) => {
                let message = format!("Null value not supported for : {name}");
                return Err((ErrorCode::InvalidRequest, Some(message)));
            }
            (SET, Some(value)) => Some(value.to_owned()),
            (operation @ (APPEND | SUBTRACT), Some(value)) => {
                if !current.is_list(name) {
                    let operation = if operation == APPEND {
                        "APPEND"
                    } else {
                        "SUBTRACT"
                    };
                    let message =
                        format!("Can't {operation} to key {name} because its type is not LIST.");
                    return Err((ErrorCode::InvalidConfig, Some(message)));
                }
                let before = current.value(cluster, name);
                Some(listed(&before, value, operation == APPEND))
            }
            _ => return Err((ErrorCode::UnknownServerError, None)),
        };
        changes.push((name.to_owned(), value));
    }
    current.change(cluster, &changes, validate_only)
}

/// What has the configurations that are altered.
#[derive(Clone, Debug)]
pub(super) enum Current {
    Topic(String),
    /// One broker, or all.
    Broker(Option<i32>),
}

type Failed = (ErrorCode, Option<String>);

impl Current {
    pub(super) fn of(
        cluster: &Cluster,
        broker_id: i32,
        resource_type: i8,
        name: &str,
    ) -> Result<Self, Failed> {
        match resource_type {
            TOPIC if cluster.topic(name).is_some() => Ok(Self::Topic(name.to_owned())),
            TOPIC => Err((
                ErrorCode::UnknownTopicOrPartition,
                Some(format!("The topic '{name}' does not exist.")),
            )),
            BROKER if name.is_empty() => Ok(Self::Broker(None)),
            BROKER => match name.parse() {
                Ok(id) if cluster.node(id).is_some() => Ok(Self::Broker(Some(id))),
                Ok(_) | Err(_) => Err((
                    ErrorCode::InvalidRequest,
                    Some(format!(
                        "Unexpected broker id, expected {broker_id}, but received {name}"
                    )),
                )),
            },
            _ => Err((
                ErrorCode::InvalidRequest,
                Some(
                    "only topics and brokers have configurations that this broker alters"
                        .to_owned(),
                ),
            )),
        }
    }

    fn is_list(&self, name: &str) -> bool {
        let kind = match self {
            Self::Topic(_) => TOPIC_CONFIGS
                .iter()
                .find(|key| key.name == name)
                .map(|key| key.kind),
            Self::Broker(_) => BrokerConfigs::key(name).map(|key| key.kind),
        };
        kind == Some(Kind::List)
    }

    /// The value that an element is added to or taken from.
    fn value(&self, cluster: &Cluster, name: &str) -> String {
        match self {
            Self::Topic(topic) => {
                let key = TOPIC_CONFIGS.iter().find(|key| key.name == name);
                let topic = cluster.topic(topic).map(|(_, topic)| topic);
                let value = topic.zip(key).map(|(topic, key)| topic.config.value(key).0);
                value.unwrap_or_default().to_owned()
            }
            Self::Broker(broker_id) => {
                let values = BrokerConfigs::key(name)
                    .map(|key| cluster.settings.configs.values(*broker_id, key));
                let holds = values.and_then(|values| values.into_iter().next()?.0);
                holds.unwrap_or_default()
            }
        }
    }

    /// What was set so far.
    pub(super) fn set(&self, cluster: &Cluster) -> Vec<String> {
        match self {
            Self::Topic(topic) => {
                let keys = TOPIC_CONFIGS.iter().map(|key| key.name);
                let topic = cluster.topic(topic).map(|(_, topic)| topic);
                keys.filter(|name| topic.is_some_and(|t| t.config.overridden(name).is_some()))
                    .map(str::to_owned)
                    .collect()
            }
            Self::Broker(broker_id) => {
                let altered = cluster.settings.configs.altered(*broker_id);
                altered.map(|(name, _)| name.to_owned()).collect()
            }
        }
    }

    /// Sets values, or removes them so that what they override holds again; all or none.
    pub(super) fn change(
        &self,
        cluster: &mut Cluster,
        changes: &[(String, Option<String>)],
        validate_only: bool,
    ) -> Result<(), Failed> {
        match self {
            Self::Topic(name) => {
                let Some(topic) = cluster.topic_mut(name) else {
                    return Err((ErrorCode::UnknownTopicOrPartition, None));
                };
                let mut config = (*topic.config).clone();
                for (name, value) in changes {
                    config
                        .set(name, value.as_deref())
                        .map_err(|error| (ErrorCode::InvalidConfig, Some(error.to_string())))?;
                }
                if !validate_only {
                    topic.config = Arc::new(config);
                    cluster.wake_timer();
                }
                Ok(())
            }
            Self::Broker(broker_id) => cluster
                .alter_broker_configs(*broker_id, changes, validate_only)
                .map_err(|error| (code_of(&error), Some(error.to_string()))),
        }
    }
}

fn code_of(error: &ConfigError) -> ErrorCode {
    match error {
        ConfigError::InvalidValue { .. } | ConfigError::OutOfRange { .. } => {
            ErrorCode::InvalidConfig
        }
        ConfigError::NotDynamic { .. }
        | ConfigError::UnknownBrokerName { .. }
        | ConfigError::UnknownName { .. } => ErrorCode::InvalidRequest,
    }
}

/// A list with other elements added, or taken out.
fn listed(current: &str, changed: &str, add: bool) -> String {
    let elements = |text: &str| -> Vec<String> { list_of(text).map(str::to_owned).collect() };
    let mut list = elements(current);
    let changed = elements(changed);
    list.retain(|element| !changed.contains(element));
    if add {
        list.extend(changed);
    }
    list.join(",")
}
