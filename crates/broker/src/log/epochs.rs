//! Where in a log each leader's term begins (KIP-320).

/// Leader epochs with their first offsets, ascending in both.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeaderEpochs(Vec<EpochStart>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct EpochStart {
    epoch: i32,
    offset: i64,
}

/// No epoch, or no offset, in an answer of OffsetForLeaderEpoch.
pub(crate) const UNDEFINED: i32 = -1;

impl LeaderEpochs {
    /// Notes that a leader's term begins at the end of the log. A term in which nothing was written leaves no
    /// trace behind it.
    pub(crate) fn begin(&mut self, epoch: i32, log_end_offset: i64) {
        self.0
            .retain(|start| start.epoch < epoch && start.offset < log_end_offset);
        self.note(epoch, log_end_offset);
    }

    /// Notes that something was appended at `offset` in `epoch`.
    pub(crate) fn note(&mut self, epoch: i32, offset: i64) {
        if self.0.last().is_none_or(|last| last.epoch < epoch) {
            self.0.push(EpochStart { epoch, offset });
        }
    }

    pub(crate) fn latest(&self) -> Option<i32> {
        self.0.last().map(|last| last.epoch)
    }

    /// The epoch in which the record at `offset` was written.
    pub(crate) fn of_offset(&self, offset: i64) -> Option<i32> {
        let later = self.0.partition_point(|start| start.offset <= offset);
        let of = self.0.get(later.checked_sub(1)?)?;
        Some(of.epoch)
    }

    /// The last epoch at or below `epoch` that has records, and the offset after its last one; both
    /// undefined if it is not known.
    pub(crate) fn end_of(&self, epoch: i32, log_end_offset: i64) -> (i32, i64) {
        let undefined = (UNDEFINED, i64::from(UNDEFINED));
        if epoch == UNDEFINED {
            return undefined;
        }
        if self.latest() == Some(epoch) {
            return (epoch, log_end_offset);
        }
        let later = self.0.partition_point(|start| start.epoch <= epoch);
        let Some(next) = self.0.get(later) else {
            // Beyond what was ever written here.
            return undefined;
        };
        match later.checked_sub(1).and_then(|at| self.0.get(at)) {
            // Before the first epoch that is remembered.
            None => (epoch, next.offset),
            Some(known) => (known.epoch, next.offset),
        }
    }

    /// Drops terms that ended before `offset`; the one it falls into begins there now.
    pub(crate) fn forget_before(&mut self, offset: i64) {
        let later = self.0.partition_point(|start| start.offset <= offset);
        let Some(of) = later.checked_sub(1) else {
            return;
        };
        self.0.drain(..of);
        if let Some(first) = self.0.first_mut() {
            first.offset = offset;
        }
    }

    /// Drops terms that began at `offset` or later.
    pub(crate) fn forget_from(&mut self, offset: i64) {
        self.0.retain(|start| start.offset < offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs() -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for (epoch, offset) in [(1, 0), (1, 4), (3, 10), (7, 20)] {
            epochs.note(epoch, offset);
        }
        epochs
    }

    #[test]
    fn an_epoch_ends_where_the_next_one_begins() {
        let epochs = epochs();
        assert_eq!(epochs.end_of(1, 30), (1, 10));
        assert_eq!(epochs.end_of(2, 30), (1, 10), "no records in epoch 2");
        assert_eq!(epochs.end_of(3, 30), (3, 20));
        assert_eq!(epochs.end_of(7, 30), (7, 30));
        assert_eq!(epochs.end_of(8, 30), (-1, -1));
        assert_eq!(epochs.end_of(0, 30), (0, 0));
        assert_eq!(epochs.end_of(-1, 30), (-1, -1));
    }

    #[test]
    fn a_term_begins_with_its_leader_and_an_empty_one_is_forgotten() {
        let mut epochs = LeaderEpochs::default();
        epochs.begin(0, 0);
        assert_eq!(epochs.of_offset(0), Some(0), "nothing is written yet");
        epochs.begin(1, 5);
        epochs.begin(2, 5);
        assert_eq!(epochs.end_of(1, 9), (0, 5));
        assert_eq!(epochs.end_of(2, 9), (2, 9));
    }

    #[test]
    fn an_offset_belongs_to_the_last_epoch_that_began_before_it() {
        let mut epochs = epochs();
        assert_eq!(epochs.of_offset(9), Some(1));
        assert_eq!(epochs.of_offset(10), Some(3));
        epochs.forget_before(12);
        assert_eq!(epochs.of_offset(9), None);
        assert_eq!(epochs.of_offset(12), Some(3));
        epochs.forget_from(20);
        assert_eq!(epochs.latest(), Some(3));
    }
}
