//! The first exchange on a connection: which versions does the broker speak?
//!
//! ApiVersions is asked in the newest version that we have. A broker that lacks it answers with
//! UNSUPPORTED_VERSION in the shape of version 0, and names the versions it has if it is not older
//! than Kafka 2.4 (KIP-511); older ones get version 0. Brokers before 0.10 close the connection.

use crate::error::ProtocolHint;
use crate::versions::ApiVersions;
use bytes::Bytes;
use kafka_protocol::messages::ApiVersionsRequest;
use kafka_protocol::protocol::{Message, StrBytes};
use milena_codec::message::{Request, decode_response};
use milena_codec::{DecodeError, ErrorCode, Limits};
use std::time::{Duration, Instant};

/// What we call ourselves in ApiVersions; brokers show it in their metrics.
const SOFTWARE_NAME: &str = "milena";

/// What to do after an answer to ApiVersions.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask again, in this version.
    Ask(i16),
    /// The broker's versions are known.
    Done(ApiVersions),
    /// The broker does not want to tell.
    Refused(ErrorCode),
}

/// The exchange under way.
#[derive(Debug)]
pub struct Handshake {
    version: i16,
}

impl Handshake {
    /// A handshake that starts with our newest version.
    #[must_use]
    pub fn new() -> Self {
        Self::starting_at(ApiVersionsRequest::VERSIONS.max)
    }

    /// A handshake that starts with this version, or our newest if that is older.
    #[must_use]
    pub fn starting_at(version: i16) -> Self {
        let ours = ApiVersionsRequest::VERSIONS;
        Self {
            version: version.clamp(ours.min, ours.max),
        }
    }

    /// The version to ask in.
    #[must_use]
    pub fn version(&self) -> i16 {
        self.version
    }

    /// What to ask.
    #[must_use]
    pub fn request() -> ApiVersionsRequest {
        ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str(SOFTWARE_NAME))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")))
    }

    /// Takes the body of the answer.
    ///
    /// # Errors
    /// [`DecodeError`] if it is not an answer to ApiVersions.
    pub fn handle_answer(&mut self, body: Bytes, limits: &Limits) -> Result<Step, DecodeError> {
        // An error can come in version 0 whatever was asked, and every version starts with the code.
        let code = body
            .first_chunk()
            .map(|code| ErrorCode::from(i16::from_be_bytes(*code)));
        let version = if code == Some(ErrorCode::UnsupportedVersion) {
            0
        } else {
            self.version
        };
        let response = decode_response::<ApiVersionsRequest>(body, version, limits)?;
        let versions = ApiVersions::from_response(&response);
        match ErrorCode::from(response.error_code).into_result() {
            Ok(()) => Ok(Step::Done(versions)),
            Err(ErrorCode::UnsupportedVersion) if self.version > 0 => {
                let ours = ApiVersionsRequest::VERSIONS.min..=self.version.saturating_sub(1);
                self.version = versions.highest(ApiVersionsRequest::KEY, ours).unwrap_or(0);
                Ok(Step::Ask(self.version))
            }
            Err(code) => Ok(Step::Refused(code)),
        }
    }
}

impl Default for Handshake {
    fn default() -> Self {
        Self::new()
    }
}

/// The version in which the next connection to one broker requests ApiVersions.
///
/// A broker should return UNSUPPORTED_VERSION for a version that it does not know. Some close the connection instead,
/// or never respond (gateways that speak Kafka, brokers before 0.10): there the next connection asks in
/// version 3, the one after it in version 0. A version that was answered is kept for an hour, so
/// that a broker which was only restarting is asked in the newest version again.
///
/// ```text
///          no response      no response
///  newest ────────────> 3 ─────────────> 0
///     ^  <───────────────────────────────┘ no response
///     └── an hour after 3 or 0 was answered
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fallback {
    /// Not the newest, but this.
    version: Option<i16>,
    /// Until then; until it is answered if `None`.
    until: Option<Instant>,
}

/// How long an older version is used that a broker answered.
const FALLBACK_KEPT: Duration = Duration::from_secs(3_600);

impl Fallback {
    /// The version for a connection that is opened at `now`, `newest` at most.
    #[must_use]
    pub fn version(&self, newest: i16, now: Instant) -> i16 {
        match self.version {
            Some(version) if self.until.is_none_or(|until| now < until) => version.min(newest),
            _ => newest,
        }
    }

    /// A connection that asked in this version ended, or got no response in time.
    pub fn on_no_response(&mut self, version: i16) {
        self.version = match version {
            4.. => Some(3),
            1..=3 => Some(0),
            _ => None,
        };
        self.until = None;
    }

    /// A broker responded to this version at `now`.
    pub fn on_response(&mut self, version: i16, newest: i16, now: Instant) {
        if version >= newest {
            *self = Self::default();
        } else if self.until.is_none_or(|until| until <= now) {
            self.version = Some(version);
            self.until = now.checked_add(FALLBACK_KEPT);
        }
    }

    /// Whether nothing has to be remembered.
    #[must_use]
    pub fn is_newest(&self) -> bool {
        self.version.is_none()
    }
}

/// How far a connection got: what its end means depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// Nothing was answered yet.
    #[default]
    Nothing,
    /// ApiVersions was answered, nothing else.
    Handshake,
    /// Other requests were answered: this is a broker that serves us.
    Serving,
}

impl Progress {
    /// An answer to this API came.
    pub fn on_answer(&mut self, api_key: i16) {
        let reached = if api_key == ApiVersionsRequest::KEY {
            Self::Handshake
        } else {
            Self::Serving
        };
        if *self != Self::Serving {
            *self = reached;
        }
    }

    /// What it means that the stream ended with these bytes unread, while requests were waiting.
    #[must_use]
    pub fn hint_at_end(self, rest: &[u8], requests_waiting: bool) -> Option<ProtocolHint> {
        match self {
            Self::Nothing => match ProtocolHint::from_first_bytes(rest) {
                hint @ (Some(ProtocolHint::Tls) | Some(ProtocolHint::Http)) => hint,
                _ => Some(ProtocolHint::ClosedAtOnce),
            },
            Self::Handshake => requests_waiting.then_some(ProtocolHint::AuthenticationExpected),
            Self::Serving => None,
        }
    }

    /// What it means that the stream goes on with these bytes, which can be no frame.
    #[must_use]
    pub fn hint_at_frame(self, bytes: &[u8]) -> Option<ProtocolHint> {
        match self {
            Self::Nothing => ProtocolHint::from_first_bytes(bytes),
            Self::Handshake | Self::Serving => None,
        }
    }
}

#[cfg(test)]
#[path = "handshake_table_tests.rs"]
mod table;

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer of version 0: code, then (key, min, max) for each API.
    fn version_0(code: i16, apis: &[(i16, i16, i16)]) -> Bytes {
        let mut body = code.to_be_bytes().to_vec();
        body.extend(u32::try_from(apis.len()).unwrap().to_be_bytes());
        for (key, min, max) in apis {
            for value in [key, min, max] {
                body.extend(value.to_be_bytes());
            }
        }
        body.into()
    }

    fn step(handshake: &mut Handshake, body: Bytes) -> Step {
        handshake.handle_answer(body, &Limits::default()).unwrap()
    }

    #[test]
    fn a_broker_that_names_its_versions_is_asked_in_its_newest() {
        let mut handshake = Handshake::new();
        assert_eq!(handshake.version(), 4);
        assert_eq!(
            step(&mut handshake, version_0(35, &[(18, 0, 3)])),
            Step::Ask(3)
        );
    }

    #[test]
    fn a_broker_that_names_none_is_asked_in_version_0() {
        let mut handshake = Handshake::new();
        assert_eq!(step(&mut handshake, version_0(35, &[])), Step::Ask(0));
        let done = step(&mut handshake, version_0(0, &[(3, 0, 2)]));
        let Step::Done(versions) = done else {
            panic!("{done:?}")
        };
        assert_eq!(versions.highest(3, 0..=13), Some(2));
    }

    #[test]
    fn versions_only_go_down_so_a_handshake_ends() {
        let mut handshake = Handshake::new();
        let stubborn = version_0(35, &[(18, 0, 9)]);
        for version in [3, 2, 1, 0] {
            assert_eq!(step(&mut handshake, stubborn.clone()), Step::Ask(version));
        }
        assert_eq!(
            step(&mut handshake, stubborn),
            Step::Refused(ErrorCode::UnsupportedVersion)
        );
    }

    #[test]
    fn what_is_no_answer_is_malformed() {
        let mut handshake = Handshake::new();
        for body in [&b""[..], b"\0", b"\0\0\0", b"\0\x23\0\0\0\x01"] {
            let body = Bytes::from_static(body);
            handshake
                .handle_answer(body, &Limits::default())
                .unwrap_err();
        }
    }

    #[test]
    fn a_broker_without_a_response_is_asked_in_version_3_then_0_then_anew() {
        let (mut fallback, now) = (Fallback::default(), Instant::now());
        for version in [4, 3, 0, 4] {
            assert_eq!(fallback.version(4, now), version);
            fallback.on_no_response(version);
        }
    }

    #[test]
    fn an_older_version_that_was_answered_is_kept_for_an_hour() {
        let (mut fallback, now) = (Fallback::default(), Instant::now());
        fallback.on_no_response(4);
        fallback.on_response(3, 4, now);
        assert_eq!(fallback.version(4, now + FALLBACK_KEPT / 2), 3);
        // Further connections do not prolong it.
        fallback.on_response(3, 4, now + FALLBACK_KEPT / 2);
        assert_eq!(fallback.version(4, now + FALLBACK_KEPT), 4);
        fallback.on_response(4, 4, now + FALLBACK_KEPT);
        assert!(fallback.is_newest());
    }

    #[test]
    fn a_cap_holds_for_every_version_that_is_asked() {
        let (mut fallback, now) = (Fallback::default(), Instant::now());
        assert_eq!(fallback.version(2, now), 2);
        fallback.on_no_response(2);
        assert_eq!(fallback.version(2, now), 0);
    }

    #[test]
    fn an_end_is_explained_by_how_far_the_connection_got() {
        let mut progress = Progress::default();
        assert_eq!(
            progress.hint_at_end(&[], true),
            Some(ProtocolHint::ClosedAtOnce)
        );
        assert_eq!(
            progress.hint_at_end(&[21, 3, 3, 0, 2], true),
            Some(ProtocolHint::Tls)
        );
        progress.on_answer(18);
        assert_eq!(
            progress.hint_at_end(&[], true),
            Some(ProtocolHint::AuthenticationExpected)
        );
        assert_eq!(progress.hint_at_end(&[], false), None);
        progress.on_answer(3);
        assert_eq!(progress.hint_at_end(&[], true), None);
        progress.on_answer(18);
        assert_eq!(progress.hint_at_end(&[], true), None);
    }
}
