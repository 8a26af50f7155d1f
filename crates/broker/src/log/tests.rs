//! What readers see, offset by offset.

use super::*;
use crate::cluster::config::{Compaction, Retention};
use crate::log::read::Read;
use milena_codec::{
    BatchBuilder, BatchStamp, Compression, Limits, ProducerEpoch, RecordToWrite, Sequence,
};
use proptest::prelude::*;
use std::time::Duration;

const NOW: Time = Time::ZERO;

fn who(producer_id: i64, epoch: i16) -> ProducerIdentity {
    ProducerIdentity::new(ProducerId(producer_id), ProducerEpoch(epoch))
}

fn records(count: i64, first_timestamp: i64, stamp: &BatchStamp) -> Batch {
    let mut builder = BatchBuilder::default();
    for index in 0..count {
        let record = RecordToWrite {
            timestamp: first_timestamp + index,
            key: None,
            value: Some(b"value"),
            headers: &[],
        };
        builder.append(&record).unwrap();
    }
    let wire = builder.close(Compression::None).unwrap().to_vec(stamp);
    Batches::new(wire.into()).next().unwrap().unwrap()
}

fn plain(count: i64) -> Batch {
    records(count, 0, &BatchStamp::NONE)
}

fn transactional(producer: ProducerIdentity, sequence: i32, count: i64) -> Batch {
    let stamp = BatchStamp {
        producer,
        base_sequence: Sequence(sequence),
        transactional: true,
    };
    records(count, 0, &stamp)
}

fn append(log: &mut PartitionLog, batch: &Batch) -> i64 {
    let appended = log.append(batch, 0, TimestampType::CreateTime, NOW);
    appended.unwrap().base_offset
}

fn end(log: &mut PartitionLog, producer: ProducerIdentity, marker: Marker) -> i64 {
    let marker = MarkerToAppend {
        marker,
        producer,
        coordinator_epoch: 0,
        rule: MarkerRule::Newer,
    };
    log.append_marker(&marker, 0, NOW).unwrap()
}

fn read(log: &PartitionLog, offset: i64, bound: ReadBound) -> Result<Read, ErrorCode> {
    log.read(&ReadFrom {
        offset,
        bytes_max: 1 << 20,
        bound,
        at_least_one: true,
    })
}

/// The base offsets that a reader gets, and the aborted transactions that it is told.
fn seen(log: &PartitionLog, offset: i64, bound: ReadBound) -> (Vec<i64>, Vec<(i64, i64)>) {
    let read = read(log, offset, bound).unwrap();
    let batches = Batches::new(read.records).map(|batch| batch.unwrap().base_offset());
    let aborted = read.aborted.iter();
    let aborted = aborted.map(|aborted| (aborted.producer_id.0, aborted.first_offset));
    (batches.collect(), aborted.collect())
}

use ReadBound::{HighWatermark, LastStable};

/// As measured on Kafka.
#[test]
fn a_committed_reader_stops_at_the_oldest_open_transaction_and_is_told_what_was_aborted() {
    let log = &mut PartitionLog::new();
    let (a, b) = (who(63, 0), who(64, 0));
    assert_eq!(append(log, &transactional(a, 0, 2)), 0);
    assert_eq!(append(log, &transactional(b, 0, 2)), 2);
    assert_eq!(append(log, &transactional(a, 2, 2)), 4);
    assert_eq!(append(log, &plain(1)), 6);
    assert_eq!((log.high_watermark(), log.last_stable_offset()), (7, 0));
    assert_eq!(seen(log, 0, LastStable), (vec![], vec![]));
    assert_eq!(seen(log, 3, LastStable), (vec![], vec![]), "above the LSO");
    let beyond = read(log, 99, LastStable).map(|_| ());
    assert_eq!(beyond, Err(ErrorCode::OffsetOutOfRange));

    assert_eq!(end(log, who(63, 1), Marker::Abort), 7);
    assert_eq!((log.high_watermark(), log.last_stable_offset()), (8, 2));
    assert_eq!(seen(log, 0, LastStable), (vec![0], vec![(63, 0)]));

    assert_eq!(end(log, who(64, 1), Marker::Commit), 8);
    assert_eq!(append(log, &transactional(who(63, 1), 0, 1)), 9);
    assert_eq!(end(log, who(63, 2), Marker::Abort), 10);
    assert_eq!(log.last_stable_offset(), 11);
    let both = vec![(63, 0), (63, 9)];
    let all = vec![0, 2, 4, 6, 7, 8, 9, 10];
    assert_eq!(seen(log, 0, LastStable), (all.clone(), both.clone()));
    assert_eq!(seen(log, 4, LastStable), (all[2..].to_vec(), both.clone()));
    assert_eq!(seen(log, 7, LastStable), (all[4..].to_vec(), both));
    assert_eq!(
        seen(log, 8, LastStable).1,
        [(63, 9)],
        "the first one is over"
    );
    assert_eq!(seen(log, 0, HighWatermark), (all, vec![]));
}

/// the list may hold more than what was read touches, because Kafka's index is sparse.
#[test]
fn a_reader_is_told_of_aborted_transactions_up_to_the_next_indexed_batch() {
    let mut log = PartitionLog::new();
    let abort = |log: &mut PartitionLog, producer: i64| {
        let first = append(log, &transactional(who(producer, 0), 0, 1));
        end(log, who(producer, 1), Marker::Abort);
        first
    };
    let (near, later) = (abort(&mut log, 1), abort(&mut log, 2));
    append(&mut log, &plain(900));
    append(&mut log, &plain(1));
    let far = abort(&mut log, 3);
    let first_only = ReadFrom {
        offset: 0,
        bytes_max: 1,
        bound: LastStable,
        at_least_one: true,
    };
    let told = log.read(&first_only).unwrap().aborted;
    let told: Vec<i64> = told.iter().map(|aborted| aborted.first_offset).collect();
    assert_eq!(told, [near, later], "the 4 KiB in between are indexed");
    let (_, all) = seen(&log, 0, LastStable);
    assert_eq!(all, [(1, near), (2, later), (3, far)]);
}

#[test]
fn a_marker_without_records_is_no_aborted_transaction() {
    let log = &mut PartitionLog::new();
    end(log, who(1, 1), Marker::Abort);
    assert_eq!(seen(log, 0, LastStable), (vec![0], vec![]));
}

/// R-38, KIP-74.
#[test]
fn the_first_batch_comes_whole_and_the_last_one_is_cut_at_the_limit() {
    let log = &mut PartitionLog::new();
    let size = plain(1).wire_size();
    append(log, &plain(1));
    append(log, &plain(1));
    let read = |bytes_max, at_least_one| {
        let from = ReadFrom {
            offset: 0,
            bytes_max,
            bound: HighWatermark,
            at_least_one,
        };
        log.read(&from).unwrap().records.len()
    };
    assert_eq!(read(1, true), size);
    assert_eq!(read(1, false), 0);
    assert_eq!(read(size, false), size);
    assert_eq!(read(size + 5, false), size + 5);
    assert_eq!(read(5 * size, false), 2 * size);
    assert_eq!(log.readable_bytes(0, HighWatermark, usize::MAX), 2 * size);
    assert_eq!(log.readable_bytes(1, HighWatermark, usize::MAX), size);
    assert_eq!(log.readable_bytes(2, HighWatermark, usize::MAX), 0);
}

#[test]
fn an_offset_inside_a_batch_gives_the_whole_batch() {
    let log = &mut PartitionLog::new();
    append(log, &plain(3));
    append(log, &plain(3));
    assert_eq!(seen(log, 2, HighWatermark).0, [0, 3]);
    assert_eq!(seen(log, 3, HighWatermark).0, [3]);
    assert_eq!(seen(log, 6, HighWatermark).0, [0_i64; 0]);
}

#[test]
fn deleted_records_cannot_be_read_and_producers_stay_known() {
    let log = &mut PartitionLog::new();
    append(log, &transactional(who(1, 0), 0, 2));
    end(log, who(1, 1), Marker::Abort);
    append(log, &plain(2));
    assert_eq!(log.delete_before(6), Err(ErrorCode::OffsetOutOfRange));
    log.delete_before(4).unwrap();
    assert_eq!(log.log_start_offset(), 4);
    assert_eq!(
        read(log, 3, LastStable).map(|_| ()),
        Err(ErrorCode::OffsetOutOfRange)
    );
    assert_eq!(
        seen(log, 4, LastStable),
        (vec![3], vec![]),
        "the batch that holds it"
    );
    assert_eq!(log.bytes(), plain(2).wire_size());
    assert_eq!(log.producers().iter().count(), 1, "P-59e");
    log.delete_before(5).unwrap();
    assert_eq!((log.bytes(), log.log_end_offset()), (0, 5));
}

#[test]
fn retention_drops_whole_old_batches_but_nothing_undecided() {
    let log = &mut PartitionLog::new();
    let size = plain(1).wire_size();
    let mut retention = Retention {
        bytes: Some(2 * size),
        time: None,
        segment_bytes: size,
        segment_time: Duration::MAX,
    };
    for _ in 0..4 {
        log.roll_if_due(size, &retention, NOW);
        append(log, &plain(1));
    }
    log.retain(&retention, NOW);
    assert_eq!(log.log_start_offset(), 2);
    retention.bytes = Some(0);
    log.retain(&retention, NOW);
    assert_eq!(log.log_start_offset(), 3, "the open segment stays");
    log.roll();
    append(log, &transactional(who(1, 0), 0, 1));
    log.roll();
    append(log, &plain(1));
    log.roll();
    log.retain(&retention, NOW);
    assert_eq!(
        log.log_start_offset(),
        4,
        "where the open transaction begins"
    );
}

/// R-45, D-10.
#[test]
fn a_held_high_watermark_hides_what_is_not_replicated() {
    let log = &mut PartitionLog::new();
    append(log, &transactional(who(1, 0), 0, 1));
    log.hold_high_watermark(true);
    append(log, &plain(1));
    end(log, who(1, 1), Marker::Commit);
    assert_eq!((log.high_watermark(), log.last_stable_offset()), (1, 0));
    assert_eq!(seen(log, 0, HighWatermark).0, [0]);
    assert_eq!(seen(log, 0, LastStable).0, [0_i64; 0]);
    log.hold_high_watermark(false);
    assert_eq!((log.high_watermark(), log.last_stable_offset()), (3, 3));
}

/// P-80, P-82, D-12.
#[test]
fn after_a_truncation_producers_and_transactions_are_what_the_rest_of_the_log_says() {
    let log = &mut PartitionLog::new();
    append(log, &transactional(who(1, 0), 0, 1));
    append(log, &transactional(who(1, 0), 1, 1));
    end(log, who(1, 1), Marker::Commit);
    log.truncate_to(1);
    assert_eq!(log.log_end_offset(), 1);
    assert_eq!(log.last_stable_offset(), 0, "open again");
    let lost = log.append(
        &transactional(who(1, 0), 2, 1),
        1,
        TimestampType::CreateTime,
        NOW,
    );
    assert_eq!(lost.unwrap_err().code, ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(append(log, &transactional(who(1, 0), 1, 1)), 1);
}

#[test]
fn timestamps_are_found_record_by_record() {
    let log = &mut PartitionLog::new();
    append(log, &records(3, 100, &BatchStamp::NONE));
    append(log, &records(3, 50, &BatchStamp::NONE));
    let limits = Limits::default();
    let find = |timestamp| {
        let found = log.find_timestamp(timestamp, &limits);
        found.map(|found| (found.offset, found.timestamp))
    };
    assert_eq!(find(0), Some((0, 100)));
    assert_eq!(find(101), Some((1, 101)));
    assert_eq!(find(103), None);
    let highest = log.find_max_timestamp(&limits).unwrap();
    assert_eq!((highest.offset, highest.timestamp), (2, 102));
}

#[test]
fn append_time_is_set_where_the_topic_says_so() {
    let log = &mut PartitionLog::new();
    let now = Time::from_unix_millis(7_777);
    let appended = log.append(&plain(2), 4, TimestampType::LogAppendTime, now);
    assert_eq!(appended.unwrap().log_append_time, 7_777);
    let records = read(log, 0, HighWatermark).unwrap().records;
    let batch = Batches::new(records).next().unwrap().unwrap();
    batch.check_crc().unwrap();
    assert_eq!(batch.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(batch.max_timestamp(), 7_777);
    assert_eq!(batch.partition_leader_epoch(), 4);
}

///
#[test]
fn a_control_batch_of_a_client_is_refused() {
    let mut wire = plain(1).bytes().to_vec();
    wire[22] |= 1 << 5;
    let crc = milena_codec::record::crc32c([&wire[21..]]);
    wire[17..21].copy_from_slice(&crc.to_be_bytes());
    let batch = Batches::new(wire.into()).next().unwrap().unwrap();
    let config = crate::cluster::config::TopicConfig::default();
    let refusal =
        validate::check_batch(&"t-0", &batch, &config, &Limits::default(), NOW).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::InvalidRecord);
}

/// R-2, found by `operations.rs`: the rest of the batch was shown before it was decided.
#[test]
fn records_that_are_deleted_into_an_open_transaction_do_not_show_the_rest_of_it() {
    let log = &mut PartitionLog::new();
    append(log, &transactional(who(63, 0), 0, 2));
    log.delete_before(1).unwrap();
    assert_eq!((log.log_start_offset(), log.last_stable_offset()), (1, 1));
    assert_eq!(seen(log, 1, LastStable), (vec![], vec![]));
    assert_eq!(log.readable_bytes(1, LastStable, 1), 0);
    assert_eq!(seen(log, 1, HighWatermark).0, [0]);
    end(log, who(63, 1), Marker::Abort);
    assert_eq!(seen(log, 1, LastStable), (vec![0, 2], vec![(63, 0)]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// P-21 to P-24, P-59e, P-80, P-93, R-2, R-4, R-10 to.
    #[test]
    fn no_order_of_appends_and_cuts_parts_the_log_from_its_model(
        operations in prop::collection::vec(any::<[u8; 2]>(), 1..150),
    ) {
        operations::run(&operations.concat());
    }
}

fn keyed(keys: &str, value: Option<&str>) -> Batch {
    keyed_by(keys, value, &BatchStamp::NONE)
}

fn keyed_by(keys: &str, value: Option<&str>, stamp: &BatchStamp) -> Batch {
    let mut builder = BatchBuilder::default();
    for key in keys.split(',') {
        let record = RecordToWrite {
            timestamp: 1_000,
            key: Some(key.as_bytes()),
            value: value.map(str::as_bytes),
            headers: &[],
        };
        builder.append(&record).unwrap();
    }
    let closed = builder.close(Compression::Gzip).unwrap();
    let bytes = closed.to_vec(stamp);
    Batches::new(bytes.into()).next().unwrap().unwrap()
}

fn keys(log: &PartitionLog) -> Vec<(i64, String, bool)> {
    let mut keys = Vec::new();
    for bytes in log.batches() {
        let batch = Batches::new(bytes).next().unwrap().unwrap();
        batch.check_crc().unwrap();
        if batch.is_control() {
            continue;
        }
        for record in batch.records(&Limits::default()).unwrap().iter() {
            let record = record.unwrap();
            let key = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
            keys.push((record.offset, key, record.value.is_some()));
        }
    }
    keys
}

const COMPACTION: Compaction = Compaction {
    delete_retention: Duration::from_secs(60),
    lag_min: Duration::ZERO,
    dirty_ratio_min: 0.5,
};

fn owned(keys: &[(i64, &str, bool)]) -> Vec<(i64, String, bool)> {
    let owned = |(offset, key, value): &(i64, &str, bool)| (*offset, (*key).to_owned(), *value);
    keys.iter().map(owned).collect()
}

#[test]
fn compaction_keeps_the_newest_record_of_each_key_at_its_offset() {
    let log = &mut PartitionLog::new();
    append(log, &keyed("a,b,a", Some("1")));
    append(log, &keyed("c", Some("1")));
    append(log, &keyed("b", None));
    log.compact(&COMPACTION, NOW, &Limits::default());
    assert_eq!(keys(log).len(), 5, "the open segment is not compacted");
    log.roll();
    assert!(log.is_dirty_enough(&COMPACTION, NOW));
    log.compact(&COMPACTION, NOW, &Limits::default());
    let left = owned(&[(2, "a", true), (3, "c", true), (4, "b", false)]);
    assert_eq!(keys(log), left);
    assert!(!log.is_dirty_enough(&COMPACTION, NOW));
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (0, 5));
    let bytes: usize = log.batches().map(|batch| batch.len()).sum();
    assert_eq!(log.bytes(), bytes);
    let later = NOW + COMPACTION.delete_retention;
    log.compact(&COMPACTION, later, &Limits::default());
    assert_eq!(keys(log), owned(&[(2, "a", true), (3, "c", true)]));
}

#[test]
fn compaction_drops_what_was_aborted_and_leaves_what_is_open() {
    let log = &mut PartitionLog::new();
    let in_transaction = |producer: ProducerIdentity, sequence, key| {
        let stamp = BatchStamp {
            producer,
            base_sequence: Sequence(sequence),
            transactional: true,
        };
        keyed_by(key, Some("1"), &stamp)
    };
    append(log, &keyed("a", Some("1")));
    append(log, &in_transaction(who(1, 0), 0, "a"));
    end(log, who(1, 1), Marker::Abort);
    append(log, &in_transaction(who(2, 0), 0, "b"));
    end(log, who(2, 1), Marker::Commit);
    append(log, &in_transaction(who(3, 0), 0, "a"));
    log.roll();
    log.compact(&COMPACTION, NOW, &Limits::default());
    let left = owned(&[(0, "a", true), (3, "b", true), (5, "a", true)]);
    assert_eq!(
        keys(log),
        left,
        "the abort changed nothing, the open one is not looked at"
    );
    log.truncate_to(6);
    assert_eq!(log.last_stable_offset(), 5);
}

#[test]
fn retention_by_time_takes_the_open_segment_too() {
    let log = &mut PartitionLog::new();
    append(log, &keyed("a", Some("1")));
    let retention = Retention {
        bytes: None,
        time: Some(Duration::from_secs(10)),
        segment_bytes: usize::MAX,
        segment_time: Duration::MAX,
    };
    let written = Time::from_unix_millis(1_000);
    log.retain(&retention, written + Duration::from_secs(10));
    assert_eq!(log.log_start_offset(), 0);
    log.retain(&retention, written + Duration::from_secs(11));
    assert_eq!((log.log_start_offset(), log.bytes()), (1, 0));
}
