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

#[test]
fn a_new_buffer_is_as_small_as_one_record_needs() {
    let memory = Memory::new(1024 * 1024, 64 * 1024);
    assert_eq!(memory.buffer().capacity(), BUFFER_BYTES_FIRST);
    let small = Memory::new(1024, 512);
    assert_eq!(small.buffer().capacity(), 512);
}

#[test]
fn spare_buffers_are_bounded_by_their_bytes_whatever_their_number() {
    const BATCH: usize = 64 * 1024;
    let memory = Memory::new(16 * BATCH, BATCH);
    for bytes in [BATCH, 1024, BATCH, 2 * BATCH + 1] {
        memory.recycle(Vec::with_capacity(bytes));
    }
    // An eighth of the memory: one large and one small buffer fit, a second large one does not.
    let spare: Vec<_> = (0..3).map(|_| memory.buffer().capacity()).collect();
    assert_eq!(spare, [1024, BATCH, BUFFER_BYTES_FIRST]);
}
