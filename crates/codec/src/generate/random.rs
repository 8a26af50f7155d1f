//! Numbers from a seed: splitmix64, which is short, fast and the same everywhere.

#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number up to and including `most`.
    pub(super) fn up_to(&mut self, most: u32) -> u32 {
        let choices = u64::from(most) + 1;
        u32::try_from(self.next() % choices).unwrap_or_default()
    }

    /// True once in so many times.
    pub(super) fn one_in(&mut self, times: u32) -> bool {
        self.up_to(times.saturating_sub(1)) == 0
    }

    /// One of the items.
    pub(super) fn pick<'i, T>(&mut self, items: &'i [T]) -> Option<&'i T> {
        let last = u32::try_from(items.len())
            .unwrap_or(u32::MAX)
            .checked_sub(1)?;
        items.get(usize::try_from(self.up_to(last)).ok()?)
    }
}
