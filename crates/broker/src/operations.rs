//! Operations on the state machines, from bytes: what the fuzz targets run.

/// Runs any requests for one transactional id. Panics if an invariant is broken.
pub fn coordinator(data: &[u8]) {
    crate::txn_coordinator::operations::run(data);
}

/// Runs any requests for one group, of both protocols. Panics if an invariant is broken.
pub fn groups(data: &[u8]) {
    crate::group_coordinator::operations::run(data);
}

/// Runs any operations on one log. Panics if it differs from its model.
pub fn log(data: &[u8]) {
    crate::log::operations::run(data);
}

/// Runs any fetches with sessions. Panics if a client does not know what there is.
pub fn fetch_sessions(data: &[u8]) {
    crate::fetch_sessions::operations::run(data);
}
