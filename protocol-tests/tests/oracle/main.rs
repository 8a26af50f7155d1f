//! The codec and Apache Kafka's own classes, held against each other, both ways.

#[cfg(test)]
mod known;
#[cfg(test)]
mod messages;
#[cfg(test)]
#[path = "../../../crates/codec/tests/support/record_json.rs"]
mod record_json;
#[cfg(test)]
mod records;
#[cfg(test)]
mod typed;

use milena_protocol_tests::Failure;
use milena_protocol_tests::java::Program;
use milena_protocol_tests::skip::skipped;
use std::io::{self, Write};

/// Starts one of the harness's programs; `None`, said loudly, where there is no Java.
#[cfg(test)]
fn program(
    test: &str,
    class: &str,
    arguments: &[&str],
    input: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
) -> Option<Program> {
    match Program::start(class, arguments, input) {
        Ok(program) => Some(program),
        Err(missing @ Failure::Missing { .. }) => {
            skipped(test, &missing);
            None
        }
        Err(failure) => panic!("{failure}"),
    }
}
