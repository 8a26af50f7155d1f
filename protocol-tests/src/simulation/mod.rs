//! milena and the embedded broker in one thread, on a simulated network and clock, from a seed.
//!
//! A run is drawn from its seed before it begins ([`Plan`]): what the clients do, what the network is
//! like, which faults happen when. Then everything runs on one single-threaded runtime whose clock
//! jumps to the next timer as soon as nobody has anything to do, so an hour costs what its events
//! cost, and the same seed gives the same run to the byte. When the faults have ended, progress is
//! demanded; then a checker that shares nothing with the client compares what the applications were
//! told with what the logs hold.
//!
//! ```no_run
//! use milena_protocol_tests::simulation::{Plan, run};
//!
//! let outcome = run(&Plan::from_seed(7));
//! assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
//! ```

mod checker;
#[cfg_attr(
    not(feature = "two-phase-commit"),
    expect(dead_code, reason = "nobody decides anything there")
)]
mod database;
mod fault;
#[cfg_attr(
    not(feature = "two-phase-commit"),
    expect(dead_code, reason = "as above")
)]
mod instances;
mod journal;
mod nemesis;
mod network;
mod plan;
mod random;
mod run;
mod shrink;
mod workload;
mod world;

pub use checker::{Kind, Violation};
pub use fault::{Fault, TimedFault, Trouble};
pub use instances::Takeovers;
pub use plan::Plan;
pub use run::{Outcome, run};
pub use shrink::shrink;
pub use workload::Workload;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is done under a lock only assigns, so no panic leaves it half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
