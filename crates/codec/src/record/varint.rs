//! Zigzag variable-length integers, as records use them for every number.

/// The longest varint of an `i32`.
const VARINT_BYTES: usize = 5;
/// The longest varint of an `i64`.
const VARLONG_BYTES: usize = 10;

/// How many bytes `value` takes.
#[inline]
pub(super) fn varint_size(value: i32) -> usize {
    varlong_size(i64::from(value))
}

/// How many bytes `value` takes.
#[inline]
pub(super) fn varlong_size(value: i64) -> usize {
    // Bits in groups of seven, without a division: 9/64 is a little more than 1/7, right up to 64 bits.
    let bits = 64 - (zigzag(value) | 1).leading_zeros();
    ((bits * 9 + 64) / 64) as usize
}

#[inline]
pub(super) fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_varlong(out, i64::from(value));
}

#[inline]
pub(super) fn put_varlong(out: &mut Vec<u8>, value: i64) {
    let mut left = zigzag(value);
    while left >= 0x80 {
        out.push(left.to_le_bytes()[0] | 0x80);
        left >>= 7;
    }
    out.push(left.to_le_bytes()[0]);
}

/// Takes a varint off the front; `None` if there is none or it has more than 32 bits.
#[inline]
pub(super) fn take_varint(bytes: &mut &[u8]) -> Option<i32> {
    let raw = take_unsigned::<VARINT_BYTES>(bytes)?;
    i32::try_from(unzigzag(raw)).ok()
}

/// Takes a varlong off the front; `None` if there is none or it has more than 64 bits.
#[inline]
pub(super) fn take_varlong(bytes: &mut &[u8]) -> Option<i64> {
    take_unsigned::<VARLONG_BYTES>(bytes).map(unzigzag)
}

#[inline]
fn take_unsigned<const LONGEST: usize>(bytes: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        *bytes = rest;
        return Some(u64::from(first));
    }
    take_unsigned_long::<LONGEST>(bytes)
}

fn take_unsigned_long<const LONGEST: usize>(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().take(LONGEST).enumerate() {
        // Only the lowest bit of a tenth byte fits.
        if index == VARLONG_BYTES - 1 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *bytes = bytes.get(index + 1..)?;
            return Some(value);
        }
    }
    None
}

#[inline]
const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[inline]
const fn unzigzag(raw: u64) -> i64 {
    (raw >> 1).cast_signed() ^ -((raw & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges() -> impl Iterator<Item = i64> {
        (0..63).flat_map(|bit| {
            let edge = 1_i64 << bit;
            [edge - 1, edge, edge + 1, -edge, -edge - 1, -edge + 1]
        })
    }

    #[test]
    fn every_length_of_varlong_is_read_as_written_and_sized_right() {
        for value in edges().chain([0, i64::MIN, i64::MAX]) {
            let mut wire = Vec::new();
            put_varlong(&mut wire, value);
            assert_eq!(wire.len(), varlong_size(value), "{value}");
            wire.push(9);
            let mut rest = &wire[..];
            assert_eq!(take_varlong(&mut rest), Some(value));
            assert_eq!(rest, [9]);
            for cut in 0..wire.len() - 1 {
                assert_eq!(take_varlong(&mut &wire[..cut]), None);
            }
        }
    }

    #[test]
    fn every_length_of_varint_is_read_as_written_and_sized_right() {
        let values = edges().filter_map(|value| i32::try_from(value).ok());
        for value in values.chain([0, i32::MIN, i32::MAX]) {
            let mut wire = Vec::new();
            put_varint(&mut wire, value);
            assert_eq!(wire.len(), varint_size(value), "{value}");
            assert_eq!(take_varint(&mut &wire[..]), Some(value));
        }
    }

    #[test]
    fn a_varint_of_more_than_its_bits_is_refused() {
        assert_eq!(
            take_varint(&mut &[0xff, 0xff, 0xff, 0xff, 0x0f][..]),
            Some(i32::MIN)
        );
        assert_eq!(take_varint(&mut &[0xff, 0xff, 0xff, 0xff, 0x1f][..]), None);
        assert_eq!(
            take_varint(&mut &[0x80, 0x80, 0x80, 0x80, 0x80, 0x00][..]),
            None
        );
        let mut long = [0xff; 10];
        long[9] = 1;
        assert_eq!(take_varlong(&mut &long[..]), Some(i64::MIN));
        long[9] = 2;
        assert_eq!(take_varlong(&mut &long[..]), None);
    }
}
