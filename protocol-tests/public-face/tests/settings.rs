//! Every setting, by an application that depends on milena alone.

use std::sync::Arc;
use std::time::Duration;

use milena::admin::NewTopic;
use milena::config::{ClientBuilder, Compressor};
use milena::transport::{ConnectFuture, TcpConnector};
use milena::{
    Acks, Admin, ApiKey, BrokerAddress, ClientConfig, Compression, ConfigError, Connector,
    Consumer, ConsumerBuilder, ConsumerConfig, DeliveryGuarantee, Error, GroupMetadata,
    HeaderToWrite, IsolationLevel, Limits, OffsetReset, Partitioner, Producer, ProducerBuilder,
    ProducerConfig, Record, Report, TopicPartition, TransactionalProducerConfig, Uuid,
};

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.frame_bytes = 64 << 20;
    limits.decompressed_bytes = 64 << 20;
    limits
}

/// What all builders share.
macro_rules! common {
    ($builder:expr) => {
        $builder
            .client_id("public-face")
            .request_timeout(Duration::from_secs(20))
            .connect_timeout(Duration::from_secs(5))
            .retry_backoff(Duration::from_millis(50), Duration::from_millis(500))
            .reconnect_backoff(Duration::from_millis(50), Duration::from_millis(500))
            .metadata_max_age(Duration::from_secs(60))
            .in_flight_requests_max(32)
            .fail_unreachable_at_once(true)
            .max_versions([(ApiKey::Fetch, 12)])
            .limits(limits())
    };
}

fn producer_builder() -> ProducerBuilder {
    common!(ProducerBuilder::new(["localhost:9092"]))
        .acks(Acks::All)
        .enable_idempotence(true)
        .retries(10)
        .max_in_flight(4)
        .linger(Duration::from_millis(1))
        .batch_bytes(32 << 10)
        .buffer_memory(8 << 20)
        .max_block(Duration::from_secs(3))
        .compression(Compression::Gzip)
        .compression_level(9)
        .partitioner(Partitioner::IgnoreKeys)
        .request_bytes_max(2 << 20)
        .record_bytes_max(1 << 20)
}

fn producer() -> Result<ProducerConfig, ConfigError> {
    producer_builder()
        .delivery_timeout(Duration::from_secs(40))
        .delivery_guarantee(DeliveryGuarantee::AtLeastOnce)
        .build()
}

fn transactional() -> Result<TransactionalProducerConfig, ConfigError> {
    producer_builder()
        .transactional_id("public-face-1")
        .transaction_timeout(Duration::from_secs(30))
        .build()
}

fn consumer() -> Result<ConsumerConfig, ConfigError> {
    common!(ConsumerBuilder::new(["localhost:9092"]))
        .isolation_level(IsolationLevel::ReadCommitted)
        .offset_reset(OffsetReset::Earliest)
        .fetch_bytes_min(1)
        .fetch_bytes_max(1 << 20)
        .fetch_wait_max(Duration::from_millis(100))
        .partition_fetch_bytes_max(1 << 20)
        .prefetch_bytes_max(1 << 20)
        .poll_records_max(100)
        .check_crcs(true)
        .rack("a")
        .delivery_guarantee(DeliveryGuarantee::ExactlyOnce)
        .build()
}

fn client() -> Result<ClientConfig, ConfigError> {
    common!(ClientBuilder::new(["localhost:9092"])).build()
}

#[test]
fn every_setting_can_be_set_with_milena_alone() {
    let producer = producer().unwrap();
    let gzip: Compressor = producer.compression;
    assert_eq!(gzip.compression(), Compression::Gzip);
    assert_eq!(transactional().unwrap().producer.retries, 10);
    assert_eq!(consumer().unwrap().rack, "a");
    let bootstrap: Vec<BrokerAddress> = client().unwrap().bootstrap;
    assert_eq!(bootstrap, [BrokerAddress::new("localhost", 9092)]);
}

/// A connector of the application's own: nothing listens behind it.
#[derive(Debug)]
struct Nowhere;

impl Connector for Nowhere {
    fn connect<'a>(&'a self, _address: &'a BrokerAddress) -> ConnectFuture<'a> {
        Box::pin(async { Err(std::io::Error::other("there is no network here")) })
    }
}

#[tokio::test]
async fn every_handle_takes_a_connector_and_reports_what_it_said() {
    let wait = Duration::from_millis(50);
    let config = ProducerBuilder::new(["localhost:9092"])
        .max_block(wait)
        .build();
    let producer = Producer::with_connector(config.unwrap(), Arc::new(Nowhere)).unwrap();
    let headers = [HeaderToWrite {
        key: "trace",
        value: Some(b"1"),
    }];
    let record = Record::to("orders").value(b"3 apples").headers(&headers);
    let error: Error = producer.send(record).await.unwrap_err();
    let report: Report = error.report();
    assert!(
        report.to_string().contains("there is no network here"),
        "{report}"
    );

    let config = consumer().unwrap();
    let mut consumer = Consumer::with_connector(config, Arc::new(Nowhere)).unwrap();
    consumer
        .assign(&[TopicPartition::new("orders", 0)])
        .unwrap();
    Admin::with_connector(client().unwrap(), Arc::new(TcpConnector::new())).unwrap();
    // What else a set-up names.
    let _: (NewTopic, GroupMetadata, Option<Uuid>) = (
        NewTopic::new("orders"),
        GroupMetadata::unmanaged("billing"),
        None,
    );
}

/// The list that `milena` gives of its settings, so that a new one has to be used above.
#[test]
fn every_setting_that_milena_lists_is_used_here() {
    let here = include_str!("settings.rs");
    for setting in milena::config::settings() {
        let used = format!(".{}(", setting.method);
        let experimental = setting.method == "two_phase_commit";
        let is_used = here.contains(&used) || setting.method == "new" || experimental;
        assert!(is_used, "{} is not used", setting.method);
    }
}

#[test]
fn the_table_of_settings_is_up_to_date() {
    let written = include_str!("../../../docs/SETTINGS.md");
    let made = milena_public_face::settings_document();
    assert!(
        made == written,
        "run: cargo run -p milena-public-face > docs/SETTINGS.md"
    );
}
