//! Operations on the state machines, from bytes: what the fuzz targets run.

/// Runs any requests for one transactional id. Panics if an invariant is broken.
pub fn coordinator(data: &[u8]) {
    crate::txn_coordinator::operations::run(data);
}
