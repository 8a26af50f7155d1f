//! Every version that a handshake may ask in × every answer, and what the end of a stream means at
//! every stage of a connection, written out.

use std::fmt::Write as _;

use kafka_protocol::messages::ApiVersionsResponse;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use milena_codec::message::encode_response;

use super::*;

/// An answer in a version, to which ApiVersions itself is spoken in `own`, if that is told.
fn answer(code: ErrorCode, own: Option<(i16, i16)>, version: i16) -> Bytes {
    let api = |(min, max)| {
        ApiVersion::default()
            .with_api_key(ApiVersionsRequest::KEY)
            .with_min_version(min)
            .with_max_version(max)
    };
    let response = ApiVersionsResponse::default()
        .with_error_code(code.code())
        .with_api_keys(own.map(api).into_iter().collect());
    let mut body = Vec::new();
    encode_response::<ApiVersionsRequest>(&mut body, &response, version).unwrap();
    body.into()
}

type Reply = (&'static str, fn(i16) -> Bytes);

const REPLIES: [Reply; 15] = [
    ("versions 0 to 4", |asked| {
        answer(ErrorCode::None, Some((0, 4)), asked)
    }),
    ("versions, no API named", |asked| {
        answer(ErrorCode::None, None, asked)
    }),
    ("versions upside down", |asked| {
        answer(ErrorCode::None, Some((4, 0)), asked)
    }),
    ("UNSUPPORTED_VERSION, 0 to 3 are", |_| {
        answer(ErrorCode::UnsupportedVersion, Some((0, 3)), 0)
    }),
    ("UNSUPPORTED_VERSION, 0 to 1 are", |_| {
        answer(ErrorCode::UnsupportedVersion, Some((0, 1)), 0)
    }),
    ("UNSUPPORTED_VERSION, 0 to 9 are", |_| {
        answer(ErrorCode::UnsupportedVersion, Some((0, 9)), 0)
    }),
    ("UNSUPPORTED_VERSION, 7 to 9 are", |_| {
        answer(ErrorCode::UnsupportedVersion, Some((7, 9)), 0)
    }),
    ("UNSUPPORTED_VERSION, upside down", |_| {
        answer(ErrorCode::UnsupportedVersion, Some((3, 0)), 0)
    }),
    ("UNSUPPORTED_VERSION, none named", |_| {
        answer(ErrorCode::UnsupportedVersion, None, 0)
    }),
    ("INVALID_REQUEST", |asked| {
        answer(ErrorCode::InvalidRequest, None, asked)
    }),
    ("CLUSTER_AUTHORIZATION_FAILED", |asked| {
        answer(ErrorCode::ClusterAuthorizationFailed, None, asked)
    }),
    ("an unknown code", |asked| {
        answer(ErrorCode::Unknown(9999), None, asked)
    }),
    ("nothing", |_| Bytes::new()),
    ("half an answer", |asked| {
        let whole = answer(ErrorCode::None, Some((0, 4)), asked);
        whole.slice(..whole.len() / 2)
    }),
    ("more APIs announced than there are", |_| {
        Bytes::from_static(b"\0\x23\x7f\xff\xff\xff")
    }),
];

#[test]
fn every_version_asked_in_has_a_step_for_every_answer() {
    let mut table = String::new();
    for asked in (ApiVersionsRequest::VERSIONS.min..=ApiVersionsRequest::VERSIONS.max).rev() {
        writeln!(table, "asked in version {asked}").unwrap();
        for (reply, body) in REPLIES {
            let mut handshake = Handshake { version: asked };
            let step = match handshake.handle_answer(body(asked), &Limits::default()) {
                Ok(Step::Ask(version)) => {
                    assert_eq!(version, handshake.version(), "the next question");
                    assert!(version < asked, "a handshake that never ends");
                    format!("asks in version {version}")
                }
                Ok(Step::Done(versions)) => match versions.range(ApiVersionsRequest::KEY) {
                    Some(range) => format!("done, {range}"),
                    None => "done, ApiVersions itself is not named".to_owned(),
                },
                Ok(Step::Refused(code)) => format!("refused: {code:?}"),
                Err(error) => format!("malformed: {error}"),
            };
            writeln!(table, "  {reply:34} {step}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn the_end_of_a_stream_is_explained_at_every_stage() {
    let bytes: [(&str, &[u8]); 6] = [
        ("nothing", b""),
        ("half a frame", b"\0\0\0\x08ab"),
        ("a TLS alert", b"\x15\x03\x03\0\x02"),
        ("a TLS handshake", b"\x16\x03\x01\0\x02"),
        ("HTTP", b"HTTP/1.1 400"),
        ("a greeting", b"220 mail"),
    ];
    let told = |hint: Option<ProtocolHint>| {
        hint.map_or_else(|| "-".to_owned(), |hint| format!("{hint:?}"))
    };
    let mut table = String::new();
    for progress in [Progress::Nothing, Progress::Handshake, Progress::Serving] {
        writeln!(table, "{progress:?}").unwrap();
        for (name, bytes) in bytes {
            let waiting = told(progress.hint_at_end(bytes, true));
            let idle = told(progress.hint_at_end(bytes, false));
            let frame = told(progress.hint_at_frame(bytes));
            writeln!(
                table,
                "  {name:16} end: {waiting:22} end while idle: {idle:22} taken for a frame: {frame}"
            )
            .unwrap();
        }
        for api_key in [ApiVersionsRequest::KEY, 3] {
            let mut next = progress;
            next.on_answer(api_key);
            writeln!(table, "  answer to API {api_key}: {next:?}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}
