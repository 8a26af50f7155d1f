//! Decisions are sans-IO: the pure modules take the time and a seed as arguments, and neither wait
//! nor ask a clock, a random source or the outside world. Only then can every machine be tested over
//! all its states, and a run be repeated from its seed.
//!
//! This is a rule of the house, so it is a test: it reads the sources.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// The crates in which decisions and waiting are kept apart.
const CRATES: [&str; 3] = ["connection", "client", "broker"];

/// Every file of this name waits and decides nothing.
const DRIVER: &str = "driver.rs";

/// The other files and folders that wait or look at the world, from the folder `crates`. Everything else is
/// pure: a new file is, until someone writes here why it can't be.
const WAITING: [(&str, &str); 34] = [
    ("broker/src/broker.rs", "a running broker, for its owner"),
    ("broker/src/builder.rs", "starts it"),
    ("broker/src/clock.rs", "its clock"),
    (
        "broker/src/faults.rs",
        "holds answers until a test releases them",
    ),
    (
        "broker/src/handlers",
        "one call each, which may wait for records, members or markers",
    ),
    ("broker/src/history.rs", "waits for what a test expects"),
    ("broker/src/lib.rs", "exports the clock"),
    ("broker/src/network.rs", "sockets"),
    ("broker/src/server.rs", "its tasks"),
    (
        "broker/src/shared.rs",
        "what the tasks share, and how they wake each other",
    ),
    ("client/src/admin", "one call after the other"),
    ("client/src/consumer/api.rs", "the application's end"),
    (
        "client/src/consumer/committed.rs",
        "asks the group coordinator",
    ),
    ("client/src/consumer/offsets.rs", "asks for offsets"),
    ("client/src/producer/api.rs", "the application's end"),
    ("client/src/producer/core.rs", "the application's end"),
    (
        "client/src/producer/delivery.rs",
        "a future of the application's",
    ),
    ("client/src/producer/exchange.rs", "asks for a producer id"),
    (
        "client/src/producer/driver",
        "the rest of the producer's task",
    ),
    ("client/src/producer/memory.rs", "callers wait for room"),
    (
        "client/src/producer/queue.rs",
        "what callers and driver share, and how they wake each other",
    ),
    ("client/src/runtime.rs", "finds the runtime"),
    ("client/src/transaction/calls.rs", "asks the coordinators"),
    ("client/src/transaction/handle", "the application's end"),
    ("client/src/transaction/handle.rs", "the application's end"),
    (
        "client/src/transaction/session.rs",
        "keeps the channels of those who wait for the transaction machine",
    ),
    ("connection/src/clock.rs", "the clock"),
    ("connection/src/cluster/call.rs", "one call"),
    (
        "connection/src/cluster/inner.rs",
        "what handles and tasks share",
    ),
    ("connection/src/cluster/mod.rs", "the application's end"),
    (
        "connection/src/cluster/pool.rs",
        "dials, and waits in between",
    ),
    (
        "connection/src/link/connection.rs",
        "the application's end of a connection",
    ),
    ("connection/src/signal.rs", "what tasks wait for"),
    ("connection/src/transport.rs", "sockets"),
];

/// What a pure module must not name, and what to do instead.
const FORBIDDEN: [(&str, &str); 17] = [
    ("tokio", "the driver waits; hand it a deadline or an event"),
    ("async ", "the driver waits; hand it a deadline or an event"),
    (".await", "the driver waits; hand it a deadline or an event"),
    ("clock::", "take `now: Instant` as an argument"),
    ("Instant::now", "take `now: Instant` as an argument"),
    (
        ".elapsed(",
        "take `now: Instant` as an argument and subtract",
    ),
    ("SystemTime", "take the wall-clock time as an argument"),
    ("UNIX_EPOCH", "take the wall-clock time as an argument"),
    (
        "Rng::new",
        "take a seed as an argument: `fastrand::Rng::with_seed`",
    ),
    (
        "Rng::default",
        "take a seed as an argument: `fastrand::Rng::with_seed`",
    ),
    (
        "thread_rng",
        "take a seed as an argument: `fastrand::Rng::with_seed`",
    ),
    (
        "rand::random",
        "take a seed as an argument: `fastrand::Rng::with_seed`",
    ),
    ("std::thread", "the driver owns tasks"),
    ("std::net", "the driver owns sockets"),
    ("std::fs", "the driver owns files"),
    ("std::env", "take the setting as an argument"),
    ("println!", "return an event, or trace it in the driver"),
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../crates")
        .canonicalize()
        .unwrap()
}

/// Every source file of the crates that is not there for tests only, from the folder `crates`.
fn sources() -> Vec<String> {
    let crates = crates();
    let mut files = Vec::new();
    let mut folders: Vec<_> = CRATES
        .iter()
        .map(|name| crates.join(name).join("src"))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if is_for_tests(&path) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.strip_prefix(&crates).unwrap().display().to_string());
            }
        }
    }
    files.sort();
    files
}

/// `tests`, `tests.rs`, `model_tests.rs`, `test_support.rs`, and what such a module is made of.
fn is_for_tests(path: &Path) -> bool {
    let name = path.file_stem().unwrap().to_str().unwrap();
    name.split('_')
        .any(|word| word == "test" || word == "tests")
        || name == "fixture"
}

fn is_driver(file: &str) -> bool {
    Path::new(file)
        .file_name()
        .is_some_and(|name| name == DRIVER)
}

fn is_in(file: &str, listed: &str) -> bool {
    Path::new(file).starts_with(listed)
}

fn is_pure(file: &str) -> bool {
    !is_driver(file) && !WAITING.iter().any(|(listed, _)| is_in(file, listed))
}

fn violations_in(file: &str) -> Vec<String> {
    violations(file, &fs::read_to_string(crates().join(file)).unwrap())
}

/// The code of a module line by line, without comments and without its tests, which stand at the end.
fn code(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = source
        .lines()
        .take_while(|line| line.trim() != "#[cfg(test)]");
    lines
        .enumerate()
        .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
}

/// Whether the line has `what` in it, and not only as a part of a longer name.
fn names(line: &str, what: &str) -> bool {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(what).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + what.len()..].chars().next();
        !(what.starts_with(in_name) && before.is_some_and(in_name)
            || what.ends_with(in_name) && after.is_some_and(in_name))
    })
}

/// A use of fastrand's functions instead of a seeded generator, such as `fastrand::u64(..)`.
fn uses_global_random(line: &str) -> bool {
    line.split("fastrand::")
        .skip(1)
        .any(|rest| !rest.starts_with("Rng"))
}

fn violations(file: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in code(source) {
        let mut report = |what: &str, instead: &str| {
            found.push(format!(
                "{file}:{number} names `{}`: {instead}\n    {}",
                what.trim(),
                line.trim()
            ));
        };
        for (what, instead) in FORBIDDEN {
            if names(line, what) {
                report(what, instead);
            }
        }
        if uses_global_random(line) {
            report(
                "fastrand::",
                "take a seed as an argument: `fastrand::Rng::with_seed`",
            );
        }
    }
    found
}

#[test]
fn pure_modules_neither_wait_nor_read_a_clock_nor_roll_dice() {
    let pure = sources().into_iter().filter(|file| is_pure(file));
    let found: Vec<_> = pure.flat_map(|file| violations_in(&file)).collect();
    assert!(
        found.is_empty(),
        "What is neither a driver nor listed as waiting in protocol-tests/tests/purity.rs decides, and must be \
         pure (docs/ARCHITECTURE.md). {} places break that:\n\n{}\n",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn what_is_listed_as_waiting_waits() {
    let sources = sources();
    for (listed, reason) in WAITING {
        let mut files = sources.iter().filter(|file| is_in(file, listed));
        assert!(
            files.any(|file| !violations_in(file).is_empty()),
            "{listed} ({reason}) has become pure or is gone: take it off the list"
        );
    }
}

#[test]
fn the_machines_are_looked_at() {
    let sources = sources();
    for machine in [
        "broker/src/group_coordinator/mod.rs",
        "client/src/consumer/fetch/machine.rs",
        "client/src/producer/machine.rs",
        "client/src/producer/machine/answers.rs",
        "client/src/producer/partition.rs",
        "client/src/producer/verdict.rs",
        "client/src/transaction/machine.rs",
        "client/src/transaction/pause.rs",
        "client/src/transaction/two_phase.rs",
        "connection/src/coordinator/machine.rs",
        "connection/src/link/machine.rs",
        "connection/src/metadata/machine.rs",
    ] {
        let is_found = sources.iter().any(|file| file == machine);
        assert!(is_found && is_pure(machine), "{machine} is not looked at");
    }
}

#[test]
fn a_breach_is_reported_with_place_and_remedy() {
    let source = "use std::time::Instant; self.awaiting.len();\n// Instant::now is only named here\nlet now = Instant::now();\n\
                  let jitter = fastrand::u64(..);\nlet rng = fastrand::Rng::with_seed(1);\n\
                  #[cfg(test)]\nmod tests { fn f() { Instant::now(); } }\n";
    let found = violations("some/machine.rs", source);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("some/machine.rs:3 names `Instant::now`: take `now: Instant`"));
    assert!(found[1].starts_with("some/machine.rs:4 names `fastrand::`: take a seed"));
}
