//! The idempotent producer's machine under any operations, against a model of the cluster that is always right.
//!
//! `crates/client/src/producer/machine/operations.rs` says what the bytes mean and what is asserted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::time::Instant;

fuzz_target!(|data: &[u8]| milena::operations::sender(data, Instant::now()));
