//! An embedded Kafka broker for tests, demos and development: in process, in memory, with idempotence,
//! transactions and groups, and with trouble by script.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use milena_broker::Broker;
//!
//! let broker = Broker::builder().brokers(3).topic("orders", 4).start().await?;
//! let bootstrap = broker.addresses(); // hand these to any Kafka client
//! # assert_eq!(bootstrap.len(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! It answers as Apache Kafka 4.3.1 does, down to the error codes, epochs and offsets, as far as it
//! serves an API; ApiVersions lists exactly what is served. What it does not do: keep anything after it
//! ends, replicate (the virtual brokers share one state), authenticate, compact, or throttle.
//!
//! `docs/BROKER.md` lists its faults, its bounds and where it differs from Kafka on purpose.
//!
//! | to | use |
//! |---|---|
//! | set it up | [`Broker::builder`] |
//! | let timeouts pass without waiting | [`Broker::clock`], [`Clock::advance`] |
//! | make requests fail, or their responses get lost | [`Broker::faults`] |
//! | share one broker between tests | [`BrokerBuilder::start_blocking`], [`Broker::fresh_topic`] |
//! | write and read records without a client | [`Broker::write`], [`Broker::records`] |
//! | move leaders and coordinators, stop and pause brokers | methods of [`Broker`] |
//! | see what happened | [`Broker::history`] |

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

mod background;
mod broker;
mod builder;
mod clock;
mod cluster;
#[cfg(feature = "_deliberate-bugs")]
#[doc(hidden)]
pub mod deliberate;
mod faults;
mod fetch_sessions;
mod group_coordinator;
mod handlers;
mod history;
mod log;
mod network;
#[cfg(feature = "_fuzzing")]
#[doc(hidden)]
pub mod operations;
mod pattern;
mod producer_state;
mod server;
mod shared;
mod txn_coordinator;
mod versions;

pub use broker::Broker;
pub use broker::records::{LoggedRecord, RecordToSeed, SeedError, Visibility};
pub use builder::{BrokerBuilder, StartError};
pub use clock::{Clock, Time};
pub use cluster::movement::MoveError;
pub use cluster::nodes::CoordinatorKind;
pub use faults::{Fault, Faults, Loss, Then, When};
pub use history::{Entry, Event, History, RequestRef};
pub use milena_codec::{ApiKey, ErrorCode};
pub use txn_coordinator::TransactionState;
