//! Takes one value off the front of some bytes. Nothing here reserves memory or panics.
//!
//! All of it is inlined by force: the guard calls these once a field, and through a call their results,
//! which carry a [`Fault`], would travel by way of memory. That costs it a fifth of its speed.

use super::Fault;

#[inline(always)]
pub(crate) fn skip(rest: &[u8], bytes: usize) -> Result<&[u8], Fault> {
    rest.get(bytes..).ok_or(Fault::Truncated {
        needed: bytes,
        left: rest.len(),
    })
}

#[inline(always)]
pub(crate) fn split(rest: &[u8], bytes: usize) -> Result<(&[u8], &[u8]), Fault> {
    rest.split_at_checked(bytes).ok_or(Fault::Truncated {
        needed: bytes,
        left: rest.len(),
    })
}

#[inline(always)]
pub(crate) fn array<const N: usize>(rest: &[u8]) -> Result<([u8; N], &[u8]), Fault> {
    match rest.split_first_chunk() {
        Some((bytes, rest)) => Ok((*bytes, rest)),
        None => Err(Fault::Truncated {
            needed: N,
            left: rest.len(),
        }),
    }
}

#[inline(always)]
pub(crate) fn utf8<'a>(text: &[u8], rest: &'a [u8]) -> Result<&'a [u8], Fault> {
    match std::str::from_utf8(text) {
        Ok(_) => Ok(rest),
        Err(_) => Err(Fault::NotUtf8),
    }
}

#[inline(always)]
pub(crate) fn string(rest: &[u8], nullable: bool) -> Result<(&[u8], &[u8]), Fault> {
    let (encoded, rest) = array(rest)?;
    match length(i16::from_be_bytes(encoded).into(), nullable)? {
        Some(length) => split(rest, widen(length)),
        None => Ok((&[], rest)),
    }
}

#[inline(always)]
pub(crate) fn bytes(rest: &[u8], nullable: bool) -> Result<&[u8], Fault> {
    let (encoded, rest) = array(rest)?;
    match length(i32::from_be_bytes(encoded), nullable)? {
        Some(length) => skip(rest, widen(length)),
        None => Ok(rest),
    }
}

#[inline(always)]
pub(crate) fn compact_bytes(rest: &[u8], nullable: bool) -> Result<(&[u8], &[u8]), Fault> {
    let (encoded, rest) = varint(rest)?;
    match encoded.checked_sub(1) {
        Some(length) => split(rest, widen(length)),
        None if nullable => Ok((&[], rest)),
        None => Err(Fault::NotNullable),
    }
}

/// A length that is not compact: -1 is null, and nothing else is below 0.
#[inline(always)]
pub(crate) fn length(encoded: i32, nullable: bool) -> Result<Option<u32>, Fault> {
    match u32::try_from(encoded) {
        Ok(length) => Ok(Some(length)),
        Err(_) if encoded < -1 => Err(Fault::NegativeLength(encoded)),
        Err(_) if nullable => Ok(None),
        Err(_) => Err(Fault::NotNullable),
    }
}

#[inline(always)]
pub(crate) fn presence(rest: &[u8]) -> Result<(bool, &[u8]), Fault> {
    let (byte, rest) = array(rest)?;
    match i8::from_be_bytes(byte) {
        1 => Ok((true, rest)),
        -1 => Ok((false, rest)),
        other => Err(Fault::PresenceByte(other)),
    }
}

/// Reads a tag's number and size, and cuts out its content: number, content, what is behind.
#[inline(always)]
pub(crate) fn tag(rest: &[u8], previous: Option<u32>) -> Result<(u32, &[u8], &[u8]), Fault> {
    let (tag, rest) = varint(rest)?;
    if i32::try_from(tag).is_err() {
        return Err(Fault::TagRange(tag));
    }
    if let Some(previous) = previous.filter(|previous| *previous >= tag) {
        return Err(Fault::TagOrder { tag, previous });
    }
    let (size, rest) = varint(rest)?;
    let (content, rest) = split(rest, widen(size))?;
    Ok((tag, content, rest))
}

#[inline(always)]
pub(crate) fn varint(rest: &[u8]) -> Result<(u32, &[u8]), Fault> {
    match rest.split_first() {
        Some((byte, rest)) if *byte < 0x80 => Ok((u32::from(*byte), rest)),
        _ => long_varint(rest),
    }
}

#[cold]
#[inline(never)]
fn long_varint(rest: &[u8]) -> Result<(u32, &[u8]), Fault> {
    let mut value = 0_u32;
    let mut after = rest;
    for shift in [0, 7, 14, 21, 28] {
        let Some((byte, tail)) = after.split_first() else {
            return Err(Fault::Truncated {
                needed: rest.len() + 1,
                left: rest.len(),
            });
        };
        // The fifth byte has room for four bits and no continuation.
        if shift == 28 && *byte > 0x0f {
            break;
        }
        value |= u32::from(byte & 0x7f) << shift;
        after = tail;
        if byte & 0x80 == 0 {
            return Ok((value, after));
        }
    }
    Err(Fault::VarintTooLong)
}

/// Lossless wherever this crate builds: `usize` has at least 32 bits there.
#[inline(always)]
pub(crate) fn widen(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
