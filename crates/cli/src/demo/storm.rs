//! Does to the embedded broker what the deck deals, one fault after every so many transfers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use milena_broker::{Broker, CoordinatorKind, Fault, Then, When};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::faults::{Act, Deck, KINDS, Kind, Stage};
use crate::failure::{Failure, chain};

/// How often a broker's port is tried that somebody else has taken meanwhile.
const RESTARTS: u32 = 50;
const RESTART_PAUSE: Duration = Duration::from_millis(20);

/// How often what went wrong, of each kind that did.
pub(crate) type Tally = BTreeMap<Kind, u64>;

/// What the tellers and the storm tell each other.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    /// Transfers that are over, all tellers together.
    pub(crate) made: Arc<watch::Sender<u64>>,
    /// Transfers that may be begun before the next fault; no limit without faults.
    allowed: Arc<watch::Sender<u64>>,
    /// By teller: another instance shall take its seat.
    pub(crate) take_over: Arc<[AtomicBool]>,
}

impl Signals {
    pub(crate) fn new(tellers: usize) -> Self {
        Self {
            made: Arc::new(watch::Sender::new(0)),
            allowed: Arc::new(watch::Sender::new(u64::MAX)),
            take_over: (0..tellers).map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// Waits while a fault is due: they come after so many transfers, however long they take.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn next_turn(&self) {
        let mut allowed = self.allowed.subscribe();
        // The sender is in `self`, so it cannot be gone.
        let _ = allowed
            .wait_for(|allowed| *self.made.borrow() < *allowed)
            .await;
    }

    pub(crate) fn count_transfer(&self) {
        self.made.send_modify(|made| *made += 1);
    }

    /// Whether the teller with this number is to be taken over now; asked for once, told once.
    pub(crate) fn is_taken_over(&self, teller: usize) -> bool {
        let wanted = self.take_over.get(teller);
        wanted.is_some_and(|wanted| wanted.swap(false, Ordering::AcqRel))
    }
}

/// Faults in a running demo.
#[derive(Debug)]
pub(crate) struct Storm {
    over: oneshot::Sender<()>,
    task: JoinHandle<Result<Tally, Failure>>,
}

impl Storm {
    /// Lets something go wrong after every `every` transfers.
    pub(crate) fn start(
        broker: Arc<Broker>,
        stage: Stage,
        seed: u64,
        every: u64,
        signals: Signals,
    ) -> Self {
        let (over, ended) = oneshot::channel();
        signals.allowed.send_replace(every);
        let weather = Weather {
            broker,
            topic: stage.topic.clone(),
            deck: Deck::new(stage, seed),
            signals,
            scripted: Vec::new(),
            tally: Tally::new(),
            holds: JoinSet::new(),
        };
        Self {
            over,
            task: tokio::spawn(weather.run(every, ended)),
        }
    }

    /// Ends it: nothing goes wrong from now on, and what was stopped runs again.
    pub(crate) async fn end(self) -> Result<Tally, Failure> {
        // A storm that failed has ended already, and says why.
        let _ = self.over.send(());
        self.task
            .await
            .map_err(|error| Failure::Said(format!("the faults vanished: {error}")))?
    }
}

struct Weather {
    broker: Arc<Broker>,
    topic: String,
    deck: Deck,
    signals: Signals,
    /// How often a script took effect is known in the end.
    scripted: Vec<(Kind, Fault)>,
    tally: Tally,
    holds: JoinSet<()>,
}

impl Weather {
    async fn run(mut self, every: u64, ended: oneshot::Receiver<()>) -> Result<Tally, Failure> {
        let blown = self.blow(every, ended).await;
        // The tellers finish in calm weather, also if it ended early.
        self.signals.allowed.send_replace(u64::MAX);
        self.broker.faults().clear();
        for (_, fault) in &self.scripted {
            fault.release();
        }
        self.holds.shutdown().await;
        for (kind, fault) in self.scripted {
            *self.tally.entry(kind).or_default() += fault.count();
        }
        blown.map(|()| self.tally)
    }

    async fn blow(&mut self, every: u64, mut ended: oneshot::Receiver<()>) -> Result<(), Failure> {
        let mut made = self.signals.made.subscribe();
        let mut next = every;
        loop {
            tokio::select! {
                _ = &mut ended => return Ok(()),
                reached = made.wait_for(|made| *made >= next) => {
                    if reached.is_err() {
                        return Ok(());
                    }
                }
            }
            next = next.saturating_add(every);
            let (kind, acts) = self.deck.deal();
            tracing::info!(?kind, ?acts, "a fault");
            let (scripts, deeds): (Vec<_>, Vec<_>) = acts.into_iter().partition(Act::is_scripted);
            for act in scripts {
                self.act(kind, act).await?;
            }
            // While brokers are away the tellers work on, up to the next fault.
            self.signals.allowed.send_replace(next);
            for act in deeds {
                self.act(kind, act).await?;
            }
        }
    }

    async fn act(&mut self, kind: Kind, act: Act) -> Result<(), Failure> {
        let broker = &self.broker;
        match act {
            Act::Script(when, then) => return self.script(kind, when, then),
            Act::Hold(when, hold) => {
                self.hold(kind, when, hold);
                return Ok(());
            }
            Act::LoadCoordinator { teller, load_time } => {
                broker.load_coordinator(CoordinatorKind::Transaction, &teller, load_time);
            }
            Act::MoveCoordinator { teller, broker_id } => {
                done(broker.move_coordinator(CoordinatorKind::Transaction, &teller, broker_id))?
            }
            Act::MoveLeader {
                partition,
                broker_id,
            } => done(broker.move_leader(&self.topic, partition, broker_id))?,
            Act::HoldMarkers { partition, hold } => {
                done(broker.hold_markers(&self.topic, partition, true))?;
                tokio::time::sleep(hold).await;
                done(broker.hold_markers(&self.topic, partition, false))?;
            }
            Act::Pause { broker_id, pause } => {
                done(broker.pause_broker(broker_id))?;
                tokio::time::sleep(pause).await;
                done(broker.resume_broker(broker_id))?;
            }
            Act::Restart { broker_id, down } => {
                done(broker.stop_broker(broker_id).await)?;
                tokio::time::sleep(down).await;
                self.restart(broker_id).await?;
            }
            Act::TakeOver(teller) => {
                // The tellers count those that were done.
                if let Some(wanted) = self.signals.take_over.get(teller) {
                    wanted.store(true, Ordering::Release);
                }
                return Ok(());
            }
        }
        *self.tally.entry(kind).or_default() += 1;
        Ok(())
    }

    fn script(&mut self, kind: Kind, when: When, then: Then) -> Result<(), Failure> {
        let fault = self.broker.faults().once(when, then);
        let counts = !matches!(kind, Kind::LeaderMoved | Kind::CoordinatorMoved);
        if counts {
            self.scripted.push((kind, fault));
        }
        Ok(())
    }

    fn hold(&mut self, kind: Kind, when: When, hold: Duration) {
        let fault = self.broker.faults().once(when, Then::Hold);
        self.scripted.push((kind, fault.clone()));
        self.holds.spawn(async move {
            fault.applied(1).await;
            tokio::time::sleep(hold).await;
            fault.release();
        });
    }

    async fn restart(&self, broker_id: i32) -> Result<(), Failure> {
        let mut tried = 0;
        loop {
            match self.broker.restart_broker(broker_id).await {
                Ok(()) => return Ok(()),
                Err(error) if tried >= RESTARTS => {
                    let line = format!("broker {broker_id} cannot be restarted: {error}");
                    return Err(Failure::Said(line));
                }
                Err(_) => {
                    tried += 1;
                    tokio::time::sleep(RESTART_PAUSE).await;
                }
            }
        }
    }
}

fn done(moved: Result<(), milena_broker::MoveError>) -> Result<(), Failure> {
    moved.map_err(|error| Failure::Said(format!("a fault could not be done: {}", chain(&error))))
}

/// For the table: every kind that happened, and all together.
pub(crate) fn rows(tally: &Tally) -> Vec<(&'static str, String)> {
    let happened = KINDS.iter().filter_map(|kind| {
        let count = tally.get(kind).filter(|count| **count > 0)?;
        Some((kind.name(), count.to_string()))
    });
    let total: u64 = tally.values().sum();
    happened
        .chain([("faults, all together", total.to_string())])
        .collect()
}
