//! Exactly-once Kafka in Rust: idempotent and transactional producers, committed reads, no C library.
//!
//! | to | use |
//! |---|---|
//! | connect, and make the handles below | [`Client`] |
//! | write records, each once and in order | [`Producer`] |
//! | write records of many partitions and consumed offsets together, or none | [`TransactionalProducer`] |
//! | read what was committed, and know how far that is | [`Consumer`] |
//! | make and look at topics and transactions | [`Admin`] |
//! | know what to do about an error | [`Error::recovery`] |
//! | print an error with its causes | [`Error::report`] |
//! | set anything, by methods or by Kafka's keys | [`config`] |
//!
//! # What happens when
//!
//! * **Nothing is sent by a constructor** but [`TransactionalProducer::start`], which takes the transactional id over.
//! * **A record is copied once**, into the open batch of its partition. The batch leaves when it is full, when its
//!   linger has passed, on flush, or on commit. Records of one partition are appended in the order of their sends.
//! * **An outcome is one of three**: acknowledged, rejected, or [unknown](Error::is_outcome_unknown). What was sent
//!   and got no response is unknown, never "failed".
//! * **Dropping never waits.** A dropped [`Transaction`] is aborted, a dropped producer goes on delivering in the
//!   background, a dropped consumer stops. Use `close` to wait.
//! * **Everything runs on the caller's tokio runtime**, in one task per producer or consumer and one per connection.
//!
//! ```no_run
//! # async fn run() -> Result<(), milena::Report> {
//! use milena::{Client, ClientBuilder, Record};
//!
//! let client = Client::connect(ClientBuilder::new(["localhost:9092"]).build()?).await?;
//! let producer = client.producer().start()?;
//! let delivery = producer.send(Record::to("orders").key(b"customer-7").value(b"3 apples")).await?;
//! println!("at offset {:?}", delivery.await?.offset);
//! # Ok(()) }
//! ```

/// Whether a mistake is made on purpose: never, unless the feature is on.
#[cfg(not(feature = "_deliberate-bugs"))]
macro_rules! bug {
    ($bug:ident) => {
        false
    };
}
#[cfg(feature = "_deliberate-bugs")]
macro_rules! bug {
    ($bug:ident) => {
        $crate::deliberate::is_committed($crate::deliberate::Bug::$bug)
    };
}

pub mod admin;
mod client;
pub mod config;
pub mod consumer;
#[cfg(feature = "_deliberate-bugs")]
#[doc(hidden)]
pub mod deliberate;
mod error;
#[cfg(feature = "_fuzzing")]
#[doc(hidden)]
pub mod operations;
pub mod producer;
mod runtime;
mod sync;
mod transaction;
pub mod transport;
mod types;

pub use admin::Admin;
pub use client::Client;
pub use config::{
    Acks, ClientBuilder, ClientConfig, ConfigError, ConsumerBuilder, ConsumerConfig,
    DeliveryGuarantee, Partitioner, ProducerBuilder, ProducerConfig, Standalone,
    TransactionalProducerConfig,
};
pub use consumer::Consumer;
pub use error::{Cause, Error, Recovery, Report, recovery_of};
pub use milena_codec::{ApiKey, Compression, ErrorCode, HeaderToWrite, Limits};
pub use milena_connection::{BrokerAddress, Connector, TcpConnector};
pub use producer::{Delivery, Producer, Record, RecordMetadata};
pub use transaction::{OwnedTransaction, Transaction, TransactionOutcome, TransactionalProducer};
#[cfg(feature = "two-phase-commit")]
pub use transaction::{ParsePreparedTransactionError, PreparedTransaction};
pub use types::{
    GroupMember, GroupMetadata, IsolationLevel, OffsetReset, OffsetToCommit, TopicPartition,
};
pub use uuid::Uuid;
