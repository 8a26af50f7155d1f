//! What goes out, and what is made of what comes back.

use kafka_protocol::messages::fetch_response::FetchableTopicResponse;

use super::super::fixture::{Fixture, settings};
use super::*;
use crate::config::ConsumerBuilder;

fn plan() -> FetchPlan {
    Fixture::at_zero(settings(), 1).begin(1)
}

fn config(level: IsolationLevel) -> ConsumerConfig {
    let builder = ConsumerBuilder::new(["localhost:9092"]).isolation_level(level);
    builder.build().unwrap()
}

/// what only replicas say stays unsaid.
#[test]
fn a_fetch_says_its_isolation_and_no_last_fetched_epoch() {
    for level in [
        IsolationLevel::ReadCommitted,
        IsolationLevel::ReadUncommitted,
    ] {
        let (request, _) = fetch_request(&plan(), &config(level), *FETCH_VERSIONS.end());
        assert_eq!(request.isolation_level, level.code());
        assert_eq!(request.replica_id, BrokerId(-1));
        let asked = &request.topics[0].partitions[0];
        assert_eq!((asked.last_fetched_epoch, asked.log_start_offset), (-1, -1));
        assert_eq!((asked.fetch_offset, asked.current_leader_epoch), (0, 5));
    }
}

/// the first word counts.
#[test]
fn a_partition_that_is_answered_twice_counts_once() {
    let plan = plan();
    let data = |high_watermark| {
        PartitionData::default()
            .with_partition_index(0)
            .with_high_watermark(high_watermark)
    };
    let mut topic = FetchableTopicResponse::default().with_partitions(vec![data(7), data(9)]);
    topic.topic = TopicName(StrBytes::from_static_str("t"));
    let asked = plan.asked.values().next().unwrap();
    topic.topic_id = asked.topic_id.unwrap_or_default();
    let response = FetchResponse::default().with_responses(vec![topic]);
    let (answer, _) = read_fetch(response, &plan.asked, IsolationLevel::ReadCommitted, true);
    let [(_, partition)] = &answer.partitions[..] else {
        panic!("{:?}", answer.partitions)
    };
    assert_eq!(partition.watermarks.high_watermark, Some(7));
    assert!(!answer.names_strangers);
}
