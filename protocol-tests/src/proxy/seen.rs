//! What a proxy has seen, and what all its connections share.

use super::link;
use super::rule::{Fault, Script};
use crate::Failure;
use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many requests are recorded at most.
const RECORDED: usize = 100_000;

/// What has happened on all connections of a proxy so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub(super) connections: u64,
    pub(super) requests: BTreeMap<i16, u64>,
    pub(super) answers: BTreeMap<i16, u64>,
    pub(super) faults: BTreeMap<Fault, u64>,
    pub(super) replay_answers: u64,
}

impl Seen {
    /// Connections made by clients.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Requests of this kind that clients sent.
    #[must_use]
    pub fn requests(&self, api_key: ApiKey) -> u64 {
        count(&self.requests, api_key as i16)
    }

    /// Answers to requests of this kind that clients were given whole.
    #[must_use]
    pub fn answers(&self, api_key: ApiKey) -> u64 {
        count(&self.answers, api_key as i16)
    }

    /// How often this fault was done. A fault that befalls the answer counts when the answer is there.
    #[must_use]
    pub fn faults(&self, fault: Fault) -> u64 {
        self.faults.get(&fault).copied().unwrap_or(0)
    }

    /// How often each kind of fault was done, by [`Fault::name`].
    #[must_use]
    pub fn faults_by_name(&self) -> BTreeMap<&'static str, u64> {
        let mut named = BTreeMap::new();
        for (fault, times) in &self.faults {
            *named.entry(fault.name()).or_default() += times;
        }
        named
    }

    /// How many replayed and late requests the broker answered.
    #[must_use]
    pub fn replay_answers(&self) -> u64 {
        self.replay_answers
    }
}

fn count(counts: &BTreeMap<i16, u64>, api_key: i16) -> u64 {
    counts.get(&api_key).copied().unwrap_or(0)
}

/// A request as a client sent it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Which broker it was for.
    pub broker: i32,
    /// Which connection it came on, counted from 1.
    pub connection: u64,
    /// Its kind.
    pub api_key: i16,
    /// Its version.
    pub api_version: i16,
    /// Its correlation id.
    pub correlation_id: i32,
    /// Header and body, without the length prefix.
    pub frame: Bytes,
}

/// A request that was kept back.
#[derive(Debug)]
pub struct Held {
    pub(super) request: Recorded,
    pub(super) broker: SocketAddr,
}

impl Held {
    /// The request.
    #[must_use]
    pub fn request(&self) -> &Recorded {
        &self.request
    }

    /// Lets it reach the broker now, on a connection of its own, and gives the broker's answer without
    /// the length prefix: correlation id first.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`] if the broker cannot be reached or does not answer within 30 s.
    pub fn release(self) -> Result<Bytes, Failure> {
        link::ask(self.broker, &self.request.frame).map_err(Failure::io("asking the broker"))
    }
}

/// What passes through all connections.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) paused: bool,
    pub(super) turning_away: bool,
    pub(super) bytes_per_second: Option<u32>,
}

/// What all connections of a proxy share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    script: Script,
    seen: Seen,
    recorded: Vec<Recorded>,
    held: VecDeque<Held>,
    gate: Gate,
    closed: bool,
    /// Both ends of every open connection, by its number.
    open: HashMap<u64, [TcpStream; 2]>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and tells whoever waits for changes.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.notify_all();
        result
    }

    /// Waits until `ready` gives something, or the time is up.
    fn wait<T>(
        &self,
        deadline: Instant,
        mut ready: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.state();
        loop {
            if let Some(result) = ready(&mut state) {
                return Some(result);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    pub(super) fn with_script(&self, change: impl FnOnce(&mut Script)) {
        self.change(|state| change(&mut state.script));
    }

    pub(super) fn with_gate(&self, change: impl FnOnce(&mut Gate)) {
        self.change(|state| change(&mut state.gate));
    }

    pub(super) fn with_seen(&self, change: impl FnOnce(&mut Seen)) {
        self.change(|state| change(&mut state.seen));
    }

    pub(super) fn seen(&self) -> Seen {
        self.state().seen.clone()
    }

    pub(super) fn recorded(&self) -> Vec<Recorded> {
        self.state().recorded.clone()
    }

    pub(super) fn wait_for(
        &self,
        limit: Duration,
        done: impl Fn(&Seen) -> bool,
    ) -> Result<(), Failure> {
        self.wait(Instant::now() + limit, |state| {
            done(&state.seen).then_some(())
        })
        .ok_or_else(|| self.late("what the test awaits of the network", limit))
    }

    pub(super) fn held(&self, limit: Duration) -> Result<Held, Failure> {
        self.wait(Instant::now() + limit, |state| state.held.pop_front())
            .ok_or_else(|| self.late("a request to hold", limit))
    }

    fn late(&self, what: &str, limit: Duration) -> Failure {
        Failure::Late {
            what: what.to_owned(),
            limit,
            context: format!("so far the proxy has seen {:?}", self.seen()),
        }
    }

    /// Counts a request and says what is to happen to it.
    pub(super) fn judge(&self, request: &Recorded) -> Option<Fault> {
        self.change(|state| {
            *state.seen.requests.entry(request.api_key).or_default() += 1;
            if state.script.records(request.api_key) && state.recorded.len() < RECORDED {
                state.recorded.push(request.clone());
            }
            state.script.judge(request.api_key, request.broker)
        })
    }

    pub(super) fn count_fault(&self, fault: Fault) {
        self.with_seen(|seen| *seen.faults.entry(fault).or_default() += 1);
    }

    pub(super) fn count_answer(&self, api_key: i16) {
        self.with_seen(|seen| *seen.answers.entry(api_key).or_default() += 1);
    }

    pub(super) fn hold(&self, held: Held) {
        self.change(|state| state.held.push_back(held));
    }

    /// Waits out a delay, or less if everything ends before.
    pub(super) fn delay(&self, delay: Duration) {
        self.wait(Instant::now() + delay, |state| state.closed.then_some(()));
    }

    /// Waits until `bytes` bytes may pass.
    pub(super) fn pass(&self, bytes: usize) {
        // A day is for ever here: a paused proxy is closed by its test long before.
        let deadline = Instant::now() + Duration::from_secs(86_400);
        let rate = self.wait(deadline, |state| {
            (!state.gate.paused || state.closed).then_some(state.gate.bytes_per_second)
        });
        if let Some(Some(rate)) = rate {
            let share = u32::try_from(bytes).unwrap_or(u32::MAX);
            self.delay(Duration::from_secs(1) * share / rate.max(1));
        }
    }

    pub(super) fn is_turning_away(&self) -> bool {
        self.state().gate.turning_away
    }

    /// Registers a connection; none if the proxy is closed.
    pub(super) fn opened(&self, ends: [TcpStream; 2]) -> Option<u64> {
        self.change(|state| {
            if state.closed {
                return None;
            }
            state.seen.connections += 1;
            let number = state.seen.connections;
            state.open.insert(number, ends);
            Some(number)
        })
    }

    /// Cuts a connection and forgets it.
    pub(super) fn cut(&self, connection: u64) {
        let ends = self.state().open.remove(&connection);
        shut_down(ends.iter().flatten());
    }

    pub(super) fn cut_all(&self) {
        let ends: Vec<_> = self.state().open.drain().collect();
        shut_down(ends.iter().flat_map(|(_, ends)| ends));
    }

    pub(super) fn close(&self) {
        self.change(|state| state.closed = true);
        self.cut_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }
}

fn shut_down<'a>(ends: impl Iterator<Item = &'a TcpStream>) {
    for end in ends {
        // It may be gone already.
        let _ = end.shutdown(Shutdown::Both);
    }
}
