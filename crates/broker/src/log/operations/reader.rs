//! What readers get, and what they make of it.

use super::super::{PartitionLog, ReadBound, ReadFrom};
use super::model::{Entry, Model};
use milena_codec::{Batch, Batches, ControlRecord, ErrorCode};
use std::collections::BTreeSet;

/// Reads from an offset, as much as there is and then only some.
pub(super) fn check(log: &PartitionLog, model: &Model, offset: i64, bytes_max: usize) {
    for bound in [ReadBound::HighWatermark, ReadBound::LastStable] {
        let read = |bytes_max, at_least_one| {
            log.read(&ReadFrom {
                offset,
                bytes_max,
                bound,
                at_least_one,
            })
        };
        let all = match read(1 << 20, true) {
            Err(code) => {
                assert_eq!(code, ErrorCode::OffsetOutOfRange);
                assert!(!(model.start()..=model.end()).contains(&offset), "R-4");
                continue;
            }
            Ok(all) => all,
        };
        assert!((model.start()..=model.end()).contains(&offset), "R-4");
        let end = match bound {
            ReadBound::HighWatermark => model.high_watermark(),
            ReadBound::LastStable => model.last_stable(),
        };
        let readable =
            |entry: &&Entry| offset < end && entry.last_offset >= offset && entry.base_offset < end;
        let expected: Vec<_> = model.entries().filter(readable).collect();
        let batches: Vec<Batch> = Batches::new(all.records.clone())
            .map_while(Result::ok)
            .collect();
        let bases: Vec<_> = batches.iter().map(Batch::base_offset).collect();
        let expected_bases: Vec<_> = expected.iter().map(|entry| entry.base_offset).collect();
        assert_eq!(bases, expected_bases, "from {offset} to {end}");
        if bound == ReadBound::LastStable {
            let mut aborted: Vec<_> = all.aborted.iter().collect();
            aborted.sort_by_key(|aborted| aborted.first_offset);
            let told = aborted
                .into_iter()
                .map(|a| (a.first_offset, a.producer_id.0));
            let shown = committed(&batches, told.collect());
            let visible = expected.iter().filter(|entry| model.is_visible(entry));
            let visible: Vec<_> = visible.map(|entry| entry.base_offset).collect();
            assert_eq!(shown, visible, "R-10: from {offset} {model:?}");
        }
        let first = expected.first().map_or(0, |entry| entry.bytes);
        for at_least_one in [false, true] {
            let Ok(some) = read(bytes_max, at_least_one) else {
                panic!("it could be read a moment ago");
            };
            let room = match at_least_one {
                true => bytes_max.max(first),
                false if bytes_max < first => 0,
                false => bytes_max,
            };
            let prefix = all.records.slice(..room.min(all.records.len()));
            assert_eq!(some.records, prefix, "R-38");
        }
    }
}

/// What a committed reader shows of these batches, by the aborted transactions that it was told.
fn committed(batches: &[Batch], told: Vec<(i64, i64)>) -> Vec<i64> {
    let mut told = told.into_iter().peekable();
    let mut aborting = BTreeSet::new();
    let mut shown = Vec::new();
    for batch in batches {
        while let Some((_, producer)) = told.next_if(|(first, _)| *first <= batch.base_offset()) {
            aborting.insert(producer);
        }
        let producer = batch.producer().producer_id.0;
        if batch.is_control() {
            if matches!(batch.control(), Ok(Some(ControlRecord::Abort { .. }))) {
                aborting.remove(&producer);
            }
        } else if !(batch.is_transactional() && aborting.contains(&producer)) {
            shown.push(batch.base_offset());
        }
    }
    shown
}
