//! Requests as Kafka reads them, and responses as the sender does.

use kafka_protocol::messages::produce_response::TopicProduceResponse;
use kafka_protocol::messages::{ProduceResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use milena_codec::dissect::{self, Format};
use milena_codec::record::{BatchBuilder, RecordToWrite};
use milena_codec::{Compression, Limits, schema};

use super::*;

const ASKED: Uuid = Uuid::from_u128(1);
const ANEW: Uuid = Uuid::from_u128(2);

fn decoded(api_version: i16, topic_id: Uuid) -> Vec<(PartitionId, Option<i64>)> {
    let expected = Expected {
        api_version,
        partitions: vec![ExpectedPartition {
            id: PartitionId(5),
            topic: Arc::from("t"),
            topic_id: ASKED,
            partition: 3,
        }],
    };
    let partition = |index, base_offset| {
        PartitionProduceResponse::default()
            .with_index(index)
            .with_base_offset(base_offset)
    };
    let mut topic = TopicProduceResponse::default()
        .with_partition_responses(vec![partition(4, 7), partition(3, 9)]);
    if api_version >= TOPIC_IDS {
        topic.topic_id = topic_id;
    } else {
        topic.name = TopicName(StrBytes::from_static_str("t"));
    }
    let response = ProduceResponse::default().with_responses(vec![topic]);
    let mut body = Vec::new();
    message::encode_response::<ProduceMessage>(&mut body, &response, api_version).unwrap();
    let (answer, _) = decode(body.into(), &expected, &Limits::default()).unwrap();
    let ProduceOutcome::Responded { partitions, .. } = answer else {
        panic!("{answer:?}")
    };
    let told = partitions.into_iter();
    told.map(|(id, answer)| (id, answer.base_offset)).collect()
}

/// P-46: an answer about another topic of that name, or a partition that was not asked about, proves nothing.
#[test]
fn an_answer_is_matched_by_what_the_request_said() {
    assert_eq!(decoded(12, ASKED), [(PartitionId(5), Some(9))]);
    assert_eq!(decoded(13, ASKED), [(PartitionId(5), Some(9))]);
    assert_eq!(decoded(13, ANEW), []);
}

fn batch() -> ClosedBatch {
    let mut builder = BatchBuilder::default();
    let record = RecordToWrite {
        timestamp: 0,
        key: None,
        value: Some(b"value"),
        headers: &[],
    };
    builder.append(&record).unwrap();
    builder.close(Compression::None).unwrap()
}

/// The request as Kafka's own definition of it reads, in JSON.
fn written(api_version: i16, transactional_id: Option<&str>) -> String {
    let batch = batch();
    let entry = |topic: &'static str, partition| PartitionBatch {
        topic,
        topic_id: Uuid::from_u128(if topic == "a" { 0xa } else { 0xb }),
        partition,
        batch: &batch,
        stamp: BatchStamp::NONE,
    };
    let head = ProduceHead {
        api_version,
        transactional_id,
        acks: -1,
        timeout_ms: 30_000,
    };
    let body = produce_body(&head, &[entry("a", 0), entry("a", 3), entry("b", 1)]).concat();
    let mut json = String::new();
    let message = schema::request(0).unwrap();
    let limits = Limits::default();
    dissect::message(
        &mut json,
        Format::Json,
        message,
        api_version,
        &body,
        &limits,
    )
    .unwrap();
    json.retain(|character| !character.is_whitespace());
    json
}

/// P-46: by name up to version 12, by id from 13 on.
#[test]
fn every_version_reads_as_kafka_defines_it() {
    for api_version in PRODUCE_VERSION_MIN..=PRODUCE_VERSION_MAX {
        let json = written(api_version, None);
        let ids = api_version >= TOPIC_IDS;
        assert_eq!(json.contains("\"name\":\"a\""), !ids, "{json}");
        assert_eq!(json.contains("\"topicId\""), ids, "{json}");
        assert_eq!(json.matches("\"index\":").count(), 3, "{json}");
        assert!(json.contains("\"acks\":-1,\"timeoutMs\":30000"), "{json}");
    }
}

/// P-95: a request with transactional batches names their transactional id.
#[test]
fn a_transactional_request_names_its_transactional_id() {
    for api_version in PRODUCE_VERSION_MIN..=PRODUCE_VERSION_MAX {
        let json = written(api_version, Some("tx"));
        assert!(json.contains("\"transactionalId\":\"tx\""), "{json}");
        let json = written(api_version, None);
        assert!(json.contains("\"transactionalId\":null"), "{json}");
    }
}
