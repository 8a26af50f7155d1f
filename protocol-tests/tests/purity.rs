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

/// Every file of this name is pure.
const MACHINE: &str = "machine.rs";

/// Further pure modules, from the folder `crates`.
const PURE: [&str; 21] = [
    "client/src/consumer/contact.rs",
    "client/src/consumer/fetch/answer.rs",
    "client/src/consumer/fetch/backoff.rs",
    "client/src/consumer/fetch/batches.rs",
    "client/src/consumer/fetch/deliver.rs",
    "client/src/consumer/fetch/errors.rs",
    "client/src/consumer/fetch/fault.rs",
    "client/src/consumer/fetch/lookup.rs",
    "client/src/consumer/fetch/partition.rs",
    "client/src/consumer/fetch/session.rs",
    "client/src/consumer/fetch/wire.rs",
    "client/src/consumer/position.rs",
    "client/src/consumer/unpack.rs",
    "client/src/consumer/visibility.rs",
    "connection/src/backoff.rs",
    "connection/src/cluster/dial.rs",
    "connection/src/error.rs",
    "connection/src/link/handshake.rs",
    "connection/src/link/outbox.rs",
    "connection/src/metadata/snapshot.rs",
    "connection/src/versions.rs",
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

/// The machines, and the other modules that promise to be pure.
fn pure_modules() -> Vec<PathBuf> {
    let crates = crates();
    let mut files: Vec<PathBuf> = PURE.iter().map(|file| crates.join(file)).collect();
    let mut folders: Vec<_> = CRATES
        .iter()
        .map(|name| crates.join(name).join("src"))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == MACHINE) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
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
    let crates = crates();
    let mut found = Vec::new();
    for path in pure_modules() {
        let file = path.strip_prefix(&crates).unwrap().display().to_string();
        let source = fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("{file} is listed as pure in protocol-tests/tests/purity.rs: {error}")
        });
        found.extend(violations(&file, &source));
    }
    assert!(
        found.is_empty(),
        "Pure modules decide; drivers wait (docs/ARCHITECTURE.md). {} places break that:\n\n{}\n",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn the_machines_are_found() {
    let machines = pure_modules();
    for machine in ["link", "metadata", "coordinator"] {
        let file = crates().join("connection/src").join(machine).join(MACHINE);
        assert!(
            machines.contains(&file),
            "{} is not looked at",
            file.display()
        );
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
