//! The machine under any operations, with coordinators that answer whatever they like.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// T-30, T-34, T-44, T-45, T-52, T-53, T-64, T-75, L-2, L-8: whatever the coordinators answer.
    #[test]
    fn no_answer_turns_a_commit_round_or_revives_a_producer(
        level: u8,
        seed: u8,
        operations in prop::collection::vec(any::<[u8; 2]>(), 1..200),
    ) {
        let data = [vec![level, seed], operations.concat()].concat();
        operations::run(&data, Instant::now());
    }
}

/// Found by fuzzing, a mistake of the operations and not of the machine: a hundred batches that wait are drained
/// before the commit behind them is asked for its outcome.
#[test]
fn a_commit_behind_a_hundred_waiting_batches_ends() {
    let begin = [1, 0];
    let queue = [3, 0].repeat(100);
    let commit = [6, 0];
    let data = [&[0, 0], &begin[..], &queue, &commit].concat();
    operations::run(&data, Instant::now());
}

/// L-2: the commit is in doubt, another producer is said to have the id, and then InitProducerId gives a new one, as
/// after the id has expired: what became of the commit is unknown.
#[test]
fn a_commit_in_doubt_whose_transactional_id_was_forgotten_is_unknown() {
    let operations = [
        1, 0, 3, 0, 12, 0, 6, 0, 17, 0, 31, 0, 24, 104, 31, 0, 17, 0, 12, 0, 21, 50, 12, 0, 17, 158,
    ];
    operations::run(&[&[30, 0], &operations[..]].concat(), Instant::now());
    operations::run(
        &[&[30, 0], &operations[..], &[12, 0, 17, 5, 10, 0]].concat(),
        Instant::now(),
    );
}
