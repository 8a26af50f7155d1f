//! What the consumer knows of one assigned partition.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use milena_codec::ErrorCode;
use uuid::Uuid;

use super::super::position::ResetTarget;
use super::super::position::{FetchState, Leader, Position};
use super::batches::{Buffered, Reading};
use super::fault::{Fault, Request, Useless};
use super::machine::AskedPartition;
use super::session::Want;
use crate::types::{IsolationLevel, NextOffset, TopicPartition};

/// The ends of a partition's log as the last answer told them; unknown until then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watermarks {
    pub(crate) high_watermark: Option<i64>,
    pub(crate) last_stable_offset: Option<i64>,
    pub(crate) log_start_offset: Option<i64>,
}

impl Watermarks {
    /// Takes over what a newer answer knows.
    pub(crate) fn update(&mut self, newer: Self) {
        self.high_watermark = newer.high_watermark.or(self.high_watermark);
        self.last_stable_offset = newer.last_stable_offset.or(self.last_stable_offset);
        self.log_start_offset = newer.log_start_offset.or(self.log_start_offset);
    }
}

/// A follower that the leader asked us to read from. What it hides is what the leader would hide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PreferredReplica {
    pub(crate) broker: i32,
    pub(crate) until: Instant,
}

/// Attempts in a row that failed, and when the next may start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) attempts: u32,
    pub(crate) at: Option<Instant>,
}

impl Retry {
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.at.is_none_or(|at| at <= now)
    }
}

/// Where a position comes from: what it is worth once the topic turns out to be another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The application chose the offset, and no broker has told what is there.
    Sought,
    /// A broker told the offset of this target.
    LookedUp(ResetTarget),
    /// A broker has answered a fetch from there: it speaks of the topic with that id.
    Read,
}

/// One assigned partition.
///
/// `position` is what the application has been given; `fetch_offset` is the end of what is buffered
/// behind it, where the next fetch starts. They are equal when nothing is buffered.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) name: TopicPartition,
    pub(crate) topic_id: Option<Uuid>,
    /// The id that the topic had before it was deleted and created again.
    pub(crate) topic_id_before: Option<Uuid>,
    pub(crate) replicas: Vec<i32>,
    pub(crate) position: Position,
    pub(crate) origin: Origin,
    /// Changes whenever the position changes other than by reading on. An answer to an older
    /// question is dropped.
    pub(crate) generation: u64,
    /// The generation with which the application last chose the position, or the assignment or a new
    /// topic of this name began. What was taken before is not gone back to.
    pub(crate) sought: u64,
    pub(crate) fetch_offset: i64,
    pub(crate) buffer: VecDeque<Buffered>,
    pub(crate) buffered_bytes: usize,
    /// Hidden data moved the position and the application has not been told yet.
    pub(crate) advanced: bool,
    pub(crate) fault: Option<Fault>,
    pub(crate) paused: bool,
    /// Whether the partition stands in the queue of those with something to deliver.
    pub(crate) queued: bool,
    /// When it last returned data; the one that waited longest is asked for first.
    pub(crate) turn: u64,
    pub(crate) watermarks: Watermarks,
    pub(crate) preferred_replica: Option<PreferredReplica>,
    pub(crate) retry: Retry,
    /// A ListOffsets or OffsetForLeaderEpoch for this partition is out.
    pub(crate) looking_up: bool,
    /// Since when the cluster has not known the partition.
    pub(crate) unknown_since: Option<Instant>,
    /// What last kept the partition from getting a position.
    pub(crate) trouble: Option<Fault>,
    /// Responses in a row that brought nothing of what there is to read.
    pub(crate) stall: Option<Stall>,
}

/// Responses in a row that brought nothing of what there is to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stall {
    since: Instant,
    responses: u32,
}

/// Fewer responses than this are no stall, however long they took.
const STALLED_RESPONSES_MIN: u32 = 5;

impl Partition {
    pub(crate) fn new(name: TopicPartition, generation: u64) -> Self {
        Self {
            name,
            topic_id: None,
            topic_id_before: None,
            replicas: Vec::new(),
            position: Position::new(),
            origin: Origin::Sought,
            generation,
            sought: generation,
            fetch_offset: 0,
            buffer: VecDeque::new(),
            buffered_bytes: 0,
            advanced: false,
            fault: None,
            paused: false,
            queued: false,
            turn: 0,
            watermarks: Watermarks::default(),
            preferred_replica: None,
            retry: Retry::default(),
            looking_up: false,
            unknown_since: None,
            trouble: None,
            stall: None,
        }
    }

    /// Forgets everything that belonged to the old position.
    pub(crate) fn restart(&mut self, generation: u64) {
        self.generation = generation;
        self.buffer.clear();
        self.buffered_bytes = 0;
        self.advanced = false;
        self.fault = None;
        self.retry = Retry::default();
        self.looking_up = false;
        self.trouble = None;
        self.stall = None;
        self.fetch_offset = self.position.known().map_or(0, |position| position.offset);
    }

    /// Starts at the offset that a lookup found, if `target` is still what is looked for.
    pub(crate) fn start_where_found(&mut self, target: ResetTarget, offset: i64, generation: u64) {
        if self.position.reset_to(target, offset) {
            self.restart(generation);
            self.origin = Origin::LookedUp(target);
        }
    }

    /// The position goes back to `to`, in front of what a poll took in generation `taken` and could not
    /// give out. Brokers had a say while the poll was at it: a new leader, a reset. The position is
    /// theirs if it lies before `to`, as after a cut of the log, and the application's if it was
    /// sought; else it was made from what the poll had taken, and what was not given out is fetched
    /// anew, and validated.
    pub(crate) fn go_back(&mut self, taken: u64, to: NextOffset, generation: u64) {
        let is_before = self
            .position
            .known()
            .is_some_and(|position| position.offset <= to.offset);
        if self.sought > taken || is_before {
            return;
        }
        self.position.seek(to.offset, to.leader_epoch);
        self.restart(generation);
    }

    /// How far the position is behind the end of what may be seen.
    pub(crate) fn lag(&self, isolation_level: IsolationLevel) -> Option<u64> {
        let end = self.readable_end(isolation_level);
        let behind = end?.saturating_sub(self.position.known()?.offset);
        // The end is as old as the last answer; the position may have been sought beyond it.
        Some(u64::try_from(behind).unwrap_or(0))
    }

    /// Whether answers to fetches are of use, also while nothing is asked.
    pub(crate) fn is_reading(&self) -> bool {
        self.position.fetching().is_some()
    }

    /// Only a partition with a good position, no error and nobody who paused it is asked for.
    pub(crate) fn is_fetchable(&self) -> bool {
        self.is_reading() && self.fault.is_none() && !self.paused
    }

    /// Whether a poll would get anything of it: records, news of its position, or its error.
    pub(crate) fn has_something(&self) -> bool {
        !self.paused && (!self.buffer.is_empty() || self.advanced || self.fault.is_some())
    }

    /// The broker to read from; and whether a preferred replica had to be given up because metadata
    /// does not know it, so that metadata should be refreshed.
    pub(crate) fn source(&mut self, now: Instant, alive: &BTreeSet<i32>) -> (Option<i32>, bool) {
        let leader = self.position.leader().broker;
        let Some(preferred) = self.preferred_replica else {
            return (leader, false);
        };
        if preferred.until <= now {
            self.preferred_replica = None;
            return (leader, false);
        }
        if alive.contains(&preferred.broker) && self.replicas.contains(&preferred.broker) {
            return (Some(preferred.broker), false);
        }
        self.preferred_replica = None;
        (leader, true)
    }

    pub(crate) fn asked(&self) -> (TopicPartition, AskedPartition) {
        let asked = AskedPartition {
            fetch_offset: self.fetch_offset,
            generation: self.generation,
            topic_id: self.topic_id,
        };
        (self.name.clone(), asked)
    }

    pub(crate) fn want(&self, bytes_max: i32) -> (TopicPartition, Want) {
        let want = Want {
            topic_id: self.topic_id,
            fetch_offset: self.fetch_offset,
            bytes_max,
            current_leader_epoch: self.position.leader().epoch,
        };
        (self.name.clone(), want)
    }

    /// Metadata named topic id and leader. A new leader or term ends the preference for a follower
    /// and what was read from the old leader is dropped if the position has to be validated.
    ///
    /// Under a new id it is another topic, in which the old offsets mean nothing; `policy` is where to
    /// go then, `None` if the application wants to be told. Whether anything came that a poll waits for.
    pub(crate) fn on_leader(
        &mut self,
        topic_id: Option<Uuid>,
        leader: Leader,
        generation: u64,
        policy: Option<ResetTarget>,
    ) -> bool {
        // An id never comes back: this broker has not heard of the new topic yet.
        if topic_id.is_some() && topic_id == self.topic_id_before {
            return false;
        }
        // An answer without an id comes from an old broker, and tells nothing about the id.
        let topic_is_new =
            topic_id.is_some() && self.topic_id.is_some_and(|id| Some(id) != topic_id);
        if topic_is_new {
            self.topic_id_before = self.topic_id;
        }
        self.topic_id = topic_id.or(self.topic_id);
        let before = self.position.state();
        if !self.position.on_leader(leader, topic_is_new) && !topic_is_new {
            return false;
        }
        self.preferred_replica = None;
        if topic_is_new {
            self.begin_again(generation, policy);
            return self.fault.is_some();
        }
        let after = self.position.state();
        if matches!(after, FetchState::AwaitValidation(_)) && after != before {
            let advanced = self.advanced;
            // An error stands behind what is buffered: it is met again after that was fetched anew.
            let fault = self.fault.take().filter(|_| self.buffer.is_empty());
            self.restart(generation);
            self.advanced = advanced;
            self.fault = fault;
        } else {
            // A new leader is asked at once, whatever the old one last said.
            self.retry = Retry::default();
        }
        false
    }

    /// The topic was deleted and created again, maybe with the same leader and term, so that nothing
    /// else would tell: to go on at an offset of the old topic would skip the beginning of the new one.
    /// It is a cut of unknown extent, except where the position is no more than the
    /// application's wish, which stands.
    fn begin_again(&mut self, generation: u64, policy: Option<ResetTarget>) {
        let known = self.position.known();
        let mut fault = None;
        match (self.position.state(), self.origin, known) {
            // Found in the old topic, as far as anybody knows.
            (FetchState::AwaitReset(target), ..) | (_, Origin::LookedUp(target), Some(_)) => {
                self.position.await_reset(target.anew());
            }
            (_, Origin::Read, Some(position)) => match policy {
                Some(target) => self.position.await_reset(target),
                None => {
                    fault = Some(Fault::Truncated {
                        offset: position.offset,
                        divergent_offset: None,
                    });
                }
            },
            (_, Origin::Sought, Some(_)) | (_, _, None) => {}
        }
        self.restart(generation);
        self.sought = generation;
        self.watermarks = Watermarks::default();
        self.fault = fault;
    }

    /// Metadata rejects or does not know the partition. Becomes an error for the application at once
    /// if waiting does not help, otherwise after `timeout`: a topic just created takes a moment to
    /// get known by all brokers.
    pub(crate) fn is_unknown(&mut self, now: Instant, code: ErrorCode, timeout: Duration) -> bool {
        let since = *self.unknown_since.get_or_insert(now);
        let unrecoverable = matches!(
            code,
            ErrorCode::TopicAuthorizationFailed | ErrorCode::InvalidTopicException
        );
        self.trouble = Some(Fault::Unknown { code });
        if self.fault.is_some() || !(unrecoverable || now.duration_since(since) >= timeout) {
            return false;
        }
        // The next error comes after another while.
        self.unknown_since = Some(now);
        self.fault = Some(if unrecoverable {
            Fault::Refused {
                request: Request::Metadata,
                code,
            }
        } else {
            Fault::Unknown { code }
        });
        true
    }

    /// A broker's response brought nothing although there was something to bring. Becomes an error for the
    /// application when that has gone on for `timeout`; returns whether it has.
    pub(crate) fn stalled(
        &mut self,
        now: Instant,
        broker: i32,
        useless: Useless,
        timeout: Duration,
    ) -> bool {
        let stall = self.stall.get_or_insert(Stall {
            since: now,
            responses: 0,
        });
        stall.responses = stall.responses.saturating_add(1);
        let Stall { since, responses } = *stall;
        let lasts = responses >= STALLED_RESPONSES_MIN && now.duration_since(since) >= timeout;
        if self.fault.is_some() || !lasts {
            return false;
        }
        // The next error comes after another while.
        self.stall = None;
        self.fault = Some(Fault::NoProgress {
            broker,
            partition: self.name.clone(),
            offset: self.fetch_offset,
            responses,
            useless,
        });
        true
    }

    /// Where a reader of this level can read up to, as far as the last response said.
    pub(crate) fn readable_end(&self, isolation_level: IsolationLevel) -> Option<i64> {
        match isolation_level {
            IsolationLevel::ReadCommitted => self.watermarks.last_stable_offset,
            IsolationLevel::ReadUncommitted => self.watermarks.high_watermark,
        }
    }

    /// Adds what an answer brought to the end of the buffer; whether anything was gained.
    pub(crate) fn append(&mut self, reading: Reading) -> bool {
        let next = reading.next();
        if let Some(skipped_to) = reading.skipped_to {
            if let Some(last) = self.buffer.back_mut() {
                last.next = skipped_to;
            } else {
                // Hidden data moves the position at once.
                self.position
                    .advance(skipped_to.offset, skipped_to.leader_epoch);
                self.advanced = true;
            }
        }
        for batch in reading.batches {
            self.buffered_bytes += batch.bytes();
            self.buffer.push_back(batch);
        }
        if let Some(next) = next {
            self.fetch_offset = next.offset;
        }
        if reading.fault.is_some() {
            self.fault = reading.fault;
        }
        next.is_some()
    }
}
