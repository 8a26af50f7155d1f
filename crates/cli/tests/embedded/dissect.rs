//! `milena dissect`.

use std::io::Write as _;

use milena_codec::generate::{self, Shape};
use milena_codec::schema;
use serde_json::Value;

use crate::capture::{Kept, Packet, pcap, pcapng};
use crate::served::{milena, milena_fed, stderr, stdout};

/// ApiVersions 0 from a client that calls itself `me`, with correlation id 7.
const REQUEST: &str = "0012 0000 00000007 0002 6d65";
/// Its answer: UNSUPPORTED_VERSION, nothing served.
const RESPONSE: &str = "00000007 0023 00000000";

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

#[test]
fn a_request_is_a_tree_or_json() {
    let tree = stdout(&milena(&["dissect", REQUEST]));
    assert!(
        tree.starts_with("ApiVersionsRequest v0, 12 bytes\n"),
        "{tree}"
    );
    assert!(
        tree.contains("CorrelationId: 7") && tree.contains("ClientId: \"me\""),
        "{tree}"
    );

    let line = stdout(&milena(&["dissect", "--format", "json", REQUEST]));
    assert_eq!(line.lines().count(), 1, "{line}");
    let value = json(&line);
    assert_eq!(value["header"]["correlationId"], 7, "{line}");
    assert_eq!(value["header"]["clientId"], "me", "{line}");
}

#[test]
fn an_answer_is_printed_once_its_api_is_known() {
    for api in ["ApiVersions", "18"] {
        let flags = ["dissect", "--response", "--api-version", "0", "--api", api];
        let tree = stdout(&milena(&[&flags[..], &[RESPONSE]].concat()));
        assert!(tree.starts_with("ApiVersionsResponse v0"), "{tree}");
        assert!(tree.contains("ErrorCode: 35"), "{tree}");
    }
    let unknown = milena(&["dissect", "--response", RESPONSE]);
    assert_eq!(unknown.status.code(), Some(2), "{unknown:?}");
}

#[test]
fn digits_come_from_standard_input_and_bytes_from_files() {
    let args = ["dissect", "--format", "json"];
    let expected = stdout(&milena(&[&args[..], &[REQUEST]].concat()));
    let digits = stdout(&milena_fed(&args, format!("{REQUEST}\n").as_bytes()));
    assert_eq!(digits, expected);

    let frame = [0, 18, 0, 0, 0, 0, 0, 7, 0, 2, b'm', b'e'];
    let file = Kept::new("frame", &frame);
    let read = stdout(&milena(&[&args[..], &["--file", file.path()]].concat()));
    assert_eq!(read, expected);
    // Two with their lengths in front.
    let length = [0, 0, 0, 12];
    let two = [&length[..], &frame, &length, &frame].concat();
    let file = Kept::new("frames", &two);
    let read = stdout(&milena(&[&args[..], &["--file", file.path()]].concat()));
    assert_eq!(read, expected.repeat(2));
}

#[test]
fn a_malformed_frame_is_printed_as_far_as_it_goes_and_one_line_says_why() {
    // The client id is said to be longer than the frame.
    let output = milena(&["dissect", "0012 0000 00000007 00ff 6d65"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line = stderr(&output);
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(
        line.starts_with("milena: the frame is malformed: "),
        "{line}"
    );
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("CorrelationId: 7"), "{printed}");
    let cases: [&[&str]; 4] = [
        &["dissect", "zz"],
        &["dissect", "001"],
        &["dissect", "--file", "/nonexistent/frame"],
        &["dissect", "--pcap", "/nonexistent/capture"],
    ];
    for args in cases {
        let output = milena(args);
        assert_eq!(
            (output.status.code(), stderr(&output).lines().count()),
            (Some(1), 1),
            "{args:?}"
        );
    }
}

#[test]
fn hostile_bytes_are_an_error_and_no_panic() {
    let mut random = fastrand::Rng::with_seed(1);
    for seed in 0..40 {
        let bytes: Vec<_> = (0..random.usize(1..200)).map(|_| random.u8(..)).collect();
        let file = Kept::new(&format!("hostile-{seed}"), &bytes);
        for args in [["--file"], ["--pcap"]] {
            let output = milena(&["dissect", args[0], file.path()]);
            let code = output.status.code();
            assert!(matches!(code, Some(0 | 1)), "seed {seed}: {output:?}");
            assert!(
                !stderr(&output).contains("panicked"),
                "seed {seed}: {output:?}"
            );
        }
    }
    // A capture that is one, with anything wrong in it.
    let whole = pcapng(&conversation().0);
    for seed in 0..60 {
        let mut bytes = whole.clone();
        for _ in 0..random.usize(1..6) {
            let place = random.usize(0..bytes.len());
            bytes[place] = random.u8(..);
        }
        bytes.truncate(random.usize(1..=bytes.len()));
        let file = Kept::new(&format!("broken-{seed}"), &bytes);
        let output = milena(&["dissect", "--pcap", file.path()]);
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 1)), "seed {seed}: {output:?}");
        assert!(
            !stderr(&output).contains("panicked"),
            "seed {seed}: {output:?}"
        );
    }
}

fn framed(frame: &[u8]) -> Vec<u8> {
    [
        &u32::try_from(frame.len()).unwrap().to_be_bytes()[..],
        frame,
    ]
    .concat()
}

/// A request and an answer of every API in its newest version, in segments of any size, each direction
/// numbered from just below the end of the numbers; and how many pairs that are.
fn conversation() -> (Vec<Packet>, usize) {
    let mut random = fastrand::Rng::with_seed(3);
    let mut packets = vec![
        Packet::new(true, u32::MAX - 100, true, b""),
        Packet::new(false, u32::MAX - 5, true, b""),
    ];
    let mut next = [u32::MAX - 99, u32::MAX - 4];
    let mut pairs = 0;
    for (id, api_key) in (1_i32..).zip(schema::api_keys()) {
        // Some have been given up altogether.
        let versions = schema::api_versions(api_key).unwrap();
        let Some(version) = versions.iter().last() else {
            continue;
        };
        let shape = Shape::default();
        let Some(request) = generate::request_frame(api_key, version, 5, &shape) else {
            continue;
        };
        let mut request = request.into_bytes();
        request[4..8].copy_from_slice(&id.to_be_bytes());
        let response = generate::response_frame(api_key, version, 5, &shape).unwrap();
        let mut response = response.into_bytes();
        response[..4].copy_from_slice(&id.to_be_bytes());
        pairs += 1;
        for (way, bytes) in [framed(&request), framed(&response)]
            .into_iter()
            .enumerate()
        {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (segment, more) = rest.split_at(random.usize(1..=rest.len()));
                packets.push(Packet::new(way == 0, next[way], false, segment));
                next[way] = next[way].wrapping_add(u32::try_from(segment.len()).unwrap());
                rest = more;
            }
        }
    }
    (packets, pairs)
}

/// The messages in a capture, as (name, version), in their order.
fn dissected(name: &str, capture: &[u8]) -> (Vec<Value>, String) {
    let file = Kept::new(name, capture);
    let output = milena(&["dissect", "--format", "json", "--pcap", file.path()]);
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    (lines.lines().map(json).collect(), stderr(&output))
}

#[test]
fn a_capture_is_requests_and_their_answers_in_both_formats() {
    let (packets, pairs) = conversation();
    assert!(pairs > 60, "{pairs}");
    let (old, said) = dissected("old", &pcap(&packets));
    assert_eq!(said, "");
    assert_eq!(old.len(), 2 * pairs);
    let of = |direction: &str| {
        old.iter()
            .filter(|line| line[direction] == "10.0.0.2:9092")
            .count()
    };
    assert_eq!((of("to"), of("from")), (pairs, pairs));
    let at = old[0]["at"].as_f64().unwrap();
    assert!(at >= 3.0 && (at.fract() - 0.000_25).abs() < 1e-6, "{at}");
    let (new, said) = dissected("new", &pcapng(&packets));
    assert_eq!((new, said), (old, String::new()));
}

#[test]
fn a_capture_compressed_with_gzip_is_read_as_the_capture_itself() {
    let (packets, pairs) = conversation();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&pcapng(&packets)).unwrap();
    let (lines, said) = dissected("gzip", &gzip.finish().unwrap());
    assert_eq!((lines.len(), &*said), (2 * pairs, ""));
}

#[test]
fn a_syn_that_comes_late_or_again_loses_no_message() {
    let (packets, pairs) = conversation();
    let mut late = packets.clone();
    // Behind the first segments of its direction, and once more in the middle.
    let syn = late.remove(0);
    late.insert(3, syn.clone());
    late.insert(packets.len() / 2, syn);
    let (lines, said) = dissected("late-syn", &pcap(&late));
    assert_eq!((lines.len(), &*said), (2 * pairs, ""));
}

#[test]
fn segments_that_come_twice_or_in_another_order_change_nothing() {
    let (packets, _) = conversation();
    let frames = |packets: &[Packet], name| {
        let (lines, said) = dissected(name, &pcap(packets));
        assert_eq!(said, "");
        lines
            .into_iter()
            .map(|line| line["frame"].to_string())
            .collect::<Vec<_>>()
    };
    let expected = frames(&packets, "straight");
    let mut random = fastrand::Rng::with_seed(9);
    let mut disturbed: Vec<_> = packets[..2].to_vec();
    for packet in &packets[2..] {
        disturbed.push(packet.clone());
        if random.u8(0..4) == 0 {
            disturbed.push(packet.clone());
        }
    }
    // Neighbours of one direction change places; a request stays before its answer.
    for place in 2..disturbed.len() - 1 {
        let same_way = disturbed[place].0[..30] == disturbed[place + 1].0[..30];
        if same_way && random.bool() {
            disturbed.swap(place, place + 1);
        }
    }
    assert_eq!(frames(&disturbed, "disturbed"), expected);
}

#[test]
fn what_is_missing_is_said_and_the_rest_is_shown() {
    let (mut packets, pairs) = conversation();
    packets.remove(packets.len() / 2);
    let (lines, said) = dissected("gap", &pcap(&packets));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.starts_with("milena: skipped ") && said.contains("around gaps"),
        "{said}"
    );
    assert!(
        lines.len() > pairs / 2 && lines.len() < 2 * pairs,
        "{}",
        lines.len()
    );

    let whole = pcap(&conversation().0);
    let (lines, said) = dissected("cut", &whole[..whole.len() - 7]);
    assert!(said.contains("end of the file"), "{said}");
    assert!(lines.len() >= 2 * pairs - 1, "{}", lines.len());
    let file = Kept::new("ports", &whole);
    let other = milena(&["dissect", "--pcap", file.path(), "--port", "1,2"]);
    assert!(
        stderr(&other).contains("packets of other ports"),
        "{other:?}"
    );
    assert!(stdout(&other).is_empty());
}
