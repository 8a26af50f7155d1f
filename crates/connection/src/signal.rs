//! A value that tasks wait for.

use crate::lock;
use std::sync::Mutex;
use tokio::sync::Notify;

/// A value that tasks wait for, woken in the order in which they began to wait.
///
/// Tokio's `watch` wakes its receivers in an order that no seed decides, so a run with it could not be
/// repeated.
#[derive(Debug, Default)]
pub(crate) struct Signal<T> {
    value: Mutex<T>,
    changed: Notify,
}

impl<T> Signal<T> {
    /// Changes the value and wakes everybody.
    pub(crate) fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut lock(&self.value));
        self.changed.notify_waiters();
    }

    /// Looks at the value.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&lock(&self.value))
    }

    /// Waits until `wanted` finds something in the value.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn wait_for<R>(&self, wanted: impl Fn(&T) -> Option<R>) -> R {
        loop {
            // Before the look, so that no change falls between.
            let changed = self.changed.notified();
            if let Some(result) = wanted(&lock(&self.value)) {
                return result;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn those_who_wait_are_woken_in_the_order_of_their_waiting() {
        let signal = Arc::new(Signal::<bool>::default());
        let (woken, mut order) = mpsc::unbounded_channel();
        for waiter in 0..20 {
            let (signal, woken) = (Arc::clone(&signal), woken.clone());
            tokio::spawn(async move {
                signal.wait_for(|set| set.then_some(())).await;
                woken.send(waiter).unwrap();
            });
        }
        drop(woken);
        tokio::task::yield_now().await;
        signal.change(|set| *set = true);
        let mut seen = Vec::new();
        while let Some(waiter) = order.recv().await {
            seen.push(waiter);
        }
        assert_eq!(seen, (0..20).collect::<Vec<_>>());
    }
}
