//! Runs the coordinator machine: waits for its times, sends its lookups, serves those who wait.

use super::CoordinatorKind;
use super::machine::{CoordinatorMachine, Failed, Found, Output, Query, Settings};
use crate::error::{CallError, CallSite, NotSentCause};
use crate::{clock, lock};
use futures_util::stream::{FuturesUnordered, StreamExt};
use milena_codec::{ApiKey, ErrorCode};
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot, watch};

/// What a lookup says about each of its keys.
pub(crate) type Answers = Vec<(Arc<str>, Result<Found, ErrorCode>)>;
type Key = (CoordinatorKind, Arc<str>);
type Waiters = Vec<oneshot::Sender<Result<i32, CallError>>>;

#[derive(Debug)]
struct State {
    machine: CoordinatorMachine,
    waiters: HashMap<Key, Waiters>,
    /// Why the last lookup of a kind was not answered, until one is.
    trouble: HashMap<CoordinatorKind, CallError>,
    closed: bool,
}

/// The coordinators of one cluster handle.
#[derive(Debug)]
pub(crate) struct CoordinatorShared {
    state: Mutex<State>,
    wake: Notify,
}

impl CoordinatorShared {
    pub(crate) fn new(settings: Settings) -> Self {
        let machine = CoordinatorMachine::new(settings);
        Self {
            state: Mutex::new(State {
                machine,
                waiters: HashMap::new(),
                trouble: HashMap::new(),
                closed: false,
            }),
            wake: Notify::new(),
        }
    }

    pub(crate) fn forget(&self, kind: CoordinatorKind, key: &str, broker_id: Option<i32>) {
        lock(&self.state)
            .machine
            .forget(kind, &key.into(), broker_id);
    }

    /// The coordinator, looked up until `deadline` if it is not known.
    pub(crate) async fn find(
        &self,
        kind: CoordinatorKind,
        key: &str,
        deadline: Instant,
    ) -> Result<i32, CallError> {
        let started = clock::now();
        let key: Arc<str> = key.into();
        let answer = {
            let mut state = lock(&self.state);
            if state.closed {
                return Err(CallError::cluster_closed());
            }
            if let Some(broker_id) = state.machine.want(kind, &key, deadline) {
                return Ok(broker_id);
            }
            let (sender, receiver) = oneshot::channel();
            let waiters = state.waiters.entry((kind, Arc::clone(&key))).or_default();
            waiters.retain(|waiter| !waiter.is_closed());
            waiters.push(sender);
            receiver
        };
        self.wake.notify_one();
        match tokio::time::timeout_at(deadline.into(), answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_dropped)) => Err(CallError::cluster_closed()),
            Err(_elapsed) => {
                let elapsed = clock::now().saturating_duration_since(started);
                let state = lock(&self.state);
                let code = state.machine.last_code(kind, &key);
                Err(state.failure(kind, code, elapsed))
            }
        }
    }

    /// The coordinator that is known, or else why the lookup has no result yet.
    pub(crate) fn trouble(
        &self,
        kind: CoordinatorKind,
        key: &Arc<str>,
    ) -> (Option<i32>, Option<CallError>) {
        let state = lock(&self.state);
        match state.machine.known(kind, key) {
            Some(broker_id) => (Some(broker_id), None),
            None => (None, state.trouble.get(&kind).cloned()),
        }
    }

    /// Runs until `closed`. `ask` sends a lookup to any broker; `on_found` hears of every coordinator,
    /// `on_trouble` that brokers may have moved. As long as nothing was ever `reached`, a lookup that
    /// reaches no broker is over: then it is the addresses that are wrong.
    pub(crate) async fn run<A, F>(
        &self,
        ask: A,
        on_found: impl Fn(&Found),
        on_trouble: impl Fn(),
        reached: impl Fn() -> bool,
        mut closed: watch::Receiver<bool>,
    ) where
        A: Fn(Query) -> F,
        F: Future<Output = Result<Answers, CallError>>,
    {
        let mut lookups = FuturesUnordered::new();
        loop {
            let wait_until = match self.poll() {
                Output::Idle => None,
                Output::WaitUntil(at) => Some(at),
                Output::Send(query) => {
                    let kind = query.kind;
                    let answer = ask(query);
                    lookups.push(async move { (kind, answer.await) });
                    continue;
                }
            };
            tokio::select! {
                // In a fixed order, so that a run can be repeated.
                biased;
                _ = closed.wait_for(|closed| *closed) => return,
                Some((kind, answer)) = lookups.next() => match answer {
                    Ok(answers) => {
                        for found in answers.iter().filter_map(|(_, found)| found.as_ref().ok()) {
                            on_found(found);
                        }
                        if answers.iter().any(|(_, found)| found.is_err()) {
                            on_trouble();
                        }
                        self.on_answer(kind, answers);
                    }
                    Err(error) => {
                        on_trouble();
                        self.on_failure(kind, error, reached());
                    }
                },
                () = self.wake.notified() => {}
                () = clock::sleep_until(wait_until) => {}
            }
        }
    }

    /// Tells everybody who waits that there will be no answer.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        state.waiters.clear();
    }

    fn poll(&self) -> Output {
        let mut state = lock(&self.state);
        let mut failed = Vec::new();
        let output = state.machine.poll(clock::now(), &mut failed);
        state.fail(failed);
        output
    }

    fn on_answer(&self, kind: CoordinatorKind, answers: Answers) {
        let mut state = lock(&self.state);
        state.trouble.remove(&kind);
        let mut failed = Vec::new();
        let keys: Vec<_> = answers.iter().map(|(key, _)| Arc::clone(key)).collect();
        let answers = answers
            .into_iter()
            .map(|(key, found)| (key, found.map(|found| found.broker_id)))
            .collect();
        state
            .machine
            .on_answer(clock::now(), kind, answers, &mut failed);
        state.fail(failed);
        for key in keys {
            if let Some(broker_id) = state.machine.known(kind, &key) {
                state.serve(kind, key, &Ok(broker_id));
            }
        }
    }

    fn on_failure(&self, kind: CoordinatorKind, error: CallError, reached: bool) {
        tracing::debug!(%error, "coordinator lookup failed");
        let unreachable = matches!(
            &error,
            CallError::NotSent {
                cause: NotSentCause::NoBrokerReachable { .. },
                ..
            }
        );
        let hopeless = matches!(
            &error,
            CallError::NotSent {
                cause: NotSentCause::NoCommonVersion { .. } | NotSentCause::Encode { .. },
                ..
            }
        );
        let last = hopeless || (unreachable && !reached);
        let mut state = lock(&self.state);
        let keys = state.machine.on_failure(clock::now(), kind, last);
        if last {
            for key in keys {
                state.serve(kind, key, &Err(error.clone()));
            }
        } else {
            state.trouble.insert(kind, error);
        }
    }
}

impl State {
    fn serve(&mut self, kind: CoordinatorKind, key: Arc<str>, result: &Result<i32, CallError>) {
        for waiter in self.waiters.remove(&(kind, key)).unwrap_or_default() {
            // An error means that the caller gave up waiting.
            let _ = waiter.send(result.clone());
        }
    }

    fn fail(&mut self, failed: Vec<Failed>) {
        for Failed { kind, key, code } in failed {
            let error = self.failure(kind, code, Duration::ZERO);
            self.serve(kind, key, &Err(error));
        }
    }

    /// Why there is no coordinator: what a broker said, or else why none answered.
    fn failure(
        &self,
        kind: CoordinatorKind,
        code: Option<ErrorCode>,
        elapsed: Duration,
    ) -> CallError {
        let site = CallSite {
            api: Some(ApiKey::FindCoordinator),
            broker_id: None,
            address: None,
            elapsed,
        };
        match (code, self.trouble.get(&kind)) {
            (Some(code), _) => CallError::Broker {
                site,
                code,
                message: None,
            },
            (None, Some(trouble)) => trouble.clone(),
            (None, None) => CallError::NotSent {
                site,
                cause: NotSentCause::DeadlinePassed { last: None },
            },
        }
    }
}
