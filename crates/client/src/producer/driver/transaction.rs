//! What the driver does for the transaction machine.

use std::time::Instant;

use super::super::sender::failure::Failure;
use super::{Driver, DriverEvent};
use crate::error::Error;
use crate::transaction::SenderStatus;
use crate::transaction::session::{self, Effect};

impl Driver {
    /// Sends what the transaction machine asks.
    pub(super) fn coordinate(&mut self, now: Instant) -> Option<Instant> {
        let sender = SenderStatus {
            undrained_batches: self.shared.undrained(),
            unresolved_batches: self.sender.unresolved_batches(),
        };
        let transacting = self.transacting.as_mut()?;
        let (calls, wait_until) = transacting.poll(now, sender);
        for call in calls {
            let answered = session::perform(transacting, &self.cluster, call);
            self.events.push(Box::pin(
                async move { DriverEvent::Coordinated(answered.await) },
            ));
        }
        wait_until
    }

    /// Waits out the pause before a transaction's first batch (L-23). It lasts some 300 µs, and the runtime's timers
    /// tick in milliseconds: a thread that sleeps is five times as close. Should there be none to be had, the timer
    /// is set all the same.
    pub(super) fn sit_out_pause(&mut self, now: Instant) {
        let transacting = self.transacting.as_ref();
        let until = transacting.and_then(|transacting| transacting.pause_until(now));
        let Some(until) = until.filter(|_| self.shared.undrained() > 0) else {
            return;
        };
        if self.pausing_until.replace(until) == Some(until) {
            return;
        }
        let pause = until.saturating_duration_since(now);
        let over = self.cluster.pause(pause);
        self.events.push(Box::pin(async move {
            over.await;
            DriverEvent::PauseOver
        }));
    }

    /// Does what the transaction machine wants of the sender. True if there was anything.
    pub(super) fn carry_out_effects(&mut self, now: Instant) -> bool {
        let Some(transacting) = &mut self.transacting else {
            return false;
        };
        transacting.show(&self.shared);
        let effects = transacting.effects(&self.shared);
        let any = !effects.is_empty();
        for effect in effects {
            match effect {
                Effect::Identity(identity) => self.sender.set_identity(identity),
                Effect::Flush => drop(self.shared.seal_all()),
                Effect::FailUndrained(error) => self.fail_queued(&error),
                Effect::End(error) => {
                    self.end(&error);
                    self.complete_batches(now);
                }
            }
        }
        any
    }

    pub(super) fn fail_transaction(&mut self, error: &Error, failure: &Failure) {
        if let Some(transacting) = &mut self.transacting {
            transacting.batch_failed(error.clone(), failure);
            transacting.show(&self.shared);
        }
    }
}
