//! The programs do what they say, also when they are killed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Output, Stdio};

use milena::consumer::Position;
use milena::{Client, ClientBuilder, Record, TopicPartition};
use milena_broker::{ApiKey, Broker, Then, When};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// What a run that went well printed.
async fn stdout_of(program: &str, args: &[&str]) -> String {
    let output: Output = command(program, args).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn connected(broker: &Broker) -> Client {
    let config = ClientBuilder::new(broker.addresses()).build().unwrap();
    Client::connect(config).await.unwrap()
}

/// The committed values of a partition.
async fn values(client: &Client, topic: &str, partition: i32) -> Vec<String> {
    let mut consumer = client.consumer().start().unwrap();
    let partition = TopicPartition::new(topic, partition);
    consumer.assign(std::slice::from_ref(&partition)).unwrap();
    consumer.seek(&partition, Position::Earliest).unwrap();
    let mut values = Vec::new();
    while consumer.lag(&partition).unwrap() != Some(0) {
        let records = consumer
            .poll(std::time::Duration::from_secs(1))
            .await
            .unwrap();
        let value = |value: Option<&[u8]>| String::from_utf8(value.unwrap().to_vec()).unwrap();
        values.extend(records.iter().map(|record| value(record.value)));
    }
    values
}

async fn write(client: &Client, topic: &str, values: &[&str]) {
    let producer = client.producer().start().unwrap();
    for value in values {
        let record = Record::to(topic).partition(0).value(value.as_bytes());
        producer.send(record).await.unwrap().await.unwrap();
    }
}

#[tokio::test]
async fn events_are_read_as_they_were_written() {
    let broker = Broker::builder().topic("events", 1).start().await.unwrap();
    let client = connected(&broker).await;
    write(&client, "events", &["no JSON"]).await;
    let bootstrap = broker.addresses().join(",");
    let printed = stdout_of(env!("CARGO_BIN_EXE_json-events"), &[&bootstrap, "events"]).await;
    for line in [
        "wrote events-0 at Some(1)",
        r#"read 1: Ordered { customer: 7, item: "apples" }"#,
        "read 3: Paid { customer: 8, cents: 100 }",
    ] {
        assert!(printed.contains(line), "{printed}");
    }
    let third = r#"{"type":"paid","customer":8,"cents":100}"#;
    assert_eq!(values(&client, "events", 0).await[3], third);
}

#[tokio::test]
async fn payments_that_are_killed_again_and_again_are_each_there_once_and_whole() {
    let broker = Broker::builder().topic("ledger", 2).start().await.unwrap();
    let bootstrap = broker.addresses().join(",");
    let arguments = [&*bootstrap, "ledger", "60"];
    for until in [1, 3, 8, 2] {
        let mut payments = command(env!("CARGO_BIN_EXE_payments"), &arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(payments.stdout.take().unwrap()).lines();
        for _ in 0..=until {
            assert!(lines.next_line().await.unwrap().is_some());
        }
        // SIGKILL, somewhere in the next payments.
        payments.kill().await.unwrap();
    }
    stdout_of(env!("CARGO_BIN_EXE_payments"), &arguments).await;
    let client = connected(&broker).await;
    let expected: Vec<String> = (1..=60).map(|payment: u32| payment.to_string()).collect();
    assert_eq!(values(&client, "ledger", 0).await, expected);
    assert_eq!(values(&client, "ledger", 1).await, expected);
}

#[tokio::test]
async fn a_payment_whose_commit_arrives_after_its_process_was_killed_is_made_once() {
    let broker = Broker::builder().topic("ledger", 2).start().await.unwrap();
    let bootstrap = broker.addresses().join(",");
    let arguments = [&*bootstrap, "ledger", "5"];
    let held = broker
        .faults()
        .after(2, 1, When::api(ApiKey::EndTxn), Then::Hold);
    let mut payments = command(env!("CARGO_BIN_EXE_payments"), &arguments)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    held.applied(1).await;
    payments.kill().await.unwrap();
    held.release();
    stdout_of(env!("CARGO_BIN_EXE_payments"), &arguments).await;
    let client = connected(&broker).await;
    assert_eq!(
        values(&client, "ledger", 0).await,
        ["1", "2", "3", "4", "5"]
    );
    assert_eq!(
        values(&client, "ledger", 1).await,
        ["1", "2", "3", "4", "5"]
    );
}

#[tokio::test]
async fn words_are_counted_once_over_restarts() {
    let broker = Broker::builder().topic("orders", 1).start().await.unwrap();
    let client = connected(&broker).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words.json");
    let bootstrap = broker.addresses().join(",");
    let arguments = [&*bootstrap, "orders", file.to_str().unwrap()];
    let count = || stdout_of(env!("CARGO_BIN_EXE_words"), &arguments);

    write(&client, "orders", &["apples pears", "apples"]).await;
    assert_eq!(count().await, "apples 2\npears 1\n");
    assert_eq!(count().await, "apples 2\npears 1\n");
    write(&client, "orders", &["plums apples"]).await;
    assert_eq!(count().await, "apples 3\npears 1\nplums 1\n");
}

#[tokio::test]
async fn totals_go_on_where_the_killed_process_had_committed() {
    let broker = Broker::builder()
        .topic("orders", 1)
        .topic("totals", 1)
        .start()
        .await
        .unwrap();
    let client = connected(&broker).await;
    let bootstrap = broker.addresses().join(",");
    let totals = env!("CARGO_BIN_EXE_totals");
    write(&client, "orders", &["1", "2", "3"]).await;
    assert_eq!(
        stdout_of(totals, &[&bootstrap, "orders", "totals", "3"]).await,
        "total 6\n"
    );

    write(&client, "orders", &["4", "5"]).await;
    let held = broker.faults().once(When::api(ApiKey::EndTxn), Then::Hold);
    let mut killed = command(totals, &[&bootstrap, "orders", "totals", "5"])
        .spawn()
        .unwrap();
    held.applied(1).await;
    killed.kill().await.unwrap();
    held.release();
    assert_eq!(
        stdout_of(totals, &[&bootstrap, "orders", "totals", "5"]).await,
        "total 15\n"
    );
    assert_eq!(
        values(&client, "totals", 0).await,
        ["1", "3", "6", "10", "15"]
    );
}
