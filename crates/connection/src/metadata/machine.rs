//! When to ask for metadata, and for which topics; without any IO.
//!
//! ```text
//!              want, mark_stale, max age                 on_answer: snapshot moves on, waiters are served
//!   calm ──────────────────────────────> demand ──poll──> in flight ──┤
//!     ^                                    ^  collects everything      │ on_failure: demand again, after a
//!     └────────────────────────────────────┴──────────────────────────┘ back-off; waiters served or failed
//! ```
//! There is one question in flight at most. What is wanted meanwhile waits for the next one, because
//! the answer under way may be older than the reason to ask; all of it goes into that one next
//! question. A generation numbers the questions, and a waiter waits for its generation.

use super::snapshot::{LeaderHint, MetadataSnapshot, TopicsWanted};
use crate::BrokerAddress;
use crate::backoff::Backoff;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The oldest Metadata version that tells "no topics" from "all topics".
pub const VERSION_MIN: i16 = 1;
/// The first Metadata version that can say not to create the topics asked for.
const VERSION_WITH_CREATION_FLAG: i16 = 4;
/// Failures in a row after which those who wait are told.
const FAILURES_MAX: u32 = 3;
/// A refresh later than this many times the longest back-off after the one before starts anew with the
/// shortest.
const CALM: u32 = 2;

/// The settings that matter here; see `ConnectionConfig` for what they mean.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `refresh_backoff`
    pub backoff: Backoff,
    /// `metadata_max_age`
    pub max_age: Duration,
    /// `topics_max`
    pub topics_max: usize,
    /// `topic_auto_creation`
    pub topic_auto_creation: bool,
    /// Decides the jitter.
    pub seed: u64,
}

/// What a question is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Scope {
    all: bool,
    tracked: bool,
    named: BTreeSet<Arc<str>>,
    /// Whether a topic is in it that nobody asked for before: those are not made to wait for the
    /// back-off, which is about asking the same again and again.
    new_topic: bool,
}

impl Scope {
    fn merge(&mut self, other: Self) {
        self.all |= other.all;
        self.tracked |= other.tracked;
        self.named.extend(other.named);
        self.new_topic |= other.new_topic;
    }
}

/// A question to send to any broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Its number.
    pub generation: u64,
    /// The topics to ask for; `None` for all.
    topics: Option<Vec<Arc<str>>>,
    topic_auto_creation: bool,
}

impl Query {
    /// The question in a version of Metadata, from [`VERSION_MIN`] on.
    #[must_use]
    pub fn request(&self, api_version: i16) -> MetadataRequest {
        let topics = self.topics.as_ref().map(|names| {
            let topic = |name: &Arc<str>| {
                let name = TopicName(StrBytes::from_string(name.to_string()));
                MetadataRequestTopic::default().with_name(Some(name))
            };
            names.iter().map(topic).collect()
        });
        let creation = self.topic_auto_creation || api_version < VERSION_WITH_CREATION_FLAG;
        MetadataRequest::default()
            .with_topics(topics)
            .with_allow_auto_topic_creation(creation)
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Nothing, until somebody calls.
    Idle,
    /// Send this.
    Send(Query),
    /// Nothing, until then.
    WaitUntil(Instant),
}

/// Keeps the snapshot and decides when to renew it.
#[derive(Debug)]
pub struct MetadataMachine {
    settings: Settings,
    random: fastrand::Rng,
    snapshot: Arc<MetadataSnapshot>,
    /// Topics to keep fresh, with the time (counted in wishes) at which each was last wanted.
    tracked: BTreeMap<Arc<str>, u64>,
    /// The tracked topics that each handle of the cluster has named.
    interest: BTreeMap<u64, BTreeSet<Arc<str>>>,
    oldest: BTreeMap<u64, Arc<str>>,
    wishes: u64,
    demand: Option<Scope>,
    in_flight: Option<Scope>,
    /// The number of the question in flight, or of the last one.
    generation: u64,
    /// Repetitions without a calm time between them.
    attempt: u32,
    failures: u32,
    /// When the last question was over.
    finished: Option<Instant>,
    /// No repetition before this.
    not_before: Option<Instant>,
    answered: Option<Instant>,
}

impl MetadataMachine {
    /// A machine that knows nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            random: fastrand::Rng::with_seed(settings.seed),
            settings,
            snapshot: Arc::default(),
            tracked: BTreeMap::new(),
            interest: BTreeMap::new(),
            oldest: BTreeMap::new(),
            wishes: 0,
            demand: None,
            in_flight: None,
            generation: 0,
            attempt: 0,
            failures: 0,
            finished: None,
            not_before: None,
            answered: None,
        }
    }

    /// What is known.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<MetadataSnapshot> {
        &self.snapshot
    }

    /// Asks for a refresh, and returns the generation that will serve it.
    pub fn want(&mut self, wanted: TopicsWanted) -> u64 {
        let mut scope = Scope::default();
        match wanted {
            TopicsWanted::All => scope.all = true,
            TopicsWanted::None => {}
            TopicsWanted::Tracked => scope.tracked = true,
            TopicsWanted::Named(names) => {
                for name in names {
                    scope.new_topic |= self.track(&name);
                    scope.named.insert(name);
                }
            }
        }
        self.demand.get_or_insert_default().merge(scope);
        self.generation + 1
    }

    /// As [`MetadataMachine::want`], for a handle of the cluster: the topics named are tracked until
    /// [`MetadataMachine::release`], unless another handle has named them too.
    pub fn want_for(&mut self, handle: u64, wanted: TopicsWanted) -> u64 {
        let named = match &wanted {
            TopicsWanted::Named(names) => names.clone(),
            TopicsWanted::All | TopicsWanted::None | TopicsWanted::Tracked => Vec::new(),
        };
        let generation = self.want(wanted);
        if !named.is_empty() {
            let still_tracked = named
                .into_iter()
                .filter(|name| self.tracked.contains_key(name));
            let interest = self.interest.entry(handle).or_default();
            interest.extend(still_tracked);
        }
        generation
    }

    /// As [`MetadataMachine::mark_stale`], for a handle of the cluster.
    pub fn mark_stale_for(&mut self, handle: u64, topic: &str) {
        self.mark_stale(topic);
        if let Some((name, _)) = self.tracked.get_key_value(topic) {
            let name = Arc::clone(name);
            self.interest.entry(handle).or_default().insert(name);
        }
    }

    /// A handle is gone: topics that only it has named are not tracked any more.
    pub fn release(&mut self, handle: u64) {
        for name in self.interest.remove(&handle).unwrap_or_default() {
            let wanted = self.interest.values().any(|names| names.contains(&name));
            if !wanted && let Some(wish) = self.tracked.remove(&name) {
                self.oldest.remove(&wish);
            }
        }
    }

    /// What is known about this topic turned out wrong. Where one leader moved, others have too, so all
    /// tracked topics are asked for.
    pub fn mark_stale(&mut self, topic: &str) {
        if !self.tracked.contains_key(topic) {
            self.track(&topic.into());
        }
        self.demand.get_or_insert_default().tracked = true;
    }

    /// Takes over a newer leader. Returns whether anything changed.
    pub fn apply_hint(&mut self, hint: &LeaderHint) -> bool {
        let next = self.snapshot.hinted(hint);
        self.replace(next)
    }

    /// Takes over a broker that another answer named. Returns whether anything changed.
    pub fn learn_broker(&mut self, broker_id: i32, address: &BrokerAddress) -> bool {
        let next = self.snapshot.with_broker(broker_id, address);
        self.replace(next)
    }

    /// The brokers that are known are not to be asked any more (KIP-1102): only the bootstrap list is.
    pub fn forget_brokers(&mut self) {
        let next = self.snapshot.without_brokers();
        self.replace(Some(next));
    }

    fn replace(&mut self, next: Option<MetadataSnapshot>) -> bool {
        let changed = next.is_some();
        if let Some(next) = next {
            self.snapshot = Arc::new(next);
        }
        changed
    }

    /// The next thing to do at `now`.
    pub fn poll(&mut self, now: Instant) -> Output {
        if self.in_flight.is_some() {
            return Output::Idle;
        }
        if self.demand.is_none() {
            let Some(answered) = self.answered else {
                return Output::Idle;
            };
            // An age that no clock can count is never reached.
            let Some(due) = answered.checked_add(self.settings.max_age) else {
                return Output::Idle;
            };
            if now < due {
                return Output::WaitUntil(due);
            }
            self.demand = Some(Scope {
                tracked: true,
                ..Scope::default()
            });
        }
        // After a failure even a new topic waits: the brokers are not to be hammered (L-26).
        let at_once = self.failures == 0
            && self
                .demand
                .as_ref()
                .is_some_and(|demand| demand.new_topic || demand.all);
        if let Some(not_before) = self.not_before.filter(|at| *at > now && !at_once) {
            return Output::WaitUntil(not_before);
        }
        let Some(scope) = self.demand.take() else {
            return Output::Idle;
        };
        self.generation += 1;
        let query = self.query(&scope);
        self.in_flight = Some(scope);
        let calm = self.settings.backoff.max * CALM;
        if self.failures == 0 && self.finished.is_none_or(|at| now >= at + calm) {
            self.attempt = 0;
        }
        Output::Send(query)
    }

    fn query(&self, scope: &Scope) -> Query {
        let topics = if scope.all {
            None
        } else if scope.tracked {
            let named = scope
                .named
                .iter()
                .filter(|name| !self.tracked.contains_key(*name));
            Some(self.tracked.keys().chain(named).map(Arc::clone).collect())
        } else {
            Some(scope.named.iter().map(Arc::clone).collect())
        };
        Query {
            generation: self.generation,
            topics,
            topic_auto_creation: self.settings.topic_auto_creation,
        }
    }

    /// The answer arrived. Returns the snapshot for those who asked, which can hold topics that are
    /// not tracked; [`MetadataMachine::snapshot`] does not keep those.
    pub fn on_answer(
        &mut self,
        now: Instant,
        response: &MetadataResponse,
        api_version: i16,
    ) -> Arc<MetadataSnapshot> {
        self.in_flight = None;
        self.failures = 0;
        self.answered = Some(now);
        self.finish(now);
        let mut next = self.snapshot.updated(response, api_version);
        let full = Arc::new(next.clone());
        next.retain_topics(|name| self.tracked.contains_key(name));
        // Those who watch for changes are not woken for an answer that says nothing new.
        if !next.says_the_same_as(&self.snapshot) {
            self.snapshot = Arc::new(next);
        }
        full
    }

    /// The question could not be answered. Returns true if those who wait for this generation, or an
    /// earlier one, shall be told; otherwise it is asked again for them.
    ///
    /// `final_failure` says that asking again at once is pointless: no broker could be reached at all.
    pub fn on_failure(&mut self, now: Instant, final_failure: bool) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.finish(now);
        let Some(scope) = self.in_flight.take() else {
            return false;
        };
        let give_up = final_failure || self.failures >= FAILURES_MAX;
        // Before the first answer there is nothing to keep fresh: whoever is told decides whether to
        // go on, and a wrong address is not dialled for ever. Later the search goes on by itself.
        if !give_up || self.answered.is_some() {
            self.demand.get_or_insert_default().merge(scope);
        }
        give_up
    }

    fn finish(&mut self, now: Instant) {
        self.finished = Some(now);
        self.attempt = self.attempt.saturating_add(1);
        let wait = self.settings.backoff.delay(self.attempt, &mut self.random);
        self.not_before = Some(now + wait);
    }

    /// Tracks a topic, as the one wanted last. Returns whether it was not tracked before.
    fn track(&mut self, name: &Arc<str>) -> bool {
        self.wishes += 1;
        let before = self.tracked.insert(Arc::clone(name), self.wishes);
        self.oldest.insert(self.wishes, Arc::clone(name));
        if let Some(wish) = before {
            self.oldest.remove(&wish);
        } else if self.tracked.len() > self.settings.topics_max
            && let Some((_, forgotten)) = self.oldest.pop_first()
        {
            self.tracked.remove(&forgotten);
            for names in self.interest.values_mut() {
                names.remove(&forgotten);
            }
        }
        before.is_none()
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod table;

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::BrokerId;
    use kafka_protocol::messages::metadata_response::{
        MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
    };
    use proptest::prelude::*;

    const INITIAL: Duration = Duration::from_millis(100);
    pub(super) const MAX: Duration = Duration::from_secs(1);
    pub(super) const MAX_AGE: Duration = Duration::from_secs(300);

    /// Keeps three topics fresh.
    pub(super) fn machine() -> MetadataMachine {
        let backoff = Backoff {
            initial: INITIAL,
            max: MAX,
            multiplier: 2.0,
            jitter: 0.0,
        };
        MetadataMachine::new(Settings {
            backoff,
            max_age: MAX_AGE,
            topics_max: 3,
            topic_auto_creation: false,
            seed: 1,
        })
    }

    /// Each topic has a partition, led by the only broker.
    pub(super) fn answer(topics: &[&str]) -> MetadataResponse {
        let topics = topics.iter().map(|name| {
            let name = TopicName(StrBytes::from_string((*name).to_owned()));
            let partition = MetadataResponsePartition::default()
                .with_leader_id(BrokerId(1))
                .with_leader_epoch(1);
            MetadataResponseTopic::default()
                .with_name(Some(name))
                .with_partitions(vec![partition])
        });
        let broker = MetadataResponseBroker::default()
            .with_node_id(BrokerId(1))
            .with_port(9092);
        MetadataResponse::default()
            .with_brokers(vec![broker])
            .with_topics(topics.collect())
    }

    /// The topics of the question that is due now, sorted; `None` for all.
    #[track_caller]
    fn asked(machine: &mut MetadataMachine, now: Instant) -> Option<Vec<String>> {
        match machine.poll(now) {
            Output::Send(query) => query
                .topics
                .map(|names| names.iter().map(ToString::to_string).collect()),
            wait @ (Output::Idle | Output::WaitUntil(_)) => panic!("nothing is asked: {wait:?}"),
        }
    }

    fn topics(names: &[&str]) -> Option<Vec<String>> {
        Some(names.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn nothing_is_asked_before_somebody_wants_something() {
        let mut machine = machine();
        let now = Instant::now();
        assert_eq!(machine.poll(now), Output::Idle);
        assert_eq!(machine.poll(now + 2 * MAX_AGE), Output::Idle);
    }

    #[test]
    fn wishes_that_wait_together_share_a_question() {
        let mut machine = machine();
        let now = Instant::now();
        let generation = machine.want(TopicsWanted::named(["a"]));
        assert_eq!(machine.want(TopicsWanted::named(["b", "a"])), generation);
        assert_eq!(asked(&mut machine, now), topics(&["a", "b"]));
        assert_eq!(machine.poll(now), Output::Idle);
    }

    #[test]
    fn a_wish_after_the_question_left_waits_for_the_next_one() {
        let mut machine = machine();
        let now = Instant::now();
        let first = machine.want(TopicsWanted::named(["a"]));
        asked(&mut machine, now);
        let second = machine.want(TopicsWanted::named(["a"]));
        assert_eq!(second, first + 1);
        assert_eq!(machine.poll(now), Output::Idle, "one question at a time");
        machine.on_answer(now, &answer(&["a"]), 12);
        assert_eq!(machine.poll(now), Output::WaitUntil(now + INITIAL));
        assert_eq!(asked(&mut machine, now + INITIAL), topics(&["a"]));
    }

    #[test]
    fn a_topic_is_tracked_until_the_last_handle_that_named_it_is_gone() {
        let mut machine = machine();
        let now = Instant::now();
        machine.want_for(1, TopicsWanted::named(["a", "b"]));
        machine.want_for(2, TopicsWanted::named(["b"]));
        asked(&mut machine, now);
        machine.on_answer(now, &answer(&["a", "b"]), 12);
        machine.release(1);
        assert_eq!(asked(&mut machine, now + MAX_AGE), topics(&["b"]));
        machine.on_answer(now + MAX_AGE, &answer(&["b"]), 12);
        assert!(machine.snapshot().topic("a").is_none());
        machine.release(2);
        assert_eq!(asked(&mut machine, now + 2 * MAX_AGE), topics(&[]));
    }

    #[test]
    fn a_topic_that_is_new_does_not_wait_for_the_back_off() {
        let mut machine = machine();
        let now = Instant::now();
        machine.want(TopicsWanted::named(["a"]));
        asked(&mut machine, now);
        machine.on_answer(now, &answer(&["a"]), 12);
        machine.want(TopicsWanted::named(["b"]));
        assert_eq!(asked(&mut machine, now), topics(&["b"]));
    }

    #[test]
    fn asking_again_and_again_gets_slower_until_it_was_calm_for_a_while() {
        let mut machine = machine();
        let mut now = Instant::now();
        machine.want(TopicsWanted::named(["a"]));
        asked(&mut machine, now);
        for wait in [100, 200, 400, 800, 1000, 1000] {
            machine.on_answer(now, &answer(&["a"]), 12);
            machine.mark_stale("a");
            let due = now + Duration::from_millis(wait);
            assert_eq!(machine.poll(now), Output::WaitUntil(due));
            now = due;
            asked(&mut machine, now);
        }
        machine.on_answer(now, &answer(&["a"]), 12);
        now += MAX * CALM;
        machine.mark_stale("a");
        asked(&mut machine, now);
        machine.on_answer(now, &answer(&["a"]), 12);
        machine.mark_stale("a");
        assert_eq!(machine.poll(now), Output::WaitUntil(now + INITIAL));
    }

    #[test]
    fn what_is_tracked_is_refreshed_when_it_is_old() {
        let mut machine = machine();
        let now = Instant::now();
        machine.want(TopicsWanted::named(["a", "b"]));
        asked(&mut machine, now);
        machine.on_answer(now, &answer(&["a", "b"]), 12);
        assert_eq!(machine.poll(now), Output::WaitUntil(now + MAX_AGE));
        assert_eq!(asked(&mut machine, now + MAX_AGE), topics(&["a", "b"]));
    }

    #[test]
    fn what_may_get_as_old_as_it_likes_is_not_refreshed() {
        let mut machine = machine();
        machine.settings.max_age = Duration::MAX;
        let now = Instant::now();
        machine.want(TopicsWanted::named(["a"]));
        asked(&mut machine, now);
        machine.on_answer(now, &answer(&["a"]), 12);
        assert_eq!(machine.poll(now + MAX_AGE), Output::Idle);
    }

    #[test]
    fn a_stale_topic_makes_all_tracked_ones_suspect() {
        let mut machine = machine();
        let now = Instant::now();
        machine.want(TopicsWanted::named(["a", "b"]));
        asked(&mut machine, now);
        machine.on_answer(now, &answer(&["a", "b"]), 12);
        machine.mark_stale("b");
        assert_eq!(asked(&mut machine, now + INITIAL), topics(&["a", "b"]));
    }

    #[test]
    fn all_topics_are_told_to_who_asked_and_only_the_tracked_ones_are_kept() {
        let mut machine = machine();
        let now = Instant::now();
        machine.want(TopicsWanted::named(["a"]));
        machine.want(TopicsWanted::All);
        assert_eq!(asked(&mut machine, now), None);
        let full = machine.on_answer(now, &answer(&["a", "b", "c"]), 12);
        assert_eq!(full.topics().len(), 3);
        assert_eq!(machine.snapshot().topics().len(), 1);
    }

    #[test]
    fn the_topic_wanted_longest_ago_makes_room() {
        let mut machine = machine();
        let now = Instant::now();
        machine.want(TopicsWanted::named(["a", "b", "c"]));
        machine.want(TopicsWanted::named(["a"]));
        asked(&mut machine, now);
        machine.on_answer(now, &answer(&["a", "b", "c"]), 12);
        machine.want(TopicsWanted::named(["d"]));
        asked(&mut machine, now);
        machine.on_answer(now, &answer(&["d"]), 12);
        machine.want(TopicsWanted::Tracked);
        assert_eq!(
            asked(&mut machine, now + INITIAL * 4),
            topics(&["a", "c", "d"])
        );
        assert!(machine.snapshot().topic("b").is_none());
    }

    #[test]
    fn a_failure_is_repeated_with_back_off_and_told_after_three() {
        let mut machine = machine();
        let mut now = Instant::now();
        machine.want(TopicsWanted::named(["a"]));
        for (wait, told) in [(100, false), (200, false), (400, true)] {
            assert_eq!(asked(&mut machine, now), topics(&["a"]));
            assert_eq!(machine.on_failure(now, false), told);
            if !told {
                now += Duration::from_millis(wait);
                assert_eq!(machine.poll(now - INITIAL), Output::WaitUntil(now));
            }
        }
        assert_eq!(machine.poll(now), Output::Idle, "nothing was ever answered");
    }

    #[test]
    fn after_the_first_answer_the_search_for_a_broker_never_ends() {
        let mut machine = machine();
        let mut now = Instant::now();
        machine.want(TopicsWanted::named(["a"]));
        asked(&mut machine, now);
        machine.on_answer(now, &answer(&["a"]), 12);
        machine.mark_stale("a");
        for _ in 0..20 {
            now += MAX;
            assert_eq!(asked(&mut machine, now), topics(&["a"]));
            assert!(machine.on_failure(now, true));
        }
        // Even a new topic waits while nothing answers.
        machine.want(TopicsWanted::named(["b"]));
        assert_eq!(machine.poll(now), Output::WaitUntil(now + MAX));
    }

    #[test]
    fn an_unreachable_cluster_is_told_at_once() {
        let mut machine = machine();
        let now = Instant::now();
        machine.want(TopicsWanted::None);
        assert_eq!(asked(&mut machine, now), topics(&[]));
        assert!(machine.on_failure(now, true));
    }

    #[test]
    fn an_answer_that_says_nothing_new_changes_nothing() {
        let mut machine = machine();
        let now = Instant::now();
        machine.want(TopicsWanted::named(["a"]));
        asked(&mut machine, now);
        machine.on_answer(now, &answer(&["a"]), 12);
        let before = Arc::clone(machine.snapshot());
        machine.want(TopicsWanted::Tracked);
        asked(&mut machine, now + INITIAL);
        machine.on_answer(now + INITIAL, &answer(&["a"]), 12);
        assert!(Arc::ptr_eq(&before, machine.snapshot()));
    }

    #[test]
    fn a_question_creates_no_topic_where_it_can_say_so() {
        let query = Query {
            generation: 1,
            topics: Some(vec![]),
            topic_auto_creation: false,
        };
        assert!(!query.request(12).allow_auto_topic_creation);
        assert!(
            query.request(1).allow_auto_topic_creation,
            "the field cannot be left out"
        );
        assert_eq!(query.request(1).topics, Some(vec![]));
    }

    #[derive(Clone, Debug)]
    enum Operation {
        Want(u8),
        WantTracked,
        WantAll,
        MarkStale(u8),
        Wait(u64),
        Answer,
        Fail { unreachable: bool },
    }

    fn operations() -> impl Strategy<Value = Vec<Operation>> {
        let operation = prop_oneof![
            3 => (0_u8..6).prop_map(Operation::Want),
            1 => Just(Operation::WantTracked),
            1 => Just(Operation::WantAll),
            2 => (0_u8..6).prop_map(Operation::MarkStale),
            5 => (0_u64..700).prop_map(Operation::Wait),
            5 => Just(Operation::Answer),
            3 => any::<bool>().prop_map(|unreachable| Operation::Fail { unreachable }),
        ];
        prop::collection::vec(operation, 0..80)
    }

    proptest! {
        #[test]
        fn every_wish_is_served_or_told_and_brokers_are_not_hammered(operations in operations()) {
            let mut machine = machine();
            let start = Instant::now();
            let mut now = start;
            let (mut sent, mut questions, mut new_topics) = (None, 0_u32, 0_u32);
            let (mut wanted, mut done) = (0, 0);
            let mut version = 0;
            // At the end nothing is wanted any more, and everything is answered.
            let quiet = [Operation::Answer, Operation::Wait(2_000)];
            let operations = operations.into_iter().chain(quiet.into_iter().cycle().take(8));
            for operation in operations {
                match operation {
                    Operation::Want(topic) => {
                        let name = topic.to_string();
                        new_topics += u32::from(!machine.tracked.contains_key(&*name));
                        wanted = wanted.max(machine.want(TopicsWanted::named([name])));
                    }
                    Operation::WantTracked => {
                        wanted = wanted.max(machine.want(TopicsWanted::Tracked));
                    }
                    Operation::WantAll => {
                        new_topics += 1;
                        wanted = wanted.max(machine.want(TopicsWanted::All));
                    }
                    Operation::MarkStale(topic) => machine.mark_stale(&topic.to_string()),
                    Operation::Wait(millis) => now += Duration::from_millis(millis),
                    Operation::Answer => {
                        if let Some(generation) = sent.take() {
                            machine.on_answer(now, &answer(&["0", "1", "2"]), 12);
                            done = generation;
                        }
                    }
                    Operation::Fail { unreachable } => {
                        if let Some(generation) = sent.take()
                            && machine.on_failure(now, unreachable)
                        {
                            done = generation;
                        }
                    }
                }
                match machine.poll(now) {
                    Output::Send(query) => {
                        prop_assert!(sent.is_none(), "two questions at once");
                        prop_assert!(query.generation > done);
                        sent = Some(query.generation);
                        questions += 1;
                    }
                    Output::WaitUntil(at) => prop_assert!(at > now),
                    Output::Idle => {}
                }
                prop_assert!(machine.tracked.len() <= 3 && machine.oldest.len() <= 3);
                prop_assert!(machine.snapshot().version() >= version);
                version = machine.snapshot().version();
            }
            prop_assert!(done >= wanted, "a wish of generation {wanted} still waits at {done}");
            let elapsed = u32::try_from((now - start).as_millis()).unwrap();
            prop_assert!(questions <= 1 + new_topics + elapsed / 100, "{questions} questions");
        }
    }
}
