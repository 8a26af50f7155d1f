//! Why a request has no answer, and whether it may have had an effect.

use crate::BrokerAddress;
use crate::versions::ApiVersionRange;
use milena_codec::{ApiKey, DecodeError, EncodeError, ErrorCode, FrameError};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Which request an error is about, whom it was for, and how long it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSite {
    /// The API of the request; `None` while connecting, before there is one.
    pub api: Option<ApiKey>,
    /// The broker, if it was known by its id.
    pub broker_id: Option<i32>,
    /// Where the broker listens, if that was known.
    pub address: Option<Arc<BrokerAddress>>,
    /// From the call to the error.
    pub elapsed: Duration,
}

impl fmt::Display for CallSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.api {
            Some(api) => write!(f, "{api}")?,
            None => f.write_str("connect")?,
        }
        match (self.broker_id, &self.address) {
            (Some(id), Some(address)) => write!(f, " to broker {id} at {address}")?,
            (Some(id), None) => write!(f, " to broker {id}")?,
            (None, Some(address)) => write!(f, " to {address}")?,
            (None, None) => {}
        }
        write!(f, " after {:.3} s", self.elapsed.as_secs_f64())
    }
}

/// A request has no good answer.
///
/// The variants differ in what may have happened at the broker: nothing ([`CallError::NotSent`]),
/// anything ([`CallError::Ambiguous`], [`CallError::Malformed`]), or what the code says
/// ([`CallError::Broker`]).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The request may or may not have been carried out: its bytes were handed to the transport, at
    /// least in part, and no answer came.
    #[error("{site}: the outcome is unknown")]
    Ambiguous {
        /// Which request.
        site: CallSite,
        /// What came instead of an answer.
        #[source]
        cause: AmbiguousCause,
    },
    /// The broker answered with an error where the caller wants a value.
    #[error("{site}: refused with {code}{}", explained(.message.as_ref()))]
    Broker {
        /// Which request.
        site: CallSite,
        /// The error.
        code: ErrorCode,
        /// The broker's own words, if it had any.
        message: Option<String>,
    },
    /// An answer came and cannot be read. The request itself was probably carried out.
    #[error("{site}: the answer is malformed")]
    Malformed {
        /// Which request.
        site: CallSite,
        /// What is wrong with the answer.
        #[source]
        source: Arc<DecodeError>,
    },
    /// No byte of the request left: it certainly had no effect.
    #[error("{}", not_sent(site))]
    NotSent {
        /// Which request.
        site: CallSite,
        /// Why not.
        #[source]
        cause: NotSentCause,
    },
}

fn not_sent(site: &CallSite) -> String {
    match site.api {
        Some(_) => format!("{site}: not sent"),
        None => format!("cannot {site}"),
    }
}

fn explained(message: Option<&String>) -> String {
    message.map(|text| format!(" ({text})")).unwrap_or_default()
}

impl CallError {
    /// Which request this is about.
    #[must_use]
    pub fn site(&self) -> &CallSite {
        match self {
            Self::Ambiguous { site, .. }
            | Self::Broker { site, .. }
            | Self::Malformed { site, .. }
            | Self::NotSent { site, .. } => site,
        }
    }

    /// Whether the request may have had an effect that nobody can tell from this error.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Self::Ambiguous { .. } | Self::Malformed { .. } => true,
            Self::Broker { .. } | Self::NotSent { .. } => false,
        }
    }

    /// The broker's error code, if it gave one to this request.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Broker { code, .. } => Some(*code),
            Self::Ambiguous { .. } | Self::Malformed { .. } | Self::NotSent { .. } => None,
        }
    }

    /// What else the other side seems to speak, if it does not speak Kafka.
    ///
    /// With a hint, trying again will not help: address or security settings are wrong (L-30).
    #[must_use]
    pub fn protocol_hint(&self) -> Option<ProtocolHint> {
        match self {
            Self::Ambiguous {
                cause: AmbiguousCause::Closed { reason },
                ..
            }
            | Self::NotSent {
                cause: NotSentCause::Closed { reason },
                ..
            } => reason.hint(),
            Self::NotSent {
                cause: NotSentCause::Handshake { source } | NotSentCause::Lookup { source },
                ..
            } => source.protocol_hint(),
            Self::NotSent {
                cause: NotSentCause::NoBrokerReachable { failures },
                ..
            } => failures.iter().find_map(Self::protocol_hint),
            Self::Ambiguous { .. }
            | Self::Broker { .. }
            | Self::Malformed { .. }
            | Self::NotSent { .. } => None,
        }
    }

    pub(crate) fn cluster_closed() -> Self {
        let site = CallSite {
            api: None,
            broker_id: None,
            address: None,
            elapsed: Duration::ZERO,
        };
        Self::NotSent {
            site,
            cause: NotSentCause::ClusterClosed,
        }
    }

    /// Whether repeating the call cannot help, now or later: the handle is closed, the request cannot be
    /// written or no version of it is common, or what listens there does not speak Kafka.
    #[must_use]
    pub fn is_unrecoverable(&self) -> bool {
        let foreign = self.protocol_hint().is_some_and(|hint| {
            matches!(
                hint,
                ProtocolHint::Http | ProtocolHint::NotKafka | ProtocolHint::Tls
            )
        });
        let never = matches!(
            self,
            Self::NotSent {
                cause: NotSentCause::ClusterClosed
                    | NotSentCause::Encode { .. }
                    | NotSentCause::NoCommonVersion { .. },
                ..
            }
        );
        foreign || never
    }

    /// Whether a new connection got no response to its first request, ApiVersions.
    pub(crate) fn is_without_versions(&self) -> bool {
        let Self::NotSent {
            cause: NotSentCause::Handshake { source },
            ..
        } = self
        else {
            return false;
        };
        matches!(**source, Self::Ambiguous { .. }) && !self.is_unrecoverable()
    }

    /// Whether the handle was closed: nothing will help any more.
    #[must_use]
    pub fn is_cluster_closed(&self) -> bool {
        matches!(
            self,
            Self::NotSent {
                cause: NotSentCause::ClusterClosed,
                ..
            }
        )
    }

    /// The same failure seen by a request that waited for this one and was therefore never sent.
    ///
    /// Whatever became of the lookup, the request behind it had no effect: an ambiguous FindCoordinator
    /// must never make an EndTxn look ambiguous.
    pub(crate) fn before_sending(self, site: CallSite) -> Self {
        let cause = match self {
            Self::NotSent { cause, .. } => cause,
            lookup @ (Self::Ambiguous { .. } | Self::Broker { .. } | Self::Malformed { .. }) => {
                NotSentCause::Lookup {
                    source: Box::new(lookup),
                }
            }
        };
        Self::NotSent { site, cause }
    }
}

/// Why a request whose bytes left has no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AmbiguousCause {
    /// The connection ended first.
    #[error("the connection ended before the answer")]
    Closed {
        /// What ended it.
        #[source]
        reason: CloseReason,
    },
    /// The broker did not answer in time. The connection was given up with it (P-43).
    #[error("no answer within {:.3} s", .timeout.as_secs_f64())]
    TimedOut {
        /// The request's time.
        timeout: Duration,
    },
}

/// Why a request was not sent.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotSentCause {
    /// Nobody knows a broker of this id.
    #[error("broker {broker_id} is not in the cluster's metadata")]
    BrokerUnknown {
        /// The id.
        broker_id: i32,
    },
    /// The connection ended before the first byte of the request left.
    #[error("the connection is closed")]
    Closed {
        /// What ended it.
        #[source]
        reason: CloseReason,
    },
    /// The handle was closed.
    #[error("the cluster handle is closed")]
    ClusterClosed,
    /// The transport could not be opened.
    #[error(transparent)]
    ConnectFailed {
        /// The transport's error.
        source: Arc<io::Error>,
    },
    /// The transport was not open in time.
    #[error("no connection within {:.3} s", .timeout.as_secs_f64())]
    ConnectTimedOut {
        /// The time that it had.
        timeout: Duration,
    },
    /// The cluster's handles have as many connections to the broker as they may.
    #[error(
        "{limit} connections to the broker are in use (connections_per_broker_max): close handles, or \
         raise it"
    )]
    ConnectionsExhausted {
        /// `connections_per_broker_max`.
        limit: usize,
    },
    /// The metadata names no controller.
    #[error("the cluster has no controller at the moment")]
    ControllerUnknown,
    /// The caller's time passed while the request waited to be sent.
    #[error("its time passed before it could be sent")]
    DeadlinePassed {
        /// What stood in the way last, where something did: why a broker could not be reached, or what
        /// one returned to a lookup.
        #[source]
        last: Option<Box<CallError>>,
    },
    /// The request cannot be written.
    #[error("the request cannot be encoded")]
    Encode {
        /// Why not.
        #[source]
        source: Arc<EncodeError>,
    },
    /// As many requests as allowed wait on the connection already.
    #[error("{limit} requests wait on the connection already")]
    Full {
        /// `in_flight_requests_max`.
        limit: usize,
    },
    /// The new connection did not get past its first exchange, ApiVersions.
    #[error("the connection could not be set up")]
    Handshake {
        /// What happened to ApiVersions.
        #[source]
        source: Box<CallError>,
    },
    /// Nobody knows a leader of the partition.
    #[error("{topic}-{partition} has no known leader{}", coded(.code.as_ref()))]
    LeaderUnknown {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What the metadata says is wrong, if anything.
        code: Option<ErrorCode>,
    },
    /// It could not be found out whom to ask.
    #[error("the lookup before it failed")]
    Lookup {
        /// What happened to the lookup.
        #[source]
        source: Box<CallError>,
    },
    /// No broker can be reached, neither those known nor those of the bootstrap list.
    #[error("no broker can be reached: {}", listed(.failures))]
    NoBrokerReachable {
        /// What became of each attempt.
        failures: Arc<[CallError]>,
    },
    /// The broker speaks no version of the API that the request can use.
    #[error(
        "the broker speaks {}, the request needs {ours}",
        .theirs.map_or_else(|| "no version".to_owned(), |range| format!("versions {range}"))
    )]
    NoCommonVersion {
        /// The versions that the request can use.
        ours: ApiVersionRange,
        /// The versions that the broker speaks.
        theirs: Option<ApiVersionRange>,
    },
    /// The topic did not show up in time.
    #[error("topic {topic} is not known{}", coded(.code.as_ref()))]
    TopicUnknown {
        /// The topic.
        topic: String,
        /// What the metadata says is wrong, if anything.
        code: Option<ErrorCode>,
    },
}

fn coded(code: Option<&ErrorCode>) -> String {
    code.map(|code| format!(": {code}")).unwrap_or_default()
}

/// One line for all attempts, causes included: this is what the user of a wrong address reads.
fn listed(failures: &[CallError]) -> String {
    let describe = |failure: &CallError| {
        let mut text = match &failure.site().address {
            Some(address) => address.to_string(),
            None => failure
                .site()
                .api
                .map_or_else(|| "connecting".to_owned(), |api| api.to_string()),
        };
        let mut cause = std::error::Error::source(failure);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    };
    failures.iter().map(describe).collect::<Vec<_>>().join("; ")
}

/// Why a connection ended.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The broker closed it.
    #[error("the broker closed the connection{}", hinted(*.hint))]
    EndOfStream {
        /// What the end looks like.
        hint: Option<ProtocolHint>,
    },
    /// The bytes are not a Kafka frame.
    #[error("the answer is not Kafka's{}", hinted(*.hint))]
    Frame {
        /// What they are instead.
        hint: Option<ProtocolHint>,
        /// What is wrong with them.
        #[source]
        source: FrameError,
    },
    /// An answer's header cannot be read.
    #[error("the answer to {api} has a malformed header")]
    Header {
        /// The request.
        api: ApiKey,
        /// What is wrong with it.
        #[source]
        source: Arc<DecodeError>,
    },
    /// An answer came that answers nothing, or out of order: nothing on this connection can be
    /// trusted to be the answer to what it seems to answer.
    #[error("an answer with correlation id {answered} came where {} was due", expected(*.due))]
    Mismatch {
        /// The answer's correlation id.
        answered: i32,
        /// The correlation id of the oldest request, if there was one.
        due: Option<i32>,
    },
    /// Reading failed.
    #[error("reading failed{}", hinted(*.hint))]
    Read {
        /// What the end looks like.
        hint: Option<ProtocolHint>,
        /// The transport's error.
        #[source]
        source: Arc<io::Error>,
    },
    /// We closed it: no handle is left, or the cluster handle was closed.
    #[error("the connection was released")]
    Released,
    /// A request on it was not answered in time (P-43).
    #[error("{api} went unanswered")]
    TimedOut {
        /// The request.
        api: ApiKey,
    },
    /// Writing failed.
    #[error("writing failed")]
    Write {
        /// The transport's error.
        #[source]
        source: Arc<io::Error>,
    },
}

impl CloseReason {
    /// What else the other side seems to speak, if it does not speak Kafka.
    #[must_use]
    pub fn hint(&self) -> Option<ProtocolHint> {
        match self {
            Self::EndOfStream { hint } | Self::Frame { hint, .. } | Self::Read { hint, .. } => {
                *hint
            }
            Self::Header { .. }
            | Self::Mismatch { .. }
            | Self::Released
            | Self::TimedOut { .. }
            | Self::Write { .. } => None,
        }
    }
}

fn hinted(hint: Option<ProtocolHint>) -> String {
    hint.map(|hint| format!("; {hint}")).unwrap_or_default()
}

fn expected(due: Option<i32>) -> String {
    due.map_or_else(|| "none".to_owned(), |id| id.to_string())
}

/// What a port that does not answer like a Kafka broker seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolHint {
    /// It closed the connection when the first real request came: it probably wants authentication.
    AuthenticationExpected,
    /// It closed the connection instead of answering ApiVersions.
    ClosedAtOnce,
    /// It answered in HTTP.
    Http,
    /// It answered in something that is neither Kafka, HTTP nor TLS.
    NotKafka,
    /// It answered with a TLS record.
    Tls,
}

impl ProtocolHint {
    /// What the first bytes of a stream tell that cannot be the length of a Kafka frame.
    #[must_use]
    pub fn from_first_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes {
            // A TLS record: alert (21) or handshake (22), version 3.x.
            [21 | 22, 3, 0..=4, ..] => Some(Self::Tls),
            [b'H', b'T', b'T', b'P', ..] => Some(Self::Http),
            [] => None,
            [..] => Some(Self::NotKafka),
        }
    }
}

impl fmt::Display for ProtocolHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AuthenticationExpected => {
                "it did so at the first request, as a listener does that wants SASL authentication"
            }
            Self::ClosedAtOnce => {
                "it did so instead of answering ApiVersions: the port may expect TLS, or not be a \
                 Kafka broker's"
            }
            Self::Http => "the port speaks HTTP",
            Self::NotKafka => "the port does not speak the Kafka protocol",
            Self::Tls => "the port speaks TLS, this client was told to connect without it",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(api: ApiKey) -> CallSite {
        let address = Some(Arc::new(BrokerAddress::new("k1", 9092)));
        CallSite {
            api: Some(api),
            broker_id: Some(1),
            address,
            elapsed: Duration::from_millis(1_203),
        }
    }

    #[test]
    fn an_error_names_request_broker_address_and_time() {
        let cause = AmbiguousCause::TimedOut {
            timeout: Duration::from_secs(1),
        };
        let error = CallError::Ambiguous {
            site: site(ApiKey::Produce),
            cause,
        };
        assert_eq!(
            error.to_string(),
            "Produce to broker 1 at k1:9092 after 1.203 s: the outcome is unknown"
        );
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), "no answer within 1.000 s");
    }

    #[test]
    fn an_ambiguous_lookup_leaves_the_request_behind_it_unsent() {
        let cause = AmbiguousCause::TimedOut {
            timeout: Duration::from_secs(1),
        };
        let lookup = CallError::Ambiguous {
            site: site(ApiKey::FindCoordinator),
            cause,
        };
        assert!(lookup.is_ambiguous());
        let error = lookup.before_sending(site(ApiKey::EndTxn));
        assert!(!error.is_ambiguous());
        assert_eq!(error.site().api, Some(ApiKey::EndTxn));
    }

    #[test]
    fn first_bytes_tell_other_protocols() {
        let hint = ProtocolHint::from_first_bytes;
        assert_eq!(hint(&[21, 3, 3, 0, 2, 2, 40]), Some(ProtocolHint::Tls));
        assert_eq!(hint(b"HTTP/1.1 400 Bad Request"), Some(ProtocolHint::Http));
        assert_eq!(hint(b"SSH-2.0-OpenSSH_9"), Some(ProtocolHint::NotKafka));
        assert_eq!(hint(b""), None);
    }

    #[test]
    fn an_error_is_small_enough_to_be_returned_by_value() {
        assert!(size_of::<CallError>() <= 128, "{}", size_of::<CallError>());
    }
}
