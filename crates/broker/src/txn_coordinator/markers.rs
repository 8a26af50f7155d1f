//! What the coordinator does as time passes: markers, timeouts, expiry.

use super::{Transaction, TransactionState, TxnCoordinator, TxnPartition};
use crate::Time;
use milena_codec::ProducerIdentity;
use milena_codec::record::Marker;
use std::sync::Arc;
use std::time::Duration;

/// How long to wait before a marker is tried again at a leader that did not take it.
const MARKER_RETRY: Duration = Duration::from_millis(100);

/// The markers of one transaction that are to be written now.
#[derive(Clone, Debug)]
pub(crate) struct MarkersDue {
    pub(crate) transactional_id: Arc<str>,
    pub(crate) marker: Marker,
    pub(crate) producer: ProducerIdentity,
    /// See [`crate::producer_state::MarkerRule`].
    pub(crate) bumps_epoch: bool,
    pub(crate) partitions: Vec<TxnPartition>,
}

impl TxnCoordinator {
    /// The next transaction whose markers are to be written. For each of its partitions the caller reports
    /// [`TxnCoordinator::marker_written`], or leaves it to be handed out again later.
    pub(crate) fn markers_due(&mut self, now: Time) -> Option<MarkersDue> {
        loop {
            let (due, _) = self.due.first()?;
            if *due > now {
                return None;
            }
            let (_, id) = self.due.pop_first()?;
            let Some(transaction) = self.transactions.get_mut(&id) else {
                continue;
            };
            let marker = match transaction.state {
                TransactionState::PrepareCommit => Marker::Commit,
                TransactionState::PrepareAbort => Marker::Abort,
                TransactionState::Empty
                | TransactionState::Ongoing
                | TransactionState::CompleteCommit
                | TransactionState::CompleteAbort => continue,
            };
            let retry = now + MARKER_RETRY;
            transaction.markers_due = Some(retry);
            let markers = MarkersDue {
                transactional_id: id.clone(),
                marker,
                producer: transaction.producer(),
                bumps_epoch: transaction.bumps_epoch,
                partitions: transaction.partitions.iter().cloned().collect(),
            };
            self.due.insert((retry, id));
            return Some(markers);
        }
    }

    /// A marker is in the log, or will never have to be; after the last one the transaction is complete.
    pub(crate) fn marker_written(&mut self, id: &str, partition: &TxnPartition, now: Time) {
        let Some((id, transaction)) = self.transactions.get_key_value(id) else {
            return;
        };
        if !transaction.is_preparing() {
            return;
        }
        let id = id.clone();
        if let Some(transaction) = self.transactions.get_mut(&id) {
            transaction.partitions.remove(partition);
            if transaction.partitions.is_empty() {
                if let Some(due) = transaction.markers_due {
                    self.due.remove(&(due, id));
                }
                transaction.complete(now);
            }
        }
    }

    /// A marker was refused for good: no more of this transaction's are handed out, until its coordinator
    /// moves and the next one tries again.
    pub(crate) fn give_up_markers(&mut self, id: &str) {
        let Some((id, transaction)) = self.transactions.get_key_value(id) else {
            return;
        };
        if let Some(due) = transaction.markers_due {
            let id = id.clone();
            if let Some(transaction) = self.transactions.get_mut(&id) {
                transaction.markers_due = None;
            }
            self.due.remove(&(due, id));
        }
    }

    /// What a new coordinator of these ids does: the markers of what was decided are tried again.
    pub(crate) fn take_over(&mut self, is_moved: impl Fn(&str) -> bool, now: Time) {
        for (id, transaction) in &mut self.transactions {
            if transaction.is_preparing() && transaction.markers_due.is_none() && is_moved(id) {
                transaction.markers_due = Some(now);
                self.due.insert((now, id.clone()));
            }
        }
    }

    /// Aborts what has been open for too long and forgets ids that have been idle for too long, each at the
    /// time of its scan (T-72, T-73, L-14). Says whether anything was aborted.
    pub(crate) fn scan(&mut self, now: Time) -> bool {
        let mut aborted = false;
        if now >= self.next_timeout_scan {
            self.next_timeout_scan = now + self.settings.timeout_scan;
            let timed_out = |transaction: &Transaction| {
                transaction.state == TransactionState::Ongoing
                    && !transaction.is_two_phase()
                    && transaction
                        .started
                        .is_some_and(|started| now > started + transaction.timeout)
            };
            let late: Vec<_> = self
                .transactions
                .iter()
                .filter(|(_, transaction)| timed_out(transaction))
                .map(|(id, _)| id.clone())
                .collect();
            for id in late {
                aborted |= self.abort_and_fence(&id, now).is_ok();
            }
        }
        if now >= self.next_expiration_scan {
            self.next_expiration_scan = now + self.settings.id_expiration_scan;
            let expiration = self.settings.id_expiration;
            self.transactions.retain(|_, transaction| {
                !transaction.may_expire() || now.since(transaction.updated) < expiration
            });
        }
        aborted
    }

    /// When something is to be done next.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        if self.transactions.is_empty() {
            return None;
        }
        let scans = self.next_timeout_scan.min(self.next_expiration_scan);
        let markers = self.due.first().map(|(due, _)| *due);
        Some(markers.map_or(scans, |markers| markers.min(scans)))
    }
}

impl Transaction {
    pub(super) fn may_expire(&self) -> bool {
        !self.is_preparing() && self.state != TransactionState::Ongoing
    }
}
