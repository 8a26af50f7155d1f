//! What a connection is for, and whose it is.
//!
//! A broker works on one request per connection at a time and responds in order. A request that it may
//! hold back therefore delays everything behind it on the same connection, so handles share only the
//! connections whose requests are answered from memory, and each handle has its own for the others.

/// Which of the connections to a broker a request takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectionKind {
    /// Metadata, FindCoordinator, ListOffsets and the like, which a broker answers at once. One
    /// connection per broker, shared by all handles of a cluster.
    #[default]
    Lookup,
    /// CreateTopics, DeleteRecords and other administration, which a broker may hold back until it is
    /// done. One connection per broker, shared by all handles of a cluster.
    Admin,
    /// Produce: held back until the replicas have it. One connection per broker and handle.
    Produce,
    /// Fetch: held back until there is enough to read. One connection per broker and handle.
    Fetch,
    /// InitProducerId to EndTxn: held back until the replicas of the coordinator's log have it. One
    /// connection per broker and handle.
    Transaction,
    /// JoinGroup and what follows: held back until the group is complete. One connection per broker and
    /// handle.
    Group,
}

impl ConnectionKind {
    /// Whether all handles of a cluster share one connection of this kind per broker.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        match self {
            Self::Lookup | Self::Admin => true,
            Self::Produce | Self::Fetch | Self::Transaction | Self::Group => false,
        }
    }
}

/// Numbers the handles of one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HandleId(pub(crate) u64);

impl HandleId {
    /// Stands for all handles together.
    pub(crate) const SHARED: Self = Self(0);
}

/// What a connection is for, and whose: that of all handles where the kind is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Purpose {
    kind: ConnectionKind,
    handle: HandleId,
}

impl Purpose {
    pub(super) const LOOKUP: Self = Self {
        kind: ConnectionKind::Lookup,
        handle: HandleId::SHARED,
    };

    pub(super) const fn new(kind: ConnectionKind, handle: HandleId) -> Self {
        let handle = if kind.is_shared() {
            HandleId::SHARED
        } else {
            handle
        };
        Self { kind, handle }
    }

    /// Whether only this handle uses the connection.
    pub(super) fn belongs_to(self, handle: HandleId) -> bool {
        self.handle == handle && !self.kind.is_shared()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_share_what_is_answered_at_once_and_nothing_else() {
        let (one, other) = (HandleId(1), HandleId(2));
        for kind in [ConnectionKind::Lookup, ConnectionKind::Admin] {
            assert_eq!(Purpose::new(kind, one), Purpose::new(kind, other));
            assert!(!Purpose::new(kind, one).belongs_to(HandleId::SHARED));
        }
        for kind in [
            ConnectionKind::Produce,
            ConnectionKind::Fetch,
            ConnectionKind::Transaction,
            ConnectionKind::Group,
        ] {
            assert_ne!(Purpose::new(kind, one), Purpose::new(kind, other));
            assert!(Purpose::new(kind, one).belongs_to(one));
            assert!(!Purpose::new(kind, one).belongs_to(other));
        }
    }
}
