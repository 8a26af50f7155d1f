//! Two-phase commit (KIP-939), end to end: what was prepared outlives its instance, and ends as was decided elsewhere.

use std::time::Duration;

use milena::config::TransactionalProducerConfig;
use milena::{
    ErrorCode, GroupMetadata, OffsetToCommit, PreparedTransaction, Record, Transaction,
    TransactionOutcome, TransactionalProducer,
};
use milena_broker::{Broker, BrokerBuilder, Loss, Then, TransactionState, When};
use milena_codec::ProducerEpoch;
use milena_protocol_tests::failure::chain;

use super::support::{Embedded, PATIENCE, PRODUCE, partition, values};

const INIT_PRODUCER_ID: i16 = 22;
const END_TXN: i16 = 26;

fn two_phase() -> BrokerBuilder {
    Broker::builder().topic("t", 1).two_phase_commit(true)
}

impl Embedded {
    fn config(&self) -> TransactionalProducerConfig {
        let builder = self.producer_builder().transactional_id("tx");
        builder.two_phase_commit(true).build().unwrap()
    }

    async fn fresh(&self) -> TransactionalProducer {
        TransactionalProducer::start_with_connector(self.config(), self.connector())
            .await
            .unwrap()
    }

    async fn keeping(&self) -> (TransactionalProducer, Option<PreparedTransaction>) {
        let connector = self.connector();
        TransactionalProducer::start_keeping_prepared_with_connector(self.config(), connector)
            .await
            .unwrap()
    }

    /// What a committed reader sees, up to a last record that is written after everything else.
    async fn committed(&self) -> Vec<String> {
        let mut end = self.transactional("end").await;
        let transaction = end.begin().await.unwrap();
        send(&transaction, "end").await;
        transaction.commit().await.unwrap();
        let mut reader = self.reader("t", |builder| builder);
        let mut seen = Vec::new();
        loop {
            seen.extend(values(&mut reader, 1).await);
            if seen.last().is_some_and(|last| last == "end") {
                seen.pop();
                return seen;
            }
        }
    }

    fn state(&self) -> Option<TransactionState> {
        self.broker.transaction_state("tx")
    }
}

async fn send(transaction: &Transaction<'_>, value: &str) {
    let record = Record::to("t").value(value.as_bytes());
    transaction.send(record).await.unwrap();
}

async fn prepare(producer: &mut TransactionalProducer, value: &str) -> PreparedTransaction {
    let transaction = producer.begin().await.unwrap();
    send(&transaction, value).await;
    transaction.prepare().await.unwrap()
}

/// T-45: what is stored names the transaction, so it was decided to commit it.
#[tokio::test(start_paused = true)]
async fn a_prepared_transaction_outlives_its_instance_and_is_committed_by_its_name() {
    let embedded = Embedded::start(two_phase()).await;
    let mut producer = embedded.fresh().await;
    let stored = prepare(&mut producer, "one").await.to_string();
    drop(producer);

    let (mut producer, ongoing) = embedded.keeping().await;
    let stored: PreparedTransaction = stored.parse().unwrap();
    assert_eq!(ongoing, Some(stored));
    assert_eq!(embedded.state(), Some(TransactionState::Ongoing));
    let outcome = producer.complete(Some(&stored)).await.unwrap();
    assert_eq!(outcome, Some(TransactionOutcome::Committed));
    let again = producer.complete(Some(&stored)).await.unwrap();
    assert_eq!(again, None, "it has ended");

    let second = prepare(&mut producer, "two").await;
    assert_ne!(second, stored, "no two have the same name");
    producer.commit_prepared().await.unwrap();
    assert_eq!(embedded.committed().await, ["one", "two"]);
}

/// T-45: what is stored names another transaction, or none.
#[tokio::test(start_paused = true)]
async fn a_prepared_transaction_that_is_not_what_was_stored_is_aborted() {
    let embedded = Embedded::start(two_phase()).await;
    let (mut producer, nothing) = embedded.keeping().await;
    assert_eq!(nothing, None);
    let older = prepare(&mut producer, "older").await;
    producer.commit_prepared().await.unwrap();
    for stored in [Some(older), None] {
        prepare(&mut producer, "undecided").await;
        drop(producer);
        let ongoing;
        (producer, ongoing) = embedded.keeping().await;
        assert!(ongoing.is_some());
        let outcome = producer.complete(stored.as_ref()).await.unwrap();
        assert_eq!(outcome, Some(TransactionOutcome::Aborted));
    }
    assert_eq!(embedded.committed().await, ["older"]);
}

/// T-45: nobody stored the name of what was not prepared.
#[tokio::test(start_paused = true)]
async fn an_open_transaction_whose_instance_died_before_it_was_prepared_is_aborted() {
    let embedded = Embedded::start(two_phase()).await;
    let mut producer = embedded.fresh().await;
    let stored = prepare(&mut producer, "one").await;
    producer.commit_prepared().await.unwrap();
    let transaction = producer.begin().await.unwrap();
    send(&transaction, "two").await;
    transaction.flush().await;
    std::mem::forget(transaction);

    let (mut next, ongoing) = embedded.keeping().await;
    assert!(ongoing.is_some_and(|ongoing| ongoing != stored));
    let outcome = next.complete(Some(&stored)).await.unwrap();
    assert_eq!(outcome, Some(TransactionOutcome::Aborted));
    assert_eq!(embedded.committed().await, ["one"]);
}

/// T-45: the instance before wakes up after a newer one took over what it had prepared.
#[tokio::test(start_paused = true)]
async fn a_zombie_cannot_end_what_it_prepared() {
    let embedded = Embedded::start(two_phase()).await;
    let mut zombie = embedded.fresh().await;
    let stored = prepare(&mut zombie, "one").await;
    let (mut producer, _) = embedded.keeping().await;
    let error = zombie.commit_prepared().await.unwrap_err();
    assert!(error.is_fenced(), "{error:?}");
    assert_eq!(embedded.state(), Some(TransactionState::Ongoing));
    let outcome = producer.complete(Some(&stored)).await.unwrap();
    assert_eq!(outcome, Some(TransactionOutcome::Committed));
    assert_eq!(embedded.committed().await, ["one"]);
}

/// T-42, T-45: nothing of an empty transaction is at the coordinator, so nothing tells its owner that it is fenced. To
/// raise the epoch under its name must not end what a newer instance has prepared.
#[tokio::test(start_paused = true)]
async fn a_zombie_with_an_empty_transaction_does_not_end_what_a_newer_instance_prepared() {
    for commits in [true, false] {
        let embedded = Embedded::start(two_phase()).await;
        let mut zombie = embedded.fresh().await;
        zombie.begin().await.unwrap().prepare().await.unwrap();
        let (mut producer, _) = embedded.keeping().await;
        let stored = prepare(&mut producer, "one").await;

        // Either is true of a transaction in which nothing was written.
        if commits {
            zombie.commit_prepared().await.unwrap();
        } else {
            zombie.abort_prepared().await.unwrap();
        }
        assert!(zombie.begin().await.unwrap_err().is_fenced());
        assert_eq!(embedded.state(), Some(TransactionState::Ongoing));
        drop(producer);
        let (mut next, ongoing) = embedded.keeping().await;
        assert_eq!(ongoing, Some(stored));
        let outcome = next.complete(Some(&stored)).await.unwrap();
        assert_eq!(outcome, Some(TransactionOutcome::Committed));
        assert_eq!(embedded.committed().await, ["one"]);
    }
}

/// T-72, T-45: and without two-phase commit it does not.
#[tokio::test(start_paused = true)]
async fn a_prepared_transaction_outlives_every_timeout() {
    let embedded = Embedded::start(two_phase()).await;
    let mut producer = embedded.fresh().await;
    prepare(&mut producer, "one").await;
    let mut other = embedded.transactional("other").await;
    let transaction = other.begin().await.unwrap();
    send(&transaction, "lost").await;
    transaction.flush().await;
    for _ in 0..60 {
        embedded
            .broker
            .clock()
            .advance(Duration::from_secs(12 * 3600));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(embedded.state(), Some(TransactionState::Ongoing));
    let timed_out = embedded.broker.transaction_state("other");
    assert_ne!(timed_out, Some(TransactionState::Ongoing));
    producer.commit_prepared().await.unwrap();
    drop(transaction);
    assert_eq!(embedded.committed().await, ["one"]);
}

/// T-76 does not hold: whoever closes or drops a producer has decided nothing.
#[tokio::test(start_paused = true)]
async fn closing_and_dropping_leave_a_prepared_transaction_open() {
    let embedded = Embedded::start(two_phase()).await;
    let mut producer = embedded.fresh().await;
    let stored = prepare(&mut producer, "one").await;
    producer.close(PATIENCE).await.unwrap();
    assert_eq!(embedded.state(), Some(TransactionState::Ongoing));
    let (producer, _) = embedded.keeping().await;
    drop(producer);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(embedded.state(), Some(TransactionState::Ongoing));
    let (mut producer, _) = embedded.keeping().await;
    producer.complete(Some(&stored)).await.unwrap();
    assert_eq!(embedded.committed().await, ["one"]);
}

/// KIP-939: an instance that does not ask for what was kept aborts it.
#[tokio::test(start_paused = true)]
async fn a_start_that_keeps_nothing_aborts_what_was_prepared() {
    let embedded = Embedded::start(two_phase()).await;
    let mut producer = embedded.fresh().await;
    let stored = prepare(&mut producer, "one").await;
    let mut next = embedded.fresh().await;
    assert_eq!(next.complete(Some(&stored)).await.unwrap(), None);
    assert!(producer.commit_prepared().await.unwrap_err().is_fenced());
    assert_eq!(embedded.committed().await, [""; 0]);
}

/// T-45: what fails while it is flushed is aborted, and the next transaction may begin.
#[tokio::test(start_paused = true)]
async fn a_transaction_of_which_a_record_fails_is_not_prepared() {
    let embedded = Embedded::start(two_phase()).await;
    let mut producer = embedded.fresh().await;
    let transaction = producer.begin().await.unwrap();
    send(&transaction, "good").await;
    transaction.flush().await;
    embedded
        .broker
        .faults()
        .once(When::api(PRODUCE), Then::Answer(ErrorCode::InvalidRecord));
    send(&transaction, "bad").await;
    let error = transaction.prepare().await.unwrap_err();
    assert!(error.is_abortable(), "{error:?}");
    assert_eq!(producer.complete(None).await.unwrap(), None);
    prepare(&mut producer, "next").await;
    producer.commit_prepared().await.unwrap();
    assert_eq!(embedded.committed().await, ["next"]);
}

/// T-45: a name that reached nobody binds nobody.
#[tokio::test(start_paused = true)]
async fn a_prepare_that_is_dropped_early_aborts() {
    let embedded = Embedded::start(two_phase()).await;
    let mut producer = embedded.fresh().await;
    let held = embedded
        .broker
        .faults()
        .once(When::api(PRODUCE), Then::Hold);
    let transaction = producer.begin().await.unwrap();
    send(&transaction, "gone").await;
    let prepared = tokio::time::timeout(Duration::from_secs(1), transaction.prepare()).await;
    assert!(prepared.is_err(), "{prepared:?}");
    held.release();
    prepare(&mut producer, "next").await;
    producer.commit_prepared().await.unwrap();
    assert_eq!(embedded.committed().await, ["next"]);
}

/// T-45, T-52: an empty transaction has no end at the coordinator. Were its name left to the next transaction, a
/// crash in that one would commit it in the name of this one.
#[tokio::test(start_paused = true)]
async fn the_name_of_an_empty_prepared_transaction_is_not_used_again() {
    let embedded = Embedded::start(two_phase()).await;
    let mut producer = embedded.fresh().await;
    let stored = producer.begin().await.unwrap().prepare().await.unwrap();
    producer.commit_prepared().await.unwrap();
    let transaction = producer.begin().await.unwrap();
    send(&transaction, "torn").await;
    transaction.flush().await;
    std::mem::forget(transaction);

    let (mut next, ongoing) = embedded.keeping().await;
    assert!(ongoing.is_some_and(|ongoing| ongoing != stored));
    let outcome = next.complete(Some(&stored)).await.unwrap();
    assert_eq!(outcome, Some(TransactionOutcome::Aborted));
    assert_eq!(embedded.committed().await, [""; 0]);
}

/// T-64, T-66: the instance dies not knowing whether its commit arrived; the next finds out by asking for it again.
#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_was_lost_is_settled_by_the_next_instance() {
    for applied in [true, false] {
        let embedded = Embedded::start(two_phase()).await;
        let mut producer = embedded.fresh().await;
        let stored = prepare(&mut producer, "one").await;
        let then = if applied {
            Then::LoseAnswer(Loss::Silence)
        } else {
            Then::LoseRequest(Loss::Silence)
        };
        embedded.broker.faults().every(When::api(END_TXN), then);
        let waited = tokio::time::timeout(Duration::from_secs(5), producer.commit_prepared()).await;
        assert!(waited.is_err(), "{waited:?}");
        let faults = embedded.broker.faults();
        faults.clear();
        let (mut next, ongoing) = embedded.keeping().await;
        assert_eq!(ongoing.is_some(), !applied);
        let outcome = next.complete(Some(&stored)).await.unwrap();
        let expected = (!applied).then_some(TransactionOutcome::Committed);
        assert_eq!(outcome, expected);
        assert_eq!(embedded.committed().await, ["one"], "applied: {applied}");
    }
}

/// T-55, T-45: offsets are as much part of it as records.
#[tokio::test(start_paused = true)]
async fn offsets_of_a_prepared_transaction_wait_for_its_decision() {
    let embedded = Embedded::start(two_phase()).await;
    let mut producer = embedded.fresh().await;
    let transaction = producer.begin().await.unwrap();
    let offset = OffsetToCommit {
        partition: partition("t"),
        offset: 7,
        leader_epoch: None,
        metadata: None,
    };
    transaction
        .send_offsets(vec![offset], GroupMetadata::unmanaged("g"))
        .await
        .unwrap();
    let stored = transaction.prepare().await.unwrap();
    drop(producer);
    let (mut producer, _) = embedded.keeping().await;
    assert_eq!(embedded.broker.committed("g", "t", 0), (None, true));
    producer.complete(Some(&stored)).await.unwrap();
    embedded.committed().await;
    assert_eq!(embedded.broker.committed("g", "t", 0), (Some(7), false));
}

/// P-63: wherever the epochs are used up, between the transaction and its end.
#[tokio::test(start_paused = true)]
async fn a_prepared_transaction_outlives_the_epochs_of_its_producer_id() {
    for epoch in 32_762..=32_766 {
        let embedded = Embedded::start(two_phase()).await;
        drop(embedded.fresh().await);
        let set = embedded
            .broker
            .set_producer_epoch("tx", ProducerEpoch(epoch));
        assert!(set);
        let mut producer = embedded.fresh().await;
        let stored = prepare(&mut producer, "one").await;
        for _ in 0..3 {
            drop(producer);
            let ongoing;
            (producer, ongoing) = embedded.keeping().await;
            assert_eq!(ongoing, Some(stored), "{epoch}");
        }
        let outcome = producer.complete(Some(&stored)).await.unwrap();
        assert_eq!(outcome, Some(TransactionOutcome::Committed), "{epoch}");
        prepare(&mut producer, "two").await;
        producer.commit_prepared().await.unwrap();
        assert_eq!(embedded.committed().await, ["one", "two"], "{epoch}");
    }
}

/// T-45: what the coordinator has kept can only be ended, and so can what is prepared here.
#[tokio::test(start_paused = true)]
async fn nothing_begins_before_what_was_kept_has_ended() {
    let embedded = Embedded::start(two_phase()).await;
    let mut producer = embedded.fresh().await;
    prepare(&mut producer, "one").await;
    for () in [(), ()] {
        let error = producer.begin().await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains("the transaction is prepared"), "{said}");
        (producer, _) = embedded.keeping().await;
    }
    producer.abort_prepared().await.unwrap();
    let error = producer.commit_prepared().await.unwrap_err();
    assert!(error.to_string().contains("no transaction is prepared"));
    let transaction = producer.begin().await.unwrap();
    transaction.commit().await.unwrap();
}

/// T-45: without the switch version 6 is not told, and nothing is sent that the broker would not understand.
#[tokio::test(start_paused = true)]
async fn a_broker_without_two_phase_commit_is_refused_before_anything_is_asked_of_it() {
    let embedded = Embedded::start(Broker::builder().topic("t", 1)).await;
    let config = embedded.config();
    let error = TransactionalProducer::start_with_connector(config, embedded.connector())
        .await
        .unwrap_err();
    assert!(error.is_fatal(), "{error:?}");
    let said = chain(&error);
    assert!(
        said.contains("two_phase_commit needs InitProducerId 6 (KIP-939)"),
        "{said}"
    );
    assert_eq!(
        embedded.state(),
        None,
        "not even the transactional id is known"
    );
}

/// T-41, T-45: a broker that knows version 6 and does not let anyone use it, as Kafka's with unstable versions on.
#[tokio::test(start_paused = true)]
async fn a_broker_that_does_not_allow_two_phase_commit_says_so() {
    let broker = Broker::builder().topic("t", 1);
    let broker = broker.serve_only(1, INIT_PRODUCER_ID, Some(0..=6));
    let embedded = Embedded::start(broker).await;
    let config = embedded.config();
    let error = TransactionalProducer::start_with_connector(config, embedded.connector())
        .await
        .unwrap_err();
    let denied = ErrorCode::TransactionalIdAuthorizationFailed;
    assert_eq!(error.code(), Some(denied), "{error:?}");
    assert!(!error.is_fatal(), "{error:?}");
}

/// A database with one row in it: what was transferred, and the transaction of Kafka's that tells of it. Its commits
/// are atomic, and it outlives everybody.
#[derive(Clone, Debug, Default)]
struct Database {
    transferred: Vec<String>,
    prepared: Option<String>,
}

/// After which step a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Dies {
    Writing,
    Prepared,
    Decided,
    Ended,
}

/// A process of the application: recovers, transfers `values` one by one, and dies at one of them.
async fn process(embedded: &Embedded, database: &mut Database, values: &[&str], dies: Dies) {
    let (mut producer, _) = embedded.keeping().await;
    let stored = database.prepared.as_deref();
    let stored: Option<PreparedTransaction> = stored.map(|name| name.parse().unwrap());
    producer.complete(stored.as_ref()).await.unwrap();
    for (number, value) in values.iter().enumerate() {
        let dies = (number + 1 == values.len()).then_some(dies);
        let transaction = producer.begin().await.unwrap();
        send(&transaction, value).await;
        if dies == Some(Dies::Writing) {
            transaction.flush().await;
            std::mem::forget(transaction);
            // Nothing of the process runs on: not even the drop of the producer.
            std::mem::forget(producer);
            return;
        }
        let prepared = transaction.prepare().await.unwrap();
        if dies == Some(Dies::Prepared) {
            return;
        }
        let mut changed = database.clone();
        changed.transferred.push((*value).to_owned());
        changed.prepared = Some(prepared.to_string());
        *database = changed;
        if dies == Some(Dies::Decided) {
            return;
        }
        producer.commit_prepared().await.unwrap();
    }
    assert_eq!(dies, Dies::Ended);
}

/// T-45: the point of it all. Wherever a process dies, and wherever the next one does, Kafka shows what the database
/// holds, once and in order.
#[tokio::test(start_paused = true)]
async fn a_database_and_kafka_agree_wherever_a_process_dies() {
    let deaths = [Dies::Writing, Dies::Prepared, Dies::Decided, Dies::Ended];
    for first in deaths {
        for second in deaths {
            let embedded = Embedded::start(two_phase()).await;
            let mut database = Database::default();
            process(&embedded, &mut database, &["a", "b"], first).await;
            process(&embedded, &mut database, &["c"], second).await;
            process(&embedded, &mut database, &["d"], Dies::Ended).await;
            let mut expected = vec!["a"];
            expected.extend((first >= Dies::Decided).then_some("b"));
            expected.extend((second >= Dies::Decided).then_some("c"));
            expected.push("d");
            assert_eq!(database.transferred, expected, "{first:?} {second:?}");
            assert_eq!(embedded.committed().await, expected, "{first:?} {second:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn keeping_needs_two_phase_commit() {
    let embedded = Embedded::start(two_phase()).await;
    let config = embedded.producer_builder().transactional_id("tx");
    let config = config.build().unwrap();
    let connector = embedded.connector();
    let error = TransactionalProducer::start_keeping_prepared_with_connector(config, connector)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("two_phase_commit(true)"),
        "{error}"
    );
}
