//! What the sender takes and gives.

use std::sync::Arc;
use std::time::{Duration, Instant};

use milena_codec::ErrorCode;
use milena_codec::record::BatchStamp;

use super::failure::{Failure, Obstacle, RecordError};
use crate::error::Error;

/// Index of a partition within one producer; given out once, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PartitionId(pub(crate) u32);

/// One Produce request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RequestId(pub(crate) u64);

/// Who leads a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) broker: i32,
    pub(crate) leader_epoch: i32,
}

/// A closed batch as the sender needs to know it. Cloning is cheap: it shares the bytes.
pub(crate) trait Sendable: Clone {
    fn record_count(&self) -> u32;
    fn wire_size(&self) -> usize;
    /// When its first record was accepted: its delivery deadline counts from here (P-70).
    fn created(&self) -> Instant;
    /// Bytes of the batch before compression: what `batch_bytes_max` bounds.
    fn plain_size(&self) -> usize;
    /// The same records in order as batches of at most `batch_bytes_max` before compression, or `None` if they
    /// can't be cut (P-65).
    fn split(&self, batch_bytes_max: usize) -> Option<Vec<Self>>;
}

/// What a partition's queue of records has to offer.
#[derive(Debug)]
pub(crate) enum Take<B> {
    /// The oldest batch, now closed.
    Batch(B),
    /// There is one, but it lingers until this moment.
    NotBefore(Instant),
    Empty,
}

/// Where closed batches come from: the accumulator, or a list in a test.
pub(crate) trait BatchSource<B> {
    fn take(&mut self, partition: PartitionId, now: Instant) -> Take<B>;
    /// When the oldest waiting batch was created.
    fn oldest(&mut self, partition: PartitionId) -> Option<Instant>;
    /// Fails the batches that were created at `created_until` or before, none of which was ever sent
    /// (P-71), and says how many there were. `obstacle` stood in their way.
    fn expire(
        &mut self,
        partition: PartitionId,
        created_until: Instant,
        obstacle: Option<Obstacle>,
    ) -> usize;
}

/// Whether a batch of a partition may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendPermit {
    /// Any batch.
    Now,
    /// Any batch, from this moment on (L-23).
    NotBefore(Instant),
    /// None until the partition is part of the transaction (T-31).
    WhenAdded,
    /// Only batches that were sent before and wait to be sent again (T-36, T-37, L-4).
    RepetitionsOnly,
    /// None.
    No,
}

/// What a transaction permits. The sender asks before a batch gets its sequence; one that has a sequence was
/// permitted before (T-36, T-37).
pub(crate) trait Permits {
    fn permit(&self, partition: PartitionId, now: Instant) -> SendPermit;
}

/// A producer without transactions may always send.
pub(crate) struct NoTransaction;

impl Permits for NoTransaction {
    fn permit(&self, _: PartitionId, _: Instant) -> SendPermit {
        SendPermit::Now
    }
}

#[derive(Debug, Clone)]
pub(crate) struct SenderConfig {
    pub(crate) idempotent: bool,
    pub(crate) transactional: bool,
    /// Per broker connection and, when idempotent, per partition: 1 to 5 (P-1, P-23).
    pub(crate) in_flight_max: usize,
    pub(crate) retries_max: u32,
    pub(crate) delivery_timeout: Duration,
    pub(crate) retry_backoff: Duration,
    pub(crate) retry_backoff_max: Duration,
    pub(crate) batch_bytes_max: usize,
    pub(crate) request_bytes_max: usize,
    /// Seed of the jitter of the back-off.
    pub(crate) seed: u64,
}

/// One batch of a Produce request, with the stamp it keeps.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing<B> {
    pub(crate) partition: PartitionId,
    pub(crate) batch: B,
    pub(crate) stamp: BatchStamp,
}

/// A Produce request to write now.
#[derive(Debug)]
pub(crate) struct ProduceRequest<B> {
    pub(crate) id: RequestId,
    pub(crate) broker: i32,
    pub(crate) batches: Vec<Outgoing<B>>,
    /// Bytes of its batches so far.
    pub(super) bytes: usize,
}

/// What [`Sender::drain`] wants done.
#[derive(Debug)]
pub(crate) struct Work<B> {
    pub(crate) requests: Vec<ProduceRequest<B>>,
    /// Batches in all of them.
    pub(super) batches: usize,
    /// Leaders without a connection.
    pub(crate) connect: Vec<i32>,
    /// Some partition has no known leader.
    pub(crate) refresh_metadata: bool,
    /// A producer id is needed before anything can go out (P-11).
    pub(crate) init_producer_id: bool,
    /// Nothing changes before this moment unless a response or a record arrives.
    pub(crate) wait_until: Option<Instant>,
}

/// A leader's response about one partition of a Produce request.
#[derive(Debug, Clone)]
pub(crate) struct PartitionResponse {
    pub(crate) code: ErrorCode,
    pub(crate) message: Option<String>,
    pub(crate) base_offset: Option<i64>,
    pub(crate) log_append_time: Option<i64>,
    pub(crate) log_start_offset: Option<i64>,
    /// The records at fault, where the leader names them (KIP-467).
    pub(crate) record_errors: Vec<RecordError>,
}

/// How a Produce request ended.
#[derive(Debug)]
pub(crate) enum ProduceOutcome {
    Responded {
        partitions: Vec<(PartitionId, PartitionResponse)>,
        throttle: Duration,
    },
    /// acks=0: the bytes were handed to the socket (P-3).
    Written,
    /// Proved not written; may be sent again.
    NotSent(Arc<Error>),
    /// Proved not written, and would not be at a further attempt: the client cannot send it.
    Unsendable(Arc<Error>),
    /// The connection or the time ran out with the request on it (P-43).
    Unknown(Arc<Error>),
}

/// The place of an appended batch in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: Option<i64>,
    pub(crate) log_append_time: Option<i64>,
}

/// What the sender reports.
#[derive(Debug)]
pub(crate) enum Event<B> {
    /// The outcome of a batch, reported once.
    Completed {
        partition: PartitionId,
        batch: B,
        result: Result<Appended, Failure>,
    },
    /// A batch was cut in smaller ones that take its place (P-65). Further batches of the partition should have
    /// at most `batch_bytes_max` bytes before compression.
    Split {
        partition: PartitionId,
        batch: B,
        children: Vec<B>,
        batch_bytes_max: usize,
    },
    /// A leader rejected a sequence that must have followed: acknowledged records may be lost (P-56, P-82).
    DataLossSuspected { partition: PartitionId },
    /// Nothing more can be sent; reported before the batches that fail with it (L-8).
    Fatal {
        /// Whose leader said so.
        partition: PartitionId,
        failure: Failure,
    },
}

impl PartitionResponse {
    pub(crate) fn of(code: ErrorCode) -> Self {
        Self {
            code,
            message: None,
            base_offset: None,
            log_append_time: None,
            log_start_offset: None,
            record_errors: Vec::new(),
        }
    }
}
