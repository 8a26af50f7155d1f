//! The Kafka wire format: frames, headers, record batches and guarded messages.
//!
//! Bytes go in and values come out, or the reverse. Nothing here waits, owns a socket or reads a
//! clock, and nothing that arrives in bytes can panic or make this crate reserve more memory than
//! its [`Limits`] say.
//!
//! | to | use |
//! |---|---|
//! | cut a stream of bytes into frames | [`frame::FrameDecoder`] |
//! | read and write the headers of requests and responses | [`header`] |
//! | read and write the bodies | [`message`], the only way to `kafka-protocol`'s typed messages |
//! | write records | [`BatchBuilder`], then [`ClosedBatch`] |
//! | read records | [`Batches`], [`Batch`], [`Records`] |

pub mod api_key;
pub mod dissect;
pub mod error;
pub mod error_code;
pub mod frame;
pub mod generate;
pub mod guard;
pub mod header;
pub mod ids;
pub mod limits;
pub mod message;
pub mod record;
pub mod schema;

pub use api_key::{ApiKey, Effect, ParseApiKeyError};
pub use error::{DecodeError, EncodeError};
pub use error_code::ErrorCode;
pub use frame::{FrameDecoder, FrameError};
pub use guard::GuardError;
pub use header::RequestHeader;
pub use ids::{ProducerEpoch, ProducerId, ProducerIdentity, Sequence};
pub use limits::Limits;
pub use record::{
    Batch, BatchBuilder, BatchError, BatchStamp, Batches, ClosedBatch, Compression, ControlRecord,
    Header, HeaderToWrite, Record, RecordToWrite, Records, Tail, TimestampType,
};
