//! The harness that puts milena's promises to the test on real Apache Kafka and on the embedded broker.
//!
//! Kafka's jars come from Maven ([`jars`]), its brokers run on loopback in this process's care
//! ([`Kafka`]), somebody independent says what the other side saw ([`observer`]), and a network between
//! client and broker fails on demand ([`proxy`]).
//!
//! ```no_run
//! use milena_protocol_tests::{Isolation, Kafka, conformance};
//!
//! /// A promise is an async function; its name is the claim.
//! async fn a_new_topic_is_empty(kafka: &Kafka) {
//!     let topic = kafka.topic(4);
//!     assert!(kafka.read(&topic, Isolation::ReadCommitted).is_empty());
//! }
//!
//! // One test per broker at hand: `a_new_topic_is_empty::embedded_tv2` and so on.
//! conformance!(a_new_topic_is_empty);
//! # fn main() {}
//! ```
//!
//! A broker takes two seconds and most of a core to start, so the tests of one binary share one of
//! each [`Flavour`] and keep apart by topic names. A test that has to kill, freeze or configure a
//! broker starts its own with [`Kafka::start`]: only an owned [`Kafka`] has those methods.
//!
//! Every wait in here has a limit, and whatever goes wrong fails the test that asked: the methods of
//! [`Kafka`] panic with the reason and the end of the broker's log instead of returning errors.

pub mod breaking;
pub mod cluster;
pub mod failure;
pub mod flavour;
pub mod house;
pub mod jars;
pub mod java;
pub mod observer;
pub mod port;
pub mod process;
pub mod proxy;
pub mod python;
pub mod raw;
pub mod rules;
pub mod scratch;
pub mod simulation;
pub mod skip;

pub use cluster::{Kafka, KafkaConfig};
pub use failure::Failure;
pub use flavour::Flavour;
pub use java::{Isolation, ReadRecord, WriteRecord};

/// Compiles and runs the example of docs/BROKER.md, which needs the client as well as the broker.
#[cfg(doctest)]
#[doc = include_str!("../../docs/BROKER.md")]
struct BrokerGuide;
