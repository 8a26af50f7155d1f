//! What cannot be registered for the registration timeout leaves the transaction to be aborted.

use super::*;

const TIMEOUT: Duration = Duration::from_secs(60);

fn respond(txn: &mut Txn, body: Body) {
    txn.machine.handle_response(body.into(), txn.now);
}

/// The next request, whichever it is, is rejected with `code` in each of its partitions; false where none is wanted.
fn reject_next(txn: &mut Txn, code: ErrorCode) -> bool {
    let call = match txn.poll() {
        Output::Send(call) => call,
        Output::WaitUntil(at) => {
            txn.now = at;
            return true;
        }
        Output::Idle => return false,
    };
    let body = match call.request {
        Request::AddPartitionsToTxn { partitions, .. } => {
            let results = partitions.into_iter().map(|partition| (partition, code));
            Body::AddPartitionsToTxn(Reply::Answered(results.collect()))
        }
        Request::TxnOffsetCommit { offsets, .. } => {
            let results = offsets.into_iter().map(|offset| (offset.partition, code));
            Body::TxnOffsetCommit(Reply::Answered(results.collect()))
        }
        Request::AddOffsetsToTxn { .. } => {
            let response = Response {
                body: Body::AddOffsetsToTxn(Reply::Refused(code)),
                failure: Some(broker_error(code)),
            };
            txn.machine.handle_response(response, txn.now);
            return true;
        }
        Request::FindCoordinator { kind, .. } => {
            Body::FindCoordinator(kind, Reply::Answered(GROUP_COORDINATOR))
        }
        Request::DescribeTransactions | Request::EndTxn { .. } | Request::InitProducerId { .. } => {
            return false;
        }
    };
    respond(txn, body);
    true
}

fn reject_until_overdue(txn: &mut Txn, code: ErrorCode) -> Duration {
    let start = txn.now;
    while txn.state() != State::AbortableError && reject_next(txn, code) {
        assert!(txn.now <= start + TIMEOUT * 2, "repeated for ever");
    }
    assert_eq!(txn.state(), State::AbortableError);
    assert_eq!(txn.machine.stored_error().unwrap().code(), Some(code));
    txn.now.duration_since(start)
}

#[test]
fn offsets_that_are_rejected_throughout_their_time_leave_only_the_abort() {
    for version in VERSIONS {
        let mut txn = Txn::written(version);
        let offsets = vec![offset(0, 5), offset(1, 7)];
        txn.machine.send_offsets(group("g", true), offsets).unwrap();
        let took = reject_until_overdue(&mut txn, ErrorCode::UnknownTopicOrPartition);
        assert!(
            took >= TIMEOUT && took < TIMEOUT + Duration::from_secs(2),
            "{took:?}"
        );
        let error = txn.outcome(Operation::SendOffsets).unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::UnknownTopicOrPartition));
        txn.end(Direction::Abort);
    }
}

#[test]
fn a_partition_that_cannot_be_added_in_its_time_leaves_only_the_abort() {
    let mut txn = Txn::one();
    txn.machine.begin().unwrap();
    txn.machine.partition_touched(&partition(0)).unwrap();
    reject_until_overdue(&mut txn, ErrorCode::ConcurrentTransactions);
    txn.machine.abort().unwrap();
    txn.idle();
    txn.outcome(Operation::Abort).unwrap();
}

/// The time is that of what waits, not of the transaction: what was added starts it again.
#[test]
fn an_added_partition_gives_the_others_their_whole_time() {
    let mut txn = Txn::one();
    txn.machine.begin().unwrap();
    txn.machine.partition_touched(&partition(0)).unwrap();
    txn.machine.partition_touched(&partition(1)).unwrap();
    txn.asks(Api::AddPartitionsToTxn);
    txn.now += TIMEOUT - Duration::from_secs(1);
    txn.added(&[
        (0, ErrorCode::None),
        (1, ErrorCode::UnknownTopicOrPartition),
    ]);
    let took = reject_until_overdue(&mut txn, ErrorCode::UnknownTopicOrPartition);
    assert!(took >= TIMEOUT, "{took:?}");
}

/// A request that is still outstanding is waited for, so that the abort knows what it has to end.
#[test]
fn an_overdue_request_without_a_response_is_settled_before_the_end() {
    let mut txn = Txn::written(TransactionVersion::Two);
    let offsets = vec![offset(0, 5)];
    txn.machine.send_offsets(group("g", true), offsets).unwrap();
    txn.ask();
    txn.found(CoordinatorKind::Group, GROUP_COORDINATOR);
    txn.asks(Api::TxnOffsetCommit);
    txn.now += TIMEOUT;
    txn.idle();
    assert_eq!(txn.state(), State::AbortableError);
    txn.machine.abort().unwrap();
    txn.idle();
    respond(&mut txn, Body::TxnOffsetCommit(Reply::Ambiguous));
    txn.asks(Api::EndTxn);
}
