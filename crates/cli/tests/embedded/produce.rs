//! `milena produce`, and what `milena consume` then reads, on the embedded broker.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Output};
use std::time::{Duration, Instant};

use milena_broker::{Broker, TransactionState};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::served::{command, milena, milena_fed, stderr, stdout};

const WAIT: Duration = Duration::from_secs(30);

/// A `milena produce` whose input stays open.
struct Producing {
    child: Child,
    input: Option<ChildStdin>,
}

impl Producing {
    fn start(args: &[&str]) -> Self {
        let mut child = command(args)
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        Self { child, input }
    }

    fn feed(&mut self, lines: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(lines.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// Waits for a line of standard error that contains this.
    fn wait_for_line(&mut self, part: &str) -> String {
        let mut reader = BufReader::new(self.child.stderr.as_mut().unwrap());
        loop {
            let mut line = String::new();
            assert!(
                reader.read_line(&mut line).unwrap() > 0,
                "no line with {part}"
            );
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Waits for the end; gives the exit code and the rest of standard error.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        let mut errors = self.child.stderr.take().unwrap();
        errors.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Producing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An embedded broker in this process, which the commands connect to.
async fn broker() -> (Broker, String) {
    let broker = Broker::builder()
        .topic("t", 1)
        .topic("copy", 1)
        .topic("p", 3);
    let broker = broker.start().await.unwrap();
    let bootstrap = broker.addresses().join(",");
    (broker, bootstrap)
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + WAIT;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {WAIT:?}: {what}");
        tokio::task::yield_now().await;
    }
}

/// Runs a command to its end without blocking the broker.
async fn run(bootstrap: &str, args: &[&str], input: &str) -> Output {
    let args: Vec<String> = ["--bootstrap", bootstrap]
        .iter()
        .chain(args)
        .map(ToString::to_string)
        .collect();
    let input = input.as_bytes().to_vec();
    let run = move || milena_fed(&args.iter().map(|arg| &**arg).collect::<Vec<_>>(), &input);
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn read(bootstrap: &str, topic: &str, more: &[&str]) -> String {
    let args = [&["consume", "-t", topic, "--exit-at-end"][..], more].concat();
    stdout(&run(bootstrap, &args, "").await)
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_a_transaction_aborts_it_and_exits_with_143() {
    let (broker, bootstrap) = broker().await;
    let args = [
        "--bootstrap",
        &bootstrap,
        "produce",
        "-t",
        "t",
        "--transactional-id",
        "x",
    ];
    let mut producing = Producing::start(&args);
    producing.feed("one\n");
    until("the transaction is open", || {
        broker.transaction_state("x") == Some(TransactionState::Ongoing)
    })
    .await;
    producing.signal(Signal::SIGTERM);
    let ended = tokio::task::spawn_blocking(|| producing.end())
        .await
        .unwrap();
    assert_eq!(ended.0, Some(143), "{ended:?}");
    assert!(
        ended.1.contains("the open transaction is aborted"),
        "{ended:?}"
    );
    until("the transaction is aborted", || {
        broker.transaction_state("x") == Some(TransactionState::CompleteAbort)
    })
    .await;
    assert_eq!(read(&bootstrap, "t", &["-o", "earliest"]).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_line_is_named_and_the_rest_is_accounted_for() {
    let (_broker, bootstrap) = broker().await;
    let lines = format!("one\ntwo\n{}\nfour\n", "x".repeat(2_000_000));
    let written = run(&bootstrap, &["produce", "-t", "t"], &lines).await;
    let said = stderr(&written);
    assert_eq!(written.status.code(), Some(1), "{said}");
    assert!(said.contains("line 3: "), "{said}");
    assert!(
        said.contains("2 records written to t, 1 rejected"),
        "{said}"
    );
    assert!(said.contains("--skip-lines 3"), "{said}");
    assert_eq!(
        read(&bootstrap, "t", &["-o", "earliest"]).await,
        "one\ntwo\n"
    );

    let rest = run(
        &bootstrap,
        &["produce", "-t", "t", "--skip-lines", "3"],
        &lines,
    )
    .await;
    assert!(rest.status.success(), "{rest:?}");
    assert_eq!(
        read(&bootstrap, "t", &["-o", "earliest"]).await,
        "one\ntwo\nfour\n"
    );

    let going = run(
        &bootstrap,
        &["produce", "-t", "copy", "--keep-going"],
        &lines,
    )
    .await;
    let said = stderr(&going);
    assert_eq!(going.status.code(), Some(1), "{said}");
    assert!(
        said.contains("3 records written to copy, 1 rejected"),
        "{said}"
    );
    assert_eq!(
        read(&bootstrap, "copy", &["-o", "earliest"]).await,
        "one\ntwo\nfour\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_signal_at_a_frozen_broker_says_how_many_records_are_unknown() {
    let (broker, bootstrap) = broker().await;
    let mut producing = Producing::start(&["--bootstrap", &bootstrap, "produce", "-t", "t"]);
    producing.feed("one\n");
    until("the first record is written", || {
        broker.watermarks("t", 0).unwrap().1 == 1
    })
    .await;
    broker.pause_broker(1).unwrap();
    producing.feed("two\nthree\n");
    // Both lines are sent, or wait to be: either way the outcome is not known.
    tokio::task::spawn_blocking(move || {
        producing.signal(Signal::SIGINT);
        producing.wait_for_line("interrupt again to give up");
        let second = Instant::now();
        producing.signal(Signal::SIGINT);
        let (code, said) = producing.end();
        assert!(
            second.elapsed() < Duration::from_secs(5),
            "{:?}",
            second.elapsed()
        );
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains("of unknown outcome"), "{said}");
    })
    .await
    .unwrap();
    broker.resume_broker(1).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_a_quiet_pipe_are_committed_by_time() {
    let (_broker, bootstrap) = broker().await;
    let args = [
        "--bootstrap",
        &bootstrap,
        "produce",
        "-t",
        "t",
        "--transactional-id",
        "x",
    ];
    let timed = ["--per-transaction", "100", "--commit-interval-ms", "50"];
    let mut producing = Producing::start(&[&args[..], &timed].concat());
    producing.feed("one\ntwo\n");
    let read = stdout(
        &run(
            &bootstrap,
            &["consume", "-t", "t", "-o", "earliest", "--max", "2"],
            "",
        )
        .await,
    );
    assert_eq!(read, "one\ntwo\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn consume_piped_to_produce_copies_a_topic_record_for_record() {
    let (broker, bootstrap) = broker().await;
    let lines = concat!(
        r#"{"partition":0,"timestamp":5,"key":"k","value":"v","headers":[["a","1"],["a",null]]}"#,
        "\n",
        r#"{"key":{"hex":"00ff"},"value":null,"timestamp":6}"#,
        "\n",
        r#"{"key":null,"value":"","timestamp":7}"#,
        "\n",
    );
    let json = ["--format", "json"];
    let written = run(
        &bootstrap,
        &[&["produce", "-t", "t"][..], &json].concat(),
        lines,
    )
    .await;
    assert!(written.status.success(), "{written:?}");
    let original = read(&bootstrap, "t", &["-o", "earliest", "--format", "json"]).await;
    let copied = run(
        &bootstrap,
        &[&["produce", "-t", "copy"][..], &json].concat(),
        &original,
    )
    .await;
    assert!(copied.status.success(), "{copied:?}");
    let copy = read(&bootstrap, "copy", &["-o", "earliest", "--format", "json"]).await;
    assert_eq!(
        copy,
        original.replace(r#""topic":"t""#, r#""topic":"copy""#)
    );
    assert_eq!(broker.watermarks("copy", 0).unwrap().1, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_records_and_a_range_can_be_read() {
    let (_broker, bootstrap) = broker().await;
    let lines: String = (0..10).map(|number| format!("{number}\n")).collect();
    let written = run(&bootstrap, &["produce", "-t", "t"], &lines).await;
    assert!(written.status.success(), "{written:?}");
    assert_eq!(read(&bootstrap, "t", &["-o", "-3"]).await, "7\n8\n9\n");
    assert_eq!(read(&bootstrap, "t", &["-o", "-99"]).await, lines);
    let range = ["consume", "-t", "t", "-o", "4", "--until", "6"];
    assert_eq!(stdout(&run(&bootstrap, &range, "").await), "4\n5\n");
    assert_eq!(read(&bootstrap, "t", &["-o", "-1h"]).await, lines);
    let format = ["-o", "8", "-f", r"%t-%p@%o=%s\n"];
    assert_eq!(read(&bootstrap, "t", &format).await, "t-0@8=8\nt-0@9=9\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_open_transaction_holds_back_is_said_at_the_end() {
    let (broker, bootstrap) = broker().await;
    let args = [
        "--bootstrap",
        &bootstrap,
        "produce",
        "-t",
        "t",
        "--transactional-id",
        "x",
    ];
    let mut producing = Producing::start(&args);
    producing.feed("one\ntwo\n");
    until("both records are in the log", || {
        broker.watermarks("t", 0).unwrap().1 == 2
    })
    .await;
    let consumed = run(
        &bootstrap,
        &["consume", "-t", "t", "-o", "earliest", "--exit-at-end"],
        "",
    )
    .await;
    assert_eq!(stdout(&consumed), "");
    let said = stderr(&consumed);
    assert!(
        said.contains("2 offsets of t-0 from 0 on held back by an open transaction"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_input_can_be_one_record() {
    let (broker, bootstrap) = broker().await;
    let written = run(&bootstrap, &["produce", "-t", "t", "--whole"], "one\ntwo\n").await;
    assert!(written.status.success(), "{written:?}");
    assert_eq!(broker.watermarks("t", 0).unwrap().1, 1);
    assert_eq!(
        read(&bootstrap, "t", &["-o", "earliest", "-f", "%s"]).await,
        "one\ntwo\n"
    );
}

#[test]
fn a_number_out_of_its_range_is_rejected_in_words_by_every_command() {
    let cases: [&[&str]; 9] = [
        &["perf", "produce", "-t", "t", "--record-bytes", "104857601"],
        &["perf", "produce", "-t", "t", "--records", "0"],
        &[
            "perf",
            "transactions",
            "-t",
            "t",
            "--record-bytes",
            "99999999999",
        ],
        &[
            "perf",
            "transactions",
            "-t",
            "t",
            "--transaction-ms",
            "99999999999999999",
        ],
        &[
            "perf",
            "consume",
            "-t",
            "t",
            "--warm-up",
            "18446744073709551615",
        ],
        &["produce", "-t", "t", "--partition", "-1"],
        &["topics", "create", "t", "--partitions", "0"],
        &["topics", "create", "t", "--replication-factor", "-2"],
        &["demo", "--transfers", "18446744073709551615"],
    ];
    for args in cases {
        let output = milena(args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains("is not in"), "{args:?}: {said}");
    }
}
