//! Requests that arrive when their sender has gone on, for a minute, where nothing but the client stands between
//! them and a torn transaction: before version 2 an EndTxn that comes late ends the next transaction
//! (KAFKA-17754, T-65), and a batch that comes late may fall into it.

use milena_protocol_tests::breaking::{Plan, Workload, run};
use milena_protocol_tests::java::Programs;
use milena_protocol_tests::skip::skipped;
use milena_protocol_tests::{Failure, Flavour};
use std::time::Duration;

/// How long requests come late.
const LENGTH: Duration = Duration::from_secs(60);

fn tears_nothing(flavour: Flavour) -> Result<(), Failure> {
    if let Err(missing @ Failure::Missing { .. }) = Programs::at_hand() {
        skipped("late", &missing);
        return Ok(());
    }
    let plan = Plan {
        seed: fastrand::u64(..1_000_000),
        length: LENGTH,
        workloads: vec![Workload::Late],
        flavour,
        program: env!("CARGO_BIN_EXE_breaking-cluster").into(),
    };
    let again = format!(
        "cargo run --release -p milena-protocol-tests --bin breaking-cluster -- --workload late --seconds {} --seed {} --kafka {}",
        LENGTH.as_secs(),
        plan.seed,
        flavour.name()
    );
    eprintln!("again: {again}");
    let report = run(&plan)?;
    eprintln!("{report}");
    assert!(report.violations.is_empty(), "{report}\nagain: {again}");
    // A run in which nothing came late, or nothing else happened, proves nothing.
    let late = report.troubles.get("request late").copied().unwrap_or(0);
    assert!(late > 100, "{report}");
    for (topic, counts) in &report.topics {
        let committed = counts.get("transactions committed").copied().unwrap_or(0);
        assert!(committed > 50, "{topic}: {report}");
    }
    Ok(())
}

/// T-65, D-36, D-37.
#[test]
fn late_ends_and_late_batches_tear_nothing_under_version_0() -> Result<(), Failure> {
    tears_nothing(Flavour::Kafka431Tv0)
}

/// T-65, D-36, D-37.
#[test]
fn late_ends_and_late_batches_tear_nothing_under_version_1() -> Result<(), Failure> {
    tears_nothing(Flavour::Kafka431Tv1)
}
