//! What is known of the transaction that is open: what of it reached the coordinator, what may have,
//! and what has to follow from that when it ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use milena_codec::ProducerIdentity;

use super::version::TransactionVersion;
use crate::types::TopicPartition;
use crate::types::{GroupMetadata, OffsetToCommit};

/// The open transaction. Its default is one in which nothing has happened.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenTransaction {
    /// Touched and not yet asked for (version 1). Those of a refused request come back here.
    pub(super) to_add: BTreeSet<TopicPartition>,
    /// In the AddPartitionsToTxn on its way.
    pub(super) adding: Vec<TopicPartition>,
    /// Registered at the coordinator; they stay so whatever happens later (T-51, L-17).
    pub(super) added: BTreeSet<TopicPartition>,
    /// The group in the AddOffsetsToTxn on its way.
    pub(super) adding_group: Option<Arc<str>>,
    /// Groups whose offsets partition is registered (version 1).
    pub(super) groups_added: BTreeSet<Arc<str>>,
    /// The offsets being committed, one call at a time (T-17).
    pub(super) offsets: Option<OffsetsJob>,

    /// Since when partitions wait to be added, without any being added in between (version 1).
    pub(super) partitions_waiting_since: Option<Instant>,
    /// Since when the offsets wait to be committed.
    pub(super) offsets_waiting_since: Option<Instant>,
    /// When the first registration was sent (version 1): from about then on the coordinator's clock runs
    /// (T-72).
    pub(super) registered_at: Option<Instant>,
    /// A Produce or TxnOffsetCommit was sent (version 2): the broker may have registered its
    /// partition whatever it answered (P-94, L-16).
    pub(super) attempted: bool,
    /// A registration or TxnOffsetCommit may have been applied, or may yet be.
    pub(super) registration_in_doubt: bool,
    /// An EndTxn may have been applied, or may yet be.
    pub(super) end_in_doubt: bool,
    /// A batch may have been appended, or may yet be, although it was given up (T-81).
    pub(super) batch_in_doubt: bool,
    /// The epoch has to be raised before the next transaction (§2.10).
    pub(super) raise_epoch: bool,
    pub(super) supersession: Supersession,
    /// It was prepared, by this instance or one before: who it is to its owner (T-45). From here on only the
    /// owner decides how it ends.
    pub(super) prepared: Option<ProducerIdentity>,
    /// The commit was reported as of unknown outcome.
    pub(super) outcome_unknown: bool,
}

/// Whether the coordinator has ended the transaction by itself, or someone else (T-71, version 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Supersession {
    /// No sign of either.
    #[default]
    None,
    /// The coordinator refused the epoch. InitProducerId with that epoch will tell: it succeeds after
    /// a time-out and is refused after a fence.
    Suspected,
    /// The coordinator aborted it at the time-out; this is the identity to go on with.
    TimedOut(ProducerIdentity),
}

/// What waits to be registered with a coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    Offsets,
    Partitions,
}

/// Offsets to commit with the transaction.
#[derive(Clone, Debug)]
pub(super) struct OffsetsJob {
    pub(super) group: GroupMetadata,
    /// Those not yet acknowledged.
    pub(super) remaining: Vec<OffsetToCommit>,
}

impl OpenTransaction {
    /// Registers a partition that is about to be written to (T-14).
    pub(super) fn touch(&mut self, partition: &TopicPartition) {
        if !self.added.contains(partition) && !self.adding.contains(partition) {
            self.to_add.insert(partition.clone());
        }
    }

    /// Starts and stops the clocks of what waits to be registered.
    pub(super) fn note_waiting(&mut self, now: Instant) {
        if self.to_add.is_empty() && self.adding.is_empty() {
            self.partitions_waiting_since = None;
        } else {
            self.partitions_waiting_since.get_or_insert(now);
        }
        if self.offsets.is_none() {
            self.offsets_waiting_since = None;
        } else {
            self.offsets_waiting_since.get_or_insert(now);
        }
    }

    /// What has waited longest to be registered, and since when.
    pub(super) fn waiting_since(&self) -> Option<(Instant, Waiting)> {
        let partitions = self.partitions_waiting_since;
        let partitions = partitions.map(|since| (since, Waiting::Partitions));
        let offsets = self.offsets_waiting_since;
        let offsets = offsets.map(|since| (since, Waiting::Offsets));
        partitions
            .into_iter()
            .chain(offsets)
            .min_by_key(|(since, _)| *since)
    }

    /// The next AddPartitionsToTxn: everything that waits, in one request (T-32).
    pub(super) fn take_to_add(&mut self) -> Vec<TopicPartition> {
        self.adding = std::mem::take(&mut self.to_add).into_iter().collect();
        self.adding.clone()
    }

    /// Puts back what the last AddPartitionsToTxn did not achieve.
    pub(super) fn put_back_adding(&mut self) {
        let added = &self.added;
        self.to_add.extend(
            self.adding
                .drain(..)
                .filter(|partition| !added.contains(partition)),
        );
    }

    /// Whether something of the first protocol reached the coordinator for certain.
    pub(super) fn is_registered(&self) -> bool {
        !self.added.is_empty() || !self.groups_added.is_empty()
    }

    /// Whether the coordinator may have a transaction open, so that EndTxn must be sent (T-52). It must
    /// not be sent otherwise (T-53, L-1).
    pub(super) fn needs_end(&self, version: TransactionVersion) -> bool {
        match version {
            TransactionVersion::One => self.is_registered() || self.registration_in_doubt,
            TransactionVersion::Two => self.attempted,
        }
    }

    /// How long the coordinator may have had it open by `now`.
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.registered_at
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at))
    }

    /// Whether every registration has a definite result.
    pub(super) fn is_registration_settled(&self) -> bool {
        self.to_add.is_empty() && self.adding.is_empty() && self.offsets.is_none()
    }

    /// Whether a request of this transaction may still be on its way to the coordinator and would be
    /// taken for one of the next, were the epoch the same (T-65).
    pub(super) fn is_in_doubt(&self) -> bool {
        self.registration_in_doubt || self.end_in_doubt || self.batch_in_doubt
    }
}
