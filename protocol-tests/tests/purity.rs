//! Decisions are sans-IO: the pure modules take the time and a seed as arguments, and neither wait
//! nor ask a clock, a random source or the outside world. Only then can every machine be tested over
//! all its states, and a run be repeated from its seed.
//!
//! The codec cannot name a runtime or a source of chance: no crate in its dependencies has one (the last test here). In the other crates
//! this test parses the sources, resolves every name and finds what is impure; what it finds is tested with planted mistakes.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use milena_protocol_tests::house::purity::Purity;
use milena_protocol_tests::house::source::{Module, module_of, modules};

/// The crates in which decisions and waiting are kept apart, and their names in code.
const CRATES: [(&str, &str); 4] = [
    ("codec", "milena_codec"),
    ("connection", "milena_connection"),
    ("client", "milena"),
    ("broker", "milena_broker"),
];

/// Every file of this name waits and decides nothing.
const DRIVER: &str = "driver.rs";

/// The other files and folders that wait or look at the world, from the folder `crates`. Everything else is
/// pure: a new file is, until someone writes here why it can't be.
const WAITING: &[(&str, &str)] = &[
    ("broker/src/background.rs", "a thread with a runtime"),
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
    ("broker/src/network.rs", "sockets"),
    ("broker/src/server.rs", "its tasks"),
    (
        "broker/src/shared.rs",
        "what the tasks share, and how they wake each other",
    ),
    ("client/src/admin", "one call after the other"),
    ("client/src/client", "connects, and starts the handles"),
    (
        "client/src/config/properties/file.rs",
        "reads a file of settings",
    ),
    ("client/src/consumer/api.rs", "the application's end"),
    (
        "client/src/consumer/committed.rs",
        "asks the group coordinator",
    ),
    ("client/src/consumer/offsets.rs", "asks for offsets"),
    (
        "client/src/producer/accumulator.rs",
        "what callers and driver share, and how they wake each other",
    ),
    (
        "client/src/producer/batch.rs",
        "a future of the application's",
    ),
    (
        "client/src/producer/driver",
        "the rest of the producer's task",
    ),
    ("client/src/producer/handle.rs", "the application's end"),
    ("client/src/producer/memory.rs", "callers wait for room"),
    ("client/src/producer/produce.rs", "asks for a producer id"),
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

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The modules of the crates. A crate that waits only in its drivers is pure elsewhere.
fn all_modules() -> Vec<Module> {
    CRATES
        .iter()
        .flat_map(|(folder, name)| modules(root(), &format!("crates/{folder}"), name).unwrap())
        .collect()
}

/// The names in code of everything that a crate depends on outside its tests: what it can name at all.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = root().join("crates").join(folder).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let mut names = BTreeSet::new();
    let mut in_dependencies = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line == "[dependencies]";
        } else if in_dependencies && !line.starts_with('#') && !line.is_empty() {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            names.insert(name.replace('-', "_"));
        }
    }
    names
}

fn external() -> BTreeSet<String> {
    CRATES
        .iter()
        .flat_map(|(folder, _)| dependencies(folder))
        .collect()
}

fn is_driver(file: &str) -> bool {
    Path::new(file)
        .file_name()
        .is_some_and(|name| name == DRIVER)
}

fn is_in(file: &str, listed: &str) -> bool {
    Path::new(file).starts_with(Path::new("crates").join(listed))
}

/// Whether a file may wait.
fn waits(file: &str) -> bool {
    is_driver(file) || WAITING.iter().any(|(listed, _)| is_in(file, listed))
}

/// The files of the product.
fn files(modules: &[Module]) -> BTreeSet<&str> {
    modules
        .iter()
        .filter(|module| !module.for_tests)
        .map(|module| &*module.file)
        .collect()
}

#[test]
fn pure_modules_neither_wait_nor_read_a_clock_nor_roll_dice() {
    let modules = all_modules();
    let purity = Purity::new(&modules, external(), waits);
    let found: Vec<String> = files(&modules)
        .into_iter()
        .filter(|file| !waits(file))
        .flat_map(|file| purity.violations(file))
        .map(|violation| violation.to_string())
        .collect();
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
    let modules = all_modules();
    let purity = Purity::new(&modules, external(), waits);
    let files = files(&modules);
    for (listed, reason) in WAITING {
        let mut listed_files = files.iter().filter(|file| is_in(file, listed));
        assert!(
            listed_files.any(|file| !purity.violations(file).is_empty()),
            "{listed} ({reason}) has become pure or is gone: take it off the list"
        );
    }
}

#[test]
fn every_file_of_the_crates_is_reached_from_its_lib() {
    let modules = all_modules();
    let read: BTreeSet<&str> = modules.iter().map(|module| &*module.file).collect();
    let mut folders: Vec<_> = CRATES
        .iter()
        .map(|(folder, _)| root().join("crates").join(folder).join("src"))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(root()).unwrap().display().to_string();
                assert!(read.contains(&*file), "no module is declared for {file}");
            }
        }
    }
}

/// A crate with a pure module, a clock, a driver, and re-exports of both; `text` is the pure module.
fn planted(text: &str) -> Vec<Module> {
    let files = [
        (
            "lib.rs",
            &["house"][..],
            "mod clock; mod driver; mod pure; mod wire; pub use clock::{Clock, Time, now as tick}; pub use wire::*;",
        ),
        (
            "clock.rs",
            &["house", "clock"],
            "use std::time::Instant; pub fn now() -> Instant { Instant::now() } pub fn after(at: Instant) -> Instant { at }
             pub struct Clock(Instant); impl Clock { pub fn now(&self) -> Instant { now() } }
             pub struct Time(u64); impl Time { pub fn millis(self) -> u64 { self.0 } }",
        ),
        (
            "driver.rs",
            &["house", "driver"],
            "pub fn roll() -> u64 { fastrand::u64(..) } pub fn indirectly() -> u64 { roll() } pub const LIMIT: u64 = 1;
             pub struct Driver; impl Driver { pub fn start() { crate::clock::now(); } pub fn name() -> u64 { 1 } }",
        ),
        ("wire.rs", &["house", "wire"], "pub fn put() {}"),
        ("pure.rs", &["house", "pure"], text),
    ];
    let mut all = Vec::new();
    for (file, path, text) in files {
        all.extend(module_of(file, path, text).unwrap_or_else(|error| panic!("{error}: {text}")));
    }
    all
}

/// The lines of a pure module that are found, and what is said of the first.
fn found(text: &str) -> (Vec<usize>, String) {
    let modules = planted(text);
    let external = ["tokio", "fastrand", "uuid", "bytes", "getrandom"].map(str::to_owned);
    let purity = Purity::new(&modules, external, |file| {
        file == "clock.rs" || file == "driver.rs"
    });
    let violations = purity.violations("pure.rs");
    let first = violations.first().map(ToString::to_string);
    let lines = violations.iter().map(|violation| violation.line);
    (lines.collect(), first.unwrap_or_default())
}

/// Each kind of mistake that could be planted in a pure module, and the line that has to be found.
const MISTAKES: [(&str, &str, usize); 34] = [
    ("the clock", "fn f() {\n std::time::Instant::now(); }", 2),
    (
        "an alias",
        "use std::time::Instant as I;\nfn f() { I::now(); }",
        2,
    ),
    (
        "an alias of a module",
        "use std::time as t;\nfn f() { t::Instant::now(); }",
        2,
    ),
    (
        "an alias of a type",
        "use std::time::Instant;\ntype At = Instant;\nfn f() { At::now(); }",
        3,
    ),
    (
        "a grouped import",
        "use std::{fmt, thread::{self, sleep}, time::Duration};\nfn f() { sleep(Duration::ZERO); }",
        1,
    ),
    (
        "a nested group of clocks",
        "use std::{fmt, time::{Duration,\n SystemTime}};",
        2,
    ),
    (
        "a glob import",
        "use std::time::*;\nfn f() { Instant::now(); }",
        1,
    ),
    (
        "an import within a function",
        "fn f() {\n use std::time::Instant as At;\n At::now(); }",
        3,
    ),
    (
        "a function as a value",
        "use std::time::Instant;\nfn f() { let g = Instant::now;\n g(); }",
        2,
    ),
    (
        "a qualified path",
        "use std::time::Instant;\nfn f() {\n <Instant>::now(); }",
        3,
    ),
    (
        "the core's name for it",
        "fn f() { core::time::Duration::ZERO; alloc::vec::Vec::<u8>::new();\n std::thread::yield_now(); }",
        2,
    ),
    (
        "elapsed",
        "fn f(at: std::time::Instant) {\n at.elapsed(); }",
        2,
    ),
    (
        "elapsed within a macro",
        "fn f(at: std::time::Instant) {\n assert!(at.elapsed().is_zero()); }",
        2,
    ),
    (
        "the clock within a macro",
        "use std::time::Instant;\nfn f() { assert_eq!(1, 1);\n assert!(Instant::now() > x); }",
        3,
    ),
    (
        "a macro of one's own",
        "macro_rules! now { () => {\n std::time::Instant::now() } }",
        2,
    ),
    (
        "our clock",
        "fn f() { crate::clock::after(x);\n crate::clock::now(); }",
        2,
    ),
    (
        "our clock, imported",
        "use crate::clock::{after, now};\nfn f() { after(now()); }",
        2,
    ),
    (
        "our clock, re-exported by another name",
        "use crate::tick;\nfn f() { tick(); }",
        2,
    ),
    (
        "our clock, from above",
        "fn f() {\n super::clock::now(); }",
        2,
    ),
    (
        "our clock as a type",
        "use crate::{Clock, Time};\nfn f(time: Time,\n clock: &Clock) { clock.now(); }",
        3,
    ),
    (
        "a function of a driver",
        "use crate::driver;\nfn f() { driver::roll(); }",
        2,
    ),
    (
        "a function that calls one of a driver",
        "fn f() {\n crate::driver::indirectly(); }",
        2,
    ),
    (
        "a function of a driver's type",
        "use crate::driver::Driver;\nfn f() { Driver::name();\n Driver::start(); }",
        3,
    ),
    (
        "a random hasher",
        "use std::collections::hash_map::RandomState;\nfn f() { RandomState::new(); }",
        1,
    ),
    (
        "a random hasher by its newer name",
        "fn f() {\n std::hash::RandomState::new(); }",
        2,
    ),
    (
        "a random UUID",
        "use uuid::Uuid;\nfn f() { Uuid::nil();\n Uuid::new_v4(); }",
        3,
    ),
    (
        "chance",
        "fn f() { fastrand::Rng::with_seed(1);\n fastrand::u64(..); }",
        2,
    ),
    (
        "chance, imported by another name",
        "use fastrand::u64 as one;\nfn f() { one(..); }",
        1,
    ),
    (
        "chance without a seed",
        "use fastrand::Rng;\nfn f() { Rng::with_seed(1);\n Rng::new(); }",
        3,
    ),
    (
        "another source of chance",
        "fn f() {\n getrandom::fill(&mut x); }",
        2,
    ),
    (
        "the time of the day",
        "fn f() {\n std::time::SystemTime::now(); }",
        2,
    ),
    ("sleep", "use std::thread;\nfn f() { thread::sleep(x); }", 1),
    (
        "a runtime by another name",
        "extern crate tokio as t;\nfn f() { t::spawn(x); }",
        1,
    ),
    (
        "await",
        "async fn f() {}\nfn g() { select! { x = f().await => {} } }",
        1,
    ),
];

#[test]
fn every_kind_of_mistake_is_found_where_it_is() {
    for (kind, text, line) in MISTAKES {
        let (lines, first) = found(text);
        assert_eq!(lines.first(), Some(&line), "{kind}: {text}\n{first}");
        assert!(first.contains(": "), "{first}");
    }
}

#[test]
fn every_kind_of_mistake_is_found_behind_a_test_too() {
    for (kind, text, line) in MISTAKES {
        let behind = format!("#[cfg(test)] mod tests {{}}\n#[cfg(test)] fn helper() {{}}\n{text}");
        let (lines, _) = found(&behind);
        assert_eq!(lines.first(), Some(&(line + 2)), "{kind}: {behind}");
    }
}

#[test]
fn what_is_pure_or_only_for_tests_is_not_reported() {
    let text = "
        //! Instant::now is only named here.
        use std::collections::{BTreeMap, HashMap, hash_map::Entry};
        use std::time::{Duration, Instant};
        use bytes::Bytes;
        use crate::driver::{Driver, LIMIT};
        use super::*;
        fn f(now: Instant, later: Instant, tokio: u64) -> Duration {
            let text = \"SystemTime::now()\";
            put(tokio, LIMIT, text.await_count, u32::MAX, std::u64::MAX, Driver::name());
            let elapsed = self.elapsed;
            crate::clock::after(now);
            later.saturating_duration_since(now)
        }
        #[cfg(test)]
        use tokio::time::Instant as Clock;
        #[cfg(any(test, feature = \"_fuzzing\"))]
        mod operations { fn f() { std::time::Instant::now(); } }
        #[test]
        fn g() { std::thread::sleep(x); }
        impl X { #[cfg(test)] fn h() { std::thread::sleep(x); } }
    ";
    assert_eq!(found(text), (Vec::new(), String::new()));
}

#[test]
fn the_codec_can_name_no_runtime_and_no_source_of_chance() {
    // The compiler lets a crate name what its manifest lists and nothing that this brings along.
    let codec = dependencies("codec");
    let judged = [
        "bytes",
        "crc_fast",
        "flate2",
        "kafka_protocol",
        "lz4_flex",
        "proptest",
        "ruzstd",
        "snap",
        "thiserror",
        "uuid",
        "zstd",
    ];
    for name in &codec {
        assert!(
            judged.contains(&&**name),
            "the codec depends on {name}: is there a runtime, a socket, a clock or chance in it?"
        );
    }
    assert!(codec.contains("kafka_protocol"), "{codec:?}");
    assert!(dependencies("connection").contains("tokio"));
}
