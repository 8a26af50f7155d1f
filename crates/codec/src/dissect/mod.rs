//! Prints any frame in any version, as JSON or as an indented tree.
//!
//! A frame that does not fit its schema is printed as far as it goes, followed by what is wrong; the
//! output is whole JSON even then. What the [`guard`](crate::guard) rejects for its lengths is rejected
//! here at the same byte; only the budget for typed memory plays no part, since nothing is built.
//!
//! JSON names fields as Kafka's own JSON converters do (`throttleTimeMs`), with bytes in base64 and
//! uuids in Kafka's base64 form. Records are summed up batch by batch instead of being copied out. Keys
//! that no schema has start with an underscore: `_tag7` for an unknown tagged field.
//!
//! [`walk`] is the walk underneath, for callers that look for some fields only.

mod json;
mod records;
mod text;
mod tree;
mod walk;

pub use walk::{Value, Visit, walk};

use crate::Limits;
use crate::guard::GuardError;
use crate::schema::{self, Message};
use json::Json;
use std::fmt::{self, Write};
use tree::Tree;

/// How a frame is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object on one line.
    Json,
    /// One line a field, indented, with the names of Kafka's definitions.
    Tree,
}

/// Why a frame was not printed to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DissectError {
    /// The frame does not fit its schema. What came before has been printed, and this too.
    #[error("the frame is malformed")]
    Malformed {
        /// Which message, where, and why.
        #[from]
        source: GuardError,
    },
    /// The output would take no more.
    #[error("the output failed")]
    Output {
        /// As the output said.
        #[from]
        source: fmt::Error,
    },
}

/// Prints a request frame: header and body, without the four bytes of length.
///
/// # Errors
/// [`DissectError::Malformed`] after as much as could be read; [`DissectError::Output`].
pub fn request(
    out: &mut impl Write,
    format: Format,
    frame: &[u8],
    limits: &Limits,
) -> Result<(), DissectError> {
    let found = frame.first_chunk().map(|[k1, k2, v1, v2]| {
        (
            i16::from_be_bytes([*k1, *k2]),
            i16::from_be_bytes([*v1, *v2]),
        )
    });
    // A frame too short to name its API is printed as the oldest header.
    let (body, version) = match found {
        Some((api_key, api_version)) => (known(schema::request(api_key), api_key)?, api_version),
        None => (known(schema::request(0), 0)?, 0),
    };
    let header = if body.is_flexible(version) { 2 } else { 1 };
    let header = (named("RequestHeader")?, header);
    print(out, format, Some(header), (body, version), frame, limits)
}

/// Prints a response frame: header and body, without the four bytes of length. Which API and version
/// it belongs to is known to the sender of the request.
///
/// # Errors
/// [`DissectError::Malformed`] after as much as could be read; [`DissectError::Output`].
pub fn response(
    out: &mut impl Write,
    format: Format,
    frame: &[u8],
    api_key: i16,
    api_version: i16,
    limits: &Limits,
) -> Result<(), DissectError> {
    let body = known(schema::response(api_key), api_key)?;
    let header = schema::response_header_version(api_key, api_version).unwrap_or(0);
    let header = (named("ResponseHeader")?, header);
    print(
        out,
        format,
        Some(header),
        (body, api_version),
        frame,
        limits,
    )
}

/// Prints the bytes of one message without any header.
///
/// # Errors
/// [`DissectError::Malformed`] after as much as could be read; [`DissectError::Output`].
pub fn message(
    out: &mut impl Write,
    format: Format,
    message: &'static Message,
    version: i16,
    bytes: &[u8],
    limits: &Limits,
) -> Result<(), DissectError> {
    print(out, format, None, (message, version), bytes, limits)
}

/// A message of the table, in one of its versions.
type Versioned = (&'static Message, i16);

fn known(message: Option<&'static Message>, api_key: i16) -> Result<&'static Message, GuardError> {
    message.ok_or(GuardError::UnknownApi { api_key })
}

fn named(name: &str) -> Result<&'static Message, GuardError> {
    let unknown = || GuardError::UnknownMessage {
        name: name.to_owned(),
    };
    schema::message_named(name).ok_or_else(unknown)
}

fn print(
    out: &mut impl Write,
    format: Format,
    header: Option<Versioned>,
    body: Versioned,
    frame: &[u8],
    limits: &Limits,
) -> Result<(), DissectError> {
    match format {
        Format::Json => print_parts(&mut Json::new(out), header, body, frame, limits),
        Format::Tree => print_parts(&mut Tree::new(out), header, body, frame, limits),
    }
}

/// What both formats need on top of the fields.
trait Print: Visit {
    fn start(&mut self, message: &'static Message, version: i16, bytes: usize) -> fmt::Result;
    fn part(&mut self, name: &'static str) -> fmt::Result;
    /// Closes whatever is still open.
    fn finish(&mut self, error: Option<&GuardError>) -> fmt::Result;
}

fn print_parts(
    printer: &mut impl Print,
    header: Option<Versioned>,
    (body, version): Versioned,
    frame: &[u8],
    limits: &Limits,
) -> Result<(), DissectError> {
    printer.start(body, version, frame.len())?;
    let outcome = walk_parts(printer, header, (body, version), frame, limits);
    match &outcome {
        Ok(()) => printer.finish(None)?,
        Err(DissectError::Malformed { source }) => printer.finish(Some(source))?,
        Err(DissectError::Output { .. }) => {}
    }
    outcome
}

fn walk_parts(
    printer: &mut impl Print,
    header: Option<Versioned>,
    (body, version): Versioned,
    frame: &[u8],
    limits: &Limits,
) -> Result<(), DissectError> {
    let mut rest = frame;
    if let Some((header, version)) = header {
        printer.part("header")?;
        let read = walk::walk_start(header, version, frame, limits, printer)?;
        rest = frame.get(read..).unwrap_or_default();
    }
    printer.part("body")?;
    walk(body, version, rest, limits, printer)
}

#[cfg(test)]
mod tests;
