//! The errors that the machine makes itself.

use std::sync::Arc;

use milena_codec::ErrorCode;

use super::request::Api;
use crate::error::Error;

/// The same rejection, saying what INVALID_PRODUCER_ID_MAPPING means here.
pub(super) fn in_words(mut cause: Error) -> Error {
    if let Error::Broker { message, .. } = &mut cause {
        message.get_or_insert_with(|| {
            Arc::from(
                "the coordinator no longer knows this producer: its transactional id was idle for longer than \
                 transactional.id.expiration.ms; nothing of the transaction is visible, and its abort takes the id \
                 again unless a newer producer has it",
            )
        });
    }
    cause
}

pub(super) fn outcome_unknown(cause: Error) -> Error {
    Error::OutcomeUnknown {
        operation: "the commit".into(),
        cause: Some(Arc::new(cause)),
    }
}

pub(super) fn version_unsupported(api: Api, broker: Option<i32>) -> Error {
    version_unsupported_for(api, broker, NoVersion)
}

/// The same, with what needs the version.
pub(super) fn version_unsupported_for(
    api: Api,
    broker: Option<i32>,
    reason: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::UnsupportedVersion {
        request: api.key(),
        broker,
        cause: Arc::new(reason),
    }
}

pub(super) fn said(
    code: ErrorCode,
    api: Api,
    broker: Option<i32>,
    message: impl Into<Arc<str>>,
) -> Error {
    Error::Broker {
        code,
        request: api.key(),
        broker,
        topic: None,
        partition: None,
        message: Some(message.into()),
    }
}

pub(super) fn malformed(api: Api, broker: Option<i32>) -> Error {
    Error::Malformed {
        request: api.key(),
        broker,
        cause: Arc::new(NotANewIdentity),
    }
}

/// The answer carries no producer id, or the one and the epoch that were to be replaced.
#[derive(Debug, thiserror::Error)]
#[error("it names no new producer id and epoch")]
struct NotANewIdentity;

#[derive(Debug, thiserror::Error)]
#[error("it speaks no version of the request that may be used here")]
struct NoVersion;
