//! DescribeConfigs: of topics and brokers.

use super::h19_create_topics::{SOURCE_DEFAULT, SOURCE_TOPIC};
use super::{Api, Context, Reply, text};
use crate::cluster::Cluster;
use crate::cluster::config::TOPIC_CONFIGS;
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

/// A value that the broker was started with.
const SOURCE_BROKER: i8 = 4;

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
                    Err(code) => failed(resource, code),
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
        let results = resources.map(|resource| failed(resource, code)).collect();
        DescribeConfigsResponse::default().with_results(results)
    }
}

fn result(resource: &DescribeConfigsResource) -> DescribeConfigsResult {
    DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone())
}

fn failed(resource: &DescribeConfigsResource, code: ErrorCode) -> DescribeConfigsResult {
    result(resource)
        .with_error_code(code.code())
        .with_error_message(Some(text(&code.to_string())))
}

fn describe(
    cluster: &Cluster,
    broker_id: i32,
    resource: &DescribeConfigsResource,
    with_synonyms: bool,
) -> Result<Vec<DescribeConfigsResourceResult>, ErrorCode> {
    let wanted = |name: &str| match &resource.configuration_keys {
        None => true,
        Some(keys) => keys.is_empty() || keys.iter().any(|key| **key == *name),
    };
    match resource.resource_type {
        TOPIC => {
            let (_, topic) = cluster
                .topic(&resource.resource_name)
                .ok_or(ErrorCode::UnknownTopicOrPartition)?;
            let configs = TOPIC_CONFIGS.iter().filter(|key| wanted(key.name));
            let described = configs.map(|key| {
                let value = topic.config.value(key);
                let set = topic.config.overridden(key.name).is_some();
                let source = if set { SOURCE_TOPIC } else { SOURCE_DEFAULT };
                one(key.name, value, source, with_synonyms).with_config_type(key.kind.id())
            });
            Ok(described.collect())
        }
        BROKER if resource.resource_name.as_str() == broker_id.to_string() => {
            let settings = broker_configs(cluster, broker_id);
            let configs = settings.iter().filter(|(name, _)| wanted(name));
            let described = configs.map(|(name, value)| {
                one(name, value, SOURCE_BROKER, with_synonyms).with_read_only(true)
            });
            Ok(described.collect())
        }
        _ => Err(ErrorCode::InvalidRequest),
    }
}

fn one(name: &str, value: &str, source: i8, with_synonyms: bool) -> DescribeConfigsResourceResult {
    let synonym = || {
        DescribeConfigsSynonym::default()
            .with_name(text(name))
            .with_value(Some(text(value)))
            .with_source(source)
    };
    DescribeConfigsResourceResult::default()
        .with_name(text(name))
        .with_value(Some(text(value)))
        .with_config_source(source)
        .with_synonyms(with_synonyms.then(synonym).into_iter().collect())
}

/// What a client may want to know of the broker, under Kafka's names.
fn broker_configs(cluster: &Cluster, broker_id: i32) -> Vec<(&'static str, String)> {
    let settings = &cluster.settings;
    let transactions = &settings.transactions;
    let groups = cluster.groups.settings();
    let millis = |duration: std::time::Duration| duration.as_millis().to_string();
    vec![
        (
            "auto.create.topics.enable",
            settings.auto_create_topics.to_string(),
        ),
        (
            "default.replication.factor",
            settings.default_replication.to_string(),
        ),
        (
            "group.initial.rebalance.delay.ms",
            millis(groups.initial_rebalance_delay),
        ),
        ("node.id", broker_id.to_string()),
        ("num.partitions", settings.default_partitions.to_string()),
        (
            "producer.id.expiration.ms",
            millis(settings.producer_expiry.after),
        ),
        (
            "transaction.max.timeout.ms",
            millis(transactions.timeout_max),
        ),
        (
            "transactional.id.expiration.ms",
            millis(transactions.id_expiration),
        ),
    ]
}
