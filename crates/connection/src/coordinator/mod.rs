//! Which broker coordinates a group or a transactional id.

mod driver;
pub mod machine;

pub(crate) use driver::CoordinatorShared;

/// What a coordinator is for. A group and a transactional id of the same name have nothing to do with
/// each other, and usually different coordinators (T-20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CoordinatorKind {
    /// Members and committed offsets of a consumer group.
    Group,
    /// Transactions of a transactional id.
    Transaction,
}

impl CoordinatorKind {
    /// The key type in FindCoordinator.
    #[must_use]
    pub fn key_type(self) -> i8 {
        match self {
            Self::Group => 0,
            Self::Transaction => 1,
        }
    }
}
