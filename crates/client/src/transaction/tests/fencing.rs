//! Fences and the coordinator's own time-out, and how they are told apart (§2.9).

use super::*;

/// T-70: one code for both, so the abort decides: accepted.
#[test]
fn a_superseded_epoch_on_produce_is_abortable() {
    for version in VERSIONS {
        let mut txn = Txn::written(version);
        let cause = broker_error(ErrorCode::InvalidProducerEpoch);
        txn.machine.batch_failed(cause, BatchOutcome::NotAppended);
        assert_eq!(txn.state(), State::AbortableError);
        txn.end(Direction::Abort);
    }
}

/// T-71, P-94: timed out under the second protocol, the abort brings the next epoch.
#[test]
fn a_timed_out_transaction_of_the_second_protocol_is_aborted_and_the_producer_goes_on() {
    let mut txn = Txn::written(TransactionVersion::Two);
    let cause = broker_error(ErrorCode::InvalidProducerEpoch);
    txn.machine.batch_failed(cause, BatchOutcome::NotAppended);
    txn.end(Direction::Abort);
    txn.ended();
    txn.outcome(Operation::Abort).unwrap();
    assert_eq!(txn.identities(), [identity(7, 1)]);
    txn.write();
}

/// T-70, T-75: and fenced, the same abort says so.
#[test]
fn the_abort_of_a_fenced_producer_says_that_it_is_fenced() {
    let mut txn = Txn::written(TransactionVersion::Two);
    let cause = broker_error(ErrorCode::InvalidProducerEpoch);
    txn.machine.batch_failed(cause, BatchOutcome::NotAppended);
    txn.end(Direction::Abort);
    txn.end_refused(ErrorCode::ProducerFenced);
    assert_eq!(txn.state(), State::Fenced);
    assert!(txn.outcome(Operation::Abort).unwrap_err().is_fenced());
    txn.idle();
}

/// T-63: under the second protocol a refused epoch at the coordinator has one meaning.
#[test]
fn a_refused_epoch_at_the_coordinator_fences_the_second_protocol() {
    for code in [ErrorCode::ProducerFenced, ErrorCode::InvalidProducerEpoch] {
        let mut txn = Txn::written(TransactionVersion::Two);
        txn.end(Direction::Commit);
        txn.end_refused(code);
        assert_eq!(txn.state(), State::Fenced);
        let error = txn.outcome(Operation::Commit).unwrap_err();
        assert!(error.is_fenced());
        assert!(!error.is_outcome_unknown(), "no attempt was in doubt");
    }
}

/// T-71, KIP-588: under the first protocol it has two, and InitProducerId with the old epoch tells.
#[test]
fn a_fence_of_the_first_protocol_is_confirmed_before_it_is_told() {
    for code in [ErrorCode::ProducerFenced, ErrorCode::InvalidProducerEpoch] {
        for direction in [Direction::Commit, Direction::Abort] {
            let mut txn = Txn::written(TransactionVersion::One);
            txn.end(direction);
            txn.end_refused(code);
            txn.no_outcome(direction.operation());
            let request = txn.asks(Api::InitProducerId);
            let Request::InitProducerId { producer, .. } = request else {
                panic!()
            };
            assert_eq!(producer, identity(7, 0), "T-44");
            txn.init_refused(ErrorCode::ProducerFenced);
            assert_eq!(txn.state(), State::Fenced);
            assert!(txn.outcome(direction.operation()).unwrap_err().is_fenced());
            txn.idle();
        }
    }
}

/// T-71: it was the coordinator's time-out; the commit failed for certain, and the abort has nothing left
/// to do but to adopt the epoch.
#[test]
fn a_commit_after_a_timeout_of_the_first_protocol_can_be_aborted() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.end(Direction::Commit);
    txn.end_refused(ErrorCode::ProducerFenced);
    txn.asks(Api::InitProducerId);
    txn.initialized(identity(7, 1));
    let error = txn.outcome(Operation::Commit).unwrap_err();
    assert!(error.is_abortable(), "{error:?}");
    assert!(
        txn.identities().is_empty(),
        "the transaction is still open here"
    );
    txn.machine.abort().unwrap();
    txn.idle();
    txn.outcome(Operation::Abort).unwrap();
    assert_eq!(txn.identities(), [identity(7, 1)]);
    txn.write();
}

/// T-71: the same for an abort, in one step.
#[test]
fn an_abort_after_a_timeout_of_the_first_protocol_succeeds() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.end(Direction::Abort);
    txn.end_refused(ErrorCode::ProducerFenced);
    txn.asks(Api::InitProducerId);
    txn.init_refused(ErrorCode::ConcurrentTransactions);
    txn.asks(Api::InitProducerId);
    txn.initialized(identity(7, 1));
    txn.idle();
    txn.outcome(Operation::Abort).unwrap();
    assert_eq!(txn.machine.identity(), identity(7, 1));
}

/// T-71: in the midst of a transaction; batches on the wire are awaited before the epoch is adopted.
#[test]
fn a_registration_after_a_timeout_leaves_only_the_abort() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.machine.partition_touched(&partition(1)).unwrap();
    txn.asks(Api::AddPartitionsToTxn);
    txn.sender = SenderStatus {
        undrained_batches: 0,
        unresolved_batches: 1,
    };
    txn.added(&[(1, ErrorCode::ProducerFenced)]);
    assert_eq!(txn.state(), State::AbortableError);
    txn.asks(Api::InitProducerId);
    txn.machine.abort().unwrap();
    txn.initialized(identity(7, 1));
    txn.idle();
    txn.no_outcome(Operation::Abort);
    txn.sender = NO_WORK;
    txn.idle();
    txn.outcome(Operation::Abort).unwrap();
    assert_eq!(txn.machine.identity(), identity(7, 1));
}

/// T-75: a zombie is told as soon as it is known, without an abort of its own.
#[test]
fn a_registration_of_a_fenced_producer_fences_it() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.machine.partition_touched(&partition(1)).unwrap();
    txn.asks(Api::AddPartitionsToTxn);
    txn.added(&[(1, ErrorCode::ProducerFenced)]);
    txn.asks(Api::InitProducerId);
    txn.init_refused(ErrorCode::ProducerFenced);
    assert_eq!(txn.state(), State::Fenced);
    assert!(txn.machine.commit().unwrap_err().is_fenced());
    txn.idle();
}

/// T-83: without a way to ask, a refused epoch is a fence.
#[test]
fn brokers_that_cannot_raise_an_epoch_fence_at_once() {
    let mut txn = Txn::written(TransactionVersion::One);
    let old = ClusterFacts {
        init_producer_id_max: Some(2),
        ..facts(TransactionVersion::One)
    };
    txn.machine.observe(old);
    txn.end(Direction::Commit);
    txn.end_refused(ErrorCode::InvalidProducerEpoch);
    assert_eq!(txn.state(), State::Fenced);
}

/// T-66: an attempt at the commit is in doubt, and so is a registration that might have come after it. What
/// the coordinator aborted at its time-out is then not certainly this transaction.
#[test]
fn a_timeout_after_two_doubts_leaves_the_commit_of_unknown_outcome() {
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
    txn.machine.handle_end_txn(Reply::Ambiguous, txn.now);
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Transaction, COORDINATOR);
    txn.asks(Api::EndTxn);
    txn.end_refused(ErrorCode::ProducerFenced);
    txn.asks(Api::InitProducerId);
    txn.initialized(identity(7, 1));
    assert!(
        txn.outcome(Operation::Commit)
            .unwrap_err()
            .is_outcome_unknown()
    );
    txn.idle();
    assert_eq!(txn.state(), State::Ready);
    txn.write();
}

/// T-64: an attempt in doubt alone leaves no doubt: only an open transaction is timed out.
#[test]
fn a_timeout_after_one_doubt_proves_that_the_commit_was_not_applied() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.end(Direction::Commit);
    txn.machine.handle_end_txn(Reply::Ambiguous, txn.now);
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Transaction, COORDINATOR);
    txn.asks(Api::EndTxn);
    txn.end_refused(ErrorCode::ProducerFenced);
    txn.asks(Api::InitProducerId);
    txn.initialized(identity(7, 1));
    assert!(txn.outcome(Operation::Commit).unwrap_err().is_abortable());
}

/// §1.6: codes of a batch that an abort cannot mend.
#[test]
fn batches_can_end_the_producer() {
    for (code, state) in [
        (ErrorCode::TransactionalIdAuthorizationFailed, State::Fatal),
        (ErrorCode::ClusterAuthorizationFailed, State::Fatal),
        (ErrorCode::UnsupportedVersion, State::Fatal),
        (ErrorCode::ProducerFenced, State::Fenced),
        (ErrorCode::InvalidProducerIdMapping, State::AbortableError),
        (ErrorCode::InvalidTxnState, State::AbortableError),
        (ErrorCode::OutOfOrderSequenceNumber, State::AbortableError),
        (ErrorCode::NotEnoughReplicas, State::AbortableError),
        (ErrorCode::UnknownServerError, State::AbortableError),
    ] {
        let mut txn = Txn::written(TransactionVersion::Two);
        txn.machine
            .batch_failed(broker_error(code), BatchOutcome::NotAppended);
        assert_eq!(txn.state(), state, "{code}");
    }
}

/// T-71: brokers that refuse the old epoch after their time-out as well leave no way to tell. The error says
/// that it may have been that, if it may.
#[test]
fn a_fence_after_the_timeout_says_that_it_may_have_been_the_timeout() {
    for (elapsed, expected) in [(59, false), (60, true)] {
        let mut txn = Txn::written(TransactionVersion::One);
        txn.now += Duration::from_secs(elapsed);
        txn.end(Direction::Commit);
        txn.end_refused(ErrorCode::ProducerFenced);
        txn.asks(Api::InitProducerId);
        txn.init_refused(ErrorCode::ProducerFenced);
        let error = txn.outcome(Operation::Commit).unwrap_err();
        assert!(error.is_fenced());
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(
            cause.contains("perhaps the coordinator aborted it"),
            expected,
            "{cause}"
        );
    }
}

/// L-8: a look-up that was on its way when the producer was fenced does not make something else of it.
#[test]
fn a_late_answer_about_a_coordinator_changes_no_terminal_state() {
    for late in [
        Reply::Refused(ErrorCode::TransactionalIdAuthorizationFailed),
        Reply::NotSent(NotSent::VersionUnsupported),
    ] {
        let mut txn = Txn::written(TransactionVersion::Two);
        let offsets = vec![offset(0, 5)];
        txn.machine.send_offsets(group("g", true), offsets).unwrap();
        txn.asks(Api::FindCoordinator);
        let fenced = broker_error(ErrorCode::ProducerFenced);
        txn.machine.batch_failed(fenced, BatchOutcome::NotAppended);
        assert_eq!(txn.state(), State::Fenced);
        txn.events();
        txn.machine
            .handle_find_coordinator(CoordinatorKind::Group, late, txn.now);
        assert_eq!(txn.state(), State::Fenced);
        assert!(txn.events().is_empty());
    }
}

/// T-73, T-44: the id is taken again with the old identity, which a newer producer's would refuse.
#[test]
fn an_id_that_was_forgotten_is_taken_again_after_the_abort() {
    for version in VERSIONS {
        let mut txn = Txn::ready(version);
        txn.machine.begin().unwrap();
        txn.machine.partition_touched(&partition(0)).unwrap();
        match version {
            TransactionVersion::One => {
                txn.asks(Api::AddPartitionsToTxn);
                txn.added(&[(0, ErrorCode::InvalidProducerIdMapping)]);
            }
            TransactionVersion::Two => {
                txn.machine.produce_attempted(&partition(0), txn.now);
                let cause = broker_error(ErrorCode::InvalidProducerIdMapping);
                txn.machine.batch_failed(cause, BatchOutcome::NotAppended);
            }
        }
        assert_eq!(txn.state(), State::AbortableError);
        match version {
            TransactionVersion::One => drop(txn.machine.abort().unwrap()),
            TransactionVersion::Two => {
                txn.end(Direction::Abort);
                txn.end_refused(ErrorCode::InvalidProducerIdMapping);
            }
        }
        let Request::InitProducerId { producer, .. } = txn.asks(Api::InitProducerId) else {
            unreachable!()
        };
        assert_eq!(producer, identity(7, 0));
        txn.initialized(identity(8, 0));
        txn.outcome(Operation::Abort).unwrap();
        assert_eq!(txn.identities(), [identity(8, 0)]);
        txn.write();
    }
}

#[test]
fn an_id_that_was_forgotten_and_cannot_be_taken_again_ends_the_producer() {
    let mut txn = Txn::one();
    txn.machine.observe(ClusterFacts {
        init_producer_id_max: Some(2),
        ..facts(TransactionVersion::One)
    });
    txn.machine.begin().unwrap();
    txn.machine.partition_touched(&partition(0)).unwrap();
    txn.asks(Api::AddPartitionsToTxn);
    txn.added(&[(0, ErrorCode::InvalidProducerIdMapping)]);
    assert_eq!(txn.state(), State::Fatal);
}

/// Kafka cannot tell a late copy of the first InitProducerId from that of a newer producer; the cause says that it may
/// be either, and nothing is said where every request had its response.
#[test]
fn a_fence_that_may_be_the_producers_own_late_request_says_so() {
    for lost in [false, true] {
        let mut txn = Txn::uninitialized(TransactionVersion::One);
        txn.machine.init().unwrap();
        txn.ask();
        txn.found(CoordinatorKind::Transaction, COORDINATOR);
        txn.asks(Api::InitProducerId);
        if lost {
            txn.machine
                .handle_init_producer_id(Reply::Ambiguous, txn.now);
            txn.asks(Api::FindCoordinator);
            txn.found(CoordinatorKind::Transaction, COORDINATOR);
            txn.asks(Api::InitProducerId);
        }
        txn.initialized(identity(7, 0));
        txn.outcome(Operation::Init).unwrap();
        txn.machine.begin().unwrap();
        txn.machine.partition_touched(&partition(0)).unwrap();
        txn.asks(Api::AddPartitionsToTxn);
        txn.added(&[(0, ErrorCode::ProducerFenced)]);
        txn.asks(Api::InitProducerId);
        txn.init_refused(ErrorCode::InvalidProducerEpoch);
        let error = txn.machine.stored_error().unwrap();
        assert!(error.is_fenced());
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause.contains("this producer itself"), lost, "{cause}");
    }
}
