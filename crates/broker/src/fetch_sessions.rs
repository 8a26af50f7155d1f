//! Incremental fetch sessions (KIP-227): what a client has asked for, remembered between its requests.

#[cfg(any(test, feature = "_fuzzing"))]
pub(crate) mod operations;

use crate::Time;
use indexmap::IndexMap;
use milena_codec::ErrorCode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Sessions that one broker keeps: `max.incremental.fetch.session.cache.slots`.
const SESSIONS_MAX: usize = 1_000;
/// How long a session must be idle before a new one may take its slot.
const EVICTED_AFTER: Duration = Duration::from_secs(120);

/// The id of no session, and the epochs with a meaning of their own.
pub(crate) const NO_SESSION: i32 = 0;
const FIRST_EPOCH: i32 = 0;
const FINAL_EPOCH: i32 = -1;

/// A partition as clients name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FetchKey {
    /// Empty if the client names topics by their ids.
    pub(crate) topic: Arc<str>,
    /// Nil if the client names topics by their names.
    pub(crate) topic_id: Uuid,
    pub(crate) partition: i32,
}

/// What a client wants of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) offset: i64,
    pub(crate) bytes_max: i32,
    pub(crate) current_leader_epoch: i32,
}

/// What the client was last told of a partition, apart from records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) high_watermark: i64,
    pub(crate) log_start_offset: i64,
}

const NOTHING_TOLD: Told = Told {
    high_watermark: -1,
    log_start_offset: -1,
};

#[derive(Clone, Debug)]
struct Session {
    /// The epoch that the next request must have.
    epoch: i32,
    /// In the order in which they are answered.
    partitions: IndexMap<FetchKey, (Wanted, Told)>,
    by_ids: bool,
    used: Time,
}

/// The sessions of one broker.
#[derive(Clone, Debug, Default)]
pub(crate) struct FetchSessions {
    sessions: BTreeMap<i32, Session>,
}

/// What a Fetch says of its session.
#[derive(Clone, Debug)]
pub(crate) struct SessionRequest {
    pub(crate) session_id: i32,
    pub(crate) session_epoch: i32,
    pub(crate) partitions: Vec<(FetchKey, Wanted)>,
    pub(crate) forgotten: Vec<FetchKey>,
    pub(crate) by_ids: bool,
}

/// What a Fetch comes to: the partitions to be read and how to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FetchPlan {
    pub(crate) partitions: Vec<(FetchKey, Wanted)>,
    pub(crate) kind: PlanKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlanKind {
    /// Everything is told, and nothing remembered.
    Sessionless,
    /// Everything is told, and a session may begin.
    Full,
    /// Only what is new is told.
    Incremental { session_id: i32 },
}

impl FetchSessions {
    /// What a request means.
    ///
    /// # Errors
    /// [`ErrorCode::FetchSessionIdNotFound`], [`ErrorCode::InvalidFetchSessionEpoch`],
    /// [`ErrorCode::FetchSessionTopicIdError`].
    pub(crate) fn plan(
        &mut self,
        request: SessionRequest,
        now: Time,
    ) -> Result<FetchPlan, ErrorCode> {
        let SessionRequest {
            session_id,
            session_epoch,
            partitions,
            forgotten,
            by_ids,
        } = request;
        if session_epoch == FIRST_EPOCH || session_epoch == FINAL_EPOCH {
            self.sessions.remove(&session_id);
            let kind = if session_epoch == FINAL_EPOCH {
                PlanKind::Sessionless
            } else {
                PlanKind::Full
            };
            return Ok(FetchPlan { partitions, kind });
        }
        let Some(session) = self.sessions.get_mut(&session_id) else {
            return Err(ErrorCode::FetchSessionIdNotFound);
        };
        if session.epoch != session_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        let names_something = !(partitions.is_empty() && forgotten.is_empty());
        if names_something && session.by_ids != by_ids {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        session.used = now;
        session.epoch = next_epoch(session_epoch);
        for (key, wanted) in partitions {
            let known = session.partitions.entry(key);
            known.or_insert((wanted, NOTHING_TOLD)).0 = wanted;
        }
        for key in forgotten {
            session.partitions.shift_remove(&key);
        }
        let partitions: Vec<_> = session
            .partitions
            .iter()
            .map(|(key, (wanted, _))| (key.clone(), *wanted))
            .collect();
        if partitions.is_empty() {
            self.sessions.remove(&session_id);
            let kind = PlanKind::Sessionless;
            return Ok(FetchPlan { partitions, kind });
        }
        let kind = PlanKind::Incremental { session_id };
        Ok(FetchPlan { partitions, kind })
    }

    /// Begins a session with these partitions, which have just been told of; [`NO_SESSION`] if there is no
    /// slot.
    pub(crate) fn begin(
        &mut self,
        fresh_id: i32,
        partitions: Vec<(FetchKey, Wanted, Told)>,
        by_ids: bool,
        now: Time,
    ) -> i32 {
        if partitions.is_empty() || fresh_id == NO_SESSION {
            return NO_SESSION;
        }
        if self.sessions.len() >= SESSIONS_MAX && !self.evict(now) {
            return NO_SESSION;
        }
        let partitions = partitions
            .into_iter()
            .map(|(key, wanted, told)| (key, (wanted, told)));
        let session = Session {
            epoch: next_epoch(FIRST_EPOCH),
            partitions: partitions.collect(),
            by_ids,
            used: now,
        };
        self.sessions.insert(fresh_id, session);
        fresh_id
    }

    /// The partitions of a session, none if it is not known.
    pub(crate) fn partitions(&self, session_id: i32) -> impl Iterator<Item = &FetchKey> {
        let session = self.sessions.get(&session_id);
        session
            .into_iter()
            .flat_map(|session| session.partitions.keys())
    }

    fn evict(&mut self, now: Time) -> bool {
        let oldest = self.sessions.iter().min_by_key(|(_, session)| session.used);
        match oldest {
            Some((id, session)) if now.since(session.used) >= EVICTED_AFTER => {
                let id = *id;
                self.sessions.remove(&id);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Whether a partition has news for its session: records, an error, or a watermark that moved. Then it is
    /// noted as told, and one with records goes to the end of the order.
    pub(crate) fn has_news(
        &mut self,
        session_id: i32,
        key: &FetchKey,
        told: Told,
        with_records: bool,
        with_error: bool,
    ) -> bool {
        let Some(session) = self.sessions.get_mut(&session_id) else {
            return true;
        };
        let Some((_, last)) = session.partitions.get_mut(key) else {
            return true;
        };
        let moved = *last != told;
        // After an error, the next good answer is news.
        *last = if with_error { NOTHING_TOLD } else { told };
        if with_records && let Some((key, known)) = session.partitions.shift_remove_entry(key) {
            session.partitions.insert(key, known);
        }
        with_records || with_error || moved
    }
}

const fn next_epoch(epoch: i32) -> i32 {
    match epoch.checked_add(1) {
        Some(next) => next,
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WANTED: Wanted = Wanted {
        offset: 5,
        bytes_max: 100,
        current_leader_epoch: -1,
    };
    const TOLD: Told = Told {
        high_watermark: 5,
        log_start_offset: 0,
    };

    fn key(partition: i32) -> FetchKey {
        FetchKey {
            topic: Arc::from("t"),
            topic_id: Uuid::nil(),
            partition,
        }
    }

    fn request(session_id: i32, session_epoch: i32, partitions: &[i32]) -> SessionRequest {
        SessionRequest {
            session_id,
            session_epoch,
            partitions: partitions.iter().map(|p| (key(*p), WANTED)).collect(),
            forgotten: Vec::new(),
            by_ids: false,
        }
    }

    fn sessions() -> FetchSessions {
        let mut sessions = FetchSessions::default();
        let partitions = vec![(key(0), WANTED, TOLD), (key(1), WANTED, TOLD)];
        assert_eq!(sessions.begin(77, partitions, false, Time::ZERO), 77);
        sessions
    }

    fn plan(sessions: &mut FetchSessions, request: SessionRequest) -> Result<Vec<i32>, ErrorCode> {
        let plan = sessions.plan(request, Time::ZERO)?;
        Ok(plan
            .partitions
            .iter()
            .map(|(key, _)| key.partition)
            .collect())
    }

    ///
    #[test]
    fn a_session_remembers_adds_and_forgets() {
        let mut sessions = sessions();
        assert_eq!(plan(&mut sessions, request(77, 1, &[])), Ok(vec![0, 1]));
        assert_eq!(plan(&mut sessions, request(77, 2, &[2])), Ok(vec![0, 1, 2]));
        let forgets = SessionRequest {
            forgotten: vec![key(0)],
            ..request(77, 3, &[])
        };
        assert_eq!(plan(&mut sessions, forgets), Ok(vec![1, 2]));
    }

    ///
    #[test]
    fn an_unknown_session_a_wrong_epoch_and_other_names_are_refused() {
        let mut sessions = sessions();
        let unknown = plan(&mut sessions, request(78, 1, &[]));
        assert_eq!(unknown, Err(ErrorCode::FetchSessionIdNotFound));
        let epoch = plan(&mut sessions, request(77, 2, &[]));
        assert_eq!(epoch, Err(ErrorCode::InvalidFetchSessionEpoch));
        let by_ids = SessionRequest {
            by_ids: true,
            ..request(77, 1, &[3])
        };
        assert_eq!(
            plan(&mut sessions, by_ids),
            Err(ErrorCode::FetchSessionTopicIdError)
        );
        let closed = sessions.plan(request(77, -1, &[0]), Time::ZERO).unwrap();
        assert_eq!(closed.kind, PlanKind::Sessionless);
        let gone = plan(&mut sessions, request(77, 1, &[]));
        assert_eq!(gone, Err(ErrorCode::FetchSessionIdNotFound));
    }

    ///
    #[test]
    fn only_news_is_told_and_who_had_records_comes_last() {
        let mut sessions = sessions();
        assert!(!sessions.has_news(77, &key(0), TOLD, false, false));
        assert!(sessions.has_news(77, &key(0), TOLD, true, false));
        assert_eq!(plan(&mut sessions, request(77, 1, &[])), Ok(vec![1, 0]));
        let grown = Told {
            high_watermark: 6,
            ..TOLD
        };
        assert!(sessions.has_news(77, &key(1), grown, false, false));
        assert!(!sessions.has_news(77, &key(1), grown, false, false));
        assert!(sessions.has_news(77, &key(1), grown, false, true));
        assert!(sessions.has_news(77, &key(1), grown, false, false));
    }

    #[test]
    fn epochs_go_round_to_one() {
        assert_eq!(next_epoch(0), 1);
        assert_eq!(next_epoch(i32::MAX), 1);
    }

    #[test]
    fn a_full_house_keeps_its_busy_sessions() {
        let mut sessions = FetchSessions::default();
        let mut begin = |id, now| sessions.begin(id, vec![(key(0), WANTED, TOLD)], false, now);
        for id in 1..=1_000 {
            assert_eq!(begin(id, Time::ZERO), id);
        }
        assert_eq!(begin(1_001, Time::ZERO), NO_SESSION);
        assert_eq!(begin(1_001, Time::ZERO + EVICTED_AFTER), 1_001);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        ///
        #[test]
        fn what_a_session_leaves_out_is_as_it_was(
            operations in prop::collection::vec(any::<[u8; 2]>(), 1..200),
        ) {
            operations::run(&operations.concat());
        }
    }
}
