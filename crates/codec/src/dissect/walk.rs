//! One pass over the bytes, led by the schema itself, with a visitor for what it meets.
//!
//! The guard's walk knows programs, this one knows schemas. They share how a single value is read and
//! nothing else, so that each can be held against the other.

use super::DissectError;
use crate::Limits;
use crate::guard::{Fault, GuardError, Trouble, take};
use crate::schema::{Field, Message, Scalar, Struct, Type};
use std::fmt;

/// A single value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A truth value.
    Bool(bool),
    /// Bytes without meaning here.
    Bytes(&'a [u8]),
    /// A floating-point number.
    Float64(f64),
    /// A whole number of any width.
    Int(i64),
    /// A null string, array, struct or byte field.
    Null,
    /// Record batches.
    Records(&'a [u8]),
    /// Text.
    Text(&'a str),
    /// A uuid.
    Uuid([u8; 16]),
}

/// What a visitor sees of a message, in the order of the wire.
///
/// Every method may fail with [`fmt::Error`] to end the walk.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
pub trait Visit {
    /// A struct starts: the message itself, an element of an array, or a field.
    fn begin_struct(&mut self, body: &'static Struct) -> fmt::Result;
    /// A field's value follows: a value, a struct or an array.
    fn field(&mut self, field: &'static Field) -> fmt::Result;
    /// A tagged field that the schema does not know.
    fn unknown_tag(&mut self, tag: u32, content: &[u8]) -> fmt::Result;
    /// The struct ends.
    fn end_struct(&mut self) -> fmt::Result;
    /// An array of so many values or structs starts.
    fn begin_array(&mut self, elements: u32) -> fmt::Result;
    /// The array ends.
    fn end_array(&mut self) -> fmt::Result;
    /// A value.
    fn value(&mut self, value: Value<'_>) -> fmt::Result;
}

/// Walks one message, which must take all of the bytes.
///
/// # Errors
/// [`DissectError::Malformed`] for bytes that do not fit the schema, after the visitor has seen
/// of all that comes before; [`DissectError::Output`] if the visitor ended the walk.
pub fn walk(
    message: &'static Message,
    version: i16,
    bytes: &[u8],
    limits: &Limits,
    visitor: &mut impl Visit,
) -> Result<(), DissectError> {
    let read = walk_start(message, version, bytes, limits, visitor)?;
    if read < bytes.len() {
        let fault = Fault::TrailingBytes(bytes.len() - read);
        let path = "end".to_owned();
        let message = message.name();
        return Err(GuardError::Rejected {
            message,
            version,
            path,
            offset: read,
            fault,
        }
        .into());
    }
    Ok(())
}

/// Walks one message that other bytes may follow, and returns how many it takes.
pub(super) fn walk_start(
    message: &'static Message,
    version: i16,
    bytes: &[u8],
    limits: &Limits,
    visitor: &mut impl Visit,
) -> Result<usize, DissectError> {
    if bytes.len() > limits.frame_bytes {
        let (length, limit) = (bytes.len(), limits.frame_bytes);
        return Err(GuardError::TooLarge { length, limit }.into());
    }
    if !message.versions().contains(version) {
        return Err(GuardError::UnknownVersion {
            message: message.name(),
            version,
        }
        .into());
    }
    let mut walk = Walk {
        version,
        flexible: message.is_flexible(version),
        limits,
        end: bytes.len(),
        visitor,
    };
    match walk.body(message.body(), bytes) {
        Ok(rest) => Ok(bytes.len() - rest.len()),
        Err(Stop::Visitor(source)) => Err(source.into()),
        Err(Stop::Trouble(trouble)) => Err(GuardError::Rejected {
            message: message.name(),
            version,
            path: trouble.path(),
            offset: trouble.offset,
            fault: trouble.fault,
        }
        .into()),
    }
}

/// Why the walk ends early.
enum Stop {
    Trouble(Box<Trouble>),
    Visitor(fmt::Error),
}

impl From<fmt::Error> for Stop {
    fn from(source: fmt::Error) -> Self {
        Self::Visitor(source)
    }
}

impl Stop {
    fn within(self, step: String) -> Self {
        match self {
            Self::Trouble(trouble) => Self::Trouble(trouble.within(step)),
            Self::Visitor(source) => Self::Visitor(source),
        }
    }
}

type Rest<'a> = Result<&'a [u8], Stop>;

struct Walk<'w, V> {
    version: i16,
    flexible: bool,
    limits: &'w Limits,
    /// Where the bytes at hand end, counted from the start of the message.
    end: usize,
    visitor: &'w mut V,
}

impl<V: Visit> Walk<'_, V> {
    /// Structs of the schema never contain themselves, so this recursion is as deep as the schema.
    fn body<'a>(&mut self, body: &'static Struct, mut rest: &'a [u8]) -> Rest<'a> {
        self.visitor.begin_struct(body)?;
        for field in body.fields() {
            if field.versions().contains(self.version) && !field.is_tagged(self.version) {
                rest = self.field(field, rest)?;
            }
        }
        if self.flexible {
            rest = self.tags(body, rest)?;
        }
        self.visitor.end_struct()?;
        Ok(rest)
    }

    fn field<'a>(&mut self, field: &'static Field, rest: &'a [u8]) -> Rest<'a> {
        self.visitor.field(field)?;
        let form = Form {
            compact: self.flexible && !field.is_rigid(),
            nullable: field.nullable().contains(self.version),
        };
        let result = self.value(field.value(), form, rest);
        result.map_err(|stop| stop.within(field.name().to_owned()))
    }

    fn value<'a>(&mut self, value: Type, form: Form, rest: &'a [u8]) -> Rest<'a> {
        let here = rest;
        match value {
            Type::Scalar(scalar) => {
                let (value, rest) = self.located(here, read_scalar(scalar, rest))?;
                self.visitor.value(value)?;
                Ok(rest)
            }
            Type::String => {
                let (text, rest) = self.located(here, form.read_text(rest))?;
                self.visitor.value(text.map_or(Value::Null, Value::Text))?;
                Ok(rest)
            }
            Type::Bytes | Type::Records => {
                let (bytes, rest) = self.located(here, form.read_bytes(rest))?;
                self.visitor.value(match bytes {
                    None => Value::Null,
                    Some(bytes) if matches!(value, Type::Records) => Value::Records(bytes),
                    Some(bytes) => Value::Bytes(bytes),
                })?;
                Ok(rest)
            }
            Type::Struct(body) if form.nullable => {
                let (present, rest) = self.located(here, take::presence(rest))?;
                if present {
                    return self.body(body, rest);
                }
                self.visitor.value(Value::Null)?;
                Ok(rest)
            }
            Type::Struct(body) => self.body(body, rest),
            Type::Array(element) => self.array(*element, form, rest),
        }
    }

    fn array<'a>(&mut self, element: Type, form: Form, rest: &'a [u8]) -> Rest<'a> {
        let here = rest;
        let (elements, mut rest) = self.located(here, form.read_count(rest))?;
        let Some(elements) = elements else {
            self.visitor.value(Value::Null)?;
            return Ok(rest);
        };
        let element_bytes = least_bytes(element, self.version, self.flexible);
        let (many, left) = (take::widen(elements), rest.len());
        if many > left / element_bytes.max(1) {
            let fault = Fault::CountBeyondBytes {
                count: elements,
                element_bytes,
                left,
            };
            return Err(self.trouble(here, fault));
        }
        if many > self.limits.array_elements {
            let limit = self.limits.array_elements;
            return Err(self.trouble(
                here,
                Fault::TooManyElements {
                    count: elements,
                    limit,
                },
            ));
        }
        self.visitor.begin_array(elements)?;
        let form = Form {
            nullable: false,
            ..form
        };
        for index in 0..elements {
            rest = self
                .value(element, form, rest)
                .map_err(|stop| stop.within(format!("[{index}]")))?;
        }
        self.visitor.end_array()?;
        Ok(rest)
    }

    fn tags<'a>(&mut self, body: &'static Struct, rest: &'a [u8]) -> Rest<'a> {
        let here = rest;
        let (count, mut rest) = self.located_in_tags(here, take::varint(rest))?;
        let limit = self.limits.tagged_fields.min(rest.len() / 2);
        if take::widen(count) > limit {
            let fault = Fault::TooManyTags { count, limit };
            return Err(self.trouble(here, fault).within("tags".to_owned()));
        }
        let mut previous = None;
        for _ in 0..count {
            let (tag, content, after) = self.located_in_tags(rest, take::tag(rest, previous))?;
            previous = Some(tag);
            let number = |field: &&Field| field.tag().is_some_and(|known| known.number == tag);
            match body.fields().iter().find(number) {
                Some(field) => self.known_tag(field, tag, content, after.len())?,
                None => self.visitor.unknown_tag(tag, content)?,
            }
            rest = after;
        }
        Ok(rest)
    }

    fn known_tag(
        &mut self,
        field: &'static Field,
        tag: u32,
        content: &[u8],
        after: usize,
    ) -> Result<(), Stop> {
        let outer_end = self.end;
        self.end = outer_end - after;
        if !field.is_tagged(self.version) {
            let fault = Fault::TagNotInVersion(tag);
            return Err(self.trouble(content, fault).within("tags".to_owned()));
        }
        let rest = self.field(field, content)?;
        if !rest.is_empty() {
            let read = content.len() - rest.len();
            let fault = Fault::TagSize {
                declared: content.len(),
                read,
            };
            return Err(self.trouble(rest, fault).within(field.name().to_owned()));
        }
        self.end = outer_end;
        Ok(())
    }

    fn located<T>(&self, here: &[u8], result: Result<T, Fault>) -> Result<T, Stop> {
        result.map_err(|fault| self.trouble(here, fault))
    }

    fn located_in_tags<T>(&self, here: &[u8], result: Result<T, Fault>) -> Result<T, Stop> {
        result.map_err(|fault| self.trouble(here, fault).within("tags".to_owned()))
    }

    fn trouble(&self, here: &[u8], fault: Fault) -> Stop {
        Stop::Trouble(Trouble::new(self.end.saturating_sub(here.len()), fault))
    }
}

/// How lengths are written, and whether null is allowed.
#[derive(Clone, Copy)]
struct Form {
    compact: bool,
    nullable: bool,
}

impl Form {
    fn read_count(self, rest: &[u8]) -> Result<(Option<u32>, &[u8]), Fault> {
        if self.compact {
            let (encoded, rest) = take::varint(rest)?;
            return match encoded.checked_sub(1) {
                None if !self.nullable => Err(Fault::NotNullable),
                count => Ok((count, rest)),
            };
        }
        let (encoded, rest) = take::array(rest)?;
        Ok((
            take::length(i32::from_be_bytes(encoded), self.nullable)?,
            rest,
        ))
    }

    fn read_bytes(self, rest: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Fault> {
        let (length, rest) = self.read_count(rest)?;
        cut(length, rest)
    }

    fn read_text(self, rest: &[u8]) -> Result<(Option<&str>, &[u8]), Fault> {
        let (text, rest) = if self.compact {
            self.read_bytes(rest)?
        } else {
            let (encoded, rest) = take::array(rest)?;
            let length = take::length(i16::from_be_bytes(encoded).into(), self.nullable)?;
            cut(length, rest)?
        };
        match text.map(std::str::from_utf8).transpose() {
            Ok(text) => Ok((text, rest)),
            Err(_) => Err(Fault::NotUtf8),
        }
    }
}

fn cut(length: Option<u32>, rest: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Fault> {
    let Some(length) = length else {
        return Ok((None, rest));
    };
    let (bytes, rest) = take::split(rest, take::widen(length))?;
    Ok((Some(bytes), rest))
}

fn read_scalar(scalar: Scalar, rest: &[u8]) -> Result<(Value<'static>, &[u8]), Fault> {
    Ok(match scalar {
        Scalar::Bool => {
            let ([byte], rest) = take::array(rest)?;
            (Value::Bool(byte != 0), rest)
        }
        Scalar::Float64 => {
            let (bytes, rest) = take::array(rest)?;
            (Value::Float64(f64::from_be_bytes(bytes)), rest)
        }
        Scalar::Int16 => {
            let (bytes, rest) = take::array(rest)?;
            (Value::Int(i16::from_be_bytes(bytes).into()), rest)
        }
        Scalar::Int32 => {
            let (bytes, rest) = take::array(rest)?;
            (Value::Int(i32::from_be_bytes(bytes).into()), rest)
        }
        Scalar::Int64 => {
            let (bytes, rest) = take::array(rest)?;
            (Value::Int(i64::from_be_bytes(bytes)), rest)
        }
        Scalar::Int8 => {
            let (bytes, rest) = take::array(rest)?;
            (Value::Int(i8::from_be_bytes(bytes).into()), rest)
        }
        Scalar::Uint16 => {
            let (bytes, rest) = take::array(rest)?;
            (Value::Int(u16::from_be_bytes(bytes).into()), rest)
        }
        Scalar::Uint32 => {
            let (bytes, rest) = take::array(rest)?;
            (Value::Int(u32::from_be_bytes(bytes).into()), rest)
        }
        Scalar::Uuid => {
            let (bytes, rest) = take::array(rest)?;
            (Value::Uuid(bytes), rest)
        }
    })
}

/// The fewest bytes that an array's element takes.
fn least_bytes(value: Type, version: i16, flexible: bool) -> usize {
    match value {
        Type::Scalar(scalar) => scalar.size(),
        Type::Array(_) | Type::Bytes | Type::Records | Type::String if flexible => 1,
        Type::String => 2,
        Type::Array(_) | Type::Bytes | Type::Records => 4,
        Type::Struct(body) => {
            let here =
                |field: &&Field| field.versions().contains(version) && !field.is_tagged(version);
            let fields = body.fields().iter().filter(here).map(|field| {
                // A nullable struct may be the byte that says it is not there.
                if matches!(field.value(), Type::Struct(_)) && field.nullable().contains(version) {
                    return 1;
                }
                least_bytes(field.value(), version, flexible && !field.is_rigid())
            });
            fields.sum::<usize>() + usize::from(flexible)
        }
    }
}
