//! What a group has committed, for applications that assign partitions themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{GroupId, OffsetFetchRequest, OffsetFetchResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use milena_codec::{ApiKey, ErrorCode};
use milena_connection::{CallOptions, ConnectionKind, CoordinatorKind, MetadataSnapshot, Target};
use uuid::Uuid;

use super::driver::Shared;
use super::offsets::LOOKUP_MAX;
use crate::error::Error;
use crate::runtime::now;
use crate::types::{NextOffset, TopicPartition};

/// The first version that can ask for stable offsets only; older ones could answer with offsets that an
/// open transaction is about to replace (G-70, L-3).
const VERSION_MIN: i16 = 7;
/// The first version that asks for several groups.
const VERSION_OF_GROUPS: i16 = 8;
/// The last version that names topics; from the next on they go by id (KIP-848).
const VERSION_BY_NAME_MAX: i16 = 9;

type Committed = BTreeMap<TopicPartition, Option<NextOffset>>;

/// The ids of the topics asked for, by name.
type TopicIds = BTreeMap<Arc<str>, Uuid>;

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
    let mut by_name = false;
    loop {
        let target = Target::Coordinator(CoordinatorKind::Group, Arc::clone(&key));
        // Without the id of every topic, and after a coordinator that knows another, by name.
        let ids = topic_ids(&shared.cluster.snapshot(), partitions).filter(|_| !by_name);
        let options = CallOptions {
            timeout: Some(shared.config.client.request_timeout.min(deadline - now())),
            kind: ConnectionKind::Lookup,
            version_min: Some(VERSION_MIN),
            version_max: ids.is_none().then_some(VERSION_BY_NAME_MAX),
        };
        let ids = ids.unwrap_or_default();
        let build = |version| request(group_id, partitions, version, &ids);
        let trouble = match shared.cluster.call_with(target, options, build).await {
            Ok(answer) => match read(answer.response, answer.version, partitions, &ids) {
                Reading::Committed(committed) => return Ok(committed),
                Reading::Again { code, elsewhere } => {
                    by_name |= code == ErrorCode::UnknownTopicId;
                    if elsewhere {
                        shared
                            .cluster
                            .forget_coordinator(CoordinatorKind::Group, group_id);
                    }
                    Error::broker(code, ApiKey::OffsetFetch, answer.broker_id)
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
            Error::partition(code, ApiKey::OffsetFetch, broker, topic, name.partition())
        }
        None => Error::broker(code, ApiKey::OffsetFetch, broker),
    }
}

/// The ids of all the topics, if the metadata has them all.
fn topic_ids(metadata: &MetadataSnapshot, partitions: &[TopicPartition]) -> Option<TopicIds> {
    let ids = partitions.iter().map(|name| {
        let topic = metadata.topic(name.topic())?;
        Some((Arc::clone(name.topic_shared()), topic.topic_id?))
    });
    ids.collect()
}

/// From version 10 on `ids` has to have every topic.
fn request(
    group_id: &str,
    partitions: &[TopicPartition],
    version: i16,
    ids: &TopicIds,
) -> OffsetFetchRequest {
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
            .with_topic_id(ids.get(name).copied().unwrap_or_default())
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

fn read(
    response: OffsetFetchResponse,
    version: i16,
    asked: &[TopicPartition],
    ids: &TopicIds,
) -> Reading {
    let (error, parts) = parts(response, version, ids);
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

fn parts(response: OffsetFetchResponse, version: i16, ids: &TopicIds) -> (ErrorCode, Vec<Part>) {
    let mut parts = Vec::new();
    if version < VERSION_OF_GROUPS {
        for topic in response.topics {
            let name: Arc<str> = Arc::from(topic.name.as_str());
            parts.extend(topic.partitions.into_iter().map(|partition| Part {
                name: TopicPartition::new(Arc::clone(&name), partition.partition_index),
                error: ErrorCode::from(partition.error_code),
                offset: partition.committed_offset, // -1 for none (G-74)
                leader_epoch: partition.committed_leader_epoch,
            }));
        }
        return (ErrorCode::from(response.error_code), parts);
    }
    let Some(group) = response.groups.into_iter().next() else {
        return (ErrorCode::UnknownServerError, parts);
    };
    for topic in group.topics {
        let name = if version <= VERSION_BY_NAME_MAX {
            Arc::from(topic.name.as_str())
        } else {
            // A topic that nobody asked for; what was asked for is then found missing.
            let Some((name, _)) = ids.iter().find(|(_, id)| **id == topic.topic_id) else {
                continue;
            };
            Arc::clone(name)
        };
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
        // The coordinator lags behind the metadata, or the topic was made anew.
        ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::UnstableOffsetCommit
        | ErrorCode::UnknownTopicId => Reading::Again {
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

    fn ids() -> TopicIds {
        TopicIds::from([(Arc::from("t"), Uuid::from_u128(7))])
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
            .with_topic_id(Uuid::from_u128(7))
            .with_partitions(partitions.iter().map(partition).collect());
        let group = OffsetFetchResponseGroup::default()
            .with_error_code(group.code())
            .with_topics(vec![topic]);
        OffsetFetchResponse::default().with_groups(vec![group])
    }

    #[test]
    fn stable_offsets_are_asked_for_in_every_version() {
        // L-3, G-70
        for version in [7, 8, 9, 10] {
            let request = request("g", &[tp(0), tp(1)], version, &ids());
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
            &ids(),
        );
        let next = NextOffset {
            offset: 5,
            leader_epoch: Some(3),
        };
        let expected = Committed::from([(tp(0), Some(next)), (tp(1), None)]);
        assert_eq!(read, Reading::Committed(expected));
    }

    #[test]
    fn topics_go_by_id_from_version_10_on() {
        let asked = [tp(0)];
        let request = request("g", &asked, 10, &ids());
        let topics = request.groups[0].topics.as_ref().unwrap();
        assert_eq!(topics[0].topic_id, Uuid::from_u128(7));
        let none = ErrorCode::None;
        let mut renamed = answer(none, &[(0, 5, none)]);
        renamed.groups[0].topics[0].name = TopicName::default();
        let by_id = read(renamed.clone(), 10, &asked, &ids());
        assert!(matches!(by_id, Reading::Committed(_)), "{by_id:?}");
        // A topic that was not asked for is no answer.
        renamed.groups[0].topics[0].topic_id = Uuid::from_u128(8);
        let other = read(renamed, 10, &asked, &ids());
        assert!(matches!(other, Reading::Refused { .. }), "{other:?}");
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
                &[tp(0), tp(1)],
                &ids()
            ),
            Reading::Refused {
                code: denied,
                partition
            }
        );
        let missing = read(answer(none, &[(0, 5, none)]), 9, &[tp(0), tp(1)], &ids());
        assert!(matches!(missing, Reading::Refused { .. }), "{missing:?}");
        let empty = read(OffsetFetchResponse::default(), 9, &[tp(0)], &ids());
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
                &[tp(0), tp(1)],
                &ids()
            ),
            Reading::Again {
                code: unstable,
                elsewhere: false
            }
        );
        for (code, elsewhere) in [
            (ErrorCode::CoordinatorLoadInProgress, false),
            (ErrorCode::UnknownTopicId, false),
            (ErrorCode::CoordinatorNotAvailable, true),
            (ErrorCode::NotCoordinator, true),
        ] {
            let expected = Reading::Again { code, elsewhere };
            assert_eq!(read(answer(code, &[]), 9, &[tp(0)], &ids()), expected);
        }
    }
}
