//! Where the fields of a batch header are, and the few that a broker changes in place.

use super::attributes::Attributes;
use super::crc::crc32c;
use super::error::BatchError;

/// Size of a batch header: everything before the records.
pub const BATCH_HEADER_BYTES: usize = 61;
/// Base offset and batch length, which the length does not count.
pub(super) const LOG_OVERHEAD: usize = 12;
/// The only magic that we write.
pub(super) const MAGIC: i8 = 2;

pub(super) const BASE_OFFSET: usize = 0;
pub(super) const BATCH_LENGTH: usize = 8;
pub(super) const PARTITION_LEADER_EPOCH: usize = 12;
pub(super) const MAGIC_AT: usize = 16;
pub(super) const CRC: usize = 17;
pub(super) const ATTRIBUTES: usize = 21;
pub(super) const LAST_OFFSET_DELTA: usize = 23;
pub(super) const BASE_TIMESTAMP: usize = 27;
pub(super) const MAX_TIMESTAMP: usize = 35;
pub(super) const PRODUCER_ID: usize = 43;
pub(super) const PRODUCER_EPOCH: usize = 51;
pub(super) const BASE_SEQUENCE: usize = 53;
pub(super) const RECORD_COUNT: usize = 57;

/// The fields of a header, for writing.
pub(super) struct HeaderFields {
    pub(super) base_offset: i64,
    pub(super) batch_length: i32,
    pub(super) partition_leader_epoch: i32,
    pub(super) attributes: Attributes,
    pub(super) last_offset_delta: i32,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) base_sequence: i32,
    pub(super) record_count: i32,
}

impl HeaderFields {
    /// The 61 bytes in front of `records`, with the CRC over both.
    pub(super) fn to_bytes(&self, records: &[u8]) -> [u8; BATCH_HEADER_BYTES] {
        let mut header = [0; BATCH_HEADER_BYTES];
        put(&mut header, BASE_OFFSET, self.base_offset.to_be_bytes());
        put(&mut header, BATCH_LENGTH, self.batch_length.to_be_bytes());
        put(
            &mut header,
            PARTITION_LEADER_EPOCH,
            self.partition_leader_epoch.to_be_bytes(),
        );
        put(&mut header, MAGIC_AT, MAGIC.to_be_bytes());
        put(&mut header, ATTRIBUTES, self.attributes.0.to_be_bytes());
        put(
            &mut header,
            LAST_OFFSET_DELTA,
            self.last_offset_delta.to_be_bytes(),
        );
        put(
            &mut header,
            BASE_TIMESTAMP,
            self.base_timestamp.to_be_bytes(),
        );
        put(&mut header, MAX_TIMESTAMP, self.max_timestamp.to_be_bytes());
        put(&mut header, PRODUCER_ID, self.producer_id.to_be_bytes());
        put(
            &mut header,
            PRODUCER_EPOCH,
            self.producer_epoch.to_be_bytes(),
        );
        put(&mut header, BASE_SEQUENCE, self.base_sequence.to_be_bytes());
        put(&mut header, RECORD_COUNT, self.record_count.to_be_bytes());
        let covered = header.get(ATTRIBUTES..).unwrap_or_default();
        let crc = crc32c([covered, records]);
        put(&mut header, CRC, crc.to_be_bytes());
        header
    }
}

/// Places a batch in a log: sets its base offset and the epoch of the leader that appended it. The CRC
/// covers neither.
///
/// # Errors
/// [`BatchError::Length`] if this is not at least a whole batch header.
pub fn set_log_position(
    batch: &mut [u8],
    base_offset: i64,
    partition_leader_epoch: i32,
) -> Result<(), BatchError> {
    check_header(batch)?;
    put(batch, BASE_OFFSET, base_offset.to_be_bytes());
    put(
        batch,
        PARTITION_LEADER_EPOCH,
        partition_leader_epoch.to_be_bytes(),
    );
    Ok(())
}

/// Gives a batch the time of its append, as a topic with `message.timestamp.type=LogAppendTime` does:
/// timestamp type, max timestamp and a new CRC. The records keep what their producer wrote and readers
/// ignore it.
///
/// # Errors
/// [`BatchError::Length`] if this is not at least a whole batch header.
pub fn set_log_append_time(batch: &mut [u8], timestamp: i64) -> Result<(), BatchError> {
    check_header(batch)?;
    let attributes = Attributes(i16::from_be_bytes(field(batch, ATTRIBUTES)));
    put(
        batch,
        ATTRIBUTES,
        attributes.with_log_append_time().0.to_be_bytes(),
    );
    put(batch, MAX_TIMESTAMP, timestamp.to_be_bytes());
    let crc = crc32c([batch.get(ATTRIBUTES..).unwrap_or_default()]);
    put(batch, CRC, crc.to_be_bytes());
    Ok(())
}

fn check_header(batch: &[u8]) -> Result<(), BatchError> {
    if batch.len() < BATCH_HEADER_BYTES {
        let length = i64::try_from(batch.len()).unwrap_or(i64::MAX);
        return Err(BatchError::Length {
            length: length - 12,
        });
    }
    Ok(())
}

/// The bytes of a field; zeros beyond the end, where no caller reads.
#[inline]
pub(super) fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(field) => *field,
        None => [0; N],
    }
}

#[inline]
fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(field) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *field = value;
    }
}
