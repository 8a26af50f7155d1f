//! Tables of answers that were measured on Kafka 4.3.1: it still gives them, and so does the embedded broker.

mod classic_groups;
mod committed_reads;
mod consumer_groups;
mod group;
mod held_markers;

use super::player::{Place, Player};
use super::step::{Id, Partition, Produce, Step, Who};
use milena_protocol_tests::raw::{Coordinator, find_coordinator};
use milena_protocol_tests::{Kafka, conformance};
use std::time::{Duration, Instant};

/// How long a transaction may be open beyond its timeout: brokers in tests look twice a second.
const ABORTED_LIMIT: Duration = Duration::from_secs(20);

const T: Id = Id(0);
const FIRST: Partition = Partition(0);
const SECOND: Partition = Partition(1);

/// A player with a topic, and transactional ids, of its own.
fn player(kafka: &Kafka) -> Player {
    let topic = kafka.topic(2);
    let brokers = kafka.bootstrap();
    for kind in [Coordinator::Group, Coordinator::Transaction] {
        find_coordinator(&brokers, kind, &topic).unwrap();
    }
    let place = Place {
        name: format!("measured-{topic}"),
        topic,
        partition: 0,
        time: 4_000_000_000_000,
    };
    Player::new(&brokers[0], place).unwrap()
}

/// Plays the table from top to bottom; each answer has to begin as it says.
fn hold(player: &mut Player, table: Vec<(Step, &str)>) {
    for (line, (step, expected)) in (1..).zip(table) {
        let answer = player.play(&step).unwrap().text;
        assert!(
            answer.starts_with(expected),
            "line {line}, {step:?}\n  measured: {expected}\n  answered: {answer}"
        );
    }
}

const fn who(epoch: i16) -> Who {
    Who {
        producer: Some(0),
        epoch,
    }
}

const STRANGER: Who = Who {
    producer: None,
    epoch: 0,
};

fn init(id: Option<Id>, who: Option<Who>) -> Step {
    let timeout_ms = 60_000;
    Step::Init {
        version: 5,
        id,
        who,
        timeout_ms,
    }
}

fn end(version: i16, who: Who, commit: bool) -> Step {
    let id = T;
    Step::EndTxn {
        version,
        id,
        who,
        commit,
    }
}

fn add(who: Who, partition: Partition) -> Step {
    Step::AddPartitions {
        version: 3,
        id: T,
        who,
        partitions: vec![partition],
        verify_only: false,
    }
}

/// Transactional, with the id in the request.
fn write(version: i16, who: Who, partition: Partition, sequence: i32, records: i32) -> Produce {
    Produce {
        version,
        id: Some(T),
        who: Some(who),
        transactional: true,
        partition,
        sequence,
        records,
        // At 1970-01-01 and a bit: the place's time is too far ahead for a broker.
        time: 1_000 - 4_000_000_000_000,
        acks: -1,
    }
}

fn send(version: i16, who: Who, partition: Partition, sequence: i32, records: i32) -> Step {
    Step::Produce(write(version, who, partition, sequence, records))
}

/// Numbered, and in no transaction.
fn numbered(who: Who, partition: Partition, sequence: i32, records: i32) -> Step {
    Step::Produce(Produce {
        id: None,
        transactional: false,
        ..write(12, who, partition, sequence, records)
    })
}

/// P-24, P-25, P-53.
async fn duplicates_gaps_and_local_epochs(kafka: &Kafka) {
    let out_of_order = "OUT_OF_ORDER_SEQUENCE_NUMBER at -1";
    let second = Who {
        producer: Some(1),
        epoch: 0,
    };
    let mut table = vec![(init(None, None), "NONE p0 e0")];
    for (sequence, expected) in (0..).step_by(2).zip([
        "NONE at 0,",
        "NONE at 2,",
        "NONE at 4,",
        "NONE at 6,",
        "NONE at 8,",
        "NONE at 10,",
        "NONE at 12,",
    ]) {
        table.push((numbered(who(0), FIRST, sequence, 2), expected));
    }
    table.extend([
        (numbered(who(0), FIRST, 12, 2), "NONE at 12,"),
        (numbered(who(0), FIRST, 4, 2), "NONE at 4,"),
        (numbered(who(0), FIRST, 2, 2), out_of_order),
        (numbered(who(0), FIRST, 12, 1), out_of_order),
        (numbered(who(0), FIRST, 20, 2), out_of_order),
        (numbered(who(1), FIRST, 5, 1), out_of_order),
        (numbered(who(1), FIRST, 0, 1), "NONE at 14,"),
        (
            numbered(who(0), FIRST, 14, 2),
            "INVALID_PRODUCER_EPOCH at -1",
        ),
        (numbered(STRANGER, SECOND, 7, 1), "NONE at 0,"),
        (init(None, None), "NONE p1 e0"),
        (numbered(second, FIRST, i32::MAX - 1, 3), "NONE at 15,"),
        (numbered(second, FIRST, 1, 1), "NONE at 18,"),
        (numbered(second, FIRST, 5, 1), out_of_order),
    ]);
    hold(&mut player(kafka), table);
}

/// T-40 to T-44.
async fn epochs_by_init_producer_id(kafka: &Kafka) {
    let old_version = Step::Init {
        version: 3,
        id: Some(T),
        who: Some(who(0)),
        timeout_ms: 60_000,
    };
    let too_long = Step::Init {
        version: 5,
        id: Some(T),
        who: None,
        timeout_ms: 900_001,
    };
    let table = vec![
        (init(Some(T), None), "NONE p0 e0"),
        (init(Some(T), Some(who(0))), "NONE p0 e1"),
        (init(Some(T), Some(who(0))), "NONE p0 e1"),
        (init(Some(T), Some(who(9))), "PRODUCER_FENCED"),
        (init(Some(T), Some(STRANGER)), "PRODUCER_FENCED"),
        (init(Some(T), None), "NONE p0 e2"),
        (init(Some(T), Some(who(0))), "PRODUCER_FENCED"),
        (init(Some(T), Some(who(1))), "PRODUCER_FENCED"),
        (too_long, "INVALID_TRANSACTION_TIMEOUT"),
        (old_version, "INVALID_PRODUCER_EPOCH"),
    ];
    hold(&mut player(kafka), table);
}

/// T-42, T-45: while a transaction is open the epoch is not compared. Who was fenced long ago is told so only when it has
/// aborted the transaction of who fenced it.
async fn a_raise_by_a_fenced_instance_aborts_the_open_transaction(kafka: &Kafka) {
    let table = vec![
        (init(Some(T), None), "NONE p0 e0"),
        (init(Some(T), None), "NONE p0 e1"),
        (init(Some(T), None), "NONE p0 e2"),
        (send(12, who(2), FIRST, 0, 1), "NONE at 0,"),
        (init(Some(T), Some(who(0))), "PRODUCER_FENCED"),
        (end(5, who(2), true), "INVALID_TXN_STATE"),
        (end(5, who(2), false), "NONE p0 e3"),
    ];
    hold(&mut player(kafka), table);
}

/// The matrix of EndTxn 5 (T-52, T-53, T-60, T-64, P-93).
async fn ends_of_transactions_under_version_2(kafka: &Kafka) {
    let (commit, abort) = (true, false);
    let open_and_plain = numbered(who(3), FIRST, 1, 1);
    let table = vec![
        (init(Some(T), None), "NONE p0 e0"),
        (end(5, who(0), commit), "INVALID_TXN_STATE"),
        (end(5, who(0), abort), "NONE p0 e1"),
        (send(12, who(1), FIRST, 0, 1), "NONE at 0,"),
        (end(5, who(1), commit), "NONE p0 e2"),
        (end(5, who(1), commit), "NONE p0 e2"),
        (end(5, who(1), abort), "INVALID_TXN_STATE"),
        (end(5, who(2), commit), "INVALID_TXN_STATE"),
        (end(5, who(2), abort), "NONE p0 e3"),
        (end(5, who(2), abort), "NONE p0 e3"),
        (
            send(12, who(3), FIRST, 5, 1),
            "OUT_OF_ORDER_SEQUENCE_NUMBER",
        ),
        (
            send(12, who(3), SECOND, 5, 1),
            "OUT_OF_ORDER_SEQUENCE_NUMBER",
        ),
        (send(12, who(3), FIRST, 0, 1), "NONE at 2,"),
        (send(12, who(2), FIRST, 1, 1), "INVALID_PRODUCER_EPOCH"),
        (open_and_plain, "INVALID_TXN_STATE"),
        (
            send(12, who(3), Partition::MISSING, 0, 1),
            "UNKNOWN_TOPIC_OR_PARTITION",
        ),
        (end(5, who(3), abort), "NONE p0 e4"),
        // A commit that comes late meets the next transaction, and is refused (T-65).
        (send(12, who(4), FIRST, 0, 1), "NONE at 4,"),
        (end(5, who(4), commit), "NONE p0 e5"),
        (send(12, who(5), FIRST, 0, 1), "NONE at 6,"),
        (end(5, who(4), commit), "PRODUCER_FENCED"),
        (end(5, who(4), abort), "PRODUCER_FENCED"),
        (Step::DescribeTransactions(T), "NONE Ongoing p0 e5"),
    ];
    hold(&mut player(kafka), table);
}

/// T-50, T-65, P-92, and what a delayed request does under version 1.
async fn transactions_of_version_1(kafka: &Kafka) {
    let (commit, abort) = (true, false);
    let table = vec![
        (init(Some(T), None), "NONE p0 e0"),
        (end(4, who(0), commit), "INVALID_TXN_STATE"),
        (end(4, who(0), abort), "INVALID_TXN_STATE"),
        (send(11, who(0), FIRST, 0, 2), "TRANSACTION_ABORTABLE"),
        (send(10, who(0), FIRST, 0, 2), "INVALID_TXN_STATE"),
        (add(who(0), FIRST), "0: NONE"),
        (send(11, who(0), FIRST, 0, 1), "NONE at 0,"),
        (send(11, who(0), SECOND, 0, 1), "TRANSACTION_ABORTABLE"),
        (end(4, who(0), commit), "NONE none e-1"),
        (end(4, who(0), commit), "NONE none e-1"),
        (end(4, who(0), abort), "INVALID_TXN_STATE"),
        (add(who(0), FIRST), "0: NONE"),
        (send(11, who(0), FIRST, 1, 1), "NONE at 2,"),
        // The duplicate of the first commit commits the second transaction.
        (end(4, who(0), commit), "NONE none e-1"),
        (Step::DescribeTransactions(T), "NONE CompleteCommit p0 e0"),
        (
            add(who(0), Partition::MISSING),
            "missing: UNKNOWN_TOPIC_OR_PARTITION",
        ),
        // A late Produce is refused, unless an AddPartitionsToTxn as late came before it.
        (send(11, who(0), FIRST, 2, 1), "TRANSACTION_ABORTABLE"),
        (add(who(0), FIRST), "0: NONE"),
        (send(11, who(0), FIRST, 2, 1), "NONE at 4,"),
        (end(4, who(0), abort), "NONE none e-1"),
    ];
    hold(&mut player(kafka), table);
}

/// L-14: the new instance ends what the old one left, and nothing of the old one counts any more.
async fn a_zombie_is_fenced(kafka: &Kafka) {
    let table = vec![
        (init(Some(T), None), "NONE p0 e0"),
        (send(12, who(0), FIRST, 0, 1), "NONE at 0,"),
        (init(Some(T), None), "NONE p0 e2"),
        (send(12, who(0), FIRST, 1, 1), "INVALID_PRODUCER_EPOCH"),
        (end(5, who(0), true), "PRODUCER_FENCED"),
        (end(5, who(0), false), "PRODUCER_FENCED"),
        (init(Some(T), Some(who(0))), "PRODUCER_FENCED"),
    ];
    hold(&mut player(kafka), table);
}

/// A flaw of Kafka's that no client can mend, see docs/PROTOCOL.md: EndTxn 5 with the epoch before is taken for a
/// repetition of the last end, although that was an EndTxn 4, which bumps nothing, of whoever has the id now. The
/// zombie is told that it committed, and handed its successor's epoch (T-6, T-64). Should Kafka mend it, this fails,
/// and the embedded broker and the simulation's plan can follow.
async fn a_zombie_of_version_2_is_handed_the_epoch_of_a_successor_of_version_1(kafka: &Kafka) {
    let (zombie, successor, commit) = (who(0), who(1), true);
    let mut mixed = player(kafka);
    let table = vec![
        (init(Some(T), None), "NONE p0 e0"),
        (init(Some(T), None), "NONE p0 e1"),
        (add(successor, FIRST), "0: NONE"),
        (send(11, successor, FIRST, 0, 1), "NONE at 0,"),
        (end(5, zombie, commit), "PRODUCER_FENCED"),
        (end(4, successor, commit), "NONE none e-1"),
        (end(4, zombie, commit), "PRODUCER_FENCED"),
        (end(5, zombie, commit), "NONE p0 e1"),
        // From here on both write as one.
        (send(12, successor, FIRST, 1, 1), "NONE at 2,"),
    ];
    hold(&mut mixed, table);
    // Of the same version they are told apart.
    let table = vec![
        (init(Some(T), None), "NONE p0 e0"),
        (init(Some(T), None), "NONE p0 e1"),
        (send(12, successor, FIRST, 0, 1), "NONE at 0,"),
        (end(5, successor, commit), "NONE p0 e2"),
        (end(5, zombie, commit), "PRODUCER_FENCED"),
    ];
    hold(&mut player(kafka), table);
}

/// T-6, P-26, P-94, P-95, and ids that are not known.
async fn mixtures_and_strangers(kafka: &Kafka) {
    let mut too_late = write(12, who(1), SECOND, 0, 1);
    too_late.time += 9_000_000_000_000;
    let anonymous = Produce {
        id: None,
        ..write(12, who(2), FIRST, 0, 1)
    };
    let table = vec![
        (end(5, STRANGER, true), "INVALID_PRODUCER_ID_MAPPING"),
        (add(STRANGER, FIRST), "0: INVALID_PRODUCER_ID_MAPPING"),
        (
            send(12, STRANGER, FIRST, 0, 1),
            "INVALID_PRODUCER_ID_MAPPING",
        ),
        (init(Some(T), None), "NONE p0 e0"),
        (send(12, who(0), FIRST, 0, 1), "NONE at 0,"),
        (end(4, who(0), true), "NONE none e-1"),
        // The epoch is the same, so the first sequence is a repetition.
        (send(12, who(0), FIRST, 1, 1), "NONE at 2,"),
        (send(12, who(0), FIRST, 0, 1), "NONE at 0,"),
        (end(4, who(0), false), "NONE none e-1"),
        (add(who(0), FIRST), "0: NONE"),
        (send(11, who(0), FIRST, 2, 1), "NONE at 4,"),
        (end(5, who(0), true), "NONE p0 e1"),
        // A refused batch leaves an open transaction.
        (Step::Produce(too_late), "INVALID_TIMESTAMP"),
        (Step::DescribeTransactions(T), "NONE Ongoing p0 e1"),
        (end(5, who(1), true), "NONE p0 e2"),
        (
            send(12, STRANGER, FIRST, 0, 1),
            "INVALID_PRODUCER_ID_MAPPING",
        ),
        (add(STRANGER, FIRST), "0: INVALID_PRODUCER_ID_MAPPING"),
        (end(5, STRANGER, true), "INVALID_PRODUCER_ID_MAPPING"),
        (send(12, who(7), FIRST, 0, 1), "INVALID_PRODUCER_EPOCH"),
        (
            Step::Produce(anonymous),
            "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
        ),
    ];
    hold(&mut player(kafka), table);
}

fn await_abort(player: &mut Player) {
    let deadline = Instant::now() + ABORTED_LIMIT;
    let step = Step::DescribeTransactions(T);
    loop {
        let answer = player.play(&step).unwrap().text;
        if answer.starts_with("NONE CompleteAbort p0 e1") {
            return;
        }
        assert!(Instant::now() < deadline, "still {answer}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// T-71, T-72: the coordinator's own abort, as clients of each version meet it.
async fn a_transaction_that_ran_out_of_time(kafka: &Kafka) {
    let short = || Step::Init {
        version: 5,
        id: Some(T),
        who: None,
        timeout_ms: 300,
    };
    let mut old = player(kafka);
    let begin = vec![
        (short(), "NONE p0 e0"),
        (add(who(0), FIRST), "0: NONE"),
        (send(11, who(0), FIRST, 0, 1), "NONE at 0,"),
    ];
    hold(&mut old, begin);
    let mut new = player(kafka);
    let begin = vec![
        (short(), "NONE p0 e0"),
        (send(12, who(0), FIRST, 0, 1), "NONE at 0,"),
    ];
    hold(&mut new, begin);
    await_abort(&mut old);
    let table = vec![
        (send(11, who(0), FIRST, 1, 1), "INVALID_PRODUCER_EPOCH"),
        (add(who(0), SECOND), "1: PRODUCER_FENCED"),
        (end(4, who(0), true), "PRODUCER_FENCED"),
        (end(4, who(0), false), "PRODUCER_FENCED"),
        (init(Some(T), Some(who(0))), "NONE p0 e1"),
        (init(Some(T), None), "NONE p0 e2"),
    ];
    hold(&mut old, table);
    await_abort(&mut new);
    let table = vec![
        (send(12, who(0), FIRST, 1, 1), "INVALID_PRODUCER_EPOCH"),
        (end(5, who(0), true), "INVALID_TXN_STATE"),
        (end(5, who(0), false), "NONE p0 e1"),
        (init(Some(T), Some(who(0))), "NONE p0 e1"),
        (init(Some(T), None), "NONE p0 e2"),
    ];
    hold(&mut new, table);
}

conformance!(
    on [
        embedded_tv2, embedded_tv1, embedded_tv0,
        kafka_4_4_0, kafka_4_3_1_tv2, kafka_4_3_1_tv1, kafka_4_3_1_tv0,
    ];
    duplicates_gaps_and_local_epochs,
    epochs_by_init_producer_id,
    transactions_of_version_1,
);
conformance!(
    on [embedded_tv2, kafka_4_4_0, kafka_4_3_1_tv2];
    a_raise_by_a_fenced_instance_aborts_the_open_transaction,
    a_transaction_that_ran_out_of_time,
    a_zombie_is_fenced,
    a_zombie_of_version_2_is_handed_the_epoch_of_a_successor_of_version_1,
    ends_of_transactions_under_version_2,
    mixtures_and_strangers,
);
