//! Moves an amount between two accounts, both halves or neither.
//!
//! `cargo run -p milena --example transact -- localhost:9092 transfers`

use milena::{ProducerBuilder, Record, Report, TransactionalProducer};

#[tokio::main]
async fn main() -> Result<(), Report> {
    let mut arguments = std::env::args().skip(1);
    let bootstrap = arguments
        .next()
        .unwrap_or_else(|| "localhost:9092".to_owned());
    let topic = arguments.next().unwrap_or_else(|| "transfers".to_owned());

    let config = ProducerBuilder::new([bootstrap])
        .transactional_id("transfers-1")
        .build()?;
    let mut producer = TransactionalProducer::start(config).await?;
    for amount in 1..=10 {
        let transaction = producer.begin().await?;
        let (debit, credit) = (format!("-{amount}"), format!("+{amount}"));
        transaction
            .send(Record::to(&topic).key(b"alice").value(debit.as_bytes()))
            .await?;
        transaction
            .send(Record::to(&topic).key(b"bob").value(credit.as_bytes()))
            .await?;
        match transaction.commit().await {
            Ok(()) => println!("moved {amount}"),
            Err(error) if error.is_fenced() => return Err(error.into()),
            Err(error) if error.is_outcome_unknown() => {
                println!("moving {amount}: {:?}", producer.outcome().await?);
            }
            Err(error) => println!("moved nothing: {}", error.report()),
        }
    }
    Ok(())
}
