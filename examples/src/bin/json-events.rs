//! Writes events as JSON and reads them back.
//!
//! `json-events BOOTSTRAP TOPIC`: writes three events, then prints all that the first partition holds.

use std::time::Duration;

use milena::consumer::Position;
use milena::{Client, ClientBuilder, Record, Report, TopicPartition};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    Ordered { customer: u32, item: String },
    Paid { customer: u32, cents: u64 },
}

impl Event {
    /// Events of one customer are in order: they have the same key, and so go to the same partition.
    fn key(&self) -> String {
        let (Self::Ordered { customer, .. } | Self::Paid { customer, .. }) = self;
        format!("customer-{customer}")
    }
}

#[tokio::main]
async fn main() -> Result<(), Report> {
    let [bootstrap, topic] = milena_examples::arguments(["localhost:9092", "events"]);
    let client = Client::connect(ClientBuilder::new([bootstrap]).build()?).await?;
    write(&client, &topic).await?;
    read(&client, &topic).await
}

async fn write(client: &Client, topic: &str) -> Result<(), Report> {
    let producer = client.producer().start()?;
    let item = "apples".to_owned();
    let events = [
        Event::Ordered { customer: 7, item },
        Event::Paid {
            customer: 7,
            cents: 320,
        },
        Event::Paid {
            customer: 8,
            cents: 100,
        },
    ];
    let mut deliveries = Vec::new();
    for event in &events {
        let (key, value) = (event.key(), serde_json::to_vec(event)?);
        let record = Record::to(topic).key(key.as_bytes()).value(&value);
        deliveries.push(producer.send(record).await?);
    }
    // All are on their way; now wait for each.
    for delivery in deliveries {
        let record = delivery.await?;
        println!(
            "wrote {}-{} at {:?}",
            record.topic, record.partition, record.offset
        );
    }
    producer.close(Duration::from_secs(10)).await?;
    Ok(())
}

async fn read(client: &Client, topic: &str) -> Result<(), Report> {
    let mut consumer = client.consumer().start()?;
    let partition = TopicPartition::new(topic, 0);
    consumer.assign(std::slice::from_ref(&partition))?;
    consumer.seek(&partition, Position::Earliest)?;
    while consumer.lag(&partition)? != Some(0) {
        for record in &consumer.poll(Duration::from_secs(1)).await? {
            // A topic outlives its writers: one event that is not understood must not stop the reader.
            match serde_json::from_slice::<Event>(record.value.unwrap_or_default()) {
                Ok(event) => println!("read {}: {event:?}", record.offset),
                Err(error) => eprintln!("skipped {}: {error}", record.offset),
            }
        }
    }
    consumer.close().await;
    Ok(())
}
