//! Starts a Kafka of its own on loopback, runs `milena` against it, and ends it again.
//!
//! `cargo run --release -p milena-protocol-tests --bin with-kafka -- [--kafka FLAVOUR] ARGUMENTS OF MILENA`
//!
//! The flavours are those of the tests: `kafka_4_4_0`, `kafka_4_3_1_tv2` (the default), `kafka_4_3_1_tv1`, `kafka_4_3_1_tv0`,
//! `kafka_3_9_2`. The exit code is milena's.

use std::process::{Command, ExitCode};

use milena_protocol_tests::flavour::by_name;
use milena_protocol_tests::{Flavour, Kafka, KafkaConfig};

const FLAVOURS: [Flavour; 5] = [
    by_name::kafka_4_4_0,
    by_name::kafka_4_3_1_tv2,
    by_name::kafka_4_3_1_tv1,
    by_name::kafka_4_3_1_tv0,
    by_name::kafka_3_9_2,
];

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let flavour = match take_flavour(&mut arguments) {
        Ok(flavour) => flavour,
        Err(unknown) => return complain(&unknown),
    };
    eprintln!("starting {} on loopback", flavour.name());
    let kafka = match Kafka::try_start(&KafkaConfig::new(flavour)) {
        Ok(kafka) => kafka,
        Err(failure) => return complain(&failure.to_string()),
    };
    let status = Command::new(env!("CARGO"))
        .args([
            "run",
            "--quiet",
            "--release",
            "--package",
            "milena-cli",
            "--",
        ])
        .args(arguments)
        .args(["--bootstrap", &kafka.bootstrap().join(",")])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status();
    drop(kafka);
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => ExitCode::from(
            status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1),
        ),
        Err(error) => complain(&format!("milena could not be run: {error}")),
    }
}

fn take_flavour(arguments: &mut Vec<String>) -> Result<Flavour, String> {
    if arguments.first().is_none_or(|first| first != "--kafka") {
        return Ok(by_name::kafka_4_3_1_tv2);
    }
    let name = arguments.get(1).cloned().unwrap_or_default();
    arguments.drain(..arguments.len().min(2));
    FLAVOURS
        .into_iter()
        .find(|flavour| flavour.name() == name)
        .ok_or_else(|| {
            let known: Vec<&str> = FLAVOURS.iter().map(|flavour| flavour.name()).collect();
            format!(
                "--kafka {name}: there is no such flavour; take one of {}",
                known.join(", ")
            )
        })
}

fn complain(what: &str) -> ExitCode {
    eprintln!("with-kafka: {what}");
    ExitCode::FAILURE
}
