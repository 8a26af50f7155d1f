//! Room in memory on its way back to callers that wait for it. Pure.
//!
//! When the buffer is full, each answer frees a few batches, and a caller that is woken for each of them spends
//! more on waking than on writing. So while somebody waits, room is held until a useful amount is together: a
//! sixteenth of all, or what came within [`HELD_MAX`]. While nobody waits nothing is held. Who gets it is not
//! decided here: waiting callers are served in the order of their calls.

use std::time::{Duration, Instant};

/// The longest that room is held back from a caller that waits for it.
const HELD_MAX: Duration = Duration::from_millis(2);
/// The part of all the memory that is worth a wake-up.
const STEPS: usize = 16;

/// Room that is free, and not given back yet.
#[derive(Debug)]
pub(crate) struct Returns<R> {
    held: Vec<R>,
    bytes: usize,
    /// When the oldest of it came.
    since: Option<Instant>,
    step: usize,
}

impl<R> Returns<R> {
    /// For a memory of so many bytes.
    pub(crate) fn new(buffer_memory: usize) -> Self {
        Self {
            held: Vec::new(),
            bytes: 0,
            since: None,
            step: buffer_memory / STEPS,
        }
    }

    /// Takes `room` of so many bytes, which its drop gives back.
    pub(crate) fn put(&mut self, now: Instant, room: R, bytes: usize) {
        self.since.get_or_insert(now);
        self.bytes = self.bytes.saturating_add(bytes);
        self.held.push(room);
        if self.bytes >= self.step {
            self.release();
        }
    }

    /// Gives back what need not be held; the moment by which it has to be called again.
    pub(crate) fn poll(&mut self, now: Instant, somebody_waits: bool) -> Option<Instant> {
        let due = self.since? + HELD_MAX;
        if somebody_waits && due > now {
            return Some(due);
        }
        self.release();
        None
    }

    fn release(&mut self) {
        self.held.clear();
        self.bytes = 0;
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    struct Bench {
        returns: Returns<Arc<()>>,
        room: Arc<()>,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                returns: Returns::new(16_000),
                room: Arc::new(()),
                now: Instant::now(),
            }
        }

        fn put(&mut self, bytes: usize) {
            let room = Arc::clone(&self.room);
            self.returns.put(self.now, room, bytes);
        }

        fn held(&self) -> usize {
            Arc::strong_count(&self.room) - 1
        }
    }

    #[test]
    fn room_that_nobody_waits_for_is_free_at_once() {
        let mut bench = Bench::new();
        bench.put(10);
        assert_eq!(bench.returns.poll(bench.now, false), None);
        assert_eq!(bench.held(), 0);
    }

    #[test]
    fn a_caller_that_waits_gets_a_sixteenth_of_the_memory_at_once() {
        let mut bench = Bench::new();
        bench.put(400);
        bench.put(400);
        assert!(bench.returns.poll(bench.now, true).is_some());
        assert_eq!(bench.held(), 2);
        bench.put(400);
        assert_eq!(bench.held(), 0);
        assert_eq!(bench.returns.poll(bench.now, true), None);
    }

    #[test]
    fn a_caller_that_waits_gets_what_there_is_after_two_milliseconds() {
        let mut bench = Bench::new();
        bench.put(1);
        let due = bench.returns.poll(bench.now, true).unwrap();
        assert_eq!(due, bench.now + Duration::from_millis(2));
        bench.now += Duration::from_millis(1);
        bench.put(1);
        assert_eq!(bench.returns.poll(bench.now, true), Some(due));
        assert_eq!(bench.returns.poll(due, true), None);
        assert_eq!(bench.held(), 0);
    }
}
