//! Replaces text that is not UTF-8, in a body that the walk has passed otherwise.
//!
//! Kafka reads text leniently: what is not UTF-8 becomes U+FFFD, as by [`String::from_utf8_lossy`]. The typed decoder
//! fails there, so it gets a body in which that has been done. Names that must match something are safe: no topic's
//! name can hold U+FFFD.

use super::program::{Block, Count, Op, Program};
use super::take::{
    array, bytes, compact_bytes, length, presence, skip, string, tag, varint, widen,
};
use super::{DEPTH_MAX, Fault};

/// The body with its text replaced.
///
/// # Errors
/// [`Fault::NotUtf8`] where text of two bytes of length becomes too long for them. Every other fault has been found by
/// the walk.
pub(super) fn repair(program: &Program, body: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut repair = Repair {
        program,
        out: Vec::with_capacity(body.len()),
    };
    if let Some(block) = program.outermost() {
        repair.block(block, body, DEPTH_MAX)?;
    }
    Ok(repair.out)
}

struct Repair<'p> {
    program: &'p Program,
    out: Vec<u8>,
}

impl Repair<'_> {
    fn block<'a>(
        &mut self,
        block: &Block,
        mut rest: &'a [u8],
        depth: usize,
    ) -> Result<&'a [u8], Fault> {
        for op in &block.ops {
            rest = match *op {
                Op::Skip { bytes } => self.keep(rest, skip(rest, bytes)?),
                Op::CompactBytes { nullable } => self.keep(rest, compact_bytes(rest, nullable)?.1),
                Op::Bytes { nullable } => self.keep(rest, bytes(rest, nullable)?),
                Op::CompactString { nullable } => self.compact_string(rest, nullable)?,
                Op::String { nullable } => self.string(rest, nullable)?,
                Op::FixedArray {
                    count,
                    element_bytes,
                    ..
                } => {
                    let (elements, after) = elements(rest, count)?;
                    let size = widen(elements).saturating_mul(element_bytes);
                    self.keep(rest, skip(after, size)?)
                }
                Op::Array { count, block, .. } => {
                    let (elements, after) = elements(rest, count)?;
                    self.keep(rest, after);
                    self.repeat(block, elements, after, depth)?
                }
                Op::Optional { block } => {
                    let (there, after) = presence(rest)?;
                    self.keep(rest, after);
                    self.repeat(block, there.into(), after, depth)?
                }
                Op::Tags { table } => self.tags(table, rest, depth)?,
            };
        }
        Ok(rest)
    }

    /// Copies what lies between `rest` and `after`, which is its end.
    fn keep<'a>(&mut self, rest: &[u8], after: &'a [u8]) -> &'a [u8] {
        let kept = rest.len().saturating_sub(after.len());
        self.out
            .extend_from_slice(rest.get(..kept).unwrap_or_default());
        after
    }

    fn repeat<'a>(
        &mut self,
        block: usize,
        count: u32,
        mut rest: &'a [u8],
        depth: usize,
    ) -> Result<&'a [u8], Fault> {
        let depth = depth.checked_sub(1).ok_or(Fault::TooDeep)?;
        let block = self.program.block(block).ok_or(Fault::TooDeep)?;
        for _ in 0..count {
            rest = self.block(block, rest, depth)?;
        }
        Ok(rest)
    }

    fn compact_string<'a>(&mut self, rest: &'a [u8], nullable: bool) -> Result<&'a [u8], Fault> {
        let (text, after) = compact_bytes(rest, nullable)?;
        if text.is_empty() {
            // Null or empty: as it stands.
            return Ok(self.keep(rest, after));
        }
        let text = String::from_utf8_lossy(text);
        let length = u32::try_from(text.len()).map_err(|_| Fault::NotUtf8)?;
        put_varint(&mut self.out, length.saturating_add(1));
        self.out.extend_from_slice(text.as_bytes());
        Ok(after)
    }

    fn string<'a>(&mut self, rest: &'a [u8], nullable: bool) -> Result<&'a [u8], Fault> {
        let (text, after) = string(rest, nullable)?;
        if text.is_empty() {
            return Ok(self.keep(rest, after));
        }
        let text = String::from_utf8_lossy(text);
        let length = i16::try_from(text.len()).map_err(|_| Fault::NotUtf8)?;
        self.out.extend_from_slice(&length.to_be_bytes());
        self.out.extend_from_slice(text.as_bytes());
        Ok(after)
    }

    fn tags<'a>(&mut self, table: usize, rest: &'a [u8], depth: usize) -> Result<&'a [u8], Fault> {
        let (count, mut left) = varint(rest)?;
        self.keep(rest, left);
        let mut previous = None;
        for _ in 0..count {
            let (number, content, after) = tag(left, previous)?;
            previous = Some(number);
            let known = self
                .program
                .tags(table)
                .iter()
                .find(|known| known.number == number);
            match known.and_then(|known| known.block) {
                None => {
                    self.keep(left, after);
                }
                Some(block) => {
                    // Behind its size, which is known once it is written.
                    let outer = std::mem::take(&mut self.out);
                    self.repeat(block, 1, content, depth)?;
                    let content = std::mem::replace(&mut self.out, outer);
                    let size = u32::try_from(content.len()).map_err(|_| Fault::NotUtf8)?;
                    put_varint(&mut self.out, number);
                    put_varint(&mut self.out, size);
                    self.out.extend_from_slice(&content);
                }
            }
            left = after;
        }
        Ok(left)
    }
}

/// An array's count, 0 for null.
fn elements(rest: &[u8], count: Count) -> Result<(u32, &[u8]), Fault> {
    if count.compact {
        let (encoded, rest) = varint(rest)?;
        return Ok((encoded.saturating_sub(1), rest));
    }
    let (encoded, rest) = array(rest)?;
    let elements = length(i32::from_be_bytes(encoded), count.nullable)?;
    Ok((elements.unwrap_or(0), rest))
}

/// Appends an unsigned varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}
