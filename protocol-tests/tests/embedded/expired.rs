//! A transactional id that expired at its coordinator while its producer was idle.

use std::time::Duration;

use milena::{Error, ErrorCode, Record, TransactionalProducer};
use milena_broker::Broker;

use super::support::{Embedded, values};

async fn write(producer: &mut TransactionalProducer, value: &str) -> Result<(), Error> {
    let transaction = producer.begin().await?;
    transaction
        .send(Record::to("t").value(value.as_bytes()))
        .await?;
    transaction.commit().await
}

async fn started(transaction_version: i16) -> (Embedded, TransactionalProducer) {
    let builder = Broker::builder().transaction_version(transaction_version);
    let embedded = Embedded::start(builder.topic("t", 1)).await;
    let mut producer = embedded.transactional("x").await;
    write(&mut producer, "before").await.unwrap();
    // Not while its markers are on their way.
    while !embedded.broker.expire_transactional_id("x") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (embedded, producer)
}

/// T-73: nothing was written, so the record is rejected, the error says why, and the next transaction takes the id again.
#[tokio::test(start_paused = true)]
async fn a_transaction_after_its_id_expired_is_aborted_and_the_next_one_goes_on() {
    for transaction_version in 0..=2 {
        let (embedded, mut producer) = started(transaction_version).await;
        let transaction = producer.begin().await.unwrap();
        let delivery = transaction.send(Record::to("t").value(b"lost")).await;
        let lost = delivery.unwrap().await.unwrap_err();
        assert!(
            !lost.is_outcome_unknown(),
            "version {transaction_version}: {lost:?}"
        );
        let error = transaction.commit().await.unwrap_err();
        assert!(
            error.is_abortable(),
            "version {transaction_version}: {error:?}"
        );
        assert_eq!(error.code(), Some(ErrorCode::InvalidProducerIdMapping));
        let words = format!("{error:?}");
        assert!(words.contains("transactional.id.expiration.ms"), "{words}");
        write(&mut producer, "after").await.unwrap();
        let mut reader = embedded.reader("t", |config| config);
        assert_eq!(values(&mut reader, 2).await, ["before", "after"]);
    }
}

/// T-44: taking the id again is no way to steal it.
#[tokio::test(start_paused = true)]
async fn a_producer_whose_expired_id_another_one_took_is_fenced() {
    for transaction_version in 0..=2 {
        let (embedded, mut producer) = started(transaction_version).await;
        let mut newer = embedded.transactional("x").await;
        write(&mut newer, "newer").await.unwrap();
        let error = write(&mut producer, "lost").await.unwrap_err();
        assert!(
            error.is_abortable(),
            "version {transaction_version}: {error:?}"
        );
        let error = producer.begin().await.unwrap_err();
        assert!(
            error.is_fenced(),
            "version {transaction_version}: {error:?}"
        );
        write(&mut newer, "newest").await.unwrap();
        let mut reader = embedded.reader("t", |config| config);
        assert_eq!(values(&mut reader, 3).await, ["before", "newer", "newest"]);
    }
}
