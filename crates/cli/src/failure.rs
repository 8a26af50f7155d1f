//! Why a command ended early: one line and an exit code.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use milena::{ConfigError, Error};

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Whoever reads standard output has gone; there is nobody to tell.
    BrokenPipe,
    /// Ctrl-C. `line` says what became of what was on the way.
    Interrupted {
        line: String,
    },
    Io {
        what: &'static str,
        error: io::Error,
    },
    Kafka(Error),
    /// Anything that needs no more than a sentence.
    Said(String),
    /// The command line asks for what does not go together.
    Usage(String),
}

impl Failure {
    /// What to print, on one line, if anything.
    pub(crate) fn line(&self) -> Option<String> {
        let line = match self {
            Self::BrokenPipe => return None,
            Self::Interrupted { line } | Self::Said(line) | Self::Usage(line) => line.clone(),
            Self::Io { what, error } => format!("{what}: {error}"),
            Self::Kafka(error) => chain(error),
        };
        Some(line.replace('\n', " "))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            // As a shell expects of `milena consume | head`: not a failure of the pipeline.
            Self::BrokenPipe => ExitCode::SUCCESS,
            Self::Io { .. } | Self::Kafka(_) | Self::Said(_) => ExitCode::FAILURE,
            Self::Usage(_) => ExitCode::from(2),
            Self::Interrupted { .. } => ExitCode::from(130),
        }
    }
}

/// An error and its causes, outermost first. A cause that the level above already names is left out.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !line.contains(&text) {
            let _ = write!(line, ": {text}");
        }
        source = cause.source();
    }
    line
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Kafka(error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Kafka(error.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        Self::Io {
            what: "input or output failed",
            error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Level {
        text: &'static str,
        #[source]
        cause: Option<Box<Level>>,
    }

    #[test]
    fn causes_are_joined_and_not_repeated() {
        let innermost = Level {
            text: "connection refused",
            cause: None,
        };
        let inner = Level {
            text: "dial of a:1",
            cause: Some(Box::new(innermost)),
        };
        let error = Level {
            text: "no broker: dial of a:1",
            cause: Some(Box::new(inner)),
        };
        assert_eq!(chain(&error), "no broker: dial of a:1: connection refused");
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(
            Failure::Said("a\nb".to_owned()).line().as_deref(),
            Some("a b")
        );
    }

    #[test]
    fn a_broken_pipe_is_quiet() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(failure.line(), None);
    }
}
