//! Reading records from partitions that the application assigns itself.
//!
//! ```text
//!  application ── poll ──► Consumer ── take ──► ┌─────────┐ ── poll ──► task ── Fetch ──► brokers
//!              ◄─ Records ─ open                │ machine │                ListOffsets
//!                                               └─────────┘ ◄─ handle ─ read ◄─ answers
//! ```
//!
//! The machine (`fetch::machine`) decides whom to ask for what and what an answer means; it knows neither
//! sockets nor clocks. The consumer's task waits for it. An answer stays one shared buffer: its batches
//! are views, walked and filtered by their headers when they arrive (`visibility`), opened when a poll
//! takes them (`opening`, `unpack`), and their records borrow from it ([`Records`]).

mod api;
mod committed;
mod driver;
pub(crate) mod fetch;
mod health;
#[cfg(test)]
mod model_tests;
mod offsets;
mod opening;
mod position;
mod records;
mod results;
#[cfg(any(test, feature = "_fuzzing"))]
mod test_log;

mod unpack;
mod visibility;

pub use crate::types::{
    IsolationLevel, NextOffset, OffsetAndTimestamp, OffsetReset, Position, TopicPartition,
};
pub use api::Consumer;
pub use milena_codec::record::{Header, Headers};
pub use milena_codec::{ProducerIdentity, TimestampType};
pub use records::{BatchIter, ConsumedBatch, ConsumedRecord, Iter, Records};
pub use results::PartitionResults;
