//! The errors of the connection below, in the words of this crate.

use std::sync::Arc;

use milena_codec::{ApiKey, ErrorCode};
use milena_connection::{CallError, CallSite, NotSentCause, ProtocolHint};

use super::{Cause, Error};
use crate::config::ConfigError;

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        let foreign = error.protocol_hint().is_some_and(is_certainly_not_kafka);
        match error {
            CallError::Ambiguous { site, cause } if foreign => wrong_listener(&site, cause),
            CallError::Ambiguous { site, cause } => transport(&site, true, cause),
            CallError::Broker {
                site,
                code,
                message,
            } => Self::Broker {
                code,
                request: api(&site),
                broker: site.broker_id,
                topic: None,
                partition: None,
                message: message.map(Into::into),
            },
            CallError::Malformed { site, source } => Self::Malformed {
                request: api(&site),
                broker: site.broker_id,
                cause: source,
            },
            CallError::NotSent { site, cause } if foreign => wrong_listener(&site, cause),
            CallError::NotSent { site, cause } => not_sent(&site, cause),
            // A kind of failure that this version does not know: nothing says that it was harmless.
            unknown => {
                let site = unknown.site().clone();
                transport(&site, true, unknown)
            }
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else it is, nothing was sent"
)]
fn not_sent(site: &CallSite, cause: NotSentCause) -> Error {
    match cause {
        NotSentCause::ClusterClosed => Error::Closed { what: "the client" },
        NotSentCause::Encode { source } => {
            Error::misuse(format!("{} cannot be written: {source}", api(site)))
        }
        NotSentCause::LeaderUnknown {
            topic,
            partition,
            code,
        } => Error::Broker {
            code: code.unwrap_or(ErrorCode::LeaderNotAvailable),
            request: ApiKey::Metadata,
            broker: None,
            topic: Some(topic.into()),
            partition: Some(partition),
            message: None,
        },
        // What stands in the way is the look-up's trouble: the request itself changed nothing.
        NotSentCause::Lookup { source } if source.code().is_some() => (*source).into(),
        cause @ NotSentCause::NoCommonVersion { .. } => Error::UnsupportedVersion {
            request: api(site),
            broker: site.broker_id,
            cause: Arc::new(cause),
        },
        NotSentCause::TopicUnknown { topic, code } => Error::Broker {
            code: code.unwrap_or(ErrorCode::UnknownTopicOrPartition),
            request: ApiKey::Metadata,
            broker: None,
            topic: Some(topic.into()),
            partition: None,
            message: None,
        },
        other => transport(site, false, other),
    }
}

fn transport(
    site: &CallSite,
    sent: bool,
    cause: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::Transport {
        request: site.api,
        address: address(site),
        sent,
        cause: Arc::new(cause),
    }
}

fn wrong_listener(site: &CallSite, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    let cause: Cause = Arc::new(cause);
    Error::WrongListener {
        address: address(site),
        cause,
    }
}

/// The request of a site that has one. The first request of a connection is ApiVersions.
fn api(site: &CallSite) -> ApiKey {
    site.api.unwrap_or(ApiKey::ApiVersions)
}

fn address(site: &CallSite) -> Option<Arc<str>> {
    site.address
        .as_ref()
        .map(|address| address.to_string().into())
}

/// A connection that was merely closed early can be a broker that is going down, and comes back.
fn is_certainly_not_kafka(hint: ProtocolHint) -> bool {
    matches!(
        hint,
        ProtocolHint::Http | ProtocolHint::NotKafka | ProtocolHint::Tls
    )
}

impl From<milena_connection::ConfigError> for Error {
    fn from(error: milena_connection::ConfigError) -> Self {
        use milena_connection::ConfigError as Refused;
        let (setting, problem) = match &error {
            Refused::NoBootstrap => ("bootstrap", "at least one broker is needed".to_owned()),
            Refused::Value { setting, problem } => (*setting, (*problem).to_owned()),
            unknown => ("the connection's settings", unknown.to_string()),
        };
        ConfigError::new(setting, "(as given)", problem, "choose another value").into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use milena_connection::{AmbiguousCause, BrokerAddress, CloseReason};

    use super::*;

    fn site(api: ApiKey) -> CallSite {
        let address = Some(Arc::new(BrokerAddress::new("k1", 9092)));
        CallSite {
            api: Some(api),
            broker_id: Some(1),
            address,
            elapsed: Duration::from_secs(1),
        }
    }

    fn timed_out(api: ApiKey) -> Error {
        let cause = AmbiguousCause::TimedOut {
            timeout: Duration::from_secs(30),
        };
        CallError::Ambiguous {
            site: site(api),
            cause,
        }
        .into()
    }

    fn not_sent(cause: NotSentCause) -> Error {
        CallError::NotSent {
            site: site(ApiKey::Produce),
            cause,
        }
        .into()
    }

    #[test]
    fn an_unanswered_write_is_unknown_and_an_unanswered_look_up_may_be_repeated() {
        assert!(timed_out(ApiKey::Produce).is_outcome_unknown());
        assert!(timed_out(ApiKey::EndTxn).is_outcome_unknown());
        assert!(timed_out(ApiKey::Metadata).is_retriable());
        assert_eq!(
            timed_out(ApiKey::EndTxn).to_string(),
            "EndTxn to k1:9092 got no response"
        );
    }

    #[test]
    fn what_was_never_sent_has_no_unknown_outcome() {
        for cause in [
            NotSentCause::DeadlinePassed { last: None },
            NotSentCause::ControllerUnknown,
            NotSentCause::Full { limit: 64 },
            NotSentCause::BrokerUnknown { broker_id: 7 },
            NotSentCause::TopicUnknown {
                topic: "orders".to_owned(),
                code: None,
            },
            NotSentCause::LeaderUnknown {
                topic: "orders".to_owned(),
                partition: 3,
                code: None,
            },
        ] {
            let error = not_sent(cause);
            assert!(error.is_retriable(), "{error}");
        }
        assert!(not_sent(NotSentCause::ClusterClosed).is_fatal());
    }

    #[test]
    fn a_look_up_that_was_refused_says_what_refused_it() {
        let code = ErrorCode::TransactionalIdAuthorizationFailed;
        let lookup = CallError::Broker {
            site: site(ApiKey::FindCoordinator),
            code,
            message: None,
        };
        let error = not_sent(NotSentCause::Lookup {
            source: Box::new(lookup),
        });
        assert_eq!(error.code(), Some(code));
    }

    #[test]
    fn an_unreadable_answer_to_a_write_leaves_the_outcome_unknown() {
        let malformed = |request| Error::Malformed {
            request,
            broker: None,
            cause: Arc::new(std::io::Error::other("short")),
        };
        assert!(malformed(ApiKey::Produce).is_outcome_unknown());
        assert!(!malformed(ApiKey::Fetch).is_outcome_unknown());
    }

    #[test]
    fn a_port_that_speaks_tls_is_a_wrong_setting_and_one_that_hangs_up_is_not() {
        let closed = |hint| {
            let reason = CloseReason::EndOfStream { hint: Some(hint) };
            Error::from(CallError::NotSent {
                site: site(ApiKey::ApiVersions),
                cause: NotSentCause::Closed { reason },
            })
        };
        assert!(matches!(
            closed(ProtocolHint::Tls),
            Error::WrongListener { .. }
        ));
        assert!(closed(ProtocolHint::ClosedAtOnce).is_retriable());
    }
}
