//! Opens a batch for the application: decompresses it, walks its records once, and cuts it where the
//! position begins and where a poll has enough.

use milena_codec::record::Compression;
use milena_codec::{Batch, BatchError, Limits, Records};

use super::fetch::batches::{Buffered, leader_epoch};
use super::fetch::fault::Fault;
use crate::types::NextOffset;

/// The records of one batch that a poll gives out.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// Begins with the first record to give out.
    pub(crate) records: Records,
    /// How many of them to give out. Each has been walked and is whole.
    pub(crate) count: usize,
    pub(crate) end: End,
    /// Bytes of memory that the batch was decompressed to, all of it.
    pub(crate) decompressed_bytes: usize,
}

/// How the batch ended.
#[derive(Debug)]
pub(crate) enum End {
    /// Nothing is left of it.
    Whole,
    /// The poll has enough; reading goes on here with what is left.
    Cut { next: NextOffset, rest: Buffered },
    /// The record behind those counted cannot be read (R-39a).
    Broken { next: NextOffset, fault: Fault },
}

/// Opens `buffered` and takes at most `records_max` records; `before` is the position in front of it.
///
/// Records below the position are passed over: a fetch returns whole batches. Offsets must
/// rise and stay within the batch, or the batch counts as broken from there: whatever bytes came, no
/// offset is given out twice.
pub(crate) fn unpack(
    buffered: Buffered,
    before: NextOffset,
    records_max: usize,
    limits: &Limits,
) -> Result<Unpacked, (NextOffset, Fault)> {
    let mut next = NextOffset {
        offset: buffered.from,
        ..before
    };
    let (records, decompressed_bytes) = match &buffered.rest {
        Some(rest) => (rest.clone(), buffered.decompressed_bytes),
        None => match buffered.batch.records(limits) {
            Ok(records) => {
                let bytes = decompressed_bytes(&buffered.batch, &records);
                (records, bytes)
            }
            Err(cause) => return Err((next, corrupt(next, cause))),
        },
    };
    // A compressed message set of magic 0 or 1 shows the offset of its first record only from inside.
    let base_offset = records.base_offset();
    let end_offset = buffered.batch.next_offset();
    let leader_epoch = leader_epoch(&buffered.batch);
    let mut iter = records.iter();
    let mut start = iter.clone();
    let mut count = 0;
    let end = loop {
        if count == records_max {
            let rest = records.rest(&iter);
            if rest.is_empty() {
                break End::Whole;
            }
            let rest = Buffered {
                rest: Some(rest),
                decompressed_bytes,
                from: next.offset,
                ..buffered
            };
            break End::Cut { next, rest };
        }
        match iter.next() {
            None => break End::Whole,
            Some(Err(cause)) => {
                break End::Broken {
                    next,
                    fault: corrupt(next, cause),
                };
            }
            Some(Ok(record))
                if record.offset < next.offset && record.offset >= base_offset && count == 0 =>
            {
                start = iter.clone();
            }
            Some(Ok(record)) if record.offset < next.offset || record.offset >= end_offset => {
                break End::Broken {
                    next,
                    fault: Fault::Disordered {
                        offset: next.offset,
                    },
                };
            }
            Some(Ok(record)) => {
                count += 1;
                next = NextOffset {
                    offset: record.offset + 1,
                    leader_epoch,
                };
            }
        }
    };
    let records = records.rest(&start);
    Ok(Unpacked {
        records,
        count,
        end,
        decompressed_bytes,
    })
}

/// What the records take beside the answer that their batch came in.
fn decompressed_bytes(batch: &Batch, records: &Records) -> usize {
    match batch.compression() {
        Ok(Compression::None) => 0,
        Ok(_) | Err(_) => records.bytes().len(),
    }
}

fn corrupt(at: NextOffset, cause: BatchError) -> Fault {
    Fault::Corrupt {
        offset: at.offset,
        cause,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use milena_codec::Batches;

    use super::super::test_log::RawBatch;
    use super::*;

    fn buffered(batch: &RawBatch, from: i64) -> (Buffered, NextOffset) {
        around(batch.encode().into(), from)
    }

    fn around(wire: Bytes, from: i64) -> (Buffered, NextOffset) {
        let batch = Batches::new(wire).next().unwrap().unwrap();
        let next = NextOffset {
            offset: batch.next_offset(),
            leader_epoch: Some(0),
        };
        let before = NextOffset {
            offset: from,
            leader_epoch: Some(7),
        };
        (
            Buffered {
                batch,
                rest: None,
                decompressed_bytes: 0,
                from,
                next,
            },
            before,
        )
    }

    fn open(
        batch: &RawBatch,
        from: i64,
        records_max: usize,
    ) -> Result<Unpacked, (NextOffset, Fault)> {
        let (buffered, before) = buffered(batch, from);
        unpack(buffered, before, records_max, &Limits::default())
    }

    fn offsets(unpacked: &Unpacked) -> Vec<i64> {
        let records = unpacked.records.iter().take(unpacked.count);
        records.map(|record| record.unwrap().offset).collect()
    }

    #[test]
    fn records_below_the_position_are_passed_over() {
        //
        let unpacked = open(&RawBatch::plain(10, &[0, 1, 2, 3]), 12, usize::MAX).unwrap();
        assert_eq!(offsets(&unpacked), [12, 13]);
    }

    #[test]
    fn gaps_are_normal() {
        //
        let unpacked = open(&RawBatch::plain(10, &[1, 4, 9]), 10, usize::MAX).unwrap();
        assert_eq!(offsets(&unpacked), [11, 14, 19]);
    }

    #[test]
    fn what_a_poll_does_not_take_is_gone_on_with() {
        let unpacked = open(&RawBatch::plain(0, &[0, 2, 4, 6, 8]), 1, 2).unwrap();
        assert_eq!(offsets(&unpacked), [2, 4]);
        let End::Cut { next, rest } = unpacked.end else {
            panic!("{:?}", unpacked.end)
        };
        assert_eq!(
            next,
            NextOffset {
                offset: 5,
                leader_epoch: Some(0)
            }
        );
        assert_eq!(rest.records_max(), 2);
        let unpacked = unpack(rest, next, 2, &Limits::default()).unwrap();
        assert_eq!(offsets(&unpacked), [6, 8]);
        assert!(matches!(unpacked.end, End::Whole));
    }

    /// Two records at offsets 5 and 6 in a gzip wrapper of magic 1, as Kafka's classes wrote it.
    const OLD_WRAPPER: &[u8] = b"\0\0\0\0\0\0\0\x06\0\0\0\x4f\xe8\x3f\x8d\xe6\x01\x01\0\0\0\0\0\0\x03\xe9\xff\xff\xff\xff\0\0\0\x39\x1f\x8b\x08\0\0\0\0\0\0\xff\x63\x60\x80\x03\x89\x27\x8f\x15\xf7\x30\x42\x39\xcc\x2f\x80\x04\x63\x36\x88\x28\x83\x0a\x81\xa4\xc4\x27\x16\x9b\x33\xc1\xd5\xbc\xfc\x0f\x04\x20\x99\x72\0\xab\x24\x18\xc1\x47\0\0\0";

    #[test]
    fn a_compressed_set_of_an_old_format_can_be_entered_in_its_middle() {
        for (from, expected) in [(0, &[5, 6][..]), (5, &[5, 6]), (6, &[6])] {
            let (buffered, before) = around(Bytes::from_static(OLD_WRAPPER), from);
            assert_eq!(buffered.next.offset, 7);
            let unpacked = unpack(buffered, before, usize::MAX, &Limits::default()).unwrap();
            assert_eq!(offsets(&unpacked), expected);
            assert!(matches!(unpacked.end, End::Whole));
        }
    }

    #[test]
    fn a_count_that_lies_gives_no_record_at_all() {
        // L-27
        for record_count in [1, 3, -1, i32::MAX] {
            let batch = RawBatch {
                record_count,
                ..RawBatch::plain(5, &[0, 1])
            };
            let (at, fault) = open(&batch, 5, usize::MAX).unwrap_err();
            assert_eq!(
                at,
                NextOffset {
                    offset: 5,
                    leader_epoch: Some(7)
                }
            );
            assert!(
                matches!(fault, Fault::Corrupt { offset: 5, .. }),
                "{fault:?}"
            );
        }
    }

    #[test]
    fn records_before_an_unreadable_one_are_given_out() {
        // R-39a: the third record's value reaches beyond its end.
        let mut batch = RawBatch::plain(0, &[0, 1, 2]);
        let record = batch.records.len() / 3;
        batch.records[2 * record + 6] = 100;
        let unpacked = open(&batch, 0, usize::MAX).unwrap();
        assert_eq!(offsets(&unpacked), [0, 1]);
        let End::Broken { next, fault } = unpacked.end else {
            panic!("{:?}", unpacked.end)
        };
        assert_eq!(
            next,
            NextOffset {
                offset: 2,
                leader_epoch: Some(0)
            }
        );
        assert!(matches!(fault, Fault::Corrupt { offset: 2, .. }));
    }

    #[test]
    fn an_offset_in_front_of_the_batch_is_an_error() {
        // R-39a: not a record that was delivered before.
        let unpacked = open(&RawBatch::plain(10, &[-1, 0, 1]), 10, usize::MAX).unwrap();
        assert!(offsets(&unpacked).is_empty());
        let fault = Fault::Disordered { offset: 10 };
        assert!(
            matches!(unpacked.end, End::Broken { next, fault: told } if next.offset == 10 && told == fault)
        );
    }

    #[test]
    fn offsets_that_fall_or_leave_the_batch_are_an_error() {
        let falling = RawBatch {
            last_offset_delta: 9,
            ..RawBatch::plain(0, &[0, 5, 3])
        };
        let twice = RawBatch::plain(0, &[0, 5, 5]);
        let outside = RawBatch {
            last_offset_delta: 4,
            ..RawBatch::plain(0, &[0, 3, 5])
        };
        for (batch, good) in [(falling, [0, 5]), (twice, [0, 5]), (outside, [0, 3])] {
            let unpacked = open(&batch, 0, usize::MAX).unwrap();
            assert_eq!(offsets(&unpacked), good);
            assert!(matches!(
                unpacked.end,
                End::Broken {
                    fault: Fault::Disordered { .. },
                    ..
                }
            ));
        }
    }
}
