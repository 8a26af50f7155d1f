//! Requests for a transactional id whose last end is decided and not written everywhere: its markers are held back.
//!
//! On Kafka the broker that leads the transaction's partition is frozen, another one coordinates. The embedded broker
//! holds the markers of the partition.

use super::super::player::{Place, Player};
use super::super::step::{Step, Who};
use super::{FIRST, STRANGER, T, add, end, init, who};
use milena_protocol_tests::raw::{Coordinator, Layout, find_coordinator};
use milena_protocol_tests::{Flavour, Kafka, KafkaConfig, conformance, own_kafka};
use std::time::{Duration, Instant};

/// Transactional ids to try until one is coordinated by another broker than the partition's leader.
const NAMES: usize = 100;

/// What a decided end is followed by, whose version and direction these are.
///
/// Kafka 4.3.1 looks for an end under way before it compares producer id and epoch, but in EndTxn 4 and earlier. Kafka
/// 3.9.2 compares them first everywhere but in InitProducerId.
fn table(flavour: Flavour, version: i16, commit: bool) -> Vec<(Step, String)> {
    const BUSY: &str = "CONCURRENT_TRANSACTIONS";
    let compares_first = flavour == Flavour::Kafka392;
    let (decided, current) = match version {
        5 => ("NONE p0 e1", who(1)),
        _ => ("NONE none e-1", who(0)),
    };
    let busy = |asked: Who, compares: bool| match asked {
        _ if !compares => BUSY,
        STRANGER => "INVALID_PRODUCER_ID_MAPPING",
        asked if asked.epoch != current.epoch => "PRODUCER_FENCED",
        _ => BUSY,
    };
    let mut table = vec![
        (init(Some(T), None), "NONE p0 e0".to_owned()),
        (add(who(0), FIRST), "0: NONE".to_owned()),
        (end(version, who(0), commit), decided.to_owned()),
    ];
    let asking = [who(0), current, who(7), STRANGER];
    for direction in [true, false] {
        for asked in asking {
            let expected = busy(asked, version < 5);
            table.push((end(version, asked, direction), expected.to_owned()));
        }
    }
    for asked in asking {
        let expected = busy(asked, compares_first);
        table.push((init(Some(T), Some(asked)), BUSY.to_owned()));
        table.push((add(asked, FIRST), format!("0: {expected}")));
        let offsets = Step::AddOffsets {
            version: 3,
            id: T,
            who: asked,
        };
        table.push((offsets, expected.to_owned()));
    }
    table.push((init(Some(T), None), BUSY.to_owned()));
    table
}

fn hold(player: &mut Player, table: Vec<(Step, String)>) {
    let mut differences = String::new();
    for (line, (step, expected)) in (1..).zip(table) {
        let answer = player.play_at_once(&step).unwrap().text;
        if !answer.starts_with(&expected) {
            differences +=
                &format!("line {line}, {step:?}\n  expected: {expected}\n  answered: {answer}\n");
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

fn place(topic: &str, partition: i32, name: String) -> Place {
    Place {
        topic: topic.to_owned(),
        partition,
        name,
        time: 4_000_000_000_000,
    }
}

async fn an_id_is_busy_while_the_markers_of_its_last_end_are_held_back_on_the_embedded_broker(
    kafka: &Kafka,
) {
    let broker = kafka.embedded().unwrap();
    for (version, commit) in cases(kafka.flavour()) {
        let topic = kafka.topic(1);
        broker.hold_markers(&topic, 0, true).unwrap();
        let place = place(&topic, 0, topic.clone());
        let mut player = Player::new(&kafka.bootstrap()[0], place).unwrap();
        hold(&mut player, table(kafka.flavour(), version, commit));
        broker.hold_markers(&topic, 0, false).unwrap();
    }
}

/// EndTxn 5 is for transaction.version 2 only.
fn cases(flavour: Flavour) -> Vec<(i16, bool)> {
    let versions = match flavour.transaction_version() {
        Some(2) => vec![4, 5],
        _ => vec![3],
    };
    let both = |version| [(version, true), (version, false)];
    versions.into_iter().flat_map(both).collect()
}

/// Plays a step until none of the codes by which a coordinator asks for a repetition is the answer.
fn settle(player: &mut Player, step: &Step) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = player.play_at_once(step).unwrap().text;
        // NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE.
        if !answer.contains("COORDINATOR") {
            return;
        }
        assert!(Instant::now() < deadline, "{answer}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn measure(flavour: Flavour) {
    let config = KafkaConfig::new(flavour)
        .brokers(3)
        .property("default.replication.factor", 1)
        .property("min.insync.replicas", 1)
        .property("transaction.state.log.replication.factor", 1)
        .property("transaction.state.log.min.isr", 1);
    let mut kafka = Kafka::start(&config);
    let brokers = kafka.bootstrap();
    let topic = kafka.topic(3);
    let leaders = Layout::of(&brokers, &topic).unwrap().leaders;
    let (partition, frozen) = leaders
        .into_iter()
        .find(|(_, leader)| *leader != 1)
        .unwrap();
    let mut players = Vec::new();
    for case in cases(flavour) {
        let found = (0..NAMES).find_map(|n| {
            let place = place(&topic, partition, format!("held-{case:?}-{n}"));
            let id = place.id(T);
            let (coordinator, _) =
                find_coordinator(&brokers, Coordinator::Transaction, &id.0).unwrap();
            (coordinator == 1).then_some(place)
        });
        let mut player = Player::new(&brokers[0], found.unwrap()).unwrap();
        settle(&mut player, &Step::DescribeTransactions(T));
        players.push((case, player));
    }
    // The coordinator fetches a block of producer ids from the controller, which may be the one that freezes.
    let first = place(&topic, partition, "held-first".to_owned());
    settle(
        &mut Player::new(&brokers[0], first).unwrap(),
        &init(None, None),
    );
    kafka.freeze(frozen);
    let mut differences = Vec::new();
    for ((version, commit), mut player) in players {
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            hold(&mut player, table(flavour, version, commit));
        }));
        if held.is_err() {
            differences.push((version, commit));
        }
    }
    kafka.thaw(frozen);
    assert!(differences.is_empty(), "{differences:?}");
}

async fn an_id_is_busy_while_the_markers_of_its_last_end_are_held_back_on_kafka_4_3_1() {
    measure(Flavour::Kafka431Tv2);
}

async fn an_id_is_busy_while_the_markers_of_its_last_end_are_held_back_on_kafka_3_9_2() {
    measure(Flavour::Kafka392);
}

conformance!(
    embedded only: "it holds the markers of one partition; a real broker is frozen instead, below";
    an_id_is_busy_while_the_markers_of_its_last_end_are_held_back_on_the_embedded_broker,
);
own_kafka!(
    an_id_is_busy_while_the_markers_of_its_last_end_are_held_back_on_kafka_4_3_1,
    an_id_is_busy_while_the_markers_of_its_last_end_are_held_back_on_kafka_3_9_2,
);
