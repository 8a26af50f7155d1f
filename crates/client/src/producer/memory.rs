//! The producer's memory: room that batches take of it, and allocations that are used again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

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
    batch_bytes: usize,
    permits: Arc<Semaphore>,
    /// Callers that wait for room.
    waiting: AtomicUsize,
    spare: Mutex<SpareBuffers>,
}

/// Allocations of completed batches, the last one first.
#[derive(Debug)]
struct SpareBuffers {
    buffers: Vec<Vec<u8>>,
    /// Capacity of all of them.
    bytes: usize,
    bytes_max: usize,
}

/// What a new buffer begins with. It doubles as records come, so that many partitions with few records each cost
/// what they hold, and a full batch is in its buffer after four more steps.
const BUFFER_BYTES_FIRST: usize = 4 * 1024;
/// The part of the memory that spare buffers may take besides.
const SPARE_PART: usize = 8;

impl Memory {
    pub(crate) fn new(bytes: usize, batch_bytes: usize) -> Self {
        Self {
            batch_bytes,
            permits: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))),
            waiting: AtomicUsize::new(0),
            spare: Mutex::new(SpareBuffers {
                buffers: Vec::new(),
                bytes: 0,
                bytes_max: (bytes / SPARE_PART).max(batch_bytes),
            }),
        }
    }

    /// No caller gets room any more; those that wait for some are woken.
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

    pub(crate) fn has_waiters(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// An allocation for a batch; what is in it means nothing.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        let spare = {
            let mut spare = lock(&self.spare);
            let buffer = spare.buffers.pop();
            spare.bytes -= buffer.as_ref().map_or(0, Vec::capacity);
            buffer
        };
        spare.unwrap_or_else(|| Vec::with_capacity(self.batch_bytes.min(BUFFER_BYTES_FIRST)))
    }

    /// Keeps the allocation of a completed batch for the next, and its bytes: a builder writes over them, and
    /// a buffer without any would have to be zeroed again.
    pub(crate) fn recycle(&self, buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        let mut spare = lock(&self.spare);
        if bytes <= 2 * self.batch_bytes && spare.bytes + bytes <= spare.bytes_max {
            spare.bytes += bytes;
            spare.buffers.push(buffer);
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

/// The longest that room is held back from a caller that waits for it.
const HELD_MAX: Duration = Duration::from_millis(2);
/// The part of all the memory that is worth a wake-up.
const STEPS: usize = 16;

/// Room that is free, and not given back yet: freed room on its way back to callers that wait for it. Pure.
///
/// When the buffer is full, each response frees a few batches, and a caller that is woken for each of them spends
/// more on waking than on writing. So while a caller waits, room is collected until there is a useful amount: a
/// sixteenth of all, or what came within [`HELD_MAX`]. While no caller waits nothing is collected. Callers are
/// served in the order of their calls.
#[derive(Debug)]
pub(crate) struct Returns<R> {
    held: Vec<R>,
    bytes: usize,
    /// When the oldest of it came.
    since: Option<Instant>,
    step: usize,
}

impl<R> Returns<R> {
    /// For a memory of so many bytes.
    pub(crate) fn new(buffer_memory: usize) -> Self {
        Self {
            held: Vec::new(),
            bytes: 0,
            since: None,
            step: buffer_memory / STEPS,
        }
    }

    /// Takes `room` of so many bytes, which its drop gives back.
    pub(crate) fn put(&mut self, now: Instant, room: R, bytes: usize) {
        self.since.get_or_insert(now);
        self.bytes = self.bytes.saturating_add(bytes);
        self.held.push(room);
        if self.bytes >= self.step {
            self.release();
        }
    }

    /// Gives back what need not be held; the moment by which it has to be called again.
    pub(crate) fn poll(&mut self, now: Instant, has_waiters: bool) -> Option<Instant> {
        let due = self.since? + HELD_MAX;
        if has_waiters && due > now {
            return Some(due);
        }
        self.release();
        None
    }

    fn release(&mut self) {
        self.held.clear();
        self.bytes = 0;
        self.since = None;
    }
}

#[cfg(test)]
mod tests;
