use std::time::Duration;

use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse};
use kafka_protocol::protocol::StrBytes;
use milena_connection::test_support::Network;

use super::*;
use crate::config::ClientBuilder;

const BOOTSTRAP: &str = "boot:9092";

fn config() -> ClientConfig {
    let builder = ClientBuilder::new([BOOTSTRAP]).connect_timeout(Duration::from_secs(10));
    builder.config().unwrap()
}

async fn connect(network: &Network) -> Result<Client, Error> {
    Client::connect_with_connector(config(), network.connector()).await
}

/// A broker that describes a cluster of itself.
async fn serve(network: &Network) -> milena_connection::test_support::Peer {
    let mut broker = network.accept(BOOTSTRAP).await;
    broker.handshake().await;
    let asked = broker.expect::<MetadataRequest>().await;
    let node = MetadataResponseBroker::default()
        .with_node_id(BrokerId(1))
        .with_host(StrBytes::from_static_str("boot"))
        .with_port(9092);
    let response = MetadataResponse::default().with_brokers(vec![node]);
    broker.answer(&asked, response).await;
    broker
}

#[tokio::test(start_paused = true)]
async fn connect_returns_when_a_broker_has_described_the_cluster() {
    let network = Network::new();
    let (client, _broker) = tokio::join!(connect(&network), serve(&network));
    let client = client.unwrap();
    assert_eq!(client.cluster.snapshot().brokers().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn connect_waits_for_a_broker_that_starts_later() {
    let network = Network::new();
    network.refuse(BOOTSTRAP, std::io::ErrorKind::ConnectionRefused);
    let starting = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        network.permit(BOOTSTRAP);
        serve(&network).await
    };
    let (client, _broker) = tokio::join!(connect(&network), starting);
    client.unwrap();
}

#[tokio::test(start_paused = true)]
async fn connect_without_a_broker_ends_with_the_cause_and_the_address() {
    let network = Network::new();
    network.refuse(BOOTSTRAP, std::io::ErrorKind::ConnectionRefused);
    let started = now();
    let error = connect(&network).await.unwrap_err();
    assert_eq!(now() - started, Duration::from_secs(10));
    let Error::Timeout {
        cause: Some(cause), ..
    } = &error
    else {
        panic!("{error:?}");
    };
    let mut text = cause.to_string();
    let mut source = std::error::Error::source(&**cause);
    while let Some(next) = source {
        text = format!("{text}: {next}");
        source = next.source();
    }
    assert!(text.contains(BOOTSTRAP), "{text}");
}

#[tokio::test(start_paused = true)]
async fn connect_to_something_else_than_kafka_fails_at_once() {
    let network = Network::new();
    let started = now();
    let script = async {
        let mut peer = network.accept(BOOTSTRAP).await;
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        peer
    };
    let (error, _peer) = tokio::join!(connect(&network), script);
    assert!(matches!(error.unwrap_err(), Error::WrongListener { .. }));
    assert!(now() - started < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn handles_of_a_client_have_its_settings_and_live_on_without_it() {
    let network = Network::new();
    let config = ClientBuilder::new([BOOTSTRAP])
        .client_id("shared")
        .request_timeout(Duration::from_secs(7))
        .config()
        .unwrap();
    let client = Client::with_connector(config, network.connector()).unwrap();
    let (built, _client) = client.producer().linger(Duration::ZERO).finish().unwrap();
    assert_eq!(built.client.client_id, "shared");
    assert_eq!(built.client.request_timeout, Duration::from_secs(7));
    assert_eq!(built.client.bootstrap, client.config().bootstrap);
    let admin = client.admin();
    drop((client, _client));
    let (topics, _broker) = tokio::join!(admin.list_topics(), serve(&network));
    assert_eq!(topics.unwrap().len(), 0);
}
