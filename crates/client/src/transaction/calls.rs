//! The machine's requests on the wire: each is sent once, and its answer put in the machine's terms.
//!
//! Nothing is decided here. An error that leaves the outcome open stays [`Reply::Ambiguous`].

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeTransactionsRequest, EndTxnRequest,
    GroupId, InitProducerIdRequest, ProducerId as ProducerIdField, TopicName,
    TransactionalId as TransactionalIdField, TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::StrBytes;
use milena_codec::message::Request as Message;
use milena_codec::{ErrorCode, ProducerEpoch, ProducerId, ProducerIdentity};
use milena_connection::{
    CallError, CallOptions, Cluster, ConnectionKind, CoordinatorKind as Kind, NotSentCause, Target,
};

use crate::error::Error;
use crate::runtime::now;
use crate::types::{GroupMetadata, OffsetToCommit, TopicPartition};

use super::{
    Api, Body, Call, CoordinatorKind, DescribedState, DescribedTransaction, Direction, Initialized,
    NotSent, Reply, Request, Response, TwoPhase,
};

/// Sends one request of the machine's and waits for what becomes of it.
pub(crate) async fn perform(
    cluster: Cluster,
    transactional_id: Arc<str>,
    call: Call,
    coordinator_timeout: Duration,
) -> Response {
    let mut caller = Caller {
        cluster,
        transactional_id,
        coordinator_timeout,
        api: call.request.api(),
        failure: None,
    };
    let Call {
        broker,
        versions,
        request,
    } = call;
    let broker = broker.map_or(Target::Any, Target::Broker);
    let options = CallOptions {
        kind: ConnectionKind::Transaction,
        version_min: Some(*versions.start()),
        version_max: Some(*versions.end()),
        ..CallOptions::default()
    };
    let body = match request {
        Request::AddOffsetsToTxn { producer, group_id } => Body::AddOffsetsToTxn(
            caller
                .add_offsets(broker, options, producer, &group_id)
                .await,
        ),
        Request::AddPartitionsToTxn {
            producer,
            partitions,
        } => Body::AddPartitionsToTxn(
            caller
                .add_partitions(broker, options, producer, &partitions)
                .await,
        ),
        Request::DescribeTransactions => {
            Body::DescribeTransactions(caller.describe(broker, options).await)
        }
        Request::EndTxn {
            producer,
            direction,
        } => Body::EndTxn(caller.end(broker, options, producer, direction).await),
        Request::FindCoordinator { kind, key } => {
            Body::FindCoordinator(kind, caller.find(kind, &key).await)
        }
        Request::InitProducerId {
            producer,
            transaction_timeout,
            two_phase,
        } => Body::InitProducerId(
            caller
                .init(broker, options, producer, transaction_timeout, two_phase)
                .await,
        ),
        Request::TxnOffsetCommit {
            producer,
            group,
            offsets,
        } => Body::TxnOffsetCommit(
            caller
                .commit_offsets(broker, options, producer, &group, &offsets)
                .await,
        ),
    };
    Response {
        body,
        failure: caller.failure,
    }
}

struct Caller {
    cluster: Cluster,
    transactional_id: Arc<str>,
    coordinator_timeout: Duration,
    api: Api,
    failure: Option<Error>,
}

impl Caller {
    fn id(&self) -> TransactionalIdField {
        TransactionalIdField(text(&self.transactional_id))
    }

    /// One attempt; `read` takes the code and the value out of the answer.
    async fn ask<M: Message, T>(
        &mut self,
        target: Target,
        options: CallOptions,
        message: M,
        read: impl FnOnce(M::Response) -> Result<T, ErrorCode>,
    ) -> Reply<T> {
        match self.cluster.call(target, message, options).await {
            Ok(answer) => match read(answer.response) {
                Ok(value) => Reply::Answered(value),
                Err(code) => {
                    self.failure = Some(Error::broker(code, self.api.key(), answer.broker_id));
                    Reply::Refused(code)
                }
            },
            Err(cause) => {
                tracing::debug!(%cause, "a transactional request got no answer");
                self.unanswered(cause)
            }
        }
    }

    async fn find(&mut self, kind: CoordinatorKind, key: &str) -> Reply<i32> {
        let kind = match kind {
            CoordinatorKind::Group => Kind::Group,
            CoordinatorKind::Transaction => Kind::Transaction,
        };
        self.cluster.forget_coordinator(kind, key);
        let deadline = now() + self.coordinator_timeout;
        match self.cluster.coordinator(kind, key, deadline).await {
            Ok(broker) => Reply::Answered(broker),
            Err(cause) => self.unanswered(cause),
        }
    }

    fn unanswered<T>(&mut self, cause: CallError) -> Reply<T> {
        let reply = if cause.is_ambiguous() {
            Reply::Ambiguous
        } else if let Some(code) = cause.code() {
            Reply::Refused(code)
        } else if let CallError::NotSent {
            cause: NotSentCause::NoCommonVersion { .. },
            ..
        } = cause
        {
            Reply::NotSent(NotSent::VersionUnsupported)
        } else {
            Reply::NotSent(NotSent::Unreachable)
        };
        self.failure = Some(cause.into());
        reply
    }

    async fn init(
        &mut self,
        target: Target,
        options: CallOptions,
        producer: ProducerIdentity,
        transaction_timeout: Duration,
        two_phase: TwoPhase,
    ) -> Reply<Initialized> {
        let message = InitProducerIdRequest::default()
            .with_transactional_id(Some(self.id()))
            .with_transaction_timeout_ms(
                i32::try_from(transaction_timeout.as_millis()).unwrap_or(i32::MAX),
            )
            .with_producer_id(ProducerIdField(producer.producer_id.0))
            .with_producer_epoch(producer.producer_epoch.0)
            .with_enable_2_pc(two_phase.is_on())
            .with_keep_prepared_txn(two_phase == TwoPhase::Keeping);
        self.ask(target, options, message, |answer| {
            accepted(answer.error_code)?;
            let ongoing = identity(
                answer.ongoing_txn_producer_id,
                answer.ongoing_txn_producer_epoch,
            );
            Ok(Initialized {
                producer: identity(answer.producer_id, answer.producer_epoch),
                ongoing: ongoing.is_some().then_some(ongoing),
            })
        })
        .await
    }

    async fn add_partitions(
        &mut self,
        target: Target,
        options: CallOptions,
        producer: ProducerIdentity,
        partitions: &[TopicPartition],
    ) -> Reply<Vec<(TopicPartition, ErrorCode)>> {
        let topics = partitions
            .chunk_by(|a, b| a.topic() == b.topic())
            .filter_map(|of_topic| Some((of_topic.first()?.topic(), of_topic)))
            .map(|(topic, of_topic)| {
                AddPartitionsToTxnTopic::default()
                    .with_name(TopicName(text(topic)))
                    .with_partitions(of_topic.iter().map(TopicPartition::partition).collect())
            });
        let message = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.id())
            .with_v3_and_below_producer_id(ProducerIdField(producer.producer_id.0))
            .with_v3_and_below_producer_epoch(producer.producer_epoch.0)
            .with_v3_and_below_topics(topics.collect());
        self.ask(target, options, message, |answer| {
            let results = answer
                .results_by_topic_v3_and_below
                .iter()
                .flat_map(|topic| {
                    let name: Arc<str> = Arc::from(topic.name.as_str());
                    topic.results_by_partition.iter().map(move |partition| {
                        let code = ErrorCode::from(partition.partition_error_code);
                        (
                            TopicPartition::new(Arc::clone(&name), partition.partition_index),
                            code,
                        )
                    })
                });
            Ok(results.collect())
        })
        .await
    }

    async fn add_offsets(
        &mut self,
        target: Target,
        options: CallOptions,
        producer: ProducerIdentity,
        group_id: &str,
    ) -> Reply<()> {
        let message = AddOffsetsToTxnRequest::default()
            .with_transactional_id(self.id())
            .with_producer_id(ProducerIdField(producer.producer_id.0))
            .with_producer_epoch(producer.producer_epoch.0)
            .with_group_id(GroupId(text(group_id)));
        self.ask(target, options, message, |answer| {
            accepted(answer.error_code)
        })
        .await
    }

    async fn commit_offsets(
        &mut self,
        target: Target,
        options: CallOptions,
        producer: ProducerIdentity,
        group: &GroupMetadata,
        offsets: &[OffsetToCommit],
    ) -> Reply<Vec<(TopicPartition, ErrorCode)>> {
        // The member as it is at the moment of the call (T-56, G-80, L-10).
        let mut message = TxnOffsetCommitRequest::default()
            .with_transactional_id(self.id())
            .with_group_id(GroupId(text(&group.group_id)))
            .with_producer_id(ProducerIdField(producer.producer_id.0))
            .with_producer_epoch(producer.producer_epoch.0)
            .with_generation_id(-1)
            .with_topics(offset_topics(offsets));
        if let Some(member) = &group.member {
            message = message
                .with_generation_id(member.generation_or_member_epoch)
                .with_member_id(text(&member.member_id))
                .with_group_instance_id(member.group_instance_id.as_deref().map(text));
        }
        self.ask(target, options, message, |answer| {
            let results = answer.topics.iter().flat_map(|topic| {
                let name: Arc<str> = Arc::from(topic.name.as_str());
                topic.partitions.iter().map(move |partition| {
                    let code = ErrorCode::from(partition.error_code);
                    (
                        TopicPartition::new(Arc::clone(&name), partition.partition_index),
                        code,
                    )
                })
            });
            Ok(results.collect())
        })
        .await
    }

    async fn end(
        &mut self,
        target: Target,
        options: CallOptions,
        producer: ProducerIdentity,
        direction: Direction,
    ) -> Reply<ProducerIdentity> {
        let message = EndTxnRequest::default()
            .with_transactional_id(self.id())
            .with_producer_id(ProducerIdField(producer.producer_id.0))
            .with_producer_epoch(producer.producer_epoch.0)
            .with_committed(direction == Direction::Commit);
        self.ask(target, options, message, |answer| {
            accepted(answer.error_code)?;
            Ok(identity(answer.producer_id, answer.producer_epoch))
        })
        .await
    }

    async fn describe(
        &mut self,
        target: Target,
        options: CallOptions,
    ) -> Reply<DescribedTransaction> {
        let message =
            DescribeTransactionsRequest::default().with_transactional_ids(vec![self.id()]);
        self.ask(target, options, message, |answer| {
            let state = answer.transaction_states.into_iter().next();
            let state = state.ok_or(ErrorCode::TransactionalIdNotFound)?;
            accepted(state.error_code)?;
            Ok(DescribedTransaction {
                state: DescribedState::from(state.transaction_state.as_str()),
                producer: identity(state.producer_id, state.producer_epoch),
            })
        })
        .await
    }
}

/// Offsets grouped by topic, in their order.
// Each offset is the next one to consume (T-55).
fn offset_topics(offsets: &[OffsetToCommit]) -> Vec<TxnOffsetCommitRequestTopic> {
    let mut topics: Vec<TxnOffsetCommitRequestTopic> = Vec::new();
    for offset in offsets {
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(offset.partition.partition())
            .with_committed_offset(offset.offset)
            .with_committed_leader_epoch(offset.leader_epoch.unwrap_or(-1))
            .with_committed_metadata(offset.metadata.as_deref().map(text));
        let name = offset.partition.topic();
        match topics.iter_mut().find(|topic| topic.name.as_str() == name) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(
                TxnOffsetCommitRequestTopic::default()
                    .with_name(TopicName(text(name)))
                    .with_partitions(vec![partition]),
            ),
        }
    }
    topics
}

fn accepted(error_code: i16) -> Result<(), ErrorCode> {
    let code = ErrorCode::from(error_code);
    if code == ErrorCode::None {
        Ok(())
    } else {
        Err(code)
    }
}

fn identity(producer_id: ProducerIdField, producer_epoch: i16) -> ProducerIdentity {
    ProducerIdentity::new(ProducerId(producer_id.0), ProducerEpoch(producer_epoch))
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
