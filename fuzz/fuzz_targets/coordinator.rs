//! The embedded broker's transaction coordinator and what its logs know of producers, under any requests.
//!
//! `crates/broker/src/txn_coordinator/operations.rs` says what the bytes mean and what is asserted.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| milena_broker::operations::coordinator(data));
