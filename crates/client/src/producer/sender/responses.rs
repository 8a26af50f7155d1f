//! What a response does to the batches of its request: P-40 to P-67.

use std::sync::Arc;
use std::time::{Duration, Instant};

use milena_codec::{ErrorCode, Sequence};

use super::Sender;
use super::failure::{Failure, Obstacle, Outcome, Rejection};
use super::partition::{Flight, Tracked};
use super::types::{
    Appended, Event, PartitionId, PartitionResponse, ProduceOutcome, RequestId, Sendable,
    SenderConfig,
};
use super::verdict::{Verdict, verdict};

pub(super) struct Retry {
    ambiguous: bool,
    /// Uses up one of the caller's retries (P-36).
    counts: bool,
    delay: Option<Duration>,
    /// Why the attempt did not succeed, where that is known.
    last: Option<Obstacle>,
}

/// Whose response it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct From {
    broker: i32,
    connection: u64,
}

impl<B: Sendable> Sender<B> {
    /// The response to a Produce request, or what happened instead.
    pub(crate) fn handle_response(
        &mut self,
        now: Instant,
        id: RequestId,
        response: ProduceOutcome,
    ) {
        let Some(request) = self.requests.remove(&id) else {
            return;
        };
        if let Some(broker) = self.brokers.get_mut(&request.broker) {
            broker.in_flight = broker.in_flight.saturating_sub(1);
            if let ProduceOutcome::Responded { throttle, .. } = &response
                && !throttle.is_zero()
            {
                broker.throttled_until = Some(now + *throttle);
            }
        }
        let mut unanswered = None;
        let mut answers = match response {
            ProduceOutcome::Responded { partitions, .. } => partitions,
            ProduceOutcome::Written => {
                let written = PartitionResponse::of(ErrorCode::None);
                request
                    .partitions
                    .iter()
                    .map(|p| (*p, written.clone()))
                    .collect()
            }
            ProduceOutcome::NotSent(cause) => {
                for partition in request.partitions {
                    let retry = Retry {
                        ambiguous: false,
                        counts: false,
                        delay: None,
                        last: Some(Obstacle::Failed(Arc::clone(&cause))),
                    };
                    self.retry(now, partition, id, retry);
                }
                return;
            }
            ProduceOutcome::Unsendable(cause) => {
                for partition in request.partitions {
                    let state = self.partitions.find(partition);
                    if let Some(index) = state.and_then(|state| state.position_of(id)) {
                        let failure = Failure::unsendable(Arc::clone(&cause));
                        self.rejected(partition, index, failure);
                    }
                }
                return;
            }
            ProduceOutcome::Unknown(cause) => {
                unanswered = Some(Obstacle::Failed(cause));
                Vec::new()
            }
        };
        for partition in request.partitions {
            let found = answers.iter().position(|(p, _)| *p == partition);
            match found.map(|index| answers.swap_remove(index).1) {
                Some(response) => {
                    let from = From {
                        broker: request.broker,
                        connection: request.connection,
                    };
                    self.handle_partition(now, partition, id, from, response)
                }
                // A partition that the response does not name is as unknown as one without a response.
                None => self.retry(
                    now,
                    partition,
                    id,
                    Retry {
                        ambiguous: true,
                        counts: true,
                        delay: None,
                        last: unanswered.clone(),
                    },
                ),
            }
        }
    }

    pub(super) fn handle_partition(
        &mut self,
        now: Instant,
        partition: PartitionId,
        id: RequestId,
        from: From,
        response: PartitionResponse,
    ) {
        let connection = from.connection;
        let rejected = || Failure::rejected(Rejection::of(from.broker, &response));
        let Some(index) = self.partitions[partition].position_of(id) else {
            return;
        };
        match verdict(response.code) {
            Verdict::Appended => {
                let appended = Appended {
                    base_offset: response.base_offset,
                    log_append_time: response.log_append_time,
                };
                self.appended(partition, index, connection, appended);
            }
            Verdict::AppendedOffsetUnknown => {
                let appended = Appended {
                    base_offset: None,
                    log_append_time: None,
                };
                self.appended(partition, index, connection, appended);
            }
            Verdict::Retry { refresh, ambiguous } => {
                if refresh {
                    self.partitions[partition].leader_stale = true;
                }
                // The broker has waited already; the last markers are a matter of a millisecond (peers.md).
                let concurrent = response.code == ErrorCode::ConcurrentTransactions;
                let delay = concurrent.then_some(Duration::from_millis(1));
                self.retry(
                    now,
                    partition,
                    id,
                    Retry {
                        ambiguous,
                        counts: !concurrent,
                        delay,
                        last: Some(Obstacle::Rejected(Rejection::of(from.broker, &response))),
                    },
                );
            }
            Verdict::TooLarge => self.too_large(now, partition, index, from, &response),
            Verdict::Rejected => self.rejected(partition, index, rejected()),
            // A batch without a sequence can't be out of order: a mistake of the broker's proves nothing appended.
            Verdict::OutOfOrderSequence | Verdict::UnknownProducerId if !self.config.idempotent => {
                self.rejected(partition, index, rejected());
            }
            Verdict::OutOfOrderSequence => {
                self.out_of_order(now, partition, index, from, &response);
            }
            Verdict::UnknownProducerId => {
                self.unknown_producer(now, partition, index, from, &response);
            }
            Verdict::RaiseEpoch { ambiguous } => {
                if let Some(tracked) = self.partitions[partition].in_flight.get_mut(index) {
                    tracked.ambiguous |= ambiguous;
                }
                self.rejected(partition, index, rejected());
            }
            Verdict::Fatal => {
                // Before the batches it fails: a caller that learns of one finds the producer unusable (L-8).
                self.events.push_back(Event::Fatal {
                    partition,
                    failure: rejected(),
                });
                self.rejected(partition, index, rejected());
                let rejection = Rejection::of(from.broker, &response);
                self.fail_all(now, &Failure::rejected_elsewhere(partition, rejection));
            }
        }
    }

    pub(super) fn appended(
        &mut self,
        partition: PartitionId,
        index: usize,
        connection: u64,
        appended: Appended,
    ) {
        let state = &mut self.partitions[partition];
        let Some(tracked) = state.in_flight.remove(index) else {
            return;
        };
        self.unresolved_batches -= 1;
        let count = i64::from(tracked.batch.record_count());
        let last_offset = appended
            .base_offset
            .and_then(|base| base.checked_add(count - 1));
        state.acknowledge(tracked.end_sequence(), last_offset);
        if self.config.idempotent && appended.base_offset.is_some() {
            state.settle_parents(tracked.base_sequence);
        }
        state.confirmed_connection = Some(connection);
        if !tracked.resolved {
            let batch = tracked.batch;
            self.events.push_back(Event::Completed {
                partition,
                batch,
                result: Ok(appended),
            });
        }
    }

    /// Sends the batch again later, or gives up when its retries are used up (P-40).
    pub(super) fn retry(
        &mut self,
        now: Instant,
        partition: PartitionId,
        id: RequestId,
        retry: Retry,
    ) {
        let jitter = self.next_jitter();
        let state = &mut self.partitions[partition];
        let Some(index) = state.position_of(id) else {
            return;
        };
        if bug!(ForgetInFlight) && retry.ambiguous && state.in_flight.len() > 1 {
            return self.forget_resolved(partition, index);
        }
        if bug!(RebatchOnRetry)
            && retry.ambiguous
            && state
                .in_flight
                .get(index)
                .is_some_and(|t| t.batch.record_count() > 1)
        {
            let response = PartitionResponse::of(ErrorCode::MessageTooLarge);
            let from = From {
                broker: 0,
                connection: 0,
            };
            return self.too_large(now, partition, index, from, &response);
        }
        let Some(tracked) = state.in_flight.get_mut(index) else {
            return;
        };
        tracked.ambiguous |= retry.ambiguous;
        tracked.last = retry.last.or(tracked.last.take());
        if retry.counts {
            tracked.attempts += 1;
        }
        if tracked.resolved {
            return self.forget_resolved(partition, index);
        }
        if tracked.attempts > self.config.retries_max {
            return self.give_up(partition, index, Failure::retries_exhausted());
        }
        let delay = retry
            .delay
            .unwrap_or_else(|| backoff(&self.config, tracked.attempts.max(1), jitter));
        tracked.flight = Flight::Waiting(now + delay);
    }

    /// A batch that its caller no longer waits for needs no second attempt; its sequence stays in doubt.
    pub(super) fn forget_resolved(&mut self, partition: PartitionId, index: usize) {
        let state = &mut self.partitions[partition];
        if state.in_flight.remove(index).is_some() {
            self.unresolved_batches -= 1;
        }
    }

    /// The batch fails; its sequence may have been used (P-51, P-72).
    pub(super) fn give_up(&mut self, partition: PartitionId, index: usize, failure: Failure) {
        let state = &mut self.partitions[partition];
        let Some(tracked) = state.in_flight.remove(index) else {
            return;
        };
        self.unresolved_batches -= 1;
        let in_doubt = tracked.is_in_doubt();
        let outcome = if in_doubt {
            Outcome::Unknown
        } else {
            Outcome::NotAppended
        };
        if self.config.idempotent {
            if in_doubt {
                state.note_unresolved(tracked.end_sequence());
            } else {
                state.note_gap(tracked.base_sequence);
            }
        }
        if !tracked.resolved {
            let failure = failure.or_after(tracked.last);
            let result = Err(failure.with_outcome(outcome));
            self.events.push_back(Event::Completed {
                partition,
                batch: tracked.batch,
                result,
            });
        }
    }

    /// Proved not appended by this attempt, and no other will be (P-50, P-52).
    pub(super) fn rejected(&mut self, partition: PartitionId, index: usize, failure: Failure) {
        let state = &mut self.partitions[partition];
        let Some(tracked) = state.in_flight.get(index) else {
            return;
        };
        let base = tracked.base_sequence;
        let in_doubt = tracked.is_in_doubt();
        self.give_up(partition, index, failure);
        let state = &mut self.partitions[partition];
        // An earlier attempt may be in the log: then the followers are in sequence after all (P-52).
        if self.config.idempotent && !in_doubt {
            state.note_gap(base);
        }
    }

    /// MESSAGE_TOO_LARGE: the same records in smaller batches, which cover exactly the sequences of this one (P-65).
    ///
    /// It says that this attempt was not appended. An earlier attempt without a response may have been, under a
    /// larger `max.message.bytes` (P-67). Its records are split all the same, under the same identity and
    /// sequences, because the leader's check of sequences then decides, whatever became of that attempt:
    /// * It is in the log: its sequences are used up. The first part is not in sequence and has another extent than
    ///   any batch that the leader remembers, so it is rejected with OUT_OF_ORDER_SEQUENCE_NUMBER and nothing is
    ///   appended twice (P-21, P-24).
    /// * It is not in the log: the first part is appended. A late copy of the attempt is out of sequence from then
    ///   on, and before that it leads to the first case.
    ///
    /// So the parts inherit the doubt (`doubtful_parent`): one that is out of order ends as unknown and is never
    /// renumbered (P-53, P-61); one that is appended settles the doubt of all of them.
    pub(super) fn too_large(
        &mut self,
        now: Instant,
        partition: PartitionId,
        index: usize,
        from: From,
        response: &PartitionResponse,
    ) {
        let state = &mut self.partitions[partition];
        let Some(tracked) = state.in_flight.get(index) else {
            return;
        };
        let is_passed = tracked.base_sequence.is_before(state.acknowledged_end);
        if self.config.idempotent && is_passed && tracked.is_in_doubt() {
            // A later batch of this epoch was appended, so an earlier attempt of this one was (P-32, P-33).
            let appended = Appended {
                base_offset: None,
                log_append_time: None,
            };
            return self.appended(partition, index, from.connection, appended);
        }
        let may_split = tracked.batch.record_count() > 1 && !tracked.resolved; // P-66
        let known = state.batch_bytes_max.unwrap_or(self.config.batch_bytes_max);
        let batch_bytes_max = known.min(tracked.batch.plain_size() / 2).max(1);
        let children = if may_split {
            tracked.batch.split(batch_bytes_max)
        } else {
            None
        };
        let Some(children) = children.filter(|children| children.len() > 1) else {
            let mut rejection = Rejection::of(from.broker, response);
            rejection.message.get_or_insert_with(|| {
                let bytes = tracked.batch.wire_size();
                let hint = "max.message.bytes of the topic, or message.max.bytes of the broker, is smaller";
                Arc::from(format!("a batch of {bytes} bytes that can't be split: {hint}"))
            });
            return self.rejected(partition, index, Failure::rejected(rejection));
        };
        state.batch_bytes_max = Some(batch_bytes_max);
        let Some(parent) = state.in_flight.remove(index) else {
            return;
        };
        let own_doubt = parent.ambiguous.then(|| parent.range());
        let mut base_sequence = parent.base_sequence;
        for (offset, child) in children.iter().enumerate() {
            let end = base_sequence.advance(child.record_count());
            let tracked = Tracked {
                batch: child.clone(),
                base_sequence,
                flight: Flight::Waiting(now),
                attempts: parent.attempts,
                ambiguous: false,
                doubtful_parent: parent.doubtful_parent.or(own_doubt),
                last: parent.last.clone(),
                resolved: false,
            };
            state.in_flight.insert(index + offset, tracked);
            base_sequence = end;
        }
        self.unresolved_batches += children.len() - 1;
        self.events.push_back(Event::Split {
            partition,
            batch: parent.batch,
            children,
            batch_bytes_max,
        });
    }

    /// §1.7, P-55 to P-58.
    pub(super) fn out_of_order(
        &mut self,
        now: Instant,
        partition: PartitionId,
        index: usize,
        from: From,
        response: &PartitionResponse,
    ) {
        let state = &mut self.partitions[partition];
        let Some(tracked) = state.in_flight.get_mut(index) else {
            return;
        };
        let (base, in_doubt) = (tracked.base_sequence, tracked.is_in_doubt());
        let flight = tracked.flight;
        let rejection = Rejection::of(from.broker, response);
        if tracked.resolved {
            return self.forget_resolved(partition, index);
        }
        if base.is_before(state.acknowledged_end) {
            if !in_doubt {
                // A leader that had lost the producer's state took a later batch first (P-24); of this one it
                // rejected every attempt.
                return self.rejected(partition, index, Failure::rejected(rejection));
            }
            // A later batch of this epoch was appended, so this one was (P-33); the broker no longer
            // remembers where (P-53).
            let appended = Appended {
                base_offset: None,
                log_append_time: None,
            };
            return self.appended(partition, index, from.connection, appended);
        }
        if index > 0 || state.is_behind_gap(base) {
            // An earlier batch is still to be resolved, or the hole before this one is being closed: no
            // attempt is used up (P-36, P-55, P-58).
            if let Some(tracked) = state.in_flight.get_mut(index) {
                tracked.flight = Flight::Waiting(now);
            }
            return;
        }
        // Without a doubt in between, what is missing was acknowledged, if anything was (P-82).
        let lost = state.unresolved.is_none() && state.acknowledged_end != Sequence::ZERO;
        state.note_gap(base);
        if self.config.transactional || in_doubt {
            self.give_up(partition, index, Failure::rejected(rejection)); // P-53, P-56, P-57
        } else if let Flight::OnWire(id) = flight {
            // The next attempt comes later: a broker that always responds so must not be asked as fast as it can,
            // with an epoch spent on each (L-26). Behind a doubtful batch it is not this one's fault (P-36, P-57).
            let counts = state.unresolved.is_none();
            let retry = Retry {
                ambiguous: false,
                counts,
                delay: None,
                last: Some(Obstacle::Rejected(rejection)),
            };
            self.retry(now, partition, id, retry);
        }
        if lost {
            self.events
                .push_back(Event::DataLossSuspected { partition });
        }
    }

    /// §1.8, P-59.
    pub(super) fn unknown_producer(
        &mut self,
        now: Instant,
        partition: PartitionId,
        index: usize,
        from: From,
        response: &PartitionResponse,
    ) {
        let state = &mut self.partitions[partition];
        let Some(tracked) = state.in_flight.get_mut(index) else {
            return;
        };
        let (base, flight) = (tracked.base_sequence, tracked.flight);
        match (response.log_start_offset, state.last_acknowledged_offset) {
            (None, _) => {
                // P-59a: no verdict before the log start is known.
                let Flight::OnWire(id) = flight else { return };
                let retry = Retry {
                    ambiguous: false,
                    counts: true,
                    delay: None,
                    last: Some(Obstacle::Rejected(Rejection::of(from.broker, response))),
                };
                self.retry(now, partition, id, retry);
            }
            (Some(log_start_offset), Some(last)) if last < log_start_offset => {
                // P-59c: retention took what the broker knew of us, not the records in doubt.
                tracked.flight = Flight::Waiting(now);
                state.note_gap(base);
                state.restart = self.config.transactional;
            }
            (Some(_), _) => self.out_of_order(now, partition, index, from, response), // P-59d
        }
    }

    pub(super) fn next_jitter(&mut self) -> u64 {
        // Xorshift: enough to spread retries, and a seed replays it.
        let mut x = self.jitter | 1;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.jitter = x;
        x
    }
}

/// Exponential, with a fifth of jitter (P-41).
fn backoff(config: &SenderConfig, attempt: u32, jitter: u64) -> Duration {
    let doubled = config
        .retry_backoff
        .saturating_mul(1 << attempt.saturating_sub(1).min(16));
    let delay = doubled.min(config.retry_backoff_max);
    let permille = u32::try_from(jitter % 400).unwrap_or(0);
    delay.mul_f64(0.8 + f64::from(permille) / 1000.0)
}
