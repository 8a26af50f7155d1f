//! The tables of error codes, written out.

use super::*;

type Column = (&'static str, fn(ErrorCode) -> String);

/// §2.3, §2.5 to §2.9: every code of every request. A change to a table shows as a change to the
/// snapshot; read it beside the specification.
#[test]
fn every_code_of_every_request_has_its_place() {
    let mut table = String::new();
    let columns: [Column; 10] = [
        ("InitProducerId", |code| said(init_producer_id(code))),
        ("AddPartitions", |code| said(add_partitions(code))),
        ("AddOffsets", |code| said(add_offsets(code))),
        ("TxnOffsetCommit", |code| said(txn_offset_commit(code))),
        ("EndTxn commit", |code| {
            said(end_txn(code, Direction::Commit))
        }),
        ("EndTxn abort", |code| said(end_txn(code, Direction::Abort))),
        ("Find transaction", |code| {
            said(find_coordinator(code, CoordinatorKind::Transaction))
        }),
        ("Find group", |code| {
            said(find_coordinator(code, CoordinatorKind::Group))
        }),
        ("Describe", |code| said(describe_transactions(code))),
        ("Produce", |code| format!("{:?}", produce(code))),
    ];
    let codes = ErrorCode::ALL
        .iter()
        .copied()
        .chain([ErrorCode::Unknown(4711)]);
    let row = |code: ErrorCode| columns.map(|(_, verdict)| verdict(code));
    let unrelated = row(ErrorCode::Unknown(4711));
    let mut others = Vec::new();
    for (name, _) in columns {
        table += &format!("{name:17}");
    }
    table += "applied?\n";
    for code in codes {
        let verdicts = row(code);
        if verdicts == unrelated && !may_be_applied(code) {
            others.push(code.code());
            continue;
        }
        let doubt = if may_be_applied(code) {
            "perhaps"
        } else {
            "no"
        };
        table += &format!("\n{code}\n");
        for verdict in verdicts {
            table += &format!("{verdict:17}");
        }
        table += &format!("{doubt}\n");
    }
    table += &format!("\nas an undefined code, but certainly not applied: {others:?}\n");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!("error_codes", table));
}

fn said(verdict: Verdict) -> String {
    match verdict {
        Verdict::Done => "-".to_owned(),
        Verdict::Abortable
        | Verdict::Fatal
        | Verdict::Fenced
        | Verdict::FindCoordinator
        | Verdict::FindOut
        | Verdict::Refused
        | Verdict::Retry
        | Verdict::RetryConcurrent
        | Verdict::Forgotten => format!("{verdict:?}"),
    }
}

/// P-54: no code lets a failed batch pass unnoticed, and 47 is never a fence by itself (T-70).
#[test]
fn no_batch_failure_leaves_the_transaction_as_it_was() {
    for code in (i16::MIN..=i16::MAX).map(ErrorCode::from) {
        let verdict = produce(code);
        assert_eq!(
            verdict == BatchVerdict::Fenced,
            code == ErrorCode::ProducerFenced
        );
    }
}

/// L-2: only a code that the coordinator gives before it writes proves that nothing was applied; a code
/// that nobody knows proves nothing.
#[test]
fn undefined_codes_prove_nothing() {
    for code in (i16::MIN..=i16::MAX).map(ErrorCode::from) {
        if matches!(code, ErrorCode::Unknown(_)) {
            assert!(may_be_applied(code));
        }
    }
}

/// T-64: whatever is repeated, abandoned or looked up - no code of an EndTxn makes it a success.
#[test]
fn only_success_is_success() {
    for code in (i16::MIN..=i16::MAX)
        .map(ErrorCode::from)
        .filter(|code| !code.is_none())
    {
        for verdict in [
            init_producer_id(code),
            add_partitions(code),
            add_offsets(code),
            txn_offset_commit(code),
            end_txn(code, Direction::Commit),
            end_txn(code, Direction::Abort),
            find_coordinator(code, CoordinatorKind::Transaction),
            find_coordinator(code, CoordinatorKind::Group),
            describe_transactions(code),
        ] {
            assert_ne!(verdict, Verdict::Done, "{code}");
        }
    }
}
