//! From the bytes of one partition in one answer to the batches that the application may see, and
//! where to read on.

use bytes::Bytes;
use milena_codec::{Batch, BatchError, Batches, ControlRecord, Records, Tail};

use super::super::visibility::{BatchHead, Content, Filter, Verdict};
use super::fault::Fault;
use crate::types::NextOffset;

/// A batch that waits for the application.
#[derive(Clone, Debug)]
pub(crate) struct Buffered {
    pub(crate) batch: Batch,
    /// The records that are left of it, once a poll has taken only its beginning.
    pub(crate) rest: Option<Records>,
    /// Bytes that the batch was decompressed to, for as long as there is a rest of it.
    pub(crate) decompressed_bytes: usize,
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

    /// Forgets what it was decompressed to: it is opened again when its turn comes.
    pub(crate) fn close(&mut self) {
        self.rest = None;
        self.decompressed_bytes = 0;
    }

    /// The most records that it can give.
    pub(crate) fn records_max(&self) -> usize {
        let count = match &self.rest {
            Some(rest) => rest.count(),
            // A compressed message set of magic 0 or 1 does not say: at least one.
            None if self.batch.magic() < 2 => 1,
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
            // It would move nothing, and be fetched again for ever.
            Ok((batch, _)) if batch.last_offset_delta() < 0 => {
                reading.fault = Some(Fault::Disordered { offset });
                return reading;
            }
            Ok((batch, verdict)) => offset = reading.push(batch, verdict, offset),
            Err(cause) => {
                reading.fault = Some(Fault::Corrupt { offset, cause });
                return reading;
            }
        }
    }
    // A batch cut off at the end is normal, except as the only one; any other length that cannot be is an error.
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
        let too_far = bug!(PositionAfterControl) && verdict == Verdict::Control;
        let next_offset = batch.next_offset() + i64::from(too_far);
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
                decompressed_bytes: 0,
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

#[cfg(test)]
mod tests {
    use super::super::super::test_log::{Log, Outcome, RawBatch};
    use super::*;
    use crate::types::IsolationLevel;

    fn read_committed(records: Vec<u8>, fetch_offset: i64) -> Reading {
        let filter = Filter::new(IsolationLevel::ReadCommitted, []);
        read(Bytes::from(records), fetch_offset, filter, true)
    }

    fn log(log: &Log, fetch_offset: i64) -> Reading {
        let level = IsolationLevel::ReadCommitted;
        let filter = Filter::new(level, log.aborted(fetch_offset));
        read(
            log.fetch(level, fetch_offset, usize::MAX),
            fetch_offset,
            filter,
            true,
        )
    }

    fn at(next: Option<NextOffset>) -> Option<i64> {
        next.map(|next| next.offset)
    }

    #[test]
    fn hidden_batches_move_the_position_with_the_batch_before_them() {
        // 0 and 1 are shown, 2 is their marker, 3 and 4 were aborted.
        let mut built = Log::default();
        built.append(1, 2, true);
        built.end(1, Outcome::Commit);
        built.append(1, 1, true);
        built.end(1, Outcome::Abort);
        let reading = log(&built, 0);
        assert_eq!(reading.batches.len(), 1);
        assert_eq!(at(reading.next()), Some(5));
        assert_eq!(reading.skipped_to, None);
    }

    #[test]
    fn hidden_batches_in_front_move_the_position_at_once() {
        //
        let mut built = Log::default();
        built.append(1, 3, true);
        built.end(1, Outcome::Abort);
        let reading = log(&built, 0);
        assert!(reading.batches.is_empty());
        assert_eq!(at(reading.skipped_to), Some(4));
        assert_eq!(at(reading.next()), Some(4));
    }

    #[test]
    fn a_batch_emptied_by_compaction_moves_the_position() {
        //
        let empty = RawBatch {
            last_offset_delta: 7,
            ..RawBatch::plain(10, &[])
        };
        let reading = read_committed(empty.encode(), 10);
        assert_eq!(at(reading.skipped_to), Some(18));
    }

    #[test]
    fn a_batch_that_lost_its_last_record_moves_the_position_behind_it() {
        //
        let batch = RawBatch {
            last_offset_delta: 9,
            ..RawBatch::plain(10, &[0, 3])
        };
        let reading = read_committed(batch.encode(), 10);
        assert_eq!(at(reading.next()), Some(20));
    }

    #[test]
    fn a_batch_cut_off_at_the_end_is_ignored() {
        //
        let mut records = RawBatch::plain(0, &[0, 1]).encode();
        let whole = records.len();
        records.extend(RawBatch::plain(2, &[0, 1]).encode());
        for cut in whole..records.len() {
            let reading = read_committed(records[..cut].to_vec(), 0);
            assert_eq!(
                (reading.batches.len(), at(reading.next())),
                (1, Some(2)),
                "cut at {cut}"
            );
            assert_eq!(reading.fault, None);
        }
    }

    #[test]
    fn an_answer_without_one_whole_batch_is_an_error() {
        //
        let records = RawBatch::plain(5, &[0, 1]).encode();
        let reading = read_committed(records[..40].to_vec(), 5);
        assert_eq!(at(reading.next()), None);
        let need = records.len();
        assert_eq!(
            reading.fault,
            Some(Fault::NoWholeBatch {
                offset: 5,
                have: 40,
                need
            })
        );
    }

    #[test]
    fn what_came_before_a_damaged_batch_is_kept() {
        // R-39a; the error is at the position where the damaged batch begins.
        let mut records = RawBatch::plain(0, &[0, 1]).encode();
        let mut damaged = RawBatch::plain(2, &[0, 1]).encode();
        *damaged.last_mut().unwrap() ^= 1;
        records.extend(damaged);
        let reading = read_committed(records, 0);
        assert_eq!((reading.batches.len(), at(reading.next())), (1, Some(2)));
        assert!(matches!(
            reading.fault,
            Some(Fault::Corrupt { offset: 2, .. })
        ));
    }

    #[test]
    fn a_hidden_batch_is_checked_too() {
        //
        let mut built = Log::default();
        built.append(1, 1, true);
        built.end(1, Outcome::Abort);
        let level = IsolationLevel::ReadCommitted;
        let mut records = built.fetch(level, 0, usize::MAX).to_vec();
        records[75] ^= 1;
        for (check_crcs, is_refused) in [(true, true), (false, false)] {
            let filter = Filter::new(level, built.aborted(0));
            let reading = read(Bytes::from(records.clone()), 0, filter, check_crcs);
            assert_eq!(reading.fault.is_some(), is_refused);
        }
    }

    #[test]
    fn lengths_and_formats_that_cannot_be_are_errors() {
        // R-39, R-39b: a negative length, and magic 1 and 3.
        let good = RawBatch::plain(0, &[0]).encode();
        let wrong = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            read_committed(bytes, 0)
        };
        for reading in [wrong(8, 0xff), wrong(16, 1), wrong(16, 3)] {
            assert!(matches!(
                reading.fault,
                Some(Fault::Corrupt { offset: 0, .. })
            ));
            assert_eq!(at(reading.next()), None);
        }
    }

    #[test]
    fn a_batch_that_ends_before_it_begins_is_an_error() {
        //
        let mut records = RawBatch::plain(0, &[0, 1]).encode();
        let backwards = RawBatch {
            last_offset_delta: -1,
            ..RawBatch::plain(2, &[0])
        };
        records.extend(backwards.encode());
        let reading = read_committed(records, 0);
        assert_eq!((reading.batches.len(), at(reading.next())), (1, Some(2)));
        assert_eq!(reading.fault, Some(Fault::Disordered { offset: 2 }));
    }

    #[test]
    fn batches_out_of_order_never_take_the_position_back() {
        let mut records = RawBatch::plain(10, &[0, 1]).encode();
        records.extend(RawBatch::plain(4, &[0, 1]).encode());
        records.extend(RawBatch::plain(11, &[0, 1]).encode());
        let reading = read_committed(records, 10);
        let froms: Vec<_> = reading.batches.iter().map(|batch| batch.from).collect();
        assert_eq!((froms, at(reading.next())), (vec![10, 12], Some(13)));
    }
}
