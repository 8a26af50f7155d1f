//! Fetching: whom to ask for what, from where, and what the answers mean. All of it is pure.

pub(crate) mod answer;
pub(crate) mod backoff;
pub(crate) mod batches;
pub(crate) mod deliver;
pub(crate) mod errors;
pub(crate) mod fault;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod lookup;
pub(crate) mod machine;
#[cfg(any(test, feature = "_fuzzing"))]
pub(crate) mod operations;
pub(crate) mod partition;
pub(crate) mod session;
#[cfg(test)]
mod tests;
pub(crate) mod wire;
