//! A transactional producer: small transactions over several partitions, a quarter of them aborted.

use super::{CLOSE_LIMIT, Client, fate_of, say, tell_fate};
use crate::breaking::journal::{End, Line, Value};
use crate::failure::chain;
use milena::{Delivery, Error, Record, Transaction, TransactionOutcome, TransactionalProducer};
use std::time::Duration;

/// The pause between transactions.
const PACE: Duration = Duration::from_millis(5);

/// How many records a transaction has at most.
const RECORDS_MAX: u32 = 12;

pub(super) async fn run(client: &mut Client) -> Result<(), Error> {
    let mut producer = client.transactional().await?;
    while !client.is_over_after(PACE).await {
        transact(client, &mut producer).await?;
    }
    producer.close(CLOSE_LIMIT).await
}

async fn transact(client: &mut Client, producer: &mut TransactionalProducer) -> Result<(), Error> {
    let number = client.next_transaction();
    let transaction = match producer.begin().await {
        Ok(transaction) => transaction,
        Err(error) => return give_up_or_go_on(number, error),
    };
    let mut deliveries = Vec::new();
    let topic = client.assignment.topic.clone();
    for _ in 0..client.random.u32(1..=RECORDS_MAX) {
        let partition = client.random.i32(0..client.assignment.partitions);
        let record = (client.next_value(), partition, None);
        send(&transaction, number, &topic, record, &mut deliveries).await;
        if client.random.u8(..8) == 0 {
            transaction.flush().await;
        }
    }
    let commit = client.random.u8(..4) != 0;
    end(
        producer_end(transaction, number, commit).await,
        producer,
        number,
        deliveries,
    )
    .await
    .map(drop)
}

/// What could not begin has ended.
pub(super) fn give_up_or_go_on(transaction: u32, error: Error) -> Result<(), Error> {
    let end = End::Refused(chain(&error));
    say(&Line::Ended { transaction, end });
    if error.is_fatal() { Err(error) } else { Ok(()) }
}

/// Sends a record of a transaction: value, partition, and what it is a copy of.
pub(super) async fn send(
    transaction: &Transaction<'_>,
    number: u32,
    topic: &str,
    (value, partition, copy_of): (Value, i32, Option<Value>),
    deliveries: &mut Vec<(Value, Delivery)>,
) {
    say(&Line::Send {
        value,
        partition,
        transaction: Some(number),
        copy_of,
    });
    let text = value.to_string();
    let record = Record::to(topic)
        .partition(partition)
        .value(text.as_bytes());
    match transaction.send(record).await {
        Ok(delivery) => deliveries.push((value, delivery)),
        Err(error) => say(&Line::Sent {
            value,
            fate: fate_of(&error),
        }),
    }
}

/// Commits or aborts.
pub(super) async fn producer_end(
    transaction: Transaction<'_>,
    number: u32,
    commit: bool,
) -> Result<TransactionOutcome, Error> {
    say(&Line::Ending {
        transaction: number,
        commit,
    });
    if commit {
        transaction.commit().await?;
        Ok(TransactionOutcome::Committed)
    } else {
        transaction.abort().await?;
        Ok(TransactionOutcome::Aborted)
    }
}

/// Waits until the end of a transaction is known or never will be, and says it. Gives whether it was committed.
pub(super) async fn end(
    mut told: Result<TransactionOutcome, Error>,
    producer: &mut TransactionalProducer,
    number: u32,
    deliveries: Vec<(Value, Delivery)>,
) -> Result<bool, Error> {
    while let Err(error) = &told
        && error.is_outcome_unknown()
    {
        say(&Line::Note(format!(
            "transaction {number}: {}",
            chain(error)
        )));
        told = match producer.outcome().await {
            Ok(Some(outcome)) => Ok(outcome),
            Ok(None) => break,
            Err(later) if later.is_outcome_unknown() => Err(later),
            Err(later) => {
                // The producer is at its end, and what it did not know it never will.
                let end = End::Unknown(chain(error));
                finish(number, end, deliveries).await;
                return Err(later);
            }
        };
    }
    let end = match &told {
        Ok(TransactionOutcome::Committed) => End::Committed,
        Ok(TransactionOutcome::Aborted) => End::Aborted,
        Err(error) if error.is_outcome_unknown() => End::Unknown(chain(error)),
        Err(error) => End::Refused(chain(error)),
    };
    finish(number, end, deliveries).await;
    match told {
        Ok(outcome) => Ok(outcome == TransactionOutcome::Committed),
        Err(error) if error.is_fatal() => Err(error),
        Err(_) => Ok(false),
    }
}

async fn finish(transaction: u32, end: End, deliveries: Vec<(Value, Delivery)>) {
    say(&Line::Ended { transaction, end });
    for (value, delivery) in deliveries {
        tell_fate(value, delivery).await;
    }
}
