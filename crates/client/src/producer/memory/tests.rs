//! When freed room is given back.

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
