//! What is advertised is served, in every version.

use crate::raw::{Produce, Raw, fetch, start, text};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::*;
use milena_broker::{Broker, ErrorCode, Then, When};
use milena_codec::message::Request;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// Produce is advertised from version 0 for the sake of old clients, and served from 3.
const PRODUCE: i16 = 0;

async fn advertised(raw: &mut Raw) -> BTreeMap<i16, RangeInclusive<i16>> {
    let request = ApiVersionsRequest::default()
        .with_client_software_name(text("raw"))
        .with_client_software_version(text("1.0"));
    let answer = raw.call(4, &request).await;
    let apis = answer.api_keys.iter();
    apis.map(|api| (api.api_key, api.min_version..=api.max_version))
        .collect()
}

/// Sends a request in every version and reads the answers; then the same while a script refuses it.
async fn in_every_version<R: Request + Default>(broker: &Broker, request: R) -> i16 {
    let mut raw = Raw::connect(broker);
    let versions = advertised(&mut raw).await[&R::KEY].clone();
    let first = if R::KEY == PRODUCE {
        3
    } else {
        *versions.start()
    };
    for version in first..=*versions.end() {
        raw.call(version, &request).await;
        let fault = broker
            .faults()
            .once(When::api(R::KEY), Then::Answer(ErrorCode::InvalidRequest));
        raw.call(version, &request).await;
        assert_eq!(fault.count(), 1, "API {} version {version}", R::KEY);
    }
    R::KEY
}

#[tokio::test]
async fn every_advertised_version_is_answered_and_can_be_refused() {
    let broker = &start().await;
    let mut answered = vec![in_every_version(broker, Produce::default().request()).await];
    macro_rules! every {
        ($($request:ident)*) => {
            $(answered.push(in_every_version(broker, $request::default()).await);)*
        };
    }
    every! {
        ListOffsetsRequest MetadataRequest OffsetCommitRequest OffsetFetchRequest
        FindCoordinatorRequest JoinGroupRequest HeartbeatRequest LeaveGroupRequest SyncGroupRequest
        DescribeGroupsRequest ListGroupsRequest ApiVersionsRequest CreateTopicsRequest
        DeleteTopicsRequest DeleteRecordsRequest InitProducerIdRequest
        OffsetForLeaderEpochRequest AddPartitionsToTxnRequest AddOffsetsToTxnRequest EndTxnRequest
        TxnOffsetCommitRequest DescribeConfigsRequest CreatePartitionsRequest DeleteGroupsRequest
        IncrementalAlterConfigsRequest OffsetDeleteRequest DescribeClusterRequest
        DescribeProducersRequest DescribeTransactionsRequest ListTransactionsRequest
        ConsumerGroupHeartbeatRequest ConsumerGroupDescribeRequest DescribeTopicPartitionsRequest
        FetchRequest AlterConfigsRequest DescribeLogDirsRequest DescribeQuorumRequest
        ListConfigResourcesRequest
    }
    answered.sort_unstable();
    let all: Vec<_> = advertised(&mut Raw::connect(broker))
        .await
        .into_keys()
        .collect();
    assert_eq!(answered, all);
}

/// Versions that Kafka 4.4.0 added to APIs that 4.3.1 has, which this broker answers as; and DescribeLogDirs 5, which
/// kafka-protocol does not have.
const NOT_SERVED: [(i16, i16); 4] = [(18, 5), (28, 6), (35, 5), (42, 3)];

/// By Kafka's own definitions; `protocol-tests` compares with what a real broker advertises.
#[tokio::test]
async fn every_stable_version_of_kafka_4_3_1_is_served() {
    let broker = &start().await;
    for (api, told) in advertised(&mut Raw::connect(broker)).await {
        let kafka = milena_codec::schema::request(api).unwrap();
        let stable =
            |version: &i16| !kafka.is_unstable(*version) && !NOT_SERVED.contains(&(api, *version));
        let served = told.filter(|version| api != PRODUCE || *version >= 3);
        let wanted: Vec<_> = kafka.versions().iter().filter(stable).collect();
        assert_eq!(served.collect::<Vec<_>>(), wanted, "{}", kafka.name());
    }
}

/// KIP-1152.
#[tokio::test]
async fn transactions_are_listed_by_a_pattern_of_their_ids() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    for id in ["orders-1", "orders-20", "other"] {
        raw.init(id).await.unwrap();
    }
    let mut listed = async |pattern: &str| {
        let pattern = Some(text(pattern));
        let request = ListTransactionsRequest::default()
            .with_duration_filter(-1)
            .with_transactional_id_pattern(pattern);
        let answer = raw.call(2, &request).await;
        let states = answer.transaction_states.iter();
        let mut ids: Vec<_> = states.map(|s| s.transactional_id.to_string()).collect();
        ids.sort();
        (ErrorCode::from(answer.error_code), ids.join(" "))
    };
    let found = |ids: &str| (ErrorCode::None, ids.to_owned());
    assert_eq!(listed("").await, found("orders-1 orders-20 other"));
    assert_eq!(listed("orders-[0-9]+").await, found("orders-1 orders-20"));
    assert_eq!(listed("order").await, found(""), "all of the id must match");
    for broken in ["(", "a)(b", "[z-a]", "x{1000000}"] {
        let refused = (ErrorCode::InvalidRegularExpression, String::new());
        assert_eq!(listed(broken).await, refused, "{broken}");
    }
}

#[tokio::test]
async fn a_version_of_api_versions_from_the_future_is_told_what_there_is() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    // Version 99 with the header of a flexible version and nothing that we know behind it.
    let mut frame = vec![0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff, 0];
    frame.extend_from_slice(b"whatever");
    let mut wire = u32::try_from(frame.len()).unwrap().to_be_bytes().to_vec();
    wire.extend(frame);
    raw.send_bytes(&wire).await;
    let answer = raw.answer::<ApiVersionsRequest>(0, 7).await.unwrap();
    assert_eq!(answer.error_code, ErrorCode::UnsupportedVersion.code());
    assert_eq!(answer.api_keys[0].max_version, 4);
    assert!(
        !advertised(&mut raw).await.is_empty(),
        "the connection lives on"
    );
}

#[tokio::test]
async fn brokers_may_differ_in_what_they_serve() {
    let broker = Broker::builder()
        .brokers(2)
        .serve_only(2, 0, Some(3..=11))
        .serve_only(2, 68, None)
        .in_memory();
    let broker = broker.start().await.unwrap();
    let full = advertised(&mut Raw::connect_to(&broker, 1)).await;
    let less = advertised(&mut Raw::connect_to(&broker, 2)).await;
    assert_eq!((&full[&0], &less[&0]), (&(0..=13), &(0..=11)));
    assert!(full.contains_key(&68) && !less.contains_key(&68));
    let mut raw = Raw::connect_to(&broker, 2);
    raw.send(12, &Produce::default().request()).await;
    assert_eq!(
        raw.receive().await,
        None,
        "what is not served ends the connection"
    );
}

/// T-1.
#[tokio::test]
async fn the_transaction_version_can_change_while_it_runs() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    for (version, expected, epoch) in [(2, Some(2), 2), (0, None, 3), (1, Some(1), 4)] {
        broker.set_transaction_version(version);
        let answer = raw.call(0, &ApiVersionsRequest::default()).await;
        assert_eq!(
            answer.finalized_features_epoch, -1,
            "version 0 does not tell"
        );
        let request = ApiVersionsRequest::default()
            .with_client_software_name(text("raw"))
            .with_client_software_version(text("1"));
        let answer = raw.call(3, &request).await;
        let features = answer.finalized_features.iter();
        let mut levels = features.filter(|feature| *feature.name == *"transaction.version");
        assert_eq!(
            levels.next().map(|feature| feature.max_version_level),
            expected
        );
        assert_eq!(answer.finalized_features_epoch, epoch);
    }
}

#[tokio::test]
async fn topics_are_created_by_asking_for_them_only_where_that_is_allowed() {
    for (server, client, created) in [
        (true, true, true),
        (true, false, false),
        (false, true, false),
    ] {
        let broker = Broker::builder().auto_create_topics(server).in_memory();
        let broker = broker.start().await.unwrap();
        let mut raw = Raw::connect(&broker);
        let wanted = MetadataRequestTopic::default().with_name(Some(TopicName(text("new"))));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![wanted]))
            .with_allow_auto_topic_creation(client);
        let first = raw.call(12, &request).await;
        let unknown = ErrorCode::UnknownTopicOrPartition.code();
        assert_eq!(first.topics[0].error_code, unknown, "never at once");
        let second = raw.call(12, &request).await;
        assert_eq!(second.topics[0].error_code == 0, created);
    }
}

#[tokio::test]
async fn a_long_poll_ends_with_the_first_record_or_at_its_time() {
    let broker = &start().await;
    let mut reader = Raw::connect(broker);
    let began = Instant::now();
    let polled = reader.send(12, &fetch("t", 0, false, 60_000)).await;
    Raw::connect(broker).produce(&Produce::default()).await;
    let answer = reader.answer::<FetchRequest>(12, polled).await.unwrap();
    assert!(
        !answer.responses[0].partitions[0]
            .records
            .as_ref()
            .unwrap()
            .is_empty()
    );

    let polled = reader.send(12, &fetch("t", 1, false, 60_000)).await;
    // Once the poll is being waited for, an hour passes in no time.
    let seen = |entry: &milena_broker::Entry| {
        matches!(&entry.event, milena_broker::Event::Request { request, .. }
            if request.api_key == 1 && request.correlation_id == polled)
    };
    broker.history().wait_for(0, seen).await;
    broker.clock().advance(Duration::from_secs(3600));
    let answer = reader.answer::<FetchRequest>(12, polled).await.unwrap();
    assert!(
        answer.responses[0].partitions[0]
            .records
            .as_ref()
            .unwrap()
            .is_empty()
    );
    assert!(began.elapsed() < Duration::from_secs(30));
}

/// P-3.
#[tokio::test]
async fn an_error_without_acks_closes_the_connection_and_success_is_silent() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let silent = Produce {
        acks: 0,
        ..Produce::default()
    };
    raw.send(12, &silent.request()).await;
    let after = raw.fetch("t", 0, false).await;
    assert_eq!(after.high_watermark, 1);
    let unknown = Produce {
        partition: 99,
        ..silent
    };
    raw.send(12, &unknown.request()).await;
    assert_eq!(raw.receive().await, None);
}

#[tokio::test]
async fn used_up_memory_is_refused_in_words_until_there_is_room() {
    let broker = Broker::builder()
        .topic("t", 1)
        .log_bytes_max(1_000)
        .in_memory();
    let broker = broker.start().await.unwrap();
    let mut raw = Raw::connect(&broker);
    let value = [b'x'; 600];
    let large = Produce {
        value: &value,
        ..Produce::default()
    };
    assert_eq!(raw.produce(&large).await.error_code, 0);
    let refused = raw.produce(&large).await;
    assert_eq!(refused.error_code, ErrorCode::PolicyViolation.code());
    let message = refused.error_message.unwrap();
    assert!(message.contains("1000 bytes"), "{}", message.as_str());
    let names = vec![TopicName(text("t"))];
    raw.call(5, &DeleteTopicsRequest::default().with_topic_names(names))
        .await;
    raw.call(
        12,
        &MetadataRequest::default()
            .with_topics(Some(vec![
                MetadataRequestTopic::default().with_name(Some(TopicName(text("t")))),
            ]))
            .with_allow_auto_topic_creation(true),
    )
    .await;
    assert_eq!(raw.produce(&large).await.error_code, 0);
}

/// Memory that deleted or expired records took is memory again.
#[tokio::test]
async fn deleting_records_and_retention_by_bytes_make_room() {
    // The records are of 1970.
    let retention = [("retention.bytes", "1500"), ("retention.ms", "-1")];
    let broker = Broker::builder()
        .topic("t", 1)
        .topic_with("short", 1, None, retention)
        .log_bytes_max(4_000)
        .in_memory();
    let broker = broker.start().await.unwrap();
    let mut raw = Raw::connect(&broker);
    let value = [b'x'; 600];
    let large = Produce {
        value: &value,
        ..Produce::default()
    };
    for _ in 0..20 {
        let short = Produce {
            topic: "short",
            ..large
        };
        assert_eq!(raw.produce(&short).await.error_code, 0, "the oldest go");
        broker.clean_logs();
    }
    let kept = raw.fetch("short", 19, false).await;
    assert!((16..=18).contains(&kept.log_start_offset), "{kept:?}");
    let full = ErrorCode::PolicyViolation.code();
    let mut appended = 0;
    while raw.produce(&large).await.error_code != full {
        appended += 1;
    }
    let partition = DeleteRecordsPartition::default().with_offset(appended);
    let topic = DeleteRecordsTopic::default()
        .with_name(TopicName(text("t")))
        .with_partitions(vec![partition]);
    let request = DeleteRecordsRequest::default().with_topics(vec![topic]);
    let answer = raw.call(2, &request).await;
    let deleted = &answer.topics[0].partitions[0];
    assert_eq!((deleted.error_code, deleted.low_watermark), (0, appended));
    assert_eq!(raw.produce(&large).await.error_code, 0);
}

#[tokio::test]
async fn it_starts_in_no_time() {
    let began = Instant::now();
    let broker = Broker::builder()
        .brokers(3)
        .topic("t", 100)
        .start()
        .await
        .unwrap();
    let took = began.elapsed();
    assert_eq!(broker.addresses().len(), 3);
    assert!(took < Duration::from_millis(500), "{took:?}");
}

/// Versions that cannot carry the leader epoch leave it out; a log that is still empty has one.
#[tokio::test]
async fn every_version_of_list_offsets_tells_where_a_log_begins() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    for version in 1..=10 {
        let partition = list_offsets_request::ListOffsetsPartition::default()
            .with_current_leader_epoch(-1)
            .with_timestamp(-2);
        let topic = list_offsets_request::ListOffsetsTopic::default()
            .with_name(TopicName(text("t")))
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![topic]);
        let answer = raw.call(version, &request).await;
        let found = &answer.topics[0].partitions[0];
        let epoch = if version < 4 { -1 } else { 0 };
        assert_eq!(
            (found.error_code, found.offset, found.leader_epoch),
            (0, 0, epoch),
            "version {version}"
        );
    }
}

/// An unknown partition has an empty list of aborted transactions, an offset out of range none at all.
#[tokio::test]
async fn failed_fetches_differ_in_their_lists_of_aborted_transactions() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let unknown = raw.fetch("missing", 0, true).await;
    assert_eq!(
        unknown.error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );
    assert_eq!(unknown.aborted_transactions, Some(Vec::new()));
    let beyond = raw.fetch("t", 99, true).await;
    assert_eq!(beyond.error_code, ErrorCode::OffsetOutOfRange.code());
    assert_eq!(beyond.aborted_transactions, None);
}

/// P-95 goes before the partition: a batch of a transaction without its id is not authorized anywhere.
#[tokio::test]
async fn a_transactional_batch_needs_its_id_before_it_needs_a_partition() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let producer = raw.init("tx").await.unwrap();
    let mut request = Produce {
        topic: "missing",
        transactional_id: Some("tx"),
        producer,
        sequence: 0,
        ..Produce::default()
    }
    .request();
    let code = async |raw: &mut Raw, request: &ProduceRequest| {
        raw.call(12, request).await.responses[0].partition_responses[0].error_code
    };
    let missing = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(code(&mut raw, &request).await, missing);
    request.transactional_id = None;
    let refused = ErrorCode::TransactionalIdAuthorizationFailed.code();
    assert_eq!(code(&mut raw, &request).await, refused);
}
