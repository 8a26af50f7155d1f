//! AddPartitionsToTxn (§2.4, §2.6).

use super::*;

fn with_partition_asked_for() -> Txn {
    let mut txn = Txn::one();
    txn.machine.begin().unwrap();
    txn.machine.partition_touched(&partition(0)).unwrap();
    txn.asks(Api::AddPartitionsToTxn);
    txn
}

/// T-31.
#[test]
fn a_batch_waits_until_its_partition_is_added() {
    let mut txn = with_partition_asked_for();
    assert_eq!(
        txn.machine.may_send(&partition(0), txn.now),
        MaySend::WhenAdded
    );
    txn.added(&[(0, ErrorCode::None)]);
    assert_eq!(txn.machine.may_send(&partition(0), txn.now), MaySend::Now);
    let events = txn.events();
    let [Event::PartitionsAdded(added)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(*added, [partition(0)]);
    // Others, and other requests, do not hold it up.
    txn.machine.partition_touched(&partition(1)).unwrap();
    txn.asks(Api::AddPartitionsToTxn);
    assert_eq!(txn.machine.may_send(&partition(0), txn.now), MaySend::Now);
    assert_eq!(
        txn.machine.may_send(&partition(1), txn.now),
        MaySend::WhenAdded
    );
}

/// T-32, S-65: what appears while one request is out goes into the next, all of it.
#[test]
fn new_partitions_go_together_into_the_next_request() {
    let mut txn = with_partition_asked_for();
    for number in [3, 1, 2, 0] {
        txn.machine.partition_touched(&partition(number)).unwrap();
    }
    txn.added(&[(0, ErrorCode::None)]);
    let Request::AddPartitionsToTxn {
        partitions,
        producer,
    } = txn.ask()
    else {
        panic!()
    };
    assert_eq!(partitions, [partition(1), partition(2), partition(3)]);
    assert_eq!(producer, identity(7, 0));
    txn.added(&[
        (1, ErrorCode::None),
        (2, ErrorCode::None),
        (3, ErrorCode::None),
    ]);
    txn.machine.partition_touched(&partition(2)).unwrap();
    txn.idle();
}

/// P-90: under the second protocol the brokers add partitions by themselves.
#[test]
fn the_second_protocol_adds_no_partitions() {
    let mut txn = Txn::two();
    txn.machine.begin().unwrap();
    txn.machine.partition_touched(&partition(0)).unwrap();
    txn.idle();
    assert_eq!(txn.machine.may_send(&partition(0), txn.now), MaySend::Now);
}

/// L-23, T-68, S-57: the first registration meets the markers of the transaction before and is repeated
/// after about a millisecond; any later one meets something else.
#[test]
fn the_first_registration_is_repeated_at_once_and_later_ones_are_not() {
    let mut txn = with_partition_asked_for();
    txn.added(&[(0, ErrorCode::ConcurrentTransactions)]);
    let Output::WaitUntil(at) = txn.poll() else {
        panic!()
    };
    assert!(
        at - txn.now <= Duration::from_micros(1200),
        "{:?}",
        at - txn.now
    );
    txn.asks(Api::AddPartitionsToTxn);
    txn.added(&[(0, ErrorCode::None)]);
    txn.machine.partition_touched(&partition(1)).unwrap();
    txn.asks(Api::AddPartitionsToTxn);
    txn.added(&[(1, ErrorCode::ConcurrentTransactions)]);
    let Output::WaitUntil(at) = txn.poll() else {
        panic!()
    };
    assert!(at - txn.now >= Duration::from_millis(100));
}

/// §2.6: a topic that is not known everywhere yet.
#[test]
fn passing_errors_are_repeated() {
    for code in [
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::CoordinatorLoadInProgress,
        ErrorCode::RequestTimedOut,
        ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotCoordinator,
    ] {
        let mut txn = with_partition_asked_for();
        txn.added(&[(0, code)]);
        assert_eq!(txn.state(), State::InTransaction, "{code}");
        if txn.ask().api() == Api::FindCoordinator {
            txn.found(CoordinatorKind::Transaction, COORDINATOR);
            txn.asks(Api::AddPartitionsToTxn);
        }
    }
}

/// P-54, §2.6: what does not pass spoils the transaction.
#[test]
fn refused_partitions_leave_only_the_abort() {
    for code in [
        ErrorCode::TopicAuthorizationFailed,
        ErrorCode::OperationNotAttempted,
        ErrorCode::TransactionAbortable,
        ErrorCode::UnknownProducerId,
        ErrorCode::UnknownServerError,
        ErrorCode::Unknown(4711),
    ] {
        let mut txn = with_partition_asked_for();
        txn.added(&[(0, code)]);
        assert_eq!(txn.state(), State::AbortableError, "{code}");
        assert_eq!(txn.machine.commit().unwrap_err().code(), Some(code));
    }
}

/// §2.6, L-7.
#[test]
fn a_denied_id_and_a_wrong_state_are_fatal() {
    for code in [
        ErrorCode::TransactionalIdAuthorizationFailed,
        ErrorCode::InvalidTxnState,
    ] {
        let mut txn = with_partition_asked_for();
        txn.added(&[(0, code)]);
        assert_eq!(txn.state(), State::Fatal, "{code}");
        assert_eq!(txn.machine.stored_error().unwrap().code(), Some(code));
    }
}

/// T-50: the others only came along, whatever their place in the answer.
#[test]
fn the_partition_to_blame_decides_for_all() {
    let mut txn = Txn::one();
    txn.machine.begin().unwrap();
    for number in 0..3 {
        txn.machine.partition_touched(&partition(number)).unwrap();
    }
    txn.asks(Api::AddPartitionsToTxn);
    txn.added(&[
        (0, ErrorCode::OperationNotAttempted),
        (1, ErrorCode::UnknownTopicOrPartition),
        (2, ErrorCode::OperationNotAttempted),
    ]);
    assert_eq!(txn.state(), State::InTransaction);
    let Request::AddPartitionsToTxn { partitions, .. } = txn.ask() else {
        panic!()
    };
    assert_eq!(
        partitions.len(),
        3,
        "none was added, so all are asked for again"
    );
}

/// §2.6: all denied topics are named.
#[test]
fn every_denied_topic_is_named() {
    let mut txn = Txn::one();
    txn.machine.begin().unwrap();
    let topics = ["b", "a"].map(|topic| TopicPartition::new(topic, 0));
    for topic in &topics {
        txn.machine.partition_touched(topic).unwrap();
    }
    txn.asks(Api::AddPartitionsToTxn);
    let code = ErrorCode::TopicAuthorizationFailed;
    let results = topics.iter().map(|topic| (topic.clone(), code)).collect();
    txn.machine
        .handle_add_partitions(Reply::Answered(results), txn.now);
    let error = txn.machine.stored_error().unwrap();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("a, b"), "{cause}");
}

/// T-51, L-17, S-71: what was added before has data in it and must be ended.
#[test]
fn a_later_refusal_keeps_what_was_added_before() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.machine.partition_touched(&partition(1)).unwrap();
    txn.asks(Api::AddPartitionsToTxn);
    txn.added(&[(1, ErrorCode::TopicAuthorizationFailed)]);
    assert_eq!(
        txn.machine.may_send(&partition(0), txn.now),
        MaySend::RepetitionsOnly
    );
    assert_eq!(txn.machine.may_send(&partition(1), txn.now), MaySend::No);
    txn.end(Direction::Abort);
}

/// T-52, S-53: nothing was added and nothing is in doubt.
#[test]
fn a_refused_first_registration_needs_no_end() {
    let mut txn = with_partition_asked_for();
    txn.added(&[(0, ErrorCode::TopicAuthorizationFailed)]);
    txn.machine.abort().unwrap();
    // T-80, T-85: the epoch is raised at once.
    txn.asks(Api::InitProducerId);
    txn.initialized(identity(7, 1));
    txn.outcome(Operation::Abort).unwrap();
}

/// T-52, S-53: it may have been applied, so there may be something to end.
#[test]
fn a_registration_in_doubt_needs_an_end() {
    let mut txn = with_partition_asked_for();
    txn.machine.handle_add_partitions(Reply::Ambiguous, txn.now);
    txn.machine.abort().unwrap();
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Transaction, COORDINATOR);
    txn.asks(Api::EndTxn);
    // It was not applied: the coordinator has nothing to abort, and that is the abort's success.
    txn.end_refused(ErrorCode::InvalidTxnState);
    // T-65: but it may yet be.
    txn.asks(Api::InitProducerId);
    txn.initialized(identity(7, 1));
    txn.outcome(Operation::Abort).unwrap();
    assert_eq!(txn.state(), State::Ready);
}

/// T-36: what was not sent is not sent any more; what was is awaited.
#[test]
fn an_abort_drops_partitions_not_asked_for_and_awaits_those_asked_for() {
    let mut txn = with_partition_asked_for();
    txn.machine.partition_touched(&partition(1)).unwrap();
    txn.machine.abort().unwrap();
    txn.idle();
    txn.added(&[(0, ErrorCode::None)]);
    txn.asks(Api::EndTxn);
}

/// T-36: a registration that would have been repeated is not, and the abort does not wait for its
/// back-off.
#[test]
fn an_abort_does_not_wait_for_a_repetition() {
    let mut txn = with_partition_asked_for();
    txn.added(&[(0, ErrorCode::None)]);
    txn.machine.partition_touched(&partition(1)).unwrap();
    txn.asks(Api::AddPartitionsToTxn);
    txn.added(&[(1, ErrorCode::UnknownTopicOrPartition)]);
    txn.machine.abort().unwrap();
    assert!(matches!(txn.poll(), Output::Send(call) if call.request.api() == Api::EndTxn));
}

/// A broker that leaves partitions out of its answer is asked again, but not as fast as it answers (L-26).
#[test]
fn partitions_left_out_of_an_answer_are_asked_for_again_after_the_back_off() {
    let mut txn = Txn::one();
    txn.machine.begin().unwrap();
    txn.machine.partition_touched(&partition(0)).unwrap();
    txn.machine.partition_touched(&partition(1)).unwrap();
    txn.asks(Api::AddPartitionsToTxn);
    txn.added(&[(1, ErrorCode::None)]);
    assert!(matches!(txn.poll(), Output::WaitUntil(_)));
    let Request::AddPartitionsToTxn { partitions, .. } = txn.ask() else {
        panic!()
    };
    assert_eq!(partitions, [partition(0)]);
}

/// A request that was refused as a whole is refused for each.
#[test]
fn a_code_for_the_whole_request_counts_for_each_partition() {
    let mut txn = with_partition_asked_for();
    let reply = Reply::Refused(ErrorCode::ConcurrentTransactions);
    txn.machine.handle_add_partitions(reply, txn.now);
    txn.asks(Api::AddPartitionsToTxn);
    let reply = Reply::Refused(ErrorCode::TransactionalIdAuthorizationFailed);
    txn.machine.handle_add_partitions(reply, txn.now);
    assert_eq!(txn.state(), State::Fatal);
}
