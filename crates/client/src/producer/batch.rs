//! A closed batch on its way, and what a caller holds of it: one allocation and one wake-up per batch.

use std::fmt;
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use milena_codec::ClosedBatch;

use super::memory::Room;
use super::sender::Sendable;
use crate::error::Error;
use crate::sync::lock;

/// Where an acknowledged record is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordMetadata {
    /// Its topic.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Its offset; `None` where no broker returned it: with `acks` 0, and for a duplicate whose place the
    /// broker no longer remembers.
    pub offset: Option<i64>,
    /// Its timestamp in milliseconds since 1970: the record's own, or the broker's where the topic is
    /// configured with `message.timestamp.type=LogAppendTime`.
    pub timestamp: i64,
}

/// How a batch ended.
#[derive(Debug)]
pub(crate) enum BatchOutcome {
    Appended {
        base_offset: Option<i64>,
        log_append_time: Option<i64>,
    },
    Failed(Error),
    /// Rejected as a whole because of the records with these indices, each with its error (KIP-467).
    Rejected {
        named: Vec<(u32, Error)>,
        /// The error of all other records.
        others: Error,
    },
    /// Cut in smaller batches (P-65): (index of the first record, its batch).
    Split(Vec<(u32, Arc<BatchCompletion>)>),
}

/// The shared end of all deliveries of a batch. The first outcome counts (P-45, P-81).
pub(crate) struct BatchCompletion {
    topic: Arc<str>,
    partition: i32,
    outcome: OnceLock<BatchOutcome>,
    wakers: Mutex<Vec<Waker>>,
}

impl BatchCompletion {
    pub(crate) fn new(topic: Arc<str>, partition: i32) -> Self {
        Self {
            topic,
            partition,
            outcome: OnceLock::new(),
            wakers: Mutex::default(),
        }
    }

    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    /// A completion for a part of this batch.
    pub(crate) fn child(&self) -> Arc<Self> {
        Arc::new(Self::new(Arc::clone(&self.topic), self.partition))
    }

    pub(crate) fn complete(&self, outcome: BatchOutcome) {
        if self.outcome.set(outcome).is_err() {
            return;
        }
        let wakers = std::mem::take(&mut *lock(&self.wakers));
        for waker in wakers {
            waker.wake();
        }
    }

    /// The error that the batch, or the first failed part of it, failed with.
    pub(crate) fn error(&self) -> Option<Error> {
        match self.outcome.get()? {
            BatchOutcome::Appended { .. } => None,
            BatchOutcome::Failed(error) => Some(error.clone()),
            BatchOutcome::Rejected { named, others } => {
                Some(named.first().map_or(others, |(_, error)| error).clone())
            }
            BatchOutcome::Split(parts) => parts.iter().find_map(|(_, part)| part.error()),
        }
    }

    /// True when the fate of every record of the batch is known.
    pub(crate) fn is_complete(&self) -> bool {
        match self.outcome.get() {
            None => false,
            Some(BatchOutcome::Split(parts)) => parts.iter().all(|(_, part)| part.is_complete()),
            Some(_) => true,
        }
    }

    /// The outcome, or `None` after `waker` was registered.
    fn outcome(&self, slot: &mut WakerSlot, waker: &Waker) -> Option<&BatchOutcome> {
        if let Some(outcome) = self.outcome.get() {
            return Some(outcome);
        }
        let mut wakers = lock(&self.wakers);
        if let Some(outcome) = self.outcome.get() {
            return Some(outcome);
        }
        match slot.of(&mut wakers) {
            Some(registered) => registered.clone_from(waker),
            None => {
                wakers.push(waker.clone());
                *slot = WakerSlot::after(wakers.len());
            }
        }
        None
    }

    /// Waits until the fate of every record of the batch is known.
    pub(crate) async fn wait(self: Arc<Self>) {
        let mut waiting = vec![self];
        while let Some(completion) = waiting.pop() {
            let mut slot = WakerSlot::NONE;
            let parts = std::future::poll_fn(|context| {
                match completion.outcome(&mut slot, context.waker()) {
                    None => Poll::Pending,
                    Some(BatchOutcome::Split(parts)) => Poll::Ready(parts.clone()),
                    Some(_) => Poll::Ready(Vec::new()),
                }
            })
            .await;
            waiting.extend(parts.into_iter().map(|(_, part)| part));
        }
    }
}

/// Which of a batch's wakers is one handle's own. A program may hold hundreds of thousands of deliveries, so it
/// is no larger than it must be.
#[derive(Debug, Clone, Copy)]
struct WakerSlot(Option<NonZeroU32>);

impl WakerSlot {
    const NONE: Self = Self(None);

    /// The slot that was filled when there were `count` wakers.
    fn after(count: usize) -> Self {
        // With four thousand million wakers the next would be registered again at each poll.
        Self(u32::try_from(count).ok().and_then(NonZeroU32::new))
    }

    fn of(self, wakers: &mut [Waker]) -> Option<&mut Waker> {
        let count = usize::try_from(self.0?.get()).ok()?;
        wakers.get_mut(count.checked_sub(1)?)
    }
}

impl fmt::Debug for BatchCompletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchCompletion")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("complete", &self.is_complete())
            .finish()
    }
}

/// The outcome of one record: a future that resolves when the broker has responded, or when the record is given up.
///
/// Dropping it changes nothing about the record: it is delivered all the same. A record's failure is
/// [`Error::is_outcome_unknown`](crate::Error::is_outcome_unknown) when it may be in the log all the same.
///
/// # Cancel safety
///
/// Cancel safe; it may be awaited again by reference.
#[derive(Debug)]
#[doc(alias = "DeliveryFuture")]
#[doc(alias = "DeliveryResult")]
pub struct Delivery {
    completion: Arc<BatchCompletion>,
    index: u32,
    waker_slot: WakerSlot,
    timestamp: i64,
}

impl Delivery {
    pub(crate) fn new(completion: Arc<BatchCompletion>, index: u32, timestamp: i64) -> Self {
        Self {
            completion,
            index,
            waker_slot: WakerSlot::NONE,
            timestamp,
        }
    }

    /// The outcome if it is known by now; never waits.
    #[must_use]
    pub fn try_result(&self) -> Option<Result<RecordMetadata, Error>> {
        let mut completion = &self.completion;
        let mut index = self.index;
        loop {
            match completion.outcome.get()? {
                BatchOutcome::Split(parts) => {
                    (completion, index) = part_of(parts, index)?;
                }
                outcome @ (BatchOutcome::Appended { .. }
                | BatchOutcome::Failed(_)
                | BatchOutcome::Rejected { .. }) => {
                    return self.resolve(completion, index, outcome);
                }
            }
        }
    }

    fn resolve(
        &self,
        completion: &BatchCompletion,
        index: u32,
        outcome: &BatchOutcome,
    ) -> Option<Result<RecordMetadata, Error>> {
        match outcome {
            BatchOutcome::Appended {
                base_offset,
                log_append_time,
            } => Some(Ok(RecordMetadata {
                topic: Arc::clone(&completion.topic),
                partition: completion.partition,
                offset: base_offset.and_then(|base| base.checked_add(i64::from(index))),
                timestamp: log_append_time.unwrap_or(self.timestamp),
            })),
            BatchOutcome::Failed(error) => Some(Err(error.clone())),
            BatchOutcome::Rejected { named, others } => {
                let named = named.iter().find(|(named, _)| *named == index);
                Some(Err(named.map_or(others, |(_, error)| error).clone()))
            }
            BatchOutcome::Split(_) => None,
        }
    }
}

impl Clone for Delivery {
    fn clone(&self) -> Self {
        // A waker's slot belongs to one handle.
        Self {
            waker_slot: WakerSlot::NONE,
            completion: Arc::clone(&self.completion),
            ..*self
        }
    }
}

/// The part that holds the record at `index`, and its index there.
fn part_of(
    parts: &[(u32, Arc<BatchCompletion>)],
    index: u32,
) -> Option<(&Arc<BatchCompletion>, u32)> {
    parts
        .iter()
        .rev()
        .find(|(first, _)| *first <= index)
        .map(|(first, part)| (part, index - first))
}

impl Future for Delivery {
    type Output = Result<RecordMetadata, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut slot = self.waker_slot;
            let completion = Arc::clone(&self.completion);
            let outcome = completion.outcome(&mut slot, context.waker());
            self.waker_slot = slot;
            match outcome {
                None => return Poll::Pending,
                Some(BatchOutcome::Split(parts)) => {
                    let Some((part, index)) = part_of(parts, self.index) else {
                        return Poll::Pending;
                    };
                    self.completion = Arc::clone(part);
                    self.index = index;
                    self.waker_slot = WakerSlot::NONE;
                }
                Some(outcome) => {
                    if let Some(result) = self.resolve(&completion, self.index, outcome) {
                        return Poll::Ready(result);
                    }
                }
            }
        }
    }
}

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
    /// `plain_size` is the size before compression.
    pub(crate) fn new(
        closed: ClosedBatch,
        plain_size: usize,
        completion: Arc<BatchCompletion>,
        created: Instant,
        room: Room,
    ) -> Self {
        Self(Arc::new(Sealed {
            closed,
            completion,
            created,
            plain_size,
            room: Arc::new(room),
        }))
    }

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

#[cfg(test)]
mod tests;
