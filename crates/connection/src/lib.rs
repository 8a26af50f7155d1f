//! Connections to Kafka brokers: which broker to ask, in which version, over which connection.
//!
//! | to | use |
//! |---|---|
//! | reach a cluster | [`Cluster`]: metadata, coordinators, and connections by [`ConnectionKind`] |
//! | send one request and read its answer | [`Cluster::call`] |
//! | pipeline requests with bodies of one's own | [`Connection::submit`] |
//! | repeat a request until its time is over | [`Cluster::repeat`], [`policy`] |
//! | know what an error code means | [`judge`] |
//! | know whether a failed request may have had an effect | [`CallError`] |
//! | plug in another network | [`Connector`] |
//!
//! [`Cluster::call`] sends a request once. [`Cluster::repeat`] repeats it by one [`policy`], as far as that is harmless. What can be
//! requested of any broker without harm (versions, metadata, coordinators) is looked up here, once for
//! all callers that wait for it.
//!
//! Decisions are in machines without IO ([`link::machine`], [`metadata::machine`],
//! [`coordinator::machine`], [`policy`], `cluster::dial`); time and seed come in as arguments.

pub mod address;
pub mod backoff;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod coordinator;
pub mod error;
pub mod judgement;
pub mod link;
pub mod metadata;
pub mod policy;
mod signal;
#[cfg(feature = "_test-support")]
pub mod test_support;
pub mod transport;
pub mod versions;

pub use address::{AddressError, BrokerAddress};
pub use backoff::Backoff;
pub use cluster::{Answer, CallOptions, Cluster, ConnectionKind, Target};
pub use config::{ClusterConfig, ConfigError, ConnectionConfig};
pub use coordinator::CoordinatorKind;
pub use error::{AmbiguousCause, CallError, CallSite, CloseReason, NotSentCause, ProtocolHint};
pub use judgement::{Class, Judgement, judge};
pub use link::{Connection, RawRequest, ResponseFuture, SubmitError};
pub use metadata::{
    BrokerNode, LeaderHint, MetadataSnapshot, PartitionMetadata, TopicMetadata, TopicsWanted,
};
pub use milena_codec::ApiKey;
pub use milena_codec::message::Request;
pub use policy::{Repetition, Verdict};
pub use transport::{BoxTransport, ConnectFuture, Connector, PauseFuture, TcpConnector, Transport};
pub use versions::{ApiVersionRange, ApiVersions, FinalizedFeatures};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex that no panic can leave half changed: our critical sections only assign.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
