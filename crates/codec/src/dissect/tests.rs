use super::*;
use crate::guard::{self, Direction};
use crate::record::{BatchBuilder, BatchStamp, Compression, RecordToWrite};
use serde_json::Value as JsonValue;

/// A Metadata response v12 with its header: two brokers, one topic, one partition, an unknown tag.
fn metadata_frame() -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 7, 0];
    frame.extend([0, 0, 0, 0]);
    frame.push(3);
    for id in [1, 2] {
        frame.extend([0, 0, 0, id, 5]);
        frame.extend(*b"host");
        frame.extend([0, 0, 0x23, 0x84, 0, 0]);
    }
    frame.extend(*b"\x03me\0\0\0\x01\x02\0\0\x06topic");
    frame.extend([0xff; 16]);
    frame.extend([1, 2]);
    frame.extend([0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 9]);
    frame.extend([3, 0, 0, 0, 1, 0, 0, 0, 2, 2, 0, 0, 0, 1, 1, 0]);
    frame.extend([0x80, 0, 0, 0, 1, 7, 3, 1, 2, 3, 0]);
    frame
}

fn json(frame: &[u8]) -> (JsonValue, Result<(), DissectError>) {
    let mut out = String::new();
    let result = response(&mut out, Format::Json, frame, 3, 12, &Limits::default());
    (serde_json::from_str(&out).unwrap(), result)
}

#[test]
fn a_response_is_printed_as_json() {
    let (json, result) = json(&metadata_frame());
    result.unwrap();
    assert_eq!(json["message"], "MetadataResponse");
    assert_eq!(json["header"]["correlationId"], 7);
    let body = &json["body"];
    assert_eq!(body["brokers"][1]["host"], "host");
    assert_eq!(body["brokers"][1]["rack"], JsonValue::Null);
    let topic = &body["topics"][0];
    assert_eq!(topic["topicId"], "_____________________w");
    assert_eq!(topic["isInternal"], true);
    assert_eq!(topic["topicAuthorizedOperations"], i32::MIN);
    assert_eq!(
        topic["partitions"][0]["replicaNodes"],
        serde_json::json!([1, 2])
    );
    assert_eq!(topic["_tag7"], "AQID");
}

#[test]
fn a_response_is_printed_as_a_tree() {
    let mut out = String::new();
    response(
        &mut out,
        Format::Tree,
        &metadata_frame(),
        3,
        12,
        &Limits::default(),
    )
    .unwrap();
    insta::assert_snapshot!(out);
}

#[test]
fn a_cut_frame_is_printed_as_far_as_it_goes() {
    let frame = metadata_frame();
    for cut in 5..frame.len() {
        let part = &frame[..cut];
        let (json, result) = json(part);
        let Err(DissectError::Malformed { source }) = result else {
            panic!("{cut}: {result:?}")
        };
        assert_eq!(json["_error"], source.to_string());
        let guarded =
            guard::check(3, Direction::Response, 12, &part[5..], &Limits::default()).unwrap_err();
        assert_eq!(place(&guarded), place(&source), "{cut}");
        let mut tree = String::new();
        response(&mut tree, Format::Tree, part, 3, 12, &Limits::default()).unwrap_err();
        assert!(tree.ends_with(&format!("malformed: {source}\n")), "{tree}");
    }
}

/// Message, path and offset: the guard distinguishes fewer missing bytes.
fn place(error: &GuardError) -> (&str, &str, usize) {
    let GuardError::Rejected {
        message,
        path,
        offset,
        ..
    } = error
    else {
        panic!("{error}")
    };
    (message, path, *offset)
}

#[test]
fn records_are_summed_up() {
    let mut builder = BatchBuilder::new(Vec::new());
    let record = RecordToWrite {
        timestamp: 5,
        key: None,
        value: Some(b"v"),
        headers: &[],
    };
    builder.append(&record).unwrap();
    builder.append(&record).unwrap();
    let batch = builder
        .close(Compression::None)
        .unwrap()
        .to_vec(&BatchStamp::NONE);
    let mut body = b"\xff\xff\xff\xff\0\0\0\x01\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x03".to_vec();
    let records = u32::try_from(batch.len() + 20).unwrap();
    body.extend(records.to_be_bytes());
    body.extend(&batch);
    body.extend(&batch[..20]);
    let produce = schema::request(0).unwrap();
    let mut out = String::new();
    message(
        &mut out,
        Format::Json,
        produce,
        8,
        &body,
        &Limits::default(),
    )
    .unwrap();
    let json: JsonValue = serde_json::from_str(&out).unwrap();
    let records = &json["body"]["topicData"][0]["partitionData"][0]["records"];
    assert_eq!(records["batches"][0]["recordCount"], 2);
    assert_eq!(records["batches"][0]["crcValid"], true);
    assert_eq!(records["_partialBatch"]["have"], 20);
    out.clear();
    message(
        &mut out,
        Format::Tree,
        produce,
        8,
        &body,
        &Limits::default(),
    )
    .unwrap();
    insta::assert_snapshot!(out);
}

#[test]
fn a_request_is_printed_with_its_header() {
    let frame = b"\0\x12\0\x03\0\0\0\x05\0\x02me\0\x05java\x061.2.3\0";
    let mut out = String::new();
    request(&mut out, Format::Json, frame, &Limits::default()).unwrap();
    let json: JsonValue = serde_json::from_str(&out).unwrap();
    assert_eq!(json["header"]["clientId"], "me");
    assert_eq!(json["body"]["clientSoftwareVersion"], "1.2.3");
}

#[test]
fn frames_that_are_none_are_errors() {
    let limits = Limits::default();
    for frame in [
        &b""[..],
        b"\0",
        b"\0\x12\0",
        b"\0\x63\0\0\0\0\0\0",
        b"\0\x12\x7f\0\0\0\0\0",
    ] {
        let mut out = String::new();
        request(&mut out, Format::Json, frame, &limits).unwrap_err();
        response(&mut out, Format::Tree, frame, 3, 12, &limits).unwrap_err();
        response(&mut out, Format::Tree, frame, 99, 0, &limits).unwrap_err();
    }
}

#[test]
fn an_output_that_fails_ends_the_walk() {
    struct Full;
    impl Write for Full {
        fn write_str(&mut self, _: &str) -> fmt::Result {
            Err(fmt::Error)
        }
    }
    let result = response(
        &mut Full,
        Format::Json,
        &metadata_frame(),
        3,
        12,
        &Limits::default(),
    );
    assert!(matches!(result, Err(DissectError::Output { .. })));
}
