//! An error with its causes, for people to read.

use std::error::Error as StdError;
use std::fmt;

use super::{Cause, Error};

/// An error and all its causes on one line, outermost first: what an application prints or logs.
///
/// `Display` of an error prints its own level only, so that a program can print the causes in its own way. A report
/// prints them all, separated by `: `; a cause that the level above already quotes is left out. `Debug` prints the same, so
/// that `main` can return it:
///
/// ```no_run
/// use milena::{Producer, ProducerBuilder, Record, Report};
///
/// #[tokio::main]
/// async fn main() -> Result<(), Report> {
///     let producer = Producer::new(ProducerBuilder::new(["localhost:9092"]).build()?)?;
///     let delivery = producer.send(Record::to("orders").value(b"3 apples")).await?;
///     if let Err(error) = delivery.await {
///         eprintln!("not delivered: {}", error.report());
///     }
///     Ok(())
/// }
/// ```
///
/// Like the report types of other crates it is not an error itself: otherwise `?` could not turn every error into one.
#[derive(Clone)]
pub struct Report(Cause);

impl Report {
    /// The error that is reported, such as an [`Error`] or a [`ConfigError`](crate::ConfigError).
    #[must_use]
    pub fn error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Report {
    fn from(error: E) -> Self {
        Self(std::sync::Arc::new(error))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = self.0.to_string();
        let mut next = self.0.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if !line.contains(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            next = cause.source();
        }
        f.write_str(&line)
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// This error and all its causes on one line.
    #[must_use]
    pub fn report(&self) -> Report {
        Report::from(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    fn refused_connection() -> Error {
        Error::Transport {
            request: Some(milena_codec::ApiKey::Metadata),
            address: Some("127.0.0.1:1".into()),
            sent: false,
            cause: Arc::new(std::io::Error::other("connection refused")),
        }
    }

    #[test]
    fn a_report_has_every_cause_once() {
        let error = Error::Timeout {
            operation: "learning the partitions of orders".into(),
            elapsed: Duration::from_secs(60),
            cause: Some(Arc::new(refused_connection())),
        };
        let (own, cause) = (error.to_string(), refused_connection().to_string());
        let report = error.report().to_string();
        assert_eq!(report, format!("{own}: {cause}: connection refused"));
    }

    #[test]
    fn a_cause_that_the_level_above_quotes_is_left_out() {
        let config = crate::ProducerBuilder::new(["nowhere:0"]).build();
        let error = Error::from(config.unwrap_err());
        assert_eq!(error.report().to_string(), error.to_string());
    }

    #[test]
    fn main_may_return_it_and_prints_what_display_prints() {
        fn main_of_an_application() -> Result<(), Report> {
            Err(refused_connection())?;
            Ok(())
        }
        let report = main_of_an_application().unwrap_err();
        assert_eq!(format!("{report:?}"), report.to_string());
        assert!(report.error().downcast_ref::<Error>().is_some());
    }
}
