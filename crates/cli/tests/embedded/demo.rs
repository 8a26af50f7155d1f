//! `milena demo` on brokers of its own.

use std::process::Output;
use std::time::{Duration, Instant};

use crate::served::{milena, stderr, stdout};

const VERDICT: &str = "verdict: every committed transfer was seen whole and once";

/// The number behind a row's name; 0 if there is no such row.
fn row(table: &str, name: &str) -> u64 {
    let line = table.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.rsplit(' ').next());
    number.map_or(0, |number| number.parse().unwrap())
}

fn demo(more: &[&str]) -> Output {
    let started = Instant::now();
    let output = milena(&[&["demo", "--transfers", "120"], more].concat());
    // Its own limit is 30 s of work, and what is asked here takes a fraction of that.
    assert!(started.elapsed() < Duration::from_secs(60), "{output:?}");
    output
}

#[test]
fn the_bank_needs_no_broker_of_yours_and_keeps_its_money() {
    let output = demo(&["--seed", "1"]);
    let table = stdout(&output);
    assert!(table.contains(VERDICT), "{table}");
    assert_eq!(row(&table, "transfers committed"), 90, "{table}");
    assert_eq!(row(&table, "transfers aborted on purpose"), 30);
    assert_eq!(row(&table, "transfers seen whole by the reader"), 90);
    assert_eq!(row(&table, "violations"), 0);
    assert!(!table.contains("faults"), "{table}");
}

/// Runs with faults, every kind at least once, and looks at the end of the day.
fn the_money_stays_through_faults(transaction_version: &str, seed: u64) {
    let seed = seed.to_string();
    let version = ["--transaction-version", transaction_version];
    let faults = ["--faults", "--fault-every", "5", "--seed", &seed];
    let output = demo(&[&version[..], &faults].concat());
    assert!(output.status.success(), "seed {seed}: {output:?}");
    let table = stdout(&output);
    assert!(table.contains(VERDICT), "seed {seed}: {table}");
    assert_eq!(row(&table, "violations"), 0);
    assert_eq!(row(&table, "transfers with unknown outcome"), 0);
    let committed = row(&table, "transfers committed");
    assert_eq!(row(&table, "transfers seen whole"), committed, "{table}");
    assert!(committed > 50, "seed {seed}: {table}");
    for fault in [
        "Produce requests lost",
        "Produce answers cut",
        "EndTxn answers lost",
        "leaders moved",
        "coordinators moved",
        "brokers stopped and restarted",
    ] {
        assert!(row(&table, fault) > 0, "seed {seed}, {fault}: {table}");
    }
    let late = row(&table, "EndTxn done after its sender gave up");
    assert_eq!(late > 0, transaction_version == "2", "seed {seed}: {table}");
    assert!(row(&table, "faults, all together") >= 15, "{table}");
}

#[test]
fn the_money_stays_whatever_goes_wrong() {
    // They mostly wait, so they do it at the same time.
    std::thread::scope(|scope| {
        for (version, seed) in [("2", 1), ("2", 2), ("2", 3), ("1", 4), ("0", 5)] {
            scope.spawn(move || the_money_stays_through_faults(version, seed));
        }
    });
}

#[test]
fn a_reader_that_sees_what_was_aborted_is_found_out() {
    let output = demo(&["-X", "isolation.level=read_uncommitted"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = stderr(&output);
    assert!(said.contains("aborted, and seen"), "{said}");
    assert!(said.contains("milena: verdict: "), "{said}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("verdict"));
}

#[test]
fn faults_are_for_embedded_brokers_alone() {
    let output = milena(&["demo", "--faults", "--bootstrap", "localhost:9092"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
