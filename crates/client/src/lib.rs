//! Exactly-once Kafka in Rust.

#![allow(
    dead_code,
    unused_imports,
    reason = "until producer, transaction and consumer have landed"
)]

pub mod admin;
pub mod config;
pub mod consumer;
mod error;
pub mod producer;
mod runtime;
mod transaction;

pub use admin::Admin;
pub use config::{
    Acks, ClientConfig, ConfigError, ConsumerBuilder, ConsumerConfig, DeliveryGuarantee,
    Partitioner, ProducerBuilder, ProducerConfig, TransactionalProducerConfig,
};
pub use consumer::Consumer;
pub use error::{Cause, Error, Recovery, recovery_of};
pub use milena_codec::{ErrorCode, HeaderToWrite};
pub use producer::{
    Delivery, Producer, Record, RecordMetadata, Transaction, TransactionOutcome,
    TransactionalProducer,
};
pub use transaction::{GroupMember, GroupMetadata, OffsetToCommit};
