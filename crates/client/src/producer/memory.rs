//! The producer's memory: room that batches take of it, and allocations that are used again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::sync::lock;

/// Bytes of the producer's memory that a batch takes, given back on drop.
#[derive(Debug)]
pub(crate) struct Room(OwnedSemaphorePermit);

impl Room {
    pub(crate) fn bytes(&self) -> usize {
        self.0.num_permits()
    }
}

/// What is left of `buffer_memory`, and who waits for it.
#[derive(Debug)]
pub(crate) struct Memory {
    bytes: usize,
    batch_bytes: usize,
    permits: Arc<Semaphore>,
    /// Callers that wait for room.
    waiting: AtomicUsize,
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl Memory {
    pub(crate) fn new(bytes: usize, batch_bytes: usize) -> Self {
        Self {
            bytes,
            batch_bytes,
            permits: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))),
            waiting: AtomicUsize::new(0),
            buffers: Mutex::default(),
        }
    }

    /// Nobody gets room any more, those who wait for some included.
    pub(crate) fn close(&self) {
        self.permits.close();
    }

    pub(crate) fn try_room(&self, bytes: usize) -> Option<Room> {
        let permits = u32::try_from(bytes).ok()?;
        Arc::clone(&self.permits)
            .try_acquire_many_owned(permits)
            .ok()
            .map(Room)
    }

    /// Waits, in the order of the calls, until `bytes` of room are free; `None` once the producer has ended.
    pub(crate) async fn room(&self, bytes: usize) -> Option<Room> {
        let permits = u32::try_from(bytes).ok()?;
        let _waiting = Waiting::one_more(&self.waiting);
        Arc::clone(&self.permits)
            .acquire_many_owned(permits)
            .await
            .ok()
            .map(Room)
    }

    pub(crate) fn somebody_waits_for_room(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// An allocation for a batch; what is in it means nothing.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        let pooled = lock(&self.buffers).pop();
        pooled.unwrap_or_else(|| Vec::with_capacity(self.batch_bytes))
    }

    /// Keeps the allocation of an answered batch for the next, and its bytes: a builder writes over them, and
    /// a buffer without any would have to be zeroed again.
    pub(crate) fn recycle(&self, buffer: Vec<u8>) {
        let bound = (self.bytes / self.batch_bytes.max(1)).clamp(1, 64);
        let mut buffers = lock(&self.buffers);
        if buffers.len() < bound && buffer.capacity() <= 2 * self.batch_bytes {
            buffers.push(buffer);
        }
    }
}

/// Counts one until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn one_more(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
