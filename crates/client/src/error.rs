//! The one error of this crate: whose fault it is, and what the caller may do about it.
//!
//! ```text
//!             +- it never left, or nothing was changed ------ retriable
//!             +- the transaction can only be aborted -------- abortable
//!  an error --+- this producer or consumer is closed -------- fatal
//!             +- it may or may not have been applied -------- outcome unknown
//!             +- this one call was rejected ----------------- none of the four
//! ```
//!
//! The classes never overlap. An operation that may have been applied is never reported as failed:
//! a timed-out write, commit or abort is *outcome unknown*.

mod connection;
mod recovery;
mod report;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use milena_codec::{ApiKey, ErrorCode};

pub use recovery::{Recovery, recovery_of};
pub use report::Report;

use crate::config::ConfigError;

/// The cause of an [`Error`] that lies outside this crate: a socket, a decoder.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why an operation failed, or why its outcome is unknown.
///
/// Variants say whose fault it was. [`recovery`](Self::recovery) says what to do next and is what
/// a program should decide by; the variants and their fields are for people. `Display` prints
/// this level only, `source()` leads to the cause, and [`report`](Self::report) prints all of them.
///
/// Cheap to clone: each record of a failed batch gets the same error.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
#[doc(alias = "KafkaException")]
#[doc(alias = "KafkaError")]
pub enum Error {
    /// A broker responded with an error code.
    #[error("{}", display::broker(*code, *request, *broker, topic.as_deref(), *partition, message.as_deref()))]
    Broker {
        /// The code of the response.
        code: ErrorCode,
        /// The request it responded to.
        request: ApiKey,
        /// The id of the broker that responded, where known.
        broker: Option<i32>,
        /// The topic concerned; `None` if the code is about the request as a whole.
        topic: Option<Arc<str>>,
        /// The partition concerned; `None` if the code is about the request or topic as a whole.
        partition: Option<i32>,
        /// The error message of the response, where there is one.
        message: Option<Arc<str>>,
    },

    /// The records do not fit into what is left of `buffer_memory`, and nothing was freed within
    /// `max_block`. Nothing was sent.
    #[error(
        "no memory for {bytes} bytes: {setting} ({buffer_memory} bytes) stayed full for {waited:?}"
    )]
    BufferFull {
        /// What the record needs, in bytes.
        bytes: usize,
        /// The producer's bound, in bytes.
        buffer_memory: usize,
        /// How long the call waited for memory.
        waited: Duration,
        /// The setting that bounds it, as the caller wrote it: `buffer_memory` or a property key.
        setting: Cow<'static, str>,
        /// What stands in the way of the records that fill the buffer, where anything does but their number.
        #[source]
        cause: Option<Arc<Error>>,
    },

    /// The producer, consumer or client was closed (or is closing), and the operation was not done.
    #[error("{what} is closed")]
    Closed {
        /// What was closed, such as `the producer`.
        what: &'static str,
    },

    /// A setting cannot work.
    #[error(transparent)]
    Configuration {
        /// Which setting, its value, why not, and what to do.
        cause: ConfigError,
    },

    /// Records read from a broker are damaged: the checksum, the record count or the compressed
    /// data are wrong. No record of the batch was returned.
    #[error("the records of {topic}-{partition} at offset {offset} are damaged")]
    CorruptRecords {
        /// The topic read.
        topic: Arc<str>,
        /// The partition read.
        partition: i32,
        /// The offset of the first record of the batch. Seeking behind the batch skips it.
        offset: i64,
        /// What is wrong with them.
        #[source]
        cause: Cause,
    },

    /// The delivery timeout of a record ran out.
    ///
    /// If its batch had `reached_the_wire` the record may be in the log and the outcome is unknown;
    /// otherwise it is certain that it was not written.
    #[error(
        "delivery to {topic}-{partition} timed out after {elapsed:?}, {}",
        display::written(*reached_the_wire)
    )]
    DeliveryTimeout {
        /// The topic written to.
        topic: Arc<str>,
        /// The partition written to.
        partition: i32,
        /// The age of the batch, from its first record.
        elapsed: Duration,
        /// Whether an attempt may have been appended: written to a connection, and not rejected since by its leader.
        reached_the_wire: bool,
        /// Why the last attempt did not succeed, where there was one.
        #[source]
        cause: Option<Arc<Error>>,
    },

    /// The producer (or consumer) met an error that it cannot go on from. Every later call returns it
    /// too. Close it; the cause says what must change before a new one can work.
    #[error("no longer usable")]
    Fatal {
        /// The terminal error.
        #[source]
        cause: Arc<Error>,
    },

    /// A newer producer with the same transactional id has taken over. This one must not write
    /// again and cannot abort; its open transaction was aborted by the coordinator. Close it.
    #[error("fenced: a newer producer uses the transactional id `{transactional_id}`")]
    Fenced {
        /// The id that both producers use.
        transactional_id: Arc<str>,
        /// The response that said so, where there was one.
        #[source]
        cause: Option<Arc<Error>>,
    },

    /// The log was truncated below the position of the reader: records it has read are no longer
    /// there, and others may have taken their offsets (KIP-320). Also returned for a topic that was deleted and
    /// created again.
    #[error(
        "{topic}-{partition} was truncated below the position {position}{}", display::parting(*diverging_offset)
    )]
    LogTruncated {
        /// The topic read.
        topic: Arc<str>,
        /// The partition read.
        partition: i32,
        /// The offset that would have been read next.
        position: i64,
        /// The first offset whose record may differ from what was read; `None` if that is unknown.
        diverging_offset: Option<i64>,
    },

    /// A broker sent bytes that are not what the protocol says.
    #[error("a malformed response to {request} came from {}", display::peer(*broker))]
    Malformed {
        /// The request whose response was malformed.
        request: ApiKey,
        /// The id of the broker that sent it, where known.
        broker: Option<i32>,
        /// What is wrong with the bytes.
        #[source]
        cause: Cause,
    },

    /// The call is wrong at this moment or with these arguments, such as a commit while another
    /// commit is pending. Nothing was changed.
    #[error("{what}")]
    Misuse {
        /// What was called, why it is wrong and what to do instead.
        what: Cow<'static, str>,
    },

    /// The position lies outside the log, and `offset_reset` is [`OffsetReset::Error`](crate::OffsetReset::Error).
    #[error("offset {offset} of {topic}-{partition} is out of range: {}", display::range(*log_start_offset, *high_watermark))]
    OffsetOutOfRange {
        /// The topic read.
        topic: Arc<str>,
        /// The partition read.
        partition: i32,
        /// The offset of the position.
        offset: i64,
        /// The first offset kept, where known.
        log_start_offset: Option<i64>,
        /// The end of what is replicated, where known.
        high_watermark: Option<i64>,
    },

    /// The operation may or may not have been applied: it was sent, and no response proves either.
    ///
    /// A commit or abort goes on, and
    /// [`TransactionalProducer::outcome`](crate::TransactionalProducer::outcome) returns how it ended. So do
    /// offsets that are being added to a transaction: its commit includes them or fails, its abort drops them.
    #[error("the outcome of {operation} is unknown: it may or may not have been applied")]
    OutcomeUnknown {
        /// What was attempted, such as `the commit` or `the delivery to orders-3`.
        operation: Arc<str>,
        /// Why there was no response.
        #[source]
        cause: Option<Arc<Error>>,
    },

    /// The record is larger than a limit allows, compressed or not. Nothing of it was sent.
    #[error("a record of {bytes} bytes is larger than {setting} allows ({bytes_max} bytes)")]
    RecordTooLarge {
        /// The size of the record with its batch overhead, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        bytes_max: usize,
        /// The setting that limits it, as the caller wrote it: a builder method or a property key.
        setting: Cow<'static, str>,
    },

    /// Another record of the same batch was rejected, and a broker appends a batch as a whole or not at all:
    /// nothing of this record was written. The same record may be sent again (KIP-467).
    #[error(
        "not written: the broker rejected the batch for {topic}-{partition} because of another record"
    )]
    RejectedWithBatch {
        /// The topic written to.
        topic: Arc<str>,
        /// The partition written to.
        partition: i32,
        /// The error of the record at fault.
        #[source]
        cause: Arc<Error>,
    },

    /// A wait reached its limit and nothing was changed.
    #[error("{operation} did not succeed within {elapsed:?}")]
    Timeout {
        /// What the call waited for, such as `learning the partitions of orders`.
        operation: Arc<str>,
        /// How long.
        elapsed: Duration,
        /// What stood in the way last, where known.
        #[source]
        cause: Option<Arc<Error>>,
    },

    /// The transaction cannot be committed any more; abort it.
    #[error("the transaction can only be aborted")]
    TransactionAbortable {
        /// What failed in it.
        #[source]
        cause: Arc<Error>,
    },

    /// The record was not sent because its transaction was aborted before. Nothing of it
    /// was written.
    #[error("not sent: the transaction was aborted")]
    TransactionAborted,

    /// The request got no response, or could not be sent at all: connecting failed, no broker is
    /// known for it, the connection was closed, the time ran out.
    ///
    /// If it was not sent nothing was changed. If it was, a request that only reads may be repeated,
    /// and any other has an unknown outcome.
    #[error("{}", display::transport(*request, address.as_deref(), *sent))]
    Transport {
        /// The request; `None` if the connection could not be opened in the first place.
        request: Option<ApiKey>,
        /// Where it went or should have gone, `host:port`; `None` if there was nowhere to send it.
        address: Option<Arc<str>>,
        /// Whether any byte of it may have reached the broker.
        sent: bool,
        /// What failed.
        #[source]
        cause: Cause,
    },

    /// The broker supports no version of the request that this client (or this use) needs.
    #[error("{} supports no version of {request} that can be used here", display::peer(*broker))]
    UnsupportedVersion {
        /// The request.
        request: ApiKey,
        /// The id of the broker, where known.
        broker: Option<i32>,
        /// Which versions there are and which are needed.
        #[source]
        cause: Cause,
    },

    /// Something listens there, but not Kafka without encryption: TLS, HTTP, or something else.
    #[error("no Kafka listener without encryption{}", display::at(address.as_deref()))]
    WrongListener {
        /// Where, `host:port`.
        address: Option<Arc<str>>,
        /// What was found instead.
        #[source]
        cause: Cause,
    },
}

impl Error {
    /// The one thing the caller may do next.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Broker { code, request, .. } => recovery::recovery_of_answer(*request, *code),
            // The request was carried out, or may have been; to repeat a look-up is harmless.
            Self::Malformed { request, .. }
            | Self::Transport {
                request: Some(request),
                sent: true,
                ..
            } if !request.is_repeatable() => Recovery::OutcomeUnknown,
            Self::DeliveryTimeout {
                reached_the_wire: true,
                ..
            }
            | Self::OutcomeUnknown { .. } => Recovery::OutcomeUnknown,
            Self::BufferFull { .. }
            | Self::DeliveryTimeout {
                reached_the_wire: false,
                ..
            }
            | Self::RejectedWithBatch { .. }
            | Self::Timeout { .. } => Recovery::Retry,
            Self::Transport { .. } => Recovery::RefreshAndRetry,
            Self::TransactionAbortable { .. } => Recovery::AbortTransaction,
            Self::Closed { .. } | Self::Fatal { .. } | Self::Fenced { .. } => {
                Recovery::RecreateProducer
            }
            Self::Configuration { .. }
            | Self::UnsupportedVersion { .. }
            | Self::WrongListener { .. } => Recovery::FixConfiguration,
            Self::CorruptRecords { .. }
            | Self::LogTruncated { .. }
            | Self::Malformed { .. }
            | Self::Misuse { .. }
            | Self::OffsetOutOfRange { .. }
            | Self::RecordTooLarge { .. }
            | Self::TransactionAborted => Recovery::GiveUp,
        }
    }

    /// Whether the same call may be made again: nothing was changed and the cause passes.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        self.recovery().is_retriable()
    }

    /// Whether the transaction must be aborted; the producer goes on.
    #[must_use]
    pub fn is_abortable(&self) -> bool {
        self.recovery().is_abortable()
    }

    /// Whether the producer or consumer is unusable from now on.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.recovery().is_fatal()
    }

    /// Whether a newer producer has taken over the transactional id. A fenced error is fatal too.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        matches!(self, Self::Fenced { .. })
    }

    /// Whether the operation may or may not have been applied.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        self.recovery().is_outcome_unknown()
    }

    /// The code of a broker's response, here or in the nearest cause that has one.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Broker { code, .. } => Some(*code),
            Self::Fatal { cause }
            | Self::RejectedWithBatch { cause, .. }
            | Self::TransactionAbortable { cause } => cause.code(),
            Self::BufferFull { cause, .. }
            | Self::DeliveryTimeout { cause, .. }
            | Self::Fenced { cause, .. }
            | Self::OutcomeUnknown { cause, .. }
            | Self::Timeout { cause, .. } => cause.as_deref().and_then(Self::code),
            Self::Closed { .. }
            | Self::Configuration { .. }
            | Self::CorruptRecords { .. }
            | Self::LogTruncated { .. }
            | Self::Malformed { .. }
            | Self::Misuse { .. }
            | Self::OffsetOutOfRange { .. }
            | Self::RecordTooLarge { .. }
            | Self::TransactionAborted
            | Self::Transport { .. }
            | Self::UnsupportedVersion { .. }
            | Self::WrongListener { .. } => None,
        }
    }
}

impl Error {
    /// A code about the request as a whole.
    pub(crate) fn broker(code: ErrorCode, request: ApiKey, broker: Option<i32>) -> Self {
        Self::Broker {
            code,
            request,
            broker,
            topic: None,
            partition: None,
            message: None,
        }
    }

    /// A code about one partition.
    pub(crate) fn partition(
        code: ErrorCode,
        request: ApiKey,
        broker: Option<i32>,
        topic: Arc<str>,
        partition: i32,
    ) -> Self {
        let (topic, partition) = (Some(topic), Some(partition));
        Self::Broker {
            code,
            request,
            broker,
            topic,
            partition,
            message: None,
        }
    }

    pub(crate) fn misuse(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Misuse { what: what.into() }
    }

    /// The same error as the reason that its transaction can only be aborted. What is terminal stays terminal.
    pub(crate) fn into_abortable(self) -> Self {
        if self.ends_the_producer() || matches!(self, Self::TransactionAbortable { .. }) {
            return self;
        }
        Self::TransactionAbortable {
            cause: Arc::new(self),
        }
    }

    /// The same error as terminal for the producer.
    pub(crate) fn into_fatal(self) -> Self {
        if self.ends_the_producer() {
            return self;
        }
        Self::Fatal {
            cause: Arc::new(self),
        }
    }

    /// Whether this is a terminal state. A response whose code is fatal by itself is not yet one:
    /// the machine that got it decides what it closes (error table 1.6, T-70).
    fn ends_the_producer(&self) -> bool {
        matches!(
            self,
            Self::Closed { .. } | Self::Fatal { .. } | Self::Fenced { .. }
        )
    }
}

impl From<ConfigError> for Error {
    fn from(cause: ConfigError) -> Self {
        Self::Configuration { cause }
    }
}

/// The parts of messages that depend on what is known.
mod display {
    use milena_codec::{ApiKey, ErrorCode};

    pub(super) fn broker(
        code: ErrorCode,
        request: ApiKey,
        broker: Option<i32>,
        topic: Option<&str>,
        partition: Option<i32>,
        message: Option<&str>,
    ) -> String {
        let place = match (topic, partition) {
            (Some(topic), Some(partition)) => format!(" for {topic}-{partition}"),
            (Some(topic), None) => format!(" for {topic}"),
            (None, _) => String::new(),
        };
        let said = message
            .map(|message| format!(": {message}"))
            .unwrap_or_default();
        format!(
            "{} responded to {request}{place} with {code}{said}",
            peer(broker)
        )
    }

    pub(super) fn peer(broker: Option<i32>) -> String {
        broker.map_or_else(|| "the broker".to_owned(), |id| format!("broker {id}"))
    }

    fn to(address: Option<&str>) -> String {
        address
            .map(|address| format!(" to {address}"))
            .unwrap_or_default()
    }

    pub(super) fn at(address: Option<&str>) -> String {
        address
            .map(|address| format!(" at {address}"))
            .unwrap_or_default()
    }

    pub(super) fn transport(request: Option<ApiKey>, address: Option<&str>, sent: bool) -> String {
        let to = to(address);
        match request {
            Some(request) if sent => format!("{request}{to} got no response"),
            Some(request) => format!("{request}{to} could not be sent"),
            None => format!("cannot connect{to}"),
        }
    }

    pub(super) fn written(reached_the_wire: bool) -> &'static str {
        if reached_the_wire {
            "and it may have been written"
        } else {
            "and it was not written"
        }
    }

    pub(super) fn parting(diverging_offset: Option<i64>) -> String {
        diverging_offset
            .map(|offset| format!("; the logs differ from offset {offset} on"))
            .unwrap_or_default()
    }

    pub(super) fn range(log_start_offset: Option<i64>, high_watermark: Option<i64>) -> String {
        match (log_start_offset, high_watermark) {
            (Some(start), Some(end)) => format!("the log has {start}..{end}"),
            (Some(start), None) => format!("the log starts at {start}"),
            (None, Some(end)) => format!("the log ends at {end}"),
            (None, None) => "the log does not have it".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
