//! Requests that are not quite as the schemas say: which of them a broker responds to, and which end the connection.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use milena_protocol_tests::{Kafka, conformance};

/// How long a broker may take to respond or to close.
const LIMIT: Duration = Duration::from_secs(30);

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Responded,
    Closed,
}

/// Sends one frame and waits for the first bytes of the response, or for the end of the connection.
fn verdict(address: &str, header: &[u8], body: &[u8]) -> Verdict {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let length = u32::try_from(header.len() + body.len()).unwrap();
    let frame = [&length.to_be_bytes()[..], header, body].concat();
    stream.write_all(&frame).unwrap();
    let mut start = [0; 8];
    match stream.read_exact(&mut start) {
        Ok(()) => {
            let [.., a, b, c, d] = start;
            assert_eq!(i32::from_be_bytes([a, b, c, d]), CORRELATION_ID);
            Verdict::Responded
        }
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            panic!("{address} neither responds nor closes within {LIMIT:?}")
        }
        Err(_) => Verdict::Closed,
    }
}

const CORRELATION_ID: i32 = 7;

/// A request header of version 1, to which flexible APIs add `tags`.
fn header(api_key: i16, api_version: i16, client_id: &[u8], tags: &[u8]) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(api_key.to_be_bytes());
    header.extend(api_version.to_be_bytes());
    header.extend(CORRELATION_ID.to_be_bytes());
    header.extend(i16::try_from(client_id.len()).unwrap().to_be_bytes());
    header.extend(client_id);
    header.extend(tags);
    header
}

fn hold(kafka: &Kafka, table: &[(&str, Vec<u8>, &[u8], Verdict)]) {
    let address = &kafka.bootstrap()[0];
    for (what, header, body, expected) in table {
        let seen = verdict(address, header, body);
        assert_eq!(seen, *expected, "{what}");
    }
}

/// librdkafka from 2.1.0 on sends the first of these for `list_topics` and for subscriptions by pattern.
async fn bytes_behind_the_last_field_of_a_request_are_ignored(kafka: &Kafka) {
    use Verdict::{Closed, Responded};
    let flexible = |key, version| header(key, version, b"c", &[0]);
    let plain = |key, version| header(key, version, b"c", &[]);
    hold(
        kafka,
        &[
            (
                "Metadata 12 of librdkafka 2.1.0 and later",
                flexible(3, 12),
                &[0, 0, 0, 0, 1, 0, 0],
                Responded,
            ),
            ("Metadata 12", flexible(3, 12), &[0, 1, 0, 0], Responded),
            (
                "Metadata 1 with a byte more",
                plain(3, 1),
                &[0, 0, 0, 0, 9],
                Responded,
            ),
            ("ListGroups 2 with a byte", plain(16, 2), &[1], Responded),
            (
                "ApiVersions 3 with two bytes more",
                flexible(18, 3),
                &[2, b'a', 2, b'1', 0, 0xff, 0xff],
                Responded,
            ),
            (
                "ListTransactions 0 with a byte more",
                flexible(66, 0),
                &[1, 1, 0, 0],
                Responded,
            ),
            (
                "Metadata 12 that ends early",
                flexible(3, 12),
                &[0, 1],
                Closed,
            ),
        ],
    );
}

async fn tags_of_a_header_may_come_in_any_order_and_unknown_apis_end_the_connection(kafka: &Kafka) {
    use Verdict::{Closed, Responded};
    let plain = |key, version| header(key, version, b"c", &[]);
    hold(
        kafka,
        &[
            (
                "tags of the header out of order",
                header(3, 12, b"c", &[2, 9, 0, 7, 0]),
                &[0, 1, 0, 0],
                Responded,
            ),
            (
                "the same tag of the header twice",
                header(3, 12, b"c", &[2, 9, 0, 9, 0]),
                &[0, 1, 0, 0],
                Responded,
            ),
            (
                "Metadata 0 with null topics",
                plain(3, 0),
                &[0xff, 0xff, 0xff, 0xff],
                Closed,
            ),
            ("an API that there is not", plain(999, 0), &[], Closed),
            (
                "a version that there is not",
                plain(3, 99),
                &[0, 1, 0, 0],
                Closed,
            ),
        ],
    );
}

conformance!(
    bytes_behind_the_last_field_of_a_request_are_ignored,
    tags_of_a_header_may_come_in_any_order_and_unknown_apis_end_the_connection,
);
