//! Where logs begin and end, and which offset belongs to a time: ListOffsets for its own sake.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::messages::ListOffsetsRequest;
use milena_codec::{ApiKey, ErrorCode};
use milena_connection::{CallError, CallOptions, ConnectionKind, Target, TopicsWanted};

use super::driver::Shared;
use super::fetch::errors::{LookupAction, list_offsets_action};
use super::fetch::lookup::OffsetAnswer;
use super::fetch::wire;
use super::position::ResetTarget;
use crate::error::Error;
use crate::runtime::now;
use crate::types::{OffsetAndTimestamp, TopicPartition};

/// How long one lookup may take with all its repetitions: Kafka's `default.api.timeout.ms`.
pub(super) const LOOKUP_MAX: Duration = Duration::from_secs(60);

/// What is still to be asked, and what was found. Pure: the waiting is in [`look_up`].
#[derive(Debug)]
struct Lookup {
    open: BTreeMap<TopicPartition, ResetTarget>,
    found: BTreeMap<TopicPartition, Option<OffsetAndTimestamp>>,
}

impl Lookup {
    fn new(questions: impl IntoIterator<Item = (TopicPartition, ResetTarget)>) -> Self {
        Self {
            open: questions.into_iter().collect(),
            found: BTreeMap::new(),
        }
    }

    /// Takes one broker's answers; those that may be different later stay open.
    fn handle(
        &mut self,
        broker: i32,
        answers: &HashMap<TopicPartition, OffsetAnswer>,
    ) -> Result<(), Error> {
        for (name, answer) in answers {
            let Some(target) = self.open.get(name) else {
                continue;
            };
            // Every log has a beginning and an end: without one the broker does not know it yet.
            let always = matches!(target, ResetTarget::Earliest | ResetTarget::Latest);
            if always && answer.error.is_none() && answer.offset.is_none() {
                continue;
            }
            let found = if answer.error.is_none() {
                answer.offset.map(|offset| OffsetAndTimestamp {
                    offset,
                    timestamp: answer.timestamp,
                    leader_epoch: answer.leader_epoch,
                })
            } else {
                match list_offsets_action(answer.error) {
                    LookupAction::Refresh => continue,
                    LookupAction::Nothing => None,
                    LookupAction::Report => {
                        let topic = Arc::clone(name.topic_shared());
                        let request = ApiKey::ListOffsets;
                        let (code, partition) = (answer.error, name.partition());
                        return Err(Error::partition(
                            code,
                            request,
                            Some(broker),
                            topic,
                            partition,
                        ));
                    }
                }
            };
            self.open.remove(name);
            self.found.insert(name.clone(), found);
        }
        Ok(())
    }
}

/// Asks the leaders until every question is answered; at most a minute.
pub(super) async fn look_up(
    shared: &Shared,
    questions: impl IntoIterator<Item = (TopicPartition, ResetTarget)>,
) -> Result<BTreeMap<TopicPartition, Option<OffsetAndTimestamp>>, Error> {
    let started = now();
    let deadline = started + LOOKUP_MAX;
    let mut lookup = Lookup::new(questions);
    let mut trouble = None;
    let asking = ask_until_answered(shared, &mut lookup, &mut trouble, deadline);
    // Around all of it: a round may be as long as its leaders are many, each with its own time for an answer.
    match tokio::time::timeout_at(deadline.into(), asking).await {
        Ok(answered) => answered.map(|()| lookup.found),
        Err(_) => Err(Error::Timeout {
            operation: "looking up offsets".into(),
            elapsed: now().saturating_duration_since(started),
            cause: trouble.map(Arc::new),
        }),
    }
}

/// Round after round; `trouble` is what stood in the way of the last one that was finished.
async fn ask_until_answered(
    shared: &Shared,
    lookup: &mut Lookup,
    trouble: &mut Option<Error>,
    deadline: Instant,
) -> Result<(), Error> {
    let mut attempts = 0;
    loop {
        *trouble = ask_leaders(shared, lookup, deadline).await?;
        if lookup.open.is_empty() {
            return Ok(());
        }
        let delay = shared.machine().delay(attempts);
        attempts += 1;
        tokio::time::sleep(delay).await;
        let topics: BTreeSet<_> = lookup
            .open
            .keys()
            .map(TopicPartition::topic_shared)
            .collect();
        let wanted = TopicsWanted::named(topics.into_iter().map(Arc::clone));
        // If this fails the next round says why.
        let _ = shared.cluster.refresh(wanted).await;
    }
}

/// One round: each leader is asked once. Returns what stood in the way, if anything.
async fn ask_leaders(
    shared: &Shared,
    lookup: &mut Lookup,
    deadline: Instant,
) -> Result<Option<Error>, Error> {
    let mut trouble = None;
    let mut by_leader: BTreeMap<i32, Vec<(TopicPartition, ResetTarget, Option<i32>)>> =
        BTreeMap::new();
    for (name, target) in &lookup.open {
        let topic = shared.cluster.topic(name.topic(), deadline).await?;
        let Some(partition) = topic.partition(name.partition()) else {
            let (topic, partition) = (Arc::clone(name.topic_shared()), name.partition());
            let code = ErrorCode::UnknownTopicOrPartition;
            trouble = Some(Error::partition(
                code,
                ApiKey::Metadata,
                None,
                topic,
                partition,
            ));
            continue;
        };
        if let Some(leader) = partition.leader {
            let question = (name.clone(), *target, partition.leader_epoch);
            by_leader.entry(leader).or_default().push(question);
        }
    }
    for (broker, questions) in by_leader {
        match ask(shared, broker, &questions).await {
            Ok(answers) => lookup.handle(broker, &answers)?,
            Err(error) => {
                let error = Error::from(error);
                if !error.is_retriable() {
                    return Err(error);
                }
                trouble = Some(error);
            }
        }
    }
    Ok(trouble)
}

async fn ask(
    shared: &Shared,
    broker: i32,
    questions: &[(TopicPartition, ResetTarget, Option<i32>)],
) -> Result<HashMap<TopicPartition, OffsetAnswer>, CallError> {
    let questions = questions
        .iter()
        .map(|(name, target, epoch)| (name, *target, *epoch));
    let timeout = shared.config.client.request_timeout;
    let request = wire::list_offsets_request(questions, shared.config.isolation_level, timeout);
    let options = CallOptions {
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
        let mut lookup = Lookup::new((0..4).map(|n| (tp(n), ResetTarget::Latest)));
        let answers = HashMap::from([
            (tp(0), answer(ErrorCode::None, Some(5))),
            (tp(1), answer(ErrorCode::OffsetNotAvailable, None)),
            (tp(2), answer(ErrorCode::UnsupportedForMessageFormat, None)),
            (tp(9), answer(ErrorCode::None, Some(9))),
        ]);
        lookup.handle(1, &answers).unwrap();
        assert_eq!(lookup.open.keys().collect::<Vec<_>>(), [&tp(1), &tp(3)]);
        assert_eq!(lookup.found[&tp(0)].map(|found| found.offset), Some(5));
        assert_eq!(lookup.found[&tp(2)], None);
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
        lookup.handle(1, &answers.collect()).unwrap();
        assert_eq!(lookup.open.keys().collect::<Vec<_>>(), [&tp(0), &tp(1)]);
        assert_eq!(lookup.found[&tp(2)], None);
    }

    #[test]
    fn a_refusal_names_the_partition() {
        let mut lookup = Lookup::new([(tp(0), ResetTarget::Earliest)]);
        let answers = HashMap::from([(tp(0), answer(ErrorCode::TopicAuthorizationFailed, None))]);
        let error = lookup.handle(3, &answers).unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::TopicAuthorizationFailed));
        assert!(error.to_string().contains("t-0"), "{error}");
    }
}
