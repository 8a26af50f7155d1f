//! The harness itself: brokers start, break and come back as tests will need it, and Kafka's own
//! clients and tools say what happened.

use milena_protocol_tests::java::{Java, Marker};
use milena_protocol_tests::observer::{Observer as _, Raw};
use milena_protocol_tests::{
    Flavour, Isolation, Kafka, KafkaConfig, ReadRecord, WriteRecord, conformance, own_kafka,
};
use std::net::TcpStream;

use crate::support;

fn texts(records: &[ReadRecord]) -> Vec<String> {
    records.iter().map(ReadRecord::text).collect()
}

/// Records that try what a record can be: absent and empty parts, repeated headers, bytes that are
/// no text.
fn odd_records() -> Vec<WriteRecord> {
    vec![
        WriteRecord::value("plain").timestamp(1),
        WriteRecord::default().key("tombstone").timestamp(2),
        WriteRecord::value("").key("").timestamp(3),
        WriteRecord::value([0, 0xff, b'\n', 0xc3])
            .key("key")
            .timestamp(4)
            .header("h", Some(b"1"))
            .header("h", None)
            .header("", Some(b"")),
    ]
}

fn same_record(read: &ReadRecord, written: &WriteRecord) -> bool {
    Some(read.timestamp) == written.timestamp
        && read.key == written.key
        && read.value == written.value
        && read.headers == written.headers
}

async fn what_java_produces_java_consumes(kafka: &Kafka) {
    let topic = kafka.topic(2);
    let written = odd_records();
    let records: Vec<_> = written.iter().map(|r| r.clone().partition(1)).collect();
    let places = kafka.java_produce(&topic, &records, &[("compression.type", "zstd")]);
    assert_eq!(places.len(), written.len());
    let read = kafka.java_consume(&topic, Isolation::ReadCommitted);
    assert_eq!(read.len(), written.len());
    for ((read, written), place) in read.iter().zip(&written).zip(places) {
        assert!(same_record(read, written), "{read:?} is not {written:?}");
        assert_eq!((read.partition, read.offset), (1, place.offset));
    }
}

async fn the_console_consumer_sees_what_the_consumer_sees(kafka: &Kafka) {
    let topic = kafka.topic(1);
    kafka.java_produce(&topic, &odd_records(), &[]);
    let mut read = kafka.java_consume(&topic, Isolation::ReadUncommitted);
    for record in &mut read {
        // The console does not print it.
        record.leader_epoch = None;
    }
    let printed = kafka.console_consume(&topic, Isolation::ReadUncommitted, read.len());
    assert_eq!(printed, read);
}

async fn an_aborted_transaction_is_hidden_and_its_marker_is_in_the_log(kafka: &Kafka) {
    let topic = kafka.topic(1);
    let producer = kafka.java_producer(&[("transactional.id", &topic)]);
    for (value, commit) in [("yes", true), ("no", false)] {
        producer.begin().unwrap();
        producer.send(&topic, &[WriteRecord::value(value)]).unwrap();
        if commit {
            producer.commit().unwrap();
        } else {
            producer.abort().unwrap();
        }
    }
    let all = kafka.java_consume(&topic, Isolation::ReadUncommitted);
    assert_eq!(texts(&all), ["yes", "no"]);
    let committed = kafka.java_consume(&topic, Isolation::ReadCommitted);
    assert_eq!(texts(&committed), ["yes"]);
    let log = kafka.dump_log(&topic, 0);
    let markers: Vec<_> = log.iter().map(|batch| batch.marker).collect();
    assert_eq!(
        markers,
        [None, Some(Marker::Commit), None, Some(Marker::Abort)]
    );
    assert!(
        log.iter()
            .all(|batch| batch.is_valid && batch.is_transactional)
    );
}

async fn an_open_transaction_holds_back_the_end_of_committed_readers(kafka: &Kafka) {
    let topic = kafka.topic(1);
    let producer = kafka.java_producer(&[("transactional.id", &topic)]);
    producer.begin().unwrap();
    producer
        .send(&topic, &[WriteRecord::value("open")])
        .unwrap();
    assert_eq!(kafka.end_offsets(&topic, Isolation::ReadUncommitted)[&0], 1);
    assert_eq!(kafka.end_offsets(&topic, Isolation::ReadCommitted)[&0], 0);
    assert_eq!(kafka.describe_transaction(&topic).unwrap().state, "Ongoing");
}

async fn offsets_sent_in_a_transaction_are_committed_with_it(kafka: &Kafka) {
    let topic = kafka.topic(1);
    let producer = kafka.java_producer(&[("transactional.id", &topic)]);
    producer.begin().unwrap();
    producer
        .send_offsets(&topic, &topic, &[(0, 7)].into())
        .unwrap();
    producer.commit().unwrap();
    assert_eq!(kafka.committed_offsets(&topic, &topic)[&0], 7);
}

async fn deleted_records_are_not_read(kafka: &Kafka) {
    let topic = kafka.topic(1);
    let records: Vec<_> = ["a", "b", "c"].map(WriteRecord::value).into();
    kafka.java_produce(&topic, &records, &[]);
    kafka.delete_records(&topic, &[(0, 2)].into());
    let left = kafka.java_consume(&topic, Isolation::ReadUncommitted);
    assert_eq!(texts(&left), ["c"]);
}

/// What an observer can tell, told by both.
async fn the_observer_without_java_sees_what_kafkas_clients_see(kafka: &Kafka) {
    let topic = kafka.topic(2);
    let brokers = kafka.bootstrap();
    let producer = kafka.java_producer(&[("transactional.id", &topic), ("batch.size", "100")]);
    for round in 0..8 {
        producer.begin().unwrap();
        producer.send(&topic, &odd_records()).unwrap();
        producer
            .send_offsets(&topic, &topic, &[(1, round)].into())
            .unwrap();
        if round % 3 == 0 {
            producer.abort().unwrap();
        } else {
            producer.commit().unwrap();
        }
        kafka.java_produce(&topic, &odd_records(), &[("compression.type", "zstd")]);
    }
    support::await_stable(kafka, &topic).await;
    kafka.delete_records(&topic, &[(0, 3)].into());
    producer.begin().unwrap();
    producer.send(&topic, &odd_records()).unwrap();
    for isolation in [Isolation::ReadCommitted, Isolation::ReadUncommitted] {
        let read = Raw.read(&brokers, &topic, isolation).unwrap();
        assert_eq!(read, Java.read(&brokers, &topic, isolation).unwrap());
        assert_eq!(
            Raw.end_offsets(&brokers, &topic, isolation).unwrap(),
            Java.end_offsets(&brokers, &topic, isolation).unwrap()
        );
    }
    assert_eq!(
        Raw.committed_offsets(&brokers, &topic, &topic).unwrap(),
        Java.committed_offsets(&brokers, &topic, &topic).unwrap()
    );
    assert_eq!(
        Raw.describe_transaction(&brokers, &topic).unwrap(),
        Java.describe_transaction(&brokers, &topic).unwrap()
    );
    assert_eq!(
        Raw.describe_topic(&brokers, &topic).unwrap(),
        Java.describe_topic(&brokers, &topic).unwrap()
    );
    // And with a topic that it made and cleared itself.
    let own = kafka.topic_name();
    Raw.create_topic(&brokers, &own, 2, &[("compression.type", "gzip")])
        .unwrap();
    kafka.java_produce(&own, &odd_records(), &[]);
    let before = [(0, 1)].into();
    let ends = Java
        .end_offsets(&brokers, &own, Isolation::ReadUncommitted)
        .unwrap();
    if ends[&0] > 0 {
        Raw.delete_records(&brokers, &own, &before).unwrap();
    }
    let isolation = Isolation::ReadCommitted;
    assert_eq!(
        Raw.read(&brokers, &own, isolation).unwrap(),
        Java.read(&brokers, &own, isolation).unwrap()
    );
    Raw.delete_topic(&brokers, &own).unwrap();
}

conformance!(
    with Java: "it is about Kafka's own clients";
    the_observer_without_java_sees_what_kafkas_clients_see,
    what_java_produces_java_consumes,
    the_console_consumer_sees_what_the_consumer_sees,
    an_aborted_transaction_is_hidden_and_its_marker_is_in_the_log,
    an_open_transaction_holds_back_the_end_of_committed_readers,
    offsets_sent_in_a_transaction_are_committed_with_it,
    deleted_records_are_not_read,
);

async fn a_killed_broker_comes_back_with_what_it_had() {
    let mut kafka = Kafka::start(&KafkaConfig::new(Flavour::Kafka431Tv2));
    let address = kafka.bootstrap().remove(0);
    let topic = kafka.topic(1);
    kafka.java_produce(&topic, &[WriteRecord::value("kept")], &[]);
    kafka.kill(1);
    TcpStream::connect(&address).unwrap_err();
    kafka.restart(1);
    let read = kafka.java_consume(&topic, Isolation::ReadCommitted);
    assert_eq!(texts(&read), ["kept"]);
    kafka.stop(1);
    TcpStream::connect(&address).unwrap_err();
    kafka.restart(1);
    let read = kafka.java_consume(&topic, Isolation::ReadCommitted);
    assert_eq!(texts(&read), ["kept"]);
}

async fn three_brokers_share_the_leadership() {
    let mut kafka = Kafka::start(&KafkaConfig::new(Flavour::Kafka431Tv2).brokers(3));
    assert_eq!(kafka.broker_ids().collect::<Vec<_>>(), [1, 2, 3]);
    let topic = kafka.topic(3);
    let records: Vec<_> = (0..3)
        .map(|partition| WriteRecord::value("v").partition(partition))
        .collect();
    kafka.java_produce(&topic, &records, &[("acks", "all")]);
    let mut leaders: Vec<_> = kafka.describe_topic(&topic).leaders.into_values().collect();
    leaders.sort_unstable();
    assert_eq!(leaders, [1, 2, 3]);
    // A frozen follower falls out of the way; what was acknowledged stays readable.
    kafka.freeze(3);
    kafka.thaw(3);
    let read = kafka.java_consume(&topic, Isolation::ReadCommitted);
    assert_eq!(read.len(), 3);
}

async fn transaction_version_can_be_moved_under_way() {
    let mut kafka = Kafka::start(&KafkaConfig::new(Flavour::Kafka431Tv0));
    kafka.set_transaction_version(2, false);
    kafka.set_transaction_version(1, true);
}

own_kafka!(
    a_killed_broker_comes_back_with_what_it_had,
    three_brokers_share_the_leadership,
    transaction_version_can_be_moved_under_way,
);
