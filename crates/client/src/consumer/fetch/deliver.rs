//! The application's side: what a poll takes out of the machine.

use super::batches::Buffered;
use super::fault::Fault;
use super::machine::Machine;
use crate::types::{NextOffset, TopicPartition};

/// One batch on its way to the application.
#[derive(Debug)]
pub(crate) struct TakenBatch {
    pub(crate) name: TopicPartition,
    pub(crate) generation: u64,
    pub(crate) buffered: Buffered,
    /// The position before it.
    pub(crate) before: NextOffset,
}

/// What one poll takes.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// In order within each partition.
    pub(crate) batches: Vec<TakenBatch>,
    /// Positions that moved without a record to show for it, after the batches above.
    pub(crate) moved: Vec<(TopicPartition, NextOffset)>,
    /// An error, if there is nothing else: what was read before it comes first.
    pub(crate) fault: Option<(TopicPartition, Fault)>,
    /// Whether there is room again for data to be fetched.
    pub(crate) made_room: bool,
}

impl Taken {
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.moved.is_empty() && self.fault.is_none()
    }
}

impl Machine {
    /// Takes batches with at least `records_max` records, by their headers, or all there are. The
    /// positions move past them; [`Machine::put_back`] and [`Machine::fail`] take that back in part.
    ///
    /// Each partition gets its turn; one whose error is next does not hold up the others.
    pub(crate) fn take(&mut self, records_max: usize) -> Taken {
        let mut taken = Taken::default();
        let mut records = 0_usize;
        for _ in 0..self.ready.len() {
            if records >= records_max {
                break;
            }
            let Some(name) = self.ready.pop_front() else {
                break;
            };
            let Some(partition) = self.partitions.get_mut(&name) else {
                continue;
            };
            partition.queued = false;
            // A paused partition queues again when it is resumed.
            if partition.paused {
                continue;
            }
            while records < records_max
                && let Some(before) = partition.position.fetching().map(NextOffset::from)
                && let Some(buffered) = partition.buffer.pop_front()
            {
                records = records.saturating_add(buffered.records_max());
                partition.buffered_bytes =
                    partition.buffered_bytes.saturating_sub(buffered.bytes());
                partition
                    .position
                    .advance(buffered.next.offset, buffered.next.leader_epoch);
                partition.advanced = false;
                let generation = partition.generation;
                taken.batches.push(TakenBatch {
                    name: name.clone(),
                    generation,
                    buffered,
                    before,
                });
            }
            if std::mem::take(&mut partition.advanced)
                && let Some(position) = partition.position.known()
            {
                taken.moved.push((name.clone(), position.into()));
            }
            if !partition.buffer.is_empty() {
                self.enqueue(&name);
                continue;
            }
            if partition.fault.is_some() && !taken.is_empty() {
                // The error is the first thing of the next poll.
                partition.queued = true;
                self.ready.push_front(name);
                break;
            }
            if let Some(fault) = partition.fault.clone() {
                if !fault.lasts_until_seek() {
                    partition.fault = None;
                }
                taken.fault = Some((name.clone(), fault));
                self.enqueue(&name);
                break;
            }
        }
        // Also with nothing taken there may be work: a partition whose error was told is asked again.
        taken.made_room = self.full || taken.fault.is_some();
        taken
    }

    /// Puts back what a poll had no use for: the position returns to `position`, unless the application
    /// has sought elsewhere since, or the log was cut below it.
    pub(crate) fn put_back(
        &mut self,
        name: &TopicPartition,
        generation: u64,
        position: NextOffset,
        mut buffered: Buffered,
    ) {
        if buffered.decompressed_bytes > 0 && !self.may_keep(buffered.decompressed_bytes) {
            buffered.close();
        }
        let restarted = self.next_generation();
        if let Some(partition) = self.partitions.get_mut(name) {
            if partition.generation == generation {
                // Hidden data that came meanwhile has moved the position on.
                if let Some(reached) = partition.position.known()
                    && reached.offset > buffered.next.offset
                {
                    buffered.next = reached.into();
                }
                partition.advanced = false;
                partition.position.retract(position);
                partition.buffered_bytes += buffered.bytes();
                partition.buffer.push_front(buffered);
            } else {
                partition.go_back(generation, position, restarted);
            }
        }
        self.enqueue(name);
    }

    /// Whether so many bytes more of batches that were opened and not used up may stay in memory.
    fn may_keep(&self, bytes: usize) -> bool {
        let first = self.partitions.values().map(|it| it.buffer.front());
        let kept = first.flatten().map(|it| it.decompressed_bytes);
        let kept = kept.fold(0, usize::saturating_add);
        kept.saturating_add(bytes) <= self.settings.decompressed_bytes_max
    }

    /// A batch that was taken turned out to be unreadable at `position`: that is where the partition
    /// stays until the user seeks (R-39a).
    pub(crate) fn fail(
        &mut self,
        name: &TopicPartition,
        generation: u64,
        position: NextOffset,
        fault: Fault,
    ) {
        let restarted = self.next_generation();
        if let Some(partition) = self.partitions.get_mut(name) {
            if partition.generation == generation {
                partition.position.retract(position);
                partition.restart(restarted);
                partition.fault = Some(fault);
            } else {
                // Another leader may have better bytes; if not, the error is met again.
                partition.go_back(generation, position, restarted);
            }
        }
        self.enqueue(name);
    }
}
