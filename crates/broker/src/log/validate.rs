//! What a batch from a producer must be like before the log looks at it.

use crate::Time;
use crate::cluster::TopicConfig;
use bytes::Bytes;
use milena_codec::{Batch, BatchError, Batches, Compression, ErrorCode, Limits, TimestampType};
use std::fmt;

/// Why a batch was not appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    /// In the answer from Produce v8 on.
    pub(crate) message: Option<String>,
    /// Which records are to blame, by their index in the batch, and why.
    pub(crate) record_errors: Vec<(i32, String)>,
    /// Whether the answer tells where the log starts: Kafka does for what the log itself refused.
    pub(crate) tells_log_start: bool,
    /// Where that is, once it is filled in.
    pub(crate) log_start_offset: Option<i64>,
}

impl Refusal {
    /// Refused before the log was asked.
    pub(crate) fn early(code: ErrorCode) -> Self {
        Self {
            code,
            message: None,
            record_errors: Vec::new(),
            tells_log_start: false,
            log_start_offset: None,
        }
    }

    /// Refused by the log.
    pub(crate) fn by_log(code: ErrorCode) -> Self {
        Self {
            tells_log_start: true,
            ..Self::early(code)
        }
    }

    pub(crate) fn because(self, message: impl Into<String>) -> Self {
        Self {
            message: Some(message.into()),
            ..self
        }
    }
}

/// The first version of Produce that may carry zstd.
const ZSTD_SINCE: i16 = 7;

/// Takes the one batch out of a partition's part of a Produce request (P-5).
///
/// # Errors
/// As Kafka's own checks of the request, which come before anything is asked of the log.
pub(crate) fn sole_batch(records: Option<&Bytes>, api_version: i16) -> Result<Batch, Refusal> {
    // Kafka says no more than the code here.
    let invalid = || Err(Refusal::early(ErrorCode::InvalidRecord));
    let mut batches = Batches::new(records.cloned().unwrap_or_default());
    let batch = match batches.next() {
        None => return invalid(),
        Some(Err(_)) => return Err(Refusal::early(ErrorCode::CorruptMessage)),
        Some(Ok(batch)) if batch.magic() < 2 => return invalid(),
        Some(Ok(batch)) => batch,
    };
    if api_version < ZSTD_SINCE && batch.compression() == Ok(Compression::Zstd) {
        return Err(Refusal::early(ErrorCode::UnsupportedCompressionType));
    }
    match batches.next() {
        None => Ok(batch),
        Some(_) => invalid(),
    }
}

/// Checks a batch against itself and against the topic's configuration; `place` is the partition, for the message.
///
/// # Errors
/// [`ErrorCode::MessageTooLarge`], [`ErrorCode::CorruptMessage`], [`ErrorCode::InvalidTimestamp`],
/// [`ErrorCode::InvalidRecord`].
pub(crate) fn check_batch(
    place: &dyn fmt::Display,
    batch: &Batch,
    config: &TopicConfig,
    limits: &Limits,
    now: Time,
) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::by_log(ErrorCode::InvalidRecord).because(message));
    if batch.base_offset() != 0 {
        return invalid("the base offset of a produced batch must be 0");
    }
    if batch.wire_size() > config.max_message_bytes() {
        return Err(Refusal::early(ErrorCode::MessageTooLarge));
    }
    if batch.check_crc().is_err() {
        return Err(Refusal::early(ErrorCode::CorruptMessage));
    }
    let count = batch.record_count();
    if count <= 0 || batch.last_offset_delta() != count - 1 {
        return invalid("the record count and the last offset delta contradict each other");
    }
    if batch.is_control() {
        return invalid("clients are not allowed to write control records");
    }
    if batch.producer().is_some() && !batch.base_sequence().is_some() {
        return invalid("a batch with a producer id must have a base sequence");
    }
    check_records(place, batch, config, limits, now)
}

fn check_records(
    place: &dyn fmt::Display,
    batch: &Batch,
    config: &TopicConfig,
    limits: &Limits,
    now: Time,
) -> Result<(), Refusal> {
    let malformed =
        |error: BatchError| Refusal::by_log(ErrorCode::InvalidRecord).because(error.to_string());
    let records = batch.records(limits).map_err(malformed)?;
    let timestamps = config.timestamps_around(now);
    let from_producer = config.timestamp_type() == TimestampType::CreateTime;
    let already_stamped = batch.timestamp_type() == TimestampType::LogAppendTime;
    let mut errors = Vec::new();
    let mut code = ErrorCode::InvalidRecord;
    for (index, record) in (0..).zip(&records) {
        let record = record.map_err(malformed)?;
        if record.offset != i64::from(index) {
            errors.push((
                index,
                "the offset delta is not the record's index".to_owned(),
            ));
        } else if config.needs_keys() && record.key.is_none() {
            errors.push((
                index,
                format!(
                    "Compacted topic cannot accept message without key in topic partition {place}"
                ),
            ));
        } else if from_producer && record.timestamp != NO_TIMESTAMP {
            if !timestamps.contains(&record.timestamp) {
                code = ErrorCode::InvalidTimestamp;
                errors.push((
                    index,
                    format!(
                        "Timestamp {} of message with offset {index} is out of range. The timestamp should be within \
                         [{}, {}]",
                        record.timestamp,
                        timestamps.start(),
                        timestamps.end()
                    ),
                ));
            }
        } else if already_stamped {
            code = ErrorCode::InvalidTimestamp;
            errors.push((index, "a producer may not claim LogAppendTime".to_owned()));
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    let message = if code == ErrorCode::InvalidTimestamp {
        "One or more records have been rejected due to invalid timestamp".to_owned()
    } else {
        summary(&errors)
    };
    Err(Refusal {
        record_errors: errors,
        ..Refusal::by_log(code).because(message)
    })
}

fn summary(errors: &[(i32, String)]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = errors
        .iter()
        .take(SHOWN)
        .map(|(index, message)| format!("RecordError(batchIndex={index}, message='{message}')"))
        .collect();
    format!(
        "One or more records have been rejected due to {} record errors in total, and only showing the first three \
         errors at most: [{}]",
        errors.len(),
        shown.join(", ")
    )
}

/// A record without a timestamp.
const NO_TIMESTAMP: i64 = -1;
