//! Commit and abort: what they wait for, and what their answers prove (§2.4, §2.8).

use super::*;

const UNDRAINED: SenderStatus = SenderStatus {
    undrained_batches: 1,
    unresolved_batches: 0,
};
const ON_THE_WIRE: SenderStatus = SenderStatus {
    undrained_batches: 0,
    unresolved_batches: 1,
};

/// A commit whose first attempt may have been applied, with the second on its way.
fn commit_in_doubt(version: TransactionVersion) -> Txn {
    let mut txn = Txn::written(version);
    txn.end(Direction::Commit);
    txn.machine.handle_end_txn(Reply::Ambiguous, txn.now);
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Transaction, COORDINATOR);
    txn.asks(Api::EndTxn);
    txn
}

/// T-34, S-45, L-29: neither direction before every batch has a definite result.
#[test]
fn end_waits_for_every_batch() {
    for version in VERSIONS {
        for direction in [Direction::Commit, Direction::Abort] {
            let mut txn = Txn::written(version);
            txn.sender = UNDRAINED;
            match direction {
                Direction::Commit => txn.machine.commit().unwrap(),
                Direction::Abort => txn.machine.abort().unwrap(),
            };
            txn.idle();
            txn.sender = ON_THE_WIRE;
            txn.idle();
            txn.sender = NO_WORK;
            txn.asks(Api::EndTxn);
        }
    }
}

/// T-34: nor before every partition is added.
#[test]
fn a_commit_waits_for_partitions_that_are_being_added() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.machine.partition_touched(&partition(1)).unwrap();
    txn.asks(Api::AddPartitionsToTxn);
    txn.machine.commit().unwrap();
    txn.idle();
    txn.added(&[(1, ErrorCode::UnknownTopicOrPartition)]);
    txn.asks(Api::AddPartitionsToTxn);
    txn.added(&[(1, ErrorCode::None)]);
    txn.asks(Api::EndTxn);
}

/// T-35.
#[test]
fn a_commit_asks_for_everything_to_be_sent_at_once() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.machine.commit().unwrap();
    assert!(matches!(txn.events().as_slice(), [Event::Flush]));
    assert_eq!(txn.machine.may_send(&partition(0), txn.now), MaySend::Now);
}

/// T-36, L-4: what was never sent fails; what was is carried on until its result is known.
#[test]
fn an_abort_fails_what_was_not_sent_and_awaits_the_rest() {
    for version in VERSIONS {
        let mut txn = Txn::written(version);
        txn.machine.abort().unwrap();
        let events = txn.events();
        assert!(matches!(
            events.as_slice(),
            [Event::FailUndrained(Error::TransactionAborted)]
        ));
        assert_eq!(
            txn.machine.may_send(&partition(0), txn.now),
            MaySend::RepetitionsOnly
        );
        txn.sender = ON_THE_WIRE;
        txn.idle();
    }
}

/// T-37: under the first protocol batches of partitions never added have nowhere to go.
#[test]
fn batches_of_partitions_never_added_are_failed_with_the_transaction() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.machine.partition_touched(&partition(1)).unwrap();
    txn.machine.batch_failed(
        broker_error(ErrorCode::InvalidRecord),
        BatchOutcome::NotAppended,
    );
    let events = txn.events();
    assert!(matches!(
        events.as_slice(),
        [Event::Abortable(_), Event::FailUndrained(_)]
    ));
    assert_eq!(
        txn.machine.may_send(&partition(0), txn.now),
        MaySend::RepetitionsOnly
    );
    assert_eq!(txn.machine.may_send(&partition(1), txn.now), MaySend::No);
    txn.idle();
}

/// T-38, S-47, P-75: the commit is dropped before it is sent.
#[test]
fn a_batch_that_fails_while_committing_drops_the_commit() {
    for version in VERSIONS {
        let mut txn = Txn::written(version);
        txn.sender = ON_THE_WIRE;
        txn.machine.commit().unwrap();
        txn.idle();
        let expired = Error::DeliveryTimeout {
            topic: "orders".into(),
            partition: 0,
            elapsed: Duration::from_secs(120),
            reached_the_wire: true,
            cause: None,
        };
        txn.machine.batch_failed(expired, BatchOutcome::Unknown);
        txn.sender = NO_WORK;
        txn.idle();
        assert!(txn.outcome(Operation::Commit).unwrap_err().is_abortable());
        assert_eq!(txn.state(), State::AbortableError);
        txn.end(Direction::Abort);
    }
}

/// §2.2: an abort mends whatever failed meanwhile.
#[test]
fn a_batch_that_fails_while_aborting_changes_nothing() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.sender = ON_THE_WIRE;
    txn.machine.abort().unwrap();
    txn.machine.batch_failed(
        broker_error(ErrorCode::InvalidRecord),
        BatchOutcome::NotAppended,
    );
    assert_eq!(txn.state(), State::Aborting);
    txn.sender = NO_WORK;
    txn.asks(Api::EndTxn);
    txn.ended();
    txn.outcome(Operation::Abort).unwrap();
}

/// P-45: what belongs to an earlier transaction does not spoil this one.
#[test]
fn a_batch_failure_after_the_end_is_ignored() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Commit);
    txn.machine.batch_failed(
        broker_error(ErrorCode::InvalidRecord),
        BatchOutcome::Unknown,
    );
    assert_eq!(txn.state(), State::Committing);
    txn.ended();
    txn.machine.batch_failed(
        broker_error(ErrorCode::InvalidRecord),
        BatchOutcome::Unknown,
    );
    txn.outcome(Operation::Commit).unwrap();
    assert_eq!(txn.state(), State::Ready);
}

/// L-16, P-94, S-70: the broker may have registered the partition of a batch that failed.
#[test]
fn an_abort_is_sent_although_every_batch_failed() {
    let mut txn = Txn::two();
    txn.machine.begin().unwrap();
    txn.machine.partition_touched(&partition(0)).unwrap();
    txn.machine.produce_attempted(&partition(0), txn.now);
    txn.machine.batch_failed(
        broker_error(ErrorCode::InvalidTimestamp),
        BatchOutcome::NotAppended,
    );
    txn.end(Direction::Abort);
}

/// T-61, P-63, P-64, S-52: the answer's identity is adopted before the next transaction, even another
/// producer id.
#[test]
fn the_end_of_a_transaction_brings_the_next_identity() {
    for next in [identity(7, 1), identity(8, 0)] {
        let mut txn = Txn::written(TransactionVersion::Two);
        txn.end(Direction::Commit);
        txn.machine.handle_end_txn(Reply::Answered(next), txn.now);
        assert_eq!(txn.identities(), [next]);
        assert_eq!(txn.machine.identity(), next);
        txn.outcome(Operation::Commit).unwrap();
        assert_eq!(txn.state(), State::Ready);
    }
}

/// T-61: below version 5 there is none, and sequences go on.
#[test]
fn the_first_protocol_keeps_its_identity_from_one_transaction_to_the_next() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.end(Direction::Commit);
    txn.ended();
    txn.outcome(Operation::Commit).unwrap();
    assert!(txn.identities().is_empty());
    assert_eq!(txn.machine.identity(), identity(7, 0));
    txn.write();
    txn.end(Direction::Abort);
}

/// P-26: sequences must not start again where the epoch did not rise.
#[test]
fn an_end_without_a_new_epoch_is_followed_by_one() {
    for answered in [ProducerIdentity::NONE, identity(7, 0)] {
        let mut txn = Txn::written(TransactionVersion::Two);
        txn.end(Direction::Commit);
        txn.machine
            .handle_end_txn(Reply::Answered(answered), txn.now);
        assert!(txn.identities().is_empty());
        txn.no_outcome(Operation::Commit);
        let request = txn.asks(Api::InitProducerId);
        assert!(
            matches!(request, Request::InitProducerId { producer, .. } if producer == identity(7, 0))
        );
        txn.initialized(identity(7, 1));
        txn.outcome(Operation::Commit).unwrap();
        assert_eq!(txn.identities(), [identity(7, 1)]);
    }
}

/// T-63, T-64, L-2, S-69: whatever leaves the outcome open is repeated as it was, and nothing else is
/// admitted.
#[test]
fn an_end_of_unknown_fate_is_repeated_the_same_way_until_it_is_known() {
    for version in VERSIONS {
        for direction in [Direction::Commit, Direction::Abort] {
            let mut txn = Txn::written(version);
            txn.end(direction);
            for reply in [
                Reply::Ambiguous,
                Reply::Refused(ErrorCode::UnknownServerError),
                Reply::Refused(ErrorCode::CoordinatorNotAvailable),
                Reply::Refused(ErrorCode::RequestTimedOut),
                Reply::Refused(ErrorCode::NotEnoughReplicas),
                Reply::Refused(ErrorCode::ConcurrentTransactions),
                Reply::NotSent(NotSent::Unreachable),
            ] {
                txn.machine.handle_end_txn(reply, txn.now);
                txn.no_outcome(direction.operation());
                assert!(txn.machine.begin().is_err());
                let opposite = match direction {
                    Direction::Commit => txn.machine.abort(),
                    Direction::Abort => txn.machine.commit(),
                };
                assert!(opposite.is_err());
                let mut request = txn.ask();
                if request.api() == Api::FindCoordinator {
                    txn.found(CoordinatorKind::Transaction, COORDINATOR);
                    request = txn.ask();
                }
                assert_eq!(
                    request,
                    Request::EndTxn {
                        producer: identity(7, 0),
                        direction
                    }
                );
            }
        }
    }
}

/// T-63: a definite refusal of a first attempt.
#[test]
fn a_commit_that_is_proved_not_applied_can_be_aborted() {
    for version in VERSIONS {
        for code in [
            ErrorCode::UnknownProducerId,
            ErrorCode::TransactionAbortable,
            ErrorCode::OperationNotAttempted,
        ] {
            let mut txn = Txn::written(version);
            txn.end(Direction::Commit);
            txn.end_refused(code);
            assert!(
                txn.outcome(Operation::Commit).unwrap_err().is_abortable(),
                "{code}"
            );
            // L-15: the abort goes out.
            txn.end(Direction::Abort);
        }
    }
}

/// T-63: or it would be aborted for ever.
#[test]
fn transaction_abortable_on_an_abort_is_fatal() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Abort);
    txn.end_refused(ErrorCode::TransactionAbortable);
    assert_eq!(txn.state(), State::Fatal);
}

/// T-63, L-7.
#[test]
fn end_errors_that_do_not_pass_are_fatal() {
    for direction in [Direction::Commit, Direction::Abort] {
        for code in [
            ErrorCode::TransactionalIdAuthorizationFailed,
            ErrorCode::InvalidRequest,
        ] {
            let mut txn = Txn::written(TransactionVersion::Two);
            txn.end(direction);
            txn.end_refused(code);
            assert_eq!(txn.state(), State::Fatal, "{code}");
            let error = txn.outcome(direction.operation()).unwrap_err();
            assert!(error.is_fatal() && !error.is_outcome_unknown());
        }
    }
}

/// T-66, T-67, J-4: what ends the producer after an attempt in doubt leaves the commit's outcome unknown,
/// and the refusal is not taken for a proof.
#[test]
fn a_commit_in_doubt_that_ends_in_a_terminal_state_is_of_unknown_outcome() {
    for (code, state) in [
        (ErrorCode::ProducerFenced, State::Fenced),
        (ErrorCode::TransactionalIdAuthorizationFailed, State::Fatal),
    ] {
        let mut txn = commit_in_doubt(TransactionVersion::Two);
        txn.end_refused(code);
        assert_eq!(txn.state(), state);
        let error = txn.outcome(Operation::Commit).unwrap_err();
        assert!(error.is_outcome_unknown(), "{code}: {error:?}");
        assert_eq!(error.code(), Some(code));
    }
}

/// T-73: the coordinator that could tell has forgotten.
#[test]
fn a_commit_in_doubt_of_an_id_that_was_forgotten_is_of_unknown_outcome() {
    let mut txn = commit_in_doubt(TransactionVersion::Two);
    txn.end_refused(ErrorCode::InvalidProducerIdMapping);
    txn.asks(Api::DescribeTransactions);
    let not_found = Reply::Refused(ErrorCode::TransactionalIdNotFound);
    txn.machine.handle_describe_transactions(not_found, txn.now);
    assert_eq!(txn.state(), State::Fatal);
    let error = txn.outcome(Operation::Commit).unwrap_err();
    assert!(error.is_outcome_unknown(), "{error:?}");
}

/// T-67: a code of a future broker may stand for anything.
#[test]
fn an_undefined_code_leaves_a_commit_of_unknown_outcome() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Commit);
    txn.end_refused(ErrorCode::Unknown(4711));
    assert_eq!(txn.state(), State::Fatal);
    assert!(
        txn.outcome(Operation::Commit)
            .unwrap_err()
            .is_outcome_unknown()
    );
}

/// L-25: the broker held the id at CompleteCommit; the commit succeeds.
#[test]
fn a_repeated_commit_that_was_applied_is_found_out() {
    let mut txn = commit_in_doubt(TransactionVersion::Two);
    txn.end_refused(ErrorCode::InvalidTxnState);
    txn.no_outcome(Operation::Commit);
    txn.asks(Api::DescribeTransactions);
    txn.described(DescribedState::CompleteCommit, identity(7, 1));
    txn.outcome(Operation::Commit).unwrap();
    assert_eq!(txn.identities(), [identity(7, 1)]);
    txn.write();

    let mut txn = commit_in_doubt(TransactionVersion::One);
    txn.end_refused(ErrorCode::InvalidTxnState);
    txn.asks(Api::DescribeTransactions);
    txn.described(DescribedState::CompleteCommit, identity(7, 0));
    txn.asks(Api::InitProducerId); // T-65
    txn.initialized(identity(7, 1));
    txn.outcome(Operation::Commit).unwrap();
}

/// L-25: while the coordinator still writes its markers, the answer is not there yet.
#[test]
fn a_commit_is_repeated_while_its_outcome_is_being_carried_out() {
    let mut txn = commit_in_doubt(TransactionVersion::Two);
    for state in [DescribedState::PrepareCommit, DescribedState::PrepareAbort] {
        txn.end_refused(ErrorCode::InvalidTxnState);
        txn.asks(Api::DescribeTransactions);
        txn.described(state, identity(7, 1));
        assert!(matches!(txn.poll(), Output::WaitUntil(_)));
        txn.asks(Api::EndTxn);
    }
    txn.ended();
    txn.outcome(Operation::Commit).unwrap();
}

/// T-71: the coordinator aborted the transaction at its time-out. That is proof, even after an attempt in
/// doubt; and the abort that follows brings the next epoch.
#[test]
fn a_commit_after_the_coordinators_timeout_can_be_aborted() {
    for in_doubt in [false, true] {
        let mut txn = if in_doubt {
            commit_in_doubt(TransactionVersion::Two)
        } else {
            let mut txn = Txn::written(TransactionVersion::Two);
            txn.end(Direction::Commit);
            txn
        };
        txn.end_refused(ErrorCode::InvalidTxnState);
        txn.asks(Api::DescribeTransactions);
        txn.described(DescribedState::CompleteAbort, identity(7, 1));
        assert!(txn.outcome(Operation::Commit).unwrap_err().is_abortable());
        txn.end(Direction::Abort);
        txn.ended();
        txn.outcome(Operation::Abort).unwrap();
        assert_eq!(txn.machine.identity(), identity(7, 1));
    }
}

/// L-25: a coordinator that does not tell. INVALID_TXN_STATE alone is no proof.
#[test]
fn what_cannot_be_found_out_is_said_to_be_unknown() {
    let cannot: [Reply<DescribedTransaction>; 3] = [
        Reply::NotSent(NotSent::VersionUnsupported),
        Reply::Refused(ErrorCode::TransactionalIdNotFound),
        Reply::Refused(ErrorCode::TransactionalIdAuthorizationFailed),
    ];
    for reply in cannot {
        for version in VERSIONS {
            let mut txn = Txn::written(version);
            txn.end(Direction::Commit);
            txn.end_refused(ErrorCode::InvalidTxnState);
            txn.asks(Api::DescribeTransactions);
            txn.machine
                .handle_describe_transactions(reply.clone(), txn.now);
            assert_eq!(txn.state(), State::Fatal);
            assert!(
                txn.outcome(Operation::Commit)
                    .unwrap_err()
                    .is_outcome_unknown()
            );
        }
    }
}

/// L-25: nor does an identity tell that the id has moved on to meanwhile.
#[test]
fn a_commit_refused_before_a_fence_is_of_unknown_outcome() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Commit);
    txn.end_refused(ErrorCode::InvalidTxnState);
    txn.asks(Api::DescribeTransactions);
    txn.described(DescribedState::Empty, identity(7, 2));
    assert_eq!(txn.state(), State::Fenced);
    assert!(
        txn.outcome(Operation::Commit)
            .unwrap_err()
            .is_outcome_unknown()
    );
}

/// A description that does not come through is asked for again.
#[test]
fn finding_out_is_repeated_like_any_request() {
    let mut txn = commit_in_doubt(TransactionVersion::Two);
    txn.end_refused(ErrorCode::InvalidTxnState);
    txn.asks(Api::DescribeTransactions);
    txn.machine
        .handle_describe_transactions(Reply::Ambiguous, txn.now);
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Transaction, COORDINATOR);
    for code in [
        ErrorCode::CoordinatorLoadInProgress,
        ErrorCode::UnknownServerError,
    ] {
        txn.asks(Api::DescribeTransactions);
        txn.machine
            .handle_describe_transactions(Reply::Refused(code), txn.now);
    }
    txn.asks(Api::DescribeTransactions);
    txn.no_outcome(Operation::Commit);
}

/// T-64: an abort that finds its transaction committed is no success.
#[test]
fn an_abort_of_a_committed_transaction_is_fatal() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Abort);
    txn.end_refused(ErrorCode::InvalidTxnState);
    txn.asks(Api::DescribeTransactions);
    txn.described(DescribedState::CompleteCommit, identity(7, 1));
    assert_eq!(txn.state(), State::Fatal);
    assert!(txn.outcome(Operation::Abort).is_err());
}

/// A coordinator that knows of no transaction has nothing left to abort.
#[test]
fn an_abort_of_nothing_succeeds_under_a_new_epoch() {
    for version in VERSIONS {
        let mut txn = Txn::written(version);
        txn.end(Direction::Abort);
        txn.end_refused(ErrorCode::InvalidTxnState);
        txn.asks(Api::DescribeTransactions);
        txn.described(DescribedState::Empty, identity(7, 0));
        txn.asks(Api::InitProducerId);
        txn.initialized(identity(7, 1));
        txn.outcome(Operation::Abort).unwrap();
    }
}

/// T-52, L-15: a transaction that was ended counts for nothing in the next one.
#[test]
fn a_transaction_starts_with_nothing_of_the_one_before() {
    for version in VERSIONS {
        let mut txn = Txn::written(version);
        txn.end(Direction::Commit);
        txn.ended();
        txn.outcome(Operation::Commit).unwrap();
        txn.machine.begin().unwrap();
        if version == TransactionVersion::One {
            assert_eq!(
                txn.machine.may_send(&partition(0), txn.now),
                MaySend::WhenAdded
            );
        }
        txn.machine.abort().unwrap();
        txn.idle();
        txn.outcome(Operation::Abort).unwrap();
    }
}

/// L-23: the first batch after an EndTxn waits a moment for the markers, the others do not.
#[test]
fn the_first_batch_of_the_next_transaction_waits_for_the_markers() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Commit);
    txn.ended();
    txn.outcome(Operation::Commit).unwrap();
    txn.machine.begin().unwrap();
    txn.machine.partition_touched(&partition(0)).unwrap();
    let MaySend::NotBefore(at) = txn.machine.may_send(&partition(0), txn.now) else {
        panic!()
    };
    assert_eq!(at - txn.now, Duration::from_micros(300));
    txn.now = at;
    assert_eq!(txn.machine.may_send(&partition(0), txn.now), MaySend::Now);
    txn.machine.produce_attempted(&partition(0), txn.now);
    assert_eq!(txn.machine.may_send(&partition(1), txn.now), MaySend::Now);
}
