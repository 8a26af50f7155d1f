//! Every state × every input, written out (§2.2). A change of behaviour shows as a change to the
//! snapshot.

use std::fmt::Write as _;

use super::*;

type Scenario = (&'static str, fn(TransactionVersion) -> Option<Txn>);

#[test]
fn every_state_has_an_answer_to_every_input_version_1() {
    check("states_and_inputs_version_1", TransactionVersion::One);
}

#[test]
fn every_state_has_an_answer_to_every_input_version_2() {
    check("states_and_inputs_version_2", TransactionVersion::Two);
}

fn check(name: &str, version: TransactionVersion) {
    let mut table = String::new();
    for (scenario, build) in SCENARIOS {
        let Some(mut untouched) = build(version) else {
            continue;
        };
        let usual = next(&mut untouched);
        writeln!(table, "{scenario}\n  [{:?}, {usual}]", untouched.state()).unwrap();
        let mut without_effect: Vec<(String, Vec<&str>)> = Vec::new();
        for (input, apply) in INPUTS {
            let mut txn = build(version).unwrap();
            let Some(result) = apply(&mut txn) else {
                continue;
            };
            let state = txn.state();
            let events: Vec<_> = txn.events().iter().map(told).collect();
            let then = next(&mut txn);
            if state == untouched.state() && events.is_empty() && then == usual {
                match without_effect.iter_mut().find(|(same, _)| *same == result) {
                    Some((_, inputs)) => inputs.push(input),
                    None => without_effect.push((result, vec![input])),
                }
                continue;
            }
            writeln!(table, "  {input:22} {result:9} {state:?}, {then}").unwrap();
            if !events.is_empty() {
                writeln!(table, "  {:32} {}", "", events.join(", ")).unwrap();
            }
        }
        for (result, inputs) in without_effect {
            let said = if result.is_empty() {
                "nothing changes"
            } else {
                &result
            };
            writeln!(table, "  {said}: {}", inputs.join(", ")).unwrap();
        }
        table.push('\n');
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!(name, table));
}

const SCENARIOS: [Scenario; 28] = [
    ("uninitialized", |version| Some(Txn::uninitialized(version))),
    ("initializing, FindCoordinator out", |version| {
        Some(initializing(version, false))
    }),
    ("initializing, InitProducerId out", |version| {
        Some(initializing(version, true))
    }),
    ("ready", |version| Some(Txn::ready(version))),
    ("empty transaction", |version| {
        let mut txn = Txn::ready(version);
        txn.machine.begin().unwrap();
        Some(txn)
    }),
    (
        "transaction with a first AddPartitionsToTxn out",
        |version| {
            let mut txn = Txn::ready(only(TransactionVersion::One, version)?);
            txn.machine.begin().unwrap();
            txn.machine.partition_touched(&partition(0)).unwrap();
            txn.asks(Api::AddPartitionsToTxn);
            Some(txn)
        },
    ),
    ("transaction with something written", |version| {
        Some(Txn::written(version))
    }),
    ("transaction with AddOffsetsToTxn out", |version| {
        let mut txn = Txn::written(only(TransactionVersion::One, version)?);
        txn.machine
            .send_offsets(group("g", true), vec![offset(0, 5)])
            .unwrap();
        txn.asks(Api::AddOffsetsToTxn);
        Some(txn)
    }),
    ("transaction with TxnOffsetCommit out", |version| {
        Some(committing_offsets(version))
    }),
    ("transaction spoilt", |version| Some(spoilt(version))),
    (
        "transaction perhaps timed out, InitProducerId out",
        |version| {
            let mut txn = Txn::written(only(TransactionVersion::One, version)?);
            txn.machine.partition_touched(&partition(1)).unwrap();
            txn.asks(Api::AddPartitionsToTxn);
            txn.added(&[(1, ErrorCode::ProducerFenced)]);
            txn.asks(Api::InitProducerId);
            settled(txn)
        },
    ),
    ("commit, a batch unanswered", |version| {
        let mut txn = Txn::written(version);
        txn.sender.unresolved_batches = 1;
        txn.machine.commit().unwrap();
        settled(txn)
    }),
    ("commit, EndTxn out", |version| {
        let mut txn = Txn::written(version);
        txn.end(Direction::Commit);
        settled(txn)
    }),
    ("commit in doubt, EndTxn out again", |version| {
        Some(in_doubt(version))
    }),
    ("commit in doubt, DescribeTransactions out", |version| {
        let mut txn = in_doubt(version);
        txn.end_refused(ErrorCode::InvalidTxnState);
        txn.asks(Api::DescribeTransactions);
        settled(txn)
    }),
    ("commit durable, InitProducerId out", |version| {
        let mut txn = Txn::written(only(TransactionVersion::One, version)?);
        txn.end(Direction::Commit);
        txn.end_refused(ErrorCode::RequestTimedOut);
        txn.asks(Api::EndTxn);
        txn.ended();
        txn.asks(Api::InitProducerId);
        settled(txn)
    }),
    ("commit done, its outcome not taken", |version| {
        let mut txn = Txn::written(version);
        txn.end(Direction::Commit);
        txn.ended();
        settled(txn)
    }),
    ("abort, a batch unanswered", |version| {
        let mut txn = Txn::written(version);
        txn.sender.unresolved_batches = 1;
        txn.machine.abort().unwrap();
        settled(txn)
    }),
    ("abort, EndTxn out", |version| {
        let mut txn = Txn::written(version);
        txn.end(Direction::Abort);
        settled(txn)
    }),
    ("closing, EndTxn out", |version| {
        let mut txn = Txn::written(version);
        txn.machine.close(Close::Graceful);
        txn.asks(Api::EndTxn);
        settled(txn)
    }),
    ("two-phase: transaction with something written", |version| {
        only(TransactionVersion::Two, version)?;
        let mut txn = Txn::ready_two_phase();
        txn.write();
        settled(txn)
    }),
    ("two-phase: preparing, a batch unanswered", |version| {
        only(TransactionVersion::Two, version)?;
        let mut txn = Txn::ready_two_phase();
        txn.write();
        txn.sender.unresolved_batches = 1;
        txn.machine.prepare().unwrap();
        settled(txn)
    }),
    ("two-phase: prepared", |version| {
        only(TransactionVersion::Two, version)?;
        settled(Txn::prepared_two_phase())
    }),
    ("two-phase: kept for this instance", |version| {
        only(TransactionVersion::Two, version)?;
        settled(Txn::recovered_two_phase())
    }),
    (
        "two-phase: commit of what was kept, EndTxn out",
        |version| {
            only(TransactionVersion::Two, version)?;
            let mut txn = Txn::recovered_two_phase();
            txn.end(Direction::Commit);
            settled(txn)
        },
    ),
    ("fenced", |version| {
        ended_by(version, ErrorCode::ProducerFenced)
    }),
    ("fatal", |version| {
        ended_by(version, ErrorCode::TransactionalIdAuthorizationFailed)
    }),
    ("closed", |version| {
        let mut txn = Txn::ready(version);
        txn.machine.close(Close::Forced);
        settled(txn)
    }),
];

type Input = (&'static str, fn(&mut Txn) -> Option<String>);

const INPUTS: [Input; 29] = [
    ("init", |txn| Some(called(txn.machine.init()))),
    ("begin", |txn| Some(called(txn.machine.begin()))),
    ("partition touched", |txn| {
        Some(called(txn.machine.partition_touched(&partition(5))))
    }),
    ("send failed", |txn| {
        txn.machine.send_failed(too_large());
        silent()
    }),
    ("send offsets", |txn| {
        let offsets = vec![offset(0, 5)];
        Some(called(txn.machine.send_offsets(group("g", true), offsets)))
    }),
    ("prepare", |txn| Some(called(txn.machine.prepare()))),
    ("commit", |txn| Some(called(txn.machine.commit()))),
    ("abort", |txn| Some(called(txn.machine.abort()))),
    ("close", |txn| {
        txn.machine.close(Close::Graceful);
        silent()
    }),
    ("close by force", |txn| {
        txn.machine.close(Close::Forced);
        silent()
    }),
    ("batch refused", |txn| {
        batch_failed(txn, ErrorCode::InvalidRecord, BatchOutcome::NotAppended)
    }),
    ("batch given up", |txn| {
        batch_failed(txn, ErrorCode::RequestTimedOut, BatchOutcome::Unknown)
    }),
    ("batch answered 47", |txn| {
        batch_failed(
            txn,
            ErrorCode::InvalidProducerEpoch,
            BatchOutcome::NotAppended,
        )
    }),
    ("batch answered 49", |txn| {
        batch_failed(
            txn,
            ErrorCode::InvalidProducerIdMapping,
            BatchOutcome::NotAppended,
        )
    }),
    ("batches all answered", |txn| {
        let before = std::mem::replace(&mut txn.sender, NO_WORK);
        (before != NO_WORK).then(String::new)
    }),
    ("answer: success", succeed),
    ("answer: 14 loading", |txn| {
        refuse(txn, ErrorCode::CoordinatorLoadInProgress)
    }),
    ("answer: 16 moved", |txn| {
        refuse(txn, ErrorCode::NotCoordinator)
    }),
    ("answer: 30 group", |txn| {
        refuse(txn, ErrorCode::GroupAuthorizationFailed)
    }),
    ("answer: 48 state", |txn| {
        refuse(txn, ErrorCode::InvalidTxnState)
    }),
    ("answer: 51 concurrent", |txn| {
        refuse(txn, ErrorCode::ConcurrentTransactions)
    }),
    ("answer: 53 denied", |txn| {
        refuse(txn, ErrorCode::TransactionalIdAuthorizationFailed)
    }),
    ("answer: 59 forgotten", |txn| {
        refuse(txn, ErrorCode::UnknownProducerId)
    }),
    ("answer: 90 fenced", |txn| {
        refuse(txn, ErrorCode::ProducerFenced)
    }),
    ("answer: 120 abortable", |txn| {
        refuse(txn, ErrorCode::TransactionAbortable)
    }),
    ("answer: -1 failed", |txn| {
        refuse(txn, ErrorCode::UnknownServerError)
    }),
    ("not sent", |txn| {
        reply(txn, Reply::NotSent(NotSent::Unreachable))
    }),
    ("no such version", |txn| {
        reply(txn, Reply::NotSent(NotSent::VersionUnsupported))
    }),
    ("no answer", |txn| reply(txn, Reply::Ambiguous)),
];

fn only(wanted: TransactionVersion, version: TransactionVersion) -> Option<TransactionVersion> {
    (wanted == version).then_some(version)
}

fn settled(mut txn: Txn) -> Option<Txn> {
    txn.events();
    Some(txn)
}

fn initializing(version: TransactionVersion, found: bool) -> Txn {
    let mut txn = Txn::uninitialized(version);
    txn.machine.init().unwrap();
    txn.asks(Api::FindCoordinator);
    if found {
        txn.found(CoordinatorKind::Transaction, COORDINATOR);
        txn.asks(Api::InitProducerId);
    }
    txn
}

fn committing_offsets(version: TransactionVersion) -> Txn {
    let mut txn = Txn::written(version);
    txn.machine
        .send_offsets(group("g", true), vec![offset(0, 5)])
        .unwrap();
    if version == TransactionVersion::One {
        txn.asks(Api::AddOffsetsToTxn);
        txn.machine.handle_add_offsets(Reply::Answered(()), txn.now);
    }
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Group, GROUP_COORDINATOR);
    txn.asks(Api::TxnOffsetCommit);
    txn
}

fn spoilt(version: TransactionVersion) -> Txn {
    let mut txn = Txn::written(version);
    txn.machine.batch_failed(
        broker_error(ErrorCode::InvalidRecord),
        BatchOutcome::NotAppended,
    );
    txn.events();
    txn
}

fn in_doubt(version: TransactionVersion) -> Txn {
    let mut txn = Txn::written(version);
    txn.end(Direction::Commit);
    txn.machine.handle_end_txn(Reply::Ambiguous, txn.now);
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Transaction, COORDINATOR);
    txn.asks(Api::EndTxn);
    txn.events();
    txn
}

fn ended_by(version: TransactionVersion, code: ErrorCode) -> Option<Txn> {
    let mut txn = Txn::written(version);
    txn.machine
        .batch_failed(broker_error(code), BatchOutcome::NotAppended);
    settled(txn)
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every input")]
fn silent() -> Option<String> {
    Some(String::new())
}

fn called<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Ok(value) => match format!("{value:?}").as_str() {
            "()" => "accepted".to_owned(),
            attachment => attachment.to_lowercase(),
        },
        Err(Error::Misuse { .. }) => "misuse".to_owned(),
        Err(error) => format!("refused as {}", kind(&error)),
    }
}

fn batch_failed(txn: &mut Txn, code: ErrorCode, outcome: BatchOutcome) -> Option<String> {
    txn.machine.batch_failed(broker_error(code), outcome);
    silent()
}

/// The request that waits for an answer, if any.
fn outstanding(txn: &Txn) -> Option<(Api, CoordinatorKind)> {
    let machine = &txn.machine;
    let transaction = machine
        .coordinator
        .outstanding()
        .map(|api| (api, CoordinatorKind::Transaction));
    let group = machine
        .group_coordinator
        .outstanding()
        .map(|api| (api, CoordinatorKind::Group));
    transaction.or(group)
}

fn succeed(txn: &mut Txn) -> Option<String> {
    let next = identity(7, txn.machine.identity().producer_epoch.0 + 1);
    let (api, kind) = outstanding(txn)?;
    match api {
        Api::AddOffsetsToTxn => txn.machine.handle_add_offsets(Reply::Answered(()), txn.now),
        Api::AddPartitionsToTxn => txn.added(&[(0, ErrorCode::None)]),
        Api::DescribeTransactions if txn.machine.version() == TransactionVersion::One => {
            txn.described(DescribedState::CompleteCommit, identity(7, 0));
        }
        Api::DescribeTransactions => txn.described(DescribedState::CompleteCommit, next),
        Api::EndTxn => txn.ended(),
        Api::FindCoordinator => txn.found(kind, COORDINATOR),
        Api::InitProducerId => txn.initialized(next),
        Api::TxnOffsetCommit => {
            let results = vec![(partition(0), ErrorCode::None)];
            txn.machine
                .handle_txn_offset_commit(Reply::Answered(results), txn.now);
        }
    }
    silent()
}

fn refuse(txn: &mut Txn, code: ErrorCode) -> Option<String> {
    reply(txn, Reply::Refused(code))
}

fn reply(txn: &mut Txn, reply: Reply<()>) -> Option<String> {
    fn of<T>(reply: Reply<()>) -> Reply<T> {
        match reply {
            Reply::Refused(code) => Reply::Refused(code),
            Reply::NotSent(why) => Reply::NotSent(why),
            Reply::Answered(()) | Reply::Ambiguous => Reply::Ambiguous,
        }
    }
    let (api, kind) = outstanding(txn)?;
    let (machine, now) = (&mut txn.machine, txn.now);
    match api {
        Api::AddOffsetsToTxn => machine.handle_add_offsets(reply, now),
        Api::AddPartitionsToTxn => machine.handle_add_partitions(of(reply), now),
        Api::DescribeTransactions => machine.handle_describe_transactions(of(reply), now),
        Api::EndTxn => machine.handle_end_txn(of(reply), now),
        Api::FindCoordinator => machine.handle_find_coordinator(kind, of(reply), now),
        Api::InitProducerId => machine.handle_init_producer_id(of(reply), now),
        Api::TxnOffsetCommit => machine.handle_txn_offset_commit(of(reply), now),
    }
    silent()
}

/// What the machine does next.
fn next(txn: &mut Txn) -> String {
    let start = txn.now;
    let request = loop {
        match txn.poll() {
            Output::Send(call) => break call.request,
            Output::WaitUntil(at) => txn.now = at,
            Output::Idle if outstanding(txn).is_some() => return "waits for an answer".to_owned(),
            Output::Idle if txn.sender != NO_WORK => return "waits for batches".to_owned(),
            Output::Idle => return "idle".to_owned(),
        }
    };
    let waited = match (txn.now - start).as_millis() {
        0 => String::new(),
        millis => format!("after {millis} ms "),
    };
    let with = match request {
        Request::EndTxn {
            direction,
            producer,
        } => format!(" {direction:?} {producer}"),
        Request::InitProducerId { producer, .. } => format!(" {producer}"),
        Request::FindCoordinator { kind, .. } => format!(" {kind:?}"),
        Request::AddOffsetsToTxn { .. }
        | Request::AddPartitionsToTxn { .. }
        | Request::DescribeTransactions
        | Request::TxnOffsetCommit { .. } => String::new(),
    };
    format!("{waited}{}{with}", request.api().key())
}

fn told(event: &Event) -> String {
    match event {
        Event::Abortable(error) => format!("Abortable({})", kind(error)),
        Event::Closed | Event::Flush => format!("{event:?}"),
        Event::FailUndrained(error) => format!("FailUndrained({})", kind(error)),
        Event::Fatal(error) => format!("Fatal({})", kind(error)),
        Event::IdentityChanged(identity) => format!("IdentityChanged({identity})"),
        Event::OperationEnded(operation) => format!("{operation:?} ended"),
        Event::PartitionsAdded(added) => format!("PartitionsAdded({added:?})"),
        Event::TransactionEnded(direction) => format!("TransactionEnded({direction:?})"),
    }
}

fn kind(error: &Error) -> &'static str {
    let kinds = [
        (matches!(error, Error::Closed { .. }), "closed"),
        (matches!(error, Error::Fatal { .. }), "fatal"),
        (matches!(error, Error::Fenced { .. }), "fenced"),
        (
            matches!(error, Error::TransactionAbortable { .. }),
            "abortable",
        ),
        (matches!(error, Error::TransactionAborted), "aborted"),
    ];
    kinds
        .iter()
        .find(|(is, _)| *is)
        .map_or("?", |(_, kind)| kind)
}
