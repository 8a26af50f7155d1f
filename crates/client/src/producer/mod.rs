//! Writing records: with the guarantees of idempotence, or in transactions.

pub(crate) mod accumulator;
pub(crate) mod batch;
pub(crate) mod driver;
pub(crate) mod handle;
mod memory;
mod partitioner;
mod produce;
pub(crate) mod queue;
mod record;
pub(crate) mod sender;
pub(crate) mod standing;

pub use batch::{Delivery, RecordMetadata};
pub use handle::Producer;
pub use record::Record;
