//! What happens to a classic group as time passes.

use super::super::{Desk, GroupSettings};
use super::join::JoinAnswer;
use super::sync::SyncAnswer;
use super::{ClassicGroup, ClassicState};
use crate::Time;
use milena_codec::ErrorCode;
use std::time::Duration;

/// When the join phase ends, whoever is there by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct JoinDeadline {
    at: Time,
    /// For a group that was empty: while new members keep coming, this much more at a time, and in all.
    more: Option<(Duration, Duration)>,
}

impl JoinDeadline {
    pub(super) fn initial(now: Time, delay: Duration, left: Duration) -> Self {
        Self {
            at: now + delay,
            more: Some((delay, left)),
        }
    }

    pub(super) const fn regular(at: Time) -> Self {
        Self { at, more: None }
    }
}

impl ClassicGroup {
    pub(crate) fn tick(&mut self, desk: &mut Desk, settings: &GroupSettings, now: Time) {
        self.expire_members(desk, settings, now);
        if let Some(deadline) = self.join_deadline
            && deadline.at <= now
        {
            self.end_join_phase(deadline, desk, settings, now);
        }
        if self.sync_deadline.is_some_and(|deadline| deadline <= now) {
            self.sync_deadline = None;
            let late = std::mem::take(&mut self.pending_syncs);
            if !late.is_empty() {
                for member_id in &late {
                    self.dismiss(member_id, desk);
                }
                self.rebalance_or_complete(desk, settings, now);
            }
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let members = self.members.values().filter_map(|member| member.expires);
        let pending = self.pending_members.values().copied();
        let join = self.join_deadline.map(|deadline| deadline.at);
        members
            .chain(pending)
            .chain(join)
            .chain(self.sync_deadline)
            .min()
    }

    /// Gives up members that have not been heard from; those that wait for an answer are excused, except
    /// while they are new.
    fn expire_members(&mut self, desk: &mut Desk, settings: &GroupSettings, now: Time) {
        let pending = self.pending_members.len();
        self.pending_members.retain(|_, until| *until > now);
        let mut gone = self.pending_members.len() < pending;
        let mut dismissed = false;
        for member_id in self.member_ids() {
            let Some(member) = self.members.get_mut(&member_id) else {
                continue;
            };
            if member.expires.is_none_or(|expires| expires > now) {
                continue;
            }
            member.expires = None;
            let waits = member.joining.is_some() || member.syncing.is_some();
            if member.is_new || !waits {
                self.dismiss(&member_id, desk);
                dismissed = true;
            }
        }
        if dismissed
            && matches!(
                self.state,
                ClassicState::Stable | ClassicState::CompletingRebalance
            )
        {
            self.rebalance_or_complete(desk, settings, now);
        }
        gone |= dismissed;
        if gone && self.state == ClassicState::PreparingRebalance && self.all_have_joined() {
            self.complete_join(desk, now);
        }
    }

    fn end_join_phase(
        &mut self,
        deadline: JoinDeadline,
        desk: &mut Desk,
        settings: &GroupSettings,
        now: Time,
    ) {
        let wait = |(_, left): (Duration, Duration)| settings.initial_rebalance_delay.min(left);
        match deadline.more {
            Some(more @ (delay, left)) if self.new_member_added && !wait(more).is_zero() => {
                self.new_member_added = false;
                let wait = wait(more);
                self.join_deadline = Some(JoinDeadline {
                    at: now + wait,
                    more: Some((wait, left.saturating_sub(delay))),
                });
            }
            Some(_) | None => self.complete_join(desk, now),
        }
    }

    /// The seat has moved: who waits asks the next coordinator, and the members' sessions begin anew there.
    pub(crate) fn unload(&mut self, desk: &mut Desk, now: Time) {
        let code = ErrorCode::NotCoordinator;
        for member_id in self.member_ids() {
            self.answer_join(desk, &member_id, JoinAnswer::refused(code, &*member_id));
            self.answer_sync(desk, &member_id, SyncAnswer::refused(code));
            match self.members.get_mut(&member_id) {
                // Nobody has been told of it, itself included: it will come as another.
                Some(member) if member.is_new => drop(self.remove(&member_id)),
                Some(member) => member.heard_from(now),
                None => {}
            }
        }
        let timeout = self.longest_rebalance_timeout();
        if self.state == ClassicState::PreparingRebalance {
            self.join_deadline = Some(JoinDeadline::regular(now + timeout));
        }
        if self.state == ClassicState::CompletingRebalance {
            self.sync_deadline = Some(now + timeout);
        }
    }
}
