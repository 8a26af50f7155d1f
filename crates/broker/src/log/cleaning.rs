//! Deleting what is too old or too much, and compacting.
//!
//! A log is a row of segments, as on Kafka: retention deletes whole ones, and the last one, which is written to, is neither
//! deleted for its size nor compacted. A segment here is no more than a mark on its first batch.

use super::{AbortedTransaction, PartitionLog, StoredBatch};
use crate::Time;
use crate::cluster::config::{Compaction, Retention};
use bytes::Bytes;
use milena_codec::record::{BATCH_HEADER_BYTES, crc32c};
use milena_codec::{Batch, Batches, Limits, ProducerId};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// What the closed segments and the open one need to know of themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Segments {
    /// The next batch begins a new one.
    pub(super) rolls: bool,
    /// Bytes of the open one.
    bytes: usize,
    /// When its first batch came.
    since: Option<Time>,
    /// Everything below has been compacted.
    cleaned_to: i64,
}

/// Some batches of a log that come and go together.
struct Segment {
    last_offset: i64,
    max_timestamp: i64,
    bytes: usize,
    is_open: bool,
}

impl PartitionLog {
    /// Lets the next batch begin a segment, so that everything before it can be deleted and compacted.
    pub(crate) fn roll(&mut self) {
        self.segments.rolls = true;
    }

    /// Lets a batch of this size begin a segment if the open one is full or has been open for long enough.
    pub(crate) fn roll_if_due(&mut self, bytes: usize, retention: &Retention, now: Time) {
        let full = self.segments.bytes.saturating_add(bytes) > retention.segment_bytes;
        let old = |since: Time| now.since(since) >= retention.segment_time;
        if self.segments.bytes > 0 && (full || self.segments.since.is_some_and(old)) {
            self.roll();
        }
        if self.segments.rolls || self.segments.since.is_none() {
            self.segments.since = Some(now);
        }
    }

    /// Counts a batch that is about to be appended; says whether it begins a segment.
    pub(super) fn begins_segment(&mut self, bytes: usize) -> bool {
        let begins = std::mem::take(&mut self.segments.rolls);
        if begins {
            self.segments.bytes = 0;
        }
        self.segments.bytes = self.segments.bytes.saturating_add(bytes);
        begins
    }

    fn segment_list(&self) -> Vec<Segment> {
        let mut segments: Vec<Segment> = Vec::new();
        for batch in &self.batches {
            match segments.last_mut().filter(|_| !batch.begins_segment) {
                Some(segment) => {
                    segment.last_offset = batch.last_offset;
                    segment.max_timestamp = segment.max_timestamp.max(batch.max_timestamp);
                    segment.bytes = segment.bytes.saturating_add(batch.bytes.len());
                }
                None => segments.push(Segment {
                    last_offset: batch.last_offset,
                    max_timestamp: batch.max_timestamp,
                    bytes: batch.bytes.len(),
                    is_open: false,
                }),
            }
        }
        if let Some(open) = segments.last_mut() {
            open.is_open = !self.segments.rolls;
        }
        segments
    }

    /// Deletes segments from the oldest on: those whose newest record is older than `retention.ms`, then closed ones while
    /// at least `retention.bytes` remain. What a reader of either isolation has yet to see decided stays.
    pub(crate) fn retain(&mut self, retention: &Retention, now: Time) {
        let stable = self.last_stable_offset();
        let mut left = self.bytes;
        let mut start = self.log_start_offset;
        for segment in self.segment_list() {
            let after = left.saturating_sub(segment.bytes);
            // Batches without timestamps do not age.
            let written = Time::from_unix_millis(segment.max_timestamp);
            let too_old = segment.max_timestamp >= 0
                && retention.time.is_some_and(|time| now.since(written) > time);
            let too_much = !segment.is_open && retention.bytes.is_some_and(|bytes| after >= bytes);
            if !(too_old || too_much) || segment.last_offset >= stable {
                break;
            }
            left = after;
            start = segment.last_offset.saturating_add(1);
        }
        if start > self.log_start_offset {
            // Below the high watermark, so it cannot be rejected.
            let _ = self.delete_before(start);
        }
    }

    /// Whether enough of the closed segments has never been compacted.
    pub(crate) fn is_dirty_enough(&self, compaction: &Compaction, now: Time) -> bool {
        let end = self.compaction_end(compaction, now);
        let (mut all, mut dirty) = (0_u32, 0_u32);
        for batch in self
            .batches
            .iter()
            .take_while(|batch| batch.last_offset < end)
        {
            let size = u32::try_from(batch.bytes.len()).unwrap_or(u32::MAX);
            all = all.saturating_add(size);
            if batch.base_offset >= self.segments.cleaned_to {
                dirty = dirty.saturating_add(size);
            }
        }
        dirty > 0 && f64::from(dirty) >= f64::from(all) * compaction.dirty_ratio_min
    }

    /// The first offset that may not be compacted: of the open segment, of an open transaction, or too young.
    fn compaction_end(&self, compaction: &Compaction, now: Time) -> i64 {
        let open_segment = if self.segments.rolls {
            self.log_end_offset
        } else {
            let opened = self.batches.iter().rev().find(|batch| batch.begins_segment);
            opened.map_or(self.log_start_offset, |batch| batch.base_offset)
        };
        let end = open_segment.min(self.last_stable_offset());
        let young = |batch: &&StoredBatch| {
            let written = Time::from_unix_millis(batch.max_timestamp);
            now.since(written) < compaction.lag_min
        };
        let lagging = self.batches.iter().find(young);
        lagging.map_or(end, |batch| end.min(batch.base_offset))
    }

    /// Keeps the newest record of each key in the closed segments, and no record of an aborted transaction. A newest record
    /// without a value goes `delete.retention.ms` after it was first met here, and so does a transaction's marker once
    /// nothing of the transaction is left. Offsets stay as they are.
    pub(crate) fn compact(&mut self, compaction: &Compaction, now: Time, limits: &Limits) {
        let end = self.compaction_end(compaction, now);
        let newest = self.newest_by_key(end, limits);
        let mut last_of: HashMap<ProducerId, i64> = HashMap::new();
        for (stored, batch) in self.opened() {
            last_of.insert(batch.producer().producer_id, stored.base_offset);
        }
        let mut with_records = HashSet::new();
        let batches = std::mem::take(&mut self.batches);
        let aborted = std::mem::take(&mut self.aborted);
        for mut stored in batches {
            let batch = opened(&stored).filter(|_| stored.last_offset < end);
            if let Some(batch) = batch {
                let producer_id = batch.producer().producer_id;
                let expired = stored.delete_horizon.is_some_and(|horizon| now >= horizon);
                let keeps_place = last_of.get(&producer_id) == Some(&stored.base_offset)
                    && batch.producer().is_some();
                if batch.is_control() {
                    if !with_records.remove(&producer_id) {
                        if expired && !keeps_place {
                            continue;
                        }
                        stored.set_horizon(now, compaction.delete_retention);
                    }
                } else {
                    let is_aborted = is_aborted(aborted.iter(), &batch, &stored);
                    let keep = |key: Option<&[u8]>, offset: i64, has_value: bool| {
                        let newest = key.and_then(|key| newest.get(key));
                        !is_aborted && newest == Some(&offset) && (has_value || !expired)
                    };
                    let Some(kept) = filtered(&batch, keep, limits) else {
                        self.batches.push_back(stored);
                        continue;
                    };
                    if kept.tombstones {
                        stored.set_horizon(now, compaction.delete_retention);
                    }
                    if kept.records == 0 && !keeps_place {
                        continue;
                    }
                    if kept.records > 0 && batch.is_transactional() {
                        with_records.insert(producer_id);
                    }
                    if let Some(bytes) = kept.rewritten {
                        stored.bytes = bytes;
                    }
                }
            }
            self.batches.push_back(stored);
        }
        self.aborted = aborted;
        self.bytes = self.batches.iter().map(|batch| batch.bytes.len()).sum();
        self.segments.cleaned_to = self.segments.cleaned_to.max(end);
    }

    fn opened(&self) -> impl Iterator<Item = (&StoredBatch, Batch)> {
        let batches = self.batches.iter();
        batches.filter_map(|stored| Some((stored, opened(stored)?)))
    }

    /// For each key the offset of its newest record below `end`, apart from those of aborted transactions.
    fn newest_by_key(&self, end: i64, limits: &Limits) -> HashMap<Vec<u8>, i64> {
        let mut newest = HashMap::new();
        for (stored, batch) in self
            .opened()
            .take_while(|(stored, _)| stored.last_offset < end)
        {
            if batch.is_control() || is_aborted(self.aborted.iter(), &batch, stored) {
                continue;
            }
            let Ok(records) = batch.records(limits) else {
                continue;
            };
            for record in records.iter().flatten() {
                if let Some(key) = record.key {
                    newest.insert(key.to_vec(), record.offset);
                }
            }
        }
        newest
    }
}

impl StoredBatch {
    /// Notes from when on what says only that something is gone may go itself.
    fn set_horizon(&mut self, now: Time, retention: Duration) {
        self.delete_horizon.get_or_insert(now + retention);
    }
}

fn opened(stored: &StoredBatch) -> Option<Batch> {
    Batches::new(stored.bytes.clone()).next()?.ok()
}

fn is_aborted<'a>(
    mut aborted: impl Iterator<Item = &'a AbortedTransaction>,
    batch: &Batch,
    stored: &StoredBatch,
) -> bool {
    batch.is_transactional()
        && aborted.any(|aborted| {
            aborted.producer_id == batch.producer().producer_id
                && (aborted.first_offset..=aborted.last_offset).contains(&stored.base_offset)
        })
}

/// What is left of a batch.
struct Filtered {
    records: u32,
    /// Some of them have no value.
    tombstones: bool,
    /// The batch without those that go; `None` if none does.
    rewritten: Option<Bytes>,
}

/// The batch with the records that `keep` accepts by key, offset and whether they have a value. `None` if its records
/// cannot be read: such a batch stays as it is.
fn filtered(
    batch: &Batch,
    keep: impl Fn(Option<&[u8]>, i64, bool) -> bool,
    limits: &Limits,
) -> Option<Filtered> {
    let records = batch.records(limits).ok()?;
    let all = records.bytes();
    let mut iter = records.iter();
    let mut kept = Vec::new();
    let (mut count, mut max_timestamp) = (0_u32, -1);
    let (mut tombstones, mut drops) = (false, false);
    loop {
        let before = records.rest(&iter).bytes().len();
        let Some(record) = iter.next() else {
            break;
        };
        let record = record.ok()?;
        let after = records.rest(&iter).bytes().len();
        if keep(record.key, record.offset, record.value.is_some()) {
            let from = all.len().checked_sub(before)?;
            kept.extend_from_slice(all.get(from..all.len().checked_sub(after)?)?);
            count = count.saturating_add(1);
            max_timestamp = record.timestamp.max(max_timestamp);
            tombstones |= record.value.is_none();
        } else {
            drops = true;
        }
    }
    let rewritten = drops.then(|| rewritten(batch.bytes(), &kept, count, max_timestamp));
    Some(Filtered {
        records: count,
        tombstones,
        rewritten: match rewritten {
            Some(bytes) => Some(bytes?),
            None => None,
        },
    })
}

/// The header of a batch over other records, which are not compressed.
fn rewritten(batch: &[u8], records: &[u8], count: u32, max_timestamp: i64) -> Option<Bytes> {
    /// Where the length of a batch begins to count.
    const LENGTH_FROM: usize = 12;
    const COMPRESSION_BITS: u8 = 0b111;
    let mut bytes = Vec::with_capacity(BATCH_HEADER_BYTES.checked_add(records.len())?);
    bytes.extend_from_slice(batch.get(..BATCH_HEADER_BYTES)?);
    bytes.extend_from_slice(records);
    let length = i32::try_from(bytes.len().checked_sub(LENGTH_FROM)?).ok()?;
    put(&mut bytes, 8, &length.to_be_bytes())?;
    *bytes.get_mut(22)? &= !COMPRESSION_BITS;
    if count > 0 {
        put(&mut bytes, 35, &max_timestamp.to_be_bytes())?;
    }
    put(&mut bytes, 57, &i32::try_from(count).ok()?.to_be_bytes())?;
    let crc = crc32c([bytes.get(21..)?]);
    put(&mut bytes, 17, &crc.to_be_bytes())?;
    Some(Bytes::from(bytes))
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) -> Option<()> {
    let end = at.checked_add(field.len())?;
    bytes.get_mut(at..end)?.copy_from_slice(field);
    Some(())
}
