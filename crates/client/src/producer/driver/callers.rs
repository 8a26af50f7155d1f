//! What the driver tells those who sent: the fate of their records, and its own end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::delivery::BatchOutcome;
use super::super::failure::Failure;
use super::super::machine::{Event, PartitionId, Sendable};
use super::Driver;
use crate::error::Error;

impl Driver {
    /// Tells callers, and the transaction, what the sender found out.
    pub(super) fn tell(&mut self, now: Instant) {
        while let Some(event) = self.sender.poll_event() {
            match event {
                Event::Completed {
                    partition,
                    batch,
                    result,
                } => {
                    let age = now.saturating_duration_since(batch.created());
                    batch.complete(result.map_err(|failure| self.fail(partition, failure, age)));
                    let (buffer, room) = batch.into_parts();
                    if let Some(buffer) = buffer {
                        self.shared.memory.recycle(buffer);
                    }
                    if let Some(room) = room {
                        let bytes = room.bytes();
                        self.returns.put(now, room, bytes);
                    }
                }
                Event::Split { batch, children } => batch.hand_over(&children),
                Event::DataLossSuspected { partition } => {
                    let queue = self.queues.get(partition.0 as usize);
                    let (topic, partition) = queue.map_or(("", -1), |q| (&*q.topic, q.partition));
                    tracing::warn!(
                        topic,
                        partition,
                        "acknowledged records may be lost: the leader lacks what came before this batch"
                    );
                }
                Event::Fatal(failure) => {
                    let error =
                        failure
                            .clone()
                            .into_delivery_error(Arc::from(""), -1, Duration::ZERO);
                    // Its transaction may know better what it means: that it is fenced.
                    self.spoil_transaction(&error, &failure);
                    self.end(&error.into_fatal());
                }
            }
        }
    }

    /// The error of a failed batch; its transaction hears of it before its caller does (L-8).
    pub(super) fn fail(
        &mut self,
        partition: PartitionId,
        failure: Failure,
        age: Duration,
    ) -> Error {
        let queue = self.queues.get(partition.0 as usize);
        let (topic, partition) = queue.map_or((Arc::from(""), -1), |queue| {
            (Arc::clone(&queue.topic), queue.partition)
        });
        let error = failure.clone().into_delivery_error(topic, partition, age);
        self.spoil_transaction(&error, &failure);
        error
    }

    /// Fails what has no sequence yet.
    pub(super) fn fail_queued(&mut self, error: &Error) {
        // All of them, those that this task has not heard of yet included.
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

    /// Nothing is accepted or sent any more. The state is set before anyone is told (L-8).
    pub(super) fn end(&mut self, error: &Error) {
        self.shared.end(error.clone());
        let reason = self.shared.ended().unwrap_or(error).clone();
        self.fail_queued(&reason);
        self.sender.fail_all(&Failure::ended(reason));
    }
}
