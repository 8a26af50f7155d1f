//! What brokers answer: the truth, any error code, or nothing.

use std::collections::HashMap;
use std::time::Duration;

use milena_codec::ErrorCode;

use super::super::super::position::EpochEnd;
use super::super::super::visibility::Filter;
use super::super::answer::{FetchAnswer, PartitionAnswer};
use super::super::batches::{self, Reading};
use super::super::lookup::{EpochAnswer, OffsetAnswer};
use super::super::partition::Watermarks;
use super::{
    BROKERS, FetchPlan, MetadataView, PartitionView, ResetTarget, TopicPartition, Uuid, World,
    name, number,
};

impl World {
    fn partition_answer(&self, error: ErrorCode, at: usize) -> PartitionAnswer {
        PartitionAnswer {
            error,
            watermarks: Watermarks {
                high_watermark: Some(self.logs[at].high_watermark()),
                last_stable_offset: Some(self.logs[at].last_stable_offset()),
                log_start_offset: Some(0),
            },
            preferred_replica: None,
            has_records: false,
            reading: Reading::default(),
        }
    }

    fn is_leader(&self, broker: i32, at: usize) -> bool {
        self.leaders[at].broker == Some(broker)
    }

    /// The true answer for one partition.
    fn read(&self, broker: i32, at: usize, offset: i64, bytes_max: usize) -> PartitionAnswer {
        if !self.is_leader(broker, at) {
            return self.partition_answer(ErrorCode::NotLeaderOrFollower, at);
        }
        let log = &self.logs[at];
        let records = log.fetch(self.isolation_level, offset, bytes_max);
        let filter = Filter::new(self.isolation_level, log.aborted(offset));
        PartitionAnswer {
            has_records: !records.is_empty(),
            reading: batches::read(records, offset, filter, true),
            ..self.partition_answer(ErrorCode::None, at)
        }
    }

    /// Answers in a session that is opened or gone on with; within one, only what has news.
    fn answer(
        &mut self,
        plan: &FetchPlan,
        error: ErrorCode,
        mut partition: impl FnMut(&Self, usize, i64) -> PartitionAnswer,
    ) {
        let is_full = plan.session.session_epoch == 0;
        let mut partitions: Vec<(TopicPartition, PartitionAnswer)> = Vec::new();
        if error.is_none() {
            for (name, asked) in &*plan.asked {
                let answer = partition(self, number(name), asked.fetch_offset);
                let has_news = !answer.error.is_none() || answer.reading.next().is_some();
                if is_full || has_news {
                    partitions.push((name.clone(), answer));
                }
            }
        }
        partitions.sort_by_key(|(name, _)| name.partition());
        let session_id = if is_full {
            plan.broker + 70
        } else {
            plan.session.session_id
        };
        let answer = FetchAnswer {
            error,
            session_id,
            throttle: Duration::ZERO,
            partitions,
            names_strangers: false,
        };
        self.machine.handle_fetch(self.now, plan.broker, answer);
    }

    pub(super) fn answer_fetch(&mut self, broker: i32, bytes_max: usize) {
        if let Some(plan) = self.fetches.remove(&broker) {
            self.answer(&plan, ErrorCode::None, |world, at, offset| {
                world.read(broker, at, offset, bytes_max)
            });
        }
    }

    /// Any code for the whole of a fetch, or for its partitions.
    pub(super) fn refuse_fetch(&mut self, broker: i32, argument: u8) {
        let Some(plan) = self.fetches.remove(&broker) else {
            return;
        };
        let code = ErrorCode::from(i16::from(argument / 2) - 1);
        let is_whole = argument % 8 >= 6;
        if is_whole {
            return self.answer(&plan, code, |world, at, _| {
                world.partition_answer(ErrorCode::None, at)
            });
        }
        if code == ErrorCode::OffsetOutOfRange {
            for name in plan.asked.keys() {
                self.readers[number(name)].may_reset = true;
            }
        }
        self.answer(&plan, ErrorCode::None, |world, at, offset| {
            if code.is_none() {
                world.read(broker, at, offset, 100)
            } else {
                world.partition_answer(code, at)
            }
        });
    }

    pub(super) fn lose_fetch(&mut self, broker: i32) {
        let was_connecting = self.connecting.remove(&broker);
        if self.fetches.remove(&broker).is_some() || was_connecting {
            self.machine.on_fetch_failed(self.now, broker);
        }
    }

    /// ListOffsets and OffsetForLeaderEpoch: the truth, or any code, or nothing.
    pub(super) fn answer_lookups(&mut self, lie: Option<u8>) {
        let code = lie.map(|argument| ErrorCode::from(i16::from(argument) - 1));
        let is_lost = lie.is_some_and(|argument| argument > 200);
        for plan in std::mem::take(&mut self.resets) {
            if is_lost {
                self.machine.on_resets_failed(self.now, &plan);
                continue;
            }
            let mut answers = HashMap::new();
            for question in &plan.partitions {
                let at = number(&question.name);
                let offset = match question.target {
                    ResetTarget::Earliest
                    | ResetTarget::Timestamp(_)
                    | ResetTarget::TimeOrEnd { .. } => 0,
                    ResetTarget::Latest | ResetTarget::EndBeforeTime(_) => {
                        self.logs[at].end_offset(self.isolation_level)
                    }
                };
                let mut error = code.unwrap_or(ErrorCode::None);
                if error.is_none() && !self.is_leader(plan.broker, at) {
                    error = ErrorCode::NotLeaderOrFollower;
                }
                let is_current = self
                    .machine
                    .partition(&question.name)
                    .is_ok_and(|partition| partition.generation == question.generation);
                if error.is_none() && is_current {
                    self.readers[at].reset_to = Some(offset);
                }
                let answer = OffsetAnswer {
                    error,
                    offset: Some(offset),
                    timestamp: None,
                    leader_epoch: self.leaders[at].epoch,
                };
                answers.insert(question.name.clone(), answer);
            }
            self.machine.handle_resets(self.now, &plan, &answers);
        }
        for plan in std::mem::take(&mut self.validations) {
            if is_lost {
                self.machine.on_validations_failed(self.now, &plan);
                continue;
            }
            let mut answers = HashMap::new();
            for question in &plan.partitions {
                let at = number(&question.name);
                let asked = question.position.offset_epoch.unwrap_or(-1);
                let (leader_epoch, end_offset) = self.logs[at].epoch_end(asked);
                let mut error = code.unwrap_or(ErrorCode::None);
                if error.is_none() && !self.is_leader(plan.broker, at) {
                    error = ErrorCode::NotLeaderOrFollower;
                }
                let end = EpochEnd {
                    leader_epoch,
                    end_offset,
                };
                answers.insert(question.name.clone(), EpochAnswer { error, end });
            }
            self.machine.handle_validations(self.now, &plan, &answers);
        }
    }

    /// Metadata arrives, asked for or not; of one partition it may name no leader.
    pub(super) fn answer_metadata(&mut self, argument: u8) {
        let mut view = MetadataView {
            brokers: (1..=BROKERS).collect(),
            ..MetadataView::default()
        };
        for (at, leader) in self.leaders.iter().enumerate() {
            let mut leader = *leader;
            if argument.is_multiple_of(8) && usize::from(argument / 8) == at {
                leader.broker = None;
            }
            let known = PartitionView::Known {
                topic_id: Some(Uuid::from_u128(1)),
                leader,
                replicas: vec![1, 2],
            };
            view.partitions.insert(name(at), known);
        }
        self.machine.on_metadata(self.now, &view);
        if std::mem::take(&mut self.metadata_asked) {
            self.machine.on_metadata_refreshed(self.now);
        }
    }
}
