//! Where logs begin and end, and which offset belongs to a time: ListOffsets for its own sake.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use kafka_protocol::messages::ListOffsetsRequest;
use milena_codec::{ApiKey, ErrorCode};
use milena_connection::{
    CallError, CallOptions, ConnectionKind, MetadataSnapshot, Target, TopicsWanted,
};

use super::driver::Shared;
use super::fetch::errors::{LookupAction, list_offsets_action};
use super::fetch::lookup::OffsetAnswer;
use super::fetch::wire;
use super::position::ResetTarget;
use super::results::PartitionResults;
use crate::error::Error;
use crate::runtime::now;
use crate::types::{OffsetAndTimestamp, TopicPartition};

/// How long [`Consumer::committed_offsets`](super::Consumer::committed_offsets) may take with all its repetitions: Kafka's
/// `default.api.timeout.ms`.
pub(super) const LOOKUP_MAX: Duration = Duration::from_secs(60);

/// What a partition's lookup returned; `None` where no record has the time.
type Found = Option<OffsetAndTimestamp>;

/// A partition whose offset is still to be found.
#[derive(Debug)]
struct Open {
    target: ResetTarget,
    /// What stood in the way last.
    trouble: Option<Error>,
}

/// A partition to ask its leader about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Question {
    name: TopicPartition,
    target: ResetTarget,
    leader_epoch: Option<i32>,
}

/// What is still to be asked, and what was found. Pure: the waiting is in [`look_up`].
#[derive(Debug)]
struct Lookup {
    open: BTreeMap<TopicPartition, Open>,
    found: BTreeMap<TopicPartition, Result<Found, Error>>,
}

impl Lookup {
    fn new(questions: impl IntoIterator<Item = (TopicPartition, ResetTarget)>) -> Self {
        let mut lookup = Self {
            open: BTreeMap::new(),
            found: BTreeMap::new(),
        };
        for (name, target) in questions {
            // On the wire times below 0 have meanings of their own.
            if let ResetTarget::Timestamp(time) = target
                && time < 0
            {
                let error = Error::misuse(format!("{time} ms of {name} is before the epoch"));
                lookup.found.insert(name, Err(error));
                continue;
            }
            let trouble = None;
            lookup.open.insert(name, Open { target, trouble });
        }
        lookup
    }

    fn topics(&self) -> BTreeSet<Arc<str>> {
        let topics = self.open.keys().map(TopicPartition::topic_shared);
        topics.map(Arc::clone).collect()
    }

    /// The questions for each leader that the metadata names. Of a partition without one it is noted why; one that
    /// may not be read, or whose topic's name is invalid, is done.
    fn questions(&mut self, metadata: &MetadataSnapshot) -> BTreeMap<i32, Vec<Question>> {
        let mut questions: BTreeMap<i32, Vec<Question>> = BTreeMap::new();
        let names: Vec<_> = self.open.keys().cloned().collect();
        for name in names {
            let topic = metadata.topic(name.topic());
            let partition = topic.and_then(|topic| topic.partition(name.partition()));
            let Some(leader) = partition.and_then(|partition| partition.leader) else {
                let code = match (topic.and_then(|topic| topic.error), partition) {
                    (Some(code), _) => code,
                    (None, Some(_)) => ErrorCode::LeaderNotAvailable,
                    (None, None) => ErrorCode::UnknownTopicOrPartition,
                };
                self.trouble(&name, rejected(&name, code, ApiKey::Metadata, None));
                continue;
            };
            if let Some(open) = self.open.get(&name) {
                questions.entry(leader).or_default().push(Question {
                    target: open.target,
                    leader_epoch: partition.and_then(|partition| partition.leader_epoch),
                    name,
                });
            }
        }
        questions
    }

    /// Takes one broker's response; partitions whose result may be different later stay open.
    fn handle(&mut self, broker: i32, answers: &HashMap<TopicPartition, OffsetAnswer>) {
        for (name, answer) in answers {
            let Some(open) = self.open.get(name) else {
                continue;
            };
            // Every log has a beginning and an end: without one the broker does not know it yet.
            let always = matches!(open.target, ResetTarget::Earliest | ResetTarget::Latest);
            let found = if answer.error.is_none() {
                answer.offset.map(|offset| OffsetAndTimestamp {
                    offset,
                    timestamp: answer.timestamp,
                    leader_epoch: answer.leader_epoch,
                })
            } else {
                let error = rejected(name, answer.error, ApiKey::ListOffsets, Some(broker));
                match list_offsets_action(answer.error) {
                    LookupAction::Nothing if !always => None,
                    LookupAction::Refresh => {
                        self.note(name, error);
                        continue;
                    }
                    LookupAction::Nothing | LookupAction::Report => {
                        self.finish(name, Err(error));
                        continue;
                    }
                }
            };
            if always && answer.error.is_none() && found.is_none() {
                let code = ErrorCode::OffsetNotAvailable;
                self.note(
                    name,
                    rejected(name, code, ApiKey::ListOffsets, Some(broker)),
                );
                continue;
            }
            self.finish(name, Ok(found));
        }
    }

    /// A broker did not respond about these partitions.
    fn failed(&mut self, questions: &[Question], error: &Error) {
        for question in questions {
            self.trouble(&question.name, error.clone());
        }
    }

    /// Nothing more can be found.
    fn all_failed(&mut self, error: &Error) {
        for name in std::mem::take(&mut self.open).into_keys() {
            self.found.insert(name, Err(error.clone()));
        }
    }

    /// The metadata could not be had.
    fn metadata_failed(&mut self, error: &Error) {
        let names: Vec<_> = self.open.keys().cloned().collect();
        for name in names {
            self.trouble(&name, error.clone());
        }
    }

    /// What passes keeps the partition open, what does not is its result.
    fn trouble(&mut self, name: &TopicPartition, error: Error) {
        if error.is_retriable() {
            self.note(name, error);
        } else {
            self.finish(name, Err(error));
        }
    }

    fn note(&mut self, name: &TopicPartition, error: Error) {
        if let Some(open) = self.open.get_mut(name) {
            open.trouble = Some(error);
        }
    }

    fn finish(&mut self, name: &TopicPartition, result: Result<Found, Error>) {
        if self.open.remove(name).is_some() {
            self.found.insert(name.clone(), result);
        }
    }

    /// The results; what is still open has none after `elapsed`.
    fn into_results(mut self, elapsed: Duration) -> PartitionResults<Found> {
        let missing = self.open.into_iter().map(|(name, open)| {
            let error = Error::Timeout {
                operation: format!("looking up an offset of {name}").into(),
                elapsed,
                cause: open.trouble.map(Arc::new),
            };
            (name, Err(error))
        });
        self.found.extend(missing);
        PartitionResults::new(self.found)
    }
}

fn rejected(name: &TopicPartition, code: ErrorCode, request: ApiKey, broker: Option<i32>) -> Error {
    let topic = Arc::clone(name.topic_shared());
    Error::partition(code, request, broker, topic, name.partition())
}

/// Asks the leaders until there is a result for every partition, for at most `request_timeout`.
pub(super) async fn look_up(
    shared: &Shared,
    questions: impl IntoIterator<Item = (TopicPartition, ResetTarget)>,
) -> PartitionResults<Found> {
    let started = now();
    let deadline = started + shared.config.client.request_timeout;
    let mut lookup = Lookup::new(questions);
    let asking = ask_until_answered(shared, &mut lookup, deadline);
    // An error means that some partitions are still open, and their results say so.
    let _ = tokio::time::timeout_at(deadline.into(), asking).await;
    lookup.into_results(now().saturating_duration_since(started))
}

/// Round after round, from what is known on; each but the first begins with fresh metadata.
async fn ask_until_answered(shared: &Shared, lookup: &mut Lookup, deadline: Instant) {
    let mut attempts = 0;
    let mut snapshot = shared.cluster.snapshot();
    let unknown = |topic: &Arc<str>| snapshot.topic(topic).is_none_or(|it| it.error.is_some());
    let mut stale = lookup.topics().iter().any(unknown);
    loop {
        if stale {
            let wanted = TopicsWanted::named(lookup.topics());
            match shared.cluster.refresh(wanted).await {
                Ok(refreshed) => snapshot = refreshed,
                Err(error) => {
                    let error = Error::from(error);
                    // No broker was ever reached: a wrong address, which waiting does not mend.
                    if shared.cluster.snapshot().version() == 0 {
                        return lookup.all_failed(&error);
                    }
                    lookup.metadata_failed(&error);
                }
            }
        }
        ask_leaders(shared, lookup, &snapshot, deadline).await;
        if lookup.open.is_empty() {
            return;
        }
        let delay = shared.machine().delay(attempts);
        attempts += 1;
        tokio::time::sleep(delay).await;
        stale = true;
    }
}

/// One round: each leader is asked once, all of them side by side.
async fn ask_leaders(
    shared: &Shared,
    lookup: &mut Lookup,
    snapshot: &MetadataSnapshot,
    deadline: Instant,
) {
    let questions = lookup.questions(snapshot);
    let asking = questions.into_iter().map(|(broker, questions)| async move {
        let result = ask(shared, broker, &questions, deadline).await;
        (broker, questions, result)
    });
    let mut asking: FuturesUnordered<_> = asking.collect();
    while let Some((broker, questions, result)) = asking.next().await {
        match result {
            Ok(answers) => lookup.handle(broker, &answers),
            Err(error) => lookup.failed(&questions, &error.into()),
        }
    }
}

async fn ask(
    shared: &Shared,
    broker: i32,
    questions: &[Question],
    deadline: Instant,
) -> Result<HashMap<TopicPartition, OffsetAnswer>, CallError> {
    let questions = questions
        .iter()
        .map(|question| (&question.name, question.target, question.leader_epoch));
    let timeout = shared.config.client.request_timeout;
    let request = wire::list_offsets_request(questions, shared.config.isolation_level, timeout);
    // A little before the deadline, so that the results there have this request's end as their cause.
    let remaining = deadline.saturating_duration_since(now());
    let options = CallOptions {
        timeout: Some(remaining - remaining / 20),
        kind: ConnectionKind::Lookup,
        version_min: Some(*wire::LIST_OFFSETS_VERSIONS.start()),
        ..CallOptions::default()
    };
    let target = Target::Broker(broker);
    let answer = shared
        .cluster
        .call::<ListOffsetsRequest>(target, request, options)
        .await?;
    Ok(wire::read_list_offsets(answer.response))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tp(partition: i32) -> TopicPartition {
        TopicPartition::new("t", partition)
    }

    fn answer(error: ErrorCode, offset: Option<i64>) -> OffsetAnswer {
        OffsetAnswer {
            error,
            offset,
            timestamp: None,
            leader_epoch: None,
        }
    }

    #[test]
    fn what_may_be_different_later_stays_open() {
        // R-45; an answer for a partition that was not asked for is ignored.
        let targets = [
            ResetTarget::Latest,
            ResetTarget::Latest,
            ResetTarget::Timestamp(7),
            ResetTarget::Latest,
        ];
        let mut lookup = Lookup::new((0..).map(tp).zip(targets));
        let answers = HashMap::from([
            (tp(0), answer(ErrorCode::None, Some(5))),
            (tp(1), answer(ErrorCode::OffsetNotAvailable, None)),
            (tp(2), answer(ErrorCode::UnsupportedForMessageFormat, None)),
            (tp(9), answer(ErrorCode::None, Some(9))),
        ]);
        lookup.handle(1, &answers);
        assert_eq!(lookup.open.keys().collect::<Vec<_>>(), [&tp(1), &tp(3)]);
        assert_eq!(offset(&lookup, 0), Some(5));
        assert_eq!(offset(&lookup, 2), None);
    }

    #[test]
    fn a_beginning_or_an_end_that_a_broker_does_not_know_stays_open() {
        // only a search by time may find nothing.
        let targets = [
            ResetTarget::Earliest,
            ResetTarget::Latest,
            ResetTarget::Timestamp(7),
        ];
        let mut lookup = Lookup::new((0..).map(tp).zip(targets));
        let answers = (0..3).map(|n| (tp(n), answer(ErrorCode::None, None)));
        lookup.handle(1, &answers.collect());
        assert_eq!(lookup.open.keys().collect::<Vec<_>>(), [&tp(0), &tp(1)]);
        assert_eq!(offset(&lookup, 2), None);
    }

    fn offset(lookup: &Lookup, partition: i32) -> Option<i64> {
        let found = lookup.found[&tp(partition)].as_ref().unwrap();
        found.map(|found| found.offset)
    }

    #[test]
    fn one_rejected_partition_fails_alone_and_is_named() {
        let mut lookup = Lookup::new((0..3).map(|n| (tp(n), ResetTarget::Earliest)));
        let answers = HashMap::from([
            (tp(0), answer(ErrorCode::TopicAuthorizationFailed, None)),
            (tp(1), answer(ErrorCode::None, Some(7))),
            (tp(2), answer(ErrorCode::NotLeaderOrFollower, None)),
        ]);
        lookup.handle(3, &answers);
        let results = lookup.into_results(Duration::from_secs(30));
        let error = results.get(&tp(0)).unwrap().as_ref().unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::TopicAuthorizationFailed));
        assert!(error.to_string().contains("t-0"), "{error}");
        let found = results.get(&tp(1)).unwrap().as_ref().unwrap();
        assert_eq!(found.map(|found| found.offset), Some(7));
        let error = results.get(&tp(2)).unwrap().as_ref().unwrap_err();
        assert!(error.to_string().contains("t-2"), "{error}");
        assert_eq!(
            error.code(),
            Some(ErrorCode::NotLeaderOrFollower),
            "the cause"
        );
    }

    #[test]
    fn a_partition_that_metadata_does_not_know_stays_open_with_its_cause() {
        let mut lookup = Lookup::new([(tp(0), ResetTarget::Latest)]);
        let questions = lookup.questions(&MetadataSnapshot::default());
        assert!(questions.is_empty());
        let results = lookup.into_results(Duration::from_secs(30));
        let error = results.all().unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::UnknownTopicOrPartition));
    }
}
