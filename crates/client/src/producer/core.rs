//! What every producer does on the caller's side: placing records, waiting for room, flushing, closing.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use milena_codec::EncodeError;
use milena_codec::record::RecordToWrite;
use milena_connection::{Cluster, TopicsWanted};
use tokio::sync::{mpsc, oneshot};

use super::delivery::Delivery;
use super::driver::Command;
use super::memory::Room;
use super::queue::{Placed, Placing, Shared};
use super::record::Record;
use crate::config::{Partitioner, ProducerConfig};
use crate::error::Error;
use crate::runtime::now;
use crate::transaction::Close;

/// The caller's end of a producer; the other end is the [driver](super::driver).
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cluster: Cluster,
    pub(crate) config: Arc<ProducerConfig>,
    pub(crate) commands: mpsc::Sender<Command>,
}

impl Core {
    /// Places the record, waiting at most `max_block` for its topic and for room.
    pub(crate) async fn send(
        &self,
        record: &Record<'_>,
        transaction: u64,
    ) -> Result<Delivery, Error> {
        let placing = self.placing(record, transaction)?;
        let mut room = None;
        match self.shared.place(&placing, &mut room)? {
            Placed::Queued(delivery) => Ok(delivery),
            missing @ (Placed::NoRoom(_) | Placed::UnknownTopic) => {
                self.send_later(&placing, missing).await
            }
        }
    }

    fn placing<'a>(&self, record: &Record<'a>, transaction: u64) -> Result<Placing<'a>, Error> {
        let timestamp = match record.timestamp {
            None => now_millis(),
            Some(timestamp) if timestamp >= 0 => timestamp,
            Some(timestamp) => {
                let what = format!(
                    "timestamp {timestamp} of a record for {}: it counts milliseconds since 1970 and \
                     can't be negative; leave it out to take the time of the call",
                    record.topic
                );
                return Err(Error::misuse(what));
            }
        };
        Ok(Placing {
            topic: record.topic,
            partition: record.partition,
            ignore_key: self.config.partitioner == Partitioner::IgnoreKeys,
            record: RecordToWrite {
                timestamp,
                key: record.key,
                value: record.value,
                headers: record.headers,
            },
            transaction,
        })
    }

    /// The slow half of `send`: something is missing.
    async fn send_later(
        &self,
        placing: &Placing<'_>,
        mut missing: Placed,
    ) -> Result<Delivery, Error> {
        let started = now();
        let deadline = started + self.config.max_block;
        let mut room = None;
        let mut learned = false;
        loop {
            match missing {
                Placed::Queued(delivery) => return Ok(delivery),
                Placed::UnknownTopic => {
                    self.learn_topic(placing, learned, deadline).await?;
                    learned = true;
                }
                Placed::NoRoom(bytes) => {
                    room = Some(self.wait_for_room(bytes, started, deadline).await?)
                }
            }
            missing = self.shared.place(placing, &mut room)?;
        }
    }

    async fn wait_for_room(
        &self,
        bytes: usize,
        started: Instant,
        deadline: Instant,
    ) -> Result<Room, Error> {
        match tokio::time::timeout_at(deadline.into(), self.shared.memory.room(bytes)).await {
            Ok(Some(room)) => Ok(room),
            Ok(None) => Err(self.shared.ended().cloned().unwrap_or_else(closed)),
            Err(_) => Err(Error::BufferFull {
                bytes,
                buffer_memory: self.config.buffer_memory,
                waited: now().saturating_duration_since(started),
            }),
        }
    }

    /// Learns the topic's partitions; the second time for the same record they must hold the one it names.
    async fn learn_topic(
        &self,
        placing: &Placing<'_>,
        refreshed: bool,
        deadline: Instant,
    ) -> Result<(), Error> {
        let topic = self.cluster.topic(placing.topic, deadline).await?;
        let partitions = topic.partitions.len();
        self.shared.register(placing.topic, partitions);
        self.shared.wake();
        let known = |partition| usize::try_from(partition).is_ok_and(|p| p < partitions);
        match placing.partition {
            Some(partition) if !known(partition) => {
                if refreshed {
                    return Err(Error::misuse(format!(
                        "partition {partition} of {}: the topic has {partitions} partitions, from 0",
                        placing.topic
                    )));
                }
                // It may have been added since; the next look decides.
                let wanted = TopicsWanted::named([placing.topic]);
                let refresh = self.cluster.refresh(wanted);
                match tokio::time::timeout_at(deadline.into(), refresh).await {
                    Ok(refreshed) => refreshed.map(drop).map_err(Error::from),
                    Err(_) => {
                        let operation = "asking for the topic's partitions";
                        Err(late(operation, self.config.max_block))
                    }
                }
            }
            _ => Ok(()),
        }
    }

    /// Waits until the fate of every record that was sent before this call is known.
    pub(crate) async fn flush(&self) {
        for completion in self.shared.seal_all() {
            completion.wait().await;
        }
    }

    /// Hands a command to the driver and waits for its answer.
    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Command,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let ended = || self.shared.ended().cloned().unwrap_or_else(closed);
        // Made when there is a place for it: what is made is handed over.
        let place = self.commands.reserve().await.map_err(|_| ended())?;
        place.send(command(answer));
        answered.await.map_err(|_| ended())?
    }

    /// As [`ask`](Self::ask), for at most `max_block`; `late` makes the error for later.
    pub(crate) async fn ask_in_time<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Command,
        late: impl FnOnce(Duration) -> Error,
    ) -> Result<T, Error> {
        let within = self.config.max_block;
        match tokio::time::timeout(within, self.ask(command)).await {
            Ok(answer) => answer,
            Err(_) => Err(late(within)),
        }
    }

    /// Delivers what was sent, for at most `timeout`, and ends the producer.
    pub(crate) async fn close(&self, timeout: Duration) -> Result<(), Error> {
        let before = self.shared.ended().cloned();
        self.shared.end(closed());
        let flushed = tokio::time::timeout(timeout, self.flush()).await;
        let stop = |done| Command::Stop {
            how: Close::Forced,
            done,
        };
        // An error here means that the driver has ended already, which is what is wanted.
        drop(self.ask(stop).await);
        match before {
            Some(reason) => Err(reason),
            None => flushed.map_err(|_| late("delivering the records sent before close", timeout)),
        }
    }

    /// Ends the producer after the commit or abort that is under way, waiting for at most `timeout`.
    pub(crate) async fn close_transactional(&self, timeout: Duration) -> Result<(), Error> {
        let stop = |done| Command::Stop {
            how: Close::Graceful,
            done,
        };
        if tokio::time::timeout(timeout, self.ask(stop)).await.is_ok() {
            return Ok(());
        }
        let stop = |done| Command::Stop {
            how: Close::Forced,
            done,
        };
        drop(self.ask(stop).await);
        Err(late("ending the transaction before close", timeout))
    }
}

fn late(operation: &'static str, elapsed: Duration) -> Error {
    Error::Timeout {
        operation: Arc::from(operation),
        elapsed,
        cause: None,
    }
}

/// The codec refused a record.
pub(crate) fn unencodable(topic: &str, cause: EncodeError) -> Error {
    Error::misuse(format!("a record for {topic} can't be encoded: {cause}"))
}

pub(crate) fn closed() -> Error {
    Error::Closed {
        what: "the producer",
    }
}

fn now_millis() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
