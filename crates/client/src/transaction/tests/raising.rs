//! When the client raises the epoch between two transactions (§2.10).

use super::*;

/// The outcome comes only with the new epoch (T-62), asked for with the old one (T-42, T-44).
#[track_caller]
fn raises(txn: &mut Txn, operation: Operation) {
    txn.no_outcome(operation);
    let call = txn.call();
    assert_eq!(*call.versions.start(), 3);
    let Request::InitProducerId { producer, .. } = call.request else {
        panic!("{call:?}")
    };
    assert_eq!(producer, identity(7, 0));
    txn.initialized(identity(7, 1));
    txn.outcome(operation).unwrap();
    assert_eq!(txn.identities().last(), Some(&identity(7, 1)));
    assert_eq!(txn.state(), State::Ready);
    txn.idle();
}

/// T-80, T-82, S-50.
#[test]
fn an_abortable_error_of_the_first_protocol_is_followed_by_a_new_epoch() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.machine.batch_failed(
        broker_error(ErrorCode::InvalidRecord),
        BatchOutcome::NotAppended,
    );
    txn.end(Direction::Abort);
    txn.ended();
    raises(&mut txn, Operation::Abort);
}

/// T-81, L-4, L-29: a batch given up while the transaction was being aborted may yet arrive.
#[test]
fn a_batch_of_unknown_fate_is_shut_out_of_the_next_transaction() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.machine.abort().unwrap();
    txn.machine.batch_failed(
        broker_error(ErrorCode::RequestTimedOut),
        BatchOutcome::Unknown,
    );
    txn.asks(Api::EndTxn);
    txn.ended();
    raises(&mut txn, Operation::Abort);
}

/// T-65, T-84, KAFKA-17754: a late copy of an EndTxn would end the next transaction.
#[test]
fn an_end_in_doubt_is_shut_out_of_the_next_transaction() {
    for direction in [Direction::Commit, Direction::Abort] {
        let mut txn = Txn::written(TransactionVersion::One);
        txn.end(direction);
        txn.machine.handle_end_txn(Reply::Ambiguous, txn.now);
        txn.asks(Api::FindCoordinator);
        txn.found(CoordinatorKind::Transaction, COORDINATOR);
        txn.asks(Api::EndTxn);
        txn.ended();
        raises(&mut txn, direction.operation());
    }
}

/// T-65: a late copy of a registration would open a transaction of its own.
#[test]
fn a_registration_in_doubt_is_shut_out_of_the_next_transaction() {
    let mut txn = Txn::one();
    txn.machine.begin().unwrap();
    txn.machine.partition_touched(&partition(0)).unwrap();
    txn.asks(Api::AddPartitionsToTxn);
    txn.machine.handle_add_partitions(Reply::Ambiguous, txn.now);
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Transaction, COORDINATOR);
    txn.asks(Api::AddPartitionsToTxn);
    txn.added(&[(0, ErrorCode::None)]);
    txn.end(Direction::Commit);
    txn.ended();
    raises(&mut txn, Operation::Commit);
}

/// T-65 for offsets, at either coordinator.
#[test]
fn offsets_in_doubt_are_shut_out_of_the_next_transaction() {
    for at_group in [false, true] {
        let mut txn = Txn::one();
        txn.machine.begin().unwrap();
        txn.machine
            .send_offsets(group("g", true), vec![offset(0, 1)])
            .unwrap();
        txn.asks(Api::AddOffsetsToTxn);
        if !at_group {
            txn.machine.handle_add_offsets(Reply::Ambiguous, txn.now);
            txn.asks(Api::FindCoordinator);
            txn.found(CoordinatorKind::Transaction, COORDINATOR);
            txn.asks(Api::AddOffsetsToTxn);
        }
        txn.machine.handle_add_offsets(Reply::Answered(()), txn.now);
        txn.asks(Api::FindCoordinator);
        txn.found(CoordinatorKind::Group, GROUP_COORDINATOR);
        txn.asks(Api::TxnOffsetCommit);
        if at_group {
            txn.machine
                .handle_txn_offset_commit(Reply::Ambiguous, txn.now);
            txn.asks(Api::FindCoordinator);
            txn.found(CoordinatorKind::Group, GROUP_COORDINATOR);
            txn.asks(Api::TxnOffsetCommit);
        }
        let results = vec![(partition(0), ErrorCode::None)];
        txn.machine
            .handle_txn_offset_commit(Reply::Answered(results), txn.now);
        txn.end(Direction::Commit);
        txn.ended();
        raises(&mut txn, Operation::Commit);
    }
}

/// L-2: an answer can leave as much in doubt as none.
#[test]
fn an_end_answered_as_perhaps_applied_is_in_doubt_too() {
    for code in [
        ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotCoordinator,
        ErrorCode::RequestTimedOut,
        ErrorCode::UnknownServerError,
    ] {
        let mut txn = Txn::written(TransactionVersion::One);
        txn.end(Direction::Commit);
        txn.end_refused(code);
        if txn.ask().api() == Api::FindCoordinator {
            txn.found(CoordinatorKind::Transaction, COORDINATOR);
            txn.asks(Api::EndTxn);
        }
        txn.ended();
        raises(&mut txn, Operation::Commit);
    }
}

/// Nothing in doubt, nothing raised: one request less for each transaction.
#[test]
fn an_undoubted_transaction_keeps_its_epoch() {
    for code in [
        ErrorCode::ConcurrentTransactions,
        ErrorCode::CoordinatorLoadInProgress,
    ] {
        let mut txn = Txn::written(TransactionVersion::One);
        txn.end(Direction::Commit);
        txn.end_refused(code);
        txn.asks(Api::EndTxn);
        txn.ended();
        txn.outcome(Operation::Commit).unwrap();
        txn.idle();
    }
}

/// T-65 does not apply where EndTxn raises the epoch itself.
#[test]
fn the_second_protocol_raises_no_epoch_of_its_own() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.machine.batch_failed(
        broker_error(ErrorCode::RequestTimedOut),
        BatchOutcome::Unknown,
    );
    txn.end(Direction::Abort);
    txn.machine.handle_end_txn(Reply::Ambiguous, txn.now);
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Transaction, COORDINATOR);
    txn.asks(Api::EndTxn);
    txn.ended();
    txn.outcome(Operation::Abort).unwrap();
    txn.idle();
}

/// T-82: the coordinator has forgotten the producer.
#[test]
fn an_unknown_producer_id_on_the_abort_raises_the_epoch() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.end(Direction::Abort);
    txn.end_refused(ErrorCode::UnknownProducerId);
    raises(&mut txn, Operation::Abort);
}

/// T-83: a broker that cannot raise an epoch. With definite results a plain abort will do.
#[test]
fn without_a_way_to_raise_the_epoch_a_plain_abort_needs_definite_results() {
    let old = ClusterFacts {
        init_producer_id_max: Some(2),
        ..facts(TransactionVersion::One)
    };
    let mut txn = Txn::written(TransactionVersion::One);
    txn.machine.observe(old);
    txn.machine.batch_failed(
        broker_error(ErrorCode::InvalidRecord),
        BatchOutcome::NotAppended,
    );
    assert_eq!(txn.state(), State::AbortableError);
    txn.end(Direction::Abort);
    txn.ended();
    txn.outcome(Operation::Abort).unwrap();
    assert_eq!(txn.state(), State::Ready);

    let mut txn = Txn::written(TransactionVersion::One);
    txn.machine.observe(old);
    txn.machine.batch_failed(
        broker_error(ErrorCode::RequestTimedOut),
        BatchOutcome::Unknown,
    );
    assert_eq!(txn.state(), State::Fatal);
}

/// T-83, T-65: the commit is durable and says so; but no further transaction would be safe.
#[test]
fn without_a_way_to_raise_the_epoch_a_doubt_ends_the_producer_after_the_truth_is_told() {
    let mut txn = Txn::written(TransactionVersion::One);
    let old = ClusterFacts {
        init_producer_id_max: Some(2),
        ..facts(TransactionVersion::One)
    };
    txn.machine.observe(old);
    txn.end(Direction::Commit);
    txn.machine.handle_end_txn(Reply::Ambiguous, txn.now);
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Transaction, COORDINATOR);
    txn.asks(Api::EndTxn);
    txn.ended();
    txn.outcome(Operation::Commit).unwrap();
    assert_eq!(txn.state(), State::Fatal);
    assert!(txn.machine.begin().unwrap_err().is_fatal());
}

/// T-62: fenced after a durable commit: the commit did happen.
#[test]
fn a_fence_while_the_epoch_is_raised_does_not_take_the_commit_back() {
    for (code, state) in [
        (ErrorCode::ProducerFenced, State::Fenced),
        (ErrorCode::TransactionalIdAuthorizationFailed, State::Fatal),
    ] {
        let mut txn = Txn::written(TransactionVersion::One);
        txn.end(Direction::Commit);
        txn.end_refused(ErrorCode::RequestTimedOut);
        txn.asks(Api::EndTxn);
        txn.ended();
        txn.asks(Api::InitProducerId);
        txn.init_refused(code);
        assert_eq!(txn.state(), state);
        txn.outcome(Operation::Commit).unwrap();
    }
}

/// T-42: the repetition is harmless by itself, but a copy that arrives while the next transaction is open
/// would abort that. One epoch more makes the copy too old.
#[test]
fn a_raise_in_doubt_is_followed_by_another() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.end(Direction::Commit);
    txn.end_refused(ErrorCode::RequestTimedOut);
    txn.asks(Api::EndTxn);
    txn.ended();
    txn.asks(Api::InitProducerId);
    txn.machine
        .handle_init_producer_id(Reply::Ambiguous, txn.now);
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Transaction, COORDINATOR);
    txn.asks(Api::InitProducerId);
    txn.initialized(identity(7, 1));
    txn.no_outcome(Operation::Commit);
    let Request::InitProducerId { producer, .. } = txn.ask() else {
        panic!()
    };
    assert_eq!(producer, identity(7, 1));
    txn.initialized(identity(7, 2));
    txn.outcome(Operation::Commit).unwrap();
    assert_eq!(txn.machine.identity(), identity(7, 2));
}

/// P-26: an epoch that did not rise would let sequences start again at 0 under it.
#[test]
fn a_raise_that_raises_nothing_is_fatal() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.machine.batch_failed(
        broker_error(ErrorCode::InvalidRecord),
        BatchOutcome::NotAppended,
    );
    txn.end(Direction::Abort);
    txn.ended();
    txn.asks(Api::InitProducerId);
    txn.initialized(identity(7, 0));
    assert_eq!(txn.state(), State::Fatal);
    assert!(txn.identities().is_empty());
}

/// P-63: epochs run out; the coordinator gives another producer id.
#[test]
fn a_raise_may_bring_another_producer_id() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.machine.batch_failed(
        broker_error(ErrorCode::InvalidRecord),
        BatchOutcome::NotAppended,
    );
    txn.end(Direction::Abort);
    txn.ended();
    txn.asks(Api::InitProducerId);
    txn.initialized(identity(11, 0));
    txn.outcome(Operation::Abort).unwrap();
    assert_eq!(txn.identities(), [identity(11, 0)]);
}
