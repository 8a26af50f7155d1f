//! Metadata: the brokers, and who leads what.

use super::{Api, Context, Reply, Subject, broker, text, words};
use crate::Time;
use crate::cluster::nodes::{Condition, ListenerIndex};
use crate::cluster::topics::Topic;
use crate::cluster::{Cluster, NewTopic, Placement, TopicConfig};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use milena_codec::ErrorCode;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use uuid::Uuid;

pub(super) struct Metadata;

/// In version 0 an empty list means all topics; later a null one does, and an empty one none.
const EMPTY_MEANS_NONE_SINCE: i16 = 1;
/// Before this version the choice was not the client's, and topics were created.
const CHOOSES_CREATION_SINCE: i16 = 4;

/// The first version that may ask for topics by id; 10 and 11 have the field, and Kafka refuses it.
const TOPIC_IDS_SINCE: i16 = 12;

impl Api for Metadata {
    type Request = MetadataRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=13;

    async fn answer(context: &Context, request: MetadataRequest) -> Reply<MetadataResponse> {
        let mut wanted = request.topics.iter().flatten();
        let by_id =
            |wanted: &MetadataRequestTopic| wanted.name.is_none() || !wanted.topic_id.is_nil();
        if context.api_version < TOPIC_IDS_SINCE && wanted.any(by_id) {
            let code = ErrorCode::InvalidRequest;
            return Reply::Answer(Self::refuse(&request, context.api_version, code));
        }
        let response = context
            .shared
            .with(|cluster, now| describe(cluster, &request, context, now));
        Reply::Answer(response)
    }

    fn refuse(request: &MetadataRequest, api_version: i16, code: ErrorCode) -> MetadataResponse {
        let topics = request.topics.iter().flatten().map(|wanted| {
            let name = match &wanted.name {
                None if api_version < TOPIC_IDS_SINCE => Some(TopicName::default()),
                name => name.clone(),
            };
            MetadataResponseTopic::default()
                .with_error_code(code.code())
                .with_name(name)
                .with_topic_id(wanted.topic_id)
        });
        MetadataResponse::default()
            .with_topics(topics.collect())
            .with_error_code(code.code())
    }

    fn subject(request: &MetadataRequest) -> Subject {
        let names = request.topics.iter().flatten();
        let names = names.filter_map(|wanted| wanted.name.as_ref());
        Subject {
            partitions: names.map(|name| (name.to_string(), -1)).collect(),
            ..Subject::default()
        }
    }
}

fn describe(
    cluster: &mut Cluster,
    request: &MetadataRequest,
    context: &Context,
    now: Time,
) -> MetadataResponse {
    let all = match &request.topics {
        None => true,
        Some(topics) => topics.is_empty() && context.api_version < EMPTY_MEANS_NONE_SINCE,
    };
    let running = cluster.running();
    let mut topics: Vec<_> = if all {
        cluster
            .topics()
            .map(|(name, topic)| describe_topic(name, topic, &running))
            .chain(internal_topics(cluster))
            .collect()
    } else {
        let creates = cluster.settings.auto_create_topics
            && (request.allow_auto_topic_creation || context.api_version < CHOOSES_CREATION_SINCE);
        let mut seen = BTreeSet::new();
        let wanted = request.topics.iter().flatten();
        wanted
            .filter(|wanted| {
                seen.insert((
                    wanted.name.as_deref().map(ToString::to_string),
                    wanted.topic_id,
                ))
            })
            .map(|wanted| describe_wanted(cluster, wanted, creates, &running, now))
            .collect()
    };
    if request.include_topic_authorized_operations {
        for topic in &mut topics {
            topic.topic_authorized_operations = words::TOPIC_OPERATIONS;
        }
    }
    let mut response = MetadataResponse::default();
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = words::CLUSTER_OPERATIONS;
    }
    response
        .with_brokers(brokers(cluster, context.listener))
        .with_cluster_id(Some(text(&cluster.settings.cluster_id)))
        .with_controller_id(broker(cluster.controller()))
        .with_topics(topics)
}

fn brokers(cluster: &Cluster, listener: ListenerIndex) -> Vec<MetadataResponseBroker> {
    let running = cluster
        .nodes()
        .filter(|(_, node)| node.condition != Condition::Stopped);
    running
        .map(|(id, node)| {
            let address = node.address_for(listener);
            MetadataResponseBroker::default()
                .with_node_id(broker(id))
                .with_host(text(&address.host))
                .with_port(address.port.into())
                .with_rack(node.rack.as_deref().map(text))
        })
        .collect()
}

fn describe_wanted(
    cluster: &mut Cluster,
    wanted: &MetadataRequestTopic,
    creates: bool,
    running: &BTreeSet<i32>,
    _now: Time,
) -> MetadataResponseTopic {
    let failed = |code: ErrorCode, id: Uuid| {
        MetadataResponseTopic::default()
            .with_error_code(code.code())
            .with_name(wanted.name.clone())
            .with_topic_id(id)
    };
    let name = if wanted.topic_id.is_nil() {
        wanted.name.as_deref().map(ToString::to_string)
    } else {
        match cluster.topic_name(wanted.topic_id) {
            Some(name) => Some(name.to_string()),
            None => {
                return failed(ErrorCode::UnknownTopicId, wanted.topic_id).with_name(None);
            }
        }
    };
    let name = name.unwrap_or_default();
    if let Some((name, topic)) = cluster.topic(&name) {
        return describe_topic(name, topic, running);
    }
    if let Some(internal) = internal_topics(cluster).find(|topic| {
        let named = topic.name.as_ref().map(|name| name.as_str());
        named == Some(name.as_str())
    }) {
        return internal;
    }
    let code = if creates {
        let config = TopicConfig::following(cluster.topic_defaults());
        let created = cluster.create_topic(NewTopic {
            name,
            placement: Placement::Spread {
                partitions: None,
                replication: None,
            },
            config,
        });
        // The client asks again, as it has to with Kafka, where the creation takes its time.
        created.err().unwrap_or(ErrorCode::UnknownTopicOrPartition)
    } else if crate::cluster::topics::is_legal_name(&name) {
        ErrorCode::UnknownTopicOrPartition
    } else {
        ErrorCode::InvalidTopicException
    };
    failed(code, Uuid::nil())
}

/// The topics in which Kafka's coordinators keep their state. They are listed, and have no log that can be read.
fn internal_topics(cluster: &Cluster) -> impl Iterator<Item = MetadataResponseTopic> {
    cluster.internal_topics().map(|(kind, seats)| {
        let partitions = (0..).zip(seats).map(|(index, seat)| {
            let code = match seat.broker_id {
                Some(_) => ErrorCode::None,
                None => ErrorCode::LeaderNotAvailable,
            };
            let replicas: Vec<_> = seat.broker_id.into_iter().map(broker).collect();
            MetadataResponsePartition::default()
                .with_error_code(code.code())
                .with_partition_index(index)
                .with_leader_id(broker(seat.broker_id.unwrap_or(-1)))
                .with_leader_epoch(seat.epoch)
                .with_replica_nodes(replicas.clone())
                .with_isr_nodes(replicas)
        });
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(text(kind.topic()))))
            .with_topic_id(kind.topic_id())
            .with_is_internal(true)
            .with_partitions(partitions.collect())
    })
}

fn describe_topic(name: &str, topic: &Topic, running: &BTreeSet<i32>) -> MetadataResponseTopic {
    let partitions = topic.numbered().map(|(index, partition)| {
        let code = match partition.leader {
            Some(_) => ErrorCode::None,
            None => ErrorCode::LeaderNotAvailable,
        };
        let replicas = partition.replicas.iter().copied();
        let offline = replicas
            .clone()
            .filter(|replica| !running.contains(replica));
        MetadataResponsePartition::default()
            .with_error_code(code.code())
            .with_partition_index(index)
            .with_leader_id(broker(partition.leader.unwrap_or(-1)))
            .with_leader_epoch(partition.leader_epoch)
            .with_replica_nodes(replicas.map(broker).collect())
            .with_isr_nodes(partition.in_sync(running).map(broker).collect())
            .with_offline_replicas(offline.map(broker).collect())
    });
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(name))))
        .with_topic_id(topic.id)
        .with_partitions(partitions.collect())
}
