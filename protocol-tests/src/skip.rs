//! Tests that could not run: said loudly, counted, and in CI refused.

use crate::scratch::target_dir;
use std::fs::OpenOptions;
use std::io::Write as _;

/// Set to `1` where a missing broker must fail the tests.
pub const REQUIRE_KAFKA: &str = "MILENA_REQUIRE_KAFKA";

/// The file in the target folder that has one line for every skipped test.
pub const SKIPPED: &str = "kafka-tests-skipped.txt";

/// Says that `test` did not run, and counts it.
///
/// # Panics
///
/// If [`REQUIRE_KAFKA`] is set.
#[track_caller]
#[expect(
    clippy::panic,
    reason = "where Kafka is required, a skipped test is a failed one"
)]
pub fn skipped(test: &str, reason: &dyn std::fmt::Display) {
    if std::env::var_os(REQUIRE_KAFKA).is_some_and(|value| value == "1") {
        panic!("{test} may not be skipped here ({REQUIRE_KAFKA}=1), but {reason}");
    }
    let line = format!("SKIPPED {test}: {reason}\n");
    // Not eprint!, which the test runner swallows when a test passes.
    let _ = std::io::stderr().write_all(line.as_bytes());
    let _ = OpenOptions::new()
        .create(true)
        .append(true)
        .open(target_dir().join(SKIPPED))
        .and_then(|mut file| file.write_all(line.as_bytes()));
}
