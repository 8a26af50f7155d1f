//! The headers in front of request and response bodies, in every version.
//!
//! Request header 1 is key, version, correlation id, client id; header 2 adds tagged fields. Response
//! header 0 is the correlation id; header 1 adds tagged fields. Which one a message has follows from
//! its API and version: the "flexible" versions have tags, with one exception (ApiVersions, below).

use crate::{DecodeError, EncodeError, Limits};
use bytes::{Buf, Bytes};

/// The API key of ApiVersions. Its response always has header 0: the client cannot know yet what
/// the broker supports, so it must be able to read the response to a version that the broker lacks.
const API_VERSIONS: i16 = 18;

/// For each API key, the first version with tagged fields.
const FIRST_FLEXIBLE: [i16; 95] = {
    /// No version yet has tagged fields.
    const NEVER: i16 = i16::MAX;
    /// Removed in Kafka 4.0, and never spoken by us.
    const GONE: i16 = -1;
    [
        9, 12, 6, 9, GONE, GONE, GONE, GONE, 8, 6, // 0 Produce to 9 OffsetFetch
        3, 6, 4, 4, 4, 5, 3, NEVER, 3, 5, // 10 FindCoordinator to 19 CreateTopics
        4, 2, 2, 4, 3, 3, 3, 1, 3, 2, // 20 DeleteTopics to 29 DescribeAcls
        2, 2, 4, 2, 2, 2, 2, 2, 2, 2, // 30 CreateAcls to 39 RenewDelegationToken
        2, 2, 2, 2, 1, 0, 0, NEVER, 1, 1, // 40 ExpireDelegationToken to 49 AlterClientQuotas
        0, 0, 0, 1, 1, 0, 2, 0, 0, 0, // 50 DescribeUserScramCredentials to 59 FetchSnapshot
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 60 DescribeCluster to 69 ConsumerGroupDescribe
        0, 0, 0, 0, 0, 0, 1, 1, 1, 1, // 70 ControllerRegistration to 79 ShareAcknowledge
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 80 AddRaftVoter to 89 StreamsGroupDescribe
        0, 0, 0, 0, 0, // 90 DescribeShareGroupOffsets to 94 UnregisterController
    ]
};

/// What stands in front of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// Which API is asked.
    pub api_key: i16,
    /// In which version.
    pub api_version: i16,
    /// Pairs the response with this request.
    pub correlation_id: i32,
    /// The client's name for itself.
    pub client_id: Option<String>,
}

/// The version of the request header (1 or 2) that an API has in a version; `None` for an API that
/// Kafka 4.4.0 does not have.
#[must_use]
pub fn request_header_version(api_key: i16, api_version: i16) -> Option<i16> {
    Some(if is_flexible(api_key, api_version)? {
        2
    } else {
        1
    })
}

/// The version of the response header (0 or 1) that an API has in a version; `None` for an API that
/// Kafka 4.4.0 does not have.
#[must_use]
pub fn response_header_version(api_key: i16, api_version: i16) -> Option<i16> {
    let flexible = is_flexible(api_key, api_version)?;
    Some(if flexible && api_key != API_VERSIONS {
        1
    } else {
        0
    })
}

/// Appends a request header; the frame's length is the caller's to write.
///
/// # Errors
/// [`EncodeError::UnknownApi`]; [`EncodeError::TooLong`] for a client id of more than 32,767 bytes.
pub fn put_request_header(
    out: &mut Vec<u8>,
    api_key: i16,
    api_version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<(), EncodeError> {
    let flexible = is_flexible(api_key, api_version).ok_or(EncodeError::UnknownApi { api_key })?;
    let client_id_length = match client_id {
        None => -1,
        Some(id) => i16::try_from(id.len()).map_err(|_| EncodeError::TooLong {
            field: "client id",
            length: id.len(),
            limit: i16::MAX.unsigned_abs().into(),
        })?,
    };
    out.extend_from_slice(&api_key.to_be_bytes());
    out.extend_from_slice(&api_version.to_be_bytes());
    out.extend_from_slice(&correlation_id.to_be_bytes());
    out.extend_from_slice(&client_id_length.to_be_bytes());
    out.extend_from_slice(client_id.unwrap_or_default().as_bytes());
    if flexible {
        out.push(0);
    }
    Ok(())
}

/// Takes the header off a request frame and leaves the body. Tagged fields are skipped.
///
/// # Errors
/// [`DecodeError::UnknownApi`]; [`DecodeError::Header`] if the frame ends early or a field cannot be.
pub fn take_request_header(
    frame: &mut Bytes,
    limits: &Limits,
) -> Result<RequestHeader, DecodeError> {
    let mut reader = Reader {
        bytes: frame,
        offset: 0,
    };
    let api_key = i16::from_be_bytes(reader.array("api key")?);
    let api_version = i16::from_be_bytes(reader.array("api version")?);
    let correlation_id = i32::from_be_bytes(reader.array("correlation id")?);
    let flexible = is_flexible(api_key, api_version).ok_or(DecodeError::UnknownApi { api_key })?;
    let client_id = reader.nullable_string("client id")?;
    if flexible {
        reader.skip_tags(limits)?;
    }
    let body = reader.offset;
    frame.advance(body);
    Ok(RequestHeader {
        api_key,
        api_version,
        correlation_id,
        client_id,
    })
}

/// Appends a response header; the frame's length is the caller's to write.
///
/// # Errors
/// [`EncodeError::UnknownApi`].
pub fn put_response_header(
    out: &mut Vec<u8>,
    api_key: i16,
    api_version: i16,
    correlation_id: i32,
) -> Result<(), EncodeError> {
    let version =
        response_header_version(api_key, api_version).ok_or(EncodeError::UnknownApi { api_key })?;
    out.extend_from_slice(&correlation_id.to_be_bytes());
    if version > 0 {
        out.push(0);
    }
    Ok(())
}

/// Takes the header off a response frame, leaves the body, and returns the correlation id. Tagged
/// fields are skipped.
///
/// Look at [`response_correlation_id`] first if it decides which API this frame is a response of.
///
/// # Errors
/// [`DecodeError::UnknownApi`]; [`DecodeError::Header`] if the frame ends early or a tag cannot be.
pub fn take_response_header(
    frame: &mut Bytes,
    api_key: i16,
    api_version: i16,
    limits: &Limits,
) -> Result<i32, DecodeError> {
    let version =
        response_header_version(api_key, api_version).ok_or(DecodeError::UnknownApi { api_key })?;
    let mut reader = Reader {
        bytes: frame,
        offset: 0,
    };
    let correlation_id = i32::from_be_bytes(reader.array("correlation id")?);
    if version > 0 {
        reader.skip_tags(limits)?;
    }
    let body = reader.offset;
    frame.advance(body);
    Ok(correlation_id)
}

/// The correlation id at the head of a response frame, in every version; `None` if the frame is
/// shorter than that.
#[must_use]
pub fn response_correlation_id(frame: &[u8]) -> Option<i32> {
    frame.first_chunk().map(|bytes| i32::from_be_bytes(*bytes))
}

fn is_flexible(api_key: i16, api_version: i16) -> Option<bool> {
    let first = *FIRST_FLEXIBLE.get(usize::try_from(api_key).ok()?)?;
    (first >= 0).then_some(api_version >= first)
}

/// Walks a header without taking anything from the frame, so that an error leaves it whole.
struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let offset = self.offset;
        let taken = self.bytes.get(offset..).and_then(|rest| rest.get(..length));
        self.offset = offset.saturating_add(length);
        taken.ok_or(DecodeError::Header { field, offset })
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let offset = self.offset;
        let bytes = self.take(N, field)?;
        bytes
            .try_into()
            .map_err(|_| DecodeError::Header { field, offset })
    }

    fn nullable_string(&mut self, field: &'static str) -> Result<Option<String>, DecodeError> {
        let offset = self.offset;
        let length = i16::from_be_bytes(self.array(field)?);
        if length == -1 {
            return Ok(None);
        }
        let malformed = DecodeError::Header { field, offset };
        let Ok(length) = usize::try_from(length) else {
            return Err(malformed);
        };
        let text = self.take(length, field)?;
        Ok(Some(String::from_utf8_lossy(text).into_owned()))
    }

    fn unsigned_varint(&mut self, field: &'static str) -> Result<usize, DecodeError> {
        let offset = self.offset;
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array(field)?;
            // The fifth byte has room for four bits.
            if shift == 28 && byte > 0x0f {
                break;
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).map_err(|_| DecodeError::Header { field, offset });
            }
        }
        Err(DecodeError::Header { field, offset })
    }

    fn skip_tags(&mut self, limits: &Limits) -> Result<(), DecodeError> {
        let offset = self.offset;
        let count = self.unsigned_varint("tag count")?;
        if count > limits.tagged_fields {
            return Err(DecodeError::Header {
                field: "tag count",
                offset,
            });
        }
        for _ in 0..count {
            self.unsigned_varint("tag")?;
            let size = self.unsigned_varint("tag size")?;
            self.take(size, "tagged field")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_versions_are_those_of_the_schemas() {
        // (api key, api version, request header, response header), read off Kafka's own ApiKeys.
        let known = [
            (0, 8, 1, 0),
            (0, 9, 2, 1),
            (1, 11, 1, 0),
            (1, 12, 2, 1),
            (17, 1, 1, 0),
            (18, 2, 1, 0),
            (18, 3, 2, 0),
            (22, 1, 1, 0),
            (22, 2, 2, 1),
            (27, 1, 2, 1),
            (47, 0, 1, 0),
            (68, 0, 2, 1),
            (92, 0, 2, 1),
        ];
        for (key, version, request, response) in known {
            assert_eq!(
                request_header_version(key, version),
                Some(request),
                "{key} {version}"
            );
            assert_eq!(
                response_header_version(key, version),
                Some(response),
                "{key} {version}"
            );
        }
        for key in [-1, 4, 7, 95, i16::MAX] {
            assert_eq!(request_header_version(key, 0), None);
            assert_eq!(response_header_version(key, 0), None);
        }
    }

    #[test]
    fn a_request_header_is_read_as_written() {
        for (version, client_id) in [(8, Some("me")), (9, Some("")), (9, None), (8, None)] {
            let mut wire = Vec::new();
            put_request_header(&mut wire, 0, version, 77, client_id).unwrap();
            wire.extend_from_slice(b"body");
            let mut frame = Bytes::from(wire);
            let header = take_request_header(&mut frame, &Limits::default()).unwrap();
            let expected = RequestHeader {
                api_key: 0,
                api_version: version,
                correlation_id: 77,
                client_id: client_id.map(str::to_owned),
            };
            assert_eq!(header, expected);
            assert_eq!(frame, "body");
        }
    }

    #[test]
    fn a_response_header_is_read_as_written() {
        for (key, version) in [(0, 8), (0, 9), (18, 0), (18, 4)] {
            let mut wire = Vec::new();
            put_response_header(&mut wire, key, version, -5).unwrap();
            wire.extend_from_slice(b"body");
            assert_eq!(response_correlation_id(&wire), Some(-5));
            let mut frame = Bytes::from(wire);
            let limits = Limits::default();
            assert_eq!(
                take_response_header(&mut frame, key, version, &limits).unwrap(),
                -5
            );
            assert_eq!(frame, "body");
        }
    }

    #[test]
    fn tags_are_skipped() {
        let mut frame = Bytes::from_static(b"\0\0\0\x09\x02\x00\x01x\x07\x02yzbody");
        assert_eq!(
            take_response_header(&mut frame, 0, 9, &Limits::default()).unwrap(),
            9
        );
        assert_eq!(frame, "body");
    }

    #[test]
    fn a_cut_header_is_an_error_and_leaves_the_frame_whole() {
        let whole = b"\0\0\0\x09\0\0\0\x07\0\x02me\x01\x00\x01x";
        for cut in 0..whole.len() {
            let mut frame = Bytes::copy_from_slice(&whole[..cut]);
            take_request_header(&mut frame, &Limits::default()).unwrap_err();
            assert_eq!(frame.len(), cut);
        }
    }

    #[test]
    fn lies_in_a_header_are_errors() {
        let limits = Limits {
            tagged_fields: 3,
            ..Limits::default()
        };
        let lies: [&[u8]; 4] = [
            b"\0\0\0\0\xff\xff\xff\xff\x0f",
            b"\0\0\0\0\xff\xff\xff\xff\x1f",
            b"\0\0\0\0\x04",
            b"\0\0\0\0\x01\x00\xff\xff\xff\xff\x0f",
        ];
        for lie in lies {
            let mut frame = Bytes::copy_from_slice(lie);
            take_response_header(&mut frame, 0, 9, &limits).unwrap_err();
        }
        let mut frame = Bytes::from_static(b"\0\0\0\x08\0\0\0\x07\xff\xfeme");
        take_request_header(&mut frame, &limits).unwrap_err();
    }

    #[test]
    fn a_client_id_that_is_not_utf_8_is_replaced_as_by_kafka() {
        let mut frame = Bytes::from_static(b"\0\0\0\x08\0\0\0\x07\0\x02\xe9m");
        let header = take_request_header(&mut frame, &Limits::default()).unwrap();
        assert_eq!(header.client_id.as_deref(), Some("\u{fffd}m"));
        assert!(frame.is_empty());
    }
}
