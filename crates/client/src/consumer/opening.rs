//! What a poll does with the batches that it took: it opens them until it has enough, and settles with the
//! machine what it had no use for.
//!
//! Pure. Opened outside of the machine's lock: decompression takes its time.

use milena_codec::Limits;

use super::fetch::batches::Buffered;
use super::fetch::deliver::{Taken, TakenBatch};
use super::fetch::fault::Fault;
use super::fetch::machine::Machine;
use super::records::Records;
use super::unpack::{End, unpack};
use crate::types::{NextOffset, TopicPartition};

/// What came of the batches of one poll.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    records: Records,
    /// In the order of the log.
    left_over: Vec<LeftOver>,
    failed: Vec<Failed>,
}

/// A batch, or the rest of one, that the poll had no use for; `position` is the one in front of it.
#[derive(Debug)]
struct LeftOver {
    name: TopicPartition,
    generation: u64,
    position: NextOffset,
    buffered: Buffered,
}

/// A partition whose records cannot be read from `position` on.
#[derive(Debug)]
struct Failed {
    name: TopicPartition,
    generation: u64,
    position: NextOffset,
    fault: Fault,
}

/// Opens batches until there are `records_max` records, or until those that were decompressed came to
/// `limits.decompressed_bytes`: as each is bounded by the same limit, a poll keeps less than twice that.
pub(crate) fn open(taken: Taken, records_max: usize, limits: &Limits) -> Opened {
    let mut opened = Opened::default();
    let mut decompressed_bytes = 0_usize;
    for batch in taken.batches {
        // A poll takes all of a partition before it goes on to the next.
        let last = opened.failed.last();
        if last.is_some_and(|failed| failed.name == batch.name) {
            continue;
        }
        if decompressed_bytes >= limits.decompressed_bytes {
            opened.leave(batch);
            continue;
        }
        decompressed_bytes =
            decompressed_bytes.saturating_add(opened.take(batch, records_max, limits));
    }
    for (name, next) in taken.moved {
        opened.records.moved(&name, next);
    }
    opened
}

impl Opened {
    /// Tells the machine what was left and what failed; also says whether anything did.
    pub(crate) fn settle(self, machine: &mut Machine) -> (Records, bool) {
        let any_failed = !self.failed.is_empty();
        for failed in self.failed {
            let Failed {
                name,
                generation,
                position,
                fault,
            } = failed;
            machine.fail(&name, generation, position, fault);
        }
        // Each goes in front of what was put back before it.
        for left in self.left_over.into_iter().rev() {
            machine.put_back(&left.name, left.generation, left.position, left.buffered);
        }
        (self.records, any_failed)
    }

    fn leave(&mut self, batch: TakenBatch) {
        self.left_over.push(LeftOver {
            name: batch.name,
            generation: batch.generation,
            position: batch.before,
            buffered: batch.buffered,
        });
    }

    /// Opens one batch; returns the bytes that it was decompressed to.
    fn take(&mut self, taken: TakenBatch, records_max: usize, limits: &Limits) -> usize {
        let TakenBatch {
            name,
            generation,
            buffered,
            before,
        } = taken;
        let batch = buffered.batch.clone();
        let mut next = buffered.next;
        let room = records_max.saturating_sub(self.records.len());
        let unpacked = match unpack(buffered, before, room, limits) {
            Ok(unpacked) => unpacked,
            Err((position, fault)) => {
                self.failed.push(Failed {
                    name,
                    generation,
                    position,
                    fault,
                });
                return 0;
            }
        };
        match unpacked.end {
            End::Whole => {}
            End::Cut { next: cut, rest } => {
                next = cut;
                self.left_over.push(LeftOver {
                    name: name.clone(),
                    generation,
                    position: cut,
                    buffered: rest,
                });
            }
            End::Broken {
                next: position,
                fault,
            } => {
                next = position;
                self.failed.push(Failed {
                    name: name.clone(),
                    generation,
                    position,
                    fault,
                });
            }
        }
        if unpacked.count > 0 || next != before {
            self.records
                .push(&name, batch, unpacked.records, unpacked.count);
            self.records.moved(&name, next);
        }
        unpacked.decompressed_bytes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use milena_codec::record::{Compression, RecordToWrite};
    use milena_codec::{BatchBuilder, BatchStamp, Batches};

    use super::super::fetch::fixture::{Fixture, data, settings, tp};
    use super::super::fetch::machine::Settings;
    use super::super::test_log::RawBatch;
    use super::*;

    /// Four records of 1 KB of the same byte.
    fn compressed(base_offset: i64) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Vec::new());
        for _ in 0..4 {
            let record = RecordToWrite {
                timestamp: 0,
                key: None,
                value: Some(&[7; 1_024]),
                headers: &[],
            };
            builder.append(&record).unwrap();
        }
        let closed = builder.close(Compression::Lz4).unwrap();
        let mut batch = closed.to_vec(&BatchStamp::NONE);
        batch[..8].copy_from_slice(&base_offset.to_be_bytes());
        batch
    }

    /// What such a batch is decompressed to.
    fn opened_bytes() -> usize {
        let batch = Batches::new(compressed(0).into()).next().unwrap().unwrap();
        batch.records(&Limits::default()).unwrap().bytes().len()
    }

    fn limits(decompressed_bytes: usize) -> Limits {
        let mut limits = Limits::default();
        limits.decompressed_bytes = decompressed_bytes;
        limits
    }

    /// Partitions with these bytes fetched from offset 0.
    fn fetched(settings: Settings, partitions: &[Vec<u8>]) -> Fixture {
        let count = i32::try_from(partitions.len()).unwrap();
        let mut fixture = Fixture::at_zero(settings, count);
        let plan = fixture.begin(1);
        let answers = (0..).zip(partitions);
        let answers = answers.map(|(partition, bytes)| (partition, data(bytes.clone(), 0)));
        fixture.answer(&plan, answers.collect());
        fixture
    }

    /// Partition and offset of each record that a poll gives.
    fn poll(fixture: &mut Fixture, records_max: usize, limits: &Limits) -> Vec<(i32, i64)> {
        let opened = open(fixture.machine.take(records_max), records_max, limits);
        let (records, any_failed) = opened.settle(&mut fixture.machine);
        assert!(!any_failed);
        let place = records.iter().map(|it| (it.partition, it.offset));
        place.collect()
    }

    fn kept(fixture: &Fixture, partition: i32) -> usize {
        let partition = fixture.machine.partition(&tp(partition)).unwrap();
        let batches = partition.buffer.iter();
        batches.map(|batch| batch.decompressed_bytes).sum()
    }

    #[test]
    fn a_poll_stops_when_it_has_decompressed_enough_and_the_next_goes_on_there() {
        let bytes: Vec<u8> = (0..5).flat_map(|batch| compressed(batch * 4)).collect();
        let mut fixture = fetched(settings(), &[bytes]);
        let bound = limits(2 * opened_bytes());
        let mut seen = Vec::new();
        for expected in [8, 8, 4, 0] {
            let given = poll(&mut fixture, 1_000, &bound);
            assert_eq!(given.len(), expected);
            seen.extend(given);
            let position = i64::try_from(seen.len()).unwrap();
            assert_eq!(fixture.offset(0), Some(position));
        }
        let expected: Vec<_> = (0..20).map(|offset| (0, offset)).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_poll_opens_one_batch_at_least() {
        let mut fixture = fetched(settings(), &[[compressed(0), compressed(4)].concat()]);
        let bound = limits(opened_bytes());
        assert_eq!(poll(&mut fixture, 1_000, &bound).len(), 4);
        assert_eq!(poll(&mut fixture, 1_000, &bound).len(), 4);
    }

    #[test]
    fn what_is_not_compressed_counts_as_it_came_and_not_again() {
        let plain: Vec<u8> = (0..5)
            .flat_map(|batch| RawBatch::plain(batch * 4, &[0, 1, 2, 3]).encode())
            .collect();
        let mut fixture = fetched(settings(), &[plain]);
        assert_eq!(poll(&mut fixture, 1_000, &limits(1)).len(), 20);
    }

    #[test]
    fn no_more_is_kept_decompressed_than_the_limit_and_nothing_is_lost_by_it() {
        let settings = Settings {
            decompressed_bytes_max: 2 * opened_bytes(),
            ..settings()
        };
        let partitions = vec![compressed(0); 4];
        let mut fixture = fetched(settings, &partitions);
        // Each poll takes one record, from one partition after the other.
        let mut seen = Vec::new();
        for _ in 0..16 {
            seen.extend(poll(&mut fixture, 1, &Limits::default()));
            let all: usize = (0..4).map(|partition| kept(&fixture, partition)).sum();
            assert!(all <= 2 * opened_bytes(), "{all}");
        }
        let first: HashSet<i32> = seen[..4].iter().map(|(partition, _)| *partition).collect();
        assert_eq!(first.len(), 4, "each its turn: {seen:?}");
        for partition in 0..4 {
            let of = seen.iter().filter(|(from, _)| *from == partition);
            let offsets: Vec<i64> = of.map(|(_, offset)| *offset).collect();
            assert_eq!(offsets, [0, 1, 2, 3], "{partition}");
        }
        assert_eq!(poll(&mut fixture, 1, &Limits::default()), []);
    }
}
