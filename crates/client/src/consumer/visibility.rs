//! What a reader may see of the batches that a broker returned.
//!
//! A broker returns aborted data together with a list that explains it; hiding it is the
//! reader's work, and so is hiding the markers. Both are decided batch by batch from the header
//! alone, before anything is decompressed or decoded.
//!
//! A [`Filter`] belongs to one partition of one answer. Nothing is carried over to the next answer:
//! the broker lists every aborted transaction whose marker lies at or above the fetch offset, so
//! each answer explains itself, also after a seek into the middle of a transaction.

use std::collections::HashSet;

use milena_codec::ProducerId;

use crate::types::IsolationLevel;

/// One entry of the list by which a broker explains which of the returned data was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AbortedTransaction {
    /// Who wrote it. The epoch is not part of the key: since KIP-890 a marker carries a higher one
    /// than the data it ends.
    pub(crate) producer_id: ProducerId,
    /// Where in this partition the transaction begins; it may lie before the fetch offset.
    pub(crate) first_offset: i64,
}

/// What the filter looks at: the header of one batch and, of a control batch, its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchHead {
    /// The last offset that the batch occupies, whether or not a record is left there.
    pub(crate) last_offset: i64,
    /// Who wrote the batch, or [`ProducerId::NONE`].
    pub(crate) producer_id: ProducerId,
    /// Whether it is part of a transaction.
    pub(crate) is_transactional: bool,
    /// Whether it holds records of the application or of the broker.
    pub(crate) content: Content,
}

/// What a batch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Records of an application.
    Data,
    /// A control batch that ends a transaction as aborted.
    AbortMarker,
    /// Any other control batch: a commit marker, one that compaction has emptied, or a kind
    /// that readers ignore.
    OtherControl,
}

/// Whether a batch may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its records are for the application.
    Visible,
    /// It belongs to an aborted transaction. It still occupies its offsets.
    Aborted,
    /// It is a control batch. It still occupies its offsets.
    Control,
}

/// Judges the batches of one partition in one answer, in log order.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Entries not reached yet, the one with the lowest first offset at the end.
    pending: Vec<AbortedTransaction>,
    /// Producers whose transaction at this point of the log was aborted.
    aborted: HashSet<ProducerId>,
}

impl Filter {
    /// A filter for one answer. `aborted_transactions` may be unordered, repeat producers and name
    /// transactions outside the returned bytes; under
    /// [`IsolationLevel::ReadUncommitted`] it is not looked at, whatever the broker sent (R-3, L-18).
    pub(crate) fn new(
        isolation_level: IsolationLevel,
        aborted_transactions: impl IntoIterator<Item = AbortedTransaction>,
    ) -> Self {
        let mut pending: Vec<_> = match isolation_level {
            IsolationLevel::ReadCommitted => aborted_transactions.into_iter().collect(),
            IsolationLevel::ReadUncommitted => Vec::new(),
        };
        pending.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.first_offset));
        if bug!(AbortedIndexOrder) {
            pending.reverse();
        }
        Self {
            pending,
            aborted: HashSet::new(),
        }
    }

    /// Whether the next batch of the log may be shown.
    pub(crate) fn judge(&mut self, batch: BatchHead) -> Verdict {
        if batch.producer_id.is_some() {
            self.reach(batch.last_offset);
        }
        match batch.content {
            Content::AbortMarker => {
                // Legal for a producer that is not in the set: a transaction that wrote nothing
                // here, or a marker written twice.
                self.aborted.remove(&batch.producer_id);
                Verdict::Control
            }
            // A commit marker leaves the set alone, and control batches are hidden at either
            // isolation level.
            Content::OtherControl => Verdict::Control,
            // Batches of the same producer outside a transaction are shown.
            Content::Data
                if batch.is_transactional && self.aborted.contains(&batch.producer_id) =>
            {
                Verdict::Aborted
            }
            Content::Data => Verdict::Visible,
        }
    }

    /// Moves the transactions that begin at or before `last_offset` into the aborted set. It is the
    /// *last* offset of a batch that counts, because compaction may have removed the records with
    /// which the transaction began.
    fn reach(&mut self, last_offset: i64) {
        while let Some(entry) = self
            .pending
            .pop_if(|entry| entry.first_offset <= last_offset)
        {
            self.aborted.insert(entry.producer_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aborted(list: &[(i64, i64)]) -> Filter {
        let list = list
            .iter()
            .map(|&(producer_id, first_offset)| AbortedTransaction {
                producer_id: ProducerId(producer_id),
                first_offset,
            });
        Filter::new(IsolationLevel::ReadCommitted, list)
    }

    fn data(producer_id: i64, last_offset: i64) -> BatchHead {
        BatchHead {
            last_offset,
            producer_id: ProducerId(producer_id),
            is_transactional: true,
            content: Content::Data,
        }
    }

    fn abort(producer_id: i64, last_offset: i64) -> BatchHead {
        BatchHead {
            content: Content::AbortMarker,
            ..data(producer_id, last_offset)
        }
    }

    fn commit(producer_id: i64, last_offset: i64) -> BatchHead {
        BatchHead {
            content: Content::OtherControl,
            ..data(producer_id, last_offset)
        }
    }

    /// Judges the batches in order and compares with one letter each: Visible, Aborted, Control.
    fn check(mut filter: Filter, batches: &[BatchHead], verdicts: &str) {
        let got: String = batches
            .iter()
            .map(|batch| match filter.judge(*batch) {
                Verdict::Visible => 'V',
                Verdict::Aborted => 'A',
                Verdict::Control => 'C',
            })
            .collect();
        assert_eq!(got, verdicts);
    }

    #[test]
    fn an_unordered_list_with_several_entries_per_producer_is_understood() {
        // R-10; two producers, the first aborts twice with a commit in between.
        let log = [
            data(7, 0),
            data(8, 1),
            abort(7, 2),
            data(7, 3),
            commit(7, 4),
            data(7, 5),
            abort(8, 6),
            abort(7, 7),
        ];
        for list in [
            [(7, 5), (8, 1), (7, 0)],
            [(8, 1), (7, 0), (7, 5)],
            [(7, 0), (8, 1), (7, 5)],
        ] {
            check(aborted(&list), &log, "AACVCACC");
        }
    }

    #[test]
    fn an_entry_outside_the_returned_bytes_hides_nothing() {
        // entries behind the last batch, and of a producer that wrote nothing here.
        check(
            aborted(&[(7, 100), (9, 0)]),
            &[data(7, 0), data(8, 1)],
            "VV",
        );
    }

    #[test]
    fn an_entry_is_reached_by_the_last_offset_of_a_batch() {
        // the transaction began at 5, in a batch that occupies 3 to 6.
        check(aborted(&[(7, 5)]), &[data(7, 6)], "A");
        check(aborted(&[(7, 7)]), &[data(7, 6)], "V");
    }

    #[test]
    fn an_entry_is_reached_by_the_batch_of_any_producer() {
        // the batch of producer 8 passes the first offset, the next of producer 7 is hidden.
        check(aborted(&[(7, 2)]), &[data(8, 4), data(7, 6)], "VA");
    }

    #[test]
    fn a_batch_without_producer_id_reaches_no_entry_and_is_shown() {
        let plain = BatchHead {
            is_transactional: false,
            ..data(-1, 4)
        };
        check(aborted(&[(-1, 0)]), &[plain], "V");
    }

    #[test]
    fn an_abort_marker_ends_the_hiding() {
        //
        check(
            aborted(&[(7, 0)]),
            &[data(7, 0), abort(7, 1), data(7, 2)],
            "ACV",
        );
    }

    #[test]
    fn a_fetch_into_the_middle_of_an_aborted_transaction_hides_its_rest() {
        // began at 3, fetched from 10.
        check(
            aborted(&[(7, 3)]),
            &[data(7, 12), abort(7, 13), data(7, 14)],
            "ACV",
        );
    }

    #[test]
    fn idempotent_batches_of_an_aborted_producer_are_shown() {
        //
        let idempotent = BatchHead {
            is_transactional: false,
            ..data(7, 1)
        };
        check(
            aborted(&[(7, 0)]),
            &[data(7, 0), idempotent, data(7, 2)],
            "AVA",
        );
    }

    #[test]
    fn a_commit_marker_leaves_the_aborted_set_alone() {
        //
        check(
            aborted(&[(7, 0)]),
            &[data(7, 0), commit(8, 1), commit(7, 2), data(7, 3)],
            "ACCA",
        );
    }

    #[test]
    fn repeated_and_empty_abort_markers_are_harmless() {
        // a marker without data, then two for the same transaction.
        check(
            aborted(&[(7, 1)]),
            &[
                abort(9, 0),
                data(7, 1),
                abort(7, 2),
                abort(7, 3),
                data(7, 4),
            ],
            "CACCV",
        );
    }

    #[test]
    fn a_control_batch_emptied_by_compaction_is_no_abort_marker() {
        //
        check(
            aborted(&[(7, 0)]),
            &[data(7, 0), commit(7, 1), data(7, 2)],
            "ACA",
        );
    }

    #[test]
    fn read_uncommitted_ignores_the_list_and_hides_control_batches() {
        // L-18
        let list = [AbortedTransaction {
            producer_id: ProducerId(7),
            first_offset: 0,
        }];
        let filter = Filter::new(IsolationLevel::ReadUncommitted, list);
        check(filter, &[data(7, 0), abort(7, 1), commit(8, 2)], "VCC");
    }
}
