//! The short form of the long run: all workloads side by side on one cluster that is being broken for a minute.

use milena_protocol_tests::breaking::{Plan, Workload, run};
use milena_protocol_tests::java::Programs;
use milena_protocol_tests::skip::skipped;
use milena_protocol_tests::{Failure, Flavour};
use std::time::Duration;

/// How long the faults last.
const LENGTH: Duration = Duration::from_secs(60);

#[test]
fn nothing_is_lost_duplicated_reordered_torn_or_stuck_while_brokers_clients_and_network_break() {
    if let Err(missing @ Failure::Missing { .. }) = Programs::at_hand() {
        return skipped("breaking", &missing);
    }
    let plan = Plan {
        seed: fastrand::u64(..1_000_000),
        length: LENGTH,
        workloads: Workload::ALL.to_vec(),
        flavour: Flavour::Kafka431Tv2,
        program: env!("CARGO_BIN_EXE_breaking-cluster").into(),
    };
    let again = format!(
        "cargo run --release -p milena-protocol-tests --bin breaking-cluster -- --seconds {} --seed {}",
        LENGTH.as_secs(),
        plan.seed
    );
    eprintln!("again: {again}");
    let report = run(&plan).unwrap();
    eprintln!("{report}");
    assert!(report.violations.is_empty(), "{report}\nagain: {again}");
    // A run in which nothing happened proves nothing.
    for (topic, counts) in &report.topics {
        let done = |what: &str| counts.get(what).copied().unwrap_or(0);
        assert!(done("records acknowledged") > 100, "{topic}: {report}");
    }
    assert!(report.troubles.values().sum::<u64>() > 100, "{report}");
}
