//! What a reader sees of transactions while they go on.

use std::time::Duration;

use milena::consumer::Position;
use milena::{GroupMetadata, OffsetToCommit, Record};
use milena_broker::{Broker, Event};

use super::support::{Embedded, PATIENCE, partition, text, values};

/// A poll in which nothing may come.
const QUIET: Duration = Duration::from_millis(700);

/// an abort leaves the reader where it is; the offsets committed as stable say where to go on.
#[tokio::test]
async fn after_an_abort_going_on_from_the_committed_offsets_processes_each_record_once() {
    let broker = Broker::builder().topic("in", 1).topic("out", 1);
    let embedded = Embedded::start(broker).await;
    let feed = embedded.producer(embedded.producer_builder());
    for number in 0..6 {
        let value = number.to_string();
        feed.send(Record::to("in").value(value.as_bytes()))
            .await
            .unwrap();
    }
    feed.flush().await;

    let from = partition("in");
    let mut reader = embedded.reader("in", |config| config.poll_records_max(2));
    let mut producer = embedded.transactional("processor").await;
    let mut attempt = 0;
    loop {
        let records = reader.poll(PATIENCE).await.unwrap();
        let transaction = producer.begin().await.unwrap();
        for record in &records {
            transaction
                .send(Record::to("out").value(record.value.unwrap()))
                .await
                .unwrap();
        }
        let position = reader.position(&from).unwrap().unwrap();
        let offset = OffsetToCommit {
            partition: from.clone(),
            offset: position.offset,
            leader_epoch: position.leader_epoch,
            metadata: None,
        };
        let group = GroupMetadata::unmanaged("processors");
        transaction.send_offsets(vec![offset], group).await.unwrap();
        attempt += 1;
        if attempt == 2 {
            transaction.abort().await.unwrap();
            assert_eq!(reader.position(&from).unwrap(), Some(position), "R-95");
            let committed = reader
                .committed_offsets("processors", std::slice::from_ref(&from))
                .await
                .unwrap();
            let next = committed[&from].unwrap();
            assert!(next.offset < position.offset);
            reader.seek(&from, Position::from(next)).unwrap();
        } else {
            transaction.commit().await.unwrap();
            if position.offset == 6 {
                break;
            }
        }
    }
    let mut results = embedded.reader("out", |config| config);
    let mut read = values(&mut results, 6).await;
    let rest = results.poll(QUIET).await.unwrap();
    read.extend(rest.iter().map(|record| text(record.value)));
    assert_eq!(read, ["0", "1", "2", "3", "4", "5"]);
}

/// T-60: EndTxn's success is durable, and visible with the markers, to the writer's own reader too.
#[tokio::test]
async fn a_transaction_is_read_when_its_markers_are_written_and_not_before() {
    let embedded = Embedded::start(Broker::builder().topic("t", 1)).await;
    let mut producer = embedded.transactional("writer").await;
    let mut reader = embedded.reader("t", |config| config);
    let transaction = producer.begin().await.unwrap();
    let sent = transaction
        .send(Record::to("t").value(b"mine"))
        .await
        .unwrap();
    sent.await.unwrap();
    assert_eq!(reader.poll(QUIET).await.unwrap().iter().count(), 0, "R-97");
    assert_eq!(reader.last_stable_offset(&partition("t")).unwrap(), Some(0));
    assert_eq!(reader.high_watermark(&partition("t")).unwrap(), Some(1));

    embedded.broker.hold_markers("t", 0, true).unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(reader.poll(QUIET).await.unwrap().iter().count(), 0, "T-60");
    assert_eq!(reader.lag(&partition("t")).unwrap(), Some(0));
    embedded.broker.hold_markers("t", 0, false).unwrap();
    assert_eq!(values(&mut reader, 1).await, ["mine"]);
}

/// what a follower says of stable offsets and aborted transactions is as good.
#[tokio::test]
async fn a_follower_hides_aborted_records_as_the_leader_does() {
    let broker = Broker::builder()
        .brokers(2)
        .rack(1, "here")
        .rack(2, "there")
        .closest_replica(true)
        .topic_defaults(1, 2)
        .topic("t", 1);
    let embedded = Embedded::start(broker).await;
    let (leader, _) = embedded.broker.leader("t", 0).unwrap();
    let rack = if leader == 1 { "there" } else { "here" };
    let mut producer = embedded.transactional("writer").await;
    for (value, commits) in [("a", true), ("b", false), ("c", true)] {
        let transaction = producer.begin().await.unwrap();
        transaction
            .send(Record::to("t").value(value.as_bytes()))
            .await
            .unwrap();
        if commits {
            transaction.commit().await.unwrap();
        } else {
            transaction.abort().await.unwrap();
        }
    }
    let mut reader = embedded.reader("t", |config| config.rack(rack));
    assert_eq!(values(&mut reader, 2).await, ["a", "c"]);
    let of_follower = |event: &Event| matches!(event, Event::Request { request, .. } if request.api_key == 1 && request.broker_id != leader);
    let entries = embedded.broker.history().entries();
    assert!(entries.iter().any(|entry| of_follower(&entry.event)));
}

/// T-74, P-59e: the next transaction starts at sequence 0, or may start anywhere.
#[tokio::test]
async fn an_expired_producer_state_does_not_harm_the_next_transaction() {
    for version in 0..=2 {
        let broker = Broker::builder().topic("t", 1).transaction_version(version);
        let embedded = Embedded::start(broker).await;
        let mut producer = embedded.transactional("writer").await;
        let history = embedded.broker.history();
        for value in ["before", "after"] {
            let number = history.next_number();
            let transaction = producer.begin().await.unwrap();
            let record = Record::to("t").value(value.as_bytes());
            transaction.send(record).await.unwrap();
            transaction.commit().await.unwrap();
            let marker = |event: &Event| matches!(event, Event::MarkerWritten { .. });
            let written = history.wait_for(number, |entry| marker(&entry.event));
            if let Event::MarkerWritten { producer, .. } = written.await.event {
                let expired = embedded
                    .broker
                    .expire_producer("t", 0, producer.producer_id);
                assert_eq!(expired, Ok(true), "version {version}");
            }
        }
        let mut reader = embedded.reader("t", |config| config);
        assert_eq!(values(&mut reader, 2).await, ["before", "after"]);
    }
}
