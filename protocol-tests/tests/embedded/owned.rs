//! Transactions that do not borrow their producer.

use std::time::Duration;

use milena::{OwnedTransaction, Record, TransactionOutcome, TransactionalProducer};
use milena_broker::{Broker, Then, When};

use super::support::{Embedded, values};

/// What an application writes: it keeps the producer and its open transaction in one place.
struct Sink {
    producer: TransactionalProducer,
    open: Option<OwnedTransaction>,
}

impl Sink {
    async fn write(&mut self, value: &str) {
        if self.open.is_none() {
            self.open = Some(self.producer.begin_owned().await.unwrap());
        }
        let open = self.open.as_ref().unwrap();
        let record = Record::to("t").value(value.as_bytes());
        open.send(record).await.unwrap();
    }

    fn take(&mut self) -> OwnedTransaction {
        self.open.take().unwrap()
    }
}

async fn sink(embedded: &Embedded) -> Sink {
    let producer = embedded
        .transactional_with("x", |config| config.max_block(Duration::from_secs(5)))
        .await;
    Sink {
        producer,
        open: None,
    }
}

#[tokio::test(start_paused = true)]
async fn an_owned_transaction_is_kept_in_a_struct_committed_aborted_and_dropped() {
    let embedded = Embedded::start(Broker::builder().topic("t", 1)).await;
    let mut sink = sink(&embedded).await;
    sink.write("1").await;
    sink.write("2").await;
    sink.take().commit().await.unwrap();
    sink.write("aborted").await;
    sink.take().abort().await.unwrap();
    sink.write("dropped").await;
    drop(sink.take());
    sink.write("3").await;
    // From another task: nothing is borrowed.
    let commit = tokio::spawn(sink.take().commit());
    commit.await.unwrap().unwrap();
    let mut reader = embedded.reader("t", |config| config);
    assert_eq!(values(&mut reader, 3).await, ["1", "2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_of_an_owned_transaction_that_is_given_up_goes_on_and_the_producer_returns_its_outcome()
 {
    let embedded = Embedded::start(Broker::builder().topic("t", 1)).await;
    let mut sink = sink(&embedded).await;
    sink.write("1").await;
    let delay = Then::DelayRequest(Duration::from_secs(3));
    embedded.broker.faults().once(When::api(26), delay);
    let commit = tokio::time::timeout(Duration::from_secs(1), sink.take().commit()).await;
    commit.unwrap_err();
    sink.producer.begin_owned().await.unwrap_err();
    let outcome = sink.producer.outcome().await.unwrap();
    assert_eq!(outcome, Some(TransactionOutcome::Committed));
    sink.write("2").await;
    sink.take().commit().await.unwrap();
    let mut reader = embedded.reader("t", |config| config);
    assert_eq!(values(&mut reader, 2).await, ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_is_closed_aborts_its_owned_transaction() {
    let embedded = Embedded::start(Broker::builder().topic("t", 1)).await;
    let mut sink = sink(&embedded).await;
    sink.write("lost").await;
    let open = sink.take();
    sink.producer.close(Duration::from_secs(5)).await.unwrap();
    let late = open.send(Record::to("t").value(b"late")).await.unwrap_err();
    assert!(matches!(late, milena::Error::Closed { .. }), "{late:?}");
    let committed = open.commit().await.unwrap_err();
    assert!(
        matches!(committed, milena::Error::Closed { .. }),
        "{committed:?}"
    );
}
