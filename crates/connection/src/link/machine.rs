//! The order of requests and answers on one connection, without any IO.
//!
//! ```text
//!  submit ──> unwritten ──on_written──> awaiting ──on_answer──> Answered
//!                │  └─ no answer wanted (acks=0) ──> Written         one token,
//!                │                        │                          one outcome
//!                └────── close, on_time ──┴──> NotSent | Ambiguous
//! ```
//! Kafka answers in the order of the requests, so both are queues and the correlation id is only a
//! check. A connection with an unanswered request past its deadline, or with an answer out of order,
//! is finished: what was handed to the transport is ambiguous from then on (P-43), what was not never
//! happened.
//!
//! Invariants: every token that `submit` takes comes back exactly once; never more than
//! `in_flight_max` tokens are inside; after `close` nothing is inside and nothing gets in.

use std::collections::VecDeque;
use std::time::Instant;

/// A request as the order of a connection sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Which API is asked.
    pub api_key: i16,
    /// In which version.
    pub api_version: i16,
    /// Bytes of the whole frame, length bytes included.
    pub frame_bytes: usize,
    /// Until when the answer must have come.
    pub deadline: Instant,
    /// Whether there will be an answer. Only Produce with acks=0 has none (P-3).
    pub expects_answer: bool,
}

/// What became of a request that has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was handed to the transport at least in part, and its answer will never be known.
    Ambiguous {
        /// Whether it is the one whose time passed, or only shared the connection.
        timed_out: bool,
    },
    /// None of its bytes was handed to the transport.
    NotSent {
        /// Whether it is the one whose time passed, or only shared the connection.
        timed_out: bool,
    },
    /// All its bytes were handed to the transport, and it expects no answer.
    Written,
}

/// A request that has its answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answered<T> {
    /// The caller's token.
    pub token: T,
    /// Which API was asked.
    pub api_key: i16,
    /// In which version.
    pub api_version: i16,
}

/// An answer came that is not the answer to the oldest request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The correlation id of the oldest request, if there is one.
    pub due: Option<i32>,
}

#[derive(Debug)]
struct Request<T> {
    submission: Submission,
    correlation_id: i32,
    token: T,
}

/// The requests of one connection. `T` is whatever finds the caller again.
#[derive(Debug)]
pub struct Link<T> {
    /// Accepted, not wholly written yet; only the first may have been written in part.
    unwritten: VecDeque<Request<T>>,
    /// Bytes of the first unwritten request that the transport took.
    first_written: usize,
    /// Wholly written, waiting for the answer.
    awaiting: VecDeque<Request<T>>,
    outcomes: VecDeque<(T, Fate)>,
    next_correlation_id: i32,
    in_flight_max: usize,
    /// No deadline is earlier than this. It is not raised when a request leaves, so that neither the
    /// search for the next deadline nor the timer's reset is on the way of every answer.
    deadline_floor: Option<Instant>,
    closed: bool,
}

impl<T> Link<T> {
    /// An open link that holds at most `in_flight_max` requests.
    #[must_use]
    pub fn new(in_flight_max: usize) -> Self {
        Self {
            unwritten: VecDeque::new(),
            first_written: 0,
            awaiting: VecDeque::new(),
            outcomes: VecDeque::new(),
            next_correlation_id: 0,
            in_flight_max,
            deadline_floor: None,
            closed: false,
        }
    }

    /// The correlation id that the next request will have.
    #[must_use]
    pub fn next_correlation_id(&self) -> i32 {
        self.next_correlation_id
    }

    /// Accepts a request; its bytes must be written behind those of all requests before it.
    ///
    /// # Errors
    /// The token comes back if the link is closed or full.
    pub fn submit(&mut self, submission: Submission, token: T) -> Result<(), T> {
        if self.closed || self.in_flight() >= self.in_flight_max {
            return Err(token);
        }
        let correlation_id = self.next_correlation_id;
        // Negative ids are legal, but some brokers log them as errors.
        self.next_correlation_id = correlation_id.checked_add(1).unwrap_or(0);
        let floor = self.deadline_floor.unwrap_or(submission.deadline);
        self.deadline_floor = Some(floor.min(submission.deadline));
        self.unwritten.push_back(Request {
            submission,
            correlation_id,
            token,
        });
        Ok(())
    }

    /// The transport took `bytes` more bytes.
    pub fn on_written(&mut self, bytes: usize) {
        self.first_written = self.first_written.saturating_add(bytes);
        while let Some(first) = self.unwritten.front() {
            let Some(rest) = self.first_written.checked_sub(first.submission.frame_bytes) else {
                return;
            };
            self.first_written = rest;
            if let Some(request) = self.unwritten.pop_front() {
                if request.submission.expects_answer {
                    self.awaiting.push_back(request);
                } else {
                    self.outcomes.push_back((request.token, Fate::Written));
                }
            }
        }
    }

    /// An answer arrived.
    ///
    /// # Errors
    /// [`Mismatch`] if it is not the answer to the oldest written request. The connection can not be
    /// used any further; close it.
    pub fn on_answer(&mut self, correlation_id: i32) -> Result<Answered<T>, Mismatch> {
        match self.awaiting.pop_front() {
            Some(request) if request.correlation_id == correlation_id => Ok(Answered {
                token: request.token,
                api_key: request.submission.api_key,
                api_version: request.submission.api_version,
            }),
            Some(request) => {
                let due = Some(request.correlation_id);
                self.awaiting.push_front(request);
                Err(Mismatch { due })
            }
            None => Err(Mismatch { due: None }),
        }
    }

    /// When to call [`Link::on_time`] next. May be too early, is never too late.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline_floor
    }

    /// Looks for requests whose time has passed. If there is one, the link closes, and the API key of
    /// the oldest such request is returned.
    pub fn on_time(&mut self, now: Instant) -> Option<i16> {
        let mut requests = self.awaiting.iter().chain(&self.unwritten);
        let expired = requests.find(|request| request.submission.deadline <= now);
        if let Some(expired) = expired.map(|request| request.submission.api_key) {
            self.close(Some(now));
            return Some(expired);
        }
        let deadlines = self.awaiting.iter().chain(&self.unwritten);
        self.deadline_floor = deadlines.map(|request| request.submission.deadline).min();
        None
    }

    /// A write failed to which the first `offered` bytes of the queue were given. A transport that
    /// encrypts may have sent some of them, so none of the requests in them counts as not sent.
    pub fn on_write_failed(&mut self, offered: usize) {
        let mut reach = self.first_written.saturating_add(offered);
        while reach > 0
            && let Some(request) = self.unwritten.pop_front()
        {
            reach = reach.saturating_sub(request.submission.frame_bytes);
            self.first_written = 0;
            self.awaiting.push_back(request);
        }
    }

    /// Ends the link: every request inside gets its outcome. `now` tells which of them were late.
    pub fn close(&mut self, now: Option<Instant>) {
        self.closed = true;
        let late = |submission: &Submission| now.is_some_and(|now| submission.deadline <= now);
        for request in self.awaiting.drain(..) {
            let fate = Fate::Ambiguous {
                timed_out: late(&request.submission),
            };
            self.outcomes.push_back((request.token, fate));
        }
        let mut begun = self.first_written > 0;
        for request in self.unwritten.drain(..) {
            let timed_out = late(&request.submission);
            let fate = if begun {
                Fate::Ambiguous { timed_out }
            } else {
                Fate::NotSent { timed_out }
            };
            begun = false;
            self.outcomes.push_back((request.token, fate));
        }
        self.first_written = 0;
        self.deadline_floor = None;
    }

    /// The next request that is finished without an answer.
    pub fn poll_outcome(&mut self) -> Option<(T, Fate)> {
        self.outcomes.pop_front()
    }

    /// Requests inside: accepted, and neither answered nor written off.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.unwritten.len() + self.awaiting.len()
    }

    /// Whether the link was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The tokens of the requests inside, oldest first.
    pub fn tokens_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.awaiting
            .iter_mut()
            .chain(&mut self.unwritten)
            .map(|request| &mut request.token)
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod table;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);
    const FRAME_BYTES: usize = 10;

    fn request(deadline: Instant) -> Submission {
        Submission {
            api_key: 3,
            api_version: 12,
            frame_bytes: FRAME_BYTES,
            deadline,
            expects_answer: true,
        }
    }

    fn without_answer(deadline: Instant) -> Submission {
        Submission {
            api_key: 0,
            expects_answer: false,
            ..request(deadline)
        }
    }

    fn outcomes(link: &mut Link<u32>) -> Vec<(u32, Fate)> {
        std::iter::from_fn(|| link.poll_outcome()).collect()
    }

    fn ambiguous(timed_out: bool) -> Fate {
        Fate::Ambiguous { timed_out }
    }

    #[test]
    fn answers_meet_requests_in_order() {
        let now = Instant::now();
        let mut link = Link::new(5);
        for token in 0..3 {
            link.submit(request(now + SECOND), token).unwrap();
        }
        link.on_written(3 * FRAME_BYTES);
        for token in 0..3_u32 {
            let answered = link.on_answer(token.cast_signed()).unwrap();
            assert_eq!(
                answered,
                Answered {
                    token,
                    api_key: 3,
                    api_version: 12
                }
            );
        }
        assert_eq!(link.in_flight(), 0);
    }

    #[test]
    fn an_answer_out_of_order_is_refused_and_the_request_stays_ambiguous() {
        let now = Instant::now();
        let mut link = Link::new(5);
        link.submit(request(now + SECOND), 7).unwrap();
        link.submit(request(now + SECOND), 8).unwrap();
        link.on_written(2 * FRAME_BYTES);
        assert_eq!(link.on_answer(1), Err(Mismatch { due: Some(0) }));
        link.close(None);
        assert_eq!(
            outcomes(&mut link),
            [(7, ambiguous(false)), (8, ambiguous(false))]
        );
    }

    #[test]
    fn an_answer_to_a_request_that_was_not_wholly_written_is_refused() {
        let mut link = Link::new(5);
        link.submit(request(Instant::now() + SECOND), 7).unwrap();
        link.on_written(FRAME_BYTES - 1);
        assert_eq!(link.on_answer(0), Err(Mismatch { due: None }));
    }

    #[test]
    fn only_what_was_handed_to_the_transport_is_ambiguous() {
        let now = Instant::now();
        let mut link = Link::new(5);
        for token in 0..3 {
            link.submit(request(now + SECOND), token).unwrap();
        }
        link.on_written(FRAME_BYTES + 1);
        link.close(None);
        let not_sent = Fate::NotSent { timed_out: false };
        assert_eq!(
            outcomes(&mut link),
            [(0, ambiguous(false)), (1, ambiguous(false)), (2, not_sent)]
        );
    }

    #[test]
    fn what_a_failed_write_was_given_is_ambiguous() {
        let now = Instant::now();
        for (offered, sent) in [(0, 0), (1, 1), (FRAME_BYTES, 1), (FRAME_BYTES + 1, 2)] {
            let mut link = Link::new(5);
            for token in 0..3 {
                link.submit(request(now + SECOND), token).unwrap();
            }
            link.on_write_failed(offered);
            link.close(None);
            let fates: Vec<_> = outcomes(&mut link)
                .into_iter()
                .map(|(_, fate)| fate)
                .collect();
            let expected: Vec<_> = (0..3)
                .map(|n| {
                    if n < sent {
                        ambiguous(false)
                    } else {
                        Fate::NotSent { timed_out: false }
                    }
                })
                .collect();
            assert_eq!(fates, expected, "{offered} bytes offered");
        }
    }

    #[test]
    fn a_request_without_an_answer_is_done_when_its_last_byte_is_written() {
        let now = Instant::now();
        let mut link = Link::new(5);
        link.submit(request(now + SECOND), 1).unwrap();
        link.submit(without_answer(now + SECOND), 2).unwrap();
        link.on_written(2 * FRAME_BYTES - 1);
        assert_eq!(outcomes(&mut link), []);
        link.on_written(1);
        assert_eq!(outcomes(&mut link), [(2, Fate::Written)]);
        assert_eq!(link.on_answer(0).unwrap().token, 1);
    }

    #[test]
    fn a_late_request_takes_the_connection_with_it() {
        let now = Instant::now();
        let mut link = Link::new(5);
        link.submit(request(now + 3 * SECOND), 1).unwrap();
        link.submit(request(now + SECOND), 2).unwrap();
        link.submit(request(now + 2 * SECOND), 3).unwrap();
        link.on_written(2 * FRAME_BYTES);
        assert_eq!(link.deadline(), Some(now + SECOND));
        assert_eq!(link.on_time(now + SECOND / 2), None);
        assert_eq!(link.on_time(now + SECOND), Some(3));
        assert_eq!(
            outcomes(&mut link),
            [
                (1, ambiguous(false)),
                (2, ambiguous(true)),
                (3, Fate::NotSent { timed_out: false })
            ]
        );
        assert_eq!(link.submit(request(now + SECOND), 4), Err(4));
    }

    #[test]
    fn the_deadline_may_be_early_and_is_corrected_when_it_comes() {
        let now = Instant::now();
        let mut link = Link::new(5);
        link.submit(request(now + SECOND), 1).unwrap();
        link.submit(request(now + 2 * SECOND), 2).unwrap();
        link.on_written(2 * FRAME_BYTES);
        link.on_answer(0).unwrap();
        assert_eq!(
            link.deadline(),
            Some(now + SECOND),
            "too early, not too late"
        );
        assert_eq!(link.on_time(now + SECOND), None);
        assert_eq!(link.deadline(), Some(now + 2 * SECOND));
        link.on_answer(1).unwrap();
        assert_eq!(link.on_time(now + 2 * SECOND), None);
        assert_eq!(link.deadline(), None);
    }

    #[test]
    fn a_full_link_gives_the_request_back() {
        let deadline = Instant::now() + SECOND;
        let mut link = Link::new(2);
        link.submit(request(deadline), 1).unwrap();
        link.submit(request(deadline), 2).unwrap();
        assert_eq!(link.submit(request(deadline), 3), Err(3));
        link.on_written(FRAME_BYTES);
        link.on_answer(0).unwrap();
        link.submit(request(deadline), 3).unwrap();
    }

    #[test]
    fn correlation_ids_go_from_the_largest_back_to_zero() {
        let deadline = Instant::now() + SECOND;
        let mut link = Link::new(2);
        link.next_correlation_id = i32::MAX;
        link.submit(request(deadline), 1).unwrap();
        link.submit(request(deadline), 2).unwrap();
        link.on_written(2 * FRAME_BYTES);
        assert_eq!(link.on_answer(i32::MAX).unwrap().token, 1);
        assert_eq!(link.on_answer(0).unwrap().token, 2);
    }

    #[derive(Clone, Debug)]
    enum Operation {
        Submit {
            expects_answer: bool,
            frame_bytes: usize,
            timeout: u64,
        },
        Write(usize),
        FailWrite(usize),
        Answer,
        AnswerWrongly,
        Wait(u64),
        Close,
    }

    fn operations() -> impl Strategy<Value = Vec<Operation>> {
        let operation = prop_oneof![
            8 => (any::<bool>(), 1_usize..40, 1_u64..50).prop_map(
                |(expects_answer, frame_bytes, timeout)| Operation::Submit {
                    expects_answer,
                    frame_bytes,
                    timeout
                }
            ),
            8 => (1_usize..80).prop_map(Operation::Write),
            6 => Just(Operation::Answer),
            3 => (0_u64..10).prop_map(Operation::Wait),
            1 => (0_usize..80).prop_map(Operation::FailWrite),
            1 => Just(Operation::AnswerWrongly),
            1 => Just(Operation::Close),
        ];
        prop::collection::vec(operation, 0..120)
    }

    /// What must be true of each request, kept beside the link and by simpler means.
    struct Sent {
        deadline: Instant,
        end: usize,
        start: usize,
        expects_answer: bool,
    }

    proptest! {
        #[test]
        fn every_request_has_one_outcome_and_the_right_one(
            operations in operations(),
            in_flight_max in 1_usize..8,
        ) {
            let mut now = Instant::now();
            let mut link = Link::new(in_flight_max);
            let mut open: BTreeMap<u32, Sent> = BTreeMap::new();
            let (mut accepted, mut written, mut reached, mut end) = (0_u32, 0_usize, 0_usize, 0);
            for operation in operations {
                match operation {
                    Operation::Submit { expects_answer, frame_bytes, timeout } => {
                        let deadline = now + Duration::from_millis(timeout);
                        let submission =
                            Submission { expects_answer, frame_bytes, ..request(deadline) };
                        let (closed, full) = (link.is_closed(), open.len() == in_flight_max);
                        let result = link.submit(submission, accepted);
                        prop_assert_eq!(result.is_err(), closed || full);
                        if result.is_ok() {
                            let start = end;
                            end += frame_bytes;
                            open.insert(accepted, Sent { deadline, end, start, expects_answer });
                            accepted += 1;
                        }
                    }
                    Operation::Write(bytes) if !link.is_closed() => {
                        let bytes = bytes.min(end - written);
                        written += bytes;
                        reached = reached.max(written);
                        link.on_written(bytes);
                    }
                    Operation::FailWrite(bytes) if !link.is_closed() => {
                        let bytes = bytes.min(end - written);
                        reached = reached.max(written + bytes);
                        link.on_write_failed(bytes);
                        link.close(None);
                    }
                    Operation::Answer => {
                        let oldest = open.iter().find(|(_, sent)| sent.expects_answer);
                        if let Some((&token, sent)) = oldest
                            && sent.end <= written && !link.is_closed()
                        {
                            prop_assert_eq!(link.on_answer(token.cast_signed()).unwrap().token, token);
                            open.remove(&token);
                        }
                    }
                    Operation::AnswerWrongly => {
                        prop_assert!(link.on_answer(-1).is_err());
                        link.close(None);
                    }
                    Operation::Wait(millis) => {
                        now += Duration::from_millis(millis);
                        if link.deadline().is_some_and(|at| at <= now) {
                            let late = open.values().any(|sent| sent.deadline <= now);
                            prop_assert_eq!(link.on_time(now).is_some(), late);
                        } else {
                            prop_assert!(open.values().all(|sent| sent.deadline > now));
                        }
                    }
                    Operation::Close => link.close(None),
                    Operation::Write(_) | Operation::FailWrite(_) => {}
                }
                while let Some((token, fate)) = link.poll_outcome() {
                    let sent = open.remove(&token).expect("one outcome for each request");
                    match fate {
                        Fate::Written => prop_assert!(!sent.expects_answer && sent.end <= written),
                        Fate::Ambiguous { .. } => prop_assert!(sent.start < reached),
                        Fate::NotSent { .. } => prop_assert!(sent.start >= reached),
                    }
                    if let Fate::Ambiguous { timed_out } | Fate::NotSent { timed_out } = fate {
                        prop_assert!(link.is_closed());
                        prop_assert!(!timed_out || sent.deadline <= now);
                    }
                }
                prop_assert_eq!(link.in_flight(), open.len());
                prop_assert!(open.is_empty() || !link.is_closed());
                prop_assert!(link.in_flight() <= in_flight_max);
            }
        }
    }
}
