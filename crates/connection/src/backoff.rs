//! How long to wait before trying again.

use std::time::Duration;

/// Exponential waits with jitter: `initial`, times `multiplier` for every further attempt, never more
/// than `max`, each spread by `jitter` to both sides so that clients that failed together do not come
/// back together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The wait after the first failure. Default 50 ms.
    pub initial: Duration,
    /// The longest wait, before jitter. Default 1 s.
    pub max: Duration,
    /// Growth from one wait to the next, at least 1. Default 2.
    pub multiplier: f64,
    /// How far a wait may be from its middle, as a part of it, 0 to 1. Default 0.2, as in Kafka's own
    /// clients.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(50),
            max: Duration::from_secs(1),
            multiplier: 2.0,
            jitter: 0.2,
        }
    }
}

impl Backoff {
    /// The wait before attempt number `attempt`, where the first repetition is 1; nothing before
    /// attempt 0. The random numbers are the caller's, so that a seed decides everything.
    #[must_use]
    pub fn delay(&self, attempt: u32, random: &mut fastrand::Rng) -> Duration {
        let Some(doublings) = attempt.checked_sub(1) else {
            return Duration::ZERO;
        };
        // What grows beyond all numbers is cut to the maximum below.
        let exponent = i32::try_from(doublings).unwrap_or(i32::MAX);
        let grown = self.initial.as_secs_f64() * self.multiplier.max(1.0).powi(exponent);
        let middle = grown.min(self.max.as_secs_f64());
        let jitter = self.jitter.clamp(0.0, 1.0);
        let spread = 1.0 + jitter * (2.0 * random.f64() - 1.0);
        Duration::try_from_secs_f64(middle * spread).unwrap_or(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_maximum() {
        let backoff = Backoff {
            jitter: 0.0,
            ..Backoff::default()
        };
        let mut random = fastrand::Rng::with_seed(1);
        let waits: Vec<_> = (0..8)
            .map(|attempt| backoff.delay(attempt, &mut random).as_millis())
            .collect();
        assert_eq!(waits, [0, 50, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.delay(u32::MAX, &mut random), backoff.max);
    }

    #[test]
    fn waits_that_grow_slowly_reach_the_maximum_too() {
        let backoff = Backoff {
            multiplier: 1.01,
            jitter: 0.0,
            ..Backoff::default()
        };
        let mut random = fastrand::Rng::with_seed(1);
        assert!(backoff.delay(300, &mut random) < backoff.max);
        assert_eq!(backoff.delay(303, &mut random), backoff.max);
    }

    #[test]
    fn jitter_spreads_to_both_sides_and_no_further() {
        let backoff = Backoff::default();
        let mut random = fastrand::Rng::with_seed(7);
        let waits: Vec<_> = (0..1000)
            .map(|_| backoff.delay(2, &mut random).as_millis())
            .collect();
        assert!(waits.iter().all(|wait| (80..=120).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < 90) && waits.iter().any(|wait| *wait > 110));
    }

    #[test]
    fn a_seed_decides_every_wait() {
        let waits = |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            (1..20)
                .map(|n| Backoff::default().delay(n, &mut random))
                .collect::<Vec<_>>()
        };
        assert_eq!(waits(3), waits(3));
        assert_ne!(waits(3), waits(4));
    }
}
