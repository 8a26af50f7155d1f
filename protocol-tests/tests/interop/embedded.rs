//! An embedded broker on loopback, and Kafka's own clients that talk to it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use milena_broker::{Broker, BrokerBuilder};
use milena_protocol_tests::java::Tool;
use milena_protocol_tests::{Failure, Isolation, ReadRecord};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// How long anything that must come may take, in milliseconds.
pub(crate) const PATIENCE_MS: u64 = 30_000;

/// Makes one test of each claim, which is an `async fn()` that starts a broker of its own.
macro_rules! java_on_embedded {
    ($($claim:ident),+ $(,)?) => {
        $(
            mod $claim {
                #[test]
                fn on_the_embedded_broker() {
                    milena_protocol_tests::flavour::run_alone(super::$claim);
                }
            }
        )+
    };
}
pub(crate) use java_on_embedded;

/// A broker as Kafka's clients see it.
pub(crate) struct Embedded {
    pub(crate) broker: Broker,
}

/// The builder that the tests here start from: groups notice at once what Kafka notices after seconds.
pub(crate) fn builder() -> BrokerBuilder {
    Broker::builder()
        .consumer_group_timing(Duration::from_millis(100), Duration::from_secs(45))
        .consumer_group_assignment_interval(Duration::ZERO)
}

impl Embedded {
    pub(crate) async fn start(builder: BrokerBuilder) -> Self {
        let broker = builder.start().await.unwrap();
        Self { broker }
    }

    /// One broker with one topic.
    pub(crate) async fn with_topic(topic: &str, partitions: i32) -> Self {
        Self::start(builder().topic(topic, partitions)).await
    }

    pub(crate) fn bootstrap(&self) -> String {
        self.broker.addresses().join(",")
    }

    /// Has Java do something with this broker.
    pub(crate) fn try_java<T: DeserializeOwned>(
        &self,
        operation: &str,
        mut request: Value,
    ) -> Result<T, Failure> {
        request["bootstrap"] = json!(self.bootstrap());
        Tool::shared().call(operation, request)
    }

    /// As [`try_java`](Self::try_java), but an error ends the test.
    #[track_caller]
    pub(crate) fn java<T: DeserializeOwned>(&self, operation: &str, request: Value) -> T {
        match self.try_java(operation, request) {
            Ok(result) => result,
            Err(failure) => panic!("{failure}"),
        }
    }

    /// The values of a topic in the order of partitions and offsets.
    #[track_caller]
    pub(crate) fn read(&self, topic: &str, isolation: Isolation) -> Vec<String> {
        let mut records: Vec<ReadRecord> = self.java(
            "consume",
            json!({"topic": topic, "isolation": isolation.name(), "limit_ms": PATIENCE_MS}),
        );
        records.sort_by_key(|record| (record.partition, record.offset));
        records.iter().map(ReadRecord::text).collect()
    }

    #[track_caller]
    pub(crate) fn committed_offsets(&self, group: &str, topic: &str) -> BTreeMap<i32, i64> {
        self.java("committed_offsets", json!({"group": group, "topic": topic}))
    }

    /// Writes values to partition 0 with a producer of defaults.
    #[track_caller]
    pub(crate) fn write(&self, topic: &str, values: &[&str]) {
        self.write_to(topic, 0, values);
    }

    #[track_caller]
    pub(crate) fn write_to(&self, topic: &str, partition: i32, values: &[&str]) {
        let producer = JavaProducer::open(self, json!({}));
        producer.send_to(topic, partition, values).unwrap();
        producer.close();
    }
}

/// A number that nothing else in the Java tool has.
pub(crate) fn handle() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 32);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// One of Kafka's producers.
pub(crate) struct JavaProducer<'a> {
    embedded: &'a Embedded,
    handle: u64,
}

impl<'a> JavaProducer<'a> {
    pub(crate) fn try_open(embedded: &'a Embedded, properties: Value) -> Result<Self, Failure> {
        let handle = handle();
        let request = json!({"producer": handle, "properties": properties});
        embedded.try_java::<()>("open_producer", request)?;
        Ok(Self { embedded, handle })
    }

    #[track_caller]
    pub(crate) fn open(embedded: &'a Embedded, properties: Value) -> Self {
        Self::try_open(embedded, properties).unwrap()
    }

    #[track_caller]
    pub(crate) fn transactional(embedded: &'a Embedded, id: &str) -> Self {
        Self::open(embedded, json!({"transactional.id": id}))
    }

    pub(crate) fn call<T: DeserializeOwned>(
        &self,
        operation: &str,
        mut request: Value,
    ) -> Result<T, Failure> {
        request["producer"] = json!(self.handle);
        self.embedded.try_java(operation, request)
    }

    pub(crate) fn begin(&self) -> Result<(), Failure> {
        self.call("begin", json!({}))
    }

    pub(crate) fn commit(&self) -> Result<(), Failure> {
        self.call("commit", json!({}))
    }

    pub(crate) fn abort(&self) -> Result<(), Failure> {
        self.call("abort", json!({}))
    }

    /// The offsets of the records.
    pub(crate) fn send_to(
        &self,
        topic: &str,
        partition: i32,
        values: &[&str],
    ) -> Result<Vec<i64>, Failure> {
        let records: Vec<_> = values
            .iter()
            .map(|value| milena_protocol_tests::WriteRecord::value(value).partition(partition))
            .collect();
        let written: Vec<milena_protocol_tests::java::Written> =
            self.call("send", json!({"topic": topic, "records": records}))?;
        Ok(written.iter().map(|written| written.offset).collect())
    }

    pub(crate) fn send_offsets(
        &self,
        group: &str,
        topic: &str,
        offset: i64,
    ) -> Result<(), Failure> {
        let request = json!({"group": group, "topic": topic, "offsets": {"0": offset}});
        self.call("send_offsets", request)
    }

    /// Closes it without ending its transaction.
    pub(crate) fn close(self) {
        drop(self);
    }
}

impl Drop for JavaProducer<'_> {
    fn drop(&mut self) {
        let _ = self.call::<()>("close_producer", json!({"limit_ms": 0}));
    }
}
