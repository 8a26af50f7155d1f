//! Bytes that are no request.

use crate::raw::{Produce, Raw, start};
use kafka_protocol::messages::MetadataRequest;
use proptest::prelude::*;

/// Sends bytes and waits until the connection is closed; meanwhile somebody else is served.
async fn is_closed(bytes: &[u8]) {
    let broker = &start().await;
    let mut bystander = Raw::connect(broker);
    let mut hostile = Raw::connect(broker);
    hostile.send_bytes(bytes).await;
    assert_eq!(hostile.receive().await, None);
    let answer = bystander
        .call(12, &MetadataRequest::default().with_topics(None))
        .await;
    assert_eq!(answer.topics.len(), 1);
}

#[tokio::test]
async fn what_is_no_request_closes_the_connection_and_disturbs_nobody() {
    is_closed(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    is_closed(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await;
    is_closed(&(-1_i32).to_be_bytes()).await;
    is_closed(&i32::MAX.to_be_bytes()).await;
    // An empty frame, an unknown API, a header cut short.
    is_closed(&[0, 0, 0, 0]).await;
    is_closed(&[0, 0, 0, 10, 0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff]).await;
    is_closed(&[0, 0, 0, 5, 0, 0, 0, 9, 0]).await;
    // A version that Kafka 4 does not have any more.
    is_closed(&[0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff]).await;
    // Produce 9 with a count of 2^32 - 2 topics (codec.md).
    let bomb = [
        0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0, 0, 1,
    ];
    let mut frame = bomb.to_vec();
    frame.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
    let mut wire = u32::try_from(frame.len()).unwrap().to_be_bytes().to_vec();
    wire.extend(frame);
    is_closed(&wire).await;
}

/// Records that claim more than there is.
#[tokio::test]
async fn a_bomb_of_a_batch_is_refused_for_its_partition() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let good = Produce::default().request();
    let records = good.topic_data[0].partition_data[0]
        .records
        .clone()
        .unwrap();
    for at in 0..records.len() {
        let mut bad = records.to_vec();
        bad[at] ^= 0xff;
        let mut request = good.clone();
        request.topic_data[0].partition_data[0].records = Some(bad.into());
        let answer = raw.call(12, &request).await;
        let code = answer.responses[0].partition_responses[0].error_code;
        // The base offset's place may hold nothing but zeros, the leader epoch's anything.
        assert_eq!(code == 0, (12..16).contains(&at), "byte {at}: {code}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any bytes: the broker closes, answers or waits for more, and lives.
    #[test]
    fn any_frame_leaves_the_broker_alive(
        key in 0_i16..80,
        version in 0_i16..16,
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let broker = &start().await;
            let mut hostile = Raw::connect(broker);
            let mut frame = Vec::new();
            frame.extend(key.to_be_bytes());
            frame.extend(version.to_be_bytes());
            frame.extend(7_i32.to_be_bytes());
            frame.extend((-1_i16).to_be_bytes());
            frame.extend(&body);
            let mut wire = u32::try_from(frame.len()).unwrap().to_be_bytes().to_vec();
            wire.extend(frame);
            hostile.send_bytes(&wire).await;
            let mut bystander = Raw::connect(broker);
            bystander.call(12, &MetadataRequest::default()).await;
        });
    }
}
