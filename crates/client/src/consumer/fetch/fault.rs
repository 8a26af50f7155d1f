//! What can stop the reading of one partition.

use std::sync::Arc;

use milena_codec::{ApiKey, BatchError, ErrorCode};

use crate::error::Error;
use crate::types::TopicPartition;

/// Why nothing more comes of a partition for now. The application is told by poll, after everything
/// that was read before, and the other partitions go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// There is no position to start from, and the policy is not to choose one.
    #[error("no position to read from")]
    NoPosition,
    /// The log does not hold the position, and the policy is not to choose another.
    #[error("offset {offset} is out of range")]
    OutOfRange {
        offset: i64,
        log_start_offset: Option<i64>,
        high_watermark: Option<i64>,
    },
    /// The log was cut below the position, and the policy is not to choose another.
    #[error("the log was cut below offset {offset}")]
    Truncated {
        offset: i64,
        divergent_offset: Option<i64>,
    },
    /// The bytes at this offset are no records that can be read (R-39a, R-39b).
    #[error("the records at offset {offset} cannot be read")]
    Corrupt {
        offset: i64,
        #[source]
        cause: BatchError,
    },
    /// The records of a batch are out of order or outside the batch.
    #[error("the records at offset {offset} are out of order, or outside of their batch")]
    Disordered { offset: i64 },
    /// Bytes came, and no whole batch among them, although a broker always sends the first whole
    ///
    #[error("{have} of {need} bytes of the first batch came for offset {offset}")]
    NoWholeBatch {
        offset: i64,
        have: usize,
        need: usize,
    },
    /// The broker refused.
    #[error("{} was answered with {code}", request.api())]
    Refused { request: Request, code: ErrorCode },
    /// The cluster does not know the partition, and has not for some time.
    #[error("the cluster does not know the partition: {code}")]
    Unknown { code: ErrorCode },
    /// A broker responded without progress, again and again, where there is something to read.
    #[error(
        "broker {broker} sent {responses} responses in a row for {partition} at offset {offset} without \
         progress: {useless}"
    )]
    NoProgress {
        broker: i32,
        partition: TopicPartition,
        offset: i64,
        responses: u32,
        useless: Useless,
    },
    /// A response named a topic or partition that was not requested.
    #[error(
        "broker {broker} responded to a Fetch of {partition} with a topic or partition that was not requested"
    )]
    Unrequested {
        broker: i32,
        partition: TopicPartition,
    },
}

/// Why a response brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Useless {
    /// All of its records are in front of the offset.
    #[error("its records lie before the offset")]
    Behind,
    /// It has no records, and the log goes on.
    #[error("no records, although they can be read up to offset {end}")]
    Empty { end: i64 },
    /// It does not fit the fetch session.
    #[error("the response does not fit its fetch session")]
    Session,
    /// The request as a whole was rejected.
    #[error("the request was rejected with {0}")]
    Rejected(ErrorCode),
}

/// The request that a broker refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Fetch,
    ListOffsets,
    Metadata,
    OffsetForLeaderEpoch,
}

impl Request {
    /// The same among all of Kafka's.
    pub(crate) fn api(self) -> ApiKey {
        match self {
            Self::Fetch => ApiKey::Fetch,
            Self::ListOffsets => ApiKey::ListOffsets,
            Self::Metadata => ApiKey::Metadata,
            Self::OffsetForLeaderEpoch => ApiKey::OffsetForLeaderEpoch,
        }
    }
}

impl Fault {
    /// Whether asking again cannot help: every poll repeats the error until the user seeks (R-39a).
    /// The others are told once and asked again.
    pub(crate) fn lasts_until_seek(&self) -> bool {
        match self {
            Self::NoPosition
            | Self::OutOfRange { .. }
            | Self::Truncated { .. }
            | Self::Corrupt { .. }
            | Self::Disordered { .. } => true,
            Self::NoProgress { .. }
            | Self::NoWholeBatch { .. }
            | Self::Refused { .. }
            | Self::Unknown { .. }
            | Self::Unrequested { .. } => false,
        }
    }

    /// The error of this crate that tells it.
    pub(crate) fn into_error(self, name: &TopicPartition) -> Error {
        let (topic, partition) = (Arc::clone(name.topic_shared()), name.partition());
        match self {
            Self::NoPosition => Error::misuse(format!(
                "{name} has no position to read from: seek, or set offset_reset to earliest or latest"
            )),
            Self::OutOfRange {
                offset,
                log_start_offset,
                high_watermark,
            } => Error::OffsetOutOfRange {
                topic,
                partition,
                offset,
                log_start_offset,
                high_watermark,
            },
            Self::Truncated {
                offset: position,
                divergent_offset: diverging_offset,
            } => Error::LogTruncated {
                topic,
                partition,
                position,
                diverging_offset,
            },
            Self::Corrupt { offset, cause } => Error::CorruptRecords {
                topic,
                partition,
                offset,
                cause: Arc::new(cause),
            },
            disordered @ Self::Disordered { offset } => Error::CorruptRecords {
                topic,
                partition,
                offset,
                cause: Arc::new(disordered),
            },
            cut @ Self::NoWholeBatch { .. } => Error::Malformed {
                request: ApiKey::Fetch,
                broker: None,
                cause: Arc::new(cut),
            },
            useless @ (Self::NoProgress { broker, .. } | Self::Unrequested { broker, .. }) => {
                Error::Malformed {
                    request: ApiKey::Fetch,
                    broker: Some(broker),
                    cause: Arc::new(useless),
                }
            }
            Self::Refused { request, code } => {
                Error::partition(code, request.api(), None, topic, partition)
            }
            Self::Unknown { code } => {
                Error::partition(code, ApiKey::Metadata, None, topic, partition)
            }
        }
    }
}
