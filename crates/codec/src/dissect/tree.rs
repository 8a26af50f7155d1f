//! A message as an indented tree.

use super::records::summaries;
use super::text::{put_hex, put_quoted, put_uuid};
use super::walk::{Value, Visit};
use super::{GuardError, Message, Print};
use crate::record::Tail;
use crate::schema::{Field, Struct, Type};
use std::fmt::{self, Write};

/// How many bytes of a byte field are shown.
const BYTES_SHOWN: usize = 32;

pub(super) struct Tree<'o, W> {
    out: &'o mut W,
    /// What is open, outermost first; as deep as the schema.
    open: Vec<Open>,
}

/// Something that is not finished yet.
enum Open {
    /// A field, once its name and before its value is written.
    Field(&'static Field),
    /// An array with one element a line, and the index of the next.
    List(u32),
    /// An array on one line, and whether an element has been written.
    Row(bool),
    /// A struct.
    Struct,
}

impl<'o, W: Write> Tree<'o, W> {
    pub(super) fn new(out: &'o mut W) -> Self {
        Self {
            out,
            open: Vec::new(),
        }
    }

    fn indent(&mut self) -> fmt::Result {
        let levels = self
            .open
            .iter()
            .filter(|open| matches!(open, Open::Struct | Open::List(_)));
        for _ in 0..=levels.count() {
            self.out.write_str("  ")?;
        }
        Ok(())
    }

    fn line(&mut self, line: fmt::Arguments<'_>) -> fmt::Result {
        self.indent()?;
        self.out.write_fmt(line)?;
        self.out.write_char('\n')
    }

    fn records(&mut self, records: &[u8]) -> fmt::Result {
        writeln!(self.out, ": {} bytes of records", records.len())?;
        self.open.push(Open::Struct);
        let end = summaries(records, |batch| {
            self.indent()?;
            self.out.write_str("batch")?;
            for (name, number) in batch.numbers() {
                write!(self.out, " {name}={number}")?;
            }
            write!(self.out, " {} {}", batch.compression, batch.timestamp_type)?;
            let flags = [
                (batch.transactional, " transactional"),
                (batch.control, " control"),
            ];
            for (_, flag) in flags.iter().filter(|(set, _)| *set) {
                self.out.write_str(flag)?;
            }
            if let Some(marker) = &batch.marker {
                write!(self.out, " {marker}")?;
            }
            self.out.write_str(if batch.crc_valid {
                "\n"
            } else {
                " WRONG CRC\n"
            })
        })?;
        match end {
            Ok(Tail::Done) => {}
            Ok(Tail::Partial { have, need }) => {
                self.line(format_args!("partial batch: {have} of {need} bytes"))?;
            }
            Err(error) => self.line(format_args!("not a batch: {error}"))?,
        }
        self.open.pop();
        Ok(())
    }

    fn put(&mut self, value: Value<'_>) -> fmt::Result {
        match value {
            Value::Null => self.out.write_str("null"),
            Value::Bool(value) => write!(self.out, "{value}"),
            Value::Int(value) => write!(self.out, "{value}"),
            Value::Float64(value) => write!(self.out, "{value:?}"),
            Value::Text(text) => put_quoted(self.out, text),
            Value::Bytes(bytes) | Value::Records(bytes) => {
                write!(self.out, "{} bytes ", bytes.len())?;
                put_hex(self.out, bytes, BYTES_SHOWN)
            }
            Value::Uuid(uuid) => put_uuid(self.out, uuid),
        }
    }
}

impl<W: Write> Visit for Tree<'_, W> {
    fn begin_struct(&mut self, _body: &'static Struct) -> fmt::Result {
        match self.open.last_mut() {
            Some(Open::Field(_)) => self.out.write_char('\n')?,
            Some(Open::List(index)) => {
                let here = *index;
                *index += 1;
                self.line(format_args!("[{here}]"))?;
            }
            Some(Open::Row(_) | Open::Struct) | None => {}
        }
        self.open.push(Open::Struct);
        Ok(())
    }

    fn field(&mut self, field: &'static Field) -> fmt::Result {
        self.indent()?;
        self.out.write_str(field.name())?;
        self.open.push(Open::Field(field));
        Ok(())
    }

    fn unknown_tag(&mut self, tag: u32, content: &[u8]) -> fmt::Result {
        self.indent()?;
        write!(self.out, "unknown tag {tag}: ")?;
        self.put(Value::Bytes(content))?;
        self.out.write_char('\n')
    }

    fn end_struct(&mut self) -> fmt::Result {
        self.open.pop();
        self.open.pop_if(|open| matches!(open, Open::Field(_)));
        Ok(())
    }

    fn begin_array(&mut self, elements: u32) -> fmt::Result {
        let one_line = match self.open.last() {
            Some(Open::Field(field)) => match field.value() {
                Type::Array(element) => !matches!(element, Type::Struct(_)),
                Type::Bytes | Type::Records | Type::Scalar(_) | Type::String | Type::Struct(_) => {
                    false
                }
            },
            Some(Open::List(_) | Open::Row(_) | Open::Struct) | None => false,
        };
        if one_line {
            self.open.push(Open::Row(false));
            return self.out.write_str(": [");
        }
        self.open.push(Open::List(0));
        writeln!(self.out, " ({elements})")
    }

    fn end_array(&mut self) -> fmt::Result {
        if let Some(Open::Row(_)) = self.open.pop() {
            self.out.write_str("]\n")?;
        }
        self.open.pop_if(|open| matches!(open, Open::Field(_)));
        Ok(())
    }

    fn value(&mut self, value: Value<'_>) -> fmt::Result {
        if let Some(Open::Row(started)) = self.open.last_mut() {
            if std::mem::replace(started, true) {
                self.out.write_str(", ")?;
            }
            return self.put(value);
        }
        self.open.pop_if(|open| matches!(open, Open::Field(_)));
        if let Value::Records(records) = value {
            return self.records(records);
        }
        self.out.write_str(": ")?;
        self.put(value)?;
        self.out.write_char('\n')
    }
}

impl<W: Write> Print for Tree<'_, W> {
    fn start(&mut self, message: &'static Message, version: i16, bytes: usize) -> fmt::Result {
        writeln!(self.out, "{} v{version}, {bytes} bytes", message.name())
    }

    fn part(&mut self, name: &'static str) -> fmt::Result {
        self.line(format_args!("{name}"))
    }

    fn finish(&mut self, error: Option<&GuardError>) -> fmt::Result {
        let unfinished = matches!(self.open.last(), Some(Open::Field(_) | Open::Row(_)));
        if unfinished {
            self.out.write_str(" ...\n")?;
        }
        self.open.clear();
        match error {
            Some(error) => writeln!(self.out, "malformed: {error}"),
            None => Ok(()),
        }
    }
}
