//! Waiting for other members of a group.

use super::Context;
use crate::group_coordinator::{GroupCoordinator, Ticket};
use crate::shared::{Change, Shared};
use std::sync::Arc;
use std::time::Duration;

/// Longer than any rebalance may take: nobody waits for ever.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Waits until a ticket is answered.
pub(super) async fn wait<T>(
    context: &Context,
    ticket: Ticket,
    take: impl Fn(&mut GroupCoordinator) -> Option<T>,
) -> Option<T> {
    let held = Held {
        shared: Arc::clone(&context.shared),
        ticket,
    };
    let deadline = held.shared.clock.now() + PATIENCE;
    held.shared
        .wait_until(Change::Groups, deadline, || {
            held.shared.with(|cluster, _| take(&mut cluster.groups))
        })
        .await
}

/// Gives the ticket back when its holder goes away, with or without an answer.
struct Held {
    shared: Arc<Shared>,
    ticket: Ticket,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared
            .with(|cluster, _| cluster.groups.forget(self.ticket));
    }
}
