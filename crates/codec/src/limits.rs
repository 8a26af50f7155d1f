//! How much of anything a peer may ask us to read.

/// Upper bounds for bytes that come from a peer. Each is checked before memory is taken.
///
/// Start from [`Limits::default`] and change the fields that need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes in one frame, without its 4 length bytes. Default 100 MiB, the broker's own
    /// `socket.request.max.bytes`; a fetch must fit with all its partitions.
    pub frame_bytes: usize,
    /// Elements in one array of a message. Default 1,000,000, as Kafka 4.4's own readers allow.
    pub array_elements: usize,
    /// Tagged fields in one section of a message. Default 10,000, as Kafka 4.4's own readers allow.
    pub tagged_fields: usize,
    /// Bytes behind the last field of a known request or response that are ignored, as Kafka ignores them: brokers and
    /// clients have left some there by mistake. Default: as many as a frame can hold. 0 rejects any.
    pub trailing_bytes: usize,
    /// Bytes of memory that the typed form of a message may take, as a multiple of its size on the
    /// wire, on top of [`Limits::memory_base_bytes`]. Default 16: messages of real brokers take 2 to
    /// 8 times, lists of short names up to 38, and what is made to hurt takes 36.
    pub memory_factor: usize,
    /// Bytes of memory that the typed form of any message may take, however short the message is. Default 64 MiB: with it no
    /// list of as many different names as [`Limits::array_elements`] allows is rejected, however short they are.
    pub memory_base_bytes: usize,
    /// Bytes that the records of one compressed batch may inflate to, and after how many of them, all batches
    /// together, the client's consumer ends a poll. Default 128 MiB.
    pub decompressed_bytes: usize,
    /// How many times its compressed size a batch may inflate to, checked only beyond 16 MiB, because
    /// runs of equal bytes compress far better than any other data. Default 1,000.
    pub decompression_ratio: usize,
    /// How many times its own size a compressed batch may claim to inflate to and be believed. One that claims
    /// more is first gone through without keeping anything, so that it costs nothing if it lies or is broken:
    /// for gzip that is inflating it twice. Default 8, which text seldom exceeds; with 4 or less nothing that
    /// is rejected has cost more than 64 KiB and four times its size, but for zstd with broken literals.
    pub believed_ratio: usize,
    /// Records in one batch. Default 10,000,000.
    pub records_per_batch: usize,
    /// Headers on one record. Default 100,000.
    pub headers_per_record: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 100 << 20,
            array_elements: 1_000_000,
            tagged_fields: 10_000,
            memory_factor: 16,
            memory_base_bytes: 64 << 20,
            trailing_bytes: usize::MAX,
            decompressed_bytes: 128 << 20,
            decompression_ratio: 1_000,
            believed_ratio: 8,
            records_per_batch: 10_000_000,
            headers_per_record: 100_000,
        }
    }
}
