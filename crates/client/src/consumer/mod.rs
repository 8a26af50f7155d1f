//! Reading records from partitions that the application assigns itself.

mod fetch;
#[cfg(test)]
mod model_tests;
mod position;
mod records;
#[cfg(test)]
mod test_log;
mod types;
mod unpack;
mod visibility;

pub use records::{BatchIter, ConsumedBatch, ConsumedRecord, Iter, Records};
pub use types::{IsolationLevel, NextOffset, OffsetReset, Position, TopicPartition};
