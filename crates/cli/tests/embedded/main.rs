//! The command where it needs no Java: with the embedded broker, and with bytes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broker;
mod browser;
mod capture;
mod control;
mod demo;
mod dissect;
mod produce;
mod served;
mod trace;
