//! The four codecs, and no codec.

use super::attributes::Compression;
use super::error::BatchError;
use crate::{EncodeError, Limits};

/// How to compress: a codec and, if it has levels, which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compressor {
    compression: Compression,
}

impl From<Compression> for Compressor {
    fn from(compression: Compression) -> Self {
        Self { compression }
    }
}

impl Compressor {
    /// The codec.
    #[must_use]
    pub fn compression(self) -> Compression {
        self.compression
    }

    /// Appends the compressed form of `plain` to `out`.
    pub(super) fn compress(self, _plain: &[u8], _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Err(EncodeError::Compression {
            codec: self.compression.name(),
            reason: "not built in".to_owned(),
        })
    }
}

/// Inflates into `out`, never beyond the limits.
pub(super) fn decompress(
    compression: Compression,
    _compressed: &[u8],
    out: Vec<u8>,
    _limits: &Limits,
    base_offset: i64,
) -> Result<Vec<u8>, BatchError> {
    drop(out);
    Err(BatchError::Decompression {
        base_offset,
        codec: compression.name(),
        reason: "not built in".to_owned(),
    })
}
