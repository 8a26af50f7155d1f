//! Typed messages, behind the guard.
//!
//! The messages themselves are `kafka-protocol`'s. That crate trusts the lengths that it reads: five
//! bytes can make it reserve 400 GB. So bodies from a peer go through [`crate::guard`] first, and this
//! module is the only place that calls its decoders.

#[cfg(feature = "broker")]
mod kafka_4_4;
mod newer;
#[cfg(feature = "broker")]
mod take;

#[cfg(feature = "broker")]
pub use kafka_4_4::{
    ApiVersionsRequest5, DeleteGroupsResponse3, TxnOffsetCommitRequest6, TxnOffsetCommitResponse6,
};

#[doc(hidden)]
pub use newer::Newer;

use crate::guard::{self, Direction};
use crate::{ApiKey, DecodeError, EncodeError, Limits, schema};
use bytes::Bytes;
use kafka_protocol::messages;
use kafka_protocol::protocol::{Decodable, Encodable, Message};

/// A request and its response.
///
/// `kafka-protocol` has a trait for this too, but only for builds with both its client and its broker
/// half, which take three times as long to compile.
pub trait Request: Encodable + Message + Sized + 'static {
    /// The API key.
    const KEY: i16;
    /// The API.
    const API: ApiKey = ApiKey::from_key(Self::KEY);
    /// What a broker returns.
    type Response: Decodable + Message;

    /// A version that `kafka-protocol` lacks.
    #[doc(hidden)]
    const NEWER: Option<Newer<Self>> = None;

    /// The oldest version that can be spoken.
    const VERSION_MIN: i16 = Self::VERSIONS.min;

    /// The newest version that can be spoken. For some APIs the response has more versions than the
    /// request, for some requests this crate has one more than `kafka-protocol`.
    const VERSION_MAX: i16 = match &Self::NEWER {
        Some(newer) => newer.api_version(),
        None => Self::VERSIONS.max,
    };
}

/// The newest version of a request to use by default: Kafka may still change those it calls unstable, and
/// its brokers offer them only with `unstable.api.versions.enable`.
#[must_use]
pub fn stable_version_max<R: Request>() -> i16 {
    let unstable = schema::request(R::KEY).is_some_and(|api| api.is_unstable(R::VERSION_MAX));
    if unstable {
        R::VERSION_MAX - 1
    } else {
        R::VERSION_MAX
    }
}

macro_rules! requests {
    ($($request:ident: $key:literal => $response:ident $(, and $newer:ident)?;)*) => {
        $(impl Request for messages::$request {
            const KEY: i16 = $key;
            type Response = messages::$response;
            $(const NEWER: Option<Newer<Self>> = Some(newer::$newer);)?
        })*

        #[cfg(test)]
        const REQUESTS: &[(i16, &str)] = &[$(($key, stringify!($request)),)*];
    };
}

requests! {
    ProduceRequest: 0 => ProduceResponse;
    FetchRequest: 1 => FetchResponse;
    ListOffsetsRequest: 2 => ListOffsetsResponse, and LIST_OFFSETS;
    MetadataRequest: 3 => MetadataResponse;
    OffsetCommitRequest: 8 => OffsetCommitResponse, and OFFSET_COMMIT;
    OffsetFetchRequest: 9 => OffsetFetchResponse, and OFFSET_FETCH;
    FindCoordinatorRequest: 10 => FindCoordinatorResponse;
    JoinGroupRequest: 11 => JoinGroupResponse;
    HeartbeatRequest: 12 => HeartbeatResponse;
    LeaveGroupRequest: 13 => LeaveGroupResponse;
    SyncGroupRequest: 14 => SyncGroupResponse;
    DescribeGroupsRequest: 15 => DescribeGroupsResponse;
    ListGroupsRequest: 16 => ListGroupsResponse;
    SaslHandshakeRequest: 17 => SaslHandshakeResponse;
    ApiVersionsRequest: 18 => ApiVersionsResponse;
    CreateTopicsRequest: 19 => CreateTopicsResponse;
    DeleteTopicsRequest: 20 => DeleteTopicsResponse;
    DeleteRecordsRequest: 21 => DeleteRecordsResponse;
    InitProducerIdRequest: 22 => InitProducerIdResponse, and INIT_PRODUCER_ID;
    OffsetForLeaderEpochRequest: 23 => OffsetForLeaderEpochResponse;
    AddPartitionsToTxnRequest: 24 => AddPartitionsToTxnResponse;
    AddOffsetsToTxnRequest: 25 => AddOffsetsToTxnResponse;
    EndTxnRequest: 26 => EndTxnResponse;
    WriteTxnMarkersRequest: 27 => WriteTxnMarkersResponse;
    TxnOffsetCommitRequest: 28 => TxnOffsetCommitResponse;
    DescribeAclsRequest: 29 => DescribeAclsResponse;
    CreateAclsRequest: 30 => CreateAclsResponse;
    DeleteAclsRequest: 31 => DeleteAclsResponse;
    DescribeConfigsRequest: 32 => DescribeConfigsResponse;
    AlterConfigsRequest: 33 => AlterConfigsResponse;
    AlterReplicaLogDirsRequest: 34 => AlterReplicaLogDirsResponse;
    DescribeLogDirsRequest: 35 => DescribeLogDirsResponse;
    SaslAuthenticateRequest: 36 => SaslAuthenticateResponse;
    CreatePartitionsRequest: 37 => CreatePartitionsResponse;
    CreateDelegationTokenRequest: 38 => CreateDelegationTokenResponse;
    RenewDelegationTokenRequest: 39 => RenewDelegationTokenResponse;
    ExpireDelegationTokenRequest: 40 => ExpireDelegationTokenResponse;
    DescribeDelegationTokenRequest: 41 => DescribeDelegationTokenResponse;
    DeleteGroupsRequest: 42 => DeleteGroupsResponse;
    ElectLeadersRequest: 43 => ElectLeadersResponse;
    IncrementalAlterConfigsRequest: 44 => IncrementalAlterConfigsResponse;
    AlterPartitionReassignmentsRequest: 45 => AlterPartitionReassignmentsResponse;
    ListPartitionReassignmentsRequest: 46 => ListPartitionReassignmentsResponse;
    OffsetDeleteRequest: 47 => OffsetDeleteResponse;
    DescribeClientQuotasRequest: 48 => DescribeClientQuotasResponse;
    AlterClientQuotasRequest: 49 => AlterClientQuotasResponse;
    DescribeUserScramCredentialsRequest: 50 => DescribeUserScramCredentialsResponse;
    AlterUserScramCredentialsRequest: 51 => AlterUserScramCredentialsResponse;
    VoteRequest: 52 => VoteResponse;
    BeginQuorumEpochRequest: 53 => BeginQuorumEpochResponse;
    EndQuorumEpochRequest: 54 => EndQuorumEpochResponse;
    DescribeQuorumRequest: 55 => DescribeQuorumResponse;
    AlterPartitionRequest: 56 => AlterPartitionResponse;
    UpdateFeaturesRequest: 57 => UpdateFeaturesResponse;
    EnvelopeRequest: 58 => EnvelopeResponse;
    FetchSnapshotRequest: 59 => FetchSnapshotResponse;
    DescribeClusterRequest: 60 => DescribeClusterResponse;
    DescribeProducersRequest: 61 => DescribeProducersResponse;
    BrokerRegistrationRequest: 62 => BrokerRegistrationResponse;
    BrokerHeartbeatRequest: 63 => BrokerHeartbeatResponse;
    UnregisterBrokerRequest: 64 => UnregisterBrokerResponse;
    DescribeTransactionsRequest: 65 => DescribeTransactionsResponse;
    ListTransactionsRequest: 66 => ListTransactionsResponse;
    AllocateProducerIdsRequest: 67 => AllocateProducerIdsResponse;
    ConsumerGroupHeartbeatRequest: 68 => ConsumerGroupHeartbeatResponse;
    ConsumerGroupDescribeRequest: 69 => ConsumerGroupDescribeResponse;
    ControllerRegistrationRequest: 70 => ControllerRegistrationResponse;
    GetTelemetrySubscriptionsRequest: 71 => GetTelemetrySubscriptionsResponse;
    PushTelemetryRequest: 72 => PushTelemetryResponse;
    AssignReplicasToDirsRequest: 73 => AssignReplicasToDirsResponse;
    ListConfigResourcesRequest: 74 => ListConfigResourcesResponse;
    DescribeTopicPartitionsRequest: 75 => DescribeTopicPartitionsResponse;
    ShareGroupHeartbeatRequest: 76 => ShareGroupHeartbeatResponse;
    ShareGroupDescribeRequest: 77 => ShareGroupDescribeResponse;
    ShareFetchRequest: 78 => ShareFetchResponse;
    ShareAcknowledgeRequest: 79 => ShareAcknowledgeResponse;
    AddRaftVoterRequest: 80 => AddRaftVoterResponse;
    RemoveRaftVoterRequest: 81 => RemoveRaftVoterResponse;
    UpdateRaftVoterRequest: 82 => UpdateRaftVoterResponse;
    InitializeShareGroupStateRequest: 83 => InitializeShareGroupStateResponse;
    ReadShareGroupStateRequest: 84 => ReadShareGroupStateResponse;
    WriteShareGroupStateRequest: 85 => WriteShareGroupStateResponse;
    DeleteShareGroupStateRequest: 86 => DeleteShareGroupStateResponse;
    ReadShareGroupStateSummaryRequest: 87 => ReadShareGroupStateSummaryResponse;
    DescribeShareGroupOffsetsRequest: 90 => DescribeShareGroupOffsetsResponse;
    AlterShareGroupOffsetsRequest: 91 => AlterShareGroupOffsetsResponse;
    DeleteShareGroupOffsetsRequest: 92 => DeleteShareGroupOffsetsResponse;
}

/// Appends the body of a request.
///
/// # Errors
/// [`EncodeError::UnknownVersion`]; [`EncodeError::Message`] if a field is set that this version
/// lacks. `out` is then as long as before.
pub fn encode_request<R: Request>(
    out: &mut Vec<u8>,
    request: &R,
    api_version: i16,
) -> Result<(), EncodeError> {
    match R::NEWER.filter(|newer| newer.api_version == api_version) {
        None => encode(out, request, api_version),
        Some(newer) => {
            let before = out.len();
            (newer.put)(request, out).inspect_err(|_| out.truncate(before))
        }
    }
}

/// Reads the body of a response: guard first, then the typed decoder.
///
/// As by Kafka, bytes behind the last field are ignored (within [`Limits::trailing_bytes`]), and text that is not UTF-8 has
/// U+FFFD in place of what is wrong.
///
/// # Errors
/// [`DecodeError::Guard`], [`DecodeError::Message`] or [`DecodeError::TrailingBytes`] for bytes that
/// are not this message; [`DecodeError::UnknownVersion`].
pub fn decode_response<R: Request>(
    body: Bytes,
    api_version: i16,
    limits: &Limits,
) -> Result<R::Response, DecodeError> {
    let body = guard::admit(R::KEY, Direction::Response, api_version, body, limits)?;
    decode(body, response_version::<R>(api_version))
}

/// Appends the body of a response.
///
/// # Errors
/// As [`encode_request`].
#[cfg(feature = "broker")]
pub fn encode_response<R: Request<Response: Encodable>>(
    out: &mut Vec<u8>,
    response: &R::Response,
    api_version: i16,
) -> Result<(), EncodeError> {
    encode(out, response, response_version::<R>(api_version))
}

/// Reads the body of a request: guard first, then the typed decoder.
///
/// # Errors
/// As [`decode_response`].
#[cfg(feature = "broker")]
pub fn decode_request<R: Request + Decodable>(
    body: Bytes,
    api_version: i16,
    limits: &Limits,
) -> Result<R, DecodeError> {
    let body = guard::admit(R::KEY, Direction::Request, api_version, body, limits)?;
    match R::NEWER.filter(|newer| newer.api_version == api_version) {
        None => decode(body, api_version),
        Some(newer) => (newer.take)(body),
    }
}

/// The version of the typed response that has the shape of the response to a request.
fn response_version<R: Request>(api_version: i16) -> i16 {
    match R::NEWER {
        Some(newer) if newer.api_version == api_version => newer.response_as,
        _ => api_version,
    }
}

// Into a Vec, never a BytesMut, which takes three times as long byte by byte.
fn encode<M: Encodable + Message>(
    out: &mut Vec<u8>,
    message: &M,
    api_version: i16,
) -> Result<(), EncodeError> {
    if !has_version::<M>(api_version) {
        return Err(EncodeError::UnknownVersion {
            message: name::<M>(),
            api_version,
        });
    }
    let before = out.len();
    message.encode(out, api_version).map_err(|cause| {
        out.truncate(before);
        EncodeError::Message {
            message: name::<M>(),
            api_version,
            reason: cause.to_string(),
        }
    })
}

fn decode<M: Decodable + Message>(mut body: Bytes, api_version: i16) -> Result<M, DecodeError> {
    if !has_version::<M>(api_version) {
        return Err(DecodeError::UnknownVersion {
            message: name::<M>(),
            api_version,
        });
    }
    let message = M::decode(&mut body, api_version).map_err(|cause| DecodeError::Message {
        message: name::<M>(),
        api_version,
        reason: cause.to_string(),
    })?;
    if !body.is_empty() {
        let left = body.len();
        return Err(DecodeError::TrailingBytes {
            message: name::<M>(),
            api_version,
            left,
        });
    }
    Ok(message)
}

fn has_version<M: Message>(api_version: i16) -> bool {
    (M::VERSIONS.min..=M::VERSIONS.max).contains(&api_version)
}

/// The last part of the type's path: the message's name in Kafka's schemas.
fn name<M>() -> &'static str {
    std::any::type_name::<M>()
        .rsplit("::")
        .next()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::{
        ApiKey, ApiVersionsRequest, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest,
        OffsetCommitRequest, OffsetFetchRequest, SaslHandshakeRequest,
    };
    use kafka_protocol::protocol::StrBytes;

    #[test]
    fn every_request_has_the_key_of_its_name() {
        for (key, request) in REQUESTS {
            let api = ApiKey::try_from(*key).unwrap();
            assert_eq!(format!("{api:?}Request"), *request);
        }
    }

    #[test]
    fn versions_go_as_far_as_kafka_4_3_1_where_the_client_needs_them() {
        let newest = [
            (ListOffsetsRequest::VERSION_MAX, 11),
            (OffsetCommitRequest::VERSION_MAX, 10),
            (OffsetFetchRequest::VERSION_MAX, 10),
            (InitProducerIdRequest::VERSION_MAX, 6),
        ];
        assert!(newest.iter().all(|(ours, kafkas)| ours == kafkas));
        assert_eq!(stable_version_max::<InitProducerIdRequest>(), 5);
        assert_eq!(stable_version_max::<OffsetFetchRequest>(), 10);
    }

    #[test]
    fn fields_of_older_versions_are_rejected_and_leave_no_trace() {
        let mut out = vec![1];
        let request = OffsetFetchRequest::default().with_topics(None);
        encode_request(&mut out, &request, 10).unwrap_err();
        let id = "x".repeat(9);
        let request = OffsetFetchRequest::default().with_group_id(StrBytes::from_string(id).into());
        encode_request(&mut out, &request, 10).unwrap_err();
        assert_eq!(out, [1]);
    }

    #[test]
    fn a_version_that_does_not_exist_is_rejected() {
        let mut out = Vec::new();
        let request = MetadataRequest::default();
        let error = encode_request(&mut out, &request, 99).unwrap_err();
        assert_eq!(error.to_string(), "MetadataRequest has no version 99");
    }

    #[test]
    fn bytes_behind_the_last_field_are_ignored_within_their_limit() {
        let body = Bytes::from_static(&[0, 0, 0, 0, 0, 0, 9, 8]);
        let read =
            |limits: &Limits| decode_response::<SaslHandshakeRequest>(body.clone(), 1, limits);
        let mut limits = Limits::default();
        let whole = decode_response::<SaslHandshakeRequest>(body.slice(..6), 1, &limits).unwrap();
        assert_eq!(read(&limits).unwrap(), whole);
        limits.trailing_bytes = 2;
        assert_eq!(read(&limits).unwrap(), whole);
        limits.trailing_bytes = 1;
        let error = read(&limits).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(
            cause,
            "SaslHandshakeResponse v1, end at byte 6: 2 bytes are left over"
        );
    }

    #[test]
    fn text_that_is_not_utf_8_is_replaced() {
        // A Metadata response 12: brokers, a cluster id in bytes of Latin-1, a topic without partitions.
        let mut body = vec![0, 0, 0, 0, 1, 5, b'a', 0xff, 0xfe, b'b', 0, 0, 0, 7];
        body.extend([2, 0, 0, 3, 0xe9, b't']);
        body.extend([7; 16]);
        body.extend([0, 1, 0, 0, 0, 0, 0, 0]);
        let read = decode_response::<MetadataRequest>(body.into(), 12, &Limits::default()).unwrap();
        assert_eq!(read.cluster_id.as_deref(), Some("a\u{fffd}\u{fffd}b"));
        let name = read.topics[0].name.as_ref().unwrap();
        assert_eq!(name.as_str(), "\u{fffd}t");
    }

    #[test]
    fn text_inside_of_a_tagged_field_is_replaced_and_its_size_with_it() {
        // ApiVersions 3, of which a supported feature has a name in Latin-1.
        let feature = [2, 3, 0xe9, b'f', 0, 1, 0, 2, 0];
        let mut body = vec![0, 0, 1, 0, 0, 0, 0, 1, 0];
        body.push(u8::try_from(feature.len()).unwrap());
        body.extend(feature);
        let limits = Limits::default();
        let read = decode_response::<ApiVersionsRequest>(body.into(), 3, &limits).unwrap();
        assert_eq!(read.supported_features[0].name.as_str(), "\u{fffd}f");
    }

    #[cfg(feature = "broker")]
    #[test]
    fn a_request_is_read_as_written() {
        let limits = Limits::default();
        let request = MetadataRequest::default().with_allow_auto_topic_creation(false);
        let mut body = Vec::new();
        encode_request(&mut body, &request, 12).unwrap();
        let read = decode_request::<MetadataRequest>(body.into(), 12, &limits).unwrap();
        assert_eq!(read, request);
    }
}
