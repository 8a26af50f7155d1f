//! Closed batches, and the queues they come from, as the sender takes them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use milena_codec::ClosedBatch;
use milena_codec::record::{Compression, Compressor};

use super::accumulator::PendingBatch;
use super::delivery::{BatchCompletion, BatchOutcome};
use super::failure::{Failure, Obstacle};
use super::machine::{BatchSource, PartitionId, Sendable, Take};
use super::memory::Room;
use super::queue::{PartitionQueue, Shared};

/// A closed batch on its way: its bytes, its callers and its room in memory. Clones share all of it.
#[derive(Debug, Clone)]
pub(crate) struct SealedBatch(Arc<Sealed>);

#[derive(Debug)]
struct Sealed {
    closed: ClosedBatch,
    completion: Arc<BatchCompletion>,
    created: Instant,
    /// Bytes before compression.
    plain_size: usize,
    /// Shared with the parts of a batch that was cut; given back when the last is done.
    room: Arc<Room>,
}

impl SealedBatch {
    pub(crate) fn closed(&self) -> &ClosedBatch {
        &self.0.closed
    }

    /// Resolves the deliveries of its records.
    pub(crate) fn complete(&self, outcome: BatchOutcome) {
        self.0.completion.complete(outcome);
    }

    /// Makes this batch's callers wait for its parts instead (P-66).
    pub(crate) fn hand_over(&self, children: &[Self]) {
        let mut first = 0;
        let mut parts = Vec::with_capacity(children.len());
        for child in children {
            parts.push((first, Arc::clone(&child.0.completion)));
            first += child.record_count();
        }
        self.0.completion.complete(BatchOutcome::Split(parts));
    }

    /// The allocation of its records, if nothing else holds on to them (P-44), and its room in memory unless
    /// other parts of a batch that was cut still need it.
    pub(crate) fn into_parts(self) -> (Option<Vec<u8>>, Option<Room>) {
        match Arc::try_unwrap(self.0) {
            Ok(sealed) => (
                sealed.closed.into_buffer(),
                Arc::try_unwrap(sealed.room).ok(),
            ),
            Err(_) => (None, None),
        }
    }
}

impl Sendable for SealedBatch {
    fn record_count(&self) -> u32 {
        self.0.closed.record_count()
    }

    fn wire_size(&self) -> usize {
        self.0.closed.wire_size()
    }

    fn created(&self) -> Instant {
        self.0.created
    }

    fn plain_size(&self) -> usize {
        self.0.plain_size
    }

    fn split(&self, batch_bytes_max: usize) -> Option<Vec<Self>> {
        let parts = self.0.closed.split(batch_bytes_max).ok()?;
        let part = |closed: ClosedBatch| {
            // Near enough: the parts' records are about as large as those of the whole.
            let (part, whole) = (closed.record_count(), self.record_count().max(1));
            let bytes_of = |records: u32| usize::try_from(records).unwrap_or(usize::MAX);
            Self(Arc::new(Sealed {
                plain_size: self.0.plain_size.saturating_mul(bytes_of(part)) / bytes_of(whole),
                closed,
                completion: self.0.completion.child(),
                created: self.0.created,
                room: Arc::clone(&self.0.room),
            }))
        };
        Some(parts.into_iter().map(part).collect())
    }
}

/// The queues of a producer as the sender's source of batches.
pub(crate) struct Queues<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) queues: &'a [Arc<PartitionQueue>],
    pub(crate) compressor: Compressor,
    pub(crate) linger: Duration,
    /// Batches that will not be sent, to be told.
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
    ) -> Result<SealedBatch, Unsent> {
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
                let error = super::core::unencodable(completion.topic(), cause);
                return Err(Unsent {
                    partition,
                    completion,
                    created,
                    failure: Failure::unsendable(Arc::new(error)),
                });
            }
        };
        if spare.capacity() > 0 {
            self.shared.memory.recycle(spare);
        }
        Ok(SealedBatch(Arc::new(Sealed {
            closed,
            completion,
            created,
            plain_size,
            room: Arc::new(room),
        })))
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
                        Err(unsent) => self.unsent.push(unsent),
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
