//! A message as one JSON object.

use super::records::{BatchSummary, summaries};
use super::text::{put_base64, put_quoted, put_uuid};
use super::walk::{Value, Visit};
use super::{GuardError, Message, Print};
use crate::record::Tail;
use crate::schema::{Field, Kind, Struct};
use std::fmt::{self, Write};

pub(super) struct Json<'o, W> {
    out: &'o mut W,
    /// The brackets to close, innermost last; as deep as the schema.
    open: Vec<char>,
    /// What stands right before the place to write at.
    place: Place,
}

/// Where the next thing goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Right behind an opening bracket, or at the start.
    First,
    /// Behind a key.
    Key,
    /// Behind another value.
    Next,
}

impl<'o, W: Write> Json<'o, W> {
    pub(super) fn new(out: &'o mut W) -> Self {
        Self {
            out,
            open: Vec::new(),
            place: Place::First,
        }
    }

    fn item(&mut self) -> fmt::Result {
        match std::mem::replace(&mut self.place, Place::Next) {
            Place::First | Place::Key => Ok(()),
            Place::Next => self.out.write_char(','),
        }
    }

    fn key(&mut self, key: &str) -> fmt::Result {
        self.item()?;
        put_quoted(self.out, key)?;
        self.out.write_char(':')?;
        self.place = Place::Key;
        Ok(())
    }

    fn begin(&mut self, open: char, close: char) -> fmt::Result {
        self.item()?;
        self.out.write_char(open)?;
        self.open.push(close);
        self.place = Place::First;
        Ok(())
    }

    fn end(&mut self) -> fmt::Result {
        self.place = Place::Next;
        match self.open.pop() {
            Some(close) => self.out.write_char(close),
            None => Ok(()),
        }
    }

    fn number(&mut self, key: &str, number: impl fmt::Display) -> fmt::Result {
        self.key(key)?;
        self.item()?;
        write!(self.out, "{number}")
    }

    fn text(&mut self, key: &str, text: &str) -> fmt::Result {
        self.key(key)?;
        self.item()?;
        put_quoted(self.out, text)
    }

    fn records(&mut self, records: &[u8]) -> fmt::Result {
        self.begin('{', '}')?;
        self.number("sizeInBytes", records.len())?;
        self.key("batches")?;
        self.begin('[', ']')?;
        let end = summaries(records, |batch| self.batch(batch))?;
        self.end()?;
        match end {
            Ok(Tail::Done) => {}
            Ok(Tail::Partial { have, need }) => {
                self.key("_partialBatch")?;
                self.begin('{', '}')?;
                self.number("have", have)?;
                self.number("need", need)?;
                self.end()?;
            }
            Err(error) => self.text("_error", &error.to_string())?,
        }
        self.end()
    }

    fn batch(&mut self, batch: &BatchSummary) -> fmt::Result {
        self.begin('{', '}')?;
        for (key, number) in batch.numbers() {
            self.number(key, number)?;
        }
        self.text("compression", batch.compression)?;
        self.text("timestampType", batch.timestamp_type)?;
        self.number("transactional", batch.transactional)?;
        self.number("control", batch.control)?;
        self.number("crcValid", batch.crc_valid)?;
        if let Some(marker) = &batch.marker {
            self.text("marker", marker)?;
        }
        self.end()
    }
}

impl<W: Write> Visit for Json<'_, W> {
    fn begin_struct(&mut self, _body: &'static Struct) -> fmt::Result {
        self.begin('{', '}')
    }

    fn field(&mut self, field: &'static Field) -> fmt::Result {
        // As Kafka's generated JSON converters: the first letter small, the others as they are.
        self.item()?;
        let mut characters = field.name().chars();
        let first = characters.next().map(|first| first.to_ascii_lowercase());
        self.out.write_char('"')?;
        first.map_or(Ok(()), |first| self.out.write_char(first))?;
        self.out.write_str(characters.as_str())?;
        self.out.write_str("\":")?;
        self.place = Place::Key;
        Ok(())
    }

    fn unknown_tag(&mut self, tag: u32, content: &[u8]) -> fmt::Result {
        self.key(&format!("_tag{tag}"))?;
        self.value(Value::Bytes(content))
    }

    fn end_struct(&mut self) -> fmt::Result {
        self.end()
    }

    fn begin_array(&mut self, _elements: u32) -> fmt::Result {
        self.begin('[', ']')
    }

    fn end_array(&mut self) -> fmt::Result {
        self.end()
    }

    fn value(&mut self, value: Value<'_>) -> fmt::Result {
        if let Value::Records(records) = value {
            return self.records(records);
        }
        self.item()?;
        match value {
            Value::Null => self.out.write_str("null"),
            Value::Bool(value) => write!(self.out, "{value}"),
            Value::Int(value) => write!(self.out, "{value}"),
            // JSON has no word for the numbers that are none; these are Java's.
            Value::Float64(value) if value.is_finite() => write!(self.out, "{value:?}"),
            Value::Float64(value) => self.out.write_str(match value.is_nan() {
                true => "\"NaN\"",
                false if value > 0.0 => "\"Infinity\"",
                false => "\"-Infinity\"",
            }),
            Value::Text(text) => put_quoted(self.out, text),
            Value::Bytes(bytes) | Value::Records(bytes) => {
                self.out.write_char('"')?;
                put_base64(self.out, bytes)?;
                self.out.write_char('"')
            }
            Value::Uuid(uuid) => {
                self.out.write_char('"')?;
                put_uuid(self.out, uuid)?;
                self.out.write_char('"')
            }
        }
    }
}

impl<W: Write> Print for Json<'_, W> {
    fn start(&mut self, message: &'static Message, version: i16, bytes: usize) -> fmt::Result {
        self.begin('{', '}')?;
        self.text("message", message.name())?;
        if let (Kind::Request | Kind::Response, Some(key)) = (message.kind(), message.api_key()) {
            self.number("apiKey", key)?;
        }
        self.number("version", version)?;
        self.number("sizeInBytes", bytes)
    }

    fn part(&mut self, name: &'static str) -> fmt::Result {
        self.key(name)
    }

    fn finish(&mut self, error: Option<&GuardError>) -> fmt::Result {
        // The walk stopped at a value whose key has been written.
        if self.place == Place::Key {
            self.value(Value::Null)?;
        }
        while self.open.len() > 1 {
            self.end()?;
        }
        if let Some(error) = error {
            self.text("_error", &error.to_string())?;
        }
        self.end()
    }
}
