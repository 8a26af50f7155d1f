//! Every state × every input of the sender, written out. A change of behaviour shows as a change to the snapshot.
//!
//! A line says what the callers are told, where the partition then stands, and what is sent at once and
//! after half a second. Batches are named in the order in which they came: a, b, c.

use std::fmt::Write as _;

use super::super::super::sender::partition::Flight;
use super::*;

type Scenario = (&'static str, fn(SenderConfig) -> Case);
type Input = (&'static str, fn(&mut Case) -> Option<()>);

#[test]
fn every_state_has_an_answer_to_every_input() {
    check("states_and_inputs_idempotent", &config());
}

#[test]
fn every_state_has_an_answer_to_every_input_in_a_transaction() {
    let transactional = SenderConfig {
        transactional: true,
        ..config()
    };
    check("states_and_inputs_transactional", &transactional);
}

#[test]
fn every_state_has_an_answer_to_every_input_without_idempotence() {
    let plain = SenderConfig {
        idempotent: false,
        ..config()
    };
    check("states_and_inputs_plain", &plain);
}

fn check(name: &str, config: &SenderConfig) {
    let mut table = String::new();
    for (scenario, build) in SCENARIOS {
        let usual = build(config.clone()).outcome();
        writeln!(table, "{scenario}\n  [{usual}]").unwrap();
        let mut without_effect = Vec::new();
        for (input, apply) in INPUTS {
            let mut case = build(config.clone());
            if apply(&mut case).is_none() {
                continue;
            }
            let outcome = case.outcome();
            if outcome == usual {
                without_effect.push(input);
            } else {
                writeln!(table, "  {input:22} {outcome}").unwrap();
            }
        }
        if !without_effect.is_empty() {
            writeln!(table, "  nothing changes: {}", without_effect.join(", ")).unwrap();
        }
        table.push('\n');
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!(name, table));
}

/// A bench that remembers what is on the wire.
struct Case {
    bench: Bench,
    /// Requests without an answer, oldest first.
    wire: Vec<RequestId>,
}

impl Case {
    fn new(config: SenderConfig) -> Self {
        let bench = Bench::new(config);
        Self {
            bench,
            wire: Vec::new(),
        }
    }

    /// With so many batches of two records sent on a connection that has acknowledged before.
    fn sent(config: SenderConfig, batches: usize) -> Self {
        let mut case = Self {
            bench: Bench::confirmed(config),
            wire: Vec::new(),
        };
        case.bench.next_id = 0;
        case.put(batches);
        case.drain();
        case
    }

    fn put(&mut self, batches: usize) {
        for _ in 0..batches {
            self.bench.put(2);
        }
    }

    fn drain(&mut self) -> String {
        let mut told = Vec::new();
        loop {
            let Bench {
                sender, queue, now, ..
            } = &mut self.bench;
            let work = sender.drain(*now, queue, &NoTransaction);
            for broker in &work.connect {
                told.push(format!("connect {broker}"));
            }
            if work.refresh_metadata {
                told.push("refresh".to_owned());
            }
            if work.init_producer_id {
                told.push("init".to_owned());
            }
            for request in &work.requests {
                self.wire.push(request.id);
                for outgoing in &request.batches {
                    let stamp = outgoing.stamp;
                    told.push(format!(
                        "{} e{} s{} to {}",
                        name(&outgoing.batch),
                        stamp.producer.producer_epoch.0,
                        stamp.base_sequence.0,
                        request.broker
                    ));
                }
            }
            if work.requests.is_empty() {
                return if told.is_empty() {
                    "-".to_owned()
                } else {
                    told.join(", ")
                };
            }
        }
    }

    fn answer(&mut self, at: usize, answer: PartitionResponse) -> Option<()> {
        if at >= self.wire.len() {
            return None;
        }
        let id = self.wire.remove(at);
        self.bench.answer(id, answer);
        Some(())
    }

    fn refuse(&mut self, at: usize, code: ErrorCode) -> Option<()> {
        self.answer(at, PartitionResponse::of(code))
    }

    fn acknowledge(&mut self, at: usize) -> Option<()> {
        let appended = PartitionResponse {
            base_offset: Some(100),
            ..PartitionResponse::of(ErrorCode::None)
        };
        self.answer(at, appended)
    }

    fn lose_all(&mut self) -> Option<()> {
        self.bench.sender.on_disconnected(1);
        for id in std::mem::take(&mut self.wire) {
            self.bench.lose(id);
        }
        Some(())
    }

    fn events(&mut self) -> String {
        let mut told: Vec<_> = self.bench.events().iter().map(event).collect();
        for (batch, _) in std::mem::take(&mut self.bench.queue.1) {
            told.push(format!("{} expired", name(&batch)));
        }
        told.join(", ")
    }

    fn standing(&self) -> String {
        let state = &self.bench.sender.partitions[P0];
        let mut standing: Vec<_> = state
            .in_flight
            .iter()
            .map(|tracked| {
                let flight = match tracked.flight {
                    Flight::OnWire(_) => "sent",
                    Flight::Waiting(_) => "waits",
                };
                let doubt = if tracked.is_in_doubt() { "?" } else { "" };
                let told = if tracked.resolved { ", told" } else { "" };
                format!("{} {flight}{doubt}{told}", name(&tracked.batch))
            })
            .collect();
        standing.extend(state.gap.map(|gap| format!("gap at {}", gap.0)));
        standing.extend(state.unresolved.map(|end| format!("doubt to {}", end.0)));
        if self.bench.sender.fatal.is_some() {
            standing.push("fatal".to_owned());
        }
        format!("[{}]", standing.join("; "))
    }

    fn outcome(mut self) -> String {
        let told = self.events();
        let standing = self.standing();
        let now = self.drain();
        self.bench.wait(500);
        let later = self.drain();
        let mut outcome = String::new();
        if !told.is_empty() {
            write!(outcome, "{told} ").unwrap();
        }
        write!(outcome, "{standing} now {now}; later {later}").unwrap();
        let told = self.events();
        if !told.is_empty() {
            write!(outcome, "; {told}").unwrap();
        }
        outcome
    }
}

/// The tenth, twentieth, … that was put; a part of a batch that was cut is named after it.
fn name(batch: &TestBatch) -> String {
    let letter = batch.id / 10;
    let part = if batch.id.is_multiple_of(10) { "" } else { "'" };
    let letter = char::from_u32('a' as u32 + u32::try_from(letter).unwrap().saturating_sub(1));
    format!("{}{part}", letter.unwrap())
}

fn event(event: &Event<TestBatch>) -> String {
    match event {
        Event::Completed {
            batch,
            result: Ok(_),
            ..
        } => format!("{} appended", name(batch)),
        Event::Completed {
            batch,
            result: Err(failure),
            ..
        } => match failure.outcome {
            Outcome::NotAppended => format!("{} refused", name(batch)),
            Outcome::Unknown => format!("{} unknown", name(batch)),
        },
        Event::Split {
            batch, children, ..
        } => {
            let parts: Vec<_> = children.iter().map(name).collect();
            format!("{} cut into {}", name(batch), parts.join(" and "))
        }
        Event::DataLossSuspected { .. } => "data loss suspected".to_owned(),
        Event::Fatal { .. } => "fatal".to_owned(),
    }
}

const SCENARIOS: [Scenario; 15] = [
    ("a waits, no producer id yet", |config| {
        let mut case = Case::new(config);
        case.bench.sender.identity = ProducerIdentity::NONE;
        case.bench.sender.identity_wanted = true;
        case.put(1);
        case
    }),
    ("nothing to do", |config| Case::sent(config, 0)),
    ("a sent first on its connection, b waits", |config| {
        let mut case = Case::new(config);
        case.put(2);
        case.drain();
        case
    }),
    ("a, b, c sent", |config| Case::sent(config, 3)),
    ("a to e sent, f waits", |config| {
        let mut case = Case::sent(config, 5);
        case.put(1);
        case
    }),
    ("a to be sent again, b sent", |config| {
        let mut case = Case::sent(config, 2);
        case.refuse(0, ErrorCode::NotEnoughReplicas);
        case
    }),
    ("a to be sent again after a doubt, b sent", |config| {
        let mut case = Case::sent(config, 2);
        case.refuse(0, ErrorCode::RequestTimedOut);
        case
    }),
    ("a and b lost with their connection", |config| {
        let mut case = Case::sent(config, 2);
        case.lose_all();
        case
    }),
    ("a again on the wire after a doubt, b waits", |config| {
        let mut case = Case::sent(config, 2);
        case.lose_all();
        case.bench.sender.on_connected(1, 11);
        case.bench.wait(500);
        case.drain();
        case
    }),
    ("a refused, b sent", |config| {
        let mut case = Case::sent(config, 2);
        case.refuse(0, ErrorCode::InvalidRecord);
        case.events();
        case
    }),
    ("a past its time on the wire, b waits", |config| {
        let mut case = Case::sent(config, 1);
        case.bench.wait(120_000);
        case.drain();
        case.put(1);
        case.events();
        case
    }),
    ("a to go to another leader", |config| {
        let mut case = Case::sent(config, 1);
        case.refuse(0, ErrorCode::NotLeaderOrFollower);
        case
    }),
    ("a waits, the broker throttles", |config| {
        let mut case = Case::sent(config, 1);
        let id = case.wire.remove(0);
        let answer = ProduceOutcome::Responded {
            partitions: vec![(P0, PartitionResponse::of(ErrorCode::None))],
            throttle: Duration::from_millis(400),
        };
        let now = case.bench.now;
        case.bench.sender.handle_response(now, id, answer);
        case.events();
        case.bench.next_id = 0;
        case.put(1);
        case
    }),
    ("a refused under the last epoch, b waits", |config| {
        let mut case = Case::sent(config, 0);
        case.bench.sender.set_identity(identity(i16::MAX));
        case.put(1);
        case.drain();
        case.refuse(0, ErrorCode::InvalidRecord);
        case.put(1);
        case.events();
        case
    }),
    ("ended for good", |config| {
        let mut case = Case::sent(config, 1);
        case.refuse(0, ErrorCode::ClusterAuthorizationFailed);
        case.put(1);
        case.events();
        case
    }),
];

const INPUTS: [Input; 25] = [
    ("records", |case| {
        case.put(1);
        Some(())
    }),
    ("producer id", |case| {
        case.bench.sender.set_identity(identity(9));
        Some(())
    }),
    ("oldest: appended", |case| case.acknowledge(0)),
    ("oldest: 46 duplicate", |case| {
        case.refuse(0, ErrorCode::DuplicateSequenceNumber)
    }),
    ("oldest: 19 replicas", |case| {
        case.refuse(0, ErrorCode::NotEnoughReplicas)
    }),
    ("oldest: 7 timed out", |case| {
        case.refuse(0, ErrorCode::RequestTimedOut)
    }),
    ("oldest: 6 moved", |case| {
        case.refuse(0, ErrorCode::NotLeaderOrFollower)
    }),
    ("oldest: 10 too large", |case| {
        case.refuse(0, ErrorCode::MessageTooLarge)
    }),
    ("oldest: 87 invalid", |case| {
        case.refuse(0, ErrorCode::InvalidRecord)
    }),
    ("oldest: 45 sequence", |case| {
        case.refuse(0, ErrorCode::OutOfOrderSequenceNumber)
    }),
    ("oldest: 59 forgotten", |case| {
        let forgotten = PartitionResponse {
            log_start_offset: Some(1_000),
            ..PartitionResponse::of(ErrorCode::UnknownProducerId)
        };
        case.answer(0, forgotten)
    }),
    ("oldest: 47 epoch", |case| {
        case.refuse(0, ErrorCode::InvalidProducerEpoch)
    }),
    ("oldest: 31 denied", |case| {
        case.refuse(0, ErrorCode::ClusterAuthorizationFailed)
    }),
    ("oldest: says nothing", |case| {
        let id = (!case.wire.is_empty()).then(|| case.wire.remove(0))?;
        case.bench.lose(id);
        Some(())
    }),
    ("oldest: not sent", |case| {
        let id = (!case.wire.is_empty()).then(|| case.wire.remove(0))?;
        let now = case.bench.now;
        case.bench
            .sender
            .handle_response(now, id, ProduceOutcome::NotSent(cut()));
        Some(())
    }),
    ("newest: appended", |case| {
        case.acknowledge(case.wire.len().checked_sub(1).filter(|at| *at > 0)?)
    }),
    ("newest: 45 sequence", |case| {
        let at = case.wire.len().checked_sub(1).filter(|at| *at > 0)?;
        case.refuse(at, ErrorCode::OutOfOrderSequenceNumber)
    }),
    ("newest: 87 invalid", |case| {
        let at = case.wire.len().checked_sub(1).filter(|at| *at > 0)?;
        case.refuse(at, ErrorCode::InvalidRecord)
    }),
    ("connection lost", Case::lose_all),
    ("another connection", |case| {
        case.bench.sender.on_connected(1, 77);
        Some(())
    }),
    ("leader as before", |case| {
        case.bench
            .sender
            .set_leader(case.bench.now, P0, Some(LEADER));
        Some(())
    }),
    ("leader 2", |case| {
        let leader = Leader {
            broker: 2,
            leader_epoch: 4,
        };
        case.bench.sender.on_connected(2, 20);
        case.bench
            .sender
            .set_leader(case.bench.now, P0, Some(leader));
        Some(())
    }),
    ("no leader", |case| {
        case.bench.sender.set_leader(case.bench.now, P0, None);
        Some(())
    }),
    ("two minutes", |case| {
        case.bench.wait(120_000);
        Some(())
    }),
    ("the end", |case| {
        let ended = Failure::ended(crate::error::Error::TransactionAborted);
        let now = case.bench.now;
        case.bench.sender.fail_all(now, &ended);
        Some(())
    }),
];
