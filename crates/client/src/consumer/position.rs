//! Where the reading of one partition stands, and whether it may go on (R-34, R-70 to R-77).
//!
//! ```text
//!                 assign
//!                   │
//!                   ▼         no offset known
//!              Initialising ───────────────────► AwaitReset
//!                   │ seek                         │    ▲
//!                   │                 offset found │    │ out of range, log truncated
//!                   ▼                              ▼    │
//!           AwaitValidation ◄────────────────── Fetching
//!                   │          leader changed       ▲
//!                   └───────────────────────────────┘
//!                     the log still holds the position
//! ```
//!
//! `seek` leads from every state to `Fetching`, by way of `AwaitValidation` if the offset comes with
//! the epoch of the record before it and the leader is known (R-76). Only `Fetching` fetches or
//! delivers (R-70).

use crate::types::{NextOffset, OffsetReset};

/// What ListOffsets is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ResetTarget {
    Earliest,
    Latest,
    /// Milliseconds since the epoch.
    Timestamp(i64),
    /// The end, to search for this time afterwards: asked in this order, a record that is written
    /// between the two questions is found by the second.
    EndBeforeTime(i64),
    /// The time, or the end as it was before the search.
    TimeOrEnd {
        time: i64,
        end: i64,
    },
}

impl ResetTarget {
    /// The target of a reset by this policy; `None` if it is an error.
    pub(crate) const fn by(reset: OffsetReset) -> Option<Self> {
        match reset {
            OffsetReset::Earliest => Some(Self::Earliest),
            OffsetReset::Latest => Some(Self::Latest),
            OffsetReset::Error => None,
        }
    }

    /// The target's number in the timestamp field of ListOffsets.
    pub(crate) const fn timestamp(self) -> i64 {
        match self {
            Self::Earliest => -2,
            Self::Latest | Self::EndBeforeTime(_) => -1,
            Self::Timestamp(time) | Self::TimeOrEnd { time, .. } => time,
        }
    }

    /// The target before anything of it was found.
    pub(crate) const fn anew(self) -> Self {
        match self {
            Self::TimeOrEnd { time, .. } => Self::EndBeforeTime(time),
            Self::Earliest | Self::Latest | Self::Timestamp(_) | Self::EndBeforeTime(_) => self,
        }
    }
}

/// A partition's leader and its term, as metadata tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leader {
    /// The leading broker; `None` while there is none.
    pub(crate) broker: Option<i32>,
    /// Its term; `None` on brokers older than KIP-320.
    pub(crate) epoch: Option<i32>,
}

/// The next offset to read, and what is known of the log there (R-34).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FetchPosition {
    /// The offset of the next record.
    pub(crate) offset: i64,
    /// The leader epoch of the batch before it: what makes truncation noticeable, and what is
    /// committed beside the offset. `None` after a reset (R-46) and on old brokers.
    pub(crate) offset_epoch: Option<i32>,
    /// The leader that the offset is believed to be valid for.
    pub(crate) leader: Leader,
}

impl From<FetchPosition> for NextOffset {
    fn from(position: FetchPosition) -> Self {
        Self {
            offset: position.offset,
            leader_epoch: position.offset_epoch,
        }
    }
}

/// The state of one partition's position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchState {
    /// Assigned, and nothing else known.
    Initialising,
    /// The offset has to be looked up.
    AwaitReset(ResetTarget),
    /// The offset is known; whether the new leader's log holds it is being asked.
    AwaitValidation(FetchPosition),
    /// The offset is known and good.
    Fetching(FetchPosition),
}

/// What OffsetForLeaderEpoch said about the epoch of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EpochEnd {
    /// The largest epoch at or below the one asked for; `None` if the leader knows none.
    pub(crate) leader_epoch: Option<i32>,
    /// The offset at which that epoch ends; `None` if the leader knows none.
    pub(crate) end_offset: Option<i64>,
}

/// What came of a validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validation {
    /// Position or state moved on since the question; the answer means nothing now (R-73).
    Stale,
    /// The log holds the position.
    Valid,
    /// The log was cut below the position; reading goes on where it diverged.
    MovedTo(i64),
    /// The log was cut, nobody can tell where; the policy decides where to go on.
    Reset,
    /// The log was cut and the policy is to tell the user, with the divergent offset if it is known.
    Truncated(Option<i64>),
}

/// The position of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    state: FetchState,
    leader: Leader,
}

impl Position {
    pub(crate) fn new() -> Self {
        Self {
            state: FetchState::Initialising,
            leader: Leader::default(),
        }
    }

    pub(crate) fn state(&self) -> FetchState {
        self.state
    }

    /// The leader as metadata last told it.
    pub(crate) fn leader(&self) -> Leader {
        self.leader
    }

    /// The position, wherever one is known.
    pub(crate) fn known(&self) -> Option<FetchPosition> {
        match self.state {
            FetchState::Fetching(position) | FetchState::AwaitValidation(position) => {
                Some(position)
            }
            FetchState::Initialising | FetchState::AwaitReset(_) => None,
        }
    }

    /// The position, if it may be fetched from.
    pub(crate) fn fetching(&self) -> Option<FetchPosition> {
        match self.state {
            FetchState::Fetching(position) => Some(position),
            FetchState::Initialising
            | FetchState::AwaitReset(_)
            | FetchState::AwaitValidation(_) => None,
        }
    }

    /// Goes to an offset that the user chose. With the epoch of the record before it the position
    /// is validated first (R-76).
    pub(crate) fn seek(&mut self, offset: i64, offset_epoch: Option<i32>) {
        self.enter(FetchPosition {
            offset,
            offset_epoch,
            leader: self.leader,
        });
    }

    /// Forgets the position: it has to be looked up.
    pub(crate) fn await_reset(&mut self, target: ResetTarget) {
        self.state = FetchState::AwaitReset(target);
    }

    /// The offset that was looked up for `target`. It counts only if the same target is still
    /// awaited: a seek in between wins (R-47). It has no epoch, so it needs no validation (R-46).
    pub(crate) fn reset_to(&mut self, target: ResetTarget, offset: i64) -> bool {
        if self.state != FetchState::AwaitReset(target) {
            return false;
        }
        self.enter(FetchPosition {
            offset,
            offset_epoch: None,
            leader: self.leader,
        });
        true
    }

    /// Moves past what was delivered or hidden. Never backwards, whatever a broker says.
    pub(crate) fn advance(&mut self, offset: i64, offset_epoch: Option<i32>) {
        if let FetchState::Fetching(position) = &mut self.state
            && offset >= position.offset
        {
            position.offset = offset;
            position.offset_epoch = offset_epoch.or(position.offset_epoch);
        }
    }

    /// Goes back to where a delivery began that could not be completed.
    pub(crate) fn retract(&mut self, to: NextOffset) {
        if let FetchState::Fetching(position) = &mut self.state {
            position.offset = to.offset;
            position.offset_epoch = to.leader_epoch;
        }
    }

    /// Metadata named the leader. A position with an epoch is validated against every new leader or
    /// term (R-70). Returns whether anything changed.
    ///
    /// An older term than the known one is not believed (R-75), unless `topic_is_new`: the topic was
    /// deleted and created again, and its terms begin anew; a position with an epoch is then validated
    /// against the same leader and term too.
    pub(crate) fn on_leader(&mut self, leader: Leader, topic_is_new: bool) -> bool {
        if !topic_is_new && leader.epoch.is_some() && leader.epoch < self.leader.epoch {
            return false;
        }
        let changed = leader != self.leader;
        self.leader = leader;
        // A partition without a leader keeps its position: nobody could validate it.
        if leader.broker.is_none() {
            return changed;
        }
        if let Some(position) = self.known()
            && (position.leader != leader || topic_is_new)
        {
            self.enter(FetchPosition { leader, ..position });
            return true;
        }
        changed
    }

    /// The broker that would answer is too old for the question (R-71).
    pub(crate) fn skip_validation(&mut self) {
        if let FetchState::AwaitValidation(position) = self.state {
            self.state = FetchState::Fetching(position);
        }
    }

    /// The answer to a validation of `asked` (R-72); `policy` is where to go when nobody can tell
    /// where the log was cut, or `None` if the user wants to be told.
    pub(crate) fn validated(
        &mut self,
        asked: FetchPosition,
        answer: EpochEnd,
        policy: Option<ResetTarget>,
    ) -> Validation {
        if self.state != FetchState::AwaitValidation(asked) {
            return Validation::Stale;
        }
        match (answer, policy) {
            (
                EpochEnd {
                    leader_epoch: Some(_),
                    end_offset: Some(end),
                },
                _,
            ) if end >= asked.offset => {
                self.state = FetchState::Fetching(asked);
                Validation::Valid
            }
            (
                EpochEnd {
                    leader_epoch: Some(epoch),
                    end_offset: Some(end),
                },
                Some(_),
            ) => {
                let position = FetchPosition {
                    offset: end,
                    offset_epoch: Some(epoch),
                    leader: asked.leader,
                };
                self.state = FetchState::Fetching(position);
                Validation::MovedTo(end)
            }
            (
                EpochEnd {
                    leader_epoch: Some(_),
                    end_offset: Some(end),
                },
                None,
            ) => Validation::Truncated(Some(end)),
            (EpochEnd { .. }, Some(target)) => {
                self.await_reset(target);
                Validation::Reset
            }
            (EpochEnd { .. }, None) => Validation::Truncated(None),
        }
    }

    fn enter(&mut self, position: FetchPosition) {
        let FetchPosition {
            offset_epoch,
            leader,
            ..
        } = position;
        // Without both epochs there is nothing to compare (R-71).
        let needs_validation = offset_epoch.is_some() && leader.epoch.is_some();
        self.state = if needs_validation {
            FetchState::AwaitValidation(position)
        } else {
            FetchState::Fetching(position)
        };
    }
}

#[cfg(test)]
#[path = "position_tests.rs"]
mod tests;
