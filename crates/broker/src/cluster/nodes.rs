//! The virtual brokers, and the seats of the coordinators on them.

use crate::Time;
use milena_codec::ErrorCode;
use std::sync::Arc;
use uuid::Uuid;

/// Which of a broker's listeners a client came by: 0 is the broker's own, the others are behind something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ListenerIndex(pub(crate) usize);

/// Where clients are told that a broker is.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
}

/// One virtual broker.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// What the clients of its own listener are told.
    pub(crate) address: Address,
    /// What the clients of each further listener are told.
    pub(crate) behind: Vec<Address>,
    pub(crate) rack: Option<Arc<str>>,
    pub(crate) condition: Condition,
}

impl Node {
    /// Where a client of this listener is told that the broker is.
    pub(crate) fn address_for(&self, listener: ListenerIndex) -> &Address {
        let behind = listener.0.checked_sub(1);
        let address = behind.and_then(|index| self.behind.get(index));
        address.unwrap_or(&self.address)
    }
}

/// What a virtual broker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Running,
    /// Holds its connections and does nothing, like a stopped process (SIGSTOP).
    Paused,
    /// Gone: no listener, no connection, its leaderships elsewhere.
    Stopped,
}

/// What a coordinator is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CoordinatorKind {
    /// Consumer groups, by group id.
    Group,
    /// Transactions, by transactional id.
    Transaction,
}

/// Partitions that each of the two coordinator topics would have.
pub(crate) const COORDINATOR_PARTITIONS: i32 = 50;

/// The topic in which a group coordinator keeps offsets; part of transactions that commit some.
pub(crate) const GROUP_TOPIC: &str = "__consumer_offsets";
/// The topic in which a transaction coordinator keeps its state.
pub(crate) const TRANSACTION_TOPIC: &str = "__transaction_state";

/// Who coordinates the keys of one partition of a coordinator topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) broker_id: Option<i32>,
    /// The coordinator's term.
    pub(crate) epoch: i32,
    /// Until then it reads its state and answers nothing else.
    pub(crate) loading_until: Option<Time>,
}

impl CoordinatorKind {
    /// The topic in which coordinators of this kind keep their state.
    pub(crate) const fn topic(self) -> &'static str {
        match self {
            Self::Group => GROUP_TOPIC,
            Self::Transaction => TRANSACTION_TOPIC,
        }
    }

    /// The id of that topic, which is the same in every cluster.
    pub(crate) const fn topic_id(self) -> Uuid {
        match self {
            Self::Group => Uuid::from_u128(0x6d69_6c65_6e61_4000_8000_0000_0000_0001),
            Self::Transaction => Uuid::from_u128(0x6d69_6c65_6e61_4000_8000_0000_0000_0002),
        }
    }
}

/// The seats of one kind of coordinator.
#[derive(Clone, Debug)]
pub(crate) struct Seats(Vec<Seat>);

impl Seats {
    /// Seats spread evenly over the brokers.
    pub(crate) fn over(brokers: &[i32]) -> Self {
        let spread = brokers.iter().cycle();
        let seats = (0..COORDINATOR_PARTITIONS).zip(spread);
        Self(
            seats
                .map(|(_, broker_id)| Seat {
                    broker_id: Some(*broker_id),
                    epoch: 0,
                    loading_until: None,
                })
                .collect(),
        )
    }

    pub(crate) fn of(&self, key: &str) -> Seat {
        self.at(partition_of(key))
    }

    /// The seat of one partition of the coordinator's topic.
    pub(crate) fn at(&self, partition: i32) -> Seat {
        let at = usize::try_from(partition).unwrap_or(0);
        self.0.get(at).copied().unwrap_or(Seat {
            broker_id: None,
            epoch: 0,
            loading_until: None,
        })
    }

    pub(crate) fn of_mut(&mut self, key: &str) -> Option<&mut Seat> {
        self.0.get_mut(usize::try_from(partition_of(key)).ok()?)
    }

    /// The seat of every partition of the coordinator's topic.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Seat> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Seat> {
        self.0.iter_mut()
    }
}

impl Seat {
    /// Whether this broker may answer for the seat's keys (T-21).
    ///
    /// # Errors
    /// [`ErrorCode::NotCoordinator`], [`ErrorCode::CoordinatorLoadInProgress`].
    pub(crate) fn check(&self, broker_id: i32, now: Time) -> Result<(), ErrorCode> {
        if self.broker_id != Some(broker_id) {
            return Err(ErrorCode::NotCoordinator);
        }
        if self.loading_until.is_some_and(|until| now < until) {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        Ok(())
    }

    /// Gives the seat to another broker, or to none, in a new term.
    pub(crate) fn give_to(&mut self, broker_id: Option<i32>) {
        self.broker_id = broker_id;
        self.epoch = self.epoch.saturating_add(1);
    }
}

/// The partition of a coordinator topic that a key falls into, as Kafka computes it: Java's hash of the
/// string.
pub(crate) fn partition_of(key: &str) -> i32 {
    let hash = key.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    // Java's Utils.abs: the smallest number has no positive counterpart.
    hash.checked_abs().unwrap_or(0) % COORDINATOR_PARTITIONS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fall_where_java_puts_them() {
        // "hello".hashCode() is 99162322; "polygenelubricants" hashes to i32::MIN.
        assert_eq!(partition_of("hello"), 22);
        assert_eq!(partition_of("polygenelubricants"), 0);
        assert_eq!(partition_of(""), 0);
    }

    #[test]
    fn seats_are_spread_and_move_in_a_new_term() {
        let mut seats = Seats::over(&[1, 2, 3]);
        assert_eq!(seats.of("hello").broker_id, Some(2));
        let now = Time::ZERO;
        assert_eq!(seats.of("hello").check(2, now), Ok(()));
        assert_eq!(
            seats.of("hello").check(1, now),
            Err(ErrorCode::NotCoordinator)
        );
        let seat = seats.of_mut("hello").unwrap();
        seat.give_to(Some(1));
        assert_eq!((seat.broker_id, seat.epoch), (Some(1), 1));
    }
}
