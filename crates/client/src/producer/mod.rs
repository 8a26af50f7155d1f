//! Writing records: with the guarantees of idempotence, or in transactions.

pub(crate) mod accumulator;
pub(crate) mod api;
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
pub(crate) mod queue;
mod record;
mod request;
mod returns;
mod sealed;
mod standing;
mod verdict;

pub use api::Producer;
pub use delivery::{Delivery, RecordMetadata};
pub use record::Record;
