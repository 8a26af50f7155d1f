//! The admin client on real brokers.

use std::collections::BTreeMap;
use std::time::Duration;

use milena::admin::NewTopic;
use milena::config::ClientBuilder;
use milena::{Admin, ErrorCode, Record};
use milena_protocol_tests::{Kafka, conformance};

use crate::support::{producer, transactional};

fn admin(kafka: &Kafka) -> Admin {
    Admin::new(ClientBuilder::new(kafka.bootstrap()).config().unwrap()).unwrap()
}

/// A new topic takes a moment to reach every part of a broker.
async fn described(admin: &Admin, topic: &str) -> milena::admin::TopicDescription {
    for _ in 0..100 {
        let mut described = admin.describe_topics(&[topic]).await.unwrap();
        if let Some((_, Ok(topic))) = described.pop()
            && topic
                .partitions
                .iter()
                .all(|partition| partition.leader.is_some())
        {
            return topic;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{topic} has no leaders");
}

async fn topics_are_created_listed_described_and_deleted(kafka: &Kafka) {
    let admin = admin(kafka);
    let name = format!("admin-{}", kafka.topic_name());
    let new = NewTopic::new(&name)
        .partitions(3)
        .config("cleanup.policy", "compact");
    let created = admin
        .create_topics(&[new])
        .await
        .unwrap()
        .remove(0)
        .1
        .unwrap();
    assert_eq!((created.partitions, created.replication_factor), (3, 1));

    let topic = described(&admin, &name).await;
    assert_eq!(topic.topic_id, created.topic_id);
    let numbers: Vec<_> = topic
        .partitions
        .iter()
        .map(|partition| partition.partition)
        .collect();
    assert_eq!(numbers, [0, 1, 2]);
    for partition in &topic.partitions {
        assert_eq!(partition.leader, Some(1));
        assert_eq!(partition.replicas, [1]);
        assert_eq!(partition.in_sync_replicas, [1]);
        assert!(partition.offline_replicas.is_empty());
    }
    let listed = admin.list_topics().await.unwrap();
    let listed = listed.iter().find(|listing| listing.name == name).unwrap();
    assert_eq!((listed.partitions, listed.is_internal), (3, false));

    assert!(
        admin
            .delete_topics(&[&name])
            .await
            .unwrap()
            .remove(0)
            .1
            .is_ok()
    );
    let gone = |listed: &[milena::admin::TopicListing]| listed.iter().all(|l| l.name != name);
    while !gone(&admin.list_topics().await.unwrap()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    admin.close().await;
}

async fn one_bad_topic_does_not_hide_the_good_ones(kafka: &Kafka) {
    let admin = admin(kafka);
    let there = kafka.topic(1);
    let new = format!("admin-{}", kafka.topic_name());
    let asked = [&*there, &*new, "not a name"].map(|name| NewTopic::new(name).partitions(1));
    let created: Vec<_> = admin.create_topics(&asked).await.unwrap();
    let names: Vec<_> = created.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, [&*there, &*new, "not a name"]);
    let codes: Vec<_> = created
        .iter()
        .map(|(_, result)| result.as_ref().err().and_then(|e| e.code()))
        .collect();
    assert_eq!(
        codes,
        [
            Some(ErrorCode::TopicAlreadyExists),
            None,
            Some(ErrorCode::InvalidTopicException)
        ]
    );

    described(&admin, &new).await;
    let missing = Some(ErrorCode::UnknownTopicOrPartition);
    let found = admin.describe_topics(&["missing", &*new]).await.unwrap();
    let codes: BTreeMap<_, _> = found
        .iter()
        .map(|(name, result)| (&**name, result.as_ref().err().and_then(|e| e.code())))
        .collect();
    assert_eq!(codes, BTreeMap::from([("missing", missing), (&*new, None)]));
    let deleted = admin.delete_topics(&["missing", &*new]).await.unwrap();
    assert_eq!(deleted[0].1.as_ref().unwrap_err().code(), missing);
    assert!(deleted[1].1.is_ok());
    admin.close().await;
}

async fn an_open_transaction_is_listed_described_and_found_on_its_partition(kafka: &Kafka) {
    let admin = admin(kafka);
    let topic = kafka.topic(2);
    let id = format!("admin-{topic}");
    let mut producer = transactional(kafka, &id).await;
    let transaction = producer.begin().await.unwrap();
    let record = Record::to(&topic).partition(1).value(b"open");
    let offset = transaction
        .send(record)
        .await
        .unwrap()
        .await
        .unwrap()
        .offset;

    let open = admin.list_transactions(&["Ongoing"]).await.unwrap();
    let open = open
        .iter()
        .find(|listing| listing.transactional_id == id)
        .unwrap();
    let found = admin
        .describe_transactions(&[&id])
        .await
        .unwrap()
        .remove(0)
        .1
        .unwrap();
    assert_eq!(found.state, "Ongoing");
    assert_eq!(found.producer_id, open.producer_id);
    assert_eq!(found.timeout, Duration::from_secs(60));
    assert!(found.started.is_some());
    assert_eq!(found.partitions, [(topic.clone(), 1)]);

    let writers = admin.describe_producers(&topic, 1).await.unwrap();
    let writer = writers
        .iter()
        .find(|w| w.producer_id == open.producer_id)
        .unwrap();
    assert_eq!(writer.transaction_start_offset, offset);
    assert_eq!(writer.last_sequence, Some(0));

    transaction.abort().await.unwrap();
    let listed = admin.list_transactions(&["Ongoing"]).await.unwrap();
    assert!(listed.iter().all(|listing| listing.transactional_id != id));
    admin.close().await;
}

async fn what_no_coordinator_knows_is_an_error_of_its_own(kafka: &Kafka) {
    let admin = admin(kafka);
    let missing = admin
        .describe_transactions(&["nobody"])
        .await
        .unwrap()
        .remove(0)
        .1;
    assert_eq!(
        missing.unwrap_err().code(),
        Some(ErrorCode::TransactionalIdNotFound)
    );
    assert!(admin.list_transactions(&["Bogus"]).await.is_err());
    admin.close().await;
}

async fn records_are_deleted_up_to_an_offset_and_not_beyond_the_end(kafka: &Kafka) {
    let admin = admin(kafka);
    let topic = kafka.topic(1);
    let producer = producer(kafka);
    for _ in 0..10 {
        let delivery = producer.send(Record::to(&topic).value(b"x")).await.unwrap();
        delivery.await.unwrap();
    }
    assert_eq!(admin.delete_records(&topic, 0, Some(4)).await.unwrap(), 4);
    assert_eq!(admin.delete_records(&topic, 0, Some(4)).await.unwrap(), 4);
    let beyond = admin.delete_records(&topic, 0, Some(11)).await.unwrap_err();
    assert_eq!(beyond.code(), Some(ErrorCode::OffsetOutOfRange));
    assert_eq!(admin.delete_records(&topic, 0, None).await.unwrap(), 10);
    for missing in [("missing", 0), (&*topic, 1)] {
        let error = admin
            .delete_records(missing.0, missing.1, None)
            .await
            .unwrap_err();
        assert_eq!(
            error.code(),
            Some(ErrorCode::UnknownTopicOrPartition),
            "{error}"
        );
    }
    admin.close().await;
}

conformance!(
    records_are_deleted_up_to_an_offset_and_not_beyond_the_end,
    topics_are_created_listed_described_and_deleted,
    one_bad_topic_does_not_hide_the_good_ones,
    an_open_transaction_is_listed_described_and_found_on_its_partition,
    what_no_coordinator_knows_is_an_error_of_its_own,
);
