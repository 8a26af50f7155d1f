//! A machine on virtual time, with what it takes to play the brokers, for tests.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use milena_codec::ErrorCode;
use uuid::Uuid;

use super::super::position::Leader;
use super::super::visibility::{AbortedTransaction, Filter};
use super::answer::{FetchAnswer, PartitionAnswer};
use super::batches::{self, Reading};
use super::deliver::Taken;
use super::fault::Fault;
use super::lookup::{EpochAnswer, OffsetAnswer, ResetPlan, ValidationPlan};
use super::machine::{
    FetchPlan, FetchSupport, Machine, MetadataView, PartitionView, Settings, Work,
};
use super::partition::Watermarks;
use crate::types::{IsolationLevel, NextOffset, Position, TopicPartition};

pub(crate) use super::operations::{WAIT, settings};

const SUPPORT: FetchSupport = FetchSupport {
    sessions: true,
    topic_ids: true,
};

pub(crate) fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

pub(crate) struct Fixture {
    pub(crate) machine: Machine,
    pub(crate) now: Instant,
    pub(crate) view: MetadataView,
}

impl Fixture {
    /// `partitions` partitions led by broker 1 in epoch 5 are assigned; positions are not known yet.
    pub(crate) fn new(settings: Settings, partitions: i32) -> Self {
        let names: Vec<_> = (0..partitions).map(tp).collect();
        let mut machine = Machine::new(settings);
        machine.assign(&names);
        let known = names.iter().map(|name| (name.clone(), known(1, 5)));
        let view = MetadataView {
            brokers: BTreeSet::from([1, 2, 3]),
            partitions: known.collect(),
        };
        let now = Instant::now();
        let work = machine.poll(now);
        assert!(work.refresh_metadata.is_some());
        machine.on_metadata(now, &view);
        machine.on_metadata_refreshed(now);
        Self { machine, now, view }
    }

    /// As [`Fixture::new`], with all partitions at offset 0.
    pub(crate) fn at_zero(settings: Settings, partitions: i32) -> Self {
        let mut fixture = Self::new(settings, partitions);
        for partition in 0..partitions {
            fixture
                .machine
                .seek(&tp(partition), Position::Offset(0))
                .unwrap();
        }
        fixture
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
    }

    pub(crate) fn poll(&mut self) -> Work {
        self.machine.poll(self.now)
    }

    /// Everything that a broker may be asked now, without begun lookups.
    pub(crate) fn fetches(&mut self) -> Vec<i32> {
        self.poll().fetches
    }

    /// Polls, and begins the fetch from `broker` that has to be due.
    pub(crate) fn begin(&mut self, broker: i32) -> FetchPlan {
        let due = self.fetches();
        assert!(due.contains(&broker), "{due:?}");
        self.machine.begin_fetch(self.now, broker, SUPPORT).unwrap()
    }

    /// The only broker with a fetch due now, if there is one, and the fetch begun.
    pub(crate) fn begin_any(&mut self) -> Option<FetchPlan> {
        let due = self.fetches();
        assert!(due.len() <= 1, "{due:?}");
        self.machine.begin_fetch(self.now, *due.first()?, SUPPORT)
    }

    /// Answers a fetch in a session of the broker's, which is opened or gone on with.
    pub(crate) fn answer(&mut self, plan: &FetchPlan, partitions: Vec<(i32, PartitionAnswer)>) {
        let mut partitions: HashMap<_, _> = partitions
            .into_iter()
            .map(|(partition, answer)| (tp(partition), answer))
            .collect();
        let full = plan.session.session_epoch == 0;
        if full {
            for (name, _) in &plan.session.send {
                partitions.entry(name.clone()).or_insert_with(nothing);
            }
        }
        let session_id = if full {
            plan.broker + 70
        } else {
            plan.session.session_id
        };
        let answer = FetchAnswer {
            error: ErrorCode::None,
            session_id,
            throttle: Duration::ZERO,
            partitions: partitions.into_iter().collect(),
            names_strangers: false,
        };
        self.machine.handle_fetch(self.now, plan.broker, answer);
    }

    pub(crate) fn metadata(&mut self, partition: i32, view: PartitionView) {
        self.view.partitions.insert(tp(partition), view);
        self.machine.on_metadata(self.now, &self.view);
    }

    pub(crate) fn take(&mut self) -> Taken {
        self.machine.take(usize::MAX)
    }

    /// The base offsets that a poll takes, and the fault.
    pub(crate) fn taken(&mut self) -> (Vec<i64>, Option<Fault>) {
        let taken = self.take();
        let offsets = taken
            .batches
            .iter()
            .map(|batch| batch.buffered.batch.base_offset());
        (offsets.collect(), taken.fault.map(|(_, fault)| fault))
    }

    pub(crate) fn position(&self, partition: i32) -> Option<NextOffset> {
        self.machine
            .partition(&tp(partition))
            .unwrap()
            .position
            .known()
            .map(NextOffset::from)
    }

    pub(crate) fn offset(&self, partition: i32) -> Option<i64> {
        self.position(partition).map(|next| next.offset)
    }

    pub(crate) fn reset(&mut self, plan: &ResetPlan, answers: &[(i32, OffsetAnswer)]) {
        let answers = answers
            .iter()
            .map(|(partition, answer)| (tp(*partition), *answer))
            .collect();
        self.machine.handle_resets(self.now, plan, &answers);
    }

    pub(crate) fn validate(&mut self, plan: &ValidationPlan, answers: &[(i32, EpochAnswer)]) {
        let answers = answers
            .iter()
            .map(|(partition, answer)| (tp(*partition), *answer))
            .collect();
        self.machine.handle_validations(self.now, plan, &answers);
    }
}

pub(crate) fn leader(broker: i32, epoch: i32) -> Leader {
    Leader {
        broker: Some(broker),
        epoch: Some(epoch),
    }
}

/// A partition of topic id 1 with replicas on 1, 2 and 3.
pub(crate) fn known(broker: i32, epoch: i32) -> PartitionView {
    PartitionView::Known {
        topic_id: Some(Uuid::from_u128(1)),
        leader: leader(broker, epoch),
        replicas: vec![1, 2, 3],
    }
}

pub(crate) fn nothing() -> PartitionAnswer {
    PartitionAnswer {
        error: ErrorCode::None,
        watermarks: Watermarks::default(),
        preferred_replica: None,
        has_records: false,
        reading: Reading::default(),
    }
}

pub(crate) fn refused(error: ErrorCode) -> PartitionAnswer {
    PartitionAnswer { error, ..nothing() }
}

pub(crate) fn redirected(replica: i32) -> PartitionAnswer {
    PartitionAnswer {
        preferred_replica: Some(replica),
        ..nothing()
    }
}

/// What `records` come to when they were fetched at `fetch_offset` by a reader of committed records.
pub(crate) fn data(records: Vec<u8>, fetch_offset: i64) -> PartitionAnswer {
    committed(Bytes::from(records), fetch_offset, Vec::new())
}

pub(crate) fn committed(
    records: Bytes,
    fetch_offset: i64,
    aborted: Vec<AbortedTransaction>,
) -> PartitionAnswer {
    let filter = Filter::new(IsolationLevel::ReadCommitted, aborted);
    PartitionAnswer {
        has_records: !records.is_empty(),
        reading: batches::read(records, fetch_offset, filter, true),
        ..nothing()
    }
}

pub(crate) fn offset(offset: i64) -> OffsetAnswer {
    OffsetAnswer {
        error: ErrorCode::None,
        offset: Some(offset),
        timestamp: None,
        leader_epoch: Some(5),
    }
}
