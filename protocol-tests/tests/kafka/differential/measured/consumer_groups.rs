//! Offsets of a group of the consumer protocol (KIP-848), and the heartbeats of its member.

use super::group::{Group, NOBODY, member};
use super::{end, who};
use crate::differential::answers::name;
use kafka_protocol::messages::ConsumerGroupHeartbeatResponse;
use milena_protocol_tests::{Kafka, conformance};

const ID: &str = "bRZSb1pbT1aQdL2vJxkNXw";
/// The epoch of a group's first member, once it is assigned something.
const EPOCH: i32 = 2;

fn told(answer: &ConsumerGroupHeartbeatResponse) -> String {
    let assigned = match &answer.assignment {
        None => "nothing new".to_owned(),
        Some(new) => {
            let partitions = new.topic_partitions.iter().map(|topic| &topic.partitions);
            format!("{:?}", partitions.collect::<Vec<_>>())
        }
    };
    format!(
        "{} epoch {} {assigned} every {}",
        name(answer.error_code),
        answer.member_epoch,
        answer.heartbeat_interval_ms
    )
}

/// A group whose only member has, and says that it has, all it was assigned.
fn joined(kafka: &Kafka) -> Group {
    let mut group = Group::new(kafka);
    let first = group.join_consumer(ID);
    assert_eq!(told(&first), "NONE epoch 2 [[0, 1]] every 5000");
    let owned = group.assigned.clone();
    let second = group.heartbeat(ID, EPOCH, |r| r.with_topic_partitions(Some(owned)));
    assert_eq!(told(&second), "NONE epoch 2 nothing new every 5000");
    group
}

/// G-60, G-64.
async fn a_member_commits_with_its_epoch_and_a_version_that_has_it(kafka: &Kafka) {
    let mut group = joined(kafka);
    for (version, as_member, expected) in [
        (9, member(ID, EPOCH), "NONE"),
        (8, member(ID, EPOCH), "UNSUPPORTED_VERSION"),
        (9, member(ID, EPOCH - 1), "STALE_MEMBER_EPOCH"),
        (9, member(ID, EPOCH + 1), "STALE_MEMBER_EPOCH"),
        (9, member("x", EPOCH), "UNKNOWN_MEMBER_ID"),
    ] {
        let answer = group.commit(version, as_member, 3);
        assert_eq!(answer, expected, "version {version}, {as_member:?}");
    }
    assert_eq!(group.committed(None, true), "NONE 3");
}

/// T-56, G-80: the epochs' error is told in the words of generations.
async fn a_transaction_sends_offsets_as_a_member_of_a_consumer_group_or_as_nobody(kafka: &Kafka) {
    let abort = false;
    let mut group = joined(kafka);
    for (as_member, expected) in [
        (member(ID, EPOCH), "NONE"),
        (member(ID, EPOCH + 1), "ILLEGAL_GENERATION"),
        (member(ID, EPOCH - 1), "ILLEGAL_GENERATION"),
        (member("x", EPOCH), "UNKNOWN_MEMBER_ID"),
        (member("", EPOCH), "UNKNOWN_MEMBER_ID"),
        (NOBODY, "NONE"),
    ] {
        let answer = group.commit_in_transaction(5, who(0), as_member, 4);
        assert_eq!(answer, expected, "{as_member:?}");
    }
    group.play(end(5, who(0), abort), "NONE p0 e1");
    for (version, epoch, expected) in [
        (5, 0, "INVALID_PRODUCER_EPOCH"),
        (4, 1, "TRANSACTION_ABORTABLE"),
        (3, 1, "INVALID_TXN_STATE"),
    ] {
        let answer = group.commit_in_transaction(version, who(epoch), member(ID, EPOCH), 4);
        assert_eq!(answer, expected, "version {version}");
    }
}

/// G-71, G-73.
async fn a_member_is_told_offsets_under_its_epoch_only(kafka: &Kafka) {
    let mut group = joined(kafka);
    let me = member(ID, EPOCH);
    assert_eq!(group.commit_in_transaction(5, who(0), me, 4), "NONE");
    for (as_member, expected) in [
        (me, "UNSTABLE_OFFSET_COMMIT -1"),
        (member(ID, EPOCH - 1), "group: STALE_MEMBER_EPOCH"),
        (member(ID, EPOCH + 1), "group: STALE_MEMBER_EPOCH"),
        (member("x", EPOCH), "group: UNKNOWN_MEMBER_ID"),
    ] {
        let answer = group.committed(Some(as_member), true);
        assert_eq!(answer, expected, "{as_member:?}");
    }
}

/// G-51, G-53.
async fn a_heartbeat_of_another_epoch_is_fenced_and_one_who_left_is_unknown(kafka: &Kafka) {
    let mut group = joined(kafka);
    let fenced = "FENCED_MEMBER_EPOCH epoch 0 nothing new every 0";
    let unknown = "UNKNOWN_MEMBER_ID epoch 0 nothing new every 0";
    let owned = group.assigned.clone();
    let (ahead, before) = (EPOCH + 1, EPOCH - 1);
    let leave = -1;
    for (id, epoch, owned, expected) in [
        (ID, ahead, None, fenced),
        (ID, before, None, fenced),
        // The epoch before, with all that was assigned.
        (ID, before, Some(owned), fenced),
        ("zz", EPOCH, None, unknown),
        (ID, leave, None, "NONE epoch -1 nothing new every 0"),
        (ID, leave, None, unknown),
    ] {
        let answer = group.heartbeat(id, epoch, |r| r.with_topic_partitions(owned));
        assert_eq!(told(&answer), expected, "{id} at {epoch}");
    }
}

conformance!(
    on [embedded_tv2, kafka_4_4_0, kafka_4_3_1_tv2];
    a_heartbeat_of_another_epoch_is_fenced_and_one_who_left_is_unknown,
    a_member_commits_with_its_epoch_and_a_version_that_has_it,
    a_member_is_told_offsets_under_its_epoch_only,
    a_transaction_sends_offsets_as_a_member_of_a_consumer_group_or_as_nobody,
);
