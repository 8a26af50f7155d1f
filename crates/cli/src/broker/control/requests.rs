//! What the requests of the control port mean.

use std::sync::Arc;
use std::time::Duration;

use milena_broker::{
    ApiKey, CoordinatorKind, Entry, ErrorCode, Event, LoggedRecord, Loss, RecordToSeed, RequestRef,
    Then, Visibility, When,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Control;
use super::http::{Request, Response};

/// How long a request may wait for a fault to take effect.
const WAIT_LIMIT: Duration = Duration::from_secs(60);

type Responded = Result<Value, Response>;

/// Carries a request out.
pub(super) async fn respond(control: Arc<Control>, request: Request) -> Response {
    let path: Vec<String> = request.path.split('/').skip(1).map(str::to_owned).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let responded = match (request.method.as_str(), path.as_slice()) {
        ("GET", ["clock"]) => Ok(clock(&control)),
        ("POST", ["clock"]) => advance(&control, request.body),
        ("GET", ["faults"]) => Ok(faults(&control)),
        ("POST", ["faults"]) => add_fault(&control, request.body),
        ("DELETE", ["faults"]) => {
            control.broker.faults().clear();
            Ok(faults(&control))
        }
        (method @ ("GET" | "POST" | "DELETE"), ["faults", number, rest @ ..]) => {
            fault(&control, method, number, rest, &request).await
        }
        ("POST", ["leaders"]) => move_leader(&control, request.body),
        ("POST", ["coordinators"]) => move_coordinator(&control, request.body),
        ("POST", ["brokers", id]) => broker(&control, id, request.body).await,
        ("POST", ["markers"]) => markers(&control, request.body),
        ("POST", ["logs", "clean"]) => {
            control.broker.clean_logs();
            Ok(json!({}))
        }
        ("GET", ["records"]) => records(&control, &request),
        ("POST", ["records"]) => write(&control, request.body),
        ("POST", ["topics"]) => create_topic(&control, request.body),
        ("GET", ["history"]) => history(&control, &request),
        _ => Err(Response::failed(
            404,
            format!(
                "there is no {} {}: clock, faults, leaders, coordinators, brokers, markers, logs/clean, topics, records \
                 and history are there",
                request.method, request.path
            ),
        )),
    };
    responded.map_or_else(|failed| failed, Response::ok)
}

fn read<T: DeserializeOwned>(body: Value) -> Result<T, Response> {
    serde_json::from_value(body).map_err(|error| Response::failed(400, error))
}

fn rejected(error: impl ToString) -> Response {
    Response::failed(409, error)
}

fn clock(control: &Control) -> Value {
    json!({"unix_ms": control.broker.clock().now().unix_millis()})
}

fn advance(control: &Control, body: Value) -> Responded {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Advance {
        advance_ms: u64,
    }
    let Advance { advance_ms } = read(body)?;
    let clock = control.broker.clock();
    clock.advance(Duration::from_millis(advance_ms));
    Ok(json!({"unix_ms": clock.now().unix_millis()}))
}

/// Which requests, what happens to them, and how often.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewFault {
    #[serde(default)]
    when: Conditions,
    then: Effect,
    /// For ever if it is null.
    #[serde(default = "once")]
    times: Option<u64>,
    #[serde(default)]
    after: u64,
}

const fn once() -> Option<u64> {
    Some(1)
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Conditions {
    api: Option<String>,
    broker: Option<i32>,
    client: Option<String>,
    topic: Option<String>,
    partition: Option<i32>,
    transactional_id: Option<String>,
    group: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Effect {
    CutResponse {
        after: usize,
    },
    DelayRequest {
        ms: u64,
    },
    DelayResponse {
        ms: u64,
    },
    Hold,
    LoseRequest {
        #[serde(default)]
        silently: bool,
    },
    LoseResponse {
        #[serde(default)]
        silently: bool,
    },
    Reject {
        code: String,
    },
    RespondTwice,
}

impl Conditions {
    fn when(self) -> Result<When, Response> {
        let mut when = match self.api {
            None => When::any(),
            Some(name) => {
                let api: ApiKey = name
                    .parse()
                    .map_err(|_| Response::failed(400, format!("there is no API {name}")))?;
                When::api(api)
            }
        };
        if let Some(broker) = self.broker {
            when = when.broker(broker);
        }
        if let Some(client) = self.client {
            when = when.client(client);
        }
        when = match (self.topic, self.partition) {
            (Some(topic), Some(partition)) => when.partition(topic, partition),
            (Some(topic), None) => when.topic(topic),
            (None, Some(_)) => return Err(Response::failed(400, "a partition needs a topic")),
            (None, None) => when,
        };
        if let Some(id) = self.transactional_id {
            when = when.transactional_id(id);
        }
        if let Some(group) = self.group {
            when = when.group(group);
        }
        Ok(when)
    }
}

impl Effect {
    fn then(self) -> Result<Then, Response> {
        let loss = |silently| {
            if silently {
                Loss::Silence
            } else {
                Loss::Disconnect
            }
        };
        Ok(match self {
            Self::CutResponse { after } => Then::CutAnswer { after },
            Self::DelayRequest { ms } => Then::DelayRequest(Duration::from_millis(ms)),
            Self::DelayResponse { ms } => Then::DelayAnswer(Duration::from_millis(ms)),
            Self::Hold => Then::Hold,
            Self::LoseRequest { silently } => Then::LoseRequest(loss(silently)),
            Self::LoseResponse { silently } => Then::LoseAnswer(loss(silently)),
            Self::Reject { code } => Then::Answer(error_code(&code)?),
            Self::RespondTwice => Then::AnswerTwice,
        })
    }
}

fn error_code(name: &str) -> Result<ErrorCode, Response> {
    let known = ErrorCode::ALL.iter().find(|code| code.name() == name);
    known
        .copied()
        .ok_or_else(|| Response::failed(400, format!("there is no error code {name}")))
}

fn add_fault(control: &Control, body: Value) -> Responded {
    let NewFault {
        when,
        then,
        times,
        after,
    } = read(body)?;
    let (when, then) = (when.when()?, then.then()?);
    let faults = control.broker.faults();
    let fault = match times {
        Some(times) => faults.after(after, times, when, then),
        None if after == 0 => faults.every(when, then),
        None => faults.after(after, u64::MAX, when, then),
    };
    Ok(json!({"id": control.add_fault(fault), "count": 0}))
}

fn faults(control: &Control) -> Value {
    let faults = control.faults();
    let faults = faults.iter().enumerate();
    faults
        .map(|(id, fault)| json!({"id": id, "count": fault.count()}))
        .collect()
}

async fn fault(
    control: &Control,
    method: &str,
    number: &str,
    rest: &[&str],
    request: &Request,
) -> Responded {
    let unknown = || Response::failed(404, format!("there is no fault {number}"));
    let id: usize = number.parse().map_err(|_| unknown())?;
    let fault = control.fault(id).ok_or_else(unknown)?;
    match (method, rest) {
        ("GET", []) => {
            if let Some(times) = parameter(request, "wait")? {
                let applied = fault.applied(times);
                let late = || Response::failed(408, "it has not taken effect within 60 s");
                let waited = tokio::time::timeout(WAIT_LIMIT, applied).await;
                waited.map_err(|_| late())?;
            }
        }
        ("POST", ["release"]) => fault.release(),
        ("DELETE", []) => fault.remove(),
        _ => return Err(Response::failed(405, "GET, DELETE or POST …/release")),
    }
    Ok(json!({"id": id, "count": fault.count()}))
}

/// A number behind the question mark.
fn parameter<T: std::str::FromStr>(request: &Request, name: &str) -> Result<Option<T>, Response> {
    let found = request.query.iter().find(|(found, _)| found == name);
    let parse = |(_, value): &(String, String)| {
        value
            .parse()
            .map_err(|_| Response::failed(400, format!("{name} cannot be {value}")))
    };
    found.map(parse).transpose()
}

fn move_leader(control: &Control, body: Value) -> Responded {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Move {
        topic: String,
        partition: i32,
        broker: i32,
    }
    let to: Move = read(body)?;
    let moved = control
        .broker
        .move_leader(&to.topic, to.partition, to.broker);
    moved.map_err(rejected)?;
    Ok(json!({}))
}

fn move_coordinator(control: &Control, body: Value) -> Responded {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Move {
        #[serde(default)]
        group: Option<String>,
        #[serde(default)]
        transactional_id: Option<String>,
        broker: i32,
    }
    let to: Move = read(body)?;
    let (kind, key) = match (to.group, to.transactional_id) {
        (Some(group), None) => (CoordinatorKind::Group, group),
        (None, Some(id)) => (CoordinatorKind::Transaction, id),
        (Some(_), Some(_)) | (None, None) => {
            return Err(Response::failed(
                400,
                "either a group or a transactional_id",
            ));
        }
    };
    let moved = control.broker.move_coordinator(kind, &key, to.broker);
    moved.map_err(rejected)?;
    Ok(json!({}))
}

async fn broker(control: &Control, id: &str, body: Value) -> Responded {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum State {
        Paused,
        Running,
        Stopped,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Change {
        state: State,
    }
    let Change { state } = read(body)?;
    let unknown = || Response::failed(404, format!("there is no broker {id}"));
    let id: i32 = id.parse().map_err(|_| unknown())?;
    let broker = &control.broker;
    match state {
        State::Paused => broker.pause_broker(id).map_err(rejected)?,
        State::Stopped => broker.stop_broker(id).await.map_err(rejected)?,
        State::Running if broker.is_stopped(id).ok_or_else(unknown)? => {
            broker.restart_broker(id).await.map_err(rejected)?;
        }
        State::Running => broker.resume_broker(id).map_err(rejected)?,
    }
    Ok(json!({}))
}

fn markers(control: &Control, body: Value) -> Responded {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Hold {
        topic: String,
        partition: i32,
        held: bool,
    }
    let hold: Hold = read(body)?;
    let held = control
        .broker
        .hold_markers(&hold.topic, hold.partition, hold.held);
    held.map_err(rejected)?;
    Ok(json!({}))
}

fn create_topic(control: &Control, body: Value) -> Responded {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct New {
        name: String,
        partitions: i32,
    }
    let new: New = read(body)?;
    let created = control.broker.create_topic(&new.name, new.partitions);
    created.map_err(rejected)?;
    Ok(json!({}))
}

fn write(control: &Control, body: Value) -> Responded {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct One {
        #[serde(default)]
        key: Option<String>,
        #[serde(default)]
        value: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Records {
        topic: String,
        partition: i32,
        records: Vec<One>,
    }
    let new: Records = read(body)?;
    let records = new.records.into_iter().map(|one| {
        let record = match one.value {
            Some(value) => RecordToSeed::value(value),
            None => RecordToSeed::default(),
        };
        one.key.into_iter().fold(record, RecordToSeed::key)
    });
    let written = control.broker.write(&new.topic, new.partition, records);
    let written = written.map_err(rejected)?;
    Ok(json!({"first_offset": written.start, "next_offset": written.end}))
}

fn records(control: &Control, request: &Request) -> Responded {
    let topic: Option<String> = parameter(request, "topic")?;
    let topic = topic.ok_or_else(|| Response::failed(400, "?topic=…&partition=…"))?;
    let partition = parameter(request, "partition")?.unwrap_or(0);
    let records = control.broker.records(&topic, partition);
    let records = records.map_err(|error| Response::failed(404, error))?;
    Ok(records.iter().map(record).collect())
}

fn record(record: &LoggedRecord) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    json!({
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": record.key.as_deref().map(text),
        "value": record.value.as_deref().map(text),
        "visibility": match record.visibility {
            Visibility::Aborted => "aborted",
            Visibility::Committed => "committed",
            Visibility::Open => "open",
        },
    })
}

fn history(control: &Control, request: &Request) -> Responded {
    let from = parameter(request, "from")?.unwrap_or(0);
    let history = control.broker.history();
    let entries = history.since(from);
    let next = entries
        .last()
        .map_or(from, |entry| entry.number.saturating_add(1));
    let entries: Vec<Value> = entries.iter().map(entry).collect();
    Ok(json!({"next": next, "forgotten": history.forgotten(), "entries": entries}))
}

fn entry(entry: &Entry) -> Value {
    let mut value = event(&entry.event);
    if let Value::Object(fields) = &mut value {
        fields.insert("number".to_owned(), entry.number.into());
        fields.insert("unix_ms".to_owned(), entry.at.unix_millis().into());
    }
    value
}

fn event(event: &Event) -> Value {
    match event {
        Event::Append {
            topic,
            partition,
            base_offset,
            last_offset,
            producer,
            transactional,
            ..
        } => json!({
            "event": "append", "topic": &**topic, "partition": partition, "base_offset": base_offset,
            "last_offset": last_offset, "producer_id": producer.producer_id.0,
            "producer_epoch": producer.producer_epoch.0, "transactional": transactional,
        }),
        Event::Answer { request, .. } => on_request("response", request),
        Event::Request { request, .. } => on_request("request", request),
        Event::Fault { request, what } => {
            let mut value = on_request("fault", request);
            if let Value::Object(fields) = &mut value {
                fields.insert("what".to_owned(), what.clone().into());
            }
            value
        }
        Event::CoordinatorMoved { key, broker_id } => {
            json!({"event": "coordinator_moved", "key": &**key, "broker": broker_id})
        }
        Event::LeaderMoved {
            topic,
            partition,
            broker_id,
            leader_epoch,
        } => json!({
            "event": "leader_moved", "topic": &**topic, "partition": partition, "broker": broker_id,
            "leader_epoch": leader_epoch,
        }),
        Event::MarkerWritten {
            topic,
            partition,
            offset,
            transactional_id,
            marker,
            ..
        } => json!({
            "event": "marker", "topic": &**topic, "partition": partition, "offset": offset,
            "transactional_id": &**transactional_id, "marker": format!("{marker:?}").to_lowercase(),
        }),
        _ => json!({"event": "other"}),
    }
}

fn on_request(event: &str, request: &RequestRef) -> Value {
    json!({
        "event": event,
        "api": ApiKey::from(request.api_key).name(),
        "version": request.api_version,
        "broker": request.broker_id,
        "connection": request.connection_id,
        "client": request.client_id.as_deref(),
        "correlation_id": request.correlation_id,
    })
}
