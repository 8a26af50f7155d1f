//! Zigzag variable-length integers, as records use them for every number.

/// The longest varint of an `i32`.
const VARINT_BYTES: usize = 5;
/// The longest varint of an `i64`.
const VARLONG_BYTES: usize = 10;

/// How many bytes a zigzag value takes.
#[inline]
pub(super) const fn zigzag_size(raw: u64) -> usize {
    // Bits in groups of seven, without a division: 9/64 is a little more than 1/7, right up to 64 bits.
    let bits = 64 - (raw | 1).leading_zeros();
    ((bits * 9 + 64) / 64) as usize
}

/// Writes a zigzag value to the front of `space` and returns what is behind it; `None` if it does not fit.
#[inline(never)]
pub(super) fn put_zigzag(space: &mut [u8], raw: u64) -> Option<&mut [u8]> {
    let (bytes, rest) = space.split_at_mut_checked(zigzag_size(raw))?;
    let (last, others) = bytes.split_last_mut()?;
    let mut left = raw;
    for byte in others {
        *byte = left.to_le_bytes()[0] | 0x80;
        left >>= 7;
    }
    *last = left.to_le_bytes()[0];
    Some(rest)
}

/// A value and the bytes behind it. Cursors travel by value: one whose address is taken lives in memory,
/// and every step of a record would wait for it.
pub(super) type Taken<'a, T> = Option<(T, &'a [u8])>;

/// Takes a varint off the front; `None` if there is none or it has more than 32 bits.
#[inline]
pub(super) fn take_varint(bytes: &[u8]) -> Taken<'_, i32> {
    let (raw, rest) = take_raw(bytes)?;
    Some((unzigzag_32(raw), rest))
}

/// Takes a varint that is a length off the front; -1 is null, and nothing else may be negative.
#[inline]
pub(super) fn take_length(bytes: &[u8]) -> Taken<'_, Option<usize>> {
    let (raw, rest) = take_raw(bytes)?;
    if raw & 1 == 0 {
        Some((Some(usize::try_from(raw >> 1).ok()?), rest))
    } else if raw == 1 {
        Some((None, rest))
    } else {
        None
    }
}

/// Takes a varlong off the front; `None` if there is none or it has more than 64 bits.
#[inline]
pub(super) fn take_varlong(bytes: &[u8]) -> Taken<'_, i64> {
    match *bytes {
        [a, ref rest @ ..] if a < 0x80 => Some((unzigzag(a.into()), rest)),
        [a, b, ref rest @ ..] if b < 0x80 => Some((unzigzag(two_bytes(a, b).into()), rest)),
        _ => take_long(bytes, VARLONG_BYTES).map(|(raw, rest)| (unzigzag(raw), rest)),
    }
}

/// One and two bytes are most of what there is, and are read without a loop.
#[inline]
fn take_raw(bytes: &[u8]) -> Taken<'_, u32> {
    match *bytes {
        [a, ref rest @ ..] if a < 0x80 => Some((a.into(), rest)),
        [a, b, ref rest @ ..] if b < 0x80 => Some((two_bytes(a, b), rest)),
        _ => {
            let (raw, rest) = take_long(bytes, VARINT_BYTES)?;
            Some((u32::try_from(raw).ok()?, rest))
        }
    }
}

#[inline]
fn two_bytes(low: u8, high: u8) -> u32 {
    u32::from(low & 0x7f) | u32::from(high) << 7
}

#[inline(never)]
fn take_long(bytes: &[u8], longest: usize) -> Taken<'_, u64> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().take(longest).enumerate() {
        // Only the lowest bit of a tenth byte fits.
        if index == VARLONG_BYTES - 1 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

/// Small numbers of either sign to small numbers without one.
#[inline]
pub(super) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[inline]
const fn unzigzag(raw: u64) -> i64 {
    (raw >> 1).cast_signed() ^ -((raw & 1).cast_signed())
}

#[inline]
const fn unzigzag_32(raw: u32) -> i32 {
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

    fn written(raw: u64) -> Vec<u8> {
        let mut space = [0xee; 10];
        let left = put_zigzag(&mut space, raw).unwrap().len();
        assert!(put_zigzag(&mut space[..9 - left], raw).is_none());
        put_zigzag(&mut space, raw).unwrap();
        space[..10 - left].to_vec()
    }

    fn varlong(bytes: &[u8]) -> Option<i64> {
        take_varlong(bytes).map(|(value, _)| value)
    }

    fn varint(bytes: &[u8]) -> Option<i32> {
        take_varint(bytes).map(|(value, _)| value)
    }

    #[test]
    fn every_length_of_varlong_is_read_as_written_and_sized_right() {
        for value in edges().chain([0, i64::MIN, i64::MAX]) {
            let mut wire = written(zigzag(value));
            assert_eq!(wire.len(), zigzag_size(zigzag(value)), "{value}");
            wire.push(9);
            assert_eq!(take_varlong(&wire), Some((value, &[9][..])));
            for cut in 0..wire.len() - 1 {
                assert_eq!(varlong(&wire[..cut]), None);
            }
        }
    }

    #[test]
    fn every_length_of_varint_is_read_as_written_and_sized_right() {
        let values = edges().filter_map(|value| i32::try_from(value).ok());
        for value in values.chain([0, i32::MIN, i32::MAX]) {
            let wire = written(zigzag(value.into()));
            assert_eq!(wire.len(), zigzag_size(zigzag(value.into())), "{value}");
            assert_eq!(varint(&wire), Some(value));
            let length = take_length(&wire).map(|(length, _)| length);
            let expected = match value {
                ..-1 => None,
                -1 => Some(None),
                _ => Some(usize::try_from(value).ok()),
            };
            assert_eq!(length, expected, "{value}");
        }
    }

    #[test]
    fn a_varint_of_more_than_its_bits_is_rejected() {
        assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Some(i32::MIN));
        assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0x1f]), None);
        assert_eq!(varint(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), None);
        let mut long = [0xff; 10];
        long[9] = 1;
        assert_eq!(varlong(&long), Some(i64::MIN));
        long[9] = 2;
        assert_eq!(varlong(&long), None);
    }
}
