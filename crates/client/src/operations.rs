//! Operations on the state machines, from bytes: what the fuzz targets run.

use std::time::Instant;

/// Runs any operations on the reading of partitions. Panics if an invariant is broken.
pub fn consumer(data: &[u8], start: Instant) {
    crate::consumer::fetch::operations::run(data, start);
}

/// Runs any operations on the transaction machine. Panics if an invariant is broken.
pub fn transaction(data: &[u8], start: Instant) {
    crate::transaction::operations::run(data, start);
}

/// Runs any operations on the idempotent producer's sender. Panics if an invariant is broken.
pub fn sender(data: &[u8], start: Instant) {
    crate::producer::sender::operations::run(data, start);
}
