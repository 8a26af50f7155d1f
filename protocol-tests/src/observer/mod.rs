//! Who says what stands in a cluster: somebody independent of the client under test.
//!
//! On real brokers that is [`Java`](crate::java::Java), Kafka's own clients. On the embedded broker it is Kafka's own
//! clients too, where a JDK is at hand; without one it is [`Raw`], a small reader on the codec alone, so
//! that those tests need nothing but Rust. `MILENA_OBSERVER=raw` asks for it even so. That the two see
//! the same is a test of its own, on every broker.

mod raw;
mod reading;

pub use raw::Raw;
pub(crate) use reading::dump;

use crate::Failure;
use crate::java::{Isolation, Programs, ReadRecord};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::OnceLock;

/// Set to `raw` where the embedded broker must be observed without Java.
pub const OBSERVER: &str = "MILENA_OBSERVER";

/// Offsets by partition.
pub type Offsets = BTreeMap<i32, i64>;

/// A topic as brokers describe it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct TopicDescription {
    /// The leader of each partition, -1 where there is none.
    pub leaders: BTreeMap<i32, i32>,
}

/// A transactional id as its coordinator describes it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct TransactionDescription {
    /// `Empty`, `Ongoing`, `PrepareCommit`, `CompleteCommit` and so on.
    pub state: String,
    /// The broker that coordinates it.
    pub coordinator: i32,
    /// The producer id.
    pub producer_id: i64,
    /// The producer epoch.
    pub producer_epoch: i32,
}

/// Sees and arranges things in the cluster whose brokers are at these addresses, each `host:port`.
///
/// All errors are those of the program behind it, and end the test in the methods of
/// [`Kafka`](crate::Kafka).
#[expect(
    clippy::missing_errors_doc,
    reason = "the trait's documentation tells them for all methods"
)]
pub trait Observer: Debug + Sync {
    /// Every record of a topic that a reader may see now, by partition and offset.
    fn read(
        &self,
        brokers: &[String],
        topic: &str,
        isolation: Isolation,
    ) -> Result<Vec<ReadRecord>, Failure>;

    /// The end of each partition for a reader: the high watermark, or the last stable offset.
    fn end_offsets(
        &self,
        brokers: &[String],
        topic: &str,
        isolation: Isolation,
    ) -> Result<Offsets, Failure>;

    /// The offsets a group has committed for a topic, once no transaction is deciding over them;
    /// partitions without one are absent.
    fn committed_offsets(
        &self,
        brokers: &[String],
        group: &str,
        topic: &str,
    ) -> Result<Offsets, Failure>;

    /// Creates a topic and waits until its leaders are known.
    fn create_topic(
        &self,
        brokers: &[String],
        name: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Result<(), Failure>;

    /// Deletes a topic.
    fn delete_topic(&self, brokers: &[String], name: &str) -> Result<(), Failure>;

    /// Moves the start of partitions up to the given offsets.
    fn delete_records(
        &self,
        brokers: &[String],
        topic: &str,
        before: &Offsets,
    ) -> Result<(), Failure>;

    /// Who leads what.
    fn describe_topic(&self, brokers: &[String], name: &str) -> Result<TopicDescription, Failure>;

    /// What the coordinator knows of a transactional id.
    fn describe_transaction(
        &self,
        brokers: &[String],
        transactional_id: &str,
    ) -> Result<TransactionDescription, Failure>;
}

/// Whether Kafka's own clients can be run here and are wanted for the embedded broker.
///
/// # Errors
///
/// Those of [`Programs::at_hand`] other than [`Failure::Missing`].
pub fn java_is_at_hand() -> Result<bool, &'static Failure> {
    static AT_HAND: OnceLock<Result<bool, Failure>> = OnceLock::new();
    let at_hand = AT_HAND.get_or_init(|| {
        if std::env::var_os(OBSERVER).is_some_and(|value| value == "raw") {
            return Ok(false);
        }
        match Programs::at_hand() {
            Ok(_) => Ok(true),
            Err(Failure::Missing { .. }) => Ok(false),
            Err(failure) => Err(failure),
        }
    });
    at_hand.as_ref().copied()
}
