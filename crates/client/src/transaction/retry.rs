//! When to ask a coordinator again.

use std::time::{Duration, Instant};

/// How long to wait between attempts, and the jitter that keeps many producers apart.
///
/// The randomness is a plain sequence that starts at the seed of the configuration: the same seed
/// gives the same delays.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    pub(super) first: Duration,
    pub(super) longest: Duration,
    pub(super) random: u64,
}

impl Pace {
    fn delay(&mut self, attempts: u32) -> Duration {
        let doubled = self
            .first
            .saturating_mul(1_u32.checked_shl(attempts).unwrap_or(u32::MAX));
        self.jittered(doubled.min(self.longest))
    }

    /// `least` and up to a fifth more. Never less: the steps of T-68 are lower bounds.
    fn jittered(&mut self, least: Duration) -> Duration {
        // SplitMix64, one step.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let per_mille = u32::try_from((mixed ^ (mixed >> 31)) % 200).unwrap_or_default();
        least + least.saturating_mul(per_mille) / 1000
    }
}

/// The attempts at one request, from its first sending to its definite answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Retry {
    attempts: u32,
    concurrent: u32,
    concurrent_since: Option<Instant>,
    not_before: Option<Instant>,
}

impl Retry {
    /// The moment to wait for before the next attempt; `None` if it may go now.
    pub(super) fn wait_until(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|at| *at > now)
    }

    /// Again after the usual back-off.
    pub(super) fn later(&mut self, now: Instant, pace: &mut Pace) {
        self.not_before = Some(now + pace.delay(self.attempts));
        self.attempts = self.attempts.saturating_add(1);
    }

    /// Again once the coordinator may be done with what it does for this id: CONCURRENT_TRANSACTIONS.
    ///
    /// It is usually done within a millisecond, so the first steps are that short (L-23); a
    /// coordinator that cannot write its markers is asked ever more rarely (T-68).
    pub(super) fn concurrent(&mut self, now: Instant, pace: &mut Pace) {
        let since = *self.concurrent_since.get_or_insert(now);
        let waited = now.saturating_duration_since(since);
        let step = CONCURRENT_STEPS
            .iter()
            .find(|(after, _)| waited >= *after)
            .map_or_else(|| short_step(self.concurrent), |(_, step)| *step);
        self.concurrent = self.concurrent.saturating_add(1);
        self.not_before = Some(now + pace.jittered(step));
    }

    /// Forgets the attempts: the request was answered, or another one takes its place.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// 1, 2, 4, 8, 16, 20, 20 … milliseconds.
fn short_step(attempts: u32) -> Duration {
    let millis = 1_u64.checked_shl(attempts).unwrap_or(u64::MAX);
    Duration::from_millis(millis.min(20))
}

/// After this long of CONCURRENT_TRANSACTIONS, at least this long between attempts (T-68).
const CONCURRENT_STEPS: [(Duration, Duration); 3] = [
    (Duration::from_secs(5), Duration::from_secs(1)),
    (Duration::from_millis(2500), Duration::from_millis(500)),
    (Duration::from_secs(1), Duration::from_millis(200)),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        Pace {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(1),
            random: 7,
        }
    }

    fn millis(from: Instant, to: Instant) -> u128 {
        to.duration_since(from).as_millis()
    }

    #[test]
    fn the_usual_back_off_doubles_up_to_its_bound() {
        let (mut retry, mut pace, now) = (Retry::default(), pace(), Instant::now());
        for least in [100, 200, 400, 800, 1000, 1000] {
            retry.later(now, &mut pace);
            let waited = millis(now, retry.wait_until(now).unwrap());
            assert!(
                (least..=least * 6 / 5).contains(&waited),
                "{waited} for {least}"
            );
        }
    }

    /// L-23, T-68: 1 ms first, then growing to 20 ms; at least 200 ms after 1 s, 500 ms after 2.5 s, 1 s after 5 s.
    #[test]
    fn concurrent_transactions_are_asked_about_at_once_and_then_ever_more_rarely() {
        let (mut retry, mut pace, start) = (Retry::default(), pace(), Instant::now());
        let mut now = start;
        let mut asked = 0;
        while millis(start, now) < 20_000 {
            let waited = millis(start, now);
            retry.concurrent(now, &mut pace);
            let next = retry.wait_until(now).unwrap();
            let least = match waited {
                0 => 1,
                5000.. => 1000,
                2500.. => 500,
                1000.. => 200,
                _ => 2,
            };
            assert!(
                millis(now, next) >= least,
                "after {waited} ms only {:?}",
                next - now
            );
            assert!(millis(now, next) <= least.max(20) * 6 / 5);
            now = next;
            asked += 1;
        }
        assert!(asked < 100, "{asked} attempts in 20 s");
    }

    #[test]
    fn the_same_seed_gives_the_same_delays() {
        let now = Instant::now();
        let delays = || {
            let (mut retry, mut pace) = (Retry::default(), pace());
            (0..20)
                .map(|_| {
                    retry.later(now, &mut pace);
                    retry.wait_until(now)
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(delays(), delays());
    }

    #[test]
    fn attempts_without_end_do_not_overflow() {
        let (mut retry, mut pace, now) = (Retry::default(), pace(), Instant::now());
        for _ in 0..200 {
            retry.later(now, &mut pace);
            retry.concurrent(now, &mut pace);
        }
        assert!(retry.wait_until(now).is_some());
    }
}
