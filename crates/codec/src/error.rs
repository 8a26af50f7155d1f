//! What can be wrong with bytes that a peer sent, or with a value that we were asked to send.

use crate::guard::GuardError;
use std::fmt;
use std::ops::RangeInclusive;

/// Bytes from a peer that are not the message they should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body does not fit its schema; nothing was built from it.
    #[error("the message does not fit its schema")]
    Guard {
        /// Which message, where, and why.
        #[from]
        source: GuardError,
    },
    /// A header ends early or one of its fields cannot be.
    #[error("malformed header: {field} at byte {offset}")]
    Header {
        /// The header's field.
        field: &'static str,
        /// Where in the frame the field starts.
        offset: usize,
    },
    /// The typed decoder rejected a body that the guard let pass.
    #[error("malformed {message} v{api_version}: {reason}")]
    Message {
        /// The message's name in Kafka's schemas.
        message: &'static str,
        /// The version it was read as.
        api_version: i16,
        /// The decoder's own words.
        reason: String,
    },
    /// Bytes are left after the last field of a body.
    #[error("{left} bytes after the end of {message} v{api_version}")]
    TrailingBytes {
        /// The message's name in Kafka's schemas.
        message: &'static str,
        /// The version it was read as.
        api_version: i16,
        /// How many bytes are left.
        left: usize,
    },
    /// A request of a kind that is not in our tables, so that even its header cannot be read.
    #[error("unknown API key {api_key}")]
    UnknownApi {
        /// The key, as it came.
        api_key: i16,
    },
    /// A version of a message that the typed decoder does not have.
    #[error("{message} has no version {api_version}")]
    UnknownVersion {
        /// The message's name in Kafka's schemas.
        message: &'static str,
        /// The requested version.
        api_version: i16,
    },
}

/// A value that cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A batch can hold no further record.
    #[error("the batch is full: {records} records, {bytes} bytes")]
    BatchFull {
        /// Records in the batch.
        records: u32,
        /// Bytes of the batch.
        bytes: usize,
    },
    /// The compressor failed.
    #[error("{codec} compression failed: {reason}")]
    Compression {
        /// The codec's name.
        codec: &'static str,
        /// The compressor's own words.
        reason: String,
    },
    /// A compression level that the codec does not have.
    #[error("{codec} has no compression level {level}{}", Levels(levels.as_ref()))]
    CompressionLevel {
        /// The codec's name.
        codec: &'static str,
        /// The requested level.
        level: i32,
        /// The levels there are, if the codec has any.
        levels: Option<RangeInclusive<i32>>,
    },
    /// The typed encoder rejected a message, for example because a field is set that the version lacks.
    #[error("{message} cannot be written as v{api_version}: {reason}")]
    Message {
        /// The message's name in Kafka's schemas.
        message: &'static str,
        /// The version it should be written as.
        api_version: i16,
        /// The encoder's own words.
        reason: String,
    },
    /// A string, a byte array or a list is longer than its length field can say.
    #[error("{field} is too long: {length} of at most {limit}")]
    TooLong {
        /// What is too long.
        field: &'static str,
        /// Its length.
        length: usize,
        /// The longest there may be.
        limit: usize,
    },
    /// A request of a kind that is not in our tables.
    #[error("unknown API key {api_key}")]
    UnknownApi {
        /// The key.
        api_key: i16,
    },
    /// A version of a message that the typed encoder does not have.
    #[error("{message} has no version {api_version}")]
    UnknownVersion {
        /// The message's name in Kafka's schemas.
        message: &'static str,
        /// The requested version.
        api_version: i16,
    },
}

/// The range of levels behind a message, if there is one.
struct Levels<'a>(Option<&'a RangeInclusive<i32>>);

impl fmt::Display for Levels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(levels) => write!(f, ", only {} to {}", levels.start(), levels.end()),
            None => Ok(()),
        }
    }
}
