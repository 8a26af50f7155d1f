//! Finding coordinators, keeping and losing them, and asking again (§2.3, §2.5).

use super::*;

/// T-20, T-40: the coordinator first, then the id is taken over with no identity.
#[test]
fn init_finds_the_coordinator_and_takes_the_id_over() {
    let mut txn = Txn::uninitialized(TransactionVersion::Two);
    txn.machine.init().unwrap();
    let call = txn.call();
    assert_eq!(call.broker, None);
    let key = "payments".into();
    assert_eq!(
        call.request,
        Request::FindCoordinator {
            kind: CoordinatorKind::Transaction,
            key
        }
    );
    txn.found(CoordinatorKind::Transaction, COORDINATOR);
    let call = txn.call();
    assert_eq!(call.broker, Some(COORDINATOR));
    assert_eq!(
        call.request,
        Request::InitProducerId {
            producer: ProducerIdentity::NONE,
            transaction_timeout: Duration::from_secs(60),
            two_phase: TwoPhase::Off,
        }
    );
    txn.no_outcome(Operation::Init);
    txn.initialized(identity(9, 4));
    txn.outcome(Operation::Init).unwrap();
    assert_eq!(txn.state(), State::Ready);
    assert_eq!(txn.machine.identity(), identity(9, 4));
    assert_eq!(txn.identities(), [identity(9, 4)]);
}

/// T-40, S-73: what an earlier instance left open is being ended; that is no error.
#[test]
fn init_repeats_concurrent_transactions_in_place() {
    let mut txn = Txn::uninitialized(TransactionVersion::One);
    txn.machine.init().unwrap();
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Transaction, COORDINATOR);
    let started = txn.now;
    for _ in 0..50 {
        txn.asks(Api::InitProducerId);
        txn.init_refused(ErrorCode::ConcurrentTransactions);
        txn.no_outcome(Operation::Init);
    }
    txn.asks(Api::InitProducerId);
    txn.initialized(identity(7, 2));
    txn.outcome(Operation::Init).unwrap();
    assert!(txn.now - started < Duration::from_secs(3));
}

/// T-21: a coordinator that moved, or whose connection was lost, is found anew after the back-off, and
/// the same request follows.
#[test]
fn a_moved_or_lost_coordinator_is_found_again_after_the_back_off() {
    let losses: [fn(&mut Txn); 4] = [
        |txn| txn.end_refused(ErrorCode::NotCoordinator),
        |txn| txn.end_refused(ErrorCode::CoordinatorNotAvailable),
        |txn| {
            txn.machine
                .handle_end_txn(Reply::NotSent(NotSent::Unreachable), txn.now)
        },
        |txn| txn.machine.handle_end_txn(Reply::Ambiguous, txn.now),
    ];
    for lose in losses {
        let mut txn = Txn::written(TransactionVersion::Two);
        txn.end(Direction::Commit);
        lose(&mut txn);
        let Output::WaitUntil(at) = txn.poll() else {
            panic!("no back-off")
        };
        assert!(at >= txn.now + Duration::from_millis(100));
        txn.now = at;
        txn.asks(Api::FindCoordinator);
        txn.found(CoordinatorKind::Transaction, 8);
        let call = txn.call();
        assert_eq!(call.broker, Some(8));
        let (producer, direction) = (identity(7, 0), Direction::Commit);
        assert_eq!(
            call.request,
            Request::EndTxn {
                producer,
                direction
            }
        );
    }
}

/// T-21: a coordinator that reads its log stays the coordinator.
#[test]
fn a_loading_coordinator_is_asked_again_itself() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Commit);
    txn.end_refused(ErrorCode::CoordinatorLoadInProgress);
    assert!(matches!(txn.poll(), Output::WaitUntil(_)));
    assert_eq!(txn.call().broker, Some(COORDINATOR));
}

/// T-22.
#[test]
fn a_coordinator_that_is_not_there_yet_is_looked_for_again() {
    let mut txn = Txn::uninitialized(TransactionVersion::One);
    txn.machine.init().unwrap();
    let mut asked = txn.now;
    for (number, reply) in [
        Reply::Refused(ErrorCode::CoordinatorNotAvailable),
        Reply::Refused(ErrorCode::CoordinatorLoadInProgress),
        Reply::NotSent(NotSent::Unreachable),
        Reply::Ambiguous,
    ]
    .into_iter()
    .enumerate()
    {
        txn.asks(Api::FindCoordinator);
        assert!(number == 0 || txn.now >= asked + Duration::from_millis(100));
        asked = txn.now;
        txn.machine
            .handle_find_coordinator(CoordinatorKind::Transaction, reply, txn.now);
    }
    txn.asks(Api::FindCoordinator);
}

/// T-22.
#[test]
fn no_right_to_the_transactional_id_is_fatal_when_looking_for_its_coordinator() {
    let mut txn = Txn::uninitialized(TransactionVersion::One);
    txn.machine.init().unwrap();
    txn.asks(Api::FindCoordinator);
    let code = ErrorCode::TransactionalIdAuthorizationFailed;
    let kind = CoordinatorKind::Transaction;
    txn.machine
        .handle_find_coordinator(kind, Reply::Refused(code), txn.now);
    assert_eq!(txn.state(), State::Fatal);
    assert_eq!(txn.outcome(Operation::Init).unwrap_err().code(), Some(code));
}

/// T-23: an abort needs the coordinator too.
#[test]
fn an_abort_looks_for_the_coordinator() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.machine.batch_failed(
        broker_error(ErrorCode::InvalidRecord),
        BatchOutcome::NotAppended,
    );
    txn.end(Direction::Abort);
    txn.end_refused(ErrorCode::NotCoordinator);
    txn.asks(Api::FindCoordinator);
}

/// T-41: rights can be granted; the producer is as before init.
#[test]
fn a_refused_init_may_be_repeated() {
    for code in [
        ErrorCode::TransactionalIdAuthorizationFailed,
        ErrorCode::ClusterAuthorizationFailed,
        ErrorCode::TransactionAbortable,
    ] {
        let mut txn = Txn::uninitialized(TransactionVersion::Two);
        txn.machine.init().unwrap();
        txn.asks(Api::FindCoordinator);
        txn.found(CoordinatorKind::Transaction, COORDINATOR);
        txn.asks(Api::InitProducerId);
        txn.init_refused(code);
        assert_eq!(txn.outcome(Operation::Init).unwrap_err().code(), Some(code));
        assert_eq!(txn.state(), State::Uninitialized);
        assert_eq!(txn.machine.init().unwrap(), Attachment::Started);
        txn.asks(Api::InitProducerId);
    }
}

/// T-41: settings that cannot work, and fences.
#[test]
fn init_errors_that_do_not_pass_are_terminal() {
    for (code, state) in [
        (ErrorCode::InvalidTransactionTimeout, State::Fatal),
        (ErrorCode::UnsupportedVersion, State::Fatal),
        (ErrorCode::InvalidRequest, State::Fatal),
        (ErrorCode::Unknown(4711), State::Fatal),
        (ErrorCode::ProducerFenced, State::Fenced),
        (ErrorCode::InvalidProducerEpoch, State::Fenced),
    ] {
        let mut txn = Txn::uninitialized(TransactionVersion::Two);
        txn.machine.init().unwrap();
        txn.asks(Api::FindCoordinator);
        txn.found(CoordinatorKind::Transaction, COORDINATOR);
        txn.asks(Api::InitProducerId);
        txn.init_refused(code);
        assert_eq!(txn.state(), state, "{code}");
        assert!(txn.outcome(Operation::Init).is_err());
        txn.now += Duration::from_secs(60);
        txn.idle();
    }
}

/// T-30: while one request is out, no other goes to the transaction coordinator.
#[test]
fn one_request_at_a_time_goes_to_the_transaction_coordinator() {
    let mut txn = Txn::one();
    txn.machine.begin().unwrap();
    txn.machine.partition_touched(&partition(0)).unwrap();
    txn.asks(Api::AddPartitionsToTxn);
    txn.machine.partition_touched(&partition(1)).unwrap();
    txn.machine
        .send_offsets(group("g", true), vec![offset(0, 5)])
        .unwrap();
    txn.idle();
    txn.machine.commit().unwrap();
    txn.idle();
    txn.added(&[(0, ErrorCode::None)]);
    txn.asks(Api::AddPartitionsToTxn);
    txn.idle();
}

/// An answer that belongs to nothing changes nothing.
#[test]
fn answers_that_nobody_waits_for_are_ignored() {
    for version in VERSIONS {
        let mut txn = Txn::written(version);
        txn.found(CoordinatorKind::Transaction, 99);
        txn.initialized(identity(99, 9));
        txn.init_refused(ErrorCode::ProducerFenced);
        txn.added(&[(5, ErrorCode::ProducerFenced)]);
        txn.machine
            .handle_add_offsets(Reply::Refused(ErrorCode::ProducerFenced), txn.now);
        txn.machine
            .handle_txn_offset_commit(Reply::Refused(ErrorCode::InvalidGroupId), txn.now);
        txn.end_refused(ErrorCode::ProducerFenced);
        txn.described(DescribedState::Ongoing, identity(9, 9));
        assert_eq!(txn.state(), State::InTransaction);
        assert_eq!(txn.machine.identity(), identity(7, 0));
        assert!(txn.events().is_empty());
        txn.end(Direction::Commit);
        txn.init_refused(ErrorCode::ProducerFenced);
        assert_eq!(txn.state(), State::Committing);
    }
}

/// An answer without an identity is no identity.
#[test]
fn an_init_answer_without_a_producer_id_is_fatal() {
    let mut txn = Txn::uninitialized(TransactionVersion::Two);
    txn.machine.init().unwrap();
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Transaction, COORDINATOR);
    txn.asks(Api::InitProducerId);
    txn.initialized(ProducerIdentity::NONE);
    assert_eq!(txn.state(), State::Fatal);
}
