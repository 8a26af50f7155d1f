//! How a transaction ended, by what its coordinator says about the id afterwards.
//!
//! EndTxn answered with INVALID_TXN_STATE says only that there is nothing to end in that direction. It
//! may be the answer to a repetition of an EndTxn that was applied (L-25), or the coordinator may have
//! aborted the transaction at its time-out (T-71). DescribeTransactions tells which.

use milena_codec::{ProducerEpoch, ProducerIdentity};

use super::request::{DescribedState, DescribedTransaction};
use super::version::TransactionVersion;

/// What the description proves about the transaction of one producer identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conclusion {
    /// With the identity to go on with, if the commit raised the epoch.
    Committed(Option<ProducerIdentity>),
    /// By whomever: its owner, or the coordinator at the time-out.
    Aborted,
    /// The coordinator knows of no transaction of this identity.
    NotStarted,
    /// Nothing is decided, or its decision is still being carried out: ask EndTxn again.
    Unsettled,
    /// The id has moved on to an identity that this transaction did not lead to.
    Superseded,
}

/// Reads `described` for the transaction that `asked` had open under `version`. As long as it has not ended, one
/// that was kept shows under whom it was `prepared` (KIP-939).
pub(super) fn conclude(
    version: TransactionVersion,
    asked: ProducerIdentity,
    prepared: Option<ProducerIdentity>,
    described: DescribedTransaction,
) -> Conclusion {
    let DescribedTransaction { state, producer } = described;
    let is_asked = producer == asked;
    // Under the second protocol the end of a transaction shows in the identity that follows it, so
    // the same identity means that nothing has ended.
    let is_ended = match version {
        TransactionVersion::One => is_asked,
        TransactionVersion::Two => follows(asked, producer),
    };
    let is_kept =
        prepared.is_some_and(|prepared| prepared == producer || is_marked(prepared, producer));
    match state {
        DescribedState::CompleteCommit if is_ended => {
            Conclusion::Committed((!is_asked).then_some(producer))
        }
        DescribedState::CompleteAbort if is_ended => Conclusion::Aborted,
        DescribedState::CompleteCommit | DescribedState::CompleteAbort | DescribedState::Empty
            if is_asked =>
        {
            Conclusion::NotStarted
        }
        DescribedState::PrepareCommit | DescribedState::PrepareAbort
            if is_asked || producer.producer_id == asked.producer_id && is_ended =>
        {
            Conclusion::Unsettled
        }
        DescribedState::Ongoing if is_asked => Conclusion::Unsettled,
        DescribedState::Ongoing | DescribedState::PrepareCommit | DescribedState::PrepareAbort
            if is_kept =>
        {
            Conclusion::Unsettled
        }
        DescribedState::CompleteAbort
        | DescribedState::CompleteCommit
        | DescribedState::Empty
        | DescribedState::Ongoing
        | DescribedState::Other
        | DescribedState::PrepareAbort
        | DescribedState::PrepareCommit => Conclusion::Superseded,
    }
}

/// Whether `marking` is the identity in the markers of the transaction of `prepared`: the same producer id, one
/// epoch more, be it the one that is for fencing only.
fn is_marked(prepared: ProducerIdentity, marking: ProducerIdentity) -> bool {
    marking.producer_id == prepared.producer_id
        && prepared.producer_epoch.0.checked_add(1) == Some(marking.producer_epoch.0)
}

/// Whether `next` is what the coordinator makes of `ended` when its transaction ends: one epoch
/// more, or a new producer id when the epochs are used up (P-63).
pub(super) fn follows(ended: ProducerIdentity, next: ProducerIdentity) -> bool {
    match ended.producer_epoch.next() {
        Some(epoch) => next.producer_id == ended.producer_id && next.producer_epoch == epoch,
        None => next.producer_id != ended.producer_id && next.producer_epoch == ProducerEpoch::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use milena_codec::ProducerId;

    use super::*;

    const STATES: [DescribedState; 7] = [
        DescribedState::CompleteAbort,
        DescribedState::CompleteCommit,
        DescribedState::Empty,
        DescribedState::Ongoing,
        DescribedState::Other,
        DescribedState::PrepareAbort,
        DescribedState::PrepareCommit,
    ];

    fn identity(id: i64, epoch: i16) -> ProducerIdentity {
        ProducerIdentity::new(ProducerId(id), ProducerEpoch(epoch))
    }

    fn concluded(
        version: TransactionVersion,
        state: DescribedState,
        producer: ProducerIdentity,
    ) -> Conclusion {
        conclude(
            version,
            identity(7, 3),
            None,
            DescribedTransaction { state, producer },
        )
    }

    /// L-25: the broker held the id at CompleteCommit; that is a commit, not a failure.
    #[test]
    fn a_completed_commit_is_recognised_under_both_protocols() {
        assert_eq!(
            concluded(
                TransactionVersion::Two,
                DescribedState::CompleteCommit,
                identity(7, 4)
            ),
            Conclusion::Committed(Some(identity(7, 4)))
        );
        assert_eq!(
            concluded(
                TransactionVersion::One,
                DescribedState::CompleteCommit,
                identity(7, 3)
            ),
            Conclusion::Committed(None)
        );
    }

    /// Under version 2 the same epoch belongs to the transaction before.
    #[test]
    fn the_commit_before_is_not_taken_for_this_one() {
        assert_eq!(
            concluded(
                TransactionVersion::Two,
                DescribedState::CompleteCommit,
                identity(7, 3)
            ),
            Conclusion::NotStarted
        );
    }

    /// T-71: the coordinator aborted it at the time-out and raised the epoch.
    #[test]
    fn a_transaction_aborted_at_its_timeout_is_recognised() {
        assert_eq!(
            concluded(
                TransactionVersion::Two,
                DescribedState::CompleteAbort,
                identity(7, 4)
            ),
            Conclusion::Aborted
        );
    }

    /// P-63: epochs used up, a new producer id.
    #[test]
    fn a_rotated_producer_id_follows_the_last_epoch_only() {
        assert!(follows(identity(7, 32766), identity(9, 0)));
        assert!(!follows(identity(7, 300), identity(9, 0)));
        assert!(!follows(identity(7, 300), identity(9, 301)));
    }

    /// Whoever else owns the id now, nothing is claimed about our transaction.
    #[test]
    fn an_unrelated_identity_proves_nothing() {
        for version in [TransactionVersion::One, TransactionVersion::Two] {
            for state in STATES {
                for producer in [identity(7, 5), identity(7, 2), identity(9, 0)] {
                    let conclusion = concluded(version, state, producer);
                    assert_eq!(conclusion, Conclusion::Superseded, "{version:?} {state:?}");
                }
            }
        }
    }

    /// Only a completed commit of the right identity is ever called committed.
    #[test]
    fn no_state_but_complete_commit_proves_a_commit() {
        for version in [TransactionVersion::One, TransactionVersion::Two] {
            for state in STATES {
                for epoch in 0..6 {
                    let conclusion = concluded(version, state, identity(7, epoch));
                    if let Conclusion::Committed(_) = conclusion {
                        assert_eq!(state, DescribedState::CompleteCommit);
                        assert_eq!(
                            epoch,
                            if version == TransactionVersion::One {
                                3
                            } else {
                                4
                            }
                        );
                    }
                }
            }
        }
    }
}
