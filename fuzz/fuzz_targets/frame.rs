//! Frames that arrive in pieces, and the headers in them.
//!
//! The first two bytes say how large the pieces are, the rest is what arrives.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use milena_codec::frame::{FrameDecoder, FrameError};
use milena_codec::header::{
    put_request_header, put_response_header, response_correlation_id, take_request_header,
    take_response_header,
};
use milena_codec::{DecodeError, Limits};

const FRAME_LIMIT: usize = 4096;
const LENGTH_BYTES: usize = 4;
/// What the decoder may reserve: room for one read beyond twice what can be under way.
const CAPACITY_MAX: usize = 256 << 10;

fuzz_target!(|data: &[u8]| {
    let Some((&[seed, step], stream)) = data.split_first_chunk() else {
        return;
    };
    let (frames, error) = decoded(stream, seed, step);
    assert_eq!((&frames, error), (&expected(stream).0, expected(stream).1));
    for frame in frames {
        request(&frame);
        response(&frame);
    }
});

/// What comes out when the stream arrives in pieces.
fn decoded(stream: &[u8], seed: u8, step: u8) -> (Vec<Bytes>, Option<FrameError>) {
    let mut decoder = FrameDecoder::new(FRAME_LIMIT);
    let mut frames = Vec::new();
    let mut left = stream;
    let mut size = usize::from(seed);
    while !left.is_empty() {
        let (piece, rest) = left.split_at(left.len().min(size % 97 + 1));
        left = rest;
        size += usize::from(step);
        let buffer = decoder.buffer_mut();
        assert!(buffer.capacity() > buffer.len());
        assert!(buffer.capacity() <= CAPACITY_MAX);
        buffer.extend_from_slice(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.next_frame(), Err(error));
                    return (frames, Some(error));
                }
            }
        }
    }
    (frames, None)
}

/// The same, from the whole stream at once.
fn expected(mut stream: &[u8]) -> (Vec<Bytes>, Option<FrameError>) {
    let mut frames = Vec::new();
    while let Some(head) = stream.first_chunk::<LENGTH_BYTES>() {
        let length = i32::from_be_bytes(*head);
        let Ok(bytes) = usize::try_from(length) else {
            return (frames, Some(FrameError::Negative { length }));
        };
        if bytes > FRAME_LIMIT {
            return (
                frames,
                Some(FrameError::TooLarge {
                    length,
                    limit: FRAME_LIMIT,
                }),
            );
        }
        let Some(frame) = stream.get(LENGTH_BYTES..LENGTH_BYTES + bytes) else {
            break;
        };
        frames.push(Bytes::copy_from_slice(frame));
        stream = &stream[LENGTH_BYTES + bytes..];
    }
    (frames, None)
}

/// A header that is read is read again the same once it was written.
fn request(frame: &Bytes) {
    let limits = Limits::default();
    let mut body = frame.clone();
    let header = match take_request_header(&mut body, &limits) {
        Ok(header) => header,
        Err(DecodeError::UnknownApi { .. } | DecodeError::Header { .. }) => {
            assert_eq!(&body, frame, "an error leaves the frame whole");
            return;
        }
        Err(other) => panic!("{other}"),
    };
    assert!(frame.ends_with(&body));
    let mut wire = Vec::new();
    let client_id = header.client_id.as_deref();
    let (key, version) = (header.api_key, header.api_version);
    put_request_header(&mut wire, key, version, header.correlation_id, client_id).unwrap();
    wire.extend_from_slice(&body);
    let mut again = Bytes::from(wire);
    assert_eq!(take_request_header(&mut again, &limits).unwrap(), header);
    assert_eq!(again, body);
}

/// As if the frame answered the API and version that its first bytes name.
fn response(frame: &Bytes) {
    let Some((&[key, version], frame)) = frame.split_first_chunk() else {
        return;
    };
    let (key, version) = (i16::from(key % 95), i16::from(version % 20));
    let limits = Limits::default();
    let mut body = Bytes::copy_from_slice(frame);
    let Ok(correlation_id) = take_response_header(&mut body, key, version, &limits) else {
        assert_eq!(body, frame, "an error leaves the frame whole");
        return;
    };
    assert_eq!(response_correlation_id(frame), Some(correlation_id));
    let mut wire = Vec::new();
    put_response_header(&mut wire, key, version, correlation_id).unwrap();
    wire.extend_from_slice(&body);
    let mut again = Bytes::from(wire);
    assert_eq!(
        take_response_header(&mut again, key, version, &limits).unwrap(),
        correlation_id
    );
    assert_eq!(again, body);
}
