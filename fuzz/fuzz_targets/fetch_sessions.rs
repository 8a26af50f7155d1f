//! The embedded broker's incremental fetch sessions, under any fetches of partitions that change.
//!
//! `crates/broker/src/fetch_sessions/operations.rs` says what the bytes mean and what is asserted.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| milena_broker::operations::fetch_sessions(data));
