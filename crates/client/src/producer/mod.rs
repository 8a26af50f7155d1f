//! Writing records: with the guarantees of idempotence, or in transactions.

pub(crate) mod accumulator;
mod api;
mod arrivals;
pub(crate) mod core;
pub(crate) mod delivery;
pub(crate) mod driver;
mod exchange;
pub(crate) mod failure;
mod identity;
pub(crate) mod machine;
mod memory;
pub(crate) mod partition;
mod partitioner;
#[cfg(feature = "two-phase-commit")]
mod prepared;
mod queue;
mod record;
mod request;
mod returns;
mod sealed;
mod standing;
mod transacting;
mod transactional;
#[cfg(feature = "two-phase-commit")]
mod two_phase;
mod verdict;

pub use api::Producer;
pub use delivery::{Delivery, RecordMetadata};
#[cfg(feature = "two-phase-commit")]
pub use prepared::{ParsePreparedTransactionError, PreparedTransaction};
pub use record::Record;
pub use transactional::{Transaction, TransactionOutcome, TransactionalProducer};
