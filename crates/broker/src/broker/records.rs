//! Topics and records, written and read without a client.

use super::Broker;
use crate::cluster::{NewTopic, Placement, TopicConfig};
use crate::log::validate::Refusal;
use crate::{ErrorCode, MoveError};
use bytes::Bytes;
use milena_codec::record::{BatchBuilder, BatchStamp, HeaderToWrite, RecordToWrite};
use milena_codec::{Batch, Batches, Compression, Limits, ProducerId, ProducerIdentity};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// A record in a partition's log, as [`Broker::records`] returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedRecord {
    /// Its place in the partition.
    pub offset: i64,
    /// Milliseconds since the Unix epoch; -1 for none.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Its headers, in order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// Who wrote it; [`ProducerIdentity::NONE`] without idempotence.
    pub producer: ProducerIdentity,
    /// Who may see it.
    pub visibility: Visibility,
}

/// Who may see a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Its transaction was aborted: only readers of `read_uncommitted` see it.
    Aborted,
    /// It was written outside of transactions, or its transaction was committed.
    Committed,
    /// Its transaction is open.
    Open,
}

/// A record for [`Broker::write`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordToSeed {
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Vec<(String, Option<Bytes>)>,
    timestamp: Option<i64>,
}

impl RecordToSeed {
    /// A record with this value and nothing else. Its timestamp will be the broker's time.
    #[must_use]
    pub fn value(value: impl AsRef<[u8]>) -> Self {
        Self {
            value: Some(Bytes::copy_from_slice(value.as_ref())),
            ..Self::default()
        }
    }

    /// A record without a value.
    #[must_use]
    pub fn tombstone(key: impl AsRef<[u8]>) -> Self {
        Self::default().key(key)
    }

    /// The same record with a key.
    #[must_use]
    pub fn key(self, key: impl AsRef<[u8]>) -> Self {
        Self {
            key: Some(Bytes::copy_from_slice(key.as_ref())),
            ..self
        }
    }

    /// The same record with one header more.
    #[must_use]
    pub fn header(mut self, key: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        let value = Bytes::copy_from_slice(value.as_ref());
        self.headers.push((key.into(), Some(value)));
        self
    }

    /// The same record with a timestamp in milliseconds since the Unix epoch.
    #[must_use]
    pub fn timestamp(self, millis: i64) -> Self {
        Self {
            timestamp: Some(millis),
            ..self
        }
    }
}

/// Records could not be written, or a topic not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// There is no such partition.
    #[error(transparent)]
    Partition(#[from] MoveError),
    /// The broker rejected it, as it would have rejected a client.
    #[error("{code}: {message}")]
    Rejected {
        /// The error code that a client would have got.
        code: ErrorCode,
        /// What went with it.
        message: String,
    },
}

impl Broker {
    /// Creates a topic with the default replication and no configurations.
    ///
    /// # Errors
    /// [`SeedError::Rejected`] as CreateTopics: the name is taken or illegal, or there is no room.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), SeedError> {
        self.shared.with(|cluster, _| {
            let config = TopicConfig::following(cluster.topic_defaults());
            let new = NewTopic {
                name: name.to_owned(),
                placement: Placement::Spread {
                    partitions: Some(partitions),
                    replication: None,
                },
                config,
            };
            let created = cluster.create_topic(new);
            created.map(|_| ()).map_err(|code| SeedError::Rejected {
                code,
                message: format!("topic {name} with {partitions} partitions"),
            })
        })
    }

    /// Creates a topic under a name that no other has, and returns the name: for tests that share a broker. With a number of
    /// partitions that cannot be, the name is that of no topic.
    #[must_use]
    pub fn fresh_topic(&self, partitions: i32) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let name = format!("topic-{}", NEXT.fetch_add(1, Ordering::Relaxed));
            match self.create_topic(&name, partitions) {
                Err(SeedError::Rejected {
                    code: ErrorCode::TopicAlreadyExists,
                    ..
                }) => {}
                Ok(()) | Err(_) => return name,
            }
        }
    }

    /// Writes records to a partition, as one batch of a producer without idempotence, and returns their offsets.
    ///
    /// # Errors
    /// [`SeedError`].
    pub fn write(
        &self,
        topic: &str,
        partition: i32,
        records: impl IntoIterator<Item = RecordToSeed>,
    ) -> Result<Range<i64>, SeedError> {
        let leader = self.leader(topic, partition);
        let (leader, _) = leader.ok_or_else(|| MoveError::UnknownPartition {
            topic: topic.to_owned(),
            partition,
        })?;
        let now = self.shared.clock.now();
        let rejected = |code: ErrorCode, message: String| SeedError::Rejected { code, message };
        let Some(batch) = batch_of(records, now.unix_millis())
            .map_err(|message| rejected(ErrorCode::InvalidRecord, message))?
        else {
            return Ok(0..0);
        };
        let appended = self
            .shared
            .with(|cluster, now| cluster.append(topic, partition, leader, &batch, now));
        let refused = |refusal: Refusal| {
            let message = refusal.message.unwrap_or_default();
            rejected(refusal.code, message)
        };
        let (appended, _) = appended.map_err(refused)?;
        Ok(appended.base_offset..appended.last_offset.saturating_add(1))
    }

    /// The records of a partition in order, whether or not a reader may see them yet, without the control records that end transactions.
    ///
    /// # Errors
    /// [`MoveError::UnknownPartition`].
    pub fn records(&self, topic: &str, partition: i32) -> Result<Vec<LoggedRecord>, MoveError> {
        let batches = self.log(topic, partition)?;
        let mut records: Vec<LoggedRecord> = Vec::new();
        // By producer, where its records of the open transaction are in the list.
        let mut open: BTreeMap<ProducerId, Vec<usize>> = BTreeMap::new();
        for batch in batches
            .into_iter()
            .filter_map(|bytes| Batches::new(bytes).next()?.ok())
        {
            let producer_id = batch.producer().producer_id;
            if batch.is_control() {
                let visibility = ended(&batch);
                for index in open.remove(&producer_id).unwrap_or_default() {
                    if let Some(record) = records.get_mut(index) {
                        record.visibility = visibility;
                    }
                }
                continue;
            }
            for record in logged(&batch) {
                if batch.is_transactional() {
                    open.entry(producer_id).or_default().push(records.len());
                }
                records.push(record);
            }
        }
        Ok(records)
    }
}

fn ended(batch: &Batch) -> Visibility {
    use milena_codec::record::ControlRecord;
    match batch.control() {
        Ok(Some(ControlRecord::Abort { .. })) => Visibility::Aborted,
        Ok(_) | Err(_) => Visibility::Committed,
    }
}

fn logged(batch: &Batch) -> Vec<LoggedRecord> {
    let visibility = if batch.is_transactional() {
        Visibility::Open
    } else {
        Visibility::Committed
    };
    let Ok(records) = batch.records(&Limits::default()) else {
        return Vec::new();
    };
    let owned = |bytes: Option<&[u8]>| bytes.map(Bytes::copy_from_slice);
    let logged = records.iter().flatten().map(|record| LoggedRecord {
        offset: record.offset,
        timestamp: record.timestamp,
        key: owned(record.key),
        value: owned(record.value),
        headers: record
            .headers()
            .map(|header| {
                let key = String::from_utf8_lossy(header.key).into_owned();
                (key, owned(header.value))
            })
            .collect(),
        producer: batch.producer(),
        visibility,
    });
    logged.collect()
}

/// One batch of these records; `None` of none.
fn batch_of(
    records: impl IntoIterator<Item = RecordToSeed>,
    now: i64,
) -> Result<Option<Batch>, String> {
    let mut builder = BatchBuilder::new(Vec::new());
    for record in records {
        let headers: Vec<HeaderToWrite<'_>> = record
            .headers
            .iter()
            .map(|(key, value)| HeaderToWrite {
                key,
                value: value.as_deref(),
            })
            .collect();
        let record = RecordToWrite {
            timestamp: record.timestamp.unwrap_or(now),
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &headers,
        };
        builder.append(&record).map_err(|error| error.to_string())?;
    }
    if builder.is_empty() {
        return Ok(None);
    }
    let closed = builder
        .close(Compression::None)
        .map_err(|error| error.to_string())?;
    let bytes = closed.to_vec(&BatchStamp::NONE);
    Ok(Batches::new(bytes.into()).next().and_then(Result::ok))
}
