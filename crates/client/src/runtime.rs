//! The runtime and the clock that the handles live by.

pub(crate) use milena_connection::clock::{after, now};

use crate::error::Error;

/// The runtime that the caller runs in.
pub(crate) fn runtime() -> Result<tokio::runtime::Handle, Error> {
    tokio::runtime::Handle::try_current().map_err(|_| {
        Error::misuse(
            "no tokio runtime here: start milena's handles inside one, as in #[tokio::main]",
        )
    })
}
