//! Closing with whatever is open (T-76).

use super::*;

fn is_closed(txn: &mut Txn) {
    assert_eq!(txn.state(), State::Closed);
    assert!(matches!(txn.events().last(), Some(Event::Closed)));
    assert!(matches!(
        txn.machine.begin().unwrap_err(),
        Error::Closed { .. }
    ));
    txn.now += Duration::from_secs(60);
    txn.idle();
}

#[test]
fn closing_without_a_transaction_is_done_at_once() {
    for how in [Close::Graceful, Close::Forced] {
        let mut txn = Txn::two();
        txn.machine.close(how);
        is_closed(&mut txn);
        let mut txn = Txn::uninitialized(TransactionVersion::Two);
        txn.machine.init().unwrap();
        txn.machine.close(how);
        assert!(matches!(
            txn.outcome(Operation::Init),
            Err(Error::Closed { .. })
        ));
        is_closed(&mut txn);
    }
}

/// T-76, S-63.
#[test]
fn a_graceful_close_aborts_what_is_open() {
    for version in VERSIONS {
        for spoilt in [false, true] {
            let mut txn = Txn::written(version);
            if spoilt {
                txn.machine.send_failed(too_large());
            }
            txn.machine.close(Close::Graceful);
            assert!(matches!(
                txn.machine.begin().unwrap_err(),
                Error::Closed { .. }
            ));
            let request = txn.asks(Api::EndTxn);
            assert!(matches!(
                request,
                Request::EndTxn {
                    direction: Direction::Abort,
                    ..
                }
            ));
            txn.ended();
            is_closed(&mut txn);
        }
    }
}

/// T-76.
#[test]
fn a_graceful_close_finishes_a_commit() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Commit);
    txn.machine.close(Close::Graceful);
    txn.ended();
    assert_eq!(txn.machine.commit().unwrap(), Attachment::Resumed);
    txn.outcome(Operation::Commit).unwrap();
    is_closed(&mut txn);
}

/// T-76, T-38: and if the commit fails, aborts.
#[test]
fn a_graceful_close_aborts_a_commit_that_fails() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Commit);
    txn.machine.close(Close::Graceful);
    txn.end_refused(ErrorCode::TransactionAbortable);
    assert!(txn.outcome(Operation::Commit).unwrap_err().is_abortable());
    txn.asks(Api::EndTxn);
    txn.ended();
    is_closed(&mut txn);
}

/// No epoch is raised for a producer that writes no more.
#[test]
fn a_graceful_close_raises_no_epoch() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.end(Direction::Commit);
    txn.end_refused(ErrorCode::RequestTimedOut);
    txn.asks(Api::EndTxn);
    txn.ended();
    txn.asks(Api::InitProducerId);
    txn.machine.close(Close::Graceful);
    txn.outcome(Operation::Commit).unwrap();
    is_closed(&mut txn);
}

/// T-76: what is open is left to the coordinator.
#[test]
fn a_forced_close_sends_nothing_more() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.machine.close(Close::Forced);
    is_closed(&mut txn);
    let mut txn = Txn::written(TransactionVersion::One);
    txn.machine.batch_failed(
        broker_error(ErrorCode::InvalidRecord),
        BatchOutcome::NotAppended,
    );
    txn.machine.close(Close::Forced);
    is_closed(&mut txn);
}

/// T-66: a commit that was sent may have been applied, one that was not cannot have been.
#[test]
fn a_forced_close_leaves_a_sent_commit_of_unknown_outcome() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Commit);
    txn.machine.close(Close::Forced);
    assert!(
        txn.outcome(Operation::Commit)
            .unwrap_err()
            .is_outcome_unknown()
    );
    is_closed(&mut txn);
    // An answer that comes now tells nobody anything.
    txn.ended();
    is_closed_silently(&mut txn);

    let mut txn = Txn::written(TransactionVersion::Two);
    txn.sender = SenderStatus {
        undrained_batches: 1,
        unresolved_batches: 0,
    };
    txn.machine.commit().unwrap();
    txn.idle();
    txn.machine.close(Close::Forced);
    assert!(matches!(
        txn.outcome(Operation::Commit),
        Err(Error::Closed { .. })
    ));
}

fn is_closed_silently(txn: &mut Txn) {
    assert_eq!(txn.state(), State::Closed);
    assert!(txn.events().is_empty());
    assert_eq!(txn.machine.identity(), identity(7, 0));
}

/// A close that waits hears of its end even where the producer dies on the way.
#[test]
fn a_graceful_close_ends_with_the_producer() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.machine.close(Close::Graceful);
    txn.asks(Api::EndTxn);
    txn.end_refused(ErrorCode::ProducerFenced);
    assert_eq!(txn.state(), State::Fenced);
    assert!(matches!(
        txn.events().as_slice(),
        [.., Event::Fatal(_), Event::Closed]
    ));
}
