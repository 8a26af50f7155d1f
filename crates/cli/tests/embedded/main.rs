//! The command with the embedded broker: what needs no Java.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broker;
mod demo;
mod served;
