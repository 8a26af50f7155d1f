//! What `milena demo --faults` lets go wrong: the kinds, and which comes next.
//!
//! Pure: a seed decides everything. The kinds are dealt like cards, so that each has come once
//! before any comes again.

use std::time::Duration;

use milena_broker::{ErrorCode, Loss, Then, When};

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const END_TXN: i16 = 26;

/// Something that can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    AnswerCut,
    AnswerDelayed,
    AnswerLost,
    AnswerTwice,
    BrokerPaused,
    BrokerRestarted,
    CommitAnswerCut,
    CommitAnswerLost,
    CommitDelayed,
    CommitHeld,
    CommitLost,
    CommitRefused,
    CoordinatorLoading,
    CoordinatorMoved,
    FetchAnswerCut,
    LeaderMoved,
    MarkersHeld,
    ProduceHeld,
    ProduceLost,
    ProduceRefused,
    Takeover,
}

/// All kinds, as the table at the end lists them.
pub(crate) const KINDS: [Kind; 21] = [
    Kind::ProduceLost,
    Kind::ProduceRefused,
    Kind::ProduceHeld,
    Kind::AnswerLost,
    Kind::AnswerCut,
    Kind::AnswerDelayed,
    Kind::AnswerTwice,
    Kind::CommitLost,
    Kind::CommitRefused,
    Kind::CommitDelayed,
    Kind::CommitHeld,
    Kind::CommitAnswerLost,
    Kind::CommitAnswerCut,
    Kind::FetchAnswerCut,
    Kind::LeaderMoved,
    Kind::CoordinatorMoved,
    Kind::CoordinatorLoading,
    Kind::MarkersHeld,
    Kind::BrokerPaused,
    Kind::BrokerRestarted,
    Kind::Takeover,
];

impl Kind {
    /// For the table: what happened so many times.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AnswerCut => "Produce answers cut in mid-frame",
            Self::AnswerDelayed => "Produce answers delayed",
            Self::AnswerLost => "Produce answers lost",
            Self::AnswerTwice => "Produce answers sent twice",
            Self::BrokerPaused => "brokers paused",
            Self::BrokerRestarted => "brokers stopped and restarted",
            Self::CommitAnswerCut => "EndTxn answers cut in mid-frame",
            Self::CommitAnswerLost => "EndTxn answers lost",
            Self::CommitDelayed => "EndTxn requests delayed",
            Self::CommitHeld => "EndTxn done after its sender gave up",
            Self::CommitLost => "EndTxn requests lost",
            Self::CommitRefused => "EndTxn refused",
            Self::CoordinatorLoading => "coordinators loading",
            Self::CoordinatorMoved => "coordinators moved",
            Self::FetchAnswerCut => "Fetch answers cut in mid-frame",
            Self::LeaderMoved => "leaders moved",
            Self::MarkersHeld => "markers held back",
            Self::ProduceHeld => "Produce done after its sender gave up",
            Self::ProduceLost => "Produce requests lost",
            Self::ProduceRefused => "Produce refused",
            Self::Takeover => "takeovers in mid-transaction",
        }
    }

    fn needs_brokers(self) -> bool {
        matches!(
            self,
            Self::BrokerRestarted | Self::CoordinatorMoved | Self::LeaderMoved
        )
    }

    /// Before `transaction.version` 2 nothing tells a late EndTxn or Produce of the last transaction
    /// from one of this transaction (KIP-890): the protocol allows what would be seen.
    fn needs_version_2(self) -> bool {
        matches!(self, Self::CommitHeld | Self::ProduceHeld)
    }
}

/// What the faults are done to.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) topic: String,
    pub(crate) partitions: i32,
    /// Ids from 1 on.
    pub(crate) brokers: i32,
    pub(crate) transaction_version: i16,
    /// The tellers' transactional ids.
    pub(crate) tellers: Vec<String>,
    /// After which a client gives up a request.
    pub(crate) request_timeout: Duration,
}

/// One thing to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Let this happen to the next such request.
    Script(When, Then),
    /// Let the next such request be done only this long after it came.
    Hold(When, Duration),
    LoadCoordinator {
        teller: String,
        load_time: Duration,
    },
    MoveCoordinator {
        teller: String,
        broker_id: i32,
    },
    MoveLeader {
        partition: i32,
        broker_id: i32,
    },
    HoldMarkers {
        partition: i32,
        hold: Duration,
    },
    Pause {
        broker_id: i32,
        pause: Duration,
    },
    Restart {
        broker_id: i32,
        down: Duration,
    },
    /// The number of the teller whose seat another instance takes.
    TakeOver(usize),
}

impl Act {
    /// Whether it waits for a request to come along.
    pub(crate) fn is_scripted(&self) -> bool {
        matches!(self, Self::Script(..) | Self::Hold(..))
    }
}

/// Deals faults.
#[derive(Debug)]
pub(crate) struct Deck {
    stage: Stage,
    kinds: Vec<Kind>,
    random: fastrand::Rng,
}

impl Deck {
    pub(crate) fn new(stage: Stage, seed: u64) -> Self {
        Self {
            stage,
            kinds: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// What goes wrong next. More than one act means that they belong together.
    pub(crate) fn deal(&mut self) -> (Kind, Vec<Act>) {
        let kind = match self.kinds.pop() {
            Some(kind) => kind,
            None => {
                self.kinds = self.possible();
                self.random.shuffle(&mut self.kinds);
                // Requests can always get lost.
                self.kinds.pop().unwrap_or(Kind::ProduceLost)
            }
        };
        (kind, self.acts(kind))
    }

    /// What can happen on this stage.
    pub(crate) fn possible(&self) -> Vec<Kind> {
        let possible = |kind: &Kind| {
            (!kind.needs_brokers() || self.stage.brokers > 1)
                && (!kind.needs_version_2() || self.stage.transaction_version >= 2)
        };
        KINDS.into_iter().filter(possible).collect()
    }

    fn acts(&mut self, kind: Kind) -> Vec<Act> {
        let produce = || When::api(PRODUCE).topic(&self.stage.topic);
        let late = self.stage.request_timeout + Duration::from_millis(200);
        let act = match kind {
            Kind::AnswerCut => {
                let after = self.random.usize(1..40);
                Act::Script(produce(), Then::CutAnswer { after })
            }
            Kind::AnswerDelayed => {
                let delay = self.millis(20..300);
                let produce = When::api(PRODUCE).topic(&self.stage.topic);
                Act::Script(produce, Then::DelayAnswer(delay))
            }
            Kind::AnswerLost => Act::Script(produce(), Then::LoseAnswer(loss(&mut self.random))),
            Kind::AnswerTwice => Act::Script(produce(), Then::AnswerTwice),
            Kind::ProduceHeld => Act::Hold(produce(), late),
            Kind::ProduceLost => Act::Script(produce(), Then::LoseRequest(loss(&mut self.random))),
            Kind::ProduceRefused => {
                let partition = self.partition();
                let when = When::api(PRODUCE).partition(&self.stage.topic, partition);
                let codes = [
                    ErrorCode::KafkaStorageError,
                    ErrorCode::NotEnoughReplicas,
                    ErrorCode::NotLeaderOrFollower,
                    ErrorCode::RequestTimedOut,
                ];
                Act::Script(when, Then::Answer(self.one_of(codes)))
            }
            Kind::CommitAnswerCut => {
                let after = self.random.usize(1..16);
                Act::Script(When::api(END_TXN), Then::CutAnswer { after })
            }
            Kind::CommitAnswerLost => {
                let loss = loss(&mut self.random);
                Act::Script(When::api(END_TXN), Then::LoseAnswer(loss))
            }
            Kind::CommitDelayed => {
                let delay = self.millis(20..300);
                Act::Script(When::api(END_TXN), Then::DelayRequest(delay))
            }
            Kind::CommitHeld => Act::Hold(When::api(END_TXN), late),
            Kind::CommitLost => {
                let loss = loss(&mut self.random);
                Act::Script(When::api(END_TXN), Then::LoseRequest(loss))
            }
            Kind::CommitRefused => {
                let codes = [
                    ErrorCode::ConcurrentTransactions,
                    ErrorCode::CoordinatorLoadInProgress,
                    ErrorCode::CoordinatorNotAvailable,
                    ErrorCode::NotCoordinator,
                ];
                Act::Script(When::api(END_TXN), Then::Answer(self.one_of(codes)))
            }
            Kind::FetchAnswerCut => {
                let after = self.random.usize(1..200);
                Act::Script(When::api(FETCH), Then::CutAnswer { after })
            }
            Kind::CoordinatorLoading => Act::LoadCoordinator {
                teller: self.teller(),
                load_time: self.millis(20..300),
            },
            Kind::CoordinatorMoved => return self.moved_coordinator(),
            Kind::LeaderMoved => return self.moved_leader(),
            Kind::MarkersHeld => Act::HoldMarkers {
                partition: self.partition(),
                hold: self.millis(20..300),
            },
            Kind::BrokerPaused => Act::Pause {
                broker_id: self.broker(),
                pause: self.millis(20..600),
            },
            Kind::BrokerRestarted => Act::Restart {
                broker_id: self.broker(),
                down: self.millis(20..400),
            },
            Kind::Takeover => Act::TakeOver(self.random.usize(0..self.stage.tellers.len().max(1))),
        };
        vec![act]
    }

    /// And whoever asks where the coordinator has gone gets no answer at first.
    fn moved_coordinator(&mut self) -> Vec<Act> {
        let loss = loss(&mut self.random);
        let moved = Act::MoveCoordinator {
            teller: self.teller(),
            broker_id: self.broker(),
        };
        let lost = Act::Script(When::api(FIND_COORDINATOR), Then::LoseAnswer(loss));
        vec![lost, moved]
    }

    /// And whoever asks where the leader has gone gets half an answer at first.
    fn moved_leader(&mut self) -> Vec<Act> {
        let after = self.random.usize(1..100);
        let moved = Act::MoveLeader {
            partition: self.partition(),
            broker_id: self.broker(),
        };
        let cut = Act::Script(When::api(METADATA), Then::CutAnswer { after });
        vec![cut, moved]
    }

    fn partition(&mut self) -> i32 {
        self.random.i32(0..self.stage.partitions.max(1))
    }

    fn broker(&mut self) -> i32 {
        self.random.i32(1..=self.stage.brokers.max(1))
    }

    fn teller(&mut self) -> String {
        let teller = self.random.choice(&self.stage.tellers);
        teller.cloned().unwrap_or_default()
    }

    fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.random.u64(range))
    }

    fn one_of<const N: usize>(&mut self, codes: [ErrorCode; N]) -> ErrorCode {
        self.random
            .choice(codes)
            .unwrap_or(ErrorCode::RequestTimedOut)
    }
}

fn loss(random: &mut fastrand::Rng) -> Loss {
    if random.bool() {
        Loss::Disconnect
    } else {
        Loss::Silence
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn stage(brokers: i32, transaction_version: i16) -> Stage {
        Stage {
            topic: "t".to_owned(),
            partitions: 4,
            brokers,
            transaction_version,
            tellers: vec!["a".to_owned(), "b".to_owned()],
            request_timeout: Duration::from_millis(500),
        }
    }

    #[test]
    fn every_kind_comes_once_before_any_comes_again() {
        for seed in 0..50 {
            let mut deck = Deck::new(stage(3, 2), seed);
            for _ in 0..3 {
                let dealt: BTreeSet<_> = KINDS.map(|_| deck.deal().0).into();
                assert_eq!(dealt.len(), KINDS.len(), "seed {seed}");
            }
        }
    }

    #[test]
    fn the_same_seed_deals_the_same_faults() {
        let dealt = |seed| {
            let mut deck = Deck::new(stage(3, 2), seed);
            (0..100).map(|_| deck.deal()).collect::<Vec<_>>()
        };
        assert_eq!(dealt(7), dealt(7));
        assert_ne!(dealt(7), dealt(8));
    }

    #[test]
    fn what_the_stage_cannot_bear_is_not_dealt() {
        let alone = Deck::new(stage(1, 2), 1).possible();
        assert!(!alone.contains(&Kind::LeaderMoved) && alone.contains(&Kind::CommitHeld));
        let old = Deck::new(stage(3, 1), 1).possible();
        assert!(!old.contains(&Kind::CommitHeld) && old.contains(&Kind::LeaderMoved));
    }

    #[test]
    fn brokers_partitions_and_tellers_that_are_named_are_there() {
        let mut deck = Deck::new(stage(3, 2), 1);
        for _ in 0..1_000 {
            for act in deck.deal().1 {
                let fine = match act {
                    Act::Script(..) | Act::Hold(..) => true,
                    Act::LoadCoordinator { teller, .. } => ["a", "b"].contains(&&*teller),
                    Act::MoveCoordinator { teller, broker_id } => {
                        ["a", "b"].contains(&&*teller) && (1..=3).contains(&broker_id)
                    }
                    Act::MoveLeader {
                        partition,
                        broker_id,
                    } => (0..4).contains(&partition) && (1..=3).contains(&broker_id),
                    Act::HoldMarkers { partition, .. } => (0..4).contains(&partition),
                    Act::Pause { broker_id, .. } | Act::Restart { broker_id, .. } => {
                        (1..=3).contains(&broker_id)
                    }
                    Act::TakeOver(teller) => teller < 2,
                };
                assert!(fine);
            }
        }
    }
}
