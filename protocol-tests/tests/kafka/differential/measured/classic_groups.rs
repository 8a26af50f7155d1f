//! Offsets of a classic group: who may commit them, and what is read of them meanwhile.

use super::group::{Group, Member, NOBODY, member};
use super::{end, who};
use milena_protocol_tests::{Kafka, conformance};

/// T-56, G-80.
async fn a_transaction_sends_offsets_as_a_member_of_a_classic_group_or_as_nobody(kafka: &Kafka) {
    let mut group = Group::new(kafka);
    let (id, generation) = group.join_classic();
    assert_eq!(generation, 1);
    let elsewhere = Member {
        instance: Some("other"),
        ..member(&id, generation)
    };
    for (as_member, expected) in [
        (member(&id, generation + 1), "ILLEGAL_GENERATION"),
        (member("nobody", generation), "UNKNOWN_MEMBER_ID"),
        (member("", generation), "UNKNOWN_MEMBER_ID"),
        (elsewhere, "UNKNOWN_MEMBER_ID"),
        (NOBODY, "NONE"),
        (member(&id, generation), "NONE"),
    ] {
        let answer = group.commit_in_transaction(5, who(0), as_member, 10);
        assert_eq!(answer, expected, "{as_member:?}");
    }
}

/// T-56.
async fn a_transaction_sends_offsets_to_a_group_nobody_knows_only_as_nobody(kafka: &Kafka) {
    let mut group = Group::new(kafka);
    for (as_member, expected) in [
        (member("somebody", 0), "ILLEGAL_GENERATION"),
        (member("", 3), "ILLEGAL_GENERATION"),
        (NOBODY, "NONE"),
    ] {
        let answer = group.commit_in_transaction(5, who(0), as_member, 10);
        assert_eq!(answer, expected, "{as_member:?}");
    }
}

/// G-71, G-72.
async fn offsets_of_an_open_transaction_are_unstable_until_it_ends(kafka: &Kafka) {
    let (commit, abort) = (true, false);
    let mut group = Group::new(kafka);
    let (id, generation) = group.join_classic();
    let me = member(&id, generation);
    assert_eq!(group.commit(8, me, 5), "NONE");
    assert_eq!(group.committed(None, true), "NONE 5");
    assert_eq!(group.commit_in_transaction(5, who(0), NOBODY, 7), "NONE");
    assert_eq!(group.committed(None, true), "UNSTABLE_OFFSET_COMMIT -1");
    assert_eq!(group.committed(None, false), "NONE 5");
    assert_eq!(group.commit_in_transaction(5, who(0), me, 10), "NONE");
    group.play(end(5, who(0), abort), "NONE p0 e1");
    assert_eq!(group.committed(None, true), "NONE 5");
    assert_eq!(group.commit_in_transaction(5, who(1), me, 12), "NONE");
    group.play(end(5, who(1), commit), "NONE p0 e2");
    assert_eq!(group.committed(None, true), "NONE 12");
}

/// T-34: what a late request meets, in both kinds of transactions.
async fn offsets_need_the_epoch_of_now_and_before_version_5_the_group_added(kafka: &Kafka) {
    let abort = false;
    let mut group = Group::new(kafka);
    let (id, generation) = group.join_classic();
    let me = member(&id, generation);
    assert_eq!(group.commit_in_transaction(5, who(0), me, 10), "NONE");
    group.play(end(5, who(0), abort), "NONE p0 e1");
    for (version, epoch, expected) in [
        (5, 0, "INVALID_PRODUCER_EPOCH"),
        (4, 1, "TRANSACTION_ABORTABLE"),
        (3, 1, "INVALID_TXN_STATE"),
    ] {
        let answer = group.commit_in_transaction(version, who(epoch), me, 11);
        assert_eq!(answer, expected, "version {version}");
    }
}

/// G-67.
async fn the_later_of_a_plain_and_a_transactional_commit_wins_whichever_ends_last(kafka: &Kafka) {
    let commit = true;
    let mut group = Group::new(kafka);
    let (id, generation) = group.join_classic();
    let me = member(&id, generation);
    assert_eq!(group.commit_in_transaction(5, who(0), me, 20), "NONE");
    assert_eq!(group.commit(8, me, 15), "NONE");
    group.play(end(5, who(0), commit), "NONE p0 e1");
    assert_eq!(group.committed(None, true), "NONE 15");
}

conformance!(
    on [embedded_tv2, kafka_4_4_0, kafka_4_3_1_tv2];
    a_transaction_sends_offsets_as_a_member_of_a_classic_group_or_as_nobody,
    a_transaction_sends_offsets_to_a_group_nobody_knows_only_as_nobody,
    offsets_need_the_epoch_of_now_and_before_version_5_the_group_added,
    offsets_of_an_open_transaction_are_unstable_until_it_ends,
    the_later_of_a_plain_and_a_transactional_commit_wins_whichever_ends_last,
);
