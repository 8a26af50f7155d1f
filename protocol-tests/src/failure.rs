//! What can go wrong in the harness, and how that ends a test.

use milena_codec::ErrorCode;
use std::error::Error;
use std::io;
use std::time::Duration;

/// Why the harness could not do what a test asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// This machine lacks what real brokers need; tests are skipped for that, not failed.
    #[error("{what} is missing: {remedy}")]
    Missing {
        /// The program or file.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// A file, pipe or socket of the harness failed.
    #[error("{doing} failed: {source}")]
    Io {
        /// What was being done, e.g. `reading /tmp/x`.
        doing: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A program ended with an error.
    #[error("{program} failed: {output}")]
    Program {
        /// Which one.
        program: String,
        /// The end of what it printed.
        output: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {limit:?}\n{context}")]
    Late {
        /// What was awaited.
        what: String,
        /// How long.
        limit: Duration,
        /// The end of the log of whoever was late.
        context: String,
    },
    /// A broker refused a bare request.
    #[error("{request} was answered with {code}")]
    Answer {
        /// The request.
        request: &'static str,
        /// The broker's error.
        code: ErrorCode,
    },
    /// A bare request could not be written, or its answer not be read.
    #[error("request {api_key} to {address}: {reason}")]
    Wire {
        /// The API, as its key.
        api_key: i16,
        /// The broker.
        address: String,
        /// Why.
        reason: String,
    },
    /// The Java tool could not do what it was asked.
    #[error("{operation} failed in Java: {reason}")]
    Java {
        /// What was asked.
        operation: String,
        /// The exception.
        reason: String,
    },
}

impl Failure {
    /// An error of the operating system while `doing` something.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// Ends the test.
    ///
    /// # Panics
    ///
    /// Always: that is how a test fails.
    #[track_caller]
    #[expect(
        clippy::panic,
        reason = "a harness that cannot go on has only a test to fail"
    )]
    pub fn fail(&self) -> ! {
        panic!("{self}")
    }
}

/// Results of the harness in places where only a test can be the caller.
pub trait OrFail<T> {
    /// The value, or the end of the test.
    fn or_fail(self) -> T;
}

impl<T> OrFail<T> for Result<T, Failure> {
    #[track_caller]
    fn or_fail(self) -> T {
        match self {
            Ok(value) => value,
            Err(failure) => failure.fail(),
        }
    }
}

/// An error with all its causes.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
