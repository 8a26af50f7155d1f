//! What readers of committed records are given while transactions are open, and once they were aborted.

use super::{FIRST, T, end, init, player, who, write};
use crate::differential::player::Player;
use crate::differential::step::{At, Id, Produce, Step, Who};
use milena_protocol_tests::{Kafka, conformance};
use std::time::SystemTime;

/// The second producer's.
const U: Id = Id(1);
const SECOND: Who = Who {
    producer: Some(1),
    epoch: 0,
};
/// Of the place's time.
const BEGINNING: i64 = 4_000_000_000_000;
/// 1970-01-01: before every record.
const LONG_AGO: At = At::Time(-BEGINNING);

/// Plays the table from top to bottom; each answer has to be, to its end, what was measured.
fn hold(player: &mut Player, table: Vec<(Step, &str)>) {
    for (line, (step, expected)) in (1..).zip(table) {
        let answer = player.play(&step).unwrap().text;
        assert_eq!(answer, expected, "line {line}, {step:?}");
    }
}

/// Of the present, as the markers are: Kafka begins a new segment where times are weeks apart, and a fetch ends
/// with its segment.
fn present(written: Produce) -> Step {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    Step::Produce(Produce {
        time: i64::try_from(now).unwrap() - BEGINNING,
        ..written
    })
}

fn fetch(offset: i64, committed: bool) -> Step {
    Step::Fetch {
        version: 12,
        partition: FIRST,
        offset,
        committed,
    }
}

fn list(at: At, committed: bool) -> Step {
    Step::ListOffsets {
        version: 7,
        partition: FIRST,
        committed,
        at,
    }
}

/// Two transactions are open in one partition, with records of both by turns, and a plain record after them.
fn two_open_transactions(kafka: &Kafka) -> Player {
    let of_the_second = Produce {
        id: Some(U),
        ..write(12, SECOND, FIRST, 0, 2)
    };
    let plain = Produce {
        id: None,
        who: None,
        transactional: false,
        ..write(12, SECOND, FIRST, -1, 1)
    };
    let mut player = player(kafka);
    let table = vec![
        (init(Some(T), None), "NONE p0 e0"),
        (init(Some(U), None), "NONE p1 e0"),
        (present(write(12, who(0), FIRST, 0, 2)), "NONE at 0,"),
        (present(of_the_second), "NONE at 2,"),
        (present(write(12, who(0), FIRST, 2, 2)), "NONE at 4,"),
        (present(plain), "NONE at 6,"),
    ];
    super::hold(&mut player, table);
    player
}

///
async fn offsets_listed_for_committed_reads_end_where_a_transaction_is_open(kafka: &Kafka) {
    let (committed, all) = (true, false);
    let none = "NONE -1 at -1, leader epoch -1";
    let table = vec![
        (list(At::Latest, all), "NONE 7 at -1, leader epoch 0"),
        (list(At::Latest, committed), "NONE 0 at -1, leader epoch 0"),
        (list(At::LargestTime, committed), none),
        (list(LONG_AGO, committed), none),
        (
            list(At::Earliest, committed),
            "NONE 0 at -1, leader epoch 0",
        ),
    ];
    hold(&mut two_open_transactions(kafka), table);
}

///
async fn a_committed_read_above_the_last_stable_offset_is_empty_and_no_error(kafka: &Kafka) {
    let nothing = "NONE NONE high watermark 7, last stable 0, log start 0, aborted , batches";
    let table = vec![
        (fetch(0, true), nothing),
        (fetch(3, true), nothing),
        (
            fetch(99, true),
            "NONE OFFSET_OUT_OF_RANGE high watermark -1, last stable -1, log start -1, aborted null, batches",
        ),
    ];
    hold(&mut two_open_transactions(kafka), table);
}

/// the list covers what a fetch returns and all that was aborted after it, and a marker
/// of version 2 has the epoch after its records'.
async fn aborted_records_are_returned_and_listed_as_such(kafka: &Kafka) {
    let (commit, abort) = (true, false);
    let mut player = two_open_transactions(kafka);
    super::hold(&mut player, vec![(end(5, who(0), abort), "NONE p0 e1")]);
    let table = vec![(
        fetch(0, true),
        "NONE NONE high watermark 8, last stable 2, log start 0, aborted p0@0, batches \
         [0-1 p0 e0 s0 n2 T tnow]",
    )];
    hold(&mut player, table);
    let end_of_the_second = Step::EndTxn {
        version: 5,
        id: U,
        who: SECOND,
        commit,
    };
    let table = vec![
        (end_of_the_second, "NONE p1 e1"),
        (present(write(12, who(1), FIRST, 0, 1)), "NONE at 9,"),
        (end(5, who(1), abort), "NONE p0 e2"),
    ];
    super::hold(&mut player, table);
    let first = "[0-1 p0 e0 s0 n2 T tnow] [2-3 p1 e0 s0 n2 T tnow] ";
    let middle = "[4-5 p0 e0 s2 n2 T tnow] [6-6 none e-1 s-1 n1 tnow] ";
    let last = "[7-7 p0 e1 s-1 n1 T C tnow Abort { coordinator_epoch: 0 }] \
                [8-8 p1 e1 s-1 n1 T C tnow Commit { coordinator_epoch: 0 }] \
                [9-9 p0 e1 s0 n1 T tnow] \
                [10-10 p0 e2 s-1 n1 T C tnow Abort { coordinator_epoch: 0 }]";
    let ends = "NONE NONE high watermark 11, last stable 11, log start 0, aborted";
    let from_0 = format!("{ends} p0@0 p0@9, batches {first}{middle}{last}");
    let from_4 = format!("{ends} p0@0 p0@9, batches {middle}{last}");
    let from_7 = format!("{ends} p0@0 p0@9, batches {last}");
    let all = format!("{ends} null, batches {first}{middle}{last}");
    let table = vec![
        (fetch(0, true), &*from_0),
        (fetch(4, true), &*from_4),
        (fetch(7, true), &*from_7),
        (fetch(0, false), &*all),
    ];
    hold(&mut player, table);
}

conformance!(
    on [embedded_tv2, kafka_4_4_0, kafka_4_3_1_tv2];
    a_committed_read_above_the_last_stable_offset_is_empty_and_no_error,
    aborted_records_are_returned_and_listed_as_such,
    offsets_listed_for_committed_reads_end_where_a_transaction_is_open,
);
