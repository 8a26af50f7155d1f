//! Takes the answers to Fetch requests into account.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use milena_codec::ErrorCode;

use super::super::position::ResetTarget;
use super::batches::Reading;
use super::errors::{FetchAction, fetch_action};
use super::fault::{Fault, Request};
use super::machine::{Asked, Exchange, Machine};
use super::partition::{Origin, PreferredReplica, Retry, Watermarks};
use super::session::{Answer, Refused};
use crate::types::TopicPartition;

/// A Fetch answer, its records already read.
#[derive(Debug)]
pub(crate) struct FetchAnswer {
    pub(crate) error: ErrorCode,
    pub(crate) session_id: i32,
    pub(crate) throttle: Duration,
    /// Each partition once.
    pub(crate) partitions: Vec<(TopicPartition, PartitionAnswer)>,
    /// Whether it named a topic or partition that was not asked for.
    pub(crate) names_strangers: bool,
}

/// One partition of it.
#[derive(Debug)]
pub(crate) struct PartitionAnswer {
    pub(crate) error: ErrorCode,
    pub(crate) watermarks: Watermarks,
    pub(crate) preferred_replica: Option<i32>,
    pub(crate) reading: Reading,
}

/// What one partition's answer meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gain {
    /// Records, or hidden data that moved the position, or another broker to ask.
    Progress,
    /// Nothing.
    Nothing,
}

impl Machine {
    /// A Fetch was answered.
    pub(crate) fn handle_fetch(&mut self, now: Instant, id: i32, answer: FetchAnswer) {
        let Some(broker) = self.brokers.get_mut(&id) else {
            return;
        };
        let Exchange::Asking { asked, sent_at } =
            std::mem::replace(&mut broker.exchange, Exchange::Idle)
        else {
            return;
        };
        let names: HashSet<_> = answer
            .partitions
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        let accepted = broker.session.answered(&Answer {
            error: answer.error,
            session_id: answer.session_id,
            throttled: !answer.throttle.is_zero(),
            partitions: &names,
            names_strangers: answer.names_strangers,
        });
        let mut progress = false;
        match accepted {
            Ok(()) => {
                self.turn += 1;
                for (name, partition) in answer.partitions {
                    self.note_watermarks(&asked, &name, &partition);
                    // Dropped without a word if the partition went elsewhere meanwhile.
                    let is_current = asked.get(&name).is_some_and(|asked| {
                        self.partitions.get(&name).is_some_and(|partition| {
                            partition.generation == asked.generation
                                && partition.fetch_offset == asked.fetch_offset
                                && partition.is_reading()
                        })
                    });
                    if is_current {
                        progress |=
                            self.handle_partition(now, id, &name, partition) == Gain::Progress;
                    }
                }
            }
            Err(Refused::TopicIds) => self.metadata.wanted = true,
            Err(Refused::Code(_) | Refused::Throttled | Refused::Malformed) => {}
        }
        self.pace(now, id, sent_at, progress, answer.throttle);
    }

    /// Where the log ends does not depend on what was asked. In its session the broker tells it
    /// again only when it changes, so also an answer to an older position counts.
    fn note_watermarks(&mut self, asked: &Asked, name: &TopicPartition, answer: &PartitionAnswer) {
        if answer.error.is_none()
            && let Some(asked) = asked.get(name)
            && let Some(partition) = self.partitions.get_mut(name)
            && partition.topic_id == asked.topic_id
        {
            partition.watermarks.update(answer.watermarks);
        }
    }

    fn handle_partition(
        &mut self,
        now: Instant,
        broker: i32,
        name: &TopicPartition,
        answer: PartitionAnswer,
    ) -> Gain {
        let turn = self.turn;
        let lease = self.settings.preferred_replica_lease;
        let Some(partition) = self.partitions.get_mut(name) else {
            return Gain::Nothing;
        };
        if !answer.error.is_none() {
            self.handle_error(now, broker, name, answer.error);
            return Gain::Nothing;
        }
        partition.retry = Retry::default();
        partition.origin = Origin::Read;
        if let Some(replica) = answer.preferred_replica
            && Some(replica)
                != partition
                    .preferred_replica
                    .map(|preferred| preferred.broker)
            && replica != broker
        {
            // Such an answer carries no records. It gains something only if it comes from the
            // leader and leads somewhere: two brokers that name each other, or a replica that metadata
            // does not know, would be asked as fast as they answer (R-64, L-26).
            let is_known = self.alive.contains(&replica) && partition.replicas.contains(&replica);
            let is_leader = partition.position.leader().broker == Some(broker);
            self.metadata.wanted |= !is_known;
            partition.preferred_replica = (is_known && is_leader).then_some(PreferredReplica {
                broker: replica,
                until: now + lease,
            });
            return match partition.preferred_replica {
                Some(_) => Gain::Progress,
                None => Gain::Nothing,
            };
        }
        let gained = partition.append(answer.reading);
        if gained {
            partition.turn = turn;
        }
        if let Some(Fault::NoWholeBatch { .. }) = partition.fault {
            self.back_off(now, name);
        }
        self.enqueue(name);
        if gained {
            Gain::Progress
        } else {
            Gain::Nothing
        }
    }

    fn handle_error(&mut self, now: Instant, broker: i32, name: &TopicPartition, code: ErrorCode) {
        match fetch_action(code) {
            FetchAction::Retry => self.back_off(now, name),
            FetchAction::Refresh { replica } => {
                self.back_off(now, name);
                self.metadata.wanted = true;
                if replica && let Some(partition) = self.partitions.get_mut(name) {
                    partition.preferred_replica = None;
                }
            }
            FetchAction::OutOfRange => self.handle_out_of_range(now, broker, name),
            FetchAction::Report => self.refuse(now, name, Request::Fetch, code),
        }
    }

    /// §3.7: a follower may lag behind the position, only the leader's word counts.
    fn handle_out_of_range(&mut self, now: Instant, broker: i32, name: &TopicPartition) {
        let generation = self.next_generation();
        let Some(partition) = self.partitions.get_mut(name) else {
            return;
        };
        partition.preferred_replica = None;
        if partition.position.leader().broker != Some(broker) {
            return;
        }
        // What was read before is delivered first; the question is then asked again.
        if !partition.buffer.is_empty() {
            return self.back_off(now, name);
        }
        match ResetTarget::by(self.settings.offset_reset) {
            Some(target) => {
                partition.position.await_reset(target);
                partition.restart(generation);
            }
            None => {
                partition.fault = Some(Fault::OutOfRange {
                    offset: partition.fetch_offset,
                    log_start_offset: partition.watermarks.log_start_offset,
                    high_watermark: partition.watermarks.high_watermark,
                });
                self.enqueue(name);
            }
        }
    }

    /// No answer came. What the broker's session holds is unknown, and none of its partitions
    /// is read from a follower until the leader says so again.
    pub(crate) fn on_fetch_failed(&mut self, now: Instant, id: i32) {
        let Some(broker) = self.brokers.get_mut(&id) else {
            return;
        };
        broker.exchange = Exchange::Idle;
        broker.session.failed();
        for partition in self.partitions.values_mut() {
            if partition
                .preferred_replica
                .is_some_and(|preferred| preferred.broker == id)
            {
                partition.preferred_replica = None;
            }
        }
        self.metadata.wanted = true;
        self.delay_broker(now, id);
    }

    /// L-26: after an answer without progress the broker is asked again no sooner than an honest one
    /// would have made us wait, and ever later if it keeps answering early.
    fn pace(
        &mut self,
        now: Instant,
        id: i32,
        sent_at: Instant,
        progress: bool,
        throttle: Duration,
    ) {
        let wait_max = self.settings.fetch_wait_max;
        // A broker's timer may be a little early.
        let honest = wait_max - wait_max / 8;
        if !progress && now.duration_since(sent_at) < honest {
            self.delay_broker(now, id);
        } else if let Some(broker) = self.brokers.get_mut(&id) {
            let at = if progress {
                now
            } else {
                sent_at + honest.max(IDLE_PACE)
            };
            broker.retry = Retry {
                attempts: 0,
                at: Some(at),
            };
        }
        // A broker over its quota mutes the connection for this long; asking would only queue.
        if let Some(broker) = self.brokers.get_mut(&id)
            && !throttle.is_zero()
        {
            let until = now + throttle.min(self.settings.throttle_max);
            broker.retry.at = broker.retry.at.max(Some(until));
        }
    }

    fn delay_broker(&mut self, now: Instant, id: i32) {
        if let Some(broker) = self.brokers.get_mut(&id) {
            let delay = self
                .settings
                .backoff
                .delay(broker.retry.attempts, &mut self.rng);
            broker.retry = Retry {
                attempts: broker.retry.attempts.saturating_add(1),
                at: Some(now + delay),
            };
        }
    }

    /// Sessions to be closed when the reading ends.
    pub(crate) fn sessions_to_close(&self) -> Vec<(i32, i32)> {
        self.brokers
            .iter()
            .filter_map(|(broker, state)| Some((*broker, state.session.id_to_close()?)))
            .collect()
    }
}

/// However short the wait that was asked for, an idle broker is not asked more often than this.
const IDLE_PACE: Duration = Duration::from_millis(5);
