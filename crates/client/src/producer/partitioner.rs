//! Which partition a record goes to: by key as the Java client does, without one where there is room.
//!
//! Pure. A keyed record goes to `murmur2(key) mod partitions`, so that producers in other languages put
//! the same key in the same place. Records without a key stay on one partition for about a batch and then
//! move to another, chosen with a weight that falls with its queue (KIP-480, KIP-794).

/// Java's murmur2 with its seed, over the bytes of a key.
pub(crate) fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let mut words = key.chunks_exact(4);
    for word in &mut words {
        let mut k = word
            .iter()
            .rev()
            .fold(0_u32, |k, byte| (k << 8) | u32::from(*byte));
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        k = k.wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        hash ^= tail
            .iter()
            .rev()
            .fold(0_u32, |k, byte| (k << 8) | u32::from(*byte));
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partition of a key among `partitions`, as the Java client's default.
pub(crate) fn of_key(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// Where records without a key go now.
#[derive(Debug)]
pub(crate) struct Sticky {
    current: Option<u32>,
    bytes: usize,
    random: u64,
}

impl Sticky {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            current: None,
            bytes: 0,
            random: seed | 1,
        }
    }

    /// The partition to use; `load` gives the batches that wait for each, `None` for one without a leader.
    pub(crate) fn partition<I>(&mut self, load: impl FnOnce() -> I) -> u32
    where
        I: Iterator<Item = Option<u32>> + Clone,
    {
        if let Some(current) = self.current {
            return current;
        }
        let chosen = self.choose(load());
        self.current = Some(chosen);
        self.bytes = 0;
        chosen
    }

    /// `bytes` were appended; `boundary` when they ended or began a batch. Moves on after about
    /// `batch_bytes`, at a boundary if one comes in time, so that batches are not cut short.
    pub(crate) fn appended(&mut self, bytes: usize, boundary: bool, batch_bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        let full = self.bytes >= batch_bytes;
        if full && (boundary || self.bytes >= batch_bytes.saturating_mul(2)) {
            self.current = None;
        }
    }

    /// Chooses afresh at the next record: the current partition lost its leader.
    pub(crate) fn forget(&mut self) {
        self.current = None;
    }

    /// A partition with a chance of (longest queue + 1 - its queue), among those with a leader.
    fn choose(&mut self, load: impl Iterator<Item = Option<u32>> + Clone) -> u32 {
        let longest = load.clone().flatten().max();
        let Some(longest) = longest else {
            // No leader anywhere: any partition; its records wait for one.
            let count = u32::try_from(load.count()).unwrap_or(u32::MAX).max(1);
            return self.below(u64::from(count));
        };
        let weight = |queue: u32| u64::from(longest - queue) + 1;
        let total: u64 = load.clone().flatten().map(weight).sum();
        let mut ticket = u64::from(self.below(total));
        for (partition, queue) in (0_u32..).zip(load) {
            let Some(queue) = queue else { continue };
            if ticket < weight(queue) {
                return partition;
            }
            ticket -= weight(queue);
        }
        0
    }

    fn below(&mut self, bound: u64) -> u32 {
        let mut x = self.random;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random = x;
        u32::try_from((x >> 16) % bound.max(1)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
