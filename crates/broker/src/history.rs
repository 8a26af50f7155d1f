//! What happened, for a test or a checker to read afterwards.

use crate::Time;
use bytes::Bytes;
use milena_codec::record::Marker;
use milena_codec::{ProducerIdentity, Sequence};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The record of what an embedded broker saw and did. Clones share it.
///
/// It is bounded: beyond its capacity (65,536 entries by default) the oldest entries go, and
/// [`History::forgotten`] counts them.
#[derive(Clone, Debug)]
pub struct History {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    entries: Mutex<Entries>,
    capacity: usize,
    bodies: bool,
    /// The number of the next entry.
    next: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Entries {
    kept: VecDeque<Entry>,
    forgotten: u64,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Counts up by one from 0, across all brokers of the cluster.
    pub number: u64,
    /// When, by the broker's clock.
    pub at: Time,
    /// What.
    pub event: Event,
}

/// Which request of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRef {
    /// The broker it was sent to.
    pub broker_id: i32,
    /// The connection it came on, a number of this cluster's own.
    pub connection_id: u64,
    /// The client's name for itself.
    pub client_id: Option<Arc<str>>,
    /// The API, as its key.
    pub api_key: i16,
    /// In which version.
    pub api_version: i16,
    /// The number by which the client recognises the answer.
    pub correlation_id: i32,
}

/// What can happen.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A producer's batch was appended to a log.
    Append {
        /// The topic's name.
        topic: Arc<str>,
        /// The partition's number.
        partition: i32,
        /// Offset of the first record.
        base_offset: i64,
        /// Offset of the last record.
        last_offset: i64,
        /// Who wrote it.
        producer: ProducerIdentity,
        /// The first record's sequence.
        base_sequence: Sequence,
        /// Whether it belongs to a transaction.
        transactional: bool,
    },
    /// A request was answered.
    Answer {
        /// Which one.
        request: RequestRef,
        /// The answer's body, if [`bodies are kept`](crate::BrokerBuilder::history_bodies).
        body: Option<Bytes>,
    },
    /// A coordinator's seat went to another broker.
    CoordinatorMoved {
        /// A group id, or a transactional id, that is affected.
        key: Arc<str>,
        /// The broker that has it now.
        broker_id: i32,
    },
    /// A scripted fault took effect.
    Fault {
        /// On which request.
        request: RequestRef,
        /// The script's description.
        what: String,
    },
    /// A partition has another leader, or none.
    LeaderMoved {
        /// The topic's name.
        topic: Arc<str>,
        /// The partition's number.
        partition: i32,
        /// The new leader; `None` if no replica is left.
        broker_id: Option<i32>,
        /// The new leader's term.
        leader_epoch: i32,
    },
    /// A transaction's marker was appended to a log.
    MarkerWritten {
        /// The topic's name.
        topic: Arc<str>,
        /// The partition's number.
        partition: i32,
        /// Its place in the log.
        offset: i64,
        /// Whose transaction.
        transactional_id: Arc<str>,
        /// The producer, in the epoch that the marker carries.
        producer: ProducerIdentity,
        /// How the transaction ended.
        marker: Marker,
    },
    /// A request arrived.
    Request {
        /// Which one.
        request: RequestRef,
        /// Its body, if [`bodies are kept`](crate::BrokerBuilder::history_bodies).
        body: Option<Bytes>,
    },
}

impl History {
    pub(crate) fn new(capacity: usize, bodies: bool) -> Self {
        Self {
            inner: Arc::new(Inner {
                entries: Mutex::default(),
                capacity,
                bodies,
                next: watch::Sender::new(0),
            }),
        }
    }

    pub(crate) fn keeps_bodies(&self) -> bool {
        self.inner.bodies
    }

    pub(crate) fn record(&self, at: Time, event: Event) {
        let mut entries = self.lock();
        let number = *self.inner.next.borrow();
        if entries.kept.len() >= self.inner.capacity {
            entries.kept.pop_front();
            entries.forgotten += 1;
        }
        if self.inner.capacity > 0 {
            entries.kept.push_back(Entry { number, at, event });
        }
        // Under the lock, so that numbers go up in the order of the entries.
        self.inner.next.send_replace(number + 1);
    }

    /// Everything that is remembered, in order.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().kept.iter().cloned().collect()
    }

    /// What is remembered from the entry of this number on.
    #[must_use]
    pub fn since(&self, number: u64) -> Vec<Entry> {
        let recent = |entry: &&Entry| entry.number >= number;
        self.lock().kept.iter().filter(recent).cloned().collect()
    }

    /// The number that the next entry will have.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        *self.inner.next.borrow()
    }

    /// How many entries had to go, because the history is bounded.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.lock().forgotten
    }

    /// Waits for the first entry that `wanted` accepts among those from `number` on, past ones included.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn wait_for(&self, number: u64, wanted: impl Fn(&Entry) -> bool) -> Entry {
        let mut next = self.inner.next.subscribe();
        let mut from = number;
        loop {
            let until = *next.borrow_and_update();
            let found = self.since(from).into_iter().find(|entry| wanted(entry));
            if let Some(entry) = found {
                return entry;
            }
            from = from.max(until);
            // The sender lives in this history, so there is always a change to come.
            let _ = next.changed().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.inner
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(broker_id: i32) -> Event {
        Event::CoordinatorMoved {
            key: Arc::from("g"),
            broker_id,
        }
    }

    fn broker_of(entry: &Entry) -> i32 {
        let Event::CoordinatorMoved { broker_id, .. } = &entry.event else {
            return -1;
        };
        *broker_id
    }

    #[tokio::test]
    async fn the_oldest_go_and_waiting_finds_past_and_future() {
        let history = History::new(2, false);
        for broker in 0..3 {
            history.record(Time::ZERO, moved(broker));
        }
        let kept: Vec<_> = history.entries().iter().map(broker_of).collect();
        assert_eq!(kept, [1, 2]);
        assert_eq!((history.forgotten(), history.next_number()), (1, 3));
        let past = history.wait_for(0, |entry| broker_of(entry) == 2).await;
        assert_eq!(past.number, 2);
        let future = tokio::spawn({
            let history = history.clone();
            async move { history.wait_for(3, |entry| broker_of(entry) == 9).await }
        });
        tokio::task::yield_now().await;
        history.record(Time::ZERO, moved(9));
        assert_eq!(future.await.unwrap().number, 3);
    }
}
