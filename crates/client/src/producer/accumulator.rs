//! The records of one partition that wait to be sent: encoded once, straight into the open batch. Pure.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use milena_codec::EncodeError;
use milena_codec::record::{BatchBuilder, RecordToWrite};

use super::delivery::BatchCompletion;
use super::machine::Take;

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
