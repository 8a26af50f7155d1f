//! Takes the answers to Fetch requests into account.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use milena_codec::ErrorCode;

use super::super::position::ResetTarget;
use super::batches::Reading;
use super::errors::{FetchAction, fetch_action};
use super::fault::{Fault, Request, Useless};
use super::machine::{Asked, Exchange, Machine};
use super::partition::{Origin, Partition, PreferredReplica, Retry, Watermarks};
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
    /// Whether any bytes of records came.
    pub(crate) has_records: bool,
    pub(crate) reading: Reading,
}

/// The partitions of a response that brought nothing.
#[derive(Debug, Default)]
struct Told {
    errors: HashSet<TopicPartition>,
    /// All records lie before the offset.
    behind: HashSet<TopicPartition>,
}

/// In the order of names, so that one seed gives one run.
fn sorted(asked: &Asked) -> Vec<&TopicPartition> {
    let mut names: Vec<_> = asked.keys().collect();
    names.sort_unstable();
    names
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
                let mut told = Told::default();
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
                        let (error, has_records) = (partition.error, partition.has_records);
                        let gain = self.handle_partition(now, id, &name, partition);
                        progress |= gain == Gain::Progress;
                        if !error.is_none() {
                            told.errors.insert(name);
                        } else if has_records && gain == Gain::Nothing {
                            told.behind.insert(name);
                        }
                    }
                }
                if answer.throttle.is_zero() {
                    self.note_stalls(now, id, &asked, &told, progress);
                }
            }
            Err(Refused::Malformed) if answer.names_strangers => self.note_strangers(id, &asked),
            Err(Refused::Malformed) => self.note_rejection(now, id, &asked, Useless::Session),
            Err(Refused::TopicIds) => {
                self.metadata.wanted = true;
                self.note_rejection(now, id, &asked, Useless::Rejected(answer.error));
            }
            Err(Refused::Code(code)) => {
                self.note_rejection(now, id, &asked, Useless::Rejected(code));
            }
            Err(Refused::Throttled) => {}
        }
        self.pace(now, id, sent_at, progress, answer.throttle);
    }

    /// Takes note of the partitions of which nothing came although there is something to read, so that
    /// a broker that never gets anywhere is an error in the end and not a silence.
    fn note_stalls(&mut self, now: Instant, id: i32, asked: &Asked, told: &Told, progress: bool) {
        let timeout = self.settings.stall_timeout;
        let level = self.settings.isolation_level;
        for name in sorted(asked) {
            let Some(partition) = self.current(asked, name) else {
                continue;
            };
            let end = partition.readable_end(level);
            let useless = if told.errors.contains(name) {
                continue;
            } else if told.behind.contains(name) {
                Useless::Behind
            } else if let Some(end) = end.filter(|end| *end > partition.fetch_offset) {
                // While others have records, this one may have found no room in the response.
                if progress {
                    continue;
                }
                Useless::Empty { end }
            } else {
                partition.stall = None;
                continue;
            };
            if partition.stalled(now, id, useless, timeout) {
                self.enqueue(name);
            }
        }
    }

    /// The response as a whole was of no use, which its first partition stands for.
    fn note_rejection(&mut self, now: Instant, id: i32, asked: &Asked, useless: Useless) {
        let timeout = self.settings.stall_timeout;
        let Some(name) = self.first_current(asked) else {
            return;
        };
        if let Some(partition) = self.partitions.get_mut(&name)
            && partition.stalled(now, id, useless, timeout)
        {
            self.enqueue(&name);
        }
    }

    /// A response to something else than the request: an error at once.
    fn note_strangers(&mut self, id: i32, asked: &Asked) {
        let Some(name) = self.first_current(asked) else {
            return;
        };
        if let Some(partition) = self.partitions.get_mut(&name) {
            partition.fault = Some(Fault::Unrequested {
                broker: id,
                partition: name.clone(),
            });
        }
        self.enqueue(&name);
    }

    fn first_current(&mut self, asked: &Asked) -> Option<TopicPartition> {
        let mut names = sorted(asked).into_iter();
        let first = names.find(|name| self.current(asked, name).is_some());
        first.cloned()
    }

    /// The partition, if it is still read from where it was asked for and has no error yet.
    fn current(&mut self, asked: &Asked, name: &TopicPartition) -> Option<&mut Partition> {
        let asked = asked.get(name)?;
        let partition = self.partitions.get_mut(name)?;
        let is_current = partition.generation == asked.generation
            && partition.fetch_offset == asked.fetch_offset
            && partition.is_fetchable();
        is_current.then_some(partition)
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
            partition.stall = None;
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
