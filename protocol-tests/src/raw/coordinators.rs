//! Coordinators by bare requests, and answers that only say to come again.

use super::{RawConnection, checked, connect_to_any, text};
use crate::Failure;
use kafka_protocol::messages::FindCoordinatorRequest;
use milena_codec::ErrorCode;
use std::time::{Duration, Instant};

const FIND_COORDINATOR: i16 = 4;

/// How long a transaction's markers, or a coordinator, may take.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);
const SETTLE_PAUSE: Duration = Duration::from_millis(5);

/// What a coordinator is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Coordinator {
    /// A group, by group id.
    Group,
    /// A transaction, by transactional id.
    Transaction,
}

/// The coordinator of a key, which a broker may have to set up first: its id, and a connection to it.
///
/// # Errors
///
/// [`Failure::Late`], [`Failure::Answer`]; those of [`RawConnection::call`].
pub fn find_coordinator(
    brokers: &[String],
    kind: Coordinator,
    key: &str,
) -> Result<(i32, RawConnection), Failure> {
    let request = FindCoordinatorRequest::default()
        .with_key_type(match kind {
            Coordinator::Group => 0,
            Coordinator::Transaction => 1,
        })
        .with_coordinator_keys(vec![text(key)]);
    settled("FindCoordinator", || {
        let answer = connect_to_any(brokers)?.call(FIND_COORDINATOR, &request)?;
        let found = answer.coordinators.into_iter().next().unwrap_or_default();
        checked("FindCoordinator", found.error_code)?;
        let connection = RawConnection::connect(&format!("{}:{}", &*found.host, found.port))?;
        Ok((found.node_id.0, connection))
    })
}

/// Asks again while the answer is only that it is too early to tell.
pub(crate) fn settled<T>(
    what: &str,
    mut ask: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        match ask() {
            Err(Failure::Answer { code, .. }) if is_early(code) => {
                if Instant::now() > deadline {
                    return Err(Failure::Late {
                        what: format!("a settled answer to {what}"),
                        limit: SETTLE_LIMIT,
                        context: code.to_string(),
                    });
                }
                std::thread::sleep(SETTLE_PAUSE);
            }
            answer => return answer,
        }
    }
}

fn is_early(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator
            | ErrorCode::UnstableOffsetCommit
    )
}
