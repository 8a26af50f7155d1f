//! Any appends, markers, deletions, retention, truncations and reads of one log, against a list of what is in it.
//!
//! Two bytes are an operation and its argument. The model keeps every batch and works everything out anew from them;
//! a reader does with what it is given what clients do. The property test and the fuzz target are two sources of
//! bytes.

#![expect(clippy::panic, reason = "a broken invariant is told by a panic")]

mod model;
mod reader;

use super::{Appended, MarkerToAppend, PartitionLog};
use crate::Time;
use crate::cluster::config::Retention;
use crate::producer_state::MarkerRule;
use milena_codec::record::Marker;
use milena_codec::{
    Batch, BatchBuilder, BatchStamp, Batches, Compression, ErrorCode, ProducerEpoch, ProducerId,
    ProducerIdentity, RecordToWrite, Sequence, TimestampType,
};
use model::{Entry, Model, What};
use std::time::Duration;

/// A longer run finds no more, and takes longer.
const OPERATIONS_MAX: usize = 200;
const EXPIRATION: Duration = Duration::from_secs(100);
/// Near the end of the sequences: after as many records they begin anew (P-22).
const LATE_SEQUENCE: i32 = i32::MAX - 7;

struct World {
    log: PartitionLog,
    model: Model,
    now: Time,
    term: i32,
    coordinator_epoch: i32,
    /// What each of three producers thinks it is, and writes next.
    writers: [(i16, Sequence); 3],
}

/// Runs the operations in `data`. Panics if an invariant is broken.
pub(crate) fn run(data: &[u8]) {
    let mut world = World {
        log: PartitionLog::new(),
        model: Model::default(),
        now: Time::from_unix_millis(1_000_000),
        term: 0,
        coordinator_epoch: 0,
        writers: [
            (0, Sequence::ZERO),
            (0, Sequence(LATE_SEQUENCE)),
            (0, Sequence::ZERO),
        ],
    };
    for &[operation, argument] in data.as_chunks().0.iter().take(OPERATIONS_MAX) {
        world.apply(operation % 16, argument);
        world.check(argument);
    }
}

fn identity(who: usize, epoch: i16) -> ProducerIdentity {
    let id = i64::try_from(who).unwrap_or(0) + 70;
    ProducerIdentity::new(ProducerId(id), ProducerEpoch(epoch))
}

fn batch(count: u32, stamp: &BatchStamp, timestamp: i64) -> Batch {
    let mut builder = BatchBuilder::default();
    for _ in 0..count {
        let record = RecordToWrite {
            timestamp,
            key: None,
            value: Some(b"value"),
            headers: &[],
        };
        assert!(builder.append(&record).is_ok());
    }
    let closed = builder
        .close(Compression::None)
        .map(|batch| batch.to_vec(stamp));
    let Ok(bytes) = closed else {
        panic!("a batch cannot be made");
    };
    let Some(Ok(batch)) = Batches::new(bytes.into()).next() else {
        panic!("a batch cannot be read");
    };
    batch
}

impl World {
    fn apply(&mut self, operation: u8, argument: u8) {
        let who = usize::from(argument % 3);
        let how = argument / 3;
        match operation {
            0 => self.append_plain(how),
            1..=5 => self.append(who, how),
            6..=8 => self.end(who, how),
            9 => self.delete(how),
            10 => self.retain(how),
            11 => self.log.hold_high_watermark(how.is_multiple_of(2)),
            12 => self.truncate(how),
            13 => {
                self.now = self.now + Duration::from_secs(u64::from(how));
                self.log.producers_mut().expire(self.now, EXPIRATION);
                self.model.expire(self.now.unix_millis(), EXPIRATION);
            }
            14 => {
                self.term += 1;
                self.log.begin_term(self.term);
            }
            _ => self.begin_epoch(who, how),
        }
        if operation == 11 {
            self.model.hold(how.is_multiple_of(2));
        }
    }

    fn begin_epoch(&mut self, who: usize, how: u8) {
        let (epoch, sequence) = &mut self.writers[who];
        *sequence = Sequence::ZERO;
        if how.is_multiple_of(2) {
            *epoch = epoch.saturating_add(1);
        }
        self.coordinator_epoch += i32::from(how.is_multiple_of(8));
    }

    fn append_plain(&mut self, how: u8) {
        let count = u32::from(how % 3) + 1;
        let batch = batch(count, &BatchStamp::NONE, self.now.unix_millis());
        let Ok(appended) = self.try_append(&batch) else {
            panic!("a batch of nobody is refused");
        };
        self.note(&batch, appended, What::Plain);
    }

    fn try_append(&mut self, batch: &Batch) -> Result<Appended, ErrorCode> {
        let created = TimestampType::CreateTime;
        // A segment for each batch, so that retention may take each.
        self.log.roll();
        let appended = self.log.append(batch, self.term, created, self.now);
        appended.map_err(|refusal| refusal.code)
    }

    fn note(&mut self, batch: &Batch, appended: Appended, what: What) {
        assert_eq!(appended.base_offset, self.model.end(), "P-23");
        self.model.push(Entry {
            base_offset: appended.base_offset,
            last_offset: appended.last_offset,
            bytes: batch.wire_size(),
            timestamp: self.now.unix_millis(),
            what,
        });
    }

    /// The next batch of a producer, an earlier one once more, one that leaves a gap, or one of an older epoch.
    fn append(&mut self, who: usize, how: u8) {
        let (epoch, next) = self.writers[who];
        let count = u32::from(how % 2) + 1;
        let (epoch, base_sequence) = match how / 4 % 8 {
            0 => (epoch, next.retreat(u32::from(how / 32 % 4) + count)),
            1 => (epoch, next.advance(1)),
            2 => (epoch.saturating_sub(1).max(0), next),
            3 => (epoch, next.retreat(9)),
            _ => (epoch, next),
        };
        let stamp = BatchStamp {
            producer: identity(who, epoch),
            base_sequence,
            transactional: how & 2 == 0,
        };
        let batch = batch(count, &stamp, self.now.unix_millis());
        let last_sequence = base_sequence.advance(count - 1);
        let expected = self.model.expect_append(&stamp, last_sequence);
        let answer = self.try_append(&batch);
        let offsets = answer.map(|appended| {
            let first = appended.repeated.then_some(appended.base_offset);
            first.map(|first| (first, appended.last_offset))
        });
        assert_eq!(offsets, expected, "{stamp:?} {:?}", self.model);
        if let Ok(appended) = answer
            && !appended.repeated
        {
            self.writers[who].1 = last_sequence.advance(1);
            let what = What::Produced {
                stamp,
                last_sequence,
            };
            self.note(&batch, appended, what);
        }
    }

    /// A marker: the one that is due, a repetition, a late one, or one of an older coordinator.
    fn end(&mut self, who: usize, how: u8) {
        let (epoch, _) = self.writers[who];
        let bumps_epoch = how & 1 == 0;
        let marker = MarkerToAppend {
            marker: if how & 2 == 0 {
                Marker::Commit
            } else {
                Marker::Abort
            },
            producer: identity(who, epoch + i16::from(bumps_epoch && how & 12 != 12)),
            coordinator_epoch: self.coordinator_epoch - i32::from(how & 48 == 48),
            rule: if bumps_epoch {
                MarkerRule::Newer
            } else {
                MarkerRule::NotOlder
            },
        };
        let expected = self.model.expect_marker(&marker);
        let bytes = self.log.bytes();
        self.log.roll();
        let answer = self.log.append_marker(&marker, self.term, self.now);
        assert_eq!(answer.map(|_| ()), expected, "{marker:?} {:?}", self.model);
        let Ok(offset) = answer else { return };
        assert_eq!(offset, self.model.end());
        self.model.push(Entry {
            base_offset: offset,
            last_offset: offset,
            bytes: self.log.bytes() - bytes,
            timestamp: self.now.unix_millis(),
            what: What::Ended(marker),
        });
        if marker.producer.producer_epoch.0 > epoch {
            self.writers[who] = (marker.producer.producer_epoch.0, Sequence::ZERO);
        }
    }

    fn delete(&mut self, how: u8) {
        let offset = self.model.end() - i64::from(how % 16) + 2;
        let may = (0..=self.model.high_watermark()).contains(&offset);
        let deleted = self.log.delete_before(offset);
        assert_eq!(deleted.is_ok(), may, "R-4: {offset}");
        if may {
            self.model.delete_before(offset);
        }
    }

    /// Retention takes what it may and no more.
    fn retain(&mut self, how: u8) {
        let bytes_max = usize::from(how) * 16;
        let (before, stable) = (self.log.bytes(), self.model.last_stable());
        let retention = Retention {
            bytes: Some(bytes_max),
            segment_bytes: usize::MAX,
            segment_time: Duration::MAX,
            time: None,
        };
        self.log.retain(&retention, self.now);
        let start = self.log.log_start_offset();
        assert!(start == self.model.start() || start <= stable);
        self.model.delete_before(start);
        assert_eq!(self.log.bytes(), self.model.bytes());
        assert!(
            self.log.bytes() >= bytes_max.min(before),
            "too much is gone"
        );
        if let Some(first) = self.model.entries().next() {
            let is_open = self.model.entries().count() == 1;
            let is_needed = is_open || self.model.bytes() - first.bytes < bytes_max;
            assert!(is_needed || first.last_offset >= stable, "too much stays");
        }
    }

    /// An unclean election: producers are known as what is left tells (P-80).
    fn truncate(&mut self, how: u8) {
        let offset = self.model.end() - i64::from(how % 8);
        self.log.truncate_to(offset);
        self.model.truncate_to(offset);
    }

    fn check(&self, argument: u8) {
        let (log, model) = (&self.log, &self.model);
        assert_eq!(log.log_start_offset(), model.start());
        assert_eq!(log.log_end_offset(), model.end());
        assert_eq!(log.high_watermark(), model.high_watermark());
        assert_eq!(
            log.last_stable_offset(),
            model.last_stable(),
            "R-2 {model:?}"
        );
        assert_eq!(log.bytes(), model.bytes());
        assert!(log.last_stable_offset() <= log.high_watermark());
        assert!(log.high_watermark() <= log.log_end_offset());
        for (id, state) in log.producers().iter() {
            let known = model.producer(id);
            let is_known = known.is_some_and(|known| {
                known.epoch == state.epoch() && known.open_since == state.open_since()
            });
            assert!(is_known, "{id:?}: {state:?} {known:?}");
        }
        assert_eq!(log.producers().iter().count(), model.producers());
        let from = model.end() - i64::from(argument % 32);
        for offset in [model.start(), from, model.end() + 1] {
            reader::check(log, model, offset, usize::from(argument));
        }
    }
}
