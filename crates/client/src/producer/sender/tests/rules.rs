//! One rule at a time, on one partition.

use std::fmt::Write as _;

use super::super::super::sender::failure::Place;
use super::*;

fn completed(events: &[Event<TestBatch>]) -> Vec<(u64, Result<Option<i64>, Outcome>)> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Completed { batch, result, .. } => {
                let result = result.as_ref().map(|appended| appended.base_offset);
                Some((batch.id, result.map_err(|failure| failure.outcome)))
            }
            Event::Split { .. } | Event::DataLossSuspected { .. } | Event::Fatal { .. } => None,
        })
        .collect()
}

fn retries(retries_max: u32) -> SenderConfig {
    SenderConfig {
        retries_max,
        ..config()
    }
}

fn in_transaction() -> SenderConfig {
    SenderConfig {
        transactional: true,
        ..config()
    }
}

/// P-5, P-6: however many batches wait, a request has one of each partition, of one producer.
#[test]
fn a_request_has_one_batch_of_each_partition() {
    let mut bench = Bench::confirmed(in_transaction());
    let p1 = bench.sender.add_partition();
    bench.sender.set_leader(bench.now, p1, Some(LEADER));
    for _ in 0..4 {
        bench.put(1);
        let batch = TestBatch {
            id: 1_000,
            records: 1,
            bytes: 10,
            created: bench.now,
        };
        bench.queue.0.entry(p1).or_default().push_back(batch);
    }
    bench.sender.on_records(p1);
    let sent = bench.drain();
    assert!(sent.len() >= 4);
    for request in sent {
        let mut partitions: Vec<_> = request.batches.iter().map(|b| b.partition).collect();
        partitions.dedup();
        assert_eq!(partitions.len(), request.batches.len());
        let producers = request.batches.iter().map(|b| b.stamp.producer);
        assert!(producers.eq(vec![identity(0); request.batches.len()]));
    }
}

/// P-32: what comes out of order is recorded; P-33, P-53: it proves the earlier batch, whose place the broker
/// no longer knows.
#[test]
fn a_success_behind_an_unanswered_batch_counts_and_proves_the_earlier_one() {
    let mut bench = Bench::confirmed(config());
    let (first, second) = (bench.put(1), bench.put(1));
    let sent = bench.drain();
    bench.lose(sent[0].id);
    bench.acknowledge(sent[1].id);
    assert_eq!(completed(&bench.events()), [(second, Ok(Some(100)))]);
    bench.wait(200);
    let again = bench.send_one();
    bench.refuse(again.id, ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(completed(&bench.events()), [(first, Ok(None))]);
    bench.put(1);
    assert_eq!(sequences(&bench.drain()), [(0, 3)], "no new epoch");
}

/// P-53: the broker recognised the second attempt.
#[test]
fn a_duplicate_is_a_success() {
    let mut bench = Bench::confirmed(config());
    let batch = bench.put(1);
    let sent = bench.send_one();
    bench.lose(sent.id);
    bench.wait(200);
    let again = bench.send_one();
    bench.refuse(again.id, ErrorCode::DuplicateSequenceNumber);
    assert_eq!(completed(&bench.events()), [(batch, Ok(None))]);
}

/// P-53: a copy may have been pushed out of what the broker remembers.
#[test]
fn out_of_order_after_an_unanswered_attempt_is_an_unknown_outcome() {
    let mut bench = Bench::confirmed(config());
    let batch = bench.put(1);
    let sent = bench.send_one();
    bench.lose(sent.id);
    bench.wait(200);
    let again = bench.send_one();
    bench.refuse(again.id, ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(completed(&bench.events()), [(batch, Err(Outcome::Unknown))]);
}

/// P-25.
#[test]
fn the_last_acknowledged_offset_never_goes_back() {
    let mut bench = Bench::confirmed(config());
    bench.put(2);
    bench.put(2);
    let sent = bench.drain();
    for (request, base_offset) in [(&sent[1], Some(500)), (&sent[0], Some(100))] {
        bench.answer(
            request.id,
            PartitionResponse {
                base_offset,
                ..PartitionResponse::of(ErrorCode::None)
            },
        );
    }
    let state = &bench.sender.partitions[P0];
    assert_eq!(state.last_acknowledged_offset, Some(501));
    assert_eq!(state.acknowledged_end, Sequence(5));
}

/// P-36: the follower was not at fault.
#[test]
fn a_follower_behind_a_retried_head_uses_up_no_attempt() {
    let mut bench = Bench::confirmed(retries(1));
    bench.put(1);
    bench.put(1);
    let sent = bench.drain();
    bench.refuse(sent[1].id, ErrorCode::OutOfOrderSequenceNumber);
    bench.refuse(sent[0].id, ErrorCode::NotEnoughReplicas);
    for expected in [(0, 1), (0, 2)] {
        bench.wait(200);
        let again = bench.send_one();
        assert_eq!(sequences(std::slice::from_ref(&again)), [expected]);
        bench.acknowledge(again.id);
    }
    assert!(
        completed(&bench.events())
            .iter()
            .all(|(_, result)| result.is_ok())
    );
}

/// P-40, P-51: what the attempts prove is what is told.
#[test]
fn a_batch_is_given_up_when_its_retries_are_used_up() {
    for (code, outcome) in [
        (ErrorCode::NotEnoughReplicas, Outcome::NotAppended),
        (ErrorCode::NotEnoughReplicasAfterAppend, Outcome::Unknown),
    ] {
        let mut bench = Bench::confirmed(retries(1));
        let batch = bench.put(1);
        for attempt in 0..2 {
            bench.wait(200);
            let sent = bench.send_one();
            assert_eq!(sequences(std::slice::from_ref(&sent)), [(0, 1)]);
            assert!(bench.events().is_empty(), "attempt {attempt}");
            bench.refuse(sent.id, code);
        }
        assert_eq!(completed(&bench.events()), [(batch, Err(outcome))]);
    }
}

/// P-50: the follower can't be appended behind the gap and is numbered anew.
#[test]
fn a_batch_refused_for_good_leaves_a_gap_that_its_follower_closes() {
    let mut bench = Bench::confirmed(config());
    bench.put(3);
    let follower = bench.put(1);
    let sent = bench.drain();
    bench.refuse(sent[0].id, ErrorCode::RecordListTooLarge);
    bench.refuse(sent[1].id, ErrorCode::OutOfOrderSequenceNumber);
    let again = bench.send_one();
    assert_eq!(again.batches[0].batch.id, follower);
    assert_eq!(sequences(std::slice::from_ref(&again)), [(1, 0)]);
    assert!(
        !bench
            .events()
            .iter()
            .any(|event| matches!(event, Event::DataLossSuspected { .. }))
    );
}

/// P-51, P-73, P-74: nothing is numbered anew on a doubt, and a later success ends the doubt.
#[test]
fn a_doubtful_batch_holds_fresh_ones_until_a_later_success_proves_it() {
    let mut bench = Bench::confirmed(retries(0));
    let (doubtful, follower) = (bench.put(1), bench.put(1));
    let sent = bench.drain();
    bench.lose(sent[0].id);
    assert_eq!(
        completed(&bench.events()),
        [(doubtful, Err(Outcome::Unknown))]
    );
    bench.put(1);
    assert!(bench.drain().is_empty());
    bench.acknowledge(sent[1].id);
    assert_eq!(completed(&bench.events()), [(follower, Ok(Some(100)))]);
    assert_eq!(sequences(&bench.drain()), [(0, 3)]);
}

/// P-57: right behind the doubtful batch: it is not in the log, and that is no new loss.
#[test]
fn out_of_order_right_behind_a_doubtful_batch_raises_the_epoch_or_fails_the_transaction() {
    for transactional in [false, true] {
        let mut bench = Bench::confirmed(SenderConfig {
            transactional,
            ..retries(0)
        });
        bench.put(1);
        let follower = bench.put(1);
        let sent = bench.drain();
        bench.lose(sent[0].id);
        bench.events();
        bench.refuse(sent[1].id, ErrorCode::OutOfOrderSequenceNumber);
        let events = bench.events();
        let refused = [(follower, Err(Outcome::NotAppended))];
        let expected = if transactional { &refused[..] } else { &[] };
        assert_eq!(completed(&events), expected, "{events:?}");
        assert_eq!(events.len(), expected.len(), "no further loss: {events:?}");
        bench.wait(200);
        let sent = bench.drain();
        let expected: &[_] = if transactional { &[] } else { &[(1, 0)] };
        assert_eq!(sequences(&sent), expected);
    }
}

/// L-26, P-41: each attempt raises the epoch, so it must not be made as fast as the broker answers.
#[test]
fn a_broker_that_always_answers_out_of_order_is_asked_ever_more_slowly_and_given_up() {
    let mut bench = Bench::confirmed(retries(3));
    let batch = bench.put(1);
    for millis in [100, 200, 400] {
        let sent = bench.send_one();
        bench.refuse(sent.id, ErrorCode::OutOfOrderSequenceNumber);
        bench.wait(millis * 3 / 4);
        assert!(bench.drain().is_empty(), "within {millis} ms");
        bench.wait(millis * 2 / 4);
    }
    assert!(completed(&bench.events()).is_empty());
    let sent = bench.send_one();
    bench.refuse(sent.id, ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(
        completed(&bench.events()),
        [(batch, Err(Outcome::NotAppended))]
    );
}

/// P-58.
#[test]
fn out_of_order_further_behind_a_doubtful_batch_waits() {
    let mut bench = Bench::confirmed(retries(0));
    for _ in 0..3 {
        bench.put(1);
    }
    let sent = bench.drain();
    bench.lose(sent[0].id);
    bench.events();
    bench.refuse(sent[2].id, ErrorCode::OutOfOrderSequenceNumber);
    assert!(bench.events().is_empty() && bench.drain().is_empty());
    bench.acknowledge(sent[1].id);
    assert_eq!(sequences(&bench.drain()), [(0, 3)], "the same sequence");
}

/// P-59a.
#[test]
fn an_unknown_producer_without_a_log_start_is_asked_again() {
    let mut bench = Bench::confirmed(config());
    bench.put(1);
    let sent = bench.send_one();
    bench.refuse(sent.id, ErrorCode::UnknownProducerId);
    assert!(bench.events().is_empty() && bench.drain().is_empty());
    bench.wait(200);
    assert_eq!(sequences(&bench.drain()), [(0, 1)]);
}

/// P-59b: batches on the wire keep their numbers; whoever comes back behind a gap is numbered anew in silence.
#[test]
fn an_unknown_producer_behind_a_gap_is_no_second_loss() {
    let mut bench = Bench::confirmed(config());
    bench.put(1);
    bench.put(1);
    let sent = bench.drain();
    bench.refuse(sent[0].id, ErrorCode::InvalidRecord);
    bench.events();
    assert!(bench.drain().is_empty(), "the second is on the wire");
    bench.answer(
        sent[1].id,
        PartitionResponse {
            log_start_offset: Some(0),
            ..PartitionResponse::of(ErrorCode::UnknownProducerId)
        },
    );
    assert!(bench.events().is_empty());
    assert_eq!(sequences(&bench.drain()), [(1, 0)]);
}

/// P-59d: our records are still in the log, the state is not.
#[test]
fn an_unknown_producer_with_its_records_in_the_log_raises_the_epoch_or_fails_the_transaction() {
    for transactional in [false, true] {
        let mut bench = Bench::confirmed(SenderConfig {
            transactional,
            ..config()
        });
        let batch = bench.put(1);
        let sent = bench.send_one();
        bench.answer(
            sent.id,
            PartitionResponse {
                log_start_offset: Some(0),
                ..PartitionResponse::of(ErrorCode::UnknownProducerId)
            },
        );
        let told = completed(&bench.events());
        bench.wait(200);
        let sent = bench.drain();
        if transactional {
            assert_eq!(told, [(batch, Err(Outcome::NotAppended))]);
            assert!(sent.is_empty());
        } else {
            assert!(told.is_empty());
            assert_eq!(sequences(&sent), [(1, 0)]);
        }
    }
}

/// P-66: nobody waits for the parts; a flush waits for those of a batch that is open.
#[test]
fn a_batch_that_was_told_is_not_cut_and_the_parts_of_an_open_one_are_waited_for() {
    let mut bench = Bench::confirmed(config());
    bench.put(4);
    let sent = bench.send_one();
    bench.refuse(sent.id, ErrorCode::MessageTooLarge);
    assert!(matches!(bench.events()[..], [Event::Split { .. }]));
    assert_eq!(bench.sender.unresolved_batches(), 2);

    let mut bench = Bench::confirmed(config());
    let batch = bench.put(4);
    let sent = bench.send_one();
    bench.wait(120_000);
    bench.drain();
    bench.refuse(sent.id, ErrorCode::MessageTooLarge);
    assert_eq!(completed(&bench.events()), [(batch, Err(Outcome::Unknown))]);
    assert_eq!(bench.sender.unresolved_batches(), 0);
}

/// A batch of four records, rejected as too large at its second attempt; the response to the first was lost.
fn split_in_doubt(config: SenderConfig) -> (Bench, u64) {
    let mut bench = Bench::confirmed(config);
    let batch = bench.put(4);
    let sent = bench.send_one();
    bench.lose(sent.id);
    bench.wait(200);
    let again = bench.send_one();
    assert_eq!(sequences(std::slice::from_ref(&again)), [(0, 1)], "P-21");
    bench.refuse(again.id, ErrorCode::MessageTooLarge);
    let events = bench.events();
    assert!(matches!(events[..], [Event::Split { .. }]), "{events:?}");
    (bench, batch)
}

/// P-67: the leader judges sizes before sequences, so the parts are in sequence exactly if the batch is not in the log.
#[test]
fn a_batch_too_large_whose_first_response_was_lost_is_split_under_its_own_sequences() {
    let (mut bench, batch) = split_in_doubt(config());
    let first = bench.send_one();
    assert_eq!(sequences(std::slice::from_ref(&first)), [(0, 1)]);
    bench.acknowledge(first.id);
    let second = bench.send_one();
    assert_eq!(sequences(std::slice::from_ref(&second)), [(0, 3)]);
    // The first part is in the log in the place of the batch, so nothing of the second can be in it yet.
    bench.refuse(second.id, ErrorCode::InvalidRecord);
    let results = completed(&bench.events());
    assert_eq!(
        results,
        [
            (batch, Ok(Some(100))),
            (batch + 1, Err(Outcome::NotAppended))
        ]
    );
}

/// P-67, P-61: the topic took larger batches when the first attempt reached it.
#[test]
fn the_parts_of_a_batch_that_was_appended_before_the_limit_fell_are_unknown_and_not_appended_again()
{
    for transactional in [false, true] {
        let (mut bench, batch) = split_in_doubt(SenderConfig {
            transactional,
            ..config()
        });
        let first = bench.send_one();
        bench.refuse(first.id, ErrorCode::OutOfOrderSequenceNumber);
        bench.wait(120_000);
        assert!(bench.drain().is_empty(), "nothing is sent again");
        let results = completed(&bench.events());
        let unknown = Err(Outcome::Unknown);
        assert_eq!(results, [(batch, unknown), (batch + 1, unknown)]);
    }
}

/// P-33: the sequences of the batch are used up, and only by itself.
#[test]
fn a_batch_too_large_that_a_later_success_proves_to_be_in_the_log_is_a_success() {
    let mut bench = Bench::confirmed(config());
    let batch = bench.put(4);
    bench.put(1);
    let sent = bench.drain();
    bench.lose(sent[0].id);
    bench.acknowledge(sent[1].id);
    bench.events();
    bench.wait(200);
    let again = bench.send_one();
    bench.refuse(again.id, ErrorCode::MessageTooLarge);
    assert_eq!(completed(&bench.events()), [(batch, Ok(None))]);
}

/// P-65: what was learnt of one batch spares the next ones a rejection at each size between.
#[test]
fn a_partition_remembers_the_size_that_its_leader_rejected() {
    let mut bench = Bench::confirmed(config());
    bench.put(4);
    let sent = bench.send_one();
    bench.refuse(sent.id, ErrorCode::MessageTooLarge);
    let sizes = |bench: &mut Bench| -> Vec<usize> {
        let events = bench.events().into_iter();
        let sizes = events.filter_map(|event| match event {
            Event::Split {
                partition,
                batch_bytes_max,
                ..
            } => Some((partition, batch_bytes_max)),
            Event::Completed { .. } | Event::DataLossSuspected { .. } | Event::Fatal { .. } => None,
        });
        sizes
            .map(|(partition, size)| {
                assert_eq!(partition, P0);
                size
            })
            .collect()
    };
    assert_eq!(sizes(&mut bench), [50], "half of the 100 bytes");
    let part = bench.send_one();
    bench.refuse(part.id, ErrorCode::MessageTooLarge);
    assert_eq!(sizes(&mut bench), [25]);
    let part = bench.send_one();
    bench.acknowledge(part.id);
    let part = bench.send_one();
    bench.acknowledge(part.id);
    let part = bench.send_one();
    bench.refuse(part.id, ErrorCode::MessageTooLarge);
    assert_eq!(sizes(&mut bench), [25], "and not half of that again");
}

/// P-24: a leader without state takes a sequence from anywhere. What every attempt rejected is not in the log.
#[test]
fn a_batch_whose_every_attempt_was_rejected_is_not_acknowledged_by_a_later_success() {
    let mut bench = Bench::confirmed(config());
    let batch = bench.put(1);
    bench.put(1);
    let sent = bench.drain();
    bench.refuse(sent[0].id, ErrorCode::NotEnoughReplicas);
    bench.acknowledge(sent[1].id);
    bench.events();
    bench.wait(200);
    let again = bench.send_one();
    bench.refuse(again.id, ErrorCode::OutOfOrderSequenceNumber);
    let results = completed(&bench.events());
    assert_eq!(results, [(batch, Err(Outcome::NotAppended))]);
}

/// P-40, P-70: each batch by its own age, though it has retries left; P-72: in retry it may be in the log, never sent it is not.
#[test]
fn deadlines_count_from_the_creation_of_each_batch() {
    let mut bench = Bench::confirmed(config());
    let sent_once = bench.put(1);
    let sent = bench.send_one();
    bench.lose(sent.id);
    bench.sender.set_leader(bench.now, P0, None);
    bench.wait(1_000);
    let younger = bench.put(1);
    bench.wait(119_000);
    bench.drain();
    assert_eq!(
        completed(&bench.events()),
        [(sent_once, Err(Outcome::Unknown))]
    );
    assert!(bench.queue.1.is_empty(), "the younger has a second left");
    bench.wait(1_000);
    bench.drain();
    let expired: Vec<_> = bench.queue.1.iter().map(|(batch, _)| batch.id).collect();
    assert_eq!(expired, [younger]);
}

/// P-76: what is on the wire may be in the log; what was rejected and waits for its retry is not.
#[test]
fn a_forced_close_reports_what_is_on_the_wire_as_unknown_and_sends_nothing_more() {
    let mut bench = Bench::confirmed(config());
    let waiting = bench.put(1);
    let on_wire = bench.put(1);
    let sent = bench.drain();
    bench.refuse(sent[0].id, ErrorCode::NotEnoughReplicas);
    let reason = Error::Closed {
        what: "the producer",
    };
    bench.sender.fail_all(bench.now, &Failure::ended(reason));
    assert_eq!(
        completed(&bench.events()),
        [
            (waiting, Err(Outcome::NotAppended)),
            (on_wire, Err(Outcome::Unknown))
        ]
    );
    bench.put(1);
    bench.wait(10_000);
    assert!(bench.drain().is_empty());
    bench.acknowledge(sent[1].id);
    assert!(bench.events().is_empty(), "reported once");
}

/// P-81: the old leader's answer arrives after its connection was given up.
#[test]
fn an_answer_of_the_old_leader_that_comes_late_changes_nothing() {
    let mut bench = Bench::confirmed(config());
    let batch = bench.put(1);
    let sent = bench.send_one();
    bench.lose(sent.id);
    bench.sender.on_connected(2, 20);
    let moved = Leader {
        broker: 2,
        leader_epoch: 4,
    };
    bench.sender.set_leader(bench.now, P0, Some(moved));
    let again = bench.send_one();
    assert_eq!(again.broker, 2);
    bench.acknowledge(sent.id);
    assert!(bench.events().is_empty());
    bench.acknowledge(again.id);
    assert_eq!(completed(&bench.events()), [(batch, Ok(Some(200)))]);
    assert_eq!(bench.sender.unresolved_batches(), 0);
}

/// P-83, L-12.
#[test]
fn a_topic_that_disappears_for_a_while_keeps_its_sequences() {
    let mut bench = Bench::confirmed(config());
    bench.put(1);
    bench.sender.set_leader(bench.now, P0, None);
    for _ in 0..3 {
        bench.wait(30_000);
        let work = bench
            .sender
            .drain(bench.now, &mut bench.queue, &NoTransaction);
        assert!(work.refresh_metadata && work.requests.is_empty());
    }
    bench.sender.set_leader(bench.now, P0, Some(LEADER));
    assert_eq!(sequences(&bench.drain()), [(0, 1)]);
}

/// L-5: the bump of one partition stalls no other, not even one that waits for its replicas.
#[test]
fn a_new_epoch_stalls_no_healthy_partition() {
    let mut bench = Bench::confirmed(config());
    let healthy = bench.sender.add_partition();
    let leader = Leader {
        broker: 2,
        leader_epoch: 1,
    };
    bench.sender.set_leader(bench.now, healthy, Some(leader));
    bench.sender.on_connected(2, 20);
    bench.put(1);
    let bad = bench.send_one();
    bench.refuse(bad.id, ErrorCode::InvalidRecord);
    let batch = TestBatch {
        id: 1_000,
        records: 1,
        bytes: 10,
        created: bench.now,
    };
    bench.queue.0.entry(healthy).or_default().push_back(batch);
    bench.sender.on_records(healthy);
    assert_eq!(bench.send_one().broker, 2, "at once");
}

/// L-9: five batches of one partition are on the wire, and come back in order.
#[test]
fn five_batches_of_a_partition_are_sent_again_in_order() {
    let mut bench = Bench::confirmed(config());
    for _ in 0..6 {
        bench.put(1);
    }
    let sent = bench.drain();
    assert_eq!(sent.len(), 5);
    for request in &sent {
        bench.lose(request.id);
    }
    bench.wait(1_000);
    let mut order = Vec::new();
    loop {
        let again = bench.drain();
        if again.is_empty() {
            break;
        }
        for request in again {
            order.push(request.batches[0].stamp.base_sequence.0);
            bench.acknowledge(request.id);
        }
    }
    assert_eq!(order, [1, 2, 3, 4, 5, 6]);
}

/// P-50: nothing of the batch reached a broker, so the end of its transaction need not raise the epoch, and without
/// counting on from its sequence the partition would wait for a new epoch for ever.
#[test]
fn in_a_transaction_the_sequence_of_a_batch_that_was_never_written_is_used_again() {
    let mut bench = Bench::confirmed(in_transaction());
    let unsent = bench.put(1);
    let sent = bench.send_one();
    assert_eq!(sequences(std::slice::from_ref(&sent)), [(0, 1)]);
    bench
        .sender
        .handle_response(bench.now, sent.id, ProduceOutcome::NotSent(cut()));
    bench.sender.on_disconnected(1);
    bench.wait(120_000);
    assert!(bench.drain().is_empty());
    assert_eq!(
        completed(&bench.events()),
        [(unsent, Err(Outcome::NotAppended))]
    );
    bench.sender.on_connected(1, 11);
    let next = bench.put(2);
    let sent = bench.send_one();
    assert_eq!(sequences(std::slice::from_ref(&sent)), [(0, 1)]);
    bench.acknowledge(sent.id);
    assert_eq!(completed(&bench.events()), [(next, Ok(Some(100)))]);
    bench.put(1);
    assert_eq!(sequences(&bench.drain()), [(0, 3)]);
}

/// P-26, P-74: what may be in the log is not numbered over, whoever was refused behind it; a new epoch is waited for.
#[test]
fn in_a_transaction_a_sequence_in_doubt_is_used_again_only_under_a_new_epoch() {
    let mut bench = Bench::confirmed(SenderConfig {
        transactional: true,
        ..retries(0)
    });
    let doubtful = bench.put(1);
    let follower = bench.put(1);
    let sent = bench.drain();
    bench.lose(sent[0].id);
    bench.refuse(sent[1].id, ErrorCode::InvalidRecord);
    let told = [
        (doubtful, Err(Outcome::Unknown)),
        (follower, Err(Outcome::NotAppended)),
    ];
    assert_eq!(completed(&bench.events()), told);
    bench.put(1);
    bench.wait(200);
    assert!(bench.drain().is_empty());
    bench.sender.set_identity(identity(1));
    assert_eq!(sequences(&bench.drain()), [(1, 0)]);
}

#[test]
fn without_idempotence_a_refusal_over_sequences_acknowledges_nothing() {
    let plain = SenderConfig {
        idempotent: false,
        ..config()
    };
    for code in [
        ErrorCode::OutOfOrderSequenceNumber,
        ErrorCode::UnknownProducerId,
    ] {
        let mut bench = Bench::new(plain.clone());
        let batch = bench.put(1);
        let sent = bench.send_one();
        bench.answer(
            sent.id,
            PartitionResponse {
                log_start_offset: Some(5),
                ..PartitionResponse::of(code)
            },
        );
        assert_eq!(
            completed(&bench.events()),
            [(batch, Err(Outcome::NotAppended))],
            "{code}"
        );
        bench.put(1);
        assert_eq!(bench.drain().len(), 1, "and the next one goes on");
    }
}

/// No partition waits for ever behind others that always have something to send.
#[test]
fn partitions_that_fill_every_request_leave_room_for_one_that_came_later() {
    let mut bench = Bench::new(SenderConfig {
        in_flight_max: 1,
        request_bytes_max: 1_100, // room for two batches
        ..config()
    });
    let partitions = [
        P0,
        bench.sender.add_partition(),
        bench.sender.add_partition(),
    ];
    for partition in partitions {
        bench.sender.set_leader(bench.now, partition, Some(LEADER));
    }
    let mut rounds_without = 0;
    for _ in 0..12 {
        for partition in partitions {
            bench.put_on(partition, 1);
        }
        let sent = bench.send_one();
        let answered =
            |b: &Outgoing<TestBatch>| (b.partition, PartitionResponse::of(ErrorCode::None));
        let last = sent.batches.iter().any(|b| b.partition == partitions[2]);
        rounds_without = if last { 0 } else { rounds_without + 1 };
        assert!(rounds_without < 3, "it starves");
        let answer = ProduceOutcome::Responded {
            partitions: sent.batches.iter().map(answered).collect(),
            throttle: Duration::ZERO,
        };
        bench.sender.handle_response(bench.now, sent.id, answer);
    }
}

#[test]
fn an_offset_beyond_all_offsets_does_not_stop_the_sender() {
    let mut bench = Bench::new(config());
    let batch = bench.put(3);
    let sent = bench.send_one();
    let answer = PartitionResponse {
        base_offset: Some(i64::MAX),
        ..PartitionResponse::of(ErrorCode::None)
    };
    bench.answer(sent.id, answer);
    assert_eq!(completed(&bench.events()), [(batch, Ok(Some(i64::MAX)))]);
}

fn error_of(failure: &Failure) -> Error {
    failure.to_error(&Place {
        topic: "orders".into(),
        partition: 0,
        age: Duration::from_secs(120),
        address_of: &|broker| Some(format!("k{broker}:9092").into()),
        trouble: None,
        name_of: &|_| ("payments".into(), 7),
    })
}

/// How a time-out of a bench's only batch reads, cause by cause.
fn timed_out(mut bench: Bench) -> String {
    bench.wait(130_000);
    bench.drain();
    let expired = std::mem::take(&mut bench.queue.1).into_iter();
    let expired = expired.map(|(_, obstacle)| Failure::delivery_timeout().after(obstacle));
    let failures = bench.events().into_iter().filter_map(|event| match event {
        Event::Completed {
            partition: P0,
            result,
            ..
        } => result.err(),
        Event::Completed { .. }
        | Event::Split { .. }
        | Event::DataLossSuspected { .. }
        | Event::Fatal { .. } => None,
    });
    let failures: Vec<_> = failures.chain(expired).collect();
    let [failure] = &failures[..] else {
        panic!("{failures:?}")
    };
    let error = error_of(failure);
    let mut chain = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        write!(chain, " <- {error}").unwrap();
        cause = error.source();
    }
    chain
}

fn trouble(what: &'static str) -> Arc<Error> {
    Arc::new(Error::misuse(what))
}

/// Each way in which the delivery timeout can pass: what stood in the way is the cause.
#[test]
fn every_delivery_timeout_names_what_stood_in_the_way() {
    type Way = (&'static str, fn(&mut Bench));
    let ways: [Way; 10] = [
        ("no producer id", |bench| {
            bench.sender.identity = ProducerIdentity::NONE;
            bench.sender.on_producer_id_failed(trouble("no id"));
        }),
        ("no metadata", |bench| {
            bench.sender.set_leader(bench.now, P0, None);
            bench
                .sender
                .on_metadata_refreshed(Some(trouble("no metadata")));
        }),
        ("no leader", |bench| {
            bench.sender.on_leader_missing(P0, trouble("no leader"));
        }),
        ("no connection", |bench| {
            bench.sender.on_disconnected(1);
            bench.sender.on_connect_failed(1, trouble("refused"));
        }),
        ("throttled", |bench| {
            bench.put_on(PartitionId(1), 1);
            let sent = bench.send_one();
            let answer = ProduceOutcome::Responded {
                partitions: vec![(PartitionId(1), PartitionResponse::of(ErrorCode::None))],
                throttle: Duration::from_secs(1_000),
            };
            bench.sender.handle_response(bench.now, sent.id, answer);
            bench.events();
        }),
        ("unanswered", |bench| {
            bench.put(1);
            bench.send_one();
        }),
        ("behind an unanswered request", |bench| {
            bench.put_on(PartitionId(1), 1);
            bench.send_one();
            bench.wait(100_000);
        }),
        ("rejected", |bench| {
            bench.put(1);
            let sent = bench.send_one();
            bench.refuse(sent.id, ErrorCode::NotEnoughReplicas);
        }),
        ("cut", |bench| {
            bench.put(1);
            let sent = bench.send_one();
            bench.sender.on_disconnected(1);
            bench.lose(sent.id);
        }),
        ("cut, and no connection since", |bench| {
            bench.put(1);
            let sent = bench.send_one();
            bench.sender.on_disconnected(1);
            bench.lose(sent.id);
            bench.sender.on_connect_failed(1, trouble("refused"));
        }),
    ];
    let mut report = String::new();
    for (name, prepare) in ways {
        let mut bench = Bench::new(SenderConfig {
            in_flight_max: 1,
            ..config()
        });
        let other = bench.sender.add_partition();
        bench.sender.set_leader(bench.now, other, Some(LEADER));
        prepare(&mut bench);
        if bench.sender.unresolved_batches() == 0 || name.starts_with("behind") {
            bench.put(1);
        }
        writeln!(report, "{name}: {}", timed_out(bench)).unwrap();
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!("obstacles", report));
}

/// P-54: whoever hears that the time ran out hears what stood in the way.
#[test]
fn a_batch_that_ran_out_of_time_tells_what_its_leader_said_last() {
    let mut bench = Bench::confirmed(config());
    bench.put(1);
    let sent = bench.send_one();
    bench.refuse(sent.id, ErrorCode::NotEnoughReplicas);
    bench.wait(120_000);
    bench.drain();
    let failures = bench.events().into_iter().filter_map(|event| match event {
        Event::Completed { result, .. } => result.err(),
        Event::Split { .. } | Event::DataLossSuspected { .. } | Event::Fatal { .. } => None,
    });
    let told: Vec<_> = failures.map(|failure| error_of(&failure)).collect();
    let [error] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(error.code(), Some(ErrorCode::NotEnoughReplicas));
    assert!(!error.is_outcome_unknown());
    assert!(!error.to_string().contains("before it was sent"), "{error}");
}
