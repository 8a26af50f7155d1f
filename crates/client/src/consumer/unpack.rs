//! Opens a batch for the application: decompresses it, walks its records once, and cuts it where the
//! position begins and where a poll has enough.

use milena_codec::{BatchError, Limits, Records};

use super::fetch::batches::{Buffered, leader_epoch};
use super::fetch::fault::Fault;
use super::types::NextOffset;

/// The records of one batch that a poll gives out.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// Begins with the first record to give out.
    pub(crate) records: Records,
    /// How many of them to give out. Each has been walked and is whole.
    pub(crate) count: usize,
    pub(crate) end: End,
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
    let opened = match &buffered.rest {
        Some(rest) => Ok(rest.clone()),
        None => buffered.batch.records(limits),
    };
    let records = match opened {
        Ok(records) => records,
        Err(cause) => return Err((next, corrupt(next, cause))),
    };
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
            Some(Ok(record)) if record.offset < next.offset && count == 0 => start = iter.clone(),
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
    })
}

fn corrupt(at: NextOffset, cause: BatchError) -> Fault {
    Fault::Corrupt {
        offset: at.offset,
        cause,
    }
}
