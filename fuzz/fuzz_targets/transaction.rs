//! The transaction machine under any operations, with coordinators that answer whatever they like.
//!
//! `crates/client/src/transaction/operations.rs` says what the bytes mean and what is asserted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::time::Instant;

fuzz_target!(|data: &[u8]| milena::operations::transaction(data, Instant::now()));
