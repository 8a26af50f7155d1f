//! The bits that say how a batch is to be read.

use std::fmt;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// Snappy, in the framing of snappy-java ("xerial").
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// Every codec, in the order of their ids.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec with this id in the attributes of a batch, if there is one.
    #[must_use]
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The codec's id in the attributes of a batch, 0 to 4.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The codec's name as in Kafka's `compression.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Whether a compression level makes a difference here: gzip has levels, and zstd with the feature `zstd-c`.
    #[must_use]
    pub const fn has_levels(self) -> bool {
        match self {
            Self::None | Self::Snappy | Self::Lz4 => false,
            Self::Gzip => true,
            Self::Zstd => cfg!(feature = "zstd-c"),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where the timestamps of a batch come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer set one on each record.
    CreateTime,
    /// The broker set one for the whole batch when it was appended.
    LogAppendTime,
}

/// The attributes field of a batch header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attributes(pub(super) i16);

const COMPRESSION: i16 = 0b111;
const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;
const DELETE_HORIZON: i16 = 1 << 6;

impl Attributes {
    pub(super) fn new(compression: Compression, transactional: bool, control: bool) -> Self {
        let flag = |set, bit| if set { bit } else { 0 };
        let compression = i16::from(compression.id());
        Self(compression | flag(transactional, TRANSACTIONAL) | flag(control, CONTROL))
    }

    /// Of a message of magic 0 or 1, which has no more bits than a codec and, in magic 1, the type of its timestamp.
    pub(super) const fn legacy(attributes: u8, has_timestamp: bool) -> Self {
        let bits = if has_timestamp {
            COMPRESSION | LOG_APPEND_TIME
        } else {
            COMPRESSION
        };
        Self(attributes as i16 & bits)
    }

    pub(super) const fn with_log_append_time(self) -> Self {
        Self(self.0 | LOG_APPEND_TIME)
    }

    pub(super) fn compression_id(self) -> u8 {
        self.0.to_le_bytes()[0] & COMPRESSION.to_le_bytes()[0]
    }

    pub(super) const fn timestamp_type(self) -> TimestampType {
        if self.0 & LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    pub(super) const fn is_transactional(self) -> bool {
        self.0 & TRANSACTIONAL != 0
    }

    pub(super) const fn is_control(self) -> bool {
        self.0 & CONTROL != 0
    }

    pub(super) const fn has_delete_horizon(self) -> bool {
        self.0 & DELETE_HORIZON != 0
    }
}
