//! Partitions that are added while a producer works.

use std::error::Error as _;
use std::time::{Duration, Instant};

use milena::{Admin, ClientBuilder, Error, Record};
use milena_broker::Broker;

use super::support::Embedded;

const MAX_BLOCK: Duration = Duration::from_secs(20);

async fn add_partitions(embedded: &Embedded, count: i32) {
    let config = ClientBuilder::new(embedded.broker.addresses())
        .config()
        .unwrap();
    let admin = Admin::with_connector(config, embedded.connector()).unwrap();
    let mut raised = admin.create_partitions(&[("t", count)]).await.unwrap();
    raised.pop().unwrap().1.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_send_to_a_partition_that_is_added_in_time_waits_for_it() {
    let embedded = Embedded::start(Broker::builder().topic("t", 1)).await;
    let producer = embedded.producer(embedded.producer_builder().max_block(MAX_BLOCK));
    producer
        .send(Record::to("t").value(b"v"))
        .await
        .unwrap()
        .await
        .unwrap();
    let adding = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        add_partitions(&embedded, 3).await;
    };
    let sending = producer.send(Record::to("t").partition(2).value(b"v"));
    let (sent, ()) = tokio::join!(sending, adding);
    let written = sent.unwrap().await.unwrap();
    assert_eq!((written.partition, written.offset), (2, Some(0)));
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_never_comes_is_an_error_after_max_block_that_says_how_many_there_are() {
    let embedded = Embedded::start(Broker::builder().topic("t", 1)).await;
    let producer = embedded.producer(embedded.producer_builder().max_block(MAX_BLOCK));
    let began = tokio::time::Instant::now();
    let error = producer
        .send(Record::to("t").partition(2))
        .await
        .unwrap_err();
    assert!(began.elapsed() >= MAX_BLOCK && began.elapsed() < MAX_BLOCK + Duration::from_secs(1));
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(error.to_string().contains("partition 2 of t"), "{error}");
    assert!(
        error.source().unwrap().to_string().contains("1 partitions"),
        "{error:?}"
    );

    let negative = Instant::now();
    let error = producer
        .send(Record::to("t").partition(-1))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Misuse { .. }), "{error:?}");
    assert!(negative.elapsed() < Duration::from_secs(1));
}
