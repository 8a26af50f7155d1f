//! Two-phase commit (KIP-939) where no broker offers it: every released one.

use milena::{ProducerBuilder, Record, TransactionalProducer};
use milena_protocol_tests::failure::chain;
use milena_protocol_tests::{Isolation, Kafka, conformance};

use crate::support;

/// T-45: an open transaction of an instance that is at work shows that nothing was asked that would end it.
async fn two_phase_commit_is_refused_with_what_is_missing_and_touches_nothing(kafka: &Kafka) {
    let topic = kafka.topic(1);
    let mut producer = support::transactional(kafka, &topic).await;
    let transaction = producer.begin().await.unwrap();
    let record = Record::to(&topic).value(b"open");
    transaction.send(record).await.unwrap();
    transaction.flush().await;

    let builder = ProducerBuilder::new(kafka.bootstrap()).transactional_id(&topic);
    let config = builder.two_phase_commit(true).build().unwrap();
    let error = TransactionalProducer::start(config.clone())
        .await
        .unwrap_err();
    let keeping = TransactionalProducer::start_keeping_prepared(config).await;
    for error in [error, keeping.unwrap_err()] {
        assert!(error.is_fatal(), "{error:?}");
        let said = chain(&error);
        let needs = "two_phase_commit needs InitProducerId 6 (KIP-939)";
        assert!(said.contains(needs), "{said}");
    }

    transaction.commit().await.unwrap();
    support::await_stable(kafka, &topic).await;
    let read = support::read_all(kafka, &topic, 1, Isolation::ReadCommitted).await;
    assert_eq!(read.len(), 1);
}

conformance!(two_phase_commit_is_refused_with_what_is_missing_and_touches_nothing,);
