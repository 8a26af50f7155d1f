//! A partition's log for tests: batches in bytes, who may see what, and a broker's answers from it.
//!
//! It shares nothing with the code under test: batches are written here byte by byte, and visibility is
//! known from how the log was made, not found out from it.

#![expect(
    clippy::unwrap_used,
    reason = "lengths of records that are written here are small"
)]

use std::collections::BTreeMap;

use bytes::Bytes;
use milena_codec::ProducerId;

use super::visibility::AbortedTransaction;
use crate::types::IsolationLevel;

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Commit,
    Abort,
}

#[derive(Clone, Debug)]
enum Content {
    Data {
        transaction: Option<usize>,
        is_transactional: bool,
    },
    Marker {
        outcome: Outcome,
    },
}

#[derive(Clone, Debug)]
struct Entry {
    base_offset: i64,
    last_offset: i64,
    leader_epoch: i32,
    producer_id: i64,
    /// Offsets whose records compaction has left.
    offsets: Vec<i64>,
    content: Content,
}

#[derive(Clone, Debug)]
struct Transaction {
    producer_id: i64,
    first_offset: i64,
    /// The offset of its marker.
    end: Option<(i64, Outcome)>,
    /// Whether the broker lists it if it was aborted: until compaction has removed its marker, which it
    /// does only after all of its data.
    is_listed: bool,
}

/// One partition's log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    entries: Vec<Entry>,
    transactions: Vec<Transaction>,
    open: BTreeMap<i64, usize>,
    next_offset: i64,
    leader_epoch: i32,
}

impl Log {
    /// Appends a batch of `count` records. In a transaction it opens one unless one is open.
    pub(crate) fn append(&mut self, producer_id: i64, count: usize, is_transactional: bool) {
        let base_offset = self.next_offset;
        let transaction = is_transactional.then(|| {
            *self.open.entry(producer_id).or_insert_with(|| {
                let first_offset = base_offset;
                self.transactions.push(Transaction {
                    producer_id,
                    first_offset,
                    end: None,
                    is_listed: true,
                });
                self.transactions.len() - 1
            })
        });
        let count = i64::try_from(count).unwrap();
        self.push(
            producer_id,
            count,
            Content::Data {
                transaction,
                is_transactional,
            },
        );
    }

    /// Writes a marker; without an open transaction it ends nothing here.
    pub(crate) fn end(&mut self, producer_id: i64, outcome: Outcome) {
        if let Some(transaction) = self.open.remove(&producer_id) {
            self.transactions[transaction].end = Some((self.next_offset, outcome));
        }
        self.push(producer_id, 1, Content::Marker { outcome });
    }

    /// A new leader took over.
    pub(crate) fn elect(&mut self) {
        self.leader_epoch += 1;
    }

    /// Removes records as compaction does: single ones, all of a batch, or the batch itself. The
    /// marker of an aborted transaction stays as long as any of its data is there.
    #[cfg(test)]
    pub(crate) fn compact(&mut self, mut removes: impl FnMut(i64) -> bool, drop_empty: bool) {
        let mut alive: Vec<bool> = vec![false; self.transactions.len()];
        for entry in &mut self.entries {
            if let Content::Data { transaction, .. } = entry.content {
                entry.offsets.retain(|offset| !removes(*offset));
                if let Some(transaction) = transaction
                    && !entry.offsets.is_empty()
                {
                    alive[transaction] = true;
                }
            }
        }
        for entry in &mut self.entries {
            if !matches!(entry.content, Content::Marker { .. }) || !removes(entry.base_offset) {
                continue;
            }
            let ended = self.transactions.iter_mut().zip(&alive).find(|(transaction, _)| {
                matches!(transaction.end, Some((at, _)) if at == entry.base_offset)
            });
            match ended {
                Some((_, true)) => {}
                Some((transaction, false)) => {
                    entry.offsets.clear();
                    transaction.is_listed = false;
                }
                None => entry.offsets.clear(),
            }
        }
        if drop_empty {
            self.entries.retain(|entry| !entry.offsets.is_empty());
        }
    }

    fn push(&mut self, producer_id: i64, count: i64, content: Content) {
        let base_offset = self.next_offset;
        self.next_offset += count;
        self.entries.push(Entry {
            base_offset,
            last_offset: self.next_offset - 1,
            leader_epoch: self.leader_epoch,
            producer_id,
            offsets: (base_offset..self.next_offset).collect(),
            content,
        });
    }

    pub(crate) fn high_watermark(&self) -> i64 {
        self.next_offset
    }

    pub(crate) fn last_stable_offset(&self) -> i64 {
        let open = self
            .open
            .values()
            .map(|open| self.transactions[*open].first_offset);
        open.min().unwrap_or(self.next_offset)
    }

    pub(crate) fn end_offset(&self, isolation_level: IsolationLevel) -> i64 {
        match isolation_level {
            IsolationLevel::ReadCommitted => self.last_stable_offset(),
            IsolationLevel::ReadUncommitted => self.high_watermark(),
        }
    }

    /// The offsets that a reader may see, from how the transactions ended.
    pub(crate) fn visible(&self, isolation_level: IsolationLevel, from: i64) -> Vec<i64> {
        let end_offset = self.end_offset(isolation_level);
        let mut offsets = Vec::new();
        for entry in &self.entries {
            let Content::Data { transaction, .. } = entry.content else {
                continue;
            };
            let committed = transaction.is_none_or(|transaction| {
                matches!(
                    self.transactions[transaction].end,
                    Some((_, Outcome::Commit))
                )
            });
            if committed || isolation_level == IsolationLevel::ReadUncommitted {
                offsets.extend(&entry.offsets);
            }
        }
        offsets.retain(|offset| (from..end_offset).contains(offset));
        offsets
    }

    /// Where a reader that began at `from` stands once nothing more comes.
    pub(crate) fn end_of_reading(&self, isolation_level: IsolationLevel, from: i64) -> i64 {
        let end_offset = self.end_offset(isolation_level);
        let readable = self
            .entries
            .iter()
            .filter(|entry| entry.base_offset < end_offset);
        readable
            .map(|entry| entry.last_offset + 1)
            .max()
            .unwrap_or(from)
            .max(from)
    }

    /// The largest epoch up to `epoch` that wrote anything, and where it ended.
    pub(crate) fn epoch_end(&self, epoch: i32) -> (Option<i32>, Option<i64>) {
        let mut up_to = self.entries.iter().filter(|e| e.leader_epoch <= epoch);
        let mut behind = self.entries.iter().filter(|e| e.leader_epoch > epoch);
        let found = up_to.next_back().map(|entry| entry.leader_epoch);
        let end = behind.next().map_or(self.next_offset, |e| e.base_offset);
        (found, found.map(|_| end))
    }

    /// The epoch of the last batch below `offset`.
    #[cfg(test)]
    pub(crate) fn epoch_before(&self, offset: i64) -> Option<i32> {
        let mut below = self
            .entries
            .iter()
            .filter(|entry| entry.last_offset < offset);
        below.next_back().map(|entry| entry.leader_epoch)
    }

    /// The bytes of a fetch: whole batches from the one with `offset` on, cut after `bytes_max`, but
    /// the first one whole.
    pub(crate) fn fetch(
        &self,
        isolation_level: IsolationLevel,
        offset: i64,
        bytes_max: usize,
    ) -> Bytes {
        let end_offset = self.end_offset(isolation_level);
        let mut bytes = Vec::new();
        let mut first = 0;
        for entry in &self.entries {
            if entry.last_offset >= offset && entry.base_offset < end_offset {
                bytes.extend(entry.encode());
                first = if first == 0 { bytes.len() } else { first };
            }
        }
        bytes.truncate(bytes_max.max(first));
        Bytes::from(bytes)
    }

    /// The list that goes with a fetch at `offset`: every transaction whose abort marker is at or
    /// above it, from the newest to the oldest.
    pub(crate) fn aborted(&self, offset: i64) -> Vec<AbortedTransaction> {
        let listed = self
            .transactions
            .iter()
            .rev()
            .filter(|transaction| transaction.is_listed);
        listed
            .filter(
                |transaction| matches!(transaction.end, Some((at, Outcome::Abort)) if at >= offset),
            )
            .map(|transaction| AbortedTransaction {
                producer_id: ProducerId(transaction.producer_id),
                first_offset: transaction.first_offset,
            })
            .collect()
    }
}

impl Entry {
    fn encode(&self) -> Vec<u8> {
        let mut records = Vec::new();
        for offset in &self.offsets {
            let delta = offset - self.base_offset;
            match &self.content {
                Content::Data { .. } => {
                    put_record(&mut records, delta, b"k", &offset.to_be_bytes());
                }
                Content::Marker { outcome } => {
                    let kind = u8::from(*outcome == Outcome::Commit);
                    put_record(&mut records, delta, &[0, 0, 0, kind], &[0; 6]);
                }
            }
        }
        let attributes = match self.content {
            Content::Data {
                is_transactional, ..
            } => i16::from(is_transactional) << 4,
            Content::Marker { .. } => 0b11_0000,
        };
        RawBatch {
            base_offset: self.base_offset,
            leader_epoch: self.leader_epoch,
            attributes,
            last_offset_delta: i32::try_from(self.last_offset - self.base_offset).unwrap(),
            producer_id: self.producer_id,
            record_count: i32::try_from(self.offsets.len()).unwrap(),
            records,
        }
        .encode()
    }
}

/// A batch field by field, for tests that need a wrong one.
#[derive(Clone, Debug)]
pub(crate) struct RawBatch {
    pub(crate) base_offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) producer_id: i64,
    pub(crate) record_count: i32,
    pub(crate) records: Vec<u8>,
}

impl RawBatch {
    /// A batch outside transactions with these offset deltas.
    #[cfg(test)]
    pub(crate) fn plain(base_offset: i64, deltas: &[i64]) -> Self {
        let mut records = Vec::new();
        for delta in deltas {
            put_record(
                &mut records,
                *delta,
                b"k",
                &(base_offset + delta).to_be_bytes(),
            );
        }
        Self {
            base_offset,
            leader_epoch: 0,
            attributes: 0,
            last_offset_delta: i32::try_from(deltas.iter().max().copied().unwrap_or(0)).unwrap(),
            producer_id: -1,
            record_count: i32::try_from(deltas.len()).unwrap(),
            records,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut covered = Vec::new();
        covered.extend(self.attributes.to_be_bytes());
        covered.extend(self.last_offset_delta.to_be_bytes());
        covered.extend([0; 16]);
        covered.extend(self.producer_id.to_be_bytes());
        covered.extend(0_i16.to_be_bytes());
        covered.extend(0_i32.to_be_bytes());
        covered.extend(self.record_count.to_be_bytes());
        covered.extend(&self.records);
        let mut batch = Vec::new();
        batch.extend(self.base_offset.to_be_bytes());
        batch.extend(i32::try_from(9 + covered.len()).unwrap().to_be_bytes());
        batch.extend(self.leader_epoch.to_be_bytes());
        batch.push(2);
        batch.extend(milena_codec::record::crc32c([&covered[..]]).to_be_bytes());
        batch.extend(covered);
        batch
    }
}

/// A record without headers whose lengths all fit one varint byte.
fn put_record(out: &mut Vec<u8>, offset_delta: i64, key: &[u8], value: &[u8]) {
    let mut body = vec![0, 0];
    let mut zigzag = ((offset_delta << 1) ^ (offset_delta >> 63)).cast_unsigned();
    while zigzag >= 0x80 {
        body.push(u8::try_from(zigzag & 0x7f).unwrap() | 0x80);
        zigzag >>= 7;
    }
    body.push(u8::try_from(zigzag).unwrap());
    for part in [key, value] {
        body.push(u8::try_from(part.len() * 2).unwrap());
        body.extend(part);
    }
    body.push(0);
    out.push(u8::try_from(body.len() * 2).unwrap());
    out.extend(body);
}
