//! What callers left for the driver since it last looked. Pure.
//!
//! A caller registers a partition, then puts a record in its queue, then notes the partition in a list. The driver
//! looks without stopping them, so it looks the other way round: at the lists first and at the partitions second.
//! Then every partition of a list is among the partitions; a partition registered in between is only news for the
//! next look. In any other order a list may name a partition that the driver does not know, and a name it can't
//! place would be lost: its records would wait for ever.

use std::sync::Arc;

use super::super::accumulator::Shared;
use super::super::queue::PartitionQueue;
use super::super::sender::PartitionId;

/// Where callers leave it. Each method may run while callers add more.
pub(crate) trait WakeupSource {
    type Partition;

    /// Takes the list of partitions that got a batch.
    fn take_flagged(&self) -> Vec<PartitionId>;
    /// Takes the list of partitions that a transaction wrote to.
    fn take_touched(&self) -> Vec<PartitionId>;
    /// All partitions in the order of their ids if there are more than `known`.
    fn partitions_beyond(&self, known: usize) -> Option<Vec<Self::Partition>>;
}

impl WakeupSource for Shared {
    type Partition = Arc<PartitionQueue>;

    fn take_flagged(&self) -> Vec<PartitionId> {
        self.take_flagged()
    }

    fn take_touched(&self) -> Vec<PartitionId> {
        self.take_touched()
    }

    fn partitions_beyond(&self, known: usize) -> Option<Vec<Self::Partition>> {
        (self.partition_count() > known).then(|| self.queues())
    }
}

/// One look at it: learn the partitions, then the rest.
#[derive(Debug)]
pub(crate) struct Wakeups<P> {
    /// All of them, if there are new ones.
    pub(crate) partitions: Option<Vec<P>>,
    pub(crate) flagged: Vec<PartitionId>,
    pub(crate) touched: Vec<PartitionId>,
}

impl<P> Wakeups<P> {
    /// Looks; `known` partitions are known already.
    pub(crate) fn collect(source: &impl WakeupSource<Partition = P>, known: usize) -> Self {
        let flagged = source.take_flagged();
        let touched = source.take_touched();
        Self {
            flagged,
            touched,
            partitions: source.partitions_beyond(known),
        }
    }
}

#[cfg(test)]
mod tests;
