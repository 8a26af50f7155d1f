//! What can be wrong with a record batch.

/// A record batch that cannot be read. Offsets say where to look; nothing before the batch is lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The codec's id is none that Kafka defines.
    #[error("the batch at offset {base_offset} has unknown compression {id}")]
    Compression {
        /// The batch's base offset.
        base_offset: i64,
        /// The codec's id.
        id: u8,
    },
    /// A control record's key or value is not one.
    #[error("the control batch at offset {base_offset} is malformed: {field}")]
    Control {
        /// The batch's base offset.
        base_offset: i64,
        /// What of it cannot be read.
        field: &'static str,
    },
    /// The record count does not fit the bytes of the records (L-27).
    #[error(
        "the batch at offset {base_offset} does not hold the {declared} records that it declares"
    )]
    Count {
        /// The batch's base offset.
        base_offset: i64,
        /// The count in its header.
        declared: i32,
    },
    /// The checksum in the header is not the checksum of the bytes.
    #[error(
        "the batch at offset {base_offset} is corrupt: CRC {stored:#010x} in its header, {computed:#010x} over its bytes"
    )]
    Crc {
        /// The batch's base offset.
        base_offset: i64,
        /// The header's checksum.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// The compressed records cannot be inflated.
    #[error("the batch at offset {base_offset} cannot be decompressed by {codec}: {reason}")]
    Decompression {
        /// The batch's base offset.
        base_offset: i64,
        /// The codec's name.
        codec: &'static str,
        /// The codec's own words.
        reason: String,
    },
    /// The batch's length is negative or less than a header.
    #[error("{length} cannot be the length of a batch")]
    Length {
        /// The length, not counting its own field and the base offset.
        length: i64,
    },
    /// Reading on would go beyond one of our [`Limits`](crate::Limits).
    #[error("the batch at offset {base_offset} exceeds the limit of {limit} {unit}")]
    Limit {
        /// The batch's base offset.
        base_offset: i64,
        /// The limit in force.
        limit: usize,
        /// What is counted, in the plural.
        unit: &'static str,
    },
    /// A batch of a format that is not known.
    #[error("the batch at offset {base_offset} has unknown magic {magic}")]
    Magic {
        /// The batch's base offset.
        base_offset: i64,
        /// The format's number.
        magic: i8,
    },
    /// A record whose lengths do not fit its bytes.
    #[error("record {index} of the batch at offset {base_offset} is malformed: {field}")]
    Record {
        /// The batch's base offset.
        base_offset: i64,
        /// Which record of the batch, from zero.
        index: u32,
        /// The field that cannot be read.
        field: &'static str,
    },
}
