//! The embedded broker's group coordinator and its committed offsets, under any requests of both protocols.
//!
//! `crates/broker/src/group_coordinator/operations.rs` says what the bytes mean and what is asserted.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| milena_broker::operations::groups(data));
