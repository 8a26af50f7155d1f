//! Connections, what is on them, and what becomes of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use milena_codec::ErrorCode;

use crate::error::Error;

use super::{
    BROKERS, Batch, Outgoing, PartitionId, PartitionResponse, ProduceOutcome, ProduceRequest,
    World, index, log,
};

/// Why a request got no response.
fn cause() -> Arc<Error> {
    Arc::new(Error::TransactionAborted)
}

type Answers = Vec<(PartitionId, PartitionResponse)>;

/// One connection: requests in the order in which they were sent, and how far the broker is with them.
#[derive(Default)]
pub(super) struct Wire {
    requests: VecDeque<(ProduceRequest<Batch>, Option<Answers>)>,
}

impl Wire {
    pub(super) fn is_quiet(&self) -> bool {
        self.requests.is_empty()
    }

    fn next_answered(&mut self) -> Option<(ProduceRequest<Batch>, Option<Answers>)> {
        let (_, answers) = self.requests.front()?;
        answers.as_ref()?;
        self.requests.pop_front()
    }

    pub(super) fn mentions(&self, partition: PartitionId) -> bool {
        let mut batches = self
            .requests
            .iter()
            .flat_map(|(request, _)| &request.batches);
        batches.any(|outgoing| outgoing.partition == partition)
    }

    pub(super) fn carries(&self, record: u64) -> bool {
        let mut batches = self
            .requests
            .iter()
            .flat_map(|(request, _)| &request.batches);
        batches.any(|outgoing| outgoing.batch.ids().any(|id| id == record))
    }
}

impl World {
    pub(super) fn connect(&mut self, broker: i32) {
        if !self.wires.contains_key(&broker) {
            self.next_connection += 1;
            self.wires.insert(broker, Wire::default());
            self.sender.on_connected(broker, self.next_connection);
        }
    }

    pub(super) fn connect_wanted(&mut self) {
        for broker in std::mem::take(&mut self.wants.connect) {
            self.connect(broker);
        }
    }

    pub(super) fn send(&mut self, request: ProduceRequest<Batch>) {
        let mut partitions: Vec<_> = request.batches.iter().map(|b| b.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        assert_eq!(partitions.len(), request.batches.len(), "P-5");
        assert!(request.bytes <= self.config.request_bytes_max || request.batches.len() == 1);
        for outgoing in &request.batches {
            let is_on_wire = |id| self.wires.values().any(|wire| wire.carries(id));
            assert!(
                !outgoing.batch.ids().any(is_on_wire),
                "P-61: twice on the wire"
            );
            self.seen.look_at(outgoing);
        }
        let wire = self.wires.get_mut(&request.broker);
        let wire = wire.expect("a request for a broker without a connection");
        wire.requests.push_back((request, None));
        assert!(wire.requests.len() <= self.config.in_flight_max, "P-1");
    }

    /// What a broker makes of one batch.
    fn append(&mut self, broker: Option<i32>, outgoing: &Outgoing<Batch>) -> PartitionResponse {
        self.has_reached = true;
        let at = index(outgoing.partition);
        if broker.is_some_and(|broker| self.leaders[at].broker != broker) {
            return PartitionResponse::of(ErrorCode::NotLeaderOrFollower);
        }
        self.logs[at].produce(&outgoing.batch, outgoing.stamp)
    }

    /// The broker works on the oldest request that it has not worked on.
    pub(super) fn work(&mut self, broker: i32) {
        let Some(place) = self.unworked(broker) else {
            return;
        };
        self.work_on(broker, place, |world, outgoing| {
            world.append(Some(broker), outgoing)
        });
    }

    fn unworked(&self, broker: i32) -> Option<usize> {
        let requests = &self.wires.get(&broker)?.requests;
        requests.iter().position(|(_, answers)| answers.is_none())
    }

    fn work_on(
        &mut self,
        broker: i32,
        place: usize,
        mut answer: impl FnMut(&mut Self, &Outgoing<Batch>) -> PartitionResponse,
    ) {
        let Some(wire) = self.wires.get(&broker) else {
            return;
        };
        let batches = wire.requests[place].0.batches.clone();
        let answers = batches
            .iter()
            .map(|outgoing| (outgoing.partition, answer(self, outgoing)))
            .collect();
        if let Some(wire) = self.wires.get_mut(&broker) {
            wire.requests[place].1 = Some(answers);
        }
    }

    /// The oldest answer arrives.
    pub(super) fn deliver(&mut self, broker: i32, throttle: Duration) {
        let Some(wire) = self.wires.get_mut(&broker) else {
            return;
        };
        let Some((request, answers)) = wire.next_answered() else {
            return;
        };
        let partitions = answers.unwrap_or_default();
        let answer = ProduceOutcome::Responded {
            partitions,
            throttle,
        };
        self.sender.handle_response(self.now, request.id, answer);
    }

    /// An answer arrives that does not name what was asked.
    pub(super) fn garble(&mut self, broker: i32) {
        let Some(wire) = self.wires.get_mut(&broker) else {
            return;
        };
        let Some((request, _)) = wire.next_answered() else {
            return;
        };
        for outgoing in &request.batches {
            self.seen.in_doubt(&outgoing.batch);
        }
        let stranger = PartitionResponse::of(ErrorCode::None);
        let answer = ProduceOutcome::Responded {
            partitions: vec![(PartitionId(99), stranger)],
            throttle: Duration::ZERO,
        };
        self.sender.handle_response(self.now, request.id, answer);
    }

    /// A broker refuses the next request with any code at all. If the code leaves it open whether the batch was
    /// appended, it was if `appends`.
    pub(super) fn refuse(&mut self, appends: bool, argument: u8) {
        let code = ErrorCode::from(i16::from(argument) - 1);
        let is_claim = matches!(code, ErrorCode::None | ErrorCode::DuplicateSequenceNumber);
        for broker in 1..=BROKERS {
            let Some(place) = self.unworked(broker) else {
                continue;
            };
            self.has_reached = true;
            self.work_on(broker, place, |world, outgoing| {
                if log::proves_absence(code) {
                    // The start of the log would be a claim about it.
                    return PartitionResponse::of(code);
                }
                if is_claim || appends {
                    let answer = world.append(Some(broker), outgoing);
                    if is_claim || answer.code != ErrorCode::None {
                        return answer;
                    }
                }
                world.seen.in_doubt(&outgoing.batch);
                PartitionResponse::of(code)
            });
            return self.deliver_if_first(broker, place);
        }
    }

    fn deliver_if_first(&mut self, broker: i32, place: usize) {
        if place == 0 {
            self.deliver(broker, Duration::ZERO);
        }
    }

    /// A connection is lost: the broker may have worked on some of its requests, may yet work on others, and some
    /// never left.
    pub(super) fn cut(&mut self, argument: u8) {
        let broker = i32::from(argument % 2) + 1;
        for _ in 0..argument / 2 % 4 {
            self.work(broker);
        }
        let Some(wire) = self.wires.remove(&broker) else {
            return;
        };
        self.sender.on_disconnected(broker);
        let stays_behind = argument & 0x10 != 0;
        let unsent = usize::from(argument / 32 % 4);
        let sent = wire.requests.len().saturating_sub(unsent);
        let mut left_behind = VecDeque::new();
        for (place, (request, answers)) in wire.requests.into_iter().enumerate() {
            let answer = if place >= sent && answers.is_none() {
                ProduceOutcome::NotSent(cause())
            } else {
                self.has_reached = true;
                for outgoing in &request.batches {
                    self.seen.in_doubt(&outgoing.batch);
                }
                if answers.is_none() && stays_behind {
                    left_behind.extend(request.batches);
                }
                ProduceOutcome::Unknown(cause())
            };
            self.sender.handle_response(self.now, request.id, answer);
        }
        if !left_behind.is_empty() {
            self.left_behind.push_back(left_behind);
        }
    }

    /// A broker works on a request whose connection is gone; it leads wherever it has to.
    ///
    /// A newer epoch shuts out what comes late of an older one, a newer producer id does not. So when epochs have run
    /// out, a batch that was given up as unknown may be appended behind what was sent after it, and no client can
    /// prevent it. The model leaves that case out: such a batch is lost on its way.
    pub(super) fn work_left_behind(&mut self, argument: u8) {
        let count = self.left_behind.len().max(1);
        let Some(queue) = self.left_behind.get_mut(usize::from(argument) % count) else {
            return;
        };
        if let Some(outgoing) = queue.pop_front() {
            let is_of_older_id = outgoing.stamp.producer.producer_id != self.identity.producer_id;
            if !(is_of_older_id && self.seen.is_told(&outgoing.batch)) {
                self.append(None, &outgoing);
            }
        }
        self.left_behind.retain(|queue| !queue.is_empty());
    }
}
