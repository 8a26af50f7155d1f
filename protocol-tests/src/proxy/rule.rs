//! Which requests meet with which trouble.

use kafka_protocol::messages::ApiKey;
use std::collections::BTreeSet;
use std::time::Duration;

/// What the network does to a request or to its answer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Fault {
    /// From this request on the connection swallows everything in both directions and stays open.
    BlackHole,
    /// The answer breaks off after so many bytes, its length prefix included, and the connection is cut.
    CutAnswer {
        /// How many bytes get through.
        after: usize,
    },
    /// The request breaks off after so many bytes, its length prefix included, and the connection is
    /// cut.
    CutRequest {
        /// How many bytes get through.
        after: usize,
    },
    /// The answer, and those behind it, come later.
    DelayAnswer(Duration),
    /// The request, and those behind it, get there later.
    DelayRequest(Duration),
    /// The request is kept back and the connection cut. The test gets the request as a
    /// [`Held`](super::Held), and can let it reach the broker when nobody expects it any more.
    Hold,
    /// The connection is cut, and so long afterwards the request reaches the broker, on another connection:
    /// its sender may have gone on by then (KAFKA-17754).
    LateRequest {
        /// How long.
        after: Duration,
    },
    /// The broker has answered, so the request was carried out; the answer is dropped and the connection
    /// cut.
    LoseAnswer,
    /// The request is dropped and the connection cut.
    LoseRequest,
    /// So long after its answer was passed on, the request reaches the broker a second time, on another
    /// connection.
    Replay {
        /// How long.
        after: Duration,
    },
}

impl Fault {
    /// What it is called in a count of faults, whatever its measure.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BlackHole => "black hole",
            Self::CutAnswer { .. } => "answer cut mid-frame",
            Self::CutRequest { .. } => "request cut mid-frame",
            Self::DelayAnswer(_) => "answer delayed",
            Self::DelayRequest(_) => "request delayed",
            Self::Hold => "request held",
            Self::LateRequest { .. } => "request late",
            Self::LoseAnswer => "answer lost",
            Self::LoseRequest => "request lost",
            Self::Replay { .. } => "request repeated",
        }
    }
}

/// Which requests a fault is for: the n-th, every n-th, or any with some chance.
#[derive(Clone, Debug)]
pub struct Rule {
    api_key: Option<i16>,
    broker: Option<i32>,
    skip: u64,
    every: u64,
    times: u64,
    chance: Option<(f64, fastrand::Rng)>,
    matches: u64,
}

impl Rule {
    /// The first request of this kind.
    #[must_use]
    pub fn on(api_key: ApiKey) -> Self {
        Self {
            api_key: Some(api_key as i16),
            ..Self::any()
        }
    }

    /// The first request of any kind.
    #[must_use]
    pub fn any() -> Self {
        Self {
            api_key: None,
            broker: None,
            skip: 0,
            every: 1,
            times: 1,
            chance: None,
            matches: 0,
        }
    }

    /// Only requests to this broker.
    #[must_use]
    pub fn broker(mut self, id: i32) -> Self {
        self.broker = Some(id);
        self
    }

    /// Lets `count` requests through before the count begins.
    #[must_use]
    pub fn skip(mut self, count: u64) -> Self {
        self.skip = count;
        self
    }

    /// Of the requests that count, every `n`-th: the n-th, the 2n-th and so on.
    #[must_use]
    pub fn every(mut self, n: u64) -> Self {
        self.every = n.max(1);
        self
    }

    /// So often in all, instead of once.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// As often as it takes, instead of once.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    /// Of the requests picked otherwise, each with this probability only.
    #[must_use]
    pub fn with_chance(mut self, probability: f64, seed: u64) -> Self {
        self.chance = Some((probability, fastrand::Rng::with_seed(seed)));
        self
    }

    /// Whether this request is one of those.
    fn picks(&mut self, api_key: i16, broker: i32) -> bool {
        if self.times == 0
            || self.api_key.is_some_and(|key| key != api_key)
            || self.broker.is_some_and(|id| id != broker)
        {
            return false;
        }
        self.matches += 1;
        let counted = self.matches.saturating_sub(self.skip);
        if counted == 0 || !counted.is_multiple_of(self.every) {
            return false;
        }
        if let Some((probability, random)) = &mut self.chance
            && random.f64() >= *probability
        {
            return false;
        }
        self.times -= 1;
        true
    }
}

/// All rules of a proxy.
#[derive(Debug, Default)]
pub(super) struct Script {
    rules: Vec<(Rule, Fault)>,
    recorded: BTreeSet<i16>,
}

impl Script {
    pub(super) fn add(&mut self, rule: Rule, fault: Fault) {
        self.rules.push((rule, fault));
    }

    pub(super) fn record(&mut self, api_key: ApiKey) {
        self.recorded.insert(api_key as i16);
    }

    pub(super) fn records(&self, api_key: i16) -> bool {
        self.recorded.contains(&api_key)
    }

    /// What is to happen to this request. Every rule counts it, the first that picks it decides.
    pub(super) fn judge(&mut self, api_key: i16, broker: i32) -> Option<Fault> {
        let mut verdict = None;
        for (rule, fault) in &mut self.rules {
            if rule.picks(api_key, broker) {
                verdict = verdict.or(Some(*fault));
            }
        }
        // A long run adds thousands.
        self.rules.retain(|(rule, _)| rule.times > 0);
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCE: i16 = ApiKey::Produce as i16;

    fn picked(mut rule: Rule, requests: usize) -> Vec<usize> {
        (1..=requests).filter(|_| rule.picks(PRODUCE, 1)).collect()
    }

    #[test]
    fn a_rule_picks_the_first_request_of_its_kind_once() {
        let mut rule = Rule::on(ApiKey::Produce);
        assert!(!rule.picks(ApiKey::Fetch as i16, 1));
        assert!(rule.picks(PRODUCE, 1));
        assert!(!rule.picks(PRODUCE, 1));
    }

    #[test]
    fn skip_every_and_times_combine() {
        let rule = Rule::any().skip(2).every(3).times(2);
        assert_eq!(picked(rule, 20), [5, 8]);
    }

    #[test]
    fn the_same_seed_picks_the_same_requests() {
        let rule = Rule::any().always().with_chance(0.3, 7);
        let first = picked(rule.clone(), 1_000);
        assert_eq!(first, picked(rule, 1_000));
        assert!((200..400).contains(&first.len()), "{}", first.len());
    }

    #[test]
    fn the_oldest_rule_has_its_way_and_the_others_count_on() {
        let mut script = Script::default();
        script.add(Rule::any(), Fault::LoseAnswer);
        script.add(Rule::any().skip(1), Fault::Hold);
        assert_eq!(script.judge(PRODUCE, 1), Some(Fault::LoseAnswer));
        assert_eq!(script.judge(PRODUCE, 1), Some(Fault::Hold));
        assert_eq!(script.judge(PRODUCE, 1), None);
    }
}
