//! The broker's half of the rules for one partition (P-24): what it appends, and what it answers.
//!
//! Written from the specification: it shares nothing with the sender but the names of error codes.

use std::collections::{BTreeMap, VecDeque};

use milena_codec::record::BatchStamp;
use milena_codec::{ErrorCode, Sequence};

use super::super::types::PartitionResponse;
use super::Batch;

/// What the leader knows of one producer id.
#[derive(Debug)]
struct Known {
    epoch: i16,
    /// The sequence that must follow; `None` right after a marker of a newer epoch.
    next: Option<Sequence>,
    /// Base sequence, record count and offset of the last five batches of this epoch (P-23).
    recent: VecDeque<(Sequence, u32, i64)>,
}

/// One partition's log, whoever leads it.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The record at each offset.
    pub(super) records: Vec<u64>,
    producers: BTreeMap<i64, Known>,
    /// What a batch may have, `max.message.bytes`.
    pub(super) bytes_max: Option<usize>,
    /// Where retention has come to.
    start_offset: i64,
}

impl Log {
    /// The offset that the next record gets.
    fn end_offset(&self) -> i64 {
        i64::try_from(self.records.len()).unwrap_or(i64::MAX)
    }

    /// As if these sequences had been used before.
    pub(super) fn begin_at(&mut self, producer_id: i64, epoch: i16, next: Sequence) {
        let known = Known {
            epoch,
            next: Some(next),
            recent: VecDeque::new(),
        };
        self.producers.insert(producer_id, known);
    }

    /// A marker of a transaction that ended with a newer epoch.
    pub(super) fn raise(&mut self, producer_id: i64, epoch: i16) {
        if let Some(known) = self.producers.get_mut(&producer_id)
            && known.epoch < epoch
        {
            known.epoch = epoch;
            known.next = None;
            known.recent.clear();
        }
    }

    /// Retention removes every record, and with them what was known of producers (P-59).
    pub(super) fn forget(&mut self) {
        self.producers.clear();
        self.start_offset = self.end_offset();
    }

    fn answer(&self, code: ErrorCode, base_offset: Option<i64>) -> PartitionResponse {
        PartitionResponse {
            base_offset,
            log_start_offset: Some(self.start_offset),
            ..PartitionResponse::of(code)
        }
    }

    /// Appends the batch, or says why not.
    pub(super) fn produce(&mut self, batch: &Batch, stamp: BatchStamp) -> PartitionResponse {
        if self
            .bytes_max
            .is_some_and(|bytes_max| batch.bytes > bytes_max)
        {
            // Before its sequence is looked at, and without a claim about the start of the log.
            return PartitionResponse::of(ErrorCode::MessageTooLarge);
        }
        let producer = stamp.producer;
        let (base, epoch) = (stamp.base_sequence, producer.producer_epoch.0);
        if !producer.is_some() {
            return self.append(batch);
        }
        if let Some(known) = self.producers.get(&producer.producer_id.0) {
            if epoch < known.epoch {
                return self.answer(ErrorCode::InvalidProducerEpoch, None);
            }
            if epoch == known.epoch {
                let twin = known
                    .recent
                    .iter()
                    .find(|(first, count, _)| (*first, *count) == (base, batch.records));
                if let Some((_, _, offset)) = twin {
                    return self.answer(ErrorCode::None, Some(*offset));
                }
                if known.next.is_some_and(|next| next != base) {
                    return self.answer(ErrorCode::OutOfOrderSequenceNumber, None);
                }
            }
            if (epoch > known.epoch || known.next.is_none()) && base != Sequence::ZERO {
                return self.answer(ErrorCode::OutOfOrderSequenceNumber, None);
            }
        } else if base != Sequence::ZERO {
            return self.answer(ErrorCode::UnknownProducerId, None);
        }
        let answer = self.append(batch);
        let known = self
            .producers
            .entry(producer.producer_id.0)
            .or_insert(Known {
                epoch,
                next: None,
                recent: VecDeque::new(),
            });
        if epoch > known.epoch {
            known.recent.clear();
        }
        known.epoch = epoch;
        known.next = Some(base.advance(batch.records));
        let offset = answer.base_offset.unwrap_or_default();
        known.recent.push_back((base, batch.records, offset));
        if known.recent.len() > 5 {
            known.recent.pop_front();
        }
        answer
    }

    fn append(&mut self, batch: &Batch) -> PartitionResponse {
        let base_offset = self.end_offset();
        self.records.extend(batch.ids());
        self.answer(ErrorCode::None, Some(base_offset))
    }
}

/// Codes by which a leader says that it did not append, and will not, what it was sent (§1.4, column A). After
/// any other the batch may be in the log.
pub(super) fn proves_absence(code: ErrorCode) -> bool {
    use ErrorCode as E;
    [
        E::CorruptMessage,
        E::CoordinatorLoadInProgress,
        E::CoordinatorNotAvailable,
        E::NotCoordinator,
        E::NotEnoughReplicas,
        E::ConcurrentTransactions,
        E::ThrottlingQuotaExceeded,
        E::UnknownTopicOrPartition,
        E::LeaderNotAvailable,
        E::FencedLeaderEpoch,
        E::UnknownLeaderEpoch,
        E::UnknownTopicId,
        E::InconsistentTopicId,
        E::ReplicaNotAvailable,
        E::BrokerNotAvailable,
        E::MessageTooLarge,
        E::OutOfOrderSequenceNumber,
        E::UnknownProducerId,
        E::InvalidProducerEpoch,
        E::ClusterAuthorizationFailed,
        E::InvalidProducerIdMapping,
        E::ProducerFenced,
        E::TransactionalIdAuthorizationFailed,
        E::UnsupportedVersion,
        E::InvalidTopicException,
        E::RecordListTooLarge,
        E::InvalidRequiredAcks,
        E::TopicAuthorizationFailed,
        E::InvalidTimestamp,
        E::InvalidRecord,
        E::InvalidRequest,
        E::UnsupportedForMessageFormat,
        E::PolicyViolation,
        E::UnsupportedCompressionType,
        E::InvalidTxnState,
        E::TransactionAbortable,
    ]
    .contains(&code)
}
