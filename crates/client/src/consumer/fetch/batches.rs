//! From the bytes of one partition in one answer to the batches that the application may see, and
//! where to read on.

use bytes::Bytes;
use milena_codec::{Batch, BatchError, Batches, ControlRecord, Records, Tail};

use super::super::types::NextOffset;
use super::super::visibility::{BatchHead, Content, Filter, Verdict};
use super::fault::Fault;

/// A batch that waits for the application.
#[derive(Clone, Debug)]
pub(crate) struct Buffered {
    pub(crate) batch: Batch,
    /// The records that are left of it, once a poll has taken only its beginning.
    pub(crate) rest: Option<Records>,
    /// Records before this offset are not for the application: a fetch returns whole batches.
    pub(crate) from: i64,
    /// Where to read on after this batch and whatever hidden follows it.
    pub(crate) next: NextOffset,
}

impl Buffered {
    /// Bytes that it keeps in memory, as they came.
    pub(crate) fn bytes(&self) -> usize {
        self.batch.wire_size()
    }

    /// The most records that it can give.
    pub(crate) fn records_max(&self) -> usize {
        let count = match &self.rest {
            Some(rest) => rest.count(),
            None => self.batch.record_count().max(0).cast_unsigned(),
        };
        usize::try_from(count).unwrap_or(usize::MAX)
    }
}

/// What the bytes of one partition came to.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Hidden batches came first; where to read on after them.
    pub(crate) skipped_to: Option<NextOffset>,
    pub(crate) batches: Vec<Buffered>,
    /// What stopped the reading, behind all of the above.
    pub(crate) fault: Option<Fault>,
}

impl Reading {
    /// Where to fetch next; `None` if nothing was gained.
    pub(crate) fn next(&self) -> Option<NextOffset> {
        self.batches
            .last()
            .map(|last| last.next)
            .or(self.skipped_to)
    }
}

/// Reads `records`, fetched at `fetch_offset`. Never gives an offset below `fetch_offset`, nor one
/// twice, whatever the broker sent.
pub(crate) fn read(
    records: Bytes,
    fetch_offset: i64,
    mut filter: Filter,
    check_crcs: bool,
) -> Reading {
    let mut reading = Reading::default();
    let mut offset = fetch_offset;
    let mut batches = Batches::new(records);
    let mut any_whole = false;
    for batch in &mut batches {
        any_whole = true;
        match batch.and_then(|batch| judge(batch, &mut filter, check_crcs)) {
            Ok((batch, verdict)) => offset = reading.push(batch, verdict, offset),
            Err(cause) => {
                reading.fault = Some(Fault::Corrupt { offset, cause });
                return reading;
            }
        }
    }
    // A batch cut off at the end is normal, except as the only one.
    if let Tail::Partial { have, need } = batches.tail()
        && !any_whole
    {
        reading.fault = Some(Fault::NoWholeBatch { offset, have, need });
    }
    reading
}

impl Reading {
    /// Adds the next batch; returns where to read on.
    fn push(&mut self, batch: Batch, verdict: Verdict, offset: i64) -> i64 {
        let next_offset = batch.next_offset();
        // A batch wholly below the position has nothing to say, and must not move it back.
        if next_offset <= offset {
            return offset;
        }
        let next = NextOffset {
            offset: next_offset,
            leader_epoch: leader_epoch(&batch),
        };
        // Compaction may leave a batch without records.
        if verdict == Verdict::Visible && batch.record_count() != 0 {
            self.batches.push(Buffered {
                batch,
                rest: None,
                from: offset,
                next,
            });
        } else if let Some(last) = self.batches.last_mut() {
            last.next = next;
        } else {
            self.skipped_to = Some(next);
        }
        next_offset
    }
}

fn judge(
    batch: Batch,
    filter: &mut Filter,
    check_crcs: bool,
) -> Result<(Batch, Verdict), BatchError> {
    if check_crcs {
        batch.check_crc()?;
    }
    let content = if !batch.is_control() {
        Content::Data
    } else if matches!(batch.control()?, Some(ControlRecord::Abort { .. })) {
        Content::AbortMarker
    } else {
        Content::OtherControl
    };
    let verdict = filter.judge(BatchHead {
        last_offset: batch.last_offset(),
        producer_id: batch.producer().producer_id,
        is_transactional: batch.is_transactional(),
        content,
    });
    Ok((batch, verdict))
}

/// The epoch of the leader that appended the batch; brokers write -1 where they know none.
pub(crate) fn leader_epoch(batch: &Batch) -> Option<i32> {
    Some(batch.partition_leader_epoch()).filter(|epoch| *epoch >= 0)
}
