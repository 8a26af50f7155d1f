//! Topics, their partitions, and who leads them.

use super::config::TopicConfig;
use crate::log::PartitionLog;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) config: Arc<TopicConfig>,
    pub(crate) partitions: Vec<Partition>,
}

/// A partition: its log, which all of its replicas share, and who may serve it.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) log: PartitionLog,
    /// In order of preference.
    pub(crate) replicas: Vec<i32>,
    pub(crate) leader: Option<i32>,
    pub(crate) leader_epoch: i32,
    /// Where the log ended when the leader's term began.
    pub(crate) leader_epoch_start: i64,
    /// Its transactions' markers are kept back, as a script wants it.
    pub(crate) markers_held: bool,
}

impl Topic {
    pub(crate) fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn partition_mut(&mut self, index: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(index).ok()?)
    }

    /// The partitions with their numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (i32, &Partition)> {
        (0..).zip(&self.partitions)
    }
}

impl Partition {
    pub(crate) fn new(replicas: Vec<i32>, running: &BTreeSet<i32>) -> Self {
        let mut partition = Self {
            log: PartitionLog::new(),
            replicas,
            leader: None,
            leader_epoch: -1,
            leader_epoch_start: 0,
            markers_held: false,
        };
        partition.elect(running);
        partition
    }

    /// The replicas that keep up: those on brokers that run, since the log is one.
    pub(crate) fn in_sync<'a>(
        &'a self,
        running: &'a BTreeSet<i32>,
    ) -> impl Iterator<Item = i32> + 'a {
        self.replicas
            .iter()
            .copied()
            .filter(|replica| running.contains(replica))
    }

    /// Makes the first running replica leader in a new term, unless the leader is running; says whether
    /// anything changed.
    pub(crate) fn elect(&mut self, running: &BTreeSet<i32>) -> bool {
        if self.leader.is_some_and(|leader| running.contains(&leader)) {
            return false;
        }
        let elected = self.in_sync(running).next();
        if elected == self.leader {
            return false;
        }
        self.lead(elected);
        true
    }

    /// Gives the partition to a leader in a new term.
    pub(crate) fn lead(&mut self, leader: Option<i32>) {
        self.leader = leader;
        self.leader_epoch = self.leader_epoch.saturating_add(1);
        self.leader_epoch_start = self.log.log_end_offset();
        if leader.is_some() {
            self.log.begin_term(self.leader_epoch);
        }
    }
}

/// Whether a name may be a topic's.
pub(crate) fn is_legal_name(name: &str) -> bool {
    const NAME_BYTES_MAX: usize = 249;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty()
        && name != "."
        && name != ".."
        && name.len() <= NAME_BYTES_MAX
        && name.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_leader_is_followed_by_the_next_replica_in_a_new_term() {
        let mut partition = Partition::new(vec![2, 3], &BTreeSet::from([1, 2, 3]));
        assert_eq!((partition.leader, partition.leader_epoch), (Some(2), 0));
        assert!(!partition.elect(&BTreeSet::from([2])));
        assert!(partition.elect(&BTreeSet::from([1, 3])));
        assert_eq!((partition.leader, partition.leader_epoch), (Some(3), 1));
        assert!(partition.elect(&BTreeSet::from([1])));
        assert_eq!((partition.leader, partition.leader_epoch), (None, 2));
        assert!(!partition.elect(&BTreeSet::from([1])));
    }

    #[test]
    fn names_are_those_that_kafka_takes() {
        for legal in ["a", "a.b_c-D9", &"x".repeat(249)] {
            assert!(is_legal_name(legal));
        }
        for illegal in ["", ".", "..", "a b", "ä", &"x".repeat(250)] {
            assert!(!is_legal_name(illegal));
        }
    }
}
