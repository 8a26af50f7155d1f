//! What callers learn from the driver: the outcome of their records, and that the producer has ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::batch::BatchOutcome;
use super::super::sender::failure::{Failure, Place};
use super::super::sender::{Appended, Event, PartitionId, Sendable};
use super::Driver;
use crate::error::Error;
use crate::runtime::now;

impl Driver {
    /// Reports what the sender found out, to the transaction first and then to callers (L-8).
    pub(super) fn complete_batches(&mut self, now: Instant) {
        while let Some(event) = self.sender.poll_event() {
            match event {
                Event::Completed {
                    partition,
                    batch,
                    result,
                } => {
                    let age = now.saturating_duration_since(batch.created());
                    batch.complete(match result {
                        Ok(Appended {
                            base_offset,
                            log_append_time,
                        }) => BatchOutcome::Appended {
                            base_offset,
                            log_append_time,
                        },
                        Err(failure) => self.fail(partition, &failure, age),
                    });
                    let (buffer, room) = batch.into_parts();
                    if let Some(buffer) = buffer {
                        self.shared.memory.recycle(buffer);
                    }
                    if let Some(room) = room {
                        let bytes = room.bytes();
                        self.returns.put(now, room, bytes);
                    }
                }
                Event::Split {
                    partition,
                    batch,
                    children,
                    batch_bytes_max,
                } => {
                    batch.hand_over(&children);
                    if let Some(queue) = self.queues.get(partition.0 as usize) {
                        queue.lock().limit_batches(batch_bytes_max);
                    }
                }
                Event::DataLossSuspected { partition } => {
                    let queue = self.queues.get(partition.0 as usize);
                    let (topic, partition) = queue.map_or(("", -1), |q| (&*q.topic, q.partition));
                    tracing::warn!(
                        topic,
                        partition,
                        "acknowledged records may be lost: the leader lacks what came before this batch"
                    );
                }
                Event::Fatal { partition, failure } => {
                    let error =
                        self.with_place(partition, Duration::ZERO, |place| failure.to_error(place));
                    // Its transaction may know better what it means: that it is fenced.
                    self.fail_transaction(&error, &failure);
                    self.end(&error.into_fatal());
                }
            }
        }
    }

    /// What the callers of a failed batch get; its transaction knows of it before they do (L-8).
    pub(super) fn fail(
        &mut self,
        partition: PartitionId,
        failure: &Failure,
        age: Duration,
    ) -> BatchOutcome {
        let (error, outcome) = self.with_place(partition, age, |place| {
            let error = failure.to_error(place);
            let outcome = failure.to_outcome(&error, place);
            (error, outcome)
        });
        self.fail_transaction(&error, failure);
        outcome
    }

    /// Names the partition, its leader's address and the rest that an error says of a batch.
    fn with_place<T>(
        &self,
        partition: PartitionId,
        age: Duration,
        say: impl FnOnce(&Place<'_>) -> T,
    ) -> T {
        let name_of = |partition: PartitionId| {
            let queue = self.queues.get(partition.0 as usize);
            queue.map_or((Arc::from(""), -1), |queue| {
                (Arc::clone(&queue.topic), queue.partition)
            })
        };
        let address_of = |broker| {
            let snapshot = self.cluster.snapshot();
            let node = snapshot.broker(broker)?;
            Some(Arc::from(node.address.to_string()))
        };
        let (topic, number) = name_of(partition);
        say(&Place {
            topic,
            partition: number,
            age,
            address_of: &address_of,
            trouble: self.shared.standing.trouble(),
            name_of: &name_of,
        })
    }

    /// Fails what has no sequence yet.
    pub(super) fn fail_queued(&mut self, error: &Error) {
        // All of them, including partitions that this task has not learnt of yet.
        for queue in self.shared.queues() {
            let pending = {
                let mut waiting = queue.lock();
                let pending = waiting.clear();
                queue.note_load(&waiting);
                pending
            };
            self.shared.drained(pending.len());
            for batch in pending {
                batch
                    .completion
                    .complete(BatchOutcome::Failed(error.clone()));
            }
        }
    }

    /// Nothing is accepted or sent any more. The state is set before any caller is woken (L-8).
    pub(super) fn end(&mut self, error: &Error) {
        self.shared.end(error.clone());
        let reason = self.shared.ended().unwrap_or(error).clone();
        self.fail_queued(&reason);
        self.sender.fail_all(now(), &Failure::ended(reason));
    }
}
