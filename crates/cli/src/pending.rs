//! Requests of one connection that have no answer yet, by correlation id.

use std::collections::VecDeque;

/// What is known of the requests that wait. Bounded: a Produce with `acks` 0 is never answered, and an
/// answer may have been missed.
#[derive(Debug)]
pub(crate) struct Pending<T> {
    /// In the order of the requests, which is the order in which a broker answers.
    waiting: VecDeque<(i32, T)>,
}

/// Requests that wait on one connection at most; then the oldest is forgotten.
const PENDING_MAX: usize = 1_024;

impl<T> Pending<T> {
    pub(crate) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
        }
    }

    /// A request went by. Gives back what has to be forgotten for it.
    pub(crate) fn ask(&mut self, correlation_id: i32, request: T) -> Option<T> {
        let forgotten = if self.waiting.len() >= PENDING_MAX {
            self.waiting.pop_front()
        } else {
            None
        };
        self.waiting.push_back((correlation_id, request));
        forgotten.map(|(_, request)| request)
    }

    /// Whether an answer with this correlation id is due.
    pub(crate) fn is_due(&self, correlation_id: i32) -> bool {
        self.waiting.iter().any(|(id, _)| *id == correlation_id)
    }

    /// An answer went by: the request it belongs to.
    pub(crate) fn answered(&mut self, correlation_id: i32) -> Option<T> {
        let place = self
            .waiting
            .iter()
            .position(|(id, _)| *id == correlation_id)?;
        self.waiting.remove(place).map(|(_, request)| request)
    }

    /// Those that wait still, oldest first.
    pub(crate) fn into_unanswered(self) -> impl Iterator<Item = T> {
        self.waiting.into_iter().map(|(_, request)| request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_finds_its_request_once() {
        let mut pending = Pending::new();
        pending.ask(1, "a");
        pending.ask(2, "b");
        assert!(pending.is_due(2));
        assert_eq!(pending.answered(2), Some("b"));
        assert_eq!(pending.answered(2), None);
        assert!(pending.is_due(1) && !pending.is_due(2));
    }

    #[test]
    fn the_oldest_is_forgotten_when_too_many_wait() {
        let mut pending = Pending::new();
        for id in 0..2_000 {
            let forgotten = pending.ask(id, id);
            assert_eq!(forgotten.is_some(), id >= 1_024, "{id}");
        }
        assert!(!pending.is_due(975) && pending.is_due(976));
    }
}
