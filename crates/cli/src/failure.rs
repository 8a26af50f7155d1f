//! Why a command ended early: one line and an exit code.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use milena::{ConfigError, Error};

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The reader of standard output has gone: the command ends quietly.
    BrokenPipe,
    /// A signal. `line` says what became of the work under way.
    Interrupted {
        line: String,
        exit_code: u8,
    },
    Io {
        what: String,
        error: io::Error,
    },
    Kafka(Error),
    /// Anything that needs no more than a sentence.
    Said(String),
    /// The command line or a setting cannot work.
    Usage(String),
}

impl Failure {
    /// What to print, on one line, if anything.
    pub(crate) fn line(&self) -> Option<String> {
        let line = match self {
            Self::BrokenPipe => return None,
            Self::Interrupted { line, .. } | Self::Said(line) | Self::Usage(line) => line.clone(),
            Self::Io { what, error } => format!("{what}: {error}"),
            Self::Kafka(error) => chain(error),
        };
        Some(line.replace('\n', " "))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            // As a shell expects of `milena consume | head`: not a failure of the pipeline.
            Self::BrokenPipe => ExitCode::SUCCESS,
            Self::Kafka(Error::Configuration { .. }) | Self::Usage(_) => ExitCode::from(2),
            Self::Io { .. } | Self::Kafka(_) | Self::Said(_) => ExitCode::FAILURE,
            Self::Interrupted { exit_code, .. } => ExitCode::from(*exit_code),
        }
    }
}

/// What failed at a file, with the file's name.
pub(crate) fn at_file(what: &str, path: Option<&Path>, error: io::Error) -> Failure {
    let what = path.map_or_else(
        || format!("standard input {what}"),
        |path| format!("{} {what}", path.display()),
    );
    Failure::Io { what, error }
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
        Self::Usage(chain(&error))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        Self::Io {
            what: "input or output failed".to_owned(),
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
