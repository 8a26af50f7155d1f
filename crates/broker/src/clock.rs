//! The broker's clock: real time plus whatever a test has added to it.

use std::ops::Add;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::Instant;

/// A moment by the broker's clock, counted from the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Duration);

impl Time {
    /// The Unix epoch.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// The moment this long after the Unix epoch.
    #[must_use]
    pub const fn from_unix(since_epoch: Duration) -> Self {
        Self(since_epoch)
    }

    /// The moment this many milliseconds after the Unix epoch; the epoch itself for negative numbers.
    #[must_use]
    pub fn from_unix_millis(millis: i64) -> Self {
        Self(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
    }

    /// Milliseconds since the Unix epoch, as timestamps travel.
    #[must_use]
    pub fn unix_millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }

    /// How long ago `earlier` was at this moment; zero if it has yet to come.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }
}

/// The clock of an embedded broker: it runs with real time (tokio's, so that a paused test runtime
/// drives it), and [`Clock::advance`] moves it on without waiting.
///
/// Everything the broker does later hangs on this clock: transaction timeouts and their scan, marker
/// writes, session timeouts, rebalances, expiry of producers, and the waits of long polls.
#[derive(Debug)]
pub struct Clock {
    /// The moment that `started` was.
    base: Duration,
    started: Instant,
    advanced: Mutex<Duration>,
    changed: watch::Sender<()>,
}

impl Clock {
    /// A clock that shows `at` now, or else the time of the day.
    pub(crate) fn start(at: Option<Time>) -> Self {
        let time_of_day = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
        };
        Self {
            base: at.map_or_else(time_of_day, |Time(base)| base),
            started: Instant::now(),
            advanced: Mutex::new(Duration::ZERO),
            changed: watch::Sender::new(()),
        }
    }

    /// The moment that it is now.
    #[must_use]
    pub fn now(&self) -> Time {
        let advanced = *self.advanced.lock().unwrap_or_else(PoisonError::into_inner);
        Time(self.base + self.started.elapsed() + advanced)
    }

    /// Moves the clock on by `step`; whatever falls due on the way happens at once, in its order.
    pub fn advance(&self, step: Duration) {
        {
            let mut advanced = self.advanced.lock().unwrap_or_else(PoisonError::into_inner);
            *advanced = advanced.saturating_add(step);
        }
        self.changed.send_replace(());
    }

    /// Waits until the clock shows `deadline`, however it gets there.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn sleep_until(&self, deadline: Time) {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let left = deadline.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                biased;
                () = tokio::time::sleep(left) => {}
                _ = changed.changed() => {}
            }
        }
    }

    /// Waits for `wait` by this clock.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn sleep(&self, wait: Duration) {
        self.sleep_until(self.now() + wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn an_advance_wakes_whoever_waits_for_it() {
        let clock = Arc::new(Clock::start(None));
        let deadline = clock.now() + Duration::from_secs(3600);
        let waiter = tokio::spawn({
            let clock = Arc::clone(&clock);
            async move { clock.sleep_until(deadline).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(1800));
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        clock.advance(Duration::from_secs(1800));
        waiter.await.unwrap();
    }

    #[test]
    fn a_time_is_its_milliseconds() {
        assert_eq!(Time::from_unix_millis(1_500).unix_millis(), 1_500);
        assert_eq!(Time::from_unix_millis(-1), Time::ZERO);
        let later = Time::ZERO + Duration::from_secs(2);
        assert_eq!(later.since(Time::ZERO), Duration::from_secs(2));
        assert_eq!(Time::ZERO.since(later), Duration::ZERO);
    }
}
