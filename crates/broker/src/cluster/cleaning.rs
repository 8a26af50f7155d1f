//! When logs are looked at for what is to be deleted or compacted.

use super::Cluster;
use super::topics::Topic;
use crate::Time;
use milena_codec::Limits;

impl Cluster {
    /// When the next look is due.
    pub(super) fn next_cleaning(&self) -> Time {
        self.next_retention.min(self.next_compaction)
    }

    /// Does what is due, as Kafka's log manager and log cleaner do in their intervals.
    pub(super) fn tick_cleaning(&mut self, now: Time) {
        let cleaning = self.settings.cleaning;
        if now >= self.next_retention {
            self.next_retention = now + cleaning.retention_interval;
            self.each_topic(|topic| retain(topic, now));
        }
        if now >= self.next_compaction {
            self.next_compaction = now + cleaning.compaction_interval;
            if cleaning.compacts {
                self.each_topic(|topic| compact(topic, now, Which::DirtyEnough));
            }
        }
    }

    /// Deletes what retention does not keep and compacts what is to be compacted, now and of all segments.
    pub(crate) fn clean_logs(&mut self, now: Time) {
        self.each_topic(|topic| {
            for partition in &mut topic.partitions {
                partition.log.roll();
            }
            retain(topic, now);
            compact(topic, now, Which::All);
        });
    }

    fn each_topic(&mut self, mut clean: impl FnMut(&mut Topic)) {
        let bytes = |cluster: &Self| -> usize {
            let partitions = cluster.topics.values().flat_map(|topic| &topic.partitions);
            partitions.map(|partition| partition.log.bytes()).sum()
        };
        let before = bytes(self);
        self.topics.values_mut().for_each(&mut clean);
        let gone = before.saturating_sub(bytes(self));
        self.release(gone);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    DirtyEnough,
}

fn retain(topic: &mut Topic, now: Time) {
    let retention = topic.config.retention();
    if retention.bytes.is_none() && retention.time.is_none() {
        return;
    }
    for partition in &mut topic.partitions {
        partition.log.retain(retention, now);
    }
}

fn compact(topic: &mut Topic, now: Time, which: Which) {
    let Some(compaction) = topic.config.compaction() else {
        return;
    };
    // What was appended may be read back, whatever its size.
    let limits = Limits::default();
    for partition in &mut topic.partitions {
        let log = &mut partition.log;
        if which == Which::All || log.is_dirty_enough(compaction, now) {
            log.compact(compaction, now, &limits);
        }
    }
}
