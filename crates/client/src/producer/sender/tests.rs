//! The sender against a model of the broker's half of the rules (P-24), with faults, from a seed.

mod table;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use milena_codec::{ErrorCode, ProducerEpoch, ProducerId, Sequence};
use proptest::prelude::*;

use super::failure::Failure;
use super::*;

mod rules;

#[derive(Debug, Clone, PartialEq, Eq)]
struct TestBatch {
    id: u64,
    records: u32,
    bytes: usize,
    created: Instant,
}

impl Sendable for TestBatch {
    fn record_count(&self) -> u32 {
        self.records
    }

    fn wire_size(&self) -> usize {
        self.bytes
    }

    fn created(&self) -> Instant {
        self.created
    }

    fn plain_size(&self) -> usize {
        self.bytes
    }

    fn split(&self, _: usize) -> Option<Vec<Self>> {
        let half = self.records / 2;
        let part = |id, records| Self {
            id,
            records,
            bytes: self.bytes / 2,
            ..self.clone()
        };
        (half > 0).then(|| vec![part(self.id, half), part(self.id + 1, self.records - half)])
    }
}

#[derive(Debug, Default)]
struct Queue(
    BTreeMap<PartitionId, VecDeque<TestBatch>>,
    Vec<(TestBatch, Option<Obstacle>)>,
);

impl BatchSource<TestBatch> for Queue {
    fn take(&mut self, partition: PartitionId, _: Instant) -> Take<TestBatch> {
        let queue = self.0.entry(partition).or_default();
        queue.pop_front().map_or(Take::Empty, Take::Batch)
    }

    fn oldest(&mut self, partition: PartitionId) -> Option<Instant> {
        self.0
            .get(&partition)
            .and_then(|queue| queue.front())
            .map(|batch| batch.created)
    }

    fn expire(
        &mut self,
        partition: PartitionId,
        until: Instant,
        obstacle: Option<Obstacle>,
    ) -> usize {
        let queue = self.0.entry(partition).or_default();
        let expired = queue
            .iter()
            .take_while(|batch| batch.created <= until)
            .count();
        let drained = queue.drain(..expired);
        self.1
            .extend(drained.map(|batch| (batch, obstacle.clone())));
        expired
    }
}

fn config() -> SenderConfig {
    SenderConfig {
        idempotent: true,
        transactional: false,
        in_flight_max: 5,
        retries_max: u32::MAX,
        delivery_timeout: Duration::from_secs(120),
        retry_backoff: Duration::from_millis(100),
        retry_backoff_max: Duration::from_secs(1),
        batch_bytes_max: 1_000,
        request_bytes_max: 10_000,
        seed: 1,
    }
}

/// Why a request got no response.
fn cut() -> Arc<Error> {
    Arc::new(Error::Transport {
        request: Some(milena_codec::ApiKey::Produce),
        address: Some("k1:9092".into()),
        sent: true,
        cause: Arc::new(std::io::Error::other("the connection was cut")),
    })
}

fn identity(producer_epoch: i16) -> ProducerIdentity {
    ProducerIdentity {
        producer_id: ProducerId(7),
        producer_epoch: ProducerEpoch(producer_epoch),
    }
}

const P0: PartitionId = PartitionId(0);
const LEADER: Leader = Leader {
    broker: 1,
    leader_epoch: 3,
};

/// One partition, its leader connected, an identity at hand.
struct Bench {
    sender: Sender<TestBatch>,
    queue: Queue,
    now: Instant,
    next_id: u64,
    next_offset: i64,
}

impl Bench {
    fn new(config: SenderConfig) -> Self {
        let now = Instant::now();
        let mut sender = Sender::new(config);
        assert_eq!(sender.add_partition(), P0);
        sender.set_leader(now, P0, Some(LEADER));
        sender.on_connected(1, 10);
        sender.set_identity(identity(0));
        Self {
            sender,
            queue: Queue::default(),
            now,
            next_id: 0,
            next_offset: 0,
        }
    }

    /// As `new`, with the pipeline opened by a first acknowledged record.
    fn confirmed(config: SenderConfig) -> Self {
        let mut bench = Self::new(config);
        bench.put(1);
        let first = bench.send_one();
        bench.acknowledge(first.id);
        bench.events();
        bench
    }

    fn put(&mut self, records: u32) -> u64 {
        self.put_on(P0, records)
    }

    fn put_on(&mut self, partition: PartitionId, records: u32) -> u64 {
        self.next_id += 10;
        let batch = TestBatch {
            id: self.next_id,
            records,
            bytes: 100,
            created: self.now,
        };
        self.queue.0.entry(partition).or_default().push_back(batch);
        self.sender.on_records(partition);
        self.next_id
    }

    fn drain(&mut self) -> Vec<ProduceRequest<TestBatch>> {
        let mut requests = Vec::new();
        loop {
            let work = self.sender.drain(self.now, &mut self.queue, &NoTransaction);
            if work.requests.is_empty() {
                return requests;
            }
            requests.extend(work.requests);
        }
    }

    fn send_one(&mut self) -> ProduceRequest<TestBatch> {
        let mut requests = self.drain();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    fn answer(&mut self, id: RequestId, answer: PartitionResponse) {
        let partitions = vec![(P0, answer)];
        let answer = ProduceOutcome::Responded {
            partitions,
            throttle: Duration::ZERO,
        };
        self.sender.handle_response(self.now, id, answer);
    }

    fn refuse(&mut self, id: RequestId, code: ErrorCode) {
        self.answer(id, PartitionResponse::of(code));
    }

    fn acknowledge(&mut self, id: RequestId) {
        let base_offset = Some(self.next_offset);
        self.next_offset += 100;
        self.answer(
            id,
            PartitionResponse {
                base_offset,
                ..PartitionResponse::of(ErrorCode::None)
            },
        );
    }

    fn lose(&mut self, id: RequestId) {
        self.sender
            .handle_response(self.now, id, ProduceOutcome::Unknown(cut()));
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    fn events(&mut self) -> Vec<Event<TestBatch>> {
        std::iter::from_fn(|| self.sender.poll_event()).collect()
    }
}

fn sequences(requests: &[ProduceRequest<TestBatch>]) -> Vec<(i16, i32)> {
    requests
        .iter()
        .flat_map(|r| &r.batches)
        .map(|b| (b.stamp.producer.producer_epoch.0, b.stamp.base_sequence.0))
        .collect()
}

#[test]
fn nothing_is_drained_before_there_is_a_producer_id() {
    let mut bench = Bench::new(config());
    bench.sender.identity = ProducerIdentity::NONE;
    bench.sender.identity_wanted = true;
    bench.put(1);
    let work = bench
        .sender
        .drain(bench.now, &mut bench.queue, &NoTransaction);
    assert!(work.requests.is_empty() && work.init_producer_id, "P-11");
}

#[test]
fn sequences_follow_the_record_counts_and_five_are_in_flight_after_the_first_answer() {
    let mut bench = Bench::new(config());
    for _ in 0..8 {
        bench.put(3);
    }
    let first = bench.send_one();
    assert_eq!(
        sequences(&[first]),
        [(0, 0)],
        "P-35: one until the connection has answered"
    );
    bench.acknowledge(RequestId(0));
    let pipelined = bench.drain();
    assert_eq!(
        sequences(&pipelined),
        [(0, 3), (0, 6), (0, 9), (0, 12), (0, 15)],
        "P-20, P-23"
    );
}

/// P-30.
#[test]
fn a_retry_keeps_its_sequence_and_goes_before_fresh_batches_one_at_a_time() {
    let mut bench = Bench::confirmed(config());
    for _ in 0..3 {
        bench.put(2);
    }
    let sent = bench.drain();
    let before = sequences(&sent);
    for request in &sent {
        bench.lose(request.id);
    }
    bench.put(2);
    assert!(bench.drain().is_empty(), "back-off first (P-41)");
    bench.wait(200);
    let again = bench.send_one();
    assert_eq!(
        sequences(std::slice::from_ref(&again)),
        before[..1],
        "P-21, P-31"
    );
    bench.acknowledge(again.id);
    assert_eq!(sequences(&[bench.send_one()]), before[1..2]);
}

#[test]
fn a_gap_left_by_an_earlier_batch_still_in_retry_is_no_loss() {
    let mut bench = Bench::confirmed(config());
    bench.put(1);
    bench.put(1);
    let sent = bench.drain();
    bench.refuse(sent[0].id, ErrorCode::NotEnoughReplicas);
    bench.refuse(sent[1].id, ErrorCode::OutOfOrderSequenceNumber);
    assert!(bench.events().is_empty(), "P-55");
    bench.wait(200);
    let again = bench.send_one();
    assert_eq!(sequences(std::slice::from_ref(&again)), [(0, 1)]);
    bench.acknowledge(again.id);
    assert_eq!(
        sequences(&bench.drain()),
        [(0, 2)],
        "same epoch, same sequence"
    );
}

#[test]
fn a_head_out_of_order_raises_the_epoch_and_numbers_from_zero() {
    let mut bench = Bench::confirmed(config());
    bench.put(4);
    bench.put(2);
    let sent = bench.drain();
    for request in &sent {
        bench.refuse(request.id, ErrorCode::OutOfOrderSequenceNumber);
    }
    let events = bench.events();
    assert!(
        matches!(events[..], [Event::DataLossSuspected { .. }]),
        "P-56: {events:?}"
    );
    bench.wait(200);
    let again = bench.send_one();
    assert_eq!(sequences(std::slice::from_ref(&again)), [(1, 0)], "P-60");
    bench.acknowledge(again.id);
    assert_eq!(sequences(&bench.drain()), [(1, 4)]);
}

#[test]
fn a_batch_refused_for_good_raises_the_epoch_only_when_its_followers_are_answered() {
    let mut bench = Bench::confirmed(config());
    let refused = bench.put(1);
    bench.put(1);
    let sent = bench.drain();
    bench.refuse(sent[0].id, ErrorCode::InvalidRecord);
    let events = bench.events();
    assert!(
        matches!(&events[..], [Event::Completed { batch, result: Err(failure), .. }]
            if batch.id == refused && failure.outcome == Outcome::NotAppended),
        "{events:?}"
    );
    assert!(
        bench.drain().is_empty(),
        "P-61: the follower is still on the wire"
    );
    bench.refuse(sent[1].id, ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(sequences(&bench.drain()), [(1, 0)]);
}

#[test]
fn a_refusal_after_an_attempt_of_unknown_fate_is_an_unknown_outcome() {
    let mut bench = Bench::confirmed(config());
    bench.put(1);
    let first = bench.send_one();
    bench.lose(first.id);
    bench.wait(200);
    let second = bench.send_one();
    bench.refuse(second.id, ErrorCode::InvalidRecord);
    let events = bench.events();
    assert!(
        matches!(&events[..], [Event::Completed { result: Err(f), .. }] if f.outcome == Outcome::Unknown),
        "P-52: {events:?}"
    );
    bench.put(1);
    assert_eq!(
        sequences(&bench.drain()),
        [(1, 0)],
        "P-74: nothing proved it, so the epoch rises"
    );
}

#[test]
fn a_deadline_on_the_wire_is_unknown_and_holds_the_partition_until_it_is_settled() {
    let mut bench = Bench::confirmed(config());
    bench.put(1);
    let sent = bench.send_one();
    bench.wait(120_000);
    bench.put(1);
    assert!(bench.drain().is_empty(), "P-73");
    let events = bench.events();
    assert!(
        matches!(&events[..], [Event::Completed { result: Err(f), .. }] if f.outcome == Outcome::Unknown),
        "P-75: {events:?}"
    );
    bench.acknowledge(sent.id);
    assert!(bench.events().is_empty(), "P-45: told once");
    assert_eq!(
        sequences(&bench.drain()),
        [(0, 2)],
        "the late answer settled it: no new epoch"
    );
}

#[test]
fn a_deadline_before_the_first_attempt_uses_no_sequence() {
    let mut bench = Bench::confirmed(config());
    bench.sender.on_disconnected(1);
    bench.put(1);
    bench.wait(120_000);
    assert!(bench.drain().is_empty());
    assert_eq!(bench.queue.1.len(), 1, "P-71");
    assert!(bench.events().is_empty());
    bench.sender.on_connected(1, 10);
    bench.put(1);
    assert_eq!(sequences(&bench.drain()), [(0, 1)]);
}

/// A copy of an unanswered attempt may arrive after the gap was noticed and before the new epoch.
#[test]
fn a_batch_with_an_unanswered_attempt_is_never_renumbered() {
    let mut bench = Bench::confirmed(config());
    bench.put(1);
    bench.put(1);
    let lost = bench.put(1);
    let sent = bench.drain();
    bench.refuse(sent[0].id, ErrorCode::InvalidRecord);
    bench.refuse(sent[1].id, ErrorCode::OutOfOrderSequenceNumber);
    bench.lose(sent[2].id);
    let renumbered = bench.send_one();
    assert_eq!(sequences(std::slice::from_ref(&renumbered)), [(1, 0)]);
    let events = bench.events();
    assert!(
        matches!(&events[..], [_, Event::Completed { batch, result: Err(failure), .. }]
            if batch.id == lost && failure.outcome == Outcome::Unknown),
        "P-61: {events:?}"
    );
}

/// P-13.
#[test]
fn another_partition_keeps_its_epoch_until_it_is_drained() {
    let mut bench = Bench::confirmed(config());
    let p1 = bench.sender.add_partition();
    bench.sender.set_leader(
        bench.now,
        p1,
        Some(Leader {
            broker: 2,
            leader_epoch: 1,
        }),
    );
    bench.sender.on_connected(2, 20);
    let batch = |id, created| TestBatch {
        id,
        records: 1,
        bytes: 10,
        created,
    };
    bench
        .queue
        .0
        .entry(p1)
        .or_default()
        .push_back(batch(1_000, bench.now));
    bench.sender.on_records(p1);
    let other = bench.send_one();
    bench.put(1);
    let own = bench.send_one();
    bench.refuse(own.id, ErrorCode::InvalidRecord);
    bench.put(1);
    assert_eq!(sequences(&bench.drain()), [(1, 0)]);
    bench
        .queue
        .0
        .entry(p1)
        .or_default()
        .push_back(batch(1_001, bench.now));
    assert!(
        bench.drain().is_empty(),
        "P-14: the batch of the old epoch is not answered yet"
    );
    let lost = ProduceOutcome::Unknown(cut());
    bench.sender.handle_response(bench.now, other.id, lost);
    bench.wait(200);
    let again = bench.send_one();
    assert_eq!(
        sequences(std::slice::from_ref(&again)),
        [(0, 0)],
        "its old identity to the end"
    );
    let answer = PartitionResponse {
        base_offset: Some(0),
        ..PartitionResponse::of(ErrorCode::None)
    };
    let answer = ProduceOutcome::Responded {
        partitions: vec![(p1, answer)],
        throttle: Duration::ZERO,
    };
    bench.sender.handle_response(bench.now, again.id, answer);
    assert_eq!(sequences(&bench.drain()), [(1, 0)]);
}

#[test]
fn an_epoch_that_is_used_up_asks_for_a_new_producer_id() {
    let mut bench = Bench::confirmed(config());
    bench.sender.set_identity(identity(i16::MAX));
    bench.put(1);
    let sent = bench.send_one();
    bench.refuse(sent.id, ErrorCode::InvalidRecord);
    bench.put(1);
    let work = bench
        .sender
        .drain(bench.now, &mut bench.queue, &NoTransaction);
    assert!(work.requests.is_empty() && work.init_producer_id, "P-62");
    let fresh = ProducerIdentity {
        producer_id: ProducerId(8),
        producer_epoch: ProducerEpoch(0),
    };
    bench.sender.set_identity(fresh);
    assert_eq!(bench.send_one().batches[0].stamp.producer, fresh);
}

#[test]
fn a_batch_may_straddle_the_end_of_the_sequence_space() {
    let mut bench = Bench::confirmed(config());
    bench.sender.partitions[P0].next_sequence = Sequence(i32::MAX - 1);
    bench.sender.partitions[P0].acknowledged_end = Sequence(i32::MAX - 1);
    bench.put(3);
    bench.put(2);
    let sent = bench.drain();
    assert_eq!(sequences(&sent), [(0, i32::MAX - 1), (0, 1)], "P-22");
    bench.acknowledge(sent[0].id);
    bench.refuse(sent[1].id, ErrorCode::OutOfOrderSequenceNumber);
    bench.wait(200);
    assert_eq!(
        sequences(&bench.drain()),
        [(1, 0)],
        "1 follows the wrap, so this is a real gap"
    );
}

#[test]
fn a_batch_too_large_is_cut_and_its_parts_cover_its_sequences() {
    let mut bench = Bench::confirmed(config());
    bench.put(5);
    bench.put(1);
    let sent = bench.drain();
    bench.refuse(sent[0].id, ErrorCode::MessageTooLarge);
    bench.refuse(sent[1].id, ErrorCode::OutOfOrderSequenceNumber);
    assert!(matches!(&bench.events()[..], [Event::Split { children, .. }] if children.len() == 2));
    for expected in [(0, 1), (0, 3), (0, 6)] {
        let part = bench.send_one();
        assert_eq!(sequences(std::slice::from_ref(&part)), [expected], "P-65");
        bench.acknowledge(part.id);
    }
    assert_eq!(bench.sender.unresolved_batches(), 0);
}

#[test]
fn a_single_record_too_large_is_refused() {
    let mut bench = Bench::confirmed(config());
    bench.put(1);
    let sent = bench.send_one();
    bench.refuse(sent.id, ErrorCode::MessageTooLarge);
    assert!(matches!(
        &bench.events()[..],
        [Event::Completed { result: Err(_), .. }]
    ));
}

#[test]
fn records_removed_by_retention_are_no_loss_of_the_ones_in_flight() {
    for (transactional, expected) in [(false, (1, 0)), (true, (0, 0))] {
        let mut bench = Bench::confirmed(SenderConfig {
            transactional,
            ..config()
        });
        bench.put(1);
        let sent = bench.send_one();
        let unknown = PartitionResponse::of(ErrorCode::UnknownProducerId);
        bench.answer(
            sent.id,
            PartitionResponse {
                log_start_offset: Some(9_999),
                ..unknown
            },
        );
        assert!(bench.events().is_empty(), "P-59c");
        assert_eq!(sequences(&bench.drain()), [expected]);
    }
}

/// T-43: the new epoch starts at 0.
#[test]
fn in_a_transaction_a_refused_batch_takes_its_followers_with_it() {
    let mut bench = Bench::confirmed(SenderConfig {
        transactional: true,
        ..config()
    });
    for _ in 0..3 {
        bench.put(1);
    }
    let sent = bench.drain();
    bench.refuse(sent[0].id, ErrorCode::InvalidRecord);
    bench.refuse(sent[1].id, ErrorCode::OutOfOrderSequenceNumber);
    bench.lose(sent[2].id);
    assert!(bench.drain().is_empty());
    let failed = bench.events().len();
    assert_eq!(
        (failed, bench.sender.unresolved_batches()),
        (3, 0),
        "T-34: all are definite"
    );
    bench.sender.set_identity(identity(1));
    bench.put(1);
    assert_eq!(sequences(&bench.drain()), [(1, 0)], "P-64");
}

#[test]
fn a_fatal_answer_ends_every_batch_and_nothing_is_sent_any_more() {
    let mut bench = Bench::confirmed(config());
    bench.put(1);
    bench.put(1);
    let sent = bench.drain();
    bench.refuse(sent[0].id, ErrorCode::ClusterAuthorizationFailed);
    let events = bench.events();
    assert_eq!(events.len(), 3, "{events:?}");
    assert!(
        matches!(events.first(), Some(Event::Fatal { .. })),
        "L-8: before anyone is told of a batch: {events:?}"
    );
    bench.put(1);
    assert!(bench.drain().is_empty());
}

#[test]
fn without_idempotence_batches_carry_no_sequence_and_one_in_flight_keeps_the_order() {
    let one = SenderConfig {
        idempotent: false,
        in_flight_max: 1,
        ..config()
    };
    let mut bench = Bench::new(one);
    bench.put(1);
    bench.put(1);
    let sent = bench.send_one();
    assert_eq!(sent.batches[0].stamp.base_sequence, Sequence::NONE, "P-3");
    assert!(bench.drain().is_empty(), "P-34");
    bench.lose(sent.id);
    bench.wait(200);
    let again = bench.send_one();
    assert_eq!(again.batches[0].batch.id, sent.batches[0].batch.id);
}

#[test]
fn a_moved_leader_is_asked_at_once_when_its_epoch_is_newer() {
    let mut bench = Bench::confirmed(config());
    bench.put(1);
    let sent = bench.send_one();
    bench.refuse(sent.id, ErrorCode::NotLeaderOrFollower);
    let work = bench
        .sender
        .drain(bench.now, &mut bench.queue, &NoTransaction);
    assert!(work.refresh_metadata && work.requests.is_empty());
    bench.sender.on_connected(2, 20);
    let moved = Leader {
        broker: 2,
        leader_epoch: 4,
    };
    bench.sender.set_leader(bench.now, P0, Some(moved));
    assert_eq!(bench.send_one().broker, 2, "P-41: no back-off");
}

/// Epochs have run out, and the batch that was given up as unknown is of a producer id that nobody fences: it may
/// come late, and the model of the cluster has to know that.
#[test]
fn what_comes_late_of_an_older_producer_id_is_no_fault_of_the_sender() {
    let operations = [
        19, 181, 0, 190, 0, 26, 19, 229, 2, 0, 10, 18, 16, 21, 2, 0, 13, 145, 2, 0, 17, 0, 16, 98,
        21, 0, 0, 163, 15, 100, 2, 0, 5, 83,
    ];
    operations::run(&[&[64, 0], &operations[..]].concat(), Instant::now());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_fault_loses_repeats_or_reorders_a_batch(
        mode: u8,
        limits: u8,
        operations in proptest::collection::vec(any::<[u8; 2]>(), 1..200),
    ) {
        let data = [vec![mode, limits], operations.concat()].concat();
        operations::run(&data, Instant::now());
    }
}
