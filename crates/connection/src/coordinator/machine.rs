//! Which coordinators to look up, and when again; without any IO.
//!
//! ```text
//!            want                  poll             on_answer: a broker
//!  unknown ───────> wanted{since} ──────> asked ───────────────────────> known ──forget──> unknown
//!                     ^  poll once the back-off is over │
//!                     └──── on_answer: retriable code, or on_failure ──┤
//!                                       any other code, or the deadline passed ──> failed (told once), unknown
//! ```
//! One lookup per kind is in flight at most, for all keys that wait, as far as the version can carry
//! them. What a coordinator answered later is not seen here: whoever gets NOT_COORDINATOR calls
//! `forget` (T-21).

use super::CoordinatorKind;
use crate::backoff::Backoff;
use crate::judgement::judge;
use kafka_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;
use milena_codec::ErrorCode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// The first version of FindCoordinator that carries several keys.
const VERSION_WITH_KEYS: i16 = 4;
/// Keys in one lookup, at most.
const KEYS_PER_QUERY_MAX: usize = 100;

/// The oldest version that can look up a coordinator of this kind.
#[must_use]
pub fn version_min(kind: CoordinatorKind) -> i16 {
    match kind {
        CoordinatorKind::Group => 0,
        CoordinatorKind::Transaction => 1,
    }
}

/// The settings that matter here; see `ConnectionConfig` for what they mean.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `refresh_backoff`
    pub backoff: Backoff,
    /// `coordinators_max`
    pub coordinators_max: usize,
    /// Decides the jitter.
    pub seed: u64,
}

/// A lookup to send to any broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// What the coordinators are for.
    pub kind: CoordinatorKind,
    /// The groups or transactional ids, at least one.
    pub keys: Vec<Arc<str>>,
}

impl Query {
    /// The lookup in a version of FindCoordinator, and how many of the keys, from the front, are in it.
    #[must_use]
    pub fn request(&self, api_version: i16) -> (FindCoordinatorRequest, usize) {
        let text = |key: &Arc<str>| StrBytes::from_string(key.to_string());
        let request = FindCoordinatorRequest::default();
        if api_version >= VERSION_WITH_KEYS {
            let keys = self.keys.iter().map(text).collect();
            let request = request
                .with_key_type(self.kind.key_type())
                .with_coordinator_keys(keys);
            return (request, self.keys.len());
        }
        let key = self.keys.first().map(text).unwrap_or_default();
        // Version 0 has no key type, it is about groups.
        let key_type = if api_version >= 1 {
            self.kind.key_type()
        } else {
            0
        };
        (request.with_key_type(key_type).with_key(key), 1)
    }
}

/// A coordinator, as FindCoordinator names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The broker's id.
    pub broker_id: i32,
    /// Where it listens.
    pub host: String,
    /// Where it listens.
    pub port: i32,
}

/// What a lookup found out, key by key.
#[must_use]
pub fn read_response(
    response: &FindCoordinatorResponse,
    query: &Query,
    api_version: i16,
) -> Vec<(Arc<str>, Result<Found, ErrorCode>)> {
    let outcome = |code: i16, broker_id: i32, host: &str, port: i32| {
        ErrorCode::from(code).into_result()?;
        Ok(Found {
            broker_id,
            host: host.to_owned(),
            port,
        })
    };
    if api_version >= VERSION_WITH_KEYS {
        let answers = response.coordinators.iter().filter_map(|answer| {
            let key = query.keys.iter().find(|key| ***key == *answer.key)?;
            let broker_id = answer.node_id.0;
            Some((
                Arc::clone(key),
                outcome(answer.error_code, broker_id, &answer.host, answer.port),
            ))
        });
        return answers.collect();
    }
    let answer = outcome(
        response.error_code,
        response.node_id.0,
        &response.host,
        response.port,
    );
    query
        .keys
        .first()
        .map(|key| (Arc::clone(key), answer))
        .into_iter()
        .collect()
}

/// Whether a lookup that got this code is repeated, with back-off (T-22).
#[must_use]
pub fn is_retriable(code: ErrorCode) -> bool {
    judge(code).passes()
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Asked,
    Known {
        broker_id: i32,
    },
    /// Waits to be asked, until `not_before` if there is one.
    Wanted {
        not_before: Option<Instant>,
    },
}

#[derive(Clone, Debug)]
struct Entry {
    state: State,
    /// Until when somebody waits for it.
    deadline: Instant,
    attempt: u32,
    /// Why the last time failed.
    last: Option<ErrorCode>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Nothing, until somebody calls.
    Idle,
    /// Send this.
    Send(Query),
    /// Nothing, until then.
    WaitUntil(Instant),
}

/// A lookup that is over without a coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What the coordinator is for.
    pub kind: CoordinatorKind,
    /// The group or transactional id.
    pub key: Arc<str>,
    /// The last code that a broker gave; `None` if none answered.
    pub code: Option<ErrorCode>,
}

/// The coordinators that are known, and the lookups of the others.
#[derive(Debug)]
pub struct CoordinatorMachine {
    settings: Settings,
    random: fastrand::Rng,
    entries: BTreeMap<(CoordinatorKind, Arc<str>), Entry>,
    in_flight: BTreeMap<CoordinatorKind, Query>,
}

impl CoordinatorMachine {
    /// A machine that knows nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let random = fastrand::Rng::with_seed(settings.seed);
        Self {
            settings,
            random,
            entries: BTreeMap::new(),
            in_flight: BTreeMap::new(),
        }
    }

    /// The coordinator, if it is known.
    #[must_use]
    pub fn known(&self, kind: CoordinatorKind, key: &Arc<str>) -> Option<i32> {
        match self.entries.get(&(kind, Arc::clone(key)))?.state {
            State::Known { broker_id } => Some(broker_id),
            State::Asked | State::Wanted { .. } => None,
        }
    }

    /// The coordinator, or else a wish to look it up until `deadline`.
    pub fn want(
        &mut self,
        kind: CoordinatorKind,
        key: &Arc<str>,
        deadline: Instant,
    ) -> Option<i32> {
        if let Some(entry) = self.entries.get_mut(&(kind, Arc::clone(key))) {
            entry.deadline = entry.deadline.max(deadline);
            return self.known(kind, key);
        }
        self.make_room();
        let state = State::Wanted { not_before: None };
        let entry = Entry {
            state,
            deadline,
            attempt: 0,
            last: None,
        };
        self.entries.insert((kind, Arc::clone(key)), entry);
        None
    }

    /// The last code that a broker gave instead of a coordinator that is still being looked up.
    #[must_use]
    pub fn last_code(&self, kind: CoordinatorKind, key: &Arc<str>) -> Option<ErrorCode> {
        self.entries.get(&(kind, Arc::clone(key)))?.last
    }

    /// The coordinator is not this broker any more. Says nothing if another one is known by now: two
    /// requests that fail together must not undo the lookup in between.
    pub fn forget(&mut self, kind: CoordinatorKind, key: &Arc<str>, broker_id: Option<i32>) {
        let at = (kind, Arc::clone(key));
        if let Some(known) = self.known(kind, key)
            && broker_id.is_none_or(|wrong| wrong == known)
        {
            self.entries.remove(&at);
        }
    }

    /// The next thing to do at `now`, and the lookups that are over because nobody waits any longer.
    pub fn poll(&mut self, now: Instant, failed: &mut Vec<Failed>) -> Output {
        self.expire(now, failed);
        for kind in [CoordinatorKind::Group, CoordinatorKind::Transaction] {
            if self.in_flight.contains_key(&kind) {
                continue;
            }
            let query = self.due(kind, now);
            if !query.keys.is_empty() {
                self.in_flight.insert(kind, query.clone());
                return Output::Send(query);
            }
        }
        // While a lookup of its kind is under way, the end of a key's back-off changes nothing: to wait
        // for that, once it has passed, would be not to wait at all.
        let in_flight = &self.in_flight;
        let next = self.entries.iter().filter_map(|((kind, _), entry)| {
            let State::Wanted { not_before } = entry.state else {
                return None;
            };
            let due = not_before.filter(|_| !in_flight.contains_key(kind));
            Some(due.map_or(entry.deadline, |at| at.min(entry.deadline)))
        });
        next.min().map_or(Output::Idle, Output::WaitUntil)
    }

    /// Marks the keys of a kind that may be asked for at `now` as asked.
    fn due(&mut self, kind: CoordinatorKind, now: Instant) -> Query {
        let mut keys = Vec::new();
        for ((of, key), entry) in &mut self.entries {
            let due = match entry.state {
                State::Wanted { not_before } => not_before.is_none_or(|at| at <= now),
                State::Asked | State::Known { .. } => false,
            };
            if *of == kind && due && keys.len() < KEYS_PER_QUERY_MAX {
                entry.state = State::Asked;
                keys.push(Arc::clone(key));
            }
        }
        Query { kind, keys }
    }

    fn expire(&mut self, now: Instant, failed: &mut Vec<Failed>) {
        self.entries.retain(|(kind, key), entry| {
            let over = matches!(entry.state, State::Wanted { .. }) && entry.deadline <= now;
            if over {
                failed.push(Failed {
                    kind: *kind,
                    key: Arc::clone(key),
                    code: entry.last,
                });
            }
            !over
        });
    }

    /// The answer to the lookup of this kind arrived. Keys that it leaves out are asked for again: at once
    /// if it told of others, after a back-off if it told of none that was asked for. The first answer for
    /// a key counts.
    pub fn on_answer(
        &mut self,
        now: Instant,
        kind: CoordinatorKind,
        answers: Vec<(Arc<str>, Result<i32, ErrorCode>)>,
        failed: &mut Vec<Failed>,
    ) {
        let asked = self.in_flight.remove(&kind);
        for (key, answer) in answers {
            let at = (kind, Arc::clone(&key));
            let entry = self.entries.get_mut(&at);
            let Some(entry) = entry.filter(|entry| entry.state == State::Asked) else {
                continue;
            };
            match answer {
                Ok(broker_id) => {
                    entry.state = State::Known { broker_id };
                    entry.attempt = 0;
                    entry.last = None;
                }
                Err(code) if is_retriable(code) => {
                    entry.last = Some(code);
                    back_off(entry, now, &self.settings.backoff, &mut self.random);
                }
                Err(code) => {
                    self.entries.remove(&at);
                    failed.push(Failed {
                        kind,
                        key,
                        code: Some(code),
                    });
                }
            }
        }
        let mut left_out = asked.map(|query| query.keys).unwrap_or_default();
        let keys = left_out.len();
        left_out.retain(|key| {
            let entry = self.entries.get(&(kind, Arc::clone(key)));
            entry.is_some_and(|entry| entry.state == State::Asked)
        });
        // A version without batches answers one key only; the others wait for no back-off. An answer
        // that tells nothing must not be asked for again and again without a pause (L-26).
        let told_something = left_out.len() < keys;
        for key in left_out {
            if let Some(entry) = self.entries.get_mut(&(kind, key)) {
                if told_something {
                    entry.state = State::Wanted { not_before: None };
                } else {
                    back_off(entry, now, &self.settings.backoff, &mut self.random);
                }
            }
        }
    }

    /// The lookup of this kind was not answered. All its keys are asked for again after a back-off.
    /// Returns them: with `final_failure` they are over instead.
    pub fn on_failure(
        &mut self,
        now: Instant,
        kind: CoordinatorKind,
        final_failure: bool,
    ) -> Vec<Arc<str>> {
        let keys = self
            .in_flight
            .remove(&kind)
            .map(|query| query.keys)
            .unwrap_or_default();
        for key in &keys {
            let at = (kind, Arc::clone(key));
            if final_failure {
                self.entries.remove(&at);
            } else if let Some(entry) = self.entries.get_mut(&at) {
                back_off(entry, now, &self.settings.backoff, &mut self.random);
            }
        }
        keys
    }

    /// Keeps the number of entries bounded. A coordinator that is known can be found again. There may be more than
    /// one too many: lookups that somebody waited for together.
    fn make_room(&mut self) {
        while self.entries.len() >= self.settings.coordinators_max {
            let known = |entry: &Entry| matches!(entry.state, State::Known { .. });
            let mut entries = self.entries.iter();
            let Some((at, _)) = entries.find(|(_, entry)| known(entry)) else {
                return;
            };
            let at = at.clone();
            self.entries.remove(&at);
        }
    }
}

fn back_off(entry: &mut Entry, now: Instant, backoff: &Backoff, random: &mut fastrand::Rng) {
    entry.attempt = entry.attempt.saturating_add(1);
    let wait = backoff.delay(entry.attempt, random);
    entry.state = State::Wanted {
        not_before: Some(now + wait),
    };
}

#[cfg(test)]
#[path = "operations_tests.rs"]
mod operations;

#[cfg(test)]
#[path = "table_tests.rs"]
mod table;

#[cfg(test)]
mod tests {
    use super::*;
    use CoordinatorKind::{Group, Transaction};
    use kafka_protocol::messages::BrokerId;
    use kafka_protocol::messages::find_coordinator_response::Coordinator;
    use std::time::Duration;

    const INITIAL: Duration = Duration::from_millis(100);
    const SECOND: Duration = Duration::from_secs(1);

    fn machine() -> CoordinatorMachine {
        let backoff = Backoff {
            initial: INITIAL,
            max: SECOND,
            multiplier: 2.0,
            jitter: 0.0,
        };
        CoordinatorMachine::new(Settings {
            backoff,
            coordinators_max: 3,
            seed: 1,
        })
    }

    fn poll(machine: &mut CoordinatorMachine, now: Instant) -> Output {
        let mut failed = Vec::new();
        let output = machine.poll(now, &mut failed);
        assert_eq!(failed, []);
        output
    }

    fn sent(kind: CoordinatorKind, keys: &[&str]) -> Output {
        Output::Send(Query {
            kind,
            keys: keys.iter().map(|key| (*key).into()).collect(),
        })
    }

    fn answer(
        machine: &mut CoordinatorMachine,
        now: Instant,
        kind: CoordinatorKind,
        answers: &[(&str, Result<i32, ErrorCode>)],
    ) -> Vec<Failed> {
        let mut failed = Vec::new();
        let answers = answers
            .iter()
            .map(|(key, answer)| ((*key).into(), *answer))
            .collect();
        machine.on_answer(now, kind, answers, &mut failed);
        failed
    }

    #[test]
    fn keys_that_wait_together_are_looked_up_together_and_kinds_apart() {
        let mut machine = machine();
        let now = Instant::now();
        for (kind, key) in [(Transaction, "b"), (Group, "a"), (Transaction, "a")] {
            assert_eq!(machine.want(kind, &key.into(), now + SECOND), None);
        }
        assert_eq!(poll(&mut machine, now), sent(Group, &["a"]));
        assert_eq!(poll(&mut machine, now), sent(Transaction, &["a", "b"]));
        assert_eq!(poll(&mut machine, now), Output::Idle);
        assert_eq!(
            answer(
                &mut machine,
                now,
                Transaction,
                &[("a", Ok(1)), ("b", Ok(2))]
            ),
            []
        );
        assert_eq!(machine.want(Transaction, &"a".into(), now), Some(1));
        assert_eq!(machine.want(Transaction, &"b".into(), now), Some(2));
        assert_eq!(
            machine.want(Group, &"a".into(), now),
            None,
            "another kind, another coordinator"
        );
    }

    #[test]
    fn a_key_that_was_left_out_is_asked_for_next() {
        let mut machine = machine();
        let now = Instant::now();
        machine.want(Group, &"a".into(), now + SECOND);
        machine.want(Group, &"b".into(), now + SECOND);
        assert_eq!(poll(&mut machine, now), sent(Group, &["a", "b"]));
        answer(&mut machine, now, Group, &[("a", Ok(1))]);
        assert_eq!(poll(&mut machine, now), sent(Group, &["b"]));
    }

    #[test]
    fn an_answer_that_tells_of_no_key_is_followed_by_a_back_off() {
        // L-26: a broker that answers so for ever is asked with growing pauses.
        for useless in [&[][..], &[("nobody asked", Ok(1))]] {
            let mut machine = machine();
            let mut now = Instant::now();
            machine.want(Group, &"a".into(), now + SECOND);
            for wait in [100, 200, 400] {
                assert_eq!(poll(&mut machine, now), sent(Group, &["a"]));
                assert_eq!(answer(&mut machine, now, Group, useless), []);
                now += Duration::from_millis(wait);
                let early = now - Duration::from_millis(1);
                assert_eq!(poll(&mut machine, early), Output::WaitUntil(now));
            }
        }
    }

    #[test]
    fn a_back_off_that_ends_during_a_lookup_is_not_waited_for() {
        let mut machine = machine();
        let now = Instant::now();
        machine.want(Group, &"a".into(), now + SECOND);
        poll(&mut machine, now);
        let busy = Err(ErrorCode::CoordinatorNotAvailable);
        answer(&mut machine, now, Group, &[("a", busy)]);
        machine.want(Group, &"b".into(), now + SECOND);
        assert_eq!(poll(&mut machine, now), sent(Group, &["b"]));
        let later = now + 2 * INITIAL;
        assert_eq!(poll(&mut machine, later), Output::WaitUntil(now + SECOND));
        answer(&mut machine, later, Group, &[("b", Ok(1))]);
        assert_eq!(poll(&mut machine, later), sent(Group, &["a"]));
    }

    #[test]
    fn only_the_first_answer_for_a_key_counts() {
        let mut machine = machine();
        let now = Instant::now();
        machine.want(Group, &"a".into(), now + SECOND);
        poll(&mut machine, now);
        let refused = Err(ErrorCode::GroupAuthorizationFailed);
        let answers = [("a", Ok(1)), ("a", Ok(2)), ("a", refused)];
        assert_eq!(answer(&mut machine, now, Group, &answers), []);
        assert_eq!(machine.known(Group, &"a".into()), Some(1));
    }

    #[test]
    fn a_code_that_passes_is_waited_out_until_the_deadline() {
        let mut machine = machine();
        let start = Instant::now();
        let mut now = start;
        machine.want(Transaction, &"a".into(), start + SECOND);
        for wait in [100, 200, 400] {
            assert_eq!(poll(&mut machine, now), sent(Transaction, &["a"]));
            let busy = Err(ErrorCode::CoordinatorNotAvailable);
            assert_eq!(answer(&mut machine, now, Transaction, &[("a", busy)]), []);
            let due = now + Duration::from_millis(wait);
            assert_eq!(poll(&mut machine, now), Output::WaitUntil(due));
            now = due;
        }
        poll(&mut machine, now);
        let loading = Err(ErrorCode::CoordinatorLoadInProgress);
        answer(&mut machine, now, Transaction, &[("a", loading)]);
        assert_eq!(poll(&mut machine, now), Output::WaitUntil(start + SECOND));
        let mut failed = Vec::new();
        assert_eq!(machine.poll(start + SECOND, &mut failed), Output::Idle);
        let code = Some(ErrorCode::CoordinatorLoadInProgress);
        assert_eq!(
            failed,
            [Failed {
                kind: Transaction,
                key: "a".into(),
                code
            }]
        );
    }

    #[test]
    fn any_other_code_is_told_at_once() {
        let mut machine = machine();
        let now = Instant::now();
        machine.want(Transaction, &"a".into(), now + SECOND);
        poll(&mut machine, now);
        let code = ErrorCode::TransactionalIdAuthorizationFailed;
        let failed = answer(&mut machine, now, Transaction, &[("a", Err(code))]);
        assert_eq!(
            failed,
            [Failed {
                kind: Transaction,
                key: "a".into(),
                code: Some(code)
            }]
        );
        assert_eq!(poll(&mut machine, now), Output::Idle);
    }

    #[test]
    fn a_forgotten_coordinator_is_looked_up_again() {
        let mut machine = machine();
        let now = Instant::now();
        machine.want(Group, &"a".into(), now + SECOND);
        poll(&mut machine, now);
        answer(&mut machine, now, Group, &[("a", Ok(1))]);
        machine.forget(Group, &"a".into(), Some(2));
        assert_eq!(
            machine.known(Group, &"a".into()),
            Some(1),
            "the news was about another one"
        );
        machine.forget(Group, &"a".into(), Some(1));
        assert_eq!(machine.want(Group, &"a".into(), now + SECOND), None);
        assert_eq!(poll(&mut machine, now), sent(Group, &["a"]));
        machine.forget(Group, &"a".into(), None);
        answer(&mut machine, now, Group, &[("a", Ok(3))]);
        assert_eq!(
            machine.known(Group, &"a".into()),
            Some(3),
            "a lookup under way stands"
        );
    }

    #[test]
    fn a_lookup_that_failed_is_repeated_after_a_back_off_or_given_up() {
        let mut machine = machine();
        let now = Instant::now();
        machine.want(Group, &"a".into(), now + SECOND);
        poll(&mut machine, now);
        assert_eq!(machine.on_failure(now, Group, false), ["a".into()]);
        assert_eq!(poll(&mut machine, now), Output::WaitUntil(now + INITIAL));
        assert_eq!(poll(&mut machine, now + INITIAL), sent(Group, &["a"]));
        assert_eq!(machine.on_failure(now, Group, true), ["a".into()]);
        assert_eq!(poll(&mut machine, now), Output::Idle);
    }

    #[test]
    fn no_more_are_remembered_than_allowed() {
        let mut machine = machine();
        let now = Instant::now();
        for key in ["a", "b", "c", "d"] {
            machine.want(Group, &key.into(), now + SECOND);
            poll(&mut machine, now);
            answer(&mut machine, now, Group, &[(key, Ok(1))]);
        }
        let known = ["a", "b", "c", "d"].map(|key| machine.known(Group, &key.into()).is_some());
        assert_eq!(known, [false, true, true, true]);
    }

    #[test]
    fn old_versions_carry_one_key_and_new_ones_all() {
        let query = Query {
            kind: Transaction,
            keys: vec!["a".into(), "b".into()],
        };
        let (request, keys) = query.request(3);
        assert_eq!((&*request.key, request.key_type, keys), ("a", 1, 1));
        assert!(request.coordinator_keys.is_empty());
        let (request, keys) = query.request(4);
        assert_eq!((&*request.key, request.key_type, keys), ("", 1, 2));
        assert_eq!(request.coordinator_keys.len(), 2);
    }

    #[test]
    fn answers_are_read_in_both_shapes() {
        let query = Query {
            kind: Group,
            keys: vec!["a".into(), "b".into()],
        };
        let single = FindCoordinatorResponse::default()
            .with_node_id(BrokerId(4))
            .with_port(9);
        let read = read_response(&single, &query, 2);
        let found = Found {
            broker_id: 4,
            host: String::new(),
            port: 9,
        };
        assert_eq!(read, [("a".into(), Ok(found))]);
        let answer = |key, code| {
            Coordinator::default()
                .with_key(StrBytes::from_static_str(key))
                .with_error_code(code)
                .with_node_id(BrokerId(5))
        };
        let several = FindCoordinatorResponse::default().with_coordinators(vec![
            answer("b", 0),
            answer("a", 15),
            answer("nobody asked", 0),
        ]);
        let read = read_response(&several, &query, 6);
        let found = Found {
            broker_id: 5,
            host: String::new(),
            port: 0,
        };
        let busy = Err(ErrorCode::CoordinatorNotAvailable);
        assert_eq!(read, [("b".into(), Ok(found)), ("a".into(), busy)]);
    }
}
