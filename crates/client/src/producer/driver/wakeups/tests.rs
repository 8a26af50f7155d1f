//! No wakeup is lost.

use std::cell::RefCell;

use super::*;

/// Callers that use a new partition whenever the partitions are read.
#[derive(Default)]
struct Busy(RefCell<Lists>);

#[derive(Default)]
struct Lists {
    partitions: Vec<u32>,
    flagged: Vec<PartitionId>,
    touched: Vec<PartitionId>,
}

impl Busy {
    /// Just before a look, a partition is registered and gets the first record of a transaction.
    fn lists(&self) -> std::cell::RefMut<'_, Lists> {
        let mut lists = self.0.borrow_mut();
        let id = u32::try_from(lists.partitions.len()).unwrap();
        lists.partitions.push(id);
        lists.touched.push(PartitionId(id));
        lists.flagged.push(PartitionId(id));
        lists
    }
}

impl WakeupSource for Busy {
    type Partition = u32;

    fn take_flagged(&self) -> Vec<PartitionId> {
        std::mem::take(&mut self.lists().flagged)
    }

    fn take_touched(&self) -> Vec<PartitionId> {
        std::mem::take(&mut self.lists().touched)
    }

    fn partitions_beyond(&self, known: usize) -> Option<Vec<u32>> {
        let partitions = self.lists().partitions.clone();
        (partitions.len() > known).then_some(partitions)
    }
}

#[test]
fn no_partition_is_missed_between_being_registered_and_being_flagged() {
    let callers = Busy::default();
    let mut known = 0;
    let (mut flagged, mut touched) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let wakeups = Wakeups::collect(&callers, known);
        known = wakeups.partitions.map_or(known, |all| all.len());
        let is_known = |id: &PartitionId| usize::try_from(id.0).unwrap() < known;
        assert!(wakeups.flagged.iter().all(is_known), "a record would wait");
        assert!(
            wakeups.touched.iter().all(is_known),
            "a transaction would never add it"
        );
        flagged.extend(wakeups.flagged);
        touched.extend(wakeups.touched);
    }
    assert!(flagged.len() >= 5 && touched.len() >= 5);
    let in_order = |ids: &[PartitionId]| ids.iter().zip(0..).all(|(id, next)| id.0 == next);
    assert!(in_order(&flagged) && in_order(&touched), "each once");
}

#[test]
fn partitions_that_are_known_are_not_listed_again() {
    let shared = Shared::new(
        crate::producer::accumulator::SendLimits {
            batch_bytes: 1,
            record_bytes_max: 1,
            buffer_memory: 1,
        },
        1,
    );
    shared.register("orders", 3);
    let found = Wakeups::collect(&shared, 0).partitions.unwrap();
    assert_eq!(found.len(), 3);
    assert!(Wakeups::collect(&shared, 3).partitions.is_none());
}
