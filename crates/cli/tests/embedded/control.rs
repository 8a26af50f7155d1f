//! The control port of `milena broker`, by bare HTTP and by the examples of docs/BROKER.md.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use milena_protocol_tests::jars::Jars;
use milena_protocol_tests::python::Environment;
use milena_protocol_tests::skip::skipped;
use serde_json::{Value, json};

use crate::served::{Served, milena, milena_fed, stderr, stdout};

const GUIDE: &str = include_str!("../../../../docs/BROKER.md");

struct Controlled {
    served: Served,
    control: String,
}

impl Controlled {
    fn start(flags: &[&str]) -> Self {
        let always = ["broker", "--port", "0", "--control-port", "0"];
        let args = [&always[..], flags].concat();
        let (served, further) = Served::start_with_lines(&args, 1);
        let control = further.concat();
        Self { served, control }
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.call_with(method, path, body, "")
    }

    fn call_with(&self, method: &str, path: &str, body: &Value, header: &str) -> (u16, Value) {
        let address = self.control.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\n{header}content-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }

    fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, body) = self.call(method, path, body);
        assert_eq!(status, 200, "{method} {path}: {body}");
        body
    }
}

#[test]
fn faults_clock_moves_records_and_history_are_within_reach_of_any_language() {
    let broker = Controlled::start(&["--brokers", "2", "--topic", "t:2"]);
    let before = broker.done("GET", "/clock", &Value::Null)["unix_ms"]
        .as_i64()
        .unwrap();
    let hour = json!({"advance_ms": 3_600_000});
    let after = broker.done("POST", "/clock", &hour)["unix_ms"]
        .as_i64()
        .unwrap();
    assert!(after - before >= 3_600_000);

    let records = json!({"topic": "t", "partition": 1, "records": [{"key": "k", "value": "v"}, {"key": "k"}]});
    let written = broker.done("POST", "/records", &records);
    assert_eq!(written, json!({"first_offset": 0, "next_offset": 2}));
    let read = broker.done("GET", "/records?topic=t&partition=1", &Value::Null);
    assert_eq!(
        (&read[0]["value"], &read[1]["value"]),
        (&json!("v"), &Value::Null)
    );
    assert_eq!(read[0]["visibility"], "committed");

    let fault = json!({
        "when": {"api": "Produce", "topic": "t"},
        "then": {"do": "reject", "code": "NOT_ENOUGH_REPLICAS"},
        "times": 2,
    });
    assert_eq!(
        broker.done("POST", "/faults", &fault),
        json!({"id": 0, "count": 0})
    );
    let produce = ["--bootstrap", &broker.served.address, "produce", "-t", "t"];
    assert!(milena_fed(&produce, b"one\n").status.success());
    let waited = broker.done("GET", "/faults/0?wait=2", &Value::Null);
    assert_eq!(waited, json!({"id": 0, "count": 2}));

    let to_two = json!({"topic": "t", "partition": 0, "broker": 2});
    broker.done("POST", "/leaders", &to_two);
    broker.done("POST", "/coordinators", &json!({"group": "g", "broker": 2}));
    broker.done("POST", "/brokers/1", &json!({"state": "paused"}));
    broker.done("POST", "/brokers/1", &json!({"state": "running"}));
    broker.done("POST", "/brokers/1", &json!({"state": "stopped"}));
    broker.done("POST", "/brokers/1", &json!({"state": "running"}));
    broker.done(
        "POST",
        "/markers",
        &json!({"topic": "t", "partition": 0, "held": true}),
    );
    broker.done("POST", "/logs/clean", &Value::Null);

    let history = broker.done("GET", "/history?from=0", &Value::Null);
    let entries = history["entries"].as_array().unwrap();
    let seen = |event: &str, api: Option<&str>| {
        entries
            .iter()
            .any(|entry| entry["event"] == event && api.is_none_or(|api| entry["api"] == api))
    };
    assert!(seen("request", Some("Produce")) && seen("fault", Some("Produce")));
    assert!(seen("append", None) && seen("leader_moved", None));
    let next = history["next"].as_u64().unwrap();
    let later = broker.done("GET", &format!("/history?from={next}"), &Value::Null);
    assert_eq!(later["entries"], json!([]));
    assert!(
        stdout(&milena(&[
            "--bootstrap",
            &broker.served.address,
            "topics",
            "list"
        ]))
        .contains('t')
    );
}

#[test]
fn what_the_control_port_cannot_do_it_says_with_a_status_and_a_reason() {
    let broker = Controlled::start(&[]);
    for (method, path, body, status, reason) in [
        (
            "GET",
            "/nothing",
            Value::Null,
            404,
            "there is no GET /nothing",
        ),
        (
            "POST",
            "/faults",
            json!({"then": {"do": "explode"}}),
            400,
            "explode",
        ),
        (
            "POST",
            "/faults",
            json!({"then": {"do": "reject", "code": "NOPE"}}),
            400,
            "NOPE",
        ),
        (
            "POST",
            "/faults",
            json!({"when": {"api": "Nope"}, "then": {"do": "hold"}}),
            400,
            "there is no API Nope",
        ),
        (
            "POST",
            "/faults",
            json!({"when": {"partition": 1}, "then": {"do": "hold"}}),
            400,
            "a partition needs a topic",
        ),
        ("GET", "/faults/7", Value::Null, 404, "there is no fault 7"),
        ("POST", "/clock", json!({"advance": 1}), 400, "advance"),
        ("POST", "/brokers/9", json!({"state": "stopped"}), 409, "9"),
        (
            "POST",
            "/leaders",
            json!({"topic": "nope", "partition": 0, "broker": 1}),
            409,
            "nope",
        ),
        ("GET", "/records?topic=nope", Value::Null, 404, "nope"),
        (
            "GET",
            "/records?topic=t&partition=x",
            Value::Null,
            400,
            "partition",
        ),
    ] {
        let (seen, said) = broker.call(method, path, &body);
        let error = said["error"].as_str().unwrap();
        assert_eq!(seen, status, "{method} {path}: {error}");
        assert!(error.contains(reason), "{method} {path}: {error}");
    }
    let page = broker.call_with("DELETE", "/faults", &Value::Null, "origin: http://page\r\n");
    assert_eq!(page.0, 400);
    let taken = broker.control.rsplit(':').next().unwrap();
    let second = milena(&["broker", "--port", "0", "--control-port", taken]);
    assert!(stderr(&second).contains("in use"), "{second:?}");
}

/// The block of code behind the comment that names this file.
fn example(language: &str) -> &'static str {
    let fence = format!("control.rs -->\n```{language}\n");
    let (_, code) = GUIDE.split_once(&fence).unwrap();
    code.split_once("\n```").unwrap().0
}

fn run(mut command: Command, broker: &Controlled) {
    let done = command
        .arg(&broker.served.address)
        .arg(&broker.control)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", stderr(&done));
}

#[test]
fn the_example_in_python_runs() {
    let python = match Environment::with("confluent", &["confluent-kafka==2.16.1"]) {
        Ok(environment) => environment.python(),
        Err(reason) => return skipped("the_example_in_python_runs", &reason),
    };
    let broker = Controlled::start(&[]);
    let mut command = Command::new(python);
    command.args(["-c", example("python")]);
    run(command, &broker);
}

#[test]
fn the_example_in_java_runs() {
    let jars = match Jars::fetch("4.3.1") {
        Ok(jars) => jars,
        Err(missing) => return skipped("the_example_in_java_runs", &missing),
    };
    let broker = Controlled::start(&[]);
    let folder = std::env::temp_dir().join(format!("milena-control-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let source = folder.join("Faults.java");
    std::fs::write(&source, example("java")).unwrap();
    let mut command = Command::new("java");
    command.arg("-cp").arg(jars.class_path()).arg(&source);
    run(command, &broker);
    std::fs::remove_dir_all(&folder).unwrap();
}
