//! Reads amounts, writes running totals, and commits the consumed offsets, all in one transaction: each amount is in the totals once,
//! however often this program is killed.
//!
//! `totals BOOTSTRAP INPUT OUTPUT UNTIL`: adds up the first partition of INPUT into the first of OUTPUT, and ends once it has read
//! the offset before UNTIL.

use std::time::Duration;

use milena::consumer::Position;
use milena::{Client, ClientBuilder, Consumer, GroupMetadata, Record, Report, TopicPartition};

const GROUP: &str = "totals";

#[tokio::main]
async fn main() -> Result<(), Report> {
    let defaults = ["localhost:9092", "orders", "totals", "1000000"];
    let [bootstrap, input, output, until] = milena_examples::arguments(defaults);
    let until: i64 = until.parse()?;
    let client = Client::connect(ClientBuilder::new([bootstrap]).build()?).await?;
    // First the producer: once it has started, an earlier process can commit no more, and what it left open has ended.
    let mut producer = client.transactional("totals-0").start().await?;
    let mut total = last_total(&client, &output).await?;
    let input = TopicPartition::new(input, 0);
    let mut consumer = consumer_at_committed_offset(&client, &input).await?;

    loop {
        let position = consumer.position(&input)?;
        if position.is_some_and(|next| next.offset >= until) {
            break;
        }
        let records = consumer.poll(Duration::from_secs(1)).await?;
        if records.offsets_to_commit().is_empty() {
            continue;
        }
        let transaction = producer.begin().await?;
        for record in &records {
            let amount: i64 = std::str::from_utf8(record.value.unwrap_or_default())?.parse()?;
            total += amount;
            let value = total.to_string();
            let record = Record::to(&output).partition(0).value(value.as_bytes());
            let _delivery = transaction.send(record).await?;
        }
        let group = GroupMetadata::unmanaged(GROUP);
        transaction
            .send_offsets(records.offsets_to_commit(), group)
            .await?;
        // On an error the program ends. Whether it was committed or not, the next one goes on from what was.
        transaction.commit().await?;
    }
    println!("total {total}");
    consumer.close().await;
    producer.close(Duration::from_secs(10)).await?;
    Ok(())
}

async fn consumer_at_committed_offset(
    client: &Client,
    input: &TopicPartition,
) -> Result<Consumer, Report> {
    let mut consumer = client.consumer().start()?;
    let inputs = std::slice::from_ref(input);
    consumer.assign(inputs)?;
    let committed = consumer.committed_offsets(GROUP, inputs).await?;
    let position = match committed.get(input) {
        Some(Some(next)) => Position::from(*next),
        _ => Position::Earliest,
    };
    consumer.seek(input, position)?;
    Ok(consumer)
}

/// The last total that was committed.
async fn last_total(client: &Client, output: &str) -> Result<i64, Report> {
    let mut consumer = client.consumer().start()?;
    let totals = TopicPartition::new(output, 0);
    consumer.assign(std::slice::from_ref(&totals))?;
    consumer.seek(&totals, Position::Earliest)?;
    let mut last = 0;
    while consumer.lag(&totals)? != Some(0) {
        for record in &consumer.poll(Duration::from_secs(1)).await? {
            last = std::str::from_utf8(record.value.unwrap_or_default())?.parse()?;
        }
    }
    consumer.close().await;
    Ok(last)
}
