//! Transactions on real brokers, under every version of the protocol.

use std::collections::BTreeMap;
use std::time::Duration;

use milena::admin::NewTopic;
use milena::config::ClientBuilder;
use milena::consumer::TopicPartition;
use milena::{Admin, ErrorCode, GroupMetadata, OffsetToCommit, Record, TransactionOutcome};
use milena_protocol_tests::java::Marker;
use milena_protocol_tests::{Isolation, Kafka, conformance};

use crate::support::{self, PATIENCE};

async fn aborted_records_are_hidden_and_committed_ones_are_read_as_an_independent_reader_reads_them(
    kafka: &Kafka,
) {
    const TRANSACTIONS: usize = 500;
    const RECORDS: usize = 20;
    let topic = kafka.topic(4);
    let mut producer = support::transactional(kafka, &topic).await;
    let mut committed = Vec::new();
    for number in 0..TRANSACTIONS {
        let transaction = producer.begin().await.unwrap();
        let aborts = number % 4 == 3;
        for index in 0..RECORDS {
            let value = format!(
                "{} {number} {index}",
                if aborts { "aborted" } else { "committed" }
            );
            let partition = i32::try_from(index % 4).unwrap();
            let record = Record::to(&topic)
                .partition(partition)
                .value(value.as_bytes());
            transaction.send(record).await.unwrap();
            if !aborts {
                committed.push(value);
            }
        }
        if aborts {
            transaction.flush().await;
            transaction.abort().await.unwrap();
        } else {
            transaction.commit().await.unwrap();
        }
    }

    support::await_stable(kafka, &topic).await;
    let ours = support::read_all(kafka, &topic, 4, Isolation::ReadCommitted).await;
    let theirs = kafka.read(&topic, Isolation::ReadCommitted);
    assert_eq!(ours, theirs);
    let mut seen: Vec<String> = ours
        .iter()
        .map(milena_protocol_tests::ReadRecord::text)
        .collect();
    seen.sort();
    committed.sort();
    assert_eq!(seen, committed);

    let everything = support::read_all(kafka, &topic, 4, Isolation::ReadUncommitted).await;
    assert_eq!(
        everything.len(),
        TRANSACTIONS * RECORDS,
        "aborted ones too (R-5)"
    );
    assert_eq!(everything, kafka.read(&topic, Isolation::ReadUncommitted));
}

async fn the_log_shows_gapless_sequences_and_the_markers_of_each_transaction(kafka: &Kafka) {
    let topic = kafka.topic(1);
    let mut producer = support::transactional(kafka, &topic).await;
    for number in 0..6 {
        let transaction = producer.begin().await.unwrap();
        for index in 0..50 {
            let value = format!("{number} {index}");
            transaction
                .send(Record::to(&topic).value(value.as_bytes()))
                .await
                .unwrap();
            if index % 10 == 9 {
                transaction.flush().await;
            }
        }
        if number % 2 == 0 {
            transaction.commit().await.unwrap();
        } else {
            transaction.abort().await.unwrap();
        }
    }
    support::await_stable(kafka, &topic).await;

    let batches = kafka.dump_log(&topic, 0);
    let markers: Vec<Marker> = batches.iter().filter_map(|batch| batch.marker).collect();
    let expected = [Marker::Commit, Marker::Abort].repeat(3);
    assert_eq!(markers, expected);
    let mut next = BTreeMap::new();
    for batch in batches.iter().filter(|batch| !batch.is_control) {
        assert!(batch.is_transactional && batch.is_valid, "{batch:?}");
        let next = next
            .entry((batch.producer_id, batch.producer_epoch))
            .or_insert(0);
        assert_eq!(batch.base_sequence, *next, "P-20: {batch:?}");
        *next = batch.last_sequence + 1;
    }
    let records: i32 = batches
        .iter()
        .filter(|b| !b.is_control)
        .map(|b| b.count)
        .sum();
    assert_eq!(records, 300);
}

async fn an_idempotent_producer_leaves_gapless_sequences_in_the_log(kafka: &Kafka) {
    let topic = kafka.topic(2);
    let producer = support::producer(kafka);
    for number in 0..2_000 {
        let value = format!("{number:0>200}");
        let record = Record::to(&topic)
            .partition(number % 2)
            .value(value.as_bytes());
        drop(producer.send(record).await.unwrap());
    }
    producer.close(PATIENCE).await.unwrap();
    for partition in 0..2 {
        let mut next = 0;
        for batch in kafka.dump_log(&topic, partition) {
            assert!(
                batch.producer_id >= 0 && batch.producer_epoch == 0,
                "{batch:?}"
            );
            assert_eq!(batch.base_sequence, next, "{batch:?}");
            next = batch.last_sequence + 1;
        }
        assert_eq!(next, 1_000);
    }
}

async fn a_second_producer_with_the_same_id_fences_the_first(kafka: &Kafka) {
    let topic = kafka.topic(1);
    let mut first = support::transactional(kafka, &topic).await;
    let open = first.begin().await.unwrap();
    open.send(Record::to(&topic).value(b"of the zombie"))
        .await
        .unwrap();
    open.flush().await;

    let mut second = support::transactional(kafka, &topic).await;
    let transaction = second.begin().await.unwrap();
    transaction
        .send(Record::to(&topic).value(b"of the heir"))
        .await
        .unwrap();
    transaction.commit().await.unwrap();

    let error = open.commit().await.unwrap_err();
    assert!(error.is_fenced(), "{error:?}");
    let error = first.begin().await.unwrap_err();
    assert!(error.is_fenced(), "terminal: {error:?}");
    support::await_stable(kafka, &topic).await;
    let read = kafka.read(&topic, Isolation::ReadCommitted);
    let read: Vec<String> = read
        .iter()
        .map(milena_protocol_tests::ReadRecord::text)
        .collect();
    assert_eq!(read, ["of the heir"]);
}

async fn a_send_of_a_fenced_producer_fails_and_nothing_of_it_is_visible(kafka: &Kafka) {
    let topic = kafka.topic(1);
    let mut first = support::transactional(kafka, &topic).await;
    let open = first.begin().await.unwrap();
    let _second = support::transactional(kafka, &topic).await;
    let delivery = open
        .send(Record::to(&topic).value(b"of the zombie"))
        .await
        .unwrap();
    let refused = delivery.await.unwrap_err();
    let late = open.send(Record::to(&topic).value(b"too late")).await;
    let late = late.unwrap_err();
    assert!(late.is_abortable() || late.is_fenced(), "T-11: {late:?}");
    let ended = open.commit().await.unwrap_err();
    assert!(
        refused.is_fenced() || ended.is_fenced(),
        "{refused:?}, {ended:?}"
    );
    assert!(first.begin().await.unwrap_err().is_fenced());
    assert!(kafka.read(&topic, Isolation::ReadCommitted).is_empty());
}

async fn a_send_is_refused_with_the_cause_once_its_transaction_can_only_be_aborted(kafka: &Kafka) {
    let topic = kafka.topic_name();
    let config = ClientBuilder::new(kafka.bootstrap()).config().unwrap();
    let small = NewTopic::new(topic.as_str())
        .partitions(1)
        .config("max.message.bytes", "1000");
    let created = Admin::new(config).unwrap().create_topics(&[small]).await;
    assert!(created.unwrap().iter().all(|(_, result)| result.is_ok()));
    let mut producer = support::transactional(kafka, &topic).await;
    let transaction = producer.begin().await.unwrap();
    let large = vec![7; 2_000];
    let delivery = transaction
        .send(Record::to(&topic).value(&large))
        .await
        .unwrap();
    let refused = delivery.await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::MessageTooLarge));
    let late = transaction
        .send(Record::to(&topic).value(b"too late"))
        .await
        .unwrap_err();
    assert!(late.is_abortable(), "T-11: {late:?}");
    assert_eq!(late.code(), Some(ErrorCode::MessageTooLarge), "{late:?}");
    transaction.abort().await.unwrap();

    let transaction = producer.begin().await.unwrap();
    transaction
        .send(Record::to(&topic).value(b"small"))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    support::await_stable(kafka, &topic).await;
    let read = support::read_all(kafka, &topic, 1, Isolation::ReadCommitted).await;
    let read: Vec<String> = read
        .iter()
        .map(milena_protocol_tests::ReadRecord::text)
        .collect();
    assert_eq!(read, ["small"]);
}

async fn an_open_transaction_holds_back_a_committed_reader_and_lag_says_so(kafka: &Kafka) {
    let topic = kafka.topic(1);
    let partition = TopicPartition::new(topic.as_str(), 0);
    let mut transactional = support::transactional(kafka, &topic).await;
    let plain = support::producer(kafka);
    let send = async |value: &'static [u8]| {
        plain
            .send(Record::to(&topic).value(value))
            .await
            .unwrap()
            .await
            .unwrap();
    };
    send(b"before").await;
    let open = transactional.begin().await.unwrap();
    open.send(Record::to(&topic).value(b"open"))
        .await
        .unwrap()
        .await
        .unwrap();
    send(b"behind").await;

    let mut reader = support::consumer(kafka, &topic, 1, Isolation::ReadCommitted);
    let mut read = Vec::new();
    while read.is_empty() {
        read.extend(values(&reader.poll(PATIENCE).await.unwrap()));
    }
    read.extend(values(
        &reader.poll(Duration::from_millis(600)).await.unwrap(),
    ));
    assert_eq!(read, ["before"], "R-2");
    assert_eq!(reader.last_stable_offset(&partition).unwrap(), Some(1));
    assert_eq!(reader.high_watermark(&partition).unwrap(), Some(3));
    assert_eq!(
        reader.lag(&partition).unwrap(),
        Some(0),
        "L-24: nothing more is stable"
    );

    open.commit().await.unwrap();
    while read.len() < 3 {
        read.extend(values(&reader.poll(PATIENCE).await.unwrap()));
    }
    assert_eq!(read, ["before", "open", "behind"]);
}

async fn consumed_offsets_count_exactly_if_their_transaction_commits(kafka: &Kafka) {
    let topic = kafka.topic(2);
    let group = format!("group of {topic}");
    let mut producer = support::transactional(kafka, &topic).await;
    for (offset, commits) in [(5_i64, true), (9, false), (7, true)] {
        let transaction = producer.begin().await.unwrap();
        transaction
            .send(Record::to(&topic).value(b"result"))
            .await
            .unwrap();
        let offsets = vec![OffsetToCommit {
            partition: TopicPartition::new(topic.as_str(), 1),
            offset,
            leader_epoch: Some(0),
            metadata: None,
        }];
        let metadata = GroupMetadata::unmanaged(group.as_str());
        transaction.send_offsets(offsets, metadata).await.unwrap();
        if commits {
            transaction.commit().await.unwrap();
        } else {
            transaction.abort().await.unwrap();
        }
    }
    let committed = kafka.committed_offsets(&group, &topic);
    assert_eq!(committed.get(&1), Some(&7), "{committed:?}");
    // Asked by the topic's name while its id is not known, then by id where the broker can (KIP-848).
    let partition = TopicPartition::new(topic.as_str(), 1);
    let mut reader = support::consumer(kafka, &topic, 2, Isolation::ReadCommitted);
    for topic_is_known in [false, true] {
        if topic_is_known {
            assert!(!reader.poll(PATIENCE).await.unwrap().is_empty());
        }
        let asked = [partition.clone()];
        let committed = reader.committed_offsets(&group, &asked).await.unwrap();
        let next = committed[&partition].unwrap();
        assert_eq!((next.offset, next.leader_epoch), (7, Some(0)));
    }
}

async fn a_transaction_without_records_ends_without_asking_anyone(kafka: &Kafka) {
    let topic = kafka.topic(1);
    let mut producer = support::transactional(kafka, &topic).await;
    for _ in 0..3 {
        producer.begin().await.unwrap().commit().await.unwrap();
        producer.begin().await.unwrap().abort().await.unwrap();
        drop(producer.begin().await.unwrap());
    }
    let refused = producer.begin().await.unwrap();
    let too_large = vec![0; 8 << 20];
    let error = refused
        .send(Record::to(&topic).value(&too_large))
        .await
        .unwrap_err();
    assert!(
        matches!(error, milena::Error::RecordTooLarge { .. }),
        "{error:?}"
    );
    let error = refused.commit().await.unwrap_err();
    assert!(error.is_abortable(), "T-15: {error:?}");
    let transaction = producer.begin().await.unwrap();
    transaction
        .send(Record::to(&topic).value(b"L-1"))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(producer.outcome().await.unwrap(), None);
}

async fn a_dropped_transaction_is_aborted_before_the_next_one(kafka: &Kafka) {
    let topic = kafka.topic(1);
    let mut producer = support::transactional(kafka, &topic).await;
    for number in 0..20 {
        let dropped = producer.begin().await.unwrap();
        dropped
            .send(Record::to(&topic).value(b"dropped"))
            .await
            .unwrap();
        if number % 2 == 0 {
            dropped.flush().await;
        }
        drop(dropped);
        let kept = producer.begin().await.unwrap();
        kept.send(Record::to(&topic).value(b"kept")).await.unwrap();
        kept.commit().await.unwrap();
    }
    support::await_stable(kafka, &topic).await;
    let read = support::read_all(kafka, &topic, 1, Isolation::ReadCommitted).await;
    assert!(read.iter().all(|record| record.text() == "kept"));
    assert_eq!(read.len(), 20);
}

async fn a_commit_nobody_waited_for_tells_its_outcome_later(kafka: &Kafka) {
    let topic = kafka.topic(1);
    let mut producer = support::transactional(kafka, &topic).await;
    let transaction = producer.begin().await.unwrap();
    transaction
        .send(Record::to(&topic).value(b"kept"))
        .await
        .unwrap();
    {
        let commit = transaction.commit();
        tokio::pin!(commit);
        // Polled once, so that it is under way, and then forgotten.
        let polled = futures_util::poll!(commit.as_mut());
        assert!(polled.is_pending());
    }
    let outcome = producer.outcome().await.unwrap();
    assert_eq!(outcome, Some(TransactionOutcome::Committed), "T-12");
    producer.begin().await.unwrap().abort().await.unwrap();
}

fn values(records: &milena::consumer::Records) -> Vec<String> {
    let text =
        |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
    records.iter().map(|record| text(record.value)).collect()
}

conformance!(
    a_commit_nobody_waited_for_tells_its_outcome_later,
    a_dropped_transaction_is_aborted_before_the_next_one,
    a_second_producer_with_the_same_id_fences_the_first,
    a_send_is_refused_with_the_cause_once_its_transaction_can_only_be_aborted,
    a_send_of_a_fenced_producer_fails_and_nothing_of_it_is_visible,
    a_transaction_without_records_ends_without_asking_anyone,
    aborted_records_are_hidden_and_committed_ones_are_read_as_an_independent_reader_reads_them,
    an_idempotent_producer_leaves_gapless_sequences_in_the_log,
    an_open_transaction_holds_back_a_committed_reader_and_lag_says_so,
    consumed_offsets_count_exactly_if_their_transaction_commits,
    the_log_shows_gapless_sequences_and_the_markers_of_each_transaction,
);
