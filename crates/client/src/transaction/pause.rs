//! How long to leave the brokers alone between two transactions (L-23).
//!
//! EndTxn is answered when the decision is durable; the markers follow (T-60). Under
//! `transaction.version` 2 a Produce that comes in between finds them missing, and the broker waits
//! 20 ms of its own (`add.partitions.to.txn.retry.backoff.ms`) before it looks again. A pause of some
//! 300 µs is enough on one broker; on a cluster the markers take as long as they take, so the pause
//! follows what is seen.
//!
//! What is seen is what a transaction pays for its start: the wait before its first Produce and what that
//! took. Slow disks, busy machines and long round trips are in it under every pause alike, so nothing has to
//! be known about them: of a ladder of pauses the one is kept that costs least. Now and then another rung
//! is tried for a few transactions, more seldom the more often it was in vain.

use std::time::{Duration, Instant};

use crate::types::TopicPartition;

/// The pause of one producer, and what it learns from.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    rungs: [Cost; LADDER.len()],
    /// The rung in use, apart from trials.
    best: usize,
    trial: Option<Trial>,
    /// Transactions until the next trial, and how many there are to be between two.
    until_trial: u32,
    between_trials: u32,
    /// Trials so far: where the next one goes.
    trials: usize,
    /// What a transaction cost when the last trial was in vain.
    settled_at: f32,
    /// When the last EndTxn was answered; `None` before the first.
    ended_at: Option<Instant>,
    probe: Probe,
}

/// The first Produce of the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Probe {
    /// Not sent; there was an EndTxn before it.
    Armed,
    /// Sent at this moment, so long after the EndTxn answer.
    Sent {
        partition: TopicPartition,
        at: Instant,
        gap: Duration,
    },
    /// Nothing to learn, or learnt.
    Done,
}

/// What a transaction costs under one pause, in milliseconds: the mean of the last hundred or so.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    mean: f32,
    samples: u16,
}

impl Cost {
    fn add(&mut self, sample: f32) {
        self.samples = (self.samples + 1).min(WINDOW);
        self.mean += (sample - self.mean) / f32::from(self.samples);
    }

    fn known(self) -> Option<f32> {
        (self.samples > 0).then_some(self.mean)
    }
}

/// Some transactions under another pause.
#[derive(Clone, Copy, Debug)]
struct Trial {
    rung: usize,
    left: u8,
    /// By how much, in milliseconds, it has cost more so far.
    loss: f32,
}

impl Pause {
    pub(super) fn new() -> Self {
        Self {
            rungs: [Cost::default(); LADDER.len()],
            best: INITIAL,
            trial: None,
            until_trial: BETWEEN_TRIALS_MIN,
            between_trials: BETWEEN_TRIALS_MIN,
            trials: 0,
            settled_at: STALLED / 2.0,
            ended_at: None,
            probe: Probe::Done,
        }
    }

    fn rung(&self) -> usize {
        self.trial.map_or(self.best, |trial| trial.rung)
    }

    /// The pause before the next transaction.
    pub(super) fn length(&self) -> Duration {
        Duration::from_micros(LADDER.get(self.rung()).copied().unwrap_or_default())
    }

    /// EndTxn has just been answered.
    pub(super) fn ended(&mut self, now: Instant) {
        self.ended_at = Some(now);
        self.probe = Probe::Armed;
    }

    /// The moment before which nothing should be sent; it may have passed.
    pub(super) fn not_before(&self) -> Option<Instant> {
        (self.probe == Probe::Armed).then_some(self.ended_at? + self.length())
    }

    /// A batch is on its way.
    pub(super) fn attempted(&mut self, partition: &TopicPartition, now: Instant) {
        if self.probe == Probe::Armed
            && let Some(ended_at) = self.ended_at
        {
            let gap = now.saturating_duration_since(ended_at);
            self.probe = Probe::Sent {
                partition: partition.clone(),
                at: now,
                gap,
            };
        }
    }

    /// A batch was answered; `concurrent` if with CONCURRENT_TRANSACTIONS.
    pub(super) fn answered(&mut self, partition: &TopicPartition, concurrent: bool, now: Instant) {
        let (at, gap) = match &self.probe {
            Probe::Sent {
                partition: sent,
                at,
                gap,
            } if sent == partition => (*at, *gap),
            Probe::Armed | Probe::Sent { .. } | Probe::Done => return,
        };
        self.probe = Probe::Done;
        if gap > self.length() * 2 + SLACK {
            // The application rested: that says nothing about the pause.
            return;
        }
        let took = now.saturating_duration_since(at);
        // Where the broker refuses instead of waiting, the way to the next attempt is as long.
        let took = took.max(if concurrent { STEP } else { Duration::ZERO });
        self.learn(milliseconds(gap) + WEIGHT * milliseconds(took.min(TOOK_MAX)));
    }

    fn learn(&mut self, cost: f32) {
        let rung = self.rung();
        if let Some(known) = self.rungs.get_mut(rung) {
            known.add(cost);
        }
        match self.trial.take() {
            Some(trial) => self.go_on(trial, cost),
            None => self.count_down(),
        }
        self.best = self.cheapest();
    }

    /// The trial has one transaction less to go, or is over.
    fn go_on(&mut self, mut trial: Trial, cost: f32) {
        trial.loss += cost - self.mean_of(self.best);
        trial.left -= 1;
        if trial.left > 0 && trial.loss < LOSS_MAX {
            self.trial = Some(trial);
            return;
        }
        if trial.loss < 0.0 {
            self.between_trials = BETWEEN_TRIALS_MIN;
        } else {
            self.between_trials = (self.between_trials * 2).min(BETWEEN_TRIALS_MAX);
            self.settled_at = self.mean_of(self.best);
        }
        self.until_trial = self.between_trials;
    }

    /// One transaction less until the next trial, or none, when things have become worse.
    fn count_down(&mut self) {
        let mean = self.mean_of(self.best);
        self.until_trial = self.until_trial.saturating_sub(1);
        if mean > self.settled_at * 2.0 {
            self.settled_at = mean;
            self.between_trials = if mean > STALLED {
                1
            } else {
                BETWEEN_TRIALS_MIN
            };
            self.until_trial = self.until_trial.min(self.between_trials - 1);
        }
        if self.until_trial == 0 {
            self.trial = self.next_trial(mean);
            self.until_trial = self.between_trials;
        }
    }

    /// Every transaction waits for the broker's step: the markers may be far away, and one look tells.
    /// Otherwise the neighbours are enough. No pause is tried that alone costs more than all does now.
    fn next_trial(&mut self, mean: f32) -> Option<Trial> {
        let number = self.trials;
        self.trials = self.trials.wrapping_add(1);
        let (rung, left) = if mean > STALLED {
            (FAR.get(number % FAR.len()).copied()?, 1)
        } else {
            let step = STEPS.get(number % STEPS.len()).copied()?;
            (self.best.checked_add_signed(step)?, TRIAL)
        };
        let pause = Duration::from_micros(LADDER.get(rung).copied()?);
        (rung != self.best && milliseconds(pause) < mean).then_some(Trial {
            rung,
            left,
            loss: 0.0,
        })
    }

    fn mean_of(&self, rung: usize) -> f32 {
        self.rungs.get(rung).map_or(0.0, |cost| cost.mean)
    }

    fn cheapest(&self) -> usize {
        let known = self.rungs.iter().enumerate();
        known
            .filter_map(|(rung, cost)| Some((rung, cost.known()?)))
            .min_by(|(_, a), (_, b)| a.total_cmp(b))
            .map_or(self.best, |(rung, _)| rung)
    }
}

fn milliseconds(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1e3
}

/// Microseconds. The longest is half of what the broker would wait by itself: a longer pause would cost
/// more than it saves.
const LADDER: [u64; 15] = [
    0, 100, 150, 200, 300, 400, 600, 800, 1_200, 1_600, 2_400, 3_200, 4_800, 6_400, 9_600,
];
/// 300 µs.
const INITIAL: usize = 4;
/// Where trials go, in rungs from the best.
const STEPS: [isize; 6] = [1, -1, 2, -2, 1, -4];
/// Where they go when every transaction is stalled.
const FAR: [usize; 4] = [8, 11, 13, 14];
/// Transactions of a trial.
const TRIAL: u8 = 8;
/// A trial that has cost so many milliseconds more is over: one stall.
const LOSS_MAX: f32 = 15.0;
const BETWEEN_TRIALS_MIN: u32 = 32;
const BETWEEN_TRIALS_MAX: u32 = 2_048;
const WINDOW: u16 = 128;
/// A Produce is waited for in the dark, a pause is not: its time counts double.
const WEIGHT: f32 = 2.0;
/// What stalled transactions cost at least, in milliseconds.
const STALLED: f32 = 12.0;
/// What the broker waits by itself.
const STEP: Duration = Duration::from_millis(20);
/// Longer than this is not about markers, and shall not count for more.
const TOOK_MAX: Duration = Duration::from_millis(60);
/// The pause may be overslept by so much, and twice.
const SLACK: Duration = Duration::from_millis(2);

#[cfg(test)]
#[path = "tests/pause.rs"]
mod tests;
