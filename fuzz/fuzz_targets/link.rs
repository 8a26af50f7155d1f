//! The order of requests and answers on one connection, under any sequence of operations.
//!
//! Each two bytes are an operation and its argument. A plain list of all requests stands beside the
//! link and says what may have become of each.

#![no_main]

use libfuzzer_sys::fuzz_target;
use milena_connection::link::machine::{Fate, Link, Submission};
use std::time::{Duration, Instant};

const IN_FLIGHT_MAX: usize = 5;

/// A request that the link took.
struct Taken {
    start: usize,
    end: usize,
    deadline: Instant,
    expects_answer: bool,
    resolved: bool,
}

#[derive(Default)]
struct World {
    taken: Vec<Taken>,
    /// Bytes of all requests; bytes written; bytes that a write was at least given.
    queued: usize,
    written: usize,
    reached: usize,
}

impl World {
    fn unresolved(&self) -> impl Iterator<Item = (usize, &Taken)> {
        self.taken
            .iter()
            .enumerate()
            .filter(|(_, taken)| !taken.resolved)
    }

    /// The request whose answer is due, if its bytes are written.
    fn due(&self) -> Option<usize> {
        let (token, first) = self.unresolved().find(|(_, taken)| taken.expects_answer)?;
        (first.end <= self.written).then_some(token)
    }

    fn resolve(&mut self, token: usize) -> &Taken {
        let taken = &mut self.taken[token];
        assert!(!taken.resolved, "two outcomes of one request");
        taken.resolved = true;
        taken
    }
}

fuzz_target!(|data: &[u8]| {
    let mut now = Instant::now();
    let mut link = Link::new(IN_FLIGHT_MAX);
    let mut world = World::default();
    for &[operation, argument] in data.as_chunks().0 {
        apply(&mut link, &mut world, &mut now, operation, argument.into());
        while let Some((token, fate)) = link.poll_outcome() {
            let (written, reached, closed) = (world.written, world.reached, link.is_closed());
            let taken = world.resolve(token);
            match fate {
                Fate::Written => assert!(!taken.expects_answer && taken.end <= written),
                Fate::Ambiguous { timed_out } => {
                    assert!(closed && taken.start < reached);
                    assert!(!timed_out || taken.deadline <= now);
                }
                Fate::NotSent { timed_out } => {
                    assert!(closed && taken.start >= reached);
                    assert!(!timed_out || taken.deadline <= now);
                }
            }
        }
        assert_eq!(link.in_flight(), world.unresolved().count());
        assert!(link.in_flight() <= IN_FLIGHT_MAX);
        assert!(!link.is_closed() || link.in_flight() == 0);
    }
});

fn apply(
    link: &mut Link<usize>,
    world: &mut World,
    now: &mut Instant,
    operation: u8,
    argument: usize,
) {
    let open = !link.is_closed();
    match operation % 8 {
        0 | 1 => submit(link, world, *now, operation % 2 == 0, argument),
        2 | 3 if open => {
            let bytes = argument.min(world.queued - world.written);
            world.written += bytes;
            world.reached = world.reached.max(world.written);
            link.on_written(bytes);
        }
        4 if open => match world.due() {
            Some(token) => {
                let id = i32::try_from(token).expect("a short run");
                assert_eq!(link.on_answer(id).map(|answered| answered.token), Ok(token));
                world.resolve(token);
            }
            None => {
                link.on_answer(0).expect_err("no answer is due");
                link.close(None);
            }
        },
        5 => {
            *now += Duration::from_millis(u64::try_from(argument).expect("a byte"));
            let late = world.unresolved().any(|(_, taken)| taken.deadline <= *now);
            if link.deadline().is_some_and(|at| at <= *now) {
                assert_eq!(link.on_time(*now).is_some(), late);
            } else {
                assert!(!late, "the link did not ask for this time");
            }
        }
        6 if open && argument > 200 => {
            let bytes = (argument - 200).min(world.queued - world.written);
            world.reached = world.reached.max(world.written + bytes);
            link.on_write_failed(bytes);
            link.close(None);
        }
        7 if argument > 200 => link.close(None),
        _ => {}
    }
}

fn submit(
    link: &mut Link<usize>,
    world: &mut World,
    now: Instant,
    expects_answer: bool,
    argument: usize,
) {
    let frame_bytes = argument % 60 + 1;
    let millis = u64::try_from(argument).expect("a byte");
    let deadline = now + Duration::from_millis(millis + 1);
    let token = world.taken.len();
    let submission = Submission {
        api_key: 0,
        api_version: 9,
        frame_bytes,
        deadline,
        expects_answer,
    };
    let refused = link.is_closed() || link.in_flight() == IN_FLIGHT_MAX;
    assert_eq!(link.submit(submission, token).is_err(), refused);
    if !refused {
        let (start, end) = (world.queued, world.queued + frame_bytes);
        world.queued = end;
        world.taken.push(Taken {
            start,
            end,
            deadline,
            expects_answer,
            resolved: false,
        });
    }
}
