//! The drivers' clock: tokio's, so that tests can pause it.

use std::time::{Duration, Instant};

pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Sleeps until `at`; for ever without one.
pub(crate) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// `wait` after `from`; a wait that no clock can count ends in thirty years.
pub(crate) fn after(from: Instant, wait: Duration) -> Instant {
    const FOR_EVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    from.checked_add(wait.min(FOR_EVER)).unwrap_or(from)
}
