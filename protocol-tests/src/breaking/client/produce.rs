//! A producer outside transactions: a record to each partition, again and again.

use super::{CLOSE_LIMIT, Client, fate_of, say, tell_fate};
use crate::breaking::journal::Line;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use milena::{Error, Producer, Record};
use std::time::Duration;

/// How often each partition gets a record.
const PACE: Duration = Duration::from_millis(15);

/// How long a record may be on its way. Short, so that some outcomes are unknown.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(12);

/// How many records may be on their way.
const UNANSWERED_MAX: usize = 4_000;

pub(super) async fn run(client: &mut Client) -> Result<(), Error> {
    let builder = client.builder().delivery_timeout(DELIVERY_TIMEOUT);
    let producer = Producer::new(builder.build()?)?;
    let topic = client.assignment.topic.clone();
    let mut unanswered = FuturesUnordered::new();
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = client.terminate.recv() => break,
            Some(()) = unanswered.next() => continue,
            _ = pace.tick(), if unanswered.len() < UNANSWERED_MAX => {}
        }
        for partition in 0..client.assignment.partitions {
            let value = client.next_value();
            say(&Line::Send {
                value,
                partition,
                transaction: None,
                copy_of: None,
            });
            let text = value.to_string();
            let record = Record::to(&topic)
                .partition(partition)
                .value(text.as_bytes());
            match producer.send(record).await {
                Ok(delivery) => unanswered.push(tell_fate(value, delivery)),
                Err(error) => {
                    let fate = fate_of(&error);
                    say(&Line::Sent { value, fate });
                    if error.is_fatal() {
                        while unanswered.next().await.is_some() {}
                        return Err(error);
                    }
                }
            }
        }
    }
    producer.flush().await;
    while unanswered.next().await.is_some() {}
    producer.close(CLOSE_LIMIT).await
}
