//! A current librdkafka, as the confluent-kafka wheel on PyPI ships it.
//!
//! Debian's kcat has a librdkafka of 2023; what it requests differs. The wheel is installed into a virtual environment
//! of the target folder once.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use milena_broker::Broker;
use milena_protocol_tests::python::{self, Environment};
use milena_protocol_tests::skip::skipped;
use tokio::process::Command;

/// How long a test may take, without the installation.
const LIMIT: Duration = Duration::from_secs(120);

/// The version that these claims are made for; another one is a change of this file.
const WHEEL: &str = "confluent-kafka==2.16.1";

fn environment() -> &'static Result<Environment, String> {
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| Environment::with("confluent", &[WHEEL]))
}

fn script() -> PathBuf {
    python::script("confluent.py")
}

/// Has the script make one claim about a broker of its own.
async fn holds(claim: &str) {
    let python = match environment() {
        Ok(environment) => environment.python(),
        Err(reason) => return skipped(claim, reason),
    };
    let broker = Broker::builder()
        .brokers(2)
        .consumer_group_timing(Duration::from_millis(100), Duration::from_secs(45))
        .consumer_group_assignment_interval(Duration::ZERO)
        .start()
        .await
        .unwrap();
    let child = Command::new(python)
        .arg(script())
        .arg(broker.addresses().join(","))
        .arg(claim)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let done = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
    let done = done.unwrap_or_else(|_| panic!("{claim} did not end within {LIMIT:?}"));
    let done = done.unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
}

macro_rules! with_confluent_kafka {
    ($($claim:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                holds(stringify!($claim)).await;
            }
        )+
    };
}

with_confluent_kafka!(
    a_classic_group_shares_the_partitions,
    a_consumer_group_shares_the_partitions,
    it_lists_all_topics,
    it_produces_with_every_compression,
    it_sends_offsets_in_a_transaction,
    it_subscribes_by_pattern_and_finds_topics_that_come_later,
    its_admin_client_describes_and_alters,
    its_transactions_are_all_or_nothing,
);
