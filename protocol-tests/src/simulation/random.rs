//! The only source of chance in a simulated run.

use std::time::Duration;

/// Numbers from a seed.
#[derive(Clone, Debug)]
pub(super) struct Random(fastrand::Rng);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A source of its own for a part of the run, so that the parts do not disturb each other.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// From 0 up to and including `most`.
    pub(super) fn up_to(&mut self, most: usize) -> usize {
        self.0.usize(..=most)
    }

    /// From `least` up to and including `most`.
    pub(super) fn between(&mut self, least: i32, most: i32) -> i32 {
        self.0.i32(least..=most)
    }

    /// True so many times in a hundred.
    pub(super) fn percent(&mut self, chance: u32) -> bool {
        self.0.u32(..100) < chance
    }

    /// In whole microseconds, mostly nearer to the shorter end.
    pub(super) fn duration(&mut self, least: Duration, most: Duration) -> Duration {
        let spread = u64::try_from(most.saturating_sub(least).as_micros()).unwrap_or(u64::MAX);
        let most = self.0.u64(..=spread);
        least + Duration::from_micros(self.0.u64(..=most))
    }

    /// In whole milliseconds, evenly.
    pub(super) fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.0.u64(least..=most))
    }

    /// One of these.
    pub(super) fn one_of<T: Copy>(&mut self, items: &[T], otherwise: T) -> T {
        self.0.choice(items).copied().unwrap_or(otherwise)
    }

    /// So many of these, in random order.
    pub(super) fn some_of<T: Copy>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut items = items.to_vec();
        self.0.shuffle(&mut items);
        items.truncate(count);
        items
    }
}
