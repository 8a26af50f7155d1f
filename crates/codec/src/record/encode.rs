//! How one record looks on the wire, and writing it in one go.
//!
//! ```text
//! length | attributes, 0 | timestamp delta | offset delta | key | value | header count | headers …
//! ```
//!
//! All numbers but the attributes are varints. Key, value and the two parts of a header are behind their
//! lengths, -1 where there is none.
//!
//! The length comes first and is known last. Nearly always it is known how many bytes it will take, so they
//! are left free and filled in behind the rest, and nothing has to be measured beforehand.

use super::builder::RecordToWrite;
use super::varint::{put_zigzag, zigzag, zigzag_size};

/// What every record has: its attributes, and five numbers of at least one byte.
const NUMBERS_BYTES_MIN: usize = 6;
/// What is added to that to guess how many bytes the numbers of a record will take.
const NUMBERS_BYTES_MORE: usize = 3;

/// A record's place relative to the first of its batch.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: u32,
}

/// At least this many bytes are in any encoding of the record; cheap to know.
#[inline]
pub(super) fn least_size(record: &RecordToWrite<'_>) -> usize {
    let mut size = length(record.key).saturating_add(length(record.value));
    for header in record.headers {
        size = size
            .saturating_add(header.key.len())
            .saturating_add(length(header.value));
    }
    size.saturating_add(NUMBERS_BYTES_MIN)
}

/// The exact size of a record, its length included.
pub(super) fn exact_size(record: &RecordToWrite<'_>, place: Place) -> usize {
    let mut body = 1 // attributes
        + zigzag_size(zigzag(place.timestamp_delta))
        + zigzag_size(u64::from(place.offset_delta) << 1)
        + zigzag_size((record.headers.len() as u64) << 1);
    body = body
        .saturating_add(part_size(record.key))
        .saturating_add(part_size(record.value));
    for header in record.headers {
        body = body.saturating_add(part_size(Some(header.key.as_bytes())));
        body = body.saturating_add(part_size(header.value));
    }
    body.saturating_add(zigzag_size((body as u64) << 1))
}

/// Writes the record to the front of `space` and returns its size, its length included; `None` if it does
/// not fit. `least` is the record's [`least_size`].
///
/// Lengths beyond what their fields can say are written all the same; the size shows it.
#[inline]
pub(super) fn put_record(
    space: &mut [u8],
    record: &RecordToWrite<'_>,
    place: Place,
    least: usize,
) -> Option<usize> {
    let guessed = zigzag_size((least as u64 + NUMBERS_BYTES_MORE as u64) << 1);
    let (head, body) = space.split_at_mut_checked(guessed)?;
    let size = put_body(
        Writer {
            space: body,
            written: 0,
        },
        record,
        place,
    )?
    .written;
    let length = (size as u64) << 1;
    if zigzag_size(length) != guessed {
        return move_body(space, guessed, size);
    }
    Writer {
        space: head,
        written: 0,
    }
    .number(length)?;
    Some(guessed + size)
}

/// Puts a length in front of a body that left another number of bytes free for it.
#[cold]
fn move_body(space: &mut [u8], from: usize, size: usize) -> Option<usize> {
    let length = (size as u64) << 1;
    let to = zigzag_size(length);
    // Both ends are looked at first: copy_within does not fail, it panics.
    space.get(to.checked_add(size)?..)?;
    space.copy_within(from..from + size, to);
    Writer { space, written: 0 }.number(length)?;
    Some(to + size)
}

#[inline]
fn put_body<'s>(out: Writer<'s>, record: &RecordToWrite<'_>, place: Place) -> Option<Writer<'s>> {
    let mut out = out
        .attributes()?
        .number(zigzag(place.timestamp_delta))?
        .number(u64::from(place.offset_delta) << 1)?
        .part(record.key)?
        .part(record.value)?
        .number((record.headers.len() as u64) << 1)?;
    for header in record.headers {
        out = out.part(Some(header.key.as_bytes()))?.part(header.value)?;
    }
    Some(out)
}

/// What is left to write into, and how much was written: counted, not computed from what is left, so that one
/// record's size does not wait for where the record before it ended.
struct Writer<'s> {
    space: &'s mut [u8],
    written: usize,
}

impl<'s> Writer<'s> {
    #[inline]
    fn attributes(self) -> Option<Self> {
        let (attributes, space) = self.space.split_first_mut()?;
        *attributes = 0;
        Some(Self {
            space,
            written: self.written + 1,
        })
    }

    /// A zigzag value.
    #[inline]
    fn number(self, raw: u64) -> Option<Self> {
        let [low, ..] = raw.to_le_bytes();
        if raw < 1 << 7 {
            let (byte, space) = self.space.split_first_mut()?;
            *byte = low;
            Some(Self {
                space,
                written: self.written + 1,
            })
        } else if raw < 1 << 14 {
            let (bytes, space) = self.space.split_first_chunk_mut()?;
            let [high, ..] = (raw >> 7).to_le_bytes();
            *bytes = [low | 0x80, high];
            Some(Self {
                space,
                written: self.written + 2,
            })
        } else {
            let space = put_zigzag(self.space, raw)?;
            Some(Self {
                space,
                written: self.written + zigzag_size(raw),
            })
        }
    }

    /// Bytes behind their length.
    #[inline]
    fn part(self, part: Option<&[u8]>) -> Option<Self> {
        let Some(bytes) = part else {
            return self.number(zigzag(-1));
        };
        let Self { space, written } = self.number((bytes.len() as u64) << 1)?;
        let (to, space) = space.split_at_mut_checked(bytes.len())?;
        copy(to, bytes);
        Some(Self {
            space,
            written: written + bytes.len(),
        })
    }
}

/// Copies between slices of the same length.
#[inline]
fn copy(to: &mut [u8], from: &[u8]) {
    // Most keys are this short, and two words cost less than the call of memcpy.
    if (8..=16).contains(&from.len())
        && let Some(first) = from.first_chunk::<8>()
        && let Some(last) = from.last_chunk::<8>()
    {
        if let Some(to) = to.first_chunk_mut() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut() {
            *to = *last;
        }
    } else {
        to.copy_from_slice(from);
    }
}

fn part_size(part: Option<&[u8]>) -> usize {
    match part {
        None => 1,
        Some(bytes) => bytes
            .len()
            .saturating_add(zigzag_size((bytes.len() as u64) << 1)),
    }
}

#[inline]
fn length(part: Option<&[u8]>) -> usize {
    part.map_or(0, <[u8]>::len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::HeaderToWrite;

    fn check(record: &RecordToWrite<'_>, place: Place) {
        let least = least_size(record);
        let exact = exact_size(record, place);
        assert!(least < exact);
        // One byte more is enough, whatever was guessed; what is written needs no more than its size.
        let mut space = vec![0xee; exact + 1];
        assert_eq!(put_record(&mut space, record, place, least), Some(exact));
        let mut short = vec![0xee; exact - 1];
        assert_eq!(put_record(&mut short, record, place, least), None);
        let body = exact - zigzag_size((exact as u64) << 1);
        let (length, rest) = super::super::varint::take_varint(&space).unwrap();
        assert!(usize::try_from(length).unwrap().abs_diff(body) <= 1);
        assert_eq!(rest.len(), usize::try_from(length).unwrap() + 1);
    }

    #[test]
    fn sizes_are_exact_around_every_step_of_the_length() {
        let value = vec![7; (1 << 20) + 40];
        let steps = [0, 64, 8_192, 1 << 20];
        for length in steps
            .into_iter()
            .flat_map(|step: usize| step.saturating_sub(40)..step + 40)
        {
            for (timestamp_delta, offset_delta) in [(0, 0), (i64::MIN, u32::MAX >> 1), (100, 100)] {
                let place = Place {
                    timestamp_delta,
                    offset_delta,
                };
                let headers = [HeaderToWrite {
                    key: "k",
                    value: None,
                }; 3];
                for headers in [&headers[..0], &headers] {
                    let value = value.get(..length);
                    check(
                        &RecordToWrite {
                            timestamp: 0,
                            key: None,
                            value,
                            headers,
                        },
                        place,
                    );
                }
            }
        }
    }

    #[test]
    fn short_keys_are_copied_whole() {
        let source: Vec<u8> = (0..40).collect();
        for length in 0..40 {
            let mut to = vec![0xee; length];
            copy(&mut to, &source[..length]);
            assert_eq!(to, source[..length]);
        }
    }
}
