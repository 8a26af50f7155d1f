//! What the logs hold, from their batches alone.

use super::super::journal::Value;
use super::super::workload::value_of;
use super::{Kind, Violation};
use bytes::Bytes;
use milena::TopicPartition;
use milena_codec::{Batches, ControlRecord, Limits, ProducerId};
use std::collections::BTreeMap;

/// How a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulation) enum Standing {
    Aborted,
    /// Its transaction has no marker.
    Open,
    Visible,
}

/// A record in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulation) struct Entry {
    pub(in crate::simulation) offset: i64,
    pub(in crate::simulation) value: Value,
    pub(in crate::simulation) standing: Standing,
}

/// One partition, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::simulation) struct Log {
    pub(in crate::simulation) entries: Vec<Entry>,
    pub(in crate::simulation) malformed: Vec<String>,
}

impl Log {
    /// Reads a log from its batches.
    pub(in crate::simulation) fn read(batches: &[Bytes]) -> Self {
        let mut log = Self::default();
        let mut open: BTreeMap<ProducerId, Vec<usize>> = BTreeMap::new();
        let mut next_offset = 0;
        for batch in batches.iter().flat_map(|bytes| Batches::new(bytes.clone())) {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    log.malformed.push(error.to_string());
                    continue;
                }
            };
            if batch.base_offset() != next_offset {
                log.malformed.push(format!(
                    "a batch begins at {} behind one that ends before {next_offset}",
                    batch.base_offset()
                ));
            }
            next_offset = batch.next_offset();
            let producer_id = batch.producer().producer_id;
            if batch.is_control() {
                let standing = match batch.control() {
                    Ok(Some(ControlRecord::Commit { .. })) => Standing::Visible,
                    Ok(Some(ControlRecord::Abort { .. })) => Standing::Aborted,
                    other => {
                        log.malformed.push(format!("{other:?} among the markers"));
                        continue;
                    }
                };
                for index in open.remove(&producer_id).unwrap_or_default() {
                    if let Some(entry) = log.entries.get_mut(index) {
                        entry.standing = standing;
                    }
                }
                continue;
            }
            let records = match batch.records(&Limits::default()) {
                Ok(records) => records,
                Err(error) => {
                    log.malformed.push(error.to_string());
                    continue;
                }
            };
            for record in records.iter() {
                let Ok(record) = record else {
                    log.malformed.push("a record cannot be read".to_owned());
                    break;
                };
                let Some(value) = record.value.and_then(value_of) else {
                    log.malformed.push(format!("no value at {}", record.offset));
                    continue;
                };
                let standing = if batch.is_transactional() {
                    open.entry(producer_id).or_default().push(log.entries.len());
                    Standing::Open
                } else {
                    Standing::Visible
                };
                log.entries.push(Entry {
                    offset: record.offset,
                    value,
                    standing,
                });
            }
        }
        log
    }

    /// What a reader of committed records must see.
    pub(in crate::simulation) fn visible(&self) -> impl Iterator<Item = (i64, Value)> {
        let visible = |entry: &&Entry| entry.standing == Standing::Visible;
        self.entries
            .iter()
            .filter(visible)
            .map(|entry| (entry.offset, entry.value))
    }
}

/// All logs, and where each value is.
pub(in crate::simulation) struct Truth<'a> {
    pub(in crate::simulation) logs: &'a BTreeMap<TopicPartition, Log>,
    places: BTreeMap<Value, (&'a TopicPartition, Entry)>,
}

impl<'a> Truth<'a> {
    pub(super) fn of(logs: &'a BTreeMap<TopicPartition, Log>, found: &mut Vec<Violation>) -> Self {
        let mut places = BTreeMap::new();
        for (partition, log) in logs {
            for problem in &log.malformed {
                let evidence = format!("{partition}: {problem}");
                found.push(Violation::new(Kind::Protocol, evidence));
            }
            for entry in &log.entries {
                if entry.standing == Standing::Open {
                    found.push(Violation::new(
                        Kind::NoProgress,
                        format!(
                            "the transaction of {partition}@{} is still open",
                            entry.offset
                        ),
                    ));
                }
                if let Some((before, first)) = places.insert(entry.value, (partition, *entry)) {
                    found.push(Violation::new(
                        Kind::Duplicate,
                        format!(
                            "record {} is at {before}@{} and at {partition}@{}",
                            entry.value, first.offset, entry.offset
                        ),
                    ));
                }
            }
        }
        Self { logs, places }
    }

    /// Where a value is.
    pub(super) fn place(&self, value: Value) -> Option<(&'a TopicPartition, Entry)> {
        self.places.get(&value).copied()
    }

    pub(super) fn is_visible(&self, value: Value) -> bool {
        self.place(value)
            .is_some_and(|(_, entry)| entry.standing == Standing::Visible)
    }
}
