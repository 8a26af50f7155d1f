//! The records of one partition that wait to be sent: encoded once, straight into the open batch.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use milena_codec::EncodeError;
use milena_codec::record::{BatchBuilder, Compression, Compressor, RecordToWrite};

use super::accumulator::{Shared, unencodable};
use super::batch::{BatchCompletion, SealedBatch};
use super::memory::Room;
use super::sender::failure::{Failure, Obstacle};
use super::sender::{BatchSource, PartitionId, Take};
use crate::sync::lock;

/// One partition's queue.
#[derive(Debug)]
pub(crate) struct PartitionQueue {
    pub(crate) id: PartitionId,
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    accumulator: Mutex<Accumulator<Room>>,
    /// Batches that wait, for the choice of a partition (KIP-794); `u32::MAX` without a leader.
    load: AtomicU32,
    has_leader: AtomicBool,
    /// In `Shared::flagged`.
    flagged: AtomicBool,
    /// The last transaction that touched this partition.
    transaction: AtomicU64,
}

impl PartitionQueue {
    pub(crate) fn new(
        id: PartitionId,
        topic: Arc<str>,
        partition: i32,
        batch_bytes_max: usize,
    ) -> Self {
        Self {
            id,
            topic,
            partition,
            accumulator: Mutex::new(Accumulator::new(batch_bytes_max)),
            load: AtomicU32::new(0),
            has_leader: AtomicBool::new(true),
            flagged: AtomicBool::new(false),
            transaction: AtomicU64::new(0),
        }
    }

    /// Marks that it is in the list of flagged partitions; true if it was not.
    pub(crate) fn flag(&self) -> bool {
        !self.flagged.swap(true, Ordering::AcqRel)
    }

    /// It is in that list no longer.
    pub(crate) fn unflag(&self) {
        self.flagged.store(false, Ordering::Release);
    }

    /// Notes the transaction that writes to it; true if that had not written to it before.
    pub(crate) fn touch(&self, transaction: u64) -> bool {
        self.transaction.swap(transaction, Ordering::AcqRel) != transaction
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Accumulator<Room>> {
        lock(&self.accumulator)
    }

    pub(crate) fn set_has_leader(&self, has_leader: bool) {
        self.has_leader.store(has_leader, Ordering::Relaxed);
    }

    /// Call after taking batches out of `queue`.
    pub(crate) fn note_load(&self, queue: &Accumulator<Room>) {
        self.load.store(
            u32::try_from(queue.len()).unwrap_or(u32::MAX),
            Ordering::Relaxed,
        );
    }

    pub(crate) fn load(&self) -> Option<u32> {
        self.has_leader
            .load(Ordering::Relaxed)
            .then(|| self.load.load(Ordering::Relaxed))
    }
}

/// A batch that has no sequence yet. `R` is the room it takes in the producer's memory, given back on drop.
#[derive(Debug)]
pub(crate) struct PendingBatch<R> {
    pub(crate) builder: BatchBuilder,
    pub(crate) completion: Arc<BatchCompletion>,
    pub(crate) created: Instant,
    pub(crate) room: R,
}

/// The queue of one partition.
#[derive(Debug)]
pub(crate) struct Accumulator<R> {
    /// Takes more records.
    open: Option<PendingBatch<R>>,
    /// Take none, oldest first.
    sealed: VecDeque<PendingBatch<R>>,
    /// Every batch whose fate may be unknown, oldest first, for flush.
    incomplete: VecDeque<Arc<BatchCompletion>>,
    /// The most that a batch of more than one record may have, before compression: `batch_bytes`, or less where the
    /// partition's leader was found to take less.
    batch_bytes_max: usize,
}

impl<R> Accumulator<R> {
    pub(crate) fn new(batch_bytes_max: usize) -> Self {
        Self {
            open: None,
            sealed: VecDeque::new(),
            incomplete: VecDeque::new(),
            batch_bytes_max,
        }
    }

    /// Closes batches at this size from now on, if it is smaller than before.
    pub(crate) fn limit_batches(&mut self, batch_bytes_max: usize) {
        self.batch_bytes_max = self.batch_bytes_max.min(batch_bytes_max);
    }

    /// Appends to the open batch if there is one and the record fits: its completion and the record's index.
    pub(crate) fn try_append(
        &mut self,
        record: &RecordToWrite<'_>,
    ) -> Result<Option<(&Arc<BatchCompletion>, u32)>, EncodeError> {
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        let index = open.builder.try_append(record, self.batch_bytes_max)?;
        Ok(index.map(|index| (&open.completion, index)))
    }

    /// Starts a batch with `record`, which it takes even if it is larger than a batch should be.
    /// The batch that was open is sealed. Nothing changes when the record can't be encoded.
    pub(crate) fn open_with(
        &mut self,
        mut batch: PendingBatch<R>,
        record: &RecordToWrite<'_>,
    ) -> Result<(&Arc<BatchCompletion>, u32), EncodeError> {
        let index = batch.builder.append(record)?;
        self.seal();
        while self
            .incomplete
            .front()
            .is_some_and(|first| first.is_complete())
        {
            self.incomplete.pop_front();
        }
        self.incomplete.push_back(Arc::clone(&batch.completion));
        let open = self.open.insert(batch);
        Ok((&open.completion, index))
    }

    /// Closes the open batch to more records, so that it need not linger.
    pub(crate) fn seal(&mut self) {
        if let Some(open) = self.open.take() {
            self.sealed.push_back(open);
        }
    }

    /// Some batch can be taken without lingering.
    pub(crate) fn has_sealed(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// Batches that have not been taken.
    pub(crate) fn len(&self) -> usize {
        self.sealed.len() + usize::from(self.open.is_some())
    }

    /// The completions of all batches whose fate may be unknown.
    pub(crate) fn incomplete(&self) -> impl Iterator<Item = &Arc<BatchCompletion>> {
        self.incomplete
            .iter()
            .filter(|completion| !completion.is_complete())
    }

    /// The oldest batch if it is sealed or has lingered long enough.
    pub(crate) fn take(&mut self, now: Instant, linger: Duration) -> Take<PendingBatch<R>> {
        if let Some(batch) = self.sealed.pop_front() {
            return Take::Batch(batch);
        }
        let Some(open) = &self.open else {
            return Take::Empty;
        };
        let due = open.created + linger;
        if due > now {
            return Take::NotBefore(due);
        }
        self.open.take().map_or(Take::Empty, Take::Batch)
    }

    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.sealed
            .front()
            .or(self.open.as_ref())
            .map(|batch| batch.created)
    }

    /// Takes out the batches created at `created_until` or before (P-71).
    pub(crate) fn expire(&mut self, created_until: Instant) -> Vec<PendingBatch<R>> {
        let mut expired = Vec::new();
        while self
            .oldest()
            .is_some_and(|created| created <= created_until)
        {
            expired.extend(self.sealed.pop_front().or_else(|| self.open.take()));
        }
        expired
    }

    /// Takes out everything (T-36).
    pub(crate) fn clear(&mut self) -> Vec<PendingBatch<R>> {
        self.sealed.drain(..).chain(self.open.take()).collect()
    }
}

/// The queues of a producer as the sender's source of batches.
pub(crate) struct Queues<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) queues: &'a [Arc<PartitionQueue>],
    pub(crate) compressor: Compressor,
    pub(crate) linger: Duration,
    /// Batches that will not be sent; their callers do not know yet.
    pub(crate) unsent: Vec<Unsent>,
}

/// A batch that never got a sequence. Its callers hear of it after its transaction (L-8, T-15).
#[derive(Debug)]
pub(crate) struct Unsent {
    pub(crate) partition: PartitionId,
    pub(crate) completion: Arc<BatchCompletion>,
    pub(crate) created: Instant,
    pub(crate) failure: Failure,
}

impl<'a> Queues<'a> {
    fn queue(&self, partition: PartitionId) -> Option<&'a Arc<PartitionQueue>> {
        self.queues.get(partition.0 as usize)
    }

    /// Compresses in the driver's time, not the caller's.
    fn seal(
        &self,
        partition: PartitionId,
        pending: PendingBatch<Room>,
    ) -> Result<SealedBatch, Box<Unsent>> {
        let PendingBatch {
            builder,
            completion,
            created,
            room,
        } = pending;
        let plain_size = builder.size();
        let output = if self.compressor.compression() == Compression::None {
            Vec::new()
        } else {
            self.shared.memory.buffer()
        };
        let (closed, spare) = match builder.close_into(self.compressor, output) {
            Ok(closed) => closed,
            Err(cause) => {
                let error = unencodable(completion.topic(), cause);
                return Err(Box::new(Unsent {
                    partition,
                    completion,
                    created,
                    failure: Failure::unsendable(Arc::new(error)),
                }));
            }
        };
        if spare.capacity() > 0 {
            self.shared.memory.recycle(spare);
        }
        Ok(SealedBatch::new(
            closed, plain_size, completion, created, room,
        ))
    }
}

impl BatchSource<SealedBatch> for Queues<'_> {
    fn take(&mut self, partition: PartitionId, now: Instant) -> Take<SealedBatch> {
        let Some(queue) = self.queue(partition) else {
            return Take::Empty;
        };
        loop {
            let taken = {
                let mut accumulator = queue.lock();
                let taken = accumulator.take(now, self.linger);
                queue.note_load(&accumulator);
                taken
            };
            match taken {
                Take::Empty => return Take::Empty,
                Take::NotBefore(at) => return Take::NotBefore(at),
                Take::Batch(pending) => {
                    let sealed = self.seal(partition, pending);
                    self.shared.drained(1);
                    match sealed {
                        Ok(sealed) => return Take::Batch(sealed),
                        // The next may do.
                        Err(unsent) => self.unsent.push(*unsent),
                    }
                }
            }
        }
    }

    fn oldest(&mut self, partition: PartitionId) -> Option<Instant> {
        self.queue(partition)?.lock().oldest()
    }

    fn expire(
        &mut self,
        partition: PartitionId,
        created_until: Instant,
        obstacle: Option<Obstacle>,
    ) -> usize {
        let Some(queue) = self.queue(partition) else {
            return 0;
        };
        let expired = {
            let mut waiting = queue.lock();
            let expired = waiting.expire(created_until);
            queue.note_load(&waiting);
            expired
        };
        let count = expired.len();
        self.shared.drained(count);
        let failed = |pending: PendingBatch<Room>| Unsent {
            partition,
            completion: pending.completion,
            created: pending.created,
            failure: Failure::delivery_timeout().after(obstacle.clone()),
        };
        self.unsent.extend(expired.into_iter().map(failed));
        count
    }
}
