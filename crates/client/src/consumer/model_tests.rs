//! Visibility and position against a log whose truth is known from how it was made: whatever the
//! transactions, the cuts and the fetch offsets, a reader gets every committed record once and in
//! order, nothing aborted, nothing of the broker's own, and ends where the log ends.

use std::time::Instant;

use bytes::Bytes;
use milena_codec::Limits;
use proptest::prelude::*;

use super::fetch::answer::PartitionAnswer;
use super::fetch::batches;
use super::fetch::fixture::{Fixture, WAIT, nothing, settings, tp};
use super::fetch::operations;
use super::opening::open;
use super::records::ConsumedRecord;
use super::test_log::{Log, Outcome};
use super::unpack::unpack;
use super::visibility::Filter;
use crate::types::{IsolationLevel, NextOffset, Position};

#[derive(Clone, Debug)]
enum Op {
    Append {
        producer_id: i64,
        count: usize,
    },
    /// A batch of the same producer outside any transaction.
    Idempotent {
        producer_id: i64,
        count: usize,
    },
    Plain {
        count: usize,
    },
    End {
        producer_id: i64,
        outcome: Outcome,
    },
    Elect,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let producer = 0..4_i64;
    let outcome = prop_oneof![Just(Outcome::Abort), Just(Outcome::Commit)];
    let op = prop_oneof![
        6 => (producer.clone(), 1..5_usize)
            .prop_map(|(producer_id, count)| Op::Append { producer_id, count }),
        1 => (producer.clone(), 1..3_usize)
            .prop_map(|(producer_id, count)| Op::Idempotent { producer_id, count }),
        1 => (1..4_usize).prop_map(|count| Op::Plain { count }),
        4 => (producer, outcome).prop_map(|(producer_id, outcome)| Op::End { producer_id, outcome }),
        1 => Just(Op::Elect),
    ];
    prop::collection::vec(op, 0..40)
}

/// What compaction removes.
fn compactions() -> impl Strategy<Value = Option<(u64, bool)>> {
    prop::option::of((any::<u64>(), any::<bool>()))
}

fn build(ops: &[Op], compaction: Option<(u64, bool)>) -> Log {
    let mut log = Log::default();
    for op in ops {
        match *op {
            Op::Append { producer_id, count } => log.append(producer_id, count, true),
            Op::Idempotent { producer_id, count } => log.append(producer_id, count, false),
            Op::Plain { count } => log.append(-1, count, false),
            Op::End {
                producer_id,
                outcome,
            } => log.end(producer_id, outcome),
            Op::Elect => log.elect(),
        }
    }
    if let Some((bits, drop_empty)) = compaction {
        log.compact(|offset| bits >> (offset % 64) & 1 == 1, drop_empty);
    }
    log
}

/// One reader of partition 0 and the log that it reads.
struct Reader {
    fixture: Fixture,
    log: Log,
    isolation_level: IsolationLevel,
    bytes_max: usize,
}

impl Reader {
    fn new(log: Log, isolation_level: IsolationLevel, bytes_max: usize) -> Self {
        let mut settings = settings();
        settings.isolation_level = isolation_level;
        Self {
            fixture: Fixture::at_zero(settings, 1),
            log,
            isolation_level,
            bytes_max,
        }
    }

    fn seek(&mut self, offset: i64) {
        self.fixture
            .machine
            .seek(&tp(0), Position::Offset(offset))
            .unwrap();
    }

    /// One fetch, answered from the log; `false` if the broker had nothing.
    fn fetch(&mut self) -> bool {
        self.fixture.advance(WAIT);
        let Some(plan) = self.fixture.begin_any() else {
            return false;
        };
        let offset = plan.asked[&tp(0)].fetch_offset;
        let records = self.log.fetch(self.isolation_level, offset, self.bytes_max);
        self.fixture.advance(WAIT);
        let any = !records.is_empty();
        let answer = self.read(records, offset);
        self.fixture.answer(&plan, vec![(0, answer)]);
        any
    }

    fn read(&self, records: Bytes, offset: i64) -> PartitionAnswer {
        let filter = Filter::new(self.isolation_level, self.log.aborted(offset));
        PartitionAnswer {
            reading: batches::read(records, offset, filter, true),
            ..nothing()
        }
    }

    /// What a poll with this bound gives: offsets, and the position behind them.
    fn poll(&mut self, records_max: usize) -> Vec<i64> {
        let taken = self.fixture.machine.take(records_max);
        assert!(taken.fault.is_none(), "{:?}", taken.fault);
        let opened = open(taken, records_max, &Limits::default());
        let (records, any_failed) = opened.settle(&mut self.fixture.machine);
        assert!(!any_failed);
        let offset = |record: ConsumedRecord<'_>| {
            // Written by the log itself: the value tells the offset.
            assert_eq!(record.value, Some(&record.offset.to_be_bytes()[..]));
            record.offset
        };
        records.iter().map(offset).collect()
    }

    fn position(&self) -> NextOffset {
        self.fixture.position(0).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_visible_record_comes_once_and_in_order(
        ops in ops(),
        compaction in compactions(),
        committed in any::<bool>(),
        bytes_max in 1..2_000_usize,
        start in 0..60_i64,
        records_max in 1..20_usize,
        polls_per_fetch in 1..4_usize,
    ) {
        let isolation_level = if committed {
            IsolationLevel::ReadCommitted
        } else {
            IsolationLevel::ReadUncommitted
        };
        let log = build(&ops, compaction);
        let start = start.min(log.high_watermark());
        let expected = log.visible(isolation_level, start);
        let end = log.end_of_reading(isolation_level, start);
        let mut reader = Reader::new(log, isolation_level, bytes_max);
        reader.seek(start);
        let mut delivered = Vec::new();
        let mut fetches = 0;
        while reader.fetch() {
            fetches += 1;
            prop_assert!(fetches <= ops.len(), "a fetch that had data brought no progress");
            for _ in 0..polls_per_fetch {
                delivered.extend(reader.poll(records_max));
                if let Some(last) = delivered.last() {
                    prop_assert!(reader.position().offset > *last);
                }
            }
        }
        loop {
            let more = reader.poll(records_max);
            if more.is_empty() {
                break;
            }
            delivered.extend(more);
        }
        prop_assert_eq!(&delivered, &expected);
        prop_assert_eq!(reader.position().offset, end);
    }

    /// seeks to any place, also into the middle of transactions; each answer explains itself.
    #[test]
    fn a_seek_anywhere_reads_on_as_if_it_had_begun_there(
        ops in ops(),
        compaction in compactions(),
        bytes_max in 1..2_000_usize,
        seeks in prop::collection::vec((0..60_i64, 0..4_usize), 1..6),
    ) {
        let isolation_level = IsolationLevel::ReadCommitted;
        let log = build(&ops, compaction);
        let mut reader = Reader::new(log.clone(), isolation_level, bytes_max);
        for (offset, fetches) in seeks {
            let offset = offset.min(log.high_watermark());
            let expected = log.visible(isolation_level, offset);
            reader.seek(offset);
            let mut delivered = Vec::new();
            for _ in 0..fetches {
                reader.fetch();
                delivered.extend(reader.poll(usize::MAX));
            }
            prop_assert_eq!(&delivered[..], &expected[..delivered.len()]);
        }
    }

    /// The epoch that is committed beside a position is that of the batch before it.
    #[test]
    fn the_position_carries_the_epoch_of_the_last_batch(ops in ops(), bytes_max in 1..2_000_usize) {
        let isolation_level = IsolationLevel::ReadUncommitted;
        let log = build(&ops, None);
        let expected = log.epoch_before(log.high_watermark());
        let mut reader = Reader::new(log, isolation_level, bytes_max);
        while reader.fetch() {
            reader.poll(usize::MAX);
        }
        prop_assert_eq!(reader.position().leader_epoch, expected);
    }

    /// No bytes whatever make the reading panic, go back, or give an offset twice.
    #[test]
    fn damaged_bytes_are_an_error_or_good_records(
        ops in ops(),
        check_crcs in any::<bool>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        start in 0..30_i64,
    ) {
        let log = build(&ops, None);
        let mut bytes = log.fetch(IsolationLevel::ReadUncommitted, 0, usize::MAX).to_vec();
        prop_assume!(!bytes.is_empty());
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let filter = Filter::new(IsolationLevel::ReadCommitted, log.aborted(start));
        let reading = batches::read(Bytes::from(bytes), start, filter, check_crcs);
        let mut position = start;
        for buffered in reading.batches {
            prop_assert!(buffered.from >= position);
            prop_assert!(buffered.next.offset > buffered.from);
            position = buffered.next.offset;
            let (from, to) = (buffered.from, buffered.next.offset);
            let before = NextOffset { offset: from, leader_epoch: None };
            if let Ok(unpacked) = unpack(buffered, before, usize::MAX, &Limits::default()) {
                let mut last = from - 1;
                for record in unpacked.records.iter().take(unpacked.count) {
                    let offset = record.unwrap().offset;
                    prop_assert!(offset > last && offset < to);
                    last = offset;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// whatever brokers refuse or lose, wherever leaders go.
    #[test]
    fn no_fault_skips_repeats_or_shows_what_is_hidden(
        mode: u8,
        bound: u8,
        operations in prop::collection::vec(any::<[u8; 2]>(), 1..200),
    ) {
        let data = [vec![mode, bound], operations.concat()].concat();
        operations::run(&data, Instant::now());
    }
}

#[test]
fn a_poll_never_gives_more_than_it_was_asked_for() {
    let mut log = Log::default();
    log.append(-1, 10, false);
    log.append(-1, 3, false);
    let mut reader = Reader::new(log, IsolationLevel::ReadCommitted, usize::MAX);
    reader.seek(2);
    reader.fetch();
    let polls: Vec<_> = (0..5).map(|_| reader.poll(4)).collect();
    assert_eq!(
        polls,
        [
            vec![2, 3, 4, 5],
            vec![6, 7, 8, 9],
            vec![10, 11, 12],
            vec![],
            vec![]
        ]
    );
}
