//! The numbers by which a cluster knows a producer and what it wrote.

use std::fmt;

/// The cluster's name for a producer, given out by InitProducerId; [`ProducerId::NONE`] on the
/// wire where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub i64);

impl ProducerId {
    /// No producer id: what a batch without idempotence carries.
    pub const NONE: Self = Self(-1);

    /// Whether this names a producer: zero or above.
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.0 >= 0
    }
}

impl fmt::Display for ProducerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The term of a producer id; a higher epoch fences the lower ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerEpoch(pub i16);

impl ProducerEpoch {
    /// No epoch: what a batch without idempotence carries.
    pub const NONE: Self = Self(-1);
    /// The first epoch of a producer id.
    pub const ZERO: Self = Self(0);
    /// The last epoch there is; the one after it needs a new producer id.
    pub const LAST: Self = Self(i16::MAX);
    /// The last epoch that a client may use. The coordinator keeps [`ProducerEpoch::LAST`] for itself,
    /// so that it can always fence.
    pub const EXHAUSTED: Self = Self(i16::MAX - 1);

    /// The next epoch of the same producer id; `None` after the last one that a client may use.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        if self.0 >= Self::EXHAUSTED.0 {
            return None;
        }
        Some(Self(self.0 + 1))
    }
}

impl fmt::Display for ProducerEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A producer id in one of its epochs: who wrote a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerIdentity {
    /// Which producer.
    pub producer_id: ProducerId,
    /// In which of its terms.
    pub producer_epoch: ProducerEpoch,
}

impl ProducerIdentity {
    /// No producer: batches that are not idempotent (P-3).
    pub const NONE: Self = Self {
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
    };

    /// The identity of these two numbers.
    #[must_use]
    pub const fn new(producer_id: ProducerId, producer_epoch: ProducerEpoch) -> Self {
        Self {
            producer_id,
            producer_epoch,
        }
    }

    /// Whether this names a producer.
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.producer_id.is_some()
    }
}

impl fmt::Display for ProducerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} epoch {}", self.producer_id, self.producer_epoch)
    }
}

/// The number of a record for its producer and partition, from 0 to `i32::MAX` and around again (P-22).
///
/// There is no `Ord`: which of two numbers on a circle comes first depends on how far apart they
/// are, see [`Sequence::is_before`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sequence(pub i32);

impl Sequence {
    /// No sequence: what a batch without idempotence carries.
    pub const NONE: Self = Self(-1);
    /// The first sequence in a producer's epoch.
    pub const ZERO: Self = Self(0);
    /// The last sequence before the numbers start again at zero.
    pub const MAX: Self = Self(i32::MAX);

    /// Whether this is a number at all: zero or above.
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.0 >= 0
    }

    /// The sequence `n` records later; [`Sequence::NONE`] stays what it is.
    #[must_use]
    pub const fn advance(self, n: u32) -> Self {
        if !self.is_some() {
            return self;
        }
        Self::on_circle(self.0.cast_unsigned().wrapping_add(n))
    }

    /// The sequence `n` records earlier; [`Sequence::NONE`] stays what it is.
    #[must_use]
    pub const fn retreat(self, n: u32) -> Self {
        if !self.is_some() {
            return self;
        }
        Self::on_circle(self.0.cast_unsigned().wrapping_sub(n))
    }

    /// How many records later than `self` the number `other` comes, going forward round the
    /// circle: 0 to `i32::MAX`.
    #[must_use]
    pub const fn distance(self, other: Self) -> u32 {
        other.0.cast_unsigned().wrapping_sub(self.0.cast_unsigned()) & POSITIONS_MASK
    }

    /// Whether `self` comes before `other` by serial arithmetic: `other` lies in the half of the
    /// circle ahead of `self`.
    #[must_use]
    pub const fn is_before(self, other: Self) -> bool {
        let ahead = self.distance(other);
        ahead != 0 && ahead <= POSITIONS_MASK / 2
    }

    const fn on_circle(position: u32) -> Self {
        // 2^31 positions: a u32 wraps at twice that, so one bit dropped is the wrap.
        Self((position & POSITIONS_MASK).cast_signed())
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const POSITIONS_MASK: u32 = i32::MAX.cast_unsigned();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_wraps_from_max_to_zero() {
        assert_eq!(Sequence::MAX.advance(1), Sequence::ZERO);
        assert_eq!(Sequence(i32::MAX - 1).advance(3), Sequence(1));
        assert_eq!(Sequence(1).retreat(3), Sequence(i32::MAX - 1));
        assert_eq!(Sequence(i32::MAX - 1).distance(Sequence(1)), 3);
    }

    #[test]
    fn no_sequence_stays_none() {
        assert_eq!(Sequence::NONE.advance(7), Sequence::NONE);
        assert_eq!(Sequence::NONE.retreat(7), Sequence::NONE);
    }

    #[test]
    fn order_is_serial_across_the_wrap() {
        assert!(Sequence::MAX.is_before(Sequence::ZERO));
        assert!(!Sequence::ZERO.is_before(Sequence::MAX));
        assert!(Sequence(3).is_before(Sequence(4)));
        assert!(!Sequence(4).is_before(Sequence(4)));
    }

    #[test]
    fn the_last_epoch_belongs_to_the_coordinator() {
        assert_eq!(ProducerEpoch::ZERO.next(), Some(ProducerEpoch(1)));
        assert_eq!(ProducerEpoch::EXHAUSTED.next(), None);
        assert_eq!(ProducerEpoch::LAST.next(), None);
    }
}
