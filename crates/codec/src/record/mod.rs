//! Record batches, magic 2: the one format in which records are written. Message sets of magic 0 and 1, which old
//! segments hold, are read.
//!
//! ```text
//! 0        8       12            16     17   21          23                 27              35
//! | base   | batch | partition   | mag- | CRC| attributes| last offset      | base          | max
//! | offset | length| leader epoch| ic 2 |    |           | delta            | timestamp     | timestamp
//! 43            51              53              57            61
//! | producer id | producer epoch| base sequence | record count| records …
//! ```
//!
//! The length counts from byte 12; the CRC-32C covers everything from byte 21, so a broker can set offset
//! and leader epoch without touching it. Only the records are compressed, all together.
//!
//! Writing: [`BatchBuilder`] encodes records into an open buffer, [`BatchBuilder::close`] compresses
//! them, and [`ClosedBatch::header`] makes the 61 bytes in front for a given producer and sequence.
//! Reading: [`Batches`] cuts a buffer into [`Batch`]es, each gives its header fields for nothing and its
//! [`Records`] on request, and those are views into the same buffer unless they were compressed.

mod attributes;
mod batch;
mod batches;
mod builder;
mod closed;
mod compression;
mod control;
mod crc;
mod encode;
mod error;
mod layout;
mod legacy;
mod records;
mod varint;

pub use attributes::{Compression, TimestampType};
pub use batch::Batch;
pub use batches::{Batches, Tail};
pub use builder::{BatchBuilder, HeaderToWrite, RecordToWrite};
pub use closed::{BatchStamp, ClosedBatch, SplitError};
pub use compression::Compressor;
pub use control::{ControlBatchToWrite, ControlRecord, Marker, put_control_batch};
pub use crc::crc32c;
pub use error::BatchError;
pub use layout::{BATCH_HEADER_BYTES, set_log_append_time, set_log_position};
pub use records::{Header, Headers, Record, RecordIter, Records};
