//! The command on real brokers, as a user runs it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};

use milena_protocol_tests::{Isolation, Kafka, WriteRecord, conformance};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn command(kafka: &Kafka, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    command
        .arg("--bootstrap")
        .arg(kafka.bootstrap().join(","))
        .args(args);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn milena(kafka: &Kafka, args: &[&str]) -> Output {
    command(kafka, args).output().unwrap()
}

/// Runs with this on standard input.
fn milena_fed(kafka: &Kafka, args: &[&str], input: &str) -> Output {
    let mut child = command(kafka, args).stdin(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn interrupt(child: &Child) {
    kill(
        Pid::from_raw(i32::try_from(child.id()).unwrap()),
        Signal::SIGINT,
    )
    .unwrap();
}

async fn lines_come_back_as_records_and_as_lines(kafka: &Kafka) {
    let topic = kafka.topic(3);
    let produce = [
        "produce",
        "-t",
        &topic,
        "--key-separator",
        "=",
        "-H",
        "a=1",
        "-H",
        "a=2",
    ];
    let written = milena_fed(kafka, &produce, "k1=v1\nk2=v=2\nno key\n=empty key\n");
    assert!(written.status.success(), "{written:?}");

    let read = kafka.java_consume(&topic, Isolation::ReadCommitted);
    assert_eq!(read.len(), 4);
    let args = ["consume", "-t", &topic, "-o", "earliest", "--exit-at-end"];
    let lines = stdout(&milena(
        kafka,
        &[&args[..], &["--key-separator", "="]].concat(),
    ));
    let lines: BTreeSet<_> = lines.lines().collect();
    assert_eq!(
        lines,
        BTreeSet::from(["k1=v1", "k2=v=2", "=no key", "=empty key"])
    );

    let json = stdout(&milena(kafka, &[&args[..], &["--format", "json"]].concat()));
    let keys: BTreeSet<_> = json
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .inspect(|record| {
            assert_eq!(
                record["headers"],
                serde_json::json!([["a", "1"], ["a", "2"]])
            )
        })
        .map(|record| record["key"].to_string())
        .collect();
    let expected = ["\"k1\"", "\"k2\"", "null", "\"\""].map(str::to_owned);
    assert_eq!(keys, BTreeSet::from(expected));
}

async fn transactions_of_n_lines_are_committed_and_an_interrupted_one_is_not(kafka: &Kafka) {
    let topic = kafka.topic(2);
    let id = format!("cli-{topic}");
    let produce = [
        "produce",
        "-t",
        &topic,
        "--transactional-id",
        &id,
        "--per-transaction",
        "4",
    ];
    let lines: String = (0..10).map(|number| format!("{number}\n")).collect();
    let written = milena_fed(kafka, &produce, &lines);
    assert!(
        stderr(&written).contains("10 records written to"),
        "{written:?}"
    );
    assert!(
        stderr(&written).contains("in 3 transactions"),
        "{written:?}"
    );

    let mut child = command(kafka, &produce)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"never\n").unwrap();
    // The record is on its way once the transaction is open on the broker.
    let open = ["transactions", "list", "--state", "Ongoing"];
    while !stdout(&milena(kafka, &open)).contains(&id) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    interrupt(&child);
    let ended = child.wait_with_output().unwrap();
    drop(input);
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");

    let values = |isolation| {
        let read = kafka.java_consume(&topic, isolation);
        read.iter()
            .filter_map(|record| record.value.clone())
            .collect::<BTreeSet<_>>()
    };
    let numbers: BTreeSet<_> = (0..10)
        .map(|number| number.to_string().into_bytes())
        .collect();
    assert_eq!(values(Isolation::ReadCommitted), numbers);
    assert!(values(Isolation::ReadUncommitted).contains(&b"never"[..]));

    let args = [
        "consume",
        "-t",
        &topic,
        "-o",
        "earliest",
        "--exit-at-end",
        "--isolation",
    ];
    let read = |level| {
        stdout(&milena(kafka, &[&args[..], &[level]].concat()))
            .lines()
            .count()
    };
    assert_eq!((read("read_committed"), read("read_uncommitted")), (10, 11));
}

async fn a_missing_topic_is_one_line(kafka: &Kafka) {
    let commands: [&[&str]; 5] = [
        &["produce", "-t", "missing"],
        &["produce", "-t", "missing", "--transactional-id", "x"],
        &["consume", "-t", "missing"],
        &["perf", "produce", "-t", "missing"],
        &["topics", "describe", "missing"],
    ];
    for args in commands {
        let output = milena(kafka, args);
        let line = stderr(&output);
        assert!(
            line.contains("missing") && line.contains("UNKNOWN_TOPIC_OR_PARTITION"),
            "{line}"
        );
        assert_eq!(
            (line.lines().count(), output.status.code()),
            (1, Some(1)),
            "{args:?}"
        );
    }
}

async fn reading_ends_when_nobody_reads_the_output(kafka: &Kafka) {
    let topic = kafka.topic(1);
    milena_fed(kafka, &["produce", "-t", &topic], "one\ntwo\n");
    let mut child = command(kafka, &["consume", "-t", &topic, "-o", "earliest"])
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut first).unwrap();
    assert_eq!(first, "one\n");
    drop(output);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(
        (ended.status.code(), stderr(&ended)),
        (Some(0), String::new())
    );
}

async fn reading_ends_cleanly_on_ctrl_c(kafka: &Kafka) {
    let topic = kafka.topic(1);
    milena_fed(kafka, &["produce", "-t", &topic], "one\n");
    let mut child = command(kafka, &["consume", "-t", &topic, "-o", "earliest"])
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut first).unwrap();
    interrupt(&child);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(
        (ended.status.code(), stderr(&ended)),
        (Some(0), String::new())
    );
}

async fn perf_reports_one_line_of_json(kafka: &Kafka) {
    let topic = kafka.topic(4);
    let load = [
        "-t",
        &topic,
        "--records",
        "2000",
        "--record-bytes",
        "100",
        "--warm-up",
        "100",
    ];
    let transactions = ["perf", "transactions", "--per-transaction", "500"];
    for (work, args, records) in [
        ("produce", [&["perf", "produce"], &load[..]].concat(), 2_000),
        ("transactions", [&transactions, &load[..]].concat(), 2_000),
        (
            "consume",
            vec!["perf", "consume", "-t", &topic, "--warm-up", "0"],
            4_200,
        ),
    ] {
        let output = stdout(&milena(kafka, &args));
        assert_eq!(output.lines().count(), 1, "{output}");
        let report: serde_json::Value = serde_json::from_str(&output).unwrap();
        assert_eq!(
            (&report["work"], &report["records"]),
            (&work.into(), &records.into())
        );
        assert!(
            report["cpu_ns_per_record"].as_f64().unwrap() > 0.0,
            "{output}"
        );
    }
}

async fn the_bank_keeps_its_money(kafka: &Kafka) {
    let args = [
        "demo",
        "--transfers",
        "200",
        "--tellers",
        "2",
        "--accounts",
        "10",
    ];
    let output = milena(kafka, &args);
    let table = stdout(&output);
    let row = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(row("transfers committed"), "150", "{table}");
    assert_eq!(row("transfers aborted on purpose"), "50");
    assert_eq!(row("transfers seen whole by the reader"), "150");
    assert_eq!(row("entries seen by the reader"), "300");
    assert_eq!(
        row("money in the bank at last"),
        row("money in the bank at first")
    );
    assert_eq!(row("violations"), "0");
    assert!(table.contains("verdict: every committed transfer was seen whole and once"));
}

async fn kafkas_own_producer_comes_back_through_a_trace(kafka: &Kafka) {
    let topic = kafka.topic(3);
    let mut trace = command(kafka, &["trace", "--port", "0"]).spawn().unwrap();
    let mut timeline = BufReader::new(trace.stdout.take().unwrap());
    let mut address = String::new();
    timeline.read_line(&mut address).unwrap();
    let id = format!("traced-{topic}");
    let properties = [
        ("bootstrap.servers", address.trim()),
        ("transactional.id", &id),
    ];
    let producer = kafka.java_producer(&properties);
    for commits in [true, false] {
        producer.begin().unwrap();
        let records = (0..9).map(|n| WriteRecord::value(n.to_string()).partition(n % 3));
        producer.send(&topic, &records.collect::<Vec<_>>()).unwrap();
        if commits {
            producer.commit()
        } else {
            producer.abort()
        }
        .unwrap();
    }
    drop(producer);
    interrupt(&trace);
    let mut lines = String::new();
    timeline.read_to_string(&mut lines).unwrap();
    assert!(trace.wait().unwrap().success(), "{lines}");
    assert_eq!(
        kafka.java_consume(&topic, Isolation::ReadCommitted).len(),
        9
    );

    let ends: Vec<_> = lines
        .lines()
        .filter(|line| line.contains("  EndTxn v"))
        .collect();
    let ended = |how: &str| {
        ends.iter()
            .any(|line| line.contains(how) && line.contains(&id))
    };
    assert!(
        ended(", commit  ->  ok") && ended(", abort  ->  ok"),
        "{lines}"
    );
    let written = |partition: i32| {
        let batch = format!("{topic}-{partition} [3 records, producer ");
        lines
            .lines()
            .any(|line| line.contains("  Produce v") && line.contains(&batch))
    };
    assert!((0..3).all(written), "{lines}");
}

conformance!(
    on [kafka_4_4_0, kafka_4_3_1_tv2, kafka_3_9_2];
    lines_come_back_as_records_and_as_lines,
    transactions_of_n_lines_are_committed_and_an_interrupted_one_is_not,
    a_missing_topic_is_one_line,
    reading_ends_when_nobody_reads_the_output,
    reading_ends_cleanly_on_ctrl_c,
    perf_reports_one_line_of_json,
    the_bank_keeps_its_money,
    kafkas_own_producer_comes_back_through_a_trace,
);
