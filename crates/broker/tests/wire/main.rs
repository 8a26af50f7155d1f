//! The embedded broker over the wire, as a client meets it.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

mod apis;
mod by_id;
mod faults;
mod generated;
mod hostile;
mod movement;
mod raw;
mod transactions;
