//! The harness itself: brokers start, break and come back as tests will need it.

use milena_protocol_tests::{Flavour, Kafka, KafkaConfig, conformance, own_kafka};
use std::net::TcpStream;

async fn a_shared_broker_takes_connections(kafka: &Kafka) {
    for address in kafka.bootstrap() {
        TcpStream::connect(address).unwrap();
    }
}

conformance!(a_shared_broker_takes_connections);

async fn a_killed_broker_refuses_connections_until_it_is_restarted() {
    let mut kafka = Kafka::start(&KafkaConfig::new(Flavour::Kafka431Tv2));
    let address = kafka.bootstrap().remove(0);
    TcpStream::connect(&address).unwrap();
    kafka.kill(1);
    TcpStream::connect(&address).unwrap_err();
    kafka.restart(1);
    TcpStream::connect(&address).unwrap();
}

async fn three_brokers_form_a_cluster() {
    let kafka = Kafka::start(&KafkaConfig::new(Flavour::Kafka431Tv2).brokers(3));
    assert_eq!(kafka.broker_ids().collect::<Vec<_>>(), [1, 2, 3]);
    for address in kafka.bootstrap() {
        TcpStream::connect(address).unwrap();
    }
}

own_kafka!(
    a_killed_broker_refuses_connections_until_it_is_restarted,
    three_brokers_form_a_cluster,
);
