//! Every state of the metadata refresh × every input, written out. A change of behaviour shows as a
//! change to the snapshot.

use std::fmt::Write as _;

use super::tests::{self, MAX, MAX_AGE};
use super::*;

/// A machine, and the time at which its state was reached.
struct Subject {
    machine: MetadataMachine,
    now: Instant,
    start: Instant,
}

impl Subject {
    fn new(start: Instant) -> Self {
        Self {
            machine: tests::machine(),
            now: start,
            start,
        }
    }

    /// Topic `a` is wanted and asked for.
    fn asking(start: Instant) -> Self {
        let mut subject = Self::new(start);
        subject.machine.want(TopicsWanted::named(["a"]));
        subject.asked()
    }

    fn asked(mut self) -> Self {
        assert!(self.poll().starts_with("asks"), "there is something to ask");
        self
    }

    fn answered(mut self, topics: &[&str]) -> Self {
        self.answer(topics);
        self
    }

    fn answer(&mut self, topics: &[&str]) -> Arc<MetadataSnapshot> {
        self.machine.on_answer(self.now, &tests::answer(topics), 12)
    }

    fn failed(mut self, times: u32) -> Self {
        for _ in 0..times {
            self.machine.on_failure(self.now, false);
            self.now += MAX;
            self.poll();
        }
        self
    }

    /// What is done next, in words.
    fn poll(&mut self) -> String {
        match self.machine.poll(self.now) {
            Output::Idle => "rests".to_owned(),
            Output::Send(query) => match &query.topics {
                None => format!("asks {} for all", query.generation),
                Some(topics) if topics.is_empty() => {
                    format!("asks {} for brokers only", query.generation)
                }
                Some(topics) => format!("asks {} for {}", query.generation, topics.join(" ")),
            },
            Output::WaitUntil(at) => format!("waits until {:?}", at.duration_since(self.start)),
        }
    }

    /// What is wanted, what is out, what is kept fresh and what is known.
    fn state(&self) -> String {
        let mut parts = Vec::new();
        for (word, scope) in [
            ("wants", &self.machine.demand),
            ("asked", &self.machine.in_flight),
        ] {
            let Some(scope) = scope else { continue };
            let mut what: Vec<&str> = Vec::new();
            if scope.all {
                what.push("all");
            }
            if scope.tracked {
                what.push("tracked");
            }
            what.extend(scope.named.iter().map(|name| &**name));
            if what.is_empty() {
                what.push("brokers");
            }
            parts.push(format!("{word} {}", what.join(" ")));
        }
        let tracked: Vec<&str> = self.machine.tracked.keys().map(|name| &**name).collect();
        if !tracked.is_empty() {
            parts.push(format!("tracks {}", tracked.join(" ")));
        }
        let snapshot = self.machine.snapshot();
        for topic in snapshot.topics() {
            let number = |number: Option<i32>| number.map_or("?".to_owned(), |n| n.to_string());
            let leaders = topic.partitions.iter().map(|partition| {
                let (leader, epoch) = (number(partition.leader), number(partition.leader_epoch));
                format!("({leader}, epoch {epoch})")
            });
            let leaders: Vec<_> = leaders.collect();
            parts.push(format!("knows {} {}", topic.name, leaders.join(" ")));
        }
        let brokers = snapshot.brokers().len();
        if brokers > 0 {
            parts.push(format!("brokers: {brokers}"));
        }
        if parts.is_empty() {
            parts.push("nothing".to_owned());
        }
        parts.join(", ")
    }
}

type Situation = (&'static str, fn(Instant) -> Subject);

const STATES: [Situation; 10] = [
    ("nothing wanted yet", Subject::new),
    ("a wanted", |start| {
        let mut subject = Subject::new(start);
        subject.machine.want(TopicsWanted::named(["a"]));
        subject
    }),
    ("a asked", Subject::asking),
    ("a asked, and wanted again meanwhile", |start| {
        let mut subject = Subject::asking(start);
        subject.machine.want(TopicsWanted::named(["a"]));
        subject
    }),
    ("a never answered, one failure", |start| {
        Subject::asking(start).failed(1)
    }),
    ("a never answered, two failures", |start| {
        Subject::asking(start).failed(2)
    }),
    ("a never answered, three failures", |start| {
        Subject::asking(start).failed(3)
    }),
    ("a known", |start| Subject::asking(start).answered(&["a"])),
    ("a known and stale", |start| {
        let mut subject = Subject::asking(start).answered(&["a"]);
        subject.machine.mark_stale("a");
        subject
    }),
    ("a known, two failures since", |start| {
        let mut subject = Subject::asking(start).answered(&["a"]);
        subject.machine.mark_stale("a");
        subject.now += MAX;
        subject.asked().failed(2)
    }),
];

type Input = (&'static str, fn(&mut Subject) -> String);

const INPUTS: [Input; 17] = [
    ("want a", |subject| {
        want(subject, TopicsWanted::named(["a"]))
    }),
    ("want b", |subject| {
        want(subject, TopicsWanted::named(["b"]))
    }),
    ("want b, c, d", |subject| {
        want(subject, TopicsWanted::named(["b", "c", "d"]))
    }),
    ("want all", |subject| want(subject, TopicsWanted::All)),
    ("want what is tracked", |subject| {
        want(subject, TopicsWanted::Tracked)
    }),
    ("want brokers", |subject| want(subject, TopicsWanted::None)),
    ("a stale", |subject| {
        subject.machine.mark_stale("a");
        String::new()
    }),
    ("b stale", |subject| {
        subject.machine.mark_stale("b");
        String::new()
    }),
    ("answer: a", |subject| answer(subject, &["a"])),
    ("answer: a b", |subject| answer(subject, &["a", "b"])),
    ("answer: no topic", |subject| answer(subject, &[])),
    ("no answer", |subject| failure(subject, false)),
    ("no broker at all", |subject| failure(subject, true)),
    ("a newer leader hinted", |subject| hint(subject, 2)),
    ("an older leader hinted", |subject| hint(subject, 0)),
    ("brokers forgotten", |subject| {
        subject.machine.forget_brokers();
        String::new()
    }),
    ("the maximum age later", |subject| {
        subject.now += MAX_AGE;
        String::new()
    }),
];

fn want(subject: &mut Subject, wanted: TopicsWanted) -> String {
    format!("awaits {}", subject.machine.want(wanted))
}

/// An answer comes to a question only.
fn answer(subject: &mut Subject, topics: &[&str]) -> String {
    if subject.machine.in_flight.is_none() {
        return "-".to_owned();
    }
    let full = subject.answer(topics);
    format!("tells {}", full.topics().len())
}

fn failure(subject: &mut Subject, is_final: bool) -> String {
    if subject.machine.in_flight.is_none() {
        return "-".to_owned();
    }
    if subject.machine.on_failure(subject.now, is_final) {
        "told".to_owned()
    } else {
        "asks on".to_owned()
    }
}

/// Broker 2 is said to lead a's partition in this epoch.
fn hint(subject: &mut Subject, leader_epoch: i32) -> String {
    let hint = LeaderHint {
        topic: "a".into(),
        partition: 0,
        leader_id: 2,
        leader_epoch,
        endpoint: Some("k2:9092".parse().unwrap()),
    };
    let is_new = subject.machine.apply_hint(&hint);
    if is_new { "changed" } else { "" }.to_owned()
}

#[test]
fn every_state_has_an_answer_to_every_input() {
    let start = Instant::now();
    let mut table = String::new();
    for (name, build) in STATES {
        let mut untouched = build(start);
        let before = untouched.state();
        let next = untouched.poll();
        writeln!(table, "{name}\n  [{before}; then {next}]").unwrap();
        let mut without_effect = Vec::new();
        for (input, apply) in INPUTS {
            let mut subject = build(start);
            let result = apply(&mut subject);
            if result == "-" {
                continue;
            }
            let state = subject.state();
            let then = subject.poll();
            if result.is_empty() && state == before && then == next {
                without_effect.push(input);
                continue;
            }
            writeln!(table, "  {input:22} {result:10} {state}; then {then}").unwrap();
        }
        writeln!(table, "  nothing changes: {}\n", without_effect.join("; ")).unwrap();
    }
    insta::assert_snapshot!(table);
}
