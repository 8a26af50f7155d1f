//! `milena trace`, between the command's own clients and an embedded broker.

use std::net::TcpListener;

use crate::capture::Kept;
use crate::served::{Served, milena, milena_fed, stderr, stdout};

/// A broker of three with a topic, and a trace in front of it.
fn traced(more: &[&str]) -> (Served, Served) {
    let flags = ["broker", "--port", "0", "--brokers", "3", "--topic", "t:4"];
    let broker = Served::start(&flags);
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
    let at = ["--bootstrap", &trace.address];
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
    let table = stdout(&milena(&[&demo[..], &at].concat()));
    assert!(
        table.contains("verdict: every committed transfer"),
        "{table}"
    );
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
            "the page cannot be written",
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
fn a_client_that_is_none_is_cut_off_alone() {
    use std::io::{Read, Write};
    let (_broker, trace) = traced(&[]);
    let address = trace.address.split(',').next().unwrap();
    for noise in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 40],
        &[0, 0, 0, 8, 0x7f, 0xff, 0, 0, 0, 0, 0, 1],
    ] {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(noise).unwrap();
        let mut answer = Vec::new();
        // Closed or reset, in either case at once.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "{answer:?}");
    }
    let topics = stdout(&milena(&["--bootstrap", address, "topics", "list"]));
    assert!(topics.contains('t'));
}
