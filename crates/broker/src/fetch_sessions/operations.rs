//! Any fetches of four clients with sessions on one broker, some of their answers lost, of partitions that change.
//!
//! Two bytes are an operation and its argument. A client does with its session what say and keeps what
//! it was told; after an answer it must know each partition as it is. The property test and the fuzz target are two
//! sources of bytes.

use super::{FetchKey, FetchSessions, NO_SESSION, PlanKind, SessionRequest, Told, Wanted};
use crate::Time;
use milena_codec::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A longer run finds no more, and takes longer.
const OPERATIONS_MAX: usize = 400;
const PARTITIONS: usize = 4;

/// A partition as it is.
#[derive(Clone, Copy)]
struct Partition {
    told: Told,
    is_refused: bool,
}

/// A client with at most one session.
#[derive(Default)]
struct Client {
    session_id: i32,
    next_epoch: i32,
    by_ids: bool,
    /// What it reads, from where.
    wanted: BTreeMap<usize, i64>,
    /// What the session knows of that, and has not to be told again.
    said: BTreeMap<usize, i64>,
    /// What it was last told: nothing after an error.
    told: BTreeMap<usize, Option<Told>>,
}

struct World {
    sessions: FetchSessions,
    partitions: [Partition; PARTITIONS],
    clients: [Client; 4],
    names: i32,
    now: Time,
}

/// Runs the operations in `data`. Panics if an invariant is broken.
pub(crate) fn run(data: &[u8]) {
    let partition = Partition {
        told: Told {
            high_watermark: 3,
            log_start_offset: 0,
        },
        is_refused: false,
    };
    let mut world = World {
        sessions: FetchSessions::default(),
        partitions: [partition; PARTITIONS],
        clients: std::array::from_fn(|_| Client::default()),
        names: 0,
        now: Time::ZERO,
    };
    for &[operation, argument] in data.as_chunks().0.iter().take(OPERATIONS_MAX) {
        world.apply(operation % 16, usize::from(argument % 4), argument / 4);
    }
}

fn key(at: usize, by_ids: bool) -> FetchKey {
    let number = i32::try_from(at).unwrap_or(i32::MAX);
    FetchKey {
        topic: Arc::from(if by_ids { "" } else { "t" }),
        topic_id: if by_ids {
            Uuid::from_u128(7)
        } else {
            Uuid::nil()
        },
        partition: number,
    }
}

fn wanted(offset: i64) -> Wanted {
    Wanted {
        offset,
        bytes_max: 100,
        current_leader_epoch: -1,
    }
}

fn place(key: &FetchKey) -> usize {
    usize::try_from(key.partition).unwrap_or(usize::MAX)
}

impl World {
    fn apply(&mut self, operation: u8, slot: usize, how: u8) {
        let at = usize::from(how % 4);
        match operation {
            0..=2 => {
                self.clients[slot].wanted.insert(at, i64::from(how / 4 % 8));
            }
            3 => {
                self.clients[slot].wanted.remove(&at);
            }
            4..=8 => self.fetch(slot, how >= 58),
            9 => self.partitions[at].told.high_watermark += i64::from(how / 4 % 2) + 1,
            10 => {
                let told = &mut self.partitions[at].told;
                told.log_start_offset = (told.log_start_offset + 1).min(told.high_watermark);
            }
            11 => self.partitions[at].is_refused ^= true,
            12 => self.close(slot),
            13 => self.speak_wrongly(slot, how),
            14 => self.now = self.now + Duration::from_secs(u64::from(how)),
            _ => {
                // It forgets its session, as after a broken connection.
                let by_ids = how.is_multiple_of(2);
                let wanted = std::mem::take(&mut self.clients[slot].wanted);
                self.clients[slot] = Client {
                    wanted,
                    by_ids,
                    ..Client::default()
                };
            }
        }
    }

    /// A fetch as the protocol has it: all of it at first, then what has changed.
    fn fetch(&mut self, slot: usize, is_lost: bool) {
        let client = &self.clients[slot];
        let is_new = |(at, offset): &(&usize, &i64)| client.said.get(*at) != Some(*offset);
        let changed = client.wanted.iter().filter(is_new);
        let gone = client
            .said
            .keys()
            .filter(|at| !client.wanted.contains_key(at));
        let request = SessionRequest {
            session_id: client.session_id,
            session_epoch: if client.session_id == NO_SESSION {
                0
            } else {
                client.next_epoch
            },
            partitions: changed
                .map(|(at, offset)| (key(*at, client.by_ids), wanted(*offset)))
                .collect(),
            forgotten: gone.map(|at| key(*at, client.by_ids)).collect(),
            by_ids: client.by_ids,
        };
        let was_full = request.session_epoch == 0;
        let plan = match self.sessions.plan(request, self.now) {
            Ok(plan) => plan,
            Err(code) => {
                assert!(!was_full, "R-81: {code:?}");
                self.clients[slot].begin_anew();
                return;
            }
        };
        let planned: BTreeMap<_, _> = plan
            .partitions
            .iter()
            .map(|(key, wanted)| (place(key), wanted.offset))
            .collect();
        assert_eq!(planned.len(), plan.partitions.len(), "one of them twice");
        assert_eq!(planned, self.clients[slot].wanted, "R-82, R-83");
        self.answer(slot, &plan.partitions, plan.kind, is_lost);
    }

    /// Answers as Fetch does: everything, or what is news.
    fn answer(&mut self, slot: usize, parts: &[(FetchKey, Wanted)], kind: PlanKind, is_lost: bool) {
        let by_ids = self.clients[slot].by_ids;
        let partitions = self.partitions;
        let told_of = |key: &FetchKey| {
            let partition = partitions[place(key)];
            let nothing = Told {
                high_watermark: -1,
                log_start_offset: -1,
            };
            if partition.is_refused {
                nothing
            } else {
                partition.told
            }
        };
        let mut answered = BTreeSet::new();
        let session_id = match kind {
            PlanKind::Sessionless => NO_SESSION,
            PlanKind::Full => {
                self.names += 1;
                let parts = parts.iter();
                let told = parts.map(|(key, wanted)| (key.clone(), *wanted, told_of(key)));
                let told: Vec<_> = told.collect();
                answered.extend(told.iter().map(|(key, ..)| place(key)));
                self.sessions.begin(self.names, told, by_ids, self.now)
            }
            PlanKind::Incremental { session_id } => {
                for (key, wanted) in parts {
                    let partition = partitions[place(key)];
                    let is_refused = partition.is_refused;
                    let has_records = !is_refused && wanted.offset < partition.told.high_watermark;
                    let told = told_of(key);
                    let is_news =
                        self.sessions
                            .has_news(session_id, key, told, has_records, is_refused);
                    assert!(is_news || !has_records && !is_refused, "R-84");
                    if is_news {
                        answered.insert(place(key));
                    }
                }
                self.check_order(session_id, parts, by_ids);
                session_id
            }
        };
        let client = &mut self.clients[slot];
        if is_lost {
            return client.begin_anew();
        }
        for at in answered {
            let partition = partitions[at];
            let told = (!partition.is_refused).then_some(partition.told);
            client.told.insert(at, told);
        }
        // The point of a session: what was left out is as it was told before.
        for at in client.wanted.keys() {
            let partition = partitions[*at];
            let is = (!partition.is_refused).then_some(partition.told);
            assert!(
                kind == PlanKind::Sessionless || client.told.get(at) == Some(&is),
                "R-84: {at} is not known as it is"
            );
        }
        client.session_id = session_id;
        if session_id == NO_SESSION {
            client.begin_anew();
        } else {
            let is_first = kind == PlanKind::Full;
            client.next_epoch = if is_first { 1 } else { client.next_epoch + 1 };
            client.said = client.wanted.clone();
            client.told.retain(|at, _| client.wanted.contains_key(at));
        }
    }

    /// those with records come last the next time, the others keep their order.
    fn check_order(&self, session_id: i32, parts: &[(FetchKey, Wanted)], by_ids: bool) {
        let has_records = |(key, wanted): &&(FetchKey, Wanted)| {
            let partition = self.partitions[place(key)];
            !partition.is_refused && wanted.offset < partition.told.high_watermark
        };
        let without = parts.iter().filter(|part| !has_records(part));
        let expected: Vec<_> = without.chain(parts.iter().filter(has_records)).collect();
        let order: Vec<_> = self.sessions.partitions(session_id).collect();
        let expected: Vec<_> = expected.iter().map(|(key, _)| key).collect();
        assert_eq!(order, expected, "by ids: {by_ids}");
    }

    /// the last request of a session; it is gone whatever it had.
    fn close(&mut self, slot: usize) {
        let client = &self.clients[slot];
        let request = SessionRequest {
            session_id: client.session_id,
            session_epoch: -1,
            partitions: Vec::new(),
            forgotten: Vec::new(),
            by_ids: client.by_ids,
        };
        let plan = self.sessions.plan(request, self.now);
        assert_eq!(plan.map(|plan| plan.kind), Ok(PlanKind::Sessionless));
        assert!(
            self.sessions
                .partitions(self.clients[slot].session_id)
                .next()
                .is_none()
        );
        self.clients[slot].begin_anew();
    }

    /// A wrong epoch, an unknown session, or the other kind of names: refused, and nothing changes.
    fn speak_wrongly(&mut self, slot: usize, how: u8) {
        let client = &self.clients[slot];
        if client.session_id == NO_SESSION {
            return;
        }
        let before: Vec<_> = self
            .sessions
            .partitions(client.session_id)
            .cloned()
            .collect();
        let off = i32::from(how / 4 % 4) + 1;
        let (session_id, session_epoch, by_ids, code) = match how % 4 {
            0 => (
                client.session_id + 1_000_000,
                client.next_epoch,
                client.by_ids,
                ErrorCode::FetchSessionIdNotFound,
            ),
            1 => (
                client.session_id,
                client.next_epoch + off,
                client.by_ids,
                ErrorCode::InvalidFetchSessionEpoch,
            ),
            2 if client.next_epoch > off => (
                client.session_id,
                client.next_epoch - off,
                client.by_ids,
                ErrorCode::InvalidFetchSessionEpoch,
            ),
            _ => (
                client.session_id,
                client.next_epoch,
                !client.by_ids,
                ErrorCode::FetchSessionTopicIdError,
            ),
        };
        let request = SessionRequest {
            session_id,
            session_epoch,
            partitions: vec![(key(0, by_ids), wanted(1))],
            forgotten: vec![key(1, by_ids)],
            by_ids,
        };
        // Nobody closes another's session here, and there is room for all of them: it is there.
        assert_eq!(self.sessions.plan(request, self.now), Err(code), "R-85");
        let after: Vec<_> = self
            .sessions
            .partitions(client.session_id)
            .cloned()
            .collect();
        assert_eq!(before, after);
    }
}

impl Client {
    fn begin_anew(&mut self) {
        self.session_id = NO_SESSION;
        self.next_epoch = 0;
        self.said.clear();
        self.told.clear();
    }
}
