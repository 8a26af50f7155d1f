//! The drivers' clock: tokio's, so that a paused runtime drives everything of a client.

use std::time::{Duration, Instant};

/// What a wait that no clock can count is cut to: thirty years.
const FOR_EVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// What time it is by tokio's clock, which a paused runtime stops.
#[must_use]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// `wait` after `from`; a wait that no clock can count ends in thirty years.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use milena_connection::clock;
///
/// let from = Instant::now();
/// assert_eq!(clock::after(from, Duration::from_secs(1)), from + Duration::from_secs(1));
/// assert!(clock::after(from, Duration::MAX) > from);
/// ```
#[must_use]
pub fn after(from: Instant, wait: Duration) -> Instant {
    from.checked_add(wait.min(FOR_EVER)).unwrap_or(from)
}

/// Sleeps until `at`; for ever without one.
pub(crate) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
