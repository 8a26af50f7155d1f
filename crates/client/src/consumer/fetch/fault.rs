//! What can stop the reading of one partition.

use milena_codec::{BatchError, ErrorCode};

/// Why nothing more comes of a partition for now. The application is told by poll, after everything
/// that was read before, and the other partitions go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no position to start from, and the policy is not to choose one.
    NoPosition,
    /// The log does not hold the position, and the policy is not to choose another.
    OutOfRange {
        offset: i64,
        log_start_offset: Option<i64>,
        high_watermark: Option<i64>,
    },
    /// The log was cut below the position, and the policy is not to choose another.
    Truncated {
        offset: i64,
        divergent_offset: Option<i64>,
    },
    /// The bytes at this offset are no records that can be read (R-39a, R-39b).
    Corrupt { offset: i64, cause: BatchError },
    /// The records of a batch are out of order or outside the batch.
    Disordered { offset: i64 },
    /// Bytes came, and no whole batch among them, although a broker always sends the first whole
    ///
    NoWholeBatch {
        offset: i64,
        have: usize,
        need: usize,
    },
    /// The broker refused.
    Refused { request: Request, code: ErrorCode },
    /// The cluster does not know the partition, and has not for some time.
    Unknown { code: ErrorCode },
}

/// The request that a broker refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Fetch,
    ListOffsets,
    Metadata,
    OffsetForLeaderEpoch,
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
            Self::NoWholeBatch { .. } | Self::Refused { .. } | Self::Unknown { .. } => false,
        }
    }
}
