//! The pause against brokers whose markers take some time.

use std::time::{Duration, Instant};

use super::*;

const ROUND_TRIP: Duration = Duration::from_micros(400);
/// The pause that a producer begins with.
const FIRST: Duration = Duration::from_micros(300);
const BROKER_STEP: Duration = Duration::from_millis(20);

/// Back-to-back transactions of one record.
struct Brokers {
    now: Instant,
    pause: Pause,
    partition: TopicPartition,
    /// What a Produce takes apart from the stall.
    produce: Duration,
}

impl Brokers {
    fn new() -> Self {
        Self {
            now: Instant::now(),
            pause: Pause::new(),
            partition: TopicPartition::new("t", 0),
            produce: ROUND_TRIP,
        }
    }

    /// One transaction whose forerunner's markers take `markers`, the application waiting `idle`
    /// before it. True if its Produce was stalled.
    fn transact(&mut self, markers: Duration, idle: Duration) -> bool {
        let ended_at = self.now;
        let wanted = self.now + idle;
        self.now = self.pause.not_before().map_or(wanted, |at| at.max(wanted));
        self.pause.attempted(&self.partition, self.now);
        let stalled = self.now < ended_at + markers;
        self.now += self.produce + if stalled { BROKER_STEP } else { Duration::ZERO };
        self.pause.answered(&self.partition, false, self.now);
        self.now += ROUND_TRIP;
        self.pause.ended(self.now);
        stalled
    }

    fn stalls(&mut self, transactions: usize, markers: impl Fn(usize) -> Duration) -> usize {
        (0..transactions)
            .filter(|i| self.transact(markers(*i), Duration::ZERO))
            .count()
    }
}

/// Between 100 and 300 µs, in no order.
fn quick(i: usize) -> Duration {
    Duration::from_micros(100 + (i as u64).wrapping_mul(2_654_435_761) % 200)
}

/// L-23: on one broker, fewer than one transaction in a hundred waits for the broker's own step.
#[test]
fn quick_markers_seldom_stall_and_the_pause_stays_short() {
    let mut brokers = Brokers::new();
    let stalls = brokers.stalls(20_000, quick);
    assert!(stalls < 200, "{stalls} of 20000 stalled");
    assert!(
        brokers.pause.length() < Duration::from_micros(500),
        "{:?}",
        brokers.pause.length()
    );
}

/// L-23: the pause adapts to a cluster on which the markers take longer.
#[test]
fn slow_markers_lengthen_the_pause_within_a_few_transactions() {
    let mut brokers = Brokers::new();
    let stalls = brokers.stalls(1_000, |_| Duration::from_millis(4));
    assert!((1..=15).contains(&stalls), "{stalls} of 1000 stalled");
}

#[test]
fn the_pause_comes_down_again_when_the_markers_do() {
    let mut brokers = Brokers::new();
    brokers.stalls(100, |_| Duration::from_millis(4));
    brokers.stalls(5_000, quick);
    assert!(
        brokers.pause.length() < Duration::from_millis(1),
        "{:?}",
        brokers.pause.length()
    );
}

#[test]
fn an_application_that_waits_by_itself_is_not_delayed_further() {
    let mut brokers = Brokers::new();
    brokers.transact(Duration::ZERO, Duration::ZERO);
    let now = brokers.now;
    brokers.transact(Duration::ZERO, Duration::from_millis(5));
    let busy = Duration::from_millis(5) + 2 * ROUND_TRIP;
    assert_eq!(brokers.now - now, busy);
}

/// A transaction after a long rest proves nothing about a shorter pause.
#[test]
fn a_long_rest_does_not_shorten_the_pause() {
    let mut brokers = Brokers::new();
    brokers.stalls(10, |_| Duration::from_millis(4));
    let length = brokers.pause.length();
    for _ in 0..2_000 {
        brokers.transact(Duration::from_millis(4), Duration::from_secs(1));
    }
    assert_eq!(brokers.pause.length(), length);
}

/// Slow disks are not markers: no pause is spent where it cannot help.
#[test]
fn a_slow_produce_that_no_pause_shortens_is_not_paused_for() {
    let mut brokers = Brokers::new();
    brokers.produce = Duration::from_millis(60);
    brokers.stalls(200, |_| Duration::ZERO);
    assert!(
        brokers.pause.length() <= FIRST,
        "{:?}",
        brokers.pause.length()
    );
}

/// CONCURRENT_TRANSACTIONS says in words what the latency only suggests.
#[test]
fn concurrent_transactions_on_the_first_produce_lengthen_the_pause() {
    let (mut pause, mut now) = (Pause::new(), Instant::now());
    let partition = TopicPartition::new("t", 0);
    for _ in 0..200 {
        pause.ended(now);
        let markers = now + Duration::from_millis(1);
        now += pause.length();
        pause.attempted(&partition, now);
        let concurrent = now < markers;
        now += ROUND_TRIP;
        pause.answered(&partition, concurrent, now);
    }
    assert!(
        pause.length() > Duration::from_millis(1),
        "{:?}",
        pause.length()
    );
}

/// On a busy machine one Produce in thirty takes as long as a stall, whatever the pause: a longer one would
/// be paid for by all the others.
#[test]
fn delays_that_come_under_every_pause_are_not_paused_for() {
    let mut brokers = Brokers::new();
    let mut longest = Duration::ZERO;
    for i in 0..20_000 {
        let noisy = (i as u64).wrapping_mul(2_654_435_761) % 1_000 < 33;
        brokers.produce = ROUND_TRIP + if noisy { BROKER_STEP } else { Duration::ZERO };
        brokers.transact(quick(i), Duration::ZERO);
        if brokers.pause.trial.is_none() {
            longest = longest.max(brokers.pause.length());
        }
    }
    assert!(longest <= Duration::from_millis(2), "{longest:?}");
}

/// Only the first one waits for the markers; the others of the transaction wait for nothing.
#[test]
fn only_the_first_produce_of_a_transaction_is_delayed_and_judged() {
    let (mut pause, now) = (Pause::new(), Instant::now());
    let partition = |partition| TopicPartition::new("t", partition);
    assert_eq!(pause.not_before(), None, "nothing has ended yet");
    pause.ended(now + ROUND_TRIP);
    assert_eq!(pause.not_before(), Some(now + ROUND_TRIP + FIRST));
    pause.attempted(&partition(0), now + ROUND_TRIP + FIRST);
    assert_eq!(pause.not_before(), None);
    let before = pause.length();
    pause.answered(&partition(1), false, now + Duration::from_secs(1));
    assert_eq!(
        pause.length(),
        before,
        "an answer of another partition is not the first one's"
    );
}
