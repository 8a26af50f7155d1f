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
