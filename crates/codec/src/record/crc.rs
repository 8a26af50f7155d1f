//! Checksums in one place; docs/decisions/0001-crc.md says which crate and why.

use crc_fast::{CrcAlgorithm, Digest};

/// The CRC-32C (Castagnoli) of some pieces of bytes, one after the other.
#[must_use]
#[inline]
pub fn crc32c<const N: usize>(pieces: [&[u8]; N]) -> u32 {
    checksum(CrcAlgorithm::Crc32Iscsi, pieces)
}

/// The CRC-32 of zlib, which messages of magic 0 and 1 have.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32IsoHdlc, [bytes])
}

#[inline]
fn checksum<const N: usize>(algorithm: CrcAlgorithm, pieces: [&[u8]; N]) -> u32 {
    let mut digest = Digest::new(algorithm);
    for piece in pieces {
        digest.update(piece);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a 32-bit CRC in a 64-bit value"
    )]
    let crc = digest.finalize() as u32;
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_values_of_the_algorithms_are_met() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32c([b"123456789"]), 0xe306_9283);
        assert_eq!(crc32c([b"1234", b"", b"56789"]), 0xe306_9283);
    }
}
