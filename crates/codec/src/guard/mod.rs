//! Rejects a message whose bytes do not fit its schema, before anything is built from them.
//!
//! The typed decoder behind [`message`](crate::message) believes every length and count it reads:
//! five bytes make it ask for 412 GB. So each body is walked here first, by its schema, and nothing
//! is built: every length, count, tag and varint must fit the bytes that remain, every count is
//! held against the smallest size of its elements, and the memory that the typed form will take is
//! added up and held against a budget.
//!
//! The walk takes constant memory and time in proportion to the bytes. Its programs are compiled
//! once per (message, version), when first needed, and kept.
//!
//! # What is rejected
//! - a body that ends early, or that goes on behind its last field by more than [`Limits::trailing_bytes`];
//! - a negative length other than the -1 of null, null where the version does not allow it, a
//!   presence byte that is neither 1 nor -1;
//! - a count of elements that the remaining bytes cannot hold, or above [`Limits::array_elements`];
//! - a varint of more than 32 bits;
//! - tags out of order or repeated, above `i32::MAX`, more than [`Limits::tagged_fields`] in one
//!   section, known but not in this version, or with another size than their content's;
//! - text that is not UTF-8, by [`check`] alone: [`admit`] replaces it, as Kafka does;
//! - more memory for the typed form than [`Limits::memory_base_bytes`] plus
//!   [`Limits::memory_factor`] times the body's size.
//!
//! # What is not looked at
//! Record batches and other byte fields are opaque here. `LeaderChangeMessage` and `VotersRecord`
//! carry a field `Version`, which the typed decoder of kafka-protocol 0.18 takes for the version of
//! the schema: a body that the guard passed can still mislead it. Do not decode those two by type.

mod program;
mod repair;
pub(crate) mod take;
mod walk;

pub(crate) use repair::put_varint;
pub(crate) use walk::Trouble;

use crate::Limits;
use crate::schema::{self, Message};
use bytes::Bytes;
use program::Program;
use walk::{Text, Walked};

/// Blocks inside blocks. Kafka's deepest message has five; this is a second lock on the door.
const DEPTH_MAX: usize = 16;

/// Which way a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From a client to a broker.
    Request,
    /// From a broker to a client.
    Response,
}

/// Why a message was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The bytes do not fit the schema, or ask for more than the limits allow.
    #[error("{message} v{version}, {path} at byte {offset}: {fault}")]
    Rejected {
        /// The message's name in Kafka's definitions.
        message: &'static str,
        /// The version it was read as.
        version: i16,
        /// The field, from the outermost inwards, with the index of each array element:
        /// `Topics[3].Partitions[0].ReplicaNodes`.
        path: String,
        /// Where in the body, in bytes from its start.
        offset: usize,
        /// What is wrong there.
        fault: Fault,
    },
    /// The body is longer than a frame may be.
    #[error("{length} bytes are more than the limit of {limit}")]
    TooLarge {
        /// Bytes in the body.
        length: usize,
        /// [`Limits::frame_bytes`].
        limit: usize,
    },
    /// No API has this key.
    #[error("unknown API key {api_key}")]
    UnknownApi {
        /// The key, as it came.
        api_key: i16,
    },
    /// No message has this name.
    #[error("no message is named {name}")]
    UnknownMessage {
        /// The requested name.
        name: String,
    },
    /// Kafka 4.4.0 does not know this version of the message.
    #[error("{message} has no version {version}")]
    UnknownVersion {
        /// The message's name in Kafka's definitions.
        message: &'static str,
        /// The requested version.
        version: i16,
    },
}

/// What is wrong with one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// More elements than the bytes that are left can hold.
    #[error("{count} elements of at least {element_bytes} bytes in {left} bytes")]
    CountBeyondBytes {
        /// Elements announced.
        count: u32,
        /// The fewest bytes that one takes.
        element_bytes: usize,
        /// Bytes left.
        left: usize,
    },
    /// A length below -1.
    #[error("a length of {0}")]
    NegativeLength(i32),
    /// Null where this version does not allow it.
    #[error("null is not allowed")]
    NotNullable,
    /// Text that is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// The typed form would take more memory than its budget.
    #[error("the decoded form would take more than {needed} bytes, the budget is {budget}")]
    OverBudget {
        /// Bytes that the typed form takes up to and including this field.
        needed: usize,
        /// What it may take.
        budget: usize,
    },
    /// The first byte of a nullable struct is neither 1 nor -1.
    #[error("presence byte {0}")]
    PresenceByte(i8),
    /// A tag that this version does not have.
    #[error("tag {0} is not valid in this version")]
    TagNotInVersion(u32),
    /// A tag that is not above the one before it.
    #[error("tag {tag} after tag {previous}")]
    TagOrder {
        /// The tag.
        tag: u32,
        /// The one before it.
        previous: u32,
    },
    /// A tag above `i32::MAX`.
    #[error("tag {0} is out of range")]
    TagRange(u32),
    /// A tagged field that ends before the size announced for it.
    #[error("tagged field of {declared} bytes has {read} bytes of content")]
    TagSize {
        /// Bytes announced.
        declared: usize,
        /// Bytes that its content takes.
        read: usize,
    },
    /// More elements than the limit.
    #[error("{count} elements, the limit is {limit}")]
    TooManyElements {
        /// Elements announced.
        count: u32,
        /// [`Limits::array_elements`].
        limit: usize,
    },
    /// More tagged fields in one section than the limit, or than the bytes that are left can hold.
    #[error("{count} tagged fields, at most {limit} can be here")]
    TooManyTags {
        /// Tagged fields announced.
        count: u32,
        /// How many there can be.
        limit: usize,
    },
    /// Structs inside structs, deeper than any schema of Kafka.
    #[error("nested too deep")]
    TooDeep,
    /// Bytes after the last field.
    #[error("{0} bytes are left over")]
    TrailingBytes(usize),
    /// The bytes end before the field does.
    #[error("{needed} bytes needed, {left} left")]
    Truncated {
        /// Bytes that the field, and fields of fixed size right behind it, take.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// A varint of more than 32 bits.
    #[error("a varint of more than 32 bits")]
    VarintTooLong,
}

/// Checks the body of a request or response, without its header.
///
/// # Errors
/// [`GuardError`] names the first thing that does not fit.
pub fn check(
    api_key: i16,
    direction: Direction,
    api_version: i16,
    body: &[u8],
    limits: &Limits,
) -> Result<(), GuardError> {
    let message = message_of(api_key, direction)?;
    check_message(message, api_version, body, limits).map(drop)
}

/// Checks the body of a request or response as Kafka reads it, and returns it in the form that the typed decoder can
/// read: bytes behind the last field are cut off, as far as [`Limits::trailing_bytes`] allows, and what is not UTF-8 in a
/// text becomes U+FFFD.
///
/// # Errors
/// [`GuardError`] names the first thing that does not fit.
pub fn admit(
    api_key: i16,
    direction: Direction,
    version: i16,
    mut body: Bytes,
    limits: &Limits,
) -> Result<Bytes, GuardError> {
    let message = message_of(api_key, direction)?;
    let program = program_of(message, version)?;
    let walked = walk(message, program, version, &body, limits, Text::Note)?;
    let length = walked.checked.length;
    if body.len() - length > limits.trailing_bytes {
        return Err(trailing_bytes(message, version, length, body.len()));
    }
    body.truncate(length);
    if walked.invalid_text {
        let repaired = repair::repair(program, &body).map_err(|fault| GuardError::Rejected {
            message: message.name(),
            version,
            path: "text".to_owned(),
            offset: 0,
            fault,
        })?;
        return Ok(repaired.into());
    }
    Ok(body)
}

fn message_of(api_key: i16, direction: Direction) -> Result<&'static Message, GuardError> {
    let message = match direction {
        Direction::Request => schema::request(api_key),
        Direction::Response => schema::response(api_key),
    };
    message.ok_or(GuardError::UnknownApi { api_key })
}

fn program_of(message: &'static Message, version: i16) -> Result<&'static Program, GuardError> {
    program::of(message, version).ok_or(GuardError::UnknownVersion {
        message: message.name(),
        version,
    })
}

#[cold]
fn trailing_bytes(message: &Message, version: i16, length: usize, all: usize) -> GuardError {
    GuardError::Rejected {
        message: message.name(),
        version,
        path: "end".to_owned(),
        offset: length,
        fault: Fault::TrailingBytes(all - length),
    }
}

/// Checks any message of the table by its name, also headers (`RequestHeader`, `ResponseHeader`) and
/// what stands inside other messages (`ConsumerProtocolAssignment`). The bytes must be that message
/// and nothing more.
///
/// # Errors
/// [`GuardError`] names the first thing that does not fit.
pub fn check_named(
    name: &str,
    version: i16,
    bytes: &[u8],
    limits: &Limits,
) -> Result<(), GuardError> {
    let message = schema::message_named(name).ok_or_else(|| GuardError::UnknownMessage {
        name: name.to_owned(),
    })?;
    check_message(message, version, bytes, limits).map(drop)
}

/// Checks a message, and returns how many bytes of heap its typed form takes at most.
///
/// # Errors
/// [`GuardError`] names the first thing that does not fit.
pub fn check_message(
    message: &'static Message,
    version: i16,
    bytes: &[u8],
    limits: &Limits,
) -> Result<usize, GuardError> {
    let checked = check_start(message, version, bytes, limits)?;
    if checked.length < bytes.len() {
        return Err(trailing_bytes(
            message,
            version,
            checked.length,
            bytes.len(),
        ));
    }
    Ok(checked.memory)
}

/// Checks a message that other bytes may follow, as they follow a header.
///
/// # Errors
/// [`GuardError`] names the first thing that does not fit.
pub fn check_start(
    message: &'static Message,
    version: i16,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Checked, GuardError> {
    let program = program_of(message, version)?;
    walk(message, program, version, bytes, limits, Text::Reject).map(|walked| walked.checked)
}

fn walk(
    message: &Message,
    program: &Program,
    version: i16,
    bytes: &[u8],
    limits: &Limits,
    text: Text,
) -> Result<Walked, GuardError> {
    if bytes.len() > limits.frame_bytes {
        return Err(GuardError::TooLarge {
            length: bytes.len(),
            limit: limits.frame_bytes,
        });
    }
    walk::walk(program, bytes, limits, text).map_err(|trouble| GuardError::Rejected {
        message: message.name(),
        version,
        path: trouble.path(),
        offset: trouble.offset,
        fault: trouble.fault,
    })
}

/// What the guard found out about a message that it let pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Bytes that the message takes on the wire.
    pub length: usize,
    /// Bytes of heap that its typed form takes at most. An estimate from the field list, see
    /// `program`; a test holds it against what the typed decoder really takes.
    pub memory: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(api_key: i16, version: i16, body: &[u8]) -> (String, usize, Fault) {
        match check(
            api_key,
            Direction::Response,
            version,
            body,
            &Limits::default(),
        ) {
            Err(GuardError::Rejected {
                path,
                offset,
                fault,
                ..
            }) => (path, offset, fault),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn five_bytes_of_a_produce_response_are_rejected() {
        let fault = Fault::CountBeyondBytes {
            count: 0xffff_fffe,
            element_bytes: 3,
            left: 0,
        };
        let body = [0xff, 0xff, 0xff, 0xff, 0x0f];
        assert_eq!(rejected(0, 9, &body), ("Responses".to_owned(), 0, fault));
        let error = check(0, Direction::Response, 9, &body, &Limits::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "ProduceResponse v9, Responses at byte 0: 4294967294 elements of at least 3 bytes in 0 bytes"
        );
    }

    /// Metadata v12: one topic with two partitions, of which the second has a broken replica list.
    #[test]
    fn an_error_names_the_field_and_the_byte() {
        let mut body = vec![0, 0, 0, 0, 1, 0, 0, 0, 0, 7, 2, 0, 0, 2, b't'];
        body.extend([9; 16]);
        body.extend([0, 3]);
        let partition = [0_u8; 14];
        body.extend(partition);
        body.extend([1, 1, 1, 0]);
        body.extend(partition);
        let at = body.len();
        body.extend([4, 0, 0, 0, 1]);
        let fault = Fault::CountBeyondBytes {
            count: 3,
            element_bytes: 4,
            left: 4,
        };
        assert_eq!(
            rejected(3, 12, &body),
            ("Topics[0].Partitions[1].ReplicaNodes".to_owned(), at, fault)
        );
    }

    #[test]
    fn a_cut_run_of_fixed_fields_names_the_field_that_is_cut() {
        let (path, offset, fault) = rejected(22, 4, &[0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((path.as_str(), offset), ("ProducerId", 6));
        assert_eq!(
            fault,
            Fault::Truncated {
                needed: 10,
                left: 1
            }
        );
    }

    /// `count` elements of a name behind its length and `rest`, between `head` and `tail`.
    fn names(head: &[u8], count: u32, letters: usize, rest: &[u8], tail: &[u8]) -> Vec<u8> {
        let mut body = head.to_vec();
        put_varint(&mut body, count + 1);
        for index in 0..count {
            body.push(u8::try_from(letters + 1).unwrap());
            let digits = index.to_be_bytes();
            let letter = |at: usize| {
                digits
                    .get(4_usize.wrapping_sub(at + 1))
                    .map_or(b'a', |d| d & 0x7f)
            };
            body.extend((0..letters).map(letter));
            body.extend_from_slice(rest);
        }
        body.extend_from_slice(tail);
        body
    }

    #[test]
    fn lists_of_short_names_are_within_the_budget() {
        let limits = Limits::default();
        // ListGroups 3: no protocol type. A million different names have four letters, most of them.
        for (count, letters) in [(20_000, 5), (50_000, 3), (1_000_000, 4)] {
            let body = names(&[0; 6], count, letters, &[1, 0], &[0]);
            check(16, Direction::Response, 3, &body, &limits).unwrap();
        }
        // Metadata 9 to 12.
        for (count, letters) in [(50_000, 2), (1_000_000, 4)] {
            let body = names(&[], count, letters, &[0], &[0, 0, 0, 0]);
            check(3, Direction::Request, 9, &body, &limits).unwrap();
        }
        // DescribeGroups 5 and FindCoordinator 4.
        let body = names(&[], 1_000_000, 4, &[], &[0, 0]);
        check(15, Direction::Request, 5, &body, &limits).unwrap();
        let body = names(&[0], 1_000_000, 4, &[], &[0]);
        check(10, Direction::Request, 4, &body, &limits).unwrap();
    }

    #[test]
    fn bytes_after_the_last_field_are_rejected() {
        let body = [0_u8; 18];
        let error = rejected(22, 4, &body);
        assert_eq!(error, ("end".to_owned(), 17, Fault::TrailingBytes(1)));
        check(22, Direction::Response, 4, &body[..17], &Limits::default()).unwrap();
    }

    #[test]
    fn unknown_messages_and_versions_are_errors() {
        let limits = Limits::default();
        let unknown_api = check(95, Direction::Request, 0, &[], &limits);
        assert_eq!(unknown_api, Err(GuardError::UnknownApi { api_key: 95 }));
        let unknown_version = check(0, Direction::Request, 14, &[], &limits);
        let message = "ProduceRequest";
        assert_eq!(
            unknown_version,
            Err(GuardError::UnknownVersion {
                message,
                version: 14
            })
        );
        let removed = check(7, Direction::Request, 0, &[], &limits);
        let message = "ControlledShutdownRequest";
        assert_eq!(
            removed,
            Err(GuardError::UnknownVersion {
                message,
                version: 0
            })
        );
        let unknown_name = check_named("Nothing", 0, &[], &limits).unwrap_err();
        assert_eq!(
            unknown_name,
            GuardError::UnknownMessage {
                name: "Nothing".to_owned()
            }
        );
    }
}
