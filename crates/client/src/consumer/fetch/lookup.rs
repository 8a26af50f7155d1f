//! Looking up where to start and whether a position still holds.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use milena_codec::ErrorCode;

use super::super::position::ResetTarget;
use super::super::position::{EpochEnd, FetchPosition, FetchState, Validation};
use super::errors::{LookupAction, epoch_end_action, list_offsets_action};
use super::fault::{Fault, Request};
use super::machine::{Machine, Work};
use super::partition::Retry;
use crate::types::TopicPartition;

/// A ListOffsets to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResetPlan {
    pub(crate) broker: i32,
    pub(crate) partitions: Vec<ResetQuestion>,
}

/// One partition of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResetQuestion {
    pub(crate) name: TopicPartition,
    pub(crate) generation: u64,
    pub(crate) target: ResetTarget,
    pub(crate) current_leader_epoch: Option<i32>,
}

/// What a broker says about one partition in a ListOffsets answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetAnswer {
    pub(crate) error: ErrorCode,
    /// `None` if there is no such offset.
    pub(crate) offset: Option<i64>,
    /// The time of the record there, in milliseconds since the epoch, where the question was by time.
    pub(crate) timestamp: Option<i64>,
    pub(crate) leader_epoch: Option<i32>,
}

/// An OffsetForLeaderEpoch to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValidationPlan {
    pub(crate) broker: i32,
    pub(crate) partitions: Vec<ValidationQuestion>,
}

/// One partition of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValidationQuestion {
    pub(crate) name: TopicPartition,
    pub(crate) generation: u64,
    pub(crate) position: FetchPosition,
}

/// What a broker says about one partition in an OffsetForLeaderEpoch answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EpochAnswer {
    pub(crate) error: ErrorCode,
    pub(crate) end: EpochEnd,
}

impl Machine {
    pub(super) fn poll_lookups(&mut self, now: Instant, work: &mut Work) {
        let mut resets: BTreeMap<i32, Vec<ResetQuestion>> = BTreeMap::new();
        let mut validations: BTreeMap<i32, Vec<ValidationQuestion>> = BTreeMap::new();
        for partition in self.partitions.values_mut() {
            let state = partition.position.state();
            let awaits = matches!(
                state,
                FetchState::AwaitReset(_) | FetchState::AwaitValidation(_)
            );
            if !awaits || partition.looking_up || partition.fault.is_some() {
                continue;
            }
            if !partition.retry.is_due(now) {
                work.wake(partition.retry.at);
                continue;
            }
            let leader = partition.position.leader();
            let Some(broker) = leader.broker else {
                self.metadata.wanted = true;
                continue;
            };
            let (name, generation) = (partition.name.clone(), partition.generation);
            partition.looking_up = true;
            match state {
                FetchState::AwaitReset(target) => {
                    let current_leader_epoch = leader.epoch;
                    let question = ResetQuestion {
                        name,
                        generation,
                        target,
                        current_leader_epoch,
                    };
                    resets.entry(broker).or_default().push(question);
                }
                FetchState::AwaitValidation(position) => {
                    let question = ValidationQuestion {
                        name,
                        generation,
                        position,
                    };
                    validations.entry(broker).or_default().push(question);
                }
                FetchState::Initialising | FetchState::Fetching(_) => {}
            }
        }
        let plans = resets.into_iter();
        work.resets = plans
            .map(|(broker, partitions)| ResetPlan { broker, partitions })
            .collect();
        let plans = validations.into_iter();
        work.validations = plans
            .map(|(broker, partitions)| ValidationPlan { broker, partitions })
            .collect();
    }

    /// The answer to a ListOffsets.
    pub(crate) fn handle_resets(
        &mut self,
        now: Instant,
        plan: &ResetPlan,
        answers: &HashMap<TopicPartition, OffsetAnswer>,
    ) {
        for question in &plan.partitions {
            if !self.close_question(&question.name, question.generation) {
                continue;
            }
            match answers.get(&question.name) {
                Some(answer) if answer.error.is_none() => {
                    self.handle_reset(now, question, *answer);
                }
                Some(answer) => match list_offsets_action(answer.error) {
                    LookupAction::Refresh => {
                        self.note_trouble(&question.name, Request::ListOffsets, answer.error);
                        self.look_up_again(now, &question.name);
                    }
                    LookupAction::Nothing => self.nothing_found(now, question),
                    LookupAction::Report => {
                        self.refuse(now, &question.name, Request::ListOffsets, answer.error);
                    }
                },
                None => self.look_up_again(now, &question.name),
            }
        }
    }

    fn handle_reset(&mut self, now: Instant, question: &ResetQuestion, answer: OffsetAnswer) {
        let Some(offset) = answer.offset else {
            return self.nothing_found(now, question);
        };
        let generation = self.next_generation();
        let Some(partition) = self.partitions.get_mut(&question.name) else {
            return;
        };
        // The answer knows a newer term than metadata does.
        if answer.leader_epoch > partition.position.leader().epoch {
            self.metadata.wanted = true;
        }
        if let ResetTarget::EndBeforeTime(time) = question.target {
            let search = ResetTarget::TimeOrEnd { time, end: offset };
            return partition.position.await_reset(search);
        }
        partition.start_where_found(question.target, offset, generation);
    }

    /// There is no such offset, which is never a position. A search by time found no record:
    /// reading starts where the end was before the search, where the first such record will appear.
    fn nothing_found(&mut self, now: Instant, question: &ResetQuestion) {
        let ResetTarget::TimeOrEnd { end, .. } = question.target else {
            return self.look_up_again(now, &question.name);
        };
        let generation = self.next_generation();
        if let Some(partition) = self.partitions.get_mut(&question.name) {
            partition.start_where_found(question.target, end, generation);
        }
    }

    /// No answer came to a ListOffsets.
    pub(crate) fn on_resets_failed(&mut self, now: Instant, plan: &ResetPlan) {
        for question in &plan.partitions {
            if self.close_question(&question.name, question.generation) {
                self.look_up_again(now, &question.name);
            }
        }
    }

    /// The answer to an OffsetForLeaderEpoch.
    pub(crate) fn handle_validations(
        &mut self,
        now: Instant,
        plan: &ValidationPlan,
        answers: &HashMap<TopicPartition, EpochAnswer>,
    ) {
        for question in &plan.partitions {
            if !self.close_question(&question.name, question.generation) {
                continue;
            }
            match answers.get(&question.name) {
                Some(answer) if answer.error.is_none() => {
                    self.handle_validation(question, answer.end);
                }
                Some(answer) => match epoch_end_action(answer.error) {
                    LookupAction::Report => {
                        self.refuse(
                            now,
                            &question.name,
                            Request::OffsetForLeaderEpoch,
                            answer.error,
                        );
                    }
                    LookupAction::Refresh | LookupAction::Nothing => {
                        let request = Request::OffsetForLeaderEpoch;
                        self.note_trouble(&question.name, request, answer.error);
                        self.look_up_again(now, &question.name);
                    }
                },
                None => self.look_up_again(now, &question.name),
            }
        }
    }

    fn handle_validation(&mut self, question: &ValidationQuestion, end: EpochEnd) {
        let generation = self.next_generation();
        let policy = ResetTarget::by(self.settings.offset_reset);
        let Some(partition) = self.partitions.get_mut(&question.name) else {
            return;
        };
        match partition.position.validated(question.position, end, policy) {
            Validation::Stale => {}
            Validation::Valid => partition.retry = Retry::default(),
            Validation::MovedTo(_) | Validation::Reset => partition.restart(generation),
            Validation::Truncated(divergent_offset) => {
                let offset = question.position.offset;
                partition.fault = Some(Fault::Truncated {
                    offset,
                    divergent_offset,
                });
            }
        }
        self.enqueue(&question.name);
    }

    /// No answer came to an OffsetForLeaderEpoch.
    pub(crate) fn on_validations_failed(&mut self, now: Instant, plan: &ValidationPlan) {
        for question in &plan.partitions {
            if self.close_question(&question.name, question.generation) {
                self.look_up_again(now, &question.name);
            }
        }
    }

    /// The broker does not answer OffsetForLeaderEpoch of version 3 or higher: nothing can be
    /// validated with it.
    pub(crate) fn on_validation_unsupported(&mut self, plan: &ValidationPlan) {
        for question in &plan.partitions {
            if self.close_question(&question.name, question.generation)
                && let Some(partition) = self.partitions.get_mut(&question.name)
            {
                partition.position.skip_validation();
            }
        }
    }

    /// Whether the question is still open; it no longer is. An answer to a partition that went
    /// elsewhere in the meantime means nothing.
    fn close_question(&mut self, name: &TopicPartition, generation: u64) -> bool {
        match self.partitions.get_mut(name) {
            Some(partition) if partition.generation == generation && partition.looking_up => {
                partition.looking_up = false;
                true
            }
            Some(_) | None => false,
        }
    }

    fn note_trouble(&mut self, name: &TopicPartition, request: Request, code: ErrorCode) {
        if let Some(partition) = self.partitions.get_mut(name) {
            partition.trouble = Some(Fault::Refused { request, code });
        }
    }

    fn look_up_again(&mut self, now: Instant, name: &TopicPartition) {
        self.back_off(now, name);
        self.metadata.wanted = true;
    }

    /// Tells the user, and asks again after a pause.
    pub(super) fn refuse(
        &mut self,
        now: Instant,
        name: &TopicPartition,
        request: Request,
        code: ErrorCode,
    ) {
        self.back_off(now, name);
        if let Some(partition) = self.partitions.get_mut(name) {
            partition.fault = Some(Fault::Refused { request, code });
        }
        self.enqueue(name);
    }
}
