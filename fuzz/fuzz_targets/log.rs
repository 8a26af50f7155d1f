//! One log of the embedded broker and what it knows of producers, under any appends, markers, deletions and reads.
//!
//! `crates/broker/src/log/operations.rs` says what the bytes mean and what is asserted.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| milena_broker::operations::log(data));
