//! What a group has committed, for applications that assign partitions themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{GroupId, OffsetFetchRequest, OffsetFetchResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use milena_codec::ErrorCode;
use milena_connection::{CallOptions, CoordinatorKind, Lane, Target};

use super::driver::{Shared, now};
use super::offsets::LOOKUP_MAX;
use super::types::{NextOffset, TopicPartition};
use crate::error::Error;

/// The first version that can ask for stable offsets only; older ones could answer with offsets that an
/// open transaction is about to replace (G-70, L-3).
const VERSION_MIN: i16 = 7;
/// The first version that asks for several groups.
const VERSION_OF_GROUPS: i16 = 8;

type Committed = BTreeMap<TopicPartition, Option<NextOffset>>;

/// What an answer comes to.
#[derive(Debug, PartialEq, Eq)]
enum Reading {
    Committed(Committed),
    /// Ask again, of the same or of another coordinator.
    Again {
        code: ErrorCode,
        elsewhere: bool,
    },
    Refused {
        code: ErrorCode,
        partition: Option<TopicPartition>,
    },
}

/// Asks until every offset is stable (G-71); at most a minute.
pub(super) async fn fetch(
    shared: &Shared,
    group_id: &str,
    partitions: &[TopicPartition],
) -> Result<Committed, Error> {
    let started = now();
    let deadline = started + LOOKUP_MAX;
    let key: Arc<str> = group_id.into();
    let mut attempts = 0;
    loop {
        let target = Target::Coordinator(CoordinatorKind::Group, Arc::clone(&key));
        let options = CallOptions {
            timeout: Some(shared.config.client.request_timeout.min(deadline - now())),
            lane: Lane::Coordination,
            version_min: Some(VERSION_MIN),
            version_max: None,
        };
        let build = |version| request(group_id, partitions, version);
        let trouble = match shared.cluster.call_with(target, options, build).await {
            Ok(answer) => match read(answer.response, answer.version, partitions) {
                Reading::Committed(committed) => return Ok(committed),
                Reading::Again { code, elsewhere } => {
                    if elsewhere {
                        shared
                            .cluster
                            .forget_coordinator(CoordinatorKind::Group, group_id);
                    }
                    Error::broker(code, "OffsetFetch", answer.broker_id)
                }
                Reading::Refused { code, partition } => {
                    return Err(refused(code, answer.broker_id, partition));
                }
            },
            Err(error) => {
                shared
                    .cluster
                    .forget_coordinator(CoordinatorKind::Group, group_id);
                let error = Error::from(error);
                if !error.is_retriable() {
                    return Err(error);
                }
                error
            }
        };
        let delay = shared.machine().delay(attempts);
        attempts += 1;
        if now() + delay >= deadline {
            return Err(Error::Timeout {
                operation: format!("learning what group {group_id} has committed").into(),
                elapsed: now().saturating_duration_since(started),
                cause: Some(Arc::new(trouble)),
            });
        }
        tokio::time::sleep(delay).await;
    }
}

fn refused(code: ErrorCode, broker: Option<i32>, partition: Option<TopicPartition>) -> Error {
    match partition {
        Some(name) => {
            let topic = Arc::clone(name.topic_shared());
            Error::partition(code, "OffsetFetch", broker, topic, name.partition())
        }
        None => Error::broker(code, "OffsetFetch", broker),
    }
}

fn request(group_id: &str, partitions: &[TopicPartition], version: i16) -> OffsetFetchRequest {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for name in partitions {
        by_topic
            .entry(name.topic())
            .or_default()
            .push(name.partition());
    }
    let topic_name = |name: &str| TopicName(StrBytes::from_string(name.to_owned()));
    let group_id = GroupId(StrBytes::from_string(group_id.to_owned()));
    let request = OffsetFetchRequest::default().with_require_stable(true);
    if version < VERSION_OF_GROUPS {
        let topic = |(name, partitions)| {
            OffsetFetchRequestTopic::default()
                .with_name(topic_name(name))
                .with_partition_indexes(partitions)
        };
        let topics = by_topic.into_iter().map(topic).collect();
        return request.with_group_id(group_id).with_topics(Some(topics));
    }
    let topic = |(name, partitions)| {
        OffsetFetchRequestTopics::default()
            .with_name(topic_name(name))
            .with_partition_indexes(partitions)
    };
    let topics = by_topic.into_iter().map(topic).collect();
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(group_id)
        .with_topics(Some(topics));
    request.with_groups(vec![group])
}

/// One partition's part of an answer, whatever the version.
struct Part {
    name: TopicPartition,
    error: ErrorCode,
    offset: i64,
    leader_epoch: i32,
}

fn read(response: OffsetFetchResponse, version: i16, asked: &[TopicPartition]) -> Reading {
    let (error, parts) = parts(response, version);
    if !error.is_none() {
        return judge(error, None);
    }
    let mut committed = Committed::new();
    for part in parts {
        // An error is an error, never "nothing committed" (L-11). One unstable offset has the whole
        // question asked again: the offsets of one moment belong together (G-71).
        if !part.error.is_none() {
            return judge(part.error, Some(part.name));
        }
        let next = (part.offset >= 0).then_some(NextOffset {
            offset: part.offset,
            leader_epoch: (part.leader_epoch >= 0).then_some(part.leader_epoch),
        });
        committed.insert(part.name, next);
    }
    // A partition left out is an answer that does not fit; what it would have said is not known.
    if let Some(missing) = asked.iter().find(|name| !committed.contains_key(*name)) {
        let code = ErrorCode::UnknownServerError;
        return Reading::Refused {
            code,
            partition: Some(missing.clone()),
        };
    }
    Reading::Committed(committed)
}

fn parts(response: OffsetFetchResponse, version: i16) -> (ErrorCode, Vec<Part>) {
    let mut parts = Vec::new();
    if version < VERSION_OF_GROUPS {
        for topic in response.topics {
            let name: Arc<str> = Arc::from(topic.name.as_str());
            parts.extend(topic.partitions.into_iter().map(|partition| Part {
                name: TopicPartition::new(Arc::clone(&name), partition.partition_index),
                error: ErrorCode::from(partition.error_code),
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
            }));
        }
        return (ErrorCode::from(response.error_code), parts);
    }
    let Some(group) = response.groups.into_iter().next() else {
        return (ErrorCode::UnknownServerError, parts);
    };
    for topic in group.topics {
        let name: Arc<str> = Arc::from(topic.name.as_str());
        parts.extend(topic.partitions.into_iter().map(|partition| Part {
            name: TopicPartition::new(Arc::clone(&name), partition.partition_index),
            error: ErrorCode::from(partition.error_code),
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
        }));
    }
    (ErrorCode::from(group.error_code), parts)
}

/// G-75
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every code that does not pass by itself is for the caller, new ones too"
)]
fn judge(code: ErrorCode, partition: Option<TopicPartition>) -> Reading {
    match code {
        ErrorCode::CoordinatorLoadInProgress | ErrorCode::UnstableOffsetCommit => Reading::Again {
            code,
            elsewhere: false,
        },
        ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator => Reading::Again {
            code,
            elsewhere: true,
        },
        _ => Reading::Refused { code, partition },
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::offset_fetch_response::{
        OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
    };

    use super::*;

    fn tp(partition: i32) -> TopicPartition {
        TopicPartition::new("t", partition)
    }

    fn answer(group: ErrorCode, partitions: &[(i32, i64, ErrorCode)]) -> OffsetFetchResponse {
        let partition = |&(index, offset, error): &(i32, i64, ErrorCode)| {
            OffsetFetchResponsePartitions::default()
                .with_partition_index(index)
                .with_committed_offset(offset)
                .with_committed_leader_epoch(3)
                .with_error_code(error.code())
        };
        let topic = OffsetFetchResponseTopics::default()
            .with_name(TopicName(StrBytes::from_static_str("t")))
            .with_partitions(partitions.iter().map(partition).collect());
        let group = OffsetFetchResponseGroup::default()
            .with_error_code(group.code())
            .with_topics(vec![topic]);
        OffsetFetchResponse::default().with_groups(vec![group])
    }

    #[test]
    fn stable_offsets_are_asked_for_in_every_version() {
        // L-3, G-70
        for version in [7, 8, 9] {
            let request = request("g", &[tp(0), tp(1)], version);
            assert!(request.require_stable);
            assert_eq!(request.groups.len(), usize::from(version >= 8));
        }
    }

    #[test]
    fn nothing_committed_is_told_from_something() {
        // G-74
        let none = ErrorCode::None;
        let read = read(
            answer(none, &[(0, 5, none), (1, -1, none)]),
            9,
            &[tp(0), tp(1)],
        );
        let next = NextOffset {
            offset: 5,
            leader_epoch: Some(3),
        };
        let expected = Committed::from([(tp(0), Some(next)), (tp(1), None)]);
        assert_eq!(read, Reading::Committed(expected));
    }

    #[test]
    fn an_error_is_never_taken_for_nothing_committed() {
        // L-11
        let (none, denied) = (ErrorCode::None, ErrorCode::TopicAuthorizationFailed);
        let partition = Some(tp(1));
        assert_eq!(
            read(
                answer(none, &[(0, 5, none), (1, -1, denied)]),
                9,
                &[tp(0), tp(1)]
            ),
            Reading::Refused {
                code: denied,
                partition
            }
        );
        let missing = read(answer(none, &[(0, 5, none)]), 9, &[tp(0), tp(1)]);
        assert!(matches!(missing, Reading::Refused { .. }), "{missing:?}");
        let empty = read(OffsetFetchResponse::default(), 9, &[tp(0)]);
        assert!(matches!(empty, Reading::Refused { .. }), "{empty:?}");
    }

    #[test]
    fn what_passes_is_asked_again() {
        // G-71, G-75
        let none = ErrorCode::None;
        let unstable = ErrorCode::UnstableOffsetCommit;
        assert_eq!(
            read(
                answer(none, &[(0, 5, none), (1, -1, unstable)]),
                9,
                &[tp(0), tp(1)]
            ),
            Reading::Again {
                code: unstable,
                elsewhere: false
            }
        );
        for (code, elsewhere) in [
            (ErrorCode::CoordinatorLoadInProgress, false),
            (ErrorCode::CoordinatorNotAvailable, true),
            (ErrorCode::NotCoordinator, true),
        ] {
            let expected = Reading::Again { code, elsewhere };
            assert_eq!(read(answer(code, &[]), 9, &[tp(0)]), expected);
        }
    }
}
