//! What the driver exchanges with brokers: connections, requests, responses, leaders.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use milena_codec::{ApiKey, ErrorCode, ProducerIdentity};
use milena_connection::{CallError, CallSite, ConnectionKind, NotSentCause};

use super::super::batch::SealedBatch;
use super::super::produce::{self, Expected, InitResponse};
use super::super::queue::{PartitionQueue, Queues, Unsent};
use super::super::sender::identity::InitVerdict;
use super::super::sender::{Leader, NoTransaction, ProduceOutcome, ProduceRequest, Work};
use super::{Driver, DriverEvent, Link};
use crate::config::Acks;
use crate::error::Error;
use crate::transaction::session::Transacting;

impl Driver {
    pub(super) fn drain(&mut self, now: Instant) -> Work<SealedBatch> {
        let mut queues = Queues {
            shared: &self.shared,
            queues: &self.queues,
            compressor: self.config.compression,
            linger: self.config.linger,
            unsent: Vec::new(),
        };
        let work = match &self.transacting {
            Some(transacting) => self.sender.drain(now, &mut queues, transacting),
            None => self.sender.drain(now, &mut queues, &NoTransaction),
        };
        let unsent = queues.unsent;
        self.complete_unsent(now, unsent);
        work
    }

    /// Fails batches that will not be sent: in their transaction first, so that no commit omits them (T-15).
    pub(super) fn complete_unsent(&mut self, now: Instant, unsent: Vec<Unsent>) {
        for Unsent {
            partition,
            completion,
            created,
            failure,
        } in unsent
        {
            let age = now.saturating_duration_since(created);
            completion.complete(self.fail(partition, &failure, age));
        }
    }

    /// Sees to what the sender lacks.
    pub(super) fn start_pending(
        &mut self,
        now: Instant,
        work: &Work<SealedBatch>,
    ) -> Option<Instant> {
        for broker in &work.connect {
            self.connect(*broker);
        }
        if work.refresh_metadata {
            self.refresh();
        }
        if !work.init_producer_id {
            return work.wait_until;
        }
        if self.requester.poll(now) {
            let cluster = self.cluster.clone();
            self.events.push(Box::pin(async move {
                DriverEvent::ProducerId(produce::init_producer_id(&cluster).await)
            }));
        }
        [work.wait_until, self.requester.wait_until()]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn refresh(&mut self) {
        if self.refreshing {
            return;
        }
        self.refreshing = true;
        let cluster = self.cluster.clone();
        let topics = milena_connection::TopicsWanted::Named(self.shared.topic_names());
        self.events.push(Box::pin(async move {
            let refreshed = cluster.refresh(topics).await;
            if let Err(cause) = &refreshed {
                tracing::debug!(%cause, "metadata could not be refreshed");
            }
            DriverEvent::MetadataRefreshed(refreshed.map(drop))
        }));
    }

    pub(super) fn connect(&mut self, broker: i32) {
        if self.links.contains_key(&broker) {
            return;
        }
        self.links.insert(broker, Link::Connecting);
        let cluster = self.cluster.clone();
        self.events.push(Box::pin(async move {
            DriverEvent::Connected {
                broker,
                result: cluster.connection(broker, ConnectionKind::Produce).await,
            }
        }));
    }

    pub(super) fn submit(&mut self, now: Instant, request: ProduceRequest<SealedBatch>) {
        let (id, broker) = (request.id, request.broker);
        let Some(Link::Up(connection)) = self.links.get(&broker) else {
            let response = self.not_sent(broker, NotSentCause::DeadlinePassed { last: None });
            return self.sender.handle_response(now, id, response);
        };
        let versions = self.transacting.as_ref().map(Transacting::produce_versions);
        let sending = produce::Sending {
            connection,
            snapshot: &self.cluster.snapshot(),
            queues: &self.queues,
            config: &self.config,
            transactional_id: self.transactional_id.as_deref(),
            versions: versions.unwrap_or(produce::ANY_VERSION),
        };
        match sending.submit(&request) {
            Ok((response, expected)) => {
                if let Some(transacting) = &mut self.transacting {
                    for outgoing in &request.batches {
                        transacting.attempted(outgoing.partition, now);
                    }
                }
                self.events.push(Box::pin(async move {
                    DriverEvent::Produced {
                        id,
                        broker,
                        expected,
                        result: response.await,
                    }
                }));
            }
            Err(cause) => {
                tracing::debug!(broker, %cause, "a Produce request could not be handed to its connection");
                self.drop_closed_link(broker);
                let response = self.not_sent(broker, cause);
                self.sender.handle_response(now, id, response);
            }
        }
    }

    /// A Produce request that its connection did not take.
    fn not_sent(&self, broker: i32, cause: NotSentCause) -> ProduceOutcome {
        // Neither another attempt nor another broker makes these possible.
        let is_unsendable = matches!(
            cause,
            NotSentCause::Encode { .. } | NotSentCause::NoCommonVersion { .. }
        );
        let snapshot = self.cluster.snapshot();
        let site = CallSite {
            api: Some(ApiKey::Produce),
            broker_id: Some(broker),
            address: snapshot
                .broker(broker)
                .map(|node| Arc::clone(&node.address)),
            elapsed: Duration::ZERO,
        };
        let error = Arc::new(Error::from(CallError::NotSent { site, cause }));
        if is_unsendable {
            ProduceOutcome::Unsendable(error)
        } else {
            ProduceOutcome::NotSent(error)
        }
    }

    /// What became of a Produce request, in the sender's terms.
    pub(super) fn read(
        &mut self,
        broker: i32,
        expected: &Expected,
        result: Result<Bytes, CallError>,
    ) -> ProduceOutcome {
        let body = match result {
            Ok(_) if self.config.acks == Acks::NoneMayLose => return ProduceOutcome::Written,
            Ok(body) => body,
            Err(cause) => {
                tracing::debug!(broker, %cause, "a Produce request got no response");
                self.drop_closed_link(broker);
                let is_unknown = cause.is_ambiguous();
                let error = Arc::new(Error::from(cause));
                self.note_trouble(&error);
                return if is_unknown {
                    ProduceOutcome::Unknown(error)
                } else {
                    ProduceOutcome::NotSent(error)
                };
            }
        };
        match produce::decode(body, expected, &self.config.client.limits) {
            Ok((response, hints)) => {
                let rejection = self.first_rejection(broker, &response);
                self.shared.standing.note_delivery_trouble(rejection);
                for hint in &hints {
                    self.cluster.apply_leader_hint(hint);
                }
                response
            }
            Err(cause) => {
                tracing::warn!(broker, %cause, "malformed Produce response: the outcome of its batches is unknown");
                ProduceOutcome::Unknown(Arc::new(Error::Malformed {
                    request: ApiKey::Produce,
                    broker: Some(broker),
                    cause: Arc::new(cause),
                }))
            }
        }
    }

    /// The first rejection in a response: a commit that waits for its batch has it as the cause.
    fn first_rejection(&self, broker: i32, response: &ProduceOutcome) -> Option<Arc<Error>> {
        let ProduceOutcome::Responded { partitions, .. } = response else {
            return None;
        };
        let rejected =
            |code: ErrorCode| !matches!(code, ErrorCode::None | ErrorCode::DuplicateSequenceNumber);
        let (partition, response) = partitions.iter().find(|(_, one)| rejected(one.code))?;
        let queue = self.queues.get(partition.0 as usize)?;
        let topic = Arc::clone(&queue.topic);
        let (code, produce) = (response.code, ApiKey::Produce);
        let error = Error::partition(code, produce, Some(broker), topic, queue.partition);
        Some(Arc::new(error))
    }

    /// Lets callers that wait for room or for the end of the producer see what stands in the way.
    pub(super) fn note_trouble(&self, trouble: &Arc<Error>) {
        let trouble = Some(Arc::clone(trouble));
        self.shared.standing.note_delivery_trouble(trouble);
    }

    pub(super) fn drop_closed_link(&mut self, broker: i32) {
        if matches!(self.links.get(&broker), Some(Link::Up(connection)) if connection.is_closed()) {
            self.links.remove(&broker);
            self.sender.on_disconnected(broker);
        }
    }

    pub(super) fn handle_producer_id(
        &mut self,
        now: Instant,
        result: Result<(ErrorCode, ProducerIdentity), CallError>,
    ) {
        let InitResponse {
            outcome,
            identity,
            error,
        } = produce::read_init_response(result);
        match (self.requester.handle(now, outcome), error) {
            (InitVerdict::Granted, _) => self.sender.set_identity(identity),
            (InitVerdict::Retry, error) => {
                if let Some(error) = error.map(Arc::new) {
                    self.note_trouble(&error);
                    self.sender.on_producer_id_failed(error);
                }
            }
            (InitVerdict::Rejected(code), error) => {
                let error = error.unwrap_or(Error::broker(code, ApiKey::InitProducerId, None));
                self.fail_queued(&error);
            }
            (InitVerdict::Fatal(code), error) => {
                let error = error.unwrap_or(Error::broker(code, ApiKey::InitProducerId, None));
                self.end(&error.into_fatal());
            }
        }
    }

    /// Takes note of topics and partitions that callers made known.
    pub(super) fn learn_partitions(&mut self, queues: Vec<Arc<PartitionQueue>>, now: Instant) {
        for _ in self.queues.len()..queues.len() {
            self.sender.add_partition();
        }
        if let Some(transacting) = &mut self.transacting {
            transacting.learn(&queues);
        }
        self.queues = queues;
        self.learn_leaders(now);
    }

    /// Takes over leaders and new partitions from the newest metadata.
    pub(super) fn learn_leaders(&mut self, now: Instant) {
        let snapshot = self.cluster.snapshot();
        for topic in self.shared.topic_names() {
            if let Some(metadata) = snapshot.topic(&topic) {
                self.shared.register(&topic, metadata.partitions.len());
            }
        }
        for queue in &self.queues {
            let metadata = snapshot.partition(&queue.topic, queue.partition);
            let leader = metadata.and_then(|partition| {
                let leader_epoch = partition.leader_epoch.unwrap_or(-1);
                Some(Leader {
                    broker: partition.leader?,
                    leader_epoch,
                })
            });
            queue.set_has_leader(leader.is_some());
            if leader.is_some() {
                self.sender.set_leader(now, queue.id, leader);
                continue;
            }
            let of_topic = snapshot.topic(&queue.topic).and_then(|topic| topic.error);
            let code = metadata.and_then(|partition| partition.error).or(of_topic);
            let code = code.unwrap_or(if metadata.is_some() {
                ErrorCode::LeaderNotAvailable
            } else {
                ErrorCode::UnknownTopicOrPartition
            });
            let topic = Arc::clone(&queue.topic);
            let trouble = Error::partition(code, ApiKey::Metadata, None, topic, queue.partition);
            self.sender.on_leader_missing(queue.id, Arc::new(trouble));
        }
    }
}
