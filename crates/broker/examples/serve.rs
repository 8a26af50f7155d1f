//! Serves an embedded broker on fixed ports until it is interrupted, for a look with any Kafka client:
//!
//! ```text
//! cargo run -p milena-broker --example serve -- [first port] [brokers] [transaction.version]
//! ```
//!
//! `RUST_LOG` says how much it logs; without it, what is wrong with requests.

use milena_broker::Broker;
use std::net::Ipv4Addr;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .init();
    let mut arguments = std::env::args().skip(1);
    let first_port = arguments.next().map_or(Ok(9092), |port| port.parse())?;
    let brokers = arguments.next().map_or(Ok(1), |number| number.parse())?;
    let version = arguments.next().map_or(Ok(2), |version| version.parse())?;
    let broker = Broker::builder()
        .listen(Ipv4Addr::LOCALHOST.into(), first_port)
        .brokers(brokers)
        .transaction_version(version)
        .advertised_host("localhost")
        .start()
        .await?;
    println!("serving at {}", broker.addresses().join(","));
    std::future::pending().await
}
