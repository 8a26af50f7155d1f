//! `milena broker`.

use std::net::TcpListener;

use crate::served::{Served, milena, milena_fed, stderr, stdout};

#[test]
fn a_served_broker_has_its_topics_and_keeps_what_is_written_until_ctrl_c() {
    let flags = "broker --port 0 --brokers 2 --topic orders:3 --topic audit --no-auto-create";
    let served = Served::start(&flags.split(' ').collect::<Vec<_>>());
    let brokers = served.address.clone();
    assert_eq!(brokers.split(',').count(), 2, "{brokers}");
    let at = |args: &[&'static str]| [&["--bootstrap", &brokers][..], args].concat();

    let topics = stdout(&milena(&at(&["topics", "list"])));
    let rows: Vec<Vec<_>> = topics
        .lines()
        .skip(1)
        .map(|row| row.split_whitespace().collect())
        .collect();
    assert_eq!(rows, [["audit", "1"], ["orders", "3"]]);

    let produce = ["produce", "-t", "orders", "--transactional-id", "x"];
    assert!(milena_fed(&at(&produce), b"one\ntwo\n").status.success());
    let consume = ["consume", "-t", "orders", "-o", "earliest", "--exit-at-end"];
    let read = stdout(&milena(&at(&consume)));
    let mut lines: Vec<_> = read.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["one", "two"]);

    let missing = milena(&at(&["consume", "-t", "missing"]));
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");

    let ended = served.interrupt();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let said = stderr(&ended);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("in memory and gone at the end"), "{said}");
    let gone = milena(&at(&["topics", "list"]));
    assert!(stderr(&gone).contains("refused"), "{gone:?}");
}

#[test]
fn the_transaction_version_is_the_one_asked_for() {
    for version in ["0", "1", "2"] {
        let flags = [
            "broker",
            "--port",
            "0",
            "--topic",
            "t",
            "--transaction-version",
        ];
        let served = Served::start(&[&flags[..], &[version]].concat());
        let at = ["--bootstrap", &served.address];
        let produce = ["produce", "-t", "t", "--transactional-id", "x"];
        let written = milena_fed(&[&at[..], &produce].concat(), b"one\n");
        assert!(written.status.success(), "{written:?}");
        let describe = ["transactions", "describe", "x"];
        let described = milena(&[&at[..], &describe].concat());
        assert!(
            stdout(&described).contains("CompleteCommit"),
            "{described:?}"
        );
        // The end of a transaction raises the epoch under version 2 alone (KIP-890).
        let epoch = if version == "2" { 1 } else { 0 };
        let epoch = format!("producer epoch  {epoch}");
        assert!(stdout(&described).contains(&epoch), "{described:?}");
    }
}

#[test]
fn listings_are_json_where_asked_for_and_a_quiet_command_prints_nothing_else() {
    let served = Served::start(&["broker", "--port", "0", "--topic", "orders:3"]);
    let at = |args: &[&'static str]| [&["--bootstrap", &served.address][..], args].concat();
    let json = |args: &[&'static str]| -> Vec<serde_json::Value> {
        let lines = stdout(&milena(&at(args)));
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let topics = json(&["topics", "--json", "list"]);
    assert_eq!(
        (&topics[0]["topic"], &topics[0]["partitions"]),
        (&"orders".into(), &3.into())
    );
    let described = json(&["topics", "describe", "orders", "--json"]);
    assert_eq!(described[0]["partitions"][2]["leader"], 1);
    let produce = ["-q", "produce", "-t", "orders", "--transactional-id", "x"];
    let written = milena_fed(&at(&produce), b"one\n");
    assert!(
        written.status.success() && stderr(&written).is_empty(),
        "{written:?}"
    );
    let transactions = json(&["transactions", "list", "--json"]);
    assert_eq!(transactions[0]["transactional_id"], "x");
    let described = json(&["transactions", "describe", "x", "--json"]);
    assert_eq!(described[0]["state"], "CompleteCommit");
    let created = json(&["topics", "create", "more", "--json"]);
    assert_eq!(created[0]["created"], "more");
    let raised = json(&["topics", "add-partitions", "more", "--to", "3", "--json"]);
    assert_eq!(raised[0]["partitions"], 3);
    let fewer = milena(&at(&["topics", "add-partitions", "more", "--to", "2"]));
    assert_eq!(fewer.status.code(), Some(1), "{fewer:?}");
    assert!(stderr(&fewer).contains("INVALID_PARTITIONS"), "{fewer:?}");
    let cut = ["topics", "delete-records", "orders", "-p", "0", "--json"];
    assert_eq!(json(&cut)[0]["partition"], 0);
    let beyond = [
        "topics",
        "delete-records",
        "orders",
        "-p",
        "0",
        "--before",
        "99",
    ];
    let beyond = milena(&at(&beyond));
    assert!(
        stderr(&beyond).contains("OFFSET_OUT_OF_RANGE"),
        "{beyond:?}"
    );
    let deleted = json(&["topics", "delete", "more", "--json"]);
    assert_eq!(deleted[0]["deleted"], "more");
}

#[test]
fn a_verbose_command_says_what_it_connects_to_without_colours_in_a_file() {
    let served = Served::start(&["broker", "--port", "0", "--topic", "t"]);
    let list = ["--bootstrap", &served.address, "-v", "topics", "list"];
    let said = stderr(&milena(&list));
    let connected = said.lines().find(|line| line.contains("connected"));
    assert!(
        connected.is_some_and(|line| line.contains(&served.address)),
        "{said}"
    );
    assert!(!said.contains('\u{1b}'), "{said}");
    assert_eq!(
        stderr(&milena(&["--bootstrap", &served.address, "topics", "list"])),
        ""
    );
}

#[test]
fn a_port_in_use_is_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let output = milena(&["broker", "--port", &address.port().to_string()]);
    let line = stderr(&output);
    assert_eq!(
        (output.status.code(), line.lines().count()),
        (Some(1), 1),
        "{line}"
    );
    let expected = format!("milena: broker 1 cannot listen on {address}: ");
    assert!(line.starts_with(&expected), "{line}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

#[test]
fn what_cannot_be_served_is_one_line() {
    let cases: [(&[&str], i32, &str); 6] = [
        (&["broker", "--listen", "192.0.2.1"], 1, "192.0.2.1:9092"),
        (&["broker", "--listen", "0.0.0.0"], 2, "--advertised-host"),
        (
            &["broker", "--port", "65535", "--brokers", "2"],
            2,
            "too few ports",
        ),
        (&["broker", "--port", "0", "--topic", "a b"], 1, "a b"),
        (&["broker", "--bootstrap", "a:1"], 2, "--bootstrap"),
        (&["broker", "-X", "acks=1"], 2, "--property"),
    ];
    for (args, code, named) in cases {
        let output = milena(args);
        let line = stderr(&output);
        assert_eq!(
            (output.status.code(), line.lines().count()),
            (Some(code), 1),
            "{args:?}: {line}"
        );
        assert!(line.contains(named), "{args:?}: {line}");
    }
}
