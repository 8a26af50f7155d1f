//! The machine on virtual time: each rule alone, and the table of every situation with every answer.

mod asking;
mod delivering;
mod errors;
mod lookups;
mod pace;
mod recreated;
mod replicas;
mod table;

use std::sync::Arc;
use std::time::{Duration, Instant};

use milena_codec::ErrorCode;
use uuid::Uuid;

use super::super::position::EpochEnd;
use super::super::position::ResetTarget;
use super::super::test_log::RawBatch;
use super::answer::{FetchAnswer, PartitionAnswer};
use super::deliver::TakenBatch;
use super::fault::{Fault, Request};
use super::fixture::{
    Fixture, WAIT, data, known, nothing, offset, redirected, refused, settings, tp,
};
use super::lookup::{EpochAnswer, OffsetAnswer, ResetPlan, ValidationPlan};
use super::machine::{FetchPlan, FetchSupport, Machine, PartitionView, Settings};
use super::partition::Watermarks;
use crate::types::{IsolationLevel, NextOffset, OffsetReset, Position};

const SECOND: Duration = Duration::from_secs(1);

/// A batch with the records `from..to`.
fn batch(from: i64, to: i64) -> Vec<u8> {
    let deltas: Vec<i64> = (0..to - from).collect();
    RawBatch::plain(from, &deltas).encode()
}

fn one() -> Fixture {
    Fixture::at_zero(settings(), 1)
}

/// What is left of `fixture` once the first fetch was answered with `answer`.
fn answered(mut fixture: Fixture, answer: PartitionAnswer) -> Fixture {
    let plan = fixture.begin(1);
    fixture.answer(&plan, vec![(0, answer)]);
    fixture
}

fn told(settings: Settings) -> Settings {
    Settings {
        offset_reset: OffsetReset::Error,
        ..settings
    }
}

#[test]
fn ends_of_the_log_are_remembered_and_unknown_ones_ignored() {
    //
    let seen = |high_watermark, last_stable_offset, log_start_offset| {
        let watermarks = Watermarks {
            high_watermark,
            last_stable_offset,
            log_start_offset,
        };
        PartitionAnswer {
            watermarks,
            ..nothing()
        }
    };
    let mut fixture = answered(one(), seen(Some(9), Some(7), Some(1)));
    fixture.advance(SECOND);
    let plan = fixture.begin(1);
    fixture.answer(&plan, vec![(0, seen(Some(12), None, None))]);
    let expected = Watermarks {
        high_watermark: Some(12),
        last_stable_offset: Some(7),
        log_start_offset: Some(1),
    };
    assert_eq!(
        fixture.machine.partition(&tp(0)).unwrap().watermarks,
        expected
    );
}

fn support() -> FetchSupport {
    FetchSupport {
        sessions: true,
        topic_ids: true,
    }
}

#[test]
fn ends_of_the_log_are_remembered_also_from_an_answer_to_an_older_position() {
    // in its session the broker names a partition again only when there is news.
    let mut fixture = one();
    let plan = fixture.begin(1);
    fixture.machine.seek(&tp(0), Position::Offset(9)).unwrap();
    let watermarks = Watermarks {
        high_watermark: Some(9),
        last_stable_offset: Some(9),
        log_start_offset: Some(0),
    };
    let answer = PartitionAnswer {
        watermarks,
        ..data(batch(0, 3), 0)
    };
    fixture.answer(&plan, vec![(0, answer)]);
    fixture.advance(SECOND);
    let plan = fixture.begin(1);
    fixture.answer(&plan, vec![]);
    let partition = fixture.machine.partition(&tp(0)).unwrap();
    assert_eq!(partition.lag(IsolationLevel::ReadCommitted), Some(0));
    assert_eq!(fixture.offset(0), Some(9));
}
