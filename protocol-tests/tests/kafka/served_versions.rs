//! What the embedded broker says that it serves, beside what Kafka says.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::time::Duration;

use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::StrBytes;
use milena_broker::Broker;
use milena_codec::Limits;
use milena_codec::header::{put_request_header, take_response_header};
use milena_codec::message::{decode_response, encode_request};
use milena_protocol_tests::{Kafka, conformance};

const API_VERSIONS: i16 = 18;
const VERSION: i16 = 4;
/// Kafka 4.3.1 has version 5; kafka-protocol, whose message the embedded broker answers with, ends at 4 (docs/BROKER.md).
const DESCRIBE_LOG_DIRS: i16 = 35;
const DESCRIBE_LOG_DIRS_MAX: i16 = 4;

fn told_by(address: &str) -> ApiVersionsResponse {
    let mut stream = TcpStream::connect(address).unwrap();
    let limit = Some(Duration::from_secs(30));
    stream.set_read_timeout(limit).unwrap();
    let mut frame = vec![0; 4];
    put_request_header(&mut frame, API_VERSIONS, VERSION, 7, Some("test")).unwrap();
    let request = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("test"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    encode_request(&mut frame, &request, VERSION).unwrap();
    let length = u32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&length.to_be_bytes());
    stream.write_all(&frame).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut answer).unwrap();
    let (mut answer, limits) = (bytes::Bytes::from(answer), Limits::default());
    take_response_header(&mut answer, API_VERSIONS, VERSION, &limits).unwrap();
    decode_response::<ApiVersionsRequest>(answer, VERSION, &limits).unwrap()
}

fn versions(told: &ApiVersionsResponse) -> BTreeMap<i16, RangeInclusive<i16>> {
    let apis = told.api_keys.iter();
    apis.map(|api| (api.api_key, api.min_version..=api.max_version))
        .collect()
}

async fn the_embedded_broker_serves_the_versions_that_kafka_serves(kafka: &Kafka) {
    let broker = Broker::builder().start().await.unwrap();
    let embedded = told_by(&broker.addresses()[0]);
    let kafka = told_by(&kafka.bootstrap()[0]);
    let theirs = versions(&kafka);
    for (api, served) in versions(&embedded) {
        let mut expected = theirs[&api].clone();
        if api == DESCRIBE_LOG_DIRS {
            expected = *expected.start()..=DESCRIBE_LOG_DIRS_MAX;
        }
        assert_eq!(served, expected, "API {api}");
    }
    // The features that both know, they tell alike.
    for feature in &embedded.supported_features {
        let same = |theirs: &&_| *theirs == feature;
        assert!(
            kafka.supported_features.iter().any(|f| same(&f)),
            "{feature:?}"
        );
    }
    for feature in &embedded.finalized_features {
        let same = |theirs: &&_| *theirs == feature;
        assert!(
            kafka.finalized_features.iter().any(|f| same(&f)),
            "{feature:?}"
        );
    }
}

conformance!(on [kafka_4_3_1_tv2]; the_embedded_broker_serves_the_versions_that_kafka_serves);
