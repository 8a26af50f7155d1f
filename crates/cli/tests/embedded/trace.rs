//! `milena trace`, between the command's own clients and an embedded broker.

use std::net::TcpListener;

use serde_json::Value;

use crate::browser;
use crate::capture::Kept;
use crate::served::{Served, milena, milena_fed, stderr, stdout};

/// A broker of three with a topic, and a trace in front of it.
fn traced(more: &[&str]) -> (Served, Served) {
    let flags = ["broker", "--port", "0", "--brokers", "3", "--topic", "t:4"];
    traced_at(Served::start(&flags), more)
}

fn traced_at(broker: Served, more: &[&str]) -> (Served, Served) {
    let trace = ["trace", "--port", "0", "--bootstrap", &broker.address];
    let trace = Served::start(&[&trace[..], more].concat());
    (broker, trace)
}

#[test]
fn clients_come_back_through_it_and_nothing_is_lost_on_the_way() {
    let (broker, trace) = traced(&[]);
    assert_eq!(trace.address.split(',').count(), 3);
    // What the brokers call themselves is not what clients of the trace hear.
    let at = ["--bootstrap", trace.address.split(',').next().unwrap()];
    let lines: String = (0..300).map(|number| format!("{number}\n")).collect();
    let transactions = [
        "produce",
        "-t",
        "t",
        "--transactional-id",
        "x",
        "--per-transaction",
        "100",
    ];
    let written = milena_fed(&[&at[..], &transactions].concat(), lines.as_bytes());
    assert!(written.status.success(), "{written:?}");
    let consume = ["consume", "-t", "t", "-o", "earliest", "--exit-at-end"];
    let read = stdout(&milena(&[&at[..], &consume].concat()));
    assert_eq!(read.lines().count(), 300);

    let ended = trace.interrupt();
    let timeline = stdout(&ended);
    let of = |api: &str| {
        let lines = timeline
            .lines()
            .filter(|line| line.contains(&format!("  {api} v")));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let commits = of("EndTxn");
    let done = commits
        .iter()
        .filter(|line| line.contains(", commit  ->  ok"));
    assert_eq!(done.count(), 3, "{timeline}");
    assert!(
        commits
            .iter()
            .all(|line| line.contains("transactional id x, producer 0/")),
        "{timeline}"
    );
    let batches = of("Produce").join("\n");
    let records: u32 = batches
        .split(" records, producer 0/")
        .filter_map(|before| before.rsplit_once('[')?.1.parse::<u32>().ok())
        .sum();
    assert_eq!(records, 300, "{timeline}");
    // All three leaders were reached through here.
    for broker in ["broker 1", "broker 2", "broker 3"] {
        let asked = of("ListOffsets");
        assert!(asked.iter().any(|line| line.contains(broker)), "{timeline}");
    }
    assert!(
        of("Fetch")
            .iter()
            .any(|line| line.contains("[commit marker @")),
        "{timeline}"
    );
    drop(broker);
}

#[test]
fn the_page_draws_the_life_of_each_transaction() {
    let page = Kept::new("page.html", b"");
    let (_broker, trace) = traced(&["--html", page.path()]);
    transfer(&trace.address);
    let ended = trace.interrupt();
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        stderr(&ended).contains("40 transactions drawn in"),
        "{ended:?}"
    );
    let html = std::fs::read_to_string(page.path()).unwrap();
    assert!(
        html.contains("40 seen: 30 committed, 10 aborted, 0 overtaken"),
        "{html}"
    );
    assert_eq!(html.matches("<section>").count(), 40);
    assert!(html.ends_with("</body></html>\n"));
    assert!(!html.contains("http") && !html.contains("<script"));
}

/// 40 transactions, every fourth aborted.
fn transfer(address: &str) {
    let demo = [
        "demo",
        "--transfers",
        "40",
        "--tellers",
        "2",
        "--accounts",
        "8",
        "--seed",
        "1",
    ];
    let table = stdout(&milena(&[&demo[..], &["--bootstrap", address]].concat()));
    assert!(
        table.contains("verdict: every committed transfer"),
        "{table}"
    );
}

/// In a browser, and with partitions that are added by a request of their own, as before transaction.version 2.
#[test]
fn a_browser_shows_the_whole_life_of_each_transaction() {
    let claim = "a_browser_shows_the_whole_life_of_each_transaction";
    let Some(browser) = browser::find(claim) else {
        return;
    };
    let page = Kept::new("rendered.html", b"");
    let flags = [
        "broker",
        "--port",
        "0",
        "--brokers",
        "3",
        "--transaction-version",
        "1",
    ];
    let (_broker, trace) = traced_at(Served::start(&flags), &["--html", page.path()]);
    transfer(&trace.address);
    let timeline = stdout(&trace.interrupt());
    let rendered = browser::render(browser, &std::fs::read_to_string(page.path()).unwrap());
    assert_eq!(rendered.console, "");
    let probe = &rendered.probe;
    assert_eq!(
        probe["loaded"],
        Value::Array(Vec::new()),
        "from outside the page"
    );
    assert!(
        probe["width"].as_i64().unwrap() <= 0,
        "wider than the window"
    );
    let sections = probe["sections"].as_array().unwrap();
    let ends: Vec<&str> = sections.iter().map(check_life).collect();
    let count = |end| ends.iter().filter(|seen| **seen == end).count();
    assert_eq!((ends.len(), count("commit"), count("abort")), (40, 30, 10));

    // All that the timeline has of the transactions, and nothing else.
    let mut told: Vec<&str> = sections
        .iter()
        .flat_map(|section| strings(&section["told"]))
        .collect();
    let mut seen: Vec<&str> = timeline
        .lines()
        .filter(|line| line.contains("  transactional id ") && !line.contains("  InitProducerId "))
        .collect();
    told.sort_unstable();
    seen.sort_unstable();
    assert_eq!(told, seen);
}

/// From the first partition to the end, under one producer id and epoch, each step drawn where it can be seen.
fn check_life(section: &Value) -> &'static str {
    let rows: Vec<Vec<&str>> = section["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(strings)
        .collect();
    let of = |api: &str| {
        rows.iter()
            .filter(|row| row[1].starts_with(api))
            .collect::<Vec<_>>()
    };
    let (added, produced, ended) = (of("AddPartitionsToTxn "), of("Produce "), of("EndTxn "));
    let steps = u64::try_from(rows.len()).unwrap();
    assert!(
        !added.is_empty() && !produced.is_empty() && !ended.is_empty(),
        "{section}"
    );
    assert_eq!(section["drawn"].as_u64(), Some(steps), "{section}");
    assert_eq!(section["readable"], section["labels"], "{section}");
    assert!(section["labels"].as_u64() >= Some(steps), "{section}");

    let heading = section["heading"].as_str().unwrap();
    let (id, _) = heading.split_once(" transaction ").unwrap();
    let last = ended.last().unwrap();
    let (mark, word) = if heading.contains(", committed, ") {
        ("commit", ", commit")
    } else {
        ("abort", ", abort")
    };
    assert!(
        mark == "commit" || heading.contains(", aborted, "),
        "{heading}"
    );
    assert!(
        last[3].ends_with(word) && last[4].starts_with("ok"),
        "{section}"
    );
    let (_, producer) = last[3].split_once("producer ").unwrap();
    let (producer, _) = producer.split_once(',').unwrap();
    assert!(
        producer.split('/').all(|part| part.parse::<i64>().is_ok()),
        "{producer}"
    );
    for row in &added {
        assert!(
            row[3].contains(&format!("transactional id {id}, producer {producer}")),
            "{section}"
        );
    }
    for row in &produced {
        assert!(
            row[3].contains(&format!(" records, producer {producer}, sequence ")),
            "{section}"
        );
        let partition = row[3]
            .split(" [")
            .next()
            .unwrap()
            .rsplit(", ")
            .next()
            .unwrap();
        assert!(
            added.iter().any(|row| row[3].contains(partition)),
            "{partition}: {section}"
        );
    }
    // It begins at the left, and goes on to the right.
    let lefts: Vec<f64> = section["left"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_f64)
        .collect();
    assert!(
        lefts.iter().all(|left| *left >= lefts[0] - 0.5),
        "{section}"
    );
    assert!(lefts.last() > lefts.first(), "{section}");
    mark
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn what_cannot_be_traced_is_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let cases: [(&[&str], i32, &str); 5] = [
        (&["trace", "--bootstrap", "nowhere"], 2, "nowhere"),
        (&["trace", "--listen", "0.0.0.0"], 2, "0.0.0.0"),
        (&["trace", "--port", &port], 1, &port),
        (
            &["trace", "--html", "/nonexistent/page"],
            1,
            "/nonexistent/page cannot be written",
        ),
        (&["trace", "-X", "acks=1"], 2, "--property"),
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

#[test]
fn a_client_that_speaks_something_else_is_named_and_disturbs_no_other() {
    use std::io::{Read, Write};
    let (_broker, trace) = traced(&[]);
    let address = trace.address.split(',').next().unwrap().to_owned();
    for noise in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 40],
        &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc],
        &[0, 0, 0, 8, 0x7f, 0xff, 0, 0, 0, 0, 0, 1],
    ] {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        stream.write_all(noise).unwrap();
        let mut answer = Vec::new();
        // The broker behind closes, and so the trace does.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "{answer:?}");
    }
    let topics = stdout(&milena(&["--bootstrap", &address, "topics", "list"]));
    assert!(topics.contains('t'));
    let said = stderr(&trace.interrupt());
    assert!(said.contains("speaks TLS"), "{said}");
    assert!(said.contains("no frames of Kafka's protocol"), "{said}");
    assert!(said.contains("passed on unread"), "{said}");
}
