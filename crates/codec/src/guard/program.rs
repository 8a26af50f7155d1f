//! What the walk does for one version of one message, worked out once.
//!
//! A program is a list of blocks, one for each struct that is repeated, optional or tagged; structs
//! that stand alone are part of the block around them. Neighbouring fields of fixed size are one
//! step. The field names lie beside the steps, where only an error looks for them.

use crate::schema::{self, Field, Message, Struct, Type};
use std::sync::OnceLock;

/// One step of the walk.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    /// Fields of fixed size.
    Skip { bytes: usize },
    /// Text behind two bytes of length.
    String { nullable: bool },
    /// Text behind a varint.
    CompactString { nullable: bool },
    /// Bytes behind four bytes of length.
    Bytes { nullable: bool },
    /// Bytes behind a varint.
    CompactBytes { nullable: bool },
    /// Elements of fixed size.
    FixedArray {
        count: Count,
        element_bytes: usize,
        cost: usize,
    },
    /// Elements that a block describes.
    Array {
        count: Count,
        element_bytes: usize,
        cost: usize,
        block: usize,
    },
    /// A struct behind a byte that says whether it is there.
    Optional { block: usize },
    /// The tagged fields at the end of a struct.
    Tags { table: usize },
}

/// How the number of an array's elements is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    pub(super) compact: bool,
    pub(super) nullable: bool,
}

/// The steps of one struct.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) ops: Vec<Op>,
    /// For each step the names of its fields, each with the bytes in front of it.
    names: Vec<Vec<(usize, String)>>,
    /// The fewest bytes it can take on the wire.
    least_bytes: usize,
}

impl Block {
    /// The name of a step's first field.
    pub(super) fn field(&self, step: usize) -> &str {
        self.field_at(step, 0).1
    }

    /// The field that a step is in once it has read so many bytes: where in the step the field
    /// starts, and its name.
    pub(super) fn field_at(&self, step: usize, bytes: usize) -> (usize, &str) {
        let names = self.names.get(step).map(Vec::as_slice).unwrap_or_default();
        let field = names.iter().rev().find(|(start, _)| *start <= bytes);
        field.map_or((0, "?"), |(start, name)| (*start, name))
    }

    fn push(&mut self, op: Op, least_bytes: usize, name: String) {
        self.ops.push(op);
        self.names.push(vec![(0, name)]);
        self.least_bytes += least_bytes;
    }

    fn skip(&mut self, bytes: usize, name: String) {
        self.least_bytes += bytes;
        if let (Some(Op::Skip { bytes: before }), Some(names)) =
            (self.ops.last_mut(), self.names.last_mut())
        {
            names.push((*before, name));
            *before += bytes;
        } else {
            self.ops.push(Op::Skip { bytes });
            self.names.push(vec![(0, name)]);
        }
    }
}

/// A tag of the schema.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownTag {
    pub(super) number: u32,
    pub(super) name: &'static str,
    /// How to read the content; `None` in versions that do not have the tag.
    pub(super) block: Option<usize>,
}

/// The steps for one version of one message.
#[derive(Debug, Default)]
pub(super) struct Program {
    /// Inner blocks before outer ones; the last is the message.
    blocks: Vec<Block>,
    tables: Vec<Vec<KnownTag>>,
}

impl Program {
    pub(super) fn block(&self, index: usize) -> Option<&Block> {
        self.blocks.get(index)
    }

    pub(super) fn outermost(&self) -> Option<&Block> {
        self.blocks.last()
    }

    /// The schema's tags of one section, of which no message has more than a few.
    pub(super) fn tags(&self, table: usize) -> &[KnownTag] {
        self.tables
            .get(table)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

/// The program for a version, or `None` if Kafka 4.4.0 does not know the version.
pub(super) fn of(message: &'static Message, version: i16) -> Option<&'static Program> {
    type Versions = Box<[OnceLock<Program>]>;
    static PROGRAMS: [OnceLock<Versions>; schema::MESSAGE_COUNT] =
        [const { OnceLock::new() }; schema::MESSAGE_COUNT];
    if !message.versions().contains(version) {
        return None;
    }
    let versions = PROGRAMS
        .get(message.index())?
        .get_or_init(|| message.versions().iter().map(|_| OnceLock::new()).collect());
    let index = usize::try_from(version - message.versions().first()).ok()?;
    Some(
        versions
            .get(index)?
            .get_or_init(|| compile(message, version)),
    )
}

fn compile(message: &Message, version: i16) -> Program {
    let mut compiler = Compiler {
        version,
        flexible: message.is_flexible(version),
        ever_flexible: message.is_ever_flexible(),
        program: Program::default(),
    };
    let mut block = Block::default();
    compiler.fields(&mut block, message.body(), "");
    compiler.program.blocks.push(block);
    compiler.program
}

struct Compiler {
    version: i16,
    flexible: bool,
    ever_flexible: bool,
    program: Program,
}

impl Compiler {
    /// Appends the fields of a struct to a block. Structs of the schema never contain themselves.
    fn fields(&mut self, block: &mut Block, body: &Struct, prefix: &str) {
        for field in body.fields() {
            if field.versions().contains(self.version) && !field.is_tagged(self.version) {
                self.field(block, field, prefix);
            }
        }
        if self.flexible {
            let table = self.tag_table(body);
            block.push(Op::Tags { table }, 1, format!("{prefix}tags"));
        }
    }

    fn field(&mut self, block: &mut Block, field: &Field, prefix: &str) {
        let name = format!("{prefix}{}", field.name());
        let nullable = field.nullable().contains(self.version);
        let compact = self.flexible && !field.is_rigid();
        match field.value() {
            Type::String if compact => block.push(Op::CompactString { nullable }, 1, name),
            Type::String => block.push(Op::String { nullable }, 2, name),
            Type::Bytes | Type::Records if compact => {
                block.push(Op::CompactBytes { nullable }, 1, name);
            }
            Type::Bytes | Type::Records => block.push(Op::Bytes { nullable }, 4, name),
            Type::Struct(inner) if nullable => {
                let inner = self.block_of(|compiler, block| compiler.fields(block, inner, ""));
                block.push(Op::Optional { block: inner }, 1, name);
            }
            Type::Struct(inner) => self.fields(block, inner, &format!("{name}.")),
            Type::Array(element) => {
                let op = self.array(*element, Count { compact, nullable });
                block.push(op, if compact { 1 } else { 4 }, name);
            }
            Type::Scalar(scalar) => block.skip(scalar.size(), name),
        }
    }

    fn array(&mut self, element: Type, count: Count) -> Op {
        let cost = typed_bytes(element, self.ever_flexible);
        if let Type::Scalar(scalar) = element {
            return Op::FixedArray {
                count,
                element_bytes: scalar.size(),
                cost,
            };
        }
        let block =
            self.block_of(|compiler, block| compiler.element(block, element, count.compact));
        let element_bytes = self
            .program
            .block(block)
            .map_or(1, |block| block.least_bytes);
        Op::Array {
            count,
            element_bytes,
            cost,
            block,
        }
    }

    fn element(&mut self, block: &mut Block, element: Type, compact: bool) {
        let nullable = false;
        let name = String::new();
        match element {
            Type::Struct(inner) => self.fields(block, inner, ""),
            Type::String if compact => block.push(Op::CompactString { nullable }, 1, name),
            Type::String => block.push(Op::String { nullable }, 2, name),
            Type::Bytes | Type::Records if compact => {
                block.push(Op::CompactBytes { nullable }, 1, name);
            }
            Type::Bytes | Type::Records => block.push(Op::Bytes { nullable }, 4, name),
            Type::Scalar(scalar) => block.skip(scalar.size(), name),
            Type::Array(inner) => {
                let op = self.array(*inner, Count { compact, nullable });
                block.push(op, if compact { 1 } else { 4 }, name);
            }
        }
    }

    fn tag_table(&mut self, body: &Struct) -> usize {
        let mut table = Vec::new();
        for field in body.fields() {
            let Some(tag) = field.tag() else { continue };
            let valid = tag.versions.contains(self.version);
            let block =
                valid.then(|| self.block_of(|compiler, block| compiler.field(block, field, "")));
            table.push(KnownTag {
                number: tag.number,
                name: field.name(),
                block,
            });
        }
        self.program.tables.push(table);
        self.program.tables.len() - 1
    }

    /// Compiles a block of its own and returns its number.
    fn block_of(&mut self, fill: impl FnOnce(&mut Self, &mut Block)) -> usize {
        let mut block = Block::default();
        fill(self, &mut block);
        self.program.blocks.push(block);
        self.program.blocks.len() - 1
    }
}

/// An unknown tag is kept in a `BTreeMap<i32, Bytes>`. Filled in order, its leaves of eleven places
/// end up about half full; with the nodes above them that is below this many bytes an entry.
pub(super) const TAG_BYTES: usize = 96;

/// The first unknown tag of a struct brings the map's first leaf.
pub(super) const FIRST_TAG_BYTES: usize = 448;

/// Bytes that a value takes as an element of a `Vec` in kafka-protocol's generated structs.
///
/// Worked out as `size_of` would: all fields of all versions, whether or not this version has them,
/// rounded up to eight. A string or byte field is a `Bytes` of 32 bytes that shares the frame's
/// buffer, an array is a `Vec` of 24, and every struct of a message that has flexible versions ends
/// in a `BTreeMap` of 24 for the unknown tags. What lies behind a `Vec` is counted where its elements
/// are walked.
fn typed_bytes(value: Type, ever_flexible: bool) -> usize {
    match value {
        Type::Array(_) => 24,
        Type::Bytes | Type::Records | Type::String => 32,
        Type::Struct(inner) => {
            let fields = inner.fields().iter().map(|field| {
                let value = typed_bytes(field.value(), ever_flexible);
                let optional =
                    matches!(field.value(), Type::Struct(_)) && !field.nullable().is_none();
                // An `Option` of a struct may need a word to say which it is.
                value + if optional { 8 } else { 0 }
            });
            let map = if ever_flexible { 24 } else { 0 };
            (fields.sum::<usize>() + map).next_multiple_of(8)
        }
        Type::Scalar(scalar) => scalar.size(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_a_program_and_no_array_has_elements_of_no_size() {
        let mut count = 0;
        for message in schema::messages() {
            for version in message.versions().iter() {
                let program = of(message, version).unwrap();
                for op in program.blocks.iter().flat_map(|block| &block.ops) {
                    if let Op::Array { element_bytes, .. } | Op::FixedArray { element_bytes, .. } =
                        op
                    {
                        assert!(*element_bytes > 0, "{} {version}", message.name());
                    }
                }
                count += 1;
            }
        }
        assert_eq!(count, 640);
    }
}
