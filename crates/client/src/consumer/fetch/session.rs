//! A fetch session with one broker (KIP-227, R-80 to R-91): a Fetch names only the partitions that
//! changed since the last one, and its answer only those that have something to tell.
//!
//! ```text
//!   Initial ──full (0,0)──► answer id = n ──► Established(n, epoch 1, 2, …)
//!      ▲  │                                     │           │
//!      │  └─ answer id = 0: refused ─┐          │ error 70  │ any other error, a malformed answer,
//!      └─────────────────────────────┘          │           │ no answer, topic ids come or go
//!      ▲                                        │           ▼
//!      ├────────────────────────────────────────┘        Closing(n)
//!      └───────────── full (n,0): closes n, opens a new one ──┘
//! ```

use std::collections::{HashMap, HashSet};

use milena_codec::ErrorCode;
use uuid::Uuid;

use crate::types::TopicPartition;

/// What is asked of one partition; the session repeats it only when it changes (R-82).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) topic_id: Option<Uuid>,
    pub(crate) fetch_offset: i64,
    pub(crate) bytes_max: i32,
    pub(crate) current_leader_epoch: Option<i32>,
}

/// The session's part of one Fetch request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) session_id: i32,
    pub(crate) session_epoch: i32,
    /// Whether topics are named by id, which needs version 13; otherwise by name, which needs
    /// version 12 or lower (R-88).
    pub(crate) by_topic_id: bool,
    pub(crate) send: Vec<(TopicPartition, Want)>,
    pub(crate) forget: Vec<(TopicPartition, Option<Uuid>)>,
}

impl Plan {
    fn is_full(&self) -> bool {
        self.session_epoch == FULL || self.session_epoch == SESSIONLESS
    }
}

/// The session's part of one Fetch answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) error: ErrorCode,
    pub(crate) session_id: i32,
    pub(crate) throttled: bool,
    /// The partitions of the answer that could be told apart; each once.
    pub(crate) partitions: &'a HashSet<TopicPartition>,
    /// Whether the answer named a topic or a partition that this client does not know.
    pub(crate) names_strangers: bool,
}

/// Why an answer may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The broker refused the whole request, most often because it no longer knows the session or
    /// does not agree on its epoch.
    Code(ErrorCode),
    /// The same, and what is known of topic ids may be old (R-85).
    TopicIds,
    /// The broker is busy: an empty answer to a full request, to be asked again (R-87).
    Throttled,
    /// The answer does not fit the request.
    Malformed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Initial,
    Established { id: i32, next_epoch: i32 },
    Closing { id: i32 },
}

/// The session with one broker. At most one request is out at any time (R-80): after [`Session::plan`]
/// comes one of [`Session::answered`] and [`Session::failed`].
#[derive(Debug)]
pub(crate) struct Session {
    stage: Stage,
    /// What the broker holds for this session, as of the last request sent.
    held: HashMap<TopicPartition, Want>,
    by_topic_id: bool,
    asked_full: bool,
}

impl Session {
    pub(crate) fn new() -> Self {
        Self {
            stage: Stage::Initial,
            held: HashMap::new(),
            by_topic_id: false,
            asked_full: true,
        }
    }

    /// The next request for `wanted`, in this order. `topic_ids_supported`: the broker speaks
    /// version 13 or higher; `sessions_supported`: version 7 or higher.
    pub(crate) fn plan(
        &mut self,
        wanted: Vec<(TopicPartition, Want)>,
        topic_ids_supported: bool,
        sessions_supported: bool,
    ) -> Plan {
        let by_topic_id =
            topic_ids_supported && wanted.iter().all(|(_, want)| want.topic_id.is_some());
        // A session that is to name topics the other way is closed; the broker would answer 106
        // (R-88).
        if by_topic_id != self.by_topic_id
            && let Stage::Established { id, .. } = self.stage
        {
            self.stage = Stage::Closing { id };
        }
        self.by_topic_id = by_topic_id;
        let plan = match self.stage {
            Stage::Established { id, next_epoch } => self.incremental(id, next_epoch, wanted),
            Stage::Initial if !sessions_supported => full(0, SESSIONLESS, by_topic_id, wanted),
            Stage::Initial => full(0, FULL, by_topic_id, wanted),
            Stage::Closing { id } => full(id, FULL, by_topic_id, wanted),
        };
        self.asked_full = plan.is_full();
        if self.asked_full {
            self.held = plan.send.iter().cloned().collect();
        }
        plan
    }

    /// Takes the answer into account; `Err` if nothing in it may be used.
    pub(crate) fn answered(&mut self, answer: &Answer<'_>) -> Result<(), Refused> {
        if !answer.error.is_none() {
            return Err(self.refused(answer.error));
        }
        if answer.session_id < 0 {
            return Err(self.malformed());
        }
        if answer.names_strangers {
            return Err(if self.asked_full {
                self.malformed_new(answer.session_id)
            } else {
                self.malformed()
            });
        }
        if self.asked_full {
            self.full_answered(answer)
        } else {
            self.incremental_answered(answer)
        }
    }

    /// No answer came. The broker may or may not have counted the request, so its epoch is unknown
    /// and the session starts over (R-86).
    pub(crate) fn failed(&mut self) {
        self.start_over();
    }

    /// The id of the session to close when the consumer ends (R-90).
    pub(crate) fn id_to_close(&self) -> Option<i32> {
        match self.stage {
            Stage::Established { id, .. } | Stage::Closing { id } => Some(id),
            Stage::Initial => None,
        }
    }

    /// Whether the session covers a partition, as of the last request.
    #[cfg(test)]
    pub(crate) fn covers(&self, partition: &TopicPartition) -> bool {
        self.held.contains_key(partition)
    }

    fn incremental(&mut self, id: i32, epoch: i32, wanted: Vec<(TopicPartition, Want)>) -> Plan {
        let mut held = std::mem::take(&mut self.held);
        let mut send = Vec::new();
        let mut forget = Vec::new();
        for (partition, want) in wanted {
            let before = held.remove(&partition);
            if before != Some(want) {
                // A topic that was deleted and created again is another topic (R-82).
                if let Some(before) = before
                    && before.topic_id != want.topic_id
                {
                    forget.push((partition.clone(), before.topic_id));
                }
                send.push((partition.clone(), want));
            }
            self.held.insert(partition, want);
        }
        forget.extend(
            held.into_iter()
                .map(|(partition, want)| (partition, want.topic_id)),
        );
        forget.sort_unstable();
        Plan {
            session_id: id,
            session_epoch: epoch,
            by_topic_id: self.by_topic_id,
            send,
            forget,
        }
    }

    fn refused(&mut self, error: ErrorCode) -> Refused {
        if error == ErrorCode::FetchSessionIdNotFound {
            // There is nothing left to close (R-85).
            self.stage = Stage::Initial;
        } else {
            self.start_over();
        }
        if error == ErrorCode::FetchSessionTopicIdError {
            Refused::TopicIds
        } else {
            Refused::Code(error)
        }
    }

    fn full_answered(&mut self, answer: &Answer<'_>) -> Result<(), Refused> {
        // A full answer tells something of every partition (R-83) ...
        if answer.partitions.len() != self.held.len() {
            // ... except when the broker answers early because of a quota (R-87).
            if answer.partitions.is_empty() && answer.throttled {
                self.stage = Stage::Initial;
                return Err(Refused::Throttled);
            }
            return Err(self.malformed_new(answer.session_id));
        }
        if !answer
            .partitions
            .iter()
            .all(|partition| self.held.contains_key(partition))
        {
            return Err(self.malformed_new(answer.session_id));
        }
        self.stage = match answer.session_id {
            // The broker has no room for another session; ask again with the next request (R-81).
            0 => Stage::Initial,
            id => Stage::Established { id, next_epoch: 1 },
        };
        Ok(())
    }

    fn incremental_answered(&mut self, answer: &Answer<'_>) -> Result<(), Refused> {
        let Stage::Established { id, next_epoch } = self.stage else {
            return Err(self.malformed());
        };
        // A partition that is absent has nothing new (R-83); one that was not asked for is an error.
        if !answer
            .partitions
            .iter()
            .all(|partition| self.held.contains_key(partition))
        {
            return Err(self.malformed());
        }
        self.stage = match answer.session_id {
            0 => Stage::Initial,
            same if same == id => Stage::Established {
                id,
                next_epoch: epoch_after(next_epoch),
            },
            _ => return Err(self.malformed()),
        };
        Ok(())
    }

    /// The answer is of no use, but the broker has opened the session it names.
    fn malformed_new(&mut self, id: i32) -> Refused {
        if id != 0 {
            self.stage = Stage::Closing { id };
        }
        self.malformed()
    }

    fn malformed(&mut self) -> Refused {
        self.start_over();
        Refused::Malformed
    }

    fn start_over(&mut self) {
        self.stage = match self.stage {
            Stage::Established { id, .. } | Stage::Closing { id } => Stage::Closing { id },
            Stage::Initial => Stage::Initial,
        };
    }
}

fn full(id: i32, epoch: i32, by_topic_id: bool, wanted: Vec<(TopicPartition, Want)>) -> Plan {
    Plan {
        session_id: id,
        session_epoch: epoch,
        by_topic_id,
        send: wanted,
        forget: Vec::new(),
    }
}

/// Session epochs count from 1 and, after the highest, from 1 again (R-81).
fn epoch_after(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

/// Epoch of a full request that asks for a session.
const FULL: i32 = 0;
/// Epoch of a full request that wants none; also the epoch that closes a session.
pub(crate) const SESSIONLESS: i32 = -1;

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
