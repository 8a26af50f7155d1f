//! Requests made from a seed, in every version that is served: valid ones are answered in their version,
//! broken ones end their connection with a word in the log, and nobody else is disturbed.

use crate::raw::{Produce, Raw, text};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest, ProduceRequest, TopicName};
use milena_broker::Broker;
use milena_codec::generate::{Generated, Mutation, Shape, Verdict, request_frame};
use milena_codec::message::{Request as _, decode_request};
use milena_codec::{Limits, guard, schema};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

const PRODUCE: i16 = ProduceRequest::KEY;

/// No name is generated that is so long.
const BYSTANDERS: &str = "bystanders";

/// Names of one character at most, which are `x` often: there are a topic, a group and a transaction of that
/// name, and a topic of each letter, so that many requests mean something.
fn shape() -> Shape {
    let mut shape = Shape::default();
    shape.bytes_max = 1;
    shape
}

async fn start() -> Broker {
    let mut builder = Broker::builder().topic("x", 100).topic(BYSTANDERS, 1);
    for letter in ('A'..='Z').chain('a'..='w') {
        builder = builder.topic(letter, 3);
    }
    let broker = builder.in_memory().start().await.unwrap();
    let mut raw = Raw::connect(&broker);
    let producer = raw.init("x").await.unwrap();
    for partition in 0..100 {
        let produce = Produce {
            topic: "x",
            partition,
            transactional_id: Some("x"),
            producer,
            sequence: 0,
            ..Produce::default()
        };
        assert_eq!(raw.produce(&produce).await.error_code, 0);
    }
    raw.end("x", producer, true).await;
    broker
}

/// Every version of every API that is told, without those of Produce that only old clients want to be told.
async fn served() -> Vec<(i16, i16)> {
    let broker = &start().await;
    let request = ApiVersionsRequest::default()
        .with_client_software_name(text("raw"))
        .with_client_software_version(text("1"));
    let told = Raw::connect(broker).call(4, &request).await;
    let pairs = told.api_keys.iter().flat_map(|api| {
        let first = if api.api_key == PRODUCE {
            3
        } else {
            api.min_version
        };
        (first..=api.max_version).map(|version| (api.api_key, version))
    });
    pairs.collect()
}

fn wire(frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
    [&length, frame].concat()
}

/// The next frame; whatever it waits for, it need not wait long.
async fn receive(broker: &Broker, raw: &mut Raw) -> Option<bytes::Bytes> {
    loop {
        tokio::select! {
            biased;
            frame = raw.receive() => return frame,
            () = patience() => broker.clock().advance(Duration::from_secs(60)),
        }
    }
}

/// Lets everybody else have many turns.
async fn patience() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Whether it is a Produce that wants no answer.
fn is_silent(api: i16, version: i16, frame: &Generated) -> bool {
    let limits = Limits::default();
    let mut body = bytes::Bytes::copy_from_slice(frame.bytes());
    let header = milena_codec::header::take_request_header(&mut body, &limits);
    api == PRODUCE
        && header.is_ok()
        && decode_request::<ProduceRequest>(body, version, &limits).is_ok_and(|p| p.acks == 0)
}

/// The answer has the number of the request and is a message of its version.
fn check_answer(api: i16, version: i16, request: &[u8], answer: &[u8]) {
    assert_eq!(answer[..4], request[4..8], "the correlation id");
    let head = match schema::response_header_version(api, version) {
        Some(1) => 5,
        _ => 4,
    };
    let response = schema::response(api).unwrap();
    let checked = guard::check_message(response, version, &answer[head..], &Limits::default());
    assert!(checked.is_ok(), "API {api} version {version}: {checked:?}");
}

/// P-3 apart, every valid request has an answer, even if it waits for something.
#[tokio::test]
async fn every_valid_request_is_answered_in_its_version() {
    const REQUESTS_EACH: u64 = 60;
    let mut answered = 0;
    for (api, version) in served().await {
        // What one deletes, the next can have.
        let broker = &start().await;
        let mut raw = Raw::connect(broker);
        for seed in 0..REQUESTS_EACH {
            let frame = request_frame(api, version, seed, &shape()).unwrap();
            if is_silent(api, version, &frame) {
                continue;
            }
            raw.send_bytes(&wire(frame.bytes())).await;
            let answer = receive(broker, &mut raw).await;
            let answer = answer.unwrap_or_else(|| {
                panic!("API {api} version {version} seed {seed}: the connection was closed")
            });
            check_answer(api, version, frame.bytes(), &answer);
            answered += 1;
        }
    }
    assert!(answered > 8_000, "{answered}");
}

/// What the broker logs, for a test that has a thread of its own.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The lines since it was asked last.
    fn take(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Somebody who minds his own business all the while.
struct Bystander(Raw);

impl Bystander {
    async fn is_served(&mut self) {
        let wanted = MetadataRequestTopic::default().with_name(Some(TopicName(text(BYSTANDERS))));
        let request = MetadataRequest::default().with_topics(Some(vec![wanted]));
        let answer = self.0.call(12, &request).await;
        assert_eq!(answer.topics[0].partitions.len(), 1);
    }
}

/// As Kafka does: what is behind the last field is ignored, and text is replaced where it is not UTF-8.
const IGNORED: [Mutation; 2] = [Mutation::BytesAtEnd, Mutation::NotUtf8];

#[tokio::test]
async fn a_broken_request_ends_its_connection_with_a_word_in_the_log() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut refused = 0;
    for (api, version) in served().await {
        let broker = &start().await;
        let mut bystander = Bystander(Raw::connect(broker));
        for (seed, mutation) in (0..).zip(Mutation::ALL.into_iter().cycle().take(45)) {
            let frame = request_frame(api, version, seed, &shape()).unwrap();
            let Some(broken) = frame.mutate(mutation, seed) else {
                continue;
            };
            let case = format!("API {api} version {version} seed {seed}: {mutation:?}");
            let mut raw = Raw::connect(broker);
            log.take();
            raw.send_bytes(&wire(&broken)).await;
            // A repeated tag may be one of the header, of which nobody looks at the tags.
            let verdict = if mutation == Mutation::TagRepeated {
                Verdict::Either
            } else if IGNORED.contains(&mutation) {
                Verdict::Valid
            } else {
                mutation.verdict()
            };
            match verdict {
                Verdict::Malformed => {
                    assert_eq!(receive(broker, &mut raw).await, None, "{case}");
                    let lines = log.take();
                    assert_eq!(lines.len(), 1, "{case}: {lines:?}");
                    assert!(
                        lines[0].contains("connection closed: "),
                        "{case}: {lines:?}"
                    );
                    refused += 1;
                }
                Verdict::Valid if is_silent(api, version, &frame) => {}
                Verdict::Valid => {
                    let answer = receive(broker, &mut raw).await;
                    let answer = answer.unwrap_or_else(|| panic!("{case}: {:?}", log.take()));
                    check_answer(api, version, frame.bytes(), &answer);
                }
                // It is answered, or ends the connection, or (a Produce) has no answer.
                Verdict::Either => patience().await,
            }
        }
        bystander.is_served().await;
    }
    assert!(refused > 3_000, "{refused}");
}
