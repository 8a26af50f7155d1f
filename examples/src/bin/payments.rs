//! Pays from one account to another, both halves or neither, and each payment once, however often this program is killed.
//!
//! `payments BOOTSTRAP TOPIC COUNT`: makes sure that the payments 1 to COUNT are in the topic's partition 0 (debits) and
//! partition 1 (credits). Kill it with `kill -9` at any moment and start it again.
//!
//! What makes that true: `start` fences the process before, if it still lives, and waits until its last transaction is
//! committed or aborted. From then on the topic holds what that process has done, and nothing can be added behind our
//! back. So the topic itself says where to go on.

use std::time::Duration;

use milena::consumer::Position;
use milena::{Client, ClientBuilder, Record, Report, TopicPartition, TransactionOutcome};

#[tokio::main]
async fn main() -> Result<(), Report> {
    let [bootstrap, topic, count] = milena_examples::arguments(["localhost:9092", "ledger", "100"]);
    let count: u64 = count.parse()?;
    let client = Client::connect(ClientBuilder::new([bootstrap]).build()?).await?;
    let mut producer = client.transactional("payments-1").start().await?;
    let done = last_payment(&client, &topic).await?;
    println!("paid before: {done}");
    for payment in done + 1..=count {
        let value = payment.to_string();
        let transaction = producer.begin().await?;
        // A record that fails makes the commit fail: its delivery need not be awaited here.
        for (partition, account) in [(0, "alice"), (1, "bob")] {
            let record = Record::to(&topic)
                .partition(partition)
                .key(account.as_bytes());
            let _delivery = transaction.send(record.value(value.as_bytes())).await?;
        }
        match transaction.commit().await {
            Ok(()) => {}
            Err(error) if error.is_outcome_unknown() => {
                // The commit goes on; the payment is made exactly if it succeeds.
                if producer.outcome().await? == Some(TransactionOutcome::Aborted) {
                    return Err(error.into());
                }
            }
            Err(error) => return Err(error.into()),
        }
        println!("paid {payment}");
    }
    producer.close(Duration::from_secs(10)).await?;
    Ok(())
}

/// The number of the last payment that was committed; 0 if there is none.
async fn last_payment(client: &Client, topic: &str) -> Result<u64, Report> {
    let mut consumer = client.consumer().start()?;
    let debits = TopicPartition::new(topic, 0);
    consumer.assign(std::slice::from_ref(&debits))?;
    consumer.seek(&debits, Position::Earliest)?;
    let mut last = 0;
    while consumer.lag(&debits)? != Some(0) {
        for record in &consumer.poll(Duration::from_secs(1)).await? {
            last = std::str::from_utf8(record.value.unwrap_or_default())?.parse()?;
        }
    }
    consumer.close().await;
    Ok(last)
}
