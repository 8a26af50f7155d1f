//! DescribeConfigs: of topics, brokers and groups.

use super::{Api, Context, Reply, text, words};
use crate::cluster::Cluster;
use crate::cluster::config::{
    BrokerConfigKey, BrokerConfigs, EFFECTS, Kind, Scope, Source, TOPIC_CONFIGS, TopicConfig,
    TopicConfigKey,
};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use milena_codec::ErrorCode;
use std::ops::RangeInclusive;

pub(super) struct DescribeConfigs;

/// What has configurations, by its number.
pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;

impl Api for DescribeConfigs {
    type Request = DescribeConfigsRequest;

    const VERSIONS: RangeInclusive<i16> = 1..=4;

    async fn answer(
        context: &Context,
        request: DescribeConfigsRequest,
    ) -> Reply<DescribeConfigsResponse> {
        let results = context.shared.with(|cluster, _| {
            let resources = request.resources.iter();
            let results = resources.map(|resource| {
                match describe(
                    cluster,
                    context.broker_id,
                    resource,
                    request.include_synonyms,
                ) {
                    Ok(configs) => result(resource).with_configs(configs),
                    Err((code, message)) => failed(resource, code, message),
                }
            });
            results.collect()
        });
        Reply::Answer(DescribeConfigsResponse::default().with_results(results))
    }

    fn refuse(
        request: &DescribeConfigsRequest,
        _: i16,
        code: ErrorCode,
    ) -> DescribeConfigsResponse {
        let resources = request.resources.iter();
        let results = resources
            .map(|resource| failed(resource, code, None))
            .collect();
        DescribeConfigsResponse::default().with_results(results)
    }
}

fn result(resource: &DescribeConfigsResource) -> DescribeConfigsResult {
    DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone())
}

fn failed(
    resource: &DescribeConfigsResource,
    code: ErrorCode,
    message: Option<String>,
) -> DescribeConfigsResult {
    result(resource)
        .with_error_code(code.code())
        .with_error_message(message.as_deref().map(text))
}

fn describe(
    cluster: &Cluster,
    broker_id: i32,
    resource: &DescribeConfigsResource,
    with_synonyms: bool,
) -> Result<Vec<DescribeConfigsResourceResult>, (ErrorCode, Option<String>)> {
    let wanted = |name: &str| match &resource.configuration_keys {
        None => true,
        Some(keys) => keys.is_empty() || keys.iter().any(|key| **key == *name),
    };
    let name = resource.resource_name.as_str();
    match resource.resource_type {
        TOPIC => {
            if let Some(fault) = words::topic_name_fault(name) {
                return Err((ErrorCode::InvalidTopicException, Some(fault)));
            }
            let (_, topic) = cluster
                .topic(name)
                .ok_or((ErrorCode::UnknownTopicOrPartition, Some(String::new())))?;
            let configs = TOPIC_CONFIGS.iter().filter(|key| wanted(key.name));
            let described = configs.map(|key| of_topic(cluster, &topic.config, key, with_synonyms));
            Ok(described.collect())
        }
        BROKER => {
            let of = asked_of(name, broker_id)?;
            let keys = BrokerConfigs::keys().iter();
            let described = keys
                .filter(|key| key.scope != Scope::Internal && wanted(key.name))
                .filter_map(|key| of_broker(cluster, of, key, with_synonyms));
            Ok(described.collect())
        }
        other => {
            let message = format!("Unsupported resource type: {}", type_name(other));
            Err((ErrorCode::InvalidRequest, Some(message)))
        }
    }
}

/// The broker whose configuration is meant; `None` stands for that of all.
fn asked_of(name: &str, broker_id: i32) -> Result<Option<i32>, (ErrorCode, Option<String>)> {
    if name.is_empty() {
        return Ok(None);
    }
    let rejected = |message| Err((ErrorCode::InvalidRequest, Some(message)));
    match name.parse() {
        Ok(id) if id == broker_id => Ok(Some(id)),
        Ok(_) => rejected(format!(
            "Unexpected broker id, expected {broker_id} or empty string, but received {name}"
        )),
        Err(_) => rejected(format!("Broker id must be an integer, but it is: {name}")),
    }
}

fn type_name(resource_type: i8) -> String {
    match resource_type {
        8 => "BROKER_LOGGER".to_owned(),
        16 => "CLIENT_METRICS".to_owned(),
        32 => "GROUP".to_owned(),
        _ => "UNKNOWN".to_owned(),
    }
}

fn of_topic(
    cluster: &Cluster,
    config: &TopicConfig,
    key: &TopicConfigKey,
    with_synonyms: bool,
) -> DescribeConfigsResourceResult {
    let (value, source) = config.value(key);
    let mut synonyms = Vec::new();
    if source == Source::Topic {
        synonyms.push(synonym(key.name, Some(value), source));
    }
    if let Some(key) = key.broker_name.and_then(BrokerConfigs::key) {
        for (value, source) in cluster.settings.configs.values(None, key) {
            if value.is_some() {
                synonyms.push(synonym(key.name, value.as_deref(), source));
            }
        }
    }
    DescribeConfigsResourceResult::default()
        .with_name(text(key.name))
        .with_value(Some(text(value)))
        .with_config_source(source as i8)
        .with_config_type(key.kind.id())
        .with_documentation(None)
        .with_synonyms(if with_synonyms { synonyms } else { Vec::new() })
}

/// A setting of one broker, or as it was altered for all; `None` if it was not.
fn of_broker(
    cluster: &Cluster,
    broker_id: Option<i32>,
    key: &BrokerConfigKey,
    with_synonyms: bool,
) -> Option<DescribeConfigsResourceResult> {
    let mut values = cluster.settings.configs.values(broker_id, key);
    if broker_id.is_none() {
        values.retain(|(_, source)| *source == Source::DynamicDefaultBroker);
    } else if let Some(value) = own_value(cluster, broker_id, key) {
        // What this broker does, however the setting came about.
        let differs = key.default != Some(value.as_str());
        values.retain(|(_, source)| *source == Source::Default && key.default.is_some());
        if differs {
            values.insert(0, (Some(value), Source::StaticBroker));
        }
    }
    let (value, source) = values.first().cloned()?;
    let is_sensitive = key.kind == Kind::Password;
    let value = value.filter(|_| !is_sensitive);
    let synonyms = values.iter().filter(|(value, _)| value.is_some());
    let synonyms = synonyms.map(|(value, source)| {
        synonym(
            key.name,
            value.as_deref().filter(|_| !is_sensitive),
            *source,
        )
    });
    Some(
        DescribeConfigsResourceResult::default()
            .with_name(text(key.name))
            .with_value(value.as_deref().map(text))
            .with_config_source(source as i8)
            .with_config_type(key.kind.id())
            .with_documentation(None)
            .with_is_sensitive(is_sensitive)
            .with_read_only(key.scope != Scope::Dynamic)
            .with_synonyms(if with_synonyms {
                synonyms.collect()
            } else {
                Vec::new()
            }),
    )
}

/// The value that holds where the broker knows better than the table of settings.
fn own_value(cluster: &Cluster, broker_id: Option<i32>, key: &BrokerConfigKey) -> Option<String> {
    if let Some(effect) = EFFECTS.iter().find(|effect| effect.name == key.name) {
        return (key.scope != Scope::Dynamic).then(|| (effect.read)(&cluster.settings));
    }
    let broker_id = broker_id?;
    let node = cluster.node(broker_id)?;
    match key.name {
        "node.id" | "broker.id" => Some(broker_id.to_string()),
        "broker.rack" => node.rack.as_deref().map(str::to_owned),
        "advertised.listeners" => {
            let address = &node.address;
            Some(format!("PLAINTEXT://{}:{}", address.host, address.port))
        }
        _ => None,
    }
}

fn synonym(name: &str, value: Option<&str>, source: Source) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym::default()
        .with_name(text(name))
        .with_value(value.map(text))
        .with_source(source as i8)
}
