//! Sends a thousand records idempotently and prints where the last one is.
//!
//! `cargo run -p milena --example produce -- localhost:9092 orders`

use std::time::Duration;

use milena::{Producer, ProducerBuilder, Record, Report};

#[tokio::main]
async fn main() -> Result<(), Report> {
    let mut arguments = std::env::args().skip(1);
    let bootstrap = arguments
        .next()
        .unwrap_or_else(|| "localhost:9092".to_owned());
    let topic = arguments.next().unwrap_or_else(|| "orders".to_owned());

    let producer = Producer::new(ProducerBuilder::new([bootstrap]).build()?)?;
    let mut last = None;
    for number in 0..1_000 {
        let key = format!("customer-{}", number % 10);
        let value = format!("order {number}");
        let record = Record::to(&topic)
            .key(key.as_bytes())
            .value(value.as_bytes());
        last = Some(producer.send(record).await?);
    }
    producer.flush().await;
    if let Some(delivery) = last {
        let record = delivery.await?;
        println!(
            "{}-{} at offset {:?}",
            record.topic, record.partition, record.offset
        );
    }
    producer.close(Duration::from_secs(5)).await?;
    Ok(())
}
