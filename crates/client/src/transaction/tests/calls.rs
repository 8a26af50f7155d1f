//! Which calls are legal where (§2.2).

use super::*;

/// T-10: refused, and nothing has changed.
#[track_caller]
fn is_misuse<T: std::fmt::Debug>(
    txn: &mut Txn,
    call: impl Fn(&mut TransactionMachine) -> Result<T, Error>,
) {
    let state = txn.state();
    txn.events();
    let error = call(&mut txn.machine).unwrap_err();
    assert!(matches!(error, Error::Misuse { .. }), "{error:?}");
    assert_eq!(txn.state(), state);
    assert!(txn.events().is_empty());
}

fn send_offsets(machine: &mut TransactionMachine) -> Result<(), Error> {
    machine.send_offsets(group("g", true), vec![offset(0, 5)])
}

/// T-10, T-14, S-41: everything but init, before init.
#[test]
fn nothing_is_legal_before_init() {
    let mut txn = Txn::uninitialized(TransactionVersion::One);
    is_misuse(&mut txn, TransactionMachine::begin);
    is_misuse(&mut txn, TransactionMachine::commit);
    is_misuse(&mut txn, TransactionMachine::abort);
    is_misuse(&mut txn, |machine| machine.partition_touched(&partition(0)));
    is_misuse(&mut txn, send_offsets);
    txn.idle();
}

/// T-10, T-14: outside a transaction there is nothing to send, commit or abort.
#[test]
fn nothing_but_begin_is_legal_between_transactions() {
    let mut txn = Txn::one();
    is_misuse(&mut txn, TransactionMachine::init);
    is_misuse(&mut txn, TransactionMachine::commit);
    is_misuse(&mut txn, TransactionMachine::abort);
    is_misuse(&mut txn, |machine| machine.partition_touched(&partition(0)));
    is_misuse(&mut txn, send_offsets);
    txn.idle();
}

/// T-10, S-42.
#[test]
fn init_and_begin_are_illegal_within_a_transaction() {
    let mut txn = Txn::written(TransactionVersion::One);
    is_misuse(&mut txn, TransactionMachine::init);
    is_misuse(&mut txn, TransactionMachine::begin);
}

/// T-16.
#[test]
fn begin_is_local() {
    for version in VERSIONS {
        let mut txn = Txn::ready(version);
        txn.machine.begin().unwrap();
        assert_eq!(txn.state(), State::InTransaction);
        txn.idle();
    }
}

/// T-14: a send never waits for the registration of its partition; the batch does.
#[test]
fn touching_a_partition_does_not_wait() {
    let mut txn = Txn::one();
    txn.machine.begin().unwrap();
    txn.machine.partition_touched(&partition(0)).unwrap();
    txn.machine.partition_touched(&partition(0)).unwrap();
    assert_eq!(
        txn.machine.may_send(&partition(0), txn.now),
        MaySend::WhenAdded
    );
}

/// T-12, T-13, S-44: while a commit is pending its caller may come back to it, and to nothing else.
#[test]
fn a_pending_commit_admits_only_the_same_commit() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.end(Direction::Commit);
    is_misuse(&mut txn, TransactionMachine::begin);
    is_misuse(&mut txn, TransactionMachine::abort);
    is_misuse(&mut txn, TransactionMachine::init);
    is_misuse(&mut txn, |machine| machine.partition_touched(&partition(0)));
    is_misuse(&mut txn, send_offsets);
    assert_eq!(txn.machine.commit().unwrap(), Attachment::Resumed);
    txn.no_outcome(Operation::Commit);
    txn.ended();
    // The outcome is there, but its caller has not come for it.
    is_misuse(&mut txn, TransactionMachine::begin);
    assert_eq!(txn.machine.commit().unwrap(), Attachment::Resumed);
    txn.outcome(Operation::Commit).unwrap();
    txn.machine.begin().unwrap();
}

/// T-12: a caller who gave up waiting learns of the failure too.
#[test]
fn a_failed_commit_is_told_to_whoever_comes_back() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Commit);
    txn.end_refused(ErrorCode::TransactionAbortable);
    is_misuse(&mut txn, TransactionMachine::abort);
    assert_eq!(txn.machine.commit().unwrap(), Attachment::Resumed);
    assert!(txn.outcome(Operation::Commit).unwrap_err().is_abortable());
    txn.machine.abort().unwrap();
}

/// T-12 for init and abort.
#[test]
fn init_and_abort_are_resumed_like_commit() {
    let mut txn = Txn::uninitialized(TransactionVersion::Two);
    assert_eq!(txn.machine.init().unwrap(), Attachment::Started);
    assert_eq!(txn.machine.init().unwrap(), Attachment::Resumed);
    is_misuse(&mut txn, TransactionMachine::begin);
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Abort);
    is_misuse(&mut txn, TransactionMachine::commit);
    assert_eq!(txn.machine.abort().unwrap(), Attachment::Resumed);
    txn.ended();
    txn.outcome(Operation::Abort).unwrap();
}

/// An abort that was queued by a dropped transaction keeps nobody waiting for its outcome.
#[test]
fn an_abort_that_nobody_waits_for_frees_the_next_transaction_by_itself() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Abort);
    txn.machine.disown_abort();
    assert_eq!(txn.machine.pending_operation(), None);
    is_misuse(&mut txn, TransactionMachine::begin);
    txn.ended();
    txn.machine.begin().unwrap();
}

/// Nor does one whose producer meets its end meanwhile.
#[test]
fn an_abort_that_nobody_waits_for_leaves_nothing_pending_in_a_terminal_state() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Abort);
    txn.machine.disown_abort();
    txn.end_refused(ErrorCode::ProducerFenced);
    assert!(txn.machine.abort().unwrap_err().is_fenced());
}

/// A driver must look for events after polling too: the end may have waited for the sender only.
#[test]
fn polling_can_end_an_operation_by_itself() {
    let mut txn = Txn::two();
    txn.machine.begin().unwrap();
    txn.sender.unresolved_batches = 1;
    txn.machine.abort().unwrap();
    txn.events();
    txn.idle();
    assert!(!txn.machine.has_events());
    txn.sender = NO_WORK;
    txn.idle();
    assert!(txn.machine.has_events());
    txn.outcome(Operation::Abort).unwrap();
}

/// T-13: an outcome is taken once.
#[test]
fn an_outcome_is_told_once() {
    let mut txn = Txn::two();
    txn.machine.begin().unwrap();
    txn.machine.commit().unwrap();
    txn.idle();
    txn.outcome(Operation::Commit).unwrap();
    txn.no_outcome(Operation::Commit);
    is_misuse(&mut txn, TransactionMachine::commit);
}

/// T-17: one sending of offsets at a time.
#[test]
fn offsets_are_not_sent_twice_at_once() {
    let mut txn = Txn::two();
    txn.machine.begin().unwrap();
    send_offsets(&mut txn.machine).unwrap();
    is_misuse(&mut txn, send_offsets);
}

/// T-15, L-6: a commit would silently omit the record.
#[test]
fn a_send_that_failed_on_the_spot_forbids_commit() {
    for version in VERSIONS {
        let mut txn = Txn::ready(version);
        txn.machine.begin().unwrap();
        txn.machine.send_failed(too_large());
        assert_eq!(txn.state(), State::AbortableError);
        assert!(txn.machine.commit().unwrap_err().is_abortable());
        assert!(txn.machine.begin().unwrap_err().is_abortable());
        assert!(
            txn.machine
                .partition_touched(&partition(0))
                .unwrap_err()
                .is_abortable()
        );
        assert!(send_offsets(&mut txn.machine).unwrap_err().is_abortable());
    }
}

/// L-1, T-52, T-53: nothing was added, so there is nothing to end.
#[test]
fn an_empty_transaction_ends_without_a_request() {
    for version in VERSIONS {
        for direction in [Direction::Commit, Direction::Abort] {
            let mut txn = Txn::ready(version);
            txn.machine.begin().unwrap();
            match direction {
                Direction::Commit => txn.machine.commit().unwrap(),
                Direction::Abort => txn.machine.abort().unwrap(),
            };
            txn.idle();
            txn.outcome(direction.operation()).unwrap();
            assert_eq!(txn.machine.identity(), identity(7, 0));
            txn.machine.begin().unwrap();
        }
    }
}

/// L-1: the same after a first send that was refused locally.
#[test]
fn an_abort_after_a_first_send_refused_locally_is_local() {
    for version in VERSIONS {
        let mut txn = Txn::ready(version);
        txn.machine.begin().unwrap();
        txn.machine.send_failed(too_large());
        txn.machine.abort().unwrap();
        txn.idle();
        txn.outcome(Operation::Abort).unwrap();
        assert_eq!(txn.state(), State::Ready);
    }
}

/// T-11: the stored error comes first, with the newest cause.
#[test]
fn calls_tell_the_stored_error_first() {
    let mut txn = Txn::written(TransactionVersion::Two);
    let cause = broker_error(ErrorCode::InvalidTimestamp);
    txn.machine.batch_failed(cause, BatchOutcome::NotAppended);
    assert_eq!(
        txn.machine.commit().unwrap_err().code(),
        Some(ErrorCode::InvalidTimestamp)
    );
    let cause = broker_error(ErrorCode::InvalidRecord);
    txn.machine.batch_failed(cause, BatchOutcome::NotAppended);
    assert_eq!(
        txn.machine.commit().unwrap_err().code(),
        Some(ErrorCode::InvalidRecord)
    );
    assert_eq!(
        txn.machine.begin().unwrap_err().code(),
        Some(ErrorCode::InvalidRecord)
    );
}

/// L-8, T-75: whoever hears of the terminal state can already see it, and nothing more is sent.
#[test]
fn a_terminal_state_holds_before_anyone_is_told() {
    for (code, state) in [
        (ErrorCode::ProducerFenced, State::Fenced),
        (ErrorCode::TransactionalIdAuthorizationFailed, State::Fatal),
    ] {
        let mut txn = Txn::written(TransactionVersion::Two);
        txn.end(Direction::Commit);
        txn.end_refused(code);
        assert_eq!(txn.state(), state);
        assert!(matches!(txn.machine.poll_event(), Some(Event::Flush)));
        assert!(matches!(
            txn.machine.poll_event(),
            Some(Event::OperationEnded(Operation::Commit))
        ));
        assert!(matches!(txn.machine.poll_event(), Some(Event::Fatal(_))));
        assert!(txn.outcome(Operation::Commit).unwrap_err().is_fatal());
        for error in [
            txn.machine.begin().unwrap_err(),
            txn.machine.commit().unwrap_err(),
            txn.machine.abort().unwrap_err(),
            txn.machine.init().unwrap_err(),
            txn.machine.partition_touched(&partition(0)).unwrap_err(),
            send_offsets(&mut txn.machine).unwrap_err(),
        ] {
            assert!(error.is_fatal(), "{error:?}");
            assert_eq!(error.is_fenced(), state == State::Fenced);
        }
        assert_eq!(txn.machine.may_send(&partition(0), txn.now), MaySend::No);
        txn.now += Duration::from_secs(600);
        txn.idle();
    }
}
