//! Values to send, built before anything is measured.

/// Different values in memory; enough that compression meets no obvious repetition between batches.
const DIFFERENT: usize = 1_000;
/// Memory for them; of values that are larger than this there is one.
const BYTES_MAX: usize = 64 << 20;

/// Values that repeat after a while, all of one size.
#[derive(Debug)]
pub(crate) struct Payloads {
    bytes: Vec<u8>,
    size: usize,
    next: usize,
}

impl Payloads {
    /// Values of `size` bytes: words and numbers, which compress about as well as JSON does.
    pub(crate) fn new(size: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(0x006d_696c_656e_6131);
        let values = (BYTES_MAX / size.max(1)).clamp(1, DIFFERENT);
        let all = size.saturating_mul(values);
        let mut bytes = Vec::with_capacity(all.saturating_add(64));
        while bytes.len() < all {
            let word = WORDS
                .get(random.usize(0..WORDS.len()))
                .copied()
                .unwrap_or_default();
            bytes.extend_from_slice(word.as_bytes());
            bytes.extend_from_slice(random.u32(..).to_string().as_bytes());
            bytes.push(b' ');
        }
        bytes.truncate(all);
        Self {
            bytes,
            size,
            next: 0,
        }
    }

    pub(crate) fn next(&mut self) -> &[u8] {
        if self.size == 0 {
            return &[];
        }
        if self.next + self.size > self.bytes.len() {
            self.next = 0;
        }
        let start = self.next;
        self.next += self.size;
        self.bytes.get(start..self.next).unwrap_or_default()
    }
}

const WORDS: [&str; 12] = [
    "account", "amount", "created", "customer", "currency", "debit", "credit", "event", "order",
    "status", "transfer", "updated",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_the_size_asked_for() {
        for size in [0, 1, 100, 1_024] {
            let mut payloads = Payloads::new(size);
            for _ in 0..2 * DIFFERENT + 1 {
                assert_eq!(payloads.next().len(), size);
            }
        }
    }

    #[test]
    fn large_values_take_no_more_memory_than_its_bound() {
        let mut payloads = Payloads::new(1 << 20);
        assert_eq!(payloads.next().len(), 1 << 20);
        assert_eq!(payloads.bytes.len(), BYTES_MAX);
        let mut larger = Payloads::new(BYTES_MAX + 1);
        assert_eq!(larger.next().len(), BYTES_MAX + 1);
        assert_eq!(larger.bytes.len(), BYTES_MAX + 1);
    }

    #[test]
    fn values_differ_and_come_again() {
        let mut payloads = Payloads::new(100);
        let first = payloads.next().to_vec();
        let second = payloads.next().to_vec();
        assert_ne!(first, second);
        for _ in 2..DIFFERENT {
            payloads.next();
        }
        assert_eq!(payloads.next(), first);
    }
}
