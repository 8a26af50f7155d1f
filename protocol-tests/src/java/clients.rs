//! What a test can ask of Kafka's consumer, producer and admin client.

use super::records::{Isolation, ReadRecord, WriteRecord, Written};
use super::tool::Tool;
use crate::failure::OrFail as _;
use crate::observer::{Observer, Offsets, TopicDescription, TransactionDescription};
use crate::{Failure, Kafka};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// How long reading a topic may take, in milliseconds.
const READ_LIMIT_MS: u64 = 60_000;

/// Kafka's own clients, as observers.
#[derive(Clone, Copy, Debug)]
pub struct Java;

impl Observer for Java {
    fn read(
        &self,
        brokers: &[String],
        topic: &str,
        isolation: Isolation,
    ) -> Result<Vec<ReadRecord>, Failure> {
        let request = json!({
            "topic": topic,
            "isolation": isolation.name(),
            "limit_ms": READ_LIMIT_MS,
        });
        let mut records: Vec<ReadRecord> = ask("consume", brokers, request)?;
        records.sort_by_key(|record| (record.partition, record.offset));
        Ok(records)
    }

    fn end_offsets(
        &self,
        brokers: &[String],
        topic: &str,
        isolation: Isolation,
    ) -> Result<Offsets, Failure> {
        let request = json!({"topic": topic, "isolation": isolation.name()});
        ask("end_offsets", brokers, request)
    }

    fn committed_offsets(
        &self,
        brokers: &[String],
        group: &str,
        topic: &str,
    ) -> Result<Offsets, Failure> {
        let request = json!({"group": group, "topic": topic});
        ask("committed_offsets", brokers, request)
    }

    fn create_topic(
        &self,
        brokers: &[String],
        name: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Result<(), Failure> {
        let configs: BTreeMap<_, _> = configs.iter().copied().collect();
        let topic = json!({"name": name, "partitions": partitions, "configs": configs});
        ask("create_topics", brokers, json!({"topics": [topic]}))
    }

    fn delete_topic(&self, brokers: &[String], name: &str) -> Result<(), Failure> {
        ask("delete_topics", brokers, json!({"topics": [name]}))
    }

    fn delete_records(
        &self,
        brokers: &[String],
        topic: &str,
        before: &Offsets,
    ) -> Result<(), Failure> {
        let request = json!({"topic": topic, "before": before});
        ask("delete_records", brokers, request)
    }

    fn describe_topic(&self, brokers: &[String], name: &str) -> Result<TopicDescription, Failure> {
        ask("describe_topic", brokers, json!({"topic": name}))
    }

    fn describe_transaction(
        &self,
        brokers: &[String],
        transactional_id: &str,
    ) -> Result<TransactionDescription, Failure> {
        let request = json!({"transactional_id": transactional_id});
        ask("describe_transaction", brokers, request)
    }
}

impl Java {
    /// Moves the cluster's transaction.version.
    ///
    /// # Errors
    ///
    /// [`Failure::Java`] with Java's exception.
    pub fn set_transaction_version(
        brokers: &[String],
        level: u8,
        downgrade: bool,
    ) -> Result<(), Failure> {
        let request = json!({
            "feature": "transaction.version",
            "level": level,
            "downgrade": downgrade,
        });
        ask("set_feature", brokers, request)
    }
}

fn ask<T: DeserializeOwned>(
    operation: &str,
    brokers: &[String],
    mut request: Value,
) -> Result<T, Failure> {
    request["bootstrap"] = json!(brokers.join(","));
    Tool::shared().call(operation, request)
}

/// Kafka's consumer.
impl Kafka {
    /// Every record of `topic` that Kafka's own consumer may see now, by partition and offset: for claims
    /// about that consumer. [`read`](Self::read) is for those about what is in the topic.
    #[must_use]
    pub fn java_consume(&self, topic: &str, isolation: Isolation) -> Vec<ReadRecord> {
        Java.read(&self.bootstrap(), topic, isolation).or_fail()
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

impl Kafka {
    fn request(&self, mut request: Value) -> Value {
        request["bootstrap"] = json!(self.bootstrap().join(","));
        request
    }
}
