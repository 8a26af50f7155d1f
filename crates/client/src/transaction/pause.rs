//! How long to leave the brokers alone between two transactions (L-23).
//!
//! EndTxn is answered when the decision is durable; the markers follow (T-60). Under
//! `transaction.version` 2 a Produce that comes in between finds them missing, and the broker waits
//! 20 ms of its own (`add.partitions.to.txn.retry.backoff.ms`) before it looks again. A pause of some
//! 300 µs is enough on one broker; on a cluster the markers take as long as they take, so the pause
//! follows what is seen.
//!
//! The first Produce of a transaction tells. If it was *stalled* - took at least [`STALL`] longer
//! than it needs to - the pause grows by half. Otherwise it shrinks by a thousandth, but only if the
//! application did not itself wait much longer than the pause, which would prove nothing. The two
//! steps balance where about one transaction in 400 is stalled.

use std::time::{Duration, Instant};

use crate::consumer::TopicPartition;

/// The pause of one producer, and what it learns from.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    length: Duration,
    /// When the last EndTxn was answered; `None` before the first.
    ended_at: Option<Instant>,
    probe: Probe,
    /// What an EndTxn takes: one replicated write at the coordinator.
    end_txn: Option<Duration>,
    /// Until it is clear that what a Produce takes here has nothing to do with it.
    compare_with_end_txn: bool,
    /// What a first Produce takes when nothing stalls it.
    first_produce: Option<Duration>,
    /// Stalls in a row although the pause was at its longest.
    futile: u32,
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

impl Pause {
    pub(super) fn new() -> Self {
        Self {
            length: INITIAL,
            ended_at: None,
            probe: Probe::Done,
            end_txn: None,
            compare_with_end_txn: true,
            first_produce: None,
            futile: 0,
        }
    }

    /// EndTxn, sent at `asked_at`, has just been answered.
    pub(super) fn ended(&mut self, asked_at: Option<Instant>, now: Instant) {
        if let Some(asked_at) = asked_at {
            follow(&mut self.end_txn, now.saturating_duration_since(asked_at));
        }
        self.ended_at = Some(now);
        self.probe = Probe::Armed;
    }

    /// The moment before which nothing should be sent; it may have passed.
    pub(super) fn not_before(&self) -> Option<Instant> {
        (self.probe == Probe::Armed).then_some(self.ended_at? + self.length)
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
        let took = now.saturating_duration_since(at);
        if concurrent || took >= self.unstalled().saturating_add(STALL) {
            self.stalled(gap, took);
        } else {
            follow(&mut self.first_produce, took);
            self.futile = 0;
            if gap < self.length.saturating_mul(2) {
                self.length -= self.length / SHRINK;
            }
        }
    }

    fn stalled(&mut self, gap: Duration, took: Duration) {
        if self.length < LONGEST {
            self.length = (self.length.max(gap) * 3 / 2).min(LONGEST);
            return;
        }
        self.futile += 1;
        if self.futile >= FUTILE {
            // Pausing does not help: it is not the markers that take so long.
            self.compare_with_end_txn = false;
            self.first_produce = Some(took);
            self.futile = 0;
            self.length = INITIAL;
        }
    }

    /// What a first Produce may take without being called stalled, [`STALL`] not included.
    ///
    /// EndTxn is one replicated write at the coordinator, a first Produce is the same for the
    /// partition's registration and another for the batch; so even the very first one can be judged.
    fn unstalled(&self) -> Duration {
        let by_end_txn = self
            .end_txn
            .filter(|_| self.compare_with_end_txn)
            .map(|took| took.saturating_mul(3));
        match (by_end_txn, self.first_produce) {
            (Some(one), Some(other)) => one.min(other),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => Duration::MAX,
        }
    }
}

/// Down to a faster sample at once, up to slower ones slowly.
fn follow(estimate: &mut Option<Duration>, sample: Duration) {
    let known = estimate.unwrap_or(sample).min(sample);
    *estimate = Some(known + (sample - known) / DRIFT);
}

const INITIAL: Duration = Duration::from_micros(300);
/// Half of what the broker would wait by itself: a longer pause would cost more than it saves.
const LONGEST: Duration = Duration::from_millis(10);
/// Well under the broker's 20 ms, well over the usual variation.
const STALL: Duration = Duration::from_millis(12);
const SHRINK: u32 = 1024;
const DRIFT: u32 = 64;
const FUTILE: u32 = 8;

#[cfg(test)]
#[path = "tests/pause.rs"]
mod tests;
