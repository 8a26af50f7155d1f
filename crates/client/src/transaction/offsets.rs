//! What the answers of the group coordinator do: offsets committed with the transaction (§2.7).

use std::time::Instant;

use milena_codec::ErrorCode;

use super::causes::version_unsupported;
use super::errors::{self, Verdict};
use super::machine::TransactionMachine;
use super::request::{Api, NotSent, Reply};
use super::state::Phase;
use crate::error::Error;
use crate::types::TopicPartition;

impl TransactionMachine {
    /// TxnOffsetCommit: each partition's code. A request that was refused as a whole counts as refused
    /// for each partition.
    pub(crate) fn handle_txn_offset_commit(
        &mut self,
        reply: Reply<Vec<(TopicPartition, ErrorCode)>>,
        now: Instant,
    ) {
        if self
            .group_coordinator
            .responded(Api::TxnOffsetCommit)
            .is_none()
            || self.phase.is_terminal()
        {
            return;
        }
        let results = match reply {
            Reply::Answered(results) => results,
            Reply::Refused(code) => match &self.transaction.offsets {
                Some(job) => job
                    .remaining
                    .iter()
                    .map(|o| (o.partition.clone(), code))
                    .collect(),
                None => Vec::new(),
            },
            Reply::NotSent(NotSent::Unreachable) => {
                return self.group_coordinator.lose_broker(now, &mut self.pace);
            }
            Reply::NotSent(NotSent::VersionUnsupported) => {
                let broker = self.group_coordinator.broker;
                return self.spoil(version_unsupported(Api::TxnOffsetCommit, broker), true);
            }
            Reply::Ambiguous => {
                self.transaction.registration_in_doubt = true;
                return self.group_coordinator.lose_broker(now, &mut self.pace);
            }
        };
        self.offsets_answered(&results, now);
    }

    fn offsets_answered(&mut self, results: &[(TopicPartition, ErrorCode)], now: Instant) {
        let is_in_doubt = results
            .iter()
            .any(|(_, code)| errors::may_be_applied(*code));
        self.transaction.registration_in_doubt |= is_in_doubt;
        let Some(job) = &mut self.transaction.offsets else {
            return; // Given up meanwhile; the answer settles what was on its way.
        };
        // Only those that failed are sent again.
        job.remaining.retain(|offset| {
            let answer = results
                .iter()
                .find(|(partition, _)| *partition == offset.partition);
            !answer.is_some_and(|(_, code)| code.is_none())
        });
        if job.remaining.is_empty() {
            self.group_coordinator.retry.reset();
            return self.end_offsets(Ok(()));
        }
        let worst = results
            .iter()
            .map(|(partition, code)| (severity(errors::txn_offset_commit(*code)), partition, *code))
            .max_by_key(|(severity, ..)| *severity);
        let Some((_, partition, code)) = worst else {
            return self.group_coordinator.retry.later(now, &mut self.pace);
        };
        let cause = Error::partition(
            code,
            Api::TxnOffsetCommit.key(),
            self.group_coordinator.broker,
            partition.topic_shared().clone(),
            partition.partition(),
        );
        match errors::txn_offset_commit(code) {
            // Done: of the partitions asked for, some were not answered.
            Verdict::Done | Verdict::Retry => {
                self.group_coordinator.retry.later(now, &mut self.pace);
            }
            Verdict::RetryConcurrent => {
                self.group_coordinator.retry.concurrent(now, &mut self.pace);
            }
            Verdict::FindCoordinator => {
                self.group_coordinator.lose_broker(now, &mut self.pace);
            }
            Verdict::Abortable | Verdict::Refused | Verdict::Fenced | Verdict::FindOut => {
                self.group_coordinator.retry.reset();
                self.spoil(cause, true);
            }
            Verdict::Forgotten => {
                self.group_coordinator.retry.reset();
                self.forgotten(cause);
            }
            Verdict::Fatal => self.end_life(Phase::Fatal(cause.into_fatal())),
        }
    }
}

/// Which partition's answer decides for the request.
const fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Done => 0,
        Verdict::RetryConcurrent => 1,
        Verdict::Retry => 2,
        Verdict::FindCoordinator => 3,
        Verdict::Abortable | Verdict::Refused | Verdict::Fenced | Verdict::FindOut => 4,
        Verdict::Forgotten => 5,
        Verdict::Fatal => 6,
    }
}
