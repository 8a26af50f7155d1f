//! How long to wait before the next attempt.

use std::time::Duration;

/// Pauses that double from attempt to attempt, up to a bound, each shortened or stretched by up to a
/// fifth so that many readers do not ask in step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    /// The pause after `attempts` failures, the first of which has number 0.
    pub(crate) fn delay(&self, attempts: u32, rng: &mut fastrand::Rng) -> Duration {
        let doubled = self
            .first
            .saturating_mul(1_u32.checked_shl(attempts).unwrap_or(u32::MAX));
        doubled.min(self.longest).mul_f64(0.8 + 0.4 * rng.f64())
    }
}
