//! What fails says so in one line on standard error, with a non-zero exit code, at once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long a failure may take that nothing has to be waited for.
const AT_ONCE: Duration = Duration::from_secs(5);

fn milena(args: &[&str]) -> Output {
    let started = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    let output = command.args(args).stdin(Stdio::null()).output().unwrap();
    assert!(
        started.elapsed() < AT_ONCE,
        "{args:?} took {:?}",
        started.elapsed()
    );
    output
}

/// The one line that a failure is.
fn line_of(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let mut lines = text.lines();
    let line = lines.next().unwrap_or_default().to_owned();
    assert_eq!(lines.next(), None, "more than one line: {text}");
    assert!(output.stdout.is_empty(), "{output:?}");
    line
}

/// A port that nobody listens on.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

const EVERY_COMMAND: [&[&str]; 9] = [
    &["topics", "list"],
    &["topics", "create", "t"],
    &["produce", "--topic", "t"],
    &["produce", "--topic", "t", "--transactional-id", "x"],
    &["consume", "--topic", "t"],
    &["transactions", "list"],
    &["perf", "produce", "--topic", "t"],
    &["perf", "consume", "--topic", "t"],
    &["demo", "--seconds", "5"],
];

#[test]
fn a_wrong_address_is_one_line_at_once_for_every_command() {
    let address = closed_port();
    for command in EVERY_COMMAND {
        let output = milena(&[&["--bootstrap", &address], command].concat());
        let line = line_of(&output);
        assert!(line.starts_with("milena: "), "{command:?}: {line}");
        assert!(
            line.contains(&address) && line.contains("refused"),
            "{command:?}: {line}"
        );
        assert_eq!(output.status.code(), Some(1), "{command:?}");
    }
}

#[test]
fn a_port_that_speaks_http_is_told_from_a_broker() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        }
    });
    let output = milena(&["--bootstrap", &address, "topics", "list"]);
    let line = line_of(&output);
    assert!(line.contains("HTTP"), "{line}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_rejected_setting_is_named_before_anything_is_connected_and_exits_with_2() {
    let cases: [(&[&str], &str); 6] = [
        (
            &["-X", "security.protocol=SSL", "topics", "list"],
            "security.protocol",
        ),
        (
            &["--bootstrap", "nowhere:port", "topics", "list"],
            "bootstrap.servers",
        ),
        (
            &[
                "-X",
                "enable.idempotence=true",
                "-X",
                "acks=1",
                "produce",
                "-t",
                "t",
            ],
            "acks",
        ),
        (
            &[
                "-X",
                "enable.idempotence=false",
                "produce",
                "-t",
                "t",
                "--transactional-id",
                "x",
            ],
            "enable.idempotence",
        ),
        (
            &["-X", "enable.auto.commit=true", "consume", "-t", "t"],
            "enable.auto.commit",
        ),
        (
            &["perf", "produce", "-t", "t", "--compression", "brotli"],
            "compression.type",
        ),
    ];
    for (args, setting) in cases {
        let output = milena(args);
        let line = line_of(&output);
        assert!(
            line.starts_with(&format!("milena: {setting} = ")),
            "{args:?}: {line}"
        );
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    let cases: [&[&str]; 5] = [
        &[],
        &["consume"],
        &["consume", "--topic", "t", "--offset", "soon"],
        &["produce", "--topic", "t", "--per-transaction", "5"],
        &["demo", "--accounts", "3", "--tellers", "2"],
    ];
    for args in cases {
        assert_eq!(milena(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_misspelt_setting_of_the_command_line_is_rejected_with_what_was_meant() {
    let output = milena(&["-X", "lingr.ms=5", "produce", "-t", "t"]);
    let line = line_of(&output);
    assert!(
        line.contains("lingr.ms") && line.contains("linger.ms"),
        "{line}"
    );
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn two_places_that_name_different_brokers_are_rejected() {
    let both = [
        "--bootstrap",
        "a:1",
        "-X",
        "bootstrap.servers=b:1",
        "topics",
        "list",
    ];
    let output = milena(&both);
    let line = line_of(&output);
    assert!(line.contains("a:1") && line.contains("b:1"), "{line}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn brokers_and_settings_come_from_a_file_and_from_the_environment() {
    let address = closed_port();
    let path = std::env::temp_dir().join(format!("milena-settings-{}", std::process::id()));
    let settings = format!("# a comment\nbootstrap.servers = {address}\nacks = 1\nnot.a.key = 1\n");
    std::fs::write(&path, settings).unwrap();
    let path = path.to_str().unwrap();
    let output = milena(&["-F", path, "topics", "list"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("not.a.key"), "{said}");
    assert!(
        said.contains(&address) && said.contains("refused"),
        "{said}"
    );
    std::fs::remove_file(path).unwrap();

    let missing = milena(&["-F", "/nonexistent/settings", "topics", "list"]);
    assert!(line_of(&missing).contains("/nonexistent/settings"));
    assert_eq!(missing.status.code(), Some(2));

    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    command
        .args(["topics", "list"])
        .env("MILENA_BOOTSTRAP", &address);
    let line = line_of(&command.output().unwrap());
    assert!(line.contains(&address), "{line}");
}

#[test]
fn completions_and_manual_pages_come_from_the_command_itself() {
    let script = milena(&["completions", "bash"]);
    assert!(String::from_utf8(script.stdout).unwrap().contains("milena"));
    let folder = std::env::temp_dir().join(format!("milena-pages-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let written = milena(&["man", "--folder", folder.to_str().unwrap()]);
    assert!(written.status.success(), "{written:?}");
    let page = std::fs::read_to_string(folder.join("milena-produce.1")).unwrap();
    assert!(page.contains("transactional"), "{page}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_missing_file_is_one_line() {
    let output = milena(&["produce", "--topic", "t", "--file", "/nonexistent/lines"]);
    let line = line_of(&output);
    assert!(line.contains("/nonexistent/lines cannot be read"), "{line}");
    assert_eq!(output.status.code(), Some(1));
}
