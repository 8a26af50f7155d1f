//! Promises that need a broker that can be told what to do: the embedded one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod causes;
mod client;
mod deadlines;
mod expired;
mod handle;
mod new_partitions;
mod old_brokers;
mod owned;
mod reading;
mod rejected;
mod support;
#[cfg(feature = "two-phase-commit")]
mod two_phase;
