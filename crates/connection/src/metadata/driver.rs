//! Runs the metadata machine: waits for its times, sends its questions, serves those who wait.

use super::machine::{MetadataMachine, Output, Query, Settings};
use super::snapshot::{LeaderHint, MetadataSnapshot, TopicsWanted};
use crate::cluster::HandleId;
use crate::error::{CallError, NotSentCause};
use crate::signal::Signal;
use crate::{BrokerAddress, clock, lock};
use kafka_protocol::messages::MetadataResponse;
use std::future::Future;
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, watch};

/// How far the questions got. Waiters compare with the generation that they wait for.
#[derive(Debug, Default)]
struct Progress {
    served: u64,
    /// The whole of the last answer.
    full: Arc<MetadataSnapshot>,
    failed: u64,
    error: Option<CallError>,
    /// Why the last question was not answered, until one is.
    trouble: Option<CallError>,
}

/// The metadata of one cluster handle.
#[derive(Debug)]
pub(crate) struct MetadataShared {
    machine: Mutex<MetadataMachine>,
    wake: Notify,
    /// The machine's snapshot, readable while the machine digests a large answer.
    published: Mutex<Arc<MetadataSnapshot>>,
    progress: Signal<Progress>,
    changed: watch::Sender<u64>,
}

impl MetadataShared {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            machine: Mutex::new(MetadataMachine::new(settings)),
            wake: Notify::new(),
            published: Mutex::default(),
            progress: Signal::default(),
            changed: watch::Sender::new(0),
        }
    }

    pub(crate) fn snapshot(&self) -> Arc<MetadataSnapshot> {
        Arc::clone(&lock(&self.published))
    }

    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(crate) fn mark_stale(&self, handle: HandleId, topic: &str) {
        lock(&self.machine).mark_stale_for(handle.0, topic);
        self.wake.notify_one();
    }

    /// Asks for a refresh of what is tracked, without waiting for it.
    pub(crate) fn mark_all_stale(&self) {
        let _generation = lock(&self.machine).want(TopicsWanted::Tracked);
        self.wake.notify_one();
    }

    /// A handle was closed: its topics need not be kept fresh any more.
    pub(crate) fn release(&self, handle: HandleId) {
        lock(&self.machine).release(handle.0);
    }

    pub(crate) fn apply_hint(&self, hint: &LeaderHint) -> bool {
        let mut machine = lock(&self.machine);
        let changed = machine.apply_hint(hint);
        self.publish(&machine);
        changed
    }

    pub(crate) fn learn_broker(&self, broker_id: i32, address: &BrokerAddress) {
        let mut machine = lock(&self.machine);
        machine.learn_broker(broker_id, address);
        self.publish(&machine);
    }

    /// Forgets the brokers, so that the bootstrap list is asked next.
    pub(crate) fn forget_brokers(&self) {
        let mut machine = lock(&self.machine);
        machine.forget_brokers();
        self.publish(&machine);
    }

    /// Why the last question was not answered, if none has been since.
    pub(crate) fn trouble(&self) -> Option<CallError> {
        self.progress.read(|progress| progress.trouble.clone())
    }

    /// Waits for an answer to a question that is asked after this call.
    pub(crate) async fn refresh(
        &self,
        handle: HandleId,
        wanted: TopicsWanted,
    ) -> Result<Arc<MetadataSnapshot>, CallError> {
        let generation = lock(&self.machine).want_for(handle.0, wanted);
        self.wake.notify_one();
        let result = |progress: &Progress| {
            if progress.served >= generation {
                return Some(Ok(Arc::clone(&progress.full)));
            }
            let failed = progress.failed >= generation;
            failed.then(|| {
                let error = progress.error.clone();
                Err(error.unwrap_or_else(CallError::cluster_closed))
            })
        };
        self.progress.wait_for(result).await
    }

    /// Runs until `closed`. `ask` sends a question to any broker and says in which version; `on_change`
    /// hears of every snapshot.
    pub(crate) async fn run<A, F>(
        &self,
        ask: A,
        on_change: impl Fn(&MetadataSnapshot),
        mut closed: watch::Receiver<bool>,
    ) where
        A: Fn(Query) -> F,
        F: Future<Output = Result<(MetadataResponse, i16), CallError>>,
    {
        loop {
            let output = lock(&self.machine).poll(clock::now());
            let wait_until = match output {
                Output::Idle => None,
                Output::WaitUntil(at) => Some(at),
                Output::Send(query) => {
                    let generation = query.generation;
                    let answer = tokio::select! {
                        biased;
                        _ = closed.wait_for(|closed| *closed) => return,
                        answer = ask(query) => answer,
                    };
                    match answer {
                        Ok((response, version)) => {
                            self.on_answer(generation, &response, version);
                            on_change(&self.snapshot());
                        }
                        Err(error) => self.on_failure(generation, error),
                    }
                    continue;
                }
            };
            tokio::select! {
                // In a fixed order, so that a run can be repeated.
                biased;
                _ = closed.wait_for(|closed| *closed) => return,
                () = self.wake.notified() => {}
                () = clock::sleep_until(wait_until) => {}
            }
        }
    }

    /// Tells everybody who waits, now or later, that there will be no further answer.
    pub(crate) fn close(&self) {
        self.progress.change(|progress| {
            progress.failed = u64::MAX;
            progress.error = Some(CallError::cluster_closed());
        });
    }

    fn on_answer(&self, generation: u64, response: &MetadataResponse, api_version: i16) {
        let full = {
            let mut machine = lock(&self.machine);
            let full = machine.on_answer(clock::now(), response, api_version);
            self.publish(&machine);
            full
        };
        self.progress.change(|progress| {
            progress.served = generation;
            progress.full = full;
            progress.trouble = None;
        });
    }

    fn on_failure(&self, generation: u64, error: CallError) {
        tracing::debug!(%error, "metadata refresh failed");
        let unreachable = matches!(
            error,
            CallError::NotSent {
                cause: NotSentCause::NoBrokerReachable { .. },
                ..
            }
        );
        let give_up = lock(&self.machine).on_failure(clock::now(), unreachable);
        self.progress.change(|progress| {
            progress.trouble = Some(error.clone());
            if give_up {
                progress.failed = progress.failed.max(generation);
                progress.error = Some(error);
            }
        });
    }

    /// Makes the machine's snapshot the one that is read. Called with the machine locked, so that
    /// snapshots are published in their order.
    fn publish(&self, machine: &MetadataMachine) {
        let snapshot = machine.snapshot();
        let version = snapshot.version();
        *lock(&self.published) = Arc::clone(snapshot);
        self.changed
            .send_if_modified(|seen| std::mem::replace(seen, version) != version);
    }
}
