//! One pass over the bytes, led by a program.

use super::program::{Block, Count, FIRST_TAG_BYTES, KnownTag, Op, Program, TAG_BYTES};
use super::take::{
    self, array, bytes, compact_bytes, length, presence, skip, string, utf8, varint, widen,
};
use super::{Checked, DEPTH_MAX, Fault};
use crate::Limits;

/// Where the walk stopped, and why.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) offset: usize,
    pub(crate) fault: Fault,
    /// Innermost first; at most [`DEPTH_MAX`].
    steps: Vec<String>,
}

impl Trouble {
    #[cold]
    pub(crate) fn new(offset: usize, fault: Fault) -> Box<Self> {
        Box::new(Self {
            offset,
            fault,
            steps: Vec::new(),
        })
    }

    /// The path of the field, outermost first.
    pub(crate) fn path(&self) -> String {
        let mut path = String::new();
        for step in self.steps.iter().rev().filter(|step| !step.is_empty()) {
            // An index belongs to the name in front of it.
            if !path.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(step);
        }
        path
    }

    #[cold]
    pub(crate) fn within(mut self: Box<Self>, step: String) -> Box<Self> {
        self.steps.push(step);
        self
    }
}

/// What is left to read, or why not. Small, because it is returned from every step.
type Rest<'a> = Result<&'a [u8], Box<Trouble>>;

/// Walks one message at the start of `bytes`.
pub(super) fn walk(
    program: &Program,
    bytes: &[u8],
    limits: &Limits,
    text: Text,
) -> Result<Walked, Box<Trouble>> {
    let budget = limits
        .memory_base_bytes
        .saturating_add(limits.memory_factor.saturating_mul(bytes.len()));
    let mut walk = Walk {
        program,
        array_elements: limits.array_elements,
        tagged_fields: limits.tagged_fields,
        budget,
        memory: 0,
        end: bytes.len(),
        text,
        invalid_text: false,
    };
    let rest = match program.outermost() {
        Some(block) => walk.block(block, bytes, DEPTH_MAX)?,
        None => bytes,
    };
    Ok(Walked {
        checked: Checked {
            length: bytes.len() - rest.len(),
            memory: walk.memory,
        },
        invalid_text: walk.invalid_text,
    })
}

/// What to do with text that is not UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// Go on, and say that there was some.
    Note,
    Reject,
}

/// What a walk to the end found out.
pub(super) struct Walked {
    pub(super) checked: Checked,
    /// Whether any text is not UTF-8.
    pub(super) invalid_text: bool,
}

struct Walk<'p> {
    program: &'p Program,
    array_elements: usize,
    tagged_fields: usize,
    budget: usize,
    /// Bytes that the typed form takes so far.
    memory: usize,
    /// Where the bytes at hand end, counted from the start of the message: its end, or inside a
    /// tagged field the end of that field.
    end: usize,
    text: Text,
    invalid_text: bool,
}

impl Walk<'_> {
    fn block<'a>(&mut self, block: &Block, mut rest: &'a [u8], depth: usize) -> Rest<'a> {
        for (step, op) in block.ops.iter().enumerate() {
            let here = rest;
            let result = match *op {
                Op::Skip { bytes } => skip(rest, bytes),
                Op::CompactString { nullable } => {
                    compact_bytes(rest, nullable).and_then(|(text, rest)| self.utf8(text, rest))
                }
                Op::String { nullable } => {
                    string(rest, nullable).and_then(|(text, rest)| self.utf8(text, rest))
                }
                Op::CompactBytes { nullable } => {
                    compact_bytes(rest, nullable).map(|(_, rest)| rest)
                }
                Op::Bytes { nullable } => bytes(rest, nullable),
                Op::FixedArray {
                    count,
                    element_bytes,
                    cost,
                } => self.fixed_array(rest, count, element_bytes, cost),
                Op::Array {
                    count,
                    element_bytes,
                    cost,
                    block: inner,
                } => match self.count(rest, count, element_bytes, cost) {
                    Ok((elements, rest)) => {
                        let name = |index| format!("{}[{index}]", block.field(step));
                        Ok(self.elements(inner, elements, rest, depth, name)?)
                    }
                    Err(fault) => Err(fault),
                },
                Op::Optional { block: inner } => match presence(rest) {
                    Ok((true, rest)) => {
                        let name = |_| block.field(step).to_owned();
                        Ok(self.elements(inner, 1, rest, depth, name)?)
                    }
                    Ok((false, rest)) => Ok(rest),
                    Err(fault) => Err(fault),
                },
                // Nearly every section of tags is empty.
                Op::Tags { table } => match rest.split_first() {
                    Some((0, rest)) => Ok(rest),
                    _ => Ok(self
                        .tags(table, rest, depth)
                        .map_err(|trouble| trouble.within(prefix(block.field(step))))?),
                },
            };
            rest = match result {
                Ok(rest) => rest,
                Err(fault) => return Err(self.trouble(block, step, here, fault)),
            };
        }
        Ok(rest)
    }

    #[inline(always)]
    fn utf8<'a>(&mut self, text: &[u8], rest: &'a [u8]) -> Result<&'a [u8], Fault> {
        match utf8(text, rest) {
            Err(Fault::NotUtf8) if self.text == Text::Note => {
                self.invalid_text = true;
                Ok(rest)
            }
            result => result,
        }
    }

    /// Walks a block so many times.
    fn elements<'a>(
        &mut self,
        block: usize,
        count: u32,
        mut rest: &'a [u8],
        depth: usize,
        name: impl Fn(u32) -> String,
    ) -> Rest<'a> {
        let (Some(depth), Some(block)) = (depth.checked_sub(1), self.program.block(block)) else {
            return Err(self.trouble_at(rest, Fault::TooDeep).within(name(0)));
        };
        for index in 0..count {
            rest = match self.block(block, rest, depth) {
                Ok(rest) => rest,
                Err(trouble) => return Err(trouble.within(name(index))),
            };
        }
        Ok(rest)
    }

    #[inline(always)]
    fn fixed_array<'a>(
        &mut self,
        rest: &'a [u8],
        count: Count,
        element_bytes: usize,
        cost: usize,
    ) -> Result<&'a [u8], Fault> {
        let (elements, rest) = self.count(rest, count, element_bytes, cost)?;
        // The count has been held against the bytes that are left, so this cannot overflow.
        skip(rest, widen(elements) * element_bytes)
    }

    /// Reads an array's count, and counts the memory of its elements.
    #[inline(always)]
    fn count<'a>(
        &mut self,
        rest: &'a [u8],
        count: Count,
        element_bytes: usize,
        cost: usize,
    ) -> Result<(u32, &'a [u8]), Fault> {
        let (elements, rest) = if count.compact {
            let (encoded, rest) = varint(rest)?;
            match encoded.checked_sub(1) {
                Some(elements) => (elements, rest),
                None if count.nullable => return Ok((0, rest)),
                None => return Err(Fault::NotNullable),
            }
        } else {
            let (encoded, rest) = array(rest)?;
            match length(i32::from_be_bytes(encoded), count.nullable)? {
                Some(elements) => (elements, rest),
                None => return Ok((0, rest)),
            }
        };
        let many = widen(elements);
        // 32 bits times at most a few hundred: no overflow, and far cheaper than a division.
        if many.saturating_mul(element_bytes) > rest.len() {
            let left = rest.len();
            return Err(Fault::CountBeyondBytes {
                count: elements,
                element_bytes,
                left,
            });
        }
        if many > self.array_elements {
            let limit = self.array_elements;
            return Err(Fault::TooManyElements {
                count: elements,
                limit,
            });
        }
        self.take_memory(many.saturating_mul(cost))?;
        Ok((elements, rest))
    }

    fn tags<'a>(&mut self, table: usize, rest: &'a [u8], depth: usize) -> Rest<'a> {
        let here = rest;
        let (count, mut rest) = self.located(rest, varint(rest))?;
        // A tag takes at least two bytes.
        let limit = self.tagged_fields.min(rest.len() / 2);
        if widen(count) > limit {
            return Err(self
                .trouble_at(here, Fault::TooManyTags { count, limit })
                .within("tags".to_owned()));
        }
        let mut previous = None;
        let mut unknown = false;
        for _ in 0..count {
            let here = rest;
            let result = take::tag(rest, previous);
            let (tag, content, after) = self.located(here, result)?;
            previous = Some(tag);
            match self
                .program
                .tags(table)
                .iter()
                .find(|known| known.number == tag)
            {
                Some(known) => self.known_tag(known, content, after.len(), depth)?,
                None => {
                    let first = if unknown { 0 } else { FIRST_TAG_BYTES };
                    unknown = true;
                    let taken = self.take_memory(TAG_BYTES + first);
                    self.located(here, taken)?;
                }
            }
            rest = after;
        }
        Ok(rest)
    }

    fn known_tag(
        &mut self,
        known: &KnownTag,
        content: &[u8],
        after: usize,
        depth: usize,
    ) -> Result<(), Box<Trouble>> {
        let outer_end = self.end;
        self.end = outer_end - after;
        let Some(block) = known.block.and_then(|block| self.program.block(block)) else {
            return Err(self
                .trouble_at(content, Fault::TagNotInVersion(known.number))
                .within("tags".to_owned()));
        };
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.trouble_at(content, Fault::TooDeep));
        };
        let rest = self.block(block, content, depth)?;
        if !rest.is_empty() {
            let read = content.len() - rest.len();
            let fault = Fault::TagSize {
                declared: content.len(),
                read,
            };
            return Err(self.trouble_at(rest, fault).within(known.name.to_owned()));
        }
        self.end = outer_end;
        Ok(())
    }

    #[inline(always)]
    fn take_memory(&mut self, bytes: usize) -> Result<(), Fault> {
        self.memory = self.memory.saturating_add(bytes);
        if self.memory > self.budget {
            return Err(Fault::OverBudget {
                needed: self.memory,
                budget: self.budget,
            });
        }
        Ok(())
    }

    fn located<T>(&self, here: &[u8], result: Result<T, Fault>) -> Result<T, Box<Trouble>> {
        result.map_err(|fault| self.trouble_at(here, fault).within("tags".to_owned()))
    }

    #[cold]
    fn trouble(&self, block: &Block, step: usize, here: &[u8], fault: Fault) -> Box<Trouble> {
        match (block.ops.get(step), fault) {
            // In a run of fixed fields, the one in which the bytes end.
            (Some(Op::Skip { .. }), Fault::Truncated { needed, left }) => {
                let (start, name) = block.field_at(step, left);
                let fault = Fault::Truncated {
                    needed: needed - start,
                    left: left - start,
                };
                let field = here.get(start..).unwrap_or_default();
                self.trouble_at(field, fault).within(name.to_owned())
            }
            _ => self
                .trouble_at(here, fault)
                .within(block.field(step).to_owned()),
        }
    }

    #[cold]
    fn trouble_at(&self, here: &[u8], fault: Fault) -> Box<Trouble> {
        let offset = self.end.saturating_sub(here.len());
        Trouble::new(offset, fault)
    }
}

/// The path in front of a struct's tags, without the word `tags` itself.
#[cold]
fn prefix(tags: &str) -> String {
    tags.strip_suffix("tags")
        .unwrap_or(tags)
        .trim_end_matches('.')
        .to_owned()
}
