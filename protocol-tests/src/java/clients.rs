//! What a test can ask of Kafka's consumer, producer and admin client.

use super::records::{Isolation, ReadRecord, WriteRecord, Written};
use super::tool::Tool;
use crate::failure::OrFail as _;
use crate::{Failure, Kafka};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// How long reading a topic may take, in milliseconds.
const READ_LIMIT_MS: u64 = 60_000;

/// Offsets by partition.
pub type Offsets = BTreeMap<i32, i64>;

/// A topic as brokers describe it.
#[derive(Clone, Debug, Deserialize)]
pub struct TopicDescription {
    /// The topic id in Kafka's base64.
    pub topic_id: String,
    /// The leader of each partition, -1 where there is none.
    pub leaders: BTreeMap<i32, i32>,
}

/// A transactional id as its coordinator describes it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct TransactionDescription {
    /// `Empty`, `Ongoing`, `PrepareCommit`, `CompleteCommit` and so on.
    pub state: String,
    /// The broker that coordinates it.
    pub coordinator: i32,
    /// The producer id.
    pub producer_id: i64,
    /// The producer epoch.
    pub producer_epoch: i32,
}

/// Kafka's consumer.
impl Kafka {
    /// Every record of `topic` that Kafka's consumer may see now, by partition and offset.
    #[must_use]
    pub fn java_consume(&self, topic: &str, isolation: Isolation) -> Vec<ReadRecord> {
        let mut records: Vec<ReadRecord> = Tool::shared().must(
            "consume",
            self.request(json!({
                "topic": topic,
                "isolation": isolation.name(),
                "limit_ms": READ_LIMIT_MS,
            })),
        );
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }

    /// The end of each partition for a reader: the high watermark, or the last stable offset.
    #[must_use]
    pub fn end_offsets(&self, topic: &str, isolation: Isolation) -> Offsets {
        Tool::shared().must(
            "end_offsets",
            self.request(json!({"topic": topic, "isolation": isolation.name()})),
        )
    }
}

/// Kafka's producers.
impl Kafka {
    /// Opens one of Kafka's producers with settings of its own, e.g. `("compression.type", "lz4")`. One
    /// with a `transactional.id` is initialised too.
    ///
    /// # Errors
    ///
    /// [`Failure::Java`] with Java's exception.
    pub fn try_java_producer(
        &self,
        properties: &[(&str, &str)],
    ) -> Result<JavaProducer<'_>, Failure> {
        let tool = Tool::shared();
        let handle = tool.new_handle();
        let properties: Map<String, Value> = properties
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        let request = json!({"producer": handle, "properties": properties});
        tool.call::<()>("open_producer", self.request(request))?;
        Ok(JavaProducer {
            tool,
            handle,
            _kafka: self,
        })
    }

    /// As [`try_java_producer`](Self::try_java_producer), but an error ends the test.
    #[must_use]
    pub fn java_producer(&self, properties: &[(&str, &str)]) -> JavaProducer<'_> {
        self.try_java_producer(properties).or_fail()
    }

    /// Writes records with one of Kafka's producers, made for this with settings of its own.
    pub fn java_produce(
        &self,
        topic: &str,
        records: &[WriteRecord],
        properties: &[(&str, &str)],
    ) -> Vec<Written> {
        self.java_producer(properties)
            .send(topic, records)
            .or_fail()
    }
}

/// One of Kafka's producers. Dropping it closes it without ending its transaction.
#[derive(Debug)]
pub struct JavaProducer<'a> {
    tool: &'static Tool,
    handle: u64,
    _kafka: &'a Kafka,
}

impl JavaProducer<'_> {
    /// Begins a transaction.
    ///
    /// # Errors
    ///
    /// [`Failure::Java`] with Java's exception, as in all methods here.
    pub fn begin(&self) -> Result<(), Failure> {
        self.call("begin", json!({}))
    }

    /// Sends records and waits until each is acknowledged.
    ///
    /// # Errors
    ///
    /// [`Failure::Java`] with Java's exception for the first that failed.
    pub fn send(&self, topic: &str, records: &[WriteRecord]) -> Result<Vec<Written>, Failure> {
        self.call("send", json!({"topic": topic, "records": records}))
    }

    /// Adds offsets of one topic to the transaction, for a group that is only a name.
    ///
    /// # Errors
    ///
    /// [`Failure::Java`] with Java's exception.
    pub fn send_offsets(&self, group: &str, topic: &str, offsets: &Offsets) -> Result<(), Failure> {
        let request = json!({"group": group, "topic": topic, "offsets": offsets});
        self.call("send_offsets", request)
    }

    /// Commits the transaction.
    ///
    /// # Errors
    ///
    /// [`Failure::Java`] with Java's exception.
    pub fn commit(&self) -> Result<(), Failure> {
        self.call("commit", json!({}))
    }

    /// Aborts the transaction.
    ///
    /// # Errors
    ///
    /// [`Failure::Java`] with Java's exception.
    pub fn abort(&self) -> Result<(), Failure> {
        self.call("abort", json!({}))
    }

    fn call<T: serde::de::DeserializeOwned>(
        &self,
        operation: &str,
        mut request: Value,
    ) -> Result<T, Failure> {
        request["producer"] = json!(self.handle);
        self.tool.call(operation, request)
    }
}

impl Drop for JavaProducer<'_> {
    fn drop(&mut self) {
        // The test is over with it either way.
        let _ = self.call::<()>("close_producer", json!({"limit_ms": 0}));
    }
}

/// Kafka's admin client.
impl Kafka {
    /// Creates a topic that no other test uses, and gives its name.
    #[must_use]
    pub fn topic(&self, partitions: i32) -> String {
        self.topic_with(partitions, &[])
    }

    /// As [`topic`](Self::topic), with settings for it.
    #[must_use]
    pub fn topic_with(&self, partitions: i32, configs: &[(&str, &str)]) -> String {
        let name = self.topic_name();
        self.create_topic(&name, partitions, configs);
        name
    }

    /// Creates a topic by name; its leaders are known when this returns.
    pub fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let configs: BTreeMap<_, _> = configs.iter().copied().collect();
        let topic = json!({"name": name, "partitions": partitions, "configs": configs});
        Tool::shared().must("create_topics", self.request(json!({"topics": [topic]})))
    }

    /// Deletes a topic.
    pub fn delete_topic(&self, name: &str) {
        Tool::shared().must("delete_topics", self.request(json!({"topics": [name]})))
    }

    /// Moves the start of partitions up to the given offsets.
    pub fn delete_records(&self, topic: &str, before: &Offsets) {
        let request = json!({"topic": topic, "before": before});
        Tool::shared().must("delete_records", self.request(request))
    }

    /// Who leads what.
    #[must_use]
    pub fn describe_topic(&self, name: &str) -> TopicDescription {
        Tool::shared().must("describe_topic", self.request(json!({"topic": name})))
    }

    /// What the coordinator knows of a transactional id.
    ///
    /// # Errors
    ///
    /// [`Failure::Java`] with Java's exception.
    pub fn describe_transaction(
        &self,
        transactional_id: &str,
    ) -> Result<TransactionDescription, Failure> {
        let request = json!({"transactional_id": transactional_id});
        Tool::shared().call("describe_transaction", self.request(request))
    }

    /// The offsets a group has committed for a topic; partitions without one are absent.
    #[must_use]
    pub fn committed_offsets(&self, group: &str, topic: &str) -> Offsets {
        let request = json!({"group": group, "topic": topic});
        Tool::shared().must("committed_offsets", self.request(request))
    }

    /// Moves the cluster's transaction.version, for which it has to be the test's own.
    pub fn set_transaction_version(&mut self, level: u8, downgrade: bool) {
        let request = json!({
            "feature": "transaction.version",
            "level": level,
            "downgrade": downgrade,
        });
        Tool::shared().must("set_feature", self.request(request))
    }

    fn request(&self, mut request: Value) -> Value {
        request["bootstrap"] = json!(self.bootstrap().join(","));
        request
    }
}
