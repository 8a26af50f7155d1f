//! When one address may be dialled (again); without any IO.

use crate::backoff::Backoff;
use std::time::Instant;

/// When one connection to a broker was opened, lost and missed.
///
/// A connection that ends soon after it came up counts as a failed dial: a listener that accepts and
/// then closes, as one does that wants authentication, would otherwise be dialled in a tight loop.
#[derive(Debug, Default)]
pub(super) struct Dial {
    failures: u32,
    not_before: Option<Instant>,
    up_since: Option<Instant>,
}

impl Dial {
    /// Before when not to dial.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// The connection is there.
    pub(super) fn on_up(&mut self, now: Instant) {
        self.up_since = Some(now);
        self.not_before = None;
    }

    /// A dial failed.
    pub(super) fn on_failed(
        &mut self,
        now: Instant,
        backoff: &Backoff,
        random: &mut fastrand::Rng,
    ) {
        self.up_since = None;
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + backoff.delay(self.failures, random));
    }

    /// The connection has ended.
    pub(super) fn on_down(&mut self, now: Instant, backoff: &Backoff, random: &mut fastrand::Rng) {
        let Some(up_since) = self.up_since.take() else {
            return;
        };
        if now.saturating_duration_since(up_since) < backoff.max {
            self.on_failed(now, backoff, random);
        } else {
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const BACKOFF: Backoff = Backoff {
        initial: Duration::from_millis(50),
        max: Duration::from_secs(1),
        multiplier: 2.0,
        jitter: 0.0,
    };

    #[test]
    fn every_failure_makes_the_next_dial_wait_longer() {
        let (mut dial, mut random) = (Dial::default(), fastrand::Rng::with_seed(1));
        let now = Instant::now();
        assert_eq!(dial.not_before(), None);
        for wait in [50, 100, 200, 400, 800, 1000, 1000] {
            dial.on_failed(now, &BACKOFF, &mut random);
            assert_eq!(dial.not_before(), Some(now + Duration::from_millis(wait)));
        }
    }

    #[test]
    fn a_connection_that_lasted_starts_anew() {
        let (mut dial, mut random) = (Dial::default(), fastrand::Rng::with_seed(1));
        let now = Instant::now();
        dial.on_failed(now, &BACKOFF, &mut random);
        dial.on_up(now);
        dial.on_down(now + BACKOFF.max, &BACKOFF, &mut random);
        assert_eq!(dial.not_before(), None);
        dial.on_failed(now, &BACKOFF, &mut random);
        assert_eq!(dial.not_before(), Some(now + BACKOFF.initial));
    }

    #[test]
    fn a_connection_that_ends_at_once_is_a_failed_dial() {
        let (mut dial, mut random) = (Dial::default(), fastrand::Rng::with_seed(1));
        let mut now = Instant::now();
        for wait in [50, 100, 200] {
            dial.on_up(now);
            now += Duration::from_millis(5);
            dial.on_down(now, &BACKOFF, &mut random);
            assert_eq!(dial.not_before(), Some(now + Duration::from_millis(wait)));
            now += Duration::from_millis(wait);
        }
    }
}
