//! Every state of a link × every input, written out. A change of behaviour shows as a change to the
//! snapshot.

use std::fmt::Write as _;
use std::time::Duration;

use super::*;

const FRAME_BYTES: usize = 10;
const IN_FLIGHT_MAX: usize = 3;
/// How long the first request of a state may take; each one after it may take that much longer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A link, and the time at which its first request was made.
struct Subject {
    link: Link<char>,
    start: Instant,
    requests: u8,
}

impl Subject {
    fn new(start: Instant) -> Self {
        Self {
            link: Link::new(IN_FLIGHT_MAX),
            start,
            requests: 0,
        }
    }

    /// Submits A, B, C, …, with ids 0, 1, 2, … and deadlines after 1, 2, 3, … seconds.
    fn submit(&mut self, expects_answer: bool) -> bool {
        let token = char::from(b'A' + self.requests);
        self.requests += 1;
        let submission = Submission {
            api_key: if expects_answer { 3 } else { 0 },
            api_version: 9,
            frame_bytes: FRAME_BYTES,
            deadline: self.start + TIMEOUT * self.requests.into(),
            expects_answer,
        };
        self.link.submit(submission, token).is_ok()
    }

    fn submitted(start: Instant, expect_answers: &[bool]) -> Self {
        let mut subject = Self::new(start);
        for expects_answer in expect_answers {
            assert!(subject.submit(*expects_answer), "a state that is possible");
        }
        subject
    }

    fn written(mut self, bytes: usize) -> Self {
        self.link.on_written(bytes);
        self
    }

    fn outcomes(&mut self) -> String {
        let mut text = String::new();
        while let Some((token, fate)) = self.link.poll_outcome() {
            let (word, timed_out) = match fate {
                Fate::Ambiguous { timed_out } => ("ambiguous", timed_out),
                Fate::NotSent { timed_out } => ("not sent", timed_out),
                Fate::Written => ("written", false),
            };
            let late = if timed_out { " (late)" } else { "" };
            write!(text, "; {token} {word}{late}").unwrap();
        }
        text
    }

    /// What is inside and when the link wants to be looked at.
    fn state(&self) -> String {
        let tokens = |requests: &VecDeque<Request<char>>| -> String {
            requests.iter().map(|request| request.token).collect()
        };
        if self.link.closed {
            assert_eq!(self.link.in_flight(), 0, "nothing is inside a closed link");
            assert_eq!(self.link.deadline(), None);
            return "closed".to_owned();
        }
        let mut text = "open".to_owned();
        if !self.link.unwritten.is_empty() {
            write!(text, ", unwritten {}", tokens(&self.link.unwritten)).unwrap();
        }
        if self.link.first_written > 0 {
            let bytes = self.link.first_written;
            write!(text, " ({bytes} of {FRAME_BYTES} bytes written)").unwrap();
        }
        if !self.link.awaiting.is_empty() {
            write!(text, ", awaiting {}", tokens(&self.link.awaiting)).unwrap();
        }
        if let Some(deadline) = self.link.deadline() {
            let after = deadline.duration_since(self.start);
            write!(text, ", timer {after:?}").unwrap();
        }
        text
    }
}

type State = (&'static str, fn(Instant) -> Subject);

const STATES: [State; 13] = [
    ("new", Subject::new),
    ("A unwritten", |start| Subject::submitted(start, &[true])),
    ("A written in part", |start| {
        Subject::submitted(start, &[true]).written(1)
    }),
    ("A awaiting its answer", |start| {
        Subject::submitted(start, &[true]).written(FRAME_BYTES)
    }),
    ("A answered", |start| {
        let mut subject = Subject::submitted(start, &[true]).written(FRAME_BYTES);
        subject.link.on_answer(0).unwrap();
        subject
    }),
    ("A awaiting, B unwritten", |start| {
        Subject::submitted(start, &[true, true]).written(FRAME_BYTES)
    }),
    ("A awaiting, B written in part", |start| {
        Subject::submitted(start, &[true, true]).written(FRAME_BYTES + 1)
    }),
    ("A and B awaiting", |start| {
        Subject::submitted(start, &[true, true]).written(2 * FRAME_BYTES)
    }),
    ("A answered, B awaiting", |start| {
        let mut subject = Subject::submitted(start, &[true, true]).written(2 * FRAME_BYTES);
        subject.link.on_answer(0).unwrap();
        subject
    }),
    ("A, which wants no answer, written in part", |start| {
        Subject::submitted(start, &[false]).written(1)
    }),
    ("A awaiting, B, which wants no answer, unwritten", |start| {
        Subject::submitted(start, &[true, false]).written(FRAME_BYTES)
    }),
    ("full: A awaiting, B and C unwritten", |start| {
        Subject::submitted(start, &[true, true, true]).written(FRAME_BYTES)
    }),
    ("closed", |start| {
        let mut subject = Subject::submitted(start, &[true]);
        subject.link.close(None);
        subject.outcomes();
        subject
    }),
];

/// What the call answers; nothing for a call without an answer, `None` where it cannot happen.
type Input = (&'static str, fn(&mut Subject) -> Option<String>);

const INPUTS: [Input; 17] = [
    ("submit", |subject| Some(taken(subject.submit(true)))),
    ("submit, no answer wanted", |subject| {
        Some(taken(subject.submit(false)))
    }),
    ("1 byte written", |subject| written(subject, 1)),
    ("the first frame written", |subject| {
        let rest = FRAME_BYTES - subject.link.first_written;
        written(subject, rest)
    }),
    ("everything written", |subject| {
        let all = queued(subject);
        written(subject, all)
    }),
    ("write of 1 byte fails", |subject| write_failed(subject, 1)),
    ("write of all fails", |subject| {
        let all = queued(subject);
        write_failed(subject, all)
    }),
    ("answer 0", |subject| Some(answered(subject, 0))),
    ("answer 1", |subject| Some(answered(subject, 1))),
    ("answer 2", |subject| Some(answered(subject, 2))),
    ("answer -1", |subject| Some(answered(subject, -1))),
    ("just before 1 s", |subject| {
        Some(time(subject, TIMEOUT - Duration::from_nanos(1)))
    }),
    ("1 s", |subject| Some(time(subject, TIMEOUT))),
    ("2 s", |subject| Some(time(subject, 2 * TIMEOUT))),
    ("an hour", |subject| Some(time(subject, 3600 * TIMEOUT))),
    ("close", |subject| {
        subject.link.close(None);
        Some(String::new())
    }),
    ("close at 1 s", |subject| {
        subject.link.close(Some(subject.start + TIMEOUT));
        Some(String::new())
    }),
];

fn taken(taken: bool) -> String {
    if taken { "taken" } else { "refused" }.to_owned()
}

/// Bytes that the transport was not given yet.
fn queued(subject: &Subject) -> usize {
    subject.link.unwritten.len() * FRAME_BYTES - subject.link.first_written
}

/// The transport never takes more than there is.
fn written(subject: &mut Subject, bytes: usize) -> Option<String> {
    (bytes <= queued(subject)).then(|| {
        subject.link.on_written(bytes);
        String::new()
    })
}

/// As the driver does: a failed write ends the link.
fn write_failed(subject: &mut Subject, offered: usize) -> Option<String> {
    (0 < offered && offered <= queued(subject)).then(|| {
        subject.link.on_write_failed(offered);
        subject.link.close(None);
        String::new()
    })
}

fn answered(subject: &mut Subject, correlation_id: i32) -> String {
    match subject.link.on_answer(correlation_id) {
        Ok(answered) => format!("answers {}", answered.token),
        Err(Mismatch { due: Some(due) }) => format!("refused, {due} is due"),
        Err(Mismatch { due: None }) => "refused, none is due".to_owned(),
    }
}

fn time(subject: &mut Subject, after: Duration) -> String {
    match subject.link.on_time(subject.start + after) {
        Some(api_key) => format!("API {api_key} is late"),
        None => String::new(),
    }
}

#[test]
fn every_state_has_an_answer_to_every_input() {
    let start = Instant::now();
    let mut table = String::new();
    for (name, build) in STATES {
        let usual = build(start).state();
        writeln!(table, "{name}\n  [{usual}]").unwrap();
        let mut without_effect: Vec<(String, Vec<&str>)> = Vec::new();
        for (input, apply) in INPUTS {
            let mut subject = build(start);
            let Some(result) = apply(&mut subject) else {
                continue;
            };
            let (state, outcomes) = (subject.state(), subject.outcomes());
            if state == usual && outcomes.is_empty() {
                match without_effect.iter_mut().find(|(same, _)| *same == result) {
                    Some((_, inputs)) => inputs.push(input),
                    None => without_effect.push((result, vec![input])),
                }
                continue;
            }
            writeln!(table, "  {input:24} {result:14} {state}{outcomes}").unwrap();
        }
        for (result, inputs) in without_effect {
            let said = if result.is_empty() {
                "nothing changes"
            } else {
                &result
            };
            writeln!(table, "  {said}: {}", inputs.join("; ")).unwrap();
        }
        table.push('\n');
    }
    insta::assert_snapshot!(table);
}
