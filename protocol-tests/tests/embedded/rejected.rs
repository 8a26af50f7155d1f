//! A request of a transaction that is rejected for ever: each public call ends in its time and has the code as a cause.

use std::time::Duration;

use milena::config::ProducerBuilder;
use milena::consumer::TopicPartition;
use milena::{
    Error, ErrorCode, GroupMetadata, OffsetToCommit, Record, Transaction, TransactionalProducer,
};
use milena_broker::{Broker, Then, When};
use tokio::time::Instant;

use super::support::{Embedded, PRODUCE, values};

const FIND_COORDINATOR: i16 = 10;
const INIT_PRODUCER_ID: i16 = 22;
const ADD_PARTITIONS_TO_TXN: i16 = 24;
const ADD_OFFSETS_TO_TXN: i16 = 25;
const END_TXN: i16 = 26;
const TXN_OFFSET_COMMIT: i16 = 28;

/// How late an end may be noticed.
const LATE: Duration = Duration::from_millis(100);
const MAX_BLOCK: Duration = Duration::from_secs(3);
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(4);

/// The codes that are repeated by one request or another.
const RETRIABLE: [ErrorCode; 14] = [
    ErrorCode::ConcurrentTransactions,
    ErrorCode::CoordinatorLoadInProgress,
    ErrorCode::CoordinatorNotAvailable,
    ErrorCode::KafkaStorageError,
    ErrorCode::LeaderNotAvailable,
    ErrorCode::NetworkException,
    ErrorCode::NotCoordinator,
    ErrorCode::NotEnoughReplicas,
    ErrorCode::NotLeaderOrFollower,
    ErrorCode::RequestTimedOut,
    ErrorCode::ThrottlingQuotaExceeded,
    ErrorCode::UnknownServerError,
    ErrorCode::UnknownTopicOrPartition,
    ErrorCode::UnstableOffsetCommit,
];

fn short(builder: ProducerBuilder) -> ProducerBuilder {
    builder
        .request_timeout(Duration::from_secs(2))
        .delivery_timeout(DELIVERY_TIMEOUT)
        .max_block(MAX_BLOCK)
}

async fn embedded(transaction_version: i16) -> Embedded {
    let builder = Broker::builder().transaction_version(transaction_version);
    Embedded::start(builder.topic("in", 1).topic("t", 1).topic("u", 1)).await
}

fn reject(embedded: &Embedded, api: i16, code: ErrorCode) {
    let faults = embedded.broker.faults();
    faults.every(When::api(api), Then::Answer(code));
}

async fn send_offsets(transaction: &Transaction<'_>) -> Result<(), Error> {
    let offset = OffsetToCommit {
        partition: TopicPartition::new("in", 0),
        offset: 1,
        leader_epoch: None,
        metadata: None,
    };
    let group = GroupMetadata::unmanaged("g");
    transaction.send_offsets(vec![offset], group).await
}

/// One producer's life with a request that is always rejected.
struct Life {
    api: i16,
    code: ErrorCode,
    transaction_version: i16,
}

impl Life {
    /// `call` ends within `limit`; an error has the code among its causes.
    async fn ends<T>(
        &self,
        what: &str,
        limit: Duration,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Self {
            api,
            code,
            transaction_version,
        } = self;
        let of =
            format!("{what}, request {api} rejected with {code:?}, version {transaction_version}");
        let begin = Instant::now();
        let result = tokio::time::timeout(limit * 10, call).await;
        let took = begin.elapsed();
        assert!(took <= limit + LATE, "{of}: {took:?}");
        let result = result.unwrap();
        if let Err(error) = &result {
            assert_eq!(error.code(), Some(*code), "{of}: {error:?}");
        }
        result
    }

    async fn rejected_from_the_start(&self) {
        let embedded = embedded(self.transaction_version).await;
        reject(&embedded, self.api, self.code);
        let config = short(embedded.producer_builder()).transactional_id("x");
        let config = config.build().unwrap();
        let start = TransactionalProducer::start_with_connector(config, embedded.connector());
        if let Ok(producer) = self.ends("start", MAX_BLOCK, start).await {
            self.rejected(&embedded, producer).await;
        }
    }

    async fn rejected_later(&self) {
        let embedded = embedded(self.transaction_version).await;
        let producer = embedded.transactional_with("x", short).await;
        self.rejected(&embedded, producer).await;
    }

    async fn rejected(&self, embedded: &Embedded, mut producer: TransactionalProducer) {
        let transaction = match self.ends("begin", MAX_BLOCK, producer.begin()).await {
            Ok(transaction) => transaction,
            Err(_) => return,
        };
        let record = Record::to("t").value(b"1");
        let sent = self.ends("send", MAX_BLOCK, transaction.send(record)).await;
        if let Ok(delivery) = sent {
            // If the request is rejected from the start, it may fail.
            drop(self.ends("delivery", DELIVERY_TIMEOUT, delivery).await);
        }
        reject(embedded, self.api, self.code);
        let record = Record::to("u").value(b"2");
        drop(self.ends("send", MAX_BLOCK, transaction.send(record)).await);
        let offsets = send_offsets(&transaction);
        drop(self.ends("send_offsets", MAX_BLOCK, offsets).await);
        let commit = transaction.commit();
        let committed = self.ends("commit", MAX_BLOCK, commit).await;
        if committed.is_err_and(|error| error.is_outcome_unknown()) {
            let outcome = self.ends("outcome", MAX_BLOCK, producer.outcome()).await;
            if outcome.is_err() {
                let close = producer.close(MAX_BLOCK);
                drop(self.ends("close", MAX_BLOCK, close).await);
                return;
            }
        }
        if let Ok(transaction) = self.ends("begin again", MAX_BLOCK, producer.begin()).await {
            drop(self.ends("abort", MAX_BLOCK, transaction.abort()).await);
        }
        let close = producer.close(MAX_BLOCK);
        drop(self.ends("close", MAX_BLOCK, close).await);
    }
}

#[tokio::test(start_paused = true)]
async fn every_call_ends_in_its_time_with_the_code_whichever_request_is_rejected_for_ever() {
    for code in RETRIABLE {
        for api in [
            FIND_COORDINATOR,
            INIT_PRODUCER_ID,
            ADD_PARTITIONS_TO_TXN,
            ADD_OFFSETS_TO_TXN,
            END_TXN,
            TXN_OFFSET_COMMIT,
            PRODUCE,
        ] {
            for transaction_version in [1, 2] {
                let life = Life {
                    api,
                    code,
                    transaction_version,
                };
                life.rejected_from_the_start().await;
                life.rejected_later().await;
            }
        }
    }
}

/// A topic that is gone, a coordinator that never comes up: nothing but an abort is left, at once and by itself.
#[tokio::test(start_paused = true)]
async fn what_is_rejected_throughout_max_block_leaves_the_transaction_to_be_aborted() {
    for (api, transaction_version, code) in [
        (TXN_OFFSET_COMMIT, 2, ErrorCode::UnknownTopicOrPartition),
        (TXN_OFFSET_COMMIT, 2, ErrorCode::CoordinatorLoadInProgress),
        (TXN_OFFSET_COMMIT, 1, ErrorCode::UnknownTopicOrPartition),
        (ADD_OFFSETS_TO_TXN, 1, ErrorCode::ConcurrentTransactions),
        (ADD_PARTITIONS_TO_TXN, 1, ErrorCode::UnknownTopicOrPartition),
    ] {
        let embedded = embedded(transaction_version).await;
        let mut producer = embedded.transactional_with("x", short).await;
        reject(&embedded, api, code);
        let transaction = producer.begin().await.unwrap();
        let sent = transaction.send(Record::to("t").value(b"lost")).await;
        let delivery = sent.unwrap();
        let failed = if api == ADD_PARTITIONS_TO_TXN {
            delivery.await.unwrap_err()
        } else {
            delivery.await.unwrap();
            send_offsets(&transaction).await.unwrap_err()
        };
        let late = transaction.send(Record::to("t").value(b"late")).await;
        let committed = transaction.commit().await;
        for error in [failed, late.unwrap_err(), committed.unwrap_err()] {
            assert!(
                error.is_abortable(),
                "{api} {transaction_version}: {error:?}"
            );
            assert_eq!(error.code(), Some(code), "{error:?}");
        }
        assert_eq!(
            producer.outcome().await.unwrap(),
            None,
            "nothing is in doubt"
        );
        embedded.broker.faults().clear();
        let transaction = producer.begin().await.unwrap();
        transaction
            .send(Record::to("t").value(b"next"))
            .await
            .unwrap();
        send_offsets(&transaction).await.unwrap();
        transaction.commit().await.unwrap();
        let mut reader = embedded.reader("t", |config| config);
        assert_eq!(values(&mut reader, 1).await, ["next"]);
    }
}
