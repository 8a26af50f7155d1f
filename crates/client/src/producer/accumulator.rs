//! What callers and the driver share: topics, one queue per partition, and the room in memory.
//!
//! Locks, in order, none held across an await: `topics` (read on every send, written when a topic is first
//! used or grows), a topic's `sticky`, a partition's `accumulator`, then `flagged`. Those of
//! [`Memory`] and [`Standing`] are taken alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use milena_codec::EncodeError;
use milena_codec::record::{BatchBuilder, RecordToWrite};
use tokio::sync::Notify;

use super::batch::{BatchCompletion, Delivery};
use super::memory::{Memory, Room};
use super::partitioner::{self, Sticky};
use super::queue::{PartitionQueue, PendingBatch};
use super::sender::PartitionId;
use super::standing::Standing;
use crate::error::Error;
use crate::runtime::now;
use crate::sync::{lock, read, write};

#[derive(Debug)]
struct Topic {
    name: Arc<str>,
    partitions: Vec<Arc<PartitionQueue>>,
    sticky: Mutex<Sticky>,
}

/// The bounds a send keeps to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SendLimits {
    pub(crate) batch_bytes: usize,
    pub(crate) record_bytes_max: usize,
    pub(crate) buffer_memory: usize,
}

/// A record with its place not yet chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placing<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Option<i32>,
    /// The partitioner looks at records with a key as at those without.
    pub(crate) ignore_key: bool,
    pub(crate) record: RecordToWrite<'a>,
    /// The open transaction, 0 without.
    pub(crate) transaction: u64,
}

/// How far a send got.
#[derive(Debug)]
pub(crate) enum Placed {
    Queued(Delivery),
    /// The topic (or the partition of it) is not known yet.
    UnknownTopic,
    /// A new batch needs this many bytes of room.
    NoRoom(usize),
}

/// The callers' side of a producer.
#[derive(Debug)]
pub(crate) struct Shared {
    limits: SendLimits,
    /// Looked up for every record: a producer has few topics, and comparing a name or three costs less than
    /// hashing one.
    topics: RwLock<BTreeMap<Arc<str>, Topic>>,
    queues: RwLock<Vec<Arc<PartitionQueue>>>,
    flagged: Mutex<Vec<PartitionId>>,
    touched: Mutex<Vec<PartitionId>>,
    wake: Notify,
    pub(crate) memory: Memory,
    /// Batches that have no sequence yet, open ones included.
    undrained: AtomicUsize,
    pub(crate) standing: Standing,
    seed: u64,
}

impl Shared {
    pub(crate) fn new(limits: SendLimits, seed: u64) -> Self {
        Self {
            limits,
            topics: RwLock::default(),
            queues: RwLock::default(),
            flagged: Mutex::default(),
            touched: Mutex::default(),
            wake: Notify::new(),
            memory: Memory::new(limits.buffer_memory, limits.batch_bytes),
            undrained: AtomicUsize::new(0),
            standing: Standing::default(),
            seed,
        }
    }

    /// Nothing more is accepted, for this reason; the first counts.
    pub(crate) fn end(&self, reason: Error) {
        self.standing.end(reason);
        self.memory.close();
    }

    pub(crate) fn ended(&self) -> Option<&Error> {
        self.standing.ended()
    }

    /// The open transaction can only be aborted (T-15). The first reason is kept.
    pub(crate) fn mark_abortable(&self, reason: &Error) {
        self.standing.mark_abortable(reason);
        self.wake();
    }

    /// Requests the abort of the open transaction; never waits.
    pub(crate) fn request_abort(&self) {
        self.standing.request_abort();
        self.wake();
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(crate) fn undrained(&self) -> usize {
        self.undrained.load(Ordering::Acquire)
    }

    /// Call when `count` batches left their queue.
    pub(crate) fn drained(&self, count: usize) {
        self.undrained.fetch_sub(count, Ordering::AcqRel);
    }

    /// Places a record in its partition's open batch; never waits.
    pub(crate) fn place(
        &self,
        placing: &Placing<'_>,
        room: &mut Option<Room>,
    ) -> Result<Placed, Error> {
        self.admit(placing.transaction)?;
        let topics = read(&self.topics);
        let Some(topic) = topics.get(placing.topic) else {
            return Ok(Placed::UnknownTopic);
        };
        let count = u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX);
        match (
            placing.partition,
            placing.record.key.filter(|_| !placing.ignore_key),
        ) {
            (Some(partition), _) => {
                let queue = usize::try_from(partition)
                    .ok()
                    .and_then(|p| topic.partitions.get(p));
                let Some(queue) = queue else {
                    return Ok(Placed::UnknownTopic);
                };
                Ok(self.append(queue, placing, room)?.0)
            }
            (None, Some(key)) => {
                let queue = topic
                    .partitions
                    .get(partitioner::of_key(key, count) as usize);
                let Some(queue) = queue else {
                    return Ok(Placed::UnknownTopic);
                };
                Ok(self.append(queue, placing, room)?.0)
            }
            (None, None) => {
                let mut sticky = lock(&topic.sticky);
                let chosen = sticky.partition(|| topic.partitions.iter().map(|p| p.load()));
                let Some(queue) = topic.partitions.get(chosen as usize) else {
                    sticky.forget();
                    return Ok(Placed::UnknownTopic);
                };
                let (placed, boundary) = self.append(queue, placing, room)?;
                if matches!(placed, Placed::Queued(_)) {
                    let record = &placing.record;
                    let bytes = record.value.map_or(0, <[u8]>::len) + 10;
                    sticky.appended(bytes, boundary, self.limits.batch_bytes);
                }
                Ok(placed)
            }
        }
    }

    /// Whether the producer, and its transaction if there is one, take records.
    fn admit(&self, transaction: u64) -> Result<(), Error> {
        if let Some(error) = self.standing.ended() {
            return Err(error.clone());
        }
        if transaction != 0
            && let Some(error) = self.standing.blocked()
        {
            return Err(error);
        }
        Ok(())
    }

    /// The second value is true when a batch began.
    fn append(
        &self,
        queue: &Arc<PartitionQueue>,
        placing: &Placing<'_>,
        room: &mut Option<Room>,
    ) -> Result<(Placed, bool), Error> {
        let record = &placing.record;
        let reject = |cause| unencodable(&queue.topic, cause);
        let timestamp = record.timestamp;
        let mut accumulator = queue.lock();
        let appended = accumulator
            .try_append(record)
            .map_err(reject)?
            .map(|(completion, index)| Delivery::new(Arc::clone(completion), index, timestamp));
        if let Some(delivery) = appended {
            self.touch(queue, placing.transaction);
            return Ok((Placed::Queued(delivery), false));
        }
        // Checked again under the queue's lock: a batch that is added after the producer or its transaction failed
        // the queued ones would never be completed (L-19).
        self.admit(placing.transaction)?;
        let record_bytes = BatchBuilder::new(Vec::new()).size_with(record);
        if record_bytes > self.limits.record_bytes_max.min(self.limits.buffer_memory) {
            return Err(too_large(record_bytes, &self.limits));
        }
        let bytes = record_bytes
            .max(self.limits.batch_bytes)
            .min(self.limits.buffer_memory);
        let Some(room) = room.take().or_else(|| self.memory.try_room(bytes)) else {
            return Ok((Placed::NoRoom(bytes), false));
        };
        let batch = PendingBatch {
            builder: BatchBuilder::new(self.memory.buffer()),
            completion: Arc::new(BatchCompletion::new(
                Arc::clone(&queue.topic),
                queue.partition,
            )),
            created: now(),
            room,
        };
        // The driver was woken when the first batch was sealed, and looks at the queue again whenever
        // something that deferred it changes: a wake-up for each batch would only cost.
        let news = !accumulator.has_sealed();
        let (completion, index) = accumulator.open_with(batch, record).map_err(reject)?;
        let delivery = Delivery::new(Arc::clone(completion), index, timestamp);
        queue.note_load(&accumulator);
        self.undrained.fetch_add(1, Ordering::AcqRel);
        let touched = self.touch(queue, placing.transaction);
        drop(accumulator);
        if news || touched {
            self.flag(queue);
            self.wake();
        }
        Ok((Placed::Queued(delivery), true))
    }

    /// True when the open transaction had not written to the partition before.
    fn touch(&self, queue: &PartitionQueue, transaction: u64) -> bool {
        let first = transaction != 0 && queue.touch(transaction);
        if first {
            lock(&self.touched).push(queue.id);
        }
        first
    }

    fn flag(&self, queue: &PartitionQueue) {
        if queue.flag() {
            lock(&self.flagged).push(queue.id);
        }
    }

    /// Partitions that a transaction wrote to since the last call.
    pub(crate) fn take_touched(&self) -> Vec<PartitionId> {
        std::mem::take(&mut *lock(&self.touched))
    }

    /// Partitions that got a new batch since the last call.
    pub(crate) fn take_flagged(&self) -> Vec<PartitionId> {
        let flagged = std::mem::take(&mut *lock(&self.flagged));
        for id in &flagged {
            if let Some(queue) = self.queue(*id) {
                queue.unflag();
            }
        }
        flagged
    }

    pub(crate) fn queue(&self, id: PartitionId) -> Option<Arc<PartitionQueue>> {
        read(&self.queues).get(id.0 as usize).cloned()
    }

    pub(crate) fn queues(&self) -> Vec<Arc<PartitionQueue>> {
        read(&self.queues).clone()
    }

    pub(crate) fn partition_count(&self) -> usize {
        read(&self.queues).len()
    }

    /// Makes `partitions` partitions of `topic` known; a topic never shrinks (P-83).
    pub(crate) fn register(&self, topic: &str, partitions: usize) {
        let mut topics = write(&self.topics);
        if topics
            .get(topic)
            .is_some_and(|topic| topic.partitions.len() >= partitions)
        {
            return;
        }
        let mut queues = write(&self.queues);
        let seed = self.seed ^ (queues.len() as u64);
        let name: Arc<str> = Arc::from(topic);
        let entry = topics.entry(Arc::clone(&name)).or_insert_with(|| Topic {
            name,
            partitions: Vec::new(),
            sticky: Mutex::new(Sticky::new(seed)),
        });
        for partition in entry.partitions.len()..partitions {
            let queue = Arc::new(PartitionQueue::new(
                PartitionId(u32::try_from(queues.len()).unwrap_or(u32::MAX)),
                Arc::clone(&entry.name),
                i32::try_from(partition).unwrap_or(i32::MAX),
                self.limits.batch_bytes,
            ));
            entry.partitions.push(Arc::clone(&queue));
            queues.push(queue);
        }
    }

    /// The names of all topics in use, sorted: a request with them is the same in every run.
    pub(crate) fn topic_names(&self) -> Vec<Arc<str>> {
        let topics = read(&self.topics);
        let mut names: Vec<_> = topics.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// Seals every open batch and returns the completions of everything that is unresolved.
    pub(crate) fn seal_all(&self) -> Vec<Arc<BatchCompletion>> {
        let mut incomplete = Vec::new();
        for queue in self.queues() {
            let mut accumulator = queue.lock();
            accumulator.seal();
            incomplete.extend(accumulator.incomplete().cloned());
            drop(accumulator);
            self.flag(&queue);
        }
        self.wake();
        incomplete
    }
}

fn too_large(bytes: usize, limits: &SendLimits) -> Error {
    if bytes > limits.record_bytes_max {
        return Error::RecordTooLarge {
            bytes,
            bytes_max: limits.record_bytes_max,
            setting: "record_bytes_max".into(),
        };
    }
    Error::RecordTooLarge {
        bytes,
        bytes_max: limits.buffer_memory,
        setting: "buffer_memory".into(),
    }
}

/// The codec rejects a record.
pub(crate) fn unencodable(topic: &str, cause: EncodeError) -> Error {
    Error::misuse(format!("a record for {topic} can't be encoded: {cause}"))
}

#[cfg(test)]
pub(crate) mod tests;
