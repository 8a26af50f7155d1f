//! CRC-32C in one place; docs/decisions/0001-crc.md says which crate and why.

/// The CRC-32C (Castagnoli) of some pieces of bytes, one after the other.
#[must_use]
#[inline]
pub fn crc32c<const N: usize>(pieces: [&[u8]; N]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    for piece in pieces {
        digest.update(piece);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a 32-bit CRC in a 64-bit answer"
    )]
    let crc = digest.finalize() as u32;
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_algorithm_is_met() {
        assert_eq!(crc32c([b"123456789"]), 0xe306_9283);
        assert_eq!(crc32c([b"1234", b"", b"56789"]), 0xe306_9283);
    }
}
