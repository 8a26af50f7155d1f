//! The reading of partitions under any operations, against logs whose truth is known from how they were made.
//!
//! `crates/client/src/consumer/fetch/operations.rs` says what the bytes mean and what is asserted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::time::Instant;

fuzz_target!(|data: &[u8]| milena::operations::consumer(data, Instant::now()));
