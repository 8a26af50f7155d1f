//! What of a request or an answer a timeline shows: who, what of, and how it went.
//!
//! Pure, and the same for every API and version: the schema is walked and fields are known by their names.

use std::collections::HashMap;
use std::fmt;

use bytes::Bytes;
use milena_codec::dissect::{self, Value, Visit};
use milena_codec::record::{Batches, ControlRecord};
use milena_codec::schema::{Field, Message, Struct};
use milena_codec::{Batch, Limits};

/// Partitions of one message, batches of one partition, and topics with an id that are remembered.
const PARTITIONS_MAX: usize = 16;
const BATCHES_MAX: usize = 4;
const TOPICS_MAX: usize = 10_000;
/// Characters of a name that are kept.
const NAME_MAX: usize = 200;

/// Of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) transactional_id: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) producer_id: Option<i64>,
    pub(crate) producer_epoch: Option<i64>,
    /// Of EndTxn: commit or abort.
    pub(crate) committed: Option<bool>,
    /// The message's own error; 0 is none.
    pub(crate) error: i64,
    pub(crate) partitions: Vec<PartitionFacts>,
    /// Partitions beyond those that are listed.
    pub(crate) more_partitions: usize,
    /// It does not fit its schema.
    pub(crate) malformed: bool,
}

/// Of one partition in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PartitionFacts {
    pub(crate) topic: String,
    pub(crate) partition: i64,
    pub(crate) offset: Option<i64>,
    pub(crate) last_stable_offset: Option<i64>,
    pub(crate) error: i64,
    pub(crate) batches: Vec<BatchFacts>,
    pub(crate) more_batches: usize,
}

/// Of one record batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BatchFacts {
    pub(crate) base_offset: i64,
    pub(crate) records: i32,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) transactional: bool,
    pub(crate) marker: Option<&'static str>,
}

/// The names of topics that newer versions only give by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Topics(HashMap<[u8; 16], String>);

impl Topics {
    fn learn(&mut self, id: [u8; 16], name: &str) {
        if id != [0; 16] && (self.0.len() < TOPICS_MAX || self.0.contains_key(&id)) {
            self.0.insert(id, name.to_owned());
        }
    }

    fn name(&self, id: [u8; 16]) -> String {
        let hex = || id.iter().map(|byte| format!("{byte:02x}")).collect();
        self.0.get(&id).cloned().unwrap_or_else(hex)
    }
}

/// The facts of a message's body.
pub(crate) fn of(
    message: Option<&'static Message>,
    version: i16,
    body: &Bytes,
    topics: &mut Topics,
) -> Facts {
    let mut finder = Finder {
        facts: Facts::default(),
        topics,
        open: Vec::new(),
        topic: String::new(),
        topic_id: None,
        current: None,
        error_before: 0,
    };
    let walked = message
        .map(|message| dissect::walk(message, version, body, &Limits::default(), &mut finder));
    let mut facts = finder.facts;
    facts.malformed = !matches!(walked, Some(Ok(())));
    facts
}

struct Finder<'t> {
    facts: Facts,
    topics: &'t mut Topics,
    /// The fields that are open, outermost first; structs and arrays count with their field.
    open: Vec<Open>,
    topic: String,
    topic_id: Option<[u8; 16]>,
    /// The partition that fields belong to, if it is one that is listed.
    current: Option<usize>,
    error_before: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Field(&'static str),
    Array,
    Struct,
}

impl Finder<'_> {
    fn is_inside(&self, name: &str) -> bool {
        let mut open = self.open.iter();
        open.any(|open| matches!(open, Open::Field(field) if *field == name))
    }

    fn depth(&self) -> usize {
        self.open
            .iter()
            .filter(|open| **open == Open::Struct)
            .count()
    }

    /// The name of the value that comes, an array's own if it is an element.
    fn name(&self) -> &'static str {
        let names = self.open.iter().rev().find_map(|open| match open {
            Open::Field(name) => Some(*name),
            Open::Array | Open::Struct => None,
        });
        names.unwrap_or("")
    }

    fn partition(&mut self, partition: i64) {
        self.current = None;
        if self.facts.partitions.len() >= PARTITIONS_MAX {
            self.facts.more_partitions += 1;
            return;
        }
        self.current = Some(self.facts.partitions.len());
        self.facts.partitions.push(PartitionFacts {
            topic: self.topic.clone(),
            partition,
            error: std::mem::take(&mut self.error_before),
            ..PartitionFacts::default()
        });
    }

    fn now(&mut self) -> Option<&mut PartitionFacts> {
        self.facts.partitions.get_mut(self.current?)
    }

    fn text(&mut self, name: &str, text: &str) {
        let text: String = text.chars().take(NAME_MAX).collect();
        match name {
            // Versions without it leave it empty.
            "TransactionalId" | "V3AndBelowTransactionalId" if !text.is_empty() => {
                self.facts.transactional_id.get_or_insert(text);
            }
            "GroupId" => {
                self.facts.group.get_or_insert(text);
            }
            "Key" | "CoordinatorKeys" => {
                self.facts.key.get_or_insert(text);
            }
            "Name" | "Topic" | "TopicName" if self.depth() > 1 => {
                if let Some(id) = self.topic_id {
                    self.topics.learn(id, &text);
                }
                self.topic = text;
            }
            _ => {}
        }
    }

    fn int(&mut self, name: &str, value: i64) {
        let at_top = self.depth() <= 2 && !self.is_inside("AbortedTransactions");
        match name {
            "ProducerId" | "V3AndBelowProducerId" if at_top => {
                self.facts.producer_id.get_or_insert(value);
            }
            "ProducerEpoch" | "V3AndBelowProducerEpoch" if at_top => {
                self.facts.producer_epoch.get_or_insert(value);
            }
            "ErrorCode" | "PartitionErrorCode" => {
                if self.depth() <= 2 {
                    // The first that is one.
                    if self.facts.error == 0 {
                        self.facts.error = value;
                    }
                } else if let Some(partition) = self.now() {
                    partition.error = value;
                } else {
                    // In some answers it stands before the partition's number.
                    self.error_before = value;
                }
            }
            "Partition" | "PartitionIndex" | "Index" | "Partitions" if self.depth() > 1 => {
                self.partition(value);
            }
            "BaseOffset" | "CommittedOffset" | "FetchOffset" | "Offset" => {
                if let Some(partition) = self.now() {
                    partition.offset = Some(value);
                }
            }
            "LastStableOffset" => {
                if let Some(partition) = self.now() {
                    partition.last_stable_offset = Some(value);
                }
            }
            _ => {}
        }
    }

    fn records(&mut self, records: &[u8]) {
        let Some(partition) = self.now() else {
            return;
        };
        for batch in Batches::new(Bytes::copy_from_slice(records)) {
            // What is no batch is the dissector's to explain.
            let Ok(batch) = batch else {
                return;
            };
            if partition.batches.len() >= BATCHES_MAX {
                partition.more_batches += 1;
                continue;
            }
            partition.batches.push(batch_facts(&batch));
        }
    }
}

fn batch_facts(batch: &Batch) -> BatchFacts {
    let producer = batch.producer();
    let marker = match batch.control() {
        Ok(Some(ControlRecord::Abort { .. })) => Some("abort marker"),
        Ok(Some(ControlRecord::Commit { .. })) => Some("commit marker"),
        Ok(Some(ControlRecord::Other { .. })) => Some("control record"),
        Ok(None) | Err(_) => None,
    };
    BatchFacts {
        base_offset: batch.base_offset(),
        records: batch.record_count(),
        producer_id: producer.producer_id.0,
        producer_epoch: producer.producer_epoch.0,
        base_sequence: batch.base_sequence().0,
        transactional: batch.is_transactional(),
        marker,
    }
}

impl Visit for Finder<'_> {
    fn begin_struct(&mut self, _: &'static Struct) -> fmt::Result {
        self.open.push(Open::Struct);
        match self.depth() {
            2 => {
                self.topic_id = None;
                self.topic.clear();
            }
            3 => {
                self.current = None;
                self.error_before = 0;
            }
            _ => {}
        }
        Ok(())
    }

    fn field(&mut self, field: &'static Field) -> fmt::Result {
        self.open.push(Open::Field(field.name()));
        Ok(())
    }

    fn unknown_tag(&mut self, _: u32, _: &[u8]) -> fmt::Result {
        Ok(())
    }

    fn end_struct(&mut self) -> fmt::Result {
        self.open.pop();
        self.open.pop_if(|open| matches!(open, Open::Field(_)));
        Ok(())
    }

    fn begin_array(&mut self, _: u32) -> fmt::Result {
        self.open.push(Open::Array);
        Ok(())
    }

    fn end_array(&mut self) -> fmt::Result {
        self.open.pop();
        self.open.pop_if(|open| matches!(open, Open::Field(_)));
        Ok(())
    }

    fn value(&mut self, value: Value<'_>) -> fmt::Result {
        let name = self.name();
        if !self.is_inside("ForgottenTopicsData") {
            match value {
                Value::Text(text) => self.text(name, text),
                Value::Int(value) => self.int(name, value),
                Value::Bool(committed) if name == "Committed" => {
                    self.facts.committed = Some(committed);
                }
                Value::Records(records) => self.records(records),
                Value::Uuid(id) if name == "TopicId" => {
                    // Where the name comes first, as in Metadata, this is its id.
                    if !self.topic.is_empty() {
                        self.topics.learn(id, &self.topic);
                    }
                    self.topic_id = Some(id);
                    self.topic = self.topics.name(id);
                }
                Value::Bool(_)
                | Value::Bytes(_)
                | Value::Float64(_)
                | Value::Null
                | Value::Uuid(_) => {}
            }
        }
        self.open.pop_if(|open| matches!(open, Open::Field(_)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use milena_codec::generate::{self, Shape};
    use milena_codec::schema;

    use super::*;

    #[test]
    fn every_message_of_every_version_has_facts_within_bounds() {
        let mut topics = Topics::default();
        for message in schema::messages() {
            for version in message.versions().iter() {
                for seed in 0..3 {
                    let shape = Shape::default();
                    let body = generate::body(message, version, seed, &shape).unwrap();
                    let body = Bytes::from(body.into_bytes());
                    let facts = of(Some(message), version, &body, &mut topics);
                    assert!(!facts.malformed, "{} v{version}", message.name());
                    assert!(facts.partitions.len() <= PARTITIONS_MAX);
                }
            }
        }
    }

    #[test]
    fn hostile_bytes_are_malformed_and_no_panic() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut topics = Topics::default();
        for message in schema::messages() {
            for version in message.versions().iter() {
                let noise = random.usize(0..60);
                let noise: Vec<_> = (0..noise).map(|_| random.u8(..)).collect();
                of(Some(message), version, &noise.into(), &mut topics);
            }
        }
        let facts = of(None, 0, &Bytes::new(), &mut topics);
        assert!(facts.malformed);
    }
}
