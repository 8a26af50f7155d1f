//! ApiVersions: what this broker serves, and the cluster's features (T-1).

use super::{Api, Context, Reply, text};
use kafka_protocol::messages::api_versions_response::{
    ApiVersion, FinalizedFeatureKey, SupportedFeatureKey,
};
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use milena_codec::message::encode_response;
use milena_codec::{EncodeError, ErrorCode};
use std::ops::RangeInclusive;

pub(super) struct ApiVersions;

/// The features that a broker of Kafka 4.3.1 supports and this one knows, with their versions.
const FEATURES: [(&str, RangeInclusive<i16>); 2] =
    [("group.version", 0..=1), ("transaction.version", 0..=2)];

/// From this version on, the lowest version of a feature may be told as 0 (KAFKA-17492).
const TELLS_ZERO_SINCE: i16 = 4;

/// Produce is told from version 0 on, as Kafka does for the sake of old librdkafka; asked for versions
/// 0 to 2, it closes the connection.
const PRODUCE: i16 = 0;

impl Api for ApiVersions {
    type Request = ApiVersionsRequest;

    const VERSIONS: RangeInclusive<i16> = 0..=4;

    async fn answer(context: &Context, request: ApiVersionsRequest) -> Reply<ApiVersionsResponse> {
        let names = [
            &request.client_software_name,
            &request.client_software_version,
        ];
        if context.api_version >= 3 && !names.iter().all(|name| is_legal(name)) {
            let refused = Self::refuse(&request, context.api_version, ErrorCode::InvalidRequest);
            return Reply::Answer(refused);
        }
        let features = context.shared.with(|cluster, _| cluster.features);
        let api_keys = context
            .shared
            .versions
            .all(context.broker_id)
            .map(|(api_key, versions)| {
                let first = if api_key == PRODUCE {
                    0
                } else {
                    *versions.start()
                };
                ApiVersion::default()
                    .with_api_key(api_key)
                    .with_min_version(first)
                    .with_max_version(*versions.end())
            })
            .collect();
        let supported = FEATURES.map(|(name, versions)| {
            let lowest = if context.api_version < TELLS_ZERO_SINCE {
                1
            } else {
                0
            };
            SupportedFeatureKey::default()
                .with_name(text(name))
                .with_min_version(lowest.max(*versions.start()))
                .with_max_version(*versions.end())
        });
        let levels = [
            ("group.version", 1),
            ("transaction.version", features.transaction_version),
        ];
        // A feature at level 0 is told by leaving it out.
        let finalized = levels.into_iter().filter(|(_, level)| *level > 0);
        let finalized = finalized.map(|(name, level)| {
            FinalizedFeatureKey::default()
                .with_name(text(name))
                .with_min_version_level(level)
                .with_max_version_level(level)
        });
        Reply::Answer(
            ApiVersionsResponse::default()
                .with_api_keys(api_keys)
                .with_supported_features(supported.to_vec())
                .with_finalized_features_epoch(features.epoch)
                .with_finalized_features(finalized.collect()),
        )
    }

    fn refuse(
        _request: &ApiVersionsRequest,
        _api_version: i16,
        code: ErrorCode,
    ) -> ApiVersionsResponse {
        ApiVersionsResponse::default().with_error_code(code.code())
    }
}

/// The body of the answer to a version of ApiVersions that is not served: version 0 of the answer, which
/// every client can read, with the versions that it may try.
///
/// # Errors
/// None that this content can lead to.
pub(crate) fn unsupported_version() -> Result<Vec<u8>, EncodeError> {
    let versions = ApiVersion::default()
        .with_api_key(<ApiVersionsRequest as milena_codec::message::Request>::KEY)
        .with_min_version(*ApiVersions::VERSIONS.start())
        .with_max_version(*ApiVersions::VERSIONS.end());
    let response = ApiVersionsResponse::default()
        .with_error_code(ErrorCode::UnsupportedVersion.code())
        .with_api_keys(vec![versions]);
    let mut body = Vec::new();
    encode_response::<ApiVersionsRequest>(&mut body, &response, 0)?;
    Ok(body)
}

/// Whether a client's software may be called so: letters and digits, with dashes and dots between.
fn is_legal(name: &str) -> bool {
    let alphanumeric = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}
