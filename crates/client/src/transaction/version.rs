//! Which of the two transaction protocols a transaction runs under, and the request versions that
//! belong to it.
//!
//! The version of a request tells the broker which protocol its sender follows. A transaction that
//! mixes them - Produce 12 and EndTxn 4, say - is not refused and loses data silently (T-6), so every
//! range below is taken from one [`TransactionVersion`] that stays the same from begin to end (T-2).

use std::ops::RangeInclusive;

use super::state::TwoPhase;

/// The protocol of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TransactionVersion {
    /// `transaction.version` 0 and 1, which look the same to a client: partitions are added by
    /// AddPartitionsToTxn, and the epoch stays from one transaction to the next.
    One,
    /// `transaction.version` 2 (KIP-890): Produce adds the partition, and every EndTxn raises the epoch.
    Two,
}

/// What is known of the cluster and decides the protocol. The default is "nothing".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClusterFacts {
    /// The finalized level of the feature `transaction.version`, from the ApiVersions answer with the
    /// highest feature epoch (T-1); `None` while unknown or absent, which counts as 0.
    pub(crate) transaction_version: Option<i16>,
    /// The highest Produce version that every broker at hand speaks; `None` while unknown.
    pub(crate) produce_max: Option<i16>,
    /// The same for TxnOffsetCommit.
    pub(crate) txn_offset_commit_max: Option<i16>,
    /// The same for EndTxn.
    pub(crate) end_txn_max: Option<i16>,
    /// The same for InitProducerId; unknown counts as able to raise an epoch.
    pub(crate) init_producer_id_max: Option<i16>,
}

impl ClusterFacts {
    /// The protocol for a transaction that begins now.
    ///
    /// The feature level alone is not enough (P-91): with one request pinned to an older version
    /// every batch of the transaction would be refused.
    // T-5, P-91: a broker that lacks a request decides, whatever the level.
    pub(super) fn transaction_version(&self) -> TransactionVersion {
        let speaks = |max: Option<i16>, least: i16| max.is_some_and(|max| max >= least);
        if speaks(self.transaction_version, 2)
            && speaks(self.produce_max, 12)
            && speaks(self.txn_offset_commit_max, 5)
            && speaks(self.end_txn_max, 5)
            && speaks(self.init_producer_id_max, INIT_PRODUCER_ID_RAISES)
        {
            TransactionVersion::Two
        } else {
            TransactionVersion::One
        }
    }

    /// Whether the client can raise the epoch of its producer id (T-42, T-83).
    pub(super) fn can_raise_epoch(&self) -> bool {
        self.init_producer_id_max
            .is_none_or(|max| max >= INIT_PRODUCER_ID_RAISES)
    }
}

impl TransactionVersion {
    /// The Produce versions of a transactional batch (P-90).
    pub(crate) const fn produce(self) -> RangeInclusive<i16> {
        match self {
            Self::One => 3..=11,
            Self::Two => 12..=13,
        }
    }

    pub(super) const fn end_txn(self) -> RangeInclusive<i16> {
        match self {
            Self::One => 0..=4,
            Self::Two => 5..=5,
        }
    }

    /// With a member named, nothing below 3 will do: it would drop the member and with it the
    /// fencing of zombies (KIP-447, T-56).
    pub(super) const fn txn_offset_commit(self, names_member: bool) -> RangeInclusive<i16> {
        match (self, names_member) {
            (Self::One, false) => 0..=4,
            (Self::One, true) => 3..=4,
            (Self::Two, _) => 5..=5,
        }
    }
}

/// Version 4 and above is for brokers among themselves.
pub(super) const ADD_PARTITIONS_TO_TXN: RangeInclusive<i16> = 0..=3;
pub(super) const ADD_OFFSETS_TO_TXN: RangeInclusive<i16> = 0..=4;
pub(super) const DESCRIBE_TRANSACTIONS: RangeInclusive<i16> = 0..=0;
pub(super) const FIND_COORDINATOR: RangeInclusive<i16> = 1..=6;

/// A request that carries the current producer id and epoch needs the fields for them (T-42).
pub(super) const fn init_producer_id(
    carries_identity: bool,
    two_phase: TwoPhase,
) -> RangeInclusive<i16> {
    if two_phase.is_on() {
        INIT_PRODUCER_ID_TWO_PHASE..=INIT_PRODUCER_ID_TWO_PHASE
    } else if carries_identity {
        INIT_PRODUCER_ID_RAISES..=5
    } else {
        0..=5
    }
}

const INIT_PRODUCER_ID_RAISES: i16 = 3;
/// KIP-939. Kafka calls it unstable, and no released broker tells it.
pub(super) const INIT_PRODUCER_ID_TWO_PHASE: i16 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: ClusterFacts = ClusterFacts {
        transaction_version: Some(2),
        produce_max: Some(13),
        txn_offset_commit_max: Some(5),
        end_txn_max: Some(5),
        init_producer_id_max: Some(5),
    };

    /// T-1: an absent feature is 0.
    #[test]
    fn nothing_known_means_the_first_protocol() {
        assert_eq!(
            ClusterFacts::default().transaction_version(),
            TransactionVersion::One
        );
    }

    /// P-91, T-5: the level alone does not do; each request must reach the version too.
    #[test]
    fn the_second_protocol_needs_the_feature_and_every_request() {
        assert_eq!(NEW.transaction_version(), TransactionVersion::Two);
        for pinned in [
            ClusterFacts {
                transaction_version: Some(1),
                ..NEW
            },
            ClusterFacts {
                transaction_version: None,
                ..NEW
            },
            ClusterFacts {
                produce_max: Some(11),
                ..NEW
            },
            ClusterFacts {
                produce_max: None,
                ..NEW
            },
            ClusterFacts {
                txn_offset_commit_max: Some(4),
                ..NEW
            },
            ClusterFacts {
                end_txn_max: Some(4),
                ..NEW
            },
            ClusterFacts {
                init_producer_id_max: Some(2),
                ..NEW
            },
        ] {
            assert_eq!(
                pinned.transaction_version(),
                TransactionVersion::One,
                "{pinned:?}"
            );
        }
    }

    /// T-6: no version of a request belongs to both protocols.
    #[test]
    fn the_version_ranges_of_the_protocols_are_disjoint() {
        let (one, two) = (TransactionVersion::One, TransactionVersion::Two);
        assert!(one.produce().end() < two.produce().start());
        assert!(one.end_txn().end() < two.end_txn().start());
        for names_member in [false, true] {
            assert!(
                one.txn_offset_commit(names_member).end()
                    < two.txn_offset_commit(names_member).start()
            );
        }
    }

    /// T-56: better refused than sent without the member.
    #[test]
    fn a_named_member_is_never_dropped_by_an_old_version() {
        assert_eq!(*TransactionVersion::One.txn_offset_commit(true).start(), 3);
    }
}
