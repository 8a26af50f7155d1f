//! Reading records from partitions that the application assigns itself.

mod fetch;
mod position;
mod types;
mod visibility;

pub use types::{IsolationLevel, OffsetReset, Position, TopicPartition};
