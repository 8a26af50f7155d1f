//! Groups under any sequence of requests.

use super::operations;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// G-1, G-30, G-42, G-44, G-45, G-46, G-51, G-53, G-61, G-64, G-67, G-71, G-72, G-80: both protocols, lost
    /// responses, zombies, silence.
    #[test]
    fn no_request_splits_a_group_or_lets_a_stranger_commit(
        mode: u8,
        settings: u8,
        operations in prop::collection::vec(any::<[u8; 2]>(), 1..150),
    ) {
        operations::run(&[vec![mode, settings], operations.concat()].concat());
    }
}
