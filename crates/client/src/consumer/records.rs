//! What a poll gives: records that borrow from the bytes as they came from the broker.

use std::fmt;
use std::iter::FusedIterator;

use milena_codec::record::{Headers, RecordIter};
use milena_codec::{Batch, ProducerIdentity, TimestampType};

use super::fetch::batches::leader_epoch;
use crate::types::OffsetToCommit;
use crate::types::{NextOffset, TopicPartition};

/// The records of one poll, in order within each partition.
///
/// The records are views: their bytes lie where the connection received them, or, if their batch was
/// compressed, where it was decompressed, and stay there until this is dropped. Keep it for as long as
/// the records are worked on, and no longer: one record kept keeps the whole answer in memory.
///
/// # Examples
/// ```
/// # fn show(records: &milena::consumer::Records) {
/// for record in records {
///     let value = record.value.unwrap_or_default();
///     println!("{}-{}@{}: {} bytes", record.topic, record.partition, record.offset, value.len());
/// }
/// # }
/// ```
#[derive(Clone, Default)]
#[doc(alias = "ConsumerRecords")]
pub struct Records {
    parts: Vec<Part>,
    count: usize,
    next_offsets: Vec<(TopicPartition, NextOffset)>,
}

/// The records of one batch that one poll gives out; all of them have been walked before.
#[derive(Clone)]
struct Part {
    name: TopicPartition,
    batch: Batch,
    records: milena_codec::Records,
    count: usize,
}

impl Records {
    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no records. The position may have moved all the same, past records that are
    /// not shown: see [`Records::next_offsets`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The records, each partition's in the order of its log.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            parts: self.parts.iter(),
            current: None,
            left: self.count,
        }
    }

    /// The records batch by batch, as their producers grouped them. A batch that is too large for one
    /// poll comes in pieces.
    pub fn batches(&self) -> impl ExactSizeIterator<Item = ConsumedBatch<'_>> {
        self.parts.iter().map(|part| ConsumedBatch { part })
    }

    /// The records of one partition.
    pub fn partition<'a>(
        &'a self,
        partition: &'a TopicPartition,
    ) -> impl Iterator<Item = ConsumedRecord<'a>> {
        self.parts
            .iter()
            .filter(move |part| part.name == *partition)
            .flat_map(BatchIter::new)
    }

    /// For every partition whose position this poll moved, where reading goes on after it: what to
    /// commit once the records are processed.
    ///
    /// There are entries without records: control records and those of aborted transactions take
    /// offsets and are not shown. To commit past them keeps a restarted reader from reading them again
    /// (R-32, R-35).
    #[doc(alias = "nextOffsets")]
    pub fn next_offsets(&self) -> impl ExactSizeIterator<Item = (&TopicPartition, NextOffset)> {
        self.next_offsets.iter().map(|(name, next)| (name, *next))
    }

    /// [`next_offsets`](Self::next_offsets) as a transaction takes them, with their leader epochs.
    #[must_use]
    pub fn offsets_to_commit(&self) -> Vec<OffsetToCommit> {
        let offset = |(name, next): &(TopicPartition, NextOffset)| OffsetToCommit {
            partition: name.clone(),
            offset: next.offset,
            leader_epoch: next.leader_epoch,
            metadata: None,
        };
        self.next_offsets.iter().map(offset).collect()
    }

    /// Adds what a poll gives of one batch.
    pub(crate) fn push(
        &mut self,
        name: &TopicPartition,
        batch: Batch,
        records: milena_codec::Records,
        count: usize,
    ) {
        if count > 0 {
            self.count += count;
            self.parts.push(Part {
                name: name.clone(),
                batch,
                records,
                count,
            });
        }
    }

    /// The position of a partition is now there.
    pub(crate) fn moved(&mut self, name: &TopicPartition, next: NextOffset) {
        // A poll takes all of a partition before it goes on to the next.
        match self.next_offsets.last_mut() {
            Some((last, before)) if last == name => *before = next,
            Some(_) | None => self.next_offsets.push((name.clone(), next)),
        }
    }

    /// Whether neither records nor news of a position are in it.
    pub(crate) fn says_nothing(&self) -> bool {
        self.count == 0 && self.next_offsets.is_empty()
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("len", &self.count)
            .field("next_offsets", &self.next_offsets)
            .finish_non_exhaustive()
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = ConsumedRecord<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// A record that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "ConsumerRecord")]
#[doc(alias = "BorrowedMessage")]
#[doc(alias = "OwnedMessage")]
pub struct ConsumedRecord<'a> {
    /// The topic it was read from.
    pub topic: &'a str,
    /// The partition it was read from.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// The term of the leader that appended it; `None` if the broker did not say.
    pub leader_epoch: Option<i32>,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// Whose clock the timestamp is from.
    pub timestamp_type: TimestampType,
    /// What the record is about.
    pub key: Option<&'a [u8]>,
    /// What it says; `None` marks a key as deleted in a compacted topic.
    pub value: Option<&'a [u8]>,
    headers: Headers<'a>,
}

impl<'a> ConsumedRecord<'a> {
    /// The record's headers, in order, duplicates included.
    #[must_use]
    pub fn headers(&self) -> Headers<'a> {
        self.headers
    }

    /// The topic and partition it was read from.
    #[must_use]
    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition::new(self.topic, self.partition)
    }
}

/// Records that were written and read together.
#[derive(Clone, Copy)]
pub struct ConsumedBatch<'a> {
    part: &'a Part,
}

impl<'a> ConsumedBatch<'a> {
    /// The topic and partition it was read from.
    #[must_use]
    pub fn topic_partition(&self) -> &'a TopicPartition {
        &self.part.name
    }

    /// How many records there are, at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always a record")]
    pub fn len(&self) -> usize {
        self.part.count
    }

    /// The term of the leader that appended the batch; `None` if the broker did not say.
    #[must_use]
    pub fn leader_epoch(&self) -> Option<i32> {
        leader_epoch(&self.part.batch)
    }

    /// Who wrote it; `ProducerIdentity::NONE` without idempotence.
    #[must_use]
    pub fn producer(&self) -> ProducerIdentity {
        self.part.batch.producer()
    }

    /// Whether it was written in a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.part.batch.is_transactional()
    }

    /// The records in order.
    #[must_use]
    pub fn iter(&self) -> BatchIter<'a> {
        BatchIter::new(self.part)
    }
}

impl<'a> IntoIterator for &ConsumedBatch<'a> {
    type Item = ConsumedRecord<'a>;
    type IntoIter = BatchIter<'a>;

    fn into_iter(self) -> BatchIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for ConsumedBatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumedBatch")
            .field("partition", &self.part.name)
            .field("len", &self.part.count)
            .finish_non_exhaustive()
    }
}

/// Goes through the records of one batch.
#[derive(Clone, Debug)]
pub struct BatchIter<'a> {
    topic: &'a str,
    partition: i32,
    leader_epoch: Option<i32>,
    timestamp_type: TimestampType,
    records: RecordIter<'a>,
    left: usize,
}

impl<'a> BatchIter<'a> {
    fn new(part: &'a Part) -> Self {
        Self {
            topic: part.name.topic(),
            partition: part.name.partition(),
            leader_epoch: leader_epoch(&part.batch),
            timestamp_type: part.batch.timestamp_type(),
            records: part.records.iter(),
            left: part.count,
        }
    }
}

impl<'a> Iterator for BatchIter<'a> {
    type Item = ConsumedRecord<'a>;

    #[inline]
    fn next(&mut self) -> Option<ConsumedRecord<'a>> {
        self.left = self.left.checked_sub(1)?;
        // The poll has walked these records: none of them is an error.
        let record = self.records.next()?.ok()?;
        Some(ConsumedRecord {
            topic: self.topic,
            partition: self.partition,
            offset: record.offset,
            leader_epoch: self.leader_epoch,
            timestamp: record.timestamp,
            timestamp_type: self.timestamp_type,
            key: record.key,
            value: record.value,
            headers: record.headers(),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for BatchIter<'_> {}
impl FusedIterator for BatchIter<'_> {}

/// Goes through the records of a poll.
#[derive(Clone)]
pub struct Iter<'a> {
    parts: std::slice::Iter<'a, Part>,
    current: Option<BatchIter<'a>>,
    left: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = ConsumedRecord<'a>;

    #[inline]
    fn next(&mut self) -> Option<ConsumedRecord<'a>> {
        loop {
            if let Some(record) = self.current.as_mut().and_then(Iterator::next) {
                self.left = self.left.saturating_sub(1);
                return Some(record);
            }
            self.current = Some(BatchIter::new(self.parts.next()?));
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}
impl FusedIterator for Iter<'_> {}

impl fmt::Debug for Iter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
