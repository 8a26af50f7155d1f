//! What the handle of the embedded broker offers authors of tests.

use std::time::Duration;

use milena::config::ProducerBuilder;
use milena::{Producer, Record, TransactionalProducer};
use milena_broker::{
    ApiKey, Broker, ErrorCode, RecordToSeed, SeedError, StartError, TransactionState, Visibility,
};

use super::support::PATIENCE;

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

fn builder(broker: &Broker) -> ProducerBuilder {
    let backoff = Duration::from_millis(2);
    ProducerBuilder::new(broker.addresses())
        .retry_backoff(backoff, backoff * 10)
        .reconnect_backoff(backoff, backoff * 10)
}

async fn send(broker: &Broker, topic: &str, value: &str) -> Result<i64, milena::Error> {
    let producer = Producer::new(builder(broker).build().unwrap()).unwrap();
    let record = Record::to(topic).partition(0).value(value.as_bytes());
    let sent = producer.send(record).await?.await?;
    Ok(sent.offset.unwrap())
}

fn values(broker: &Broker, topic: &str) -> Vec<String> {
    let records = broker.records(topic, 0).unwrap().into_iter();
    records
        .map(|record| String::from_utf8(record.value.unwrap().to_vec()).unwrap())
        .collect()
}

/// Each test of a program has a runtime of its own, which ends with it.
#[test]
fn a_broker_with_a_runtime_of_its_own_outlives_the_runtimes_of_its_clients() {
    let broker = Broker::builder().brokers(2).start_blocking().unwrap();
    let topic = broker.fresh_topic(1);
    for round in 0..3 {
        runtime().block_on(async {
            let sent = send(&broker, &topic, "v").await;
            assert_eq!(sent.unwrap(), round);
            // What is started again is not the test runtime's either.
            for broker_id in broker.broker_ids() {
                broker.stop_broker(broker_id).await.unwrap();
                broker.restart_broker(broker_id).await.unwrap();
            }
        });
    }
    assert_eq!(values(&broker, &topic), ["v", "v", "v"]);
    assert_ne!(broker.fresh_topic(1), topic);
}

#[test]
fn a_dropped_broker_with_a_runtime_of_its_own_closes_its_port() {
    let broker = Broker::builder().start_blocking().unwrap();
    let address = broker.bootstrap();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    drop(broker);
    let deadline = std::time::Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(&address).is_ok() {
        assert!(std::time::Instant::now() < deadline, "it still listens");
        std::thread::yield_now();
    }
}

#[test]
fn a_setting_that_kafka_does_not_have_fails_the_start_with_its_name() {
    for (name, value, expected) in [
        (
            "num.partition",
            "4",
            "no setting of a broker is named num.partition",
        ),
        (
            "log.retention.ms",
            "x",
            "Invalid value x for configuration log.retention.ms: Not a number of type LONG",
        ),
    ] {
        let started = Broker::builder().setting(name, value).start_blocking();
        let Err(StartError::Setting { reason }) = started else {
            panic!("{name}={value} was accepted");
        };
        assert_eq!(reason, expected);
    }
}

#[tokio::test]
async fn records_are_seeded_and_read_without_a_client() {
    let broker = Broker::builder().topic("t", 1).start().await.unwrap();
    let record = RecordToSeed::value("a").key("k").header("h", "1");
    let record = record.timestamp(1_000_000_000_000);
    let written = broker.write("t", 0, [record, RecordToSeed::tombstone("k")]);
    assert_eq!(written.unwrap(), 0..2);
    let records = broker.records("t", 0).unwrap();
    let [first, second] = records.as_slice() else {
        panic!("{records:?}");
    };
    assert_eq!((first.offset, first.timestamp), (0, 1_000_000_000_000));
    assert_eq!(first.key.as_deref(), Some(&b"k"[..]));
    assert_eq!(first.headers, [("h".to_owned(), Some("1".into()))]);
    assert_eq!((second.offset, &second.value), (1, &None));
    assert!(broker.write("t", 7, [RecordToSeed::value("x")]).is_err());
    let taken = broker.create_topic("t", 1);
    let Err(SeedError::Rejected { code, .. }) = taken else {
        panic!("{taken:?}");
    };
    assert_eq!(code, ErrorCode::TopicAlreadyExists);
}

#[tokio::test]
async fn records_say_who_may_see_them() {
    let broker = Broker::builder().topic("t", 1).start().await.unwrap();
    let config = builder(&broker).transactional_id("id").build().unwrap();
    let mut producer = TransactionalProducer::start(config).await.unwrap();
    for (value, commit) in [("a", true), ("b", false)] {
        let transaction = producer.begin().await.unwrap();
        let record = Record::to("t").partition(0).value(value.as_bytes());
        transaction.send(record).await.unwrap().await.unwrap();
        let open = broker.records("t", 0).unwrap();
        assert_eq!(open.last().unwrap().visibility, Visibility::Open);
        if commit {
            transaction.commit().await.unwrap();
        } else {
            transaction.abort().await.unwrap();
        }
        let complete = |state| {
            matches!(
                state,
                Some(TransactionState::CompleteCommit | TransactionState::CompleteAbort)
            )
        };
        while !complete(broker.transaction_state("id")) {
            tokio::task::yield_now().await;
        }
    }
    let records = broker.records("t", 0).unwrap();
    let seen: Vec<_> = records.iter().map(|record| record.visibility).collect();
    assert_eq!(seen, [Visibility::Committed, Visibility::Aborted]);
}

#[tokio::test]
async fn a_compacted_topic_is_compacted_on_demand_and_old_records_are_deleted() {
    let builder = Broker::builder();
    let builder = builder.topic_with("c", 1, None, [("cleanup.policy", "compact")]);
    let builder = builder.topic_with("d", 1, None, [("retention.ms", "3600000")]);
    let broker = builder.start().await.unwrap();
    for value in ["1", "2", "3"] {
        for topic in ["c", "d"] {
            let record = RecordToSeed::value(value).key("k");
            broker.write(topic, 0, [record]).unwrap();
        }
    }
    broker.clean_logs();
    assert_eq!(values(&broker, "c"), ["3"]);
    assert_eq!(values(&broker, "d"), ["1", "2", "3"]);
    // By the clock: the records are too old at the next look.
    broker.clock().advance(Duration::from_secs(2 * 3600));
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !values(&broker, "d").is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "nothing is deleted");
        tokio::task::yield_now().await;
    }
    assert_eq!(values(&broker, "c"), ["3"]);
}

#[tokio::test]
async fn the_ready_made_faults_answer_what_they_are_for() {
    let broker = Broker::builder().topic("t", 1).start().await.unwrap();
    let faults = broker.faults();

    let lost = faults.lose_produce_response("t");
    send(&broker, "t", "once").await.unwrap();
    assert_eq!((lost.count(), values(&broker, "t").len()), (1, 1));

    let rejected = faults.reject_produce("t", ErrorCode::NotEnoughReplicas, 2);
    send(&broker, "t", "again").await.unwrap();
    assert_eq!(rejected.count(), 2);
    faults.reject_produce("t", ErrorCode::InvalidRecord, 1);
    send(&broker, "t", "never").await.unwrap_err();
    assert_eq!(values(&broker, "t"), ["once", "again"]);

    let producer = Producer::new(builder(&broker).build().unwrap()).unwrap();
    let record = |value| Record::to("t").partition(0).value(value);
    producer.send(record(b"3")).await.unwrap().await.unwrap();
    let cut = faults.disconnect(1);
    producer.send(record(b"4")).await.unwrap().await.unwrap();
    assert_eq!((cut.count(), values(&broker, "t").len()), (1, 4));

    for request_is_lost in [false, true] {
        let id = if request_is_lost {
            "request"
        } else {
            "response"
        };
        let config = builder(&broker).transactional_id(id).build().unwrap();
        let mut producer = TransactionalProducer::start(config).await.unwrap();
        let lost = if request_is_lost {
            faults.lose_commit_request(id)
        } else {
            faults.lose_commit_response(id)
        };
        let transaction = producer.begin().await.unwrap();
        transaction.send(Record::to("t").value(b"v")).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(lost.count(), 1, "{id}");
    }

    let slow = faults.slow_down(1, Duration::from_millis(1));
    send(&broker, "t", "slowly").await.unwrap();
    assert!(slow.count() > 0);
    slow.remove();

    // A Produce that is held is carried out although its sender has gone.
    let held = faults.hold_produce("zombie");
    let config = builder(&broker).client_id("zombie").build().unwrap();
    let zombie = Producer::new(config).unwrap();
    let record = Record::to("t").partition(0).value(b"late");
    let delivery = zombie.send(record).await.unwrap();
    held.applied(1).await;
    drop((delivery, zombie));
    let before = broker.history().next_number();
    held.release();
    let appended =
        |entry: &milena_broker::Entry| matches!(entry.event, milena_broker::Event::Append { .. });
    broker.history().wait_for(before, appended).await;
    assert_eq!(values(&broker, "t").last().unwrap(), "late");
    assert_eq!(ApiKey::Produce.key(), 0);
}
