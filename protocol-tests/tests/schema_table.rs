//! The schema table of the codec is what Kafka's own message definitions say.

use milena_protocol_tests::Failure;
use milena_protocol_tests::jars::{Jars, NEWEST};
use milena_protocol_tests::skip::skipped;
use std::process::Command;

#[test]
fn the_schema_table_is_that_of_the_newest_kafka() {
    match Jars::fetch(NEWEST) {
        Ok(_) => {}
        Err(missing @ Failure::Missing { .. }) => {
            return skipped("the_schema_table_is_that_of_the_newest_kafka", &missing);
        }
        Err(failure) => panic!("{failure}"),
    }
    let check = Command::new(env!("CARGO_BIN_EXE_schema-table"))
        .arg("--check")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&check.stderr);
    assert!(check.status.success(), "{said}");
}
