//! Produce: verification with the transaction coordinator, then the append.

use super::{Api, Context, Reply, ResponseOf, Subject, broker, text};
use crate::Time;
use crate::cluster::verification::{Verification, Verified};
use crate::cluster::{Cluster, TopicConfig};
use crate::log::Appended;
use crate::log::validate::{Refusal, check_batch, sole_batch};
use crate::shared::Change;
use crate::txn_coordinator::TxnPartition;
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
    TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use milena_codec::{Batch, Batches, ErrorCode, ProducerIdentity};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Produce;

/// From this version on a topic is named by its id.
const TOPIC_IDS_SINCE: i16 = 13;
/// From this version on a Produce adds its partitions to the transaction itself (version 2, P-90).
const ADDS_PARTITIONS_SINCE: i16 = 12;
/// From this version on a partition that is not part of the transaction is told as TRANSACTION_ABORTABLE.
const TELLS_ABORTABLE_SINCE: i16 = 11;
/// From this version on the answer says who leads instead (KIP-951).
const TELLS_LEADER_SINCE: i16 = 10;

/// One partition's part of a request, on its way to an answer.
struct Part {
    /// Its topic and its own place in the request.
    at: (usize, usize),
    topic: Arc<str>,
    index: i32,
    batch: Result<(Batch, Arc<TopicConfig>), Refusal>,
    outcome: Option<Result<(Appended, i64), Refusal>>,
}

impl Api for Produce {
    type Request = ProduceRequest;

    const VERSIONS: RangeInclusive<i16> = 3..=13;
    const PER_PARTITION: bool = true;

    async fn answer(context: &Context, request: ProduceRequest) -> Reply<ProduceResponse> {
        let mut parts = take_apart(context, &request);
        let response = match apply(context, &request, &mut parts).await {
            Err(code) => Self::refuse(&request, context.api_version, code),
            Ok(()) => respond(context, &request, parts),
        };
        if request.acks != 0 {
            return Reply::Answer(response);
        }
        // P-3: nobody waits for an answer, so an error can only be told by closing the connection.
        let codes = response
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses);
        match codes
            .map(|partition| ErrorCode::from(partition.error_code))
            .find(|code| !code.is_none())
        {
            Some(code) => Reply::Close(format!("a Produce with acks=0 failed: {code}")),
            None => Reply::Silence,
        }
    }

    fn refuse(request: &ProduceRequest, _: i16, code: ErrorCode) -> ResponseOf<Self> {
        let topics = request.topic_data.iter().map(|topic| {
            let partitions = topic.partition_data.iter().map(|partition| {
                let refused = Err(Refusal::early(code));
                answer_partition(partition.index, &refused)
            });
            TopicProduceResponse::default()
                .with_name(topic.name.clone())
                .with_topic_id(topic.topic_id)
                .with_partition_responses(partitions.collect())
        });
        ProduceResponse::default().with_responses(topics.collect())
    }

    fn subject(request: &ProduceRequest) -> Subject {
        let mut subject = Subject {
            transactional_id: request.transactional_id.as_deref().map(ToString::to_string),
            ..Subject::default()
        };
        for topic in &request.topic_data {
            let indexes = topic.partition_data.iter().map(|partition| partition.index);
            subject.add(&topic.name, topic.topic_id, indexes);
        }
        subject
    }
}

/// Whether any partition's first batch belongs to a transaction.
fn has_transactional_records(request: &ProduceRequest) -> bool {
    let partitions = request.topic_data.iter();
    let partitions = partitions.flat_map(|topic| &topic.partition_data);
    let records = partitions.filter_map(|partition| partition.records.clone());
    let mut first_batches = records.filter_map(|records| Batches::new(records).next()?.ok());
    first_batches.any(|batch| batch.is_transactional())
}

/// Looks up the topics and reads the batches, outside of the lock as far as it costs something.
fn take_apart(context: &Context, request: &ProduceRequest) -> Vec<Part> {
    let mut parts = Vec::new();
    context.shared.with(|cluster, _| {
        for (topic_at, topic) in request.topic_data.iter().enumerate() {
            let found = if context.api_version >= TOPIC_IDS_SINCE {
                let name = cluster.topic_name(topic.topic_id).cloned();
                name.and_then(|name| {
                    Some((cluster.topic(&name)?, ErrorCode::UnknownTopicOrPartition))
                })
                .ok_or(ErrorCode::UnknownTopicId)
            } else {
                let found = cluster.topic(&topic.name);
                found
                    .map(|found| (found, ErrorCode::UnknownTopicOrPartition))
                    .ok_or(ErrorCode::UnknownTopicOrPartition)
            };
            for (at, partition) in topic.partition_data.iter().enumerate() {
                let place = |name: &Arc<str>, batch| Part {
                    at: (topic_at, at),
                    topic: Arc::clone(name),
                    index: partition.index,
                    batch,
                    outcome: None,
                };
                parts.push(match &found {
                    Ok(((name, state), _)) if state.partition(partition.index).is_some() => {
                        let batch = sole_batch(partition.records.as_ref(), context.api_version);
                        place(name, batch.map(|batch| (batch, Arc::clone(&state.config))))
                    }
                    Ok(((name, _), code)) => place(name, Err(Refusal::early(*code))),
                    Err(code) => place(&Arc::from(topic.name.as_str()), Err(Refusal::early(*code))),
                });
            }
        }
    });
    parts
}

/// Carries the request out; what becomes of each part is in it afterwards.
///
/// # Errors
/// A code for the request as a whole.
async fn apply(
    context: &Context,
    request: &ProduceRequest,
    parts: &mut [Part],
) -> Result<(), ErrorCode> {
    let mut producers = BTreeSet::new();
    for part in parts.iter() {
        if let Ok((batch, _)) = &part.batch
            && batch.is_transactional()
            && batch.producer().is_some()
        {
            producers.insert(batch.producer());
        }
    }
    let transactional_id = request.transactional_id.as_ref().map(|id| id.as_str());
    if transactional_id.is_none() && has_transactional_records(request) {
        // P-95, and before it is looked whether the partitions are there.
        return Err(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    if producers.len() > 1 {
        // P-6.
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    if !(-1..=1).contains(&request.acks) {
        return Err(ErrorCode::InvalidRequiredAcks);
    }
    let now = context.shared.clock.now();
    for part in parts.iter_mut() {
        part.outcome = match &part.batch {
            Err(refusal) => Some(Err(refusal.clone())),
            Ok(_) => context
                .injected
                .for_partition(&part.topic, part.index)
                .map(|code| Err(Refusal::early(code))),
        };
    }
    // What the batches are like is found out now, without the lock, and told only if the coordinator has
    // nothing against the request: it is asked first (P-94).
    let verdicts: Vec<Result<(), Refusal>> = parts
        .iter()
        .map(|part| match &part.batch {
            Ok((batch, config)) => {
                let place = format_args!("{}-{}", part.topic, part.index);
                check_batch(&place, batch, config, &context.shared.limits, now)
            }
            Err(_) => Ok(()),
        })
        .collect();
    let producer = producers.first().copied();
    append_when_verified(
        context,
        request,
        parts,
        &verdicts,
        transactional_id.zip(producer),
    )
    .await;
    if request.acks == -1 {
        let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        await_replication(context, parts, timeout).await;
    }
    Ok(())
}

/// Asks the coordinator and appends, in one hold of the lock. While the markers of the last transaction are
/// still to come, a request of version 2 is tried again for a short time: that is cheaper than a retry by
/// the client.
async fn append_when_verified(
    context: &Context,
    request: &ProduceRequest,
    parts: &mut [Part],
    verdicts: &[Result<(), Refusal>],
    transaction: Option<(&str, ProducerIdentity)>,
) {
    let wait = context.shared.marker_wait;
    let waits = context.api_version >= ADDS_PARTITIONS_SINCE;
    let give_up = context.shared.clock.now() + wait.max;
    loop {
        let again = context.shared.with(|cluster, now| {
            let refused = match transaction {
                None => BTreeMap::new(),
                Some((id, producer)) => verify(cluster, context, id, producer, parts, now),
            };
            let concurrent = refused
                .values()
                .any(|code| *code == ErrorCode::ConcurrentTransactions);
            if concurrent && waits && now < give_up {
                return true;
            }
            append(
                cluster,
                context,
                request.acks,
                parts,
                verdicts,
                &refused,
                now,
            );
            false
        });
        if !again {
            return;
        }
        context.shared.clock.sleep(wait.backoff).await;
    }
}

/// Which parts may not be appended because of their transaction, by their place in `parts`.
fn verify(
    cluster: &mut Cluster,
    context: &Context,
    transactional_id: &str,
    producer: ProducerIdentity,
    parts: &[Part],
    now: Time,
) -> BTreeMap<usize, ErrorCode> {
    let adds = context.api_version >= ADDS_PARTITIONS_SINCE;
    let mut refused = BTreeMap::new();
    let mut asked = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let (None, Ok((batch, _))) = (&part.outcome, &part.batch) else {
            continue;
        };
        if !batch.is_transactional() {
            continue;
        }
        let led = cluster.led_partition(&part.topic, part.index, context.broker_id);
        let needed = led.and_then(|partition| {
            let producers = partition.log.producers_mut();
            producers.start_verification(producer, batch.base_sequence(), adds, now)
        });
        match needed {
            Err(code) => {
                refused.insert(at, code);
            }
            Ok(false) => {}
            Ok(true) => {
                let partition = TxnPartition {
                    topic: part.topic.clone(),
                    partition: part.index,
                };
                asked.push((at, partition));
            }
        }
    }
    if asked.is_empty() {
        return refused;
    }
    let (places, partitions) = asked.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
    let verification = Verification {
        transactional_id,
        producer,
        partitions,
        adds,
        tells_abortable: context.api_version >= TELLS_ABORTABLE_SINCE,
    };
    let Verified(codes) = cluster.verify(verification, now);
    for (at, code) in places.into_iter().zip(codes) {
        if !code.is_none() {
            refused.insert(at, translate(code, adds));
        }
    }
    refused
}

/// What a coordinator's refusal is called in a Produce answer.
fn translate(code: ErrorCode, adds: bool) -> ErrorCode {
    let unavailable = code == ErrorCode::NetworkException
        || code == ErrorCode::CoordinatorLoadInProgress
        || code == ErrorCode::CoordinatorNotAvailable
        || code == ErrorCode::NotCoordinator;
    if unavailable || code == ErrorCode::ConcurrentTransactions && !adds {
        // Something that every client retries, and without asking for metadata.
        ErrorCode::NotEnoughReplicas
    } else {
        code
    }
}

fn append(
    cluster: &mut Cluster,
    context: &Context,
    acks: i16,
    parts: &mut [Part],
    verdicts: &[Result<(), Refusal>],
    refused: &BTreeMap<usize, ErrorCode>,
    now: Time,
) {
    for (at, (part, verdict)) in parts.iter_mut().zip(verdicts).enumerate() {
        let (None, Ok((batch, config))) = (&part.outcome, &part.batch) else {
            continue;
        };
        let outcome = if let Some(code) = refused.get(&at) {
            Err(Refusal::early(*code))
        } else {
            check_replicas(cluster, context.broker_id, part, config, acks)
                .and_then(|()| verdict.clone())
                .and_then(|()| {
                    cluster.append(&part.topic, part.index, context.broker_id, batch, now)
                })
        };
        part.outcome = Some(with_log_start(cluster, part, outcome));
    }
}

/// For acks=all, enough replicas must keep up.
fn check_replicas(
    cluster: &mut Cluster,
    broker_id: i32,
    part: &Part,
    config: &TopicConfig,
    acks: i16,
) -> Result<(), Refusal> {
    let running = cluster.running();
    let partition = cluster
        .led_partition(&part.topic, part.index, broker_id)
        .map_err(Refusal::early)?;
    if acks == -1 && partition.in_sync(&running).count() < config.min_insync_replicas() {
        return Err(Refusal::by_log(ErrorCode::NotEnoughReplicas));
    }
    Ok(())
}

/// Kafka tells where the log starts also where the log refused the batch.
fn with_log_start(
    cluster: &Cluster,
    part: &Part,
    outcome: Result<(Appended, i64), Refusal>,
) -> Result<(Appended, i64), Refusal> {
    outcome.map_err(|refusal| Refusal {
        log_start_offset: cluster
            .topic(&part.topic)
            .and_then(|(_, topic)| topic.partition(part.index))
            .filter(|_| refusal.tells_log_start)
            .map(|partition| partition.log.log_start_offset()),
        ..refusal
    })
}

/// Waits until what was appended is replicated: at once, unless a script holds the high watermark.
async fn await_replication(context: &Context, parts: &mut [Part], timeout: Duration) {
    let deadline = context.shared.clock.now() + timeout;
    for part in parts {
        let Some(Ok((appended, _))) = part.outcome else {
            continue;
        };
        let replicated = || {
            context.shared.with(|cluster, _| {
                let led = cluster.led_partition(&part.topic, part.index, context.broker_id);
                match led {
                    Err(code) => Some(Err(code)),
                    Ok(partition) => {
                        (partition.log.high_watermark() > appended.last_offset).then_some(Ok(()))
                    }
                }
            })
        };
        let waited = context
            .shared
            .wait_until(Change::Logs, deadline, replicated)
            .await;
        match waited {
            Some(Ok(())) => {}
            Some(Err(code)) => part.outcome = Some(Err(Refusal::early(code))),
            None => part.outcome = Some(Err(Refusal::early(ErrorCode::RequestTimedOut))),
        }
    }
}

fn respond(context: &Context, request: &ProduceRequest, parts: Vec<Part>) -> ProduceResponse {
    let mut outcomes = BTreeMap::new();
    let mut moved = BTreeMap::new();
    for part in parts {
        let unknown = || Err(Refusal::early(ErrorCode::UnknownServerError));
        let outcome = part.outcome.unwrap_or_else(unknown);
        let mut answer = answer_partition(part.index, &outcome);
        let not_leader = answer.error_code == ErrorCode::NotLeaderOrFollower.code();
        if not_leader && context.api_version >= TELLS_LEADER_SINCE {
            answer.current_leader = tell_leader(context, &part.topic, part.index, &mut moved);
        }
        outcomes.insert(part.at, answer);
    }
    let topics = request
        .topic_data
        .iter()
        .enumerate()
        .map(|(topic_at, topic)| {
            let answers = outcomes.range((topic_at, 0)..=(topic_at, usize::MAX));
            TopicProduceResponse::default()
                .with_name(topic.name.clone())
                .with_topic_id(topic.topic_id)
                .with_partition_responses(answers.map(|(_, answer)| answer.clone()).collect())
        });
    ProduceResponse::default()
        .with_responses(topics.collect())
        .with_node_endpoints(moved.into_values().collect())
}

/// Who leads the partition instead, and where that broker is.
fn tell_leader(
    context: &Context,
    topic: &str,
    index: i32,
    endpoints: &mut BTreeMap<i32, NodeEndpoint>,
) -> LeaderIdAndEpoch {
    context.shared.with(|cluster, _| {
        let partition = cluster
            .topic(topic)
            .and_then(|(_, topic)| topic.partition(index));
        let Some(partition) = partition else {
            return LeaderIdAndEpoch::default();
        };
        let leader = partition
            .leader
            .and_then(|id| Some((id, cluster.node(id)?)));
        if let Some((id, node)) = leader {
            let address = node.address_for(context.listener);
            let endpoint = NodeEndpoint::default()
                .with_node_id(broker(id))
                .with_host(text(&address.host))
                .with_port(address.port.into())
                .with_rack(node.rack.as_deref().map(text));
            endpoints.insert(id, endpoint);
        }
        LeaderIdAndEpoch::default()
            .with_leader_id(broker(partition.leader.unwrap_or(-1)))
            .with_leader_epoch(partition.leader_epoch)
    })
}

fn answer_partition(
    index: i32,
    outcome: &Result<(Appended, i64), Refusal>,
) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(index);
    match outcome {
        Ok((appended, log_start_offset)) => response
            .with_base_offset(appended.base_offset)
            .with_log_append_time_ms(appended.log_append_time)
            .with_log_start_offset(*log_start_offset),
        Err(refusal) => {
            let errors = refusal.record_errors.iter().map(|(index, message)| {
                BatchIndexAndErrorMessage::default()
                    .with_batch_index(*index)
                    .with_batch_index_error_message(Some(text(message)))
            });
            response
                .with_error_code(refusal.code.code())
                .with_base_offset(-1)
                .with_log_append_time_ms(-1)
                .with_log_start_offset(refusal.log_start_offset.unwrap_or(-1))
                .with_record_errors(errors.collect())
                .with_error_message(refusal.message.as_deref().map(text))
        }
    }
}
