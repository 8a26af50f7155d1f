//! Every state of a coordinator lookup × every input, and every error code of FindCoordinator, written
//! out. A change of behaviour shows as a change to the snapshot.

use std::fmt::Write as _;
use std::time::Duration;

use CoordinatorKind::Group;

use super::*;

const INITIAL: Duration = Duration::from_millis(100);
/// Until when the keys of the states are wanted.
const WANTED: Duration = Duration::from_secs(1);

/// A machine, and the time at which its state was reached.
struct Subject {
    machine: CoordinatorMachine,
    now: Instant,
    start: Instant,
    failed: Vec<Failed>,
}

impl Subject {
    fn new(start: Instant) -> Self {
        let backoff = Backoff {
            initial: INITIAL,
            max: Duration::from_secs(10),
            multiplier: 2.0,
            jitter: 0.0,
        };
        let machine = CoordinatorMachine::new(Settings {
            backoff,
            coordinators_max: 3,
            seed: 1,
        });
        Self {
            machine,
            now: start,
            start,
            failed: Vec::new(),
        }
    }

    fn want(&mut self, key: &str, until: Duration) -> Option<i32> {
        self.machine.want(Group, &key.into(), self.start + until)
    }

    fn wanted(start: Instant, keys: &[&str]) -> Self {
        let mut subject = Self::new(start);
        for key in keys {
            subject.want(key, WANTED);
        }
        subject
    }

    fn asked(start: Instant, keys: &[&str]) -> Self {
        let mut subject = Self::wanted(start, keys);
        assert!(
            subject.poll().starts_with("asks"),
            "there is something to ask"
        );
        subject
    }

    fn answered(mut self, answers: &[(&str, Result<i32, ErrorCode>)]) -> Self {
        self.answer(answers);
        self
    }

    fn answer(&mut self, answers: &[(&str, Result<i32, ErrorCode>)]) {
        let answers = answers
            .iter()
            .map(|(key, answer)| ((*key).into(), *answer))
            .collect();
        self.machine
            .on_answer(self.now, Group, answers, &mut self.failed);
    }

    /// What is done next, in words.
    fn poll(&mut self) -> String {
        match self.machine.poll(self.now, &mut self.failed) {
            Output::Idle => "rests".to_owned(),
            Output::Send(query) => format!("asks {}", query.keys.join(" ")),
            Output::WaitUntil(at) => format!("waits until {:?}", at.duration_since(self.start)),
        }
    }

    fn told(&mut self) -> String {
        let told = self.failed.drain(..).map(|failed| match failed.code {
            Some(code) => format!("; tells {} {code:?}", failed.key),
            None => format!("; tells {} without a code", failed.key),
        });
        told.collect()
    }

    fn state(&self) -> String {
        let entries = self.machine.entries.iter().map(|((kind, key), entry)| {
            let mut text = match entry.state {
                State::Asked => format!("{key} asked"),
                State::Known { broker_id } => format!("{key} at {broker_id}"),
                State::Wanted { not_before: None } => format!("{key} wanted"),
                State::Wanted {
                    not_before: Some(at),
                } => format!("{key} wanted after {:?}", at.duration_since(self.start)),
            };
            if *kind == CoordinatorKind::Transaction {
                text.insert_str(0, "transaction ");
            }
            if !matches!(entry.state, State::Known { .. }) {
                let until = entry.deadline.duration_since(self.start);
                write!(text, " until {until:?}").unwrap();
            }
            text
        });
        let entries: Vec<_> = entries.collect();
        if entries.is_empty() {
            "nothing".to_owned()
        } else {
            entries.join(", ")
        }
    }
}

const BUSY: Result<i32, ErrorCode> = Err(ErrorCode::CoordinatorNotAvailable);

type Situation = (&'static str, fn(Instant) -> Subject);

const STATES: [Situation; 9] = [
    ("nothing wanted", Subject::new),
    ("a wanted", |start| Subject::wanted(start, &["a"])),
    ("a asked", |start| Subject::asked(start, &["a"])),
    ("a asked, b wanted meanwhile", |start| {
        let mut subject = Subject::asked(start, &["a"]);
        subject.want("b", WANTED);
        subject
    }),
    ("a and b asked together", |start| {
        Subject::asked(start, &["a", "b"])
    }),
    ("a backs off", |start| {
        Subject::asked(start, &["a"]).answered(&[("a", BUSY)])
    }),
    ("a asked again", |start| {
        let mut subject = Subject::asked(start, &["a"]).answered(&[("a", BUSY)]);
        subject.now += INITIAL;
        subject.poll();
        subject
    }),
    ("a known", |start| {
        Subject::asked(start, &["a"]).answered(&[("a", Ok(1))])
    }),
    ("as many known as are remembered", |start| {
        let keys = ["a", "b", "c"];
        Subject::asked(start, &keys).answered(&keys.map(|key| (key, Ok(1))))
    }),
];

type Input = (&'static str, fn(&mut Subject) -> String);

const INPUTS: [Input; 21] = [
    ("want a", |subject| known(subject.want("a", WANTED))),
    ("want a for longer", |subject| {
        known(subject.want("a", 2 * WANTED))
    }),
    ("want a for less long", |subject| {
        known(subject.want("a", WANTED / 2))
    }),
    ("want d", |subject| known(subject.want("d", WANTED))),
    ("want transaction a", |subject| {
        let until = subject.start + WANTED;
        let kind = CoordinatorKind::Transaction;
        known(subject.machine.want(kind, &"a".into(), until))
    }),
    ("answer: a at 1", |subject| answer(subject, &[("a", Ok(1))])),
    ("answer: a busy", |subject| answer(subject, &[("a", BUSY)])),
    ("answer: a refused", |subject| {
        let code = ErrorCode::GroupAuthorizationFailed;
        answer(subject, &[("a", Err(code))])
    }),
    ("answer: a unknown code", |subject| {
        answer(subject, &[("a", Err(ErrorCode::Unknown(9999)))])
    }),
    ("answer: b at 2", |subject| answer(subject, &[("b", Ok(2))])),
    ("answer: a busy, b at 2", |subject| {
        answer(subject, &[("a", BUSY), ("b", Ok(2))])
    }),
    ("answer: a at 1, a at 2", |subject| {
        answer(subject, &[("a", Ok(1)), ("a", Ok(2))])
    }),
    ("answer: a stranger", |subject| {
        answer(subject, &[("x", Ok(1))])
    }),
    ("answer: nothing", |subject| answer(subject, &[])),
    ("no answer", |subject| failure(subject, false)),
    ("no broker at all", |subject| failure(subject, true)),
    ("forget a", |subject| {
        subject.machine.forget(Group, &"a".into(), None);
        String::new()
    }),
    ("forget a at 1", |subject| {
        subject.machine.forget(Group, &"a".into(), Some(1));
        String::new()
    }),
    ("forget a at 2", |subject| {
        subject.machine.forget(Group, &"a".into(), Some(2));
        String::new()
    }),
    ("the back-off is over", |subject| {
        subject.now = subject.start + INITIAL;
        String::new()
    }),
    ("the deadline", |subject| {
        subject.now = subject.start + WANTED;
        String::new()
    }),
];

fn known(broker_id: Option<i32>) -> String {
    broker_id.map_or_else(String::new, |id| format!("it is {id}"))
}

fn answer(subject: &mut Subject, answers: &[(&str, Result<i32, ErrorCode>)]) -> String {
    subject.answer(answers);
    String::new()
}

fn failure(subject: &mut Subject, is_final: bool) -> String {
    let keys = subject.machine.on_failure(subject.now, Group, is_final);
    if is_final && !keys.is_empty() {
        format!("ends {}", keys.join(" "))
    } else {
        String::new()
    }
}

#[test]
fn every_state_has_an_answer_to_every_input() {
    let start = Instant::now();
    let mut table = String::new();
    for (name, build) in STATES {
        let mut untouched = build(start);
        let before = untouched.state();
        writeln!(table, "{name}\n  [{before}; then {}]", untouched.poll()).unwrap();
        let usual = (before, untouched.state(), String::new());
        let mut without_effect = Vec::new();
        for (input, apply) in INPUTS {
            let mut subject = build(start);
            let result = apply(&mut subject);
            let told = subject.told();
            let state = subject.state();
            let then = subject.poll();
            let later = subject.told();
            let ends = (state.clone(), subject.state(), format!("{told}{later}"));
            if result.is_empty() && ends == usual {
                without_effect.push(input);
                continue;
            }
            writeln!(
                table,
                "  {input:22} {result:20} {state}{told}; then {then}{later}"
            )
            .unwrap();
        }
        writeln!(table, "  nothing changes: {}\n", without_effect.join("; ")).unwrap();
    }
    insta::assert_snapshot!(table);
}

/// T-22: which codes of FindCoordinator are waited out and which end the lookup.
#[test]
fn every_code_is_either_waited_out_or_told() {
    let start = Instant::now();
    let mut waited_out = Vec::new();
    let mut told = Vec::new();
    let unknown = [ErrorCode::Unknown(-2), ErrorCode::Unknown(9999)];
    let codes = ErrorCode::ALL.iter().chain(&unknown);
    for code in codes.filter(|code| !code.is_none()) {
        let mut subject = Subject::asked(start, &["a"]).answered(&[("a", Err(*code))]);
        let failed = std::mem::take(&mut subject.failed);
        let line = format!("  {:5} {code:?}\n", code.code());
        let next = subject.poll();
        if failed.is_empty() {
            assert_eq!(next, "waits until 100ms", "{code:?}");
            let last = subject.machine.last_code(Group, &"a".into());
            assert_eq!(last, Some(*code), "what is waited for can be told");
            waited_out.push(line);
        } else {
            assert_eq!(failed[0].code, Some(*code));
            assert_eq!((failed.len(), &*next), (1, "rests"), "{code:?}");
            told.push(line);
        }
    }
    let table = format!(
        "asked again after a back-off\n{}told at once\n{}",
        waited_out.concat(),
        told.concat()
    );
    insta::assert_snapshot!(table);
}
