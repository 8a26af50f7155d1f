//! Looks at a cluster: `cargo run -p milena-connection --example look -- localhost:9092 [topic]`.

use kafka_protocol::messages::InitProducerIdRequest;
use milena_connection::{
    CallOptions, Cluster, ClusterConfig, ConnectionConfig, CoordinatorKind, Target, TcpConnector,
    TopicsWanted,
};
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("usage: look host:port [topic]")?;
    let connection = ConnectionConfig::default();
    let config = ClusterConfig {
        bootstrap: vec![address.parse()?],
        connection,
    };
    let cluster = Cluster::new(config, Arc::new(TcpConnector::new()))?;
    let deadline = || Instant::now() + Duration::from_secs(10);

    let snapshot = cluster.refresh(TopicsWanted::All).await?;
    println!(
        "cluster {:?}, controller {:?}",
        snapshot.cluster_id(),
        snapshot.controller_id()
    );
    println!("features {:?}", cluster.features());
    for broker in snapshot.brokers() {
        println!("broker {} at {}", broker.broker_id, broker.address);
    }
    for topic in snapshot.topics() {
        println!(
            "topic {} {:?}, {} partitions",
            topic.name,
            topic.topic_id,
            topic.partitions.len()
        );
    }
    for (kind, key) in [
        (CoordinatorKind::Group, "look"),
        (CoordinatorKind::Transaction, "look"),
    ] {
        println!(
            "{kind:?} {key}: broker {}",
            cluster.coordinator(kind, key, deadline()).await?
        );
    }
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(i32::MAX)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1);
    let answer = cluster
        .call(Target::Any, request, CallOptions::default())
        .await?;
    let response = answer.response;
    println!(
        "InitProducerId v{}: code {}, producer id {}, epoch {}",
        answer.version, response.error_code, response.producer_id.0, response.producer_epoch
    );
    for api_key in 0..100 {
        if let Some(range) = cluster.lowest_common(api_key) {
            println!(
                "{api_key:>3} {} {range}",
                milena_connection::ApiKey::from_key(api_key)
            );
        }
    }
    if let Some(topic) = arguments.next() {
        println!("{:#?}", cluster.topic(&topic, deadline()).await?);
    }
    cluster.close().await;
    Ok(())
}
