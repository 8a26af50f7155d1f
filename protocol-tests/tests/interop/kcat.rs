//! librdkafka, through kcat: the other widely used implementation of the protocol, written in C.

use std::process::Stdio;
use std::time::Duration;

use milena_broker::{Broker, Event, Loss, Then, TransactionState, When};
use milena_protocol_tests::skip::skipped;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

/// How long anything that must come may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a test may take.
const LIMIT: Duration = Duration::from_secs(120);

const PRODUCE: i16 = 0;

const COMMITTED: [&str; 2] = ["-X", "isolation.level=read_committed"];
const UNCOMMITTED: [&str; 2] = ["-X", "isolation.level=read_uncommitted"];
const FROM_START: [&str; 4] = ["-o", "beginning", "-e", "-q"];

/// Makes one test of each claim, which is an `async fn()`; where there is no kcat, it is skipped loudly.
macro_rules! with_kcat {
    ($($claim:ident),+ $(,)?) => {
        $(
            mod $claim {
                #[tokio::test]
                async fn with_kcat() {
                    if super::is_at_hand() {
                        let limit = tokio::time::timeout(super::LIMIT, super::$claim()).await;
                        assert!(limit.is_ok(), "it did not end within {:?}", super::LIMIT);
                    } else {
                        super::skipped(stringify!($claim), &"there is no kcat: install kcat");
                    }
                }
            }
        )+
    };
}

fn is_at_hand() -> bool {
    let version = std::process::Command::new("kcat").arg("-V").output();
    version.is_ok_and(|done| done.status.success())
}

fn kcat(broker: &Broker, arguments: &[&str]) -> Command {
    let mut command = Command::new("kcat");
    command
        .arg("-b")
        .arg(broker.addresses().join(","))
        .args(arguments)
        // A configuration of this machine's user is none of the test's.
        .env("KCAT_CONFIG", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs kcat with an input to its end, which must be a good one, and gives what it printed.
async fn run(broker: &Broker, arguments: &[&str], input: &str) -> String {
    let mut child = kcat(broker, arguments).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let done = timeout(PATIENCE, child.wait_with_output()).await;
    let done = done.unwrap_or_else(|_| panic!("kcat {arguments:?} does not end"));
    let done = done.unwrap();
    let complaints = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "kcat {arguments:?}: {complaints}");
    String::from_utf8(done.stdout).unwrap()
}

async fn json(broker: &Broker, arguments: &[&str]) -> Value {
    serde_json::from_str(&run(broker, arguments, "").await).unwrap()
}

/// The values of topic `t` from its start to its end, sorted.
async fn read(broker: &Broker, isolation: [&str; 2]) -> Vec<String> {
    let arguments = [&["-C", "-t", "t"], &FROM_START[..], &isolation[..]].concat();
    let printed = run(broker, &arguments, "").await;
    let mut values: Vec<_> = printed.lines().map(str::to_owned).collect();
    values.sort();
    values
}

async fn start() -> Broker {
    Broker::builder().topic("t", 4).start().await.unwrap()
}

fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    kill(Pid::from_raw(pid), signal).unwrap();
}

async fn it_lists_the_brokers_and_the_topics() {
    let builder = Broker::builder().brokers(3).topic("t", 3).topic("u", 1);
    let broker = builder.start().await.unwrap();
    let listed = json(&broker, &["-L", "-J"]).await;
    let brokers = listed["brokers"].as_array().unwrap();
    let mut names: Vec<_> = brokers
        .iter()
        .map(|b| b["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    let mut addresses = broker.addresses();
    addresses.sort();
    assert_eq!(names, addresses);
    let topics = listed["topics"].as_array().unwrap();
    let of = |name: &str| topics.iter().find(|t| t["topic"] == name).unwrap();
    let partitions = of("t")["partitions"].as_array().unwrap();
    let mut leaders: Vec<_> = partitions.iter().map(|p| p["leader"].as_i64()).collect();
    leaders.sort_unstable();
    assert_eq!(leaders, [Some(1), Some(2), Some(3)]);
    assert_eq!(of("u")["partitions"].as_array().unwrap().len(), 1);
}

async fn keys_headers_and_every_compression_go_there_and_back() {
    let broker = start().await;
    for (n, codec) in ["none", "gzip", "snappy", "lz4", "zstd"].iter().enumerate() {
        let compression = format!("compression.codec={codec}");
        let write = [
            "-P",
            "-t",
            "t",
            "-p",
            "2",
            "-K",
            ":",
            "-H",
            "h=1",
            "-X",
            &compression,
        ];
        let value = codec.repeat(100);
        run(&broker, &write, &format!("key:{value}\n")).await;
        let offset = n.to_string();
        let one = [
            "-C", "-t", "t", "-p", "2", "-o", &offset, "-c", "1", "-q", "-J",
        ];
        let record = json(&broker, &one).await;
        assert_eq!(record["offset"], n);
        assert_eq!(
            (&record["key"], &record["payload"]),
            (&"key".into(), &value.into())
        );
        assert_eq!(record["headers"], serde_json::json!(["h", "1"]));
    }
}

/// The Produce was done and its answer lost: librdkafka sends it again, and it is there once.
async fn an_idempotent_producer_writes_each_record_once() {
    let broker = start().await;
    let faults = broker.faults();
    let lost = faults.times(2, When::api(PRODUCE), Then::LoseAnswer(Loss::Disconnect));
    let write = [
        "-P",
        "-E",
        "-t",
        "t",
        "-p",
        "0",
        "-X",
        "enable.idempotence=true",
    ];
    run(&broker, &write, "a\nb\nc\n").await;
    assert_eq!(lost.count(), 2);
    assert_eq!(read(&broker, COMMITTED).await, ["a", "b", "c"]);
    let again = ["-P", "-t", "t", "-p", "0"];
    faults.times(1, When::api(PRODUCE), Then::LoseAnswer(Loss::Disconnect));
    run(&broker, &[&again[..], &["-E"]].concat(), "d\n").await;
    let plain = read(&broker, COMMITTED).await;
    assert_eq!(
        plain,
        ["a", "b", "c", "d", "d"],
        "without it, it is there twice"
    );
}

/// kcat commits at the end of its input. One that is killed before leaves its transaction open, and the
/// next with its id has it aborted.
async fn its_transactions_are_all_or_nothing_in_every_transaction_version() {
    for version in 0..=2 {
        let builder = Broker::builder().transaction_version(version).brokers(2);
        let broker = builder.topic("t", 4).start().await.unwrap();
        let write = ["-P", "-t", "t", "-X", "transactional.id=tx"];
        run(&broker, &write, "a\nb\nc\n").await;
        assert_eq!(read(&broker, COMMITTED).await, ["a", "b", "c"]);

        let before = broker.history().next_number();
        let mut child = kcat(&broker, &write).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // It reads much at once before it sends anything.
        let never = "never\n".repeat(50_000);
        let sends = async {
            // The pipe breaks when kcat is killed.
            let _ = stdin.write_all(never.as_bytes()).await;
            std::future::pending::<()>().await;
        };
        let appends = |entry: &milena_broker::Entry| matches!(entry.event, Event::Append { .. });
        tokio::select! {
            () = sends => {}
            _ = broker.history().wait_for(before, appends) => {}
        }
        let state = broker.transaction_state("tx");
        assert_eq!(state, Some(TransactionState::Ongoing));
        child.kill().await.unwrap();
        assert_eq!(read(&broker, COMMITTED).await, ["a", "b", "c"]);

        run(&broker, &write, "d\n").await;
        assert_eq!(read(&broker, COMMITTED).await, ["a", "b", "c", "d"]);
        assert!(read(&broker, UNCOMMITTED).await.len() > 4);
    }
}

async fn a_group_resumes_at_what_it_committed() {
    let broker = start().await;
    let group = ["-G", "g", "-q", "-e", "-X", "auto.offset.reset=earliest"];
    let group = [&group[..], &COMMITTED[..], &["t"]].concat();
    for (input, expected) in [("a\nb\n", vec!["a", "b"]), ("c\n", vec!["c"])] {
        run(&broker, &["-P", "-t", "t"], input).await;
        let printed = run(&broker, &group, "").await;
        let mut values: Vec<_> = printed.lines().collect();
        values.sort_unstable();
        assert_eq!(values, expected);
    }
}

/// A member of a group, and what it says about itself.
struct Member {
    child: Child,
    says: Lines<BufReader<ChildStderr>>,
}

impl Member {
    fn join(broker: &Broker, assignor: &str) -> Self {
        let strategy = format!("partition.assignment.strategy={assignor}");
        let arguments = [
            "-G",
            "g",
            "-X",
            "heartbeat.interval.ms=100",
            "-X",
            &strategy,
            "t",
        ];
        let mut child = kcat(broker, &arguments).spawn().unwrap();
        let says = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, says }
    }

    /// Waits until it is assigned this many partitions at once.
    async fn is_assigned(&mut self, partitions: usize) {
        let assigned = async {
            while let Some(line) = self.says.next_line().await.unwrap() {
                if line.contains("assigned") && line.matches("t [").count() == partitions {
                    return;
                }
            }
            panic!("kcat has ended");
        };
        let limit = timeout(PATIENCE, assigned).await;
        limit.unwrap_or_else(|_| panic!("never {partitions} partitions"));
    }
}

async fn a_group_is_rebalanced_when_a_member_comes_and_goes() {
    for assignor in ["range", "roundrobin"] {
        let broker = start().await;
        let mut first = Member::join(&broker, assignor);
        first.is_assigned(4).await;
        let mut second = Member::join(&broker, assignor);
        tokio::join!(first.is_assigned(2), second.is_assigned(2));
        signal(&second.child, Signal::SIGTERM);
        first.is_assigned(4).await;
        timeout(PATIENCE, second.child.wait())
            .await
            .unwrap()
            .unwrap();
    }
}

async fn it_finds_offsets_by_time() {
    let broker = start().await;
    run(&broker, &["-P", "-t", "t", "-p", "1"], "a\nb\nc\n").await;
    for (time, expected) in [("-2", 0), ("-1", 3), ("0", 0), ("99999999999999", -1)] {
        let asked = format!("t:1:{time}");
        let told = run(&broker, &["-Q", "-t", &asked], "").await;
        assert_eq!(told.trim(), format!("t [1] offset {expected}"), "at {time}");
    }
}

with_kcat!(
    it_lists_the_brokers_and_the_topics,
    keys_headers_and_every_compression_go_there_and_back,
    an_idempotent_producer_writes_each_record_once,
    its_transactions_are_all_or_nothing_in_every_transaction_version,
    a_group_resumes_at_what_it_committed,
    a_group_is_rebalanced_when_a_member_comes_and_goes,
    it_finds_offsets_by_time,
);
