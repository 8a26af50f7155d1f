//! Any operations on the lookups and on the back-off, with their invariants asserted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const COORDINATORS_MAX: usize = 3;
const KEYS: u8 = 6;

fn any_backoff() -> impl Strategy<Value = Backoff> {
    (1_u64..500, 0_u64..5_000, 1.0..4.0_f64, 0.0..=1.0_f64).prop_map(
        |(initial, more, multiplier, jitter)| Backoff {
            initial: Duration::from_millis(initial),
            max: Duration::from_millis(initial + more),
            multiplier,
            jitter,
        },
    )
}

#[derive(Clone, Debug)]
enum Operation {
    Want {
        key: u8,
        transaction: bool,
        timeout: u64,
    },
    Poll,
    Wait(u64),
    /// What is said of each key asked for, in turn: a broker, a code, or nothing.
    Answer {
        transaction: bool,
        answers: Vec<Option<Result<i32, i16>>>,
        stranger: bool,
    },
    Fail {
        transaction: bool,
        is_final: bool,
    },
    Forget {
        key: u8,
        transaction: bool,
        broker_id: Option<i32>,
    },
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let code = prop_oneof![
        Just(15_i16),
        Just(14),
        Just(30),
        Just(53),
        Just(-1),
        any::<i16>()
    ];
    let answer = prop::option::weighted(
        0.8,
        prop_oneof![
            (0..3).prop_map(Ok),
            code.prop_filter_map("an error", |code| { (code != 0).then_some(Err(code)) })
        ],
    );
    let answers = prop::collection::vec(answer, 0..5);
    let operation = prop_oneof![
        4 => (0..KEYS, any::<bool>(), 1_u64..3_000)
            .prop_map(|(key, transaction, timeout)| Operation::Want { key, transaction, timeout }),
        6 => Just(Operation::Poll),
        3 => (0_u64..700).prop_map(Operation::Wait),
        5 => (any::<bool>(), answers, any::<bool>()).prop_map(|(transaction, answers, stranger)| {
            Operation::Answer { transaction, answers, stranger }
        }),
        2 => (any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(transaction, is_final)| Operation::Fail { transaction, is_final }),
        2 => (0..KEYS, any::<bool>(), prop::option::of(0..3)).prop_map(
            |(key, transaction, broker_id)| Operation::Forget { key, transaction, broker_id }
        ),
    ];
    prop::collection::vec(operation, 0..120)
}

fn kind(transaction: bool) -> CoordinatorKind {
    if transaction {
        CoordinatorKind::Transaction
    } else {
        CoordinatorKind::Group
    }
}

type Place = (CoordinatorKind, Arc<str>);

/// What must be true of the lookups, kept beside the machine and by simpler means.
struct World {
    machine: CoordinatorMachine,
    backoff: Backoff,
    now: Instant,
    /// Wanted, and neither found nor told.
    open: BTreeSet<Place>,
    known: BTreeMap<Place, i32>,
    out: BTreeMap<CoordinatorKind, Query>,
    /// Failures of a key in a row, and the earliest time to ask for it again.
    attempts: BTreeMap<Place, (u32, Instant)>,
}

impl World {
    fn new(backoff: Backoff, seed: u64) -> Self {
        let machine = CoordinatorMachine::new(Settings {
            backoff,
            coordinators_max: COORDINATORS_MAX,
            seed,
        });
        Self {
            machine,
            backoff,
            now: Instant::now(),
            open: BTreeSet::new(),
            known: BTreeMap::new(),
            out: BTreeMap::new(),
            attempts: BTreeMap::new(),
        }
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Want {
                key,
                transaction,
                timeout,
            } => {
                let place = (kind(transaction), Arc::from(key.to_string()));
                let deadline = self.now + Duration::from_millis(timeout);
                let is_new = !self.open.contains(&place) && !self.known.contains_key(&place);
                let found = self.machine.want(place.0, &place.1, deadline);
                assert_eq!(found, self.known.get(&place).copied(), "{place:?}");
                if found.is_none() {
                    self.open.insert(place);
                }
                // A coordinator that is known may have made room, and nothing else may.
                let machine = &self.machine;
                self.known
                    .retain(|(kind, key), id| machine.known(*kind, key) == Some(*id));
                // Only what somebody waits for may be more than is remembered.
                let fits = self.machine.entries.len() <= COORDINATORS_MAX;
                assert!(!is_new || fits || self.known.is_empty(), "no room was made");
            }
            Operation::Poll => self.poll(),
            Operation::Wait(millis) => self.now += Duration::from_millis(millis),
            Operation::Answer {
                transaction,
                answers,
                stranger,
            } => self.answer(kind(transaction), answers, stranger),
            Operation::Fail {
                transaction,
                is_final,
            } => self.fail(kind(transaction), is_final),
            Operation::Forget {
                key,
                transaction,
                broker_id,
            } => {
                let place = (kind(transaction), Arc::from(key.to_string()));
                self.machine.forget(place.0, &place.1, broker_id);
                if let Some(id) = self.known.get(&place)
                    && broker_id.is_none_or(|wrong| wrong == *id)
                {
                    self.known.remove(&place);
                }
            }
        }
    }

    fn poll(&mut self) {
        let mut failed = Vec::new();
        let output = self.machine.poll(self.now, &mut failed);
        self.told(failed);
        match output {
            Output::Send(query) => {
                assert!(!query.keys.is_empty() && query.keys.len() <= KEYS_PER_QUERY_MAX);
                for key in &query.keys {
                    let place = (query.kind, Arc::clone(key));
                    assert!(self.open.contains(&place), "nobody wants {place:?}");
                    let early = self.attempts.get(&place).map(|(_, at)| *at > self.now);
                    assert_ne!(early, Some(true), "{place:?} is asked for before its time");
                }
                let two = self.out.insert(query.kind, query);
                assert_eq!(two, None, "two lookups of a kind at once");
            }
            Output::WaitUntil(at) => assert!(at > self.now, "a wait that is over"),
            Output::Idle => {
                // Whoever waits, waits for an answer.
                for (kind, key) in &self.open {
                    let asked = self.out.get(kind).is_some_and(|out| out.keys.contains(key));
                    assert!(asked, "{kind:?} {key} waits for nothing");
                }
            }
        }
    }

    fn told(&mut self, failed: Vec<Failed>) {
        for failed in failed {
            let place = (failed.kind, failed.key);
            assert!(
                self.open.remove(&place),
                "{place:?} is told twice or for nothing"
            );
            self.attempts.remove(&place);
        }
    }

    /// After a failure the wait is at least the shortest one less the jitter and at most the longest
    /// one more the jitter.
    fn backed_off(&mut self, place: Place) {
        let attempt = self
            .attempts
            .get(&place)
            .map_or(1, |(attempt, _)| attempt + 1);
        let Some(State::Wanted {
            not_before: Some(at),
        }) = self
            .machine
            .entries
            .get(&place)
            .map(|entry| entry.state.clone())
        else {
            panic!("{place:?} does not back off");
        };
        assert_in_range(&self.backoff, attempt, at.duration_since(self.now));
        self.attempts.insert(place, (attempt, at));
    }

    fn answer(
        &mut self,
        kind: CoordinatorKind,
        said: Vec<Option<Result<i32, i16>>>,
        stranger: bool,
    ) {
        let Some(query) = self.out.remove(&kind) else {
            return;
        };
        let mut answers = Vec::new();
        for (key, said) in query.keys.iter().zip(said.iter().copied()) {
            if let Some(said) = said {
                answers.push((Arc::clone(key), said.map_err(ErrorCode::from)));
            }
        }
        let told = answers.clone();
        if stranger {
            answers.push(("nobody asked for this".into(), Ok(1)));
        }
        let mut failed = Vec::new();
        self.machine.on_answer(self.now, kind, answers, &mut failed);
        self.told(failed);
        let mut left_out = query.keys;
        left_out.retain(|key| told.iter().all(|(of, _)| of != key));
        for (key, said) in &told {
            let place = (kind, Arc::clone(key));
            match said {
                Ok(id) => {
                    assert!(self.open.remove(&place));
                    assert_eq!(self.machine.known(kind, key), Some(*id));
                    self.known.insert(place.clone(), *id);
                    self.attempts.remove(&place);
                }
                Err(code) if is_retriable(*code) => {
                    assert_eq!(self.machine.last_code(kind, key), Some(*code));
                    self.backed_off(place);
                }
                Err(_) => assert!(!self.open.contains(&place), "{place:?} was to be told"),
            }
        }
        // An answer without progress is followed by a back-off.
        if told.is_empty() {
            for key in left_out {
                self.backed_off((kind, key));
            }
        }
    }

    fn fail(&mut self, kind: CoordinatorKind, is_final: bool) {
        let keys = self.machine.on_failure(self.now, kind, is_final);
        let out = self.out.remove(&kind).map(|query| query.keys);
        assert_eq!(keys, out.unwrap_or_default());
        for key in keys {
            let place = (kind, key);
            if is_final {
                assert!(self.open.remove(&place));
                self.attempts.remove(&place);
            } else {
                self.backed_off(place);
            }
        }
    }

    fn check(&self) {
        assert_eq!(
            self.machine.entries.len(),
            self.open.len() + self.known.len(),
            "every entry is wanted or known"
        );
        for ((kind, key), id) in &self.known {
            assert_eq!(self.machine.known(*kind, key), Some(*id));
        }
    }
}

/// Between the middle less the jitter and the middle more the jitter, where the middle grows up to the
/// maximum and no further.
#[track_caller]
fn assert_in_range(backoff: &Backoff, attempt: u32, wait: Duration) {
    let growth = backoff.multiplier.powf(f64::from(attempt - 1));
    let middle = (backoff.initial.as_secs_f64() * growth).min(backoff.max.as_secs_f64());
    let (least, most) = (
        middle * (1.0 - backoff.jitter),
        middle * (1.0 + backoff.jitter),
    );
    let wait = wait.as_secs_f64();
    let rounding = 1e-6;
    assert!(
        least - rounding <= wait && wait <= most + rounding,
        "attempt {attempt} waits {wait} s, not {least} to {most} s: {backoff:?}"
    );
}

proptest! {
    #[test]
    fn every_wish_is_found_or_told_and_no_key_is_asked_for_before_its_time(
        operations in operations(),
        backoff in any_backoff(),
        seed in any::<u64>(),
    ) {
        let mut world = World::new(backoff, seed);
        for operation in operations {
            world.apply(operation);
            world.check();
        }
        // Nobody waits for ever: with no answer any more, all is told once the deadlines have passed.
        for transaction in [false, true] {
            world.fail(kind(transaction), false);
        }
        world.now += Duration::from_secs(3_600);
        world.poll();
        prop_assert!(world.open.is_empty(), "{:?} wait still", world.open);
        world.check();
    }

    #[test]
    fn a_wait_is_within_its_jitter_and_never_beyond_the_maximum(
        backoff in any_backoff(),
        attempt in prop_oneof![1_u32..80, any::<u32>().prop_map(|attempt| attempt.max(1))],
        seed in any::<u64>(),
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let wait = backoff.delay(attempt, &mut random);
        assert_in_range(&backoff, attempt, wait);
        let most = backoff.max.as_secs_f64() * (1.0 + backoff.jitter);
        prop_assert!(wait.as_secs_f64() <= most + 1e-6);
        prop_assert_eq!(backoff.delay(0, &mut random), Duration::ZERO);
    }
}
