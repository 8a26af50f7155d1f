//! Numbers that only have to differ, from a seed.

use uuid::Uuid;

/// A small generator (splitmix64). Nothing here is secret.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// An id of version 4, as topics and members have. Those whose base64 form would begin with a dash
    /// are passed over, as Kafka does for the sake of command lines.
    pub(crate) fn uuid(&mut self) -> Uuid {
        const DASH: u8 = 62;
        loop {
            let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
            let uuid = uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid();
            let [first, ..] = uuid.into_bytes();
            if first >> 2 != DASH {
                return uuid;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_ids_and_they_differ() {
        let (mut one, mut two) = (Random::new(7), Random::new(7));
        let first = one.uuid();
        assert_eq!(first, two.uuid());
        assert_ne!(first, one.uuid());
        assert_eq!(first.get_version_num(), 4);
    }
}
