//! A sender of batches, one record each and one in flight per partition: as simple as it can be and still
//! hold its side of the contract.

use std::collections::VecDeque;

use super::*;

/// Attempts before a batch is given up.
const ATTEMPTS_MAX: u32 = 4;
const RETRY: u64 = 30_000;

#[derive(Debug, Default)]
pub(super) struct Sender {
    lanes: [Lane; 2],
}

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<Write>,
    flight: Option<Flight>,
    next_sequence: i32,
}

#[derive(Debug)]
struct Flight {
    write: Write,
    sequence: i32,
    producer: ProducerIdentity,
    attempts: u32,
    in_doubt: bool,
    /// `None` while an answer is awaited.
    retry_at: Option<u64>,
}

/// A Produce to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Produce {
    pub(super) partition: usize,
    pub(super) producer: ProducerIdentity,
    pub(super) sequence: i32,
    pub(super) write: Write,
}

/// What an answer did.
pub(super) enum Answered {
    Acknowledged(Write),
    Failed(Error, BatchOutcome),
    Nothing,
}

impl Sender {
    pub(super) fn queue(&mut self, partition: usize, write: Write) {
        self.lanes[partition].queue.push_back(write);
    }

    pub(super) fn status(&self) -> SenderStatus {
        SenderStatus {
            undrained_batches: self.lanes.iter().map(|lane| lane.queue.len()).sum(),
            unresolved_batches: self
                .lanes
                .iter()
                .filter(|lane| lane.flight.is_some())
                .count(),
        }
    }

    pub(super) fn fail_undrained(&mut self) {
        for lane in &mut self.lanes {
            lane.queue.clear();
        }
    }

    /// P-64; and a new identity never comes while the old one has work.
    pub(super) fn identity_changed(&mut self) {
        assert_eq!(self.status(), NO_WORK, "the identity changed under batches");
        for lane in &mut self.lanes {
            lane.next_sequence = 0;
        }
    }

    /// The next batch that may be sent, and when to look again.
    pub(super) fn poll(
        &mut self,
        machine: &TransactionMachine,
        clock: Instant,
        now: u64,
        wake: &mut u64,
    ) -> Option<Produce> {
        for (partition, lane) in self.lanes.iter_mut().enumerate() {
            let permit = machine.may_send(&super::world::partition_named(partition), clock);
            if let Some(flight) = &mut lane.flight {
                let may_repeat = matches!(permit, MaySend::Now | MaySend::RepetitionsOnly);
                match flight.retry_at {
                    Some(at) if at <= now && may_repeat => {
                        flight.retry_at = None;
                        flight.attempts += 1;
                        return Some(flight.produce(partition));
                    }
                    Some(at) => *wake = (*wake).min(at.max(now + 1000)),
                    None => {}
                }
                continue;
            }
            match permit {
                MaySend::Now => {
                    let Some(write) = lane.queue.pop_front() else {
                        continue;
                    };
                    let flight = Flight {
                        write,
                        sequence: lane.next_sequence,
                        producer: machine.identity(),
                        attempts: 1,
                        in_doubt: false,
                        retry_at: None,
                    };
                    lane.next_sequence += 1;
                    let produce = flight.produce(partition);
                    lane.flight = Some(flight);
                    return Some(produce);
                }
                MaySend::NotBefore(_) if !lane.queue.is_empty() => *wake = (*wake).min(now + 100),
                MaySend::NotBefore(_)
                | MaySend::WhenAdded
                | MaySend::RepetitionsOnly
                | MaySend::No => {}
            }
        }
        None
    }

    /// `None` for a request that was lost or timed out.
    pub(super) fn answered(
        &mut self,
        produce: Produce,
        code: Option<ErrorCode>,
        now: u64,
    ) -> Answered {
        let lane = &mut self.lanes[produce.partition];
        let Some(flight) = &mut lane.flight else {
            return Answered::Nothing;
        };
        if flight.write != produce.write || flight.retry_at.is_some() {
            return Answered::Nothing;
        }
        let is_retriable = match code {
            Some(ErrorCode::None) => {
                lane.flight = None;
                return Answered::Acknowledged(produce.write);
            }
            None | Some(ErrorCode::NotLeaderOrFollower | ErrorCode::RequestTimedOut) => {
                flight.in_doubt = true;
                true
            }
            Some(ErrorCode::UnknownServerError) => {
                flight.in_doubt = true;
                false
            }
            Some(ErrorCode::ConcurrentTransactions | ErrorCode::NotEnoughReplicas) => true,
            Some(_) => false,
        };
        let may_retry =
            flight.attempts < ATTEMPTS_MAX || code == Some(ErrorCode::ConcurrentTransactions);
        if is_retriable && may_retry {
            flight.retry_at = Some(now + RETRY);
            return Answered::Nothing;
        }
        let outcome = if flight.in_doubt {
            BatchOutcome::Unknown
        } else {
            // P-50: its sequence was not used.
            lane.next_sequence -= 1;
            BatchOutcome::NotAppended
        };
        lane.flight = None;
        Answered::Failed(
            broker_error(code.unwrap_or(ErrorCode::NetworkException)),
            outcome,
        )
    }
}

impl Flight {
    fn produce(&self, partition: usize) -> Produce {
        Produce {
            partition,
            producer: self.producer,
            sequence: self.sequence,
            write: self.write,
        }
    }
}
