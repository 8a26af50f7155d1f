//! What can be made wrong with a valid message.

use super::random::Random;
use super::write::{Form, LengthOf, Spot, SpotKind, put_length, put_varint};
use std::fmt;

/// One thing to make wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mutation {
    /// One byte of the message is another.
    ByteChanged,
    /// Bytes follow the last field.
    BytesAtEnd,
    /// An array says that it has one element more than it has.
    CountOneTooMany,
    /// An array's count is the largest that can be written.
    CountTooLarge,
    /// The message ends early.
    CutShort,
    /// A length or count is -2, which means nothing.
    LengthNegative,
    /// A string's or byte field's length is the largest that can be written.
    LengthTooLarge,
    /// A string is not UTF-8.
    NotUtf8,
    /// A field is null that must not be.
    NullForbidden,
    /// The byte in front of a nullable struct is neither 1 nor -1.
    PresenceInvalid,
    /// A tagged field comes twice.
    TagRepeated,
    /// A tagged field is one byte longer than its content.
    TagSizeTooLarge,
    /// There is a tagged field that no schema knows. Readers must pass over it.
    TagUnknown,
    /// A varint takes one byte more than it needs. Kafka accepts that.
    VarintPadded,
    /// A varint has more than 32 bits.
    VarintTooLong,
}

impl Mutation {
    /// Every mutation.
    pub const ALL: [Self; 15] = [
        Self::ByteChanged,
        Self::BytesAtEnd,
        Self::CountOneTooMany,
        Self::CountTooLarge,
        Self::CutShort,
        Self::LengthNegative,
        Self::LengthTooLarge,
        Self::NotUtf8,
        Self::NullForbidden,
        Self::PresenceInvalid,
        Self::TagRepeated,
        Self::TagSizeTooLarge,
        Self::TagUnknown,
        Self::VarintPadded,
        Self::VarintTooLong,
    ];

    /// What a reader has to make of it.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::ByteChanged | Self::CountOneTooMany => Verdict::Either,
            Self::TagUnknown | Self::VarintPadded => Verdict::Valid,
            Self::BytesAtEnd
            | Self::CountTooLarge
            | Self::CutShort
            | Self::LengthNegative
            | Self::LengthTooLarge
            | Self::NotUtf8
            | Self::NullForbidden
            | Self::PresenceInvalid
            | Self::TagRepeated
            | Self::TagSizeTooLarge
            | Self::VarintTooLong => Verdict::Malformed,
        }
    }
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Whether a mutated message can still be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It depends on what the change hit.
    Either,
    /// No reader may accept it.
    Malformed,
    /// It is unusual, and every reader must accept it.
    Valid,
}

/// The changed message; `None` if it has no place for the mutation.
pub(super) fn apply(
    bytes: &[u8],
    spots: &[Spot],
    mutation: Mutation,
    random: &mut Random,
) -> Option<Vec<u8>> {
    if mutation == Mutation::ByteChanged {
        let mut changed = bytes.to_vec();
        let [mask, ..] = random.next().to_le_bytes();
        *changed.get_mut(place(bytes, random)?)? ^= mask.max(1);
        return Some(changed);
    }
    if mutation == Mutation::BytesAtEnd {
        let added = random.next().to_le_bytes();
        let last = usize::try_from(random.up_to(7)).ok()?;
        return Some([bytes, added.get(..=last)?].concat());
    }
    if mutation == Mutation::CutShort {
        return Some(bytes.get(..place(bytes, random)?)?.to_vec());
    }
    let edits: Vec<(usize, Edit)> = spots
        .iter()
        .filter_map(|spot| Some((spot.at, edit(bytes, spot, mutation)?)))
        .collect();
    let (at, Edit { old_size, new }) = random.pick(&edits)?;
    Some([bytes.get(..*at)?, new, bytes.get(at + old_size..)?].concat())
}

fn place(bytes: &[u8], random: &mut Random) -> Option<usize> {
    let last = u32::try_from(bytes.len())
        .unwrap_or(u32::MAX)
        .checked_sub(1)?;
    usize::try_from(random.up_to(last)).ok()
}

/// What stands at a spot instead.
struct Edit {
    old_size: usize,
    new: Vec<u8>,
}

fn edit(bytes: &[u8], spot: &Spot, mutation: Mutation) -> Option<Edit> {
    let mut new = Vec::new();
    let mut old_size = spot.size;
    let old = bytes.get(spot.at..spot.at + spot.size)?;
    match (mutation, spot.kind) {
        (
            Mutation::CountOneTooMany,
            SpotKind::Length {
                form,
                of: LengthOf::Array { count },
                ..
            },
        ) => {
            put_length(&mut new, form, Some(count + 1));
        }
        (
            Mutation::CountTooLarge,
            SpotKind::Length {
                form,
                of: LengthOf::Array { .. },
                ..
            },
        )
        | (
            Mutation::LengthTooLarge,
            SpotKind::Length {
                form,
                of: LengthOf::Bytes | LengthOf::Text { .. },
                ..
            },
        ) => {
            let behind = bytes.len() - spot.at - spot.size;
            // Two bytes cannot say more than a long message holds.
            if form == Form::Int16 && behind >= usize::from(i16::MAX.unsigned_abs()) {
                return None;
            }
            new.extend_from_slice(largest(form));
        }
        (
            Mutation::LengthNegative,
            SpotKind::Length {
                form: Form::Int16, ..
            },
        ) => {
            new.extend((-2_i16).to_be_bytes());
        }
        (
            Mutation::LengthNegative,
            SpotKind::Length {
                form: Form::Int32, ..
            },
        ) => {
            new.extend((-2_i32).to_be_bytes());
        }
        (
            Mutation::NotUtf8,
            SpotKind::Length {
                of: LengthOf::Text { bytes: text @ 1.. },
                ..
            },
        ) => {
            old_size += text;
            new.extend_from_slice(bytes.get(spot.at..spot.at + old_size)?);
            // No UTF-8 has this byte.
            *new.get_mut(spot.size)? = 0xff;
        }
        (
            Mutation::NullForbidden,
            SpotKind::Length {
                form,
                nullable: false,
                ..
            },
        ) => {
            put_length(&mut new, form, None);
        }
        (Mutation::PresenceInvalid, SpotKind::Presence) => new.push(2),
        (
            Mutation::TagRepeated,
            SpotKind::Tags {
                count,
                last: Some(last),
                end,
            },
        ) => {
            old_size = end - spot.at;
            put_varint(&mut new, count + 1);
            new.extend_from_slice(bytes.get(spot.at + spot.size..end)?);
            new.extend_from_slice(bytes.get(last..end)?);
        }
        (Mutation::TagSizeTooLarge, SpotKind::TagSize { bytes: size }) => {
            let content = usize::try_from(size).ok()?;
            old_size += content;
            put_varint(&mut new, size + 1);
            new.extend_from_slice(bytes.get(spot.at + spot.size..spot.at + old_size)?);
            new.push(0);
        }
        (Mutation::TagUnknown, SpotKind::Tags { count, end, .. }) if !spot.inside_tag => {
            old_size = end - spot.at;
            put_varint(&mut new, count + 1);
            new.extend_from_slice(bytes.get(spot.at + spot.size..end)?);
            put_varint(&mut new, UNKNOWN_TAG);
            put_varint(&mut new, 3);
            new.extend([0xff; 3]);
        }
        (
            Mutation::VarintPadded,
            SpotKind::Length {
                form: Form::Compact,
                ..
            }
            | SpotKind::Tags { .. },
        ) if !spot.inside_tag => {
            let (last, others) = old.split_last()?;
            new.extend_from_slice(others);
            new.extend([last | 0x80, 0]);
        }
        (
            Mutation::VarintTooLong,
            SpotKind::Length {
                form: Form::Compact,
                ..
            }
            | SpotKind::Tags { .. },
        ) => new.extend([0xff, 0xff, 0xff, 0xff, 0x7f]),
        _ => return None,
    }
    Some(Edit { old_size, new })
}

/// Above every tag that a generated message has.
const UNKNOWN_TAG: u32 = 100_000;

fn largest(form: Form) -> &'static [u8] {
    match form {
        Form::Compact => &[0xff, 0xff, 0xff, 0xff, 0x0f],
        Form::Int16 => &[0x7f, 0xff],
        Form::Int32 => &[0x7f, 0xff, 0xff, 0xff],
    }
}
