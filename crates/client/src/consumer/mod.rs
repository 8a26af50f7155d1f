//! Reading records from partitions that the application assigns itself.

mod fetch;
mod position;
mod records;
mod types;
mod unpack;
mod visibility;

pub use records::{BatchIter, ConsumedBatch, ConsumedRecord, Iter, Records};
pub use types::{IsolationLevel, NextOffset, OffsetReset, Position, TopicPartition};
