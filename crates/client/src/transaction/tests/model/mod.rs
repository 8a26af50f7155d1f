//! The machine against a model of the cluster, over a network that loses, delays and repeats.
//!
//! A script of transactions is run by an application that does what an application should: commit, abort
//! what can only be aborted, and make a new producer when the old one is at its end. The network takes the
//! fate of each request from the script, and is reliable once that is used up. Then the logs are compared
//! with what the application was told.

mod cluster;
mod network;
mod sender;
mod world;

use proptest::prelude::*;

use self::world::World;
use super::*;

/// Which transaction wrote it, and the how manieth of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Write {
    transaction: usize,
    number: usize,
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Delivered,
    RequestLost,
    AnswerLost,
    /// Processed so many milliseconds after its sender gave it up.
    Late(u16),
    NotSent,
    /// Refused unprocessed: the coordinator or leader is elsewhere.
    Moved,
    /// Processed, and answered as if that were not sure (L-2).
    Doubtful,
    /// An EndTxn is processed and answered as if there were nothing to end (L-25).
    Misleading,
    /// A Produce is refused for good, anything else delivered.
    Refused,
}

#[derive(Clone, Debug)]
struct Plan {
    /// Partitions to write to, in order.
    writes: Vec<usize>,
    sends_offsets: bool,
    send_fails: bool,
    direction: Direction,
    /// Milliseconds between the last send and the end.
    pause: u16,
}

#[derive(Clone, Debug)]
struct Script {
    version: TransactionVersion,
    remembers_timed_out_epoch: bool,
    plans: Vec<Plan>,
    fates: Vec<Fate>,
    /// Another producer takes the id over after so many milliseconds.
    usurped_at: Option<u16>,
    /// The feature level changes before this transaction.
    level_changes_at: Option<usize>,
}

/// What the application was told about a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Committed,
    NotCommitted,
    Unknown,
}
fn plan(partition: usize, direction: Direction, pause: u16) -> Plan {
    Plan {
        writes: vec![partition],
        sends_offsets: false,
        send_fails: false,
        direction,
        pause,
    }
}

/// Two transactions of the first protocol under these fates: a commit, and this.
fn two(fates: Vec<Fate>, second: Direction, pause: u16) -> World {
    let script = Script {
        version: TransactionVersion::One,
        remembers_timed_out_epoch: true,
        plans: vec![plan(0, Direction::Commit, 0), plan(0, second, pause)],
        fates,
        usurped_at: None,
        level_changes_at: None,
    };
    let world = World::new(&script).run();
    world.check(&script);
    world
}

/// The second is an abort. No producer is fenced.
fn survives(fates: Vec<Fate>, pause: u16) -> World {
    let world = two(fates, Direction::Abort, pause);
    assert_eq!(world.generation, 1);
    world
}

/// Up to the EndTxn of the first transaction.
const UNTIL_END: [Fate; 4] = [Fate::Delivered; 4];

/// T-65, KAFKA-17754: the EndTxn that was thought lost reaches the coordinator in the next transaction.
#[test]
fn a_late_commit_does_not_commit_the_next_transaction() {
    let world = survives([&UNTIL_END[..], &[Fate::Late(500)]].concat(), 1_500);
    assert_eq!(world.told[&0], Told::Committed);
    assert_eq!(world.told[&1], Told::NotCommitted);
}

/// T-42: so does the InitProducerId that was to prevent it. With a transaction open the coordinator compares no epoch,
/// so this aborts it and fences its producer; whoever commits it is told so.
#[test]
fn a_late_raise_aborts_the_next_transaction_as_a_whole_and_is_told() {
    let raise = [
        Fate::AnswerLost,
        Fate::Delivered,
        Fate::Delivered,
        Fate::Late(500),
    ];
    let fates = [&UNTIL_END[..], &raise[..]].concat();
    let world = two(fates, Direction::Commit, 1_500);
    assert_eq!(world.generation, 2, "fenced by its own raise");
    assert_eq!(world.told[&0], Told::Committed);
    assert_eq!(world.told[&1], Told::NotCommitted);
}

/// L-29: a batch that was given up reaches its partition in the next transaction.
#[test]
fn a_late_batch_does_not_show_in_the_next_transaction() {
    for late in [300, 600, 900, 1_200] {
        let mut fates = vec![Fate::Delivered; 3];
        fates.extend([
            Fate::RequestLost,
            Fate::RequestLost,
            Fate::RequestLost,
            Fate::Late(late),
        ]);
        let world = survives(fates, 1_500);
        assert_eq!(world.told[&0], Told::NotCommitted);
    }
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Delivered),
        1 => Just(Fate::RequestLost),
        1 => Just(Fate::AnswerLost),
        2 => (0_u16..2_000).prop_map(Fate::Late),
        1 => Just(Fate::NotSent),
        1 => Just(Fate::Moved),
        1 => Just(Fate::Doubtful),
        1 => Just(Fate::Misleading),
        1 => Just(Fate::Refused),
    ]
}

fn plans() -> impl Strategy<Value = Plan> {
    let direction = prop_oneof![3 => Just(Direction::Commit), 1 => Just(Direction::Abort)];
    let pause = prop_oneof![4 => 0_u16..50, 3 => 50_u16..1_500, 1 => 3_500_u16..4_000];
    let send_fails = prop::bool::weighted(0.1);
    (
        prop::collection::vec(0_usize..2, 0..4),
        any::<bool>(),
        send_fails,
        direction,
        pause,
    )
        .prop_map(
            |(writes, sends_offsets, send_fails, direction, pause)| Plan {
                writes,
                sends_offsets,
                send_fails,
                direction,
                pause,
            },
        )
}

fn scripts() -> impl Strategy<Value = Script> {
    let version = prop_oneof![Just(TransactionVersion::One), Just(TransactionVersion::Two)];
    (
        version,
        any::<bool>(),
        prop::collection::vec(plans(), 1..7),
        prop::collection::vec(fates(), 0..60),
        prop::option::weighted(0.2, 0_u16..1_000),
        prop::option::weighted(0.2, 0_usize..6),
    )
        .prop_map(
            |(version, remembers, plans, fates, usurped_at, level_changes_at)| Script {
                version,
                remembers_timed_out_epoch: remembers,
                plans,
                fates,
                usurped_at,
                level_changes_at,
            },
        )
}

proptest! {
    // More with PROPTEST_CASES. No file of old failures: a script that found something becomes a test above.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases * 8,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// T-30, T-34, T-44, T-64, T-65, T-75, L-2, L-4, L-8, L-15, L-16, L-29: nothing is lost, repeated, torn or
    /// shown against what was told, and once the faults end so does the waiting.
    #[test]
    fn what_is_visible_is_what_was_told(script in scripts()) {
        World::new(&script).run().check(&script);
    }
}
